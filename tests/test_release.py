"""solutions/ generates notebooks/: what is taken out, what is refused, what is never overwritten."""

import ast
import copy
import json
import os
import re
import subprocess
import zipfile
from pathlib import Path

import nbformat
import pytest

import bnlib
from bnlib.cli import main
from bnlib.notebooks import parse
from bnlib.release import (
    BEGIN,
    END,
    ReleaseError,
    bundle,
    has_work,
    install_cell,
    joined,
    normalise,
    release,
    released_from,
    sources,
    stored,
)
from bnlib.stubs import lesson_of, lessons

ROOT = Path(__file__).parent.parent
SOLUTIONS, NOTEBOOKS = ROOT / "solutions", ROOT / "notebooks"


@pytest.fixture
def copies(tmp_path):
    for path in sources(SOLUTIONS):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def edit(path, change):
    notebook = json.loads(path.read_text())
    change(notebook)
    path.write_text(json.dumps(notebook))


def cell_named(notebook, name):
    return next(cell for cell in notebook["cells"] if cell["id"] == name)


def test_notebooks_are_what_solutions_generate():
    names = {path.name for path in sources(SOLUTIONS)}
    assert names == {f"{lesson.key}.ipynb" for lesson in lessons()} == {path.name for path in NOTEBOOKS.glob("*.ipynb")}
    for path in sources(SOLUTIONS):
        fresh, kept = released_from(path), nbformat.from_dict(parse(NOTEBOOKS / path.name))
        assert kept == fresh, f"{path.name} is not what solutions/ generates: run make notebooks"


def test_released_cells_hold_stubs_and_no_outputs():
    for path in sources(NOTEBOOKS):
        notebook = parse(path)
        text = path.read_text()
        assert BEGIN not in text
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                assert cell["outputs"] == []
                assert cell["execution_count"] is None
        for lesson in lessons():
            if lesson.key == path.stem:
                for name, stub in lesson.functions.items():
                    source = cell_named(notebook, name)["source"]
                    assert "raise NotImplementedError" in source
                    assert stub.__doc__.splitlines()[0] in source
                    ast.parse(source)


def test_every_answer_and_check_cell_is_nbgrader_schema_3():
    for path in [*sources(SOLUTIONS), *sources(NOTEBOOKS)]:
        ids = []
        for cell in parse(path)["cells"]:
            nbgrader = cell["metadata"].get("nbgrader")
            if nbgrader:
                assert set(nbgrader) == {"schema_version", "task", "grade", "solution", "locked", "grade_id"} | (
                    {"points"} if nbgrader["grade"] else set()
                )
                assert re.fullmatch(r"[A-Za-z0-9_-]+", nbgrader["grade_id"])
                ids.append(nbgrader["grade_id"])
        assert len(ids) == len(set(ids))
        nbformat.validate(nbformat.read(path, as_version=4))


def test_a_question_in_words_is_nbgraders_cell_for_grading_by_hand(copies):
    lesson = lesson_of("06_training")
    path = copies / "06_training.ipynb"
    for name, written in lesson.written.items():
        cell = cell_named(parse(path), name)
        by_hand = {"schema_version": 3, "task": False, "grade": True, "solution": True, "locked": False}
        assert cell["metadata"] == {"nbgrader": by_hand | {"grade_id": name, "points": written.points}}
        handed_out = cell_named(parse(NOTEBOOKS / path.name), name)
        assert handed_out["source"] == (
            f"**Your answer to `{name}`** · {written.points} points, given by a person\n\n*Write here, in place of this line.*"
        )
        assert handed_out["metadata"] == cell["metadata"]
    assert lesson.points == sum(stub.points for stub in lesson.stubs.values()), "a person's points are not in the score"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("`when_to_use_it`", "`nothing`", "the answer in words to nothing needs an in_words of that name"),
        (END, "", "and one region between"),
        ("**Your answer to", "**My answer to", "does not begin with"),
    ],
)
def test_a_question_in_words_that_breaks_a_rule_says_which(copies, old, new, said):
    path = copies / "06_training.ipynb"
    edit(path, lambda notebook: _exchange(cell_named(notebook, "when_to_use_it"), old, new))
    with pytest.raises(ReleaseError, match=re.escape(said)):
        released_from(path)


def _exchange(cell, old, new):
    source = "".join(cell["source"])
    assert old in source
    cell["source"] = source.replace(old, new)


def test_what_nbgrader_hands_out_keeps_the_docstrings_of_the_contract():
    """generate_assignment takes solution regions out, and nothing else: docstrings stand above them."""
    for path in sources(SOLUTIONS):
        lesson = lesson_of(path.stem)
        for name, stub in lesson.functions.items():
            source = cell_named(parse(path), name)["source"]
            handed_out = re.sub(rf"{BEGIN}.*{END}", "raise NotImplementedError", source, flags=re.DOTALL)
            answer = ast.parse(handed_out).body[-1]
            text = ast.get_docstring(answer)
            assert text.startswith(stub.__doc__.strip())
            for method in stub.methods:
                assert f"\n{method}(self" in text


def bodies():
    """Every line of every reference answer that is more than a name or a number."""
    for path in sources(SOLUTIONS):
        for cell in parse(path)["cells"]:
            if BEGIN in cell["source"]:
                body = cell["source"].split(BEGIN)[1].split(END)[0]
                yield path.stem, cell["id"], [line.strip() for line in body.splitlines() if line.strip()]


def test_the_bundle_holds_no_solution_and_no_hidden_test(tmp_path):
    target = tmp_path / "learners.zip"
    names = bundle(ROOT, target)
    with zipfile.ZipFile(target) as archive:
        texts = {name: archive.read(name).decode(errors="replace") for name in names}  # the digits are packed
    assert not [name for name in names if re.search(r"solutions|tests/|grading|release\.py", name)]
    assert any(name.endswith("notebooks/02_translation.ipynb") for name in names)
    assert any(name.endswith("/Makefile") for name in names)
    assert any(name.endswith("bnlib/plots/static/kit.js") for name in names), "figures that move"
    assert {"digits.csv.gz", "digits.txt"} <= {name.rpartition("bnlib/data/")[2] for name in names}, (
        "and whose they are"
    )
    assert any(name.endswith("/.github/workflows/classroom.yml") for name in names)
    squeezed = {
        name: re.sub(r"\s+", " ", json.dumps(text) if name.endswith(".ipynb") else text) for name, text in texts.items()
    }
    for lesson, exercise, lines in bodies():
        body = " ".join(lines)
        for name, text in squeezed.items():
            assert body not in text, f"the answer to {lesson} {exercise} is in {name}"
        longest = max(lines, key=len)
        for name, text in texts.items():
            if len(longest) > 20:
                assert longest not in text, f"a line of the answer to {lesson} {exercise} is in {name}: {longest}"
    again = tmp_path / "again.zip"
    bundle(ROOT, again)
    assert again.read_bytes() == target.read_bytes()


def test_the_bundle_offers_only_commands_that_work_in_it(tmp_path):
    names = bundle(ROOT, tmp_path / "learners.zip")
    with zipfile.ZipFile(tmp_path / "learners.zip") as archive:
        archive.extractall(tmp_path)
    root = tmp_path / "batchnorm-gradient"
    assert "batchnorm-gradient/.gitignore" in names
    listed = re.findall(r"^make (\w+)", _make(root, "help").stdout, re.MULTILINE)
    assert listed == ["lab", "clean"]
    assert "No rule to make target" in _make(root, "test").stderr
    everything = re.findall(r"^make ([\w-]+)", _make(ROOT, "help").stdout, re.MULTILINE)
    assert everything == [
        "lab",
        "test",
        "test-torch",
        "test-lowest",
        "test-peers",
        "grade",
        "dist",
        "docs",
        "pdf",
        "test-browser",
        "bench",
        "lint",
        "notebooks",
        "clean",
    ]


def _make(root, target):
    command = ["make", "-n" if target != "help" else "-s", target]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})


def test_release_packs_one_lesson(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    arguments = ["release", "--out", str(tmp_path / "notebooks"), "--zip", str(tmp_path / "week-2.zip")]
    assert main([*arguments, "--lesson", "02"]) == 0
    with zipfile.ZipFile(tmp_path / "week-2.zip") as archive:
        assert sum(name.endswith(".ipynb") for name in archive.namelist()) == 1
    assert main([*arguments, "--lesson", "99"]) == 2
    assert "99" in capsys.readouterr().err
    assert main(["release", "--out", str(tmp_path / "other"), "--lesson", "02"]) == 2
    assert "name the file with --zip" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_outputs_that_differ_from_machine_to_machine_are_not_stored():
    """A measured time: two builds give the same file, and none claims a number for your machine."""
    output = nbformat.v4.new_output("stream", name="stdout", text="2.1 times as fast\n")
    measured = nbformat.v4.new_code_cell("print(ratio)", outputs=[output], metadata={"tags": ["nbval-ignore-output"]})
    assert stored(measured, Path("x.ipynb")) == []
    assert stored(nbformat.v4.new_code_cell("print(ratio)", outputs=[output]), Path("x.ipynb")) == [output]
    for path in sources(SOLUTIONS):
        for cell in parse(path)["cells"]:
            if "nbval-ignore-output" in cell["metadata"].get("tags", ()):
                assert cell["outputs"] == [], f"{path.name}: {cell['id']}"


def test_what_nbval_is_told_learners_do_not_read():
    path = SOLUTIONS / "02_translation.ipynb"
    notebook = nbformat.from_dict(parse(path))
    notebook.cells.append(
        nbformat.v4.new_code_cell("# NBVAL_IGNORE_OUTPUT\n# NBVAL_CHECK_OUTPUT\nprint(1)\n# NBVAL, by the way")
    )
    normalise(notebook, path)
    assert notebook.cells[-1].source == "print(1)\n# NBVAL, by the way"
    assert notebook.cells[-1].metadata["tags"] == ["nbval-check-output", "nbval-ignore-output"]
    normalise(notebook, path)
    assert notebook.cells[-1].metadata["tags"] == ["nbval-check-output", "nbval-ignore-output"]
    for path in (*sources(SOLUTIONS), *sources(NOTEBOOKS)):
        cells = parse(path)["cells"]
        assert not any("NBVAL" in cell["source"] for cell in cells), path
        assert any("nbval-check-output" in cell["metadata"].get("tags", ()) for cell in cells), path


def test_release_does_not_overwrite_work(copies, tmp_path):
    out = tmp_path / "out"
    release(copies, out)
    assert not any(has_work(path) for path in out.glob("*.ipynb"))
    release(copies, out)
    target = out / "02_translation.ipynb"
    edit(target, lambda nb: cell_named(nb, "center").update(source="my work"))
    before = target.read_bytes()
    with pytest.raises(ReleaseError, match=r"02_translation\.ipynb was edited"):
        release(copies, out)
    assert target.read_bytes() == before
    release(copies, out, force=True)
    assert target.read_bytes() != before


def test_a_damaged_notebook_counts_as_work(copies, tmp_path):
    out = tmp_path / "out"
    release(copies, out)
    (out / "02_translation.ipynb").write_text("half a fi")
    with pytest.raises(ReleaseError, match="was edited"):
        release(copies, out)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda nb: cell_named(nb, "center").update(source="@fill(translation.centre)\ndef centre(h): pass"),
            "no exercise of",
        ),
        (
            lambda nb: cell_named(nb, "center").update(
                source="@fill(translation.center)\ndef center(x):\n    return x"
            ),
            "its contract",
        ),
        (
            lambda nb: cell_named(nb, "center").update(
                source="@fill(translation.center)\ndef center(h):\n    return h"
            ),
            "needs one region",
        ),
        (
            lambda nb: cell_named(nb, "center").update(
                source='@fill(translation.center)\ndef center(h):\n    """Doc."""\n    ### BEGIN SOLUTION\n    ### END SOLUTION'
            ),
            "edited since it was built",
        ),
        (lambda nb: nb["cells"].remove(cell_named(nb, "check-center")), "no cell for check-center"),
        (lambda nb: nb["cells"][2].update(source="another text"), "edited since it was built"),
        (lambda nb: nb["cells"].append(copy.deepcopy(cell_named(nb, "center"))), "two cells are center"),
    ],
)
def test_a_source_that_breaks_a_rule_is_refused(copies, change, words):
    path = copies / "02_translation.ipynb"
    edit(path, change)
    with pytest.raises(ReleaseError, match=words):
        released_from(path)


def test_exercise_boxes_state_the_contracts_facts():
    for path in sources(SOLUTIONS):
        notebook = nbformat.from_dict(parse(path))
        fresh = copy.deepcopy(notebook)
        normalise(fresh, path)
        assert fresh == notebook
        lesson = next(lesson for lesson in lessons() if lesson.key == path.stem)
        text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        for name, stub in lesson.stubs.items():
            assert re.search(
                rf"\*\*Exercise `{name}`\*\* .* about {stub.minutes} minutes · {stub.points} point", text
            ), name


def test_stored_outputs_are_deterministic():
    for path in sources(SOLUTIONS):
        notebook = parse(path)
        assert "widgets" not in notebook["metadata"]
        for cell in notebook["cells"]:
            for output in cell.get("outputs", []):
                assert output.get("name") != "stderr"
                assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {})
            assert (
                len(cell["source"].splitlines()) <= 15 or cell["cell_type"] == "markdown" or BEGIN in cell["source"]
            ), cell["id"]


def test_printed_text_is_kept_in_one_piece():
    def stream(text, name="stdout"):
        return nbformat.v4.new_output("stream", name=name, text=text)

    picture = nbformat.v4.new_output("display_data", data={"text/plain": "x"})
    found = joined([stream("a\n"), stream("b\n"), picture, picture, stream("c"), stream("d", "stderr")])
    assert found == [stream("a\nb\n"), picture, picture, stream("c"), stream("d", "stderr")]


def test_nothing_to_release(tmp_path):
    with pytest.raises(ReleaseError, match="holds no lessons"):
        release(tmp_path, tmp_path / "out")


def test_every_lesson_imports_what_a_learner_calls_and_tells_of_load():
    """``load`` that is not imported is a command of IPython's own, which reads files into cells."""
    for path in sources(NOTEBOOKS):
        cells = parse(path)["cells"]
        code, text = ([cell["source"] for cell in cells if cell["cell_type"] == kind] for kind in ("code", "markdown"))
        names = {}
        assert code[0] == install_cell().source
        exec(code[1], names)
        called = {name for name in bnlib.__all__ if any(f"{name}(" in source for source in code + text)}
        assert called | {"check", "fill", "hint", "load", "progress", "quiz"} <= set(names), path
        assert any("`load(" in source for source in text), path
