"""Many runs: configurations times seeds, those that are alike in one game, several games at a time."""

import hashlib
import json
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch

from gan import reports
from gan.config import Config, make
from gan.game import Game, alike
from runner import checkpoints, configs, experiments, runs, workers
from runner.errors import RunnerError

N_TOGETHER = 64  # GANs in one game: enough to share the cost of a step, few enough to stay in a processor's cache
N_POINTS = 30  # of a curve in the results


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
            device = workers.device(config.device)
            game, seconds, curves = Game(list(part.configs), device), 0.0, []
            saved = checkpoints.load(part.folder, device)
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
    """Numbers to seven digits, those that are none to None, all the way down."""
    if isinstance(value, float):
        return float(f"{value:.7g}") if torch.isfinite(torch.tensor(value)) else None
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


COLUMNS = (
    ("V", "V", 4),
    ("best_response_gap", "gap", 5),
    ("D_distance", "|D - 1/2|", 4),
    ("mean_distance", "means apart", 4),
    ("sliced_wasserstein", "sliced W", 3),
    ("gram_error", "W_g W_g' off", 3),
)


def table(results):
    """Medians over seeds, and the largest gap, a line for each configuration."""
    groups = experiments.by_name(results)
    width = max(map(len, groups), default=0)
    head = f"{'':{width}}  runs  " + "  ".join(f"{title:>12}" for _, title, _ in COLUMNS) + f"  {'largest gap':>12}"
    lines = [head]
    for name, group in groups.items():
        cells = [_median(group, key, digits) for key, _, digits in COLUMNS]
        gaps = [r["best_response_gap"] for r in group if r["best_response_gap"] is not None]
        cells.append(f"{max(gaps):.5f}" if gaps else "-")
        lines.append(f"{name:{width}}  {len(group):4}  " + "  ".join(f"{cell:>12}" for cell in cells))
    return "\n".join(lines)


def _median(group, key, digits):
    values = torch.tensor([r[key] for r in group if r[key] is not None], dtype=torch.float64)
    return f"{values.quantile(0.5):.{digits}f}" if len(values) else "-"
