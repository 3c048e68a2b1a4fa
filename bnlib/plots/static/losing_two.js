// Lesson 07: three examples (or two) are a point; batch norm takes out of a gradient there what is along 1 and, but for eps, what is along x_hat.
import { add, arrow, button, canvas, choice, clamp, handle, line, mean, number, scale, sentence, slider, sum, write } from "./kit.js";

/** x_hat, the three stages of a gradient without its factor gamma * r, and the share of what is along x_hat that is left. */
export function model({ x, dout, eps }) {
  const mu = mean(x), average = mean(dout);
  const r = 1 / Math.sqrt(mean(x.map((value) => (value - mu) ** 2)) + eps);
  const x_hat = x.map((value) => (value - mu) * r);
  const flat = dout.map((value) => value - average);
  const shared = mean(dout.map((value, k) => value * x_hat[k]));
  return { x_hat, flat, sent: flat.map((value, k) => value - x_hat[k] * shared), left: eps * r * r };
}

/** A point of two or three numbers on the page. */
export function seen({ axes, view }, point) {
  const inside = axes[point.length].map((axis) => sum(axis.map((value, k) => value * point[k])));
  return view.map((row) => sum(row.map((value, axis) => value * inside[axis])));
}

export function draw(host, data) {
  const { colours } = data;
  const state = { x: [...data.x], dout: [...data.dout], power: Math.log10(data.eps), count: 3 };
  const now = () => ({ x: state.x.slice(0, state.count), dout: state.dout.slice(0, state.count), eps: 10 ** state.power });
  const unit = 84, [middle, level] = [260, 215];
  const put = ([x, y]) => [middle + unit * x, level - unit * y];
  const svg = canvas(host, 880, 420, data.label);
  const drawing = add(svg, "g"), handles = add(svg, "g");
  const told = sentence(host);
  const rulers = [
    { name: "x", at: 92, colour: colours.green, place: scale(0, 6, 560, 840), low: 0, high: 6 },
    { name: "dout", at: 176, colour: colours.orange, place: scale(-2, 2, 560, 840), low: -2, high: 2 },
  ];
  const beads = rulers.flatMap((ruler) => data.x.map((_, k) => {
    const group = add(handles, "g");
    const shape = add(group, "circle", { cx: 0, cy: 0, r: 10, fill: ruler.colour });
    write(group, 0, -15, `${k}`, { "font-size": 12, "pointer-events": "none" });
    const set = (value) => { state[ruler.name][k] = clamp(value, ruler.low, ruler.high); redraw(); };
    const tell = handle(svg, shape, `${ruler.name}[${k}]`, {
      drag: (x) => set(ruler.place.back(x)), key: (across, up) => set(state[ruler.name][k] + 0.1 * (across + up)), cursor: "ew-resize",
    });
    return { ruler, k, group, tell };
  }));

  function redraw() {
    drawing.replaceChildren();
    const given = now();
    const { x_hat, flat, sent, left } = model(given);
    const show = (point) => put(seen(data, point));
    const radius = Math.sqrt(state.count), origin = put([0, 0]);
    const ring = (size) => [...Array(73).keys()].map((step) => {
      const [a, b] = [size * Math.cos((step * Math.PI) / 36), state.count === 3 ? size * Math.sin((step * Math.PI) / 36) : 0];
      return put(data.view.map((row) => row[0] * a + row[1] * b)).join(",");
    }).join(" ");
    add(drawing, "polygon", { points: ring(2.4), fill: colours.grey, "fill-opacity": 0.12, stroke: state.count === 2 ? colours.grey : "none", "stroke-width": 0.8 });
    if (state.count === 3) add(drawing, "polygon", { points: ring(radius), fill: "none", stroke: colours.grey, "stroke-width": 1.5 });
    else for (const side of [-1, 1]) {
      const [cx, cy] = put(data.view.map((row) => side * radius * row[0]));
      add(drawing, "circle", { cx, cy, r: 6, fill: "none", stroke: colours.grey, "stroke-width": 1.8 });
    }
    const up = show(given.x.map(() => 1.15));
    line(drawing, ...origin, ...up, { stroke: colours.grey, "stroke-dasharray": "5 4" });
    write(drawing, up[0], up[1] - 8, "1", { fill: colours.grey });
    const from = show(x_hat);
    line(drawing, ...origin, ...from, { stroke: colours.grey, "stroke-dasharray": "2 4", "stroke-width": 1.4 });
    const tip = (vector) => show(x_hat.map((value, k) => value + vector[k]));
    line(drawing, ...tip(given.dout), ...tip(flat), { stroke: colours.grey, "stroke-width": 0.8 });
    line(drawing, ...tip(flat), ...tip(sent), { stroke: colours.grey, "stroke-width": 0.8 });
    arrow(drawing, ...from, ...tip(given.dout), colours.orange, 2.2);
    arrow(drawing, ...from, ...tip(flat), colours.purple, 2.2);
    arrow(drawing, ...from, ...tip(sent), colours.blue, 3.4);
    add(drawing, "circle", { cx: from[0], cy: from[1], r: 7, fill: colours.green });
    for (const { name, at, colour, place, low, high } of rulers) {
      line(drawing, place(low), at, place(high), at, { stroke: colours.grey });
      for (const mark of [low, (low + high) / 2, high]) {
        line(drawing, place(mark), at - 4, place(mark), at + 4, { stroke: colours.grey });
        write(drawing, place(mark), at + 24, number(mark, 0), { "font-size": 11, fill: colours.grey });
      }
      write(drawing, 548, at + 5, name, { "text-anchor": "end", "font-weight": "bold", fill: colour });
    }
    for (const { ruler, k, group, tell } of beads) {
      const value = state[ruler.name][k];
      group.setAttribute("transform", `translate(${ruler.place(value)} ${ruler.at})`);
      group.style.display = k < state.count ? "" : "none";
      tell(value.toFixed(2), ruler.low, ruler.high, number(value));
    }
    const list = (values) => values.map((value) => number(value)).join(", ");
    const size = (values) => Math.hypot(...values);
    const rows = [
      [colours.green, "x_hat", `${list(x_hat)}; length ${number(size(x_hat))}, of ${number(radius)}`],
      [colours.orange, "dout", `${list(given.dout)}; length ${number(size(given.dout))}`],
      [colours.purple, "dout without its mean", `${list(flat)}; length ${number(size(flat))}`],
      [colours.blue, "dx / (gamma r)", `${list(sent)}; length ${number(size(sent))}`],
    ];
    rows.forEach(([fill, words, numbers], row) => {
      const y = 246 + 42 * row;
      if (row) arrow(drawing, 514, y - 5, 546, y - 5, fill, 2.6);
      else add(drawing, "circle", { cx: 530, cy: y - 5, r: 7, fill });
      write(drawing, 560, y, words, { "text-anchor": "start" });
      write(drawing, 560, y + 17, numbers, { "text-anchor": "start", "font-size": 12 });
    });
    const share = left < 0.0005 ? "less than 0.1" : number(100 * left, 1);
    write(drawing, middle, 405, `left of what runs along x_hat: ${share} %`, { "font-weight": "bold" });
    const where = left < 0.005 ? "as good as a projection" : "no projection";
    told(`dx, without gamma r, is (${list(sent)}): nothing of dout along 1, ${share} % of what runs along x_hat; ${where}. Drag the beads of x and dout, or move them with the arrow keys.`);
  }
  const fewer = { label: "examples in the batch", options: [["3", "3: a circle"], ["2", "2: two points"]], value: "3" };
  const small = { label: "eps", min: -5, max: 1, step: 0.25, show: (power) => (10 ** power < 0.01 ? (10 ** power).toExponential(0).replace("-", "−") : number(10 ** power)) };
  const controls = add(host, "div");
  function steer() {
    controls.replaceChildren();
    slider(controls, { ...small, value: state.power }, (power) => { state.power = power; redraw(); });
    choice(controls, { ...fewer, value: String(state.count) }, (count) => { state.count = Number(count); redraw(); });
  }
  button(host, "back to the first values", () => {
    Object.assign(state, { x: [...data.x], dout: [...data.dout], power: Math.log10(data.eps), count: 3 });
    steer();
    redraw();
  });
  steer();
  redraw();
}
