"""The gradients that training uses and those that `derivations` derives, against autograd, in float64."""

import inspect

import numpy as np
import torch

from gan import gradients, symbolic
from runner.errors import DivergedError

TOLERANCE = 1e-12


def compare(game):
    """The largest relative errors at the batch that the first GAN of a game draws next: name -> number.

    Raises DivergedError, which names the gradient, for one above TOLERANCE.
    """
    real, noise, own_noise = (part[:1].double() for part in game.batch())
    w_d, w_g = (game.weights[name][:1].double() for name in ("W_d", "W_g"))
    truth = by_autograd(game.loss, game.kind, w_d, w_g, real, noise, own_noise)
    candidates = {
        "closed_form": (
            gradients.by_discriminator(game.loss, game.kind, w_d, real, gradients.generated(w_g, noise)),
            gradients.by_generator(game.loss, game.kind, w_d, w_g, own_noise),
        )
    }
    if game.config.discriminator == "linear":
        by_w_d, by_w_g = symbolic.GRADIENTS[game.config.loss]
        rows = {"R": real[0].T, "X": noise[0].T, "W_d": w_d, "W_g": w_g[0]}
        candidates["symbolic"] = (_called(by_w_d, rows), _called(by_w_g, rows | {"X": own_noise[0].T})[None])
    found = {
        f"{name}_error": float(np.max([_error(g, *t) for g, t in zip(pair, truth, strict=True)]))
        for name, pair in candidates.items()
    }
    wrong = [name for name, error in found.items() if not error < TOLERANCE]
    if wrong:
        raise DivergedError(f"at step {game.step:,} the gradients are not those of autograd: {found}")
    return found


def by_autograd(loss, kind, w_d, w_g, real, noise, own_noise):
    """((gradient by W_d, its scale), (gradient by W_g, its scale)), straight from the definition of the two losses.

    A scale is the size of the terms that the gradient is the sum of: at the optimum they cancel.
    """
    w_d, w_g = (w.detach().clone().requires_grad_(True) for w in (w_d, w_g))

    def logit(samples):
        return (w_d[..., None] * kind.features(samples)).sum(1)

    terms = loss.real(logit(real)).mean(), loss.fake(logit(torch.relu(w_g @ noise))).mean()
    parts = [torch.autograd.grad(term, w_d, retain_graph=True)[0] for term in terms]
    (own,) = torch.autograd.grad(loss.own(logit(torch.relu(w_g @ own_noise))).mean(), w_g)
    return (sum(parts), max(part.abs().max() for part in parts)), (own, own.abs().max())


def _called(function, known):
    return function(**{name: known[name] for name in inspect.signature(function).parameters})


def _error(gradient, truth, scale):
    return 0.0 if torch.equal(gradient, truth) else ((gradient - truth).abs().max() / scale).item()
