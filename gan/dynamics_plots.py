"""Plots of what `studies` found; no torch is needed."""

import functools
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from runner import figures

FIRST, SECOND = figures.COLOURS[:2]
FASTEST = 2.0  # per cent of growth in a step, where the colours end


def draw(found, out, formats):
    """found: name -> what the study of that name gave. Returns the paths written."""
    drawings = {
        "time-constants": functools.partial(time_constants, found["time_constants"]),
        "eigenvalues": functools.partial(eigenvalues, found["eigenvalues"]),
        "stability": functools.partial(stability, [found["simultaneous"], found["alternating"]]),
        "portraits": functools.partial(portraits, found["portraits"]),
    }
    written = [Path(out) / f"{name}.{form}" for name in drawings for form in formats]
    for path in written:
        figures.write(drawings[path.stem], path)
    return written


def time_constants(found):
    """Medians with quartiles against gamma."""
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    gamma = np.array(found["gamma"])
    for name, colour, mark in (("at the teacher", FIRST, "o"), ("at random angles", SECOND, "s")):
        low, middle, high = np.array(found[name]).T
        axes.fill_between(gamma, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(gamma, middle, color=colour, marker=mark, markersize=4, label=f"$W_g$ {name}")
    axes.set(yscale="log", xlabel="gamma", ylabel="steps × learning rate", xlim=(0, gamma[-1]))
    axes.set_xscale("symlog", linthresh=0.01)
    axes.set_xticks(gamma, [f"{g:g}" for g in gamma])
    axes.set_title(f"time constant of the slowest mode: medians and quartiles of {found['n_teachers']:,} teachers")
    axes.legend()
    return figure


def eigenvalues(found):
    """In the complex plane: crosses by autograd, circles by the formula."""
    losses = list(dict.fromkeys(case["loss"] for case in found))
    figure = Figure(figsize=(2.6 * len(losses), 3.4), layout="constrained")
    for axes, loss in zip(figure.subplots(1, len(losses), sharey=True), losses, strict=True):
        for case, colour in zip((c for c in found if c["loss"] == loss), (SECOND, FIRST), strict=True):
            label = f"gamma {case['gamma']:g}"
            axes.plot(*np.array(case["formula"]).T, "o", color=colour, fillstyle="none", label=f"{label}: formula")
            axes.plot(*np.array(case["autograd"]).T, "x", color=colour, markersize=4, label=f"{label}: autograd")
        axes.axvline(0, color="gray", linewidth=1)
        axes.set(title=loss, xlabel="real part")
    figure.axes[0].set_ylabel("imaginary part")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle("eigenvalues of the gradient field at the equilibrium, without the five zeros of the free angles")
    return figure


def stability(maps):
    """Colour: simulated growth per step. Line: where the formula says that it is 1."""
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    for axes, found in zip(figure.subplots(1, len(maps), sharey=True), maps, strict=True):
        percent = 100 * (np.array(found["growth"]).T - 1)
        image = axes.pcolormesh(
            found["h"], found["gamma"], percent, cmap="RdBu_r", vmin=-FASTEST, vmax=FASTEST, shading="nearest"
        )
        line = axes.contour(found["h"], found["gamma"], np.array(found["radius"]).T, [1.0], colors="black")
        axes.clabel(line, fmt="formula: 1")
        axes.set(title=f"{found['updates']} updates", xlabel="learning rate h", yscale="log")
        axes.grid(False)
    figure.axes[0].set_ylabel("gamma")
    with matplotlib.rc_context({"axes.grid": False}):
        bar = figure.colorbar(image, ax=figure.axes, shrink=0.85, extend="both")
    bar.set_label("growth of a disturbance per step, simulated (%)")
    figure.suptitle("blue: the game returns to its equilibrium; red: it leaves")
    return figure


def portraits(found):
    """The plane of (w, theta or rho) of both games, with and without gamma."""
    games = list(dict.fromkeys(case["game"] for case in found))
    gammas = list(dict.fromkeys(case["gamma"] for case in found))
    figure = Figure(figsize=(3.4 * len(gammas) * len(games) * 0.78, 4.2), layout="constrained")
    panels = [(game, gamma) for game in games for gamma in gammas]
    for axes, (game, gamma) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        for case in found:
            if (case["game"], case["gamma"]) == (game, gamma):
                colour = {"simultaneous": SECOND, "alternating": FIRST}[case["updates"]]
                for i, path in enumerate(case["paths"]):
                    label = case["updates"] if i == 0 else None
                    axes.plot(*np.array(path).T[::-1], color=colour, linewidth=0.9, label=label)
        axes.plot(0 if game == "Dirac-GAN" else 1, 0, "k*", markersize=9)
        axes.set(title=f"{game}, gamma {gamma:g}", xlabel="theta" if game == "Dirac-GAN" else "rho", ylabel="w")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle("trajectories; the star is the equilibrium")
    return figure
