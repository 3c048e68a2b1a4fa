"""The course's own layer of lesson 05, for whom theirs is missing; and layers whose gradient is wrong in one known way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bnlib.numerics import Array


class Norm:
    """Batch normalization with the methods of lesson 05's ``BatchNorm``."""

    def __init__(self, gamma: Array, beta: Array, momentum: float = 0.9, eps: float = 1e-5) -> None:
        self.gamma, self.beta = np.array(gamma), np.array(beta)
        self.dgamma, self.dbeta = np.zeros_like(self.gamma), np.zeros_like(self.beta)
        self.running_mean, self.running_var = np.zeros_like(self.gamma), np.ones_like(self.gamma)
        self.momentum, self.eps = momentum, eps

    def forward(self, x: Array, training: bool) -> Array:
        """Normalize a batch, in training mode with its own statistics."""
        mean, var = (x.mean(axis=0), x.var(axis=0)) if training else (self.running_mean, self.running_var)
        if training:
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.inv_std = 1 / np.sqrt(var + self.eps)
        self.x_hat = (x - mean) * self.inv_std
        return self.gamma * self.x_hat + self.beta

    def backward(self, dout: Array) -> Array:
        """The gradient of the last forward in training mode; sets dgamma and dbeta."""
        self.dgamma, self.dbeta = np.sum(dout * self.x_hat, axis=0), dout.sum(axis=0)
        return self.inv_std * self.through(self.gamma * dout)

    def through(self, g: Array) -> Array:
        """What is left of a gradient behind the three paths."""
        return g - g.mean(axis=0) - self.x_hat * np.mean(g * self.x_hat, axis=0)


class Diagonal(Norm):
    """Only the diagonal of the Jacobian: each example on its own."""

    def through(self, g: Array) -> Array:
        """See the class."""
        return g * (1 - (1 + self.x_hat**2) / len(g))


class WithoutMean(Norm):
    """The path through the mean is left out."""

    def through(self, g: Array) -> Array:
        """See the class."""
        return g - self.x_hat * np.mean(g * self.x_hat, axis=0)


class WithoutVariance(Norm):
    """The path through the variance is left out."""

    def through(self, g: Array) -> Array:
        """See the class."""
        return g - g.mean(axis=0)


class Noisy(Norm):
    """A new distribution behind the normalization at every step: each output is stretched and shifted at random.

    After Santurkar et al. 2018: shift and stretch are drawn anew for each feature and step, and for each example around those.
    """

    def __init__(self, gamma: Array, beta: Array, momentum: float = 0.9, eps: float = 1e-5) -> None:
        super().__init__(gamma, beta, momentum, eps)
        self.rng = np.random.default_rng(0)

    def forward(self, x: Array, training: bool) -> Array:
        """As without noise, which is there while training only."""
        out = super().forward(x, training)
        if not training:
            return out
        middle, spread = self.rng.uniform(-0.5, 0.5, size=out.shape[1]), self.rng.uniform(1, 1.25, size=out.shape[1])
        self.stretch = self.rng.normal(spread, 0.1, size=out.shape)
        return self.stretch * out + self.rng.uniform(middle - 0.1, middle + 0.1, size=out.shape)

    def backward(self, dout: Array) -> Array:
        """The noise does not depend on what is normalized."""
        return super().backward(self.stretch * dout)


WRONG: dict[str, Callable[..., Norm]] = {
    "diagonal only": Diagonal,
    "no path through the mean": WithoutMean,
    "no path through the variance": WithoutVariance,
}
"""The three wrong gradients that lesson 06 trains."""
