"""docs/platforms.md: what it says is tested names tests that are there, and jobs that run."""

import re

import pytest
import yaml

from bnlib.grading.course import Course

ROOT = Course().root
TEXT = (ROOT / "docs" / "platforms.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("|") and not line.startswith("|---")]


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(tests/[\w/.]+)`", TEXT))))
def test_a_test_that_is_named_is_there(name):
    assert (ROOT / name).exists()


def test_every_yes_names_what_tests_it():
    for row in ROWS:
        for cell in row.split("|"):
            if cell.strip().startswith("yes"):
                assert re.search(r"`tests/|CI", cell), row


def test_the_jobs_that_are_named_run():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]
    assert set(re.findall(r"job `(\w+)`", TEXT)) <= set(jobs)
    assert jobs["test"]["strategy"]["matrix"]["python"] == ["3.10", "3.11", "3.12", "3.13", "3.14"]
