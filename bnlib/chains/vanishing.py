"""Lines that are zero tell little by their values: the same two lines where they are not, and what makes a line zero.

Where the line above is zero, so is every line in which enough is lost, and no edit can be told from another. Two things help: to compare
what two sums add up, entry by entry; and to let the mean and the variance of the batch be any numbers, which nothing cancels any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from bnlib.chains.bench import CLOSE
from bnlib.chains.forms import below, has
from bnlib.language.names import FormulaError, Names
from bnlib.language.tree import Node, div, letters_of, mul, neg, reduce, ref, renamed
from bnlib.language.values import Values

if TYPE_CHECKING:
    from bnlib.chains.judge import Ground


def elsewhere(ground: Ground, above: Node, line: Node) -> Iterator[tuple[Ground, Node, Node, str]]:
    """Where a line can be compared with one that is as good as the line above, and neither is zero; and where that is, in words."""
    same = sorted(dict.fromkeys((above, *ground.course)), key=lambda each: has(each, "d"))
    for letter, size, own in _summands(line):
        for each in same if has(above, "d") else (above,):
            for other, counts, summand in _summands(each):
                if counts == size and letter not in ground.letters and letter not in {*letters_of(summand)} - {other}:
                    wanted = renamed(summand, {other: letter})
                    there = ground.but(letters=(*ground.letters, letter), sizes={**ground.sizes, letter: size})
                    if _usable(there, wanted, own):
                        yield there, wanted, own, f"inside the sum over {letter}, "
    if not has(line, "d"):
        there = _loose(ground)
        for each in same:
            if not has(each, "d") and _usable(there, each, line):
                yield there, each, line, ""


def without(ground: Ground, above: Node, line: Node, vanishes: bool) -> str:
    """The small number that has to be zero for two lines to be equal; empty where there is none."""
    for name in (each for each, sizes in ground.names.given.items() if not sizes and each in ground.positive):
        arrays = [{**values.arrays, name: np.zeros(())} for values in ground.draws]
        there = ground.but(draws=[Values(ground.names, each) for each in arrays])
        try:
            if there.same(above, line) and (
                vanishes or any(np.max(np.abs(each.value)) > CLOSE for each in there.values(line))
            ):
                return name
        except FormulaError:
            continue
    return ""


def _summands(node: Node) -> Iterator[tuple[str, str, Node]]:
    """What a formula adds up, for each letter that it is a sum over: the letter, its size, the summand."""
    if node.op == "reduce" and node.data[0] in ("sum", "mean") and not node.data[2]:
        kind, over, _ = node.data
        for pair in over:
            rest = tuple(other for other in over if other != pair)
            body = reduce(kind, rest, node.args[0]) if rest else node.args[0]
            yield *pair, div(body, ref(pair[1])) if kind == "mean" else body
    elif node.op in ("neg", "div"):
        for letter, size, body in _summands(node.args[0]):
            yield letter, size, neg(body) if node.op == "neg" else div(body, node.args[1])
    elif node.op == "mul":
        for number, factor in enumerate(node.args):
            others = (*node.args[:number], *node.args[number + 1 :])
            for letter, size, body in _summands(factor):
                if not any(letter in other.free for other in others):
                    yield letter, size, mul(*others, body)


def _loose(ground: Ground) -> Ground:
    """The same, where what is made of a whole batch may be any number: the mean, the variance."""
    old, rng = ground.names, np.random.default_rng(0)
    defined = [each for name, each in old.defined.items() if " " not in name]
    cut = {each.name: each.sizes for each in defined if any(part.op == "reduce" for part in below(each.tree))}
    names = Names({name: " ".join(sizes) for name, sizes in {**old.given, **cut}.items()}, old.latex)
    for each in defined:
        if each.name not in cut:
            names.define(each)
    draws = []
    for values in ground.draws:
        any_numbers = {
            name: rng.uniform(0.3, 1.5, [values.length(size) for size in sizes]) for name, sizes in cut.items()
        }
        draws.append(Values(names, values.arrays | any_numbers))
    return ground.but(names=names, draws=draws, course=())


def _usable(ground: Ground, wanted: Node, own: Node) -> bool:
    """Whether two formulas can be compared on a ground, and the first is not zero there."""
    try:
        values = ground.values(wanted)
        ground.scale = [float(np.max(each.size)) for each in values]
        ground.values(own)
    except FormulaError:
        return False
    return any(np.max(np.abs(v.value)) > CLOSE * scale for v, scale in zip(values, ground.scale, strict=True))
