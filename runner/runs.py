"""The folder of a run: what lies in it, and how it is written so that a crash leaves a whole file.

config.json        the options, all of them
history.jsonl      a line ({"kind": …}) for each stretch of the training
checkpoint.pt      where to go on; gone when the run is finished
metrics.json       the results
model.safetensors  the weights
"""

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import filelock

from runner.errors import RunError

CONFIG, HISTORY, CHECKPOINT = "config.json", "history.jsonl", "checkpoint.pt"
LOCK = "lock"
METRICS, MODEL = "metrics.json", "model.safetensors"


@dataclass(frozen=True)
class Run:
    """What a run folder says; metrics is None where the run is not finished."""

    folder: Path
    config: dict
    history: list
    metrics: dict | None


def read(folder):
    """The Run in a folder. Raises RunError, which names the file."""
    folder = Path(folder)
    if not (folder / CONFIG).exists():
        raise RunError(f"{folder} is not the folder of a run: {CONFIG} is not in it")
    finished = (folder / METRICS).exists()
    return Run(folder, read_json(folder / CONFIG), history(folder), read_json(folder / METRICS) if finished else None)


def history(folder):
    """The lines of history.jsonl; a last line that a crash cut short is left out."""
    path = Path(folder) / HISTORY
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            if number < len(lines):
                raise RunError(f"{path}, line {number}: not JSON") from None
    return found


def is_finished(folder):
    return (Path(folder) / METRICS).exists()


def write(path, content):
    """Bytes, or what JSON can say, put in place at once: the old file stays until the new one is whole on the disk."""
    path = Path(path)
    if not isinstance(content, bytes):
        content = (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise RunError(f"{path} cannot be written: {error.strerror}") from None


def clear(folder, names):
    """Throw away what is in the folder of a run; what is not there is no matter."""
    for name in names:
        (Path(folder) / name).unlink(missing_ok=True)


@contextlib.contextmanager
def claimed(folder):
    """The folder is this process's own for as long as the context lasts; a process that dies gives it free."""
    lock = filelock.FileLock(Path(folder) / LOCK)
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise RunError(f"another process is training in {folder}; wait for it, or give another --out") from None
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error.strerror}") from None
    try:
        yield
    finally:
        lock.release()


class History:
    """history.jsonl, to be added to. `size` bytes of it are known to the checkpoint, the rest is cut off."""

    def __init__(self, folder, size):
        self.path = Path(folder) / HISTORY
        with self._saying_what_failed():
            self.file = open(self.path, "ab")  # noqa: SIM115 (closed by close)
            found = os.fstat(self.file.fileno()).st_size
            if found >= size:
                self.file.truncate(size)
        if found < size:
            self.file.close()
            raise RunError(
                f"{self.path} has {found} bytes, where the checkpoint knows of {size}; --overwrite starts anew"
            )

    def add(self, record):
        with self._saying_what_failed():
            self.file.write((json.dumps(record) + "\n").encode())

    def saved(self):
        """The size in bytes, once they are on the disk."""
        with self._saying_what_failed():
            self.file.flush()
            os.fsync(self.file.fileno())
            return os.fstat(self.file.fileno()).st_size

    def close(self):
        with self._saying_what_failed():
            self.file.close()

    @contextlib.contextmanager
    def _saying_what_failed(self):
        try:
            yield
        except OSError as error:
            raise RunError(f"{self.path} cannot be written: {error.strerror}") from None


def read_json(path):
    """The object in a JSON file, as a dictionary. Raises RunError, which names the file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is not readable as JSON: {error}") from None
    if not isinstance(found, dict):
        raise RunError(f"{path}: expected an object")
    return found
