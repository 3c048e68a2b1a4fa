"""``bnlib grade FOLDER --out OUT``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from concurrent.futures import Executor
from datetime import datetime
from pathlib import Path


def _seconds(text: str) -> float:
    """A time limit; none or less would give everybody nothing."""
    seconds = float(text)
    if not seconds > 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return seconds


def _date(text: str) -> datetime:
    """A date with or without a time and a time zone."""
    from bnlib.grading.rules import date_of

    try:
        return date_of(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date; write it like 2026-11-20 18:00") from None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be said on the command line."""
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="submissions: name.ipynb, name.zip or name/ each; or a zip of all"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="OUT", help="where results go; a stopped run goes on"
    )
    parser.add_argument(
        "--lesson", action="append", default=[], metavar="KEY", help="grade this lesson (may be repeated)"
    )
    parser.add_argument(
        "--due", type=_date, metavar="WHEN", help='note what came later, by the files\' dates: "2026-11-20 18:00"'
    )
    parser.add_argument(
        "--jobs", type=_positive, default=os.cpu_count() or 1, metavar="N", help="processes (default: cores)"
    )
    parser.add_argument("--dask", metavar="ADDRESS", help="run on this dask.distributed scheduler instead of here")
    parser.add_argument(
        "--seed", type=seed, help="decides the hidden inputs (default: that of course.toml, or a secret)"
    )
    parser.add_argument(
        "--no-nbval", action="store_true", help="do not run the notebooks with nbval: faster, same scores"
    )
    parser.add_argument(
        "--strict", action="store_true", help="what builds on a wrong exercise earns nothing, right by itself or not"
    )
    parser.add_argument("--force", action="store_true", help="go over finished results; what did not change is kept")
    parser.add_argument("--fresh", action="store_true", help="grade everything again, whatever OUT holds")
    parser.add_argument(
        "--require-isolation", action="store_true", help="do not run answers with less than full isolation"
    )
    parser.add_argument(
        "--call-seconds", type=_seconds, default=5.0, metavar="S", help="for one call of an answer (default 5)"
    )
    parser.add_argument(
        "--cell-seconds", type=_seconds, default=30.0, metavar="S", help="for one cell in nbval (default 30)"
    )
    parser.add_argument(
        "--notebook-seconds", type=_seconds, default=120.0, metavar="S", help="for one notebook in nbval (default 120)"
    )
    add_course(parser)
    parser.set_defaults(run=run)


def add_course(parser: argparse.ArgumentParser) -> None:
    """Declare where the course is: what is installed from a wheel holds no solutions and no hidden tests."""
    parser.add_argument(
        "--course", type=_course, metavar="DIR", help="folder of a full copy of the course (default: the current one)"
    )


def _course(text: str) -> Path:
    """A folder that may be a course."""
    if not Path(text, "solutions").is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no course: it holds no folder solutions")
    return Path(text).resolve()


def run(arguments: argparse.Namespace) -> int:
    """Grade; 0 when everything was graded, 1 when something could not be, 2 when nothing was begun."""
    from bnlib.grading.batch import IsolationError, Settings
    from bnlib.grading.book import GradeError
    from bnlib.grading.course import CourseError
    from bnlib.grading.grade import grade
    from bnlib.grading.rules import RulesError
    from bnlib.grading.submissions import FolderError
    from bnlib.grading.unpacking import unpacked
    from bnlib.judging.showing.report import printable

    settings = Settings(
        **({"root": str(arguments.course)} if arguments.course else {}),
        seed=arguments.seed,
        nbval=not arguments.no_nbval,
        call_seconds=arguments.call_seconds,
        cell_seconds=arguments.cell_seconds,
        notebook_seconds=arguments.notebook_seconds,
        require_isolation=arguments.require_isolation,
        strict=arguments.strict,
    )
    bar = Bar()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C: with nothing left behind
    try:
        executor, workers = _cluster(arguments.dask) if arguments.dask else (None, arguments.jobs)
        with unpacked(arguments.folder) as folder:
            summary = grade(
                folder,
                arguments.out,
                wanted=arguments.lesson,
                settings=settings,
                due=arguments.due,
                jobs=workers,
                executor=executor,
                force=arguments.force or arguments.fresh,
                fresh=arguments.fresh,
                progress=bar,
            )
    except (FolderError, GradeError, CourseError, IsolationError, RulesError) as error:
        bar.end()
        for line in str(error).splitlines():
            print(f"bnlib grade: {line}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        bar.end()
        print("bnlib grade: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    bar.end()
    if summary.ignored:
        print(f"not submissions, passed over: {printable(', '.join(summary.ignored))}", file=sys.stderr)
    for line in summary.said:
        print(printable(line), file=sys.stderr)
    kept = f", {summary.kept} of them earlier" if summary.kept else ""
    flagged = f"; {summary.flagged} flagged for a person, see class.html" if summary.flagged else ""
    print(f"{summary.students} graded{kept} in {summary.seconds:.1f} s{flagged}: {summary.out / 'gradebook.csv'}")
    if summary.ungraded:
        print(
            f"could not be graded: {printable(', '.join(summary.ungraded))}; the reason is in the gradebook",
            file=sys.stderr,
        )
    return 1 if summary.ungraded else 0


def _cluster(address: str) -> tuple[Executor, int]:
    """An executor for a dask cluster, and how many batches it can work on at a time.

    A worker that is lost takes nothing with it: its batches go to the others. Workers need this course at the same path.

    Raises:
        GradeError: dask is not installed, or nobody answers.
    """
    from bnlib.grading.book import GradeError

    try:
        from distributed import Client
    except ImportError:
        raise GradeError("--dask needs the package distributed: pip install 'bnlib[dask]'") from None
    try:
        client = Client(address, timeout=5, set_as_default=False)
    except (OSError, ValueError) as error:
        raise GradeError(f"{address}: no dask scheduler answers ({type(error).__name__})") from None
    workers = sum(worker["nthreads"] for worker in client.scheduler_info(n_workers=-1)["workers"].values())
    return client.get_executor(pure=False, retries=2), max(1, workers)


class Bar:
    """A bar on a terminal; silent elsewhere."""

    def __init__(self) -> None:
        self._shown = False

    def __call__(self, done: int, total: int, judged: int) -> None:
        """Show how far it is."""
        if sys.stderr.isatty():
            filled = 30 * done // max(1, total)
            sys.stderr.write(f"\r[{'#' * filled}{'.' * (30 - filled)}] {done} of {total} done, {judged} have a score ")
            sys.stderr.flush()
            self._shown = True

    def end(self) -> None:
        """Leave the line."""
        if self._shown:
            sys.stderr.write("\n")
            self._shown = False


def seed(text: str) -> int:
    """A seed from the command line."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("must be a whole number from 0 on")
    return int(text)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number
