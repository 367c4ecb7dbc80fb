"""`check_gradient`: a user's own torch function against a derivation, for the user's own tests."""

from importlib import import_module

from derivations.api import derive
from derivations.derivation import Derivation
from derivations.errors import DerivationError

POINTS = 3


def check_gradient(
    function, derivation, *, wrt=None, variables=None, at=None, points=POINTS, seed=0, tolerance=None, **fixed
):
    """Check the value and the gradient of a torch function against an expression and its closed-form derivative.

    function: takes keyword tensors named as the variables (scalars 0-D, vectors (n,), matrices 2-D) and
        returns the value. Its derivative comes from torch.autograd; of a function without autograd, such as
        one that computes with numpy, from central differences.
    derivation: a Derivation, or the text of the expression with `wrt` and `variables` as for `derive`.
    fixed: tensors by name, or at={name: tensor} where a name is taken; the others are random, in float64,
        inside the domains that are declared. Where all are fixed there is one point.
    tolerance: the largest relative error; half of the digits of the function's dtype, and of central
        differences two in five.

    Returns a Witness; raises AssertionError, which shows the worst entry, where the two disagree.
    """
    if not callable(function):
        raise DerivationError(f"expected a function of keyword tensors, not {type(function).__name__}")
    if not isinstance(points, int) or points < 1:
        raise DerivationError(f"points is a positive integer, not {points!r}")
    if tolerance is not None and not (isinstance(tolerance, (int, float)) and tolerance > 0):
        raise DerivationError(f"tolerance is a positive number, not {tolerance!r}")
    if at is not None and not hasattr(at, "keys"):
        raise DerivationError(f"at is a dictionary of tensors by name, not {type(at).__name__}")
    derivation = _read(derivation, wrt, variables)
    # Loaded by name: who imports this does not pay for torch.
    callables = import_module("derivations.verification.callables")
    return callables.check(function, derivation, {**(at or {}), **fixed}, points, seed, tolerance)


def _read(derivation, wrt, variables):
    if isinstance(derivation, Derivation):
        if wrt is not None or variables is not None:
            raise DerivationError("wrt and variables go with the text of an expression; a Derivation has its own")
        return derivation
    if not isinstance(derivation, str):
        raise DerivationError(f"expected a Derivation or the text of an expression, not {type(derivation).__name__}")
    if not isinstance(wrt, str):
        raise DerivationError(f"wrt is the name of the variable of differentiation, as in wrt='w', not {wrt!r}")
    return derive(derivation, wrt, variables=variables)
