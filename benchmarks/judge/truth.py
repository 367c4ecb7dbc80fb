"""What is true of a problem: its derivative by torch.autograd, in the layout that it asks for, at random points."""

import math

import numpy as np
import torch

from benchmarks.judge.functions import FUNCTIONS, OPERATORS, commutation
from benchmarks.judge.reading import parse
from benchmarks.judge.sampling import natural, natural_point, sample, sizes_of
from benchmarks.judge.shapes import SCALAR, counted, declared_shape
from benchmarks.problems import names_by

POINTS = 3
TOLERANCE = 1e-8
# Below this, errors are absolute: a derivative that is zero at a point must not be divided by.
SCALE = 1e-6
# Points outside the domain are drawn again.
ATTEMPTS = 20


def value(node, point, sizes):
    """The value of a tree as a 2-D float64 tensor; point: name -> 2-D tensor, sizes: symbol -> Integer."""
    rows, columns = counted(node.shape, sizes)
    args = [value(a, point, sizes) for a in node.args]
    match node.op:
        case "number":
            found = torch.tensor(float(node.value), dtype=torch.float64)
        case "pi":
            found = torch.tensor(math.pi, dtype=torch.float64)
        case "name":
            found = point[node.value]
        case "eye":
            found = torch.eye(rows, dtype=torch.float64)
        case "ones" | "zeros":
            found = torch.full((rows, columns), float(node.op == "ones"), dtype=torch.float64)
        case "filled":
            found = args[0].expand(rows, columns)
        case "comm":
            found = commutation(*counted(node.value, sizes))
        case _:
            found = (OPERATORS[node.op] if node.op in OPERATORS else FUNCTIONS[node.op][1])(*args)
    return found.reshape(rows, columns)


def text_value(text, problem, point, sizes):
    return value(parse(text, problem["vars"]), point, sizes)


def function_of(problem, sizes):
    """The function to differentiate, from name -> natural tensor to a natural tensor."""
    if "torch" in problem:
        names = {"torch": torch, "math": math, "__builtins__": {"int": int, "float": float, "len": len}}
        return lambda values: eval(problem["torch"], names, dict(values))
    tree = parse(problem["expr"], problem["vars"])
    kind = "scalar" if tree.shape == SCALAR else "vector" if tree.shape[1] == 1 else "matrix"

    def function(values):
        shapes = {n: counted(declared_shape(problem["vars"][n]), sizes) for n in values}
        point = {n: x.reshape(shapes[n]) for n, x in values.items()}
        return natural(value(tree, point, sizes), kind)

    return function


def derivative(problem, point, sizes):
    """The derivative by torch.autograd in the problem's layout, as a numpy array."""
    function, values = function_of(problem, sizes), natural_point(problem, point)
    names = list(dict.fromkeys(names_by(problem)))
    inputs = tuple(values[n] for n in names)

    def of_inputs(*inputs):
        return function({**values, **dict(zip(names, inputs))})

    if problem.get("structure"):
        return free_entries(problem["structure"], of_inputs, *inputs).numpy()
    if problem["order"] == 1:
        found = torch.autograd.functional.jacobian(of_inputs, inputs)[0]
    else:
        found = torch.autograd.functional.hessian(of_inputs, inputs)[0][-1]
    return arranged(found.numpy(), found.dim() - inputs[-1].dim(), problem["layout"])


def arranged(array, of, layout):
    """An array of the axes of the value (as many as `of`) and then those of the variable, in a layout."""
    if layout == "denominator":
        return array.T
    if layout in ("vec", "hessian_vec"):
        rows = array.shape[:of]
        axes = (*range(of)[::-1], *range(of, array.ndim)[::-1])
        return array.transpose(axes).reshape(math.prod(rows), -1)
    if layout in ("gradient", "shape_of_output", "hessian"):
        return array
    raise ValueError(f"unknown layout {layout!r}")


def free_entries(structure, function, x):
    """The gradient of a scalar by the free entries of a symmetric or diagonal matrix."""
    n = len(x)
    rows, columns = torch.tril_indices(n, n) if structure == "symmetric" else torch.arange(n).expand(2, n)
    where = torch.zeros(n, n, dtype=torch.long)
    where[rows, columns] = where[columns, rows] = torch.arange(len(rows))
    mask = torch.zeros(n, n, dtype=x.dtype)
    mask[rows, columns] = mask[columns, rows] = 1.0
    free = torch.autograd.functional.jacobian(lambda t: function(t[where] * mask), x[rows, columns])
    return free[where] * mask


def points(problem):
    """(point, sizes, derivative) at every point, drawn inside the domain."""
    for number in range(POINTS):
        sizes = sizes_of(problem, number)
        for attempt in range(ATTEMPTS):
            point = sample(problem, sizes, f"{number}/{attempt}")
            expected = derivative(problem, point, sizes)
            if np.isfinite(expected).all():
                break
        else:
            raise ValueError(f"no point inside the domain in {ATTEMPTS} attempts")
        yield point, sizes, expected


def relative_error(got, expected):
    """Infinite where the shapes differ: vectors and scalars may come as matrices of one column."""
    got = np.asarray(got, dtype=float)
    if got.size != expected.size or (got.ndim == 2 and got.shape != (*expected.shape, 1, 1)[:2]):
        return math.inf
    if not np.isfinite(got).all():
        return math.inf
    scale = max(abs(got).max(), abs(expected).max(), SCALE)
    return float(abs(got.reshape(expected.shape) - expected).max() / scale)
