"""The GAN's results in answers 4.1 and 4.3: shown as they are, missing ones said to be missing, broken ones named."""

import json
import math

import numpy as np
import pytest

from derivations.answers import adversarial_evidence as evidence
from derivations.answers.contents import ANSWERS, Settings
from derivations.answers.parts import Figure, Table, Text
from derivations.answers.results import ResultsError

RUN = {
    "experiment": "optimum",
    "name": "saturating",
    "seed": 0,
    "learning_rate": 0.5,
    "steps": 3000,
    "device": "cpu",
    "torch": "2.13.0+cpu",
    "seconds": 0.5,
    "V": -1.3862,
    "best_response_gap": 0.0001,
    "objective": -1.3862,
    "D_real": 0.5,
    "D_fake": 0.5,
    "D_distance": 0.001,
    "W_d_norm": 0.01,
    "mean_distance": 0.006,
    "sliced_wasserstein": 0.2,
    "sliced_wasserstein_floor": 0.016,
    "gram_error": 1.0,
    "norm_ratio": 1.0,
    "curve": [[1500, -1.39, 0.01], [3000, -1.3862, 0.0001]],
}
OTHER = RUN | {"seed": 1, "best_response_gap": 0.0003, "curve": [[1500, -1.39, 0.03], [3000, -1.3862, 0.0003]]}
DIVERGED = {
    key: None if key in evidence.results.GAN.fields and isinstance(value, float) else value
    for key, value in RUN.items()
}
DIVERGED |= {"learning_rate": 0.5, "seconds": 0.5, "curve": [[1500, None, None], [3000, None, None]]}
DYNAMICS = {
    "time_constants": {
        "n_teachers": 1000,
        "gamma": [0.0, 0.1],
        "at the teacher": [[1, 2349.2, 3], [1, 39.5, 3]],
        "at random angles": [[1, 171.5, 3], [1, 38.3, 3]],
    },
    "spectral_radii": {
        "h": 0.5,
        "at the teacher, alternating": {"median": 0.9998, "stable": 0.99},
        "at the teacher, simultaneous": {"median": 1.0048, "stable": 0.04},
    },
}


def written(folder, *runs, **others):
    if runs:
        (folder / "gan.json").write_text(json.dumps({"runs": runs}))
    for name, content in others.items():
        (folder / f"{name}.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return Settings(results=str(folder))


@pytest.mark.parametrize(("answer", "names"), [("4.1", ("optimum", "discriminator", "losses")), ("4.3", ("latents",))])
def test_without_results_the_answer_says_so(answer, names):
    texts = [p.latex for p in ANSWERS[answer](Settings()).parts if isinstance(p, Text)]
    for name in names:
        assert any("was not run" in t and f"gan sweep {name}" in t for t in texts)


def test_the_optimum_is_shown_by_its_worst_run(tmp_path):
    table, text, figure = evidence.optimum(written(tmp_path, RUN, OTHER))
    assert isinstance(table, Table) and isinstance(figure, Figure)
    deviation = f"${1e5 * (math.log(4) - 1.3862):.1f}\\cdot 10^{{-5}}$"
    assert table.rows == (("saturating", "2", deviation, "$0.0010$", r"$3.0\cdot 10^{-4}$", "$0.0060$"),)
    assert "2 runs (cpu, PyTorch 2.13.0+cpu), 1 seconds" in text.latex


def test_a_curve_is_the_median_over_seeds():
    assert evidence._median_gap([RUN, OTHER, OTHER]) == [
        (1500, pytest.approx(math.log10(0.03))),
        (3000, pytest.approx(math.log10(0.0003))),
    ]


def test_laws_are_compared_by_medians_and_by_the_part_below_five_per_cent(tmp_path):
    runs = [RUN | {"experiment": "discriminator", "gram_error": error} for error in (0.01, 0.02, 0.5)]
    table, _ = evidence.laws(written(tmp_path, *runs))
    assert table.rows[0][-2:] == (r"2.0\,\%", r"67\,\%")


def test_a_run_that_diverged_is_counted_but_has_no_numbers(tmp_path):
    runs = [run | {"experiment": "recipes", "name": name} for name, run in (("a", RUN), ("a", OTHER), ("b", DIVERGED))]
    table, _ = evidence.recipes(written(tmp_path, *runs))
    assert table.rows == (
        ("a", "2 of 2", r"$2.0\cdot 10^{-4}$", "$0.0060$"),
        ("b", "0 of 1", "diverged", "diverged"),
    )


def test_the_losses_stand_beside_their_optima(tmp_path):
    runs = [RUN | {"experiment": "losses", "name": "hinge", "objective": value} for value in (-2.0, -1.999, -2.003)]
    table, _ = evidence.losses(written(tmp_path, *runs))
    assert table.rows == (("hinge", "-2", "$-2.0000$", "$0.0030$", "$0.0060$"),)


def test_a_ratio_comes_with_its_standard_error(tmp_path):
    runs = [RUN | {"experiment": "latents", "norm_ratio": value} for value in (0.74, 0.75, 0.76)]
    table, _ = evidence.changing_laws(written(tmp_path, *runs))
    assert table.rows[0][2] == r"$0.7500 \pm 0.0058$"


def test_the_predicted_ratio_is_one_over_the_mean_scale():
    scales = np.exp(0.75 * np.random.default_rng(0).standard_normal(4_000_000))
    assert pytest.approx(1 / scales.mean(), rel=2e-3) == evidence.PREDICTED


def test_the_dynamics_are_read_from_their_file(tmp_path):
    table, text = evidence.dynamics(written(tmp_path, gan_dynamics=DYNAMICS))
    assert table.rows == (("at the teacher", r"2\,349", "40"), ("at random angles", "172", "38"))
    assert "0.9998 in the median" in text.latex and r"4\,\%" in text.latex
    assert evidence.dynamics(Settings()) == ()


@pytest.mark.parametrize("content", ["{", {}, {"time_constants": {"gamma": [0]}}, []], ids=str)
def test_a_broken_file_of_dynamics_is_named(tmp_path, content):
    with pytest.raises(ResultsError, match=r"gan_dynamics\.json"):
        evidence.dynamics(written(tmp_path, gan_dynamics=content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"V": "low"}, "'V' is missing or of the wrong kind"),
        ({"curve": [[1, 2]]}, r"expected \[step, V, gap\] triples"),
        ({"V": float("inf")}, "expected a finite number"),
        ({"gram_error": True}, "'gram_error' is missing or of the wrong kind"),
    ],
)
def test_a_broken_run_is_named(tmp_path, change, message):
    with pytest.raises(ResultsError, match=rf"gan\.json: run 2: .*{message}"):
        evidence.optimum(written(tmp_path, RUN, RUN | change))


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.0, 2, "$0$"),
        (1.2e-5, 2, r"$1.2\cdot 10^{-5}$"),
        (0.0123, 2, "$0.012$"),
        (-1.38629, 2, "$-1.386$"),
        (-1.38629, 4, "$-1.3863$"),
        (math.nan, 2, "diverged"),
    ],
)
def test_numbers_have_the_digits_that_count(value, digits, text):
    assert evidence._number(value, digits) == text
