// Lesson 01: one input of a batch is nudged; which outputs move?
import { add, arrow, canvas, line, number, scale, sentence, slider, write } from "./kit.js";

/** Outputs of one function before and after the nudge, and how many moved; Python worked them out for every place of the sliders. */
export function model({ outputs, steps, size }, { panel, example, by }) {
  const table = outputs[panel].after[example];
  const place = Math.round(((by - steps.from) / (steps.to - steps.from)) * (table.length - 1));
  const before = outputs[panel].before, after = table[place];
  return { before, after, moved: after.filter((value, k) => Math.abs(value - before[k]) > 1e-9).length, size };
}

export function draw(host, data) {
  const { colours, outputs, size, steps, first } = data;
  const state = { ...first };
  slider(host, { label: "which input is nudged", min: 0, max: size - 1, step: 1, value: state.example, show: (v) => `x[${v}]` }, (v) => { state.example = v; redraw(); });
  slider(host, { label: "by how much", min: steps.from, max: steps.to, step: 0.1, value: state.by, show: (v) => number(v, 1) }, (v) => { state.by = v; redraw(); });
  const svg = canvas(host, 880, 300, data.label);
  const told = sentence(host);

  function redraw() {
    svg.replaceChildren();
    const counts = outputs.map((shown, panel) => {
      const { before, after, moved } = model(data, { ...state, panel });
      const every = [...shown.after.flat(2), ...before];
      const left = 60 + 440 * panel;
      const X = scale(-0.5, size - 0.5, left, left + 370);
      const Y = scale(Math.min(...every), Math.max(...every), 240, 40);
      write(svg, left + 185, 18, shown.name);
      line(svg, left, 250, left + 370, 250, { stroke: colours.grey });
      line(svg, left, Y(0), left + 370, Y(0), { stroke: colours.grey, "stroke-dasharray": "3 3" });
      write(svg, left - 8, Y(0) + 4, "0", { "text-anchor": "end", "font-size": 12 });
      before.forEach((old, k) => {
        const nudged = k === state.example;
        const colour = nudged ? colours.vermilion : colours.blue;
        if (Math.abs(after[k] - old) > 0.02) arrow(svg, X(k) + 17, Y(old), X(k) + 17, Y(after[k]), colour, 1.6);
        add(svg, "circle", { cx: X(k), cy: Y(old), r: 6, fill: "none", stroke: colours.grey, "stroke-width": 1.5 });
        if (nudged) add(svg, "rect", { x: X(k) - 5, y: Y(after[k]) - 5, width: 10, height: 10, fill: colour });
        else add(svg, "circle", { cx: X(k), cy: Y(after[k]), r: 5, fill: colour });
        write(svg, X(k), 267, `${k}`, { "font-size": 12 });
      });
      write(svg, left + 185, 288, "example k: open, y before; filled, y after (the square: the nudged one)", { "font-size": 11.5 });
      return `${shown.name}: ${moved} of ${size} outputs move`;
    });
    told(`Input ${state.example} is nudged by ${number(state.by, 1)}. ${counts.join("; ")}.`);
  }
  redraw();
}
