"""A derivation on the page: typeset line under line with a mark at every =, and the same as plain text."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from bnlib.chains.judge import Judgement, Line
from bnlib.judging.showing.report import Row, printable, titled
from bnlib.language.writing import latex

SAID = {True: "equals the line above", False: "does not equal the line above", None: "not compared"}
STANDING = {
    "empty": "Write the next line below {start}: something that equals it.",
    "so far": "Every line holds so far; {unfinished}.",
    "step": "Every line holds, and the last has the form asked for. What is to do still wants a line of its own, between those you have.",
    "done": "Every line holds, and nothing is left to do.",
}
"""What is said below a derivation in which no line is wrong."""


@dataclass(frozen=True)
class Page:
    """What is shown of a derivation.

    Attributes:
        title: The exercise's id, or what it is.
        found: What was found in it.
        steps: The waypoints, and whether each was passed.
        closing: What stands below.
    """

    title: str
    found: Judgement
    steps: tuple[tuple[str, bool], ...] = ()
    closing: str = ""

    @property
    def _rows(self) -> list[tuple[int, Line, Row]]:
        """Every line with its mark; behind the first slip nothing more is claimed."""
        wrong = self.found.wrong
        rows = []
        for place, line in enumerate(self.found.lines):
            ok = None if wrong is not None and place > wrong else bool(line.ok)
            rows.append((place + 1, line, Row("", ok, line.message if place == wrong else "")))
        return rows

    def __str__(self) -> str:
        lines = [self.title]
        for number, line, row in self._rows:
            equals = "=" if number > 1 else " "
            mark = row.mark if number > 1 or row.ok is False else ""
            lines.append(f"  {number:>2}  {mark:<11}  {equals} {printable(line.piece.text)}")
            if row.message:
                lines.append(f"      {printable(row.message)}")
        if self.found.message and self.found.wrong is None:
            lines.append(f"  {printable(self.found.message)}")
        lines += [f"  {'done' if done else 'to do':<5}  {words}" for words, done in self.steps]
        return "\n".join([*lines, *(f"  {each}" for each in filter(None, [self.closing]))])

    def _repr_html_(self) -> str:
        parts = []
        for number, line, row in self._rows:
            style = row.style if row.ok is not True else ""
            mark = ""
            if number > 1 or row.ok is False:
                said = f"line {number} {SAID[row.ok]}"
                mark = f'<span role="img" aria-label="{said}" title="{said}" style="{row.style}">{row.sign}</span>'
            parts.append(
                f'<tr><th scope="row" style="{Row("", None).style};font-weight:inherit">{number}</th><td>{mark}</td>'
                f'<td style="text-align:left;{style}">{self._typeset(line, number)}</td></tr>'
            )
            if row.message:
                parts.append(
                    f'<tr><td></td><td></td><td style="text-align:left;white-space:normal;max-width:48em;{style}">'
                    f"{escape(printable(row.message))}</td></tr>"
                )
        steps = "".join(
            f'<div><span style="{row.style}" role="img" aria-label="{"done" if row.ok else "to do"}">{row.sign}</span> {escape(words)}</div>'
            for words, row in ((words, Row(words, done or None)) for words, done in self.steps)
        )
        message = (
            f"<div>{escape(printable(self.found.message))}</div>"
            if self.found.message and self.found.wrong is None
            else ""
        )
        return (
            f"<div><table>{titled(self.title)}<tbody>"
            f"{''.join(parts)}</tbody></table>"
            f"{message}{steps}<div>{escape(self.closing)}</div></div>"
        )

    def _typeset(self, line: Line, number: int) -> str:
        if line.tree is None:
            return f"<code>{escape(printable(line.piece.text))}</code>"
        equals = "= " if number > 1 else ""
        return f"$\\displaystyle {equals}{escape(latex(line.tree, self.found.ground.names))}$"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self._repr_html_()}
