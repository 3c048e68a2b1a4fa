"""What holds for the course as a whole: equations are tested, quizzes explain, nbval notices a wrong answer."""

import importlib.util
import json
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bnlib import quiz
from bnlib.notebooks import parse
from bnlib.progress import Standings, standing
from bnlib.quizzes import QuizView, verdict
from bnlib.release import sources
from bnlib.stubs import lesson_of, lessons, translation

ROOT = Path(__file__).parent.parent
SOLUTIONS = ROOT / "solutions"


@pytest.mark.parametrize("path", sources(SOLUTIONS), ids=lambda path: path.stem)
def test_every_numbered_equation_has_a_test_or_a_reason(path):
    text = "\n".join(cell["source"] for cell in parse(path)["cells"] if cell["cell_type"] == "markdown")
    tags = re.findall(r"\\tag\{(\d+\.\w+)\}", text)
    assert tags, "a lesson has numbered equations"
    assert len(tags) == len(set(tags)), "two equations have one number"
    name = lesson_of(path.stem).name
    spec = importlib.util.spec_from_file_location(f"equations_{name}", ROOT / "tests" / "equations" / f"test_{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tested = {key[len("test_eq_") :].replace("_", ".", 1) for key in vars(module) if key.startswith("test_eq_")}
    tested = {re.match(r"\d+\.[0-9]+[a-z]?", key)[0] for key in tested}
    assert set(tags) == tested | set(module.DEFINITIONS)


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


@pytest.mark.parametrize("lesson", ["02_translation", "03_normalization"])
def test_after_the_lesson_any_cell_runs_again_in_any_order_and_prints_the_same(lesson, capsys):
    cells = [cell["source"] for cell in parse(SOLUTIONS / f"{lesson}.ipynb")["cells"] if cell["cell_type"] == "code"]
    namespace, printed = {"__name__": "__main__"}, {}

    def run(source):
        exec(source, namespace)
        return capsys.readouterr().out

    try:
        for number, source in enumerate(cells):
            printed[number] = run(source)
        for number in random.Random(0).sample(range(len(cells)), len(cells)):
            said = run(cells[number])
            # A derivation says more once the function that belongs to it is there.
            assert said == printed[number] or "derive(" in cells[number], cells[number]
    finally:
        for stub in lesson_of(lesson).stubs.values():
            stub.answer = None


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
    for typed in ("A", " a ", "(a)"):
        quiz(translation.applied_twice, typed)
        assert capsys.readouterr().out.startswith("Right (a).")
    for typed in ("e", "", "ab", 3):
        with pytest.raises(ValueError, match="choose one of a, b, c, d"):
            quiz(translation.applied_twice, typed)


def test_a_quiz_shows_buttons_and_as_text_its_choices(capsys):
    view = QuizView(translation.applied_twice)
    bundle = view._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
    widget = view._widget()
    asked, *buttons, told = widget.children[1:]
    buttons[1].click()
    assert told.value.startswith("Not quite (b).")
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
