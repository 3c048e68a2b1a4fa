// Lesson 08: a batch of images as slices; the entries that share mean and variance with the chosen one, and those that share its gamma.
import { add, canvas, choice, clamp, handle, sentence, sum, write } from "./kit.js";

/** For every entry whether it shares statistics with the chosen one, and whether it shares its gamma; and how many of each. */
export function model({ shape, groups }, { layer, entry }) {
  const [N, C, S] = shape;
  const own = { batch: C, layer: 1, instance: C, group: groups }[layer];
  const group = (channel) => Math.floor((channel * own) / C);
  const every = (shares) => Array.from({ length: N }, (_, n) => Array.from({ length: C }, (_, c) => Array(S).fill(shares(n, c))));
  const statistics = every((n, c) => group(c) === group(entry[1]) && (layer === "batch" || n === entry[0]));
  const parameter = every((n, c) => c === entry[1]);
  const many = (mask) => sum(mask.flat(2).map(Number));
  return { statistics, parameter, counts: [many(statistics), many(parameter)], pairs: layer === "batch" ? C : N * own };
}

export function draw(host, data) {
  const { colours, shape, layers, first } = data;
  const [N, C, S] = shape;
  const state = { layer: first.layer, entry: [...first.entry] };
  const cell = Math.min(38, 760 / (N * (S + 1))), left = 90, top = 44;
  choice(host, { label: "layer", options: Object.entries(layers), value: state.layer }, (layer) => { state.layer = layer; redraw(); });
  const svg = canvas(host, left + N * (S + 1) * cell, top + C * cell + 30, data.label);
  const drawing = add(svg, "g");
  const frame = add(svg, "rect", { width: cell, height: cell, fill: "transparent", stroke: "currentColor", "stroke-width": 3, rx: 2 });
  const told = sentence(host);
  const across = (n, s) => left + (n * (S + 1) + s) * cell;
  const place = handle(svg, frame, "chosen entry", {
    drag: (x, y) => {
      const column = clamp(Math.floor((x - left) / cell), 0, N * (S + 1) - 1);
      choose(Math.floor(column / (S + 1)), Math.floor((y - top) / cell), Math.min(column % (S + 1), S - 1));
    },
    key: (sideways, up) => {
      const along = clamp(state.entry[0] * S + state.entry[2] + sideways, 0, N * S - 1);
      choose(Math.floor(along / S), state.entry[1] - up, along % S);
    },
  });

  function choose(n, c, s) {
    state.entry = [n, clamp(c, 0, C - 1), s];
    redraw();
  }

  function redraw() {
    drawing.replaceChildren();
    const { statistics, parameter, counts, pairs } = model(data, state);
    const [chosen, channel, position] = state.entry;
    for (let c = 0; c < C; c++) write(drawing, left - 10, top + (c + 0.5) * cell + 4, `channel ${c}`, { "text-anchor": "end", "font-size": 12 });
    for (let n = 0; n < N; n++) {
      write(drawing, across(n, S / 2), top - 14, `example ${n}`);
      for (let c = 0; c < C; c++) {
        for (let s = 0; s < S; s++) {
          const [x, y] = [across(n, s), top + c * cell];
          if (statistics[n][c][s]) add(drawing, "rect", { x, y, width: cell, height: cell, fill: colours.orange, opacity: 0.6 });
          const box = add(drawing, "rect", { x, y, width: cell, height: cell, fill: "transparent", stroke: colours.grey, "stroke-width": 0.7 });
          box.addEventListener("pointerdown", () => choose(n, c, s));
          if (parameter[n][c][s]) add(drawing, "circle", { cx: x + cell / 2, cy: y + cell / 2, r: cell / 9, fill: "currentColor", "pointer-events": "none" });
        }
      }
      write(drawing, across(n, S / 2), top + C * cell + 20, `${S} positions`, { "font-size": 12 });
    }
    frame.setAttribute("x", across(chosen, position));
    frame.setAttribute("y", top + channel * cell);
    const words = `example ${chosen}, channel ${channel}, position ${position}`;
    place(chosen * S + position, 0, N * S - 1, words);
    told(`${layers[state.layer]}: ${counts[0]} of ${N * C * S} entries (orange) share mean and variance with ${words}; the batch has ${pairs} such pairs of numbers. Dots: the ${counts[1]} entries that share gamma[${channel}], whose gradient adds up over them. Click an entry, or move the frame with the arrow keys.`);
  }
  redraw();
}
