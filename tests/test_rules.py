"""course.toml, overrides.csv and what they make of results; without a line of source code changed."""

from __future__ import annotations

import csv
import json
import os
import stat
import subprocess
import zipfile
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from test_grade import ALL, FAST, POINTS, Here, command, folder, gradebook, notebook, scores  # noqa: F401

from bnlib.cli import main
from bnlib.grading.course import Course
from bnlib.grading.grade import grade
from bnlib.grading.marks import Teacher, marked
from bnlib.grading.reports.gradescope import build_zip, results
from bnlib.grading.reports.report import feedback_page
from bnlib.grading.result import ByHand, Exercise, FileResult, LessonResult, Result
from bnlib.grading.rules import Late, Rules, RulesError, date_of, read_rules, secret_seed
from bnlib.stubs import lessons, translation

DUE = datetime(2026, 11, 20, 18, tzinfo=timezone.utc)
KEY = "02_translation"

WHOLE = """
title = "Normalization, autumn"
lessons = ["01", "02"]
roster = ["anna", "ben"]
seed = 7
[due]
01 = 2026-11-13
02 = 2026-11-20T18:00:00
[extensions]
anna = "2026-11-27"
ben = { 02 = "2026-11-21 09:00" }
[late]
percent_per_day = 10
at_most = 50
grace_minutes = 15
[points.translation]
center = 1.5
center_jacobian = 0
[gradescope]
visibility = "after_published"
"""


def rules_of(tmp_path, text):
    (tmp_path / "course.toml").write_text(text, "utf-8")
    return read_rules(tmp_path / "course.toml")


def test_everything_that_can_be_said(tmp_path):
    rules = rules_of(tmp_path, WHOLE)
    assert rules.title == "Normalization, autumn"
    assert rules.lessons == ("01_chain_rule", KEY)
    assert rules.due_of("carl", "01_chain_rule") == datetime(2026, 11, 13, 23, 59, 59)
    assert rules.due_of("anna", KEY) == datetime(2026, 11, 27, 23, 59, 59)
    assert rules.due_of("ben", KEY) == datetime(2026, 11, 21, 9)
    assert rules.due_of("ben", "01_chain_rule") == datetime(2026, 11, 13, 23, 59, 59)
    assert rules.due_of("ben", "03_normalization") is None
    assert (rules.late, rules.seed, rules.visibility) == (Late(10, 50, 15), 7, "after_published")
    assert rules.roster == ("anna", "ben")
    assert rules.points_of(translation.center) == 1.5
    assert rules.points_of(translation.center_jacobian) == 0
    assert rules.points_of(translation.center_backward) == translation.center_backward.points
    assert read_rules(tmp_path / "none.toml") == Rules()


def test_each_mistake_is_one_line(tmp_path):
    text = """
titel = "x"
lessons = ["99"]
roster = "nobody.csv"
seed = -1
due = "soon"
[extensions]
anna = 3
[late]
percent_per_day = 200
per_hour = 1
[points.translation]
centre = 1
center = "two"
[points.nothing]
x = 1
[gradescope]
visibility = "never"
"""
    with pytest.raises(RulesError) as caught:
        rules_of(tmp_path, text)
    lines = str(caught.value).splitlines()
    wanted = [
        ("titel", "is not known; there are: title"),
        ("lessons", "no lesson is called '99'"),
        ("roster", "nobody.csv cannot be read (No such file or directory)"),
        ("seed", "-1 is no whole number"),
        ("due", "'soon' is no date; write it like 2026-11-20"),
        ("extensions.anna", "3 is no date"),
        ("late.percent_per_day", "200 is no number from 0 to 100"),
        ("late.per_hour", "is not known"),
        ("points.translation.centre", "no such exercise; there are: center"),
        ("points.translation.center", "'two' is no number"),
        ("points.nothing", "no lesson is called 'nothing'"),
        ("gradescope.visibility", "'never' is none of visible"),
    ]
    assert len(lines) == len(wanted)
    for where, words in wanted:
        assert [line for line in lines if line.startswith(f"course.toml: {where}: ") and words in line], (where, lines)
    with pytest.raises(RulesError, match=r"course.toml: is no TOML: .*line 1"):
        rules_of(tmp_path, "title = x")
    with pytest.raises(RulesError, match="extensions.cy: is not on the roster"):
        rules_of(tmp_path, 'roster = ["anna"]\n[extensions]\ncy = "2026-11-20"')
    with pytest.raises(RulesError, match="'anna' stands there twice"):
        rules_of(tmp_path, 'roster = ["anna", "anna"]')


def test_a_roster_may_be_a_table_of_its_own(tmp_path):
    (tmp_path / "roster.csv").write_text("student,section\nanna,1\nben,2\n")
    assert rules_of(tmp_path, 'roster = "roster.csv"').roster == ("anna", "ben")


def test_dates_as_people_write_them():
    assert date_of("2026-11-20") == datetime(2026, 11, 20, 23, 59, 59)
    assert date_of(" 2026-11-20 18:00") == datetime(2026, 11, 20, 18)
    assert date_of("2026-11-20T18:00+01:00").utcoffset().seconds == 3600
    for text in ("tomorrow", "20.11.2026", "", 3):
        with pytest.raises(ValueError):  # noqa: PT011
            date_of(text)


def result_at(when, student="anna", **more):
    exercises = tuple(Exercise(name, 1, "right") for name in translation.lesson.stubs)
    file = FileResult("a.ipynb", KEY, "0", handed=when.isoformat(), **more)
    return Result(student, student, {KEY: LessonResult(KEY, "", exercises, file=file)})


@pytest.mark.parametrize(
    ("minutes", "lost"), [(0, 0), (15, 0), (16, 10), (24 * 60, 10), (24 * 60 + 1, 20), (90 * 24 * 60, 50)]
)
def test_what_lateness_costs(minutes, lost):
    rules = Rules(due={KEY: DUE}, late=Late(10, 50, 15))
    when = datetime.fromtimestamp(DUE.timestamp() + 60 * minutes, timezone.utc)
    given = marked(result_at(when), Teacher(rules))
    assert given.lessons[KEY].marks.lost == lost
    assert given.score == pytest.approx(ALL * (1 - lost / 100))
    assert bool(given.late) == (minutes > 0)
    assert any(f"that costs {lost} % of the points" in note for note in given.notes) == bool(lost)
    # done twice it is the same, and without a due date nothing remains of it
    assert marked(given, Teacher(rules)) == given
    assert marked(given, Teacher()) == marked(result_at(when), Teacher())


def test_lateness_is_by_lesson_and_by_student():
    rules = Rules(due={KEY: DUE}, extensions={"ben": {KEY: datetime(2026, 11, 22, tzinfo=timezone.utc)}})
    when = datetime(2026, 11, 21, tzinfo=timezone.utc)
    assert marked(result_at(when, "anna"), Teacher(rules)).late == "6 h"
    assert marked(result_at(when, "ben"), Teacher(rules)).late == ""
    earlier = result_at(when, earlier=datetime(2026, 11, 20, tzinfo=timezone.utc).isoformat())
    assert marked(earlier, Teacher(rules)).notes == (f"a.ipynb: late by 6 h; an earlier one was in time ({KEY})",)


def test_dates_that_disagree_are_flagged_where_it_matters():
    teacher = Teacher(Rules(due={KEY: DUE}))
    when = datetime(2026, 11, 21, tzinfo=timezone.utc)
    given = marked(result_at(when, stated=datetime(2026, 11, 1, tzinfo=timezone.utc).isoformat()), teacher)
    assert (given.late, len(given.flags)) == ("6 h", 1)
    assert "in time by the date in its zip" in given.flags[0]
    late_either_way = result_at(when, stated=datetime(2026, 11, 20, 20, tzinfo=timezone.utc).isoformat())
    assert marked(late_either_way, teacher).flags == ()


def test_that_canvas_says_late_is_kept():
    early = datetime(2026, 11, 1, tzinfo=timezone.utc)
    given = marked(result_at(early, marked_late=True), Teacher())
    assert given.notes == (f"a.ipynb: marked LATE by Canvas ({KEY})",)
    given = marked(result_at(early, marked_late=True), Teacher(Rules(due={KEY: DUE})))
    assert given.flags == (f"{KEY} a.ipynb: marked LATE by Canvas, and in time by its date",)


def test_a_change_of_points_grades_nothing_again(folder, tmp_path):  # noqa: F811
    out = tmp_path / "out"
    grade(folder, out, settings=FAST, executor=Here())
    here = Here()
    points = {"translation.center": 2.5, "translation.center_jacobian": 0}
    grade(folder, out, settings=FAST, executor=here, rules=Rules(points=points), force=True)
    assert here.batches == []
    rest = ALL - POINTS["center"] - POINTS["center_jacobian"]
    rows = {row["student"]: row for row in gradebook(out)}
    assert (rows["right"]["total"], rows["right"]["max"]) == (str(rest + 2.5), str(rest + 2.5))
    assert rows["right"]["translation.center"] == "2.5"
    assert rows["right"]["translation.center_jacobian"] == "0"
    assert rows["raises"]["total"] == str(rest)
    assert f"{rest} of {rest + 2.5} points" in (out / "feedback" / "raises.html").read_text()


def test_what_was_given_by_hand_is_kept_through_every_regrade(folder, tmp_path):  # noqa: F811
    out = tmp_path / "out"
    out.mkdir()
    lines = [
        "student,exercise,points,comment",
        'wrong,translation.center_backward,1.5,"half of it, <b>well</b> argued"',
    ]
    lines += ["right,translation.center,,a nice loop", "ana,translation.center,1,"]
    (out / "overrides.csv").write_text("\n".join(lines))
    for more in ({}, {"force": True}, {"force": True, "fresh": True}):
        summary = grade(folder, out, settings=FAST, executor=Here(), **more)
        assert scores(out)["wrong"] == str(ALL - POINTS["center_backward"] + 1.5)
        assert scores(out)["right"] == str(ALL)
        assert summary.said == ("overrides.csv: ana is no student here",)
    page = (out / "feedback" / "wrong.html").read_text()
    most = POINTS["center_backward"]
    assert f"Your teacher gave 1.5 of {most} points by hand: half of it, &lt;b&gt;well&lt;/b&gt; argued" in page
    assert "Your teacher: a nice loop" in (out / "feedback" / "right.html").read_text()
    row = next(row for row in gradebook(out) if row["student"] == "wrong")
    assert "given" not in row["flags"]
    assert f"1.5 of {most} points by hand" in row["reason"]
    assert (out / "overrides.csv").read_text() == "\n".join(lines)


def test_each_mistake_in_the_overrides_is_one_line(folder, tmp_path, capsys):  # noqa: F811
    out = tmp_path / "out"
    out.mkdir()
    lines = ["student,exercise,points,comment", "right,center,1,", "right,translation.center,many,"]
    lines += ["right,translation.center,100,", ",translation.center,1,", "right,translation.center,1,"] * 2
    (out / "overrides.csv").write_text("\n".join(lines))
    assert main(["grade", str(folder), "--out", str(out), "--no-nbval"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(lines) - 2
    assert "line 2: no exercise is called 'center'; write it like chain_rule." in said[0]
    assert "line 3: 'many' is no number of points" in said[1]
    assert f"line 4: translation.center has {POINTS['center']} points, and 100 are given" in said[2]
    assert "line 5: names no student" in said[3]
    assert "line 9: right and translation.center stand there twice" in said[-1]
    assert sorted(path.name for path in out.iterdir()) == ["overrides.csv"]
    (out / "overrides.csv").write_text("name,points\n")
    assert main(["grade", str(folder), "--out", str(out), "--no-nbval"]) == 2
    assert "the first line must be student,exercise,points,comment" in capsys.readouterr().err


def test_the_course_decides_for_every_command(folder, tmp_path, monkeypatch, capsys):  # noqa: F811
    """course.toml beside the course's folders is read by grade and by both commands for Gradescope."""
    course = tmp_path / "course"
    course.mkdir()
    for name in ("solutions", "tests", "bnlib", "pyproject.toml"):
        (course / name).symlink_to(Course().root / name)
    monkeypatch.setattr(Course, "rules", lambda self: read_rules(course / "course.toml"))
    (course / "course.toml").write_text(
        'title = "The title"\nroster = ["right", "nobody"]\n[points.translation]\ncenter = 4'
    )
    out = tmp_path / "out"
    assert main(["grade", str(folder), "--out", str(out), "--no-nbval", "--jobs", "1"]) == 0
    rows = {row["student"]: row for row in gradebook(out)}
    assert rows["right"]["total"] == str(ALL - POINTS["center"] + 4)
    assert (rows["nobody"]["total"], rows["nobody"]["reason"]) == ("0", "handed in nothing")
    assert "<h1>The title</h1>" in (out / "class.html").read_text()
    arguments = ["gradescope", "results", str(folder / "right.ipynb"), "--out", str(tmp_path / "r.json"), "--no-nbval"]
    assert main(arguments) == 0
    assert json.loads((tmp_path / "r.json").read_text())["tests"][0]["max_score"] == 4
    (course / "course.toml").write_text("tittle = 3")
    for words in (["grade", str(folder), "--out", str(tmp_path / "o2")], ["gradescope", "zip", "--out", "x.zip"]):
        capsys.readouterr()
        assert main(words) == 2
        assert "course.toml: tittle: is not known" in capsys.readouterr().err


def test_course_toml_of_the_folder_one_is_in_is_read(folder, tmp_path):  # noqa: F811
    (tmp_path / "course.toml").write_text("tittle = 3")
    done = subprocess.run(command(folder, tmp_path / "out"), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("bnlib grade: course.toml: tittle: is not known; there are: title")
    assert done.stderr.count("\n") == 1


def test_the_seed_is_a_secret_of_the_course(folder, tmp_path):  # noqa: F811
    out = tmp_path / "out"
    (folder / "right.ipynb").rename(tmp_path / "right.ipynb")
    for path in folder.iterdir():
        path.unlink()
    (tmp_path / "right.ipynb").rename(folder / "right.ipynb")
    assert main(["grade", str(folder), "--out", str(out), "--no-nbval", "--jobs", "1"]) == 0
    kept = tmp_path / "course-seed.txt"
    seed = kept.read_text().strip()
    assert int(seed) > 2**32
    assert stat.S_IMODE(os.stat(kept).st_mode) == 0o600
    assert secret_seed(tmp_path / "next week") == int(seed)
    key = json.loads((out / "results" / "right.json").read_text())["lessons"][KEY]["key"]
    for path in out.rglob("*"):
        if path.is_file():
            assert seed not in path.read_text(), path
            assert path.parent.name == "results" or key not in path.read_text(), path
    kept.write_text("none")
    with pytest.raises(RulesError, match="holds no number"):
        secret_seed(out)
    assert secret_seed(tmp_path / "elsewhere" / ".." / "b" / "out") if (tmp_path / "b").mkdir() else True


def test_what_gradescope_gets_says_nothing_of_any_student(tmp_path, monkeypatch):
    rules = rules_of(tmp_path, WHOLE)
    monkeypatch.setattr(Course, "rules", lambda self: rules)
    build_zip(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        text = archive.read("course.toml").decode()
        assert b"--lesson 01_chain_rule --lesson 02_translation" in archive.read("run_autograder")
    assert "anna" not in text
    there = rules_of(tmp_path, text)
    assert (there.points, there.seed, there.visibility, there.title) == (
        rules.points,
        rules.seed,
        rules.visibility,
        rules.title,
    )
    monkeypatch.setattr(Course, "rules", lambda self: replace(rules, seed=None))
    build_zip(tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert rules_of(tmp_path, archive.read("course.toml").decode()).seed == secret_seed(tmp_path / "b.zip")


def test_gradescope_shows_what_the_course_says_and_when():
    exercise = Exercise("center", 2, "wrong", "no", by_hand=ByHand(1, "nearly"))
    said = results(Result("anna", "anna", {KEY: LessonResult(KEY, "", (exercise,))}), "after_published")
    assert said["tests"][0]["visibility"] == "after_published"
    assert said["tests"][0]["score"] == said["score"] == 1
    assert "Your teacher gave 1 of 2 points by hand: nearly" in said["tests"][0]["output"]
    assert "Your teacher gave" in feedback_page(Result("a", "a", {KEY: LessonResult(KEY, "", (exercise,))}))


def test_one_notebook_too_many_is_nobodys_lesson(folder, tmp_path, capsys):  # noqa: F811
    for number in range(6):
        (folder / f"s{number}.ipynb").write_text(notebook())
    (folder / "right").mkdir()
    (folder / "right" / "extra.ipynb").write_text(Course().root.joinpath("notebooks/05_layer.ipynb").read_text())
    (folder / "right.ipynb").rename(folder / "right" / "02.ipynb")
    arguments = ["grade", str(folder), "--no-nbval", "--jobs", "1", "--seed", "0"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    assert "05_layer was handed in by 1 of 10 only, and not graded: name it with --lesson 05" in capsys.readouterr().err
    assert {row["max"] for row in gradebook(tmp_path / "out")} == {str(ALL)}
    assert "05_layer was handed in by 1 of 10" in (tmp_path / "out" / "class.html").read_text()
    assert main([*arguments, "--out", str(tmp_path / "o2"), "--lesson", "02", "--lesson", "05"]) == 0
    more = sum(lesson.points for lesson in lessons() if lesson.key in (KEY, "05_layer"))
    assert {row["max"] for row in gradebook(tmp_path / "o2")} == {str(more)}


def test_a_file_from_before_1980_is_graded_on_gradescope(tmp_path):
    path = tmp_path / "02.ipynb"
    path.write_text(notebook())
    os.utime(path, (1e6, 1e6))
    out = tmp_path / "results.json"
    assert main(["gradescope", "results", str(path), "--out", str(out), "--no-nbval", "--seed", "0"]) == 0
    assert json.loads(out.read_text())["score"] == ALL


def test_no_cell_of_the_gradebook_is_a_formula_wherever_it_is_split():
    from bnlib.grading.book import gradebook as written

    lesson = LessonResult(KEY, "", tuple(Exercise(name, 1) for name in translation.lesson.stubs), reason="x")
    text = written(
        [Result("=a;=b;  +c\t@d|=e", "a", {KEY: lesson}, reasons=("so;-2+3", "a - b"))], [translation.lesson]
    )
    (row,) = csv.DictReader(text.splitlines())
    for separator in ",;\t|":
        for cell in row["student"].split(separator) + row["reason"].split(separator):
            assert not cell.strip().startswith(("=", "+", "-", "@")), cell
    assert "a - b" in row["reason"]
