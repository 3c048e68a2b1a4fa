"""Wrong answers made to order: a style is a template of the right answer, a slip is named edits of it.

An exercise lists its styles (the same numbers written in different ways) and its slips. A slip says, for each style in which
it can be made, what is replaced by what; two slips are put together by making both edits. What each is called by the
checks stands beside it: ``names`` holds alternatives separated by ``|``, of which each may be several joined by ``&``; ``*``
stands for anything. Two programs that compute the same numbers cannot be told apart, so the names of one are right for both.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Slip:
    """One mistake: edits ``old => new`` by style, several separated by ``;;``; those under ``"all"`` fit every style."""

    label: str
    names: str
    edits: Mapping[str, str]

    def edit(self, style: str, text: str) -> str | None:
        """The text with the mistake in it; None where it cannot be made there."""
        edits = self.edits.get(style, self.edits.get("all"))
        for edit in edits.split(";;") if edits is not None else ():
            old, new = (part.strip(" ") for part in edit.split("=>"))
            if old not in text:
                return None
            text = text.replace(old, new)
        return None if edits is None else text

    def named_by(self, found: tuple[str, ...]) -> bool:
        """True when the names found say that it was this mistake."""
        return any(
            all(any(fnmatchcase(name, wanted.strip()) for name in found) for wanted in choice.split("&"))
            for choice in self.names.split("|")
        )


def slip(label: str, names: str, **edits: str) -> Slip:
    """A slip with its edits as keyword arguments."""
    return Slip(label, names, edits)


@dataclass(frozen=True)
class Exercise:
    """One exercise with its styles and slips; ``id`` is the stub's."""

    id: str
    styles: Mapping[str, str]
    slips: tuple[Slip, ...]

    def right(self) -> Iterator[tuple[str, str]]:
        """Style and text of each unedited template."""
        yield from self.styles.items()

    def wrong(self, count: int) -> Iterator[Program]:
        """All programs with ``count`` slips in them that can be written."""
        for style, template in self.styles.items():
            for slips in itertools.combinations(self.slips, count):
                text: str | None = template
                for one in slips:
                    text = one.edit(style, text) if text is not None else None
                if text is not None:
                    yield Program(self, style, slips, text)


@dataclass(frozen=True)
class Program:
    """The text of an answer, and what is wrong with it."""

    exercise: Exercise
    style: str
    slips: tuple[Slip, ...]
    text: str

    @property
    def label(self) -> str:
        """Exercise, style and slips in words."""
        return f"{self.exercise.id} ({self.style}): {' + '.join(one.label for one in self.slips)}"

    def named_by(self, found: tuple[str, ...]) -> bool:
        """True when every one of its slips is among the names found."""
        return all(one.named_by(found) for one in self.slips)


def exercises() -> tuple[Exercise, ...]:
    """All exercises of the benchmark."""
    from wrong_answers import basics, block, layer, normalization, second_route

    return tuple(one for part in (basics, normalization, second_route, layer, block) for one in part.EXERCISES)
