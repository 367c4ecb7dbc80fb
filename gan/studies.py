"""What `python -m gan dynamics` finds out, as plain numbers: theory and simulation side by side."""

import math

import torch

from gan import dynamics, laws
from gan.losses import LOSSES

GAMMAS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 1.0, 2.0, 3.0)
STARTS = ((0.6, 1.5), (-0.4, 0.6))  # of (w, rho) in the plane of one unit; of the Dirac-GAN with rho - 1


def time_constants(n_teachers, seed=0):
    """Of the slowest mode over random teachers, for each gamma: the quartiles, in steps times the learning rate.

    At W_g = W*, and at generators with random directions: the angles are free, and the curvature depends on them.
    """
    teacher = laws.teacher_weights(range(seed, seed + n_teachers))
    quartiles = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
    found = {"n_teachers": n_teachers, "gamma": list(GAMMAS)}
    for name, generator in _equilibria(teacher, seed):
        s, c = dynamics.linearised("saturating", teacher, generator)
        found[name] = [dynamics.time_constant(s, gamma, c).quantile(quartiles).tolist() for gamma in GAMMAS]
    return found


def spectral_radii(n_teachers, seed=0, h=0.5):
    """Of a step of size h without gamma, over random teachers: medians, and the part of them that are stable."""
    teacher = laws.teacher_weights(range(seed, seed + n_teachers))
    found = {"n_teachers": n_teachers, "h": h}
    for name, generator in _equilibria(teacher, seed):
        s, c = dynamics.linearised("saturating", teacher, generator)
        for updates in dynamics.UPDATES:
            radius = dynamics.spectral_radius(s, 0.0, c, h, updates)
            found[f"{name}, {updates}"] = {
                "median": radius.median().item(),
                "stable": (radius < 1).double().mean().item(),
            }
    return found


def _equilibria(teacher, seed):
    return (("at the teacher", teacher), ("at random angles", dynamics.equilibria(teacher, seed)))


def eigenvalues(seed=0, gammas=(0.0, 0.1)):
    """Of the Jacobian at a generator with random angles, by autograd and by the formula, for each loss."""
    teacher = laws.teacher_weights([seed])
    generator = dynamics.equilibria(teacher, seed)
    found = []
    for loss in LOSSES:
        s, coupling = dynamics.linearised(loss, teacher, generator)
        for gamma in gammas:
            roots = dynamics.modes(s, gamma, coupling).flatten()
            autograd = torch.linalg.eigvals(dynamics.jacobian(loss, gamma, teacher[0], generator[0]))
            autograd = autograd[autograd.abs().argsort()[5:]]  # five are zero: the free angles
            error = max(min((a - b).abs() for b in roots) for a in autograd)
            found.append(
                {
                    "loss": loss,
                    "gamma": gamma,
                    "formula": [[z.real.item(), z.imag.item()] for z in roots],
                    "autograd": [[z.real.item(), z.imag.item()] for z in autograd],
                    "error": (error / roots.abs().max()).item(),
                }
            )
    return found


def typical_seed(n_teachers, seed=0):
    """Of the teacher whose slowest mode, the one of least curvature, is the median among n_teachers."""
    teacher = laws.teacher_weights(range(seed, seed + n_teachers))
    s, _ = dynamics.linearised("saturating", teacher, teacher)
    return seed + int(s.amin(1).median(0).indices)


def stability_map(updates, seed=0, side=32):
    """Over learning rates h and gammas: growth per step, simulated, and the largest modulus of the formula."""
    teacher = laws.teacher_weights([seed])
    s, coupling = dynamics.linearised("saturating", teacher, teacher)
    top = 2.5 / s.max().item()
    h = (torch.arange(side, dtype=torch.float64) + 0.5) * top / side
    gamma = torch.logspace(-3, math.log10(3), side, dtype=torch.float64)
    grid_h, grid_gamma = (grid.flatten() for grid in torch.meshgrid(h, gamma, indexing="ij"))
    grown = dynamics.growth(teacher[0], grid_gamma, grid_h, updates)
    k = s + grid_gamma[:, None]
    steps = dynamics.step_matrix(k, coupling, grid_h[:, None], updates)
    radius = torch.linalg.eigvals(steps).abs().amax((-1, -2))
    return {
        "updates": updates,
        "s": s[0].tolist(),
        "c": coupling,
        "h": h.tolist(),
        "gamma": gamma.tolist(),
        "growth": grown.view(side, side).tolist(),
        "radius": radius.view(side, side).tolist(),
        "agree": ((grown < 1) == (radius < 1)).double().mean().item(),
    }


def portraits(gammas=(0.0, 0.1), h=0.5, n_steps=400):
    """Trajectories of the Dirac-GAN and of ours with one unit, simultaneous and alternating."""
    found = []
    for name, field, shift in (("Dirac-GAN", dynamics.dirac_field, 1.0), ("one unit", dynamics.one_unit_field, 0.0)):
        for gamma in gammas:
            for updates in dynamics.UPDATES:
                paths = [
                    dynamics.trajectory(field, (w, other - shift), gamma, h, n_steps, updates) for w, other in STARTS
                ]
                found.append(
                    {"game": name, "gamma": gamma, "updates": updates, "paths": [path.tolist() for path in paths]}
                )
    return found
