"""What several files of tests share: a second reading of the text notation, and random expressions in it."""

import functools
import math

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from mpmath import mp
from sympy import S

from derivations.notation import text

# ------------------------------------------------------------- the value of a text, without our trees


class Rejected(Exception):
    """Float64 cannot judge this point: a matrix is nearly singular."""


def conditioned(function):
    def guarded(a):
        if not torch.isfinite(a).all() or not torch.linalg.cond(a.detach()) < 1e6:
            raise Rejected
        return function(a)

    return guarded


def scalar(a):
    """A number, or a tensor of one entry, as (1, 1)."""
    return torch.as_tensor(a, dtype=torch.float64).reshape(1, 1)


def exponential(a):
    """By its series, after the norm has been halved below one."""
    halvings = max(0, math.ceil(math.log2(max(1e-9, float(a.detach().abs().sum(1).max())))) + 1)
    a = a / 2**halvings
    term = total = torch.eye(len(a), dtype=a.dtype)
    for k in range(1, 20):
        term = term @ a / k
        total = total + term
    return torch.linalg.matrix_power(total, 2**halvings)


def square_root(a):
    """By the iteration of Denman and Beavers."""
    root, other = a, torch.eye(len(a), dtype=a.dtype)
    for _ in range(25):
        root, other = (root + conditioned(torch.linalg.inv)(other)) / 2, (other + torch.linalg.inv(root)) / 2
    if not torch.allclose(root @ root, a, rtol=1e-8):
        raise Rejected
    return root


def logarithm(a):
    """2 artanh((A - I)(A + I)^-1), after roots have been taken until A is near the identity."""
    one, roots = torch.eye(len(a), dtype=a.dtype), 0
    while torch.linalg.norm((a - one).detach()) > 0.2:
        a, roots = square_root(a), roots + 1
    z = (a - one) @ torch.linalg.inv(a + one)
    return 2 ** (roots + 1) * sum(torch.linalg.matrix_power(z, k) / k for k in range(1, 20, 2))


def rotation(a):
    """[[cos A, -sin A], [sin A, cos A]], as the exponential of a block matrix."""
    return exponential(torch.cat([torch.cat([a * 0, -a], 1), torch.cat([a, a * 0], 1)]))


MATRIX_FUNCTIONS = {
    "expm": exponential,
    "logm": logarithm,
    "sqrtm": square_root,
    "sinm": lambda a: rotation(a)[len(a) :, : len(a)],
    "cosm": lambda a: rotation(a)[: len(a), : len(a)],
}


def frechet(function):
    """The upper right block of f([[A, E], [0, A]])."""

    def derivative(a, e):
        return function(torch.cat([torch.cat([a, e], 1), torch.cat([a * 0, a], 1)]))[: len(a), len(a) :]

    return derivative


def power_frechet(a, e, k):
    """The sum of A^i E A^(k-1-i)."""
    power = torch.linalg.matrix_power
    return sum(power(a, i) @ e @ power(a, int(k) - 1 - i) for i in range(int(k)))


def determinant(a):
    """By Laplace's expansion, which may be differentiated at singular matrices too."""
    return sum((a[0, j] * cofactor(a, 0, j) for j in range(len(a))), torch.zeros((), dtype=a.dtype)) if len(a) else 1


def cofactor(a, i, j):
    rows, columns = ([k for k in range(len(a)) if k != at] for at in (i, j))
    return (-1) ** (i + j) * determinant(a[rows][:, columns])


def adjugate(a):
    """The transposed cofactors."""
    zero = a[0, 0] * 0
    return torch.stack([torch.stack([cofactor(a, i, j) + zero for i in range(len(a))]) for j in range(len(a))])


def pseudo_inverse(a):
    if not torch.isfinite(a).all():
        raise Rejected
    if torch.linalg.matrix_rank(a.detach(), rtol=1e-10) < min(a.shape):
        return torch.linalg.pinv(a, rtol=1e-10)
    inverse = conditioned(torch.linalg.inv)
    return inverse(a.T @ a) @ a.T if a.shape[0] >= a.shape[1] else a.T @ inverse(a @ a.T)


def largest(a):
    """(largest eigenvalue of the symmetric part, its unit eigenvector with the largest entry positive)."""
    if not torch.isfinite(a).all():
        raise Rejected
    values, vectors = torch.linalg.eigh((a + a.T) / 2)
    if len(a) > 1 and values[-1] - values[-2] < 1e-3:
        raise Rejected
    vector = vectors[:, -1:]
    return scalar(values[-1]), vector * torch.sign(vector[vector.detach().abs().argmax()])


def nuclear_norm(a):
    if not torch.isfinite(a).all() or torch.linalg.svdvals(a.detach())[-1] < 1e-4:
        raise Rejected
    return scalar(torch.linalg.svdvals(a).sum())


def kronecker(a, b):
    """The entries a[i, j] b[k, l] in row (i, k) and column (j, l)."""
    return torch.einsum("ij,kl->ikjl", a, b).reshape(a.shape[0] * b.shape[0], a.shape[1] * b.shape[1])


FUNCTIONS = {
    "exp": torch.exp,
    "log": torch.log,
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "tanh": torch.tanh,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "arcsin": torch.asin,
    "arccos": torch.acos,
    "arctan": torch.atan,
    "sqrt": torch.sqrt,
    "abs": torch.abs,
    "sign": torch.sign,
    "relu": torch.relu,
    "step": lambda a: (a > 0).to(a.dtype),
    "sigmoid": torch.sigmoid,
    "softplus": lambda a: torch.logaddexp(a, a * 0),
    "erf": torch.erf,
    "normcdf": torch.special.ndtr,
    "normpdf": lambda a: torch.exp(-a * a / 2) / math.sqrt(2 * math.pi),
    "factorial": lambda a: torch.exp(torch.lgamma(a + 1)),
    "tr": lambda a: scalar(torch.trace(a)),
    "sum": lambda a: scalar(a.sum()),
    "mean": lambda a: scalar(a.mean()),
    "norm1": lambda a: scalar(a.abs().sum()),
    "norm2": lambda a: scalar(torch.sqrt((a * a).sum())),
    "det": conditioned(lambda a: scalar(torch.linalg.det(a))),
    "logdet": conditioned(lambda a: scalar(torch.log(torch.linalg.det(a)))),
    "inv": conditioned(torch.linalg.inv),
    "logsumexp": lambda a: scalar(torch.log(torch.exp(a).sum())),
    "softmax": lambda a: torch.exp(a) / torch.exp(a).sum(),
    "logsoftmax": lambda a: a - torch.log(torch.exp(a).sum()),
    "softmax_rows": lambda a: torch.exp(a) / torch.exp(a).sum(1, keepdim=True),
    "logsoftmax_rows": lambda a: a - torch.log(torch.exp(a).sum(1, keepdim=True)),
    "max": torch.maximum,
    "min": torch.minimum,
    "clip": lambda a, low, high: torch.minimum(torch.maximum(a, low), high),
    "huber": lambda a, c: torch.where(a.abs() <= c, a * a / 2, c * (a.abs() - c / 2)),
    "vec": lambda a: a.T.reshape(-1, 1),
    "kron": kronecker,
    "adj": adjugate,
    "pinv": pseudo_inverse,
    "lambda_max": lambda a: largest(a)[0],
    "vmax": lambda a: largest(a)[1],
    "norm_nuc": nuclear_norm,
    **MATRIX_FUNCTIONS,
    **{f"{name}_frechet": frechet(function) for name, function in MATRIX_FUNCTIONS.items()},
    "power_frechet": power_frechet,
    "diag": lambda a: torch.diag(a[:, 0]) if a.shape[1] == 1 else torch.diagonal(a)[:, None],
    "rows": lambda a: scalar(a.shape[0]),
    "cols": lambda a: scalar(a.shape[1]),
}


def power(a, b):
    if a.numel() == 1:
        return a**b
    return torch.linalg.matrix_power(a if b >= 0 else conditioned(lambda m: m)(a), int(b))


def same_shape(operation):
    def checked(a, b):
        assert a.shape == b.shape
        return operation(a, b)

    return checked


OPERATIONS = {
    "neg": lambda a: -a,
    "'": lambda a: a.T,
    "+": same_shape(torch.add),
    "-": same_shape(torch.sub),
    "*": lambda a, b: a * b if 1 in (a.numel(), b.numel()) else a @ b,
    "/": lambda a, b: a / b,
    ".*": lambda a, b: a * b,
    "./": lambda a, b: a / b,
    ".^": lambda a, b: a**b,
    "^": power,
}


def commutation(rows, columns, dtype):
    """The matrix with K vec(A) = vec(A'), for A of rows x columns: from where each entry of A goes."""
    matrix = torch.zeros(rows * columns, rows * columns, dtype=dtype)
    for i in range(rows):
        for j in range(columns):
            matrix[i * columns + j, j * rows + i] = 1
    return matrix


CONSTANTS = {"eye": torch.eye, "ones": torch.ones, "zeros": torch.zeros, "comm": commutation}


def size_of(node, sizes):
    """An integer, a name, a product or a power of these."""
    if node.op == "*":
        return size_of(node.args[0], sizes) * size_of(node.args[1], sizes)
    if node.op == "^":
        return size_of(node.args[0], sizes) ** int(node.args[1].value)
    return sizes.get(node.value) or int(node.value)


def value_of_node(node, values, sizes):
    """Everything is 2-D float64: scalars (1, 1), vectors (n, 1)."""
    if node.op == "number":
        return scalar(float(node.value))
    if node.op == "name":
        return scalar(math.pi) if node.value == "pi" else values[node.value]
    if node.op == "call" and node.value in CONSTANTS:
        shape = [size_of(a, sizes) for a in node.args]
        return CONSTANTS[node.value](*(shape if node.value == "eye" else [*shape, 1][:2]), dtype=torch.float64)
    parts = [value_of_node(a, values, sizes) for a in node.args]
    return (FUNCTIONS[node.value] if node.op == "call" else OPERATIONS[node.op])(*parts)


@pytest.fixture(scope="session")
def text_value():
    """text_value(source, name -> 2-D tensor, size -> int): straight from the syntax, no tree of ours between."""
    return lambda source, values, sizes: value_of_node(text.parse(source), values, sizes)


# --------------------------------------------------------------- the derivative of a text, by torch


def stacked(derivatives):
    """Rows by vec(Y), columns by vec(X), both column by column, of derivatives [a, b, i, j]."""
    a, b, i, j = derivatives.shape
    entries = [derivatives[k % a, k // a].T.reshape(-1) for k in range(a * b)]
    return torch.stack(entries).reshape(a * b, i * j)


def arranged(jacobian, layout):
    """torch's jacobian (rows, columns, rows of x, columns of x) or hessian in a layout by its name."""
    if layout in ("vec", "hessian_vec"):
        return stacked(jacobian)
    if layout == "shape_of_output":
        return jacobian[:, :, 0, 0]
    if layout == "denominator":
        return jacobian[:, 0, :, 0].T
    if layout == "numerator":
        return jacobian[:, 0, :, 0] if jacobian.shape[0] > 1 else jacobian[0, 0].T
    return jacobian[0, 0] if layout == "gradient" else jacobian[:, 0, :, 0]


# A structured matrix as it is made of its free entries, and the derivative by all entries from that by the free ones.
FREE = {
    None: (lambda x: x, lambda g: g),
    "symmetric": (lambda x: torch.tril(x) + torch.tril(x, -1).T, lambda g: g + torch.tril(g, -1).T),
    "diagonal": (lambda x: torch.diag(torch.diagonal(x)), lambda g: g),
}


@pytest.fixture(scope="session")
def derivative_of_text():
    """derivative_of_text(source, names of wrt, name -> 2-D tensor, size -> int, layout): of ours, the parser only."""

    def derivative(source, wrt, values, sizes, layout, order=1, structure=None):
        build, complete = FREE[structure]
        names, tree = tuple(dict.fromkeys(wrt)), text.parse(source)
        inputs = tuple(values[name] for name in names)

        def f(*arguments):
            return value_of_node(tree, {**values, **dict(zip(names, map(build, arguments), strict=True))}, sizes)

        try:
            if order == 1:
                return complete(arranged(torch.autograd.functional.jacobian(f, inputs[0]), layout))
            return arranged(torch.autograd.functional.hessian(lambda *a: f(*a).sum(), inputs)[0][-1], layout)
        except Rejected:
            return torch.full((1, 1), math.nan, dtype=torch.float64)

    return derivative


# ------------------------------------------------------------------- the value of a tree, by numpy

ELEMENTARY = {
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "tanh": np.tanh,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "Abs": np.abs,
    "sign": np.sign,
    "erf": np.vectorize(math.erf),
    "normcdf": np.vectorize(lambda u: math.erfc(-u / math.sqrt(2)) / 2),
    "normpdf": lambda u: np.exp(-u * u / 2) / math.sqrt(2 * math.pi),
    "relu": lambda u: np.maximum(u, 0),
    "step": lambda u: 1.0 * (u > 0),
    "sigmoid": lambda u: 1 / (1 + np.exp(-u)),
    "softplus": lambda u: np.log1p(np.exp(u)),
    "maximum": np.maximum,
    "minimum": np.minimum,
    "clip": lambda u, low, high: np.minimum(np.maximum(u, low), high),
    "huber": lambda u, c: np.where(np.abs(u) <= c, u * u / 2, c * (np.abs(u) - c / 2)),
}


def np_pinv(a):
    return np.linalg.pinv(a, rcond=1e-10)


def np_commutation(rows, columns):
    """Its columns are the unit vectors e_i kron e_j, in the order of vec."""
    units = [np.kron(np.eye(rows)[:, i], np.eye(columns)[:, j]) for j in range(columns) for i in range(rows)]
    return np.array(units).T


def np_matrix_function(name, a):
    """By mpmath, in more digits than float64 has."""
    with mp.workdps(40):
        return np.array(getattr(mp, name)(mp.matrix(a.tolist())).apply(mp.re).tolist(), dtype=float)


def np_frechet(name, a, e):
    """A central difference in 60 digits, so that the error falls below float64."""
    with mp.workdps(60):
        a, e, h, f = mp.matrix(a.tolist()), mp.matrix(e.tolist()), mp.mpf(10) ** -20, getattr(mp, name)
        return np.array(((f(a + h * e) - f(a - h * e)) / (2 * h)).apply(mp.re).tolist(), dtype=float)


def np_largest_eigenvector(a):
    vector = np.linalg.eigh((a + a.T) / 2)[1][:, -1:]
    return vector * np.sign(vector[np.abs(vector).argmax()])


def np_softmax(a, axis=None):
    return np.exp(a) / np.exp(a).sum(axis=axis, keepdims=True)


# By the names of the classes, so that no code of ours takes part.
TREES = {
    "Add": lambda *parts: sum(parts),
    "Mul": lambda *parts: math.prod(parts),
    "Pow": lambda base, exponent: np.power(base, exponent),
    "Sum": lambda *parts: sum(parts),
    "Scale": lambda scalar, a: scalar * a,
    "Product": lambda *parts: functools.reduce(np.matmul, parts),
    "Inner": lambda *parts: functools.reduce(np.matmul, parts)[0, 0],
    "Hadamard": lambda *parts: functools.reduce(np.multiply, parts),
    "Kronecker": lambda *parts: functools.reduce(np.kron, parts),
    "Transpose": lambda a: a.T,
    "Inverse": np.linalg.inv,
    "Power": lambda a, k: np.linalg.matrix_power(a, round(k)),
    "Diag": lambda a: np.diag(a[:, 0]),
    "DiagonalOf": lambda a: np.diag(a)[:, None],
    "Vec": lambda a: a.reshape(-1, 1, order="F"),
    "Unvec": lambda a, rows, columns: a.reshape(round(rows), round(columns), order="F"),
    "Commutation": lambda rows, columns: np_commutation(round(rows), round(columns)),
    "Identity": lambda n: np.eye(round(n)),
    "Zero": lambda rows, columns: np.zeros((round(rows), round(columns))),
    "Ones": lambda rows, columns: np.ones((round(rows), round(columns))),
    "Softmax": np_softmax,
    "SoftmaxRows": lambda a: np_softmax(a, 1),
    "LogSumExp": lambda a: np.log(np.exp(a).sum()),
    "Trace": np.trace,
    "Det": np.linalg.det,
    "LogDet": lambda a: np.linalg.slogdet(a)[1],
    "Norm": np.linalg.norm,
    "EntrySum": np.sum,
    "Adjugate": lambda a: adjugate(torch.tensor(a)).numpy(),
    "PseudoInverse": np_pinv,
    "LargestEigenvalue": lambda a: np.linalg.eigvalsh((a + a.T) / 2)[-1],
    "LargestEigenvector": np_largest_eigenvector,
    "NuclearNorm": lambda a: np.linalg.svd(a, compute_uv=False).sum(),
    **ELEMENTARY,
}


def value_of_tree(e, values):
    """values: name -> float, or 2-D array; names of sizes -> int. A scalar is a float."""
    kind = type(e).__name__
    if kind in ("Symbol", "Variable"):
        return values[e.name]
    if e.is_number and not e.args:
        return float(e)
    if kind == "Apply":
        function, *matrices = e.args
        slots = {name: value_of_tree(a, values) for name, a in zip(("·u", "·v", "·w"), matrices, strict=False)}
        return value_of_tree(function, {**values, **slots})
    if kind in ("MatrixFunction", "Frechet"):
        function, *parts = e.args
        parts = [value_of_tree(a, values) for a in parts]
        name = {"exp": "expm", "log": "logm", "sin": "sinm", "cos": "cosm", "Pow": "sqrtm"}[type(function).__name__]
        if name == "sqrtm" and function.exp != S.Half:
            return power_frechet(*map(torch.tensor, parts), value_of_tree(function.exp, values)).numpy()
        return (np_matrix_function if kind == "MatrixFunction" else np_frechet)(name, *parts)
    return TREES[kind](*(value_of_tree(a, values) for a in e.args))


@pytest.fixture(scope="session")
def tree_value():
    """tree_value(tree, name -> number or 2-D array): by numpy and mpmath."""
    return value_of_tree


# ------------------------------------------------------------------------------ random expressions

# name: (kind, shape, properties)
KINDS = {
    "s": ("scalar", [], ["positive"]),
    "t": ("scalar", [], []),
    "x": ("vector", ["n"], []),
    "y": ("vector", ["n"], ["positive"]),
    "p": ("vector", ["n"], ["prob"]),
    "z": ("vector", ["m"], []),
    "A": ("matrix", ["m", "n"], []),
    "C": ("matrix", ["m", "n"], ["positive"]),
    "S": ("matrix", ["n", "n"], []),
    "P": ("matrix", ["n", "n"], ["positive_definite"]),
    "D": ("matrix", ["n", "n"], ["diagonal"]),
}
SCALAR = ("1", "1")
LEAVES = {
    SCALAR: ["s", "t", "2", "3", "0.5"],
    ("n", "1"): ["x", "y", "p", "ones(n)"],
    ("m", "1"): ["z", "ones(m)"],
    ("1", "n"): ["x'", "y'", "ones(1,n)"],
    ("1", "m"): ["z'"],
    ("m", "n"): ["A", "C", "ones(m,n)"],
    ("n", "m"): ["A'", "C'"],
    ("n", "n"): ["S", "P", "D", "eye(n)", "S'"],
    ("m", "m"): ["eye(m)"],
}
ELEMENTWISE = ["exp", "tanh", "sin", "sigmoid", "softplus", "abs", "log", "sqrt", "cos", "normcdf", "arctan"]
# {} is a part of the same shape, {s} a scalar, {t} of the transposed shape, {n} a column, {M} anything.
ANY = [
    "({} + {})",
    "({} - {})",
    "({s}*{})",
    "(-{})",
    "({}.*{})",
    "({}./{})",
    "({s}./{})",
    "({}.*{s})",
    "({}/{s})",
    "({t})'",
    *(f"({{}}).^{k}" for k in ("2", "3", "-1", "-2")),
    *(f"{f}({{}})" for f in ELEMENTWISE),
]
TO_SCALAR = [
    "({r}*{c})",
    "({r}*{q}*{c})",
    "tr({q})",
    "det({q})",
    "logdet({q})",
    "logsumexp({c})",
    "sum({M})",
    "mean({M})",
    "norm2({M})",
    *(f"({{}})^{k}" for k in ("2", "3", "-1", "0.5")),
]
SQUARE = ["inv({})", "({})^2", "({})^3", "diag({d})"]
COLUMN = ["softmax({})", "logsoftmax({})", "diag({Q})"]


def grow(choose, shape, depth):
    """A random text of a shape; `choose` picks one of a list, whose first members are the simplest."""
    if depth == 0:
        return choose(LEAVES[shape])
    rows, columns = shape
    forms = ["leaf", *ANY]
    if shape == SCALAR:
        forms += TO_SCALAR
    else:
        forms += ["product", "product"]
    if rows == columns != "1":
        forms += SQUARE
    if columns == "1" != rows:
        forms += COLUMN
    form = choose(forms)
    if form == "leaf":
        return choose(LEAVES[shape])
    if form == "product":
        inner = choose(["n", "m"] if "1" in shape else ["n", "m", "1"])
        return f"({grow(choose, (rows, inner), depth - 1)}*{grow(choose, (inner, columns), depth - 1)})"
    n = choose(["n", "m"]) if any(part in form for part in ("{r}", "{c}", "{q}")) else None
    parts = {
        "{}": shape,
        "{s}": SCALAR,
        "{t}": (columns, rows),
        "{r}": ("1", n),
        "{c}": (n, "1"),
        "{q}": (n, n),
        "{d}": (rows, "1"),
        "{Q}": (rows, rows),
        "{M}": choose([("n", "1"), ("m", "n"), ("n", "n"), ("n", "m")]) if "{M}" in form else None,
    }
    for key, part in parts.items():
        while key in form:
            form = form.replace(key, grow(choose, part, depth - 1), 1)
    return form


def point(seed, sizes):
    """A value for every variable of KINDS, inside its domain."""
    generator = torch.Generator().manual_seed(seed)

    def draw(kind, shape, properties):
        shape = [*(sizes[s] for s in shape), 1, 1][:2]
        x = torch.randn(*shape, generator=generator, dtype=torch.float64)
        if "positive" in properties:
            return torch.rand(*shape, generator=generator, dtype=torch.float64) + 0.3
        if "prob" in properties:
            return torch.softmax(x, 0)
        if "positive_definite" in properties:
            return x @ x.T + torch.eye(shape[0], dtype=torch.float64)
        return torch.diag(torch.diagonal(x)) if "diagonal" in properties else x

    return {name: draw(*kind) for name, kind in KINDS.items()}


class RandomTexts:
    """Random texts over the variables of KINDS, their own values, and points."""

    shapes = (SCALAR, ("n", "1"), ("m", "n"), ("n", "n"), ("1", "n"))
    point = staticmethod(point)

    def __repr__(self):
        return "random_texts"

    @property
    def variables(self):
        return {name: dict(zip(("kind", "shape", "props"), kind, strict=True)) for name, kind in KINDS.items()}

    def draw(self, data, shape, depth):
        return grow(lambda options: data.draw(st.sampled_from(options)), shape, depth)

    @staticmethod
    def names(source):
        return text.parse(source).names()

    def value(self, source, values, sizes):
        """The text's own value, or None where float64 cannot tell it well."""
        try:
            found = value_of_node(text.parse(source), values, sizes)
        except Rejected:
            return None
        return found if torch.isfinite(found).all() and found.abs().max() < 1e6 else None


# Beyond these: shapes of Kronecker products, functions of matrices and of spectra, functions of two arguments.
WIDE_ANY = [*ANY, "max({}, {})", "min({s}, 2*{})", "clip({}, -1, {s})", "huber({}, 2)", "max({}, 1)"]
WIDE_TO_SCALAR = [
    "norm_nuc({M})",
    "lambda_max({q})",
    "tr(kron({q}, {k}))",
    "(vec({q})'*vec({q}))",
    "det(kron({q}, {k}))",
]
WIDE_SQUARE = [
    "expm({})",
    "sinm({})",
    "cosm({})",
    "adj({})",
    "({})^-1",
    "expm_frechet({}, {})",
    "power_frechet({}, {}, 3)",
]
WIDE_LEAVES = {("n", "n"): ["logm(P)", "sqrtm(P)", "(vmax(S)*vmax(S)')", "sqrtm_frechet(P, S)", "logm_frechet(P, D)"]}


def halves(size):
    """A size as a product of two, in every way."""
    parts = size.split("*")
    return [(size, "1"), ("1", size)] if len(parts) == 1 else [tuple(parts), tuple(parts[::-1])]


def leaves(shape):
    rows, columns = shape
    found = [*LEAVES.get(shape, []), *WIDE_LEAVES.get(shape, [])] or [f"ones({rows},{columns})"]
    if "*" in rows and rows == columns:
        found += [f"eye({rows})", *(f"comm({a},{b})" for a, b in halves(rows))]
    return found


def grow_wide(choose, shape, depth):
    """A random text of a shape whose sizes may be products such as m*n."""
    if depth == 0:
        return choose(leaves(shape))
    rows, columns = shape
    forms = ["leaf", *WIDE_ANY] + ([*TO_SCALAR, *WIDE_TO_SCALAR] if shape == SCALAR else ["product", "product"])
    if rows == columns and rows in ("m", "n"):
        forms += [*SQUARE, *WIDE_SQUARE]
    if "1" not in shape:
        forms += ["softmax_rows({})", "logsoftmax_rows({})", "pinv({t})"]
    if columns == "1" and rows in ("m", "n"):
        forms += COLUMN
    if "*" in rows + columns:
        forms += ["kron", "kron", "kron"] + (["vec", "vec"] if columns == "1" else [])
    form = choose(forms)
    if form == "leaf":
        return choose(leaves(shape))
    grown = lambda *of: grow_wide(choose, of, depth - 1)  # noqa: E731
    if form == "product":
        inner = choose(["n", "m", "m*n"])
        return f"({grown(rows, inner)}*{grown(inner, columns)})"
    if form == "vec":
        return f"vec({grown(*choose(halves(rows)))})"
    if form == "kron":
        (a, b), (c, d) = choose(halves(rows)), choose(halves(columns))
        return f"kron({grown(a, c)}, {grown(b, d)})"
    n, k = choose(["n", "m"]), choose(["n", "m"])
    parts = {
        "{}": shape,
        "{s}": SCALAR,
        "{t}": (columns, rows),
        "{r}": ("1", n),
        "{c}": (n, "1"),
        "{q}": (n, n),
        "{k}": (k, k),
        "{d}": (rows, "1"),
        "{Q}": (rows, rows),
        "{M}": choose([("m", "n"), ("n", "n"), ("m*n", "1"), ("m", "n*n")]) if "{M}" in form else None,
    }
    for key, part in parts.items():
        while key in form:
            form = form.replace(key, grown(*part), 1)
    return form


class WideTexts(RandomTexts):
    """The same, with the vec form and functions of matrices."""

    shapes = (SCALAR, ("m*n", "1"), ("m*n", "m*n"), ("n", "n"), ("m", "n"), ("m*n", "n*n"), ("n", "1"))

    def __repr__(self):
        return "wide_texts"

    def draw(self, data, shape, depth):
        return grow_wide(lambda options: data.draw(st.sampled_from(options)), shape, depth)


@pytest.fixture(scope="session")
def random_texts():
    return RandomTexts()


@pytest.fixture(scope="session")
def wide_texts():
    return WideTexts()


@pytest.fixture(scope="session")
def relative_error():
    def error(got, expected):
        if got.shape != expected.shape:
            return math.inf
        scale = max(float(abs(got).max()), float(abs(expected).max()), 1e-6)
        return float(abs(got - expected).max()) / scale

    return error
