"""Gradients, Jacobians and Hessians: every line follows from the one before, and no zero is wrong."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import S, Symbol, zeta

from derivations import derive, rules
from derivations.api import read
from derivations.differentiation import differential, differentiate, free_scalar, linear_terms
from derivations.errors import NoRuleError, UnsupportedError
from derivations.expressions import (
    EntrySum,
    Identity,
    Inner,
    MatrixDifferential,
    Ones,
    Product,
    Scale,
    Transpose,
    Variable,
    Zero,
    is_matrix,
    shape_of,
)
from derivations.scalars import ScalarDifferential, Trace, differential_of
from derivations.verification import exact, verify

m, n = (Symbol(name, integer=True, positive=True) for name in "mn")
s, t = Symbol("s", real=True), Symbol("t", real=True)
A, X = Variable("A", m, n), Variable("X", m, n)
M = Variable("M", n, n)
x, y = Variable("x", n, 1), Variable("y", n, 1)


def square(*names, props=()):
    return {name: {"kind": "matrix", "shape": ["n", "n"], "props": list(props)} for name in names}


# -------------------------------------------------------------------------- never a wrong zero

POSITIVE = {"kind": "vector", "shape": ["n"], "props": ["positive"]}
SPD = square("X", props=["positive_definite"])
GENERAL = {**square("A", "B", "X"), "x": "n", "y": "n", "s": "", "v": POSITIVE}

# Many of these SymPy's own `.diff` answers by 0, or with a lost term of a product or quotient.
HARD = [
    ("logdet(X)", "X", "inv(X)'"),
    ("log(det(X))", "X", "inv(X)'"),
    ("det(X)", "X", "det(X)*inv(X)'"),
    ("det(X)^2", "X", "2*det(X)^2*inv(X)'"),
    ("1/det(X)", "X", "-inv(X)'/det(X)"),
    ("logdet(A*X*B)", "X", "inv(X)'"),
    ("exp(tr(X))", "X", "exp(tr(X))*eye(n)"),
    ("exp(tr(A*X))", "X", "exp(tr(A*X))*A'"),
    ("log(tr(X*X'))", "X", "2*X/tr(X*X')"),
    ("tr(X) + tr(X^2)", "X", "eye(n) + 2*X'"),
    ("tr(X)*tr(A*X)", "X", "tr(A*X)*eye(n) + tr(X)*A'"),
    ("tr(A*X)/tr(B*X)", "X", "A'/tr(B*X) - tr(A*X)*B'/tr(B*X)^2"),
    ("tr(X)^2", "X", "2*tr(X)*eye(n)"),
    ("tr(X)^3", "X", "3*tr(X)^2*eye(n)"),
    ("sqrt(tr(X'*X))", "X", "X/sqrt(tr(X'*X))"),
    ("tr(inv(X))", "X", "-(inv(X)^2)'"),
    ("tr(A*inv(X))", "X", "-(inv(X)*A*inv(X))'"),
    ("x'*inv(X)*y", "X", "-inv(X)'*x*y'*inv(X)'"),
    ("x'*A*y", "A", "x*y'"),
    ("(x'*A*y)^2", "A", "2*(x'*A*y)*x*y'"),
    ("exp(x'*A*y)", "A", "exp(x'*A*y)*x*y'"),
    ("exp(-x'*A*x)", "x", "-exp(-x'*A*x)*(A + A')*x"),
    ("log(x'*x)", "x", "2*x/(x'*x)"),
    ("(x'*A*x)/(x'*x)", "x", "(A + A')*x/(x'*x) - 2*(x'*A*x)*x/(x'*x)^2"),
    ("(x'*y)*(x'*A*x)", "x", "(x'*A*x)*y + (x'*y)*(A + A')*x"),
    ("norm2(x)", "x", "x/norm2(x)"),
    ("norm2(x)*norm2(A*x)", "x", "norm2(A*x)*x/norm2(x) + norm2(x)*A'*A*x/norm2(A*x)"),
    ("norm2(X)", "X", "X/norm2(X)"),
    ("sum(exp(x))", "x", "exp(x)"),
    ("sum(log(v))", "v", "1 ./ v"),
    ("logsumexp(A*x)", "x", "A'*softmax(A*x)"),
    ("sum(tanh(A*x))", "A", "(ones(n) - tanh(A*x).^2)*x'"),
    ("tr(X^3)", "X", "3*(X^2)'"),
    ("s*det(X)", "s", "det(X)"),
    ("det(s*X)", "s", "rows(X)*s^(rows(X) - 1)*det(X)"),
]


def random_values(shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    values = {}
    for name, shape in shapes.items():
        if shape == "":
            values[name] = torch.tensor([[1.3]], dtype=torch.float64)
            continue
        size = (3, 1) if shape in ("n", POSITIVE) else (3, 3)
        drawn = torch.randn(*size, generator=generator, dtype=torch.float64)
        values[name] = drawn @ drawn.T / 3 + torch.eye(3) if name == "X" else drawn
        if shape is POSITIVE:
            values[name] = drawn.abs() + 0.2
    return values


def natural(values):
    shapes = {(1, 1): lambda a: a[0, 0], (3, 1): lambda a: a[:, 0], (3, 3): lambda a: a}
    return {name: shapes[tuple(a.shape)](a).numpy() for name, a in values.items()}


@pytest.mark.parametrize(("expression", "wrt", "expected"), HARD, ids=[f"{e} by {w}" for e, w, _ in HARD])
def test_hard_gradients_are_right_and_not_zero(expression, wrt, expected, text_value, relative_error):
    d = derive(expression, wrt, variables=GENERAL)
    values = random_values(GENERAL)
    by_autograd = torch.autograd.functional.jacobian(
        lambda v: text_value(expression, {**values, wrt: v}, {"n": 3}), values[wrt]
    )[0, 0]
    assert by_autograd.abs().max() > 1e-6
    assert relative_error(text_value(expected, values, {"n": 3}), by_autograd) < 1e-9
    arguments = {v.name: natural(values)[v.name] for v in d.variables}
    got = np.reshape(d.to_function()(**arguments), by_autograd.shape)
    assert relative_error(torch.as_tensor(got), by_autograd) < 1e-9


@pytest.mark.parametrize(
    ("expression", "wrt", "shapes"),
    [
        ("tr(A^k)", "k", {**GENERAL, "k": ""}),
        ("tr(A^k)", "k", {**GENERAL, "k": {"kind": "scalar", "shape": [], "props": ["integer"]}}),
        ("tr(X^s)", "s", {**GENERAL, **SPD}),
        ("sum(v.^(x'*y)) + x'*y", "x", GENERAL),
        ("sum((x'*x) .^ v) + x'*y", "x", GENERAL),
        ("sum(v.^s)", "s", GENERAL),
        ("x'*A^k*y", "k", {**GENERAL, "k": ""}),
    ],
)
def test_a_derivative_by_what_stands_in_an_exponent_is_right_or_refused(expression, wrt, shapes):
    try:
        d = derive(expression, wrt, variables=shapes)
    except (NoRuleError, UnsupportedError):
        return
    assert d.result != 0 and not isinstance(d.result, Zero)
    assert verify(d)


@pytest.mark.parametrize("expression", ["1/sum(p)", "sum(p)^3", "log(sum(p))", "exp(sum(p))*s"])
def test_a_second_derivative_is_not_taken_at_a_point_where_the_first_was_simplified(expression):
    """The entries of p add up to one, but not those of p + dp."""
    shapes = {"p": {"kind": "vector", "shape": ["n"], "props": ["prob"]}, "s": ""}
    assert verify(derive(expression, "p", order=2, variables=shapes))


@pytest.mark.parametrize("prop", ["symmetric", "positive_definite", "diagonal"])
@pytest.mark.parametrize(
    ("expression", "expected"),
    [("(P*x)'*y", "y*x'"), ("x'*P*y", "x*y'"), ("tr(P'*B)", "B"), ("tr(P*B)", "B'"), ("tr(P'*P)", "2*P")],
)
def test_the_entries_of_the_variable_are_independent_whatever_it_is_declared(prop, expression, expected):
    """Where `structure` is None: P' may stand for P in a result, but not in what is differentiated by P."""
    shapes = {**square("P", props=[prop]), **square("B"), "x": "n", "y": "n"}
    assert derive(expression, "P", variables=shapes).result == read(expected, shapes)[0].expression


@pytest.mark.parametrize(
    ("expression", "wrt"),
    [
        ("s*logdet(s*A + B)", "s"),
        ("s*norm2(s*x + y)", "s"),
        ("exp(s)*sum(exp(s*x))", "s"),
        ("(x'*y)*norm2((x'*y)*x + y)", "x"),
        ("norm2(x)*logsumexp(norm2(x)*y)", "x"),
        ("det(A)*tr(inv(det(A)*A + B))", "A"),
    ],
)
def test_a_product_of_a_scalar_and_of_what_holds_it(expression, wrt):
    shapes = {**square("A", "B", props=["positive_definite"]), "x": "n", "y": "n"}
    shapes["s"] = {"kind": "scalar", "shape": [], "props": ["positive"]}
    assert verify(derive(expression, wrt, variables=shapes))


@pytest.mark.parametrize("expression", ["sum(relu(x))", "norm1(x)", "sum(sign(x) .* y)", "sum(relu(x)) + y'*x"])
def test_a_second_derivative_that_vanishes_almost_everywhere(expression):
    d = derive(expression, "x", order=2, variables={"x": "n", "y": "n"})
    assert d.result == Zero(n, n)


# ------------------------------------------------------------------------------ the lines follow

SHOWN = [
    ("x'*A*x", "x", 1),
    ("tr(A'*X*B*X)", "X", 1),
    ("norm2(A*x - y)^2", "x", 1),
    ("log(1 + exp(-y'*x))", "x", 1),
    ("softmax(A*x)", "x", 1),
    ("tanh(A*x) + y", "x", 1),
    ("x + y", "x", 1),
    ("x", "x", 1),
    ("s*exp(s)*x", "s", 1),
    ("s", "s", 1),
    ("s + 3", "s", 1),
    ("logdet(X)*tr(X)", "X", 1),
    ("x'*A*x", "x", 2),
    ("exp(x'*y)", "x", 2),
    ("exp(s)*t", "s", 2),
    ("s + t", "s", 2),
    ("x'*y", "x", 2),
]


@pytest.mark.parametrize("layout", ["denominator", "numerator"])
@pytest.mark.parametrize(("expression", "wrt", "order"), SHOWN)
def test_every_line_follows_from_the_one_before(expression, wrt, order, layout):
    d = derive(expression, wrt, order=order, layout=layout, variables={**GENERAL, "t": ""})
    assert d.steps[0].before == differential_of(d.expression)
    starts = [i for i, step in enumerate(d.steps) if i == 0 or step.before != d.steps[i - 1].after]
    assert len(starts) <= order
    for i in starts[1:]:
        assert d.steps[i].before == differential_of(d.steps[i - 1].after)
    if d.steps[-1].rule != rules.CONSTANT:
        assert d.steps[-1].after == d.result
    assert all(step.before != step.after for step in d.steps)
    assert all(not step.rule.minor for step in d.steps)


@pytest.mark.parametrize(("expression", "wrt", "order"), SHOWN)
def test_the_result_holds_no_differential_and_has_the_right_shape(expression, wrt, order):
    d = derive(expression, wrt, order=order, variables={**GENERAL, "t": ""})
    assert not d.result.has(MatrixDifferential, ScalarDifferential)
    by, of = shape_of(d.wrt), shape_of(d.expression)
    shapes = {"gradient": by, "denominator": (by[0], of[0]), "shape_of_output": of, "hessian": (by[0], by[0])}
    assert shape_of(d.result) == shapes[d.layout]


@pytest.mark.parametrize(
    ("expression", "variable", "layout", "shape"),
    [
        (Inner(Transpose(x), x), A, "denominator", (m, n)),
        (Inner(Transpose(x), x), A, "numerator", (n, m)),
        (Inner(Transpose(x), x), s, "denominator", (1, 1)),
        (Product(A, x), y, "denominator", (n, m)),
        (Product(A, x), y, "numerator", (m, n)),
        (A, s, "denominator", (m, n)),
        (S(3), x, "denominator", (n, 1)),
    ],
    ids=str,
)
def test_a_constant_has_a_step_that_says_so(expression, variable, layout, shape):
    d = differentiate(expression, (x, y, A, s), (variable,), layout)
    step = d.steps[0]
    assert step.rule == rules.CONSTANT and step.before == differential_of(expression)
    assert d.steps[-1].after == d.result
    assert d.result == Zero(*shape) and verify(d)


def test_the_name_of_the_layout_is_that_of_what_was_asked():
    assert differentiate(Product(A, x), (A, x), (x,)).layout == "denominator"
    assert differentiate(Product(A, x), (A, x), (x,), "numerator").layout == "numerator"
    assert differentiate(Inner(Transpose(x), x), (x,), (x,)).layout == "gradient"
    assert differentiate(Inner(Transpose(x), x), (x,), (x, x)).layout == "hessian"
    assert differentiate(Scale(s, x), (x, s), (s,)).layout == "shape_of_output"


# ------------------------------------------------------------------------------ its parts


def test_the_differential_is_pushed_in_until_only_dx_is_left():
    steps, change = differential(Trace(Product(Transpose(X), X)), X)
    assert [step.rule.name for step in steps] == ["product rule"]
    inside = {node.args[0] for node in change.atoms(MatrixDifferential)}
    assert inside == {X}


def test_linear_terms_are_taken_apart():
    dx = MatrixDifferential(x)
    moves = lambda e: e.has(dx)  # noqa: E731
    first, second = Inner(Transpose(x), dx), EntrySum(dx)
    assert set(linear_terms(3 * s * (first + 2 * second), moves)) == {(3 * s, first), (6 * s, second)}


def test_freeing_dx_gives_the_gradient():
    dX = MatrixDifferential(X)
    steps, gradient = free_scalar(Trace(Product(Transpose(dX), A)) + 2 * Trace(Product(Transpose(A), dX)), dX)
    assert gradient == Scale(3, A) and [step.rule.name for step in steps] == ["trace: cyclic, transpose"]


@pytest.mark.parametrize(
    ("expression", "variable"),
    [(Product(A, Transpose(X)), X), (Product(x, Transpose(y)), x), (x, A), (Product(Transpose(x), Transpose(A)), x)],
    ids=str,
)
def test_pairs_with_a_matrix_are_in_vec_form(expression, variable):
    found = differentiate(expression, (A, X, x, y), (variable,))
    (rows, columns), (m, n) = shape_of(expression), variable.shape
    assert found.layout == "vec" and shape_of(found.result) == (rows * columns, m * n)
    assert exact.check(found).passed


def test_an_order_two_takes_no_definitions():
    h = Variable("h", n, 1)
    with pytest.raises(UnsupportedError, match="order 2 takes no definitions"):
        differentiate(Inner(Transpose(x), x), (x,), (x, x), definitions=((h, Scale(2, x)),))


def test_an_unknown_function_is_refused_by_name():
    with pytest.raises(NoRuleError, match=r"no differential rule for zeta in zeta\(Inner"):
        differentiate(zeta(Inner(Transpose(x), x)), (x,), (x,))


@pytest.mark.parametrize(
    ("expression", "conditions"),
    [
        ("norm2(x)", ("the argument of the norm is not zero",)),
        ("norm2(x)^2", ()),
        ("norm2(x)^2*norm2(x - y)", ("the argument of the norm is not zero",)),
        ("sum(relu(x)) + norm1(x)", ("ReLU'(0) = 0", "the slope of the absolute value at 0 is 0")),
        ("sum(exp(x))", ()),
    ],
)
def test_conventions_are_those_of_the_nodes_that_occur(expression, conditions):
    assert derive(expression, "x", variables={"x": "n", "y": "n"}).conditions == conditions


@pytest.mark.parametrize("columns", [1, 4])
def test_rows_and_columns_of_numbers_of_entries(columns):
    v = Variable("v", columns, 3)
    d = differentiate(EntrySum(v), (v,), (v,))
    assert d.result == Ones(columns, 3) and is_matrix(d.result) and verify(d)


def test_a_scalar_by_itself():
    assert differentiate(s, (s,), (s,)).result == 1
    assert differentiate(x, (x,), (x,)).result == Identity(n)


# ------------------------------------------------------------------------------ scalars by scalars

QUOTIENTS = [
    "sigmoid(s)/s",
    "s^2/(1 + sigmoid(s))",
    "normpdf(s)/normcdf(s)",
    "log(s)/s",
    "tanh(s)/(1 + s)",
    "s/softplus(s)",
    "relu(s)/(1 + s^2)",
    "s/(1 + abs(s))",
    "1/(1 + exp(-s*t))",
    "sqrt(s)/(1 + sqrt(s))",
    "(s^2 - t^2)/(s + t)",
    "exp(s)/(exp(s) + exp(t))",
    "s^t/t^s",
    "log(s + sqrt(s^2 + 1))",
    "-t*log(s) - (1 - t)*log(1 - s)",
]


@pytest.mark.parametrize("expression", QUOTIENTS)
def test_scalar_calculus(expression):
    unit = {"kind": "scalar", "shape": [], "props": ["unit_interval"]}
    d = derive(expression, "s", variables={"s": unit, "t": unit})
    assert verify(d), str(verify(d))
    second = derive(expression, "s", order=2, variables={"s": unit, "t": unit})
    assert verify(second), str(verify(second))


def scalar_texts():
    leaves = st.sampled_from(["s", "t", "2", "0.5"])
    functions = ["exp", "log", "tanh", "sigmoid", "softplus", "sqrt", "sin", "normcdf", "normpdf", "arctan", "-"]
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
            st.tuples(st.sampled_from(functions), inner).map(lambda p: f"{p[0]}({p[1]})"),
            st.tuples(inner, st.sampled_from(["2", "3", "-1", "0.5"])).map(lambda p: f"({p[0]})^{p[1]}"),
        ),
        max_leaves=5,
    )


@settings(max_examples=200, deadline=None, derandomize=True)
@given(source=scalar_texts())
def test_scalar_calculus_of_random_texts(source, text_value, relative_error):
    at = {"s": torch.tensor([[0.7]], dtype=torch.float64), "t": torch.tensor([[0.4]], dtype=torch.float64)}
    value = text_value(source, at, {})
    slope = torch.autograd.functional.jacobian(lambda s: text_value(source, {**at, "s": s}, {}) + 0 * s, at["s"])
    if not (value.isfinite().all() and slope.isfinite().all() and slope.abs().max() < 1e6):
        return
    shapes = {name: {"kind": "scalar", "shape": [], "props": ["positive"]} for name in "st"}
    got = derive(source, "s", variables=shapes).to_function()(s=0.7, t=0.4)
    assert relative_error(torch.tensor(float(got), dtype=torch.float64).reshape(1, 1, 1, 1), slope) < 1e-6, source


# ------------------------------------------------------------------------------ random expressions


@settings(max_examples=120, deadline=None, derandomize=True)
@given(data=st.data())
def test_gradients_and_jacobians_of_random_texts_are_those_of_autograd(data, random_texts, relative_error):
    sizes = {"m": 4, "n": 3}
    shape = data.draw(st.sampled_from([("1", "1"), ("1", "1"), ("n", "1")]))
    source = random_texts.draw(data, shape, 2)
    wrt = data.draw(st.sampled_from(["x", "s", "t", "y", "z"] + ["A", "C", "S"] * (shape == ("1", "1"))))
    values = random_texts.point(data.draw(st.integers(0, 5)), sizes)
    if random_texts.value(source, values, sizes) is None:
        return
    jacobian = torch.autograd.functional.jacobian(
        lambda v: random_texts.value(source, {**values, wrt: v}, sizes), values[wrt]
    )
    if not jacobian.isfinite().all() or jacobian.abs().max() > 1e6:
        return
    try:
        d = derive(source, wrt, variables=random_texts.variables)
    except UnsupportedError:
        return
    arranged = {
        "gradient": jacobian[0, 0],
        "shape_of_output": jacobian[:, :, 0, 0],
        "denominator": jacobian[:, 0, :, 0].T,
    }
    expected = arranged[d.layout]
    flat = {(1, 1): lambda a: a[0, 0], (3, 1): lambda a: a[:, 0], (4, 1): lambda a: a[:, 0]}
    arguments = {name: flat.get(tuple(a.shape), lambda a: a)(a).numpy() for name, a in values.items()}
    got = torch.tensor(np.array(d.to_function()(**arguments)), dtype=torch.float64)
    assert relative_error(got.reshape(expected.shape), expected) < 1e-6, (source, wrt, d.to_text())


@pytest.mark.parametrize(
    "text, expected",
    [
        ("x*x'*y + B*y", "y*x' + (x'*y)*eye(n)"),
        ("(B - x*x')*y", "-(y*x' + (x'*y)*eye(n))"),
        ("diag(x)*B*x", "(diag(B*x) + diag(x)*B)'"),
    ],
)
def test_a_sum_that_moves_between_factors_is_spread(text, expected):
    shapes = {"x": "n", "y": "n", "B": "n,n"}
    derivation = derive(text, "x", variables=shapes)
    assert verify(derivation)
    assert derivation.result == read(expected, shapes)[0].expression


@pytest.mark.parametrize("text", ["y'*softmax(x)", "inv(B + x*x')*y"])
def test_a_sum_that_moves_between_factors_is_spread_and_proven(text):
    order = 2 if text.startswith("y") else 1
    assert verify(derive(text, "x", variables={"x": "n", "y": "n", "B": "n,n"}, order=order))
