"""What travels between grader and learner arrives as it was; what is damaged or hostile is refused in one line."""

import contextlib
import json
import math
import socket
import struct
import threading
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bnlib.checks import Source
from bnlib.grading.process import protocol
from bnlib.grading.process.protocol import Closed, Handle, ProtocolError, TooLargeError, Unsupported, named

DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?"),
    hnp.complex_number_dtypes(endianness="?"),
)
ARRAYS = DTYPES.flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.complex_numbers(),
    st.text(st.characters(exclude_categories=["Cs"])),
)
VALUES = st.recursive(
    st.one_of(SCALARS, ARRAYS),
    lambda inner: st.one_of(
        st.lists(inner.filter(lambda value: not isinstance(value, str)), max_size=4),
        st.lists(inner.filter(lambda value: not isinstance(value, str)), max_size=4).map(tuple),
        st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3),
    ),
    max_leaves=8,
)


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def travelled(value, trusted=False):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = threading.Thread(target=protocol.send, args=(ours, value))
        sender.start()
        got = protocol.receive(theirs, time.monotonic() + 10, trusted)
        sender.join()
    return got


def same(a, b):
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=True)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, float) and math.isnan(a):
        return math.isnan(b)
    return type(a) is type(b) and a == b


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES)
def test_values_arrive_as_they_were(value):
    assert same(value, travelled(value))


def test_text_among_numbers_comes_from_the_grader_alone():
    assert travelled({"key": ["text", 1.0]}, trusted=True) == {"key": ["text", 1.0]}


@settings(max_examples=100, deadline=None)
@given(ARRAYS)
def test_array_bytes_are_npy_bytes(array):
    import io

    data = protocol._npy(array)
    assert same(np.load(io.BytesIO(data), allow_pickle=False), array)
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    assert same(protocol._array(bytearray(stream.getvalue())), array)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 127), st.integers(0, 255))
def test_damaged_bytes_are_refused_or_are_an_array(junk, place, byte):
    data = bytearray(protocol._npy(np.arange(6.0).reshape(2, 3)))
    data[place] = byte
    for payload in (bytearray(junk), data):
        with contextlib.suppress(ProtocolError):
            assert protocol._array(payload).dtype.kind in protocol.KINDS


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_junk_on_the_socket_is_refused(junk):
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(junk)
        with pytest.raises(ProtocolError):
            protocol.receive(theirs, time.monotonic() + 5)


def frame(body, payloads=(), sizes=None):
    header = json.dumps({"body": body, "sizes": sizes if sizes is not None else [len(p) for p in payloads]}).encode()
    data = b"".join(payloads)
    return struct.pack(">II", len(header), len(data)) + header + data


def npy(header):
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def nested(depth):
    return {"list": [nested(depth - 1)]} if depth else 1


REFUSED = {
    "header too long": struct.pack(">II", 2**31, 0),
    "arrays too large": struct.pack(">II", 10, 2**32 - 1),
    "not JSON": struct.pack(">II", 3, 0) + b"{x}",
    "not ASCII": struct.pack(">II", 3, 0) + "…".encode(),
    "deep JSON": struct.pack(">II", 200_000, 0) + b"[" * 200_000,
    "long integer": struct.pack(">II", 9_000, 0) + b"9" * 9_000,
    "a list": struct.pack(">II", 2, 0) + b"[]",
    "no sizes": struct.pack(">II", 10, 0) + b'{"body":1}',
    "sizes that do not add up": frame({"array": 0}, [b"x" * 10], [11]),
    "negative size": frame({"array": 0}, [b"x" * 10], [-1, 11]),
    "size not a number": frame({"array": 0}, [b"x" * 10], ["10"]),
    "no such array": frame({"array": 0}),
    "array index not a number": frame({"array": True}),
    "unknown tag": frame({"pickle": "gASVC"}),
    "two tags": frame({"list": [], "tuple": []}),
    "bare list": frame([1, 2]),
    "big integer": frame(2**63),
    "handle without a number": frame({"handle": ["x", "dict"]}),
    "negative handle": frame({"handle": [-1, "dict"]}),
    "complex of text": frame({"complex": ["1", "2"]}),
    "source from the learner": frame({"source": "def f(): pass"}),
    "nested too deeply": frame(nested(20)),
    "pickle in place of npy": frame({"array": 0}, [b"\x80\x04K\x01."]),
    "object dtype": frame({"array": 0}, [npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }") + b"x" * 8]),
    "structured dtype": frame(
        {"array": 0}, [npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }") + b"x" * 8]
    ),
    "text dtype": frame({"array": 0}, [npy("{'descr': '<U2', 'fortran_order': False, 'shape': (1,), }") + b"x" * 8]),
    "no such dtype": frame({"array": 0}, [npy("{'descr': '<f3', 'fortran_order': False, 'shape': (1,), }") + b"x" * 3]),
    "shape of terabytes": frame(
        {"array": 0}, [npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }") + b"x" * 8]
    ),
    "too few bytes": frame({"array": 0}, [npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }") + b"x" * 8]),
    "shape that overflows": frame(
        {"array": 0},
        [npy("{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999999999, 999999999999999999, 0), }")],
    ),
    "no numbers, and a dimension of millions": frame(
        {"array": 0}, [npy("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 150000000), }")]
    ),
    "no numbers between two dimensions": frame(
        {"array": 0}, [npy("{'descr': '<f8', 'fortran_order': False, 'shape': (8000000, 0, 8000000), }")]
    ),
    "text among numbers": frame({"list": [1, 2, "x" * 1000]}),
    "text in a tuple in a list": frame({"list": [{"tuple": ["x"]}]}),
    "shape as a product": frame({"array": 0}, [npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2**9,), }")]),
    "code in the header": frame({"array": 0}, [npy("__import__('os').system('true')")]),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED.keys())
def test_hostile_messages_are_refused(pair, data):
    ours, theirs = pair
    sender = threading.Thread(target=lambda: (ours.sendall(data), ours.shutdown(socket.SHUT_WR)))
    sender.start()
    with pytest.raises(ProtocolError) as caught:
        protocol.receive(theirs, time.monotonic() + 5)
    assert not isinstance(caught.value, Closed)
    assert str(caught.value)
    assert "\n" not in str(caught.value)
    theirs.close()
    sender.join()


def test_nothing_is_allocated_on_a_promise(pair):
    ours, theirs = pair
    ours.sendall(struct.pack(">II", 100, 60_000_000))
    ours.shutdown(socket.SHUT_WR)
    tracemalloc.start()
    with pytest.raises(Closed):
        protocol.receive(theirs, time.monotonic() + 5)
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


def test_a_deadline_is_kept_however_slowly_bytes_come(pair):
    ours, theirs = pair

    def drip():
        with ours:
            for byte in frame({"list": [1] * 50}):
                try:
                    ours.send(bytes([byte]))
                except OSError:
                    return
                time.sleep(0.02)

    dripping = threading.Thread(target=drip, daemon=True)
    dripping.start()
    with pytest.raises(TimeoutError):
        protocol.receive(theirs, time.monotonic() + 0.2)
    assert dripping.is_alive()  # the wait ended before the message did
    theirs.close()


def test_sending_has_a_deadline(pair):
    with pytest.raises(TimeoutError):
        protocol.send(pair[0], np.zeros(2_000_000), time.monotonic() + 0.1)


def test_too_large_values_are_not_sent(pair):
    with pytest.raises(TooLargeError):
        protocol.send(pair[0], np.broadcast_to(1.0, (10**5, 10**5)))
    with pytest.raises(TooLargeError):
        protocol.send(pair[0], [0.123456789] * 500_000)


@pytest.mark.parametrize("value", [object(), {1: 2}, {1, 2}, 2**63, np.array(["a"]), np.array([None]), lambda: 1, b"x"])
def test_other_values_cannot_be_sent(pair, value):
    with pytest.raises(TypeError):
        protocol.send(pair[0], value)


def test_shared_arrays_stay_shared():
    x = np.arange(3.0)
    a, b = travelled((x, x))
    assert a is b
    a[0] = 5  # and can be written to


def test_handles_and_notes_are_named_after_what_they_stand_for():
    handle = travelled(named(Handle, "dict")(7))
    assert isinstance(handle, Handle)
    assert (type(handle).__name__, handle.number) == ("dict", 7)
    note = travelled(named(Unsupported, "a b\n<script>" + "x" * 99)("text\nmore"))
    assert isinstance(note, Unsupported)
    assert type(note).__name__.isidentifier()
    assert len(type(note).__name__) <= 60
    assert note.text == "text more"


def test_functions_travel_as_text_to_the_learner_only():
    function = travelled(Source("def f(x):\n    return 2 * x"), trusted=True)
    assert function(3) == 6
    with pytest.raises(ProtocolError):
        travelled(Source("def f(x):\n    return 2 * x"))


def test_half_characters_are_replaced():
    assert travelled("a\ud800b") == "a?b"


@given(st.text())
def test_text_for_people_is_one_printable_line(text):
    line = protocol.one_line(text, 50)
    assert len(line) <= 50
    assert line.isprintable()
    line.encode()


def test_an_array_that_is_sent_once_and_is_there_many_times_counts_many_times():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        array = np.zeros(1_000_000, bool)
        threading.Thread(target=protocol.send, args=(ours, [array] * 9), daemon=True).start()
        with pytest.raises(protocol.ProtocolError, match="more numbers than an answer can have"):
            protocol.receive(theirs, time.monotonic() + 10)
