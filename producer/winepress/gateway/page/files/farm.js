// Who works, and what waits.

import * as api from "./api.js";
import { $, duration, el, plural } from "./dom.js";

const EVERY_MS = 3000;
let timer = 0;

/** Show the board while it is the view. */
export function show(isShown) {
  clearTimeout(timer);
  if (isShown) look();
}

async function look() {
  if (!document.hidden) {
    try {
      const [{ workers }, { lanes, paused }] = await Promise.all([
        api.get("v1/workers"),
        api.get("v1/lanes"),
      ]);
      board(workers, lanes, paused);
    } catch (error) {
      $("farm-facts").textContent = error.message;
    }
  }
  timer = setTimeout(look, EVERY_MS);
}

function board(workers, lanes, paused) {
  const waiting = lanes.reduce((sum, lane) => sum + lane.waiting, 0);
  $("farm-facts").textContent = [
    plural(workers.length, "worker"),
    `${plural(waiting, "picture")} waiting`,
    paused.length && `paused: ${paused.join(", ")}`,
  ]
    .filter(Boolean)
    .join(" · ");
  $("workers").replaceChildren(
    ...(workers.length
      ? workers.map(card)
      : [
          el(
            "li",
            { class: "nothing" },
            el("p", {}, "No worker is here."),
            el(
              "p",
              { class: "quiet" },
              "Start one with ",
              el("code", {}, "winepress worker"),
              ". Jobs wait meanwhile.",
            ),
          ),
        ]),
  );
  $("lanes").replaceChildren(
    lanes.length
      ? table(lanes)
      : el("p", { class: "nothing quiet" }, "No lane has work. Everything is drawn."),
  );
}

function card({ name, seen, facts, renderer }) {
  const age = Math.max(0, Date.now() / 1000 - seen);
  const warm = renderer.warm || [];
  const paces = renderer.seconds_per_picture || {};
  const drawn = [...new Set([...warm, ...Object.keys(paces)])];
  const row = (term, text) => text && el("div", {}, el("dt", {}, term), el("dd", {}, text));
  return el(
    "li",
    { class: "card" },
    el(
      "div",
      { class: "heading" },
      el("h3", {}, name),
      el("span", { class: "tag" }, facts.device || ""),
    ),
    el(
      "dl",
      { class: "facts" },
      row("Host", facts.host),
      row("Heartbeat", age < 8 ? "now" : `${Math.round(age)} s ago`),
      row("Memory", renderer.rss_mib && `${Math.round(renderer.rss_mib).toLocaleString()} MiB`),
    ),
    drawn.length > 0 &&
      el(
        "table",
        { class: "close" },
        el("caption", { class: "unseen" }, `Models of ${name}`),
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            ["Model", "In memory", "A picture"].map((text, place) =>
              el("th", { scope: "col", class: place ? "number" : "" }, text),
            ),
          ),
        ),
        el(
          "tbody",
          {},
          drawn.map((one) =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, one),
              el("td", { class: "number" }, warm.includes(one) ? "yes" : "no"),
              el("td", { class: "number" }, paces[one] ? duration(paces[one]) : ""),
            ),
          ),
        ),
      ),
    Object.entries(renderer.unfit || {}).map(([model, why]) =>
      el("p", { class: "warning" }, `${model}: ${why}`),
    ),
  );
}

function table(lanes) {
  const head = ["Lane", "Waiting", "In hand", "Workers", "Work ready"];
  return el(
    "table",
    {},
    el("caption", { class: "unseen" }, "Lanes with work"),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        head.map((text, place) => el("th", { scope: "col", class: place ? "number" : "" }, text)),
      ),
    ),
    el(
      "tbody",
      {},
      lanes.map((lane) =>
        el(
          "tr",
          {},
          el(
            "th",
            { scope: "row" },
            lane.lane,
            lane.parked && el("p", { class: "warning" }, `rests after a fault: ${lane.parked}`),
          ),
          [lane.waiting, lane.in_hand, lane.workers].map((number) =>
            el("td", { class: "number" }, number.toLocaleString()),
          ),
          el(
            "td",
            { class: "number" },
            lane.ready_work_s == null ? "not known" : duration(lane.ready_work_s),
          ),
        ),
      ),
    ),
  );
}
