"""Derive the gradient of batch normalization, one exercise at a time.

In a notebook::

    from bnlib import check, derive, fill, hint, ladder, load, progress, quiz, reveal
    from bnlib.stubs import translation
"""

from bnlib import sealed

sealed.install()

from bnlib.chains.command import derive, ladder, reveal  # noqa: E402 - in the learners' bundle these modules are sealed
from bnlib.checks import check, hint  # noqa: E402
from bnlib.exercises import fill, follow_cells  # noqa: E402
from bnlib.progress import progress  # noqa: E402
from bnlib.quizzes import quiz  # noqa: E402
from bnlib.running import load  # noqa: E402

follow_cells()

__all__ = ["check", "derive", "fill", "hint", "ladder", "load", "progress", "quiz", "reveal"]
__version__ = "0.1.0"
