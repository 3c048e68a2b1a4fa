"""Lesson 05's reference answers against differentiation by others: HIPS autograd, and torch where it is installed."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from bnlib.checks import checks_of
from bnlib.grading.hidden.reference import reference
from bnlib.stubs import layer

CONVENTIONS = ("cs231n", "pytorch")
SHAPES = [(4, 3), (7, 1), (32, 10)]


@pytest.fixture(scope="module")
def answers():
    return reference(layer.lesson)


@pytest.fixture(params=SHAPES, ids=str)
def batch(request):
    N, D = request.param
    rng = np.random.default_rng(N)
    return {
        "x": rng.normal(size=(N, D)) * rng.uniform(0.5, 3, size=D) + rng.uniform(-5, 5, size=D),
        "gamma": rng.normal(size=D),
        "beta": rng.normal(size=D),
        "running_mean": rng.normal(size=D),
        "running_var": rng.uniform(0.5, 2, size=D),
        "dout": rng.normal(size=(N, D)) + 0.5,
    }


def close(got, expected):
    """Within 1e-10 of the expected array's largest entry."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    assert np.max(np.abs(got - expected)) <= 1e-10 * max(np.max(np.abs(expected)), 1e-3)


def normalize(x, gamma, beta, mean, var, eps):
    return gamma * (x - mean) / anp.sqrt(var + eps) + beta


def trained(x, gamma, beta, eps):
    return normalize(x, gamma, beta, anp.mean(x, axis=0), anp.var(x, axis=0), eps)


def gradients(f, dout, *arguments):
    """Gradients of sum(dout * f) with respect to all arguments, by autograd."""
    return autograd.grad(lambda arguments: anp.sum(dout * f(*arguments)))(arguments)


def parts(batch):
    return batch["x"], batch["gamma"], batch["beta"], batch["running_mean"], batch["running_var"], batch["dout"]


@pytest.mark.parametrize("eps", [1e-5, 0.1])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_training_mode(answers, batch, convention, eps):
    x, gamma, beta, mean, var, dout = parts(batch)
    out, *_, cache = answers.batchnorm_train_forward(x, gamma, beta, mean, var, 0.9, eps, convention)
    close(out, trained(x, gamma, beta, eps))
    expected = gradients(lambda *a: trained(*a, eps), dout, x, gamma, beta)
    for got, right in zip(answers.batchnorm_train_backward(dout, cache), expected, strict=True):
        close(got, right)


@pytest.mark.parametrize("eps", [1e-5, 0.1])
def test_evaluation_mode(answers, batch, eps):
    x, gamma, beta, mean, var, dout = parts(batch)
    out, cache = answers.batchnorm_eval_forward(x, gamma, beta, mean, var, eps)
    close(out, normalize(x, gamma, beta, mean, var, eps))
    expected = gradients(lambda *a: normalize(*a, mean, var, eps), dout, x, gamma, beta)
    for got, right in zip(answers.batchnorm_eval_backward(dout, cache), expected, strict=True):
        close(got, right)


@pytest.mark.parametrize("eps", [1e-5, 0.1])
def test_block(answers, eps):
    rng = np.random.default_rng(2)
    x, W, b = rng.normal(size=(9, 5)), rng.normal(size=(5, 4)), rng.normal(size=4)
    gamma, beta, da = rng.normal(size=4), rng.normal(size=4), rng.normal(size=(9, 4))

    def block(x, W, b, gamma, beta):
        return anp.maximum(trained(anp.dot(x, W) + b, gamma, beta, eps), 0)

    a, cache = answers.block_forward(x, W, b, gamma, beta, eps)
    close(a, block(x, W, b, gamma, beta))
    expected = gradients(block, da, x, W, b, gamma, beta)
    for got, right in zip(answers.block_backward(da, cache), expected, strict=True):
        close(got, right)


def test_affine_and_relu(answers):
    rng = np.random.default_rng(3)
    x, W, b, dh = rng.normal(size=(6, 3)), rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=(6, 4))
    expected = gradients(lambda x, W, b: anp.dot(x, W) + b, dh, x, W, b)
    for got, right in zip(answers.affine_backward(dh, x, W), expected, strict=True):
        close(got, right)
    y = rng.normal(size=(6, 4))
    close(answers.relu_backward(dh, y), gradients(lambda y: anp.maximum(y, 0), dh, y)[0])


def test_folding_is_the_two_layers_in_one(answers):
    rng = np.random.default_rng(4)
    W, b, x = rng.normal(size=(5, 3)), rng.normal(size=3), rng.normal(size=(8, 5))
    gamma, beta, mean, var = rng.normal(size=3), rng.normal(size=3), rng.normal(size=3), rng.uniform(0.5, 2, size=3)
    W2, b2 = answers.fold_into_affine(W, b, gamma, beta, mean, var, 0.01)
    close(x @ W2 + b2, normalize(x @ W + b, gamma, beta, mean, var, 0.01))


def test_undoing_gives_the_input_back(answers, batch):
    gamma, beta = answers.undo_normalization(batch["x"], 0.01)
    close(trained(batch["x"], gamma, beta, 0.01), batch["x"])


def test_the_visible_check_sees_both_conventions():
    """Three cases are few: had they all the same convention, half of a wrong answer would pass."""
    for stub in layer.lesson.functions.values():
        checks, rng = checks_of(stub), np.random.default_rng(list(stub.id.encode()))
        cases = [checks.draw(rng) for _ in range(3)]
        if "convention" in cases[0]:
            assert {case.convention for case in cases} == set(CONVENTIONS), stub.name
        if "defaults" in cases[0]:
            assert {case.defaults for case in cases} == {True, False}


def torch_layer(torch, batch, momentum, eps):
    D = batch["x"].shape[1]
    module = torch.nn.BatchNorm1d(D, eps=eps, momentum=momentum, dtype=torch.float64)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(batch["gamma"]))
        module.bias.copy_(torch.from_numpy(batch["beta"]))
    return module


@pytest.mark.parametrize("eps", [1e-5, 0.1])
def test_the_layer_lives_like_torch(answers, batch, eps):
    """Three training steps, then evaluation mode: outputs, gradients and running statistics after each."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(6)
    theirs = torch_layer(torch, batch, 0.3, eps)
    ours = answers.BatchNorm(batch["gamma"], batch["beta"], 0.3, eps, "pytorch")
    for training in (True, True, True, False, False):
        theirs.train(training)
        theirs.zero_grad()
        x = batch["x"] + rng.normal(size=batch["x"].shape)
        tensor = torch.from_numpy(x.copy()).requires_grad_()
        out = theirs(tensor)
        out.backward(torch.from_numpy(batch["dout"]))
        close(ours.forward(x, training), out.detach().numpy())
        close(ours.backward(batch["dout"]), tensor.grad.numpy())
        *_, dgamma, dbeta, running_mean, running_var = ours.parameters()
        close(dgamma, theirs.weight.grad.numpy())
        close(dbeta, theirs.bias.grad.numpy())
        close(running_mean, theirs.running_mean.numpy())
        close(running_var, theirs.running_var.numpy())


def test_the_functions_agree_with_torch(answers, batch):
    torch = pytest.importorskip("torch")
    x, gamma, beta, mean, var, dout = parts(batch)
    for training in (True, False):
        tensors = [torch.from_numpy(a.copy()).requires_grad_() for a in (x, gamma, beta)]
        notes = torch.from_numpy(mean.copy()), torch.from_numpy(var.copy())
        theirs = torch.nn.functional.batch_norm(
            tensors[0], *notes, weight=tensors[1], bias=tensors[2], training=training, momentum=0.2, eps=1e-3
        )
        theirs.backward(torch.from_numpy(dout))
        if training:
            out, *updated, cache = answers.batchnorm_train_forward(x, gamma, beta, mean, var, 0.2, 1e-3, "pytorch")
            back = answers.batchnorm_train_backward(dout, cache)
            for got, right in zip(updated, notes, strict=True):
                close(got, right.numpy())
        else:
            out, cache = answers.batchnorm_eval_forward(x, gamma, beta, mean, var, 1e-3)
            back = answers.batchnorm_eval_backward(dout, cache)
        close(out, theirs.detach().numpy())
        for got, right in zip(back, tensors, strict=True):
            close(got, right.grad.numpy())


def test_a_layer_in_float32_stays_in_float32(answers):
    rng = np.random.default_rng(32)
    x, dout = rng.normal(size=(2, 8, 3)).astype(np.float32)
    layer = answers.BatchNorm(np.ones(3, np.float32), np.zeros(3, np.float32))
    for training in (False, True, False):
        assert layer.forward(x, training).dtype == np.float32
        assert layer.backward(dout).dtype == np.float32
        assert {array.dtype for array in layer.parameters()} == {np.dtype(np.float32)}
