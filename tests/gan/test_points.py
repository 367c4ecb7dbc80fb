"""Expectations over the points against those that are known in closed form."""

import math

import pytest
import torch

from gan import laws, points

ROOT = math.sqrt(2 * math.pi)
# The standard error of a mean over a sample, of what has variance 1.
CERTAIN = points.N_SAMPLES**-0.5


def rows(count=200):
    generator = torch.Generator().manual_seed(1)
    g = torch.randn(count, 2, generator=generator, dtype=torch.float64)
    return g * torch.logspace(-3, 2, count, dtype=torch.float64)[torch.randperm(count, generator=generator), None]


@pytest.mark.parametrize("latent", laws.NOISE)
def test_the_weights_of_the_noise_are_probabilities(latent):
    x, weights = points.noise(latent)
    assert x.shape == (2, len(weights)) and x.dtype == weights.dtype == torch.float64
    assert (weights >= 0).all() and weights.sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", laws.TOYS)
def test_the_weights_of_the_data_are_probabilities(name):
    z, weights = points.data(laws.TOYS[name])
    assert z.shape == (1, 5, len(weights)) and weights.sum().item() == pytest.approx(1, abs=1e-12)


def test_the_moments_of_the_plane_are_those_of_the_normal_law():
    x, weights = points.noise("normal")
    for i in range(7):
        for j in range(7):
            truth = math.prod(range(i - 1, 0, -2)) * math.prod(range(j - 1, 0, -2)) if i % 2 == j % 2 == 0 else 0
            assert (x[0] ** i * x[1] ** j @ weights).item() == pytest.approx(truth, rel=1e-9, abs=1e-9)


def test_the_mean_of_a_relu_is_the_length_of_its_row_over_the_root_of_two_pi():
    g = rows()
    x, weights = points.noise("normal")
    torch.testing.assert_close((g @ x).relu() @ weights, g.norm(dim=1) / ROOT, rtol=2e-5, atol=0)


def test_second_moments_of_relus_are_the_arc_cosine_kernel():
    """Cho & Saul (2009): |g||h| (sin t + (pi - t) cos t) / (2 pi), t the angle between the rows."""
    g = rows()
    x, weights = points.noise("normal")
    y = (g @ x).relu()
    norms = g.norm(dim=1)
    size = norms[:, None] * norms
    t = (g @ g.T / size).clamp(-1, 1).acos()
    truth = size / (2 * math.pi) * (t.sin() + (math.pi - t) * t.cos())
    assert (((y * weights) @ y.T - truth) / size).abs().max() < 1e-5


def test_the_mean_of_a_logarithm_of_a_sigmoid_is_the_same_at_every_angle():
    """What V is made of: E log sigmoid(c ReLU(g.x)) depends on |g| alone."""
    angles = torch.linspace(0, 2 * math.pi, 50, dtype=torch.float64)
    x, weights = points.noise("normal")
    s = (torch.stack([angles.cos(), angles.sin()], dim=1) @ x).relu()
    for c in (-5.0, -0.5, 2.0):
        found = torch.nn.functional.logsigmoid(c * s) @ weights
        assert found.max() - found.min() < 3e-5 * found.abs().max()


def test_a_teacher_gets_the_points_of_the_noise():
    weights = laws.teacher_weights([0, 1, 2])
    z, probabilities = points.data(laws.teacher(weights))
    x, same = points.noise("normal")
    torch.testing.assert_close(z, (weights @ x).relu())
    assert torch.equal(probabilities, same)


@pytest.mark.parametrize(
    ("latent", "second", "fourth"),
    [
        ("scales", math.exp(1.125), 3 * math.exp(4.5)),
        ("scales-and-means", math.exp(1.125) + 1 / 4, 3 * math.exp(4.5) + 6 / 4 * math.exp(1.125) + 3 / 16),
        ("families", 1, (3 + 9 / 5 + 6 + 1) / 4),
    ],
)
def test_a_law_that_changes_is_its_mixture(latent, second, fourth):
    """Moments of a scale exp(0.75 n): E s^2 = exp(1.125), E s^4 = exp(4.5); of a mean: 1/4 and 3/16."""
    x, weights = points.noise(latent)
    assert (x @ weights).abs().max() < 4 * math.sqrt(second) * CERTAIN
    assert (x**2 @ weights - second).abs().max() < 4 * math.sqrt(fourth - second**2) * CERTAIN


def test_a_file_is_represented_by_its_rows():
    array = torch.arange(15, dtype=torch.float64).reshape(3, 5) ** 2
    z, weights = points.data(laws.rows(array))
    assert set(map(tuple, z[0].T.tolist())) == set(map(tuple, array.tolist()))
    error = array.std(0, correction=0) * CERTAIN
    assert ((z[0] @ weights - array.mean(0)).abs() < 4 * error).all()
