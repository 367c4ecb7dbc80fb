"""Functions of matrices as people minimise them, and their derivatives by hand."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Problem:
    """A function in our text, for automatic differentiation, and its derivatives by hand.

    `shapes` are the variables' shapes for the engine, `make` gives their values for a size n; `loss`, `gradient` and
    `hessian` take a library and the variables, and `operator` a direction as well. `spread` is how many numbers
    one direction needs in the largest intermediate value, as a function of n.
    """

    name: str
    text: str
    wrt: str
    shapes: dict
    make: Callable
    loss: Callable
    gradient: Callable
    hessian: Callable
    operator: Callable
    spread: Callable = lambda n: n


RANK = 5
OUTPUTS = 10


def hidden(n):
    return max(OUTPUTS, n // 10)


def covariance(draw, n):
    a = draw(n, n)
    return a @ a.T / n + np.eye(n)


def factorisation(draw, n):
    return {"X": draw(n, n), "U": draw(n, RANK), "V": draw(n, RANK)}


def gaussian(draw, n):
    return {"x": draw(n), "u": draw(n), "S": covariance(draw, n)}


def gaussian_loss(m, x, u, S):
    return -0.5 * m.logdet(S) - 0.5 * (x - u) @ m.solve(S, x - u)


def gaussian_by_covariance(m, x, u, S):
    inverse = m.inv(S)
    v = inverse @ (x - u)
    return 0.5 * (m.outer(v, v) - inverse)


def gaussian_action(m, x, u, S, d):
    inverse = m.inv(S)
    v = inverse @ (x - u)
    left, right = inverse @ (d.T @ v), (v @ d.T) @ inverse
    return 0.5 * (inverse @ d.T @ inverse - m.outer(left, v) - m.outer(v, right))


def curvature(m, X, w, y):
    p = m.sigmoid(X @ w)
    return p * (1 - p)


def network(draw, n):
    h = hidden(n)
    return {
        "X": draw(n, n) / math.sqrt(n),
        "P": draw(n, h),
        "Q": draw(h, OUTPUTS) / math.sqrt(h),
        "Y": draw(n, OUTPUTS),
    }


def network_loss(m, X, P, Q, Y):
    return 0.5 * ((m.tanh(X @ P) @ Q - Y) ** 2).sum()


def network_gradient(m, X, P, Q, Y):
    H = m.tanh(X @ P)
    return X.T @ (((H @ Q - Y) @ Q.T) * (1 - H * H))


def network_hessian(m, X, P, Q, Y):
    H = m.tanh(X @ P)
    D, E = 1 - H * H, (H @ Q - Y) @ Q.T
    weights = m.einsum("na,ab,nb->nab", D, Q @ Q.T, D)
    diagonal = range(H.shape[1])
    weights[:, diagonal, diagonal] -= 2 * E * H * D
    size = X.shape[1] * H.shape[1]
    return m.einsum("ni,nab,nj->aibj", X, weights, X).reshape(size, size)


def network_action(m, X, P, Q, Y, d):
    H = m.tanh(X @ P)
    D, E = 1 - H * H, (H @ Q - Y) @ Q.T
    dH = D * (X @ d)
    return X.T @ ((dH @ Q @ Q.T) * D - 2 * E * H * dH)


def output_hessian(m, X, P, Q, Y):
    H = m.tanh(X @ P)
    return m.kron(m.eye(Q.shape[1]), H.T @ H)


def output_gradient(m, X, P, Q, Y):
    H = m.tanh(X @ P)
    return H.T @ (H @ Q - Y)


def output_action(m, X, P, Q, Y, d):
    H = m.tanh(X @ P)
    return H.T @ (H @ d)


DEFINITE = {"kind": "matrix", "shape": ["n", "n"], "props": ["positive_definite"]}
GAUSSIAN = {"x": "n", "u": "n", "S": DEFINITE}
NETWORK = {"X": "m,n", "P": "n,h", "Q": "h,k", "Y": "m,k"}
PROBLEMS = (
    Problem(
        "quadratic form",
        "x'*A*x",
        "x",
        {"x": "n", "A": "n,n"},
        lambda draw, n: {"A": draw(n, n), "x": draw(n)},
        lambda m, A, x: x @ A @ x,
        lambda m, A, x: A @ x + x @ A,
        lambda m, A, x: A + A.T,
        lambda m, A, x, d: A @ d + d @ A,
    ),
    Problem(
        "least squares",
        "norm2(A*x - b)^2",
        "x",
        {"A": "m,n", "x": "n", "b": "m"},
        lambda draw, n: {"A": draw(2 * n, n), "x": draw(n), "b": draw(2 * n)},
        lambda m, A, x, b: ((A @ x - b) ** 2).sum(),
        lambda m, A, x, b: 2 * ((A @ x - b) @ A),
        lambda m, A, x, b: 2 * (A.T @ A),
        lambda m, A, x, b, d: 2 * ((A @ d) @ A),
        lambda n: 2 * n,
    ),
    Problem(
        "logistic regression",
        "sum(softplus(X*w)) - y'*(X*w)",
        "w",
        {"X": "m,n", "w": "n", "y": "m"},
        lambda draw, n: {"X": draw(2 * n, n), "w": draw(n) / math.sqrt(n), "y": (draw(2 * n) > 0) * 1.0},
        lambda m, X, w, y: m.softplus(X @ w).sum() - y @ (X @ w),
        lambda m, X, w, y: (m.sigmoid(X @ w) - y) @ X,
        lambda m, X, w, y: (X * curvature(m, X, w, y)[:, None]).T @ X,
        lambda m, X, w, y, d: (curvature(m, X, w, y) * (X @ d)) @ X,
        lambda n: 2 * n,
    ),
    Problem(
        "factorisation by U",
        "norm2(X - U*V')^2",
        "U",
        {"X": "m,n", "U": "m,k", "V": "n,k"},
        factorisation,
        lambda m, X, U, V: ((X - U @ V.T) ** 2).sum(),
        lambda m, X, U, V: 2 * (U @ (V.T @ V) - X @ V),
        lambda m, X, U, V: m.kron(2 * (V.T @ V), m.eye(U.shape[0])),
        lambda m, X, U, V, d: 2 * (d @ (V.T @ V)),
        lambda n: n * n,
    ),
    Problem(
        "Gaussian by mean",
        "-0.5*log(det(S)) - 0.5*(x - u)'*inv(S)*(x - u)",
        "u",
        GAUSSIAN,
        gaussian,
        gaussian_loss,
        lambda m, x, u, S: m.solve(S, x - u),
        lambda m, x, u, S: -m.inv(S),
        lambda m, x, u, S, d: -m.solve(S, d),
        lambda n: n * n,
    ),
    Problem(
        "Gaussian by covariance",
        "-0.5*log(det(S)) - 0.5*(x - u)'*inv(S)*(x - u)",
        "S",
        GAUSSIAN,
        gaussian,
        gaussian_loss,
        gaussian_by_covariance,
        None,
        gaussian_action,
        lambda n: n * n,
    ),
    Problem(
        "network, first layer",
        "0.5*norm2(tanh(X*P)*Q - Y)^2",
        "P",
        NETWORK,
        network,
        network_loss,
        network_gradient,
        network_hessian,
        network_action,
        lambda n: n * hidden(n),
    ),
    Problem(
        "network, last layer",
        "0.5*norm2(tanh(X*P)*Q - Y)^2",
        "Q",
        NETWORK,
        network,
        network_loss,
        output_gradient,
        output_hessian,
        output_action,
        lambda n: n * hidden(n),
    ),
)


@dataclass(frozen=True)
class Case:
    """A problem at a size: its values by name, and a direction of the shape of the variable."""

    problem: Problem
    n: int
    arrays: dict
    direction: np.ndarray


def case(problem, n):
    draw = np.random.default_rng(n).standard_normal
    arrays = problem.make(lambda *shape: draw(shape), n)
    return Case(problem, n, arrays, draw(arrays[problem.wrt].shape))


def loss(case, library, values):
    """The loss as a function of the variable alone."""
    return lambda x: case.problem.loss(library, **{**values, case.problem.wrt: x})
