"""Derivations line by line: what holds, what does not, and what is said of the first line that does not."""

import numpy as np
import pytest

from bnlib.chains.course import judged
from bnlib.chains.report import report
from bnlib.stubs import chain_rule, layer, normalization, translation

CHAIN = (
    "d(L, x[i])",
    "sum(dout[k] * d(y[k], x[i]) for k in N)",
    "gamma * sum(dout[k] * d((x[k] - mu) * r, x[i]) for k in N)",
    "gamma * sum(dout[k] * ((delta[k, i] - 1/N) * r + (x[k] - mu) * d(r, x[i])) for k in N)",
    "gamma * sum(dout[k] * ((delta[k, i] - 1/N) * r - (x[k] - mu) * r**3 * (x[i] - mu) / N) for k in N)",
    "gamma * r * (dout[i] - mean(dout[k] for k in N) - x_hat[i] * mean(dout[k] * x_hat[k] for k in N))",
)
END = CHAIN[-1]


def one(text, rng=None):
    return judged(normalization.input_gradient, text, rng)


def chained(*lines):
    return "\n= ".join(lines)


# -- what is right, in many ways of writing it

RIGHT = {
    "the chain": chained(*CHAIN),
    "no signs": "\n".join(CHAIN),
    "the start left out": chained(*CHAIN[1:]),
    "in one line": " = ".join(CHAIN),
    "another free letter": chained(*(line.replace("[i]", "[m]").replace(", i]", ", m]") for line in CHAIN)),
    "another summed letter": chained(CHAIN[0], *(line.replace("k", "q") for line in CHAIN[1:])),
    "the left side again": "\n".join(f"d(L, x[i]) = {line}" for line in CHAIN[1:]),
    "greek": chained(*CHAIN).replace("gamma", "γ").replace("mu", "μ").replace("sum", "Σ").replace("**", "^").replace("*", "·"),
    "whole derivatives": chained(
        CHAIN[0],
        "sum(d(L, y[k]) * d(y[k], x[i]) for k in N)",
        "sum(dout[k] * d(y[k], x_hat[k]) * d(x_hat[k], x[i]) for k in N)",
        "sum(dout[k] * gamma * (d(x[k] - mu, x[i]) * r + (x[k] - mu) * d(r, x[i])) for k in N)",
        "sum(dout[k] * gamma * ((delta[k, i] - 1/N) * r + (x[k] - mu) * d(r, var) * d(var, x[i])) for k in N)",
        "sum(dout[k] * gamma * ((delta[k, i] - 1/N) * r + (x[k] - mu) * (-1/2) * r^3 * d(var, x[i])) for k in N)",
        END,
    ),
    "the delta first": chained(
        CHAIN[0],
        "sum(dout[k] * gamma * d(x_hat[k], x[i]) for k in N)",
        "gamma * sum(dout[k] * (d(x[k], x[i]) - d(mu, x[i])) * r + dout[k] * (x[k] - mu) * d(r, x[i]) for k in N)",
        "gamma * (dout[i] - mean(dout[k] for k in N)) * r + gamma * sum(dout[k] * (x[k] - mu) for k in N) * d(r, x[i])",
        "gamma * (dout[i] - mean(dout[k] for k in N)) * r - gamma * sum(dout[k] * (x[k] - mu) for k in N) * r**3 * (x[i] - mu) / N",
    ),
    "sums without one term": chained(
        CHAIN[0],
        "dout[i] * d(y[i], x[i]) + sum(dout[k] * d(y[k], x[i]) for k in N if k != i)",
        "gamma * dout[i] * d(x_hat[i], x[i]) + gamma * sum(dout[k] * d(x_hat[k], x[i]) for k in N if k != i)",
        *CHAIN[3:],
    ),
    "array notation": chained(*CHAIN[:-1], "gamma * r * (dout[i] - mean(dout) - x_hat[i] * mean(dout * x_hat))"),
    "six terms of (3.6)": chained(
        *CHAIN[:2],
        "gamma * sum(dout[k] * (r * d(x[k], x[i]) + x[k] * d(r, x[i]) - r * d(mu, x[i]) - mu * d(r, x[i])) for k in N)",
        *CHAIN[3:],
    ),
    "broken lines": CHAIN[0]
    + "\n= gamma * sum(dout[k] * (\n   (delta[k, i] - 1/N) * r   # the product rule\n   + (x[k] - mu) * d(r, x[i])) for k in N)"
    + "\n= gamma * r * dout[i]\n  - gamma * r * mean(dout[k] for k in N)\n  - gamma * r * x_hat[i] * mean(dout[k] * x_hat[k] for k in N)",
    "the ways through mu and var, as in the paper": chained(
        CHAIN[0],
        "d(L, x_hat[i]) * r + d(L, var) * d(var, x[i]) + d(L, mu) * d(mu, x[i])",
        "dout[i] * gamma * r + d(L, var) * 2 * (x[i] - mu) / N + d(L, mu) / N",
        "dout[i] * gamma * r + sum(dout[k] * gamma * (x[k] - mu) for k in N) * (-1/2) * (var + eps)**(-3/2) * 2 * (x[i] - mu) / N"
        " - r * sum(dout[k] * gamma for k in N) / N",
        END,
    ),
    "N dout": chained(
        *CHAIN[:4], "gamma * r / N * (N * dout[i] - sum(dout[k] for k in N) - x_hat[i] * sum(dout[k] * x_hat[k] for k in N))"
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_right_chains_are_finished(text, seed):
    found = one(text, None if seed is None else np.random.default_rng(seed))
    assert (found.message, found.unfinished) == ("", "")
    assert report(normalization.input_gradient, found).ok
    assert report(normalization.input_gradient, found).earned == 4


# -- a line that begins with a sign

SLOPE = "d(r, x[i])\n-1/2 * (var + eps)**(-3/2) * d(var, x[i])\n-1/N * (var + eps)**(-3/2) * (x[i] - mu)"


def test_a_line_of_its_own_may_begin_with_a_minus():
    found = judged(normalization.inv_std_slope, SLOPE)
    assert found.finished
    assert len(found.lines) == 3


def test_a_term_that_is_zero_may_stand_in_a_line_of_its_own():
    text = "d(var, x[i])\nmean(2*(x[k] - mu)*(delta[k, i] - 1/N) for k in N)\n2/N*(x[i] - mu)\n  - 2/N**2 * sum(x[k] - mu for k in N)\n2/N * (x[i] - mu)"
    found = judged(normalization.variance_slope, text)
    assert found.finished, found
    assert len(found.lines) == 4
    assert all(found.reached)


def test_a_slip_behind_a_sign_is_found_in_its_line():
    found = judged(normalization.inv_std_slope, SLOPE.replace("-1/N", "+1/N"))
    assert found.message == "Line 3: the sign of the line is wrong."


# -- what is wrong, where, and in which words

WRONG = [
    (1, "dout[i] * d(y[i], x[i])", "sum-lost", "the sum over k got lost: only its term k = i is left"),
    (1, "sum(d(y[k], x[i]) for k in N)", "factor-lost", "dout[k] is missing inside the sum over k"),
    (1, "mean(dout[k] * d(y[k], x[i]) for k in N)", "mean-for-sum", "the mean over k should be a sum: 1/N is one too many"),
    (1, "sum(dout[i] * d(y[k], x[i]) for k in N)", "index", "the letter i of dout[i] is wrong inside the sum over k"),
    (1, "sum(dout[i] * d(y[i], x[i]) for i in N)", "summed-and-free", "i is summed and free at once"),
    (1, "dout[k] * d(y[k], x[i])", "free-letter", "nothing says what k is: a sum over k is missing"),
    (2, "sum(dout[k] * d((x[k] - mu) * r, x[i]) for k in N)", "factor-lost", "gamma is missing"),
    (2, "gamma * sum(dout[k] * d(x[k] - mu, x[i]) * r for k in N)", "held-constant", "r depends on x as well"),
    (3, "gamma * sum(dout[k] * (delta[k, i] - 1/N) * r for k in N)", "held-constant", "the part in which r moves is missing"),
    (3, "gamma * sum(dout[k] * (delta[k, i] * r + (x[k] - mu) * d(r, x[i])) for k in N)", "held-constant", "mu depends on x as well"),
    (3, "gamma * sum(dout[k] * ((1 - 1/N) * r + (x[k] - mu) * d(r, x[i])) for k in N)", "factor-lost", "delta[k, i] is missing in the first term"),
    (3, "gamma * sum(dout[k] * ((delta[k, i] + 1/N) * r + (x[k] - mu) * d(r, x[i])) for k in N)", "sign", "the sign of 1 / N is wrong in the first term"),
    (3, "gamma * sum(dout[k] * (delta[k, i] - 1/N) * r + (x[k] - mu) * d(r, x[i]) for k in N)", "bracket", "dout[k] belongs to all terms"),
    (3, "gamma * sum(dout[k] * ((delta[k, i] - 1/N) * r + (x[i] - mu) * d(r, x[i])) for k in N)", "index", "the letter i of x[i] is wrong in the second term"),
    (3, "gamma * sum(dout[k] * ((delta[k, i] - 1/N) * r - (x[k] - mu) * d(r, x[i])) for k in N)", "sign", "the sign of -(x[k] - mu) * d(r, x[i]) is wrong"),
    (4, "gamma * sum(dout[k] * ((delta[k, i] - 1/N) * r - (x[k] - mu) * r**2 * (x[i] - mu) / N) for k in N)", "exponent", "the exponent of r is wrong in the second term"),
    (4, "gamma * sum(dout[k] * ((delta[k, i] - 1/N) * r - (x[k] - mu) * r**3 * (x[i] - mu)) for k in N)", "one-over-n", "1/N is missing in the second term"),
    (4, "gamma * sum(dout[k] * ((delta[k, i] - 1/N) * r - 2 * (x[k] - mu) * r**3 * (x[i] - mu) / N) for k in N)", "factor-extra", "there is a factor 2 too many in the second term"),
    (4, "gamma * sum(dout[k] * ((delta[k, i] - 1/N) * r - (x[k] - mu) * r**3 / N) for k in N)", "factor-lost", "x[i] - mu is missing in the second term"),
    (4, "gamma * sum(dout[k] * ((delta[k, i] - 1/N) * r - (x[k] - mu) * r**3 * x[i] / N) for k in N)", "not-centred", "mu is not subtracted from x[i]"),
    (5, "gamma * r * (dout[i] - mean(dout[k] for k in N) - x_hat[i] * mean(x_hat[k] for k in N))", "factor-lost", "dout[k] is missing in the third term, inside the mean over k"),
    (5, "gamma * r * (dout[i] - sum(dout[k] for k in N) - x_hat[i] * mean(dout[k] * x_hat[k] for k in N))", "sum-for-mean", "the sum over k should be a mean in the second term"),
    (5, "gamma * r * (dout[i] - mean(dout[k] for k in N) + x_hat[i] * mean(dout[k] * x_hat[k] for k in N))", "sign", "the sign of x_hat[i] * mean(dout[k] * x_hat[k] for k in N) is wrong"),
    (5, "gamma * r * (dout[i] - mean(dout[k] for k in N) - x_hat[i] * mean(dout[k] * x[k] for k in N))", "exchanged", "x[k] stands where x_hat belongs"),
    (5, "gamma * r * (sum(dout[i] for k in N) - mean(dout[k] for k in N) - x_hat[i] * mean(dout[k] * x_hat[k] for k in N))", "sum-left", "the sum over k still stands in the first term"),
    (5, "gamma * r * dout[i] - mean(dout[k] for k in N) - x_hat[i] * mean(dout[k] * x_hat[k] for k in N)", "bracket", "gamma * r belongs to all terms"),
    (5, "gamma * r * (dout[i] - mean(dout[i] for i in N) - x_hat[i] * mean(dout[i] * x_hat[i] for k in N))", "index", "i stands where k belongs"),
    (5, "gamma * r * (dout[i] - mean(dout[k] for k in N) - x_hat[k] * mean(dout[k] * x_hat[k] for k in N))", "free-letter", "nothing says what k is"),
    (5, "gamma * r * (dout[i] - mean(dout[k] for k in N))", "term-missing", "the term -(x[k] - mu) * r**3 * (x[i] - mu) / N got lost"),
    (5, "gamma / r * (dout[i] - mean(dout[k] for k in N) - x_hat[i] * mean(dout[k] * x_hat[k] for k in N))", "upside-down", "the division by r should be a product"),
    (5, "gamma * r * (dout[i] - mean(dout[k] for k in N) - x_hat[i] * mean(dout[k] * x_hat[k] for k in N)", "unreadable", "a bracket is not closed"),
    (5, "gamma * r * dout[i] / 7", "unnamed", "this line differs from the one above, first at i = 1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "line", "name", "words"), WRONG, ids=[f"{each[2]}-{n}" for n, each in enumerate(WRONG)]
)
@pytest.mark.parametrize("seed", [None, 1])
def test_the_first_wrong_line_is_found_and_its_mistake_named(place, line, name, words, seed):
    rng = None if seed is None else np.random.default_rng(seed)
    found = one(chained(*CHAIN[:place], line, *CHAIN[place + 1 :]), rng)
    assert found.wrong == place
    assert found.mistakes == (name,)
    assert found.message.startswith(f"Line {place + 1}: ")
    assert words in found.message


def test_the_right_line_is_never_printed():
    for place, line, *_ in WRONG:
        assert CHAIN[place] not in one(chained(*CHAIN[:place], line)).message


# -- points for what was reached

REACHED = {1: 0, 2: 1, 3: 1, 4: 2, 5: 3, 6: 4}


@pytest.mark.parametrize("count", REACHED)
def test_half_a_derivation_earns_what_it_reached(count):
    found = one(chained(*CHAIN[:count]))
    said = report(normalization.input_gradient, found)
    assert said.earned == REACHED[count]
    assert said.ok == (count == 6)
    assert said.names == (("empty",) if count == 1 else ("unfinished",) if count < 6 else ())


def test_lines_behind_a_slip_earn_nothing():
    lines = [*CHAIN[:3], CHAIN[3].replace("- 1/N", "+ 1/N"), *CHAIN[4:]]
    assert report(normalization.input_gradient, one(chained(*lines))).earned == 1


def test_a_jump_to_a_result_found_elsewhere_earns_the_last_row():
    found = one(chained(CHAIN[0], END))
    said = report(normalization.input_gradient, found)
    assert (said.earned, said.names, said.ok) == (1, ("step-missing",), False)
    assert "no line shows this step" in said.message


@pytest.mark.parametrize(
    ("stub", "text", "said"),
    [
        (normalization.input_gradient, CHAIN[1], "a derivative"),
        (normalization.input_gradient, CHAIN[4], "a delta"),
        (
            normalization.input_gradient,
            f"{END} + sum(x_hat[k] for k in N)",
            "more sums in it than needed: two sums are enough",
        ),
        (
            normalization.input_gradient,
            "gamma * r * sum(dout[k] * (sum(delta[k, i] for i in N) - 1) for k in N) + d(L, x[i])",
            "derivative",
        ),
        (normalization.variance_slope, "2 * mean(x[i] - mu for k in N) / N", "a sum"),
    ],
)
def test_what_the_last_line_still_contains(stub, text, said):
    found = judged(stub, text)
    assert not found.message
    assert said in found.unfinished


def test_a_symmetric_jacobian_hides_an_exchange_and_that_is_right():
    start, end = "d(x_hat[k], x[i])", "r * (delta[i, k] - 1/N - x_hat[k] * x_hat[i] / N)"
    assert not judged(normalization.x_hat_slopes, f"{start} = {end}").message
    assert not judged(normalization.x_hat_slopes, f"{start} = d(x_hat[i], x[k])").message


def test_letters_count_what_the_start_says():
    found = judged(normalization.layer_gradient, "d(L, x[i, j])\n= sum(dout[j, i] for k in N)")
    assert "counts" in found.message


def test_a_name_without_its_index_is_refused_with_what_to_type():
    found = judged(normalization.layer_gradient, "d(L, x[i, j])\n= gamma * r[j] * dout[i, j]")
    assert found.message == "Line 2: gamma has 1 index here: write gamma[j]."


def test_another_start_is_no_start():
    assert one("d(L, x[k])\n" + CHAIN[1].replace("[i]", "[k]")).message != ""
    assert "Line 1" in one("d(y[i], x[i])").message


def test_a_line_without_a_value():
    assert "has no value" in one(chained(CHAIN[0], "sqrt(0 - eps) * dout[i]")).message


def test_zero_equals_zero():
    found = judged(layer.bias_before_gradient, "d(L, b[j])\n= 0")
    assert found.finished
    assert report(layer.bias_before_gradient, found).earned == 1
    assert judged(layer.bias_before_gradient, "d(L, b[j])\n= gamma[j] * sum(dy[i, j] for i in N)").wrong == 1
    elsewhere = judged(layer.bias_before_gradient, "d(L, b[j])\n= sum(x_hat[i, j] for i in N)\n= 0")
    assert elsewhere.reached == (False, False), "another thing that is zero is no gradient of the layer"


def test_numbers_that_cancel_do_not_hide_a_mistake():
    big = "1000000**2 * dout[i] - 1000000**2 * dout[i]"
    assert "no digit" in one(chained(CHAIN[0], f"{END} + {big}")).message
    assert one(chained(CHAIN[0], f"{END} * 1.000001")).wrong == 1
    assert one(chained(CHAIN[0], f"{END} + 1/1000000 * dout[i]")).wrong == 1


def test_the_same_with_two_indices():
    text = """
        d(h_hat[k, l], h[i, j])
        = d(h[k, l], h[i, j]) - d(mu[l], h[i, j])
        = delta[k, i] * delta[l, j] - 1/N * sum(delta[m, i] * delta[l, j] for m in N)
        = delta[l, j] * (delta[k, i] - 1/N)
    """
    assert judged(translation.center_slopes, text).finished
    found = judged(translation.center_slopes, text.replace("delta[l, j] * (delta[k, i] - 1/N)", "delta[k, i] - 1/N"))
    assert found.message == "Line 4: delta[l, j] is missing."
    found = judged(translation.center_slopes, text.replace("1/N * sum", "sum"))
    assert "should be a mean" in found.message or "1/N is missing" in found.message


def test_pistons():
    text = "d(L, x) = sum(d(L, y[p]) * d(y[p], x) for p in P) = sum(b[p] * a[p] for p in P)"
    assert report(chain_rule.two_pistons, judged(chain_rule.two_pistons, text)).ok


def test_a_place_is_told_with_all_the_letters_of_a_sum():
    both = "sum(dout[k, l] * d(y[k, l], beta[j]) for k in N for l in D)"
    found = judged(normalization.beta_gradient, chained("d(L, beta[j])", both, "sum(dout[k, l] for k in N for l in D)"))
    assert found.message == "Line 3: delta[l, j] is missing inside the sum over k and l."


def test_where_no_letter_stays_free():
    found = judged(chain_rule.two_pistons, chained("d(L, x)", "d(L, y[p]) * d(y[p], x)"))
    assert "(no letter stays free)" in found.message
