// Lesson 01: two pistons under one plate press water into one vessel.
import { add, arrow, bar, canvas, line, number, sentence, slider, write } from "./kit.js";

/** What each piston presses out, what the level gains from it, and both together. */
export function model({ left, vessel }, { push, area }) {
  const water = [push * left, push * area];
  const gains = water.map((volume) => volume / vessel);
  return { water, gains, rise: gains[0] + gains[1] };
}

export function draw(host, data) {
  const { colours, left, vessel, first } = data;
  const state = { ...first };
  slider(host, { label: "push the plate down by", min: 0, max: 2.5, step: 0.1, value: state.push }, (v) => { state.push = v; redraw(); });
  slider(host, { label: "area of the right piston", min: 1, max: 3, step: 1, value: state.area, show: (v) => number(v, 0) }, (v) => { state.area = v; redraw(); });
  const svg = canvas(host, 880, 400, data.label);
  const told = sentence(host);

  function redraw() {
    const { water, gains, rise } = model(data, state);
    const { push, area } = state;
    svg.replaceChildren();
    // One unit of length is 31 pixels; the vessel stands at 0, y goes up. All is drawn to scale.
    const X = (x) => 31 * x - 10, Y = (y) => 385 - 31 * y;
    const box = (x, y, width, height, attributes) => bar(svg, X(x), 31 * width, Y(y), Y(y + height), attributes);
    const [bottom, rest, plate, floor] = [3.6, 6.8, 10.1, 0.8];
    box(1, 0, vessel, floor, { fill: colours.grey, opacity: 0.25 });
    let filled = floor;
    [[1.4, left, colours.blue, "y₁"], [7.6, area, colours.orange, "y₂"]].forEach(([x, width, fill, name], which) => {
      const middle = x + width / 2;
      box(x, bottom, width, rest - push - bottom, { fill, opacity: 0.75 });
      box(1, filled, vessel, gains[which], { fill, opacity: 0.75 });
      filled += gains[which];
      if (push > 0) box(middle - 0.06 * width, floor + rise, 0.12 * width, bottom - floor - rise, { fill, opacity: 0.75 });
      box(x, rest - push, width, 0.35, { fill: "currentColor" });
      box(middle - 0.1, rest - push + 0.35, 0.2, plate - rest - 0.35, { fill: colours.grey });
      for (const wall of [x, x + width]) line(svg, X(wall), Y(bottom), X(wall), Y(rest + 0.6), { "stroke-width": 2 });
      line(svg, X(x), Y(bottom), X(middle - 0.2), Y(bottom), { "stroke-width": 2 });
      line(svg, X(middle + 0.2), Y(bottom), X(x + width), Y(bottom), { "stroke-width": 2 });
      write(svg, X(middle + 0.4), Y(bottom - 0.65), `${name} = ${number(water[which], 1)}`, { "text-anchor": "start" });
    });
    box(1, plate, vessel, 0.25, { fill: "none", stroke: colours.grey, "stroke-dasharray": "2 3" });
    box(1, plate - push, vessel, 0.25, { fill: colours.grey, stroke: "currentColor" });
    arrow(svg, X(6), Y(plate + 1.9 - push), X(6), Y(plate + 0.3 - push), colours.vermilion, 3);
    write(svg, X(6.4), Y(plate + 1.1 - push), `x = ${number(push, 1)}`, { "text-anchor": "start" });
    add(svg, "polyline", { points: [[1, 2.7], [1, 0], [1 + vessel, 0], [1 + vessel, 2.7]].map(([x, y]) => [X(x), Y(y)]).join(" "), fill: "none", stroke: "currentColor", "stroke-width": 2 });
    for (const level of [floor, floor + rise]) line(svg, X(1 + vessel), Y(level), X(1.4 + vessel), Y(level));
    write(svg, X(1.5 + vessel), Y(floor + rise / 2) + 4, `L +${number(rise)}`, { "text-anchor": "start" });

    // The same as a graph.
    const nodes = { x: [500, 150], "y₁": [650, 70], "y₂": [650, 230], L: [800, 150] };
    const slopes = [["x", "y₁", left], ["x", "y₂", area], ["y₁", "L", 1 / vessel], ["y₂", "L", 1 / vessel]];
    for (const [from, to, slope] of slopes) {
      const [[x1, y1], [x2, y2]] = [nodes[from], nodes[to]];
      const [u, v] = [(x2 - x1) / 170, (y2 - y1) / 170];
      const upper = from === "y₁" || to === "y₁";
      arrow(svg, x1 + 22 * u, y1 + 22 * v, x2 - 22 * u, y2 - 22 * v, upper ? colours.blue : colours.orange, 2.5);
      write(svg, (x1 + x2) / 2, (y1 + y2) / 2 + (upper ? -14 : 24), `× ${Number(slope.toFixed(2))}`);
    }
    for (const [name, [x, y]] of Object.entries(nodes)) {
      add(svg, "circle", { cx: x, cy: y, r: 19, fill: "none", stroke: "currentColor" });
      write(svg, x, y + 5, name, { "font-size": 15 });
    }
    const sums = [`through y₁:  ${number(push, 1)} × ${left} × ${1 / vessel} = ${number(gains[0])}`, `through y₂:  ${number(push, 1)} × ${area} × ${1 / vessel} = ${number(gains[1])}`, `together L rises by ${number(rise)}`];
    sums.forEach((text, row) => write(svg, 650, 300 + 24 * row, text));
    told(`The plate is pushed down by ${number(push, 1)}: L rises by ${number(gains[0])} through y₁ and by ${number(gains[1])} through y₂, by ${number(rise)} together.`);
  }
  redraw();
}
