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
    "derive",
]
