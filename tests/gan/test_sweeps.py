"""Sweeps: what a run gives does not depend on its company, and nothing that is done is done again."""

import json
import math
import os
import subprocess
import sys

import pytest

from gan import sweeps, training
from gan.__main__ import main
from gan.config import make
from gan.experiments import EXPERIMENTS
from gan.game import Game
from runner import runs
from runner.experiments import Experiment

PLAN = {
    "mine": Experiment(
        "?",
        {"steps": 40, "batch_size": 16, "precision": "float64"},
        {"a": {}, "b": {"gamma": 0.3}, "c": {"loss": "hinge"}},
    )
}
FILE = """
shared = { steps = 40, batch_size = 16 }
[configurations]
a = { gamma = 0.1 }
b = { loss = "hinge" }
"""


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_configuration_of_the_experiments_makes_sense(name):
    plan = EXPERIMENTS[name]
    for options in plan.configurations.values():
        make(plan.shared | options)


def test_runs_that_differ_in_seed_rate_or_gamma_play_together(tmp_path):
    planned = sweeps.parts(PLAN, {}, range(3), tmp_path)
    assert [[(c.name, c.seed) for c in part.configs] for part in planned] == [
        [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1), ("b", 2)],
        [("c", 0), ("c", 1), ("c", 2)],
    ]
    assert len({part.folder for part in planned}) == 2


def test_a_game_is_no_larger_than_a_cache_holds(tmp_path):
    planned = sweeps.parts({"mine": Experiment("?", {}, {"a": {}})}, {}, range(100), tmp_path)
    assert [len(part.configs) for part in planned] == [sweeps.N_TOGETHER, 100 - sweeps.N_TOGETHER]


def test_a_run_of_a_sweep_is_the_run_that_is_trained_alone(tmp_path):
    planned = sweeps.parts(PLAN, {}, range(2), tmp_path / "sweep")
    assert not any(sweeps.play(part) for part in planned)
    found, unreadable = sweeps.results(planned, [])
    assert not unreadable and len(found) == 6
    for result in found:
        options = PLAN["mine"].configurations[result["name"]]
        config = make(PLAN["mine"].shared | options | {"name": result["name"], "seed": result["seed"]})
        alone = training.train(config, tmp_path / f"{result['name']}{result['seed']}")
        for key, value in alone.items():
            if isinstance(value, float) and key != "seconds":
                assert result[key] == pytest.approx(value, rel=1e-5, abs=1e-12), key
            elif key != "seconds":
                assert result[key] == value, key


def test_a_sweep_goes_on_from_its_checkpoint_and_leaves_alone_what_is_done(tmp_path, monkeypatch):
    (part, _) = sweeps.parts(PLAN, {"checkpoint_seconds": 0.0}, range(2), tmp_path / "a")
    (whole, _) = sweeps.parts(PLAN, {"checkpoint_seconds": 0.0}, range(2), tmp_path / "b")
    plain, calls = Game.advance, []

    def breaks(game, n_steps):
        calls.append(n_steps)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return plain(game, n_steps)

    monkeypatch.setattr(Game, "advance", breaks)
    with pytest.raises(KeyboardInterrupt):
        sweeps.play(part)
    assert (part.folder / runs.CHECKPOINT).exists()
    sweeps.play(part)
    assert len(calls) < 7 + sweeps.N_POINTS
    sweeps.play(whole)
    one, other = (sweeps.results([p], [])[0] for p in (part, whole))
    assert [r | {"seconds": 0} for r in one] == [r | {"seconds": 0} for r in other]
    count = len(calls)
    sweeps.play(part)
    assert len(calls) == count


def test_one_failure_does_not_stop_the_others(tmp_path, capsys):
    (tmp_path / "mine.toml").write_text(FILE + 'c = { data = "nowhere.csv" }\n')
    status = main(["sweep", str(tmp_path / "mine.toml"), "--seeds", "2", "--out", str(tmp_path), "--jobs", "1"])
    said = capsys.readouterr()
    assert status == 1 and "nowhere.csv cannot be read" in said.err and "4 of 6 runs are in" in said.out
    assert {r["name"] for r in json.loads((tmp_path / "gan.json").read_text())["runs"]} == {"a", "b"}


def test_a_run_that_diverges_has_no_numbers_and_says_so(tmp_path):
    plan = {"mine": Experiment("?", {"steps": 300, "learning_rate": 1e4, "loss": "least-squares"}, {"a": {}})}
    (part,) = sweeps.parts(plan, {}, range(1), tmp_path)
    assert sweeps.play(part) is None
    (result,) = json.loads((part.folder / runs.METRICS).read_text())["runs"]
    assert result["V"] is None and "diverged" in result["notes"][0]
    assert "-" in sweeps.table([result])


def test_two_processes_give_what_one_gives(tmp_path):
    (tmp_path / "mine.toml").write_text(FILE)
    arguments = ["-m", "gan", "sweep", str(tmp_path / "mine.toml"), "--seeds", "2", "--jobs", "1", "--quiet", "--out"]
    shared = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for command in ([sys.executable, *arguments, str(tmp_path / "one")], [*shared, str(tmp_path / "two")]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    one, two = (json.loads((tmp_path / name / "gan.json").read_text())["runs"] for name in ("one", "two"))
    assert [r | {"seconds": 0} for r in one] == [r | {"seconds": 0} for r in two] and len(one) == 4


def test_results_have_what_others_read(tmp_path):
    (part, _) = sweeps.parts(PLAN, {}, range(1), tmp_path)
    sweeps.play(part)
    for result in sweeps.results([part], [])[0]:
        for key in ("V", "best_response_gap", "D_real", "D_fake", "W_d_norm", "mean_distance", "sliced_wasserstein"):
            assert math.isfinite(result[key])
        assert result["device"] == "cpu" and result["torch"] and result["seconds"] > 0
        assert len(result["curve"]) == sweeps.N_POINTS and result["curve"][-1][0] == 40


def test_a_dry_run_runs_nothing(tmp_path, capsys):
    assert main(["sweep", "optimum", "--dry-run", "--out", str(tmp_path / "x")]) == 0
    assert "24 runs" in capsys.readouterr().out and not (tmp_path / "x").exists()
