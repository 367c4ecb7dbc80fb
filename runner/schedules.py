"""The learning rate, step by step."""

import math


def constant(part, warmup):
    return 1.0


def linear(part, warmup):
    return 1 - part


def cosine(part, warmup):
    """Loshchilov & Hutter (2017), SGDR, without restarts."""
    return (1 + math.cos(math.pi * part)) / 2


def one_cycle(part, warmup):
    """A straight rise and a straight fall to zero. Smith & Topin (2019), Super-convergence."""
    return part / warmup if part < warmup else (1 - part) / (1 - warmup)


SCHEDULES = {"constant": constant, "linear": linear, "cosine": cosine, "one-cycle": one_cycle}


def factor(schedule, step, n_steps, warmup=0.0):
    """Of the learning rate, in step 0, …, n_steps - 1; taken at the middle of the step, so that it is never 0."""
    return SCHEDULES[schedule]((step + 0.5) / n_steps, warmup)
