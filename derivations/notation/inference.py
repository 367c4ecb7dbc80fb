"""Shapes by unification: the surface syntax of any notation becomes an expression tree."""

import re
from dataclasses import dataclass
from itertools import combinations
from math import comb

import sympy
from sympy import Dummy, Rational, S

from derivations import spectral
from derivations.elementwise import SLOTS, Apply, Diag, DiagonalOf, Hadamard, Softmax, SoftmaxRows
from derivations.errors import ParseError, ShapeError, UnsupportedError
from derivations.expressions import (
    SQUARE,
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
from derivations.functions import (
    clip,
    huber,
    maximum,
    minimum,
    normcdf,
    normpdf,
    relu,
    sigmoid,
    softplus,
    step,
)
from derivations.kronecker import Commutation, Kronecker, Vec
from derivations.notation.shapes import (
    MOST_DIGITS,
    PROPERTIES_OF_SCALARS,
    Declaration,
    Sizes,
    declaration,
    dimension,
    make_variable,
)
from derivations.notation.syntax import shape_error
from derivations.scalars import Det, LogDet, LogSumExp, Norm, Trace, mean
from derivations.spectral import (
    Adjugate,
    Frechet,
    LargestEigenvalue,
    LargestEigenvector,
    MatrixFunction,
    NuclearNorm,
    PseudoInverse,
)

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


LARGEST_FACTORIAL = 1000
# Numbers beyond these would keep SymPy busy for hours.
MOST_BITS, LARGEST_POWER = 10_000, 10_000


def elementwise(function, value):
    """A scalar function of a scalar, or of every entry of a matrix."""
    if is_matrix(value):
        return Apply(function(SLOTS[0]), value)
    if function is sympy.factorial and value.is_number and value > LARGEST_FACTORIAL:
        raise UnsupportedError(f"factorial({value}) is not worked out: its argument is above {LARGEST_FACTORIAL}")
    if function is sympy.log and isinstance(value, Det):
        return LogDet(value.args[0])
    return function(value)


ONE = (S.One, S.One)


def _either(scalar, matrix):
    """A builder: one function for scalars, another for matrices."""
    return lambda a: matrix(a) if is_matrix(a) else scalar(a)


# name -> (shape of the result from the shape of the argument, builder)
MATRIX_FUNCTIONS = {
    "sum": (lambda r, c: ONE, EntrySum),
    "mean": (lambda r, c: ONE, _either(lambda a: a, mean)),
    "norm2": (lambda r, c: ONE, Norm),
    "norm1": (lambda r, c: ONE, lambda a: EntrySum(elementwise(sympy.Abs, a))),
    "norm_nuc": (lambda r, c: ONE, NuclearNorm),
    "logsumexp": (lambda r, c: ONE, _either(lambda a: a, LogSumExp)),
    "softmax": (lambda r, c: (r, c), _either(lambda a: S.One, Softmax)),
    "logsoftmax": (lambda r, c: (r, c), _either(lambda a: S.Zero, lambda a: elementwise(sympy.log, Softmax(a)))),
    "softmax_rows": (lambda r, c: (r, c), _either(lambda a: S.One, SoftmaxRows)),
    "logsoftmax_rows": (
        lambda r, c: (r, c),
        _either(lambda a: S.Zero, lambda a: elementwise(sympy.log, SoftmaxRows(a))),
    ),
    "pinv": (lambda r, c: (c, r), _either(lambda a: 1 / a, PseudoInverse)),
    "vec": (lambda r, c: (r * c, S.One), Vec),
}
# The same, of square matrices only.
SQUARE_FUNCTIONS = {
    "tr": (lambda r, c: ONE, Trace),
    "det": (lambda r, c: ONE, Det),
    "logdet": (lambda r, c: ONE, _either(sympy.log, LogDet)),
    "lambda_max": (lambda r, c: ONE, LargestEigenvalue),
    "vmax": (lambda r, c: (r, S.One), _either(lambda a: S.One, LargestEigenvector)),
    "inv": (lambda r, c: (r, r), _either(lambda a: 1 / a, Inverse)),
    "adj": (lambda r, c: (r, r), _either(lambda a: S.One, Adjugate)),
    **{
        name: (
            lambda r, c: (r, r),
            _either(
                lambda a, function=function: function.xreplace({SLOTS[0]: a}),
                lambda a, function=function: MatrixFunction(function, a),
            ),
        )
        for name, function in spectral.MATRIX_FUNCTIONS.items()
    },
}
# The last one is of the matrix power, whose exponent is a third argument.
FUNCTIONS_OF_ONE = MATRIX_FUNCTIONS | SQUARE_FUNCTIONS
FRECHET = {f"{name}_frechet": function for name, function in spectral.MATRIX_FUNCTIONS.items()} | {
    "power_frechet": None
}
# name -> (function, how many arguments); where several are matrices, they have one shape.
BROADCAST = {"max": (maximum, 2), "min": (minimum, 2), "huber": (huber, 2), "clip": (clip, 3)}
BROADCAST_NAMES = {function: name for name, (function, _) in BROADCAST.items()}
FUNCTION_NAMES.update(BROADCAST_NAMES)
SIZED = {"eye", "ones", "zeros", "comm", "vector", "matrix", "rows", "cols", "diag"}
KNOWN = sorted({*ELEMENTWISE, *MATRIX_FUNCTIONS, *SQUARE_FUNCTIONS, *FRECHET, *BROADCAST, "kron", *SIZED})

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
        typed = getattr(self, HANDLERS[node.op])(node)
        self.sizes.waiting = [(a, b, place or node) for a, b, place in self.sizes.waiting]
        return typed

    def settle(self):
        """Decide the equations of sizes that waited for others, as far as they can be."""
        wrong = self.sizes.settle()
        if wrong:
            left, right, place = wrong
            sizes = " is not ".join(_size_name(self.sizes.find(s)) for s in (left, right))
            self.fail(f"the sizes in {self.source[place.start : place.end]} do not fit: {sizes}", place)

    def need_sizes(self):
        """Raise ShapeError where equations of sizes are still open: m n = p q has many solutions."""
        for left, right, place in self.sizes.waiting:
            unknown = self.sizes.find(left * right).atoms(Dummy)
            names = [
                n for n, d in self.declared.items() if any(self.sizes.find(s).atoms(Dummy) & unknown for s in d.shape)
            ]
            text = self.source[place.start : place.end]
            if not names:
                self.fail(f"the sizes in {text} do not follow; write eye(n) or ones(m,n) for eye or matrix(1)", place)
            shape = "m,n" if self.declared[names[0]].kind == "matrix" else "n"
            self.fail(
                f"the sizes of {', '.join(names)} do not follow from {text}; "
                f"declare them, as in variables={{{names[0]!r}: {shape!r}}}",
                place,
            )

    def number(self, node):
        mantissa, _, exponent = node.value.lower().partition("e")
        if len(mantissa) + (MOST_DIGITS if len(exponent) > 5 else abs(int(exponent or 0))) > MOST_DIGITS:
            raise ParseError(f"the number has more than {MOST_DIGITS} digits", self.source, node.start)
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
        if name in _sizes_of(self.declared):
            return Typed((S.One, S.One), lambda: dimension(name))
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
            if node.op == ".^" and right.is_Rational and abs(right) > LARGEST_POWER:
                raise ParseError(f"the exponent is above {LARGEST_POWER}", self.source, node.args[1].start)
            if is_matrix(left) and is_matrix(right):
                if node.op == ".*":
                    return Hadamard(left, right)
                if node.op == "./":
                    return Hadamard(left, Apply(1 / SLOTS[0], right))
                return Apply(combine(*SLOTS[:2]), left, right)
            if is_matrix(left):
                return Apply(combine(SLOTS[0], right), left)
            return Apply(combine(left, SLOTS[0]), right) if is_matrix(right) else combine(left, right)

        return Typed(shape, build)

    def power(self, node):
        a, b = map(self.visit, node.args)
        if not self.is_scalar(b):
            self.fail(f"the exponent {self.describe(b, node.args[1])} is not a scalar", node)
        if self.is_scalar(a):
            return Typed(a.shape, lambda: self.scalar_power(a.build(), b.build(), node))
        if not self.sizes.unify(*a.shape):
            self.fail(f"{self.describe(a, node.args[0])} is not square; use .^ for elementwise powers", node)
        return Typed(a.shape, lambda: self.matrix_power(a.build(), b.build(), node))

    def matrix_power(self, base, exponent, node):
        if exponent.is_Rational and not exponent.is_Integer:
            if exponent.q != 2:
                raise ParseError("the exponent of a matrix is whole or half", self.source, node.args[1].start)
            root = MatrixFunction(spectral.MATRIX_FUNCTIONS["sqrtm"], base)
            return Product(Power(base, exponent - Rational(1, 2)), root)
        return Power(base, exponent)

    def scalar_power(self, base, exponent, node):
        powers = [f.as_base_exp()[1] * exponent for f in sympy.Mul.make_args(base)]
        if any(p.is_Rational and abs(p) > LARGEST_POWER for p in powers):
            raise ParseError(f"the exponent is above {LARGEST_POWER}", self.source, node.args[1].start)
        if base.is_Rational and exponent.is_Rational:
            bits = abs(exponent) * max(base.p.bit_length(), base.q.bit_length())
            if bits > MOST_BITS:
                raise ParseError(f"the power is a number of more than {MOST_BITS} bits", self.source, node.start)
        return base**exponent

    def call(self, node):
        name, args = node.value, node.args
        if name not in KNOWN:
            raise ParseError(f"unknown function {name!r}; known are {', '.join(KNOWN)}", self.source, node.start)
        if name in ("eye", "ones", "zeros", "comm"):
            return self.constant(node)
        if name in BROADCAST:
            return self.broadcast(node)
        if name in FRECHET or name == "kron":
            return self.frechet(node) if name in FRECHET else self.kronecker(node)
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
        if name in SQUARE_FUNCTIONS and not self.sizes.unify(*a.shape):
            self.fail(f"{name} needs a square matrix; {self.describe(a, args[0])} is not", node)
        shape, build = FUNCTIONS_OF_ONE[name]
        return Typed(shape(*a.shape), lambda: build(a.build()))

    def arguments(self, node, count):
        if len(node.args) != count:
            found = len(node.args)
            raise ParseError(f"{node.value} takes {count} arguments, not {found}", self.source, node.start)
        return [self.visit(a) for a in node.args]

    def broadcast(self, node):
        function, count = BROADCAST[node.value]
        parts = self.arguments(node, count)
        matrices = [(p, a) for p, a in zip(parts, node.args) if not self.is_scalar(p)]
        for p, a in matrices[1:]:
            if not all(self.sizes.unify(x, y) for x, y in zip(matrices[0][0].shape, p.shape)):
                self.fail(f"cannot combine {self.describe(*matrices[0])} and {self.describe(p, a)}", node)
        if len(matrices) > len(SLOTS):
            self.fail(f"of the arguments of {node.value} at most {len(SLOTS)} may be matrices", node)

        def build():
            slots, built = iter(SLOTS), [p.build() for p in parts]
            arguments = [next(slots) if is_matrix(b) else b for b in built]
            inside = [b for b in built if is_matrix(b)]
            return Apply(function(*arguments), *inside) if inside else function(*arguments)

        return Typed(matrices[0][0].shape if matrices else ONE, build)

    def frechet(self, node):
        a, b, *exponent = self.arguments(node, 3 if node.value == "power_frechet" else 2)
        self.same_shape(a, b, node, "take the Fréchet derivative with")
        if not self.sizes.unify(*a.shape):
            self.fail(f"{node.value} needs a square matrix; {self.describe(a, node.args[0])} is not", node)
        if exponent and not self.is_scalar(exponent[0]):
            self.fail(f"the exponent {self.describe(exponent[0], node.args[2])} is not a scalar", node)

        def build():
            function = SLOTS[0] ** exponent[0].build() if exponent else FRECHET[node.value]
            matrix, direction = a.build(), b.build()
            if is_matrix(matrix) and function not in (1, SLOTS[0]):
                return Frechet(function, matrix, direction)
            return multiply(function.diff(SLOTS[0]).xreplace({SLOTS[0]: matrix}), direction)

        return Typed(a.shape, build)

    def kronecker(self, node):
        a, b = self.arguments(node, 2)
        return Typed(tuple(x * y for x, y in zip(a.shape, b.shape)), lambda: Kronecker(a.build(), b.build()))

    def diagonal(self, node, a):
        if self.is_scalar(a):
            self.fail(f"diag needs a vector or a square matrix; {self.describe(a, node.args[0])} is a scalar", node)
        if self.shape(a)[1] == 1:
            return Typed((a.shape[0], a.shape[0]), lambda: Diag(a.build()))
        if not self.sizes.unify(*a.shape):
            self.fail(f"diag needs a vector or a square matrix; {self.describe(a, node.args[0])} is neither", node)
        return Typed((a.shape[0], S.One), lambda: DiagonalOf(a.build()))

    def constant(self, node):
        count = {"eye": (1,), "ones": (1, 2), "zeros": (1, 2), "comm": (2,)}[node.value]
        if len(node.args) not in count:
            sizes = "size" if count == (1,) else "sizes"
            raise ParseError(f"{node.value} takes {' or '.join(map(str, count))} {sizes}", self.source, node.start)
        sizes = [self.size(a) for a in node.args]
        if node.value == "eye":
            return Typed((sizes[0], sizes[0]), lambda: Identity(sizes[0]))
        if node.value == "comm":
            return Typed((sizes[0] * sizes[1],) * 2, lambda: Commutation(*sizes))
        shape = (sizes[0], sizes[1] if len(sizes) > 1 else S.One)
        return Typed(shape, lambda: (Ones if node.value == "ones" else Zero)(*shape))

    def size(self, node):
        if node.op in ("number", "name"):
            try:
                return dimension(node.value)
            except ShapeError as error:
                self.fail(str(error), node)
        if node.op == "*":
            return self.size(node.args[0]) * self.size(node.args[1])
        if node.op == "^" and re.fullmatch("[1-9][0-9]*", str(node.args[1].value)):
            return self.size(node.args[0]) ** int(node.args[1].value)
        raise ParseError("a size is a name, an integer or a product of these, such as n^2", self.source, node.start)


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
    return "?" if size.atoms(Dummy) else str(size)


# ------------------------------------------------------------------------ kinds of undeclared names


def usual_kinds(name):
    """Kinds of an undeclared name, the usual one first."""
    if name.lower() in GREEK and name[0].islower():
        return ("scalar", "vector")
    return ("matrix",) if name[0].isupper() else ("vector", "scalar")


def _possible_kinds(name, declared, transposed):
    """Kinds of a name whose shape is open, the usual one first; nobody transposes a scalar."""
    properties = set(declared.properties) - {"independent"}
    if declared.kind:
        return (declared.kind,)
    if properties & OF_MATRICES:
        return ("matrix",)
    is_scalar = not transposed and properties <= set(PROPERTIES_OF_SCALARS)
    return tuple(k for k in usual_kinds(name) if k != "scalar" or is_scalar)


def _assume(kind, sizes, properties):
    if kind == "scalar":
        return Declaration("scalar", (S.One, S.One), properties)
    rows, columns = sizes.fresh(), sizes.fresh() if kind == "matrix" else S.One
    if SQUARE & set(properties):
        columns = rows
    sizes.guarded |= {s for s in (rows, columns) if s != 1}
    return Declaration(kind, (rows, columns), properties)


OPEN = Declaration(None, None)
OF_MATRICES = SQUARE | {"onehot_rows"}
# Assignments of one number of unusual kinds that are tried.
MOST_READINGS = 500


def _readings(open_kinds):
    """Assignments of kinds, those with the fewest unusual kinds first, grouped by that number."""
    flexible = [n for n, kinds in open_kinds.items() if len(kinds) > 1]
    for unusual in range(len(flexible) + 1):
        if comb(len(flexible), unusual) > MOST_READINGS:
            raise ShapeError(
                f"too many undeclared names ({', '.join(open_kinds)}) to try their kinds; declare some of them"
            )
        yield [
            {n: kinds[1 if n in odd else 0] for n, kinds in open_kinds.items()}
            for odd in combinations(flexible, unusual)
        ]


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
    reserved = {"eye", "pi", *_sizes_of(declared)} - set(declared)
    names = [n for n in tree.names() if n not in reserved]
    open_names = {n: declared.get(n, OPEN) for n in names if declared.get(n, OPEN).shape is None}
    unsaid = [n for n, d in declared.items() if d.shape is None and n not in open_names]
    if unsaid:
        raise ShapeError(f"{source!r} does not say the shape of {unsaid[0]}, which it does not have; declare it")
    first_error = None
    transposed = tree.transposed()
    for readings in _readings({n: _possible_kinds(n, d, n in transposed) for n, d in open_names.items()}):
        found = []
        for kinds in readings:
            sizes = Sizes()
            kinds = {n: _assume(k, sizes, open_names[n].properties) for n, k in kinds.items()}
            inference = Inference(source, {**declared, **kinds}, sizes)
            try:
                typed = inference.visit(tree)
                inference.settle()
                found.append((inference, typed, kinds))
            except ShapeError as error:
                first_error = first_error or error
        if len(found) > 1:
            shown = [", ".join(f"{n} a {k.kind}" for n, k in kinds.items()) for _, _, kinds in found[:2]]
            raise ShapeError(
                f"{source!r} can be read with {shown[0]}, or with {shown[1]}; declare one, "
                f"as in variables={{{next(iter(open_names))!r}: 'n'}}; the shape of a scalar is ''"
            )
        if found:
            return _built(*found[0], names)
    raise first_error


def _built(inference, typed, kinds, names):
    inference.need_sizes()
    _name_sizes(inference, kinds)
    expression = typed.build()
    variables = {n: make_variable(n, inference.resolved(d)) for n, d in inference.declared.items()}
    ordered = {n: variables[n] for n in [*names, *(v for v in variables if v not in names)]}
    open_sizes = tuple(sorted((s for s in expression.free_symbols if isinstance(s, Dummy)), key=str))
    return Reading(expression, ordered, open_sizes)


def _sizes_of(declared):
    """The names of declared sizes, which an expression may use as numbers."""
    return {str(s) for d in declared.values() for size in d.shape or () for s in size.free_symbols}


def _name_sizes(inference, kinds):
    """Give the sizes of undeclared variables the usual names, in order of appearance."""
    used = _sizes_of(inference.declared) | set(inference.declared)
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
