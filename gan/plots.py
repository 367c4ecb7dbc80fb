"""Plots of runs and of sweeps, from their files alone; no torch is needed."""

import functools
import math
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from gan.config import SAMPLES
from runner import figures, runs
from runner.errors import RunError
from runner.experiments import by_name

LOG4 = math.log(4)
REAL, FAKE = figures.COLOURS[0], figures.COLOURS[1]
MOST_POINTS = 800  # in one scatter plot


def draw(sources, out, formats=("png",)):
    """Draw folders of runs, and files of results of sweeps, into the folder out: the paths written.

    Raises RunError for what is neither, for a broken file, and for a run without a history.
    """
    written = []
    for source in map(Path, sources):
        drawn = _of_results(source) if source.suffix == ".json" else _of_run(source)
        for name, figure in drawn.items():
            prefix = f"{source.name}-" if len(sources) > 1 and source.suffix != ".json" else ""
            for form in formats:
                written.append(Path(out) / f"{prefix}{name}.{form}")
                figures.write(figure, written[-1])
    return written


def _of_run(folder):
    run = runs.read(folder)
    steps = [record for record in run.history if record.get("kind") == "steps"]
    if not steps:
        raise RunError(f"{folder} has no history yet; there is nothing to plot")
    found = {"training": functools.partial(training, steps, run.config)}
    if (Path(folder) / SAMPLES).exists():
        found["samples"] = functools.partial(samples, _arrays(Path(folder) / SAMPLES), run)
    return found


def _of_results(path):
    groups = {}
    for found in runs.read_json(path).get("runs", []):
        groups.setdefault(found["experiment"], []).append(found)
    if not groups:
        raise RunError(f'{path} holds no results, {{"runs": […]}}')
    return {name: functools.partial(comparison, name, results) for name, results in groups.items()}


def _arrays(path):
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in ("real", "fake")}
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise RunError(f"{path} cannot be read ({error}); restore it from a copy, or run the training anew") from None


def training(steps, config):
    """V, the best-response gap, what D says, and the distance of the means, against the steps."""
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    (value, gap), (says, means) = figure.subplots(2, 2)
    x = [record["step"] for record in steps]

    def curve(axes, key, **look):
        axes.plot(x, [record[key] for record in steps], **look)

    curve(value, "V", color=REAL, label="V")
    value.axhline(-LOG4, color="gray", linestyle="dashed", label="$-\\log 4$")
    value.set(title="the value")
    curve(gap, "best_response_gap", color=REAL, label="$\\max_D V + \\log 4$")
    gap.set(title="what the best D would add", yscale="log")
    curve(says, "D_real", color=REAL, label="on data")
    curve(says, "D_fake", color=FAKE, label="on samples of G", linestyle=(0, (4, 3)))
    says.axhline(0.5, color="gray", linestyle="dashed", label="1/2")
    says.set(title="D, on average")
    curve(means, "mean_distance", color=REAL, label="$\\|\\mathrm{E}\\,z - \\mathrm{E}\\,G(x)\\|$")
    curve(means, "W_d_norm", color=FAKE, label="$\\|W_d\\|$")
    means.set(title="distance of the means, and how hard D pushes", yscale="log")
    for axes in (value, gap, says, means):
        axes.set(xlabel="steps", xlim=(0, x[-1]))
        axes.legend()
    figure.suptitle(_title(config))
    return figure


def samples(arrays, run):
    """Pairs of coordinates of data and of samples, with their means."""
    figure = Figure(figsize=(10.5, 4.2), layout="constrained")
    pairs = ((0, 1), (1, 2), (3, 4))
    for axes, (i, j) in zip(figure.subplots(1, len(pairs)), pairs, strict=True):
        for name, colour, marker in (("real", REAL, "o"), ("fake", FAKE, "^")):
            points = arrays[name]
            axes.scatter(*points[:MOST_POINTS, (i, j)].T, s=5, color=colour, alpha=0.35, linewidths=0, marker=marker)
            axes.plot(*points[:, (i, j)].mean(0), color=colour, marker=marker, markersize=10, markeredgecolor="white")
        top = np.quantile(np.concatenate([arrays["real"], arrays["fake"]])[:, (i, j)], 0.995)
        axes.set(xlabel=f"$z_{i + 1}$", ylabel=f"$z_{j + 1}$", xlim=(-0.05 * top, top), ylim=(-0.05 * top, top))
    handles = [Line2D([], [], color=c, marker=m, linestyle="") for c, m in ((REAL, "o"), (FAKE, "^"))]
    figure.legend(handles, ("data (large: their mean)", "samples of G"), loc="outside lower center", ncols=2)
    m = run.metrics
    told = (
        "" if m is None else f"means {m['mean_distance']:.4f} apart; sliced Wasserstein {m['sliced_wasserstein']:.3f}"
    )
    told += "" if m is None else f", {m['sliced_wasserstein_floor']:.3f} between two samples of the data"
    figure.suptitle(f"{_title(run.config)}\n{told}")
    return figure


MEASURES = (
    ("best_response_gap", "$\\max_D V + \\log 4$", True),
    ("mean_distance", "distance of the means", True),
    ("sliced_wasserstein", "sliced Wasserstein distance", False),
    ("gram_error", "$W_g W_g^{\\top}$ off by", False),
)


def comparison(name, results):
    """Each run a dot, each configuration a row; a bar at its median."""
    groups = by_name(results)
    shown = [m for m in MEASURES if any(r.get(m[0]) is not None for r in results)]
    figure = Figure(figsize=(2.2 + 2.6 * len(shown), 1.3 + 0.42 * len(groups)), layout="constrained")
    for column, (axes, (key, label, log)) in enumerate(
        zip(figure.subplots(1, len(shown), sharey=True, squeeze=False)[0], shown, strict=True)
    ):
        for row, group in enumerate(groups.values()):
            values = np.array([r[key] for r in group if r.get(key) is not None])
            spread = row + 0.3 * (np.arange(len(values)) / max(1, len(values) - 1) - 0.5)
            axes.plot(values, spread, ".", color=REAL, alpha=0.6, markersize=5)
            if len(values):
                axes.plot([np.median(values)] * 2, [row - 0.32, row + 0.32], color=FAKE, linewidth=2)
        axes.set(xlabel=label, xscale="log" if log else "linear", ylim=(len(groups) - 0.5, -0.5))
        axes.xaxis.set_minor_formatter(NullFormatter())
        if column == 0:
            axes.set_yticks(range(len(groups)), groups)
    figure.suptitle(f"{name}: {len(results)} runs; the bars are medians")
    return figure


def _title(config):
    return (
        f"{config['loss']} loss, {config['discriminator']} D, {config['updates']} updates, "
        f"gamma {config['gamma']:g}, seed {config['seed']}"
    )
