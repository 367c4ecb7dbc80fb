"""What of a run folder is drawn, read and checked."""

import math
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from classifier.config import N_CLASSES
from runner import runs
from runner.errors import RunError

# What NumPy and zipfile raise where bytes are missing or wrong; RuntimeError: a flag that says "encrypted".
BROKEN_ARCHIVE = (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
PREDICTIONS = "predictions.npz"  # the test images' labels and predictions, and the worst mistakes
# What a record of history.jsonl must have; a validation may be null.
FIELDS = {
    "batches": ("epoch", "step", "batches", "loss"),
    "epoch": ("epoch", "step", "train_accuracy", "validation_loss", "validation_accuracy"),
}
# Of those, what says where in the training it is; a loss may be infinite.
PLACES = ("epoch", "step", "batches")
# Array of PREDICTIONS -> (kinds of NumPy's types, in words).
INTEGERS, NUMBERS = ("iu", "integers"), ("iuf", "numbers")
ARRAYS = {
    "labels": INTEGERS,
    "predictions": INTEGERS,
    "confidence": NUMBERS,
    "mistakes": INTEGERS,
    "images": NUMBERS,
}
# File -> the plots that do without a run that has none.
USES = {
    runs.HISTORY: ("loss", "accuracy"),
    runs.METRICS: ("class-accuracy", "confusion", "mistakes"),
    PREDICTIONS: ("confusion", "mistakes"),
    runs.MODEL: ("filters",),
}


@dataclass(frozen=True)
class RunFolder:
    """What of a run is drawn; what an unfinished run lacks is empty or None. filters: (N, 3, H, W)."""

    folder: Path
    config: dict
    batches: list
    epoch: list
    metrics: dict | None
    predictions: dict | None
    filters: np.ndarray | None


def run_folders(folders):
    """The run folders among the folders, and those directly in them: each once, batch 4 before batch 16."""
    found = {}
    for folder in map(Path, folders):
        inside = sorted((path.parent for path in folder.glob(f"*/{runs.CONFIG}")), key=lambda path: _natural(path.name))
        inside = [folder] if (folder / runs.CONFIG).exists() else inside
        if not inside:
            what = f"holds no {runs.CONFIG}, nor does a folder in it" if folder.is_dir() else "is no folder"
            raise RunError(f"{folder} {what}; give a folder that a training run or a sweep has written")
        found |= {path.resolve(): path for path in inside}
    return list(found.values())


def read(folder, notes):
    missing = [name for name in USES if not (folder / name).exists()]
    if missing:
        plots = dict.fromkeys(plot for name in missing for plot in USES[name])
        notes.append(f"{folder}: unfinished, without {', '.join(missing)}: left out of {', '.join(plots)}")
    try:
        run = runs.read(folder)
        _check_config(run.config, folder / runs.CONFIG)
        _check_history(run.history, folder / runs.HISTORY, notes)
        if run.metrics is not None:
            _check_metrics(run.metrics, folder / runs.METRICS)
        predictions = None if PREDICTIONS in missing else _predictions(folder / PREDICTIONS)
        filters = None if runs.MODEL in missing else _filters(folder / runs.MODEL)
    except RunError as error:
        raise RunError(f"{error}; restore the file from a copy, or leave this run out") from error
    batches, epochs = ([record for record in run.history if record["kind"] == kind] for kind in FIELDS)
    return RunFolder(folder, run.config, batches, epochs, run.metrics, predictions, filters)


def _check_config(config, path):
    missing = [key for key in ("model", "batch_size", "epochs", "seed") if key not in config]
    if missing:
        raise RunError(f"{path} has no {', '.join(missing)}")
    if not isinstance(config["seed"], int):
        raise RunError(f"{path} has the seed {config['seed']!r}, which is no integer")


def _check_history(history, path, notes):
    for number, record in enumerate(history, 1):
        _check_record(record, f"{path}, line {number},")
    n_lines = len(path.read_text(encoding="utf-8", errors="replace").splitlines()) if path.exists() else 0
    if len(history) < n_lines:
        notes.append(f"{path}: line {n_lines}, the last, was cut short and is skipped")
    strange = sum(not math.isfinite(record["loss"]) for record in history if record["kind"] == "batches")
    if strange:
        notes.append(f"{path}: {strange} of the losses are not finite and not drawn")


def _check_record(record, place):
    kind = record.get("kind") if isinstance(record, dict) else None
    if kind not in FIELDS:
        raise RunError(f"{place} is of kind {kind!r}, not one of {', '.join(FIELDS)}")
    for field in FIELDS[kind]:
        value = record.get(field, "nothing")
        if not isinstance(value, (int, float)) and not (value is None and field.startswith("validation")):
            raise RunError(f"{place} has {value!r} for {field}, not a number")
        if field in PLACES and not 0 < value < math.inf:
            raise RunError(f"{place} has {value!r} for {field}, not a finite number above 0")


def _check_metrics(metrics, path):
    for key, is_right, what in (("classes", _is_name, "names"), ("class_accuracy", _is_part, "numbers from 0 to 1")):
        values = metrics.get(key)
        if not isinstance(values, list) or [is_right(value) for value in values] != [True] * N_CLASSES:
            raise RunError(f"{path} has no {key} that are {N_CLASSES} {what}")


def _is_name(value):
    return isinstance(value, str)


def _is_part(value):
    return isinstance(value, (int, float)) and 0 <= value <= 1


def _predictions(path):
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in ARRAYS}
    except BROKEN_ARCHIVE as error:
        raise RunError(f"{path} cannot be read ({error})") from error
    for name, (kinds, what) in ARRAYS.items():
        if found[name].dtype.kind not in kinds:
            raise RunError(f"{path} has {name} of {found[name].dtype}, where {what} are due")
    n, k = found["labels"].size, found["mistakes"].size
    for (name, array), shape in zip(found.items(), ((n,), (n,), (n,), (k,), (k, 3, 32, 32))):
        if array.shape != shape:
            raise RunError(f"{path} has {name} of shape {array.shape}, where {shape} is due")
    for name, limit in (("labels", N_CLASSES), ("predictions", N_CLASSES), ("mistakes", n)):
        if (found[name] < 0).any() or (found[name] >= limit).any():
            raise RunError(f"{path} has {name} that are not below {limit}")
    return found


def _filters(path):
    """The filters of the first layer that looks at neighbouring pixels of three colours: (N, 3, H, W), or None."""
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path} cannot be read ({error})") from error
    for name in sorted(weights, key=_natural):
        if weights[name].ndim == 4 and weights[name].shape[1] == 3 and min(weights[name].shape[2:]) > 1:
            return weights[name].astype(float)
    return None


def _natural(name):
    """A key that sorts 4 before 16."""
    return re.sub(r"\d+", lambda digits: digits[0].zfill(9), name)
