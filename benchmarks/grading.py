"""The same submissions of lesson 02 graded by bnlib, nbgrader and otter-grader on this machine, side by side.

    python benchmarks/grading.py [--students 40] [--peers 20] [--only bnlib]

nbgrader and otter-grader are installed into venvs of their own under build/bench/ the first time. Each grader gets the
same files. nbgrader runs in its fastest mode, one `nbgrader autograde` over the whole folder; otter-grader runs once for
each submission, which is what it offers without Docker. Wall and processor time are those of the command and of all
processes it started and waited for.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
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
PEERS = {"nbgrader": "nbgrader==0.9.6", "otter": "otter-grader==7.0.0"}
TARGETS = {"hidden tests": 50, "with nbval": 4}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=40, help="submissions that bnlib grades with nbval")
    parser.add_argument("--peers", type=int, default=20, help="submissions that nbgrader grades; otter gets a quarter")
    parser.add_argument(
        "--memory", type=int, nargs="*", default=[100, 1000], help="sizes of which peak memory is printed"
    )
    parser.add_argument("--only", choices=["bnlib", "nbgrader", "otter"], help="measure one grader")
    arguments = parser.parse_args()
    BENCH.mkdir(parents=True, exist_ok=True)
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    seconds = {}
    if arguments.only in (None, "nbgrader"):
        seconds["nbgrader"] = nbgrader(arguments.peers)
    if arguments.only in (None, "otter"):
        otter(max(1, arguments.peers // 4))
    if arguments.only in (None, "bnlib"):
        seconds["hidden tests"] = bnlib(10 * arguments.students, "--no-nbval")
        seconds["with nbval"] = bnlib(arguments.students)
    missed = 0
    if "nbgrader" in seconds and "with nbval" in seconds:
        for stage, target in TARGETS.items():
            ratio = seconds["nbgrader"] / seconds[stage]
            missed += ratio < target
            print(f"{stage}: {ratio:.1f} times the throughput of nbgrader (target {target})")
    if arguments.only in (None, "bnlib"):
        for count in arguments.memory:
            memory(count)
    return 1 if missed else 0


def folder(count: int, name: str) -> Path:
    """A folder with a number of submissions of several kinds."""
    path = BENCH / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    for number in range(count):
        shutil.copyfile(EXAMPLES / f"{KINDS[number % len(KINDS)]}.ipynb", path / f"student{number:04}.ipynb")
    return path


def measure(label: str, count: int, commands: list[list[str]], cwd: Path, **environment: str) -> float:
    """Run commands, print what a submission costs, and return its wall seconds."""
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
    return wall / count


def bnlib(count: int, *options: str) -> float:
    source = folder(count, "submissions")
    out = BENCH / "out"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "bnlib.cli", "grade", str(source), "--out", str(out), "--lesson", LESSON]
    return measure(f"bnlib {' '.join(options)}".strip(), count, [[*command, *options]], ROOT)


def environment(name: str) -> Path:
    """The bin folder of a peer's venv, made when it is not there."""
    target = BENCH / name
    python = target / "bin" / "python"
    if not (target / "ready").exists():
        print(f"installing {PEERS[name]} into {target.relative_to(ROOT)}", flush=True)
        shutil.rmtree(target, ignore_errors=True)
        venv.create(target, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", PEERS[name], "-e", str(ROOT)], check=True)
        (target / "ready").write_text("")
    return target / "bin"


def nbgrader(count: int) -> float:
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
    seconds = measure("nbgrader, whole folder", count, [[*run, "autograde", "ps"]], course, PATH=path)
    graded = len(list((course / "autograded").glob("*/ps/*.ipynb")))
    if graded != count:
        raise SystemExit(f"nbgrader graded {graded} of {count}")
    return seconds


def otter(count: int) -> float:
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


def memory(count: int) -> None:
    """Peak memory of the grader, its own processes together, and of the largest of them."""
    source, out = folder(count, "submissions"), BENCH / "out"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "bnlib.cli", "grade", str(source), "--out", str(out), "--no-nbval"]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    whole = main_process = 0
    while run.poll() is None:
        try:
            process = psutil.Process(run.pid)
            own = process.memory_info().rss
            below = sum(child.memory_info().rss for child in process.children(recursive=True))
            whole, main_process = max(whole, own + below), max(main_process, own)
        except psutil.Error:
            pass
        time.sleep(0.1)
    print(
        f"{count:5} submissions: peak memory {main_process / 1e6:.0f} MB, with all its processes {whole / 1e6:.0f} MB"
    )


if __name__ == "__main__":
    sys.exit(main())
