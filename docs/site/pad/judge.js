// A text taken apart into lines, each compared with the one above: bnlib/chains/lines.py, forms.py and judge.py. Bounds come from Python.
import { FormulaError, below, forget, freeLetters, namesOf, renamed, restored, walk } from "./tree.js";
import { Names } from "./names.js";
import { Values } from "./values.js";
import { depthOf, read } from "./reading.js";
import { general } from "./writing.js";

/** The lines of a derivation: { text, loose }; a loose one begins with a sign and may go on with the one above. */
export function pieces(text, { longest_text, most_lines, operators, joining, equals }) {
  if ([...text].length > longest_text) throw new FormulaError(`this derivation has ${[...text].length} characters, and at most ${longest_text} are read`);
  const found = [];
  let depth = 0, goesOn = false;
  for (const typed of text.replaceAll("\r\n", "\n").split("\n")) {
    const part = typed.split("#")[0].trim();
    if (!part || /^raise NotImplementedError/.test(part)) continue;
    if (part.startsWith("=")) depth = 0;
    sides(part, depth, new RegExp(equals, "g")).forEach((side, place) => {
      const continues = place === 0 && (depth > 0 || goesOn || joining.includes(side[0]));
      side = side.replace(/\\$/, "").trimEnd();
      if (!side) return;
      if (continues && found.length) found.at(-1).text += ` ${side}`;
      else found.push({ text: side, loose: place === 0 && found.length > 0 && operators.includes(side[0]) });
    });
    depth = Math.max(0, depth + depthOf(part));
    goesOn = [...operators, "\\"].includes(part.at(-1));
  }
  if (found.length > most_lines) throw new FormulaError(`this derivation has ${found.length} lines, and at most ${most_lines} are read`);
  return found;
}

/** A line cut at every = that stands outside of brackets. */
function sides(part, depth, equals) {
  const cuts = [0];
  for (const { 0: sign, index } of part.matchAll(equals)) if (depth + depthOf(part.slice(0, index)) <= 0) cuts.push(index, index + sign.length);
  cuts.push(part.length);
  return cuts.flatMap((cut, place) => (place % 2 ? [] : [part.slice(cut, cuts[place + 1]).trim()]));
}

/** Whether a formula contains what a word of bnlib/chains/forms.py stands for. */
export function has(tree, word) {
  const inside = [...below(tree)], ops = (op) => inside.filter((each) => each.op === op);
  const multiplies = ({ op, data }) => op === "mul" || op === "div" || (op === "pow" && data[0] / data[1] > 1);
  if (word === "d" || word === "delta") return ops(word).length > 0;
  if (word === "d(factors)") return ops("d").some(({ args }) => [...below(args[0])].some(multiplies));
  if (word === "unequal") return ops("reduce").some(({ data }) => data[2].length > 0);
  if (word === "sum") return ops("reduce").length > 0;
  if (word === "nested") return ops("reduce").some(({ args }) => has(args[0], "sum"));
  if (word === "minus") return ops("neg").length > 0;
  const [, of, by] = /^d\((\w+)(?:,(\w+))?\)$/.exec(word) ?? [];
  if (of) return ops("d").some(({ args }) => (args[0].op === "ref" ? args[0].data[0] : "product") === of && [undefined, args[1].data[0]].includes(by));
  if (word.startsWith("sums>")) return ops("reduce").length > Number(word.slice(5));
  if (word.endsWith("[]")) return namesOf(tree).has(word.slice(0, -2));
  throw new Error(`no form is called ${word}`);
}

/** Where lines are compared: what Python made of an exercise, for one judgement. */
class Ground {
  constructor(exercise, grammar) {
    Object.assign(this, exercise, { grammar, work: 0, known: new Map() });
    this.names = new Names(exercise.names, grammar);
    this.start = restored(exercise.start);
    this.draws = exercise.draws.map((draw) => new Values(this.names, draw));
    this.scale = this.values(this.start).map(({ size }) => Math.max(...size, 1e-300));
  }

  read(text) { return read(text, this.names, this.grammar); }

  /** The same with the free letters that a first line uses, where it is the start in other letters. */
  called(tree) {
    const own = freeLetters(tree);
    if (String(own) === String(this.letters) || own.length !== this.letters.length || renamed(tree, new Map(own.map((letter, place) => [letter, this.letters[place]]))) !== this.start) return this;
    const sizes = Object.fromEntries(own.map((letter, place) => [letter, this.sizes[this.letters[place]]]));
    return Object.assign(Object.create(Ground.prototype), this, { start: tree, letters: own, sizes, known: new Map() });
  }

  /** What a line is worth on each draw, and how large the numbers are that this is added up from. */
  values(tree) {
    if (this.known.has(tree)) return this.known.get(tree);
    const unbound = [...tree.free].filter((letter) => !this.letters.includes(letter)).sort()[0];
    if (unbound) throw new FormulaError(this.unbound(unbound, tree));
    const { most_derivatives, most_nodes, most_work, most_work_in_all } = this.grammar;
    if (derivatives(tree) > most_derivatives || grown(tree) > most_nodes) throw new FormulaError("there is too much to differentiate in this line: do it in several lines");
    this.names.letterSizes(tree, this.sizes);
    const plain = this.names.withoutD(tree);
    const found = this.draws.map((draw) => {
      const work = draw.work(plain, this.sizes);
      this.work += work;
      if (work > most_work || this.work > most_work_in_all) throw new FormulaError("there are too many letters in use at once: finish some of the sums first");
      const [value, size] = draw.of(plain, this.letters, this.sizes);
      return { value, size };
    });
    this.known.set(tree, found);
    if (!found.every(({ value }) => value.every(Number.isFinite))) throw new FormulaError("this line has no value: it divides by zero, or takes a root of a negative number");
    return found;
  }

  unbound(letter, tree) {
    if (letter !== letter.toLowerCase()) {
      const [name] = [...below(tree)].find(({ op, data }) => op === "ref" && data[1].includes(letter)).data, count = this.names.sizesOf(name).length;
      return `${name} has ${count} ind${count === 1 ? "ex" : "ices"} here: write ${name}[${[..."jklm"].slice(0, count).join(", ")}]`;
    }
    const stays = this.letters.length ? `what stays free is ${this.letters.join(" and ")}` : "no letter stays free";
    return `nothing says what ${letter} is: a sum over ${letter} is missing, or another letter is meant (${stays})`;
  }

  /** Whether two lines differ by rounding only, on all draws. */
  same(one, other) {
    const [above, line] = [this.values(one), this.values(other)], { rounding, most_cancelled } = this.grammar;
    return this.scale.every((usual, draw) => {
      const [a, b] = [above[draw], line[draw]], size = largest(Math.max(...a.size), Math.max(...b.size), usual);
      if (!(size <= most_cancelled * usual)) throw new FormulaError("numbers so large are added and subtracted in this line that no digit of the result is left");
      return a.value.every((value, place) => Math.abs(value - b.value[place]) <= rounding * size);
    });
  }

  /** Where a line differs from the one above first, in words. */
  difference(one, other) {
    const [above, line] = [this.values(one), this.values(other)];
    for (const draw of above.keys()) {
      const [a, b] = [above[draw], line[draw]], off = a.value.map((wanted, place) => Math.abs(wanted - b.value[place])), most = Math.max(...off);
      if (most === 0) continue;
      let place = most && off.findIndex((each) => each > 1e-6 * most);
      const [wanted, got] = [a, b].map(({ value, size }) => (Math.abs(value[place]) > this.grammar.rounding * Math.max(...size) ? value[place] : 0));
      const at = this.letters.map((letter) => [letter, this.draws[draw].length(this.sizes[letter])]).reverse().map(([letter, length]) => {
        const where = `${letter} = ${(place % length) + 1}`;
        place = Math.floor(place / length);
        return where;
      });
      const digits = [3, 6, 10, 17].find((count) => general(got, count) !== general(wanted, count)) ?? 17;
      return `this line differs from the one above${at.length ? `, first at ${at.reverse().join(", ")}` : ""}: ${general(got, digits)} and not ${general(wanted, digits)}`;
    }
    return "this line differs from the one above";
  }
}

/** As Python's max: what is no number is passed over, unless it comes first. */
const largest = (first, ...others) => others.reduce((most, each) => (each > most ? each : most), first);
const derivatives = (tree) => Math.max(0, ...tree.args.map(derivatives)) + (tree.op === "d");
const grown = (tree) => (1 + tree.args.reduce((total, arg) => total + grown(arg), 0)) ** (tree.op === "d" ? 2 : 1);

/**
 * What is found in a text: its lines { text, tree, ok, message }, the place of the first that does not hold, the waypoints reached,
 * what the last line still contains, and what is wrong as a whole.
 */
export function judge(exercise, text, grammar) {
  forget();
  const nothing = { lines: [], wrong: -1, reached: exercise.waypoints.map(() => false), unfinished: "", message: "" };
  let ground = new Ground(exercise, grammar), waiting;
  try {
    waiting = pieces(text, grammar);
  } catch (error) {
    if (!(error instanceof FormulaError)) throw error;
    return { ...nothing, message: `${error.message[0].toUpperCase()}${error.message.slice(1)}.` };
  }
  if (!waiting.length) return { ...nothing, unfinished: "nothing is written yet" };
  const lines = [], written = (parts) => parts.map((part) => part.text).join(" ");
  while (waiting.length) {
    const behind = waiting.slice(1).findIndex((piece) => !piece.loose), run = behind < 0 ? waiting.length : behind + 1;
    const tries = Array.from({ length: run }, (_, count) => judged(ground, lines, written(waiting.slice(0, count + 1))));
    let used = tries.findIndex((line) => line.ok) + 1;
    if (!used && waiting[0].loose) {
      const longer = judged(ground, lines.slice(0, -1), `${lines.at(-1).text} ${waiting[0].text}`);
      if (longer.ok) {
        lines[lines.length - 1] = longer;
        waiting = waiting.slice(1);
        continue;
      }
    }
    used ||= waiting[0].loose ? 1 : run;
    const line = tries[used - 1];
    if (!lines.length && line.tree) ground = ground.called(line.tree);
    lines.push(line);
    waiting = waiting.slice(used);
  }
  const wrong = lines.findIndex((line) => !line.ok), good = (wrong < 0 ? lines : lines.slice(0, wrong)).map(({ tree }) => tree);
  let message = "";
  if (wrong >= 0) {
    const line = lines[wrong];
    line.message ||= ground.difference(wrong ? lines[wrong - 1].tree : ground.start, line.tree);
    message = `Line ${wrong + 1}: ${line.message}.`;
  }
  const left = wrong < 0 && exercise.form.find(([word]) => has(lines.at(-1).tree, word));
  const empty = !message && lines.every(({ tree }) => tree === ground.start);
  return { lines, wrong, reached: reached(good, exercise.waypoints), unfinished: left ? left[1] : "", message, empty };
}

/** One line, compared with the last before it, or with the start where there is none. */
function judged(ground, before, text) {
  let tree;
  try {
    tree = ground.read(text);
    if (!before.length) {
      ground = ground.called(tree);
      const begins = ["d", "ref"].includes(tree.op) && !([...tree.free].every((letter) => ground.letters.includes(letter)) && ground.same(ground.start, tree));
      if (begins) return { text, tree, ok: false, message: `this derivation begins with ${ground.opening}, and this is something else` };
    }
    ground.values(tree);
    const above = before.length ? before.at(-1).tree : ground.start;
    return { text, tree, ok: above && ground.same(above, tree), message: "" };
  } catch (error) {
    if (!(error instanceof FormulaError)) throw error;
    return { text, tree, ok: false, message: error.message };
  }
}

/** Which waypoints lines have passed; one that says only what is gone counts where the one before was reached. */
function reached(trees, waypoints) {
  return waypoints.reduce((found, { ways, earlier }) => {
    const passed = trees.some((tree) => ways.some(([wanted, gone]) => (!wanted.length || wanted.some((word) => has(tree, word))) && !gone.some((word) => has(tree, word))));
    return [...found, passed && (earlier || found.at(-1) === true)];
  }, []);
}
