"""What learners get: derivations work in the bundle, where the course's own chains are sealed."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bnlib.release import bundle

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    bundle(ROOT, folder / "course.zip")
    with zipfile.ZipFile(folder / "course.zip") as archive:
        archive.extractall(folder)
    return folder / "batchnorm-gradient"


def test_derive_hint_check_and_reveal_work_from_the_bundle(unpacked):
    code = (
        "from bnlib import check, derive, hint, reveal\nfrom bnlib.stubs import normalization as n\n"
        "derive(n.variance_slope, 'd(var, x[i])')\nhint(n.variance_slope)\nreveal(n.variance_slope)\n"
        "try:\n    check(n.variance_slope)\nexcept AssertionError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=unpacked, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    assert "Hint 1 of 3" in done.stdout
    assert "2/N * (x[i] - mu)" in done.stdout
    assert "empty" in done.stdout
