"""`python -m classifier train`."""

import json
import os
from pathlib import Path

from classifier import config as configs
from classifier import runs
from classifier.commands import options as shared
from classifier.errors import ConfigError, RunError
from classifier.progress import Bar, Json, Silent
from classifier.training import train

DESCRIPTION = """Train a net and write the folder of the run.

  python -m classifier train --epochs 1                    the homework's LeNet on CIFAR-10, one epoch
  python -m classifier train --data synthetic              a small generated set: a first try in seconds
  python -m classifier train --model resnet-mini           a better net of about the same size, with a modern recipe
  python -m classifier train --config mine.toml --seed 3   options from a file (JSON or TOML), and from here
  python -m classifier train --out runs/a --resume         go on where Ctrl-C, a crash or a power cut left it
  torchrun --nproc-per-node 2 -m classifier train …        the same training, shared by two processes

The folder holds config.json, history.jsonl, metrics.json, model.safetensors and predictions.npz;
`python -m classifier plot DIR` draws them. Choices should look at the validation accuracy; the test images are
read once, at the end."""


def add_options(parser):
    parser.add_argument("--out", metavar="DIR", help="the folder of the run (default: runs/ and what the run is)")
    parser.add_argument("--config", metavar="FILE", help="options from a JSON or TOML file, or a run's config.json")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out; start it if there is none")
    parser.add_argument("--overwrite", action="store_true", help="throw away the run that is in --out")
    shared.add_output(parser)
    shared.add_config(parser)


def run(options):
    given = (configs.from_file(options.config) if options.config else {}) | shared.given_config(options)
    folder = Path(options.out or default_folder(configs.make(given)))
    config = _prepared(folder, given, options.resume, options.overwrite)
    reporter = Silent() if options.quiet else Json() if options.json else Bar(config.epochs)
    metrics = train(config, folder, options.resume, reporter)
    if not metrics or options.quiet:  # a worker that does not lead has none
        return
    print(json.dumps(metrics) if options.json else summary(metrics, folder))


def default_folder(config):
    data = "" if config.data == "cifar10" else f"-{Path(config.data).stem}"
    return f"runs/{config.model}{data}-batch{config.batch_size}-epochs{config.epochs}-seed{config.seed}"


def summary(metrics, folder):
    splits = [s for s in ("test", "validation", "train") if metrics[f"{s}_accuracy"] is not None]
    scores = ", ".join(
        f"{s} accuracy {100 * metrics[f'{s}_accuracy']:.2f} % (loss {metrics[f'{s}_loss']:.4f})" for s in splits
    )
    data = "generated images, not CIFAR-10; " if metrics["data"] == "synthetic" else ""
    return f"{scores}\n{data}{metrics['seconds']:.1f} s on {metrics['device']}; in {folder}"


def _prepared(folder, given, resume, overwrite):
    """The Config to train with, once the folder is known to be free, or to hold the same run."""
    there = (folder / runs.CONFIG).exists()
    if not there:
        return configs.make(given)
    if overwrite and int(os.environ.get("RANK", 0)) == 0:
        for name in (runs.CONFIG, runs.HISTORY, runs.CHECKPOINT, runs.METRICS, runs.MODEL, runs.PREDICTIONS):
            (folder / name).unlink(missing_ok=True)
    if overwrite:
        return configs.make(given)
    if not resume:
        raise RunError(f"{folder} holds a run; --resume goes on, --overwrite throws it away, --out names another")
    before = configs.from_file(folder / runs.CONFIG)
    config = configs.make(before | given)
    name = configs.difference(configs.make(before), config)
    if name:
        raise ConfigError(
            f"the run in {folder} has {name} = {before[name]!r}, not {given[name]!r}; leave the option out"
        )
    return config
