"""What is known of names: kinds, shapes and properties; and sizes that unify."""

import re
from dataclasses import dataclass

import sympy
from sympy import Dummy, Integer, S, Symbol, sympify

from derivations.errors import ShapeError
from derivations.expressions import PROPERTIES, Variable, is_matrix

PROPERTIES_OF_SCALARS = {
    "positive": {"positive": True},
    "unit_interval": {"positive": True},
    "integer": {"integer": True},
}


@dataclass(frozen=True)
class Declaration:
    """What is known of a name: its kind, its shape as SymPy sizes, and its properties."""

    kind: str
    shape: tuple
    properties: tuple = ()


def dimension(value):
    """A size: a positive integer, a name such as n, or a product of these."""
    if isinstance(value, str):
        parts = [p.strip() for p in value.split("*")]
        wrong = [p for p in parts if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*|[1-9][0-9]*", p)]
        if wrong:
            raise ShapeError(f"{value!r} is no size: expected a name such as n, a positive integer, or a product m*n")
        return sympy.Mul(*(Integer(p) if p.isdigit() else Symbol(p, integer=True, positive=True) for p in parts))
    return sympify(value)


def declaration(name, shape):
    """Read "m,n", a tuple of names or integers, or the corpus form {"kind": …, "shape": …, "props": …}."""
    properties = ()
    kind = None
    if isinstance(shape, Declaration):
        return shape
    if isinstance(shape, dict):
        unknown = set(shape) - {"kind", "shape", "props"}
        if unknown:
            raise ShapeError(f"the declaration of {name} has unknown keys {sorted(unknown)}; use kind, shape and props")
        properties, kind = tuple(shape.get("props", ())), shape.get("kind")
        shape = shape.get("shape", ())
    if isinstance(shape, str):
        shape = shape.split(",") if shape.strip() not in ("", "scalar") else []
    if isinstance(shape, int):
        shape = (shape,)
    unknown = sorted(set(properties) - PROPERTIES)
    if unknown:
        raise ShapeError(f"{name} has the unknown property {unknown[0]!r}; known are {', '.join(sorted(PROPERTIES))}")
    if not isinstance(shape, (list, tuple)) or not all(isinstance(s, (str, int, sympy.Expr)) for s in shape):
        raise ShapeError(f"cannot read the shape of {name}: expected sizes such as 'm,n' or ('m', 3), got {shape!r}")
    sizes = tuple(dimension(s if not isinstance(s, int) else str(s)) for s in shape)
    kinds = ("scalar", "vector", "matrix")
    if len(sizes) > 2 or (kind is not None and kind not in kinds):
        raise ShapeError(f"cannot read the shape of {name}: expected at most two sizes such as 'm,n', got {shape!r}")
    kind = kind or kinds[len(sizes)]
    if kinds.index(kind) != len(sizes) and not (kind == "scalar" and not sizes):
        raise ShapeError(f"{name} is declared a {kind} with the sizes {shape!r}")
    if kind == "scalar" or all(s == 1 for s in sizes):
        return Declaration("scalar", (S.One, S.One), properties)
    return Declaration(kind, (*sizes, S.One)[:2], properties)


def make_variable(name, declared):
    """The symbol of the tree for a declared name."""
    if declared.kind != "scalar":
        return Variable(name, *declared.shape, *declared.properties)
    assumptions = {"real": True}
    for p in declared.properties:
        assumptions.update(PROPERTIES_OF_SCALARS.get(p, {}))
    return Symbol(name, **assumptions)


def known(variable):
    """The Declaration of a symbol of the tree."""
    if is_matrix(variable):
        kind = "vector" if variable.shape[1] == 1 else "matrix"
        return Declaration(kind, variable.shape, tuple(sorted(variable.properties)))
    properties = tuple(p for p, a in PROPERTIES_OF_SCALARS.items() if all(getattr(variable, f"is_{k}") for k in a))
    return Declaration("scalar", (S.One, S.One), properties)


def symbol_for(name, expression, properties=()):
    """A symbol of an expression's shape, to abbreviate it."""
    if is_matrix(expression):
        return Variable(name, *expression.shape, *properties)
    return Symbol(name, real=True, positive=expression.is_positive or None)


class Sizes:
    """Unknown sizes (dummies) and what they are known to equal."""

    def __init__(self, guarded=()):
        self.known = {}
        # A size of an undeclared vector or matrix is not guessed to be one.
        self.guarded = set(guarded)

    def fresh(self):
        return Dummy("size", integer=True, positive=True)

    def find(self, size):
        while True:
            found = size.xreplace(self.known)
            if found == size:
                return size
            size = found

    def unify(self, a, b):
        """Make two sizes equal, or say that they cannot be."""
        a, b = self.find(a), self.find(b)
        if a == b:
            return True
        if isinstance(b, Dummy) and not isinstance(a, Dummy):
            a, b = b, a
        if not isinstance(a, Dummy) or (b == 1 and a in self.guarded):
            return False
        self.known[a] = b
        if a in self.guarded and isinstance(b, Dummy):
            self.guarded.add(b)
        return True
