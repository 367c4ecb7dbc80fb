"""The autograd witness: the generated code of the result against torch.autograd, in float64.

The original expression is evaluated by an interpreter of its own, not by generated code.
"""

import contextlib
import math
import random

import sympy
import torch

from derivations.errors import DerivationError, DomainError, UnsupportedError
from derivations.expressions import is_matrix
from derivations.notation.code.libraries import gradient_name, identifiers, loss_gradients
from derivations.verification.interpreter import value
from derivations.verification.layouts import misfit
from derivations.verification.report import Witness
from derivations.verification.sampling import COUNT, Sampler, counted, properties_of, sizes_for, whole

NAME = "autograd (float64)"
POINTS = 3
ATTEMPTS = 40
TOLERANCE = 1e-9
# Autograd loses all digits of exp(exp(A)), say. Where code computes what the result says, it is asked at numbers
# that are so many times smaller.
SMALL = 1 / 8
# A relative error is taken against the largest entry, but not against less than this.
SCALE = 1e-4


class CodeError(Exception):
    """The generated code raised an exception."""


class FloatSampler(Sampler):
    def generic(self):
        return self.generator.gauss(0, 1)

    def between(self, low, high):
        return self.generator.uniform(low, high)


def check(derivation, points=POINTS, seed=0):
    """A Witness for the result of a derivation."""
    try:
        generated = derivation.to_function("torch")
        points = COUNT if counted(derivation, 0) else points
        worst, of_code = _worst_errors(derivation, generated, points, seed)
        if of_code < TOLERANCE <= worst:
            worst, _ = _worst_errors(derivation, generated, points, seed, SMALL)
        wrong_shape = misfit(derivation)
    except DerivationError as error:
        return Witness(NAME, None, note=str(error))
    except CodeError as error:
        return Witness(NAME, False, points, math.inf, note=f"the generated code fails with {error}")
    failed = wrong_shape or ("result" if not worst < TOLERANCE else "")
    return Witness(NAME, not failed, points, worst, note=failed)


def _worst_errors(derivation, generated, points, seed, spread=1):
    seeds = [(f"{seed}/{point}", whole(derivation, point)) for point in range(points)]
    return map(max, zip(*(_errors_at(derivation, generated, at, fixed, spread) for at, fixed in seeds)))


def _errors_at(derivation, generated, seed, fixed, spread):
    """Two relative errors at one random point inside the domain, where all sides are finite.

    That of the generated code against autograd, and against the result interpreted.
    """
    for attempt in range(ATTEMPTS):
        try:
            point, sizes = _sample(derivation, f"{seed}/{attempt}", fixed, spread)
            expected = _expected(derivation, point, sizes)
            interpreted = _interpreted(derivation.result, point, sizes)
            got = None if expected is None else _generated(derivation, generated, point, sizes)
        except DomainError:
            continue
        if got is not None and torch.isfinite(got).all():
            break
    else:
        raise DomainError(f"no point inside the domain in {ATTEMPTS} attempts")
    return _error(got, expected), _error(got, interpreted)


def _error(got, expected):
    if expected is None or got.numel() != expected.numel():
        return math.inf
    got = got.reshape(expected.shape)
    scale = max(float(expected.abs().max()), float(got.abs().max()), SCALE)
    return float((got - expected).abs().max()) / scale


def _interpreted(result, point, sizes):
    """The result, or None where torch cannot interpret it; DomainError where it does not exist, or only just."""
    with contextlib.suppress(UnsupportedError):
        return value(result, point, sizes)


def _generated(derivation, generated, point, sizes):
    """What the generated code gives at the point."""
    names = identifiers(derivation.independent_variables)
    arguments = {name: _natural(v, point[v]) for v, name in names.items()}
    for gradient in loss_gradients(derivation.result):
        arguments[gradient_name(gradient)] = _natural(gradient, value(gradient, point, sizes))
    try:
        return torch.as_tensor(generated(**arguments), dtype=torch.float64)
    except torch.linalg.LinAlgError as error:
        raise DomainError(f"the generated code meets a singular matrix: {error}") from None
    except Exception as error:
        raise CodeError(f"{type(error).__name__}: {error}") from error


def _sample(derivation, seed, fixed, spread=1):
    sampler = FloatSampler(seed, spread)
    variables = derivation.independent_variables
    drawn = sizes_for(variables, random.Random(seed), (derivation.expression, derivation.result))
    sizes = {s: sympy.Integer(n) for s, n in drawn.items()}
    point = {}
    for v in variables:
        rows = sampler.matrix(v, sizes) if is_matrix(v) else [[fixed.get(v, sampler.scalar(properties_of(v)))]]
        point[v] = torch.tensor(rows, dtype=torch.float64)
    for symbol, expression in derivation.definitions:
        point[symbol] = value(expression, point, sizes)
    return point, sizes


def _natural(variable, tensor):
    """0-D, 1-D or 2-D, as users of the generated code pass it."""
    if not is_matrix(variable):
        return tensor[0, 0]
    return tensor[:, 0] if variable.shape[1] == 1 else tensor


def _expected(derivation, point, sizes):
    """The derivative in the derivation's layout by torch.autograd, or None outside the domain."""
    wrt = tuple(dict.fromkeys(derivation.wrt_all))

    def f(*arguments):
        return value(derivation.expression, {**point, **dict(zip(wrt, arguments))}, sizes)

    inputs = tuple(point[v].clone() for v in wrt)
    if not torch.isfinite(f(*inputs)).all():
        return None
    if derivation.order == 2:
        hessian = torch.autograd.functional.hessian(lambda *a: f(*a).sum(), inputs)
        expected = _stacked(hessian[0][-1])
    elif derivation.order == 1:
        # (rows, columns, *shape of the variable)
        expected = _arrange(derivation, torch.autograd.functional.jacobian(f, inputs[0]))
    else:
        expected = f()
    return expected if torch.isfinite(expected).all() else None


def _arrange(derivation, jacobian):
    rows, columns = jacobian.shape[:2]
    if derivation.layout == "vec":
        return _stacked(jacobian)
    if derivation.structure:
        return _by_free_entries(jacobian[0, 0], derivation.structure)
    if derivation.layout == "shape_of_output":
        return jacobian[:, :, 0, 0]
    if derivation.layout == "denominator" and (rows, columns) != (1, 1):
        return jacobian[:, 0, :, 0].T
    if derivation.layout == "numerator":
        return jacobian[:, 0, :, 0] if rows > 1 else jacobian[0, 0].T
    return jacobian[0, 0]


def _stacked(derivatives):
    """d Y[a, b] / d X[i, j] as a matrix by the entries of vec(Y) and vec(X)."""
    a, b, i, j = derivatives.shape
    return derivatives.permute(1, 0, 3, 2).reshape(a * b, i * j)


def _by_free_entries(gradient, structure):
    """Entry (i, j) of a symmetric matrix moves with (j, i); off the diagonal of a diagonal one nothing moves."""
    diagonal = torch.diag(torch.diagonal(gradient))
    return diagonal if structure == "diagonal" else gradient + gradient.T - diagonal
