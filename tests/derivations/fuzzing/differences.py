"""Central differences of an expression's text against its derivative: the definition, with no dual numbers.

They see what the exact witness cannot: a tree that was simplified by what holds of the variable of differentiation.
"""

import random

from mpmath import matrix, mpf

from derivations import rules
from derivations.errors import DomainError
from derivations.expressions import is_matrix, shape_of
from derivations.verification import kinks
from derivations.verification.arithmetic import DIGITS, Decimals
from derivations.verification.evaluation import Evaluator
from tests.derivations.fuzzing import values
from tests.derivations.fuzzing.points import WRONG, Found, at_points, name_of

# Steps of the central differences of order one and two, and what may be left of their errors.
STEPS = {1: mpf(10) ** -14, 2: mpf(10) ** -9}
CLOSE = mpf(10) ** -10
# A number that is meant to be zero may be as large as this, and then has any sign.
ROUNDING = mpf(10) ** -30
NUDGE = mpf(10) ** -3


def agree(term, derivation):
    """The result against central differences of the text, the entries of the variable being independent."""
    if not 1 <= derivation.order <= 2 or derivation.definitions:
        return False

    def check(evaluate, point, sizes):
        by_name = {str(s): n for s, n in sizes.items()}
        generator = random.Random(0)
        changes = [_direction(point[v], derivation.structure, generator) for v in derivation.wrt_all]
        if agrees(term, derivation, evaluate(derivation.result), point, by_name, changes):
            return
        if 0 not in kink_arguments(derivation.expression, evaluate):
            raise Found(WRONG, "central differences of the text disagree")
        # At a kink the derivative is a convention: only beside it can it be compared.
        beside = dict(point)
        for v, change in zip(derivation.wrt_all, changes):
            beside[v] = _plus(beside[v], change, NUDGE)
        # There, what is declared of the variable holds no more.
        free = next((s.before for s in derivation.steps if s.rule.source == "Declaration"), derivation.result)
        if derivation.structure and free is not derivation.result:
            free = rules.STRUCTURES[derivation.structure].apply(free)
        there = Evaluator(Decimals, beside, evaluate.integers)
        if agrees(term, derivation, there(free), beside, by_name, changes):
            raise DomainError("a kink")
        if any(abs(x) < ROUNDING for x in kink_arguments(derivation.expression, there)):
            raise DomainError("on a kink that does not move, where rounding decides")
        raise Found(WRONG, "central differences of the text disagree")

    return at_points(derivation, check)


def kink_arguments(expression, evaluate):
    """The numbers whose signs tell the sides of kinks."""
    found = map(evaluate, kinks.arguments(expression))
    return [x for value in found for row in (value if isinstance(value, list) else [[value]]) for x in row]


def agrees(term, derivation, result, point, sizes, changes):
    """Whether they agree at one point, in one direction for each variable of differentiation."""
    names = {name_of(v): x for v, x in point.items()}
    moved = [name_of(v) for v in derivation.wrt_all]
    step = STEPS[derivation.order]

    def at(*distances):
        here = dict(names)
        for name, change, distance in zip(moved, changes, distances):
            here[name] = _plus(here[name], change, distance)
        return values.value(term, here, sizes)

    def quotient(h):
        if derivation.order == 1:
            found = (at(h) - at(-h)) / (2 * h)
        else:
            found = (at(h, h) - at(h, -h) - at(-h, h) + at(-h, -h)) / (4 * h * h)
        return values.vec(found) if derivation.layout == "vec" else found

    found, finer = quotient(step), quotient(step / 2)
    if not _near(found, finer, mpf(10) ** -6):
        raise DomainError("beside a kink or a pole")
    error = max(abs(x - y) for x, y in zip(values.entries(found), values.entries(finer)))
    rounding = max(map(abs, values.entries(at(step)))) * mpf(10) ** (3 - DIGITS) / step**derivation.order
    expected = applied(derivation, result, changes)
    return _near(finer, expected, CLOSE, 100 * (error + rounding))


def _direction(value, structure, generator):
    def number():
        return mpf(generator.choice((-1, 1)) * generator.randrange(1, 20)) / 8

    if not isinstance(value, list):
        return number()
    rows = [[number() for _ in r] for r in value]
    if structure == "symmetric":
        rows = [[rows[min(i, j)][max(i, j)] for j in range(len(rows))] for i in range(len(rows))]
    if structure == "diagonal":
        rows = [[x if i == j else mpf(0) for j, x in enumerate(r)] for i, r in enumerate(rows)]
    return rows


def _plus(value, change, step):
    if not isinstance(value, list):
        return value + step * change
    return [[x + step * y for x, y in zip(r, s)] for r, s in zip(value, change)]


def _near(left, right, tolerance, slack=0):
    pairs = list(zip(values.entries(left), values.entries(right)))
    scale = max([abs(x) for pair in pairs for x in pair] + [mpf(10) ** -6])
    return max(abs(x - y) for x, y in pairs) <= tolerance * scale + slack


def applied(derivation, result, changes):
    """What the derivative, in its layout, says of the changes of the variables."""
    stacked = [values.vec(values.as_matrix(c if isinstance(c, mpf) else matrix(c))) for c in changes]
    columns = [values.as_matrix(c) for c in stacked]
    result = values.as_matrix(result if isinstance(result, mpf) else matrix(result))
    of = [int(s) if s.is_Integer else None for s in shape_of(derivation.expression)]
    if derivation.order == 2:
        return (columns[0].T * result * columns[1])[0, 0]
    if of == [1, 1] and derivation.structure:
        n = len(changes[0])
        return sum(result[i, j] * changes[0][i][j] for i in range(n) for j in range(i, n))
    if of == [1, 1]:
        own = result.T if derivation.layout == "numerator" else result
        return sum(x * y for x, y in zip(values.as_matrix(values.vec(own)), columns[0]))
    if not is_matrix(derivation.wrt):
        scaled = result * columns[0][0]
        return scaled
    if derivation.layout == "denominator":
        return values.plain(result.T * columns[0])
    return values.plain(result * columns[0])
