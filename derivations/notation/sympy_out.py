"""SymPy's own nodes out: a tree of ours in MatrixExpr and scalars of SymPy.

A scalar that is a product of matrices, x'*A*x, is the trace of SymPy's 1 x 1 matrix. What SymPy has no
node for is refused by name.
"""

from functools import partial, reduce
from operator import add, mul

import sympy
from sympy import Dummy, Lambda, S
from sympy.matrices.expressions import applyfunc, diagonal, hadamard, kronecker

from derivations.elementwise import SLOTS, Apply, Diag, DiagonalOf, Hadamard, Softmax, SoftmaxRows
from derivations.errors import UnsupportedError
from derivations.expressions import (
    EntrySum,
    Identity,
    Inner,
    Inverse,
    Ones,
    Plain,
    Power,
    Product,
    Scale,
    Sum,
    Transpose,
    Variable,
    Zero,
)
from derivations.functions import DEFINITIONS, clip, huber, maximum, minimum, relu, step
from derivations.kronecker import Kronecker
from derivations.scalars import Det, LogDet, LogSumExp, Norm, Trace
from derivations.spectral import MATRIX_FUNCTIONS, MatrixFunction


def to_sympy(expression, symbols=()):
    """The expression in SymPy's nodes; symbols: those of SymPy to use for the variables and sizes of their names.

    Raises UnsupportedError for what SymPy has no node for.
    """
    return Writer({s.name: s for s in symbols})(expression)


class Writer:
    """Writes trees; `argument` stands for the slot of an elementwise function."""

    def __init__(self, symbols, argument=None):
        self.symbols, self.argument = symbols, argument

    def __call__(self, e):
        if type(e) in FORMS:
            return FORMS[type(e)](self, e)
        if isinstance(e, Plain):
            raise refusal(type(e).__name__)
        if type(e) in FUNCTIONS:
            return FUNCTIONS[type(e)](*(self(a) for a in e.args))
        return _scalar(e.func, *(self(a) for a in e.args)) if e.args else e

    def matrix(self, e):
        """What stands inside another matrix: SymPy's matrix exponential cannot."""
        found = self(e)
        if not found.is_Matrix:
            raise refusal("matrix exponential inside another expression")
        return found

    def symbol(self, e):
        if e in SLOTS:
            if self.argument is None or e != SLOTS[0]:
                raise refusal("elementwise function of several matrices")
            return self.argument
        found = self.symbols.get(e.name, e)
        return found[0, 0] if isinstance(found, sympy.MatrixSymbol) else found

    def variable(self, e):
        return self.symbols.get(e.name) or sympy.MatrixSymbol(e.name, *map(self, e.shape))

    def sized(self, e):
        return SIZED[type(e)](*map(self, e.args))

    def scale(self, e):
        scalar, matrix = e.args
        return self(scalar) * self(matrix)

    def sum(self, e):
        return reduce(add, map(self.matrix, e.args))

    def product(self, e):
        return reduce(mul, map(self.matrix, e.args))

    def inner(self, e):
        return sympy.Trace(self.product(e))

    def entry_sum(self, e):
        (inside,) = e.args
        if isinstance(inside, Hadamard) and len(inside.args) == 2:
            left, right = map(self.matrix, inside.args)
            return sympy.Trace(left.T * right)
        return _total(self.matrix(inside))

    def transpose(self, e):
        (inside,) = e.args
        if isinstance(inside, MatrixFunction):
            return self(MatrixFunction(inside.args[0], Transpose(inside.args[1])))
        return self.matrix(inside).T

    def inverse(self, e):
        return self.matrix(e.args[0]).inv()

    def power(self, e):
        base, exponent = self.matrix(e.args[0]), self(e.args[1])
        return base**exponent if exponent.is_integer else _root(base, exponent)

    def hadamard(self, e):
        return hadamard.hadamard_product(*map(self.matrix, e.args))

    def apply(self, e):
        function, *matrices = e.args
        matrices = [self.matrix(m) for m in matrices]
        if function == SLOTS[0] ** SLOTS[1]:
            return hadamard.HadamardPower(*matrices)
        if len(matrices) > 1:
            raise refusal(f"elementwise {type(function).__name__} of several matrices")
        if isinstance(function, sympy.Pow) and function.base == SLOTS[0] and SLOTS[0] not in function.exp.free_symbols:
            return hadamard.hadamard_power(matrices[0], Writer(self.symbols)(function.exp))
        argument = Dummy("u")
        body = Writer(self.symbols, argument)(function)
        return applyfunc.ElementwiseApplyFunction(Lambda(argument, body), matrices[0])

    def kronecker(self, e):
        return kronecker.KroneckerProduct(*map(self.matrix, e.args))

    def of_matrix(self, e):
        return OF_MATRIX[type(e)](self.matrix(e.args[0]))

    def matrix_function(self, e):
        if e.args[0] == MATRIX_FUNCTIONS["expm"]:
            return sympy.exp(self.matrix(e.args[1]))
        if e.args[0] == MATRIX_FUNCTIONS["sqrtm"]:
            return _root(self.matrix(e.args[1]), S.Half)
        raise refusal(f"matrix function {type(e.args[0]).__name__}")


def refusal(what):
    return UnsupportedError(f"SymPy's matrix expressions have no {what}; to_text() and to_code() write the result")


def _root(base, exponent):
    if isinstance(base.doit(), sympy.MatPow):
        # SymPy multiplies the exponents: it takes the square root of X^2 for X.
        raise refusal("root of a matrix power")
    return sympy.MatPow(base, exponent)


def _total(matrix):
    """1'M1."""
    rows, columns = matrix.shape
    left = matrix if rows == 1 else sympy.OneMatrix(1, rows) * matrix
    return sympy.Trace(left if columns == 1 else left * sympy.OneMatrix(columns, 1))


def _exponentials(matrix):
    return applyfunc.ElementwiseApplyFunction(sympy.exp, matrix)


def _softmax(matrix):
    return _exponentials(matrix) / _total(_exponentials(matrix))


def _softmax_rows(matrix):
    columns = matrix.shape[1]
    weights = _exponentials(matrix)
    totals = weights * sympy.OneMatrix(columns, columns)
    return hadamard.hadamard_product(weights, hadamard.hadamard_power(totals, -1))


def _scalar(kind, *args):
    """Where SymPy looks for a sign it may take the nodes of matrices apart, and fail: then it is not to evaluate."""
    try:
        return kind(*args)
    except (TypeError, ValueError, NotImplementedError):
        return kind(*args, evaluate=False)


_max, _min = partial(_scalar, sympy.Max), partial(_scalar, sympy.Min)


def _clip(u, low, high):
    return _min(_max(u, low), high)


def _huber(u, c):
    inside = _clip(u, -c, c)
    return inside * u - inside**2 / 2


SIZED = {Identity: sympy.Identity, Zero: sympy.ZeroMatrix, Ones: sympy.OneMatrix}
OF_MATRIX = {
    Trace: sympy.Trace,
    Det: sympy.Determinant,
    LogDet: lambda m: sympy.log(sympy.Determinant(m)),
    Norm: lambda m: sympy.sqrt(sympy.Trace(m.T * m)),
    LogSumExp: lambda m: sympy.log(_total(_exponentials(m))),
    Softmax: _softmax,
    SoftmaxRows: _softmax_rows,
    Diag: diagonal.DiagMatrix,
    DiagonalOf: diagonal.DiagonalOf,
}
FUNCTIONS = {
    **DEFINITIONS,
    relu: lambda u: _max(S.Zero, u),
    step: lambda u: sympy.Heaviside(u, 0),
    maximum: _max,
    minimum: _min,
    clip: _clip,
    huber: _huber,
}
FORMS = {
    sympy.Symbol: Writer.symbol,
    Variable: Writer.variable,
    **dict.fromkeys(SIZED, Writer.sized),
    Scale: Writer.scale,
    Sum: Writer.sum,
    Product: Writer.product,
    Inner: Writer.inner,
    EntrySum: Writer.entry_sum,
    Transpose: Writer.transpose,
    Inverse: Writer.inverse,
    Power: Writer.power,
    Hadamard: Writer.hadamard,
    Apply: Writer.apply,
    Kronecker: Writer.kronecker,
    MatrixFunction: Writer.matrix_function,
    **dict.fromkeys(OF_MATRIX, Writer.of_matrix),
}
