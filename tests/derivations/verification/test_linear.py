"""Linear algebra over a field and over dual numbers: against SymPy's matrices and the Moore-Penrose conditions."""

import random
from fractions import Fraction
from functools import lru_cache

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from derivations.errors import DomainError
from derivations.verification import linear
from derivations.verification.arithmetic import PRIME, Decimals, Dual, PrimeField, Rationals, Residue, seeded, slopes

# How an integer becomes a number of the field, and how far two numbers may differ.
NUMBERS = {Rationals: Fraction, PrimeField: Residue, Decimals: mpf}
FIELDS = pytest.mark.parametrize("field", NUMBERS, ids=lambda f: f.name)


def lifted(field, rows):
    return [[NUMBERS[field](x) for x in row] for row in rows]


def from_sympy(field, matrix):
    """A SymPy matrix of rational numbers over a field."""
    return [[field.number(x) for x in row] for row in matrix.tolist()]


def close(field, left, right, digits=45):
    """Whether two matrices are one: exactly, or to so many digits of their largest entry."""
    assert [len(row) for row in left] == [len(row) for row in right]
    pairs = [(x, y) for r, s in zip(left, right, strict=True) for x, y in zip(r, s, strict=True)]
    if field is not Decimals:
        return all(x == y for x, y in pairs)
    scale = max([abs(x) for pair in pairs for x in pair] + [mpf(10) ** -20])
    return all(abs(x - y) < scale * mpf(10) ** -digits for x, y in pairs)


def integers(seed, rows, columns, bound=6):
    generator = random.Random(seed)
    return [[generator.randint(-bound, bound) for _ in range(columns)] for _ in range(rows)]


def invertible(seed, n):
    rows = integers(seed, n, n)
    return [[x + (20 if i == j else 0) for j, x in enumerate(row)] for i, row in enumerate(rows)]


def of_rank(seed, rows, columns, rank):
    """A matrix of exactly that rank, as the product of a tall matrix and a wide one."""
    left, right = integers(f"{seed}l", rows, rank), integers(f"{seed}r", rank, columns)
    for k in range(rank):
        left[k][k] += 20
        right[k][k] += 20
    return [[sum(left[i][k] * right[k][j] for k in range(rank)) for j in range(columns)] for i in range(rows)]


# ------------------------------------------------------------------------------ without an inverse

SIZE = st.integers(1, 4)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SIZE, SIZE, SIZE, SIZE, st.integers(0, 1000))
def test_products_sums_and_transposes_are_those_of_sympy(k, m, n, p, seed):
    a, b, c, d = integers(seed, k, m), integers(seed + 1, m, n), integers(seed + 2, n, p), integers(seed + 3, k, m)
    A, B, C, D = map(sympy.Matrix, (a, b, c, d))
    for field in NUMBERS:
        x, y, z, w = (lifted(field, rows) for rows in (a, b, c, d))
        assert linear.product(field, x, y) == from_sympy(field, A * B)
        assert linear.chain(field, x, y, z) == from_sympy(field, A * B * C)
        assert linear.chain(field, x) == x
        assert linear.add(x, w) == from_sympy(field, A + D)
        assert linear.scale(field.number(3), x) == from_sympy(field, 3 * A)
        assert linear.transpose(x) == from_sympy(field, A.T)
        assert linear.total(field, [e for row in x for e in row]) == field.number(sum(A))
        assert linear.identity(field, k) == from_sympy(field, sympy.eye(k))


# ------------------------------------------------------------------------------------- elimination


@FIELDS
@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_elimination_gives_determinants_solutions_and_inverses(field, size, seed):
    rows, right = invertible(seed, size), integers(seed + 7, size, 3)
    A, B = sympy.Matrix(rows), sympy.Matrix(right)
    with mp.workdps(50):
        determinant, solution = linear.eliminate(field, lifted(field, rows), lifted(field, right))
        assert close(field, [[determinant]], from_sympy(field, sympy.Matrix([[A.det()]])))
        assert close(field, solution, from_sympy(field, A.LUsolve(B)))
        assert close(field, linear.inverse(field, lifted(field, rows)), from_sympy(field, A.inv()))


@FIELDS
def test_a_determinant_changes_its_sign_with_two_rows(field):
    rows = lifted(field, invertible(4, 4))
    swapped = [rows[2], rows[1], rows[0], rows[3]]
    with mp.workdps(50):
        first, second = (linear.eliminate(field, a, [])[0] for a in (rows, swapped))
        assert close(field, [[first]], [[-second]])


@FIELDS
def test_the_arguments_of_an_elimination_stay_as_they_are(field):
    rows, right = lifted(field, [[0, 2], [3, 1]]), lifted(field, [[1], [2]])
    linear.eliminate(field, rows, right)
    assert rows == lifted(field, [[0, 2], [3, 1]]) and right == lifted(field, [[1], [2]])


@FIELDS
@pytest.mark.parametrize(
    "rows", [[[0]], [[1, 2], [2, 4]], [[0, 0], [0, 0]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]]], ids=str
)
def test_a_singular_matrix_has_no_inverse(field, rows):
    with mp.workdps(50), pytest.raises(DomainError, match="singular"):
        linear.inverse(field, lifted(field, rows))


def test_large_and_small_entries_lose_few_digits():
    """The pivot is the largest entry, so that 1e-20 in the corner does no harm."""
    with mp.workdps(50):
        rows = [[mpf(10) ** -20, mpf(1)], [mpf(1), mpf(1)]]
        inverse = linear.inverse(Decimals, rows)
        assert close(Decimals, linear.product(Decimals, rows, inverse), linear.identity(Decimals, 2))


S, T = sympy.symbols("s t")


def moved(field, rows, first, second):
    """rows + s first + t second, as dual numbers over dual numbers."""
    layer = seeded(lifted(field, rows), lifted(field, first))
    flat = [[Dual(field.number(x), field.number(0)) for x in row] for row in second]
    return seeded(layer, flat)


def mixed(found):
    return slopes(slopes(found))


@FIELDS
@pytest.mark.parametrize("size", [2, 3])
def test_first_and_second_derivatives_of_inverse_and_determinant(field, size):
    """Against SymPy's own calculus of one variable, entry by entry."""
    rows, first, second = invertible(1, size), integers(2, size, size), integers(3, size, size)
    at = {S: 0, T: 0}
    symbolic = sympy.Matrix(rows) + S * sympy.Matrix(first) + T * sympy.Matrix(second)
    inverse, determinant = symbolic.inv().applyfunc(sympy.cancel), symbolic.det()
    with mp.workdps(50):
        once = seeded(lifted(field, rows), lifted(field, first))
        found, by_inverse = linear.eliminate(field, once, linear.identity(field, size))
        assert close(field, slopes(by_inverse), from_sympy(field, inverse.diff(S).subs(at)))
        assert close(field, slopes([[found]]), [[field.number(determinant.diff(S).subs(at))]])
        found, by_inverse = linear.eliminate(field, moved(field, rows, first, second), linear.identity(field, size))
        assert close(field, mixed(by_inverse), from_sympy(field, inverse.diff(S, T).subs(at)))
        assert close(field, mixed([[found]]), [[field.number(determinant.diff(S, T).subs(at))]])


# ---------------------------------------------------------------------------------- pseudo-inverse

SHAPES_AND_RANKS = [
    (rows, columns, rank)
    for rows, columns in [(1, 1), (2, 2), (3, 2), (2, 4), (4, 4), (5, 3), (3, 5), (5, 5)]
    for rank in range(min(rows, columns) + 1)
]


@FIELDS
@pytest.mark.parametrize(("rows", "columns", "rank"), SHAPES_AND_RANKS)
def test_the_four_conditions_of_moore_and_penrose(field, rows, columns, rank):
    """A X A = A, X A X = X, and A X and X A are symmetric: these have one solution only."""
    with mp.workdps(50):
        a = lifted(field, of_rank(rank, rows, columns, rank))
        x = linear.pseudo_inverse(field, a)
        assert (len(x), len(x[0])) == (columns, rows)
        left, right = linear.product(field, a, x), linear.product(field, x, a)
        assert close(field, linear.product(field, left, a), a)
        assert close(field, linear.product(field, right, x), x)
        assert close(field, left, linear.transpose(left)) and close(field, right, linear.transpose(right))


@pytest.mark.parametrize(("rows", "columns", "rank"), [(3, 2, 2), (2, 4, 2), (3, 3, 1), (3, 3, 3)])
def test_the_pseudo_inverse_of_fractions_is_that_of_sympy(rows, columns, rank):
    a = of_rank(0, rows, columns, rank)
    assert linear.pseudo_inverse(Rationals, lifted(Rationals, a)) == from_sympy(Rationals, sympy.Matrix(a).pinv())


def test_entries_of_the_prime_field_are_those_of_the_fractions():
    a = of_rank(4, 4, 3, 2)
    for r, s in zip(
        linear.pseudo_inverse(PrimeField, lifted(PrimeField, a)),
        linear.pseudo_inverse(Rationals, lifted(Rationals, a)),
        strict=True,
    ):
        assert all(x == Residue(y.numerator * pow(y.denominator, -1, PRIME)) for x, y in zip(r, s, strict=True))


@lru_cache
def factors_and_derivatives(rows, columns, rank):
    """Integer matrices B, dB, eB and C, dC, eC; and the derivatives of the pseudo-inverse of the product of
    B + s dB + t eB and C + s dC + t eC, whose rank does not change, by s, by t and by both, from SymPy."""
    parts = (
        [integers(seed, rows, rank) for seed in (11, 12, 13)],
        [integers(seed, rank, columns) for seed in (14, 15, 16)],
    )
    B, C = (sympy.Matrix(a) + S * sympy.Matrix(b) + T * sympy.Matrix(c) for a, b, c in parts)
    # B and C have full rank, so that (B C)^+ = C'(C C')^-1 (B'B)^-1 B'.
    symbolic = (C.T * (C * C.T).inv() * (B.T * B).inv() * B.T).applyfunc(sympy.cancel)
    return parts, [symbolic.diff(*by).subs({S: 0, T: 0}) for by in ((S,), (T,), (S, T))]


@FIELDS
@pytest.mark.parametrize(("rows", "columns", "rank"), [(3, 2, 2), (2, 3, 2), (2, 2, 1), (3, 2, 1), (2, 3, 1)])
def test_first_and_second_derivatives_of_the_pseudo_inverse(field, rows, columns, rank):
    parts, (by_s, by_t, by_both) = factors_and_derivatives(rows, columns, rank)
    with mp.workdps(50):
        left, right = (moved(field, *part) for part in parts)
        found = linear.pseudo_inverse(field, linear.product(field, left, right))
        assert close(field, slopes([[e.value for e in row] for row in found]), from_sympy(field, by_s))
        assert close(field, [[e.slope.value for e in row] for row in found], from_sympy(field, by_t))
        assert close(field, mixed(found), from_sympy(field, by_both))


@FIELDS
@pytest.mark.parametrize("rank", [0, 1, 2])
def test_where_the_rank_changes_there_is_no_derivative(field, rank):
    """The pseudo-inverse jumps there: of s it is 1/s, and 0 at s = 0."""
    a = of_rank(5, 3, 4, rank)
    with mp.workdps(50), pytest.raises(DomainError, match="changes"):
        linear.pseudo_inverse(field, seeded(lifted(field, a), lifted(field, integers(6, 3, 4))))
    with mp.workdps(50), pytest.raises(DomainError, match="changes"):
        linear.pseudo_inverse(field, moved(field, a, [[0] * 4] * 3, integers(6, 3, 4)))


@FIELDS
def test_the_pseudo_inverse_of_nothing(field):
    with mp.workdps(50):
        zero = lifted(field, [[0, 0, 0], [0, 0, 0]])
        assert linear.pseudo_inverse(field, zero) == linear.transpose(zero)
        # A matrix that stays zero has a derivative.
        assert slopes(linear.pseudo_inverse(field, seeded(zero, zero))) == linear.transpose(zero)
