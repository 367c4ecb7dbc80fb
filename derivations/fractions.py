"""Scalar expressions in the shortest of their usual forms, by SymPy."""

from sympy import (
    Add,
    Dummy,
    Mul,
    PolynomialError,
    Pow,
    Rational,
    S,
    apart,
    cancel,
    count_ops,
    expand,
    factor,
    fraction,
    together,
)

from derivations.collecting import canonical
from derivations.expressions import EntrySum, Inner
from derivations.functions import joined_powers
from derivations.scalars import MatrixScalar


def _hide_units(e):
    """The scalar expression with symbols in place of matrix scalars and of roots, and the way back."""
    back, seen = {}, {}

    def symbol_for(node):
        symbol = Dummy("u", real=True, positive=node.is_positive or None)
        back[symbol] = node
        return symbol

    # The root of a base: every power of the base, the first one too, is a power of one symbol.
    powers = sorted((p for p in e.atoms(Pow) if p.exp.is_Rational and not p.exp.is_Integer), key=canonical)
    roots = {p.base: p.exp.q for p in powers}
    roots = {base: (symbol_for(Pow(base, Rational(1, q))), q) for base, q in roots.items()}

    def hide(node):
        if node in seen:
            return seen[node]
        if isinstance(node, (MatrixScalar, Inner, EntrySum)):
            seen[node] = symbol_for(node)
        elif node in roots:
            seen[node] = roots[node][0] ** roots[node][1]
        elif isinstance(node, Pow) and node.base in roots and node.exp.is_Rational:
            root, q = roots[node.base]
            seen[node] = root ** (node.exp * q)
        else:
            seen[node] = node.func(*(hide(a) for a in node.args)) if node.args else node
        return seen[node]

    return hide(e), back


def tidy(e):
    """The shortest of a scalar's usual forms: as it stands, multiplied out, or as one fraction."""
    if not any(isinstance(a, (Add, Mul, Pow)) for a in e.args):
        return None
    hidden, back = _hide_units(e)
    candidates = [_numbers_outside(joined_powers(hidden))]
    if any(f.has(Add) for t in Add.make_args(hidden) for f in Mul.make_args(t)):
        candidates.append(expand(hidden))
    if (hidden.is_Add or _cancels(hidden)) and any(p.exp.is_negative for p in hidden.atoms(Pow)):
        candidates += _fractions(hidden)
    best = min(candidates, key=lambda c: (count_ops(c), candidates.index(c)))
    return best.xreplace(back) if best != hidden else None


def _numbers_outside(e):
    """u (4 + 4 v) as 4 u (1 + v)."""
    if not e.is_Mul:
        return e
    numbers, factors = zip(*(f.primitive() if f.is_Add else (S.One, f) for f in e.args))
    return Mul(*numbers, *factors)


def _cancels(e):
    """Whether a product has sums above and below its fraction bar."""
    sums = [f.as_base_exp()[1].is_negative for f in Mul.make_args(e) if f.as_base_exp()[0].is_Add]
    return any(sums) and not all(sums)


def _fractions(e):
    """A sum as one fraction, factored and not, and in parts; nothing where SymPy sees no fraction."""
    try:
        quotient = cancel(together(e))
        return [usual_signs(factor(quotient)), quotient, *_partial_fractions(quotient)]
    except PolynomialError:
        return []


# Beyond this many operations a fraction may be easier to read in parts.
LONG_FRACTION = 8


def _partial_fractions(quotient):
    """A long fraction in parts, where its denominator has one symbol only."""
    symbols = fraction(quotient)[1].free_symbols
    if len(symbols) != 1 or count_ops(quotient) <= LONG_FRACTION:
        return []
    return [Add(*(usual_signs(factor(t)) for t in Add.make_args(apart(quotient, symbols.pop()))))]


def usual_signs(quotient):
    """(y - x) / (x (x - 1)) as (x - y) / (x (1 - x)): no sum starts with a negative number."""
    if not isinstance(quotient, Mul):
        return quotient
    sign, factors = S.One, []
    for f in quotient.args:
        base, exponent = f.as_base_exp()
        if isinstance(base, Add) and exponent.is_Integer and base.as_coeff_Add()[0].is_negative:
            base, sign = -base, sign * S.NegativeOne**exponent
        factors.append(Pow(base, exponent))
    if sign == -1:
        sums = [i for i, f in enumerate(factors) if isinstance(f, Add) and f.as_coeff_Add()[0] == 0]
        if sums:
            factors[sums[0]], sign = -factors[sums[0]], S.One
    return Mul(sign, *factors)
