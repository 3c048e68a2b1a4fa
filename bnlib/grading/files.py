"""Files that are there whole or not at all: how a run keeps what it knows, whatever ends it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from bnlib.grading.result import LessonResult

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors of a disk that takes nothing more: no submission is to blame, and no other will fare better."""


def write(path: Path, text: str) -> None:
    """Write a file in one piece: at any moment there is the old one or the new one."""
    partial = path.with_name(f".{path.name[:40]}.{os.getpid()}")
    try:
        partial.write_text(text, "utf-8", errors="replace")
        os.replace(partial, path)
    finally:
        with suppress(OSError):
            partial.unlink()


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Hold a folder for one run; False when another one holds it. A lock ends with its process, however that ends."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        yield True
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:  # some network file systems lock nothing
            yield error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
        else:
            yield True
    finally:
        os.close(handle)


def put(spool: str, slug: str, results: Mapping[str, LessonResult], done: bool) -> None:
    """Leave what is known of a student where :func:`take` finds it; a worker that cannot tells it at the end of its batch."""
    if spool:
        said = {"done": done, "lessons": {key: result.to_json() for key, result in results.items()}}
        with suppress(OSError):
            write(Path(spool, f"{slug}.json"), json.dumps(said))


def take(spool: Path) -> Iterator[tuple[str, dict[str, LessonResult], bool]]:
    """Whose results are new, by file name; what is known; and whether that is all."""
    for path in sorted(spool.glob("[!.]*.json")):
        said = json.loads(path.read_text("utf-8"))
        path.unlink()
        yield path.stem, {key: LessonResult.from_json(each) for key, each in said["lessons"].items()}, said["done"]
