// Trees as LaTeX, as in bnlib/language/writing.py; how names are typeset comes from Python. Only what one can type is written.

const [SUM, PRODUCT, POWER, ATOM] = [0, 1, 2, 3];
const LEVELS = { add: SUM, neg: SUM, mul: PRODUCT, reduce: PRODUCT, div: POWER, pow: POWER };

/** The formula for MathJax, without dollar signs. */
export function latex(tree, typeset, level = SUM) {
  const text = WRITTEN[tree.op](tree, (inside, least) => latex(inside, typeset, least), typeset);
  return (LEVELS[tree.op] ?? ATOM) < level ? `\\left(${text}\\right)` : text;
}

const WRITTEN = {
  num: ({ data }) => (Number.isInteger(data) ? String(data) : general(data, 6)),
  ref({ data: [name, letters] }, of, typeset) {
    const index = letters.filter((letter) => letter === letter.toLowerCase()).join(""), shown = typeset[name];
    if (!index) return shown;
    if (shown.startsWith("\\frac{\\partial")) return `${shown.slice(0, -1)}_{${index}}}`;
    return index.length > 1 ? `${shown}_{${index}}` : `${shown}_${index}`;
  },
  delta: ({ data }) => `\\delta_{${data.join("")}}`,
  add({ args: [first, ...others] }, of) {
    return others.reduce((text, term) => text + (term.op === "neg" ? ` - ${of(term.args[0], PRODUCT)}` : ` + ${of(term, SUM)}`), of(first, SUM));
  },
  neg: ({ args: [inside] }, of) => `-${of(inside, PRODUCT)}`,
  mul({ args }, of) {
    const parts = args.map((factor, place) => of(factor, place === args.length - 1 && factor.op !== "num" ? PRODUCT : POWER));
    return parts.reduce((text, part) => text + (/^\d/.test(part) ? " \\cdot " : "\\, ") + part);
  },
  div: ({ args: [above, below] }, of) => `\\frac{${of(above, SUM)}}{${of(below, SUM)}}`,
  pow({ args: [inside], data: [n, d] }, of) {
    let base = of(inside, ATOM);
    if (inside.op === "ref" && base.includes("^")) base = `\\left(${base}\\right)`;
    else if (inside.op === "ref" && base.includes("_") && base.includes("{") && !base.startsWith("\\hat")) base = `{${base}}`;
    return `${base}^{${d > 1 ? `${n}/${d}` : n}}`;
  },
  call({ args: [inside], data }, of) {
    const text = of(inside, SUM);
    return data === "sqrt" ? `\\sqrt{${text}}` : data === "abs" ? `\\left|${text}\\right|` : `\\operatorname{${data}}\\left(${text}\\right)`;
  },
  reduce({ args: [body], data: [kind, over, unequal] }, of) {
    if (kind === "variance" || over.some(([letter, size]) => letter === size)) {
      const sizes = over.map(([, size]) => size).join("");
      return `\\operatorname{${kind}}${over.length === 1 && sizes === "N" ? "" : `_{${sizes}}`}\\left(${of(body, SUM)}\\right)`;
    }
    const tests = unequal.map(([a, b]) => `,\\, ${a} \\neq ${b}`).join("");
    const counts = over.map(([letter, size]) => (unequal.flat().includes(letter) ? (over.length === 1 ? `${size} - 1` : `(${size} - 1)`) : size));
    return `${kind === "mean" ? `\\frac{1}{${counts.join("\\, ")}}` : ""}\\sum_{${over.map(([letter]) => letter).join(", ")}${tests}} ${of(body, PRODUCT)}`;
  },
  d({ args: [inside, by] }, of) {
    if (inside.op === "ref") return `\\frac{\\partial ${of(inside, POWER)}}{\\partial ${of(by, POWER)}}`;
    return `\\frac{\\partial}{\\partial ${of(by, POWER)}}\\left(${of(inside, SUM)}\\right)`;
  },
};

/** A number with so many digits, as Python's format "g" writes it. */
export function general(value, digits) {
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  let [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const half = new RegExp(`\\.\\d{${digits - 1}}50*e`).test(value.toExponential(60)); // between two: Python takes the even one
  if (half && mantissa.at(-1) % 2) mantissa = `${mantissa.slice(0, -1)}${mantissa.at(-1) - 1}`;
  const short = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (exponent >= -4 && exponent < digits) return short(Number(`${mantissa}e${exponent}`).toFixed(digits - 1 - exponent));
  return `${short(mantissa)}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}
