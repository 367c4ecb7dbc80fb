"""How a torch function and a derivation disagree: the worst entry, and what kind of mistake it looks like."""

import math
from dataclasses import dataclass
from itertools import combinations

import torch

from derivations.notation import text
from derivations.notation.code.libraries import identifier
from derivations.verification.autograd import SCALE

AUTOGRAD, DIFFERENCES = "autograd of the function", "central differences of the function"
# Rounding in the value reaches the derivative, so a derivative is not held to digits far below the value's.
BESIDE_THE_VALUE = 1e-3


@dataclass(frozen=True)
class Comparison:
    """What the function and the formulas give at a point; derivatives as [axes of value, axes of variable]."""

    arguments: dict  # name -> tensor, as the function had it
    sizes: dict  # size, as declared -> number
    by: str
    connected: bool  # whether autograd finds a path from the value to the variable
    eps: float  # of the function's dtype
    value: torch.Tensor
    expected_value: torch.Tensor
    derivative: torch.Tensor
    expected: torch.Tensor
    kinks: torch.Tensor  # which entries of the derivative jump at the point


def errors(c):
    """The relative errors of the value and of the derivative, against their largest entries."""
    least = max(SCALE, BESIDE_THE_VALUE * float(c.expected_value.abs().max()))
    return _error(c.value, c.expected_value, SCALE), _error(c.derivative, c.expected, least)


def _error(found, expected, least):
    if not torch.isfinite(found).all():
        return math.inf
    return float((found - expected).abs().max()) / max(float(found.abs().max()), float(expected.abs().max()), least)


def message(derivation, compared, tolerance):
    """The worst entry of the derivative, or of the value where the derivatives agree, with hints."""
    part = 1 if any(errors(c)[1] >= tolerance for c in compared) else 0
    number = max(range(len(compared)), key=lambda i: errors(compared[i])[part])
    c, name = compared[number], identifier(derivation.wrt.name)
    expression = text.write(derivation.expression, derivation.variables)
    of_what = f"derivative by {name} ({c.by})" if part else "value of the function"
    found, expected = ((c.value, c.expected_value), (c.derivative, c.expected))[part]
    lines = [
        f"the {of_what} is not that of {expression}",
        f"{_worst(c, name, found, expected)}: relative error {errors(c)[part]:.1e}, tolerance {tolerance:.1e}",
        f"the formula ({derivation.layout}): {derivation.to_text()}",
        *([f"the value: {_worst(c, name, c.value, c.expected_value)}"] if part and errors(c)[0] >= tolerance else []),
        f"point {number + 1} of {len(compared)}: {shown(c.arguments)}",
        *(f"assumed: {condition}" for condition in derivation.conditions),
        *(f"hint: {hint}" for hint in _hints(name, compared, part, tolerance)),
    ]
    return "\n    ".join(lines)


def _worst(c, name, found, expected):
    distance = (found - expected).abs().nan_to_num(nan=math.inf)
    entry = tuple(int(i) for i in torch.unravel_index(distance.argmax(), distance.shape))
    where = f"f{_index(entry[: c.value.ndim])}"
    if found is c.derivative:
        where = f"d{where}/d{name}{_index(entry[c.value.ndim :])}"
    return f"{where} is {float(found[entry]):.10g}, expected {float(expected[entry]):.10g}"


def _index(entry):
    return f"[{', '.join(map(str, entry))}]" if entry else ""


def shown(arguments):
    return ", ".join(f"{name} {tuple(x.shape)} {x.dtype}".replace("torch.", "") for name, x in arguments.items())


# ---------------------------------------------------------------------------------------- hints


def _hints(name, compared, part, tolerance):
    """What kind of mistake this looks like, if it looks so at every point."""
    if part == 0:
        return [f"the derivatives agree: a term that does not depend on {name} is different"]
    by_autograd = all(c.by == AUTOGRAD for c in compared)
    hints = []
    if all(errors(c)[0] < tolerance for c in compared):
        if all(_agrees_off_kinks(c, tolerance) for c in compared):
            return ["the values agree, and the point lies on a kink: one subgradient may be as good as another"]
        rough = "the values agree: if the function is rough at the scale of the step, say tolerance=..."
        hints.append("the values agree, so it is backward that is wrong" if by_autograd else rough)
    if by_autograd and not any(c.derivative.any() for c in compared):
        what = "gives zero" if all(c.connected for c in compared) else f"finds no path from the value to {name}"
        return [*hints, f"autograd {what}: is it detached?"]
    if all(_is_transposed(c, tolerance) for c in compared):
        return [*hints, "the derivative is transposed"]
    return hints + _factor_hints(compared, tolerance)


def _agrees_off_kinks(c, tolerance):
    return _error(torch.where(c.kinks, c.expected, c.derivative), c.expected, SCALE) < tolerance


def _is_transposed(c, tolerance):
    """Whether a gradient by a matrix, or a Jacobian of a vector by a vector, is the transpose."""
    if c.expected.ndim != 2:
        return False
    return c.expected.T.shape == c.derivative.shape and _error(c.derivative, c.expected.T, SCALE) < tolerance


def _factor_hints(compared, tolerance):
    factors = [_factor(c, tolerance) for c in compared]
    if None in factors:
        return []
    if all(abs(f + 1) < 10 * tolerance for f in factors):
        return ["the sign is reversed"]
    known = [label for label, values in _known_factors(compared) if _equal(values, factors, tolerance)]
    # At a single point several may fit; a product of sizes is the last to be thought of.
    if known := ([label for label in known if "*" not in label] or known)[:2]:
        hint = f"every entry is {' or '.join(known)} times the expected one"
        sized = any(str(s) in label for label in known for s in compared[0].sizes)
        return [hint + (": a mean for a sum?" if "/" in known[-1] else ": a sum for a mean?")] if sized else [hint]
    enough = len(compared) > 1 or compared[0].expected.numel() > 1
    if enough and _equal([factors[0]] * len(factors), factors, tolerance):
        return [f"every entry is {factors[0]:.6g} times the expected one"]
    return []


def _factor(c, tolerance):
    """k where the derivative is k times the expected one, or None."""
    square = float((c.expected**2).sum())
    if not torch.isfinite(c.derivative).all() or square == 0:
        return None
    k = float((c.derivative * c.expected).sum()) / square
    return k if k and _error(c.derivative, k * c.expected, SCALE) < tolerance else None


def _known_factors(compared):
    """(label, its value at each point), the simplest first: 2, 1/2, sizes and products of two sizes."""
    names = list(compared[0].sizes)
    sizes = [(str(s), [float(c.sizes[s]) for c in compared]) for s in names]
    sizes += [(f"{a}*{b}", [x * y for x, y in zip(u, v)]) for (a, u), (b, v) in combinations(sizes, 2)]
    plain = {"2": 2.0, "1/2": 0.5, "-2": -2.0, "-1/2": -0.5}
    yield from ((label, [number] * len(compared)) for label, number in plain.items())
    for top, number in (("1", 1.0), ("2", 2.0), ("-1", -1.0), ("-2", -2.0)):
        for label, values in sizes:
            below = f"({label})" if "*" in label else label
            yield f"{top}/{below}", [number / x for x in values]
            above = {"1": label, "-1": f"-{label}"}.get(top, f"{top}*{label}")
            yield above, [number * x for x in values]


def _equal(values, factors, tolerance):
    return all(abs(x - f) < 10 * tolerance * abs(f) for x, f in zip(values, factors))
