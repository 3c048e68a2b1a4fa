"""Naming mistakes: fitted terms, factors, slips alone and in pairs."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnlib.checks import Case, Slip, Term, checks_of, remembered
from bnlib.judging.diagnosing.evidence import Evidence
from bnlib.judging.diagnosing.slips import diagnose, displaced
from bnlib.judging.diagnosing.terms import Factors
from bnlib.judging.mistakes.known import Known
from bnlib.stubs import lesson_of

EPS = 1e-5


def draw(seed):
    rng = np.random.default_rng(seed)
    N, D = rng.integers(5, 9), rng.integers(2, 5)
    return Case(
        x=rng.normal(size=(N, D)) * 2 + 3, gamma=rng.uniform(1.3, 2.5, size=D), dout=rng.normal(size=(N, D)) + 1
    )


def sigma(c):
    return np.sqrt(c.x.var(axis=0) + EPS)


def x_hat(c):
    return (c.x - c.x.mean(axis=0)) / sigma(c)


TERMS = (
    Term("direct path", "eq. 3.1", lambda c: c.gamma * c.dout / sigma(c)),
    Term("path through the mean", "eq. 3.2", lambda c: c.gamma * c.dout.mean(axis=0) / sigma(c)),
    Term(
        "path through the variance",
        "eq. 3.3",
        lambda c: c.gamma * x_hat(c) * (c.dout * x_hat(c)).mean(axis=0) / sigma(c),
    ),
)


FACTORS = Factors(lambda c: {"gamma": c.gamma, "sigma": sigma(c)})


def combine(c, a, b, d):
    one, two, three = (term.value(c) for term in TERMS)
    return a * one - b * two - d * three


def named(wrong, slips=(), terms=TERMS, cases=3):
    evidence = [Evidence(c, wrong(c), combine(c, 1, 1, 1)) for c in map(draw, range(cases))]
    return diagnose("dx", evidence, terms, slips, FACTORS)


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        (lambda c: combine(c, 1, 1, 0), {"path-through-the-variance-missing"}),
        (lambda c: combine(c, 1, 0, 0), {"path-through-the-mean-missing", "path-through-the-variance-missing"}),
        (lambda c: combine(c, 0, 0, 1), {"direct-path-missing", "path-through-the-mean-missing"}),
        (lambda c: combine(c, 1, -1, 1), {"path-through-the-mean-sign"}),
        (lambda c: combine(c, 1, 1, 0.5), {"path-through-the-variance-halved"}),
        (
            lambda c: combine(c, 1, len(c.x), len(c.x)),
            {"path-through-the-mean-times-N", "path-through-the-variance-times-N"},
        ),
        (lambda c: combine(c, 1, 1, 1) / len(c.x), {"dx-over-N"}),
        (lambda c: combine(c, 1, 1, 1) / c.gamma, {"dx-over-gamma"}),
        (lambda c: combine(c, 1, 1, 1) * c.gamma, {"dx-times-gamma"}),
        (lambda c: combine(c, 1, 1, 1) * sigma(c), {"dx-times-sigma"}),
        (lambda c: -combine(c, 1, 1, 1) / c.gamma, {"dx-sign", "dx-over-gamma"}),
        (lambda c: combine(c, 1, -1, 0), {"path-through-the-mean-sign", "path-through-the-variance-missing"}),
        (lambda c: combine(c, 1, 1, len(c.x) / (len(c.x) - 1)), {"path-through-the-variance-bessel"}),
        (lambda c: combine(c, 1, 1, 0.77), {"path-through-the-variance-coefficient"}),
        (
            lambda c: combine(c, 1, 1 / c.gamma, 1 / c.gamma),
            {"path-through-the-mean-over-gamma", "path-through-the-variance-over-gamma"},
        ),
        (lambda c: 0 * c.x, {"dx-zero"}),
        (lambda c: combine(c, 0, 0, 0) + c.x, None),
        (lambda c: c.dout**2, None),
    ],
)
def test_the_terms_say_what_happened(wrong, names):
    found = named(wrong)
    assert (set(found.names) if found else None) == names


@given(st.tuples(*[st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0])] * 3))
def test_every_combination_of_coefficients_is_named(coefficients):
    found = named(lambda c: combine(c, *coefficients))
    if coefficients == (1.0, 1.0, 1.0):
        assert found is None
    else:
        assert found.message
        assert "coefficient" not in " ".join(found.names)


def test_messages_point_and_do_not_print_formulas():
    found = named(lambda c: combine(c, 1, 1, 0))
    assert found.message == (
        "In dx, the path through the variance (eq. 3.3) is missing. The direct path and the path through the mean are right."
    )


def model(c, axis=0, ddof=0, eps=EPS, root=True):
    xc = c.x - c.x.mean(axis=axis, keepdims=True)
    var = c.x.var(axis=axis, ddof=ddof, keepdims=True) + eps
    return xc / (np.sqrt(var) if root else var)


def test_a_slip_with_a_factor_is_two_things_at_once():
    slip = Slip(
        "diagonal",
        "Only the diagonal.",
        "dx",
        lambda c: c.gamma * c.dout * (1 - 1 / len(c.x) - x_hat(c) ** 2 / len(c.x)) / sigma(c),
    )
    found = named(lambda c: slip.wrong(c) / c.gamma, (slip,))
    assert set(found.names) == {"diagonal", "dx-over-gamma"}
    assert found.message.startswith("Two things at once.")


def test_slips_that_cannot_be_computed_do_not_match():
    broken = Slip("broken", "", "dx", lambda c: c.no_such_input)
    raises = Slip("raises", "", "dx", lambda c: c.x @ c.x)
    nan = Slip("nan", "", "dx", lambda c: c.x / 0)
    with pytest.raises(AttributeError):
        named(lambda c: c.x, (broken,))
    assert named(lambda c: c.x, (raises, nan)) is None


def test_a_diagnosis_must_hold_for_all_inputs():
    def changing(c):
        return combine(c, 1, 1, 0) if len(c.x) % 2 else combine(c, 1, 0, 1)

    cases = [draw(seed) for seed in range(10)]
    assert {len(c.x) % 2 for c in cases} == {0, 1}
    evidence = [Evidence(c, changing(c), combine(c, 1, 1, 1)) for c in cases]
    assert diagnose("dx", evidence, TERMS) is None


def test_displaced_outputs():
    right = {name: np.array([i + 1.0, i + 2.0]) for i, name in enumerate(("dgamma", "dbeta", "db"))}
    exchanged = right | {"dgamma": right["dbeta"], "dbeta": right["dgamma"]}
    assert displaced(exchanged, right) == {"dgamma": "dbeta", "dbeta": "dgamma"}
    round_robin = dict(zip(right, [right["db"], right["dgamma"], right["dbeta"]], strict=True))
    assert displaced(round_robin, right) == {"dgamma": "db", "dbeta": "dgamma", "db": "dbeta"}
    assert displaced(right, right) == {}
    assert displaced(right | {"dgamma": right["dbeta"]}, right) == {}, "dbeta is in its own place"
    nonsense = right | {"dgamma": right["dbeta"], "dbeta": np.array([7.0, 5.0])}
    assert displaced(nonsense, right) == {"dgamma": "dbeta"}


def paths(c, eps=EPS):
    """The values of the terms, with another eps."""
    s = np.sqrt(c.x.var(axis=0) + eps)
    z = (c.x - c.x.mean(axis=0)) / s
    h = c.dout * c.gamma / s
    return h, h.mean(axis=0) + 0 * h, z * (h * z).mean(axis=0)


WITH_PARTS = (
    Slip(
        "eps",
        "eps is another.",
        "dx",
        lambda c: np.subtract(*paths(c, eps=0.3)[:2]) - paths(c, eps=0.3)[2],
        lambda c: paths(c, eps=0.3),
    ),
)


@pytest.mark.parametrize(
    ("coefficients", "names"),
    [
        ((1, 1, 1), {"eps"}),
        ((1, 0, 1), {"eps", "path-through-the-mean-missing"}),
        ((1, 1, -1), {"eps", "path-through-the-variance-sign"}),
        ((1, 1, 0.5), {"eps", "path-through-the-variance-halved"}),
        ((0.5, 0.5, 0.5), {"eps", "dx-halved"}),
    ],
)
def test_a_slip_and_a_wrong_coefficient_are_two_things(coefficients, names):
    def wrong(c):
        a, b, d = coefficients
        one, two, three = paths(c, eps=0.3)
        return a * one - b * two - d * three

    assert set(named(wrong, WITH_PARTS).names) == names


def test_a_factor_common_to_all_terms_counts_once():
    found = named(lambda c: combine(c, 1 / c.gamma, -1 / c.gamma, 1 / c.gamma))
    assert set(found.names) == {"dx-over-gamma", "path-through-the-mean-sign"}
    assert "as a whole lacks a factor gamma" in found.message


def test_counting_features_for_examples_has_a_name():
    found = named(lambda c: combine(c, 1, len(c.x) / c.x.shape[1], 1))
    assert set(found.names) == {"path-through-the-mean-D-for-N"}


def test_what_was_computed_is_remembered_with_its_case():
    calls = []

    @remembered
    def compute(case, power=1):
        calls.append(power)
        return case.x**power

    one, other = Case(x=2), Case(x=3)
    assert [compute(one), compute(one), compute(one, power=2), compute(other), compute(one)] == [2, 2, 4, 3, 2]
    assert calls == [1, 2, 1]
    compute(copy.deepcopy(one))
    assert calls == [1, 2, 1, 1], "a copy may be changed, and begins without"


def test_lost_digits_and_whole_numbers():
    cases = list(map(draw, range(3)))
    right = [combine(c, 1, 1, 1) * 50 for c in cases]

    def names(change, dtype):
        evidence = [Evidence(c, change(r).astype(float), r, dtype) for c, r in zip(cases, right, strict=True)]
        return diagnose("dx", evidence, TERMS, (), FACTORS).names

    assert names(lambda r: r.astype(np.float32), "float32") == ("dtype-lost",)
    assert names(lambda r: r.astype(np.float16), "float16") == ("dtype-lost",)
    assert names(np.trunc, "int64") == ("returned-integers",)
    assert names(np.round, "float64") == ("returned-integers",)


@pytest.mark.parametrize(
    ("lesson", "exercise", "change"),
    [
        ("normalization", "dvar_dx", lambda value: value.round(7)),
        ("normalization", "dvar_dx", lambda value: value * (1 + 3e-8)),
        ("normalization", "dinvstd_dx", lambda value: value + 1e-8),
        ("normalization", "normalize_backward", lambda value: value + 3e-9),
        ("normalization", "rms_scale_backward", lambda value: value.astype(np.float32).astype(float) * (1 + 1e-9)),
    ],
)
def test_what_is_right_but_for_its_digits_is_called_so(lesson, exercise, change):
    """No mistake that happens to make no difference on this input is named for it."""
    checks = checks_of(lesson_of(lesson).stubs[exercise])
    rng = np.random.default_rng(3)
    output = checks.outputs[0]
    evidence = []
    for case in (checks.draw(rng) for _ in range(3)):
        right = checks.truth(case)
        right = np.asarray(right[0] if isinstance(right, tuple) else right, dtype=float)
        evidence.append(Evidence(case, np.asarray(change(right), dtype=float), right))
    found = diagnose(output, evidence, checks.terms.get(output, ()), checks.slips, checks.factors_of())
    assert found.names == ("nearly-right",), found
    assert "digits" in found.message


LINES = "mu = mean(x)  # eq. 1 \n var = mean((x - mu)**2)  # eq. 2 \n z = (x - mu) / sqrt(var + eps)  # eq. 3"


def words(walk, *ways):
    known = Known("x: N D, eps", LINES, *ways, walk=walk)
    return [mistake.message for way in known.of("z") for mistake in way.singles]


def test_the_same_mistake_in_several_lines_names_all_of_them():
    told = words(walk=False)
    assert (
        "In mu (eq. 1), a mean runs over the whole array, and should run over the examples alone: name the axis."
        in told
    )
    assert (
        "In mu (eq. 1) and var (eq. 2), a mean runs over the whole array, and should run over the examples alone: name the axis."
        in told
    )


def test_on_a_walk_only_the_line_itself_is_in_question():
    assert any(said.startswith("In var (eq. 2)") for said in words(walk=False))
    told = words(walk=True)
    assert told
    assert all(
        said.startswith(("In z (eq. 3)", "Where it is made for z (eq. 3)", "mu and", "var and")) for said in told
    )
    assert len(words(True, LINES)) == len(told)
    assert len(words(True, LINES.replace("(x - mu) / sqrt(var + eps)", "(x - mu) * (var + eps)**(-1/2)"))) > len(told)
