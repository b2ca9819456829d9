// The mask brush: white is drawn anew. The mask has the picture's own size, whatever the screen's.

import { $, showValue } from "./dom.js";

const KEPT = 30; // states for undo
const STEP = 12; // pixels of the screen that an arrow key moves the brush
const VEIL = "rgb(214 40 92 / 62%)"; // the mask over the picture

let strokes = null; // canvas: opaque white where painted, clear elsewhere
let backdrop = null;
let history = [];
let done = null; // resolves the promise of `paint`
let at = null; // last point of the stroke in progress
let cursor = null; // where the keyboard's brush is
const canvas = () => $("mask-canvas");

/** Lets a person paint; a PNG, null for an empty mask, undefined when nothing was decided. */
export async function paint({ reference, address, width, height }) {
  backdrop = new Image();
  backdrop.src = address;
  await backdrop.decode();
  if (strokes?.reference !== reference) {
    strokes = Object.assign(document.createElement("canvas"), { width, height, reference });
    strokes.getContext("2d", { willReadFrequently: true });
    history = [];
  }
  Object.assign(canvas(), { width, height });
  cursor = { x: width / 2, y: height / 2 };
  draw();
  $("mask").showModal();
  canvas().focus();
  return new Promise((resolve) => (done = resolve));
}

export function begin() {
  const surface = canvas();
  surface.addEventListener("pointerdown", (event) => {
    surface.setPointerCapture(event.pointerId);
    remember();
    at = pointOf(event);
    stroke(at, at);
  });
  surface.addEventListener("pointermove", (event) => {
    cursor = pointOf(event);
    if (at) {
      for (const one of event.getCoalescedEvents?.() ?? [event]) stroke(at, (at = pointOf(one)));
    } else draw();
  });
  for (const name of ["pointerup", "pointercancel"])
    surface.addEventListener(name, () => (at = null));
  surface.addEventListener("keydown", byKey);
  showValue($("brush"));
  $("brush").addEventListener("input", draw);
  $("mask-undo").addEventListener("click", undo);
  $("mask-invert").addEventListener("click", () => edit(invert));
  $("mask-clear").addEventListener("click", () =>
    edit((to) => to.clearRect(0, 0, strokes.width, strokes.height)),
  );
  $("mask-done").addEventListener("click", finish);
  $("mask").addEventListener("close", () => done?.(undefined));
}

function byKey(event) {
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const move = moves[event.key];
  const size = Number($("brush").value);
  if (move) {
    const before = { ...cursor };
    cursor.x = Math.min(Math.max(cursor.x + move[0] * STEP * scale(), 0), strokes.width);
    cursor.y = Math.min(Math.max(cursor.y + move[1] * STEP * scale(), 0), strokes.height);
    if (event.shiftKey) stroke(before, cursor);
    else draw();
  } else if (event.key === " ") {
    remember();
    stroke(cursor, cursor);
  } else if (event.key === "[" || event.key === "]") {
    $("brush").value = size + (event.key === "]" ? 8 : -8);
    $("brush").dispatchEvent(new Event("input"));
  } else if (event.key === "z" && (event.ctrlKey || event.metaKey)) undo();
  else return;
  event.preventDefault();
}

/** Pixels of the picture for one of the screen. */
const scale = () => strokes.width / (canvas().getBoundingClientRect().width || strokes.width);

function pointOf(event) {
  const box = canvas().getBoundingClientRect();
  return { x: (event.clientX - box.left) * scale(), y: (event.clientY - box.top) * scale() };
}

function stroke(from, to) {
  const context = strokes.getContext("2d");
  context.globalCompositeOperation =
    document.querySelector("input[name=tool]:checked").value === "erase"
      ? "destination-out"
      : "source-over";
  Object.assign(context, {
    strokeStyle: "#fff",
    lineCap: "round",
    lineJoin: "round",
    lineWidth: Number($("brush").value) * scale(),
  });
  context.beginPath();
  context.moveTo(from.x, from.y);
  context.lineTo(to.x + 0.01, to.y);
  context.stroke();
  draw();
}

function draw() {
  const context = canvas().getContext("2d");
  context.globalCompositeOperation = "source-over";
  context.clearRect(0, 0, strokes.width, strokes.height);
  context.drawImage(strokes, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = VEIL;
  context.fillRect(0, 0, strokes.width, strokes.height);
  context.globalCompositeOperation = "destination-over";
  context.drawImage(backdrop, 0, 0, strokes.width, strokes.height);
  context.globalCompositeOperation = "source-over";
  context.beginPath();
  context.arc(cursor.x, cursor.y, (Number($("brush").value) * scale()) / 2, 0, 7);
  for (const [colour, width] of [
    ["#0009", 3],
    ["#fff", 1.5],
  ]) {
    Object.assign(context, { strokeStyle: colour, lineWidth: width * scale() });
    context.stroke();
  }
}

function remember() {
  history.push(strokes.getContext("2d").getImageData(0, 0, strokes.width, strokes.height));
  history = history.slice(-KEPT);
}

function undo() {
  const last = history.pop();
  if (last) strokes.getContext("2d").putImageData(last, 0, 0);
  draw();
}

function edit(how) {
  remember();
  const context = strokes.getContext("2d");
  context.globalCompositeOperation = "source-over";
  how(context);
  draw();
}

function invert(context) {
  context.globalCompositeOperation = "source-out"; // white where nothing was, nothing where it was
  context.fillStyle = "#fff";
  context.fillRect(0, 0, strokes.width, strokes.height);
}

function isBlank() {
  return strokes
    .getContext("2d")
    .getImageData(0, 0, strokes.width, strokes.height)
    .data.every((one) => one === 0);
}

async function finish() {
  const resolve = done;
  done = null;
  $("mask").close();
  if (isBlank()) return resolve(null);
  const flat = Object.assign(document.createElement("canvas"), {
    width: strokes.width,
    height: strokes.height,
  });
  const context = flat.getContext("2d");
  context.fillStyle = "#000";
  context.fillRect(0, 0, flat.width, flat.height);
  context.drawImage(strokes, 0, 0);
  return flat.toBlob((blob) => resolve(blob), "image/png");
}
