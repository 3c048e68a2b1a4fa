"""The process that runs a learner's code, and the way there.

This file imports nothing: that process starts from :mod:`bnlib.grading.process.server`, and a fork inherits what is loaded.
"""
