"""Source code out: a numpy or torch function that computes the result of a derivation.

Scalars are 0-D, vectors (and rows) 1-D, matrices 2-D inside the function; a variable declared as a
1 x n matrix comes in, and such a result goes out, as 2-D. The order of products, and what is formed at all, is
decided in `plan.py`, and its lines are written in `emitter.py`.
"""

import linecache

from derivations.errors import DerivationError, UnsupportedError
from derivations.expressions import freed, is_matrix, settled
from derivations.notation import text
from derivations.notation.code import emitter, systems
from derivations.notation.code.actions import actions, direction
from derivations.notation.code.arguments import checked
from derivations.notation.code.libraries import LIBRARIES, identifiers
from derivations.notation.code.plan import plan

SHARED_SYSTEMS = {"numpy": systems.stacked, "torch": systems.factored}


def write(derivation, library="numpy", name="derivative"):
    """Source of `def derivative(*, A, x): …` with its imports."""
    (result,) = _written_out(derivation, [derivation.result])
    return source([result], derivation.independent_variables, library, name, _text(result, derivation))


def write_operator(derivation, library="numpy", name="directional_derivative"):
    """Source of a function of the variables and of a direction; see `actions.py`."""
    equal = _written_out(derivation, actions(derivation))
    along = direction(derivation)
    summary = f"{min((_text(e, derivation) for e in equal), key=len)}, the derivative applied to {along}"
    return source(equal, (*derivation.independent_variables, along), library, name, summary)


def function(derivation, library="numpy"):
    """The callable, which checks the shapes of its arguments; its source is visible to inspect and to tracebacks."""
    return checked(compiled(write(derivation, library), "derivative"), derivation.independent_variables)


def operator(derivation, library="numpy"):
    action = compiled(write_operator(derivation, library), "directional_derivative")
    return checked(action, (*derivation.independent_variables, direction(derivation)))


def compiled(source, name):
    filename = f"<derivation {hash(source):x}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    scope = {}
    try:
        exec(compile(source, filename, "exec"), scope)
    except ModuleNotFoundError as missing:
        raise UnsupportedError(
            f"the code needs {missing.name}, which is not installed: pip install {missing.name}"
        ) from missing
    return scope[name]


def _written_out(derivation, expressions):
    """Expressions without abbreviations, and with all that is declared of the variables in force."""
    for symbol, defined in reversed(derivation.definitions):
        expressions = [e.xreplace({symbol: defined}) for e in expressions]
    twins = {freed(v): settled(v) for v in derivation.variables if is_matrix(v)}
    return [e.xreplace(twins) for e in expressions]


def _text(expression, derivation):
    try:
        return text.write(expression, derivation.variables)
    except DerivationError:
        return "A derivative"


def source(equal, variables, library, name, summary):
    """Source of a function of the variables that computes one of several equal expressions."""
    if library not in LIBRARIES:
        raise UnsupportedError(f"no code for {library!r}; expected one of {', '.join(LIBRARIES)}")
    own = identifiers(variables)
    names = {form(v): i for v, i in own.items() for form in ((settled, freed) if is_matrix(v) else (settled,))}
    graph, result = plan(equal, {**names, **own})
    result = SHARED_SYSTEMS[library](graph, result)
    return emitter.function(result, library, own, equal[-1], name, summary)
