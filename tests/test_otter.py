"""``bnlib export otter``: what otter's rule for solutions makes of it is our release. With otter itself: tests/peers."""

import re

import pytest

from bnlib.cli import main
from bnlib.grading.course import Course
from bnlib.notebooks import parse
from bnlib.otter import source
from bnlib.release import BEGIN, END, sources
from bnlib.stubs import lesson_of

ROOT = Course().root


def cleared(text):
    """What ``otter assign`` makes of an answer: the lines from mark to mark go."""
    return re.sub(r"^ *# BEGIN SOLUTION NO PROMPT\n.*?# END SOLUTION\n", "", text + "\n", flags=re.M | re.S)[:-1]


@pytest.mark.parametrize("path", sources(ROOT / "solutions"), ids=lambda path: path.stem)
def test_cleared_answers_are_those_of_the_release(path):
    lesson = lesson_of(path.stem)
    released = {cell["id"]: cell["source"] for cell in parse(ROOT / "notebooks" / path.name)["cells"]}
    cells = {cell.id: cell for cell in source(path).cells}
    asked = [cell.source for cell in cells.values() if cell.source.startswith("# BEGIN QUESTION")]
    assert len(asked) == len(lesson.stubs) + len(lesson.written)
    for name, cell in cells.items():
        if cell.cell_type == "raw" or name.endswith("-test"):
            continue
        if name.endswith("-solution"):
            assert BEGIN in cell.source
            continue
        assert BEGIN not in cell.source
        assert END not in cell.source
        assert cleared(cell.source) == released[name]


def test_a_lesson_is_written_once(tmp_path, capsys):
    command = ["export", "otter", str(tmp_path), "--lesson", "02", "--course", str(ROOT)]
    assert main(command) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["02_translation.ipynb"]
    assert main(command) == 2
    assert "is there already" in capsys.readouterr().err
    assert main([*command[:-4], "--lesson", "99"]) == 2
