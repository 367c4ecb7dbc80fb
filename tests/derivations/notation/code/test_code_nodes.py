"""The code of every node in both libraries, against the value of the text by an interpreter of its own."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from derivations import derive
from derivations.api import read
from derivations.derivation import Derivation
from derivations.expressions import is_matrix
from derivations.notation.code import helpers
from derivations.notation.code.libraries import LIBRARIES

BOTH = ["numpy", "torch"]
SIZES = {"m": 4, "n": 3, "p": 2}


def matrix(shape, *properties):
    return {"kind": "matrix", "shape": shape.split(","), "props": list(properties)}


SHAPES = {
    "s": "",
    "x": "n",
    "y": "n",
    "z": "m",
    "v": {"kind": "vector", "shape": ["m*n"], "props": []},
    "k": {"kind": "scalar", "shape": [], "props": ["integer"]},
    "A": "n,n",
    "B": "n,n",
    "C": "m,n",
    "D": "m,n",
    "P": matrix("n,n", "positive_definite"),
    "S": matrix("n,n", "symmetric"),
    "r": "1,n",
}


def values(seed=0):
    """A tensor of two axes for each name; A is well away from the branch cuts of logarithms and roots."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    m, n = SIZES["m"], SIZES["n"]
    square = draw(n, n)
    return {
        "s": draw(1, 1),
        "x": draw(n, 1),
        "y": draw(n, 1),
        "z": draw(m, 1),
        "v": draw(m * n, 1),
        "k": torch.tensor([[3.0]], dtype=torch.float64),
        "A": 2 * torch.eye(n, dtype=torch.float64) + 0.4 * draw(n, n),
        "B": draw(n, n),
        "C": draw(m, n),
        "D": draw(m, n),
        "P": square @ square.T + torch.eye(n, dtype=torch.float64),
        "S": square + square.T,
        "r": draw(1, n),
    }


def natural(tensor, variable):
    """As users pass it: of no axis, one axis, or two."""
    if not is_matrix(variable):
        return tensor[0, 0]
    return tensor[:, 0] if variable.shape[1] == 1 else tensor


def of_text(source):
    """The derivation of a value, whose result is turned into code all the same."""
    reading, _ = read(source, SHAPES)
    return Derivation(reading.expression, tuple(reading.variables.values()), (), reading.expression, "value")


def of_its_own(source):
    """The same of the variables that occur, so that no other says what their sizes are."""
    d = of_text(source)
    return replace(d, variables=tuple(v for v in d.variables if d.expression.has(v)))


def call(derivation, library, point, dtype=torch.float64):
    """What the generated code gives; point: name -> tensor of two axes."""
    point = {**values(), **point}
    arguments = {v.name: natural(point[v.name], v).to(dtype) for v in derivation.variables}
    if library == "numpy":
        arguments = {name: x.numpy() if x.ndim else x.numpy()[()] for name, x in arguments.items()}
    return derivation.to_function(library)(**arguments)


TEXTS = [
    # products, and what is only applied
    "A*B*x",
    "x'*A*B*y",
    "C*(A + x*y')*(B - eye(n))*x",
    "(eye(n) - ones(n,n)/rows(A))*A",
    "C*ones(n)",
    "ones(1,m)*C",
    "C*ones(n,n)",
    "ones(m,m)*C*ones(n,m)",
    "C*ones(n)*x'",
    "diag(x)*A",
    "C*diag(x)",
    "diag(z)*C*diag(x)",
    "A^3*x",
    "A^5*x",
    "x'*A^4",
    "(A + B)^2",
    "inv(A)*x",
    "x'*inv(A)",
    "C*inv(A)",
    "inv(A)*B*inv(A)",
    "inv(A)'*B*inv(P)*x",
    "inv(A)*x + inv(A)*B*y + inv(A)'*y",
    "inv(P)*(x*x' - P)*inv(P)",
    "inv(diag(x.^2 + ones(n)) + A)*y",
    "r*A + x'",
    "s*r",
    "A^k*x",
    # traces, diagonals, sums
    "tr(A)",
    "tr(A*B)",
    "tr(A'*B)",
    "tr(C*A*C')",
    "tr(inv(A)*B)",
    "tr(A*x*y')",
    "tr(diag(x)*A*B)",
    "tr(A + B*A)",
    "tr(A .* B)",
    "tr(A^3)",
    "tr(inv(A))",
    "diag(A*B)",
    "diag(C'*C)",
    "diag(diag(x)*A)",
    "diag(A*diag(x))",
    "diag(x*y')",
    "diag(A + B*A)",
    "diag(A .* B)",
    "diag(exp(A))",
    "diag(A)'*x",
    "A .* eye(n)",
    "(A*B) .* diag(x)",
    "sum(C)",
    "sum(C*A)",
    "sum(x*y')",
    "sum((x*y') .* A)",
    "sum(C .* D)",
    "sum(x .* y)",
    "sum(x.^2)",
    "sum(C + z*x')",
    "norm2(C*x - z)^2",
    "norm2(C)^4",
    "norm2(C)*norm2(C)^2",
    "1/norm2(x)^2",
    # determinants
    "det(A)",
    "logdet(P)",
    "logdet(A)*det(A)",
    # entry by entry
    "max(C, D)",
    "max(C, 0)",
    "min(0.5, C)",
    "clip(C, -0.5, s^2)",
    "clip(s, -0.5, 0.5)",
    "huber(C, 0.7)",
    "huber(s, 1/2)",
    "max(s, 0.3)",
    "C./D",
    "1 ./ (C.^2 + ones(m,n))",
    "C.^3 + C.^4 + C.^2",
    "2.^C",
    "C.*C.*D",
    "s./C",
    "softmax(C)",
    "softmax(x)",
    "logsoftmax(C)",
    "softmax_rows(C)",
    "logsoftmax_rows(C)",
    "softmax_rows(r)",
    "logsumexp(C)",
    "erf(x) + normcdf(x) + normpdf(x) + sigmoid(x) + softplus(x) + step(x)",
    "relu(C) + abs(C) + sign(C)",
    # the vec form
    "vec(C)",
    "kron(A,C)",
    "kron(x,y)",
    "kron(x,A)",
    "kron(x',A)",
    "kron(eye(n),C)",
    "kron(C,eye(n))",
    "kron(A,B)*kron(x,y)",
    "kron(A,C)*vec(B)",
    "kron(kron(A,C),B)",
    "kron(eye(n),A)*kron(B,eye(n))",
    "kron(A,C)*kron(B,A)",
    "comm(m,n)",
    "comm(m,n)*vec(C)",
    "comm(m,n)*v",
    "v'*comm(n,m)",
    "kron(C,A)*comm(n,n)",
    "comm(m,n)*kron(A,C)",
    "kron(eye(n),comm(m,n))*kron(x,v)",
    "(kron(A,eye(n)) + kron(eye(n),B))*vec(A)",
    "inv(kron(A,eye(n)) + kron(eye(n),A))*vec(B)",
    "vec(A)*vec(B)'",
    "diag(vec(C))*v",
    "norm2(vec(C))",
    # the spectrum
    "expm(A)",
    "expm(S)*x",
    "logm(A)",
    "logm(P)",
    "sqrtm(A)",
    "sqrtm(P)",
    "sinm(B)",
    "cosm(S)",
    "expm_frechet(A,B)",
    "logm_frechet(A,B)",
    "sqrtm_frechet(A,B)",
    "sinm_frechet(A,B)",
    "cosm_frechet(A,B)",
    "logm_frechet(P,B)",
    "sqrtm_frechet(P,B)",
    "expm_frechet(P,x*y')",
    "power_frechet(A,B,3)",
    "adj(A)",
    "adj(B)*x",
    "adj(x*x' + y*y')",
    "pinv(C)",
    "pinv(C')*x",
    "pinv(x*z')",
    "pinv(C*A)",
    "lambda_max(B)",
    "lambda_max(S)*s",
    "vmax(S)*vmax(S)'",
    "lambda_max(B)*(x'*vmax(B))^2",
    "norm_nuc(C)",
    "pinv(C)'*sqrtm(C'*C)",
]


@pytest.mark.parametrize("library", BOTH)
@pytest.mark.parametrize("text", TEXTS)
def test_the_value_is_that_of_the_text(text, library, text_value, relative_error):
    point = values()
    expected = text_value(text, point, SIZES)
    derivation = of_text(text)
    got = np.asarray(call(derivation, library, point))
    assert got.shape == natural(expected, derivation.expression).shape
    assert relative_error(torch.tensor(got).reshape(expected.shape), expected) < 1e-9


@pytest.mark.parametrize("library", BOTH)
@pytest.mark.parametrize("text", TEXTS)
def test_the_dtype_is_that_of_the_arguments(text, library):
    point = values()
    got = call(of_text(text), library, point, torch.float32)
    assert str(got.dtype).endswith("float32")
    close = call(of_text(text), library, point)
    assert np.abs(np.asarray(got) - np.asarray(close)).max() <= 1e-3 * max(1, np.abs(np.asarray(close)).max())


# int(k) needs the value of k, which a batch of values does not have.
BATCHED = [text for text in TEXTS if text != "A^k*x"]


@pytest.mark.parametrize("text", BATCHED)
def test_torch_code_runs_under_vmap(text):
    derivation = of_text(text)
    function = derivation.to_function("torch")
    points = [{v.name: natural(values(seed)[v.name], v) for v in derivation.variables} for seed in (0, 1)]
    batch = {name: torch.stack([p[name] for p in points]) for name in points[0]}
    together = torch.func.vmap(lambda arguments: function(**arguments))(batch)
    for i in range(2):
        torch.testing.assert_close(together[i], function(**points[i]), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("text", BATCHED)
def test_torch_code_stays_on_the_device_of_the_arguments(text):
    derivation = of_text(text)
    arguments = {v.name: natural(values()[v.name], v).to("meta") for v in derivation.variables}
    assert derivation.to_function("torch")(**arguments).device.type == "meta"


# Not where the eigenvalues or singular values of the point meet, whose derivatives are not finite.
DIFFERENTIABLE = [text for text in BATCHED if text not in ("adj(x*x' + y*y')", "pinv(x*z')")]


@pytest.mark.parametrize("text", DIFFERENTIABLE)
def test_autograd_runs_through_torch_code(text, text_value, relative_error):
    derivation = of_text(text)
    variables = [v for v in derivation.variables if v.name not in ("P", "S")]
    point = values()

    def total(of):
        inputs = {v.name: point[v.name].clone().requires_grad_(True) for v in variables}
        value = of({**point, **inputs}).sum()
        if value.requires_grad:
            value.backward()
        zeros = {name: torch.zeros_like(x) for name, x in inputs.items()}
        return {name: zeros[name] if x.grad is None else x.grad for name, x in inputs.items()}

    expected = total(lambda p: text_value(text, p, SIZES).double())
    function = derivation.to_function("torch")
    got = total(lambda p: function(**{v.name: natural(p[v.name], v) for v in derivation.variables}))
    for name, gradient in expected.items():
        assert relative_error(got[name], gradient) < 1e-6


# ------------------------------------------------------------------------------------- singular cases


@pytest.mark.parametrize("library", BOTH)
def test_the_adjugate_of_a_singular_matrix_is_exact(library):
    A = torch.tensor([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]], dtype=torch.float64)
    got = np.asarray(call(of_its_own("adj(A)"), library, {"A": A}))
    np.testing.assert_allclose(got, [[-3, 6, -3], [6, -12, 6], [-3, 6, -3]], atol=1e-12)


@pytest.mark.parametrize("library", BOTH)
def test_the_log_determinant_neither_underflows_nor_hides_a_sign(library):
    P = 1e-3 * torch.eye(200, dtype=torch.float64)
    assert float(call(of_its_own("logdet(P)"), library, {"P": P})) == pytest.approx(200 * np.log(1e-3))
    flipped = P.clone()
    flipped[0, 0] = -1
    assert np.isnan(np.asarray(call(of_its_own("logdet(A)"), library, {"A": flipped})))


@pytest.mark.parametrize("library", BOTH)
@pytest.mark.parametrize("text", ["logm(A)", "sqrtm(A)"])
def test_a_function_that_is_not_real_is_nan_and_not_a_real_part(text, library):
    A = torch.tensor([[-1.0, 0.5], [0, -2]], dtype=torch.float64)
    assert np.isnan(np.asarray(call(of_its_own(text), library, {"A": A}))).all()


@pytest.mark.parametrize("library", BOTH)
def test_the_root_of_a_singular_matrix_is_finite(library):
    """A'A has zero eigenvalues, which rounding may make negative."""
    C = torch.tensor([[1.0, 2, 3], [2, 4, 6], [1, 0, 1], [0, 0, 0]], dtype=torch.float64)
    root = np.asarray(call(of_its_own("sqrtm(C'*C)"), library, {"C": C}))
    np.testing.assert_allclose(root @ root, (C.T @ C).numpy(), atol=1e-6)


@pytest.mark.parametrize("library", BOTH)
def test_divided_differences_of_eigenvalues_that_are_close(library, text_value, relative_error):
    """(log a - log b)/(a - b) loses all digits there if it is computed as it is written."""
    P = torch.diag(torch.tensor([1.0, 1.0 + 1e-9, 1.02], dtype=torch.float64))
    point = {"P": P, "B": values()["B"]}
    for text in ("logm_frechet(P,B)", "sqrtm_frechet(P,B)"):
        expected = text_value(text, point, SIZES)
        got = torch.tensor(np.asarray(call(of_text(text), library, point)))
        assert relative_error(got, expected) < 1e-9, text


@pytest.mark.parametrize("library", BOTH)
def test_the_eigenvector_moves_without_its_own_eigenvalue(library):
    """(lambda I - S)^+ is singular: a pseudo-inverse by a threshold would divide by rounding."""
    d = derive("(y'*vmax(S))^2", "S", variables={"y": "n", "S": "n,n"})
    S = np.diag([3.0, 1.0, 2.0]) * 1e3
    y = np.array([1.0, 2.0, 3.0])
    arguments = {"y": y, "S": S}
    if library == "torch":
        arguments = {name: torch.tensor(x) for name, x in arguments.items()}
    got = np.asarray(d.to_function(library)(**arguments))
    expected = np.zeros((3, 3))
    expected[0, 1] = expected[1, 0] = y[0] * y[1] / 2e3
    expected[0, 2] = expected[2, 0] = y[0] * y[2] / 1e3
    np.testing.assert_allclose(got, expected, atol=1e-15)


JORDAN = [[2.0, 1, 0], [0, 2, 1], [0, 0, 2]]
# f(2), f'(2) and f''(2)/2 stand on the diagonals.
OF_JORDAN = {"logm(A)": (np.log(2), 1 / 2, -1 / 8), "sqrtm(A)": (2**0.5, 2**-1.5, -(2**-4.5))}


@pytest.mark.parametrize("coupled", [0.0, 1e-13], ids=["defective", "nearly defective"])
@pytest.mark.parametrize("library", BOTH)
@pytest.mark.parametrize("text", OF_JORDAN)
def test_functions_of_matrices_without_a_basis_of_eigenvectors(text, library, coupled, text_value, relative_error):
    A = torch.tensor(JORDAN, dtype=torch.float64)
    A[2, 0] = coupled
    got = np.asarray(call(of_its_own(text), library, {"A": A}))
    expected = sum(f * np.eye(3, k=k) for k, f in enumerate(OF_JORDAN[text]))
    np.testing.assert_allclose(got, expected, atol=1e-12)
    slope = text.replace("(A)", "_frechet(A,B)")
    point = {"A": A, "B": values()["B"]}
    moved = torch.tensor(np.asarray(call(of_its_own(slope), library, point)))
    assert relative_error(moved, text_value(slope, point, SIZES)) < 1e-11


@pytest.mark.parametrize("library", BOTH)
@pytest.mark.parametrize("name", ["expm", "sinm", "cosm", "logm", "sqrtm"])
def test_a_derivative_is_linear_in_the_direction_whatever_its_size(name, library):
    derivation, B = of_its_own(f"{name}_frechet(A,B)"), values()["B"]
    small = np.asarray(call(derivation, library, {"B": B}))
    for size in (1e-12, 1e12):
        got = np.asarray(call(derivation, library, {"B": size * B}))
        np.testing.assert_allclose(got / size, small, rtol=1e-11, atol=1e-13 * np.abs(small).max())
    assert not np.asarray(call(derivation, library, {"B": 0 * B})).any()


def test_the_directional_derivative_of_the_exponential_at_zero_is_the_direction():
    point = {"A": torch.zeros(3, 3, dtype=torch.float64), "B": 1e9 * values()["B"]}
    for library in BOTH:
        got = np.asarray(call(of_its_own("expm_frechet(A,B)"), library, point))
        np.testing.assert_allclose(got, point["B"].numpy(), rtol=1e-14)


# ------------------------------------------------------------------------------------- far-off arguments

FAR = {
    # mpmath.ncdf, mpmath.gamma
    "normcdf(s)": {-10.0: 7.619853024160527e-24, -37.0: 5.725571222524577e-300, 10.0: 1.0},
    "factorial(s)": {
        -1.5: -3.5449077018110318,
        -2.5: 2.3632718012073544,
        -0.5: 1.7724538509055161,
        5.0: 120.0,
        200.0: np.inf,
        -1.0: np.nan,
        -2.0: np.nan,
    },
}


@pytest.mark.parametrize("library", BOTH)
@pytest.mark.parametrize(("text", "at"), [(text, at) for text, points in FAR.items() for at in points])
def test_functions_far_from_zero_and_beside_their_poles(text, at, library):
    point = {"s": torch.tensor([[at]], dtype=torch.float64), "x": torch.full((3, 1), at, dtype=torch.float64)}
    for form in (text, text.replace("s", "x") if text == "normcdf(s)" else "factorial(x)"):
        got = np.asarray(call(of_its_own(form), library, point))
        np.testing.assert_allclose(got, FAR[text][at], rtol=1e-12)


@pytest.mark.parametrize("library", BOTH)
@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([-np.inf, -np.inf, -np.inf], -np.inf),
        ([0.0, np.inf, 1.0], np.inf),
        ([np.inf, np.inf, -np.inf], np.inf),
        ([0.0, 0.0, -np.inf], np.log(2)),
    ],
)
def test_logsumexp_of_infinite_entries(entries, expected, library):
    x = torch.tensor(entries, dtype=torch.float64)[:, None]
    np.testing.assert_allclose(np.asarray(call(of_its_own("logsumexp(x)"), library, {"x": x})), expected)


def test_large_arguments_of_softmax_do_not_overflow():
    x = torch.tensor([[800.0], [-800.0], [799.0]], dtype=torch.float64)
    for library in BOTH:
        for text in ("softmax(x)", "logsoftmax(x)", "softmax_rows(x')", "logsumexp(x)", "softplus(x)", "sigmoid(x)"):
            assert np.isfinite(np.asarray(call(of_text(text), library, {"x": x}))).all()


# ------------------------------------------------------------------------------------------ the tables


def test_the_sigmoid_of_numpy_is_accurate_in_its_tails_and_warns_of_nothing():
    source = derive("sum(softplus(x))", wrt="x").to_code()
    assert source.count("np.exp(") == 1 and "np.where" not in source
    sigmoid = derive("sum(softplus(x))", wrt="x").to_function()
    x = np.array([-1e4, -700.0, -30.0, 0.0, 30.0, 1e4])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        got, short = sigmoid(x=x), sigmoid(x=x.astype(np.float32))
    np.testing.assert_allclose(got, [0, np.exp(-700.0), np.exp(-30.0) / (1 + np.exp(-30.0)), 0.5, 1, 1], rtol=1e-12)
    assert short.dtype == np.float32 and np.isfinite(short).all()


@pytest.mark.parametrize("library", BOTH)
def test_every_helper_is_a_function_that_a_form_calls(library):
    for name, source in helpers.HELPERS[library].items():
        assert re.match(rf"(@.*\n)?def {name}\(", source)
    forms = "\n".join(f"{form}" for form in LIBRARIES[library].values())
    used = set(helpers.needed(library, forms))
    assert used == set(helpers.HELPERS[library])


@pytest.mark.parametrize("library", BOTH)
def test_a_variable_may_have_the_name_of_a_helper(library):
    name = "softmax" if library == "numpy" else "softplus"
    d = derive(f"sum({name}({name}.*x))", "x", variables={name: "n", "x": "n"})
    twin = derive(f"sum({name}(y.*x))", "x", variables={"y": "n", "x": "n"})
    x, y = (values()[v][:, 0] for v in "xy")
    if library == "numpy":
        x, y = x.numpy(), y.numpy()
    got, expected = d.to_function(library)(**{name: y, "x": x}), twin.to_function(library)(x=x, y=y)
    np.testing.assert_allclose(np.asarray(got), np.asarray(expected), rtol=1e-12)
