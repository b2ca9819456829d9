// The form of a new job: it offers what the chosen model takes, and says what was refused where.

import * as api from "./api.js";
import { $, plural, say, segments, showValue } from "./dom.js";
import * as source from "./source.js";

const DRAFT = "winepress-draft";
const TEXTS = ["prompt", "negative_prompt", "scheduler", "priority", "direction", "film_format"];
const NUMBERS = ["num_inference_steps", "guidance_scale", "seed", "n", "key_frames", "zoom", "seconds_per_key_frame", "strength"];
const ZOOM_ONLY = ["key_frames", "zoom", "seconds_per_key_frame", "direction", "film_format"];
const PREVIEWS = 8; // of one picture
/** Name → width over height; each has about the model's own area. */
const SHAPES = [["1:1", 1], ["3:2", 3 / 2], ["2:3", 2 / 3], ["16:9", 16 / 9]];

let models = [];
let model = null;
let submitted = () => {};
const shows = {};

const form = () => $("composer");
const what = () => form().elements.what.value;
const value = (name) => form().elements[name].value;

/** The kind of job that the form describes now. */
export function kind() {
  if (what() === "zoom") return "zoom-video";
  if (source.mask()) return "inpaint";
  return source.image() ? "image-to-image" : "text-to-image";
}

/** `onsubmit` is called with each accepted job; returns the names of the models. */
export async function begin(onsubmit) {
  submitted = onsubmit;
  for (const range of form().querySelectorAll("input[type=range]")) shows[range.name] = showValue(range);
  source.begin({ onchange: adapt, refuse });
  for (const one of form().elements.what) one.addEventListener("change", adapt);
  $("model").addEventListener("change", () => choose(value("model")));
  $("roll").addEventListener("click", () => ($("seed").value = ""));
  form().addEventListener("input", ({ target }) => {
    clearRefusal(target.closest("[data-field]"));
    keepDraft();
    words();
  });
  form().addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  const found = await api.get("v1/catalogue");
  models = found.models;
  $("scheduler").replaceChildren(new Option("the model's own", ""), ...found.schedulers.map((one) => new Option(one.label, one.name)));
  readDraft();
  adapt();
  words();
  return models.map((one) => one.name);
}

export const modelOf = (name) => models.find((one) => one.name === name);

// -- what the model takes ---------------------------------------------------------------------

/** Offer the models of the present kind, and keep the chosen one if it is among them. */
function adapt() {
  const now = kind();
  const fitting = models.filter((one) => one.kinds.includes(now));
  const group = (label, list) => {
    const box = document.createElement("optgroup");
    box.label = label;
    box.append(...list.map((one) => new Option(one.name, one.name)));
    return list.length ? [box] : [];
  };
  const [ready, others] = [fitting.filter((one) => one.ready.length), fitting.filter((one) => !one.ready.length)];
  $("model").replaceChildren(...group("A worker is ready", ready), ...group("No worker has it now", others));
  const kept = fitting.find((one) => one.name === model?.name);
  const next = kept || ready[0] || others[0];
  if (next && next !== model) {
    if (model) say(`The model is ${next.name} now: ${model.name} cannot do this.`);
    choose(next.name);
  }
  if (next) $("model").value = next.name;
  $("zoom-fields").hidden = $("prompt-hint").hidden = now !== "zoom-video";
  $("count-field").hidden = $("open-mask").hidden = now === "zoom-video";
  if (now !== "zoom-video") source.show();
  $("strength-field").hidden = !["image-to-image", "inpaint"].includes(now);
  if (now === "inpaint") setNumber("strength", 1);
  else if (now === "image-to-image" && model) setNumber("strength", model.strength);
  shape();
  words();
}

/** Take a model, with its defaults and limits. */
function choose(name) {
  model = models.find((one) => one.name === name);
  $("model-notes").textContent = model.ready.length ? model.notes || model.title : `${model.title}. A job waits until a worker has it.`;
  const precision = model.precisions.find((one) => one === checked("precision") && model.ready.includes(one)) || model.ready[0] || model.precisions[0];
  setPrecision(precision);
  Object.assign($("num_inference_steps"), { max: model.max_steps });
  setNumber("num_inference_steps", model.num_inference_steps);
  setNumber("guidance_scale", model.guidance_scale);
  for (const side of ["width", "height"]) Object.assign($(side), { min: Math.max(64, model.size_multiple), max: model.max_side, step: model.size_multiple });
  $("negative-field").hidden = !model.takes_negative_prompt;
  $("scheduler").options[0].textContent = `${model.scheduler} (the model's own)`;
  shape(true);
}

function setPrecision(chosen) {
  segments($("precision"), "precision", model.precisions.map((one) => [one, one, model.ready.includes(one) ? "a worker is ready" : "no worker has it now"]), chosen);
}

const checked = (name) => form().querySelector(`input[name=${name}]:checked`)?.value;

/** Sides of about the model's own area, in its multiples. */
function sidesOf(ratio) {
  const snap = (pixels) => Math.min(Math.max(Math.round(pixels / model.size_multiple) * model.size_multiple, model.size_multiple, 64), model.max_side);
  const area = model.width * model.height;
  return [snap(Math.sqrt(area * ratio)), snap(Math.sqrt(area / ratio))];
}

function shape(isNew = false) {
  if (!model) return;
  const hasPicture = Boolean(source.image());
  const choices = SHAPES.map(([word, ratio]) => [word, word, sidesOf(ratio).join("×")]);
  choices.push(["custom", "other", "any size that the model takes"]);
  if (hasPicture) choices.unshift(["picture", "as is", "the size of the picture to start from"]);
  const before = checked("shape");
  const chosen = choices.some(([word]) => word === before) && !(hasPicture && before === "1:1") ? before : choices[0][0];
  segments($("shape"), "shape", choices, chosen, setShape);
  if (isNew || chosen !== before) setShape(chosen);
}

function setShape(chosen) {
  $("sides").hidden = chosen !== "custom";
  const ratio = SHAPES.find(([word]) => word === chosen)?.[1];
  const sides = chosen === "picture" ? source.sides() : ratio && sidesOf(ratio);
  if (sides) [$("width").value, $("height").value] = sides;
  showSides();
}

const showSides = () => ($("size-text").textContent = $("sides").hidden && $("width").value ? `${$("width").value} × ${$("height").value}` : "");

function setNumber(name, number) {
  form().elements[name].value = number ?? "";
  shows[name]?.();
}

function words() {
  $("settings-text").textContent = [value("model"), checked("precision"), $("width").value && `${$("width").value} × ${$("height").value}`, `${value("num_inference_steps")} steps`].filter(Boolean).join(" · ");
  const count = Number(value("n")) || 1;
  $("submit-words").textContent = what() === "zoom" ? "Make the film" : count > 1 ? `Make ${plural(count, "picture")}` : "Make the picture";
}

// -- submitting -------------------------------------------------------------------------------

/** The fields of the job, as the gateway takes them. */
export function fields() {
  const now = kind();
  const job = { kind: now, model: model.name, precision: checked("precision") };
  for (const name of TEXTS) if (value(name) && (now === "zoom-video" || !ZOOM_ONLY.includes(name))) job[name] = value(name);
  for (const name of NUMBERS) {
    const isWanted = now === "zoom-video" ? name !== "n" && name !== "strength" : !ZOOM_ONLY.includes(name);
    if (isWanted && value(name) !== "" && !(name === "strength" && !source.image())) job[name] = Number(value(name));
  }
  if (!model.takes_negative_prompt) delete job.negative_prompt;
  if (!(checked("shape") === "picture" && now !== "zoom-video")) for (const side of ["width", "height"]) if (value(side)) job[side] = Number(value(side));
  const lines = value("prompt").split("\n").map((line) => line.trim()).filter(Boolean);
  if (now !== "zoom-video" || lines.length < 2) job.prompt = lines.join(" ");
  else {
    job.prompts = Object.fromEntries(lines.map((line, place) => [place, line]));
    delete job.prompt;
  }
  if (source.image()) job.image = source.image();
  if (now === "inpaint") job.mask = source.mask();
  if (model.has_previews) job.preview_every = Math.max(1, Math.ceil((job.num_inference_steps || model.num_inference_steps) / PREVIEWS));
  return job;
}

/** Submit what the form says. */
export async function send() {
  if (!model || $("submit").ariaBusy === "true") return;
  clearRefusals();
  $("submit").ariaBusy = "true";
  try {
    const job = await api.submit(fields());
    for (const warning of job.warnings || []) say(warning, "warn");
    submitted(job);
  } catch (error) {
    refuse(error);
  } finally {
    $("submit").ariaBusy = "false";
  }
}

/** Show an error at the field that it names, or above the button. */
export function refuse(error) {
  const box = error.field && [...form().querySelectorAll("[data-field]")].find((one) => one.dataset.field.split(" ").includes(error.field));
  if (!box || box.offsetParent === null) {
    const closed = box?.closest("details:not([open])");
    if (closed) {
      closed.open = true;
      return refuse(error);
    }
    $("refusal").textContent = error.message;
    $("refusal").hidden = false;
    return undefined;
  }
  clearRefusal(box);
  const note = document.createElement("p");
  Object.assign(note, { className: "refusal", id: `refusal-${error.field}`, textContent: error.message, role: "alert" });
  box.append(note);
  box.classList.add("is-refused");
  const control = form().elements[error.field] ?? box.querySelector("input, select, textarea");
  if (control instanceof Element) {
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-describedby", note.id);
    control.focus();
  }
  return undefined;
}

function clearRefusal(box) {
  if (!box) return;
  box.classList.remove("is-refused");
  box.querySelector(".refusal")?.remove();
  for (const control of box.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    control.removeAttribute("aria-describedby");
  }
}

function clearRefusals() {
  $("refusal").hidden = true;
  form().querySelectorAll(".is-refused").forEach(clearRefusal);
}

// -- filling in -------------------------------------------------------------------------------

/** Put the fields of a job into the form. */
export function fill(job) {
  clearRefusals();
  form().elements.what.value = job.kind === "zoom-video" ? "zoom" : "picture";
  if (job.image || job.mask) source.refer(job.image, job.mask, [job.width, job.height]);
  else source.clear();
  if (models.some((one) => one.name === job.model)) model = models.find((one) => one.name === job.model);
  adapt();
  choose(model.name);
  $("model").value = model.name;
  if (model.precisions.includes(job.precision)) setPrecision(job.precision);
  if (job.prompts) job = { ...job, prompt: job.prompts.map(([, text]) => text).join("\n") };
  for (const name of [...TEXTS, ...NUMBERS]) if (job[name] != null || name === "seed" || name === "negative_prompt") setNumber(name, job[name]);
  if (job.width && job.height) {
    const known = SHAPES.find(([, ratio]) => String(sidesOf(ratio)) === String([job.width, job.height]));
    form().elements.shape.value = known ? known[0] : "custom";
    setShape(known ? known[0] : "custom");
    [$("width").value, $("height").value] = [job.width, job.height];
    showSides();
  }
  keepDraft();
  words();
  $("prompt").focus();
}

function keepDraft() {
  const draft = Object.fromEntries([...TEXTS, ...NUMBERS].map((name) => [name, value(name)]));
  sessionStorage.setItem(DRAFT, JSON.stringify({ ...draft, model: model?.name, what: what() }));
}

function readDraft() {
  const draft = JSON.parse(sessionStorage.getItem(DRAFT) || "{}");
  if (draft.what) form().elements.what.value = draft.what;
  model = models.find((one) => one.name === draft.model) || models.find((one) => one.ready.length && one.kinds.includes("text-to-image")) || models[0];
  choose(model.name);
  for (const [name, text] of Object.entries(draft)) if (TEXTS.includes(name) || NUMBERS.includes(name)) setNumber(name, text);
}
