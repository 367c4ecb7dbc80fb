"""Is a formula that somebody claims the derivative? Both are evaluated at random points."""

import math
from dataclasses import dataclass, replace
from itertools import cycle

from mpmath import mp
from sympy import Dummy, Rational, nan, oo, zoo

from derivations.errors import DerivationError, DomainError, ShapeError
from derivations.expressions import Transpose, is_matrix, shape_of
from derivations.notation import inference, shapes, text
from derivations.verification.arithmetic import DIGITS, PRIME, Decimals, NotRationalError, PrimeField, Rationals
from derivations.verification.degrees import degree
from derivations.verification.evaluation import Evaluator
from derivations.verification.exact import ATTEMPTS, SAMPLERS, TOLERANCE, asked_twice
from derivations.verification.kinks import arguments, other_sides, sides
from derivations.verification.linear import rows_of
from derivations.verification.report import Witness
from derivations.verification.sampling import Sampler, properties_of, sizes_for, whole

POINTS = 3
# Nothing is decided in the plain rational numbers: few of them are drawn, and a kink is easily met.
FIELDS = (PrimeField, Decimals)


@dataclass(frozen=True)
class Counterexample:
    """Values of the variables by name, and both sides at the entry where they differ most.

    Vectors are lists and matrices lists of rows; `entry` is (row, column), counted from 1.
    """

    point: dict
    entry: tuple
    claimed: float
    derived: float


@dataclass(frozen=True)
class Comparison:
    """The word on a claim; a counterexample where there is one with numbers to show."""

    witness: Witness
    counterexample: Counterexample | None = None


@dataclass(frozen=True)
class Difference:
    """Two values at a point: the largest error relative to the largest entry, and where it is."""

    error: float
    entry: tuple
    claimed: object
    derived: object
    point: dict


def read_claim(claim, derivation):
    """The expression of a claim in the text notation; names mean what they mean in the derivation."""
    known = {v.name: v for v in derivation.variables}
    reading = inference.infer(claim, text.parse(claim), {n: shapes.known(v) for n, v in known.items()})
    for name in reading.variables.keys() - known.keys():
        raise DerivationError(f"the claim has {name}, which the expression does not have")
    # What the claim leaves open, as in vector(1), is as large as the derivative.
    sizes = zip(shape_of(reading.expression), shape_of(derivation.result))
    expression = reading.expression.xreplace({size: wanted for size, wanted in sizes if isinstance(size, Dummy)})
    if any(isinstance(s, Dummy) for s in expression.free_symbols):
        raise ShapeError(f"the claim {claim!r} depends on a size that nothing determines; write eye(n) or ones(m,n)")
    if expression.has(oo, zoo, nan):
        raise DerivationError(f"the claim {claim!r} is not finite")
    return expression


def compare(claim, derivation, points=POINTS, seed=0):
    """A Comparison of an expression with the result of a derivation."""
    with mp.workdps(DIGITS):
        found = _judge(claim, derivation, points, seed)
        if not found.witness.passed and is_matrix(claim):
            turned = _judge(Transpose(claim), derivation, points, seed)
            if turned.witness.passed:
                hint = "its transpose is right: a transpose is lost, or the layout is the other one"
                note = "; ".join(n for n in (found.witness.note, hint) if n)
                return replace(found, witness=replace(found.witness, note=note))
    return found


def _judge(claim, derivation, points, seed):
    claimed, derived = shape_of(claim), shape_of(derivation.result)
    if claimed != derived:
        sizes = [" x ".join(map(str, shape)) for shape in (claimed, derived)]
        return Comparison(Witness("claim", False, note=f"the claim is {sizes[0]}, the derivative {sizes[1]}"))
    for field in FIELDS:
        try:
            return _judge_in(field, claim, derivation, points, seed)
        except NotRationalError:
            continue
    raise DerivationError("the claim cannot be evaluated")


def _judge_in(field, claim, derivation, points, seed):
    witness = asked_twice(lambda: _witness(field, claim, derivation, points, seed), lambda found: found.passed)
    return Comparison(witness, None if witness.passed else counterexample(claim, derivation, seed))


def _witness(field, claim, derivation, points, seed):
    found = list(_at_points(claim, derivation, field, points, seed))
    worst, bound = max(d.error for d in found), None
    if field is PrimeField:
        sizes = {s: 5 for v in derivation.variables if is_matrix(v) for d in v.shape for s in d.free_symbols}
        bound = min(1.0, (degree(claim, sizes) + degree(derivation.result, sizes)) / PRIME) ** points
    return Witness(f"claim ({field.name.format(mp.dps)})", worst <= TOLERANCE, len(found), worst, bound)


# --------------------------------------------------------------------------------- counterexamples


class SmallSampler(Sampler):
    """Numbers that a person can put in by hand: whole ones from -3 to 3, and quarters."""

    def generic(self):
        return Rational(self.generator.choice((-3, -2, -1, 1, 2, 3)))

    def between(self, low, high):
        return Rational(self.generator.randrange(math.ceil(4 * low), math.floor(4 * high) + 1), 4)


# Of the sizes in order of their names; in both orders, as inv(X'*X) exists only if X has more rows than columns.
SMALL_SIZES = ((2, 3), (3, 2))
# Where small numbers leave the domain, as in arcsin(x), others are better than none.
SEARCHES = ((Rationals, SmallSampler), (Decimals, SmallSampler), (Decimals, SAMPLERS[Decimals]))


def counterexample(claim, derivation, seed=0):
    """A point, of small numbers if there is one, where floats show that the claim is not the derivative; or None."""
    for field, sampler in SEARCHES:
        for attempt in range(ATTEMPTS):
            try:
                drawn = sampler(f"{seed}/{attempt}", spread=4 ** (attempt // 10))
                fixed, sizes = whole(derivation, attempt), SMALL_SIZES[attempt % 2]
                found = _difference(claim, derivation, _evaluator(claim, derivation, field, drawn, fixed, sizes))
            except (DomainError, ZeroDivisionError):
                continue
            except NotRationalError:
                break
            claimed, derived = _number(found.claimed), _number(found.derived)
            if found.error > TOLERANCE and claimed != derived and math.isfinite(claimed) and math.isfinite(derived):
                point = {v.name: _natural(v, value) for v, value in found.point.items()}
                return Counterexample(point, found.entry, claimed, derived)
    return None


def _natural(variable, value):
    if not is_matrix(variable):
        return _number(value)
    if variable.shape[1] == 1:
        return [_number(x) for (x,) in value]
    return [[_number(x) for x in row] for row in value]


def _number(x):
    try:
        number = float(x)
    except OverflowError:  # of a fraction; a number with a point becomes infinite
        return math.inf
    return int(number) if number.is_integer() else number


# ------------------------------------------------------------------------------------------ points


def _at_points(claim, derivation, field, points, seed):
    """The Differences at random points inside the domain of both, and at more of them where only one side of a kink
    was met.
    """
    sampler = SAMPLERS[field]
    kinks, seen = [*arguments(derivation.expression), *arguments(claim)] if sampler.ordered else [], set()
    for i in range(points):
        values, difference = _somewhere(claim, derivation, field, f"{seed}/{i}", whole(derivation, i))
        yield difference
        seen |= sides(kinks, values)

    def drawn(number, spread):
        there = sampler(f"{seed}/side {number}", spread)
        values = _evaluator(claim, derivation, field, there, whole(derivation, number))
        return values, _difference(claim, derivation, values)

    yield from other_sides(kinks, drawn, seen)


def _somewhere(claim, derivation, field, seed, fixed):
    """The values at one random point, and the Difference there."""
    reason = None
    for attempt in range(ATTEMPTS):
        try:
            values = _evaluator(claim, derivation, field, SAMPLERS[field](f"{seed}/{attempt}"), fixed)
            return values, _difference(claim, derivation, values)
        except (DomainError, ZeroDivisionError) as error:
            reason = error
    raise DomainError(f"no point inside the domain of the claim and the derivative: {reason}")


def _evaluator(claim, derivation, field, sampler, fixed, small=()):
    """What gives the values of expressions at a random point."""
    variables = derivation.independent_variables
    sizes = sizes_for(variables, sampler.generator, (claim, derivation.result))
    if small:
        sizes = dict(zip(sizes, cycle(small)))
    point = {v: _value(v, sampler, sizes, field) for v in variables}
    point |= {v: field.number(n) for v, n in fixed.items()}
    return Evaluator(field, point, {**sizes, **fixed}, definitions=derivation.definitions)


def _difference(claim, derivation, values):
    """The Difference of both sides at a point."""
    field = values.field
    left, right = (rows_of(values(e)) for e in (claim, derivation.result))
    entries = [(i, j) for i, row in enumerate(right) for j in range(len(row))]
    scale = max(field.size_of(side[i][j]) for side in (left, right) for i, j in entries) or 1
    errors = {(i, j): float(field.size_of(left[i][j] - right[i][j]) / scale) for i, j in entries}
    i, j = max(entries, key=errors.get)
    point = {v: values.values[v] for v in derivation.independent_variables}
    return Difference(errors[i, j], (i + 1, j + 1), left[i][j], right[i][j], point)


def _value(variable, sampler, sizes, field):
    def lift(x):
        return field.number(x) if isinstance(x, (int, Rational)) else x

    if not is_matrix(variable):
        return lift(sampler.scalar(properties_of(variable)))
    return [[lift(x) for x in row] for row in sampler.matrix(variable, sizes)]
