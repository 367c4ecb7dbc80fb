"""Every property that a variable can have is one of its samples."""

import numpy as np
import pytest

from benchmarks.judge.sampling import PROPERTIES, sample, sizes_of

KINDS = {"prob": ("vector", ["n"]), "onehot": ("vector", ["n"]), "integer": ("scalar", [])}
CHECKS = {
    "positive": lambda x: (x > 0).all(),
    "unit_interval": lambda x: ((x > 0) & (x < 1)).all(),
    "integer": lambda x: x == 3,
    "pm1": lambda x: (abs(x) == 1).all(),
    "binary": lambda x: set(x.flat) <= {0, 1},
    "prob": lambda x: np.isclose(x.sum(), 1),
    "stochastic_rows": lambda x: np.allclose(x.sum(1), 1),
    "onehot": lambda x: sorted(x.flat) == [0, 0, 1],
    "onehot_rows": lambda x: (np.sort(x) == [0, 0, 1]).all(),
    "symmetric": lambda x: np.allclose(x, x.T),
    "skew": lambda x: np.allclose(x, -x.T),
    "positive_definite": lambda x: (np.linalg.eigvalsh(x) > 0).all() and np.allclose(x, x.T),
    "small": lambda x: abs(x).max() < 1.5,
    "invertible": lambda x: np.linalg.cond(x) < 1e6,
    "posdet": lambda x: np.linalg.det(x) > 0,
    "diagonal": lambda x: np.count_nonzero(x - np.diag(np.diag(x))) == 0,
    "lower_triangular": lambda x: np.allclose(x, np.tril(x)) and (np.diag(x) > 0).all(),
}


@pytest.mark.parametrize("name", PROPERTIES)
def test_samples_have_their_properties(name):
    kind, shape = KINDS.get(name, ("matrix", ["n", "n"]))
    problem = {"vars": {"X": {"kind": kind, "shape": shape, "props": [name]}}}
    assert CHECKS[name](sample(problem, sizes_of(problem, 0), "seed")["X"].numpy())
