"""Rewritten lines are accepted and edited lines refused: some hundreds of what ``benchmarks/derivations.py`` tries by the thousand."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import derivations as benchmark


def test_no_right_line_is_rejected_and_no_wrong_one_accepted():
    tally = benchmark.run(250, seed=1)
    assert (tally.right, tally.wrong) == (250, 250)
    assert (tally.rejected, tally.accepted) == (0, 0), tally.examples
    assert tally.refused <= 2
    assert tally.named >= 0.9 * tally.wrong
