// The form of a new job: it offers what the chosen model takes, and says what was refused where.

import * as api from "./api.js";
import { $, el, plural, say, segments, showValue } from "./dom.js";
import * as refusal from "./refusal.js";
import * as sizes from "./sizes.js";
import * as source from "./source.js";

const DRAFT = "winepress-draft";
const TEXTS = [
  ...["prompt", "negative_prompt", "quality", "scheduler", "priority"],
  ...["direction", "film_format"],
];
const NUMBERS = [
  ...["num_inference_steps", "guidance_scale", "seed", "n", "strength"],
  ...["key_frames", "zoom", "seconds_per_key_frame"],
];
const ZOOM_ONLY = ["key_frames", "zoom", "seconds_per_key_frame", "direction", "film_format"];
const NOT_OF_ZOOMS = ["n", "strength"];
const PREVIEWS = 8; // of one picture

let models = [];
let model = null;
let submitted = () => {};
const shows = {}; // name of a range → shows its value

const form = () => $("composer");
const what = () => form().elements.what.value;
const value = (name) => form().elements[name].value;
const checked = (name) => form().querySelector(`input[name=${name}]:checked`)?.value;

/** The model of that name; undefined for one that the farm does not know. */
export const modelOf = (name) => models.find((one) => one.name === name);

/** Show an error at the field that it names. */
export const refuse = (error) => refusal.show(form(), error);

/** The kind of job that the form describes now. */
function kind() {
  if (what() === "zoom") return "zoom-video";
  if (source.mask()) return "inpaint";
  return source.image() ? "image-to-image" : "text-to-image";
}

/** `onsubmit` is called with each accepted job; returns the names of the models. */
export async function begin(onsubmit) {
  submitted = onsubmit;
  for (const range of form().querySelectorAll("input[type=range]"))
    shows[range.name] = showValue(range);
  source.begin({ onchange: adapt, refuse });
  listen();
  await load();
  if (!models.length) throw new Error("There is no model that this key may use.");
  readDraft();
  adapt();
  return models.map((one) => one.name);
}

function listen() {
  for (const one of form().elements.what) one.addEventListener("change", adapt);
  $("model").addEventListener("change", () => choose(modelOf(value("model"))));
  $("roll").addEventListener("click", () => set("seed", ""));
  form().addEventListener("input", ({ target }) => {
    const box = target.closest("[data-field]");
    if (box) refusal.clear(box);
    keepDraft();
    words();
  });
  form().addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && model) load().then(adapt, () => {});
  });
}

/** Learn which models there are, and which of them a worker has now. */
async function load() {
  const [{ data }, { schedulers }] = await Promise.all([
    api.getPatiently("v1/models"),
    api.getPatiently("v1/schedulers"),
  ]);
  models = data.filter((one) => one.root === one.id).map(asModel); // without aliases
  model = model && modelOf(model.name);
  const chosen = value("scheduler");
  $("scheduler").replaceChildren(
    new Option("the model's own", ""),
    ...schedulers.map((one) => new Option(one.label, one.name)),
  );
  $("scheduler").value = chosen;
}

function asModel(one) {
  const ready = one.precisions.filter((precision) => one.workers[precision] > 0);
  return { ...one, name: one.id, ready, takes_negative_prompt: !one.embedded_guidance };
}

// -- what the model takes ---------------------------------------------------------------------

/** Offer the models of the present kind, and keep the chosen one if it is among them. */
function adapt() {
  const now = kind();
  const fitting = models.filter((one) => one.kinds.includes(now));
  const ready = fitting.filter((one) => one.ready.length);
  const others = fitting.filter((one) => !one.ready.length);
  $("model").replaceChildren(
    ...group("A worker is ready", ready),
    ...group("No worker has it now", others),
  );
  const next = fitting.find((one) => one === model) || ready[0] || others[0];
  if (!next) {
    refuse(new Error(`no model here can do this: ${now}`));
    return;
  }
  if (next !== model) {
    if (model) say(`The model is ${next.name} now: ${model.name} cannot do this.`);
    choose(next);
  }
  const isZoom = now === "zoom-video";
  $("model").value = model.name;
  $("zoom-fields").hidden = $("prompt-hint").hidden = !isZoom;
  $("count-field").hidden = isZoom;
  source.show(!isZoom);
  $("strength-field").hidden = !["image-to-image", "inpaint"].includes(now);
  set("strength", now === "inpaint" ? 1 : model.strength);
  sizes.offer(model, source.sides());
  words();
}

function group(label, list) {
  const options = list.map((one) => new Option(one.name, one.name));
  return list.length ? [el("optgroup", { label }, options)] : [];
}

/** Take a model, with its defaults and limits. */
function choose(chosen) {
  model = chosen;
  $("model-notes").textContent = model.ready.length
    ? model.notes || model.title
    : `${model.title}. A job waits until a worker has it.`;
  const before = checked("precision");
  setPrecision(model.ready.includes(before) ? before : model.ready[0] || model.precisions[0]);
  $("num_inference_steps").max = model.max_steps;
  set("num_inference_steps", model.num_inference_steps);
  set("guidance_scale", model.guidance_scale);
  $("negative-field").hidden = !model.takes_negative_prompt;
  $("scheduler").options[0].textContent = `${model.scheduler} (the model's own)`;
  sizes.offer(model, source.sides());
}

function setPrecision(chosen) {
  const choices = model.precisions.map((one) => [
    one,
    one,
    model.ready.includes(one) ? "a worker is ready" : "no worker has it now",
  ]);
  segments($("precision"), "precision", choices, chosen);
}

function set(name, number) {
  form().elements[name].value = number ?? "";
  shows[name]?.();
}

function words() {
  const steps = `${value("num_inference_steps")} steps`;
  const chosen = [value("model"), checked("precision"), sizes.words(), steps];
  $("settings-text").textContent = chosen.filter(Boolean).join(" · ");
  const count = Number(value("n")) || 1;
  const pictures = count > 1 ? plural(count, "picture") : "the picture";
  $("submit-words").textContent = what() === "zoom" ? "Make the film" : `Make ${pictures}`;
}

// -- submitting -------------------------------------------------------------------------------

/** The fields of the job, as the gateway takes them. */
function fields() {
  const now = kind();
  const isZoom = now === "zoom-video";
  const isMeant = (name) =>
    value(name) !== "" && !(isZoom ? NOT_OF_ZOOMS : ZOOM_ONLY).includes(name);
  const job = { kind: now, model: model.name, precision: checked("precision") };
  for (const name of TEXTS.filter(isMeant)) job[name] = value(name);
  for (const name of NUMBERS.filter(isMeant)) job[name] = Number(value(name));
  if (!model.takes_negative_prompt) delete job.negative_prompt;
  if (!source.image()) delete job.strength;
  if (isZoom || !sizes.isAsIs())
    for (const side of ["width", "height"]) if (value(side)) job[side] = Number(value(side));
  if (source.image()) job.image = source.image();
  if (now === "inpaint") job.mask = source.mask();
  if (model.has_previews)
    job.preview_every = Math.max(1, Math.ceil(job.num_inference_steps / PREVIEWS));
  return { ...job, ...prompts(isZoom) };
}

/** The prompt, or that of each key frame of a film. */
function prompts(isZoom) {
  const lines = value("prompt")
    .split("\n")
    .map((line) => line.trim());
  const given = lines.filter(Boolean);
  if (!isZoom || given.length < 2) return { prompt: given.join(" ") };
  return { prompt: "", prompts: Object.fromEntries(given.entries()) };
}

/** Submit what the form says. */
export async function send() {
  if (!model || $("submit").ariaBusy === "true") return;
  refusal.clearAll(form());
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

// -- filling in -------------------------------------------------------------------------------

/** Put the fields of a job into the form. */
export function fill(job) {
  refusal.clearAll(form());
  form().elements.what.value = job.kind === "zoom-video" ? "zoom" : "picture";
  if (job.image) source.refer(job.image, job.mask, [job.width, job.height]);
  else source.clear();
  const known = modelOf(job.model);
  if (known) choose(known);
  adapt();
  if (model.precisions.includes(job.precision)) setPrecision(job.precision);
  const text = job.prompts ? job.prompts.map((one) => one[1]).join("\n") : job.prompt;
  const given = { ...job, prompt: text };
  for (const name of [...TEXTS, ...NUMBERS])
    if (given[name] != null || ["seed", "negative_prompt"].includes(name)) set(name, given[name]);
  if (job.width && job.height) sizes.set(job.width, job.height);
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
  const draws = (one) => one.ready.length && one.kinds.includes("text-to-image");
  choose(modelOf(draft.model) || models.find(draws) || models[0]);
  for (const name of [...TEXTS, ...NUMBERS]) if (draft[name] != null) set(name, draft[name]);
}
