"""Differentiate numerically, and measure how far two arrays are apart.

Numerical derivatives are the judge of every derivation in this course: they need only the forward function. All
functions work in float64 (complex128 for the complex step) and leave their inputs as they were.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]


def jacobian_central(f: Callable[[Array], ArrayLike], x: ArrayLike, h: float = 1e-5) -> Array:
    """Full Jacobian of ``f`` at ``x`` by central differences: J[..., i] = (f(x + h e_i) - f(x - h e_i)) / 2h.

    Args:
        f: Function from an array of the shape of ``x`` to an array (or a number).
        x: Array of any shape; taken as float64.
        h: Step. The error is about h**2 ``|f'''|`` / 6 from the formula plus 1e-16 ``|f|`` / h from rounding. 1e-5 balances the two where
            x, f and f''' are of the size of 1: the error is about 1e-11 then. Elsewhere 1e-5 times the size over which f changes
            does, as long as that is well above 1e-16 ``|x|``: with x near 1e6 a step of 1e-5 leaves five digits at best.

    Returns:
        Array of shape ``f(x).shape + x.shape``, float64.
    """
    x = np.array(x, dtype=np.float64)

    def slope(step: Array) -> Array:
        return (np.asarray(f(x + step), dtype=np.float64) - np.asarray(f(x - step), dtype=np.float64)) / (2 * h)

    return _columns(slope, x, h)


def jacobian_complex(f: Callable[[NDArray], ArrayLike], x: ArrayLike, h: float = 1e-30) -> Array:
    """Full Jacobian of ``f`` at ``x`` by the complex step: J[..., i] = Im f(x + i h e_i) / h.

    There is no subtraction, so there is no rounding error to balance: the result is exact to float64 precision, for
    functions made of analytic operations. Not through comparisons, ``abs``, ``max``, ``conjugate``, nor what has one of them inside:
    ``np.var``, ``np.std`` and ``np.linalg.norm`` take the absolute value of what they square, so the derivative is lost and nothing says so;
    write ``((x - x.mean()) ** 2).mean()``.

    Args:
        f: Function that accepts a complex array of the shape of ``x``.
        x: Array of any shape; taken as float64.
        h: Step, far below float64 resolution on purpose.

    Returns:
        Array of shape ``f(x).shape + x.shape``, float64.

    Source: Squire and Trapp, SIAM Review 40 (1998), 110-112.
    """
    x = np.array(x, dtype=np.float64)
    return _columns(lambda step: np.imag(np.asarray(f(x + 1j * step))) / h, x, h)


def _columns(slope: Callable[[Array], Array], x: Array, h: float) -> Array:
    """Stack ``slope`` for a step of ``h`` in each entry of ``x`` along the last axes."""
    columns = []
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = h
        columns.append(slope(step))
    return np.stack(columns, axis=-1).reshape(columns[0].shape + x.shape)


def vjp_complex(f: Callable[[NDArray], ArrayLike], x: ArrayLike, dout: ArrayLike) -> Array:
    """Gradient of L = sum(dout * f(x)) with respect to ``x``, by the complex step.

    Args:
        f: Analytic function of an array of the shape of ``x``.
        x: Array of any shape.
        dout: Array of the shape of ``f(x)``: the upstream gradient.

    Returns:
        Array of the shape of ``x``, float64.
    """
    x = np.asarray(x, dtype=np.float64)
    dout = np.asarray(dout, dtype=np.float64)
    return np.tensordot(dout, jacobian_complex(f, x), axes=dout.ndim)


def relative_error(got: ArrayLike, expected: ArrayLike, scale: ArrayLike | None = None) -> float:
    """Largest difference between two arrays, measured against one natural scale for the whole array.

    The usual element-wise relative error divides by entries that may be nearly zero: it fails right answers and, since
    it saturates at 1, says nothing about wrong ones.

    Args:
        got: Array.
        expected: Array of the same shape.
        scale: What counts as large; the largest absolute value of ``expected`` by default.

    Returns:
        ``max|got - expected| / scale``, a float; 0 when both are zero, inf when ``got`` is not finite.
    """
    got, expected = np.asarray(got), np.asarray(expected)
    if got.size == 0:
        return 0.0
    difference = float(np.max(np.abs(got - expected)))
    largest = float(np.max(np.abs(expected if scale is None else scale)))
    if not np.isfinite(difference):
        return float("inf")
    if difference == 0.0:
        return 0.0
    return difference / largest if largest > 0 else float("inf")


def is_exact(array: Array) -> bool:
    """True for an array of numbers that numpy has no type for, such as fractions: as right as any."""
    return array.dtype.kind == "O" and 0 < array.size < 1_000_000 and all(isinstance(v, Fraction) for v in array.flat)
