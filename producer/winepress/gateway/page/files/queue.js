// Jobs that have not ended: how far they are, and what can be done about them.

import { $, button, el, plural, progressBar, say, setPart } from "./dom.js";
import * as jobs from "./jobs.js";
import { open } from "./stage.js";

const rows = new Map(); // id → its parts

/** `isMine`: whether this tab has submitted a job; the end of others is only shown. */
export function begin(isMine) {
  jobs.subscribe(({ ended }) => {
    if (ended && isMine(ended.id)) say(endOf(ended), ended.state === "succeeded" ? "good" : "bad");
    show();
  });
}

function endOf(job) {
  if (job.state === "succeeded")
    return job.kind === "zoom-video"
      ? "The film is ready."
      : `${plural(job.done, "picture")} ready.`;
  return `The job ${job.state === "failed" ? "failed" : `was ${job.state}`}${job.reason ? `: ${job.reason}` : "."}`;
}

function show() {
  const active = jobs.active();
  $("queue").hidden = active.length === 0;
  $("queue-count").textContent = active.length
    ? `${plural(active.length, "job")}${jobs.areMore() ? " and more" : ""}`
    : "";
  const ids = new Set(active.map((job) => job.id));
  for (const [id, row] of rows)
    if (!ids.has(id)) {
      if (row.item.contains(document.activeElement))
        $("queue-title").closest("section").querySelector("button")?.focus();
      row.item.remove();
      rows.delete(id);
    }
  active.forEach((job, place) => {
    const row = rows.get(job.id) || make(job);
    if ($("queue-list").children[place] !== row.item)
      $("queue-list").insertBefore(row.item, $("queue-list").children[place] || null);
    fill(row, job);
  });
}

function make(job) {
  const picture = el("img", { alt: "", hidden: true });
  const words = el("span", { class: "words" }, job.kind);
  const text = el("span", { class: "quiet" });
  const bar = progressBar("Progress");
  const act = (verb) => () => jobs.change(job.id, verb).catch((error) => say(error.message, "bad"));
  const hold = button("Pause", "pause", () =>
    act(jobs.find(job.id)?.paused ? "resume" : "pause")(),
  );
  const front = button("To the front", "front", act("front"));
  const cancel = button("Cancel", "close", act("cancel"));
  const item = el(
    "li",
    { "data-job": job.id },
    el(
      "button",
      { type: "button", class: "row-of", onclick: () => open(job.id) },
      el("span", { class: "thumb" }, picture),
      el("span", { class: "two-lines" }, words, text),
    ),
    el("span", { class: "row" }, hold, front, cancel),
    bar,
  );
  const row = { item, picture, words, text, bar, hold, front };
  rows.set(job.id, row);
  jobs.detail(job.id).then(
    ({ job: fields }) => {
      words.textContent = fields.prompt || job.kind;
      cancel.setAttribute("aria-label", `Cancel: ${words.textContent.slice(0, 80)}`);
      bar.setAttribute("aria-label", `Progress: ${words.textContent.slice(0, 80)}`);
    },
    () => {},
  );
  return row;
}

function fill(row, job) {
  const { preview } = jobs.liveOf(job.id);
  if (preview && row.picture.src !== preview) {
    row.picture.src = preview;
    row.picture.hidden = false;
  }
  const part = jobs.progressOf(job);
  setPart(row.bar, part);
  const state = job.paused
    ? "paused"
    : job.state === "queued"
      ? job.impossible || job.reason || "waits"
      : `${Math.round(part * 100)} %`;
  row.text.textContent = [
    state,
    job.units > 1 && `${job.done} of ${job.units}`,
    job.lane.replace(".", " · "),
  ]
    .filter(Boolean)
    .join(" · ");
  const name = job.paused ? "Resume" : "Pause";
  if (row.hold.title !== name) {
    row.hold.title = name;
    row.hold.setAttribute("aria-label", name);
    row.hold.querySelector("use").setAttribute("href", job.paused ? "#i-play" : "#i-pause");
  }
  row.front.hidden = job.state !== "queued";
}
