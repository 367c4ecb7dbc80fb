"""Kinds and shapes of what nobody declared, and what is said where they do not fit."""

import pytest
from sympy import Dummy, Integer, Symbol, log

from derivations.api import read
from derivations.errors import DomainError, ParseError, ShapeError
from derivations.expressions import Identity, Variable, is_matrix, is_vector, shape_of
from derivations.notation import text
from derivations.notation.inference import ELEMENTWISE
from derivations.notation.shapes import declaration, dimension, known, make_variable
from derivations.scalars import LogDet
from derivations.verification import autograd, interpreter

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


@pytest.mark.parametrize(
    ("source", "shapes"),
    [
        ("vec(X)", {"X": "m,n"}),
        ("kron(A, B)", {"A": "m,n", "B": "p,q"}),
        ("kron(A, B)*x", {"A": "m,n", "B": "p,q", "x": "n*q,1"}),
        ("kron(A, B) + C", {"A": "m,n", "B": "p,q", "C": "m*p,n*q"}),
        ("vec(X)'*M*vec(X)", {"X": "m,n", "M": "m*n,m*n"}),
        ("diag(vec(X))*y", {"X": "m,n", "y": "m*n,1"}),
        ("vec(A) + vec(A')", {"A": "m,n"}),
        ("vec(x*y') - kron(y, x)", {"x": "m,1", "y": "n,1"}),
        ("kron(eye, A)*vec(A)", {"A": "m,n"}),
        ("eye(m*n)*vec(A)*tr(A'*ones(m, n))", {"A": "m,n"}),
        ("vec(S)'*x + tr(S*eye(p))", {"S": "p,p", "x": "p^2,1"}),
        ("vec(S)'*ones(4*k^2)*tr(S)", {"S": "2*k,2*k"}),
        # What kron(A, B)*vec(X) leaves open, the rest decides, on whichever side it stands.
        ("kron(A, B)*vec(X) + vec(B*X*A')", {"A": "m,n", "B": "p,q", "X": "q,n"}),
        ("vec(B*X*A') + kron(A, B)*vec(X)", {"B": "m,n", "X": "n,p", "A": "q,p"}),
        ("tr(kron(A, B)) + tr(A)*tr(B)", {"A": "m,m", "B": "n,n"}),
        ("norm2(comm(m, n)*vec(X))^2 + tr(X'*ones(m, n))", {"X": "m,n"}),
        ("pinv(X)*y", {"X": "m,n", "y": "m,1"}),
        ("max(X, Y)*z", {"X": "m,n", "Y": "m,n", "z": "n,1"}),
        ("clip(X*w, -1, 1)", {"X": "m,n", "w": "n,1"}),
        ("expm_frechet(A, E)*x", {"A": "n,n", "E": "n,n", "x": "n,1"}),
        ("vmax(S)'*x", {"S": "n,n", "x": "n,1"}),
        ("softmax_rows(X*W) .* Y", {"X": "m,n", "W": "n,p", "Y": "m,p"}),
    ],
)
def test_sizes_of_products_are_unified_too(source, shapes):
    reading, _ = read(source, {"p": ""} if "eye(p)" in source else None)
    found = {name: v.shape for name, v in reading.variables.items() if is_matrix(v)}
    theirs = [size for shape in found.values() for size in shape]
    ours = [dimension(size) for shape in shapes.values() for size in shape.split(",")]
    assert list(found) == list(shapes)
    # The letters are free, what is equal is not.
    letters = dict(zip(ours, theirs))
    for a, b in zip(ours, theirs):
        assert a.xreplace({k: v for k, v in letters.items() if k.is_Symbol}) == b, (source, found)


@pytest.mark.parametrize(
    ("source", "names", "place"),
    [
        ("kron(A, B)*vec(X)", "A, B, X", r"kron\(A, B\)\*vec\(X\)"),
        ("x'*(kron(A, eye(n))*vec(X))*s", "A, X", r"\(kron\(A, eye\(n\)\)\*vec\(X\)\)"),
        ("comm(m, n)*vec(X)", "X", r"comm\(m, n\)\*vec\(X\)"),
        ("vec(A*B) - vec(C)", "A, B, C", r"vec\(A\*B\) - vec\(C\)"),
        ("tr(kron(A, B))", "A, B", r"tr\(kron\(A, B\)\)"),
        ("inv(kron(A, B))", "A, B", r"inv\(kron\(A, B\)\)"),
        ("kron(A, B)*kron(C, D)", "A, B, C, D", r"kron\(A, B\)\*kron\(C, D\)"),
        ("kron(x, y)'*kron(a, b)", "x, y, a, b", r"kron\(x, y\)'\*kron\(a, b\)"),
    ],
)
def test_sizes_with_many_solutions_are_to_be_declared(source, names, place):
    example = r"variables=\{'\w': '(m,n|n)'\}"
    message = rf"the sizes of {names} do not follow from {place}; declare them, as in {example}"
    with pytest.raises(ShapeError, match=message) as error:
        read(source, {"s": ""})
    assert "^" in str(error.value)
    everything = {name: "k,k" if name.isupper() else "k" for name in names.split(", ")}
    if "comm" not in source and "eye" not in source:
        read(source, {**everything, "s": "", **({"x": "k"} if "X" in names else {})})


def test_sizes_without_a_name_are_to_be_written():
    with pytest.raises(ShapeError, match=r"write eye\(n\) or ones\(m,n\) for eye or matrix\(1\)"):
        read("kron(eye, eye)*kron(vector(1), vector(1))*s", {"s": ""})


def test_products_of_sizes_that_turn_out_not_to_fit_are_an_error():
    with pytest.raises(ShapeError, match=r"the sizes in kron\(A, B\)\*vec\(X\) do not fit") as error:
        read("kron(A, B)*vec(X)*(tr(A*ones(m, m)) + tr(B*ones(n, n)) + tr(X*ones(m, m)))")
    assert "^" in str(error.value)


@pytest.mark.parametrize(
    ("source", "size"), [("eye(m*n)", m * n), ("eye(n^2)", n**2), ("eye(2*n)", 2 * n), ("eye(m*n^2)", m * n**2)]
)
def test_sizes_may_be_products_and_powers(source, size):
    assert read(source)[0].expression == Identity(size)
    assert declaration("A", f"{source[4:-1]},n").shape == (size, n)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("kron(2, A)", "2*A"),
        ("kron(A, s)", "s*A"),
        ("kron(s, t)", "s*t"),
        ("vec(s)", "s"),
        ("vec(x)", "x"),
        ("vec(x')", "x"),
        ("max(1, 2)", "2"),
        ("min(1, 2)", "1"),
        ("clip(5, 0, 1)", "1"),
        ("max(s, s)", "s"),
        ("pinv(s)", "1/s"),
        ("pinv(2)", "1/2"),
        ("adj(s)", "1"),
        ("expm(s)", "exp(s)"),
        ("logm(s)", "log(s)"),
        ("sqrtm(4)", "2"),
        ("sinm(s)", "sin(s)"),
        ("cosm(s)", "cos(s)"),
        ("lambda_max(s)", "s"),
        ("vmax(s)", "1"),
        ("norm_nuc(-s)", "abs(s)"),
        ("softmax_rows(s)", "1"),
        ("softmax_rows(x)", "ones(n)"),
        ("logsoftmax_rows(s)", "0"),
        ("expm_frechet(s, t)", "t*exp(s)"),
        ("logm_frechet(s, t)", "t/s"),
        ("power_frechet(s, t, 3)", "3*t*s^2"),
        ("power_frechet(S, A, 1)", "A"),
        ("power_frechet(S, S, 0)", "zeros(n,n)"),
        ("comm(1, n)*x", "x"),
        ("kron(x', y)", "y*x'"),
        ("zeros(1, 1)*x", "zeros(n,1)"),
    ],
)
def test_of_scalars_and_of_special_shapes(source, expected):
    shapes = {"s": "", "t": "", "x": "n", "y": "n", "A": "n,n", "S": "n,n"}
    assert text.write(read(source, shapes)[0].expression) == expected


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
        *(
            (f"{name}(A)", {"A": "m,n"}, rf"{name} needs a square matrix; A \(m, n\) is not")
            for name in ("expm", "logm", "sqrtm", "sinm", "cosm", "adj", "lambda_max", "vmax", "inv", "det")
        ),
        ("expm(x)", {"x": "n"}, r"expm needs a square matrix; x \(n, 1\) is not"),
        ("max(A, x)", {"A": "m,n", "x": "m"}, r"cannot combine A \(m, n\) and x \(m, 1\)"),
        ("clip(x, z, 1)", {"x": "n", "z": "m"}, r"cannot combine x \(n, 1\) and z \(m, 1\)"),
        ("expm_frechet(S, A)", {"S": "n,n", "A": "m,n"}, r"cannot take the Fréchet derivative with S \(n, n\) and A"),
        ("expm_frechet(A, A)", {"A": "m,n"}, r"expm_frechet needs a square matrix; A \(m, n\) is not"),
        ("expm_frechet(S, 2)", {"S": "n,n"}, r"A scalar is not broadcast"),
        ("power_frechet(S, S, x)", {"S": "n,n", "x": "n"}, r"the exponent x \(n, 1\) is not a scalar"),
        (
            "kron(A, B)*vec(X)",
            {"A": "m,n", "B": "p,q", "X": "q,q"},
            r"cannot multiply kron\(A, B\) \(m\*p, n\*q\) by vec\(X\) \(q\*\*2, 1\): n\*q columns meet q\*\*2 rows",
        ),
        ("kron(A, B)^2", {"A": "m,n", "B": "n,p"}, r"kron\(A, B\) \(m\*n, n\*p\) is not square; use \.\^"),
        ("vec(A) + x", {"A": "m,n", "x": "n"}, r"cannot add vec\(A\) \(m\*n, 1\) and x \(n, 1\)"),
        ("comm(m, n)*x", {"x": "n"}, r"cannot multiply comm\(m, n\) \(m\*n, m\*n\) by x \(n, 1\)"),
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
        ("x'*eye(n, m)*y", ParseError, r"eye takes 1 size at line 1, column 4"),
        ("comm(m)*x", ParseError, r"comm takes 2 sizes at line 1, column 1"),
        ("ones(1, 2, 3)", ParseError, r"ones takes 1 or 2 sizes"),
        (
            "x + ones(sin(n))",
            ParseError,
            r"a size is a name, an integer or a product of these, such as n\^2 at .*col.* 10",
        ),
        ("eye(n + 1)*x", ParseError, r"a size is a name, an integer or a product of these"),
        ("eye(n^s)*x", ParseError, r"a size is a name"),
        ("eye(n^-1)*x", ParseError, r"a size is a name"),
        ("eye(0)*x", ShapeError, r"'0' is no size: expected a name such as n, a positive integer, or a product m\*n"),
        ("eye(2.5)*x", ShapeError, r"'2.5' is no size"),
        ("unvec(x)", ParseError, r"unknown function 'unvec'; known are abs"),
        ("kron(A)", ParseError, r"kron takes 2 arguments, not 1 at line 1, column 1"),
        ("kron(A, B, C)", ParseError, r"kron takes 2 arguments, not 3"),
        ("x + vec(A, B)", ParseError, r"vec takes 1 argument, not 2 at line 1, column 5"),
        ("vec()", ParseError, r"vec takes 1 argument, not 0"),
        ("max(x)", ParseError, r"max takes 2 arguments, not 1"),
        ("min(x, y, z)", ParseError, r"min takes 2 arguments, not 3"),
        ("clip(x, 0)", ParseError, r"clip takes 3 arguments, not 2"),
        ("huber(x)", ParseError, r"huber takes 2 arguments, not 1"),
        ("expm(A, B)", ParseError, r"expm takes 1 argument, not 2"),
        ("expm_frechet(A)", ParseError, r"expm_frechet takes 2 arguments, not 1"),
        ("power_frechet(A, B)", ParseError, r"power_frechet takes 3 arguments, not 2"),
        ("softmax_rows(A, 1)", ParseError, r"softmax_rows takes 1 argument, not 2"),
    ],
)
def test_functions_that_are_not_known_or_have_other_arguments(source, error, message):
    with pytest.raises(error, match=message):
        read(source)


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
        ({"kind": "tensor", "shape": ["n"]}, r"A is declared a 'tensor'; expected one of scalar, vector, matrix"),
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


@pytest.mark.parametrize(
    ("source", "declared", "shape", "properties"),
    [
        ("tr(A*X)", {"props": ["symmetric"]}, ("n", "n"), {"symmetric"}),
        ("b'*A*c", {"kind": "matrix"}, ("m", "n"), set()),
        ("b'*A*c", {"props": ["orthogonal"]}, ("n", "n"), {"orthogonal"}),
        ("A*B", {"props": ["positive"]}, ("m", "n"), {"positive"}),
    ],
)
def test_a_shape_that_is_not_declared_follows_from_the_expression(source, declared, shape, properties):
    found = read(source, {"A": declared})[0].variables["A"]
    assert tuple(map(str, found.shape)) == shape and found.properties == properties


def test_a_name_with_the_property_of_a_vector_is_no_scalar():
    assert read("alpha'*log(alpha)", {"alpha": {"props": ["prob"]}})[0].variables["alpha"].shape[0] != 1
    assert read("alpha*x", {"alpha": {"props": ["positive"]}})[0].variables["alpha"].is_positive


def test_a_property_of_what_does_not_occur_needs_a_shape():
    with pytest.raises(ShapeError, match=r"'tr\(A\*X\)' does not say the shape of B"):
        read("tr(A*X)", {"B": {"props": ["symmetric"]}})


def test_nobody_transposes_a_scalar():
    with pytest.raises(ShapeError, match="4 columns meet 3 rows"):
        read("x'*A*x", {"A": "3,4"})


def test_the_name_of_a_declared_size_is_that_size():
    reading = read("sum(x)/n", {"x": "n"})[0]
    assert [*reading.variables] == ["x"]
    assert reading.expression == read("sum(x)/rows(x)", {"x": "n"})[0].expression
    assert [*read("sum(x)/n", {"x": "n", "n": ""})[0].variables] == ["x", "n"]


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
    "kron(A, S)*vec(S*diag(x)*S')",
    "vec(A)'*vec(A) + sum(vec(A'))",
    "kron(x, y) - vec(y*x')",
    "kron(kron(x', A), y)",
    "comm(m, n)*vec(A) - vec(A')",
    "comm(n, m)*kron(x, A)*comm(1, n)",
    "inv(kron(S, S)) + kron(S, S)'",
    "max(A, t) - min(2, A) + clip(A, -s, s) + huber(A, s)",
    "max(s, t)*x + min(x, y) + clip(t, 0, s)*y + huber(t, s)*x",
    "clip(0.3, x, y) + huber(x, y) + max(x, 0.5)",
    "softmax_rows(A*S) - exp(logsoftmax_rows(A*S))",
    "softmax_rows(x') + softmax_rows(y)'",
    "pinv(A)*A + pinv(x)*y*eye(n)",
    "pinv(2*A) - pinv(A)/2",
    "adj(S)*S + adj(2*S)' + adj(eye(n))",
    "expm(S) + sinm(S)*cosm(S) - expm(t*eye(n))",
    "logm(S*S' + eye(n)) + sqrtm(S*S' + eye(n))",
    "expm_frechet(S, S*S) + sinm_frechet(S, S') - cosm_frechet(S', eye(n))",
    "power_frechet(S, S', 3) - power_frechet(S, x*y', 2)",
    "lambda_max(S)*vmax(S)*vmax(S)' + lambda_max(-S)*eye(n)",
    "norm_nuc(A)*t + norm_nuc(-2*A')",
    "det(kron(S, S)) + tr(kron(S, S)) + norm2(kron(A, S))",
    "rows(vec(A))*t + cols(kron(A, S))",
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
    assert relative_error(interpreter.value(reading.expression, named, numbers), expected) < 1e-9


@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
def test_elementwise_functions_have_one_value_for_numbers_and_for_entries(name, relative_error):
    at = 0.7
    scalar, _ = read(f"{name}(t)", {"t": ""})
    matrix, _ = read(f"{name}(x)", {"x": "n"})
    one = interpreter.value(scalar.expression, {scalar.variables["t"]: autograd.torch.full((1, 1), at)}, {})
    try:
        many = interpreter.value(matrix.expression, {matrix.variables["x"]: autograd.torch.full((2, 1), at)}, {})
    except DomainError:
        return
    assert relative_error(many, one.expand(2, 1)) < 1e-6


def test_the_logarithm_of_a_determinant_is_the_log_determinant():
    reading, _ = read("log(det(S))", SHAPES)
    assert reading.expression == LogDet(Variable("S", n, n))
    assert read("log(2)")[0].expression == log(2)
