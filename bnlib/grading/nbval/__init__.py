"""The second opinion: answers in the pristine notebook, run by nbval in confined kernels.

This file imports nothing: a learner's kernel starts from :mod:`bnlib.grading.nbval.kernels`. What the processes of this
room have to call by the same name stands here, so that the grader need not import jupyter_client to know it.
"""

PROVISIONER = "bnlib-isolated"
"""The entry point in pyproject.toml."""

SECONDS = "BNLIB_KERNEL_SECONDS"
"""Environment variable: processor time a kernel may use."""

WARM = "BNLIB_KERNEL_PROVISIONER"
"""Environment variable: which provisioner will be used; this one can then be made ready in advance."""

DRAWS = "BNLIB_KERNEL_DRAWS"
"""Environment variable: whether somebody's own code draws. The course draws nothing under nbval, so most runs do without."""

LEARNERS = "learners"
"""Folder of the learners' folders, beside that of the judged notebooks."""
