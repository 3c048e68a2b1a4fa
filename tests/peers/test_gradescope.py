"""The autograder's zip as Gradescope uses it: unpacked, its setup.sh run once, run_autograder for each submission. ``make test-peers``.

Gradescope runs both as root, in ``/autograder``. Here that folder is another one, whose Python everybody may read, and ``apt-get`` does nothing:
what it would install must be there.
"""

import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

import pytest
from gradescope_results import faults

from bnlib.grading.course import Course
from bnlib.grading.reports.gradescope import build_zip
from bnlib.stubs import translation

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
PASSED_ON = ("HOME", "http_proxy", "https_proxy", "PIP_INDEX_URL", "SSL_CERT_FILE")


@pytest.fixture(scope="module")
def autograder():
    """A folder as Gradescope has it, after setup.sh."""
    if subprocess.run(["python3", "-c", "import ensurepip, venv"], env=SYSTEM, capture_output=True).returncode:
        pytest.skip("the system's python3 makes no venv")
    folder = Path(tempfile.mkdtemp(prefix="autograder-"))
    try:
        folder.chmod(0o755)
        for name in ("source", "results", "bin"):
            (folder / name).mkdir()
        (folder / "bin" / "apt-get").write_text('#!/bin/sh\necho apt-get "$@"\n')
        (folder / "bin" / "apt-get").chmod(0o755)
        build_zip(folder / "autograder.zip", [translation.lesson], Course(ROOT))
        with zipfile.ZipFile(folder / "autograder.zip") as archive:
            archive.extractall(folder / "source")
        said = run(folder, "bash", folder / "source" / "setup.sh")
        assert "apt-get install -y python3 python3-venv" in said
        shutil.copy(folder / "source" / "run_autograder", folder)
        (folder / "run_autograder").chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder)


def run(folder, *command):
    given = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment = {**given, **SYSTEM, "PATH": f"{folder / 'bin'}:{SYSTEM['PATH']}", "AUTOGRADER": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("kind", "lost"), [("all-right", 0), ("mean-path-missing", 3), ("not-json", 15)])
def test_a_submission_is_graded(autograder, kind, lost):
    shutil.rmtree(autograder / "submission", ignore_errors=True)
    (autograder / "submission").mkdir()
    shutil.copy(ROOT / "examples" / "submissions" / f"{kind}.ipynb", autograder / "submission" / "my work (1).ipynb")
    run(autograder, autograder / "run_autograder")
    said = json.loads((autograder / "results" / "results.json").read_text("utf-8"))
    assert faults(said) == []
    assert said["score"] == translation.lesson.points - lost, said
    assert sum(test["score"] for test in said["tests"]) == said["score"]
    if kind != "not-json":
        (confined,) = said["extra_data"]["isolation"]
        assert ("own user without rights" in confined) == (os.geteuid() == 0), confined
