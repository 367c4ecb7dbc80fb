"""What experiments measured, read from small JSON files: `results/2.3.json`, `results/2.4.json`.

A file holds {"runs": [{"name", "batch_size", "epochs", "device", "test_accuracy", "loss": [[epoch, loss], …]}]}.
"""

import json
import math
from pathlib import Path

from derivations.errors import DerivationError

RUN = {"name": str, "batch_size": int, "epochs": int, "device": str, "test_accuracy": (int, float), "loss": list}


class ResultsError(DerivationError):
    """A results file that cannot be used; the message names the file and what is wrong with it."""


def runs(folder, number):
    """The runs measured for an answer, or None if there is no file. Raises ResultsError for a broken one."""
    path = Path(folder) / f"{number}.json" if folder else None
    if path is None or not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ResultsError(f"{path}: not readable as JSON ({error})") from None
    if not isinstance(found, dict) or not isinstance(found.get("runs"), list) or not found["runs"]:
        raise ResultsError(f'{path}: expected an object with a list "runs"')
    for place, run in enumerate(found["runs"], start=1):
        _check(run, f"{path}: run {place}")
    return found["runs"]


def _check(run, where):
    if not isinstance(run, dict):
        raise ResultsError(f"{where}: expected an object")
    for key, kind in RUN.items():
        if not isinstance(run.get(key), kind) or isinstance(run.get(key), bool):
            raise ResultsError(f"{where}: {key!r} is missing or of the wrong kind")
    if not 0 <= run["test_accuracy"] <= 1:
        raise ResultsError(f"{where}: 'test_accuracy' is {run['test_accuracy']}; expected a part between 0 and 1")
    for point in run["loss"]:
        numbers = isinstance(point, list) and len(point) == 2 and all(_is_number(x) for x in point)
        if not numbers:
            raise ResultsError(f"{where}: 'loss' holds {point!r}; expected [epoch, loss] pairs of finite numbers")


def _is_number(x):
    return isinstance(x, (int, float)) and not isinstance(x, bool) and math.isfinite(x)


def plot_series(found):
    """name -> (epoch, loss) points, for a plot."""
    return {run["name"]: [tuple(point) for point in run["loss"]] for run in found}
