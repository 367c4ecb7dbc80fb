from itertools import pairwise

import pytest
import torch

from runner import schedules

N = 40


def rates(schedule, warmup=0.0):
    return [0.4 * schedules.factor(schedule, step, N, warmup) for step in range(N)]


def test_constant_is_constant():
    assert set(rates("constant")) == {0.4}


def test_linear_falls_in_equal_steps_to_almost_zero():
    found = rates("linear")
    assert [a - b for a, b in pairwise(found)] == pytest.approx([0.4 / N] * (N - 1))
    assert found[0] == pytest.approx(0.4 - found[-1]) and found[-1] == pytest.approx(0.4 / N / 2)


def test_cosine_is_the_one_of_pytorch():
    """Ours is taken at the middle of each step: every other value of theirs, over twice as many steps."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.4)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2 * N)
    values = []
    for _ in range(2 * N):
        values.append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    assert rates("cosine") == pytest.approx(values[1::2])


def test_one_cycle_rises_and_falls_in_straight_lines():
    found = rates("one-cycle", warmup=0.25)
    top = found.index(max(found))
    assert top in (9, 10) and max(found) <= 0.4
    rises = [b - a for a, b in pairwise(found[:10])]
    falls = [b - a for a, b in pairwise(found[10:])]
    assert rises == pytest.approx([0.04] * 9) and falls == pytest.approx([-0.4 / 30] * 29)
    assert min(found) > 0


def test_one_cycle_without_warmup_falls():
    assert rates("one-cycle")[0] == pytest.approx(0.4 * (1 - 0.5 / N))
