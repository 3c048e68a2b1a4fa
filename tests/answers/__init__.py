"""Answers as people write them, right and wrong: one collection, read by the tests and by ``benchmarks/``.

They are written by hand and know nothing of the engine's rules. A file a lesson, ``LESSON.txt``::

    == center_backward
    style closed
        mean = dout.mean(axis=0)
        return dout - mean
    right by the Jacobian
        return center_jacobian(len(dout)) @ dout
    wrong path-through-the-mean-sign
        - mean => + mean
        closed | dout - => dout.copy() - ;; - mean => + mean
    wrong returned-none
        dh = dout - dout.mean(axis=0)

- ``== EXERCISE`` begins an exercise; with ``= OTHER`` behind it (``normalization.batchnorm_forward``, or an exercise of this file),
  the edits of that one are tried here as well, in styles of the same names; of an exercise of this file with the same arguments
  the right answers are taken too. Lines ``OLD => NEW`` right below are exchanged in all that is taken over, and ``without NAMES``
  leaves a mistake out.
- ``style NAME`` is a right answer in which mistakes can be made; ``right NAME`` is one that only has to pass. The first line of
  the function is the contract's, unless the text has its own; ``@ EXERCISE STYLE`` puts another answer in front.
- ``wrong NAMES``: what the check must call it, then the ways to write it: a body, or edits ``OLD => NEW``, several separated by ``;;``
  and ``\\n`` for a new line, made in every style in which they can be, or in the one that is named in front. Names joined by ``&``
  must all be found, alternatives separated by ``|`` are as good, ``*`` stands for anything.
  ``never WORDS``: what its message must not say. A body or an edit of one line may stand behind a colon: ``wrong returned-none: dout - dout.mean(axis=0)``.
- ``#`` begins a remark.

How names are compared stands in :mod:`answers.names`.
"""

from __future__ import annotations

import functools
import itertools
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from answers.names import named
from bnlib.stubs import Lesson, Stub, lesson_of, lessons

__all__ = ["Edit", "Exercise", "Program", "Slip", "collection", "exercises", "named"]

HERE = Path(__file__).parent

ENDS = (
    "wrong-shape",
    "wrong-count",
    "wrong-type",
    "one-row",
    "not-summed",
    "raises-",
    "returned-",
    "input-changed",
    "empty",
    "unfinished",
)
"""Mistakes behind which the check sees no other."""


@dataclass(frozen=True)
class Edit:
    """Replacements that make a mistake; ``style`` is the one they are meant for, None for all."""

    style: str | None
    replaced: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, line: str) -> Edit:
        head, bar, rest = line.partition(" | ")
        style, rest = (head, rest) if bar and "=>" not in head else (None, line)
        pairs = (part.split("=>") for part in rest.replace("\\n", "\n").split(";;"))
        return cls(style, tuple((old.strip(" "), new.strip(" ")) for old, new in pairs))

    def __str__(self) -> str:
        return " ;; ".join(f"{old} => {new}" for old, new in self.replaced).replace("\n", "\\n")

    def make(self, text: str) -> str | None:
        """The text with the mistake in it; None where it cannot be made there."""
        for old, new in self.replaced:
            if old not in text:
                return None
            text = text.replace(old, new)
        return text


@dataclass(frozen=True)
class Slip:
    """One mistake, and the ways to write it."""

    names: str
    edits: tuple[Edit, ...] = ()
    body: str | None = None
    never: tuple[str, ...] = ()


@dataclass(frozen=True)
class Program:
    """The text of an answer, and what is wrong with it: a name for every mistake in it."""

    stub: Stub
    label: str
    text: str
    names: tuple[str, ...] = ()
    style: str = ""
    never: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.stub.id} ({self.label})"


@dataclass
class Exercise:
    """All answers to one exercise; ``own`` are the mistakes that were not taken over from another."""

    stub: Stub
    styles: dict[str, str] = field(default_factory=dict)
    also: dict[str, str] = field(default_factory=dict)
    slips: list[Slip] = field(default_factory=list)
    own: list[Slip] = field(default_factory=list)

    @property
    def texts(self) -> dict[str, str]:
        """Every right answer by name."""
        return {**self.styles, **self.also}

    def right(self) -> Iterator[Program]:
        """The right answers."""
        for name, text in self.texts.items():
            yield Program(self.stub, name, text, style=name)

    def wrong(self) -> Iterator[Program]:
        """Every wrong answer with one mistake in it."""
        seen = set(self.texts.values())
        for slip in self.slips:
            for program in self._made(slip):
                if program.text not in seen:
                    seen.add(program.text)
                    yield program

    def pairs(self) -> Iterator[tuple[Program, Program, Program]]:
        """Two mistakes in one style, and each of them alone; without those that end an examination before numbers are compared."""
        slips = [slip for slip in self.slips if not slip.names.startswith(ENDS)]
        made = [(slip, edit, style) for slip in slips for edit in slip.edits for style in self._styles(edit)]
        for (one, first, style), (two, second, other) in itertools.combinations(made, 2):
            if style == other and one.names != two.names:
                alone = [self._program(slip, edit, style) for slip, edit in ((one, first), (two, second))]
                text = alone[0] and alone[1] and second.make(alone[0].text)
                if text and text not in (alone[0].text, alone[1].text):
                    label = f"{style}: {first} ;; {second}"
                    yield Program(self.stub, label, text, (one.names, two.names), style), *alone

    def _styles(self, edit: Edit) -> list[str]:
        return [style for style in ([edit.style] if edit.style else self.styles) if style in self.texts]

    def _made(self, slip: Slip) -> Iterator[Program]:
        if slip.body is not None:
            shown = " / ".join(line.strip() for line in slip.body.splitlines() if line.strip())
            yield Program(self.stub, shown, slip.body, (slip.names,), "", slip.never)
        for edit in slip.edits:
            yield from filter(None, (self._program(slip, edit, style) for style in self._styles(edit)))

    def _program(self, slip: Slip, edit: Edit, style: str) -> Program | None:
        text = edit.make(self.texts[style])
        return text and Program(self.stub, f"{style}: {edit}", text, (slip.names,), style, slip.never)


@functools.cache
def collection(lesson: Lesson) -> dict[str, Exercise]:
    """The lesson's answers by exercise."""
    found: dict[str, Exercise] = {}
    lines = (HERE / f"{lesson.name}.txt").read_text().splitlines()
    blocks: list[tuple[str, list[str]]] = []
    for line in lines:
        if line[:1] in "#" and not line.startswith("    "):
            continue
        if line.startswith("    "):
            blocks[-1][1].append(line[4:])
        elif line.strip():
            blocks.append((line.strip(), []))
    for head, body in blocks:
        word, _, rest = head.partition(" ")
        rest, _, line = rest.partition(": ")
        body = [line, *body] if line else body
        try:
            if word == "==":
                name, _, other = rest.partition(" = ")
                here = found[name] = _begin(lesson, found, name, other, body)
            else:
                _add(here, found, word, rest, body)
        except (KeyError, ValueError) as error:
            raise ValueError(f"{lesson.name}.txt, {here.stub.name}, {head!r}: {error!r}") from None
    return found


def exercises() -> Iterator[Exercise]:
    """All exercises of all lessons."""
    for lesson in lessons():
        yield from collection(lesson).values()


def _begin(lesson: Lesson, found: dict[str, Exercise], name: str, other: str, lines: list[str]) -> Exercise:
    begun = Exercise(lesson.stubs[name])
    if other:
        there, _, base = other.rpartition(".")
        old = (collection(lesson_of(there)) if there else found)[base]
        without = [line[len("without ") :] for line in lines if line.startswith("without ")]
        exchange = [pair for line in lines if " =>" in line for pair in Edit.of(line).replaced]

        def new(text: str) -> str:
            for one, another in exchange:
                text = text.replace(one, another)
            return re.sub(rf"\b{base}\b", name, text)

        if not there and old.stub.parameters == begun.stub.parameters:
            begun.styles = {style: new(text) for style, text in old.styles.items()}
            begun.also = {name: new(text) for name, text in old.also.items()}
        for slip in old.slips:
            edits = tuple(Edit(e.style, tuple((new(a), new(b)) for a, b in e.replaced)) for e in slip.edits)
            begun.slips += [Slip(slip.names, edits, never=slip.never)] if edits and slip.names not in without else []
    return begun


def _add(here: Exercise, found: dict[str, Exercise], word: str, rest: str, body: list[str]) -> None:
    never = tuple(line[len("never ") :] for line in body if line.startswith("never "))
    body = [line for line in body if not line.startswith("never ")]
    edits = tuple(Edit.of(line) for line in body) if all(" =>" in line for line in body) else ()
    text = None if edits else _text(here.stub, found, body)
    if word == "wrong":
        here.own.append(Slip(rest, edits, text, never))
        here.slips.append(here.own[-1])
    elif word in ("style", "right"):
        if edits:
            (edit,) = edits
            text = edit.make(here.texts[edit.style or next(iter(here.styles))])
            if text is None:
                raise ValueError("the edit does not fit")
        if word == "right" and rest in here.styles:
            raise ValueError("a style has this name")
        (here.styles if word == "style" else here.also)[rest] = text or ""
    else:
        raise ValueError("begin with ==, style, right or wrong")


def _text(stub: Stub, found: dict[str, Exercise], body: list[str]) -> str:
    """A whole text: what is included, and the first line of the function where it is left out."""
    included = [line.split(maxsplit=2)[1:] for line in body if line.startswith("@ ")]
    front = "".join(found[name].texts[style] for name, style in included)
    text = "\n".join(line for line in body if not line.startswith("@ ")).strip("\n") + "\n"
    if text.strip() and not re.search(rf"^(def|class) {stub.name}\b|^{stub.name} = ", text, re.MULTILINE):
        text = f"def {stub.name}({', '.join(stub.parameters)}):\n" + textwrap.indent(text, "    ")
    return front + text
