"""Canvas and Moodle: their columns and their identifiers come back as they were, filled; nobody gets another's grade.

What the platforms read is told by their own sources, which the module names; the readers here follow those.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import zipfile
from dataclasses import replace

import pytest

from bnlib.cli import main
from bnlib.grading.book import UNFINISHED
from bnlib.grading.result import Exercise, FileResult, LessonResult, Result
from bnlib.stubs import lesson_of

CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,Essay (100),Lesson 2 (200),Assignments Current Score,Final Points
    Points Possible,,,,,10,9,(read only),(read only)
"Doe, John",4711,s1,jdoe,A,7,,50,7
"Muster, Clara",4712,s2,cmuster,B,8,3,60,8
"Never, Seen",4713,s3,nseen,B,9,2,70,9
"Student, Test",4714,,,B,,,,
"""
MOODLE = """\
Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,Last modified (submission),Last modified (grade),Feedback comments
Participant 4711,John Doe,jdoe@example.org,Submitted for grading,,9.00,Yes,"Friday, 20 November 2026, 5:00 PM",-,
Participant 4712,Clara_Maria Muster,cm@example.org,Submitted for grading,3.00,9.00,Yes,-,"Friday, 20 November 2026, 6:00 PM",well
Participant 4713,Never Seen,ns@example.org,No submission,,9.00,Yes,-,-,
"""


@pytest.fixture(autouse=True)
def nine_points(monkeypatch):
    """What the lesson gives in these tests, whatever is derived in it."""
    lesson = lesson_of("02")
    monkeypatch.setattr(lesson, "stubs", lesson.functions)


def a_result(student, slug, right, file=""):
    def lesson(key):
        stubs = list(lesson_of(key).stubs.values())
        each = tuple(Exercise(s.name, s.points, "right" if i < right else "wrong") for i, s in enumerate(stubs))
        handed = FileResult(file, "02_translation", "0") if file and key == "02" else None
        return LessonResult(lesson_of(key).key, lesson_of(key).title, each, file=handed)

    return Result(student, slug, {"01_chain_rule": lesson("01"), "02_translation": lesson("02")})


def finished(out, results):
    for name in ("results", "feedback"):
        (out / name).mkdir(parents=True)
    for each in results:
        (out / "results" / f"{each.slug}.json").write_text(json.dumps(each.to_json()))
        (out / "feedback" / f"{each.slug}.html").write_text(f"<p>{each.student}</p>")
    (out / "gradebook.csv").write_text("")
    return out


@pytest.fixture
def out(tmp_path):
    """What comes of a zip of Canvas (or, but for the file, of Moodle): names with the platform's number."""
    john = a_result("doejohn_4711", "john", 2, "doejohn_LATE_4711_900001_02_translation.ipynb")
    clara = a_result("musterclara_4712", "clara", 4, "submissions.zip/musterclara_4712_900002_my notebook-1.ipynb")
    return finished(tmp_path / "out", [john, clara])


def rows(path, separator=","):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter=separator))


def test_canvas_without_its_gradebook_has_the_columns_that_canvas_documents(out):
    assert main(["export", "canvas", str(out), "--lesson", "02", "--assignment", "Lesson 2 (200)"]) == 0
    table = rows(out / "canvas" / "grades.csv")
    assert table[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Lesson 2 (200)"]
    assert table[1] == ["    Points Possible", "", "", "", "", "9"]
    assert sorted(table[2:]) == [["doejohn", "4711", "", "", "", "3"], ["musterclara", "4712", "", "", "", "9"]]


def test_canvas_with_its_gradebook_keeps_rows_and_fills_one_column(out, tmp_path):
    given = tmp_path / "given.csv"
    given.write_text(CANVAS)
    command = ["export", "canvas", str(out), "--lesson", "02", "--gradebook", str(given), "--assignment", "Lesson 2"]
    assert main(command) == 0
    table = rows(out / "canvas" / "grades.csv")
    assert table[0][:5] == CANVAS.splitlines()[0].split(",")[:5]
    assert [row[5] for row in table] == ["Lesson 2 (200)", "9", "3", "9", "2", ""]
    assert [row[0] for row in table[2:4]] == ["Doe, John", "Muster, Clara"]
    given.write_text(CANVAS.replace(",", ";").replace('"Doe; John"', '"Doe, John"'))
    assert main(command) == 0
    assert rows(out / "canvas" / "grades.csv", ";")[2] == ["Doe, John", "4711", "s1", "jdoe", "A", "3"]


def test_canvas_finds_who_may_have_each_feedback_file(out):
    """Canvas splits a name at its underscores; the first two numbers are the student's and the handed-in file's."""
    main(["export", "canvas", str(out), "--lesson", "02"])
    with zipfile.ZipFile(out / "canvas" / "feedback.zip") as archive:
        found = {tuple(re.findall(r"(?<=_)\d+(?=_)", name)[:2]): archive.read(name) for name in archive.namelist()}
    assert found == {("4711", "900001"): b"<p>doejohn_4711</p>", ("4712", "900002"): b"<p>musterclara_4712</p>"}
    table = rows(out / "canvas" / "files.csv")
    assert table[0] == ["student", "file", "in feedback.zip"]
    assert ["doejohn_4711", "feedback/john.html", "doejohn_LATE_4711_900001_feedback.html"] in table


def moodle_owner(path):
    """Whose file Moodle takes it to be: fullname_number_plugintype_pluginname."""
    _, number, kind, plugin, *_ = path.split("/")[0].split("_", 4)
    assert (kind, plugin) == ("assignsubmission", "file")
    return int(number)


def test_moodle_without_its_worksheet_has_the_columns_that_moodle_needs(out):
    assert main(["export", "moodle", str(out), "--lesson", "02"]) == 0
    head, *table = rows(out / "moodle" / "grades.csv")
    assert {"Identifier", "Grade", "Last modified (grade)"} <= set(head)
    assert sorted(row[:4] for row in table) == [
        ["Participant 4711", "doejohn", "3", "9"],
        ["Participant 4712", "musterclara", "9", "9"],
    ]
    with zipfile.ZipFile(out / "moodle" / "feedback.zip") as archive:
        found = {moodle_owner(name): archive.read(name) for name in archive.namelist()}
    assert found == {4711: b"<p>doejohn_4711</p>", 4712: b"<p>musterclara_4712</p>"}


def test_moodle_with_its_worksheet_changes_grades_alone(out, tmp_path):
    given = tmp_path / "given.csv"
    given.write_text(MOODLE)
    assert main(["export", "moodle", str(out), "--lesson", "02", "--worksheet", str(given)]) == 0
    before, after = rows(given), rows(out / "moodle" / "grades.csv")
    grade = before[0].index("Grade")
    assert [row[grade] for row in after] == ["Grade", "3", "9", ""]
    assert [row[:grade] + row[grade + 1 :] for row in before] == [row[:grade] + row[grade + 1 :] for row in after]
    with zipfile.ZipFile(out / "moodle" / "feedback.zip") as archive:
        assert [moodle_owner(name) for name in sorted(archive.namelist())] == [4712, 4711]


def test_who_is_not_known_there_is_named_and_gets_nobodys_grade(tmp_path, capsys):
    results = [a_result("John Doe", "a", 2), a_result("Doe", "b", 4), a_result("nseen", "c", 4)]
    out = finished(tmp_path / "out", results)
    given = tmp_path / "given.csv"
    given.write_text(CANVAS + '"Doe, Jane",4715,s5,doe2,B,,,,\n')
    command = ["export", "canvas", str(out), "--lesson", "02", "--gradebook", str(given), "--assignment", "Lesson 2"]
    assert main(command) == 1
    assert "not known: Doe\n" in capsys.readouterr().err
    assert [row[5] for row in rows(out / "canvas" / "grades.csv")][2:] == ["3", "3", "9", "", ""]
    assert main(["export", "canvas", str(out)]) == 1
    assert "not known: John Doe, Doe, nseen" in capsys.readouterr().err


def test_a_row_is_one_students(tmp_path, capsys):
    """John handed in through Canvas; somebody put a file of the same name beside it."""
    out = finished(tmp_path / "out", [a_result("John Doe", "a", 0), a_result("doejohn_4711", "b", 4)])
    given = tmp_path / "given.csv"
    given.write_text(CANVAS)
    command = ["export", "canvas", str(out), "--lesson", "02", "--gradebook", str(given), "--assignment", "Lesson 2"]
    assert main(command) == 1
    assert "not known: John Doe\n" in capsys.readouterr().err
    assert rows(out / "canvas" / "grades.csv")[2][5] == "9"
    given.write_text(MOODLE)
    assert main(["export", "moodle", str(out), "--lesson", "02", "--worksheet", str(given)]) == 1
    assert rows(out / "moodle" / "grades.csv")[1][4] == "9"


def test_points_that_are_not_those_of_the_platform_are_refused_or_scaled(out, tmp_path, capsys):
    given = tmp_path / "given.csv"
    given.write_text(MOODLE.replace("9.00", "100.00"))
    command = ["export", "moodle", str(out), "--lesson", "02", "--worksheet", str(given)]
    assert main(command) == 2
    assert "100 points, and here it has 9" in capsys.readouterr().err
    assert not (out / "moodle").exists()
    assert main([*command, "--scale"]) == 0
    assert [row[4] for row in rows(out / "moodle" / "grades.csv")][1:3] == ["33.3333", "100"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["canvas", "{out}", "--lesson", "03"], "no results of 03_normalization"),
        (["canvas", "{out}", "--lesson", "99"], "99"),
        (["canvas", "{out}/results"], "holds no finished run"),
        (["canvas", "{out}", "--gradebook", "{out}/nothing"], "cannot be read"),
        (["canvas", "{out}", "--gradebook", "{out}/gradebook.csv"], "no columns Student, ID and Section"),
        (["canvas", "{out}", "--gradebook", "{given}", "--assignment", "X"], "there are: Essay (100), Lesson 2 (200)"),
        (["moodle", "{out}", "--worksheet", "{given}"], "no column 'Identifier'"),
    ],
)
def test_what_is_wrong_is_one_line(out, tmp_path, capsys, arguments, words):
    (tmp_path / "given.csv").write_text(CANVAS)
    places = {"out": out, "given": tmp_path / "given.csv"}
    assert main(["export", *(each.format(**places) for each in arguments)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (out / "canvas").exists()


def test_a_run_that_was_stopped_is_not_handed_over(out, capsys):
    (out / UNFINISHED).write_text("")
    assert main(["export", "canvas", str(out)]) == 2
    assert "was stopped; let the same bnlib grade command end first" in capsys.readouterr().err


def test_a_name_is_no_formula(tmp_path):
    evil = replace(a_result("=cmd()_4711", "a", 2), slug="x")
    out = finished(tmp_path / "out", [evil])
    for platform in ("canvas", "moodle"):
        assert main(["export", platform, str(out)]) == 0
        for name in ("grades.csv", "files.csv"):
            assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows(out / platform / name) for cell in row)
        shutil.rmtree(out / platform)
