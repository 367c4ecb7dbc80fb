"""The matrix half of the expression tree: small nodes on `sympy.Basic`, each with a `shape`.

Scalars are plain SymPy; `Inner`, the 1x1 product, is a SymPy `Expr` too, so a row times a column is
a scalar the moment it is built. Constructors normalise what is always right and never worth a line
in a derivation (nested sums, transposes of products, scalar factors, identities); everything that a
reader would want to see named is a row of a table in `rules.py`.

Sums and Hadamard products keep the order in which a person wrote their terms, but compare equal in
any order.
"""

import itertools
from functools import cmp_to_key, lru_cache

from sympy import Add, Basic, Expr, Mul, S, Symbol, sympify
from sympy.core.symbol import Str
from sympy.logic.boolalg import Boolean

from derivations.errors import ShapeError


class Plain:
    """How a node shows itself to SymPy's printers, which know other classes by the same names."""

    __slots__ = ()

    def _sympystr(self, printer):
        return f"{type(self).__name__}({', '.join(printer._print(a) for a in self.args)})"


class Commutative:
    """How a node compares itself to others where the order of its arguments does not matter."""

    __slots__ = ()

    def _hashable_content(self):
        return (frozenset(self.args),)

    def compare(self, other):
        """The order in which SymPy sorts a sum. Its own would read the set by its hashes, new in each process."""
        if type(other) is not type(self):
            return super().compare(other)
        pairs = zip(_in_order(self.args), _in_order(other.args), strict=False)
        differences = (c for a, b in pairs if (c := a.compare(b)))
        return next(differences, len(self.args) - len(other.args))


def _in_order(nodes):
    return sorted(nodes, key=cmp_to_key(lambda a, b: a.compare(b)))


class MatrixNode(Plain, Basic):
    """A matrix-valued expression; vectors are columns. `shape` holds two SymPy sizes."""

    __slots__ = ("shape",)

    @classmethod
    def _make(cls, shape, *args):
        node = Basic.__new__(cls, *args)
        node.shape = shape
        return node

    def __getnewargs__(self):
        return self.args

    def __reduce_ex__(self, protocol):
        return type(self), self.args

    def pushed_transpose(self):
        """The transpose without a Transpose at its root, or None if there is no such form."""
        return None

    def pushed_inverse(self):
        """The inverse without an Inverse at its root, or None if there is no such form."""
        return None

    def entry_sum(self):
        """The sum of all entries where it is one of parts, or None."""
        return None

    def times(self, right):
        """The product with a factor at the right where it is one node again, or None."""
        return None

    @property
    def T(self):
        return Transpose(self)

    def __add__(self, other):
        return Sum(self, other) if other != 0 else self

    __radd__ = __add__

    def __sub__(self, other):
        return self + (-other)

    def __neg__(self):
        return Scale(S.NegativeOne, self)

    def __mul__(self, other):
        return multiply(self, other)

    def __rmul__(self, other):
        return multiply(other, self)

    def __truediv__(self, scalar):
        return Scale(1 / sympify(scalar), self)


def is_matrix(expression):
    return isinstance(expression, MatrixNode)


def shape_of(expression):
    """(rows, columns) of any expression; a scalar is (1, 1)."""
    return expression.shape if is_matrix(expression) else (S.One, S.One)


def is_proposition(expression):
    """Whether an expression is true or false; SymPy's symbols, which might be, are numbers here."""
    return isinstance(expression, Boolean) and not isinstance(expression, Symbol)


def is_vector(expression):
    """A column that is not a scalar."""
    return is_matrix(expression) and expression.shape[1] == 1


def multiply(left, right):
    """left * right, where either may be a scalar, as in the text notation."""
    left, right = sympify(left), sympify(right)
    if not is_matrix(left) or not is_matrix(right):
        return (
            Mul(left, right)
            if not is_matrix(left) and not is_matrix(right)
            else (Scale(left, right) if is_matrix(right) else Scale(right, left))
        )
    return Product(left, right)


def add(*terms):
    """The sum of scalars or of matrices of one shape."""
    return Sum(*terms) if any(is_matrix(t) for t in terms) else Add(*terms)


@lru_cache(maxsize=2**16)
def depends(expression, variable):
    """Whether the variable occurs in the expression."""
    return expression == variable or any(depends(a, variable) for a in expression.args)


# --------------------------------------------------------------------------------------- leaves


class Variable(MatrixNode):
    """A named matrix (or column) with declared properties such as "symmetric"."""

    __slots__ = ()

    def __new__(cls, name, rows, columns, *properties):
        args = [p if isinstance(p, Str) else Str(p) for p in (name, *sorted(map(str, properties)))]
        rows, columns = sympify(rows), sympify(columns)
        return cls._make((rows, columns), args[0], rows, columns, *args[1:])

    def _sympystr(self, printer):
        return self.name

    @property
    def name(self):
        return str(self.args[0])

    @property
    def properties(self):
        return frozenset(str(p) for p in self.args[3:])

    def pushed_transpose(self):
        return self if is_declared(self, SYMMETRIC) else None

    def pushed_inverse(self):
        return Transpose(self) if is_declared(self, {"orthogonal"}) else None

    def times(self, right):
        # Q Q' = Q'Q = I
        if is_declared(self, {"orthogonal"}) and right == Transpose(self):
            return Identity(self.shape[0])
        return None


SYMMETRIC = frozenset({"symmetric", "positive_definite", "diagonal"})
SQUARE = SYMMETRIC | {"invertible", "posdet", "orthogonal"}
# What may be declared of a variable: of a square matrix, of a vector or of rows, of all entries.
PROPERTIES = SQUARE | {
    *("prob", "onehot", "onehot_rows", "centred"),
    *("integer", "unit_interval", "positive", "binary", "pm1", "small"),
}


def is_declared(variable, properties):
    """Whether a variable has one of the properties, and may be taken to keep it.

    The entries of a variable of differentiation are independent: it does not stay symmetric when one
    entry moves, so its algebra must not use what its value has.
    """
    return bool(variable.properties & properties) and "independent" not in variable.properties


def settled(variable):
    """The variable with its properties in force again; anything else as it is."""
    if isinstance(variable, Variable) and "independent" in variable.properties:
        return Variable(variable.name, *variable.shape, *(variable.properties - {"independent"}))
    return variable


def freed(variable):
    """The variable as a variable of differentiation: with independent entries."""
    return Variable(variable.name, *variable.shape, *{*variable.properties, "independent"})


class Identity(MatrixNode):
    __slots__ = ()

    def __new__(cls, size):
        size = sympify(size)
        return cls._make((size, size), size) if size != 1 else S.One

    def pushed_transpose(self):
        return self

    def pushed_inverse(self):
        return self


class Zero(MatrixNode):
    __slots__ = ()

    def __new__(cls, rows, columns):
        rows, columns = sympify(rows), sympify(columns)
        return cls._make((rows, columns), rows, columns) if (rows, columns) != (1, 1) else S.Zero

    def pushed_transpose(self):
        return Zero(*reversed(self.args))


class Ones(MatrixNode):
    """All entries one."""

    __slots__ = ()

    def __new__(cls, rows, columns=1):
        rows, columns = sympify(rows), sympify(columns)
        return cls._make((rows, columns), rows, columns) if (rows, columns) != (1, 1) else S.One

    def pushed_transpose(self):
        return Ones(*reversed(self.args))

    def times(self, right):
        # 1 1'1 1' = n 1 1'
        return Scale(right.shape[0], Ones(self.shape[0], right.shape[1])) if isinstance(right, Ones) else None


# ------------------------------------------------------------------------------- linear algebra


def split_scale(term):
    """A matrix as (scalar coefficient, core)."""
    return term.args if isinstance(term, Scale) else (S.One, term)


class Scale(MatrixNode):
    """A scalar times a matrix."""

    __slots__ = ()

    def __new__(cls, scalar, matrix):
        scalar = sympify(scalar)
        if not is_matrix(matrix):
            return scalar * matrix
        inner, matrix = split_scale(matrix)
        scalar = scalar * inner
        if scalar == 0 or isinstance(matrix, Zero):
            return Zero(*matrix.shape)
        if scalar == 1:
            return matrix
        return cls._make(matrix.shape, scalar, matrix)

    def pushed_transpose(self):
        return Scale(self.args[0], Transpose(self.args[1]))

    def pushed_inverse(self):
        return Scale(1 / self.args[0], Inverse(self.args[1]))


class Sum(Commutative, MatrixNode):
    """A sum of matrices of one shape; like terms are collected."""

    __slots__ = ()

    def __new__(cls, *terms):
        terms = [t for t in terms if t != 0]
        if not terms:
            return S.Zero
        shape = shape_of(terms[0])
        coefficients = {}
        for term in terms:
            if shape_of(term) != shape:
                raise ShapeError(f"cannot add {named(terms[0])} and {named(term)}")
            for scalar, core in _flat_terms(term):
                coefficients[core] = coefficients.get(core, S.Zero) + scalar
        collected = [Scale(c, core) for core, c in coefficients.items() if c != 0]
        if not collected:
            return Zero(*shape)
        return cls._make(shape, *collected) if len(collected) > 1 else collected[0]

    def pushed_transpose(self):
        return transpose_terms(self)


def _flat_terms(term):
    scalar, core = split_scale(term)
    if isinstance(core, Zero):
        return
    if isinstance(core, Sum) and scalar in (1, -1):
        for t in core.args:
            c, inner = split_scale(t)
            yield scalar * c, inner
    else:
        yield scalar, core


def named(expression):
    rows, columns = shape_of(expression)
    return f"{expression} ({rows}, {columns})"


def split_power(factor):
    """A factor of a matrix product as (base, exponent)."""
    if isinstance(factor, Transpose) and isinstance(factor.args[0], (Power, Inverse)):
        base, exponent = split_power(factor.args[0])
        return Transpose(base), exponent
    if isinstance(factor, Inverse):
        return factor.args[0], S.NegativeOne
    if isinstance(factor, Power):
        base, exponent = split_power(factor.args[0])
        return base, exponent * factor.args[1]
    return factor, S.One


class Product(MatrixNode):
    """A matrix product; scalar factors move out, neighbouring powers of one base join."""

    __slots__ = ()

    def __new__(cls, *factors):
        scalar, chain = _flatten_product(factors)
        if not is_matrix(chain[0]):
            return scalar
        rows, columns = chain[0].shape[0], chain[-1].shape[1]
        if any(isinstance(f, Zero) for f in chain):
            return Zero(rows, columns)
        joined = _join_neighbours(chain)
        if any(not is_matrix(f) or isinstance(f, (Scale, Product, Zero)) for f in joined):
            return Product(scalar, *joined)
        chain = joined
        inner, chain = _split_scalars(chain)
        scalar *= inner
        if not chain:
            return scalar
        if (rows, columns) == (1, 1):
            return scalar * (Inner(*chain) if len(chain) > 1 else chain[0])
        return Scale(scalar, chain[0] if len(chain) == 1 else cls._make((rows, columns), *chain))

    def pushed_transpose(self):
        return Product(*(Transpose(f) for f in reversed(self.args)))


def _flatten_product(factors):
    scalar, chain = S.One, []
    for factor in factors:
        if not is_matrix(factor):
            scalar *= factor
            continue
        coefficient, core = split_scale(factor)
        scalar *= coefficient
        for f in core.args if isinstance(core, Product) else (core,):
            if chain and chain[-1].shape[1] != f.shape[0]:
                left, right = chain[-1], f
                message = (
                    f"cannot multiply {named(left)} by {named(right)}: "
                    f"{left.shape[1]} columns meet {right.shape[0]} rows"
                )
                if left.shape[0] == right.shape[0]:
                    message += f". Did you mean {left}'*{right}?"
                elif left.shape[1] == right.shape[1]:
                    message += f". Did you mean {left}*{right}'?"
                raise ShapeError(message)
            chain.append(f)
    return scalar, chain or [S.One]


def _join_neighbours(chain):
    """The factors with neighbours joined, as powers of one base are; identities are left out."""
    joined = []
    for factor in chain:
        if isinstance(factor, Identity):
            continue
        while joined and (whole := _join(joined[-1], factor)) is not None:
            factor = whole
            joined.pop()
        if not isinstance(factor, Identity):
            joined.append(factor)
            _cancel_inverse(joined)
    return joined or [Identity(chain[0].shape[0])]


def _cancel_inverse(chain):
    """(A B)^-1 A B = I and A B (A B)^-1 = I at the end of a chain of factors, in place."""
    base, exponent = split_power(chain[-1])
    if isinstance(base, Product) and exponent.is_negative:
        start = len(chain) - 1 - len(base.args)
        if start >= 0 and tuple(chain[start:-1]) == base.args:
            chain[start:] = _factors(Power(base, exponent + 1))
            return
    for i in range(len(chain) - 2, -1, -1):
        base, exponent = split_power(chain[i])
        if isinstance(base, Product) and exponent.is_negative and tuple(chain[i + 1 :]) == base.args:
            chain[i:] = _factors(Power(base, exponent + 1))
            return


def _factors(power):
    return [] if isinstance(power, Identity) else [power]


def _join(left, right):
    """Two neighbouring factors as one, where there is such a form."""
    if not is_matrix(left) or not is_matrix(right):
        return None
    whole = left.times(right)
    if whole is not None:
        return whole
    base, exponent = split_power(left)
    other, more = split_power(right)
    return Power(base, exponent + more) if base == other and base.shape[0] == base.shape[1] else None


def _split_scalars(chain):
    """Take the scalar segments (row ... column) out of a chain of matrices."""
    borders = [0] + [i + 1 for i in range(len(chain) - 1) if chain[i].shape[1] == 1] + [len(chain)]
    if len(borders) == 2:
        return S.One, chain
    scalar, rest = S.One, []
    for start, stop in itertools.pairwise(borders):
        segment = chain[start:stop]
        if (segment[0].shape[0], segment[-1].shape[1]) == (1, 1):
            scalar *= Product(*segment)
        else:
            rest += segment
    return scalar, rest


class Inner(Plain, Expr):
    """A product of matrices that is 1x1, such as x'*A*y: a real scalar."""

    is_commutative = True
    is_real = True

    def __new__(cls, *factors):
        if any(not is_matrix(f) for f in factors) or any(isinstance(f, (Scale, Product, Zero)) for f in factors):
            return Product(*factors)
        if isinstance(factors[0], Ones):
            return EntrySum(Product(*factors[1:]))
        if isinstance(factors[-1], Ones):
            return EntrySum(Transpose(Product(*factors[:-1])))
        if shape_of(factors[0])[0] != 1 or shape_of(factors[-1])[1] != 1 or len(factors) == 1:
            return Product(*factors)
        return Expr.__new__(cls, *factors)

    @property
    def transposed(self):
        """The same scalar, read from right to left."""
        return Product(*(Transpose(f) for f in reversed(self.args)))


class EntrySum(Plain, Expr):
    """The sum of all entries, 1'A1."""

    is_commutative = True
    is_real = True

    def __new__(cls, matrix):
        if not is_matrix(matrix):
            return matrix
        scalar, core = split_scale(matrix)
        if isinstance(core, Transpose):
            core = core.args[0]
        if isinstance(core, Zero):
            return S.Zero
        if isinstance(core, Ones):
            return scalar * core.shape[0] * core.shape[1]
        if (of_parts := core.entry_sum()) is not None:
            return scalar * of_parts
        if isinstance(core, Product) and isinstance(core.args[-1], Ones) and core.shape[1] == 1:
            return scalar * cls(Product(*core.args[:-1]))
        return scalar * Expr.__new__(cls, core)


class Transpose(MatrixNode):
    """A transpose, pushed to where it costs least; it stays on variables, inverses, powers and sums."""

    __slots__ = ()

    def __new__(cls, matrix):
        if not is_matrix(matrix):
            return matrix
        pushed = matrix.pushed_transpose()
        return cls._make(matrix.shape[::-1], matrix) if pushed is None else pushed

    def pushed_transpose(self):
        return self.args[0]

    def pushed_inverse(self):
        return Transpose(Inverse(self.args[0]))

    def times(self, right):
        inside = self.args[0]
        if isinstance(inside, Variable) and right == inside and is_declared(inside, {"orthogonal"}):
            return Identity(self.shape[0])
        return None


def transpose_terms(node):
    """A sum, or a Hadamard product, of transposes, where that is the same or does not show more of them.

    Rows are an exception: (u - v)' is better than 1' - v'.
    """
    pushed = node.func(*(Transpose(a) for a in node.args))
    own = 0 if is_vector(node) else 1
    return pushed if pushed == node or _transposes(pushed) <= own + _transposes(node) else None


def _transposes(expression):
    """How many transposed factors a reader would see; a transposed sum counts twice."""
    own = (2 if isinstance(expression.args[0], Sum) else 1) if isinstance(expression, Transpose) else 0
    return own + sum(_transposes(a) for a in expression.args if is_matrix(a))


class Inverse(MatrixNode):
    __slots__ = ()

    def __new__(cls, matrix):
        need_square(matrix, "invert")
        pushed = matrix.pushed_inverse()
        return cls._make(matrix.shape, matrix) if pushed is None else pushed

    def pushed_transpose(self):
        return self if Transpose(self.args[0]) == self.args[0] else None

    def pushed_inverse(self):
        return self.args[0]


class Power(MatrixNode):
    """A matrix to a scalar power; negative integer powers are powers of the inverse."""

    __slots__ = ()

    def __new__(cls, matrix, exponent):
        need_square(matrix, "raise to a power")
        exponent = sympify(exponent)
        if isinstance(matrix, Identity) or exponent == 0:
            return Identity(matrix.shape[0])
        if exponent == 1:
            return matrix
        if isinstance(matrix, Scale):
            return Scale(matrix.args[0] ** exponent, Power(matrix.args[1], exponent))
        if isinstance(matrix, Transpose):
            return Transpose(Power(matrix.args[0], exponent))
        if exponent.is_Integer and exponent > 1 and (square := matrix.times(matrix)) is not None:
            return Product(square, Power(matrix, exponent - 2))
        if isinstance(matrix, Power) and exponent.is_integer:
            return Power(matrix.args[0], matrix.args[1] * exponent)
        if exponent.is_Integer and exponent < 0:
            return Power(Inverse(matrix), -exponent)
        return cls._make(matrix.shape, matrix, exponent)

    def pushed_transpose(self):
        return self if Transpose(self.args[0]) == self.args[0] else None


def need_square(matrix, verb):
    if shape_of(matrix)[0] != shape_of(matrix)[1]:
        raise ShapeError(f"cannot {verb} {named(matrix)}: it is not square")


class MatrixDifferential(MatrixNode):
    """d(A), not yet worked out; of the variable itself, the symbol dX."""

    __slots__ = ()

    def __new__(cls, matrix):
        return cls._make(matrix.shape, matrix)


class LossGradient(MatrixNode):
    """The gradient of a smooth function L of a matrix, with respect to that matrix."""

    __slots__ = ()

    def __new__(cls, name, matrix):
        return cls._make(matrix.shape, name if isinstance(name, Str) else Str(name), matrix)
