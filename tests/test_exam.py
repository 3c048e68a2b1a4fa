"""The exam and its marking scheme: they agree, every formula and number in them is computed, and learners do not get the scheme."""

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from displays import ground, spoken, wrong

from bnlib.grading.hidden.reference import reference
from bnlib.language.displays import RELATIONS, chains, displays, tokens
from bnlib.language.latex import read_latex
from bnlib.language.names import FormulaError
from bnlib.language.tree import letters_of
from bnlib.numerics import jacobian_central
from bnlib.release import bundle
from bnlib.stubs import lesson_of

ROOT = Path(__file__).parent.parent
EXAM = spoken("exam")
SHEET, SCHEME = EXAM.items(EXAM.SHEET), EXAM.items(EXAM.SCHEME)
SLIP = displays(SHEET[4][1])[0][1]
ASSUMED = r"\epsilon ="
"""How an assumption of an item begins, which is true by itself."""
FALSE_LINK = 3
"""The ``=`` of item 4 that is not true: its third line."""


def places(found):
    """Where settings stand in SPEAKS."""
    return [EXAM.SPEAKS.index(speaks) for speaks in found]


def drawn(item):
    return places(EXAM.DRAWN[item])


def fixed(item):
    return places([EXAM.ON_THE_SHEET[item]] if item in EXAM.ON_THE_SHEET else [])


def said():
    """Every equation of sheet and scheme: (item, LaTeX), displayed or in a line."""
    sheet = EXAM.SHEET.read_text(encoding="utf-8")
    texts = [(0, sheet[: sheet.index("\n## ")])]
    texts += [(item, text) for found in (SHEET, SCHEME) for item, (_, text) in found.items()]
    for item, text in texts:
        found = [latex for _, latex in displays(text)]
        found += re.findall(r"\$([^$]+)\$", re.sub(r"(?s)\$\$.*?\$\$", "", text))
        for latex in found:
            if compares(latex) and latex != SLIP and not latex.startswith(ASSUMED):
                yield item, latex


def compares(latex):
    """Whether an = stands in a formula, and not just in what its sums run over."""
    return bool(set(RELATIONS) & set(tokens(re.sub(r"_\{[^{}]*\}", "", latex))))


def is_number(side):
    """Whether one side of an = is a number, and not the 0 that holds for all."""
    return side != ("0",) and all(re.fullmatch(r"[\d.{}/-]|\\[td]?frac", sign) for sign in side)


@pytest.mark.parametrize(("item", "latex"), sorted(set(said())))
def test_an_equation_is_true(item, latex):
    """With the numbers of the sheet where a side is a number, else for all numbers."""
    link, found = 0, chains(latex)
    for chain in found:
        for left, right in zip(chain.sides, chain.sides[1:], strict=False):
            link += 1
            number = is_number(left) or is_number(right)
            problems = []
            for place in [*drawn(item), *(fixed(item) if number else [])]:
                try:
                    problems.append(next((words for _, words in wrong("exam", place, latex, {link})), ""))
                except FormulaError as error:
                    problems.append(str(error))
            assert "" in problems, f"= number {link}: {problems}"


def test_item_4_has_one_slip_and_it_is_where_the_scheme_says():
    general, alone = drawn(4)
    assert dict(wrong("exam", general, SLIP, set())) == {FALSE_LINK: "the two sides differ"}
    assert not list(wrong("exam", alone, SLIP, {FALSE_LINK})), "right for a batch of one"
    assert "the third line" in SCHEME[4][1]


def values(item, latex, place):
    """A formula's value on the first draw of a setting: an array over its free letters."""
    names, draws = ground(("exam", place))
    tree = read_latex(latex, names)
    return draws[0].of(tree, tuple(letter for letter in letters_of(tree) if letter in tree.free))


def tables():
    """Rows of sheet and scheme that begin with a formula and go on with its numbers; and what they stand instead of."""
    for item, (_, text) in [*SHEET.items(), *SCHEME.items()]:
        for header, (first, *cells) in EXAM.rows(text):
            formula = re.fullmatch(r"\$([^$=]+)\$", first)
            instead = re.match(r"instead of \$([^$]+)\$", header[0])
            if formula and formula[1] != "k":
                yield item, formula[1], tuple(cells), instead and instead[1]


@pytest.mark.parametrize(("item", "latex", "cells", "instead"), list(tables()))
def test_the_numbers_of_a_row_are_those_of_its_formula(item, latex, cells, instead):
    for place in fixed(item):
        value = np.ravel(values(item, latex, place))
        assert [EXAM.number(cell) for cell in cells[: len(value)]] == pytest.approx(list(value), abs=1e-12)


@pytest.mark.parametrize(("item", "latex", "cells", "instead"), [row for row in tables() if row[3]])
def test_a_common_wrong_answer_is_wrong(item, latex, cells, instead):
    found = []
    for place in [*fixed(item), *drawn(item)]:
        try:
            one, right = values(item, latex, place), values(item, instead, place)
        except FormulaError:
            continue
        found.append(np.allclose(*np.broadcast_arrays(one, right)))
    assert found, "can be read nowhere"
    assert not all(found)


def test_item_8_lists_the_programs_of_the_sheet_and_their_two_sums():
    programs = {first: cells for _, (first, *cells) in EXAM.rows(SHEET[8][1]) if first in "ABCDE"}
    x_hat = np.array([-1, -1, 1, 1])
    scheme = {cells[5]: cells for _, cells in EXAM.rows(SCHEME[8][1]) if len(cells) == 9}
    assert sorted(programs) == list("ABCDE")
    for program, cells in programs.items():
        row = scheme[program]
        dx = np.array([EXAM.number(cell) for cell in cells])
        assert row[1:5] == cells
        assert [EXAM.number(cell) for cell in row[7:]] == [dx.sum(), dx @ x_hat]
        assert (not dx.sum() and not dx @ x_hat) == (program == "B")


def test_item_7_a_right_gradient_has_a_large_relative_error_in_a_batch_of_two():
    rng = np.random.default_rng(0)
    off, off_scale = [], []
    for _ in range(20):
        x, dout, eps = rng.normal(size=2), rng.normal(size=2), 1e-10
        t = (x[0] - x[1]) / 2
        dx = (dout[0] - dout[1]) / 2 * eps / (t**2 + eps) ** 1.5
        measured = jacobian_central(lambda x, dout=dout, eps=eps: dout @ (x - x.mean()) / np.sqrt(x.var() + eps), x)
        off.append(abs(measured[0] - dx) / abs(dx))
        off_scale.append(abs(measured[0] - dx) * np.sqrt(t**2 + eps) / np.max(np.abs(dout)))
    assert np.median(off) > 1e-3
    assert np.max(off_scale) < 1e-7


def test_item_11_a_longer_column_gives_the_same_outputs_and_a_shorter_gradient():
    rng = np.random.default_rng(0)
    x, W, dout = rng.normal(size=(6, 3)), rng.normal(size=3), rng.normal(size=6)

    def out(W):
        h = x @ W
        return (h - h.mean()) / h.std()

    def slope(W):
        return jacobian_central(lambda W: dout @ out(W), W)

    assert np.allclose(out(10 * W), out(W))
    assert np.allclose(slope(10 * W), slope(W) / 10, atol=1e-6)


def test_item_13_counts_what_shares_a_mean():
    images, channels, height, width = (int(n) for n in re.search(r"(\d+) images of (\d+) channels, with (\d+) times (\d+)", SHEET[13][1]).groups())  # fmt: skip
    groups = int(re.search(r"with (\d+) groups", SHEET[13][1])[1])
    lesson, rng = reference(lesson_of("08_relatives")), np.random.default_rng(0)
    x, gamma = rng.normal(size=(images, channels, height, width)), np.ones(channels)
    layers = {
        "batch norm": lambda x: lesson.spatial_batchnorm_forward(x, gamma, 0 * gamma, 0.0)[0],
        **{
            f"{name} norm": lambda x, count=count: lesson.groupnorm_forward(x, gamma, 0 * gamma, count, 0.0)[0]
            for name, count in (("layer", 1), ("group", groups), ("instance", channels))
        },
    }
    nudged = x.copy()
    nudged[0, 0, 0, 0] += 1
    table = {cells[0]: [int(cell) for cell in cells[1:]] for header, cells in EXAM.rows(SCHEME[13][1]) if header[0] == "layer" and cells != header}  # fmt: skip
    assert list(table) == list(layers)
    for name, layer in layers.items():
        changed = np.count_nonzero(layer(nudged) != layer(x))
        assert table[name] == [x.size // changed, changed, gamma.size, changed]
        assert np.allclose(layer(x[:1]), layer(x)[:1]) == (name != "batch norm")


def test_item_15_says_what_a_machine_does():
    assert np.spacing(1e18) == 128
    assert np.spacing(np.float32(1e6)) == 1 / 16
    x = 1e9 + np.array([1.0, 2.0, 3.0])
    assert (np.mean(x**2) - np.mean(x) ** 2) % 128 == 0
    table = {cells[0]: [EXAM.number(cell) for cell in cells[1:]] for header, cells in EXAM.rows(SCHEME[15][1]) if header[0] == "after"}  # fmt: skip
    for count in (1, 2, 3):
        so_far = np.arange(1, 1 + count)
        column = table["mean less 10^9"][count - 1], table["sum of squared distances"][count - 1]
        assert column == (so_far.mean(), count * so_far.var())
    centred = np.full(1000, 1e6, np.float32) - np.float32(1e6 - 1 / 16)
    x_hat = centred / np.sqrt(np.mean(centred**2) + np.float32(1e-5))
    assert np.all(np.abs(x_hat - 1) < 0.002)
    assert not np.any(centred - centred.mean())


def test_sheet_and_scheme_have_the_same_items_whose_points_add_up():
    assert {item: head for item, (head, _) in SHEET.items()} == {item: head for item, (head, _) in SCHEME.items()}
    for item, ((_, points, _), text) in SCHEME.items():
        steps = [int(cells[0]) for header, cells in EXAM.rows(text) if header[0] == "points" and cells[0] != "points"]
        assert sum(steps) == points, f"item {item}"
    points, minutes = (sum(head[at] for head, _ in SHEET.values()) for at in (1, 2))
    assert f"{points} points and {minutes} minutes" in " ".join(EXAM.SHEET.read_text().split())


def test_nothing_is_worth_more_than_its_item():
    for item, ((_, points, _), text) in SCHEME.items():
        for header, cells in EXAM.rows(text):
            if header[-1].startswith("at most") and cells != header:
                assert 0 <= int(cells[-1]) < points, f"item {item}: {cells}"


def test_the_scheme_is_not_in_the_bundle(tmp_path):
    names = bundle(ROOT, tmp_path / "course.zip")
    assert not [name for name in names if name.endswith("exam.md")]
    lines = [line.strip() for line in EXAM.SCHEME.read_text().splitlines() if len(line) > 60]
    with zipfile.ZipFile(tmp_path / "course.zip") as archive:
        for name in names:
            text = archive.read(name)
            assert not [line for line in lines if line.encode() in text], name


@pytest.mark.parametrize(
    ("item", "latex"), [(2, r"\sigma^2 = 5"), (2, r"\mathrm{d}\gamma = 3"), (5, r"\frac{\sigma^2}{q} = 4"), (8, r"\sum_{k=1}^{N} \mathrm{dx}_k = 1"),
     (9, r"-\frac1N \sum_{k=1}^{N} y^*_k = 3"), (10, r"\gamma\, \epsilon\, r^3 = \frac13"), (11, r"\sum_{m=1}^{D} (W'_m)^2 = 24"),
     (12, r"r = \frac13"), (14, r"\sigma^2 = 2"), (14, r"\mathrm{dx} = \frac52"), (15, "q^2 = 1/16")]
)  # fmt: skip
def test_a_wrong_number_is_noticed(item, latex):
    with pytest.raises(AssertionError):
        test_an_equation_is_true(item, latex)
