"""Sums of matrices made shorter: what the terms share is written once. And how long a reader finds things."""

import itertools
from functools import lru_cache

from sympy import Add, Mul, Pow, S, exp, gcd

from derivations.elementwise import Hadamard
from derivations.expressions import (
    Identity,
    Inner,
    Ones,
    Product,
    Scale,
    Sum,
    Transpose,
    Variable,
    is_matrix,
    split_scale,
)
from derivations.kronecker import Commutation, Kronecker


def size(expression):
    """How long a reader finds an expression: its leaves and functions, numbers free of charge."""
    if not expression.args or isinstance(expression, Variable):
        return 0 if expression.is_Integer else 1
    own = 0 if isinstance(expression, (Sum, Scale, Product, Inner, Add, Mul, Hadamard)) else 1
    return own + sum(size(a) for a in expression.args)


@lru_cache(maxsize=2**14)
def canonical(expression):
    """A text that is the same for equal expressions, whatever the order in which their terms were written."""
    if not expression.args:
        return str(expression)
    parts = [canonical(a) for a in expression.args]
    if isinstance(expression, (Sum, Hadamard, Add, Mul)):
        parts.sort()
    return f"{type(expression).__name__}({','.join(parts)})"


def shorter(new, old):
    return new if new is not None and size(new) < size(old) else None


def shortest(candidates):
    """The shortest of the forms that are not None, the same one whatever their order; None if there is none."""
    return min((c for c in candidates if c is not None), key=lambda c: (size(c), canonical(c)), default=None)


# ------------------------------------------------------------------------------- shared factors


def factors_of(core):
    return core.args if isinstance(core, Product) else (core,)


def _take_out(terms, side):
    """Take the factor that most terms share at one side (0 left, -1 right) out of them."""
    groups = {}
    for scalar, core in terms:
        groups.setdefault(factors_of(core)[side], []).append((scalar, core))
    most = max(len(group) for group in groups.values())
    shared, group = min((item for item in groups.items() if len(item[1]) == most), key=lambda item: canonical(item[0]))
    if len(group) < 2 or isinstance(shared, Identity):
        return None
    rests = []
    for scalar, core in group:
        rest = list(factors_of(core))
        del rest[side]
        size_left = shared.shape[1] if side == 0 else shared.shape[0]
        rests.append(Scale(scalar, Product(*rest)) if rest else Scale(scalar, Identity(size_left)))
    inner = Sum(*rests) if is_matrix(rests[0]) else Add(*rests)
    collected = Product(shared, inner) if side == 0 else Product(inner, shared)
    others = [Scale(s, c) for s, c in terms if (s, c) not in group]
    return Sum(collected, *others)


def collect_factors(e, than=None):
    """A x + B x = (A + B) x, on either side, where that is shorter than the sum, or than another form of it."""
    terms = [split_scale(t) for t in e.args]
    candidates = [_take_out(terms, 0), _take_out(terms, -1)]
    return shorter(shortest(candidates), e if than is None else than)


def _exponentials(scalar):
    return sum(isinstance(f, exp) for f in Mul.make_args(scalar))


def _powers(scalar):
    """base -> exponent of the factors; one that is no rational power, such as exp(-q), is a base itself."""
    parts = [(f, *f.as_base_exp()) for f in Mul.make_args(scalar)]
    return {(b if x.is_Rational else f): (x if x.is_Rational else S.One) for f, b, x in parts if not f.is_number}


def collect_hadamard(e):
    """A o U + A o V = A o (U + V)."""
    terms = [
        (scalar, core.args if isinstance(core, Hadamard) else (core,)) for scalar, core in map(split_scale, e.args)
    ]
    counts = {}
    for _, factors in terms:
        for f in factors:
            counts[f] = counts.get(f, 0) + 1
    most = max(counts.values())
    if most < 2:
        return None
    shared = min((f for f, n in counts.items() if n == most), key=canonical)
    inside = [
        Scale(scalar, Hadamard(Ones(*e.shape), *(f for f in factors if f != shared)))
        for scalar, factors in terms
        if shared in factors
    ]
    if isinstance(shared, Identity) or any(isinstance(split_scale(t)[1], Identity) for t in inside):
        return None  # A - A o I is better than A o (1 1' - I)
    others = [Scale(scalar, Hadamard(*factors)) for scalar, factors in terms if shared not in factors]
    return shorter(Sum(Hadamard(shared, Sum(*inside)), *others), e)


def collect_kronecker(e):
    """A kron B + A kron C = A kron (B + C), on either side."""
    candidates = []
    for side in (0, -1):
        groups = {}
        for scalar, core in map(split_scale, e.args):
            if isinstance(core, Kronecker):
                groups.setdefault((core.args[side], len(core.args)), []).append((scalar, core))
        for (shared, _), group in groups.items():
            if len(group) < 2:
                continue
            rests = [Scale(s, Kronecker(*(core.args[1:] if side == 0 else core.args[:-1]))) for s, core in group]
            if len({r.shape for r in rests}) > 1:
                continue
            inner = Sum(*rests)
            whole = Kronecker(shared, inner) if side == 0 else Kronecker(inner, shared)
            candidates.append(shorter(Sum(whole, *(t for t in e.args if split_scale(t) not in group)), e))
    return shortest(candidates)


def share_commutation(e):
    """K (A kron B) = (B kron A) K, turned where a factor is then shared: (I + K)(A kron B)."""
    candidates = []
    for i, term in enumerate(e.args):
        scalar, core = split_scale(term)
        turned = _turned(core)
        if turned is not None:
            candidates.append(collect_factors(Sum(Scale(scalar, turned), *e.args[:i], *e.args[i + 1 :]), than=e))
    return shortest(candidates)


def commutation_last(e):
    """K (A kron B) = (B kron A) K."""
    for i, (left, right) in enumerate(itertools.pairwise(e.args)):
        if isinstance(left, Commutation) and (new := _swapped(left, right)) is not None:
            return Product(*e.args[:i], *new, *e.args[i + 2 :])
    return None


def _turned(core):
    """(B kron A) K as K (A kron B), or K (A kron B) as (B kron A) K; None where there is no such pair."""
    factors = list(factors_of(core))
    for i, (left, right) in enumerate(itertools.pairwise(factors)):
        new = _swapped(left, right)
        if new is not None:
            return Product(*factors[:i], *new, *factors[i + 2 :])
    return None


def _swapped(left, right):
    if isinstance(left, Kronecker) and isinstance(right, Commutation) and len(left.args) == 2:
        (p, q), (m, n) = (f.shape for f in left.args)
        return (Commutation(p, m), Kronecker(*left.args[::-1])) if right.args == (q, n) else None
    if isinstance(left, Commutation) and isinstance(right, Kronecker) and len(right.args) == 2:
        (m, n), (p, q) = (f.shape for f in right.args)
        return (Kronecker(*right.args[::-1]), Commutation(q, n)) if left.args == (p, m) else None
    return None


def turn_sum(e):
    """A'B' + C' = (BA + C)', where that shows fewer transposes."""
    if 1 in e.shape:
        return None  # u' + v' is as good as (u + v)'
    turned = Transpose(Sum(*(Transpose(t) for t in e.args)))
    return shorter(turned, e)


def collect_scalars(e):
    """2 s A + 2 t B = 2 (s A + t B)."""
    scalars = [split_scale(t)[0] for t in e.args]
    numbers = [s.as_coeff_Mul()[0] for s in scalars]
    if not all(n.is_Rational for n in numbers):
        return None
    content = abs(numbers[0])
    for n in numbers[1:]:
        content = gcd(content, abs(n))
    if not content.is_Integer and any(abs(n) != content for n in numbers):
        content = S.One  # s A - B/2 is easier to read than (2 s A - B)/2
    if all(n < 0 for n in numbers):
        content = -content
    powers = [_powers(s) for s in scalars]
    for base, _power in powers[0].items():
        exponents = [p.get(base, S.Zero) for p in powers]
        if not all(x.is_Rational for x in exponents):
            continue
        if isinstance(base, Pow) and base.base == 0:
            continue  # 0^s is not divided by
        if isinstance(base, exp) and any(_exponentials(s / base) >= _exponentials(s) for s in scalars):
            continue  # SymPy would join exponentials again that stand apart
        if all(x > 0 for x in exponents) or all(x < 0 for x in exponents):
            content *= Pow(base, min(exponents, key=abs))
    if content == 1:
        return None
    return Scale(content, Sum(*(Scale(split_scale(t)[0] / content, split_scale(t)[1]) for t in e.args)))


def group_scalars(e):
    """s A + s B + t C = s (A + B) + t C."""
    groups = {}
    for term in e.args:
        number, rest = split_scale(term)[0].as_coeff_Mul()
        groups.setdefault(rest, []).append(Scale(number, split_scale(term)[1]))
    return shorter(Sum(*(Scale(scalar, Sum(*terms)) for scalar, terms in groups.items())), e)


def _distribute(term):
    """A term of a sum with its products multiplied out over the first sum inside."""
    scalar, core = split_scale(term)
    if isinstance(core, Sum):
        return [Scale(scalar, t) for t in core.args]
    if not isinstance(core, (Product, Hadamard)):
        return [term]
    for i, f in enumerate(core.args):
        whole, turn = (f.args[0], Transpose) if isinstance(f, Transpose) else (f, lambda t: t)
        if isinstance(whole, Sum):
            build = type(core)
            expanded = [build(*core.args[:i], turn(t), *core.args[i + 1 :]) for t in whole.args]
            return [p for t in expanded for p in _distribute(Scale(scalar, t))]
    return [term]


def cancel_terms(e):
    """Multiply out where terms then cancel."""
    expanded = [t for term in e.args for t in _distribute(term)]
    if len(expanded) == len(e.args):
        return None
    total = Sum(*expanded)
    collected = collect_factors(total) if isinstance(total, Sum) else None
    return shorter(collected or total, e)
