"""What metrics.json and the notes say."""

import itertools
import math

import numpy as np
import pytest
import torch

from gan import laws, measures, reports
from gan.config import make
from gan.game import Game
from gan.reports import Report

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def few_directions(monkeypatch):
    """Of the sliced Wasserstein distance, which takes most of the time of a report."""
    monkeypatch.setattr(reports, "N_DIRECTIONS", 16)


def game(*own, **shared):
    return Game([make({"steps": 20} | shared | given) for given in own or ({},)], CPU)


def solved(played, means):
    """W_d zero, and rows of W_g that make these means, at any angles."""
    angles = torch.arange(5.0)
    rows = math.sqrt(2 * math.pi) * torch.tensor(means)[:, None] * torch.stack([angles.cos(), angles.sin()], 1)
    played.weights = {"W_d": torch.zeros_like(played.weights["W_d"]), "W_g": rows[None]}
    return played


def test_the_moments_of_each_gan_are_those_it_has_alone():
    own = [{"seed": s} for s in range(5)]
    together = Report(game(*own)).now()
    for k in range(5):
        assert together[k] == pytest.approx(Report(game(own[k])).now()[0], rel=1e-9, abs=1e-9)


def test_many_gans_are_measured_a_few_at_a_time(monkeypatch):
    played = game(*({"seed": s} for s in range(5)))
    at_once = Report(played).now()
    monkeypatch.setattr(reports, "AT_ONCE", 2)
    for a, b in zip(at_once, Report(played).now(), strict=True):
        assert a == pytest.approx(b, rel=1e-9, abs=1e-9)


def test_the_final_metrics_are_of_the_averaged_weights():
    played = game(average=0.5, schedule="constant")
    played.advance(20)
    w = played.result()
    (metrics,), (samples,) = Report(played).final()
    assert metrics["W_d_norm"] == pytest.approx(w["W_d"].norm().item())
    assert metrics["gram_error"] == pytest.approx(measures.gram_error(w["W_g"], played.teacher).item())
    assert metrics["W_d_norm"] != Report(played).now()[0]["W_d_norm"]
    # Every sample of G is in the image of W_g: where it is positive, on the plane that the rows span.
    fake = torch.from_numpy(samples["fake"])
    for y in fake[:100]:
        alive = y > 0
        if alive.sum() > 2:
            solution = torch.linalg.lstsq(w["W_g"][0][alive], y[alive, None])
            assert (w["W_g"][0][alive] @ solution.solution - y[alive, None]).norm() < 1e-9


@pytest.mark.parametrize(("data", "latent"), [*zip(["teacher", *laws.TOYS], itertools.cycle(laws.NOISE))])
def test_samples_are_rows_of_five(data, latent):
    _, (samples,) = Report(game(data=data, latent=latent)).final()
    assert samples["real"].shape == samples["fake"].shape == (reports.N_PAIRED, 5)
    assert all(np.isfinite(array).all() for array in samples.values()) and (samples["fake"] >= 0).all()


def test_the_floor_is_what_equal_laws_have():
    """G's law is the teacher's, turned: nothing is left but the noise of samples."""
    played = game(generator_start=0.0)
    played.weights["W_g"] = played.teacher.float()
    (metrics,), _ = Report(played).final()
    assert metrics["sliced_wasserstein"] < 2 * metrics["sliced_wasserstein_floor"] < 0.05
    assert abs(metrics["energy_distance"]) < 0.01 and metrics["gram_error"] < 1e-6


def test_the_metrics_say_what_was_run():
    own = [{"seed": 7, "learning_rate": 0.25, "gamma": 0.0}, {"seed": 8}]
    metrics, _ = Report(game(*own, loss="hinge", latent="scales", hold=2, data="normal")).final()
    said = {"loss": "hinge", "latent": "scales", "hold": 2, "data": "normal", "steps": 20, "gram_error": None}
    assert [m["seed"] for m in metrics] == [7, 8] and [m["learning_rate"] for m in metrics] == [0.25, 0.5]
    assert [m["gamma"] for m in metrics] == [0.0, 0.1]
    for m in metrics:
        assert said.items() <= m.items() and m["torch"] == torch.__version__ and m["device"] == "cpu"


def test_each_gan_has_its_own_name():
    metrics, _ = Report(game({"name": "a"}, {"name": "b"})).final()
    assert [m["name"] for m in metrics] == ["a", "b"]


@pytest.mark.parametrize("data", ["normal", "uniform", "exponential", "clusters"])
def test_a_generator_with_the_means_of_a_toy_law_is_no_distance_from_them(data):
    means = {"normal": [0.5, 0.75, 1, 1.25, 1.5], "uniform": [0.5] * 5}.get(data, [1.0] * 5)
    assert Report(solved(game(data=data), means)).now()[0]["mean_distance"] < 1e-3


# ------------------------------------------------------------------------ notes


def notes(played):
    return "; ".join(Report(played).notes(0, played.result()["W_g"][0]))


@pytest.mark.parametrize(
    ("given", "note"),
    [
        ({"data": "unreachable"}, "mean of the data is negative in coordinate 4, and no ReLU has a negative mean"),
        ({"generator_start": 0.0}, "W_g starts at zero, where every ReLU is at its kink"),
        ({"fresh_noise": False}, "both updates of a step share one latent batch"),
    ],
    ids=["unreachable", "zero", "shared"],
)
def test_a_trap_is_named(given, note):
    assert note in notes(game(**given))


@pytest.mark.parametrize(
    "given",
    [
        {},
        *({"data": name} for name in laws.TOYS if name != "unreachable"),
        {"fresh_noise": False, "updates": "simultaneous"},
    ],
    ids=str,
)
def test_without_a_trap_nothing_is_said(given):
    assert notes(game(**given)) == ""


def test_a_dead_unit_is_named():
    played = game({}, {"seed": 1})
    played.weights["W_g"][1, 2] = 1e-4
    report, w_g = Report(played), played.result()["W_g"]
    assert report.notes(0, w_g[0]) == [] and report.notes(1, w_g[1]) == ["unit 3 of the generator makes almost nothing"]


def test_a_mean_is_negative_only_if_that_is_certain(tmp_path):
    """-0.3 against a standard error of 1/200: certain; zero up to the noise of the points: not."""
    array = np.ones((400, 5))
    array[:, 0] = np.random.default_rng(0).permutation(np.repeat([-1.0, 1.0], 200))
    array[:, 1] = -0.3
    np.save(tmp_path / "a.npy", array)
    found = notes(game(data=str(tmp_path / "a.npy")))
    assert "negative in coordinate 2, and" in found
