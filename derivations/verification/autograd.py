"""The autograd witness: the generated code of the result against torch.autograd, in float64.

The original expression is evaluated by a small interpreter of its own, not by generated code, so
that the code out and the calculus are both checked. This is the only module that imports torch.
"""

import math
import random

import sympy
import torch
from sympy import Add, And, Contains, Mul, Pow, Symbol
from sympy.core.relational import Relational

from derivations.elementwise import SLOTS, Apply, Diag, DiagonalOf, Hadamard, Softmax
from derivations.errors import DerivationError, DomainError, UnsupportedError
from derivations.expressions import (
    EntrySum,
    Identity,
    Inner,
    Inverse,
    LossGradient,
    Ones,
    Power,
    Product,
    Scale,
    Sum,
    Transpose,
    Variable,
    Zero,
    freed,
    is_matrix,
)
from derivations.functions import normcdf, normpdf, relu, sigmoid, softplus, step
from derivations.notation.code import gradient_name, identifier, loss_gradients
from derivations.scalars import Det, LogDet, LogSumExp, Loss, Norm, Trace
from derivations.verification.layouts import misfit
from derivations.verification.report import Witness
from derivations.verification.sampling import COUNT, Sampler, counted, properties_of, sizes_for

POINTS = 3
ATTEMPTS = 40
TOLERANCE = 1e-9
# A relative error is taken against the largest entry, but not against less than this.
SCALE = 1e-4


class FloatSampler(Sampler):
    def generic(self):
        return self.generator.gauss(0, 1)

    def between(self, low, high):
        return self.generator.uniform(low, high)


# ----------------------------------------------------------------- the tree, interpreted by torch
# Everything is 2-D here: scalars (1, 1), vectors (n, 1).

# Float64 keeps nine digits through an inverse only if the matrix is well away from singular.
WORST_CONDITION = 1e5


def _conditioned(function):
    def guarded(a):
        if not torch.isfinite(a).all():
            raise DomainError("the matrix has entries that are not finite")
        if not torch.linalg.cond(a.detach()) < WORST_CONDITION:
            raise DomainError("the matrix is nearly singular")
        return function(a)

    return guarded


FUNCTIONS = {
    sympy.exp: torch.exp,
    sympy.log: torch.log,
    sympy.sin: torch.sin,
    sympy.cos: torch.cos,
    sympy.tan: torch.tan,
    sympy.asin: torch.arcsin,
    sympy.acos: torch.arccos,
    sympy.atan: torch.arctan,
    sympy.sinh: torch.sinh,
    sympy.cosh: torch.cosh,
    sympy.tanh: torch.tanh,
    sympy.Abs: torch.abs,
    sympy.sign: torch.sign,
    sympy.erf: torch.erf,
    sympy.floor: torch.floor,
    sympy.factorial: lambda x: torch.exp(torch.lgamma(x + 1)),
    relu: torch.relu,
    step: lambda x: (x > 0).to(x.dtype),
    sigmoid: torch.sigmoid,
    softplus: lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    normcdf: torch.special.ndtr,
    normpdf: lambda x: torch.exp(-x * x / 2) / math.sqrt(2 * math.pi),
}
MATRICES = {
    Transpose: lambda a: a.T,
    Inverse: _conditioned(torch.linalg.inv),
    Diag: lambda a: torch.diag(a[:, 0]),
    DiagonalOf: lambda a: torch.diagonal(a)[:, None],
    Softmax: lambda a: torch.softmax(a.reshape(-1), 0).reshape(a.shape),
    Trace: lambda a: torch.trace(a).reshape(1, 1),
    Det: _conditioned(lambda a: torch.linalg.det(a).reshape(1, 1)),
    LogDet: _conditioned(lambda a: torch.logdet(a).reshape(1, 1)),
    Norm: lambda a: torch.sqrt((a * a).sum()).reshape(1, 1),
    EntrySum: lambda a: a.sum().reshape(1, 1),
    LogSumExp: lambda a: torch.logsumexp(a.reshape(-1), 0).reshape(1, 1),
}
CHAINS = {
    (Add, Sum): lambda a, b: a + b,
    (Mul, Scale, Hadamard): lambda a, b: a * b,
    (Product, Inner): lambda a, b: a @ b,
    (And,): lambda a, b: a * b,
}
RELATIONS = {"==": torch.eq, "<": torch.lt, "<=": torch.le, ">": torch.gt, ">=": torch.ge}


def value(e, values, sizes):
    """The value of an expression as a 2-D float64 tensor; values: variable -> 2-D tensor."""
    if e in values:
        return values[e]
    if isinstance(e, Variable) and freed(e) in values:
        return values[freed(e)]
    if (isinstance(e, Symbol) and e in sizes) or e.is_number:
        return torch.tensor([[float(sizes.get(e, e))]], dtype=torch.float64)
    if isinstance(e, (Identity, Ones, Zero)):
        rows, columns = (int(s.xreplace(sizes)) for s in e.shape)
        make = {Identity: torch.eye, Ones: torch.ones, Zero: torch.zeros}[type(e)]
        return make(rows, columns, dtype=torch.float64)
    if isinstance(e, Apply):
        slots = {s: value(m, values, sizes) for s, m in zip(SLOTS, e.args[1:])}
        return value(e.args[0], {**values, **slots}, sizes)
    if isinstance(e, Loss):
        return _loss(value(e.args[1], values, sizes))
    if isinstance(e, LossGradient):
        w = value(e.args[1], values, sizes).detach().requires_grad_(True)
        return torch.autograd.grad(_loss(w).sum(), w)[0]
    if isinstance(e, Contains):
        return sum((value(e.args[0], values, sizes) == float(v)).double() for v in e.args[1].args)
    args = [value(a, values, sizes) for a in e.args]
    if isinstance(e, Relational):
        return RELATIONS[e.rel_op](*args).double()
    for kinds, operation in CHAINS.items():
        if isinstance(e, kinds):
            result = args[0]
            for a in args[1:]:
                result = operation(result, a)
            return result
    if isinstance(e, Pow):
        return args[0] ** args[1]
    if isinstance(e, Power):
        return torch.linalg.matrix_power(args[0], int(args[1]))
    known = FUNCTIONS.get(type(e)) or MATRICES.get(type(e))
    if known is None:
        raise UnsupportedError(f"torch cannot evaluate {type(e).__name__}")
    return known(args[0])


def _loss(w):
    """Any smooth function will do for a loss that is known by its name only."""
    weights = torch.linspace(0.3, 1.7, w.numel(), dtype=w.dtype).reshape(w.shape)
    return (torch.sin(weights * w) + weights * w * w).sum().reshape(1, 1) ** 2 / 2


# -------------------------------------------------------------------------------------- the check


def check(derivation, points=POINTS, seed=0):
    """A Witness for the result of a derivation."""
    try:
        generated = derivation.to_function("torch")
        points = COUNT if counted(derivation, 0) else points
        errors = [
            _error_at(derivation, generated, f"{seed}/{point}", counted(derivation, point)) for point in range(points)
        ]
    except DerivationError as error:
        return Witness("autograd (float64)", None, note=str(error))
    worst = max(errors)
    failed = misfit(derivation) or ("result" if not worst < TOLERANCE else "")
    return Witness("autograd (float64)", not failed, points, worst, note=failed)


def _error_at(derivation, generated, seed, fixed):
    """The relative error at one random point inside the domain, where both sides are finite."""
    for attempt in range(ATTEMPTS):
        try:
            point, sizes = _sample(derivation, f"{seed}/{attempt}", fixed)
            expected = _expected(derivation, point, sizes)
            got = _generated(derivation, generated, point, sizes)
        except DomainError:
            continue
        if expected is not None and torch.isfinite(got).all():
            break
    else:
        raise DomainError(f"no point inside the domain in {ATTEMPTS} attempts")
    if got.numel() != expected.numel():
        return math.inf
    got = got.reshape(expected.shape)
    scale = max(float(expected.abs().max()), float(got.abs().max()), SCALE)
    return float((got - expected).abs().max()) / scale


def _generated(derivation, generated, point, sizes):
    """What the generated code gives at the point."""
    defined = {symbol for symbol, _ in derivation.definitions}
    arguments = {identifier(v.name): _natural(v, x) for v, x in point.items() if v not in defined}
    for gradient in loss_gradients(derivation.result):
        arguments[gradient_name(gradient)] = _natural(gradient, value(gradient, point, sizes))
    return torch.as_tensor(generated(**arguments), dtype=torch.float64)


def _sample(derivation, seed, fixed):
    sampler = FloatSampler(seed)
    defined = dict(derivation.definitions)
    variables = [v for v in derivation.variables if v not in defined]
    sizes = {s: sympy.Integer(n) for s, n in sizes_for(variables, random.Random(seed)).items()}
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
        expected = hessian[0][-1][:, 0, :, 0]  # (len x, len z)
    elif derivation.order == 1:
        # (rows, columns, *shape of the variable)
        expected = _arrange(derivation, torch.autograd.functional.jacobian(f, inputs[0]))
    else:
        expected = f()
    return expected if torch.isfinite(expected).all() else None


def _arrange(derivation, jacobian):
    rows, columns = jacobian.shape[:2]
    if derivation.layout == "shape_of_output":
        return jacobian[:, :, 0, 0]
    if derivation.layout == "denominator" and (rows, columns) != (1, 1):
        return jacobian[:, 0, :, 0].T
    if derivation.layout == "numerator":
        return jacobian[:, 0, :, 0] if rows > 1 else jacobian[0, 0].T
    return jacobian[0, 0]
