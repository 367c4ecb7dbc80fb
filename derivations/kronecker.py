"""The nodes of the vec form: vec and its inverse, Kronecker products and commutation matrices.

vec stacks the columns: vec(A X B) = (B' kron A) vec(X).
Source: Magnus & Neudecker (2019), Matrix Differential Calculus, 3rd ed., ch. 2 and 3.
"""

from sympy import Mul, S, sympify

from derivations.errors import ShapeError
from derivations.expressions import (
    EntrySum,
    Identity,
    Inverse,
    MatrixDifferential,
    MatrixNode,
    Ones,
    Product,
    Scale,
    Sum,
    Transpose,
    Zero,
    is_matrix,
    named,
    split_scale,
)


class Kronecker(MatrixNode):
    """The Kronecker product: the blocks a_ij B. Scalar factors move out, neighbouring identities join."""

    __slots__ = ()

    def __new__(cls, *factors):
        scalar, parts = S.One, []
        for factor in factors:
            coefficient, core = split_scale(factor) if is_matrix(factor) else (factor, None)
            scalar *= coefficient
            for f in core.args if isinstance(core, Kronecker) else (core,) if core is not None else ():
                parts = _appended(parts, f)
        if not parts:
            return scalar
        shape = Mul(*(f.shape[0] for f in parts)), Mul(*(f.shape[1] for f in parts))
        if any(isinstance(f, Zero) for f in parts):
            return Zero(*shape)
        return Scale(scalar, parts[0] if len(parts) == 1 else cls._make(shape, *parts))

    def pushed_transpose(self):
        return Kronecker(*(Transpose(f) for f in self.args))

    def pushed_inverse(self):
        if all(f.shape[0] == f.shape[1] for f in self.args):
            return Kronecker(*(Inverse(f) for f in self.args))
        return None

    def entry_sum(self):
        return Mul(*(EntrySum(f) for f in self.args))

    def times(self, right):
        """(A kron B)(C kron D) = AC kron BD, and (A kron B) vec(X) = vec(B X A')."""
        if isinstance(right, Kronecker):
            groups = list(_conforming(self.args, right.args))
            return Kronecker(*(Product(Kronecker(*a), Kronecker(*b)) for a, b in groups)) if len(groups) > 1 else None
        if isinstance(right, Vec) and not _is_freed(right):
            for left, low in _halves(self.args):
                if right.args[0].shape == (low.shape[1], left.shape[1]):
                    return Vec(Product(low, right.args[0], Transpose(left)))
        if isinstance(right, Commutation):
            for left, low in _halves(self.args):
                if S.One in (left.shape[0], low.shape[0]) and right.args == (left.shape[1], low.shape[1]):
                    return Kronecker(low, left)
        return None


def _is_freed(vector):
    """Whether it is vec(dX): then the Jacobian stands before it, to be read off."""
    return isinstance(vector.args[0], MatrixDifferential)


def _appended(parts, factor):
    """The parts of a Kronecker product with one more at the right."""
    if parts and isinstance(factor, (Identity, Ones)) and type(parts[-1]) is type(factor):
        shape = tuple(a * b for a, b in zip(parts[-1].shape, factor.shape))
        return [*parts[:-1], Ones(*shape) if isinstance(factor, Ones) else Identity(shape[0])]
    if parts and parts[-1].shape[1] == 1 and factor.shape[0] == 1:
        return [*parts[:-1], Product(parts[-1], factor)]  # a kron b' = a b'
    if parts and parts[-1].shape[0] == 1 and factor.shape[1] == 1:
        return [*parts[:-1], Product(factor, parts[-1])]  # b' kron a = a b'
    return [*parts, factor]


def _conforming(left, right):
    """Neighbouring factors of two Kronecker products in groups that can be multiplied."""
    a, b = [], []
    left, right = list(left), list(right)
    while left or right:
        columns, rows = Mul(*(f.shape[1] for f in a)), Mul(*(f.shape[0] for f in b))
        if a and b and columns == rows:
            yield a, b
            a, b = [], []
        elif right and a and (not left or columns == rows or _divides(rows, columns)):
            b.append(right.pop(0))
        elif left:
            a.append(left.pop(0))
        else:
            b.append(right.pop(0))
    if a or b:
        yield a, b


def _divides(part, whole):
    """Whether one size divides another, as far as the symbols show."""
    numerator, denominator = (whole / part).as_numer_denom()
    return denominator == 1 and numerator != 1


def _halves(factors):
    """A Kronecker product as (left, right) in every way."""
    return [(Kronecker(*factors[:i]), Kronecker(*factors[i:])) for i in range(1, len(factors))]


class Vec(MatrixNode):
    """The columns of a matrix, stacked."""

    __slots__ = ()

    def __new__(cls, matrix):
        if not is_matrix(matrix) or matrix.shape[1] == 1:
            return matrix
        if matrix.shape[0] == 1:
            return Transpose(matrix)
        scalar, core = split_scale(matrix)
        size = core.shape[0] * core.shape[1]
        if isinstance(core, (Zero, Ones)):
            return Scale(scalar, type(core)(size, 1))
        if isinstance(core, Unvec):
            return Scale(scalar, core.args[0])
        if isinstance(core, Product):
            at = next((i for i, f in enumerate(core.args[:-1], 1) if f.shape[1] == 1), None)
            if at is not None:
                # vec(a b') = b kron a
                return Scale(scalar, Kronecker(Transpose(Product(*core.args[at:])), Product(*core.args[:at])))
        return Scale(scalar, cls._make((size, S.One), core))

    def entry_sum(self):
        return EntrySum(self.args[0])


class Unvec(MatrixNode):
    """The matrix of a given shape whose vec is the vector."""

    __slots__ = ()

    def __new__(cls, vector, rows, columns):
        rows, columns = sympify(rows), sympify(columns)
        if vector.shape != (rows * columns, 1):
            raise ShapeError(f"cannot make a matrix ({rows}, {columns}) of {named(vector)}")
        if columns == 1 or rows == 1:
            return vector if columns == 1 else Transpose(vector)
        scalar, core = split_scale(vector)
        if isinstance(core, Vec) and core.args[0].shape == (rows, columns):
            return Scale(scalar, core.args[0])
        if isinstance(core, (Zero, Ones)):
            return Scale(scalar, type(core)(rows, columns))
        if isinstance(core, Kronecker):
            for left, low in _halves(core.args):
                if (low.shape[0], left.shape[0]) == (rows, columns):
                    return Scale(scalar, Product(low, Transpose(left)))
        if isinstance(core, Sum) and any(isinstance(split_scale(t)[1], (Vec, Kronecker)) for t in core.args):
            return Scale(scalar, Sum(*(cls(t, rows, columns) for t in core.args)))
        if isinstance(core, Product) and isinstance(core.args[0], Kronecker):
            for left, low in _halves(core.args[0].args):
                if (low.shape[0], left.shape[0]) == (rows, columns):
                    inside = cls(Product(*core.args[1:]), low.shape[1], left.shape[1])
                    return Scale(scalar, Product(low, inside, Transpose(left)))
        if isinstance(core, Product) and isinstance(core.args[0], Commutation) and core.args[0].args == (columns, rows):
            return Scale(scalar, Transpose(cls(Product(*core.args[1:]), columns, rows)))
        return Scale(scalar, cls._make((rows, columns), core, rows, columns))


class Commutation(MatrixNode):
    """The matrix K with K vec(A) = vec(A'), for A of the given shape."""

    __slots__ = ()

    def __new__(cls, rows, columns):
        rows, columns = sympify(rows), sympify(columns)
        if rows == 1 or columns == 1:
            return Identity(rows * columns)
        return cls._make((rows * columns, rows * columns), rows, columns)

    def pushed_transpose(self):
        return Commutation(self.args[1], self.args[0])

    def pushed_inverse(self):
        return Transpose(self)

    def times(self, right):
        """K K' = I, K vec(A) = vec(A'), and K (A kron b) = b kron A where no other K is left over."""
        rows, columns = self.args
        if isinstance(right, Commutation) and right.args == (columns, rows):
            return Identity(self.shape[0])
        if isinstance(right, Vec) and right.args[0].shape == (rows, columns) and not _is_freed(right):
            return Vec(Transpose(right.args[0]))
        if isinstance(right, Kronecker):
            for left, low in _halves(right.args):
                if (low.shape[0], left.shape[0]) == (rows, columns) and S.One in (left.shape[1], low.shape[1]):
                    return Kronecker(low, left)
        return None
