"""What mistakes compute together, line by line, is what each computes when its formula is written out."""

import numpy as np
import pytest

from bnlib.checks import Case
from bnlib.judging.diagnosing.evidence import Evidence, value_of
from bnlib.judging.mistakes.known import Known

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

LINES = """
mu    = mean(x)                                             # eq. 1
var   = mean((x - mu)**2)                                   # eq. 2
z     = (x - mu) / sqrt(var + eps)                          # eq. 3
out   = gamma * z + beta                                    # eq. 4
"""
BACK = """
z     = (x - mean(x)) / sqrt(variance(x) + eps)
h     = gamma * dout
dx    = (h - mean(h) - z * mean(h * z)) / sqrt(variance(x) + eps)
"""
SIZES = "x: N D, gamma: D, beta: D, eps, dout: N D"


def case(seed=1):
    rng = np.random.default_rng(seed)
    gamma, beta = rng.uniform(1, 2, size=(2, 3))
    return Case(x=rng.normal(2, 1, size=(5, 3)), gamma=gamma, beta=beta, eps=0.3, dout=rng.normal(1, 1, size=(5, 3)))


def spread(value, made):
    """A written out value in the form of those computed together: (example, feature), or the same for all."""
    value = value.reshape(-1, 1) if value.shape == (5,) else value
    return np.broadcast_to(value, np.broadcast_shapes(value.shape, made.shape[-2:]))


@pytest.fixture(params=[("out", LINES), ("dx", BACK)], ids=["forward", "backward"])
def way(request):
    output, lines = request.param
    return Known(SIZES, lines).of(output)[0]


def together(way, given):
    with np.errstate(all="ignore"):
        return way._singles(given)[way.line]


def test_every_mistake_alone_is_what_its_formula_computes(way):
    given = case()
    made, compared = together(way, given), 0
    assert len(made) == len(way.stacked.rows) > 100
    for row, value in enumerate(made):
        alone = value_of(way.mistake(row).wrong, given)
        if alone is not None and np.all(np.isfinite(alone)):
            compared += 1
            wanted = spread(alone, value)
            assert np.allclose(value[0], wanted, rtol=1e-9), way.mistake(row).message
    assert compared > 0.9 * len(made)


def test_two_mistakes_at_once_are_what_their_formula_computes(way):
    given, often = case(), way._kinds["often"]
    with np.errstate(all="ignore"):
        made, first, second = way.stacked.pairs(way._values(given), way._singles(given), often, often)
    assert len(made) > 500
    for place in range(0, len(made), 7):
        mistake = way.mistake(int(first[place]), int(second[place]))
        value = value_of(mistake.wrong, given) if mistake.possible else None
        if value is not None and np.all(np.isfinite(value)) and np.all(np.isfinite(made[place])):
            assert np.allclose(made[place][0], spread(value, made[place]), rtol=1e-9), mistake.message


def test_the_mistake_is_found_by_what_came_back(way):
    given, more = case(), case(2)
    right = way.value(way.right, given)
    for mistake in way.often[::5]:
        value = value_of(mistake.wrong, given)
        if value is None or value.shape != right.shape or not np.all(np.isfinite(value)) or np.allclose(value, right):
            continue
        evidence = [Evidence(each, mistake.wrong(each), way.value(way.right, each)) for each in (given, more)]
        found = next(way.explaining("often", evidence))
        assert np.allclose(found.wrong(given), value)


def test_one_mistake_inside_of_what_another_leaves():
    way = Known("x: N D, dout: N D", "dbeta = sum(dout * x)  # eq. 1").of("dbeta")[0]
    rng = np.random.default_rng(3)
    cases = [Case(x=rng.normal(1, 1, size=(5, 3)), dout=rng.normal(1, 1, size=(5, 3))) for _ in range(2)]
    evidence = [
        Evidence(each, (each.dout * each.dout)[:-1].sum(axis=0), (each.dout * each.x).sum(axis=0)) for each in cases
    ]
    found = next(way.explaining("pairs", evidence))
    assert set(found.names) == {"last-example-left-out", "dout-for-x"}
