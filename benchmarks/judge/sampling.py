"""Points inside the declared domains: sizes for the symbols, and random values with the declared properties."""

import zlib

import torch
from sympy import Integer

from benchmarks.judge.functions import symmetric_part
from benchmarks.judge.shapes import counted, declared_shape

# Three sizes a symbol; m > n, so that a tall matrix is declared as m,n.
SIZES = {
    "m": (5, 4, 6),
    "n": (3, 2, 4),
    "p": (4, 2, 3),
    "q": (2, 5, 4),
    "r": (3, 2, 4),
    "k": (2, 3, 2),
    "d": (4, 3, 2),
    "h": (3, 5, 4),
    "t": (6, 3, 4),
    "c": (3, 4, 2),
}
OTHER_SIZES = (3, 4, 2)


def sizes_of(problem, number):
    """Size symbol -> Integer, for the point of this number."""
    symbols = {s for v in problem["vars"].values() for dim in declared_shape(v) for s in dim.free_symbols}
    return {s: Integer(SIZES.get(s.name, OTHER_SIZES)[number % 3]) for s in symbols}


def with_ones(rows, columns, draw):
    """A one in each row, at random."""
    return torch.nn.functional.one_hot((draw(rows) * columns).long(), columns).double()


def with_positive_determinant(x):
    return x if torch.linalg.det(x) > 0 else torch.cat([-x[:1], x[1:]])


# Property -> its matrix, from a normal one x and a source of uniform numbers; applied in this order.
PROPERTIES = {
    "positive": lambda x, draw: 0.3 + 1.2 * draw(*x.shape),
    "unit_interval": lambda x, draw: 0.1 + 0.8 * draw(*x.shape),
    "integer": lambda x, draw: torch.full_like(x, 3.0),
    "pm1": lambda x, draw: torch.where(x > 0, 1.0, -1.0).double(),
    "binary": lambda x, draw: (x > 0).double(),
    "prob": lambda x, draw: torch.softmax(x, 0),
    "stochastic_rows": lambda x, draw: torch.softmax(x, 1),
    "onehot": lambda x, draw: with_ones(1, len(x), draw).T,
    "onehot_rows": lambda x, draw: with_ones(*x.shape, draw),
    "symmetric": lambda x, draw: symmetric_part(x),
    "skew": lambda x, draw: (x - x.T) / 2,
    "positive_definite": lambda x, draw: x @ x.T / len(x) + 0.8 * torch.eye(len(x), dtype=x.dtype),
    "small": lambda x, draw: 0.3 * x,
    "invertible": lambda x, draw: 0.5 * x + 1.5 * torch.eye(len(x), dtype=x.dtype),
    "posdet": lambda x, draw: with_positive_determinant(0.5 * x + 1.5 * torch.eye(len(x), dtype=x.dtype)),
    "diagonal": lambda x, draw: torch.diag(torch.diagonal(x)),
    "lower_triangular": lambda x, draw: torch.tril(x, -1) + torch.diag(1 + torch.diagonal(x).abs()),
}


def sample(problem, sizes, seed):
    """name -> 2-D tensor inside the declared properties."""
    point = {}
    for name, variable in problem["vars"].items():
        generator = torch.Generator().manual_seed(zlib.crc32(f"{name}/{seed}".encode()))

        def uniform(*shape, generator=generator):
            return torch.rand(*shape, generator=generator, dtype=torch.float64)

        x = torch.randn(*counted(declared_shape(variable), sizes), generator=generator, dtype=torch.float64)
        unknown = set(variable.get("props", ())) - set(PROPERTIES)
        if unknown:
            raise ValueError(f"no sampler for the property {', '.join(sorted(unknown))} of {name}")
        for property_, make in PROPERTIES.items():
            if property_ in variable.get("props", ()):
                x = make(x, uniform)
        point[name] = x
    return point


def natural(x, kind):
    """A 2-D tensor as users pass it: scalars 0-D, vectors 1-D."""
    return {"scalar": lambda: x[0, 0], "vector": lambda: x[:, 0], "matrix": lambda: x}[kind]()


def natural_point(problem, point):
    return {n: natural(x, problem["vars"][n]["kind"]) for n, x in point.items()}
