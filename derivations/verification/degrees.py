"""Bounds on the degree of a rational expression in the random numbers that its variables are made of."""

from functools import lru_cache
from itertools import product

import sympy
from sympy import Add, Mul, Pow

from derivations.elementwise import SLOTS, Apply, Diag, DiagonalOf, Hadamard
from derivations.errors import UnsupportedError
from derivations.expressions import (
    EntrySum,
    Identity,
    Inner,
    Inverse,
    LossGradient,
    Ones,
    Power,
    Product,
    Scale,
    Sum,
    Transpose,
    Variable,
    Zero,
    freed,
)
from derivations.kronecker import Commutation, Kronecker, Unvec, Vec
from derivations.scalars import UNWORKED, Det, Loss, Norm, Trace
from derivations.spectral import Adjugate, Frechet, PseudoInverse
from derivations.verification.sampling import EXPONENTS


def degree(expression, sizes, definitions=()):
    """A bound on degree(numerator) + degree(denominator) of every entry.

    sizes: size symbol -> int, the largest sizes that are tried.
    definitions: (symbol, expression) pairs, each of which may use those before it.
    Raises UnsupportedError for what is not a rational function.
    """
    numbers, known = tuple(sorted(sizes.items(), key=str)), ()
    for symbol, defined in definitions:
        known += ((symbol, _fraction(defined, numbers, known)),)
    return sum(_fraction(expression, numbers, known))


@lru_cache(maxsize=2**12)
def _fraction(e, sizes, known):
    """(degree of the numerator, degree of a common denominator of all entries)."""
    defined = dict(known)
    if e in defined or (isinstance(e, Variable) and freed(e) in defined):
        return defined.get(e) or defined[freed(e)]
    if isinstance(e, UNWORKED) and _is_drawn(e.args[0], defined):
        return 1, 0  # a direction has random entries, whatever the variable is
    if isinstance(e, Variable):
        return _degrees_of_properties(e, sizes)
    if e.is_Symbol:
        return (0, 0) if e in dict(sizes) else (1, 0)
    if isinstance(e, (Identity, Ones, Zero, Commutation)) or e.is_number:
        return 0, 0
    for kinds, bound in BOUNDS.items():
        if isinstance(e, kinds):
            operands = e.args[1:] if isinstance(e, (Apply, Frechet, Loss, LossGradient)) else e.args
            if isinstance(e, (Pow, Power, Unvec)):
                operands = operands[:1]
            return bound(e, sizes, *(_fraction(a, sizes, known) for a in operands))
    raise UnsupportedError(f"the degree of {type(e).__name__} is not known")


def _is_drawn(e, defined):
    return (e.is_Symbol or isinstance(e, Variable)) and e not in defined


def _size(size, sizes):
    return int(size.xreplace(dict(sizes)))


# What the entries of a variable are made of, see `sampling.STRUCTURES`: a product of two matrices of random
# numbers; or weights divided by their sum.
FACTORS = {"positive_definite": 2, "posdet": 2}


def _degrees_of_properties(variable, sizes):
    top, bottom = 1, 0
    for name, factor in FACTORS.items():
        top *= factor if name in variable.properties else 1
    if "orthogonal" in variable.properties:
        # A Cayley transform, and where it is symmetric too, one from both sides.
        top = bottom = 2 * _size(variable.shape[0], sizes)
    if "prob" in variable.properties:
        top = bottom = max(top, bottom)
    return top, bottom


def _common(e, sizes, *parts):
    """The same entries in other places, with zeros, or sums of them."""
    return max(t for t, _ in parts), max(b for _, b in parts)


def _sum(e, sizes, *parts):
    total = sum(b for _, b in parts)
    return max(t - b for t, b in parts) + total, total


def _product(e, sizes, *parts):
    return sum(t for t, _ in parts), sum(b for _, b in parts)


def exponents(exponent):
    """The values of a whole exponent that are tried."""
    unknowns = sorted(exponent.free_symbols, key=str)
    values = [
        exponent.xreplace(dict(zip(unknowns, v))) for v in product(map(sympy.Integer, EXPONENTS), repeat=len(unknowns))
    ]
    if not all(u.is_integer for u in unknowns) or not all(v.is_Integer for v in values):
        raise UnsupportedError(f"the degree of a power with the exponent {exponent} is not known")
    return [int(v) for v in values]


def _repeated(count, fraction):
    top, bottom = fraction
    return abs(count) * top, abs(count) * bottom


def _worst(pairs):
    tops, bottoms = zip(*pairs)
    return max(tops), max(bottoms)


def _power_of_scalar(e, sizes, base):
    return _worst(_repeated(k, base if k >= 0 else base[::-1]) for k in exponents(e.args[1]))


def _power_of_matrix(e, sizes, base):
    inverse = _inverse(e.args[0], sizes, base)
    return _worst(_repeated(k, base if k >= 0 else inverse) for k in exponents(e.args[1]))


def _elementwise(e, sizes, base, *others):
    function = e.args[0]
    if others or not isinstance(function, Pow) or function.base != SLOTS[0]:
        raise UnsupportedError(f"the degree of the elementwise function {function} is not known")
    top, bottom = base
    # Every entry has a denominator of its own; the common one is their product.
    n = _size(e.shape[0], sizes) * _size(e.shape[1], sizes)
    reciprocal = bottom + (n - 1) * top, n * top
    return _worst(_repeated(k, base if k >= 0 else reciprocal) for k in exponents(function.exp))


def _det(e, sizes, matrix):
    return _repeated(_size(e.args[0].shape[0], sizes), matrix)


def _inverse(e, sizes, matrix):
    n, (top, bottom) = _size(e.shape[0], sizes), matrix
    return (n - 1) * top + bottom, n * top


def _adjugate(e, sizes, matrix):
    return _repeated(_size(e.shape[0], sizes) - 1, matrix)


def _pseudo_inverse(e, sizes, matrix):
    # N^+ of rank r is polynomial of degree 2r - 1 over the sum of squares of all r x r minors of N.
    # Source: Ben-Israel & Greville (2003), Generalized Inverses, 4.7 (determinantal formulas).
    rank, (top, bottom) = min(_size(s, sizes) for s in e.shape), matrix
    return (2 * rank - 1) * top + bottom, 2 * rank * top


def _frechet(e, sizes, matrix, direction):
    """The sum of A^i E A^(k-1-i); of a negative power, of A^-i E A^-(k+1-i)."""
    function = e.args[0]
    if not isinstance(function, Pow) or function.base != SLOTS[0]:
        raise UnsupportedError(f"the degree of the function of a matrix {function} is not known")
    inverse, counts = _inverse(e, sizes, matrix), exponents(function.exp)
    powers = [_repeated(max(k - 1, 0), matrix) if k >= 0 else _repeated(1 - k, inverse) for k in counts]
    return _product(e, sizes, _worst(powers), direction)


def _differential(e, sizes, inside):
    # d(a / b) = (da b - a db) / b^2, and the direction is one degree more. With fractions in the places of the
    # variables, numerator and denominator have at most deg a + 3 deg b.
    top, bottom = inside
    return 3 * (top + bottom) + 1, 3 * (top + bottom)


def _loss(e, sizes, inside):
    """A polynomial of degree three in the entries, see `exact._loss`."""
    return 3 * max(inside), 3 * inside[1]


BOUNDS = {
    UNWORKED: _differential,
    (Add, Sum): _sum,
    (Mul, Product, Inner, Scale, Hadamard, Kronecker): _product,
    Pow: _power_of_scalar,
    Power: _power_of_matrix,
    Apply: _elementwise,
    Det: _det,
    Inverse: _inverse,
    Adjugate: _adjugate,
    PseudoInverse: _pseudo_inverse,
    Frechet: _frechet,
    # Only even powers of a norm are rational.
    (Transpose, Trace, EntrySum, Diag, DiagonalOf, Vec, Unvec, Norm): _common,
    (Loss, LossGradient): _loss,
}
