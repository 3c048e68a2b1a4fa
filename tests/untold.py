"""What learners are not to read: lines of the sealed files, of the reference answers and of the course's derivations."""

from pathlib import Path

from bnlib import sealed
from bnlib.checks import answer_of, chain_of
from bnlib.notebooks import parse
from bnlib.release import BEGIN, END, sources
from bnlib.stubs import lessons

ROOT = Path(__file__).parent.parent
BNLIB = ROOT / "bnlib"

GRAMMAR = ("from ", "import ", "except ", "def ", "class ", "with np.errstate(", "@")
"""Lines that begin so are found in many programs and tell no answer."""


def secrets():
    """Lines of the sealed files that say something: formulas, messages, keys."""
    for path in sorted(BNLIB.rglob("*")):
        name = path.relative_to(BNLIB).as_posix()
        if path.is_file() and "__pycache__" not in path.parts and sealed.is_sealed(name):
            for line in path.read_text(encoding="utf-8").splitlines():
                told = len(line.strip()) > 24 and set(line) & set("()[]*/+-=")
                if told and not line.strip().startswith(GRAMMAR):
                    yield name, line.strip()


def answers():
    """Lines between the marks of a solution: of functions and of derivations."""
    for path in sources(ROOT / "solutions"):
        for cell in parse(path)["cells"]:
            if BEGIN in cell["source"]:
                for line in cell["source"].split(BEGIN)[1].split(END)[0].splitlines():
                    yield from _told(cell["id"], line.strip().removeprefix("= "))


def _told(where, line):
    """The line, unless it is so short that it stands in any text."""
    if len(line) > 12:
        yield where, line


def chains():
    """Lines of the course's derivations, without the first, which the answer cell shows."""
    for lesson in lessons():
        for stub in lesson.derivations.values():
            for line in chain_of(stub).lines[1:]:
                yield from _told(stub.id, line)


def verdicts():
    """What is said of each choice of a quiz."""
    for lesson in lessons():
        for question in lesson.quizzes.values():
            yield from ((question.id, why) for why in answer_of(question).why.values())
