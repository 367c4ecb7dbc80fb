"""The witnesses: each checks a derivation without the code that made it."""

from importlib import import_module

from derivations.derivation import Derivation
from derivations.errors import DerivationError
from derivations.verification.report import Verification, Witness

# name -> the module with its check(derivation). Loaded by name so that who does not ask for autograd
# does not pay for torch.
WITNESSES = {
    "exact": "derivations.verification.exact",
    "autograd": "derivations.verification.autograd",
}


def verify(derivation, witnesses=("exact", "autograd")):
    """Check a derivation with each witness, "exact" or "autograd"; see `Verification`.

    A witness that cannot judge says so and has not passed. Raises DerivationError for an unknown witness.
    """
    if not isinstance(derivation, Derivation):
        raise DerivationError(f"expected a Derivation, as dv.derive gives it, not {type(derivation).__name__}")
    if isinstance(witnesses, str):
        witnesses = (witnesses,)
    return Verification(tuple(_ask(name, derivation) for name in witnesses))


def _ask(name, derivation):
    if name not in WITNESSES:
        raise DerivationError(f"no witness {name!r}; known are {', '.join(WITNESSES)}")
    try:
        witness = import_module(WITNESSES[name])
    except ModuleNotFoundError as missing:
        return Witness(name, None, note=f"{missing.name} is not installed")
    return witness.check(derivation)
