"""The value of an expression's syntax at a point with 50 digits, by mpmath's own matrices: no tree of ours between.

A scalar is an mpf, anything else an mp.matrix. The nodes are those of the parser, or of the grammar here.
"""

from mpmath import matrix, mp, mpf

from derivations.errors import DomainError


def real(function):
    def checked(x):
        try:
            found = function(x)
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            raise DomainError(str(error)) from error
        if not isinstance(found, mpf) or not mp.isfinite(found):
            raise DomainError(f"{function} is not real at {x}")
        return found

    return checked


ELEMENTWISE = {
    **{name: real(getattr(mp, name)) for name in ("exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "arcsin": real(mp.asin),
    "arccos": real(mp.acos),
    "arctan": real(mp.atan),
    "abs": abs,
    "sign": lambda x: mpf(mp.sign(x)),
    "sqrt": real(mp.sqrt),
    "relu": lambda x: max(x, mpf(0)),
    "step": lambda x: mpf(x > 0),
    "sigmoid": real(lambda x: 1 / (1 + mp.exp(-x))),
    "softplus": real(lambda x: mp.log(1 + mp.exp(x))),
    "erf": real(mp.erf),
    "normcdf": real(mp.ncdf),
    "normpdf": real(mp.npdf),
    "factorial": real(mp.factorial),
}


def huber(x, c):
    if c <= 0:
        raise DomainError("huber of a negative bound")
    return x * x / 2 if abs(x) <= c else c * (abs(x) - c / 2)


BROADCAST = {"max": max, "min": min, "huber": huber, "clip": lambda x, low, high: min(max(x, low), high)}


def entries(a):
    return [a] if isinstance(a, mpf) else list(a)


def rows_of(a):
    return [[a]] if isinstance(a, mpf) else a.tolist()


def as_matrix(a):
    return matrix([[a]]) if isinstance(a, mpf) else a


def plain(a):
    """A 1x1 matrix as its number."""
    return a[0, 0] if not isinstance(a, mpf) and (a.rows, a.cols) == (1, 1) else a


def mapped(function, *arguments):
    """A function of entries; scalars go with every entry."""
    shapes = {(a.rows, a.cols) for a in arguments if not isinstance(a, mpf)}
    if not shapes:
        return function(*arguments)
    if len(shapes) > 1:
        raise AssertionError(f"shapes {shapes} meet elementwise")
    ((rows, columns),) = shapes
    pick = [(lambda i, j, a=a: a) if isinstance(a, mpf) else (lambda i, j, a=a: a[i, j]) for a in arguments]
    return matrix([[function(*(p(i, j) for p in pick)) for j in range(columns)] for i in range(rows)])


def power_of(x, y):
    if x == 0 and y <= 0:
        raise DomainError("zero to a power that is not positive")
    found = mp.power(x, y)
    if not isinstance(found, mpf):
        raise DomainError("a power that is not real")
    return found


def divided(x, y):
    if y == 0:
        raise DomainError("division by zero")
    return x / y


def add(a, b):
    if isinstance(a, mpf) != isinstance(b, mpf):
        raise AssertionError("a scalar meets a matrix in a sum")
    return a + b


def matrix_power(a, exponent):
    if isinstance(a, mpf):
        return power_of(a, exponent)
    if exponent != int(exponent):
        raise DomainError("a matrix to a power that is not whole")
    return (a if exponent >= 0 else inverse(a)) ** int(abs(exponent))


def inverse(a):
    if isinstance(a, mpf):
        return divided(mpf(1), a)
    if abs(determinant(a)) < mpf(10) ** -25:
        raise DomainError("singular")
    return a**-1


def determinant(a):
    """By elimination; mpmath's own stumbles over singular matrices."""
    if isinstance(a, mpf):
        return a
    rows, found = a.tolist(), mpf(1)
    for k in range(len(rows)):
        pivot = max(range(k, len(rows)), key=lambda i: abs(rows[i][k]))
        if rows[pivot][k] == 0:
            return mpf(0)
        found *= rows[pivot][k] * (1 if pivot == k else -1)
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for row in rows[k + 1 :]:
            factor = row[k] / rows[k][k]
            row[k:] = [x - factor * y for x, y in zip(row[k:], rows[k][k:])]
    return found


def adjugate(a):
    """By cofactors."""
    if isinstance(a, mpf):
        return mpf(1)
    n, rows = a.rows, a.tolist()

    def cofactor(i, j):
        minor = [[x for h, x in enumerate(r) if h != j] for k, r in enumerate(rows) if k != i]
        return (-1) ** (i + j) * determinant(matrix(minor))

    return matrix([[cofactor(j, i) for j in range(n)] for i in range(n)])


def pseudo_inverse(a):
    """By the singular values, of which those below 1e-25 of the largest are zero."""
    if isinstance(a, mpf):
        return divided(mpf(1), a)
    left, singular, right = mp.svd_r(a)
    kept = [1 / x if x > singular[0] * mpf(10) ** -25 else mpf(0) for x in singular]
    return right.T * mp.diag(kept) * left.T


def eigenpair(a):
    a = as_matrix(a)
    values, vectors = mp.eigsy((a + a.T) / 2)
    at = max(range(a.rows), key=lambda i: values[i])
    vector = vectors[:, at]
    return values[at], plain(vector if max(vector, key=abs) > 0 else -vector)


def matrix_function(name):
    scalar = {"expm": "exp", "logm": "log", "sqrtm": "sqrt", "sinm": "sin", "cosm": "cos"}[name]

    def value(a):
        if isinstance(a, mpf):
            return ELEMENTWISE[scalar](a)
        try:
            found = getattr(mp, name)(a)
        except (TypeError, ZeroDivisionError) as error:  # what mpmath says of a singular matrix
            raise DomainError(f"{name} does not exist") from error
        if any(abs(mp.im(x)) > mpf(10) ** -25 for x in found):
            raise DomainError(f"{name} is not real")
        return found.apply(mp.re)

    return value


def frechet(name):
    """The upper right block of the function of [[A, E], [0, A]]."""

    def value(a, direction):
        a, direction = as_matrix(a), as_matrix(direction)
        n = a.rows
        block = matrix(2 * n, 2 * n)
        block[:n, :n], block[:n, n:], block[n:, n:] = a, direction, a
        return plain(matrix_function(name)(block)[:n, n:])

    return value


def power_frechet(a, direction, exponent):
    """The same of the matrix power."""
    a, direction = as_matrix(a), as_matrix(direction)
    n = a.rows
    block = matrix(2 * n, 2 * n)
    block[:n, :n], block[:n, n:], block[n:, n:] = a, direction, a
    return plain(as_matrix(matrix_power(block, exponent))[:n, n:])


def kron(a, b):
    a, b = rows_of(a), rows_of(b)
    return plain(matrix([[x * y for x in r for y in s] for r in a for s in b]))


def vec(a):
    return plain(matrix([[x] for column in zip(*rows_of(a)) for x in column]))


def diag(a):
    if a.cols == 1:
        return matrix([[a[i] if i == j else mpf(0) for j in range(a.rows)] for i in range(a.rows)])
    return matrix([[a[i, i]] for i in range(a.rows)])


def shares(rows):
    """exp of the entries over their sum."""
    weights = [[mp.exp(x) for x in r] for r in rows]
    total = sum(x for r in weights for x in r)
    return [[x / total for x in r] for r in weights]


def softmax(a):
    return plain(matrix(shares(rows_of(a))))


def softmax_rows(a):
    return plain(matrix([shares([r])[0] for r in rows_of(a)]))


def logs(function):
    return lambda a: mapped(ELEMENTWISE["log"], function(a))


FUNCTIONS = {
    "sum": lambda a: mpf(sum(entries(a))),
    "mean": lambda a: sum(entries(a)) / len(entries(a)),
    "norm1": lambda a: mpf(sum(map(abs, entries(a)))),
    "norm2": lambda a: mp.sqrt(sum(x * x for x in entries(a))),
    "norm_nuc": lambda a: mpf(sum(mp.svd_r(as_matrix(a), compute_uv=False))),
    "logsumexp": lambda a: mp.log(sum(map(mp.exp, entries(a)))),
    "tr": lambda a: sum(as_matrix(a)[i, i] for i in range(as_matrix(a).rows)),
    "det": determinant,
    "logdet": lambda a: ELEMENTWISE["log"](determinant(a)),
    "lambda_max": lambda a: eigenpair(a)[0],
    "vmax": lambda a: eigenpair(a)[1],
    "inv": inverse,
    "adj": adjugate,
    "pinv": pseudo_inverse,
    "vec": vec,
    "kron": kron,
    "diag": diag,
    "softmax": softmax,
    "softmax_rows": softmax_rows,
    "logsoftmax": logs(softmax),
    "logsoftmax_rows": logs(softmax_rows),
    "power_frechet": power_frechet,
    "rows": lambda a: mpf(as_matrix(a).rows),
    "cols": lambda a: mpf(as_matrix(a).cols),
    **{name: matrix_function(name) for name in ("expm", "logm", "sqrtm", "sinm", "cosm")},
    **{f"{name}_frechet": frechet(name) for name in ("expm", "logm", "sqrtm", "sinm", "cosm")},
}
OPERATIONS = {
    "neg": lambda a: -a,
    "'": lambda a: a if isinstance(a, mpf) else a.T,
    "+": add,
    "-": lambda a, b: add(a, -b),
    "*": lambda a, b: plain(a * b),
    "/": lambda a, b: mapped(divided, a, b),
    ".*": lambda a, b: mapped(lambda x, y: x * y, a, b),
    "./": lambda a, b: mapped(divided, a, b),
    ".^": lambda a, b: mapped(power_of, a, b),
    "^": matrix_power,
}


def value(node, point, sizes):
    """point: name -> rows or mpf; sizes: name -> int."""
    found = _value(node, point, sizes)
    return found if isinstance(found, matrix) else mpf(found)


def _value(node, point, sizes):
    if node.op == "number":
        return mpf(node.value)
    if node.op == "name":
        if node.value in point:
            found = point[node.value]
            return plain(matrix(found)) if isinstance(found, list) else mpf(found)
        if node.value == "pi":
            return +mp.pi
        if node.value in sizes:
            return mpf(sizes[node.value])
        if node.value != "eye":
            raise AssertionError(f"the name {node.value} has no value")
        return plain(mp.eye(_shape(node, sizes)[0]))
    if node.op == "call" and node.value in CONSTANTS:
        return plain(CONSTANTS[node.value](*(_size(a, sizes) for a in node.args)))
    parts = [value(a, point, sizes) for a in node.args]
    if node.op != "call":
        return OPERATIONS[node.op](*parts)
    if node.value in ("vector", "matrix"):
        return plain(parts[0] * mp.ones(*_shape(node, sizes)))
    if node.value in ELEMENTWISE:
        return mapped(ELEMENTWISE[node.value], *parts)
    return mapped(BROADCAST[node.value], *parts) if node.value in BROADCAST else FUNCTIONS[node.value](*parts)


def commutation(m, n):
    """K vec(A) = vec(A') for A (m, n)."""
    found = mp.zeros(m * n)
    for i in range(m):
        for j in range(n):
            found[i * n + j, j * m + i] = 1
    return found


CONSTANTS = {
    "eye": mp.eye,
    "ones": lambda m, n=1: mp.ones(m, n),
    "zeros": lambda m, n=1: mp.zeros(m, n),
    "comm": commutation,
}


def _size(node, sizes):
    if node.op == "*":
        return _size(node.args[0], sizes) * _size(node.args[1], sizes)
    return sizes[node.value] if node.value in sizes else int(node.value)


def _shape(node, sizes):
    """Of a constant of the grammar whose size is inferred; the parser's nodes have none."""
    found = []
    for dimension in node.shape:
        found.append(1)
        for s in dimension:
            found[-1] *= sizes[s]
    return found
