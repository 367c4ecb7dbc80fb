"""Discriminators that are linear in their weights: the logit of a sample z is W_d f(z), with no bias.

Samples are columns: (K, 5, B). Then the value is concave in W_d, and a best response can be found exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from gan.laws import N_HIDDEN

_UPPER = torch.triu_indices(N_HIDDEN, N_HIDDEN)


@dataclass(frozen=True)
class Discriminator:
    """features: samples (K, 5, B) -> (K, size, B); slope: the gradient of the logit by the sample, (K, 5, 1 or B)."""

    size: int
    features: Callable
    slope: Callable


def _products(z):
    """z_i z_j for i <= j, after z itself: (K, 20, B)."""
    return torch.cat([z, z[:, _UPPER[0]] * z[:, _UPPER[1]]], dim=1)


def _quadratic_slope(weights, z):
    form = weights.new_zeros(len(weights), N_HIDDEN, N_HIDDEN)
    form[:, _UPPER[0], _UPPER[1]] = weights[:, N_HIDDEN:]
    return weights[:, :N_HIDDEN, None] + torch.bmm(form + form.transpose(1, 2), z)


DISCRIMINATORS = {
    "linear": Discriminator(N_HIDDEN, lambda z: z, lambda weights, z: weights[..., None]),
    "quadratic": Discriminator(N_HIDDEN + len(_UPPER[0]), _products, _quadratic_slope),
}
