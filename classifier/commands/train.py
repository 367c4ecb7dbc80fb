"""`python -m classifier train`."""

import json
from pathlib import Path

from classifier.config import Config, make
from classifier.training import train
from runner import commandline
from runner.progress import Bar, Json, Silent

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
    commandline.add_run(parser)
    commandline.add_output(parser)
    commandline.add_config(parser, Config)


def run(options):
    folder, config = commandline.run_config(options, make, default_folder)
    reporter = Silent() if options.quiet else Json() if options.json else Bar("images", _told)
    metrics = train(config, folder, options.resume, reporter)
    if not metrics or options.quiet:  # a worker that does not lead has none
        return
    print(json.dumps(metrics) if options.json else summary(metrics, folder))


def _told(record):
    if record["kind"] == "epoch" and record["validation_accuracy"] is not None:
        accuracy, loss = record["validation_accuracy"], record["validation_loss"]
        return f"epoch {record['epoch']}: validation accuracy {100 * accuracy:.2f} %, loss {loss:.4f}"
    return None


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
