"""The arguments of generated functions: which variables they are, and their shapes when a function is called."""

from functools import wraps

from sympy import Integer

from derivations.errors import ShapeError
from derivations.expressions import is_matrix
from derivations.notation.code.libraries import identifiers

KINDS = ("a scalar", "a vector", "a matrix")


def independent_variables(derivation):
    """The variables that are arguments: those that are not abbreviations."""
    defined = {symbol for symbol, _ in derivation.definitions}
    return tuple(v for v in derivation.variables if v not in defined)


def natural_shape(variable):
    """The shape in which a variable is passed, as SymPy sizes: () of a scalar, (n,) of a vector, else (m, n)."""
    if not is_matrix(variable):
        return ()
    rows, columns = variable.shape
    return (rows,) if columns == 1 else (rows, columns)


def checked(function, variables):
    """The function, which raises ShapeError first where the shapes of its arguments do not fit.

    A function of scalars alone works entry by entry on arrays of any shape. The check runs before every call,
    so SymPy is asked only where sizes differ or are formulas.
    """
    shapes = {name: natural_shape(v) for v, name in identifiers(variables).items()}
    if not any(shapes.values()):
        return function
    sizes = {size for shape in shapes.values() for size in shape}
    known = {str(size): int(size) for size in sizes if size.is_Integer}
    are_plain = all(size.is_Symbol or size.is_Integer for size in sizes)
    named = [(name, tuple(map(str, shape))) for name, shape in shapes.items()]

    @wraps(function)
    def guarded(*unnamed, **given):
        if not (are_plain and _fit(named, known, given)):
            sizes_of(variables, {name: _shape(name, given[name]) for name in shapes if name in given})
        return function(*unnamed, **given)

    return guarded


def _fit(named, known, given):
    sizes = dict(known)
    for name, shape in named:
        found = getattr(given.get(name), "shape", ())
        if len(found) != len(shape):
            return False
        for size, number in zip(shape, found):
            if sizes.setdefault(size, number) != number:
                return False
    return True


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
