"""Name the mistake in a line that does not equal the one above: the smallest edit that makes the two equal, in words.

Two ways lead there. *Mending*: an edit of the learner's line gives it the value of the line above. *Making*: an edit of the line above, its
derivatives carried out, gives the value of the learner's line. An edit is named when it does so on every draw, and only then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from bnlib.chains.forms import below, has
from bnlib.language.names import FormulaError
from bnlib.language.tree import (
    ONE,
    ZERO,
    Node,
    add,
    div,
    letters_of,
    mul,
    neg,
    num,
    power,
    rebuilt,
    reduce,
    ref,
    renamed,
)
from bnlib.language.writing import plain
from bnlib.numerics import Array

if TYPE_CHECKING:
    from bnlib.chains.judge import Ground

_Into = Callable[[Node], Node]

CLOSE = 1e-10
MOST_EDITS = 2_500
MOST_WORK = 4_000_000
"""How many numbers all edits together may make on one draw."""

MOST_NODES = 400
"""Longer lines are compared and not searched."""

MAKING = 0.5
"""What an edit of the line above costs more: of two explanations, the one that can be seen in the learner's own line is said."""

_EXPONENTS = [Fraction(n, 2) for n in (-6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 6)]
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


@dataclass(frozen=True)
class Edit:
    """A changed formula, and what it would mean if it were the right one.

    Attributes:
        tree: The changed formula.
        words: The mistake, in words that follow "line 4:".
        name: Its name, for counting.
        cost: Of two that explain a line, the cheaper is said.
    """

    tree: Node
    words: str
    name: str
    cost: float


@dataclass(frozen=True)
class Place:
    """Where in a line one is: in which term, inside which sum, with which letters at hand."""

    letters: tuple[tuple[str, str], ...]
    term: int | None = None
    sums: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """``in the third term, inside its sum``."""
        term = f"in the {_ORDINALS[self.term]} term" if self.term is not None and self.term < len(_ORDINALS) else ""
        inside = f"inside the {self.sums[-1]}" if self.sums else ""
        return ", ".join(filter(None, (term, inside)))


def slip(ground: Ground, above: Node, line: Node) -> tuple[str, tuple[str, ...]] | None:
    """The mistake that leads from the line above to this one, in words, and its name; None where nobody knows.

    Args:
        ground: Where the lines are compared.
        above: The line above.
        line: The line that does not equal it.
    """
    wanted, got = ([each.value for each in ground.values(tree)] for tree in (above, line))
    mended = _Bench(ground, line, wanted)
    mended.brackets = tuple(
        dict.fromkeys(
            arg
            for tree in (above, line)
            for node in below(tree)
            if node.op == "mul"
            for arg in node.args
            if arg.op == "add"
        )
    )
    ways = [mended]
    if any(np.max(np.abs(each)) > CLOSE * scale for each, scale in zip(got, ground.scale, strict=True)):
        ways += [
            _Bench(ground, tree, got) for tree in _carried_out(ground, above)
        ]  # many slips lead to a line of zeros
    found: list[tuple[float, int, _Bench, Edit]] = []
    for number, bench in enumerate(ways):
        if bench.usable:
            edits = _mending(bench) if number == 0 else _making(bench, line)
            found += [(edit.cost + (MAKING if number else 0), number, bench, edit) for edit in edits]
    found.sort(key=lambda item: item[:2])
    left = MOST_WORK
    seen: set[tuple[int, Node]] = set()
    for _, number, bench, edit in found[:MOST_EDITS]:
        left -= bench.work
        if left < 0:
            break
        if (number, edit.tree) not in seen and bench.fits(edit.tree):
            return edit.words, (edit.name,)
        seen.add((number, edit.tree))
    return None


class _Bench:
    """One line on which edits are tried, and the values that an edit has to give."""

    def __init__(self, ground: Ground, tree: Node, wanted: list[Array]) -> None:
        self.ground, self.tree, self.wanted = ground, tree, wanted
        self.brackets: tuple[Node, ...] = ()
        self.usable = _count(tree) <= MOST_NODES
        if not self.usable:
            return
        names = ground.names
        self._flat: dict[Node, Node] = {}
        self.sizes = {**names.letter_sizes(self.flat(tree), ground.sizes), **ground.sizes}
        spare = [f"{letter}''" for letter in ground.letters]
        letters = [*dict.fromkeys((*ground.letters, *letters_of(self.flat(tree)), *letters_of(tree))), *spare]
        self.contexts = []
        for values in ground.draws:
            lengths = {
                letter: values.lengths[self.sizes.get(letter.rstrip("'"), letter)]
                for letter in letters
                if self.sizes.get(letter.rstrip("'"), letter) in values.lengths
            }
            self.contexts.append(values.context(lengths))
        self.work = ground.draws[0].work(self.flat(tree), ground.sizes)
        self.scales = [
            max(float(np.max(np.abs(each))), 1e-3 * scale) for each, scale in zip(wanted, ground.scale, strict=True)
        ]

    def flat(self, node: Node) -> Node:
        """The formula with its derivatives carried out."""
        found = self._flat.get(node)
        if found is None:
            found = (
                self.ground.names.without_d(node) if node.op == "d" else rebuilt(node, tuple(map(self.flat, node.args)))
            )
            self._flat[node] = found
        return found

    def fits(self, tree: Node) -> bool:
        """Whether a formula has the values wanted, on every draw."""
        try:
            flat = self.flat(tree)
            for context, wanted, scale in zip(self.contexts, self.wanted, self.scales, strict=True):
                if not flat.free <= set(self.ground.letters):
                    return False
                with np.errstate(all="ignore"):
                    got = context.of(flat, self.ground.letters)
                if not np.max(np.abs(got - wanted)) <= CLOSE * scale:
                    return False
        except (FormulaError, KeyError, AssertionError):
            return False
        return True

    @property
    def start(self) -> Place:
        return Place(tuple(self.ground.sizes.items()))

    def factors(self, place: Place) -> Iterator[tuple[Node, bool]]:
        """What a term may be multiplied by in error, or lack; True where it is a number."""
        names = self.ground.names
        for size in names.sizes:
            yield ref(size), True
        yield num(2), True
        for name in names:
            for letters in _choices(names.sizes_of(name), place.letters):
                yield ref(name, letters), False
        known = dict(place.letters)
        for bracket in self.brackets:
            for old in sorted(bracket.free):
                for new, size in place.letters:
                    if self.sizes.get(old) == size and bracket.free - {old} <= known.keys():
                        yield renamed(bracket, {old: new}), False
        for one, two in combinations(place.letters, 2):
            if one[1] == two[1]:
                yield Node("delta", (), (one[0], two[0])), False


def _choices(sizes: tuple[str, ...], letters: tuple[tuple[str, str], ...]) -> list[tuple[str, ...]]:
    """Every way of giving letters to the axes of a name."""
    found: list[tuple[str, ...]] = [()]
    for size in sizes:
        found = [(*before, letter) for before in found for letter, counts in letters if counts == size]
    return found


def _parts(node: Node, place: Place) -> Iterator[tuple[Node, Place]]:
    """The formulas that a node is made of, and where each stands."""
    for number, arg in enumerate(node.args if node.op != "d" else node.args[:1]):
        if node.op == "add":
            yield arg, Place(place.letters, number if place.term is None else place.term, place.sums)
        elif node.op == "reduce":
            kind, over, _ = node.data
            known = tuple((letter, size) for letter, size in place.letters if letter not in dict(over))
            yield arg, Place((*known, *over), place.term, (*place.sums, f"{kind} over {over[0][0]}"))
        else:
            yield arg, place


def _everywhere(
    node: Node, place: Place, role: str = "term", into: _Into = lambda new: new
) -> Iterator[tuple[Node, Place, str, _Into]]:
    """Every part of a formula with its place, its role (term or factor), and how to put another in its place."""
    yield node, place, role, into
    for number, (arg, there) in enumerate(_parts(node, place)):
        inner = "term" if node.op in ("add", "reduce", "d") or (node.op == "neg" and role == "term") else "factor"

        def put(new: Node, number: int = number) -> Node:
            return into(rebuilt(node, (*node.args[:number], new, *node.args[number + 1 :])))

        yield from _everywhere(arg, there, inner, put)


def _shown(node: Node) -> str:
    text = plain(node)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _at(place: Place) -> str:
    return f" {place.words}" if place.words else ""


def _mending(bench: _Bench) -> Iterator[Edit]:
    """Edits of the learner's line."""
    for node, place, role, into in _everywhere(bench.tree, bench.start):
        at = _at(place)
        if role == "term" and node.op != "add":
            body = node.args[0] if node.op == "neg" else node
            if node.op != "neg":
                what = (
                    f"the sign of {_shown(body)} is wrong"
                    if node is not bench.tree
                    else "the sign of the line is wrong"
                )
                yield Edit(into(neg(node)), f"{what}{at if place.sums else ''}", "sign", 1)
            else:
                yield Edit(into(body), f"the sign of -{_shown(body)} is wrong{at if place.sums else ''}", "sign", 1)
        if role == "term" and node.op != "neg":
            yield from _factors(bench, node, place, into)
        if node.op == "add":
            yield from _terms(node, place, into)
            yield from _brackets(node, place, into)
        if node.op == "mul":
            for number, factor in enumerate(node.args):
                rest = mul(*node.args[:number], *node.args[number + 1 :])
                yield Edit(into(rest), f"{_shown(factor)} is one factor too many{at}", "factor-extra", 1.05)
                if factor.op in ("ref", "call", "pow", "add"):
                    words = f"{_shown(factor)} is a factor{at}, and should divide"
                    yield Edit(into(div(rest, factor)), words, "upside-down", 1.2)
        if node.op == "div":
            yield Edit(
                into(node.args[0]), f"the division by {_shown(node.args[1])} is one too many{at}", "factor-extra", 1.05
            )
        if node.op in ("mul", "div"):
            yield from _fractions(node, place, into)
        if node.op == "pow":
            for exponent in _EXPONENTS:
                if exponent != node.data:
                    words = f"the exponent of {_shown(node.args[0])} is wrong{at}"
                    yield Edit(into(power(node.args[0], exponent)), words, "exponent", 0.98)
        if node.op == "call" and node.data == "sqrt":
            for exponent in _EXPONENTS[:5] + _EXPONENTS[7:9]:
                words = f"the power of {_shown(node.args[0])} is wrong{at}: a root or a square got lost"
                yield Edit(into(power(node.args[0], exponent)), words, "exponent", 1.1)
        if node.op == "reduce":
            yield from _reductions(bench, node, place, into)
        if node.op in ("ref", "delta"):
            yield from _exchanges(bench, node, place, into)
        if role == "factor" or node.op == "reduce" or node is bench.tree:
            yield from _missing_terms(bench, node, place, into)


def _factors(bench: _Bench, node: Node, place: Place, into: _Into) -> Iterator[Edit]:
    """A term that lacks a factor, or has one too many."""
    at, n = _at(place), bench.ground.names.sizes
    for factor, number in bench.factors(place):
        cost = 1.0 if number or factor.op == "delta" else 1.2
        shown = _shown(factor)
        lost, extra = f"{shown} is missing", f"{shown} is one factor too many"
        if number:
            lost, extra = f"a factor {shown} is missing", f"there is a factor {shown} too many"
            if shown in n:
                lost, extra = f"1/{shown} is one factor too many", f"1/{shown} is missing"
        where = at or ("" if node is bench.tree else f" in {_shown(node)}")
        yield Edit(into(mul(factor, node)), f"{lost}{where}", "one-over-n" if shown in n else "factor-lost", cost)
        if factor.op != "delta":
            yield Edit(into(div(node, factor)), f"{extra}{where}", "one-over-n" if shown in n else "factor-extra", cost)
    for size in n:
        ratio = div(add(ref(size), num(-1)), ref(size))
        words = f"{size} - 1 stands where {size} belongs, or the other way round{at}"
        yield Edit(into(mul(ratio, node)), words, "bessel", 1.1)
        yield Edit(into(div(node, ratio)), words, "bessel", 1.1)


def _terms(node: Node, place: Place, into: _Into) -> Iterator[Edit]:
    """A term too many; the signs of all terms but the first."""
    for number, term in enumerate(node.args):
        rest = add(*node.args[:number], *node.args[number + 1 :])
        yield Edit(into(rest), f"the term {_shown(term)} is one too many", "term-extra", 1.25)
    if len(node.args) > 2:
        turned = add(node.args[0], *(neg(term) for term in node.args[1:]))
        words = (
            f"after {_shown(node.args[0])} all signs are wrong: a minus in front of a bracket turns every sign in it"
        )
        yield Edit(into(turned), words, "sign", 1.15)


def _brackets(node: Node, place: Place, into: _Into) -> Iterator[Edit]:
    """Terms that belong together before they are multiplied or divided."""
    first, *_, last = node.args
    minus = last.op == "neg"
    body = last.args[0] if minus else last
    together = f"brackets are missing{_at(place)}: "
    if body.op == "mul":
        for cut in range(1, len(body.args)):
            near, far = mul(*body.args[:cut]), mul(*body.args[cut:])
            inner = add(*node.args[:-1], neg(near) if minus else near)
            words = f"{together}{_shown(far)} belongs to all of {_shown(inner)}"
            yield Edit(into(mul(inner, far)), words, "bracket", 1.05)
    if body.op == "div":
        inner = add(*node.args[:-1], neg(body.args[0]) if minus else body.args[0])
        yield Edit(
            into(div(inner, body.args[1])),
            f"{together}/ {_shown(body.args[1])} belongs to all of {_shown(inner)}",
            "bracket",
            1.05,
        )
    lead = first.args[0] if first.op == "neg" else first
    if lead.op == "mul":
        for cut in range(1, len(lead.args)):
            front, back = mul(*lead.args[:cut]), mul(*lead.args[cut:])
            rest = [neg(term) for term in node.args[1:]] if first.op == "neg" else list(node.args[1:])
            whole = mul(front, add(back, *rest))
            words = f"{together}{_shown(front)} belongs to all terms, and stands at the first only"
            yield Edit(into(neg(whole) if first.op == "neg" else whole), words, "bracket", 1.05)


def _fractions(node: Node, place: Place, into: _Into) -> Iterator[Edit]:
    """What belongs below a fraction bar and stands beside it."""
    if node.op == "mul":
        for number, factor in enumerate(node.args[:-1]):
            if factor.op == "div":
                rest = node.args[number + 1 :]
                below = mul(factor.args[1], *rest)
                words = f"brackets are missing{_at(place)}: / reaches to the next factor only, so {_shown(mul(*rest))} is not below it"
                yield Edit(into(mul(*node.args[:number], div(factor.args[0], below))), words, "bracket", 1.02)
    elif node.op == "div":
        above, below = node.args
        yield Edit(
            into(mul(above, below)),
            f"the division by {_shown(below)} should be a product{_at(place)}",
            "upside-down",
            1.1,
        )


def _reductions(bench: _Bench, node: Node, place: Place, into: _Into) -> Iterator[Edit]:
    """A sum for a mean, a sum that is used up, a sum that leaves one out."""
    kind, over, unequal = node.data
    body, at = node.args[0], _at(place)
    letter, size = over[0]
    if kind in ("sum", "mean"):
        other = "mean" if kind == "sum" else "sum"
        words = f"the {kind} over {letter} should be a {other}{at}: 1/{size} is {'missing' if kind == 'sum' else 'one too many'}"
        yield Edit(into(reduce(other, over, body, unequal)), words, f"{kind}-for-{other}", 0.95)
    left = tuple(pair for pair in over if pair[0] in body.free)
    if len(left) < len(over):
        gone = next(pair[0] for pair in over if pair not in left)
        for free in bench.ground.letters:
            if bench.ground.sizes[free] == dict(over)[gone]:
                words = f"nothing in the {kind} over {gone} depends on {gone}{at}: {free} stands where {gone} belongs"
                yield from _renamed_somewhere(node, into, free, gone, over, words, "index")
        words = f"the {kind} over {gone} still stands{at}, though nothing in it depends on {gone}: the delta that was used has eaten it"
        yield Edit(into(reduce(kind, left, body, unequal) if left else body), words, "sum-left", 0.9)
    if unequal:
        words = f"the {kind} over {letter} leaves out {unequal[0][0]} = {unequal[0][1]}{at}, and should not"
        yield Edit(into(reduce(kind, over, body)), words, "left-out", 1)
    for other_letter, counts in place.letters:
        if counts != size or kind == "variance":
            continue
        if not unequal:
            words = f"the {kind} over {letter} should leave out {letter} = {other_letter}{at}"
            yield Edit(into(reduce(kind, over, body, ((letter, other_letter),))), words, "left-out", 1.1)
        if letter in body.free and len(over) == 1:
            words = f"the {kind} over {letter} still stands{at}: of it one term is left, the one that the delta picks"
            yield Edit(into(renamed(body, {letter: other_letter})), words, "sum-left", 1.05)
    if letter in bench.ground.letters:
        yield from _free_and_summed(node, into, letter)


def _free_and_summed(node: Node, into: _Into, letter: str) -> Iterator[Edit]:
    """A sum over a letter that was free already: some of its places belong to the sum, some do not."""
    kind, over, _ = node.data
    spare = f"{letter}''"
    change = tuple((spare if each == letter else each, size) for each, size in over)
    words = f"{letter} is summed and free at once: take another letter for the {kind}"
    yield from _renamed_somewhere(node, into, letter, spare, change, words, "summed-and-free")


def _renamed_somewhere(
    node: Node, into: _Into, old: str, new: str, over: tuple[tuple[str, str], ...], words: str, name: str
) -> Iterator[Edit]:
    """A letter exchanged for another in some of its places inside a sum."""
    kind, _, unequal = node.data
    spots = [path for path, _ in _paths(node.args[0], old)]
    for count in range(1, len(spots) + 1 if len(spots) <= 6 else 2):
        for chosen in combinations(spots, count):
            body = node.args[0]
            for path in chosen:
                body = _with_letter(body, path, old, new)
            yield Edit(into(reduce(kind, over, body, unequal)), words, name, 0.9)


def _paths(node: Node, letter: str, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Node]]:
    """Where a free letter stands."""
    if letter not in node.free:
        return
    if node.op in ("ref", "delta"):
        yield path, node
    for number, arg in enumerate(node.args):
        yield from _paths(arg, letter, (*path, number))


def _with_letter(node: Node, path: tuple[int, ...], old: str, new: str) -> Node:
    if not path:
        return renamed(node, {old: new})
    number = path[0]
    changed = _with_letter(node.args[number], path[1:], old, new)
    return Node(node.op, (*node.args[:number], changed, *node.args[number + 1 :]), node.data)


def _exchanges(bench: _Bench, node: Node, place: Place, into: _Into) -> Iterator[Edit]:
    """Another letter, another quantity, the mean not subtracted."""
    at, sizes = _at(place), dict(place.letters)
    letters = node.data[1] if node.op == "ref" else node.data
    for number, letter in enumerate(letters):
        for other, size in place.letters:
            if other != letter and sizes.get(letter) == size:
                new = (*letters[:number], other, *letters[number + 1 :])
                tree = (
                    ref(node.data[0], new)
                    if node.op == "ref"
                    else (ONE if new[0] == new[1] else Node("delta", (), new))
                )
                yield Edit(
                    into(tree),
                    f"the letter {letter} of {_shown(node)} is wrong{at}: another belongs there",
                    "index",
                    1.1,
                )
    if node.op != "ref":
        return
    names = bench.ground.names
    own = names.sizes_of(node.data[0])
    for name in names:
        if name != node.data[0] and names.sizes_of(name) == own:
            yield Edit(into(ref(name, letters)), f"{_shown(node)} stands where {name} belongs{at}", "exchanged", 1.3)
    for name in names:
        rest = names.sizes_of(name)
        if len(rest) < len(own) and set(rest) <= set(own):
            minus = ref(name, tuple(letter for letter, size in zip(letters, own, strict=True) if size in rest))
            yield Edit(
                into(add(node, neg(minus))),
                f"{_shown(minus)} is not subtracted from {_shown(node)}{at}",
                "not-centred",
                1.35,
            )


def _missing_terms(bench: _Bench, node: Node, place: Place, into: _Into) -> Iterator[Edit]:
    """A bracket that lacks a small term."""
    sizes = bench.ground.names.sizes
    small = [(ONE, "1"), *((div(ONE, ref(size)), f"1/{size}") for size in sizes)]
    small += [
        (factor, _shown(factor)) for factor, number in bench.factors(place) if factor.op == "delta" and not number
    ]
    for term, shown in small:
        if term is not node:
            words = f"a term {shown} is missing beside {_shown(node)}{_at(place)}, or its sign is wrong"
            yield Edit(into(add(node, neg(term))), words, "term-missing", 1.5)
            yield Edit(into(add(node, term)), words, "term-missing", 1.5)


def _carried_out(ground: Ground, above: Node) -> Iterator[Node]:
    """The line above, and the same with its derivatives carried out one level, two levels, and so on."""
    yield above
    names = ground.names

    def deeper(node: Node) -> Node:
        if node.op == "ref" and node.data[0].startswith("d "):
            definition = names.definition(node.data[0])
            assert definition is not None
            return renamed(definition.tree, dict(zip(definition.letters, node.data[1], strict=True)))
        return rebuilt(node, tuple(map(deeper, node.args)))

    tree = names.without_d(above)
    for _ in range(6):
        if tree is above or _count(tree) > MOST_NODES:
            return
        yield tree
        above, tree = tree, deeper(tree)


def _making(bench: _Bench, line: Node) -> Iterator[Edit]:
    """Edits of the line above, as one makes them in passing on to the next line."""
    derived = any(each.op == "ref" and each.data[0].startswith("d ") for each in below(bench.tree))
    for name in sorted(
        {each.data[0] for each in below(bench.tree) if each.op == "ref" and each.data[0].startswith("d ")}
    ):
        of, _, by = name[2:].rpartition(" / d ")
        words = f"{of} depends on {by} as well: the part in which {of} moves is missing"
        left = _without(bench.tree, name)
        if bench.flat(left) is not ZERO and not has(line, f"d({of})"):
            yield Edit(left, words, "held-constant", 0.8)
    for node, place, _, into in _everywhere(bench.tree, bench.start):
        at = _at(place)
        if node.op == "add":
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
                    yield Edit(into(rest), words, "product-rule", 0.85)
                else:
                    yield Edit(into(rest), f"the term {_shown(term)} of the line above got lost", "term-missing", 1.1)
                if not derived:
                    continue
                yield Edit(
                    into(add(*node.args[:number], neg(term), *node.args[number + 1 :])),
                    f"a sign got lost in the derivative, at {_shown(_plainly(term))}",
                    "sign",
                    1.3,
                )
        if node.op == "mul":
            for number, factor in enumerate(node.args):
                rest = mul(*node.args[:number], *node.args[number + 1 :])
                if factor.op == "ref" and factor.data[0].startswith("d "):
                    of = factor.data[0][2:].rpartition(" / d ")[0]
                    yield Edit(
                        into(rest),
                        f"the chain rule is cut short: the derivative of {of} itself is missing",
                        "chain-rule",
                        1,
                    )
                elif not any(each.op == "ref" and each.data[0].startswith("d ") for each in below(factor)):
                    yield Edit(into(rest), f"{_shown(factor)} got lost{at}", "factor-lost", 1.1)
        if node.op == "reduce" and node.data[0] in ("sum", "mean"):
            kind, over, _ = node.data
            for letter, size in over:
                others = tuple(pair for pair in over if pair[0] != letter)
                for other, counts in place.letters:
                    if counts == size:
                        body = renamed(node.args[0], {letter: other})
                        words = f"the {kind} over {letter} got lost: only its term {letter} = {other} is left"
                        yield Edit(into(reduce(kind, others, body) if others else body), words, "sum-lost", 1)
        if node.op == "pow":
            words = f"the exponent of {_shown(_plainly(node.args[0]))} is wrong in the derivative"
            for exponent in _EXPONENTS:
                if exponent != node.data:
                    yield Edit(into(power(node.args[0], exponent)), words, "exponent", 1.1)
        if node.op == "delta":
            yield Edit(into(ONE), f"{_shown(node)} is not 1 everywhere: it got lost{at}", "delta-lost", 1)
            yield Edit(into(ZERO), f"{_shown(node)} is not 0 everywhere: what it picks got lost{at}", "delta-lost", 1)


def _without(node: Node, name: str) -> Node:
    """The formula with a derivative taken to be zero."""
    if node.op == "ref":
        return ZERO if node.data[0] == name else node
    return rebuilt(node, tuple(_without(arg, name) for arg in node.args))


def _plainly(node: Node) -> Node:
    """A formula in which derivatives of names are shown as one writes them."""
    if node.op == "ref" and node.data[0].startswith("d "):
        of, _, by = node.data[0][2:].rpartition(" / d ")
        return ref(f"d({of}, {by})")
    return rebuilt(node, tuple(map(_plainly, node.args)))


def _count(node: Node) -> int:
    return 1 + sum(map(_count, node.args))
