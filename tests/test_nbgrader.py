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


def test_the_exam_as_nbgrader_hands_it_out_has_every_item_and_nothing_of_the_scheme(tmp_path):
    assert main(["export", "nbgrader", str(tmp_path), "--exam", "--course", str(ROOT)]) == 0
    cells = parse(tmp_path / "source" / "exam" / "exam.ipynb")["cells"]
    handed_out = "\n".join(cleared(cell["source"], WRITE_HERE) for cell in cells)
    sheet = (ROOT / "docs" / "exam.md").read_text(encoding="utf-8")
    page = re.split(r"(?m)^(?=## )", sheet)[1:]
    points = [int(re.search(r"· (\d+) points", item)[1]) for item in page]
    by_hand = [cell["metadata"]["nbgrader"] for cell in cells if "nbgrader" in cell["metadata"]]
    assert [each["points"] for each in by_hand] == points
    assert all(each["grade"] and each["solution"] for each in by_hand)
    assert handed_out.count(WRITE_HERE) == len(page)
    for item in page:
        assert item.partition("\n")[2].strip() in handed_out
    scheme = (ROOT / "solutions" / "exam.md").read_text(encoding="utf-8").split("\n## ", 1)[1]
    lines = [line for line in scheme.splitlines() if len(line) > 40 and " · " not in line and line not in sheet]
    assert len(lines) > 100
    assert not [line for line in lines if line in handed_out]
    assert not [line for line in lines if line not in "\n".join(cell["source"] for cell in cells)]


def test_items_of_the_exam_are_chosen_by_number(tmp_path, capsys):
    assert main(["export", "nbgrader", str(tmp_path), "--exam", "14", "2", "--course", str(ROOT)]) == 0
    first, *cells = parse(tmp_path / "source" / "exam" / "exam.ipynb")["cells"]
    assert "2 items, 22 points, 30 minutes" in first["source"]
    assert [cell["id"] for cell in cells] == ["item-2", "answer-2", "item-14", "answer-14"]
    assert main(["export", "nbgrader", str(tmp_path / "other"), "--exam", "99", "--course", str(ROOT)]) == 2
    assert "exam.md has no item 99" in capsys.readouterr().err
    assert main(["export", "nbgrader", str(tmp_path / "other"), "--exam", "2", "--lesson", "02"]) == 2
    assert "--exam and --lesson" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_a_class_with_more_than_its_methods_is_refused():
    text = "@fill(layer.BatchNorm)\nclass BatchNorm:\n    '''.'''\n    secret = 1\n"
    with pytest.raises(ReleaseError, match="nothing else"):
        answer(layer.BatchNorm, text)
