"""The exact witness: every step and the result against the definition, by dual numbers.

Polynomial and rational derivations are checked at random points of a prime field of 2^61 - 1
elements, where a false equality survives a point with probability at most degree / p
(Schwartz 1980; Zippel 1979); where order matters (ReLU, floors), in rational numbers. The others are
checked with 50 digits, or with 100 where cancellation takes too many.
"""

import contextlib
import itertools
import random
from fractions import Fraction

from mpmath import mp, mpf

from derivations import rules
from derivations.errors import DerivationError, DomainError, UnsupportedError
from derivations.expressions import LossGradient, Transpose, is_matrix, is_proposition
from derivations.kronecker import Vec
from derivations.scalars import UNWORKED, Loss, differential_of
from derivations.verification.arithmetic import (
    DIGITS,
    PRIME,
    Decimals,
    Dual,
    NotRationalError,
    PrimeField,
    Rationals,
    Residue,
    plain,
    slopes,
)
from derivations.verification.degrees import degree
from derivations.verification.evaluation import Evaluator
from derivations.verification.kinks import arguments, other_sides, sides
from derivations.verification.layouts import misfit
from derivations.verification.linear import rows_of
from derivations.verification.report import Witness
from derivations.verification.sampling import (
    COUNT,
    SIZES,
    STRUCTURES,
    Sampler,
    counted,
    properties_of,
    size_symbols,
    sizes_for,
    whole,
)

POINTS = 2
ATTEMPTS = 40
# Fifty digits less those that elimination and cancellation may cost.
TOLERANCE = mpf(10) ** (15 - DIGITS)


class FieldSampler(Sampler):
    ordered = False

    def generic(self):
        return Residue(self.generator.randrange(1, PRIME))

    def between(self, low, high):
        return self.generic()


class DecimalSampler(Sampler):
    def generic(self):
        # The sum of three uniform numbers: bounded, centred, and never on a kink.
        return sum(self.between(-1, 1) for _ in range(3))

    def between(self, low, high):
        return mpf(low) + (mpf(high) - mpf(low)) * mpf(self.generator.getrandbits(170)) / mpf(2) ** 170


class RationalSampler(Sampler):
    def generic(self):
        return Fraction(self.generator.choice((-1, 1)) * self.generator.randrange(1, 60), 7)

    def between(self, low, high):
        return Fraction(low) + (Fraction(high) - Fraction(low)) * Fraction(self.generator.randrange(1, 64), 64)


# The first field that can evaluate a derivation is the one that checks it.
SAMPLERS = {PrimeField: FieldSampler, Rationals: RationalSampler, Decimals: DecimalSampler}


def check(derivation, points=POINTS, seed=0):
    """A Witness for every step and the result of a derivation."""
    return asked_twice(lambda: _check(derivation, points, seed), lambda witness: witness.passed is not False)


def asked_twice(ask, passes):
    """The answer with 50 digits, or with 100 where it does not pass: what rounding did shrinks, an error stays."""
    for digits in (DIGITS, 2 * DIGITS):
        with mp.workdps(digits):
            answer = ask()
        if passes(answer):
            break
    return answer


def _check(derivation, points, seed):
    for field in SAMPLERS:
        try:
            return _check_in(field, derivation, points, seed)
        except NotRationalError:
            continue
        except DerivationError as error:
            return Witness("exact", None, note=str(error))


def _check_in(field, derivation, points, seed):
    worst, failed = mpf(0), misfit(derivation)
    points = COUNT if counted(derivation, 0) else points
    met = 0
    for claims in _at_points(derivation, field, points, seed):
        met += 1
        for claim, left, right in claims:
            error = _difference(left, right, field)
            worst = max(worst, error)
            if not error < (TOLERANCE if field is Decimals else mpf(1) / 2):
                failed = failed or claim
    return Witness(
        f"exact ({field.name.format(mp.dps)})",
        not failed,
        met,
        float(worst),
        _error_bound(derivation, points) if field is PrimeField else None,
        failed,
    )


def _error_bound(derivation, points):
    """The probability that a false statement passed at all points, by the degrees of both sides of every claim."""
    if is_proposition(derivation.expression):
        return None
    sizes = dict.fromkeys(size_symbols(derivation.variables, _expressions(derivation)), max(SIZES))
    change = derivation.expression
    for _ in derivation.wrt_all:
        change = differential_of(change)

    def bound(left, right):
        # A derivative that is read off is applied to dX or to two of them; zero is not among the numbers drawn.
        degrees = degree(left, sizes, derivation.definitions) + degree(right, sizes, derivation.definitions) + 2
        return min(1.0, degrees / (PRIME - 1)) ** points

    lines = [side for step in derivation.steps for side in (step.before, step.after)]
    # Each line equals the one before, across steps too, and a step that reads off has two claims.
    claims = [*itertools.pairwise(lines), *((step.before, step.after) for step in derivation.steps)]
    return sum(bound(*claim) for claim in claims) + bound(change, derivation.result)


# ------------------------------------------------------------------------------------- points


def _at_points(derivation, field, points, seed):
    """The claims at random points, and at more of them where only one side of a kink was met."""
    sampler = SAMPLERS[field]
    kinks, seen = arguments(derivation.expression) if sampler.ordered else [], set()
    for point in range(points):
        evaluator, claims = _inside(derivation, field, f"{seed}/{point}", whole(derivation, point))
        yield claims
        seen |= sides(kinks, evaluator())

    def drawn(number, spread):
        there = sampler(f"{seed}/side {number}", spread)
        evaluator = _evaluator(derivation, field, there, whole(derivation, number))
        return evaluator(), evaluator

    for evaluator in other_sides(kinks, drawn, seen):
        with contextlib.suppress(DomainError, ZeroDivisionError):
            yield list(_claims(derivation, evaluator))


def _inside(derivation, field, seed, fixed):
    """An evaluator at one random point inside the domain, and the claims there."""
    reason = None
    for attempt in range(ATTEMPTS):
        try:
            evaluator = _evaluator(derivation, field, SAMPLERS[field](f"{seed}/{attempt}"), fixed)
            return evaluator, list(_claims(derivation, evaluator))
        except (DomainError, ZeroDivisionError) as error:
            reason = error
    raise DerivationError(f"no point inside the domain in {ATTEMPTS} attempts: {reason}")


def _claims(derivation, evaluator):
    """(name, left, right) of every equality."""
    yield from _step_claims(derivation, evaluator)
    yield _result_claim(derivation, evaluator)


def _evaluator(derivation, field, sampler, fixed):
    """A point: what gives the values there, with a layer of dual numbers for each variable that it is asked for."""
    variables = derivation.independent_variables
    sizes = sizes_for(variables, sampler.generator, _expressions(derivation))
    point = {v: _value(v, sampler, sizes) for v in variables}
    integers = dict(sizes)
    for v in variables:
        if not is_matrix(v) and v.is_integer:
            integers[v] = point[v] = fixed[v]
    point = {v: _lift(x, field) for v, x in point.items()}
    directions = {v: _direction(x, sampler) for v, x in point.items()}
    free_entries = _with_structure(directions, derivation)
    others = {v: _direction(x, sampler) for v, x in point.items()}
    losses = {name: _loss(sampler) for name in _loss_names(derivation.expression)}

    def evaluator(*seeds, structured=False):
        values = point
        # Each derivative is one more layer of dual numbers, for all variables alike, in a direction of its own:
        # u'Hu says nothing of the skew part of a Hessian.
        for seeded, chosen in zip(seeds, (free_entries if structured else directions, others)):
            values = {v: _layer(x, chosen[v] if v == seeded else None) for v, x in values.items()}
        return Evaluator(field, values, integers, losses, derivation.definitions)

    return evaluator


def _expressions(derivation):
    return derivation.expression, derivation.result, *(part for s in derivation.steps for part in (s.before, s.after))


def _value(variable, sampler, sizes):
    if is_matrix(variable):
        return sampler.matrix(variable, sizes)
    return sampler.scalar(properties_of(variable))


def _lift(value, field):
    if isinstance(value, list):
        return [[_lift(x, field) for x in row] for row in value]
    return field.number(value) if isinstance(value, int) else value


def _direction(value, sampler):
    return [[sampler.generic() for _ in row] for row in value] if isinstance(value, list) else sampler.generic()


def _with_structure(directions, derivation):
    """The directions, that of a structured variable of differentiation having its structure."""
    if not derivation.structure:
        return directions
    (variable,) = derivation.wrt_all
    return {**directions, variable: STRUCTURES[derivation.structure](None, directions[variable])}


def _layer(value, direction):
    """A value as dual numbers with the direction as their slopes, or with none."""
    if isinstance(value, list):
        return [[_layer(x, direction and direction[i][k]) for k, x in enumerate(row)] for i, row in enumerate(value)]
    return Dual(value, value * 0 if direction is None else value * 0 + direction)


def _loss_names(expression):
    return sorted({str(e.args[0]) for e in expression.atoms(Loss, LossGradient)})


def _loss(sampler):
    """A random smooth function of the entries: u + u v + v^3 for two random linear forms u, v."""
    seed = sampler.generator.random()

    def polynomial(rows):
        coefficients = random.Random(seed)
        u = v = 0
        for row in rows:
            for x in row:
                u = u + x * coefficients.randrange(1, 9)
                v = v + x * coefficients.randrange(1, 9)
        return u + u * v + v * v * v

    return polynomial


# ------------------------------------------------------------------------------------- claims

# How the two sides of a step that reads a derivative off are to be compared.
READ_OFF = {rules.GRADIENT, rules.JACOBIAN, rules.DERIVATIVE}
TRANSPOSED = {rules.DENOMINATOR, rules.NUMERATOR}


def _step_claims(derivation, evaluator):
    """Each line equals the one before, the first is d(expression), and the last is the result."""
    orders = iter(derivation.wrt_all)
    variable, values, after = None, evaluator(), None
    for number, step in enumerate(derivation.steps, 1):
        name = f"step {number} ({step.rule.name})"
        if step.before != after and isinstance(step.before, UNWORKED):
            variable = next(orders, None)
            if variable is None:
                raise UnsupportedError(f"{name} is a differentiation that was not asked for")
            values = evaluator(variable)
            start = differential_of(derivation.expression if after is None else after)
            yield f"{name} starts from d(f)", values(start), values(step.before)
        elif step.before != (derivation.expression if after is None else after):
            expected = derivation.expression if after is None else after
            yield f"{name} goes on from the line before", values(expected), values(step.before)
        after = step.after
        left = values(step.before)
        if step.rule in READ_OFF:
            yield name, left, _applied(step.after, values, variable, step.rule is rules.GRADIENT)
        elif step.rule.role == "structure":
            values = evaluator(variable, structured=True)
            yield name, _applied(step.before, values, variable, True), _by_free_entries(step.after, values, variable)
        elif step.rule is rules.VECTORISE:
            yield name, values(Vec(step.before)), values(step.after)
        elif step.rule in TRANSPOSED:
            yield name, left, values(Transpose(step.after)) if is_matrix(step.after) else values(step.after)
        else:
            yield name, left, values(step.after)
    if derivation.structure:
        yield "the result keeps the structure", *_mirrored(evaluator()(derivation.result), derivation.structure)
    if derivation.steps and after != derivation.result:
        yield "the lines do not lead to the result", values.field.number(0), values.field.number(1)


def _applied(derivative, values, variable, gradient):
    """The derivative applied to dX: tr(G' dX) for a gradient, J vec(dX) for a Jacobian, Y' ds by a scalar."""
    change = values(differential_of(variable))
    rows = values(derivative)
    if not isinstance(change, list):
        return [[x * change for x in row] for row in rows] if isinstance(rows, list) else rows * change
    if gradient:
        return values.total(x * y for r, s in zip(rows, change) for x, y in zip(r, s))
    return [[values.total(x * y for x, y in zip(row, _stacked(change)))] for row in rows]


def _by_free_entries(derivative, values, variable):
    """The derivative by the free entries applied to dX: the sum over i <= j of S_ij dX_ij."""
    change, rows = values(differential_of(variable)), values(derivative)
    return values.total(x * y for i, (r, s) in enumerate(zip(rows, change)) for x, y in zip(r[i:], s[i:]))


def _mirrored(rows, structure):
    """A matrix, and what it would be if it had the structure."""
    if structure == "symmetric":
        return rows, [list(column) for column in zip(*rows)]
    return rows, [[x if i == j else x * 0 for j, x in enumerate(row)] for i, row in enumerate(rows)]


def _result_claim(derivation, evaluator):
    """The result against the definition of the derivative of the expression itself."""
    plainly = evaluator()
    if not derivation.wrt_all:
        return "result", plainly(derivation.expression), plainly(derivation.result)
    if derivation.order == 2:
        x, z = derivation.wrt_all
        twice = slopes(slopes(evaluator(x, z)(derivation.expression)))
        # As the layers of the value: the direction of the first, and the other one of the second.
        seconds = evaluator(x, z)
        rows, columns = _stacked(slopes(_slope_parts(seconds(x)))), _stacked(slopes(seconds(z)))
        hessian = rows_of(plainly(derivation.result))
        return "result", twice, plainly.total(u * h * w for u, row in zip(rows, hessian) for h, w in zip(row, columns))
    (variable,) = derivation.wrt_all
    result, values = derivation.result, evaluator(variable, structured=True)
    if derivation.structure:
        change = _slope_parts(_by_free_entries(result, values, variable))
        return "result", slopes(values(derivation.expression)), change
    gradient = not is_matrix(derivation.expression)
    if derivation.layout == "denominator" or (derivation.layout == "numerator" and gradient):
        result = Transpose(result)
    slope = slopes(values(derivation.expression))
    if derivation.layout == "vec":
        slope = [[x] for x in _stacked(slope)]
    return "result", slope, _slope_parts(_applied(result, values, variable, gradient))


def _stacked(value):
    """The entries of a matrix, column by column, or the one number."""
    return [x for column in zip(*rows_of(value)) for x in column]


def _slope_parts(value):
    """Drop the infinitesimal parts: differentials were lifted to dual numbers."""
    if isinstance(value, list):
        return [[_slope_parts(x) for x in row] for row in value]
    return value.value if isinstance(value, Dual) else value


def _difference(left, right, field):
    """The largest entrywise error relative to the largest entry; in the field 0 or 1."""
    left, right = rows_of(left), rows_of(right)
    if (len(left), len(left[0])) != (len(right), len(right[0])):
        return mpf("inf")
    pairs = [(plain(x), plain(y)) for r, s in zip(left, right) for x, y in zip(r, s)]
    if field is not Decimals:
        return mpf(int(any(x - y != 0 for x, y in pairs)))
    scale = max([abs(v) for pair in pairs for v in pair] + [mpf(10) ** -12])
    return max(abs(x - y) for x, y in pairs) / scale
