"""The network that lesson 06 trains: its gradient, the course's layer, the wrong ones, the data, and what is in the wheel."""

import io
import sys
from contextlib import redirect_stdout
from pathlib import Path

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from bnlib import data
from bnlib.grading.hidden.reference import reference
from bnlib.network import experiments, norms
from bnlib.network.nets import Network
from bnlib.numerics import jacobian_central
from bnlib.stubs import layer, lesson_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with pytest


def softmax_loss(scores, labels):
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    target = np.eye(scores.shape[1])[labels]
    return -np.sum(target * log_p) / len(scores), (np.exp(log_p) - target) / len(scores)


def step(forward, backward, theta, x, labels, rate):
    scores, cache = forward(theta, x)
    loss, dscores = softmax_loss(scores, labels)
    return loss, theta - rate * backward(dscores, cache)


def small(norm, activation="tanh"):
    rng = np.random.default_rng(3)
    network = Network((4, 5, 3, 3), norm, activation)
    theta = network.start(0.7, 1) + 0.1 * rng.normal(size=network.start(0.7, 1).shape)
    return network, theta, rng.normal(size=(7, 4)), rng.integers(3, size=7)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("norm", [None, norms.Norm], ids=["plain", "normalized"])
def test_the_gradient_of_a_whole_network(norm, activation):
    network, theta, x, labels = small(norm, activation)
    scores, cache = network.forward(theta, x)
    computed = network.backward(softmax_loss(scores, labels)[1], cache)
    measured = jacobian_central(
        lambda t: np.atleast_1d(softmax_loss(network.forward(t, x)[0], labels)[0]), theta, 1e-6
    )[0]
    assert np.abs(computed - measured).max() < 1e-8


def test_the_courses_layer_agrees_with_autograd():
    rng = np.random.default_rng(0)
    x, dout, gamma, beta = rng.normal(size=(6, 3)), rng.normal(size=(6, 3)), rng.normal(size=3), rng.normal(size=3)

    def out(x, gamma, beta):
        return gamma * (x - anp.mean(x, axis=0)) / anp.sqrt(anp.var(x, axis=0) + 1e-5) + beta

    norm = norms.Norm(gamma, beta)
    assert np.allclose(norm.forward(x, True), out(x, gamma, beta), atol=1e-12)
    found = (norm.backward(dout), norm.dgamma, norm.dbeta)
    for place, value in enumerate(found):
        right = autograd.grad(lambda *args: anp.sum(dout * out(*args)), place)(x, gamma, beta)
        assert np.abs(value - right).max() < 1e-10


def test_each_wrong_layer_has_the_right_output_and_a_wrong_gradient():
    rng = np.random.default_rng(0)
    x, dout = rng.normal(size=(6, 3)), rng.normal(size=(6, 3))
    right = norms.Norm(np.ones(3), np.zeros(3))
    out, dx = right.forward(x, True), right.backward(dout)
    spread = np.sqrt(x.var(axis=0) + 1e-5)
    for name, kind in norms.WRONG.items():
        wrong = kind(np.ones(3), np.zeros(3))
        assert np.allclose(wrong.forward(x, True), out)
        assert np.abs(wrong.backward(dout) - dx).max() > 0.01, name
    shifted = norms.WRONG["no path through the mean"](np.ones(3), np.zeros(3))
    shifted.forward(x, True)
    assert np.allclose(shifted.backward(dout) - dx, dout.mean(axis=0) / spread), "what is missing is the mean's path"
    diagonal = norms.WRONG["diagonal only"](np.ones(3), np.zeros(3))
    diagonal.forward(x, True)

    def feature(column):
        return (column - column.mean()) / np.sqrt(column.var() + 1e-5)

    jacobian = jacobian_central(feature, x[:, 0], 1e-6)
    assert np.allclose(diagonal.backward(dout)[:, 0], np.diag(jacobian) * dout[:, 0], atol=1e-4)


def test_the_noise_is_part_of_the_network_and_serving_has_none():
    rng = np.random.default_rng(0)
    x, dout = rng.normal(size=(6, 3)), rng.normal(size=(6, 3))
    noisy, plain = norms.Noisy(np.ones(3), np.zeros(3)), norms.Norm(np.ones(3), np.zeros(3))
    first, second = noisy.forward(x, True), noisy.forward(x, True)
    assert np.abs(first - second).max() > 0.1
    plain.forward(x, True)
    noisy.backward(dout)
    assert np.allclose(noisy.dbeta, np.sum(noisy.stretch * dout, axis=0))
    plain.forward(x, True)
    assert np.allclose(noisy.forward(x, False), plain.forward(x, False))


def test_training_is_the_same_every_time_and_says_what_became_of_it():
    task = experiments.spirals_task(steps=30, scale=0.3)
    first, again = (experiments.train(step, norms.Norm, task) for _ in range(2))
    assert np.array_equal(first.losses, again.losses)
    assert first.losses[-1] < first.losses[0]
    assert 0.3 < first.accuracy <= 1
    assert np.abs(first.biases).max() < 1e-12, "the right gradient leaves biases alone"
    exploded = experiments.train(step, None, experiments.spirals_task(steps=30, scale=30.0))
    assert exploded.end == np.inf
    assert exploded.accuracy <= 0.5


def test_a_sweep_keeps_runs_by_name_value_and_seed():
    runs = experiments.sweep(
        step, {"plain": None, "normalized": norms.Norm}, experiments.spirals_task(steps=3), "batch", (4, 8), 2
    )
    assert list(runs) == ["plain", "normalized"]
    assert [[len(seeds) for seeds in row] for row in runs.values()] == [[2, 2], [2, 2]]
    alone = experiments.train(step, norms.Norm, experiments.spirals_task(steps=3, batch=8, seed=1))
    assert np.array_equal(runs["normalized"][1][1].losses, alone.losses)


def test_the_layer_of_lesson_5_is_the_learners_where_it_passes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = io.StringIO()
    with redirect_stdout(said):
        assert experiments.layer_of_lesson_5() is norms.Norm
    assert "is not there, or does not pass" in said.getvalue()
    stub = layer.BatchNorm

    class Wrong(norms.Norm):
        def __init__(self, gamma, beta, momentum=0.9, eps=1e-5, convention="cs231n"):
            super().__init__(gamma, beta)

        def parameters(self):
            return ()

    try:
        stub.answer = Wrong
        with redirect_stdout(io.StringIO()):
            assert experiments.layer_of_lesson_5() is norms.Norm
    finally:
        stub.answer = None


def test_digits_are_whole_and_parted():
    x, labels, x_test, labels_test = data.digits(test=500)
    assert (x.shape, x_test.shape) == ((1297, 64), (500, 64))
    assert x.min() == 0
    assert x.max() == 1
    counts = np.bincount(np.concatenate([labels, labels_test]))
    assert len(counts) == 10
    assert counts.sum() == 1797
    assert counts.min() > 170
    assert not {row.tobytes() for row in x} & {row.tobytes() for row in x_test}, "none is in both parts"


def test_spirals_are_classes_of_one_size():
    x, labels = data.spirals(each=10, arms=3, seed=1)
    assert x.shape == (30, 2)
    assert np.bincount(labels).tolist() == [10, 10, 10]
    assert np.hypot(*x.T).max() < 1.001


def test_the_wheel_has_the_digits_and_says_whose_they_are():
    root = Path(data.__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["bnlib.data"]
    packed = {path.name for pattern in patterns for path in Path(data.__file__).parent.glob(pattern)}
    assert packed == {"digits.csv.gz", "digits.txt"}
    assert "CC BY 4.0" in (root / "bnlib" / "data" / "digits.txt").read_text(encoding="utf-8")


def log_loss(scores, labels):
    shifted = scores - anp.max(scores, axis=1)[:, None]
    log_p = shifted - anp.log(anp.sum(anp.exp(shifted), axis=1))[:, None]
    return -anp.mean(log_p[anp.arange(len(labels)), labels])


@pytest.mark.parametrize(("shape", "far"), [((6, 4), 0.0), ((1, 3), 0.0), ((40, 10), 0.0), ((5, 4), 700.0)])
def test_the_reference_answers_agree_with_autograd(shape, far):
    rng = np.random.default_rng([*shape, int(far)])
    scores, labels = far + 2 * rng.normal(size=shape), rng.integers(shape[1], size=shape[0])
    lesson = reference(lesson_of("06_training"))
    loss, dscores = lesson.softmax_loss(scores, labels)
    assert abs(loss - log_loss(scores, labels)) < 1e-10
    assert np.abs(dscores - autograd.grad(log_loss)(scores, labels)).max() < 1e-10


def test_a_reference_step_through_a_normalized_network_agrees_with_autograd():
    network, theta, x, labels = small(norms.Norm)
    lesson = reference(lesson_of("06_training"))
    weights, biases, gammas, betas = network.parts(theta)
    found, new = lesson.training_step(network.forward, network.backward, theta, x, labels, 0.5)

    def of(weights, biases, gammas, betas):
        a = x
        for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            h = anp.dot(a, weight) + bias
            if number < len(gammas):
                h = gammas[number] * (h - anp.mean(h, axis=0)) / anp.sqrt(anp.var(h, axis=0) + 1e-5) + betas[number]
                a = anp.tanh(h)
        return log_loss(h, labels)

    right = autograd.grad(of, (0, 1, 2, 3))(weights, biases, gammas, betas)
    assert abs(found - of(weights, biases, gammas, betas)) < 1e-10
    for group, slopes in zip(network.parts((theta - new) / 0.5), right, strict=True):
        for ours, other in zip(group, slopes, strict=True):
            assert np.abs(ours - other).max() < 1e-10
