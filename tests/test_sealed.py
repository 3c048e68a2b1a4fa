"""What the learners' bundle seals is not to be read in it, and works from it."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from untold import secrets

from bnlib import sealed
from bnlib.release import bundle
from bnlib.stubs import lessons

ROOT = Path(__file__).parent.parent
BNLIB = ROOT / "bnlib"


@pytest.fixture(scope="module")
def unzipped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    bundle(ROOT, folder / "learners.zip")
    with zipfile.ZipFile(folder / "learners.zip") as archive:
        archive.extractall(folder)
    return folder / "batchnorm-gradient"


def run(folder, code):
    """The output of a program in a fresh Python that knows this bundle and no other bnlib."""
    program = f"import sys; sys.meta_path[:] = [f for f in sys.meta_path if '__editable__' not in str(f)]\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def readable(folder):
    """All that can be read in the bundle: text of files, and cells as they are written."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")  # the digits are packed
            if path.suffix == ".ipynb":
                text += "\n".join(cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
                                  for cell in json.loads(text)["cells"])  # fmt: skip
            yield path.relative_to(folder).as_posix(), text


def test_no_line_that_is_sealed_can_be_read(unzipped):
    lines = list(secrets())
    assert len(lines) > 1000
    assert any("Answer(" in line for _, line in lines)
    for where, text in readable(unzipped):
        met = [(name, line) for name, line in lines if line in text]
        assert not met, f"{where} holds {met[:3]}"


def test_a_project_is_checked_from_the_bundle(unzipped):
    work = json.loads((unzipped / "notebooks" / "projects" / "sync.ipynb").read_text(encoding="utf-8"))
    code = "\n".join("".join(cell["source"]) for cell in work["cells"] if cell["cell_type"] == "code")
    answer = "def forward(x, gamma, beta, eps, all_reduce):\n    return x, None\n"
    answer += "def backward(dout, cache, all_reduce):\n    return dout, 0 * dout.sum(0), 0 * dout.sum(0)\n"
    said = run(unzipped, f"{code}\n{answer}\nsync.check(forward, backward)")
    assert "not written yet" in said
    assert "4 of 12 rows are ok" in said


def test_what_is_sealed_is_in_no_file_of_its_own(unzipped):
    for folder in sealed.FOLDERS:
        assert [path.name for path in (unzipped / "bnlib" / folder).iterdir()] == ["__init__.py"]


def test_a_check_a_hint_and_a_quiz_work_from_the_bundle(unzipped):
    said = run(
        unzipped,
        "import bnlib\nfrom bnlib import check, fill, hint\nfrom bnlib.stubs import translation\nprint(bnlib.__file__)\n"
        "fill(translation.center)(lambda h: h - h.mean(axis=0))\ncheck(translation.center)\nhint(translation.center)\n"
        "from bnlib.checks import answer_of\nprint(answer_of(translation.gradient_sum).right)\n"
        "fill(translation.center)(lambda h: h - h.sum(axis=0))\n"
        "try:\n    check(translation.center)\nexcept AssertionError:\n    print('refused')\n",
    )
    assert str(unzipped) in said
    assert "Visible checks passed" in said
    assert "Hint 1 of 3" in said
    assert "refused" in said


def test_all_lessons_can_be_checked_from_the_bundle(unzipped):
    said = run(
        unzipped,
        "from bnlib.checks import answer_of, chain_of, visible\nfrom bnlib.stubs import lessons\n"
        "for lesson in lessons():\n"
        "    [visible(stub) for stub in lesson.functions.values()] + [answer_of(quiz) for quiz in lesson.quizzes.values()]\n"
        "    [chain_of(stub).text for stub in lesson.derivations.values()]\n"
        "    print(lesson.name)",
    )
    assert said.split() == [lesson.name for lesson in lessons()]


def test_an_error_in_a_sealed_module_shows_no_line_of_it(unzipped):
    said = run(
        unzipped,
        "import traceback\nfrom bnlib.checks import checks_of\nfrom bnlib.stubs import translation\n"
        "try:\n    checks_of(translation.center).truth(None)\nexcept Exception:\n    print(traceback.format_exc())",
    )
    assert "Traceback" in said
    for _, line in secrets():
        assert line not in said


def test_modules_packages_and_data_of_any_listed_folder_are_found(tmp_path, monkeypatch):
    files = {
        "made/one.py": "import bnlib.made.deep.two as t\nv = t.v + 1",
        "made/deep/__init__.py": "",
        "made/deep/two.py": "v = 1",
    }
    (tmp_path / sealed.PACK).write_text(sealed.pack({**files, "made/list.txt": "a\nb"}))
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "__init__.py").write_text("")
    (tmp_path / "__init__.py").write_text("from bnlib import sealed\nsealed.install()\n")
    (tmp_path / "sealed.py").write_text((BNLIB / "sealed.py").read_text())
    root = tmp_path.parent / "root"
    root.mkdir()
    tmp_path.rename(root / "bnlib")
    said = run(
        root, "import bnlib, bnlib.made.one as o\nprint(o.v)\nprint(bnlib.sealed.read_text('made/list.txt').split())"
    )
    assert said.split("\n")[:2] == ["2", "['a', 'b']"]


def test_a_pack_is_text_that_comes_back_whole():
    files = {"a/b.py": "μ = 1\n", "a/c.txt": "x" * 1000}
    text = sealed.pack(files)
    assert sealed.unpack(text) == files
    assert text == sealed.pack(dict(reversed(files.items())))
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 120


def test_the_source_tree_reads_its_data_from_files():
    assert sealed.read_text("checks/translation.py") == (BNLIB / "checks" / "translation.py").read_text()
    with pytest.raises(FileNotFoundError):
        sealed.read_text("checks/nothing.txt")
