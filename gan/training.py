"""Training, from a Config to the folder of a finished run; `play` alone trains without a folder, many GANs at once."""

import io
import time
from pathlib import Path

import numpy as np
from safetensors.torch import save as to_safetensors

from gan import checks, reports
from gan.config import SAMPLES, make
from gan.game import Game
from runner import checkpoints, configs, runs, stopping, workers
from runner.errors import ConfigError, DivergedError, StoppedError
from runner.progress import Silent

PARTS = ("game", "seconds", "history")  # of a checkpoint
# What a new run throws away; the metrics first, because they say that a run is whole.
FILES = (runs.METRICS, runs.CHECKPOINT, runs.HISTORY, runs.MODEL, SAMPLES, runs.CONFIG)


def train(config, folder, resume=False, reporter=None):
    """Train one GAN and write the folder; returns what metrics.json says.

    With resume it goes on where the folder's checkpoint is, and ends bit for bit where it would have ended.
    Raises RunError, DataError, ConfigError; DivergedError if a weight is not finite; StoppedError after Ctrl-C.
    """
    folder = Path(folder)
    if resume and (folder / runs.CONFIG).exists():
        configs.check_same(make(configs.from_file(folder / runs.CONFIG)), config, folder)
    if resume and runs.is_finished(folder):
        return runs.read(folder).metrics
    device = workers.device(config.device, double=True)
    with workers.threads(config.threads), stopping.requests() as request, runs.claimed(folder):
        training = _Training(config, folder, device, request, reporter or Silent())
        try:
            training.begin(resume)
            training.run()
        finally:
            training.end()
        return training.finish()


class _Training:
    def __init__(self, config, folder, device, request, reporter):
        self.config, self.folder, self.request, self.reporter = config, folder, request, reporter
        self.game = Game([config], device)
        try:
            self.game.batch()
        except (MemoryError, RuntimeError) as error:
            raise ConfigError(f"batch_size: {config.batch_size:,} samples do not fit into the memory") from error
        self.report = reports.Report(self.game)
        self.history, self.seconds = None, 0.0

    def begin(self, resume):
        if not resume:
            runs.clear(self.folder, FILES)
        saved = checkpoints.load(self.folder, self.game.device, PARTS) if resume else None
        if saved is not None:
            self.game.load_state(saved["game"])
            self.seconds = saved["seconds"]
        runs.write(self.folder / runs.CONFIG, configs.as_dict(self.config))
        self.history = runs.History(self.folder, saved["history"] if saved else 0)
        self.saved = time.monotonic()
        self.clock = self.saved - self.seconds
        self.reporter.start(self.config.steps, self.game.step)
        if saved is None:
            self._log()

    def run(self):
        game, config = self.game, self.config
        while game.step < config.steps:
            self._advance(min(config.log_every - game.step % config.log_every, config.steps - game.step))
            stops = self.request.made
            if stops or time.monotonic() - self.saved >= config.checkpoint_seconds:
                self._save()
            if stops:
                raise StoppedError(
                    f"stopped after {game.step:,} steps, which are saved; "
                    f"`python -m gan train --out {self.folder} --resume` goes on"
                )

    def _advance(self, count):
        """To the next line of the history, or as far as it gets before somebody asks to stop."""
        done = 0
        while done < count and not self.request.made:
            self.game.advance(1)
            done += 1
        if not self.game.finite().all():
            self._diverged()
        if done == count:
            self._log(count)

    def _log(self, count=0):
        record = {"kind": "steps", "step": self.game.step} | self.report.now()[0]
        if self.config.check_gradients:
            record |= checks.compare(self.game)
        record["seconds"] = round(time.monotonic() - self.clock, 3)
        self.history.add(record)
        self.reporter.record(record)
        where = f"step {self.game.step:,}"
        self.reporter.advance(count, where, f"V {record['V']:.4f}, gap {record['best_response_gap']:.1e}")

    def _diverged(self):
        kept = (self.folder / runs.CHECKPOINT).exists()
        raise DivergedError(
            f"the weights are no longer finite numbers by step {self.game.step:,}; try a smaller --learning-rate, no "
            f"--momentum, or a --gamma above 0"
            + (f"; the last good state is in {self.folder / runs.CHECKPOINT}" if kept else "")
        )

    def _save(self):
        self.saved = time.monotonic()
        self.seconds = self.saved - self.clock
        state = {"game": self.game.state(), "seconds": self.seconds, "history": self.history.saved()}
        checkpoints.save(self.folder, state)

    def end(self):
        self.reporter.stop()
        if self.history is not None:
            self.history.close()

    def finish(self):
        """Measure, and write the results; metrics.json comes last and says that the run is whole."""
        seconds = time.monotonic() - self.clock
        (metrics,), (samples,) = self.report.final()
        metrics["seconds"] = round(seconds, 3)
        weights = {name: w[0].cpu().contiguous() for name, w in self.game.result().items()}
        runs.write(self.folder / runs.MODEL, to_safetensors(weights))
        arrays = io.BytesIO()
        np.savez_compressed(arrays, **samples)
        runs.write(self.folder / SAMPLES, arrays.getvalue())
        runs.write(self.folder / runs.METRICS, metrics)
        (self.folder / runs.CHECKPOINT).unlink(missing_ok=True)
        return metrics
