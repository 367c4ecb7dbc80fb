"""Where a matrix becomes a scalar: traces, determinants, norms."""

import pickle

import pytest
from sympy import Abs, Integer, S, Symbol

from derivations.errors import ShapeError
from derivations.expressions import (
    EntrySum,
    Identity,
    Inner,
    MatrixDifferential,
    Ones,
    Product,
    Scale,
    Sum,
    Transpose,
    Variable,
    Zero,
)
from derivations.scalars import (
    Det,
    LogDet,
    LogSumExp,
    Loss,
    Norm,
    ScalarDifferential,
    Trace,
    differential_of,
    mean,
)

m, n = (Symbol(name, integer=True, positive=True) for name in "mn")
s = Symbol("s", real=True)
A, M, N = Variable("A", m, n), Variable("M", n, n), Variable("N", n, n)
x, y = Variable("x", n, 1), Variable("y", n, 1)


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (Trace(Scale(s, M)), s * Trace(M)),
        (Trace(Transpose(M)), Trace(M)),
        (Trace(Identity(n)), n),
        (Trace(Zero(n, n)), S.Zero),
        (Trace(Product(x, Transpose(y))), Inner(Transpose(y), x)),
        (Trace(Product(M, x, Transpose(y))), Inner(Transpose(y), M, x)),
        (Trace(Product(M, Ones(n), Transpose(x))), Inner(Transpose(x), M, Ones(n))),
        (Trace(s), s),
        (Det(Scale(2, M)), 2**n * Det(M)),
        (Det(Transpose(M)), Det(M)),
        (Det(Identity(n)), S.One),
        (Det(s), s),
        (LogDet(Transpose(M)), LogDet(M)),
        (LogDet(Identity(n)), S.Zero),
        (Norm(Scale(-2, A)), 2 * Norm(A)),
        (Norm(Transpose(A)), Norm(A)),
        (Norm(Zero(m, n)), S.Zero),
        (Norm(s), Abs(s)),
        (mean(A), EntrySum(A) / (m * n)),
        (differential_of(A), MatrixDifferential(A)),
        (differential_of(s), ScalarDifferential(s)),
    ],
    ids=str,
)
def test_normal_forms(built, expected):
    assert built == expected


@pytest.mark.parametrize("node", [Trace, Det, LogDet])
def test_only_square_matrices_have_traces_and_determinants(node):
    with pytest.raises(ShapeError, match=r"cannot take the \w+ of A \(m, n\): it is not square"):
        node(A)


NODES = [
    Trace(M),
    Trace(Product(M, N)),
    Det(Sum(M, N)),
    LogDet(M),
    Norm(A),
    LogSumExp(x),
    Loss("L", A),
    Loss("L", s),
    ScalarDifferential(Trace(M)),
]


@pytest.mark.parametrize("node", NODES, ids=str)
def test_a_node_rebuilds_from_its_parts_and_is_a_real_expression(node):
    assert node.func(*node.args) == node == pickle.loads(pickle.dumps(node))
    assert node.is_real and node.is_commutative
    assert ((1 + node) ** 2).expand() == 1 + 2 * node + node**2


def test_norms_know_their_sign():
    assert Norm(x).is_nonnegative and Abs(Norm(x)) == Norm(x)


def test_xreplace_reaches_the_matrix_of_a_scalar():
    f = 2 * Trace(Product(M, N)) + Det(M)
    assert f.xreplace({N: Zero(n, n)}) == Det(M)
    assert f.xreplace({M: Identity(n)}) == 2 * Trace(N) + 1
    assert Trace(M).xreplace({n: Integer(3)}).args[0].shape == (3, 3)
