"""Our derivations of a corpus's problems, and the values of their functions and texts."""

import keyword

import derivations as dv
from benchmarks.judge.sampling import natural_point
from benchmarks.problems import names_by
from benchmarks.systems import NotExpressible
from benchmarks.tables import described
from derivations.api import read
from derivations.verification import interpreter


def derived(problem):
    names = names_by(problem)
    return dv.derive(
        problem["expr"],
        names[0] if len(set(names)) == 1 else tuple(names),
        variables=problem["vars"],
        order=problem["order"],
        structure=problem.get("structure"),
    )


def asked(problem):
    """The timed function goes from the text to the result and its steps."""

    def run():
        try:
            return derived(problem)
        except dv.DerivationError as error:
            raise NotExpressible(described(error)) from error

    return run, lambda derivation, point, sizes: function_value(derivation, problem, point)


def argument(name):
    """The generated function's name for a variable."""
    return f"{name}_" if keyword.iskeyword(name) else name


def function_value(derivation, problem, point):
    """What the generated numpy function gives."""
    values = {argument(n): x.numpy() for n, x in natural_point(problem, point).items()}
    return derivation.to_function("numpy")(**values)


def text_value(text, problem, point, sizes):
    """The value of a text as the package reads it."""
    reading, _ = read(text, problem["vars"])
    symbols = {s for v in reading.variables.values() for dim in getattr(v, "shape", ()) for s in dim.free_symbols}
    by_name = {s.name: n for s, n in sizes.items()}
    own_sizes = {s: by_name[s.name] for s in symbols | reading.expression.free_symbols if s.name in by_name}
    values = {v: point[n] for n, v in reading.variables.items()}
    return interpreter.value(reading.expression, values, own_sizes).detach()
