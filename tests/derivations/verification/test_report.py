"""What a verification says."""

import pytest

from derivations.verification.report import Verification, Witness

PASSED = Witness("exact (prime field)", True, 2, 0.0, 1e-35)
FAILED = Witness("autograd (float64)", False, 3, 0.25, note="result")
ABSENT = Witness("autograd", None, note="torch is not installed")


@pytest.mark.parametrize(
    ("witnesses", "passed"),
    [
        ((PASSED,), True),
        ((PASSED, PASSED), True),
        ((PASSED, FAILED), False),
        ((PASSED, ABSENT), False),
        ((ABSENT,), False),
        ((), False),
    ],
)
def test_all_that_were_asked_must_have_run_and_agreed(witnesses, passed):
    verification = Verification(witnesses)
    assert verification.passed is passed and bool(verification) is passed


def test_one_line_a_witness():
    assert str(Verification((PASSED, FAILED, ABSENT))).split("\n") == [
        "exact (prime field): passed (2 points, worst relative error 0.0e+00, error probability below 1e-35)",
        "autograd (float64): FAILED (3 points, worst relative error 2.5e-01): result",
        "autograd: did not run: torch is not installed",
    ]


def test_a_report_is_frozen():
    with pytest.raises(AttributeError):
        PASSED.passed = False
