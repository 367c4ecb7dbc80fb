"""Functions of matrices, eigenvalues and generalised inverses: what their constructors make of them is right."""

import pickle

import numpy as np
import pytest
from sympy import Integer, Rational, S, Symbol, cos, exp, log, sin, sqrt

from derivations import derive
from derivations.elementwise import SLOTS
from derivations.errors import ShapeError
from derivations.expressions import (
    Identity,
    Inverse,
    Ones,
    Power,
    Product,
    Scale,
    Sum,
    Transpose,
    Variable,
    Zero,
    shape_of,
)
from derivations.spectral import (
    EIGENVALUE,
    FUNCTION_NAMES,
    MATRIX_FUNCTIONS,
    Adjugate,
    Frechet,
    LargestEigenvalue,
    LargestEigenvector,
    MatrixFunction,
    NuclearNorm,
    PseudoInverse,
    function_of,
    polar_factor,
    scalar_function,
    symmetric_part,
)

m, n = (Symbol(name, integer=True, positive=True) for name in "mn")
s, t = Symbol("s", real=True), Symbol("t", positive=True)
SIZES = {m: Integer(4), n: Integer(3)}
u, z = SLOTS[0], EIGENVALUE

A, B = Variable("A", m, n), Variable("B", n, m)
M, N = Variable("M", n, n), Variable("N", n, n)
P = Variable("P", n, n, "positive_definite")
Q = Variable("Q", n, n, "orthogonal")
R = Variable("R", n, n, "invertible")
x, y = Variable("x", n, 1), Variable("y", n, 1)


class Values(dict):
    """name -> 2-D array or number; v.A is v["A"]."""

    __getattr__ = dict.__getitem__


def draw(seed):
    generator = np.random.default_rng(seed)
    g = lambda *shape: generator.normal(size=shape)  # noqa: E731
    found = Values(s=-1.3, t=0.7, m=4, n=3, A=g(4, 3), B=g(3, 4), M=g(3, 3), N=g(3, 3), x=g(3, 1), y=g(3, 1))
    root = g(3, 3)
    return Values(found, P=root @ root.T + np.eye(3), Q=np.linalg.qr(g(3, 3))[0], R=g(3, 3) + 3 * np.eye(3))


def spectral(function):
    """A function of a matrix by its eigenvalues."""

    def apply(a):
        values, vectors = np.linalg.eig(a.astype(complex))
        return ((vectors * function(values)) @ np.linalg.inv(vectors)).real

    return apply


EXP, LOG, SQRT, SIN, COS = map(spectral, (np.exp, np.log, np.sqrt, np.sin, np.cos))


def divided_difference(f, slope):
    """The Frechet derivative of a symmetric matrix: U (F o U'EU) U', F the divided differences (Daleckii & Krein)."""

    def apply(a, e):
        k, u = np.linalg.eigh(a)
        gaps = k[:, None] - k[None, :] + np.eye(len(k))
        table = (f(k)[:, None] - f(k)[None, :]) / gaps + np.diag(slope(k))
        return u @ (table * (u.T @ e @ u)) @ u.T

    return apply


def cofactors(a):
    """By minors."""
    indices = range(len(a))
    minor = lambda i, j: np.delete(np.delete(a, i, 0), j, 1)  # noqa: E731
    return np.array([[(-1) ** (i + j) * np.linalg.det(minor(i, j)) for j in indices] for i in indices])


def pinv(a):
    """By the normal equations, for a matrix of full rank."""
    return np.linalg.solve(a.T @ a, a.T) if a.shape[0] >= a.shape[1] else a.T @ np.linalg.inv(a @ a.T)


def sym(a):
    return (a + a.T) / 2


def vmax(a):
    """By power iteration on a shifted matrix; the largest entry is positive."""
    v, shifted = np.ones((len(a), 1)), sym(a) + np.linalg.norm(a) * np.eye(len(a))
    for _ in range(20000):
        v = shifted @ v
        v /= np.linalg.norm(v)
    return v * np.sign(v[np.abs(v).argmax()])


def lambda_max(a):
    v = vmax(a)
    return (v.T @ sym(a) @ v).item()


def norm_nuc(a):
    """tr (A'A)^(1/2)."""
    return np.sqrt(np.clip(np.linalg.eigvalsh(a.T @ a), 0, None)).sum()


def identities(*cases):
    """Parametrise over (what is built, what it must be, its value by numpy)."""
    return pytest.mark.parametrize(("built", "expected", "value"), cases, ids=lambda x: "" if callable(x) else str(x))


def check(built, expected, value, tree_value):
    assert built == expected
    for seed in range(3):
        numbers = draw(seed)
        wanted, got = np.atleast_2d(value(numbers)), np.atleast_2d(tree_value(built, numbers))
        assert got.shape == wanted.shape == tuple(int(S(size).xreplace(SIZES)) for size in shape_of(built))
        np.testing.assert_allclose(got, wanted, rtol=1e-7, atol=1e-7)


# --------------------------------------------------------------------------- functions of matrices


@identities(
    (MatrixFunction(exp(u), Zero(n, n)), Identity(n), lambda v: EXP(np.zeros((3, 3)))),
    (MatrixFunction(cos(u), Zero(n, n)), Identity(n), lambda v: COS(np.zeros((3, 3)))),
    (MatrixFunction(sin(u), Zero(n, n)), Zero(n, n), lambda v: SIN(np.zeros((3, 3)))),
    (MatrixFunction(sqrt(u), Zero(n, n)), Zero(n, n), lambda v: np.zeros((3, 3))),
    (MatrixFunction(exp(u), Identity(n)), Scale(exp(1), Identity(n)), lambda v: EXP(np.eye(3))),
    (MatrixFunction(log(u), Identity(n)), Zero(n, n), lambda v: LOG(np.eye(3))),
    (MatrixFunction(sqrt(u), Scale(4, Identity(n))), Scale(2, Identity(n)), lambda v: SQRT(4 * np.eye(3))),
    (MatrixFunction(exp(u), Scale(s, Identity(n))), Scale(exp(s), Identity(n)), lambda v: EXP(v.s * np.eye(3))),
    (MatrixFunction(log(u), Scale(t, Identity(n))), Scale(log(t), Identity(n)), lambda v: LOG(v.t * np.eye(3))),
    (MatrixFunction(exp(u), M), MatrixFunction(exp(u), M), lambda v: EXP(v.M)),
    (MatrixFunction(sin(u), M), MatrixFunction(sin(u), M), lambda v: SIN(v.M)),
    (MatrixFunction(cos(u), Product(M, N)), MatrixFunction(cos(u), Product(M, N)), lambda v: COS(v.M @ v.N)),
    (MatrixFunction(log(u), P), MatrixFunction(log(u), P), lambda v: LOG(v.P)),
    (MatrixFunction(sqrt(u), P), MatrixFunction(sqrt(u), P), lambda v: SQRT(v.P)),
    (Transpose(MatrixFunction(log(u), P)), MatrixFunction(log(u), P), lambda v: LOG(v.P).T),
    (
        Transpose(MatrixFunction(sqrt(u), Product(A.T, A))),
        MatrixFunction(sqrt(u), Product(A.T, A)),
        lambda v: SQRT(v.A.T @ v.A),
    ),
    (Transpose(MatrixFunction(exp(u), M)), MatrixFunction(exp(u), M).T, lambda v: EXP(v.M.T)),
)
def test_functions_of_matrices(built, expected, value, tree_value):
    check(built, expected, value, tree_value)


def test_the_logarithm_of_zero_is_not_worked_out():
    assert isinstance(MatrixFunction(log(u), Zero(n, n)), MatrixFunction)


def test_every_function_has_one_name():
    assert {FUNCTION_NAMES[f] for f in MATRIX_FUNCTIONS.values()} == set(MATRIX_FUNCTIONS)
    assert len(FUNCTION_NAMES) == len(MATRIX_FUNCTIONS)


EXP_P = divided_difference(np.exp, np.exp)
LOG_P = divided_difference(np.log, lambda k: 1 / k)
SQRT_P = divided_difference(np.sqrt, lambda k: 0.5 / np.sqrt(k))
SIN_P = divided_difference(np.sin, np.cos)
COS_P = divided_difference(np.cos, lambda k: -np.sin(k))
CUBE_P = divided_difference(lambda k: k**3, lambda k: 3 * k**2)


@identities(
    (Frechet(exp(u), P, M), Frechet(exp(u), P, M), lambda v: EXP_P(v.P, v.M)),
    (Frechet(log(u), P, M), Frechet(log(u), P, M), lambda v: LOG_P(v.P, v.M)),
    (Frechet(sqrt(u), P, M), Frechet(sqrt(u), P, M), lambda v: SQRT_P(v.P, v.M)),
    (Frechet(sin(u), P, M), Frechet(sin(u), P, M), lambda v: SIN_P(v.P, v.M)),
    (Frechet(cos(u), P, M), Frechet(cos(u), P, M), lambda v: COS_P(v.P, v.M)),
    (Frechet(u**3, P, M), Frechet(u**3, P, M), lambda v: CUBE_P(v.P, v.M)),
    (Frechet(exp(u), P, Scale(s, M)), Scale(s, Frechet(exp(u), P, M)), lambda v: v.s * EXP_P(v.P, v.M)),
    (Frechet(exp(u), P, Zero(n, n)), Zero(n, n), lambda v: np.zeros((3, 3))),
    (Transpose(Frechet(exp(u), P, M)), Frechet(exp(u), P, M.T), lambda v: EXP_P(v.P, v.M).T),
    (Transpose(Frechet(log(u), P, P)), Frechet(log(u), P, P), lambda v: LOG_P(v.P, v.P)),
    (Frechet(sqrt(u), P, Product(x, y.T)), Frechet(sqrt(u), P, Product(x, y.T)), lambda v: SQRT_P(v.P, v.x @ v.y.T)),
)
def test_frechet_derivatives(built, expected, value, tree_value):
    check(built, expected, value, tree_value)


def test_the_transpose_of_a_frechet_derivative_turns_both_arguments():
    assert Transpose(Frechet(exp(u), M, N)) == Frechet(exp(u), M.T, N.T)
    assert Transpose(Transpose(Frechet(exp(u), M, N))) == Frechet(exp(u), M, N)


# ------------------------------------------------------------------ adjugate, pseudo-inverse, inverse


@identities(
    (Adjugate(M), Adjugate(M), lambda v: cofactors(v.M).T),
    (Adjugate(Scale(s, M)), Scale(s ** (n - 1), Adjugate(M)), lambda v: cofactors(v.s * v.M).T),
    (Adjugate(Identity(n)), Identity(n), lambda v: cofactors(np.eye(3)).T),
    (Adjugate(Scale(s, Identity(n))), Scale(s ** (n - 1), Identity(n)), lambda v: cofactors(v.s * np.eye(3)).T),
    (Adjugate(M.T), Adjugate(M).T, lambda v: cofactors(v.M)),
    (Adjugate(Scale(2, M.T)), Scale(2 ** (n - 1), Adjugate(M).T), lambda v: cofactors(2 * v.M)),
    (Transpose(Adjugate(P)), Adjugate(P), lambda v: cofactors(v.P)),
    # Of rank two: it exists where no inverse does.
    (
        Adjugate(Product(x, y.T) + Product(y, y.T)),
        Adjugate(Product(x, y.T) + Product(y, y.T)),
        lambda v: cofactors(v.x @ v.y.T + v.y @ v.y.T).T,
    ),
    (PseudoInverse(A), PseudoInverse(A), lambda v: pinv(v.A)),
    (PseudoInverse(B), PseudoInverse(B), lambda v: pinv(v.B)),
    (PseudoInverse(x), PseudoInverse(x), lambda v: v.x.T / (v.x.T @ v.x)),
    (PseudoInverse(PseudoInverse(A)), A, lambda v: pinv(pinv(v.A))),
    (PseudoInverse(A.T), PseudoInverse(A).T, lambda v: pinv(v.A.T)),
    (PseudoInverse(Scale(2, A)), Scale(S.Half, PseudoInverse(A)), lambda v: pinv(2 * v.A)),
    (PseudoInverse(Scale(t, A.T)), Scale(1 / t, PseudoInverse(A).T), lambda v: pinv(v.t * v.A.T)),
    (PseudoInverse(Scale(s, A)), PseudoInverse(Scale(s, A)), lambda v: pinv(v.s * v.A)),
    (PseudoInverse(Identity(n)), Identity(n), lambda v: np.eye(3)),
    (PseudoInverse(Zero(m, n)), Zero(n, m), lambda v: np.zeros((3, 4))),
    (PseudoInverse(R), Inverse(R), lambda v: np.linalg.inv(v.R)),
    (PseudoInverse(P), Inverse(P), lambda v: np.linalg.inv(v.P)),
    (PseudoInverse(Inverse(M)), M, lambda v: v.M),
    (PseudoInverse(Q), Q.T, lambda v: np.linalg.inv(v.Q)),
    (
        Transpose(PseudoInverse(Product(A.T, A))),
        PseudoInverse(Product(A.T, A)),
        lambda v: np.linalg.inv(v.A.T @ v.A),
    ),
    (Inverse(Q), Q.T, lambda v: np.linalg.inv(v.Q)),
    (Product(Q, Q.T), Identity(n), lambda v: v.Q @ v.Q.T),
    (Product(Q.T, Q), Identity(n), lambda v: v.Q.T @ v.Q),
    (Product(A, Q, Q.T, M, Q.T, Q), Product(A, M), lambda v: v.A @ v.Q @ v.Q.T @ v.M @ v.Q.T @ v.Q),
    (Product(Inverse(Q), M, Q), Product(Q.T, M, Q), lambda v: v.Q.T @ v.M @ v.Q),
    (Product(x.T, Q.T, Q, y), Product(x.T, y), lambda v: v.x.T @ v.y),
    (Product(Q, Q), Power(Q, 2), lambda v: v.Q @ v.Q),
)
def test_adjugates_and_inverses(built, expected, value, tree_value):
    check(built, expected, value, tree_value)


def test_a_variable_of_differentiation_is_not_taken_to_stay_orthogonal_or_invertible():
    free = Variable("Q", n, n, "orthogonal", "independent")
    assert Product(free, free.T) != Identity(n) and isinstance(Inverse(free), Inverse)
    free = Variable("R", n, n, "invertible", "independent")
    assert isinstance(PseudoInverse(free), PseudoInverse)


# ------------------------------------------------------------------- eigenvalues and singular values


@identities(
    (LargestEigenvalue(M), LargestEigenvalue(M), lambda v: lambda_max(v.M)),
    (LargestEigenvalue(M.T), LargestEigenvalue(M), lambda v: lambda_max(v.M.T)),
    (LargestEigenvalue(Scale(t, M)), t * LargestEigenvalue(M), lambda v: lambda_max(v.t * v.M)),
    (LargestEigenvalue(Scale(-1, M)), LargestEigenvalue(-M), lambda v: lambda_max(-v.M)),
    (LargestEigenvalue(Scale(s, M.T)), LargestEigenvalue(Scale(s, M)), lambda v: lambda_max(v.s * v.M)),
    (LargestEigenvalue(Scale(s, Identity(n))), s, lambda v: v.s),
    (LargestEigenvalue(Scale(-2, Identity(n))), S(-2), lambda v: -2.0),
    (LargestEigenvalue(s), s, lambda v: v.s),
    (LargestEigenvector(M), LargestEigenvector(M), lambda v: vmax(v.M)),
    (LargestEigenvector(M.T), LargestEigenvector(M), lambda v: vmax(v.M)),
    (LargestEigenvector(Scale(t, M)), LargestEigenvector(M), lambda v: vmax(v.t * v.M)),
    (LargestEigenvector(-M), LargestEigenvector(Scale(-1, M)), lambda v: vmax(-v.M)),
    (NuclearNorm(A), NuclearNorm(A), lambda v: norm_nuc(v.A)),
    (NuclearNorm(A.T), NuclearNorm(A), lambda v: norm_nuc(v.A.T)),
    (NuclearNorm(Scale(s, A)), abs(s) * NuclearNorm(A), lambda v: norm_nuc(v.s * v.A)),
    (NuclearNorm(Scale(-2, A.T)), 2 * NuclearNorm(A), lambda v: norm_nuc(-2 * v.A)),
    (NuclearNorm(Zero(m, n)), S.Zero, lambda v: 0.0),
    (NuclearNorm(s), abs(s), lambda v: abs(v.s)),
    (NuclearNorm(x), NuclearNorm(x), lambda v: np.linalg.norm(v.x)),
)
def test_eigenvalues_and_singular_values(built, expected, value, tree_value):
    check(built, expected, value, tree_value)


def test_norms_know_their_sign():
    assert NuclearNorm(A).is_nonnegative and abs(NuclearNorm(A)) == NuclearNorm(A)
    assert LargestEigenvalue(M).is_real and LargestEigenvalue(M).is_nonnegative is None


# ----------------------------------------------------------------------------------- helpers

EXPM, LOGM, ROOT = (MatrixFunction(f, P) for f in (exp(u), log(u), sqrt(u)))


@identities(
    (symmetric_part(M), Scale(S.Half, Sum(M, M.T)), lambda v: sym(v.M)),
    (symmetric_part(P), P, lambda v: v.P),
    (
        polar_factor(A),
        Product(PseudoInverse(A).T, MatrixFunction(sqrt(u), Product(A.T, A))),
        lambda v: (lambda w, _, z: w @ z)(*np.linalg.svd(v.A, full_matrices=False)),
    ),
    (function_of(exp(z), P), EXPM, lambda v: EXP(v.P)),
    (function_of(S(3), P), Scale(3, Identity(n)), lambda v: 3 * np.eye(3)),
    (function_of(z, P), P, lambda v: v.P),
    (function_of(1 / z, P), Inverse(P), lambda v: np.linalg.inv(v.P)),
    (function_of(z**3, P), Power(P, 3), lambda v: v.P @ v.P @ v.P),
    (function_of(sqrt(z), P), ROOT, lambda v: SQRT(v.P)),
    (function_of(1 / sqrt(z), P), Inverse(ROOT), lambda v: np.linalg.inv(SQRT(v.P))),
    (function_of(z ** Rational(5, 2), P), Product(Power(P, 2), ROOT), lambda v: v.P @ v.P @ SQRT(v.P)),
    (function_of(z * log(z), P), Product(P, LOGM), lambda v: v.P @ LOG(v.P)),
    (function_of(log(z) + 1, P), Sum(Identity(n), LOGM), lambda v: LOG(v.P) + np.eye(3)),
    (function_of(exp(s * z), P), MatrixFunction(exp(u), Scale(s, P)), lambda v: EXP(v.s * v.P)),
    (function_of(cos(exp(z)), M), MatrixFunction(cos(u), MatrixFunction(exp(u), M)), lambda v: COS(EXP(v.M))),
)
def test_scalar_functions_become_functions_of_matrices(built, expected, value, tree_value):
    check(built, expected, value, tree_value)


@pytest.mark.parametrize("function", [log(z) ** s, S.Half**z, Symbol("k") ** z + z**s], ids=str)
def test_functions_without_a_name_are_none(function):
    assert function_of(function, P) is None


@pytest.mark.parametrize(
    ("factors", "matrix", "expected"),
    [
        ((P, LOGM), P, z * log(z)),
        ((Inverse(P), ROOT, EXPM), P, exp(z) / sqrt(z)),
        ((Power(P, 2), MatrixFunction(exp(u), Scale(s, P))), P, z**2 * exp(s * z)),
        ((A.T, A, MatrixFunction(log(u), Product(A.T, A))), Product(A.T, A), z * log(z)),
        ((P, M), P, None),
        ((A.T, A, A.T), Product(A.T, A), None),
    ],
    ids=str,
)
def test_commuting_factors_become_one_scalar_function(factors, matrix, expected):
    assert scalar_function(factors, matrix) == expected


def test_eigenvalues_may_be_complex():
    """sqrt(exp z) is not exp(z/2), nor log(exp z) = z or sqrt(z^4) = z^2."""
    for function in (sqrt(exp(z)), log(exp(z)), sqrt(z**4)):
        outer, inner = function.func(u, *function.args[1:]), function.args[0]
        assert function_of(function, M) == MatrixFunction(outer, function_of(inner, M)) != M
    d = derive("tr(sqrtm(expm(A)))", "A")
    a = np.array([[0.1, -4.0], [4.0, 0.2]])
    f, h = d.to_function("numpy"), 1e-6

    def root(a):
        return np.sqrt(np.exp(np.linalg.eigvals(a).astype(complex))).sum().real

    bumps = [[h * np.eye(2)[:, [i]] @ np.eye(2)[[j]] for j in range(2)] for i in range(2)]
    differences = [[(root(a + b) - root(a - b)) / (2 * h) for b in row] for row in bumps]
    np.testing.assert_allclose(f(A=a), differences, rtol=1e-6)


# --------------------------------------------------------------------------- trees of SymPy's kind

NODES = [
    *(MatrixFunction(f, M) for f in MATRIX_FUNCTIONS.values()),
    MatrixFunction(exp(u), Scale(s, M)),
    MatrixFunction(sqrt(u), Product(A.T, A)),
    *(Frechet(f, M, N) for f in MATRIX_FUNCTIONS.values()),
    Frechet(u**3, M, N),
    Frechet(u ** Symbol("k", integer=True), M, N),
    Adjugate(M),
    Adjugate(Sum(M, N)),
    PseudoInverse(A),
    PseudoInverse(x),
    PseudoInverse(Scale(s, A)),
    PseudoInverse(Product(A, M)),
    LargestEigenvalue(M),
    LargestEigenvalue(Scale(-1, M)),
    LargestEigenvector(M),
    LargestEigenvector(Scale(s, M)),
    NuclearNorm(A),
    NuclearNorm(Sum(A, B.T)),
]


@pytest.mark.parametrize("node", NODES, ids=str)
def test_a_node_rebuilds_from_its_parts(node):
    assert node.func(*node.args) == node
    assert node.func(*node.args).args == node.args
    assert shape_of(node.func(*node.args)) == shape_of(node)
    assert pickle.loads(pickle.dumps(node)) == node


@pytest.mark.parametrize(
    ("tree", "replaced", "expected"),
    [
        (MatrixFunction(exp(u), M), {M: Zero(n, n)}, Identity(n)),
        (MatrixFunction(log(u), Scale(s, P)), {P: Identity(n)}, Scale(log(s), Identity(n))),
        (Frechet(exp(u), M, N), {N: Zero(n, n)}, Zero(n, n)),
        (Frechet(exp(u), M, N), {N: Scale(2, P)}, Scale(2, Frechet(exp(u), M, P))),
        (PseudoInverse(M), {M: R}, Inverse(R)),
        (NuclearNorm(M), {M: Scale(-3, N)}, 3 * NuclearNorm(N)),
        (LargestEigenvalue(Sum(M, N)), {M: N}, 2 * LargestEigenvalue(N)),
        (Product(M, N), {M: Q, N: Q.T}, Identity(n)),
    ],
    ids=str,
)
def test_xreplace_normalises(tree, replaced, expected):
    assert tree.xreplace(replaced) == expected


@pytest.mark.parametrize("exponent", [Integer(1), Integer(0)], ids=["the first power", "the power zero"])
def test_a_power_that_turns_out_to_be_trivial(exponent, tree_value):
    """k dA A^(k-1) at k = 1 and k = 0."""
    k = Symbol("k", integer=True)
    built = Frechet(u**k, M, N).xreplace({k: exponent})
    assert built == (N if exponent == 1 else Zero(n, n))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: MatrixFunction(exp(u), A), r"cannot take expm of A \(m, n\): it is not square"),
        (lambda: MatrixFunction(sqrt(u), x), r"cannot take sqrtm of x \(n, 1\): it is not square"),
        (lambda: Adjugate(A), r"cannot take the adjugate of A \(m, n\): it is not square"),
        (lambda: LargestEigenvalue(A), r"cannot take the largest eigenvalue of A \(m, n\): it is not square"),
        (lambda: LargestEigenvector(A), r"cannot take the eigenvector of A \(m, n\): it is not square"),
    ],
)
def test_what_is_not_square_has_no_spectrum(build, message):
    with pytest.raises(ShapeError, match=message):
        build()


def test_ones_are_no_exception():
    """A matrix of rank one has one singular value."""
    assert isinstance(NuclearNorm(Ones(m, n)), NuclearNorm)
