// Lesson 09: five examples on the grid of the numbers that a type has; their mean rounded, their distances from it, and what centring again gives back.
import { add, canvas, choice, line, number, scale, sentence, slider, sum, write } from "./kit.js";

/** All that a machine makes of the examples z, moved by 2 ** power; each operation is rounded to the type. The errors are those of results near 1. */
export function model({ z }, { power, type }) {
  const round = type === "float32" ? Math.fround : (value) => value;
  const bits = type === "float32" ? 24 : 53;
  const average = (values) => round(values.reduce((total, value) => round(total + value), 0) / values.length);
  const squares = (values) => values.map((value) => round(value * value));
  const centred = (values) => values.map((value) => round(value - average(values)));
  const far = 2 ** power, right = sum(z) / z.length, truth = z.map((value) => value - right);
  const spread = Math.sqrt(sum(truth.map((value) => value ** 2)) / z.length);
  const x = z.map((value) => round(far + value)), mu = average(x);
  const once = centred(x), again = centred(once);
  const variances = { pass: round(average(squares(x)) - round(mu * mu)), once: average(squares(once)), again: average(squares(again)) };
  const off = (values) => Math.max(...values.map((value, k) => Math.abs(value - truth[k]))) / spread;
  return {
    x: x.map((value) => value - far), mu: mu - far, right, once, again, truth, variances, variance: spread ** 2,
    errors: { pass: Math.abs(variances.pass / spread ** 2 - 1), once: off(once), again: off(again) },
    gap: 2 ** (power + 1 - bits), usual: Math.sqrt(z.length) * 2 ** -bits * (1 + (far + Math.max(...z.map(Math.abs))) / spread),
  };
}

export function draw(host, data) {
  const { colours, farthest } = data;
  const state = { ...data.first };
  const least = { float32: -8, float64: -17 };
  const looks = { pass: [colours.vermilion, "one pass: its variance", ""], once: [colours.blue, "centred once", "7 4"], again: [colours.green, "centred again", "2 3"] };
  const power10 = (value) => (value === 0 ? "0" : value.toExponential(0).replace("+", "").replace("-", "−").replace("1e0", "1"));
  const short = (value) => (Math.abs(value) < 1e6 ? number(value, 4) : (value < 0 ? "−" : "") + power10(Math.abs(value)));
  const controls = add(host, "div");
  const svg = canvas(host, 880, 400, data.label);
  const told = sentence(host);

  function steer() {
    controls.replaceChildren();
    choice(controls, { label: "type", options: [["float32", "float32: 24 binary digits"], ["float64", "float64: 53 binary digits"]], value: state.type }, (type) => {
      Object.assign(state, { type, power: Math.min(state.power, farthest[type]) });
      steer();
      redraw();
    });
    slider(controls, { label: "distance from zero", min: 0, max: farthest[state.type], step: 1, value: state.power, show: (power) => (power < 20 ? `${2 ** power}` : power10(2 ** power)) }, (power) => { state.power = power; redraw(); });
  }

  /** A row of examples, as far from a place as numbers tell; hollow where they should be. */
  function row(y, X, words, values, truth, colour) {
    write(svg, 8, y - 26, words, { "text-anchor": "start" });
    line(svg, X(-3), y, X(3), y, { stroke: colours.grey });
    truth.forEach((value) => add(svg, "circle", { cx: X(value), cy: y, r: 8, fill: "none", stroke: colours.grey, "stroke-width": 1.4 }));
    values.forEach((value) => add(svg, "circle", { cx: X(value), cy: y, r: 5, fill: colour }));
  }

  function redraw() {
    svg.replaceChildren();
    const found = model(data, state), { gap, errors, variances } = found;
    const X = scale(-3, 3, 20, 400);
    const fine = X(gap) - X(0) < 3;
    write(svg, 8, 16, `around 2^${state.power}`, { "text-anchor": "start", "font-weight": "bold" });
    row(82, X, fine ? "the examples; their grid is finer than can be drawn" : "the examples, and all numbers of the type near them", found.x, data.z, "currentColor");
    for (let place = Math.ceil(-3 / gap) * gap; !fine && place <= 3; place += gap) line(svg, X(place), 76, X(place), 88, { stroke: colours.grey });
    line(svg, X(found.right), 62, X(found.right), 102, { stroke: colours.grey, "stroke-dasharray": "3 3", "stroke-width": 2 });
    line(svg, X(found.mu), 62, X(found.mu), 102, { stroke: colours.blue, "stroke-width": 2.4 });
    write(svg, X(found.mu), 120, "their mean: as computed, and (dashed) right", { "font-size": 12, fill: colours.blue });
    row(198, X, "minus the mean: all off by one and the same", found.once, found.truth, looks.once[0]);
    row(298, X, "centred again", found.again, found.truth, looks.again[0]);
    for (const y of [198, 298]) line(svg, X(0), y - 16, X(0), y + 16, { stroke: colours.grey, "stroke-dasharray": "3 3" });
    const low = least[state.type], P = scale(0, farthest[state.type], 500, 860), Y = scale(low, 4, 320, 30);
    const height = (error) => Y(Math.min(4, Math.max(low, Math.log10(Math.max(error, 1e-30)))));
    for (let tick = low + (low % 2 ? 1 : 0); tick <= 4; tick += state.type === "float32" ? 2 : 4) {
      line(svg, 496, Y(tick), 860, Y(tick), { stroke: colours.grey, "stroke-opacity": tick ? 0.25 : 1 });
      write(svg, 490, Y(tick) + 4, tick ? `1e${number(tick, 0)}` : "1: all wrong", { "text-anchor": "end", "font-size": 11.5 });
    }
    for (let tick = 0; tick <= farthest[state.type]; tick += state.type === "float32" ? 4 : 10) write(svg, P(tick), 338, `2^${tick}`, { "font-size": 11.5 });
    write(svg, 680, 16, "error, by the distance from zero", { "font-size": 14 });
    const every = [...Array(farthest[state.type] + 1).keys()].map((power) => model(data, { ...state, power }));
    const trace = (values, attributes) => add(svg, "polyline", { points: values.map((value, power) => `${P(power)},${height(value)}`).join(" "), fill: "none", ...attributes });
    trace(every.map((one) => one.usual), { stroke: colours.grey, "stroke-width": 1.2 });
    line(svg, P(state.power), 30, P(state.power), 320, { stroke: "currentColor", "stroke-dasharray": "3 3" });
    Object.entries(looks).forEach(([name, [colour, words, dashes]], place) => {
      trace(every.map((one) => one.errors[name]), { stroke: colour, "stroke-width": 2.2, "stroke-dasharray": dashes });
      add(svg, "circle", { cx: P(state.power), cy: height(errors[name]), r: 6, fill: colour });
      line(svg, 500 + 190 * (place % 2), 362 + 22 * (place >> 1), 526 + 190 * (place % 2), 362 + 22 * (place >> 1), { stroke: colour, "stroke-width": 2.2, "stroke-dasharray": dashes });
      write(svg, 532 + 190 * (place % 2), 366 + 22 * (place >> 1), words, { "text-anchor": "start", "font-size": 12 });
    });
    line(svg, 690, 384, 716, 384, { stroke: colours.grey, "stroke-width": 1.2 });
    write(svg, 722, 388, "√N u (1 + |x| / sigma)", { "text-anchor": "start", "font-size": 12 });
    const exact = fine ? power10(gap) : `${gap}`;
    const below = variances.pass < 0 ? ", below zero" : "";
    write(svg, 8, 366, `variance, right: ${short(found.variance)}`, { "text-anchor": "start", "font-weight": "bold" });
    write(svg, 8, 388, `one pass ${short(variances.pass)}${below}; centred once ${short(variances.once)}, again ${short(variances.again)}`, { "text-anchor": "start" });
    told(`${state.type}, 2^${state.power} from zero: neighbours are ${exact} apart, and the mean is off by ${power10(Math.abs(found.mu - found.right))}. `
      + `Error of the variance by one pass: ${power10(errors.pass)}${below}; of the examples centred once: ${power10(errors.once)}, centred again: ${power10(errors.again)}.`);
  }
  steer();
  redraw();
}
