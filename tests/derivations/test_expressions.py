"""The matrix half of the tree: constructors normalise what is always right, and nothing else."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Integer, Rational, S, Symbol, exp, log, sin

from derivations.api import read
from derivations.elementwise import SLOTS, Apply, Diag, DiagonalOf, Hadamard, Softmax, split_elementwise_power
from derivations.errors import DomainError, ShapeError
from derivations.expressions import (
    EntrySum,
    Identity,
    Inner,
    Inverse,
    LossGradient,
    MatrixDifferential,
    Ones,
    Power,
    Product,
    Scale,
    Sum,
    Transpose,
    Variable,
    Zero,
    add,
    depends,
    is_matrix,
    is_vector,
    multiply,
    shape_of,
    split_power,
)
from derivations.verification import interpreter

m, n, k = (Symbol(name, integer=True, positive=True) for name in "mnk")
s, t = Symbol("s", real=True), Symbol("t", positive=True)
A, B, C = Variable("A", m, n), Variable("B", n, k), Variable("C", m, n)
M, N = Variable("M", n, n), Variable("N", n, n)
P = Variable("P", n, n, "symmetric")
x, y, z = Variable("x", n, 1), Variable("y", n, 1), Variable("z", m, 1)
u = SLOTS[0]


def same(pairs):
    """Parametrise over (what is built, what it must be)."""
    return pytest.mark.parametrize(("built", "expected"), pairs, ids=lambda e: str(e))


# ------------------------------------------------------------------------------- products


@same(
    [
        (Product(A, Product(B, Transpose(B))), Product(A, B, Transpose(B))),
        (Product(Scale(2, A), Scale(s, B)), Scale(2 * s, Product(A, B))),
        (Product(s, A, 3, B), Scale(3 * s, Product(A, B))),
        (Product(Identity(m), A, Identity(n)), A),
        (Product(Identity(n), Identity(n)), Identity(n)),
        (Product(A, Zero(n, k)), Zero(m, k)),
        (Product(A), A),
        (Product(Ones(m, n), Ones(n, k)), Scale(n, Ones(m, k))),
        (Product(Ones(1, n), Ones(n, 1)), n),
    ]
)
def test_product_is_flat_and_its_scalars_stand_outside(built, expected):
    assert built == expected


@same(
    [
        (Product(M, M), Power(M, 2)),
        (Product(M, Power(M, 2)), Power(M, 3)),
        (Product(Power(M, k), M), Power(M, k + 1)),
        (Product(Inverse(M), Inverse(M)), Power(Inverse(M), 2)),
        (Product(Power(M, 3), Inverse(M)), Power(M, 2)),
        (Product(N, M, Inverse(M), N), Power(N, 2)),
        (Product(N, M, Inverse(M), Inverse(N), x), x),
        (Product(Transpose(M), Transpose(Inverse(M)), x), x),
        (Product(Transpose(M), Transpose(M)), Transpose(Power(M, 2))),
    ]
)
def test_neighbouring_powers_of_one_base_join(built, expected):
    assert built == expected


@pytest.mark.parametrize(
    "factors",
    [
        (M, Inverse(M)),
        (Inverse(M), M),
        (Power(M, 2), Inverse(M), Inverse(M)),
        (Power(M, k), Power(M, -k)),
        (Transpose(M), Transpose(Inverse(M))),
        (N, M, Inverse(M), Inverse(N)),
    ],
    ids=str,
)
def test_a_matrix_times_its_inverse_is_the_identity(factors):
    assert Product(*factors) == Identity(n)


@same(
    [
        (Product(Transpose(x), y), Inner(Transpose(x), y)),
        (Product(Transpose(x), M, y), Inner(Transpose(x), M, y)),
        (Product(x, Transpose(x), y), Scale(Inner(Transpose(x), y), x)),
        (Product(z, Transpose(x), y, Transpose(x)), Scale(Inner(Transpose(x), y), Product(z, Transpose(x)))),
        (Product(Transpose(x), Ones(n)), EntrySum(x)),
        (Product(Ones(1, m), A, y), EntrySum(Product(A, y))),
        (Product(Ones(1, m), A, Ones(n)), EntrySum(A)),
        (Product(Transpose(x), Scale(s, y)), s * Inner(Transpose(x), y)),
    ]
)
def test_a_row_times_a_column_is_a_scalar_at_once(built, expected):
    assert built == expected


@pytest.mark.parametrize("scalar", [Product(Transpose(x), M, y), Product(Transpose(x), Ones(n)), EntrySum(A)], ids=str)
def test_matrix_scalars_are_real_sympy_expressions(scalar):
    assert not is_matrix(scalar) and scalar.is_real and scalar.is_commutative
    assert ((scalar + 1) ** 2).expand() == scalar**2 + 2 * scalar + 1


def test_ones_between_a_row_and_a_column_leave_a_size():
    assert Product(z, Ones(1, n), Ones(n, 1)) == Scale(n, z)
    assert Product(z, Ones(1, n), Ones(n, 1), Transpose(x)) == Scale(n, Product(z, Transpose(x)))


# -------------------------------------------------------------------------------- transposes


@same(
    [
        (Transpose(Transpose(A)), A),
        (Transpose(Product(A, B)), Product(Transpose(B), Transpose(A))),
        (Transpose(Scale(s, A)), Scale(s, Transpose(A))),
        (Transpose(Inner(Transpose(x), y)), Inner(Transpose(x), y)),
        (Transpose(P), P),
        (Transpose(Power(P, 3)), Power(P, 3)),
        (Transpose(Inverse(P)), Inverse(P)),
        (Transpose(Apply(exp(u), P)), Apply(exp(u), P)),
        (Transpose(Identity(n)), Identity(n)),
        (Transpose(Diag(x)), Diag(x)),
        (Transpose(Ones(m, n)), Ones(n, m)),
        (Transpose(Zero(m, n)), Zero(n, m)),
        (Transpose(Sum(P, Identity(n))), Sum(P, Identity(n))),
        (Transpose(Sum(Product(M, Transpose(M)), P)), Sum(Product(M, Transpose(M)), P)),
        (Inverse(Transpose(M)), Transpose(Inverse(M))),
        (Power(Transpose(M), 2), Transpose(Power(M, 2))),
        (Apply(exp(u), Transpose(A)), Transpose(Apply(exp(u), A))),
        (M.T, Transpose(M)),
    ]
)
def test_transposes_move_to_where_they_cost_least(built, expected):
    assert built == expected


@pytest.mark.parametrize("prop", ["symmetric", "positive_definite", "diagonal"])
def test_symmetric_matrices_equal_their_transpose(prop):
    matrix = Variable("Q", n, n, prop)
    assert Transpose(matrix) == matrix


@pytest.mark.parametrize("prop", ["invertible", "positive", "posdet"])
def test_other_matrices_do_not(prop):
    matrix = Variable("Q", n, n, prop)
    assert Transpose(matrix) != matrix


# -------------------------------------------------------------------------------------- sums


@same(
    [
        (Sum(A, C), Sum(C, A)),
        (Sum(A, Scale(-1, C), A), Sum(Scale(-1, C), Scale(2, A))),
        (Sum(A, A), Scale(2, A)),
        (Sum(A, Scale(-1, A)), Zero(m, n)),
        (Sum(A, Sum(C, Scale(s, A))), Sum(Scale(1 + s, A), C)),
        (Sum(A, Scale(-1, Sum(A, C))), Scale(-1, C)),
        (Sum(A, Zero(m, n)), A),
        (Sum(A), A),
        (A + C - A, C),
        (Hadamard(A, C), Hadamard(C, A)),
        (add(s, 1), s + 1),
    ]
)
def test_sums_collect_like_terms_and_compare_in_any_order(built, expected):
    assert built == expected and hash(built) == hash(expected)


def test_sums_keep_the_order_in_which_they_were_written():
    assert Sum(C, A).args == (C, A) and Sum(A, C).args == (A, C)


@same(
    [
        (Scale(2, Scale(s, A)), Scale(2 * s, A)),
        (Scale(1, A), A),
        (Scale(0, A), Zero(m, n)),
        (Scale(s, Zero(m, n)), Zero(m, n)),
        (Scale(2, s), 2 * s),
        (A / 2, Scale(Rational(1, 2), A)),
        (s * A, Scale(s, A)),
        (A * s, Scale(s, A)),
        (multiply(s, 2), 2 * s),
        (-A, Scale(-1, A)),
    ]
)
def test_scalar_coefficients_join(built, expected):
    assert built == expected


# ------------------------------------------------------------------------------- inverse, power


@same(
    [
        (Inverse(Inverse(M)), M),
        (Inverse(Identity(n)), Identity(n)),
        (Inverse(Scale(2, M)), Scale(Rational(1, 2), Inverse(M))),
        (Power(M, 0), Identity(n)),
        (Power(M, 1), M),
        (Power(M, -2), Power(Inverse(M), 2)),
        (Power(Power(M, 2), 3), Power(M, 6)),
        (Power(Scale(2, M), 3), Scale(8, Power(M, 3))),
        (Power(Identity(n), k), Identity(n)),
    ]
)
def test_powers(built, expected):
    assert built == expected


def test_a_power_is_split_into_base_and_exponent():
    assert split_power(Power(Inverse(M), 2)) == (M, -2)
    assert split_power(Transpose(Inverse(M))) == (Transpose(M), -1)
    assert split_power(M) == (M, 1)
    assert split_elementwise_power(Apply(u**3, A)) == (A, 3)
    assert split_elementwise_power(Apply(2**u, A)) == (Apply(2**u, A), 1)


# -------------------------------------------------------------------------------- elementwise


@same(
    [
        (Apply(u, A), A),
        (Apply(S(3), A), Scale(3, Ones(m, n))),
        (Apply(exp(u) + 1, A), Sum(Apply(exp(u), A), Ones(m, n))),
        (Apply(u * exp(u), A), Hadamard(A, Apply(exp(u), A))),
        (Apply(2 * sin(u), A), Scale(2, Apply(sin(u), A))),
        (Apply(exp(sin(u)), A), Apply(exp(u), Apply(sin(u), A))),
        (Apply(u**2, Apply(u**3, A)), Apply(u**6, A)),
        (Apply(1 / u, Apply(1 / u, A)), A),
        (Apply(u**2, Scale(3, A)), Scale(9, Apply(u**2, A))),
        (Apply(log(u), Ones(m, n)), Zero(m, n)),
        (Apply(exp(u), Scale(2, Ones(m, n))), Scale(exp(2), Ones(m, n))),
        (Apply(u * SLOTS[1], A, C), Hadamard(A, C)),
        (Hadamard(A, Ones(m, n)), A),
        (Hadamard(A, A), Apply(u**2, A)),
        (Hadamard(A, Apply(1 / u, A)), Ones(m, n)),
        (Hadamard(Scale(2, A), Scale(s, C)), Scale(2 * s, Hadamard(A, C))),
        (Hadamard(A, Zero(m, n)), Zero(m, n)),
        (Hadamard(A, Hadamard(C, A)), Hadamard(Apply(u**2, A), C)),
    ]
)
def test_elementwise_functions_come_apart(built, expected):
    assert built == expected


@pytest.mark.parametrize("exponent", [-1, 2])
@pytest.mark.parametrize("inner", [-1, 2])
@pytest.mark.parametrize("scalar", [2, s])
def test_the_power_of_a_multiple_of_a_power(scalar, inner, exponent):
    """(c X.^a).^b = c^b X.^(ab)."""
    built = Apply(u**exponent, Scale(scalar, Apply(u**inner, A)))
    assert built == Scale(S(scalar) ** exponent, Apply(u ** (inner * exponent), A))


def test_the_square_of_a_negative_root():
    """(-sqrt(X)).^-2 = 1 ./ X."""
    assert Apply(u**-2, Scale(-1, Apply(u ** Rational(1, 2), A))) == Apply(1 / u, A)


def test_the_root_of_a_square_is_not_the_base():
    assert Apply(u ** Rational(1, 2), Apply(u**2, A)) != A


@same(
    [
        (Diag(Scale(s, x)), Scale(s, Diag(x))),
        (Diag(Ones(n)), Identity(n)),
        (Diag(Zero(n, 1)), Zero(n, n)),
        (DiagonalOf(Diag(x)), x),
        (DiagonalOf(Identity(n)), Ones(n)),
        (DiagonalOf(Transpose(M)), DiagonalOf(M)),
        (DiagonalOf(Scale(s, M)), Scale(s, DiagonalOf(M))),
        (EntrySum(Transpose(A)), EntrySum(A)),
        (EntrySum(Scale(s, A)), s * EntrySum(A)),
        (EntrySum(Ones(m, n)), m * n),
        (EntrySum(Zero(m, n)), S.Zero),
        (EntrySum(s), s),
        (EntrySum(Product(Transpose(A), Ones(m))), EntrySum(A)),
        (EntrySum(Product(Transpose(A), Ones(m, 1))), Product(Ones(1, n), Transpose(A), Ones(m))),
        (Ones(1, 1), S.One),
        (Zero(1, 1), S.Zero),
    ]
)
def test_diagonals_and_sums_of_entries(built, expected):
    assert built == expected


# ------------------------------------------------------------------------------ shapes and errors


@pytest.mark.parametrize(
    ("node", "shape"),
    [
        (Product(A, B), (m, k)),
        (Transpose(A), (n, m)),
        (Transpose(x), (1, n)),
        (Sum(A, C), (m, n)),
        (Hadamard(A, C), (m, n)),
        (Apply(exp(u), A), (m, n)),
        (Softmax(A), (m, n)),
        (Diag(x), (n, n)),
        (DiagonalOf(M), (n, 1)),
        (Inverse(M), (n, n)),
        (Power(M, 2), (n, n)),
        (MatrixDifferential(A), (m, n)),
        (LossGradient("L", A), (m, n)),
        (Inner(Transpose(x), y), (1, 1)),
        (s, (1, 1)),
    ],
    ids=lambda e: str(e),
)
def test_shapes(node, shape):
    assert shape_of(node) == shape
    assert is_vector(node) == (is_matrix(node) and shape[1] == 1)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Product(M, z), r"cannot multiply M \(n, n\) by z \(m, 1\): n columns meet m rows"),
        (lambda: Product(A, z), r"Did you mean A'\*z\?"),
        (lambda: Product(x, y), r"Did you mean x'\*y\?"),
        (lambda: Product(A, C), r"Did you mean A'\*C\?"),
        (lambda: Product(A, Transpose(B)), r"n columns meet k rows"),
        (lambda: Sum(A, M), r"cannot add A \(m, n\) and M \(n, n\)"),
        (lambda: Sum(x, s), r"cannot add x \(n, 1\) and s \(1, 1\)"),
        (lambda: Hadamard(x, z), r"cannot multiply x \(n, 1\) elementwise by z \(m, 1\)"),
        (lambda: Inverse(A), r"cannot invert A \(m, n\): it is not square"),
        (lambda: Power(A, 2), r"cannot raise to a power A \(m, n\): it is not square"),
        (lambda: Diag(A), r"cannot make a diagonal matrix of A \(m, n\)"),
        (lambda: DiagonalOf(A), r"cannot take the diagonal of A \(m, n\): it is not square"),
    ],
)
def test_what_does_not_fit_says_so(build, message):
    with pytest.raises(ShapeError, match=message):
        build()


def test_the_other_operand_may_be_the_one_to_transpose():
    with pytest.raises(ShapeError, match=r"Did you mean M\*B'\?"):
        Product(M, Variable("B", k, n))


def test_a_product_whose_factors_never_fit_has_no_hint():
    with pytest.raises(ShapeError) as error:
        Product(A, Variable("E", k, k))
    assert "Did you mean" not in str(error.value)


# --------------------------------------------------------------------------- trees of SymPy's kind

NODES = [
    A,
    P,
    Identity(n),
    Zero(m, n),
    Ones(m, n),
    Scale(s, A),
    Sum(A, C),
    Product(A, B),
    Inner(Transpose(x), M, y),
    EntrySum(A),
    EntrySum(Product(Transpose(A), Ones(m))),
    EntrySum(Product(Ones(1, m), A)),
    EntrySum(Product(Inverse(Transpose(M)), Ones(n))),
    Transpose(A),
    Inverse(M),
    Power(M, k),
    Apply(exp(u), A),
    Apply(u**-2, A),
    Apply(2**u, A),
    Apply(u**-2, Apply(u ** Rational(1, 2), Apply(u**2, y))),
    Hadamard(A, C),
    Diag(x),
    DiagonalOf(M),
    Softmax(x),
    MatrixDifferential(A),
    LossGradient("L", A),
]


@pytest.mark.parametrize("node", NODES, ids=str)
def test_a_node_rebuilds_from_its_parts(node):
    assert node.func(*node.args) == node
    assert node.func(*node.args).args == node.args
    assert pickle.loads(pickle.dumps(node)) == node


def test_xreplace_goes_all_the_way_down_and_normalises():
    tree = Sum(Product(A, B), Scale(s, Product(C, B)))
    assert tree.xreplace({C: A}) == Scale(1 + s, Product(A, B))
    assert tree.xreplace({B: Zero(n, k)}) == Zero(m, k)
    assert Inner(Transpose(x), y).xreplace({y: x}) == Inner(Transpose(x), x)
    assert Product(M, N).xreplace({N: Inverse(M)}) == Identity(n)


def test_dependence():
    assert depends(Product(A, B), A) and depends(exp(s), s) and not depends(Product(A, B), C)
    assert depends(Inner(Transpose(x), y), y)


def test_variables_of_one_name_differ_by_shape_and_properties():
    assert Variable("Q", n, n) != Variable("Q", n, n, "symmetric") != Variable("Q", m, m, "symmetric")
    assert Variable("Q", n, n, "symmetric", "positive") == Variable("Q", n, n, "positive", "symmetric")
    assert Variable("Q", n, n, "positive").properties == {"positive"} and Variable("Q", 2, 3).shape == (2, 3)


# ----------------------------------------------------------------------------------- values kept


def rebuilt(e):
    return e.func(*(rebuilt(a) for a in e.args)) if e.args and not isinstance(e, Variable) else e


@settings(max_examples=250, deadline=None, derandomize=True)
@given(data=st.data())
def test_building_a_tree_keeps_value_and_shape(data, random_texts, relative_error):
    """What the constructors make of a text has the value of the text."""
    build(data, random_texts, 3, relative_error)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(data=st.data())
def test_so_does_building_one_in_the_vec_form(data, wide_texts, relative_error):
    build(data, wide_texts, 2, relative_error)


def build(data, texts, depth, relative_error):
    sizes = {"m": 4, "n": 3}
    source = texts.draw(data, data.draw(st.sampled_from(texts.shapes)), depth)
    values = texts.point(data.draw(st.integers(0, 5)), sizes)
    expected = texts.value(source, values, sizes)
    if expected is None:
        return
    reading, _ = read(source, texts.variables)
    named = {variable: values[name] for name, variable in reading.variables.items() if name in values}
    numbers = {m: Integer(4), n: Integer(3)}
    assert tuple(map(int, expected.shape)) == tuple(size.xreplace(numbers) for size in shape_of(reading.expression))
    assert rebuilt(reading.expression) == reading.expression
    try:
        got = interpreter.value(reading.expression, named, numbers)
    except DomainError:
        return
    assert relative_error(got, expected) < 1e-6, (source, reading.expression)
