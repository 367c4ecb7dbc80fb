"""The form in which results come, proven by both witnesses each."""

import pytest

from derivations import derive, verify

POSITIVE = {"x": {"props": ["positive"]}, "y": "n"}
FORMS = [
    # powers of one base
    ("s^p", "s", {}, "p*s^(p - 1)"),
    ("(x'*x)^p", "x", {}, "2*p*(x'*x)^(p - 1)*x"),
    ("norm2(x)^p", "x", {}, "p*norm2(x)^(p - 2)*x"),
    ("sum(x.^y)", "x", {"variables": POSITIVE}, "y .* x.^(y - ones(n))"),
    # matrices of ones
    ("norm2(X*ones(n,n))^2", "X", {}, "2*rows(X)*X*ones(n,n)"),
    ("y'*ones(n,n)^2*A*x", "x", {}, "rows(y)*A'*ones(n,n)*y"),
    ("y'*P'*ones(m)", "y", {"variables": {"P": {"shape": "m,n", "props": ["prob"]}}}, "P'*ones(m)"),
    # functions of a matrix that may have complex eigenvalues
    ("tr(sqrtm(expm(A)))", "A", {}, "sqrtm(expm(A))'/2"),
    # diagonals of products
    ("diag(A*diag(x)*B)", "x", {}, "A' .* B"),
    ("diag(A*diag(x)*B)", "x", {"layout": "numerator"}, "A .* B'"),
    ("diag(x*x')", "x", {}, "2*diag(x)"),
    ("diag(x*y')", "x", {}, "diag(y)"),
    ("tr(A*diag(x)*B*diag(y))", ("x", "y"), {}, "B .* A'"),
    ("logdet(X'*diag(x)*X)", "x", {"order": 2}, "-(X*inv(X'*diag(x)*X)*X').^2"),
    ("norm2(A*diag(x)*B - C)^2", "x", {"order": 2}, "2*((B*B') .* (A'*A))"),
    ("logdet(diag(x) + A)", "x", {"order": 2}, "-inv(diag(x) + A) .* inv(diag(x) + A)'"),
    ("sum(diag(A*diag(x)*B).^2)", "x", {"order": 2}, "2*(B .* A')*(A .* B')"),
    # sigmoids in another guise
    ("exp(s)/(1 + exp(s))", "s", {"variables": {"s": ""}}, "sigmoid(s) - sigmoid(s)^2"),
    ("sum(exp(x) ./ (vector(1) + exp(x)))", "x", {}, "sigmoid(x) - sigmoid(x).^2"),
    ("sum(1 ./ (vector(1) + exp(-x)))", "x", {}, "(ones(n) - sigmoid(x)) .* sigmoid(x)"),
    # a number among the arguments of max
    ("sum(max(vector(0),x))", "x", {}, "step(x)"),
    ("sum(max(0,x))", "x", {}, "step(x)"),
]


@pytest.mark.parametrize(("expression", "wrt", "arguments", "expected"), FORMS)
def test_a_result_has_its_usual_form(expression, wrt, arguments, expected):
    derivation = derive(expression, wrt, **arguments)
    assert derivation.to_text() == expected
    assert verify(derivation).passed
