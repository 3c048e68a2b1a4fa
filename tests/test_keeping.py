"""Nothing is lost: results are kept student by student, OUT is held by one run, and lessons of earlier runs stay."""

from __future__ import annotations

import csv
import errno
import json
import signal
import subprocess
import time

import dying
import pytest
from test_grade import ALL, FAST, SCORES, Here, command, folder, gradebook, notebook, scores  # noqa: F401

from bnlib.cli import main
from bnlib.grading import book, files, pool
from bnlib.grading.batch import Settings
from bnlib.grading.book import GradeError
from bnlib.grading.course import Course, CourseError
from bnlib.grading.grade import grade
from bnlib.grading.nbval import stage
from bnlib.grading.nbval.stage import Job, Outcome
from bnlib.notebooks import parse


def empty(lesson):
    """The released notebook of a lesson, as text."""
    return json.dumps(parse(Course().root / "notebooks" / f"{lesson}.ipynb"))


def test_results_are_kept_before_their_batch_ends(folder, tmp_path, monkeypatch):  # noqa: F811
    """The process dies after it has told what it knows of the first student, who pays nothing for it."""
    monkeypatch.setattr(pool, "grade_batch", dying.after_one)
    summary = grade(folder, tmp_path / "out", settings=FAST, jobs=1)
    assert len(summary.ungraded) == 3
    done = {name: total for name, total in scores(tmp_path / "out").items() if name.strip("'") not in summary.ungraded}
    assert len(done) == 2
    assert done == {name: SCORES[name] for name in done}


def test_a_batch_tells_of_each_student_as_soon_as_it_is_judged(folder, tmp_path, monkeypatch):  # noqa: F811
    told = []
    monkeypatch.setattr("bnlib.grading.batch.put", lambda spool, slug, results, done: told.append((slug, done)))
    grade(folder, tmp_path / "out", settings=FAST, executor=Here())
    names = {path.stem for path in (tmp_path / "out" / "results").glob("*.json")} - {"broken"}
    assert {name for name, _ in told} == names
    assert all(done for _, done in told)
    told.clear()
    settings = Settings(call_seconds=1)
    grade(folder, tmp_path / "o2", settings=settings, executor=Here(), wanted=["02"])
    order = [done for _, done in told]
    assert order == [False] * 4 + [True] * 4  # first everybody's score, then student by student what nbval saw


def test_a_score_without_nbval_is_kept_and_only_nbval_is_made_up_for(folder, tmp_path, monkeypatch):  # noqa: F811
    out = tmp_path / "out"
    monkeypatch.setattr(stage, "run", _interrupted)
    with pytest.raises(KeyboardInterrupt):
        grade(folder, out, settings=Settings(call_seconds=1), jobs=1, executor=Here())
    monkeypatch.undo()
    assert len(list((out / "results").glob("*.json"))) == 5
    assert (out / book.UNFINISHED).exists()
    judged = []
    monkeypatch.setattr("bnlib.grading.hidden.plugin.run", lambda *args: judged.append(args))
    grade(folder, out, settings=Settings(call_seconds=1), executor=Here())
    assert not judged
    assert scores(out)["right"] == str(ALL)
    assert not (out / book.UNFINISHED).exists()
    result = json.loads((out / "results" / "right.json").read_text())
    assert result["lessons"]["02_translation"]["nbval"]["passed"]


def _interrupted(*args, **more):
    raise KeyboardInterrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_one_line_and_nothing_left_behind(folder, tmp_path, number):  # noqa: F811
    for index in range(30):
        (folder / f"s{index:02}.ipynb").write_text(notebook(center="import time; time.sleep(0.02); return h"))
    out = tmp_path / "out"
    run = subprocess.Popen(command(folder, out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(list(out.glob("results/s*.json"))) < 2:
        time.sleep(0.02)
    run.send_signal(number)
    said, wrong = run.communicate(timeout=60)
    assert run.returncode == 130
    assert wrong == "bnlib grade: stopped; the same command goes on from here\n"
    assert list(out.glob("results/s*.json"))
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]


def test_a_second_run_does_not_touch_out(folder, tmp_path, capsys):  # noqa: F811
    out = tmp_path / "out"
    (out / "results").mkdir(parents=True)
    with files.locked(out / "results") as ours:
        assert ours
        assert main(["grade", str(folder), "--out", str(out), "--no-nbval"]) == 2
    assert "another run is at work there" in capsys.readouterr().err
    assert main(["grade", str(folder), "--out", str(out), "--no-nbval", "--jobs", "1"]) == 0


def test_a_new_lesson_is_added_and_nothing_is_dropped(folder, tmp_path, capsys):  # noqa: F811
    out, later = tmp_path / "out", tmp_path / "later"
    grade(folder, out, settings=FAST, executor=Here())
    first = (out / "gradebook.csv").read_text()
    later.mkdir()
    (later / "right.ipynb").write_text(empty("03_normalization"))
    (later / "new.ipynb").write_text(empty("03_normalization"))
    here = Here()
    grade(later, out, settings=FAST, executor=here, wanted=["03"])
    assert sorted(sum(here.batches, [])) == ["new", "right"]
    rows = {row["student"]: row for row in gradebook(out)}
    for before in csv.DictReader(first.splitlines()):
        now = rows[before["student"]]
        assert {name: now[name] for name in before if name.startswith(("02", "translation."))} == {
            name: before[name] for name in before if name.startswith(("02", "translation."))
        }
        assert now["total"] == before["total"]
        assert now["03_normalization score"] == "0"
        assert "no notebook of 03_normalization was handed in" in now["reason"] or before["student"] == "right"
    assert (rows["new"]["02_translation score"], rows["new"]["total"]) == ("0", "0")
    # once more is a regrade, and says so
    with pytest.raises(GradeError, match="--force"):
        grade(later, out, settings=FAST, executor=Here(), wanted=["03"])
    here = Here()
    grade(later, out, settings=FAST, executor=here, wanted=["03"], force=True)
    assert here.batches == []


def test_a_lesson_that_has_other_exercises_now_is_said_and_stops_nothing(folder, tmp_path):  # noqa: F811
    out, later = tmp_path / "out", tmp_path / "later"
    grade(folder, out, settings=FAST, executor=Here())
    path = out / "results" / "right.json"
    path.write_text(path.read_text().replace('"name": "center"', '"name": "centre"'))
    later.mkdir()
    (later / "right.ipynb").write_text(empty("01_chain_rule"))
    grade(later, out, settings=FAST, executor=Here(), wanted=["01"])
    row = next(row for row in gradebook(out) if row["student"] == "right")
    assert (
        "02_translation has other exercises now than when it was graded: grade it again with --lesson 02"
        in row["reason"]
    )
    grade(folder, out, settings=FAST, executor=Here(), wanted=["02"], force=True)
    assert scores(out)["right"] == str(ALL)


def test_a_full_disk_is_one_line_and_an_end(folder, tmp_path, monkeypatch, capsys):  # noqa: F811
    written = files.write

    def full(path, text):
        if path.suffix == ".json":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        written(path, text)

    monkeypatch.setattr(book, "write", full)
    arguments = ["grade", str(folder), "--out", str(tmp_path / "out"), "--no-nbval", "--jobs", "1"]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "No space left on device; make room, and the same command goes on" in said
    monkeypatch.undo()
    assert main(arguments) == 0
    no_room = Here(fails=lambda works: _raise(OSError(errno.ENOSPC, "No space left on device", "/x")))
    with pytest.raises(GradeError, match="/x: No space left on device; make room"):
        grade(folder, tmp_path / "o2", settings=FAST, executor=no_room)


def _raise(error):
    raise error


@pytest.mark.parametrize("outcome", [Outcome(False, fault="no kernel: timed out"), Outcome(False, message="timed out")])
def test_kernels_that_never_start_end_the_run_with_one_line(monkeypatch, outcome):
    """Not a minute for each notebook: after the first, an empty one is tried, and that is all."""
    tried = []

    def never(jobs, *more):
        tried.append(sorted(jobs))
        return {min(jobs): outcome}

    monkeypatch.setattr(stage, "_one_run", never)
    job = Job({}, "a.ipynb", {})
    with pytest.raises(CourseError, match=r"nbval's kernels do not start here \(.*timed out\); mend that"):
        stage.run([job] * 30)
    assert tried == [list(range(30)), [0]]


def test_one_notebook_without_a_kernel_costs_no_other(monkeypatch):
    def first_fails(jobs, *more):
        if len(jobs) == 3:
            return {0: Outcome(False, fault="no kernel")}
        return {index: Outcome(True) for index in jobs}

    monkeypatch.setattr(stage, "_one_run", first_fails)
    seen = {}
    outcomes = stage.run([Job({}, "a.ipynb", {})] * 3, seen=seen.__setitem__)
    assert [outcome.fault for outcome in outcomes] == ["no kernel", "", ""]
    assert sorted(seen) == [0, 1, 2]


@pytest.mark.parametrize("python", ["/nonexistent/python", "/bin/false"])
def test_a_broken_interpreter_is_one_line(folder, tmp_path, monkeypatch, capsys, python):  # noqa: F811
    monkeypatch.setattr("sys.executable", python)
    assert main(["grade", str(folder), "--out", str(tmp_path / "out"), "--no-nbval", "--jobs", "1"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"bnlib grade: {python}: this Python cannot be started any more (")
    assert said.count("\n") == 1


def test_folders_of_runs_that_were_killed_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    gone = subprocess.Popen(["true"])
    gone.wait()
    (tmp_path / f"bnlib-run-{gone.pid}-x" / "spool").mkdir(parents=True)
    (tmp_path / "bnlib-run-1-x").mkdir()
    pool._remove_what_was_left()
    assert [path.name for path in tmp_path.iterdir()] == ["bnlib-run-1-x"]
