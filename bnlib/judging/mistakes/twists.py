"""Mistakes after which all the rest is judged as before, for other inputs or by other lines: an array cut otherwise, a factor in another place.

What came back is turned into what it is for those inputs, and compared with what is right for them; so each is named alone, and
beside every mistake that the lines know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bnlib.judging.case import Case
from bnlib.judging.diagnosing.evidence import Evidence
from bnlib.numerics import Array

if TYPE_CHECKING:
    from bnlib.judging.mistakes.known import Known, Together


def _as_it_is(case: Case, output: str, got: Array) -> Array:
    return got


@dataclass(frozen=True)
class Twist:
    """A mistake under which an answer is right for something else.

    Attributes:
        name: Stable name for counting.
        message: One or two sentences for the learner.
        case: From a case to the inputs for which the answer is right.
        back: From a case, the name of an output and what came back to what it is for those inputs.
        known: The lines by which it is right, where these are other ones; only for the outputs that they hold.
        beside: Whether other mistakes are looked for beside it.
    """

    name: str
    message: str
    case: Callable[[Case], Case] | None = None
    back: Callable[[Case, str, Array], Array] = _as_it_is
    known: Known | None = None
    beside: bool = True

    def lines(self, usual: Known | Together) -> Known | Together:
        """The lines by which the answer is right."""
        return self.known or usual

    def seen(self, usual: Known | Together, output: str, item: Evidence) -> Evidence | None:
        """The evidence for those inputs; None for an output that it does not concern, or that has another shape then."""
        known, key = self.lines(usual), (self, "case")
        if not known.of(output) or item.got.shape != item.expected.shape:
            return None
        if key not in item.case.memory:
            item.case.memory[key] = self.case(item.case) if self.case else item.case
        case = item.case.memory[key]
        got, expected = self.back(item.case, output, item.got), known.truth(case, output)
        return Evidence(case, got, expected, item.dtype) if got.shape == expected.shape else None
