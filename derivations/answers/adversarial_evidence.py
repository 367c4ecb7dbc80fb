"""What the GAN's training measured, as parts of answers 4.1 to 4.3; each is empty where it was not run."""

import math
import statistics
from pathlib import Path

from sympy import Rational, exp

from derivations.answers import diagrams, results
from derivations.answers.parts import Figure, Table, Text

LOG4 = math.log(4)
DYNAMICS = "gan_dynamics.json"
# A run has found the optimum where no discriminator gains more than this.
FOUND = 1e-3
# E[scale] = exp(spread^2/2) of the random scales of the latent laws, log-normal with this spread.
SPREAD = Rational(3, 4)
PREDICTED = float(1 / exp(SPREAD**2 / 2))
OPTIMA = {"least-squares": -1.0, "hinge": -2.0, "wasserstein": 0.0}


def of(settings, name):
    return results.experiment(settings.results, name, results.GAN)


def missing(name):
    """The plain word that an experiment was not run, and the way to run it."""
    return Text(
        r"\emph{The experiment was not run for this document, so there are no numbers to report here.} "
        rf"\texttt{{python -m gan sweep {name} -{{}}-results results/gan.json}} runs it (\texttt{{docs/gan.md}})."
    )


def optimum(settings):
    """How close all seeds come to V = -log 4 and D = 1/2, and a curve of the gap."""
    groups = of(settings, "optimum")
    if not groups:
        return (missing("optimum"),)
    rows = tuple(
        (
            name,
            str(len(runs)),
            _number(max(abs(v + LOG4) for v in _values(runs, "V"))),
            _number(max(_values(runs, "D_distance"))),
            _number(max(_values(runs, "best_response_gap"))),
            _number(max(_values(runs, "mean_distance"))),
        )
        for name, runs in groups.items()
    )
    header = ("generator's loss", "runs", r"$|V + \log 4|$", r"$|D - \frac12|$", "gap", "means apart")
    curves = {name: _median_gap(runs) for name, runs in groups.items()}
    return (
        Table("lrrrrr", header, rows),
        _conditions(groups, "The largest of all runs, each with a teacher, a start and noise of its own"),
        Figure(
            diagrams.loss_curves(curves, "steps", "log10 of the gap"),
            r"What the best discriminator would add to $-\log 4$, against the steps: medians over the runs.",
        ),
    )


def recipes(settings):
    """Which ingredients of the recipe matter: one row each."""
    return _reached(of(settings, "recipes"), "recipe")


def traps(settings):
    groups = {n: r for n, r in of(settings, "traps").items() if "16" not in n}
    if not groups:
        return ()
    rows = tuple(
        (diagrams.escape(name), *(_number(_median(runs, key)) for key in ("V", "best_response_gap", "mean_distance")))
        for name, runs in groups.items()
    )
    header = ("trap", "$V$", "gap", "means apart")
    return (Table("lrrr", header, rows), _conditions(groups, "Medians"))


def laws(settings):
    """Equal means are not equal laws: the linear discriminator against the quadratic one."""
    groups = of(settings, "discriminator")
    if not groups:
        return (missing("discriminator"),)
    rows = tuple(
        (
            name,
            str(len(runs)),
            _number(_median(runs, "mean_distance")),
            _number(_median(runs, "sliced_wasserstein")),
            _number(_median(runs, "sliced_wasserstein_floor")),
            rf"{100 * _median(runs, 'gram_error'):.1f}\,\%",
            rf"{100 * sum(v < 0.05 for v in _values(runs, 'gram_error')) / len(runs):.0f}\,\%",
        )
        for name, runs in groups.items()
    )
    header = (
        "discriminator",
        "runs",
        "means apart",
        "laws apart",
        "floor",
        r"$\mathbf W_g\mathbf W_g^{\top}$ off",
        r"below 5\,\%",
    )
    told = (
        r"Medians. Laws apart: sliced Wasserstein distance; its floor is that of two samples of the data. The last column is "
        r"the part of the runs whose $\mathbf W_g\mathbf W_g^{\top}$ is within 5\,\% of the teacher's"
    )
    return (Table("lrrrrrr", header, rows), _conditions(groups, told))


def losses(settings):
    """Other losses: where their own value ends, against the optimum."""
    groups = {n: r for n, r in of(settings, "losses").items() if n in OPTIMA}
    if not groups:
        return (missing("losses"),)
    rows = tuple(
        (
            name,
            f"{OPTIMA[name]:g}",
            _number(_median(runs, "objective"), 4),
            _number(max(abs(v - OPTIMA[name]) for v in _values(runs, "objective"))),
            _number(_median(runs, "mean_distance")),
        )
        for name, runs in groups.items()
    )
    header = ("loss", "optimum", "value, median", "largest deviation", "means apart")
    return (Table("lrrrr", header, rows), _conditions(groups, "After training"))


def changing_laws(settings):
    """4.3: the lengths of the generator's rows against the prediction, and what holding a law does."""
    groups = of(settings, "latents")
    if not groups:
        return (missing("latents"),)
    rows = tuple(
        (
            diagrams.escape(name),
            f"{runs[0]['learning_rate']:g}",
            _with_error(_values(runs, "norm_ratio")),
            _number(_median(runs, "mean_distance")),
            _number(_median(runs, "D_distance")),
        )
        for name, runs in groups.items()
    )
    header = ("noise", "rate", r"$\|\mathbf g_i\| / \|\mathbf w^{\star}_i\|$", "means apart", r"$|D - \frac12|$")
    told = (
        r"Averaged parameters; the ratio is a mean over units and runs with its standard error, the others are medians"
    )
    return (Table("lrrrr", header, rows), _conditions(groups, told))


def dynamics(settings):
    """The time constants and the steps that are stable, from `python -m gan dynamics`."""
    path = Path(settings.results) / DYNAMICS if settings.results else None
    if path is None or not path.exists():
        return ()
    found = results.read(path)
    try:
        times = found["time_constants"]
        wanted = [i for i, gamma in enumerate(times["gamma"]) if gamma in (0, 0.05, 0.1, 0.4, 1, 3)]
        rows = tuple(
            (name, *(f"{times[name][i][1]:,.0f}".replace(",", r"\,") for i in wanted))
            for name in ("at the teacher", "at random angles")
        )
        header = ("$\\mathbf W_g$", *(rf"$\gamma = {times['gamma'][i]:g}$" for i in wanted))
        radii = found["spectral_radii"]
        alternating, simultaneous = (radii[f"at the teacher, {u}"] for u in ("alternating", "simultaneous"))
        text = (
            rf"The median time constant of the slowest mode over {diagrams.thousands(times['n_teachers'])} random teachers, in steps times the "
            r"learning rate: a little $\gamma$ speeds it up by orders of magnitude, much of it slows it down. Without "
            rf"$\gamma$, at $h = {radii['h']}$, the spectral radius of a step is {alternating['median']:.4f} in the median with "
            rf"alternating updates ({100 * alternating['stable']:.0f}\,\% of the teachers stable) and "
            rf"{simultaneous['median']:.4f} with simultaneous ones ({100 * simultaneous['stable']:.0f}\,\%)."
        )
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise results.ResultsError(f"{path}: not what `python -m gan dynamics` writes ({error!r})") from None
    return (Table("l" + "r" * len(wanted), header, rows), Text(text))


def _reached(groups, what):
    if not groups:
        return ()
    rows = tuple(
        (
            diagrams.escape(name),
            f"{sum(v < FOUND for v in _values(runs, 'best_response_gap'))} of {len(runs)}",
            _number(_median(runs, "best_response_gap")),
            _number(_median(runs, "mean_distance")),
        )
        for name, runs in groups.items()
    )
    header = (what, rf"gap below ${FOUND:g}$", "gap, median", "means apart")
    return (Table("lrrr", header, rows), _conditions(groups, "Learning rates that do not fall"))


def _values(runs, key):
    return [run[key] for run in runs if run[key] is not None]


def _median(runs, key):
    values = _values(runs, key)
    return statistics.median(values) if values else math.nan


def _median_gap(runs):
    columns = zip(*(run["curve"] for run in runs), strict=False)
    return [(points[0][0], math.log10(statistics.median(p[2] for p in points))) for points in columns]


def _with_error(values):
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return rf"${statistics.mean(values):.4f} \pm {error:.4f}$"


def _number(value, digits=2):
    """Two significant digits, or fixed ones; small numbers as powers of ten."""
    if math.isnan(value):
        return "diverged"
    if digits != 2 or abs(value) >= 1:
        return f"${value:.{max(digits, 3)}f}$"
    if abs(value) >= 0.001:
        return f"${value:.{1 - math.floor(math.log10(abs(value)))}f}$"
    if value == 0:
        return "$0$"
    mantissa, exponent = f"{value:.1e}".split("e")
    return rf"${mantissa}\cdot 10^{{{int(exponent)}}}$"


def _conditions(groups, told):
    runs = [run for group in groups.values() for run in group]
    where = ", ".join(sorted({run["device"] for run in runs}))
    version = ", ".join(sorted({run["torch"] for run in runs}))
    seconds = sum(run["seconds"] for run in runs)
    return Text(
        rf"{{\footnotesize {told}. {len(runs)} runs ({where}, PyTorch {version}), {seconds:.0f} seconds in all.\par}}"
    )
