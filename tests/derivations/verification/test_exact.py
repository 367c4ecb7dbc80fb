"""The exact witness: where it checks, how sure it is, and that it raises no false alarm."""

from dataclasses import replace

import pytest
from sympy import Contains, FiniteSet, Integer, Rational, Symbol, true

from derivations import derive
from derivations.derivation import Rule
from derivations.differentiation import differentiate
from derivations.elementwise import SLOTS, Apply
from derivations.expressions import EntrySum, Variable, multiply
from derivations.functions import maximum
from derivations.rewriting import equalities
from derivations.scalars import Loss
from derivations.verification import exact
from derivations.verification.arithmetic import PRIME

n = Symbol("n", integer=True, positive=True)
SHAPES = {
    **dict.fromkeys(["x", "y"], "n"),
    "z": "m",
    "A": "m,n",
    "B": "n,n",
    "X": {"kind": "matrix", "shape": ["n", "n"], "props": ["positive_definite"]},
    "C": {"kind": "matrix", "shape": ["m", "n"], "props": ["positive"]},
    "p": {"kind": "vector", "shape": ["n"], "props": ["prob"]},
    "s": "",
    "t": "",
    "k": {"kind": "scalar", "shape": [], "props": ["integer"]},
}


def check(expression, wrt, seed=0, **arguments):
    return exact.check(derive(expression, wrt, variables=SHAPES, **arguments), seed=seed)


@pytest.mark.parametrize(
    ("expression", "field"),
    [
        ("x'*B*x", "prime field"),
        ("tr(inv(X)*B)*(x'*y)", "prime field"),
        ("norm2(x)^2", "prime field"),
        ("x'*B^k*x", "prime field"),
        ("sum(x.^3)", "prime field"),
        ("sum(relu(x))", "rational numbers"),
        ("norm1(x)", "rational numbers"),
        ("norm2(x)", "50 digits"),
        ("sum(exp(x))", "50 digits"),
        ("pi*(x'*x)", "50 digits"),
        ("sqrt(x'*x)", "50 digits"),
    ],
)
def test_the_first_field_that_can_evaluate_it_checks(expression, field):
    found = check(expression, "x")
    assert found.passed and found.name == f"exact ({field})" and found.points >= 2
    assert (found.error_bound is not None) == (field == "prime field")
    assert found.worst_error == 0 if field != "50 digits" else found.worst_error < 1e-35


@pytest.mark.parametrize("expression", ["x'*B*x", "(x'*B*x)^5", "x'*inv(X)*x", "1/(x'*x)", "x'*B^k*x"])
def test_the_probability_of_an_error_is_tiny_and_positive(expression):
    found = check(expression, "x")
    assert 0 < found.error_bound < 1e-28
    single = exact.check(derive(expression, "x", variables=SHAPES), points=1)
    assert single.error_bound > found.error_bound and single.error_bound > 1 / PRIME


SEEDS = range(6)


@pytest.mark.parametrize(
    ("expression", "wrt"),
    [
        ("x'*B*y", ("x", "y")),
        ("x'*B*y", ("y", "x")),
        ("z'*A*x", ("z", "x")),
        ("s*t^2", ("s", "t")),
        ("s*(x'*x)", ("s", "x")),
        ("s*(x'*x)", ("x", "s")),
        ("exp(x'*y)", ("x", "y")),
        ("norm2(x)*norm2(y)", ("x", "y")),
    ],
)
def test_mixed_second_derivatives(expression, wrt):
    d = derive(expression, wrt, variables=SHAPES)
    found = exact.check(d)
    assert found.passed, str(found)
    assert exact.check(replace(d, result=multiply(2, d.result))).passed is False


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("expression", "wrt"),
    [
        ("logdet(C'*C)", "C"),
        ("logdet(A'*C)", "C"),
        ("tr(inv(A'*A)*B)", "A"),
        ("x'*inv(C'*C)*y", "C"),
    ],
)
def test_a_matrix_that_is_singular_in_some_sizes_only(expression, wrt, seed):
    """C'C is singular where C has more columns than rows: another point is drawn then."""
    found = check(expression, wrt, seed)
    assert found.passed, str(found)


@pytest.mark.parametrize(
    ("expression", "wrt"),
    [
        ("sum(softmax(x))", "x"),
        ("tr(diag(softmax(x)))", "x"),
        ("logsumexp(logsoftmax(x))", "x"),
        ("(x ./ exp(x))'*(exp(x) ./ x)", "x"),
        ("sin(s)^2 + cos(s)^2", "s"),
        ("log(exp(s)*exp(-s))", "s"),
    ],
)
def test_a_derivative_that_is_zero_in_another_form(expression, wrt):
    """Both sides are zero up to rounding: a relative error against themselves says nothing."""
    found = check(expression, wrt)
    assert found.passed, str(found)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("expression", "wrt"),
    [
        ("x'*B*x", "x"),
        ("logdet(X)", "X"),
        ("norm2(A*x - z)", "x"),
        ("sum(tanh(A*x))", "A"),
        ("log(sum(p))", "p"),
        ("softmax(A*x)", "x"),
        ("sum(relu(A*x - z))", "x"),
        ("tr(inv(X)*B)", "X"),
    ],
)
def test_no_false_alarm_whatever_the_seed(expression, wrt, seed):
    found = check(expression, wrt, seed)
    assert found.passed, str(found)


@pytest.mark.parametrize("seed", SEEDS)
def test_cancellation_is_no_false_alarm(seed):
    """1 - sigmoid(40)^2 loses 17 digits; what is false stays false with as many as one likes."""
    d = derive("arcsin(sigmoid(20*(x'*x)))", "x", variables=SHAPES)
    found = exact.check(d, seed=seed)
    assert found.passed, str(found)
    assert exact.check(replace(d, result=multiply(Rational(1, 2), d.result)), seed=seed).passed is False
    slightly = multiply(1 + Rational(1, 10**30), d.result)
    assert exact.check(replace(d, result=slightly), seed=seed).passed is False


def test_cancellation_is_seen_with_more_digits():
    d = derive("arcsin(sigmoid(20*(x'*x)))", "x", variables=SHAPES)
    assert {exact.check(d, seed=seed).name for seed in range(12)} == {"exact (50 digits)", "exact (100 digits)"}


def test_a_loss_may_be_any_function():
    w = Variable("w", n, 1)
    t = Symbol("t", real=True)
    d = differentiate(Loss("L", w) + t * Loss("R", w), (w, t), (w,))
    assert exact.check(d).passed
    assert exact.check(replace(d, result=multiply(2, d.result))).passed is False


def test_the_witness_names_the_first_false_line():
    d = derive("x'*B*x", "x", variables=SHAPES)
    first, second, third, *rest = d.steps
    wrong = 2 * second.after
    steps = (first, replace(second, after=wrong), replace(third, before=wrong), *rest)
    assert exact.check(replace(d, steps=steps)).note == f"step 2 ({second.rule.name})"


def test_a_proposition_has_no_degree_and_its_errors_no_bound():
    k = Symbol("k", integer=True)
    d = equalities(Contains(k, FiniteSet(0, 1)), (k,), (Rule(None, "algebra", ""), Contains(k + 1, FiniteSet(1, 2))))
    found = exact.check(d)
    assert found.passed and found.points == 200 and found.error_bound is None
    wrong = equalities(
        Contains(k, FiniteSet(0, 1)), (k,), (Rule(None, "algebra", ""), true & Contains(k, FiniteSet(0, 2)))
    )
    assert exact.check(wrong).passed is False


def test_a_line_may_hold_sizes_that_no_variable_has():
    d = derive("ones(k)'*ones(k)*s", "s", variables={"s": "", "t": "", "x": "n"})
    assert exact.check(d).passed and 0 < exact.check(d).error_bound < 1e-30


@pytest.mark.parametrize("wrt", [("x", "x"), ("x", "y")])
def test_second_derivatives_go_in_two_directions(wrt):
    """One direction twice sees the symmetric part of a Hessian only."""
    d = replace(derive("(x'*B*y)*(x'*x)", wrt, variables=SHAPES), steps=())
    assert exact.check(d).passed
    skew = multiply(Variable("x", n, 1), Variable("y", n, 1).T)
    assert exact.check(replace(d, result=d.result + skew - skew.T)).passed is False


@pytest.mark.parametrize(
    ("expression", "wrt", "field"),
    [
        ("tr(kron(B, B)*kron(B, B))", "B", "prime field"),
        ("tr(pinv(A)*A*B)", "A", "prime field"),
        ("tr(adj(B)*B)", "B", "prime field"),
        ("tr(B^k*B)", "B", "prime field"),
        ("sum(max(x, y) + clip(x, 0, 1))", "x", "rational numbers"),
        ("sum(huber(x, 2))", "x", "rational numbers"),
        ("tr(expm(B))", "B", "50 digits"),
        ("tr(sqrtm(X)*B)", "X", "50 digits"),
        ("lambda_max(B)", "B", "50 digits"),
        ("norm_nuc(A)", "A", "50 digits"),
    ],
)
def test_the_field_of_the_newer_nodes(expression, wrt, field):
    found = check(expression, wrt)
    assert found.passed and found.name == f"exact ({field})", str(found)
    assert (found.error_bound is not None) == (field == "prime field")


def test_a_loss_may_stand_in_an_elementwise_power():
    """The function of an entry sees the losses, too."""
    w, x = Variable("w", n, 1), Variable("x", n, 1)
    d = differentiate(EntrySum(Apply(SLOTS[0] ** Integer(2), Loss("L", w) * x)), (w, x), (x,))
    assert exact.check(d).passed
    parameter = differentiate(EntrySum(Apply(maximum(SLOTS[0], Loss("L", w)), x)), (w, x), (x,))
    assert exact.check(parameter).passed
