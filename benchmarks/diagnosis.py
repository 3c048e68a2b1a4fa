"""Measure the diagnosis: what it accepts, what it names, how long it takes.

Wrong answers come from :mod:`wrong_answers`: each slip alone and each two together, in several coding styles; and, as people
make mistakes that nobody listed, small random edits of the reference answers. Right answers are the same templates unedited and
the collection under ``tests/answers/``, each with float64 and with float32 inputs. Prints confusion tables and exits with 1 when
a target is missed::

    python benchmarks/diagnosis.py [exercise ...] [--show]
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.util
import io
import random
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
from wrong_answers.mutants import mutants  # noqa: E402

from bnlib.checks import Case, checks_of, visible  # noqa: E402
from bnlib.judging import examining as engine  # noqa: E402
from bnlib.judging.examining import examine  # noqa: E402
from bnlib.judging.showing.report import Report  # noqa: E402
from bnlib.notebooks import parse, read  # noqa: E402
from bnlib.release import BEGIN  # noqa: E402
from bnlib.running import new_namespace, run_cells  # noqa: E402
from bnlib.stubs import Lesson, Stub, lesson_of, lessons  # noqa: E402

SINGLES, PAIRS, EDITS, MILLISECONDS = 0.95, 0.80, (0.70, 0.55), 50.0
"""Targets: rightly named alone, in pairs, named at all among random edits (of the reference answers, of other styles); processor
time of any diagnosis."""

EDITS_A_STYLE = 40
"""So many random edits of each style, drawn with a fixed seed."""

AGAIN = 3
"""So often a diagnosis that took longer is timed: the least of them is its own, the rest is what else the machine did."""


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
        self.cases = visible(stub)
        self.gentle = [_float32(case) for case in visible(stub)]
        self.seconds: list[tuple[float, str]] = []
        self._truth: dict[tuple, object] = {}

    def truth(self, case: Case) -> object:
        """What is right, remembered."""
        key = tuple(v.tobytes() if isinstance(v, np.ndarray) else str(v) for v in case.values())
        if key not in self._truth:
            self._truth[key] = self.checks.truth(case)
        return self._truth[key]

    def report(self, text: str, cases: list[Case] | None = None, label: str = "") -> Report:
        """The report of the visible check on an answer; how long its diagnosis took is kept with ``label``."""
        answer, taken = learner(self.stub.lesson, text), []
        while not taken or (len(taken) < AGAIN and 1e3 * min(taken) > MILLISECONDS):
            with contextlib.redirect_stdout(io.StringIO()), _timed() as seconds:
                report = examine(self.checks, answer, cases or self.cases, self.truth)
            taken.append(sum(seconds))
        if min(taken):
            self.seconds.append((min(taken), label))
        return report

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


@contextlib.contextmanager
def _timed() -> Iterator[list[float]]:
    """Note how long comparing and naming take, where something is wrong; running answer and truth is not part of it."""
    compare, seconds = engine.wrong_outputs, []

    def timed(*args: object) -> object:
        start = time.process_time()
        found = compare(*args)
        seconds.append(time.process_time() - start if found else 0.0)
        return found

    engine.wrong_outputs = timed
    try:
        yield seconds
    finally:
        engine.wrong_outputs = compare


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
            report = bench.report(program.text, label=program.label)
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


def edited(bench: Bench, source: str, most: int | None = None) -> Tally:
    """Run the check on small random edits of a right answer, on ``most`` of them; those that compute the same are left out."""
    tally, more = Tally(), visible(bench.stub, 9)
    right = ast.unparse(ast.parse(source)).splitlines()
    texts = list(dict.fromkeys(mutants(source)))
    for text in texts if most is None or most > len(texts) else random.Random(1).sample(texts, most):
        label = f"{bench.stub.id}: {' '.join(line.strip() for line in text.splitlines() if line not in right)}"
        try:
            report = bench.report(text, label=label)
        except Exception:
            continue  # nothing that can be defined
        if report.ok:
            if not bench.report(text, more).ok:
                tally.counts["accepted"] += 1
        elif report.names[0] in ("wrong-shape", "empty") or report.names[0].startswith("raises-"):
            tally.counts["error or shape"] += 1
        else:
            verdict = "unnamed" if "unnamed" in report.names else "named"
            tally.counts[verdict] += 1
            tally.misses += [f"{verdict}: {label}"] if verdict == "unnamed" else []
    return tally


def reference_answers() -> Iterator[tuple[Stub, str]]:
    """Every exercise with the text of its reference answer."""
    for lesson in lessons():
        for cell in parse(HERE.parent / "solutions" / f"{lesson.key}.ipynb")["cells"]:
            if BEGIN in cell["source"]:
                yield lesson.stubs[cell["id"]], cell["source"]


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


def _share(counts: Counter) -> float:
    return counts["named"] / max(1, counts["named"] + counts["unnamed"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("exercises", nargs="*", help="for example normalization.batchnorm_backward; all by default")
    parser.add_argument("--show", action="store_true", help="print what was not rightly named")
    parser.add_argument(
        "--pairs", type=int, default=600, help="at most so many pairs an exercise, drawn with a fixed seed"
    )
    given = parser.parse_args()
    tallies: dict[int, dict[str, Tally]] = {1: {}, 2: {}}
    edits, elsewhere = Counter(), Counter()
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
        for text in exercise.styles.values():
            elsewhere += edited(bench, text, EDITS_A_STYLE).counts
        seconds += bench.seconds
        number, wrongly = rejected(bench, exercise)
        tried, failed = tried + number, failed + wrongly
    for stub, source in reference_answers():
        if given.exercises and stub.id not in given.exercises:
            continue
        bench = Bench(stub)
        tally = edited(bench, source)
        edits += tally.counts
        misses += tally.misses
        seconds += bench.seconds
    for count, title in ((1, "One slip"), (2, "Two slips")):
        print(f"{title:<40} {'tried':>6} {'accepted':>9} {'right':>6} {'wrong':>6} {'unnamed':>8} {'named':>7}")
        for label, tally in tallies[count].items():
            print(_line(label, [tally]))
        print(_line("all", list(tallies[count].values())), end="\n\n")
    print(f"Right answers: {tried} tried, {len(failed)} rejected")
    for label, counts in (("reference answers", edits), ("answers in other styles", elsewhere)):
        print(
            f"Random edits of {label} that change a number: {counts['named']} named ({_share(counts):.1%}), "
            f"{counts['unnamed']} unnamed, {counts['accepted']} accepted; {counts['error or shape']} more are an error or a wrong shape"
        )
    seconds.sort()
    times = [1e3 * seconds[int(part * (len(seconds) - 1))][0] for part in (0.5, 0.99, 0.999, 1)]
    print(
        "A diagnosis takes {:.1f} ms (median), {:.1f} (99 %), {:.1f} (99.9 %), {:.1f} (longest".format(*times), end=""
    )
    print(f" of {len(seconds)}, processor time): {seconds[-1][1]}")
    if given.show:
        print("\n".join(["", *misses, *failed]))
    totals = [sum((t.counts for t in tallies[count].values()), Counter()) for count in (1, 2)]
    named = [total["right"] / max(1, sum(total.values())) for total in totals]
    accepted = sum(total["accepted"] for total in totals)
    targets = (
        not accepted + edits["accepted"] + elsewhere["accepted"] + len(failed),
        named[0] >= SINGLES,
        named[1] >= PAIRS,
        _share(edits) >= EDITS[0] and _share(elsewhere) >= EDITS[1],
        times[-1] < MILLISECONDS,
    )
    return 0 if all(targets) else 1


if __name__ == "__main__":
    sys.exit(main())
