"""Confine processes with what the platform offers, and fork confined ones from a warm one. Knows nothing of grading.

This file imports nothing: a fork of a warm process inherits all that was loaded in it.
"""
