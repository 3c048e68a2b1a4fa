"""A right answer is right at every offset and scale, also with terms in it that are zero on paper; a wrong one never is."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bnlib.checks import Case, checks_of, visible
from bnlib.grading.hidden.judge import Judge, WrongAnswer
from bnlib.grading.hidden.reference import reference
from bnlib.judging.comparing import negligible
from bnlib.judging.examining import examine
from bnlib.stubs import lesson_of, lessons, normalization, translation

HONEST = settings(deadline=None, derandomize=True, max_examples=60)


def forward(x, gamma, beta, eps):
    xc = x - x.mean(axis=0)
    std = np.sqrt((xc**2).mean(axis=0) + eps)
    return gamma * xc / std + beta, (x, xc, std, gamma)


def walked(zero_on_paper):
    """A backward pass line by line, with a term in dmean that is zero on paper."""

    def backward(dout, cache):
        x, xc, std, gamma = cache
        N, x_hat = len(dout), xc / std
        dx_hat = dout * gamma
        dvar = -0.5 * (dx_hat * xc).sum(axis=0) / std**3
        dxc = dx_hat / std + dvar * 2 / N * xc
        dmean = zero_on_paper(SimpleNamespace(**locals()))
        return dxc + dmean / N, (dout * x_hat).sum(axis=0), dout.sum(axis=0)

    return backward


def three_terms(dout, cache):
    _, xc, std, gamma = cache
    x_hat = xc / std
    dx = gamma / std * (dout - dout.mean(axis=0) - x_hat * (dout * x_hat).mean(axis=0))
    return dx, (dout * x_hat).sum(axis=0), dout.sum(axis=0)


def over_N(dout, cache):
    _, xc, std, gamma = cache
    N, x_hat = len(dout), xc / std
    dbeta, dgamma = dout.sum(axis=0), np.einsum("kl,kl->l", dout, x_hat)
    return gamma / (N * std) * (N * dout - dbeta - x_hat * dgamma), dgamma, dbeta


def by_jacobians(dout, cache):
    _, xc, std, gamma = cache
    N, x_hat = len(dout), xc / std
    columns = [
        gamma[j] / std[j] * (np.eye(N) - 1 / N - np.outer(x_hat[:, j], x_hat[:, j]) / N) @ dout[:, j]
        for j in range(len(gamma))
    ]
    return np.stack(columns, axis=1), sum(row * z for row, z in zip(dout, x_hat, strict=True)), sum(dout)


def centred_again(dout, cache):
    """dgamma from a gradient without its mean, which x_hat does not see; the mean of x_hat taken off once more."""
    _, xc, std, gamma = cache
    x_hat = xc / std - (xc / std).mean(axis=0)
    dc = dout - dout.mean(axis=0)
    dgamma = (dc * x_hat).sum(axis=0)
    return gamma / std * (dc - x_hat * dgamma / len(dout)), dgamma, dout.sum(axis=0)


RIGHT = {
    "three terms": three_terms,
    "over N": over_N,
    "by Jacobians": by_jacobians,
    "centred again": centred_again,
    "by the book": walked(lambda v: -dsum(v.dxc)),
    "with the mean's share of the variance": walked(lambda v: -dsum(v.dx_hat / v.std) - v.dvar * 2 / v.N * dsum(v.xc)),
    "without dvar": walked(lambda v: -(dsum(v.dxc) + 2 / v.N * dsum(v.xc))),
    "a mean of xc": walked(lambda v: -dsum(v.dxc) + v.gamma * v.xc.mean(axis=0)),
    "a sum of x_hat": walked(lambda v: -dsum(v.dxc) - dsum(v.x_hat)),
}

WRONG = {
    "two parts in ten million": lambda *a: tuple(v * (1 + 2e-7) for v in three_terms(*a)),
    "the mean path lost": walked(lambda v: 0 * dsum(v.dxc)),
    "the variance path lost": lambda dout, cache: ((dout - dout.mean(0)) * cache[3] / cache[2], *three_terms(dout, cache)[1:]),
    "a bit of dout": walked(lambda v: -dsum(v.dxc) + 1e-5 * dsum(v.dout)),
}  # fmt: skip


def dsum(array):
    return array.sum(axis=0)


def lesson(backward):
    return SimpleNamespace(batchnorm_forward=forward, batchnorm_backward=backward, batchnorm_backward_composed=backward)


def drawn(seed, N, D=3, offset=0.0, scale=1.0, eps=0.1, upstream=1.0, strength=1.0):
    rng = np.random.default_rng(seed)
    return Case(
        dout=upstream * (rng.normal(size=(N, D)) + rng.normal(size=D)),
        x=offset + scale * (rng.normal(size=(N, D)) * rng.uniform(0.5, 3, size=D)),
        gamma=strength * rng.uniform(0.3, 3, size=D) * rng.choice([-1, 1], size=D),
        beta=rng.normal(size=D),
        eps=eps,
    )


INPUTS = {
    "seed": st.integers(0, 10_000),
    "N": st.sampled_from([1, 2, 3, 4, 7, 33, 100]),
    "offset": st.sampled_from([0.0, 10.0, -1e2, 1e3, -1e4, 1e5]),
    "scale": st.sampled_from([1e-4, 0.05, 1.0, 1e2, 1e4]),
    "eps": st.sampled_from([1e-8, 1e-5, 1e-3, 0.1, 2.0]),
    "upstream": st.sampled_from([0.0, 1e-12, 1e-8, 1.0, 1e8]),
    "strength": st.sampled_from([0.0, 1e-4, 1.0, 1e4]),
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("exercise", ["batchnorm_backward", "batchnorm_backward_composed"])
@HONEST
@example(seed=0, N=3, offset=1e5, scale=1e-4, eps=1e-8, upstream=1.0, strength=1.0)  # x_hat sums to 1e-7
@given(**INPUTS)
def test_a_right_gradient_is_right_everywhere(exercise, name, **kind):
    checks, case = checks_of(normalization.lesson.stubs[exercise]), drawn(**kind)
    report = examine(checks, lesson(RIGHT[name]), [case], checks.truth)
    assert report.ok, str(report)


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_gradient_passes_the_hidden_tests(name, hidden_reports):
    assert hidden_reports(normalization.batchnorm_backward, lesson(RIGHT[name])) == []


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_gradient_passes_neither(name, hidden_reports):
    checks = checks_of(normalization.batchnorm_backward)
    learner = lesson(WRONG[name])
    assert not examine(checks, learner, visible(checks.stub), checks.truth).ok
    assert hidden_reports(normalization.batchnorm_backward, learner)


@HONEST
@given(seed=st.integers(0, 10_000), N=st.integers(3, 40))
def test_a_wrong_gradient_is_wrong_on_any_ordinary_data(seed, N):
    checks = checks_of(normalization.batchnorm_backward)
    case = drawn(seed, N)
    for name, wrong in WRONG.items():
        assert not examine(checks, lesson(wrong), [case], checks.truth).ok, name


@pytest.fixture
def hidden_reports():
    from answering import hidden_tests

    answers = reference(normalization.lesson)

    def reports(stub, learner):
        failed = []
        for test in hidden_tests(stub.lesson)[stub.name]:
            try:
                test(Judge(stub, learner, answers, 0, test.__name__))
            except WrongAnswer as wrong:
                failed.append(f"{test.__name__}: {wrong.report}")
        return failed

    return reports


ONE = {
    "three terms": lambda d, z, g: g * (d - d.mean() - z * (d * z).mean()),
    "a Jacobian": lambda d, z, g: g * (np.eye(len(d)) - 1 / len(d) - np.outer(z, z) / len(d)) @ d,
    "centred last": lambda d, z, g: g * ((d - z * (d * z).mean()) - (d - z * (d * z).mean()).mean()),
    "the mean of x_hat too": lambda d, z, g: g * (d - d.mean() - z * (d * z).mean()) - z.mean(),
}


@pytest.mark.parametrize("name", ONE)
@HONEST
@given(**INPUTS)
def test_one_feature_is_right_everywhere(name, **kind):
    checks, whole = checks_of(normalization.normalize_backward), drawn(**kind)
    case = Case(dout=whole.dout[:, 0], x=whole.x[:, 0], gamma=float(whole.gamma[0]), eps=whole.eps)

    def normalize_backward(dout, x, gamma, eps):
        inv_std = 1 / np.sqrt(np.var(x) + eps)
        return ONE[name](dout, (x - x.mean()) * inv_std, gamma * inv_std)

    report = examine(checks, SimpleNamespace(normalize_backward=normalize_backward), [case], checks.truth)
    assert report.ok, str(report)


STATISTICS = {
    "numpy's": lambda x: (x.mean(axis=0), x.var(axis=0)),
    "centred twice": lambda x: (x.mean(0) + (x - x.mean(0)).mean(0), ((x - x.mean(0)) ** 2).mean(0)),
    "row by row": lambda x: (sum(x) / len(x), sum((row - sum(x) / len(x)) ** 2 for row in x) / len(x)),
}


@pytest.mark.parametrize("name", STATISTICS)
@HONEST
@given(**{key: INPUTS[key] for key in ("seed", "N", "offset", "scale")}, symmetric=st.booleans())
def test_statistics_are_right_everywhere(name, symmetric, **kind):
    x = drawn(**kind).x
    x = np.concatenate([x, -x]) if symmetric else x
    checks = checks_of(normalization.batch_statistics)
    report = examine(checks, SimpleNamespace(batch_statistics=STATISTICS[name]), [Case(x=x)], checks.truth)
    assert report.ok, str(report)


@HONEST
@given(**{key: INPUTS[key] for key in ("seed", "N", "upstream")})
def test_centring_is_right_everywhere(**kind):
    checks = checks_of(translation.center_backward)
    for right in (lambda d: d - d.mean(axis=0), lambda d: (np.eye(len(d)) - 1 / len(d)) @ d):
        case = Case(dout=drawn(**kind).dout)
        assert examine(checks, SimpleNamespace(center_backward=right), [case], checks.truth).ok


def test_what_is_nothing_beside_its_size():
    case = Case(x=np.array([[1e4, 1.0], [-1e4, 3.0]]))
    assert negligible(case, np.zeros(2), np.zeros(2))
    assert negligible(case, np.array([1e-13, 0.0]), 0.0)
    assert negligible(case, 1e-12, 1.0)
    assert not negligible(case, 1e-6, 1.0)


@pytest.mark.parametrize("nothing", ["gamma", "beta", "dout", "x"])
@pytest.mark.parametrize("lesson_name", [lesson.name for lesson in lessons()])
def test_no_property_fails_where_an_input_is_zero(lesson_name, nothing):
    """The reference answers, on the visible inputs with one of them set to zero, or without its variation."""
    lesson = lesson_of(lesson_name)
    for stub in lesson.functions.values():
        checks = checks_of(stub)
        cases = [
            Case({**case, nothing: np.full_like(case[nothing], 3.0 if nothing == "x" else 0.0)})
            for case in visible(stub)
            if isinstance(case.get(nothing), np.ndarray) and not (nothing == "x" and "x_hat" in case)
        ]
        if cases and checks.properties:
            report = examine(checks, reference(lesson), cases, checks.truth)
            assert report.ok, str(report)
