// What the gateway refused, shown at the field that it names.

import { $, el } from "./dom.js";

/** Show an error at its field, or above the form's button; opens what hides the field. */
export function show(form, error) {
  const box = [...form.querySelectorAll("[data-field]")].find((one) =>
    one.dataset.field.split(" ").includes(error.field),
  );
  const closed = box?.closest("details:not([open])");
  if (closed) {
    closed.open = true;
    show(form, error);
  } else if (!box || box.offsetParent === null) {
    $("refusal").textContent = error.message;
    $("refusal").hidden = false;
  } else mark(form, box, error);
}

function mark(form, box, error) {
  clear(box);
  const note = el("p", { class: "refusal", id: `refusal-${error.field}`, role: "alert" });
  note.textContent = error.message;
  box.append(note);
  box.classList.add("is-refused");
  const named = form.elements[error.field];
  const control = named instanceof Element ? named : box.querySelector("input, select, textarea");
  control?.setAttribute("aria-invalid", "true");
  control?.setAttribute("aria-describedby", note.id);
  control?.focus();
}

/** Take away what stands at one field. */
export function clear(box) {
  box.classList.remove("is-refused");
  box.querySelector(".refusal")?.remove();
  for (const control of box.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    control.removeAttribute("aria-describedby");
  }
}

/** Take away everything. */
export function clearAll(form) {
  $("refusal").hidden = true;
  form.querySelectorAll(".is-refused").forEach(clear);
}
