"""The laws of the data and of the noise: each a map from standard normals to points, so that one stream feeds them all.

Points are columns: (K, 5, B) for K GANs and B samples, noise (K, 2, B).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from gan import draws

N_LATENT, N_HIDDEN = 2, 5
SPREAD = 0.75  # standard deviation of the logarithm of a random scale; E[scale] = exp(SPREAD^2 / 2) = 1.3248
SHIFT = 0.5  # standard deviation of each coordinate of a random mean


@dataclass(frozen=True)
class DataLaw:
    """n_normals: how many standard normals a sample takes; points: from (K, n_normals, B) of them to samples."""

    n_normals: int
    points: Callable


def teacher(weights):
    """z = ReLU(W* x), x standard normal; weights: W*, (K, 5, 2)."""
    return DataLaw(N_LATENT, lambda normals: (weights.to(normals) @ normals).relu())


def teacher_weights(seeds):
    """A W* of standard normal entries for each seed: (K, 5, 2), float64."""
    return draws.normals(seeds, draws.TEACHER, 0, (N_HIDDEN, N_LATENT)).double()


def rows(array):
    """The rows of a tensor (N, 5), each as likely as the others."""

    def points(normals):
        places = (torch.special.ndtr(normals[:, 0].double()) * len(array)).long().clamp(max=len(array) - 1)
        return array.to(normals)[places].transpose(1, 2)

    return DataLaw(1, points)


def _columns(*values):
    return torch.tensor(values)[:, None]


def _normal(normals):
    return _columns(0.5, 0.75, 1.0, 1.25, 1.5).to(normals) + 0.7 * normals


def _unreachable(normals):
    """The mean of the fourth coordinate is negative, and no ReLU has a negative mean."""
    return _columns(0.5, 0.75, 1.0, -0.5, 1.5).to(normals) + 0.7 * normals


def _clusters(normals):
    """Two of equal weight, about (1/2, …) and (3/2, …)."""
    centre = 1 + normals[:, -1:].sign() / 2
    return centre + 0.2 * normals[:, :-1]


# The toy laws on R^5, by name.
TOYS = {
    "normal": DataLaw(N_HIDDEN, _normal),
    "uniform": DataLaw(N_HIDDEN, torch.special.ndtr),
    "exponential": DataLaw(N_HIDDEN, lambda normals: -torch.special.log_ndtr(normals)),
    "clusters": DataLaw(N_HIDDEN + 1, _clusters),
    "unreachable": DataLaw(N_HIDDEN, _unreachable),
}


# ------------------------------------------------------------------------ the noise

# Of mean 0 and variance 1, from standard normals.
FAMILIES = (
    lambda z: z,
    lambda z: math.sqrt(3) * (2 * torch.special.ndtr(z) - 1),  # uniform
    lambda z: z.sign() * -torch.special.log_ndtr(-z.abs()).add(math.log(2)) / math.sqrt(2),  # Laplace
    lambda z: z.sign(),  # a fair coin
)


@dataclass(frozen=True)
class NoiseLaw:
    """n_drawn: standard normals that draw one law; points: from normals (K, 2, B) and drawn (K, n_drawn, 1 or B)."""

    n_drawn: int
    points: Callable


def _families(normals, drawn):
    choice = (torch.special.ndtr(drawn) * len(FAMILIES)).long().clamp(max=len(FAMILIES) - 1)
    return sum((choice == i) * family(normals) for i, family in enumerate(FAMILIES))


NOISE = {
    "normal": NoiseLaw(0, lambda normals, drawn: normals),
    "scales": NoiseLaw(1, lambda normals, drawn: torch.exp(SPREAD * drawn) * normals),
    "scales-and-means": NoiseLaw(
        3, lambda normals, drawn: torch.exp(SPREAD * drawn[:, :1]) * normals + SHIFT * drawn[:, 1:]
    ),
    "families": NoiseLaw(1, _families),
}
