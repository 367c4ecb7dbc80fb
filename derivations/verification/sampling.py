"""Random points: sizes, and values of variables inside their declared domains."""

import random

import sympy

from derivations.errors import DerivationError
from derivations.expressions import Variable, is_matrix, is_proposition

# Small, so that elimination is cheap; from 2, so that a row is not a scalar by accident.
SIZES = (2, 3, 4, 5)


def sizes_for(variables, generator):
    """Size symbols with random values, different ones as far as they go."""
    symbols = sorted({s for v in variables if is_matrix(v) for size in v.shape for s in size.free_symbols}, key=str)
    values = list(SIZES)
    generator.shuffle(values)
    return {s: values[i] if i < len(values) else generator.choice(SIZES) for i, s in enumerate(symbols)}


def shape_in(variable, sizes):
    return tuple(int(s.subs(sizes)) for s in variable.shape)


class Sampler:
    """Draws numbers of one kind; subclasses know what a generic number is."""

    def __init__(self, seed):
        self.generator = random.Random(seed)

    def generic(self):
        raise NotImplementedError

    def between(self, low, high):
        raise NotImplementedError

    def scalar(self, properties):
        if "integer" in properties:
            return 3
        if "unit_interval" in properties:
            return self.between(0.1, 0.9)
        if "positive" in properties:
            return self.between(0.3, 1.5)
        if "small" in properties:
            return self.between(-0.4, 0.4)
        if "binary" in properties:
            return self.generator.randrange(2)
        if "pm1" in properties:
            return self.generator.choice((-1, 1))
        return self.generic()

    def matrix(self, variable, sizes):
        """The entries of a variable as a list of rows."""
        rows, columns = shape_in(variable, sizes)
        properties = variable.properties
        entries = [[self.scalar(properties) for _ in range(columns)] for _ in range(rows)]
        for name, make in STRUCTURES.items():
            if name in properties:
                entries = make(self, entries)
        return entries


def _symmetric(_, a):
    return [[a[i][j] + a[j][i] for j in range(len(a))] for i in range(len(a))]


def _positive_definite(sampler, a):
    n = len(a)
    gram = [[sum(a[i][k] * a[j][k] for k in range(n)) for j in range(n)] for i in range(n)]
    return [[gram[i][j] + (1 if i == j else 0) for j in range(n)] for i in range(n)]


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
    chosen = sampler.generator.randrange(len(a))
    return [[1 if i == chosen else 0] for i in range(len(a))]


def counted(derivation, point):
    """Values of the whole unknowns of a proposition, which is checked at 0, 1, 2, … in turn."""
    if not is_proposition(derivation.expression):
        return {}
    return {v: point for v in derivation.variables if not is_matrix(v) and v.is_integer}


# How many of these are tried.
COUNT = 200

# Applied in this order.
STRUCTURES = {
    "positive_definite": _positive_definite,
    "symmetric": _symmetric,
    "invertible": _invertible,
    "posdet": _positive_determinant,
    "diagonal": _diagonal,
    "prob": _probabilities,
    "onehot": _one_hot,
    "onehot_rows": _one_hot_rows,
}


def properties_of(variable):
    """The declared properties of a matrix variable, or what a scalar symbol's assumptions say."""
    if isinstance(variable, Variable):
        return variable.properties
    if not isinstance(variable, sympy.Symbol):
        raise DerivationError(f"{variable} is not a variable")
    if variable.is_integer:
        return {"integer"}
    return {"positive"} if variable.is_positive else set()
