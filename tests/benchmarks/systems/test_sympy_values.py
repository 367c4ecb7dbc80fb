"""SymPy's arrays are read rightly."""

import numpy as np

from benchmarks.systems.sympy_values import contracted, diagonal_of_array


def test_axes_are_contracted_and_taken_from_the_diagonal():
    a = np.random.default_rng(0).normal(size=(3, 3, 2, 3))
    assert np.allclose(contracted(a, (0, 1)), np.einsum("iijk->jk", a))
    assert np.allclose(diagonal_of_array(a, (0, 1)), np.einsum("iijk->jki", a))
    assert np.allclose(diagonal_of_array(a, (0, 3)), np.einsum("ijki->jki", a))
