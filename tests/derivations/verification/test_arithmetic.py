"""The numbers of the exact witness: a prime field, dual numbers, and elementary functions with their slopes."""

import random
from fractions import Fraction

import mpmath
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from sympy import Rational

from derivations.errors import DomainError
from derivations.functions import DEFINITIONS, normcdf, normpdf, sigmoid, softplus
from derivations.verification.arithmetic import (
    COMPOSED,
    PRIME,
    SLOPES,
    Decimals,
    Dual,
    Functions,
    NotRationalError,
    PrimeField,
    Rationals,
    Residue,
    plain,
)

# --------------------------------------------------------------------------------- the prime field

FRACTIONS = st.fractions(min_value=-1000, max_value=1000, max_denominator=1000)


def residue(fraction):
    return Residue(fraction.numerator * pow(fraction.denominator, -1, PRIME))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(FRACTIONS, FRACTIONS)
def test_residues_calculate_as_fractions_do(a, b):
    x, y = residue(a), residue(b)
    assert x + y == residue(a + b) and x - y == residue(a - b) and x * y == residue(a * b) and -x == residue(-a)
    assert (x == y) == (a == b)
    if b:
        assert x / y == residue(a / b)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(FRACTIONS, st.integers(-50, 50))
def test_residues_mix_with_integers(a, k):
    x = residue(a)
    assert x + k == k + x == residue(a + k) and x * k == k * x == residue(a * k)
    assert x - k == residue(a - k) and k - x == residue(k - a)
    if k:
        assert x / k == residue(a / k)
    if a:
        assert k / x == residue(k / a)


def test_the_field_is_large_and_prime():
    assert PRIME == 2**61 - 1 and sympy.isprime(PRIME)
    assert Residue(PRIME) == 0 and Residue(-1) == PRIME - 1


@pytest.mark.parametrize("zero", [Residue(0), 0, PRIME])
def test_dividing_by_zero_leaves_the_domain(zero):
    with pytest.raises(DomainError, match="division by zero in the prime field"):
        Residue(3) / zero


def test_numbers_of_the_fields():
    assert PrimeField.number(Rational(2, 3)) * 3 == 2
    assert Rationals.number(Rational(2, 3)) == Fraction(2, 3)
    with mp.workdps(50):
        assert Decimals.number(Rational(1, 3)) == mpf(1) / 3 and Decimals.number(sympy.pi) == mp.pi


@pytest.mark.parametrize("field", [PrimeField, Rationals])
@pytest.mark.parametrize("use", [lambda f: f.number(sympy.pi), lambda f: f.base_function("exp", f.number(1))])
def test_what_is_not_rational_says_so(field, use):
    with pytest.raises(NotRationalError):
        use(field)


def test_a_field_of_residues_has_no_order():
    with pytest.raises(NotRationalError):
        PrimeField.is_positive(Residue(1))
    assert Rationals.is_positive(Fraction(1, 2)) and not Rationals.is_positive(Dual(Fraction(-1), Fraction(1)))


# ---------------------------------------------------------------------------------- dual numbers

FUNCTIONS = Functions(Decimals)
POINTS = {
    "log": ["0.3", "2.7"],
    "sqrt": ["0.2", "3.1"],
    "asin": ["-0.7", "0.2"],
    "acos": ["-0.7", "0.2"],
    "floor": ["1.3", "-2.6"],
    "ceil": ["1.3", "-2.6"],
}


@pytest.mark.parametrize("name", SLOPES)
def test_the_slope_of_every_elementary_function(name):
    with mp.workdps(50):
        for at in map(mpf, POINTS.get(name, ["-0.7", "0.4", "1.2"])):
            found = FUNCTIONS.elementary(name, Dual(at, mpf(1)))
            assert abs(found.value - getattr(mpmath, name)(at)) < mpf(10) ** -45
            assert abs(found.slope - mpmath.diff(getattr(mpmath, name), at)) < mpf(10) ** -20


# The slope of the factorial is the digamma function, whose own slope is not carried.
@pytest.mark.parametrize("name", sorted(SLOPES.keys() - {"factorial"}))
def test_the_second_slope_of_every_elementary_function(name):
    with mp.workdps(50):
        at = mpf(POINTS.get(name, ["0.4"])[0])
        twice = FUNCTIONS.elementary(name, Dual(Dual(at, mpf(1)), Dual(mpf(1), mpf(0))))
        assert abs(twice.slope.slope - mpmath.diff(getattr(mpmath, name), at, 2)) < mpf(10) ** -12


@pytest.mark.parametrize("function", [sigmoid, softplus, normpdf, normcdf], ids=lambda f: f.__name__)
def test_composed_functions_are_those_of_their_definitions(function):
    u = sympy.Symbol("u", real=True)
    definition = sympy.lambdify(u, DEFINITIONS[function](u), "mpmath")
    with mp.workdps(50):
        for at in (mpf("-1.3"), mpf("0.6")):
            found = COMPOSED[function](FUNCTIONS, Dual(at, mpf(1)))
            assert abs(found.value - definition(at)) < mpf(10) ** -45
            assert abs(found.slope - mpmath.diff(definition, at)) < mpf(10) ** -20


@pytest.mark.parametrize("field", [Rationals, Decimals])
@pytest.mark.parametrize(
    ("name", "at", "value", "slope"),
    [
        ("relu", 3, 3, 1),
        ("relu", -3, 0, 0),
        ("relu", 0, 0, 0),
        ("step", 3, 1, 0),
        ("step", 0, 0, 0),
        ("sign", -3, -1, 0),
        ("sign", 0, 0, 0),
        ("absolute", -3, 3, -1),
        ("absolute", 3, 3, 1),
    ],
)
def test_functions_with_kinks(field, name, at, value, slope):
    found = getattr(Functions(field), name)(Dual(field.number(at), field.number(1)))
    assert (found.value, found.slope) == (value, slope)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(FRACTIONS, FRACTIONS, st.integers(-4, 4))
def test_dual_numbers_follow_the_rules_of_calculus(a, b, k):
    """Against the difference quotient of polynomials, which is exact as a polynomial identity."""
    x, y = Dual(a, Fraction(1)), Dual(b, Fraction(0))
    assert (x + y).slope == 1 and (x * y).slope == b and (y - x).slope == -1 and (3 * x).slope == 3 == (x * 3).slope
    assert (x * x * x).slope == 3 * a * a
    if a:
        assert (1 / x).slope == -1 / a**2 and (y / x).slope == -b / a**2
        assert Functions(Rationals).integer_power(x, k).slope == (k * a ** (k - 1) if k else 0)
    assert plain(Dual(Dual(a, 1), 1)) == a


def test_real_powers_carry_the_derivatives_of_base_and_exponent():
    with mp.workdps(50):
        base, exponent = mpf("1.7"), mpf("2.3")
        by_base = FUNCTIONS.power(Dual(base, mpf(1)), Dual(exponent, mpf(0)))
        by_exponent = FUNCTIONS.power(Dual(base, mpf(0)), Dual(exponent, mpf(1)))
        assert abs(by_base.slope - exponent * base ** (exponent - 1)) < mpf(10) ** -40
        assert abs(by_exponent.slope - base**exponent * mp.log(base)) < mpf(10) ** -40


@pytest.mark.parametrize("field", [Rationals, Decimals])
@pytest.mark.parametrize("bound", [0, -1])
def test_huber_needs_a_positive_bound(field, bound):
    with pytest.raises(DomainError, match="bound of huber is not positive"):
        Functions(field).huber(field.number(3), Dual(field.number(bound), field.number(1)))


OUTSIDE = {
    "log -1": lambda f: f.elementary("log", mpf(-1)),
    "log 0": lambda f: f.elementary("log", mpf(0)),
    "sqrt -2": lambda f: f.elementary("sqrt", mpf(-2)),
    "arcsin 2": lambda f: f.elementary("asin", mpf(2)),
    "(-1)^0.5": lambda f: f.power(mpf(-1), mpf("0.5")),
    "slope of sqrt at 0": lambda f: f.elementary("sqrt", Dual(mpf(0), mpf(1))),
    "slope of log at 0": lambda f: f.elementary("log", Dual(mpf(0), mpf(1))),
    "1/0 in 50 digits": lambda f: f.integer_power(mpf(0), -1),
    "1/0 of fractions": lambda f: Functions(Rationals).integer_power(Fraction(0), -1),
}


@pytest.mark.parametrize("place", OUTSIDE)
def test_points_outside_the_domain_say_so(place):
    """Whoever draws the points draws another one then."""
    with pytest.raises((DomainError, ZeroDivisionError)):
        OUTSIDE[place](FUNCTIONS)


def test_random_products_of_residues_are_never_zero():
    generator = random.Random(0)
    product = Residue(1)
    for _ in range(200):
        product = product * Residue(generator.randrange(1, PRIME))
    assert product.number


def test_far_from_zero_digits_are_kept():
    """1 + erf(x) cancels, and x - (x - y) loses y beside a large x."""
    with mp.workdps(50):
        assert abs(FUNCTIONS.normcdf(mpf(-40)) / mp.ncdf(-40) - 1) < 1e-45
        assert FUNCTIONS.normcdf(Dual(mpf(-40), mpf(1))).slope / mp.npdf(-40) == pytest.approx(1, rel=1e-45)
        small, large = mpf(1) / 3, mpf(10) ** 700
        assert FUNCTIONS.minimum(small, large) == FUNCTIONS.maximum(small, -large) == small
        assert FUNCTIONS.minimum(Dual(small, mpf(2)), large).slope == 2
