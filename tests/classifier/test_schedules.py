from itertools import pairwise

import pytest
import torch

from classifier import config, schedules

N = 40


def rates(**given):
    settings = config.make({"learning_rate": 0.4} | given)
    return [schedules.learning_rate(settings, step, N) for step in range(N)]


def test_constant_is_constant():
    assert set(rates()) == {0.4}


def test_cosine_is_the_one_of_pytorch():
    """Ours is taken at the middle of each step: every other value of theirs, over twice as many steps."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.4)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2 * N)
    values = []
    for _ in range(2 * N):
        values.append(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    assert rates(schedule="cosine") == pytest.approx(values[1::2])


def test_one_cycle_rises_and_falls_in_straight_lines():
    found = rates(schedule="one-cycle", warmup=0.25)
    top = found.index(max(found))
    assert top in (9, 10) and max(found) <= 0.4
    rises = [b - a for a, b in pairwise(found[:10])]
    falls = [b - a for a, b in pairwise(found[10:])]
    assert rises == pytest.approx([0.04] * 9) and falls == pytest.approx([-0.4 / 30] * 29)
    assert min(found) > 0


def test_one_cycle_without_warmup_falls():
    assert rates(schedule="one-cycle", warmup=0)[0] == pytest.approx(0.4 * (1 - 0.5 / N))
