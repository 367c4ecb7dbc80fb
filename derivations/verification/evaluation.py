"""The value of an expression tree at a point, over the numbers of a field."""

import operator

import sympy
from sympy import Add, And, Contains, Expr, Mul, Pow, Symbol
from sympy.core.relational import Relational

from derivations.elementwise import SLOTS, Apply, Diag, DiagonalOf, Hadamard, Softmax
from derivations.errors import DomainError, UnsupportedError
from derivations.expressions import (
    EntrySum,
    Identity,
    Inner,
    Inverse,
    LossGradient,
    MatrixDifferential,
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
from derivations.scalars import Det, LogDet, LogSumExp, Loss, Norm, ScalarDifferential, Trace
from derivations.verification.arithmetic import (
    COMPOSED,
    ELEMENTARY,
    Dual,
    Functions,
    NotRationalError,
    Residue,
    plain,
)


class Evaluator:
    """Evaluates trees at one point: matrices are lists of rows, scalars are numbers of the field.

    values: variable -> number or rows; integers: symbol -> int, for sizes and integer exponents;
    losses: name -> function of the rows of its argument.
    """

    def __init__(self, field, values, integers, losses=None, definitions=()):
        self.field, self.functions = field, Functions(field)
        self.values, self.losses = dict(values), losses or {}
        self.integers = {s: sympy.Integer(v) for s, v in integers.items()}
        self.memo = {}
        for symbol, expression in definitions:
            self.values[symbol] = self(expression)
            self.memo.clear()

    def __call__(self, e):
        if e not in self.memo:
            self.memo[e] = self.visit(e)
        return self.memo[e]

    def visit(self, e):
        if e in self.values:
            return self.values[e]
        for kind, method in FORMS.items():
            if isinstance(e, kind):
                return method(self, e)
        kind = type(e)
        if kind in ELEMENTARY:
            return self.functions.elementary(ELEMENTARY[kind], self(e.args[0]))
        if kind in COMPOSED:
            return COMPOSED[kind](self.functions, self(e.args[0]))
        if e.is_number and isinstance(e, Expr):
            return self.field.number(e)
        raise UnsupportedError(f"the exact witness cannot evaluate {kind.__name__}")

    # ----------------------------------------------------------------------------- scalars

    def symbol(self, e):
        if e in self.integers:
            return self.field.number(self.integers[e])
        raise UnsupportedError(f"no value for {e}")

    def relation(self, e):
        """1 where a proposition holds, else 0."""
        left, right = (plain(self(a)) for a in e.args)
        if isinstance(left, Residue):
            raise NotRationalError(e)  # a field of residues has no order
        return self.field.number(int(bool(RELATIONS[e.rel_op](left, right))))

    def conjunction(self, e):
        return self.field.number(int(all(self(a) == 1 for a in e.args)))

    def membership(self, e):
        element, values = e.args
        return self.field.number(int(any(self(element) == self(v) for v in values.args)))

    def total(self, numbers):
        result = self.field.number(0)
        for x in numbers:
            result = result + x
        return result

    def add(self, e):
        return self.total(self(a) for a in e.args)

    def mul(self, e):
        result = self.field.number(1)
        for a in e.args:
            result = result * self(a)
        return result

    def pow(self, e):
        base, exponent = e.args
        if isinstance(base, Norm) and exponent.is_Integer and exponent % 2 == 0:
            return self.functions.integer_power(self.squares(base), int(exponent) // 2)
        return self.power_of(self(base), exponent)

    def power_of(self, base, exponent):
        """A number to a power that is an integer, a half, or any real."""
        if exponent.xreplace(self.integers).is_Integer:
            return self.functions.integer_power(base, int(exponent.xreplace(self.integers)))
        if exponent == sympy.S.Half:
            return self.functions.elementary("sqrt", base)
        return self.functions.power(base, self(exponent))

    def squares(self, norm):
        return self.total(x * x for row in self(norm.args[0]) for x in row)

    def norm(self, e):
        return self.functions.elementary("sqrt", self.squares(e))

    def trace(self, e):
        rows = self(e.args[0])
        return self.total(rows[i][i] for i in range(len(rows)))

    def entry_sum(self, e):
        return self.total(x for row in self(e.args[0]) for x in row)

    def det(self, e):
        return self.eliminate(self(e.args[0]), [])[0]

    def log_det(self, e):
        return self.functions.elementary("log", self.det(e))

    def log_sum_exp(self, e):
        f = self.functions.elementary
        return f("log", self.total(f("exp", x) for row in self(e.args[0]) for x in row))

    def loss(self, e):
        return self.losses[str(e.args[0])](_rows(self(e.args[1])))

    def scalar_differential(self, e):
        return self.slope(self(e.args[0]))

    def slope(self, number):
        return Dual(number.slope, number.slope * 0) if isinstance(number, Dual) else number * 0

    # ---------------------------------------------------------------------------- matrices

    def size(self, size):
        return int(size.xreplace(self.integers))

    def filled(self, shape, entry):
        rows, columns = (self.size(s) for s in shape)
        return [[self.field.number(entry(i, j)) for j in range(columns)] for i in range(rows)]

    def variable(self, e):
        if freed(e) in self.values:
            return self.values[freed(e)]
        raise UnsupportedError(f"no value for {e.name}")

    def identity(self, e):
        return self.filled(e.shape, lambda i, j: int(i == j))

    def ones(self, e):
        return self.filled(e.shape, lambda i, j: 1)

    def zero(self, e):
        return self.filled(e.shape, lambda i, j: 0)

    def sum(self, e):
        first, *rest = (self(a) for a in e.args)
        for m in rest:
            first = [[x + y for x, y in zip(r, s)] for r, s in zip(first, m)]
        return first

    def scale(self, e):
        scalar = self(e.args[0])
        return [[scalar * x for x in row] for row in self(e.args[1])]

    def product(self, e):
        first, *rest = (self(a) for a in e.args)
        for m in rest:
            columns = list(zip(*m))
            first = [[self.total(x * y for x, y in zip(row, column)) for column in columns] for row in first]
        return first

    def inner(self, e):
        return self.product(e)[0][0]

    def transpose(self, e):
        return [list(column) for column in zip(*self(e.args[0]))]

    def hadamard(self, e):
        first, *rest = (self(a) for a in e.args)
        for m in rest:
            first = [[x * y for x, y in zip(r, s)] for r, s in zip(first, m)]
        return first

    def inverse(self, e):
        rows = self(e.args[0])
        n = len(rows)
        right = [[self.field.number(int(i == j)) for j in range(n)] for i in range(n)]
        return self.eliminate(rows, right)[1]

    def eliminate(self, rows, right):
        """Gauss-Jordan elimination: (determinant, inverse times right)."""
        n = len(rows)
        scale = max(self.field.size_of(x) for row in rows for x in row)
        rows = [list(r) for r in rows]
        right = [list(r) for r in right] or [[] for _ in rows]
        determinant = self.field.number(1)
        for k in range(n):
            pivot = max(range(k, n), key=lambda i: self.field.size_of(rows[i][k]))
            if self.field.is_negligible(rows[pivot][k], scale):
                raise DomainError("the matrix is singular")
            if pivot != k:
                rows[k], rows[pivot], right[k], right[pivot] = rows[pivot], rows[k], right[pivot], right[k]
                determinant = -determinant
            head = rows[k][k]
            determinant = determinant * head
            rows[k], right[k] = [x / head for x in rows[k]], [x / head for x in right[k]]
            for i in range(n):
                if i != k:
                    factor = rows[i][k]
                    rows[i] = [x - factor * y for x, y in zip(rows[i], rows[k])]
                    right[i] = [x - factor * y for x, y in zip(right[i], right[k])]
        return determinant, right

    def matrix_power(self, e):
        exponent = e.args[1].xreplace(self.integers)
        if not exponent.is_Integer or exponent < 0:
            raise UnsupportedError(f"the exact witness cannot evaluate the matrix power {e.args[1]}")
        base = self(e.args[0])
        result = [[self.field.number(int(i == j)) for j in range(len(base))] for i in range(len(base))]
        for _ in range(int(exponent)):
            result = [[self.total(x * y for x, y in zip(r, c)) for c in zip(*base)] for r in result]
        return result

    def apply(self, e):
        function, matrices = e.args[0], [self(m) for m in e.args[1:]]
        rows, columns = len(matrices[0]), len(matrices[0][0])
        return [[self.entry(function, [m[i][j] for m in matrices]) for j in range(columns)] for i in range(rows)]

    def entry(self, function, numbers):
        inner = Evaluator(self.field, {**self.values, **dict(zip(SLOTS, numbers))}, self.integers)
        return inner(function)

    def diag(self, e):
        column = self(e.args[0])
        n = len(column)
        return [[column[i][0] if i == j else column[i][0] * 0 for j in range(n)] for i in range(n)]

    def diagonal_of(self, e):
        rows = self(e.args[0])
        return [[rows[i][i]] for i in range(len(rows))]

    def softmax(self, e):
        weights = [[self.functions.elementary("exp", x) for x in row] for row in self(e.args[0])]
        total = self.total(x for row in weights for x in row)
        return [[x / total for x in row] for row in weights]

    def matrix_differential(self, e):
        return [[self.slope(x) for x in row] for row in self(e.args[0])]

    def loss_gradient(self, e):
        """By one more layer of dual numbers, entry by entry."""
        rows, polynomial = self(e.args[1]), self.losses[str(e.args[0])]

        def partial_derivative(i, j):
            seeded = [[Dual(x, x * 0 + int((i, j) == (k, m))) for m, x in enumerate(row)] for k, row in enumerate(rows)]
            return polynomial(seeded).slope

        return [[partial_derivative(i, j) for j in range(len(row))] for i, row in enumerate(rows)]


def _rows(value):
    return value if isinstance(value, list) else [[value]]


RELATIONS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

FORMS = {
    Relational: Evaluator.relation,
    And: Evaluator.conjunction,
    Contains: Evaluator.membership,
    Symbol: Evaluator.symbol,
    Add: Evaluator.add,
    Mul: Evaluator.mul,
    Pow: Evaluator.pow,
    Variable: Evaluator.variable,
    Identity: Evaluator.identity,
    Ones: Evaluator.ones,
    Zero: Evaluator.zero,
    Sum: Evaluator.sum,
    Scale: Evaluator.scale,
    Product: Evaluator.product,
    Inner: Evaluator.inner,
    Transpose: Evaluator.transpose,
    Hadamard: Evaluator.hadamard,
    Inverse: Evaluator.inverse,
    Power: Evaluator.matrix_power,
    Apply: Evaluator.apply,
    Diag: Evaluator.diag,
    DiagonalOf: Evaluator.diagonal_of,
    Softmax: Evaluator.softmax,
    MatrixDifferential: Evaluator.matrix_differential,
    ScalarDifferential: Evaluator.scalar_differential,
    LossGradient: Evaluator.loss_gradient,
    Loss: Evaluator.loss,
    Norm: Evaluator.norm,
    Trace: Evaluator.trace,
    EntrySum: Evaluator.entry_sum,
    Det: Evaluator.det,
    LogDet: Evaluator.log_det,
    LogSumExp: Evaluator.log_sum_exp,
}
