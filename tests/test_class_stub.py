"""An exercise may be a class: its contract, ``fill``, the released skeleton, and what a source must hold."""

import ast
import inspect
from pathlib import Path

import nbformat
import pytest

from bnlib.checks import report_on
from bnlib.exercises import SignatureError, fill
from bnlib.release import BEGIN, END, ReleaseError, normalise, released
from bnlib.stubs import Lesson, NotFilledError, lesson_of, stub_source


@pytest.fixture
def stub():
    lesson = Lesson("99_made_up", "Made up")

    @lesson.exercise(returns=("out",), points=1, minutes=1, difficulty=1, equation="9.1")
    class Adder:
        """Adds a number.

        Attributes:
            n: The number.
        """

        def __init__(self, n=1, word="x"):
            """Keep n."""

        def add(self, x):
            """Add it.

            Args:
                x: A number.
            """

        def forget(self):
            """Start again."""

    return Adder


def test_the_contract_tells_signature_and_methods(stub):
    assert stub.name == "Adder"
    assert stub.parameters == ("n", "word")
    assert list(stub.methods) == ["__init__", "add", "forget"]
    assert "Adds a number." in stub.__doc__


def test_a_function_has_no_methods():
    lesson = Lesson("99_made_up", "Made up")

    @lesson.exercise(returns=("y",), points=1, minutes=1, difficulty=1, equation="9.1")
    def f(x):
        """Something."""

    assert f.methods == {}


def test_an_empty_class_says_where_to_write_it(stub):
    with pytest.raises(NotFilledError, match="Adder is still empty"):
        stub(3)


def test_fill_hands_the_class_back_and_the_stub_makes_objects(stub):
    @fill(stub)
    class Adder:
        def __init__(self, n=1, word="x"):
            self.n = n

        def add(self, x):
            return self.n + x

        def forget(self):
            self.n = 0

    assert inspect.isclass(Adder)
    assert stub(3).add(4) == 7
    assert isinstance(stub(3), Adder)


def test_inherited_methods_and_other_names_of_arguments_are_fine(stub):
    class Base:
        def __init__(self, a=1, b=2, c=3):
            self.a = a

        def forget(self):
            pass

    @fill(stub)
    class Adder(Base):
        def add(self, number, more=0):
            return self.a + number

    assert stub(1).add(1) == 2


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ("def add(self, x): pass", "yours is Adder()"),
        ("def __init__(self, n, word): pass\n    def add(self, x): pass", "needs a method forget"),
        (
            "def __init__(self, n, word): pass\n    def add(self): pass\n    def forget(self): pass",
            r"Adder.add(self, x) is the method that is needed, and yours is add(self)",
        ),
        (
            "def __init__(self): pass\n    def add(self, x): pass\n    def forget(self): pass",
            "called as Adder(n, word)",
        ),
    ],
    ids=["no __init__", "a method is missing", "a method takes too little", "__init__ takes too little"],
)
def test_fill_refuses_a_class_that_cannot_be_called_as_needed(stub, methods, words):
    namespace = {}
    exec(f"class Adder:\n    {methods}\n", namespace)
    with pytest.raises(SignatureError) as refused:
        fill(stub)(namespace["Adder"])
    assert words in str(refused.value)
    assert stub.answer is None


def test_fill_refuses_what_cannot_be_called(stub):
    with pytest.raises(SignatureError, match="a class is needed under @fill"):
        fill(stub)(3)


def test_the_skeleton_holds_every_signature_and_docstring(stub):
    source = stub_source(stub, "# mine\n")
    assert source.startswith("# mine\n@fill(made_up.Adder)\nclass Adder:\n")
    (node,) = ast.parse(source).body
    assert ast.get_docstring(node).strip() == inspect.getdoc(stub.contract)
    methods = {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
    assert list(methods) == ["__init__", "add", "forget"]
    for name, contract in stub.methods.items():
        assert ast.get_docstring(methods[name]).strip() == inspect.getdoc(contract)
        assert ast.unparse(methods[name].args) == str(inspect.signature(contract))[1:-1]
    assert not [line for line in source.splitlines() if line != line.rstrip()]


def test_the_skeleton_runs_and_every_method_says_that_it_is_empty(stub):
    namespace = {"fill": fill, "made_up": type("made_up", (), {"Adder": stub})}
    exec(stub_source(stub), namespace)
    with pytest.raises(NotImplementedError, match="^Adder is still empty$"):
        stub()
    for method, arguments in (("add", (1,)), ("forget", ())):
        empty = object.__new__(namespace["Adder"])
        with pytest.raises(NotImplementedError, match=f"^Adder.{method} is still empty$"):
            getattr(empty, method)(*arguments)


ANSWER = f"""@fill(made_up.Adder)
class Adder:
    {BEGIN}
    def __init__(self, n=1, word="x"):
        self.n = n

    def add(self, x):
        return self.n + x

    def forget(self):
        self.n = 0

    def helper(self):
        return 1
    {END}"""


@pytest.fixture
def source(stub, monkeypatch):
    """A made-up source notebook with one answer cell, normalised as ``bnlib build`` does."""
    monkeypatch.setattr("bnlib.release.lesson_of", lambda key: stub.lesson)

    def make(answer):
        cells = [nbformat.v4.new_code_cell(answer), nbformat.v4.new_code_cell("check(made_up.Adder)")]
        notebook = nbformat.v4.new_notebook(cells=cells)
        normalise(notebook, Path("99_made_up.ipynb"))
        return notebook

    return make


def test_a_source_with_a_class_is_released_as_its_skeleton(source, stub):
    notebook = source(ANSWER)
    assert notebook.cells[0].id == "Adder"
    learners = released(notebook, Path("99_made_up.ipynb"))
    (handed,) = (cell.source for cell in learners.cells if cell.id == "Adder")
    assert handed == stub_source(stub)
    assert "self.n" not in handed
    own = source(ANSWER.replace("class Adder:", 'class Adder:\n    """Adds."""'))
    assert own.cells[0].source == notebook.cells[0].source, "the contract's docstring is the one"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("class Adder:", "class Other:", "defines no class Adder"),
        ("def forget(self)", "def drop(self)", "has no method forget"),
        ("def add(self, x)", "def add(self, y)", "takes ('self', 'y') in add, its contract ('self', 'x')"),
        ("self.n = 0", '"""Forget."""', "has methods with docstrings"),
        (END, "", "needs one region"),
    ],
)
def test_a_source_that_disagrees_with_its_contract_is_refused(source, old, new, words):
    with pytest.raises(ReleaseError) as refused:
        source(ANSWER.replace(old, new))
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("written", "words"),
    [((), "write it in the cell above"), (("__init__", "parameters"), "BatchNorm.forward is still empty")],
)
def test_the_check_says_which_method_is_still_empty(written, words):
    real = lesson_of("layer").stubs["BatchNorm"]
    namespace = {"fill": fill, "layer": type("layer", (), {"BatchNorm": real})}
    exec(stub_source(real), namespace)
    for name in written:
        setattr(namespace["BatchNorm"], name, lambda self, *_: None if _ else [0.0] * 6)
    try:
        report = report_on(real)
    finally:
        real.answer = None
    assert report.names == ("empty",)
    assert words in report.message
