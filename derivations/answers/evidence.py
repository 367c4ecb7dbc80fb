"""Measured results as parts of an answer: tables, curves, and what a comparison of them allows to say."""

import math

from derivations.answers import diagrams
from derivations.answers.parts import Figure, Table, Text
from derivations.answers.results import experiment, mean_curve, sample

# The two-sided 95 % point of Student's t with four degrees of freedom: two configurations of three seeds each.
CERTAIN = 2.78


def curves(settings, name):
    """The training losses of an experiment against the epochs, each the mean over its seeds."""
    groups = experiment(settings.results, name)
    series = {configuration: mean_curve(runs) for configuration, runs in groups.items()}
    return (
        Figure(
            diagrams.loss_curves(series, "epoch", "training loss"),
            "Training loss, averaged over 250 mini-batches and over the seeds, against the epochs.",
        ),
    )


def table(settings, name):
    """An experiment's configurations: updates, accuracies and losses; nothing if it was not run."""
    groups = experiment(settings.results, name)
    if not groups:
        return ()
    rows = tuple(
        (
            diagrams.escape(configuration),
            diagrams.thousands(runs[0]["steps"]),
            _percent(sample(runs, "test_accuracy")),
            _percent(sample(runs, "train_accuracy")),
            _plain(sample(runs, "test_loss")),
        )
        for configuration, runs in groups.items()
    )
    header = ("configuration", "updates", r"test (\%)", r"training (\%)", "test loss")
    return (Table("lrrrr", header, rows), Text(_conditions([run for runs in groups.values() for run in runs])))


def compared(settings, name, *pairs):
    """The table of an experiment, and the differences between pairs of its configurations; nothing if it was not run."""
    rows = ((f"{diagrams.escape(a)} to {diagrams.escape(b)}", (name, a), (name, b)) for a, b in pairs)
    return (*table(settings, name), *contrasts(settings, rows))


def missing(name):
    """The plain word that an experiment was not run, and the way to run it."""
    return Text(
        r"\emph{The experiment was not run for this document, so there are no numbers to report here.} "
        rf"\texttt{{python -m classifier sweep {name} -{{}}-results results/classifier.json}} runs it; rendered again, the "
        r"document shows a table and the curves here (\texttt{docs/answers.md})."
    )


def contrasts(settings, pairs):
    """A table of differences of test accuracies; pairs: (what differs, (experiment, name), (experiment, name))."""
    rows = []
    for meaning, before, after in pairs:
        one, other = (experiment(settings.results, e).get(n) for e, n in (before, after))
        if one and other:
            difference, error = contrast(sample(one, "test_accuracy"), sample(other, "test_accuracy"))
            number = rf"${100 * difference:+.1f} \pm {100 * error:.1f}$"
            rows.append((meaning, number, verdict(difference, error)))
    header = ("compared", "difference (points)", "reading")
    return (Table("p{7.5cm}rl", header, tuple(rows)),) if rows else ()


def contrast(one, other):
    """The difference of two means, and its standard error."""
    error = math.sqrt(one.deviation**2 / one.count + other.deviation**2 / other.count)
    return other.mean - one.mean, error


def verdict(difference, error):
    if not error:
        return "one run each: no yardstick"
    if abs(difference) < CERTAIN * error:
        return "within the noise of the seeds"
    return "better" if difference > 0 else "worse"


def overfitting(settings, name, short, long):
    """What became of training and test between a short and a long run of one configuration; nothing if not run."""
    groups = experiment(settings.results, name)
    if short not in groups or long not in groups:
        return ()
    trained, tested = ([sample(groups[g], key).mean for g in (short, long)] for key in ("train_accuracy", "test_loss"))
    overfits = trained[1] > trained[0] and tested[1] > tested[0]
    reading = (
        "the network fits its training images ever better and the test images worse: it overfits"
        if overfits
        else "the longer training has not led to overfitting yet"
    )
    return (
        Text(
            rf"From ``{diagrams.escape(short)}'' to ``{diagrams.escape(long)}'' the training accuracy goes from "
            rf"{100 * trained[0]:.1f}\,\% to {100 * trained[1]:.1f}\,\% and the test loss from {tested[0]:.2f} to "
            rf"{tested[1]:.2f}: {reading}."
        ),
    )


def _conditions(runs):
    seeds = sorted({run["seed"] for run in runs})
    spread = rf"mean $\pm$ standard deviation over {len(seeds)} seeds" if len(seeds) > 1 else "one seed"
    minutes = sum(run["seconds"] for run in runs) / 60
    where = ", ".join(sorted({run["device"] for run in runs}))
    version = ", ".join(sorted({run["torch"] for run in runs}))
    measured = rf"Accuracies in per cent, {spread}. Measured on CIFAR-10 ({where}, PyTorch {version})"
    return rf"{{\footnotesize {measured}, in {minutes:.0f} minutes of training.\par}}"


def _percent(s):
    return rf"${100 * s.mean:.1f} \pm {100 * s.deviation:.1f}$" if s.count > 1 else f"{100 * s.mean:.1f}"


def _plain(s):
    return rf"${s.mean:.2f} \pm {s.deviation:.2f}$" if s.count > 1 else f"{s.mean:.2f}"
