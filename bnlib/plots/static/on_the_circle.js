// Lesson 03: three centred examples of one feature are a point in a plane; scaling puts it on a circle. The point and dout can be dragged.
import { add, arrow, button, canvas, clamp, handle, line, number, sentence, write } from "./kit.js";

const dot = (a, b) => a[0] * b[0] + a[1] * b[1];

/** In the plane: where the scaling puts xc, the gradient there (3.29), and the angle it makes with the ray, in degrees. */
export function model({ xc, dout, eps }) {
  const r = 1 / Math.sqrt(dot(xc, xc) / 3 + eps);
  const z = xc.map((value) => value * r);
  const along = dot(dout, z) / 3;
  const dxc = dout.map((value, axis) => r * (value - z[axis] * along));
  const lengths = Math.hypot(...dxc) * Math.hypot(...xc);
  return { z, dxc, angle: lengths > 1e-12 ? (Math.acos(clamp(dot(dxc, xc) / lengths, -1, 1)) * 180) / Math.PI : 90 };
}

/** Coordinates in the plane as the three numbers of a batch. */
export const batch = (plane, point) => plane[0].map((_, k) => plane[0][k] * point[0] + plane[1][k] * point[1]);

export function draw(host, data) {
  const { colours, plane } = data;
  const state = { eps: data.eps, xc: [...data.xc], dout: [...data.dout] };
  const unit = 66, [middle, level] = [255, 210];
  const svg = canvas(host, 880, 420, data.label);
  const drawing = add(svg, "g"), handles = add(svg, "g");
  const told = sentence(host);
  const put = ([x, y]) => [middle + unit * x, level - unit * y];
  const back = (x, y) => [(x - middle) / unit, (level - y) / unit];

  function moved(vector, longest, shortest) {
    const length = Math.hypot(...vector);
    const to = clamp(length, shortest, longest);
    return length ? vector.map((value) => (value * to) / length) : [0, shortest];
  }
  // Left and right turn a point around the origin, up and down move it out and in.
  function turned([x, y], across, up) {
    const angle = -0.1 * across, longer = 1 + 0.05 * up;
    return [longer * (x * Math.cos(angle) - y * Math.sin(angle)), longer * (x * Math.sin(angle) + y * Math.cos(angle))];
  }
  const set_xc = (point) => { state.xc = moved(point, 2.9, 0.4); redraw(); };
  const set_dout = (vector) => { state.dout = moved(vector, 1.6, 0.05); redraw(); };
  const tip = () => state.dout.map((value, axis) => value + model(state).z[axis]);

  const point = add(handles, "circle", { r: 10, fill: colours.blue });
  const tell_point = handle(svg, point, "xc, three centred examples", { drag: (x, y) => set_xc(back(x, y)), key: (across, up) => set_xc(turned(state.xc, across, up)) });
  const end = add(handles, "circle", { r: 9, fill: colours.orange, "fill-opacity": 0.35, stroke: colours.orange });
  const tell_end = handle(svg, end, "tip of dout", {
    drag: (x, y) => { const { z } = model(state); set_dout(back(x, y).map((value, axis) => value - z[axis])); },
    key: (across, up) => set_dout(turned(state.dout, across, up)),
  });

  function redraw() {
    drawing.replaceChildren();
    const { z, dxc, angle } = model(state);
    add(drawing, "circle", { cx: middle, cy: level, r: unit * Math.sqrt(3), fill: "none", stroke: colours.grey, "stroke-width": 1.4 });
    plane[0].forEach((_, k) => {
      const axis = moved([plane[0][k], plane[1][k]], 2.6, 2.6);
      line(drawing, ...put([0, 0]), ...put(axis), { stroke: colours.grey, "stroke-width": 0.7 });
      const [x, y] = put(axis.map((value) => 1.12 * value));
      write(drawing, x, y + 4, `example ${k}`, { "font-size": 12, fill: colours.grey });
    });
    const ray = moved(state.xc, 3, 3);
    line(drawing, ...put([0, 0]), ...put(ray), { stroke: colours.grey, "stroke-dasharray": "2 4", "stroke-width": 1.4 });
    const [zx, zy] = put(z);
    arrow(drawing, zx, zy, ...put(tip()), colours.orange, 2.6);
    arrow(drawing, ...put(state.xc), ...put(state.xc.map((value, axis) => value + dxc[axis])), colours.blue, 2.6);
    add(drawing, "rect", { x: zx - 7, y: zy - 7, width: 14, height: 14, fill: colours.orange });
    const triple = (vector) => batch(plane, vector).map((value) => number(value)).join(", ");
    const rows = [
      [colours.blue, "xc, before the scaling", triple(state.xc)],
      [colours.orange, "z, on the circle of radius √3", triple(z)],
      [colours.orange, "dout at z, without its mean", triple(state.dout)],
      [colours.blue, "the gradient at xc", triple(dxc)],
    ];
    rows.forEach(([fill, words, numbers], row) => {
      const y = 90 + 62 * row;
      if (row < 2) add(drawing, row ? "rect" : "circle", row ? { x: 523, y: y - 12, width: 14, height: 14, fill } : { cx: 530, cy: y - 5, r: 8, fill });
      else arrow(drawing, 514, y - 5, 546, y - 5, fill, 2.6);
      write(drawing, 560, y, words, { "text-anchor": "start" });
      write(drawing, 560, y + 20, `(${numbers})`, { "text-anchor": "start", "font-size": 13 });
    });
    write(drawing, 560, 378, `your function, for the first values: (${triple(data.dxc)})`, { "text-anchor": "start", "font-size": 12 });
    write(drawing, 560, 346, `angle to the ray: ${number(angle, 1)}°`, { "text-anchor": "start", "font-weight": "bold" });
    const place = (shape, [x, y]) => { shape.setAttribute("cx", x); shape.setAttribute("cy", y); };
    place(point, put(state.xc));
    place(end, put(tip()));
    tell_point(number(Math.hypot(...state.xc)), 0.4, 2.9, triple(state.xc));
    tell_end(number(Math.hypot(...state.dout)), 0.05, 1.6, triple(state.dout));
    told(`The gradient at xc, ${triple(dxc)}, stands at ${number(angle, 1)} degrees to the ray. Drag xc or the tip of dout; arrow keys turn it (left, right) or move it out and in (up, down).`);
  }
  button(host, "back to the first values", () => { [state.xc, state.dout] = [[...data.xc], [...data.dout]]; redraw(); });
  redraw();
}
