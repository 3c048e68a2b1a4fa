// What the figures that move have in common: shapes, scales, numbers as text, controls with names, handles for mouse and keyboard.

const SVG = "http://www.w3.org/2000/svg";

/** A new element inside another. SVG inside SVG, HTML elsewhere. */
export function add(parent, tag, attributes = {}, text) {
  const inside = tag === "svg" || parent.namespaceURI === SVG;
  const made = inside ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

/** A number as text, with a real minus and never minus zero. */
export function number(value, digits = 2) {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
}

/** The same with its sign, for terms of a sum. */
export const signed = (value, digits = 2) => (Number(value.toFixed(digits)) < 0 ? "− " : "+ ") + number(Math.abs(value), digits);

export const sum = (values) => values.reduce((total, value) => total + value, 0);
export const mean = (values) => sum(values) / values.length;
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** A linear scale from data to places, and back. */
export function scale(from, to, start, end) {
  const place = (value) => start + ((value - from) / (to - from)) * (end - start);
  place.back = (where) => from + ((where - start) / (end - start)) * (to - from);
  return place;
}

/** On what takes keys: JupyterLab does not read them as its shortcuts. */
const KEYS = { "data-lm-suppress-shortcuts": "true" };

/** Text in a drawing. */
export function write(parent, x, y, text, attributes = {}) {
  return add(parent, "text", { x, y, "font-size": 13, fill: "currentColor", "text-anchor": "middle", ...attributes }, text);
}

/** A bar between two heights, also when the second is the lower one. */
export function bar(parent, x, width, from, to, attributes) {
  return add(parent, "rect", { x, width, y: Math.min(from, to), height: Math.abs(to - from), ...attributes });
}

export function line(parent, x1, y1, x2, y2, attributes = {}) {
  return add(parent, "line", { x1, y1, x2, y2, stroke: "currentColor", ...attributes });
}

/** A line with a head at its end; nothing where it would have no length. */
export function arrow(parent, x1, y1, x2, y2, colour, width = 2.2) {
  const length = Math.hypot(x2 - x1, y2 - y1);
  if (length < 1) return;
  const [u, v] = [(x2 - x1) / length, (y2 - y1) / length];
  const head = Math.min(11, length);
  const [x, y] = [x2 - head * u, y2 - head * v];
  line(parent, x1, y1, x, y, { stroke: colour, "stroke-width": width });
  const points = [[x2, y2], [x - 0.4 * head * v, y + 0.4 * head * u], [x + 0.4 * head * v, y - 0.4 * head * u]];
  add(parent, "polygon", { points: points.join(" "), fill: colour });
}

/** The drawing: a group with a name, as wide as the page allows. */
export function canvas(host, width, height, label) {
  return add(host, "svg", {
    viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label,
    style: `display:block;width:${width}px;max-width:100%;height:auto;overflow:visible;font-family:inherit`,
  });
}

/** A named slider with its value as text; changed(value) is called as it moves. */
export function slider(host, { label, min, max, step, value, show = (v) => number(v, 1) }, changed) {
  const row = add(host, "label", { style: "display:flex;gap:.8em;align-items:center;margin:.2em 0;max-width:36em" });
  add(row, "span", { style: "min-width:15em" }, label);
  const input = add(row, "input", { type: "range", min, max, step, value, "aria-label": label, style: "flex:1;min-width:8em", ...KEYS });
  const told = add(row, "span", { style: "min-width:4em;font-variant-numeric:tabular-nums" });
  const tell = () => {
    told.textContent = show(Number(input.value));
    input.setAttribute("aria-valuetext", told.textContent);
  };
  input.addEventListener("input", () => { tell(); changed(Number(input.value)); });
  tell();
}

/** A named choice of one of several words. */
export function choice(host, { label, options, value }, changed) {
  const row = add(host, "label", { style: "display:flex;gap:.8em;align-items:center;margin:.2em 0;max-width:36em" });
  add(row, "span", { style: "min-width:15em" }, label);
  const select = add(row, "select", { "aria-label": label, ...KEYS });
  for (const [key, words] of options) add(select, "option", { value: key }, words);
  select.value = value;
  select.addEventListener("change", () => changed(select.value));
}

/**
 * Makes a shape one can drag, or move with the arrow keys when it has the focus.
 *
 * drag(x, y) gets a place in the drawing; key(across, up) steps of -1, 0 or 1, of 5 with Shift. The function that is
 * returned tells a screen reader where the handle is: value, its bounds, and the same in words.
 */
export function handle(svg, shape, label, { drag, key, cursor = "move" }) {
  const set = (attributes) => Object.entries(attributes).forEach(([name, value]) => shape.setAttribute(name, value));
  set({ role: "slider", tabindex: 0, "aria-label": label, style: `cursor:${cursor};touch-action:none`, ...KEYS });
  const place = (event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  shape.addEventListener("pointerdown", (event) => {
    shape.setPointerCapture(event.pointerId);
    shape.focus();
    event.preventDefault();
  });
  shape.addEventListener("pointermove", (event) => {
    if (shape.hasPointerCapture(event.pointerId)) drag(place(event).x, place(event).y);
  });
  shape.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!step) return;
    event.preventDefault();
    key(...step.map((one) => one * (event.shiftKey ? 5 : 1)));
  });
  return (now, min, max, words) => set({ "aria-valuenow": now, "aria-valuemin": min, "aria-valuemax": max, "aria-valuetext": words });
}

/** The sentence under a drawing: the numbers again, for those who do not see them. */
export function sentence(host) {
  const told = add(host, "p", { role: "status", style: "margin:.3em 0;max-width:60em;font-variant-numeric:tabular-nums" });
  return (text) => { if (told.textContent !== text) told.textContent = text; };
}

/** A button. */
export function button(host, label, pressed) {
  const made = add(host, "button", { type: "button", style: "margin:.2em .5em .2em 0", ...KEYS }, label);
  made.addEventListener("click", pressed);
  return made;
}

/** Puts the figure in the place of every still picture of its name that stands on the page. */
export function start(name, draw) {
  for (const host of document.querySelectorAll(`[data-figure="${name}"]:not([data-moving])`)) {
    host.setAttribute("data-moving", "");
    const data = JSON.parse(host.querySelector("script").textContent);
    // The keyboard's way out: back to the cell, where JupyterLab's own keys work.
    host.addEventListener("keydown", (event) => { if (event.key === "Escape") host.closest(".jp-Cell")?.focus(); });
    const still = host.firstElementChild;
    const place = add(host, "div", { style: "line-height:1.4" });
    try {
      draw(place, data);
      still.remove();
    } catch (error) {
      place.remove();
      console.error(`bnlib: ${name} stays still`, error);
    }
  }
}
