"""The kernel of one submission for nbval: an ordinary ipykernel, confined, in the learner's own folder.

On Linux it is forked from a warm process (:mod:`bnlib.grading.nbval.kernels`) and confined before a line of the learner's runs.
Its sockets are made outside and handed in: inside there is no way to make one. Elsewhere it is started fresh, as
``python -m bnlib.grading.nbval.kernel -f CONNECTION_FILE``, with limits on what it may use.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zmq
from ipykernel.heartbeat import Heartbeat
from ipykernel.iostream import IOPubThread
from ipykernel.kernelapp import IPKernelApp

from bnlib.grading.isolation.libc import PR_SET_PDEATHSIG, prctl
from bnlib.grading.nbval import LEARNERS, SECONDS

MEMORY = 4_000_000_000
FILE_SIZE = 50_000_000


class HeldKernel(IPKernelApp):
    """An ipykernel that is given its connection and its listening sockets, and looks for nothing on the disk."""

    connection: Mapping[str, Any]
    listening: Mapping[int, int]

    def init_connection_file(self) -> None:
        """Use the connection that was handed in."""
        self.load_connection_info(dict(self.connection))  # type: ignore[arg-type]

    def write_connection_file(self, **kwargs: Any) -> None:
        """Who asked for this kernel knows how to reach it."""

    def init_crash_handler(self) -> None:
        """Nobody would read a crash report."""

    def _try_bind_socket(self, s: Any, port: int) -> int:
        s.setsockopt(zmq.USE_FD, self.listening[port])
        return super()._try_bind_socket(s, port)

    def init_control(self, context: Any) -> None:
        """Leave out the debugger's way back into this process, which would need a new connection."""
        super().init_control(context)
        with contextlib.suppress(zmq.ZMQError):
            self.debug_shell_socket.disconnect(self.shell_socket.getsockopt(zmq.LAST_ENDPOINT))

    def init_iopub(self, context: Any) -> None:
        """Leave out the way for outputs of child processes: there are none, and it is a TCP socket."""
        socket = context.socket(zmq.XPUB)
        socket.linger = 1000
        self.iopub_port = self._bind_socket(socket, self.iopub_port)
        self.configure_tornado_logger()
        self.iopub_thread = IOPubThread(socket, pipe=False, session=self.session)
        self.iopub_thread.start()
        self.iopub_socket = self.iopub_thread.background_socket

    def init_heartbeat(self) -> None:
        """Beat on the socket that was handed in."""
        self.heartbeat = _Heartbeat(zmq.Context(), (self.transport, self.ip, self.hb_port))
        self.heartbeat.held = self.listening[self.hb_port]
        self.heartbeat.start()


class _Heartbeat(Heartbeat):
    held: int

    def _try_bind_socket(self) -> Any:
        self.socket.setsockopt(zmq.USE_FD, self.held)
        return super()._try_bind_socket()


def run(connection: Mapping[str, Any], listening: Mapping[int, int]) -> None:
    """Be a kernel until told to end.

    Args:
        connection: What a connection file holds; the transport is "ipc".
        listening: For each port the descriptor of its listening socket.
    """
    app = HeldKernel.instance()
    app.connection, app.listening = connection, listening
    app.config.HistoryManager.enabled = False
    app.config.ZMQInteractiveShell.banner1 = ""
    app.log_level = 50
    app.initialize([])
    app.start()


def main() -> None:
    """Limit this process, and become a kernel."""
    judged = Path.cwd()
    limit(int(os.environ.pop(SECONDS, "600")))
    _end_with_parent()
    os.chdir(judged.parents[1] / LEARNERS / judged.name)
    sys.path[0] = ""
    IPKernelApp.launch_instance()


def limit(seconds: int) -> None:
    """Bound processor time, memory and the size of files, where the platform knows such limits."""
    with contextlib.suppress(ImportError):
        import resource

        wanted = {"CPU": seconds, "AS": MEMORY, "FSIZE": FILE_SIZE, "CORE": 0}
        for name, value in wanted.items():
            with contextlib.suppress(AttributeError, ValueError, OSError):
                number = getattr(resource, f"RLIMIT_{name}")
                hard = resource.getrlimit(number)[1]
                value = value if hard == resource.RLIM_INFINITY else min(value, hard)
                resource.setrlimit(number, (value, value))


def _end_with_parent() -> None:
    """On Linux a kernel ends with the process that started it, whatever it is doing."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
