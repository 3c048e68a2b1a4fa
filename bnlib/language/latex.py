r"""Displayed formulas into trees: the LaTeX of a lesson is read, so that what a test evaluates is what the page shows.

The names are those that formulas are typed with, found by how they are typeset (:mod:`bnlib.language.notation`):
``\hat x_{kl}`` is ``x_hat[k, l]``. Which commands are known stands in docs/language.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction

from bnlib.language.calculus import apart, derivative
from bnlib.language.displays import APART, RELATIONS, closing, tokens, word
from bnlib.language.names import FormulaError, Names
from bnlib.language.tree import (
    ONE,
    ZERO,
    Node,
    add,
    flat,
    letters_of,
    mul,
    neg,
    num,
    power,
    rebuilt,
    reduce,
    ref,
    renamed,
    walk,
)  # fmt: skip
from bnlib.language.writing import name_latex

_GREEK = re.compile(r"\\(alpha|beta|gamma|delta|eta|theta|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|phi|chi|psi|omega)")
_ACCENTS = {r"\hat": "_hat", r"\bar": "_bar", r"\tilde": "_tilde"}
_MARKS = {"'": "'", r"\prime": "'", "*": "_star", r"\ast": "_star", r"\star": "_star"}
_ENDS = {
    "", "+", "-", ")", "]", "}", "|", r"\}", r"\rangle", r"\gt", r"\lt", ">", "<", r"\neq", r"\ne", *RELATIONS, *APART,
}  # fmt: skip
_CALLS = {r"\exp": "exp", r"\log": "log"}


@dataclass(frozen=True)
class Side:
    r"""One of them read: its tree, and whether ``\dots`` says that smaller terms follow."""

    tree: Node
    more: bool


def read_side(side: Sequence[str], names: Names, functions: Mapping[str, tuple[str, str]] | None = None) -> Side:
    r"""One side of a chain.

    Args:
        side: Its signs.
        names: What it may speak of.
        functions: What is written with brackets, ``f(x + h)``: from its letter to (name, of what name it is a function).

    Raises:
        FormulaError: It cannot be read; the message says where.
    """
    return _Reader(list(side), names, functions or {}).side()


def read_latex(latex: str, names: Names) -> Node:
    """The tree of one formula.

    Raises:
        FormulaError: It cannot be read; the message says where.
    """
    return _Reader(tokens(latex), names, {}).whole()


@dataclass
class _Symbol:
    """A name before its entry is looked up: its key, as in ``sigma_bar``, and its letters."""

    key: str
    letters: tuple[str, ...] = ()
    slope: bool = False
    """Whether a d stands in front: the gradient of the loss by it."""


@dataclass
class _Reader:
    found: list[str]
    names: Names
    functions: Mapping[str, tuple[str, str]]
    bound: tuple[str, ...] = ()
    arrays: bool = False
    """Whether names are written without all their indices here, as in the argument of a function."""
    place: int = 0
    more: bool = False
    keys: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.keys:
            for name in (*self.names, *self.names.sizes):
                with suppress(FormulaError):  # a gradient, typeset as a derivative, is read as one
                    self.keys.setdefault(_key(name_latex(name, self.names), self.names), name)
                self.keys.setdefault(name, name)

    # signs

    @property
    def next(self) -> str:
        return self.found[self.place] if self.place < len(self.found) else ""

    def take(self) -> str:
        token = self.next
        if not token:
            raise self.error("something is missing")
        self.place += 1
        return token

    def skip(self, token: str) -> bool:
        if self.next == token:
            self.place += 1
            return True
        return False

    def error(self, words: str) -> FormulaError:
        near = " ".join(self.found[max(0, self.place - 6) : self.place + 3])
        return FormulaError(f"{words}, near {near}")

    def inner(self, found: list[str], bound: tuple[str, ...] = (), arrays: bool | None = None) -> _Reader:
        """A reader of a part."""
        mode = self.arrays if arrays is None else arrays
        return _Reader(found, self.names, self.functions, self.bound + bound, mode, keys=self.keys)

    def bracket(self) -> list[str]:
        """What stands in the bracket that opens here."""
        end = closing(self.found, self.place)
        inside = self.found[self.place + 1 : end]
        self.place = end + 1
        return inside

    def argument(self) -> list[str]:
        """What a command is given: a group, or one sign."""
        found = self.bracket() if self.next == "{" else [self.take()]
        if not found:
            raise self.error("something is missing")
        return found

    def whole(self) -> Node:
        node = self.sum()
        if self.next or self.more:
            raise self.error(f"{self.next or 'dots'} means nothing here")
        return node

    def side(self) -> Side:
        tree = self.sum()
        if word(self.next) == "if":
            tree = self.cases([(tree, self.condition())])
        if self.next:
            raise self.error(f"{self.next} means nothing here")
        return Side(tree, self.more)

    def condition(self) -> Node:
        """A product of deltas, from ``if k = i and l = j``."""
        factors = []
        while word(self.next) in ("if", "and"):
            self.place += 1
            one, sign, two = self.take(), self.take(), self.take()
            if sign not in ("=", r"\neq", r"\ne") or not re.fullmatch("[a-z]{2}", one + two):
                raise self.error("a condition is k = i, or k \\neq i")
            equal = Node("delta", (), (one, two))
            factors.append(equal if sign == "=" else add(ONE, neg(equal)))
        return mul(*factors)

    def cases(self, rows: list[tuple[Node, Node]]) -> Node:
        """Formulas under conditions, and one for what is left."""
        while self.next in (",", r"\\"):
            self.place += 1
        if word(self.next) == "otherwise":
            self.place += 1
            return _chosen(rows, self.sum())
        raise self.error(r"a case needs its \text{otherwise}")

    def environment(self) -> Node:
        rows: list[tuple[Node, Node]] = []
        while not self.skip(r"\end{cases}"):
            tree = self.sum()
            if word(self.next) == "if":
                rows.append((tree, self.condition()))
            elif word(self.next) == "otherwise":
                self.place += 1
                rows.append((tree, ONE))
            else:
                raise self.error("a case says when it holds")
            self.skip(r"\\")
        if not rows or rows[-1][1] is not ONE:
            raise self.error(r"a case needs its \text{otherwise}")
        return _chosen(rows[:-1], rows[-1][0])

    # a formula

    def sum(self) -> Node:
        terms: list[Node] = []
        minus = self.skip("-") or (self.skip("+") and False)
        while True:
            if self.skip(r"\dots") or self.skip(r"\cdots"):
                self.more = True
            else:
                term = self.product()
                terms.append(Node("neg", (term,)) if minus else term)
            if self.next not in ("+", "-"):
                break
            minus = self.take() == "-"
        if not terms:
            raise self.error("nothing stands beside the dots")
        return flat("add", *terms) if len(terms) > 1 else terms[0]

    def product(self) -> Node:
        factors: list[Node] = []
        while True:
            if self.next == r"\sum":
                factors.append(self.reduction())
                break
            if (operator := self.operator()) is not None:
                factors.append(operator)
                break
            if self.skip("/"):
                below = self.factor()
                factors = [Node("div", (flat("mul", *factors) if len(factors) > 1 else factors[0], below))]
            else:
                factors.append(self.factor())
            if self.next in (r"\cdot", r"\times"):
                self.place += 1
            elif not self.starts():
                break
        return flat("mul", *factors) if len(factors) > 1 else factors[0]

    def starts(self) -> bool:
        """Whether one more factor begins here."""
        return self.next not in _ENDS and not self.next.startswith((r"\text{", r"\end{"))

    def reduction(self) -> Node:
        """A sum over letters: its sign, where it runs, and the rest of its product."""
        self.take()
        letters: list[str] = []
        unequal: list[tuple[str, str]] = []
        size = ""
        while self.next in ("_", "^"):
            if self.take() == "^":
                size = self.keys.get("".join(self.argument()), "?")
                continue
            inside = self.argument()
            for part in "\0".join(inside).split("\0,\0"):
                signs = part.split("\0")
                if len(signs) == 3 and signs[1] in (r"\neq", r"\ne"):
                    unequal.append((signs[0], signs[2]))
                elif len(signs) == 1 or signs[1:] == ["=", "1"]:
                    letters.append(signs[0])
                else:
                    raise self.error(f"a sum runs over k, from k = 1, or over k \\neq i, not over {' '.join(signs)}")
        letters = letters or [unequal[0][0]] if unequal else letters
        if not letters or not all(re.fullmatch("[a-z]", letter) for letter in letters):
            raise self.error("a sum runs over a small letter")
        rest = self.inner(self.found[self.place :], tuple(letters))
        body = rest.product()
        self.place += rest.place
        counted = {letter: size or self.counted(letter, body) for letter in letters}
        if any(each not in self.names.sizes for each in counted.values()):
            raise self.error(f"a sum runs up to {' or '.join(self.names.sizes)}")
        return Node("reduce", (body,), ("sum", tuple(counted.items()), tuple(unequal)))

    def counted(self, letter: str, body: Node) -> str:
        """What a letter counts, from the names that have it."""
        for each in walk(body):
            if each.op == "ref" and letter in each.data[1]:
                return self.names.sizes_of(each.data[0])[each.data[1].index(letter)]
        raise self.error(f"up to what does {letter} run")

    def operator(self) -> Node | None:
        r"""The derivative of the rest of the product, where ``\frac{\partial}{\partial x_i}`` begins."""
        start = self.place
        if self.next in (r"\frac", r"\dfrac"):
            self.place += 1
            above, below = self.argument(), self.argument()
            if above in ([r"\partial"], ["d"]) and below[0] == above[0]:
                by = self.inner(below[1:]).whole()
                return self.slope(self.product(), by)
        self.place = start
        return None

    def slope(self, of: Node, by: Node) -> Node:
        if by.op != "ref":
            raise self.error("one differentiates by a name with its indices")
        return Node("d", (of, by))

    def factor(self) -> Node:
        node = self.atom()
        exponent = self.scripts(node)
        if exponent is not None:
            node = self.raised(node, exponent)
        return self.entry(node) if isinstance(node, _Symbol) else node

    def scripts(self, node: Node | _Symbol) -> Node | None:
        """Read what stands above and below: indices and marks go into the symbol, an exponent is returned."""
        exponent = None
        while self.next in ("^", "_") or (isinstance(node, _Symbol) and self.next == "'"):
            if self.next == "^":
                self.place += 1
            if isinstance(node, _Symbol) and (mark := self.mark()):
                node.key += mark
            elif self.skip("_"):
                if not isinstance(node, _Symbol):
                    raise self.error("only a name has indices")
                self.subscript(node)
            elif exponent is not None:
                raise self.error("there are two exponents")
            else:
                exponent = self.inner(self.argument()).whole()
        return exponent

    def mark(self) -> str:
        """A mark behind a name that makes another name of it: a stroke, a star, a word."""
        start = self.place
        braces = self.skip("{")
        word = re.fullmatch(r"\\mathrm\{(\w+)\}", self.next)
        found = f"_{word[1]}" if word else _MARKS.get(self.next, "")
        self.place += 1
        if not found or (braces and not self.skip("}")):
            self.place = start
            return ""
        return found

    def raised(self, base: Node | _Symbol, exponent: Node) -> Node:
        value = _number(exponent)
        if isinstance(base, _Symbol):
            squared = f"{base.key}^{value}"
            if squared in self.keys:
                return self.entry(_Symbol(squared, base.letters, base.slope))
            base = self.entry(base)
        if value is not None:
            return power(base, value)
        return Node("call", (mul(exponent, Node("call", (base,), "log")),), "exp")

    def subscript(self, symbol: _Symbol) -> None:
        for token in self.argument():
            if re.fullmatch("[a-z]", token):
                symbol.letters += (token,)
            elif re.fullmatch("[A-Z0-9]", token):
                symbol.key += f"_{token}"
            elif token != ",":
                raise self.error(f"{token} is no index")

    def atom(self) -> Node | _Symbol:
        token = self.next
        if token.isdigit():
            return num(self.number())
        if token in (r"\frac", r"\tfrac", r"\dfrac"):
            return self.fraction()
        if token in ("(", "[", "{", r"\{"):
            return self.group()
        if token == r"\begin{cases}":
            self.place += 1
            return self.environment()
        if token == r"\sqrt":
            self.place += 1
            return Node("call", (self.inner(self.argument()).whole(),), "sqrt")
        if token in _CALLS:
            self.place += 1
            return Node("call", (self.inner(self.bracket()).whole(),), _CALLS[token])
        if token == r"\max":
            self.place += 1
            zero, comma, *rest = self.bracket()
            if (zero, comma) != ("0", ","):
                raise self.error(r"\max is of 0 and something")
            inside_max = self.inner(rest).whole()
            return mul(Node("call", (inside_max,), "positive"), inside_max)
        if token == "|":
            return Node("call", (self.inner(self.bracket()).whole(),), "abs")
        if token == r"\langle":
            return self.average(self.inner(self.bracket(), arrays=True).whole())
        symbol = self.symbol()
        if symbol.key == "E" and self.next == "[":
            return self.average(self.inner(self.bracket(), arrays=True).whole())
        if symbol.key == "delta" and "delta" not in self.names and self.skip("_"):
            self.subscript(symbol)
            if len(symbol.letters) != 2:
                raise self.error("delta has two indices")
            return ONE if len(set(symbol.letters)) == 1 else Node("delta", (), symbol.letters)
        return self.applied(symbol) if symbol.key in self.functions else symbol

    def group(self) -> Node | _Symbol:
        """What stands in brackets; a name alone in braces may still get its exponent."""
        braces = self.next == "{"
        inside = self.inner(self.bracket())
        if braces:
            part = inside.atom()
            if isinstance(part, _Symbol) and inside.scripts(part) is None and not inside.next:
                return part
            inside.place = 0
        node = inside.sum()
        if inside.next in (r"\gt", ">", r"\lt", "<"):
            sign = inside.take()
            other = inside.sum()
            larger, smaller = (node, other) if sign in (r"\gt", ">") else (other, node)
            node = Node("call", (add(larger, neg(smaller)),), "positive")
        if inside.next or inside.more:
            raise inside.error(f"{inside.next or 'dots'} means nothing here")
        return node

    def number(self) -> int | float:
        digits = ""
        while self.next.isdigit() or (
            self.next == "." and digits and self.place + 1 < len(self.found) and self.found[self.place + 1].isdigit()
        ):
            digits += self.take()
        return float(digits) if "." in digits else int(digits)

    def fraction(self) -> Node:
        self.take()
        above, below = self.argument(), self.argument()
        for sign in (r"\partial", "d"):
            if above[0] == sign and below[0] == sign:
                return self.slope(self.inner(above[1:]).whole(), self.inner(below[1:]).whole())
        return Node("div", (self.inner(above).whole(), self.inner(below).whole()))

    def average(self, body: Node) -> Node:
        """The mean over the size that is left when the indices behind the bracket are taken."""
        symbol = _Symbol("")
        if self.skip("_"):
            self.subscript(symbol)
        sizes = [letter for letter in letters_of(body) if letter in body.free and not letter.islower()]
        sizes.sort(key=self.names.sizes.index)
        if len(sizes) != len(symbol.letters) + 1:
            raise self.error("a mean is over one size, and the others have their indices behind the bracket")
        return renamed(reduce("mean", ((sizes[0],) * 2,), body), dict(zip(sizes[1:], symbol.letters, strict=True)))

    def symbol(self) -> _Symbol:
        token = self.take()
        if token in _ACCENTS:
            inside = self.inner(self.argument()).symbol()
            return _Symbol(inside.key + _ACCENTS[token])
        if match := re.fullmatch(r"\\(?:mathrm|operatorname)\{(.*)\}", token):
            key = match[1].replace("\\", "").strip()
            if key == "d" and (re.match(r"[A-Za-z]$|\\", self.next)) and self.starts():
                return _Symbol(self.symbol().key, slope=True)
            return _Symbol(key)
        if re.fullmatch("[A-Za-z]", token):
            return _Symbol(token)
        if token in (r"\epsilon", r"\varepsilon"):
            return _Symbol("eps")
        if match := _GREEK.fullmatch(token):
            return _Symbol(match[1])
        raise self.error(f"{token} means nothing here")

    def entry(self, symbol: _Symbol) -> Node:
        """The entry of a name that is meant."""
        key, letters = symbol.key, symbol.letters
        if symbol.slope or key not in self.keys:
            name = key if symbol.slope else key[1:] if key[:1] == "d" else ""
            if f"d{name}" in self.keys:
                return ref(self.keys[f"d{name}"], letters)
            if name not in self.keys or "L" not in self.names:
                raise self.error(f"{key} is not one of the names here: {', '.join((*self.names, *self.names.sizes))}")
            return Node("d", (ref("L"), self.indexed(self.keys[name], letters)))
        return self.indexed(self.keys[key], letters)

    def indexed(self, name: str, letters: tuple[str, ...]) -> Node:
        sizes = self.names.sizes_of(name)
        if self.arrays and len(letters) < len(sizes):
            letters = sizes[: len(sizes) - len(letters)] + letters
        elif not letters and len(sizes) == 1 and name in self.bound:
            letters = (name,)  # the letter itself as a number
        if len(letters) != len(sizes):
            raise self.error(f"{name} has {len(sizes)} indices and not {len(letters)}")
        return ref(name, letters)

    def applied(self, symbol: _Symbol) -> Node:
        """A function of what stands in its brackets, or its derivative."""
        name, of = self.functions[symbol.key]
        primes = 0
        while self.next in ("_", "'"):
            if self.take() == "'":
                primes += 1
            else:
                self.subscript(symbol)
        if self.next != "(":
            return self.entry(symbol)
        argument = self.inner(self.bracket(), arrays=True).whole()
        names, sizes = self.names, self.names.sizes_of(of)
        tree = names.meaning(self.indexed(name, symbol.letters), keep=frozenset({of}))
        for _ in range(primes):
            if sizes:
                raise self.error("only a function of one number has a prime")
            tree = names.meaning(derivative(tree, ref(of), names.depends), keep=frozenset({of}))
        return _substituted(tree, of, sizes, argument)


def _key(latex: str, names: Names) -> str:
    """How a name is found again: its key, with the exponent that belongs to it."""
    reader = _Reader([token for token in tokens(latex) if token not in "{}"], names, {}, keys={"": ""})
    symbol = reader.symbol()
    while reader.next:
        if (token := reader.take()) == "_":
            reader.subscript(symbol)
        elif token == "'":
            symbol.key += token
        else:
            raised = reader.take()
            word = re.fullmatch(r"\\mathrm\{(\w+)\}", raised)
            symbol.key += f"_{word[1]}" if word else _MARKS.get(raised, f"^{raised}")
    return symbol.key


def _chosen(rows: list[tuple[Node, Node]], otherwise: Node) -> Node:
    tree = otherwise
    for value, condition in reversed(rows):
        rest = ZERO if tree is ZERO else mul(add(ONE, neg(condition)), tree)
        tree = add(mul(condition, value), rest)
    return tree


def _number(node: Node) -> Fraction | None:
    """The value of an exponent, where it is a number."""
    if node.op == "num":
        return Fraction(node.data)
    inside = [_number(arg) for arg in node.args]
    if node.op == "neg" and inside[0] is not None:
        return -inside[0]
    if node.op == "div" and inside[0] is not None and inside[1]:
        return inside[0] / inside[1]
    return None


def _substituted(node: Node, name: str, sizes: tuple[str, ...], argument: Node) -> Node:
    """A formula with another in the place of a name; the argument has the sizes themselves for its indices."""
    if node.op == "ref":
        return renamed(argument, dict(zip(sizes, node.data[1], strict=True))) if node.data[0] == name else node
    if node.op == "reduce":
        node = apart(node, set(argument.free))
    return rebuilt(node, tuple(_substituted(arg, name, sizes, argument) for arg in node.args))
