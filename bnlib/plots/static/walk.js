// Lesson 04: a nudge of one example walks forward through the gates, the gradient walks back; they meet at a cut.
import { add, canvas, line, number, sentence, slider, sum, write } from "./kit.js";

/** What crosses a cut: the change of each value on its way forward, the gradient that came back so far; the sum of their products. */
export function model({ cuts, changes, crossing }, { example, cut }) {
  const met = cuts[cut].map((name) => {
    const [change, gradient] = [changes[example][name], crossing[cut][name]];
    return { name, change, gradient, product: sum(gradient.map((value, row) => value * change[row])) };
  });
  return { met, total: sum(met.map(({ product }) => product)) };
}

export function draw(host, data) {
  const { colours, boxes, gates, wires, order, first, changes, gradients, cuts } = data;
  const state = { ...first };
  const equation = (cut) => (cut ? `after gate ${gates[order[cut - 1]][3]}` : "in front of gate 4.1");
  slider(host, { label: "which example of x is nudged", min: 0, max: changes.length - 1, step: 1, value: state.example, show: (v) => `x[${v}]` }, (v) => { state.example = v; redraw(); });
  slider(host, { label: "where the two walks meet", min: 0, max: cuts.length - 1, step: 1, value: state.cut, show: equation }, (v) => { state.cut = v; redraw(); });
  const unit = 104, height = 4.32 * unit;
  const svg = canvas(host, 8.45 * unit, height, data.label);
  const told = sentence(host);
  const X = (x) => unit * x, Y = (y) => height - unit * (y - 0.12);
  const size = (name) => [1.06 * unit, (boxes[name][2] + 1.2) * 0.175 * unit];
  const centre = (name) => (boxes[name] || gates[name]).slice(0, 2);
  const text = (value) => number(Number(value.toPrecision(3)), 3).replace(/\.?0+$/, "");

  function redraw() {
    svg.replaceChildren();
    const { cut, example } = state;
    const { met: crossing, total } = model(data, state);
    const passed = new Set(["x", ...order.slice(0, cut).map((gate) => wires.find(([from]) => from === gate)[1])]);
    const met = Object.fromEntries(crossing.map((one) => [one.name, one]));
    for (const [from, to, ...corners] of wires) {
      const points = [centre(from), ...corners, centre(to)].map(([x, y]) => [X(x), Y(y)]);
      points[0] = edge(from, points[0], points[1]);
      points[points.length - 1] = edge(to, points.at(-1), points.at(-2));
      add(svg, "polyline", { points: points.join(" "), fill: "none", stroke: colours.grey, "stroke-width": 1.2 });
    }
    order.forEach((name, which) => {
      const [x, y, symbol, tag] = gates[name];
      const forward = which < cut;
      add(svg, "circle", { cx: X(x), cy: Y(y), r: 21, fill: "none", stroke: forward ? colours.blue : colours.vermilion, "stroke-width": 2.2 });
      write(svg, X(x), Y(y) + 4, symbol, { "font-size": symbol.length > 1 ? 11 : 16 });
      const beside = ["mean of x", "square", "mean of sq", "invert"].includes(name);
      write(svg, X(x) + (beside ? 34 : 0), Y(y) + (beside ? -8 : -25), tag, { "font-size": 11, fill: colours.grey });
    });
    for (const [name, [x, y]] of Object.entries(boxes)) {
      const [width, tall] = size(name);
      const frame = { x: X(x) - width / 2, y: Y(y) - tall / 2, width, height: tall, rx: 6 };
      add(svg, "rect", { ...frame, fill: met[name] ? colours.orange : "none", "fill-opacity": 0.25, stroke: met[name] ? "currentColor" : colours.grey, "stroke-width": met[name] ? 2.5 : 1 });
      const top = Y(y) - tall / 2 + 15;
      write(svg, X(x), top, name, { "font-size": 12, "font-weight": "bold" });
      const shown = met[name]
        ? [met[name].change, met[name].gradient]
        : [passed.has(name) ? changes[example][name] : null, passed.has(name) && !later(name, cut) ? null : came(name, cut)];
      shown.forEach((values, side) => (values || []).forEach((value, row) => {
        write(svg, X(x) + (side ? width / 2 - 5 : -3), top + (row + 1) * 0.175 * unit, text(value), { "text-anchor": "end", "font-size": 11.5, fill: side ? colours.vermilion : colours.blue });
      }));
    }
    const told_at = [X(4.75), Y(1.35)];
    [["left, blue: how much the nudge changes the value", colours.blue], ["right, red: the gradient that came back", colours.vermilion]].forEach(([words, fill], row) => {
      write(svg, told_at[0], told_at[1] + 20 * row, words, { "text-anchor": "start", fill });
    });
    crossing.forEach(({ name, product }, row) => write(svg, told_at[0], told_at[1] + 52 + 20 * row, `${name}: sum of gradient × change = ${number(product, 3)}`, { "text-anchor": "start" }));
    write(svg, told_at[0], told_at[1] + 52 + 20 * crossing.length, `together ${number(total, 3)} = dx[${example}]`, { "text-anchor": "start", "font-weight": "bold" });
    told(`Cut ${equation(cut)}: ${crossing.map(({ name, product }) => `${name} ${number(product, 3)}`).join(" and ")}, together ${number(total, 3)}. It is dx[${example}] at every cut.`);
  }

  // gamma and beta do not change; their gradient comes with the gate they lead to.
  function came(name, cut) {
    if (name === "gamma") return cut <= order.indexOf("scale") ? gradients.gamma : null;
    if (name === "beta") return cut <= order.indexOf("shift") ? gradients.beta : null;
    return gradients[name];
  }
  const later = (name, cut) => name === "gamma" || name === "beta" || !cuts.slice(0, cut + 1).some((names) => names.includes(name));

  function edge(name, [x, y], [a, b]) {
    const [width, tall] = gates[name] ? [42, 42] : size(name);
    return Math.abs(a - x) > Math.abs(b - y) ? [x + (Math.sign(a - x) * width) / 2, y] : [x, y + (Math.sign(b - y) * tall) / 2];
  }
  redraw();
}
