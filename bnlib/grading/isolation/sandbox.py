"""Confine the process that runs a learner's code, with what the platform has, strongest first.

The layers overlap on purpose: each is put in force where it exists, and a process that lacks one is still held by the
others. What no layer can do is hide memory that was there before: the process this is called in must be forked from one
that never held a reference answer.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
import signal
import socket
import struct
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

from bnlib.grading.isolation import landlock, seccomp
from bnlib.grading.isolation.libc import PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, call, prctl

LINUX = sys.platform == "linux"
USERS = range(61_184, 65_520)
"""Users that nobody has: systemd keeps them for services that are a user of their own for a while."""
_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x40000000
_NOSUID_NODEV_NOEXEC = 2 | 4 | 8


@dataclass(frozen=True)
class Limits:
    """What one session of a learner's code may use.

    Attributes:
        wall: Seconds one call may take.
        cells: Seconds all cells of the notebooks together may take.
        cpu: Seconds of processor time for the whole session; the kernel's own limit, should the grader fail to act.
        memory: Bytes of memory beyond what Python and numpy take.
        processes: Threads at a time; new processes are refused altogether where seccomp exists.
        file_size: Bytes of one file.
        disk: Bytes of all files.
        open_files: Files open at a time.
    """

    wall: float = 10.0
    cells: float = 30.0
    cpu: int = 120
    memory: int = 1_000_000_000
    processes: int = 64
    file_size: int = 8_000_000
    disk: int = 16_000_000
    open_files: int = 64


@dataclass(frozen=True)
class Level:
    """Which layers are in force.

    Attributes:
        layers: In words, for the report.
        files: Files outside of Python and the own folder cannot be opened.
        network: No network.
        processes: No new processes, no signals to others, no look into their memory.
        limits: Time, memory and file size are limited.
        scratch: A small file system of its own to write to; otherwise nothing can be written.
        threads: Its threads are counted for itself alone; otherwise together with all others of the same user.
    """

    layers: tuple[str, ...] = ()
    files: bool = False
    network: bool = False
    processes: bool = False
    limits: bool = False
    scratch: bool = False
    threads: bool = False

    @property
    def isolated(self) -> bool:
        """True when every promise of docs/security.md is kept: what ``--require-isolation`` asks for."""
        return self.files and self.network and self.processes and self.limits

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not kept, in words."""
        promises = {
            "hidden files": self.files,
            "no network": self.network,
            "no other processes": self.processes,
            "limits": self.limits,
        }
        return tuple(name for name, kept in promises.items() if not kept)

    def __str__(self) -> str:
        if self.isolated:
            return "isolated: " + "; ".join(self.layers)
        return f"NOT fully isolated (missing: {', '.join(self.missing)}): " + "; ".join(self.layers)

    def covers(self, other: Level) -> bool:
        """True when nothing that ``other`` has is lacking here."""
        return set(other.layers) <= set(self.layers)


def readable(hidden: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """What a learner's code needs to read: Python, its packages, the system's libraries; without ``hidden``.

    Where something hidden lies inside of such a folder, its neighbours are listed one by one.

    Returns:
        Folders and files to read; folders of which only the names may be listed.
    """
    hidden = [path.resolve() for path in hidden]
    own = Path(__file__).resolve().parents[2]
    roots = [own, *map(Path, code_folders())]
    roots += [Path(prefix, lib) for prefix in {sys.prefix, sys.base_prefix} for lib in ("lib", "lib64")]
    roots += [Path(p) for p in ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo")]
    roots += [Path(p) for p in ("/dev/zero", "/dev/urandom", "/dev/random", "/etc/localtime")]
    read: list[Path] = []
    names: list[Path] = []
    for root in dict.fromkeys(root.resolve() for root in roots if root.exists()):
        _around(root, hidden, read, names)
    return read, names


def _around(folder: Path, hidden: Sequence[Path], read: list[Path], names: list[Path]) -> None:
    if folder in hidden:
        return
    if not any(path.is_relative_to(folder) for path in hidden):
        read.append(folder)
        return
    names.append(folder)
    for entry in folder.iterdir():
        _around(entry, hidden, read, names)


def code_folders() -> list[str]:
    """Where modules are imported from: the standard library and the installed packages, nothing else of ``sys.path``.

    An editable install or PYTHONPATH puts the project's own folder on ``sys.path``, solutions and hidden tests beside it.
    """
    import numpy as np

    paths = sysconfig.get_paths()
    wanted = [paths["stdlib"], paths["platstdlib"]]  # in a venv the second is the venv's own, without modules
    wanted += [os.path.join(folder, "lib-dynload") for folder in wanted]
    wanted += [path for path in sys.path if path.rstrip(os.sep).endswith("-packages")]
    wanted.append(str(Path(np.__file__).parents[1]))
    return [path for path in dict.fromkeys(wanted) if os.path.isdir(path)]


def confine(
    limits: Limits, ruleset: int | None, folder: Path, user: int | None = None, allow: Collection[str] = ()
) -> Level:
    """Confine this process for good. To be called in a freshly forked child with one thread.

    Args:
        limits: What it may use.
        ruleset: Paths that stay readable, from :func:`landlock.ruleset`, or None where there is no Landlock.
        folder: Becomes the current folder. Writable where its size can be limited, by a file system in memory of its own.
        user: Become this user first; only for root.
        allow: System calls that seccomp would refuse, and this kind of child needs.

    Returns:
        What is in force now.
    """
    words = []
    _limit(limits)
    words.append("time, memory and file size limited")
    if LINUX:
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")
    if user is not None:
        _become(user)
        words.append("own user without rights")
    scratch, alone = False, not LINUX
    if LINUX:
        spaces = _unshare(folder, limits)
        scratch = "files" in spaces
        alone = user is not None or "users" in spaces
        if spaces:
            words.append(f"own {', '.join(spaces)}")
        _drop_capabilities()
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        words.append("no privileges")
        _set_limit("NPROC", limits.processes + (0 if alone else _threads_of(os.getuid())))
    if not scratch:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    os.chdir(folder)
    files = calls = False
    if ruleset is not None:
        landlock.restrict(ruleset)
        files = True
        words.append("files outside hidden (Landlock)")
    if LINUX:
        # Last but one: a change of user or namespace takes these two back.
        prctl(PR_SET_DUMPABLE, 0)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if seccomp.available():
        with suppress(OSError):
            seccomp.apply(allow)
            calls = True
            words.append("no sockets, processes or signals (seccomp)")
    return Level(tuple(words), files, calls, calls, LINUX, scratch, alone)


def _limit(limits: Limits) -> None:
    """Resource limits, which every Unix has; macOS does not keep the one on memory."""
    wanted = {
        "CORE": 0,
        "CPU": limits.cpu,
        "FSIZE": limits.file_size,
        "NOFILE": limits.open_files,
        "MSGQUEUE": 0,
        "MEMLOCK": 0,
    }
    if LINUX:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        wanted["AS"] = pages * resource.getpagesize() + limits.memory
    else:
        wanted["NPROC"] = 0
    for name, value in wanted.items():
        _set_limit(name, value)


def _set_limit(name: str, value: int) -> None:
    """Set a limit where there is such a one, or leave it at less."""
    number = getattr(resource, f"RLIMIT_{name}", None)
    if number is not None:
        hard = resource.getrlimit(number)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # Out of processor time, the first signal says so; one that is ignored is followed by the end.
        top = value + 1 if name == "CPU" and hard == resource.RLIM_INFINITY else value
        with suppress(ValueError, OSError):
            resource.setrlimit(number, (value, top))


def _threads_of(user: int) -> int:
    """How many threads all processes of a user have: the limit counts them, where there is no user for each process."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            fields = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
            total += int(fields["Threads"]) if int(fields["Uid"].split()[0]) == user else 0
    return total


def _unshare(folder: Path, limits: Limits) -> list[str]:
    """Leave the namespaces we may leave; with a mount namespace, put a small file system in memory at ``folder``."""
    uid, gid = os.getuid(), os.getgid()
    everything = _NEWUSER | _NEWNET | _NEWIPC | _NEWUTS | _NEWNS
    for flags in (everything, everything & ~_NEWNS, _NEWUSER):
        with suppress(OSError):
            # A process that changed its user is not dumpable, and its files in /proc belong to root.
            prctl(PR_SET_DUMPABLE, 1)
            call("unshare", flags)
            break
    else:
        return []
    spaces = ["users", "network", "IPC"] if flags & _NEWNET else ["users"]
    if not flags & _NEWNS:
        return spaces
    with suppress(OSError):
        for name, text in (("setgroups", "deny"), ("gid_map", f"{gid} {gid} 1"), ("uid_map", f"{uid} {uid} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
        options = f"size={limits.disk},nr_inodes=1000,mode=700".encode()
        call("mount", b"bnlib", os.fsencode(folder), b"tmpfs", _NOSUID_NODEV_NOEXEC, options)
        return [*spaces, "files"]
    return spaces


def _drop_capabilities() -> None:
    header, none = struct.pack("=Ii", 0x20080522, 0), bytes(24)
    call("capset", header, none)


@lru_cache(maxsize=1)
def isolation() -> Level:
    """What this platform gives: confine a forked child, let it try each forbidden thing, believe only what failed."""
    with tempfile.TemporaryDirectory(prefix="bnlib-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # root's child becomes another user
        canary = folder / "canary"
        canary.write_text("")
        scratch = scratch_folder(folder)
        ruleset = landlock.ruleset(*readable([]), [scratch.parent]) if landlock.abi() else None
        users = spare_users(scratch)
        read_end, write_end = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                level = confine(Limits(), ruleset, scratch, users[0] if users else None)
                os.write(write_end, json.dumps(asdict(_tried(level, canary))).encode())
            finally:
                os._exit(0)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as pipe:
            text = pipe.read()
        os.waitpid(pid, 0)
        if ruleset is not None:
            os.close(ruleset)
    if not text:
        return Level()
    found = json.loads(text)
    return Level(**{**found, "layers": tuple(found["layers"])})


def scratch_folder(folder: Path) -> Path:
    """Make the folder over which each child puts a file system of its own, inside one that nobody can write to.

    Landlock asks the folder around a mount for its rule, not the one that is hidden under it.
    """
    scratch = folder / "own" / "scratch"
    scratch.mkdir(parents=True)
    for path in (scratch, scratch.parent):
        path.chmod(0o555)
    return scratch


def remove(folder: Path) -> None:
    """Remove a folder with the read-only ones of :func:`scratch_folder` in it, or in folders directly in it."""
    for own in (folder / "own", *folder.glob("*/own")):
        with suppress(OSError):
            own.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)


def _tried(level: Level, canary: Path) -> Level:
    """The level with every promise taken back that can be broken from here."""

    def fails(action: Callable[..., object], *args: object) -> bool:
        try:
            action(*args)
        except OSError:
            return True
        return False

    def fork() -> None:
        if not os.fork():
            os._exit(0)

    def refused(action: Callable[..., object], number: int) -> bool:
        """Told so, not failing for another reason."""
        try:
            action(pair[0], number, 0)
        except PermissionError:
            return True
        except OSError:
            pass
        return False

    pair = socket.socketpair()
    silent = all(refused(fcntl.fcntl, number) for number in seccomp.HARMFUL_FCNTL.values())
    silent = silent and all(refused(fcntl.ioctl, number) for number in seccomp.HARMFUL_IOCTL.values())
    own = Path("own")
    return replace(
        level,
        files=level.files
        and fails(canary.read_text)
        and fails(canary.write_text, "x")
        and fails(canary.unlink)
        and fails(os.listdir, "/proc"),
        network=level.network
        and fails(socket.socket)
        and fails(socket.socket, socket.AF_UNIX)
        and fails(socket.socketpair, socket.AF_UNIX, socket.SOCK_DGRAM),
        processes=level.processes and fails(fork) and fails(os.kill, os.getppid(), 0) and silent,
        scratch=level.scratch and not fails(own.write_text, "x") and not fails(own.unlink),
    )


def spare_users(folder: Path) -> range:
    """The users that children may become when we are root, where those can still read Python; otherwise none."""
    if os.getuid() != 0:
        return range(0)
    needed: list[str | Path] = [*code_folders(), Path(__file__).parent, folder]
    pid = os.fork()
    if not pid:
        code = 1
        try:
            _become(USERS[-1])
            code = int(not all(os.access(path, os.R_OK) for path in needed))
        finally:
            os._exit(code)
    return USERS if os.waitpid(pid, 0)[1] == 0 else range(0)


def _become(user: int) -> None:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
