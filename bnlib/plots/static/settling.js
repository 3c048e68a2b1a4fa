// Lesson 05: the statistics each mode uses, batch after batch; momentum, size of the batches and convention can be chosen.
import { add, canvas, choice, line, mean, number, scale, sentence, slider, sum, write } from "./kit.js";

/** Mean and variance of each batch, as training mode uses them, and the running averages that evaluation mode uses. */
export function model({ samples }, { momentum, size, convention }) {
  const batches = samples.map((batch) => batch.slice(0, size));
  const means = batches.map(mean);
  const variances = batches.map((batch, t) => sum(batch.map((value) => (value - means[t]) ** 2)) / size);
  const kept = convention === "pytorch" ? variances.map((value) => (value * size) / (size - 1)) : variances;
  const old = convention === "pytorch" ? 1 - momentum : momentum;
  const running = (values, start) => values.reduce((line, value) => [...line, old * line.at(-1) + (1 - old) * value], [start]);
  return { means, variances, running_mean: running(means, 0), running_var: running(kept, 1) };
}

export function draw(host, data) {
  const { colours, samples, truth, first } = data;
  const state = { ...first };
  const change = (name) => (value) => { state[name] = value; redraw(); };
  slider(host, { label: "momentum", min: 0, max: 0.99, step: 0.01, value: state.momentum, show: (v) => number(v) }, change("momentum"));
  slider(host, { label: "examples in a batch", min: 2, max: samples[0].length, step: 1, value: state.size, show: (v) => number(v, 0) }, change("size"));
  choice(host, { label: "convention", options: [["cs231n", "cs231n: momentum weighs the old average; divides by N"], ["pytorch", "pytorch: momentum weighs the new batch; divides by N − 1"]], value: state.convention }, change("convention"));
  const svg = canvas(host, 880, 330, data.label);
  const told = sentence(host);
  const T = samples.length;
  const tops = [2 * truth[0], 3 * truth[1]];

  function redraw() {
    svg.replaceChildren();
    const { means, variances, running_mean, running_var } = model(data, state);
    [["mean", means, running_mean], ["variance", variances, running_var]].forEach(([name, own, running], panel) => {
      const left = 50 + 445 * panel;
      const X = scale(0, T, left, left + 330), Y = scale(0, tops[panel], 270, 30);
      write(svg, left + 165, 16, name, { "font-size": 14 });
      for (let tick = 0; tick <= 4; tick++) {
        const value = (tick / 4) * tops[panel];
        line(svg, left - 4, Y(value), left, Y(value), { stroke: colours.grey });
        write(svg, left - 8, Y(value) + 4, number(value, 1), { "text-anchor": "end", "font-size": 11.5 });
        write(svg, X((tick / 4) * T), 287, number((tick / 4) * T, 0), { "font-size": 11.5 });
      }
      line(svg, left, 30, left, 270, { stroke: colours.grey });
      line(svg, left, 270, left + 330, 270, { stroke: colours.grey });
      line(svg, left, Y(truth[panel]), left + 330, Y(truth[panel]), { "stroke-dasharray": "3 3" });
      write(svg, left + 335, Y(truth[panel]) + 4, `true ${number(truth[panel], 1)}`, { "text-anchor": "start", "font-size": 12 });
      own.forEach((value, t) => {
        if (value <= tops[panel] && value >= 0) add(svg, "circle", { cx: X(t + 1), cy: Y(value), r: 2.6, fill: colours.orange });
        else add(svg, "path", { d: `M${X(t + 1) - 3} ${value < 0 ? 264 : 36}h6l-3 ${value < 0 ? 6 : -6}z`, fill: colours.orange });
      });
      // A drawing inside the drawing: what leaves the panel is not drawn.
      const inside = add(svg, "svg", { x: left, y: 30, width: 330, height: 240, viewBox: `${left} 30 330 240` });
      add(inside, "polyline", { points: running.map((value, t) => `${X(t)},${Y(value)}`).join(" "), fill: "none", stroke: colours.blue, "stroke-width": 2.4 });
    });
    add(svg, "circle", { cx: 210, cy: 314, r: 3.5, fill: colours.orange });
    write(svg, 222, 318, "of each batch: what training mode uses", { "text-anchor": "start" });
    line(svg, 500, 314, 530, 314, { stroke: colours.blue, "stroke-width": 2.4 });
    write(svg, 538, 318, "running: what evaluation mode uses", { "text-anchor": "start" });
    const spread = (values) => Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)));
    const late = (values) => values.slice(-Math.floor(T / 2));
    told(`Means of batches spread by ${number(spread(means))} around ${number(mean(means))}, variances by ${number(spread(variances))} around ${number(mean(variances))}. `
      + `In the second half the running mean spreads by ${number(spread(late(running_mean)))} around ${number(mean(late(running_mean)))}, the running variance by ${number(spread(late(running_var)))} around ${number(mean(late(running_var)))}.`);
  }
  redraw();
}
