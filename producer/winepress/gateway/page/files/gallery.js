// Everything that has been made, newest first, a page at a time; cards are filled when they come
// into view, so ten thousand jobs cost what is looked at.

import * as api from "./api.js";
import { $, el, icon, plural } from "./dom.js";
import * as jobs from "./jobs.js";
import { inView, open } from "./stage.js";

const PAGE = 24;
const shown = new Set();
let cursor = null;
const sight = new IntersectionObserver(
  (entries) =>
    entries
      .filter((one) => one.isIntersecting)
      .forEach(({ target }) => {
        sight.unobserve(target);
        fill(target);
      }),
  { rootMargin: "400px" },
);

export async function begin() {
  skeletons();
  jobs.subscribe(({ ended, found }) => (ended || found) && add(ended || found));
  $("older").addEventListener("click", () => more().catch(() => ($("older").disabled = false)));
  await more();
}

function skeletons() {
  $("gallery").append(
    ...Array.from({ length: 6 }, () =>
      el("li", { class: "card-of skeleton", "aria-hidden": "true" }),
    ),
  );
}

async function more() {
  $("older").disabled = true;
  const page = await api.getPatiently(`v1/jobs?limit=${PAGE}${cursor ? `&cursor=${cursor}` : ""}`);
  for (const one of document.querySelectorAll(".skeleton")) one.remove();
  for (const job of page.jobs) {
    jobs.keep(job);
    if (jobs.hasEnded(job)) add(job);
  }
  cursor = page.next_cursor;
  $("older").hidden = cursor === null;
  $("older").disabled = false;
  count();
  const newest =
    page.jobs.find((job) => job.state === "running") || page.jobs.find((job) => job.done);
  if (!inView() && newest) open(newest.id);
}

function count() {
  const number = shown.size;
  $("gallery-count").textContent = number
    ? `${plural(number, "job")}${cursor ? " so far" : ""}`
    : "";
  $("gallery").classList.toggle("is-empty", number === 0);
  const note = $("gallery").querySelector(".nothing");
  if (number === 0 && !note)
    $("gallery").append(el("li", { class: "nothing quiet" }, "Finished pictures are kept here."));
  else if (number) note?.remove();
}

/** In the order in which jobs were submitted, as in the list of the gateway. */
function add(job) {
  if (shown.has(job.id)) {
    const card = $("gallery").querySelector(`[data-job="${CSS.escape(job.id)}"]`);
    if (card) fill(card);
    return;
  }
  shown.add(job.id);
  const card = el("li", { class: "card-of", "data-job": job.id, "data-state": job.state });
  card.append(
    el(
      "button",
      { type: "button", onclick: () => choose(job.id), "aria-label": `${job.kind}, ${job.state}` },
      el("span", { class: "waiting" }),
    ),
  );
  card.created = job.created;
  $("gallery").insertBefore(
    card,
    [...$("gallery").children].find((other) => other.created < job.created) || null,
  );
  sight.observe(card);
  count();
}

function choose(id) {
  open(id);
  $("hero").scrollIntoView({ block: "nearest" });
}

async function fill(card) {
  const id = card.dataset.job;
  try {
    const [{ job: fields }, { outputs }] = await Promise.all([jobs.detail(id), jobs.resultOf(id)]);
    const job = jobs.find(id);
    const press = card.firstChild;
    card.dataset.state = job.state;
    const film = outputs.find((one) => one.frames > 1);
    const still = outputs.find((one) => one.frames <= 1);
    press.setAttribute(
      "aria-label",
      `${fields.prompt || job.kind}${outputs.length ? "" : `, ${job.state}`}`,
    );
    press.title = fields.prompt;
    press.replaceChildren(
      still
        ? el("img", { src: still.path, alt: "", loading: "lazy", decoding: "async" })
        : film?.content_type.startsWith("video/")
          ? el("video", { src: `${film.path}#t=0.1`, preload: "metadata", muted: true, tabIndex: -1 })
          : el(
              "span",
              { class: "none" },
              icon(film ? "film" : "close"),
              el("span", {}, film ? "film" : job.state),
            ),
      ...(film
        ? [el("span", { class: "badge" }, icon("film"))]
        : outputs.length > 1
          ? [el("span", { class: "badge" }, String(outputs.length))]
          : []),
    );
  } catch (error) {
    card.firstChild.replaceChildren(
      el("span", { class: "none" }, error.status === 410 ? "gone" : "not to be had now"),
    );
  }
}

/** The next or previous picture, for the arrow keys. */
export function step(by) {
  const cards = [...$("gallery").querySelectorAll("[data-job]")];
  const at = cards.findIndex((card) => card.dataset.job === inView()?.id);
  const next = cards[at + by];
  if (next) choose(next.dataset.job);
}
