"""Kinds and shapes of what nobody declared, and what is said where they do not fit."""

import pytest
from sympy import Dummy, Integer, Symbol, log

from derivations.api import read
from derivations.errors import DomainError, ParseError, ShapeError, UnsupportedError
from derivations.expressions import Variable, is_matrix, is_vector, shape_of
from derivations.notation.inference import ELEMENTWISE, KNOWN, LATER
from derivations.notation.shapes import declaration, dimension, known, make_variable
from derivations.scalars import LogDet
from derivations.verification import autograd

m, n = (Symbol(name, integer=True, positive=True) for name in "mn")


def kind(variable):
    return "scalar" if not is_matrix(variable) else "vector" if is_vector(variable) else "matrix"


# ------------------------------------------------------------------------------ undeclared names


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("x'*A*y", {"x": "vector", "A": "matrix", "y": "vector"}),
        ("tr(A'*A)", {"A": "matrix"}),
        ("norm2(X*w - y)^2 + lambda*w'*w", {"X": "matrix", "w": "vector", "y": "vector", "lambda": "scalar"}),
        ("log(s)", {"s": "vector"}),
        ("x^2", {"x": "scalar"}),
        ("x'*x/s", {"x": "vector", "s": "scalar"}),
        ("A*mu", {"A": "matrix", "mu": "scalar"}),
        ("mu + A*x", {"mu": "vector", "A": "matrix", "x": "vector"}),
        ("exp(-beta*x'*x)", {"beta": "scalar", "x": "vector"}),
        ("x .* sigma", {"x": "vector", "sigma": "scalar"}),
        ("logdet(Sigma)", {"Sigma": "matrix"}),
        ("W_1*x", {"W_1": "matrix", "x": "vector"}),
    ],
)
def test_the_usual_kinds_are_taken_as_far_as_they_fit(source, kinds):
    assert {name: kind(v) for name, v in read(source)[0].variables.items()} == kinds


@pytest.mark.parametrize(
    ("source", "shapes"),
    [
        ("x'*A*y", {"x": "m,1", "A": "m,n", "y": "n,1"}),
        ("x'*x", {"x": "n,1"}),
        ("tr(A*B)", {"A": "m,n", "B": "n,m"}),
        ("logdet(X'*X)", {"X": "m,n"}),
        ("A*B*C*x", {"A": "m,n", "B": "n,p", "C": "p,q", "x": "q,1"}),
        ("diag(x)*A", {"x": "m,1", "A": "m,n"}),
        ("inv(A)*x", {"A": "n,n", "x": "n,1"}),
        ("x + A*ones(k)", {"x": "n,1", "A": "n,k"}),
    ],
)
def test_sizes_are_unified_and_named_in_order(source, shapes):
    variables = read(source)[0].variables
    assert {name: ",".join(map(str, v.shape)) for name, v in variables.items()} == shapes


def test_declared_sizes_are_kept_and_not_given_again():
    variables = read("x'*A*y", {"x": "n"})[0].variables
    assert variables["x"].shape == (n, 1) and variables["A"].shape == (n, m) and variables["y"].shape == (m, 1)


def test_the_size_in_a_constant_is_no_variable():
    reading, _ = read("x'*ones(n)")
    assert list(reading.variables) == ["x"] and reading.variables["x"].shape == (n, 1)


def test_a_declared_scalar_may_share_the_name_of_a_size():
    reading, _ = read("n*x'*ones(n)", {"n": "", "x": "n"})
    assert set(reading.variables) == {"n", "x"} and not reading.variables["n"].is_integer


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "a*b",
            r"can be read with a a \w+, b a \w+, or with a a \w+, b a \w+; declare one, as in variables=\{'a': 'n'\}",
        ),
        ("a*b*c", r"can be read with"),
    ],
)
def test_two_readings_that_are_as_usual_are_an_error(source, message):
    with pytest.raises(ShapeError, match=message):
        read(source)


def test_sizes_that_nothing_determines_stay_open():
    reading, _ = read("s + sum(vector(1))", {"s": ""})
    assert len(reading.open_sizes) == 1 and isinstance(reading.open_sizes[0], Dummy)
    assert read("x'*vector(1)")[0].open_sizes == ()


# ------------------------------------------------------------------------------ what does not fit


@pytest.mark.parametrize(
    ("source", "shapes", "message"),
    [
        (
            "A*x",
            {"A": "m,n", "x": "m"},
            r"cannot multiply A \(m, n\) by x \(m, 1\): n columns meet m rows. Did you mean A'\*x\?",
        ),
        ("A*B", {"A": "m,n", "B": "k,k"}, r"n columns meet k rows$|n columns meet k rows\n"),
        ("x + y", {"x": "m", "y": "n"}, r"cannot add x \(m, 1\) and y \(n, 1\)"),
        ("A - x", {"A": "m,n", "x": "n"}, r"cannot subtract A \(m, n\) and x \(n, 1\)"),
        ("x + 1", {"x": "n"}, r"A scalar is not broadcast: write s\*vector\(1\), s\*matrix\(1\) or s\*eye"),
        ("x .* A", {"x": "m", "A": "m,n"}, r"cannot combine elementwise x \(m, 1\) and A \(m, n\)"),
        ("A/x", {"A": "m,n", "x": "n"}, r"cannot divide by x \(n, 1\): the divisor of / is a scalar; use ./"),
        ("A^2", {"A": "m,n"}, r"A \(m, n\) is not square; use .\^ for elementwise powers"),
        ("s^x", {"s": "", "x": "n"}, r"the exponent x \(n, 1\) is not a scalar"),
        ("tr(A)", {"A": "m,n"}, r"tr needs a square matrix; A \(m, n\) is not"),
        ("diag(A)", {"A": "m,n"}, r"diag needs a vector or a square matrix; A \(m, n\) is neither"),
    ],
)
def test_shapes_that_do_not_fit_point_at_the_place(source, shapes, message):
    with pytest.raises(ShapeError, match=message) as error:
        read(source, shapes)
    assert "^" in str(error.value)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("frobnicate(x)", ParseError, r"unknown function 'frobnicate'; known are abs, .* at line 1, column 1"),
        ("sin(x, y)", ParseError, r"sin takes 1 argument, not 2"),
        ("x'*eye(n, m)*y", ParseError, r"eye takes 1 sizes"),
        ("x + ones(sin(n))", ParseError, r"a size is a name, an integer or a product of these"),
        ("kron(A, B)", UnsupportedError, r"kron\(…\) is not carried yet"),
    ],
)
def test_functions_that_are_not_known(source, error, message):
    with pytest.raises(error, match=message):
        read(source)


@pytest.mark.parametrize("name", sorted(LATER))
def test_what_comes_later_is_refused_by_name(name):
    assert name not in KNOWN
    with pytest.raises(UnsupportedError, match=f"{name}\\(…\\) is not carried yet"):
        read(f"{name}(A)")


# -------------------------------------------------------------------------------- declarations


@pytest.mark.parametrize(
    ("shape", "kind", "expected"),
    [
        ("m,n", "matrix", (m, n)),
        ("m, n", "matrix", (m, n)),
        (("m", "n"), "matrix", (m, n)),
        ("n", "vector", (n, 1)),
        ("n,1", "matrix", (n, 1)),
        ("1,n", "matrix", (1, n)),
        ("", "scalar", (1, 1)),
        ("scalar", "scalar", (1, 1)),
        ("1,1", "scalar", (1, 1)),
        ((), "scalar", (1, 1)),
        ((3, 2), "matrix", (3, 2)),
        (3, "vector", (3, 1)),
        ("2*n,m", "matrix", (2 * n, m)),
        ({"kind": "vector", "shape": ["n"]}, "vector", (n, 1)),
        ({"kind": "scalar", "shape": [], "props": ["positive"]}, "scalar", (1, 1)),
        ({"shape": "m,n"}, "matrix", (m, n)),
    ],
    ids=str,
)
def test_declarations(shape, kind, expected):
    found = declaration("A", shape)
    assert (found.kind, found.shape) == (kind, expected)


@pytest.mark.parametrize("shape", ["nx,ny", "max,n", "x,y", "x"])
def test_the_letter_x_may_stand_in_the_name_of_a_size(shape):
    expected = tuple(dimension(part) for part in shape.split(","))
    assert declaration("A", shape).shape[: len(expected)] == expected


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("m,n,p", r"cannot read the shape of A: expected at most two sizes such as 'm,n'"),
        ({"kind": "tensor", "shape": ["n"]}, r"cannot read the shape of A"),
        ({"kind": "vector", "shape": ["m", "n"]}, r"A is declared a vector with the sizes"),
        ({"kind": "matrix", "shape": ["n"]}, r"A is declared a matrix with the sizes"),
        ({"kind": "scalar", "shape": ["n"]}, r"A is declared a scalar with the sizes"),
        ({"shape": "n", "properties": ["positive"]}, r"unknown keys \['properties'\]; use kind, shape and props"),
    ],
    ids=str,
)
def test_declarations_that_make_no_sense(shape, message):
    with pytest.raises(ShapeError, match=message):
        declaration("A", shape)


@pytest.mark.parametrize("kind", ["scalar", "vector", "matrix"])
def test_an_unknown_property_is_an_error(kind):
    shape = {"scalar": [], "vector": ["n"], "matrix": ["n", "n"]}[kind]
    with pytest.raises(ShapeError, match="unknown property 'positve'; known are"):
        declaration("A", {"kind": kind, "shape": shape, "props": ["positve"]})


def test_properties_reach_the_symbols():
    assert make_variable("A", declaration("A", {"shape": "n,n", "props": ["symmetric"]})).properties == {"symmetric"}
    assert make_variable("s", declaration("s", {"shape": "", "props": ["positive"]})).is_positive
    assert make_variable("k", declaration("k", {"shape": "", "props": ["integer"]})).is_integer
    assert make_variable("s", declaration("s", "")).is_real


@pytest.mark.parametrize(
    "shape", ["m,n", "n", "", {"shape": "n,n", "props": ["symmetric"]}, {"shape": "", "props": ["positive"]}], ids=str
)
def test_what_is_known_of_a_symbol_makes_the_same_symbol(shape):
    variable = make_variable("v", declaration("v", shape))
    assert make_variable("v", known(variable)) == variable


# --------------------------------------------------------------------------- the tree has the value

SHAPES = {
    "x": "n",
    "y": {"kind": "vector", "shape": ["n"], "props": ["positive"]},
    "A": "m,n",
    "S": "n,n",
    "s": {"kind": "scalar", "shape": [], "props": ["positive"]},
    "t": "",
}
BROADCAST = [
    "exp(x) ./ sum(exp(x))",
    "sum(sigmoid(x)) ./ y",
    "sum(exp(x)) .* y",
    "y .* sum(exp(x))",
    "norm2(sin(x)) .* y",
    "y .^ sum(tanh(x))",
    "sum(exp(x)) .^ y",
    "(x'*exp(x)) .* x",
    "x .* (y'*y)",
    "tanh(x .* sum(tanh(x)))",
    "s ./ y",
    "s .^ x",
    "y .^ t",
    "y .^ x",
    "2 .^ x",
    "x .* s",
    "A .* A ./ s",
    "1 ./ (2 ./ x)",
    "(2*x.^2).^2",
    "(2 ./ x).^3",
    "(-sqrt(y)).^-2",
    "S*inv(S)*x",
    "inv(S)*S",
    "S^2*inv(S)*inv(S)",
    "x*ones(1,n)*ones(n)",
    "diag(x)*diag(y)*x",
    "mean(A) + mean(t)",
    "norm1(A) + norm1(t)",
    "logsumexp(t) + softmax(t) + logsoftmax(t)",
    "inv(s) + tr(s) + det(s) + logdet(s) + norm2(t) + sum(t)",
    "rows(A)*t + cols(A)*rows(x)",
    "x - -x",
    "+x",
    "normcdf(2)*t",
    "t*pi",
    "factorial(3)*t",
]


@pytest.mark.parametrize("source", BROADCAST)
def test_the_tree_has_the_value_of_the_text(source, text_value, random_texts, relative_error):
    sizes = {"m": 4, "n": 3}
    values = {k: v for k, v in random_texts.point(1, sizes).items() if k in SHAPES}
    reading, _ = read(source, SHAPES)
    named = {reading.variables[name]: v for name, v in values.items()}
    numbers = {m: Integer(4), n: Integer(3)}
    expected = text_value(source, values, sizes)
    assert shape_of(reading.expression)[0].xreplace(numbers) == expected.shape[0]
    assert relative_error(autograd.value(reading.expression, named, numbers), expected) < 1e-9


@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
def test_elementwise_functions_have_one_value_for_numbers_and_for_entries(name, relative_error):
    at = 0.7
    scalar, _ = read(f"{name}(t)", {"t": ""})
    matrix, _ = read(f"{name}(x)", {"x": "n"})
    one = autograd.value(scalar.expression, {scalar.variables["t"]: autograd.torch.full((1, 1), at)}, {})
    try:
        many = autograd.value(matrix.expression, {matrix.variables["x"]: autograd.torch.full((2, 1), at)}, {})
    except DomainError:
        return
    assert relative_error(many, one.expand(2, 1)) < 1e-6


def test_the_logarithm_of_a_determinant_is_the_log_determinant():
    reading, _ = read("log(det(S))", SHAPES)
    assert reading.expression == LogDet(Variable("S", n, n))
    assert read("log(2)")[0].expression == log(2)
