"""Jacobians and Hessians by matrices, in vec form, and derivatives by the free entries of a structured matrix."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Integer, Symbol

from derivations import derive
from derivations.errors import NoRuleError, ShapeError, UnsupportedError
from derivations.expressions import is_matrix, shape_of
from derivations.verification import autograd, verify

SIZES = {"m": 4, "n": 3, "p": 2, "q": 5}
NUMBERS = {Symbol(name, integer=True, positive=True): Integer(size) for name, size in SIZES.items()}


def matrix(*shape, props=()):
    return {"kind": "matrix", "shape": list(shape), "props": list(props)}


SHAPES = {
    "X": "m,n",
    "Y": "m,n",
    "A": "p,m",
    "B": "n,q",
    "C": "m,n",
    "D": "p,q",
    "M": "n,n",
    "N": "n,n",
    "P": matrix("n", "n", props=["positive_definite"]),
    "S": matrix("n", "n", props=["symmetric"]),
    "R": matrix("n", "n", props=["posdet"]),
    "L": matrix("n", "n", props=["diagonal"]),
    "U": "m,p",
    "V": "n,p",
    "x": "n",
    "y": "n",
    "z": "m",
    "h": "m*n",
    "s": "",
    "t": {"kind": "scalar", "shape": [], "props": ["positive"]},
}


def point(derivation, seed):
    """name -> 2-D tensor for all its variables."""
    sampler = autograd.FloatSampler(f"vec/{seed}")

    def draw(v):
        return sampler.matrix(v, NUMBERS) if is_matrix(v) else [[sampler.scalar(autograd.properties_of(v))]]

    return {v.name: torch.tensor(draw(v), dtype=torch.float64) for v in derivation.variables}


def by_numpy(derivation, values, tree_value):
    scalars = {v.name for v in derivation.variables if not is_matrix(v)}
    arrays = {name: float(x) if name in scalars else x.numpy() for name, x in values.items()}
    return torch.as_tensor(np.atleast_2d(tree_value(derivation.result, {**arrays, **SIZES})))


def check(source, wrt, derivation, derivative_of_text, tree_value, structure=None):
    """The result against torch's derivative of the text, at two points where both have a value."""
    checked = 0
    for seed in range(20):
        values = point(derivation, seed)
        expected = derivative_of_text(
            source, wrt, values, SIZES, derivation.layout, order=len(wrt), structure=structure
        )
        if not expected.isfinite().all():
            continue
        got = by_numpy(derivation, values, tree_value)
        assert got.shape == expected.shape == tuple(int(k.xreplace(NUMBERS)) for k in shape_of(derivation.result))
        torch.testing.assert_close(got, expected, rtol=1e-7, atol=1e-8 * max(1.0, float(expected.abs().max())))
        checked += 1
        if checked == 2:
            return
    raise AssertionError("no points with a value")


# ----------------------------------------------------------------------------------- Jacobians

# Magnus & Neudecker (2019), ch. 9, tables 9.1 to 9.7; the rest by the same rules.
JACOBIANS = {
    ("X", "X"): "eye(m*n)",
    ("s*X", "X"): "s*eye(m*n)",
    ("X'", "X"): "comm(m,n)",
    ("A*X*B", "X"): "kron(B',A)",
    ("A*X", "X"): "kron(eye(n),A)",
    ("X*B", "X"): "kron(B',eye(m))",
    ("B'*X'", "X"): "kron(eye(m),B')*comm(m,n)",
    ("X*M*X'", "X"): None,
    ("X*X'", "X"): None,
    ("X'*X", "X"): None,
    ("M*M", "M"): "kron(M',eye(n)) + kron(eye(n),M)",
    ("M^3", "M"): "kron((M^2)',eye(n)) + kron(M',M) + kron(eye(n),M^2)",
    ("inv(R)", "R"): "-kron(inv(R)',inv(R))",
    ("A*X*inv(R)*V", "R"): None,
    ("X .* C", "X"): "diag(vec(C))",
    ("X .* X", "X"): "2*diag(vec(X))",
    ("(A*X) .* (A*C)", "X"): None,
    ("exp(X)", "X"): "diag(vec(exp(X)))",
    ("sin(A*X*B)", "X"): None,
    ("X ./ (1 + 0*s)", "X"): None,
    ("tr(M)*M", "M"): None,
    ("det(R)*X", "R"): "det(R)*vec(X)*vec(inv(R)')'",
    ("(x'*M*y)*C", "M"): None,
    ("norm2(X)*X", "X"): None,
    ("x*z'", "x"): "kron(z,eye(n))",
    ("x*x'", "x"): None,
    ("diag(x)", "x"): None,
    ("X*diag(x)*V", "x"): None,
    ("X*diag(x)", "x"): None,
    ("diag(x)*V", "x"): None,
    ("diag(M)", "M"): None,
    ("diag(X*V*A)", "X"): None,
    ("vec(X)", "X"): "eye(m*n)",
    ("vec(A*X*B)", "X"): "kron(B',A)",
    ("h .* vec(X)", "X"): "diag(h)",
    ("kron(X, A)", "X"): None,
    ("kron(A, X)", "X"): None,
    ("kron(X, X)", "X"): None,
    ("kron(kron(z, X), y')", "X"): None,
    ("kron(x, y)", "x"): None,
    ("kron(x, y)*z'", "y"): None,
    ("kron(x', X)", "x"): None,
    ("kron(A, X)*kron(U, x)", "X"): None,
    ("M*x", "M"): "kron(x',eye(n))",
    ("x'*M", "M"): "kron(eye(n),x')",
    ("X*x", "x"): "X'",
    ("softmax_rows(X)", "X"): None,
    ("softmax_rows(X*M)", "M"): None,
    ("logsoftmax_rows(X*M)", "X"): None,
    ("softmax(X)", "X"): None,
    ("logsoftmax(M*x)", "M"): None,
    ("sqrtm(P)", "P"): "inv(kron(sqrtm(P),eye(n)) + kron(eye(n),sqrtm(P)))",
    ("pinv(X)", "X"): None,
    ("adj(R)", "R"): None,
    ("vmax(S)*vmax(S)'", "S"): None,
    ("lambda_max(S)*C", "S"): None,
    ("max(X, Y) - min(X, 2*Y)", "X"): None,
    ("clip(X, -1, t)", "X"): None,
    ("huber(X, t)", "X"): "diag(vec(clip(X, -t, t)))",
    ("step(X)", "X"): "zeros(m*n,m*n)",
    ("C", "X"): "zeros(m*n,m*n)",
    ("z", "X"): "zeros(m,m*n)",
    ("expm(s*M)", "s"): "expm(s*M)*M",
    ("sqrtm(P + s*M)", "s"): "sqrtm_frechet(P + s*M, M)",
    ("logm(t*P)", "t"): "eye(n)/t",
    ("pinv(X + s*Y)", "s"): None,
}


@pytest.mark.parametrize(("source", "wrt"), [pytest.param(*key, id=" by ".join(key)) for key in JACOBIANS])
def test_jacobians(source, wrt, derivative_of_text, tree_value):
    d = derive(source, wrt, variables=SHAPES)
    expected = JACOBIANS[source, wrt]
    if expected is not None:
        assert d.to_text() == expected
    check(source, (wrt,), d, derivative_of_text, tree_value)
    assert verify(d), str(verify(d))


@pytest.mark.parametrize(
    ("source", "wrt", "layout"),
    [
        ("X", "X", "vec"),
        ("X*x", "X", "vec"),
        ("x*z'", "x", "vec"),
        ("x'*M", "x", "vec"),
        ("X*x", "x", "denominator"),
        ("kron(x, y)", "x", "denominator"),
        ("vec(X)'*h*x", "X", "vec"),
        ("norm_nuc(X)", "X", "gradient"),
        ("s*X", "s", "shape_of_output"),
    ],
)
def test_the_layout_is_named(source, wrt, layout):
    assert derive(source, wrt, variables=SHAPES).layout == layout


def test_the_layouts_of_vectors_are_transposes_and_the_vec_form_has_only_one():
    left, right = (derive("kron(x, y)", "x", variables=SHAPES, layout=k) for k in ("denominator", "numerator"))
    assert left.result == right.result.T and (left.layout, right.layout) == ("denominator", "numerator")
    assert (
        derive("A*X", "X", variables=SHAPES, layout="numerator").result == derive("A*X", "X", variables=SHAPES).result
    )


def test_the_chain_rule_of_jacobians(tree_value):
    """d vec f(g(X)) = J_f J_g."""
    inner, outer = derive("X*M*X'", "X", variables=SHAPES), derive("W*W", "W", variables={"W": "m,m"})
    whole = derive("(X*M*X')*(X*M*X')", "X", variables=SHAPES)
    values = point(whole, 1)
    at = {**values, "W": values["X"] @ values["M"] @ values["X"].T}
    product = by_numpy(outer, {k: at[k] for k in ("W",)}, tree_value) @ by_numpy(inner, values, tree_value)
    torch.testing.assert_close(by_numpy(whole, values, tree_value), product)


def test_a_gradient_is_the_row_of_the_jacobian_unstacked(tree_value):
    """Of a scalar s(X), spread over a vector of ones: each row is vec(G)'."""
    source = "norm2(A*X*B - D)^2"
    gradient = derive(source, "X", variables=SHAPES)
    spread = derive(f"{source}*z", "X", variables=SHAPES)
    values = point(spread, 2)
    columns = by_numpy(gradient, values, tree_value).T.reshape(1, -1)
    torch.testing.assert_close(by_numpy(spread, values, tree_value), values["z"] @ columns)


# ------------------------------------------------------------------------------------- Hessians

HESSIANS = {
    ("norm2(X)^2", "X", "X"): "2*eye(m*n)",
    ("tr(M*M)", "M", "M"): "2*comm(n,n)",
    ("tr(M^3)", "M", "M"): None,
    ("norm2(A*X*B - D)^2", "X", "X"): "2*kron(B*B',A'*A)",
    ("tr(X'*C)", "X", "X"): "zeros(m*n,m*n)",
    ("logdet(R)", "R", "R"): None,
    ("det(R)", "R", "R"): None,
    ("x'*inv(R)*y", "R", "R"): None,
    ("norm2(X - U*V')^2", "U", "U"): "2*kron(V'*V,eye(m))",
    ("norm2(X - U*V')^2", "V", "V"): "2*kron(U'*U,eye(n))",
    ("norm2(X - U*V')^2", "U", "V"): None,
    ("norm2(X - U*V')^2", "V", "U"): None,
    ("x'*M*y", "M", "x"): "kron(y,eye(n))",
    ("x'*M*y", "x", "M"): "kron(y',eye(n))",
    ("x'*M*x", "M", "x"): None,
    ("x'*M*y", "x", "y"): "M",
    ("s*tr(M)", "s", "M"): "vec(eye(n))'",
    ("s*tr(M)", "M", "s"): "vec(eye(n))",
    ("exp(s)*tr(M*N)", "M", "N"): "exp(s)*comm(n,n)",
    ("tr(M*N)", "M", "M"): "zeros(n*n,n*n)",
    ("sum(exp(X))", "X", "X"): "diag(vec(exp(X)))",
    ("sum(log(ones(m) + exp(X*x))) + t*norm2(X)^2", "X", "X"): None,
    ("logsumexp(X*x)", "X", "X"): None,
    ("logsumexp(X*x)", "X", "x"): None,
    ("norm2(X)", "X", "X"): None,
    ("norm2(X*x)", "x", "X"): None,
    ("sum(tanh(X*x))", "X", "x"): None,
    ("vec(X)'*vec(X*M)", "X", "X"): "kron(M' + M,eye(m))",
    ("vec(X)'*vec(X*M)", "X", "M"): None,
    ("tr(kron(M, N)*kron(N, M))", "M", "N"): None,
    ("norm2(kron(X, C))^2", "X", "X"): "2*norm2(C)^2*eye(m*n)",
    ("sum(huber(X, t))", "X", "X"): None,
    ("lambda_max(S)", "S", "S"): None,
    ("norm_nuc(X)", "X", "X"): None,
    ("tr(sqrtm(P))", "P", "P"): None,
    ("x'*pinv(X)*z", "X", "z"): None,
}
PAIRS = [pytest.param(*key, expected, id=f"{key[0]} by {key[1]}, {key[2]}") for key, expected in HESSIANS.items()]


@pytest.mark.parametrize(("source", "x", "z", "expected"), PAIRS)
def test_hessians(source, x, z, expected, derivative_of_text, tree_value):
    d = derive(source, (x, z), variables=SHAPES)
    matrices = any(SHAPES[v] != "" and (isinstance(SHAPES[v], dict) or "," in SHAPES[v]) for v in (x, z))
    assert d.layout == ("hessian_vec" if matrices else "hessian") and d.order == 2
    if expected is not None:
        assert d.to_text() == expected
    check(source, (x, z), d, derivative_of_text, tree_value)
    assert verify(d), str(verify(d))


@pytest.mark.parametrize("source", sorted({key[0] for key in HESSIANS if key[1] == key[2] and "lambda" not in key[0]}))
def test_a_hessian_by_one_matrix_is_symmetric(source, tree_value):
    (x,) = {key[1] for key in HESSIANS if key[0] == source and key[1] == key[2]} - (
        {"V"} if source == "norm2(X - U*V')^2" else set()
    )
    d = derive(source, x, order=2, variables=SHAPES)
    hessian = by_numpy(d, point(d, 3), tree_value)
    torch.testing.assert_close(hessian, hessian.T)


@pytest.mark.parametrize(
    ("source", "x", "z"),
    [("norm2(X - U*V')^2", "U", "V"), ("x'*M*y", "M", "x"), ("s*tr(M)", "s", "M"), ("logsumexp(X*x)", "X", "x")],
)
def test_mixed_derivatives_taken_in_the_other_order_are_the_transpose(source, x, z, tree_value):
    left, right = derive(source, (x, z), variables=SHAPES), derive(source, (z, x), variables=SHAPES)
    values = point(left, 4)
    torch.testing.assert_close(by_numpy(left, values, tree_value), by_numpy(right, values, tree_value).T)


def test_the_hessian_is_the_jacobian_of_the_gradient(tree_value):
    source = "norm2(sin(X)*x)^2"
    gradient = derive(source, "X", variables=SHAPES)
    again = derive(gradient.to_text(), "X", variables=SHAPES)
    hessian = derive(source, "X", order=2, variables=SHAPES)
    values = point(hessian, 5)
    torch.testing.assert_close(by_numpy(hessian, values, tree_value), by_numpy(again, values, tree_value))


@pytest.mark.parametrize("source", ["norm2(A*X*B - D)^2", "logsumexp(X*x)", "sum(exp(X))"])
def test_a_quadratic_form_of_the_hessian_is_the_second_derivative_along_a_line(source, tree_value):
    """d^2/ds^2 f(X + s E) at s = 0 is vec(E)' H vec(E)."""
    hessian = derive(source, "X", order=2, variables=SHAPES)
    along = derive(source.replace("X", "(X + s*Y)"), "s", order=2, variables=SHAPES)
    values = point(along, 6)
    values["s"] = torch.zeros(1, 1, dtype=torch.float64)
    direction = values["Y"].T.reshape(-1, 1)
    quadratic = direction.T @ by_numpy(hessian, values, tree_value) @ direction
    torch.testing.assert_close(quadratic, by_numpy(along, values, tree_value))


# ------------------------------------------------------------------------------------ structure

STRUCTURED = {
    ("tr(M)", "M", "symmetric"): "eye(n)",
    ("tr(M)", "M", "diagonal"): "eye(n)",
    ("tr(N*M)", "M", "symmetric"): "N' + N - N' .* eye(n)",
    ("tr(N*M)", "M", "diagonal"): "N' .* eye(n)",
    ("x'*M*y", "M", "symmetric"): None,
    ("x'*M*y", "M", "diagonal"): "diag(x .* y)",
    ("x'*M*x", "M", "symmetric"): "2*x*x' - diag(x.^2)",
    ("norm2(M)^2", "M", "symmetric"): None,
    ("norm2(M)^2", "M", "diagonal"): None,
    ("norm2(x - M*y)^2", "M", "diagonal"): None,
    ("tr(M*N*M)", "M", "symmetric"): None,
    ("det(M)", "M", "symmetric"): None,
    ("logdet(P)", "P", "symmetric"): None,
    ("logdet(P)", "P", "diagonal"): None,
    ("x'*inv(P)*y", "P", "symmetric"): None,
    ("tr(expm(M))", "M", "symmetric"): None,
    ("tr(expm(M)*N)", "M", "symmetric"): None,
    ("lambda_max(M)", "M", "symmetric"): None,
    ("sum(exp(M)*x)", "M", "diagonal"): None,
    ("s", "M", "symmetric"): "zeros(n,n)",
    ("s", "M", "diagonal"): "zeros(n,n)",
}


@pytest.mark.parametrize(("source", "wrt", "structure"), [pytest.param(*key, id=", ".join(key)) for key in STRUCTURED])
def test_derivatives_by_free_entries(source, wrt, structure, derivative_of_text, tree_value):
    d = derive(source, wrt, variables=SHAPES, structure=structure)
    assert d.layout == "gradient" and d.structure == structure
    expected = STRUCTURED[source, wrt, structure]
    if expected is not None:
        assert d.to_text() == expected
    for seed in range(2):
        values = point(d, seed)
        wanted = derivative_of_text(source, (wrt,), values, SIZES, d.layout, structure=structure)
        torch.testing.assert_close(by_numpy(d, values, tree_value), wanted, rtol=1e-7, atol=1e-8)
    assert verify(d), str(verify(d))


@pytest.mark.parametrize("structure", ["symmetric", "diagonal"])
def test_the_structure_is_that_of_the_variable_too(structure):
    """In the result the matrix is known to be symmetric: no M' is left."""
    text = derive("tr(N*M) + norm2(M*N)^2", "M", variables=SHAPES, structure=structure).to_text()
    assert "M'" not in text


@pytest.mark.parametrize(
    ("source", "wrt", "arguments", "error", "message"),
    [
        ("x'*x", "x", {}, ShapeError, r"structure='symmetric' needs a square matrix to differentiate by; x is not"),
        ("tr(X'*C)", "X", {}, ShapeError, r"needs a square matrix to differentiate by; X is not"),
        ("s^2", "s", {}, ShapeError, r"needs a square matrix to differentiate by; s is not"),
        ("M*x", "M", {}, UnsupportedError, r"structure='symmetric' is for the gradient of a scalar"),
        ("tr(M)", "M", {"order": 2}, UnsupportedError, r"the Hessian by free entries is not carried"),
        ("x'*M*y", ("M", "x"), {}, UnsupportedError, r"the Hessian by free entries is not carried"),
    ],
)
def test_where_a_structure_makes_no_sense(source, wrt, arguments, error, message):
    with pytest.raises(error, match=message):
        derive(source, wrt, variables=SHAPES, structure="symmetric", **arguments)


# ------------------------------------------------------------------------------------- at random


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_jacobians_of_random_texts_are_those_of_torch(data, wide_texts, derivative_of_text, tree_value):
    sizes = {"m": 2, "n": 3}
    source = wide_texts.draw(data, data.draw(st.sampled_from(wide_texts.shapes)), 1)
    values = wide_texts.point(data.draw(st.integers(0, 5)), sizes)
    compare(source, 1, data, values, sizes, wide_texts, derivative_of_text, tree_value)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.data())
def test_hessians_of_random_texts_are_those_of_torch(data, wide_texts, derivative_of_text, tree_value):
    sizes = {"m": 3, "n": 2}
    source = wide_texts.draw(data, wide_texts.shapes[0], 1)
    values = wide_texts.point(data.draw(st.integers(0, 5)), sizes)
    compare(source, 2, data, values, sizes, wide_texts, derivative_of_text, tree_value)


def compare(source, order, data, values, sizes, texts, derivative_of_text, tree_value):
    names = [name for name in values if name in texts.names(source)]
    if not names or texts.value(source, values, sizes) is None:
        return
    wrt = [data.draw(st.sampled_from(names)) for _ in range(order)]
    try:
        d = derive(source, wrt, variables=texts.variables)
    except (UnsupportedError, NoRuleError):
        return
    expected = derivative_of_text(source, wrt, values, sizes, d.layout, order=order)
    if not expected.isfinite().all() or expected.abs().max() > 1e6:
        return
    scalars = {v.name for v in d.variables if not is_matrix(v)}
    arrays = {name: float(x) if name in scalars else x.numpy() for name, x in values.items()}
    got = torch.as_tensor(np.atleast_2d(tree_value(d.result, {**arrays, **sizes}))).reshape(expected.shape)
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-6 * max(1e-3, float(expected.abs().max())))


@pytest.mark.parametrize("sizes", itertools.product((1, 2), (1, 3)), ids=str)
def test_the_vec_form_holds_for_sizes_that_are_one(sizes, derivative_of_text, tree_value):
    """A row, a column and a single entry are matrices too."""
    sizes = dict(zip("mn", sizes, strict=True))
    for source in ("X*M*X'", "kron(X, C)", "X'", "diag(X*M*C')", "sin(X)*M"):
        d = derive(source, "X", variables=SHAPES)
        generator = np.random.default_rng(0)
        used = [v for v in d.variables if v.name in ("X", "M", "C")]
        arrays = {v.name: generator.normal(size=[sizes[str(k)] for k in v.shape]) for v in used}
        tensors = {name: torch.tensor(x) for name, x in arrays.items()}
        expected = derivative_of_text(source, ("X",), tensors, sizes, "vec")
        torch.testing.assert_close(torch.tensor(tree_value(d.result, {**arrays, **sizes})), expected)
