"""The autograd witness: generated code against torch.autograd of the expression itself."""

from dataclasses import replace

import pytest
import torch
from sympy import And, Contains, Eq, FiniteSet, Integer, Symbol, gamma

from derivations import derive
from derivations.differentiation import differentiate
from derivations.errors import DomainError, UnsupportedError
from derivations.expressions import Inverse, LossGradient, Power, Product, Transpose, Variable, Zero, multiply
from derivations.scalars import Det, LogDet, Loss
from derivations.verification import autograd

m, n = (Symbol(name, integer=True, positive=True) for name in "mn")
A, w = Variable("A", n, n), Variable("w", n, 1)
s = Symbol("s", real=True)
SHAPES = {
    **dict.fromkeys(["x", "y"], "n"),
    "A": "m,n",
    "B": "n,n",
    "C": {"kind": "matrix", "shape": ["m", "n"], "props": ["positive"]},
    "r": "1,n",
    "s": "",
    "t": "",
}
TWO = {n: Integer(2)}


def tensor(rows):
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize(
    ("expression", "wrt", "arguments"),
    [
        ("x'*B*x", "x", {}),
        ("x'*B*x", "x", {"order": 2}),
        ("exp(x'*y)", ("x", "y"), {}),
        ("s*(x'*y)", ("s", "x"), {}),
        ("s*(x'*y)", ("x", "s"), {}),
        ("s^2*t", ("s", "t"), {}),
        ("tanh(A*x)", "x", {}),
        ("tanh(A*x)", "x", {"layout": "numerator"}),
        ("sum(A*x)", "x", {"layout": "numerator"}),
        ("tr(A'*A)", "A", {"layout": "numerator"}),
        ("s*A", "s", {}),
        ("s*x'", "s", {}),
        ("r*r'", "r", {}),
        ("logdet(C'*C)", "C", {}),
        ("y'*y", "x", {}),
    ],
)
def test_every_layout_is_checked(expression, wrt, arguments):
    d = derive(expression, wrt, variables=SHAPES, **arguments)
    found = autograd.check(d)
    assert found.passed and found.points == 3 and found.worst_error < 1e-9, str(found)
    wrong = multiply(2, d.result) if d.result != 0 and not isinstance(d.result, Zero) else None
    if wrong is not None:
        assert autograd.check(replace(d, result=wrong)).passed is False


@pytest.mark.parametrize(
    ("expression", "wrt"),
    [
        ("(2 ./ x)'*(s*x)", "x"),
        ("sum(softmax(x))", "x"),
        ("sin(s)^2 + cos(s)^2", "s"),
        ("(x ./ y)'*(y ./ x)", "x"),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_a_derivative_that_is_zero_but_for_rounding(expression, wrt, seed):
    """torch adds up large terms that cancel: what is left is measured against them, not against itself."""
    d = derive(expression, wrt, variables=SHAPES)
    found = autograd.check(d, seed=seed)
    assert found.passed, str(found)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("expression", "wrt"),
    [
        ("x'*B*x", "x"),
        ("logdet(C'*C)", "C"),
        ("norm2(A*x)", "x"),
        ("tr(inv(C'*C))", "C"),
        ("sum(relu(A*x))", "A"),
        ("norm2(relu(x))", "x"),
    ],
)
def test_no_false_alarm_whatever_the_seed(expression, wrt, seed):
    found = autograd.check(derive(expression, wrt, variables=SHAPES), seed=seed)
    assert found.passed, str(found)


def test_a_small_error_in_one_entry_is_seen():
    d = derive("x'*B*x", "x", variables=SHAPES)
    wrong = d.result + Product(Variable("B", n, n), multiply(Integer(10) ** -8, d.wrt))
    assert autograd.check(replace(d, result=wrong)).passed is False


def test_a_loss_is_any_smooth_function():
    d = differentiate(Loss("L", Product(A, w)), (A, w), (A,))
    assert autograd.check(d).passed
    assert autograd.check(replace(d, result=multiply(-1, d.result))).passed is False


@pytest.mark.parametrize("node", [Inverse, Det, LogDet], ids=lambda c: c.__name__)
def test_matrices_that_are_nearly_singular_are_outside_the_domain(node):
    with pytest.raises(DomainError, match="nearly singular"):
        autograd.value(node(A), {A: tensor([[1, 1], [1, 1 + 1e-9]])}, TWO)


def test_values_are_two_dimensional():
    values = {A: tensor([[2, 1], [0, 3]]), w: tensor([[1], [2]]), s: tensor([[5]])}
    for expression, shape in [(s, (1, 1)), (n, (1, 1)), (w, (2, 1)), (Transpose(w), (1, 2)), (Power(A, 2), (2, 2))]:
        assert tuple(autograd.value(expression, values, TWO).shape) == shape
    assert autograd.value(Power(A, 2), values, TWO).tolist() == [[4, 5], [0, 9]]
    assert float(autograd.value(Det(A) * s + n, values, TWO)) == 32


def test_the_gradient_of_a_loss_is_that_of_autograd():
    values = {w: tensor([[0.3], [-0.2]])}
    found = autograd.value(LossGradient("L", w), values, TWO)
    expected = torch.autograd.functional.jacobian(lambda v: autograd.value(Loss("L", w), {w: v}, TWO), values[w])[0, 0]
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
        assert float(autograd.value(proposition, values, {})) == expected


def test_what_torch_cannot_evaluate_says_so():
    with pytest.raises(UnsupportedError, match="torch cannot evaluate gamma"):
        autograd.value(gamma(s), {s: tensor([[2]])}, {})
