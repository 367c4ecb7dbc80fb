"""How far a GAN has come: the value, its best response, and distances between generated samples and data.

K GANs at once; samples are columns (K, 5, N), weights (N,) are their probabilities.
"""

import math

import numpy as np
import torch

from gan.gradients import logits
from gan.losses import SATURATING

MOST_STEPS, MOST_HALVINGS = 50, 30
ENOUGH = 1e-9  # of a gain in V by one more step; by then the error is about its square


def value(loss, real_logits, fake_logits, real_weights, fake_weights):
    """E real(s) + E fake(s) from logits (K, N): (K,)."""
    return loss.real(real_logits) @ real_weights + loss.fake(fake_logits) @ fake_weights


def best_response(kind, real, fake, real_weights, fake_weights):
    """(the W_d that maximises V against a fixed G (K, F), its V (K,)), by Newton's method with backtracking.

    V = E log D + E log(1 - D) is concave in W_d, which is a logistic regression of "real" on the features. Where the
    laws can be told apart for certain the supremum 0 is not attained, and the search stops close to it.
    """
    count = len(fake)
    features = [kind.features(samples).expand(count, -1, -1) for samples in (real, fake)]
    weights = real_weights, fake_weights
    w = fake.new_zeros(count, kind.size)
    found = _value_at(w, features, weights)
    active = torch.arange(count, device=fake.device)
    for _ in range(MOST_STEPS):
        here = [f[active] for f in features]
        step, gain = _newton_step(w[active], here, weights)
        length = torch.ones_like(gain)
        for _ in range(MOST_HALVINGS):
            tried = _value_at(w[active] + length[:, None] * step, here, weights)
            short = ~(tried >= found[active] + 1e-4 * length * gain)  # Armijo's rule
            if not short.any():
                break
            length = torch.where(short, length / 2, length)
        better = tried > found[active]
        w[active[better]] += (length[:, None] * step)[better]
        found[active[better]] = tried[better]
        active = active[better & (gain > ENOUGH)]
        if not len(active):
            break
    return w, found


def _value_at(w, features, weights):
    return value(SATURATING, *(torch.bmm(w[:, None], f)[:, 0] for f in features), *weights)


def _newton_step(w, features, weights):
    gradient, curvature = 0.0, 0.0
    for f, mass, sign in zip(features, weights, (1.0, -1.0)):
        right = torch.sigmoid(sign * torch.bmm(w[:, None], f))  # (K, 1, N): the probability of the true kind
        gradient = gradient + sign * ((1 - right) * mass * f).sum(2)
        curvature = curvature + torch.bmm(f * (right * (1 - right) * mass), f.transpose(1, 2))
    # The curvature is singular where the features depend on one another; a trace of ridge leaves the step an ascent.
    size = curvature.diagonal(dim1=1, dim2=2).mean(1)
    ridge = (1e-12 * size + 1e-300)[:, None, None] * torch.eye(w.shape[1], dtype=w.dtype, device=w.device)
    step = torch.linalg.solve(curvature + ridge, gradient)
    return step, (step * gradient).sum(1)


def moments(loss, kind, w_d, real, fake, real_weights, fake_weights):
    """name -> (K,): what the players' game looks like, without sampling noise where the points have none."""
    real = real.expand(len(fake), -1, -1)
    s_real, s_fake = logits(kind, w_d, real), logits(kind, w_d, fake)
    d_real, d_fake = torch.sigmoid(s_real), torch.sigmoid(s_fake)
    points = (s_real, s_fake, real_weights, fake_weights)
    best = best_response(kind, real, fake, real_weights, fake_weights)[1]
    return {
        "V": value(SATURATING, *points),
        "best_response_gap": best + math.log(4),
        "objective": value(loss, *points),
        "D_real": d_real @ real_weights,
        "D_fake": d_fake @ fake_weights,
        "D_distance": ((d_real - 0.5).abs() @ real_weights + (d_fake - 0.5).abs() @ fake_weights) / 2,
        "W_d_norm": w_d.norm(dim=1),
        "mean_distance": (real @ real_weights - fake @ fake_weights).norm(dim=1),
    }


# ------------------------------------------------------------- distances between samples


def sliced_wasserstein(a, b, directions):
    """Mean over directions (d, 5) of the distance W_1 between projections of samples a, b (5, N): a number.

    Source: Bonneel et al. (2015), Sliced and Radon Wasserstein barycenters of measures.
    """
    # NumPy's sort is several times faster than PyTorch's on the CPU.
    on_a, on_b = (np.sort((directions @ x).numpy(), axis=1) for x in (a, b))
    return float(np.abs(on_a - on_b).mean())


def energy_distance(a, b):
    """2 E|a - b| - E|a - a'| - E|b - b'| of samples (5, N): a number, zero in expectation only if the laws agree.

    Source: Székely & Rizzo (2013), Energy statistics.
    """
    n = a.shape[1]
    between = torch.cdist(a.T, b.T).mean()
    within = sum(torch.cdist(x.T, x.T).sum() / (n * (n - 1)) for x in (a, b))
    return (2 * between - within).item()


def gram_error(w_g, target):
    """‖W_g W_g' - W* W*'‖ / ‖W* W*'‖, Frobenius, of (K, 5, 2) both: (K,); 0 where they are equal up to a rotation."""
    ours, theirs = (torch.bmm(w, w.transpose(1, 2)) for w in (w_g, target))
    return (ours - theirs).norm(dim=(1, 2)) / theirs.norm(dim=(1, 2))
