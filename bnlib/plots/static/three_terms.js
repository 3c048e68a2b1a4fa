// Lesson 03: the three terms of (3.18) as a waterfall for each example; drag an example, or the tip of a bar of dout.
import { add, bar, button, canvas, clamp, handle, line, mean, number, scale, sentence, signed, write } from "./kit.js";

/** x_hat, the three terms and their sum, for x, dout, gamma, eps. */
export function model({ x, dout, gamma, eps }) {
  const mu = mean(x);
  const r = 1 / Math.sqrt(mean(x.map((value) => (value - mu) ** 2)) + eps);
  const x_hat = x.map((value) => (value - mu) * r);
  const direct = dout.map((value) => gamma * r * value);
  const through_mean = direct.map(() => -mean(direct));
  const along = mean(direct.map((value, k) => value * x_hat[k]));
  const through_variance = x_hat.map((value) => -value * along);
  const dx = direct.map((value, k) => value + through_mean[k] + through_variance[k]);
  return { mu, x_hat, terms: [direct, through_mean, through_variance], dx };
}

export function draw(host, data) {
  const { colours, x: first_x, dout: first_dout, dx: yours } = data;
  const N = first_x.length;
  const state = { ...data, x: [...first_x], dout: [...first_dout] };
  const names = ["direct path", "path through the mean", "path through the variance"];
  const inks = [colours.blue, colours.orange, colours.purple];
  const [width, left] = [880, 84];
  const svg = canvas(host, width, 530, data.label);
  const drawing = add(svg, "g"), handles = add(svg, "g");
  const told = sentence(host);
  const spread = Math.max(...first_x) - Math.min(...first_x);
  const [low, high] = [Math.min(...first_x) - 0.25 * spread, Math.max(...first_x) + 0.25 * spread];
  const reach = 1.5 * Math.max(...first_dout.map(Math.abs), 0.5);
  const X = scale(low, high, left, width - 20);
  const step = (width - 20 - left) / N;
  const column = (k) => left + (k + 0.5) * step;
  const D = scale(-reach, reach, 190, 80);

  const on_x = first_x.map((_, k) => {
    const set = (value) => { state.x[k] = clamp(value, low, high); redraw(k); };
    const shape = add(handles, "g");
    add(shape, "circle", { r: 11, fill: colours.vermilion });
    write(shape, 0, 4, `${k}`, { "font-size": 12, "font-weight": "bold", "pointer-events": "none" });
    const place = handle(svg, shape, `x[${k}]`, { cursor: "ew-resize", drag: (where) => set(X.back(where)), key: (across, up) => set(state.x[k] + 0.1 * (across + up)) });
    return () => {
      shape.setAttribute("transform", `translate(${X(state.x[k])} 34)`);
      place(number(state.x[k]).replace("−", "-"), low, high, number(state.x[k]));
    };
  });
  const on_dout = first_dout.map((_, k) => {
    const set = (value) => { state.dout[k] = clamp(value, -reach, reach); redraw(k); };
    const shape = add(handles, "rect", { x: column(k) - 0.22 * step, width: 0.44 * step, height: 9, rx: 4, fill: colours.green });
    const place = handle(svg, shape, `dout[${k}]`, { cursor: "ns-resize", drag: (_, where) => set(D.back(where)), key: (across, up) => set(state.dout[k] + 0.1 * (across + up)) });
    return () => {
      shape.setAttribute("y", D(state.dout[k]) - 4.5);
      place(number(state.dout[k]).replace("−", "-"), -reach, reach, number(state.dout[k]));
    };
  });

  // What the learner's function returned belongs to the first values only.
  const untouched = () => [[state.x, first_x], [state.dout, first_dout]].every(([now, first]) => now.every((value, k) => value === first[k]));

  function redraw(k = 0) {
    drawing.replaceChildren();
    const { mu, x_hat, terms, dx } = model(state);
    write(drawing, left - 12, 39, "x", { "text-anchor": "end" });
    line(drawing, left, 34, width - 20, 34, { stroke: colours.grey });
    line(drawing, X(mu), 20, X(mu), 52, { stroke: "currentColor", "stroke-width": 2 });
    write(drawing, X(mu), 66, `mu ${number(mu)}`, { "font-size": 12 });
    write(drawing, left - 12, D(0) + 4, "dout", { "text-anchor": "end" });
    line(drawing, left, D(0), width - 20, D(0), { stroke: colours.grey });
    const corners = terms[0].flatMap((value, n) => [0, value, value + terms[1][n], dx[n]]);
    const room = 0.12 * (Math.max(...corners) - Math.min(...corners)) + 1e-9;
    const Y = scale(Math.min(...corners) - room, Math.max(...corners) + room, 420, 240);
    write(drawing, left - 12, Y(0) + 4, "dx", { "text-anchor": "end" });
    line(drawing, left, Y(0), width - 20, Y(0), { stroke: colours.grey });
    for (let n = 0; n < N; n++) {
      bar(drawing, column(n) - 0.22 * step, 0.44 * step, D(0), D(state.dout[n]), { fill: colours.green, opacity: 0.45 });
      write(drawing, column(n), state.dout[n] < 0 ? D(0) - 5 : D(0) + 15, number(state.dout[n], 1), { "font-size": 12 });
      let end = 0;
      terms.forEach((term, which) => {
        const from = column(n) + (which - 1.7) * 0.25 * step;
        bar(drawing, from, 0.24 * step, Y(end), Y(end + term[n]), { fill: inks[which] });
        end += term[n];
        line(drawing, from, Y(end), from + 0.49 * step, Y(end), { stroke: colours.grey });
      });
      const tip = column(n) + 0.4 * step;
      add(drawing, "path", { d: `M${tip - 6} ${Y(end)}l6 -6l6 6l-6 6z`, fill: "currentColor" });
      if (untouched()) add(drawing, "circle", { cx: tip, cy: Y(yours[n]), r: 9, fill: "none", stroke: colours.vermilion, "stroke-width": 2 });
      write(drawing, column(n), 440, `example ${n}, x̂ ${number(x_hat[n], 1)}`, { "font-size": 12 });
      write(drawing, column(n), 458, `dx ${number(dx[n])}`, { "font-size": 13, "font-weight": "bold" });
    }
    names.forEach((name, which) => {
      add(drawing, "rect", { x: left + 225 * which, y: 482, width: 14, height: 14, fill: inks[which] });
      write(drawing, left + 225 * which + 20, 494, name, { "text-anchor": "start" });
    });
    add(drawing, "path", { d: `M${left + 675} 489l6 -6l6 6l-6 6z`, fill: "currentColor" });
    write(drawing, left + 692, 494, "their sum, dx", { "text-anchor": "start" });
    if (untouched()) {
      add(drawing, "circle", { cx: left + 681, cy: 511, r: 8, fill: "none", stroke: colours.vermilion, "stroke-width": 2 });
      write(drawing, left + 692, 516, "your function", { "text-anchor": "start" });
    }
    for (const put of [...on_x, ...on_dout]) put();
    const [direct, through_mean, through_variance] = terms.map((term) => term[k]);
    told(`Example ${k}: ${number(direct)} ${signed(through_mean)} ${signed(through_variance)} = ${number(dx[k])}. Drag a dot of x or the tip of a bar of dout, or move it with the arrow keys.`);
  }
  button(host, "back to the first values", () => { [state.x, state.dout] = [[...first_x], [...first_dout]]; redraw(); });
  redraw();
}
