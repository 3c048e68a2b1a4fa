"""What the course knows of a derivation: its own chain, move by move, with what to say to somebody who stands before a move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bnlib.chains import forms
from bnlib.chains.judge import Ground, Judgement, judge
from bnlib.language.names import Names
from bnlib.language.reading import read
from bnlib.language.tree import Node, names_of
from bnlib.stubs import Derivation


@dataclass(frozen=True)
class Move:
    """One step of the course's chain.

    Attributes:
        look: Where to look, for somebody whose last line is the one before.
        do: What to do there.
        line: What comes out.
    """

    look: str
    do: str
    line: str


@dataclass(frozen=True)
class Chain:
    """The course's own derivation.

    Attributes:
        stub: The exercise.
        moves: From the start to the end.
        idea: The idea of it, in words.
    """

    stub: Derivation
    moves: tuple[Move, ...]
    idea: str

    @property
    def lines(self) -> tuple[str, ...]:
        """The start, and what comes out of each move."""
        return (self.stub.start, *(move.line for move in self.moves))

    @property
    def text(self) -> str:
        """The derivation as one types it."""
        return "\n= ".join(self.lines)

    def next(self, found: Judgement) -> int:
        """Which move is next behind the lines that hold: its place, or the number of moves where none is left."""
        names = found.ground.names
        trees = [line.tree for line in found.good if line.tree is not None]
        if not trees:
            return 0
        near = min(reversed(trees), key=lambda tree: _distance(tree, names))
        stands = _distance(near, names)
        own = [read(line, names) for line in self.lines]
        behind = [_distance(tree, names) for tree in own]
        alike = [(each, _strays(tree, own[-1])) for each, tree in zip(behind, own, strict=True)]
        passed = [place for place, tree in enumerate(own) if tree in trees]
        for place, (each, strays) in enumerate(alike):
            nearer = alike.index((each, strays)) == place and _strays(near, own[-1]) <= strays
            if stands < each or (stands == each and (nearer or behind.index(each) == place)):
                passed.append(place)
        return max(passed, default=0)

    def hints(self, found: Judgement) -> tuple[str, ...]:
        """The ladder for where the learner stands: where to look, what to do, the line."""
        if found.finished and not all(found.reached):
            return self._missing(found.reached.index(False))
        place = self.next(found)
        if place == len(self.moves) and found.finished:
            return ("Every line holds, and the last one has the form asked for: nothing is left to do.",)
        if through := self._through(found):
            return (
                f"You go through {through}, which is another way than the course's. How does L change with each of them alone?",
                "For each, add up all the outputs that it moves: a sum of products, dout times the slope of the output.",
                f"The course's way begins with {self.moves[0].line}, and reveal({self.stub.id}) shows all of it.",
            )
        if place == len(self.moves):
            return ("No move is missing: simplify your last line until it has the form asked for.",)
        move = self.moves[place]
        return move.look, move.do, f"The next line may be: {move.line}"

    def _missing(self, step: int) -> tuple[str, ...]:
        """What to say where only a step has no line of its own: the move of the course that makes it."""
        move = next(
            move
            for place, move in enumerate(self.moves, 2)
            if judged(self.stub, "\n= ".join(self.lines[:place])).reached[step]
        )
        words = self.stub.waypoints[step].words
        return f"One step still wants a line of its own: {words}.", move.do, f"Such a line is: {move.line}"

    def _through(self, found: Judgement) -> str:
        """The statistics by which the learner's last line differentiates the loss, as in d(L, mu), in words."""
        if not found.good:
            return ""
        start, tree = found.ground.start, found.good[-1].tree
        assert tree is not None
        by = {by.data[0] for of, by in forms.differentiated(tree) if of.op == "ref" and of.data[0] == "L"}
        sizes = found.ground.names.sizes_of
        statistics = sorted(name for name in by if start.op == "d" and len(sizes(name)) < len(start.args[1].data[1]))
        return " and ".join(filter(None, (", ".join(statistics[:-1]), *statistics[-1:])))


def _strays(tree: Node, end: Node) -> int:
    """How many names a line speaks of that the end does not."""
    return len(names_of(tree) - names_of(end))


def _distance(tree: Node, names: Names) -> tuple[float, ...]:
    """How far a line is from an end: the widest derivative, deltas, sums inside sums, letters that are summed over.

    Deltas count when all is differentiated: before, they are what was made of a derivative.
    """
    every = forms.below(tree)
    widest = max((_height(of, names) - _height(by, names) for of, by in forms.differentiated(tree)), default=-1.0)
    summed = sum(len(each.data[1]) for each in every if each.op == "reduce")
    return (widest, float(widest < 0 and forms.has(tree, "delta")), float(forms.has(tree, "nested")), float(summed))


def _height(node: Node, names: Names) -> float:
    """How many definitions stand between a formula and what is given; half a step more where it is no single name."""
    if node.op == "ref":
        definition = names.definition(node.data[0])
        return 0.0 if definition is None else 1 + _height(definition.tree, names) // 1
    return max((_height(arg, names) for arg in node.args), default=0.0) + 0.5 * (node.op != "d")


def ground_of(stub: Derivation, rng: np.random.Generator | None = None) -> Ground:
    """Where lines of an exercise are compared; without a generator, on the numbers that ``check`` uses."""
    from bnlib.checks import chain_of

    return Ground(stub.setting, stub.start, rng or np.random.default_rng(list(stub.id.encode())), chain_of(stub).lines)


def judged(stub: Derivation, text: str | None, rng: np.random.Generator | None = None) -> Judgement:
    """What is found in a learner's text; None stands for an answer that is something else than text."""
    ground = ground_of(stub, rng)
    if text is None:
        said = f'The answer is not text: write {stub.opening}"""...""") with your lines between the quotes.'
        return Judgement(ground, message=said, mistakes=("no-text",))
    return judge(ground, text, stub.form, stub.waypoints)
