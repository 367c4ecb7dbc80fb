"""What numpy and PyTorch call things, so that one closed form serves both, and how they are handed arrays."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import torch


@np.errstate(over="ignore")  # as in the generated code: exp(-a) is infinite where the value is 0
def sigmoid(a):
    return 1 / (1 + np.exp(-a))


NUMPY = SimpleNamespace(
    tanh=np.tanh,
    outer=np.outer,
    kron=np.kron,
    eye=np.eye,
    einsum=lambda pattern, *a: np.einsum(pattern, *a, optimize=True),
    inv=np.linalg.inv,
    solve=np.linalg.solve,
    sigmoid=sigmoid,
)
TORCH = SimpleNamespace(
    tanh=torch.tanh,
    outer=torch.outer,
    kron=torch.kron,
    eye=lambda n: torch.eye(n, dtype=torch.float64),
    einsum=torch.einsum,
    inv=torch.linalg.inv,
    solve=torch.linalg.solve,
    sigmoid=torch.sigmoid,
    softplus=torch.nn.functional.softplus,
    logdet=torch.logdet,
)
LIBRARIES = {"numpy": (NUMPY, np.asarray), "torch": (TORCH, torch.from_numpy)}


def in_both(function_in, arrays):
    """{"numpy": …, "torch": …}: the function that `function_in` gives for a library's name, bound to the arrays."""
    return {
        name: partial(function_in(name), **{k: convert(a) for k, a in arrays.items()})
        for name, (_, convert) in LIBRARIES.items()
    }
