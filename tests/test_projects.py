"""The projects: each check accepts right answers and refuses wrong ones and none; the notebooks are what docs/projects.md makes."""

import importlib
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

from bnlib import derive
from bnlib.projects import fused
from bnlib.release import WRITE_HERE, ReleaseError, bundle, has_work, release
from bnlib.sheets import projects
from bnlib.stubs import lesson_of

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "projects.md"
FOLDER = ROOT / "notebooks" / "projects"

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


def answered(text):
    """The two functions of an answer, in the place of those that the notebook begins with."""
    space = {}
    exec(f"import numpy as np\n{text}", space)
    return space["forward"], space["backward"]


def judged(name, answer, monkeypatch):
    """The rows of a project's check that are wrong."""
    module = importlib.import_module(f"bnlib.projects.{name}")
    monkeypatch.setattr(fused, "fastest", lambda run: 1.0)
    with np.errstate(all="ignore"):
        return [words for words, ok in module.check.__wrapped__(*answered(answer)) if not ok]


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_answer_is_accepted(name, monkeypatch):
    assert judged(name, RIGHT[name], monkeypatch) == []


@pytest.mark.parametrize(("name", "old", "new", "words"), WRONG)
def test_a_wrong_answer_is_refused_and_says_where(name, old, new, words, monkeypatch):
    assert old in RIGHT[name]
    assert any(words in row for row in judged(name, RIGHT[name].replace(old, new), monkeypatch))


@pytest.fixture(scope="module")
def notebooks():
    return projects(PAGE)


def test_every_project_has_a_notebook_a_check_and_an_answer_here(notebooks):
    assert set(notebooks) == set(RIGHT)
    modules = {path.stem for path in (ROOT / "bnlib" / "projects").glob("*.py")} - {"__init__", "shared"}
    assert modules == set(RIGHT)
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(RIGHT)


@pytest.mark.parametrize("name", RIGHT)
def test_the_notebook_is_what_the_page_makes(name, notebooks):
    kept = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    nbformat.validate(kept)
    assert kept == notebooks[name], "run make notebooks"
    assert not has_work(FOLDER / f"{name}.ipynb")


@pytest.mark.parametrize("name", RIGHT)
def test_the_notebook_runs_from_top_to_bottom_and_says_how_far_it_is(name, notebooks, monkeypatch, capsys):
    monkeypatch.setattr(fused, "fastest", lambda run: 1.0)
    cells = [cell for cell in notebooks[name].cells if cell.cell_type == "code"]
    assert [cell.id for cell in cells] == ["install", "functions", "check"]
    space = {}
    for cell in cells:
        exec(cell.source, space)
    assert "not written yet" in capsys.readouterr().out
    exec(RIGHT[name], space)
    exec(cells[-1].source, space)
    *rows, last = capsys.readouterr().out.splitlines()
    count = len([row for row in rows if row.startswith("ok ")])
    assert count >= 8
    assert last == f"{count} of {count} rows are ok"


def test_the_marks_add_up(notebooks):
    for notebook in notebooks.values():
        places = [cell.source for cell in notebook.cells if cell.source.startswith("### ")]
        assert sum(int(re.search(r": (\d+) points", place)[1]) for place in places) == 20
        assert sum(place.endswith(WRITE_HERE) for place in places) == 3


def test_text_and_code_of_the_notebooks_stand_on_the_page(notebooks):
    page = re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]+\)", r"\1", PAGE.read_text(encoding="utf-8"))
    for notebook in notebooks.values():
        for cell in notebook.cells:
            if cell.id in ("functions", "judged", "check"):
                assert cell.source in page
        assert "](" not in re.sub(r"\]\(https://", "", "".join(cell.source for cell in notebook.cells))


def test_a_section_without_its_two_blocks_is_refused(tmp_path):
    (tmp_path / "projects.md").write_text(
        PAGE.read_text(encoding="utf-8").replace("from bnlib.projects import sync", "")
    )
    with pytest.raises(ReleaseError, match="Synchronised batch norm: needs a block"):
        projects(tmp_path / "projects.md")


def test_a_report_is_not_overwritten(tmp_path, notebooks):
    release(ROOT / "solutions", tmp_path, projects=notebooks)
    target = tmp_path / "projects" / "sync.ipynb"
    begun = nbformat.read(target, as_version=4)
    begun.cells[-1].source += "What does not work."
    nbformat.write(begun, target)
    before = target.read_bytes()
    with pytest.raises(ReleaseError, match=r"projects/sync\.ipynb was edited"):
        release(ROOT / "solutions", tmp_path, projects=notebooks)
    assert target.read_bytes() == before


def test_the_bundle_has_the_projects_when_it_has_the_course(tmp_path):
    wanted = {f"batchnorm-gradient/notebooks/projects/{name}.ipynb" for name in RIGHT}
    wanted |= {f"batchnorm-gradient/bnlib/projects/{name}.py" for name in RIGHT}
    assert wanted <= set(bundle(ROOT, tmp_path / "course.zip"))
    lesson = bundle(ROOT, tmp_path / "week.zip", [lesson_of("02")])
    assert not [name for name in lesson if "notebooks/projects" in name]


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
