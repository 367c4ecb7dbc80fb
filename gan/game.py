"""Many GANs that play at once: their parameters are stacked, and each step is one closed-form update of all.

They may differ in seed, learning rate and gamma; in everything else they are alike. What one of them does depends on
its own configuration alone, not on the others.
"""

import importlib
import math
from dataclasses import replace

import numpy as np
import torch

from gan import draws, files, gradients, laws
from gan.discriminators import DISCRIMINATORS
from gan.losses import LOSSES
from runner.errors import ConfigError
from runner.schedules import factor

# What the fused engine is written for, and from how many GANs on it is worth its compilation.
FUSED = {
    "discriminator": ("linear",),
    "loss": ("saturating", "non-saturating"),
    "data": ("teacher",),
    "latent": ("normal",),
    "fresh_noise": (True,),
    "optimizer": ("sgd",),
    "momentum": (0.0,),
    "precision": ("float32",),
}
WORTH = 8
# In what the GANs of one game may differ.
OWN = ("name", "seed", "learning_rate", "gamma")
DTYPES = {"float32": torch.float32, "float64": torch.float64}
# Adam: Kingma & Ba (2015), with the usual beta2 and epsilon.
BETA2, EPSILON = 0.999, 1e-8


def alike(config):
    """What GANs must have in common to play in one game: a configuration without what is its own."""
    return replace(config, name="", seed=0, learning_rate=0.0, gamma=0.0)


class Game:
    """K GANs at the start of their training; `advance` plays, `state` and `load_state` save and go on."""

    def __init__(self, configs, device):
        self.config, self.given, self.device = configs[0], configs, device
        if any(alike(c) != alike(self.config) for c in configs):
            raise ConfigError(f"GANs that play together differ in {', '.join(OWN)} alone")
        self.seeds = [c.seed for c in configs]
        self.loss, self.kind = LOSSES[self.config.loss], DISCRIMINATORS[self.config.discriminator]
        self.where = {"device": device, "dtype": DTYPES[self.config.precision]}
        self.learning_rate = torch.tensor([c.learning_rate for c in configs], **self.where)
        self.gamma = torch.tensor([c.gamma for c in configs], **self.where)[:, None]
        self.teacher = laws.teacher_weights(self.seeds) if self.config.data == "teacher" else None
        self.data = files.law(self.config.data) if self.teacher is None else laws.teacher(self.teacher.to(device))
        self.noise = laws.NOISE[self.config.latent]
        self.stream, self.law_stream = (draws.Stream(self.seeds, s, device) for s in (draws.NOISE, draws.LAW))
        self.kernels = _kernels(self.config, device, len(configs))
        self.step = 0
        self.weights = self._start()
        self.moments = {name: [torch.zeros_like(w), torch.zeros_like(w)] for name, w in self.weights.items()}
        self.sums = {name: torch.zeros_like(w, dtype=torch.float64) for name, w in self.weights.items()}

    def _start(self):
        shapes = {"W_g": (laws.N_HIDDEN, laws.N_LATENT), "W_d": (self.kind.size,)}
        scales = {"W_g": self.config.generator_start, "W_d": self.config.discriminator_start}
        return {
            name: scales[name] * draws.normals(self.seeds, draws.WEIGHTS, place, shape).to(**self.where)
            for place, (name, shape) in enumerate(shapes.items())
        }

    def advance(self, n_steps):
        if self.kernels:
            self._advance_fused(n_steps)
            return
        for _ in range(n_steps):
            self._play(*self.batch())
            self.step += 1
            if self.step > self.first_averaged:
                for name, total in self.sums.items():
                    total += self.weights[name]

    def _advance_fused(self, n_steps):
        config, steps = self.config, range(self.step, self.step + n_steps)
        self.kernels.play(
            self.stream.keys.numpy().view(np.uint64),
            self.step,
            np.array([factor(config.schedule, step, config.steps) for step in steps], dtype=np.float32),
            self.weights["W_g"].numpy(),
            self.weights["W_d"].numpy(),
            self.teacher.float().numpy(),
            self.learning_rate.numpy(),
            self.gamma[:, 0].contiguous().numpy(),
            config.batch_size,
            1 if config.loss == "saturating" else -1,
            config.updates == "alternating",
            self.first_averaged,
            self.sums["W_g"].numpy(),
            self.sums["W_d"].numpy(),
        )
        self.step += n_steps

    @property
    def first_averaged(self):
        """After this step the weights are added up; the number of steps where they never are."""
        return self.config.steps - math.floor(self.config.average * self.config.steps)

    def batch(self):
        """What this step draws: (real (K, 5, B), noise of the discriminator's update (K, 2, B), of the generator's)."""
        config, n = self.config, laws.N_LATENT
        rows = self.data.n_normals + (2 * n if config.fresh_noise else n)
        normals = self.stream.normals(self.step, (rows, config.batch_size)).to(**self.where)
        drawn = normals[:, :0]
        if self.noise.n_drawn:
            shape = (self.noise.n_drawn, 1)
            drawn = self.law_stream.normals(self.step // config.hold, shape).to(**self.where)
        real = self.data.points(normals[:, rows - self.data.n_normals :])
        first = self.noise.points(normals[:, :n], drawn)
        return real, first, self.noise.points(normals[:, n : 2 * n], drawn) if config.fresh_noise else first

    def _play(self, real, noise, own_noise):
        w_d, w_g = self.weights["W_d"], self.weights["W_g"]
        fake = gradients.generated(w_g, noise)
        ascent = gradients.by_discriminator(self.loss, self.kind, w_d, real, fake) - self.gamma * w_d
        moved = w_d - self._descent("W_d", -ascent)
        if self.loss.lipschitz:
            moved = moved / moved.norm(dim=1, keepdim=True).clamp(min=1)
        if self.config.updates == "alternating":
            w_d = moved
        descent = gradients.by_generator(self.loss, self.kind, w_d, w_g, own_noise)
        self.weights = {"W_d": moved, "W_g": w_g - self._descent("W_g", descent)}

    def _descent(self, name, gradient):
        """What to subtract from the weights. SGD's momentum as PyTorch has it: v = momentum v + gradient."""
        config, moments = self.config, self.moments[name]
        rate = self.learning_rate * factor(config.schedule, self.step, config.steps)
        rate = rate.view(-1, *[1] * (gradient.ndim - 1))
        if config.optimizer == "sgd":
            if config.momentum:
                gradient = moments[0] = config.momentum * moments[0] + gradient
            return rate * gradient
        t = self.step + 1
        moments[0] = config.momentum * moments[0] + (1 - config.momentum) * gradient
        moments[1] = BETA2 * moments[1] + (1 - BETA2) * gradient**2
        mean, square = moments[0] / (1 - config.momentum**t), moments[1] / (1 - BETA2**t)
        return rate * mean / (square.sqrt() + EPSILON)

    def finite(self):
        """Which of the GANs have finite weights still: (K,) of truth values."""
        return torch.stack([w.flatten(1).isfinite().all(1) for w in self.weights.values()]).all(0)

    def result(self):
        """The weights, averaged where the configuration says so, in float64."""
        count = self.step - self.first_averaged
        if self.config.average and count > 0:
            return {name: total / count for name, total in self.sums.items()}
        return {name: w.double() for name, w in self.weights.items()}

    def state(self):
        """What load_state needs; tensors and plain numbers only."""
        return {
            "step": self.step,
            "weights": _copied(self.weights),
            "moments": self._moments(),
            "sums": _copied(self.sums),
        }

    def _moments(self):
        return {name: [m.clone() for m in pair] for name, pair in self.moments.items()}

    def load_state(self, state):
        self.step, self.moments = state["step"], state["moments"]
        self.moments = self._moments()
        self.weights, self.sums = _copied(state["weights"]), _copied(state["sums"])


def _copied(tensors):
    return {name: tensor.clone() for name, tensor in tensors.items()}


def _kernels(config, device, n_gans):
    """The module of the fused engine where the configuration asks for it, or it is worth it and there; else None."""
    if config.engine == "plain" or (config.engine == "auto" and n_gans < WORTH):
        return None
    other = [name for name, known in FUSED.items() if getattr(config, name) not in known]
    reason = f"needs {other[0]} = {FUSED[other[0]][0]!r}, not {getattr(config, other[0])!r}" if other else None
    reason = "runs on the CPU" if device.type != "cpu" else reason
    try:
        module = None if reason else importlib.import_module("gan.kernels")
    except ModuleNotFoundError as error:
        reason = f"needs {error.name}: pip install 'matrix-derivations[fused]'"
    if reason and config.engine == "fused":
        raise ConfigError(f"--engine fused {reason}; --engine plain takes all")
    return None if reason else module
