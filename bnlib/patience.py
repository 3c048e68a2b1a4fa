"""The learner's code is given so much time and no more; who stops it first reads one sentence."""

from __future__ import annotations

import _thread
import contextlib
import threading
from collections.abc import Iterator

from bnlib.running import own_line
from bnlib.stubs import OneLine

SECONDS = 30
"""How long one exercise may take: its checks take less than one second."""


class Stopped(OneLine, RuntimeError):  # noqa: N818 - a learner reads this name
    """The learner stopped what was running."""


class TooLong(Stopped):
    """What was running did not end in its time."""


@contextlib.contextmanager
def patience(name: str, seconds: float = SECONDS) -> Iterator[None]:
    """Run what stands in the block as long as ``seconds`` allow: then it is interrupted as by the stop button.

    Without threads, and outside the main thread, nothing watches the time.

    Args:
        name: The exercise whose answer is run.
        seconds: How long it may take.

    Raises:
        TooLong: It took longer; the message says in which line it was.
        Stopped: It was interrupted.
    """
    over, late = threading.Event(), threading.Event()

    def watch() -> None:
        if not over.wait(seconds):
            late.set()
            while not over.is_set():  # code that catches everything is interrupted again
                _thread.interrupt_main()
                over.wait(1)

    if threading.current_thread() is threading.main_thread():
        with contextlib.suppress(RuntimeError):
            threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    except KeyboardInterrupt as error:
        over.set()
        line = own_line(error)
        at = f" It was at {line}." if line else ""
        if late.is_set():
            raise TooLong(
                f"{name} was stopped after {seconds:g} seconds: is there a loop that does not end?{at} "
                "Nothing is lost: change its cell, run it, then this one again."
            ) from None
        raise Stopped(f"{name} was stopped by you.{at} Nothing is lost: run this cell again when you like.") from None
    finally:
        over.set()
