"""The symbols of SymPy and the sizes and variables that they stand for."""

import re

import sympy
from sympy import Dummy, S

from derivations.errors import ShapeError, UnsupportedError
from derivations.expressions import Variable
from derivations.notation import shapes
from derivations.notation.sympy_functions import REAL

KINDS = (sympy.Symbol, Dummy, sympy.MatrixSymbol)
SIZED = (sympy.MatrixSymbol, sympy.Identity, sympy.ZeroMatrix, sympy.OneMatrix)


def free(expressions):
    """The free symbols in order of appearance, and those of them that are sizes."""
    nodes = [n for e in expressions for n in sympy.preorder_traversal(e)]
    sizes = {s for n in nodes if isinstance(n, SIZED) for size in n.args for s in size.free_symbols}
    free = set().union(sizes, *(e.free_symbols for e in expressions))
    found = dict.fromkeys(n for n in nodes if n in free)
    names = {}
    for s in found:
        if type(s) not in KINDS:
            raise UnsupportedError(f"a symbol of SymPy's class {type(s).__name__} is not read: {s}")
        if names.setdefault(s.name, s) != s:
            raise UnsupportedError(f"two symbols are named {s.name}: {names[s.name]!r} and {s!r}; rename one")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", s.name):
            raise UnsupportedError(f"the name {s.name!r} cannot be written: use letters, digits and underscores")
    return list(found), [s for s in found if s in sizes]


def size(symbol):
    if symbol.is_integer is False or symbol.is_positive is False:
        raise ShapeError(f"{symbol} cannot be a size: it is assumed to be no positive integer")
    return shapes.dimension(symbol.name)


def dimension(size, symbols):
    """A size of SymPy's as one of ours: a positive integer, a symbol, or a product of these."""
    size = sympy.sympify(size)
    for factor in sympy.Mul.make_args(size):
        base, exponent = factor.as_base_exp()
        named = type(base) in KINDS or (base.is_Integer and base > 0)
        if not (named and exponent.is_Integer and exponent > 0):
            raise ShapeError(f"{size} is no size: expected a positive integer, a symbol, or a product of these")
    return size.xreplace(symbols)


def variable(symbol, sizes, given, tied):
    """Our variable for a Symbol or a MatrixSymbol, with the properties that are given for it."""
    is_symbol = not isinstance(symbol, sympy.MatrixSymbol)
    shape = (S.One, S.One) if is_symbol else tuple(dimension(s, sizes) for s in symbol.args[1:])
    properties = _properties(symbol.name, shape, given)
    if shape != (1, 1):
        independent = ("independent",) if tied & set(properties) else ()
        return Variable(symbol.name, *shape, *properties, *independent)
    assumed = _assumptions(symbol) if is_symbol else ()
    return shapes.make_variable(symbol.name, shapes.Declaration("scalar", shape, (*properties, *assumed)))


def _properties(name, shape, given):
    if given is None:
        return ()
    declared = shapes.declaration(name, given)
    if (not isinstance(given, dict) or set(given) & {"kind", "shape"}) and declared.shape not in (None, shape):
        raise ShapeError(f"{name} has the shape {shape} in the expression, but is declared {declared.shape}")
    # Asked again with the shape, which some properties need.
    whole = {"shape": () if shape == (1, 1) else shape, "props": declared.properties}
    return shapes.declaration(name, whole).properties


def _assumptions(symbol):
    """The properties of a scalar that its assumptions give; a positive integer would be a size here."""
    if not symbol.is_commutative:
        raise UnsupportedError(f"{symbol} is not commutative: a matrix is a MatrixSymbol")
    if symbol.is_real is False or (symbol.is_complex and symbol.is_real is None):
        raise UnsupportedError(f"{symbol} is not assumed real: {REAL}")
    if symbol.is_integer:
        return ("integer",)
    return ("positive",) if symbol.is_positive else ()
