"""LaTeX as the lessons display it: what is read, as what, and what is refused."""

import numpy as np
import pytest

from bnlib.chains.judge import Ground
from bnlib.checks import chain_of
from bnlib.language.displays import chains, displays
from bnlib.language.latex import read_latex, read_side
from bnlib.language.names import FormulaError, Names
from bnlib.language.reading import define, read
from bnlib.language.values import Values
from bnlib.language.writing import latex
from bnlib.stubs import Derivation, lessons


@pytest.fixture(scope="module")
def names():
    given = {
        "x": "N D",
        "v": "N",
        "w": "N",
        "dout": "N D",
        "gamma": "D",
        "running_mean": "D",
        "eps": "",
        "c": "",
        "y_1": "",
    }
    return define(
        Names(given),
        """
        mu[l] = mean(x[k, l] for k in N)
        var[l] = mean((x[k, l] - mu[l])**2 for k in N)
        x_hat[k, l] = (x[k, l] - mu[l]) / sqrt(var[l] + eps)
        u = c**3 + exp(c)
        y[k] = v[k] * sum(v[m] * w[m]**2 for m in N)
        dxc_square[k, l] = x[k, l]
        L = sum(dout[k, l] * x_hat[k, l] for k in N for l in D)
        """,
    )


@pytest.mark.parametrize(
    ("shown", "typed"),
    [
        (r"\hat x_{kl}", "x_hat[k, l]"),
        (r"\hat{x}_{kl} \, \gamma_l", "x_hat[k, l] * gamma[l]"),
        (r"x_{kl} - \mu_l", "x[k, l] - mu[l]"),
        (r"\sigma_l^2 + \epsilon", "var[l] + eps"),
        (r"\sigma^2_l + \varepsilon", "var[l] + eps"),
        (r"(\sigma_l^2 + \epsilon)^{-3/2}", "(var[l] + eps)**(-3/2)"),
        (r"\mathrm{var}_l", "var[l]"),
        (r"\bar\mu_l", "running_mean[l]"),
        (r"y_1 \cdot c", "y_1 * c"),
        (r"\frac1N", "1 / N"),
        (r"\tfrac{2}{N^2}\,(v_i - c)", "2 / N**2 * (v[i] - c)"),
        (r"1 / \sqrt{c + 1}", "1 / sqrt(c + 1)"),
        (r"- \, c^2 \; v_i", "-c**2 * v[i]"),
        (r"\left(-c^2\right) \cdot N v_i", "(-c**2) * N * v[i]"),
        (r"\delta_{ki} \left( 1 - \frac{1}{N} \right) v_k", "delta[k, i] * (1 - 1/N) * v[k]"),
        (r"\sum_{k=1}^{N} v_k \, w_k + c", "sum(v[k] * w[k] for k in N) + c"),
        (r"\sum_{k=1}^N \sum_{l=1}^D \mathrm{dout}_{kl}", "sum(sum(dout[k, l] for l in D) for k in N)"),
        (r"\sum_k v_k", "sum(v[k] for k in N)"),
        (r"\sum_{k,l} x_{kl}", "sum(x[k, l] for k in N for l in D)"),
        (r"\sum_{j \neq i} (v_j - c)", "sum(v[j] - c for j in N if j != i)"),
        (r"\sum_{k=1, k \neq i}^{N} v_k", "sum(v[k] for k in N if k != i)"),
        (r"\frac{\partial y_k}{\partial v_i}", "d(y[k], v[i])"),
        (r"\frac{\partial \sigma_l^2}{\partial x_{ij}}", "d(var[l], x[i, j])"),
        (r"\frac{du}{dc}", "d(u, c)"),
        (r"\frac{\partial}{\partial v_i} \frac{1}{N} \sum_{m=1}^{N} v_m^2", "d(1 / N * sum(v[m]**2 for m in N), v[i])"),
        (r"\mathrm{dx}_{ij}", "d(L, x[i, j])"),
        (r"\mathrm{d}\hat x_{ij} + \mathrm{d}\gamma_j", "d(L, x_hat[i, j]) + d(L, gamma[j])"),
        (r"\mathrm{dout}_{kl}", "dout[k, l]"),
        (r"\mathrm{dxc}^{\mathrm{square}}_{kl}", "dxc_square[k, l]"),
        (r"\left\langle \hat x \; \mathrm{dout} \right\rangle_l", "mean(x_hat[k, l] * dout[k, l] for k in N)"),
        (r"c \ \text{ if } k = i, \text{ otherwise } 0", "c * delta[k, i]"),
        (r"\begin{cases} c & \text{if } k = i \\ v_k & \text{otherwise} \end{cases}", "delta[k, i] * c + (1 - delta[k, i]) * v[k]"),
        (r"v_k \cdot 1(v_k \gt 0)", "v[k] * positive(v[k])"),
        (r"\max(0, \, v_k)", "positive(v[k]) * v[k]"),
        (r"\boxed{\; c \, v_k \;}", "c * v[k]"),
    ],
)  # fmt: skip
def test_what_a_display_says(names, shown, typed):
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=[{"N": 4, "D": 3}[size] for size in sizes]) for name, sizes in names.given.items()}
    values = Values(names, {**arrays, "eps": 0.1})
    tree, wanted = read_side(chains(f"{shown} = c")[0].sides[0], names).tree, read(typed, names)
    order = [letter for letter in "kijl" if letter in tree.free | wanted.free]
    sizes = {"k": "N", "i": "N", "j": "D", "l": "D"} | names.letter_sizes(wanted)
    for each in values.of(tree, order, sizes), values.of(wanted, order, sizes):
        np.testing.assert_allclose(each, values.of(wanted, order, sizes), rtol=1e-13)


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (r"\nu", "nu is not one of the names here"),
        (r"x_k", "x has 2 indices and not 1"),
        (r"\sum_{k=0}^{N} v_k", "a sum runs over k, from k = 1"),
        (r"\sum_{k=1}^{T} v_k", "a sum runs up to N or D"),
        (r"\sum_q c", "up to what does q run"),
        (r"\frac{\partial y_k}{\partial 2}", "one differentiates by a name"),
        (r"v_k + ", "something is missing"),
        (r"(v_k", "( is not closed"),
        (r"\frac{}{c}", "something is missing"),
        (r"\lim v_k", r"\lim means nothing here"),
        (r"v_k^2^3", "there are two exponents"),
        (r"(v_k)_i", "only a name has indices"),
        (r"\delta_{ki l}", "delta has two indices"),
        (r"\frac{1 + \dots}{c}", "dots means nothing here"),
        (r"c \text{ if } k \gt i, \text{ otherwise } 0", "a condition is k = i"),
        (r"\begin{cases} c & \text{if } k = i \end{cases}", "a case needs its"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(names, shown, words):
    with pytest.raises(FormulaError) as caught:
        read_side(chains(f"{shown} = c")[0].sides[0], names)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "stub", [s for lesson in lessons() for s in lesson.stubs.values() if isinstance(s, Derivation)], ids=lambda s: s.id
)
def test_every_line_of_the_courses_derivations_is_read_as_it_is_typeset(stub):
    ground = Ground(stub.setting, stub.start, np.random.default_rng(0))
    for line in chain_of(stub).lines:
        tree = read(line, ground.names)
        shown = latex(tree, ground.names)
        if r"\sum_{m} \delta" in shown:  # what m counts, only the line as it was typed can tell
            shown = shown.replace(r"\sum_{m}", r"\sum_{m=1}^N")
        assert ground.same(tree, read_latex(shown, ground.names)), shown


def test_the_chains_of_a_display():
    found = chains(
        r"a = b = c, \qquad d = e \qquad \text{so that} \qquad f \approx g \quad (N = 1) \quad \text{for all } k, l."
    )
    assert [len(chain.sides) for chain in found] == [3, 2, 2, 2]
    assert found[2].relations == ("approx",)
    rows = chains("\\begin{aligned} a &= b \\\\ &= c \\\\[1ex] d &= e \\end{aligned}")
    assert [[" ".join(side) for side in chain.sides] for chain in rows] == [["a", "b", "c"], ["d", "e"]]


def test_the_displays_of_a_text():
    text = "So $a$ is $$a = b \\tag{1.2}$$ and <details>\n$$\nc = d\n$$\n</details>"
    assert displays(text) == [("1.2", "a = b"), ("", "c = d")]
    with pytest.raises(FormulaError, match="begun and not ended"):
        displays("$$ a = b")
    with pytest.raises(FormulaError, match="numbers 1.1, 1.2"):
        displays(r"$$a = b \tag{1.1} \tag{1.2}$$")
