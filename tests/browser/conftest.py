"""Chromium from the machine, JupyterLab as ``make lab`` starts it, the web page as ``make docs`` builds it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
AXE = Path(__file__).with_name("axe.min.js").read_text(encoding="utf-8")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PICTURES = ROOT / "build" / "pictures"
TOKEN = "learner"

PATIENCE = 120_000
"""Milliseconds that a page may take: nothing here depends on how fast a machine is."""


@pytest.fixture(scope="session")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="the browser tests need the extra [browser]")
    if CHROMIUM is None:
        pytest.skip("no chromium or google-chrome here")
    with playwright.sync_playwright() as running:
        yield running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """The address of a JupyterLab on a copy of ``notebooks/``, without any settings of this machine."""
    folder = tmp_path_factory.mktemp("lab")
    notebooks = shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = f"--no-browser --port={port} --IdentityProvider.token={TOKEN} --expose-app-in-browser"
    quiet = folder / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    quiet.mkdir(parents=True)
    (quiet / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    own = {f"JUPYTER_{kind}_DIR": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    with open(folder / "log", "w+") as log:
        make = ["make", "-s", "-C", str(ROOT), "lab", f"NOTEBOOKS={notebooks}", f"LAB_ARGS={options}"]
        running = subprocess.Popen(
            make, stdout=log, stderr=log, env={**os.environ, **own, "BROWSER": "none"}, start_new_session=True
        )
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=5).close()
                    break
                except OSError:
                    assert running.poll() is None, (folder / "log").read_text()
                    time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/lab/tree/{{}}?token={TOKEN}"
        finally:
            os.killpg(running.pid, signal.SIGTERM)
            running.wait()


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The folder of the web page."""
    out = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, ROOT / "docs" / "site" / "compose.py", out], check=True)
    return out / "html"


@pytest.fixture(scope="session")
def site(built):
    """The address of the web page, on a server."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=built)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def opened(chromium):
    """Open pages that must not say an error in the console: ``opened(width=..., dark=..., scripts=...)``."""
    said, contexts = [], []

    def new(width=1280, dark=False, scripts=True):
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            device_scale_factor=1.5,
            java_script_enabled=scripts,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        return page

    yield new
    for context in contexts:
        context.close()
    assert not said


@pytest.fixture(scope="session")
def faults():
    """What axe-core finds serious or critical inside some elements of a page."""

    def look(page, inside):
        page.evaluate(AXE)
        found = page.evaluate("(inside) => axe.run({include: [[inside]]}, {resultTypes: ['violations']})", inside)
        assert found["passes"], f"axe-core looked at nothing in {inside}"
        return [
            f"{each['id']}: {node['html'][:120]} ({re.sub(chr(10), ' ', node['failureSummary'])[:200]})"
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]

    return look


@pytest.fixture(scope="session")
def picture():
    """Save a picture of the page, or of an element, for the docs and to be looked at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    return lambda what, name, **how: what.screenshot(path=PICTURES / f"{name}.png", **how)
