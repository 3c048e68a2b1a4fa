// Lesson 06: a bias in front of a centring, trained with and without the path through the mean; rate and gradient can be chosen.
import { add, canvas, choice, line, mean, number, scale, sentence, slider, write } from "./kit.js";

/** Loss and bias of each step. The wrong gradient takes the mean for a number that does not move with the bias. */
export function model({ h, targets, steps }, { rate, gradient }) {
  const losses = [], biases = [];
  let b = 0;
  for (let step = 0; step < steps; step++) {
    const centre = mean(h.map((value) => value + b));
    const misses = h.map((value, k) => value + b - centre - targets[k]);
    losses.push(mean(misses.map((miss) => miss ** 2)) / 2);
    b -= rate * (mean(misses) - (gradient === "right" ? mean(misses) : 0));
    biases.push(b);
  }
  return { losses, biases };
}

export function draw(host, data) {
  const { colours, first, steps } = data;
  const state = { ...first };
  const change = (name) => (value) => { state[name] = value; redraw(); };
  slider(host, { label: "learning rate", min: 0, max: 0.5, step: 0.01, value: state.rate, show: (v) => number(v) }, change("rate"));
  choice(host, { label: "gradient", options: [["wrong", "without the path through the mean"], ["right", "right"]], value: state.gradient }, change("gradient"));
  const svg = canvas(host, 880, 310, data.label);
  const told = sentence(host);

  function redraw() {
    svg.replaceChildren();
    const { losses, biases } = model(data, state);
    const top = Math.max(1, 1.2 * Math.max(...biases.map(Math.abs)));
    const panels = [["loss", losses, 0, 1.5 * losses[0], colours.blue], ["bias", biases, Math.min(...biases) < 0 ? -top : 0, top, colours.vermilion]];
    panels.forEach(([name, values, low, high, colour], panel) => {
      const left = 55 + 445 * panel;
      const X = scale(0, steps, left, left + 350), Y = scale(low, high, 250, 30);
      write(svg, left + 175, 16, name, { "font-size": 14 });
      for (let tick = 0; tick <= 4; tick++) {
        const value = low + (tick / 4) * (high - low);
        line(svg, left - 4, Y(value), left, Y(value), { stroke: colours.grey });
        write(svg, left - 8, Y(value) + 4, number(value, 1), { "text-anchor": "end", "font-size": 11.5 });
        write(svg, X((tick / 4) * steps), 268, number((tick / 4) * steps, 0), { "font-size": 11.5 });
      }
      line(svg, left, 30, left, 250, { stroke: colours.grey });
      line(svg, left, 250, left + 350, 250, { stroke: colours.grey });
      write(svg, left + 175, 292, "step");
      add(svg, "polyline", { points: values.map((value, t) => `${X(t + 1)},${Y(value)}`).join(" "), fill: "none", stroke: colour, "stroke-width": 2.4 });
    });
    told(`After ${steps} steps the bias is ${number(biases.at(-1))}; the loss is ${number(losses.at(-1))}, and was ${number(losses[0])} at the start.`);
  }
  redraw();
}
