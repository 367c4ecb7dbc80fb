"""Plots of training runs from their folders alone: `draw` reads files and writes pictures, and needs no net.

What a plot shows is worked out once, as panels of plain numbers; matplotlib draws them here, `pgfplots` for LaTeX.
"""

import math
import re
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator

from classifier import panels as numbers
from classifier import pgfplots, run_folders
from classifier.panels import Bars, Chart, Images, Matrix
from runner import figures, runs
from runner.errors import ConfigError, RunError

# Format -> the end of the name.
FORMATS = {"png": "png", "pdf": "pdf", "pgfplots": "tex"}
# What differs from our other plots.
LOOK = {"text.parse_math": False, "axes.grid": False}


def draw(folders, out, formats=("png",)):
    """Draw run folders, and folders of run folders, into the folder out: (paths written, notes on what is left out).

    Raises ConfigError for a format that is not in FORMATS; RunError for a folder that is no run, for a broken file,
    and where there is nothing to plot.
    """
    unknown = [form for form in formats if form not in FORMATS]
    if unknown or not formats:
        raise ConfigError(f"a plot is written as {', '.join(FORMATS)}, not as {', '.join(unknown) or 'nothing'}")
    notes, written, images = [], [], []
    groups = numbers.grouped([run_folders.read(f, notes) for f in run_folders.run_folders(folders)], notes)
    for name, panels in _shown(groups, notes):
        for form in dict.fromkeys(formats):
            if form == "pgfplots" and type(panels[0]) not in LATEX:
                images.append(name)
            else:
                written.append(Path(out) / f"{name}.{FORMATS[form]}")
                runs.write(written[-1], _content(panels, form))
    if images:
        notes.append(f"pgfplots holds no images, so there is none of {', '.join(images)}; png and pdf hold them")
    if not written:
        raise RunError("; ".join([f"nothing to plot in {', '.join(map(str, folders)) or 'no folder'}", *notes]))
    return written, notes


def _shown(groups, notes):
    """(name of the file, panels) of each plot for which there is something to show."""
    for name, panels in (
        ("loss", numbers.loss(groups, notes)),
        ("accuracy", numbers.accuracy(groups)),
        ("class-accuracy", numbers.bars(groups)),
    ):
        if panels:
            yield name, panels
        else:
            notes.append(f"{name}: not drawn, no run has come that far")
    slugs = _slugs([group.label for group in groups])
    for kind, panel in numbers.PER_GROUP.items():
        found = [panel(group) for group in groups]
        yield from ((f"{kind}{slug}", [one]) for one, slug in zip(found, slugs) if one)
        without = [group.label for group, one in zip(groups, found) if not one]
        if without:
            notes.append(f"{kind}: not drawn, since there are none, for {'; '.join(without)}")


def _slugs(labels):
    """What tells the files of several groups apart: "-batch-4-5-epochs"."""
    slugs = []
    for label in labels if len(labels) > 1 else []:
        slug = "-" + re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:60]
        while slug in slugs:
            slug += "-again"
        slugs.append(slug)
    return slugs or [""]


def _content(panels, form):
    kind = type(panels[0])
    if form == "pgfplots":
        return LATEX[kind](panels).encode()
    return figures.content(lambda: FIGURES[kind](panels), form, LOOK)


def _chart_figure(charts):
    entries = _legend(charts[0])
    width = 8.5 if len(charts) == 1 else 10
    # Beside a label stand its handle and room around both, together half an inch wide.
    columns = 2 if max(_inches(label) for _, label in entries) <= width / 2 - 0.5 else 1
    entries = [(handle, numbers.wrapped(label, round(11 * (width - 0.5)))) for handle, label in entries]
    rows = sum(1 + label.count("\n") for _, label in entries) / columns
    figure = Figure(figsize=(width, 4.8 + 0.2 * math.ceil(rows)), layout="constrained")
    for axes, chart in zip(figure.subplots(1, len(charts), sharey=True, squeeze=False)[0], charts):
        for curve in chart.curves:
            _draw_curve(axes, curve)
        for curve in chart.marks:
            _draw_marks(axes, curve, "white")
        axes.axhline(chart.chance[0], color="gray", linestyle=(0, (1, 2)), zorder=1)
        axes.set(title=chart.panel, xlabel="epochs", xlim=(0, chart.right), ylim=chart.limits)
        axes.xaxis.set_major_locator(MaxNLocator(integer=chart.right > 3, steps=(1, 2, 5, 10)))
        axes.grid(True)
    figure.axes[0].set_ylabel(charts[0].y_label)
    figure.suptitle(charts[0].title)
    figure.legend(*zip(*entries), loc="outside lower left", ncols=columns)
    return figure


def _inches(label):
    """How wide a label of the legend is."""
    return TextPath((0, 0), label.replace("\n", " "), figures.LOOK["legend.fontsize"]).get_extents().width / 72


def _draw_curve(axes, curve):
    """A line with its band; of a single point, markers."""
    if len(curve.x) == 1:
        _draw_marks(axes, curve, f"#{curve.style.colour}")
    else:
        axes.fill_between(curve.x, curve.low, curve.high, color=f"#{curve.style.colour}", alpha=0.18, linewidth=0)
        axes.plot(curve.x, curve.mean, **_line(curve))


def _line(curve):
    return {
        "color": f"#{curve.style.colour}",
        "linestyle": curve.style.dash,
        "linewidth": 1.6 if curve.n_runs > 1 else 0.9,
        "marker": curve.style.mark if len(curve.x) <= pgfplots.FEW_POINTS else "",
        "markersize": 3.5,
    }


def _draw_marks(axes, curve, inside):
    """Markers, and bars from the least to the largest value."""
    axes.errorbar(
        curve.x,
        curve.mean,
        (curve.mean - curve.low, curve.high - curve.mean),
        color=f"#{curve.style.colour}",
        linestyle="",
        marker=curve.style.mark,
        markersize=5,
        markerfacecolor=inside,
        elinewidth=1,
        zorder=3,
    )


def _legend(chart):
    """(handle, label): the groups, what the markers are, and chance."""
    entries = [(Line2D([], [], **_line(curve)), curve.label) for curve in chart.curves]
    if chart.marks:
        handle = Line2D([], [], color="gray", linestyle="", marker="o", markersize=5, markerfacecolor="white")
        entries.append((handle, chart.marks_label))
    return [*entries, (Line2D([], [], color="gray", linestyle=(0, (1, 2))), chart.chance[1])]


def _matrix_figure(matrices):
    (matrix,) = matrices
    figure = Figure(figsize=(9, 8.2), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(matrix.percent, cmap="Blues", vmin=0, vmax=matrix.top)
    for (row, column), percent in np.ndenumerate(matrix.percent):
        look = {"ha": "center", "va": "center", "color": "white" if matrix.dark[row, column] else "black"}
        axes.text(column, row - 0.12, f"{percent:.1f}%", fontsize=9, **look)
        axes.text(column, row + 0.22, f"{matrix.counts[row, column]:,}", fontsize=7, **look)
    places = range(len(matrix.classes))
    axes.set_xticks(places, matrix.classes, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, matrix.classes)
    axes.set(xlabel="predicted class", ylabel="true class", title=numbers.wrapped(matrix.title, 80))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.colorbar(image, shrink=0.7, label="% of the images of the true class; below it their number")
    return figure


def _bars_figure(panels):
    columns = numbers.columns(panels)
    rows = -(-len(panels) // columns)
    width = 7 if columns == 1 else 4.6
    figure = Figure(figsize=(width * columns, 0.8 + 3.4 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).flat
    for axes, bars in zip(grid, panels):
        places = np.arange(len(bars.classes))
        axes.barh(places, bars.mean, height=0.72, color=f"#{bars.style.colour}", alpha=0.75)
        if (bars.high > bars.low).any():
            spread = (bars.mean - bars.low, bars.high - bars.mean)
            axes.errorbar(bars.mean, places, xerr=spread, fmt="none", ecolor="black", elinewidth=1, capsize=2.5)
        for place, mean, high in zip(places, bars.mean, bars.high):
            behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
            axes.text(high + 1.5, place, f"{mean:.1f}", va="center", fontsize=8, bbox=behind)
        mean = axes.axvline(bars.mean.mean(), color="black", linestyle="dashed", linewidth=1)
        chance = axes.axvline(bars.chance, color="gray", linestyle=(0, (1, 2)))
        axes.set_yticks(places, bars.classes)
        axes.set(xlim=(0, 108), xticks=range(0, 101, 20), xlabel="accuracy (%)")
        axes.set_title(numbers.wrapped(bars.panel, round(10 * width)), fontsize=9)
        axes.invert_yaxis()
        axes.grid(True, axis="x")
    for axes in figure.axes[len(panels) :]:
        axes.set_visible(False)
    figure.suptitle(panels[0].title)
    figure.legend((mean, chance), ("mean of the classes", "chance"), loc="outside lower center", ncols=2)
    return figure


def _images_figure(panels):
    """All on one pair of axes, where an image is 1 wide and high."""
    (shown,) = panels
    columns = min(8, len(shown.images))
    rows = -(-len(shown.images) // columns)
    room = 0.5 if shown.captions else 0.1
    bottom = -(1 + room) * (rows - 1) - 1.05
    width = max(6.5, 1.4 * columns)
    title = numbers.wrapped(shown.title, round(11 * width))
    height = 0.4 + 0.15 * (1 + title.count("\n")) + 1.25 * (room - bottom)
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    for i, image in enumerate(shown.images):
        left, top = 1.12 * (i % columns), -(1 + room) * (i // columns)
        axes.imshow(image, extent=(left, left + 1, top - 1, top), interpolation="nearest")
        if shown.captions:
            axes.text(left + 0.5, top + 0.03, shown.captions[i], ha="center", va="bottom", fontsize=8)
    axes.set(xlim=(-0.06, 1.12 * columns - 0.06), ylim=(bottom, room))
    axes.set_axis_off()
    figure.suptitle(title, fontsize=10)
    return figure


FIGURES = {Chart: _chart_figure, Matrix: _matrix_figure, Bars: _bars_figure, Images: _images_figure}
LATEX = {Chart: pgfplots.charts, Matrix: pgfplots.matrices, Bars: pgfplots.bars}
