"""What array operations cost, so that the cheapest order can be taken before any size is known.

Every size that is a symbol counts as one large number N, and costs are compared as polynomials in N. Equal
ones are compared where the sizes differ: by the mean logarithm over all ways in which each is small or large,
the more likely ones being those in which the matrices among the variables are tall.
"""

import math
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from sympy import Add, Mul, Pow, S

# Seconds for one multiplication and addition, relative to those inside a product of matrices. Measured with
# OpenBLAS at n = 300: a product of matrices runs from the cache, the others wait for memory or for pivots.
MATRIX, VECTOR, ENTRY, FACTOR = 1, 6, 20, 12
DEGREES = 13
# A call in Python lasts as long as this many multiplications and additions, for N of some hundreds.
CALL = 40
# How much likelier a tall matrix is than a wide one.
TALL = 10.0
# Mean logarithms that are closer than this are equal: the lower powers of N differ, not the plans.
APART = 0.25
SMALL, LARGE = 8.0, 1024.0
MIDDLE = math.sqrt(SMALL * LARGE)
# More symbols than these would be many assignments; the rest lie between.
MOST_SYMBOLS = 5


def work(op):
    """What an operation costs, as (weight, sizes) monomials."""
    return WORK[op.name](op) if op.name in WORK else [(ENTRY, op.shape)]


def _matmul(op):
    a, b = op.args
    weight = MATRIX if len(b.shape) > 1 else VECTOR
    return [(2 * weight, (*op.shape, a.shape[-1]))]


def _spectral(weight):
    return lambda op: [(weight * FACTOR, (*op.args[0].shape, op.args[0].shape[-1]))]


def _free(op):
    return []


FREE = {"static", "input", "transpose", "reshape", "column", "row", "take", "last_value", "last_vector"}
WORK = {
    **dict.fromkeys((*FREE, "negative"), _free),
    "matmul": _matmul,
    "sum": lambda op: [(2 * VECTOR, op.args[0].shape)],
    **dict.fromkeys(("prod", "logdet_of_diagonal"), lambda op: [(ENTRY, op.args[0].shape)]),
    "norm": lambda op: [(ENTRY, op.args[0].shape)],
    "trace": lambda op: [(VECTOR, op.args[0].shape[:1])],
    "diagonal": lambda op: [(VECTOR, op.shape)],
    "factor": lambda op: [(2 * FACTOR / 3, (*op.shape, op.shape[0]))],
    "solve": lambda op: [(2 * FACTOR, (*op.shape, op.args[0].shape[0]))],
    "inverse": lambda op: [(2 * FACTOR, (*op.shape, op.shape[0]))],
    "matrix_power": lambda op: [(8 * MATRIX, (*op.shape, op.shape[0]))],
    **dict.fromkeys(("det", "logdet"), lambda op: [(2 * FACTOR / 3, (*op.args[0].shape, op.args[0].shape[0]))]),
    **dict.fromkeys(("largest_eigenvalue", "eigh"), _spectral(10)),
    **dict.fromkeys(("nuclear_norm", "pinv", "polar", "adjugate"), _spectral(20)),
    "resolvent": lambda op: [(2 * MATRIX, (*op.shape, op.shape[0]))],
    **dict.fromkeys(("matrix_function", "frechet", "power_frechet"), _spectral(30)),
}


def degree(sizes):
    """The power of N that a product of sizes is."""
    return sum(len(polynomial(size)) - 1 for size in sizes)


@lru_cache(maxsize=2**12)
def polynomial(size):
    """Coefficients of a size by powers of N."""
    if size.is_Symbol:
        return (0, 1)
    if isinstance(size, Pow) and size.exp.is_Integer:
        size = Mul(*[size.base] * int(size.exp), evaluate=False)
    if isinstance(size, (Mul, Add)):
        parts = [polynomial(a) for a in size.args]
        whole = parts[0]
        for p in parts[1:]:
            whole = _times(whole, p) if isinstance(size, Mul) else _plus(whole, p)
        return whole
    return (float(size),)


def _times(p, q):
    found = [0.0] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            found[i + j] += a * b
    return tuple(found)


def _plus(p, q):
    return tuple((p[i] if i < len(p) else 0) + (q[i] if i < len(q) else 0) for i in range(max(len(p), len(q))))


def _value(size, point):
    if size is S.One:
        return 1.0
    # A size that no variable has is an error for the emitter to name; until then it is as good as any.
    return float(size.xreplace({**dict.fromkeys(size.free_symbols, MIDDLE), **point}))


class Cost(NamedTuple):
    """`leading` holds the highest power of N with its coefficient, `rest` all of them and the calls."""

    leading: tuple
    mean: float
    rest: tuple


def is_less(a, b):
    """The highest power decides, then the sizes, then the lower powers."""
    if a.leading != b.leading:
        return a.leading < b.leading
    return a.mean < b.mean if abs(a.mean - b.mean) > APART else a.rest < b.rest


def is_likely_less(a, b):
    """Whether the likelier sizes say so, where all sizes alike might not; the highest power is not greater."""
    grows_as_fast = [c != 0 for c in a.leading] <= [c != 0 for c in b.leading]
    return grows_as_fast and a.mean < b.mean - APART


def least(candidates, cost):
    """The first of the candidates that cost least."""
    candidates = list(candidates)
    best = candidates[0]
    for candidate in candidates[1:]:
        if is_less(cost(candidate), cost(best)):
            best = candidate
    return best


class Costs:
    """Costs of whole programs; `shares` says how many uses an operation has, which bear its cost together."""

    def __init__(self, shapes):
        """shapes: (rows, columns) of the variables."""
        self.shapes = shapes
        self.symbols = sorted({s for shape in shapes for size in shape for s in size.free_symbols}, key=str)
        extremes = self.symbols[:MOST_SYMBOLS]
        middle = dict.fromkeys(self.symbols[MOST_SYMBOLS:], MIDDLE)
        self.points = [{**middle, **dict(zip(extremes, p))} for p in product((SMALL, LARGE), repeat=len(extremes))]
        excess = [[_value(m, p) - _value(n, p) for m, n in shapes] for p in self.points]
        tall = [sum((e > 0) - (e < 0) for e in here) for here in excess]
        self.weights = [TALL**count / sum(TALL**c for c in tall) for count in tall]
        self.shares, self.own, self.sizes, self.totals = {}, {}, {}, {}

    def total(self, op):
        """The Cost of an operation and of all that it rests on."""
        if op not in self.totals:
            coefficients, seconds = [0.0] * DEGREES, [1.0] * len(self.points)
            for part in op.reach:
                powers, here = self._of_one(part)
                share = self.shares.get(part, 1)
                for i, c in enumerate(powers):
                    coefficients[DEGREES - 1 - i] += c / share
                for i, c in enumerate(here):
                    seconds[i] += c / share
            mean = sum(w * math.log(s) for w, s in zip(self.weights, seconds))
            *high, vectors, _ = (round(c, 6) for c in coefficients)
            calls = sum(part.name not in FREE for part in op.reach)
            turns = sum(part.name == "transpose" or (part.name == "solve" and part.detail) for part in op.reach)
            top = next((i for i, c in enumerate(high) if c), len(high))
            leading = tuple(c if i <= top else 0 for i, c in enumerate(high))
            self.totals[op] = Cost(leading, mean, (*high, vectors + CALL * calls, turns))
        return self.totals[op]

    def _of_one(self, op):
        if op not in self.own:
            powers, seconds = (), [0.0] * len(self.points)
            for weight, sizes in work(op):
                term, here = (float(weight),), [float(weight)] * len(self.points)
                for size in sizes:
                    term = _times(term, polynomial(size))
                    here = [a * b for a, b in zip(here, self._values(size))]
                powers, seconds = _plus(powers, term), [a + b for a, b in zip(seconds, here)]
            self.own[op] = powers, seconds
        return self.own[op]

    def _values(self, size):
        if size not in self.sizes:
            self.sizes[size] = [_value(size, p) for p in self.points]
        return self.sizes[size]
