"""The value of an expression tree at a point, over the numbers of a field."""

import operator
from functools import reduce

import sympy
from sympy import Add, And, Contains, Expr, Mul, Pow, Symbol
from sympy.core.relational import Relational

from derivations.elementwise import SLOTS, Apply, Diag, DiagonalOf, Hadamard, Softmax, SoftmaxRows
from derivations.errors import UnsupportedError
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
from derivations.kronecker import Commutation, Kronecker, Unvec, Vec
from derivations.scalars import Det, LogDet, LogSumExp, Loss, Norm, ScalarDifferential, Trace
from derivations.spectral import (
    FUNCTION_NAMES,
    Adjugate,
    Frechet,
    LargestEigenvalue,
    LargestEigenvector,
    MatrixFunction,
    NuclearNorm,
    PseudoInverse,
)
from derivations.verification import linear, spectra
from derivations.verification.arithmetic import (
    COMPOSED,
    ELEMENTARY,
    Dual,
    Functions,
    NotRationalError,
    Residue,
    plain,
    seeded,
    slopes,
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
            return COMPOSED[kind](self.functions, *(self(a) for a in e.args))
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
        return linear.total(self.field, numbers)

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
        return linear.eliminate(self.field, self(e.args[0]), [])[0]

    def log_det(self, e):
        return self.functions.elementary("log", self.det(e))

    def log_sum_exp(self, e):
        f = self.functions.elementary
        return f("log", self.total(f("exp", x) for row in self(e.args[0]) for x in row))

    def loss(self, e):
        return self.losses[str(e.args[0])](linear.rows_of(self(e.args[1])))

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
        return reduce(linear.add, (self(a) for a in e.args))

    def scale(self, e):
        return linear.scale(self(e.args[0]), self(e.args[1]))

    def product(self, e):
        return linear.chain(self.field, *(self(a) for a in e.args))

    def inner(self, e):
        return self.product(e)[0][0]

    def transpose(self, e):
        return linear.transpose(self(e.args[0]))

    def hadamard(self, e):
        first, *rest = (self(a) for a in e.args)
        for m in rest:
            first = [[x * y for x, y in zip(r, s)] for r, s in zip(first, m)]
        return first

    def inverse(self, e):
        return linear.inverse(self.field, self(e.args[0]))

    def adjugate(self, e):
        determinant, inverse = linear.eliminate(self.field, *self._with_identity(e.args[0]))
        return linear.scale(determinant, inverse)

    def _with_identity(self, e):
        rows = self(e)
        return rows, linear.identity(self.field, len(rows))

    def pseudo_inverse(self, e):
        return linear.pseudo_inverse(self.field, self(e.args[0]))

    def matrix_function(self, e):
        if e.args[0] not in FUNCTION_NAMES:
            raise UnsupportedError(f"the exact witness cannot evaluate the matrix function {e.args[0]}")
        return spectra.matrix_function(self.field, FUNCTION_NAMES[e.args[0]], self(e.args[1]))

    def frechet(self, e):
        function, matrix, direction = e.args
        if function in FUNCTION_NAMES:
            return spectra.frechet(self.field, FUNCTION_NAMES[function], self(matrix), self(direction))
        if not isinstance(function, Pow):
            raise UnsupportedError(f"the exact witness cannot evaluate the matrix function {function}")
        change = seeded(self(matrix), self(direction))
        return slopes(self.integer_matrix_power(change, function.exp))

    def largest_eigenvalue(self, e):
        return spectra.largest_eigenpair(self.field, self(e.args[0]))[0]

    def largest_eigenvector(self, e):
        return spectra.largest_eigenpair(self.field, self(e.args[0]))[1]

    def nuclear_norm(self, e):
        return spectra.nuclear_norm(self.field, self(e.args[0]))

    def vec(self, e):
        return [[x] for column in zip(*self(e.args[0])) for x in column]

    def unvec(self, e):
        column, rows, columns = self(e.args[0]), *(self.size(s) for s in e.args[1:])
        return [[column[j * rows + i][0] for j in range(columns)] for i in range(rows)]

    def kronecker(self, e):
        first, *rest = (self(a) for a in e.args)
        for m in rest:
            first = [[x * y for x in row for y in s] for row in first for s in m]
        return first

    def commutation(self, e):
        """Row i n + k of K picks the entry k m + i: vec(A') from vec(A), for A m x n."""
        m, n = (self.size(s) for s in e.args)
        return self.filled(e.shape, lambda row, column: int(column == row % n * m + row // n))

    def matrix_power(self, e):
        return self.integer_matrix_power(self(e.args[0]), e.args[1])

    def integer_matrix_power(self, base, symbolic):
        exponent = symbolic.xreplace(self.integers)
        if not exponent.is_Integer:
            raise UnsupportedError(f"the exact witness cannot evaluate the matrix power {symbolic}")
        if exponent < 0:
            base = linear.inverse(self.field, base)
        return linear.chain(self.field, linear.identity(self.field, len(base)), *[base] * abs(int(exponent)))

    def apply(self, e):
        function, matrices = e.args[0], [self(m) for m in e.args[1:]]
        rows, columns = len(matrices[0]), len(matrices[0][0])
        return [[self.entry(function, [m[i][j] for m in matrices]) for j in range(columns)] for i in range(rows)]

    def entry(self, function, numbers):
        inner = Evaluator(self.field, {**self.values, **dict(zip(SLOTS, numbers))}, self.integers, self.losses)
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

    def softmax_rows(self, e):
        weights = [[self.functions.elementary("exp", x) for x in row] for row in self(e.args[0])]
        return [[x / self.total(row) for x in row] for row in weights]

    def matrix_differential(self, e):
        return [[self.slope(x) for x in row] for row in self(e.args[0])]

    def loss_gradient(self, e):
        """By one more layer of dual numbers, entry by entry."""
        rows, polynomial = self(e.args[1]), self.losses[str(e.args[0])]

        def partial_derivative(i, j):
            seeded = [[Dual(x, x * 0 + int((i, j) == (k, m))) for m, x in enumerate(row)] for k, row in enumerate(rows)]
            return polynomial(seeded).slope

        return [[partial_derivative(i, j) for j in range(len(row))] for i, row in enumerate(rows)]


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
    SoftmaxRows: Evaluator.softmax_rows,
    Vec: Evaluator.vec,
    Unvec: Evaluator.unvec,
    Kronecker: Evaluator.kronecker,
    Commutation: Evaluator.commutation,
    Adjugate: Evaluator.adjugate,
    PseudoInverse: Evaluator.pseudo_inverse,
    MatrixFunction: Evaluator.matrix_function,
    Frechet: Evaluator.frechet,
    LargestEigenvalue: Evaluator.largest_eigenvalue,
    LargestEigenvector: Evaluator.largest_eigenvector,
    NuclearNorm: Evaluator.nuclear_norm,
    LogSumExp: Evaluator.log_sum_exp,
}
