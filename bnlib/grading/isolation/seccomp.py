"""Refuse system calls that no answer needs (Linux, x86_64 and aarch64), without a library.

The kernel runs a small program (classic BPF) on each call of the process. Ours is a list of comparisons: what is on the
list fails with "not permitted", everything else passes. A few calls are looked at more closely: threads may be made and
processes may not, a signal may go to oneself alone, limits may be read and not set on others, a file may not send signals
or be leased, and what is sent goes to the other end of a connection.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bnlib.grading.isolation.libc import PR_SET_SECCOMP, prctl

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7), "arm64": (1, 0xC00000B7)}
_CLONE_THREAD = 0x10000
_FILTER = 2

# Numbers on x86_64 and aarch64; None where a call does not exist. From 424 on they are the same everywhere.
_DENIED: dict[str, tuple[int | None, int | None]] = {
    # network: the one socket this process has was opened before
    "socket": (41, 198), "connect": (42, 203), "accept": (43, 202), "accept4": (288, 242), "bind": (49, 200),
    "listen": (50, 201), "sendmsg": (46, 211), "sendmmsg": (307, 269),
    # new processes
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
    # other processes: their memory, signals to them, their limits and priorities
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "kill": (62, 129), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "setpriority": (141, 140), "ioprio_set": (251, 30),
    "sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "sched_setattr": (314, 274),
    "sched_setaffinity": (203, 122), "migrate_pages": (256, 238), "move_pages": (279, 239),
    # memory that no limit counts
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "msgget": (68, 186),
    "semget": (64, 190), "mq_open": (240, 180),
    # files by other ways than their path, and mounts
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442),
    # what Landlock lets pass: modes, owners, times and attributes of files, shortening one by its path, watching one
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None),
    "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "truncate": (76, 45), "utime": (132, None),
    "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5),
    "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "removexattrat": (466, 466), "file_setattr": (469, 469),
    "inotify_init": (253, None), "inotify_init1": (294, 26), "fanotify_init": (300, 262), "sync": (162, 81),
    # parts of the kernel that have had holes
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "personality": (135, 92), "modify_ldt": (154, None), "vhangup": (153, 58),
    # the machine
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "acct": (163, 89), "quotactl": (179, 60), "syslog": (103, 116), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "clock_adjtime": (305, 266), "adjtimex": (159, 171), "sethostname": (170, 161),
    "setdomainname": (171, 162), "iopl": (172, None), "ioperm": (173, None),
}  # fmt: skip
_CLONE, _CLONE3, _TGKILL, _PRLIMIT, _PRCTL = (56, 220), (435, 435), (234, 131), (302, 261), (157, 167)
_FCNTL, _IOCTL, _SENDTO, _SOCKETPAIR = (72, 25), (16, 29), (44, 206), (53, 199)

_HARMLESS_PRCTL = (15, 16, 0x53564D41)
"""Naming a thread, reading its name, naming memory: what C libraries and Python do unasked."""

HARMFUL_FCNTL = {"F_SETOWN": 8, "F_SETSIG": 10, "F_SETOWN_EX": 15, "F_SETLEASE": 1024, "F_NOTIFY": 1026}
"""A file that has an owner sends it signals, any signal, whoever it is; a lease makes others wait who open the file."""

HARMFUL_IOCTL = {"FIOSETOWN": 0x8901, "SIOCSPGRP": 0x8902}
"""Two more ways to give a socket an owner."""

_AF_UNIX, _STREAM, _NONBLOCK, _CLOEXEC = 1, 1, 0x800, 0x80000

NUMBER, MACHINE = 0, 4
"""Where the kernel's description of a call has its number and the architecture; see also :func:`argument`."""

ENDS = {
    "allow": 0x7FFF0000,
    "deny": 0x00050000 | errno.EPERM,
    "missing": 0x00050000 | errno.ENOSYS,
    "kill": 0x80000000,
}
"""What a program can come to. They are labels too."""


def available() -> bool:
    """True where this module knows the numbers of the system calls."""
    return sys.platform == "linux" and platform.machine() in _ARCHITECTURES


def program(allow: Collection[str] = ()) -> bytes:
    """The filter for this process on this machine.

    Args:
        allow: Names of denied calls that this process needs all the same.
    """
    column, architecture = _ARCHITECTURES[platform.machine()]
    lines: list[Line | str] = [load(MACHINE), equal(architecture, "next", "kill"), load(NUMBER)]
    if column == 0:
        lines += [at_least(0x40000000, "deny")]  # the x32 numbering of x86_64
    # clone3 hides its flags behind a pointer; told that it does not exist, C libraries fall back to clone.
    lines += [equal(_CLONE3[column], "missing")]
    lines += decide(_CLONE[column], [load(argument(0)), has_bits(_CLONE_THREAD, "allow")], "deny")
    lines += decide(_TGKILL[column], [load(argument(0)), equal(os.getpid(), "allow")], "deny")
    lines += decide(_PRLIMIT[column], [load(argument(0)), equal(0, "allow")], "deny")
    lines += decide(
        _PRCTL[column], [load(argument(0)), *(equal(option, "allow") for option in _HARMLESS_PRCTL)], "deny"
    )
    for which, harmful in ((_FCNTL, HARMFUL_FCNTL), (_IOCTL, HARMFUL_IOCTL)):
        lines += decide(which[column], [load(argument(1)), *(equal(n, "deny") for n in harmful.values())], "allow")
    # A pair of streams is connected for good; a datagram could be addressed to somebody else.
    streams = [equal(_STREAM | more, "allow") for more in (0, _NONBLOCK, _CLOEXEC, _NONBLOCK | _CLOEXEC)]
    unix = [load(argument(0)), equal(_AF_UNIX, "next", "deny"), load(argument(1))]
    lines += decide(_SOCKETPAIR[column], [*unix, *streams], "deny")
    low, high = argument(4), argument(4) + 4
    nobody = [line for half in (low, high) for line in (load(half), equal(0, "next", "deny"))]
    lines += decide(_SENDTO[column], nobody, "allow")
    for name, numbers in _DENIED.items():
        number = numbers[column]
        if number is not None and name not in allow:
            lines += [equal(number, "deny")]
    return assemble(lines)


def apply(allow: Collection[str] = ()) -> None:
    """Put the filter in force for this process, for good. Needs PR_SET_NO_NEW_PRIVS.

    Args:
        allow: Names of denied calls that this process needs all the same.

    Raises:
        OSError: The kernel refused it.
    """
    code = program(allow)
    buffer = ctypes.create_string_buffer(code, len(code))
    descriptor = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    prctl(PR_SET_SECCOMP, _FILTER, descriptor)


@dataclass(frozen=True)
class Line:
    """One instruction, and the labels to go on at when its comparison holds and when it does not."""

    code: int
    value: int
    then: str = "next"
    otherwise: str = "next"


def load(offset: int) -> Line:
    """Load a word of the call's description."""
    return Line(0x20, offset)


def equal(value: int, then: str, otherwise: str = "next") -> Line:
    """Compare the word that was loaded."""
    return Line(0x15, value, then, otherwise)


def at_least(value: int, then: str) -> Line:
    """Compare the word that was loaded."""
    return Line(0x35, value, then)


def has_bits(value: int, then: str) -> Line:
    """Look whether the word that was loaded has one of these bits."""
    return Line(0x45, value, then)


def argument(index: int) -> int:
    """Where the lower half of an argument is; the upper one follows it."""
    return 16 + 8 * index


def decide(number: int, tests: Sequence[Line], otherwise: str) -> list[Line | str]:
    """Decide one call by tests on its arguments, and where they decide nothing, the same way always."""
    other = f"not {number}"
    return [equal(number, "next", other), *tests, equal(0, otherwise, otherwise), other]


def assemble(lines: Sequence[Line | str]) -> bytes:
    """The program of these instructions, with labels among them; what reaches their end is allowed."""
    ends = [part for name, value in ENDS.items() for part in (name, Line(0x06, value))]
    places: dict[str, int] = {}
    code: list[Line] = []
    for line in (*lines, *ends):
        if isinstance(line, str):
            places[line] = len(code)
        else:
            code.append(line)

    def jump(place: int, label: str) -> int:
        return 0 if label == "next" else places[label] - place - 1

    return b"".join(
        struct.pack("=HBBI", line.code, jump(i, line.then), jump(i, line.otherwise), line.value)
        for i, line in enumerate(code)
    )
