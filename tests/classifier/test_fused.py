"""The fused engine in a training: the same weights as the plain one, and an error where it cannot be."""

import copy
import os
import signal
import sys

import pytest
import torch

from classifier import batches, config, datasets, models, training
from classifier.plain import Engine as PlainEngine
from runner import runs
from runner.errors import ConfigError, StoppedError
from runner.progress import Silent
from runner.workers import ALONE, Workers

fused = pytest.importorskip("classifier.fused")
CPU = torch.device("cpu")
SETTINGS = {"data": "synthetic", "train_size": 300, "batch_size": 16, "epochs": 2, "learning_rate": 0.01, "threads": 1}


@pytest.mark.parametrize("augmentation", [{}, {"flip": True, "shift": 3}], ids=["as they are", "flipped and shifted"])
@pytest.mark.parametrize(("precision", "tolerance"), [("float64", 1e-12), ("float32", 1e-4)])
def test_a_block_is_that_of_the_plain_engine(precision, tolerance, augmentation):
    settings = config.make(SETTINGS | {"precision": precision, "weight_decay": 0.01} | augmentation)
    split = datasets.load("synthetic", n_train=300).train
    torch.manual_seed(0)
    net = models.lenet()
    nets = net, copy.deepcopy(net)
    block = batches.block(split, settings, batches.scale("half", split.images), 0, 0, 19)
    engines = PlainEngine(nets[0], settings, CPU), fused.Engine(nets[1], settings, CPU, ALONE)
    (losses, n), (fused_losses, fused_n) = (e.train(block, [0.01 * (1 + k / 9) for k in range(19)]) for e in engines)
    assert torch.allclose(losses, fused_losses, rtol=tolerance) and n == fused_n
    for a, b in zip(nets[0].parameters(), nets[1].parameters()):
        assert (a - b).abs().max() <= tolerance * a.abs().max()


class StopsAfterTheSecondBlock(Silent):
    blocks = 0

    def advance(self, *_):
        self.blocks += 1
        if self.blocks == 2:
            os.kill(os.getpid(), signal.SIGINT)


def test_a_stopped_run_ends_where_it_would_have_ended(tmp_path):
    settings = config.make(SETTINGS | {"engine": "fused", "log_every": 5})
    training.train(settings, tmp_path / "whole")
    with pytest.raises(StoppedError, match="0 epochs and 10 mini-batches"):
        training.train(settings, tmp_path / "stopped", reporter=StopsAfterTheSecondBlock())
    metrics = training.train(settings, tmp_path / "stopped", resume=True)
    weights = [(tmp_path / name / runs.MODEL).read_bytes() for name in ("whole", "stopped")]
    assert weights[0] == weights[1] and metrics["engine"] == "fused"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": "mlp"}, "needs model = 'lenet', not 'mlp'; --engine plain takes both"),
        ({"width": 2.0}, "needs width = 1.0"),
        ({"optimizer": "adamw"}, "needs optimizer = 'sgd'"),
        ({"nesterov": True}, "needs nesterov = False"),
        ({"label_smoothing": 0.1}, "needs label_smoothing = 0.0"),
        ({"clip_norm": 1.0}, "needs clip_norm = 0.0"),
        ({"precision": "bfloat16"}, "needs --precision float32 or float64"),
    ],
)
def test_what_it_cannot_do_is_refused(given, message):
    settings = config.make(SETTINGS | given)
    with pytest.raises(ConfigError, match=message):
        fused.Engine(models.lenet(), settings, CPU, ALONE)


def test_it_is_for_one_process():
    with pytest.raises(ConfigError, match="in one process"):
        fused.Engine(models.lenet(), config.make(SETTINGS), CPU, Workers(0, 2))


@pytest.fixture
def not_yet_imported(monkeypatch):
    for name in ("fused", "kernels"):
        monkeypatch.delitem(sys.modules, f"classifier.{name}")
        monkeypatch.delattr(f"classifier.{name}")


@pytest.mark.usefixtures("not_yet_imported")
def test_without_numba_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ConfigError, match="--engine fused needs numba: pip install numba, or --engine plain"):
        training.train(config.make(SETTINGS | {"engine": "fused"}), tmp_path)


@pytest.mark.usefixtures("not_yet_imported")
def test_without_a_folder_for_compiled_code_the_error_names_the_way_out(tmp_path, monkeypatch):
    # The places where Numba looks for a folder that it can write; an administrator can write all of them.
    monkeypatch.setattr("numba.core.caching.CacheImpl._locator_classes", [])
    with pytest.raises(ConfigError, match=r"--engine fused .* set NUMBA_CACHE_DIR to a folder"):
        training.train(config.make(SETTINGS | {"engine": "fused"}), tmp_path)
