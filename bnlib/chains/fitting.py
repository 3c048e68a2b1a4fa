"""Several things that are wrong at once: by what the terms of a learner's line, or one of them, have to be multiplied, says what they are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import combinations, product

import numpy as np

from bnlib.chains.bench import Bench
from bnlib.chains.edits import Edit, choices, everywhere, text_of
from bnlib.language.names import FormulaError
from bnlib.language.tree import Node, names_of, ref
from bnlib.numerics import Array

MOST_TERMS, MOST_WRONG = 6, 3
MOST_NUMBERS = 24
"""Of each draw so many numbers are compared."""

MOST_FACTORS, POWERS = 60, (1, -1, 2, -2)

Told = tuple[str, tuple[str, ...]]


def several(bench: Bench) -> Told | None:
    """What is wrong with two terms or more of a line, or twice with one of them; None where that does not explain it."""
    numbers = _Numbers(bench)
    if told := _of_one(numbers, numbers.line[None], ["the line"]):
        return told
    for node, _, _, into in everywhere(bench.tree, bench.start):
        if node.op != "add" or len(node.args) > MOST_TERMS:
            continue
        values = [value for value in (numbers.of(into(term)) for term in node.args) if value is not None]
        if len(values) < len(node.args):
            continue
        terms = np.array(values)
        if not numbers.close(terms.sum(0), numbers.line):
            continue  # the line is no sum of these: they stand below a root, or in two places
        shown = [text_of(each.args[0] if each.op == "neg" else each) for each in node.args]
        if told := _of_terms(numbers, terms, shown) or _of_one(numbers, terms, shown):
            return told
    return None


def besides(bench: Bench, edits: Sequence[Edit]) -> Told | None:
    """What is wrong besides one of some edits, where that leaves the whole line with a factor wrong; None where it does not."""
    numbers = _Numbers(bench)
    for edit in edits:
        value = numbers.of(edit.tree)
        factors = None if value is None else numbers.factors(numbers.wanted, value, 1)
        if factors and not (edit.name == "chain-rule" and any(name.startswith("factor") for name, _ in factors)):
            said = [edit.words, *(words.format("the line") for _, words in factors)]
            return ", and ".join(said), (edit.name, *(name for name, _ in factors))
    return None


def _of_terms(numbers: _Numbers, terms: Array, shown: list[str]) -> Told | None:
    """Two or three terms, each with one thing wrong."""
    for count in range(2, min(MOST_WRONG, len(terms)) + 1):
        for chosen in combinations(range(len(terms)), count):
            right = terms.sum(0) - terms[list(chosen)].sum(0)
            for ways in product(numbers.table, repeat=count):
                if numbers.close(
                    right + sum(way[0] * terms[n] for n, way in zip(chosen, ways, strict=True)), numbers.wanted
                ):
                    said = [way[2].format(shown[n]) for n, way in zip(chosen, ways, strict=True)]
                    return " and ".join(said), tuple(dict.fromkeys(way[1] for way in ways))
    return None


def _of_one(numbers: _Numbers, terms: Array, shown: list[str]) -> Told | None:
    """One term with a factor or two wrong, and perhaps its sign."""
    for term, place in zip(terms, shown, strict=True):
        if factors := numbers.factors(numbers.wanted - terms.sum(0) + term, term, 2):
            return " and ".join(words.format(place) for _, words in factors), tuple(
                dict.fromkeys(name for name, _ in factors)
            )
    return None


class _Numbers:
    """What a line and parts of it are worth: some numbers of each draw, in one row."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.lengths = [values.length(bench.ground.names.sizes[0]) for values in bench.ground.draws]
        self.wanted = np.concatenate([each.reshape(-1)[:MOST_NUMBERS] for each in bench.wanted])
        self.scale = float(np.max(np.abs(self.wanted)))
        line = self.of(bench.tree)
        self.line = np.zeros_like(self.wanted) if line is None else line

    def of(self, tree: Node) -> Array | None:
        """The numbers of a formula; None where it has none."""
        found = []
        for context, wanted in zip(self.bench.contexts, self.bench.wanted, strict=True):
            try:
                flat = self.bench.flat(tree)
                if not flat.free <= frozenset(self.bench.ground.letters):
                    return None
                found.append(np.broadcast_to(context.raw(flat), wanted.shape).reshape(-1)[:MOST_NUMBERS])
            except (FormulaError, KeyError, ValueError):
                return None
        return np.concatenate(found)

    def close(self, one: Array, other: Array) -> bool:
        """Whether two rows of numbers are equal but for rounding."""
        return bool(np.max(np.abs(one - other)) <= 1e-9 * self.scale)

    def factors(self, wanted: Array, got: Array, most: int) -> list[tuple[str, str]]:
        """By what one row has to be multiplied to be another: names and words; none where that is not known."""
        with np.errstate(all="ignore"):
            ratio = wanted / got
        if not np.all(np.isfinite(ratio)) or np.any(ratio == 0):
            return []
        size = np.log(np.abs(ratio))
        for factors in self.products:
            if len(factors) <= most and np.max(np.abs(size - sum(each[1] for each in factors))) < 1e-8:
                turned = ratio / np.prod([each[0] for each in factors], axis=0) if factors else ratio
                sign = [("sign", "the sign of {} is wrong")] if np.all(turned < 0) else []
                if sign or np.all(turned > 0):
                    return [*((each[2], each[3]) for each in factors), *sign]
        return []

    @cached_property
    def size(self) -> Array:
        """How long the first size is, number by number."""
        counts = [min(each.size, MOST_NUMBERS) for each in self.bench.wanted]
        return np.repeat(np.array(self.lengths, dtype=float), counts)

    @cached_property
    def table(self) -> list[tuple[Array | float, str, str]]:
        """By what a term may have to be multiplied, the name of that, and the words."""
        size = self.bench.ground.names.sizes[0]
        return [
            (-1.0, "sign", "the sign of {} is wrong"),
            (0.0, "term-extra", "the term {} is one too many"),
            (1 / self.size, "one-over-n", f"1/{size} is missing in {{}}"),
            (self.size, "one-over-n", f"1/{size} is one factor too many in {{}}"),
            (2.0, "factor-lost", "a factor 2 is missing in {}"),
            (0.5, "factor-extra", "there is a factor 2 too many in {}"),
            (-1 / self.size, "sign", f"the sign of {{}} is wrong, and 1/{size} is missing in it"),
        ]

    @cached_property
    def products(self) -> list[tuple[tuple[Array, Array, str, str], ...]]:
        """What a term may lack or have too much, one factor or two: its value, the logarithm of that, name and words."""
        single = [(each[0] + 0 * self.size, *each[1:]) for each in self.table[2:6]]
        own, names, letters = names_of(self.bench.tree), self.bench.ground.names, self.bench.start.letters
        for name in sorted(names, key=lambda each: each not in own):
            for entry in (ref(name, chosen) for chosen in choices(names.sizes_of(name), letters)):
                value = self.of(entry)
                if value is None or np.any(value == 0) or not np.all(np.isfinite(value)):
                    continue
                for power in POWERS:
                    what = text_of(entry) if abs(power) == 1 else f"{text_of(entry)}**{abs(power)}"
                    if power > 0:
                        single.append((value**power, "factor-lost", f"{what} is missing in {{}}"))
                    elif name in own:
                        single.append((value**power, "factor-extra", f"{what} is one factor too many in {{}}"))
        every = [(value, np.log(np.abs(value)), name, words) for value, name, words in single[:MOST_FACTORS]]
        return [(), *((each,) for each in every), *combinations(every, 2)]
