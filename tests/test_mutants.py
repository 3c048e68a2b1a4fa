"""Small edits of each reference answer: none that changes a result may survive visible check and hidden tests.

A check is only as good as the smallest mistake it notices. Each mutant is the reference answer with one sign, factor, axis,
term, call or constant changed. Those that compute the same numbers all the same are right answers and are left out.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import functools
import io
import textwrap
import warnings

import numpy as np
import pytest
from answering import ROOT, filling, hidden, reference_answers, visible

from bnlib.checks import checks_of, examine
from bnlib.notebooks import parse
from bnlib.release import BEGIN
from bnlib.stubs import lessons


@pytest.fixture
def fill_with():
    with filling() as fill:
        yield fill


SWAPS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult}
CALLS = {"mean": "sum", "sum": "mean", "var": "std", "sqrt": "square", "eye": "ones_like", "maximum": "minimum"}


def edits(node, names):
    """Replacements for one node of the syntax tree; ``names`` are the arguments, which may be taken for each other."""
    if isinstance(node, ast.BinOp) and type(node.op) in SWAPS:
        yield ast.BinOp(node.left, SWAPS[type(node.op)](), node.right)
        yield node.left
        yield node.right
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        for value in (node.value + 1, node.value - 1, node.value * 2):
            if value != node.value:
                yield ast.Constant(value)
    elif isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in CALLS:
            yield ast.Call(ast.Attribute(node.func.value, CALLS[node.func.attr], ast.Load()), node.args, node.keywords)
            if node.args:
                yield node.args[0]
        for index in range(len(node.keywords)):
            yield ast.Call(node.func, node.args, node.keywords[:index] + node.keywords[index + 1 :])
    elif isinstance(node, ast.Tuple) and len(node.elts) > 1 and isinstance(node.ctx, ast.Load):
        yield ast.Tuple([node.elts[1], node.elts[0], *node.elts[2:]], ast.Load())
    elif isinstance(node, ast.Name) and node.id in names:
        for name in names:
            if name != node.id:
                yield ast.Name(name, ast.Load())
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        yield ast.UnaryOp(ast.Not(), node)


def mutants(source):
    """All versions of a function's source with one node changed; the decorator is dropped."""
    tree = ast.parse(textwrap.dedent(source))
    for item in tree.body:
        if isinstance(item, (ast.FunctionDef, ast.ClassDef)):
            item.decorator_list = []
    names = [a.arg for item in tree.body if isinstance(item, ast.FunctionDef) for a in item.args.args]
    for index, node in enumerate(list(ast.walk(tree))):
        for number in range(sum(1 for _ in edits(node, names))):
            changed = copy.deepcopy(tree)
            target = list(ast.walk(changed))[index]
            new = list(edits(target, names))[number]
            for parent in ast.walk(changed):
                for name, value in ast.iter_fields(parent):
                    if value is target:
                        setattr(parent, name, new)
                    elif isinstance(value, list) and any(item is target for item in value):
                        value[next(i for i, item in enumerate(value) if item is target)] = new
            with contextlib.suppress(Exception):
                yield ast.unparse(ast.fix_missing_locations(changed))


def sources():
    for lesson in lessons():
        cells = parse(ROOT / "solutions" / f"{lesson.key}.ipynb")["cells"]
        for cell in cells:
            if BEGIN in cell["source"]:
                yield pytest.param(lesson, cell["id"], cell["source"], id=f"{lesson.name}.{cell['id']}")


@functools.cache
def many_cases(lesson, exercise):
    """Inputs on which a mutant must differ somewhere to count as one."""
    rng = np.random.default_rng(11)
    return [checks_of(lesson.stubs[exercise]).draw(rng) for _ in range(6)]


def changes_a_result(stub, learner, reference):
    checks, cases = checks_of(stub), many_cases(stub.lesson, stub.name)
    with contextlib.redirect_stdout(io.StringIO()):
        report = examine(checks, learner, cases, functools.partial(truth, stub, checks, reference))
    return not report.ok


def truth(stub, checks, reference, case):
    value = checks.run(reference, case)
    values = value if len(stub.returns) > 1 else (value,)
    return tuple(v for name, v in zip(stub.returns, values, strict=True) if name in checks.outputs)


@pytest.mark.parametrize(("lesson", "exercise", "source"), list(sources()))
def test_no_mutant_survives(fill_with, lesson, exercise, source):
    stub = lesson.stubs[exercise]
    tried, survivors = 0, []
    for text in dict.fromkeys(mutants(source)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                learner = fill_with(lesson, text)
            except Exception:
                continue
            tried += 1
            survives = visible(stub).ok and changes_a_result(stub, learner, reference_answers(lesson))
            if survives and not hidden(lesson, exercise, fill_with(lesson, text)):
                survivors.append(text)
    assert tried >= 3, "an answer without anything to change"
    assert not survivors, "\n\n".join(survivors)
