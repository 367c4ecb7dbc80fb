"""The bound on the degree is a bound: against the degrees that SymPy finds in the entries themselves."""

from dataclasses import replace

import pytest
import sympy
from sympy import Symbol

from derivations import derive
from derivations.api import read
from derivations.elementwise import SLOTS, Apply
from derivations.errors import UnsupportedError
from derivations.expressions import EntrySum, Inverse, LossGradient, Power, Product, Variable, is_matrix
from derivations.functions import relu
from derivations.scalars import Det, LogDet, LogSumExp, Loss, Norm, differential_of
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
from derivations.verification import exact
from derivations.verification.arithmetic import Dual, plain
from derivations.verification.degrees import degree
from derivations.verification.evaluation import Evaluator
from derivations.verification.sampling import EXPONENTS, STRUCTURES, Sampler

m, n = (Symbol(name, integer=True, positive=True) for name in "mn")
SIZES = {m: 2, n: 2}
SHAPES = {"A": "n,n", "B": "n,n", "X": "n,n", "Z": "m,n", "x": "n", "y": "n", "s": "", "t": ""}
k = Symbol("k", integer=True)
A, B, x = Variable("A", n, n), Variable("B", n, n), Variable("x", n, 1)
s = Symbol("s", real=True)


class Formulas:
    """SymPy's own expressions, as a field."""

    number = staticmethod(sympy.sympify)
    is_negligible = staticmethod(lambda e, scale: sympy.expand(plain(e)) == 0)
    size_of = staticmethod(lambda e: 0 if sympy.expand(plain(e)) == 0 else 1)


def entries(expression, variables, directions=None):
    """The entries of an expression as fractions of polynomials."""

    def values(v):
        if not is_matrix(v):
            return Symbol(v.name)
        rows, columns = (int(size.xreplace(SIZES)) for size in v.shape)
        return [[Symbol(f"{v.name}{i}{j}") for j in range(columns)] for i in range(rows)]

    point = {v: values(v) for v in variables}
    if directions is not None:
        moved = point[directions]
        point[directions] = (
            [[Dual(e, Symbol(f"d{e}")) for e in row] for row in moved]
            if is_matrix(directions)
            else Dual(moved, Symbol("ds"))
        )
    found = Evaluator(Formulas, point, SIZES)(expression)
    flat = [e for row in found for e in row] if isinstance(found, list) else [found]
    return [sympy.cancel(e.value if isinstance(e, Dual) else e) for e in flat]


def true_degree(fraction):
    return sum(0 if part.is_number else sympy.Poly(part).total_degree() for part in sympy.fraction(fraction))


POLYNOMIAL = [
    "x'*A*y",
    "tr(A*B*X)",
    "A^3",
    "(A + B)*x - y",
    "s*A*x + t*y",
    "norm2(A*x)^2",
    "sum(A .* B)",
    "diag(A)*x'",
    "diag(x)*A",
    "x.^3",
    "(x'*y)^2*A",
    "det(A*B)",
    "(s + t)^3",
    "kron(A, x*y')",
    "kron(A, A)*vec(B)",
    "kron(A, kron(B, X))",
    "vec(A*X)'*vec(B)",
    "diag(vec(Z))*vec(Z)",
    "comm(n, n)*vec(A)",
    "adj(A)",
    "adj(A*B)",
    "power_frechet(A, B, 3)",
    "(x'*x)^2*kron(x, y)",
]
RATIONAL = [
    "inv(A)*x",
    "tr(inv(A)*B)",
    "x'*inv(A + B)*y",
    "1/(x'*y)",
    "s/t + t/s",
    "x/s",
    "x ./ y",
    "1 ./ (A*x)",
    "sum(1 ./ x)",
    "x'*(1 ./ y)",
    "sum(A ./ B)",
    "A*(x ./ y)",
    "det(inv(A))",
    "(1/s + 1/t)^2",
    "pinv(x)",
    "pinv(s*x)",
    "pinv(x*y')",
    "pinv(A)*x",
    "pinv(x ./ y)",
    "adj(A/s)",
    "adj(inv(A))",
    "kron(inv(A), A/t)",
    "vec(A ./ B)'*vec(A)",
    "power_frechet(inv(A), B/s, 2)",
    "power_frechet(A, B, 2)/det(A)",
]


@pytest.mark.parametrize("source", POLYNOMIAL + RATIONAL)
def test_the_bound_holds(source):
    reading, _ = read(source, SHAPES)
    bound = degree(reading.expression, SIZES)
    assert max(map(true_degree, entries(reading.expression, reading.variables.values()))) <= bound


@pytest.mark.parametrize(
    "source",
    [
        "x'*A*x",
        "tr(A*X*B*X)",
        "tr(inv(X)*A)",
        "sum(1 ./ x)",
        "(x'*A*x)/(x'*x)",
        "det(X)",
        "X*x",
        "kron(x, x*x')",
        "adj(X)",
        "pinv(x)",
        "1/(x'*x)^3",
        "x ./ (x .* x)",
    ],
)
def test_the_bound_holds_for_differentials(source):
    reading, _ = read(source, SHAPES)
    wrt = reading.variables["X" if "X" in source else "x"]
    expression = differential_of(reading.expression)
    assert max(map(true_degree, entries(expression, reading.variables.values(), wrt))) <= degree(expression, SIZES)


@pytest.mark.parametrize("source", POLYNOMIAL)
def test_the_bound_of_a_polynomial_is_not_far_off(source):
    reading, _ = read(source, SHAPES)
    true = max(map(true_degree, entries(reading.expression, reading.variables.values())))
    assert degree(reading.expression, SIZES) <= 4 * true + 8


def test_constants_have_degree_zero_and_variables_one():
    assert degree(sympy.Integer(3), SIZES) == 0
    assert degree(Variable("A", n, n), SIZES) == 1 and degree(Symbol("s"), SIZES) == 1


def test_a_derivation_of_low_degree_is_wrong_with_small_probability():
    d = derive("tr(A'*X*B*X)", "X")
    assert all(0 < degree(step.after, SIZES) < 100 for step in d.steps)


# --------------------------------------------------------------- what is random are not always the entries


class SymbolSampler(Sampler):
    """Draws symbols, so that the degrees of what it makes of them can be seen."""

    ordered = False
    drawn = 0

    def generic(self):
        self.drawn += 1
        return Symbol(f"r{self.drawn}")

    def between(self, low, high):
        return self.generic()


def made(sampler, variable):
    rows = sampler.made((2, 2), variable.properties, [name for name in STRUCTURES if name in variable.properties])
    return [[sympy.sympify(e) for e in row] for row in rows]


PROPERTIES = [
    ("symmetric",),
    ("positive_definite",),
    ("diagonal",),
    ("invertible",),
    ("posdet",),
    ("orthogonal",),
    ("symmetric", "orthogonal"),
    ("positive_definite", "invertible"),
    ("positive_definite", "diagonal"),
    ("prob",),
    ("centred",),
    ("onehot",),
    ("onehot_rows",),
    ("binary",),
]


@pytest.mark.parametrize("properties", PROPERTIES, ids=" ".join)
@pytest.mark.parametrize("form", [lambda v: v, lambda v: Product(v, v), Inverse], ids=["X", "X^2", "X^-1"])
def test_the_bound_is_for_the_numbers_that_are_drawn(properties, form):
    """The entries of a positive definite matrix are quadratic in them, those of an orthogonal one fractions."""
    if form is Inverse and set(properties) & {"prob", "centred", "onehot", "onehot_rows", "binary"}:
        return
    v = Variable("V", n, n, *properties)
    rows, expression = made(SymbolSampler(0), v), form(v)
    found = Evaluator(Formulas, {v: rows}, SIZES)(expression)
    entries_found = [sympy.cancel(e) for row in found for e in row]
    assert max(map(true_degree, entries_found)) <= degree(expression, SIZES)


@pytest.mark.parametrize("properties", [("positive_definite",), ("orthogonal",), ("posdet",), ()], ids=" ".join)
@pytest.mark.parametrize("form", [lambda v: EntrySum(v) ** -2, lambda v: Product(v, B, v)], ids=["1/sum^2", "X B X"])
def test_the_bound_holds_for_differentials_of_such_variables(properties, form):
    v = Variable("V", n, n, *properties)
    sampler = SymbolSampler(0)
    rows, others = made(sampler, v), [[sampler.generic() for _ in range(2)] for _ in range(2)]
    dual = [[Dual(e, sampler.generic()) for e in row] for row in rows]
    expression = differential_of(form(v))
    found = Evaluator(Formulas, {v: dual, B: others}, SIZES)(expression)
    flat = [e for row in found for e in row] if isinstance(found, list) else [found]
    found = [sympy.cancel(e.value) for e in flat]
    assert max(map(true_degree, found)) <= degree(expression, SIZES)


def test_a_direction_has_entries_of_degree_one_whatever_the_variable():
    for v in (A, x, s, Variable("Q", n, n, "orthogonal")):
        assert degree(differential_of(v), SIZES) == 1


@pytest.mark.parametrize("form", [lambda k: Power(A, k), lambda k: s**k, lambda k: Frechet(SLOTS[0] ** k, A, B)])
@pytest.mark.parametrize("exponent", [k, 2 * k + 1, k - 4, -k, 2 - 2 * k], ids=str)
def test_a_whole_exponent_counts_with_all_its_values(form, exponent):
    bound = degree(form(exponent), SIZES)
    values = [exponent.subs(k, value) for value in EXPONENTS]
    assert bound >= max(degree(form(value), SIZES) for value in values if value not in (0, 1))


def test_definitions_count_with_what_they_stand_for():
    h, c = Variable("h", n, 1), Symbol("c", real=True)
    definitions = ((h, Product(A, x)), (c, 1 / Det(A)))
    assert degree(h, SIZES, definitions) == 2 and degree(h, SIZES) == 1
    assert degree(c * h, SIZES, definitions) == 4
    later = (*definitions, (Symbol("e", real=True), c**2))
    assert degree(Symbol("e", real=True), SIZES, later) == 4


NOT_RATIONAL = [
    LogDet(A),
    LogSumExp(A),
    LargestEigenvalue(A),
    LargestEigenvector(A),
    NuclearNorm(A),
    Apply(sympy.tanh(SLOTS[0]), A),
    Apply(relu(SLOTS[0]), A),
    Apply(SLOTS[0] ** sympy.Rational(1, 2), A),
    Power(A, sympy.Rational(1, 2)),
    sympy.exp(s),
    sympy.sqrt(s),
    s ** Symbol("r", real=True),
    sympy.Abs(s),
    *(MatrixFunction(f, A) for f in MATRIX_FUNCTIONS.values()),
    *(Frechet(f, A, B) for f in MATRIX_FUNCTIONS.values()),
    sympy.Eq(s, 1),
    sympy.gamma(s),
]


@pytest.mark.parametrize("expression", NOT_RATIONAL, ids=str)
def test_what_is_no_rational_function_has_no_degree(expression):
    for e in (expression, differential_of(expression)) if not expression.is_Boolean else (expression,):
        with pytest.raises(UnsupportedError, match="the degree of"):
            degree(e, SIZES)


def test_a_loss_is_a_polynomial_of_degree_three():
    assert degree(Loss("L", Product(A, x)), SIZES) == degree(LossGradient("L", Product(A, x)), SIZES) == 6


def test_only_even_powers_of_norms_are_met():
    assert degree(Norm(x) ** 2, SIZES) == 2 and degree(Norm(Product(A, x)) ** -4, SIZES) == 8


def test_the_cofactors_of_larger_matrices_are_of_higher_degree():
    assert degree(Adjugate(A), {n: 4}) == 3 and degree(Adjugate(Inverse(A)), {n: 3}) == 2 * (2 + 3)


def test_the_pseudo_inverse_of_a_tall_matrix_is_that_of_its_columns():
    """(2r - 1, 2r) for r columns: A^+ = (A'A)^-1 A'."""
    assert degree(PseudoInverse(Variable("T", 5, 2)), {}) == 3 + 4


# -------------------------------------------------------------------------------- the bound of a witness


def test_a_small_field_errs_about_as_often_as_the_bound_allows(monkeypatch):
    """In the field of 31 elements a false result passes now and then, and not more often than we say."""
    monkeypatch.setattr("derivations.verification.arithmetic.PRIME", 31)
    monkeypatch.setattr(exact, "PRIME", 31)
    d = derive("x'*y", "x", variables=SHAPES)
    false = replace(d, result=Product(d.result, sympy.S.One) * Symbol("s", real=True), steps=())
    false = replace(false, variables=(*d.variables, Symbol("s", real=True)))
    words = [exact.check(false, points=1, seed=seed) for seed in range(600)]
    bound = words[0].error_bound
    passed = sum(w.passed for w in words)
    assert 0 < passed <= 600 * bound < 600


def test_a_bound_is_stated_for_a_result_without_lines_too():
    d = derive("x'*A*x", "x", variables=SHAPES)
    assert 0 < exact.check(replace(d, steps=())).error_bound < exact.check(d).error_bound < 1e-30


def test_a_definition_makes_an_error_likelier():
    d = derive("h'*h", "x", variables=SHAPES, definitions={"h": "A*x"})
    short = derive("x'*x", "x", variables=SHAPES)
    assert exact.check(d).error_bound > exact.check(short).error_bound
