"""The matrix half of the expression tree: small nodes on `sympy.Basic`, each with a `shape`.

Scalars are plain SymPy; `Inner`, the 1x1 product, is a SymPy `Expr` too, so a row times a column is
a scalar the moment it is built. Constructors normalise what is always right and never worth a line
in a derivation (nested sums, transposes of products, scalar factors, identities); everything that a
reader would want to see named is a row of a table in `rules.py`.

Sums and Hadamard products keep the order in which a person wrote their terms, but compare equal in
any order.
"""

import itertools
from functools import lru_cache

from sympy import Add, Basic, Expr, Integer, Mul, Pow, S, Symbol, sympify
from sympy.core.symbol import Str

from derivations.errors import ShapeError


class Plain:
    """How a node shows itself to SymPy's printers, which know other classes by the same names."""

    __slots__ = ()

    def _sympystr(self, printer):
        return f"{type(self).__name__}({', '.join(printer._print(a) for a in self.args)})"


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


SYMMETRIC = frozenset({"symmetric", "positive_definite", "diagonal"})
# What may be declared of a variable: of a square matrix, of a vector or of rows, of all entries.
PROPERTIES = SYMMETRIC | {
    *("invertible", "posdet"),
    *("prob", "onehot", "onehot_rows", "centred", "independent"),
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
    return Variable(variable.name, *variable.shape, *variable.properties, "independent")


class Identity(MatrixNode):
    __slots__ = ()

    def __new__(cls, size):
        size = sympify(size)
        return cls._make((size, size), size)


class Zero(MatrixNode):
    __slots__ = ()

    def __new__(cls, rows, columns):
        rows, columns = sympify(rows), sympify(columns)
        return cls._make((rows, columns), rows, columns) if (rows, columns) != (1, 1) else S.Zero


class Ones(MatrixNode):
    """All entries one."""

    __slots__ = ()

    def __new__(cls, rows, columns=1):
        rows, columns = sympify(rows), sympify(columns)
        return cls._make((rows, columns), rows, columns) if (rows, columns) != (1, 1) else S.One


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


class Sum(MatrixNode):
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
                raise ShapeError(f"cannot add {_named(terms[0])} and {_named(term)}")
            for scalar, core in _flat_terms(term):
                coefficients[core] = coefficients.get(core, S.Zero) + scalar
        collected = [Scale(c, core) for core, c in coefficients.items() if c != 0]
        if not collected:
            return Zero(*shape)
        return cls._make(shape, *collected) if len(collected) > 1 else collected[0]

    def _hashable_content(self):
        return (frozenset(self.args),)


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


def _named(expression):
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
        chain = _join_powers(chain)
        inner, chain = _split_scalars(chain)
        scalar *= inner
        if not chain:
            return scalar
        if (rows, columns) == (1, 1):
            return scalar * (Inner(*chain) if len(chain) > 1 else chain[0])
        return Scale(scalar, chain[0] if len(chain) == 1 else cls._make((rows, columns), *chain))


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
                    f"cannot multiply {_named(left)} by {_named(right)}: "
                    f"{left.shape[1]} columns meet {right.shape[0]} rows"
                )
                if left.shape[0] == right.shape[0]:
                    message += f". Did you mean {left}'*{right}?"
                elif left.shape[1] == right.shape[1]:
                    message += f". Did you mean {left}*{right}'?"
                raise ShapeError(message)
            if isinstance(f, Ones) and chain and isinstance(chain[-1], Ones):
                scalar *= f.shape[0]
                f = Ones(chain.pop().shape[0], f.shape[1])
            if is_matrix(f):
                chain.append(f)
    return scalar, chain or [S.One]


def _join_powers(chain):
    joined = []
    for factor in chain:
        if isinstance(factor, Identity):
            continue
        if joined:
            base, exponent = split_power(joined[-1])
            other, more = split_power(factor)
            if base == other and base.shape[0] == base.shape[1]:
                factor = Power(base, exponent + more)
                joined.pop()
                if isinstance(factor, Identity):
                    continue
        joined.append(factor)
    return joined or [Identity(chain[0].shape[0])]


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
        if isinstance(core, Product) and isinstance(core.args[-1], Ones) and core.shape[1] == 1:
            return scalar * cls(Product(*core.args[:-1]))
        return scalar * Expr.__new__(cls, core)


class Transpose(MatrixNode):
    """A transpose, pushed to where it costs least; it stays on variables, inverses, powers and sums."""

    __slots__ = ()

    def __new__(cls, matrix):
        if not is_matrix(matrix):
            return matrix
        pushed = _transposed(matrix)
        if pushed is not None:
            return pushed
        return cls._make(matrix.shape[::-1], matrix)


def _transposed(matrix):
    """The transpose without a Transpose at the root, or None."""
    if isinstance(matrix, Transpose):
        return matrix.args[0]
    if isinstance(matrix, Variable):
        return matrix if is_declared(matrix, SYMMETRIC) else None
    if isinstance(matrix, (Identity, Diag)):
        return matrix
    if isinstance(matrix, (Ones, Zero)):
        return type(matrix)(*reversed(matrix.args))
    if isinstance(matrix, Scale):
        return Scale(matrix.args[0], Transpose(matrix.args[1]))
    if isinstance(matrix, Product):
        return Product(*(Transpose(f) for f in reversed(matrix.args)))
    if isinstance(matrix, (Sum, Hadamard)):
        pushed = type(matrix)(*(Transpose(a) for a in matrix.args))
        return pushed if pushed == matrix or _transposes(pushed) < _transposes(matrix) else None
    if isinstance(matrix, (Power, Inverse, Apply)):
        child = matrix.args[0] if not isinstance(matrix, Apply) else matrix.args[1]
        symmetric = Transpose(child) == child and (not isinstance(matrix, Apply) or len(matrix.args) == 2)
        return matrix if symmetric else None
    return None


def _transposes(expression):
    """How many transposed factors a reader would see."""
    own = 1 if isinstance(expression, Transpose) else 0
    return own + sum(_transposes(a) for a in expression.args if is_matrix(a))


class Inverse(MatrixNode):
    __slots__ = ()

    def __new__(cls, matrix):
        _need_square(matrix, "invert")
        if isinstance(matrix, (Inverse, Identity)):
            return matrix.args[0] if isinstance(matrix, Inverse) else matrix
        if isinstance(matrix, Scale):
            return Scale(1 / matrix.args[0], Inverse(matrix.args[1]))
        if isinstance(matrix, Transpose):
            return Transpose(Inverse(matrix.args[0]))
        return cls._make(matrix.shape, matrix)


class Power(MatrixNode):
    """A matrix to a scalar power; negative integer powers are powers of the inverse."""

    __slots__ = ()

    def __new__(cls, matrix, exponent):
        _need_square(matrix, "raise to a power")
        exponent = sympify(exponent)
        if isinstance(matrix, Identity) or exponent == 0:
            return Identity(matrix.shape[0])
        if exponent == 1:
            return matrix
        if isinstance(matrix, Scale):
            return Scale(matrix.args[0] ** exponent, Power(matrix.args[1], exponent))
        if isinstance(matrix, Transpose):
            return Transpose(Power(matrix.args[0], exponent))
        if isinstance(matrix, Power) and exponent.is_integer:
            return Power(matrix.args[0], matrix.args[1] * exponent)
        if exponent.is_Integer and exponent < 0:
            return Power(Inverse(matrix), -exponent)
        return cls._make(matrix.shape, matrix, exponent)


def _need_square(matrix, verb):
    if shape_of(matrix)[0] != shape_of(matrix)[1]:
        raise ShapeError(f"cannot {verb} {_named(matrix)}: it is not square")


# --------------------------------------------------------------------------------- elementwise

# The places of the arguments in an elementwise function; no variable can have these names.
SLOTS = (Symbol("·u", real=True), Symbol("·v", real=True))


class Apply(MatrixNode):
    """A scalar function applied to every entry: `Apply(tanh(SLOTS[0]), X)`.

    One node for every function: its derivative, LaTeX and code come from the SymPy expression.
    Compound functions are taken apart, so that each node holds a single elementary one.
    """

    __slots__ = ()

    def __new__(cls, function, *matrices):
        function = sympify(function)
        slots = SLOTS[: len(matrices)]
        shape = next(m.shape for m in matrices if is_matrix(m))
        used = [s for s in slots if has_slot(function, s)]
        if not used:
            return Scale(function, Ones(*shape))
        if function in slots:
            return matrices[slots.index(function)]
        if isinstance(function, Add):
            return Sum(*(cls(term, *matrices) for term in function.args))
        if isinstance(function, Mul):
            inside = [f for f in function.args if any(has_slot(f, s) for s in used)]
            outside = Mul(*(f for f in function.args if f not in inside))
            return Scale(outside, Hadamard(*(cls(f, *matrices) for f in inside)))
        inner = [a for a in function.args if any(has_slot(a, s) for s in used)]
        fixed = [a for a in function.args if a not in inner]
        if len(inner) == 1 and any(a.has(*SLOTS) for a in fixed):
            # A parameter with an elementwise function inside would mistake its slots for ours.
            (parameter,) = fixed
            placed = function.func(*(SLOTS[0] if a in inner else SLOTS[1] for a in function.args))
            return cls(placed, cls(inner[0], *matrices), Scale(parameter, Ones(*shape)))
        if len(inner) == 1 and inner[0] != SLOTS[0]:
            return cls(function.func(*(SLOTS[0] if a in inner else a for a in function.args)), cls(inner[0], *matrices))
        if len(used) < len(matrices):
            matrices = [m for s, m in zip(slots, matrices) if s in used]
            function = function.xreplace(dict(zip(used, SLOTS)))
        first = matrices[0]
        if len(matrices) == 1:
            if isinstance(first, Transpose):
                return Transpose(cls(function, first.args[0]))
            if isinstance(function, Pow) and function.base == SLOTS[0]:
                return _elementwise_power(first, function.exp)
            if isinstance(split_scale(first)[1], Ones):
                return Scale(function.xreplace({SLOTS[0]: split_scale(first)[0]}), split_scale(first)[1])
        return cls._make(shape, function, *matrices)


def has_slot(function, slot):
    """Whether the slot is an argument of the function itself, not of one inside a matrix scalar."""
    if any(is_matrix(a) for a in function.args):
        return False
    return function == slot or any(has_slot(a, slot) for a in function.args)


def split_elementwise_power(factor):
    """A factor of a Hadamard product as (base, exponent)."""
    if isinstance(factor, Apply) and len(factor.args) == 2 and isinstance(factor.args[0], Pow):
        function, base = factor.args
        # An elementary power of one slot is u^p or, with a scalar base, c^u.
        return (base, function.exp) if function.base == SLOTS[0] else (factor, S.One)
    if isinstance(factor, Transpose):
        base, exponent = split_elementwise_power(factor.args[0])
        return Transpose(base), exponent
    return factor, S.One


def _elementwise_power(base, exponent):
    """Every entry to a scalar power, multiples and powers of powers worked out where that is right."""
    if exponent == 1:
        return base
    scalar, core = split_scale(base)
    if scalar != 1 and not (exponent.is_integer or scalar.is_positive):
        scalar, core = S.One, base
    return Scale(scalar**exponent, _power_of_core(core, exponent))


def _power_of_core(core, exponent):
    inner, power = split_elementwise_power(core)
    if power != 1 and (exponent.is_integer or (power.is_integer and power.is_odd)):
        return _elementwise_power(inner, power * exponent)
    if isinstance(core, Ones) or (isinstance(core, Zero) and exponent.is_positive):
        return core
    if isinstance(core, Hadamard) and exponent.is_integer:
        return Hadamard(*(_elementwise_power(f, exponent) for f in core.args))
    if isinstance(core, Transpose):
        return Transpose(_elementwise_power(core.args[0], exponent))
    return Apply._make(core.shape, SLOTS[0] ** exponent, core)


class Hadamard(MatrixNode):
    """The elementwise product of matrices of one shape; powers of one base join."""

    __slots__ = ()

    def __new__(cls, *factors):
        scalar, powers, shape = S.One, {}, None
        for factor in factors:
            coefficient, core = split_scale(factor) if is_matrix(factor) else (factor, None)
            scalar *= coefficient
            for f in core.args if isinstance(core, Hadamard) else (core,) if core is not None else ():
                shape = shape or f.shape
                if f.shape != shape:
                    first = next(g for g in factors if is_matrix(g))
                    raise ShapeError(f"cannot multiply {_named(first)} elementwise by {_named(f)}")
                if isinstance(f, Zero):
                    return Zero(*shape)
                base, exponent = split_elementwise_power(f)
                powers[base] = powers.get(base, S.Zero) + exponent
        if shape is None:
            return scalar
        kept = [_elementwise_power(b, e) for b, e in powers.items() if e != 0 and not isinstance(b, Ones)]
        if not kept:
            return Scale(scalar, Ones(*shape))
        return Scale(scalar, kept[0] if len(kept) == 1 else cls._make(shape, *kept))

    def _hashable_content(self):
        return (frozenset(self.args),)


class Diag(MatrixNode):
    """The diagonal matrix of a vector."""

    __slots__ = ()

    def __new__(cls, vector):
        scalar, core = split_scale(vector)
        size = core.shape[0]
        if core.shape[1] != 1:
            raise ShapeError(f"cannot make a diagonal matrix of {_named(vector)}: it is not a column")
        if isinstance(core, Ones):
            return Scale(scalar, Identity(size))
        if isinstance(core, Zero):
            return Zero(size, size)
        return Scale(scalar, cls._make((size, size), core))


class DiagonalOf(MatrixNode):
    """The diagonal of a square matrix, as a vector."""

    __slots__ = ()

    def __new__(cls, matrix):
        _need_square(matrix, "take the diagonal of")
        scalar, core = split_scale(matrix)
        if isinstance(core, Transpose):
            core = core.args[0]
        size = core.shape[0]
        if isinstance(core, Diag):
            return Scale(scalar, core.args[0])
        if isinstance(core, Identity):
            return Scale(scalar, Ones(size))
        if isinstance(core, Zero):
            return Zero(size, 1)
        return Scale(scalar, cls._make((size, Integer(1)), core))


class Softmax(MatrixNode):
    """exp(z) divided by the sum of its entries, over all entries."""

    __slots__ = ()

    def __new__(cls, matrix):
        return cls._make(matrix.shape, matrix)


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
