// What a formula is worth: a table over its free letters, as in bnlib/language/values.py. A table is { letters, numbers }, row by row.
import { FormulaError, walk } from "./tree.js";
import { bare } from "./names.js";

const FUNCTIONS = { sqrt: Math.sqrt, exp: Math.exp, log: Math.log, abs: Math.abs, sign: Math.sign, positive: (a) => Number(a > 0) };
const constant = (value) => ({ letters: [], numbers: [value] });
const product = (numbers) => numbers.reduce((total, number) => total * number, 1);

/** Values of formulas on one draw: arrays { name: numbers row by row } and lengths { size: count }. */
export class Values {
  constructor(names, { arrays, lengths }) {
    Object.assign(this, { names, arrays, lengths, named: new Map() });
  }

  /** Value and size of a formula without derivatives, over these letters; `sizes` says what letters count. */
  of(tree, letters, sizes) {
    const line = new Line(this, this.names.letterSizes(tree, sizes));
    return ["value", "size"].map((kind) => line.over(letters, [line[kind](tree)], (a) => a).numbers);
  }

  /** Value and size of a name, with its sizes in the place of letters. */
  ofName(name) {
    if (!this.named.has(name)) {
      const definition = Object.hasOwn(this.arrays, name) ? undefined : this.names.definition(name);
      let found;
      if (definition) found = this.of(definition.tree, definition.letters, Object.fromEntries(definition.letters.map((letter, place) => [letter, definition.sizes[place]])));
      else {
        const numbers = this.arrays[name] ?? [this.length(name)];
        found = [numbers, numbers.map(Math.abs)];
      }
      this.named.set(name, found);
    }
    return this.named.get(name);
  }

  length(size) {
    if (!Object.hasOwn(this.lengths, size)) throw new FormulaError(`${size} is no size here: it is ${Object.keys(this.lengths).join(" or ")}`);
    return this.lengths[size];
  }

  /** How many numbers an evaluation makes at the most. */
  work(tree, sizes) {
    const counted = this.names.letterSizes(tree, sizes);
    const inside = (each) => new Set([...each.free, ...(each.op === "reduce" ? each.data[1].map(([letter]) => letter) : [])]);
    return walk(tree).reduce((total, each) => total + product([...inside(each)].map((letter) => this.length(counted[bare(letter)] ?? letter))), 0);
  }
}

/** The evaluation of one formula; equal parts are computed once. */
class Line {
  constructor(values, sizes) {
    Object.assign(this, { values, sizes, known: { value: new Map(), size: new Map() } });
  }

  length(letter) { return this.values.length(this.sizes[bare(letter)] ?? letter); }

  value(tree) { return this.once("value", tree); }

  /** The value with a plus for every minus: how large the numbers are that rounding happened to. */
  size(tree) { return this.once("size", tree); }

  once(kind, tree) {
    const known = this.known[kind];
    if (!known.has(tree)) known.set(tree, kind === "value" ? this.evaluated(tree) : this.sized(tree));
    return known.get(tree);
  }

  /**
   * A table over letters: f of the entries of other tables there, and of where that is. With `inner` letters behind, visit(place, value)
   * is called for all of them, and the place is that of the letters alone.
   */
  over(letters, tables, f, inner = [], unequal = []) {
    const every = [...letters, ...inner], lengths = every.map((letter) => this.length(letter)), at = every.map(() => 0);
    const steps = tables.map((table) => {
      const own = every.map(() => 0);
      table.letters.reduceRight((step, letter) => {
        own[every.indexOf(letter)] += step;
        return step * this.length(letter);
      }, 1);
      return own;
    });
    const apart = unequal.map((pair) => pair.map((letter) => every.indexOf(letter)));
    const numbers = new Array(product(lengths.slice(0, letters.length))).fill(0), counts = numbers.slice(), block = product(lengths.slice(letters.length));
    for (let place = 0; place < numbers.length * block; place++) {
      if (apart.every(([a, b]) => at[a] !== at[b])) {
        const entries = tables.map((table, number) => table.numbers[steps[number].reduce((index, step, axis) => index + step * at[axis], 0)]);
        numbers[Math.floor(place / block)] += f(...entries, at);
        counts[Math.floor(place / block)]++;
      }
      for (let axis = every.length - 1; axis >= 0 && ++at[axis] === lengths[axis]; axis--) at[axis] = 0;
    }
    return { letters, numbers, counts };
  }

  /** f, entry by entry. */
  each(f, ...tables) { return this.over([...new Set(tables.flatMap((table) => table.letters))], tables, f); }

  /** A sum or a mean of a table over letters. */
  total(kind, tree, body) {
    const found = this.over([...tree.free], [body], (a) => a, tree.data[1].map(([letter]) => letter), tree.data[2]);
    return kind === "sum" ? found : { ...found, numbers: found.numbers.map((number, place) => number / found.counts[place]) };
  }

  entries(tree, numbers) { return { letters: tree.data[1], numbers }; }

  evaluated(tree) {
    const { op, args, data } = tree;
    const [a, b] = op === "add" || op === "mul" ? [] : args.map((arg) => this.value(arg));
    if (op === "num") return constant(data);
    if (op === "ref") return this.entries(tree, this.values.ofName(data[0])[0]);
    if (op === "delta") return this.over(data, [], (at) => Number(at[0] === at[1]));
    if (op === "add") return args.map((arg) => this.value(arg)).reduce((x, y) => this.each((p, q) => p + q, x, y));
    if (op === "mul") return args.map((arg) => this.value(arg)).reduce((x, y) => this.each((p, q) => p * q, x, y));
    if (op === "neg") return this.each((p) => -p, a);
    if (op === "div") return this.each((p, q) => p / q, a, b);
    if (op === "pow") return this.each((p) => p ** (data[0] / data[1]), a);
    if (op === "call") return this.each(FUNCTIONS[data], a);
    if (data[0] !== "variance") return this.total(data[0], tree, a);
    return this.total("mean", tree, this.each((p, q) => (p - q) ** 2, a, this.total("mean", tree, a)));
  }

  sized(tree) {
    const { op, args, data } = tree;
    if (op === "num" || op === "delta") return this.each(Math.abs, this.value(tree));
    if (op === "ref") return this.entries(tree, this.values.ofName(data[0])[1]);
    const inside = args.map((arg) => this.size(arg));
    const [a, b] = inside;
    if (op === "add") return inside.reduce((x, y) => this.each((p, q) => p + q, x, y));
    if (op === "mul") return inside.reduce((x, y) => this.each((p, q) => p * q, x, y));
    if (op === "neg") return a;
    if (op === "div") return this.each((p, q, under) => (p * q) / under ** 2, a, b, this.value(args[1]));
    if (op === "pow") return this.each((p, base) => p * Math.abs(base) ** (data[0] / data[1] - 1), a, this.value(args[0]));
    if (op === "call") {
      if (data === "exp") return this.each((p, value) => Math.abs(value) * (1 + p), a, this.value(tree));
      if (data === "sqrt") return this.each((p, value, under) => Math.abs(value) * (1 + p / Math.abs(under)), a, this.value(tree), this.value(args[0]));
      if (data === "log") return this.each((p, value, under) => Math.abs(value) + p / Math.abs(under), a, this.value(tree), this.value(args[0]));
      return a;
    }
    if (data[0] !== "variance") return this.total(data[0], tree, a);
    return this.total("mean", tree, this.each((p, q) => (p + q) ** 2, a, this.total("mean", tree, a)));
  }
}
