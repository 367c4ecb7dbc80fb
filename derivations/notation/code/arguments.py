"""The shapes of the arguments of generated functions, checked when a function is called."""

import inspect
from functools import wraps

from sympy import Integer

from derivations.errors import ShapeError
from derivations.expressions import is_matrix
from derivations.notation.code.libraries import identifiers, unique

KINDS = ("a scalar", "a vector", "a matrix")


def natural_shape(variable):
    """The shape in which a variable is passed, as SymPy sizes: () of a scalar, (n,) of a vector, else (m, n)."""
    if not is_matrix(variable):
        return ()
    rows, columns = variable.shape
    return (rows,) if columns == 1 else (rows, columns)


GUARD = """
def guarded(*, {parameters}):
    try:
        fits = {fits}
    except AttributeError:
        fits = False
    if not fits:
        {refuse}({arguments})
    return {function}({arguments})
"""


def checked(function, variables):
    """The function, which raises ShapeError first where the shapes of its arguments do not fit.

    A function of scalars alone works entry by entry on arrays of any shape. The check is written out for the
    shapes at hand, as it runs before every call; SymPy is asked only where they differ or are formulas.
    """
    shapes = {name: natural_shape(v) for v, name in identifiers(variables).items()}
    if not any(shapes.values()):
        return function

    def refuse(**given):
        sizes_of(variables, {name: _shape(name, given[name]) for name in shapes})

    parameters = inspect.signature(function).parameters
    own = {name: unique(name, parameters) for name in ("function", "refuse", "getattr")}
    scope = {own["function"]: function, own["refuse"]: refuse, own["getattr"]: getattr}
    arguments = ", ".join(f"{name}={name}" for name in parameters)
    exec(
        GUARD.format(parameters=", ".join(parameters), arguments=arguments, fits=_fits(shapes, own["getattr"]), **own),
        scope,
    )
    return wraps(function)(scope["guarded"])


def _fits(shapes, getattr_):
    """Python that tells whether all shapes fit, by comparing each size with where it was met first."""
    known, parts = {}, []
    for name, shape in sorted(shapes.items(), key=lambda item: -len(item[1])):
        if not all(size.is_Symbol or size.is_Integer for size in shape):
            return "False"
        if not shape:
            parts.append(f"{getattr_}({name}, 'shape', ()) == ()")
            continue
        expected = [str(size) if size.is_Integer else known.get(size) for size in shape]
        if None not in expected:
            parts.append(f"{name}.shape == ({', '.join(expected)},)")
            continue
        parts.append(f"{name}.ndim == {len(shape)}")
        for axis, size in enumerate(shape):
            here = f"{name}.shape[{axis}]"
            if size.is_Integer or size in known:
                parts.append(f"{here} == {size if size.is_Integer else known[size]}")
            else:
                known[size] = here
    return " and ".join(parts)


def _shape(name, given):
    if isinstance(given, (list, tuple)):
        raise ShapeError(f"{name} is a {type(given).__name__}; expected an array")
    return getattr(given, "shape", ())


def sizes_of(variables, shapes):
    """Size symbol -> number, read off the shapes of arguments by name; ShapeError names one that does not fit."""
    given = [(name, natural_shape(v)) for v, name in identifiers(variables).items() if name in shapes]
    sizes, holders = {}, {}
    for name, expected in given:
        found = tuple(shapes[name])
        if len(found) != len(expected):
            raise ShapeError(
                f"{name} has the shape {found}; expected {KINDS[len(expected)]}, of shape {_written(expected)} "
                "(derive with variables= where another kind is meant)"
            )
        for size, number in zip(expected, found):
            if size.is_Symbol and size not in sizes:
                sizes[size], holders[size] = Integer(number), f"{name} {found}"
    for name, expected in given:
        for size, number in zip(expected, shapes[name]):
            known = size.xreplace(sizes)
            if known.is_Integer and known != number:
                why = ", ".join(f"{s} = {sizes[s]} in {holders[s]}" for s in sorted(size.free_symbols, key=str))
                raise ShapeError(
                    f"{name} has the shape {tuple(shapes[name])}; expected {_written(expected)}"
                    + (f", where {why}" if why else "")
                )
    return sizes


def _written(shape):
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
