"""What docs/learners.md shows about derivations does what it says."""

import re
from pathlib import Path

import pytest

from bnlib.chains.course import judged
from bnlib.stubs import normalization

TEXT = (Path(__file__).parents[2] / "docs" / "learners.md").read_text(encoding="utf-8")
EXAMPLES = [code for code in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "derive(" in code]


@pytest.mark.parametrize("code", EXAMPLES)
def test_examples_run_and_hold(code, capsys):
    exec("from bnlib import derive\n" + code, {})
    normalization.input_gradient.answer = None
    said = capsys.readouterr().out
    assert "wrong" not in said
    assert "Every line" in said


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        ("x_hat[i]^2", "x_hat[i]**2"),
        ("sum(x[k] for k in N if k != i) + x[i]", "N * mu"),
        ("sqrt(var + eps)", "(var + eps)**(1/2)"),
        ("γ * μ + ε", "gamma * mu + eps"),
        ("a", "mu"),
    ],
)
def test_what_is_typed(typed, same):
    found = judged(normalization.input_gradient, f"d(L, x[i])\n= d(L, x[i]) + {typed} - ({same})")
    assert bool(found.message) == (typed == "a")
