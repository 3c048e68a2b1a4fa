"""Name the mistake in a line that does not equal the one above: the smallest edit that makes the two equal, in words.

Two ways lead there. *Mending*: an edit of the learner's line gives it the value of the line above. *Making*: an edit of the line above, its
derivatives carried out, gives the value of the learner's line. An edit is named when it does so on every draw, and only then.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from bnlib.chains.bench import CLOSE, Bench
from bnlib.chains.edits import Edit
from bnlib.chains.fitting import besides, several
from bnlib.chains.making import carried_out, making
from bnlib.chains.mending import mending
from bnlib.chains.vanishing import elsewhere, without
from bnlib.language.tree import Node

if TYPE_CHECKING:
    from bnlib.chains.judge import Ground

MOST_MADE, MOST_EDITS = 1_500, 600
"""How many edits of a line are thought of, and how many of all are tried, the cheapest first."""

MOST_PARTS = 18_000
MOST_WORK = 4_000_000
"""How many parts of formulas are looked at in all edits together, and how many numbers these may make on one draw."""

MAKING = 0.5
"""What an edit of the line above costs more: of two explanations, the one that can be seen in the learner's own line is said."""

MOST_ELSEWHERE = 2
"""How many other places are looked at where the line above is zero."""

MOST_PAIRS = 150
_IN_PAIRS = {
    "sum-for-mean",
    "mean-for-sum",
    "exponent",
    "not-centred",
    "index",
    "chain-rule",
    "bracket",
    "not-differentiated",
}
"""Slips that are looked for besides a sign or a factor of the whole line, and how many of them at the most."""

_UNSPEAKABLE = re.compile(r"\b[a-z]'")
"""A letter that no learner wrote."""

LAST = 1.0
"""What a term too many costs more where the line above is zero: it may as well be its partner that is missing."""

_VANISH = {
    "chain-rule",
    "complement",
    "exchanged",
    "index",
    "not-centred",
    "factor-lost",
    "factor-extra",
    "sum-for-product",
    "product-for-sum",
    "not-differentiated",
    "swapped",
}
"""Slips that are not looked for where the line above is zero: too many things make a line vanish."""


_PARTNER = ", or what should cancel it is wrong"


def slip(ground: Ground, above: Node, line: Node, cancels: bool = False) -> tuple[str, tuple[str, ...]] | None:
    """The mistake that leads from the line above to this one, in words, and its name; None where nobody knows.

    Args:
        ground: Where the lines are compared.
        above: The line above.
        line: The line that does not equal it.
        cancels: Whether terms of the line may have been there to cancel each other.
    """
    wanted, got = ([each.value for each in ground.values(tree)] for tree in (above, line))
    before = list(carried_out(ground, above))
    ways = [Bench(ground, line, wanted, (above, line, *before))]
    zero, vanishes = (
        all(np.max(np.abs(each)) <= CLOSE * scale for each, scale in zip(values, ground.scale, strict=True))
        for values in (wanted, got)
    )
    cancels = cancels or zero
    if zero:
        for there, wanted_there, own, where in islice(elsewhere(ground, above, line), MOST_ELSEWHERE):
            told = slip(there, wanted_there, own, not where)
            if told and "zero" not in told[1]:
                return f"{where}{told[0]}", told[1]
    ways += [Bench(ground, tree, got) for tree in before]
    found: list[tuple[float, int, Bench, Edit]] = []
    for number, bench in enumerate(ways):
        if bench.usable:
            edits = mending(bench) if number == 0 else making(bench, line)
            for edit in islice(edits, MOST_MADE):
                if zero and edit.name in _VANISH and edit.tree is not above:
                    continue
                last = LAST if cancels and edit.name == "term-extra" else 0
                found.append((edit.cost + last + (MAKING if number else 0), number, bench, edit))
    found.sort(key=lambda item: item[:2])
    left, parts = MOST_WORK, MOST_PARTS
    seen: set[tuple[int, Node]] = set()
    tried: list[Edit] = []
    with np.errstate(all="ignore"):
        for _, number, bench, edit in found[:MOST_EDITS]:
            if _UNSPEAKABLE.search(edit.words) or (number, edit.tree) in seen:
                continue
            if number and vanishes and edit.name != "product-rule":  # many slips lead to a line of zeros
                continue
            left, parts = left - bench.work, parts - bench.parts
            if left < 0 or parts < 0:
                break
            if bench.fits(edit.tree):
                if cancels and edit.name == "term-extra":
                    return (
                        f"something is left over here: {edit.words}, or lacks its partner",
                        ("left-over",),
                    )
                if cancels and not number and edit.tree is not above:
                    return f"{edit.words}{_PARTNER}", (edit.name,)
                return edit.words, (edit.name,)
            seen.add((number, edit.tree))
            tried += [edit] if not number and edit.name in _IN_PAIRS else []
        if zero:
            return "the line above is 0 whatever the numbers are, and this one is not", ("not-zero",)
        if small := without(ground, above, line, vanishes):
            here = (
                f"this line is 0, and the one above is 0 for {small} = 0 only"
                if vanishes
                else f"the two lines are equal for {small} = 0 only"
            )
            return f"{here}: {small} got lost on the way", ("eps-lost",)
        if vanishes:
            return "this line is 0 whatever the numbers are, and the one above is not", ("zero",)
        if cancels or not ways[0].usable:
            return None
        return several(ways[0]) or besides(ways[0], tried[:MOST_PAIRS])
