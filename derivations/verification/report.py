"""What a verification found, as frozen data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Witness:
    """One witness's word on a derivation.

    passed is None where the witness could not run; `note` then says why. `worst_error` is a relative
    error (0 in the prime field); `error_bound` bounds the probability that a false statement passed,
    where that can be bounded.
    """

    name: str
    passed: bool | None
    points: int = 0
    worst_error: float = 0.0
    error_bound: float | None = None
    note: str = ""

    def __str__(self):
        verdict = {True: "passed", False: "FAILED", None: "did not run"}[self.passed]
        parts = (
            [f"{self.points} points", f"worst relative error {self.worst_error:.1e}"] if self.passed is not None else []
        )
        if self.error_bound is not None:
            parts.append(f"error probability below {self.error_bound:.0e}")
        return (
            f"{self.name}: {verdict}"
            + (f" ({', '.join(parts)})" if parts else "")
            + (f": {self.note}" if self.note else "")
        )


@dataclass(frozen=True)
class Verification:
    """Passed only if every witness that was asked for ran and agreed."""

    witnesses: tuple[Witness, ...]

    @property
    def passed(self):
        return bool(self.witnesses) and all(w.passed is True for w in self.witnesses)

    def __bool__(self):
        return self.passed

    def __str__(self):
        return "\n".join(map(str, self.witnesses))
