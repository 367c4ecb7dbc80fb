"""Training, from a Config to the folder of a finished run."""

import contextlib
import importlib
import io
import os
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save as to_safetensors

from classifier import batches, datasets, evaluation, models
from classifier.config import make
from classifier.run_folders import PREDICTIONS
from runner import checkpoints, configs, runs, schedules, stopping, workers
from runner.errors import ConfigError, DivergedError, StoppedError
from runner.progress import Silent

PARTS = ("engine", "position", "best", "history")  # of a checkpoint
# What a new run throws away; the metrics first, because they say that a run is whole.
FILES = (runs.METRICS, runs.CHECKPOINT, runs.HISTORY, runs.MODEL, PREDICTIONS, runs.CONFIG)
# Loaded by name: Numba is there only for those who ask for it.
ENGINES = {"plain": "classifier.plain", "fused": "classifier.fused"}


@dataclass
class Sums:
    """Over some mini-batches: the sum of their losses, and how many mini-batches, images and right answers."""

    loss: float = 0.0
    batches: int = 0
    images: int = 0
    correct: int = 0


@dataclass
class Position:
    """Where a training is: what a checkpoint keeps beside the engine's state. Plain numbers only."""

    epoch: int = 0  # finished ones
    batch: int = 0  # mini-batches done in the one that has begun
    seconds: float = 0.0
    logged: Sums = field(default_factory=Sums)  # since the last line of the history
    passed: Sums = field(default_factory=Sums)  # since the epoch began
    best_accuracy: float = -1.0
    best_epoch: int = 0


def train(config, folder, resume=False, reporter=None):
    """Train, evaluate once on the test images, and write the folder; returns what metrics.json says.

    With resume it goes on where the folder's checkpoint is, and ends bit for bit where it would have ended.
    Raises RunError, DataError, ConfigError; DivergedError if the loss is not finite; StoppedError after Ctrl-C.
    """
    if resume and (Path(folder) / runs.CONFIG).exists():
        configs.check_same(make(configs.from_file(Path(folder) / runs.CONFIG)), config, folder)
    if resume and runs.is_finished(folder):
        return runs.read(folder).metrics
    reporter = reporter or Silent()
    # The fused engine is for the CPU, whatever else there is.
    device = workers.device("cpu" if (config.engine, config.device) == ("fused", "auto") else config.device)
    dataset = _on(device, datasets.load(config.data, config.validation, config.train_size or None))
    with _settings(config), workers.joined(device) as team, stopping.requests() as request:
        training = _Training(config, Path(folder), device, dataset, team, request, reporter)
        with runs.claimed(folder) if training.leads else contextlib.nullcontext():
            try:
                training.begin(resume)
                training.run()
            finally:
                training.end()
            return training.finish()


def check_shares(net, config, n_images, n_processes):
    """Raises ConfigError where batch normalisation would have a single number to normalise: that of one image."""
    # BatchNorm2d has the places of an image to average over as well.
    if not any(isinstance(module, torch.nn.BatchNorm1d) for module in net.modules()):
        return
    whole = min(config.batch_size, n_images)
    for size in (whole, n_images % whole):  # that of the last mini-batch, or 0
        if any(high - low == 1 for low, high in batches.shares(size, n_processes)):
            raise ConfigError(
                f"{config.model} normalises over images, and a process gets a single image of a mini-batch of {size}; "
                f"give another --batch-size or --train-size" + (", or fewer processes" if n_processes > 1 else "")
            )


class _Training:
    def __init__(self, config, folder, device, dataset, team, request, reporter):
        self.config, self.folder, self.device, self.dataset, self.team = config, folder, device, dataset, team
        self.request = request
        self.leads = team.rank == 0  # one process writes
        self.reporter = reporter if self.leads else Silent()
        self.n_batches = batches.n_batches(len(dataset.train), config.batch_size)
        self.scale = batches.scale(config.normalization, dataset.train.images.cpu())
        torch.manual_seed(config.seed)
        self.net = models.MODELS[config.model](config.width)
        check_shares(self.net, config, len(dataset.train), team.count)
        self.engine = _engine(config.engine)(self.net, config, device, team)
        self.position, self.best, self.history = Position(), None, None

    def begin(self, resume):
        if self.leads and not resume:
            runs.clear(self.folder, FILES)
        saved = checkpoints.load(self.folder, self.device, PARTS) if resume else None
        if saved is not None:
            self._continue(saved)
        if self.leads:
            runs.write(self.folder / runs.CONFIG, configs.as_dict(self.config))
            self.history = runs.History(self.folder, saved["history"] if saved else 0)
        at = self.position
        self.saved = time.monotonic()
        self.clock = time.monotonic() - at.seconds
        done = at.epoch * len(self.dataset.train) + min(at.batch * self.config.batch_size, len(self.dataset.train))
        self.reporter.start(self.config.epochs * len(self.dataset.train), done)

    def _continue(self, saved):
        at = saved["position"]
        self.position = Position(**at | {name: Sums(**at[name]) for name in ("logged", "passed")})
        self.engine.load_state(saved["engine"])
        self.best = saved["best"]

    def run(self):
        at, config = self.position, self.config
        while at.epoch < config.epochs and not self._is_over():
            self._train_block()
            logs = at.batch % config.log_every == 0
            ends = at.batch == self.n_batches
            if logs or ends:
                self._log()
            if ends:
                self._end_epoch()
            stops = workers.any_of(self.team, self.request.made)
            if stops or ((logs or ends) and time.monotonic() - self.saved >= config.checkpoint_seconds):
                self._save()
            if stops:
                raise StoppedError(
                    f"stopped after {at.epoch} epochs and {at.batch:,} mini-batches, which are saved; "
                    f"`python -m classifier train --out {self.folder} --resume` goes on"
                )

    def _is_over(self):
        """Early stopping. Prechelt (1998), Early stopping — but when?"""
        return self.config.patience and self.position.epoch - self.position.best_epoch >= self.config.patience

    def _train_block(self):
        at, config = self.position, self.config
        to_log = config.log_every - at.batch % config.log_every
        count = min(to_log, self.n_batches - at.batch, max(1, batches.BLOCK // config.batch_size))
        block = batches.block(
            self.dataset.train, config, self.scale, at.epoch, at.batch, count, (self.team.rank, self.team.count)
        )
        losses, n_correct = self.engine.train(block, self._learning_rates(count))
        if not torch.isfinite(losses).all():
            self._diverged(int(torch.isfinite(losses).long().argmin()))
        for sums in (at.logged, at.passed):
            sums.loss += float(losses.sum())
            sums.batches += count
            sums.images += sum(block.sizes)
            sums.correct += n_correct
        at.batch += count
        at.seconds = time.monotonic() - self.clock
        loss, accuracy = at.logged.loss / at.logged.batches, at.logged.correct / at.logged.images
        self.reporter.advance(
            sum(block.sizes),
            f"epoch {at.epoch + 1}/{config.epochs}",
            f"loss {loss:.3f}, accuracy {100 * accuracy:.1f} %",
        )

    def _learning_rates(self, count):
        first = self.position.epoch * self.n_batches + self.position.batch
        return [self._learning_rate(step) for step in range(first, first + count)]

    def _learning_rate(self, step):
        config, n_steps = self.config, self.config.epochs * self.n_batches
        return config.learning_rate * schedules.factor(config.schedule, step, n_steps, config.warmup)

    def _diverged(self, place):
        at = self.position
        kept = (self.folder / runs.CHECKPOINT).exists()
        raise DivergedError(
            f"the loss of mini-batch {at.batch + place + 1:,} in epoch {at.epoch + 1} is not a finite number; "
            f"try a smaller --learning-rate or --clip-norm 1"
            + (f"; the last good state is in {self.folder / runs.CHECKPOINT}" if kept else "")
        )

    def _log(self):
        at, sums = self.position, self.position.logged
        self._record(
            {
                "kind": "batches",
                "epoch": at.epoch + at.batch / self.n_batches,
                "step": at.epoch * self.n_batches + at.batch,
                "batches": sums.batches,
                "loss": sums.loss / sums.batches,
                "accuracy": sums.correct / sums.images,
            }
        )
        at.logged = Sums()

    def _end_epoch(self):
        at, sums = self.position, self.position.passed
        score = self._score(self.dataset.validation)
        at.epoch, at.batch, at.passed = at.epoch + 1, 0, Sums()
        self._record(
            {
                "kind": "epoch",
                "epoch": at.epoch,
                "step": at.epoch * self.n_batches,
                "train_loss": sums.loss / sums.batches,
                "train_accuracy": sums.correct / sums.images,
                "validation_loss": score and score.loss,
                "validation_accuracy": score and score.accuracy,
            }
        )
        if self.config.patience and score.accuracy > at.best_accuracy:
            at.best_accuracy, at.best_epoch = score.accuracy, at.epoch
            self.best = {name: tensor.clone() for name, tensor in self.engine.weights().items()}

    def _record(self, record):
        at = self.position
        at.seconds = time.monotonic() - self.clock
        last = max(at.epoch * self.n_batches + at.batch - 1, 0)
        rate = self._learning_rate(last)
        record |= {"learning_rate": rate, "seconds": round(at.seconds, 3)}
        if self.leads:
            self.history.add(record)
        self.reporter.record(record)

    def _save(self):
        self.saved = time.monotonic()
        if not self.leads:
            return
        weights = self.engine.weights().values()
        if not all(torch.isfinite(w).all() for w in weights):
            self._diverged(-1)
        state = {"engine": self.engine.state(), "position": asdict(self.position), "best": self.best}
        checkpoints.save(self.folder, state | {"history": self.history.saved()})

    def _score(self, split, logits=None):
        if not len(split):
            return None
        return evaluation.score(self._logits(split) if logits is None else logits, split.labels.cpu())

    def _logits(self, split):
        return evaluation.logits(self.net, split.images, self.scale, self.config)

    def end(self):
        self.reporter.stop()
        if self.history is not None:
            self.history.close()

    def finish(self):
        """Test once, and write the results; metrics.json comes last and says that the run is whole."""
        if self.best is not None:
            self.net.load_state_dict(self.best)
        if not self.leads:
            return {}
        test = self.dataset.test
        logits = self._logits(test)
        weights = {name: w.detach().cpu().contiguous().clone() for name, w in self.net.state_dict().items()}
        runs.write(self.folder / runs.MODEL, to_safetensors(weights))
        arrays = io.BytesIO()
        np.savez_compressed(arrays, **evaluation.predictions(logits, test))
        runs.write(self.folder / PREDICTIONS, arrays.getvalue())
        metrics = self._metrics(logits)
        runs.write(self.folder / runs.METRICS, metrics)
        (self.folder / runs.CHECKPOINT).unlink(missing_ok=True)
        return metrics

    def _metrics(self, logits):
        config, data, at = self.config, self.dataset, self.position
        scores = {
            "test": self._score(data.test, logits),
            "validation": self._score(data.validation),
            "train": self._score(data.train),
        }
        labels = data.test.labels.cpu()
        right = (logits.argmax(1) == labels).double()
        return {
            **{name: getattr(config, name) for name in ("name", "model", "batch_size", "epochs", "seed")},
            **{f"{split}_accuracy": score and score.accuracy for split, score in scores.items()},
            **{f"{split}_loss": score and score.loss for split, score in scores.items()},
            "seconds": round(at.seconds, 3),
            "images_per_second": round(at.epoch * len(data.train) / at.seconds, 1),
            "epochs_done": at.epoch,
            "best_epoch": at.best_epoch or at.epoch,
            "steps": at.epoch * self.n_batches,
            "data": data.name,
            "n_train": len(data.train),
            "n_validation": len(data.validation),
            "n_test": len(data.test),
            "n_parameters": models.n_parameters(self.net),
            "mean": self.scale.mean.flatten().tolist(),
            "std": self.scale.std.flatten().tolist(),
            "classes": list(data.classes),
            "class_accuracy": [float(right[labels == c].mean()) for c in range(len(data.classes))],
            "device": str(self.device),
            "engine": config.engine,
            "processes": self.team.count,
            "torch": torch.__version__,
        }


def _on(device, dataset):
    moved = {
        name: datasets.Split(split.images.to(device), split.labels.to(device))
        for name, split in (("train", dataset.train), ("validation", dataset.validation), ("test", dataset.test))
    }
    return replace(dataset, **moved)


@contextlib.contextmanager
def _settings(config):
    """PyTorch's own switches, as the config wants them for as long as the training lasts."""
    # cuBLAS reads it when the first matrix is multiplied; without it, it refuses to be deterministic.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(config.deterministic)
    try:
        with workers.threads(config.threads):
            yield
    finally:
        torch.use_deterministic_algorithms(before)


def _engine(name):
    try:
        return importlib.import_module(ENGINES[name]).Engine
    except ModuleNotFoundError as error:
        raise ConfigError(f"--engine {name} needs {error.name}: pip install {error.name}, or --engine plain") from None
