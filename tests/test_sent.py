"""The one rule of docs/security.md: what is sent to a learner's process is traced, and no expected value is in it.

Every lesson is graded with right answers and with a wrong one for each exercise. All that leaves the grader is recorded, and
compared with every value that a hidden test or a visible check expects.
"""

from __future__ import annotations

import contextlib
import copy
import re
import socket
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from answering import ROOT
from answers import collection

from bnlib.grading.course import Course
from bnlib.grading.hidden import plugin
from bnlib.grading.hidden.judge import Judge
from bnlib.grading.hidden.plugin import Batch, Subject
from bnlib.grading.process import protocol, remote
from bnlib.notebooks import Cell, Notebook, read
from bnlib.stubs import lessons


def with_answer(notebook, text):
    """The notebook with a last cell in which some exercises are answered otherwise."""
    lesson = notebook.lesson
    names = [name for name in re.findall(r"^(?:def|class) (\w+)", text, re.MULTILINE) if name in lesson.stubs]
    fills = "".join(f"\nfill({lesson.name}.{name})({name})" for name in names)
    return Notebook(Path("x.ipynb"), lesson, (*notebook.cells, Cell("other", None, False, text + fills)))


def arrays_in(value):
    """All arrays of numbers in a message, lists of numbers among them."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from arrays_in(each)
    elif isinstance(value, (list, tuple)):
        try:
            yield np.array(value, dtype=np.float64)
        except (ValueError, TypeError):
            for each in value:
                yield from arrays_in(each)


class Trace:
    """What is sent to which session, and what is expected."""

    def __init__(self, monkeypatch):
        self.sessions, self.sent, self.bytes = {}, defaultdict(dict), {"message": 0, "socket": 0}
        self.lent, self.known = 0, {}
        self.expected = {}
        send, start, truth = protocol.send, remote.Session.__init__, Judge.truth
        sendall, sendmsg = socket.socket.sendall, socket.socket.sendmsg

        def sending(sock, value, deadline=None):
            before = self.bytes["socket"]
            arrays = send(sock, value, deadline)
            self.bytes["message"] += self.bytes["socket"] - before
            session = self.sessions[id(sock)]
            if session._lender and value.keys() == {"value"}:
                self.lent += 1  # the answer to a question of the learner's code: tests/attacks/test_lending.py
            else:
                self.sent[session] |= {(a.shape, a.tobytes()): a.copy() for a in arrays_in(value)}
            return arrays

        def starting(session, *args, **kwargs):
            start(session, *args, **kwargs)
            self.sessions[id(session._sock)] = session

        def knowing(judge, case):
            values = truth(judge, case)
            if id(values) not in self.known:  # the judge keeps what it has computed
                self.known[id(values)] = values
                self.expect(judge.stub, case, values)
                self.expect_others(judge, case)
            return values

        def counting(sock, data, *rest):
            self.bytes["socket"] += len(data)
            return sendall(sock, data, *rest)

        def small(sock, buffers, *rest):
            assert sum(map(len, buffers)) < 1000  # limits and descriptors for the fork server
            return sendmsg(sock, buffers, *rest)

        monkeypatch.setattr(protocol, "send", sending)
        monkeypatch.setattr(remote.Session, "__init__", starting)
        monkeypatch.setattr(Judge, "truth", knowing)
        monkeypatch.setattr(socket.socket, "sendall", counting)
        monkeypatch.setattr(socket.socket, "sendmsg", small, raising=False)

    def expect_others(self, judge, case):
        """What the lesson's other exercises are to compute from the same input: a forward pass of what its way back is given."""
        for stub in judge.stub.lesson.functions.values():
            if stub is not judge.stub and not stub.methods and all(name in case for name in stub.parameters):
                with contextlib.suppress(ValueError):  # one feature where a batch is asked
                    given = copy.deepcopy(case)
                    value = getattr(judge.reference, stub.name)(*(given[name] for name in stub.parameters))
                    values = value if len(stub.returns) > 1 else (value,)
                    pairs = zip(stub.returns, values, strict=True)
                    self.expect(stub, case, tuple(each for name, each in pairs if not name.startswith("cache")))

    def expect(self, stub, case, values):
        """Note expected outputs; those that are an input of the very same case, or one number many times, tell nothing."""
        given = [array.ravel() for array in arrays_in(dict(case))]
        for value in values if isinstance(values, tuple) else (values,):
            flat = np.asarray(value, dtype=np.float64).ravel()
            known = any(flat.size == array.size and np.allclose(flat, array) for array in given)
            if flat.size > 2 and np.ptp(flat) > 0 and not known:
                self.expected[stub.id, flat.tobytes()] = flat

    def leaks(self):
        """Exercises of which an expected value was sent."""
        known = defaultdict(list)
        for (exercise, _), flat in self.expected.items():
            known[flat.size].append((exercise, flat))
        tables = {size: ([e for e, _ in rows], np.stack([f for _, f in rows])) for size, rows in known.items()}
        found = set()
        for array in {key: array for sent in self.sent.values() for key, array in sent.items()}.values():
            names, table = tables.get(array.size, ((), None))
            for flat in (array.ravel(), array.T.ravel()) if names else ():
                close = np.all(np.abs(table - flat) <= 1e-6 * np.abs(table).max(axis=1, keepdims=True), axis=1)
                found |= {names[index] for index in np.flatnonzero(close)}
        return found


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.key)
def test_no_expected_value_is_sent(lesson, patient, monkeypatch):
    trace = Trace(monkeypatch)
    solution = read(ROOT / "solutions" / f"{lesson.key}.ipynb")
    subjects = {"right": Subject("right", (solution,))}
    for name, answer in collection(lesson).items():
        text = next(iter(answer.wrong())).text
        subjects[name] = Subject(name, (with_answer(solution, text),))
    batch = Batch(Course(), patient, subjects, replay=True, carry=True)
    plugin.run(batch, [lesson])
    for exercise, (cases, truths) in batch._visible.items():
        for case, values in zip(cases, truths, strict=True):
            trace.expect(lesson.stubs[exercise.split(".")[1]], case, values)

    assert all(verdict.right for verdict in batch.verdicts["right"].values())
    assert not any(batch.verdicts[name][f"{lesson.name}.{name}"].right for name in subjects.keys() - {"right"})
    assert len(trace.expected) > 20
    assert sum(map(len, trace.sent.values())) > 100
    assert bool(trace.lent) == any(stub.builds_on for stub in lesson.stubs.values())
    assert trace.bytes["message"] == trace.bytes["socket"]
    assert trace.leaks() == set()
