// Two precisions of one picture, side by side under a slider: same prompt, same seed.

import * as api from "./api.js";
import { $, duration, el, progressBar, say, segments, setPart } from "./dom.js";
import { modelOf } from "./composer.js";
import * as jobs from "./jobs.js";

let wanted = null; // id of the job that draws the other picture

export function begin() {
  jobs.subscribe(({ ended }) => {
    if (!wanted || wanted.id !== (ended?.id ?? wanted.id)) return;
    if (ended) finish(ended).catch((error) => say(error.message, "bad"));
    else grow();
  });
  $("compare").addEventListener("close", () => (wanted = null));
}

/** Ask with which precision to compare a picture, and have it drawn. */
export function open(job, fields, output) {
  const model = modelOf(fields.model);
  const others = model ? model.precisions.filter((one) => one !== fields.precision) : [];
  const chosen = others.find((one) => model.ready.includes(one)) || others[0];
  if (!chosen) {
    say(`${fields.model} has no other precision.`);
    return;
  }
  const choice = el("div", {
    class: "segments",
    role: "radiogroup",
    "aria-label": "Other precision",
  });
  segments(
    choice,
    "other",
    others.map((one) => [one, one]),
    chosen,
  );
  const start = el(
    "button",
    {
      type: "button",
      class: "button primary",
      onclick: () => draw(fields, output, choice.querySelector(":checked").value),
    },
    "Draw it and compare",
  );
  $("compare-body").replaceChildren(
    el(
      "p",
      {},
      `This picture is ${fields.precision}. The other one is drawn with the same seed, ${output.seed}.`,
    ),
    el("div", { class: "row" }, choice, start),
    el("img", { class: "framed", src: output.path, alt: `The picture in ${fields.precision}` }),
  );
  $("compare").showModal();
}

async function draw(fields, output, precision) {
  const same = { ...fields, precision, width: output.width, height: output.height };
  for (const name of Object.keys(same)) if (same[name] === null) delete same[name];
  delete same.pictures_per_call; // how many are drawn at once is the farm's business
  try {
    const job = await api.submit(same);
    wanted = { id: job.id, fields, output, precision };
    $("compare-body").replaceChildren(
      el("p", { id: "compare-text", role: "status" }, `Drawing it in ${precision} …`),
      progressBar("Progress of the other picture", "compare-bar"),
      el("img", { class: "framed", src: output.path, alt: "" }),
    );
    jobs.keep(job);
    jobs.choose(job.id);
    jobs.refresh();
  } catch (error) {
    $("compare-body").prepend(el("p", { class: "refusal", role: "alert" }, error.message));
  }
}

function grow() {
  const job = jobs.find(wanted.id);
  const bar = $("compare-bar");
  if (!job || !bar) return;
  setPart(bar, jobs.progressOf(job));
}

async function finish(job) {
  const { fields, output, precision } = wanted;
  wanted = null;
  const { outputs, failures } = await jobs.resultOf(job.id);
  if (!outputs[0]) {
    $("compare-body").replaceChildren(
      el(
        "p",
        { class: "refusal", role: "alert" },
        failures[0]?.message || job.reason || `The job was ${job.state}.`,
      ),
    );
    return;
  }
  const other = outputs[0];
  const box = el(
    "div",
    { class: "versus" },
    el("img", { src: other.path, alt: `In ${precision}` }),
    el("img", { class: "over", src: output.path, alt: `In ${fields.precision}` }),
    el("span", { class: "tag left" }, fields.precision),
    el("span", { class: "tag right" }, precision),
    el("input", {
      type: "range",
      min: 0,
      max: 100,
      step: 0.5,
      value: 50,
      "aria-label": `Part that shows ${fields.precision}`,
      oninput: ({ target }) => box.style.setProperty("--split", `${target.value}%`),
    }),
  );
  box.style.setProperty("--aspect", `${output.width} / ${output.height}`);
  $("compare-body").replaceChildren(
    box,
    el(
      "p",
      { class: "quiet", role: "status" },
      `${fields.precision} took ${duration(output.render_s)}, ${precision} ${duration(other.render_s)}. Move the slider to look from one to the other.`,
    ),
  );
  box.querySelector("input").focus();
}
