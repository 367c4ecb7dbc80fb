"""Derivatives of the losses, and what makes an optimum of them."""

import math

import pytest
import torch

from gan.losses import LOSSES

# Off the kinks of the hinge, which are at -1 and 1.
S = torch.linspace(-6, 6, 1201, dtype=torch.float64) + 0.003


def slope(function, s):
    s = s.clone().requires_grad_(True)
    (found,) = torch.autograd.grad(function(s).sum(), s)
    return found


@pytest.mark.parametrize("player", ["real", "fake", "own"])
@pytest.mark.parametrize("name", LOSSES)
def test_the_slopes_are_those_of_autograd(name, player):
    function, stated = getattr(LOSSES[name], player), getattr(LOSSES[name], f"d_{player}")
    for s in (S, torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)):
        torch.testing.assert_close(stated(s), slope(function, s), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", [n for n in LOSSES if not LOSSES[n].lipschitz])
def test_the_optimum_is_the_best_value_where_both_laws_agree_and_is_at_zero(name):
    loss = LOSSES[name]
    zero = torch.zeros((), dtype=torch.float64)
    assert (loss.real(S) + loss.fake(S)).max() <= loss.optimum
    assert (loss.real(zero) + loss.fake(zero)).item() == pytest.approx(loss.optimum, rel=1e-15)


@pytest.mark.parametrize("name", LOSSES)
def test_the_discriminator_has_a_concave_game_and_the_generator_wants_large_logits(name):
    loss = LOSSES[name]
    for function in (loss.real, loss.fake):
        value = function(S)
        assert (value[1:-1] >= (value[:-2] + value[2:]) / 2 - 1e-12).all()
    near = S[S.abs() < 1]
    assert (loss.d_own(near) < 0).all()


def test_the_logarithms_are_of_the_sigmoid_and_survive_large_logits():
    loss = LOSSES["saturating"]
    torch.testing.assert_close(loss.real(S), torch.sigmoid(S).log())
    torch.testing.assert_close(loss.fake(S), (1 - torch.sigmoid(S)).log())
    torch.testing.assert_close(LOSSES["non-saturating"].own(S), -torch.sigmoid(S).log())
    far = torch.tensor([-800.0, 800.0])
    assert loss.real(far).tolist() == [-800, 0] and loss.fake(far).tolist() == [0, -800]


def test_the_saturating_generator_and_the_discriminator_play_for_one_value():
    """The second term of V is all of the generator's loss: a zero-sum game."""
    loss = LOSSES["saturating"]
    assert torch.equal(loss.own(S), loss.fake(S)) and torch.equal(loss.d_own(S), loss.d_fake(S))
    assert loss.optimum == -math.log(4)
