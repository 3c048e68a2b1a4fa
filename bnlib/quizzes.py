"""How a quiz looks: buttons in Jupyter, a call with the chosen letter everywhere else.

With the environment variable ``BNLIB_QUIZZES=text`` there are no buttons in Jupyter either: for the grader, where nobody
presses them. Quiz questions carry no points. The explanation appears after the learner chose, also after a wrong choice.
"""

from __future__ import annotations

import os
from html import escape
from typing import Any

from bnlib.checks import answer_of
from bnlib.exercises import ArgumentError
from bnlib.judging.showing.report import show
from bnlib.stubs import OneLine, Quiz

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

TEXT = "BNLIB_QUIZZES"
"""Environment variable: ``text`` leaves the buttons out."""


class ChoiceError(OneLine, ValueError):
    """A letter that is none of the choices."""


def quiz(question: Quiz, answer: str | None = None) -> None:
    """Ask a question, or judge an answer to it.

    Args:
        question: The quiz, for example ``translation.applied_twice``.
        answer: The letter of a choice; without it the question is shown, in Jupyter with a button for each choice.

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
    """A quiz question on the page: plain text always, and buttons where Jupyter shows widgets."""

    def __init__(self, question: Quiz) -> None:
        self.question = question

    def __str__(self) -> str:
        lines = [f"Quiz. {self.question.question}"]
        lines += [f"  ({choice.letter}) {choice.text}" for choice in self.question.choices]
        return "\n".join([*lines, f'Answer with quiz({self.question.id}, "a") or another letter.'])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": str(self), "text/html": self._html()}
        if os.environ.get(TEXT) != "text":
            widget = self._widget()
            bundle[WIDGET_VIEW] = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
        return bundle

    def _html(self) -> str:
        choices = "".join(f"<div>({choice.letter}) {escape(choice.text)}</div>" for choice in self.question.choices)
        return f"<div><b>Quiz.</b> {escape(self.question.question)}</div>{choices}"

    def _widget(self) -> Any:
        """Question, one button a choice, and room for the explanation; formulas render."""
        import ipywidgets as widgets

        wide = widgets.Layout(max_width="48em")
        asked = widgets.HTMLMath(f"<b>Quiz.</b> {escape(self.question.question)}", layout=wide)
        told = widgets.HTMLMath("", layout=wide)
        buttons = []
        for choice in self.question.choices:
            button = widgets.Button(
                description=f"({choice.letter}) {choice.text}",
                layout=widgets.Layout(width="auto", max_width="48em", height="auto"),
                style={"text_color": "#1a1a1a", "button_color": "#e6e9ef"},
            )
            button.add_class("bnlib-choice")

            def tell(clicked: Any, letter: str = choice.letter) -> None:
                told.value = escape(verdict(self.question, letter))

            button.on_click(tell)
            buttons.append(button)
        style = widgets.HTML(
            "<style>.bnlib-choice {white-space: normal; text-align: left; line-height: 1.4; padding: 4px 10px}</style>"
        )
        return widgets.VBox([style, asked, *buttons, told])
