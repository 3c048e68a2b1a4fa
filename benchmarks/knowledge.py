"""Count the lines in which a lesson's mistakes are known: its derivations, rules, words, terms and slips by hand.

These are the arguments ``known``, ``slips``, ``terms`` and ``follows`` of each ``Checks``, what they are made of in the module, and
all that the lessons share.
What else stands there (definitions and inputs, hints, properties, quizzes, the course's own derivations) is no knowledge of
mistakes::

    python benchmarks/knowledge.py
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

CHECKS = Path(__file__).resolve().parent.parent / "bnlib" / "checks"
KNOWLEDGE = {"known", "slips", "terms", "follows"}


def lines_of(text: str) -> tuple[int, int]:
    """How many lines of a module are knowledge of mistakes, and all of them; blank ones count in neither."""
    full = {number for number, line in enumerate(text.splitlines(), 1) if line.strip()}
    body = ast.parse(text).body
    defined = {name: statement for statement in body for name in _defined(statement)}
    wanted, other = [], set()
    for call in (node for node in ast.walk(ast.Module(body, [])) if _called(node) == "Checks"):
        for keyword in call.keywords:  # type: ignore[attr-defined]
            if keyword.arg in KNOWLEDGE:
                wanted.append(keyword)
            else:
                other |= _names(keyword.value, defined)
    found = {line for keyword in wanted for line in range(keyword.lineno, keyword.end_lineno + 1)}
    for name in set().union(*(_names(keyword.value, defined) for keyword in wanted)) - other:
        statement = defined[name]
        first = min([statement.lineno, *(each.lineno for each in getattr(statement, "decorator_list", ()))])
        found |= set(range(first, statement.end_lineno + 1))
    return len(found & full if wanted else full), len(full)


def _called(node: ast.AST) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def _defined(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        yield statement.name
    elif isinstance(statement, ast.Assign):
        yield from (target.id for target in statement.targets if isinstance(target, ast.Name))


def _names(node: ast.AST, defined: dict[str, ast.stmt]) -> set[str]:
    """The module's own names that a formula uses, and those that these use."""
    found: set[str] = set()
    todo = [node]
    while todo:
        for each in ast.walk(todo.pop()):
            if isinstance(each, ast.Name) and each.id in defined.keys() - found:
                found.add(each.id)
                todo.append(defined[each.id])
    return found


def main() -> None:
    total = [0, 0]
    print(f"{'module':<20} {'mistakes':>9} {'all':>6}   lines that are not blank")
    for path in sorted(CHECKS.glob("[!_]*.py")):
        counts = lines_of(path.read_text())
        total = [one + more for one, more in zip(total, counts, strict=True)]
        print(f"{path.stem:<20} {counts[0]:>9} {counts[1]:>6}")
    print(f"{'all':<20} {total[0]:>9} {total[1]:>6}")


if __name__ == "__main__":
    main()
