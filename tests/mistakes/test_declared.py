"""What is declared about every exercise by the lines of its derivation: their values, the rules that speak, and the words."""

import re
from dataclasses import replace

import numpy as np
import pytest

from bnlib.checks import checks_of, visible
from bnlib.judging.mistakes.known import Together
from bnlib.judging.mistakes.rules import parsed, rules
from bnlib.judging.received import by_name
from bnlib.language.rewriting import places
from bnlib.stubs import lessons

STUBS = [stub for lesson in lessons() for stub in lesson.functions.values()]
DECLARED = {
    f"{stub.id} {number}".removesuffix(" 0"): replace(checks, known=known)
    for stub in STUBS
    if (checks := checks_of(stub)).known
    for number, known in enumerate(checks.known.parts if isinstance(checks.known, Together) else (checks.known,))
}

every_declaration = pytest.mark.parametrize("checks", DECLARED.values(), ids=DECLARED)


def speaks(named, known):
    lines = [(line.tree, way.names) for way in known.ways for line in way.lines.values()]
    return any(any(named.rule.at(node, names)) for tree, names in lines for _, node in places(tree))


@every_declaration
def test_every_way_comes_to_the_truth(checks):
    for case in visible(checks.stub):
        right = by_name(checks.outputs, checks.truth(case))
        for output in checks.outputs:
            for way in checks_of(checks.stub).known.of(output):
                value, wanted = way.value(way.right, case), np.asarray(right[output])
                assert value.shape == wanted.shape
                assert np.max(np.abs(value - wanted)) <= 1e-9 * max(np.max(np.abs(wanted)), 1e-3), output


@every_declaration
def test_every_way_comes_to_an_output(checks):
    known = checks.known
    for way in known.ways:
        assert any(known.line(output) in way.lines for output in checks.outputs)


@every_declaration
def test_the_terms_add_up(checks):
    """The words for the terms are as many as the terms, and the terms with their signs are the output."""
    for output in checks.known.said:
        way = checks.known.of(output)[0]
        terms = checks.known.terms(output)
        assert len(terms) == len(checks.known.said[output])
        for case in visible(checks.stub):
            total = sum(sign * term.value(case) for sign, term in zip(way.signs, terms, strict=True))
            np.testing.assert_allclose(total, way.value(way.right, case), rtol=0, atol=1e-9 * np.max(np.abs(total)))


def test_no_rule_of_an_exercise_is_silent():
    """Several exercises may share their rules: each must speak in one of them."""
    spoken: dict[tuple[str, str], bool] = {}
    for checks in DECLARED.values():
        for named in parsed(checks.known._own):
            key = named.name, repr(named.rule)
            spoken[key] = spoken.get(key, False) or speaks(named, checks.known)
    assert not [key for key, spoke in spoken.items() if not spoke]


def test_no_rule_of_the_shared_table_is_silent():
    silent = [
        f"{named.name} | {named.words}"
        for named in rules()
        if not any(speaks(named, checks.known) for checks in DECLARED.values())
    ]
    assert not silent


@every_declaration
def test_own_words_are_for_a_mistake_that_can_be_made(checks):
    made = {name for edit in edits_of(checks) for name in (edit.name, f"{edit.name}@{edit.changes[0][0]}")}
    assert {
        word for word in checks.known._words if "@" not in word or word.split("@")[1] in checks.known.ways[0].lines
    } <= made


@every_declaration
def test_the_words_of_every_edit_are_sentences_in_the_learners_names(checks):
    for edit in edits_of(checks):
        assert not re.search(r"[{}]", edit.words), edit.words
        assert re.search(r"[^.?][.?]$", edit.words), edit.words
        assert not re.search(r"(?<!\w)_\w", edit.words), edit.words


def edits_of(checks):
    singles = (one for output in checks.outputs for way in checks.known.of(output) for one in way.singles)
    return [one.edits[0] for one in singles]
