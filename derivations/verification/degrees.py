"""Bounds on the degree of a rational expression in the entries of its variables."""

from functools import lru_cache

from sympy import Add, Integer, Mul, Pow

from derivations.elementwise import Apply, Hadamard
from derivations.expressions import (
    Inner,
    Inverse,
    LossGradient,
    Power,
    Product,
    Scale,
    Sum,
    Variable,
    is_matrix,
)
from derivations.scalars import UNWORKED, Det, Loss, Norm


def degree(expression, sizes):
    """A bound on degree(numerator) + degree(denominator) of every entry.

    sizes: size symbol -> int, the largest sizes that are tried.
    """
    numbers = tuple(sorted(sizes.items(), key=str))
    return sum(_fraction(expression, numbers))


@lru_cache(maxsize=2**12)
def _fraction(e, sizes):
    """(degree of the numerator, degree of a common denominator of all entries)."""
    if not e.args or e.is_Symbol or isinstance(e, Variable):
        return (0, 0) if e.is_number else (1, 0)
    if isinstance(e, UNWORKED):
        # d(a / b) = (da b - a db) / b^2, and the direction is one degree more.
        top, bottom = _fraction(e.args[0], sizes)
        return top + bottom + 1, 2 * bottom
    parts = [_fraction(a, sizes) for a in e.args]
    if isinstance(e, (Add, Sum)):
        total = sum(b for _, b in parts)
        return max(t - b for t, b in parts) + total, total
    if isinstance(e, (Mul, Product, Inner, Scale, Hadamard)):
        return sum(t for t, _ in parts), sum(b for _, b in parts)
    if isinstance(e, (Pow, Power)):
        (top, bottom), exponent = parts[0], e.args[1]
        k = abs(int(exponent)) if exponent.is_Integer else 3
        return (top * k, bottom * k) if not exponent.is_negative else (bottom * k, top * k)
    if isinstance(e, Det):
        n, (top, bottom) = _size(e.args[0].shape[0], sizes), parts[0]
        return n * top, n * bottom
    if isinstance(e, Inverse):
        n, (top, bottom) = _size(e.shape[0], sizes), parts[0]
        return (n - 1) * top + bottom, n * top
    if isinstance(e, Apply):
        exponent = e.args[0].exp if isinstance(e.args[0], Pow) else Integer(1)
        k = abs(int(exponent)) if exponent.is_Integer else 3
        top, bottom = parts[1]
        if not exponent.is_negative:
            return top * k, bottom * k
        # Every entry has a denominator of its own; the common one is their product.
        n = _size(e.shape[0], sizes) * _size(e.shape[1], sizes)
        return k * (bottom + (n - 1) * top), k * n * top
    if isinstance(e, (Norm, Loss, LossGradient)):
        top, bottom = parts[-1]
        return 3 * top, 3 * bottom
    matrices = [p for a, p in zip(e.args, parts) if is_matrix(a)]
    return max(t for t, _ in matrices or parts), max(b for _, b in matrices or parts)


def _size(size, sizes):
    return int(size.xreplace(dict(sizes)))
