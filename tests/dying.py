"""Batches that end the process in which they run: a module, because other processes import them by its name.

A test module's own name may begin with ``tests``, and IPython 7 puts a package of that name in front of ours.
"""

import os
import time

from bnlib.grading.batch import grade_batch


def on_wrong(settings, works):
    """A process that one student ends."""
    if any(work.name == "wrong" for work in works):
        os._exit(1)
    return grade_batch(settings, works)


def after_one(settings, works):
    """A process that ends when it has told of the first of several students."""
    if len(works) > 1:
        grade_batch(settings, works[:1])
        time.sleep(1)  # until the runner has looked
    os._exit(1)
