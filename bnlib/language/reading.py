r"""Text into trees, with Python's own grammar and a short list of what is allowed; nothing is ever run.

A line is ``formula``, ``name = formula`` or ``name[i, j] = formula``, with ``# eq. 3.1`` behind it where the lesson numbers
it; ``name[i: N, j: D] = formula`` also says what letters count where the formula does not. Index notation names every entry, ``mean(dout[k] for k in N if k != i)``, ``delta[k, i]``, ``d(y[k], x[i])``; array
notation leaves the indices out, ``mean(x)``, ``sum(x, D)``, and a mean is over the first size that the names know.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from bnlib.language import tree
from bnlib.language.names import Definition, FormulaError, Names
from bnlib.language.tree import FUNCTIONS, REDUCTIONS, Node, flat, num, power, ref

LONGEST = 2_000
DEEPEST = 40
MOST_LETTERS = 8
LARGEST_EXPONENT = 8
LARGEST_NUMBER = 10**6

SIGNS = {
    "·": "*", "×": "*", "∙": "*", "⋅": "*", "−": "-", "–": "-", "÷": "/", "^": "^", "²": "^2", "³": "^3",
    "μ": "mu", "µ": "mu", "σ": "sigma", "γ": "gamma", "β": "beta", "δ": "delta", "ε": "eps", "ϵ": "eps", "Σ": "sum",
    "∑": "sum", "√": "sqrt", "∂": "d", "≠": "!=", "∈": " in ", "\u00a0": " ",
}  # fmt: skip
_BRACKET = r"(?:\[[^\[\]]*\]|\((?:[^()\[\]]|\[[^\[\]]*\])*\))?"
"""The indices behind a name, or what stands in brackets, where there is some; none inside another."""

HATS = {"x\u0302": "x_hat", "y\u0302": "y_hat"}

_PLAIN = str.maketrans(SIGNS)


def tidy(text: str) -> str:
    """A line in plain letters: what a Greek letter, a raised 2 or a dot for a product stands for, and ``^`` for ``**``.

    Raises:
        FormulaError: The line is too long, nested too deeply, or holds a character that means nothing here.
    """
    if len(text) > LONGEST:
        raise FormulaError(
            f"this line has {len(text)} characters, and at most {LONGEST} are read: write it in several lines"
        )
    text = text.translate(_PLAIN).replace("^", "**")
    for hat, name in HATS.items():
        text = text.replace(hat, name)
    for char in text:
        if not (char.isascii() and (char.isprintable() or char in "\n\t")):
            raise FormulaError(
                f"the character {char!r} means nothing here: write it in plain letters, as in sum(x[k] for k in N)"
            )
    depth = deepest = 0
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        deepest = max(deepest, depth)
        if depth < 0:
            raise FormulaError(f"there is one {char} more than was opened")
    if deepest > DEEPEST:
        raise FormulaError(f"brackets are nested {deepest} deep, and at most {DEEPEST} are read")
    if depth:
        raise FormulaError("a bracket is not closed")
    return text


def read(text: str, names: Names, check: bool = True) -> Node:
    """The tree of one formula.

    Args:
        text: The formula.
        names: What it may speak of.
        check: Whether to refuse unknown names and indices that do not fit. Patterns of rules have neither.

    Raises:
        FormulaError: It is no formula of this language; the message says what to write.
    """
    plain = tidy(text).strip()
    if not plain:
        raise FormulaError("there is nothing here")
    try:
        body = ast.parse(f"({plain}\n)", mode="eval").body
    except SyntaxError as error:
        raise FormulaError(_syntax(plain, error, names)) from None
    except (RecursionError, MemoryError, ValueError):
        raise FormulaError("this line is nested too deeply to be read") from None
    node = _Reader(names, pattern=not check).node(body)
    if check:
        names.letter_sizes(node)
    if len(set(tree.letters_of(node))) > MOST_LETTERS:
        raise FormulaError(
            f"more than {MOST_LETTERS} different letters are in use: letters of finished sums can be used again"
        )
    return node


def line(text: str, names: Names) -> Definition:
    """One line ``name = formula  # eq. 3.1`` of a derivation.

    Raises:
        FormulaError: It is none.
    """
    text, _, where = text.partition("#")
    left, equals, right = text.partition("=")
    match = re.fullmatch(r"\s*([A-Za-z_]\w*)\s*(?:\[([\w\s,:]*)\])?\s*", tidy(left))
    if not equals or not match:
        raise FormulaError(f"write name = formula, not {text.strip()}")
    node = read(right, names)
    free = node.free
    pairs = [part.partition(":")[::2] for part in match[2].split(",")] if match[2] is not None else []
    told = {letter.strip(): size.strip() for letter, size in pairs if size.strip()}
    sizes = names.letter_sizes(node, told)
    letters = tuple(letter.strip() for letter, _ in pairs) or tuple(size for size in names.sizes if size in free)
    if unbound := sorted(free - set(letters)):
        raise FormulaError(f"{', '.join(unbound)} is on the right and not on the left of {match[1]}")
    return Definition(match[1], letters, tuple(sizes.get(letter, letter) for letter in letters), node, where.strip())


def define(names: Names, text: str) -> Names:
    """Define the names of several lines, each from those above; empty lines and comments are passed over."""
    for each in text.splitlines():
        if each.partition("#")[0].strip():
            names.define(line(each, names))
    return names


def _syntax(text: str, error: SyntaxError, names: Names) -> str:
    at = (error.offset or 1) - 2
    if "=" in text.replace("==", "").replace("!=", ""):
        return "one = too many: a line is one formula, and an = stands at its beginning only"
    if re.search(r"\bfor\s+\w+\s*,|\bin\s+\w+\s*,", text):
        return "every letter has a for of its own: for k in N for l in D"
    for found in re.finditer(r"\b(sum|mean)(_\w*)?\b(?!\s*\()", text):
        if found[0] not in names:
            return f"a {found[1]} is typed {found[1]}(... for k in N)"
    words = re.sub(r"\b(for|in|if|and|not|or)\b", lambda m: "+" * len(m[0]), text)
    if gap := re.search(r"[\w)\]]\s+[A-Za-z_(]|(?<![\w.])\d+[A-Za-z_]", words):
        left = re.findall(rf"\w*{_BRACKET}$", text[: gap.start() + 1])[0]
        right = re.findall(rf"^\w*{_BRACKET}", text[gap.end() - 1 :])[0]
        return f"something is missing between {left} and {right}: a product needs its *"
    return f"this is no formula, near {text[max(0, at - 6) : at + 10].strip()!r}"


class _Reader:
    """From Python's syntax tree to ours; whatever is not listed is refused."""

    def __init__(self, names: Names, pattern: bool) -> None:
        self.names, self.pattern = names, pattern
        self.depth = 0

    def node(self, item: ast.AST) -> Node:
        self.depth += 1
        if self.depth > 2 * DEEPEST:
            raise FormulaError("this line is nested too deeply to be read")
        read: Callable[[Any], Node] | None = getattr(self, f"_{type(item).__name__.lower()}", None)
        if read is None:
            raise FormulaError(f"{_shown(item)} means nothing here")
        found = read(item)
        self.depth -= 1
        return found

    def _constant(self, item: ast.Constant) -> Node:
        value = item.value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise FormulaError(f"{_shown(item)} is no number")
        if abs(value) > LARGEST_NUMBER:
            raise FormulaError(f"numbers go up to {LARGEST_NUMBER}")
        return num(value)

    def _name(self, item: ast.Name) -> Node:
        name = item.id
        if self.pattern and len(name.rstrip("0123456789")) == 1 and name[0].isupper() and name not in self.names.sizes:
            return Node("any", (), name)
        if self.pattern and name not in self.names:
            return ref(name, ())
        if name not in self.names:
            raise FormulaError(_unknown(name, self.names))
        return ref(name, self.names.sizes_of(name))

    def _subscript(self, item: ast.Subscript) -> Node:
        if isinstance(item.value, ast.Subscript):
            one = _shown(item).replace("][", ", ")
            raise FormulaError(f"all indices stand in one bracket: {one}, not {_shown(item)}")
        if not isinstance(item.value, ast.Name):
            raise FormulaError(f"only names have indices: {_shown(item)}")
        name = item.value.id
        parts = item.slice.elts if isinstance(item.slice, ast.Tuple) else [item.slice]
        letters = []
        for part in parts:
            if not isinstance(part, ast.Name) or not re.fullmatch(r"[a-z]", part.id):
                raise FormulaError(f"an index is one small letter: {name}[k], not {_shown(item)}")
            letters.append(part.id)
        if name == "delta":
            if len(letters) != 2:
                raise FormulaError("delta has two indices: delta[k, i]")
            return tree.ONE if letters[0] == letters[1] else Node("delta", (), tuple(letters))
        if name not in self.names and not self.pattern:
            raise FormulaError(_unknown(name, self.names))
        return ref(name, tuple(letters))

    def _unaryop(self, item: ast.UnaryOp) -> Node:
        if isinstance(item.op, ast.UAdd):
            return self.node(item.operand)
        if not isinstance(item.op, ast.USub):
            raise FormulaError(f"{_shown(item)} means nothing here")
        return Node("neg", (self.node(item.operand),))

    def _binop(self, item: ast.BinOp) -> Node:
        if isinstance(item.op, ast.Pow):
            return self._power(self.node(item.left), item.right)
        if not isinstance(item.op, (ast.Add, ast.Sub, ast.Mult, ast.Div)):
            raise FormulaError(f"{_shown(item)} means nothing here: there are +, -, *, / and **")
        # Long sums nest to the left: their length is no depth.
        self.depth -= 1
        left = self.node(item.left)
        self.depth += 1
        right = self.node(item.right)
        if isinstance(item.op, ast.Add):
            return flat("add", left, right)
        if isinstance(item.op, ast.Sub):
            return flat("add", left, Node("neg", (right,)))
        minus, left = (True, left.args[0]) if left.op == "neg" else (False, left)  # -a * b is -(a * b)
        found = flat("mul", left, right) if isinstance(item.op, ast.Mult) else Node("div", (left, right))
        return Node("neg", (found,)) if minus else found

    def _power(self, base: Node, item: ast.expr) -> Node:
        try:
            exponent = _number(item)
        except (ValueError, ZeroDivisionError):
            raise FormulaError("an exponent is a number, as in (var + eps)**(-3/2)") from None
        if abs(exponent) > LARGEST_EXPONENT:
            raise FormulaError(f"exponents go up to {LARGEST_EXPONENT}")
        return power(base, exponent)

    def _call(self, item: ast.Call) -> Node:
        name = item.func.id if isinstance(item.func, ast.Name) else ""
        if isinstance(item.func, ast.Constant) and item.args and isinstance(item.args[0], ast.Compare):
            raise FormulaError(f"write delta[k, i], not {_shown(item)}")
        if item.keywords or not item.args:
            raise FormulaError(f"{_shown(item)} means nothing here")
        if name == "d":
            if len(item.args) != 2:
                raise FormulaError("a derivative is d(of this, by that): d(y[k], x[i])")
            by = self.node(item.args[1])
            if by.op != "ref":
                raise FormulaError("one differentiates by a name with its indices: d(y[k], x[i])")
            return Node("d", (self.node(item.args[0]), by))
        if name in REDUCTIONS:
            return self._reduction(name, item)
        if name not in FUNCTIONS or len(item.args) != 1:
            if name == "delta" or name in self.names:
                inside = ", ".join(map(_shown, item.args))
                if re.fullmatch(r"[a-z](, [a-z])*", inside):
                    raise FormulaError(f"indices stand in square brackets: {name}[{inside}]")
            if name in self.names or isinstance(item.func, (ast.Constant, ast.Subscript, ast.BinOp)):
                raise FormulaError(f"something is missing behind {_shown(item.func)}: a product needs its *")
            known = ", ".join(f"{each}(...)" for each in (*REDUCTIONS, *FUNCTIONS[:2], "d"))
            raise FormulaError(f"{name or _shown(item.func)}(...) means nothing here: there are {known}")
        return Node("call", (self.node(item.args[0]),), name)

    def _reduction(self, kind: str, item: ast.Call) -> Node:
        first, *sizes = item.args
        if not isinstance(first, ast.GeneratorExp):
            given = [each.id for each in sizes if isinstance(each, ast.Name)]
            if len(given) < len(sizes) or (not self.pattern and any(size not in self.names.sizes for size in given)):
                raise FormulaError(
                    f"{kind}(...) is over {' or '.join(self.names.sizes)}: {kind}(x, {self.names.sizes[-1]})"
                )
            body = self.node(first)
            lower = sorted(letter for letter in body.free if letter.islower())
            if lower:
                raise FormulaError(
                    f"say over which letter: {kind}(... for {lower[-1]} in {self._size(lower[-1], body)})"
                )
            over = tuple((size, size) for size in given or ([] if self.pattern else self.names.sizes[:1]))
            return Node("reduce", (body,), (kind, over, ()))
        pairs: list[tuple[str, str]] = []
        unequal: list[tuple[str, str]] = []
        for each in first.generators:
            if not isinstance(each.target, ast.Name) or not re.fullmatch("[a-z]", each.target.id):
                raise FormulaError(f"a {kind} runs over one small letter: for k in {self.names.sizes[0]}")
            if not isinstance(each.iter, ast.Name) or not (self.pattern or each.iter.id in self.names.sizes):
                raise FormulaError(
                    f"{each.target.id} runs over {' or '.join(self.names.sizes)}, not over {_shown(each.iter)}"
                )
            pairs.append((each.target.id, each.iter.id))
            for test in each.ifs:
                unequal.append(self._unequal(test))
        if len({letter for letter, _ in pairs}) < len(pairs):
            raise FormulaError(f"{pairs[-1][0]} is summed twice in one {kind}")
        return Node("reduce", (self.node(first.elt),), (kind, tuple(pairs), tuple(unequal)))

    def _size(self, letter: str, body: Node) -> str:
        return self.names.letter_sizes(body).get(letter, self.names.sizes[0])

    def _unequal(self, test: ast.expr) -> tuple[str, str]:
        if (
            isinstance(test, ast.Compare)
            and len(test.ops) == 1
            and isinstance(test.ops[0], ast.NotEq)
            and isinstance(test.left, ast.Name)
            and isinstance(test.comparators[0], ast.Name)
        ):
            return test.left.id, test.comparators[0].id
        raise FormulaError(f"a condition is written if k != i, not if {_shown(test)}")

    def _generatorexp(self, item: ast.GeneratorExp) -> Node:
        raise FormulaError("what is to be done with all these? Write sum(... for k in N) or mean(... for k in N)")

    def _tuple(self, item: ast.Tuple) -> Node:
        raise FormulaError("there is a comma where none belongs")


def _number(item: ast.expr) -> Fraction:
    """The value of an exponent: numbers, signs and one fraction."""
    if isinstance(item, ast.Constant) and isinstance(item.value, (int, float)) and abs(item.value) < 100:
        return Fraction(item.value).limit_denominator(100)
    if isinstance(item, ast.UnaryOp) and isinstance(item.op, ast.USub):
        return -_number(item.operand)
    if isinstance(item, ast.BinOp) and isinstance(item.op, ast.Div):
        return _number(item.left) / _number(item.right)
    raise ValueError(ast.dump(item)[:40])


def _unknown(name: str, names: Names) -> str:
    near = {known.lower().replace("_", ""): known for known in names}
    meant = near.get(name.lower().replace("_", ""))
    if meant:
        return f"{name} is written {meant} here"
    if name[0] == "d" and name[1:] in names:
        return f"{name} is not one of the names here: a derivative is typed d(of this, by that), as in d(y[k], x[i])"
    return f"{name} is not one of the names here: {', '.join((*names, *names.sizes))}"


def _shown(item: ast.AST) -> str:
    text = ast.unparse(item)
    return text if len(text) <= 40 else f"{text[:37]}..."
