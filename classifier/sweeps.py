"""Many runs: configurations times seeds, each in a process of its own, and what they gave."""

import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from classifier.config import Config, make
from runner import configs, runs
from runner.errors import RunError
from runner.experiments import by_name, slug, spread

# Points of a loss curve in the results: enough for a plot in a document.
N_POINTS = 60


@dataclass(frozen=True)
class Job:
    """A run to be done: the name of its experiment, its options, and its folder."""

    experiment: str
    config: Config
    folder: Path


@dataclass(frozen=True)
class Failure:
    job: Job
    reason: str


def jobs(experiments, given, seeds, out):
    """experiments: name -> Experiment; given: options that go before those of the experiments; a Job for each run."""
    found = []
    for experiment, plan in experiments.items():
        for name, options in plan.configurations.items():
            for seed in seeds:
                # One thread: then the results do not depend on how many runs share the machine.
                values = {"threads": 1} | plan.shared | options | given | {"name": name, "seed": seed}
                folder = Path(out) / experiment / f"{slug(name)}-seed{seed}"
                found.append(Job(experiment, make(values), folder))
    return found


def run(planned, n_at_once, finished):
    """Run the jobs that are not finished yet; finished(job, failure or None) is called after each. Returns Failures."""
    failures = []
    with ThreadPoolExecutor(n_at_once) as pool:
        started = {pool.submit(_run, job): job for job in planned}
        try:
            for future in as_completed(started):
                failure = future.result()
                if failure:
                    failures.append(failure)
                finished(started[future], failure)
        except KeyboardInterrupt:
            # The runs have got the signal too, and save.
            pool.shutdown(cancel_futures=True)
            raise
    return failures


def _run(job):
    if runs.is_finished(job.folder):
        name = configs.difference(make(configs.from_file(job.folder / runs.CONFIG)), job.config)
        return Failure(job, f"another run is in this folder, with another {name}; name another --out") if name else None
    file = job.folder.with_name(job.folder.name + ".json")
    runs.write(file, configs.as_dict(job.config))
    command = [
        sys.executable,
        "-m",
        "classifier",
        "train",
        "--config",
        file,
        "--out",
        job.folder,
        "--resume",
        "--quiet",
    ]
    environment = os.environ | {"OMP_NUM_THREADS": str(job.config.threads or os.cpu_count())}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode == 0:
        file.unlink()
        return None
    lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return Failure(job, lines[-1].removeprefix("classifier: "))


def results(planned, failures):
    """(the results of the jobs that did not fail, Failures of those whose folders cannot be read)."""
    failed, found, unreadable = {failure.job for failure in failures}, [], []
    for job in planned:
        if job in failed:
            continue
        try:
            found.append(result(job))
        except RunError as error:
            unreadable.append(Failure(job, str(error)))
    return found, unreadable


def result(job):
    """What the results file keeps of a finished run."""
    run = runs.read(job.folder)
    losses = [(r["epoch"], r["loss"]) for r in run.history if r["kind"] == "batches"]
    epochs = [r for r in run.history if r["kind"] == "epoch"]
    seen = [[r["epoch"], r["validation_accuracy"]] for r in epochs if r["validation_accuracy"] is not None]
    learned = {n: run.config[n] for n in ("learning_rate", "momentum", "weight_decay", "width", "train_size")}
    kept = {k: v for k, v in run.metrics.items() if k not in ("classes", "class_accuracy")}
    return {
        "experiment": job.experiment,
        **_rounded(kept | learned),
        "loss": [[round(epoch, 4), round(loss, 4)] for epoch, loss in _thinned(losses)],
        "validation": _thinned(seen),
    }


def table(results):
    """Mean and standard deviation over seeds, a line for each configuration."""
    groups = by_name(results)
    width = max(map(len, groups), default=0)
    head = (
        f"{'':{width}}  seeds  {'test accuracy':>15}  {'validation':>15}  {'training':>15}  {'test loss':>13}  seconds"
    )
    lines = [head]
    for name, group in groups.items():
        splits = ([_percent(r[f"{split}_accuracy"]) for r in group] for split in ("test", "validation", "train"))
        cells = "  ".join(f"{spread(values, 2):>15}" for values in splits)
        loss = spread([r["test_loss"] for r in group], 3)
        seconds = statistics.mean(r["seconds"] for r in group)
        lines.append(f"{name:{width}}  {len(group):5}  {cells}  {loss:>13}  {seconds:7.1f}")
    return "\n".join(lines)


def _percent(part):
    return None if part is None else 100 * part


def _thinned(points):
    """At most N_POINTS of them: each the mean of as many neighbours, at the place where the last of them is."""
    points = list(points)
    step = -(-len(points) // N_POINTS) or 1
    parts = [points[i : i + step] for i in range(0, len(points), step)]
    return [[part[-1][0], statistics.mean(y for _, y in part)] for part in parts]


def _rounded(values):
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in values.items()}
