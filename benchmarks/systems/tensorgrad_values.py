"""The values of tensorgrad's tensors on numpy arrays.

Its own evaluator needs PyTorch's named tensors, which are gone.
"""

import math

import numpy as np

ENTRYWISE = {
    **{name: getattr(np, name) for name in ("exp", "log", "tanh", "sign", "abs")},
    "relu": lambda a: np.maximum(a, 0),
    "gt0": lambda a: np.where(a > 0, 1.0, 0.0),
    "erf": np.vectorize(math.erf, otypes=[float]),
}


def value(t, values, sizes):
    """The value of a tensor, its axes in the order of its edges; values: name -> array."""
    edges = list(t.edges)
    match type(t).__name__:
        case "Variable":
            return values[t.name]
        case "Rename":
            return value(t.tensor, values, sizes)
        case "Zero":
            return np.zeros([sizes[s] for s in t.shape.values()])
        case "Delta" if not edges:
            return np.asarray(float(sizes[t.size]))
        case "Delta":
            indices = np.indices([sizes[t.size]] * len(edges))
            return (indices == indices[0]).all(0).astype(float)
    parts = getattr(t, "factors", None) or getattr(t, "terms", None) or getattr(t, "inputs", None) or []
    arrays_ = [value(part, values, sizes) for part in parts]
    return COMBINED[type(t).__name__](t, parts, arrays_, edges)


def aligned(array, have, want):
    return array.transpose([list(have).index(e) for e in want])


def combined_product(t, parts, values, edges):
    number = {e: i for i, e in enumerate(dict.fromkeys(e for part in parts for e in part.edges))}
    operands = [x for part, array in zip(parts, values) for x in (array, [number[e] for e in part.edges])]
    return np.einsum(*operands, [number[e] for e in edges], optimize=True) if parts else np.asarray(1.0)


def combined_sum(t, parts, values, edges):
    return sum(float(w) * aligned(array, part.edges, edges) for w, part, array in zip(t.weights, parts, values))


def combined_function(t, parts, values, edges):
    name, (part,), (array,) = t.signature.name, parts, values
    if name in ENTRYWISE or hasattr(t.signature, "k"):
        array = ENTRYWISE[name](array) if name in ENTRYWISE else array ** float(t.signature.k)
        return aligned(array, part.edges, edges)
    if name == "det":
        return np.linalg.det(array)
    if name == "inv":
        return aligned(np.linalg.inv(array), list(part.edges)[::-1], edges)
    raise ValueError(f"no value of {name}")


COMBINED = {"Product": combined_product, "Sum": combined_sum, "Function": combined_function}
