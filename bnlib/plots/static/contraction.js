// Lesson 02: the row dL/dh_hat times the four-index Jacobian, as blocks; the column of one entry of dL/dh stands out.
import { add, canvas, handle, clamp, number, sentence, sum, write } from "./kit.js";

/** The products dL/dh_hat[k, l] J[k, l, i, j] for one (i, j), their sum, and its two bands. */
export function model({ dout, J }, { i, j }) {
  const N = dout.length;
  const products = dout.map((row, k) => row.map((value, l) => value * J[k][l][i][j]));
  const identity = dout[i][j];
  const shift = -sum(dout.map((row) => row[j])) / N;
  return { products, total: sum(products.flat()), bands: [identity, shift] };
}

export function draw(host, data) {
  const { colours, dout, J, first } = data;
  const N = dout.length, D = dout[0].length, size = N * D;
  const state = { ...first };
  const cell = Math.min(48, 400 / size), top = 62, left = 132;
  const svg = canvas(host, 880, top + size * cell + 40, data.label);
  const drawing = add(svg, "g"), focus = add(svg, "g");
  const told = sentence(host);
  const where = (example, feature) => feature * N + example;
  const strongest = Math.max(...dout.flat().map(Math.abs));
  const products = left + size * cell + 150;

  function square(x, y, value, limit, faint, digits = 2) {
    const fill = value < 0 ? colours.negative : colours.positive;
    const g = add(drawing, "g", { opacity: faint ? 0.55 : 1 });
    if (Math.abs(value) > 1e-12) add(g, "rect", { x, y, width: cell, height: cell, fill, opacity: Math.min(0.85, (0.85 * Math.abs(value)) / limit) });
    add(g, "rect", { x, y, width: cell, height: cell, fill: "none", stroke: colours.grey, "stroke-width": 0.4 });
    if (Math.abs(value) > 1e-12) write(g, x + cell / 2, y + cell / 2 + 4, number(value, digits), { "font-size": 12 });
  }

  const frame = add(focus, "rect", { width: cell + 2, height: size * cell + cell / 2 + 6, fill: "transparent", stroke: colours.orange, "stroke-width": 3, rx: 3 });
  const place = handle(svg, frame, "entry of dL/dh", {
    cursor: "ew-resize",
    drag: (x) => choose(Math.floor((x - left) / cell)),
    key: (across, up) => choose(where(state.i, state.j) + across - up),
  });

  function choose(column) {
    const chosen = clamp(column, 0, size - 1);
    [state.i, state.j] = [chosen % N, Math.floor(chosen / N)];
    redraw();
  }

  function redraw() {
    drawing.replaceChildren();
    const { i, j } = state;
    const { products: terms, total, bands } = model(data, state);
    const chosen = where(i, j);
    write(drawing, 74, 30, "∂L/∂ĥ[k, l]");
    write(drawing, left + (size * cell) / 2, 20, "∂ĥ[k, l] / ∂h[i, j]: a block for each pair of features l, j");
    write(drawing, products + cell / 2, 30, "their products");
    for (let l = 0; l < D; l++) {
      for (let k = 0; k < N; k++) {
        const y = top + where(k, l) * cell;
        write(drawing, 44, y + cell / 2 + 4, `${k}, ${l}`, { "text-anchor": "end", "font-size": 11.5, fill: colours.grey });
        square(50, y, dout[k][l], strongest, l !== j);
        for (let b = 0; b < D; b++) {
          for (let a = 0; a < N; a++) square(left + where(a, b) * cell, y, J[k][l][a][b], 1, where(a, b) !== chosen);
        }
        if (l === j) {
          square(products, y, terms[k][l], strongest, false);
          write(drawing, products + cell + 10, y + cell / 2 + 4, `${number(dout[k][l])} × ${number(J[k][l][i][j])}`, { "text-anchor": "start", "font-size": 12 });
        } else write(drawing, products + cell / 2, y + cell / 2 + 4, "vanishes", { "font-size": 11.5, fill: colours.grey });
      }
    }
    for (let a = 0; a < size; a++) {
      write(drawing, left + (a + 0.5) * cell, top - 8, `${a % N}, ${Math.floor(a / N)}`, { "font-size": 11.5, "font-weight": a === chosen ? "bold" : "normal" });
    }
    for (let b = 0; b <= D; b++) {
      add(drawing, "rect", { x: left, y: top, width: b * N * cell, height: size * cell, fill: "none", stroke: "currentColor", "stroke-width": b ? 1.2 : 0 });
      add(drawing, "rect", { x: left, y: top, width: size * cell, height: b * N * cell, fill: "none", stroke: "currentColor", "stroke-width": b ? 1.2 : 0 });
    }
    const foot = top + size * cell + 26;
    write(drawing, products + cell / 2, foot, `sum ${number(total)}`, { "font-weight": "bold" });
    frame.setAttribute("x", left + chosen * cell - 1);
    frame.setAttribute("y", top - 0.5 * cell);
    const words = `∂L/∂h[${i}, ${j}] = ${number(total)}`;
    place(chosen, 0, size - 1, words);
    told(`${words}: of ${size} products ${N} are left. The band of the identity gives ${number(bands[0])}, the band of −1/${N} gives ${number(bands[1])}, minus the mean of the feature. Drag the frame to another column, or use the arrow keys.`);
  }
  redraw();
}
