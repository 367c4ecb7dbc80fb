"""The derivative as an action: its values against autograd, and what is not formed on the way."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from derivations import derive
from derivations.api import read
from derivations.errors import DomainError, NoRuleError, UnsupportedError
from derivations.expressions import is_matrix, shape_of
from derivations.notation.code.libraries import identifier
from derivations.rewriting import equalities
from derivations.verification import autograd
from derivations.verification.interpreter import value

LIBRARIES = ["numpy", "torch"]


def corpus():
    """Every problem that is carried, and the Hessians of some scalars among them."""
    problems = json.loads((Path(__file__).parents[3] / "data" / "derivatives.json").read_text())["problems"]
    for i, problem in enumerate(problems):
        if problem.get("structure"):
            continue
        pair = (problem["wrt"], problem.get("wrt2", problem["wrt"]))
        wrt = pair if pair[0] != pair[1] else pair[0]
        for order in {problem["order"], 2} if i % 4 == 0 else {problem["order"]}:
            try:
                yield (
                    f"{problem['id']}-{order}",
                    derive(problem["expr"], wrt, variables=problem["vars"], order=order),
                )
            except (UnsupportedError, NoRuleError):
                continue


CORPUS = dict(corpus())


def moved(derivation, point, sizes, along):
    """The directional derivative of what was differentiated last, by torch."""
    wrt = tuple(dict.fromkeys(derivation.wrt_all))
    inputs = tuple(point[v].clone() for v in wrt)
    directions = (*(torch.zeros_like(x) for x in inputs[:-1]), along)

    def f(*arguments):
        return value(derivation.expression, {**point, **dict(zip(wrt, arguments))}, sizes)

    def gradient(*arguments):
        return torch.autograd.functional.jacobian(lambda x: f(x, *arguments[1:]).sum(), arguments[0], create_graph=True)

    return torch.autograd.functional.jvp(f if derivation.order == 1 else gradient, inputs, directions)[1]


def point_of(derivation):
    """(values, sizes, direction, the moved value) where all of them are finite."""
    for seed in range(40):
        try:
            point, sizes = autograd._sample(derivation, f"operator/{seed}", {})
            torch.manual_seed(seed)
            along = torch.randn_like(point[derivation.wrt_all[-1]])
            expected = moved(derivation, point, sizes, along)
            finite = torch.isfinite(value(derivation.result, point, sizes)).all()
        except DomainError:
            continue
        if finite and torch.isfinite(expected).all():
            return point, sizes, along, expected
    raise AssertionError("no point inside the domain")


def natural(variable, tensor):
    if not is_matrix(variable):
        return tensor[0, 0]
    return tensor[:, 0] if variable.shape[1] == 1 else tensor


def call(derivation, library, point, along):
    defined = dict(derivation.definitions)
    arguments = {identifier(v.name): natural(v, x) for v, x in point.items() if v not in defined}
    last = derivation.wrt_all[-1]
    arguments[f"d_{last.name}"] = natural(last, along)
    if library == "numpy":
        arguments = {name: x.numpy() for name, x in arguments.items()}
    return torch.as_tensor(np.asarray(derivation.to_operator(library)(**arguments)))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", CORPUS)
def test_the_action_is_the_directional_derivative(name, library, relative_error):
    d = CORPUS[name]
    point, _, along, expected = point_of(d)
    got = call(d, library, point, along)
    of = d.wrt_all[0] if d.order == 2 else d.expression
    assert got.ndim == sum(size != 1 for size in shape_of(of)) or shape_of(of)[0] == 1
    assert relative_error(got.reshape(expected.shape).double(), expected) < 1e-7


def source(expression, wrt, library="numpy", **options):
    return inspect.getsource(derive(expression, wrt, **options).to_operator(library))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("expression", "wrt", "order"),
    [
        ("sum(softplus(X*w)) - y'*(X*w)", "w", 2),
        ("norm2(X*w - y)^2", "w", 2),
        ("logsumexp(A*x)", "x", 2),
        ("x'*A*x/(x'*x)", "x", 2),
        ("norm2(X - U*V')^2", "U", 2),
        ("norm2(X - U*V')^2", ("U", "V"), 2),
        ("norm2(M .* (X - U*V'))^2", "V", 2),
        ("logdet(X)", "X", 2),
        ("tr(A*inv(X)*B)", "X", 2),
        ("A*X*B", "X", 1),
        ("X'*B*X", "X", 1),
        ("kron(A,X)*vec(Y)", "X", 1),
        ("softmax(A*x)", "x", 1),
        ("softmax_rows(X*W)", "W", 1),
        ("diag(x)*A", "x", 1),
    ],
)
def test_nothing_of_the_size_of_the_derivative_is_formed(expression, wrt, order, library):
    shapes = {"A": "p,q", "X": "m,n", "Y": "n,q"} if "vec" in expression else None
    code = source(expression, wrt, library, order=order, variables=shapes).split('"""')[-1]
    assert not [word for word in ("kron", "eye(", "diag(", "outer(") if word in code], code
    # As many right sides as unknowns, twice: the inverse of the variable itself is cheaper.
    assert code.count("inv(") == (expression in ("logdet(X)", "tr(A*inv(X)*B)")), code


def test_the_hessian_of_logistic_regression_moves_two_vectors():
    code = source("sum(softplus(X*w)) - y'*(X*w)", "w", order=2)
    assert code.split('"""')[-1].split("\n")[1:3] == [
        "    t1 = sigmoid(X @ w)",
        "    return X.T @ ((1 - t1) * t1 * (X @ d_w))",
    ]


def test_the_direction_is_an_argument_by_keyword_and_the_docstring_says_what_is_computed():
    function = derive("A*X*B", "X").to_operator("torch")
    assert list(inspect.signature(function).parameters) == ["A", "X", "B", "d_X"]
    assert function.__doc__.startswith("A*d_X*B, the derivative applied to d_X")
    assert "d_X (n, p) -> (m, q)" in function.__doc__


def test_a_variable_that_has_the_name_of_the_direction_keeps_it():
    function = derive("d_x'*x*x", "x", variables={"d_x": "n", "x": "n"}).to_operator()
    assert list(inspect.signature(function).parameters) == ["d_x", "x", "d_x_"]
    d, x, e = np.array([1.0, 2]), np.array([3.0, -1]), np.array([0.5, 2])
    np.testing.assert_allclose(function(d_x=d, x=x, d_x_=e), (d @ e) * x + (d @ x) * e)


def test_definitions_are_written_out():
    d = derive("h'*h", "x", variables={"A": "m,n", "x": "n"}, definitions={"h": "tanh(A*x)"})
    function = d.to_operator()
    assert list(inspect.signature(function).parameters) == ["A", "x", "d_x"]
    A, x, e = np.arange(6).reshape(2, 3) / 7, np.array([0.2, -0.1, 0.5]), np.array([1.0, 2, -1])
    h = np.tanh(A @ x)
    np.testing.assert_allclose(function(A=A, x=x, d_x=e), 2 * h @ ((1 - h**2) * (A @ e)), rtol=1e-12)


def test_the_direction_of_a_symmetric_matrix_need_not_be_symmetric():
    d = derive("tr(P*A*P)", "P", variables={"P": {"shape": ["n", "n"], "props": ["symmetric"]}, "A": "n,n"}, order=2)
    generator = np.random.default_rng(0)
    P, A, E = generator.normal(size=(3, 2, 2))
    P = P + P.T
    expected = A.T @ E.T + E.T @ A.T
    np.testing.assert_allclose(d.to_operator()(P=P, A=A, d_P=E), expected, rtol=1e-12)


def test_a_derivative_that_vanishes_moves_nothing():
    got = derive("a'*x", "x", order=2).to_operator()(a=np.ones(3), x=np.ones(3), d_x=np.ones(3))
    np.testing.assert_array_equal(got, np.zeros(3))


def test_the_operator_runs_under_vmap():
    d = derive("logsumexp(A*x)", "x", order=2)
    A, x = torch.randn(4, 3, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    operator = d.to_operator("torch")
    columns = torch.func.vmap(lambda e: operator(A=A, x=x, d_x=e))(torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(columns, d.to_function("torch")(A=A, x=x))


def test_a_value_has_no_operator():
    reading, _ = read("x'*x")
    value_only = equalities(reading.expression, tuple(reading.variables.values()))
    with pytest.raises(UnsupportedError, match="an operator is the action of a derivative; this derivation"):
        value_only.to_operator()


def test_free_entries_have_no_operator():
    d = derive("norm2(X)^2", "X", variables={"X": "n,n"}, structure="symmetric")
    with pytest.raises(UnsupportedError, match="free entries of a symmetric matrix; derive without structure"):
        d.to_operator()


@pytest.mark.parametrize("library", ["jax", ""])
def test_an_unknown_library_is_an_error(library):
    with pytest.raises(UnsupportedError, match=rf"no code for '{library}'; expected one of numpy, torch"):
        derive("x'*x", "x").to_operator(library)
