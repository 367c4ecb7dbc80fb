import pytest
import torch

from gan.discriminators import DISCRIMINATORS

K, B = 3, 7


def drawn(kind):
    generator = torch.Generator().manual_seed(2)
    z = torch.randn(K, 5, B, generator=generator, dtype=torch.float64)
    return z, torch.randn(K, kind.size, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_the_slope_is_the_gradient_of_the_logit_by_the_sample(name):
    kind = DISCRIMINATORS[name]
    z, w = drawn(kind)
    z.requires_grad_(True)
    (truth,) = torch.autograd.grad((w[..., None] * kind.features(z)).sum(), z)
    torch.testing.assert_close(kind.slope(w, z).expand(K, 5, B), truth, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_the_features_are_as_many_as_said_and_vanish_at_zero(name):
    """No bias: D is 1/2 at the origin, whatever the weights are."""
    kind = DISCRIMINATORS[name]
    assert kind.features(drawn(kind)[0]).shape == (K, kind.size, B)
    assert not kind.features(torch.zeros(K, 5, B)).any()


def test_the_quadratic_one_sees_each_coordinate_and_each_product_once():
    z = torch.tensor([2.0, 3.0, 5.0, 7.0, 11.0])[None, :, None]
    products = [a * b for i, a in enumerate(z[0, :, 0].tolist()) for b in z[0, i:, 0].tolist()]
    found = DISCRIMINATORS["quadratic"].features(z)[0, :, 0].tolist()
    assert found == [2, 3, 5, 7, 11, *products] and len(found) == 20
