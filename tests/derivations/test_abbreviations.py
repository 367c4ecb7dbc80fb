"""Defined symbols in place of what they abbreviate."""

import pytest
from sympy import Rational, Symbol, exp, sqrt

from derivations.abbreviations import abbreviate
from derivations.expressions import Inner, MatrixDifferential, Product, Scale, Sum, Transpose, Variable
from derivations.scalars import ScalarDifferential

n = Symbol("n", integer=True, positive=True)
a, b, h, v = Symbol("a", real=True), Symbol("b", real=True), Symbol("h", real=True), Symbol("v", positive=True)
A, H = Variable("A", n, n), Variable("H", n, 1)
x = Variable("x", n, 1)
Ax = Product(A, x)


@pytest.mark.parametrize(
    ("expression", "definition", "expected"),
    [
        (exp(a + b) + 1, (h, a + b), exp(h) + 1),
        (Sum(Ax, x), (H, Ax), Sum(H, x)),
        (Product(Transpose(Ax), A), (H, Ax), Product(Transpose(x), Transpose(A), A)),
        (Sum(Ax, x), (H, Scale(2, Ax)), Sum(Scale(Rational(1, 2), H), x)),
        (v * sqrt(v), (h, sqrt(v)), h**3),
        (1 / sqrt(v), (h, sqrt(v)), 1 / h),
        (3 * a * b * Inner(Transpose(x), x), (h, a * b), 3 * h * Inner(Transpose(x), x)),
        (MatrixDifferential(Ax), (H, Ax), MatrixDifferential(Ax)),
        (ScalarDifferential(exp(a + b)), (h, a + b), ScalarDifferential(exp(a + b))),
        (exp(a), (h, b), exp(a)),
    ],
    ids=lambda e: str(e),
)
def test_the_symbol_stands_where_its_definition_stood(expression, definition, expected):
    assert abbreviate(expression, (definition,)) == expected


def test_later_definitions_may_use_earlier_ones():
    assert abbreviate(exp(a + b) * (a + b), ((h, a + b), (v, exp(h)))) == v * h
    assert abbreviate(exp(a), ()) == exp(a)
