"""Write ``examples/submissions/``: what students hand in, one file for each thing that can happen.

Each is the released notebook of ``notebooks/`` with answer texts put into its answer cells, executed, and named after what
it shows. Run ``python examples/make_submissions.py`` after a release; ``--check`` says whether the folder is up to date.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import nbformat

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE.parent / "notebooks"
TARGET = HERE / "submissions"

Answers = dict[str, str]

RIGHT: Answers = {
    "center": "return h - h.mean(axis=0)",
    "center_jacobian": "return np.eye(N) - np.ones((N, N)) / N",
    "center_slopes": """= d(h[k, l], h[i, j]) - d(mu[l], h[i, j])
= delta[k, i] * delta[l, j] - delta[l, j] / N""",
    "center_jacobian_full": 'return np.einsum("ki,lj->klij", center_jacobian(N), np.eye(D))',
    "center_gradient": """= sum(dout[k, l] * d(h_hat[k, l], h[i, j]) for k in N for l in D)
= sum(dout[k, l] * delta[l, j] * (delta[k, i] - 1/N) for k in N for l in D)
= dout[i, j] - mean(dout[k, j] for k in N)""",
    "center_backward": "return dout - dout.mean(axis=0)",
}

DIFFERENT: Answers = {
    "center": """N, D = h.shape
result = [[0.0] * D for _ in range(N)]
for feature in range(D):
    mean = math.fsum(h[:, feature]) / N
    for example in range(N):
        result[example][feature] = h[example, feature] - mean
return np.array(result)""",
    "center_jacobian": """rows = []
for k in range(N):
    rows.append([(1.0 if k == i else 0.0) - 1.0 / N for i in range(N)])
return np.array(rows)""",
    "center_slopes": """= d(h[k, l] - mean(h[m, l] for m in N), h[i, j])
= d(h[k, l], h[i, j]) - d(mu[l], h[i, j])
delta[l, j] * delta[i, k] - mean(delta[l, j] * delta[m, i] for m in N)  # by hand
delta[l, j] * (delta[i, k] * N - 1) / N""",
    "center_jacobian_full": """J = np.zeros((N, D, N, D))
for k in range(N):
    for l in range(D):
        for i in range(N):
            J[k, l, i, l] = delta(k, i) - 1 / N
return J""",
    "center_gradient": """= sum(sum(dout[a, b] * (d(h[a, b], h[i, j]) - d(mu[b], h[i, j])) for a in N) for b in D)
= sum(dout[a, j] * (delta[a, i] - 1/N) for a in N)
= dout[i, j] - 1/N * sum(dout[m, j] for m in N)""",
    "center_backward": """N = dout.shape[0]
weights = np.full((N, N), 1 / N)
direct = np.einsum("ij,jk->ik", np.eye(N), dout)
return direct - np.einsum("ij,jk->ik", weights, dout)""",
}


def submissions() -> dict[str, Any]:
    """Content of each file by its name: a notebook, text or bytes."""
    mean_missing = {**RIGHT, "center_backward": "dh = dout\nreturn dh"}
    half = {name: RIGHT[name] for name in ("center", "center_jacobian")}
    raises = {**RIGHT, "center_jacobian": "J = np.eye(N)\nJ[N] = 1 / N\nreturn J"}
    endless = {
        **RIGHT,
        "center_backward": "total = 0\nwhile True:\n    total = total + dout.mean()\nreturn dout - total",
    }
    summed = {**RIGHT, "center_backward": "return dout - dout.sum(axis=0)", "center": "return h - np.sum(h, axis=0)"}
    chatty = {
        **RIGHT,
        "center": 'print("centring", h.shape)\nwarnings.warn("mean of a batch")\nreturn h - h.mean(axis=0)',
        "center_backward": 'assert dout.ndim == 2, "a batch, please"\n'
        "scale = np.log(np.zeros(1))  # warns, and is not used\nreturn dout - dout.mean(axis=0)",
    }
    helped = {
        **RIGHT,
        "center": "return remove_mean(h)",
        "center_backward": "return remove_mean(dout)",
    }
    deleted = filled(RIGHT)
    deleted.cells = [cell for cell in deleted.cells if cell.id != "center_jacobian_full"]
    magic = filled(RIGHT, before={"center_backward": "%matplotlib inline\n!ls\n"})
    _cell(magic, "center_backward").source += "\n\n%timeit -n 3 -r 1 center_backward(np.ones((4, 2)))"
    first, second = (nbformat.writes(filled(answers)) for answers in (half, RIGHT))
    several = {
        "lesson/02_translation.ipynb": ((2026, 3, 1, 12, 0, 0), first),
        "lesson/second try.ipynb": ((2026, 3, 2, 18, 30, 0), second),
    }
    notebooks = {
        "all-right": filled(RIGHT),
        "right-written-differently": filled(
            DIFFERENT,
            before={"center": "import math\n\n"},
            own={"center_jacobian_full": "def delta(a, b):\n    return 1.0 if a == b else 0.0"},
        ),
        "mean-path-missing": filled(mean_missing),
        "sum-for-mean": filled(summed),
        "half-filled": filled(half),
        "raises": filled(raises),
        "endless-loop": filled(endless),
        "answer-cell-deleted": deleted,
        "helper-in-extra-cell": filled(helped, own={"center": HELPER}),
        "magics-in-answer": magic,
        "prints-and-warns": filled(chatty, own={"center": "import warnings"}),
        "tampers-with-the-check": filled(mean_missing, own={"center_backward": PATCH}),
        "not-json": '{"cells": [{"cell_type": "code", "source": ["@fill(translation.center)\\n", "def cen',
    }
    return {**{f"{name}.ipynb": content for name, content in notebooks.items()}, "several-files.zip": packed(several)}


HELPER = """def remove_mean(values):
    return values - np.average(values, axis=0)"""


PATCH = """def check(exercise):
    print("✓ visible checks passed")"""


def filled(answers: Answers, before: Answers | None = None, own: Answers | None = None) -> Any:
    """The released notebook with answers in it.

    Args:
        answers: Bodies of functions and lines of derivations by exercise; the others stay empty.
        before: What to write above ``@fill`` in an answer cell.
        own: Cells to add before an answer cell.
    """
    notebook = nbformat.read(NOTEBOOKS / "02_translation.ipynb", as_version=4)
    for name, body in answers.items():
        cell = _cell(notebook, name)
        head, _, todo = cell.source.partition("    # your code here")
        lines = [f"    {line}" if line else "" for line in body.splitlines()]
        if not todo:  # a derivation goes on below its first line
            head, lines = head.removesuffix('""")'), [f'{body}\n""")']
        cell.source = (before or {}).get(name, "") + head + "\n".join(lines)
    for name, source in (own or {}).items():
        place = notebook.cells.index(_cell(notebook, name))
        notebook.cells.insert(place, nbformat.v4.new_code_cell(source, id=f"added-before-{name}"))
    return notebook


def packed(members: dict[str, tuple[tuple[int, ...], str]]) -> bytes:
    """A zip file.

    Args:
        members: Date and text of each file by its name.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, (date, text) in members.items():
            archive.writestr(zipfile.ZipInfo(name, date), text)  # stored: packed bytes differ between zlibs
    return buffer.getvalue()


def _cell(notebook: Any, name: str) -> Any:
    return next(cell for cell in notebook.cells if cell.id == name)


def execute(notebook: Any) -> Any:
    """A copy of the notebook as Jupyter saves it after Run All, errors included; an endless loop is interrupted."""
    from nbclient import NotebookClient

    notebook = copy.deepcopy(notebook)
    client = NotebookClient(
        notebook,
        timeout=4,
        interrupt_on_timeout=True,
        allow_errors=True,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    )
    client.execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            _settle(output)
    return notebook


def _settle(output: Any) -> None:
    """Leave of an output what is the same on every machine, and no pictures: nobody looks at them here."""
    for kind in [kind for kind in output.get("data", {}) if kind != "text/plain"]:
        del output["data"][kind]
    if output.output_type == "error":
        output.traceback = [f"{output.ename}: {output.evalue}"]
    elif output.output_type == "stream":
        text = re.sub(r"\S*/ipykernel_\d+/\d+\.py", "cell", output.text)
        output.text = re.sub(r"\S+ \S+ ± \S+ \S+ per loop", "10 μs ± 0 ns per loop", text)


def sources(notebook: Any) -> list[tuple[str, str]]:
    """What of a notebook is written by its author: kinds and sources of cells."""
    return [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]


def main() -> int:
    """Write the folder, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; 1 when the folder is not up to date")
    check = parser.parse_args().check
    stale = []
    for name, content in submissions().items():
        path = TARGET / name
        if check:
            if not path.is_file() or not same(path, content):
                stale.append(path.name)
            continue
        path.parent.mkdir(exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            text = content if isinstance(content, str) else nbformat.writes(execute(content)) + "\n"
            path.write_text(text, "utf-8")
        print(f"wrote {path.relative_to(HERE.parent)}")
    if stale:
        print(f"not up to date: {', '.join(stale)}; run python examples/make_submissions.py", file=sys.stderr)
    return 1 if stale else 0


def same(path: Path, content: Any) -> bool:
    """True when a file holds this content; outputs may differ."""
    if isinstance(content, bytes):
        return path.read_bytes() == content
    text = path.read_text("utf-8")
    if isinstance(content, str):
        return text == content
    return sources(json.loads(text)) == sources(content)


if __name__ == "__main__":
    sys.exit(main())
