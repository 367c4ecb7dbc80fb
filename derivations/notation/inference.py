"""Shapes by unification: the surface syntax of any notation becomes an expression tree."""

from dataclasses import dataclass
from itertools import combinations
from math import comb

import sympy
from sympy import Dummy, Rational, S

from derivations.elementwise import SLOTS, Apply, Diag, DiagonalOf, Hadamard, Softmax
from derivations.errors import ParseError, ShapeError, UnsupportedError
from derivations.expressions import (
    EntrySum,
    Identity,
    Inverse,
    Ones,
    Power,
    Product,
    Transpose,
    Zero,
    add,
    is_matrix,
    multiply,
)
from derivations.functions import normcdf, normpdf, relu, sigmoid, softplus, step
from derivations.notation.shapes import Declaration, Sizes, declaration, dimension, make_variable
from derivations.notation.syntax import shape_error
from derivations.scalars import Det, LogDet, LogSumExp, Norm, Trace, mean

ELEMENTWISE = {
    "exp": sympy.exp,
    "log": sympy.log,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tan": sympy.tan,
    "arcsin": sympy.asin,
    "arccos": sympy.acos,
    "arctan": sympy.atan,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "tanh": sympy.tanh,
    "abs": sympy.Abs,
    "sign": sympy.sign,
    "sqrt": sympy.sqrt,
    "erf": sympy.erf,
    "relu": relu,
    "step": step,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "normcdf": normcdf,
    "normpdf": normpdf,
    "factorial": sympy.factorial,
}
FUNCTION_NAMES = {function: name for name, function in ELEMENTWISE.items()}


def elementwise(function, value):
    """A scalar function of a scalar, or of every entry of a matrix."""
    if is_matrix(value):
        return Apply(function(SLOTS[0]), value)
    if function is sympy.log and isinstance(value, Det):
        return LogDet(value.args[0])
    return function(value)


# name -> (shape of the result from the shape of the argument, builder)
SAME, SCALAR, SQUARE_SAME, SQUARE_SCALAR = "same", "scalar", "square", "square to scalar"
MATRIX_FUNCTIONS = {
    "sum": (SCALAR, EntrySum),
    "mean": (SCALAR, lambda a: mean(a) if is_matrix(a) else a),
    "tr": (SQUARE_SCALAR, Trace),
    "det": (SQUARE_SCALAR, Det),
    "logdet": (SQUARE_SCALAR, lambda a: LogDet(a) if is_matrix(a) else sympy.log(a)),
    "norm2": (SCALAR, Norm),
    "norm1": (SCALAR, lambda a: EntrySum(elementwise(sympy.Abs, a))),
    "logsumexp": (SCALAR, lambda a: LogSumExp(a) if is_matrix(a) else a),
    "softmax": (SAME, lambda a: Softmax(a) if is_matrix(a) else S.One),
    "logsoftmax": (SAME, lambda a: Apply(sympy.log(SLOTS[0]), Softmax(a)) if is_matrix(a) else S.Zero),
    "inv": (SQUARE_SAME, lambda a: Inverse(a) if is_matrix(a) else 1 / a),
}
LATER = {
    *(
        "huber",
        "clip",
        "max",
        "min",
        "norm_nuc",
        "lambda_max",
        "vmax",
        "softmax_rows",
        "logsoftmax_rows",
        "adj",
        "pinv",
    ),
    *("expm", "logm", "sqrtm", "sinm", "cosm", "vec", "kron", "comm"),
}
SIZED = {"eye", "ones", "zeros", "vector", "matrix", "rows", "cols", "diag"}
KNOWN = sorted({*ELEMENTWISE, *MATRIX_FUNCTIONS, *SIZED})

GREEK = frozenset(
    """alpha beta gamma delta epsilon eps zeta eta theta iota kappa lambda lam mu nu xi rho sigma tau upsilon phi
    chi psi omega""".split()
)


@dataclass
class Typed:
    """A syntax node with its shape and a function that builds its expression once sizes are known."""

    shape: tuple
    build: object


class Inference:
    """One reading of a tree: the kind of every name is fixed."""

    def __init__(self, source, declared, sizes):
        self.source, self.declared, self.sizes = source, declared, sizes

    def fail(self, message, node):
        raise shape_error(message, self.source, node)

    def shape(self, typed):
        return tuple(self.sizes.find(s) for s in typed.shape)

    def is_scalar(self, typed):
        return self.shape(typed) == (1, 1)

    def describe(self, typed, node):
        rows, columns = self.shape(typed)
        text = self.source[node.start : node.end]
        return f"{text} ({_size_name(rows)}, {_size_name(columns)})"

    def same_shape(self, a, b, node, verb):
        if not all(self.sizes.unify(x, y) for x, y in zip(a.shape, b.shape)):
            left, right = node.args
            hint = ""
            if self.is_scalar(a) != self.is_scalar(b):
                hint = ". A scalar is not broadcast: write s*vector(1), s*matrix(1) or s*eye"
            self.fail(f"cannot {verb} {self.describe(a, left)} and {self.describe(b, right)}{hint}", node)

    def visit(self, node):
        return getattr(self, HANDLERS[node.op])(node)

    def number(self, node):
        return Typed((S.One, S.One), lambda: Rational(node.value))

    def name(self, node):
        name = node.value
        if name in self.declared:
            d = self.declared[name]
            return Typed(d.shape, lambda: make_variable(name, self.resolved(d)))
        if name == "eye":
            n = self.sizes.fresh()
            return Typed((n, n), lambda: Identity(self.sizes.find(n)))
        if name == "pi":
            return Typed((S.One, S.One), lambda: S.Pi)
        raise ParseError(f"unknown name {name!r}", self.source, node.start)

    def resolved(self, d):
        return Declaration(d.kind, tuple(self.sizes.find(s) for s in d.shape), d.properties)

    def negative(self, node):
        a = self.visit(node.args[0])
        return Typed(a.shape, lambda: -a.build())

    def transpose(self, node):
        a = self.visit(node.args[0])
        return Typed(a.shape[::-1], lambda: Transpose(a.build()))

    def sum(self, node):
        a, b = map(self.visit, node.args)
        self.same_shape(a, b, node, "add" if node.op == "+" else "subtract")
        sign = 1 if node.op == "+" else -1
        return Typed(a.shape, lambda: add(a.build(), multiply(sign, b.build())))

    def times(self, node):
        a, b = map(self.visit, node.args)
        if self.is_scalar(a) or self.is_scalar(b):
            return Typed(b.shape if self.is_scalar(a) else a.shape, lambda: multiply(a.build(), b.build()))
        if not self.sizes.unify(a.shape[1], b.shape[0]):
            (left, right), (rows, columns) = node.args, self.shape(a)
            hint = ""
            if rows == self.shape(b)[0]:
                hint = f". Did you mean {self.source[left.start : left.end]}'*{self.source[right.start : right.end]}?"
            self.fail(
                f"cannot multiply {self.describe(a, left)} by {self.describe(b, right)}: "
                f"{_size_name(columns)} columns meet {_size_name(self.shape(b)[0])} rows{hint}",
                node,
            )
        return Typed((a.shape[0], b.shape[1]), lambda: Product(a.build(), b.build()))

    def divide(self, node):
        a, b = map(self.visit, node.args)
        if not self.is_scalar(b):
            self.fail(
                f"cannot divide by {self.describe(b, node.args[1])}: "
                "the divisor of / is a scalar; use ./ for elementwise division or inv(…)",
                node,
            )

        def build():
            divisor = b.build()
            if divisor == 0:
                raise ParseError("division by zero", self.source, node.args[1].start)
            return multiply(1 / divisor, a.build())

        return Typed(a.shape, build)

    def elementwise_operation(self, node):
        a, b = map(self.visit, node.args)
        if not self.is_scalar(a) and not self.is_scalar(b):
            self.same_shape(a, b, node, "combine elementwise")
        shape = b.shape if self.is_scalar(a) else a.shape
        combine = {".*": lambda u, v: u * v, "./": lambda u, v: u / v, ".^": lambda u, v: u**v}[node.op]

        def build():
            left, right = a.build(), b.build()
            if is_matrix(left) and is_matrix(right):
                if node.op == ".*":
                    return Hadamard(left, right)
                if node.op == "./":
                    return Hadamard(left, Apply(1 / SLOTS[0], right))
                return Apply(combine(*SLOTS), left, right)
            if is_matrix(left):
                return Apply(combine(SLOTS[0], right), left)
            return Apply(combine(left, SLOTS[0]), right) if is_matrix(right) else combine(left, right)

        return Typed(shape, build)

    def power(self, node):
        a, b = map(self.visit, node.args)
        if not self.is_scalar(b):
            self.fail(f"the exponent {self.describe(b, node.args[1])} is not a scalar", node)
        if self.is_scalar(a):
            return Typed(a.shape, lambda: a.build() ** b.build())
        if not self.sizes.unify(*a.shape):
            self.fail(f"{self.describe(a, node.args[0])} is not square; use .^ for elementwise powers", node)
        return Typed(a.shape, lambda: Power(a.build(), b.build()))

    def call(self, node):
        name, args = node.value, node.args
        if name in LATER:
            raise UnsupportedError(f"{name}(…) is not carried yet; the functions that are: {', '.join(KNOWN)}")
        if name not in KNOWN:
            raise ParseError(f"unknown function {name!r}; known are {', '.join(KNOWN)}", self.source, node.start)
        if name in ("eye", "ones", "zeros"):
            return self.constant(node)
        if len(args) != 1:
            raise ParseError(f"{name} takes 1 argument, not {len(args)}", self.source, node.start)
        a = self.visit(args[0])
        if name in ("vector", "matrix"):
            shape = (self.sizes.fresh(), S.One if name == "vector" else self.sizes.fresh())
            return Typed(shape, lambda: multiply(a.build(), Ones(*(self.sizes.find(s) for s in shape))))
        if name in ("rows", "cols"):
            return Typed((S.One, S.One), lambda: self.sizes.find(a.shape[0 if name == "rows" else 1]))
        if name == "diag":
            return self.diagonal(node, a)
        if name in ELEMENTWISE:
            return Typed(a.shape, lambda: elementwise(ELEMENTWISE[name], a.build()))
        kind, build = MATRIX_FUNCTIONS[name]
        if kind in (SQUARE_SAME, SQUARE_SCALAR) and not self.sizes.unify(*a.shape):
            self.fail(f"{name} needs a square matrix; {self.describe(a, args[0])} is not", node)
        return Typed((S.One, S.One) if kind in (SCALAR, SQUARE_SCALAR) else a.shape, lambda: build(a.build()))

    def diagonal(self, node, a):
        if self.is_scalar(a):
            self.fail(f"diag needs a vector or a square matrix; {self.describe(a, node.args[0])} is a scalar", node)
        if self.shape(a)[1] == 1:
            return Typed((a.shape[0], a.shape[0]), lambda: Diag(a.build()))
        if not self.sizes.unify(*a.shape):
            self.fail(f"diag needs a vector or a square matrix; {self.describe(a, node.args[0])} is neither", node)
        return Typed((a.shape[0], S.One), lambda: DiagonalOf(a.build()))

    def constant(self, node):
        count = {"eye": (1,), "ones": (1, 2), "zeros": (1, 2)}[node.value]
        if len(node.args) not in count:
            raise ParseError(f"{node.value} takes {' or '.join(map(str, count))} sizes", self.source, node.start)
        sizes = [self.size(a) for a in node.args]
        if node.value == "eye":
            return Typed((sizes[0], sizes[0]), lambda: Identity(sizes[0]))
        shape = (sizes[0], sizes[1] if len(sizes) > 1 else S.One)
        return Typed(shape, lambda: (Ones if node.value == "ones" else Zero)(*shape))

    def size(self, node):
        if node.op in ("number", "name"):
            return dimension(node.value)
        if node.op == "*":
            return self.size(node.args[0]) * self.size(node.args[1])
        raise ParseError("a size is a name, an integer or a product of these", self.source, node.start)


HANDLERS = {
    "number": "number",
    "name": "name",
    "call": "call",
    "neg": "negative",
    "'": "transpose",
    "+": "sum",
    "-": "sum",
    "*": "times",
    "/": "divide",
    ".*": "elementwise_operation",
    "./": "elementwise_operation",
    ".^": "elementwise_operation",
    "^": "power",
}


def _size_name(size):
    return "?" if isinstance(size, Dummy) else str(size)


# ------------------------------------------------------------------------ kinds of undeclared names


def usual_kinds(name):
    """Kinds of an undeclared name, the usual one first."""
    if name.lower() in GREEK and name[0].islower():
        return ("scalar", "vector")
    return ("matrix",) if name[0].isupper() else ("vector", "scalar")


def _assume(kind, sizes):
    if kind == "scalar":
        return Declaration("scalar", (S.One, S.One))
    shape = (sizes.fresh(), sizes.fresh() if kind == "matrix" else S.One)
    sizes.guarded |= {s for s in shape if s != 1}
    return Declaration(kind, shape)


# Assignments of one number of unusual kinds that are tried.
MOST_READINGS = 500


def _readings(open_names):
    """Assignments of kinds, those with the fewest unusual kinds first, grouped by that number."""
    flexible = [n for n in open_names if len(usual_kinds(n)) > 1]
    for unusual in range(len(flexible) + 1):
        if comb(len(flexible), unusual) > MOST_READINGS:
            raise ShapeError(
                f"too many undeclared names ({', '.join(open_names)}) to try their kinds; declare some of them"
            )
        yield [{n: usual_kinds(n)[1 if n in odd else 0] for n in open_names} for odd in combinations(flexible, unusual)]


@dataclass(frozen=True)
class Reading:
    """An expression with its variables by name, and the sizes that nothing determines."""

    expression: object
    variables: dict
    open_sizes: tuple


def infer(source, tree, variables=None):
    """Build the expression of a syntax tree; undeclared names get the usual kinds that fit.

    Raises ShapeError where no kinds fit or several equally usual ones do.
    """
    declared = {name: declaration(name, shape) for name, shape in (variables or {}).items()}
    names = [n for n in tree.names() if n not in ("eye", "pi") or n in declared]
    open_names = [n for n in names if n not in declared]
    first_error = None
    for readings in _readings(open_names):
        found = []
        for kinds in readings:
            sizes = Sizes()
            kinds = {n: _assume(k, sizes) for n, k in kinds.items()}
            inference = Inference(source, {**declared, **kinds}, sizes)
            try:
                found.append((inference, inference.visit(tree), kinds))
            except ShapeError as error:
                first_error = first_error or error
        if len(found) > 1:
            shown = [", ".join(f"{n} a {k.kind}" for n, k in kinds.items()) for _, _, kinds in found[:2]]
            raise ShapeError(
                f"{source!r} can be read with {shown[0]}, or with {shown[1]}; declare one, "
                f"as in variables={{{open_names[0]!r}: 'n'}}; the shape of a scalar is ''"
            )
        if found:
            return _built(*found[0], names)
    raise first_error


def _built(inference, typed, kinds, names):
    _name_sizes(inference, kinds)
    expression = typed.build()
    variables = {n: make_variable(n, inference.resolved(d)) for n, d in inference.declared.items()}
    ordered = {n: variables[n] for n in [*names, *(v for v in variables if v not in names)]}
    open_sizes = tuple(sorted((s for s in expression.free_symbols if isinstance(s, Dummy)), key=str))
    return Reading(expression, ordered, open_sizes)


def _name_sizes(inference, kinds):
    """Give the sizes of undeclared variables the usual names, in order of appearance."""
    used = {str(s) for d in inference.declared.values() for size in d.shape for s in size.free_symbols}
    used |= set(inference.declared)
    unknown = []
    for d in kinds.values():
        for size in d.shape:
            size = inference.sizes.find(size)
            if isinstance(size, Dummy) and size not in unknown:
                unknown.append(size)
    usual = ["n"] if len(unknown) == 1 else []
    names = (c for c in [*usual, *"mnpqrkl", *(f"n{i}" for i in range(1, 100))] if c not in used)
    for size in unknown:
        name = next(names)
        used.add(name)
        inference.sizes.known[size] = dimension(name)
