"""What the checks of several lessons share: ways back through batch normalization, and what is asked about them.

The lines go on behind those that lead to ``x_hat``; each lesson puts its own equation behind the last.
"""

from __future__ import annotations

import numpy as np

from bnlib.checks import Property, negligible

SUMS_TO_ZERO = Property(
    "each feature of dx sums to zero over the batch",
    lambda case, out: negligible(case, out["dx"].sum(axis=0), np.abs(case.dout * case.gamma * case.inv_std).sum()),
    "Some feature of dx does not sum to zero over the batch.",
)

THREE_TERMS = "dx = gamma * inv_std * (dout - mean(dout) - x_hat * mean(dout * x_hat))"
SCALED = """
_h = gamma * dout
dx = inv_std * (_h - mean(_h) - x_hat * mean(_h * x_hat))"""
INSIDE = """
_r = gamma * inv_std * dout
dx = _r - mean(_r) - x_hat * mean(_r * x_hat)"""
GATES = """
_g    = gamma * dout
_dr   = sum(_g * _xc)
_dvar = -1/2 * _dr * inv_std**3
_dxc  = _g * inv_std + 2 * _xc * _dvar / N
dx    = _dxc - mean(_dxc)"""

CACHE_ORDER = """
cache-order: gamma * inv_std * A => A / (gamma * inv_std) | gamma and the standard deviation stand in each other's place: if they come out of a cache, in which order did they go in?
"""
ABOUT_PARAMETERS = (
    CACHE_ORDER
    + """
dbeta-with-x-hat: sum(dout) => sum(dout * x_hat) | there is x_hat in it: that is the other parameter's gradient
"""
)
SUMS: dict[str, tuple[str, ...]] = {"dgamma": ("sum over the batch",), "dbeta": ("sum over the batch",)}


def paths(result: str, third: str = "") -> tuple[str, str, str]:
    """Words for the terms of dx; the equations are that of the result, and where the third term comes from."""
    asked = "Is it not in the code at all, or is dout not inside its mean? The mean of x_hat alone is zero."
    return (
        f"direct path | the first term of {result}",
        f"path through the mean | the second term of {result}",
        f"path through the variance | {third or f'the third term of {result}'} | {asked}",
    )


def parameters(dgamma: str, dbeta: str) -> str:
    """The lines of the parameters' gradients, and where the lesson has them."""
    return f"\ndgamma = sum(dout * x_hat)  # {dgamma}\ndbeta = sum(dout)  # {dbeta}\n"


def about_dx(result: str, chain: str) -> dict[str, str]:
    """Questions about dx that say more than the rules do; the equations are those of the result and of the sum over k."""
    return {
        "only-the-diagonal@dx everywhere": "Only the diagonal of the Jacobian was used, as if example i reached the loss "
        f"through y_i alone. E{chain[1:]} has a sum over all k.",
        "x-for-x-hat@dx": f"The raw x stands where x_hat belongs. Look at {result} again: which quantity stands in front of the "
        "last sum, and which inside it?",
        "xc-for-x-hat@dx": f"inv_std is missing in the last term of {result}: does x - mu stand where x_hat belongs, or does a "
        "bracket end before that term?",
    }


def about_parameters(out: str, dgamma: str, dbeta: str) -> dict[str, str]:
    """The same about the parameters' gradients; the equations are those of the layer and of the two."""
    asked = f"What does gamma multiply in {out}? That is what stands in {dgamma}."
    return {
        "mean-for-sum@dgamma": f"dgamma was averaged over the batch. The N ways of {dgamma} add up.",
        "mean-for-sum@dbeta": f"dbeta was averaged over the batch. The N ways of {dbeta} add up.",
        "x-for-x-hat@dgamma": f"dgamma was made with the raw x. {asked}",
        "xc-for-x-hat@dgamma": f"dgamma was made with x - mu. {asked}",
        "out-for-x-hat@dgamma": f"dgamma was made with out. {asked}",
        "gamma-in-dgamma@dgamma": "dgamma carries a factor gamma. The slope of gamma * x_hat with respect to gamma has none: "
        f"{dgamma}.",
        "gamma-in-dbeta@dbeta": f"dbeta carries a factor gamma, which does not touch beta in {out}.",
    }
