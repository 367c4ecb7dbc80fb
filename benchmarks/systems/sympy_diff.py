"""SymPy's matrix `.diff` of an expression of MatrixSymbols, in two ways.

Products that are numbers stay 1 x 1 matrices, or become traces at once.
"""

from functools import partial, reduce

import numpy as np
import sympy
from sympy import Rational, Symbol, Trace
from sympy.matrices import expressions as matrices
from sympy.matrices.expressions.diagonal import DiagonalOf

from benchmarks.judge.shapes import SCALAR, declared_shape
from benchmarks.judge.truth import arranged
from benchmarks.problems import names_by
from benchmarks.systems import NotExpressible, tree_of
from benchmarks.systems.sympy_values import value

# Functions of a number; of a matrix they are applied to every entry.
FUNCTIONS = {
    **{name: getattr(sympy, name) for name in "exp log sin cos tan sinh cosh tanh sign sqrt erf".split()},
    "arcsin": sympy.asin,
    "arccos": sympy.acos,
    "arctan": sympy.atan,
    "abs": sympy.Abs,
    "relu": lambda x: sympy.Max(x, 0),
    "step": lambda x: sympy.Heaviside(x, 0),
    "sigmoid": lambda x: 1 / (1 + sympy.exp(-x)),
    "softplus": lambda x: sympy.log(1 + sympy.exp(x)),
    "normcdf": lambda x: (1 + sympy.erf(x / sympy.sqrt(2))) / 2,
    "normpdf": lambda x: sympy.exp(-(x**2) / 2) / sympy.sqrt(2 * sympy.pi),
}


def is_matrix(e):
    return getattr(e, "is_Matrix", False)


def scalar(e):
    """A number, also of what SymPy takes for a 1 x 1 matrix."""
    return Trace(e) if is_matrix(e) else e


def entrywise(name, a):
    if not is_matrix(a):
        return FUNCTIONS[name](a)
    x = sympy.Dummy()
    return a.applyfunc(sympy.Lambda(x, FUNCTIONS[name](x)))


def reciprocal(a):
    return matrices.HadamardPower(a, -1)


def times(a, b):
    """The Hadamard product, or a product with a number."""
    return matrices.HadamardProduct(a, b) if is_matrix(a) and is_matrix(b) else a * b


def entry_sum(a):
    """A 1 x 1 matrix."""
    rows, columns = a.shape
    return matrices.OneMatrix(1, rows) * a * matrices.OneMatrix(columns, 1)


def log_sum_exp(a):
    return sympy.log(scalar(entry_sum(entrywise("exp", a))))


def row_sums(a):
    """The sums of the rows, each as often as the row is long."""
    columns = a.shape[1]
    return a * matrices.OneMatrix(columns, 1) * matrices.OneMatrix(1, columns)


def softmax_rows(a):
    e = entrywise("exp", a)
    return times(e, reciprocal(row_sums(e)))


CALLS = {
    "tr": Trace,
    "det": sympy.Determinant,
    "logdet": lambda a: sympy.log(sympy.Determinant(a)),
    "inv": matrices.Inverse,
    "sum": entry_sum,
    "mean": lambda a: entry_sum(a) / (a.shape[0] * a.shape[1]),
    "norm1": lambda a: entry_sum(entrywise("abs", a)),
    "norm2": lambda a: sympy.sqrt(Trace(a.T * a)),
    "logsumexp": log_sum_exp,
    "softmax": lambda a: entrywise("exp", a) / scalar(entry_sum(entrywise("exp", a))),
    "logsoftmax": lambda a: a - log_sum_exp(a) * matrices.OneMatrix(*a.shape),
    "softmax_rows": softmax_rows,
    "logsoftmax_rows": lambda a: entrywise("log", softmax_rows(a)),
    "rows": lambda a: a.shape[0],
    "cols": lambda a: a.shape[1],
    "diag": lambda a: matrices.DiagMatrix(a) if a.shape[1] == 1 else DiagonalOf(a),
    "kron": matrices.KroneckerProduct,
}
MATRIX_CALLS = {"tr", "det", "logdet", "inv", "diag", "kron"}


def is_squared_norm(node):
    """Whether a tree is norm2(x)^2 of a column x."""
    base, exponent = node.args
    return base.op == "norm2" and exponent.value == "2" and base.args[0].shape[1] == 1


def in_sympy(node, problem, traces):
    """The SymPy expression of a tree; traces: whether products that are numbers become traces at once."""
    if node.op in ("number", "name", "pi", "eye", "ones", "zeros"):
        return leaf(node, problem)
    args = [in_sympy(a, problem, traces) for a in node.args]
    matrix = [a.shape != SCALAR for a in node.args]
    match node.op:
        case "filled":
            return scalar(args[0]) * matrices.OneMatrix(*node.shape)
        case "neg":
            return -args[0]
        case "'":
            return args[0].T if is_matrix(args[0]) else args[0]
        case "+" | "-":
            if not all(map(is_matrix, args)):
                args = [scalar(a) for a in args]
            return args[0] + args[1] if node.op == "+" else args[0] - args[1]
        case "*":
            product = args[0] * args[1]
            return Trace(product) if traces and node.shape == SCALAR else product
        case "^" if not traces and is_squared_norm(node):
            vector = in_sympy(node.args[0].args[0], problem, traces)
            return vector.T * vector
        case "power":
            return args[0] ** scalar(args[1])
    if node.op in CALLS:
        if any(not m and node.op not in MATRIX_CALLS for m in matrix):
            raise NotExpressible(f"{node.op} of a number")
        found = CALLS[node.op](*args)
        return scalar(found) if traces and node.shape == SCALAR else found
    args = [a if m else scalar(a) for a, m in zip(args, matrix)]
    match node.op:
        case "scale" | ".*":
            return times(*args)
        case "/":
            return args[0] / args[1]
        case "./":
            return times(args[0], reciprocal(args[1])) if matrix[1] else args[0] / args[1]
        case "^":
            return args[0] ** args[1]
        case ".^" if not matrix[1]:
            return matrices.HadamardPower(*args) if matrix[0] else args[0] ** args[1]
    if node.op in FUNCTIONS:
        return entrywise(node.op, args[0])
    raise NotExpressible(node.op)


def leaf(node, problem):
    match node.op:
        case "number":
            return Rational(node.value)
        case "pi":
            return sympy.pi
        case "name":
            return variable(node.value, problem)
        case "eye":
            return matrices.Identity(node.shape[0])
        case "ones":
            return matrices.OneMatrix(*node.shape)
    return matrices.ZeroMatrix(*node.shape)


def variable(name, problem):
    declared = problem["vars"][name]
    if declared["kind"] != "scalar":
        return matrices.MatrixSymbol(name, *declared_shape(declared))
    known = {"positive", "integer"} & set(declared.get("props", ()))
    return Symbol(name, **{"real": True, **dict.fromkeys(known, True)})


def asked(problem, traces):
    expression = in_sympy(tree_of(problem), problem, traces)
    by = [variable(name, problem) for name in names_by(problem)]
    return lambda: reduce(lambda e, x: e.diff(x), by, expression), partial(array, problem)


def array(problem, result, point, sizes):
    """The value of SymPy's result in the layout of the problem."""
    values = {variable(n, problem): x.numpy() for n, x in point.items()}
    values = {symbol: x if is_matrix(symbol) else float(x.item()) for symbol, x in values.items()}
    values.update({symbol: int(n) for symbol, n in sizes.items()})
    found = np.asarray(value(result, values), dtype=float)
    # The axes of the variable come before those of the value.
    return arranged(found.transpose(2, 3, 0, 1), 2, problem["layout"]) if found.ndim == 4 else found
