"""The nodes that rest on a spectrum: functions of matrices, eigenvalues, and generalised inverses."""

from sympy import Add, Mul, Pow, S, Symbol, cos, exp, log, sin, sqrt, sympify

from derivations.elementwise import SLOTS
from derivations.expressions import (
    Identity,
    Inverse,
    MatrixNode,
    Power,
    Product,
    Scale,
    Sum,
    Transpose,
    Variable,
    Zero,
    is_declared,
    is_matrix,
    need_square,
    split_power,
    split_scale,
)
from derivations.scalars import MatrixScalar, Norm

# The functions of matrices by their names in the text notation.
MATRIX_FUNCTIONS = {
    "expm": exp(SLOTS[0]),
    "logm": log(SLOTS[0]),
    "sqrtm": sqrt(SLOTS[0]),
    "sinm": sin(SLOTS[0]),
    "cosm": cos(SLOTS[0]),
}
FUNCTION_NAMES = {function: name for name, function in MATRIX_FUNCTIONS.items()}


class MatrixFunction(MatrixNode):
    """A scalar function of a square matrix, by its spectrum: `MatrixFunction(exp(SLOTS[0]), X)`.

    Source: Higham (2008), Functions of Matrices, ch. 1.
    """

    __slots__ = ()

    def __new__(cls, function, matrix):
        if not is_matrix(matrix):
            return function.xreplace({SLOTS[0]: sympify(matrix)})
        need_square(matrix, f"take {FUNCTION_NAMES.get(function, function)} of")
        scalar, core = split_scale(matrix)
        at_zero = function.xreplace({SLOTS[0]: S.Zero})
        if isinstance(core, Identity):
            return Scale(function.xreplace({SLOTS[0]: scalar}), core)
        if isinstance(core, Zero) and at_zero.is_finite:
            return Scale(at_zero, Identity(core.shape[0]))
        return cls._make(matrix.shape, function, matrix)

    def pushed_transpose(self):
        return self if Transpose(self.args[1]) == self.args[1] else None


class Frechet(MatrixNode):
    """The Frechet derivative of a function of a matrix, at the matrix, in a direction.

    Source: Higham (2008), Functions of Matrices, ch. 3.
    """

    __slots__ = ()

    def __new__(cls, function, matrix, direction):
        scalar, core = split_scale(direction)
        if isinstance(core, Zero) or not function.has(SLOTS[0]):
            return Zero(*matrix.shape)
        if function == SLOTS[0]:
            return direction
        return Scale(scalar, cls._make(matrix.shape, function, matrix, core))

    def pushed_transpose(self):
        function, matrix, direction = self.args
        return Frechet(function, Transpose(matrix), Transpose(direction))


class Adjugate(MatrixNode):
    """The transpose of the matrix of cofactors; det(A) A^-1 where A is invertible."""

    __slots__ = ()

    def __new__(cls, matrix):
        if not is_matrix(matrix):
            return S.One
        need_square(matrix, "take the adjugate of")
        scalar, core = split_scale(matrix)
        if isinstance(core, Identity):
            return Scale(scalar ** (core.shape[0] - 1), core)
        inside = core.args[0] if isinstance(core, Transpose) else core
        adjugate = cls._make(core.shape, inside)
        return Scale(scalar ** (core.shape[0] - 1), adjugate if inside is core else Transpose(adjugate))

    def pushed_transpose(self):
        return self if Transpose(self.args[0]) == self.args[0] else None


class PseudoInverse(MatrixNode):
    """The Moore-Penrose inverse; that of a vector is x'/(x'x)."""

    __slots__ = ()

    def __new__(cls, matrix):
        if not is_matrix(matrix):
            return 1 / sympify(matrix)
        if 1 in matrix.shape and not isinstance(matrix, Zero):
            return Scale(1 / Norm(matrix) ** 2, Transpose(matrix))
        scalar, core = split_scale(matrix)
        if scalar != 1 and scalar.is_nonzero:
            return Scale(1 / scalar, cls(core))
        if isinstance(matrix, (PseudoInverse, Identity)):
            return matrix.args[0] if isinstance(matrix, PseudoInverse) else matrix
        if isinstance(matrix, Zero):
            return Transpose(matrix)
        if isinstance(matrix, Transpose):
            return Transpose(cls(matrix.args[0]))
        invertible = {"invertible", "posdet", "positive_definite", "orthogonal"}
        if isinstance(matrix, Inverse) or (isinstance(matrix, Variable) and is_declared(matrix, invertible)):
            return Inverse(matrix)
        return cls._make(matrix.shape[::-1], matrix)

    def pushed_transpose(self):
        return self if Transpose(self.args[0]) == self.args[0] else None


class LargestEigenvalue(MatrixScalar):
    """The largest eigenvalue of the symmetric part of a square matrix."""

    def __new__(cls, matrix):
        need_square(matrix, "take the largest eigenvalue of")
        if not is_matrix(matrix):
            return sympify(matrix)
        scalar, core = split_scale(matrix)
        if isinstance(core, Transpose):
            core = core.args[0]
        if isinstance(core, Identity):
            return scalar
        if scalar.is_positive:
            return scalar * cls._make(core)
        return cls._make(Scale(scalar, core))


class LargestEigenvector(MatrixNode):
    """The unit eigenvector of the largest eigenvalue of the symmetric part, up to its sign."""

    __slots__ = ()

    def __new__(cls, matrix):
        need_square(matrix, "take the eigenvector of")
        scalar, core = split_scale(matrix)
        if isinstance(core, Transpose):
            core = core.args[0]
        inside = core if scalar.is_positive else Scale(scalar, core)
        return cls._make((core.shape[0], S.One), inside)


class NuclearNorm(MatrixScalar):
    """The sum of the singular values."""

    is_nonnegative = True

    def __new__(cls, matrix):
        if not is_matrix(matrix) or 1 in matrix.shape:
            return Norm(matrix)
        scalar, core = split_scale(matrix)
        if isinstance(core, Transpose):
            core = core.args[0]
        if isinstance(core, Zero):
            return S.Zero
        return abs(scalar) * cls._make(core)


def symmetric_part(matrix):
    """(A + A')/2, or A itself where it is symmetric."""
    return matrix if Transpose(matrix) == matrix else Scale(S.Half, matrix + Transpose(matrix))


def polar_factor(matrix):
    """The orthogonal factor of the polar decomposition of a matrix of full rank: U V' of its SVD U S V'."""
    gram = Transpose(matrix) * matrix
    return Transpose(PseudoInverse(matrix)) * MatrixFunction(sqrt(SLOTS[0]), gram)


# The argument of functions of a matrix while they are composed: eigenvalues may be complex, where log exp z is not z.
EIGENVALUE = Symbol("·z")


def scalar_function(factors, matrix):
    """Commuting functions of one matrix as the product of their scalar functions of EIGENVALUE, or None."""
    whole = matrix.args if isinstance(matrix, Product) else (matrix,)
    function, at = S.One, 0
    while at < len(factors):
        if factors[at : at + len(whole)] == whole:
            function, at = function * EIGENVALUE, at + len(whole)
            continue
        part = _scalar_of(factors[at], matrix)
        if part is None:
            return None
        function, at = function * part, at + 1
    return function


def _scalar_of(factor, matrix):
    if factor == matrix:
        return EIGENVALUE
    base, exponent = split_power(factor)
    if exponent != 1:
        inner = _scalar_of(base, matrix)
        return None if inner is None else inner**exponent
    if isinstance(factor, MatrixFunction):
        inner = _scalar_of(factor.args[1], matrix)
        return None if inner is None else factor.args[0].xreplace({SLOTS[0]: inner})
    scalar, core = split_scale(factor)
    if scalar != 1 and (inner := _scalar_of(core, matrix)) is not None:
        return scalar * inner
    return None


def function_of(function, matrix):
    """The function of a matrix for a scalar function of EIGENVALUE, in named functions, or None."""
    if not function.has(EIGENVALUE):
        return Scale(function, Identity(matrix.shape[0]))
    if function == EIGENVALUE:
        return matrix
    if isinstance(function, (Add, Mul)):
        parts = [function_of(a, matrix) for a in function.args]
        if any(p is None for p in parts):
            return None
        return Sum(*parts) if isinstance(function, Add) else Product(*parts)
    if isinstance(function, Pow) and function.exp.is_Rational and function.exp != S.Half:
        if function.exp < 0:
            below = function_of(1 / function, matrix)
            return None if below is None else Inverse(below)
        if function.exp.q > 2:
            # a fourth root as the root of a root
            inner = function_of(function.base ** (2 * function.exp), matrix) if function.exp.q % 2 == 0 else None
            return None if inner is None else MatrixFunction(sqrt(SLOTS[0]), inner)
        whole, rest = divmod(function.exp, 1)
        base, root = function_of(function.base, matrix), function_of(function.base**rest, matrix)
        return None if base is None or root is None else Product(Power(base, whole), root)
    inner = function.args[0]
    named_function = function.func(SLOTS[0], *function.args[1:])
    if named_function in FUNCTION_NAMES and inner.has(EIGENVALUE):
        argument = function_of(inner, matrix)
        return None if argument is None else MatrixFunction(named_function, argument)
    return None
