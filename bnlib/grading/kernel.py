"""Start the kernel of one submission for nbval: in the learner's own folder, with limits on what it may use.

Run by jupyter_client as ``python -m bnlib.grading.kernel -f CONNECTION_FILE`` in the folder of the judged notebook, whose
last name is also that of the learner's folder. What is not confined here is listed in docs/grading.md.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

SECONDS = "BNLIB_KERNEL_SECONDS"
"""Environment variable: processor time a kernel may use."""

LEARNERS = "learners"
"""Folder of the learners' folders, beside that of the judged notebooks."""

MEMORY = 4_000_000_000
FILE_SIZE = 50_000_000


def main() -> None:
    """Limit this process, and become a kernel."""
    judged = Path.cwd()
    limit(int(os.environ.pop(SECONDS, "600")))
    _end_with_parent()
    os.chdir(judged.parents[1] / LEARNERS / judged.name)
    sys.path[0] = ""
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()


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
            from bnlib.grading.libc import call

            call("prctl", 1, 9, 0, 0, 0)


if __name__ == "__main__":
    main()
