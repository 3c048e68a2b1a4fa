"""What a line still contains: the words in which waypoints and the form of the end are declared.

============== ====================================================================
word           the line has it when there is
============== ====================================================================
``d``          a derivative
``d(y)``       a derivative of y; any name will do
``d(L,x)``     a derivative of L by x
``d(product)`` a derivative of a formula that is more than a name
``d(factors)`` a derivative of a formula with a product, a quotient or a square in it
``delta``      a delta
``unequal``    a sum with ``if k != i``
``sum``        a sum or a mean
``nested``     a sum inside another
``sums>2``     more than two sums or means; any number will do
``dy[]``       an entry of dy; any name will do
============== ====================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bnlib.language.tree import Node

_NUMBERS = ("no", "one sum is", "two sums are", "three sums are")


def has(node: Node, word: str) -> bool:
    """Whether a formula contains what a word stands for.

    Raises:
        ValueError: No such word.
    """
    if word == "d":
        return any(differentiated(node))
    if word == "d(factors)":
        return any(_multiplies(part) for of, _ in differentiated(node) for part in below(of))
    if match := re.fullmatch(r"d\((\w+)(?:,(\w+))?\)", word):
        return any(
            (of.data[0] if of.op == "ref" else "product") == match[1] and match[2] in (None, by.data[0])
            for of, by in differentiated(node)
        )
    if word == "delta":
        return any(each.op == "delta" for each in below(node))
    if word == "unequal":
        return any(each.op == "reduce" and each.data[2] for each in below(node))
    if word == "sum":
        return any(each.op == "reduce" for each in below(node))
    if word == "nested":
        return any(each.op == "reduce" and any(has(arg, "sum") for arg in each.args) for each in below(node))
    if match := re.fullmatch(r"sums>(\d)", word):
        return len({each for each in below(node) if each.op == "reduce"}) > int(match[1])
    if match := re.fullmatch(r"(\w+)\[\]", word):
        return any(each.op == "ref" and each.data[0] == match[1] for each in below(node))
    raise ValueError(f"no form is called {word}")


def words(word: str) -> str:
    """What to say of a last line that has it."""
    if word == "d":
        return "there is still a derivative in it"
    if match := re.fullmatch(r"d\((\w+).*\)", word):
        return f"there is still a derivative of {match[1]} in it"
    if word == "delta":
        return "there is still a delta in it"
    if word == "unequal":
        return "there is still a sum in it that leaves one term out"
    if word == "sum":
        return "there is still a sum in it"
    if word == "nested":
        return "a sum stands inside another, and need not"
    if word.endswith("[]"):
        return f"there is still {word[:-2]} in it"
    number = int(word[-1])
    return f"there are more sums in it than needed: {_NUMBERS[number]} enough"


def wanted(form: str) -> str:
    """The name of the row that a last line of this form gets."""
    said = {"d": "no derivative", "delta": "no delta", "sum": "no sum", "nested": "no sum inside another"}
    parts = [said[word] for word in form.split() if word in said]
    parts += [f"no {word[:-2]}" for word in form.split() if word.endswith("[]")]
    parts += [f"at most {word[-1]} sum{'s' if word[-1] != '1' else ''}" for word in form.split() if word[:5] == "sums>"]
    return "the last line has " + " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def differentiated(node: Node) -> Iterator[tuple[Node, ...]]:
    """Of every derivative, what is differentiated and by what."""
    return (each.args for each in below(node) if each.op == "d")


def _multiplies(node: Node) -> bool:
    return node.op in ("mul", "div") or (node.op == "pow" and node.data > 1)


def below(node: Node) -> set[Node]:
    """A formula and all below it, each once however often it stands there."""
    found, waiting = {node}, [node]
    while waiting:
        for arg in waiting.pop().args:
            if arg not in found:
                found.add(arg)
                waiting.append(arg)
    return found
