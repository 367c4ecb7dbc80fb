"""One process, or many that torchrun started: each takes its share of every mini-batch, and all hold one model."""

import contextlib
import os
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

from runner.errors import ConfigError, RunError


@dataclass(frozen=True)
class Workers:
    rank: int
    count: int


ALONE = Workers(0, 1)


@contextlib.contextmanager
def joined(device, patience=timedelta(minutes=30)):
    """The Workers of this program, for as long as it trains: gloo on the CPU, nccl on GPUs.

    patience: how long one waits for another. A lost worker breaks the connection of the others: RunError says so.
    """
    if "WORLD_SIZE" not in os.environ or int(os.environ["WORLD_SIZE"]) == 1:
        yield ALONE
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=patience)
    workers = Workers(dist.get_rank(), dist.get_world_size())
    try:
        yield workers
    except (dist.DistError, RuntimeError) as error:
        if not _is_lost(error):
            raise
        raise RunError("another worker is gone, so this one stops; the last checkpoint is intact: --resume") from error
    finally:
        # Without the others there is nothing to say goodbye to.
        with contextlib.suppress(dist.DistError, RuntimeError):
            dist.destroy_process_group()


def device(name, double=False):
    """The torch device of a name; auto: cuda, mps or cpu, what there is; double: it has to know float64, unlike mps.

    Raises ConfigError for one that is missing.
    """
    if name == "auto":
        mps = torch.backends.mps.is_available() and not double
        name = "cuda" if torch.cuda.is_available() else "mps" if mps else "cpu"
    if name == "cuda":
        name = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    try:
        found = torch.device(name)
        torch.zeros(1, device=found, dtype=torch.float64 if double else torch.float32).item()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        raise ConfigError(
            f"device {name!r} is not to be had here ({str(error).splitlines()[0]}); --device auto"
        ) from None
    return found


@contextlib.contextmanager
def threads(count):
    """PyTorch's threads on the CPU, for as long as the context lasts; 0: its own choice."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def add_up(workers, *tensors):
    """Replace each tensor by its sum over all workers."""
    if workers.count > 1:
        for tensor in tensors:
            dist.all_reduce(tensor)


def any_of(workers, flag):
    """Whether the flag is up in one of them; all get the same answer."""
    if workers.count == 1:
        return flag
    raised = torch.tensor(float(flag))
    dist.all_reduce(raised)
    return bool(raised)


def _is_lost(error):
    """gloo and nccl raise plain RuntimeErrors or DistErrors, whose words alone tell."""
    words = ("Connection closed", "Connection reset", "Broken pipe", "NCCL", "Gloo", "gloo", "timed out", "Timed out")
    return isinstance(error, dist.DistError) or any(word in str(error) for word in words)
