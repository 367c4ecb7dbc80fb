"""What the plots of runs show, as plain numbers: panels, which matplotlib or pgfplots draws."""

import json
import math
import textwrap
from dataclasses import dataclass, replace

import numpy as np

from classifier.config import N_CLASSES

# Okabe & Ito (2008), Color universal design, without the yellow, which is faint on white.
COLOURS = ("0072B2", "D55E00", "009E73", "CC79A7", "E69F00", "56B4E9", "000000")
# The next seven groups have the same colours and another look: (line, marker).
LINES = (("solid", "o"), ("dashed", "s"), ("dotted", "^"))
MANY_POINTS = 200  # above it the noise of a curve hides the curve
LARGEST_LOSS = 10.0  # of the axis: one run that diverges must not flatten the others
MOST_MARKS, MOST_MISTAKES, MOST_FILTERS = 40, 40, 64


@dataclass(frozen=True)
class Style:
    colour: str
    dash: str
    mark: str


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seeds only, in the order of the seeds."""

    label: str
    style: Style
    runs: list


@dataclass(frozen=True)
class Curve:
    """Mean, least and largest value over runs at x, each (n,)."""

    label: str
    style: Style
    n_runs: int
    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Chart:
    """One of the axes side by side under a title. marks: curves of markers; chance: (value, label); limits: of y."""

    title: str
    panel: str
    y_label: str
    curves: list
    marks: list
    marks_label: str
    chance: tuple
    limits: tuple
    right: float


@dataclass(frozen=True)
class Matrix:
    """counts, percent of the row, and which cells are dark: (true class, predicted class).

    top: the percentage at which the colours end.
    """

    title: str
    classes: list
    counts: np.ndarray
    percent: np.ndarray
    top: float
    dark: np.ndarray


@dataclass(frozen=True)
class Bars:
    """Percent right of each class: mean, least and largest over runs, and by chance."""

    title: str
    panel: str
    style: Style
    classes: list
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    chance: float


@dataclass(frozen=True)
class Images:
    """images: (N, H, W, 3), from 0 to 1."""

    title: str
    images: np.ndarray
    captions: list


def grouped(found, notes):
    """Runs of one configuration under one label; labels that are alike are told apart by what differs."""
    alike = {}
    for run in found:
        alike.setdefault(json.dumps(run.config | {"seed": None}, sort_keys=True), []).append(run)
    configs = [those[0].config for those in alike.values()]
    groups = []
    for i, (config, those) in enumerate(zip(configs, alike.values())):
        others = [other for other in configs if _name(other) == _name(config)]
        keys = dict.fromkeys(key for other in others for key in other if key != "seed")
        differing = [key for key in keys if any(other.get(key) != config.get(key) for other in others)]
        label = ", ".join([_name(config), *(f"{key.replace('_', ' ')} {config.get(key)}" for key in differing)])
        style = Style(COLOURS[i % len(COLOURS)], *LINES[i // len(COLOURS) % len(LINES)])
        groups.append(Group(label, style, sorted(those, key=_seed)))
        if len(set(map(_seed, those))) < len(those):
            notes.append(f"{label}: runs of one seed count as several, so the band may be too narrow")
    return groups


def _name(config):
    epochs = "1 epoch" if config["epochs"] == 1 else f"{config['epochs']} epochs"
    name = config.get("name") or f"{config['model']}, batch {config['batch_size']}, {epochs}"
    return f"{name}, generated images" if config.get("data") == "synthetic" else name


def _seed(run):
    return run.config["seed"]


def loss(groups, notes):
    histories = [run.batches for group in groups for run in group.runs if run.batches]
    window = 0  # epochs
    if max(map(len, histories), default=0) > MANY_POINTS:
        window = max(history[-1]["epoch"] for history in histories) / 100
    curves = [curve for group in groups for curve in _curves(group, "batches", "loss", window=window)]
    validation = [curve for group in groups for curve in _curves(group, "epoch", "validation_loss")]
    marks = [_thinned(curve) for curve in validation]
    if not curves:
        return []
    if any(curve.high.max() > LARGEST_LOSS for curve in curves + marks):
        notes.append(f"loss: the axis ends at {LARGEST_LOSS:g}, and some curves go beyond")
    size = _range({max(record["batches"] for record in history) for history in histories})
    smoothing = {run.config.get("label_smoothing", 0.0) for group in groups for run in group.runs if run.batches}
    smoothed = f",\nwith label smoothing {_range(smoothing)}; validation: without" if any(smoothing) else ""
    few = f", at most {MOST_MARKS} shown" if any(len(curve.x) > MOST_MARKS for curve in validation) else ""
    bars = ", bars: min to max" if any(curve.n_runs > 1 for curve in marks) else ""
    chance = math.log(N_CLASSES)
    return [
        Chart(
            "Training and validation loss" if marks else "Training loss",
            f"training loss smoothed: centred moving average over {window:.2g} epochs" if window else "",
            f"cross-entropy (training: mean of {size} mini-batches{smoothed})",
            curves,
            marks,
            f"validation, after an epoch{few}{bars}",
            (chance, f"chance: ln {N_CLASSES} = {chance:.2f}"),
            _limits(curves + marks, chance, LARGEST_LOSS),
            _right(curves + marks),
        )
    ]


def accuracy(groups):
    training = [curve for group in groups for curve in _curves(group, "epoch", "train_accuracy", 100)]
    validation = [curve for group in groups for curve in _curves(group, "epoch", "validation_accuracy", 100)]
    chance = 100 / N_CLASSES
    top = _limits(training + validation, chance, 100)[1]
    return [
        Chart(
            "Accuracy after each epoch",
            panel,
            "accuracy (%)",
            curves,
            [],
            "",
            (chance, f"chance: {chance:g}%"),
            (0, top),
            _right(training + validation),
        )
        for panel, curves in (
            ("training, running over the epoch", training),
            ("validation, after the epoch", validation),
        )
        if curves
    ]


def _curves(group, records, key, factor=1, window=0):
    """The mean of the runs that went furthest, then each run that ends earlier; window: epochs to smooth over."""
    series = []
    for run in group.runs:
        finite = [r for r in getattr(run, records) if r[key] is not None and math.isfinite(r[key])]
        series.append((run, {r["step"]: (r["epoch"], factor * r[key]) for r in finite}))
    last = max((step for _, points in series for step in points), default=0)
    furthest = [(run, points) for run, points in series if last in points]
    curves = []
    if furthest:
        curves.append((_of_seeds([run for run, _ in furthest], "band"), [points for _, points in furthest]))
    for run, points in series:
        if points and last not in points:
            curves.append((f"seed {_seed(run)}, up to epoch {points[max(points)][0]:.3g}", [points]))
    return [_curve(f"{group.label}: {whose}", group.style, those, window) for whose, those in curves]


def _curve(label, style, series, window):
    steps = sorted(set.intersection(*map(set, series)))
    x = np.array([series[0][step][0] for step in steps])
    values = np.array([[points[step][1] for step in steps] for points in series])  # (done, steps)
    values = _smoothed(values, round(window * len(steps) / x[-1] / 2))
    return Curve(label, style, len(series), x, *_spread(values))


def _spread(values):
    """Mean, least and largest of each column."""
    low, high = values.min(0), values.max(0)
    # The mean of equal numbers may differ from them in its last bit.
    return values.mean(0).clip(low, high), low, high


def _thinned(curve):
    """The last of the points, and as many before it as markers can show."""
    step = -(-len(curve.x) // MOST_MARKS)
    kept = slice((len(curve.x) - 1) % step, None, step)
    thin = {name: getattr(curve, name)[kept] for name in ("x", "mean", "low", "high")}
    return replace(curve, **thin)


def _smoothed(values, half):
    """Moving average along the rows over 2 half + 1 points; towards the ends the window shrinks and stays centred."""
    n = values.shape[1]
    halves = [min(half, i, n - 1 - i) for i in range(n)]
    # Each window anew: in sums that run on, one huge loss would take the digits of all that follow.
    return np.stack([values[:, i - h : i + h + 1].mean(1) for i, h in enumerate(halves)], axis=1)


def _limits(curves, chance, largest):
    low = min([chance, *(curve.low.min() for curve in curves)])
    high = min(max([chance, *(curve.high.max() for curve in curves)]), largest)
    room = 0.05 * (high - low)
    return max(0, low - room), min(high + room, largest)


def _range(values):
    return f"{min(values)}" if len(values) == 1 else f"{min(values)} to {max(values)}"


def _right(curves):
    return 1.02 * max((curve.x.max() for curve in curves), default=1)


def _of_seeds(those, spread):
    """Whose mean it is and what its spread means: "mean of 3 seeds, band: min to max"."""
    # What spaces that do not break hold together, the title of a narrow panel does not tear apart.
    held = f"{spread}: min to max".replace(" ", "\N{NO-BREAK SPACE}")
    return f"mean of {len(those)} seeds, {held}" if len(those) > 1 else f"seed {_seed(those[0])}"


def bars(groups):
    """The classes stand in one order, best first, in all groups that have the same, so that panels can be compared."""
    found = []
    for group in groups:
        done = [run for run in group.runs if run.metrics]
        if done:
            values = 100 * np.array([run.metrics["class_accuracy"] for run in done])  # (runs, classes)
            found.append(
                (f"{group.label}: {_of_seeds(done, 'whiskers')}", group.style, done[0].metrics["classes"], values)
            )
    panels = []
    for label, style, classes, values in found:
        order = np.argsort(-np.mean([v.mean(0) for _, _, those, v in found if those == classes], axis=0), kind="stable")
        names, title = [classes[i] for i in order], "Test accuracy of each class"
        panels.append(Bars(title, label, style, names, *_spread(values[:, order]), 100 / N_CLASSES))
    return panels


def columns(panels):
    """How many bars stand side by side."""
    return min(len(panels), 2 if len(panels) <= 4 else 3)


def wrapped(text, width):
    """The text with more line breaks: no line is longer than so many characters."""
    return "\n".join(textwrap.fill(line, width) for line in text.split("\n"))


def _confusion(group):
    """Summed over the seeds."""
    done = [run for run in group.runs if run.metrics and run.predictions]
    if not done:
        return None
    counts = np.zeros((N_CLASSES, N_CLASSES), int)
    for run in done:
        np.add.at(counts, (run.predictions["labels"], run.predictions["predictions"]), 1)
    seeds = ", ".join(str(_seed(run)) for run in done)
    whose = f"sum of {len(done)} runs, seeds {seeds}" if len(done) > 1 else f"seed {seeds}"
    right = f"{counts.sum():,} test images, {100 * counts.trace() / max(1, counts.sum()):.2f}% right"
    percent = 100 * counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    title, top = f"Confusion matrix: {group.label}\n{whose}: {right}", max(1, percent.max())
    return Matrix(title, done[0].metrics["classes"], counts, percent, top, percent > 0.55 * top)


def _mistakes(group):
    """Of the smallest seed."""
    done = [run for run in group.runs if run.metrics and run.predictions and run.predictions["mistakes"].size]
    if not done:
        return None
    classes, found = done[0].metrics["classes"], done[0].predictions
    shown = found["mistakes"][:MOST_MISTAKES]
    captions = [
        f"{classes[found['labels'][i]]}\n→ {classes[found['predictions'][i]]}\n{100 * found['confidence'][i]:.1f}%"
        for i in shown
    ]
    title = f"The {len(shown)} most confident mistakes on test images: true → predicted, confidence"
    images = found["images"][: len(shown)].transpose(0, 2, 3, 1) / 255  # (N, 32, 32, 3)
    return Images(f"{title}\n{group.label}, seed {_seed(done[0])}", images, captions)


def _first_filters(group):
    """Of the smallest seed."""
    done = [run for run in group.runs if run.filters is not None]
    if not done:
        return None
    filters = done[0].filters[:MOST_FILTERS]
    low, high = filters.min(axis=(1, 2, 3), keepdims=True), filters.max(axis=(1, 2, 3), keepdims=True)
    scaled = (filters - low) / np.where(high > low, high - low, 1)
    n, size = len(done[0].filters), " × ".join(map(str, filters.shape[2:]))
    which = f"{n} filters" if n == len(filters) else f"The first {len(filters)} of {n} filters"
    title = f"{which} of the first layer, {size} pixels, each scaled to [0, 1]"
    return Images(f"{title}\n{group.label}, seed {_seed(done[0])}", scaled.transpose(0, 2, 3, 1), [])


# Kind of a plot -> its panel of one group, or None.
PER_GROUP = {"confusion": _confusion, "mistakes": _mistakes, "filters": _first_filters}
