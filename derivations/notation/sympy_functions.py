"""The scalar functions of SymPy: which are read, as what, and the refusal of everything else."""

from functools import lru_cache

import sympy
from sympy import Derivative, DiracDelta, Dummy, Integral, Max, Min, S, Subs
from sympy.core.function import AppliedUndef

from derivations.errors import UnsupportedError
from derivations.functions import maximum, minimum, relu, step
from derivations.notation.inference import elementwise

REAL = "the calculus is that of real numbers"


def build(e, args):
    """The function of e, of other arguments: scalars of ours, or the slots of an elementwise function."""
    check(e)
    if type(e) in REWRITTEN:
        return REWRITTEN[type(e)](*args)
    return elementwise(type(e), *args) if len(args) == 1 else type(e)(*args)


def check(e):
    """Raise UnsupportedError for a function that is not real, or that SymPy cannot differentiate."""
    kind = type(e)
    if isinstance(e, AppliedUndef):
        raise UnsupportedError(f"the function {e} is not known; write a known one, or a symbol if it is constant")
    if kind in REWRITTEN:
        return
    if kind in COMPLEX or kind.__module__ in GENERALISED:
        raise refusal(e)
    if not has_slopes(kind, tuple(a if a.is_Number else None for a in e.args)):
        raise refusal(e)


@lru_cache
def has_slopes(kind, numbers):
    """Whether SymPy can differentiate a function by each of its arguments that is no number."""
    places = [Dummy("u", real=True) if a is None else a for a in numbers]
    try:
        slopes = [kind(*places).diff(p) for p in places if isinstance(p, Dummy)]
    except ValueError:  # SymPy builds some functions of too few arguments
        return False
    # It marks what it cannot do, and what has no slope almost everywhere.
    unknown = (Derivative, Subs, Integral, DiracDelta, sympy.Limit, sympy.Sum)
    return kind in STEPS or not any(slope.has(*unknown) for slope in slopes)


def refusal(e):
    """The error that names a node; for its class or one that it comes from, with the nearest thing that works."""
    hint = next((HINTS[c.__name__] for c in type(e).__mro__ if c.__name__ in HINTS), "")
    return UnsupportedError(f"SymPy's {type(e).__name__} is not read: {e}" + (f". {hint}" if hint else ""))


def _heaviside(u, at_zero=S.Half):
    """Three values at zero have a name here."""
    found = {S.Zero: step(u), S.Half: (1 + sympy.sign(u)) / 2, S.One: 1 - step(-u)}
    if at_zero not in found:
        raise UnsupportedError(f"Heaviside with the value {at_zero} at 0 is not read; expected 0, 1/2 or 1")
    return found[at_zero]


def _extremum(pair, args):
    first, *others = sorted(args, key=lambda a: a.is_number)
    for other in others:
        first = pair(first, other)
    return first


def _max(*args):
    """max(0, u) is a ReLU."""
    others = [a for a in args if a != 0]
    whole = _extremum(maximum, others)
    return relu(whole) if len(others) < len(args) else whole


# What is written with functions that the calculus, the code and the proof know.
REWRITTEN = {
    sympy.cot: lambda u: 1 / sympy.tan(u),
    sympy.sec: lambda u: 1 / sympy.cos(u),
    sympy.csc: lambda u: 1 / sympy.sin(u),
    sympy.acot: lambda u: sympy.atan(1 / u),
    sympy.asec: lambda u: sympy.acos(1 / u),
    sympy.acsc: lambda u: sympy.asin(1 / u),
    sympy.coth: lambda u: 1 / sympy.tanh(u),
    sympy.sech: lambda u: 1 / sympy.cosh(u),
    sympy.csch: lambda u: 1 / sympy.sinh(u),
    sympy.asinh: lambda u: sympy.log(u + sympy.sqrt(u**2 + 1)),
    sympy.acosh: lambda u: sympy.log(u + sympy.sqrt(u**2 - 1)),
    sympy.atanh: lambda u: sympy.log((1 + u) / (1 - u)) / 2,
    sympy.acoth: lambda u: sympy.log((u + 1) / (u - 1)) / 2,
    sympy.erfc: lambda u: 1 - sympy.erf(u),
    sympy.Heaviside: _heaviside,
    Max: _max,
    Min: lambda *args: _extremum(minimum, args),
    **dict.fromkeys((sympy.re, sympy.conjugate, sympy.adjoint, sympy.transpose), lambda u: u),
}
# Functions whose slopes jump, differentiated almost everywhere.
STEPS = {sympy.Abs, sympy.sign}
# Functions of complex numbers, or with complex values: of real arguments zeros or constants would come of them.
COMPLEX = {
    *(sympy.im, sympy.arg, sympy.polar_lift, sympy.exp_polar, sympy.periodic_argument, sympy.principal_branch),
    *(sympy.hankel1, sympy.hankel2, sympy.hn1, sympy.hn2, sympy.Ynm, sympy.Znm),
}
# Where SymPy keeps functions by cases, distributions, and functions of indices.
GENERALISED = {
    "sympy.functions.elementary.piecewise",
    "sympy.functions.special.delta_functions",
    "sympy.functions.special.singularity_functions",
    "sympy.functions.special.tensor_functions",
}

_NAME_IT = "Put a MatrixSymbol in its place"
_BLOCKS = "Write out the products of the blocks"
_WITH_MATRICES = "Arrays of other than two indices are not carried; write the expression with matrices"
_NO_SLOPE = "Its slope is zero where it has one: derive the expression without it"
_WORK_OUT = "Work it out before, with doit()"
HINTS = {
    **dict.fromkeys(("BlockMatrix", "BlockDiagMatrix"), _BLOCKS),
    **dict.fromkeys(("MatrixSlice", "PermutationMatrix", "MatrixPermute", "FunctionMatrix"), _NAME_IT),
    **dict.fromkeys(("CompanionMatrix", "Factorization", "DFT"), _NAME_IT),
    **dict.fromkeys(("_ArrayExpr", "_CodegenArrayAbstract", "NDimArray", "ArrayComprehension"), _WITH_MATRICES),
    **dict.fromkeys(("Integral", "Product", "UnevaluatedExpr"), _WORK_OUT),
    **dict.fromkeys(("floor", "ceiling"), _NO_SLOPE),
    **dict.fromkeys(("ImaginaryUnit", "im", "arg"), f"Here {REAL}"),
    "GenericIdentity": "Give its size, as in Identity(n)",
    "GenericZeroMatrix": "Give its shape, as in ZeroMatrix(n, n)",
    "Permanent": "Determinant is read",
    "Derivative": "For a second derivative, derive what it differentiates with order=2",
    "Piecewise": "Max, Min, Abs, sign and Heaviside are read",
}
