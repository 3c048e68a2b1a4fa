"""A teacher's week with 150 simulated students and four lessons: graded, killed twice, a lesson added, regraded, exported.

Each student is a strength; for each exercise one of the right or wrong answers of ``tests/answers/`` (or none) is put into the
released notebook. What came out is compared with what was put in, and with an undisturbed run; any difference ends with 1.

    python benchmarks/class_of_150.py [--students 150] [--jobs 4] [--no-nbval] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import copy
import csv
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from bnlib.grading.book import read_results
from bnlib.notebooks import parse
from bnlib.stubs import Lesson, lessons

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from answers import Program, collection  # noqa: E402

LESSONS = [lesson for lesson in lessons() if lesson.key < "05"]
DUE = 1_800_000_000
COURSE = """title = "A class of {students}"
roster = "roster.csv"
due = 2027-01-15T08:00:00Z
[late]
percent_per_day = 10
"""
POINTS = """[points.translation]
center = 2.5
center_jacobian = 0
"""


def main() -> int:
    arguments = _arguments()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="bnlib-class-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        wrong = _week(folder, arguments)
    finally:
        if not arguments.keep:
            shutil.rmtree(folder)
    for line in wrong:
        print(f"WRONG: {line}")
    return bool(wrong)


def _week(folder: Path, arguments: argparse.Namespace) -> list[str]:
    """The week, with its times on the way; returns what is not as it should be."""
    put = simulate(folder / "in", arguments.students)
    (folder / "roster.csv").write_text("student\n" + "".join(f"{name}\n" for name in (*put, "absent")))
    (folder / "course.toml").write_text(COURSE.format(students=arguments.students))
    first = [f"--lesson={lesson.key}" for lesson in LESSONS[:-1]]
    options = [f"--jobs={arguments.jobs}", *(["--no-nbval"] if arguments.no_nbval else [])]
    out, wrong = folder / "out", []
    began, processor = time.monotonic(), _processor()
    for share in (0.15, 0.5):
        kept = _killed(folder, out, [*first, *options], round(share * arguments.students))
        print(f"killed with {kept} of {arguments.students} students known, after {time.monotonic() - began:.0f} s")
    _, said = _run(folder, "grade", "in", "--out", "out", *first, *options)
    print(f"three lessons: {said}")
    seconds, said = _run(folder, "grade", "in", "--out", "out", f"--lesson={LESSONS[-1].key}", *options)
    print(f"a lesson added: {said}")
    count = sum(len(lesson) for lesson in put.values())
    print(
        f"{count} notebooks in {time.monotonic() - began:.0f} s of wall time, {_processor() - processor:.0f} s of processor, "
        "with both kills"
    )
    wrong += _compare(out, put)
    before = _totals(out)
    _run(folder, "grade", "in", "--out", "whole", *first, f"--lesson={LESSONS[-1].key}", options[0], "--no-nbval")
    if _totals(folder / "whole") != before:
        wrong.append("an undisturbed run has other totals")
    (folder / "course.toml").write_text(COURSE.format(students=arguments.students) + POINTS)
    seconds, said = _run(folder, "grade", "in", "--out", "out", "--force", *options)
    print(f"regraded after a change of points in {seconds:.1f} s: {said}")
    if f"{arguments.students} of them earlier" not in said:
        wrong.append("a change of points graded somebody again")
    wrong += _compare(out, put)
    if _totals(out) == before:
        wrong.append("a change of points changed nothing")
    wrong += _exported(folder)
    return wrong


def simulate(folder: Path, students: int, seed: int = 0) -> dict[str, dict[str, dict[str, str]]]:
    """Write what a class hands in; returns what stands in each answer by student, lesson and exercise: right, wrong, empty."""
    rng = random.Random(seed)
    answers = {lesson.key: _answers(lesson) for lesson in LESSONS}
    put: dict[str, dict[str, dict[str, str]]] = {}
    for number in range(students):
        name = f"student{number:03}"
        strength = rng.betavariate(3, 1)
        late = rng.random() < 0.1
        put[name], files = {}, {}
        for lesson in LESSONS:
            if lesson is LESSONS[-1] and rng.random() < 0.1:
                continue  # some hand in less
            put[name][lesson.key] = kinds = {each: _kind(rng.random(), strength) for each in lesson.stubs}
            right, wrong = answers[lesson.key]
            texts = {each: rng.choice(wrong[each]) for each, kind in kinds.items() if kind == "wrong"}
            if not texts and set(kinds.values()) == {"right"}:
                unusual = rng.choice([name for name in kinds if right[name]] or [""])
                texts = {unusual: rng.choice(right[unusual])} if unusual else {}
            files[f"{lesson.key}.ipynb"] = _notebook(lesson, kinds, texts)
        _hand_in(folder, name, files, DUE + 3600 * (1 if late else -1), number % 3 == 0)
    return put


def _kind(luck: float, strength: float) -> str:
    return "right" if luck < strength else "empty" if luck > 0.97 else "wrong"


def _answers(lesson: Lesson) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Right and wrong answers by exercise, of those that a decorator can stand above."""

    def texts(name: str, programs: Iterable[Program]) -> list[str]:
        return [each.text for each in programs if re.search(rf"^(def|class) {name}\b", each.text, re.MULTILINE)]

    found = collection(lesson)
    right = {name: texts(name, each.right()) for name, each in found.items()}
    last = list(found)[-1]  # nothing builds on it
    others = [rf"\b{name}\b" for name in (*list(found)[:-1], "cache")]
    right = {
        name: [] if name != last else [t for t in right[last] if not re.search("|".join(others), t)] for name in right
    }
    return right, {name: texts(name, each.wrong()) for name, each in found.items()}


def _notebook(lesson: Lesson, kinds: dict[str, str], texts: dict[str, str]) -> str:
    """The released notebook with texts in its answer cells; what is right and has no text of its own is the solution's."""
    document = copy.deepcopy(_parsed("notebooks", lesson.key))
    solved = {cell.get("id"): cell["source"] for cell in _parsed("solutions", lesson.key)["cells"]}
    for cell in document["cells"]:
        name = cell.get("id")
        if name in texts:
            text = texts[name].strip("\n")
            # what an answer needs beside its function stays above the decorator
            start = [found.start() for found in re.finditer(rf"^(def|class) {name}\b", text, re.MULTILINE)][-1]
            cell["source"] = f"{text[:start]}@fill({lesson.name}.{name})\n{text[start:]}"
        elif kinds.get(name) == "right":
            cell["source"] = solved[name]
    return json.dumps(document)


@cache
def _parsed(folder: str, key: str) -> Any:
    return parse(ROOT / folder / f"{key}.ipynb")


def _hand_in(folder: Path, name: str, files: dict[str, str], when: float, packed: bool) -> None:
    if packed:
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for file, text in files.items():
                archive.writestr(zipfile.ZipInfo(file, time.localtime(when)[:6]), text)
        os.utime(folder / f"{name}.zip", (when, when))
        return
    (folder / name).mkdir(parents=True)
    for file, text in files.items():
        (folder / name / file).write_text(text)
        os.utime(folder / name / file, (when, when))


def _compare(out: Path, put: dict[str, dict[str, dict[str, str]]]) -> list[str]:
    """What came out that was not put in: a wrong answer with points, a right one without where all it may build on is right."""
    wrong, counts = [], {"right": [0, 0], "wrong": [0, 0], "empty": [0, 0]}
    results = read_results(out)
    if set(results) != {*put, "absent"} != set(_totals(out)):
        wrong.append("the gradebook has other students")
    for name, handed in put.items():
        spoiled = False
        for key, kinds in handed.items():
            spoiled |= set(kinds.values()) != {"right"}
            for each in results[name].lessons[key].exercises:
                kind = kinds[each.name]
                counts[kind][0] += each.score > 0
                counts[kind][1] += each.points > 0
                if kind != "right" and each.score:
                    wrong.append(f"{name} has points for {key} {each.name}, which is {kind}")
                if kind == "right" and each.score < each.points and not spoiled:
                    wrong.append(f"{name} has no points for {key} {each.name}, and all is right up to there")
        flags = results[name].flags
        wrong += [f"{name} is all right and flagged: {flag}" for flag in flags if not spoiled]
    print("  earned points: " + ", ".join(f"{each[0]} of {each[1]} {kind} answers" for kind, each in counts.items()))
    return wrong


def _totals(out: Path) -> dict[str, str]:
    with (out / "gradebook.csv").open(encoding="utf-8") as file:
        return {row["student"]: row["total"] for row in csv.DictReader(file)}


def _exported(folder: Path) -> list[str]:
    """Fill the tables of Canvas and Moodle, as they hand them out: every student must have a grade there."""
    with (folder / "roster.csv").open(encoding="utf-8") as file:
        students = [row["student"] for row in csv.DictReader(file)]
    total = sum(stub.points for lesson in LESSONS for stub in lesson.stubs.values())
    tables = {
        "canvas": ("--gradebook", ["Student,ID,SIS User ID,SIS Login ID,Section,A week (1)", f"    Points Possible,,,,,{total}"]),
        "moodle": ("--worksheet", ["Identifier,Full name,Email address,Status,Grade,Maximum Grade,Last modified (grade)"]),
    }  # fmt: skip
    for number, name in enumerate(students):
        tables["canvas"][1].append(f"{name},{number},{name},{name},,")
        tables["moodle"][1].append(f"Participant {number},{name},,Submitted for grading,,{total},-")
    wrong = []
    for platform, (option, table) in tables.items():
        (folder / f"{platform}.csv").write_text("\n".join((*table, "")))
        more = ["--assignment", "A week"] if platform == "canvas" else []
        seconds, said = _run(folder, "export", platform, "out", option, f"{platform}.csv", "--scale", *more)
        print(f"exported for {platform} in {seconds:.1f} s: {said.splitlines()[0]}")
        filled = int(re.search(r"(\d+) grades", said)[1]) if re.search(r"(\d+) grades", said) else 0
        wrong += [] if filled == len(students) else [f"{platform}: {filled} grades for {len(students)} students"]
    return wrong


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "bnlib.cli", *words]


def _run(folder: Path, *words: str) -> tuple[float, str]:
    began = time.monotonic()
    done = subprocess.run(_command(*words), cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"bnlib {' '.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return time.monotonic() - began, done.stdout.strip()


def _killed(folder: Path, out: Path, options: list[str], students: int) -> int:
    """Start a run and kill it when so many students are done; how many are then."""
    run = subprocess.Popen(
        _command("grade", "in", "--out", "out", *options),
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while run.poll() is None and len(list((out / "results").glob("[!.]*.json"))) < students:
        time.sleep(0.05)
    run.kill()
    run.wait()
    return len(list((out / "results").glob("[!.]*.json")))


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", type=int, default=150)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--no-nbval", action="store_true", help="hidden tests alone")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave everything there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
