"""The projects and the exam as notebooks, made of their pages in ``docs/``: what stands there is written nowhere else.

A project is for a learner: the task, two functions to write, their check, places for the report. An exam is for nbgrader: an item, a place for
the answer, and the marking scheme where nbgrader keeps a solution.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import nbformat

from bnlib.notebooks import METADATA
from bnlib.release import BEGIN, END, WRITE_HERE, ReleaseError, by_hand, digest, install_cell, notebook_metadata

_CODE = re.compile(r"(?ms)^```python\n(.*?)\n```$")
_TASK = "**Build**"
_CHECK = re.compile(r"from bnlib\.projects import (\w+)")
_ROW = re.compile(r"(?m)^\| (\w+) \| (.*) \| (\d+) \|$")
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)[^)]+\)")
"""A link to another page: in a notebook its words are left."""
_ITEM = re.compile(r"(?m)^## (\d+)\. (.*) · (\d+) points · (\d+) minutes\n")


def projects(page: Path, address: str = "") -> dict[str, Any]:
    """The notebook of each project, by the name of the module that checks it.

    Args:
        page: ``docs/projects.md``: what all have in common, with the table of marks; a section a project, which holds the two functions
            to write as one block of code, and what calls the check as another.
        address: Where the bundle for learners can be fetched, for :func:`bnlib.release.install_cell`.

    Raises:
        ReleaseError: A section does not hold the two blocks.
    """
    common, *sections = re.split(r"(?m)^## ", page.read_text(encoding="utf-8"))
    found = {}
    for section in sections:
        title, _, text = section.partition("\n")
        task = _TASK + text.partition(_TASK)[2]  # behind where the page leads to this notebook
        parts = [part.strip("\n") for part in _CODE.split(task)]
        called = _CHECK.search(parts[3]) if len(parts) == 5 else None
        if called is None:
            raise ReleaseError(
                f"{page.name}: {title}: needs a block with the functions to write, and one that calls the check"
            )
        found[called[1]] = _project(called[1], title, parts, common, address)
    return found


def _project(name: str, title: str, parts: list[str], common: str, address: str) -> Any:
    task, starter, judged, check, report = parts
    cells = [
        _text(f"# {title}\n\n{_words(task)}", "task"),
        install_cell(address, here="../.."),
        nbformat.v4.new_code_cell(starter, id="functions"),
        _text(judged, "judged"),
        nbformat.v4.new_code_cell(check, id="check", metadata={METADATA: {"given": True}}),
        _text(f"## The report\n\n{_words(report)}\n\n{common.split('|')[-1].strip()}", "report"),
    ]
    for what, why, points in _ROW.findall(common):
        why = _words(why[0].upper() + why[1:])
        place = "That is the cell with your two functions." if what == "code" else WRITE_HERE
        cells.append(_text(f"### {what.capitalize()}: {points} points\n\n{why}.\n\n{place}", what))
    notebook = _notebook(cells, project=name)
    notebook.metadata[METADATA]["released"] = digest(notebook)
    return notebook


def exam(sheet: Path, scheme: Path, chosen: Collection[int] = ()) -> Any:
    """The exam as a source notebook for nbgrader; what nbgrader hands out of it has no marking scheme.

    Args:
        sheet: ``docs/exam.md``.
        scheme: ``solutions/exam.md``, with the same items.
        chosen: Numbers of items; by default all.

    Raises:
        ReleaseError: An item that is not there.
    """
    head, *items = _ITEM.split(sheet.read_text(encoding="utf-8"))
    schemes = _ITEM.split(scheme.read_text(encoding="utf-8"))[1:]
    marked = {int(number): text.strip() for number, text in zip(schemes[::5], schemes[4::5], strict=True)}
    there = {int(items[at]): items[at + 1 : at + 5] for at in range(0, len(items), 5)}
    if unknown := sorted(set(chosen) - set(there)):
        raise ReleaseError(f"{sheet.name} has no item {unknown[0]}: its items are 1 to {len(there)}")
    wanted = [number for number in there if not chosen or number in chosen]
    points, minutes = (sum(int(there[number][at]) for number in wanted) for at in (1, 2))
    on_the_sheet = _words(head[head.index("**On the sheet.**") :].strip())
    how = f"{len(wanted)} items, {points} points, {minutes} minutes. Type formulas as LaTeX between dollar signs, or as in code: a person reads them."
    cells = [_text(f"# Exam\n\n{how}\n\n{on_the_sheet}", "sheet")]
    for number in wanted:
        title, worth, _, text = there[number]
        cells.append(_text(f"## {number}. {title}\n\n{_words(text.strip())}", f"item-{number}"))
        head = f"**Your answer to {number}** · {worth} points, given by a person"
        cells.append(_text(f"{head}\n\n{BEGIN}\n{marked[number]}\n{END}", f"answer-{number}"))
        cells[-1].metadata = by_hand(f"answer-{number}", int(worth))
    return _notebook(cells)


def _words(text: str) -> str:
    return _LINK.sub(r"\1", text)


def _text(text: str, name: str) -> Any:
    return nbformat.v4.new_markdown_cell(text, id=name)


def _notebook(cells: list[Any], **own: str) -> Any:
    return nbformat.v4.new_notebook(cells=cells, metadata=notebook_metadata(**own), nbformat_minor=5)
