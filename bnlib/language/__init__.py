"""One language for formulas: what a derivation is written in, by the course and by the learner.

Text becomes a tree (:mod:`reading`), a tree is evaluated (:mod:`values`), differentiated (:mod:`calculus`), typeset
(:mod:`writing`) and rewritten (:mod:`rewriting`). Array notation (``mean(x)``, a line an operation) and index notation
(``sum(dout[k] * d(y[k], x[i]) for k in N)``) are two ways of writing the same trees.
"""
