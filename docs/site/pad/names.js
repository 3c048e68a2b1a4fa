// What a formula may speak of, and its derivatives by the rules: bnlib/language/names.py and calculus.py.
import { FormulaError, add, apart, div, fresh, is, lettersOf, mul, namesOf, neg, node, num, power, rebuilt, reduce, ref, renamed, restored, walk } from "./tree.js";

/** Names as Python declared them: given {name: sizes}, sizes, defined {name: {letters, sizes, tree}}. */
export class Names {
  constructor({ given, sizes, defined }, { slopes }) {
    Object.assign(this, { given, sizes, slopes });
    this.defined = Object.fromEntries(Object.entries(defined).map(([name, each]) => [name, { ...each, tree: restored(each.tree) }]));
    this.all = [...Object.keys(given), ...Object.keys(defined)];
    this.contains = new Map();
  }

  has(name) { return Object.hasOwn(this.given, name) || Object.hasOwn(this.defined, name) || this.sizes.includes(name); }

  sizesOf(name) {
    if (Object.hasOwn(this.given, name)) return this.given[name];
    if (this.sizes.includes(name)) return [];
    const definition = this.definition(name);
    if (definition) return definition.sizes;
    throw new FormulaError(`${name} is not one of the names here: ${[...this.all, ...this.sizes].join(", ")}`);
  }

  /** What a name stands for; undefined where it is given. The derivative of a defined name is a defined name itself. */
  definition(name) {
    if (name.startsWith("d ") && !Object.hasOwn(this.defined, name)) {
      const [top, by] = split(name);
      const inner = this.definition(top);
      const letters = [...inner.letters];
      for (const size of this.sizesOf(by)) letters.push(fresh(size.toLowerCase(), new Set(letters)));
      const tree = this.derivative(inner.tree, ref(by, letters.slice(inner.letters.length)));
      this.defined[name] = { letters, sizes: [...inner.sizes, ...this.sizesOf(by)], tree };
    }
    return Object.hasOwn(this.defined, name) ? this.defined[name] : undefined;
  }

  /** Whether the definition of a name contains another, at any depth. */
  depends(name, by) { return this.insides(name).has(by); }

  insides(name) {
    if (!this.contains.has(name)) {
      const definition = this.definition(name);
      const direct = definition ? [...namesOf(definition.tree)] : [];
      this.contains.set(name, new Set(direct.flatMap((each) => [each, ...this.insides(each)])));
    }
    return this.contains.get(name);
  }

  /** The formula with every derivative carried out. */
  withoutD(tree) {
    if (tree.op === "d") return this.withoutD(this.derivative(...tree.args));
    return rebuilt(tree, tree.args.map((arg) => this.withoutD(arg)));
  }

  /** The derivative of a formula by one entry of a quantity. */
  derivative(tree, by) {
    const [name, at] = by.data;
    const of = (tree) => {
      const { op, args, data } = tree;
      if (op === "ref") {
        if (data[0] === name) return mul(...data[1].map((letter, place) => (letter === at[place] ? num(1) : node("delta", [], [letter, at[place]]))));
        return this.depends(data[0], name) ? ref(`d ${data[0]} / d ${name}`, [...data[1], ...at]) : num(0);
      }
      if (op === "num" || op === "delta") return num(0);
      if (op === "add") return add(...args.map(of));
      if (op === "neg") return neg(of(args[0]));
      if (op === "mul") return add(...args.map((each, place) => mul(...args.slice(0, place), of(each), ...args.slice(place + 1))));
      if (op === "div") {
        const [above, under] = args, rest = of(under);
        return add(div(of(above), under), is(rest, 0) ? rest : neg(div(mul(above, rest), power(under, [2, 1]))));
      }
      if (op === "pow") return mul(num(data[0] / data[1]), power(args[0], [data[0] - data[1], data[1]]), of(args[0]));
      if (op === "call") return mul(this.slope(data, args[0]), of(args[0]));
      if (op === "d") return of(this.derivative(...args));
      const sum = apart(tree, new Set(at));
      const [kind, over, unequal] = sum.data, body = sum.args[0];
      if (kind !== "variance") return reduce(kind, over, of(body), unequal);
      const inner = reduce("mean", over, body, unequal);
      return reduce("mean", over, mul(num(2), add(body, neg(inner)), add(of(body), neg(of(inner)))), unequal);
    };
    return of(tree);
  }

  /** The derivative of a function, out of Python's table, in which "any" stands for the argument. */
  slope(name, argument) {
    const put = (tree) => (tree.op === "any" ? argument : rebuilt(tree, tree.args.map(put)));
    return put(restored(this.slopes[name]));
  }

  /** What each letter of a formula counts, as far as the formula tells it; `known` tells the rest. */
  letterSizes(tree, known = {}) {
    const found = { ...known }, same = [];
    const note = (letter, size, place) => {
      letter = bare(letter);
      found[letter] ??= size;
      if (found[letter] !== size) throw new FormulaError(`${letter} counts ${found[letter]} in one place and ${size} in another (${place}): take two letters, or the other size`);
    };
    for (const { op, data } of walk(tree)) {
      if (op === "ref") {
        const [name, letters] = data, sizes = this.sizesOf(name);
        if (sizes.length !== letters.length) {
          const wanted = sizes.length ? `${name}[${[..."ijkl"].slice(0, sizes.length).join(", ")}]` : `${name} alone`;
          throw new FormulaError(`${name} has ${sizes.length} indices here, not ${letters.length}: write ${wanted}`);
        }
        letters.forEach((letter, place) => note(letter, sizes[place], `${name}[${letters.join(", ")}]`));
      } else if (op === "reduce") data[1].forEach(([letter, size]) => note(letter, size, `for ${letter} in ${size}`));
      else if (op === "delta") same.push(data);
    }
    for (const [one, two] of [...same, ...same]) {
      for (const [here, there] of [[one, two], [two, one]]) {
        if (found[bare(here)] !== undefined) note(there, found[bare(here)], `delta[${one}, ${two}]`);
      }
    }
    if (this.sizes.length === 1) lettersOf(tree).forEach((letter) => { found[bare(letter)] ??= this.sizes[0]; });
    return found;
  }
}

/** A letter without the strokes that made it another. */
export const bare = (letter) => letter.replace(/'+$/, "");

/** "d y / d x" taken apart at its last "/". */
function split(name) {
  const place = name.lastIndexOf(" / d ");
  return [name.slice(2, place), name.slice(place + 5)];
}
