"""Small random edits of a function: one sign, factor, axis, term, call or constant changed."""

from __future__ import annotations

import ast
import contextlib
import copy
import textwrap
from collections.abc import Iterator

SWAPS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult}
CALLS = {"mean": "sum", "sum": "mean", "var": "std", "sqrt": "square", "eye": "ones_like", "maximum": "minimum"}


def edits(node: ast.AST, names: list[str]) -> Iterator[ast.AST]:
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


def mutants(source: str) -> Iterator[str]:
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
