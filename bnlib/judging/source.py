"""A function given as text, so that it can be called here and in the learner's isolated process."""

from __future__ import annotations

from typing import Any

import numpy as np


class Source:
    """A function given as text, so that the same test input can be used here and in the learner's isolated process.

    Args:
        text: Python source that defines one function; ``np`` is available.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        namespace: dict[str, Any] = {"np": np}
        exec(compile(text, "<given function>", "exec"), namespace)  # noqa: S102 - the text is ours
        self._function = next(v for k, v in reversed(namespace.items()) if callable(v) and not k.startswith("__"))

    def __call__(self, *args: Any) -> Any:
        """Call the function."""
        return self._function(*args)
