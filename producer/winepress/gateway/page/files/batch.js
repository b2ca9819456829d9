// Many pictures from one file: checked line by line first, then queued all together or not at all.

import * as api from "./api.js";
import { $, duration, el, plural, progressBar, say, segments, setPart } from "./dom.js";
import * as jobs from "./jobs.js";

const FORMS = { csv: "csv", tsv: "csv", jsonl: "jsonl", ndjson: "jsonl", txt: "prompts" };
const EXAMPLES = {
  prompts: "a red apple on the grass\n--prompt a sailboat at night --seed 7 --n 2",
  csv: "prompt,seed,steps\na red apple on the grass,1,12\na sailboat at night,7,20",
  jsonl:
    '{"prompt": "a red apple on the grass", "seed": 1}\n{"prompt": "a sailboat at night", "n": 2}',
};
const SHOWN = 50; // faults
const MOST_TEXT = 200_000; // of a file that is put into the text field
let file = null; // that was chosen; the text is the same until somebody types
let running = null; // ids of the jobs of the batch that was submitted last

/** Build the form. */
export function begin() {
  $("batch-body").replaceChildren(
    el(
      "p",
      { class: "quiet" },
      "One picture a line. Choose the form, then drop a file or type. Nothing is queued before every line is in order.",
    ),
    el("div", { class: "row", id: "batch-forms" }),
    el(
      "div",
      { class: "field", id: "batch-drop" },
      el("label", { htmlFor: "batch-text" }, "Lines"),
      el("textarea", { id: "batch-text", rows: 8, spellcheck: false, class: "mono" }),
    ),
    el(
      "div",
      { class: "row" },
      el(
        "label",
        { class: "small pick", htmlFor: "batch-file" },
        "Choose a file",
        el("input", {
          type: "file",
          id: "batch-file",
          class: "unseen",
          accept: ".csv,.tsv,.jsonl,.ndjson,.txt",
        }),
      ),
      el("span", { class: "quiet", id: "batch-name" }),
    ),
    el(
      "div",
      { class: "two" },
      el(
        "div",
        { class: "field" },
        el("label", { htmlFor: "batch-model" }, "Model, unless a line names one"),
        el("select", { id: "batch-model" }),
      ),
      el(
        "div",
        { class: "field" },
        el("label", { htmlFor: "batch-subject" }, "Title"),
        el("input", { type: "text", id: "batch-subject", maxLength: 200, placeholder: "batch" }),
      ),
    ),
    el(
      "div",
      { class: "row" },
      el(
        "button",
        { type: "button", class: "button", id: "batch-check", onclick: () => send(true) },
        "Check it",
      ),
      el(
        "button",
        { type: "button", class: "button primary", id: "batch-send", onclick: () => send(false) },
        "Queue the pictures",
      ),
    ),
    el("div", { id: "batch-answer", class: "stack", role: "status" }),
  );
  const box = el("div", {
    class: "segments",
    role: "radiogroup",
    "aria-label": "Form of the lines",
  });
  $("batch-forms").append(box);
  segments(
    box,
    "batch-form",
    [
      ["prompts", "Prompts"],
      ["csv", "CSV"],
      ["jsonl", "JSON lines"],
    ],
    "prompts",
    example,
  );
  example("prompts");
  $("batch-file").addEventListener(
    "change",
    ({ target }) => target.files[0] && take(target.files[0]),
  );
  $("batch-text").addEventListener(
    "input",
    () => ((file = null), ($("batch-name").textContent = "")),
  );
  const zone = $("view-batch");
  zone.addEventListener("dragover", (event) => event.preventDefault());
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
  jobs.subscribe(showProgress);
}

/** The models of the farm, once they are known. */
export function offer(models) {
  $("batch-model").replaceChildren(
    new Option("the farm's own", ""),
    ...models.map((one) => new Option(one, one)),
  );
}

const example = (form) => ($("batch-text").placeholder = EXAMPLES[form]);
const form = () => document.querySelector("input[name=batch-form]:checked").value;

async function take(given) {
  file = given;
  const known = FORMS[given.name.split(".").pop().toLowerCase()];
  if (known) document.querySelector(`input[name=batch-form][value=${known}]`).checked = true;
  $("batch-name").textContent = `${given.name}, ${plural(given.size, "byte")}`;
  $("batch-text").value = given.size <= MOST_TEXT ? await given.text() : "";
  await send(true);
}

async function send(isTrial) {
  const answer = $("batch-answer");
  const query = new URLSearchParams({ format: form() });
  if (isTrial) query.set("dry_run", "1");
  if ($("batch-model").value) query.set("model", $("batch-model").value);
  if ($("batch-subject").value.trim()) query.set("title", $("batch-subject").value.trim());
  $("batch-send").disabled = $("batch-check").disabled = true;
  try {
    const found = await api.submit(
      file || $("batch-text").value,
      `v1/batches?${query}`,
      "text/plain",
    );
    answer.replaceChildren(...(isTrial ? plan(found) : accepted(found)));
  } catch (error) {
    const shown = error.document?.errors
      ? plan(error.document)
      : [el("p", { class: "refusal" }, error.message)];
    answer.replaceChildren(...shown);
  } finally {
    $("batch-send").disabled = $("batch-check").disabled = false;
  }
}

function plan(found) {
  if (found.errors.length) return faults(found);
  const ends = found.lanes.map((lane) => lane.done_in_s);
  const time =
    ends.includes(null) || !ends.length ? "" : `, done in about ${duration(Math.max(...ends))}`;
  return [
    el(
      "p",
      { class: "in-order" },
      `In order: ${plural(found.pictures, "picture")} from ${plural(found.lines, "line")}${time}. Nothing is queued yet.`,
    ),
    ...found.lanes.map((lane) =>
      el(
        "p",
        {},
        `${lane.lane}: ${plural(lane.pictures, "picture")}`,
        lane.impossible && el("span", { class: "warning" }, ` ${lane.impossible}`),
      ),
    ),
    ...found.warnings.map((one) =>
      el("p", { class: "warning" }, `${one.message} (${plural(one.pictures, "picture")})`),
    ),
  ];
}

function faults(found) {
  const more = found.more_errors + Math.max(0, found.errors.length - SHOWN);
  return [
    el(
      "p",
      { class: "refusal" },
      `${plural(found.errors.length + found.more_errors, "line")} cannot be drawn; nothing is queued.`,
    ),
    el(
      "table",
      {},
      el("caption", { class: "unseen" }, "What is wrong"),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ["Line", "Field", "What is wrong"].map((text) => el("th", { scope: "col" }, text)),
        ),
      ),
      el(
        "tbody",
        {},
        found.errors
          .slice(0, SHOWN)
          .map((one) =>
            el(
              "tr",
              {},
              el("td", { class: "number" }, one.line ?? ""),
              el("td", {}, one.param ?? ""),
              el("td", {}, one.message),
            ),
          ),
      ),
    ),
    more > 0 && el("p", { class: "quiet" }, `and ${more.toLocaleString()} more`),
  ].filter(Boolean);
}

function accepted(found) {
  running = found.jobs.map((one) => one.id);
  say(`${plural(found.pictures, "picture")} queued.`, "good");
  Promise.all(running.map((id) => api.get(`v1/jobs/${id}`).then(jobs.keep))).then(
    jobs.refresh,
    jobs.refresh,
  );
  return [
    el(
      "p",
      { class: "in-order" },
      `${plural(found.pictures, "picture")} queued in ${plural(running.length, "job")}.`,
    ),
    progressBar("Progress of the batch", "batch-bar"),
    el("p", {}, el("a", { href: "#studio" }, "Watch them in the studio")),
  ];
}

function showProgress() {
  const bar = $("batch-bar");
  const known = running?.map(jobs.find).filter(Boolean);
  if (!bar || !known?.length) return;
  const part =
    known.reduce((sum, job) => sum + jobs.progressOf(job) * job.units, 0) /
    known.reduce((sum, job) => sum + job.units, 0);
  setPart(bar, part);
}
