"""The rules of the calculus: differentials, the moves that free dX, and the lines that read a derivative off."""

from derivations.derivation import Rule
from derivations.differentials import (
    CALCULUS,
    CONDITIONS,
    DIFFERENTIALS,
    GOODFELLOW,
    SCALAR_DIFFERENTIALS,
    SECOND_CONDITIONS,
    WAYS_OUT,
    is_squared_norm,
    units,
)
from derivations.elementwise import Hadamard
from derivations.expressions import Identity, Sum, Transpose
from derivations.moves import INNER_MOVES, OUTER, SCALAR_TRANSPOSE, TRACE, TRACE_MOVES, VEC_MOVES, VECTOR_MOVES

__all__ = [
    "CALCULUS",
    "CONDITIONS",
    "DIFFERENTIALS",
    "GOODFELLOW",
    "INNER_MOVES",
    "OUTER",
    "SCALAR_DIFFERENTIALS",
    "SCALAR_TRANSPOSE",
    "SECOND_CONDITIONS",
    "TRACE",
    "TRACE_MOVES",
    "VECTOR_MOVES",
    "VEC_MOVES",
    "WAYS_OUT",
    "is_squared_norm",
    "units",
]

COLLECT = Rule(
    None,
    "collect terms",
    r"\operatorname{tr}(A^\top dX) + \operatorname{tr}(B^\top dX) = \operatorname{tr}((A + B)^\top dX)",
)
LINEARITY = Rule(None, "linearity", r"d(A U B + C) = A\,dU\,B")
GRADIENT = Rule(
    None,
    "read off the gradient",
    r"df = \operatorname{tr}(G^\top dX) \Rightarrow \partial f/\partial X = G",
    role="gradient",
)
VECTORISE = Rule(
    None, "stack the columns", r"dY \mapsto \operatorname{vec}dY", role="vec", source="Magnus & Neudecker (2019), ch. 9"
)
JACOBIAN = Rule(
    None,
    "read off the Jacobian",
    r"d\operatorname{vec}Y = J\operatorname{vec}dX \Rightarrow"
    r" \partial\operatorname{vec}Y/\partial\operatorname{vec}(X)^\top = J",
    role="jacobian",
)
COOKBOOK = "Petersen & Pedersen (2012), The Matrix Cookbook, 2.8"
STRUCTURES = {
    "symmetric": Rule(
        None,
        "free entries of a symmetric matrix",
        r"\partial f/\partial X = G + G^\top - G\odot I",
        lambda g: Sum(g, Transpose(g), -Hadamard(g, Identity(g.shape[0]))),
        source=COOKBOOK,
        role="structure",
    ),
    "diagonal": Rule(
        None,
        "free entries of a diagonal matrix",
        r"\partial f/\partial X = G\odot I",
        lambda g: Hadamard(g, Identity(g.shape[0])),
        source=COOKBOOK,
        role="structure",
    ),
}
DENOMINATOR = Rule(
    None,
    "denominator layout: transpose",
    r"(\partial y/\partial x)_{ij} = \partial y_j/\partial x_i",
    role="denominator",
)
DERIVATIVE = Rule(
    None, "read off the derivative", r"dY = Y'\,ds \Rightarrow \partial Y/\partial s = Y'", role="derivative"
)
NUMERATOR = Rule(
    None, "numerator layout: transpose", r"(\partial f/\partial x)_{1j} = \partial f/\partial x_j", role="numerator"
)
ANOTHER_NAME = Rule(None, "another name", r"y = x \Rightarrow dy = dx", minor=True)
# A derivation may end with it: then it names the derivative that vanishes.
CONSTANT = Rule(None, "constant", r"dC = 0", role="constant")
