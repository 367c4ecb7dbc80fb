"""Random points: sizes, and values of variables inside their declared domains."""

import random

import sympy

from derivations.errors import DerivationError, UnsupportedError
from derivations.expressions import Variable, is_matrix, is_proposition
from derivations.kronecker import Kronecker
from derivations.notation.shapes import properties_of_scalar

# Small, so that elimination is cheap; from 2, so that a row is not a scalar by accident.
SIZES = (2, 3, 4, 5)
# Kronecker products multiply them.
SMALL_SIZES = (2, 3)


def size_symbols(variables, expressions=()):
    """The symbols of sizes; expressions may have some that no variable has, as ones(m, m) has."""
    found = {s for v in variables if is_matrix(v) for size in v.shape for s in size.free_symbols}
    found |= {s for e in expressions for s in e.free_symbols if s.is_integer and s.is_positive} - set(variables)
    return sorted(found, key=str)


def sizes_for(variables, generator, expressions=()):
    """Size symbols with random values, different ones as far as they go."""
    multiplied = any(size.is_Mul for v in variables if is_matrix(v) for size in v.shape)
    values = list(SMALL_SIZES if multiplied or any(e.has(Kronecker) for e in expressions) else SIZES)
    generator.shuffle(values)
    symbols = size_symbols(variables, expressions)
    return {s: values[i] if i < len(values) else generator.choice(values) for i, s in enumerate(symbols)}


def shape_in(variable, sizes):
    return tuple(int(s.subs(sizes)) for s in variable.shape)


class Sampler:
    """Draws numbers of one kind; subclasses know what a generic number is, and whether numbers have an order.

    spread: how many times larger than usual free numbers are, which are about one.
    """

    ordered = True

    def __init__(self, seed, spread=1):
        self.generator, self.spread = random.Random(seed), spread

    def generic(self):
        raise NotImplementedError

    def between(self, low, high):
        raise NotImplementedError

    def scalar(self, properties):
        if "binary" in properties:
            return self.generator.randrange(2)
        if "pm1" in properties:
            return self.generator.choice((-1, 1))
        if "integer" in properties:
            return 3
        if "unit_interval" in properties:
            return self.between(0.1, 0.9)
        if "positive" in properties:
            return self.between(0.3, 1.5 * self.spread)
        if "small" in properties:
            return self.between(-0.4, 0.4)
        return self.spread * self.generic()

    def matrix(self, variable, sizes):
        """The entries of a variable as a list of rows.

        Raises UnsupportedError where none are found that have all its properties.
        """
        shape, properties = shape_in(variable, sizes), variable.properties
        structures = [name for name in STRUCTURES if name in properties]
        if len(properties & HOLDS.keys()) < 2:
            return self.made(shape, properties, structures)
        for _ in range(ATTEMPTS):
            for chosen in (structures, [name for name in structures if name not in LIKELY]):
                entries = self.made(shape, properties, chosen)
                if self.holds(entries, properties):
                    return entries
        names = " and ".join(sorted(properties & HOLDS.keys())).replace("_", " ")
        raise UnsupportedError(f"no values are found for {variable.name} that are {names}")

    def made(self, shape, properties, structures):
        entries = [[self.scalar(properties) for _ in range(shape[1])] for _ in range(shape[0])]
        for name in structures:
            entries = STRUCTURES[name](self, entries)
        return entries

    def holds(self, entries, properties):
        """Whether entries have all properties, as far as the numbers can tell."""
        # Of a diagonal matrix, what is said of its entries is meant of the diagonal.
        free = [[entries[i][i] for i in range(len(entries))]] if "diagonal" in properties else entries
        return all(
            HOLDS[name](free if name in OF_ENTRIES else entries, self.ordered) for name in properties & HOLDS.keys()
        )


def _symmetric(_, a):
    return [[a[min(i, j)][max(i, j)] for j in range(len(a))] for i in range(len(a))]


def _positive_definite(sampler, a):
    n = len(a)
    gram = [[sum(a[i][k] * a[j][k] for k in range(n)) for j in range(n)] for i in range(n)]
    return [[gram[i][j] + (1 if i == j else 0) for j in range(n)] for i in range(n)]


def _orthogonal(sampler, a):
    """The Cayley transform (I + S)^-1 (I - S) of a skew matrix S: rational in its entries.

    Of a symmetric matrix the one with its structure: +-1 on the diagonal, in another basis if it is not diagonal.
    """
    n = len(a)
    drawn = [[sampler.generic() for _ in range(n)] for _ in range(n)]
    skew = [[drawn[i][j] - drawn[j][i] for j in range(n)] for i in range(n)]
    signs = [sampler.generator.choice((-1, 1)) for _ in range(n)]
    if a == _diagonal(sampler, a):
        return [[signs[i] if i == j else 0 for j in range(n)] for i in range(n)]
    plus = [[skew[i][j] + (1 if i == j else 0) for j in range(n)] for i in range(n)]
    minus = [[(1 if i == j else 0) - skew[i][j] for j in range(n)] for i in range(n)]
    rotation = _solve(plus, minus)
    if a != _symmetric(sampler, a):
        return rotation
    return [[sum(p * s * q for p, s, q in zip(r, signs, t)) for t in rotation] for r in rotation]


def _solve(rows, right):
    """The inverse times right, by elimination without pivoting: I + S has no singular leading minors."""
    n = len(rows)
    rows, right = [list(r) for r in rows], [list(r) for r in right]
    for k in range(n):
        head = rows[k][k]
        rows[k], right[k] = [x / head for x in rows[k]], [x / head for x in right[k]]
        for i in range(n):
            if i != k:
                factor = rows[i][k]
                rows[i] = [x - factor * y for x, y in zip(rows[i], rows[k])]
                right[i] = [x - factor * y for x, y in zip(right[i], right[k])]
    return right


def _diagonal(_, a):
    return [[a[i][j] if i == j else a[i][j] * 0 for j in range(len(a))] for i in range(len(a))]


def _invertible(_, a):
    return [[a[i][j] + (3 if i == j else 0) for j in range(len(a))] for i in range(len(a))]


def _positive_determinant(sampler, a):
    """The product of a lower triangular matrix and an upper one, both with positive diagonals."""
    n = len(a)
    lower = [[a[i][k] if k < i else 1 if k == i else 0 for k in range(n)] for i in range(n)]
    diagonal = [sampler.between(0.5, 1.5) for _ in range(n)]
    upper = [[a[k][j] if j > k else diagonal[k] if j == k else 0 for j in range(n)] for k in range(n)]
    return [[sum(lower[i][k] * upper[k][j] for k in range(n)) for j in range(n)] for i in range(n)]


def _probabilities(sampler, a):
    weights = [[sampler.between(0.3, 1.5) for _ in row] for row in a]
    total = sum(w for row in weights for w in row)
    return [[w / total for w in row] for row in weights]


def _one_hot_rows(sampler, a):
    chosen = [sampler.generator.randrange(len(row)) for row in a]
    return [[1 if j == c else 0 for j in range(len(row))] for row, c in zip(a, chosen)]


def _one_hot(sampler, a):
    rows, columns = len(a), len(a[0])
    chosen = sampler.generator.randrange(rows * columns)
    return [[1 if i * columns + j == chosen else 0 for j in range(columns)] for i in range(rows)]


def _centred(_, a):
    total, count = sum(x for row in a for x in row), sum(len(row) for row in a)
    return [[count * x - total for x in row] for row in a]


def counted(derivation, point):
    """Values of the whole unknowns of a proposition, which is checked at 0, 1, 2, … in turn."""
    if not is_proposition(derivation.expression):
        return {}
    return {v: point for v in derivation.variables if not is_matrix(v) and v.is_integer}


# How many of these are tried.
COUNT = 200
# Values of whole unknowns elsewhere: what holds for one exponent need not hold for another.
EXPONENTS = (3, 2, 4, 5)


def whole(derivation, point):
    """Values of the whole unknowns of a derivation, others at each point."""
    unknowns = [v for v in derivation.variables if not is_matrix(v) and v.is_integer]
    drawn = {v: EXPONENTS[(point + place) % len(EXPONENTS)] for place, v in enumerate(unknowns)}
    return drawn | counted(derivation, point)


# Applied in this order.
STRUCTURES = {
    "positive_definite": _positive_definite,
    "symmetric": _symmetric,
    "invertible": _invertible,
    "posdet": _positive_determinant,
    "diagonal": _diagonal,
    "orthogonal": _orthogonal,
    "prob": _probabilities,
    "onehot": _one_hot,
    "onehot_rows": _one_hot_rows,
    "centred": _centred,
}
# What a generic matrix has with some luck, and what other structures may be lost by.
LIKELY = {"invertible", "posdet"}
ATTEMPTS = 60


def _determinant(a):
    if len(a) == 1:
        return a[0][0]
    minors = ([row[:j] + row[j + 1 :] for row in a[1:]] for j in range(len(a)))
    return sum((-1) ** j * a[0][j] * _determinant(minor) for j, minor in enumerate(minors))


def _same(a, b, ordered):
    """Whether two matrices are equal but for rounding."""
    return all(x == y or (ordered and abs(x - y) < 1e-9) for r, s in zip(a, b) for x, y in zip(r, s))


def _of_each(test, needs_order=True):
    return lambda a, ordered: (needs_order and not ordered) or all(test(x) for row in a for x in row)


def _is_symmetric(a, ordered):
    return _same(a, [list(column) for column in zip(*a)], ordered)


def _is_positive_definite(a, ordered):
    minors = (_determinant([row[:k] for row in a[:k]]) for k in range(1, len(a) + 1))
    return _is_symmetric(a, ordered) and (not ordered or all(minor > 0 for minor in minors))


def _is_orthogonal(a, ordered):
    gram = [[sum(x * y for x, y in zip(r, s)) for s in a] for r in a]
    return _same(gram, [[int(i == j) for j in range(len(a))] for i in range(len(a))], ordered)


def _adds_up_to(number):
    return lambda a, ordered: _same([[sum(x for row in a for x in row)]], [[number]], ordered)


# name -> whether it holds of entries; where numbers have no order, as far as can be told without.
HOLDS = {
    "symmetric": _is_symmetric,
    "positive_definite": _is_positive_definite,
    "diagonal": lambda a, _: all(x == 0 for i, row in enumerate(a) for j, x in enumerate(row) if i != j),
    "invertible": lambda a, _: _determinant(a) != 0,
    "posdet": lambda a, ordered: _determinant(a) > 0 if ordered else _determinant(a) != 0,
    "orthogonal": _is_orthogonal,
    "prob": lambda a, ordered: _adds_up_to(1)(a, ordered) and all(x > 0 if ordered else x != 0 for r in a for x in r),
    "centred": _adds_up_to(0),
    "onehot": lambda a, _: sum(x for row in a for x in row) == 1 and all(x in (0, 1) for row in a for x in row),
    "onehot_rows": lambda a, _: all(sum(row) == 1 for row in a),
    "positive": _of_each(lambda x: x > 0),
    "unit_interval": _of_each(lambda x: 0 < x < 1),
    "small": _of_each(lambda x: abs(x) < 1),
    "binary": _of_each(lambda x: x == 0 or x == 1, needs_order=False),
    "pm1": _of_each(lambda x: x == 1 or x == -1, needs_order=False),
    "integer": _of_each(lambda x: isinstance(x, int), needs_order=False),
}
OF_ENTRIES = {"positive", "unit_interval", "small", "binary", "pm1", "integer"}


def properties_of(variable):
    """The declared properties of a matrix variable, or what a scalar symbol's assumptions say."""
    if isinstance(variable, Variable):
        return variable.properties
    if not isinstance(variable, sympy.Symbol):
        raise DerivationError(f"{variable} is not a variable")
    return set(properties_of_scalar(variable))
