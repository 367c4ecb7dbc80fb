"""Two processes on this machine: torchrun and gloo. What they do together is what one does alone."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
import torch.multiprocessing
from safetensors.torch import load_file

from classifier import batches, config, datasets, models, training
from classifier.plain import Engine
from runner import configs, runs, workers

# float64, so that the order of a sum is seen in the fifteenth digit only. 11 does not divide by 2: shares differ.
SETTINGS = config.make(
    {
        "data": "synthetic",
        "train_size": 301,
        "batch_size": 11,
        "epochs": 4,
        "learning_rate": 0.02,
        "flip": True,
        "shift": 2,
        "label_smoothing": 0.1,
        "clip_norm": 1.0,
        "weight_decay": 0.01,
        "log_every": 4,
        "precision": "float64",
        "threads": 1,
        "checkpoint_seconds": 0.0,
    }
)
TOLERANCE = 1e-9


def torchrun(folder, settings, n_processes=2):
    folder.mkdir()
    runs.write(folder.with_suffix(".json"), configs.as_dict(settings))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n_processes)]
    command += ["-m", "classifier", "train", "--config", folder.with_suffix(".json"), "--out", folder, "--quiet"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def wait_for_checkpoint(folder, process):
    deadline = time.monotonic() + 60
    while not (folder / runs.CHECKPOINT).exists():
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()[0]
        time.sleep(0.005)


def assert_equal_runs(one, other):
    losses = [[r["loss"] for r in runs.history(folder) if r["kind"] == "batches"] for folder in (one, other)]
    assert losses[0] == pytest.approx(losses[1], rel=TOLERANCE)
    weights = [load_file(folder / runs.MODEL) for folder in (one, other)]
    for name in weights[0]:
        assert torch.allclose(weights[0][name], weights[1][name], rtol=TOLERANCE, atol=TOLERANCE), name
    accuracies = [runs.read(folder).metrics["test_accuracy"] for folder in (one, other)]
    assert accuracies[0] == accuracies[1]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    training.train(SETTINGS, folder)
    return folder


def test_two_processes_train_as_one_does(alone, tmp_path):
    process = torchrun(tmp_path / "two", SETTINGS)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert runs.read(tmp_path / "two").metrics["processes"] == 2
    assert_equal_runs(alone, tmp_path / "two")


def test_a_killed_worker_ends_the_run_and_one_process_goes_on(alone, tmp_path):
    folder = tmp_path / "killed"
    process = torchrun(folder, SETTINGS)
    wait_for_checkpoint(folder, process)
    children = subprocess.run(["ps", "--ppid", str(process.pid), "-o", "pid="], capture_output=True, text=True).stdout
    os.kill(max(int(pid) for pid in children.split()), signal.SIGKILL)
    said, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert not runs.is_finished(folder) and (folder / runs.CHECKPOINT).exists()
    assert re.search("SIGKILL|Signal 9|another worker is gone", said)
    training.train(SETTINGS, folder, resume=True)
    assert_equal_runs(alone, folder)


def gradients(rank, count, port, folder):
    """Save the gradients of one mini-batch, as this process has them after the exchange."""
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port), "RANK": str(rank), "WORLD_SIZE": str(count)}
    torch.set_num_threads(1)
    with workers.joined(torch.device("cpu")) as team:
        torch.save(gradients_of(team), folder / f"{rank}.pt")


def gradients_of(team):
    settings = replace(SETTINGS, clip_norm=0.0)
    split = datasets.load("synthetic", n_train=301).train
    torch.manual_seed(0)
    engine = Engine(models.lenet(), settings, torch.device("cpu"), team)
    scale = batches.scale("half", split.images)
    losses, n_correct = engine.train(batches.block(split, settings, scale, 0, 3, 1, (team.rank, team.count)), [0.01])
    return {"losses": losses, "n_correct": n_correct, "gradients": [p.grad.clone() for p in engine.net.parameters()]}


def test_the_shares_of_a_gradient_add_up_to_the_gradient(tmp_path):
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
    torch.multiprocessing.spawn(gradients, (2, port, tmp_path), nprocs=2)
    whole = gradients_of(workers.ALONE)
    for rank in (0, 1):
        found = torch.load(tmp_path / f"{rank}.pt")
        assert found["n_correct"] == whole["n_correct"]
        assert torch.allclose(found["losses"], whole["losses"], rtol=1e-12)
        for ours, theirs in zip(found["gradients"], whole["gradients"], strict=True):
            assert (ours - theirs).abs().max() <= 1e-12 * theirs.abs().max()


def test_a_request_of_one_stops_all(tmp_path):
    assert workers.any_of(workers.ALONE, True) and not workers.any_of(workers.ALONE, False)
    folder = tmp_path / "stopped"
    process = torchrun(folder, replace(SETTINGS, epochs=1000))
    wait_for_checkpoint(folder, process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode != 0 and not runs.is_finished(folder)
    state = torch.load(folder / runs.CHECKPOINT, weights_only=True)
    assert 0 <= state["position"]["epoch"] < 1000
