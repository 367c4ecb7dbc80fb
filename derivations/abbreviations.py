"""Defined symbols in place of what they abbreviate."""

from sympy import Mul, Pow, S, fraction

from derivations.expressions import Product, Scale, is_matrix, split_scale
from derivations.scalars import UNWORKED


def abbreviate(expression, definitions):
    """Write defined symbols where their definitions stand, in the order of the definitions.

    A root s = sqrt(u) stands for u too, as s^2, and a multiple y = c M for M, as y / c where c is not zero.
    What stands under a differential that is not worked out yet is left alone.
    """
    for symbol, defined in definitions:
        if isinstance(defined, Pow) and defined.exp == S.Half:
            root, base = symbol, defined.base
            expression = _replace(expression, lambda e: _as_root(e, base, root))  # noqa: B023
        if isinstance(defined, Mul):
            expression = _replace(expression, lambda e: _as_factor(e, defined, symbol))  # noqa: B023
            continue
        scalar, core = split_scale(defined)
        if not scalar.is_nonzero:
            expression = _replace(expression, lambda e: _as_multiple(e, defined, symbol))  # noqa: B023
            continue
        short = Scale(1 / scalar, symbol) if is_matrix(core) else symbol
        expression = _replace(expression, {core: short}.get)
    return expression


def _as_factor(e, defined, symbol):
    if isinstance(e, Mul) and set(defined.args) <= set(e.args):
        return Mul(symbol, *(f for f in e.args if f not in defined.args))
    return None


def _as_multiple(e, defined, symbol):
    """t s A x as t A y, where y = s x."""
    if e == defined:
        return symbol
    (scalar, core), (factor, inside) = split_scale(e), split_scale(defined)
    parts = core.args if isinstance(core, Product) else (core,)
    left = scalar / factor
    if inside not in parts or fraction(left)[1].free_symbols & factor.free_symbols:
        return None
    at = parts.index(inside)
    return Scale(left, Product(*parts[:at], symbol, *parts[at + 1 :]))


def _as_root(e, base, root):
    if isinstance(e, Pow) and e.base == base:
        return root ** (2 * e.exp)
    return root**2 if e == base else None


def _replace(expression, change):
    """Outermost first; the parts of what was replaced, and differentials, are not visited."""
    changed = change(expression)
    if changed is not None:
        return changed
    if not expression.args or isinstance(expression, UNWORKED):
        return expression
    args = tuple(_replace(a, change) for a in expression.args)
    return expression.func(*args) if args != expression.args else expression
