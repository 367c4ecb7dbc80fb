"""The law of the data by the name in a configuration: a toy law, or the rows of a file."""

from pathlib import Path

import numpy as np
import torch

from gan import laws
from runner.errors import DataError

LARGEST = 1e18  # its square is a number of float32 still


def law(data):
    """The laws.DataLaw of a name of laws.TOYS, or of a file. Raises DataError, which names the file and the place."""
    return laws.TOYS[data] if data in laws.TOYS else laws.rows(torch.from_numpy(read(data)))


def read(path):
    """The samples in a .npy or .csv file: (N, 5), float64. A first line of a .csv that holds names is skipped."""
    path = Path(path)
    readers = {".npy": _npy, ".csv": _csv}
    kind = path.suffix.lower()
    if kind not in readers:
        known = ", ".join(("teacher", *laws.TOYS))
        raise DataError(f"data {str(path)!r} is none of {known}, nor a .npy or .csv file")
    try:
        found = readers[kind](path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, MemoryError) as error:
        raise DataError(f"{path} is not readable as {kind[1:]}: {error}") from None
    return _checked(found, path)


def _npy(path):
    found = np.load(path, allow_pickle=False)
    if not isinstance(found, np.ndarray):
        found.close()
        raise ValueError("it is an archive of arrays")
    return found


def _csv(path):
    with open(path, encoding="utf-8-sig") as file:
        lines = file.read().splitlines()
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append([_number(cell) for cell in line.split(",")])
        except ValueError:
            if number > 1 or any(cell.strip()[:1].isdigit() for cell in line.split(",")):
                raise ValueError(f"line {number} is {line!r}, not numbers with commas between them") from None
    lengths = {len(row) for row in found}
    if len(lengths) > 1:
        raise ValueError(f"its rows have {', '.join(map(str, sorted(lengths)))} columns")
    return np.array(found)


def _number(cell):
    """As float, but 1_0 is not 10."""
    if "_" in cell:
        raise ValueError(cell)
    return float(cell)


def _checked(array, path):
    expected = f"expected an n x {laws.N_HIDDEN} array of finite numbers, a sample in each row"
    if array.ndim != 2 or array.shape[1] != laws.N_HIDDEN or not len(array):
        raise DataError(f"{path} holds an array of shape {array.shape}; {expected}")
    if array.dtype.kind not in "fiu":
        raise DataError(f"{path} holds {array.dtype}; {expected}")
    array = array.astype(np.float64)
    bad = np.argwhere(~(np.abs(array) <= LARGEST))
    if len(bad):
        row, column = bad[0]
        raise DataError(f"{path} has {array[row, column]} in row {row + 1}, column {column + 1}; {expected}")
    return array
