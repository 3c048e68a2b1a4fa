"""Derivations as people write them, right and wrong: one collection, read by the tests and by ``benchmarks/derivations.py``.

They are written by hand, without a look at what the judge makes of them. A file a lesson, ``chains/answers/LESSON.txt``::

    == inv_std_slope
    right course
        d(r, x[i])
        = -1/2 * (var + eps)**(-3/2) * d(var, x[i])
        = -1/N * (var + eps)**(-3/2) * (x[i] - mu)
    right greek = course: mu => μ ;; eps => ε
    wrong course 3
        one-over-n | 1/N | -1/N * => -
        exponent or factor-extra | x[i] - mu | -1/N * (var + eps)**(-3/2) * (x[i] - mu)**2

- ``right NAME`` is a chain that earns every point; behind ``=`` another chain with some words exchanged.
- ``wrong NAME LINE``: that chain, with this line spoilt, a row for each way: what it must be called, what its message must speak of, and the
  line, or ``OLD => NEW`` in the right one. Alternatives that are as true are separated by ``or``; of names joined by ``&`` all must be found.
- ``#`` begins a remark.

``NOT_YET`` counts, for each exercise, the wrong chains that are refused at their line and not called what they are.
"""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from bnlib.stubs import Derivation, Lesson, lessons

HERE = Path(__file__).parent / "chains" / "answers"
NOT_YET = HERE / "not_yet.txt"


@dataclass(frozen=True)
class Wrong:
    """A chain that goes wrong.

    Attributes:
        text: What was typed.
        line: The first line that is wrong, counted from 1.
        typed: That line.
        names: What it may be called: alternatives, of each the names that are found together.
        about: What the message has to speak of, alternatives; none where the name says it all.
    """

    text: str
    line: int
    typed: str
    names: tuple[frozenset[str], ...]
    about: tuple[str, ...]

    def truly(self, message: str, mistakes: tuple[str, ...]) -> bool:
        """Whether a message says what happened."""
        said = message.replace(" ", "")
        return frozenset(mistakes) in self.names and (
            not self.about or any(each.replace(" ", "") in said for each in self.about)
        )


@dataclass
class Chains:
    """All chains of one exercise."""

    stub: Derivation
    right: dict[str, str] = field(default_factory=dict)
    wrong: list[Wrong] = field(default_factory=list)


@functools.cache
def collection(lesson: Lesson) -> dict[str, Chains]:
    """The lesson's chains by exercise."""
    found: dict[str, Chains] = {}
    if not lesson.derivations:
        return found
    blocks: list[tuple[str, list[str]]] = []
    for line in (HERE / f"{lesson.name}.txt").read_text().splitlines():
        if line.startswith("    "):
            blocks[-1][1].append(line[4:])
        elif line.strip() and not line.startswith("#"):
            blocks.append((line.strip(), []))
    for head, body in blocks:
        word, _, rest = head.partition(" ")
        if word == "==":
            here = found[rest] = Chains(lesson.derivations[rest])
        elif word == "right":
            name, _, exchanged = rest.partition(" = ")
            base, _, edits = exchanged.partition(": ")
            assert name not in here.right, name
            here.right[name] = _exchanged(here.right[base], edits) if exchanged else "\n".join(body)
        else:
            assert word == "wrong", head
            base, _, number = rest.rpartition(" ")
            here.wrong += [_wrong(here.right[base], int(number), row) for row in body if not row.startswith("#")]
    return found


def exercises() -> list[Chains]:
    """All derivations of all lessons."""
    return [chains for lesson in lessons() for chains in collection(lesson).values()]


def _exchanged(text: str, edits: str) -> str:
    for edit in edits.split(" ;; "):
        old, _, new = (edit + " ").partition(" =>")
        assert old in text, f"{old!r} is not in {text!r}"
        text = text.replace(old, new.strip())
    return text


def _wrong(base: str, number: int, row: str) -> Wrong:
    names, about, line = row.split(" | ", 2) if " | | " not in row else (row.split(" | ")[0], "", row.split(" | | ")[1])
    lines = base.splitlines()
    before, right = lines[: number - 1], lines[number - 1].removeprefix("= ")
    if "=>" in line:
        line = _exchanged(right, line)
    return Wrong(
        "\n= ".join(each.removeprefix("= ") for each in [*before, line, *lines[number:]]),
        number,
        line,
        tuple(frozenset(each.split(" & ")) for each in names.split(" or ")),
        tuple(about.split(" or ")) if about else (),
    )


def not_yet() -> Counter[str]:
    """For each exercise, how many wrong chains are not called what they are."""
    rows = (row.split() for row in NOT_YET.read_text().splitlines() if not row.startswith("#"))
    return Counter({name: int(number) for name, number in rows})
