"""What the exam and its marking scheme speak of, item by item; the numbers of an item are read off the sheet."""

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from displays import Speaks

from bnlib.language.notation import TYPESET
from bnlib.stubs import Setting, layer, normalization, precision, relatives

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
    """A cell as a number, ``-3``, ``1/16`` or ``10^{-5}``; None where it is none."""
    power = re.fullmatch(r"10\^\{(-?\d+)\}", cell)
    return float(f"1e{power[1]}") if power else float(Fraction(cell)) if re.fullmatch(r"-?\d+(/\d+)?", cell) else None


def numbers(item, setting, made=lambda values: {}):
    """A setting with the numbers of an item in the place of drawn ones: its rows ``$x_k$ | 1 | 4``, and ``$\\gamma = 6$`` in its text.

    A size is given likewise, ``$A = 4$``, or is as long as a row. ``made`` makes of what is on the sheet what the setting has instead.
    """
    text = items(SHEET)[item][1]
    found = {first: np.array([number(cell) for cell in cells]) for _, (first, *cells) in rows(text)}
    found |= {
        f"${latex}$": np.array(number(value))
        for latex, value in re.findall(r"\$([^$=]+) = (-?[\d/]+|10\^\{-?\d+\})\$", text)
    }
    typeset, values = TYPESET | setting.latex, {}
    for name in {**setting.given, **typeset}:
        for index in ("", "_k", "_l", "_m"):
            if (row := f"${typeset.get(name, name)}{index}$") in found:
                values[name] = found[row]
    lengths = {size: len(values[name]) for name, size in setting.given.items() if size and name in values}
    lengths |= {size: int(found[f"${size}$"]) for size in setting.given.values() if f"${size}$" in found}
    return Speaks("", setting, lengths=lengths, made=lambda arrays: values | made({**arrays, **values}))


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
RUNAWAY = Setting(
    {"h": "N", "b": "", "y_star": "N", "rate": ""},
    """
    y[k] = h[k] + b - mean(h[m] + b for m in N)
    L = mean((y[k] - y_star[k])**2 for k in N) / 2
    """,
)
TAKEN_APART = replace(
    ONE_FEATURE,
    definitions=ONE_FEATURE.definitions
    + """
    along[i] = x_hat[i] * sum(dout[k] * x_hat[k] for k in N) / sum(x_hat[k]**2 for k in N)
    kept[i] = dout[i] - mean(dout[k] for k in N) - along[i]
    """,
)
IN_FRONT = Setting(
    {"x": "N D", "c": "", "W": "D", "dout": "N", "gamma": "", "beta": "", "eps": ""},
    """
    h[i] = c * sum(x[i, m] * W[m] for m in D)
    mu = mean(h[k] for k in N)
    var = mean((h[k] - mu)**2 for k in N)
    y[i] = gamma * (h[i] - mu) / sqrt(var + eps) + beta
    L = sum(dout[k] * y[k] for k in N)
    """,
)
AT_ONE = Speaks("", IN_FRONT, made=lambda arrays: {"c": np.array(1.0), "eps": np.array(0.0)})
A_STEP = Setting(
    {"W": "D", "dW": "D", "rate": ""},
    "W2[m] = W[m] - rate * dW[m]",
    latex={"W2": "W'", "dW": r"\mathrm{dW}"},
)
AT_RIGHT_ANGLES = Speaks("", A_STEP, made=lambda arrays: {"dW": arrays["dW"] - arrays["W"] * (arrays["W"] @ arrays["dW"]) / (arrays["W"] @ arrays["W"])})  # fmt: skip
ONE_ROW = Setting(
    {"x": "D", "gamma": "D", "beta": "D", "dout": "D", "eps": ""},
    """
    mu = mean(x[m] for m in D)
    var = mean((x[m] - mu)**2 for m in D)
    r = (var + eps)**(-1/2)
    x_hat[l] = (x[l] - mu) * r
    y[l] = gamma[l] * x_hat[l] + beta[l]
    L = sum(dout[l] * y[l] for l in D)
    """,
)
SHARED = {
    name: rf"\mathrm{{d}}\{name[1:-2]}^{{\mathrm{{{name[-1]}}}}}"
    for name in ("dbeta_a", "dbeta_b", "dgamma_a", "dgamma_b")
}
TWO_DEVICES = Setting(
    {**precision.TWO_SHARDS.given, "eps": "", "gamma": "", "dout": "", "x_hat": "", **dict.fromkeys(SHARED, "")},
    precision.TWO_SHARDS.definitions
    + """
    var = (sum(x_a[k]**2 for k in A) + sum(x_b[l]**2 for l in B)) / (A + B) - mu**2
    r = 1 / sqrt(var + eps)
    dx = gamma * r * (dout - (dbeta_a + dbeta_b) / (A + B) - x_hat * (dgamma_a + dgamma_b) / (A + B))
    """,
    latex=precision.TWO_SHARDS.latex | SHARED | {"dx": r"\mathrm{dx}"},
)
GAP = Setting({"q": "", "eps": ""}, "")


def shards(values):
    """Examples that have the mean and the variance of each device."""

    def of(x, mu, var):
        return (x - x.mean()) / x.std() * np.sqrt(var) + mu

    return {f"x_{each}": of(*(values[f"{name}_{each}"] for name in ("x", "mu", "var"))) for each in "ab"}


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
    9: [Speaks("", RUNAWAY)],
    10: [Speaks("", TAKEN_APART)],
    11: [AT_ONE, AT_RIGHT_ANGLES],
    12: [Speaks("", relatives.LAYER_NORM), Speaks("", ONE_ROW)],
    13: [],
    14: [Speaks("", TWO_DEVICES)],
    15: [numbers(15, GAP)],
}
"""What holds for all numbers."""
ON_THE_SHEET = {
    2: numbers(2, ONE_FEATURE),
    5: numbers(5, DROPOUT),
    8: numbers(8, ONE_FEATURE),
    9: numbers(9, RUNAWAY),
    10: numbers(10, TAKEN_APART),
    11: numbers(11, A_STEP),
    12: numbers(12, ONE_ROW),
    14: numbers(14, TWO_DEVICES, shards),
}
"""What holds for those of the sheet."""

SPEAKS = [speaks for item in DRAWN for speaks in DRAWN[item]] + list(ON_THE_SHEET.values())
