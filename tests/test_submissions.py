"""A folder of submissions: every file becomes a notebook or a reason, never an exception, and nothing is unpacked."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import zipfile
from datetime import datetime, timezone
from pathlib import Path

import pytest

from bnlib.grading import submissions
from bnlib.grading.files import write
from bnlib.grading.submissions import FolderError, collect

ROOT = Path(__file__).parent.parent


def notebook(lesson="translation", exercise="center", body="return h"):
    """The text of a small notebook that fills one exercise."""
    source = f"@fill({lesson}.{exercise})\ndef {exercise}(h):\n    {body}"
    cell = {
        "cell_type": "code",
        "id": exercise,
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]})


def one(folder):
    (submission,) = collect(folder).submissions
    return submission


def test_a_file_a_folder_and_a_zip_are_a_student_each(tmp_path):
    (tmp_path / "anna.ipynb").write_text(notebook())
    (tmp_path / "ben" / "work").mkdir(parents=True)
    (tmp_path / "ben" / "work" / "x.ipynb").write_text(notebook())
    with zipfile.ZipFile(tmp_path / "cy.zip", "w") as archive:
        archive.writestr("deep/in/here.ipynb", notebook())
    found = collect(tmp_path)
    assert [s.student for s in found.submissions] == ["anna", "ben", "cy"]
    for submission in found.submissions:
        assert list(submission.notebooks) == ["02_translation"]
        assert "center" in [cell.exercise for cell in submission.notebooks["02_translation"].read().cells]
        assert not submission.reasons
        assert not submission.notes


def test_what_is_hidden_or_no_submission_is_passed_over(tmp_path):
    for name in (".hidden.ipynb", "roster.csv"):
        (tmp_path / name).write_text("x")
    for folder in (".ipynb_checkpoints", "__MACOSX", "anna/.ipynb_checkpoints"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "old.ipynb").write_text("{")
    (tmp_path / "anna" / "02.ipynb").write_text(notebook())
    with zipfile.ZipFile(tmp_path / "ben.zip", "w") as archive:
        archive.writestr("02.ipynb", notebook())
        archive.writestr("__MACOSX/._02.ipynb", "x")
        archive.writestr(".ipynb_checkpoints/02.ipynb", "x")
    found = collect(tmp_path)
    assert [(s.student, s.reasons) for s in found.submissions] == [("anna", []), ("ben", [])]
    assert found.ignored == ("roster.csv",)


def test_the_newest_of_several_counts_and_it_is_said(tmp_path):
    folder = tmp_path / "anna"
    folder.mkdir()
    for name, age in (
        ("02_translation.ipynb", 50),
        ("02_translation (10).ipynb", 10),
        ("02_translation (9).ipynb", 10),
    ):
        (folder / name).write_text(notebook(body=f"return h  # {name}"))
        os.utime(folder / name, (1e9 - age, 1e9 - age))
    submission = one(tmp_path)
    assert submission.notebooks["02_translation"].label == "anna/02_translation (10).ipynb"
    assert submission.notes == [
        "anna/02_translation.ipynb: passed over, anna/02_translation (9).ipynb is newer (02_translation)",
        "anna/02_translation (9).ipynb: passed over, anna/02_translation (10).ipynb is newer (02_translation)",
    ]


def test_a_file_and_a_folder_of_one_name_are_one_student(tmp_path):
    (tmp_path / "anna").mkdir()
    (tmp_path / "anna" / "a.ipynb").write_text(notebook())
    (tmp_path / "anna.ipynb").write_text("{")
    submission = one(tmp_path)
    assert list(submission.notebooks) == ["02_translation"]
    assert len(submission.reasons) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"cells": [', "breaks off or is damaged"),
        (b"\xff\xfe\x00", "is not UTF-8"),
        (b"[" * 100_000, "is not a notebook"),
        (b"{}", "not a notebook"),
        (json.dumps({"nbformat": 3, "cells": []}).encode(), "format 3"),
        (json.dumps({"nbformat": 4, "cells": []}).encode(), "none of this course's lessons"),
        (b"", "breaks off or is damaged"),
    ],
)
def test_an_unreadable_file_is_a_submission_with_a_reason(tmp_path, content, words):
    (tmp_path / "anna.ipynb").write_bytes(content)
    submission = one(tmp_path)
    assert not submission.notebooks
    assert words in submission.reasons[0]
    assert submission.reasons[0].startswith("anna.ipynb: ")
    assert "\n" not in submission.reasons[0]


def test_a_folder_without_a_notebook_says_so(tmp_path):
    (tmp_path / "anna").mkdir()
    (tmp_path / "anna" / "essay.pdf").write_text("x")
    assert one(tmp_path).reasons == ["anna: holds no notebook (a file that ends in .ipynb)"]


def test_a_project_beside_lessons_is_passed_over_and_alone_it_says_who_reads_it(tmp_path):
    project = (ROOT / "notebooks" / "projects" / "sync.ipynb").read_text(encoding="utf-8")
    for name in ("anna", "ben"):
        (tmp_path / name / "projects").mkdir(parents=True)
        (tmp_path / name / "projects" / "sync.ipynb").write_text(project, encoding="utf-8")
    (tmp_path / "anna" / "02.ipynb").write_text(notebook())
    anna, ben = collect(tmp_path).submissions
    assert list(anna.notebooks) == ["02_translation"]
    assert not anna.reasons
    assert not anna.notes
    assert ben.reasons == ["sync.ipynb: is a project's notebook, which a person reads; there is nothing to grade in it"]


def test_links_pipes_and_large_files_are_not_opened(tmp_path, monkeypatch):
    solution = tmp_path / "solution.txt"
    solution.write_text(notebook())
    folder = tmp_path / "in"
    (folder / "ben").mkdir(parents=True)
    (folder / "anna.ipynb").symlink_to(solution)
    (folder / "ben" / "02.ipynb").symlink_to(solution)
    os.mkfifo(folder / "cy.ipynb")
    (folder / "dee").symlink_to(tmp_path)
    monkeypatch.setattr(submissions, "MAX_NOTEBOOK", 1000)
    (folder / "eve.ipynb").write_text(notebook() + " " * 1000)
    found = {s.student: s for s in collect(folder).submissions}
    assert not any(s.notebooks for s in found.values())
    words = {
        "anna": "is a link",
        "ben": "is a link",
        "cy": "not an ordinary file",
        "dee": "is a link",
        "eve": "larger than",
    }
    for name, word in words.items():
        assert word in found[name].reasons[0]


def test_a_zip_writes_nothing_whatever_its_names_say(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    with zipfile.ZipFile(folder / "anna.zip", "w") as archive:
        archive.writestr("../../escaped.ipynb", notebook())
        archive.writestr("/etc/absolute.ipynb", notebook("translation", "center", "return 2"))
        link = zipfile.ZipInfo("link.ipynb")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    before = set(tmp_path.rglob("*"))
    submission = one(folder)
    assert set(tmp_path.rglob("*")) == before
    assert ".." not in submission.notebooks["02_translation"].label
    assert not submission.reasons


def test_zip_bombs_and_damaged_zips_are_reasons(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.ipynb", b" " * 60_000_000)
    with zipfile.ZipFile(tmp_path / "liar.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.ipynb", b" " * 30_000_000)
    with zipfile.ZipFile(tmp_path / "many.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(300):
            archive.writestr(f"{number}.ipynb", "{")
    with zipfile.ZipFile(tmp_path / "odd.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.ipynb", notebook())
    (tmp_path / "cut.zip").write_bytes((tmp_path / "many.zip").read_bytes()[:-100])
    (tmp_path / "text.zip").write_text("not a zip")
    liar = (tmp_path / "liar.zip").read_bytes()
    size = (30_000_000).to_bytes(4, "little")
    (tmp_path / "liar.zip").write_bytes(liar.replace(size, (1000).to_bytes(4, "little")))
    found = {s.student: s for s in collect(tmp_path).submissions}
    words = {
        "bomb": "unpacks to more than",
        "liar": "a.ipynb: ",
        "many": "0.ipynb: ",
        "odd": "packed in a way",
        "cut": "damaged",
        "text": "is not a zip file",
    }
    for name, word in words.items():
        assert word in found[name].reasons[0], found[name].reasons[0]
        assert len(found[name].reasons) <= submissions.MAX_FILES + 1


def test_a_zip_with_a_password_is_a_reason(tmp_path):
    with zipfile.ZipFile(tmp_path / "anna.zip", "w") as archive:
        archive.writestr("a.ipynb", notebook())
    data = bytearray((tmp_path / "anna.zip").read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "anna.zip").write_bytes(data)
    assert "password" in one(tmp_path).reasons[0]


def test_every_student_has_a_file_name_of_their_own(tmp_path):
    names = ["a b", "a_b", "ünï", "=cmd", "A_B", "日本"]
    for name in names:
        (tmp_path / f"{name}.ipynb").write_text(notebook())
    slugs = [s.slug.casefold() for s in collect(tmp_path).submissions]
    assert len(set(slugs)) == len(slugs) == 6
    assert all(slug and "/" not in slug and not slug.startswith(".") for slug in slugs)


def test_no_student_gets_the_file_name_of_another(tmp_path):
    hashed = hashlib.sha256(b"bob!").hexdigest()
    names = ["bob!", *(f"bob-{hashed[:length]}" for length in (8, 16)), "ann", "ANN", "ann-0123456789abcdef"]
    for name in names:
        (tmp_path / f"{name}.ipynb").write_text(notebook())
    slugs = [s.slug.casefold() for s in collect(tmp_path).submissions]
    assert len(set(slugs)) == len(slugs) == len(names)
    assert (
        next(s.slug for s in collect(tmp_path).submissions if s.student == f"bob-{hashed[:8]}") == f"bob-{hashed[:8]}"
    )


def test_the_longest_names_there_are_fit_with_all_that_is_added_to_them(tmp_path):
    for name in ("\u5f20" * 83, "\U00020000" * 62, "x" * 249):
        (tmp_path / f"{name}.ipynb").write_text(notebook())
    for submission in collect(tmp_path).submissions:
        assert len(submission.slug.encode()) <= 120
        write(tmp_path / f"{submission.slug}.json", "{}")


def test_a_zip_with_many_entries_is_read_once(tmp_path):
    with zipfile.ZipFile(tmp_path / "anna.zip", "w") as archive:
        for number in range(3000):
            archive.writestr(f"venv/{number}.py", "")
        for number in range(50):
            archive.writestr(f"{number}.ipynb", notebook(body=f"return h + {number}"))
    opened = []
    real = zipfile.ZipFile.__init__

    def counted(self, *args, **kwargs):
        opened.append(args)
        real(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "__init__", counted)
        assert len(one(tmp_path).notes) == 49
    assert len(opened) == 1


def test_what_cannot_be_graded_at_all_is_one_line(tmp_path):
    for path, words in (
        (tmp_path / "none", "is not there"),
        (tmp_path, "holds no submission"),
        (tmp_path / "f", "not a folder"),
    ):
        (tmp_path / "f").touch()
        with pytest.raises(FolderError, match=words) as caught:
            collect(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_renamed_later_file_counts_over_one_in_a_zip(tmp_path):
    """Dates in zip files and of files are on one scale."""
    with zipfile.ZipFile(tmp_path / "anna.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("02_translation.ipynb", (2025, 5, 1, 12, 0, 0)), notebook())
        archive.writestr(zipfile.ZipInfo("when.ipynb", (1980, 0, 0, 0, 0, 0)), notebook("gates", "minus_mean"))
    os.utime(tmp_path / "anna.zip", (datetime(2025, 5, 1, 13).timestamp(),) * 2)
    loose = tmp_path / "anna.ipynb"
    loose.write_text(notebook(body="return 2"))
    os.utime(loose, (datetime(2025, 5, 2).timestamp(),) * 2)
    submission = one(tmp_path)
    assert submission.notebooks["02_translation"].label == "anna.ipynb"
    assert submission.notes == ["anna.zip/02_translation.ipynb: passed over, anna.ipynb is newer (02_translation)"]


def test_what_canvas_and_moodle_pack_is_one_student_each(tmp_path):
    for name, lesson, exercise in (
        ("doedan_4711_900001_01_chain_rule.ipynb", "chain_rule", "total_derivative"),
        ("doedan_LATE_4711_900002_02_translation-1.ipynb", "translation", "center"),
        ("doedan_4712_900003_02_translation.ipynb", "translation", "center"),
        ("anna_02_translation.ipynb", "translation", "center"),
    ):
        (tmp_path / name).write_text(notebook(lesson, exercise))
    moodle = tmp_path / "Clara Muster_1234567_assignsubmission_file"
    moodle.mkdir()
    (moodle / "x.ipynb").write_text(notebook())
    found = {s.student: list(s.notebooks) for s in collect(tmp_path).submissions}
    assert found == {
        "Clara Muster_1234567": ["02_translation"],
        "anna_02_translation": ["02_translation"],
        "doedan_4711": ["01_chain_rule", "02_translation"],
        "doedan_4712": ["02_translation"],
    }


def test_a_name_never_makes_a_submission_another_students(tmp_path):
    """Who may choose the name of a file, or of an account, reaches nobody else's row with it."""
    (tmp_path / "Clara Muster_1234567_assignsubmission_file").mkdir()
    for name in (
        "Clara Muster_1234567_999_1111111_assignsubmission_file",  # has the form of Canvas's too
        "Clara Muster_1234567_assignsubmission_file_2222222_assignsubmission_file",
        "x_3333333_assignsubmission_file_Clara Muster_1234567_assignsubmission_file",
    ):
        (tmp_path / name).mkdir()
    for path in tmp_path.iterdir():
        (path / "x.ipynb").write_text(notebook())
    (tmp_path / "Clara Muster_1234567_900001_02.ipynb").write_text(notebook(body="return 2"))
    found = {s.student: s for s in collect(tmp_path).submissions}
    assert len(found) == 5
    assert "Clara Muster_1234567_999_1111111" in found
    assert found["Clara Muster_1234567"].notes == []


def test_files_that_moodle_packs_without_folders_are_the_students(tmp_path):
    (tmp_path / "Clara Muster_1234567_assignsubmission_file_my work (2).ipynb").write_text(notebook())
    assert one(tmp_path).student == "Clara Muster_1234567"


def test_canvas_says_late(tmp_path):
    (tmp_path / "doedan_LATE_4711_900002_02_translation-1.ipynb").write_text(notebook())
    (tmp_path / "roe_4712_900003_02_translation.ipynb").write_text(notebook())
    found = {s.student: s.notebooks["02_translation"].marked_late for s in collect(tmp_path).submissions}
    assert found == {"doedan_4711": True, "roe_4712": False}


def test_of_the_dates_of_a_zip_and_in_it_the_later_counts(tmp_path):
    """What stands inside is the student's to write."""
    with zipfile.ZipFile(tmp_path / "anna.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("02_translation.ipynb", (2001, 1, 1, 0, 0, 0)), notebook())
    os.utime(tmp_path / "anna.zip", (1e9, 1e9))
    file = one(tmp_path).notebooks["02_translation"]
    assert (file.modified, file.stated) == (1e9, datetime(2001, 1, 1).timestamp())


def test_in_one_zip_the_newer_of_two_counts(tmp_path):
    with zipfile.ZipFile(tmp_path / "anna.zip", "w") as archive:
        for name, day in (("b.ipynb", 1), ("a.ipynb", 2)):
            archive.writestr(zipfile.ZipInfo(name, (2025, 5, day, 0, 0, 0)), notebook(body=f"return {day}"))
    assert one(tmp_path).notebooks["02_translation"].label == "anna.zip/a.ipynb"


NBGRADER = "2025-05-02 10:00:00.123456 UTC"
HANDED = datetime(2025, 5, 2, 10, tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize(
    ("text", "handed"),
    [
        (NBGRADER, HANDED),
        ("2025-05-02T10:00:00.123456\n", HANDED),
        ("2025-05-02 12:00:00.5 +0200", HANDED),
        ("2025-05-02 11:00:00 Etc/GMT-1", None),
        ("2025-02-30 10:00:00 UTC", None),
        ("2025-05-02 10:00:00 nowhere", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_when_nbgrader_collected_counts(tmp_path, text, handed):
    """``submitted/STUDENT/ASSIGNMENT/``, as ``nbgrader collect`` makes it."""
    folder = tmp_path / "submitted" / "anna" / "week-2"
    folder.mkdir(parents=True)
    (folder / "02.ipynb").write_text(notebook())
    os.utime(folder / "02.ipynb", (1e9, 1e9))
    (folder / "timestamp.txt").write_text(text)
    file = one(tmp_path / "submitted").notebooks["02_translation"]
    assert (file.modified, file.stated) == (handed or 1e9, handed)


def test_what_nbgrader_says_makes_nothing_earlier(tmp_path):
    """It stands among the student's files, where a student can write it too."""
    folder = tmp_path / "anna" / "02"
    folder.mkdir(parents=True)
    (folder / "02.ipynb").write_text(notebook())
    os.utime(folder / "02.ipynb", (2e9, 2e9))
    (folder / "timestamp.txt").write_text(NBGRADER)
    file = one(tmp_path).notebooks["02_translation"]
    assert (file.modified, file.stated) == (2e9, HANDED)
    (folder / "timestamp.txt").unlink()
    os.mkfifo(folder / "timestamp.txt")
    assert one(tmp_path).notebooks["02_translation"].stated is None


def test_folders_of_nbgraders_exchange_are_the_students(tmp_path):
    for name, answer in (
        ("anna+week 2+2025-05-01 10:00:00.000001 UTC+ab-_cd12EF34", "return 1"),
        ("anna+week 2+2025-05-02 10:00:00.000001 UTC+zzzzzzzzzzzz", "return 2"),
        ("ben+jr+week 2+2025-05-02 10:00:00.000001 UTC", "return 3"),
        ("c+plus+plus", "return 4"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "02.ipynb").write_text(notebook(body=answer))
        os.utime(tmp_path / name / "02.ipynb", (1e9, 1e9))
    found = {s.student: s for s in collect(tmp_path).submissions}
    assert list(found) == ["anna", "ben+jr", "c+plus+plus"]
    newest = found["anna"].notebooks["02_translation"]
    assert b"return 2" in newest.content()
    assert newest.modified == HANDED
    assert newest.earlier == HANDED - 86400
    assert [note.split(":")[0] for note in found["anna"].notes] == ["anna+week 2+2025-05-01 10"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_folder_of_another_account_in_the_exchange_is_said(tmp_path):
    for student in ("daemon", "anna"):
        folder = tmp_path / f"{student}+02+{NBGRADER}+zzzzzzzzzzzz"
        folder.mkdir()
        (folder / "02.ipynb").write_text(notebook())
        shutil.chown(folder, "daemon")
    found = {s.student: s.notes for s in collect(tmp_path).submissions}
    assert found["daemon"] == []
    assert [note.partition(": ")[2] for note in found["anna"]][0].endswith("belongs to the account daemon")


def test_who_is_on_the_roster_and_handed_in_nothing_is_there(tmp_path):
    (tmp_path / "anna.ipynb").write_text(notebook())
    (tmp_path / "guest.ipynb").write_text(notebook())
    found = {s.student: s for s in collect(tmp_path, ("anna", "ben")).submissions}
    assert list(found) == ["anna", "ben", "guest"]
    assert found["ben"].reasons == ["handed in nothing"]
    assert found["guest"].notes == ["is not on the roster"]


def test_a_file_that_the_system_refuses_is_the_graders_fault(tmp_path, monkeypatch):
    for name in ("anna", "ben"):
        (tmp_path / f"{name}.ipynb").write_text(notebook())
    opened = type(tmp_path).open

    def refuse(path, *args):
        if path.name == "anna.ipynb":
            raise PermissionError(13, "Permission denied")
        return opened(path, *args)

    monkeypatch.setattr(type(tmp_path), "open", refuse)
    found = {s.student: s for s in collect(tmp_path).submissions}
    assert found["anna"].faults == found["anna"].reasons == ["anna.ipynb: cannot be read (Permission denied)"]
    assert found["ben"].notebooks
    assert not found["ben"].faults
