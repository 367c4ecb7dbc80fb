"""The interpreter: values of nodes in torch, and the points that it takes to be outside the domain."""

import pytest
import torch
from sympy import And, Contains, Eq, FiniteSet, Integer, Symbol, factorial, gamma, log, sqrt

from derivations.elementwise import SLOTS
from derivations.errors import DomainError, UnsupportedError
from derivations.expressions import Inverse, LossGradient, Power, Transpose, Variable
from derivations.functions import normcdf
from derivations.scalars import Det, LogDet, Loss
from derivations.spectral import (
    Adjugate,
    Frechet,
    LargestEigenvalue,
    LargestEigenvector,
    MatrixFunction,
    NuclearNorm,
    PseudoInverse,
)
from derivations.verification import interpreter

m, n = (Symbol(name, integer=True, positive=True) for name in "mn")
A, B, w = Variable("A", n, n), Variable("B", n, n), Variable("w", n, 1)
U = SLOTS[0]
s = Symbol("s", real=True)
TWO = {n: Integer(2)}


def tensor(rows):
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("node", [Inverse, Det, LogDet], ids=lambda c: c.__name__)
def test_matrices_that_are_nearly_singular_are_outside_the_domain(node):
    with pytest.raises(DomainError, match="nearly singular"):
        interpreter.value(node(A), {A: tensor([[1, 1], [1, 1 + 1e-9]])}, TWO)


OUTSIDE = {
    "nearly the same eigenvalues": (LargestEigenvalue, [[1, 0], [0, 1 + 1e-9]], "not simple"),
    "nearly the same eigenvalues, and a vector": (LargestEigenvector, [[1, 0], [0, 1 + 1e-9]], "not simple"),
    "a rank in doubt": (PseudoInverse, [[1, 0], [0, 1e-8]], "rank of the matrix is in doubt"),
    "a singular value near zero": (NuclearNorm, [[1, 0], [0, 1e-8]], "not of full rank"),
    "a singular matrix under the adjugate": (Adjugate, [[1, 2], [2, 4]], "nearly singular"),
    "a negative eigenvalue under the root": (lambda a: MatrixFunction(sqrt(U), a), [[1, 0], [0, -2]], "no principal"),
    "a zero under the root": (lambda a: MatrixFunction(sqrt(U), a), [[1, 0], [0, 0]], "no principal"),
    "two negative ones": (lambda a: MatrixFunction(log(U), a), [[-1, 0], [0, -1]], "no principal"),
    "a Jordan block of zero": (lambda a: MatrixFunction(log(U), a), [[0, 1], [0, 0]], "no principal"),
    "a singular matrix to a negative power": (
        lambda a: Power(a, Symbol("k", integer=True) - 4),
        [[1, 2], [2, 4]],
        "nearly",
    ),
    **{
        f"infinite entries under {name}": (node, [[1, float("inf")], [0, 2]], "not finite")
        for name, node in {
            "the pseudo-inverse": PseudoInverse,
            "an eigenvalue": LargestEigenvalue,
            "the nuclear norm": NuclearNorm,
            "the root": lambda a: MatrixFunction(sqrt(U), a),
            "the inverse": Inverse,
        }.items()
    },
}


@pytest.mark.parametrize("place", OUTSIDE)
def test_points_where_float64_cannot_tell_are_outside_the_domain(place):
    node, rows, message = OUTSIDE[place]
    with pytest.raises(DomainError, match=message):
        interpreter.value(node(A), {A: tensor(rows), Symbol("k", integer=True): tensor([[3]])}, TWO)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_the_pseudo_inverse_of_a_matrix_of_lower_rank(rank):
    """Rounding leaves singular values of 1e-17 in the place of zeros."""
    generator = torch.Generator().manual_seed(rank)
    left, right = (torch.randn(3, rank, generator=generator, dtype=torch.float64) for _ in range(2))
    a = left @ right.T
    x = interpreter.value(PseudoInverse(A), {A: a}, {n: Integer(3)})
    for found, expected in [(a @ x @ a, a), (x @ a @ x, x), (a @ x, (a @ x).T), (x @ a, (x @ a).T)]:
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("function", [sqrt, log], ids=lambda f: f.__name__)
@pytest.mark.parametrize("symmetric", [True, False])
def test_a_function_of_a_matrix_moves_in_all_directions(function, symmetric):
    """A symmetric matrix need not stay symmetric; against central differences."""
    a = tensor([[2, 0.5], [0.5 if symmetric else -1, 1]])

    def f(a):
        return interpreter.value(MatrixFunction(function(U), A), {A: a}, TWO)

    jacobian = torch.autograd.functional.jacobian(f, a)
    for i in range(2):
        for j in range(2):
            step = torch.zeros(2, 2, dtype=torch.float64)
            step[i, j] = 1e-5
            differences = (f(a + step) - f(a - step)) / 2e-5
            torch.testing.assert_close(jacobian[:, :, i, j], differences, rtol=1e-8, atol=1e-8)
            slope = interpreter.value(Frechet(function(U), A, B), {A: a, B: step * 1e5}, TWO)
            torch.testing.assert_close(slope, differences, rtol=1e-8, atol=1e-8)


def test_the_derivative_of_a_root_is_as_right_as_the_root():
    """S dS + dS S = dA, wherever the iteration happens to stop."""
    e = tensor([[0.5, -2], [1, 0.25]])
    for scale in torch.linspace(0.2, 5, 40, dtype=torch.float64):
        a = scale * tensor([[2, 0.5], [-1, 1]])
        root = interpreter.value(MatrixFunction(sqrt(U), A), {A: a}, TWO)
        slope = interpreter.value(Frechet(sqrt(U), A, B), {A: a, B: e}, TWO)
        torch.testing.assert_close(root @ slope + slope @ root, e, rtol=1e-13, atol=1e-13)


def test_double_eigenvalues_are_no_obstacle_to_a_function_of_a_matrix():
    for a in (tensor([[2, 0], [0, 2]]), tensor([[2, 1], [0, 2]])):
        root = interpreter.value(MatrixFunction(sqrt(U), A), {A: a}, TWO)
        torch.testing.assert_close(root @ root, a)
        logarithm = interpreter.value(MatrixFunction(log(U), A), {A: a}, TWO)
        torch.testing.assert_close(torch.linalg.matrix_exp(logarithm), a)


def test_values_are_two_dimensional():
    values = {A: tensor([[2, 1], [0, 3]]), w: tensor([[1], [2]]), s: tensor([[5]])}
    for expression, shape in [(s, (1, 1)), (n, (1, 1)), (w, (2, 1)), (Transpose(w), (1, 2)), (Power(A, 2), (2, 2))]:
        assert tuple(interpreter.value(expression, values, TWO).shape) == shape
    assert interpreter.value(Power(A, 2), values, TWO).tolist() == [[4, 5], [0, 9]]
    assert float(interpreter.value(Det(A) * s + n, values, TWO)) == 32


def test_the_gradient_of_a_loss_is_that_of_autograd():
    values = {w: tensor([[0.3], [-0.2]])}
    found = interpreter.value(LossGradient("L", w), values, TWO)
    expected = torch.autograd.functional.jacobian(lambda v: interpreter.value(Loss("L", w), {w: v}, TWO), values[w])[
        0, 0
    ]
    torch.testing.assert_close(found, expected)


def test_propositions_are_one_or_zero():
    values = {s: tensor([[2]])}
    for proposition, expected in [
        (Eq(s, 2), 1),
        (s < 2, 0),
        (And(s > 1, s <= 2), 1),
        (Contains(s, FiniteSet(1, 2)), 1),
        (Contains(s, FiniteSet(1, 3)), 0),
    ]:
        assert float(interpreter.value(proposition, values, {})) == expected


@pytest.mark.parametrize(
    ("expression", "at", "expected"),
    [
        (normcdf(s), -10.0, 7.619853024160527e-24),
        (normcdf(s), -37.0, 5.725571222524577e-300),
        (normcdf(s), 2.0, 0.9772498680518208),
        (factorial(s), -1.5, -3.5449077018110318),
        (factorial(s), -2.5, 2.3632718012073544),
        (factorial(s), 3.5, 11.631728396567448),
    ],
)
def test_functions_far_from_zero_and_their_slopes(expression, at, expected):
    def f(x):
        return interpreter.value(expression, {s: x}, {})

    x = tensor([[at]])
    torch.testing.assert_close(f(x), tensor([[expected]]), rtol=1e-12, atol=0)
    slope = float(torch.autograd.functional.jacobian(f, x))
    differences = float(f(x * (1 + 1e-7)) - f(x * (1 - 1e-7))) / (2e-7 * at)
    assert slope == pytest.approx(differences, rel=1e-6)


def test_what_torch_cannot_evaluate_says_so():
    with pytest.raises(UnsupportedError, match="torch cannot evaluate gamma"):
        interpreter.value(gamma(s), {s: tensor([[2]])}, {})
