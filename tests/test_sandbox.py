"""Each layer of the sandbox, seen from inside; what a platform lacks is skipped with the reason."""

import faulthandler
import fcntl
import os
import platform
import signal
import socket
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from bnlib.grading.isolation import landlock, sandbox, seccomp
from bnlib.grading.isolation.libc import (
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    PR_SET_SECCOMP,
    call,
    prctl,
)
from bnlib.grading.isolation.sandbox import Level, Limits

LEVEL = sandbox.isolation()
linux = pytest.mark.skipif(not sandbox.LINUX, reason="namespaces, Landlock and seccomp are Linux's")
needs = {
    name: pytest.mark.skipif(not getattr(LEVEL, name), reason=f"no {name} layer here: {LEVEL}")
    for name in ("files", "network", "processes", "limits", "scratch")
}


@pytest.fixture
def inside(tmp_path):
    """Run a function in a confined child; returns what it returned as text, or the name of what it raised."""

    def run(action, limits=None, apply=None):
        scratch = sandbox.scratch_folder(tmp_path)  # made anew for each run
        ruleset = landlock.ruleset(*sandbox.readable([]), [scratch.parent]) if landlock.abi() else None
        read_end, write_end = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                faulthandler.disable()
                if apply:
                    apply()
                else:
                    sandbox.confine(limits or Limits(), ruleset, scratch)
                text = str(action())
            except BaseException as error:
                text = type(error).__name__
            os.write(write_end, text.encode())
            os._exit(0)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as pipe:
            text = pipe.read().decode()
        status = os.waitpid(pid, 0)[1]
        if ruleset is not None:
            os.close(ruleset)
        scratch.parent.chmod(0o755)
        assert os.listdir(scratch) == []
        scratch.rmdir()
        scratch.parent.rmdir()
        return text or signal.Signals(os.WTERMSIG(status)).name

    return run


def syscall(*numbers):
    return lambda: call("syscall", *numbers)


@linux
@pytest.mark.skipif(not landlock.abi() or not seccomp.available(), reason=f"this kernel lacks a layer: {LEVEL}")
def test_a_full_linux_is_isolated():
    assert LEVEL.isolated, LEVEL
    assert str(LEVEL).startswith("isolated: ")
    assert not LEVEL.missing


@linux
@pytest.mark.skipif(not LEVEL.isolated, reason=f"this kernel lacks a layer: {LEVEL}")
@pytest.mark.parametrize(
    ("hole", "promise"),
    [
        ("fcntl", "processes"),
        ("ioctl", "processes"),
        ("socketpair", "network"),
        ("fork", "processes"),
        ("socket", "network"),
    ],
)
def test_the_self_test_finds_a_hole_in_the_filter(monkeypatch, hole, promise):
    """What seccomp is said to refuse is tried out: a promise that it does not keep is taken back."""
    numbers = {"fcntl": (72, 25), "ioctl": (16, 29), "socketpair": (53, 199), "fork": (56, 220), "socket": (41, 198)}
    number = numbers[hole][seccomp._ARCHITECTURES[platform.machine()][0]]
    lets_it_pass = [(0x20, 0, 0, seccomp.NUMBER), (0x15, 0, 1, number), (0x06, 0, 0, seccomp.ENDS["allow"])]
    code = b"".join(struct.pack("=HBBI", *line) for line in lets_it_pass) + seccomp.program()
    monkeypatch.setattr(seccomp, "program", lambda allow=(): code)
    level = sandbox.isolation.__wrapped__()
    assert not getattr(level, promise)
    assert not level.isolated


def test_what_is_missing_is_said():
    level = Level(("limits only",), limits=True)
    assert not level.isolated
    assert "hidden files" in level.missing
    assert "NOT fully isolated" in str(level)
    assert LEVEL.covers(Level()) is True
    assert Level().covers(Level(("x",))) is False


@needs["files"]
@pytest.mark.parametrize(
    "path", [__file__, "/etc/passwd", "/proc/self/environ", "/proc/1/cmdline", str(Path.home()), "/"]
)
def test_files_are_hidden(inside, path):
    reader = os.listdir if os.path.isdir(path) else lambda p: open(p).read()  # noqa: SIM115
    assert inside(lambda: reader(path)) == "PermissionError"


@needs["files"]
def test_python_and_its_packages_can_be_read(inside):
    assert inside(lambda: __import__("colorsys") and __import__("numpy.ma") and "read") == "read"


@needs["files"]
def test_nothing_is_changed_outside(inside, tmp_path):
    canary = tmp_path / "canary"
    canary.write_text("x")
    for harm in (
        lambda: canary.write_text("y"),
        canary.unlink,
        lambda: canary.chmod(0),
        lambda: os.utime(canary),
        lambda: os.truncate(canary, 0),
        lambda: canary.rename(tmp_path / "other"),
        lambda: os.link(canary, "link"),
        lambda: os.symlink("x", tmp_path / "link"),
        lambda: os.mkfifo(tmp_path / "fifo"),
    ):
        assert inside(harm) in ("PermissionError", "OSError")
    assert os.listdir(tmp_path) == ["canary"]
    assert canary.read_text() == "x"


@needs["scratch"]
def test_the_own_folder_can_be_written_to_and_is_small(inside):
    def fill():
        for i in range(100):
            Path(f"f{i}").write_bytes(bytes(1_000_000))

    assert inside(fill, Limits(disk=3_000_000)) == "OSError"


@needs["scratch"]
def test_what_is_written_is_gone(inside):
    assert inside(lambda: Path("f").write_text("x")) == "1"  # the fixture finds the folder empty


@linux
def test_one_file_is_small(inside):
    assert inside(lambda: Path("f").write_bytes(bytes(2_000_000)), Limits(file_size=1_000_000)) in (
        "OSError",
        "PermissionError",
    )


@needs["limits"]
def test_memory_is_limited(inside):
    assert inside(lambda: len(bytearray(10**9)), Limits(memory=10**8)) == "MemoryError"
    assert inside(lambda: len(bytearray(10**7)), Limits(memory=10**8)) == "10000000"


@linux
def test_threads_are_limited_also_where_they_are_counted_with_those_of_others(inside, monkeypatch):
    def threads():
        ready = threading.Event()
        started = []
        with suppress(RuntimeError):
            while len(started) < 200:
                threading.Thread(target=ready.wait, daemon=True).start()
                started.append(1)
        return len(started)

    for own in (True, False):
        with monkeypatch.context() as patch:
            if not own:
                patch.setattr(sandbox, "_unshare", lambda folder, limits: [])
            if own or os.getuid():  # without a namespace, root's threads are not counted
                assert 8 < int(inside(threads, Limits(processes=16))) < 100  # some kernels count in steps
    assert sandbox._threads_of(os.getuid()) >= 1


@needs["limits"]
def test_processor_time_is_limited(inside):
    def burn():
        while True:
            pass

    assert inside(burn, Limits(cpu=1)) == "SIGXCPU"


@needs["processes"]
@pytest.mark.parametrize(
    "action",
    [
        os.fork,
        lambda: os.posix_spawn("/bin/true", ["true"], {}),
        lambda: os.execv("/bin/true", ["true"]),
        lambda: os.kill(os.getppid(), 0),
        lambda: os.kill(-1, 0),
        lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19),
        lambda: os.sched_setaffinity(os.getppid(), {0}),
        lambda: __import__("resource").prlimit(os.getppid(), 0),
        lambda: os.pidfd_open(os.getppid()),
    ],
    ids=["fork", "spawn", "exec", "kill", "kill all", "priority", "affinity", "limits", "pidfd"],
)
def test_other_processes_are_out_of_reach(inside, action):
    assert inside(action) == "PermissionError"


@needs["processes"]
@pytest.mark.parametrize("command", seccomp.HARMFUL_FCNTL)
def test_a_file_sends_no_signals_and_is_not_leased(inside, command):
    """Where Landlock does not hold signals (before Linux 6.12), F_SETOWN, F_SETSIG and O_ASYNC kill who is of the same user."""

    def harm():
        with open(np.__file__) as file:
            fcntl.fcntl(file, seccomp.HARMFUL_FCNTL[command], signal.SIGKILL if command == "F_SETSIG" else os.getppid())

    assert inside(harm) == "PermissionError"


@needs["processes"]
@pytest.mark.parametrize("command", seccomp.HARMFUL_IOCTL)
def test_a_socket_has_no_owner_to_send_signals_to(inside, command):
    def harm():
        one, other = socket.socketpair()
        with one, other:
            fcntl.ioctl(one, seccomp.HARMFUL_IOCTL[command], struct.pack("=i", os.getppid()))

    assert inside(harm) == "PermissionError"


@linux
def test_a_signal_through_a_file_reaches_nobody(inside):
    """The attack as a whole, with seccomp alone: data on a socket whose owner is another process of the same user."""

    def apply():
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        seccomp.apply()

    def kill(victim):
        one, other = socket.socketpair()
        for command in (8, 10, 15):
            with suppress(OSError):
                data = struct.pack("=ii", 1, victim) if command == 15 else {8: victim, 10: signal.SIGKILL}[command]
                fcntl.fcntl(one, command, data)
        fcntl.fcntl(one, fcntl.F_SETFL, fcntl.fcntl(one, fcntl.F_GETFL) | os.O_ASYNC)
        other.send(b"x")
        return "tried"

    for filtered, dies in ((None, True), (apply, False)):
        if not seccomp.available():
            pytest.skip("no seccomp on this system or machine")
        victim = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        assert inside(lambda victim=victim: kill(victim.pid), apply=filtered or (lambda: None)) == "tried"
        if dies:
            assert victim.wait(10) == -signal.SIGKILL
        victim.communicate(b"\n")
        assert victim.returncode == (-signal.SIGKILL if dies else 0)


@needs["network"]
@pytest.mark.parametrize("kind", ["SOCK_DGRAM", "SOCK_RAW", "SOCK_SEQPACKET"])
def test_there_are_no_datagrams(inside, kind):
    assert inside(lambda: socket.socketpair(socket.AF_UNIX, getattr(socket, kind))) == "PermissionError"


@needs["network"]
def test_a_pair_of_streams_talks_to_itself_alone(inside, tmp_path):
    def talk():
        one, other = socket.socketpair()
        one.send(b"x")
        return other.recv(1).decode()

    assert inside(talk) == "x"
    assert inside(lambda: socket.socketpair()[0].sendto(b"x", str(tmp_path / "socket"))) == "PermissionError"
    assert inside(lambda: socket.socketpair()[0].sendmsg([b"x"])) == "PermissionError"


@needs["network"]
@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET"])
def test_there_are_no_sockets(inside, family):
    assert inside(lambda: socket.socket(getattr(socket, family))) == "PermissionError"


@pytest.mark.skipif(not seccomp.available(), reason="no seccomp on this system or machine")
def test_seccomp_alone(inside):
    def apply():
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        seccomp.apply()

    def threads():
        import threading

        done = []
        for _ in range(3):
            thread = threading.Thread(target=lambda: done.append(1))
            thread.start()
            thread.join()
        return len(done)

    assert inside(threads, apply=apply) == "3"
    assert inside(os.fork, apply=apply) == "PermissionError"
    assert inside(os.abort, apply=apply) == "SIGABRT"
    assert inside(syscall(435, None, 0), apply=apply) == "OSError"  # clone3 says that it does not exist
    for number, argument in ((PR_SET_PDEATHSIG, 0), (PR_SET_DUMPABLE, 1), (PR_SET_SECCOMP, 0)):
        assert inside(lambda n=number, a=argument: prctl(n, a), apply=apply) == "PermissionError"


def test_the_filter_fits_its_jumps():
    from bnlib.grading.isolation.seccomp import Line, assemble, equal

    assert assemble([equal(7, "deny", "over"), equal(8, "deny"), "over"])[2:4] == bytes([2, 1])
    assert assemble([equal(0, "far", "far"), *[Line(0x20, 0)] * 255, "far"])[2:4] == bytes([255, 255])
    with pytest.raises(struct.error):  # no jump is cut short
        assemble([equal(0, "far", "far"), *[Line(0x20, 0)] * 256, "far"])
    if seccomp.available():
        assert seccomp.program().endswith(assemble([]))


@pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")
def test_landlock_alone_hides_files(inside):
    ruleset = landlock.ruleset([Path(sys.prefix)], [Path(__file__).parent], [])

    def apply():
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        landlock.restrict(ruleset)

    assert inside(lambda: open(__file__).read(), apply=apply) == "PermissionError"  # noqa: SIM115
    assert inside(lambda: len(os.listdir(Path(__file__).parent)) > 1, apply=apply) == "True"
    assert inside(lambda: len(os.listdir(sys.prefix)) > 1, apply=apply) == "True"
    assert inside(lambda: open(os.devnull, "w").write("x"), apply=apply) == "1"  # noqa: SIM115
    os.close(ruleset)


@linux
def test_privileges_are_gone(inside):
    def state():
        import ctypes
        import struct

        data = ctypes.create_string_buffer(24)
        call("capget", struct.pack("=Ii", 0x20080522, 0), ctypes.addressof(data))
        return data.raw == bytes(24) and prctl(39, 0)

    # Asking is no longer allowed through prctl once the filter is there, so that layer is left out here.
    def apply():
        sandbox._unshare(Path("/nonexistent"), Limits())
        sandbox._drop_capabilities()
        prctl(PR_SET_NO_NEW_PRIVS, 1)

    assert inside(state, apply=apply) == "1"


def test_hidden_files_are_cut_out_of_readable_folders(tmp_path):
    for name in ("a/x.py", "a/secret/y.py", "b/z.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    read, names = [], []
    sandbox._around(tmp_path, [tmp_path / "a" / "secret"], read, names)
    assert sorted(read) == [tmp_path / "a" / "x.py", tmp_path / "b"]
    assert sorted(names) == [tmp_path, tmp_path / "a"]


def test_the_projects_own_folder_is_not_readable():
    import bnlib

    root = Path(bnlib.__file__).resolve().parents[1]
    read, names = sandbox.readable([root / "bnlib" / "checks"])
    hidden = [
        root / "solutions",
        root / "tests",
        root / "bnlib" / "checks",
        root / "bnlib" / "checks" / "translation.py",
    ]
    assert not [(path, secret) for path in read for secret in hidden if secret.is_relative_to(path)]
    assert root not in names


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can become another user")
def test_root_becomes_another_user_where_that_user_can_read_python(tmp_path):
    users = sandbox.spare_users(tmp_path)
    readable = all(
        os.stat(p).st_mode & 0o5 == 0o5 for path in sandbox.code_folders() for p in [Path(path), *Path(path).parents]
    )
    assert bool(users) == (readable and os.stat(tmp_path.parent).st_mode & 0o5 == 0o5)
