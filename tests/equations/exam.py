"""What the exam and its marking scheme speak of, item by item; the numbers of an item are read off the sheet."""

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
from displays import Speaks

from bnlib.stubs import Setting, layer, normalization

ROOT = Path(__file__).parents[2]
SHEET, SCHEME = ROOT / "docs" / "exam.md", ROOT / "solutions" / "exam.md"
ONE_FEATURE = normalization.ONE_FEATURE


def items(path):
    """From the number of an item to its heading (title, points, minutes) and its text."""
    parts = re.split(r"(?m)^## (\d+)\. (.*) · (\d+) points · (\d+) minutes\n", path.read_text(encoding="utf-8"))[1:]
    return {int(n): ((title, int(points), int(minutes)), text) for n, title, points, minutes, text in
            zip(*(parts[start::5] for start in range(5)), strict=True)}  # fmt: skip


def rows(text):
    """The rows of all tables: the header of the table, and the cells."""
    header = None
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else None
        if cells and header and not set("".join(cells)) <= set("-:"):
            yield header, cells
        header = cells and (header or cells)


def number(cell):
    """A cell as a number; None where it is none."""
    return float(Fraction(cell)) if re.fullmatch(r"-?\d+(/\d+)?", cell) else None


def given(item):
    """The numbers that an item gives: its rows ``$x_k$ | 1 | 4``, and ``$\\gamma = 6$`` in its text."""
    text = items(SHEET)[item][1]
    found = {
        name: np.array([number(cell) for cell in cells])
        for _, (first, *cells) in rows(text)
        if (name := {"$x_k$": "x", r"$\mathrm{dout}_k$": "dout"}.get(first))
    }
    typeset = {r"\gamma": "gamma", r"\beta": "beta", r"\epsilon": "eps", r"\mu": "mu", r"\sigma^2": "var", "q": "q"}
    for latex, value in re.findall(r"\$(\\gamma|\\beta|\\epsilon|\\mu|\\sigma\^2|q) = ([\d/]+)\$", text):
        found[typeset[latex]] = np.array(number(value))
    return found


def numbers(item, setting):
    """A setting with the numbers of an item in the place of drawn ones."""
    values = {name: value for name, value in given(item).items() if name in setting.given}
    lengths = {"N": len(values["x"])} if "x" in values else {}
    return Speaks("", setting, lengths=lengths, made=lambda arrays: values)


BIAS = Setting(
    {"u": "N", "b": "", **{name: sizes for name, sizes in ONE_FEATURE.given.items() if name != "x"}},
    "x[i] = u[i] + b" + ONE_FEATURE.definitions,
)
BIAS_IN_EVALUATION = Setting(
    {"u": "N", "b": "", "dout": "N", "gamma": "", "beta": "", "running_mean": "", "running_var": "", "eps": ""},
    """
    x[i] = u[i] + b
    y[i] = gamma * (x[i] - running_mean) / sqrt(running_var + eps) + beta
    L = sum(dout[k] * y[k] for k in N)
    """,
    positive=layer.EVALUATION.positive,
)
DROPOUT = Setting(  # an entry has the mean mu and the variance var; kept and divided by q, or 0
    {"mu": "", "var": "", "q": ""},
    """
    mu_Q = q * mu / q + (1 - q) * 0
    v_Q = q * (var / q**2 + (mu / q - mu_Q)**2) + (1 - q) * (0 - mu_Q)**2
    """,
    positive=("var", "q"),
    latex={"mu_Q": r"\mu_Q", "v_Q": "v_Q"},
)
TWO = Setting(
    {"s": "", "x_2": "", "dout_1": "", "dout_2": "", "gamma": "", "beta": "", "eps": ""},
    """
    x_1 = x_2 + 2*s
    t = (x_1 - x_2) / 2
    mu = (x_1 + x_2) / 2
    var = ((x_1 - mu)**2 + (x_2 - mu)**2) / 2
    x_hat_1 = (x_1 - mu) / sqrt(var + eps)
    x_hat_2 = (x_2 - mu) / sqrt(var + eps)
    y_1 = gamma * x_hat_1 + beta
    y_2 = gamma * x_hat_2 + beta
    L = dout_1 * y_1 + dout_2 * y_2
    """,
    positive=("s", "eps"),
    latex={"x_hat_1": r"\hat x_1", "x_hat_2": r"\hat x_2", "dout_1": r"\mathrm{dout}_1", "dout_2": r"\mathrm{dout}_2"},
)

DRAWN = {
    0: [Speaks("", ONE_FEATURE)],
    1: [Speaks("", ONE_FEATURE)],
    2: [Speaks("", ONE_FEATURE)],
    3: [Speaks("", BIAS), Speaks("", BIAS_IN_EVALUATION)],
    4: [Speaks("", ONE_FEATURE), Speaks("", ONE_FEATURE, lengths={"N": 1})],
    5: [Speaks("", DROPOUT)],
    6: [Speaks("", ONE_FEATURE)],
    7: [Speaks("", TWO), Speaks("", TWO, made=lambda arrays: {"eps": np.array(0.0)})],
    8: [Speaks("", ONE_FEATURE)],
}
"""What holds for all numbers."""
ON_THE_SHEET = {2: numbers(2, ONE_FEATURE), 5: numbers(5, DROPOUT), 8: numbers(8, ONE_FEATURE)}
"""What holds for those of the sheet."""

SPEAKS = [speaks for item in DRAWN for speaks in DRAWN[item]] + list(ON_THE_SHEET.values())
