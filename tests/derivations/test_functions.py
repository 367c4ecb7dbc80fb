"""Our scalar functions: values, slopes against 50-digit differences, and what happens at kinks."""

import pytest
from mpmath import mp, mpf
from sympy import Abs, DiracDelta, Heaviside, Max, Min, Rational, S, Symbol, exp, lambdify, log, sign, sqrt

from derivations.functions import (
    CONVENTIONS,
    DEFINITIONS,
    clip,
    huber,
    maximum,
    minimum,
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
        (exp(Abs(u)), exp(Abs(u)) * sign(u)),
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
    assert {relu, step, Abs, sign, maximum, minimum, clip} == set(CONVENTIONS)


# ---------------------------------------------------------------------- functions of several arguments

v, w = Symbol("v", real=True), Symbol("w", real=True)
SEVERAL = {
    maximum: lambda a, b: a if a > b else b,
    minimum: lambda a, b: b if a > b else a,
    clip: lambda a, low, high: low if a < low else high if a > high else a,
    huber: lambda a, c: a * a / 2 if abs(a) <= c else c * (abs(a) - c / 2),
}
# Away from the kinks, on every side of them; the bounds of clip in their order, the threshold of huber positive.
PLACES = {
    maximum: [(1.2, -0.3), (-0.3, 1.2), (2.0, 1.0), (-1.5, -2.5)],
    minimum: [(1.2, -0.3), (-0.3, 1.2), (2.0, 1.0), (-1.5, -2.5)],
    clip: [(0.4, -1.0, 1.0), (-3.0, -1.0, 1.0), (2.5, -1.0, 1.0), (-0.2, 0.1, 0.7)],
    huber: [(0.3, 1.1), (-0.3, 1.1), (2.4, 1.1), (-2.4, 1.1)],
}
ALL = [pytest.param(f, place, id=f"{f.__name__}{place}") for f, places in PLACES.items() for place in places]


def number(expression, place):
    """Its value at the place, with our functions read as what they are."""
    found = expression.xreplace(dict(zip((u, v, w), map(Rational, place), strict=False)))
    for function, plain in {**SEVERAL, relu: lambda a: max(a, 0), step: lambda a: int(a > 0)}.items():
        found = found.replace(function, lambda *parts, plain=plain: plain(*parts))
    return found


@pytest.mark.parametrize(("function", "place"), ALL)
def test_slopes_by_every_argument_are_those_of_the_definition(function, place):
    arguments = (u, v, w)[: len(place)]
    h = Rational(1, 10**6)
    for i, argument in enumerate(arguments):
        steps = [tuple(Rational(str(x)) + (d * h if j == i else 0) for j, x in enumerate(place)) for d in (1, -1)]
        expected = (SEVERAL[function](*steps[0]) - SEVERAL[function](*steps[1])) / (2 * h)
        found = number(slope(function(*arguments), argument), tuple(map(str, place)))
        assert abs(found - expected) < Rational(1, 10**6)


@pytest.mark.parametrize(("function", "place"), ALL)
def test_of_numbers_they_have_the_value_of_the_definition(function, place):
    """Of fractions, and of numbers that are none."""
    fractions = [Rational(str(x)) for x in place]
    assert float(function(*fractions)) == float(SEVERAL[function](*fractions))
    roots = [x * sqrt(2) for x in fractions]
    assert abs(float(function(*roots)) - float(SEVERAL[function](*roots))) < 1e-12


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (maximum(u, u), u),
        (minimum(u, u), u),
        (maximum(S(2), S(3)), 3),
        (minimum(S(2), S(3)), 2),
        (maximum(S(2), S(2)), 2),
        (clip(S(5), S(0), S(1)), 1),
        (clip(S(-5), S(0), S(1)), 0),
        (clip(S.Half, S(0), S(1)), S.Half),
        (huber(S.Zero, c), 0),
        (huber(S(1), S(2)), S.Half),
        (huber(S(5), S(2)), 8),
    ],
    ids=str,
)
def test_special_values_of_several_arguments(built, expected):
    assert built == expected


@pytest.mark.parametrize("function", [maximum, minimum])
def test_where_the_arguments_are_equal_the_last_one_counts(function):
    """As the convention says; so the slopes add up to one everywhere, and max(f, f) has the slope of f."""
    assert [slope(function(u, v), argument).xreplace({v: u}) for argument in (u, v)] == [0, 1]


def test_at_the_bounds_the_slope_of_clip_is_zero():
    for bound in (S(-1), S(1)):
        assert slope(clip(u, S(-1), S(1)), u).xreplace({u: bound}) == 0


@pytest.mark.parametrize("place", ["-3", "0.2", "2.5"])
def test_the_slope_of_clip_where_its_bounds_are_in_the_wrong_order(place):
    """min(max(u, lo), hi) is hi there."""
    at = {u: Rational(place), v: S(2), w: S(1)}
    found = [slope(clip(u, v, w), x).xreplace(at) for x in (u, v, w)]
    assert found == [0, 0, 1]


def test_a_squared_huber_is_smooth_at_its_threshold():
    """Its slope is continuous, so no convention is needed."""
    inside, outside = (
        slope(huber(u, S(1)), u).xreplace({u: S(1) + d}) for d in (-Rational(1, 10**9), Rational(1, 10**9))
    )
    assert abs(inside - outside) <= Rational(1, 10**9) and huber not in CONVENTIONS
