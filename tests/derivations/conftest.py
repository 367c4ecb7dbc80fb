"""What several files of tests share: a second reading of the text notation, and random expressions in it."""

import math

import pytest
import torch
from hypothesis import strategies as st

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
CONSTANTS = {"eye": torch.eye, "ones": torch.ones, "zeros": torch.zeros}


def value_of_node(node, values, sizes):
    """Everything is 2-D float64: scalars (1, 1), vectors (n, 1)."""
    if node.op == "number":
        return scalar(float(node.value))
    if node.op == "name":
        return scalar(math.pi) if node.value == "pi" else values[node.value]
    if node.op == "call" and node.value in CONSTANTS:
        shape = [sizes.get(a.value) or int(a.value) for a in node.args]
        return CONSTANTS[node.value](*(shape if node.value == "eye" else [*shape, 1][:2]), dtype=torch.float64)
    parts = [value_of_node(a, values, sizes) for a in node.args]
    return (FUNCTIONS[node.value] if node.op == "call" else OPERATIONS[node.op])(*parts)


@pytest.fixture(scope="session")
def text_value():
    """text_value(source, name -> 2-D tensor, size -> int): straight from the syntax, no tree of ours between."""
    return lambda source, values, sizes: value_of_node(text.parse(source), values, sizes)


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

    def value(self, source, values, sizes):
        """The text's own value, or None where float64 cannot tell it well."""
        try:
            found = value_of_node(text.parse(source), values, sizes)
        except Rejected:
            return None
        return found if torch.isfinite(found).all() and found.abs().max() < 1e6 else None


@pytest.fixture(scope="session")
def random_texts():
    return RandomTexts()


@pytest.fixture(scope="session")
def relative_error():
    def error(got, expected):
        if got.shape != expected.shape:
            return math.inf
        scale = max(float(abs(got).max()), float(abs(expected).max()), 1e-6)
        return float(abs(got - expected).max()) / scale

    return error
