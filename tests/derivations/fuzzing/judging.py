"""What comes of a problem: derived, proven, written and read back, all of it compared with a second opinion."""

import re
import signal
import time
from contextlib import contextmanager
from dataclasses import replace

from mpmath import mp, mpf
from sympy import Dummy

import derivations as dv
from derivations.api import read
from derivations.errors import DomainError
from derivations.expressions import is_matrix, shape_of
from derivations.notation import text as notation
from derivations.notation.shapes import known
from derivations.simplification import simplify
from derivations.spectral import LargestEigenvector
from derivations.verification.arithmetic import DIGITS, Decimals
from derivations.verification.evaluation import Evaluator
from tests.derivations.fuzzing import differences, values
from tests.derivations.fuzzing.points import (
    EXCEPTION,
    NO_POINT,
    REFUSED,
    RIGHT,
    SLOW,
    UNSTABLE,
    UNVERIFIED,
    WRONG,
    Found,
    at_points,
    name_of,
)
from tests.derivations.fuzzing.terms import explicit, render

# Seconds for one problem, and for one derivation of it.
LIMIT = 10
TOLERANCE = mpf(10) ** -22

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
            problem = replace(problem, term=explicit(problem.term))
            derivation = dv.derive(problem.text, **problem.arguments())
    except dv.DerivationError as error:
        raise Found(REFUSED, f"{type(error).__name__}: {error}") from error
    finally:
        result["seconds"] = time.perf_counter() - start
    examine(derivation, problem.term, problem.arguments()["variables"], result)
    if problem.order == 1 and len(problem.text) % 4 == 0:
        result["stage"] = "shuffled"
        other = dv.derive(render(shuffled(problem.term)), **problem.arguments())
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
        result["differences"] = term is not None and differences.agree(term, derivation)
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
        names = {name_of(v): x for v, x in point.items()}
        by_name = {str(s): n for s, n in sizes.items()}
        if term is not None:
            meant = values.value(term, names, by_name)
            try:
                compare(evaluate(derivation.expression), meant, "the tree is not the text")
            except Found:
                if _is_decided_by_rounding(derivation.expression, evaluate):
                    raise DomainError("rounding decides") from None
                raise
        found = evaluate(derivation.result)
        compare(found, values.value(nodes, names, by_name), "the result's text means something else")
        own = {v: names[n] for n, v in reading.variables.items() if n in names}
        other = Evaluator(Decimals, {**point, **own}, {**evaluate.integers, **_integers(own)})
        compare(found, _rows(other(reading.expression)), "the result's text is read back as something else")

    at_points(derivation, check)


def _is_decided_by_rounding(expression, evaluate):
    """On a kink, or where two entries of an eigenvector are as large: then its sign is any."""
    if any(abs(x) < differences.ROUNDING for x in differences.kink_arguments(expression, evaluate)):
        return True
    vectors = [evaluate(node) for node in expression.atoms(LargestEigenvector)]
    tops = [sorted((abs(x) for (x,) in v), reverse=True)[:2] for v in vectors if len(v) > 1]
    return any(abs(first - second) < differences.ROUNDING for first, second in tops)


def _names(derivation):
    return [(name_of(v), v) for v in derivation.variables]


def _integers(point):
    return {v: 3 for v in point if not is_matrix(v) and v.is_integer}


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
