"""Measure the diagnosis: what it accepts, what it names, how long it takes.

Wrong answers come from :mod:`wrong_answers`: each slip alone and each two together, in several coding styles. Right answers are
the same templates unedited and the collection under ``tests/answers/``, each with float64 and with float32 inputs. Prints a
confusion table and exits with 1 when a target is missed::

    python benchmarks/diagnosis.py [exercise ...] [--show]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import random
import statistics
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from wrong_answers import Exercise, Program, exercises  # noqa: E402

import bnlib.checks as engine  # noqa: E402
from bnlib.checks import Case, checks_of, examine  # noqa: E402
from bnlib.feedback import Report  # noqa: E402
from bnlib.notebooks import read  # noqa: E402
from bnlib.running import new_namespace, run_cells  # noqa: E402
from bnlib.stubs import Lesson, Stub, lesson_of  # noqa: E402

SINGLES, PAIRS, MILLISECONDS = 0.95, 0.80, 50.0
"""Targets: rightly named alone, rightly named in pairs, time of a diagnosis (median)."""


@dataclass
class Tally:
    """What happened to the wrong answers of one exercise, alone or in pairs."""

    counts: Counter = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)

    @property
    def named(self) -> float:
        """Fraction rightly named."""
        return self.counts["right"] / max(1, sum(self.counts.values()))


@cache
def answers(lesson: Lesson) -> dict:
    """The namespace of a lesson's reference answers; nothing of it is changed by running other answers."""
    namespace = new_namespace()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        run_cells(read(HERE.parent / "solutions" / f"{lesson.key}.ipynb").cells, namespace)
    return namespace


def learner(lesson: Lesson, text: str) -> SimpleNamespace:
    """The reference answers with one text in their place."""
    namespace = dict(answers(lesson))
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(text, "<answer>", "exec"), namespace)
    return SimpleNamespace(**{name: namespace[name] for name in lesson.stubs if name in namespace})


class Bench:
    """One exercise on the inputs of its visible check, whose truth is computed once."""

    def __init__(self, stub: Stub) -> None:
        self.stub, self.checks = stub, checks_of(stub)
        self.cases = engine.visible(stub)
        self.gentle = [_float32(case) for case in engine.visible(stub)]
        self.seconds: list[float] = []
        self._truth: dict[tuple, object] = {}

    def truth(self, case: Case) -> object:
        """What is right, remembered."""
        key = tuple(v.tobytes() if isinstance(v, np.ndarray) else str(v) for v in case.values())
        if key not in self._truth:
            self._truth[key] = self.checks.truth(case)
        return self._truth[key]

    def report(self, text: str, cases: list[Case] | None = None) -> Report:
        """The report of the visible check on an answer."""
        answer = learner(self.stub.lesson, text)
        with contextlib.redirect_stdout(io.StringIO()), self._timed():
            return examine(self.checks, answer, cases or self.cases, self.truth)

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        """Note how long the comparison and the naming take; running the answer and the truth is not part of it."""
        compare = engine._compare

        def timed(*args: object) -> object:
            start = time.perf_counter()
            found = compare(*args)
            if found:
                self.seconds.append(time.perf_counter() - start)
            return found

        engine._compare = timed
        try:
            yield
        finally:
            engine._compare = compare

    def numbers(self, text: str) -> tuple:
        """What an answer computes on the visible inputs, rounded; where it raises or returns no numbers, which error."""
        answer, found = learner(self.stub.lesson, text), []
        with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            try:
                for case in self.cases:
                    value = self.checks.run(answer, case)
                    values = value if len(self.stub.returns) > 1 else (value,)
                    for name, array in zip(self.stub.returns, values, strict=True):
                        if name in self.checks.outputs:
                            array = np.asarray(array, dtype=np.float64)
                            scale = np.max(np.abs(array), initial=1e-300)
                            found.append((array.shape, *(np.round(array.ravel() / scale, 6) + 0.0), f"{scale:.6e}"))
            except Exception as error:
                return (type(error).__name__,)
        return tuple(found)


def _float32(case: Case) -> Case:
    """The same input in float32, moved to where float32 still has digits to compute with."""
    moved = {}
    for name, value in case.items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            if value.ndim and np.max(np.abs(value)) > 100:
                value = value - value.mean(axis=0) + 2
            value = value.astype(np.float32)
        moved[name] = value
    return Case(moved)


def programs(bench: Bench, exercise: Exercise, count: int, sample: random.Random | None, limit: int) -> list[Program]:
    """Wrong answers with ``count`` slips; those that compute what fewer slips compute are left out."""
    written = list(exercise.wrong(count))
    if count > 1 and sample is not None and len(written) > limit:
        written = sample.sample(written, limit)
    if count == 1:
        return [program for program in written if not _harmless(bench, exercise, program)]
    return [program for program in written if not _harmless(bench, exercise, program) and _both_show(bench, program)]


def _harmless(bench: Bench, exercise: Exercise, program: Program) -> bool:
    return bench.numbers(program.text) == _numbers(bench, exercise.styles[program.style])


def _both_show(bench: Bench, program: Program) -> bool:
    """True when a pair computes something else than each of its two slips alone; an error raised hides all else."""
    template = program.exercise.styles[program.style]
    alone = [one.edit(program.style, template) for one in program.slips]
    numbers = bench.numbers(program.text)
    return all(text is None or _numbers(bench, text) != numbers for text in alone)


_known: dict[tuple[str, str], tuple] = {}


def _numbers(bench: Bench, text: str) -> tuple:
    key = bench.stub.id, text
    if key not in _known:
        _known[key] = bench.numbers(text)
    return _known[key]


def judge(bench: Bench, written: Iterable[Program]) -> Tally:
    """Run the check on wrong answers and sort what it says."""
    tally, twins = Tally(), {}
    written = list(written)
    for program in written:
        numbers = bench.numbers(program.text)
        twins.setdefault(numbers if len(numbers) > 1 else program.text, []).append(program)
    for same in twins.values():
        for program in same:
            report = bench.report(program.text)
            verdict = "named wrong"
            if report.ok:
                verdict = "accepted"
            elif any(twin.named_by(report.names) for twin in same):
                verdict = "right"
            elif report.names == ("unnamed",):
                verdict = "unnamed"
            tally.counts[verdict] += 1
            if verdict != "right":
                tally.misses.append(f"{verdict}: {program.label}\n      {', '.join(report.names)}")
    return tally


def rejected(bench: Bench, exercise: Exercise) -> tuple[int, list[str]]:
    """How many right answers were tried, and those that failed."""
    collected = _collection(bench.stub.lesson).RIGHT[bench.stub.name]
    texts = {**{f"template {style}": text for style, text in exercise.right()}, **collected}
    failed = []
    for label, text in texts.items():
        for cases, kind in ((bench.cases, "float64"), (bench.gentle, "float32")):
            report = bench.report(text, cases)
            if not report.ok:
                failed.append(f"rejected: {bench.stub.id} ({label}, {kind}): {report.message}")
    return 2 * len(texts), failed


@cache
def _collection(lesson: Lesson) -> object:
    path = HERE.parent / "tests" / "answers" / f"{lesson.name}.py"
    spec = importlib.util.spec_from_file_location(f"collected_{lesson.name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _line(label: str, tallies: list[Tally]) -> str:
    total = Counter()
    for tally in tallies:
        total.update(tally.counts)
    cells = [sum(total.values()), *(total[key] for key in ("accepted", "right", "named wrong", "unnamed"))]
    share = f"{total['right'] / max(1, cells[0]):7.1%}"
    return f"{label:<40} {cells[0]:>6} {cells[1]:>9} {cells[2]:>6} {cells[3]:>6} {cells[4]:>8} {share}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("exercises", nargs="*", help="for example normalization.batchnorm_backward; all by default")
    parser.add_argument("--show", action="store_true", help="print what was not rightly named")
    parser.add_argument(
        "--pairs", type=int, default=600, help="at most so many pairs an exercise, drawn with a fixed seed"
    )
    given = parser.parse_args()
    tallies: dict[int, dict[str, Tally]] = {1: {}, 2: {}}
    seconds, misses, tried, failed = [], [], 0, []
    for exercise in exercises():
        if given.exercises and exercise.id not in given.exercises:
            continue
        lesson, name = exercise.id.split(".")
        bench = Bench(lesson_of(lesson).stubs[name])
        for count in (1, 2):
            drawn = programs(bench, exercise, count, random.Random(1), given.pairs)
            tally = judge(bench, drawn)
            tallies[count][exercise.id] = tally
            misses += tally.misses
        seconds += bench.seconds
        number, wrongly = rejected(bench, exercise)
        tried, failed = tried + number, failed + wrongly
    for count, title in ((1, "One slip"), (2, "Two slips")):
        print(f"{title:<40} {'tried':>6} {'accepted':>9} {'right':>6} {'wrong':>6} {'unnamed':>8} {'named':>7}")
        for label, tally in tallies[count].items():
            print(_line(label, [tally]))
        print(_line("all", list(tallies[count].values())), end="\n\n")
    print(f"Right answers: {tried} tried, {len(failed)} rejected")
    median, longest = 1e3 * statistics.median(seconds), 1e3 * max(seconds)
    print(f"A diagnosis takes {median:.1f} ms (median), {longest:.1f} ms (longest of {len(seconds)})")
    if given.show:
        print("\n".join(["", *misses, *failed]))
    totals = [sum((t.counts for t in tallies[count].values()), Counter()) for count in (1, 2)]
    named = [total["right"] / max(1, sum(total.values())) for total in totals]
    accepted = sum(total["accepted"] for total in totals)
    ok = not accepted and not failed and named[0] >= SINGLES and named[1] >= PAIRS and median < MILLISECONDS
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
