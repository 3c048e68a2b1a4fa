"""What learners are told about every wrong answer of the collection: the table an author reads, before and after a change.

Exercise, the edit or body that is wrong, the names found, and the message, sorted; nothing in it depends on the machine. With
``--not-yet`` the list of what falls short is printed instead, in the form of ``tests/answers/not_yet.txt``::

    python benchmarks/messages.py [exercise ...] > messages.txt
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from answering import bench, verdicts  # noqa: E402
from answers import Exercise, exercises  # noqa: E402


def messages(exercise: Exercise) -> Iterator[str]:
    """One entry for each wrong answer; programs of which the same is said stand together."""
    said: dict[tuple[str, str], list[str]] = defaultdict(list)
    for program in exercise.wrong():
        report = bench(exercise.stub).report(program.text)
        told = [row.message for row in report.rows if row.message] or ["(accepted)"]
        said[", ".join(report.names), "\n".join(told)].append(f"{program.names[0]} <- {program.label}")
    for (names, told), programs in sorted(said.items(), key=lambda item: sorted(item[1])):
        yield "\n".join(
            [
                exercise.stub.id,
                *(f"  {one}" for one in sorted(programs)),
                f"  = {names}",
                textwrap.indent(told, "      "),
            ]
        )


def not_yet(chosen: list[Exercise]) -> Iterator[str]:
    """By mistake: in which exercises how many wrong answers fall short."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for exercise in chosen:
        for verdict in verdicts(exercise.stub):
            if verdict.problem:
                table[verdict.program.names[0]][exercise.stub.id] += 1
    for names in sorted(table):
        yield f"{names}: {', '.join(f'{id} {count}' for id, count in sorted(table[names].items()))}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("exercises", nargs="*", help="for example normalization.batchnorm_backward; all by default")
    parser.add_argument("--not-yet", action="store_true", help="print the list of what falls short")
    given = parser.parse_args()
    chosen = [exercise for exercise in exercises() if not given.exercises or exercise.stub.id in given.exercises]
    if given.not_yet:
        print("\n".join(not_yet(chosen)))
    else:
        print(
            "\n\n".join(entry for exercise in sorted(chosen, key=lambda e: e.stub.id) for entry in messages(exercise))
        )


if __name__ == "__main__":
    main()
