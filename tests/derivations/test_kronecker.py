"""The nodes of the vec form: what their constructors make of them is right, in value and in shape."""

import pickle

import numpy as np
import pytest
from sympy import Integer, S, Symbol

from derivations.elementwise import Diag
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
from derivations.kronecker import Commutation, Kronecker, Unvec, Vec
from derivations.scalars import Det, Norm, Trace

m, n, p, q = (Symbol(name, integer=True, positive=True) for name in "mnpq")
s, t = Symbol("s", real=True), Symbol("t", positive=True)
SIZES = {m: Integer(2), n: Integer(3), p: Integer(4), q: Integer(5)}

A, B, C, D = Variable("A", m, n), Variable("B", p, q), Variable("C", n, p), Variable("D", q, m)
E, F = Variable("E", m, n), Variable("F", n, m)
M, N, P = Variable("M", m, m), Variable("N", n, n), Variable("P", n, n, "symmetric")
X, Z = Variable("X", q, n), Variable("Z", p, m)
a, b, c = Variable("a", m, 1), Variable("b", n, 1), Variable("c", p, 1)
d, e = Variable("d", m * n, 1), Variable("e", p * q, 1)
VARIABLES = (A, B, C, D, E, F, M, N, P, X, Z, a, b, c, d, e)


class Values(dict):
    """name -> 2-D array or number; v.A is v["A"]."""

    __getattr__ = dict.__getitem__


def draw(seed):
    """Values of all variables; square matrices are well conditioned."""
    generator = np.random.default_rng(seed)
    found = Values(s=-1.3, t=0.7, **{k.name: int(size) for k, size in SIZES.items()})
    for v in VARIABLES:
        rows, columns = (int(size.xreplace(SIZES)) for size in v.shape)
        found[v.name] = generator.normal(size=(rows, columns)) + (3 * np.eye(rows) if rows == columns else 0)
    found["P"] = found["P"] + found["P"].T
    return found


def vec(x):
    """The columns below one another."""
    return np.concatenate([x[:, j : j + 1] for j in range(x.shape[1])])


def unvec(x, rows, columns):
    return np.concatenate([x[j * rows : (j + 1) * rows] for j in range(columns)], 1)


def commutation(rows, columns):
    """Column k is K vec(U) = vec(U'), for the k-th of the unit matrices U."""
    units = [np.eye(rows * columns)[:, k : k + 1] for k in range(rows * columns)]
    return np.concatenate([vec(unvec(u, rows, columns).T) for u in units], 1)


def identities(*cases):
    """Parametrise over (what is built, what it must be, its value by numpy)."""
    return pytest.mark.parametrize(("built", "expected", "value"), cases, ids=lambda x: "" if callable(x) else str(x))


def check(built, expected, value, tree_value):
    assert built == expected
    for seed in range(3):
        numbers = draw(seed)
        wanted, got = np.atleast_2d(value(numbers)), np.atleast_2d(tree_value(built, numbers))
        assert got.shape == wanted.shape == tuple(int(S(size).xreplace(SIZES)) for size in shape_of(built))
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


# ----------------------------------------------------------------------------- Kronecker products


@identities(
    (Kronecker(A, Kronecker(B, C)), Kronecker(A, B, C), lambda v: np.kron(np.kron(v.A, v.B), v.C)),
    (Kronecker(Kronecker(A, B), C), Kronecker(A, B, C), lambda v: np.kron(v.A, np.kron(v.B, v.C))),
    (Kronecker(Scale(2, A), Scale(s, B)), Scale(2 * s, Kronecker(A, B)), lambda v: np.kron(2 * v.A, v.s * v.B)),
    (Kronecker(s, A, 3), Scale(3 * s, A), lambda v: 3 * v.s * v.A),
    (Kronecker(s, t), s * t, lambda v: v.s * v.t),
    (Kronecker(A), A, lambda v: v.A),
    (Kronecker(Identity(m), Identity(n)), Identity(m * n), lambda v: np.eye(6)),
    (Kronecker(Identity(1), A, Identity(1)), A, lambda v: v.A),
    (
        Kronecker(A, Identity(m), Identity(n), B),
        Kronecker(A, Identity(m * n), B),
        lambda v: np.kron(np.kron(v.A, np.eye(6)), v.B),
    ),
    (Kronecker(Ones(m, n), Ones(p, 1)), Ones(m * p, n), lambda v: np.ones((8, 3))),
    (Kronecker(Ones(1, n), Ones(p, 1)), Ones(p, n), lambda v: np.ones((4, 3))),
    (Kronecker(Zero(m, n), B), Zero(m * p, n * q), lambda v: np.zeros((8, 15))),
    (Kronecker(a, Transpose(b)), Product(a, Transpose(b)), lambda v: np.kron(v.a, v.b.T)),
    (Kronecker(Transpose(b), a), Product(a, Transpose(b)), lambda v: np.kron(v.b.T, v.a)),
    (
        Kronecker(A, a, Transpose(b), B),
        Kronecker(A, Product(a, Transpose(b)), B),
        lambda v: np.kron(np.kron(np.kron(v.A, v.a), v.b.T), v.B),
    ),
    (
        Kronecker(a, Transpose(b), c),
        Kronecker(Product(a, Transpose(b)), c),
        lambda v: np.kron(np.kron(v.a, v.b.T), v.c),
    ),
    (Transpose(Kronecker(A, B)), Kronecker(Transpose(A), Transpose(B)), lambda v: np.kron(v.A, v.B).T),
    (Transpose(Kronecker(P, Diag(a))), Kronecker(P, Diag(a)), lambda v: np.kron(v.P, np.diag(v.a[:, 0]))),
    (Inverse(Kronecker(M, N)), Kronecker(Inverse(M), Inverse(N)), lambda v: np.linalg.inv(np.kron(v.M, v.N))),
    (
        Transpose(Inverse(Kronecker(Scale(2, M), N))),
        Scale(S.Half, Kronecker(Transpose(Inverse(M)), Transpose(Inverse(N)))),
        lambda v: np.linalg.inv(np.kron(2 * v.M, v.N)).T,
    ),
    (
        Power(Kronecker(M, N), 2),
        Power(Kronecker(M, N), 2),
        lambda v: np.kron(v.M @ v.M, v.N @ v.N),
    ),
)
def test_kronecker_products_are_flat_and_their_scalars_stand_outside(built, expected, value, tree_value):
    check(built, expected, value, tree_value)


def test_what_is_square_as_a_whole_only_has_no_inverse_of_factors():
    built = Inverse(Kronecker(A, F))
    assert isinstance(built, Inverse) and built.args == (Kronecker(A, F),)


@identities(
    (
        Product(Kronecker(A, B), Kronecker(C, D)),
        Kronecker(Product(A, C), Product(B, D)),
        lambda v: np.kron(v.A, v.B) @ np.kron(v.C, v.D),
    ),
    (
        Product(Kronecker(A, B, M), Kronecker(C, D, Z.T)),
        Kronecker(Product(A, C), Product(B, D), Product(M, Z.T)),
        lambda v: np.kron(np.kron(v.A, v.B), v.M) @ np.kron(np.kron(v.C, v.D), v.Z.T),
    ),
    (
        Product(Kronecker(A, B), Transpose(Kronecker(A, B))),
        Kronecker(Product(A, A.T), Product(B, B.T)),
        lambda v: np.kron(v.A, v.B) @ np.kron(v.A, v.B).T,
    ),
    (
        # The middle factors are multiplied as one: I = I_p kron I_q.
        Product(Kronecker(A, Identity(p * q)), Kronecker(N, B, D)),
        None,
        lambda v: np.kron(v.A, np.eye(20)) @ np.kron(np.kron(v.N, v.B), v.D),
    ),
    (
        Product(Kronecker(A, Identity(p)), Kronecker(b, Identity(p))),
        Kronecker(Product(A, b), Identity(p)),
        lambda v: np.kron(v.A, np.eye(4)) @ np.kron(v.b, np.eye(4)),
    ),
    (
        Product(Kronecker(A, Identity(p)), Kronecker(b, c)),
        Kronecker(Product(A, b), c),
        lambda v: np.kron(v.A, np.eye(4)) @ np.kron(v.b, v.c),
    ),
    (
        Product(Kronecker(b.T, c.T), Kronecker(b, c)),
        Product(b.T, b) * Product(c.T, c),
        lambda v: np.kron(v.b.T, v.c.T) @ np.kron(v.b, v.c),
    ),
    (
        Product(Z, Kronecker(A, b.T), Kronecker(C, b)),
        Scale(Product(b.T, b), Product(Z, A, C)),
        lambda v: v.Z @ np.kron(v.A, v.b.T) @ np.kron(v.C, v.b),
    ),
    (Product(Kronecker(M, N), Inverse(Kronecker(M, N))), Identity(m * n), lambda v: np.eye(6)),
    (
        Product(Kronecker(M, N), Kronecker(Inverse(M), N)),
        Kronecker(Identity(m), Power(N, 2)),
        lambda v: np.kron(np.eye(2), v.N @ v.N),
    ),
    (
        # (m,n) kron (p,q) times (q,p) kron (n,m): only the whole conforms.
        Product(Kronecker(A, B), Kronecker(B.T, A.T)),
        Product(Kronecker(A, B), Kronecker(B.T, A.T)),
        lambda v: np.kron(v.A, v.B) @ np.kron(v.B.T, v.A.T),
    ),
)
def test_the_mixed_product(built, expected, value, tree_value):
    """(A kron B)(C kron D) = AC kron BD, where the factors conform."""
    check(built, built if expected is None else expected, value, tree_value)


# ------------------------------------------------------------------------------------------- vec


@identities(
    (Vec(a), a, lambda v: v.a),
    (Vec(a.T), a, lambda v: v.a),
    (Vec(s), s, lambda v: v.s),
    (Vec(Scale(s, A)), Scale(s, Vec(A)), lambda v: v.s * vec(v.A)),
    (Vec(Zero(m, n)), Zero(m * n, 1), lambda v: np.zeros((6, 1))),
    (Vec(Ones(m, n)), Ones(m * n, 1), lambda v: np.ones((6, 1))),
    (Vec(Unvec(d, m, n)), d, lambda v: v.d),
    (Vec(Product(a, b.T)), Kronecker(b, a), lambda v: vec(v.a @ v.b.T)),
    (Vec(Product(a, Ones(1, n))), Kronecker(Ones(n), a), lambda v: vec(v.a @ np.ones((1, 3)))),
    (
        Vec(Product(M, a, b.T, C)),
        Kronecker(Product(C.T, b), Product(M, a)),
        lambda v: vec(v.M @ v.a @ v.b.T @ v.C),
    ),
    (Vec(Sum(A, E)), Vec(Sum(E, A)), lambda v: vec(v.A + v.E)),
    (Vec(Kronecker(A, B)), Vec(Kronecker(A, B)), lambda v: vec(np.kron(v.A, v.B))),
    (Product(Kronecker(A, B), Vec(X)), Vec(Product(B, X, A.T)), lambda v: np.kron(v.A, v.B) @ vec(v.X)),
    (Product(Kronecker(C.T, M), Vec(E)), Vec(Product(M, E, C)), lambda v: np.kron(v.C.T, v.M) @ vec(v.E)),
    (Product(Kronecker(Identity(n), M), Vec(E)), Vec(Product(M, E)), lambda v: np.kron(np.eye(3), v.M) @ vec(v.E)),
    (Product(Kronecker(N, Identity(m)), Vec(E)), Vec(Product(E, N.T)), lambda v: np.kron(v.N, np.eye(2)) @ vec(v.E)),
    (Product(Kronecker(A, c.T), Vec(C.T)), Product(A, C, c), lambda v: np.kron(v.A, v.c.T) @ vec(v.C.T)),
    (Product(Kronecker(b.T, a.T), Vec(E)), Product(a.T, E, b), lambda v: np.kron(v.b.T, v.a.T) @ vec(v.E)),
    (
        # One of three: F kron M kron N = F kron (M kron N).
        Product(Kronecker(F, M, N), Vec(Kronecker(M, b))),
        Vec(Product(Kronecker(Power(M, 2), Product(N, b)), F.T)),
        lambda v: np.kron(np.kron(v.F, v.M), v.N) @ vec(np.kron(v.M, v.b)),
    ),
    (
        # Of a vector that is no vec nothing is known.
        Product(Kronecker(M, N), d),
        Product(Kronecker(M, N), d),
        lambda v: np.kron(v.M, v.N) @ v.d,
    ),
)
def test_vec(built, expected, value, tree_value):
    """vec(A X B) = (B' kron A) vec(X), read from right to left."""
    check(built, expected, value, tree_value)


@identities(
    (Unvec(Vec(A), m, n), A, lambda v: v.A),
    (Unvec(Scale(s, Vec(A)), m, n), Scale(s, A), lambda v: v.s * v.A),
    (Unvec(Vec(A), n, m), Unvec(Vec(A), n, m), lambda v: unvec(vec(v.A), 3, 2)),
    (Unvec(d, m, n), Unvec(d, m, n), lambda v: unvec(v.d, 2, 3)),
    (Unvec(d, m * n, 1), d, lambda v: v.d),
    (Unvec(d, 1, m * n), d.T, lambda v: v.d.T),
    (Unvec(Zero(m * n, 1), m, n), Zero(m, n), lambda v: np.zeros((2, 3))),
    (Unvec(Ones(m * n, 1), m, n), Ones(m, n), lambda v: np.ones((2, 3))),
    (Unvec(Kronecker(b, a), m, n), Product(a, b.T), lambda v: unvec(np.kron(v.b, v.a), 2, 3)),
    (Unvec(Kronecker(c, b, a), m, n * p), Product(a, Kronecker(c.T, b.T)), lambda v: v.a @ np.kron(v.c, v.b).T),
    (Unvec(Kronecker(c, b, a), m * n, p), Product(Kronecker(b, a), c.T), lambda v: np.kron(v.b, v.a) @ v.c.T),
    (
        Unvec(Sum(Vec(A), Scale(s, Kronecker(b, a)), Scale(-1, d)), m, n),
        Sum(A, Scale(s, Product(a, b.T)), Scale(-1, Unvec(d, m, n))),
        lambda v: v.A + v.s * v.a @ v.b.T - unvec(v.d, 2, 3),
    ),
    (
        Unvec(Product(Kronecker(A, Z), Vec(E), Ones(1, 1)), p, m),
        Product(Z, E, A.T),
        lambda v: unvec(np.kron(v.A, v.Z) @ vec(v.E), 4, 2),
    ),
    (
        Unvec(Product(Kronecker(N, Z), d), p, n),
        Product(Z, Unvec(d, m, n), N.T),
        lambda v: unvec(np.kron(v.N, v.Z) @ v.d, 4, 3),
    ),
    (
        Unvec(Product(Commutation(n, m), d), m, n),
        Unvec(d, n, m).T,
        lambda v: unvec(commutation(3, 2) @ v.d, 2, 3),
    ),
)
def test_unvec(built, expected, value, tree_value):
    check(built, expected, value, tree_value)


@pytest.mark.parametrize(("rows", "columns"), [(m, p), (n, n), (1, n)])
def test_a_vector_of_another_size_is_no_matrix_of_the_shape(rows, columns):
    with pytest.raises(ShapeError, match=r"cannot make a matrix \(.*\) of d \(m\*n, 1\)"):
        Unvec(d, rows, columns)


# ---------------------------------------------------------------------------- commutation matrices


@identities(
    (Commutation(m, n), Commutation(m, n), lambda v: commutation(2, 3)),
    (Commutation(n, n), Commutation(n, n), lambda v: commutation(3, 3)),
    (Commutation(1, n), Identity(n), lambda v: np.eye(3)),
    (Commutation(n, 1), Identity(n), lambda v: np.eye(3)),
    (Transpose(Commutation(m, n)), Commutation(n, m), lambda v: commutation(2, 3).T),
    (Inverse(Commutation(m, n)), Commutation(n, m), lambda v: np.linalg.inv(commutation(2, 3))),
    (Product(Commutation(m, n), Commutation(n, m)), Identity(m * n), lambda v: np.eye(6)),
    (Product(Commutation(n, n), Commutation(n, n)), Identity(n**2), lambda v: np.eye(9)),
    (Product(Commutation(m, n), Vec(A)), Vec(A.T), lambda v: vec(v.A.T)),
    (Product(Commutation(n, m), Vec(A.T)), Vec(A), lambda v: vec(v.A)),
    (Product(Commutation(n, n), Vec(P)), Vec(P), lambda v: vec(v.P)),
    (Product(Commutation(n, p), Kronecker(c, N)), Kronecker(N, c), lambda v: np.kron(v.N, v.c)),
    (Product(Commutation(n, p), Kronecker(Z, b)), Kronecker(b, Z), lambda v: np.kron(v.b, v.Z)),
    (Product(Commutation(n, m), Kronecker(a, b)), Kronecker(b, a), lambda v: np.kron(v.b, v.a)),
    (Product(Kronecker(A, c.T), Commutation(n, p)), Kronecker(c.T, A), lambda v: np.kron(v.c.T, v.A)),
    (Product(Kronecker(c.T, A), Commutation(p, n)), Kronecker(A, c.T), lambda v: np.kron(v.A, v.c.T)),
    (
        Product(Commutation(m, p), Kronecker(B, A), Commutation(q, n)),
        Product(Commutation(m, p), Kronecker(B, A), Commutation(q, n)),
        lambda v: np.kron(v.A, v.B),
    ),
    (
        # Of another shape than K is for: nothing is known.
        Product(Commutation(n, m), Vec(A)),
        Product(Commutation(n, m), Vec(A)),
        lambda v: commutation(3, 2) @ vec(v.A),
    ),
    (
        Product(Commutation(m, n), Commutation(m, n)),
        Power(Commutation(m, n), 2),
        lambda v: commutation(2, 3) @ commutation(2, 3),
    ),
)
def test_commutation_matrices(built, expected, value, tree_value):
    check(built, expected, value, tree_value)


# ------------------------------------------------------------------------------- scalars of them


@identities(
    (Trace(Kronecker(M, N)), Trace(M) * Trace(N), lambda v: np.trace(np.kron(v.M, v.N))),
    (Trace(Kronecker(M, Identity(n))), n * Trace(M), lambda v: np.trace(np.kron(v.M, np.eye(3)))),
    (Trace(Kronecker(A, F)), Trace(Kronecker(A, F)), lambda v: np.trace(np.kron(v.A, v.F))),
    (Det(Kronecker(M, N)), Det(M) ** n * Det(N) ** m, lambda v: np.linalg.det(np.kron(v.M, v.N))),
    (
        Det(Kronecker(M, N, M)),
        Det(M) ** (2 * m * n) * Det(N) ** (m**2),
        lambda v: np.linalg.det(np.kron(np.kron(v.M, v.N), v.M)),
    ),
    (Norm(Kronecker(A, B)), Norm(A) * Norm(B), lambda v: np.linalg.norm(np.kron(v.A, v.B))),
    (Norm(Vec(A)), Norm(A), lambda v: np.linalg.norm(vec(v.A))),
    (Norm(Scale(s, Vec(A))), abs(s) * Norm(A), lambda v: np.linalg.norm(v.s * vec(v.A))),
)
def test_traces_determinants_and_norms_of_kronecker_products(built, expected, value, tree_value):
    check(built, expected, value, tree_value)


def test_the_determinant_of_factors_that_are_not_square_stays():
    """It is zero, but that takes an argument about ranks."""
    built = Det(Kronecker(A, F))
    assert built.func is Det and built.args == (Kronecker(A, F),)


# --------------------------------------------------------------------------- trees of SymPy's kind

NODES = [
    Kronecker(A, B),
    Kronecker(A, B, C),
    Kronecker(A, Identity(p)),
    Kronecker(Product(A, C), Sum(B, Zero(p, q), Scale(2, B))),
    Kronecker(a, b),
    Vec(A),
    Vec(Kronecker(A, B)),
    Vec(Product(A, C)),
    Unvec(d, m, n),
    Unvec(Vec(A), n, m),
    Commutation(m, n),
    Commutation(n, n),
    Commutation(m * n, p),
    Product(Kronecker(A, B), e.xreplace({e: Variable("f", n * q, 1)})),
    Product(Commutation(m, n), d),
]


@pytest.mark.parametrize("node", NODES, ids=str)
def test_a_node_rebuilds_from_its_parts(node):
    assert node.func(*node.args) == node
    assert node.func(*node.args).args == node.args
    assert node.func(*node.args).shape == node.shape
    assert pickle.loads(pickle.dumps(node)) == node


@pytest.mark.parametrize(
    ("tree", "replaced", "expected"),
    [
        (Kronecker(A, B), {B: Zero(p, q)}, Zero(m * p, n * q)),
        (Kronecker(M, N), {M: Identity(m), N: Identity(n)}, Identity(m * n)),
        (Vec(Product(A, C)), {C: Product(b, c.T)}, Kronecker(c, Product(A, b))),
        (Unvec(d, m, n), {d: Vec(A)}, A),
        (Kronecker(A, B), {m: S.One, n: S.One}, None),
        (Commutation(m, n), {m: S.One}, Identity(n)),
    ],
    ids=str,
)
def test_xreplace_normalises(tree, replaced, expected):
    new = tree.xreplace(replaced)
    assert new.func(*new.args) == new
    assert expected is None or new == expected


def test_factors_keep_their_order():
    """A kron B is not B kron A."""
    assert Kronecker(A, B) != Kronecker(B, A) and Kronecker(M, N).shape == Kronecker(N, M).shape


def test_sizes_of_products_compare_in_any_order():
    assert Kronecker(M, N).shape == Kronecker(N, M).shape == (m * n, n * m)
    assert Sum(Kronecker(M, N), Kronecker(N, M)).shape == (m * n, m * n)
