"""What experiments measured, read from files in the folder of results: {"runs": [{…}, …]}."""

import json
import math
import statistics
from dataclasses import dataclass
from pathlib import Path

from derivations.errors import DerivationError

NUMBER = (int, float)
MAYBE = (int, float, type(None))  # a run that diverged has no such number


@dataclass(frozen=True)
class Kind:
    """A results file: what each of its runs must have, which of that are parts of 1, how long a curve's points are."""

    file: str
    fields: dict
    parts: tuple[str, ...]
    curve: str
    point: int


CLASSIFIER = Kind(
    "classifier.json",
    {
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
    },
    ("test_accuracy", "train_accuracy"),
    "loss",
    2,
)
# Its curves hold (step, V, best-response gap).
GAN = Kind(
    "gan.json",
    {
        "experiment": str,
        "name": str,
        "seed": int,
        "learning_rate": NUMBER,
        "steps": int,
        "device": str,
        "torch": str,
        "seconds": NUMBER,
        **dict.fromkeys(
            ("V", "best_response_gap", "objective", "D_real", "D_fake", "D_distance", "W_d_norm", "mean_distance"),
            MAYBE,
        ),
        **dict.fromkeys(("sliced_wasserstein", "sliced_wasserstein_floor", "gram_error", "norm_ratio"), MAYBE),
        "curve": list,
    },
    (),
    "curve",
    3,
)


class ResultsError(DerivationError):
    """A results file that cannot be used; the message names the file and what is wrong with it."""


@dataclass(frozen=True)
class Sample:
    """Some numbers of one kind: their mean, standard deviation (0 for a single one) and count."""

    mean: float
    deviation: float
    count: int


def experiment(folder, name, kind=CLASSIFIER):
    """The runs of an experiment by the names of their configurations; empty if there are none.

    Raises ResultsError for a file that is broken anywhere.
    """
    path = Path(folder) / kind.file if folder else None
    if path is None or not path.exists():
        return {}
    found = read(path)
    if not isinstance(found.get("runs"), list) or not found["runs"]:
        raise ResultsError(f'{path}: expected an object with a list "runs"')
    groups = {}
    for place, run in enumerate(found["runs"], start=1):
        _check(run, f"{path}: run {place}", kind)
        if run["experiment"] == name:
            groups.setdefault(run["name"], []).append(run)
    return groups


def read(path):
    """The object in a JSON file, as a dictionary."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ResultsError(f"{path}: not readable as JSON ({error})") from None
    if not isinstance(found, dict):
        raise ResultsError(f"{path}: expected an object")
    return found


def sample(runs, key):
    values = [run[key] for run in runs]
    return Sample(statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0, len(values))


def mean_curve(runs):
    """(epoch, training loss) points, averaged over the runs as far as the shortest of them goes."""
    columns = zip(*(run["loss"] for run in runs), strict=False)
    return [(points[0][0], statistics.mean(loss for _, loss in points)) for points in columns]


def _check(run, where, kind):
    if not isinstance(run, dict):
        raise ResultsError(f"{where}: expected an object")
    for key, expected in kind.fields.items():
        if key not in run or not isinstance(run[key], expected) or isinstance(run[key], bool):
            raise ResultsError(f"{where}: {key!r} is missing or of the wrong kind")
        if isinstance(run[key], float) and not math.isfinite(run[key]):
            raise ResultsError(f"{where}: {key!r} is {run[key]}; expected a finite number")
    for key in kind.parts:
        if not 0 <= run[key] <= 1:
            raise ResultsError(f"{where}: {key!r} is {run[key]}; expected a part between 0 and 1")
    for point in run[kind.curve]:
        numbers = isinstance(point, list) and len(point) == kind.point and all(_is_number(x) for x in point)
        if not numbers and not _diverged(point, kind):
            expected = "[epoch, loss] pairs" if kind.point == 2 else "[step, V, gap] triples"
            raise ResultsError(f"{where}: {kind.curve!r} holds {point!r}; expected {expected} of finite numbers")


def _diverged(point, kind):
    return kind.point == 3 and isinstance(point, list) and point[1:] == [None, None]


def _is_number(x):
    return isinstance(x, NUMBER) and not isinstance(x, bool) and math.isfinite(x)
