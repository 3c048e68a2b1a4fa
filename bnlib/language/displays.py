r"""The displays of a text, taken apart: chains of formulas with ``=`` between them. Formulas themselves are read by :mod:`latex`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bnlib.language.names import FormulaError

RELATIONS = {"=": "=", r"\approx": "approx", r"\leftarrow": "becomes"}

_TOKEN = re.compile(
    r"\\(?:text|mathrm|operatorname|begin|end)\{[^{}]*\}|\\\\\[[^\]]*\]|\\[A-Za-z]+|\\.|[^\s]", re.DOTALL
)
_NO_MEANING = {
    r"\,", r"\;", r"\:", r"\!", "\\ ", "~", "&", r"\left", r"\right", r"\displaystyle", r"\big", r"\Big", r"\bigl", r"\bigr",
    r"\Bigl", r"\Bigr", r"\bigg", r"\Bigg", r"\begin{aligned}", r"\end{aligned}",
}  # fmt: skip
BRACKETS = {"(": ")", "[": "]", "{": "}", r"\{": r"\}", "|": "|", r"\langle": r"\rangle"}
_OPENING, _CLOSING = (
    ("(", "[", "{", r"\{", r"\langle", r"\begin{cases}"),
    (")", "]", "}", r"\}", r"\rangle", r"\end{cases}"),
)
_CASES = ("if", "and", "otherwise")
APART = (",", ".", ";", r"\quad", r"\qquad", r"\\")


@dataclass(frozen=True)
class Chain:
    """Formulas in the signs of LaTeX, each equal to its neighbour; ``relations`` has a word of RELATIONS for each sign between."""

    sides: tuple[tuple[str, ...], ...]
    relations: tuple[str, ...]


def displays(text: str) -> list[tuple[str, str]]:
    """The displays of a text: (number, LaTeX without it); the number is "" where there is none.

    Raises:
        FormulaError: A display is begun and not ended, or has two numbers.
    """
    parts = re.sub(r"(?s)```.*?```", "", text).split("$$")
    if len(parts) % 2 == 0:
        raise FormulaError(f"a display is begun and not ended: $${parts[-1][:60].strip()}")
    found = []
    for latex in parts[1::2]:
        tags = re.findall(r"\\tag\{([^{}]*)\}", latex)
        if len(tags) > 1:
            raise FormulaError(f"one display has the numbers {', '.join(tags)}")
        found.append((tags[0] if tags else "", re.sub(r"\\tag\{[^{}]*\}", "", latex).strip()))
    return found


def chains(latex: str) -> list[Chain]:
    r"""The chains of one display: apart by commas, wide spaces, lines and words.

    Args:
        latex: What stands between the dollar signs, without its ``\tag``.

    Raises:
        FormulaError: A formula is compared with nothing.
    """
    segments: list[list[str]] = [[]]
    depth, aside = 0, False
    signs = tokens(latex)
    for token, after in zip(signs, [*signs[1:], ""], strict=True):
        depth += (token in _OPENING) - (token in _CLOSING)
        said = word(token)
        if depth == 0 and (token in APART or (said and said not in _CASES)):
            aside = said.startswith("for") or (aside and token not in (r"\qquad", r"\\"))
            if word(after) != "otherwise":
                segments.append([])
        elif not aside:
            segments[-1].append(token)
    found: list[list[str]] = []
    for segment in filter(None, segments):
        if segment[0] == "(" and closing(segment, 0) == len(segment) - 1:
            segment = segment[1:-1]
        if found and segment[0] in RELATIONS:
            found[-1] += segment  # a new line that begins with = goes on with the chain above
        else:
            found.append(segment)
    return [_chain(segment) for segment in found]


def _chain(segment: list[str]) -> Chain:
    sides: list[list[str]] = [[]]
    relations: list[str] = []
    depth, condition = 0, False
    for token in segment:
        depth += (token in _OPENING) - (token in _CLOSING)
        condition = depth == 0 and (word(token) in ("if", "and") or (condition and not word(token)))
        if depth == 0 and token in RELATIONS and not condition:
            sides.append([])
            relations.append(RELATIONS[token])
        else:
            sides[-1].append(token)
    if not relations or [] in sides:
        raise FormulaError(f"a formula is compared with nothing: {' '.join(segment)}")
    return Chain(tuple(map(tuple, sides)), tuple(relations))


def word(token: str) -> str:
    """What a sign says in words; "" where it is none."""
    match = re.fullmatch(r"\\text\{(.*)\}", token, re.DOTALL)
    return match[1].strip(" ,.") if match else ""


def tokens(latex: str) -> list[str]:
    """The signs of a formula, without what only moves them on the page."""
    found = [token for token in _TOKEN.findall(latex) if token not in _NO_MEANING]
    found = [r"\\" if token.startswith(r"\\") else token for token in found]
    while r"\boxed" in found:
        start = found.index(r"\boxed")
        end = closing(found, start + 1)
        found[start : end + 1] = found[start + 2 : end]
    return found


def closing(found: Sequence[str], start: int) -> int:
    """Where the bracket that opens at ``start`` closes."""
    one = found[start]
    other, depth = BRACKETS[one], 0
    for place in range(start, len(found)):
        if found[place] == one and (one != other or place == start):
            depth += 1
        elif found[place] == other:
            depth -= 1
            if depth == 0:
                return place
    raise FormulaError(f"{one} is not closed")
