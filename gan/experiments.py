"""The experiments behind answers 4.1 to 4.3: each a table of configurations, run with many seeds at once."""

from runner.experiments import Experiment

CONSTANT = {"learning_rate": 0.1, "schedule": "constant", "steps": 20_000}
# Small steps that do not fall: then what the noise of the gradient does is seen, and the averages tell what is learned.
CHANGING = {"learning_rate": 0.02, "schedule": "constant", "average": 0.5, "steps": 40_000}

EXPERIMENTS = {
    "optimum": Experiment(
        "4.1: does training end at V = -log 4 and D = 1/2, from every start?",
        {},
        {"saturating": {}, "non-saturating": {"loss": "non-saturating"}},
    ),
    "recipes": Experiment(
        "4.1: which of the ingredients does it need?",
        {"schedule": "constant", "learning_rate": 0.5, "average": 0.0},
        {
            "alternating, gamma 0.1": {},
            "alternating, gamma 0": {"gamma": 0.0},
            "simultaneous, gamma 0.1": {"updates": "simultaneous"},
            "simultaneous, gamma 0": {"updates": "simultaneous", "gamma": 0.0},
            "momentum 0.9, gamma 0.1": {"momentum": 0.9},
            "momentum 0.9, gamma 0": {"momentum": 0.9, "gamma": 0.0},
            "Adam, gamma 0.1": {"optimizer": "adam", "momentum": 0.5, "learning_rate": 0.01},
            "Adam, gamma 0": {"optimizer": "adam", "momentum": 0.5, "learning_rate": 0.01, "gamma": 0.0},
        },
    ),
    "discriminator": Experiment(
        "4.1: D = 1/2 here means equal means; does a quadratic D make the laws equal?",
        {},
        {"linear": {}, "quadratic": {"discriminator": "quadratic"}},
    ),
    "traps": Experiment(
        "4.1: where V = -log 4 is out of reach, or proves nothing",
        {},
        {
            "W_g starts at zero": {"generator_start": 0.0},
            "both start at zero": {"generator_start": 0.0, "discriminator_start": 0.0},
            "a negative mean": {"data": "unreachable"},
            **{
                name: {"fresh_noise": fresh, "batch_size": 16, "average": 0.5} | CONSTANT
                for name, fresh in (("latent batches of 16", True), ("one latent batch of 16 for both updates", False))
            },
        },
    ),
    "losses": Experiment(
        "4.1: other losses, other divergences, the same equilibrium?",
        {},
        {
            "saturating": {},
            "non-saturating": {"loss": "non-saturating"},
            "least-squares": {"loss": "least-squares"},
            "hinge": {"loss": "hinge"},
            "wasserstein": {"loss": "wasserstein"},
        },
    ),
    "latents": Experiment(
        "4.3: what does G learn when the law of the noise is drawn anew, again and again?",
        CHANGING,
        {
            "one law": {},
            **{
                f"random scales, held for {n} step{'s' * (n > 1)}": {"latent": "scales", "hold": n}
                for n in (1, 10, 100, 1000)
            },
            **{
                f"random scales, learning rate {rate:g}": {
                    "latent": "scales",
                    "learning_rate": rate,
                    "steps": round(800 / rate),
                }
                for rate in (0.01, 0.005)
            },
            "random scales and means": {"latent": "scales-and-means"},
            "random families": {"latent": "families"},
        },
    ),
}
