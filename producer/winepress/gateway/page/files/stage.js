// The picture in view: while it is drawn, and when it is done, with what can be made of it.

import { $, button, duration, el, icon, progressBar, setPart } from "./dom.js";
import * as jobs from "./jobs.js";

let view = null; // {id, unit}
let drawn = ""; // what the hero shows now, so that a film is not started again at every event
let actions = {};

/** `given`: what the buttons below the picture do, each with (job, output). */
export function begin(given) {
  actions = given;
  jobs.subscribe(({ ended }) => {
    if (ended && ended.id === view?.id) drawn = "";
    show();
  });
  empty();
}

export const inView = () => view;

/** Put a job on the stage. */
export function open(id, unit = null) {
  view = { id, unit };
  drawn = "";
  jobs.choose(id);
  show();
  for (const card of document.querySelectorAll("[data-job]"))
    card.toggleAttribute(
      "data-chosen",
      card.dataset.job === id && (unit === null || Number(card.dataset.unit) === unit),
    );
}

function empty() {
  const how = "Type a prompt and press Ctrl and Enter. The picture grows here, step by step.";
  $("hero").replaceChildren(bare("picture", "Say what you would like to see.", how));
}

/** The stage without a picture. */
function bare(image, title, ...rest) {
  const lines = rest.map((one) => (one instanceof Node ? one : el("p", { class: "quiet" }, one)));
  return el("div", { class: "bare" }, icon(image), el("p", { class: "invitation" }, title), lines);
}

async function show() {
  if (!view) return;
  const { id } = view;
  const job = jobs.find(id) || (await jobs.detail(id).then(jobs.keep, () => null));
  if (!job || view?.id !== id) return;
  if (jobs.hasEnded(job)) await showEnded(job);
  else showGrowing(job);
}

// -- while it is drawn ------------------------------------------------------------------------

function showGrowing(job) {
  const { preview, step = 0, steps = 0, unit, finished } = jobs.liveOf(job.id);
  if (drawn !== `growing ${job.id}`) {
    drawn = `growing ${job.id}`;
    $("hero").replaceChildren(
      el(
        "figure",
        {},
        el(
          "div",
          { class: "canvas growing", id: "growing" },
          el("img", { id: "growing-picture", alt: "", hidden: true }),
        ),
        progressBar("Progress of the job in view", "growing-bar"),
        el(
          "figcaption",
          {},
          el("p", { class: "words", id: "hero-words" }),
          el("p", { class: "quiet", id: "growing-text" }),
        ),
      ),
    );
    jobs.detail(job.id).then(
      ({ job: fields }) => {
        const box = $("growing");
        if (box && fields.width)
          box.style.setProperty("--aspect", `${fields.width} / ${fields.height}`);
        if ($("hero-words")) $("hero-words").textContent = fields.prompt;
      },
      () => {},
    );
  }
  if (preview) showIn($("growing-picture"), preview, true);
  else if (finished != null) showFinished(job.id, finished);
  const part = jobs.progressOf(job);
  setPart($("growing-bar"), part);
  $("growing-text").textContent = statusOf(job, unit, step, steps);
}

function showIn(picture, address, isRough) {
  if (picture.getAttribute("src") === address) return;
  picture.src = address;
  picture.hidden = false;
  picture.classList.toggle("rough", isRough);
}

/** Between two pictures of a job, the last one that is done. */
async function showFinished(id, unit) {
  const picture = $("growing-picture");
  if (picture.dataset.unit === String(unit)) return;
  picture.dataset.unit = unit;
  const { outputs } = await jobs.resultOf(id).catch(() => ({ outputs: [] }));
  const output = outputs.find((one) => one.unit === unit && one.frames <= 1);
  if (output && picture.isConnected && view?.id === id && !jobs.liveOf(id).preview)
    showIn(picture, output.path, false);
}

function statusOf(job, unit, step, steps) {
  if (job.paused) return "Paused";
  if (job.state === "queued") return job.impossible || job.reason || "Waits for its turn";
  const isFilm = job.kind === "zoom-video";
  const which = isFilm
    ? unit === job.units - 1
      ? "Cutting the film"
      : `Key frame ${(unit ?? job.done) + 1} of ${job.units - 1}`
    : job.units > 1
      ? `Picture ${(unit ?? job.done) + 1} of ${job.units}`
      : "Drawing";
  return steps && step ? `${which} · step ${step} of ${steps}` : which;
}

// -- when it is done --------------------------------------------------------------------------

async function showEnded(job) {
  const wanted = `ended ${job.id} ${view.unit}`;
  if (drawn === wanted) return;
  drawn = wanted;
  try {
    const [{ job: fields, warnings }, result] = await Promise.all([
      jobs.detail(job.id),
      jobs.resultOf(job.id),
    ]);
    if (drawn !== wanted) return;
    const film = result.outputs.find((one) => one.frames > 1);
    const output =
      result.outputs.find((one) => one.unit === view.unit) || film || result.outputs[0];
    $("hero").replaceChildren(
      output ? figure(job, fields, warnings || [], result, output) : failure(job, fields, result),
    );
  } catch (error) {
    $("hero").replaceChildren(bare("close", "It cannot be shown", error.message));
  }
}

const UNDRAWN = {
  canceled: "Canceled before it was drawn",
  expired: "Its deadline passed",
  failed: "It could not be drawn",
};

function failure(job, fields, result) {
  const buttons = el(
    "div",
    { class: "row" },
    button("Again with changes", "brush", () => actions.again(fields), { words: true }),
    button("Draw it after all", "again", () => actions.retry(job), { words: true }),
  );
  const reason = result.failures[0]?.message || job.reason;
  return bare("close", UNDRAWN[job.state] || "No picture", fields.prompt, reason, buttons);
}

function figure(job, fields, warnings, result, output) {
  const isFilm = output.frames > 1;
  const [type] = output.content_type.split("/");
  const alt = `${fields.prompt || "zoom film"}, seed ${output.seed}`;
  const medium = type === "video"
    ? el("video", {
        src: output.path,
        controls: true,
        loop: true,
        muted: true,
        autoplay: true,
        playsInline: true,
        "aria-label": alt,
      })
    : type === "image"
      ? el("img", { src: output.path, alt, width: output.width, height: output.height })
      : icon("film");
  return el(
    "figure",
    {},
    el(
      "div",
      { class: "canvas" },
      !isFilm && el("img", { class: "glow", src: output.path, alt: "" }),
      medium,
    ),
    result.outputs.length > 1 && strip(job, result, output),
    el(
      "figcaption",
      {},
      el(
        "p",
        { class: "words", id: "hero-words" },
        fields.prompt || fields.prompts?.map((one) => one[1]).join(" → "),
      ),
      facts(job, fields, output, isFilm),
      [...warnings, ...output.warnings].map((text) => el("p", { class: "warning" }, text)),
      buttons(job, fields, output, isFilm),
    ),
  );
}

function strip(job, result, output) {
  return el(
    "ul",
    { class: "strip" },
    result.outputs.slice(0, 60).map((one) =>
      el(
        "li",
        {},
        el(
          "button",
          {
            type: "button",
            "aria-label": one.frames > 1 ? "Film" : `Picture ${one.unit + 1}`,
            "aria-current": one === output ? "true" : null,
            onclick: () => open(job.id, one.unit),
          },
          one.frames > 1 ? icon("film") : el("img", { src: one.path, alt: "", loading: "lazy" }),
        ),
      ),
    ),
  );
}

function facts(job, fields, output, isFilm) {
  const row = (name, value) =>
    value != null && value !== "" && el("div", {}, el("dt", {}, name), el("dd", {}, String(value)));
  return el(
    "dl",
    { class: "facts" },
    row("Model", fields.model),
    row("Precision", fields.precision),
    row("Seed", output.seed),
    row("Steps", fields.num_inference_steps),
    row("Guidance", fields.guidance_scale),
    row("Scheduler", fields.scheduler),
    fields.quality !== "exact" && row("Quality", fields.quality),
    row("Size", `${output.width}×${output.height}`),
    isFilm && row("Frames", output.frames),
    row("Time", duration(output.render_s)),
    row("Device", output.device),
  );
}

function buttons(job, fields, output, isFilm) {
  const name = output.url.split("?")[0].split("/").pop();
  const one = { ...fields, seed: output.seed, n: 1 };
  const options = { words: true };
  return el(
    "div",
    { class: "row" },
    button("Again with changes", "again", () => actions.again(isFilm ? fields : one), options),
    !isFilm && button("Start from it", "picture", () => actions.startFrom(output, one), options),
    !isFilm && button("Make a zoom of this", "film", () => actions.zoomOf(output, one), options),
    !isFilm &&
      !["batch", "zoom-video"].includes(fields.kind) &&
      button("Compare precisions", "compare", () => actions.compare(job, one, output), options),
    el(
      "a",
      { class: "small", href: output.path, download: `${job.id}-${name}` },
      icon("save"),
      el("span", {}, "Save"),
    ),
  );
}
