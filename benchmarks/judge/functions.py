"""The functions and operators of the text notation: their shapes, and their values on 2-D tensors."""

import math

import torch
from sympy import Dummy

from benchmarks.judge.shapes import ONE, column_of_square, diagonal, like, scalar, scalar_of_square, square


def symmetric_part(a):
    return (a + a.T) / 2


def of_symmetric(function):
    """The matrix function of a symmetric matrix, by its eigenvalues."""

    def value(a):
        eigenvalues, vectors = torch.linalg.eigh(symmetric_part(a))
        return (vectors * function(eigenvalues)) @ vectors.T

    return value


def direction_of(function):
    """The derivative of a matrix function at a in the direction e: the upper right block of its value."""

    def value(a, e, *rest):
        n = len(a)
        block = torch.cat([torch.cat([a, e], 1), torch.cat([torch.zeros_like(a), a], 1)])
        return function(block, *rest)[:n, n:]

    return value


def direction_of_symmetric(function, derivative):
    """The same for a symmetric matrix, by divided differences of its eigenvalues."""

    def value(a, e):
        eigenvalues, vectors = torch.linalg.eigh(symmetric_part(a))
        values, differences = function(eigenvalues), eigenvalues[:, None] - eigenvalues
        equal = differences.abs() < 1e-12
        slopes = (values[:, None] - values) / torch.where(equal, 1.0, differences)
        slopes = torch.where(equal, derivative(eigenvalues)[:, None], slopes)
        return vectors @ (slopes * (vectors.T @ e @ vectors)) @ vectors.T

    return value


def power(a, k):
    return torch.linalg.matrix_power(a, round(float(k)))


def huber(a, c):
    return torch.where(a.abs() <= c, a * a / 2, c * (a.abs() - c / 2))


def commutation(m, n):
    """K with K vec(A) = vec(A') for A (m, n)."""
    rows = torch.arange(m * n).reshape(n, m).T.reshape(-1)
    return torch.eye(m * n, dtype=torch.float64)[rows]


OF_EACH_ENTRY = "exp log sin cos tan sinh cosh tanh arcsin arccos arctan abs sign sqrt relu sigmoid erf".split()
ELEMENTWISE = {
    **{name: getattr(torch, name) for name in OF_EACH_ENTRY},
    "step": lambda a: (a > 0).to(a.dtype),
    "softplus": lambda a: torch.logaddexp(a, torch.zeros_like(a)),
    "factorial": lambda a: torch.exp(torch.lgamma(a + 1)),
    "normcdf": torch.special.ndtr,
    "normpdf": lambda a: torch.exp(-a * a / 2) / math.sqrt(2 * math.pi),
    "huber": huber,
    "clip": lambda a, low, high: torch.minimum(torch.maximum(a, low), high),
    "max": torch.maximum,
    "min": torch.minimum,
}
MATRIX_FUNCTIONS = {
    "expm": torch.linalg.matrix_exp,
    "sinm": lambda a: torch.linalg.matrix_exp(1j * a).imag,
    "cosm": lambda a: torch.linalg.matrix_exp(1j * a).real,
}
FUNCTIONS = {
    **{name: (like, function) for name, function in ELEMENTWISE.items()},
    "softmax": (like, lambda a: torch.softmax(a.reshape(-1), 0)),
    "logsoftmax": (like, lambda a: torch.log_softmax(a.reshape(-1), 0)),
    "softmax_rows": (like, lambda a: torch.softmax(a, 1)),
    "logsoftmax_rows": (like, lambda a: torch.log_softmax(a, 1)),
    "sum": (scalar, torch.sum),
    "mean": (scalar, torch.mean),
    "norm1": (scalar, lambda a: a.abs().sum()),
    "norm2": (scalar, lambda a: torch.sqrt((a * a).sum())),
    "norm_nuc": (scalar, lambda a: torch.linalg.svdvals(a).sum()),
    "logsumexp": (scalar, lambda a: torch.logsumexp(a.reshape(-1), 0)),
    "rows": (scalar, lambda a: torch.tensor(float(a.shape[0]), dtype=a.dtype)),
    "cols": (scalar, lambda a: torch.tensor(float(a.shape[1]), dtype=a.dtype)),
    "tr": (scalar_of_square, torch.trace),
    "det": (scalar_of_square, torch.linalg.det),
    "logdet": (scalar_of_square, torch.logdet),
    "lambda_max": (scalar_of_square, lambda a: torch.linalg.eigvalsh(symmetric_part(a))[-1]),
    "inv": (square, torch.linalg.inv),
    "adj": (square, lambda a: torch.linalg.det(a) * torch.linalg.inv(a)),
    **{name: (square, function) for name, function in MATRIX_FUNCTIONS.items()},
    "logm": (square, of_symmetric(torch.log)),
    "sqrtm": (square, of_symmetric(torch.sqrt)),
    **{f"{name}_frechet": (like, direction_of(function)) for name, function in MATRIX_FUNCTIONS.items()},
    "power_frechet": (like, direction_of(power)),
    "logm_frechet": (like, direction_of_symmetric(torch.log, torch.reciprocal)),
    "sqrtm_frechet": (like, direction_of_symmetric(torch.sqrt, lambda x: 0.5 / torch.sqrt(x))),
    "pinv": (lambda sizes, a: a[::-1], torch.linalg.pinv),
    "vmax": (column_of_square, lambda a: torch.linalg.eigh(symmetric_part(a))[1][:, -1]),
    "diag": (diagonal, lambda a: torch.diag(a[:, 0]) if a.shape[1] == 1 else torch.diagonal(a)),
    "vec": (lambda sizes, a: (a[0] * a[1], ONE), lambda a: a.T.reshape(-1)),
    "kron": (
        lambda sizes, a, b: (a[0] * b[0], a[1] * b[1]),
        lambda a, b: torch.kron(a.contiguous(), b.contiguous()),
    ),
}
OPERATORS = {
    "neg": torch.neg,
    "'": lambda a: a.T,
    "+": torch.add,
    "-": torch.sub,
    "*": torch.matmul,
    "scale": torch.mul,
    ".*": torch.mul,
    "/": torch.div,
    "./": torch.div,
    "^": torch.pow,
    ".^": torch.pow,
    "power": power,
}
# Of sizes, and of one number that fills the shape its neighbours ask for.
SIZED = {
    "eye": lambda n: (n, n),
    "ones": lambda m, n=ONE: (m, n),
    "zeros": lambda m, n=ONE: (m, n),
    "comm": lambda m, n: (m * n, m * n),
}
FILLED = {"vector": lambda: (Dummy(), ONE), "matrix": lambda: (Dummy(), Dummy())}
