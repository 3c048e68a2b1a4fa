"""All the ways in which one thing may go wrong in the lines of a derivation."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from bnlib.judging.mistakes.rules import FIXED, Named
from bnlib.language.derivation import Derivation
from bnlib.language.rewriting import Path, apart, at, every, places, put
from bnlib.language.tree import ONE, Node, add, div, mul, neg, num, power, ref, renamed, walk
from bnlib.language.writing import plain

Said = Callable[[], str]
"""Words are put together when they are said: of hundreds of mistakes one is."""


@dataclass(frozen=True, eq=False)
class Edit:
    """One mistake: what stands in the place of what.

    Attributes:
        name: The same for the same mistake everywhere.
        said: Makes the words.
        changes: From a line and the place in it to what stands there instead.
        often: Whether it is tried together with another.
        anew: Whether a quantity is made anew with a mistake for one line alone.
        wraps: Whether it does something to the output as a whole, whatever that is.
        everywhere: Whether it is another mistake where its quantity is made anew for one line alone.
    """

    name: str
    said: Said
    changes: tuple[tuple[str, Path, Node], ...]
    often: bool
    anew: bool = False
    wraps: bool = False
    everywhere: bool = False

    @cached_property
    def words(self) -> str:
        """What to say, a whole sentence."""
        return self.said()

    @property
    def speakable(self) -> bool:
        """False where the words hold a name that no learner knows."""
        return not _HIDDEN.search(self.words)

    def instead(self, derivation: Derivation, other: Edit | None = None) -> dict[str, Node] | None:
        """The lines as this edit leaves them, and another as well; None when the two touch and neither leaves room for the other."""
        lines: dict[str, Node] = {}
        for line in dict.fromkeys(each for each, _, _ in self.changes + (other.changes if other else ())):
            made = _both(derivation.lines[line].tree, self.of(line), other.of(line) if other else {})
            if made is None:
                return None
            lines[line] = made
        return lines

    def of(self, line: str) -> dict[Path, Node]:
        """What is changed in a line."""
        return {path: node for each, path, node in self.changes if each == line}


def _both(tree: Node, one: Mapping[Path, Node], two: Mapping[Path, Node]) -> Node | None:
    """A line with two edits: in places that lie apart, or one inside of what the other leaves."""
    if all(apart(p, q) for p in one for q in two):
        return put(tree, {**one, **two})
    for outer, inner in ((one, two), (two, one)):
        for path, node in outer.items() if len(outer) == 1 else ():
            if all(each[: len(path)] == path for each in inner):
                made = inside(tree, path, node, inner)
                if made is not node:
                    return put(tree, {path: made})
    return None


def inside(tree: Node, path: Path, made: Node, inner: Mapping[Path, Node]) -> Node:
    """What an edit of a place leaves, edited inside: where it holds what stood there, in that, and else wherever it holds a part of it."""
    whole = at(tree, path)
    changed = within(made, {whole: put(whole, {each[len(path) :]: new for each, new in inner.items()})})
    return changed if changed is not made else within(made, {at(tree, each): new for each, new in inner.items()})


def within(node: Node, instead: Mapping[Node, Node]) -> Node:
    """A formula with others in it."""
    return every(node, instead.get)


class Edits:
    """The edits of one derivation that can be seen in one of its lines.

    Args:
        derivation: The lines.
        output: The line that is seen.
        rules: What people write in the place of what.
        words: Words of one's own for a name, or for ``name@line``.
        walk: The other lines are right, but where this one makes them anew.
    """

    def __init__(
        self, derivation: Derivation, output: str, rules: Sequence[Named], words: Mapping[str, str], walk: bool = False
    ) -> None:
        self.derivation, self.output, self.rules, self.words, self.walk = derivation, output, rules, words, walk
        self.lines = [name for name in derivation.lines if derivation.uses(output, name)]
        self._by_kind: dict[str, list[Named]] = {}
        for rule in rules:
            self._by_kind.setdefault(rule.rule.pattern.op, []).append(rule)

    def __iter__(self) -> Iterator[Edit]:
        found = [
            *(edit for line in reversed(self.lines) for edit in self._in(line)),
            *self._factors_lost(),
            *self._whole(),
        ]
        yield from found
        yield from self._everywhere(found)

    def _in(self, line: str) -> Iterator[Edit]:
        """The edits of one line: each rule at each place, other axes, other quantities."""
        here: dict[tuple[str, int], list[Edit]] = {}  # by name, and by which of the ways to make it at a place
        ways: Counter[tuple[str, Path]] = Counter()
        for path, node in places(self.derivation.lines[line].tree):
            for name, made, words, often in self._of(line, node):
                edit = self._edit(name, line, words, ((line, path, made),), often)
                here.setdefault((name, ways[name, path]), []).append(edit)
                ways[name, path] += 1
                yield edit
        for edits in here.values():  # the same thing at every place of the line is one mistake
            several = [edit for edit in edits if edit.changes[0][1] != edits[0].changes[0][1]]
            if several and edits[0].name not in ("factor-missing", "factor-twice", "sign", "term-missing"):
                chosen: list[Edit] = []
                for edit in edits:
                    if all(apart(edit.changes[0][1], one.changes[0][1]) for one in chosen):
                        chosen.append(edit)
                if len(chosen) > 1:
                    own = self.words.get(f"{edits[0].name}@{line} everywhere")
                    said = partial(str, own) if own else edits[0].said
                    yield Edit(edits[0].name, said, tuple(c for e in chosen for c in e.changes), edits[0].often)

    def _factors_lost(self) -> Iterator[Edit]:
        """One factor of a product that has no name in the lesson, wherever the product is used."""
        users: dict[str, str] = {}
        for line in reversed(self.lines):
            for _, node in places(self.derivation.lines[line].tree):
                if node.op == "ref" and self._is_hidden_product(node.data[0]):
                    users.setdefault(node.data[0], line)
        for name, user in users.items():
            factors = self.derivation.lines[name].tree.args
            for left in (factor for factor in factors if factor.op == "ref"):
                lost = mul(*(factor for factor in factors if factor is not left))
                slug = f"{_slug(plain(lost))}-missing" if lost.op == "ref" else "factor-missing"
                words = f"the factor {self._shown(lost)} is missing"
                edit = self._edit(slug, user, words, ((name, (), left),), True)
                yield replace(edit, everywhere=True)

    def _is_hidden_product(self, name: str) -> bool:
        return name.startswith("_") and name in self.derivation.lines and self.derivation.lines[name].tree.op == "mul"

    def _whole(self) -> Iterator[Edit]:
        """The output as a whole: a factor too many, a parameter that was updated, two quantities that were taken for each other."""
        for name, words, made, wraps in self._of_whole():
            yield replace(self._edit(name, self.output, words, ((self.output, (), made),), wraps), wraps=wraps)

    def _of_whole(self) -> Iterator[tuple[str, str, Node, bool]]:
        output, names, line = self.output, self.derivation.names, self.derivation.lines[self.output]
        tree, slug = line.tree, _slug(output)
        above = {node for each in self.lines for _, node in places(self.derivation.lines[each].tree) if each != output}
        for factor in multipliers(self.derivation, output):
            what, name = self._shown(factor), _slug(factor.data[0])
            known = any(node is factor for _, node in places(self.derivation.meaning(output))) or factor in above
            times = f"{name}-twice" if known else f"{name}-in-{slug}"
            yield times, f"there is a factor {what} too many", Node("mul", (tree, factor)), True
            of_rows = names.sizes[0] in names.sizes_of(factor.data[0])
            if of_rows or not any(node is factor for _, node in places(tree)):
                over = f"{name}-missing" if known else f"divided-by-{name}"
                words = f"the factor {what} is missing" if known else f"there is a division by {what} too many"
                yield over, words, div(tree, factor), True
        for size in names.sizes[:1]:
            words = f"everything is {size} times too large"
            yield f"{slug}-times-{size}", words, Node("mul", (tree, ref(size))), True
            yield f"{slug}-over-{size}", f"everything is divided by {size} once too often", div(tree, ref(size)), True
        rows = line.letters
        if len(rows) > 1 and line.sizes[0] == line.sizes[-1]:
            alone = Node("mul", (Node("delta", (), (rows[0], rows[-1])), tree))
            words = "only the diagonal is there: every input reaches every output, so which entries are filled?"
            yield "only-the-diagonal", words, alone, True
        for letter, which in itertools.product(rows if line.sizes == rows else (), ("first", "last")):
            if letter in SIZES:
                what = SIZES[letter].rstrip("s")
                words = f"the {which} {what} is left out: where does the loop begin, and where does it end?"
                yield f"{which}-{what}-left-out", words, Node("but", (tree,), (letter, which)), True
        if output.startswith("d") and output[1:] in names.given:
            parameter = ref(output[1:], names.sizes_of(output[1:]))
            words = f"this is {output[1:]} after a step of gradient descent: return the gradient itself"
            for rate in (1, 0.1, 0.01, 0.001):
                step = tree if rate == 1 else Node("mul", (num(rate), tree))
                yield "parameter-updated", words, add(parameter, neg(step)), True
        yield f"{slug}-sign", "everything has the wrong sign", neg(tree), True
        refs = dict.fromkeys(node for _, node in places(tree) if node.op == "ref" and node.data[0] not in names.sizes)
        inside = [node for node in refs if node.data[0] not in self._gradients()]  # these are in no cache
        for one, two in itertools.combinations(inside, 2):
            words = f"{self._shown(one)} and {self._shown(two)} stand in each other's place: if they come out of a cache, in which order did they go in?"
            yield "cache-order", words, within(tree, {one: two, two: one}), False

    def _of(self, line: str, node: Node) -> Iterator[tuple[str, Node, str | Said, bool]]:
        names = self.derivation.names
        for rule in self._by_kind.get(node.op, ()):
            for made, parts in rule.rule.at(node, names):
                yield self._slug(rule.name, parts), made, partial(self._filled, rule, parts, node), rule.often
        if node.op == "reduce" and all(letter == size for letter, size in node.data[1]):
            yield from self._axes(node)
        if node.op == "reduce":
            yield from self._left_out(node)
        if node.op == "ref":
            yield from self._instead_of(line, node)
        if node.op in ("num", "pow"):
            yield from self._numbers(node)
        yield from self._indices(line, node)

    def _numbers(self, node: Node) -> Iterator[tuple[str, Node, str | Said, bool]]:
        """A number or an exponent that is off by one, or twice as large."""
        for value in dict.fromkeys((node.data + 1, node.data - 1, 2 * node.data)):
            if node.op == "num":
                yield "wrong-number", num(value), f"{value} stands where {node.data} belongs", False
            else:
                words = partial(
                    "the exponent of {} is {}, and it should be {}".format, plain(node.args[0]), value, node.data
                )
                yield "exponent", power(node.args[0], value), words, False

    def _shown_parts(self, parts: Mapping[str, Node]) -> dict[str, str]:
        return {key: self._shown(part.args[0] if part.op == "neg" else part) for key, part in parts.items()}

    def _filled(self, rule: Named, parts: Mapping[str, Node], node: Node) -> str:
        """A rule's words with what its capitals stand for."""
        return rule.words.format_map({**self._shown_parts(parts), **_counted(node)})

    def _slug(self, name: str, parts: Mapping[str, Node]) -> str:
        if name not in ("exchanged", "division-for-product", "factor-missing", "term-missing", "factor-twice"):
            return name
        shown = self._shown_parts(parts)
        what = shown.get("B", "")
        if name == "exchanged" and what.isidentifier():
            return "-and-".join(_slug(shown[each]) for each in "AC" if shown[each].isidentifier()) + "-exchanged"
        if name == "division-for-product" and what.isidentifier():
            return f"divided-by-{_slug(what)}"
        if name not in ("exchanged", "division-for-product") and what.isidentifier():
            return f"{_slug(what)}-{'twice' if name == 'factor-twice' else 'missing'}"
        return name

    def _axes(self, node: Node) -> Iterator[tuple[str, Node, str | Said, bool]]:
        """A sum or mean over other axes."""
        kind, over, unequal = node.data
        now = {size for _, size in over}
        body = node.args[0].free
        every = [size for size in self.derivation.names.sizes if size in body | now]

        def over_these(*sizes: str) -> Node:
            return Node("reduce", node.args, (kind, tuple((size, size) for size in sizes), unequal))

        slug = "sum" if kind == "sum" else "mean"
        for size in every:
            if now != {size}:
                name = f"{slug}-over-{SIZES.get(size, size)}"
                if kind == "mean" and size not in now:
                    count = _counted(node)["N"]
                    words = (
                        f"a sum runs over the {SIZES.get(size, size)}, and is divided by {count}: which axis is that?"
                    )
                    total = Node("reduce", node.args, ("sum", ((size, size),), unequal))
                    # Often where means run along rows: this is the axis of lesson 03.
                    often = self.derivation.names.sizes[0] not in now
                    yield name, div(total, mul(*(ref(each) for each in sorted(now)))), words, often
                yield (
                    name,
                    over_these(size),
                    f"a {kind} runs over the {SIZES.get(size, size)}, and should run over the {_counted(node)['examples']}: which axis is that?",
                    True,
                )
        for size in self.derivation.names.sizes if kind != "sum" and len(now) == 1 else ():
            if size not in now and self.derivation.names.sizes[0] in now:
                words = f"a sum over {_counted(node)['examples']} is divided by {size}, the number of {SIZES.get(size, size)}"
                divided = div(mul(node, *(ref(each) for each in now)), ref(size))
                yield f"{_slug(size)}-for-{_counted(node)['N']}", divided, words, False
        first = self.derivation.names.sizes[0]
        if kind == "mean" and first not in now:
            what = SIZES.get(first, first)
            words = f"a mean over {_counted(node)['examples']} is divided by {first}, the number of {what}"
            yield (
                f"{first}-for-{_counted(node)['N']}",
                div(Node("reduce", node.args, ("sum", over, unequal)), ref(first)),
                words,
                True,
            )
        if kind == "mean" and set(every) != now:
            total = Node("reduce", node.args, ("sum", tuple((size, size) for size in every), unequal))
            words = f"a sum runs over the whole array, and is divided by {_counted(node)['N']} alone: name the axis"
            yield "sum-over-everything", div(total, mul(*(ref(size) for size in sorted(now)))), words, False
        if set(every) != now:
            yield (
                f"{slug}-over-everything",
                over_these(*every),
                f"a {kind} runs over the whole array, and should run over the {_counted(node)['examples']} alone: name the axis",
                True,
            )

    def _left_out(self, node: Node) -> Iterator[tuple[str, Node, str | Said, bool]]:
        """A sum or mean without its first or last term, or of the last alone."""
        kind, over, unequal = node.data
        for letter, size in over if kind != "variance" else ():
            rest = tuple(each for each in over if each[0] != letter)
            body = (Node("reduce", node.args, ("sum", rest, unequal)),) if rest else node.args
            for which in ("first", "last"):
                part, N = Node("reduce", body, (f"sum but the {which}", ((letter, size),), ())), ref(size)
                one = SIZES.get(size, size).rstrip("s")
                words = f"the {which} {one} is left out of a {kind}: where does the loop begin, and where does it end?"
                if kind == "sum" and which == "last":
                    alone = f"only the last {one} is left of a sum: does each pass of a loop replace what was there (= for +=)?"
                    yield f"last-{one}-only", add(node, neg(part)), alone, True
                others = [ref(each) for _, each in rest]
                counts = () if kind == "sum" else (mul(N, *others), mul(add(N, neg(ONE)), *others))
                for left in [div(part, count) for count in counts] or [part]:
                    yield f"{which}-{one}-left-out", left, words, True

    def _indices(self, line: str, node: Node) -> Iterator[tuple[str, Node, str | Said, bool]]:
        """Another index of the same size, in index notation."""
        letters = node.data[1] if node.op == "ref" else node.data if node.op == "delta" else ()
        sizes = self.derivation.names.letter_sizes(self.derivation.lines[line].tree)
        for letter in letters:
            for other in sizes:
                if letter.islower() and other.islower() and other != letter and sizes[other] == sizes.get(letter):
                    changed = {letter: other} if letters.count(letter) == 1 else {}
                    if changed:
                        made = renamed(node, changed)
                        yield (
                            "wrong-index",
                            made,
                            f"{plain(made)} stands where {plain(node)} belongs: which index does it have?",
                            False,
                        )

    def _instead_of(self, line: str, node: Node) -> Iterator[tuple[str, Node, str | Said, bool]]:
        """Another quantity of the same sizes, or of one value a feature where there is one for each example."""
        names, name = self.derivation.names, node.data[0]
        sizes = names.sizes_of(name)
        before = [each for each in self.derivation.lines if each != line]
        before = before[: list(self.derivation.lines).index(line)]
        for other in (*(each for each in names.given if not each.startswith("_")), *before):
            wanted = names.sizes_of(other)
            stretched = node.data[1] == sizes and wanted[len(wanted) - len(sizes) :] == sizes  # as numpy does it
            if other != name and (wanted == sizes[len(sizes) - len(wanted) :] or (stretched and other in names.given)):
                made = ref(other, node.data[1][len(sizes) - len(wanted) :] if len(wanted) <= len(sizes) else wanted)
                words = partial(self._for, made, node)
                if name.startswith("_") and self._says_more(name, made):
                    continue
                near = wanted == sizes and name in self.derivation.lines and self.derivation.comes_from(name, other)
                yield f"{_slug(self._called(other))}-for-{_slug(self._called(name))}", made, words, near
        if name == "eps":
            for value in FIXED:
                yield "eps-fixed", num(value), f"eps is {value:g} whatever was given: use the one that was passed", True

    def _says_more(self, name: str, made: Node) -> bool:
        """Whether something says more than that ``made`` stands where a quantity belongs that has no name in the lesson.

        A lost factor and a lost root have names, and a formula with a sum in it is too long to be one.
        """
        tree = self._opened(self.derivation.lines[name].tree) if name in self.derivation.lines else made
        made = self._opened(made)
        part = tree.op in ("mul", "call") and made in walk(tree)
        return part or any(node.op == "reduce" for node in (*walk(tree), *walk(made)))

    def _called(self, name: str) -> str:
        """The name that learners know, where a line only gives another one."""
        tree = self._opened(ref(name))
        return tree.data[0] if tree.op == "ref" else name

    def _for(self, made: Node, node: Node) -> str:
        return f"{self._shown(made)} stands where {self._shown(node)} belongs"

    def _everywhere(self, found: Sequence[Edit]) -> Iterator[Edit]:
        """The same mistake in every line where it can be made, and in every line of the way back."""
        by_name: dict[tuple[str, Node | None], dict[str, Edit]] = {}
        for edit in found if not self.walk else ():
            line, path, made = edit.changes[0]
            if edit.often or edit.name in EVERYWHERE or edit.name.endswith("-for-N"):
                key = edit.name, made if edit.name == "eps-fixed" else None
            else:
                key = edit.name, made
            by_name.setdefault(key, {})[line] = edit  # the last one of a line is made at all its places
        back = self._gradients()
        for (name, _), lines in by_name.items():
            behind = {line: edit for line, edit in lines.items() if line in back}
            for some in (lines, behind) if len(behind) < len(lines) else (lines,):
                if len(some) > 1:
                    changes = tuple(change for edit in some.values() for change in edit.changes)
                    yield Edit(name, partial(self._of_all, some), changes, next(iter(some.values())).often)

    def _gradients(self) -> set[str]:
        """What arrives on the way back, and the lines that are made of it."""
        arriving = {name for name in self.derivation.names.given if name.startswith("d")}
        lines = {line for line in self.lines if any(self.derivation.comes_from(line, name) for name in arriving)}
        return arriving | lines

    def _of_all(self, lines: Mapping[str, Edit]) -> str:
        """What to say of the same mistake in several lines: all of them are named, where the same is to be said of each."""
        named = [self._name(line) for line in self.lines if line in lines]
        said = {edit.words.removeprefix(f"In {self._name(line)}, ") for line, edit in lines.items()}
        first = next(iter(lines.values())).words
        if len(said) == len(lines) == 2 and first not in said:
            return " ".join(lines[line].words for line in self.lines if line in lines)
        if len(said) > 1 or first in said or len(set(named)) < len(named):
            return first
        return f"In {', '.join(named[:-1])} and {named[-1]}, {said.pop()}"

    def anew(self, edit: Edit, line: str, paths: Sequence[Path]) -> Edit:
        """A quantity that is made anew for one line alone, at some places, with a mistake in it."""
        instead = edit.instead(self.derivation)
        made = ((path, self.derivation.opened(at(self.derivation.lines[line].tree, path), instead)) for path in paths)
        _, said, rest = edit.words.partition(", ") if edit.words.startswith("In ") else ("", "", edit.words)
        words = partial("Where it is made for {}{}{}".format, self._name(line), said or ": ", rest)
        return Edit(edit.name, words, tuple((line, path, node) for path, node in made), False, True)

    def made_anew(self, line: str) -> list[Path]:
        """Where a line uses others, which may be made anew for it."""
        lines, tree = self.derivation.lines, self.derivation.lines[line].tree
        return [path for path, node in places(tree) if node.op == "ref" and node.data[0] in lines]

    def _edit(
        self, name: str, line: str, words: str | Said, changes: tuple[tuple[str, Path, Node], ...], often: bool
    ) -> Edit:
        def said() -> str:
            if own := self.words.get(f"{name}@{line}") or self.words.get(name):
                return own
            sentence = f"In {self._name(line)}, {words if isinstance(words, str) else words()}"
            return sentence if sentence.endswith("?") else f"{sentence}."

        return Edit(name, said, changes, often)

    def _name(self, line: str) -> str:
        """How a line is called: its name where learners know it, and its equation."""
        where = self.where(line)
        if line.startswith("_"):
            return where or "the output"
        return f"{line} ({where})" if where else line

    def where(self, line: str) -> str:
        """The equation of a line, or of the first that uses it."""
        lines = self.derivation.lines
        users = [line, *(each for each in lines if each != line and self.derivation.uses(each, line))]
        return next((lines[each].where for each in users if lines[each].where), "")

    def _shown(self, node: Node) -> str:
        """A formula in the names that learners know."""
        return plain(self._opened(node))

    def _opened(self, node: Node) -> Node:
        """A formula with what stands behind the names that learners do not know."""
        if node.op == "ref" and node.data[0].startswith("_") and node.data[0] in self.derivation.lines:
            return self._opened(self.derivation.lines[node.data[0]].tree)
        return Node(node.op, tuple(self._opened(arg) for arg in node.args), node.data) if node.args else node


EVERYWHERE = ("multiplied-by-N",)
"""Seldom made, but then in all lines."""

_HIDDEN = re.compile(r"(?<!\w)_\w")

SIZES = {
    "N": "examples", "D": "features", "H": "features", "M": "inputs", "K": "outputs", "G": "groups", "C": "channels", "E": "channels", "S": "positions",
}  # fmt: skip


def is_mean(node: Node) -> bool:
    """Whether it averages."""
    return node.op == "reduce" and node.data[0] != "sum"


def _slug(name: str) -> str:
    return name.strip("_").replace("_", "-")


def _counted(node: Node) -> dict[str, str]:
    """How many a sum or mean is over, and what these are."""
    sizes = [size for _, size in node.data[1]] if node.op == "reduce" else ["N"]
    return {"N": " * ".join(sizes), "examples": counted(sizes)}


def counted(sizes: Sequence[str]) -> str:
    """What some sizes count, in words."""
    return " and ".join(SIZES.get(size, "entries") for size in sizes)


def multipliers(derivation: Derivation, output: str = "") -> list[Node]:
    """The quantities with one value a feature by which the lines multiply; and those with one a row, where an output has both axes."""
    names = derivation.names
    nodes = [node for line in derivation.lines.values() for _, node in places(line.tree)]
    above = [
        arg for node in nodes for arg in (node.args if node.op == "mul" else node.args[:1] if node.op == "div" else ())
    ]
    factors = dict.fromkeys(arg for arg in above if arg.op == "ref")
    batch = set(names.sizes[:1])
    hidden = {name for name in names.given if name.startswith("_")}  # there for rules alone
    sizes = {f: names.sizes_of(f.data[0]) for f in factors if f.data[0] not in hidden | set(names.sizes)}
    first = set(names.sizes_of(next(iter(names.given))))  # a channel may have two letters, one of them its group's
    whole = set(derivation.lines[output].sizes) if output else set()
    return [
        f
        for f, own in sizes.items()
        if ((len(own) <= 1 or set(own) < first) and not batch & set(own)) or (batch & set(own) and set(own) < whole)
    ]
