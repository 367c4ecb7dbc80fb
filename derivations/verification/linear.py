"""Linear algebra over the numbers of a field, dual numbers too: a matrix is a list of rows."""

from derivations.errors import DomainError
from derivations.verification.arithmetic import Dual, layers


def rows_of(value):
    """A matrix as it is; a number as the matrix that has it only."""
    return value if isinstance(value, list) else [[value]]


def total(field, numbers):
    result = field.number(0)
    for x in numbers:
        result = result + x
    return result


def identity(field, n):
    return [[field.number(int(i == j)) for j in range(n)] for i in range(n)]


def transpose(rows):
    return [list(column) for column in zip(*rows)]


def add(left, right):
    return [[x + y for x, y in zip(r, s)] for r, s in zip(left, right)]


def scale(scalar, rows):
    return [[scalar * x for x in row] for row in rows]


def product(field, left, right):
    columns = list(zip(*right))
    # Identities, diagonal and commutation matrices are mostly zeros.
    sparse = [[(k, x) for k, x in enumerate(row) if not _is_zero(x)] for row in left]
    return [[total(field, (x * column[k] for k, x in row)) for column in columns] for row in sparse]


def _is_zero(x):
    """Whether a number is zero with all its infinitesimal parts."""
    return _is_zero(x.value) and _is_zero(x.slope) if isinstance(x, Dual) else x == 0


def chain(field, first, *others):
    """The product of several matrices."""
    for rows in others:
        first = product(field, first, rows)
    return first


def eliminate(field, rows, right):
    """Gauss-Jordan elimination: (determinant, inverse times right)."""
    n = len(rows)
    largest = max(field.size_of(x) for row in rows for x in row)
    rows = [list(r) for r in rows]
    right = [list(r) for r in right] or [[] for _ in rows]
    determinant = field.number(1)
    for k in range(n):
        pivot = max(range(k, n), key=lambda i: field.size_of(rows[i][k]))
        if field.is_negligible(rows[pivot][k], largest):
            raise DomainError("the matrix is singular")
        if pivot != k:
            rows[k], rows[pivot], right[k], right[pivot] = rows[pivot], rows[k], right[pivot], right[k]
            determinant = -determinant
        head = rows[k][k]
        determinant = determinant * head
        rows[k], right[k] = [x / head for x in rows[k]], [x / head for x in right[k]]
        for i in range(n):
            if i != k:
                factor = rows[i][k]
                rows[i] = [x - factor * y for x, y in zip(rows[i], rows[k])]
                right[i] = [x - factor * y for x, y in zip(right[i], right[k])]
    return determinant, right


def inverse(field, rows):
    return eliminate(field, rows, identity(field, len(rows)))[1]


def pseudo_inverse(field, rows):
    """The Moore-Penrose inverse, by A = B C: A^+ = C'(CC')^-1 (B'B)^-1 B'.

    Source: MacDuffee; Ben-Israel & Greville (2003), Generalized Inverses, 1.6.
    """
    left, right = full_rank_factors(field, rows)
    if not right:
        return [[x * 0 for x in row] for row in transpose(rows)]
    outer, inner = transpose(right), transpose(left)
    small = inverse(field, product(field, right, outer))
    return chain(field, outer, small, inverse(field, product(field, inner, left)), inner)


def full_rank_factors(field, rows):
    """(B, C) with A = B C, as many columns of B as A has rank: those of A at the pivots.

    Over dual numbers the rank must not change with them.
    """
    at_rows, at_columns = _pivots(field, rows)
    left = [[row[j] for j in at_columns] for row in rows]
    middle = [[rows[i][j] for j in at_columns] for i in at_rows]
    return left, eliminate(field, middle, [rows[i] for i in at_rows])[1] if at_rows else []


def _pivots(field, rows):
    """Rows and columns of a largest invertible submatrix, by elimination with complete pivoting."""
    rows = [list(r) for r in rows]
    largest = max(field.size_of(layer) for row in rows for x in row for layer in layers(x))
    open_rows, open_columns = list(range(len(rows))), list(range(len(rows[0])))
    found = []
    while open_rows and open_columns:
        i, j = max(((i, j) for i in open_rows for j in open_columns), key=lambda at: field.size_of(rows[at[0]][at[1]]))
        if largest == 0 or field.is_negligible(rows[i][j], largest):
            break
        found.append((i, j))
        open_rows.remove(i)
        open_columns.remove(j)
        for k in open_rows:
            factor = rows[k][j] / rows[i][j]
            rows[k] = [x - factor * y for x, y in zip(rows[k], rows[i])]
    rest = [layer for i in open_rows for j in open_columns for layer in layers(rows[i][j])]
    if any(not field.is_negligible(x, largest) for x in rest):
        raise DomainError("the rank of the matrix changes")
    return [i for i, _ in found], [j for _, j in found]
