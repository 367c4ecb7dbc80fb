"""A failing problem made as small as it gets while it fails in the same way."""

import time
from dataclasses import replace

from tests.derivations.fuzzing.grammar import NAMES
from tests.derivations.fuzzing.terms import ONE, SCALAR, Term, kind_of, names_of_variables, number, transposed

# Seconds for one reduction.
LIMIT = 20


def reduced(problem, fails, limit=LIMIT):
    """The smallest problem found for which fails(problem) holds."""
    stop, again = time.perf_counter() + limit, True
    while again:
        again = False
        for smaller in candidates(problem):
            if time.perf_counter() > stop:
                return problem
            if fails(smaller):
                problem, again = smaller, True
                break
    return problem


def candidates(problem):
    """Simpler problems, those that save most first."""
    for term, variables in sorted(_terms(problem), key=lambda pair: pair[0].count()):
        used = names_of_variables(term)
        if set(problem.wrt) <= set(used):
            new = replace(problem, term=term, variables={n: v for n, v in variables.items() if n in used})
            if term.shape == SCALAR or (problem.order == 1 and not problem.structure):
                yield new
    if problem.layout != "denominator":
        yield replace(problem, layout="denominator")
    if problem.structure:
        yield replace(problem, structure=None)
    if problem.order == 2 and len(set(problem.wrt)) == 1:
        yield replace(problem, order=1, wrt=problem.wrt[:1])
    for name, (shape, properties) in problem.variables.items():
        for i in range(len(properties)):
            kept = properties[:i] + properties[i + 1 :]
            yield replace(problem, variables={**problem.variables, name: (shape, kept)})


def _terms(problem):
    term, variables = problem.term, problem.variables
    for part in _parts(term):
        if part is not term and part.op not in ("number",):
            yield part, variables
    for path, part in _places(term):
        for new, extended in _simpler(part, variables):
            yield _put(term, path, new), extended


def _parts(term):
    yield term
    if not (term.op == "call" and term.value in ("eye", "ones", "zeros", "comm")):
        for a in term.args:
            yield from _parts(a)


def _places(term, path=()):
    yield path, term
    if not (term.op == "call" and term.value in ("eye", "ones", "zeros", "comm")):
        for i, a in enumerate(term.args):
            yield from _places(a, (*path, i))


def _put(term, path, new):
    if not path:
        return new
    args = list(term.args)
    args[path[0]] = _put(args[path[0]], path[1:], new)
    return replace(term, args=tuple(args))


def _simpler(part, variables):
    """Terms of the same shape that are smaller."""
    shape = part.shape
    if part.args:
        inside = [p for p in _parts(part) if p is not part and p.shape == shape and p.count() < part.count()]
        yield from ((p, variables) for p in inside if p.op != "number" or shape == SCALAR)
        for name, (s, _) in variables.items():
            if s == shape:
                yield Term("name", (), name, shape), variables
            elif s[::-1] == shape and part.op != "'":
                yield transposed(Term("name", (), name, s)), variables
        kind = kind_of(shape)
        if not (shape[0] == ONE != shape[1]):
            name = next(n for n in NAMES[kind] if n not in variables)
            yield Term("name", (), name, shape), {**variables, name: (shape, ())}
        if shape == SCALAR:
            yield number("2"), variables
