"""The runner: nothing lost, nothing overwritten, the same submission always the same score."""

from __future__ import annotations

import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import unquote

import dying
import psutil
import pytest

from bnlib import __version__
from bnlib.checks import chain_of
from bnlib.cli import main
from bnlib.grading import files, pool
from bnlib.grading.batch import Settings, grade_batch
from bnlib.grading.book import GradeError
from bnlib.grading.course import Course
from bnlib.grading.files import write
from bnlib.grading.grade import grade
from bnlib.grading.result import LessonResult
from bnlib.notebooks import parse
from bnlib.stubs import derive_source, translation

FAST = Settings(nbval=False, call_seconds=1)
BODIES = {
    "center": "return h - h.mean(axis=0)",
    "center_jacobian": "return np.eye(N) - 1 / N",
    "center_jacobian_full": "return np.einsum('ki,lj->klij', center_jacobian(N), np.eye(D))",
    "center_backward": "return dout - dout.mean(axis=0)",
}


def notebook(**bodies):
    """The released notebook with answers in it, as text."""
    document = parse(Course().root / "notebooks" / "02_translation.ipynb")
    for cell in document["cells"]:
        body = {**BODIES, **bodies}.get(cell.get("id"))
        stub = translation.lesson.derivations.get(cell.get("id"))
        if body is not None:
            cell["source"] = cell["source"][: cell["source"].index("    # your code here")] + f"    {body}"
        elif stub is not None:
            cell["source"] = derive_source(stub, chain_of(stub).lines)
    return json.dumps(document)


@pytest.fixture
def folder(tmp_path):
    """Five students."""
    path = tmp_path / "in"
    path.mkdir()
    (path / "right.ipynb").write_text(notebook())
    (path / "wrong.ipynb").write_text(notebook(center_backward="return dout"))
    (path / "raises.ipynb").write_text(notebook(center="raise ValueError('<b>no</b>')"))
    (path / "broken.ipynb").write_text("{")
    (path / "=formula.ipynb").write_text(notebook(center="return h"))
    return path


class Here(Executor):
    """Runs everything at once, in this process; may be told to fail."""

    def __init__(self, fails=lambda works: False):
        self.fails, self.batches = fails, []

    def submit(self, function, settings, works):
        future = Future()
        self.batches.append([work.name for work in works])
        try:
            if self.fails(works):
                raise OSError("no more")
            future.set_result(function(settings, works))
        except Exception as error:
            future.set_exception(error)
        return future


def gradebook(out):
    return list(csv.DictReader((out / "gradebook.csv").open(encoding="utf-8")))


def scores(out):
    return {row["student"]: row["total"] for row in gradebook(out)}


POINTS = {stub.name: stub.points for stub in translation.lesson.stubs.values()}
ALL = translation.lesson.points
SCORES = {
    "right": str(ALL),
    "wrong": str(ALL - POINTS["center_backward"]),
    "raises": str(ALL - POINTS["center"]),
    "broken": "0",
    "'=formula": str(ALL - POINTS["center"]),
}


def test_results_feedback_and_gradebook(folder, tmp_path):
    out = tmp_path / "out"
    summary = grade(folder, out, settings=FAST, executor=Here())
    assert (summary.students, summary.kept, summary.ungraded) == (5, 0, ())
    assert scores(out) == SCORES
    rows = {row["student"]: row for row in gradebook(out)}
    assert list(rows["right"]) == [
        "student",
        "02_translation score",
        "02_translation max",
        *(stub.id for stub in translation.lesson.stubs.values()),
        "total",
        "max",
        "late",
        "flags",
        "reason",
    ]
    assert "path through the mean" in rows["wrong"]["reason"]
    assert "ValueError" in rows["raises"]["reason"]
    assert "broken.ipynb: is not a notebook" in rows["broken"]["reason"]
    assert rows["right"]["reason"] == ""
    names = {"right", "wrong", "raises", "broken"}
    for kind in ("results/{}.json", "feedback/{}.html", "feedback/{}.json"):
        assert all((out / kind.format(name)).is_file() for name in names)
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]
    data = json.loads((out / "feedback" / "wrong.json").read_text())
    assert data["lessons"]["02_translation"]["exercises"][-1]["status"] == "wrong"
    page = (out / "class.html").read_text("utf-8")
    assert f"{datetime.now():%Y-%m-%d}" in page
    assert f"bnlib {__version__}" in page
    for link in re.findall(r'href="([^"#]+)"', page):
        assert (out / unquote(link)).is_file(), link


@pytest.mark.parametrize(
    "junk", ["a = '" + "x" * 3_000_000 + "'", "# " + "\u03bc" * 600_000], ids=["long", "long when escaped"]
)
def test_a_cell_of_megabytes_is_left_out_and_the_answers_are_graded(tmp_path, junk):
    document = json.loads(notebook(center_backward="return dout"))
    own = {"cell_type": "code", "id": "mine", "metadata": {}, "source": junk, "outputs": [], "execution_count": None}
    document["cells"].insert(1, own)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "long.ipynb").write_text(json.dumps(document))
    grade(tmp_path / "in", tmp_path / "out", settings=FAST, executor=Here())
    assert scores(tmp_path / "out") == {"long": SCORES["wrong"]}
    page = (tmp_path / "out" / "feedback" / "long.html").read_text("utf-8")
    assert "cell mine: the cell holds" in page
    assert "left out" in page


def test_an_answer_cell_of_megabytes_says_so(tmp_path):
    document = json.loads(notebook())
    cell = next(cell for cell in document["cells"] if cell.get("id") == "center")
    cell["source"] += "\n#" + "x" * 3_000_000
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "long.ipynb").write_text(json.dumps(document))
    grade(tmp_path / "in", tmp_path / "out", settings=FAST, executor=Here())
    assert scores(tmp_path / "out") == {"long": SCORES["raises"]}
    assert "could not be run: the cell holds 3.0 MB of code" in gradebook(tmp_path / "out")[0]["reason"]


def test_late_and_refused_files_are_in_the_gradebook(folder, tmp_path, monkeypatch, capsys):
    os.utime(folder / "right.ipynb", (1e9, 1e9))
    os.utime(folder / "wrong.ipynb", (1e9 + 3600, 1e9 + 3600))
    opened = type(folder).open

    def refuse(path, *args, **kwargs):
        if path.name == "raises.ipynb":
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(type(folder), "open", refuse)
    out = tmp_path / "out"
    summary = grade(folder, out, settings=FAST, executor=Here(), due=datetime.fromtimestamp(1e9, timezone.utc))
    rows = {row["student"]: row for row in gradebook(out)}
    assert rows["right"]["late"] == ""
    assert (rows["wrong"]["late"], rows["wrong"]["total"]) == ("1 h", SCORES["wrong"])
    assert summary.ungraded == ("raises",)
    assert "raises.ipynb: cannot be read" in rows["raises"]["flags"]
    assert "wrong.ipynb: late by 1 h" in (out / "feedback" / "wrong.html").read_text()
    with pytest.raises(SystemExit) as stopped:
        main(["grade", str(folder), "--out", str(tmp_path / "o2"), "--due", "tomorrow"])
    assert stopped.value.code == 2
    assert "'tomorrow' is no date; write it like 2026-11-20 18:00" in capsys.readouterr().err


def test_the_same_submission_gets_the_same_result_twice(folder, tmp_path):
    for name in ("a", "b"):
        grade(folder, tmp_path / name, settings=FAST, executor=Here())
    files = [path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert len(files) == 18
    for path in files:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


def test_one_bad_batch_costs_only_who_is_to_blame(folder, tmp_path):
    here = Here(fails=lambda works: any(work.name == "wrong" for work in works))
    summary = grade(folder, tmp_path / "out", settings=FAST, executor=here)
    assert summary.ungraded == ("wrong",)
    assert scores(tmp_path / "out") == {**SCORES, "wrong": "0"}
    row = next(row for row in gradebook(tmp_path / "out") if row["student"] == "wrong")
    assert "could not be graded: OSError: no more" in row["reason"]
    assert "could not be graded" in row["flags"]
    # it is tried again the next time, and nothing else is
    here = Here()
    assert grade(folder, tmp_path / "out", settings=FAST, executor=here, force=True).ungraded == ()
    assert here.batches == [["wrong"]]
    assert scores(tmp_path / "out") == SCORES


def test_when_nothing_works_the_run_ends_with_one_line(folder, tmp_path):
    with pytest.raises(GradeError, match="grading does not work here: OSError: no more"):
        grade(folder, tmp_path / "out", settings=FAST, executor=Here(fails=lambda works: True))
    assert not (tmp_path / "out" / "gradebook.csv").exists()


def test_only_what_changed_is_graded_again(folder, tmp_path):
    out = tmp_path / "out"
    grade(folder, out, settings=FAST, executor=Here())
    (folder / "wrong.ipynb").write_text(notebook())
    (folder / "new.ipynb").write_text(notebook())
    here = Here()
    grade(folder, out, settings=FAST, executor=here, force=True)
    assert sorted(sum(here.batches, [])) == ["new", "wrong"]
    assert scores(out) == {**SCORES, "wrong": str(ALL), "new": str(ALL)}
    for more in ({"settings": Settings(nbval=False, call_seconds=1, seed=3)}, {"settings": FAST, "fresh": True}):
        here = Here()
        grade(folder, out, executor=here, force=True, **more)
        assert len(sum(here.batches, [])) == 5


def test_a_changed_hidden_test_is_noticed(tmp_path):
    course = tmp_path / "course"
    (course / "tests" / "hidden").mkdir(parents=True)
    before = Course(course).digest(translation.lesson)
    (course / "tests" / "hidden" / "test_translation.py").write_text("x = 1")
    assert Course(course).digest(translation.lesson) != before


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    write(path, "old")

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_half_a_result_file_is_graded_again(folder, tmp_path):
    out = tmp_path / "out"
    grade(folder, out, settings=FAST, executor=Here())
    (out / "gradebook.csv").unlink()
    whole = (out / "results" / "right.json").read_text()
    for text in (whole[:500], "[]", '{"lessons": {"02_translation": 3}}', ""):
        (out / "results" / "right.json").write_text(text)
        here = Here()
        grade(folder, out, settings=FAST, executor=here, force=True)
        assert here.batches == [["right"]]


def test_any_executor_will_do(folder, tmp_path):
    with ThreadPoolExecutor(2) as threads:
        grade(folder, tmp_path / "out", settings=FAST, executor=threads, jobs=2)
    assert scores(tmp_path / "out") == SCORES


def test_a_batch_needs_and_returns_plain_data(folder):
    from bnlib.grading.batch import Work

    content = (folder / "wrong.ipynb").read_bytes()
    work = Work("w", {"02_translation": ("w.ipynb", content)}, ("02_translation",))
    result = grade_batch(FAST, [work])
    lesson = result["w"]["02_translation"]
    assert LessonResult.from_json(json.loads(json.dumps(lesson.to_json()))) == lesson
    assert str(lesson.score) == SCORES["wrong"]
    assert "isolated" in lesson.isolation


def command(folder, out, *more):
    return [
        sys.executable,
        "-m",
        "bnlib.cli",
        "grade",
        str(folder),
        "--out",
        str(out),
        "--no-nbval",
        "--jobs",
        "2",
        *more,
    ]


KILLED = """
import os, signal, sys
import psutil
from bnlib.cli import main
from bnlib.grading import book
write, written = book.write, []

def killed_after_two(path, text):
    write(path, text)
    written.append(path.name)
    if sum(name.startswith("s") for name in written) == 2:
        print(*[child.pid for child in psutil.Process().children(recursive=True)], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

book.write = killed_after_two
if __name__ == "__main__":
    main(sys.argv[1:])
"""


def test_a_killed_run_goes_on_and_ends_with_the_same_gradebook(folder, tmp_path):
    for number in range(9):
        (folder / f"s{number:02}.ipynb").write_text(notebook(center="return h" + " - h.mean(0)" * (number % 2)))
    subprocess.run(command(folder, tmp_path / "whole"), check=True, capture_output=True)
    out, script = tmp_path / "out", tmp_path / "killed.py"
    script.write_text(KILLED)
    told = [sys.executable, str(script), *command(folder, out)[3:]]
    run = subprocess.run(told, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert run.returncode == -signal.SIGKILL
    assert not (out / "gradebook.csv").exists()
    kept = {path.name: path.stat().st_mtime_ns for path in out.glob("results/s*.json")}
    assert len(kept) == 2
    family = [psutil.Process(int(pid)) for pid in run.stdout.split() if psutil.pid_exists(int(pid))]
    assert not psutil.wait_procs(family, timeout=60)[1], "processes were left behind"
    done = subprocess.run(command(folder, out), check=True, capture_output=True, text=True)
    assert "of them earlier" in done.stdout
    assert kept.items() <= {path.name: path.stat().st_mtime_ns for path in out.glob("results/s*.json")}.items()
    assert (out / "gradebook.csv").read_bytes() == (tmp_path / "whole" / "gradebook.csv").read_bytes()


def test_a_grader_process_that_dies_costs_only_what_killed_it(folder, tmp_path, monkeypatch):
    """The pool breaks when a process of it ends; a new one takes over."""
    monkeypatch.setattr(pool, "grade_batch", dying.on_wrong)
    summary = grade(folder, tmp_path / "out", settings=FAST, jobs=2)
    assert summary.ungraded == ("wrong",)
    assert scores(tmp_path / "out") == {**SCORES, "wrong": "0"}


def test_bad_input_is_one_line_and_nothing_is_overwritten(folder, tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    used = tmp_path / "used"
    used.mkdir()
    (used / "thesis.tex").write_text("mine")
    finished = tmp_path / "finished"
    (finished / "results").mkdir(parents=True)
    (finished / "gradebook.csv").write_text("mine")
    out = tmp_path / "out"
    cases = {
        (tmp_path / "none", out): "is not there",
        (folder / "right.ipynb", out): "is not a folder",
        (empty, out): "holds no submission",
        (folder, finished): "already holds results",
        (folder, used): "is not empty",
        (folder, folder / "out"): "is inside the folder of submissions",
        (folder, folder): "is inside the folder of submissions",
        (folder, folder / "right.ipynb" / "out"): "is inside the folder",
        (folder, used / "thesis.tex"): "is a file",
        (folder, used / "thesis.tex" / "out"): "cannot be written",
        (folder, tmp_path / "proc" / "\0"): None,
    }
    for (source, target), words in cases.items():
        if words is None:
            continue
        assert main(["grade", str(source), "--out", str(target), "--no-nbval"]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert words in said.err
        assert said.err.count("\n") == 1
    assert main(["grade", str(folder), "--out", str(out), "--lesson", "99_none"]) == 2
    assert "no lesson called '99_none'" in capsys.readouterr().err
    assert not out.exists()
    assert (finished / "gradebook.csv").read_text() == "mine"
    assert sorted(path.name for path in used.iterdir()) == ["thesis.tex"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_no_write_permission_is_one_line(folder):
    """As root, who may write everywhere, in a process that becomes nobody first."""
    script = "import os, pathlib, sys\nfrom bnlib.cli import main\nfrom bnlib.grading.grade import collect\n"
    script += "__import__('tomllib' if sys.version_info >= (3, 11) else 'tomli')\n"
    script += "collect(pathlib.Path(sys.argv[2]))\n"  # loads what nobody may not read
    script += "if os.getuid() == 0:\n    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
    script += "sys.exit(main(sys.argv[1:]))"
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are not open to others
        shared = Path(name)
        shutil.copytree(folder, shared / "in")
        (shared / "closed").mkdir()
        for path, mode in ((shared, 0o755), (shared / "closed", 0o555)):
            path.chmod(mode)
        command = [sys.executable, "-c", script, "grade", str(shared / "in"), "--out", str(shared / "closed" / "out")]
        done = subprocess.run(command, capture_output=True, text=True)
        (shared / "closed").chmod(0o755)
    assert done.returncode == 2, done.stderr
    assert "cannot be written" in done.stderr
    assert done.stderr.count("\n") == 1


def test_runs_killed_at_random_end_with_the_same_gradebook(folder, tmp_path):
    """Twenty kills on the same results, wherever they hit; each run goes on where the last was stopped."""
    for number in range(40):
        body = "import time; time.sleep(0.01); return h" + " - h.mean(0)" * (number % 2)
        (folder / f"s{number:02}.ipynb").write_text(notebook(center=body))
    subprocess.run(command(folder, tmp_path / "whole"), check=True, capture_output=True)
    out, rng = tmp_path / "out", random.Random(0)
    for _ in range(20):
        run = subprocess.Popen(command(folder, out, "--force"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with suppress(subprocess.TimeoutExpired):
            run.wait(rng.uniform(0.2, 1.2))
        run.kill()
        run.wait()
    subprocess.run(command(folder, out, "--force"), check=True, capture_output=True)
    for name in ("gradebook.csv", "class.html", *(f"results/s{number:02}.json" for number in range(40))):
        assert undated(out / name) == undated(tmp_path / "whole" / name), name


def undated(path):
    """A file without the date of its run, which class.html tells."""
    return re.sub(r"\d{4}-\d\d-\d\d", "", path.read_text("utf-8"))


def test_a_finished_run_is_gone_over_with_force_only(folder, tmp_path, capsys):
    arguments = ["grade", str(folder), "--out", str(tmp_path / "out"), "--no-nbval", "--jobs", "1"]
    assert main(arguments) == 0
    assert "5 graded" in capsys.readouterr().out
    before = (tmp_path / "out" / "gradebook.csv").read_bytes()
    assert main(arguments) == 2
    assert "--force" in capsys.readouterr().err
    assert main([*arguments, "--force"]) == 0
    assert "4 of them earlier" in capsys.readouterr().out
    assert (tmp_path / "out" / "gradebook.csv").read_bytes() == before
