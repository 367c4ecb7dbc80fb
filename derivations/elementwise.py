"""The nodes that work entry by entry, and those of diagonals."""

from sympy import Add, Integer, Mul, Pow, S, Symbol, sympify

from derivations.errors import ShapeError
from derivations.expressions import (
    Commutative,
    Identity,
    MatrixNode,
    Ones,
    Scale,
    Sum,
    Transpose,
    Zero,
    is_matrix,
    named,
    need_square,
    split_scale,
    transpose_terms,
)

# The places of the arguments in an elementwise function; no variable can have these names.
SLOTS = tuple(Symbol(name, real=True) for name in ("·u", "·v", "·w"))


class Apply(MatrixNode):
    """A scalar function applied to every entry: `Apply(tanh(SLOTS[0]), X)`.

    One node for every function: its derivative, LaTeX and code come from the SymPy expression.
    Compound functions are taken apart, so that each node holds a single elementary one.
    """

    __slots__ = ()

    def __new__(cls, function, *matrices):
        function = sympify(function)
        slots = SLOTS[: len(matrices)]
        if len(set(matrices)) < len(matrices):
            # max(A, A): one matrix has one slot.
            function = function.xreplace({s: slots[matrices.index(m)] for s, m in zip(slots, matrices)})
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
        foreign = [a for a in fixed if a.has(*SLOTS)]
        if foreign:
            # A parameter with an elementwise function inside would mistake its slots for ours.
            places = dict(zip(dict.fromkeys([*inner, *foreign]), SLOTS))
            placed = function.func(*(places.get(a, a) for a in function.args))
            spread = [Scale(a, Ones(*shape)) if a in foreign else cls(a, *matrices) for a in places]
            return cls(placed, *spread)
        if len(inner) == 1 and inner[0] != SLOTS[0]:
            return cls(function.func(*(SLOTS[0] if a in inner else a for a in function.args)), cls(inner[0], *matrices))
        if any(a not in slots for a in inner):
            # An argument that is a function itself, such as -v in clip(u, -v, v), gets a slot of its own.
            places = dict(zip(dict.fromkeys(inner), SLOTS))
            placed = function.func(*(places.get(a, a) for a in function.args))
            return cls(placed, *(cls(a, *matrices) for a in places))
        if len(used) < len(matrices):
            matrices = [m for s, m in zip(slots, matrices) if s in used]
            function = function.xreplace(dict(zip(used, SLOTS)))
        for i, entry in enumerate(map(_the_entry, matrices)):
            if entry is not None and len(matrices) > 1:
                others = [*matrices[:i], *matrices[i + 1 :]]
                rest = dict(zip([*SLOTS[:i], *SLOTS[i + 1 : len(matrices)]], SLOTS))
                return cls(function.xreplace({SLOTS[i]: entry, **rest}), *others)
        matrices = [_with_sign_inside(m) for m in matrices]
        first = matrices[0]
        if len(matrices) == 1:
            if isinstance(first, Transpose):
                return Transpose(cls(function, first.args[0]))
            if isinstance(function, Pow) and function.base == SLOTS[0] and not has_slot(function.exp, SLOTS[0]):
                return _elementwise_power(first, function.exp)
            if isinstance(split_scale(first)[1], Ones):
                return Scale(function.xreplace({SLOTS[0]: split_scale(first)[0]}), split_scale(first)[1])
        return cls._make(shape, function, *matrices)

    def pushed_transpose(self):
        return self if len(self.args) == 2 and Transpose(self.args[1]) == self.args[1] else None


def _the_entry(matrix):
    """The number that all entries of a matrix are, or None."""
    scalar, core = split_scale(matrix)
    if isinstance(core, Zero):
        return S.Zero
    return scalar if isinstance(core, Ones) and not scalar.has(*SLOTS) else None


def _with_sign_inside(matrix):
    """-(A - B) as B - A."""
    scalar, core = split_scale(matrix)
    return Sum(*(-t for t in core.args)) if scalar == -1 and isinstance(core, Sum) else matrix


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
        plain = function.base == SLOTS[0] and not has_slot(function.exp, SLOTS[0])
        return (base, function.exp) if plain else (factor, S.One)
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
    if isinstance(core, Ones) or (isinstance(core, (Zero, Identity)) and exponent.is_positive):
        return core
    if isinstance(core, Hadamard) and exponent.is_integer:
        return Hadamard(*(_elementwise_power(f, exponent) for f in core.args))
    if isinstance(core, Transpose):
        return Transpose(_elementwise_power(core.args[0], exponent))
    return Apply._make(core.shape, SLOTS[0] ** exponent, core)


class Hadamard(Commutative, MatrixNode):
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
                    raise ShapeError(f"cannot multiply {named(first)} elementwise by {named(f)}")
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

    def pushed_transpose(self):
        return transpose_terms(self)


class Diag(MatrixNode):
    """The diagonal matrix of a vector."""

    __slots__ = ()

    def __new__(cls, vector):
        if not is_matrix(vector):
            return vector
        scalar, core = split_scale(vector)
        size = core.shape[0]
        if core.shape[1] != 1:
            raise ShapeError(f"cannot make a diagonal matrix of {named(vector)}: it is not a column")
        if isinstance(core, Ones):
            return Scale(scalar, Identity(size))
        if isinstance(core, Zero):
            return Zero(size, size)
        return Scale(scalar, cls._make((size, size), core))

    def pushed_transpose(self):
        return self

    def pushed_inverse(self):
        return Diag(Apply(1 / SLOTS[0], self.args[0]))


class DiagonalOf(MatrixNode):
    """The diagonal of a square matrix, as a vector."""

    __slots__ = ()

    def __new__(cls, matrix):
        if not is_matrix(matrix):
            return matrix
        need_square(matrix, "take the diagonal of")
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


class SoftmaxRows(MatrixNode):
    """The softmax of each row of a matrix."""

    __slots__ = ()

    def __new__(cls, matrix):
        if matrix.shape[1] == 1:
            return Ones(*matrix.shape)
        return cls._make(matrix.shape, matrix)
