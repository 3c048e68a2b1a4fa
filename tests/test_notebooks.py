"""The one reader of answers, and running what it read."""

import contextlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnlib import load
from bnlib.notebooks import NotebookError, read
from bnlib.running import describe_error, new_namespace, run_cells
from bnlib.stubs import lessons, translation

CENTER = "@fill(translation.center)\ndef center(h):\n    return h - h.mean(axis=0)"
IMPORTS = "import numpy as np\nfrom bnlib import fill, load, check, progress\nfrom bnlib.stubs import translation"


@pytest.fixture(autouse=True)
def empty():
    yield
    for stub in translation.lesson.stubs.values():
        stub.answer = None


def code(source, **metadata):
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": [], "execution_count": None}


@pytest.fixture
def write(tmp_path):
    def make(*cells, name="02_translation.ipynb", **document):
        cells = [cell if isinstance(cell, dict) else code(cell) for cell in cells]
        path = tmp_path / name
        path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells, **document}))
        return path

    return make


def run(path):
    notebook, namespace = read(path), new_namespace()
    return run_cells(notebook.cells, namespace), namespace


def test_an_answer_is_found_by_its_decorator_or_its_metadata(write):
    undecorated = code("def center_jacobian(N):\n    pass", nbgrader={"solution": True, "grade_id": "center_jacobian"})
    notebook = read(write(IMPORTS, CENTER, undecorated, "1 + 1"))
    assert [cell.exercise for cell in notebook.cells] == [None, "center", "center_jacobian", None]
    assert notebook.lesson is translation.lesson


def test_the_decorator_counts_where_copied_metadata_says_otherwise(write):
    copied = code(CENTER, nbgrader={"solution": True, "grade_id": "center_backward"})
    assert [cell.exercise for cell in read(write(copied)).cells] == ["center"]


def test_the_lesson_is_known_by_its_answers_metadata_or_name(write):
    assert read(write(CENTER, name="homework (3).ipynb")).lesson is translation.lesson
    assert (
        read(write("1", name="x.ipynb", metadata={"bnlib": {"lesson": "02_translation"}})).lesson is translation.lesson
    )
    assert read(write("1")).lesson is translation.lesson
    with pytest.raises(NotebookError, match="none of this course's lessons"):
        read(write("1", name="diary.ipynb"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not a notebook"),
        (b'{"nbformat": 4, "cells": [', "line 1"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"[1, 2]", "not a notebook"),
        (b'{"nbformat": 3, "worksheets": []}', "format 3"),
        (b'{"nbformat": 4}', "no list of cells"),
        (b'{"nbformat": 4, "cells": [3]}', "cell 1 is damaged"),
        (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": 3}]}', "source of cell 1"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_damaged_files_are_described_in_one_line(tmp_path, content, words):
    path = tmp_path / "02_translation.ipynb"
    path.write_bytes(content)
    with pytest.raises(NotebookError, match=words) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("02_translation.ipynb: ")


def test_missing_file_and_folder_in_place_of_a_file(tmp_path):
    with pytest.raises(NotebookError, match="no such file"):
        read(tmp_path / "no.ipynb")
    with pytest.raises(NotebookError, match="cannot be read"):
        read(tmp_path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["cells", "source", "metadata", "id"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    cells=st.lists(
        st.dictionaries(st.sampled_from(["cell_type", "source", "metadata", "id"]), json_values), max_size=3
    ),
    meta=json_values,
)
def test_any_json_is_read_or_refused_never_a_crash(tmp_path_factory, cells, meta):
    path = tmp_path_factory.mktemp("fuzz") / "02_translation.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "cells": cells, "metadata": meta}))
    with contextlib.suppress(NotebookError):
        read(path)


def test_one_bad_statement_costs_only_itself(write):
    errors, namespace = run(write(IMPORTS, "a = 1\nb = 1 / 0\nc = 3", "def broken(:", CENTER))
    assert namespace["a"] == 1
    assert "b" not in namespace
    assert namespace["c"] == 3
    assert list(errors.values())[0].startswith("ZeroDivisionError: division by zero (line 2 of the cell, `b = 1 / 0`)")
    assert "SyntaxError in line 1" in list(errors.values())[1]
    np.testing.assert_allclose(translation.center(np.eye(2)), [[0.5, -0.5], [-0.5, 0.5]])


def test_magics_do_nothing_and_timed_code_still_runs(write):
    errors, namespace = run(
        write(
            IMPORTS,
            "%matplotlib inline\n!ls -l\nx = 4\n%timeit x + 1\nfiles = !ls",
            "%%time\ny = x + 1",
            "%%bash\nexit 1",
            "x?",
        )
    )
    assert errors == {}
    assert (namespace["x"], namespace["y"], namespace["files"]) == (4, 5, [])


def test_given_cells_only_define(write):
    given_cell = code("import math\nz = 1\nprint(no_such_name)\nraise SystemExit", bnlib={"given": True})
    errors, namespace = run(write(given_cell, CENTER))
    assert errors == {
        cell.id: m for cell, m in zip(read(write(given_cell, CENTER)).cells[1:], errors.values(), strict=False)
    }
    assert namespace["z"] == 1


def test_given_cells_do_not_try_out_the_answers(write):
    trial = code("result = center(1)\nn = 3\ndef uses():\n    return center(2)", bnlib={"given": True})
    errors, namespace = run(write(IMPORTS, "@fill(translation.center)\ndef center(h):\n    raise SystemExit", trial))
    assert errors == {}
    assert "result" not in namespace
    assert namespace["n"] == 3
    assert "uses" in namespace


def test_a_file_of_blank_lines_is_read_at_once(write):
    assert [cell.exercise for cell in read(write("\n" * 200_000)).cells] == [None]


def test_progress_inside_a_replayed_notebook_does_not_start_itself_again(write):
    errors, _ = run(write(IMPORTS, "progress()", CENTER))
    assert errors == {}


def test_load_fills_the_stubs_from_the_saved_file(write, monkeypatch, capsys, tmp_path):
    write(IMPORTS, "print('noise')", CENTER)
    monkeypatch.chdir(tmp_path)
    load("02_translation")
    assert capsys.readouterr().out == (
        f"1 of {len(translation.lesson.stubs)} exercises of 02_translation are filled in the saved notebook (more in an open one? Save it, then load again)\n"
        "  Call them so: from bnlib.stubs import translation, then translation.NAME(...)\n"
    )
    assert translation.center(np.ones((2, 2))).sum() == 0
    with pytest.raises(NotebookError, match=r"01_chain_rule\.ipynb: not found"):
        load("01_chain_rule")
    with pytest.raises(KeyError, match="no lesson called"):
        load("07_nothing")


@pytest.mark.parametrize(
    ("body", "filled"),
    [
        ('# your code here\n    raise NotImplementedError("center is still empty")', 0),
        ("mu = h.mean(axis=0)\n    raise NotImplementedError", 0),
        ("return h - h.mean(axis=0)\n    raise NotImplementedError", 1),
        ("return 0", 1),
    ],
)
def test_load_counts_what_is_filled_not_what_is_there(write, monkeypatch, capsys, tmp_path, body, filled):
    write(IMPORTS, f"@fill(translation.center)\ndef center(h):\n    {body}")
    monkeypatch.chdir(tmp_path)
    load("02")
    assert capsys.readouterr().out.startswith(
        f"{filled} of {len(translation.lesson.stubs)} exercises of 02_translation are filled"
    )


def test_load_of_a_released_notebook_finds_nothing_filled(monkeypatch, capsys):
    root = Path(__file__).parent.parent
    for folder, words in (("notebooks", r"0 of (\d+) .*\(more in"), ("solutions", r"(\d+) of \1 .*notebook\n  Call")):
        monkeypatch.chdir(root / folder)
        for lesson in lessons():
            load(lesson.key)
            assert re.match(words, capsys.readouterr().out.strip())
            for stub in lesson.stubs.values():
                stub.answer = None


def test_an_error_is_described_with_the_learners_own_line():
    def mine():
        np.ones(3) @ np.ones(2)

    try:
        mine()
    except ValueError as error:
        said = describe_error(error)
    assert said.startswith("ValueError: matmul")
    assert "np.ones(3) @ np.ones(2)" in said
