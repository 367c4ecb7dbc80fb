"""Stationary points: where, of which kind, proven at each stage, and what is refused."""

import pytest
from sympy import Abs, Rational, S, cos, exp, integrate, log, sin, sqrt, symbols

from derivations.errors import UnsupportedError
from derivations.topics.extrema import stationary_point
from derivations.verification import verify

x, a = symbols("x a", real=True)
p, q, r = symbols("p q r", positive=True)

# (expression, variable, point, curvature there, kind)
STATIONARY = [
    (x**2 - 2 * x, x, 1, 2, "minimum"),
    (5 - (x - a) ** 2, x, a, -2, "maximum"),
    (p * x**2 + a * x, x, -a / (2 * p), 2 * p, "minimum"),
    (a * x**2, x, 0, 2 * a, "undecided"),
    (x**3, x, 0, 0, "undecided"),
    (x**4, x, 0, 0, "undecided"),
    (x**3 + p * x**2 + p**2 * x / 3, x, -p / 3, 0, "undecided"),
    (log(q) - p * q, q, 1 / p, -(p**2), "maximum"),
    (log(1 + x**2), x, 0, 2, "minimum"),
    (x**4 / 4 - x**3 / 3 + x**2 / 2 - x, x, 1, 2, "minimum"),  # slope (x - 1)(x^2 + 1): two more roots are not real
    (p / q + q, q, sqrt(p), 2 / sqrt(p), "minimum"),  # the other root is not positive
]


def found(expression, variable, **keywords):
    variables = sorted(expression.free_symbols, key=str)
    return stationary_point(expression, variable, variables, **keywords)


@pytest.mark.parametrize(
    "expression, variable, point, curvature, kind", STATIONARY, ids=[str(s[0]) for s in STATIONARY]
)
def test_a_stationary_point_its_curvature_and_its_kind(expression, variable, point, curvature, kind):
    extremum = found(expression, variable)
    assert extremum.variable == variable
    assert (extremum.point - point).equals(0)
    assert (extremum.curvature_at_point.result - curvature).equals(0)
    assert extremum.kind == kind


@pytest.mark.parametrize("expression, variable", [s[:2] for s in STATIONARY], ids=[str(s[0]) for s in STATIONARY])
def test_every_stage_is_proven(expression, variable):
    extremum = found(expression, variable)
    assert extremum.slope.order == 1 and extremum.curvature.order == 2
    assert extremum.slope_at_point.expression == extremum.slope.result
    assert extremum.curvature_at_point.expression == extremum.curvature.result
    assert extremum.slope_at_point.result == 0
    for stage in (extremum.slope, extremum.slope_at_point, extremum.curvature, extremum.curvature_at_point):
        assert verify(stage), f"{stage.to_text()}\n{verify(stage)}"
        assert len(stage.steps) < 9


@pytest.mark.parametrize(
    "expression, count", [(x, 0), (x**3 + x, 0), (a + 0 * x, 0), (x**3 - x, 2), (x**4 - 2 * x**2, 3)], ids=str
)
def test_none_or_more_than_one_stationary_point_is_refused(expression, count):
    with pytest.raises(UnsupportedError, match=f"expected one stationary point in x, found {count}: "):
        stationary_point(expression, x, (a, x))


@pytest.mark.parametrize(
    "slope",
    [x**5 - x - 1, (x - 1) * (x**5 - x - 1)],  # one root near 1.17; the same, and 1
    ids=str,
)
def test_roots_that_have_no_formula_are_not_overlooked(slope):
    with pytest.raises(UnsupportedError, match="x"):
        found(integrate(slope.expand(), x), x)


@pytest.mark.parametrize("expression", [(p + 1) ** 2, p**3 + p])
def test_a_point_outside_the_domain_does_not_count(expression):
    assert found((x + 1) ** 2, x).point == -1
    with pytest.raises(UnsupportedError, match="in p, found 0"):
        found(expression, p)


@pytest.mark.parametrize("expression", [exp(x) - x, x + cos(x), x**2 / 2 + sin(x), Abs(x)], ids=str)
def test_a_slope_whose_zeros_are_not_worked_out_is_refused(expression):
    with pytest.raises(UnsupportedError, match="x"):
        found(expression, x)


def test_a_sign_that_rests_on_a_probability_is_decided_only_for_one():
    loss = -q * log(p) - (1 - q) * log(1 - p)
    assert found(loss, p).kind == "undecided"
    assert found(loss, p, probabilities=(q,)).kind == "minimum"
    assert found(-loss, p, probabilities=(q,)).kind == "maximum"


@pytest.mark.parametrize(
    "curvature, probabilities",
    [
        (1 + 3 * (p - q), (p, q)),  # 3.7 at p = 1 - q = 0.95, and -1.7 at q = 1 - p = 0.95
        (1 + q / (1 - q) - r, (q,)),  # a positive variable that happens to be called r
    ],
    ids=str,
)
def test_different_variables_have_different_values(curvature, probabilities):
    extremum = found(curvature * x**2 / 2, x, probabilities=probabilities)
    assert (extremum.curvature_at_point.result - curvature).equals(0)
    assert extremum.kind == "undecided"


def test_the_kinds_are_those_of_a_grid():
    """The value at the point against values on either side of it."""
    for expression, variable, point, _, kind in STATIONARY:
        numbers = {symbol: Rational(3, 2) for symbol in expression.free_symbols - {variable}}
        at = S(point).subs(numbers)
        middle, left, right = (
            float(expression.subs(numbers).subs(variable, at + step)) for step in (0, Rational(-1, 50), Rational(1, 50))
        )
        if kind == "minimum":
            assert middle < min(left, right)
        if kind == "maximum":
            assert middle > max(left, right)
