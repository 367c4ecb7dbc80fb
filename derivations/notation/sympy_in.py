"""SymPy's own nodes in: a tree of its MatrixExpr and scalars becomes a tree of ours.

Every class of SymPy is read or refused by name: what is not in the tables is refused. All is real:
symbols without assumptions become real ones, an adjoint is a transpose.
"""

import itertools
from dataclasses import dataclass

import sympy
from sympy import Dummy, Float, Function, Lambda, Rational
from sympy.matrices.expressions import applyfunc, diagonal, dotproduct, hadamard, kronecker, matexpr
from sympy.matrices.matrixbase import MatrixBase

from derivations.elementwise import SLOTS, Apply, Diag, DiagonalOf, Hadamard
from derivations.errors import DerivationError, ShapeError, UnsupportedError
from derivations.expressions import (
    Identity,
    Inverse,
    Ones,
    Plain,
    Power,
    Product,
    Scale,
    Transpose,
    Zero,
    add,
    is_matrix,
    need_square,
    shape_of,
)
from derivations.kronecker import Kronecker
from derivations.notation import sympy_functions, sympy_sums, sympy_symbols
from derivations.notation.sympy_functions import REAL
from derivations.scalars import Det, Trace
from derivations.spectral import MATRIX_FUNCTIONS, MatrixFunction


@dataclass(frozen=True)
class Reading:
    """An expression of ours, its variables by name, and the symbols of SymPy that they and the sizes stand for."""

    expression: object
    variables: dict
    symbols: tuple


def is_foreign(expression):
    """Whether a tree is SymPy's throughout: no node of it is ours."""
    return not any(isinstance(node, Plain) for node in sympy.preorder_traversal(expression))


def from_sympy(expression, variables=None):
    """The tree of a SymPy expression; variables: name -> declaration, for properties such as "symmetric"."""
    return read(expression, (), variables).expression


def read(expression, wrt=(), variables=None, tied=frozenset()):
    """A Reading of a SymPy expression.

    wrt: names or symbols of the variables of differentiation, which need not occur. Those do not keep the
    `tied` among their properties. Raises UnsupportedError or ShapeError.
    """
    if _depth(expression) > MAX_DEPTH:
        raise UnsupportedError(f"the expression is nested more than {MAX_DEPTH} levels deep")
    for asked in wrt:
        if not isinstance(asked, str) and type(asked) not in sympy_symbols.KINDS:
            raise UnsupportedError(
                f"the derivative by {asked} ({type(asked).__name__}) is not carried: "
                "derive by a Symbol or a MatrixSymbol, and take the entry of the result"
            )
    symbols, sizes = sympy_symbols.free((expression, *(v for v in wrt if not isinstance(v, str))))
    names = {v if isinstance(v, str) else v.name for v in wrt}
    if asked := names & {s.name for s in sizes}:
        raise UnsupportedError(f"{min(asked)} is a size: there is no derivative by it")
    ours = {s: sympy_symbols.size(s) for s in sizes}
    declared = dict(variables or {})
    found = {}
    for s in (s for s in symbols if s not in sizes):
        loose = tied if s.name in names else frozenset()
        found[s] = sympy_symbols.variable(s, ours, declared.pop(s.name, None), loose)
    if declared:
        raise DerivationError(f"variables declares {min(declared)}, which is no variable of {expression}")
    tree = Reader({**ours, **found})(expression)
    if tree.has(sympy.I):
        raise UnsupportedError(f"{expression} is complex where its variables are real: {REAL}")
    return Reading(tree, {s.name: v for s, v in found.items()}, tuple(symbols))


# As in the text notation: deeper trees would exhaust Python's stack.
MAX_DEPTH = 100


def _depth(expression):
    depth, level = 0, [expression]
    while level and depth <= MAX_DEPTH:
        depth, level = depth + 1, list({a for e in level for a in e.args})
    return depth


# --------------------------------------------------------------------------------------- trees

ONE_BY_ONE = ". A 1 x 1 matrix such as x.T*x scales nothing in SymPy; write Trace(x.T*x)"


class Reader:
    """Reads trees; `symbols` gives what stands for each symbol, the argument of an elementwise function too."""

    def __init__(self, symbols):
        self.symbols = symbols

    def __call__(self, e):
        form = FORMS.get(type(e)) or next((f for kind, f in KINDS if isinstance(e, kind)), None)
        if form is None:
            raise sympy_functions.refusal(e)
        tree = form(self, e)
        if getattr(e, "is_Matrix", False):
            self.check_shape(e, shape_of(tree))
        return tree

    def check_shape(self, e, shape):
        """Where sizes are symbols SymPy builds what cannot be, such as x'x A, and gives it some shape."""
        if tuple(map(self.size, e.shape)) != shape:
            raise ShapeError(f"{e} has the shape {e.shape} in SymPy, but its parts give {shape}{ONE_BY_ONE}")

    def size(self, size):
        return sympy_symbols.dimension(size, self.symbols)

    def symbol(self, e):
        return self.symbols[e]

    def number(self, e):
        if not (e.is_real and e.is_finite):
            raise UnsupportedError(f"the number {e} is not read: {REAL}")
        # A float is what it shows: 0.1 is a tenth.
        return Rational(str(e)) if isinstance(e, Float) else e

    def add(self, e):
        return add(*map(self, e.args))

    def multiply(self, e):
        matrices = [f for f in e.args if f.is_Matrix]
        for left, right in itertools.pairwise(matrices):
            if self.size(left.shape[1]) != self.size(right.shape[0]):
                raise ShapeError(f"cannot multiply {left} {left.shape} by {right} {right.shape}{ONE_BY_ONE}")
        return _product(map(self, e.args))

    def power(self, e):
        base, exponent = self(e.args[0]), self(e.args[1])
        if not is_matrix(base):
            if base.is_negative and not exponent.is_integer:
                raise UnsupportedError(f"the power {e} of a negative number is not read: {REAL}")
            return base**exponent
        if (2 * exponent).is_Integer and not exponent.is_Integer:
            return Power(MatrixFunction(MATRIX_FUNCTIONS["sqrtm"], base), 2 * exponent)
        if not exponent.is_integer:
            raise UnsupportedError(
                f"the matrix power {e} is not carried: the exponent of a matrix is an integer, "
                "such as Symbol('k', integer=True), or the half of a number"
            )
        return Power(base, exponent)

    def inverse(self, e):
        inside = self(e.args[0])
        return Inverse(inside) if is_matrix(inside) else 1 / inside

    def transpose(self, e):
        return Transpose(self(e.args[0]))

    def trace(self, e):
        return Trace(self(e.args[0]))

    def determinant(self, e):
        return Det(self(e.args[0]))

    def hadamard(self, e):
        for factor in e.args:
            self.check_shape(e, tuple(map(self.size, factor.shape)))
        return Hadamard(*map(self, e.args))

    def hadamard_power(self, e):
        base, exponent = self(e.args[0]), self(e.args[1])
        if is_matrix(base) and is_matrix(exponent):
            self.check_shape(e, exponent.shape)
            return Apply(SLOTS[0] ** SLOTS[1], base, exponent)
        if is_matrix(base):
            return Apply(SLOTS[0] ** exponent, base)
        return Apply(base ** SLOTS[0], exponent) if is_matrix(exponent) else base**exponent

    def kronecker(self, e):
        return Kronecker(*map(self, e.args))

    def identity(self, e):
        return Identity(self.size(e.shape[0]))

    def zero(self, e):
        return Zero(*map(self.size, e.shape))

    def ones(self, e):
        return Ones(*map(self.size, e.shape))

    def explicit(self, e):
        """A matrix of numbers, where it is a multiple of one that has a name."""
        if len(set(e)) == 1:
            return Scale(self(e[0, 0]), Ones(*e.shape))
        if e.is_square and e == e[0, 0] * sympy.eye(e.rows):
            return Scale(self(e[0, 0]), Identity(e.rows))
        raise UnsupportedError(
            f"the explicit matrix {e} is not carried: put a MatrixSymbol of the shape {e.shape} in its place, "
            "and the numbers into the result"
        )

    def diag(self, e):
        vector = self(e.args[0])
        return Diag(_column(vector, e)) if is_matrix(vector) else vector

    def diagonal_of(self, e):
        inside = self(e.args[0])
        return DiagonalOf(inside) if is_matrix(inside) else inside

    def diagonal_matrix(self, e):
        inside = self(e.args[0])
        need_square(inside, "take the diagonal matrix of")
        return Hadamard(inside, Identity(inside.shape[0])) if is_matrix(inside) else inside

    def dot(self, e):
        left, right = (_column(self(a), e) for a in e.args)
        return _product((Transpose(left), right))

    def element(self, e):
        """The entry of a 1 x 1 matrix."""
        parent = self(e.parent)
        if is_matrix(parent):
            raise UnsupportedError(
                f"the entry {e} is not carried: derive by the matrix, and take the entry of the result. "
                "Of 1 x 1 products write Trace(x.T*A*x); (x.T*A*x)[0, 0] is read where the sizes are symbols"
            )
        return parent

    def sum(self, e):
        return sympy_sums.contract(e, self)

    def apply(self, e):
        function, inside = e.args[0], self(e.args[1])
        if not isinstance(function, Lambda) or function.variables != function.signature:
            raise UnsupportedError(f"the function {function} is not read: expected a Lambda of one symbol")
        (argument,), body = function.variables, function.expr
        for node in (n for n in sympy.preorder_traversal(body) if n.has(argument)):
            if getattr(node, "is_Matrix", False) or isinstance(node, OF_MATRICES):
                raise UnsupportedError(f"the elementwise {node} is not read: its argument stands in a matrix")
            if isinstance(node, sympy.Pow) and node.base.has(argument) and node.exp.has(argument):
                raise UnsupportedError(f"the elementwise {node} is not read; write HadamardPower of two matrices")
        read = Reader({**self.symbols, argument: SLOTS[0] if is_matrix(inside) else inside})
        return Apply(read(body), inside) if is_matrix(inside) else read(body)

    def exponential(self, e):
        inside = self(e.args[0])
        return MatrixFunction(MATRIX_FUNCTIONS["expm"], inside) if is_matrix(inside) else sympy.exp(inside)

    def function(self, e):
        sympy_functions.check(e)
        args = [self(a) for a in e.args]
        if any(map(is_matrix, args)):
            raise UnsupportedError(
                f"{type(e).__name__} of a matrix is not read: {e}. Entry by entry it is X.applyfunc(f); "
                "of functions of a matrix SymPy has exp(X) only"
            )
        return sympy_functions.build(e, args)


def _product(factors):
    factors = list(factors)
    return Product(*factors) if any(map(is_matrix, factors)) else sympy.Mul(*factors)


def _column(vector, e):
    if is_matrix(vector) and 1 not in vector.shape:
        raise ShapeError(f"{type(e).__name__} needs a vector, but {vector} has the shape {vector.shape}")
    return Transpose(vector) if is_matrix(vector) and vector.shape[0] == 1 else vector


FORMS = {
    sympy.Symbol: Reader.symbol,
    Dummy: Reader.symbol,
    sympy.MatrixSymbol: Reader.symbol,
    sympy.Add: Reader.add,
    sympy.MatAdd: Reader.add,
    sympy.Mul: Reader.multiply,
    sympy.MatMul: Reader.multiply,
    sympy.Pow: Reader.power,
    sympy.MatPow: Reader.power,
    sympy.Inverse: Reader.inverse,
    sympy.Transpose: Reader.transpose,
    sympy.Adjoint: Reader.transpose,
    sympy.Trace: Reader.trace,
    sympy.Determinant: Reader.determinant,
    hadamard.HadamardProduct: Reader.hadamard,
    hadamard.HadamardPower: Reader.hadamard_power,
    kronecker.KroneckerProduct: Reader.kronecker,
    sympy.Identity: Reader.identity,
    sympy.ZeroMatrix: Reader.zero,
    sympy.OneMatrix: Reader.ones,
    diagonal.DiagMatrix: Reader.diag,
    diagonal.DiagonalOf: Reader.diagonal_of,
    diagonal.DiagonalMatrix: Reader.diagonal_matrix,
    dotproduct.DotProduct: Reader.dot,
    matexpr.MatrixElement: Reader.element,
    applyfunc.ElementwiseApplyFunction: Reader.apply,
    sympy.Sum: Reader.sum,
    sympy.exp: Reader.exponential,
    sympy.Max: Reader.function,
    sympy.Min: Reader.function,
}
# Those that come in many classes.
KINDS = (
    (MatrixBase, Reader.explicit),
    (sympy.Number, Reader.number),
    (sympy.NumberSymbol, Reader.number),
    (Function, Reader.function),
)
OF_MATRICES = (sympy.Trace, sympy.Determinant, dotproduct.DotProduct, matexpr.MatrixElement, sympy.Sum)
