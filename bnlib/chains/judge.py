"""Whether each line of a derivation equals the one above: values on several draws, for all free letters at once.

Two lines agree when they differ by rounding only, measured against the numbers that they are added up from. Sizes differ from each
other and from draw to draw, so that N is no 5 and no D.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from bnlib.chains import forms
from bnlib.chains.lines import Piece, pieces
from bnlib.language.names import FormulaError, LetterError, Names
from bnlib.language.reading import define, read
from bnlib.language.tree import Node, letters_of, renamed
from bnlib.language.values import Values
from bnlib.language.writing import plain
from bnlib.numerics import Array
from bnlib.stubs import Setting, Waypoint

DRAWS = 3
SMALLEST, LARGEST = 3, 5
"""Sizes of the arrays: the fewest numbers in which an exchange of letters or sizes shows."""

ROUNDING = 1e-12
MOST_CANCELLED = 1e6
"""Lines whose terms are larger than this, measured by those of the start, have lost too many digits to be compared."""

MOST_WORK = 300_000
MOST_WORK_IN_ALL = 3_000_000
"""How many numbers one line, and all lines together, may make on all draws; the longest derivation of the course makes 13,000."""

MOST_NODES = 20_000
MOST_DERIVATIVES = 2


class FreeLetterError(FormulaError):
    """A letter is free that nothing binds."""


class Ground:
    """Where lines are compared: the names they may use, the letters that stay free, and arrays of several sizes.

    Args:
        setting: What the lines may speak of.
        start: The first line, as a formula; or its tree.
        rng: Where the numbers come from.
        course: Lines known to equal the start, which show what it is made of where all lines are zero.
    """

    def __init__(self, setting: Setting, start: str, rng: np.random.Generator, course: Sequence[str] = ()) -> None:
        self.positive = setting.positive
        self.names = define(Names(setting.given, setting.latex), setting.definitions)
        self.start = read(start, self.names)
        self.letters = _letters(self.start)
        self.sizes = {k: v for k, v in self.names.letter_sizes(self.start).items() if k in self.letters}
        self.draws = [Values(self.names, drawn(setting, self.names, rng)) for _ in range(DRAWS)]
        self._course = course
        self.work = 0
        self._known: dict[Node, list[Value]] = {}
        self.scale = [max(float(np.max(value.size)), 1e-300) for value in self.values(self.start)]

    @cached_property
    def course(self) -> tuple[Node, ...]:
        """The course's own lines."""
        return tuple(read(line, self.names) for line in self._course)

    def called(self, tree: Node) -> Ground:
        """The same with the free letters that a first line uses, where it is the start in other letters."""
        own = _letters(tree)
        if len(own) == len(self.letters) and own != self.letters:
            change = dict(zip(own, self.letters, strict=True))
            if renamed(tree, change) is self.start:
                back = dict(zip(self.letters, own, strict=True))
                return self.but(start=tree, letters=own, sizes={back[k]: v for k, v in self.sizes.items()})
        return self

    def but(self, **changed: Any) -> Ground:
        """The same with other names, letters or draws."""
        other = object.__new__(Ground)
        other.__dict__ |= self.__dict__ | {"_known": {}} | changed
        return other

    def values(self, tree: Node) -> list[Value]:
        """What a line is worth, for each draw.

        Raises:
            FormulaError: It means nothing here, or is too much work; one sentence says what to do.
        """
        if tree in self._known:
            return self._known[tree]
        for letter in sorted(tree.free - set(self.letters)):
            raise FreeLetterError(self._unbound(letter, tree))
        if _derivatives(tree) > MOST_DERIVATIVES or _grown(tree) > MOST_NODES:
            raise FormulaError("there is too much to differentiate in this line: do it in several lines")
        self.names.letter_sizes(tree, self.sizes)
        flat = self.names.without_d(tree)
        found = []
        for values in self.draws:
            work = values.work(flat, self.sizes)
            self.work += work
            if work > MOST_WORK or self.work > MOST_WORK_IN_ALL:
                raise FormulaError("there are too many letters in use at once: finish some of the sums first")
            with np.errstate(all="ignore"):
                value = values.of(flat, self.letters, self.sizes)
                size = values.size(flat, self.letters, self.sizes)
            found.append(Value(value, size))
        self._known[tree] = found
        if any(not np.all(np.isfinite(value.value)) for value in found):
            raise FormulaError("this line has no value: it divides by zero, or takes a root of a negative number")
        return found

    def _unbound(self, letter: str, tree: Node) -> str:
        if not letter.islower():
            name = next(
                each.data[0] for each in forms.below(tree) if each.op == "ref" and letter in each.data[1]
            )  # its sizes stand for its letters where it is written without
            count = len(self.names.sizes_of(name))
            return f"{name} has {count} ind{'ex' if count == 1 else 'ices'} here: write {name}[{', '.join('jklm'[:count])}]"
        stays = f"what stays free is {' and '.join(self.letters)}" if self.letters else "no letter stays free"
        return f"nothing says what {letter} is: a sum over {letter} is missing, or another letter is meant ({stays})"

    def same(self, one: Node, other: Node) -> bool:
        """Whether two lines are equal, on all draws.

        Raises:
            FormulaError: One of them has no value here.
        """
        return agree(self.values(one), self.values(other), self.scale)

    def difference(self, above: Node, line: Node) -> str:
        """Where a line differs from the one above first, in words."""
        for a, b in zip(self.values(above), self.values(line), strict=True):
            off = np.abs(a.value - b.value)
            if np.max(off) == 0:
                continue
            where = tuple(int(i) for i in np.argwhere(off > 1e-6 * np.max(off))[0]) if off.ndim else ()
            at = ", ".join(f"{letter} = {place + 1}" for letter, place in zip(self.letters, where, strict=True))
            # What is left by rounding alone is nothing.
            got, wanted = (
                float(v.value[where]) if abs(v.value[where]) > ROUNDING * np.max(v.size) else 0.0 for v in (b, a)
            )
            digits = next(n for n in (3, 6, 10, 17) if f"{got:.{n}g}" != f"{wanted:.{n}g}" or n == 17)
            first = f", first at {at}" if at else ""
            return f"this line differs from the one above{first}: {got:.{digits}g} and not {wanted:.{digits}g}"
        return "this line differs from the one above"


def drawn(
    setting: Setting, names: Names, rng: np.random.Generator, lengths: Mapping[str, int] | None = None
) -> dict[str, Array]:
    """Arrays for what is given: sizes that differ from each other, numbers that are neither small nor alike.

    Args:
        setting: What is given, and what of it is positive.
        names: Its names.
        rng: Where the numbers come from.
        lengths: Sizes that are not drawn.
    """
    some = rng.permutation(np.arange(SMALLEST, max(LARGEST, SMALLEST + len(names.sizes)) + 1))
    of_size = {size: int(length) for size, length in zip(names.sizes, some, strict=False)} | dict(lengths or {})
    arrays: dict[str, Array] = {}
    for name, sizes in names.given.items():
        shape = [of_size[size] for size in sizes]
        sign = 1.0 if name in setting.positive else rng.choice([-1.0, 1.0])
        spread = 0.0 if name in setting.positive else rng.normal(size=shape)
        arrays[name] = sign * rng.uniform(0.3, 1.5, size=shape) + spread
    return arrays


@dataclass(frozen=True)
class Value:
    """What a line is worth on one draw, and how large the numbers are that this is added up from."""

    value: Array
    size: Array


def agree(one: Iterable[Value], other: Iterable[Value], scale: Sequence[float]) -> bool:
    """Whether values differ by rounding only, on every draw.

    Raises:
        FormulaError: So much cancels that this cannot be told.
    """
    for a, b, usual in zip(one, other, scale, strict=True):
        size = max(float(np.max(a.size)), float(np.max(b.size)), usual)
        if not size <= MOST_CANCELLED * usual:
            raise FormulaError(
                "numbers so large are added and subtracted in this line that no digit of the result is left"
            )
        if not np.max(np.abs(a.value - b.value)) <= ROUNDING * size:
            return False
    return True


@dataclass(frozen=True)
class Line:
    """One line of a derivation, and what is known of it.

    Attributes:
        piece: What was typed, and where.
        tree: Its formula; None where it cannot be read.
        ok: Whether it equals the line above; None where that is not known.
        message: Why it does not hold, in one sentence.
        mistake: The name of that, for counting.
    """

    piece: Piece
    tree: Node | None
    ok: bool | None
    message: str = ""
    mistake: str = ""


@dataclass(frozen=True)
class Judgement:
    """What was found in a derivation.

    Attributes:
        ground: Where it was judged.
        lines: Its lines in order; the first is compared with the start.
        reached: For each waypoint, whether a line up to the first slip has its form.
        unfinished: What the last line still contains, in words; "" when it has the form asked for.
        message: What is wrong with the text as a whole, or with its first line that does not hold; "" when nothing is.
        mistakes: The name of that, for counting.
    """

    ground: Ground
    lines: tuple[Line, ...] = ()
    reached: tuple[bool, ...] = ()
    unfinished: str = ""
    message: str = ""
    mistakes: tuple[str, ...] = ()

    @property
    def good(self) -> tuple[Line, ...]:
        """The lines above the first that does not hold."""
        return self.lines[: self.wrong] if self.wrong is not None else self.lines

    @property
    def wrong(self) -> int | None:
        """Place of the first line that does not hold, counted from 0."""
        return next((place for place, line in enumerate(self.lines) if not line.ok), None)

    @property
    def empty(self) -> bool:
        """Whether nothing was written but the start."""
        return not self.message and all(line.tree is self.ground.start for line in self.lines)

    @property
    def finished(self) -> bool:
        """Whether every line holds and the last has the form asked for."""
        return not self.message and not self.unfinished and bool(self.lines)


def judge(
    ground: Ground, text: str, form: str = "", waypoints: Sequence[Waypoint] = (), name: bool = True
) -> Judgement:
    """Judge a derivation.

    Args:
        ground: Where its lines are compared.
        text: What the learner typed.
        form: What its last line must not have.
        waypoints: Forms that some line must have.
        name: Whether to look for the reason where a line does not hold.
    """
    try:
        waiting = pieces(text)
    except FormulaError as error:
        return Judgement(ground, message=f"{str(error)[:1].upper()}{str(error)[1:]}.", mistakes=("unreadable",))
    if not waiting:
        return Judgement(ground, reached=(False,) * len(waypoints), unfinished="nothing is written yet")
    ground, lines = _compared(ground, waiting)
    found = Judgement(ground, tuple(lines))
    place = found.wrong
    if place is not None:
        line = lines[place]
        message = line.message
        mistakes: tuple[str, ...] = (line.mistake,)
        if line.tree is not None and not message:
            above = lines[place - 1].tree if place else ground.start
            assert above is not None
            message, mistakes = _slip(ground, above, line.tree) if name else (ground.difference(above, line.tree), ())
        lines[place] = replace(line, message=message)
        found = replace(found, lines=tuple(lines), message=f"Line {place + 1}: {message}.", mistakes=mistakes)
    reached = _reached(found.good, waypoints)
    unfinished = "" if place is not None else _unfinished(lines[-1], form)
    return replace(found, reached=reached, unfinished=unfinished)


def _slip(ground: Ground, above: Node, line: Node) -> tuple[str, tuple[str, ...]]:
    from bnlib.chains.slips import slip

    found = slip(ground, above, line)
    return found if found else (ground.difference(above, line), ("unnamed",))


def _compared(ground: Ground, waiting: list[Piece]) -> tuple[Ground, list[Line]]:
    """Every line with the one above.

    What begins with + or - is a line of its own where that holds; else it goes on with the line before.
    """
    lines: list[Line] = []
    while waiting:
        run = 1 + next((n for n, piece in enumerate(waiting[1:]) if not piece.loose), len(waiting) - 1)
        tries = [_line(ground, lines, _joined(waiting[:count])) for count in range(1, run + 1)]
        used = next((count for count, line in enumerate(tries, 1) if line.ok), 0)
        if not used and waiting[0].loose:
            longer = _line(ground, lines[:-1], lines[-1].piece + waiting[0])
            if longer.ok:
                lines[-1], waiting = longer, waiting[1:]
                continue
        used = used or (1 if waiting[0].loose else run)
        line = tries[used - 1]
        if not lines and line.tree is not None:
            ground = ground.called(line.tree)
        lines.append(line)
        waiting = waiting[used:]
    return ground, lines


def _joined(parts: Sequence[Piece]) -> Piece:
    whole = parts[0]
    for part in parts[1:]:
        whole += part
    return whole


def _line(ground: Ground, before: Sequence[Line], piece: Piece) -> Line:
    """One line, compared with the last before it, or with the start where there is none."""
    tree: Node | None = None
    try:
        tree = read(piece.text, ground.names)
        if not before:
            ground = ground.called(tree)
            if tree.op in ("d", "ref") and not (tree.free <= set(ground.letters) and ground.same(ground.start, tree)):
                said = f"this derivation begins with {plain(ground.start)}, and this is something else"
                return Line(piece, tree, False, said, "start")
        ground.values(tree)
        above = before[-1].tree if before else ground.start
        return Line(piece, tree, None if above is None else ground.same(above, tree))
    except FormulaError as error:
        name = next((name for kind, name in _REFUSED.items() if isinstance(error, kind)), "")
        return Line(piece, tree, False, str(error), name or ("unreadable" if tree is None else "no-value"))


_REFUSED: dict[type[FormulaError], str] = {FreeLetterError: "free-letter", LetterError: "index"}
"""What lines are called that cannot be compared."""


def _reached(good: Sequence[Line], waypoints: Sequence[Waypoint]) -> tuple[bool, ...]:
    """Which waypoints lines have passed; one that says only what is gone counts where the one before was reached."""
    reached: list[bool] = []
    trees = [line.tree for line in good if line.tree is not None]
    for waypoint in waypoints:
        earlier = waypoint.has != "" or any(reached[-1:])
        reached.append(earlier and any(_has_form(tree, *way) for tree in trees for way in waypoint.ways))
    return tuple(reached)


def _has_form(tree: Node, has: Sequence[str], lacks: Sequence[str]) -> bool:
    return (not has or any(forms.has(tree, word) for word in has)) and not any(forms.has(tree, word) for word in lacks)


def _unfinished(last: Line, form: str) -> str:
    assert last.tree is not None
    return next((forms.words(word) for word in form.split() if forms.has(last.tree, word)), "")


def _letters(tree: Node) -> tuple[str, ...]:
    return tuple(letter for letter in letters_of(tree) if letter in tree.free)


def _derivatives(tree: Node) -> int:
    """How many derivatives stand inside each other."""
    return max((_derivatives(arg) for arg in tree.args), default=0) + (tree.op == "d")


def _grown(tree: Node) -> int:
    """How many nodes a formula may have once its derivatives are carried out, at the most."""
    inside = 1 + sum(_grown(arg) for arg in tree.args)
    return inside * inside if tree.op == "d" else inside
