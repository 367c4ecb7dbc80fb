"""Where functions have kinks: a check that has seen one side of each has seen half of the derivative."""

from sympy import Abs, preorder_traversal, sign

from derivations.elementwise import SLOTS, Apply
from derivations.errors import DomainError
from derivations.expressions import is_matrix
from derivations.functions import clip, huber, maximum, minimum, relu, step
from derivations.verification.linear import rows_of

# function -> what changes its sign at the kinks
KINKS = {
    **dict.fromkeys((Abs, sign, relu, step), lambda u: (u,)),
    **dict.fromkeys((maximum, minimum), lambda u, v: (u - v,)),
    clip: lambda u, low, high: (u - low, u - high),
    huber: lambda u, c: (u - c, u + c),
}
# Points that are drawn in search of a side that was not met, over these multiples of the usual numbers.
DRAWS, SPREADS = 24, (1, 4, 16)


def arguments(expression):
    """The expressions whose sign tells the side of a kink: scalars, or matrices with a kink at every entry."""
    found = {}
    for node in preorder_traversal(expression):
        function, matrices = (node.args[0], node.args[1:]) if isinstance(node, Apply) else (node, ())
        if type(function) in KINKS:
            for argument in KINKS[type(function)](*function.args):
                found[Apply(argument, *matrices) if matrices else argument] = None
    return [e for e in found if not e.has(*SLOTS) or is_matrix(e)]


def sides(kinks, values):
    """The sides that a point is on: (which kink, whether its argument is positive)."""
    found = set()
    for i, argument in enumerate(kinks):
        found |= {(i, bool(x > 0)) for row in rows_of(values(argument)) for x in row if x != 0}
    return found


def other_sides(kinks, draw, seen):
    """What draw gives at points that are on a side of a kink where none was seen.

    draw: (number, spread) -> the Evaluator at a point, and what is wanted of it.
    Some sides do not exist: x'x is never negative.
    """
    wanted = {(i, positive) for i in range(len(kinks)) for positive in (True, False)}
    for number in range(DRAWS):
        if wanted <= seen:
            return
        try:
            values, wanted_there = draw(number, SPREADS[number % len(SPREADS)])
            new = sides(kinks, values) - seen
        except (DomainError, ZeroDivisionError):
            continue
        if new:
            seen |= new
            yield wanted_there
