"""What is declared about every exercise by the lines of its derivation: their values, the rules that speak, and the words."""

import re

import numpy as np
import pytest

from bnlib.checks import checks_of, visible
from bnlib.judging.mistakes.rules import parsed, rules
from bnlib.judging.received import by_name
from bnlib.language.rewriting import places
from bnlib.stubs import lessons

DECLARED = {
    stub.id: checks for lesson in lessons() for stub in lesson.stubs.values() if (checks := checks_of(stub)).known
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
            for way in checks.known.of(output):
                value, wanted = way.value(way.right, case), np.asarray(right[output])
                assert value.shape == wanted.shape
                assert np.max(np.abs(value - wanted)) <= 1e-9 * np.max(np.abs(wanted)), output


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


@every_declaration
def test_no_rule_of_an_exercise_is_silent(checks):
    silent = [named.name for named in parsed(checks.known._own) if not speaks(named, checks.known)]
    assert not silent


def test_no_rule_of_the_shared_table_is_silent():
    silent = [
        f"{named.name} | {named.words}"
        for named in rules()
        if not any(speaks(named, checks.known) for checks in DECLARED.values())
    ]
    undeclared = [lesson.key for lesson in lessons() if not any(stub.id in DECLARED for stub in lesson.stubs.values())]
    if silent and undeclared:
        pytest.skip(f"{', '.join(undeclared)} may yet make them speak: {silent}")
    assert not silent


@every_declaration
def test_own_words_are_for_a_mistake_that_can_be_made(checks):
    made = {name for edit in edits_of(checks) for name in (edit.name, f"{edit.name}@{edit.changes[0][0]}")}
    assert set(checks.known._words) <= made


@every_declaration
def test_the_words_of_every_edit_are_sentences_in_the_learners_names(checks):
    for edit in edits_of(checks):
        assert not re.search(r"[{}]", edit.words), edit.words
        assert re.search(r"[^.?][.?]$", edit.words), edit.words
        assert not re.search(r"(?<!\w)_\w", edit.words), edit.words


def edits_of(checks):
    return [edit for output in checks.outputs for way in checks.known.of(output) for edit in way.edits]
