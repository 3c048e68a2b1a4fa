"""The projects: each check refuses the empty file and wrong answers, and accepts right ones; docs/projects.md names them all."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bnlib import derive

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "examples" / "projects"
PROJECTS = ("fused", "sync", "without_variance")

FUSED = """
def forward(x, gamma, beta, eps):
    inv_std = 1 / np.sqrt(x.var(axis=0) + x.dtype.type(eps))
    x_hat = (x - x.mean(axis=0)) * inv_std
    return gamma * x_hat + beta, (x_hat, gamma * inv_std)

def backward(dout, cache):
    x_hat, scale = cache
    dgamma, dbeta = (dout * x_hat).sum(axis=0), dout.sum(axis=0)
    return scale * (dout - (dbeta + x_hat * dgamma) / len(dout)), dgamma, dbeta
"""
SYNC = """
def forward(x, gamma, beta, eps, all_reduce):
    *total, N = all_reduce(np.append(x.sum(axis=0), len(x)))
    xc = x - np.array(total) / N
    inv_std = 1 / np.sqrt(all_reduce((xc**2).sum(axis=0)) / N + eps)
    return gamma * xc * inv_std + beta, (xc * inv_std, gamma * inv_std, N)

def backward(dout, cache, all_reduce):
    x_hat, scale, N = cache
    dgamma, dbeta = all_reduce(np.stack([(dout * x_hat).sum(axis=0), dout.sum(axis=0)]))
    return scale * (dout - (dbeta + x_hat * dgamma) / N), dgamma, dbeta
"""
WITHOUT_VARIANCE = """
def forward(x, gamma, beta, eps):
    xc = x - x.mean(axis=0)
    scale = 1 / (np.abs(xc).mean(axis=0) + eps)
    return gamma * xc * scale + beta, (xc, scale, gamma)

def backward(dout, cache):
    xc, scale, gamma = cache
    g = gamma * dout * scale
    dxc = g - np.sign(xc) * (g * xc).mean(axis=0) * scale
    return dxc - dxc.mean(axis=0), (dout * xc * scale).sum(axis=0), dout.sum(axis=0)
"""
RIGHT = {"fused": FUSED, "sync": SYNC, "without_variance": WITHOUT_VARIANCE}
WRONG = [
    ("fused", "x_hat * dgamma", "dgamma", "float64, rows together: wrong by"),
    ("fused", "scale * (dout", "np.float32(scale) * (np.float32(dout)", "float64, rows together: wrong by"),
    ("fused", "    x_hat =", "    x -= x.mean(axis=0)\n    x_hat =", "its inputs stay"),
    ("sync", "x_hat * dgamma) / N", "x_hat * dgamma) / len(dout)", "even, mean near 0e+00: wrong"),
    ("sync", "all_reduce((xc**2).sum(axis=0)) / N", "(all_reduce((x**2).sum(axis=0)) / N - (np.array(total) / N)**2)", "mean near 1e+06"),
    ("sync", "dgamma, dbeta = all_reduce(", "all_reduce(scale)\n    dgamma, dbeta = all_reduce(", "messages"),
    ("sync", "    *total", "    if len(x) == 9: all_reduce(x)\n    *total", "equally often"),
    ("sync", "dgamma, dbeta = all_reduce(", "dgamma, dbeta = (", "even"),
    ("without_variance", "np.abs(xc).mean(axis=0)", "xc.std(axis=0)", "it is not batch normalization"),
    ("without_variance", "np.abs(xc).mean(axis=0)", "1.2 * xc.std(axis=0)", "it is not batch normalization"),
    ("without_variance", "dxc - dxc.mean(axis=0)", "dxc", "dx"),
    ("without_variance", "+ eps)", ")", "a constant feature"),
    ("without_variance", "1 / (np.abs(xc).mean(axis=0) + eps)", "np.ones(x.shape[1])", "10 * x"),
    ("without_variance", "np.abs(xc).mean(axis=0)", "np.abs(xc).mean()", "one feature"),
]  # fmt: skip


def judged(name, answer, monkeypatch):
    """The rows of a project's check that are wrong, with an answer in the place of the stubs."""
    monkeypatch.syspath_prepend(FOLDER)
    spec = importlib.util.spec_from_file_location(f"project_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    exec(answer, module.__dict__)
    module.fastest = lambda run: 1.0
    with np.errstate(all="ignore"):
        return [words for words, ok in module.check() if not ok]


@pytest.mark.parametrize("name", PROJECTS)
def test_a_right_answer_is_accepted(name, monkeypatch):
    assert judged(name, RIGHT[name], monkeypatch) == []


@pytest.mark.parametrize(("name", "old", "new", "words"), WRONG)
def test_a_wrong_answer_is_refused_and_says_where(name, old, new, words, monkeypatch):
    assert old in RIGHT[name]
    assert any(words in row for row in judged(name, RIGHT[name].replace(old, new), monkeypatch))


@pytest.mark.parametrize("name", PROJECTS)
def test_the_file_runs_and_says_what_to_do(name):
    command = re.search(rf"python (examples/projects/{name}\.py)", (ROOT / "docs" / "projects.md").read_text())[1]
    done = subprocess.run([sys.executable, command], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")
    assert "not written yet" in done.stdout


def test_the_scratch_pad_knows_another_spread(capsys):
    derive(
        given={"x": "N", "eps": ""},
        definitions="mu = mean(x[k] for k in N)\nspread = mean(abs(x[k] - mu) for k in N)",
        lines="""
        d(spread, x[i])
        = mean(sign(x[k] - mu) * (delta[k, i] - 1/N) for k in N)
        = (sign(x[i] - mu) - mean(sign(x[k] - mu) for k in N)) / N
        """,
    )
    said = capsys.readouterr().out
    assert "Every line" in said
    assert "wrong" not in said
