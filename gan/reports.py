"""What a history and metrics.json say of GANs, and the traps that they fell into."""

import math

import torch

from gan import draws, laws, measures, points
from gan.gradients import generated

N_DIRECTIONS, N_PROJECTED, N_PAIRED = 128, 10_000, 2_000
# A mean that a ReLU cannot have: by so many standard errors of the points below zero.
CERTAINLY_NEGATIVE = 5.0
# Of a row of W_g against the mean that it should make: such a unit makes almost nothing.
DEAD = 0.01
AT_ONCE = 64  # GANs whose points are in memory together


class Report:
    """The measures of a game's GANs; the points they are taken at are drawn once."""

    def __init__(self, game):
        self.game = game
        self.noise, self.noise_weights = points.noise(game.config.latent)
        self.data, self.data_weights = points.data(game.data)

    def now(self):
        """A dictionary of numbers for each GAN, of its present weights."""
        return self._moments({name: w.double().cpu() for name, w in self.game.weights.items()})

    def _moments(self, weights):
        found = []
        for start in range(0, len(self.game.seeds), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            fake = (weights["W_g"][part] @ self.noise).relu()
            real = self.data if len(self.data) == 1 else self.data[part]
            moments = measures.moments(
                self.game.loss, self.game.kind, weights["W_d"][part], real, fake, self.data_weights, self.noise_weights
            )
            found += [dict(zip(moments, row)) for row in zip(*(column.tolist() for column in moments.values()))]
        return found

    def final(self):
        """(the metrics of each GAN but the seconds, its samples {"real", "fake"} (N, 5)), of its resulting weights."""
        game = self.game
        weights = {name: w.cpu() for name, w in game.result().items()}
        moments = self._moments(weights)
        grams = measures.gram_error(weights["W_g"], game.teacher) if game.teacher is not None else None
        ratios = (weights["W_g"].norm(dim=2) / game.teacher.norm(dim=2)).mean(1) if grams is not None else None
        metrics, samples = [], []
        for k in range(len(game.seeds)):
            real, other, fake = self._samples(k, weights["W_g"][k])
            distances = {
                "sliced_wasserstein": _sliced(real, fake),
                "sliced_wasserstein_floor": _sliced(real, other),
                "energy_distance": measures.energy_distance(real[:, :N_PAIRED], fake[:, :N_PAIRED]),
                "gram_error": grams[k].item() if grams is not None else None,
                "norm_ratio": ratios[k].item() if grams is not None else None,
            }
            metrics.append(self._identity(k) | moments[k] | distances | {"notes": self.notes(k, weights["W_g"][k])})
            samples.append({"real": real[:, :N_PAIRED].T.numpy(), "fake": fake[:, :N_PAIRED].T.numpy()})
        return metrics, samples

    def _identity(self, k):
        game, config = self.game, self.game.config
        names = ("loss", "discriminator", "updates", "data", "latent", "hold", "batch_size", "steps", "optimizer")
        return {
            "name": game.given[k].name,
            "seed": game.seeds[k],
            **{name: getattr(config, name) for name in names},
            "learning_rate": game.given[k].learning_rate,
            "gamma": game.given[k].gamma,
            "device": str(game.device),
            "torch": torch.__version__,
        }

    def _samples(self, k, w_g):
        """Three times N_PROJECTED columns: of the data, of the data again, and of the generator."""
        game = self.game
        shape = (2 * game.data.n_normals + laws.N_LATENT + game.noise.n_drawn, N_PROJECTED)
        normals = draws.normals([game.seeds[k]], draws.EVALUATION, 2, shape).double()
        parts = normals.split((game.data.n_normals, game.data.n_normals, laws.N_LATENT, game.noise.n_drawn), dim=1)
        law = game.data if game.teacher is None else laws.teacher(game.teacher[k : k + 1])
        fake = generated(w_g[None], game.noise.points(parts[2], parts[3]))
        return law.points(parts[0])[0], law.points(parts[1])[0], fake[0]

    def notes(self, k, w_g):
        """What keeps this GAN from the optimum, or makes it less than it seems: sentences."""
        if not w_g.isfinite().all():
            return ["it diverged: the weights are no finite numbers; a smaller learning rate or a gamma above 0 helps"]
        mean, deviation = self._data_moments(k)
        found = []
        error = 0.0 if self.game.teacher is not None else 1 / math.sqrt(len(self.data_weights))
        negative = (mean < -CERTAINLY_NEGATIVE * error * deviation).nonzero().flatten().tolist()
        if negative:
            found.append(
                f"the mean of the data is negative in coordinate {_listed(negative)}, and no ReLU has a negative mean: "
                f"V = -log 4 is out of reach, these units die and the others are pulled off their means"
            )
        if self.game.config.generator_start == 0:
            found.append("W_g starts at zero, where every ReLU is at its kink and has the slope 0: it can never move")
        reachable = mean.clamp(min=0) * math.sqrt(2 * math.pi)
        dead = ((w_g.norm(dim=1) < DEAD * reachable) & (reachable > 0)).nonzero().flatten().tolist()
        if dead and self.game.config.generator_start:
            found.append(f"unit {_listed(dead)} of the generator makes almost nothing")
        if not self.game.config.fresh_noise and self.game.config.updates == "alternating":
            found.append(
                "both updates of a step share one latent batch: D has just moved against these very samples, so the "
                "generator's gradient is biased and the equilibrium shifts"
            )
        return found

    def _data_moments(self, k):
        data = self.data[k if len(self.data) > 1 else 0]
        mean = data @ self.data_weights
        return mean, ((data - mean[:, None]) ** 2 @ self.data_weights).sqrt()


def _listed(places):
    return ", ".join(str(place + 1) for place in places)


def _sliced(a, b):
    directions = draws.normals([0], draws.EVALUATION, 3, (N_DIRECTIONS, laws.N_HIDDEN))[0].double()
    return measures.sliced_wasserstein(a, b, directions / directions.norm(dim=1, keepdim=True))
