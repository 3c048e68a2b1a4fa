"""The C library of this process, for the system calls that Python has no function for."""

from __future__ import annotations

import ctypes
from functools import lru_cache

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 36, 38


@lru_cache(maxsize=1)
def libc() -> ctypes.CDLL:
    """The C library; errors are read with ``ctypes.get_errno``."""
    return ctypes.CDLL(None, use_errno=True)


def call(name: str, *args: int | bytes | None) -> int:
    """Call a C function and raise what it left in errno when it returns a negative number.

    Integers go as 64-bit words, since a variadic C function reads whole words.

    Raises:
        OSError: The call failed.
    """
    words = [ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in args]
    result = getattr(libc(), name)(*words)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name} failed")
    return result


def prctl(option: int, value: int, pointer: int | bytes = 0) -> int:
    """Set something about this process (Linux); the kernel wants the words that are not used to be 0.

    Raises:
        OSError: The kernel refused it.
    """
    return call("prctl", option, value, pointer, 0, 0)
