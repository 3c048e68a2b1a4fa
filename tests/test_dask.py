"""A dask cluster does the work: a scheduler and two workers on this machine, one of which is killed in mid-run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from test_grade import SCORES, command, notebook, scores

from bnlib.cli import main

pytest.importorskip("distributed")


@pytest.fixture
def cluster(tmp_path):
    """Address of a scheduler, and its two workers' processes."""
    started = []

    def start(*arguments):
        environment = {
            **os.environ,
            "DASK_DISTRIBUTED__WORKER__DAEMON": "False",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        command = [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]]
        started.append(subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True, **quiet))
        return started[-1]

    file = tmp_path / "scheduler.json"
    start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
    own = ("--scheduler-file", str(file), "--nthreads", "1", "--no-nanny", "--no-dashboard")
    workers = [start("worker", *own) for _ in range(2)]
    deadline = time.monotonic() + 30
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    from distributed import Client

    with Client(scheduler_file=str(file), set_as_default=False) as client:
        client.wait_for_workers(2, timeout=30)
        address = client.scheduler.address
    yield address, workers
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_worker_that_is_killed_takes_nothing_with_it(cluster, tmp_path):
    address, workers = cluster
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    bodies = {
        "right": {},
        "wrong": {"center_backward": "return dout"},
        "raises": {"center": "raise ValueError('no')"},
        "=formula": {"center": "return h"},
    }
    for name, body in bodies.items():
        (folder / f"{name}.ipynb").write_text(notebook(**body))
    (folder / "broken.ipynb").write_text("{")
    slow = "import time; time.sleep(0.02); return h - h.mean(0)"
    for number in range(12):
        (folder / f"s{number:02}.ipynb").write_text(notebook(center=slow))
    run = subprocess.Popen(command(folder, out, "--dask", address), stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and run.poll() is None and len(list(out.glob("results/s*.json"))) < 1:
        time.sleep(0.02)
    workers[0].kill()
    assert run.wait(120) == 0, run.stdout.read()
    found = scores(out)
    assert {name: found[name] for name in SCORES} == SCORES
    assert {score for name, score in found.items() if name[0] == "s"} == {SCORES["right"]}


def test_no_scheduler_is_one_line(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.ipynb").write_text(notebook())
    arguments = ["grade", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--dask", "tcp://127.0.0.1:9"]
    assert main(arguments) == 2
    assert "no dask scheduler answers" in capsys.readouterr().err
