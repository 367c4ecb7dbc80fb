"""The operations of matrices, by the kinds of their nodes."""

from sympy import Pow, factorial, log

from derivations.elementwise import (
    SLOTS,
    Apply,
    Diag,
    DiagonalOf,
    Hadamard,
    Softmax,
    SoftmaxRows,
    split_elementwise_power,
)
from derivations.errors import UnsupportedError
from derivations.expressions import (
    Identity,
    Inverse,
    LossGradient,
    Ones,
    Power,
    Product,
    Scale,
    Sum,
    Transpose,
    Zero,
)
from derivations.kronecker import Commutation, Kronecker, Unvec, Vec
from derivations.notation.code.costs import degree
from derivations.notation.code.libraries import FUNCTIONS, OF_SYMMETRIC, gradient_name
from derivations.notation.code.products import SHORT_POWER, Leaf, array_shape
from derivations.notation.code.reductions import diagonals
from derivations.notation.code.scalars import add
from derivations.spectral import (
    FUNCTION_NAMES,
    Adjugate,
    Frechet,
    LargestEigenvalue,
    LargestEigenvector,
    MatrixFunction,
    PseudoInverse,
    symmetric_part,
)


def scale(planner, e):
    scalar, matrix = planner.loose(e.args[0]), e.args[1]
    if isinstance(matrix, Product):
        return planner.products.chain(matrix.args, scalar)
    if isinstance(matrix, Diag):
        return planner.graph.diag(planner.graph.times(scalar, planner.natural(matrix.args[0])))
    if isinstance(matrix, Kronecker):
        # The smallest factor takes the scalar; of equals, one that is not an identity.
        factors = kronecker_factors(planner, matrix)
        at = min(range(len(factors)), key=lambda i: (degree(factors[i].shape), isinstance(matrix.args[i], Identity)))
        factors[at] = planner.graph.times(scalar, factors[at])
        return planner.graph.kron(*factors)
    return planner.graph.times(scalar, planner.loose(matrix))


def product(planner, e):
    return planner.products.chain(e.args)


def transpose(planner, e):
    inside = planner.loose(e.args[0])
    return inside if 1 in e.shape else planner.graph.turned(inside)


def inverse(planner, e):
    operation = planner.graph.inverse(planner.natural(e.args[0]))
    planner.inverses[e.args[0]] = operation.args[0] if operation.name == "transpose" else operation
    return operation


def power(planner, e):
    base, exponent = planner.natural(e.args[0]), e.args[1]
    if not exponent.is_integer:
        raise UnsupportedError(f"no code for a matrix to the power {exponent}, which is not declared an integer")
    if exponent.is_Integer and exponent <= SHORT_POWER:
        return planner.products.interval((Leaf(base, e.shape),) * int(exponent))
    return planner.graph.make("matrix_power", (base, planner.loose(exponent)), e.shape)


def identity(planner, e):
    return planner.graph.eye(e.shape[0])


def ones(planner, e):
    return planner.graph.one


def zero(planner, e):
    return planner.graph.number(0)


def loss_gradient(planner, e):
    return planner.graph.make("input", (), array_shape(e.shape), gradient_name(e))


def apply(planner, e):
    function, matrices = e.args[0], e.args[1:]
    if function == log(SLOTS[0]) and isinstance(matrices[0], (Softmax, SoftmaxRows)):
        return softmax(planner, matrices[0], "log_")
    if function == log(SLOTS[0]) and isinstance(matrices[0], Apply) and isinstance(matrices[0].args[0], factorial):
        return planner.named("lgamma", planner.loose(matrices[0].args[1]))
    slots = dict(zip(SLOTS, matrices))
    args = [planner.loose(slots.get(a, a)) for a in function.args]
    if isinstance(function, Pow):
        return planner.graph.power(*args)
    if type(function) not in FUNCTIONS:
        raise UnsupportedError(f"no code for the elementwise function {function}")
    return planner.function(type(function), *args)


def hadamard(planner, e):
    others = [f for f in e.args if not isinstance(f, (Identity, Diag))]
    if len(others) < len(e.args):
        # Only the diagonals meet.
        return planner.graph.diag(planner.natural(Hadamard(*map(DiagonalOf, e.args))))
    powers = [(f, *split_elementwise_power(f)) for f in e.args]
    below = [(base, -exponent) for _, base, exponent in powers if exponent.is_number and exponent.is_negative]
    above = [planner.loose(f) for f, _, exponent in powers if not (exponent.is_number and exponent.is_negative)]
    below = [planner.graph.power(planner.loose(base), planner.loose(exponent)) for base, exponent in below]
    return planner.graph.divide(planner.graph.times(*above), planner.graph.times(*below))


def diag(planner, e):
    return planner.graph.diag(planner.natural(e.args[0]))


def diagonal(planner, e):
    return planner.cheapest(diagonals(planner, e.args[0]))


def softmax(planner, e, prefix=""):
    matrix = e.args[0]
    if isinstance(e, SoftmaxRows) and 1 not in matrix.shape:
        return planner.graph.make(f"{prefix}softmax_rows", (planner.natural(matrix),), matrix.shape)
    flat = planner.flat(matrix)
    return planner.graph.reshape(planner.graph.make(f"{prefix}softmax", (flat,), flat.shape), array_shape(matrix.shape))


def kronecker(planner, e):
    return planner.graph.kron(*kronecker_factors(planner, e))


def kronecker_factors(planner, e):
    of_vectors = any(all(f.shape[axis] == 1 for f in e.args) for axis in (0, 1))
    return [planner.natural(f) if of_vectors else planner.products.matrix(f) for f in e.args]


def vec(planner, e):
    return planner.graph.reshape(planner.graph.transpose(planner.natural(e.args[0])), e.shape[:1])


def unvec(planner, e):
    return planner.graph.transpose(planner.graph.reshape(planner.natural(e.args[0]), e.shape[::-1]))


def commutation(planner, e):
    return planner.products.interval((e, Leaf(planner.graph.eye(e.shape[0]), e.shape)))


def matrix_function(planner, e):
    function, matrix = e.args
    return planner.graph.make("matrix_function", (planner.natural(matrix),), e.shape, named_function(function, matrix))


def frechet(planner, e):
    function, matrix, direction = e.args
    args = planner.natural(matrix), planner.natural(direction)
    if isinstance(function, Pow) and function.base == SLOTS[0] and function.exp.is_integer:
        return planner.graph.make("power_frechet", (*args, planner.loose(function.exp)), e.shape)
    return planner.graph.make("frechet", args, e.shape, named_function(function, matrix))


def adjugate(planner, e):
    return planner.graph.make("adjugate", (planner.natural(e.args[0]),), e.shape)


def pseudo_inverse(planner, e):
    matrix = below_gap(e.args[0])
    if matrix is not None:
        return planner.graph.make("resolvent", (planner.eigh(matrix),), e.shape)
    return planner.graph.make("pinv", (planner.natural(e.args[0]),), e.shape)


def largest_eigenvector(planner, e):
    return planner.graph.make("last_vector", (planner.eigh(e.args[0]),), e.shape[:1])


def named_function(function, matrix):
    """The name of a function of a matrix; some have a form of their own for symmetric ones."""
    if function not in FUNCTION_NAMES:
        raise UnsupportedError(f"no code for the function {function} of a matrix")
    name = FUNCTION_NAMES[function]
    return f"{name}_symmetric" if name in OF_SYMMETRIC and Transpose(matrix) == matrix else name


def below_gap(matrix):
    """A, where the matrix is lambda I - S, with S the symmetric part of A and lambda its largest eigenvalue."""
    for value in matrix.atoms(LargestEigenvalue):
        if matrix == Scale(value, Identity(matrix.shape[0])) - symmetric_part(value.args[0]):
            return value.args[0]
    return None


FORMS = {
    Sum: add,
    Scale: scale,
    Product: product,
    Transpose: transpose,
    Inverse: inverse,
    Power: power,
    Identity: identity,
    Ones: ones,
    Zero: zero,
    LossGradient: loss_gradient,
    Apply: apply,
    Hadamard: hadamard,
    Diag: diag,
    DiagonalOf: diagonal,
    Softmax: softmax,
    SoftmaxRows: softmax,
    Kronecker: kronecker,
    Vec: vec,
    Unvec: unvec,
    Commutation: commutation,
    MatrixFunction: matrix_function,
    Frechet: frechet,
    Adjugate: adjugate,
    PseudoInverse: pseudo_inverse,
    LargestEigenvector: largest_eigenvector,
}
