// Puts the parts together: views, theme, key, keyboard.

import * as api from "./api.js";
import * as batch from "./batch.js";
import * as compare from "./compare.js";
import * as composer from "./composer.js";
import { $, say } from "./dom.js";
import * as farm from "./farm.js";
import * as gallery from "./gallery.js";
import * as jobs from "./jobs.js";
import * as mask from "./mask.js";
import * as queue from "./queue.js";
import * as source from "./source.js";
import * as stage from "./stage.js";

const VIEWS = ["studio", "batch", "farm"];
const PHONE = matchMedia("(max-width: 860px)");

// -- views ------------------------------------------------------------------------------------

function showView() {
  const named = location.hash.slice(1);
  const view = VIEWS.includes(named) ? named : "studio";
  for (const one of VIEWS) $(`view-${one}`).hidden = one !== view;
  for (const link of document.querySelectorAll("[data-view]"))
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  document.title =
    view === "studio" ? "Winepress" : `${view[0].toUpperCase()}${view.slice(1)} · Winepress`;
  farm.show(view === "farm");
}

// -- theme ------------------------------------------------------------------------------------

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () =>
  (document.documentElement.dataset.theme || (prefersDark.matches ? "dark" : "light")) === "dark";

function switchTheme() {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("winepress-theme", theme);
  } catch {
    // storage is switched off: the choice lasts as long as the page
  }
  showTheme();
}

const showTheme = () => $("switch-theme").setAttribute("aria-pressed", String(isDark()));

// -- key --------------------------------------------------------------------------------------

let asking = null; // one question, however many requests need the answer

function askForKey(reason) {
  asking ??= new Promise((resolve) => {
    $("key-reason").textContent = reason
      ? `The gateway says: ${reason}`
      : "It stays in this tab until you close it.";
    $("key-text").value = "";
    $("key").returnValue = "";
    $("key").showModal();
    $("key").addEventListener(
      "close",
      () => {
        asking = null;
        const answer = $("key").returnValue;
        if (answer === "forget") api.keepKey("");
        if (answer === "use") api.keepKey($("key-text").value.trim());
        $("key-text").value = "";
        resolve(answer === "use");
      },
      { once: true },
    );
  });
  return asking;
}

// -- keyboard ---------------------------------------------------------------------------------

function onKey(event) {
  if (
    event.key === "Enter" &&
    (event.ctrlKey || event.metaKey) &&
    !$("view-studio").hidden &&
    !document.querySelector("dialog[open]")
  ) {
    event.preventDefault();
    composer.send();
    return;
  }
  const isTyping = event.target.closest?.("input, textarea, select, video, dialog, [role=region]");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const acts = {
    "/": () => ((location.hash = "#studio"), setTimeout(() => $("prompt").focus())),
    "?": () => $("help").showModal(),
    t: switchTheme,
    a: () => document.querySelector("#hero .row button")?.click(),
    ArrowLeft: () => gallery.step(-1),
    ArrowRight: () => gallery.step(1),
    ...Object.fromEntries(
      VIEWS.map((view, place) => [String(place + 1), () => (location.hash = `#${view}`)]),
    ),
  };
  const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (act) {
    event.preventDefault();
    act();
  }
}

// -- what is done with a picture --------------------------------------------------------------

function edit(fields, output) {
  composer.fill({ ...fields, image: null, mask: null });
  source.takeOutput(output).catch((error) => say(error.message, "bad"));
}

const actions = {
  again: (fields) => composer.fill(fields),
  startFrom: (output, fields) => edit({ ...fields, kind: "text-to-image", seed: null }, output),
  zoomOf: (output, fields) =>
    edit(
      {
        prompt: fields.prompt,
        negative_prompt: fields.negative_prompt,
        seed: fields.seed,
        width: output.width,
        height: output.height,
        kind: "zoom-video",
      },
      output,
    ),
  compare: (job, fields, output) => compare.open(job, fields, output),
  retry: (job) => jobs.change(job.id, "retry").catch((error) => say(error.message, "bad")),
};

const own = new Set(); // jobs of this tab

function submitted(job) {
  own.add(job.id);
  jobs.keep(job);
  stage.open(job.id);
  jobs.refresh();
  say("Queued.");
  if (PHONE.matches) $("hero").scrollIntoView();
}

function showPulse() {
  const active = jobs.active().length;
  const trouble = { lost: "No connection; trying again", barred: "A key is needed" }[
    jobs.troubleNow()
  ];
  const text = trouble || (active ? `${active} in the press` : "Ready");
  if (trouble && $("pulse").textContent !== text) say(trouble, "bad");
  if ($("pulse").textContent !== text) $("pulse").textContent = text;
  $("pulse").classList.toggle("is-lost", Boolean(trouble));
  $("pulse").classList.toggle("is-busy", active > 0);
}

// -- start ------------------------------------------------------------------------------------

async function begin() {
  addEventListener("hashchange", showView);
  $("switch-theme").addEventListener("click", switchTheme);
  prefersDark.addEventListener("change", showTheme);
  $("open-key").addEventListener("click", () =>
    askForKey("").then((has) => has && location.reload()),
  );
  $("open-help").addEventListener("click", () => $("help").showModal());
  for (const one of document.querySelectorAll("[data-close]"))
    one.addEventListener("click", () => one.closest("dialog").close());
  addEventListener("keydown", onKey);
  api.onKeyNeeded(askForKey);
  if (PHONE.matches) $("settings").open = false; // prompt, button and picture fit on the screen
  PHONE.addEventListener("change", () => ($("settings").open = !PHONE.matches));
  showTheme();
  mask.begin();
  stage.begin(actions);
  queue.begin((id) => own.has(id));
  compare.begin();
  jobs.subscribe(showPulse);
  showView();
  jobs.refresh();
  batch.begin();
  const parts = [composer.begin(submitted).then(batch.offer), gallery.begin()];
  for (const { reason } of await Promise.allSettled(parts)) if (reason) say(reason.message, "bad");
}

begin();
