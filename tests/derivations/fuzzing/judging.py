"""What comes of a problem: derived, proven, written and read back, all of it compared with a second opinion."""

import random
import re
import signal
import time
from contextlib import contextmanager
from dataclasses import replace

from mpmath import matrix, mp, mpf
from sympy import Dummy, Integer, Mul

import derivations as dv
from derivations.api import read
from derivations.errors import DomainError
from derivations.expressions import is_matrix, shape_of
from derivations.notation import text as notation
from derivations.notation.shapes import dimension, known
from derivations.simplification import simplify
from derivations.verification.arithmetic import DIGITS, Decimals
from derivations.verification.evaluation import Evaluator
from derivations.verification.exact import DecimalSampler
from derivations.verification.sampling import properties_of, sizes_for
from tests.derivations.fuzzing import grammar, values

# Seconds for one problem, and for one derivation of it.
LIMIT = 10
TOLERANCE = mpf(10) ** -22
ATTEMPTS = 12
# Entries of a result, above which sizes are taken small.
MOST = 300

# Verdicts from the worst to the best.
WRONG, EXCEPTION, SLOW, UNVERIFIED, UNSTABLE, REFUSED, NO_POINT, RIGHT = VERDICTS = (
    *("wrong", "exception", "slow", "unverified", "unstable", "refused", "no point", "right"),
)


# What comes after the proof.
OPINIONS = ("values", "differences", "shuffled")


class OutOfTime(BaseException):
    """Not an Exception, so that nothing catches it on the way."""


@contextmanager
def limited(seconds):
    def stop(*_):
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Found(Exception):
    """The verdict, reached before the end."""

    def __init__(self, verdict, reason):
        super().__init__(verdict, reason)
        self.verdict, self.reason = verdict, reason


def judged(problem, limit=LIMIT):
    """{"verdict", "reason", "seconds": to derive, "proof": to prove}."""
    result = {"seconds": None, "proof": None, "stage": "derive"}
    try:
        with limited(limit):
            _judge(problem, result)
        verdict, reason = RIGHT, ""
    except Found as found:
        verdict, reason = found.verdict, found.reason
    except OutOfTime:
        if result["stage"] in OPINIONS:
            # Proven; our own second opinion is what took long.
            return {**result, "verdict": RIGHT, "reason": f"{result['stage']}: no opinion in time"}
        verdict, reason = SLOW, f"{result['stage']}: more than {limit} s"
    except RecursionError as error:
        verdict, reason = EXCEPTION, f"{result['stage']}: RecursionError: {error}{place(error)}"
    except Exception as error:
        verdict, reason = EXCEPTION, f"{result['stage']}: {type(error).__name__}: {error}{place(error)}"
    return {**result, "verdict": verdict, "reason": reason}


def place(error):
    frames, at = [], error.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        if "/derivations/" in code.co_filename and "/tests/" not in code.co_filename:
            frames.append(f"{code.co_filename.rsplit('/derivations/', 1)[1]}:{code.co_name}")
        at = at.tb_next
    return f" [{' < '.join(frames[-1:-4:-1])}]"


def _judge(problem, result):
    tree = notation.parse(problem.text)
    if not same_tree(tree, problem.term):
        raise Found(WRONG, "the parser read another tree")
    start = time.perf_counter()
    try:
        try:
            derivation = dv.derive(problem.text, **problem.arguments())
        except dv.ShapeError as error:
            if "nothing determines" not in str(error):
                raise
            problem = replace(problem, term=grammar.explicit(problem.term))
            derivation = dv.derive(problem.text, **problem.arguments())
    except dv.DerivationError as error:
        raise Found(REFUSED, f"{type(error).__name__}: {error}") from error
    finally:
        result["seconds"] = time.perf_counter() - start
    examine(derivation, problem.term, problem.arguments()["variables"], result)
    if problem.order == 1 and len(problem.text) % 4 == 0:
        result["stage"] = "shuffled"
        other = dv.derive(grammar.render(shuffled(problem.term)), **problem.arguments())
        with mp.workdps(DIGITS):
            values_equal(derivation, other.result, "the terms in another order have another derivative")


def examine(derivation, term, variables, result):
    """What is wrong with a derivation, as a Found; `term` is the syntax of its expression, if known."""
    result["stage"] = "to_text"
    text = written(derivation)
    result["stage"] = "to_latex"
    latex_is_sound(derivation)
    result["stage"] = "verify"
    start = time.perf_counter()
    witness = dv.verify(derivation, ("exact",)).witnesses[0]
    result["proof"] = time.perf_counter() - start
    if witness.passed is False:
        raise Found(WRONG, f"witness: {witness.note}")
    if witness.passed is None:
        outside = witness.note.startswith(("no point inside the domain", "no values are found"))
        raise Found(NO_POINT if outside else UNVERIFIED, witness.note)
    if any(isinstance(s, Dummy) for s in derivation.expression.free_symbols):
        term = None  # the result does not depend on what the tree leaves open
    with mp.workdps(DIGITS):
        result["stage"] = "values"
        values_agree(term, derivation, text, variables)
        result["stage"] = "differences"
        result["differences"] = term is not None and differences_agree(term, derivation)
        result["stage"] = "simplify"
        again = simplify(derivation.result)[0]
        if again != derivation.result:
            values_equal(derivation, again, "simplify changed the value")
            raise Found(UNSTABLE, "simplify is not idempotent")


def same_tree(node, term):
    return (
        (node.op, node.value, len(node.args)) == (term.op, term.value, len(term.args))
        and all(same_tree(a, b) for a, b in zip(node.args, term.args))
    )  # fmt: skip


def written(derivation):
    try:
        return derivation.to_text()
    except dv.DerivationError as error:
        raise Found(REFUSED, f"to_text: {type(error).__name__}: {error}") from error


def latex_is_sound(derivation):
    for steps in (True, False):
        latex = derivation.to_latex(steps=steps)
        braces = re.sub(r"\\[{}]", "", latex)
        depth = 0
        for c in braces:
            depth += (c == "{") - (c == "}")
            if depth < 0:
                break
        if depth or latex.count(r"\left") - latex.count(r"\leftarrow") != latex.count(r"\right") - latex.count(
            r"\rightarrow"
        ):
            raise Found(EXCEPTION, "the LaTeX is not balanced")
        strange = re.search(r"·|Dummy|Apply\(|_size|Variable|Scale\(|Sum\(|Product\(", latex)
        if strange:
            raise Found(EXCEPTION, f"the LaTeX holds {strange[0]}")


def shuffled(term):
    """The term with the sides of its sums and elementwise products exchanged."""
    args = tuple(map(shuffled, term.args))
    if term.op in ("+", ".*"):
        args = args[::-1]
    return replace(term, args=args)


# -------------------------------------------------------------------------------------------- values


def drawn(derivation, seed):
    """(values by variable, sizes by symbol) at a random point."""
    sampler = DecimalSampler(seed)
    variables = derivation.variables
    sizes = sizes_for(variables, sampler.generator, (derivation.expression, derivation.result))
    sizes = {s: sampler.generator.choice((2, 3)) for s in map(dimension, grammar.SIZES)} | sizes
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
        except (DomainError, ZeroDivisionError, OverflowError):
            continue
        except dv.UnsupportedError:
            return False
        done += 1
        if done == count:
            return True
    return False


def values_agree(term, derivation, text, variables):
    """The text of the problem and of the result mean what the trees mean, by two readings."""
    try:
        reading, _ = read(text, {n: known(v) for n, v in _names(derivation)} | (variables or {}))
    except dv.DerivationError as error:
        raise Found(EXCEPTION, f"the text form is not read back: {type(error).__name__}: {error}") from error
    if shape_of(reading.expression) != shape_of(derivation.result):
        raise Found(WRONG, f"the text form has the shape {shape_of(reading.expression)}")
    nodes = notation.parse(text)

    def check(evaluate, point, sizes):
        names = {getattr(v, "name", str(v)): x for v, x in point.items()}
        by_name = {str(s): n for s, n in sizes.items()}
        if term is not None:
            meant = values.value(term, names, by_name)
            compare(evaluate(derivation.expression), meant, "the tree is not the text")
        found = evaluate(derivation.result)
        compare(found, values.value(nodes, names, by_name), "the result's text means something else")
        own = {v: names[n] for n, v in reading.variables.items() if n in names}
        other = Evaluator(Decimals, {**point, **own}, {**evaluate.integers, **_integers(own)})
        compare(found, _rows(other(reading.expression)), "the result's text is read back as something else")

    at_points(derivation, check)


def _names(derivation):
    return [(getattr(v, "name", str(v)), v) for v in derivation.variables]


def _integers(point):
    return {v: 3 for v in point if not is_matrix(v) and v.is_integer}


# Steps of the central differences of order one and two, and what may be left of their errors.
STEPS = {1: mpf(10) ** -14, 2: mpf(10) ** -9}
CLOSE = mpf(10) ** -10


def differences_agree(term, derivation):
    """The result against central differences of the text, the entries of the variable being independent."""
    if not 1 <= derivation.order <= 2 or derivation.definitions:
        return False

    def check(evaluate, point, sizes):
        names = {getattr(v, "name", str(v)): x for v, x in point.items()}
        by_name = {str(s): n for s, n in sizes.items()}
        generator = random.Random(0)
        changes = [_direction(v, names[getattr(v, "name", str(v))], derivation, generator) for v in derivation.wrt_all]
        moved = [getattr(v, "name", str(v)) for v in derivation.wrt_all]
        step = STEPS[derivation.order]

        def at(*distances):
            here = dict(names)
            for name, change, distance in zip(moved, changes, distances):
                here[name] = _plus(here[name], change, distance)
            return values.value(term, here, by_name)

        def quotient(h, by=0):
            above, below = by + h, by - h
            if derivation.order == 1:
                return (at(above) - at(below)) / (2 * h)
            return (at(above, above) - at(above, below) - at(below, above) + at(below, below)) / (4 * h * h)

        found, finer = quotient(step), quotient(step / 2)
        expected = applied(derivation, evaluate(derivation.result), changes)
        if derivation.layout == "vec":
            found, finer = values.vec(found), values.vec(finer)
        error = max(abs(x - y) for x, y in zip(values.entries(found), values.entries(finer)))
        rounding = max(map(abs, values.entries(at(step)))) * mpf(10) ** (3 - DIGITS) / step**derivation.order
        if not _near(finer, expected, CLOSE, 100 * (error + rounding)):
            # Beside a kink or a pole the quotients of the two sides differ.
            sides = [quotient(step, by) for by in (-3 * step, 3 * step)]
            if not _near(*sides, mpf(10) ** -6) or not _near(found, finer, mpf(10) ** -6):
                raise DomainError("a kink")
            raise Found(WRONG, "central differences of the text disagree")

    return at_points(derivation, check)


def _direction(variable, value, derivation, generator):
    def number():
        return mpf(generator.choice((-1, 1)) * generator.randrange(1, 20)) / 8

    if not isinstance(value, list):
        return number()
    rows = [[number() for _ in r] for r in value]
    if derivation.structure == "symmetric":
        rows = [[rows[min(i, j)][max(i, j)] for j in range(len(rows))] for i in range(len(rows))]
    if derivation.structure == "diagonal":
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


def values_equal(derivation, other, reason):
    at_points(derivation, lambda evaluate, *_: compare(evaluate(derivation.result), _rows(evaluate(other)), reason))


def _rows(value):
    return value if isinstance(value, (list, mpf)) else mpf(value)


def compare(left, right, reason):
    left = left if isinstance(left, list) else [[left]]
    right = right if isinstance(right, list) else values.rows_of(right)
    if (len(left), len(left[0])) != (len(right), len(right[0])):
        raise Found(WRONG, f"{reason}: another shape")
    pairs = [(x, y) for r, s in zip(left, right) for x, y in zip(r, s)]
    scale = max([abs(v) for pair in pairs for v in pair] + [mpf(10) ** -10])
    if not mp.isfinite(scale) or scale > mpf(10) ** 300:
        raise DomainError("too large to be compared")
    if max(abs(x - y) for x, y in pairs) > TOLERANCE * scale:
        raise Found(WRONG, reason)


# ------------------------------------------------------------------------------------------ families


def family(result):
    """What results of one cause share: the verdict and the message without its particulars."""
    reason = result["reason"].split("\n")[0]
    place = re.search(r" \[[^][]*\]$", reason)
    reason = reason[: place.start()] if place else reason
    if result["verdict"] == "refused":
        reason = re.sub(r'"[^"]*"', "…", reason)
        reason = re.sub(r"'[^']*(?:'[^']*')*[^']*'", "…", reason)
        reason = re.sub(r"(?<= in ).*?(?=;|$)", "…", reason)
        reason = re.sub(r"cannot write .* as", "cannot write … as", reason)
        reason = re.sub(r"(depends on|derivative of|divide by|is defined) .*", r"\1 …", reason)
    reason = re.sub(r"\d+", "N", reason)
    where = place[0].split(" < ")[0].rstrip("]") + "]" if place else ""
    return f"{result['verdict']}: {reason[:110]}{where}"
