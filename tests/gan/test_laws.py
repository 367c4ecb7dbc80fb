"""Means and spreads of the laws, known in closed form."""

import math

import pytest
import torch

from gan import draws, laws

N = 200_000


def drawn(law, seed=0):
    normals = draws.normals([seed], draws.EVALUATION, 9, (law.n_normals, N)).double()
    return law.points(normals)[0]


# Mean, standard deviation and fourth central moment over the variance squared, of each coordinate.
TOYS = {
    "normal": ([0.5, 0.75, 1, 1.25, 1.5], 0.7, 3),
    "uniform": ([0.5] * 5, 12**-0.5, 9 / 5),
    "exponential": ([1] * 5, 1, 9),
    "clusters": ([1] * 5, math.sqrt(0.25 + 0.04), (0.0625 + 6 * 0.25 * 0.04 + 3 * 0.0016) / 0.29**2),
    "unreachable": ([0.5, 0.75, 1, -0.5, 1.5], 0.7, 3),
}


@pytest.mark.parametrize("name", laws.TOYS)
def test_a_toy_law_has_its_mean_and_its_spread(name):
    mean, deviation, kurtosis = TOYS[name]
    z = drawn(laws.TOYS[name])
    assert z.shape == (5, N)
    error = z.mean(1) - torch.tensor(mean, dtype=torch.float64)
    assert error.abs().max() < 4 * deviation * N**-0.5
    assert (z.var(1) / deviation**2 - 1).abs().max() < 4 * math.sqrt((kurtosis - 1) / N)


def test_laws_keep_to_where_they_live():
    uniform, exponential = drawn(laws.TOYS["uniform"]), drawn(laws.TOYS["exponential"])
    assert uniform.min() >= 0 and uniform.max() <= 1 and exponential.min() >= 0
    far = torch.full((1, 5, 1), -8.0)
    assert laws.TOYS["exponential"].points(far).isfinite().all()


def test_the_clusters_move_all_coordinates_together():
    z = drawn(laws.TOYS["clusters"])
    high = z > 1
    assert (high.all(0) | ~high.any(0)).double().mean() > 0.96
    assert torch.corrcoef(z)[0, 1].item() == pytest.approx(0.25 / 0.29, abs=0.01)


def test_coordinates_of_the_other_toys_are_independent():
    for name in set(laws.TOYS) - {"clusters"}:
        correlations = torch.corrcoef(drawn(laws.TOYS[name])) - torch.eye(5)
        assert correlations.abs().max() < 5 * N**-0.5, name


def test_a_teacher_is_a_generator_of_its_own_for_each_seed():
    weights = laws.teacher_weights([4, 7])
    assert weights.shape == (2, 5, 2) and not torch.equal(weights[0], weights[1])
    assert torch.equal(laws.teacher_weights([7])[0], weights[1])
    x = torch.randn(2, 2, 9, dtype=torch.float64)
    torch.testing.assert_close(laws.teacher(weights).points(x), torch.relu(weights @ x))


def test_teachers_are_standard_normal():
    weights = laws.teacher_weights(range(2000))
    assert abs(weights.mean()) < 4 / math.sqrt(20_000) and abs(weights.var() - 1) < 4 * math.sqrt(2 / 20_000)


def test_rows_are_drawn_alike_often_and_whole():
    array = torch.arange(35, dtype=torch.float64).reshape(7, 5)
    found = laws.rows(array).points(draws.normals([0, 1], 9, 0, (1, N)))
    assert found.shape == (2, 5, N)
    for k in range(2):
        rows, counts = found[k].T.unique(dim=0, return_counts=True)
        assert torch.equal(rows.double(), array)
        assert (counts / N - 1 / 7).abs().max() < 4 * math.sqrt(6 / 49 / N)


def test_the_ends_of_the_normals_are_rows_too():
    found = laws.rows(torch.eye(5)).points(torch.tensor([[[-40.0, 40.0]]]))
    assert found[0].T.tolist() == torch.eye(5)[[0, 4]].tolist()


# ------------------------------------------------------------------------ the noise

KURTOSIS = (3, 9 / 5, 6, 1)


@pytest.mark.parametrize("place", range(len(laws.FAMILIES)), ids=["normal", "uniform", "Laplace", "coin"])
def test_every_family_has_mean_zero_and_variance_one(place):
    z = draws.normals([1], 9, 0, (N,))[0].double()
    x = laws.FAMILIES[place](z)
    assert abs(x.mean()) < 4 * N**-0.5
    assert abs((x**2).mean() - 1) < 4 * math.sqrt((KURTOSIS[place] - 1) / N) + 1e-12
    assert (x**4).mean().item() == pytest.approx(KURTOSIS[place], rel=0.1)
    assert laws.FAMILIES[place](torch.tensor([-12.0, 12.0])).isfinite().all()


def test_the_scale_has_the_mean_of_a_lognormal():
    ones = torch.ones(N, 2, 1).double()
    d = draws.normals([2], 9, 0, (N,))[0].double()[:, None, None]
    scale = laws.NOISE["scales"].points(ones, d)
    assert torch.equal(scale[:, 0], scale[:, 1])
    mean, deviation = math.exp(0.75**2 / 2), math.sqrt(math.exp(2 * 0.75**2) - math.exp(0.75**2))
    assert abs(scale[:, 0].mean() - mean) < 4 * deviation * N**-0.5
    assert scale[:, 0].log().std().item() == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("latent", laws.NOISE)
def test_one_draw_is_one_law_for_the_whole_batch(latent):
    law = laws.NOISE[latent]
    drawn = draws.normals([0, 1, 2], 9, 0, (law.n_drawn, 1))
    x = draws.normals([0, 1, 2], 9, 1, (2, 50))
    found = law.points(x, drawn)
    assert found.shape == (3, 2, 50)
    for b in range(50):
        torch.testing.assert_close(law.points(x[..., b : b + 1], drawn), found[..., b : b + 1])


def test_scales_and_means_scale_first_and_shift_then():
    x, drawn = torch.tensor([[[2.0], [-1.0]]]), torch.tensor([[[1.0], [3.0], [-4.0]]])
    found = laws.NOISE["scales-and-means"].points(x, drawn)[0, :, 0]
    assert found.tolist() == pytest.approx([2 * math.exp(0.75) + 1.5, -math.exp(0.75) - 2])


def test_each_family_comes_as_often():
    x = torch.full((N, 2, 1), 0.3, dtype=torch.float64)
    d = draws.normals([3], 9, 0, (N,))[0].double()[:, None, None]
    values, counts = laws.NOISE["families"].points(x, d)[:, 0].unique(return_counts=True)
    assert len(values) == 4 and (counts / N - 1 / 4).abs().max() < 4 * math.sqrt(3 / 16 / N)
