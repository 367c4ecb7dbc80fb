"""tensorgrad's `.grad` and `full_simplify` of a tensor.

A matrix has the edges r and c, a column r, a row c, a number none.
"""

import math
import operator
from fractions import Fraction
from functools import partial, reduce

import tensorgrad
import tensorgrad.functions as F
from sympy import Symbol

from benchmarks.judge.shapes import declared_shape
from benchmarks.judge.truth import arranged
from benchmarks.problems import names_by
from benchmarks.systems import NotExpressible, tree_of
from benchmarks.systems.tensorgrad_values import aligned, value


def edge_size(s):
    if s.is_Mul:
        raise NotExpressible(f"the size {s}")
    return Symbol(f"size_{s}" if s.is_Integer else s.name)


def edges(shape):
    return {edge: edge_size(s) for edge, s in zip("rc", shape) if s != 1}


def whole(number):
    """A constant that may be an exponent."""
    sign = 1
    while number.op == "neg":
        number, sign = number.args[0], -sign
    if number.op == "/" and all(a.op == "number" for a in number.args):
        return sign * Fraction(number.args[0].value) / Fraction(number.args[1].value)
    if number.op != "number":
        raise NotExpressible("an exponent that is no number")
    return sign * Fraction(number.value)


def product(a, b):
    return a.rename(c="k") @ b.rename(r="k")


def matrix_power(a, exponent):
    if exponent.denominator != 1 or exponent == 0:
        raise NotExpressible(f"the power {exponent} of a matrix")
    base = a if exponent > 0 else inverse(a)
    return reduce(product, [base] * abs(int(exponent)))


def transposed(a):
    return a.rename(r="c", c="r")


def inverse(a):
    """tensorgrad names the rows of an inverse as the columns of the matrix, with which they cancel."""
    return transposed(F.inverse(a, {"r", "c"}))


def diagonal(a):
    if len(a.edges) == 1:
        return F.diag(a, ["r", "c"])
    return a.rename(r="i", c="j") @ tensorgrad.Delta(a.shape["r"], "i", "j", "r")


def total(a):
    return F.sum(a) if a.edges else a


CALLS = {
    **{name: getattr(F, name) for name in "exp log tanh erf sigmoid relu abs sign sqrt".split()},
    "step": F.gt0,
    "softplus": lambda a: F.log(F.exp(a) + tensorgrad.Ones(**a.shape)),
    "sum": total,
    "mean": F.mean,
    "norm1": lambda a: total(F.abs(a)),
    "norm2": lambda a: F.sqrt(total(a * a)),
    "logsumexp": lambda a: F.log(total(F.exp(a))),
    "softmax": lambda a: F.softmax(a, list(a.edges)),
    "logsoftmax": lambda a: F.log_softmax(a, list(a.edges)),
    "softmax_rows": lambda a: F.softmax(a, "c"),
    "logsoftmax_rows": lambda a: F.log_softmax(a, "c"),
    "tr": F.trace,
    "det": lambda a: F.det(a, {"r", "c"}),
    "logdet": lambda a: F.log(F.det(a, {"r", "c"})),
    "inv": inverse,
    "diag": diagonal,
    "'": transposed,
    "neg": operator.neg,
    "+": operator.add,
    "-": operator.sub,
    "*": product,
    "scale": operator.mul,
    ".*": operator.mul,
    "/": operator.truediv,
    "./": operator.truediv,
}


def in_tensorgrad(node, variables):
    """The tensor of a tree; variables: name -> tensorgrad.Variable."""
    match node.op:
        case "number":
            return tensorgrad.Tensor(Fraction(node.value))
        case "pi":
            return tensorgrad.Tensor(math.pi)
        case "name":
            return variables[node.value]
        case "eye":
            return tensorgrad.Delta(edge_size(node.shape[0]), "r", "c")
        case "ones":
            return tensorgrad.Ones(**edges(node.shape))
        case "zeros":
            return tensorgrad.Zero(**edges(node.shape))
        case "filled":
            return in_tensorgrad(node.args[0], variables) * tensorgrad.Ones(**edges(node.shape))
        case "rows" | "cols":
            return tensorgrad.Delta(edge_size(node.args[0].shape[node.op == "cols"]))
        case "power":
            return matrix_power(in_tensorgrad(node.args[0], variables), whole(node.args[1]))
        case "^" | ".^":
            return F.pow(in_tensorgrad(node.args[0], variables), whole(node.args[1]))
    if node.op not in CALLS:
        raise NotExpressible(node.op)
    return CALLS[node.op](*(in_tensorgrad(a, variables) for a in node.args))


def asked(problem):
    variables = {n: tensorgrad.Variable(n, **edges(declared_shape(v))) for n, v in problem["vars"].items()}
    expression = in_tensorgrad(tree_of(problem), variables)

    def derived():
        found = expression
        for number, name in enumerate(names_by(problem), 1):
            found = found.grad(variables[name], {e: f"{e}{number}" for e in variables[name].edges})
        return found.full_simplify()

    return derived, partial(array, problem)


def array(problem, result, point, sizes):
    """The value of tensorgrad's result in the layout of the problem."""
    order = [e for e in ("r", "c", "r1", "c1", "r2", "c2") if e in result.edges]
    of = sum(e in (("r", "c") if problem["order"] == 1 else ("r1", "c1")) for e in order)
    values = {n: x.numpy().reshape([d for d in x.shape if d != 1]) for n, x in point.items()}
    numbers = {edge_size(s): int(n) for s, n in sizes.items()}
    numbers.update({Symbol(f"size_{n}"): n for n in range(2, 10)})
    found = value(result, values, numbers)
    return arranged(aligned(found, result.edges, order), of, problem["layout"])
