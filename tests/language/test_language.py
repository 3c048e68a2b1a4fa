"""The language of formulas: what is read, what it is worth, what is written, what is refused."""

import contextlib
import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refused import REFUSED

from bnlib.language import tree
from bnlib.language.names import FormulaError, Names
from bnlib.language.reading import define, line, read
from bnlib.language.rewriting import Rule
from bnlib.language.tree import Node
from bnlib.language.values import Values
from bnlib.language.writing import latex, plain
from bnlib.numerics import jacobian_complex

N, D = 5, 3

ONE_FEATURE = """
mu = mean(x[k] for k in N)
var = mean((x[k] - mu)**2 for k in N)
r = 1 / sqrt(var + eps)
x_hat[i] = (x[i] - mu) * r
y[i] = gamma * x_hat[i] + beta
L = sum(dout[k] * y[k] for k in N)
"""


@pytest.fixture
def one():
    return define(Names({"x": "N", "dout": "N", "gamma": "", "beta": "", "eps": ""}), ONE_FEATURE)


def one_case(seed=0):
    rng = np.random.default_rng(seed)
    return {"x": rng.normal(size=N) + 3, "dout": rng.normal(size=N) + 1, "gamma": 1.7, "beta": -0.4, "eps": 0.2}


def layer():
    names = Names({"x": "N D", "gamma": "D", "beta": "D", "eps": "", "dout": "N D"})
    return define(
        names,
        """
        mu      = mean(x)                    # eq. 3.1
        var     = variance(x)                # eq. 3.2
        inv_std = 1 / sqrt(var + eps)
        x_hat   = (x - mu) * inv_std
        dx      = gamma * inv_std * (dout - mean(dout) - x_hat * mean(dout * x_hat))   # eq. 3.23
        dgamma  = sum(dout * x_hat)
        """,
    )


def layer_case(seed=0):
    rng = np.random.default_rng(seed)
    return {
        "x": rng.normal(size=(N, D)) + 2, "dout": rng.normal(size=(N, D)), "gamma": rng.normal(size=D),
        "beta": rng.normal(size=D), "eps": 0.1,
    }  # fmt: skip


# -- what a formula is worth

CHAIN = (
    "d(L, x[i])",
    "sum(dout[k] * d(y[k], x[i]) for k in N)",
    "gamma * sum(dout[k] * d((x[k] - mu) * r, x[i]) for k in N)",
    "gamma * sum(dout[k] * ((delta[k, i] - 1/N) * r + (x[k] - mu) * d(r, x[i])) for k in N)",
    "gamma * sum(dout[k] * ((delta[k, i] - 1/N) * r - (x[k] - mu) * r**3 * (x[i] - mu) / N) for k in N)",
    "gamma * r * (dout[i] - mean(dout[k] for k in N) - x_hat[i] * mean(dout[k] * x_hat[k] for k in N))",
)


@pytest.mark.parametrize("text", CHAIN)
def test_every_line_of_the_chain_has_the_value_of_the_first(one, text):
    values = Values(one, one_case())
    first = values.of(read(CHAIN[0], one), ("i",))
    assert np.max(np.abs(values.of(read(text, one), ("i",)) - first)) < 1e-14


def test_a_lost_factor_is_far_off(one):
    values = Values(one, one_case())
    lost = CHAIN[-1].replace("mean(dout[k] * x_hat[k]", "mean(x_hat[k]")
    assert np.max(np.abs(values.of(read(lost, one)) - values.of(read(CHAIN[0], one)))) > 0.1


def test_array_notation_is_the_same_language():
    names, case = layer(), layer_case()
    values = Values(names, case)
    x, g = case["x"], case["gamma"]
    x_hat = (x - x.mean(0)) / np.sqrt(x.var(0) + case["eps"])

    def out(x):
        mu = x.sum(0) / N
        return (g * (x - mu) / np.sqrt(((x - mu) ** 2).sum(0) / N + case["eps"]) + case["beta"]).ravel()

    J = jacobian_complex(lambda flat: out(flat.reshape(N, D)), x.ravel())
    assert np.allclose(values.named("dx").ravel(), case["dout"].ravel() @ J, rtol=0, atol=1e-13)
    assert np.allclose(values.named("dgamma"), (case["dout"] * x_hat).sum(0))
    assert values.named("mu").shape == (D,)
    assert names.defined["dx"].where == "eq. 3.23"


def test_means_run_over_any_axes():
    names = Names({"x": "N C S"})
    define(names, "a = mean(x, C, S)\nb = sum(x)\nc = variance(x, S)\ne = mean(x, N, C, S)")
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    values = Values(names, {"x": x})
    assert np.allclose(values.named("a"), x.mean((1, 2)))
    assert np.allclose(values.named("b"), x.sum(0))
    assert np.allclose(values.named("c"), x.var(2))
    assert np.allclose(values.named("e"), x.mean())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("sum(1 for k in N)", N),
        ("sum(delta[k, i] for k in N)", np.ones(N)),
        ("sum(delta[k, i] * x[k] for k in N)", "x"),
        ("sum(x[k] for k in N if k != i) + x[i]", "total"),
        ("mean(x[k] for k in N if k != i) * (N - 1) + x[i]", "total"),
        ("sum(sum(x[k] for k in N) for k in N) / N", "total"),
        ("d(x[i] * x[k], x[i]) * 0 + x[i] * 0 + delta[k, i]", np.eye(N)),
        ("d(x[i]**2, x[i]) / 2", "x"),
        ("d(mu, x[i]) * N", np.ones(N)),
        ("x[i] * positive(x[i] - mu)", lambda x: np.where(x > x.mean(), x, 0)),
        ("d(x[i] * positive(x[i]**2), x[i])", np.ones(N)),
    ],
)
def test_small_formulas(one, text, value):
    case = one_case()
    value = (
        {"x": case["x"], "total": np.full(N, case["x"].sum())}.get(value, value) if isinstance(value, str) else value
    )
    got = Values(one, case).of(read(text, one), None)
    if callable(value):
        value = value(case["x"])
    if text.startswith("sum(sum"):
        value = case["x"].sum()
    assert np.allclose(got, value)


NAMES = ("mu", "var", "r", "x_hat[k]", "y[k]", "L")


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_agree_with_a_complex_step(one, name):
    case = one_case()
    node = read(name, one)

    def at(x):
        return np.atleast_1d(Values(one, {**case, "x": x}, dtype=complex).of(node))

    J = jacobian_complex(at, case["x"])
    got = Values(one, case).of(read(f"d({name}, x[i])", one), ("k", "i") if "k" in name else ("i",))
    assert np.allclose(got.reshape(J.shape), J, rtol=1e-12, atol=1e-13)


def test_a_derivative_of_a_derivative(one):
    case, step = one_case(), 1e-5
    H = Values(one, case).of(read("d(d(L, x[i]), x[j])", one), ("i", "j"))
    first = read("d(L, x[i])", one)
    for j in range(N):
        up, down = (Values(one, {**case, "x": case["x"] + s * step * np.eye(N)[j]}).of(first) for s in (1, -1))
        assert np.allclose(H[:, j], (up - down) / (2 * step), atol=1e-7)


def test_differentiating_by_a_defined_name(one):
    values = Values(one, one_case())
    assert np.allclose(values.of(read("d(L, y[i])", one)), one_case()["dout"])


# -- properties of random formulas

SCALARS = st.sampled_from(["mu", "r", "gamma", "N", "2", "eps", "1/N"])
ENTRIES = st.sampled_from(["x[i]", "dout[i]", "x_hat[i]", "x[k]", "dout[k]", "delta[k, i]", "y[k]"])


def deeper(inner):
    two = st.tuples(inner, inner)
    return st.one_of(
        two.map(lambda t: f"({t[0]} + {t[1]})"),
        two.map(lambda t: f"({t[0]} - {t[1]})"),
        two.map(lambda t: f"{t[0]} * ({t[1]})"),
        two.map(lambda t: f"({t[0]}) / (3 + ({t[1]})**2)"),
        inner.map(lambda t: f"-({t})"),
        inner.map(lambda t: f"sum({t} for k in N)"),
        inner.map(lambda t: f"mean({t} for k in N if k != i)"),
        inner.map(lambda t: f"sqrt(2 + ({t})**2)"),
        inner.map(lambda t: f"d({t}, x[j])"),
    )


FORMULAS = st.recursive(st.one_of(SCALARS, ENTRIES), deeper, max_leaves=6)
EVERY = ("i", "k", "j")


def value(names, node, case):
    return Values(names, case).of(node, EVERY, dict.fromkeys(EVERY, "N"))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(FORMULAS)
def test_what_is_written_reads_as_it_was(text):
    names = define(Names({"x": "N", "dout": "N", "gamma": "", "beta": "", "eps": ""}), ONE_FEATURE)
    node = read(text, names)
    assert read(plain(node), names) is node
    assert latex(node, names).count("{") == latex(node, names).count("}")
    assert copy.deepcopy(node) is node
    assert pickle.loads(pickle.dumps(node)) is node
    written_out = names.meaning(node)
    assert not any(name in names.defined for name in tree.names_of(written_out))
    one, other = value(names, node, one_case()), value(names, written_out, one_case())
    assert np.allclose(one, other, rtol=1e-9, atol=1e-9 * max(1.0, np.max(np.abs(one))))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(FORMULAS)
def test_random_derivatives_agree_with_a_complex_step(text):
    names = define(Names({"x": "N", "dout": "N", "gamma": "", "beta": "", "eps": ""}), ONE_FEATURE)
    node, case = read(text, names), one_case()

    def at(x):
        got = Values(names, {**case, "x": x}, dtype=complex).of(node, EVERY, dict.fromkeys(EVERY, "N"))
        return got.ravel()

    J = jacobian_complex(at, case["x"]).reshape(N, N, N, N)
    fourth = (*EVERY, "p")
    got = Values(names, case).of(Node("d", (node, tree.ref("x", ("p",)))), fourth, dict.fromkeys(fourth, "N"))
    assert np.allclose(got, J, rtol=1e-8, atol=1e-9 * max(1.0, np.max(np.abs(J))))


# -- what is refused, and in which words


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:20]))
def test_refused_with_one_sentence(one, text):
    with pytest.raises(FormulaError) as caught:
        read(text, one)
    assert REFUSED[text] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_letter_cannot_count_two_things():
    names = Names({"x": "N D", "gamma": "D"})
    with pytest.raises(FormulaError, match="k counts N in one place and D in another"):
        read("x[k, l] * gamma[k]", names)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(alphabet="xmuLd[](){}=*+-/^,.:ijkN 12forsumean_'\"\\\x00é∂Σ", max_size=60))
def test_any_text_is_read_or_refused(text):
    names = define(Names({"x": "N", "dout": "N", "gamma": "", "beta": "", "eps": ""}), ONE_FEATURE)
    with contextlib.suppress(FormulaError):
        read(text, names)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("γ·μ^2", "gamma * mu**2"), ("Σ(x[k]² for k ∈ N)", "sum(x[k]**2 for k in N)"), ("δ[k,i]", "delta[k, i]"), ("x̂[i] − μ", "x_hat[i] - mu")],
)  # fmt: skip
def test_other_ways_of_typing(one, typed, meant):
    assert read(typed, one) is read(meant, one)


def test_a_line_says_what_is_wrong_with_it(one):
    for text, said in (
        ("mu", "write name = formula"),
        ("a = x[i]", "i is on the right and not on the left"),
        ("a[i] = x[i]", None),
    ):
        if said:
            with pytest.raises(FormulaError, match=said):
                line(text, one)
        else:
            assert line(text, one).sizes == ("N",)


def test_the_work_of_a_formula_is_known_before_it_is_done(one):
    values = Values(one, one_case())
    assert values.work(read("mu", one)) == 1
    assert values.work(read("sum(x[k] * x[l] for k in N for l in N)", one)) == N + N + 2 * N * N


def test_fractions_stay_fractions(one):
    assert read("(var + eps)**(-3/2)", one).data == Fraction(-3, 2)
    assert plain(read("(var + eps)**(-1/2)", one)) == "(var + eps)**(-1/2)"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("x[i] - x[i]", "2 * abs(x[i])"),
        ("(N - 3) / (1 - 3)", "(N + 3) * 4 / 4"),
        ("sqrt(gamma - gamma + 4)", "(2 * gamma + 4) / 2 + 2"),
        ("(1 - 3)**2", "8"),
        ("sum(gamma - 1 for k in N)", "N * (gamma + 1)"),
        ("exp(0 * gamma)", "1"),
    ],
)
def test_the_size_of_a_formula_is_that_of_what_it_adds_up(one, text, size):
    values = Values(one, one_case())
    got = values.size(read(text, one), ("i",), {"i": "N"})
    assert np.allclose(got, values.of(read(size, one), ("i",), {"i": "N"}))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(FORMULAS)
def test_rounding_is_small_against_the_size(text):
    names = define(Names({"x": "N", "dout": "N", "gamma": "", "beta": "", "eps": ""}), ONE_FEATURE)
    node = read(text, names)
    exact, single = (
        Values(names, one_case(), dtype=kind).of(node, EVERY, dict.fromkeys(EVERY, "N"))
        for kind in (np.longdouble, np.float64)
    )
    size = Values(names, one_case()).size(node, EVERY, dict.fromkeys(EVERY, "N"))
    assert np.all(size >= np.abs(single) * (1 - 1e-9))
    assert np.all(np.abs(exact - single) <= 1e-13 * size)


# -- rewriting


@pytest.mark.parametrize(
    ("rule", "formula", "made"),
    [
        ("sqrt(V + eps) => sqrt(V) + eps", "sqrt(var + eps)", ["sqrt(var) + eps"]),
        ("A + B => A", "var + eps", ["var", "eps"]),
        ("mean(A) => A", "mean(x)", ["x"]),
        ("A * (B + C) => A * B + C", "var * (x + eps)", ["var * x + eps", "var * eps + x"]),
        # of a part the rest stays; in a whole sum or product inside the last capital is all the rest
        ("2 * A => A", "2 * var * x", ["var * x", "x * var"]),
        (
            "A * (B + C) => A * B + C",
            "var * (x - eps - 1)",
            ["var * x + (-eps - 1)", "var * (-eps) + (x - 1)", "var * (-1) + (x - eps)"],
        ),
        ("mean(A * B) => mean(A) * B", "mean(x * var * eps)", ["mean(x) * (var * eps)", "mean(var) * (x * eps)", "mean(eps) * (x * var)"]),
        ("sqrt(var + eps) => var", "sqrt(var + eps + x)", []),
    ],
)  # fmt: skip
def test_rules_lose_no_term(rule, formula, made):
    names = Names({"x": "N", "var": "", "eps": ""})
    found = [node for node, _ in Rule.of(rule).at(read(formula, names), names)]
    values = Values(names, {"x": np.array([0.3, 1.7]), "var": 2.5, "eps": 0.7})

    def worth(nodes):
        return sorted(tuple(np.broadcast_to(values.of(node), 2)) for node in nodes)

    np.testing.assert_allclose(worth(found), worth([read(text, names) for text in made]))


@pytest.mark.parametrize("shape", [(N, D), (D, N)])
def test_a_sum_may_leave_out_the_entry_of_the_same_number_where_there_are_more_of_one(shape):
    x = np.arange(1.0, N * D + 1).reshape(shape)
    names = Names({"x": "K M"})
    own = np.zeros(shape[1])
    own[:D] = np.diag(x)
    value = Values(names, {"x": x}).of(read("sum(x[k, i] for k in K if k != i)", names))
    assert np.array_equal(value, x.sum(axis=0) - own)
