"""Edits of a learner's own line that may make it right: a sign turned, a factor more or less, another letter, a bracket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations

from bnlib.chains.bench import Bench
from bnlib.chains.edits import Edit, Into, Place, at_place, choices, everywhere, itself, text_of
from bnlib.chains.forms import below
from bnlib.language.rewriting import places
from bnlib.language.tree import ONE, Node, add, div, mul, names_of, neg, num, power, rebuilt, reduce, ref, renamed

EXPONENTS = [Fraction(n, 2) for n in (-6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 6)]


def mending(bench: Bench) -> Iterator[Edit]:
    """Edits of the learner's line."""
    for kind, other in (("sum", "mean"), ("mean", "sum")):
        made = [each for each in below(bench.tree) if each.op == "reduce" and each.data[0] == kind]
        if len(made) > 1:
            counts = " or ".join(dict.fromkeys(f"1/{size}" for each in made for _, size in each.data[1]))
            words = f"every {kind} should be a {other}: {counts} is {'missing' if kind == 'sum' else 'one too many'} in each"
            yield Edit(itself, _all_reductions(bench.tree, kind, other), words, f"{kind}-for-{other}", 1.0)
    if bench.tree.op == "add":
        yield Edit(itself, neg(bench.tree), "every sign of the line is wrong", "sign", 1)
    yield from _swapped(bench)
    yield from _counted_otherwise(bench)
    yield from _over_another(bench)
    for node, place, role, into in everywhere(bench.tree, bench.start):
        at = at_place(place)
        if role == "term" and node.op != "add":
            body = node.args[0] if node.op == "neg" else node
            if node.op != "neg":
                what = (
                    f"the sign of {text_of(body)} is wrong"
                    if node is not bench.tree
                    else "the sign of the line is wrong"
                )
                yield Edit(into, neg(node), f"{what}{at if place.sums else ''}", "sign", 1)
            else:
                yield Edit(into, body, f"the sign of -{text_of(body)} is wrong{at if place.sums else ''}", "sign", 1)
        if role == "term" and node.op != "neg" and not (place.derived and node.op == "ref"):
            yield from _factors(bench, node, place, into)
        if node.op == "add":
            yield from _terms(bench, node, place, into)
            yield from _brackets(node, place, into)
            yield from _squares(node, place, into)
            yield from _scalars_swapped(node, place, into)
        if node.op == "mul":
            for number, factor in enumerate(node.args):
                rest = mul(*node.args[:number], *node.args[number + 1 :])
                extra = f"there is a factor {text_of(factor)} too many"
                extra = extra if factor.op == "num" else f"{text_of(factor)} is one factor too many"
                yield Edit(into, rest, f"{extra}{at}", "factor-extra", 1.05)
                if factor.op in ("ref", "call", "pow", "add"):
                    words = f"{text_of(factor)} is a factor{at}, and should divide"
                    yield Edit(into, div(rest, factor), words, "upside-down", 1.2)
        if node.op == "div":
            yield Edit(
                into, node.args[0], f"the division by {text_of(node.args[1])} is one too many{at}", "factor-extra", 1.05
            )
        if node.op == "mul":
            yield from _left_the_sums(bench, node, into)
            yield from _products_of_sums(node, place, into)
            yield from _too_far(node, place, into)
        if node.op in ("mul", "div"):
            yield from _fractions(node, place, into)
        if node.op == "pow" and node.data == 2 and node.args[0].op == "reduce":
            kind, over, unequal = node.args[0].data
            inside = reduce(kind, over, power(node.args[0].args[0], Fraction(2)), unequal)
            words = f"the {kind} is squared{at}, and it is its terms that should be"
            yield Edit(into, inside, words, "square-of-a-sum", 1.0)
        if node.op == "pow":
            for exponent in EXPONENTS:
                if exponent != node.data:
                    words = f"the exponent of {text_of(node.args[0])} is wrong{at}"
                    yield Edit(
                        into,
                        power(node.args[0], exponent),
                        words,
                        "exponent",
                        0.96 if node.args[0].op == "ref" else 0.98,
                    )
        if role == "factor" and node.op == "ref" and node.free:
            yield Edit(into, power(node, Fraction(3)), f"the exponent of {text_of(node)} is wrong{at}", "exponent", 1.1)
        if role == "factor" and node.op == "add":
            for exponent, what in ((Fraction(1, 2), "root"), (Fraction(2), "square")):
                yield Edit(into, power(node, exponent), f"a {what} is missing at {text_of(node)}{at}", "exponent", 1.15)
        if node.op == "add":
            yield from _added(bench, node, place, into)
        if node.op in ("mul", "div"):
            yield from _multiplied(node, place, into)
        if node.op == "d":
            yield from _derivatives(bench, node, place, into)
        if (node.op == "call" or (node.op == "ref" and node.data[0] in bench.moving)) and not place.derived:
            for by in bench.by:
                if by.free <= dict(place.letters).keys() and node is not by:
                    words = f"{text_of(node)} itself stands where its derivative belongs{at}"
                    yield Edit(into, Node("d", (node, by)), words, "not-differentiated", 1.0)
        if node.op == "ref" and node.free:
            for called in sorted(bench.calls):
                words = f"{called}(...) is missing at {text_of(node)}{at}"
                yield Edit(into, Node("call", (node,), called), words, "factor-lost", 1.25)
        if node.op == "num" and node.data not in (0, 1):
            words = f"the number {text_of(node)} is on the wrong side of the fraction bar{at}"
            yield Edit(into, div(ONE, node), words, "upside-down", 1.1)
        if node.op == "pow" and node.data == 2 and node.args[0].op == "ref":
            base = node.args[0]
            for letters in choices(bench.ground.names.sizes_of(base.data[0]), place.letters):
                words = f"{text_of(node)} has the same letter twice{at}: one of the two is another"
                yield Edit(into, mul(base, ref(base.data[0], letters)), words, "index", 1.1)
        if node.op == "call" and node.data == "sqrt":
            for exponent in EXPONENTS[:5] + EXPONENTS[7:9]:
                words = f"the power of {text_of(node.args[0])} is wrong{at}: a root or a square got lost"
                yield Edit(into, power(node.args[0], exponent), words, "exponent", 1.1)
        if node.op == "reduce":
            yield from _reductions(bench, node, place, into)
        if node.op in ("ref", "delta"):
            yield from _exchanges(bench, node, place, into)
        if node.op in ("ref", "add"):
            yield from _defined(bench, node, place, into)
        if role == "factor" or node.op == "reduce" or node is bench.tree:
            yield from _missing_terms(bench, node, place, into)


def _counted_otherwise(bench: Bench) -> Iterator[Edit]:
    """One size for another, in every place of the line."""
    every = [each for _, each in places(bench.tree)]
    sizes = [ref(size) for size in bench.ground.names.sizes]
    for one in (size for size in sizes if every.count(size) > 1):
        for two in (size for size in sizes if size is not one):
            words = f"{text_of(one)} stands where {text_of(two)} belongs, wherever it stands"
            yield Edit(itself, _exchanged(bench.tree, {one: two}), words, "wrong-size", 1.0)


def _over_another(bench: Bench) -> Iterator[Edit]:
    """Every sum of the line over the other size: the letters of both change places."""
    made = [each for each in below(bench.tree) if each.op == "reduce"]
    over = {each.data[1] for each in made}
    if len(made) < 2 or len({tuple(size for _, size in each) for each in over}) > 1 or len(next(iter(over))) > 1:
        return
    ((_, size),) = next(iter(over))
    for free, counts in bench.ground.sizes.items():
        same = [other for other, counted in bench.ground.sizes.items() if counted == size and other in bench.tree.free]
        if counts != size and same and all(free in each.args[0].free for each in made):
            words = f"every sum and mean runs over {size}, and should run over {counts}"
            yield Edit(itself, _moved(bench.tree, free, counts, same[0]), words, "wrong-axis", 1.1)


def _moved(node: Node, free: str, counts: str, same: str) -> Node:
    """A formula whose sums run over another letter, which is free in them; what they ran over is the letter that was free outside."""
    if node.op == "reduce":
        ((letter, _),) = node.data[1]
        spare = f"{free}''"
        return reduce(node.data[0], ((spare, counts),), renamed(node.args[0], {free: spare, letter: same}))
    return rebuilt(node, tuple(_moved(arg, free, counts, same) for arg in node.args))


def _left_the_sums(bench: Bench, node: Node, into: Into) -> Iterator[Edit]:
    """A factor that changes with the letter of the sums behind it."""
    for number, factor in enumerate(node.args):
        rest = mul(*node.args[:number], *node.args[number + 1 :])
        over = {size for each in below(rest) if each.op == "reduce" for _, size in each.data[1]}
        sizes = (
            dict(zip(factor.data[1], bench.ground.names.sizes_of(factor.data[0]), strict=True))
            if factor.op == "ref"
            else {}
        )
        if not over.isdisjoint(sizes.values()):
            words = f"{text_of(factor)} has left sums in which it has another letter: it is no constant there, and belongs inside"
            yield Edit(into, _taken_inside(rest, factor, sizes), words, "left-the-sum", 0.95)


def _taken_inside(node: Node, factor: Node, sizes: Mapping[str, str]) -> Node:
    """A formula times a factor, which has in every sum the letter of that sum."""
    if node.op == "reduce":
        letters = {own: letter for letter, size in node.data[1] for own, counts in sizes.items() if counts == size}
        return rebuilt(node, (mul(renamed(factor, letters), *node.args),))
    if node.op in ("add", "neg"):
        return rebuilt(node, tuple(_taken_inside(arg, factor, sizes) for arg in node.args))
    holds = [any(each.op == "reduce" for each in below(arg)) for arg in node.args]
    if node.op not in ("mul", "div") or True not in holds:
        return mul(factor, node)
    place = holds.index(True)
    return rebuilt(node, (*node.args[:place], _taken_inside(node.args[place], factor, sizes), *node.args[place + 1 :]))


def _swapped(bench: Bench) -> Iterator[Edit]:
    """Two quantities in each other's place."""
    atoms = sorted((each for each in below(bench.tree) if each.op in ("ref", "delta")), key=text_of)
    for one, two in combinations(atoms, 2):
        if one.free and two.free:
            change = {one: two, two: one}
            words = f"{text_of(one)} and {text_of(two)} stand in each other's place"
            cost = (1.08, 1.2, 0.9)[(one.op == "delta") + (two.op == "delta")]
            yield Edit(itself, _exchanged(bench.tree, change), words, "swapped", cost)


def _scalars_swapped(node: Node, place: Place, into: Into) -> Iterator[Edit]:
    """Two names without indices, or two sizes, in each other's place."""
    names = sorted({each for each in below(node) if each.op == "ref" and not each.data[1]}, key=text_of)
    for one, two in combinations(names, 2):
        if len({name.isupper() or name.partition("_")[0] for name in (one.data[0], two.data[0])}) > 1:
            continue  # of another kind
        words = f"{text_of(one)} and {text_of(two)} stand in each other's place{at_place(place)}"
        yield Edit(into, _exchanged(node, {one: two, two: one}), words, "swapped", 1.08)


def _squares(node: Node, place: Place, into: Into) -> Iterator[Edit]:
    """Squares that are added or subtracted where the sum or the difference should be squared."""
    for one, two in combinations(node.args, 2):
        minus = two.op == "neg"
        squared = two.args[0] if minus else two
        if one.op == squared.op == "pow" and one.data == squared.data == 2:
            base = squared.args[0]
            whole = power(add(one.args[0], neg(base) if minus else base), Fraction(2))
            rest = [term for term in node.args if term is not one and term is not two]
            what, of = ("subtracted", "difference") if minus else ("added", "sum")
            words = f"squares are {what}{at_place(place)}, and it is the {of} that should be squared"
            yield Edit(into, add(whole, *rest), words, "square-of-a-sum", 1.0)


def _exchanged(node: Node, change: dict[Node, Node]) -> Node:
    """A formula with other parts in the place of some."""
    return change[node] if node in change else rebuilt(node, tuple(_exchanged(arg, change) for arg in node.args))


def _added(bench: Bench, node: Node, place: Place, into: Into) -> Iterator[Edit]:
    """Neighbours that are added, and should be multiplied."""
    for begin, end in combinations(range(len(node.args) + 1), 2):
        run = node.args[begin:end]
        for cut in range(1, len(run)):
            one, two = add(*run[:cut]), add(*run[cut:])
            if any(bench.flat(each) in (ONE, neg(ONE)) for each in (one, two)):
                continue  # a product with 1 is a term left out
            shown = f"{text_of(one)} and {text_of(two.args[0] if two.op == 'neg' else two)}"
            words = (
                f"{shown} are {'subtracted' if two.op == 'neg' else 'added'}{at_place(place)}, and should be multiplied"
            )
            for other in (two, neg(two)) if two.op != "neg" else (two, two.args[0]):
                whole = add(*node.args[:begin], mul(one, other), *node.args[end:])
                cost = (
                    1.2 + 0.05 * (len(node.args) - len(run))
                    if len(node.args) > 2 or not one.free or not two.free
                    else 1.05
                )
                yield Edit(into, whole, words, "sum-for-product", cost)


def _multiplied(node: Node, place: Place, into: Into) -> Iterator[Edit]:
    """Two factors that should be terms."""
    for pair in combinations(node.args, 2):
        one, two = pair
        rest = [each for each in node.args if each not in pair]
        if rest and not {one.op, two.op} <= {"ref", "delta"}:
            continue
        said = f"{text_of(one)} is {'multiplied' if node.op == 'mul' else 'divided'} by {text_of(two)}{at_place(place)}"
        if node.op == "div":
            two = div(ONE, two)
        cost = 1.3 if not rest else 1.4
        for other, belongs in ((two, "sum"), (neg(two), "difference")):
            whole = mul(*rest, add(one, other))
            yield Edit(into, whole, f"{said}, where a {belongs} belongs", "product-for-sum", cost)


def _derivatives(bench: Bench, node: Node, place: Place, into: Into) -> Iterator[Edit]:
    """A derivative by something else, or of something else."""
    of, by = node.args
    at, names = at_place(place), bench.ground.names
    for name in (by.data[0], *bench.names):
        inside = names_of(of) if of.op != "ref" else frozenset()
        if name in names.sizes or not (name in inside or any(names.depends(each, name) for each in names_of(of))):
            continue
        for letters in choices(names.sizes_of(name), place.letters):
            if name == by.data[0]:
                words = f"the letters of {text_of(by)} are wrong{at}, by which one differentiates here"
                yield Edit(into, Node("d", (of, ref(name, letters))), words, "index", 1.2 if by in bench.by else 0.99)
            else:
                words = f"{text_of(node)} is a derivative by {text_of(by)}{at}, and should be one by {name}"
                yield Edit(
                    into, Node("d", (of, ref(name, letters))), words, "exchanged", 1.2 if by in bench.by else 1.1
                )


def _factors(bench: Bench, node: Node, place: Place, into: Into) -> Iterator[Edit]:
    """A term that lacks a factor, or has one too many."""
    at, n = at_place(place), bench.ground.names.sizes
    own, beside = names_of(bench.tree), _beside_derivatives(node)
    for factor, number in bench.factors(place):
        shown = text_of(factor)
        cost = (
            (1.0 if place.term is None else 1.12)
            if number and shown not in n
            else 1.0
            if number
            else 1.04
            if factor.op == "delta"
            else 1.06
            if factor in bench.written
            else 1.2
        )
        lost, extra = f"{shown} is missing", f"{shown} is one factor too many"
        if number:
            lost, extra = f"a factor {shown} is missing", f"there is a factor {shown} too many"
            if shown in n:
                lost, extra = f"1/{shown} is one factor too many", f"1/{shown} is missing"
                lost = lost if divides(node, shown) else f"a factor {shown} is missing"
        cost += {"div": 0.55, "pow": 0.1}.get(factor.op, 0)
        name = "factor-lost"
        if factor.op == "d" and factor.args[1] in bench.by[:1]:  # by what the derivation begins with
            name, lost = "chain-rule", f"the chain rule is cut short: {lost}"
        where = at or ("" if node is bench.tree else f" in {text_of(node)}")
        yield Edit(into, mul(factor, node), f"{lost}{where}", "one-over-n" if shown in n else name, cost)
        if factor.op != "delta" and (number or names_of(factor) <= own):
            name = "one-over-n" if shown in n else "factor-extra"
            if not number and not names_of(factor) <= beside:
                extra, name = f"the division by {shown} is missing", "factor-lost"
            yield Edit(into, div(node, factor), f"{extra}{where}", name, cost)
    for below_bar in bench.denominators(place):
        words = f"the division by {text_of(below_bar)} is missing{at}"
        yield Edit(into, div(node, below_bar), words, "factor-lost", 1.06)
    counted = [ref(size) for size in n if bench.speaks_of(ref(size))]
    for both in (add(one, two) for one, two in combinations(counted, 2) if not place.bound):
        divided = any(each.op == "div" and both in below(each.args[1]) for each in below(node))
        words = (
            f"the division by {text_of(both)} is one too many" if divided else f"a factor {text_of(both)} is missing"
        )
        yield Edit(into, mul(both, node), f"{words}{where}", "factor-extra" if divided else "factor-lost", 1.07)
        words = f"the division by {text_of(both)} is missing{where}"
        yield Edit(into, div(node, both), words, "factor-lost", 1.07)
    for size in n if not place.bound and any(_one_less(each) for each in below(bench.tree)) else ():
        ratio = div(add(ref(size), num(-1)), ref(size))
        words = f"{size} - 1 stands where {size} belongs{at}"
        yield Edit(into, mul(ratio, node), words, "bessel", 0.97)
        yield Edit(into, div(node, ratio), words, "bessel", 0.97)


def _beside_derivatives(node: Node) -> frozenset[str]:
    """The names that stand in a formula, those below a derivative left out."""
    if node.op == "d":
        return frozenset()
    return names_of(node) if not node.args else frozenset().union(*map(_beside_derivatives, node.args))


def divides(node: Node, size: str) -> bool:
    """Whether a part of a line is divided by a size, or a mean over it."""
    return any(
        (each.op == "div" and ref(size) in (each.args[1], *(each.args[1].args if each.args[1].op == "mul" else ())))
        or (each.op == "reduce" and each.data[0] != "sum" and size in dict(each.data[1]).values())
        or (each.op == "pow" and each.data < 0)
        for each in below(node)
    )


def _one_less(node: Node) -> bool:
    """Whether a formula is a size less one."""
    return node.op == "add" and len(node.args) == 2 and not node.free and neg(ONE) in node.args


def _terms(bench: Bench, node: Node, place: Place, into: Into) -> Iterator[Edit]:
    """A term too many; the signs of all terms but the first."""
    if len(node.args) == 2 and node.args[0] is ONE and node.args[1].op == "neg":
        part = node.args[1].args[0]
        words = f"{text_of(node)} stands where {text_of(part)} belongs{at_place(place)}"
        yield Edit(into, part, words, "complement", 1.55)
    for number, term in enumerate(node.args):
        rest = add(*node.args[:number], *node.args[number + 1 :])
        yield Edit(
            into,
            rest,
            f"the term {text_of(term)} is one too many",
            "term-extra",
            0.99 if into is itself or term.op == "num" else 1.05,
        )
    for begin, end in combinations(range(len(node.args) + 1), 2):
        if 1 < end - begin < len(node.args):
            run = add(*node.args[begin:end])
            for factor in bench.written:
                if factor.free <= dict(place.letters).keys() and factor.op not in ("delta", "d"):
                    words = f"{text_of(factor)} is missing in {text_of(run)}{at_place(place)}"
                    together = add(*node.args[:begin], mul(run, factor), *node.args[end:])
                    yield Edit(into, together, words, "factor-lost", 1.3)
    if len(node.args) > 2:
        turned = add(node.args[0], *(neg(term) for term in node.args[1:]))
        words = (
            f"after {text_of(node.args[0])} all signs are wrong: a minus in front of a bracket turns every sign in it"
        )
        yield Edit(into, turned, words, "sign", 1.15)


def _brackets(node: Node, place: Place, into: Into) -> Iterator[Edit]:
    """Terms that belong together before they are multiplied, divided, or a root is taken."""
    for number, term in enumerate(node.args[:-1]):
        for part, _, _, put in everywhere(term, place):
            if part.op == "pow" or (part.op == "call" and part.data == "sqrt"):
                rest = add(*node.args[number + 1 :])
                inside = rebuilt(part, (add(part.args[0], rest),))
                words = f"{text_of(rest)} belongs below the root{at_place(place)}, and stands outside"
                yield Edit(into, add(*node.args[:number], put(inside)), words, "outside-the-root", 1.0)
    together = f"brackets are missing{at_place(place)}: "
    for begin, end in combinations(range(len(node.args) + 1), 2):
        run = node.args[begin:end]
        left = len(node.args) - len(run)
        run_of_numbers = left and not node.free  # there a factor that is missing says more
        if len(run) > 1:
            for whole, words in (*_closed(run), *_opened(run)):
                changed = add(*node.args[:begin], whole, *node.args[end:])
                yield Edit(
                    into, changed, f"{together}{words}", "bracket", 1.08 if run_of_numbers else 0.97 + 0.02 * left
                )


def _closed(run: Sequence[Node]) -> Iterator[tuple[Node, str]]:
    """What the last of some terms is multiplied or divided by belongs to all of them."""
    *others, last = run
    minus = last.op == "neg"
    body = last.args[0] if minus else last
    if body.op == "mul":
        for cut in range(1, len(body.args)):
            near, far = mul(*body.args[:cut]), mul(*body.args[cut:])
            inner = add(*others, neg(near) if minus else near)
            yield mul(inner, far), f"{text_of(far)} belongs to all of {text_of(inner)}"
    if body.op == "div":
        inner = add(*others, neg(body.args[0]) if minus else body.args[0])
        yield div(inner, body.args[1]), f"/ {text_of(body.args[1])} belongs to all of {text_of(inner)}"


def _opened(run: Sequence[Node]) -> Iterator[tuple[Node, str]]:
    """What stands in front of the first of some terms belongs to all of them."""
    first, *others = run
    lead = first.args[0] if first.op == "neg" else first
    minus = [neg(term) for term in others]
    names = all(node.op in ("ref", "num", "neg") for term in others for node in below(term))
    for cut in range(1, len(lead.args)) if lead.op == "mul" else ():
        front, back = mul(*lead.args[:cut]), mul(*lead.args[cut:])
        words = f"{text_of(front)} belongs to all terms, and stands at the first only"
        if first.op != "neg":
            yield mul(front, add(back, *others)), words
            continue
        yield neg(mul(front, add(back, *minus))), words
        if names and cut == len(lead.args) - 1:  # -a * b - c as it is typed, with brackets around b - c
            yield neg(mul(front, add(back, *others))), words


def _too_far(node: Node, place: Place, into: Into) -> Iterator[Edit]:
    """A factor in front of a bracket that belongs to its first term only."""
    for number, bracket in enumerate(node.args):
        others = (*node.args[:number], *node.args[number + 1 :])
        for factor in others if bracket.op == "add" else ():
            if factor.op in ("ref", "delta"):
                inside = add(mul(factor, bracket.args[0]), *bracket.args[1:])
                words = f"{text_of(factor)} belongs to the first term of {text_of(bracket)} only{at_place(place)}"
                yield Edit(into, mul(*(each for each in others if each is not factor), inside), words, "bracket", 1.03)


def _fractions(node: Node, place: Place, into: Into) -> Iterator[Edit]:
    """What belongs below a fraction bar and stands beside it."""
    if node.op == "mul":
        for number, factor in enumerate(node.args[:-1]):
            if factor.op == "div":
                rest = node.args[number + 1 :]
                below = mul(factor.args[1], *rest)
                words = f"brackets are missing{at_place(place)}: / reaches to the next factor only, so {text_of(mul(*rest))} is not below it"
                yield Edit(into, mul(*node.args[:number], div(factor.args[0], below)), words, "bracket", 1.02)
    elif node.op == "div":
        above, below = node.args
        words = f"the division by {text_of(below)} should be a product{at_place(place)}"
        yield Edit(into, mul(above, below), words, "upside-down", 1.05)
        if above is not ONE and (not node.free or above.op == below.op == "ref"):
            words = f"the fraction {text_of(node)} is upside down{at_place(place)}"
            yield Edit(into, div(below, above), words, "upside-down", 1.06)


def _products_of_sums(node: Node, place: Place, into: Into) -> Iterator[Edit]:
    """Two sums multiplied where one sum of products belongs."""
    sums = [factor for factor in node.args if factor.op == "reduce"]
    for one, two in combinations(sums, 2):
        (letters, sizes), (others, counts) = (zip(*each.data[1], strict=True) for each in (one, two))
        if one.data[0] == two.data[0] and sizes == counts and not set(letters) & two.free:
            rest = [factor for factor in node.args if factor is not one and factor is not two]
            inside = mul(one.args[0], renamed(two.args[0], dict(zip(others, letters, strict=True))))
            whole = reduce(one.data[0], one.data[1], inside, one.data[2])
            words = f"two {one.data[0]}s are multiplied{at_place(place)}: multiply inside of one {one.data[0]}"
            yield Edit(into, mul(*rest, whole), words, "product-of-sums", 0.95)


def _reductions(bench: Bench, node: Node, place: Place, into: Into) -> Iterator[Edit]:
    """A sum for a mean, a sum that is used up, a sum that leaves one out."""
    kind, over, unequal = node.data
    body, at = node.args[0], at_place(place)
    letter, size = over[0]
    if kind in ("sum", "mean"):
        other = "mean" if kind == "sum" else "sum"
        words = f"the {kind} over {letter} should be a {other}{at}: 1/{size} is {'missing' if kind == 'sum' else 'one too many'}"
        yield Edit(into, reduce(other, over, body, unequal), words, f"{kind}-for-{other}", 0.95)
    if len(over) == 1 and not unequal:
        for free, counts in bench.ground.sizes.items():
            same = [other for other, counted in bench.ground.sizes.items() if counted == size]
            if counts != size and free in body.free and same:
                spare = f"{free}''"
                moved = reduce(kind, ((spare, counts),), renamed(body, {free: spare, letter: same[0]}))
                yield Edit(
                    into, moved, f"the {kind} runs over {size}{at}, and should run over {counts}", "wrong-axis", 1.1
                )
    left = tuple(pair for pair in over if pair[0] in body.free)
    if len(left) < len(over):
        gone = next(pair[0] for pair in over if pair not in left)
        for free in bench.ground.letters:
            if bench.ground.sizes[free] == dict(over)[gone]:
                words = f"nothing in the {kind} over {gone} depends on {gone}{at}: {free} stands where {gone} belongs"
                yield from _renamed_somewhere(node, into, free, gone, over, words, "index")
        words = f"the {kind} over {gone} still stands{at}, though nothing in it depends on {gone}: the delta that was used has eaten it"
        yield Edit(into, reduce(kind, left, body, unequal) if left else body, words, "sum-left", 0.9)
    if unequal:
        words = f"the {kind} over {letter} leaves out {unequal[0][0]} = {unequal[0][1]}{at}, and should not"
        yield Edit(into, reduce(kind, over, body), words, "left-out", 0.97)
    for other_letter, counts in place.letters:
        if counts != size or kind == "variance":
            continue
        if not unequal:
            words = f"the {kind} over {letter} should leave out {letter} = {other_letter}{at}"
            yield Edit(into, reduce(kind, over, body, ((letter, other_letter),)), words, "left-out", 1.1)
        if letter in body.free and len(over) == 1:
            words = f"the {kind} over {letter} still stands{at}: of it one term is left, the one that the delta picks"
            yield Edit(into, renamed(body, {letter: other_letter}), words, "sum-left", 1.05)
    for each, size in over if len(over) > 1 and not unequal else ():
        rest = tuple(pair for pair in over if pair[0] != each)
        for free, counts in place.letters:
            if counts == size and free not in dict(over) and each in body.free:
                words = f"the {kind} runs over {each} as well{at}: of it one term is left, {each} = {free}"
                cost = 1.07 if node.data in bench.sums_above else 0.98
                yield Edit(into, reduce(kind, rest, renamed(body, {each: free})), words, "sum-left", cost)
    if letter in bench.ground.letters:
        yield from _free_and_summed(node, into, letter)


def _free_and_summed(node: Node, into: Into, letter: str) -> Iterator[Edit]:
    """A sum over a letter that was free already: some of its places belong to the sum, some do not."""
    kind, over, _ = node.data
    spare = f"{letter}''"
    change = tuple((spare if each == letter else each, size) for each, size in over)
    words = f"{letter} is summed and free at once: take another letter for the {kind}"
    yield from _renamed_somewhere(node, into, letter, spare, change, words, "summed-and-free")


def _renamed_somewhere(
    node: Node, into: Into, old: str, new: str, over: tuple[tuple[str, str], ...], words: str, name: str
) -> Iterator[Edit]:
    """A letter exchanged for another in some of its places inside a sum."""
    kind, _, unequal = node.data
    spots = [path for path, _ in _paths(node.args[0], old)]
    for count in range(1, len(spots) + 1 if len(spots) <= 6 else 2):
        for chosen in combinations(spots, count):
            body = node.args[0]
            for path in chosen:
                body = _with_letter(body, path, old, new)
            yield Edit(into, reduce(kind, over, body, unequal), words, name, 0.9)


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


def _exchanges(bench: Bench, node: Node, place: Place, into: Into) -> Iterator[Edit]:
    """Another letter, another quantity, the mean not subtracted."""
    at, sizes = at_place(place), dict(place.letters)
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
                    into,
                    tree,
                    f"the letter {letter} of {text_of(node)} is wrong{at}: another belongs there",
                    "index",
                    0.99 if place.derived else 1.1,
                )
    if node.op != "ref":
        return
    names = bench.ground.names
    own = names.sizes_of(node.data[0])
    if len(letters) > 1:
        for new in choices(own, place.letters):
            words = f"the letters of {text_of(node)} are wrong{at}: others belong there"
            yield Edit(into, ref(node.data[0], new), words, "index", 1.28)
    if node.data[0] in names.sizes:
        yield Edit(
            into, div(ONE, node), f"{text_of(node)} stands where 1/{text_of(node)} belongs{at}", "one-over-n", 1.2
        )
        for size in names.sizes:
            yield Edit(into, ref(size), f"{text_of(node)} stands where {size} belongs{at}", "wrong-size", 1.1)
        return
    for slope in bench.slopes:
        if slope.free == node.free:
            cost = 1.7 if node is bench.tree else 1.17  # a whole line is rather a part of the right one
            yield Edit(into, slope, f"{text_of(node)} stands where {text_of(slope)} belongs{at}", "exchanged", cost)
    for name in names if len(own) > 1 else ():
        if names.sizes_of(name) != own and len(names.sizes_of(name)) == len(own):
            for new in choices(names.sizes_of(name), place.letters):
                words = f"{text_of(node)} stands where {text_of(ref(name, new))} belongs{at}"
                yield Edit(into, ref(name, new), words, "exchanged", 1.3)
    for name in names:
        if name != node.data[0] and names.sizes_of(name) == own:
            yield Edit(into, ref(name, letters), f"{text_of(node)} stands where {name} belongs{at}", "exchanged", 1.17)
    for name in names:
        rest = names.sizes_of(name)
        if len(rest) < len(own) and set(rest) <= set(own) and _mean_of(bench, name, node.data[0]):
            minus = ref(name, tuple(letter for letter, size in zip(letters, own, strict=True) if size in rest))
            yield Edit(
                into,
                add(node, neg(minus)),
                f"{text_of(minus)} is not subtracted from {text_of(node)}{at}",
                "not-centred",
                0.97,
            )


def _defined(bench: Bench, node: Node, place: Place, into: Into) -> Iterator[Edit]:
    """x_hat for x - mu, or the other way round: a name that is defined as a product with a bracket, and that bracket."""
    names = bench.ground.names
    for name in bench.names:
        definition = names.definition(name)
        if definition is None or definition.letters is None or definition.tree.op not in ("mul", "div"):
            continue
        for bracket in (each for each in definition.tree.args if each.op == "add"):
            for letters in choices(names.sizes_of(name), place.letters):
                short, long = ref(name, letters), renamed(bracket, dict(zip(definition.letters, letters, strict=True)))
                for one, other in ((short, long), (long, short)):
                    if node is one:
                        words = f"{text_of(one)} stands where {text_of(other)} belongs{at_place(place)}"
                        yield Edit(into, other, words, "exchanged", 0.97)


def _mean_of(bench: Bench, name: str, of: str) -> bool:
    """Whether a name is defined as the mean of another."""
    definition = bench.ground.names.definition(name)
    if definition is None or definition.tree.op != "reduce" or definition.tree.data[0] != "mean":
        return False
    body = definition.tree.args[0]
    return body.op == "ref" and body.data[0] == of


def _missing_terms(bench: Bench, node: Node, place: Place, into: Into) -> Iterator[Edit]:
    """A bracket that lacks a small term."""
    sizes = bench.ground.names.sizes
    names = bench.ground.names
    for name in names if node.op == "ref" else ():
        if not names.sizes_of(name):
            squared = power(ref(name), Fraction(2))
            for term in (ref(name), squared) if bench.speaks_of(squared) else (ref(name),):
                words = f"{text_of(term)} is missing beside {text_of(node)}{at_place(place)}"
                yield Edit(into, add(node, term), words, "term-missing", 1.45)
    small = [(ONE, "1"), *((div(ONE, ref(size)), f"1/{size}") for size in sizes)]
    small += [
        (factor, text_of(factor)) for factor, number in bench.factors(place) if factor.op == "delta" and not number
    ]
    for term, shown in small:
        if term is not node:
            words = f"a term {shown} is missing beside {text_of(node)}{at_place(place)}, or its sign is wrong"
            yield Edit(into, add(node, neg(term)), words, "term-missing", 1.5)
            yield Edit(into, add(node, term), words, "term-missing", 1.5)


def _all_reductions(node: Node, kind: str, other: str) -> Node:
    """The formula with every sum made a mean, or the other way round."""
    args = tuple(_all_reductions(arg, kind, other) for arg in node.args)
    if node.op == "reduce" and node.data[0] == kind:
        return reduce(other, node.data[1], args[0], node.data[2])
    return rebuilt(node, args)
