"""The bound on the degree is a bound: against the degrees that SymPy finds in the entries themselves."""

import pytest
import sympy
from sympy import Symbol

from derivations import derive
from derivations.api import read
from derivations.expressions import Variable, is_matrix
from derivations.scalars import differential_of
from derivations.verification.arithmetic import Dual, plain
from derivations.verification.degrees import degree
from derivations.verification.evaluation import Evaluator

m, n = (Symbol(name, integer=True, positive=True) for name in "mn")
SIZES = {m: 2, n: 2}
SHAPES = {"A": "n,n", "B": "n,n", "X": "n,n", "Z": "m,n", "x": "n", "y": "n", "s": "", "t": ""}


class Formulas:
    """SymPy's own expressions, as a field."""

    number = staticmethod(sympy.sympify)
    is_negligible = staticmethod(lambda e, scale: sympy.expand(plain(e)) == 0)
    size_of = staticmethod(lambda e: 0 if sympy.expand(plain(e)) == 0 else 1)


def entries(expression, variables, directions=None):
    """The entries of an expression as fractions of polynomials."""

    def values(v):
        if not is_matrix(v):
            return Symbol(v.name)
        rows, columns = (int(size.xreplace(SIZES)) for size in v.shape)
        return [[Symbol(f"{v.name}{i}{j}") for j in range(columns)] for i in range(rows)]

    point = {v: values(v) for v in variables}
    if directions is not None:
        moved = point[directions]
        point[directions] = (
            [[Dual(e, Symbol(f"d{e}")) for e in row] for row in moved]
            if is_matrix(directions)
            else Dual(moved, Symbol("ds"))
        )
    found = Evaluator(Formulas, point, SIZES)(expression)
    flat = [e for row in found for e in row] if isinstance(found, list) else [found]
    return [sympy.cancel(e.value if isinstance(e, Dual) else e) for e in flat]


def true_degree(fraction):
    return sum(0 if part.is_number else sympy.Poly(part).total_degree() for part in sympy.fraction(fraction))


POLYNOMIAL = [
    "x'*A*y",
    "tr(A*B*X)",
    "A^3",
    "(A + B)*x - y",
    "s*A*x + t*y",
    "norm2(A*x)^2",
    "sum(A .* B)",
    "diag(A)*x'",
    "diag(x)*A",
    "x.^3",
    "(x'*y)^2*A",
    "det(A*B)",
    "(s + t)^3",
]
RATIONAL = [
    "inv(A)*x",
    "tr(inv(A)*B)",
    "x'*inv(A + B)*y",
    "1/(x'*y)",
    "s/t + t/s",
    "x/s",
    "x ./ y",
    "1 ./ (A*x)",
    "sum(1 ./ x)",
    "x'*(1 ./ y)",
    "sum(A ./ B)",
    "A*(x ./ y)",
    "det(inv(A))",
    "(1/s + 1/t)^2",
]


@pytest.mark.parametrize("source", POLYNOMIAL + RATIONAL)
def test_the_bound_holds(source):
    reading, _ = read(source, SHAPES)
    bound = degree(reading.expression, SIZES)
    assert max(map(true_degree, entries(reading.expression, reading.variables.values()))) <= bound


@pytest.mark.parametrize(
    "source", ["x'*A*x", "tr(A*X*B*X)", "tr(inv(X)*A)", "sum(1 ./ x)", "(x'*A*x)/(x'*x)", "det(X)", "X*x"]
)
def test_the_bound_holds_for_differentials(source):
    reading, _ = read(source, SHAPES)
    wrt = reading.variables["X" if "X" in source else "x"]
    expression = differential_of(reading.expression)
    assert max(map(true_degree, entries(expression, reading.variables.values(), wrt))) <= degree(expression, SIZES)


@pytest.mark.parametrize("source", POLYNOMIAL)
def test_the_bound_of_a_polynomial_is_not_far_off(source):
    reading, _ = read(source, SHAPES)
    true = max(map(true_degree, entries(reading.expression, reading.variables.values())))
    assert degree(reading.expression, SIZES) <= 4 * true + 8


def test_constants_have_degree_zero_and_variables_one():
    assert degree(sympy.Integer(3), SIZES) == 0
    assert degree(Variable("A", n, n), SIZES) == 1 and degree(Symbol("s"), SIZES) == 1


def test_a_derivation_of_low_degree_is_wrong_with_small_probability():
    d = derive("tr(A'*X*B*X)", "X")
    assert all(0 < degree(step.after, SIZES) < 100 for step in d.steps)
