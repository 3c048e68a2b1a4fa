"""Submissions that try to gain a point or to do harm. None gains one, none touches a file, none leaves a process.

Each attack is the answer cell of ``center_backward`` (sometimes with a helper cell in front), graded by the same engine as
the hidden tests, on inputs the learner has not seen. ``dout`` returned unchanged is the wrong answer an attack falls back to,
so a report that is ok means that the attack has worked.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import textwrap
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bnlib.checks import checks_of
from bnlib.grading.process.worker import Interrupted, twice
from bnlib.judging.examining import examine
from bnlib.stubs import translation

ROOT = Path(__file__).resolve().parents[2]
WRONG, RIGHT, UNDECIDED = False, True, None
HEAD = "@fill(translation.center_backward)\ndef center_backward(dout):\n"


@dataclass(frozen=True)
class Attack:
    """One submission.

    Attributes:
        name: What it tries.
        body: Body of ``center_backward``, or with ``cell`` the whole answer cell.
        ends: Whether the exercise is right afterwards: a good answer stays good, a bad one stays bad, and what ends the
            process by a signal is not graded.
        names: Part of a mistake's name or of the message that must be in the report.
        helper: A cell that runs before the answers.
        cell: True when ``body`` is the whole cell.
        needs: What the platform must have for it: files, network, processes, limits.
        others: False where the attack spoils the learner's own process, so that ``center`` is lost too.
    """

    name: str
    body: str = "return dout"
    ends: bool | None = WRONG
    names: str = ""
    helper: str = ""
    cell: bool = False
    needs: tuple[str, ...] = ()
    others: bool = True

    @property
    def source(self) -> str:
        """The answer cell."""
        text = textwrap.dedent(self.body)
        return text if self.cell else HEAD + textwrap.indent(text, "    ") + "\n"


def reading(paths: str) -> str:
    """The body of an answer that looks for the reference answer in files, and uses it where it finds one."""
    return f"""
import glob, json, os
for path in {paths}:
    try:
        text = open(path, "rb").read().decode("utf-8", "replace")
    except OSError:
        continue
    if len(text) > 10:
        return dout - dout.mean(axis=0)
return dout
"""


SUBCLASS = """
class Yes(np.ndarray):
    def __eq__(self, other): return np.ones(self.shape, bool)
    __ne__ = __lt__ = __gt__ = lambda self, other: np.zeros(self.shape, bool)
    __le__ = __ge__ = __eq__
    def __abs__(self): return np.zeros(self.shape)
    def __sub__(self, other): return np.zeros(self.shape)
    __rsub__ = __sub__
    def __array_ufunc__(self, ufunc, method, *args, **kwargs): return np.zeros(self.shape)
    def __array_function__(self, function, types, args, kwargs): return True
    def astype(self, *args, **kwargs): return self
"""

ATTACKS = [
    # --- rebinding what judges
    Attack("rebind numpy.testing", "np.testing.assert_allclose = lambda *a, **k: None\nreturn dout"),
    Attack("rebind numpy itself", "np.abs = np.max = np.all = np.allclose = lambda *a, **k: True\nreturn dout", others=False),
    Attack(
        "rebind bnlib.check",
        helper="import bnlib, bnlib.judging.examining\nbnlib.check = bnlib.checks.check = bnlib.checks.examine = bnlib.judging.examining.examine = lambda *a, **k: True",
    ),
    Attack(
        "rebind the verdict",
        helper="import bnlib.judging.showing.report as f\nf.Report.ok = property(lambda self: True)\nf.Row.ok = True",
    ),
    Attack(
        "rebind builtins",
        "import builtins\nbuiltins.all = builtins.any = lambda *a: True\nbuiltins.abs = lambda x: 0\nreturn dout",
        others=False,
    ),
    Attack(
        "more points in the contract",
        helper="translation.center_backward.points = 1000\ntranslation.lesson.stubs.pop('center_jacobian_full')",
    ),
    Attack("fill with the wrong stub", "@fill(translation.center)\ndef center_backward(dout):\n    return dout", cell=True, others=False),
    # --- ending the process
    Attack("sys.exit", "import sys\nsys.exit(0)", names="raises-SystemExit"),
    Attack("os._exit with success", "import os\nos._exit(0)", names="raises-Crash"),
    Attack("sys.exit in the cell", "import sys\nsys.exit(0)\n" + HEAD + "    return dout", cell=True),
    Attack("os._exit in the cell", "import os\nos._exit(0)\n" + HEAD + "    return dout", cell=True),
    Attack(
        "os._exit beside a right answer",
        "import os\nos._exit(0)\n" + HEAD + "    return dout - dout.mean(0)",
        ends=RIGHT,
        cell=True,
    ),
    Attack(
        "SystemExit in __del__",
        "class Bye:\n    def __del__(self): raise SystemExit(0)\nBye()\nreturn dout",
    ),
    Attack("abort", "import os\nos.abort()", UNDECIDED),
    Attack("segmentation fault", "import ctypes\nctypes.string_at(0)", UNDECIDED),
    Attack("interrupt", "raise KeyboardInterrupt", names="raises-KeyboardInterrupt"),
    Attack("endless recursion", "return center_backward(dout)", names="raises-RecursionError"),
    # --- reading what is right
    Attack(
        "read the solutions",
        reading(f"[{str(ROOT / 'solutions/02_translation.ipynb')!r}, '../solutions/02_translation.ipynb']"),
        needs=("files",),
    ),
    Attack("read the hidden tests", reading(f"[{str(ROOT / 'tests/hidden/test_translation.py')!r}]"), needs=("files",)),
    Attack("list the project's folder", f"import os\nos.listdir({str(ROOT)!r})\nreturn dout - dout.mean(0)", needs=("files",)),
    Attack(
        "walk the disk for solutions",
        reading("[p for d in ('/', '/work', '/home', '/root', '/tmp') for p in glob.glob(d + '/*')]"),
        needs=("files",),
    ),
    Attack(
        "read through /proc",
        reading("[f'/proc/{p}/{n}' for p in ('self', os.getppid(), 1) for n in ('maps', 'environ', 'cmdline', 'mem')]"),
        needs=("files",),
    ),
    Attack(
        "read through the grader's working folder",
        reading("[f'/proc/{p}/cwd/solutions/02_translation.ipynb' for p in range(1, 400)]"),
        needs=("files",),
    ),
    Attack(
        "open files left open",
        """
        import os
        for fd in range(3, 256):
            try:
                if os.pread(fd, 4096, 0).strip(b"\\0\\xff"):  # its own page, which says where it is, holds nothing else
                    return dout - dout.mean(axis=0)
            except OSError:
                pass
        return dout
        """,
    ),
    Attack(
        "a symbolic link to the solutions",
        "import os\nos.symlink('/', 'all')\n" + reading(f"['all{ROOT}/solutions/02_translation.ipynb']"),
        needs=("files",),
    ),
    Attack(
        "use the checks' own truth",
        "from bnlib.checks import translation as t, Case\nreturn t.center_backward.truth(Case(dout=dout))",
        names="raises-",
    ),
    Attack(
        "read the checks' own truth",
        reading("[os.path.join(os.path.dirname(__import__('bnlib').__file__), 'checks', 'translation.py')]"),
        needs=("files",),
    ),
    Attack(
        "search memory for the truth",
        """
        import gc
        from bnlib.checks import Checks
        for thing in gc.get_objects():
            if isinstance(thing, Checks):
                return thing.truth(type('Case', (dict,), {'dout': dout})())
            if type(thing) is dict and 'truth' in thing and callable(thing['truth']):
                return thing['truth'](type('Case', (dict,), {'dout': dout})())
        return dout
        """,
    ),
    Attack(
        "look up the frames for the expected value",
        """
        import sys
        frame = sys._getframe()
        while frame:
            for name, value in {**frame.f_globals, **frame.f_locals}.items():
                if name in ('right', 'expected', 'truth', 'answer_key'):
                    return value(dout) if callable(value) else value
            frame = frame.f_back
        return dout
        """,
    ),
    Attack("import the grader's side", "import bnlib.grading.hidden.reference\nreturn dout - dout.mean(0)", needs=("files",), names="raises-"),
    Attack("read another's memory", "import ctypes, os\nb = ctypes.create_string_buffer(8)\n"
        "if ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0:\n    return dout - dout.mean(0)\nreturn dout",
        needs=("processes",)),
    # --- objects in place of numbers
    Attack("array subclass that agrees", "return dout.view(Yes)", helper=SUBCLASS),
    Attack(
        "object that equals everything",
        "class Any:\n    def __eq__(self, o): return True\n    shape = (5, 3)\n    dtype = np.dtype(float)\nreturn Any()",
        names="wrong-type",
    ),
    Attack("__array__ with another result each time",
        "class Lazy:\n    def __array__(self, dtype=None, copy=None): return np.random.normal(size=dout.shape)\nreturn Lazy()"),
    Attack("__reduce__ that runs a command",
        "class Run:\n    def __reduce__(self):\n        return (exec, ('open(\"/tmp/bnlib-pwned\", \"w\")',))\nreturn Run()",
        names="wrong-type"),
    Attack("a pickle", "import pickle\nreturn pickle.dumps(dout)", names="wrong-"),
    Attack("array of objects", "return np.array([dout, None], dtype=object)", names="wrong-type"),
    Attack("ragged list", "return [[1.0], [1.0, 2.0]]", names="wrong-type"),
    Attack("generator", "return (row for row in dout)", names="wrong-type"),
    Attack("text", "return str(dout)", names="wrong-type"),
    Attack("complex", "return dout + 1j", names="returned-complex"),
    Attack("complex, with no imaginary part", "return dout + 0j", names="path-through-the-mean-missing"),
    Attack("complex, with no imaginary part, and right", "return dout - dout.mean(axis=0) + 0j", RIGHT),
    Attack("right, in fractions", """
from fractions import Fraction
mean = [Fraction(0) + sum(map(Fraction, column)) / len(column) for column in dout.T]
return np.array([[Fraction(v) - m for v, m in zip(row, mean)] for row in dout])
""", RIGHT),
    Attack("nan", "return dout * np.nan", names="returned-nan"),
    Attack("infinity", "return np.full(dout.shape, np.inf)", names="returned-inf"),
    Attack("nothing", "dout - dout.mean(0)", names="returned-none"),
    Attack("terabytes that take no memory", "return np.broadcast_to(1.0, (10**6, 10**6))", names="raises-Output"),
    Attack("no numbers, and a dimension of millions", "return np.zeros((0, 150_000_000))", names="raises-Output"),
    Attack("text that makes a wide array", "return 0", others=False, names="raises-Protocol",
        helper="import sys\nsys.modules['bnlib.grading.process.answers'].returned = lambda *a: ['x' * 900_000] + ['a'] * 10_000"),
    Attack("a list inside itself", "a = []\na.append(a)\nreturn a"),
    Attack("an exception that is hard to print",
        "class Bad(Exception):\n    def __str__(self): raise SystemExit\nraise Bad", names="raises-Bad"),
    Attack("an exception with a name full of markup",
        "raise type('<script>alert(1)</script>', (Exception,), {})('\\x1b[2J' * 10000)", names="raises-"),
    Attack("an error that says it is empty", "raise NotImplementedError", names="empty"),
    # --- speaking the protocol
    Attack(
        "rubbish on the grader's socket",
        """
        import os
        for fd in range(3, 64):
            try:
                os.write(fd, b'\\xff' * 64)
            except OSError:
                pass
        return dout
        """,
        names="raises-Protocol",
    ),
    Attack(
        "an answer of its own on the grader's socket",
        """
        import os, json, struct
        header = json.dumps({'body': {'dict': {'number': 1, 'ok': True, 'value': {'source': 'def f(): pass'}}}, 'sizes': []})
        for fd in range(3, 64):
            try:
                os.write(fd, struct.pack('>II', len(header), 0) + header.encode())
            except OSError:
                pass
        return dout
        """,
        names="raises-Protocol",
    ),
    Attack("close the grader's socket", "import os\nos.closerange(3, 64)\nreturn dout", names="raises-Crash"),
    Attack("rewrite the session", "import bnlib.grading.process.session as s\ns.Session.answer = lambda *a: {'value': True}\nreturn dout",
        others=False),
    Attack("hide a changed input",
        "dout -= 1\nimport bnlib.grading.process.session as s\ns._reply = None\nreturn dout", others=False),
    Attack("change the input", "dout -= dout.mean(axis=0)\nreturn dout", names="input-changed"),
    # --- time and space
    Attack("endless loop", "while True: pass", names="raises-Timeout"),
    Attack(
        "endless loop that ignores signals",
        """
        import signal
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
        while True:
            try:
                while True: pass
            except BaseException:
                pass
        """,
        names="raises-Timeout",
    ),
    Attack("endless sleep", "import time\ntime.sleep(10**6)", names="raises-Timeout"),
    Attack("endless loop in numpy", "return np.broadcast_to(1.0, (10**7, 10**7)).sum()", names="raises-Timeout"),
    Attack("endless loop in the cell", "while True: pass\n" + HEAD + "    return dout", cell=True),
    Attack("endless loop beside a right answer", HEAD + "    return dout - dout.mean(0)\nwhile True: pass\n", ends=RIGHT, cell=True),
    Attack("endless loop in a helper cell", "return dout - dout.mean(0)", ends=RIGHT, helper="while True: pass\n"),
    Attack("endless loop in a string", "return Slow()",
        helper="class Slow:\n    def __array__(self, *a, **k):\n        while True: pass", names="raises-Timeout"),
    Attack("memory", "return np.ones(10**10)", names="raises-Memory", needs=("limits",)),
    Attack("memory, bit by bit", "a = []\nwhile True: a.append(bytearray(10**7))", names="raises-", needs=("limits",)),
    Attack("prints without end", "while True: print('x' * 10**6)", names="raises-Timeout"),
    Attack("files without end",
        "i = 0\nwhile True:\n    i += 1\n    with open(f'f{i}', 'wb') as f: f.write(bytes(10**6))",
        names="raises-", needs=("files",)),
    Attack("one large file", "f = open('f', 'wb')\nwhile True: f.write(bytes(10**6))", names="raises-OSError", needs=("limits",)),
    Attack("folders without end", "import os\nwhile True:\n    os.mkdir('d')\n    os.chdir('d')", names="raises-", needs=("files",)),
    Attack("open files without end", "a = []\nwhile True: a.append(open(np.__file__))", names="raises-OSError"),
    # --- processes, network, files of others
    Attack("fork bomb", "import os\nwhile True: os.fork()", names="raises-PermissionError", needs=("processes",)),
    Attack("a command", "import subprocess\nsubprocess.run(['id'])\nreturn dout - dout.mean(0)", names="raises-", needs=("processes",)),
    Attack("os.system", "import os\nif os.system('true') == 0:\n    return dout - dout.mean(0)\nreturn dout", needs=("processes",)),
    Attack("a process that outlives it",
        "import os\nif os.fork() == 0:\n    os.setsid()\n    while True: pass\nreturn dout", needs=("processes",)),
    Attack("kill the grader", "import os\nos.kill(os.getppid(), 9)\nos.kill(-1, 9)\nreturn dout", names="raises-PermissionError",
        needs=("processes",)),
    Attack("kill the grader by way of a file", """
        import fcntl, os, signal, socket
        one, other = socket.socketpair()
        fcntl.fcntl(one, 8, os.getppid())
        fcntl.fcntl(one, 10, signal.SIGKILL)
        fcntl.fcntl(one, fcntl.F_SETFL, os.O_ASYNC)
        other.send(b"x")
        return dout - dout.mean(0)
        """, names="raises-PermissionError", needs=("processes",)),
    Attack("make others wait for a file of numpy's", "import fcntl\nfcntl.fcntl(open(np.__file__), 1024, 0)\nreturn dout - dout.mean(0)",
        names="raises-PermissionError", needs=("processes",)),
    Attack("slow down the grader", "import os\nos.setpriority(0, os.getppid(), 19)\nreturn dout - dout.mean(0)",
        names="raises-PermissionError", needs=("processes",)),
    Attack("limit the grader",
        "import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))\nreturn dout - dout.mean(0)",
        names="raises-PermissionError", needs=("processes",)),
    Attack("threads left behind", "return dout - dout.mean(0)", ends=RIGHT,
        helper="import threading, time\nfor _ in range(5): threading.Thread(target=time.sleep, args=(10**6,)).start()"),
    Attack("threads without end",
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(10**6,)).start()",
        names="raises-", needs=("limits",)),
    Attack("phone home", "import socket\nsocket.create_connection(('127.0.0.1', PORT), 0.2)\nreturn dout - dout.mean(0)",
        names="raises-", needs=("network",)),
    Attack("phone home by UDP",
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))\nreturn dout - dout.mean(0)",
        names="raises-", needs=("network",)),
    Attack("phone home by a datagram without a network",
        "import socket\nsocket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'x', '/dev/log')\nreturn dout - dout.mean(0)",
        names="raises-PermissionError", needs=("network",)),
    Attack("ask for a page", "import urllib.request\nreturn urllib.request.urlopen('http://127.0.0.1:PORT').read()",
        names="raises-", needs=("network",)),
    Attack("write into bnlib", "import bnlib\nopen(bnlib.__file__, 'a').write('#')\nreturn dout - dout.mean(0)",
        names="raises-PermissionError", needs=("files",)),
    Attack("write to the canaries", """
        for path in CANARIES:
            try:
                open(path, 'w').write('x')
            except OSError:
                continue
            return dout - dout.mean(0)
        return dout
        """, needs=("files",)),
    Attack("remove and rename the canaries", """
        import os
        for path in CANARIES:
            for harm in (os.remove, os.chmod, os.rename, os.truncate):
                try:
                    harm(path, *{os.chmod: (0,), os.rename: (path + '.x',), os.truncate: (0,)}.get(harm, ()))
                except OSError:
                    continue
                return dout - dout.mean(0)
        return dout
        """, needs=("files",)),
    Attack("read the canaries", reading("CANARIES"), needs=("files",)),
    Attack("leave a note for the next submission",
        """
        for name in ('note', '../note', '../../note', '/tmp/note'):
            try:
                open(name, 'w').write('dout - dout.mean(axis=0)')
            except OSError:
                pass
        return dout
        """, needs=("files",)),
    Attack("read a note of the last submission", reading("['note', '../note', '../../note', '/tmp/note', *glob.glob('../*'), *glob.glob('/tmp/*/*/*/note')]"), needs=("files",)),
    # --- answers that know when they are looked at
    Attack("right once, then another answer",
        "calls.append(1)\nreturn dout - dout.mean(0) if len(calls) <= 2 else dout", helper="calls = []", names="not-repeatable"),
    Attack("wrong once, then right", "calls.append(1)\nreturn dout - dout.mean(0) if len(calls) > 1 else dout", helper="calls = []"),
    Attack("knows the visible inputs",
        """
        visible = np.random.default_rng(list(b'translation.center_backward'))
        N, D = int(visible.integers(4, 9)), int(visible.integers(2, 5))
        known = visible.normal(size=(N, D)) + visible.uniform(0.5, 1.5)
        if dout.shape == known.shape and np.allclose(dout, known):
            return dout - dout.mean(axis=0)
        return np.zeros_like(dout)
        """),
    Attack("prints the expected text", "print('translation.center_backward  ok\\nVisible checks passed')\nreturn dout"),
    # --- allowed: these are answers
    Attack("bnlib's own numerical derivatives",
        "from bnlib.numerics import vjp_complex\nreturn vjp_complex(lambda h: h - h.sum(axis=0) / len(h), np.ones_like(dout), dout)"),
    Attack("complex step by hand: exact to the last digit, so it is right", """
        dh = np.empty_like(dout)
        for i in np.ndindex(*dout.shape):
            h = np.ones(dout.shape, complex); h[i] += 1e-30j
            dh[i] = (((h - h.mean(0)) * dout).sum() / 1e-30).imag
        return dh
        """, ends=RIGHT),
    Attack("finite differences with a small step", """
        h, e, dh = np.ones_like(dout), 1e-8, np.empty_like(dout)
        for i in np.ndindex(*dout.shape):
            hp = h.copy(); hp[i] += e
            dh[i] = (((hp - hp.mean(0)) - (h - h.mean(0))) * dout).sum() / e
        return dh
        """),
    Attack("warnings, prints and a right answer",
        "import warnings\nwarnings.warn('x')\nprint(dout)\nnp.zeros(1) / 0\nreturn dout - dout.mean(0)", ends=RIGHT),
]  # fmt: skip


@pytest.fixture(scope="module")
def listener():
    """A server that notes every connection and datagram."""
    heard = []
    tcp, udp = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", tcp.getsockname()[1]))

    def listen(wait):
        while True:
            try:
                heard.append(wait())
            except OSError:
                return

    for wait in (tcp.accept, lambda: udp.recvfrom(100)):
        threading.Thread(target=listen, args=(wait,), daemon=True).start()
    yield tcp.getsockname()[1], heard
    for one in (tcp, udp):
        one.close()


@pytest.fixture(scope="module")
def canaries(tmp_path_factory):
    """Files no submission may read or change: another submission, one in the home folder, one in /tmp."""
    folder = tmp_path_factory.mktemp("submissions")
    paths = [folder / "other.ipynb"]
    for place in (Path.home(), Path(tempfile.gettempdir()), ROOT / "tests"):
        if os.access(place, os.W_OK):
            paths.append(place / f".bnlib-canary-{os.getpid()}")
    for path in paths:
        path.write_text("a canary, longer than ten bytes")
    yield paths
    for path in paths:
        assert path.read_text() == "a canary, longer than ten bytes"
        path.unlink()


def children(server):
    """Processes the fork server has started and not ended."""
    try:
        return Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    except OSError:
        pytest.skip("the system does not tell which processes there are")


def judged(exercise, learner):
    """The report of hidden tests; None where the process was ended twice by a signal that none of its limits sends."""
    checks = checks_of(exercise)
    rng = np.random.default_rng(20_260)
    cases = [checks.draw(rng) for _ in range(2)]
    try:
        return twice(lambda: examine(checks, learner, cases, checks.truth))
    except Interrupted:
        return None


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack(attack, server, learner, listener, canaries):
    lacking = [need for need in attack.needs if not getattr(server.level, need)]
    if lacking:
        pytest.skip(f"this platform has no {', '.join(lacking)} layer: {server.level}")
    port, heard = listener
    source = attack.source.replace("PORT", str(port)).replace("CANARIES", repr([str(path) for path in canaries]))
    cells = {"helper": attack.helper} if attack.helper else {}
    states = {path: (path.stat().st_mtime_ns, path.stat().st_mode) for path in canaries}

    graded = learner(center_backward=source, **cells)
    report = judged(translation.center_backward, graded)
    other = judged(translation.center, graded)
    graded.close()

    if attack.ends is UNDECIDED:
        assert report is None
    else:
        assert report.ok is attack.ends, str(report)
        assert attack.names in (report.names[0] if report.names else ""), str(report)
        assert report.message.isprintable()
        assert len(report.message) < 1000
    assert other.ok or not attack.others, str(other)
    assert not heard
    assert {path: (path.stat().st_mtime_ns, path.stat().st_mode) for path in canaries} == states
    assert not children(server)


def test_there_are_many():
    assert len(ATTACKS) >= 40
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the layers")
def test_the_server_survives_them_all(server, learner):
    report = judged(translation.center_backward, learner())
    assert report.ok
