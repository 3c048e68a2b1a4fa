"""How a quiz looks: buttons where a page runs programs, a call with the chosen letter everywhere else.

The buttons need no kernel (:mod:`bnlib.plots.live`); what is said of each choice stands in the page as base64, so that neither
eye nor grep meets it. With the environment variable ``BNLIB_QUIZZES=text`` there are none: for the grader, where nobody presses them. Quiz questions carry no points. The explanation appears after the learner chose, also after a wrong choice.
"""

from __future__ import annotations

import base64
import os
from html import escape
from typing import Any

from bnlib.checks import answer_of
from bnlib.exercises import ArgumentError
from bnlib.judging.showing.report import show
from bnlib.stubs import OneLine, Quiz

TEXT = "BNLIB_QUIZZES"
"""Environment variable: ``text`` leaves the buttons out."""


class ChoiceError(OneLine, ValueError):
    """A letter that is none of the choices."""


def quiz(question: Quiz, answer: str | None = None) -> None:
    """Ask a question, or judge an answer to it.

    Args:
        question: The quiz, for example ``translation.applied_twice``.
        answer: The letter of a choice; without it the question is shown, on a page with a button for each choice.

    Raises:
        ArgumentError: ``question`` is no quiz question.
        ChoiceError: ``answer`` is none of the letters.
    """
    if not isinstance(question, Quiz):
        raise ArgumentError("quiz needs the question, for example quiz(translation.applied_twice)")
    if answer is not None:
        print(verdict(question, answer))
    else:
        show(QuizView(question))


def verdict(question: Quiz, letter: str) -> str:
    """Whether a choice is right, and why.

    Raises:
        ChoiceError: ``letter`` is none of the choices.
    """
    letters = [choice.letter for choice in question.choices]
    letter = str(letter).strip(" ().").lower()
    if letter not in letters:
        raise ChoiceError(f"{question.id}: choose one of {', '.join(letters)}")
    known = answer_of(question)
    return f"{'Right' if letter == known.right else 'Not quite'} ({letter}). {known.why[letter]}"


class QuizView:
    """A quiz question on the page: plain text always, and buttons where a page runs programs."""

    def __init__(self, question: Quiz) -> None:
        self.question = question

    def __str__(self) -> str:
        lines = [f"Quiz. {self.question.question}"]
        lines += [f"  ({choice.letter}) {choice.text}" for choice in self.question.choices]
        return "\n".join([*lines, f"Answer with {self._call} or another letter."])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        plain = {"text/plain": str(self)}
        return plain if os.environ.get(TEXT) == "text" else {**plain, "text/html": self.html()}

    @property
    def _call(self) -> str:
        return f'quiz({self.question.id}, "a")'

    def html(self) -> str:
        """The question, how to answer it without a program, and the program that puts buttons in its place."""
        from bnlib.plots.live import moving

        choices = "".join(f"<div>({choice.letter}) {escape(choice.text)}</div>" for choice in self.question.choices)
        still = (
            f"<div><b>Quiz.</b> {escape(self.question.question)}{choices}"
            f"<div>Answer with <code>{escape(self._call)}</code> or another letter.</div></div>"
        )
        letters = [choice.letter for choice in self.question.choices]
        told = {letter: base64.b64encode(verdict(self.question, letter).encode()).decode() for letter in letters}
        choices_of = {choice.letter: choice.text for choice in self.question.choices}
        return moving("quiz", still, {"question": self.question.question, "choices": choices_of, "verdicts": told})
