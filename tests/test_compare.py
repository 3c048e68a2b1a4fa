"""The comparison with PyTorch: with the real one where it is installed, and without it everywhere."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from bnlib.compare import compare_with_torch
from bnlib.grading.hidden.reference import reference
from bnlib.stubs import lesson_of


def test_without_torch_there_is_one_line(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    compare_with_torch(pytest.fail, {"x": np.ones(2)}, np.ones(2), out=np.ones(2), dx=np.ones(2))
    assert capsys.readouterr().out.splitlines() == [
        "PyTorch is not installed here, so there is nothing to compare with. The lesson does not need it."
    ]


def test_with_torch_gradients_and_running_statistics_agree_and_what_is_wrong_shows(capsys):
    pytest.importorskip("torch")
    rng, lesson = np.random.default_rng(0), reference(lesson_of("05_layer"))
    names = ("x", "gamma", "beta", "running_mean", "running_var")
    given = dict(zip(names, (rng.normal(size=(6, 3)), *rng.uniform(1, 2, size=(4, 3))), strict=True))
    dout = rng.normal(size=(6, 3))
    out, mean, var, cache = lesson.batchnorm_train_forward(*given.values(), 0.1, 1e-5, "pytorch")
    dx, dgamma, dbeta = lesson.batchnorm_train_backward(dout, cache)

    def layer(torch, x, gamma, beta, running_mean, running_var):
        out = torch.nn.functional.batch_norm(x, running_mean, running_var, gamma, beta, training=True)
        return {"out": out, "running_mean": running_mean, "running_var": running_var}

    right = {"out": out, "running_mean": mean, "running_var": var, "dx": dx, "dgamma": dgamma, "dbeta": dbeta}
    compare_with_torch(layer, given, dout, **right)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(right)
    differ = [line for line in lines if not line.endswith("  is PyTorch's to the last digit")]
    assert all(float(line.split(" by ")[1].split()[0]) < 1e-12 for line in differ)
    compare_with_torch(lambda torch, **t: layer(torch, **t)["out"], given, dout, dx=1.01 * dx, dgamma=dgamma[None])
    assert capsys.readouterr().out.splitlines() == [
        "dx      differs from PyTorch's by 1e-02 of its largest entry",
        "dgamma  has shape (1, 3), and PyTorch's (3,)",
    ]
    compare_with_torch(lambda torch, x: 2 * x, {"x": [1.0, 2.0]}, [1.0, 1.0], out=[2.0, 4.0], dx=[2.0, 2.0])
    assert capsys.readouterr().out.splitlines() == [
        f"{name:3}  is PyTorch's to the last digit" for name in ("out", "dx")
    ]
