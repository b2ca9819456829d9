// The size of a picture: a few shapes of about the model's own area, the source's, or any other.

import { $, segments } from "./dom.js";

const SHAPES = new Map([
  ["1:1", 1],
  ["3:2", 3 / 2],
  ["2:3", 2 / 3],
  ["16:9", 16 / 9],
]);
const LEAST = 64; // pixels of a side
const AS_IS = "picture"; // the shape of the picture to start from

let model = null;
let source = null; // sides of the picture to start from

const chosen = () => document.querySelector("input[name=shape]:checked")?.value;
const snap = (pixels) => {
  const { size_multiple: multiple, max_side: most } = model;
  return Math.min(Math.max(Math.round(pixels / multiple) * multiple, multiple, LEAST), most);
};

function sidesOf(ratio) {
  const area = model.width * model.height;
  return [snap(Math.sqrt(area * ratio)), snap(Math.sqrt(area / ratio))];
}

/** Offer the sizes of a model; `sides` are those of the picture to start from, or null. */
export function offer(newModel, sides) {
  const isNew = newModel !== model || String(sides) !== String(source);
  [model, source] = [newModel, sides];
  const choices = [...SHAPES].map(([name, ratio]) => [name, name, sidesOf(ratio).join("×")]);
  choices.push(["custom", "other", "any size that the model takes"]);
  if (source) choices.unshift([AS_IS, "as is", "the size of the picture to start from"]);
  const before = chosen();
  const isKept = choices.some(([name]) => name === before) && !(isNew && source);
  const next = isKept ? before : choices[0][0];
  segments($("shape"), "shape", choices, next, take);
  for (const side of ["width", "height"])
    Object.assign($(side), {
      min: Math.max(LEAST, model.size_multiple),
      max: model.max_side,
      step: model.size_multiple,
    });
  if (isNew || next !== before) take(next);
}

function take(name) {
  $("sides").hidden = name !== "custom";
  const sides = name === AS_IS ? source.map(snap) : SHAPES.has(name) && sidesOf(SHAPES.get(name));
  if (sides) [$("width").value, $("height").value] = sides;
  show();
}

function show() {
  const isShown = $("sides").hidden && $("width").value;
  $("size-text").textContent = isShown ? words() : "";
}

/** The size in words; empty if none is given. */
export const words = () =>
  $("width").value && $("height").value ? `${$("width").value} × ${$("height").value}` : "";

/** Whether the size is left to the picture to start from. */
export const isAsIs = () => chosen() === AS_IS;

/** Choose these sides, by the shape that has them if there is one. */
export function set(width, height) {
  const known = [...SHAPES].find(([, ratio]) => String(sidesOf(ratio)) === `${width},${height}`);
  const name = known ? known[0] : "custom";
  document.querySelector(`input[name=shape][value="${name}"]`).checked = true;
  take(name);
  [$("width").value, $("height").value] = [width, height];
  show();
}
