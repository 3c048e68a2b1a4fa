"""``bnlib export nbgrader``: what nbgrader's rule for solutions makes of it is our release. With nbgrader itself: tests/peers."""

import re

import pytest

from bnlib.cli import main
from bnlib.grading.course import Course
from bnlib.nbgrader import CONFIG, TODO, answer, source
from bnlib.notebooks import parse
from bnlib.release import WRITE_HERE, ReleaseError, sources
from bnlib.stubs import layer, lesson_of

ROOT = Course().root


def cleared(text, stub=TODO):
    """What ClearSolutions makes of a cell: each region becomes the stub, indented as its first mark is."""
    return re.sub(r"^([ \t]*)### BEGIN SOLUTION\n.*?### END SOLUTION$", rf"\1{stub}", text, flags=re.M | re.S)


@pytest.mark.parametrize("path", sources(ROOT / "solutions"), ids=lambda path: path.stem)
def test_cleared_answers_are_those_of_the_release(path):
    lesson = lesson_of(path.stem)
    released = {cell["id"]: cell["source"] for cell in parse(ROOT / "notebooks" / path.name)["cells"]}
    for cell in source(path).cells:
        if cell.id in lesson.functions:
            assert cleared(cell.source) == released[cell.id]
        elif cell.id in lesson.written:
            assert cleared(cell.source, WRITE_HERE) == released[cell.id]
        elif cell.cell_type == "code" and cell.id not in lesson.stubs:
            assert cell.metadata.nbgrader.locked is True


def test_a_lesson_is_written_once(tmp_path, capsys):
    assert main(["export", "nbgrader", str(tmp_path), "--lesson", "02", "--course", str(ROOT)]) == 0
    (written,) = tmp_path.glob("source/*/*.ipynb")
    assert written.name == "02_translation.ipynb"
    assert (tmp_path / "nbgrader_config.py").read_text() == CONFIG
    assert main(["export", "nbgrader", str(tmp_path), "--lesson", "02", "--course", str(ROOT)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["export", "nbgrader", str(tmp_path), "--lesson", "99", "--course", str(ROOT)]) == 2


def test_a_class_with_more_than_its_methods_is_refused():
    text = "@fill(layer.BatchNorm)\nclass BatchNorm:\n    '''.'''\n    secret = 1\n"
    with pytest.raises(ReleaseError, match="nothing else"):
        answer(layer.BatchNorm, text)
