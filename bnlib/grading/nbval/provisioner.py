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
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from bnlib.grading.isolation import sandbox

NAME = "bnlib-isolated"
"""The entry point in pyproject.toml."""

SECONDS = "BNLIB_KERNEL_SECONDS"
"""Environment variable: processor time a kernel may use."""

LEARNERS = "learners"
"""Folder of the learners' folders, beside that of the judged notebooks."""

PORTS = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")
WARM = "BNLIB_KERNEL_PROVISIONER"
"""Environment variable: which provisioner will be used; this one can then be made ready in advance."""

START_SECONDS = 60.0


class KernelServer:
    """The kernel server of this process, started when first needed."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self._lock = threading.Lock()
        self._control = ours
        self._folder = tempfile.TemporaryDirectory(prefix="bnlib-kernels-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        folder.chmod(0o711)
        scratch = sandbox.scratch_folder(folder)
        home = folder / "home"
        home.mkdir()
        environment = {**os.environ, "IPYTHONDIR": str(home), "HOME": str(home), "PYTHONHASHSEED": "0"}
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bnlib.grading.nbval.kernels", str(theirs.fileno()), str(scratch)],
                pass_fds=[theirs.fileno()],
                cwd=home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self._control.settimeout(START_SECONDS)
        self.level: dict[str, Any] = {}

    def ask(self, request: dict[str, Any], fds: list[int] | None = None) -> dict[str, Any]:
        """Send a request, and wait for its answer.

        Raises:
            OSError: The server is gone.
        """
        with self._lock:
            if not self.level:
                self.level = self._hear()["level"]
            socket.send_fds(self._control, [json.dumps(request).encode()], fds or [])
            return self._hear()

    def close(self) -> None:
        """End the server and wait for it."""
        self._control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(2)
        self.process.kill()
        self.process.wait()
        self._folder.cleanup()

    def _hear(self) -> dict[str, Any]:
        text = b""
        while not text.endswith(b"\n"):
            part = self._control.recv(65536)
            if not part:
                raise OSError("the kernel server ended")
            text += part
        return json.loads(text)


class Forked:
    """A forked kernel, with what a provisioner asks of a ``subprocess.Popen``."""

    stdin = stdout = stderr = None

    def __init__(self, server: KernelServer, pid: int) -> None:
        self._server, self.pid = server, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Exit code, or None while it runs."""
        if self.returncode is None:
            try:
                self.returncode = self._server.ask({"pid": self.pid})["status"]
            except OSError:
                self.returncode = 70
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        """Nothing to wait for: whoever calls this has polled."""
        return self.poll()

    def send_signal(self, number: int) -> None:
        """Pass a signal on."""
        with contextlib.suppress(OSError):
            self.returncode = self._server.ask({"pid": self.pid, "signal": int(number)})["status"]

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """End it: it has nothing to put in order."""
        self.kill()


_server: KernelServer | None = None


def kernel_server() -> KernelServer:
    """The server of this process; a new one where it ended."""
    global _server
    if _server is None or _server.process.poll() is not None:
        _server = KernelServer()
    return _server


def running() -> Any:
    """The process of the kernel server, or None."""
    return _server.process if _server else None


def isolation() -> str:
    """What the kernels of this process are confined with, in words for the report."""
    if _server and _server.level:
        return str(sandbox.Level(**_server.level))
    return str(sandbox.Level(("limits on time, memory and file size",), limits=True))


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
        self._sockets = tempfile.TemporaryDirectory(prefix="bnlib-ipc-", ignore_cleanup_errors=True)
        self.parent.ip = os.path.join(self._sockets.name, "s")
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
            "folder": str(folder),
            "others": {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.ipynb"))},
        }
        server = kernel_server()
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
            seconds = int(os.environ.get(SECONDS, "600"))
            answer = server.ask({"fork": seconds}, [file.fileno(), *listening])
        self.process = Forked(server, answer["pid"])  # type: ignore[assignment]
        self.pid, self.pgid, self.cwd = answer["pid"], None, str(judged)
        return self.connection_info

    async def cleanup(self, restart: bool = False) -> None:
        """Remove the sockets."""
        await super().cleanup(restart)
        self._sockets.cleanup()


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
