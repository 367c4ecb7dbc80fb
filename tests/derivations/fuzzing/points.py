"""Random points of a derivation's domain, and the verdicts that are found there."""

from mpmath import mp, mpf
from sympy import Integer, Mul

import derivations as dv
from derivations.errors import DomainError
from derivations.expressions import is_matrix, shape_of
from derivations.notation.shapes import dimension
from derivations.verification.arithmetic import Decimals
from derivations.verification.evaluation import Evaluator
from derivations.verification.exact import DecimalSampler
from derivations.verification.sampling import properties_of, sizes_for
from tests.derivations.fuzzing.terms import SIZES

ATTEMPTS = 12
# Entries of a result, above which sizes are taken small.
MOST = 300

# Verdicts from the worst to the best.
WRONG, EXCEPTION, SLOW, UNVERIFIED, UNSTABLE, REFUSED, NO_POINT, RIGHT = VERDICTS = (
    *("wrong", "exception", "slow", "unverified", "unstable", "refused", "no point", "right"),
)


class Found(Exception):
    """The verdict, reached before the end."""

    def __init__(self, verdict, reason):
        super().__init__(verdict, reason)
        self.verdict, self.reason = verdict, reason


def name_of(variable):
    return getattr(variable, "name", str(variable))


def drawn(derivation, seed):
    """(values by variable, sizes by symbol) at a random point."""
    sampler = DecimalSampler(seed)
    variables = derivation.variables
    sizes = sizes_for(variables, sampler.generator, (derivation.expression, derivation.result))
    sizes = {s: sampler.generator.choice((2, 3)) for s in map(dimension, SIZES)} | sizes
    entries = Mul(*shape_of(derivation.result)).xreplace({s: Integer(n) for s, n in sizes.items()})
    if entries > MOST:
        sizes = {s: 2 + i % 2 for i, s in enumerate(sorted(sizes, key=str))}
    point = {v: sampler.matrix(v, sizes) if is_matrix(v) else sampler.scalar(properties_of(v)) for v in variables}
    return {v: [[mpf(x) for x in r] for r in a] if is_matrix(v) else a for v, a in point.items()}, sizes


def at_points(derivation, check, count=1):
    """Calls check(evaluator, point, sizes) at points of the domain; says whether there were as many."""
    done = 0
    for attempt in range(ATTEMPTS):
        point, sizes = drawn(derivation, f"fuzz/{attempt}")
        integers = {**sizes, **{v: 3 for v in point if not is_matrix(v) and v.is_integer}}
        reals = {v: mpf(x) if not isinstance(x, list) else x for v, x in point.items()}
        try:
            check(Evaluator(Decimals, reals, integers), reals, sizes)
        except (DomainError, ZeroDivisionError, OverflowError, mp.NoConvergence):
            continue
        except dv.UnsupportedError:
            return False
        done += 1
        if done == count:
            return True
    return False
