"""What holds for the course as a whole: references lead somewhere, quizzes explain, nbval notices a wrong answer."""

import base64
import copy
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bnlib import quiz
from bnlib.checks import answer_of
from bnlib.notebooks import parse
from bnlib.progress import Standings, standing
from bnlib.quizzes import QuizView, verdict
from bnlib.release import joined, sources
from bnlib.stubs import lesson_of, lessons, translation

ROOT = Path(__file__).parent.parent
SOLUTIONS = ROOT / "solutions"


@pytest.mark.parametrize("path", sources(SOLUTIONS), ids=lambda path: path.stem)
def test_equations_referred_to_exist(path):
    lesson = lesson_of(path.stem)
    text = "\n".join(cell["source"] for cell in parse(path)["cells"] if cell["cell_type"] == "markdown")
    tags = set(re.findall(r"\\tag\{(\d+\.\w+)\}", text))
    number = str(int(lesson.key[:2]))
    for stub in lesson.stubs.values():
        assert stub.equation in tags, f"{stub.id} belongs to eq. {stub.equation}, which is not in the notebook"
    checks = (ROOT / "bnlib" / "checks" / f"{lesson.name}.py").read_text()
    contracts = (ROOT / "bnlib" / "stubs" / f"{lesson.name}.py").read_text()
    for reference in re.findall(rf"eqs?\. ({number}\.\d+[a-z]?)", checks + contracts) + re.findall(
        rf"\(({number}\.\d+[a-z]?)\)", text
    ):
        assert reference in tags, f"{lesson.key} refers to ({reference})"


def test_nbval_notices_one_wrong_reference_answer(tmp_path):
    for path in sources(SOLUTIONS):
        shutil.copy(path, tmp_path / path.name)
    path = tmp_path / "02_translation.ipynb"
    notebook = json.loads(path.read_text())
    answer = next(cell for cell in notebook["cells"] if cell["id"] == "center_backward")
    source = "".join(answer["source"])
    assert "mean(axis=0)" in source
    answer["source"] = source.replace("mean(axis=0)", "sum(axis=0)")
    path.write_text(json.dumps(notebook))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--nbval-lax",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        path.name,
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "N times too large" in done.stdout
    failed = re.search(r"(\d+) failed", done.stdout)
    assert failed
    assert int(failed[1]) >= 2, "the check and a compared output"


@pytest.mark.parametrize("path", sources(SOLUTIONS), ids=lambda path: path.stem)
def test_any_cell_may_be_run_again_after_the_lesson(path, tmp_path):
    from nbclient import NotebookClient
    from nbformat import read

    notebook = read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and "seconds(" not in cell.source]
    notebook.cells = [*cells, *copy.deepcopy(cells)[::-1]]
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": tmp_path}}).execute()
    first, again = notebook.cells[: len(cells)], notebook.cells[: len(cells) - 1 : -1]
    for cell, same in zip(first, again, strict=True):
        if "derive(" in cell.source:
            continue  # it looks at the function that translates it, which was not there the first time
        assert [*map(said, joined(cell.outputs))] == [*map(said, joined(same.outputs))], cell.source


def said(output):
    """What an output says and shows; a widget has a new number each time."""
    shown = output.get("data", {})
    return output.get("text"), shown.get("text/plain"), shown.get("text/html")


def test_released_notebook_stops_at_the_first_stub_and_says_what_to_do(tmp_path):
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    from nbformat import read

    for lesson in lessons():
        notebook = read(ROOT / "notebooks" / f"{lesson.key}.ipynb", as_version=4)
        first = next(iter(lesson.stubs.values()))
        with pytest.raises(CellExecutionError, match=rf"{first.id} is still empty\."):
            NotebookClient(notebook, timeout=60, resources={"metadata": {"path": tmp_path}}).execute()
        shown = [output["text"] for cell in notebook.cells for output in cell.get("outputs", []) if "text" in output]
        shown += [out["data"]["text/plain"] for c in notebook.cells for out in c.get("outputs", []) if "data" in out]
        todo = (
            f"write your derivation below {first.start}"
            if first.name in lesson.derivations
            else "write it in the cell above"
        )
        assert any(f"empty\n      {todo}" in text for text in shown)


def test_quizzes_explain_every_choice(capsys):
    for lesson in lessons():
        assert lesson.quizzes, lesson
        for question in lesson.quizzes.values():
            verdicts = [verdict(question, choice.letter) for choice in question.choices]
            assert sum(said.startswith("Right") for said in verdicts) == 1
            assert all(len(said) > 40 for said in verdicts), question.id
    quiz(translation.applied_twice, "a")
    assert capsys.readouterr().out.startswith("Right (a).")
    for typed in ("A", " a ", "(a)", "a)", "(A).", "a."):
        quiz(translation.applied_twice, typed)
        assert capsys.readouterr().out.startswith("Right (a).")
    for typed in ("e", "", "ab", 3):
        with pytest.raises(ValueError, match="choose one of a, b, c, d"):
            quiz(translation.applied_twice, typed)


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.key)
def test_right_letters_are_spread(lesson):
    right = [answer_of(question).right for question in lesson.quizzes.values()]
    times = [right.count(letter) for letter in "abcd"]
    assert max(times) - min(times) <= 1, times


@pytest.mark.parametrize("lesson", [each for each in lessons() if each.quizzes], ids=lambda lesson: lesson.key)
def test_a_lesson_opens_with_three_questions_of_recall(lesson):
    """One that was just begun (bnlib new lesson) has no questions yet."""
    opening = list(lesson.quizzes)[:3]
    assert all(name.startswith("recall_") for name in opening), opening
    cells = [
        cell["source"] for cell in parse(SOLUTIONS / f"{lesson.key}.ipynb")["cells"] if cell["cell_type"] == "code"
    ]
    assert cells[1] == "\n".join(f"quiz({lesson.name}.{name})" for name in opening)


def test_a_quiz_says_how_to_answer_and_hides_its_verdicts(capsys):
    view = QuizView(translation.applied_twice)
    assert set(view._repr_mimebundle_()) == {"text/plain", "text/html"}
    html = view.html()
    assert "Answer with <code>quiz(translation.applied_twice, &quot;a&quot;)</code>" in html
    for choice in translation.applied_twice.choices:
        said = verdict(translation.applied_twice, choice.letter)
        assert said not in html
        assert base64.b64encode(said.encode()).decode() in html
    quiz(translation.applied_twice)
    assert "(b) the identity matrix" in capsys.readouterr().out


def test_progress_counts_filled_and_passing():
    lesson = translation.lesson
    try:
        lesson.stubs["center"].answer = lambda h: h - h.mean(axis=0)
        lesson.stubs["center_jacobian"].answer = lambda N: N

        def empty(dout):
            raise NotImplementedError

        lesson.stubs["center_backward"].answer = empty
        found = standing(lesson)
    finally:
        for stub in lesson.stubs.values():
            stub.answer = None
    assert (found.filled, found.passing, found.points, found.next) == (2, 1, (1, lesson.points), "center_jacobian")
    number = len(lesson.stubs)
    assert re.search(rf" 2/{number} +1/{number} +1/{lesson.points} +center_jacobian$", str(Standings([found])))


def test_progress_from_saved_notebooks_and_missing_ones(tmp_path):
    shutil.copy(SOLUTIONS / "02_translation.ipynb", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "bnlib.cli", "progress"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    number, points = len(translation.lesson.stubs), translation.lesson.points
    assert re.search(rf"{number}/{number} +{number}/{number} +{points}/{points} +done", lines["02_translation"])
    for lesson in lessons():
        if lesson.key != "02_translation":
            assert "not found" in lines[lesson.key]
