"""The check passes on what is right, and each of the classic mistakes is caught, wherever it is made."""

import math
from dataclasses import replace

import pytest
import torch

from gan import checks, gradients, symbolic
from gan.config import LOSSES, make
from gan.discriminators import DISCRIMINATORS
from gan.game import Game
from runner.errors import DivergedError

CPU = torch.device("cpu")


def game(**given):
    return Game([make({"batch_size": 32, "learning_rate": 0.05, "steps": 2000} | given)], CPU)


PLAYED = [{"loss": loss} for loss in LOSSES] + [
    {"loss": loss, "discriminator": "quadratic", "learning_rate": 0.02} for loss in LOSSES if loss != "wasserstein"
]


@pytest.mark.parametrize("given", PLAYED, ids=lambda given: "-".join(map(str, given.values())))
def test_the_formulas_pass_at_the_start_on_the_way_and_at_the_end(given):
    played = game(**given)
    for n_steps in (0, 1, 100, 1899):
        played.advance(n_steps)
        assert played.finite().all()
        found = checks.compare(played)
        assert max(found.values()) < checks.TOLERANCE
        assert set(found) == {"closed_form_error", *([] if "discriminator" in given else ["symbolic_error"])}


@pytest.mark.parametrize(
    "given",
    [
        {"generator_start": 0.0},
        {"discriminator_start": 0.0},
        {"generator_start": 0.0, "discriminator_start": 0.0},
        {"batch_size": 1},
        {"discriminator_start": 1e4},
        {"data": "normal", "latent": "families", "fresh_noise": False},
    ],
    ids=str,
)
def test_corners_raise_no_false_alarm(given):
    assert max(checks.compare(game(**given)).values()) < checks.TOLERANCE


def test_a_check_draws_nothing_and_moves_nothing():
    checked, plain = game(), game()
    checks.compare(checked)
    for one in (checked, plain):
        one.advance(5)
    assert torch.equal(checked.weights["W_g"], plain.weights["W_g"])


# Wrong gradients of the saturating GAN; samples are rows: data R, samples Y, noise X.


def slope_at_the_output(R, Y, W_d):
    """sigma'(u) = b (1 - b) with b = sigma(u), and not sigma(b) (1 - sigma(b))."""
    b_r, b = torch.sigmoid(R @ W_d[0]), torch.sigmoid(Y @ W_d[0])
    return ((slope_at(b_r) / b_r) @ R - (slope_at(b) / (1 - b)) @ Y)[None] / len(Y)


def slope_at(u):
    return torch.sigmoid(u) * (1 - torch.sigmoid(u))


def real_term_missing(R, Y, W_d):
    return -(torch.sigmoid(Y @ W_d[0]) @ Y)[None] / len(Y)


def sum_for_the_mean(R, Y, W_d):
    return (torch.sigmoid(-R @ W_d[0]) @ R - torch.sigmoid(Y @ W_d[0]) @ Y)[None]


def descent_for_ascent(R, Y, W_d):
    return -sum_for_the_mean(R, Y, W_d) / len(Y)


def right(X, W_g, W_d):
    Y = torch.relu(X @ W_g.T)
    return -((Y > 0) * torch.outer(torch.sigmoid(Y @ W_d[0]), W_d[0])).T @ X / len(X)


def own_slope_at_the_output(X, W_g, W_d):
    Y = torch.relu(X @ W_g.T)
    b = torch.sigmoid(Y @ W_d[0])
    return -((Y > 0) * torch.outer(slope_at(b) / (1 - b), W_d[0])).T @ X / len(X)


def mask_missing(X, W_g, W_d):
    return -torch.outer(W_d[0], torch.sigmoid(torch.relu(X @ W_g.T) @ W_d[0]) @ X) / len(X)


def outer_product_missing(X, W_g, W_d):
    """The factors averaged each on its own."""
    Y = torch.relu(X @ W_g.T)
    return -torch.outer(((Y > 0) * torch.outer(torch.sigmoid(Y @ W_d[0]), W_d[0])).mean(0), X.mean(0))


def outer_product_transposed(X, W_g, W_d):
    return right(X, W_g, W_d).T.reshape(5, 2)


def sign_flipped(X, W_g, W_d):
    return -right(X, W_g, W_d)


OF_D = (slope_at_the_output, real_term_missing, sum_for_the_mean, descent_for_ascent)
OF_G = (own_slope_at_the_output, mask_missing, outer_product_missing, outer_product_transposed, sign_flipped)


def derived(monkeypatch, by_w_d=None, by_w_g=None):
    """Puts gradients in the place of those of gan.symbolic."""
    of_d, of_g = symbolic.GRADIENTS["saturating"]
    if by_w_d:

        def of_d(*, R, W_d, X, W_g):
            return by_w_d(R, torch.relu(X @ W_g.T), W_d)

    if by_w_g:

        def of_g(*, X, W_g, W_d):
            return by_w_g(X, W_g, W_d)

    monkeypatch.setitem(symbolic.GRADIENTS, "saturating", (of_d, of_g))


@pytest.mark.parametrize("n_steps", [0, 500])
@pytest.mark.parametrize("wrong", OF_D, ids=lambda f: f.__name__)
def test_a_wrong_derived_gradient_of_the_discriminator_is_caught(monkeypatch, wrong, n_steps):
    derived(monkeypatch, by_w_d=wrong)
    played = game()
    played.advance(n_steps)
    with pytest.raises(DivergedError, match=f"at step {n_steps} the gradients are not those of autograd.*symbolic"):
        checks.compare(played)


@pytest.mark.parametrize("n_steps", [0, 500])
@pytest.mark.parametrize("wrong", OF_G, ids=lambda f: f.__name__)
def test_a_wrong_derived_gradient_of_the_generator_is_caught(monkeypatch, wrong, n_steps):
    derived(monkeypatch, by_w_g=wrong)
    played = game()
    played.advance(n_steps)
    with pytest.raises(DivergedError, match="symbolic"):
        checks.compare(played)


def test_the_right_one_in_their_place_passes(monkeypatch):
    """What is caught above is the mistake, not the way it is put in."""
    derived(monkeypatch, lambda R, Y, W_d: -descent_for_ascent(R, Y, W_d), right)
    checks.compare(game())


@pytest.mark.parametrize("wrong", OF_D, ids=lambda f: f.__name__)
def test_a_wrong_closed_form_of_the_discriminator_is_caught(monkeypatch, wrong):
    def by_discriminator(loss, kind, w_d, real, fake):
        return wrong(real[0].T, fake[0].T, w_d)

    monkeypatch.setattr(gradients, "by_discriminator", by_discriminator)
    with pytest.raises(DivergedError, match="closed_form"):
        checks.compare(game())


@pytest.mark.parametrize("wrong", OF_G, ids=lambda f: f.__name__)
def test_a_wrong_closed_form_of_the_generator_is_caught(monkeypatch, wrong):
    def by_generator(loss, kind, w_d, w_g, noise):
        return wrong(noise[0].T, w_g[0], w_d)[None]

    monkeypatch.setattr(gradients, "by_generator", by_generator)
    with pytest.raises(DivergedError, match="closed_form"):
        checks.compare(game())


def test_a_slope_that_forgets_the_products_is_caught(monkeypatch):
    quadratic = replace(DISCRIMINATORS["quadratic"], slope=lambda weights, z: weights[:, :5, None])
    monkeypatch.setitem(DISCRIMINATORS, "quadratic", quadratic)
    with pytest.raises(DivergedError, match="closed_form"):
        checks.compare(game(discriminator="quadratic"))


@pytest.mark.parametrize("size", [1e-11, 1e-3])
def test_the_eleventh_digit_counts(monkeypatch, size):
    derived(monkeypatch, by_w_g=lambda X, W_g, W_d: right(X, W_g, W_d) * (1 + size))
    with pytest.raises(DivergedError, match="symbolic"):
        checks.compare(game())


@pytest.mark.parametrize("of", ["by_w_d", "by_w_g"])
def test_a_gradient_that_is_not_a_number_is_caught(monkeypatch, of):
    derived(monkeypatch, **{of: lambda *_: torch.full((5, 2) if of == "by_w_g" else (1, 5), math.nan)})
    with pytest.raises(DivergedError, match="symbolic"):
        checks.compare(game())


def test_a_mistake_in_a_tiny_gradient_is_caught_too(monkeypatch, tmp_path):
    (tmp_path / "tiny.csv").write_text("1e-20,2e-20,3e-20,4e-20,5e-20\n" * 3)
    derived(monkeypatch, by_w_d=descent_for_ascent)
    with pytest.raises(DivergedError, match="symbolic"):
        checks.compare(game(data=str(tmp_path / "tiny.csv"), generator_start=1e-20))
