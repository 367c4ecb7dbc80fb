"""Matrix calculus: derive it, typeset it, prove it. `import derivations as dv`."""

from derivations.api import derive
from derivations.derivation import Derivation, Rule, Step
from derivations.errors import (
    DerivationError,
    DomainError,
    NoRuleError,
    ParseError,
    ShapeError,
    UnsupportedError,
)
from derivations.verification import verify
from derivations.verification.gradients import check_gradient
from derivations.verification.report import Verification, Witness

__all__ = [
    "Derivation",
    "DerivationError",
    "DomainError",
    "NoRuleError",
    "ParseError",
    "Rule",
    "ShapeError",
    "Step",
    "UnsupportedError",
    "Verification",
    "Witness",
    "check_gradient",
    "derive",
    "verify",
]
