"""The web page: the pages of ``docs/``, and the lessons as a book. ``make docs`` runs this; nothing is fetched.

A lesson on the page is what learners get (the cells of ``notebooks/``, with stubs in the place of answers) together with the outputs
that ``solutions/`` has stored for the cells that are given to everybody. Answer cells and their checks bring no output, since
a derivation's is the answer. An answer appears, folded, only where the author names its exercise.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import nbformat
import pads
from sphinx.cmd.build import main as sphinx_build

from bnlib.notebooks import parse
from bnlib.release import BEGIN, END, released_from, sources
from bnlib.sheets import projects
from bnlib.stubs import lesson_of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

_FILE = re.compile(r"\[([^]]+)\]\(\.\./notebooks/projects/(\w+\.ipynb)\)")
_INVITATION = """
:::{{note}}
:class: on-screen
This is lesson {number} to read. Its figures and its quizzes work here{pads}; its exercises are for a notebook of your own:
{{download}}`{name} <../download/{name}>`, which [needs bnlib](../index.md#to-do-the-exercises). Where an exercise is still to be
filled, the figures below it were drawn with the course's own answer.
:::

```{{raw}} html
<noscript><p>No script runs in this browser: figures stand still, and quizzes are answered in the notebook.</p></noscript>
```
"""


def lesson_page(path: Path, shown: Collection[str] = ()) -> Any:
    """The notebook behind the page of one lesson.

    Args:
        path: A built notebook of ``solutions/``.
        shown: Exercises, such as ``translation.center``, whose answer stands folded below them.
    """
    built, page, lesson = nbformat.from_dict(parse(path)), released_from(path), lesson_of(path.stem)
    sources_by_id, cells = {cell.id: cell for cell in built.cells}, []
    for cell in page.cells:
        source = sources_by_id.get(cell.id)
        if source is None:
            continue  # what a released notebook begins with, to install bnlib, is nothing to read
        cells.append(cell)
        if cell.id in lesson.derivations:
            cell.outputs = [
                nbformat.v4.new_output("display_data", {"text/html": pads.pad(lesson.derivations[cell.id])})
            ]
        if cell.cell_type == "code" and cell.id in lesson.stubs:
            if lesson.stubs[cell.id].id in shown:
                answer = "\n".join(line for line in source.source.splitlines() if line.strip() not in (BEGIN, END))
                folded = f"<details><summary>A solution</summary>\n\n```python\n{answer}\n```\n\n</details>"
                cells.append(nbformat.v4.new_markdown_cell(folded))
        elif cell.cell_type == "code" and not cell.id.startswith("check-"):
            cell.outputs = source.outputs
    pads_too = ", and derivations have a pad" if lesson.derivations.keys() & {cell.id for cell in cells} else ""
    cells[0].source += "\n" + _INVITATION.format(number=path.stem[:2], name=path.name, pads=pads_too)
    page.cells = cells
    return page


def compose(target: Path, shown: Collection[str] = ()) -> None:
    """Write all that Sphinx reads into a folder, which is emptied first."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(ROOT / "docs", target, ignore=shutil.ignore_patterns("site"))
    for page in HERE.glob("*.md"):
        shutil.copy(page, target)
    shutil.copy(ROOT / "CONTRIBUTING.md", target / "contributing.md")
    shutil.copy(ROOT / "README.md", target)  # the first page includes its beginning
    for page in target.glob("*.md"):  # what leads to a file of the repository leads to its page here, or to the file
        text = _FILE.sub(r"{download}`\1 <download/\2>`", page.read_text(encoding="utf-8"))
        page.write_text(text.replace("](../notebooks/", "](lessons/").replace("](docs/", "]("), encoding="utf-8")
    shutil.copytree(HERE / "static", target / "static")
    for folder in ("lessons", "download"):
        (target / folder).mkdir()
    for path in sources(ROOT / "solutions"):
        nbformat.write(lesson_page(path, shown), target / "lessons" / path.name)
        nbformat.write(released_from(path), target / "download" / path.name)
    for name, notebook in projects(ROOT / "docs" / "projects.md").items():
        nbformat.write(notebook, target / "download" / f"{name}.ipynb")


def main(arguments: list[str] | None = None) -> int:
    """Compose and build; a warning of Sphinx (a broken link, a page in no table of contents) is an error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the page; OUT/html/index.html is its first")
    parser.add_argument(
        "--show", nargs="*", default=(), metavar="LESSON.EXERCISE", help="answers that the page may tell"
    )
    given = parser.parse_args(arguments)
    compose(given.out / "source", given.show)
    html = given.out / "html"
    shutil.rmtree(html, ignore_errors=True)
    trees = str(given.out / "trees")
    return sphinx_build(
        ["-q", "-W", "--keep-going", "-E", "-c", str(HERE), "-d", trees, str(given.out / "source"), str(html)]
    )


if __name__ == "__main__":
    sys.exit(main())
