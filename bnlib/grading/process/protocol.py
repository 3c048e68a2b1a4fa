"""Values over a socket between the grader and the process that runs a learner's code.

A message is two lengths of four bytes, a JSON header, then the arrays as raw ``.npy`` bytes. Nothing is pickled,
nothing is evaluated, and the side that reads allocates nothing before it has checked the sizes: the other side may have
been written by a learner who wants more than points.
"""

from __future__ import annotations

import io
import json
import math
import re
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any, Literal

import numpy as np

from bnlib.judging.showing.report import printable
from bnlib.judging.source import Source

MAX_MESSAGE = 64_000_000
"""Bytes of one message, arrays included."""

MAX_NUMBERS = 8_000_000
"""Numbers of one message; an array that is there ten times counts ten times, for that is what becomes of it."""

MAX_HEADER = 2_000_000
"""Bytes of a message's JSON."""

MAX_DEPTH = 12
"""Levels of lists, tuples and dicts inside each other."""

KINDS = "biufc"
"""Kinds of numpy dtype that travel: truth values, integers, floats, complex numbers."""

_LENGTHS = struct.Struct(">II")
_INTEGER = 2**63
_NPY = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(?P<descr>[<>|=][biufc]\d{1,2})', 'fortran_order': (?P<fortran>True|False), "
    rb"'shape': \((?P<shape>\d{1,18},|\d{1,18}(?:, \d{1,18})+)?\), \} *\n",
    re.DOTALL,
)
"""The header numpy writes for a plain array, and no other: so it need not be evaluated to be read."""


class ProtocolError(Exception):
    """What came over the socket is not a message; one line says why."""


class TooLargeError(ValueError):
    """A value is larger than a message may be."""


class Closed(ProtocolError):  # noqa: N818 - a state, like EOFError
    """The other side is gone."""


@dataclass(frozen=True)
class Handle:
    """An object that stays in the learner's process; only its number travels. The class is named after its type.

    Attributes:
        number: The object's number in its session.
        session: Which session it lives in; set by the grader's side.
    """

    number: int
    session: int = 0


@dataclass(frozen=True)
class Unsupported:
    """Something where an array was needed. The class is named after its type, so that ``type(x).__name__`` tells."""

    text: str = ""


@lru_cache(maxsize=256)
def named(base: type, name: str) -> type:
    """A subclass of ``base`` that goes by a learner's type name, cut down to letters, digits and underscores."""
    return type(plain(name), (base,), {"__module__": base.__module__})


def plain(name: str) -> str:
    """A name from the learner's side as an identifier of bounded length."""
    return re.sub(r"\W", "_", name[:60], flags=re.ASCII) or "object"


def one_line(text: str, length: int = 400) -> str:
    """Text from the learner's side on one printable line of bounded length."""
    return printable(" ".join(text[: 4 * length].split()))[:length]


def send(sock: socket.socket, value: Any, deadline: float | None = None) -> list[np.ndarray]:
    """Send one value and return the arrays it held, in the order in which they travel.

    Args:
        sock: A connected stream socket.
        value: None, bool, int (64 bits), float, complex, str, list, tuple, dict with str keys, arrays and numpy scalars of
            numbers, :class:`Handle`, :class:`Unsupported`, :class:`bnlib.judging.source.Source`.
        deadline: Value of ``time.monotonic()`` after which TimeoutError is raised.

    Raises:
        TypeError: A value of another kind.
        TooLargeError: It does not fit into a message.
        TimeoutError: The other side did not take it in time.
        Closed: The other side is gone.
    """
    arrays: list[np.ndarray] = []
    body = _pack(value, arrays, {}, 0)
    size = sum(array.nbytes for array in arrays)
    if size > MAX_MESSAGE:
        raise TooLargeError(f"{size / 1e6:.0f} MB, and {MAX_MESSAGE / 1e6:.0f} MB is the most")
    payloads = [_npy(array) for array in arrays]
    header = json.dumps({"body": body, "sizes": [len(p) for p in payloads]}, separators=(",", ":")).encode("ascii")
    if len(header) > MAX_HEADER:
        raise TooLargeError("too many values; return an array")
    size = sum(map(len, payloads))
    if size > MAX_MESSAGE:
        raise TooLargeError(f"{size / 1e6:.0f} MB, and {MAX_MESSAGE / 1e6:.0f} MB is the most")
    data = b"".join([_LENGTHS.pack(len(header), size), header, *payloads])
    sock.settimeout(_left(deadline))
    try:
        sock.sendall(data)
    except (BrokenPipeError, ConnectionError):
        raise Closed("the other side closed the connection") from None
    return arrays


def receive(sock: socket.socket, deadline: float | None = None, trusted: bool = False) -> Any:
    """Receive one value.

    Args:
        sock: A connected stream socket.
        deadline: Value of ``time.monotonic()`` after which TimeoutError is raised.
        trusted: True in the learner's process, which may be given functions as source text.

    Raises:
        ProtocolError: What came is not a message.
        Closed: The other side is gone.
        TimeoutError: The message was not complete in time.
    """
    return receive_with_arrays(sock, deadline, trusted)[0]


def receive_with_arrays(
    sock: socket.socket, deadline: float | None = None, trusted: bool = False
) -> tuple[Any, list[np.ndarray]]:
    """:func:`receive`, and the arrays in the order in which they travelled."""
    length, rest = _LENGTHS.unpack(_exactly(sock, _LENGTHS.size, deadline))
    if length > MAX_HEADER:
        raise ProtocolError("the header of a message is too long")
    if rest > MAX_MESSAGE:
        raise ProtocolError("the arrays of a message are too large")
    data = _exactly(sock, length + rest, deadline)
    try:
        header = json.loads(data[:length].decode("ascii"))
    except (ValueError, RecursionError):
        raise ProtocolError("the header of a message is not JSON") from None
    if not isinstance(header, dict) or header.keys() != {"body", "sizes"}:
        raise ProtocolError("the header of a message lacks its body or its sizes")
    sizes = header["sizes"]
    if not isinstance(sizes, list) or not all(type(size) is int and size > 0 for size in sizes) or sum(sizes) != rest:
        raise ProtocolError("the sizes of a message's arrays do not add up")
    ends = list(accumulate(sizes, initial=length))
    arrays = _Arrays(_array(data[start:end]) for start, end in pairwise(ends))
    return _unpack(header["body"], arrays, trusted, 0), arrays


def _pack(value: Any, arrays: list[np.ndarray], seen: dict[int, int], depth: int) -> Any:
    """A value as JSON; its arrays are appended to ``arrays``, each once, so that shared ones stay shared."""
    if depth > MAX_DEPTH:
        raise TypeError("lists inside lists, too deep to be sent")
    kind = type(value)
    if value is None or kind in (bool, float, str):
        return value
    if kind is int:
        if not -_INTEGER <= value < _INTEGER:
            raise TypeError("an integer of more than 64 bits")
        return value
    if kind is complex:
        return {"complex": [value.real, value.imag]}
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in KINDS:
            raise TypeError(f"an array of dtype {value.dtype}")
        if id(value) not in seen:
            seen[id(value)] = len(arrays)
            arrays.append(value)
        return {"array": seen[id(value)]}
    if kind in (list, tuple):
        return {kind.__name__: [_pack(item, arrays, seen, depth + 1) for item in value]}
    if isinstance(value, dict):
        if not all(type(key) is str for key in value):
            raise TypeError("a dict with keys other than text")
        return {"dict": {key: _pack(item, arrays, seen, depth + 1) for key, item in value.items()}}
    if isinstance(value, Handle):
        return {"handle": [value.number, type(value).__name__]}
    if isinstance(value, Unsupported):
        return {"unsupported": [value.text, type(value).__name__]}
    if isinstance(value, Source):
        return {"source": value.text}
    raise TypeError(f"a {kind.__name__}")


class _Arrays(list[np.ndarray]):
    """The arrays of a message, and how many numbers have been taken from them."""

    numbers = 0

    def take(self, index: int) -> np.ndarray:
        """An array, for one of its places in the message."""
        self.numbers += self[index].size
        if self.numbers > MAX_NUMBERS:
            raise ProtocolError("more numbers than an answer can have")
        return self[index]


def _unpack(tree: Any, arrays: _Arrays, trusted: bool, depth: int) -> Any:
    """The value that :func:`_pack` wrote, nothing believed."""
    if depth > MAX_DEPTH:
        raise ProtocolError("a message is nested too deeply")
    if tree is None or isinstance(tree, (bool, float)):
        return tree
    if isinstance(tree, int):
        if not -_INTEGER <= tree < _INTEGER:
            raise ProtocolError("a message holds an integer of more than 64 bits")
        return tree
    if isinstance(tree, str):
        return _clean(tree)
    if not isinstance(tree, dict) or len(tree) != 1:
        raise ProtocolError("a message holds a value of unknown form")
    ((tag, item),) = tree.items()
    if tag in ("list", "tuple") and isinstance(item, list):
        if not trusted and any(isinstance(each, str) for each in item):
            raise ProtocolError("text among numbers")  # an array of text is as wide everywhere as at its longest
        items = [_unpack(each, arrays, trusted, depth + 1) for each in item]
        return items if tag == "list" else tuple(items)
    if tag == "dict" and isinstance(item, dict):
        return {_clean(key): _unpack(each, arrays, trusted, depth + 1) for key, each in item.items()}
    if tag == "array" and type(item) is int and 0 <= item < len(arrays):
        return arrays.take(item)
    if tag == "complex" and _is(item, float, float):
        return complex(*item)
    if tag == "handle" and _is(item, int, str) and 0 <= item[0] < _INTEGER:
        return named(Handle, item[1])(item[0])
    if tag == "unsupported" and _is(item, str, str):
        return named(Unsupported, item[1])(one_line(item[0]))
    if tag == "source" and trusted and isinstance(item, str):
        return Source(item)
    raise ProtocolError(f"a message holds a value of unknown form: {one_line(tag, 30)}")


def _is(item: Any, *kinds: type) -> bool:
    return (
        isinstance(item, list)
        and len(item) == len(kinds)
        and all(type(a) is b for a, b in zip(item, kinds, strict=True))
    )


def _clean(text: str) -> str:
    """Text that can be written as UTF-8: half characters are replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _npy(array: np.ndarray) -> bytes:
    fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    return _npy_header(array.dtype.str, fortran, array.shape) + array.tobytes("F" if fortran else "C")


@lru_cache(maxsize=256)
def _npy_header(descr: str, fortran: bool, shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": fortran, "shape": shape})
    return stream.getvalue()


def _array(payload: bytearray) -> np.ndarray:
    """The array in ``.npy`` bytes, when they are exactly what numpy writes for an array of numbers."""
    start = 10 + int.from_bytes(payload[8:10], "little")
    dtype, shape, order = _read_npy_header(bytes(payload[: min(start, 1000)]))
    if len(payload) - start != math.prod(shape) * dtype.itemsize:
        raise ProtocolError("an array's bytes do not fit its shape")
    return np.frombuffer(payload, dtype, offset=start).reshape(shape, order=order)


def extent(shape: tuple[int, ...]) -> int:
    """How many numbers a shape could stand for: an array without any can still be reduced to one that has them."""
    return math.prod(size or 1 for size in shape)


@lru_cache(maxsize=256)
def _read_npy_header(data: bytes) -> tuple[np.dtype[Any], tuple[int, ...], Literal["C", "F"]]:
    header = _NPY.fullmatch(data)
    if header is None:
        raise ProtocolError("an array's header is not what numpy writes for numbers")
    try:
        dtype = np.dtype(header["descr"].decode("ascii"))
    except TypeError:
        raise ProtocolError("an array has a dtype that does not exist here") from None
    shape = tuple(int(n) for n in re.findall(rb"\d+", header["shape"] or b""))
    if extent(shape) > MAX_NUMBERS:
        raise ProtocolError("an array has a shape that is too large")
    if dtype.kind not in KINDS or dtype.itemsize == 0 or len(shape) > 32:
        raise ProtocolError("an array is not one of plain numbers")
    return dtype, shape, "F" if header["fortran"] == b"True" else "C"


def _exactly(sock: socket.socket, size: int, deadline: float | None) -> bytearray:
    """The next ``size`` bytes; memory grows with what has come, not with what was promised."""
    data = bytearray()
    while len(data) < size:
        sock.settimeout(_left(deadline))
        try:
            part = sock.recv(min(size - len(data), 1 << 20))
        except ConnectionError:
            part = b""
        if not part:
            raise Closed("the other side closed the connection")
        data += part
    return data


def _left(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


Resolve = Callable[[Handle], Any]


def resolved(value: Any, resolve: Resolve) -> Any:
    """A received value with each handle replaced by what ``resolve`` finds behind it."""
    if isinstance(value, Handle):
        return resolve(value)
    if isinstance(value, (list, tuple)):
        return type(value)(resolved(item, resolve) for item in value)
    if isinstance(value, dict):
        return {key: resolved(item, resolve) for key, item in value.items()}
    return value
