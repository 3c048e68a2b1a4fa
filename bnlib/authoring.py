"""Write the files of a new lesson, or of one more exercise: a small example that works, to be replaced piece by piece."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template

import nbformat

from bnlib.notebooks import parse
from bnlib.release import BEGIN, END

FIRST = "first_step"
"""Name of the exercise that a new lesson begins with."""


class AuthoringError(ValueError):
    """What was asked for cannot be written; the message is one line for the author."""


LESSON = {
    "bnlib/stubs/$lesson.py": '''"""Lesson $key: what it is about, in a sentence."""

from bnlib.stubs import Lesson

lesson = Lesson("${key}_$lesson", "$title")
''',
    "bnlib/checks/$lesson.py": '''"""Lesson $key: what is checked, and how that is known without a reference answer."""

from __future__ import annotations

import numpy as np

from bnlib.checks import Case, Checks, Slip, Term
from bnlib.stubs import $lesson
''',
    "tests/hidden/test_$lesson.py": '''"""Lesson $key: what the grade of record looks at."""

from __future__ import annotations

from bnlib.checks import Case
from bnlib.grading.hidden.judge import hidden
from bnlib.stubs import $lesson
''',
    "tests/equations/$lesson.py": '''"""What the displays of lesson $key speak of."""

from displays import Speaks

from bnlib.stubs import Setting

SPEAKS: list[Speaks] = []
''',
    "tests/answers/$lesson.txt": "# Lesson $key. How this is read: tests/answers/__init__.py.\n",
}
"""The head of every file of a lesson; its notebook is in ``COVER``."""

COVER = (
    ("markdown", "# Lesson $key: $title\n\nWhat this lesson is about.\n\n**After this lesson you can**\n\n- ..."),
    (
        "code",
        "import numpy as np\n\nfrom bnlib import check, fill, hint, load, progress, quiz\nfrom bnlib.stubs import $lesson",
    ),
)

EXERCISE = {
    "bnlib/stubs/$lesson.py": '''

@lesson.exercise(returns=("out",), points=1, minutes=5, difficulty=1, equation="$equation")
def $exercise(x):
    """Double every number of a batch (eq. $equation).

    Args:
        x: (N, D) float array, N examples of D features.

    Returns:
        out: (N, D) array, out[k, l] = 2 * x[k, l].
    """
''',
    "bnlib/checks/$lesson.py": """

def _draw_$exercise(rng):
    N, D = rng.choice([3, 4, 5, 6, 7], size=2, replace=False)
    return Case(x=rng.normal(size=(N, D)) + rng.uniform(0.5, 3, size=D))


$exercise = Checks(
    $lesson.$exercise,
    draw=_draw_$exercise,
    truth=lambda case: np.array([[value + value for value in row] for row in case.x]),
    against="eq. $equation, entry by entry",
    terms={"out": (Term("double", "eq. $equation", lambda case: case.x),)},
    slips=(Slip("squared", "This is the square of x. See what eq. $equation does to x.", "out", lambda case: case.x**2),),
    hints=("Where to look: eq. $equation.", "What to write: one product.", "A worked line: for x = 3, out = 6."),
    idea="Multiply by two; the product runs over the whole array.",
)
""",
    "tests/hidden/test_$lesson.py": """

@hidden($lesson.$exercise)
def test_${exercise}_ordinary(judge):
    judge.examine(judge.draw(6))


@hidden($lesson.$exercise)
def test_${exercise}_shapes(judge):
    judge.examine([Case(x=judge.rng.normal(size=shape)) for shape in ((1, 1), (3, 7), (33, 5))])
""",
    "tests/equations/$lesson.py": """
# $exercise
SPEAKS.append(Speaks("$equation", Setting({"x": "N D"}, "out[k, l] = x[k, l] + x[k, l]")))
""",
    "tests/answers/$lesson.txt": """
== $exercise
style product
    return 2 * x
right a sum: return x + x
right lists: return [[2 * value for value in row] for row in x]
wrong double-coefficient
    2 * => 5 *
wrong double-sign
    2 * => -2 *
wrong squared: return x**2
wrong returned-none: 2 * x
wrong input-changed
    x *= 2
    return x
""",
}
"""What an exercise adds to each file of its lesson; its cells are in ``CELLS``."""

CELLS = (
    ("markdown", "## $title\n\n$$$$\n\\mathrm{out}_{kl} = 2\\, x_{kl} \\tag{$equation}\n$$$$"),
    ("markdown", "> **Exercise `$exercise`**\n>\n> Compute ($equation) for a whole batch."),
    ("code", f"@fill($lesson.$exercise)\ndef $exercise(x):\n    {BEGIN}\n    return 2 * x\n    {END}"),
    ("code", "check($lesson.$exercise)"),
)


def new_lesson(root: Path, name: str) -> list[Path]:
    """Write the files of a new lesson with one exercise, behind the lessons that are there.

    Args:
        root: The project's folder.
        name: Name of the lesson's files, for example ``"layer_norm"``.

    Returns:
        The files written.

    Raises:
        AuthoringError: The name is none for a module, or is taken; or this is not the project's folder.
    """
    _need_name(name, "a lesson", "layer_norm")
    sources = _sources(root)
    number = max((int(path.name[:2]) for path in sources), default=0) + 1
    words = {"lesson": name, "key": f"{number:02d}", "title": _title(name)}
    texts = {root / _filled(path, words): _filled(text, words) for path, text in LESSON.items()}
    source = root / "solutions" / f"{number:02d}_{name}.ipynb"
    taken = [path for path in (*texts, *(path for path in sources if path.stem[3:] == name)) if path.exists()]
    if taken:
        raise AuthoringError(f"{taken[0].relative_to(root)}: is there already; choose another name")
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    _write_cells(source, nbformat.v4.new_notebook(), COVER, words)
    new_exercise(root, f"{name}.{FIRST}")
    return [*texts, source]


def new_exercise(root: Path, name: str) -> list[Path]:
    """Add an exercise to the files of a lesson, at their end.

    Args:
        root: The project's folder.
        name: The lesson's name, a dot, the exercise's name.

    Returns:
        The files changed.

    Raises:
        AuthoringError: There is no such lesson, or its exercise is there already.
    """
    lesson, _, exercise = name.partition(".")
    _need_name(exercise, "an exercise", f"{lesson}.{FIRST}")
    source = next((path for path in _sources(root) if path.stem[3:] == lesson), None)
    files = {root / _filled(path, {"lesson": lesson}): text for path, text in EXERCISE.items()}
    lacking = [path for path in files if not path.is_file()]
    if source is None or lacking:
        what = lacking[0].relative_to(root) if lacking else f"solutions/NN_{lesson}.ipynb"
        raise AuthoringError(f"{what}: is not there; bnlib new lesson {lesson} writes all files of a lesson")
    contracts = (root / "bnlib" / "stubs" / f"{lesson}.py").read_text(encoding="utf-8")
    if re.search(rf"^(def|class) {exercise}\b", contracts, re.MULTILINE):
        raise AuthoringError(f"{name}: is there already")
    notebook = nbformat.from_dict(parse(source))
    tags = re.findall(r"\\tag\{\d+\.(\d+)", "\n".join(cell.source for cell in notebook.cells))
    equation = f"{int(source.name[:2])}.{max(map(int, tags), default=0) + 1}"
    words = {"lesson": lesson, "exercise": exercise, "equation": equation, "title": _title(exercise)}
    for path, text in files.items():
        path.write_text(path.read_text(encoding="utf-8").rstrip("\n") + "\n" + _filled(text, words), encoding="utf-8")
    _write_cells(source, notebook, CELLS, words)
    return [*files, source]


def _sources(root: Path) -> list[Path]:
    if not (root / "bnlib" / "stubs").is_dir() or not (root / "solutions").is_dir():
        raise AuthoringError("bnlib/stubs and solutions/ are not here; run this in the project's own folder")
    return sorted((root / "solutions").glob("[0-9][0-9]_*.ipynb"))


def _need_name(name: str, what: str, example: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise AuthoringError(f"{name!r}: {what} needs small letters, digits and underscores, for example {example}")


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _filled(text: str, words: dict[str, str]) -> str:
    return Template(text).substitute(words)


def _write_cells(
    path: Path, notebook: nbformat.NotebookNode, cells: tuple[tuple[str, str], ...], words: dict[str, str]
) -> None:
    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    notebook.cells += [make[kind](_filled(text, words)) for kind, text in cells]
    nbformat.write(notebook, path)
