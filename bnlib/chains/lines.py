"""A derivation as typed, taken apart into its lines: continuations joined, comments dropped, a line at every ``=``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bnlib.language.names import FormulaError

LONGEST_TEXT = 20_000
MOST_LINES = 60

JOINING = ("*", "/", "·", "×", "÷")
OPERATORS = ("+", "-", "−", *JOINING)
EQUALS = re.compile(r"(?<![!<>:=])={1,2}(?!=)")
_PLACEHOLDER = re.compile(r"\s*raise NotImplementedError.*")


@dataclass(frozen=True)
class Piece:
    """One line of a derivation.

    Attributes:
        text: The formula as typed, in one line.
        loose: It begins with a + or -, and no =: it may be a line of its own, or go on with the one above.
    """

    text: str
    loose: bool = False

    def __add__(self, other: Piece) -> Piece:
        return Piece(f"{self.text} {other.text}", self.loose)


def pieces(text: str) -> list[Piece]:
    """The lines of a derivation, in order.

    A line goes on where a bracket is open, behind an operator or a backslash, and where the next begins with ``*`` or ``/``.

    Raises:
        FormulaError: It is longer than what is read.
    """
    if len(text) > LONGEST_TEXT:
        raise FormulaError(f"this derivation has {len(text)} characters, and at most {LONGEST_TEXT} are read")
    found: list[Piece] = []
    depth, goes_on = 0, False
    for typed in text.replace("\r\n", "\n").split("\n"):
        part = typed.partition("#")[0].strip()
        if not part or _PLACEHOLDER.fullmatch(part):
            continue
        if part.startswith("="):
            depth = 0  # what was left open above is refused when that line is read
        for place, side in enumerate(_sides(part, depth)):
            continues = place == 0 and (depth > 0 or goes_on or side.startswith(JOINING))
            side = side.removesuffix("\\").rstrip()
            if not side:
                continue
            if continues and found:
                found[-1] += Piece(side)
            else:
                loose = place == 0 and bool(found) and side.startswith(OPERATORS)
                found.append(Piece(side, loose))
        depth += sum((char in "([{") - (char in ")]}") for char in part)
        depth = max(depth, 0)
        goes_on = part.endswith((*OPERATORS, "\\"))
    if len(found) > MOST_LINES:
        raise FormulaError(f"this derivation has {len(found)} lines, and at most {MOST_LINES} are read")
    return found


def _sides(part: str, depth: int) -> list[str]:
    """A line cut at every = that stands outside of brackets; empty where one stands at its beginning."""
    cuts = [0]
    for match in EQUALS.finditer(part):
        before = part[: match.start()]
        if depth + sum((char in "([{") - (char in ")]}") for char in before) <= 0:
            cuts += [match.start(), match.end()]
    cuts.append(len(part))
    return [part[a:b].strip() for a, b in zip(cuts[::2], cuts[1::2], strict=True)]
