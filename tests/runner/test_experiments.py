import json

import pytest

from runner import experiments
from runner.errors import ConfigError, RunError


def test_results_replace_those_of_the_same_experiment_only(tmp_path):
    path = tmp_path / "results.json"
    experiments.write_results(path, ["a"], [{"experiment": "a", "x": 1}])
    experiments.write_results(path, ["b"], [{"experiment": "b", "x": 2}])
    experiments.write_results(path, ["a"], [{"experiment": "a", "x": 3}])
    assert json.loads(path.read_text()) == {"runs": [{"experiment": "b", "x": 2}, {"experiment": "a", "x": 3}]}
    path.write_text("[]")
    with pytest.raises(RunError, match="is not a file of results"):
        experiments.write_results(path, ["a"], [])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "the configurations are missing"),
        ({"configuration": {"a": {}}}, "unknown is 'configuration'"),
        ({"configurations": {"a": 5}}, "'a' is 5; expected a table of options"),
        ({"configurations": {"a": {}}, "shared": 1}, "'shared' is 1"),
    ],
)
def test_a_file_that_is_no_experiment_is_named(values, message):
    with pytest.raises(ConfigError, match=message):
        experiments.from_values(values, "mine.toml")


def test_a_name_or_a_file_names_an_experiment(tmp_path):
    known = {"a": experiments.Experiment("?", {}, {"b": {}})}
    assert experiments.named("a", known) == ("a", known["a"])
    path = tmp_path / "mine.toml"
    path.write_text('[configurations]\n"small steps" = {rate = 0.1}\n')
    assert experiments.named(str(path), known) == (
        "mine",
        experiments.Experiment("", {}, {"small steps": {"rate": 0.1}}),
    )
    with pytest.raises(ConfigError, match=r"no experiment 'x'; there are a, or name a \.toml or \.json file"):
        experiments.named("x", known)


def test_a_spread_leaves_out_what_is_missing():
    assert experiments.spread([1.0, None, 3.0], 2) == "2.00 ± 1.41"
    assert (experiments.spread([2.0], 1), experiments.spread([None], 1)) == ("2.0", "-")


def test_a_slug_is_a_name_of_a_folder():
    assert experiments.slug("Random scales, held for 10 steps") == "random-scales-held-for-10-steps"
