"""A step of the game against a plain loop with PyTorch's layers and optimisers; many GANs against each alone."""

import io
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import grad

from gan.config import make
from gan.discriminators import DISCRIMINATORS
from gan.game import Game
from gan.losses import LOSSES
from gan.measures import gram_error
from gan.reports import Report
from runner.errors import ConfigError

CPU = torch.device("cpu")
EXACT = {"precision": "float64", "schedule": "constant", "learning_rate": 0.1, "batch_size": 16}


def game(*own, **shared):
    return Game([make(shared | given) for given in own or ({},)], CPU)


def after(n_steps, *own, **shared):
    played = game(*own, **shared)
    played.advance(n_steps)
    return played.weights


def assert_close(found, truth, tolerance):
    for name in truth:
        torch.testing.assert_close(found[name], truth[name], rtol=tolerance, atol=tolerance)


# -------------------------------------------------------------- against torch.optim


def plain(config, n_steps, factor=lambda step: 1.0):
    """W_d and W_g after so many steps of the loop that anybody would write."""
    batches = Game([config], CPU)
    loss, kind = LOSSES[config.loss], DISCRIMINATORS[config.discriminator]
    generator = nn.Sequential(nn.Linear(2, 5, bias=False), nn.ReLU()).double()
    discriminator = nn.Linear(kind.size, 1, bias=False).double()
    w_g, w_d = generator[0].weight, discriminator.weight
    w_g.data, w_d.data = batches.weights["W_g"][0].clone(), batches.weights["W_d"].clone()
    of_d, of_g = optimizer(config, w_d, weight_decay=config.gamma, maximize=True), optimizer(config, w_g)
    schedules = [torch.optim.lr_scheduler.LambdaLR(o, factor) for o in (of_d, of_g)]
    for step in range(n_steps):
        batches.step = step
        real, noise, own_noise = (part[0].T for part in batches.batch())

        def logit(z):
            return discriminator(kind.features(z.T[None])[0].T)

        def own_gradient(noise=own_noise):
            return grad(loss.own(logit(generator(noise))).mean(), w_g)[0]

        value = loss.real(logit(real)).mean() + loss.fake(logit(generator(noise))).mean()
        w_d.grad, w_g.grad = grad(value, w_d)[0], own_gradient()
        of_d.step()
        if loss.lipschitz:
            w_d.data /= max(1, w_d.data.norm())
        if config.updates == "alternating":
            w_g.grad = own_gradient()
        of_g.step()
        for schedule in schedules:
            schedule.step()
    return {"W_d": w_d.data, "W_g": w_g.data[None]}


def optimizer(config, parameter, **options):
    if config.optimizer == "sgd":
        return torch.optim.SGD([parameter], config.learning_rate, momentum=config.momentum, **options)
    return torch.optim.Adam([parameter], config.learning_rate, betas=(config.momentum, 0.999), **options)


@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
@pytest.mark.parametrize(
    ("name", "momentum"), [("sgd", 0.0), ("sgd", 0.8), ("adam", 0.0), ("adam", 0.9)], ids=lambda value: str(value)
)
def test_fifty_steps_are_those_of_the_optimisers_of_pytorch(name, momentum, updates):
    given = EXACT | {"optimizer": name, "momentum": momentum, "updates": updates}
    assert_close(after(50, **given), plain(make(given), 50), 1e-12)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("fresh_noise", [True, False])
def test_so_they_are_for_every_loss(loss, fresh_noise):
    given = EXACT | {"loss": loss, "fresh_noise": fresh_noise}
    assert_close(after(50, **given), plain(make(given), 50), 1e-12)


@pytest.mark.parametrize(
    "given",
    [
        {"discriminator": "quadratic", "learning_rate": 0.05},
        {"data": "normal", "latent": "families"},
        {"data": "clusters", "latent": "scales-and-means", "hold": 7},
        {"gamma": 0.0, "optimizer": "adam", "momentum": 0.5, "learning_rate": 0.01},
    ],
    ids=str,
)
def test_so_they_are_for_other_games(given):
    assert_close(after(50, **EXACT | given), plain(make(EXACT | given), 50), 1e-12)


@pytest.mark.parametrize(
    ("schedule", "factor"),
    [
        ("linear", lambda step: 1 - (step + 0.5) / 60),
        ("cosine", lambda step: (1 + math.cos(math.pi * (step + 0.5) / 60)) / 2),
    ],
)
def test_the_learning_rate_follows_its_schedule_to_the_last_step(schedule, factor):
    given = EXACT | {"schedule": schedule, "steps": 60, "momentum": 0.5}
    assert_close(after(60, **given), plain(make(given), 60, factor), 1e-12)


def test_gamma_is_the_r1_penalty_on_the_logit():
    """Mescheder et al. (2018): gamma/2 E |grad_z s|^2. By autograd, twice, its gradient by W_d is gamma W_d."""
    w_d = torch.randn(1, 5, dtype=torch.float64, requires_grad=True)
    z = torch.randn(40, 5, dtype=torch.float64, requires_grad=True)
    (slopes,) = grad((z @ w_d.T).sum(), z, create_graph=True)
    (penalty,) = grad(0.3 / 2 * (slopes**2).sum(1).mean(), w_d)
    torch.testing.assert_close(penalty, 0.3 * w_d.detach())
    started = game(**EXACT).weights["W_d"]
    pulled = after(1, gamma=0.0, **EXACT)["W_d"] - after(1, gamma=0.3, **EXACT)["W_d"]
    torch.testing.assert_close(pulled, EXACT["learning_rate"] * 0.3 * started)


def test_a_wasserstein_critic_stays_in_the_unit_ball():
    played = game({"seed": 0}, {"seed": 1}, loss="wasserstein", discriminator_start=3.0)
    for _ in range(30):
        played.advance(1)
        assert (played.weights["W_d"].norm(dim=1) <= 1 + 1e-6).all()


# -------------------------------------------------------------------- many at once

OWN = [
    {"seed": 3, "learning_rate": 0.1, "gamma": 0.0, "name": "a"},
    {"seed": 0, "learning_rate": 0.5, "gamma": 0.1},
    {"seed": 3, "learning_rate": 0.2, "gamma": 0.1},
    {"seed": 11, "learning_rate": 0.0, "gamma": 1.0},
]


CIRCLING = {"updates": "simultaneous", "momentum": 0.5, "fresh_noise": False}
CHANGING = {"loss": "wasserstein", "latent": "scales", "hold": 5, "schedule": "constant"}
KINKED = {"discriminator": "quadratic", "loss": "hinge", "latent": "families", "data": "normal", "optimizer": "adam"}


# What is rounded otherwise among others stays small in the first two games, and is amplified by the kinks of the rest.
@pytest.mark.parametrize(
    ("shared", "precision", "tolerance"),
    [
        ({}, "float32", 3e-6),
        (CIRCLING, "float32", 3e-6),
        ({}, "float64", 1e-12),
        (CIRCLING, "float64", 1e-12),
        (CHANGING, "float64", 1e-12),
        (KINKED, "float64", 1e-12),
    ],
)
def test_gans_that_play_together_do_what_each_does_alone(shared, precision, tolerance):
    shared = {"steps": 100, "precision": precision} | shared
    together = after(100, *OWN, **shared)
    for k, own in enumerate(OWN):
        alone = after(100, own, **shared)
        assert_close({name: w[k : k + 1] for name, w in together.items()}, alone, tolerance)


def test_a_learning_rate_of_zero_moves_nothing_and_its_neighbours_all_the_same():
    played = game(*OWN, optimizer="adam")
    started = {name: w.clone() for name, w in played.weights.items()}
    played.advance(20)
    for name, w in played.weights.items():
        assert torch.equal(w[3], started[name][3])
        assert not any(torch.equal(w[k], started[name][k]) for k in range(3))


@pytest.mark.parametrize("name", ["loss", "steps", "latent", "batch_size", "momentum"])
def test_gans_that_differ_in_more_do_not_play_together(name):
    other = {"loss": "hinge", "steps": 7, "latent": "scales", "batch_size": 7, "momentum": 0.5}[name]
    with pytest.raises(ConfigError, match="differ in name, seed, learning_rate, gamma alone"):
        game({}, {name: other})


def test_a_gan_that_is_lost_is_seen_and_the_others_play_on():
    own = [{"seed": 0}, {"seed": 1, "learning_rate": 1e30}, {"seed": 2}]
    played = game(*own, loss="least-squares", learning_rate=0.05)
    assert played.finite().tolist() == [True] * 3
    played.advance(30)
    assert played.finite().tolist() == [True, False, True]
    alone = after(30, own[2], loss="least-squares", learning_rate=0.05)
    assert_close({name: w[2:] for name, w in played.weights.items()}, alone, 1e-5)


@pytest.mark.parametrize("name", ["W_g", "W_d"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_one_weight_that_is_not_finite_is_enough(name, value):
    played = game(*OWN)
    played.weights[name][2].view(-1)[3] = value
    assert played.finite().tolist() == [True, True, False, True]


# ---------------------------------------------------------------- what a step draws


def test_a_batch_follows_from_the_seed_and_the_step_alone():
    one, other = game({"seed": 4}), game({"seed": 2}, {"seed": 4})
    one.advance(3)
    other.step = 3
    for a, b in zip(one.batch(), other.batch(), strict=True):
        assert torch.equal(a[0], b[1])
    other.step = 4
    assert not torch.equal(one.batch()[0][0], other.batch()[0][1])


def test_the_generator_draws_noise_of_its_own_unless_told_otherwise():
    _, noise, own = game().batch()
    assert abs(torch.corrcoef(torch.stack([noise.flatten(), own.flatten()]))[0, 1]) < 0.2
    _, noise, own = game(fresh_noise=False).batch()
    assert torch.equal(noise, own)


def test_data_and_noise_are_independent():
    real, noise, own = game(data="normal", batch_size=20_000).batch()
    correlations = torch.corrcoef(torch.cat([real[0], noise[0], own[0]])) - torch.eye(9)
    assert correlations.abs().max() < 5 / math.sqrt(20_000)


def test_a_law_of_the_noise_is_held_for_as_long_as_said():
    """The coin is a law that shows: its points are at -1 and 1."""
    played = game(latent="families", hold=3, batch_size=20)
    coins = []
    for played.step in range(240):
        _, noise, own = played.batch()
        assert torch.equal((noise.abs() == 1).all(), (own.abs() == 1).all())
        coins.append((noise.abs() == 1).all().item())
    held = [coins[i : i + 3] for i in range(0, 240, 3)]
    assert all(len(set(three)) == 1 for three in held)
    assert 5 < sum(three[0] for three in held) < 40


def test_a_file_is_the_data(tmp_path):
    array = np.arange(10.0).reshape(2, 5)
    np.save(tmp_path / "a.npy", array)
    real = game({}, {"seed": 1}, data=str(tmp_path / "a.npy")).batch()[0]
    assert real.shape == (2, 5, 256) and real.dtype == torch.float32
    for k in range(2):
        assert set(map(tuple, real[k].T.tolist())) == set(map(tuple, array.tolist()))


def test_the_start_has_the_spread_that_was_asked_for():
    seeds = [{"seed": s} for s in range(500)]
    started = game(*seeds, generator_start=2.0, discriminator_start=0.1).weights
    assert started["W_g"].std().item() == pytest.approx(2, rel=0.05)
    assert started["W_d"].std().item() == pytest.approx(0.1, rel=0.05)
    assert not any(w.any() for w in game(generator_start=0.0, discriminator_start=0.0).weights.values())


# ------------------------------------------------------------ averages, states, ends


@pytest.mark.parametrize(("average", "n_averaged"), [(0.0, 1), (0.25, 5), (0.5, 10), (0.01, 1)])
def test_the_result_is_the_average_over_the_last_part(average, n_averaged):
    played, seen = game(*OWN, steps=20, average=average), []
    for _ in range(20):
        played.advance(1)
        seen.append(played.weights)
    found = played.result()
    for name in ("W_g", "W_d"):
        truth = torch.stack([w[name].double() for w in seen[-n_averaged:]]).mean(0)
        torch.testing.assert_close(found[name], truth, rtol=1e-14, atol=1e-14)


RICH = {"steps": 40, "optimizer": "adam", "momentum": 0.5, "average": 0.5, "latent": "families", "hold": 4}


@pytest.mark.parametrize("stop", [7, 29])
def test_a_saved_game_goes_on_bit_for_bit(stop):
    whole, first, second = (game(*OWN, **RICH) for _ in range(3))
    whole.advance(40)
    first.advance(stop)
    file = io.BytesIO()
    torch.save(first.state(), file)
    file.seek(0)
    second.load_state(torch.load(file, weights_only=True))
    second.advance(40 - stop)
    assert all(torch.equal(whole.result()[name], second.result()[name]) for name in ("W_g", "W_d"))


def test_a_state_stays_what_it_was():
    played = game(**RICH)
    played.advance(25)
    state = played.state()
    sums, moment = state["sums"]["W_g"].clone(), state["moments"]["W_g"][0].clone()
    played.advance(1)
    assert torch.equal(sums, state["sums"]["W_g"]) and torch.equal(moment, state["moments"]["W_g"][0])


@pytest.mark.parametrize("loss", ["saturating", "non-saturating"])
def test_the_default_recipe_reaches_the_optimum_from_every_start(loss):
    played = game(*({"seed": s} for s in range(100, 112)), loss=loss)
    started = Report(played).now()
    played.advance(played.config.steps)
    found = Report(played).now()
    assert max(m["best_response_gap"] for m in found) < 3e-4
    assert min(m["best_response_gap"] for m in started) > 3e-3
    assert max(abs(m["V"] + math.log(4)) for m in found) < 1e-4
    assert max(m["D_distance"] for m in found) < 0.005
    assert max(m["mean_distance"] for m in found) < 0.03


def test_the_norms_are_learned_and_the_angles_are_free():
    played = game(*({"seed": s} for s in range(8)))
    played.advance(played.config.steps)
    ours, target = played.result()["W_g"].norm(dim=2), played.teacher.norm(dim=2)
    assert ((ours - target).abs() / target.clamp(min=0.1)).max() < 0.2
    assert gram_error(played.result()["W_g"], played.teacher).min() > 0.1


def test_a_negative_mean_ends_at_the_value_of_the_theory():
    """The exact optimum without gamma is V = -1.1817: the fourth unit dies."""
    played = game({"seed": 0}, {"seed": 1}, data="unreachable", gamma=0.0)
    played.advance(played.config.steps)
    for k, found in enumerate(Report(played).now()):
        assert found["V"] == pytest.approx(-1.1817, abs=0.005)
        assert played.weights["W_g"][k, 3].norm() < 1e-3


def test_a_generator_that_starts_at_zero_stays_there():
    played = game(generator_start=0.0)
    played.advance(200)
    assert not played.weights["W_g"].any()
