"""Figures that move: the programs for the browser calculate what numpy calculates, and the page holds all they need."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnlib.numerics import jacobian_central
from bnlib.plots import (
    chain_rule,
    gates,
    geometry,
    layer,
    live,
    normalization,
    precision,
    relatives,
    training,
    translation,
)
from bnlib.quizzes import QuizView, verdict
from bnlib.stubs import translation as stubs

STATIC = Path(live.__file__).parent / "static"
H, TARGETS = np.array([0.3, -1.2, 2.0, 0.5]), np.array([1.5, 0.2, -0.4, 1.1])
X, DOUT = np.array([1.2, 4.6, 2.1, 3.3, 5.0, 2.6]), np.array([0.3, 1.6, -0.4, 0.9, 1.9, 0.2])
GATES = (
    np.array([[9.0], [1.0], [15.0], [7.0]]),
    np.array([2.0]),
    np.array([1.0]),
    0.5,
    np.array([[0.5], [-1], [0.25], [1]]),
)


def normalize(x: Any, gamma: float = 1.0, eps: float = 0.0) -> Any:
    return gamma * (x - x.mean()) / np.sqrt(x.var() + eps)


def centring(N: int, D: int) -> Any:
    return np.einsum("ki,lj->klij", np.eye(N) - 1 / N, np.eye(D))


def samples() -> Any:
    return np.random.default_rng(7).normal(3.0, 2.0, size=(30, 8))


def circle() -> live.Live:
    xc = np.array([[2.0], [-1.4], [-0.6]])
    z = xc / np.sqrt(np.mean(xc**2) + 1e-8)
    dout = np.array([[0.4], [1.6], [-0.2]])
    return normalization.on_the_circle(xc, z, dout, (dout - z * np.mean(dout * z)) / np.sqrt(np.mean(xc**2) + 1e-8))


FIGURES = {
    "runaway": lambda: training.runaway([1.0] * 20, np.arange(1, 21) / 10, H, TARGETS, 0.1),
    "pistons": chain_rule.pistons,
    "nudge": lambda: chain_rule.nudge(X, each_alone=np.tanh, standardize=normalize),
    "contraction": lambda: translation.contraction(np.arange(8.0).reshape(4, 2) ** 2, centring(4, 2)),
    "three_terms": lambda: normalization.three_terms(DOUT, X, 1.5, 0.01, np.zeros(6)),
    "on_the_circle": circle,
    "losing_two": lambda: geometry.losing_two(np.array([2.6, 0.4, 4.0]), np.array([1.5, 0.9, 0.2]), 1e-5),
    "far_from_zero": lambda: precision.far_from_zero(np.array([-1.5, -0.75, 0.25, 0.5, 2.25]), 20),
    "walk": lambda: gates.walk(*GATES),
    "settling": lambda: layer.settling(samples(), (3.0, 4.0)),
    "who_shares": lambda: relatives.who_shares((3, 4, 5), groups=2),
}


def asked(name: str, *states: Any) -> list[Any]:
    """What the browser's program makes of a figure's data in some states, calculated by node."""
    return calculated(name, FIGURES[name]().data, *states)


def calculated(name: str, data: Any, *states: Any) -> list[Any]:
    """What a program of ``static/`` makes of data in some states."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here to run the programs of figures with")
    given = json.loads(live.as_json(data))
    program = (
        f"import {{ model }} from {json.dumps((STATIC / f'{name}.js').as_uri())};"
        f"const data = {json.dumps(given)};"
        f"console.log(JSON.stringify({json.dumps(states)}.map((state) => model({{...data, ...state}}, state))));"
    )
    said = subprocess.run([node, "--input-type=module", "-e", program], capture_output=True, text=True, check=True)
    return json.loads(said.stdout)


def test_every_program_is_drawn_here() -> None:
    assert {path.stem for path in STATIC.glob("*.js")} - {"kit", "quiz"} == set(FIGURES)
    assert all(figure().name == name for name, figure in FIGURES.items())


def test_runaway() -> None:
    right, wrong = asked("runaway", {"rate": 0.2, "gradient": "right"}, {"rate": 0.2, "gradient": "wrong"})
    loss = np.mean((H - H.mean() - TARGETS) ** 2) / 2
    np.testing.assert_allclose(right["losses"] + wrong["losses"], loss)
    np.testing.assert_allclose(right["biases"], 0, atol=1e-12)
    np.testing.assert_allclose(wrong["biases"], 0.2 * TARGETS.mean() * np.arange(1, 21))


def test_pistons() -> None:
    (found,) = asked("pistons", {"push": 1.5, "area": 2})
    assert found == {
        "water": [4.5, 3.0],
        "gains": [pytest.approx(0.45), pytest.approx(0.3)],
        "rise": pytest.approx(0.75),
    }


def test_nudge_has_what_the_functions_give_at_every_place_of_the_sliders() -> None:
    states = [
        {"panel": p, "example": i, "by": by} for p in (0, 1) for i in range(6) for by in np.linspace(-1, 1, 21).round(1)
    ]
    for state, found in zip(states, asked("nudge", *states), strict=True):
        function = (np.tanh, normalize)[state["panel"]]
        np.testing.assert_allclose(found["before"], function(X), atol=1e-12)
        np.testing.assert_allclose(found["after"], function(X + state["by"] * np.eye(6)[state["example"]]), atol=1e-12)
        assert found["moved"] == (state["by"] != 0) * (1, 6)[state["panel"]]


def test_contraction() -> None:
    dout = np.arange(8.0).reshape(4, 2) ** 2
    states = [{"i": i, "j": j} for i in range(4) for j in range(2)]
    for state, found in zip(states, asked("contraction", *states), strict=True):
        i, j = state["i"], state["j"]
        assert found["total"] == pytest.approx((dout - dout.mean(axis=0))[i, j])
        assert found["bands"] == [pytest.approx(dout[i, j]), pytest.approx(-dout[:, j].mean())]
        np.testing.assert_allclose(found["products"], dout * centring(4, 2)[:, :, i, j])


def test_three_terms_add_up_to_the_gradient_wherever_an_example_is_dragged() -> None:
    rng = np.random.default_rng(3)
    states = [{"x": rng.normal(size=6).tolist(), "dout": rng.normal(size=6).tolist()} for _ in range(5)]
    for state, found in zip(states, asked("three_terms", *states), strict=True):
        x, dout = np.array(state["x"]), np.array(state["dout"])
        truth = dout @ jacobian_central(lambda x: normalize(x, 1.5, 0.01), x)
        np.testing.assert_allclose(found["dx"], truth, atol=1e-8)
        np.testing.assert_allclose(np.sum(found["terms"], axis=0), truth, atol=1e-8)
        np.testing.assert_allclose(found["x_hat"], normalize(x, 1.0, 0.01))
        x_hat, terms = normalization._terms(dout, x, 1.5, 0.01)
        np.testing.assert_allclose(found["terms"], terms)


def test_who_shares_is_what_the_still_picture_shows() -> None:
    states = [
        {"layer": name, "entry": entry} for name in relatives.LAYERS for entry in ([0, 1, 2], [2, 3, 4], [1, 2, 0])
    ]
    for state, found in zip(states, asked("who_shares", *states), strict=True):
        statistics, parameter = relatives.sharing(state["layer"], (3, 4, 5), 2, tuple(state["entry"]))
        np.testing.assert_array_equal(found["statistics"], statistics)
        np.testing.assert_array_equal(found["parameter"], parameter)
        assert found["counts"] == [statistics.sum(), parameter.sum()]
        assert found["pairs"] * statistics.sum() == statistics.size


def test_on_the_circle() -> None:
    states = [{"xc": [0.3, 1.1], "dout": [0.5, -0.2]}, {"xc": [-2.0, 0.4], "dout": [1.0, 1.0]}]
    for state, found in zip(states, asked("on_the_circle", *states), strict=True):
        xc, dout = (np.array(state[name]) @ normalization._PLANE for name in ("xc", "dout"))
        truth = dout @ jacobian_central(lambda c: c / np.sqrt(np.mean(c**2) + 1e-8), xc)
        assert abs(xc.sum()) < 1e-12
        np.testing.assert_allclose(np.array(found["dxc"]) @ normalization._PLANE, truth, atol=1e-8)
        np.testing.assert_allclose(np.linalg.norm(found["z"]), np.sqrt(3), rtol=1e-6)
        assert found["angle"] == pytest.approx(90, abs=1e-4)


@pytest.mark.parametrize("count", [3, 2])
@pytest.mark.parametrize("eps", [1e-8, 0.5])
def test_losing_two(count: int, eps: float) -> None:
    rng = np.random.default_rng(count)
    states = [
        {"x": rng.normal(size=count).tolist(), "dout": rng.normal(size=count).tolist(), "eps": eps} for _ in range(4)
    ]
    for state, found in zip(states, asked("losing_two", *states), strict=True):
        x, dout = np.array(state["x"]), np.array(state["dout"])
        np.testing.assert_allclose(found["x_hat"], normalize(x, 1.0, eps))
        np.testing.assert_allclose(found["flat"], dout - dout.mean())
        r = 1 / np.sqrt(x.var() + eps)
        np.testing.assert_allclose(
            r * np.array(found["sent"]), dout @ jacobian_central(lambda x: normalize(x, 1.0, eps), x), atol=1e-7
        )
        along = dout @ (x - x.mean()) / np.sum((x - x.mean()) ** 2) * (x - x.mean())
        np.testing.assert_allclose(found["left"] * along, along * eps * r * r)
        if count == 2:
            np.testing.assert_allclose(found["sent"], found["left"] * along, atol=1e-9)
    assert all(np.allclose(axes @ axes.T, np.diag(np.any(axes, axis=1))) for axes in geometry._AXES.values())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_far_from_zero_rounds_as_numpy_does(dtype: str) -> None:
    z = np.array(FIGURES["far_from_zero"]().data["z"])
    powers = range(precision.FARTHEST[dtype] + 1)
    for power, found in zip(
        powers, asked("far_from_zero", *({"power": p, "type": dtype} for p in powers)), strict=True
    ):
        made = precision.moved(z, power, dtype)
        for name in ("x", "mu", "once", "again"):
            np.testing.assert_array_equal(found[name], made[name])
        assert found["variances"] == made["variances"]
        assert found["errors"] == pytest.approx(made["errors"], rel=1e-6, abs=1e-15)
        assert found["errors"]["again"] < 3 * np.finfo(dtype).eps
        assert found["errors"]["once"] < found["usual"]
        assert found["gap"] == np.spacing(np.dtype(dtype).type(2.0**power))
    assert precision.moved(z, 20, "float32")["variances"]["pass"] < 0


def test_a_nudge_and_a_gradient_meet_in_dx_at_every_cut() -> None:
    x, gamma, beta, eps, dout = GATES
    truth = dout.ravel() @ jacobian_central(lambda x: normalize(x, gamma[0], eps) + beta[0], x.ravel())
    states = [{"example": i, "cut": cut} for i in range(4) for cut in range(10)]
    for state, found in zip(states, asked("walk", *states), strict=True):
        assert found["total"] == pytest.approx(truth[state["example"]], abs=1e-8)
    assert [len(found["met"]) for found in asked("walk", *states[:10])] == [1, 2, 1, 2, 2, 2, 2, 1, 1, 1]


@pytest.mark.parametrize(("convention", "ddof"), [("cs231n", 0), ("pytorch", 1)])
def test_settling(convention: str, ddof: int) -> None:
    batches = np.round(samples(), 3)[:, :5]
    (found,) = asked("settling", {"momentum": 0.8, "size": 5, "convention": convention})
    np.testing.assert_allclose(found["means"], batches.mean(axis=1))
    np.testing.assert_allclose(found["variances"], batches.var(axis=1))
    old = {"cs231n": 0.8, "pytorch": 0.2}[convention]
    mean, var = 0.0, 1.0
    for t, batch in enumerate(batches):
        mean, var = old * mean + (1 - old) * batch.mean(), old * var + (1 - old) * batch.var(ddof=ddof)
        assert found["running_mean"][t + 1] == pytest.approx(mean)
        assert found["running_var"][t + 1] == pytest.approx(var)


def test_a_quiz_says_of_each_choice_what_the_kernel_says() -> None:
    question = stubs.applied_twice
    given = json.loads(_Page(QuizView(question).html()).scripts["application/json"])
    letters = [choice.letter for choice in question.choices]
    said = calculated("quiz", given, *({"letter": letter} for letter in letters))
    assert said == [verdict(question, letter) for letter in letters]


class _Page(HTMLParser):
    """Elements of a page, and the text of its scripts by their type."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script" and data.strip():
            self.scripts[dict(self.tags[-1][1])["type"] or ""] = data


@pytest.mark.parametrize("name", FIGURES)
def test_a_page_needs_nothing_from_anywhere(name: str) -> None:
    shown = FIGURES[name]()._repr_mimebundle_()
    assert set(shown) == {"text/plain", "text/html"}
    assert shown["text/plain"].startswith("Figure: ")
    page = _Page(shown["text/html"])
    assert page.tags[0] == ("div", {"data-figure": name})
    assert page.tags[1][0] == "svg", "the still picture comes first"
    assert json.loads(page.scripts["application/json"])["label"] == shown["text/plain"].removeprefix("Figure: ")
    program = page.scripts["module"]
    assert not re.search(r"^\s*(import|export)\b|https?://(?!www\.w3\.org/2000/svg)", program, re.M)
    assert program.endswith(f'start("{name}", draw);\n')


def test_text_that_could_end_the_data_does_not() -> None:
    assert "</" not in live.as_json({"name": "</script><b>", "array": np.ones((1, 2))})
    assert json.loads(live.as_json({"name": "</script>", "array": np.ones((1, 2))})) == {
        "name": "</script>",
        "array": [[1, 1]],
    }


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_figure_has_the_same_text(name: str) -> None:
    assert FIGURES[name]().html() == FIGURES[name]().html()
