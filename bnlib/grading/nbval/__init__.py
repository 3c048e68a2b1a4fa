"""The second opinion: answers in the pristine notebook, run by nbval in confined kernels.

This file imports nothing: a learner's kernel starts from :mod:`bnlib.grading.nbval.kernels`.
"""
