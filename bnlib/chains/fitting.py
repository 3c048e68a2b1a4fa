"""Several terms of a line that are wrong at once: least squares on the terms of the learner's line say by what each is to be multiplied."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bnlib.chains.bench import Bench
from bnlib.chains.edits import Into, everywhere, text_of
from bnlib.judging.diagnosing.terms import fit
from bnlib.language.names import FormulaError
from bnlib.language.tree import Node

MOST_TERMS = 6


def several(bench: Bench) -> tuple[str, tuple[str, ...]] | None:
    """What is wrong with two terms or more of a line, in words, and the names; None where that does not explain it."""
    for node, _, _, into in everywhere(bench.tree, bench.start):
        if node.op != "add" or len(node.args) > MOST_TERMS:
            continue
        draws = list(_ratios(bench, node, into))
        if len(draws) < len(bench.contexts):
            continue
        found = [_slip(bench, ratios) for ratios in zip(*draws, strict=True)]
        wrong = [(term, *slip) for term, slip in zip(node.args, found, strict=True) if slip and slip[0]]
        if len(wrong) > 1 and all(found):
            said = [words.format(text_of(term.args[0] if term.op == "neg" else term)) for term, _, words in wrong]
            return " and ".join(said), tuple(dict.fromkeys(name for _, name, _ in wrong))
    return None


def _ratios(bench: Bench, node: Node, into: Into) -> Iterator[tuple[float, ...]]:
    """By what each term is to be multiplied, draw by draw; nothing where that is not the answer."""
    for context, wanted in zip(bench.contexts, bench.wanted, strict=True):
        try:
            values = [np.broadcast_to(context.raw(bench.flat(into(term))), wanted.shape) for term in node.args]
        except (FormulaError, KeyError, ValueError):
            return
        line = np.broadcast_to(context.raw(bench.flat(bench.tree)), wanted.shape)
        if not np.allclose(sum(values), line, rtol=1e-9, atol=1e-9 * np.max(np.abs(line))):
            return  # the line is no sum of these: they stand below a root, or in two places
        ratios = fit(wanted.reshape(-1), [value.reshape(-1) for value in values])
        if ratios is None:
            return
        yield tuple(ratios[:, 0])


def _slip(bench: Bench, ratios: tuple[float, ...]) -> tuple[str, str] | None:
    """The name and the words for what a term has to be multiplied by; two empty ones where it is right."""
    size = bench.ground.names.sizes[0]
    table = [
        (0, 1, "", ""),
        (0, -1, "sign", "the sign of {} is wrong"),
        (0, 0, "term-extra", "the term {} is one too many"),
        (-1, 1, "one-over-n", f"1/{size} is missing in {{}}"),
        (1, 1, "one-over-n", f"1/{size} is one factor too many in {{}}"),
        (0, 2, "factor-missing", "a factor 2 is missing in {}"),
        (0, 0.5, "factor-extra", "there is a factor 2 too many in {}"),
        (-1, -1, "sign", f"the sign of {{}} is wrong, and 1/{size} is missing in it"),
    ]
    lengths = [float(values.length(size)) for values in bench.ground.draws]
    for power, number, name, words in table:
        if all(abs(ratio - number * length**power) < 1e-8 for ratio, length in zip(ratios, lengths, strict=True)):
            return name, words
    return None
