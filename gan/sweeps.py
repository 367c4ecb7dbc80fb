"""Many runs: configurations times seeds, those that are alike in one game, several games at a time."""

import hashlib
import json
import math
import statistics
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from gan import reports
from gan.config import Config, make
from gan.game import Game, alike
from runner import checkpoints, configs, experiments, runs, workers
from runner.errors import RunnerError

N_TOGETHER = 64  # GANs in one game: enough to share the cost of a step, few enough to stay in a processor's cache
N_POINTS = 20  # of a curve in the results


@dataclass(frozen=True)
class Part:
    """Runs that play in one game, and the folder of their checkpoint and results."""

    experiment: str
    configs: tuple[Config, ...]
    folder: Path


@dataclass(frozen=True)
class Failure:
    part: Part
    reason: str


def parts(plans, given, seeds, out):
    """plans: name -> Experiment; given: options that go before those of the experiments; all that is to be run."""
    found = []
    for experiment, plan in plans.items():
        groups = {}
        for name, options in plan.configurations.items():
            for seed in seeds:
                config = make(plan.shared | options | given | {"name": name, "seed": seed})
                groups.setdefault(alike(config), []).append(config)
        for group in groups.values():
            for start in range(0, len(group), N_TOGETHER):
                members = tuple(group[start : start + N_TOGETHER])
                found.append(Part(experiment, members, Path(out) / experiment / _name(members)))
    return found


def _name(members):
    """Of a folder: what can be read, and a mark of all that its results depend on."""
    learned = [{n: v for n, v in configs.as_dict(c).items() if not _is_place(n)} for c in members]
    mark = hashlib.sha256(json.dumps(learned).encode()).hexdigest()[:8]
    return f"{experiments.slug(members[0].name)}-seed{members[0].seed}-{mark}"


def _is_place(name):
    return configs.options(Config)[name].metadata["place"]


def run(planned, n_at_once, finished):
    """Run the parts that are not finished yet, each in a process; finished(part, failure or None) after each."""
    failures = []
    with ProcessPoolExecutor(n_at_once, mp_context=get_context("spawn")) as pool:
        started = {pool.submit(play, part): part for part in planned}
        try:
            for future in as_completed(started):
                failure = future.result()
                failures += [failure] if failure else []
                finished(started[future], failure)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    return failures


def play(part):
    """One part, from where its checkpoint is to its results.json. Returns a Failure, or None."""
    if (part.folder / runs.METRICS).exists():
        return None
    config = part.configs[0]
    try:
        with workers.threads(config.threads), runs.claimed(part.folder):
            device = workers.device(config.device, double=True)
            game, seconds, curves = Game(list(part.configs), device), 0.0, []
            saved = checkpoints.load(part.folder, device, ("game", "seconds", "curves"))
            if saved is not None:
                game.load_state(saved["game"])
                seconds, curves = saved["seconds"], saved["curves"]
            _advance(game, part, seconds, curves)
    except RunnerError as error:
        return Failure(part, str(error))
    return None


def _advance(game, part, seconds, curves):
    config, report = game.config, reports.Report(game)
    clock = saved = time.monotonic()
    clock -= seconds
    stretch = -(-config.steps // N_POINTS)
    while game.step < config.steps:
        game.advance(min(stretch, config.steps - game.step))
        curves.append([game.step, [[m["V"], m["best_response_gap"]] for m in report.now()]])
        if time.monotonic() - saved >= config.checkpoint_seconds:
            saved = time.monotonic()
            state = {"game": game.state(), "seconds": saved - clock, "curves": curves}
            checkpoints.save(part.folder, state)
    seconds = (time.monotonic() - clock) / len(part.configs)
    metrics, _ = report.final()
    results = [
        {"experiment": part.experiment}
        | m
        | {"name": c.name, "seconds": seconds, "curve": [[step, *values[k]] for step, values in curves]}
        for k, (c, m) in enumerate(zip(part.configs, metrics, strict=True))
    ]
    runs.write(part.folder / runs.METRICS, {"runs": _rounded(results)})
    (part.folder / runs.CHECKPOINT).unlink(missing_ok=True)


def _rounded(value):
    """Numbers to six digits, those that are none to None, all the way down."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _rounded(v) for key, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, (list, tuple)) else value


def results(planned, failures):
    """(the results of the parts that did not fail, Failures of those whose files cannot be read)."""
    failed, found, unreadable = {failure.part for failure in failures}, [], []
    for part in planned:
        if part in failed:
            continue
        try:
            found += runs.read_json(part.folder / runs.METRICS)["runs"]
        except RunnerError as error:
            unreadable.append(Failure(part, str(error)))
    return found, unreadable


def _largest(values):
    return max(values, key=abs)


# (key, title, digits, what of the values of a group).
COLUMNS = (
    ("V", "V", 4, statistics.median),
    ("objective", "own value", 4, statistics.median),
    ("best_response_gap", "gap", 5, statistics.median),
    ("best_response_gap", "largest", 5, _largest),
    ("D_distance", "|D - 1/2|", 4, statistics.median),
    ("mean_distance", "means off", 4, statistics.median),
    ("sliced_wasserstein", "sliced W", 3, statistics.median),
    ("gram_error", "WgWg' off", 3, statistics.median),
    ("norm_ratio", "ratio", 4, statistics.mean),
)


def table(results):
    """Medians over seeds, the largest gap and the mean ratio, a line for each configuration."""
    groups = experiments.by_name(results)
    width = max(map(len, groups), default=0)
    lines = [f"{'':{width}}  runs" + "".join(f"  {title:>9}" for _, title, _, _ in COLUMNS)]
    for name, group in groups.items():
        cells = "".join(f"  {_cell(group, *column):>9}" for column in COLUMNS)
        lines.append(f"{name:{width}}  {len(group):4}{cells}")
    return "\n".join(lines)


def _cell(group, key, title, digits, summary):
    values = [run[key] for run in group if run[key] is not None]
    return f"{summary(values):.{digits}f}" if values else "-"
