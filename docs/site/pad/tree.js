// The tree of a formula, as in bnlib/language/tree.py: every node is made once, so that formulas written alike are one object.

/** What cannot be read, or means nothing: one sentence for the person who wrote it. */
export class FormulaError extends Error {}

let made = new Map();

/** Forget all trees: nothing of an earlier judgement is compared with a later one. */
export const forget = () => { made = new Map(); };

/** The node of this kind, these parts and this data; `free` are the letters that nothing in it binds. */
export function node(op, args = [], data = null) {
  const key = `${op}(${args.map((arg) => arg.id)})${JSON.stringify(data)}`;
  if (!made.has(key)) made.set(key, { op, args, data, id: made.size, free: freeOf(op, args, data) });
  return made.get(key);
}

function freeOf(op, args, data) {
  if (op === "ref") return new Set(data[1]);
  if (op === "delta") return new Set(data);
  const free = new Set(args.flatMap((arg) => [...arg.free]));
  if (op === "reduce") {
    data[2].flat().forEach((letter) => free.add(letter));
    data[1].forEach(([letter]) => free.delete(letter));
  }
  return free;
}

/** A tree out of the JSON that Python made of one: [op, args, data]. */
export const restored = ([op, args, data]) => node(op, args.map(restored), data);

export const num = (value) => node("num", [], value);
export const ref = (name, letters = []) => node("ref", [], [name, letters]);
export const flat = (op, ...args) => node(op, args.flatMap((arg) => (arg.op === op ? arg.args : [arg])));
export const is = (tree, value) => tree.op === "num" && tree.data === value;

export function add(...terms) {
  const left = flat("add", ...terms).args.filter((term) => !is(term, 0));
  return left.length > 1 ? node("add", left) : left[0] ?? num(0);
}

export function mul(...factors) {
  const left = flat("mul", ...factors).args.filter((factor) => !is(factor, 1));
  if (left.some((factor) => is(factor, 0))) return num(0);
  return left.length > 1 ? node("mul", left) : left[0] ?? num(1);
}

export const neg = (tree) => (tree.op === "neg" ? tree.args[0] : is(tree, 0) ? tree : node("neg", [tree]));
export const div = (above, below) => (is(above, 0) || is(below, 1) ? above : node("div", [above, below]));
/** A power; its exponent is a fraction [above, below]. */
export const power = (base, [n, d]) => (n === 0 ? num(1) : n === d ? base : node("pow", [base], [n, d]));
export const reduce = (kind, over, body, unequal = []) => (is(body, 0) ? body : node("reduce", [body], [kind, over, unequal]));

const MAKERS = { add, mul, neg, div };

/** The same kind of node made of other parts. */
export function rebuilt(tree, args) {
  if (args.every((arg, place) => arg === tree.args[place])) return tree;
  if (MAKERS[tree.op]) return MAKERS[tree.op](...args);
  return tree.op === "reduce" ? reduce(tree.data[0], tree.data[1], args[0], tree.data[2]) : node(tree.op, args, tree.data);
}

/** The node and all below it, each occurrence once. */
export const walk = (tree) => [tree, ...tree.args.flatMap(walk)];

/** A formula and all below it, each once however often it stands there. */
export const below = (tree) => new Set(walk(tree));

/** All letters that occur, free or bound, in order of appearance. */
export function lettersOf(tree) {
  const found = new Set();
  for (const { op, data } of walk(tree)) {
    const own = op === "ref" ? data[1] : op === "delta" ? data : op === "reduce" ? [...data[1].map(([letter]) => letter), ...data[2].flat()] : [];
    own.forEach((letter) => found.add(letter));
  }
  return [...found];
}

export const freeLetters = (tree) => lettersOf(tree).filter((letter) => tree.free.has(letter));
export const namesOf = (tree) => new Set(walk(tree).filter(({ op }) => op === "ref").map(({ data }) => data[0]));

/** A letter that is not taken: the same with strokes behind it. */
export const fresh = (letter, taken) => (taken.has(letter) ? fresh(`${letter}'`, taken) : letter);

/** The formula with other free letters (a Map); bound ones give way where they would catch one. */
export function renamed(tree, letters) {
  const put = (from) => (letter) => from.get(letter) ?? letter;
  if (tree.op === "ref") return ref(tree.data[0], tree.data[1].map(put(letters)));
  if (tree.op === "delta") return node("delta", [], tree.data.map(put(letters)));
  if (tree.op !== "reduce") return rebuilt(tree, tree.args.map((arg) => renamed(arg, letters)));
  const [kind, over, unequal] = tree.data;
  const bound = over.map(([letter]) => letter);
  const inner = new Map([...letters].filter(([old]) => !bound.includes(old) && tree.free.has(old)));
  for (const letter of bound) {
    const taken = new Set(inner.values());
    if (taken.has(letter)) inner.set(letter, fresh(letter, new Set([...taken, ...lettersOf(tree)])));
  }
  return changed(kind, over, unequal, tree.args[0], inner);
}

/** A sum whose bound letters are none of those taken. */
export function apart(tree, taken) {
  const [kind, over, unequal] = tree.data;
  const all = new Set([...taken, ...lettersOf(tree)]);
  return changed(kind, over, unequal, tree.args[0], new Map(over.filter(([letter]) => taken.has(letter)).map(([letter]) => [letter, fresh(letter, all)])));
}

function changed(kind, over, unequal, body, letters) {
  const put = (letter) => letters.get(letter) ?? letter;
  return reduce(kind, over.map(([letter, size]) => [put(letter), size]), renamed(body, letters), unequal.map((pair) => pair.map(put)));
}
