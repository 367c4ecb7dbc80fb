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
    # sums
    ("x'*(A - B)*x", "x", {}, "(A - B + (A - B)')*x"),
    ("(x'*A*x)*(x'*B*x)", "x", {}, "((x'*B*x)*(A + A') + (x'*A*x)*(B + B'))*x"),
    ("norm2(A*X*B + C*X*D)^2", "X", {}, "2*(A'*(A*X*B + C*X*D)*B' + C'*(A*X*B + C*X*D)*D')"),
    ("x/sum(x)", "x", {}, "(eye(n) - ones(n)*x'/sum(x))/sum(x)"),
    ("((x'*x + 1)^2 + 1)^2", "x", {}, "8*(1 + (1 + x'*x)^2)*(1 + x'*x)*x"),
    ("(1 + x'*x)^3", "x", {"order": 2}, "24*(1 + x'*x)*x*x' + 6*(1 + x'*x)^2*eye(n)"),
    ("(a'*x)/(b'*x)", "x", {"order": 2}, "((2*(a'*x)*b/(b'*x) - a)*b' - b*a')/(b'*x)^2"),
    # magnitudes and signs
    ("sum(log(abs(x)))", "x", {}, "1 ./ x"),
    ("sum(abs(x).^3)", "x", {"order": 2}, "6*diag(abs(x))"),
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
