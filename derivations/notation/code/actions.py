"""The action of a derivative on a direction: what was differentiated last, moved along one direction.

The lines of a derivation hold it before the derivative is read off, and so before anything of size n^2 is formed.
"""

from sympy import Mul

from derivations.errors import UnsupportedError
from derivations.expressions import (
    MatrixDifferential,
    Product,
    Transpose,
    Variable,
    freed,
    is_matrix,
    multiply,
    settled,
    shape_of,
)
from derivations.kronecker import Unvec, Vec
from derivations.notation.code.products import distinct_parts
from derivations.scalars import UNWORKED, ScalarDifferential, Trace


def direction(derivation):
    """The variable of the direction: that of the last differentiation, with d_ before its name."""
    last = derivation.wrt_all[-1]
    taken = {v.name for v in derivation.variables}
    name = f"d_{last.name}"
    while name in taken:
        name += "_"
    return Variable(name, *last.shape) if is_matrix(last) else last.func(name, real=True)


def actions(derivation):
    """Equal expressions of the directional derivative of what was differentiated last, in `direction`.

    Raises UnsupportedError where nothing was differentiated, or by free entries.
    """
    if not derivation.wrt_all:
        raise UnsupportedError("an operator is the action of a derivative; this derivation transforms a value")
    if derivation.structure:
        raise UnsupportedError(
            f"an operator moves independent entries, not the free entries of a {derivation.structure} matrix; "
            "derive without structure"
        )
    along = direction(derivation)
    moved = derivation.wrt_all[0] if derivation.order == 2 else derivation.expression
    lines = [e for e in _lines(derivation) if shape_of(e) == shape_of(moved)]
    found = [_placed(e, derivation.wrt_all[-1], along) for e in lines]
    return [*found, _by_result(derivation, along, shape_of(moved))]


def _lines(derivation):
    """The lines of the last differentiation that are linear in the differential of its variable."""
    last = settled(derivation.wrt_all[-1])
    blocks = [[]]
    for step in derivation.steps:
        blocks[-1] += [step.before, step.after]
        if _differentials(step.before) and not _differentials(step.after):
            blocks.append([])
    block = blocks[derivation.order - 1] if len(blocks) >= derivation.order else []
    return list(dict.fromkeys(e for e in block if {settled(d.args[0]) for d in _differentials(e)} == {last}))


def _differentials(expression):
    return [n for n in distinct_parts(expression) if isinstance(n, UNWORKED)]


def _placed(expression, variable, along):
    """The direction in place of the differential."""
    forms = (variable, settled(variable), freed(variable)) if is_matrix(variable) else (variable,)
    differential = MatrixDifferential if is_matrix(variable) else ScalarDifferential
    return expression.xreplace({differential(v): along for v in forms})


def _by_result(derivation, along, shape):
    """The derivative times the direction, by its layout."""
    result = derivation.result
    if not is_matrix(along):
        stacked = derivation.layout == "hessian_vec" and shape[1] != 1
        return multiply(along, Unvec(result, *shape) if stacked else result)
    if derivation.layout == "gradient":
        return Trace(Product(Transpose(result), along))
    if derivation.layout == "denominator":
        return Product(Transpose(result), along)
    if derivation.layout == "numerator" and shape == (1, 1):
        return Trace(Product(result, along))
    if derivation.layout in ("numerator", "hessian"):
        return Product(result, along)
    moved = Product(result, Vec(along))
    return Unvec(moved, *shape) if is_matrix(moved) and Mul(*shape) != 1 else moved
