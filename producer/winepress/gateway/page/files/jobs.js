// The jobs as the gateway knows them: lists that are asked for again and again, and the events of
// the few jobs that a person watches. Everything here can be lost and is read again.

import * as api from "./api.js";

const BUSY_MS = 1500;
const IDLE_MS = 5000;
const LOST_MS = 3000;
const PENDING_MS = 1000;
const LINKS_MS = 12 * 3_600_000; // links to outputs open for a day
const STREAMS = 2; // a browser opens six connections to one host, for all of its tabs together
const LISTED = 20; // active jobs shown
const FINAL = new Set(["succeeded", "failed", "canceled", "expired"]);

export const hasEnded = (job) => FINAL.has(job.state);

const known = new Map(); // id → job
const live = new Map(); // id → {unit, step, steps, preview} of a job that is watched
const details = new Map(); // id → the job's fields and warnings, which never change
const results = new Map(); // id → results of an ended job
const streams = new Map(); // id → AbortController
const positions = new Map(); // id → id of the last event
const listeners = new Set();
let chosen = null; // the job in view
let timer = 0;
let isAsking = false;
let trouble = ""; // "lost" without a connection, "barred" without a key
let isMore = false; // there are more active jobs than are listed

export const subscribe = (listener) => listeners.add(listener);
export const find = (id) => known.get(id);
export const liveOf = (id) => live.get(id) || {};
export const troubleNow = () => trouble;
export const areMore = () => isMore;

/** Jobs that have not ended, those that are drawn first. */
export function active() {
  const rank = (job) => (job.state === "running" ? 0 : 1);
  return [...known.values()]
    .filter((job) => !hasEnded(job))
    .sort((one, other) => rank(one) - rank(other) || one.created - other.created);
}

function tell(change = {}) {
  for (const listener of listeners) listener(change);
}

/** Takes a job as the gateway has just described it. */
export function keep(job) {
  const before = known.get(job.id);
  known.set(job.id, { ...before, ...job, job: job.job ?? before?.job });
  if (job.job) details.set(job.id, job);
  if (hasEnded(job)) {
    stop(job.id);
    if (before && !hasEnded(before)) {
      results.delete(job.id);
      live.delete(job.id);
      tell({ ended: known.get(job.id) });
    }
  }
  return known.get(job.id);
}

/** The job in view is watched before others. */
export function choose(id) {
  chosen = id;
  watchSome();
}

/** Fields and warnings of a job. There are none yet while its submission is not complete. */
export async function detail(id) {
  while (!details.has(id)) {
    const found = await api.get(`v1/jobs/${id}`);
    if (found.job || FINAL.has(found.state)) details.set(id, { ...found, job: found.job || {} });
    else await new Promise((done) => setTimeout(done, PENDING_MS));
  }
  return details.get(id);
}

/** What a job has made so far. */
export async function resultOf(id) {
  const before = results.get(id);
  if (before && Date.now() < before.until) return before.found;
  const found = await api.get(`v1/jobs/${id}/results`);
  for (const one of found.outputs) one.path = api.ownPath(one.url);
  if (FINAL.has(found.state)) results.set(id, { found, until: Date.now() + LINKS_MS });
  return found;
}

/** Cancel, pause, resume, retry or front. */
export async function change(id, verb) {
  keep(await api.post(`v1/jobs/${id}/${verb}`));
  tell();
  refresh();
}

/** Ask now. */
export function refresh() {
  clearTimeout(timer);
  if (document.hidden || isAsking) return;
  isAsking = true;
  ask()
    .then(() => (trouble = ""))
    .catch(
      (error) =>
        (trouble =
          error.status === 401
            ? "barred"
            : error.status === 0 || error.status >= 500
              ? "lost"
              : ""),
    )
    .finally(() => {
      isAsking = false;
      tell();
      watchSome();
      if (trouble !== "barred")
        timer = setTimeout(refresh, trouble ? LOST_MS : active().length ? BUSY_MS : IDLE_MS);
    });
}

async function ask() {
  const lists = ["?state=running&limit=", "?state=queued&limit=", "?limit="].map((list) =>
    api.get(`v1/jobs${list}${LISTED}`),
  );
  const [running, queued, newest] = await Promise.all(lists);
  // Jobs of others may begin and end between two questions.
  for (const job of newest.jobs)
    if (hasEnded(job) && !known.has(job.id)) tell({ found: keep(job) });
  const seen = new Set();
  for (const job of [...running.jobs, ...queued.jobs]) {
    keep(job);
    seen.add(job.id);
  }
  // What was active and is not listed has ended, or waits behind the jobs that are.
  const gone = active()
    .filter((job) => !seen.has(job.id))
    .slice(0, LISTED);
  await Promise.all(gone.map((job) => lookAgain(job, queued.next_cursor != null)));
  isMore = running.next_cursor != null || queued.next_cursor != null;
}

async function lookAgain({ id }, isCrowd = false) {
  try {
    const job = keep(await api.get(`v1/jobs/${id}`));
    if (!hasEnded(job) && isCrowd && id !== chosen) known.delete(id); // it waits behind those listed
  } catch (error) {
    if (error.status !== 404 && error.status !== 410) throw error;
    known.delete(id);
  }
}

function watchSome() {
  const wanted =
    document.hidden || trouble
      ? []
      : active().filter((job) => job.state === "running" || job.id === chosen);
  wanted.sort((one, other) => (other.id === chosen) - (one.id === chosen));
  const ids = new Set(wanted.slice(0, STREAMS).map((job) => job.id));
  for (const id of streams.keys()) if (!ids.has(id)) stop(id);
  for (const id of ids) if (!streams.has(id)) watch(id);
}

function stop(id) {
  streams.get(id)?.abort();
  streams.delete(id);
}

async function watch(id) {
  const controller = new AbortController();
  streams.set(id, controller);
  try {
    for await (const event of api.events(
      `v1/jobs/${id}/events`,
      positions.get(id),
      controller.signal,
    )) {
      if (event.id) positions.set(id, event.id);
      take(id, event);
    }
  } catch {
    // The connection broke off, or was ours to end: after the next answer it is opened again.
  }
  if (streams.get(id) === controller) streams.delete(id);
}

function take(id, { name, data }) {
  const job = known.get(id);
  if (!job) return;
  if (FINAL.has(name)) {
    results.delete(id);
    lookAgain(job)
      .catch(() => {})
      .finally(refresh);
    return;
  }
  const now = { ...live.get(id) };
  if (name === "unit-started") live.set(id, { unit: data.unit, step: 0 });
  else if (name === "progress")
    live.set(id, { ...now, unit: data.unit, step: data.step, steps: data.steps });
  else if (name === "preview")
    live.set(id, { ...now, unit: data.unit, preview: data.image || now.preview });
  else if (name === "unit-done") {
    job.done = Math.max(job.done, data.done ?? 0);
    live.set(id, { ...now, preview: null, step: 0, finished: data.unit });
  } else if (name === "running" || name === "queued") job.state = name;
  else if (name === "paused" || name === "resumed") job.paused = name === "paused";
  tell();
}

/** Share of a job that is done, with the steps of the picture in hand, 0 to 1. */
export function progressOf(job) {
  const { step = 0, steps = 0 } = liveOf(job.id);
  const inHand = job.state === "running" && steps ? step / steps : 0;
  return Math.min(1, (job.done + job.failed + inHand) / job.units);
}

document.addEventListener("visibilitychange", () => (document.hidden ? watchSome() : refresh()));
addEventListener("online", refresh);
