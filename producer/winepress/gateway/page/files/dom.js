// Builds what is shown. Text from the server only ever becomes text nodes and attributes.

export const $ = (id) => document.getElementById(id);

/** A new element; `props` are properties, attributes (with a dash) and listeners (`onclick`). */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value == null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name.includes("-") || !(name in node))
      node.setAttribute(name, value === true ? "" : value);
    else node[name] = value;
  }
  node.append(...children.flat(3).filter((child) => child != null && child !== false));
  return node;
}

/** An icon of the sprite in the page. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** A button with an icon and a name; `words` show the name too. */
export function button(name, image, onclick, { words = false, kind = "icon" } = {}) {
  return el(
    "button",
    {
      type: "button",
      class: words ? "small" : kind,
      onclick,
      title: words ? null : name,
      "aria-label": words ? null : name,
    },
    icon(image),
    words && el("span", {}, name),
  );
}

/** One short message, shown and read aloud. */
export function say(text, kind = "") {
  const toast = el("p", { class: `toast ${kind}` }, text);
  $("toasts").append(toast);
  setTimeout(() => toast.remove(), kind === "bad" ? 9000 : 4000);
}

/** A group of radio buttons in the form of a switch; `choices` are `[value, text, note]`. */
export function segments(box, name, choices, chosen, onchange) {
  box.replaceChildren(
    ...choices.map(([value, text, note]) =>
      el(
        "label",
        { title: note },
        el("input", {
          type: "radio",
          name,
          value,
          checked: value === chosen,
          onchange: () => onchange?.(value),
        }),
        el("span", {}, text),
      ),
    ),
  );
}

/** Links the label of a range to the number beside it. */
export function showValue(input) {
  const output = input.parentElement.querySelector("output");
  const show = () => (output.value = input.value);
  input.addEventListener("input", show);
  show();
  return show;
}

/** A bar for a share of something; `setPart` moves it. */
export function progressBar(label, id = "") {
  const range = { "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 0 };
  const props = { class: "bar-of", role: "progressbar", "aria-label": label, ...range };
  return el("div", id ? { ...props, id } : props, el("span"));
}

/** Show a share, 0 to 1. */
export function setPart(bar, part) {
  bar.firstChild.style.setProperty("--part", part);
  bar.setAttribute("aria-valuenow", Math.round(part * 100));
}

export const plural = (count, noun) => `${count.toLocaleString()} ${noun}${count === 1 ? "" : "s"}`;

/** Seconds as people say them. */
export function duration(seconds) {
  if (seconds == null) return "";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
