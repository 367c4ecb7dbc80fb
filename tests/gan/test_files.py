"""Samples from a file: what is read, and how each kind of bad file is named."""

import os
import pickle
import re

import numpy as np
import pytest
import torch

from gan import files, laws
from runner.errors import DataError

GOOD = np.arange(15.0).reshape(3, 5) - 2.5
LINES = "\n".join(",".join(map(str, row)) for row in GOOD)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "uint8", ">f8"])
def test_npy_files_are_read(tmp_path, dtype):
    array = GOOD.astype(dtype) if dtype != "uint8" else np.abs(GOOD).astype(dtype)
    np.save(tmp_path / "a.npy", array)
    found = files.read(tmp_path / "a.npy")
    assert found.dtype == np.float64 and np.array_equal(found, array)


def test_a_npy_file_in_the_order_of_columns_is_read(tmp_path):
    np.save(tmp_path / "a.npy", np.asfortranarray(GOOD))
    assert np.array_equal(files.read(tmp_path / "a.npy"), GOOD)


@pytest.mark.parametrize(
    "text",
    [
        LINES,
        LINES + "\n",
        "a,b,c,d,e\n" + LINES,
        "\ufeff" + LINES,
        LINES.replace("\n", "\r\n"),
        LINES.replace(",", " , "),
        "\n".join(["", *LINES.splitlines(), "", ""]),
    ],
    ids=["plain", "newline", "names", "byte order mark", "windows", "spaces", "empty lines"],
)
def test_csv_files_are_read(tmp_path, text):
    (tmp_path / "a.csv").write_text(text, encoding="utf-8", newline="")
    assert np.array_equal(files.read(str(tmp_path / "a.csv")), GOOD)


def npy(array, **options):
    def write(path):
        np.save(path, array, **options)

    return "a.npy", write


def text(content, name="a.csv"):
    return name, lambda path: path.write_bytes(content if isinstance(content, bytes) else content.encode())


def changed(row, column, value):
    array = GOOD.copy()
    array[row, column] = value
    return array


BAD = {
    "four columns": (npy(GOOD[:, :4]), r"holds an array of shape \(3, 4\); expected an n x 5 array"),
    "a vector": (npy(GOOD[0]), r"holds an array of shape \(5,\)"),
    "a stack": (npy(GOOD[None]), r"holds an array of shape \(1, 3, 5\)"),
    "no rows": (npy(GOOD[:0]), r"holds an array of shape \(0, 5\)"),
    "nan": (npy(changed(1, 2, np.nan)), "has nan in row 2, column 3; expected"),
    "infinity": (npy(changed(2, 4, -np.inf)), "has -inf in row 3, column 5; expected"),
    "words": (npy(GOOD.astype(str)), "holds <U"),
    "complex numbers": (npy(GOOD + 1j), "holds complex128; expected"),
    "truth values": (npy(GOOD > 0), "holds bool; expected"),
    "objects": (npy(GOOD.astype(object), allow_pickle=True), "is not readable as npy: Object arrays cannot be"),
    "a pickle": (text(pickle.dumps(GOOD), "a.npy"), "is not readable as npy: This file contains pickled"),
    "nothing in it": (text("", "a.npy"), "is not readable as npy: No data left"),
    "text as npy": (text(LINES, "a.npy"), "is not readable as npy"),
    "four cells": (text("1,2,3,4\n5,6,7,8"), r"holds an array of shape \(2, 4\)"),
    "ragged": (text(LINES + "\n1,2,3"), "is not readable as csv: its rows have 3, 5 columns"),
    "a word": (text(LINES + "\n1,2,x,4,5"), "line 4 is '1,2,x,4,5', not numbers with commas"),
    "semicolons": (text(LINES.replace(",", ";")), "line 2 is .*, not numbers with commas"),
    "a missing cell": (text(LINES + "\n1,2,,4,5"), "line 4 is"),
    "nan in text": (text(LINES + "\n1,2,nan,4,5"), "has nan in row 4, column 3"),
    "empty": (text(""), r"holds an array of shape \(0,\)"),
    "names alone": (text("a,b,c,d,e\n"), r"holds an array of shape \(0,\)"),
    "no text": (text(b"\xff\xfe\x00\x01"), "is not readable as csv: .*utf-8"),
    "another suffix": (text(LINES, "a.txt"), "is none of teacher, normal, .*, nor a .npy or .csv file"),
    "no suffix": (text(LINES, "a"), "is none of teacher"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_named_in_one_line(tmp_path, kind):
    (name, write), message = BAD[kind]
    write(tmp_path / name)
    with pytest.raises(DataError, match=re.escape(name) + ".*" + message) as found:
        files.read(tmp_path / name)
    assert len(str(found.value).splitlines()) == 1


def test_a_file_cut_short_is_named(tmp_path):
    np.save(tmp_path / "a.npy", GOOD)
    whole = (tmp_path / "a.npy").read_bytes()
    for size in range(0, len(whole), 7):
        (tmp_path / "a.npy").write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"a\.npy is not readable as npy"):
            files.read(tmp_path / "a.npy")


def test_an_archive_of_arrays_is_no_array(tmp_path):
    np.savez(tmp_path / "a.npz", GOOD)
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    with pytest.raises(DataError, match=r"a\.npy"):
        files.read(tmp_path / "a.npy")


def test_a_pickle_runs_no_code(tmp_path):
    (tmp_path / "a.npy").write_bytes(pickle.dumps(Evil(str(tmp_path / "evil"))))
    with pytest.raises(DataError, match="pickled"):
        files.read(tmp_path / "a.npy")
    assert not (tmp_path / "evil").exists()


class Evil:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return (os.mkdir, (self.folder,))


def test_what_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none.npy cannot be read: No such file"):
        files.read(tmp_path / "none.npy")
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(DataError, match=r"a.csv cannot be read: Is a directory"):
        files.read(tmp_path / "a.csv")


def test_a_name_is_a_toy_law_and_a_file_the_law_of_its_rows(tmp_path):
    for name, law in laws.TOYS.items():
        assert files.law(name) is law
    np.save(tmp_path / "a.npy", GOOD)
    found = files.law(str(tmp_path / "a.npy")).points(torch.randn(1, 1, 100))
    assert set(map(tuple, found[0].T.tolist())) == set(map(tuple, GOOD.tolist()))
