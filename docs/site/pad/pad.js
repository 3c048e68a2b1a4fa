// A derivation pad: a text, its lines typeset and compared as one types, what is done and what is to do. Nothing is sent anywhere.
import { add, button } from "./kit.js";
import { judge } from "./judge.js";
import { latex } from "./writing.js";

const PAUSE = 300; // milliseconds after the last key

/** What is to do and its points, out of what was found in a text; and the sentence that says it. */
export function standing(given, found, { standing }) {
  const finished = !found.message && !found.unfinished && found.lines.length > 0;
  const steps = [...given.waypoints.map((step, place) => ({ ...step, done: found.reached[place] })), { ...given.end, done: finished }];
  const count = (some) => some.reduce((total, { points }) => total + points, 0);
  const points = `${count(steps.filter(({ done }) => done))} of ${count(steps)} points`;
  const words = found.empty || !found.lines.length ? "empty" : !finished ? "so far" : found.reached.every(Boolean) ? "done" : "step";
  const said = found.message || standing[words].replace("{start}", given.opening).replace("{unfinished}", found.unfinished);
  return { steps, points, said };
}

/** The text as the answer cell of a notebook; quotes that would end it there mean nothing in a derivation. */
export function cell({ cell: [before, after] }, text) {
  const begins = text.includes("\\") ? before.replace('"""', 'r"""') : before;
  return `${begins}\n${text.trimEnd().replaceAll('"""', "'''")}\n${after}`;
}

/** What this browser has kept of an exercise; it may refuse to. */
const kept = {
  key: ({ id }) => `bnlib ${id}`,
  get(given) { try { return localStorage.getItem(this.key(given)); } catch { return null; } },
  set(given, text) { try { localStorage.setItem(this.key(given), text); return true; } catch { return false; } },
};

export function draw(host, given, grammar) {
  const named = `pad-${given.id}`;
  host.className = "pad";
  add(host, "label", { for: named }, `Derive it here, a line for each step: ${given.id}`);
  const typed = add(host, "textarea", { id: named, spellcheck: "false", autocapitalize: "off", autocomplete: "off", autocorrect: "off" });
  const told = add(host, "p", { role: "status" });
  const table = add(add(host, "div", { class: "table-wrapper" }), "table");
  const todo = add(host, "ul");
  const copy = button(host, "Copy as the notebook's cell", () => {
    const text = cell(given, typed.value);
    const shown = () => {
      by.hidden = false;
      Object.assign(by, { value: text, rows: text.split("\n").length });
      by.select();
      told.textContent = "This browser does not copy: the cell is selected below, copy it with the keys.";
    };
    if (!navigator.clipboard) return shown();
    return navigator.clipboard.writeText(text).then(() => { told.textContent = "Copied: paste it over the answer cell in JupyterLab."; }, shown);
  });
  copy.setAttribute("aria-describedby", `${named}-kept`);
  const note = add(host, "small", { id: `${named}-kept` }, "Kept in this browser. JupyterLab also says which mistake it was, where it can tell, and has hint(...).");
  const by = add(host, "textarea", { readonly: "", hidden: "", "aria-label": `the answer cell of ${given.id}` });

  function show() {
    const found = judge(given, typed.value, grammar), { steps, points, said } = standing(given, found, grammar);
    host.classList.toggle("begun", found.lines.length > 0 && !found.empty);
    typed.rows = typed.value.split("\n").length + 1;
    table.replaceChildren();
    add(table, "caption", {}, points);
    const body = add(table, "tbody");
    found.lines.forEach((line, place) => {
      const { sign, style, said } = mark(grammar, found.wrong >= 0 && place > found.wrong ? "None" : line.ok ? "True" : "False");
      const row = add(body, "tr"), label = `line ${place + 1} ${said}`;
      add(row, "th", { scope: "row" }, String(place + 1));
      const sides = add(row, "td");
      if (place || !line.ok) add(sides, "span", { role: "img", "aria-label": label, title: label, style }, sign);
      typeset(add(row, "td", line.ok ? {} : { style }), line, place, given);
    });
    todo.replaceChildren();
    for (const { words, points, done } of steps) {
      const { sign, style } = mark(grammar, done ? "True" : "None"), item = add(todo, "li");
      add(item, "span", { role: "img", "aria-label": done ? "done" : "to do", style }, sign);
      item.append(` ${words} (${points} point${points === 1 ? "" : "s"})`);
    }
    if (told.textContent !== said) told.textContent = said;
  }

  let waiting;
  const take = (text) => {
    typed.value = text;
    show();
  };
  typed.addEventListener("input", () => {
    if (!kept.set(given, typed.value)) note.textContent = "This browser keeps nothing of this page: copy your text before you leave.";
    clearTimeout(waiting);
    waiting = setTimeout(show, PAUSE);
  });
  // The same page in another tab: the text typed there last stands here as well.
  addEventListener("storage", (event) => { if (event.key === kept.key(given) && event.newValue !== null) take(event.newValue); });
  take(kept.get(given) ?? `${given.opening}\n`);
}

const loaded = document.readyState === "complete" ? Promise.resolve() : new Promise((done) => { addEventListener("load", done); });
const mark = ({ marks }, ok) => marks[ok];

/** A line as MathJax writes it; as it was typed until then, and where it cannot be read. */
async function typeset(place, line, number, { typeset }) {
  add(place, "code", {}, `${number ? "= " : ""}${line.text}`);
  await loaded;
  await window.MathJax?.startup?.promise;
  if (!line.tree || !window.MathJax?.tex2svgPromise) return;
  place.replaceChildren(await MathJax.tex2svgPromise(`\\displaystyle ${number ? "= " : ""}${latex(line.tree, typeset)}`, { display: false }));
  dispatchEvent(new Event("resize")); // page.js looks which boxes scroll
}
