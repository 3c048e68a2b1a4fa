"""A deep fully connected network whose parameters are one array: affine layers, a normalization if one is given, ReLU or tanh."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bnlib.numerics import Array


class Network:
    """Affine layers with a nonlinearity between them, and in front of each of these a normalization, where one is given.

    Args:
        sizes: Inputs, units of each hidden layer, classes.
        norm: What makes a normalization of gamma and beta, with the methods of lesson 05's ``BatchNorm``; None for a plain network.
        activation: "relu" or "tanh".
    """

    def __init__(self, sizes: Sequence[int], norm: Callable[..., Any] | None = None, activation: str = "relu") -> None:
        self.sizes, self.activation = tuple(sizes), activation
        hidden = self.sizes[1:-1]
        self.norms = [norm(np.ones(size), np.zeros(size)) for size in hidden] if norm else []
        self._shapes: list[tuple[int, ...]] = []
        for inputs, outputs in zip(self.sizes, self.sizes[1:], strict=False):
            self._shapes += [(inputs, outputs), (outputs,)]
        if norm:
            self._shapes += [(size,) for size in (*hidden, *hidden)]
        ends = np.cumsum([math.prod(shape) for shape in self._shapes]).tolist()
        self._places = [slice(first, last) for first, last in zip([0, *ends], ends, strict=False)]

    def start(self, scale: float, seed: int) -> Array:
        """First parameters: normal weights with this standard deviation, zero biases, gamma one, beta zero; (P,) array."""
        normal = np.random.default_rng(seed).normal
        depth = len(self.sizes) - 1
        affine = [
            np.zeros(shape) if len(shape) == 1 else scale * normal(size=shape) for shape in self._shapes[: 2 * depth]
        ]
        gammas = [np.ones(len(norm.gamma)) for norm in self.norms]
        return np.concatenate([np.ravel(part) for part in (*affine, *gammas, *map(np.zeros_like, gammas))])

    def parts(self, theta: Array) -> tuple[list[Array], list[Array], list[Array], list[Array]]:
        """Weights, biases, gammas and betas, views of the array."""
        views = [theta[place].reshape(shape) for place, shape in zip(self._places, self._shapes, strict=True)]
        affine, rest = views[: 2 * (len(self.sizes) - 1)], views[2 * (len(self.sizes) - 1) :]
        return affine[::2], affine[1::2], rest[: len(self.norms)], rest[len(self.norms) :]

    def forward(self, theta: Array, x: Array, training: bool = True) -> tuple[Array, Any]:
        """Scores of a batch, (N, C), and what ``backward`` needs. In evaluation mode the normalizations serve."""
        weights, biases, gammas, betas = self.parts(theta)
        inputs, before = [], []
        for number, (weight, bias) in enumerate(zip(weights[:-1], biases[:-1], strict=True)):
            inputs.append(x)
            x = x @ weight + bias
            if self.norms:
                norm = self.norms[number]
                norm.gamma[...], norm.beta[...] = gammas[number], betas[number]
                x = norm.forward(x, training)
            before.append(x)
            x = np.tanh(x) if self.activation == "tanh" else np.maximum(x, 0)
        inputs.append(x)
        return x @ weights[-1] + biases[-1], (theta, inputs, before)

    def backward(self, dscores: Array, cache: Any) -> Array:
        """The gradient of all parameters, (P,)."""
        return self.backward_through(dscores, cache)[0]

    def backward_through(self, dscores: Array, cache: Any) -> tuple[Array, list[Array]]:
        """The gradient of all parameters, and what arrives behind each hidden layer, (N, H) each."""
        theta, inputs, before = cache
        weights = self.parts(theta)[0]
        dtheta: Array = np.empty_like(theta)
        dweights, dbiases, dgammas, dbetas = self.parts(dtheta)
        dweights[-1][...], dbiases[-1][...] = inputs[-1].T @ dscores, dscores.sum(axis=0)
        arrived: list[Array] = []
        da = dscores @ weights[-1].T
        for number in reversed(range(len(before))):
            arrived.append(da)
            dy = da * (1 - inputs[number + 1] ** 2 if self.activation == "tanh" else before[number] > 0)
            if self.norms:
                norm = self.norms[number]
                dy = norm.backward(dy)
                dgammas[number][...], dbetas[number][...] = norm.dgamma, norm.dbeta
            dweights[number][...], dbiases[number][...] = inputs[number].T @ dy, dy.sum(axis=0)
            if number:
                da = dy @ weights[number].T
        return dtheta, arrived[::-1]
