"""A released notebook in a place where bnlib is not installed, and the bundle as something that pip installs."""

import json
import re
import shlex
import subprocess
import sys
import zipfile

import pytest
import yaml

from bnlib.cli import main
from bnlib.grading.course import Course
from bnlib.notebooks import parse
from bnlib.release import bundle, install_cell

ROOT = Course().root
ADDRESS = "https://example.org/course.zip"
COLAB = """\
import subprocess, sys, types
sys.modules["google.colab"] = types.ModuleType("google.colab")
subprocess.run = lambda command, check: print(*command[1:], check)
"""


def bare(code, cwd):
    """What a Python prints that has nothing installed, not even bnlib."""
    command = [sys.executable, "-I", "-S", "-c", code]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(("address", "named"), [("", ".."), (ADDRESS, ADDRESS)])
def test_where_bnlib_is_missing_one_line_says_what_to_run(address, named, tmp_path):
    said = bare(install_cell(address).source, tmp_path)
    assert said.count("\n") == 1
    assert f"%pip install {named} " in said


@pytest.mark.parametrize(("address", "installed"), [("", "course.zip"), (ADDRESS, ADDRESS)])
def test_colab_installs_it(address, installed, tmp_path):
    assert bare(COLAB + install_cell(address).source, tmp_path) == f"-m pip install --quiet {installed} True\n"


def test_where_bnlib_is_installed_nothing_happens(tmp_path):
    done = subprocess.run([sys.executable, "-c", install_cell().source], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_an_address_is_written_into_the_released_notebooks(tmp_path, capsys):
    told = ["release", "--course", str(ROOT), "--out", str(tmp_path)]
    assert main([*told, "--address", "course.zip"]) == 2
    assert "is no address" in capsys.readouterr().err
    assert main([*told, "--address", ADDRESS]) == 0
    for path in tmp_path.glob("*.ipynb"):
        first = next(cell for cell in parse(path)["cells"] if cell["cell_type"] == "code")
        assert ADDRESS in first["source"]
        assert first["metadata"] == {"bnlib": {"given": True}}


def test_badges_lead_into_the_bundle(tmp_path, monkeypatch, capsys):
    """The command and the badges of docs/teaching.md: what they name is in the bundle, and the solutions are not."""
    text = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^ *bnlib (release .*--address .*)$", text, re.MULTILINE)
    badges = re.findall(r"\]\((https://(?:mybinder|colab)[^)]*ipynb)\)", text)
    monkeypatch.chdir(tmp_path)
    assert main([*shlex.split(command), "--course", str(ROOT), "--out", "notebooks"]) == 0, capsys.readouterr().err
    with zipfile.ZipFile("course.zip") as archive:
        archive.extractall()
    folder = tmp_path / "batchnorm-gradient"
    assert [address.split("/")[2].split(".")[0] for address in badges] == ["mybinder", "colab"]
    for address in badges:
        assert "/OWNER/REPOSITORY/" in address
        assert (folder / "notebooks" / address.rsplit("/", 1)[1]).is_file()
    environment = yaml.safe_load((folder / "environment.yml").read_text(encoding="utf-8"))
    assert {"pip": ["-e ."]} in environment["dependencies"]
    assert (folder / "pyproject.toml").is_file()
    assert not (folder / "solutions").exists()


def test_the_bundle_is_installed_by_pip_and_checks(tmp_path):
    bundle(ROOT, tmp_path / "course.zip")
    pip = [sys.executable, "-m", "pip", "--quiet", "--no-cache-dir", "install", "--no-build-isolation", "--no-deps"]
    done = subprocess.run([*pip, "--target", "site", "course.zip"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    code = f"""
import sys
sys.path.insert(0, {json.dumps(str(tmp_path / "site"))})
from bnlib import check, fill, sealed
from bnlib.plots import translation as plots
from bnlib.stubs import translation
assert sealed.__file__.startswith(sys.path[0])
fill(translation.center)(lambda h: h - h.mean(axis=0))
check(translation.center)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "ok" in done.stdout
    assert not (tmp_path / "site" / "bnlib" / "grading").exists()
