"""How often the judge of derivations is wrong, and how long it takes.

Lines of the course's own derivations are rewritten at random in ways that change nothing: none may be rejected. They are edited at random in
small ways: none whose value changes may be accepted, and most should be named. Run ``python benchmarks/derivations.py --count 10000``.
"""

from __future__ import annotations

import argparse
import collections
import random
import time
from fractions import Fraction

import numpy as np

from bnlib.chains.course import ground_of, judged
from bnlib.chains.judge import Ground, judge
from bnlib.checks import chain_of
from bnlib.language.names import FormulaError, Names
from bnlib.language.reading import LONGEST, read
from bnlib.language.tree import Node, add, div, letters_of, mul, neg, num, power, rebuilt, reduce, ref, renamed
from bnlib.language.writing import plain
from bnlib.stubs import Derivation, lessons

FRESH = "abcegmnopqstuvw"


def derivations() -> list[Derivation]:
    return [stub for lesson in lessons() for stub in lesson.derivations.values()]


def places(node: Node, into=lambda new: new):
    """Every part of a formula, and how to put another in its place."""
    yield node, into
    for number, arg in enumerate(node.args if node.op != "d" else ()):

        def put(new, number=number):
            return into(rebuilt(node, (*node.args[:number], new, *node.args[number + 1 :])))

        yield from places(arg, put)


# -- rewrites that change nothing


def rewrites(node: Node, names: Names, sizes: dict[str, str], rng: random.Random) -> list[Node]:
    """The same formula, written in other ways at its top."""
    found = []
    if node.op in ("add", "mul"):
        shuffled = list(node.args)
        rng.shuffle(shuffled)
        found.append(rebuilt(node, tuple(shuffled)))
    if node.op == "mul":
        for number, factor in enumerate(node.args):
            rest = (*node.args[:number], *node.args[number + 1 :])
            if factor.op == "add":
                found.append(
                    add(*(neg(mul(*rest, t.args[0])) if t.op == "neg" else mul(*rest, t) for t in factor.args))
                )
            if factor.op == "reduce" and factor.data[0] != "variance":
                bound = {letter for letter, _ in factor.data[1]}
                if not bound & mul(*rest).free:
                    found.append(reduce(factor.data[0], factor.data[1], mul(*rest, factor.args[0]), factor.data[2]))
    if node.op == "div":
        found.append(mul(div(num(1), node.args[1]), node.args[0]))
        found.append(mul(node.args[0], power(node.args[1], -1)))
    if node.op == "pow" and node.data == 2:
        found.append(mul(node.args[0], node.args[0]))
    if node.op == "call" and node.data == "sqrt":
        found.append(power(node.args[0], Fraction(1, 2)))
    if node.op == "neg":
        found.append(mul(num(-1), node.args[0]))
    if node.op == "add":
        first, *others = node.args
        reduces = [t for t in node.args if t.op == "reduce" and t.data[0] == "sum"]
        if len(reduces) > 1 and reduces[0].data == reduces[1].data:
            rest = [t for t in node.args if t is not reduces[0] and t is not reduces[1]]
            merged = reduce("sum", reduces[0].data[1], add(reduces[0].args[0], reduces[1].args[0]), reduces[0].data[2])
            found.append(add(merged, *rest))
        found.append(neg(add(neg(first), *(neg(t) for t in others))))
    if node.op == "reduce" and node.data[0] in ("sum", "mean"):
        kind, over, unequal = node.data
        body = node.args[0]
        letter, size = over[0]
        new = rng.choice([c for c in FRESH if c not in letters_of(node) and c not in sizes])
        change = {letter: new}
        pairs = tuple((change.get(a, a), change.get(b, b)) for a, b in unequal)
        found.append(reduce(kind, ((new, size), *over[1:]), renamed(body, change), pairs))
        if body.op == "add":
            found.append(
                add(
                    *(
                        neg(reduce(kind, over, t.args[0], unequal)) if t.op == "neg" else reduce(kind, over, t, unequal)
                        for t in body.args
                    )
                )
            )
        if body.op == "mul":
            bound = {letter for letter, _ in over}
            out = [factor for factor in body.args if not factor.free & bound]
            if out and len(out) < len(body.args):
                found.append(mul(*out, reduce(kind, over, mul(*(f for f in body.args if f not in out)), unequal)))
        if not unequal:
            if kind == "mean":
                found.append(div(reduce("sum", over, body), mul(*(ref(s) for _, s in over))))
            elif len(over) == 1:
                found.append(mul(ref(size), reduce("mean", over, body)))
                same = [free for free, counts in sizes.items() if counts == size and free not in [x for x, _ in over]]
                if same:
                    free = rng.choice(same)
                    found.append(add(reduce("sum", over, body, ((letter, free),)), renamed(body, {letter: free})))
    if node.op == "ref":
        definition = names.definition(node.data[0])
        if definition is not None and definition.letters is not None:
            found.append(renamed(definition.tree, dict(zip(definition.letters, node.data[1], strict=True))))
        if node.data[1]:
            letter = node.data[1][0]
            size = names.sizes_of(node.data[0])[0]
            new = rng.choice([c for c in FRESH if c not in letters_of(node) and c not in sizes])
            picked = mul(Node("delta", (), (new, letter)), ref(node.data[0], (new, *node.data[1][1:])))
            if letter not in node.data[1][1:]:
                found.append(reduce("sum", ((new, size),), picked))
    if node.op == "d" and node.args[0].op == "add":
        found.append(
            add(
                *(
                    neg(Node("d", (t.args[0], node.args[1]))) if t.op == "neg" else Node("d", (t, node.args[1]))
                    for t in node.args[0].args
                )
            )
        )
    if node.op == "d" and node.args[0].op == "mul":
        parts = node.args[0].args
        found.append(
            add(*(mul(*parts[:n], Node("d", (part, node.args[1])), *parts[n + 1 :]) for n, part in enumerate(parts)))
        )
    for size in names.sizes:
        found.append(div(mul(ref(size), node), ref(size)))
    found.append(add(node, num(1), num(-1)))
    return found


def rewritten(tree: Node, ground: Ground, rng: random.Random, times: int) -> Node:
    """A formula rewritten a few times at random places."""
    for _ in range(times):
        spots = list(places(tree))
        node, into = rng.choice(spots)
        if tree.op == "d":
            node, into = tree, lambda new: new
        ways = rewrites(node, ground.names, ground.sizes, rng)
        new = into(rng.choice(ways))
        text = plain(new)
        if len(text) < LONGEST // 2 and len(set(letters_of(new))) <= 7 and readable(text, ground.names):
            tree = read(text, ground.names)
    return tree


def readable(text: str, names: Names) -> bool:
    try:
        read(text, names)
    except FormulaError:
        return False
    return True


# -- edits that change something


def edits(node: Node, names: Names, sizes: dict[str, str]) -> list[tuple[str, Node]]:
    """Small changes at the top of a formula, with the kind of each."""
    found: list[tuple[str, Node]] = [("sign", neg(node))]
    if node.op in ("add", "mul"):
        for number in range(len(node.args)):
            kind = "term" if node.op == "add" else "factor"
            found.append((f"{kind} lost", rebuilt(node, (*node.args[:number], *node.args[number + 1 :]))))
    if node.op == "pow":
        found += [
            ("exponent", power(node.args[0], e)) for e in (node.data + 1, node.data - 1, -node.data, node.data / 2)
        ]
    if node.op == "num":
        found += [("number", num(node.data + 1)), ("number", num(2 * node.data))]
    if node.op == "div":
        found += [("division lost", node.args[0]), ("upside down", mul(*node.args))]
    if node.op == "reduce" and node.data[0] in ("sum", "mean"):
        kind, over, unequal = node.data
        found.append(("sum and mean", reduce("mean" if kind == "sum" else "sum", over, node.args[0], unequal)))
        for free, counts in sizes.items():
            if counts == over[0][1] and len(over) == 1:
                found.append(("sum lost", renamed(node.args[0], {over[0][0]: free})))
    if node.op in ("ref", "delta"):
        letters = node.data[1] if node.op == "ref" else node.data
        for number in range(len(letters)):
            for new in sizes:
                changed = (*letters[:number], new, *letters[number + 1 :])
                found.append(("letter", ref(node.data[0], changed) if node.op == "ref" else Node("delta", (), changed)))
    if node.op == "ref" and node.data[0] not in names.sizes:
        own = names.sizes_of(node.data[0])
        found += [
            ("name", ref(name, node.data[1])) for name in names if names.sizes_of(name) == own and name != node.data[0]
        ]
    if node.op != "add":
        found += [("factor", mul(num(2), node)), ("factor", div(node, ref(names.sizes[0])))]
    return found


def edited(tree: Node, ground: Ground, rng: random.Random) -> tuple[str, Node] | None:
    """A formula with one small edit; None where that is no formula, or has the value it had (on numbers of its own)."""
    node, into = rng.choice(list(places(tree)))
    sizes = dict(ground.names.letter_sizes(tree, ground.sizes))
    ways = edits(node, ground.names, sizes)
    wanted = rng.choice(sorted({kind for kind, _ in ways}))
    kind, new = rng.choice([way for way in ways if way[0] == wanted])
    try:
        text = plain(into(new))
        tree = read(text, ground.names)
        return kind, tree
    except FormulaError:
        return None


def differ(one: Node, other: Node, ground: Ground) -> bool:
    """Whether two formulas have different values, decided in another way than the judge does."""
    for a, b in zip(ground.values(one), ground.values(other), strict=True):
        scale = max(np.max(np.abs(a.value)), np.max(np.abs(b.value)), 1e-9 * np.max(a.size))
        if np.max(np.abs(a.value - b.value)) > 1e-7 * scale:
            return True
    return False


class Tally:
    """What was counted, for the table."""

    def __init__(self) -> None:
        self.right = self.refused = self.rejected = self.wrong = self.accepted = self.named = 0
        self.unnamed: collections.Counter[str] = collections.Counter()
        self.wrong_of: collections.Counter[str] = collections.Counter()
        self.examples: list[str] = []
        self.slowest: list[tuple[float, str]] = []


def run(count: int, seed: int, name: bool = True) -> Tally:
    """Judge ``count`` rewritten and ``count`` edited lines."""
    rng, tally = random.Random(seed), Tally()
    stubs = derivations()
    grounds = {stub.id: ground_of(stub, np.random.default_rng(99)) for stub in stubs}
    while tally.right < count or tally.wrong < count:
        stub = rng.choice(stubs)
        ground = grounds[stub.id]
        ground.work = 0
        lines = chain_of(stub).lines
        line = rng.choice(lines)
        tree = read(line, ground.names)
        if tally.right < count:
            other = rewritten(tree, ground, rng, rng.randint(1, 5))
            tally.right += 1
            found = judge(ground_of(stub), f"{lines[0]}\n= {line}\n= {plain(other)}", name=False)
            if "too many letters" in found.message:
                tally.refused += 1
            elif found.message:
                tally.rejected += 1
                tally.examples.append(f"rejected: {stub.id}: {line}  ->  {plain(other)}: {found.message}")
        if tally.wrong < count:
            begun = rewritten(tree, ground, rng, rng.randint(0, 2))
            kind_and_tree = edited(begun, ground, rng)
            if kind_and_tree is None:
                continue
            kind, other = kind_and_tree
            try:
                if not differ(tree, other, ground):
                    continue
            except FormulaError:
                continue
            began = time.process_time()
            found = judge(ground_of(stub), f"{lines[0]}\n= {line}\n= {plain(other)}", name=name)
            tally.slowest.append((time.process_time() - began, plain(other)))
            tally.wrong += 1
            if not found.message:
                tally.accepted += 1
                tally.examples.append(f"accepted: {stub.id}: {line}  ->  {plain(other)}")
            elif "unnamed" in found.mistakes:
                tally.unnamed[kind] += 1
                tally.examples.append(f"unnamed ({kind}): {stub.id}: {line}  ->  {plain(other)}")
            else:
                tally.named += 1
            tally.wrong_of[kind] += 1
    tally.slowest.sort(reverse=True)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--examples", type=int, default=0)
    options = parser.parse_args()
    tally = run(options.count, options.seed)
    print(f"right lines: {tally.right}, rejected: {tally.rejected}, refused as too much work: {tally.refused}")
    print(
        f"wrong lines: {tally.wrong}, accepted: {tally.accepted}, named: {tally.named} ({tally.named / tally.wrong:.1%})"
    )
    for kind, of in sorted(tally.wrong_of.items()):
        print(f"  {kind:<14} {of - tally.unnamed[kind]:>6} of {of}")
    times = [seconds for seconds, _ in tally.slowest]
    print(
        f"a wrong line: {1e3 * times[len(times) // 2]:.0f} ms at the median, {1e3 * times[len(times) // 100]:.0f} ms at 99 %, {1e3 * times[0]:.0f} ms at most"
    )
    for stub in derivations():
        began = time.process_time()
        judged(stub, chain_of(stub).text)
        print(f"  {stub.id:<36} {1e3 * (time.process_time() - began):>5.0f} ms")
    shown = [example for example in tally.examples if not example.startswith("unnamed")]
    for example in [*shown, *[e for e in tally.examples if e.startswith("unnamed")][: options.examples]]:
        print(example)


if __name__ == "__main__":
    main()
