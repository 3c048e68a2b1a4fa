"""Confine a process: what the kernel offers, strongest first. Knows nothing of grading.

This file imports nothing: a process that runs a learner's code starts from here.
"""
