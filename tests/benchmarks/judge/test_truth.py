"""The judge of the coverage table is right itself."""

import numpy as np
import pytest
import torch

from benchmarks.judge.truth import TOLERANCE, arranged, free_entries, points, relative_error, text_value
from benchmarks.problems import load

CORPUS = load()


@pytest.mark.parametrize("family", sorted({p["category"] for p in CORPUS}))
def test_the_reader_and_the_oracle_agree_on_the_closed_forms(family):
    """Both are the judge's own: the expected form as read here, and autograd of the expression as read here."""
    for problem in (p for p in CORPUS if p["category"] == family and p["expected"]):
        for point, sizes, expected in points(problem):
            found = text_value(problem["expected"], problem, point, sizes)
            assert relative_error(found, expected) < TOLERANCE, problem["id"]


def test_the_layouts():
    """Of y = A*x and Y = A*X*B, entry by entry."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(2, 5))
    assert np.array_equal(arranged(a, 1, "denominator"), a.T)
    four = np.einsum("ik,lj->ijkl", a, b)  # dY[i,j] / dX[k,l]
    assert np.allclose(arranged(four, 2, "vec"), np.kron(b.T, a))


@pytest.mark.parametrize("structure", ["symmetric", "diagonal"])
def test_the_free_entries(structure):
    a = torch.arange(9.0, dtype=torch.float64).reshape(3, 3)
    found = free_entries(structure, lambda x: (a * x).sum(), a + a.T).numpy()
    a = a.numpy()
    both = a + a.T - np.diag(np.diag(a))
    assert np.array_equal(found, both if structure == "symmetric" else np.diag(np.diag(a)))
