"""The values of SymPy's results on numpy arrays: matrices are 2-D, numbers 0-D."""

import math
from functools import reduce

import numpy as np
import sympy
from sympy import Trace
from sympy.core.function import Application
from sympy.matrices import expressions as matrices
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.diagonal import DiagonalMatrix, DiagonalOf
from sympy.matrices.expressions.matexpr import MatrixElement
from sympy.tensor.array import expressions as arrays

NAMES = {
    "erf": np.vectorize(math.erf),
    "Heaviside": lambda x, *_: np.where(x > 0, 1.0, 0.0),
    # A kink is never met at a random point.
    "DiracDelta": lambda x, *_: 0.0 * x,
}
NUMPY = [NAMES, "numpy"]


def diagonal_of_array(array, *groups):
    """The entries whose axes of each group agree; those axes come last, one a group."""
    for axes in groups:
        letters = list(range(array.ndim))
        for axis in axes:
            letters[axis] = array.ndim
        rest = [letter for i, letter in enumerate(letters) if i not in axes]
        array = np.einsum(array, letters, [*rest, array.ndim])
    return array


def contracted(array, *groups):
    letters = list(range(array.ndim))
    for axes in groups:
        for axis in axes:
            letters[axis] = axes[0]
    gone = {axis for axes in groups for axis in axes}
    return np.einsum(array, letters, [i for i in range(array.ndim) if i not in gone])


# A MatMul is a Mul too, so it comes first.
EVALUATED = {
    (sympy.Add, matrices.MatAdd, arrays.ArrayAdd): lambda *a: reduce(np.add, a),
    (matrices.MatMul,): lambda *a: reduce(lambda x, y: x @ y if np.ndim(x) and np.ndim(y) else x * y, a),
    (sympy.Mul, matrices.HadamardProduct): lambda *a: reduce(np.multiply, a),
    (sympy.Pow, matrices.HadamardPower): lambda a, b: np.asarray(a, dtype=float) ** b,
    (matrices.MatPow,): lambda a, k: np.linalg.matrix_power(a, round(float(k))),
    (matrices.Transpose,): np.transpose,
    (matrices.Inverse,): lambda a, *_: np.linalg.inv(a),
    (Trace,): np.trace,
    (sympy.Determinant,): np.linalg.det,
    (matrices.DiagMatrix,): lambda a: np.diag(a[:, 0] if a.shape[1] == 1 else a[0]),
    (DiagonalMatrix,): lambda a: np.diag(np.diag(a)),
    (DiagonalOf,): lambda a: np.diag(a)[:, None],
    (matrices.KroneckerProduct,): lambda *a: reduce(np.kron, a),
    (arrays.ArrayTensorProduct,): lambda *a: reduce(lambda x, y: np.multiply.outer(x, y), a),
}
FILLED = {
    matrices.Identity: np.eye,
    matrices.OneMatrix: np.ones,
    matrices.ZeroMatrix: np.zeros,
    arrays.ZeroArray: np.zeros,
}


def value(e, values):
    """The value of SymPy's result; values: symbol -> array, sizes too."""
    if e in values:
        return values[e]
    if isinstance(e, sympy.Derivative):
        raise ValueError("a derivative is left as it is")
    for kind, make in FILLED.items():
        if isinstance(e, kind):
            shape = [round(float(value(s, values))) for s in e.shape]
            return make(shape[0]) if kind is matrices.Identity else make(shape)
    if e.is_Number or e.is_NumberSymbol:
        return float(e)
    if isinstance(e, (ElementwiseApplyFunction, arrays.ArrayElementwiseApplyFunc)):
        x = sympy.Dummy()
        array = value(e.expr, values)
        return np.zeros_like(array) + sympy.lambdify(x, e.function(x), NUMPY)(array)
    if isinstance(e, arrays.PermuteDims):
        return np.transpose(value(e.expr, values), e.permutation.array_form)
    if isinstance(e, arrays.ArrayContraction):
        return contracted(value(e.expr, values), *e.contraction_indices)
    if isinstance(e, arrays.ArrayDiagonal):
        return diagonal_of_array(value(e.expr, values), *e.diagonal_indices)
    if isinstance(e, MatrixElement):
        return value(e.parent, values)[int(e.i), int(e.j)]
    args = [value(a, values) for a in e.args]
    for kinds, function in EVALUATED.items():
        if isinstance(e, kinds):
            return function(*args)
    if isinstance(e, Application):
        slots = [sympy.Dummy() for _ in args]
        return sympy.lambdify(slots, e.func(*slots), NUMPY)(*args)
    raise ValueError(f"no value of {type(e).__name__}")
