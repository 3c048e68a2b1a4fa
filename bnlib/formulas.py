"""Two pages made from what is tested: all numbered equations of the lessons, and the table of their letters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from bnlib.language.displays import displays, tokens
from bnlib.language.notation import LETTERS, Letter
from bnlib.notebooks import parse
from bnlib.release import sources
from bnlib.stubs import lesson_of


@dataclass(frozen=True)
class Display:
    """One display of a lesson; ``number`` is "" where it has none."""

    number: str
    latex: str
    heading: str

    def __str__(self) -> str:
        return f"({self.number})" if self.number else f"the display {self.latex[:50]!r} in {self.heading}"


_MADE = "Made by `bnlib formulas`; do not edit."


def lesson_displays(path: Path) -> list[Display]:
    """All displays of a source notebook, in order, with the heading they stand under.

    Raises:
        FormulaError: A display is begun and not ended.
    """
    found, heading = [], ""
    for cell in parse(path)["cells"]:
        if cell["cell_type"] == "markdown":
            for part in re.split(r"(?m)^(?=#+ )", cell["source"]):
                title = re.match(r"#+ (.*)", part)
                heading = title[1] if title else heading
                found += [Display(number, latex, heading) for number, latex in displays(part)]
    return found


def pages(solutions: Path) -> dict[str, str]:
    """The pages for ``docs/``, by their names.

    Args:
        solutions: Folder of the source notebooks.

    Raises:
        ReleaseError: It holds no lessons.
        FormulaError: A display is begun and not ended.
    """
    return {"formulas.md": _formulas(sources(solutions)), "notation.md": _notation()}


def _formulas(paths: list[Path]) -> str:
    parts = [
        "# All formulas",
        f"The numbered equations of the lessons, in order; each is read off the lesson's page and evaluated by `tests/test_equations.py`. {_MADE}\n"
        "What the letters are called in code, in PyTorch and in the paper: [notation.md](notation.md).",
    ]
    for path in paths:
        parts.append(f"## Lesson {path.stem[:2]}: {lesson_of(path.stem).title}")
        found = [display for display in lesson_displays(path) if display.number]
        parts.append(_letters("\n".join(display.latex for display in found)))
        heading = ""
        for display in found:
            if display.heading != heading:
                parts.append(f"### {display.heading}")
                heading = display.heading
            parts.append(f"$$\n{display.latex} \\tag{{{display.number}}}\n$$")
    return "\n\n".join(parts) + "\n"


def _letters(latex: str) -> str:
    """One line: the letters that occur, each with its meaning."""
    used = [letter for letter in LETTERS if any(_occurs(each, latex) for each in (letter.latex, letter.also) if each)]
    return "*Letters*: " + " · ".join(f"{_shown(letter)} {letter.meaning}" for letter in used)


def _occurs(letter: str, latex: str) -> bool:
    """Whether a letter stands in a formula, without an accent or a mark that makes another of it."""
    wanted = [token for token in tokens(letter) if token not in "{}"]
    signs = [token for token in tokens(re.sub(r"_(\{[^{}]*\}|.)", "", latex)) if token not in "{}"]
    for place in range(len(signs) - len(wanted) + 1):
        before, after = (
            signs[place - 1] if place else "",
            signs[place + len(wanted)] if place + len(wanted) < len(signs) else "",
        )
        if (
            signs[place : place + len(wanted)] == wanted
            and before not in (r"\hat", r"\bar", r"\tilde")
            and after not in ("'", "*")
        ):
            return True
    return False


def _shown(letter: Letter) -> str:
    return f"${letter.latex}_{{{letter.indices}}}$" if letter.indices else f"${letter.latex}$"


def _notation() -> str:
    rows = [
        "| formula | typed | in code | PyTorch | the paper | what it is |",
        "|---|---|---|---|---|---|",
    ]
    for letter in LETTERS:
        formula = _shown(letter) if letter.latex else f"${letter.code}$"
        also = f" ({f'${letter.also}$'})" if letter.also.startswith(r"\mathrm") else ""
        code, torch = (f"`{each}`" if each else "" for each in (letter.code if letter.latex else "", letter.torch))
        typed = f"`{letter.name}`" if letter.name else ""
        paper = f"${letter.paper}$" if letter.paper else ""
        rows.append(f"| {formula}{also} | {typed} | {code} | {torch} | {paper} | {letter.meaning} |")
    return (
        "# The letters of the course\n\n"
        f"One meaning each, in all lessons. {_MADE} The table itself is `bnlib/language/notation.py`: formulas are typeset by it, and read by it.\n\n"
        + "\n".join(rows)
        + "\n\nTyped: how a derivation or a test of the equations names it, as in `d(y[k], x[i])`. PyTorch: `torch.nn.BatchNorm1d` and `torch.nn.Linear`, after `loss.backward()` for gradients. "
        "The paper: S. Ioffe and C. Szegedy, [*Batch Normalization*](https://arxiv.org/abs/1502.03167), ICML 2015, algorithms 1 and 2; its formulas are "
        "of one feature, with $i$ for the example.\n"
    )
