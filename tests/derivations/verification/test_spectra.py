"""Functions of matrices and eigenvalues in 50 digits: against mpmath's own, and against differences of them."""

import random
import time

import pytest
from mpmath import mp, mpf

from derivations.errors import DomainError
from derivations.verification import linear, spectra
from derivations.verification.arithmetic import (
    Decimals,
    NotRationalError,
    PrimeField,
    Rationals,
    Residue,
    layers,
    plain,
    seeded,
    slopes,
)

# The witness asks for 35 digits; what it compares had better be right to ten more.
RIGHT = mpf(10) ** -45
# Differences with this step have an error of its square, 1e-80, and lose 80 of the 150 digits to cancellation.
FINE, STEP = 150, mpf(10) ** -40

REFERENCES = {
    "expm": mp.expm,
    # mpmath starts its logarithm of a diagonal matrix in a way that divides by zero at the identity.
    "logm": mp.logm,
    "sqrtm": mp.sqrtm,
    "sinm": mp.sinm,
    "cosm": mp.cosm,
}
NAMES = pytest.mark.parametrize("name", REFERENCES)


def drawn(seed, rows, columns=None, shift=0, factor=1):
    generator = random.Random(seed)
    return [
        [factor * mpf(generator.uniform(-1, 1)) + (shift if i == j else 0) for j in range(columns or rows)]
        for i in range(rows)
    ]


def symmetric(seed, n):
    return [
        [sum(x * y for x, y in zip(r, s, strict=True)) + (i == j) for j, s in enumerate(a)]
        for a in [drawn(seed, n)]
        for i, r in enumerate(a)
    ]


def rotated(angle):
    return [[mp.cos(angle), -mp.sin(angle)], [mp.sin(angle), mp.cos(angle)]]


# All without an eigenvalue on the closed negative real axis.
MATRICES = {
    "one number": lambda: [[mpf("0.37")]],
    "the identity, nearly": lambda: [[mpf(1), mpf("1e-9")], [mpf("-2e-9"), mpf(1)]],
    "a Jordan block": lambda: [[mpf(x) for x in row] for row in ([2, 1, 0], [0, 2, 1], [0, 0, 2])],
    "a rotation by 170 degrees": lambda: rotated(mp.pi * 17 / 18),
    "2 x 2": lambda: drawn(1, 2, shift=2),
    "3 x 3": lambda: drawn(2, 3, shift=3),
    "3 x 3, large": lambda: drawn(3, 3, shift=30, factor=9),
    "3 x 3, small": lambda: drawn(4, 3, shift=mpf("0.003"), factor=mpf("0.001")),
    "4 x 4, symmetric": lambda: symmetric(5, 4),
    "far apart": lambda: [[mpf(10) ** 6, mpf(3)], [mpf(2), mpf(10) ** -4]],
    "far from normal": lambda: [[mpf(1), mpf(10) ** 6], [mpf(0), mpf(2)]],
    "5 x 5": lambda: drawn(6, 5, shift=4),
}
EACH = pytest.mark.parametrize("matrix", MATRICES)


def plainly(rows):
    return [[plain(x) for x in row] for row in rows]


def rows_of(matrix):
    return [[matrix[i, j] for j in range(matrix.cols)] for i in range(matrix.rows)]


def error(found, expected):
    """The largest difference of two matrices relative to the largest entry expected, or to 1/1000."""
    assert (len(found), len(found[0])) == (len(expected), len(expected[0]))
    pairs = [(x, y) for r, s in zip(found, expected, strict=True) for x, y in zip(r, s, strict=True)]
    return max(abs(x - y) for x, y in pairs) / max(*(abs(y) for _, y in pairs), mpf("0.001"))


def moved(rows, first, s, second=None, t=0):
    second = second or first
    return [
        [x + s * e + t * f for x, e, f in zip(*three, strict=True)] for three in zip(rows, first, second, strict=True)
    ]


def differences(function, rows, first, second):
    """(d/ds, d/dt, d^2/ds dt) of function(rows + s first + t second) by central differences in many digits."""
    with mp.workdps(FINE):

        def at(s, t):
            return mp.matrix(function(moved(rows, first, s * STEP, second, t * STEP)))

        by_s = (at(1, 0) - at(-1, 0)) / (2 * STEP)
        by_t = (at(0, 1) - at(0, -1)) / (2 * STEP)
        by_both = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * STEP**2)
        return [rows_of(m) for m in (by_s, by_t, by_both)]


def layered(rows, first, second):
    zero = [[x * 0 for x in row] for row in rows]
    return seeded(seeded(rows, first), seeded(second, zero))


def agree(found, rows, first, second, reference, digits=RIGHT):
    """The value and three derivatives of a matrix of dual numbers over dual numbers."""
    by_s, by_t, by_both = differences(reference, rows, first, second)
    with mp.workdps(FINE):
        value = rows_of(mp.matrix(reference(rows)))
        assert error([[x.value.value for x in row] for row in found], value) < digits
        assert error([[x.value.slope for x in row] for row in found], by_s) < digits
        assert error([[x.slope.value for x in row] for row in found], by_t) < digits
        assert error([[x.slope.slope for x in row] for row in found], by_both) < digits


def principal(name):
    """mpmath's function on lists of rows."""

    def function(rows):
        found = REFERENCES[name](mp.matrix(rows))
        return [[mp.re(x) for x in row] for row in rows_of(found)]

    return function


# --------------------------------------------------------------------------- functions of matrices


@NAMES
@EACH
def test_a_function_of_a_matrix_is_that_of_mpmath(name, matrix):
    with mp.workdps(50):
        rows = MATRICES[matrix]()
        found = spectra.matrix_function(Decimals, name, rows)
        with mp.workdps(100):
            expected = principal(name)(rows)
        assert error(found, expected) < RIGHT


DIFFERENTIATED = ["one number", "a Jordan block", "2 x 2", "3 x 3", "4 x 4, symmetric"]


@NAMES
@pytest.mark.parametrize("matrix", DIFFERENTIATED)
def test_first_and_second_derivatives_of_a_function_of_a_matrix(name, matrix):
    with mp.workdps(50):
        rows = MATRICES[matrix]()
        n = len(rows)
        first, second = drawn(21, n), drawn(22, n)
        found = spectra.matrix_function(Decimals, name, layered(rows, first, second))
        agree(found, rows, first, second, principal(name))
        frechet = spectra.frechet(Decimals, name, rows, first)
        assert error(frechet, [[x.value.slope for x in row] for row in found]) < RIGHT
        # The Frechet derivative in a direction that moves, at a matrix that moves.
        again = spectra.frechet(Decimals, name, seeded(rows, second), seeded(first, second))
        expected = linear.add(
            [[x.slope.slope for x in row] for row in found], spectra.frechet(Decimals, name, rows, second)
        )
        assert error(slopes(again), expected) < RIGHT


@NAMES
def test_constants_among_the_entries_are_constants(name):
    """Entries without a slope beside those that have one, as where a block of a matrix is the identity."""
    with mp.workdps(50):
        rows, change = [[mpf(2), mpf(1)], [mpf(0), mpf(3)]], [[mpf(0), mpf("0.5")], [mpf(0), mpf(0)]]
        full = seeded(rows, change)
        some = [[rows[0][0], full[0][1]], rows[1]]
        found, expected = (spectra.matrix_function(Decimals, name, a) for a in (some, full))
        assert error(slopes(found), slopes(expected)) < RIGHT and error(plainly(found), plainly(expected)) < RIGHT


@pytest.mark.parametrize("name", ["expm", "sinm", "cosm"])
@pytest.mark.parametrize("shift", [0, -20])
def test_every_matrix_has_an_exponential(name, shift):
    with mp.workdps(50):
        for rows in ([[mpf(shift)] * 2] * 2, [[mpf(0), mpf(1)], [mpf(0), mpf(0)]], drawn(7, 4, shift=shift)):
            with mp.workdps(100):
                expected = principal(name)(rows)
            assert error(spectra.matrix_function(Decimals, name, rows), expected) < RIGHT


@pytest.mark.parametrize("name", ["sqrtm", "logm"])
@pytest.mark.parametrize(
    "rows",
    [
        [[-2]],
        [[0, 1], [0, 0]],
        [[1, 2], [-2, -4]],
        [[1, 2], [2, 1]],
        [[-1, 0], [0, -1]],
        [[-1, 1], [0, -1]],
        [[3, 0, 0], [0, 2, 1], [0, 5, 1]],
    ],
    ids=str,
)
def test_without_a_principal_root_or_logarithm_the_point_is_outside(name, rows):
    with mp.workdps(50):
        rows = [[mpf(x) for x in row] for row in rows]
        what = {"sqrtm": "principal square root", "logm": "principal logarithm"}[name]
        for entries in (rows, seeded(rows, rows)):
            with pytest.raises(DomainError, match=f"no {what}"):
                spectra.matrix_function(Decimals, name, entries)


@pytest.mark.parametrize("rows", [[[0]], [[0, 0], [0, 0]], [[1, 2], [2, 4]]], ids=str)
def test_a_singular_matrix_has_no_logarithm(rows):
    with mp.workdps(50), pytest.raises(DomainError, match="no principal logarithm"):
        spectra.matrix_function(Decimals, "logm", [[mpf(x) for x in row] for row in rows])


@pytest.mark.parametrize("field", [PrimeField, Rationals])
@NAMES
def test_functions_of_matrices_need_real_numbers(field, name):
    rows = [[field.number(2)]]
    for use in (
        lambda: spectra.matrix_function(field, name, rows),
        lambda: spectra.frechet(field, name, rows, rows),
        lambda: spectra.largest_eigenpair(field, rows),
        lambda: spectra.nuclear_norm(field, rows),
    ):
        with pytest.raises(NotRationalError):
            use()


# ------------------------------------------------------------------------------------ eigenvalues


def eigenpair(rows):
    """The largest eigenvalue of the symmetric part above its vector, by mpmath."""
    a = mp.matrix(rows)
    values, vectors = mp.eigsy((a + a.T) / 2)
    vector = vectors[:, len(rows) - 1]
    turn = 1 if max(vector, key=abs) > 0 else -1
    return [[values[len(rows) - 1]], *([turn * x] for x in vector)]


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_the_largest_eigenpair_with_its_first_and_second_derivatives(n, seed):
    with mp.workdps(50):
        rows, first, second = (drawn(f"{seed}/{i}", n) for i in range(3))
        value, vector = spectra.largest_eigenpair(Decimals, layered(rows, first, second))
        agree([[value], *vector], rows, first, second, eigenpair)
        value, vector = spectra.largest_eigenpair(Decimals, rows)
        assert error([[value], *vector], eigenpair(rows)) < RIGHT


def test_the_vector_has_length_one_and_its_largest_entry_is_positive():
    with mp.workdps(50):
        for seed in range(8):
            _, vector = spectra.largest_eigenpair(Decimals, drawn(seed, 4))
            assert abs(sum(x * x for (x,) in vector) - 1) < RIGHT and max((x for (x,) in vector), key=abs) > 0


@pytest.mark.parametrize(
    "rows", [[[1, 0], [0, 1]], [[2, 0, 0], [0, 2, 0], [0, 0, 1]], [["1.0001", 0], [0, 1]], [[0, 0], [0, 0]]], ids=str
)
def test_a_double_eigenvalue_has_no_derivative(rows):
    with mp.workdps(50), pytest.raises(DomainError, match="not simple"):
        spectra.largest_eigenpair(Decimals, [[mpf(x) for x in row] for row in rows])


def test_other_eigenvalues_may_be_double():
    with mp.workdps(50):
        value, vector = spectra.largest_eigenpair(
            Decimals, [[mpf(x) for x in row] for row in ([1, 0, 0], [0, 4, 0], [0, 0, 1])]
        )
        assert value == 4 and error(vector, [[0], [1], [0]]) < RIGHT


# ----------------------------------------------------------------------------------- nuclear norm


@pytest.mark.parametrize(("rows", "columns"), [(1, 3), (2, 2), (2, 4), (4, 2), (3, 3)])
def test_the_nuclear_norm_with_its_first_and_second_derivatives(rows, columns):
    def by_singular_values(a):
        return [[mp.fsum(mp.svd_r(mp.matrix(a), compute_uv=False))]]

    with mp.workdps(50):
        point, first, second = (drawn(i, rows, columns) for i in (31, 32, 33))
        found = spectra.nuclear_norm(Decimals, layered(point, first, second))
        agree([[found]], point, first, second, by_singular_values)
        assert error([[spectra.nuclear_norm(Decimals, point)]], by_singular_values(point)) < RIGHT


LOWER_RANK = [[[1, 2], [2, 4]], [[1, 2, 3], [2, 4, 6]], [[1, 1], [2, 2], [3, 3]], [[0, 0]]]


@pytest.mark.parametrize("rows", LOWER_RANK, ids=str)
def test_the_nuclear_norm_has_a_kink_where_the_rank_changes(rows):
    with mp.workdps(50):
        rows = [[mpf(x) for x in row] for row in rows]
        expected = mp.fsum(mp.svd_r(mp.matrix(rows), compute_uv=False))
        assert abs(spectra.nuclear_norm(Decimals, rows) - expected) < RIGHT
        # |s A| = s |A|, where the rank stays as it is.
        assert abs(slopes([[spectra.nuclear_norm(Decimals, seeded(rows, rows))]])[0][0] - expected) < RIGHT
        with pytest.raises(DomainError, match="rank of the matrix changes"):
            spectra.nuclear_norm(Decimals, seeded(rows, drawn(1, len(rows), len(rows[0]))))


# ------------------------------------------------------------------------- roots of matrices of lower rank


def test_the_root_of_a_matrix_of_lower_rank_with_its_derivatives():
    """Of G'G for a wide matrix G that moves, against mpmath's eigenvalues."""

    def by_eigenvalues(rows):
        g = mp.matrix(rows)
        values, vectors = mp.eigsy(g.T * g)
        return vectors * mp.diag([mp.sqrt(x) if i else x * 0 for i, x in enumerate(values)]) * vectors.T

    with mp.workdps(50):
        g, first, second = (drawn(i, 2, 3) for i in (51, 52, 53))
        moving = layered(g, first, second)
        root = spectra.square_root(Decimals, linear.product(Decimals, linear.transpose(moving), moving))
        agree(root, g, first, second, by_eigenvalues)
        # Of one that is not symmetric: S^2 = A, with eigenvalues that are not negative.
        a = linear.product(Decimals, drawn(54, 3, 2, shift=2), drawn(55, 2, 3, shift=2))
        root = spectra.square_root(Decimals, a)
        assert error(linear.product(Decimals, root, root), a) < RIGHT
        assert all(mp.re(x) > -RIGHT for x in mp.eig(mp.matrix(root))[0])


def test_zero_is_its_own_root():
    with mp.workdps(50):
        zero = [[mpf(0), mpf(0)], [mpf(0), mpf(0)]]
        assert spectra.square_root(Decimals, zero) == zero


# -------------------------------------------------------------------------------------- its price


@NAMES
def test_five_by_five_takes_less_than_a_second(name):
    """With one layer of dual numbers, as every claim has; the processor's time, for others may be at work."""
    with mp.workdps(50):
        rows = seeded(MATRICES["5 x 5"](), drawn(8, 5))
        start = time.process_time()
        spectra.matrix_function(Decimals, name, rows)
        assert time.process_time() - start < 1


def test_layers_are_all_parts_of_a_number():
    one = seeded(seeded([[Residue(1)]], [[Residue(2)]]), seeded([[Residue(3)]], [[Residue(4)]]))[0][0]
    assert [x.number for x in layers(one)] == [1, 2, 3, 4] and layers(7) == [7] and plain(one) == 1
