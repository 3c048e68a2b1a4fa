"""How a report of checks looks: a small table in Jupyter, the same in stable plain text elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

MARKS = {True: "ok", False: "wrong", None: "not reached"}
_COLOURS = {True: "#22883f", False: "#d8430f", None: "#777777"}
_SIGNS = {True: "✓", False: "✗", None: "·"}
_CALM = "#777777"


def coloured(colour: str) -> str:
    """The style of words in a colour: mixed with the page's own, which gives them contrast in light and dark.

    The plain number before it is for a notebook that JupyterLab does not trust: there it drops the mixture.
    """
    return f"color:{colour};color:color-mix(in srgb,{colour} 60%,currentColor)"


def titled(title: str) -> str:
    """The caption of a table."""
    return f'<caption style="caption-side:top;text-align:left;font-weight:bold">{escape(title)}</caption>'


def printable(text: str) -> str:
    """A text without what would steer a terminal, or turn the order of letters round; lines stay lines."""
    return (
        text
        if text.replace("\n", "").isprintable()
        else "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
    )


@dataclass(frozen=True)
class Row:
    """One thing a check looked at.

    Attributes:
        name: What was looked at.
        ok: None when an earlier row already failed.
        message: What to do about it.
        detail: Follows the mark.
        undone: Where nothing is wrong yet, the word to say so ("empty", "waits").
        points: What the row is worth by itself, where an answer can be right in part.
    """

    name: str
    ok: bool | None
    message: str = ""
    detail: str = ""
    undone: str = ""
    points: int = 0

    @property
    def mark(self) -> str:
        """The word for how it went."""
        return self.undone or MARKS[self.ok]

    @property
    def sign(self) -> str:
        """The sign before the word."""
        return "○" if self.undone else _SIGNS[self.ok]

    @property
    def style(self) -> str:
        """The style of both."""
        return coloured(_CALM if self.undone else _COLOURS[self.ok])


@dataclass(frozen=True)
class Report:
    """All that one check found.

    Attributes:
        title: The exercise's id.
        rows: What was looked at, in order.
        closing: The last line.
        names: Names of the mistakes found, for the teacher's counts.
        remarks: What is accepted and still worth knowing.
    """

    title: str
    rows: tuple[Row, ...]
    closing: str
    names: tuple[str, ...] = ()
    remarks: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """True when every row is."""
        return all(row.ok for row in self.rows)

    @property
    def earned(self) -> int:
        """Points of the rows that are right by themselves."""
        return sum(row.points for row in self.rows if row.ok)

    @property
    def undone(self) -> str:
        """Why nothing was looked at ("empty", "waits"), or ""."""
        return next((row.undone for row in self.rows if row.undone), "")

    @property
    def message(self) -> str:
        """What the first failing row says that says anything."""
        return next((row.message for row in self.rows if row.ok is False and row.message), "")

    def __str__(self) -> str:
        width = max(len(row.name) for row in self.rows)
        lines = [f"{self.title}"]
        for row in self.rows:
            detail = f"{'':{max(0, 5 - len(row.mark))}}  {row.detail}" if row.detail else ""
            lines.append(f"  {row.name:<{width}}  {row.mark}{detail}")
            if row.message:
                lines.append(f"      {row.message}")
        lines += [f"  note: {remark}" for remark in self.remarks]
        return "\n".join([*lines, f"  {self.closing}"])

    def _repr_html_(self) -> str:
        detailed = any(row.detail for row in self.rows)

        def cell(text: str) -> str:
            return f'<td style="text-align:left;white-space:nowrap">{escape(text)}</td>'

        rows = "".join(
            f'<tr><th scope="row" style="text-align:left;font-weight:inherit">{escape(row.name)}</th>'
            f'<td style="text-align:left;white-space:nowrap;{row.style};font-weight:600">'
            f"{row.sign} {row.mark}</td>"
            f"{cell(row.detail) if detailed else ''}"
            f'<td style="text-align:left;max-width:36em;white-space:normal">{escape(row.message)}</td></tr>'
            for row in self.rows
        )
        notes = "".join(f"<div>note: {escape(remark)}</div>" for remark in self.remarks)
        return (
            f"<div><table>{titled(self.title)}<tbody>{rows}</tbody></table>{notes}"
            f"<div>{escape(self.closing)}</div></div>"
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self._repr_html_()}


def show(thing: object) -> None:
    """Display in Jupyter; print elsewhere."""
    if in_jupyter():
        from IPython.display import display

        display(thing)
    else:
        print(thing)


def in_jupyter() -> bool:
    """True inside a Jupyter kernel (not in plain Python, nor in terminal IPython)."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")
