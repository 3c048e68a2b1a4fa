"""The teacher's side: run answers where they can do no harm, grade them, report.

This file imports nothing. The process that runs a learner's code starts from :mod:`bnlib.grading.process.server`, and a fork
inherits memory: whatever this package imported would be readable there.
"""
