r"""Trees into text: plain, as one types them, and LaTeX, as a lesson shows them. Reading what was written gives the tree back."""

from __future__ import annotations

from fractions import Fraction

from bnlib.language.names import Names
from bnlib.language.notation import TYPESET
from bnlib.language.tree import Node

_SUM, _PRODUCT, _POWER, _ATOM = range(4)


def plain(node: Node) -> str:
    """The formula as one types it."""
    return _Plain().of(node, _SUM)


def latex(node: Node, names: Names | None = None) -> str:
    r"""The formula for MathJax, without dollar signs."""
    return _Latex(names).of(node, _SUM)


def name_latex(name: str, names: Names | None = None) -> str:
    """How a name is typeset, without indices."""
    return _Latex(names)._name(name)


def _level(node: Node) -> int:
    if node.op in ("add", "neg") or (node.op == "num" and node.data < 0):
        return _SUM
    if node.op in ("mul", "div") or (node.op == "num" and isinstance(node.data, Fraction)):
        return _PRODUCT
    return _POWER if node.op == "pow" else _ATOM


class _Plain:
    def of(self, node: Node, level: int) -> str:
        """The text, in brackets where it would fall apart."""
        text = getattr(self, f"_{node.op}")(node)
        return self.brackets(text, node) if self.level(node) < level else text

    def level(self, node: Node) -> int:
        return _level(node)

    def brackets(self, text: str, node: Node) -> str:
        return f"({text})"

    def _num(self, node: Node) -> str:
        value = node.data
        return (
            f"{value.numerator}/{value.denominator}"
            if isinstance(value, Fraction)
            else f"{value:g}"
            if isinstance(value, float)
            else str(value)
        )

    def _ref(self, node: Node) -> str:
        name, letters = node.data
        return f"{name}[{', '.join(letters)}]" if any(letter.islower() for letter in letters) else name

    def _any(self, node: Node) -> str:
        return str(node.data)

    def _delta(self, node: Node) -> str:
        return "delta[{}, {}]".format(*node.data)

    def _add(self, node: Node) -> str:
        text = self.of(node.args[0], _SUM)
        for term in node.args[1:]:
            minus = term.op == "neg" or (term.op == "num" and term.data < 0)
            if term.op == "neg":
                text += f" - {self.of(term.args[0], _PRODUCT)}"
            else:
                text += f" {self.of(term, _SUM)}".replace(" -", " - ", 1) if minus else f" + {self.of(term, _SUM)}"
        return text

    def _neg(self, node: Node) -> str:
        return f"-{self.of(node.args[0], _PRODUCT)}"

    def _mul(self, node: Node) -> str:
        first, *others = node.args
        return " * ".join(
            (
                self.of(first, _PRODUCT),
                *(
                    self.of(other, _POWER) if other.op in ("div", "num") else self.of(other, _PRODUCT)
                    for other in others
                ),
            )
        )

    def _div(self, node: Node) -> str:
        below = self.of(node.args[1], _POWER)
        return f"{self.of(node.args[0], _PRODUCT)} / {below}"

    def _pow(self, node: Node) -> str:
        exponent = node.data
        shown = str(exponent) if exponent.denominator == 1 and exponent > 0 else f"({exponent})"
        return f"{self.of(node.args[0], _ATOM)}**{shown}"

    def _call(self, node: Node) -> str:
        return f"{node.data}({self.of(node.args[0], _SUM)})"

    def _reduce(self, node: Node) -> str:
        kind, over, unequal = node.data
        body = self.of(node.args[0], _SUM)
        if all(letter == size for letter, size in over):
            return f"{kind}({', '.join((body, *(size for _, size in over if over != (('N', 'N'),))))})"
        tests = "".join(f" if {a} != {b}" for a, b in unequal)
        return f"{kind}({body} {' '.join(f'for {letter} in {size}' for letter, size in over)}{tests})"

    def _d(self, node: Node) -> str:
        return f"d({self.of(node.args[0], _SUM)}, {self.of(node.args[1], _SUM)})"


class _Latex(_Plain):
    def __init__(self, names: Names | None) -> None:
        self.names = names

    def level(self, node: Node) -> int:
        # A fraction holds together; a sum sign reaches to the end of its product.
        if node.op == "div":
            return _POWER
        if node.op == "reduce":
            return _PRODUCT
        return _POWER if node.op == "num" and isinstance(node.data, Fraction) and node.data > 0 else _level(node)

    def brackets(self, text: str, node: Node) -> str:
        return rf"\left({text}\right)"

    def _name(self, name: str) -> str:
        if self.names and name in self.names.latex:
            return self.names.latex[name]
        if name in TYPESET:
            return TYPESET[name]
        if name.endswith("_hat"):
            return rf"\hat{{{self._name(name[:-4])}}}"
        if len(name) > 1 and name[0] == "d" and (self.names is None or name[1:] in self.names or name == "dout"):
            inner = "y" if name == "dout" else name[1:]
            return rf"\frac{{\partial L}}{{\partial {self._name(inner)}}}"
        return name if len(name) == 1 else rf"\mathrm{{{name}}}".replace("_", r"\_")

    def _num(self, node: Node) -> str:
        value = node.data
        if isinstance(value, Fraction):
            return rf"{'-' if value < 0 else ''}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
        return super()._num(node)

    def _ref(self, node: Node) -> str:
        name, letters = node.data
        index = "".join(letter for letter in letters if letter.islower())
        shown = self._name(name)
        if not index:
            return shown
        if shown.startswith(r"\frac{\partial"):
            return f"{shown[:-1]}_{{{index}}}}}"
        return f"{shown}_{{{index}}}" if len(index) > 1 else f"{shown}_{index}"

    def _delta(self, node: Node) -> str:
        return r"\delta_{{{}{}}}".format(*node.data)

    def _mul(self, node: Node) -> str:
        parts = []
        for place, factor in enumerate(node.args):
            last = place == len(node.args) - 1
            parts.append(self.of(factor, _PRODUCT if last and factor.op != "num" else _POWER))
        text = parts[0]
        for part in parts[1:]:
            text += (r" \cdot " if part[:1].isdigit() else r"\, ") + part
        return text

    def _div(self, node: Node) -> str:
        return rf"\frac{{{self.of(node.args[0], _SUM)}}}{{{self.of(node.args[1], _SUM)}}}"

    def _pow(self, node: Node) -> str:
        base, exponent = self.of(node.args[0], _ATOM), node.data
        if node.args[0].op == "ref" and "^" in base:
            base = self.brackets(base, node)
        elif node.args[0].op == "ref" and "_" in base and "{" in base and not base.startswith(r"\hat"):
            base = f"{{{base}}}"
        shown = f"{exponent.numerator}/{exponent.denominator}" if exponent.denominator > 1 else str(exponent)
        return f"{base}^{{{shown}}}"

    def _call(self, node: Node) -> str:
        inside = self.of(node.args[0], _SUM)
        if node.data == "sqrt":
            return rf"\sqrt{{{inside}}}"
        return (
            rf"\left|{inside}\right|" if node.data == "abs" else rf"\operatorname{{{node.data}}}\left({inside}\right)"
        )

    def _reduce(self, node: Node) -> str:
        kind, over, unequal = node.data
        if kind == "variance" or any(letter == size for letter, size in over):
            below = "" if [size for _, size in over] == ["N"] else rf"_{{{''.join(size for _, size in over)}}}"
            return rf"\operatorname{{{kind}}}{below}\left({self.of(node.args[0], _SUM)}\right)"
        letters = ", ".join(letter for letter, _ in over)
        tests = "".join(rf",\, {a} \neq {b}" for a, b in unequal)
        count = [f"({size} - 1)" if any(letter in pair for pair in unequal) else size for letter, size in over]
        below = count[0].strip("()") if len(count) == 1 else r"\, ".join(count)
        front = rf"\frac{{1}}{{{below}}}" if kind == "mean" else ""
        return rf"{front}\sum_{{{letters}{tests}}} {self.of(node.args[0], _PRODUCT)}"

    def _d(self, node: Node) -> str:
        of, by = node.args
        if of.op == "ref":
            return rf"\frac{{\partial {self.of(of, _POWER)}}}{{\partial {self.of(by, _POWER)}}}"
        return rf"\frac{{\partial}}{{\partial {self.of(by, _POWER)}}}{self.brackets(self.of(of, _SUM), of)}"
