"""Problems, from options, and their solutions."""

from dataclasses import dataclass, field
from time import perf_counter

from derivations import api
from derivations.derivation import Derivation
from derivations.differentiation import LAYOUTS
from derivations.errors import DerivationError
from derivations.expressions import PROPERTIES
from derivations.notation import text
from derivations.verification import WITNESSES, verify
from derivations.verification.comparison import Comparison, compare, read_claim
from derivations.verification.report import Verification


class InputError(DerivationError):
    """What was given is not a problem, or contradicts itself."""


@dataclass(frozen=True)
class Problem:
    """A question in the words of `derive`; with a claim, whether that is the answer.

    arrangement: the layout that the result must have where there is no choice.
    """

    expression: str
    wrt: tuple
    variables: dict = field(default_factory=dict)
    definitions: dict = field(default_factory=dict)
    order: int | None = None
    layout: str = "denominator"
    structure: str | None = None
    claim: str | None = None
    arrangement: str | None = None


@dataclass(frozen=True)
class Solution:
    """The derivation, the seconds that it took, and what was asked of the witnesses."""

    problem: Problem
    derivation: Derivation
    seconds: float
    verification: Verification | None = None
    comparison: Comparison | None = None


def solve(problem, proven=False):
    """Derive; with proven=True by both witnesses, or by the exact one and a comparison with the claim."""
    started = perf_counter()
    derivation = api.derive(
        problem.expression,
        problem.wrt if len(problem.wrt) > 1 else problem.wrt[0],
        variables=problem.variables,
        order=problem.order or len(problem.wrt),
        layout=problem.layout,
        structure=problem.structure,
        definitions=problem.definitions,
    )
    seconds = perf_counter() - started
    if problem.arrangement not in (None, derivation.layout):
        raise InputError(
            f"the layout of this result is {derivation.layout}, not {problem.arrangement}; "
            f"to choose there are {', '.join(LAYOUTS)}"
        )
    if not proven:
        return Solution(problem, derivation, seconds)
    if problem.claim is None:
        return Solution(problem, derivation, seconds, verify(derivation, tuple(WITNESSES)))
    claim = read_claim(problem.claim, derivation)
    # A claim is judged by a derivation that is right itself.
    verification = verify(derivation, ("exact",))
    compared = compare(claim, derivation) if verification.passed else None
    return Solution(problem, derivation, seconds, verification, compared)


def status(solution):
    """The exit status: 1 if a check is false or could not be made."""
    verification, compared = solution.verification, solution.comparison
    if verification is not None and not verification.passed:
        return 1
    return 0 if compared is None or compared.witness.passed else 1


def names(wrt):
    """The variables of differentiation, of "x", "x,z" or a list of these."""
    given = [wrt] if isinstance(wrt, str) else wrt
    return tuple(name.strip() for part in given for name in part.split(","))


def checked(problem):
    """The problem, if its parts agree."""
    if not problem.wrt or not all(problem.wrt):
        raise InputError("wrt names no variable")
    if len(problem.wrt) > 2:
        raise InputError(f"wrt has {len(problem.wrt)} variables; the highest order is 2")
    if len(problem.wrt) == 2 and problem.order == 1:
        raise InputError(f"the order is 1, but there are two variables, {' and '.join(problem.wrt)}")
    return problem


# ------------------------------------------------------------------------------------ from options


def from_options(options):
    """The Problem of a command line; `--shape` and the like are (name, value) pairs."""
    wrt = names(options.wrt)
    sizes, defined = _once("--shape", options.shape), _once("--define", options.define)
    properties = _properties(options.property)
    expression = options.expression.strip()
    used = {name for source in (expression, *defined.values()) for name in text.parse(source).names()}
    for option, given in (("--shape", sizes), ("--property", properties)):
        for name in given:
            if name not in used | {*wrt, *defined}:
                raise InputError(f"{option} {name}: there is no {name} in the expression")
    variables = {name: {"shape": shape, "props": properties.pop(name, [])} for name, shape in sizes.items()}
    definitions = {name: (source, *properties.pop(name, [])) for name, source in defined.items()}
    variables |= {name: {"props": words} for name, words in properties.items()}
    layout = options.layout or "denominator"
    claim = options.claim.strip() if options.claim is not None else None
    return checked(Problem(expression, wrt, variables, definitions, options.order, layout, options.structure, claim))


def _once(option, pairs):
    found = {}
    for name, value in pairs or ():
        if name in found:
            raise InputError(f"{option} {name} is given twice")
        found[name] = value
    return found


def _properties(pairs):
    """name -> its properties, each a word of PROPERTIES."""
    found = {}
    known = sorted(PROPERTIES)
    for name, value in pairs or ():
        for word in value.split(","):
            if word.strip() not in known:
                raise InputError(f"--property {name}: {word.strip()!r} is not known; known are {', '.join(known)}")
            found.setdefault(name, []).append(word.strip())
    return found
