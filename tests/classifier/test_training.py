"""What a training promises: it learns, it says what it did, and it goes on after whatever happened to it."""

import json
import multiprocessing
import os
import random
import resource
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from classifier import config, datasets, evaluation, models, training
from classifier.run_folders import PREDICTIONS
from runner import configs, runs
from runner.errors import ConfigError, DivergedError, RunError, RunnerError, StoppedError
from runner.progress import Silent

# Everything that a checkpoint has to remember: batch norm, augmentation, momentum, a schedule, the best epoch so far.
RICH = config.make(
    {
        "data": "synthetic",
        "train_size": 600,
        "model": "lenet-bn",
        "batch_size": 8,
        "epochs": 6,
        "learning_rate": 0.02,
        "schedule": "one-cycle",
        "nesterov": True,
        "weight_decay": 0.001,
        "flip": True,
        "shift": 2,
        "patience": 5,
        "log_every": 10,
        "checkpoint_seconds": 0.0,
        "threads": 1,
    }
)
SMALL = config.make(
    {
        "data": "synthetic",
        "train_size": 200,
        "epochs": 2,
        "batch_size": 20,
        "log_every": 4,
        "threads": 1,
        "checkpoint_seconds": 0.0,
    }
)
TIMES = {"seconds", "images_per_second"}


def timeless(record):
    return {key: value for key, value in record.items() if key not in TIMES}


def results(folder):
    """All that a finished run has written, but for the times."""
    run = runs.read(folder)
    with np.load(folder / PREDICTIONS) as arrays:
        predictions = {name: arrays[name].tolist() for name in arrays}
    weights = (folder / runs.MODEL).read_bytes()
    return timeless(run.metrics), [timeless(r) for r in run.history], weights, predictions


class AfterBlocks(Silent):
    """Does something after so many blocks."""

    def __init__(self, count, action):
        self.count, self.action = count, action

    def advance(self, *_):
        self.count -= 1
        if self.count == 0:
            self.action()


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def test_the_synthetic_set_is_learned_in_seconds(tmp_path):
    settings = config.make({"data": "synthetic", "epochs": 3, "batch_size": 16, "learning_rate": 0.01})
    metrics = training.train(settings, tmp_path)
    assert metrics["test_accuracy"] > 0.9 and metrics["validation_accuracy"] > 0.9
    assert metrics["n_train"] == 3600 and metrics["n_validation"] == 400


def test_the_metrics_are_those_of_the_saved_weights(tmp_path):
    metrics = training.train(SMALL, tmp_path)
    assert metrics == json.loads((tmp_path / runs.METRICS).read_text())
    net = models.lenet()
    net.load_state_dict({k: torch.from_numpy(v) for k, v in load_file(tmp_path / runs.MODEL).items()})
    data = datasets.load("synthetic", 0.1, 200)
    for split in ("train", "validation", "test"):
        images, labels = getattr(data, split).images, getattr(data, split).labels
        logits = net(images.float() / 127.5 - 1)
        assert metrics[f"{split}_accuracy"] == pytest.approx((logits.argmax(1) == labels).double().mean().item())
        loss = -logits.log_softmax(1)[range(len(labels)), labels].mean()
        assert metrics[f"{split}_loss"] == pytest.approx(loss.item(), rel=1e-4)
    saved = np.load(tmp_path / PREDICTIONS)
    assert (saved["predictions"] == saved["labels"]).mean() == pytest.approx(metrics["test_accuracy"])
    counts = evaluation.confusion(saved["labels"].astype(int), saved["predictions"], 10)
    assert counts.sum() == 1000 and counts.trace() == pytest.approx(1000 * metrics["test_accuracy"])
    assert metrics["class_accuracy"] == pytest.approx((counts.diagonal() / counts.sum(1)).tolist())


# Images, images per mini-batch, processes.
@pytest.mark.parametrize("sizes", [(40, 1, 1), (41, 8, 1), (1, 8, 1), (40, 8, 5), (42, 8, 2), (40, 3, 2)], ids=str)
def test_a_share_of_one_image_is_refused_where_images_are_normalised_together(sizes):
    with pytest.raises(ConfigError, match=r"lenet-bn .* a single image .* another --batch-size or --train-size"):
        training.check_shares(models.lenet_bn(), replace(SMALL, model="lenet-bn", batch_size=sizes[1]), *sizes[::2])


@pytest.mark.parametrize("sizes", [(40, 8, 1), (42, 8, 1), (40, 8, 2), (44, 8, 2), (2, 8, 1)], ids=str)
def test_other_shares_are_trained_on(sizes):
    training.check_shares(models.lenet_bn(), replace(SMALL, batch_size=sizes[1]), *sizes[::2])


@pytest.mark.parametrize("model", ["lenet", "mlp", "resnet-mini", "resnet-9"])
def test_nets_that_normalise_over_places_too_take_a_single_image(model):
    training.check_shares(models.MODELS[model](0.1), replace(SMALL, model=model, batch_size=1), 40, 1)


def test_a_last_mini_batch_of_one_image_is_refused_before_anything_is_written(tmp_path):
    settings = replace(SMALL, model="lenet-bn", train_size=41, batch_size=8)
    with pytest.raises(ConfigError, match="a process gets a single image of a mini-batch of 1"):
        training.train(settings, tmp_path / "run")
    assert not (tmp_path / "run").exists()


CONTRACT = "model batch_size epochs seed test_accuracy validation_accuracy train_accuracy test_loss seconds device"


def test_the_metrics_carry_what_others_rely_on(tmp_path):
    metrics = training.train(replace(SMALL, validation=0.0), tmp_path)
    assert {*CONTRACT.split(), "torch"} <= set(metrics)
    assert metrics["validation_accuracy"] is None and metrics["torch"] == torch.__version__
    assert metrics["steps"] == 2 * 10


def test_the_history_averages_over_the_mini_batches_since_the_last_line(tmp_path):
    """10 mini-batches an epoch, a line per 4: 4 + 4 + 2, so that the epoch's mean follows from its lines."""
    training.train(SMALL, tmp_path)
    history = runs.history(tmp_path)
    lines = [r for r in history if r["kind"] == "batches"]
    epochs = [r for r in history if r["kind"] == "epoch"]
    assert [r["batches"] for r in lines] == [4, 4, 2] * 2
    assert [r["step"] for r in lines] == [4, 8, 10, 14, 18, 20]
    assert [r["epoch"] for r in lines] == pytest.approx([0.4, 0.8, 1, 1.4, 1.8, 2])
    for k, epoch in enumerate(epochs):
        mean = sum(r["loss"] * r["batches"] for r in lines[3 * k : 3 * k + 3]) / 10
        assert epoch["train_loss"] == pytest.approx(mean)


def test_equal_seeds_give_equal_bits_and_others_do_not(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        training.train(replace(SMALL, seed=seed), tmp_path / name)
    assert results(tmp_path / "a") == results(tmp_path / "b")
    assert results(tmp_path / "a")[2] != results(tmp_path / "c")[2]


def test_early_stopping_keeps_the_best_epoch(tmp_path):
    settings = replace(RICH, epochs=40, patience=2, learning_rate=0.1)
    metrics = training.train(settings, tmp_path)
    seen = [r["validation_accuracy"] for r in runs.history(tmp_path) if r["kind"] == "epoch"]
    best = seen.index(max(seen)) + 1
    assert metrics["epochs_done"] == len(seen) == best + 2 < 40
    assert metrics["best_epoch"] == best and metrics["validation_accuracy"] == max(seen)


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_saves_and_ends_where_it_would_have_ended(tmp_path, signal_number):
    training.train(RICH, tmp_path / "whole")
    stops = AfterBlocks(17, lambda: os.kill(os.getpid(), signal_number))
    with pytest.raises(StoppedError, match=r"stopped after 2 epochs and 10 mini-batches, which are saved; .*--resume"):
        training.train(RICH, tmp_path / "stopped", reporter=stops)
    assert not runs.is_finished(tmp_path / "stopped")
    training.train(RICH, tmp_path / "stopped", resume=True)
    assert results(tmp_path / "whole") == results(tmp_path / "stopped")
    assert not (tmp_path / "whole" / runs.CHECKPOINT).exists()


def train_here(settings, folder):
    training.train(settings, folder, resume=True)


def test_twenty_sigkills_at_random_moments_change_no_bit(tmp_path):
    training.train(RICH, tmp_path / "whole")
    spawner = multiprocessing.get_context("forkserver")
    spawner.set_forkserver_preload(["classifier.training", "torch._dynamo"])
    moments, kills, starts = random.Random(4), 0, 0
    settings = replace(RICH, epochs=6)
    while not runs.is_finished(tmp_path / "killed"):
        process = spawner.Process(target=train_here, args=(settings, tmp_path / "killed"))
        process.start()
        starts += 1
        # The first twenty are killed as soon as they have got a little further, the last one is not.
        if kills < 20:
            seen = checkpoint_time(tmp_path / "killed")
            while checkpoint_time(tmp_path / "killed") == seen and process.is_alive():
                time.sleep(0.001)
            time.sleep(moments.uniform(0, 0.05))
            process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
        assert process.exitcode in (0, -signal.SIGKILL)
        assert starts < 60
    assert kills == 20
    assert results(tmp_path / "whole") == results(tmp_path / "killed")


def checkpoint_time(folder):
    path = folder / runs.CHECKPOINT
    return path.stat().st_mtime_ns if path.exists() else None


def test_a_run_without_a_checkpoint_is_resumed_from_its_start(tmp_path):
    runs.write(tmp_path / runs.CONFIG, configs.as_dict(SMALL))
    (tmp_path / runs.HISTORY).write_text('{"kind": "batches", "half a li')
    training.train(SMALL, tmp_path, resume=True)
    training.train(SMALL, tmp_path.with_name("whole"))
    assert results(tmp_path) == results(tmp_path.with_name("whole"))


def test_a_finished_run_is_not_trained_again(tmp_path):
    metrics = training.train(SMALL, tmp_path)
    assert training.train(SMALL, tmp_path, resume=True, reporter=AfterBlocks(1, interrupt)) == metrics


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    def second():
        with pytest.raises(RunError, match="another process is training in"):
            training.train(SMALL, tmp_path, resume=True)

    training.train(SMALL, tmp_path, reporter=AfterBlocks(2, second))
    assert runs.is_finished(tmp_path)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_state(tmp_path):
    wild = replace(SMALL, learning_rate=1e6, checkpoint_seconds=0.0, epochs=30, log_every=1)
    with pytest.raises(DivergedError, match=r"the loss of mini-batch \d+ in epoch \d+ is not a finite number; try a"):
        training.train(wild, tmp_path)
    assert not runs.is_finished(tmp_path)
    if (tmp_path / runs.CHECKPOINT).exists():
        state = torch.load(tmp_path / runs.CHECKPOINT, weights_only=True)
        assert all(torch.isfinite(w).all() for w in state["engine"]["model"].values())


def fills_the_disk(folder, n_bytes):
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))
    try:
        training.train(replace(SMALL, epochs=3), folder, resume=True)
    except RunnerError as error:
        (folder / "said").write_text(str(error))


def test_a_full_disk_is_said_and_the_last_checkpoint_stays(tmp_path):
    """A limit on the size of files stands for the disk: the checkpoint is the first that does not fit."""
    with pytest.raises(StoppedError):
        training.train(replace(SMALL, epochs=3), tmp_path, reporter=AfterBlocks(4, interrupt))
    before = (tmp_path / runs.CHECKPOINT).read_bytes()
    process = multiprocessing.get_context("spawn").Process(target=fills_the_disk, args=(tmp_path, len(before) // 2))
    process.start()
    process.join()
    assert "checkpoint.pt cannot be written: File too large" in (tmp_path / "said").read_text()
    assert (tmp_path / runs.CHECKPOINT).read_bytes() == before
    assert not list(tmp_path.glob("*.part"))
    training.train(replace(SMALL, epochs=3), tmp_path, resume=True)
    training.train(replace(SMALL, epochs=3), tmp_path / "whole")
    assert results(tmp_path) == results(tmp_path / "whole")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut short"])
def test_a_broken_checkpoint_is_named(tmp_path, content):
    runs.write(tmp_path / runs.CONFIG, configs.as_dict(SMALL))
    (tmp_path / runs.CHECKPOINT).write_bytes(content)
    with pytest.raises(RunError, match=r"checkpoint.pt cannot be read as a checkpoint; --overwrite"):
        training.train(SMALL, tmp_path, resume=True)


def test_a_checkpoint_runs_no_code(tmp_path):
    """A pickle that would call a function is refused."""
    runs.write(tmp_path / runs.CONFIG, configs.as_dict(SMALL))
    torch.save({"format": 1, "random": Evil()}, tmp_path / runs.CHECKPOINT)
    with pytest.raises(RunError, match="cannot be read"):
        training.train(SMALL, tmp_path, resume=True)
    assert not (tmp_path / "evil").exists()


class Evil:
    def __reduce__(self):
        return (os.mkdir, ("evil",))


def test_a_device_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match="device 'tpu' is not to be had here"):
        training.train(replace(SMALL, device="tpu"), tmp_path)


@pytest.mark.gpu
def test_a_gpu_gives_what_the_cpu_gives(tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    settings = replace(SMALL, precision="float64", epochs=1)
    metrics = [training.train(replace(settings, device=d), tmp_path / d) for d in ("cpu", "cuda")]
    assert metrics[0]["train_loss"] == pytest.approx(metrics[1]["train_loss"], rel=1e-9)
