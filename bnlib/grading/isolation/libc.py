"""The C library of this process, for the system calls that Python has no function for."""

from __future__ import annotations

import ctypes
from functools import lru_cache


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
