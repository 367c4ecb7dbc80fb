"""SymPy out: what is written has the value of the tree, by an evaluation of SymPy's own nodes, and reads back."""

import functools
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import (
    Determinant,
    DiagMatrix,
    DiagonalOf,
    HadamardPower,
    Heaviside,
    Identity,
    KroneckerProduct,
    MatMul,
    MatrixSymbol,
    Max,
    Min,
    OneMatrix,
    S,
    Symbol,
    Trace,
    ZeroMatrix,
    exp,
    hadamard_product,
    log,
    sqrt,
    symbols,
)
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

import derivations as dv
from derivations.api import read, tree_variables
from derivations.elementwise import SLOTS, Apply
from derivations.errors import DerivationError, UnsupportedError
from derivations.expressions import Variable, shape_of
from derivations.functions import clip, huber, maximum, minimum, normcdf, normpdf, relu, sigmoid, softplus, step
from derivations.kronecker import Commutation, Vec
from derivations.notation.sympy_in import from_sympy
from derivations.notation.sympy_out import to_sympy
from derivations.scalars import Loss, ScalarDifferential
from derivations.spectral import Adjugate, PseudoInverse
from derivations.verification import interpreter

m, n = symbols("m n", integer=True, positive=True)
A, S_, X = (MatrixSymbol(name, n, n) for name in "ASX")
x, y = MatrixSymbol("x", n, 1), MatrixSymbol("y", n, 1)
M = MatrixSymbol("M", m, n)
s = Symbol("s", real=True)

# --------------------------------------------------- the value of SymPy's nodes, by what they mean

NODES = {
    "MatAdd": lambda *parts: sum(parts),
    "MatMul": lambda *parts: functools.reduce(lambda a, b: a @ b if np.ndim(a) == np.ndim(b) == 2 else a * b, parts),
    "MatPow": lambda a, k: np.linalg.matrix_power(a, round(k)) if k == round(k) else of_spectrum(lambda v: v**k, a),
    "Inverse": lambda a, _: np.linalg.inv(a),
    "Transpose": lambda a: a.T,
    "HadamardProduct": lambda *parts: functools.reduce(np.multiply, parts),
    "HadamardPower": lambda a, k: np.power(a, k),
    "KroneckerProduct": lambda *parts: functools.reduce(np.kron, parts),
    "DiagMatrix": lambda a: np.diag(a.reshape(-1)),
    "DiagonalOf": lambda a: np.diag(a)[:, None],
    "Identity": lambda size: np.eye(round(size)),
    "ZeroMatrix": lambda rows, columns: np.zeros((round(rows), round(columns))),
    "OneMatrix": lambda rows, columns: np.ones((round(rows), round(columns))),
    "Trace": np.trace,
    "Determinant": np.linalg.det,
    "Add": lambda *parts: sum(parts),
    "Mul": lambda *parts: math.prod(parts),
    "Pow": lambda base, exponent: np.power(base, exponent),
    "Max": lambda *parts: functools.reduce(np.maximum, parts),
    "Min": lambda *parts: functools.reduce(np.minimum, parts),
    "Heaviside": np.heaviside,
    "Abs": np.abs,
    "re": np.real,
    "erf": np.vectorize(math.erf),
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "factorial": lambda u: np.vectorize(math.gamma)(u + 1),
    **{name: getattr(np, name) for name in ("exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sign")},
}


def of_spectrum(function, a):
    values, vectors = np.linalg.eig(a)
    return (vectors @ np.diag(function(values + 0j)) @ np.linalg.inv(vectors)).real


def value(e, values):
    """values: name -> number, or 2-D array; names of sizes -> int."""
    kind = type(e).__name__
    if e.is_number and not e.args:
        return float(e)
    if kind in ("Symbol", "MatrixSymbol"):
        return values[e.name]
    if kind == "Dummy":
        return values[e]
    if kind == "MatrixElement":
        return value(e.parent, values)[int(e.i), int(e.j)]
    if kind == "ElementwiseApplyFunction":
        function, matrix = e.args
        inside = value(matrix, values)
        return value(function.expr, {**values, function.variables[0]: inside}) + 0 * inside
    args = [value(a, values) for a in e.args]
    if kind == "exp" and np.ndim(args[0]) == 2 and e.args[0].is_Matrix:
        return of_spectrum(np.exp, args[0])
    return NODES[kind](*args)


def flat(values):
    """Scalars as floats, the rest 2-D."""
    return {name: float(v) if v.numel() == 1 else v.numpy() for name, v in values.items()}


# ---------------------------------------------------------------------------------- what is written

WRITTEN = [
    ("x'*A*x", "x", (A + A.T) * x),
    ("x'*A*y", "A", x * y.T),
    ("tr(A'*A)", "A", 2 * A),
    ("logdet(X)", "X", X.inv().T),
    ("tr(X)^2", "X", 2 * Trace(X) * Identity(n)),
    ("tr(A)", "s", S.Zero),
    ("A*x", "x", A.T),
    ("norm2(x)", "x", x / sqrt(Trace(x.T * x))),
    ("sum(x)^2", "x", 2 * Trace(OneMatrix(1, n) * x) * OneMatrix(n, 1)),
    ("sum(x .* y)*s", "s", Trace(x.T * y)),
    ("x.^2", "x", 2 * DiagMatrix(x)),
    ("X*A", "A", KroneckerProduct(Identity(n), X)),
    ("sum(x)*A", "s", ZeroMatrix(n, n)),
    ("det(X)", "X", Determinant(X) * X.inv().T),
    ("y'*diag(X)", "X", DiagMatrix(y)),
    ("tr(diag(x)*X)", "x", DiagonalOf(X)),
    ("tr(expm(X))", "X", exp(X.T)),
    ("sum(X.^3)", "X", 3 * HadamardPower(X, 2)),
    ("x'*(X.*A)*y", "X", hadamard_product(A, x * y.T)),
]
SHAPES = {"A": "n,n", "X": "n,n", "x": "n", "y": "n", "s": ""}


@pytest.mark.parametrize(("expression", "wrt", "expected"), WRITTEN, ids=[w[0] for w in WRITTEN])
def test_results_are_written_as_a_person_would(expression, wrt, expected):
    written = dv.derive(expression, wrt, variables=SHAPES).to_sympy()
    assert written == expected


def test_elementwise_functions_are_applied():
    written = dv.derive("sum(cos(X))", "X").to_sympy()
    assert written == -MatrixSymbol("X", m, n).applyfunc(sympy.sin) or written.dummy_eq(
        -MatrixSymbol("X", m, n).applyfunc(sympy.sin)
    )


@pytest.mark.parametrize(
    ("function", "plain"),
    [
        (relu, lambda u: Max(0, u)),
        (step, lambda u: Heaviside(u, 0)),
        (sigmoid, lambda u: 1 / (1 + exp(-u))),
        (softplus, lambda u: log(1 + exp(u))),
    ],
)
def test_our_functions_are_plain_functions_of_sympy(function, plain):
    written = to_sympy(Apply(function(SLOTS[0]), Variable("X", n, n)))
    assert isinstance(written, ElementwiseApplyFunction)
    assert written.dummy_eq(X.applyfunc(plain))
    assert to_sympy(function(s)) == plain(s)


@pytest.mark.parametrize("u", [-2.5, -1.0, -0.3, 0.0, 0.3, 1.0, 2.5])
@pytest.mark.parametrize(
    ("function", "plain"),
    [
        (lambda u: huber(u, 1), lambda u: u * u / 2 if abs(u) <= 1 else abs(u) - 0.5),
        (lambda u: clip(u, -1, 1), lambda u: min(max(u, -1), 1)),
        (lambda u: maximum(u, 1), lambda u: max(u, 1)),
        (lambda u: minimum(u, 1), lambda u: min(u, 1)),
        (relu, lambda u: max(u, 0)),
        (step, lambda u: float(u > 0)),
        (normpdf, lambda u: math.exp(-u * u / 2) / math.sqrt(2 * math.pi)),
        (normcdf, lambda u: (1 + math.erf(u / math.sqrt(2))) / 2),
        (sigmoid, lambda u: 1 / (1 + math.exp(-u))),
    ],
)
def test_they_have_their_values(function, plain, u):
    assert value(to_sympy(function(s)), {"s": u}) == pytest.approx(plain(u), abs=1e-12)
    applied = to_sympy(Apply(function(SLOTS[0]), Variable("X", 1, 2)))
    assert value(applied, {"X": np.full((1, 2), u)}) == pytest.approx(np.full((1, 2), plain(u)), abs=1e-12)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (Vec(Variable("X", m, n)), "no Vec"),
        (Commutation(m, n), "no Commutation"),
        (PseudoInverse(Variable("X", m, n)), "no PseudoInverse"),
        (Adjugate(Variable("X", n, n)), "no Adjugate"),
        (Loss("L", Variable("X", n, n)), "no Loss"),
        (ScalarDifferential(s), "no ScalarDifferential"),
        (Apply(maximum(*SLOTS[:2]), Variable("X", m, n), Variable("Y", m, n)), "elementwise maximum of several"),
    ],
)
def test_what_sympy_cannot_say_is_refused(tree, message):
    with pytest.raises(UnsupportedError, match=message):
        to_sympy(tree)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("logm(X)", "no matrix function log"),
        ("A*expm(X)", "no matrix exponential inside another"),
        ("expm(X) + A", "no matrix exponential inside another"),
        ("sqrtm(X*X)", "no root of a matrix power"),
        ("lambda_max(X)", "no LargestEigenvalue"),
        ("norm_nuc(X)", "no NuclearNorm"),
    ],
)
def test_so_are_functions_of_matrices(expression, message):
    with pytest.raises(UnsupportedError, match=message):
        to_sympy(read(expression, SHAPES)[0].expression)


def test_a_refusal_says_what_works():
    with pytest.raises(UnsupportedError, match=re.escape("to_text() and to_code() write the result")):
        dv.derive("A'*s", "A", variables=SHAPES).to_sympy()


# -------------------------------------------------------------------------------------- the symbols


def test_the_symbols_of_a_text_are_real_and_its_sizes_positive_integers():
    written = dv.derive("s*x'*A*x", "x", variables=SHAPES).to_sympy()
    assert written == s * (A + A.T) * x
    assert written.shape == (n, 1)


def test_symbols_that_are_given_take_the_places_of_their_names():
    k, t = Symbol("n"), Symbol("s")
    tree = dv.derive("s*tr(X)", "X", variables=SHAPES).result
    written = to_sympy(tree, (k, t))
    assert written == t * Identity(k)


def test_a_matrix_of_one_entry_stands_for_a_scalar():
    z = MatrixSymbol("s", 1, 1)
    assert to_sympy(s**2, (z,)) == z[0, 0] ** 2


# ------------------------------------------------------------------------------ values, and back in


@settings(max_examples=250, deadline=None, derandomize=True)
@given(data=st.data())
def test_random_trees_keep_their_value_out_and_back_in(data, random_texts, relative_error):
    keep_their_value(data, random_texts, 3, relative_error)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(data=st.data())
def test_so_do_those_with_kronecker_products(data, wide_texts, relative_error):
    keep_their_value(data, wide_texts, 2, relative_error)


def keep_their_value(data, texts, depth, relative_error):
    sizes = {"m": 4, "n": 3}
    source = texts.draw(data, data.draw(st.sampled_from(texts.shapes)), depth)
    point = texts.point(data.draw(st.integers(0, 5)), sizes)
    expected = texts.value(source, point, sizes)
    if expected is None:
        return
    tree = read(source, texts.variables)[0].expression
    try:
        written = to_sympy(tree)
    except UnsupportedError:
        return
    values = {**flat(point), **sizes}
    got = np.reshape(value(written, values), expected.shape)
    if not np.isfinite(got).all():  # log(1 + exp(u)) overflows where a softplus does not
        return
    assert relative_error(got, expected.numpy()) < 1e-6, (source, written)
    properties = {name: {"props": d["props"]} for name, d in texts.variables.items()}
    free = {symbol.name for symbol in written.free_symbols}
    again = from_sympy(written, {name: p for name, p in properties.items() if name in free})
    assert shape_of(again) == shape_of(tree), (source, written)
    inside = {v: point[v.name] for v in tree_variables(again) if v.name in point}
    numbers = {q: sympy.Integer(sizes[q.name]) for q in again.free_symbols if q.name in sizes}
    got = interpreter.value(again, inside, numbers).reshape(expected.shape)
    assert relative_error(got, expected) < 1e-6, (source, written, again)


CORPUS = json.loads((Path(__file__).parents[2] / "data" / "derivatives.json").read_text())["problems"]


def test_results_of_the_corpus_are_written_with_their_value(tree_value, relative_error):
    generator = np.random.default_rng(0)
    written, refused = 0, 0
    for problem in CORPUS:
        if problem["order"] != 1 or problem.get("structure"):
            continue
        try:
            d = dv.derive(problem["expr"], problem["wrt"], variables=problem["vars"])
        except DerivationError:
            continue
        try:
            found = d.to_sympy()
        except UnsupportedError:
            refused += 1
            continue
        sizes = {q.name: 3 for v in d.variables for size in shape_of(v) for q in size.free_symbols}
        values = {v.name: draw(v, sizes, generator) for v in d.variables}
        try:
            expected = np.array(tree_value(d.result, {**values, **sizes}))
        except KeyError:  # a node that the second reading of trees does not know
            continue
        if np.isfinite(expected).all():
            written += 1
            got = np.reshape(value(found, {**values, **sizes}), expected.shape)
            assert relative_error(got, expected) < 1e-7, (problem["id"], found)
    assert written > 150 and refused < 30, (written, refused)


def draw(variable, sizes, generator):
    """A value between 0.2 and 1.2, positive definite where it is square."""
    if variable.is_integer:
        return 3
    rows, columns = (int(size.subs({q: sizes[q.name] for q in size.free_symbols})) for size in shape_of(variable))
    entries = generator.uniform(0.2, 1.2, (rows, columns))
    if rows == columns > 1:
        entries = entries @ entries.T + np.eye(rows)
    return entries if (rows, columns) != (1, 1) or isinstance(variable, Variable) else float(entries[0, 0])


def test_products_stay_what_they_are():
    """A 1 x 1 product is a trace, wherever it stands."""
    written = dv.derive("(x'*A*x)*(y'*x)", "x", variables=SHAPES).to_sympy()
    assert {type(p) for p in written.atoms(Trace)} == {Trace}
    assert all(isinstance(t.arg, MatMul) and t.arg.shape == (1, 1) for t in written.atoms(Trace))


def test_minima_of_numbers_and_matrices_come_back():
    tree = Apply(minimum(SLOTS[0], S(2)), Variable("M", m, n))
    assert to_sympy(tree).dummy_eq(M.applyfunc(lambda u: Min(u, 2)))
    assert from_sympy(to_sympy(tree)) == tree
