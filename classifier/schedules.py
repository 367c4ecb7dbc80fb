"""The learning rate, step by step."""

import math


def constant(part, warmup):
    return 1.0


def cosine(part, warmup):
    """Loshchilov & Hutter (2017), SGDR, without restarts."""
    return (1 + math.cos(math.pi * part)) / 2


def one_cycle(part, warmup):
    """A straight rise and a straight fall to zero. Smith & Topin (2019), Super-convergence."""
    return part / warmup if part < warmup else (1 - part) / (1 - warmup)


SCHEDULES = {"constant": constant, "cosine": cosine, "one-cycle": one_cycle}


def learning_rate(config, step, n_steps):
    """Of step 0, …, n_steps - 1. The part of the training is taken at the middle of the step, so that it is never 0."""
    return config.learning_rate * SCHEDULES[config.schedule]((step + 0.5) / n_steps, config.warmup)
