"""Notebooks that jupytext turned into text and back, without cell ids and outputs, are the same to the grader."""

import json

import jupytext
import nbformat
import pytest

from bnlib.grading.batch import Settings
from bnlib.grading.course import Course
from bnlib.grading.grade import grade
from bnlib.notebooks import read

EXAMPLES = {path.stem: path for path in (Course().root / "examples" / "submissions").glob("*.ipynb")}
del EXAMPLES["not-json"]
FORMATS = ("py:percent", "py:light", "md", "md:myst")


def rewritten(kind, form, folder):
    """An example as somebody hands it in who works with text files."""
    text = jupytext.writes(nbformat.read(EXAMPLES[kind], as_version=4), form)
    notebook = jupytext.reads(text, form)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / f"{kind}.ipynb")
    return folder / f"{kind}.ipynb"


def answers(path):
    """What each exercise is answered with, and the learner's own cells of code."""
    cells = read(path).cells
    filled = {cell.exercise: cell.source.strip() for cell in cells if cell.exercise}
    return filled, sorted(cell.source.strip() for cell in cells if not cell.exercise and not cell.given)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_answers_are_those_of_the_original(tmp_path, kind, form):
    assert answers(rewritten(kind, form, tmp_path)) == answers(EXAMPLES[kind])


@pytest.mark.parametrize("form", ["py:percent", "md"])
def test_scores_are_those_of_the_original(tmp_path, form):
    kinds = ("all-right", "half-filled", "magics-in-answer", "mean-path-missing")
    for kind in kinds:
        rewritten(kind, form, tmp_path / "rewritten")
        (tmp_path / "original").mkdir(exist_ok=True)
        (tmp_path / "original" / f"{kind}.ipynb").write_bytes(EXAMPLES[kind].read_bytes())
    scores = []
    for name in ("original", "rewritten"):
        out = tmp_path / f"out-{name}"
        grade(tmp_path / name, out, wanted=["02"], jobs=1, settings=Settings(seed=1, nbval=False))
        results = [json.loads((out / "results" / f"{kind}.json").read_text("utf-8")) for kind in kinds]
        scores.append([result["lessons"]["02_translation"]["score"] for result in results])
    assert scores[0] == scores[1]
    assert len(set(scores[0])) == 3
