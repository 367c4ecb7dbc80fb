"""`python -m classifier sweep`."""

import json
import os
import sys
from pathlib import Path

from tqdm import tqdm

from classifier import sweeps
from classifier.config import Config
from classifier.experiments import EXPERIMENTS
from runner import commandline
from runner.errors import ConfigError
from runner.experiments import named, write_results

NAMES = "\n".join(f"  {name:14} {plan.question}" for name, plan in EXPERIMENTS.items())
DESCRIPTION = f"""Train many configurations with several seeds each, and compare them.

  python -m classifier sweep homework                    the homework's four rows, three seeds each
  python -m classifier sweep homework control --seeds 5  two experiments, seeds 0 to 4
  python -m classifier sweep mine.toml --jobs 4          your own, four runs at a time
  python -m classifier sweep homework --data synthetic --epochs 1 --engine plain
                                                         any option of train goes before those of the experiment

Run it again to go on: finished runs are kept, interrupted ones resumed, and one that fails does not stop the others.

experiments:
{NAMES}

a file of your own (TOML or JSON):
  shared = {{ epochs = 5 }}
  [configurations]
  "small steps" = {{ learning_rate = 0.0005 }}
  "large steps" = {{ learning_rate = 0.002 }}"""


def add_options(parser):
    parser.add_argument("experiments", nargs="+", metavar="EXPERIMENT", help="a name from above, or a file")
    parser.add_argument("--out", default="runs/sweep", metavar="DIR", help="where the runs lie (default: runs/sweep)")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds of each configuration (default: 3)")
    parser.add_argument("--jobs", type=int, metavar="N", help="runs at a time (default: one per core; 1 with a GPU)")
    parser.add_argument(
        "--results", metavar="FILE", help="where to put what they gave (default: classifier.json in --out)"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be run, and run nothing")
    commandline.add_output(parser)
    commandline.add_config(parser, Config)


def run(options):
    given = commandline.given_config(options, Config)
    first = given.pop("seed", 0)
    seeds = range(first, first + options.seeds)
    experiments = dict(named(e, EXPERIMENTS) for e in options.experiments)
    planned = sweeps.jobs(experiments, given, seeds, options.out)
    if options.dry_run:
        print("\n".join(f"{job.folder}" for job in planned))
        return 0
    n_at_once = options.jobs or (1 if given.get("device", "auto") not in ("auto", "cpu") else os.cpu_count())
    if n_at_once < 1 or options.seeds < 1:
        raise ConfigError("--jobs and --seeds are at least 1")
    with tqdm(total=len(planned), unit=" runs", disable=options.quiet or options.json) as bar:

        def finished(job, failure):
            if failure:
                tqdm.write(f"classifier: {job.folder}: {failure.reason}", file=sys.stderr)
            bar.set_postfix_str(str(job.folder.name), refresh=False)
            bar.update()

        failures = sweeps.run(planned, n_at_once, finished)
    results, unreadable = sweeps.results(planned, failures)
    for failure in unreadable:
        print(f"classifier: {failure.reason}", file=sys.stderr)
    failures += unreadable
    path = Path(options.results or Path(options.out) / "classifier.json")
    if results:
        write_results(path, experiments, results)
    if options.json:
        print(json.dumps({"runs": results, "failed": {str(f.job.folder): f.reason for f in failures}}))
    elif not options.quiet:
        for name, plan in experiments.items():
            print(f"\n{name}: {plan.question}\n{sweeps.table([r for r in results if r['experiment'] == name])}")
        print(f"\n{len(results)} of {len(planned)} runs are in {path}")
    return 1 if failures else 0
