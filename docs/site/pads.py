"""The derivation pad of the web page: what its program must know, taken from the judge in ``bnlib/chains/`` and its language.

What is the same for all learners is computed here, once: the definitions as trees, the random arrays on which lines are compared,
letters and how they are typeset. The program in ``pad/`` does what depends on the line that was typed: it reads, differentiates,
evaluates and compares. Signs, words, rules and bounds that both need stand in Python alone, and travel as JSON.
"""

from __future__ import annotations

import keyword
from fractions import Fraction
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from bnlib.chains import forms, judge, lines
from bnlib.chains.course import ground_of
from bnlib.chains.page import SAID, STANDING
from bnlib.judging.showing.report import Row
from bnlib.language import calculus, reading
from bnlib.language.tree import FUNCTIONS, REDUCTIONS, Node
from bnlib.language.writing import name_latex, plain
from bnlib.plots import live
from bnlib.stubs import Derivation, derive_source

HERE = Path(__file__).resolve().parent / "pad"
LANGUAGE = ("tree", "names", "values", "writing", "reading", "judge")


def tree(node: Node) -> list[Any]:
    """A tree as JSON: what it is, what it is made of, what is no formula."""
    data = node.data
    if isinstance(data, Fraction):
        data = [data.numerator, data.denominator] if node.op == "pow" else float(data)
    return [node.op, [tree(arg) for arg in node.args], data]


def grammar() -> dict[str, Any]:
    """What all exercises share."""
    slopes = {name: tree(slope(Node("any", (), "A"))) for name, slope in calculus.SLOPES.items()}
    bounds = {
        reading: ("LONGEST", "DEEPEST", "MOST_LETTERS", "LARGEST_EXPONENT", "LARGEST_NUMBER"),
        lines: ("LONGEST_TEXT", "MOST_LINES", "OPERATORS", "JOINING"),
        judge: ("ROUNDING", "MOST_CANCELLED", "MOST_WORK", "MOST_WORK_IN_ALL", "MOST_NODES", "MOST_DERIVATIVES"),
    }
    rows = {ok: Row("", ok) for ok in (True, False, None)}
    return {
        **{name.lower(): getattr(module, name) for module, names in bounds.items() for name in names},
        "signs": reading.SIGNS,
        "hats": reading.HATS,
        "equals": lines.EQUALS.pattern,
        "keywords": keyword.kwlist,
        "functions": FUNCTIONS,
        "reductions": REDUCTIONS,
        "slopes": slopes,
        "marks": {str(ok): {"sign": row.sign, "style": row.style, "said": SAID[ok]} for ok, row in rows.items()},
        "standing": STANDING,
    }


def exercise(stub: Derivation) -> dict[str, Any]:
    """What the program knows of one exercise: nothing of the course's own derivation."""
    ground = ground_of(stub)
    names = ground.names
    defined = {
        name: {"letters": each.letters, "sizes": each.sizes, "tree": tree(each.tree)}
        for name, each in names.defined.items()
        if " " not in name  # derivatives of names are made where they are needed
    }
    return {
        "id": stub.id,
        "opening": plain(ground.start),
        "cell": derive_source(stub, [""]).split("\n\n"),
        "names": {"given": names.given, "sizes": names.sizes, "defined": defined},
        "typeset": {name: name_latex(name, names) for name in (*names, *names.sizes)},
        "start": tree(ground.start),
        "letters": ground.letters,
        "sizes": ground.sizes,
        "draws": [
            {"arrays": {name: array.ravel() for name, array in draw.arrays.items()}, "lengths": draw.lengths}
            for draw in ground.draws
        ],
        "form": [(word, forms.words(word)) for word in stub.form.split()],
        "end": {"words": forms.wanted(stub.form), "points": stub.end_points},
        "waypoints": [
            {"words": each.words, "points": each.points, "ways": each.ways, "earlier": each.has != ""}
            for each in stub.waypoints
        ],
    }


def language() -> str:
    """The language without its page: statements that make ``GRAMMAR``, ``judge`` and ``latex``."""
    text = live.joined((HERE / f"{name}.js").read_text("utf-8") for name in LANGUAGE)
    return f"const GRAMMAR = {live.as_json(grammar())};\nconst {{ judge, latex }} = (() => {{\n{text}return {{ judge, latex }};\n}})();\n"


@cache
def program() -> str:
    """All that a page with pads needs, as one module that imports nothing and fetches nothing."""
    page = live.joined(part.read_text("utf-8") for part in (live.STATIC / "kit.js", HERE / "pad.js"))
    return f'{language()}{page}start("pad", (host, given) => draw(host, given, GRAMMAR));\n'


def pad(stub: Derivation) -> str:
    """The pad of one exercise on the page of its lesson, and what stands there where no program runs."""
    still = f"<p>Where programs run, this is a pad on which to derive {escape(stub.start)}.</p>"
    help_ = '<a class="pad-help" href="../learners.html#derivations">How lines are typed</a>'
    return live.element("pad", still, exercise(stub)) + help_
