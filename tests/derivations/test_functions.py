"""Our scalar functions: values, slopes against 50-digit differences, and what happens at kinks."""

import pytest
from mpmath import mp, mpf
from sympy import Abs, DiracDelta, Heaviside, Max, Min, Rational, S, Symbol, exp, lambdify, log, sign, sqrt

from derivations.functions import (
    CONVENTIONS,
    DEFINITIONS,
    normcdf,
    normpdf,
    relu,
    sigmoid,
    slope,
    softplus,
    step,
)

u = Symbol("u", real=True)
c = Symbol("c", positive=True)


@pytest.mark.parametrize("function", DEFINITIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("at", ["-2.3", "0.4", "1.7"])
def test_slope_is_that_of_the_definition(function, at):
    number = Rational(at)
    ours = slope(function(u), u)
    for known, definition in DEFINITIONS.items():
        ours = ours.replace(known, definition)
    with mp.workdps(40):
        definition = lambdify(u, DEFINITIONS[function](u), "mpmath")
        expected = mp.diff(definition, mpf(number.p) / number.q)
        assert abs(lambdify(u, ours, "mpmath")(mpf(number.p) / number.q) - expected) < mpf(10) ** -15


@pytest.mark.parametrize("function", [normcdf, normpdf, sigmoid, softplus], ids=lambda f: f.__name__)
def test_a_function_of_a_number_has_a_value(function):
    for at in (S(2), Rational(-1, 3)):
        assert abs(float(function(at)) - float(DEFINITIONS[function](at))) < 1e-12


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (relu(S(3)), 3),
        (relu(S(-3)), 0),
        (relu(S.Zero), 0),
        (step(S(2)), 1),
        (step(S.Zero), 0),
        (sigmoid(S.Zero), Rational(1, 2)),
        (softplus(S.Zero), log(2)),
    ],
    ids=str,
)
def test_special_values(built, expected):
    assert built == expected


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (relu(u), step(u)),
        (step(u), 0),
        (Abs(u), sign(u)),
        (sign(u), 0),
        (Abs(u) ** 3, 3 * u**2 * sign(u)),
        (relu(u) ** 2, 2 * relu(u) * step(u)),
        (Max(u, 0), step(u)),
        (Min(u, 0), step(-u)),
        (u * sign(u), sign(u)),
        (exp(Abs(u)), exp(u * sign(u)) * sign(u)),
        (c**u, c**u * log(c)),
        (sqrt(c) * u, sqrt(c)),
    ],
    ids=str,
)
def test_slopes_at_kinks_follow_the_conventions(function, expected):
    found = slope(function, u)
    assert not found.has(DiracDelta, Heaviside)
    assert (found - expected).simplify() == 0


def test_every_kink_has_its_convention():
    assert {relu, step, Abs, sign, Max, Min} == set(CONVENTIONS)
