"""A torch function of somebody else's against a derivation, at points: the work of `check_gradient`.

The value is that of the autograd witness's interpreter, in float64; the derivative is the generated code
of the result. The function runs in the dtype and on the device of the tensors that it was given.
"""

import inspect
import random

import torch
from sympy import Integer

from derivations.errors import DerivationError, DomainError
from derivations.expressions import is_matrix
from derivations.notation import text
from derivations.notation.code.arguments import natural_shape, sizes_of
from derivations.notation.code.libraries import identifier
from derivations.notation.code.modules import jacobian, need_first_derivative
from derivations.verification.autograd import ATTEMPTS, FloatSampler
from derivations.verification.disagreement import AUTOGRAD, DIFFERENCES, Comparison, errors, message, shown
from derivations.verification.interpreter import value
from derivations.verification.report import Witness
from derivations.verification.sampling import properties_of, sizes_for

# The share of the digits that must agree. Central differences with the step eps^(1/3) keep two thirds
# of them at best, and less where the third derivative is large.
DIGITS = {AUTOGRAD: 0.5, DIFFERENCES: 0.4}


def check(function, derivation, given, points, seed, tolerance):
    """A Witness where the function agrees at all points; AssertionError where it does not."""
    need_first_derivative(derivation)
    variables = {identifier(v.name): v for v in derivation.independent_variables}
    if unknown := [name for name in given if name not in variables]:
        raise DerivationError(f"the expression has no {unknown[0]}; it has {', '.join(variables)}")
    _need_parameters(function, variables)
    given = {name: _given(name, x) for name, x in given.items()}
    sizes_of(variables.values(), {name: x.shape for name, x in given.items()})
    for name, x in given.items():
        _need_domain(variables[name], x)
    if len(given) == len(variables):
        points = 1
    generated = derivation.to_function("torch")
    compared = [_compare(function, derivation, generated, given, f"{seed}/{point}") for point in range(points)]
    by = next((c.by for c in compared if c.by == DIFFERENCES), AUTOGRAD)
    tolerance = tolerance or max(c.eps for c in compared) ** DIGITS[by]
    worst = max(error for c in compared for error in errors(c))
    if not worst < tolerance:
        raise AssertionError(message(derivation, compared, tolerance))
    return Witness(by, True, points, worst, note="its value has no grad_fn" if by == DIFFERENCES else "")


# --------------------------------------------------------------------------------- what was given


def _need_parameters(function, names):
    try:
        signature = inspect.signature(function)
    except ValueError:  # some functions in C have none
        return
    try:
        signature.bind(**dict.fromkeys(names))
    except TypeError as error:
        raise DerivationError(
            f"the function is called with the keywords {', '.join(names)}, and its signature is {signature}: {error}"
        ) from None


def _read(x):
    """A tensor or an array in its own dtype; Python's numbers and lists of them in float64."""
    return torch.as_tensor(x, dtype=None if hasattr(x, "dtype") else torch.float64)


def _given(name, x):
    try:
        return _read(x).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise DerivationError(f"{name} cannot be read as a tensor: {error}") from None


def _close(a, b):
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-5, atol=1e-6)


# What the values of a declared property are like.
DOMAINS = {
    "symmetric": lambda a: _close(a, a.T),
    "positive_definite": lambda a: _close(a, a.T) and bool((torch.linalg.eigvalsh(a) > 0).all()),
    "diagonal": lambda a: _close(a, torch.diag(torch.diagonal(a))),
    "invertible": lambda a: int(torch.linalg.matrix_rank(a)) == len(a),
    "orthogonal": lambda a: _close(a.T @ a, torch.eye(len(a), dtype=a.dtype, device=a.device)),
    "posdet": lambda a: bool(torch.linalg.det(a) > 0),
    "positive": lambda a: bool((a > 0).all()),
    "unit_interval": lambda a: bool(((a > 0) & (a < 1)).all()),
    "small": lambda a: bool((a.abs() < 1).all()),
    "binary": lambda a: bool(((a == 0) | (a == 1)).all()),
    "pm1": lambda a: bool((a.abs() == 1).all()),
    "integer": lambda a: bool((a == a.round()).all()),
    "prob": lambda a: bool((a > 0).all()) and _close(a.sum(), torch.ones_like(a.sum())),
    "centred": lambda a: bool(a.sum().abs() <= 1e-5 * a.abs().sum()),
    "onehot": lambda a: bool(((a == 0) | (a == 1)).all() and a.sum() == 1),
    "onehot_rows": lambda a: bool(((a == 0) | (a == 1)).all() and (a.sum(1) == 1).all()),
}


def _need_domain(variable, x):
    """The formula uses what is declared, so the values must have it."""
    for name in sorted(properties_of(variable) & DOMAINS.keys()):
        if not DOMAINS[name](x.double()):
            raise DomainError(f"{variable.name} is declared {name.replace('_', ' ')}, and the given tensor is not")


# --------------------------------------------------------------------------------------- a point


def _compare(function, derivation, generated, given, seed):
    """A Comparison at a random point where the formulas are finite and well conditioned."""
    reason, all_given = "the formula is not finite", len(given) == len(derivation.independent_variables)
    for attempt in range(1 if all_given else ATTEMPTS):
        point, sizes = _point(derivation, given, f"{seed}/{attempt}")
        arguments = _arguments(derivation, point, given)
        # The formulas see what the function sees: the point in its dtype.
        point = {v: arguments[identifier(v.name)].double().cpu().reshape(x.shape) for v, x in point.items()}
        try:
            formulas = _formulas(derivation, generated, point, sizes)
        except DomainError as error:
            reason = error
            continue
        if all(torch.isfinite(f).all() for f in formulas):
            break
    else:
        if all_given:
            raise DomainError(f"the given point is outside of the domain: {reason}")
        with_given, others = (f" with the given {', '.join(given)}", "other ") if given else ("", "")
        raise DomainError(
            f"no point inside the domain in {ATTEMPTS} attempts{with_given} ({reason}); declare the domain of a "
            "variable, as in variables={'P': {'shape': ['n', 'n'], 'props': ['positive_definite']}}, "
            f"or give {others}tensors in at={{...}}"
        )
    expected_value, expected = formulas
    try:
        found, derivative, by, connected = _derivative(function, identifier(derivation.wrt.name), arguments)
    except Exception as error:
        error.add_note(f"raised by the function that is checked, at {shown(arguments)}")
        raise
    if found.shape != expected_value.shape:
        raise AssertionError(
            f"the function returns the shape {tuple(found.shape)}, and "
            f"{text.write(derivation.expression, derivation.variables)} has the shape {tuple(expected_value.shape)} "
            f"at {shown(arguments)}"
        )
    eps = max(torch.finfo(x.dtype).eps for x in (found, arguments[identifier(derivation.wrt.name)]))
    found, derivative = found.detach().double().cpu(), derivative.double().cpu()
    kinks = _kinks(derivation, generated, arguments, expected)
    sizes = {s: int(s.xreplace(sizes)) for v in point for s in natural_shape(v) if s != 1}
    return Comparison(arguments, sizes, by, connected, eps, found, expected_value, derivative, expected, kinks)


def _point(derivation, given, seed):
    """Variable -> 2-D tensor in float64: what was given, the rest random; and the sizes."""
    variables = derivation.independent_variables
    sampler = FloatSampler(seed)
    sizes = {
        s: Integer(n)
        for s, n in sizes_for(variables, random.Random(seed), (derivation.expression, derivation.result)).items()
    }
    sizes |= sizes_of(variables, {name: x.shape for name, x in given.items()})
    point = {}
    for v in variables:
        if (x := given.get(identifier(v.name))) is None:
            rows = sampler.matrix(v, sizes) if is_matrix(v) else [[sampler.scalar(properties_of(v))]]
            point[v] = torch.tensor(rows, dtype=torch.float64)
        else:
            point[v] = x.double().cpu().reshape([int(s.xreplace(sizes)) for s in v.shape] if is_matrix(v) else (1, 1))
    return point, sizes


def _arguments(derivation, point, given):
    """What the function is called with: the user's tensors as they are, the rest like them."""
    like = next((x for x in given.values() if x.is_floating_point()), torch.empty((), dtype=torch.float64))
    arguments = {}
    for v, x in point.items():
        name = identifier(v.name)
        own = given.get(name)
        natural = x.reshape(x.shape[: len(natural_shape(v))])
        if own is None or (v == derivation.wrt and not own.is_floating_point()):
            own = natural.to(like)
        arguments[name] = own.clone()
    return arguments


def _formulas(derivation, generated, point, sizes):
    """The value and the derivative by the formulas, in float64."""
    inputs = {identifier(v.name): x.reshape(x.shape[: len(natural_shape(v))]) for v, x in point.items()}
    natural = tuple(int(s.xreplace(sizes)) for s in natural_shape(derivation.expression))
    expected_value = value(derivation.expression, point, sizes).reshape(natural)
    derivative = torch.as_tensor(generated(**inputs), dtype=torch.float64)
    variable = inputs[identifier(derivation.wrt.name)].shape
    return expected_value, jacobian(derivation, derivative, natural, variable)


# The formula on both sides of the point: far enough for float64, and nothing smooth changes as much.
BESIDE, JUMP = 1e-6, 1e-3


def _kinks(derivation, generated, arguments, expected):
    """Which entries of the derivative jump where the variable moves a little, in no special direction."""
    if not derivation.conditions:
        return torch.zeros_like(expected, dtype=torch.bool)
    name = identifier(derivation.wrt.name)
    inputs = {n: x.double().cpu() for n, x in arguments.items()}
    x = inputs[name]
    step = BESIDE * torch.linspace(1, 2, x.numel(), dtype=x.dtype).reshape(x.shape) * x.abs().clamp(min=1)
    natural = expected.shape[: expected.ndim - x.ndim]
    sides = (torch.as_tensor(generated(**{**inputs, name: y}), dtype=torch.float64) for y in (x + step, x - step))
    left, right = (jacobian(derivation, side, natural, x.shape) for side in sides)
    return (left - right).abs() > JUMP * expected.abs().max().clamp(min=1)


# --------------------------------------------------------------------------- the user's derivative


def _derivative(function, name, arguments):
    """The value, its derivative as [axes of value, axes of variable], how, and whether there is a path."""
    variable = arguments[name].clone().requires_grad_()
    try:
        with torch.enable_grad():
            found = _value(function, {**arguments, name: variable})
    except RuntimeError as error:
        # numpy() refuses a tensor that requires grad: who calls it is a black box.
        if "requires grad" not in str(error):
            raise
        found = None
    if found is None or not found.requires_grad:
        return *_differences(function, name, arguments), DIFFERENCES, True
    with torch.enable_grad():
        entries = found.reshape(-1).unbind()
    rows = [torch.autograd.grad(entry, variable, retain_graph=True, allow_unused=True)[0] for entry in entries]
    nothing = torch.zeros_like(variable)
    derivative = torch.stack([nothing if row is None else row for row in rows])
    connected = any(row is not None for row in rows)
    return found, derivative.reshape(found.shape + variable.shape), AUTOGRAD, connected


def _differences(function, name, arguments):
    """Central differences: their error falls as h^2 and rounding grows as eps/h, so h = eps^(1/3)."""
    x = arguments[name]
    step = torch.finfo(x.dtype).eps ** (1 / 3)
    columns = []
    for i, entry in enumerate(x.reshape(-1).tolist()):
        h = step * max(1.0, abs(entry))
        sides = []
        for moved in (entry + h, entry - h):
            point = x.clone().reshape(-1)
            point[i] = moved
            sides.append(_value(function, {**arguments, name: point.reshape(x.shape)}).double())
        columns.append((sides[0] - sides[1]) / (2 * h))
    found = _value(function, arguments)
    return found, torch.stack(columns, -1).reshape(found.shape + x.shape)


def _value(function, arguments):
    """What the function returns, as a tensor; it gets copies, on which it may write."""
    found = function(**{name: x.clone() for name, x in arguments.items()})
    try:
        found = _read(found)
    except (TypeError, ValueError, RuntimeError):
        raise DerivationError(f"the function returned {type(found).__name__}; expected a tensor") from None
    return found if found.is_floating_point() else found.double()
