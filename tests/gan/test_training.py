"""What a training promises: it ends at the optimum, or says what keeps it, and it goes on after whatever happened."""

import json
import math
import multiprocessing
import os
import random
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from gan import checks, reports, training
from gan.__main__ import main
from gan.config import make
from gan.game import Game
from gan.training import SAMPLES
from runner import configs, runs
from runner.errors import ConfigError, DataError, DivergedError, RunError, StoppedError
from runner.progress import Silent

# Everything that a checkpoint has to remember: Adam's moments, sums for the average, a law that is held, a schedule.
RICH = make(
    {
        "optimizer": "adam",
        "momentum": 0.5,
        "learning_rate": 0.01,
        "latent": "families",
        "hold": 7,
        "average": 0.5,
        "schedule": "cosine",
        "steps": 500,
        "batch_size": 32,
        "log_every": 10,
        "checkpoint_seconds": 0.0,
    }
)
SMALL = make({"steps": 60, "batch_size": 32, "log_every": 20, "checkpoint_seconds": 0.0})
# Goes wrong within a few steps: the least squares of large logits have large slopes.
WILD = replace(SMALL, loss="least-squares", learning_rate=30.0, gamma=0.0, steps=1000, log_every=1)


def timeless(record):
    return {key: value for key, value in record.items() if key != "seconds"}


def results(folder):
    """All that a finished run has written, but for the times."""
    run = runs.read(folder)
    with np.load(folder / SAMPLES) as arrays:
        samples = {name: arrays[name].tolist() for name in arrays}
    return timeless(run.metrics), [timeless(r) for r in run.history], (folder / runs.MODEL).read_bytes(), samples


FEW = 4


@pytest.fixture(autouse=True, scope="module")
def few_directions():
    """What is measured at the end takes longer than most of the trainings here."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reports, "N_DIRECTIONS", FEW)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of RICH, trained without a stop."""
    folder = tmp_path_factory.mktemp("whole")
    training.train(RICH, folder)
    return folder


class AfterLogs(Silent):
    """Does something after so many lines of the history."""

    def __init__(self, count, action):
        self.count, self.action = count, action

    def advance(self, *_):
        self.count -= 1
        if self.count == 0:
            self.action()


def interrupt(number=signal.SIGINT):
    os.kill(os.getpid(), number)


# ------------------------------------------------------------------------ the optimum


@pytest.mark.parametrize("given", [{}, {"loss": "non-saturating", "seed": 3}], ids=str)
def test_the_default_recipe_ends_at_the_optimum(tmp_path, given):
    metrics = training.train(make(given), tmp_path)
    assert abs(metrics["V"] + math.log(4)) < 1e-4 and metrics["best_response_gap"] < 3e-4
    assert abs(metrics["D_real"] - 0.5) < 0.005 and abs(metrics["D_fake"] - 0.5) < 0.005
    assert metrics["D_distance"] < 0.005 and metrics["notes"] == []


def test_the_metrics_are_those_of_the_saved_weights_and_samples(whole):
    metrics = json.loads((whole / runs.METRICS).read_text())
    weights = load_file(whole / runs.MODEL)
    assert weights["W_g"].shape == (5, 2) and weights["W_d"].shape == (5,)
    assert metrics["W_d_norm"] == pytest.approx(np.linalg.norm(weights["W_d"]))
    with np.load(whole / SAMPLES) as arrays:
        for name in ("real", "fake"):
            d = 1 / (1 + np.exp(-arrays[name] @ weights["W_d"]))
            assert metrics[f"D_{name}"] == pytest.approx(d.mean(), abs=4 * d.std() / 2000**0.5 + 1e-3)


CONTRACT = """
name seed loss discriminator updates data latent hold batch_size steps optimizer learning_rate gamma device torch
V best_response_gap objective D_real D_fake D_distance W_d_norm mean_distance
sliced_wasserstein sliced_wasserstein_floor energy_distance gram_error notes seconds"""


def test_the_metrics_carry_what_others_rely_on(tmp_path):
    metrics = training.train(SMALL, tmp_path)
    assert set(CONTRACT.split()) <= set(metrics)
    assert metrics == json.loads((tmp_path / runs.METRICS).read_text())


def test_the_history_begins_before_the_first_step_and_ends_after_the_last(tmp_path):
    training.train(replace(SMALL, steps=50, average=0.0), tmp_path)
    history = runs.history(tmp_path)
    assert [r["step"] for r in history] == [0, 20, 40, 50] and {r["kind"] for r in history} == {"steps"}
    for name in ("V", "best_response_gap", "D_real", "D_fake", "seconds"):
        assert all(math.isfinite(r[name]) for r in history)
    assert history[-1]["V"] == runs.read(tmp_path).metrics["V"]


def test_equal_seeds_give_equal_bits_and_others_do_not(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.manual_seed(seed + ord(name))
        training.train(replace(RICH, steps=100, seed=seed), tmp_path / name)
    assert results(tmp_path / "a") == results(tmp_path / "b")
    assert results(tmp_path / "a")[2] != results(tmp_path / "c")[2]


def test_where_it_is_computed_and_how_often_it_logs_does_not_change_what_is_learned(tmp_path, whole):
    training.train(replace(RICH, log_every=999, checkpoint_seconds=30.0, check_gradients=True), tmp_path)
    assert results(whole)[2:] == results(tmp_path)[2:]


# ---------------------------------------------------------------------- interruptions


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_saves_and_ends_where_it_would_have_ended(tmp_path, whole, number):
    stops = AfterLogs(8, lambda: interrupt(number))
    settings = replace(RICH, checkpoint_seconds=30.0)
    with pytest.raises(StoppedError, match=r"stopped after 70 steps, which are saved; .* --resume` goes on"):
        training.train(settings, tmp_path / "stopped", reporter=stops)
    assert not runs.is_finished(tmp_path / "stopped")
    assert torch.load(tmp_path / "stopped" / runs.CHECKPOINT, weights_only=True)["game"]["step"] == 70
    training.train(settings, tmp_path / "stopped", resume=True)
    assert results(whole) == results(tmp_path / "stopped")
    assert not (tmp_path / "stopped" / runs.CHECKPOINT).exists()


def test_a_stop_does_not_wait_for_the_next_line_of_the_history_and_adds_none(tmp_path, monkeypatch):
    plain = Game.batch

    def batch(game):
        if game.step == 25:
            interrupt()
        return plain(game)

    with monkeypatch.context() as patched, pytest.raises(StoppedError, match="stopped after 26 steps"):
        patched.setattr(Game, "batch", batch)
        training.train(SMALL, tmp_path / "stopped")
    training.train(SMALL, tmp_path / "stopped", resume=True)
    training.train(SMALL, tmp_path / "whole")
    assert results(tmp_path / "whole") == results(tmp_path / "stopped")


def test_a_second_ctrl_c_stops_at_once(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        training.train(SMALL, tmp_path, reporter=AfterLogs(2, lambda: (interrupt(), interrupt())))
    training.train(SMALL, tmp_path, resume=True)
    assert runs.is_finished(tmp_path) and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def command(folder, options):
    reports.N_DIRECTIONS = FEW
    main(["train", "--out", str(folder), "--resume", "--quiet", "--config", str(options)])


def test_five_sigkills_at_random_moments_change_no_bit(tmp_path, whole):
    runs.write(tmp_path / "rich.json", configs.as_dict(RICH))
    spawner = multiprocessing.get_context("forkserver")
    spawner.set_forkserver_preload(["gan.training", "torch._dynamo"])
    moments, kills, starts = random.Random(4), 0, 0
    while not runs.is_finished(tmp_path / "killed"):
        process = spawner.Process(target=command, args=(tmp_path / "killed", tmp_path / "rich.json"))
        process.start()
        starts += 1
        # The first five are killed as soon as they have got a little further, the last one is not.
        if kills < 5:
            seen = checkpoint_time(tmp_path / "killed")
            while checkpoint_time(tmp_path / "killed") == seen and process.is_alive():
                time.sleep(0.001)
            time.sleep(moments.uniform(0, 0.03))
            process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
        assert process.exitcode in (0, -signal.SIGKILL) and starts < 30
    assert kills == 5
    assert results(whole) == results(tmp_path / "killed")


def checkpoint_time(folder):
    path = folder / runs.CHECKPOINT
    return path.stat().st_mtime_ns if path.exists() else None


def test_a_run_without_a_checkpoint_is_resumed_from_its_start(tmp_path):
    runs.write(tmp_path / "cut" / runs.CONFIG, configs.as_dict(SMALL))
    (tmp_path / "cut" / runs.HISTORY).write_text('{"kind": "steps", "st')
    for name, resume in (("cut", True), ("whole", False)):
        training.train(SMALL, tmp_path / name, resume=resume)
    assert results(tmp_path / "cut") == results(tmp_path / "whole")


def test_a_run_that_was_cut_before_its_metrics_writes_them(tmp_path, monkeypatch):
    def fails(*_):
        raise OSError("no more")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="no more"):
        patched.setattr(training, "to_safetensors", fails)
        training.train(SMALL, tmp_path / "cut")
    training.train(SMALL, tmp_path / "cut", resume=True)
    training.train(SMALL, tmp_path / "whole")
    assert results(tmp_path / "cut") == results(tmp_path / "whole")


def test_a_finished_run_is_not_trained_again(tmp_path):
    metrics = training.train(SMALL, tmp_path)
    assert training.train(SMALL, tmp_path, resume=True, reporter=AfterLogs(1, interrupt)) == metrics


def stopped(folder, settings=SMALL):
    with pytest.raises(StoppedError):
        training.train(settings, folder, reporter=AfterLogs(2, interrupt))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut short", None])
def test_a_broken_checkpoint_is_named(tmp_path, content):
    stopped(tmp_path)
    path = tmp_path / runs.CHECKPOINT
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    with pytest.raises(RunError, match=r"checkpoint.pt cannot be read as a checkpoint; --overwrite"):
        training.train(SMALL, tmp_path, resume=True)


def test_a_checkpoint_of_something_else_is_named(tmp_path):
    stopped(tmp_path)
    state = torch.load(tmp_path / runs.CHECKPOINT, weights_only=True)
    torch.save({"format": state["format"], "random": state["random"], "engine": {}}, tmp_path / runs.CHECKPOINT)
    with pytest.raises(RunError, match="checkpoint"):
        training.train(SMALL, tmp_path, resume=True)


def test_a_history_that_is_gone_is_not_made_up(tmp_path):
    stopped(tmp_path)
    (tmp_path / runs.HISTORY).unlink()
    with pytest.raises(RunError, match=r"history.jsonl"):
        training.train(SMALL, tmp_path, resume=True)


def test_a_run_that_is_written_over_is_not_finished_while_it_trains(tmp_path):
    training.train(SMALL, tmp_path)
    stopped(tmp_path, replace(SMALL, seed=7))
    assert not runs.is_finished(tmp_path)


# ------------------------------------------------------------------------ what goes wrong


def test_weights_that_are_not_finite_stop_it_and_the_last_good_state_stays(tmp_path):
    with pytest.raises(DivergedError, match=r"no longer finite numbers by step \d+; try a smaller .*; the last good"):
        training.train(WILD, tmp_path)
    assert not runs.is_finished(tmp_path)
    state = torch.load(tmp_path / runs.CHECKPOINT, weights_only=True)
    assert all(w.isfinite().all() for w in state["game"]["weights"].values())
    history = runs.history(tmp_path)
    assert history[-1]["step"] == state["game"]["step"] > 0


def test_without_a_checkpoint_none_is_promised(tmp_path):
    with pytest.raises(DivergedError) as found:
        training.train(replace(WILD, checkpoint_seconds=30.0), tmp_path)
    assert "last good state" not in str(found.value) and not (tmp_path / runs.CHECKPOINT).exists()


def test_a_wrong_gradient_stops_a_run_that_checks(tmp_path, monkeypatch):
    settings = replace(SMALL, check_gradients=True)
    training.train(settings, tmp_path / "right")
    errors = [(r["closed_form_error"], r["symbolic_error"]) for r in runs.history(tmp_path / "right")]
    assert max(map(max, errors)) < checks.TOLERANCE
    by_w_d, by_w_g = checks.symbolic.GRADIENTS["saturating"]

    def doubled(*, X, W_g, W_d):
        return 2 * by_w_g(X=X, W_g=W_g, W_d=W_d)

    monkeypatch.setitem(checks.symbolic.GRADIENTS, "saturating", (by_w_d, doubled))
    with pytest.raises(DivergedError, match="at step 0 the gradients are not those of autograd"):
        training.train(settings, tmp_path / "wrong")


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    def second():
        with pytest.raises(RunError, match="another process is training in"):
            training.train(SMALL, tmp_path, resume=True)

    training.train(SMALL, tmp_path, reporter=AfterLogs(2, second))
    assert runs.is_finished(tmp_path)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"device": "tpu"}, ConfigError, "device 'tpu' is not to be had here"),
        ({"data": "nowhere.csv"}, DataError, r"nowhere.csv cannot be read: No such file"),
    ],
)
def test_what_is_missing_is_named_before_anything_is_written(tmp_path, changed, error, message):
    with pytest.raises(error, match=message):
        training.train(replace(SMALL, **changed), tmp_path / "run")
    assert not (tmp_path / "run" / runs.CONFIG).exists()


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(RunError, match="taken cannot be written"):
        training.train(SMALL, tmp_path / "taken")


@pytest.mark.parametrize(
    ("given", "note"),
    [
        ({"generator_start": 0.0}, "W_g starts at zero"),
        ({"data": "unreachable"}, "V = -log 4 is out of reach"),
        ({"fresh_noise": False}, "share one latent batch"),
    ],
    ids=["zero", "unreachable", "shared"],
)
def test_the_traps_are_in_the_metrics(tmp_path, given, note):
    (found,) = training.train(replace(SMALL, **given), tmp_path)["notes"]
    assert note in found


def test_a_file_of_samples_is_learned(tmp_path):
    rows = np.random.default_rng(0).exponential(size=(500, 5))
    np.savetxt(tmp_path / "a.csv", rows, delimiter=",", header="a,b,c,d,e", comments="")
    metrics = training.train(make({"data": str(tmp_path / "a.csv")}), tmp_path / "run")
    assert metrics["best_response_gap"] < 1e-3 and metrics["data"].endswith("a.csv")
    w_g = load_file(tmp_path / "run" / runs.MODEL)["W_g"]
    assert np.linalg.norm(w_g, axis=1) / math.sqrt(2 * math.pi) == pytest.approx(rows.mean(0), rel=0.05)


@pytest.mark.gpu
def test_a_gpu_gives_what_the_cpu_gives(tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    settings = replace(SMALL, precision="float64", check_gradients=True)
    metrics = [training.train(replace(settings, device=d), tmp_path / d) for d in ("cpu", "cuda")]
    assert metrics[0]["V"] == pytest.approx(metrics[1]["V"], rel=1e-9)
