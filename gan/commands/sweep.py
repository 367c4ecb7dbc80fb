"""`python -m gan sweep`."""

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import torch
from tqdm import tqdm

from gan import sweeps
from gan.config import Config
from gan.experiments import EXPERIMENTS
from runner import commandline, workers
from runner.errors import ConfigError
from runner.experiments import named, write_results

PATIENCE = timedelta(days=7)  # of a process that has run its share, for the others
NAMES = "\n".join(f"  {name:14} {plan.question}" for name, plan in EXPERIMENTS.items())
DESCRIPTION = f"""Train many GANs with several seeds each, those that are alike at once, and compare them.

  python -m gan sweep optimum                      the recipe, saturating and not, 24 seeds each
  python -m gan sweep losses latents --seeds 8     two experiments, seeds 0 to 7
  python -m gan sweep mine.toml --jobs 4           your own, four games at a time
  python -m gan sweep optimum --batch-size 1024    any option of train goes before those of the experiment
  torchrun --standalone --nproc-per-node 2 -m gan sweep optimum
                                                   shares of the games for each process, on one machine or many

Run it again to go on: what is finished is kept, what was interrupted resumed, and what fails does not stop the others.

experiments:
{NAMES}

a file of your own (TOML or JSON):
  shared = {{ steps = 1000 }}
  [configurations]
  "small steps" = {{ learning_rate = 0.05 }}
  "large steps" = {{ learning_rate = 0.5 }}"""


def add_options(parser):
    parser.add_argument("experiments", nargs="+", metavar="EXPERIMENT", help="a name from above, or a file")
    parser.add_argument("--out", default="runs/gan-sweep", metavar="DIR", help="(default: runs/gan-sweep)")
    parser.add_argument("--seeds", type=int, default=24, metavar="N", help="seeds of each configuration (default: 24)")
    parser.add_argument("--jobs", type=int, metavar="N", help="games at a time (default: one per core; 1 with a GPU)")
    parser.add_argument("--results", metavar="FILE", help="where to put what they gave (default: gan.json in --out)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be run, and run nothing")
    commandline.add_output(parser)
    commandline.add_config(parser, Config)


def run(options):
    given = commandline.given_config(options, Config)
    first = given.pop("seed", 0)
    plans = dict(named(text, EXPERIMENTS) for text in options.experiments)
    planned = sweeps.parts(plans, given, range(first, first + options.seeds), options.out)
    if options.dry_run:
        print("\n".join(f"{part.folder}: {len(part.configs)} runs" for part in planned))
        return 0
    n_at_once = options.jobs or (1 if given.get("device", "auto") not in ("auto", "cpu") else os.cpu_count())
    if n_at_once < 1 or options.seeds < 1:
        raise ConfigError("--jobs and --seeds are at least 1")
    with workers.joined(torch.device("cpu"), PATIENCE) as team:
        mine = planned[team.rank :: team.count]
        failures = _run(mine, n_at_once, options.quiet or options.json or team.rank > 0)
        failed = workers.any_of(team, bool(failures))  # all wait for the last one
    if team.rank > 0:
        return 1 if failures else 0
    results, unreadable = sweeps.results(planned, failures)
    for failure in unreadable:
        print(f"gan: {failure.reason}", file=sys.stderr)
    failures += unreadable
    path = Path(options.results or Path(options.out) / "gan.json")
    if results:
        write_results(path, plans, results)
    if options.json:
        print(json.dumps({"runs": results, "failed": {str(f.part.folder): f.reason for f in failures}}))
    elif not options.quiet:
        for name, plan in plans.items():
            print(f"\n{name}: {plan.question}\n{sweeps.table([r for r in results if r['experiment'] == name])}")
        total = sum(len(part.configs) for part in planned)
        print(f"\n{len(results)} of {total} runs are in {path}")
    return 1 if failures or failed else 0


def _run(planned, n_at_once, quiet):
    with tqdm(total=sum(len(part.configs) for part in planned), unit=" runs", disable=quiet) as bar:

        def finished(part, failure):
            if failure:
                tqdm.write(f"gan: {part.folder}: {failure.reason}", file=sys.stderr)
            bar.update(len(part.configs))

        return sweeps.run(planned, n_at_once, finished)
