import json
import statistics
from pathlib import Path

import pytest

from classifier import config, sweeps
from classifier.__main__ import main
from classifier.experiments import EXPERIMENTS, Experiment
from runner import runs
from runner.errors import ConfigError

QUICK = ["--data", "synthetic", "--engine", "plain", "--train-size", "100", "--epochs", "1", "--batch-size", "20"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_is_one_that_can_be_run(name):
    planned = sweeps.jobs({name: EXPERIMENTS[name]}, {}, range(3), "out")
    assert len(planned) == 3 * len(EXPERIMENTS[name].configurations)
    assert len({job.folder for job in planned}) == len(planned)


def test_the_homework_is_the_homework():
    jobs = sweeps.jobs({"homework": EXPERIMENTS["homework"]}, {}, range(3), "out")
    assert {(j.config.batch_size, j.config.epochs, j.config.seed) for j in jobs} == {
        (b, e, s) for b in (4, 16) for e in (5, 20) for s in range(3)
    }
    assert {(j.config.learning_rate, j.config.momentum, j.config.validation) for j in jobs} == {(0.001, 0.9, 0.0)}


def test_what_is_given_goes_before_the_experiment():
    plan = Experiment("", {"epochs": 2}, {"a": {"learning_rate": 0.1}})
    (job,) = sweeps.jobs({"x": plan}, {"epochs": 7, "learning_rate": 0.2}, [4], "out")
    assert (job.config.epochs, job.config.learning_rate, job.config.seed, job.config.name) == (7, 0.2, 4, "a")


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """One of four configurations fails: its learning rate is beyond measure."""
    folder = tmp_path_factory.mktemp("swept")
    plan = folder / "mine.toml"
    rates = {"small steps": "0.01", "steps 0.1": "0.1", "steps 0.2": "0.2", "wild steps": "1e12"}
    rows = [f'"{name}" = {{ learning_rate = {rate}, log_every = 1 }}' for name, rate in rates.items()]
    plan.write_text("\n".join(['question = "what?"', "[configurations]", *rows]))
    arguments = ["sweep", str(plan), "--out", str(folder / "out"), "--seeds", "2", "--jobs", "2", *QUICK]
    return folder, arguments, main(arguments)


def test_one_failure_stops_no_other_run(swept, capsys):
    folder, arguments, status = swept
    assert status == 1
    found = json.loads((folder / "out" / "classifier.json").read_text())["runs"]
    names = ("small steps", "steps 0.1", "steps 0.2")
    assert [(r["name"], r["seed"]) for r in found] == [(n, s) for n in names for s in (0, 1)]
    assert main(arguments) == 1
    output = capsys.readouterr()
    assert "wild-steps-seed0: the loss of mini-batch" in output.err
    assert "6 of 8 runs are in" in output.out and "mine: what?" in output.out


def test_the_same_command_again_trains_nothing_again(swept):
    folder, arguments, _ = swept
    before = {p: p.stat().st_mtime_ns for p in Path(folder).rglob("model.safetensors")}
    main(arguments)
    assert before == {p: p.stat().st_mtime_ns for p in Path(folder).rglob("model.safetensors")}


def test_a_finished_run_of_another_configuration_is_not_taken_for_this_one(swept, capsys):
    _, arguments, _ = swept
    assert main([*arguments, "--momentum", "0.5"]) == 1
    output = capsys.readouterr()
    assert "another run is in this folder, with another momentum" in output.err
    assert "0 of 8 runs are in" in output.out


def test_a_broken_folder_costs_its_own_result_only(swept, capsys):
    folder, arguments, _ = swept
    history = folder / "out" / "mine" / "small-steps-seed0" / runs.HISTORY
    whole = history.read_text()
    history.write_text("no history\n" + whole)
    assert main(arguments) == 1
    output = capsys.readouterr()
    assert "small-steps-seed0/history.jsonl, line 1: not JSON" in output.err and "5 of 8 runs are in" in output.out
    history.write_text(whole)
    main(arguments)


def test_a_run_of_a_sweep_is_the_run_that_train_gives(swept, tmp_path):
    folder, _, _ = swept
    train = [
        "train",
        "--out",
        str(tmp_path),
        "--learning-rate",
        "0.1",
        "--seed",
        "1",
        "--threads",
        "1",
        "--quiet",
        *QUICK,
    ]
    main(train)
    metrics = runs.read(folder / "out" / "mine" / "steps-0.1-seed1").metrics
    assert metrics["test_loss"] == json.loads((tmp_path / "metrics.json").read_text())["test_loss"]


def test_results_carry_what_others_rely_on(swept):
    folder, _, _ = swept
    found = json.loads((folder / "out" / "classifier.json").read_text())["runs"]
    assert [r["learning_rate"] for r in found] == [0.01, 0.01, 0.1, 0.1, 0.2, 0.2]
    for run in found:
        needed = (
            "experiment name model batch_size epochs seed test_accuracy validation_accuracy train_accuracy test_loss"
        )
        assert set(f"{needed} seconds device torch learning_rate loss".split()) <= set(run)
        assert run["loss"][-1][0] == 1.0 and len(run["loss"]) <= sweeps.N_POINTS


def test_the_table_shows_mean_and_standard_deviation():
    accuracies = [0.5, 0.6, 0.61]
    results = [
        {
            "name": "a",
            "test_accuracy": x,
            "validation_accuracy": None,
            "train_accuracy": x,
            "test_loss": 1.0,
            "seconds": 2,
        }
        for x in accuracies
    ]
    line = sweeps.table(results).splitlines()[1]
    assert f"{100 * statistics.mean(accuracies):.2f} ± {100 * statistics.stdev(accuracies):.2f}" in line
    assert line.split()[:2] == ["a", "3"] and " - " in line


def test_a_thinned_curve_keeps_its_mean_and_its_end():
    points = [(k / 100, float(k % 7)) for k in range(1, 601)]
    thin = sweeps._thinned(points)
    assert len(thin) == sweeps.N_POINTS and thin[-1][0] == 6.0
    assert statistics.mean(y for _, y in thin) == pytest.approx(statistics.mean(y for _, y in points))
    assert sweeps._thinned(points[:50]) == [list(p) for p in points[:50]]


def test_an_unknown_experiment_is_named(capsys):
    assert main(["sweep", "homwork"]) == 2
    assert "no experiment 'homwork'; there are first-run, homework, control" in capsys.readouterr().err


def test_an_option_of_an_experiment_that_makes_no_sense_is_named():
    with pytest.raises(ConfigError, match="unknown option 'epoch'"):
        sweeps.jobs({"x": Experiment("", {}, {"a": {"epoch": 3}})}, {}, [0], "out")


def test_every_config_of_an_experiment_is_its_own():
    """No two rows of a table are the same training."""
    for plan in EXPERIMENTS.values():
        settings = [config.make(plan.shared | options) for options in plan.configurations.values()]
        assert len(set(settings)) == len(settings)
