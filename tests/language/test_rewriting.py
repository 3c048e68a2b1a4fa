"""Rewriting: what a pattern matches, parts of sums and products, what stands in its place, and which places touch."""

import pytest

from bnlib.language.derivation import Derivation, summands, total
from bnlib.language.names import FormulaError, Names
from bnlib.language.reading import define, read
from bnlib.language.rewriting import Rule, apart, every, places, put
from bnlib.language.tree import Node, ref
from bnlib.language.writing import plain


@pytest.fixture
def names():
    return define(Names({"x": "N D", "dout": "N D", "gamma": "D", "eps": ""}), "mu = mean(x) \n var = variance(x)")


def made(names, rule, formula):
    """What a rule makes of the whole of a formula, in every way."""
    return [plain(node) for node, _ in Rule.of(rule).at(read(formula, names), names)]


def meant(names, rule, formula):
    return [
        {key: plain(part) for key, part in parts.items()} for _, parts in Rule.of(rule).at(read(formula, names), names)
    ]


# -- patterns


@pytest.mark.parametrize(
    ("rule", "formula", "found"),
    [
        ("sqrt(A) => A", "sqrt(var + eps)", ["var + eps"]),
        ("sqrt(V + eps) => sqrt(V) + eps", "sqrt(var + eps)", ["sqrt(var) + eps"]),
        ("sqrt(V + eps) => sqrt(V) + eps", "sqrt(eps + var)", ["sqrt(var) + eps"]),
        ("sqrt(V + eps) => sqrt(V) + eps", "sqrt(var + gamma)", []),
        ("sqrt(V + eps) => sqrt(V) + eps", "sqrt(var + mu + eps)", ["sqrt(var + mu) + eps"]),
        ("sqrt(var + eps) => 1", "sqrt(var + mu + eps)", []),
        ("sqrt(A) => A", "1 / sqrt(var)", []),
        ("A**2 => A", "x**2", ["x"]),
        ("A**2 => A", "x**3", []),
        ("A / B => B / A", "x / mu", ["mu / x"]),
        ("-A => A", "-x", ["x"]),
        ("A * A => A**2", "x * x", ["x**2"]),
        ("A * A => A**2", "x * mu", []),
        ("1/2 * A => A", "1/2 * x", ["x"]),
        ("1/2 * A => A", "2 * x", []),
        ("abs(A) => sign(A)", "abs(x)", ["sign(x)"]),
    ],
)
def test_a_capital_stands_for_anything_and_always_for_the_same(names, rule, formula, found):
    assert made(names, rule, formula) == found


@pytest.mark.parametrize(
    ("rule", "formula", "found"),
    [
        ("A + B => A", "x + mu", {"x", "mu"}),
        (
            "A + B => A",
            "x + mu + eps",
            {"x", "mu", "eps", "x + eps", "mu + eps", "eps + x", "x + mu", "mu + x", "eps + mu"},
        ),
        ("A * B => A / B", "x * gamma", {"x / gamma", "gamma / x"}),
        ("A - mu => A", "x - mu", {"x"}),
        ("A * (B + C) => A * B + C", "gamma * (x - mu)", {"gamma * x - mu", "gamma * (-mu) + x"}),
        ("x * A => A", "gamma * x * dout", {"gamma * dout", "dout * gamma"}),
    ],
)
def test_a_part_of_a_sum_or_product_is_enough_in_any_order(names, rule, formula, found):
    assert {*made(names, rule, formula)} == found


def test_what_is_left_of_a_product_stays(names):
    assert made(names, "mu * gamma => eps", "gamma * x * mu * dout") == ["eps * x * dout"]


def test_what_a_capital_stands_for_is_told_for_each_way(names):
    """A message says which factor is missing: that of this way, not of the first."""
    found = dict(zip(made(names, "A * B => A", "x * gamma"), meant(names, "A * B => A", "x * gamma"), strict=True))
    assert found == {"x": {"A": "x", "B": "gamma"}, "gamma": {"A": "gamma", "B": "x"}}


def test_a_rule_that_changes_nothing_makes_nothing(names):
    assert made(names, "A + B => B + A", "x + x") == []
    assert made(names, "sqrt(A) => sqrt(A)", "sqrt(x)") == []


def test_a_rule_without_arrow_or_that_is_no_formula_is_refused():
    with pytest.raises(ValueError, match="unpack"):
        Rule.of("A + B")
    with pytest.raises(FormulaError, match="bracket"):
        Rule.of("A + B => (A")


# -- sums and means


def test_a_sum_in_a_replacement_is_over_what_the_mean_was_over(names):
    across = "mean(x, D)"
    (node, _), *others = Rule.of("mean(A) => sum(A)").at(read(across, names), names)
    assert node is read("sum(x, D)", names)
    assert not others
    ((both, _),) = Rule.of("mean(A) => sum(A)").at(read("mean(x, N, D)", names), names)
    assert both is read("sum(x, N, D)", names)


def test_n_in_a_replacement_is_how_many_the_mean_was_over(names):
    assert made(names, "mean(A) => A / N", "mean(x)") == ["x / N"]
    assert made(names, "mean(A) => A / N", "mean(x, D)") == ["x / D"]
    assert made(names, "mean(A) => A / N", "mean(x, N, D)") == ["x / (N * D)"]


def test_a_new_mean_is_over_the_first_size(names):
    (node, _), *_ = Rule.of("A - mu => A - mean(A)").at(read("x - mu", names), names)
    assert node is read("x - mean(x)", names)


def test_a_name_of_the_replacement_has_its_own_sizes(names):
    assert [node for node, _ in Rule.of("eps => gamma").at(read("eps", names), names)] == [ref("gamma", ("D",))]


def test_index_notation_matches_too():
    names = Names({"x": "N", "dout": "N"})
    formula = "sum(dout[k] * x[k] for k in N)"
    assert made(names, "sum(A) => mean(A)", formula) == ["mean(dout[k] * x[k] for k in N)"]
    assert made(names, "delta[k, i] - A => A", "delta[k, i] - 1/N") == ["1 / N"]
    assert made(names, "delta[k, j] * A => A", "delta[k, i] * x[k]") == []


# -- places


def test_every_place_has_its_way_and_can_be_put_anew(names):
    formula = read("gamma * (x - mu) / sqrt(var + eps)", names)
    found = dict(places(formula))
    assert found[()] is formula
    for path, node in found.items():
        assert put(formula, {path: node}) is formula
        changed = put(formula, {path: read("dout", names)})
        assert dict(places(changed))[path] is read("dout", names) or not path


def test_several_places_are_put_at_once(names):
    formula = read("x * mu + x", names)
    where = [path for path, node in places(formula) if node is read("x", names)]
    assert len(where) == 2
    assert plain(put(formula, dict.fromkeys(where, read("dout", names)))) == "dout * mu + dout"
    assert put(formula, {}) is formula


@pytest.mark.parametrize(
    ("one", "other", "free"),
    [((0,), (1,), True), ((0, 1), (0, 2), True), ((0,), (0, 1), False), ((), (2,), False), ((1,), (1,), False), ((0, 1), (1, 1), True)],
)  # fmt: skip
def test_two_places_touch_where_one_lies_in_the_other(one, other, free):
    assert apart(one, other) is free
    assert apart(other, one) is free


def test_every_node_may_be_changed(names):
    x, dout = read("x", names), read("dout", names)
    changed = every(read("x * mean(x) + dout", names), {x: dout, dout: x}.get)
    assert plain(changed) == plain(read("dout * mean(dout) + x", names))


# -- lines


def test_the_meaning_of_a_line_is_written_out_and_some_lines_may_be_others():
    way = Derivation(
        "x: N D, eps",
        "mu = mean(x)  # eq. 1.1 \n var = mean((x - mu)**2) \n _std = sqrt(var + eps) \n z = (x - mu) / _std",
    )
    assert way.meaning("z") is read("(x - mean(x)) / sqrt(mean((x - mean(x))**2) + eps)", way.names)
    zero = read("0", way.names)
    assert way.meaning("z", {"mu": zero}) is put(
        way.meaning("z"), {path: zero for path, node in places(way.meaning("z")) if node is way.meaning("mu")}
    )
    assert way.meaning("mu", {"var": zero}) is way.meaning("mu")
    assert way.lines["mu"].where == "eq. 1.1"
    assert way.uses("z", "mu")
    assert way.uses("z", "z")
    assert not way.uses("mu", "z")
    assert way.opened(read("_std * x", way.names)) is read("sqrt(mean((x - mean(x))**2) + eps) * x", way.names)


def test_letters_of_a_line_are_those_it_is_used_with():
    way = Derivation("x: N", "s[k] = x[k]**2 \n J[k, i] = s[i] * x[k]")
    assert way.meaning("J") is read("x[i]**2 * x[k]", way.names)


def test_what_letters_count_may_be_told():
    way = Derivation("x: N D", "J[k: N, l: D, i: N, j: D] = delta[l, j] * delta[k, i]")
    assert way.lines["J"].sizes == ("N", "D", "N", "D")
    with pytest.raises(FormulaError, match="two letters"):
        Derivation("x: N D", "y[k: D] = mean(x[k, l] for l in D)")


def test_a_line_that_cannot_be_read_is_quoted():
    with pytest.raises(FormulaError, match=r"y = x \+ z: z is not one of the names"):
        Derivation("x: N", "y = x + z")


@pytest.mark.parametrize(
    ("formula", "terms"),
    [
        ("x - mu", ["+x", "-mu"]),
        ("gamma * (x - mu)", ["+gamma * x", "-gamma * mu"]),
        ("-(x - mu) / gamma", ["-x / gamma", "+mu / gamma"]),
        ("(x + mu) * (x - mu)", ["+(x + mu) * (x - mu)"]),
        ("mean(x - mu)", ["+mean(x - mu)"]),
    ],
)
def test_the_terms_of_a_formula(names, formula, terms):
    found = summands(read(formula, names))
    assert [f"{'+' if sign > 0 else '-'}{plain(term)}" for sign, term in found] == terms
    assert summands(total(found)) == found


def test_what_a_loop_leaves_out_is_left_out_of_every_term(names):
    found = summands(Node("but", (read("x - mu", names),), ("N", "first")))
    assert [(sign, term.op, plain(term.args[0])) for sign, term in found] == [(1, "but", "x"), (-1, "but", "mu")]
