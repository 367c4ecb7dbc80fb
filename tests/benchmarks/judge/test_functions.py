"""The derivatives of matrix functions are those of the functions."""

import pytest
import torch

from benchmarks.judge.functions import FUNCTIONS, OPERATORS
from benchmarks.judge.truth import relative_error


@pytest.mark.parametrize("name", ["expm", "sinm", "cosm", "logm", "sqrtm", "power"])
def test_directions_of_matrix_functions(name):
    """Against central differences, at a symmetric matrix and in a direction that is symmetric too."""
    generator = torch.Generator().manual_seed(0)
    a, e = (x + x.T for x in torch.rand(2, 4, 4, generator=generator, dtype=torch.float64))
    a = a + 5 * torch.eye(4, dtype=torch.float64)
    rest = (torch.tensor(3.0),) if name == "power" else ()
    function = OPERATORS["power"] if name == "power" else FUNCTIONS[name][1]
    numeric = (function(a + 1e-5 * e, *rest) - function(a - 1e-5 * e, *rest)) / 2e-5
    found = FUNCTIONS[f"{name}_frechet"][1](a, e, *rest)
    assert relative_error(found.numpy(), numeric.numpy()) < 1e-7
