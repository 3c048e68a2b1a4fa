"""Gradescope: the zip to upload as an autograder, and ``results.json`` in the form that it reads.

On Gradescope each submission is graded in a container of its own by ``run_autograder``, which calls ``bnlib gradescope
results``: the same grader, the same hidden tests, one student.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bnlib.grading import command
from bnlib.grading.course import Course, CourseError
from bnlib.grading.reports import words
from bnlib.grading.result import NOT_GRADED, RIGHT, Result
from bnlib.grading.rules import NAME, RulesError, secret_seed
from bnlib.stubs import Lesson, lesson_of, lessons

SETUP = """#!/usr/bin/env bash
set -euo pipefail
apt-get update
apt-get install -y python3 python3-venv
cd "${AUTOGRADER:-/autograder}/source"
python3 -m venv ../venv
../venv/bin/pip install -q -c constraints.txt -e '.[grade]'
chmod -R go= solutions tests course.toml  # answers run as another user
"""
"""Run once, as root, when the zip is uploaded. Gradescope's folder is ``/autograder``; elsewhere it can be named."""

RUN = """#!/usr/bin/env bash
cd "${{AUTOGRADER:-/autograder}}/source"
exec ../venv/bin/bnlib gradescope results ../submission --out ../results/results.json {lessons}
"""
"""Run for each submission, as root."""

FILES = ("pyproject.toml", "constraints.txt", "README.md", "LICENSE", "LICENSE-text", "tests/hidden/conftest.py")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be said on the command line."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    pack = actions.add_parser("zip", help="build the autograder's zip file")
    pack.add_argument("--out", type=Path, default=Path("autograder.zip"), help="file to write (default autograder.zip)")
    pack.add_argument("--lesson", action="append", default=[], metavar="KEY", help="lesson to grade; may be repeated")
    command.add_course(pack)
    pack.set_defaults(run=_zip)
    results = actions.add_parser("results", help="grade one submission and write results.json (on Gradescope)")
    results.add_argument("folder", type=Path, help="what was handed in")
    results.add_argument("--out", type=Path, required=True, help="results.json")
    results.add_argument(
        "--lesson", action="append", default=[], metavar="KEY", help="lesson to grade; may be repeated"
    )
    results.add_argument(
        "--seed", type=command.seed, help="decides the hidden inputs (default: that of course.toml, or a secret)"
    )
    results.add_argument("--no-nbval", action="store_true", help="do not run the notebook from top to bottom")
    results.set_defaults(run=_results)


def _zip(arguments: argparse.Namespace) -> int:
    try:
        course = Course(arguments.course) if arguments.course else Course()
        names = build_zip(arguments.out, [lesson_of(key) for key in arguments.lesson], course)
    except (KeyError, RulesError, CourseError) as error:
        print(f"bnlib gradescope: {error.args[0]}", file=sys.stderr)
        return 2
    print(f"packed {len(names)} files into {arguments.out}: upload it as the assignment's autograder")
    return 0


def build_zip(out: Path, chosen: Sequence[Lesson] = (), course: Course | None = None) -> list[str]:
    """Pack all that grading needs, and nothing else.

    Args:
        out: The zip file.
        chosen: Lessons to grade; by default those that ``course.toml`` names, else those of which a notebook is handed in.
        course: The course.

    Returns:
        The names in it.

    Raises:
        CourseError: Something that grading needs is not there; nothing is written.
    """
    course = course or Course()
    root, rules = course.root, course.rules()
    chosen = chosen or [lesson_of(key) for key in rules.lessons]
    wanted = [root / name for name in FILES]
    wanted += sorted((root / "bnlib").rglob("*"))
    wanted += [course.hidden(lesson) for lesson in chosen or lessons()]
    wanted += [course.solution(lesson) for lesson in lessons()]  # a lesson may build on any earlier one
    lacking = [path for path in (root / "bnlib" / "cli.py", *wanted) if not path.exists()]
    if lacking:
        raise CourseError(
            f"{lacking[0]}: is not there, so this zip could not grade; run in the folder of a full copy of the course, "
            "or name it with --course"
        )
    if rules.seed is None:
        rules = replace(rules, seed=secret_seed(out))
    run = RUN.format(lessons=" ".join(f"--lesson {lesson.key}" for lesson in chosen)).replace(" \n", "\n")
    names = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (("setup.sh", SETUP), ("run_autograder", run), (NAME, rules.public())):
            info = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
            info.external_attr = 0o100755 << 16
            archive.writestr(info, text)
            names.append(name)
        for path in wanted:
            if path.is_file() and "__pycache__" not in path.parts:
                info = zipfile.ZipInfo(path.relative_to(root).as_posix(), (2024, 1, 1, 0, 0, 0))
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = 0o100644 << 16
                archive.writestr(info, path.read_bytes())
                names.append(info.filename)
    return names


def _results(arguments: argparse.Namespace) -> int:
    """Grade what was handed in as one student's, and write what Gradescope reads; a fault of ours is said there too."""
    from bnlib.grading.batch import Settings
    from bnlib.grading.files import write
    from bnlib.grading.grade import grade

    settings = Settings(seed=arguments.seed, nbval=not arguments.no_nbval)
    try:
        rules = settings.course.rules()
        if settings.seed is None:
            settings = replace(settings, seed=rules.seed if rules.seed is not None else secret_seed(arguments.out))
        with tempfile.TemporaryDirectory(prefix="bnlib-") as name:
            folder = Path(name, "in")
            folder.mkdir()
            _as_one_student(arguments.folder, folder / "submission.zip")
            grade(folder, Path(name, "out"), wanted=arguments.lesson, settings=settings, rules=rules)
            result = Result.from_json(json.loads(next(Path(name, "out", "results").glob("*.json")).read_text("utf-8")))
        text, code = results(result, rules.visibility), 0
    except Exception as error:
        words = f"The grader itself failed, which is no fault of yours: {type(error).__name__}: {error}"
        text, code = {"score": 0, "output": words, "output_format": "text", "tests": []}, 1
    write(arguments.out, json.dumps(text, indent=1, ensure_ascii=False))
    return code


def _as_one_student(folder: Path, target: Path) -> None:
    """Gather what was handed in into one zip file, which the grader reads like any other."""
    with zipfile.ZipFile(target, "w", strict_timestamps=False) as archive:  # some clocks say 1970, which zip cannot
        for path in sorted(folder.rglob("*.ipynb")) if folder.is_dir() else [folder]:
            if not path.is_symlink():
                archive.write(path, path.relative_to(folder).as_posix() if folder.is_dir() else path.name)


def results(result: Result, visibility: str = "visible") -> dict[str, Any]:
    """One student's result in the form that Gradescope reads.

    Every test names the exercise, its points and the diagnosis, and is shown when ``visibility`` says; hidden inputs appear
    nowhere. What concerns the teacher is in ``extra_data``, which students do not see.
    """
    tests = []
    for key, lesson in result.lessons.items():
        for number, each in enumerate(lesson.exercises, 1):
            if each.status == RIGHT:
                said = "Passes all hidden tests."
            elif each.status == NOT_GRADED:
                said = "This could not be graded; your teacher has been told."
            else:
                said = words.message(each) or lesson.reason or each.status
            tests.append(
                {
                    "name": f"{key}: {each.name}",
                    "number": f"{key[:2]}.{number}",
                    "score": each.score,
                    "max_score": each.points,
                    "status": "passed" if words.solved(each) else "failed",
                    "output": "\n".join(
                        [said, *words.failing(each), *each.remarks, *filter(None, [words.by_hand(each)])]
                    ),
                    "output_format": "text",
                    "visibility": visibility,
                }
            )
    notes = [*result.reasons, *result.notes]
    notes += [lesson.reason for lesson in result.lessons.values() if lesson.reason and lesson.reason not in notes]
    for key, lesson in result.lessons.items():
        notes += [f"{key}: {note}" for note in lesson.notes]
        if lesson.nbval and not lesson.nbval.passed:
            notes.append(f"{key}: run from top to bottom, the notebook does not do all that the solution does.")
    return {
        "score": result.score,
        "output": "\n".join(notes) or "Every notebook could be read.",
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {
            "flags": list(result.flags),
            "files": [file.to_json() for file in result.files],
            "isolation": sorted({lesson.isolation for lesson in result.lessons.values()} - {""}),
        },
        "tests": tests,
    }
