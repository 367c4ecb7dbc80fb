"""The committed results: whole, as theory has them, and the same in the documentation."""

import json
import math
import statistics
from pathlib import Path

import pytest

from gan import sweeps
from gan.experiments import EXPERIMENTS

ROOT = Path(__file__).parents[2]
RUNS = json.loads((ROOT / "results" / "gan.json").read_text(encoding="utf-8"))["runs"]
PAGE = (ROOT / "docs" / "gan.md").read_text(encoding="utf-8")


def of(experiment, name=None):
    return [r for r in RUNS if r["experiment"] == experiment and name in (None, r["name"])]


def values(key, experiment, name):
    return [r[key] for r in of(experiment, name)]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_configuration_was_run_with_twenty_four_seeds(name):
    found = {(r["name"], r["seed"]) for r in of(name)}
    assert found >= {(configuration, seed) for configuration in EXPERIMENTS[name].configurations for seed in range(24)}


@pytest.mark.parametrize("name", EXPERIMENTS["optimum"].configurations)
def test_the_recipe_reaches_the_optimum_from_every_start(name):
    assert max(abs(v + math.log(4)) for v in values("V", "optimum", name)) < 1e-4
    assert max(values("D_distance", "optimum", name)) < 5e-3
    assert max(values("best_response_gap", "optimum", name)) < 3e-4


def test_equal_means_are_not_equal_laws_and_a_quadratic_discriminator_cures_it():
    floor = statistics.median(values("sliced_wasserstein_floor", "discriminator", "linear"))
    assert statistics.median(values("sliced_wasserstein", "discriminator", "linear")) > 8 * floor
    assert statistics.median(values("sliced_wasserstein", "discriminator", "quadratic")) < 1.5 * floor
    assert statistics.median(values("gram_error", "discriminator", "linear")) > 0.9
    errors = values("gram_error", "discriminator", "quadratic")
    assert statistics.median(errors) < 0.01 and sum(e < 0.05 for e in errors) > 0.75 * len(errors)


def test_momentum_does_not_converge():
    for name in ("momentum 0.9, gamma 0", "momentum 0.9, gamma 0.1"):
        gaps = values("best_response_gap", "recipes", name)
        assert sum(gap is None or gap > 0.01 for gap in gaps) > 0.75 * len(gaps)


OPTIMA = {"least-squares": -1.0, "hinge": -2.0, "wasserstein": 0.0}


@pytest.mark.parametrize("loss", OPTIMA)
def test_other_losses_end_at_their_own_optimum(loss):
    assert max(abs(v - OPTIMA[loss]) for v in values("objective", "losses", loss)) < 0.01
    assert max(values("mean_distance", "losses", loss)) < 0.15


def test_traps_are_seen():
    assert min(values("best_response_gap", "traps", "W_g starts at zero")) > 0.5
    for run in of("traps", "a negative mean"):
        assert run["best_response_gap"] > 0.15 and "coordinate 4" in run["notes"][0]
    fresh, shared = (
        values("norm_ratio", "traps", name)
        for name in ("latent batches of 16", "one latent batch of 16 for both updates")
    )
    error = math.hypot(*(statistics.stdev(v) / math.sqrt(len(v)) for v in (fresh, shared)))
    assert statistics.mean(shared) < 1 < statistics.mean(fresh)
    assert statistics.mean(fresh) - statistics.mean(shared) > 4 * error


def test_small_steps_approach_the_generator_of_the_mixture():
    """The bias falls in proportion to the learning rate: where it would be 0 the ratio is 1 / E[scale]."""
    name = "random scales, learning rate {:g}".format
    small, large = (values("norm_ratio", "latents", name(rate)) for rate in (0.005, 0.01))
    limit = 2 * statistics.mean(small) - statistics.mean(large)
    error = math.hypot(2 * statistics.stdev(small), statistics.stdev(large)) / math.sqrt(len(small))
    assert error < 0.005
    assert limit == pytest.approx(math.exp(-(0.75**2) / 2), abs=3 * error)


def test_a_law_that_is_held_is_learned_instead_of_the_mixture():
    held = [
        statistics.mean(values("norm_ratio", "latents", f"random scales, held for {n} steps")) for n in (10, 100, 1000)
    ]
    assert held == sorted(held) and held[-1] > 0.9


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_documentation_shows_these_numbers(name):
    assert sweeps.table(of(name)) in PAGE, "put the table that the sweep prints into docs/gan.md"


def test_the_documentation_shows_the_dynamics():
    found = json.loads((ROOT / "results" / "gan_dynamics.json").read_text(encoding="utf-8"))["time_constants"]
    for gamma, teacher, angles in zip(found["gamma"], found["at the teacher"], found["at random angles"], strict=True):
        assert f"{gamma:8g}  {teacher[1]:16.1f}  {angles[1]:16.1f}" in PAGE
