"""`python -m gan train`."""

import importlib
import json
import math
import sys
from pathlib import Path

from gan.config import Config, make
from gan.training import train
from runner import commandline
from runner.progress import Bar, Json, Silent

DESCRIPTION = """Train G(x) = ReLU(W_g x) against D(z) = sigmoid(W_d z), and write the folder of the run.

  python -m gan train                                  the recipe that ends at V = -log 4 and D = 1/2, in seconds
  python -m gan train --discriminator quadratic        a D that sees second moments too: then G learns the law
  python -m gan train --data mine.csv --seed 3         samples of your own, five columns
  python -m gan train --updates simultaneous --gamma 0 a game that turns in circles
  python -m gan train --check-gradients                against autograd and the derived formulas, at every log
  python -m gan train --out runs/a --resume            go on where Ctrl-C, a crash or a power cut left it

The folder holds config.json, history.jsonl, metrics.json, model.safetensors, samples.npz and plots;
`python -m gan plot DIR` draws them anew."""


def add_options(parser):
    commandline.add_run(parser)
    commandline.add_output(parser)
    commandline.add_config(parser, Config)


def run(options):
    folder, config = commandline.run_config(options, make, default_folder)
    reporter = Silent() if options.quiet else Json() if options.json else Bar("steps")
    metrics = train(config, folder, options.resume, reporter)
    try:
        # By name: training needs no matplotlib.
        drawn = importlib.import_module("gan.plots").draw([folder], folder / "plots")
    except ModuleNotFoundError as error:
        drawn = [f"no plots: {error.name} is not installed (pip install 'matrix-derivations[plots]')"]
    if options.json:
        print(json.dumps(metrics))
    elif not options.quiet:
        print("\n".join(map(str, [summary(metrics, folder), *drawn])))
        for note in metrics["notes"]:
            print(f"gan: {note}", file=sys.stderr)


def default_folder(config):
    parts = ["gan", config.loss, config.discriminator, *([] if config.data == "teacher" else [Path(config.data).stem])]
    return f"runs/{'-'.join(parts)}-seed{config.seed}"


def summary(metrics, folder):
    """V and D alone prove nothing: they are -log 4 and 1/2 wherever W_d is zero."""
    m = metrics
    floor = m["sliced_wasserstein_floor"]
    gram = "" if m["gram_error"] is None else f", W_g W_g' off by {100 * m['gram_error']:.1f} %"
    return (
        f"V = {m['V']:.4f} (-log 4 = {-math.log(4):.4f}), D = {m['D_real']:.3f} on data, {m['D_fake']:.3f} on samples\n"
        f"the best D could add {m['best_response_gap']:.1e} to -log 4; the means are {m['mean_distance']:.1e} apart\n"
        f"the laws: sliced Wasserstein {m['sliced_wasserstein']:.3f}, where two samples of the data have {floor:.3f}"
        f"{gram}\n{m['seconds']:.1f} s on {m['device']}; in {folder}"
    )
