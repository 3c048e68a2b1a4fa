"""The same submissions of lesson 02 graded by bnlib, nbgrader and otter-grader on this machine, side by side.

    python benchmarks/grading.py [--students 40] [--peers 20] [--rounds 1] [--only bnlib]

nbgrader and otter-grader are installed into venvs of their own under build/peers/ the first time. Each grader gets the
same files. nbgrader runs in its fastest mode, one `nbgrader autograde` over the whole folder; otter-grader runs once for
each submission, which is what it offers without Docker. Wall and processor time are those of the command and of all
processes it started and waited for. Both are judged: wall time flatters who uses more cores. Targets are of an idle machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "peers"))
from environments import PEERS, environment  # noqa: E402

BENCH = ROOT / "build" / "bench"
EXAMPLES = ROOT / "examples" / "submissions"
KINDS = (
    "all-right",
    "mean-path-missing",
    "half-filled",
    "right-written-differently",
    "sum-for-mean",
    "magics-in-answer",
)
LESSON = "02_translation"
GRADERS = ("bnlib", *PEERS)

TARGETS = {"hidden tests": 100, "with nbval": 6}
"""How many times nbgrader's throughput, by wall time and by processor time."""

ALONE = {"hidden tests": 1.2, "with nbval": 3.0}
"""Seconds that one submission alone may take."""

MEGABYTES = 120
"""Peak memory a job, with all its processes."""


@dataclass(frozen=True)
class Cost:
    """Seconds a submission."""

    wall: float
    cpu: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=40, help="submissions that bnlib grades with nbval")
    parser.add_argument("--peers", type=int, default=20, help="submissions that nbgrader grades; otter gets a quarter")
    parser.add_argument(
        "--memory", type=int, nargs="*", default=[100, 1000], help="sizes of which peak memory is printed"
    )
    parser.add_argument("--rounds", type=int, default=1, help="measure this many times in turn; the medians are judged")
    parser.add_argument("--only", nargs="+", choices=GRADERS, default=GRADERS, help="measure these graders")
    arguments = parser.parse_args()
    BENCH.mkdir(parents=True, exist_ok=True)
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    measures: dict[str, Callable[[], Cost]] = {}
    if "nbgrader" in arguments.only:
        measures["nbgrader"] = lambda: nbgrader(arguments.peers)
    if "otter" in arguments.only:
        measures["otter"] = lambda: otter(max(1, arguments.peers // 4))
    if "bnlib" in arguments.only:
        measures["hidden tests"] = lambda: bnlib(10 * arguments.students, "--no-nbval")
        measures["with nbval"] = lambda: bnlib(arguments.students)
        measures["hidden tests, alone"] = lambda: bnlib(1, "--no-nbval")
        measures["with nbval, alone"] = lambda: bnlib(1)
    found: dict[str, list[Cost]] = {name: [] for name in measures}
    for _ in range(arguments.rounds):
        for name, measured in measures.items():
            found[name].append(measured())
    costs = {
        name: Cost(statistics.median(c.wall for c in each), statistics.median(c.cpu for c in each))
        for name, each in found.items()
    }
    met = []
    for stage, target in TARGETS.items() if {"nbgrader", "bnlib"} <= {*arguments.only} else ():
        for clock in ("wall", "cpu"):
            ratio = getattr(costs["nbgrader"], clock) / getattr(costs[stage], clock)
            met.append(
                judged(f"{stage}: {ratio:.1f} times nbgrader's throughput by {clock} time", ratio >= target, target)
            )
    for stage, limit in ALONE.items() if "bnlib" in arguments.only else ():
        wall = costs[f"{stage}, alone"].wall
        met.append(judged(f"{stage}: {wall:.2f} s for one submission alone", wall <= limit, limit))
    for count in arguments.memory if "bnlib" in arguments.only else ():
        most = memory(count) / (os.cpu_count() or 1)
        met.append(judged(f"{count} submissions: {most:.0f} MB a job at most", most <= MEGABYTES, MEGABYTES))
    return 0 if all(met) else 1


def judged(words: str, met: bool, target: float) -> bool:
    """Print a result beside its target."""
    print(f"{words} (target {target:g}: {'met' if met else 'MISSED'})", flush=True)
    return met


def folder(count: int, name: str) -> Path:
    """A folder with a number of submissions of several kinds."""
    path = BENCH / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    for number in range(count):
        shutil.copyfile(EXAMPLES / f"{KINDS[number % len(KINDS)]}.ipynb", path / f"student{number:04}.ipynb")
    return path


def measure(label: str, count: int, commands: list[list[str]], cwd: Path, **environment: str) -> Cost:
    """Run commands, print what a submission costs, and return that."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    for command in commands:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            print("\n".join(done.stdout.splitlines()[-20:]))
            raise SystemExit(f"{label}: {' '.join(command[:4])} ended with {done.returncode}")
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{label:28} {count:5} submissions  {wall / count:8.4f} s wall  {cpu / count:8.4f} s CPU each", flush=True)
    return Cost(wall / count, cpu / count)


def bnlib(count: int, *options: str) -> Cost:
    source = folder(count, "submissions")
    out = BENCH / "out"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "bnlib.cli", "grade", str(source), "--out", str(out), "--lesson", LESSON]
    return measure(f"bnlib {' '.join(options)}".strip(), count, [[*command, *options]], ROOT)


def nbgrader(count: int) -> Cost:
    bin_folder = environment("nbgrader")
    course = BENCH / "nbgrader-course"
    shutil.rmtree(course, ignore_errors=True)
    (course / "source" / "ps").mkdir(parents=True)
    shutil.copyfile(ROOT / "solutions" / f"{LESSON}.ipynb", course / "source" / "ps" / f"{LESSON}.ipynb")
    (course / "nbgrader_config.py").write_text(
        "c = get_config()\nc.CourseDirectory.course_id = 'bn'\nc.ClearSolutions.code_stub = "
        "{'python': '# your code here\\nraise NotImplementedError'}\nc.IncludeHeaderFooter.header = ''\n"
    )
    for file in folder(count, "submissions").iterdir():
        target = course / "submitted" / file.stem / "ps" / f"{LESSON}.ipynb"
        target.parent.mkdir(parents=True)
        shutil.copyfile(file, target)
    path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
    run = [str(bin_folder / "nbgrader")]
    subprocess.run(
        [*run, "generate_assignment", "ps"],
        cwd=course,
        env={**os.environ, "PATH": path},
        check=True,
        capture_output=True,
    )
    cost = measure("nbgrader, whole folder", count, [[*run, "autograde", "ps"]], course, PATH=path)
    graded = len(list((course / "autograded").glob("*/ps/*.ipynb")))
    if graded != count:
        raise SystemExit(f"nbgrader graded {graded} of {count}")
    return cost


def otter(count: int) -> Cost:
    """A folder of tests that call the lesson's own check, since otter has no other way to know the answers."""
    bin_folder = environment("otter")
    course = BENCH / "otter-course"
    shutil.rmtree(course, ignore_errors=True)
    (course / "tests").mkdir(parents=True)
    from bnlib.stubs import translation

    for name, stub in translation.lesson.stubs.items():
        lines = [
            ">>> import contextlib, io",
            ">>> from bnlib import check",
            ">>> from bnlib.stubs import translation",
            ">>> with contextlib.redirect_stdout(io.StringIO()):",
            f"...     check(translation.{name})",
        ]
        case = {"code": "\n".join(lines), "hidden": False, "locked": False}
        test = {"name": name, "points": stub.points, "suites": [{"cases": [case], "scored": True, "type": "doctest"}]}
        (course / "tests" / f"{name}.py").write_text(f"OK_FORMAT = True\ntest = {test!r}\n")
    path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
    run = [str(bin_folder / "otter")]
    (course / "otter_config.json").write_text(json.dumps({"show_stdout": False}))
    subprocess.run(
        [*run, "generate", "-t", "tests", "-c", "otter_config.json", "--no-environment"],
        cwd=course, env={**os.environ, "PATH": path}, check=True, capture_output=True,
    )  # fmt: skip
    archive = next(course.glob("autograder*.zip"))
    files = sorted(folder(count, "submissions").iterdir())
    commands = [[*run, "run", "-a", str(archive), "-o", str(course / "out" / f.stem), str(f)] for f in files]
    for file in files:
        (course / "out" / file.stem).mkdir(parents=True)
    return measure("otter run, one by one", count, commands, course, PATH=path)


def memory(count: int) -> float:
    """Peak megabytes of the grader with all its processes; pages that several share are counted once."""
    source, out = folder(count, "submissions"), BENCH / "out"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "bnlib.cli", "grade", str(source), "--out", str(out), "--no-nbval"]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    resident = shared = 0
    while run.poll() is None:
        infos = []
        with contextlib.suppress(psutil.Error):
            for process in (psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    infos.append(process.memory_full_info())
        resident = max(resident, sum(info.rss for info in infos))
        shared = max(shared, sum(info.pss for info in infos))
        time.sleep(0.2)
    print(
        f"{count:5} submissions: peak memory of all processes {shared / 1e6:.0f} MB ({resident / 1e6:.0f} MB resident)"
    )
    return shared / 1e6


if __name__ == "__main__":
    sys.exit(main())
