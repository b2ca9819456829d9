// The picture to start from: chosen, dropped, pasted or taken from the gallery; kept by the gateway
// as soon as it is here, so that what is wrong with it is said at once.

import * as api from "./api.js";
import { $, say } from "./dom.js";
import * as brush from "./mask.js";

const shownHere = new Map(); // reference → a picture that this tab has: address and size
let picture = null; // {reference, address, width, height}
let maskReference = null;
let mayMask = true; // a film has no mask
let tell = () => {};
let refuse = () => {};

export const image = () => picture?.reference ?? null;
export const mask = () => maskReference;
export const sides = () => (picture?.width ? [picture.width, picture.height] : null);

export function begin(given) {
  tell = given.onchange;
  refuse = given.refuse;
  $("source-file").addEventListener("change", ({ target }) => {
    if (target.files[0]) take(target.files[0]);
    target.value = "";
  });
  $("drop-source").addEventListener("click", clear);
  $("open-mask").addEventListener("click", paint);
  const zone = $("composer");
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    $("source").classList.add("is-over");
  });
  for (const name of ["dragleave", "drop"])
    zone.addEventListener(name, () => $("source").classList.remove("is-over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    takeFirst(event.dataTransfer);
  });
  document.addEventListener(
    "paste",
    (event) => takeFirst(event.clipboardData) && event.preventDefault(),
  );
}

function takeFirst(data) {
  const file = [...(data?.files || [])].find((one) => one.type.startsWith("image/"));
  if (file) take(file);
  return Boolean(file);
}

/** Keep a file with the gateway, and start from it. */
export async function take(file) {
  $("source").setAttribute("aria-busy", "true");
  try {
    const kept = await api.post("v1/uploads", file, { kind: "application/octet-stream" });
    for (const warning of kept.warnings) say(warning, "warn");
    const { id: reference, width, height } = kept;
    shownHere.set(reference, { reference, address: URL.createObjectURL(file), width, height });
    use(shownHere.get(reference));
  } catch (error) {
    error.field = "image";
    refuse(error);
  } finally {
    $("source").removeAttribute("aria-busy");
  }
}

/** Start from a finished picture. */
export async function takeOutput(output) {
  await take(await (await fetch(output.path)).blob());
}

function use(given) {
  picture = given;
  maskReference = null;
  show();
  tell();
}

/** Start from what a job has named; this tab may not have its pixels. */
export function refer(reference, maskOfJob, [width, height]) {
  picture = reference
    ? shownHere.get(reference) || { reference, address: "", width, height }
    : null;
  maskReference = maskOfJob || null;
  show();
}

export function clear() {
  picture = maskReference = null;
  show();
  tell();
}

/** Show the picture and what can be done with it. */
export function show(canMask = mayMask) {
  mayMask = canMask;
  $("drop").hidden = Boolean(picture);
  $("chosen").hidden = !picture;
  $("open-mask").hidden = !picture?.address || !mayMask;
  $("open-mask").querySelector("span").textContent = maskReference
    ? "Change the mask"
    : "Paint a mask";
  if (!picture) return;
  if (picture.address) $("chosen-picture").src = picture.address;
  $("chosen-picture").hidden = !picture.address;
  const size = picture.width ? `${picture.width}×${picture.height}` : "";
  $("chosen-facts").textContent = [
    size,
    !picture.address && "the picture of that job",
    maskReference && "masked",
  ]
    .filter(Boolean)
    .join(" · ");
}

async function paint() {
  const painted = await brush.paint(picture);
  if (painted === undefined) return;
  if (painted === null) maskReference = null;
  else {
    try {
      maskReference = (await api.post("v1/uploads", painted, { kind: "application/octet-stream" }))
        .id;
    } catch (error) {
      error.field = "image";
      refuse(error);
    }
  }
  show();
  tell();
}
