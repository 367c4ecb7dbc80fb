"""Results files: read when they are whole, refused by name when they are not."""

import json

import numpy as np
import pytest

from derivations.answers import evidence
from derivations.answers.contents import ANSWERS, Settings
from derivations.answers.parts import Figure, Table, Text
from derivations.answers.results import ResultsError, Sample, experiment, mean_curve

RUN = {
    "experiment": "homework",
    "name": "batch 4, 5 epochs",
    "seed": 0,
    "batch_size": 4,
    "epochs": 5,
    "learning_rate": 0.001,
    "steps": 62500,
    "device": "cpu",
    "torch": "2.13.0+cpu",
    "seconds": 90.0,
    "test_accuracy": 0.6125,
    "train_accuracy": 0.6525,
    "test_loss": 1.1,
    "loss": [[0.5, 2.1], [1.0, 1.8]],
}
OTHER = RUN | {"seed": 1, "test_accuracy": 0.6335, "loss": [[0.5, 1.9], [1.0, 1.6]]}


def write(folder, content):
    (folder / "classifier.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return str(folder)


def test_no_file_is_no_result(tmp_path):
    assert experiment(str(tmp_path), "homework") == {}
    assert experiment(None, "homework") == {}


def test_an_experiment_is_its_own_runs_by_name(tmp_path):
    folder = write(tmp_path, {"runs": [RUN, RUN | {"experiment": "control"}, OTHER]})
    assert experiment(folder, "homework") == {RUN["name"]: [RUN, OTHER]}
    assert experiment(folder, "width") == {}


def test_without_results_the_answer_says_so():
    texts = [p.latex for p in ANSWERS["2.4"](Settings()).parts if isinstance(p, Text)]
    assert any("was not run" in t and "docs/answers.md" in t for t in texts)


def test_results_become_a_table_and_curves(tmp_path):
    parts = ANSWERS["2.4"](Settings(results=write(tmp_path, {"runs": [RUN, OTHER]}))).parts
    (table,) = (p for p in parts if isinstance(p, Table))
    # 61.25 and 63.35: the mean is 62.30, the deviation 2.1 over the root of 2.
    assert table.rows == ((RUN["name"], r"62\,500", r"$62.3 \pm 1.5$", r"$65.2 \pm 0.0$", r"$1.10 \pm 0.00$"),)
    assert any(isinstance(p, Figure) and "tikzpicture" in p.latex for p in parts)
    assert not any(isinstance(p, Text) and "was not run" in p.latex for p in parts)
    assert any(isinstance(p, Text) and "over 2 seeds" in p.latex and "3 minutes" in p.latex for p in parts)


def test_a_curve_is_the_mean_over_seeds_as_far_as_all_go():
    assert mean_curve([RUN, OTHER | {"loss": OTHER["loss"][:1]}]) == [(0.5, 2.0)]
    assert mean_curve([RUN, OTHER]) == [(0.5, 2.0), (1.0, pytest.approx(1.7))]


def test_a_difference_comes_with_its_standard_error():
    """By simulation: the difference of two means of three varies as its standard error says."""
    generator = np.random.default_rng(0)
    draws = generator.normal([[[0.60]], [[0.62]]], [[[0.01]], [[0.005]]], (2, 20_000, 3))
    found = (draws[1].mean(1) - draws[0].mean(1)).std()
    one, other = Sample(0.60, 0.01, 3), Sample(0.62, 0.005, 3)
    difference, error = evidence.contrast(one, other)
    assert difference == pytest.approx(0.02) and error == pytest.approx(found, rel=0.02)


@pytest.mark.parametrize(
    ("difference", "error", "said"),
    [(0.02, 0.005, "better"), (-0.02, 0.005, "worse"), (0.02, 0.01, "within the noise"), (0.02, 0.0, "no yardstick")],
)
def test_a_reading_is_no_stronger_than_the_seeds_allow(difference, error, said):
    assert said in evidence.verdict(difference, error)


def test_a_comparison_needs_both_sides(tmp_path):
    settings = Settings(results=write(tmp_path, {"runs": [RUN, OTHER, RUN | {"name": "b"}, OTHER | {"name": "b"}]}))
    here, there, nowhere = ("homework", RUN["name"]), ("homework", "b"), ("homework", "c")
    (table,) = evidence.contrasts(settings, (("x", here, there), ("y", here, nowhere)))
    assert table.rows == (("x", r"$+0.0 \pm 1.5$", "within the noise of the seeds"),)
    assert evidence.contrasts(settings, (("y", here, nowhere),)) == ()


@pytest.mark.parametrize(
    ("train", "loss", "said"),
    [(0.79, 1.36, "it overfits"), (0.79, 1.0, "not led to overfitting"), (0.6, 1.36, "not led to overfitting")],
)
def test_overfitting_is_more_on_training_and_less_on_test(tmp_path, train, loss, said):
    long = RUN | {"name": "long", "train_accuracy": train, "test_loss": loss}
    settings = Settings(results=write(tmp_path, {"runs": [RUN, long]}))
    (text,) = evidence.overfitting(settings, "homework", RUN["name"], "long")
    assert said in text.latex and f"{100 * train:.1f}" in text.latex
    assert evidence.overfitting(settings, "homework", RUN["name"], "longer") == ()


BROKEN = {
    "not json": ("{", "not readable as JSON"),
    "no runs": ({}, 'a list "runs"'),
    "empty": ({"runs": []}, 'a list "runs"'),
    "not an object": ({"runs": [3]}, "run 1: expected an object"),
    "missing": ({"runs": [{k: v for k, v in RUN.items() if k != "device"}]}, "run 1: 'device' is missing"),
    "wrong kind": ({"runs": [RUN, RUN | {"epochs": "five"}]}, "run 2: 'epochs' is missing or of the wrong kind"),
    "percent": ({"runs": [RUN | {"test_accuracy": 61.25}]}, "between 0 and 1"),
    "infinite": ('{"runs": [' + json.dumps(RUN).replace("1.1,", "Infinity,") + "]}", "expected a finite number"),
    "pairs": ({"runs": [RUN | {"loss": [[1, 2, 3]]}]}, "pairs of finite numbers"),
    "nan": (
        '{"runs": [' + json.dumps(RUN)[:-1].replace("[[0.5, 2.1]", "[[0.5, NaN]") + "}]}",
        "pairs of finite numbers",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named(tmp_path, name):
    content, message = BROKEN[name]
    with pytest.raises(ResultsError) as caught:
        experiment(write(tmp_path, content), "homework")
    assert message in str(caught.value) and "classifier.json" in str(caught.value)
