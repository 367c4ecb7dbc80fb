"""Where to go on: everything that the rest of a training depends on, in one file that is always whole."""

import io
import pickle
from pathlib import Path

import torch

from runner import runs
from runner.errors import RunError

FORMAT = 1


def save(folder, state):
    """state: nested dictionaries of tensors and plain numbers. The random state of PyTorch goes with it."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "random": _random_state()} | state, buffer)
    runs.write(Path(folder) / runs.CHECKPOINT, buffer.getvalue())


def load(folder, device, parts=()):
    """The state that was saved last, or None if none was; the random state of PyTorch is set to what it was.

    parts: the names that it must have. Raises RunError for a file that is no checkpoint, or another one's.
    """
    path = Path(folder) / runs.CHECKPOINT
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        if state["format"] != FORMAT:
            raise RunError(f"{path} is of format {state['format']}, this version reads {FORMAT}; start the run anew")
        missing = [name for name in parts if name not in state]
        if missing:
            raise RunError(f"{path} is the checkpoint of something else: it has no {missing[0]}; try --overwrite")
        _set_random_state(state["random"])
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise RunError(f"{path} cannot be read as a checkpoint; --overwrite starts the run anew") from error
    return state


def _random_state():
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}


def _set_random_state(state):
    torch.set_rng_state(state["cpu"].cpu())
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([s.cpu() for s in state["cuda"]])
