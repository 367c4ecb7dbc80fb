"""Measures against what is known of them, and against SciPy."""

import math

import numpy
import pytest
import scipy.optimize
import torch

from gan import laws, measures, points
from gan.discriminators import DISCRIMINATORS
from gan.losses import LOSSES, SATURATING

LINEAR, QUADRATIC = DISCRIMINATORS["linear"], DISCRIMINATORS["quadratic"]


def normals(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def turned(w, angle):
    """The rows of W_g turned: another generator of the same law of samples."""
    c, s = math.cos(angle), math.sin(angle)
    return w @ torch.tensor([[c, s], [-s, c]], dtype=torch.float64)


def at_other_angles(w, seed=0):
    """Rows of the same lengths, and so the same means."""
    angles = 2 * math.pi * torch.rand(w.shape[:-1], generator=torch.Generator().manual_seed(seed)).double()
    return w.norm(dim=-1, keepdim=True) * torch.stack([angles.cos(), angles.sin()], dim=-1)


def gap(kind, ours, target):
    x, weights = points.noise("normal")
    best = measures.best_response(kind, (target @ x).relu(), (ours @ x).relu(), weights, weights)[1]
    return best + math.log(4)


# ---------------------------------------------------------------------- the best response


@pytest.mark.parametrize("kind", DISCRIMINATORS.values(), ids=DISCRIMINATORS)
@pytest.mark.parametrize("data", ["normal", "uniform", "exponential", "clusters", "unreachable"])
def test_the_best_response_is_the_one_that_scipy_finds(kind, data):
    law, n = laws.TOYS[data], 400
    real, fake = (law.points(normals(2, law.n_normals, n, seed=s)) for s in (0, 1))
    fake = 0.8 * fake + 0.1
    masses = [torch.softmax(normals(n, seed=s), 0) for s in (2, 3)]
    w, best = measures.best_response(kind, real, fake, *masses)
    for k in range(2):

        def negative(v, k=k):
            v = torch.tensor(v, requires_grad=True)
            value = -measures.value(SATURATING, *(v @ kind.features(part)[k] for part in (real, fake)), *masses)
            return value.item(), torch.autograd.grad(value, v)[0].numpy()

        found = scipy.optimize.minimize(negative, numpy.zeros(kind.size), jac=True, options={"gtol": 1e-9})
        assert best[k].item() == pytest.approx(-found.fun, abs=1e-10)
        assert best[k].item() == pytest.approx(-negative(w[k].numpy())[0], abs=1e-14)
        assert w[k].numpy() == pytest.approx(found.x, rel=1e-3, abs=1e-3)


def test_gans_side_by_side_get_the_responses_they_get_alone():
    real, even = normals(4, 5, 300), torch.full((300,), 1 / 300, dtype=torch.float64)
    fake = normals(4, 5, 300, seed=1) * torch.tensor([1e-2, 1, 1.1, 30])[:, None, None]
    together = measures.best_response(QUADRATIC, real, fake, even, even)[1]
    for k in range(4):
        alone = measures.best_response(QUADRATIC, real[k : k + 1], fake[k : k + 1], even, even)[1]
        assert alone.item() == pytest.approx(together[k].item(), abs=1e-9)


def test_the_gap_of_a_linear_discriminator_is_zero_where_the_means_agree():
    target = normals(6, 5, 2)
    assert gap(LINEAR, at_other_angles(target), target).abs().max() < 1e-9
    assert gap(LINEAR, target, target).abs().max() < 1e-13


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1, 2])
def test_the_gap_is_not_zero_where_one_mean_differs(factor):
    target = normals(6, 5, 2)
    ours = at_other_angles(target)
    ours[:, 3] *= factor
    assert gap(LINEAR, ours, target).min() > 1e-5


def test_the_gap_of_a_quadratic_discriminator_is_zero_where_the_laws_agree_and_only_there():
    """Up to the error of the quadrature, which is none where the turn takes its points to one another."""
    target = normals(3, 5, 2)
    assert gap(QUADRATIC, turned(target, 2 * math.pi * 81 / points.N_ANGLES), target).abs().max() < 1e-12
    assert gap(QUADRATIC, turned(target, 1.0), target).abs().max() < 1e-5
    assert gap(QUADRATIC, at_other_angles(target), target).min() > 1e-3


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", DISCRIMINATORS.values(), ids=DISCRIMINATORS)
def test_the_value_is_concave_in_the_weights_of_the_discriminator(kind, loss):
    real, fake = normals(1, 5, 50), normals(1, 5, 50, seed=1).relu()
    weights = torch.softmax(normals(50, seed=2), 0)
    ends = 3 * normals(2, 300, kind.size, seed=3)

    def value(w):
        logits = [w @ kind.features(part)[0] for part in (real, fake)]
        return measures.value(LOSSES[loss], *logits, weights, weights)

    assert (value(ends.mean(0)) >= (value(ends[0]) + value(ends[1])) / 2 - 1e-12).all()


def test_the_gap_is_never_negative_and_bounds_every_discriminator():
    n = 500
    weights = torch.full((n,), 1 / n, dtype=torch.float64)
    real, fake = normals(3, 5, n).relu(), normals(3, 5, n, seed=1)
    best = measures.best_response(LINEAR, real, fake, weights, weights)[1]
    assert (best >= -math.log(4)).all()
    for seed in range(20):
        found = measures.moments(SATURATING, LINEAR, normals(3, 5, seed=seed), real, fake, weights, weights)
        assert (found["V"] <= best).all()


@pytest.mark.parametrize(
    ("real", "fake", "supremum"),
    [(1.0, -1.0, 0.0), (1.0, 0.0, -math.log(2)), (0.0, 0.0, -math.log(4))],
    ids=["told apart", "nothing against something", "nothing against nothing"],
)
@pytest.mark.parametrize("kind", DISCRIMINATORS.values(), ids=DISCRIMINATORS)
def test_degenerate_laws_end_near_the_supremum(kind, real, fake, supremum):
    positive = normals(1, 5, 60).abs() + 0.5
    weights = torch.full((60,), 1 / 60, dtype=torch.float64)
    w, best = measures.best_response(kind, real * positive, fake * positive, weights, weights)
    assert w.isfinite().all() and best.item() == pytest.approx(supremum, abs=1e-8)
    assert best.item() <= supremum


def test_a_gan_that_is_lost_does_not_spoil_the_others():
    target = normals(3, 5, 2)
    ours = at_other_angles(target)
    ours[1] = math.nan
    found = gap(LINEAR, ours, target)
    assert found[1].isnan() and found[[0, 2]].abs().max() < 1e-9


# ---------------------------------------------------------------------- moments


def test_at_the_optimum_all_the_moments_say_so():
    x, weights = points.noise("normal")
    target = normals(2, 5, 2)
    real, fake = (target @ x).relu(), (at_other_angles(target) @ x).relu()
    for loss in LOSSES.values():
        found = measures.moments(loss, LINEAR, torch.zeros(2, 5).double(), real, fake, weights, weights)
        expected = {"V": -math.log(4), "objective": loss.optimum, "D_real": 0.5, "D_fake": 0.5}
        expected |= dict.fromkeys(("best_response_gap", "D_distance", "W_d_norm"), 0.0)
        for name, number in expected.items():
            assert found[name].tolist() == pytest.approx([number] * 2, abs=1e-9), name
        assert found["mean_distance"].max() < 1e-4


def test_moments_away_from_the_optimum_are_the_plain_averages():
    n = 300
    w_d, real, fake = normals(2, 5), normals(1, 5, n, seed=1), normals(2, 5, n, seed=2).relu()
    even = torch.full((n,), 1 / n, dtype=torch.float64)
    found = measures.moments(LOSSES["hinge"], LINEAR, w_d, real, fake, even, even)
    for k in range(2):
        d_real, d_fake = (torch.sigmoid(w_d[k] @ z) for z in (real[0], fake[k]))
        plain = {
            "V": d_real.log().mean() + (1 - d_fake).log().mean(),
            "objective": -(1 - w_d[k] @ real[0]).relu().mean() - (1 + w_d[k] @ fake[k]).relu().mean(),
            "D_real": d_real.mean(),
            "D_fake": d_fake.mean(),
            "D_distance": (torch.cat([d_real, d_fake]) - 0.5).abs().mean(),
            "W_d_norm": w_d[k].norm(),
            "mean_distance": (real[0].mean(1) - fake[k].mean(1)).norm(),
        }
        for name, number in plain.items():
            assert found[name][k].item() == pytest.approx(number.item(), rel=1e-12), name


# ---------------------------------------------------------------------- distances


def directions(count=64):
    found = normals(count, 5, seed=9)
    return found / found.norm(dim=1, keepdim=True)


def test_a_shift_is_as_far_as_its_projections():
    a, shift = normals(5, 500), torch.tensor([1.0, -2, 0, 3, 0.5], dtype=torch.float64)
    found = measures.sliced_wasserstein(a, a[:, torch.randperm(500)] + shift[:, None], directions())
    assert found == pytest.approx((directions() @ shift).abs().mean().item(), rel=1e-12)
    assert measures.sliced_wasserstein(a, a, directions()) == 0


def test_a_scale_moves_each_quantile():
    a = normals(5, 500)
    found = measures.sliced_wasserstein(a, 3 * a, directions())
    assert found == pytest.approx(2 * (directions() @ a).abs().mean().item(), rel=1e-12)


def test_the_energy_distance_of_points_is_twice_their_distance():
    a, b = torch.zeros(5, 40).double(), torch.ones(5, 40).double()
    assert measures.energy_distance(a, b) == pytest.approx(2 * math.sqrt(5))
    assert measures.energy_distance(a, a) == 0


def test_the_energy_distance_is_the_sum_over_pairs():
    a, b = normals(5, 30), normals(5, 30, seed=1) + 1

    def mean(x, y, pairs):
        return sum((x[:, i] - y[:, j]).norm() for i, j in pairs) / len(pairs)

    every = [(i, j) for i in range(30) for j in range(30)]
    others = [(i, j) for i, j in every if i != j]
    truth = 2 * mean(a, b, every) - mean(a, a, others) - mean(b, b, others)
    assert measures.energy_distance(a, b) == pytest.approx(truth.item(), rel=1e-6)


def test_the_energy_distance_of_one_law_is_zero_on_average():
    found = [measures.energy_distance(normals(5, 200, seed=s), normals(5, 200, seed=s + 100)) for s in range(40)]
    assert min(found) < 0 < max(found)
    assert abs(sum(found) / 40) < 0.005 < measures.energy_distance(normals(5, 200), 1.2 * normals(5, 200, seed=1))


def test_the_gram_error_does_not_see_rotations_and_reflections():
    target = normals(4, 5, 2)
    mirrored = target * torch.tensor([1.0, -1.0], dtype=torch.float64)
    for same in (target, turned(target, 0.7), turned(mirrored, 2.0)):
        assert measures.gram_error(same, target).max() < 1e-14


def test_the_gram_error_of_a_multiple_is_known():
    target = normals(4, 5, 2)
    assert measures.gram_error(1.1 * target, target).tolist() == pytest.approx([0.21] * 4)
    assert measures.gram_error(0 * target, target).tolist() == [1] * 4
    assert measures.gram_error(at_other_angles(target), target).min() > 0.1
