"""The closed forms by hand are right, and of the function that the text says."""

import pytest

from benchmarks.evaluate import TABLES, TOLERANCE, by_hand, ours, relative_error, vec_form
from benchmarks.systems.torch_autodiff import ALTERNATIVES
from benchmarks.workloads import PROBLEMS, case


def agree(contestants, case):
    first, *others = [vec_form(run(), case) for run in contestants.values()]
    assert all(relative_error(value, first) < TOLERANCE for value in others)


over_problems = pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)


@over_problems
@pytest.mark.parametrize("kind", TABLES)
def test_derivatives_by_hand(kind, problem):
    at = case(problem, 6)
    truth = ALTERNATIVES[kind](at)
    # jacrev of jacfwd of a log-determinant is false in PyTorch 2.13.
    truth.pop("rev(fwd)", None)
    agree({**truth, **by_hand(kind, at)}, at)


@over_problems
def test_the_text_is_the_loss(problem):
    at = case(problem, 6)
    agree({**ALTERNATIVES["gradient"](at), **ours("gradient", at)}, at)
