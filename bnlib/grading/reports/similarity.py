"""Which answers have more in common than the class has: a page for a teacher who wants to read both, never a judgement.

Fingerprints of Python tokens, picked by winnowing (Schleimer, Wilkerson, Aiken: Winnowing, SIGMOD 2003), whatever the
names of variables are. What the course gave, what the solution says and what many students wrote is left out.
"""

from __future__ import annotations

import builtins
import keyword
import math
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations

from bnlib.grading.course import Course
from bnlib.grading.reports.pages import render
from bnlib.grading.submissions import Submission, UnreadableError
from bnlib.notebooks import Notebook, NotebookError, read
from bnlib.stubs import Lesson, stub_source

GRAM = 8
"""Tokens of a fingerprint."""

WINDOW = 4
"""Of so many neighbouring fingerprints one is kept: a copied run of ``GRAM + WINDOW - 1`` tokens is always seen."""

LEAST_SHARE = 0.5
"""A pair is shown when so much of what is rare in the smaller of the two is in the other too."""

LEAST_PIECES = 6
"""... and when it is at least so many fingerprints: two short answers may well be the same."""

MOST_PAIRS = 200
"""A page shows no more; who reads that many has understood. A class that copies one file makes as many as it has pairs."""

MOST_TEXT = 100_000
"""Characters of a notebook that are looked at."""

_TOKEN = re.compile(
    r"""\#[^\n]* | ^[ \t]*[%!][^\n]* | \"{3}[\s\S]*?\"{3} | '{3}[\s\S]*?'{3} | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'
      | \.?[A-Za-z_]\w* | \d[\w.]* | [^\w\s]""",
    re.VERBOSE | re.MULTILINE,
)
_DOC = re.compile(r"\n[ \t]*\"{3}[\s\S]*?\"{3}")
_KEPT = {*keyword.kwlist, *dir(builtins), "np", "fill"}


@dataclass(frozen=True)
class Writer:
    """A student: ``student`` is the name, ``slug`` the name of the feedback page."""

    student: str
    slug: str


@dataclass(frozen=True)
class Cells:
    """Two cells that have fingerprints in common: what they answer, and the code of each, without the first docstring."""

    name: str
    sources: tuple[str, str]


@dataclass(frozen=True)
class Pair:
    """Two students whose answers to a lesson look alike.

    Attributes:
        students: Who.
        share: Of what is rare in the smaller of the two, how much is in the other too.
        pieces: Fingerprints in common.
        cells: Where they are.
    """

    students: tuple[Writer, Writer]
    share: float
    pieces: int
    cells: tuple[Cells, ...]


def name(lesson: Lesson) -> str:
    """The file of a lesson's page, beside the class page."""
    return f"similar-{lesson.key}.html"


def alike(lesson: Lesson, submissions: Sequence[Submission], course: Course) -> list[Pair]:
    """Pairs of a class; what cannot be read any more is left out."""
    handed = {}
    for each in submissions:
        with suppress(UnreadableError, NotebookError, OSError, KeyError):
            handed[Writer(each.student, each.slug)] = each.notebooks[lesson.key].read()
    return similar(lesson, [read(course.solution(lesson))], handed)


def page(lesson: Lesson, pairs: Sequence[Pair], students: int) -> str:
    """The page about pairs; ``students`` says how many there are in the class."""
    return render(
        "similarity.html",
        script="sort.js",
        lesson=lesson,
        pairs=pairs,
        common=common(students),
        gram=GRAM,
        most=MOST_PAIRS,
    )


def common(students: int) -> int:
    """What more students than this wrote says nothing about two of them."""
    return max(3, students // 5)


def similar(lesson: Lesson, given: Sequence[Notebook], handed: Mapping[Writer, Notebook]) -> list[Pair]:
    """Pairs that have more in common than the class has, most alike first, and no more than :data:`MOST_PAIRS`.

    Args:
        lesson: The lesson.
        given: Its solution, and any notebook that was handed out: what stands there is nobody's own.
        handed: The notebook of each student.
    """
    known = frozenset(_KEPT | set(lesson.stubs))
    sources = [cell.source for notebook in given for cell in notebook.cells]
    sources += [stub_source(stub) for stub in lesson.stubs.values()]
    nobodys = set().union(*(_prints(source, known, window=1) for source in sources))
    prints = {writer: _own(notebook, known, nobodys) for writer, notebook in handed.items()}
    writers = Counter(each for own in prints.values() for each in own)
    most = min(common(len(handed)), len(handed) - 1)
    weight = {each: math.log(len(handed) / n) for each, n in writers.items() if n <= most}
    weights = {writer: sum(weight.get(each, 0.0) for each in own) for writer, own in prints.items()}
    found = {}
    for pair, shared in _shared(prints, weight).items():
        share = sum(weight[each] for each in shared) / min(weights[writer] for writer in pair)
        if len(shared) >= LEAST_PIECES and share >= LEAST_SHARE:
            found[pair] = (-share, -len(shared), pair[0].student, shared)
    first = sorted(found.items(), key=lambda each: each[1][:3])[:MOST_PAIRS]
    return [
        Pair(pair, -share, len(shared), _cells(shared, prints, handed, pair)) for pair, (share, _, _, shared) in first
    ]


def _shared(
    prints: Mapping[Writer, Mapping[int, int]], rare: Mapping[int, float]
) -> dict[tuple[Writer, Writer], list[int]]:
    """Rare fingerprints by the pairs that have them: only who shares something is ever compared."""
    having: dict[int, list[Writer]] = defaultdict(list)
    for writer, own in prints.items():
        for each in own.keys() & rare.keys():
            having[each].append(writer)
    shared: dict[tuple[Writer, Writer], list[int]] = defaultdict(list)
    for each, who in having.items():
        for first, second in combinations(who, 2):
            shared[first, second].append(each)
    return shared


def _own(notebook: Notebook, known: frozenset[str], nobodys: set[int]) -> dict[int, int]:
    """A student's fingerprints, and the number of the cell in which each is."""
    own: dict[int, int] = {}
    left = MOST_TEXT
    for number, cell in enumerate(notebook.cells):
        if not cell.given and left > 0:
            for each in _prints(cell.source[:left], known):
                if each not in nobodys:
                    own.setdefault(each, number)
            left -= len(cell.source)
    return own


def _prints(source: str, known: frozenset[str], window: int = WINDOW) -> set[int]:
    """Fingerprints of a cell: of every window of neighbouring ones the smallest."""
    tokens = list(_tokens(source, known))
    grams = [zlib.crc32(" ".join(tokens[i : i + GRAM]).encode()) for i in range(len(tokens) - GRAM + 1)]
    return {min(grams[i : i + window]) for i in range(max(1, len(grams) - window + 1))} if grams else set()


def _tokens(source: str, known: frozenset[str]) -> Iterable[str]:
    """What a cell does: no comments, no docstrings, no magics, every name of a variable the same."""
    for token in _TOKEN.findall(source):
        if token[0] == "#" or token.lstrip()[0] in "%!" and len(token) > 1 or token[:3] in ('"""', "'''"):
            continue
        yield "name" if token.isidentifier() and token not in known else token


def _cells(
    shared: Iterable[int],
    prints: Mapping[Writer, Mapping[int, int]],
    handed: Mapping[Writer, Notebook],
    pair: tuple[Writer, Writer],
) -> tuple[Cells, ...]:
    """The cells that shared fingerprints come from, in the order of the first student's notebook."""
    found = []
    for first, second in sorted({(prints[pair[0]][each], prints[pair[1]][each]) for each in shared}):
        one, other = handed[pair[0]].cells[first], handed[pair[1]].cells[second]
        name = one.exercise or other.exercise or "a cell of their own"
        found.append(Cells(name, (_DOC.sub("", one.source, count=1), _DOC.sub("", other.source, count=1))))
    return tuple(found)
