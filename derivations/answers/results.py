"""What experiments measured, read from `classifier.json` in the folder of results: {"runs": [{…}, …]}."""

import json
import math
import statistics
from dataclasses import dataclass
from pathlib import Path

from derivations.errors import DerivationError

FILE = "classifier.json"
NUMBER = (int, float)
RUN = {
    "experiment": str,
    "name": str,
    "seed": int,
    "batch_size": int,
    "epochs": int,
    "learning_rate": NUMBER,
    "steps": int,
    "device": str,
    "torch": str,
    "seconds": NUMBER,
    "test_accuracy": NUMBER,
    "train_accuracy": NUMBER,
    "test_loss": NUMBER,
    "loss": list,
}


class ResultsError(DerivationError):
    """A results file that cannot be used; the message names the file and what is wrong with it."""


@dataclass(frozen=True)
class Sample:
    """Some numbers of one kind: their mean, standard deviation (0 for a single one) and count."""

    mean: float
    deviation: float
    count: int


def experiment(folder, name):
    """The runs of an experiment by the names of their configurations; empty if there are none.

    Raises ResultsError for a file that is broken anywhere.
    """
    path = Path(folder) / FILE if folder else None
    if path is None or not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ResultsError(f"{path}: not readable as JSON ({error})") from None
    if not isinstance(found, dict) or not isinstance(found.get("runs"), list) or not found["runs"]:
        raise ResultsError(f'{path}: expected an object with a list "runs"')
    groups = {}
    for place, run in enumerate(found["runs"], start=1):
        _check(run, f"{path}: run {place}")
        if run["experiment"] == name:
            groups.setdefault(run["name"], []).append(run)
    return groups


def sample(runs, key):
    values = [run[key] for run in runs]
    return Sample(statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0, len(values))


def mean_curve(runs):
    """(epoch, training loss) points, averaged over the runs as far as the shortest of them goes."""
    columns = zip(*(run["loss"] for run in runs), strict=False)
    return [(points[0][0], statistics.mean(loss for _, loss in points)) for points in columns]


def _check(run, where):
    if not isinstance(run, dict):
        raise ResultsError(f"{where}: expected an object")
    for key, kind in RUN.items():
        if not isinstance(run.get(key), kind) or isinstance(run.get(key), bool):
            raise ResultsError(f"{where}: {key!r} is missing or of the wrong kind")
        if isinstance(run[key], float) and not math.isfinite(run[key]):
            raise ResultsError(f"{where}: {key!r} is {run[key]}; expected a finite number")
    for key in ("test_accuracy", "train_accuracy"):
        if not 0 <= run[key] <= 1:
            raise ResultsError(f"{where}: {key!r} is {run[key]}; expected a part between 0 and 1")
    for point in run["loss"]:
        numbers = isinstance(point, list) and len(point) == 2 and all(_is_number(x) for x in point)
        if not numbers:
            raise ResultsError(f"{where}: 'loss' holds {point!r}; expected [epoch, loss] pairs of finite numbers")


def _is_number(x):
    return isinstance(x, NUMBER) and not isinstance(x, bool) and math.isfinite(x)
