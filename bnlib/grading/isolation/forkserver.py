"""A fork server: a warm process that forks a confined child on request, and the end from which it is asked to.

Two kinds are made of it, one for the hidden tests and one for nbval's kernels. Each says what it loads, what its children
may not read and how they live; that they are confined, leave nothing behind and end when they are told to is written here.
A request is one line of JSON, with file descriptors where a child is to have some, and so is its answer.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bnlib.grading.isolation import landlock, sandbox
from bnlib.grading.isolation.libc import PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE, prctl
from bnlib.grading.isolation.sandbox import Level, Limits

START_SECONDS = 60
"""How long a fork server may take to start; it takes half a second on an idle machine, with matplotlib two."""

FAILED = 70
"""Exit code of a child in which this side's own code failed."""

MAX_FILES = 65_536
"""No descriptor of the server is larger; the system's own limit can be astronomical."""

LOST = -1
"""In place of the wait status of a child whose server ended before it told how the child did."""

_LARGEST = 65_536  # bytes of a request or of one piece of an answer
_MOST_FDS = 16

# --- the warm process


class Forker:
    """The warm process: forks children and ends them. Made when everything that they need is loaded.

    Args:
        control: To the end that asks.
        scratch: The folder over which each child puts a file system of its own.
        hidden: Files and folders that children cannot read, though they lie among Python's own.
        readable: What else they can read.
        allow: System calls that seccomp would refuse, and they need.
    """

    def __init__(
        self,
        control: socket.socket,
        scratch: Path,
        hidden: Sequence[Path],
        readable: Sequence[Path] = (),
        allow: Collection[str] = (),
    ) -> None:
        self._pid = os.getpid()
        self._control = control
        self._scratch = scratch
        self._allow = allow
        self._children: dict[int, int] = {}
        """Processor time that each child may use."""
        self._users = sandbox.spare_users(scratch)
        self._level = sandbox.isolation()
        read, self._names = sandbox.readable(hidden)
        self._read = [*read, *readable]
        # Children share the folder's name; where each has a file system of its own there, it may write.
        self._ruleset = self._rules(self._read, [scratch.parent] if self._level.scratch else [])

    def serve(self, live: Callable[[list[int], str], None]) -> None:
        """Answer requests until the other end is gone; then end the children, remove the folder and this process.

        Args:
            live: The life of a child, once it is confined: its descriptors, and why isolation could not be put in force,
                or "".
        """
        if sandbox.LINUX:
            prctl(PR_SET_CHILD_SUBREAPER, 1)
            prctl(PR_SET_DUMPABLE, 0)  # no process of the same user may look in here
        gc.collect()
        gc.freeze()  # a collection in a child would touch, and so copy, every page
        try:
            self._say({"level": asdict(self._level)})
            while True:
                text, fds, _, _ = socket.recv_fds(self._control, _LARGEST, _MOST_FDS)
                if not text:
                    break
                self._say(self._answer(json.loads(text), fds, live))
                for fd in fds:
                    os.close(fd)
        except BrokenPipeError:
            pass  # the other end was killed before this process was ready
        finally:
            for pid in list(self._children):
                self._end(pid)
            os.chdir("/")
            sandbox.remove(self._scratch.parents[1])
            os._exit(0)

    def _say(self, answer: dict[str, Any]) -> None:
        self._control.sendall(json.dumps(answer).encode() + b"\n")

    def _answer(
        self, request: dict[str, Any], fds: list[int], live: Callable[[list[int], str], None]
    ) -> dict[str, Any]:
        if "fork" in request:
            try:
                return {"pid": self._fork(Limits(**request["fork"]), request["folder"], fds, live)}
            except OSError as error:
                return {"trouble": f"no process could be started: {error.strerror}"}
        pid = request["pid"]
        if pid not in self._children:
            return {"status": None}
        if "signal" in request:
            for send in (os.killpg, os.kill):
                with suppress(OSError):
                    send(pid, request["signal"])
            return {"status": None}
        return {"status": self._end(pid, request["grace"], request["kill"])}

    def _fork(self, limits: Limits, folder: str | None, fds: list[int], live: Callable[[list[int], str], None]) -> int:
        pid = os.fork()
        if pid:
            self._children[pid] = limits.cpu
            return pid
        try:
            self._control.close()
            live(fds, self._confine(limits, folder, fds))
            os._exit(0)
        finally:
            os._exit(FAILED)

    def _confine(self, limits: Limits, folder: str | None, fds: Sequence[int]) -> str:
        """Close what is not this child's own, and be confined; returns why that is less than what was promised, or ""."""
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        previous = 2
        for number in sorted({*fds, *([self._ruleset] if self._ruleset is not None else []), MAX_FILES}):
            os.closerange(previous + 1, number)
            previous = number
        own, ruleset = self._scratch, self._ruleset
        user = self._users[os.getpid() % len(self._users)] if self._users else None
        try:
            if folder and not self._level.scratch:
                own, ruleset = Path(folder), self._rules([*self._read, Path(folder)], [])
                if user is not None:
                    os.chown(own, user, user)
                    own.chmod(0o500)
            reached = sandbox.confine(limits, ruleset, own, user, self._allow)
        except OSError as error:
            return f"isolation failed: {error}"
        if os.getppid() != self._pid:
            os._exit(FAILED)  # the server ended before a signal at its end was asked for
        for fd in {self._ruleset, ruleset} - {None}:
            os.close(fd)  # type: ignore[arg-type]
        return "" if reached.covers(self._level) else "a layer of isolation could not be put in force"

    def _rules(self, read: Sequence[Path], writable: Sequence[Path]) -> int | None:
        return landlock.ruleset(read, self._names, writable) if landlock.abi() else None

    def _end(self, pid: int, grace: float = 0, kill: bool = True) -> int | None:
        """End a child and what it may have started.

        Args:
            pid: The child.
            grace: Seconds to wait for a child that seems to be ending by itself, to learn how.
            kill: False leaves a child alone that has not ended by then.

        Returns:
            Its wait status, or None when it did not end by itself. Who goes on after the signal that says that its processor
            time is used up is killed by the kernel; that too is told as the end of processor time.
        """
        by_itself = _has_ended(pid, grace)
        if not by_itself and not kill:
            return None
        seconds = self._children.pop(pid)
        for send in (os.killpg, os.kill):
            with suppress(OSError):
                send(pid, signal.SIGKILL)
        _, status, used = os.wait4(pid, 0)
        self._end_orphans()
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            return status
        if not by_itself:
            return None
        return signal.SIGXCPU if used.ru_utime + used.ru_stime >= seconds else status

    def _end_orphans(self) -> None:
        """Kill processes whose parents died: they became children of this one. None exist where seccomp is in force."""
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            try:
                text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
            except OSError:
                return
            orphans = {int(pid) for pid in text.split()} - self._children.keys()
            if not orphans:
                return
            for pid in orphans:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                with suppress(OSError):
                    os.waitpid(pid, 0)


def _has_ended(pid: int, seconds: float) -> bool:
    """True when a child has ended or does so in time. It stays a zombie, so its number is not given to another."""
    deadline = time.monotonic() + seconds
    if not hasattr(os, "waitid"):  # macOS before Python 3.13: an end by SIGKILL then counts as ours
        time.sleep(seconds)
        return False
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.002)
    return True


# --- the end that asks


class ServerError(RuntimeError):
    """A fork server cannot be started or a child cannot be isolated; one line says why."""


class ForkServer:
    """Starts a warm process, and another one when it died. A context manager; for threads to share, not for processes.

    Args:
        command: What to start; the folder for :func:`Forker`'s children and the number of its socket are added to it.
        environment: Its whole environment.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command, self._environment = command, environment
        self._lock = threading.RLock()
        self._owner = os.getpid()
        self._process: subprocess.Popen[bytes] | None = None
        self._level: Level | None = None
        self._why_not = "the server was closed, or belongs to another process"
        self._start()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def level(self) -> Level:
        """What is in force for every child; waits until the server is ready.

        Raises:
            ServerError: It did not start.
        """
        with self._lock:
            if self._level is None:
                try:
                    found = self._hear()["level"]
                except (OSError, EOFError, ValueError):
                    if last_words := self._stop():
                        self._why_not = f"the process for learners' code did not start: {last_words}"
                    raise ServerError(self._why_not) from None
                self._level = Level(**{**found, "layers": tuple(found["layers"])})
            return self._level

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The warm process, or None when it was closed."""
        return self._process

    def fork(self, limits: Limits, fds: Sequence[int], folder: Path | None = None) -> Child:
        """A new child, from a new server where the last one died.

        Args:
            limits: What it may use.
            fds: Descriptors that it is to have.
            folder: Its current folder, to read from, where it cannot have a file system of its own.

        Raises:
            ServerError: No child could be had.
        """
        request = {"fork": asdict(limits), "folder": str(folder) if folder else None}
        with self._lock:
            for last in (False, True):
                if self._process is None or self._owner != os.getpid():
                    raise ServerError(self._why_not)
                _ = self.level
                try:
                    answer = self._ask(request, fds)
                    break
                except (OSError, EOFError, ValueError):
                    if last:
                        raise ServerError("the process for learners' code died twice") from None
                    self._stop()
                    self._start()
            if "trouble" in answer:
                raise ServerError(answer["trouble"])
            return Child(self, self._process, answer["pid"])

    def close(self) -> None:
        """End the server and every child."""
        with self._lock:
            self._stop()

    def tell(self, server: object, request: dict[str, Any]) -> int | None:
        """The status that a warm process tells when asked about a child; :data:`LOST` when it is no longer there."""
        with self._lock:
            if self._process is not server or self._owner != os.getpid():
                return LOST
            try:
                return self._ask(request)["status"]
            except (OSError, EOFError, ValueError):
                return LOST

    def _start(self) -> None:
        self._control, theirs = socket.socketpair()
        self._control.settimeout(START_SECONDS)
        self._folder = Path(tempfile.mkdtemp(prefix="bnlib-"))
        self._folder.chmod(0o755)  # when we are root, children are another user's
        scratch = sandbox.scratch_folder(self._folder)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._level = None
        with theirs:
            self._process = subprocess.Popen(
                [*self._command, str(scratch), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=scratch,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                start_new_session=True,
            )

    def _stop(self) -> str:
        """End the process; returns the last line that it wrote."""
        if self._process is None:
            return ""
        self._control.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        sandbox.remove(self._folder)  # the server removed it, unless it was killed
        with self._said:
            self._said.seek(0)
            lines = self._said.read().decode("utf-8", "replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "no message")

    def _hear(self) -> dict[str, Any]:
        text = b""
        while not text.endswith(b"\n"):
            part = self._control.recv(_LARGEST)
            if not part:
                raise EOFError
            text += part
        return json.loads(text)

    def _ask(self, request: dict[str, Any], fds: Sequence[int] = ()) -> dict[str, Any]:
        try:
            socket.send_fds(self._control, [json.dumps(request).encode()], list(fds))
            return self._hear()
        except BaseException:
            self._control.close()  # the answer would be taken for that to the next request
            raise


@dataclass(frozen=True)
class Child:
    """A confined process, forked by ``server`` (the warm process)."""

    _forks: ForkServer
    server: object
    pid: int

    def poll(self) -> int | None:
        """Its wait status if it has ended, :data:`LOST` if the server has, else None."""
        return self._forks.tell(self.server, {"pid": self.pid, "grace": 0, "kill": False})

    def threads(self) -> int:
        """How many threads it has; 0 where the system does not tell."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return 0
        return int(status.partition("Threads:")[2].split()[0])

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._forks.tell(self.server, {"pid": self.pid, "signal": number})

    def end(self, grace: float = 0) -> int | None:
        """Kill it; returns its wait status if it ended by itself, or does within ``grace`` seconds."""
        return self._forks.tell(self.server, {"pid": self.pid, "grace": grace, "kill": True})
