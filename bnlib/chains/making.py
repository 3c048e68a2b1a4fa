"""Edits of the line above, its derivatives carried out, that lead to a wrong line below it: a term lost, a name taken for a constant."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

from bnlib.chains.bench import MOST_NODES, Bench, as_written
from bnlib.chains.edits import Edit, at_place, count, everywhere, itself, text_of
from bnlib.chains.forms import below, has
from bnlib.chains.mending import EXPONENTS
from bnlib.language.names import Names
from bnlib.language.tree import ONE, ZERO, Node, add, mul, names_of, neg, power, rebuilt, reduce, renamed

if TYPE_CHECKING:
    from bnlib.chains.judge import Ground


def carried_out(ground: Ground, above: Node) -> Iterator[Node]:
    """The line above, and the same with its derivatives carried out one level, two levels, and so on."""
    yield above
    names = ground.names

    def defined(node: Node) -> Node:
        if node.op == "d" and node.args[0].op == "ref":
            name, letters = node.args[0].data
            definition = names.definition(name)
            if definition is not None:
                meaning = renamed(definition.tree, dict(zip(definition.letters, letters, strict=True)))
                return Node("d", (meaning, node.args[1]))
        return rebuilt(node, tuple(map(defined, node.args)))

    if (written := defined(above)) is not above and count(written) <= MOST_NODES:
        yield written

    def deeper(node: Node) -> Node:
        if node.op == "ref" and node.data[0].startswith("d "):
            definition = names.definition(node.data[0])
            assert definition is not None
            return renamed(definition.tree, dict(zip(definition.letters, node.data[1], strict=True)))
        return rebuilt(node, tuple(map(deeper, node.args)))

    tree = names.without_d(above)
    for _ in range(6):
        if tree is above or count(tree) > MOST_NODES:
            return
        yield tree
        above, tree = tree, deeper(tree)


def making(bench: Bench, line: Node) -> Iterator[Edit]:
    """Edits of the line above, as one makes them in passing on to the next line."""
    several_derivatives = any(
        each.op == "mul" and sum(has(factor, "d") for factor in each.args) > 1 for each in below(line)
    )
    derived = sorted({each.data[0] for each in below(bench.tree) if each.op == "ref" and each.data[0].startswith("d ")})
    held = [name for name in derived if not has(line, f"d({name[2:].rpartition(' / d ')[0]})")]
    for names in [*((name,) for name in held), *combinations(held, 2)]:
        moving = " and ".join(name[2:].rpartition(" / d ")[0] for name in names)
        by = names[0].rpartition(" / d ")[2]
        words = f"{moving} depends on {by} as well: the part in which {moving} moves is missing"
        if len(names) > 1:
            words = f"{moving} depend on {by} as well: the parts in which they move are missing"
        left = bench.tree
        for name in names:
            left = _without(left, name)
        if bench.flat(left) is not ZERO:
            yield Edit(itself, left, words, "held-constant", 0.7 + 0.1 * len(names))
    for node, place, _, into in everywhere(bench.tree, bench.start):
        at = at_place(place)
        if node.op == "d" and several_derivatives:
            words = "the derivative of a product is not the product of the derivatives"
            yield Edit(into, _apart(node.args[0], node.args[1], bench.ground.names), words, "product-rule", 0.4)
        if node.op == "add":
            for term in node.args if len(node.args) > 2 else ():
                words = f"of all terms only {text_of(term)} is left"
                yield Edit(into, term, words, "term-missing", 1.15)
            for one, two in (
                combinations(node.args, 2) if len(node.args) > 3 and node is bench.tree and not derived else ()
            ):
                words = f"the terms {text_of(one)} and {text_of(two)} got lost on the way from the line above"
                yield Edit(
                    into, add(*(term for term in node.args if term not in (one, two))), words, "term-missing", 1.25
                )
            for number, term in enumerate(node.args):
                rest = add(*node.args[:number], *node.args[number + 1 :])
                moves = [
                    each.data[0][2:].rpartition(" / d ")[0]
                    for each in below(term)
                    if each.op == "ref" and each.data[0][:2] == "d "
                ]
                if moves:
                    words = (
                        f"the product rule has one more term: the one in which {moves[0]} is differentiated is missing"
                    )
                    yield Edit(into, rest, words, "product-rule", 0.85)
                else:
                    yield Edit(
                        into,
                        rest,
                        f"the term {text_of(as_written(term, bench.ground.names))} got lost",
                        "term-missing",
                        1.1,
                    )
                if not derived:
                    continue
                yield Edit(
                    into,
                    add(*node.args[:number], neg(term), *node.args[number + 1 :]),
                    f"a sign got lost in the derivative, at {text_of(as_written(term, bench.ground.names))}",
                    "sign",
                    1.3,
                )
        if node.op == "mul":
            for number, factor in enumerate(node.args):
                rest = mul(*node.args[:number], *node.args[number + 1 :])
                if factor.op == "ref" and factor.data[0].startswith("d "):
                    of = factor.data[0][2:].rpartition(" / d ")[0]
                    yield Edit(
                        into,
                        rest,
                        f"the chain rule is cut short: the derivative of {of} itself is missing",
                        "chain-rule",
                        1,
                    )
                elif not any(each.op == "ref" and each.data[0].startswith("d ") for each in below(factor)):
                    yield Edit(into, rest, f"{text_of(factor)} got lost{at}", "factor-lost", 1.1)
        if node.op == "reduce" and node.data[0] in ("sum", "mean"):
            kind, over, _ = node.data
            for letter, size in over:
                others = tuple(pair for pair in over if pair[0] != letter)
                for other, counts in place.letters:
                    if counts == size:
                        body = renamed(node.args[0], {letter: other})
                        words = f"the {kind} over {letter} got lost: only its term {letter} = {other} is left"
                        yield Edit(into, reduce(kind, others, body) if others else body, words, "sum-lost", 1)
        if node.op == "pow":
            inside = text_of(as_written(node.args[0], bench.ground.names))
            words = f"the exponent of {inside} {'is wrong in the derivative' if derived else 'got lost on the way from the line above'}"
            for exponent in EXPONENTS:
                if exponent != node.data:
                    yield Edit(into, power(node.args[0], exponent), words, "exponent", 1.1)
        if node.op == "delta":
            yield Edit(into, ONE, f"{text_of(node)} is not 1 everywhere: it got lost{at}", "delta-lost", 1)
            yield Edit(
                into, ZERO, f"{text_of(node)} is not 0 everywhere: what it picks got lost{at}", "delta-lost", 1.15
            )


def _apart(of: Node, by: Node, names: Names) -> Node:
    """What comes out when the derivative of a product is taken to be the product of the derivatives."""
    if of.op in ("add", "neg", "reduce"):
        return rebuilt(of, tuple(_apart(arg, by, names) for arg in of.args))
    if of.op in ("mul", "div"):
        moving = [
            arg
            for arg in of.args
            if any(name == by.data[0] or names.depends(name, by.data[0]) for name in names_of(arg))
        ]
        moving = moving if len(moving) > 1 else list(of.args)
        return rebuilt(of, tuple(Node("d", (arg, by)) if arg in moving else arg for arg in of.args))
    return Node("d", (of, by))


def _without(node: Node, name: str) -> Node:
    """The formula with a derivative taken to be zero."""
    if node.op == "ref":
        return ZERO if node.data[0] == name else node
    return rebuilt(node, tuple(_without(arg, name) for arg in node.args))
