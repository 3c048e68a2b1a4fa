"""Other graders in environments of their own, under ``build/peers``: for the tests here and for ``benchmarks/grading.py``.

python tests/peers/environments.py [nbgrader] [otter]     installs them where they are missing
"""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "peers"
PEERS = {"nbgrader": "nbgrader==0.9.6", "otter": "otter-grader[grading]==7.0.0"}


def ready(name: str) -> Path | None:
    """The bin folder of a peer's environment, or None where it was not made."""
    target = FOLDER / name
    return target / "bin" if (target / "ready").exists() else None


def environment(name: str) -> Path:
    """The bin folder of a peer's environment, made when it is not there."""
    if not ready(name):
        target = FOLDER / name
        print(f"installing {PEERS[name]} into {target.relative_to(ROOT)}", flush=True)
        shutil.rmtree(target, ignore_errors=True)
        venv.create(target, with_pip=True)
        install = [target / "bin" / "python", "-m", "pip", "install", "-q", PEERS[name], "-e", str(ROOT)]
        subprocess.run(install, check=True)
        (target / "ready").write_text("")
    return FOLDER / name / "bin"


if __name__ == "__main__":
    for peer in sys.argv[1:] or PEERS:
        environment(peer)
