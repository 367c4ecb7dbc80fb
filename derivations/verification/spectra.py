"""Functions of matrices and eigenvalues over real numbers of 50 digits, and dual numbers over them.

Everything is arithmetic on the entries, so a derivative comes out of the definition by dual numbers.
Source: Higham (2008), Functions of Matrices, ch. 6, 10, 11 and 12.
"""

from mpmath import mp, mpf

from derivations.errors import DomainError
from derivations.verification.arithmetic import Decimals, NotRationalError, plain, seeded, slopes
from derivations.verification.linear import (
    add,
    chain,
    eliminate,
    full_rank_factors,
    identity,
    inverse,
    product,
    scale,
    total,
    transpose,
)

# Newton iterations that are tried, and those that follow the last visible change: each settles one
# more layer of dual numbers.
ITERATIONS, LAYERS = 60, 3
# Digits beyond the others, which the doubling of an angle and the square roots of a logarithm may cost.
GUARD = 20


def _terms():
    """Of Taylor series for arguments below one half: the rest falls faster than 2^-k / k!."""
    return 2 * mp.dps // 3


def _close():
    """How near numbers must be to count as the same; GUARD digits are rounding."""
    return mpf(10) ** (5 + GUARD - mp.dps)


def norm(rows):
    """The largest sum of absolute entries of a row, without infinitesimal parts."""
    return max(sum(abs(plain(x)) for x in row) for row in rows)


def _difference(left, right):
    return add(left, scale(-1, right))


def _halvings(rows):
    """How often a matrix must be halved for its norm to fall below one half."""
    return max(0, int(mp.ceil(mp.log(norm(rows), 2))) + 1) if norm(rows) else 0


def _powers(field, rows, count):
    """I, A, A^2, …"""
    power = identity(field, len(rows))
    for _ in range(count):
        yield power
        power = product(field, power, rows)


def exponential(field, rows):
    halvings = _halvings(rows)
    rows, result = scale(mpf(2) ** -halvings, rows), None
    for k, power in enumerate(_powers(field, rows, _terms())):
        term = scale(1 / mp.factorial(k), power)
        result = term if result is None else add(result, term)
    for _ in range(halvings):
        result = product(field, result, result)
    return result


def _sine_and_cosine(field, rows):
    halvings = _halvings(rows)
    rows = scale(mpf(2) ** -halvings, rows)
    one = identity(field, len(rows))
    sine, cosine = scale(mpf(0), one), scale(mpf(0), one)
    for k, power in enumerate(_powers(field, rows, _terms())):
        term = scale((-1) ** (k // 2) / mp.factorial(k), power)
        sine, cosine = (add(sine, term), cosine) if k % 2 else (sine, add(cosine, term))
    for _ in range(halvings):
        sine, cosine = (
            scale(2, product(field, sine, cosine)),
            _difference(scale(2, product(field, cosine, cosine)), one),
        )
    return sine, cosine


def _need_principal(rows, what):
    """A principal root and logarithm are those of a matrix without eigenvalues on the closed negative real axis."""
    try:
        values, _ = mp.eig(mp.matrix([[plain(x) for x in row] for row in rows]))
    except RuntimeError:  # no convergence; then the iterations for the root will tell
        return
    if any(mp.re(x) <= 0 and abs(mp.im(x)) <= _close() * abs(x) for x in values):
        raise DomainError(f"the matrix has no principal {what}")


def square_root(field, rows):
    """The principal square root, by the iteration of Denman and Beavers; of B C of lower rank, B (C B)^(-1/2) C."""
    left, right = full_rank_factors(field, rows)
    if len(right) == len(rows):
        _need_principal(rows, "square root")
        return _denman_beavers(field, rows)
    if not right:
        return rows
    small = product(field, right, left)
    _need_principal(small, "square root")
    return chain(field, left, inverse(field, _denman_beavers(field, small)), right)


def _denman_beavers(field, rows):
    root, other = rows, identity(field, len(rows))
    settled = 0
    for _ in range(ITERATIONS):
        new = scale(mpf(1) / 2, add(root, inverse(field, other)))
        other = scale(mpf(1) / 2, add(other, inverse(field, root)))
        settled = settled + 1 if norm(_difference(new, root)) < _close() * norm(new) else 0
        root = new
        if settled > LAYERS:
            return root
    raise DomainError("the matrix has no principal square root")


def logarithm(field, rows):
    """The principal logarithm: square roots until the matrix is near the identity, then a series."""
    _need_principal(rows, "logarithm")
    one, roots = identity(field, len(rows)), 0
    while norm(_difference(rows, one)) > mpf(1) / 4:
        rows, roots = _denman_beavers(field, rows), roots + 1
        if roots > ITERATIONS:
            raise DomainError("the matrix has no principal logarithm")
    # log A = 2 artanh(Z) with Z = (A - I)(A + I)^-1, of norm below 1/7: seven terms of the series give twelve digits.
    z = product(field, _difference(rows, one), inverse(field, add(rows, one)))
    square, power, result = product(field, z, z), z, None
    for k in range(1, 4 * mp.dps // 3, 2):
        term = scale(mpf(2) ** (roots + 1) / k, power)
        result = term if result is None else add(result, term)
        power = product(field, power, square)
    return result


FUNCTIONS = {
    "expm": exponential,
    "logm": logarithm,
    "sqrtm": square_root,
    "sinm": lambda field, rows: _sine_and_cosine(field, rows)[0],
    "cosm": lambda field, rows: _sine_and_cosine(field, rows)[1],
}


def matrix_function(field, name, rows):
    if field is not Decimals:
        raise NotRationalError(name)
    with mp.workdps(mp.dps + GUARD):
        return FUNCTIONS[name](field, rows)


def frechet(field, name, rows, direction):
    """The derivative of a function of a matrix in a direction, by one more layer of dual numbers."""
    return slopes(matrix_function(field, name, seeded(rows, direction)))


def largest_eigenpair(field, rows):
    """(eigenvalue, unit eigenvector as a column) of the symmetric part, by Newton's method on S v = k v, v'v = 1."""
    if field is not Decimals:
        raise NotRationalError("eigenvalues")
    rows = scale(mpf(1) / 2, add(rows, transpose(rows)))
    n = len(rows)
    values, vectors = mp.eigsy(mp.matrix([[plain(x) for x in row] for row in rows]))
    last = n - 1
    if n > 1 and values[last] - values[last - 1] < mpf(10) ** -3 * (1 + abs(values[last])):
        raise DomainError("the largest eigenvalue is not simple")
    value, vector = values[last], [[vectors[i, last]] for i in range(n)]
    if plain(max((x for (x,) in vector), key=abs)) < 0:
        vector = scale(-1, vector)
    for _ in range(LAYERS):
        value, vector = _newton(field, rows, value, vector)
    return value, vector


def _newton(field, rows, value, vector):
    n = len(rows)
    residual = _difference(product(field, rows, vector), scale(value, vector))
    length = total(field, (x * x for (x,) in vector))
    jacobian = [[x - value if i == j else x for j, x in enumerate(row)] + [-vector[i][0]] for i, row in enumerate(rows)]
    jacobian.append([x for (x,) in vector] + [field.number(0)])
    _, change = eliminate(field, jacobian, [*residual, [(length - 1) * (mpf(1) / 2)]])
    return value - change[n][0], _difference(vector, change[:n])


def nuclear_norm(field, rows):
    """The trace of the square root of the smaller Gram matrix."""
    if field is not Decimals:
        raise NotRationalError("singular values")
    # The Gram matrix does not tell to first order that a rank changes, which makes a kink.
    full_rank_factors(field, rows)
    small = rows if len(rows) <= len(rows[0]) else transpose(rows)
    root = matrix_function(field, "sqrtm", chain(field, small, transpose(small)))
    return total(field, (root[i][i] for i in range(len(root))))
