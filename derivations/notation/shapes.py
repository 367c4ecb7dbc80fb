"""What is known of names: kinds, shapes and properties; and sizes that unify."""

import re
from dataclasses import dataclass

import sympy
from sympy import Dummy, Integer, S, Symbol, sympify

from derivations.errors import ShapeError
from derivations.expressions import PROPERTIES, SQUARE, Variable, is_matrix

# As assumptions of SymPy, which keeps those that it does not know.
PROPERTIES_OF_SCALARS = {
    "positive": {"positive": True},
    "unit_interval": {"positive": True, "unit_interval": True},
    "integer": {"integer": True},
    "binary": {"binary": True},
    "pm1": {"pm1": True},
    "small": {"small": True},
}


@dataclass(frozen=True)
class Declaration:
    """What is known of a name: its kind, its shape as SymPy sizes, and its properties; None is for inference."""

    kind: str | None
    shape: tuple | None
    properties: tuple = ()


def dimension(value):
    """A size: a positive integer, a name such as n, or a product or power of these."""
    if isinstance(value, str):
        parts = [re.fullmatch(SIZE, p.strip()) for p in value.split("*")]
        if None in parts:
            raise ShapeError(f"{value!r} is no size: expected a name such as n, a positive integer, or a product m*n")
        return sympy.Mul(*(_size(name) ** int(exponent or 1) for name, exponent in (p.groups() for p in parts)))
    return sympify(value)


SIZE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*|[1-9][0-9]*)(?:\^([1-9][0-9]*))?")


# Of a number, a size too.
MOST_DIGITS = 1000


def _size(name):
    if name.isdigit() and len(name) > MOST_DIGITS:
        raise ShapeError(f"a size has more than {MOST_DIGITS} digits")
    return Integer(name) if name.isdigit() else Symbol(name, integer=True, positive=True)


def declaration(name, shape):
    """Read "m,n", a tuple of names or integers, or the corpus form {"kind": …, "shape": …, "props": …}.

    Without "shape" the shape follows from the expression, and without "kind" the kind.
    """
    properties, kind, given = (), None, shape
    if isinstance(shape, Declaration):
        return shape
    if isinstance(shape, dict):
        unknown = set(shape) - {"kind", "shape", "props"}
        if unknown:
            raise ShapeError(f"the declaration of {name} has unknown keys {sorted(unknown)}; use kind, shape and props")
        properties, kind = shape.get("props", ()), shape.get("kind")
        if not isinstance(properties, (list, tuple)):
            raise ShapeError(f"the props of {name} are a list of words such as 'symmetric', not {properties!r}")
        properties = tuple(properties)
        shape = shape.get("shape", None if kind != "scalar" else ())
    if isinstance(shape, str):
        shape = shape.split(",") if shape.strip() not in ("", "scalar") else []
    if isinstance(shape, int):
        shape = (shape,)
    check_properties(name, properties)
    kinds = ("scalar", "vector", "matrix")
    if kind is not None and kind not in kinds:
        raise ShapeError(f"{name} is declared a {kind!r}; expected one of {', '.join(kinds)}")
    if shape is None and given is not None:
        return Declaration(kind, None, properties)
    if not isinstance(shape, (list, tuple)) or not all(isinstance(s, (str, int, sympy.Expr)) for s in shape):
        raise ShapeError(f"cannot read the shape of {name}: expected sizes such as 'm,n' or ('m', 3), got {shape!r}")
    sizes = tuple(dimension(s if not isinstance(s, int) else str(s)) for s in shape)
    if len(sizes) > 2:
        raise ShapeError(f"cannot read the shape of {name}: expected at most two sizes such as 'm,n', got {shape!r}")
    kind = kind or kinds[len(sizes)]
    if kinds.index(kind) != len(sizes) and not (kind == "scalar" and not sizes):
        raise ShapeError(f"{name} is declared a {kind} with the sizes {shape!r}")
    if kind == "scalar" or all(s == 1 for s in sizes):
        return Declaration("scalar", (S.One, S.One), properties)
    rows, columns = (*sizes, S.One)[:2]
    of_squares = sorted(SQUARE & set(properties))
    if of_squares and rows != columns:
        raise ShapeError(f"{name} ({rows}, {columns}) cannot be {of_squares[0].replace('_', ' ')}: it is not square")
    return Declaration(kind, (rows, columns), properties)


def check_properties(name, properties):
    """Raise ShapeError where a name is declared to have what no variable can have."""
    wrong = [p for p in properties if not isinstance(p, str) or p not in PROPERTIES]
    if wrong:
        raise ShapeError(f"{name} has the unknown property {wrong[0]!r}; known are {', '.join(sorted(PROPERTIES))}")


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
    return Declaration("scalar", (S.One, S.One), properties_of_scalar(variable))


def properties_of_scalar(symbol):
    """The declared properties of a scalar, and those that its assumptions amount to."""
    assumed = symbol.assumptions0.items()
    return tuple(name for name, needed in PROPERTIES_OF_SCALARS.items() if needed.items() <= assumed)


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
        # Equations between products of sizes that wait for others to decide them: (left, right, where they arose).
        self.waiting = []

    def fresh(self):
        return Dummy("size", integer=True, positive=True)

    def find(self, size):
        while True:
            found = size.xreplace(self.known)
            if found == size:
                return size
            size = found

    def unify(self, a, b, place=None):
        """Make two sizes equal, or say that they cannot be; m n = p q of unknown sizes is left waiting."""
        # Sizes are positive: what both share may be divided out.
        a, b = (self.find(a) / self.find(b)).as_numer_denom()
        unknown = (a * b).atoms(Dummy)
        if a == b:
            return True
        if isinstance(a, Dummy):
            return self._set(a, b)
        if isinstance(b, Dummy):
            return self._set(b, a)
        if 1 in (a, b):
            return a * b == sympy.Mul(*unknown) and all(self._set(size, S.One) for size in unknown)
        if len(unknown) == 1:
            return self._set_to_root(*unknown, a, b)
        if unknown:
            self.waiting.append((a, b, place))
        return bool(unknown)

    def _set(self, unknown, size):
        if size == 1 and unknown in self.guarded:
            return False
        self.known[unknown] = size
        if unknown in self.guarded and isinstance(size, Dummy):
            self.guarded.add(size)
        return True

    def _set_to_root(self, unknown, a, b):
        """From c u^k = d."""
        if not a.has(unknown):
            a, b = b, a
        factor, power = a.as_independent(unknown)
        root = sympy.root(b / factor, power.as_base_exp()[1])
        parts = [f.as_base_exp() for f in sympy.Mul.make_args(root)]
        if not all(
            (base.is_Symbol or base.is_Integer) and exponent.is_Integer and exponent > 0 for base, exponent in parts
        ):
            return False
        return self._set(unknown, root)

    def settle(self):
        """Try what waits again; give an equation (left, right, place) that cannot hold, or None."""
        before = None
        while len(self.waiting) != before:
            before, equations = len(self.waiting), self.waiting
            self.waiting = []
            for equation in equations:
                if not self.unify(*equation):
                    return equation
        return None
