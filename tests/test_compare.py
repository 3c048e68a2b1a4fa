"""What a learner reads who compares with PyTorch, where it is installed and where it is not; torch is stood in for."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np

from bnlib.compare import compare_with_torch


def test_one_line_where_torch_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    compare_with_torch("layer_norm", {"out": np.ones(3)}, lambda torch: 1 / 0)
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "not installed" in said


def test_a_line_a_quantity(monkeypatch, capsys):
    tensor = SimpleNamespace(detach=lambda: np.array([1.0, 4.0]))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(made=lambda: {"out": tensor, "dx": np.zeros((2, 1))}))
    compare_with_torch("layer_norm", {"out": [1.0, 4.04], "dx": np.zeros(2)}, lambda torch: torch.made())
    assert capsys.readouterr().out.splitlines() == [
        "layer_norm, out: largest difference 1e-02",
        "layer_norm, dx: largest difference shape (2,) for (2, 1)",
    ]
