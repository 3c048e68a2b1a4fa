"""Error carried forward: what an exercise builds on, lent from the grader while that exercise is judged a second time.

A mistake is charged once. An exercise that fails, and whose contract declares earlier ones that failed too, is judged again in a
process of its own in which those answer as the reference does: a stand-in there asks for one value at a time, and the
reference stays here. What may be asked is bounded, and docs/security.md says what follows.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from bnlib.grading.process.protocol import Handle, named
from bnlib.grading.process.remote import Refused
from bnlib.stubs import Stub

MOST_QUESTIONS = 20_000
"""Values that one exercise's second judgement may ask for."""

MOST_NUMBERS = 2_000
"""Numbers of one array that is asked about; hidden inputs have 700 at most."""

LARGEST_COUNT = 200
"""A whole number that is asked about: the N or D of an array that comes back."""


class Lender:
    """Answers for wrong exercises, to the one process in which ``stub`` is judged again.

    A cache that is a dict of arrays is lent as it is, for its names are in the contract. Any other stays here: the process
    gets a token, and gives it back to the lent backward pass. So a forward pass and its backward are lent together.

    Args:
        stub: The exercise that is judged.
        wrong: Names of those that are not right.
        reference: Namespace of the reference answers.

    Attributes:
        names: What is lent: of the exercises that the contract declares, those that are wrong.
        asked: Those that were asked for.
    """

    def __init__(self, stub: Stub, wrong: Collection[str], reference: Any) -> None:
        stubs = stub.lesson.stubs
        pairs = [{name, stubs[name].cache_of} for name in stub.builds_on if stubs[name].cache_of in stub.builds_on]
        together = set(wrong).union(*(pair for pair in pairs if pair & set(wrong)))
        self.names = tuple(name for name in stub.builds_on if name in together)
        self.asked: set[str] = set()
        self._stubs = stubs
        self._reference = reference
        self._questions = 0
        self._caches: list[Any] = []

    def __call__(self, name: object, given: object) -> Any:
        """The value of a lent exercise.

        Args:
            name: The exercise, as the learner's process says.
            given: Its arguments by name, as the learner's process says.

        Raises:
            Refused: It is not lent, or not for this.
        """
        self._questions += 1
        if self._questions > MOST_QUESTIONS:
            raise Refused(f"more than {MOST_QUESTIONS:,} values were asked for")
        if not isinstance(name, str) or name not in self.names:
            raise Refused("this exercise is not lent")
        self.asked.add(name)
        stub = self._stubs[name]
        if not isinstance(given, Mapping) or tuple(given) != stub.parameters:
            raise Refused(f"{name} takes {', '.join(stub.parameters)}")
        arguments = [self._argument(name, value) for value in given.values()]
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                value = getattr(self._reference, name)(*arguments)
        except Exception as error:
            raise Refused(f"{name} cannot be computed for this") from error
        if len(stub.returns) == 1:
            return value
        return tuple(self._result(*each) for each in zip(stub.returns, value, strict=True))

    def _argument(self, name: str, value: Any) -> Any:
        """An argument, when it is of a kind and size that exercises are given."""
        if isinstance(value, Handle) and value.number < len(self._caches):
            return self._caches[value.number]
        if (
            isinstance(value, np.ndarray)
            and value.dtype.kind in "fiub"
            and value.ndim <= 2
            and value.size <= MOST_NUMBERS
        ):
            return value.astype(np.float64)
        if type(value) is int and abs(value) <= LARGEST_COUNT:
            return value
        if type(value) in (bool, float) or (type(value) is str and len(value) < 20):
            return value
        raise Refused(f"{name} is lent for real arrays of at most {MOST_NUMBERS:,} numbers")

    def _result(self, name: str, value: Any) -> Any:
        if not name.startswith("cache"):
            return value
        if isinstance(value, dict) and all(isinstance(each, np.ndarray) for each in value.values()):
            return value
        self._caches.append(value)
        return named(Handle, "cache")(len(self._caches) - 1)
