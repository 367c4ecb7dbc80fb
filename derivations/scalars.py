"""Where a matrix becomes a scalar: nodes that are SymPy expressions, so scalar algebra just works."""

from sympy import Abs, Expr, Mul, S, sympify
from sympy.core.symbol import Str

from derivations.expressions import (
    EntrySum,
    Identity,
    Inverse,
    MatrixDifferential,
    Plain,
    Power,
    Product,
    Scale,
    Transpose,
    Zero,
    is_matrix,
    need_square,
    shape_of,
    split_scale,
)
from derivations.kronecker import Kronecker, Vec


class MatrixScalar(Plain, Expr):
    """A real scalar made of a matrix, its only argument."""

    is_commutative = True
    is_real = True

    @classmethod
    def _make(cls, matrix):
        return Expr.__new__(cls, matrix)


class Trace(MatrixScalar):
    def __new__(cls, matrix):
        need_square(matrix, "take the trace of")
        if not is_matrix(matrix):
            return matrix
        scalar, core = split_scale(matrix)
        if isinstance(core, Transpose):
            core = core.args[0]
        if isinstance(core, Zero):
            return S.Zero
        if isinstance(core, Identity):
            return scalar * core.shape[0]
        if isinstance(core, Kronecker) and all(f.shape[0] == f.shape[1] for f in core.args):
            return scalar * Mul(*(cls(f) for f in core.args))
        if isinstance(core, Product) and any(f.shape[1] == 1 for f in core.args):
            at = next(i for i, f in enumerate(core.args) if f.shape[1] == 1) + 1
            return scalar * Product(*core.args[at:], *core.args[:at])
        return scalar * cls._make(core)


class Det(MatrixScalar):
    def __new__(cls, matrix):
        need_square(matrix, "take the determinant of")
        if not is_matrix(matrix):
            return matrix
        if isinstance(matrix, Transpose):
            matrix = matrix.args[0]
        if isinstance(matrix, Identity):
            return S.One
        if isinstance(matrix, Scale):
            return matrix.args[0] ** matrix.shape[0] * cls(matrix.args[1])
        if isinstance(matrix, Power) and matrix.args[1].is_integer:
            return cls(matrix.args[0]) ** matrix.args[1]
        if isinstance(matrix, Inverse):
            return 1 / cls(matrix.args[0])
        if isinstance(matrix, Kronecker) and all(f.shape[0] == f.shape[1] for f in matrix.args):
            return Mul(*(cls(f) ** (matrix.shape[0] / f.shape[0]) for f in matrix.args))
        return cls._make(matrix)


class LogDet(MatrixScalar):
    """log det A, where det A > 0."""

    def __new__(cls, matrix):
        need_square(matrix, "take the determinant of")
        if isinstance(matrix, Transpose):
            matrix = matrix.args[0]
        if isinstance(matrix, Identity):
            return S.Zero
        return cls._make(matrix)


class Norm(MatrixScalar):
    """The Euclidean norm of a vector, the Frobenius norm of a matrix."""

    is_nonnegative = True

    def __new__(cls, matrix):
        if not is_matrix(matrix):
            return Abs(matrix)
        scalar, core = split_scale(matrix)
        if isinstance(core, (Transpose, Vec)):
            core = core.args[0]
        if isinstance(core, Zero):
            return S.Zero
        if isinstance(core, Kronecker):
            return Abs(scalar) * Mul(*(cls(f) for f in core.args))
        return Abs(scalar) * cls._make(core)


class LogSumExp(MatrixScalar):
    """log of the sum of exp of all entries."""

    def __new__(cls, matrix):
        return cls._make(matrix)


class ScalarDifferential(Plain, Expr):
    """d(f) of a scalar, not yet worked out; of the variable itself, the symbol dx."""

    is_commutative = True
    is_real = True

    def __new__(cls, scalar):
        return Expr.__new__(cls, sympify(scalar))


UNWORKED = (MatrixDifferential, ScalarDifferential)  # the differentials not yet worked out


class Loss(Plain, Expr):
    """An unspecified smooth scalar function of a matrix or of a scalar, known by its name."""

    is_commutative = True
    is_real = True

    def __new__(cls, name, argument):
        return Expr.__new__(cls, name if isinstance(name, Str) else Str(name), argument)


def differential_of(expression):
    """The unevaluated differential of any expression."""
    return MatrixDifferential(expression) if is_matrix(expression) else ScalarDifferential(expression)


def mean(matrix):
    """The mean of all entries."""
    rows, columns = shape_of(matrix)
    return EntrySum(matrix) / (rows * columns)


def pairing(gradient, matrix):
    """tr(G' M), the inner product of matrices of one shape, as a reader would write it."""
    return Product(Transpose(gradient), matrix) if matrix.shape[1] == 1 else Trace(Product(Transpose(gradient), matrix))
