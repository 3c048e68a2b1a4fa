"""A whole class in one zip file: the same students as in the unpacked folder, nothing left behind, nothing outside."""

from __future__ import annotations

import zipfile
from datetime import datetime, timezone

import pytest

from bnlib.cli import main
from bnlib.grading.course import Course
from bnlib.grading.submissions import FolderError, collect
from bnlib.grading.unpacking import unpacked

EXAMPLES = Course().root / "examples" / "submissions"
NOTEBOOK = (EXAMPLES / "all-right.ipynb").read_bytes()
CANVAS = {
    "doejohn_LATE_4711_900001_02_translation-1.ipynb": NOTEBOOK,
    "musterclara_4712_900002_homework.zip": (EXAMPLES / "several-files.zip").read_bytes(),
    "readme_4713_900003_essay.pdf": b"%PDF",
    "../../outside_4714_900004_x.ipynb": NOTEBOOK,
}
MOODLE = {"Clara Muster_1234567_assignsubmission_file/a b.ipynb": NOTEBOOK, "__MACOSX/x.ipynb": b""}


def packed(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 11, 20, 18, 30, 0)), content)
    return path


def students(folder):
    with unpacked(folder) as there:
        assert all(path.resolve().is_relative_to(there.resolve()) for path in there.rglob("*"))
        return {each.student: sorted(each.notebooks) for each in collect(there).submissions}, there


def test_a_class_of_canvas_and_one_of_moodle(tmp_path):
    found, there = students(packed(tmp_path / "submissions.zip", CANVAS))
    assert found.keys() == {"doejohn_4711", "musterclara_4712", "outside_4714"}
    assert found["doejohn_4711"] == ["02_translation"]
    assert len(found["musterclara_4712"]) >= 1
    assert not there.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["submissions.zip"]
    found, there = students(packed(tmp_path / "submissions.zip", MOODLE))
    assert found == {"Clara Muster_1234567": ["02_translation"]}


def test_a_class_of_nbgrader_keeps_its_times(tmp_path):
    files = {"anna/02/02.ipynb": NOTEBOOK, "anna/02/timestamp.txt": b"2030-05-02 10:00:00.123456 UTC"}
    with unpacked(packed(tmp_path / "submitted.zip", files)) as there:
        (anna,) = collect(there).submissions
        assert anna.notebooks["02_translation"].stated == datetime(2030, 5, 2, 10, tzinfo=timezone.utc).timestamp()


def test_the_command_takes_a_zip_for_a_folder(tmp_path, capsys):
    packed(tmp_path / "submissions.zip", CANVAS)
    out = tmp_path / "out"
    command = [
        "grade",
        str(tmp_path / "submissions.zip"),
        "--out",
        str(out),
        "--lesson",
        "02",
        "--no-nbval",
        "--jobs",
        "1",
    ]
    assert main(command) == 0
    assert "3 graded" in capsys.readouterr().out
    assert (out / "feedback" / "doejohn_4711.html").is_file()
    assert main(["export", "canvas", str(out)]) == 0
    with zipfile.ZipFile(out / "canvas" / "feedback.zip") as archive:
        assert "doejohn_LATE_4711_900001_feedback.html" in archive.namelist()


def test_a_folder_that_was_packed_again_and_a_zip_without_submissions(tmp_path):
    again = {f"class/{name}": content for name, content in {**CANVAS, **MOODLE}.items() if ".." not in name}
    found, _ = students(packed(tmp_path / "class.zip", again))
    assert found.keys() == {"doejohn_4711", "musterclara_4712", "Clara Muster_1234567"}
    with pytest.raises(FolderError, match=r"slides\.zip: holds no submission"):
        students(packed(tmp_path / "slides.zip", {"week1.pdf": b"%PDF"}))


def test_dates_are_kept(tmp_path):
    with unpacked(packed(tmp_path / "submissions.zip", CANVAS)) as there:
        (first, *_) = collect(there).submissions
        assert first.notebooks["02_translation"].modified == datetime(2026, 11, 20, 18, 30).timestamp()


def test_a_folder_is_itself_and_a_damaged_zip_is_one_line(tmp_path):
    with unpacked(EXAMPLES) as there:
        assert there == EXAMPLES
    path = packed(tmp_path / "submissions.zip", CANVAS)
    content = bytearray(path.read_bytes())
    content[2000:2100] = b"\0" * 100
    path.write_bytes(content)
    with pytest.raises(FolderError, match="damaged zip file") as told, unpacked(path):
        pass
    assert "\n" not in str(told.value)
