"""Expressions interpreted by torch, node by node, in float64: what autograd differentiates.

Nothing of the code out is used here, so that the code out and the calculus are both checked by it. Everything
is 2-D: scalars (1, 1), vectors (n, 1).
"""

import math

import sympy
import torch
from sympy import Add, And, Contains, Mul, Pow, Symbol
from sympy.core.relational import Relational

from derivations.elementwise import SLOTS, Apply, Diag, DiagonalOf, Hadamard, Softmax, SoftmaxRows
from derivations.errors import DomainError, UnsupportedError
from derivations.expressions import (
    EntrySum,
    Identity,
    Inner,
    Inverse,
    LossGradient,
    Ones,
    Power,
    Product,
    Scale,
    Sum,
    Transpose,
    Variable,
    Zero,
    freed,
)
from derivations.functions import clip, huber, maximum, minimum, normcdf, normpdf, relu, sigmoid, softplus, step
from derivations.kronecker import Commutation, Kronecker, Unvec, Vec
from derivations.scalars import Det, LogDet, LogSumExp, Loss, Norm, Trace
from derivations.spectral import (
    FUNCTION_NAMES,
    Adjugate,
    Frechet,
    LargestEigenvalue,
    LargestEigenvector,
    MatrixFunction,
    NuclearNorm,
    PseudoInverse,
)

# Newton's iteration doubles its digits each time: a root is settled at eight, and derivatives follow.
ITERATIONS, SETTLED = 60, 3
# Float64 keeps nine digits through an inverse only if the matrix is well away from singular.
WORST_CONDITION = 1e5
# Singular values below this share of the largest are zeros with rounding.
NO_RANK = 1e-10
# How close eigenvalues may be before their vectors lose too many digits.
CLOSEST = 1e-3


def _finite(a):
    if not torch.isfinite(a).all():
        raise DomainError("the matrix has entries that are not finite")
    return a


def _conditioned(function):
    def guarded(a):
        if not torch.linalg.cond(_finite(a).detach()) < WORST_CONDITION:
            raise DomainError("the matrix is nearly singular")
        return function(a)

    return guarded


def _of_clear_rank(function):
    def guarded(a):
        values = torch.linalg.svdvals(_finite(a).detach())
        if ((values < values[0] / WORST_CONDITION) & (values > NO_RANK * values[0])).any():
            raise DomainError("the rank of the matrix is in doubt")
        return function(a)

    return guarded


def _of_full_rank(function):
    """Where a singular value is zero the nuclear norm has a kink."""

    def guarded(a):
        values = torch.linalg.svdvals(_finite(a).detach())
        if (values < values[0] / WORST_CONDITION).any():
            raise DomainError("the matrix is not of full rank")
        return function(a)

    return guarded


def _huber(x, c):
    if not (c > 0).all():
        raise DomainError("the bound of huber is not positive")
    return torch.where(x.abs() <= c, x * x / 2, c * (x.abs() - c / 2))


def _gamma(x):
    """The sign is that of sin(pi x) where x is negative, for Gamma(x) Gamma(1 - x) = pi / sin(pi x)."""
    return torch.where(x < 0, torch.sign(torch.sin(math.pi * x)), 1) * torch.exp(torch.lgamma(x))


def _maximum(x, y):
    """Where the arguments are equal the last one counts: torch.maximum has the mean of the slopes."""
    return torch.where(x > y, x, y)


def _minimum(x, y):
    return torch.where(x < y, x, y)


def _kronecker(a, b):
    """Of any strides, which torch.kron does not take."""
    return (a[:, None, :, None] * b[None, :, None, :]).reshape(len(a) * len(b), -1)


def _largest(a):
    """The largest eigenvalue of the symmetric part and its vector, with the sign that it comes with."""
    values, vectors = torch.linalg.eigh(_finite((a + a.T) / 2))
    if len(a) > 1 and not values[-1] - values[-2] > CLOSEST * (1 + values[-1].abs()):
        raise DomainError("the largest eigenvalue is not simple")
    return values[-1], vectors[:, -1:]


FUNCTIONS = {
    sympy.exp: torch.exp,
    sympy.log: torch.log,
    sympy.sin: torch.sin,
    sympy.cos: torch.cos,
    sympy.tan: torch.tan,
    sympy.asin: torch.arcsin,
    sympy.acos: torch.arccos,
    sympy.atan: torch.arctan,
    sympy.sinh: torch.sinh,
    sympy.cosh: torch.cosh,
    sympy.tanh: torch.tanh,
    sympy.Abs: torch.abs,
    sympy.sign: torch.sign,
    sympy.erf: torch.erf,
    sympy.floor: torch.floor,
    sympy.ceiling: torch.ceil,
    sympy.factorial: lambda x: _gamma(x + 1),
    relu: torch.relu,
    step: lambda x: (x > 0).to(x.dtype),
    sigmoid: torch.sigmoid,
    maximum: _maximum,
    minimum: _minimum,
    clip: lambda x, low, high: _minimum(_maximum(x, low), high),
    huber: _huber,
    softplus: lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    # ndtr itself is 0 from -9 on.
    normcdf: lambda x: torch.exp(torch.special.log_ndtr(x)),
    normpdf: lambda x: torch.exp(-x * x / 2) / math.sqrt(2 * math.pi),
}
MATRICES = {
    Transpose: lambda a: a.T,
    Inverse: _conditioned(torch.linalg.inv),
    Diag: lambda a: torch.diag(a[:, 0]),
    DiagonalOf: lambda a: torch.diagonal(a)[:, None],
    Softmax: lambda a: torch.softmax(a.reshape(-1), 0).reshape(a.shape),
    Trace: lambda a: torch.trace(a).reshape(1, 1),
    Det: _conditioned(lambda a: torch.linalg.det(a).reshape(1, 1)),
    LogDet: _conditioned(lambda a: torch.logdet(a).reshape(1, 1)),
    Norm: lambda a: torch.sqrt((a * a).sum()).reshape(1, 1),
    EntrySum: lambda a: a.sum().reshape(1, 1),
    LogSumExp: lambda a: torch.logsumexp(a.reshape(-1), 0).reshape(1, 1),
    SoftmaxRows: lambda a: torch.softmax(a, 1),
    Vec: lambda a: a.T.reshape(-1, 1),
    Adjugate: _conditioned(lambda a: torch.linalg.det(a) * torch.linalg.inv(a)),
    PseudoInverse: _of_clear_rank(lambda a: torch.linalg.pinv(a, rtol=NO_RANK)),
    LargestEigenvalue: lambda a: _largest(a)[0].reshape(1, 1),
    LargestEigenvector: lambda a: _largest(a)[1],
    NuclearNorm: _of_full_rank(lambda a: torch.linalg.svdvals(a).sum().reshape(1, 1)),
}


def _need_principal(a):
    """Away from matrices with an eigenvalue on the closed negative real axis."""
    values = torch.linalg.eigvals(_finite(a.detach()))
    if ((values.real <= 0) & (values.imag.abs() <= 1e-6 * values.abs())).any():
        raise DomainError("the matrix has no principal root and logarithm")


def _square_root(a):
    """By the iteration of Denman and Beavers: a symmetric matrix need not stay symmetric when it moves."""
    _need_principal(a)
    inverse = _conditioned(torch.linalg.inv)
    root, other, settled = a, torch.eye(len(a), dtype=a.dtype), 0
    for _ in range(ITERATIONS):
        change = inverse(other) - root
        root, other = root + change / 2, (other + inverse(root)) / 2
        settled += bool(torch.linalg.norm(change.detach()) < 1e-8 * torch.linalg.norm(root.detach()))
        if settled == SETTLED:
            return root
    raise DomainError("the square root of the matrix is not found")


def _logarithm(a):
    """2 artanh(Z) with Z = (A - I)(A + I)^-1, after square roots until A is near the identity."""
    one, roots = torch.eye(len(a), dtype=a.dtype), 0
    while torch.linalg.matrix_norm((a - one).detach(), 1) > 1 / 4:
        a, roots = _square_root(a), roots + 1
    z = (a - one) @ torch.linalg.inv(a + one)
    return _finite(2 ** (roots + 1) * sum(torch.linalg.matrix_power(z, k) / k for k in range(1, 20, 2)))


MATRIX_FUNCTIONS = {
    "expm": torch.linalg.matrix_exp,
    "sinm": lambda a: torch.linalg.matrix_exp(1j * a).imag,
    "cosm": lambda a: torch.linalg.matrix_exp(1j * a).real,
    "logm": _logarithm,
    "sqrtm": _square_root,
}
CHAINS = {
    (Add, Sum): lambda a, b: a + b,
    (Mul, Scale, Hadamard): lambda a, b: a * b,
    (Product, Inner): lambda a, b: a @ b,
    (And,): lambda a, b: a * b,
    (Kronecker,): lambda a, b: _kronecker(a, b),
}
RELATIONS = {"==": torch.eq, "<": torch.lt, "<=": torch.le, ">": torch.gt, ">=": torch.ge, "!=": torch.ne}


def value(e, values, sizes):
    """The value of an expression as a 2-D float64 tensor; values: variable -> 2-D tensor."""
    if e in values:
        return values[e]
    if isinstance(e, Variable) and freed(e) in values:
        return values[freed(e)]
    if (isinstance(e, Symbol) and e in sizes) or e.is_number:
        return torch.tensor([[float(sizes.get(e, e))]], dtype=torch.float64)
    if isinstance(e, (Identity, Ones, Zero)):
        rows, columns = (int(s.xreplace(sizes)) for s in e.shape)
        make = {Identity: torch.eye, Ones: torch.ones, Zero: torch.zeros}[type(e)]
        return make(rows, columns, dtype=torch.float64)
    if isinstance(e, (MatrixFunction, Frechet)):
        function = _matrix_function(e.args[0], values, sizes)
        matrix, *direction = (value(a, values, sizes) for a in e.args[1:])
        return _slope(function, matrix, *direction) if direction else function(matrix)
    if isinstance(e, Commutation):
        rows, columns = (int(s.xreplace(sizes)) for s in e.args)
        places = torch.arange(rows * columns).reshape(columns, rows).T.reshape(-1)
        return torch.eye(rows * columns, dtype=torch.float64)[places]
    if isinstance(e, Unvec):
        rows, columns = (int(s.xreplace(sizes)) for s in e.shape)
        return value(e.args[0], values, sizes).reshape(columns, rows).T
    if isinstance(e, Apply):
        slots = {s: value(m, values, sizes) for s, m in zip(SLOTS, e.args[1:])}
        return value(e.args[0], {**values, **slots}, sizes)
    if isinstance(e, Loss):
        return _loss(value(e.args[1], values, sizes))
    if isinstance(e, LossGradient):
        w = value(e.args[1], values, sizes).detach().requires_grad_(True)
        return torch.autograd.grad(_loss(w).sum(), w)[0]
    if isinstance(e, Contains):
        return sum((value(e.args[0], values, sizes) == float(v)).double() for v in e.args[1].args)
    args = [value(a, values, sizes) for a in e.args]
    if isinstance(e, Relational):
        return RELATIONS[e.rel_op](*args).double()
    for kinds, operation in CHAINS.items():
        if isinstance(e, kinds):
            result = args[0]
            for a in args[1:]:
                result = operation(result, a)
            return result
    if isinstance(e, Pow):
        return args[0] ** args[1]
    if isinstance(e, Power):
        return _power(int(args[1]))(args[0])
    known = FUNCTIONS.get(type(e)) or MATRICES.get(type(e))
    if known is None:
        raise UnsupportedError(f"torch cannot evaluate {type(e).__name__}")
    return known(*args)


@torch.enable_grad()
def _slope(function, matrix, direction):
    """The derivative in a direction, as the gradient of a gradient: torch.func.jvp takes seconds to start."""
    matrix = matrix if matrix.requires_grad else matrix.detach().requires_grad_(True)
    found = function(matrix)
    if not found.requires_grad:
        return torch.zeros_like(found)
    weights = torch.zeros_like(found).requires_grad_(True)
    (weighted,) = torch.autograd.grad(found, matrix, weights, create_graph=True)
    return torch.autograd.grad(weighted, weights, direction, create_graph=True)[0]


def _matrix_function(function, values, sizes):
    if function in FUNCTION_NAMES:
        return MATRIX_FUNCTIONS[FUNCTION_NAMES[function]]
    if not isinstance(function, Pow):
        raise UnsupportedError(f"torch cannot evaluate the matrix function {function}")
    return _power(int(value(function.exp, values, sizes)))


def _power(exponent):
    if exponent == 0:
        return lambda a: torch.eye(len(a), dtype=a.dtype)
    inverse = (lambda a: a) if exponent >= 0 else MATRICES[Inverse]
    return lambda a: torch.linalg.matrix_power(inverse(a), abs(exponent))


def _loss(w):
    """Any smooth function will do for a loss that is known by its name only."""
    weights = torch.linspace(0.3, 1.7, w.numel(), dtype=w.dtype).reshape(w.shape)
    return (torch.sin(weights * w) + weights * w * w).sum().reshape(1, 1) ** 2 / 2
