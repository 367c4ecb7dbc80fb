"""Weighted points in place of a law: an expectation is a weighted sum over them, the same for every GAN.

For standard normal noise they are a quadrature, so that V, its best response and the means come out without the noise
of samples; for the other laws, a large sample that is spread evenly.
"""

import functools
import math

import numpy as np
import torch

from gan import laws

N_ANGLES, N_RADII, LARGEST = 512, 24, 9.0
N_SAMPLES = 2**15


@functools.lru_cache(maxsize=1)
def _polar():
    """(points (2, N), weights (N,)) of the standard normal law on the plane, float64.

    The trapezoidal rule in the angle, whose error falls as 1 / N_ANGLES^2 where a ReLU has its kink, and Gauss's in the
    radius, whose density is r exp(-r^2 / 2); beyond LARGEST there is 3e-18 of it.
    """
    nodes, weights = np.polynomial.legendre.leggauss(N_RADII)
    radii = torch.tensor((nodes + 1) * LARGEST / 2)
    masses = torch.tensor(weights * LARGEST / 2) * radii * torch.exp(-(radii**2) / 2)
    angles = (torch.arange(N_ANGLES, dtype=torch.float64) + 0.5) * (2 * math.pi / N_ANGLES)
    circle = torch.stack([angles.cos(), angles.sin()])
    points = (circle[:, :, None] * radii).flatten(1)
    weights = masses.repeat(N_ANGLES)
    return points, weights / weights.sum()


def _normals(n_rows):
    """Standard normals (1, n_rows, N_SAMPLES) of a scrambled Sobol sequence, whose means are closer than at random."""
    uniform = torch.quasirandom.SobolEngine(n_rows, scramble=True, seed=0).draw(N_SAMPLES, dtype=torch.float64)
    return torch.special.ndtri(uniform.clamp(1e-12, 1 - 1e-12)).T[None].contiguous()


def noise(latent):
    """(points (2, N), weights (N,)) of the law of the noise; of one that changes, of its mixture."""
    if latent == "normal":
        return _polar()
    law = laws.NOISE[latent]
    drawn = _normals(law.n_drawn + laws.N_LATENT)
    points = law.points(drawn[:, law.n_drawn :], drawn[:, : law.n_drawn])[0]
    return points, torch.full((N_SAMPLES,), 1 / N_SAMPLES, dtype=torch.float64)


def data(law):
    """(points (K or 1, 5, N), weights (N,)) of a law of the data."""
    if law.n_normals == laws.N_LATENT:
        normals, weights = _polar()
        return law.points(normals[None]), weights
    return law.points(_normals(law.n_normals)), torch.full((N_SAMPLES,), 1 / N_SAMPLES, dtype=torch.float64)
