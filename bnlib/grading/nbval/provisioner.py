"""The kernel provisioner ``bnlib-isolated``: jupyter_client's own door for who wants kernels started in another way.

nbval and jupyter_client stay as they are: a ``kernel.json`` names this provisioner, and what they would have started as a
process is forked from the warm kernel server and confined. The kernel talks over Unix sockets that are made here, because
in its network namespace there is nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from bnlib.grading.isolation import sandbox
from bnlib.grading.isolation.forkserver import FAILED, LOST, Child, ForkServer
from bnlib.grading.nbval import LEARNERS, SECONDS

LIMITS = sandbox.Limits(memory=2_000_000_000, processes=128, file_size=8_000_000, disk=32_000_000, open_files=256)
"""What a kernel may use; wall time is the grader's to watch."""

PORTS = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")


class Forked:
    """A forked kernel, with what a provisioner asks of a ``subprocess.Popen``."""

    stdin = stdout = stderr = None

    def __init__(self, child: Child) -> None:
        self._child, self.pid = child, child.pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Exit code, or None while it runs."""
        if self.returncode is None:
            status = self._child.poll()
            if status is not None:
                self.returncode = FAILED if status == LOST else os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        """Nothing to wait for: whoever calls this has polled."""
        return self.poll()

    def send_signal(self, number: int) -> None:
        """Pass a signal on."""
        self._child.signal(number)

    def kill(self) -> None:
        """End it."""
        if self.poll() is None:
            self._child.end()
            self.returncode = -signal.SIGKILL

    def terminate(self) -> None:
        """End it: it has nothing to put in order."""
        self.kill()


_server: ForkServer | None = None


def kernel_server() -> ForkServer:
    """The kernel server of this process, started when first needed."""
    global _server
    if _server is None:
        command = [sys.executable, "-m", "bnlib.grading.nbval.kernels"]
        _server = ForkServer(command, {**os.environ, "PYTHONHASHSEED": "0"})
    return _server


def running() -> Any:
    """The process of the kernel server, or None."""
    return _server.process if _server else None


def isolation() -> str:
    """What the kernels of this process are confined with, in words for the report."""
    level = (
        _server.level
        if _server and _server.process
        else sandbox.Level(("limits on time, memory and file size",), limits=True)
    )
    return str(level)


def close() -> None:
    """End the server of this process, if there is one."""
    global _server
    if _server:
        _server.close()
    _server = None


class IsolatedProvisioner(LocalProvisioner):
    """Forks confined kernels from the warm kernel server."""

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Choose Unix sockets before the connection file is written."""
        assert self.parent is not None
        self.parent.transport = "ipc"
        self.parent.cache_ports = False
        self._sockets = contextlib.ExitStack()
        folder = self._sockets.enter_context(
            tempfile.TemporaryDirectory(prefix="bnlib-ipc-", ignore_cleanup_errors=True)
        )
        # The path of a Unix socket has 107 letters at most, and that of the temporary folder may have more.
        fd = os.open(folder, os.O_RDONLY)
        self._sockets.callback(os.close, fd)
        self.parent.ip = f"/proc/{os.getpid()}/fd/{fd}/s"
        return await super().pre_launch(**kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Make the sockets, and fork a kernel that holds them."""
        judged = Path(kwargs.get("cwd") or ".").resolve()
        folder = judged.parents[1] / LEARNERS / judged.name
        ports = [self.connection_info[name] for name in PORTS]  # type: ignore[literal-required]
        connection = {key: _plain(value) for key, value in self.connection_info.items()}
        told = {
            "connection": connection,
            "ports": ports,
            "others": {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.ipynb"))},
        }
        with contextlib.ExitStack() as stack:
            listening = []
            for port in ports:
                one = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                one.bind(f"{self.connection_info['ip']}-{port}")
                one.listen(16)
                one.setblocking(False)
                listening.append(one.fileno())
            file = stack.enter_context(tempfile.TemporaryFile())
            file.write(json.dumps(told).encode())
            file.flush()
            file.seek(0)
            limits = replace(LIMITS, cpu=int(os.environ.get(SECONDS, "600")))
            child = kernel_server().fork(limits, [file.fileno(), *listening], folder)
        self.process = Forked(child)  # type: ignore[assignment]
        self.pid, self.pgid, self.cwd = child.pid, None, str(judged)
        return self.connection_info

    async def cleanup(self, restart: bool = False) -> None:
        """Remove the sockets."""
        await super().cleanup(restart)
        self._sockets.close()


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
