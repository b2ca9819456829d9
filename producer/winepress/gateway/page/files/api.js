// Calls of the gateway: with a key where one is needed, and errors as it tells them.

const KEY = "winepress-key";
const PATIENCE_MS = 30_000;
const AWAY_MS = 3_000; // between two tries to reach it
const WAITS_MS = [500, 1500, 4000]; // between tries of a request that may be sent again

/** What the gateway refused, or that it could not be reached (`status` 0). */
export class Problem extends Error {
  constructor(status, document = {}) {
    const { message, code, param } = document.error || {}; // the form of OpenAI's routes
    super(document.detail || message || `the gateway answered ${status}`);
    this.status = status;
    this.document = document;
    this.code = document.code || code || "";
    this.field = document.field || param || "";
  }
}

let askForKey = async () => false;

/** `ask` shows the reason, lets a person enter a key, and returns whether there is one. */
export function onKeyNeeded(ask) {
  askForKey = ask;
}

export const readKey = () => sessionStorage.getItem(KEY) || "";

export function keepKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

function headers(more = {}) {
  const key = readKey();
  return key ? { ...more, Authorization: `Bearer ${key}` } : more;
}

async function send(method, path, { body, kind, more, signal } = {}) {
  const bytes = body?.size ?? body?.length ?? 0; // a large one takes time on a slow line
  const answered = await fetch(path, {
    method,
    body,
    headers: headers(kind ? { ...more, "Content-Type": kind } : more),
    signal: signal || AbortSignal.timeout(PATIENCE_MS + Math.ceil(bytes / 100)),
  }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "the gateway cannot be reached" });
  });
  if (answered.ok) return answered;
  throw new Problem(answered.status, await answered.json().catch(() => ({})));
}

async function withKey(method, path, options) {
  for (;;) {
    const key = readKey();
    try {
      return await send(method, path, options);
    } catch (error) {
      if (error.status !== 401) throw error;
      // A late refusal of the key before asks nobody again.
      if (readKey() === key && !(await askForKey(error.message))) throw error;
    }
  }
}

export const get = async (path, signal) => (await withKey("GET", path, { signal })).json();

/** The same, however long the gateway is away. */
export async function getPatiently(path) {
  for (;;) {
    try {
      return await get(path);
    } catch (error) {
      if (error.status !== 0 && error.status < 500) throw error;
      await new Promise((done) => setTimeout(done, AWAY_MS));
    }
  }
}

/** Sends bytes or text, or an object as JSON. */
export async function post(path, value, { kind, more } = {}) {
  const isPlain = value != null && Object.getPrototypeOf(value) === Object.prototype;
  const body = isPlain ? JSON.stringify(value) : value;
  return (
    await withKey("POST", path, { body, kind: isPlain ? "application/json" : kind, more })
  ).json();
}

/** Submits a job once, however often the connection breaks meanwhile. */
export async function submit(fields, path = "v1/jobs", kind = undefined) {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID needs HTTPS
  const once = {
    kind,
    more: {
      "Idempotency-Key": Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join(""),
    },
  };
  for (const wait of WAITS_MS) {
    try {
      return await post(path, fields, once);
    } catch (error) {
      if (error.status && error.status !== 503) throw error; // 0 or none: no whole answer
      if (error.code === "no-worker") throw error;
      await new Promise((done) => setTimeout(done, wait));
    }
  }
  return post(path, fields, once);
}

/** The path of a signed link on the origin from which this page came, behind whatever proxy. */
export function ownPath(url) {
  const parsed = new URL(url, location.href);
  return parsed.pathname + parsed.search;
}

/** The events of a job: `{id, name, data}`; ends when the connection does. */
export async function* events(path, after, signal) {
  const more = after ? { "Last-Event-ID": after } : {};
  const answered = await send("GET", path, { more, signal });
  const reader = answered.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const found = parse(block);
      if (found) yield found;
    }
  }
}

function parse(block) {
  const event = { id: "", name: "message", data: null };
  for (const line of block.split("\n")) {
    const [name, value] = [
      line.slice(0, line.indexOf(":")),
      line.slice(line.indexOf(":") + 1).trimStart(),
    ];
    if (name === "id") event.id = value;
    else if (name === "event") event.name = value;
    else if (name === "data") event.data = JSON.parse(value);
  }
  return event.data && event;
}
