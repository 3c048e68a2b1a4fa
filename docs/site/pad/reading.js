// Text into trees, as in bnlib/language/reading.py: a short list of what is allowed. Signs, words and bounds come from Python (`grammar`).
import { FormulaError, flat, lettersOf, node, num, power, ref } from "./tree.js";

const PRECEDENCE = { "|": 1, "&": 2, "<<": 3, ">>": 3, "+": 4, "-": 4, "*": 5, "/": 5, "//": 5, "%": 5, "@": 5 };
const COMPARED = ["==", "!=", "<", ">", "<=", ">=", "in", "is"];
const UNARY = 6, RAISED = 7, WHOLE = 8;
const TOKEN = /\s*(?:((?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|("[^"]*"|'[^']*')|(\*\*|\/\/|<<|>>|[=!<>:]=|[^\s]))/y;

class Unread extends Error {}

const fail = (said) => { throw new FormulaError(said); };
const bracket = (char) => Number("([{".includes(char)) - Number(")]}".includes(char));
export const depthOf = (text) => [...text].reduce((depth, char) => depth + bracket(char), 0);

/** A character, or its number where there is nothing to see. */
function visible(char) {
  const number = char.codePointAt(0), [kind, digits] = number < 0x100 ? ["x", 2] : number < 0x10000 ? ["u", 4] : ["U", 8];
  return /[\p{C}\p{Z}]/u.test(char) ? `\\${kind}${number.toString(16).padStart(digits, "0")}` : char;
}

/** A line in plain letters. */
function tidy(text, { signs, hats, longest, deepest }) {
  if ([...text].length > longest) fail(`this line has ${[...text].length} characters, and at most ${longest} are read: write it in several lines`);
  text = [...text].map((char) => (Object.hasOwn(signs, char) ? signs[char] : char)).join("").replaceAll("^", "**");
  for (const [hat, name] of Object.entries(hats)) text = text.replaceAll(hat, name);
  let depth = 0, most = 0;
  for (const char of text) {
    if (!/[ -~\n\t]/.test(char)) fail(`the character '${visible(char)}' means nothing here: write it in plain letters, as in sum(x[k] for k in N)`);
  }
  for (const char of text) {
    depth += bracket(char);
    most = Math.max(most, depth);
    if (depth < 0) fail(`there is one ${char} more than was opened`);
  }
  if (most > deepest) fail(`brackets are nested ${most} deep, and at most ${deepest} are read`);
  if (depth) fail("a bracket is not closed");
  return text.trim();
}

/** The tree of one formula. */
export function read(text, names, grammar) {
  const plain = tidy(text, grammar);
  if (!plain) fail("there is nothing here");
  let parsed;
  try {
    parsed = new Parser(plain, grammar).whole();
  } catch (error) {
    if (error instanceof Unread) fail(syntax(plain, error.message, names));
    throw error instanceof RangeError ? new FormulaError("this line is nested too deeply to be read") : error;
  }
  const tree = new Reader(names, grammar).node(parsed);
  names.letterSizes(tree);
  if (lettersOf(tree).length > grammar.most_letters) fail(`more than ${grammar.most_letters} different letters are in use: letters of finished sums can be used again`);
  return tree;
}

/** What to say of a line that has no grammar; `at` is where it was noticed. */
function syntax(text, at, names) {
  if (text.replaceAll("==", "").replaceAll("!=", "").includes("=")) return "one = too many: a line is one formula, and an = stands at its beginning only";
  if (/\bfor\s+\w+\s*,|\bin\s+\w+\s*,/.test(text)) return "every letter has a for of its own: for k in N for l in D";
  for (const [all, kind] of text.matchAll(/\b(sum|mean)(_\w*)?\b(?!\s*\()/g)) if (!names.has(all)) return `a ${kind} is typed ${kind}(... for k in N)`;
  const words = text.replace(/\b(for|in|if|and|not|or)\b/g, (word) => "+".repeat(word.length));
  const gap = /[\w)\]]\s+[A-Za-z_(]|(?<![\w.])\d+[A-Za-z_]/.exec(words);
  if (gap) {
    const behind = "(?:\\[[^\\[\\]]*\\]|\\((?:[^()\\[\\]]|\\[[^\\[\\]]*\\])*\\))?";
    const left = new RegExp(`\\w*${behind}$`).exec(text.slice(0, gap.index + 1))[0];
    const right = new RegExp(`^\\w*${behind}`).exec(text.slice(gap.index + gap[0].length - 1))[0];
    return `something is missing between ${left} and ${right}: a product needs its *`;
  }
  return `this is no formula, near '${text.slice(Math.max(0, at - 6), Number(at) + 10).trim()}'`;
}

/** What Python's grammar makes of a line, as far as a learner may type it: { is: "name", id: "x" } and so on. */
class Parser {
  constructor(text, { keywords }) {
    this.tokens = [];
    TOKEN.lastIndex = 0;
    for (let match; (match = TOKEN.exec(text)); ) {
      const [all, number, name, string, sign] = match;
      const at = match.index + all.length - (number ?? name ?? string ?? sign).length;
      if (number && (/\w/.test(text[TOKEN.lastIndex] ?? "") || /^0+[1-9]\d*$/.test(number))) throw new Unread(at);
      this.tokens.push({ at, number, string, name: keywords.includes(name) ? undefined : name, sign: keywords.includes(name) ? name : sign });
    }
    this.end = text.length;
    this.place = 0;
  }

  get next() { return this.tokens[this.place] ?? { at: this.end, sign: "the end" }; }
  met(sign) { return this.next.sign === sign && Boolean(++this.place); }
  need(sign) { if (!this.met(sign)) throw new Unread(this.next.at); }

  whole() {
    const found = this.items("the end");
    if (this.place < this.tokens.length) throw new Unread(this.next.at);
    return found;
  }

  /** One formula, a generator, or a tuple, up to what closes it. */
  items(closing) {
    const first = this.generator();
    if (this.next.sign !== ",") return first;
    const items = [first];
    while (this.met(",") && this.next.sign !== closing) items.push(this.formula());
    if (items.length > 1 && first.is === "generator") throw new Unread(this.next.at);
    return { is: "tuple", items };
  }

  generator() {
    const body = this.formula();
    if (this.next.sign !== "for") return body;
    const fors = [];
    while (this.met("for")) {
      const target = this.binary(1);
      this.need("in");
      const over = this.either(), tests = [];
      while (this.met("if")) tests.push(this.either());
      fors.push({ target, over, tests });
    }
    return { is: "generator", body, fors };
  }

  formula() {
    const body = this.either();
    if (!this.met("if")) return body;
    const test = this.either();
    this.need("else");
    return { is: "choice", body, test, other: this.formula() };
  }

  either() { return this.words("or", () => this.words("and", () => this.not())); }

  words(word, part) {
    const first = part();
    if (this.next.sign !== word) return first;
    const items = [first];
    while (this.met(word)) items.push(part());
    return { is: "words", word, items };
  }

  not() {
    if (this.met("not")) return { is: "unary", sign: "not ", of: this.not() };
    const left = this.binary(1), rest = [];
    while (COMPARED.includes(this.next.sign)) rest.push([this.tokens[this.place++].sign, this.binary(1)]);
    return rest.length ? { is: "compared", left, rest } : left;
  }

  binary(level) {
    let left = this.unary();
    for (let own; (own = PRECEDENCE[this.next.sign]) >= level; ) {
      const { sign } = this.tokens[this.place++];
      left = { is: "binary", sign, left, right: this.binary(own + 1) };
    }
    return left;
  }

  unary() {
    for (const sign of ["+", "-", "~"]) if (this.met(sign)) return { is: "unary", sign, of: this.unary() };
    const base = this.behind(this.atom());
    return this.met("**") ? { is: "binary", sign: "**", left: base, right: this.unary() } : base;
  }

  atom() {
    const { at, number, name, string, sign } = this.next;
    this.place++;
    if (number !== undefined) return { is: "number", value: Number(number.replaceAll("_", "")), text: number };
    if (name !== undefined) return { is: "name", id: name };
    if (string !== undefined || ["True", "False", "None"].includes(sign)) return { is: "constant", text: string ?? sign };
    const closing = { "(": ")", "[": "]", "{": "}" }[sign];
    if (!closing) throw new Unread(at);
    if (this.met(closing)) return { is: "list", open: sign, items: [] };
    const inside = this.items(closing);
    this.need(closing);
    return sign === "(" ? inside : { is: "list", open: sign, items: inside.is === "tuple" ? inside.items : [inside] };
  }

  /** Indices, arguments and attributes behind something. */
  behind(of) {
    if (this.met("[")) {
      const inside = this.items("]");
      this.need("]");
      return this.behind({ is: "entry", of, items: inside.is === "tuple" ? inside.items : [inside] });
    }
    if (this.met("(")) {
      const args = [];
      let keywords = false;
      while (this.next.sign !== ")") {
        const arg = this.generator();
        if (arg.is === "name" && this.met("=")) { keywords = true; this.generator(); }
        args.push(arg);
        if (!this.met(",")) break;
      }
      this.need(")");
      if (args.length > 1 && args.some((arg) => arg.is === "generator")) throw new Unread(this.next.at);
      return this.behind({ is: "call", of, args, keywords });
    }
    if (this.met(".")) {
      const { name } = this.next;
      if (name === undefined) throw new Unread(this.next.at);
      this.place++;
      return this.behind({ is: "attribute", of, name });
    }
    return of;
  }
}

/** A part of a line, as Python writes it. */
function written(item, level = 0) {
  const own = item.is === "binary" ? (item.sign === "**" ? RAISED : PRECEDENCE[item.sign]) : item.is === "unary" ? (item.sign === "not " ? 0.5 : UNARY)
    : ["compared", "words", "choice"].includes(item.is) ? 0.5 : WHOLE;
  const text = {
    number: () => item.text,
    name: () => item.id,
    constant: () => item.text.replaceAll('"', "'"),
    tuple: () => `(${item.items.map((each) => written(each)).join(", ")})`,
    list: () => `${item.open}${item.items.map((each) => written(each)).join(", ")}${{ "(": ")", "[": "]", "{": "}" }[item.open]}`,
    entry: () => `${written(item.of, WHOLE)}[${item.items.map((each) => written(each)).join(", ")}]`,
    attribute: () => `${written(item.of, WHOLE)}.${item.name}`,
    call: () => `${written(item.of, WHOLE)}(${item.args.map((each) => written(each)).join(", ")})`,
    unary: () => `${item.sign}${written(item.of, own)}`,
    binary: () => `${written(item.left, item.sign === "**" ? own + 0.5 : own)} ${item.sign} ${written(item.right, item.sign === "**" ? UNARY : own + 0.5)}`,
    compared: () => [written(item.left, 1), ...item.rest.map(([sign, right]) => `${sign} ${written(right, 1)}`)].join(" "),
    words: () => item.items.map((each) => written(each, 1)).join(` ${item.word} `),
    choice: () => `${written(item.body, 1)} if ${written(item.test, 1)} else ${written(item.other)}`,
    generator: () => `(${written(item.body)}${item.fors.map(({ target, over, tests }) => ` for ${written(target)} in ${written(over)}${tests.map((test) => ` if ${written(test)}`).join("")}`).join("")})`,
  }[item.is]();
  return own < level ? `(${text})` : text;
}

const shown = (item) => {
  const text = written(item);
  return text.length <= 40 ? text : `${text.slice(0, 37)}...`;
};
const isLetter = (item) => item.is === "name" && /^[a-z]$/.test(item.id);

/** From grammar to trees; whatever is not listed is refused. */
class Reader {
  constructor(names, grammar) { Object.assign(this, { names, grammar, depth: 0 }); }

  node(item) {
    if (++this.depth > 2 * this.grammar.deepest) fail("this line is nested too deeply to be read");
    const read = this[`_${item.is}`];
    if (!read) fail(`${shown(item)} means nothing here`);
    const found = read.call(this, item);
    this.depth--;
    return found;
  }

  _number({ value }) {
    if (value > this.grammar.largest_number) fail(`numbers go up to ${this.grammar.largest_number}`);
    return num(value);
  }

  _constant(item) { fail(`${shown(item)} is no number`); }
  _tuple() { fail("there is a comma where none belongs"); }
  _generator() { fail("what is to be done with all these? Write sum(... for k in N) or mean(... for k in N)"); }

  _name({ id }) {
    if (!this.names.has(id)) fail(this.unknown(id));
    return ref(id, this.names.sizesOf(id));
  }

  _entry(item) {
    if (item.of.is === "entry") fail(`all indices stand in one bracket: ${shown(item).replaceAll("][", ", ")}, not ${shown(item)}`);
    if (item.of.is !== "name") fail(`only names have indices: ${shown(item)}`);
    const name = item.of.id;
    for (const part of item.items) if (!isLetter(part)) fail(`an index is one small letter: ${name}[k], not ${shown(item)}`);
    const letters = item.items.map((part) => part.id);
    if (name === "delta") {
      if (letters.length !== 2) fail("delta has two indices: delta[k, i]");
      return letters[0] === letters[1] ? num(1) : node("delta", [], letters);
    }
    if (!this.names.has(name)) fail(this.unknown(name));
    return ref(name, letters);
  }

  _unary(item) {
    if (item.sign === "+") return this.node(item.of);
    if (item.sign !== "-") fail(`${shown(item)} means nothing here`);
    return node("neg", [this.node(item.of)]);
  }

  _binary(item) {
    if (item.sign === "**") return this.power(this.node(item.left), item.right);
    if (!["+", "-", "*", "/"].includes(item.sign)) fail(`${shown(item)} means nothing here: there are +, -, *, / and **`);
    this.depth--; // long sums nest to the left: their length is no depth
    let left = this.node(item.left);
    this.depth++;
    const right = this.node(item.right);
    if (item.sign === "+") return flat("add", left, right);
    if (item.sign === "-") return flat("add", left, node("neg", [right]));
    const minus = left.op === "neg"; // -a * b is -(a * b)
    if (minus) left = left.args[0];
    const found = item.sign === "*" ? flat("mul", left, right) : node("div", [left, right]);
    return minus ? node("neg", [found]) : found;
  }

  power(base, item) {
    const exponent = fraction(item);
    if (!exponent || !exponent[1]) fail("an exponent is a number, as in (var + eps)**(-3/2)");
    const largest = this.grammar.largest_exponent;
    if (Math.abs(exponent[0] / exponent[1]) > largest) fail(`exponents go up to ${largest}`);
    return power(base, exponent);
  }

  _call(item) {
    const { of, args, keywords } = item, name = of.is === "name" ? of.id : "", { functions, reductions } = this.grammar;
    if (["number", "constant"].includes(of.is) && args[0]?.is === "compared") fail(`write delta[k, i], not ${shown(item)}`);
    if (keywords || !args.length) fail(`${shown(item)} means nothing here`);
    if (name === "d") {
      if (args.length !== 2) fail("a derivative is d(of this, by that): d(y[k], x[i])");
      const by = this.node(args[1]);
      if (by.op !== "ref") fail("one differentiates by a name with its indices: d(y[k], x[i])");
      return node("d", [this.node(args[0]), by]);
    }
    if (reductions.includes(name)) return this.reduction(name, args);
    if (!functions.includes(name) || args.length !== 1) {
      const inside = args.map(shown).join(", ");
      if ((name === "delta" || this.names.has(name)) && /^[a-z](, [a-z])*$/.test(inside)) fail(`indices stand in square brackets: ${name}[${inside}]`);
      if (this.names.has(name) || ["number", "constant", "entry", "binary"].includes(of.is)) fail(`something is missing behind ${shown(of)}: a product needs its *`);
      const known = [...reductions, ...functions.slice(0, 2), "d"].map((each) => `${each}(...)`).join(", ");
      fail(`${name || shown(of)}(...) means nothing here: there are ${known}`);
    }
    return node("call", [this.node(args[0])], name);
  }

  reduction(kind, [first, ...rest]) {
    const { sizes } = this.names;
    if (first.is !== "generator") {
      const given = rest.filter((each) => each.is === "name").map((each) => each.id);
      if (given.length < rest.length || given.some((size) => !sizes.includes(size))) fail(`${kind}(...) is over ${sizes.join(" or ")}: ${kind}(x, ${sizes.at(-1)})`);
      const body = this.node(first);
      const letter = [...body.free].filter((each) => each === each.toLowerCase()).sort().at(-1);
      if (letter) fail(`say over which letter: ${kind}(... for ${letter} in ${this.names.letterSizes(body)[letter] ?? sizes[0]})`);
      return node("reduce", [body], [kind, (given.length ? given : sizes.slice(0, 1)).map((size) => [size, size]), []]);
    }
    const pairs = [], unequal = [];
    for (const { target, over, tests } of first.fors) {
      if (!isLetter(target)) fail(`a ${kind} runs over one small letter: for k in ${sizes[0]}`);
      if (over.is !== "name" || !sizes.includes(over.id)) fail(`${target.id} runs over ${sizes.join(" or ")}, not over ${shown(over)}`);
      pairs.push([target.id, over.id]);
      for (const test of tests) {
        const [sign, right] = test.is === "compared" && test.rest.length === 1 ? test.rest[0] : [];
        if (sign !== "!=" || test.left.is !== "name" || right.is !== "name") fail(`a condition is written if k != i, not if ${shown(test)}`);
        unequal.push([test.left.id, right.id]);
      }
    }
    if (new Set(pairs.map(([letter]) => letter)).size < pairs.length) fail(`${pairs.at(-1)[0]} is summed twice in one ${kind}`);
    return node("reduce", [this.node(first.body)], [kind, pairs, unequal]);
  }

  unknown(name) {
    const { all, sizes } = this.names, plain = (text) => text.toLowerCase().replaceAll("_", "");
    const meant = all.findLast((known) => plain(known) === plain(name));
    if (meant) return `${name} is written ${meant} here`;
    if (name[0] === "d" && this.names.has(name.slice(1))) return `${name} is not one of the names here: a derivative is typed d(of this, by that), as in d(y[k], x[i])`;
    return `${name} is not one of the names here: ${[...all, ...sizes].join(", ")}`;
  }
}

/** The value of an exponent as [above, below] in lowest terms; undefined where it is no number. */
function fraction(item) {
  if (item.is === "number" && item.value < 100) {
    const near = (below) => Math.abs(Math.round(item.value * below) / below - item.value);
    let below = 1;
    for (let each = 2; each <= 100; each++) if (near(each) < near(below)) below = each;
    return [Math.round(item.value * below), below];
  }
  if (item.is === "unary" && item.sign === "-") {
    const inside = fraction(item.of);
    return inside && [-inside[0], inside[1]];
  }
  if (item.is !== "binary" || item.sign !== "/") return undefined;
  const [above, below] = [fraction(item.left), fraction(item.right)];
  if (!above || !below || !below[0]) return undefined;
  const sign = Math.sign(below[0]), [n, d] = [sign * above[0] * below[1], sign * above[1] * below[0]];
  const shared = common(Math.abs(n), d);
  return [n / shared, d / shared];
}

const common = (a, b) => (b ? common(b, a % b) : a);
