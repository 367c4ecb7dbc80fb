"""The value of a tree over the numbers of a field, and by torch: two interpreters, one value."""

import inspect
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from sympy import And, Contains, Eq, Expr, FiniteSet, Integer, Rational, Symbol, exp, gamma, tanh

from derivations import elementwise, expressions, functions, kronecker, scalars, spectral
from derivations.api import read
from derivations.elementwise import SLOTS, Apply, Diag, DiagonalOf, Hadamard, Softmax, SoftmaxRows
from derivations.errors import DomainError, UnsupportedError
from derivations.expressions import (
    EntrySum,
    Identity,
    Inner,
    Inverse,
    LossGradient,
    MatrixDifferential,
    MatrixNode,
    Ones,
    Power,
    Product,
    Scale,
    Sum,
    Transpose,
    Variable,
    Zero,
)
from derivations.kronecker import Commutation, Kronecker, Unvec, Vec
from derivations.scalars import UNWORKED, Det, LogDet, LogSumExp, Loss, MatrixScalar, Norm, ScalarDifferential, Trace
from derivations.spectral import (
    MATRIX_FUNCTIONS,
    Adjugate,
    Frechet,
    LargestEigenvalue,
    LargestEigenvector,
    MatrixFunction,
    NuclearNorm,
    PseudoInverse,
)
from derivations.verification import interpreter, spectra
from derivations.verification.arithmetic import (
    COMPOSED,
    ELEMENTARY,
    PRIME,
    Decimals,
    Dual,
    NotRationalError,
    PrimeField,
    Rationals,
    Residue,
)
from derivations.verification.degrees import degree
from derivations.verification.evaluation import Evaluator

m, n = (Symbol(name, integer=True, positive=True) for name in "mn")
A, B, x = Variable("A", n, n), Variable("B", n, n), Variable("x", n, 1)
s, k = Symbol("s", real=True), Symbol("k", integer=True)

SQUARE = st.integers(1, 5).flatmap(
    lambda size: st.lists(st.lists(st.integers(-5, 5), min_size=size, max_size=size), min_size=size, max_size=size)
)


def fractions(rows):
    return [[Fraction(x) for x in row] for row in rows]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(SQUARE)
def test_elimination_agrees_with_sympy(rows):
    matrix, size = sympy.Matrix(rows), len(rows)
    evaluator = Evaluator(Rationals, {A: fractions(rows)}, {n: size})
    if matrix.det() == 0:
        with pytest.raises(DomainError, match="singular"):
            evaluator(Inverse(A))
        return
    assert evaluator(Det(A)) == Fraction(int(matrix.det()))
    inverse = matrix.inv()
    expected = [[Fraction(int(inverse[i, j].p), int(inverse[i, j].q)) for j in range(size)] for i in range(size)]
    assert evaluator(Inverse(A)) == expected


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SQUARE)
def test_elimination_in_the_prime_field_is_that_of_the_rationals(rows):
    determinant = int(sympy.Matrix(rows).det())
    if determinant == 0:
        return
    evaluator = Evaluator(PrimeField, {A: [[Residue(x) for x in row] for row in rows]}, {n: len(rows)})
    inverse = sympy.Matrix(rows).inv()
    assert evaluator(Det(A)) == determinant
    for i, row in enumerate(evaluator(Inverse(A))):
        for j, found in enumerate(row):
            assert found == Residue(int(inverse[i, j].p) * pow(int(inverse[i, j].q), -1, PRIME))


def test_pivots_are_sought():
    evaluator = Evaluator(Rationals, {A: fractions([[0, 1], [1, 0]])}, {n: 2})
    assert evaluator(Det(A)) == -1 and evaluator(Inverse(A)) == [[0, 1], [1, 0]]


@pytest.mark.parametrize("node", [Inverse, Det], ids=lambda c: c.__name__)
def test_a_singular_matrix_is_singular_in_every_field(node):
    """In 50 digits too, where rounding leaves 1e-50 in the place of zero: v v' for v of two entries or more."""
    with mp.workdps(50):
        v = [mpf(1) / 3, mpf(2) / 7, mpf(5) / 11]
        evaluator = Evaluator(Decimals, {A: [[a * b for b in v] for a in v]}, {n: 3})
        try:
            found = evaluator(node(A))
        except DomainError:
            return
        assert node is Det and abs(found) < mpf(10) ** -40


def test_differentials_are_slopes():
    """d(X^-1) = -X^-1 dX X^-1, and d det X = det X tr(X^-1 dX)."""
    rows, change = [[2, 1], [1, 3]], [[1, 4], [-2, 5]]
    dual = [
        [Dual(Fraction(a), Fraction(b)) for a, b in zip(r, t, strict=True)] for r, t in zip(rows, change, strict=True)
    ]
    evaluator = Evaluator(Rationals, {A: dual}, {n: 2})
    inverse = sympy.Matrix(rows).inv()
    expected = -inverse * sympy.Matrix(change) * inverse
    found = evaluator(MatrixDifferential(Inverse(A)))
    assert [[Rational(e.value) for e in row] for row in found] == expected.tolist()
    by_rule = sympy.Matrix(rows).det() * (inverse * sympy.Matrix(change)).trace()
    assert evaluator(ScalarDifferential(Det(A))).value == by_rule


def test_integer_symbols_are_exponents_and_sizes():
    evaluator = Evaluator(Rationals, {A: fractions([[1, 1], [0, 1]]), k: Fraction(3)}, {n: 2, k: 3})
    assert evaluator(Power(A, k)) == [[1, 3], [0, 1]]
    assert evaluator(Trace(Power(A, k)) * n * k) == 12
    assert evaluator(Ones(n, 3)) == [[1, 1, 1], [1, 1, 1]]


def test_losses_are_any_function_and_their_gradients_its_slopes():
    def cubes(rows):
        return sum((x * x * x for row in rows for x in row), rows[0][0] * 0)

    evaluator = Evaluator(Rationals, {x: fractions([[2], [3]])}, {n: 2}, losses={"L": cubes})
    assert evaluator(Loss("L", x)) == 35 and evaluator(LossGradient("L", x)) == [[12], [27]]


def test_definitions_take_their_values_from_their_expressions():
    h = Variable("h", n, 1)
    evaluator = Evaluator(
        Rationals, {A: fractions([[1, 2], [3, 4]]), x: fractions([[1], [1]])}, {n: 2}, definitions=((h, Product(A, x)),)
    )
    assert evaluator(Product(Transpose(h), x)) == 10


def test_propositions_are_one_or_zero():
    evaluator = Evaluator(Rationals, {s: Fraction(2)}, {})
    assert evaluator(Eq(s, 2)) == 1 and evaluator(s < 2) == 0 and evaluator(And(s > 1, s <= 2)) == 1
    assert evaluator(Contains(s, FiniteSet(1, 2))) == 1 and evaluator(Contains(s, FiniteSet(1, 3))) == 0


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (gamma(s), "cannot evaluate gamma"),
        (Variable("C", n, n), "no value for C"),
        (Symbol("r", real=True), "no value for r"),
        (Power(A, Symbol("p", real=True)), "cannot evaluate the matrix power p"),
    ],
    ids=str,
)
def test_what_cannot_be_evaluated_says_so(expression, message):
    evaluator = Evaluator(Decimals, {s: mpf(2), A: [[mpf(1)]]}, {n: 1})
    with pytest.raises(UnsupportedError, match=message):
        evaluator(expression)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(data=st.data())
def test_fifty_digits_and_torch_give_one_value(data, random_texts, relative_error):
    """The two witnesses evaluate trees by code of their own."""
    give_one_value(data, random_texts, {"m": 4, "n": 3}, 3, relative_error)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_so_do_they_with_the_vec_form_and_functions_of_matrices(data, wide_texts, relative_error):
    give_one_value(data, wide_texts, {"m": 3, "n": 2}, 2, relative_error)


def give_one_value(data, random_texts, sizes, depth, relative_error):
    numbers = {m: Integer(sizes["m"]), n: Integer(sizes["n"])}
    source = random_texts.draw(data, data.draw(st.sampled_from(random_texts.shapes)), depth)
    values = random_texts.point(data.draw(st.integers(0, 5)), sizes)
    expected = random_texts.value(source, values, sizes)
    if expected is None:
        return
    reading, _ = read(source, random_texts.variables)
    with mp.workdps(50):
        point = {
            v: [[mpf(float(e)) for e in row] for row in values[name]]
            for name, v in reading.variables.items()
            if name in values
        }
        point = {v: rows if isinstance(v, Variable) else rows[0][0] for v, rows in point.items()}
        try:
            found = Evaluator(Decimals, point, numbers)(reading.expression)
            by_torch = interpreter.value(
                reading.expression, {v: values[k] for k, v in reading.variables.items() if k in values}, numbers
            )
        except (DomainError, ZeroDivisionError):
            return
    found = torch.tensor([[float(e) for e in row] for row in (found if isinstance(found, list) else [[found]])])
    assert relative_error(found.double(), by_torch) < 1e-6, source
    assert relative_error(found.double(), expected) < 1e-6, source


def test_exponentials_need_no_field_of_fractions():
    with mp.workdps(50):
        assert abs(Evaluator(Decimals, {s: mpf(1)}, {})(exp(s)) - mp.e) < mpf(10) ** -48


# ------------------------------------------------------------------------------- one value of every node

SIZES = {m: 3, n: 2}
M, N, C, P, y, t = (
    Variable("M", m, n),
    Variable("N", m, n),
    Variable("C", n, m),
    Variable("P", n, n, "positive_definite"),
    Variable("y", m, 1),
    Symbol("t", real=True),
)
POINT = {
    A: [[1.5, -0.5], [0.75, 2.25]],
    B: [[0.5, 1.25], [-1.5, 0.25]],
    P: [[2.5, 0.75], [0.75, 1.25]],
    M: [[0.5, -1.25], [2.0, 0.75], [-0.25, 1.5]],
    N: [[1.25, 0.5], [-0.75, 0.25], [1.0, -2.0]],
    C: [[0.25, -1.0, 1.75], [1.5, 0.5, -0.75]],
    x: [[0.5], [-1.25]],
    y: [[1.5], [-0.25], [0.75]],
    s: [[1.75]],
    t: [[-0.5]],
    k: [[3.0]],
}


def stacked(a):
    return a.reshape(-1, 1, order="F")


def commutation(rows, columns):
    """Column by column: where each unit matrix goes when it is transposed."""
    units = np.eye(rows * columns)
    return np.hstack([stacked(units[:, j].reshape(rows, columns, order="F").T) for j in range(rows * columns)])


def cofactors(a):
    minors = [[np.delete(np.delete(a, i, 0), j, 1) for j in range(len(a))] for i in range(len(a))]
    return np.array([[(-1) ** (i + j) * np.linalg.det(minors[i][j]) for j in range(len(a))] for i in range(len(a))])


# name -> (the function, its derivative) of one number
SCALAR_FUNCTIONS = {
    "expm": (np.exp, np.exp),
    "logm": (np.log, lambda u: 1 / u),
    "sqrtm": (np.sqrt, lambda u: 1 / (2 * np.sqrt(u))),
    "sinm": (np.sin, np.cos),
    "cosm": (np.cos, lambda u: -np.sin(u)),
}


def by_eigenvalues(function, a):
    values, vectors = np.linalg.eig(a.astype(complex))
    return ((vectors * function(values)) @ np.linalg.inv(vectors)).real


def daleckii_krein(function, slope, a, e):
    """The Frechet derivative by divided differences at the eigenvalues, which differ here."""
    values, vectors = np.linalg.eig(a.astype(complex))
    gaps = values[:, None] - values + np.eye(len(a))
    quotients = (function(values)[:, None] - function(values)) / gaps + np.diag(slope(values))
    inner = np.linalg.inv(vectors) @ e @ vectors
    return (vectors @ (quotients * inner) @ np.linalg.inv(vectors)).real


def softmax(a):
    return np.exp(a) / np.exp(a).sum()


def largest(a):
    values, vectors = np.linalg.eigh((a + a.T) / 2)
    vector = vectors[:, -1:]
    return values[-1], vector * np.sign(vector[np.abs(vector).argmax()])


# class -> examples: an expression, and its value from numpy's arrays of the point by their names.
EXAMPLES = {
    Variable: [(M, lambda v: v["M"])],
    Identity: [(Identity(m * n), lambda v: np.eye(6))],
    Zero: [(Zero(m, n), lambda v: np.zeros((3, 2)))],
    Ones: [(Ones(n, m), lambda v: np.ones((2, 3)))],
    Scale: [(Scale(s, M), lambda v: v["s"] * v["M"])],
    Sum: [(Sum(M, N, -Transpose(C)), lambda v: v["M"] + v["N"] - v["C"].T)],
    Product: [(Product(M, B, C), lambda v: v["M"] @ v["B"] @ v["C"])],
    Inner: [(Inner(Transpose(y), M, x), lambda v: v["y"].T @ v["M"] @ v["x"])],
    EntrySum: [(EntrySum(M), lambda v: v["M"].sum())],
    Transpose: [(Transpose(M), lambda v: v["M"].T)],
    Inverse: [(Inverse(A), lambda v: np.linalg.inv(v["A"]))],
    Power: [
        (Power(A, 3), lambda v: v["A"] @ v["A"] @ v["A"]),
        (Power(A, k), lambda v: v["A"] @ v["A"] @ v["A"]),
        (Power(A, k - 5), lambda v: np.linalg.inv(v["A"]) @ np.linalg.inv(v["A"])),
        (Power(A, k - 3), lambda v: np.eye(2)),
    ],
    Apply: [
        (Apply(tanh(SLOTS[0]), M), lambda v: np.tanh(v["M"])),
        (Apply(functions.maximum(SLOTS[0], SLOTS[1]), M, N), lambda v: np.maximum(v["M"], v["N"])),
        (Apply(functions.minimum(SLOTS[0], s), M), lambda v: np.minimum(v["M"], v["s"])),
        (Apply(functions.clip(SLOTS[0], t, SLOTS[1]), M, N), lambda v: np.minimum(np.maximum(v["M"], v["t"]), v["N"])),
        (Apply(SLOTS[0] ** k, M), lambda v: v["M"] ** 3),
    ],
    Hadamard: [(Hadamard(M, N, Transpose(C)), lambda v: v["M"] * v["N"] * v["C"].T)],
    Diag: [(Diag(y), lambda v: np.diag(v["y"][:, 0]))],
    DiagonalOf: [(DiagonalOf(Product(M, C)), lambda v: np.diag(v["M"] @ v["C"])[:, None])],
    Softmax: [(Softmax(y), lambda v: softmax(v["y"])), (Softmax(M), lambda v: softmax(v["M"]))],
    SoftmaxRows: [(SoftmaxRows(M), lambda v: np.vstack([softmax(row) for row in v["M"]]))],
    Kronecker: [
        (Kronecker(M, C), lambda v: np.kron(v["M"], v["C"])),
        (Kronecker(y, A, C), lambda v: np.kron(np.kron(v["y"], v["A"]), v["C"])),
    ],
    Vec: [(Vec(M), lambda v: stacked(v["M"])), (Vec(Product(M, C)), lambda v: stacked(v["M"] @ v["C"]))],
    Unvec: [
        (Unvec(Vec(M) + Vec(Transpose(C)), m, n), lambda v: v["M"] + v["C"].T),
        (Unvec(Product(Kronecker(A, M), Vec(B)), m, n), lambda v: v["M"] @ v["B"] @ v["A"].T),
        (Unvec(Apply(tanh(SLOTS[0]), Vec(M)), n, m), lambda v: np.tanh(stacked(v["M"])).reshape(2, 3, order="F")),
    ],
    Commutation: [
        (Commutation(m, n), lambda v: commutation(3, 2)),
        (Product(Commutation(m, n), Kronecker(x, M)), lambda v: commutation(3, 2) @ np.kron(v["x"], v["M"])),
    ],
    Trace: [(Trace(Product(M, C)), lambda v: np.trace(v["M"] @ v["C"]))],
    Det: [(Det(A), lambda v: np.linalg.det(v["A"]))],
    LogDet: [(LogDet(P), lambda v: np.log(np.linalg.det(v["P"])))],
    Norm: [(Norm(M), lambda v: np.sqrt((v["M"] ** 2).sum())), (Norm(M) ** 2, lambda v: (v["M"] ** 2).sum())],
    LogSumExp: [(LogSumExp(M), lambda v: np.log(np.exp(v["M"]).sum()))],
    MatrixFunction: [
        (MatrixFunction(f, A), lambda v, name=name: by_eigenvalues(SCALAR_FUNCTIONS[name][0], v["A"]))
        for name, f in MATRIX_FUNCTIONS.items()
    ],
    Frechet: [
        *(
            (Frechet(f, a, B), lambda v, name=name, a=a: daleckii_krein(*SCALAR_FUNCTIONS[name], v[a.name], v["B"]))
            for name, f in MATRIX_FUNCTIONS.items()
            # At a symmetric matrix in a direction that is not, too.
            for a in (A, P)
        ),
        (
            Frechet(SLOTS[0] ** k, A, B),
            lambda v: v["B"] @ v["A"] @ v["A"] + v["A"] @ v["B"] @ v["A"] + v["A"] @ v["A"] @ v["B"],
        ),
        (Frechet(SLOTS[0] ** (k - 4), A, B), lambda v: -np.linalg.inv(v["A"]) @ v["B"] @ np.linalg.inv(v["A"])),
        (Frechet(SLOTS[0] ** (k - 3), A, B), lambda v: np.zeros((2, 2))),
    ],
    Adjugate: [
        (Adjugate(A), lambda v: cofactors(v["A"]).T),
        (Adjugate(Product(M, C) + Identity(m)), lambda v: cofactors(v["M"] @ v["C"] + np.eye(3)).T),
    ],
    PseudoInverse: [
        (PseudoInverse(M), lambda v: np.linalg.pinv(v["M"])),
        (PseudoInverse(C), lambda v: np.linalg.pinv(v["C"])),
        (PseudoInverse(Product(M, C)), lambda v: np.linalg.pinv(v["M"] @ v["C"], rcond=1e-10)),
    ],
    LargestEigenvalue: [(LargestEigenvalue(A), lambda v: largest(v["A"])[0])],
    LargestEigenvector: [(LargestEigenvector(A), lambda v: largest(v["A"])[1])],
    NuclearNorm: [(NuclearNorm(M), lambda v: np.linalg.norm(v["M"], "nuc"))],
}
# A loss that is known by its name is any function, not the same one to both; each is tested with its gradient.
BY_NAME_ONLY = {Loss, LossGradient}
# Worked out before torch is asked; to the exact witness they are slopes, see above.
DIFFERENTIALS = set(UNWORKED)


def node_classes():
    """Every class of the tree that is meant to have instances."""
    for module in (expressions, elementwise, kronecker, scalars, spectral):
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ == module.__name__ and issubclass(kind, (MatrixNode, Expr)):
                yield kind


NODES = sorted(set(node_classes()) - {MatrixNode, MatrixScalar} - DIFFERENTIALS, key=lambda kind: kind.__name__)
EACH_NODE = pytest.mark.parametrize("node", NODES, ids=lambda kind: kind.__name__)
NUMPY = {v.name: np.array(rows) for v, rows in POINT.items()}


def two_dimensional(found):
    return np.array([[float(e) for e in row] for row in (found if isinstance(found, list) else [[found]])])


def by_exact(expression, field=Decimals, sizes=SIZES):
    def lifted(v, rows):
        rows = [[field.number(Rational(e)) for e in row] for row in rows]
        return rows if isinstance(v, Variable) else rows[0][0]

    point = {v: lifted(v, rows) for v, rows in POINT.items()}
    return Evaluator(field, point, {**sizes, k: 3}, losses={"L": lambda rows: rows[0][0] * rows[-1][0]})(expression)


def by_torch(expression, sizes=SIZES):
    point = {v: torch.tensor(rows, dtype=torch.float64) for v, rows in POINT.items()}
    return interpreter.value(expression, point, {size: Integer(number) for size, number in sizes.items()})


def same(found, expected):
    expected = np.atleast_2d(expected)
    return found.shape == expected.shape and np.abs(found - expected).max() < 1e-11 * max(1, np.abs(expected).max())


@EACH_NODE
def test_every_node_has_an_example(node):
    """The tests below go through these; a new node must be known to both interpreters."""
    if node in BY_NAME_ONLY:
        return
    assert any(e.has(node) for e, _ in EXAMPLES.get(node, ())), f"no example of {node.__name__} in EXAMPLES"


@EACH_NODE
def test_both_interpreters_know_every_node(node):
    value = LossGradient("L", y) if node is LossGradient else Loss("L", y)
    for expression, _ in EXAMPLES.get(node, [(value, None)]):
        with mp.workdps(50):
            exact = two_dimensional(by_exact(expression))
        assert exact.shape == tuple(by_torch(expression).shape)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [example for examples in EXAMPLES.values() for example in examples],
    ids=[str(e) for examples in EXAMPLES.values() for e, _ in examples],
)
def test_both_interpreters_give_the_value_of_numpy(expression, expected):
    with mp.workdps(50):
        exact = two_dimensional(by_exact(expression))
    found, value = by_torch(expression).detach().numpy(), expected(NUMPY)
    assert same(exact, value)
    # An eigenvector comes from torch with either sign.
    assert same(found, value) or (isinstance(expression, LargestEigenvector) and same(-found, value))


@EACH_NODE
def test_what_is_rational_has_a_degree(node):
    """Each node that the prime field can evaluate is known to the bound of the probability of an error."""
    for expression, _ in EXAMPLES.get(node, [(Loss("L", y), None)]):
        try:
            by_exact(expression, PrimeField)
        except NotRationalError:
            continue
        assert degree(expression, SIZES) >= 0


def test_functions_of_matrices_are_known_to_all():
    assert set(spectra.FUNCTIONS) == set(MATRIX_FUNCTIONS) == set(interpreter.MATRIX_FUNCTIONS) == set(SCALAR_FUNCTIONS)


@pytest.mark.parametrize("known", [MatrixFunction, Frechet], ids=lambda kind: kind.__name__)
def test_a_function_of_a_matrix_without_a_name_says_so(known):
    node = known(tanh(SLOTS[0]), *((A,) if known is MatrixFunction else (A, B)))
    with mp.workdps(50), pytest.raises(UnsupportedError, match="cannot evaluate the matrix function"):
        by_exact(node)
    with pytest.raises(UnsupportedError, match="torch cannot evaluate the matrix function"):
        by_torch(node)


# ------------------------------------------------------------------------ functions of numbers

# Of `slope` alone, which leaves none of them in what it returns.
INSIDE = {functions.RealFunction, functions.modulus, functions.direction}
OURS = {f for _, f in inspect.getmembers(functions, inspect.isclass) if issubclass(f, functions.RealFunction)}
SCALARS = sorted(OURS - INSIDE | set(COMPOSED) | set(ELEMENTARY) | set(interpreter.FUNCTIONS), key=str)
FIRST = {sympy.asin: 0.5, sympy.acos: 0.5, sympy.factorial: 2.5, sympy.log: 1.75}
VALUES = {
    functions.sigmoid: lambda u: 1 / (1 + math.exp(-u)),
    functions.softplus: lambda u: math.log(1 + math.exp(u)),
    functions.normpdf: lambda u: math.exp(-u * u / 2) / math.sqrt(2 * math.pi),
    functions.normcdf: lambda u: (1 + math.erf(u / math.sqrt(2))) / 2,
    functions.relu: lambda u: max(u, 0),
    functions.step: lambda u: float(u > 0),
    functions.maximum: max,
    functions.minimum: min,
    functions.clip: lambda u, low, high: min(max(u, low), high),
    functions.huber: lambda u, c: u * u / 2 if abs(u) <= c else c * (abs(u) - c / 2),
    sympy.factorial: lambda u: math.gamma(u + 1),
    sympy.sign: lambda u: math.copysign(1, u),
    sympy.Abs: abs,
    sympy.ceiling: math.ceil,
}


@pytest.mark.parametrize("function", SCALARS, ids=lambda f: f.__name__)
def test_both_interpreters_know_every_function_of_numbers(function):
    assert function in (ELEMENTARY | COMPOSED), f"{function.__name__} is unknown to the exact witness"
    assert function in interpreter.FUNCTIONS, f"{function.__name__} is unknown to torch"
    count = {functions.maximum: 2, functions.minimum: 2, functions.huber: 2, functions.clip: 3}.get(function, 1)
    symbols = sympy.symbols("a b c", real=True)[:count]
    expected = VALUES.get(function) or getattr(math, function.__name__)
    for numbers in ([0.75, 0.5, 1.5], [-0.75, 0.5, 1.5], [2.25, 0.5, 1.5], [0.25, 0.5, 1.5]):
        if function in FIRST:
            numbers = [FIRST[function]]
        point = dict(zip(symbols, numbers, strict=False))
        with mp.workdps(50):
            exact = Evaluator(Decimals, {v: mpf(u) for v, u in point.items()}, {})(function(*symbols))
        tensors = {v: torch.tensor([[u]], dtype=torch.float64) for v, u in point.items()}
        found, value = float(interpreter.value(function(*symbols), tensors, {})), expected(*numbers[:count])
        assert abs(exact - value) < 1e-13 and abs(found - value) < 1e-13
