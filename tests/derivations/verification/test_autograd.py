"""The autograd witness: generated code against torch.autograd of the expression itself."""

from dataclasses import replace

import pytest
import torch
from sympy import Integer, Rational, Symbol

from derivations import derive
from derivations.derivation import Derivation
from derivations.differentiation import differentiate
from derivations.elementwise import SLOTS
from derivations.expressions import Product, Variable, Zero, multiply
from derivations.scalars import Loss
from derivations.verification import autograd

m, n = (Symbol(name, integer=True, positive=True) for name in "mn")
A, B, w = Variable("A", n, n), Variable("B", n, n), Variable("w", n, 1)
U = SLOTS[0]
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
SPECTRAL = {
    **SHAPES,
    "C": "n,n",
    "P": {"kind": "matrix", "shape": ["n", "n"], "props": ["positive_definite"]},
    "S": {"kind": "matrix", "shape": ["n", "n"], "props": ["symmetric"]},
}


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


@pytest.mark.parametrize("seed", range(6))
def test_rounding_is_no_false_alarm(seed):
    """exp(exp(P)) of a positive definite matrix has entries of 1e10 and more."""
    derivation = derive("tr(expm(expm(P)))", "P", variables={"P": {"props": ["positive_definite"]}})
    found = autograd.check(derivation, seed=seed)
    assert found.passed, str(found)
    slightly = replace(derivation, result=multiply(1 + Rational(1, 10**7), derivation.result))
    assert autograd.check(slightly, seed=seed).passed is False


def test_a_small_error_in_one_entry_is_seen():
    d = derive("x'*B*x", "x", variables=SHAPES)
    wrong = d.result + Product(Variable("B", n, n), multiply(Integer(10) ** -8, d.wrt))
    assert autograd.check(replace(d, result=wrong)).passed is False


def code_that_raises(error):
    def function(**arguments):
        raise error

    return function


@pytest.mark.parametrize("error", [RuntimeError("size mismatch"), ValueError("a"), TypeError("b"), IndexError("c")])
def test_code_that_fails_is_a_failure_and_no_traceback(error, monkeypatch):
    monkeypatch.setattr(Derivation, "to_function", lambda self, library: code_that_raises(error))
    found = autograd.check(derive("x'*B*x", "x", variables=SHAPES))
    assert found.passed is False
    assert found.note == f"the generated code fails with {type(error).__name__}: {error}"


def test_code_that_meets_singular_matrices_everywhere_did_not_run(monkeypatch):
    error = torch.linalg.LinAlgError("singular")
    monkeypatch.setattr(Derivation, "to_function", lambda self, library: code_that_raises(error))
    found = autograd.check(derive("x'*B*x", "x", variables=SHAPES))
    assert found.passed is None and "no point inside the domain" in found.note


def test_a_loss_is_any_smooth_function():
    d = differentiate(Loss("L", Product(A, w)), (A, w), (A,))
    assert autograd.check(d).passed
    assert autograd.check(replace(d, result=multiply(-1, d.result))).passed is False


@pytest.mark.parametrize(
    ("expression", "wrt"),
    [
        ("sqrtm(P)", "P"),
        ("tr(B*sqrtm(P))", "P"),
        ("tr(B*logm(P))", "P"),
        ("x'*expm(B)*y", "B"),
        ("vmax(S)", "S"),
        ("x'*vmax(S)", "S"),
        ("lambda_max(B)", "B"),
        ("norm_nuc(A)", "A"),
        ("tr(pinv(A)*A*C)", "A"),
        ("adj(B)*x", "B"),
        ("tr(cosm(B)*sinm(B))", "B"),
    ],
)
@pytest.mark.parametrize("seed", range(2))
def test_what_rests_on_a_spectrum(expression, wrt, seed):
    d = derive(expression, wrt, variables=SPECTRAL)
    found = autograd.check(d, seed=seed)
    if found.passed is None and "no code for" in found.note:
        pytest.skip(found.note)
    assert found.passed, str(found)
    assert autograd.check(replace(d, result=multiply(2, d.result)), seed=seed).passed is False
