"""Derivations that learners write: read line by line, each compared with the one above, the first slip named, all of it shown.

``lines`` takes a text apart, ``forms`` says what a line still contains, ``judge`` compares, ``slips`` names what happened, ``page``
shows it, and ``command`` is what a learner calls. The text is parsed and never run.
"""
