"""What is built from here is whole: wheel, sdist, and the commands of both, far from the project's folder."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from bnlib.cli import main
from bnlib.grading.course import Course
from bnlib.stubs import lessons

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ("jinja2", "jupyterlab", "nbclient", "nbformat", "nbval", "psutil", "pytest", "tomli")
"""What a learner's kernel does without: the packages of the extras lab and grade."""


def run(*command, cwd, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_CONSTRAINT"))}
    return subprocess.run(command, cwd=cwd, env={**kept, **environment}, capture_output=True, text=True, timeout=300)


def done(*command, cwd, **environment):
    ran = run(*command, cwd=cwd, **environment)
    assert ran.returncode == 0, f"{command}: {ran.stdout}{ran.stderr}"
    return ran.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The sdist of what git knows here, unpacked; the wheel made of that; and a folder into which the wheel is installed."""
    folder = tmp_path_factory.mktemp("built")
    git = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others"]
    listed = subprocess.run([*git, "--exclude-standard"], capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git clone: which files belong to the project is not known")
    clone = folder / "clone"
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_bytes((ROOT / name).read_bytes())
    done(sys.executable, "-c", "from setuptools import build_meta as b; b.build_sdist('../dist')", cwd=clone)
    (sdist,) = (folder / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "source")
    (source,) = (folder / "source").iterdir()
    pip = (sys.executable, "-m", "pip", "--quiet", "--no-cache-dir")
    done(*pip, "wheel", "--no-build-isolation", "--no-deps", "-w", "../../dist", ".", cwd=source)
    (wheel,) = (folder / "dist").glob("*.whl")
    done(*pip, "install", "--no-deps", "--target", str(folder / "site"), str(wheel), cwd=folder)
    return folder, clone, source, wheel


def test_the_sdist_is_a_full_copy_of_the_course(built):
    _, clone, source, _ = built
    there = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    wanted = {path.relative_to(clone).as_posix() for path in clone.rglob("*") if path.is_file()}
    wanted = {name for name in wanted if not name.startswith((".", "bnlib.egg-info/"))}
    assert wanted - there == set()


def test_the_wheel_holds_all_of_bnlib_and_nothing_else(built):
    *_, clone, _, wheel = built
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == {p.relative_to(clone).as_posix() for p in (clone / "bnlib").rglob("*") if p.is_file()}


def test_an_installed_wheel_checks_without_what_only_teachers_need(built):
    folder, *_ = built
    code = f"""
import sys
for name in {EXTRAS}:
    sys.modules[name] = None
import bnlib, bnlib.cli
assert bnlib.__file__.startswith({str(folder / "site")!r}), bnlib.__file__
from bnlib import check, fill, hint, quiz
from bnlib.plots import {", ".join(lesson.name for lesson in lessons())}
from bnlib.stubs import translation
print(translation.lesson.title)
print(len(normalization.__dict__))
@fill(translation.center)
def center(h):
    return h - h.sum(axis=0)
try:
    check(translation.center)
except AssertionError as error:
    print(error)
hint(translation.center)
quiz(translation.recall_paths)
assert bnlib.cli.main(["grade", "nothing", "--out", "out"]) == 2
"""
    ran = run(sys.executable, "-c", code, cwd=folder, PYTHONPATH=str(folder / "site"))
    assert ran.returncode == 0, ran.stderr
    assert "The sum over the batch was subtracted where the mean belongs" in ran.stdout
    assert "pip install 'bnlib[grade]'" in ran.stderr
    assert ran.stderr.count("\n") == 1


def bnlib(built, *arguments, cwd):
    return run(sys.executable, "-m", "bnlib.cli", *arguments, cwd=cwd, PYTHONPATH=str(built[0] / "site"))


def test_the_commands_of_a_wheel_want_a_course(built, tmp_path):
    assert "gradescope" in bnlib(built, "--help", cwd=tmp_path).stdout
    ran = bnlib(built, "gradescope", "zip", "--lesson", "02", cwd=tmp_path)
    assert ran.returncode == 2
    assert "full copy of the course" in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
    ran = bnlib(built, "build", "--course", str(tmp_path), cwd=tmp_path)
    assert ran.returncode == 2
    assert "holds no folder solutions" in ran.stderr


def test_a_wheel_grades_with_the_course_that_it_is_told(built, tmp_path):
    source = built[2]
    (tmp_path / "in").mkdir()
    answers = (ROOT / "examples" / "submissions" / "mean-path-missing.ipynb").read_bytes()
    (tmp_path / "in" / "anna.ipynb").write_bytes(answers)
    told = ("--no-nbval", "--jobs", "1", "--out", str(tmp_path / "out"), "--course", str(source))
    ran = bnlib(built, "grade", str(tmp_path / "in"), *told, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "path through the mean" in (tmp_path / "out" / "feedback" / "anna.html").read_text("utf-8")
    ran = bnlib(built, "gradescope", "zip", "--out", str(tmp_path / "a.zip"), "--course", str(source), cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = set(archive.namelist())
    assert {f"solutions/{lesson.key}.ipynb" for lesson in lessons()} <= names
    assert {f"tests/hidden/test_{lesson.name}.py" for lesson in lessons()} <= names


def test_the_current_folder_is_the_course_where_it_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Course().root == ROOT
    (tmp_path / "solutions").mkdir()
    (tmp_path / "tests" / "hidden").mkdir(parents=True)
    assert Course().root == tmp_path


@pytest.mark.parametrize("command", ["build", "release", "formulas"])
def test_authors_name_the_course(command, tmp_path, capsys):
    (tmp_path / "solutions").mkdir()
    assert main([command, "--course", str(tmp_path)]) == 2
    assert f"{tmp_path / 'solutions'}: holds no lessons" in capsys.readouterr().err


# -- make


def test_make_keeps_a_venv_that_it_did_not_make(tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / ".venv").mkdir()
    mine = tmp_path / ".venv" / "mine.txt"
    mine.write_text("all that I installed")
    ran = run("make", "install-run", f"PYTHON={sys.executable}", cwd=tmp_path)
    assert ran.returncode != 0
    assert "make did not make it" in ran.stderr
    assert run("make", "clean", cwd=tmp_path).returncode == 0
    assert mine.read_text() == "all that I installed"
    (tmp_path / ".venv" / ".made-by-make").touch()
    assert run("make", "clean", cwd=tmp_path).returncode == 0
    assert not mine.exists()


@pytest.mark.parametrize("handed_out", [("01_chain_rule", "02_translation"), ("02_translation",), ()])
def test_make_lab_opens_the_first_lesson_that_is_there(handed_out, tmp_path):
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    (tmp_path / "notebooks").mkdir()
    for name in handed_out:
        (tmp_path / "notebooks" / f"{name}.ipynb").touch()
    (tmp_path / "notebooks" / "0 mine.ipynb").touch()
    said = done("make", "lab", "--dry-run", cwd=tmp_path)
    assert f"--LabApp.default_url=/lab{f'/tree/{handed_out[0]}.ipynb' if handed_out else ''} " in said
