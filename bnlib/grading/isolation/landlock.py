"""Hide files with Landlock (Linux 5.13 and later): a process gives up every path that is not on its own list.

It needs no privileges. The list is made once and may be used by many processes.
"""

from __future__ import annotations

import os
import stat
import struct
import sys
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from bnlib.grading.isolation.libc import call

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_EXECUTE, _MAKE_CHAR, _MAKE_SOCK, _MAKE_BLOCK = 1 << 0, 1 << 6, 1 << 9, 1 << 11
_TRUNCATE, _IOCTL_DEVICE = 1 << 14, 1 << 15
_NEVER = _EXECUTE | _MAKE_CHAR | _MAKE_SOCK | _MAKE_BLOCK | _IOCTL_DEVICE
_TCP = 0b11  # bind and connect
_SCOPES = 0b11  # abstract unix sockets and signals stay among the confined


@lru_cache(maxsize=1)
def abi() -> int:
    """The version of Landlock this kernel has; 0 for none. Asked of the kernel: /sys may not be mounted."""
    if sys.platform != "linux":
        return 0
    try:
        return call("syscall", _CREATE, None, 0, 1)
    except OSError:
        return 0


def _file_rights() -> int:
    """All rights on files that this version knows how to take away."""
    bits = 13 + (abi() >= 2) + (abi() >= 3)
    return (1 << bits) - 1 | (_IOCTL_DEVICE if abi() >= 5 else 0)


def ruleset(readable: Iterable[Path], listable: Iterable[Path], writable: Iterable[Path]) -> int:
    """Make a list of what stays accessible.

    Args:
        readable: Files and folders (with all they hold) that may be read.
        listable: Folders (with all they hold) whose names may be listed.
        writable: Folders in which files may be made, changed and removed.

    Returns:
        A file descriptor for :func:`restrict`.

    Raises:
        OSError: The kernel has no Landlock.
    """
    handled = _file_rights()
    words = [handled, _TCP if abi() >= 4 else 0, _SCOPES if abi() >= 6 else 0]
    attributes = struct.pack("=3Q", *words)[: 8 if abi() < 4 else 16 if abi() < 6 else 24]
    fd = call("syscall", _CREATE, attributes, len(attributes), 0)
    for path in readable:
        _allow(fd, path, _READ_FILE | _READ_DIR)
    for path in listable:
        _allow(fd, path, _READ_DIR)
    for path in writable:
        _allow(fd, path, handled & ~_NEVER)
    _allow(fd, Path(os.devnull), _READ_FILE | _WRITE_FILE | _TRUNCATE & handled)
    return fd


def restrict(fd: int) -> None:
    """Put the list in force for this process, for good. Needs PR_SET_NO_NEW_PRIVS.

    Raises:
        OSError: The kernel refused it.
    """
    call("syscall", _RESTRICT, fd, 0)


def _allow(fd: int, path: Path, rights: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)  # type: ignore[attr-defined, unused-ignore]
    except OSError:
        return  # what is not there needs no rule
    try:
        if not stat.S_ISDIR(os.fstat(parent).st_mode):
            rights &= _READ_FILE | _WRITE_FILE | _TRUNCATE
        call("syscall", _ADD, fd, 1, struct.pack("=Qi", rights, parent), 0)
    finally:
        os.close(parent)
