"""The value of a tree over the numbers of a field."""

from fractions import Fraction

import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from sympy import And, Contains, Eq, FiniteSet, Integer, Rational, Symbol, exp, gamma

from derivations.api import read
from derivations.errors import DomainError, UnsupportedError
from derivations.expressions import Inverse, LossGradient, MatrixDifferential, Ones, Power, Product, Transpose, Variable
from derivations.scalars import Det, Loss, ScalarDifferential, Trace
from derivations.verification import autograd
from derivations.verification.arithmetic import PRIME, Decimals, Dual, PrimeField, Rationals, Residue
from derivations.verification.evaluation import Evaluator

m, n = (Symbol(name, integer=True, positive=True) for name in "mn")
A, B, x = Variable("A", n, n), Variable("B", n, n), Variable("x", n, 1)
s, k = Symbol("s", real=True), Symbol("k", integer=True)

SQUARE = st.integers(1, 5).flatmap(
    lambda size: st.lists(st.lists(st.integers(-5, 5), min_size=size, max_size=size), min_size=size, max_size=size)
)


def fractions(rows):
    return [[Fraction(x) for x in row] for row in rows]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(SQUARE)
def test_elimination_agrees_with_sympy(rows):
    matrix, size = sympy.Matrix(rows), len(rows)
    evaluator = Evaluator(Rationals, {A: fractions(rows)}, {n: size})
    if matrix.det() == 0:
        with pytest.raises(DomainError, match="singular"):
            evaluator(Inverse(A))
        return
    assert evaluator(Det(A)) == Fraction(int(matrix.det()))
    inverse = matrix.inv()
    expected = [[Fraction(int(inverse[i, j].p), int(inverse[i, j].q)) for j in range(size)] for i in range(size)]
    assert evaluator(Inverse(A)) == expected


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SQUARE)
def test_elimination_in_the_prime_field_is_that_of_the_rationals(rows):
    determinant = int(sympy.Matrix(rows).det())
    if determinant == 0:
        return
    evaluator = Evaluator(PrimeField, {A: [[Residue(x) for x in row] for row in rows]}, {n: len(rows)})
    inverse = sympy.Matrix(rows).inv()
    assert evaluator(Det(A)) == determinant
    for i, row in enumerate(evaluator(Inverse(A))):
        for j, found in enumerate(row):
            assert found == Residue(int(inverse[i, j].p) * pow(int(inverse[i, j].q), -1, PRIME))


def test_pivots_are_sought():
    evaluator = Evaluator(Rationals, {A: fractions([[0, 1], [1, 0]])}, {n: 2})
    assert evaluator(Det(A)) == -1 and evaluator(Inverse(A)) == [[0, 1], [1, 0]]


@pytest.mark.parametrize("node", [Inverse, Det], ids=lambda c: c.__name__)
def test_a_singular_matrix_is_singular_in_every_field(node):
    """In 50 digits too, where rounding leaves 1e-50 in the place of zero: v v' for v of two entries or more."""
    with mp.workdps(50):
        v = [mpf(1) / 3, mpf(2) / 7, mpf(5) / 11]
        evaluator = Evaluator(Decimals, {A: [[a * b for b in v] for a in v]}, {n: 3})
        try:
            found = evaluator(node(A))
        except DomainError:
            return
        assert node is Det and abs(found) < mpf(10) ** -40


def test_differentials_are_slopes():
    """d(X^-1) = -X^-1 dX X^-1, and d det X = det X tr(X^-1 dX)."""
    rows, change = [[2, 1], [1, 3]], [[1, 4], [-2, 5]]
    dual = [
        [Dual(Fraction(a), Fraction(b)) for a, b in zip(r, t, strict=True)] for r, t in zip(rows, change, strict=True)
    ]
    evaluator = Evaluator(Rationals, {A: dual}, {n: 2})
    inverse = sympy.Matrix(rows).inv()
    expected = -inverse * sympy.Matrix(change) * inverse
    found = evaluator(MatrixDifferential(Inverse(A)))
    assert [[Rational(e.value) for e in row] for row in found] == expected.tolist()
    by_rule = sympy.Matrix(rows).det() * (inverse * sympy.Matrix(change)).trace()
    assert evaluator(ScalarDifferential(Det(A))).value == by_rule


def test_integer_symbols_are_exponents_and_sizes():
    evaluator = Evaluator(Rationals, {A: fractions([[1, 1], [0, 1]]), k: Fraction(3)}, {n: 2, k: 3})
    assert evaluator(Power(A, k)) == [[1, 3], [0, 1]]
    assert evaluator(Trace(Power(A, k)) * n * k) == 12
    assert evaluator(Ones(n, 3)) == [[1, 1, 1], [1, 1, 1]]


def test_losses_are_any_function_and_their_gradients_its_slopes():
    def cubes(rows):
        return sum((x * x * x for row in rows for x in row), rows[0][0] * 0)

    evaluator = Evaluator(Rationals, {x: fractions([[2], [3]])}, {n: 2}, losses={"L": cubes})
    assert evaluator(Loss("L", x)) == 35 and evaluator(LossGradient("L", x)) == [[12], [27]]


def test_definitions_take_their_values_from_their_expressions():
    h = Variable("h", n, 1)
    evaluator = Evaluator(
        Rationals, {A: fractions([[1, 2], [3, 4]]), x: fractions([[1], [1]])}, {n: 2}, definitions=((h, Product(A, x)),)
    )
    assert evaluator(Product(Transpose(h), x)) == 10


def test_propositions_are_one_or_zero():
    evaluator = Evaluator(Rationals, {s: Fraction(2)}, {})
    assert evaluator(Eq(s, 2)) == 1 and evaluator(s < 2) == 0 and evaluator(And(s > 1, s <= 2)) == 1
    assert evaluator(Contains(s, FiniteSet(1, 2))) == 1 and evaluator(Contains(s, FiniteSet(1, 3))) == 0


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (gamma(s), "cannot evaluate gamma"),
        (Variable("C", n, n), "no value for C"),
        (Symbol("r", real=True), "no value for r"),
        (Power(A, Symbol("p", real=True)), "cannot evaluate the matrix power p"),
    ],
    ids=str,
)
def test_what_cannot_be_evaluated_says_so(expression, message):
    evaluator = Evaluator(Decimals, {s: mpf(2), A: [[mpf(1)]]}, {n: 1})
    with pytest.raises(UnsupportedError, match=message):
        evaluator(expression)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(data=st.data())
def test_fifty_digits_and_torch_give_one_value(data, random_texts, relative_error):
    """The two witnesses evaluate trees by code of their own."""
    sizes, numbers = {"m": 4, "n": 3}, {m: Integer(4), n: Integer(3)}
    source = random_texts.draw(data, data.draw(st.sampled_from(random_texts.shapes)), 3)
    values = random_texts.point(data.draw(st.integers(0, 5)), sizes)
    expected = random_texts.value(source, values, sizes)
    if expected is None:
        return
    reading, _ = read(source, random_texts.variables)
    with mp.workdps(50):
        point = {
            v: [[mpf(float(e)) for e in row] for row in values[name]]
            for name, v in reading.variables.items()
            if name in values
        }
        point = {v: rows if isinstance(v, Variable) else rows[0][0] for v, rows in point.items()}
        try:
            found = Evaluator(Decimals, point, {m: 4, n: 3})(reading.expression)
            by_torch = autograd.value(
                reading.expression, {v: values[k] for k, v in reading.variables.items() if k in values}, numbers
            )
        except (DomainError, ZeroDivisionError):
            return
    found = torch.tensor([[float(e) for e in row] for row in (found if isinstance(found, list) else [[found]])])
    assert relative_error(found.double(), by_torch) < 1e-6, source
    assert relative_error(found.double(), expected) < 1e-6, source


def test_exponentials_need_no_field_of_fractions():
    with mp.workdps(50):
        assert abs(Evaluator(Decimals, {s: mpf(1)}, {})(exp(s)) - mp.e) < mpf(10) ** -48
