"""Misprints of a displayed formula: small edits of its LaTeX, and whether they change what it says.

An edit changes what a display says when one of its sides gets another value while every letter and every derivative in it is a
number of its own, with no meaning. Nothing of the lesson's definitions is used for that, so it judges the test of the equations.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from displays import ground, in_words, problems, spoken

from bnlib.formulas import Display, lesson_displays
from bnlib.language.displays import chains
from bnlib.language.latex import read_side
from bnlib.language.names import FormulaError, Names
from bnlib.language.tree import Node, letters_of, rebuilt, ref, renamed
from bnlib.language.values import Values

LENGTHS = (3, 4, 5, 6, 7)
_WORD = r"\\mathrm\{\w+\}(?:\^\{\\mathrm\{\w+\}\})?"
_GREEK = r"\\(?:mu|sigma|gamma|beta|alpha|epsilon|varepsilon|eta|theta|delta)(?![a-z])"
_LETTER = r"(?<![A-Za-z\\{])[A-Za-z](?![A-Za-z{])"
_ACCENTED = r"\\(?:hat|bar|tilde)\s*(?:\{[^{}]*\}|\\[a-z]+|[A-Za-z])"
_NAME = rf"(?:\\mathrm\{{d\}}\s*)?(?:{_ACCENTED}|{_WORD}|{_GREEK}|{_LETTER})'?"
_SUBSCRIPT = r"_(?:\{[a-zA-Z0-9]*\}|[A-Za-z0-9])"
_EXPONENT = r"\^(?:\{[-0-9/]+\}|[0-9])"
_GROUP = r"(?:\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}|[0-9A-Za-z])"
_WORDS = r"\\(?:begin|end|text)\{[^{}]*\}"
_SUM = r"\\sum\s*(?:_(?:\{[^{}]*\}|[a-z])|\^(?:\{[^{}]*\}|[A-Z]))+"


def letters_with(latex: str) -> dict[int, set[str]]:
    """The letters of a formula, by how many indices they have."""
    found: dict[int, set[str]] = {}
    for each in re.finditer(f"({_NAME})({_SUBSCRIPT})?", re.sub(rf"{_SUM}|{_WORDS}|\\delta", " ", latex)):
        found.setdefault(_count(each[2]), set()).add(each[1])
    return found


def edits(latex: str, others: dict[int, set[str]]) -> Iterator[tuple[str, str]]:
    """Misprints of a display: what kind it is, and the display with it.

    Args:
        latex: The display.
        others: Letters that may stand in the place of its own, by how many indices they have.
    """

    def at(kind: str, start: int, end: int, new: str) -> tuple[str, str]:
        return kind, latex[:start] + new + latex[end:]

    sums = list(re.finditer(_SUM, latex))
    closed = [each.span() for each in (*sums, *re.finditer(_WORDS, latex))]

    def found(pattern: str) -> list[re.Match[str]]:
        return [each for each in re.finditer(pattern, latex) if not any(a <= each.start() < b for a, b in closed)]

    names, subscripts = found(f"({_NAME})({_SUBSCRIPT})?({_EXPONENT})?"), found(_SUBSCRIPT)
    letters = "ijklm" if subscripts else ""
    for each in names:
        yield at("a lost factor", *each.span(), " ")
        for other in sorted(others.get(_count(each[2]), set()) | {re.sub(r"\\(hat|bar|tilde)", " ", each[1])}):
            if other != each[1]:
                yield at("another letter", *each.span(1), f"{other} ")
    for each in subscripts:
        own = re.findall("[a-z]", each[0])
        for place, letter in enumerate(own):
            for other in letters:
                if other != letter:
                    yield at("another index", *each.span(), f"_{{{''.join((*own[:place], other, *own[place + 1 :]))}}}")
        if len(own) == 2:
            yield at("exchanged indices", *each.span(), f"_{{{own[1]}{own[0]}}}")
    for each in sums:
        yield at("a lost sum", *each.span(), " ")
        for other in letters:
            yield at("another index", *each.span(), re.sub(r"_\{?[a-z]", f"_{{{other}", each[0], count=1))
        for other in "NDHM":
            yield at("another size", *each.span(), re.sub(r"\^\{?[A-Z]", f"^{{{other}", each[0], count=1))
    for each in found("[+-]"):
        yield at("a sign", *each.span(), "+" if each[0] == "-" else "-")
    for each in found(_EXPONENT):
        yield at("a lost exponent", *each.span(), " ")
        for other in ("2", "3", "-1", "-1/2", "-3/2", "1/2"):
            yield at("another exponent", *each.span(), f"^{{{other}}}")
    for each in found(rf"\\[td]?frac\s*({_GROUP})\s*({_GROUP})"):
        yield at("a lost factor", *each.span(), " ")
        if r"\partial" not in each[1]:
            yield at(
                "a fraction turned round", *each.span(), rf"\frac{{{each[2].strip('{}')}}}{{{each[1].strip('{}')}}}"
            )
    for each in found(r"(?<![\^_/\d])(?<![_^]\{)(?<!\{-)\d"):
        yield at("another number", *each.span(), f"{{{int(each[0]) + 1}}}")


def _count(subscript: str | None) -> int:
    return len(re.findall("[a-z]", subscript or ""))


def misprints(name: str, path: Path, seed: int = 0) -> Iterator[tuple[Display, Iterator[tuple[str, str]]]]:
    """For each numbered display of a lesson its misprints in some order: kind, and LaTeX."""
    rng = random.Random(seed)
    shown = [each for each in lesson_displays(path) if each.number and not in_words(name, each)]
    others: dict[int, set[str]] = {}
    for display in shown:
        for count, letters in letters_with(display.latex).items():
            others.setdefault(count, set()).update(letters)
    for display in shown:
        made = {edited: kind for kind, edited in edits(display.latex, others)}
        order = rng.sample(sorted(made), len(made))
        yield display, ((made[each], each) for each in order if says_something_else(name, display, each))


def noticed(name: str, number: str, edited: str) -> bool:
    """Whether the test of the equations fails for a display with a misprint."""
    try:
        return any(problems(name, Display(number, edited, "")))
    except FormulaError:
        return True


def says_something_else(name: str, display: Display, edited: str) -> bool | None:
    """Whether an edit changes the value of a display's sides; None where it is no formula any more."""
    places = [place for place, one in enumerate(spoken(name).SPEAKS) if one.says(display.number) is not None]
    try:
        before, after = (
            [[_reading(name, places, side) for side in chain.sides] for chain in chains(text)]
            for text in (display.latex, edited)
        )
    except FormulaError:
        return None
    if list(map(len, before)) != list(map(len, after)):
        return None
    return any(
        _renamed(one) != _renamed(other)
        and any(a.tree != b.tree and not _alike(a, b) for a, b in zip(one, other, strict=True))
        for one, other in zip(before, after, strict=True)
    )


def _renamed(chain: list[Reading]) -> list[Node]:
    """The sides with letters a, b, c in the place of those that are free: which letters these are says nothing."""
    free = dict.fromkeys(letter for each in chain for letter in letters_of(each.tree) if letter in each.tree.free)
    strokes = {letter: f"{letter}''" for letter in free}
    return [
        renamed(renamed(each.tree, strokes), dict(zip(strokes.values(), "abcdefgh", strict=False))) for each in chain
    ]


@dataclass(frozen=True)
class Reading:
    """A side of a display, read, with the setting in which it was."""

    tree: Node
    names: Names
    values: Values


def _reading(name: str, places: list[int], side: tuple[str, ...]) -> Reading:
    """A side, read in the first setting that can."""
    for place in places:
        names, draws = ground((name, place))
        try:
            return Reading(read_side(side, names, spoken(name).SPEAKS[place].functions).tree, names, draws[0])
        except FormulaError as error:
            reason = error
    raise reason


def _alike(one: Reading, other: Reading) -> bool:
    """Whether two formulas have one value when each name and each derivative in them is any number."""
    names, given = one.names, {}
    with suppress(FormulaError), np.errstate(all="ignore"):
        sizes = names.letter_sizes(one.tree)
        sizes |= names.letter_sizes(other.tree, {key: size for key, size in sizes.items() if key in other.tree.free})
        sizes = {letter: sizes.get(letter, names.sizes[0]) for each in (one, other) for letter in letters_of(each.tree)}
        trees = [_meaningless(each.tree, one, sizes, given) for each in (one, other)]
        lengths = dict(zip(names.sizes, LENGTHS, strict=False))
        arrays: dict[str, np.ndarray] = {f"one {size}": np.ones(length) for size, length in lengths.items()}
        for name, counted in given.items():
            rng = np.random.default_rng(crc32(name.encode()))
            arrays[name] = rng.uniform(0.5, 1.5, size=[lengths[size] for size in counted.split()])
        values = Values(Names({**given, **{f"one {size}": size for size in names.sizes}}), arrays)
        letters = sorted(one.tree.free | other.tree.free)
        a, b = (values.of(tree, letters, {letter: sizes[letter] for letter in letters}) for tree in trees)
        return bool(np.allclose(a, b, rtol=1e-9, atol=1e-12))
    return False


def _meaningless(node: Node, where: Reading, sizes: dict[str, str], given: dict[str, str]) -> Node:
    """The formula with a name of its own for each derivative; its names go into ``given`` with their sizes.

    Two that have the same numbers, as ``dout`` and the gradient of y, are two ways of writing one thing, and get one name.
    """
    if node.op == "ref" and node.data[0] in where.names.sizes:
        return node
    if node.op in ("ref", "d"):
        letters = tuple(letter for letter in letters_of(node) if letter in node.free)
        counted = {letter: sizes[letter] for letter in letters}
        array = where.values.of(node, letters, counted)
        name = f"numbers {array.shape} {crc32(np.ascontiguousarray(array.round(9) + 0.0).tobytes())}"
        given[name] = " ".join(counted.values())
        return ref(name, letters)
    if node.op == "delta":
        return Node("delta", (), tuple(sorted(node.data)))
    return rebuilt(node, tuple(_meaningless(arg, where, sizes, given) for arg in node.args))
