"""The closed forms against the definition, written anew with PyTorch's layers, and against what `derivations` derives.

The definition's samples are rows, as PyTorch's are; those of gan.gradients are columns.
"""

import pytest
import torch
from torch import nn
from torch.nn.functional import logsigmoid, relu

from derivations.topics import gan as topic
from gan import gradients, symbolic
from gan.discriminators import DISCRIMINATORS
from gan.losses import LOSSES

TOLERANCE = 1e-12

# Loss -> (the value, from logits of data and of samples; the generator's own loss, from logits of samples).
DEFINITIONS = {
    "saturating": (lambda r, s: logsigmoid(r).mean() + logsigmoid(-s).mean(), lambda s: logsigmoid(-s).mean()),
    "non-saturating": (lambda r, s: logsigmoid(r).mean() + logsigmoid(-s).mean(), lambda s: -logsigmoid(s).mean()),
    "least-squares": (
        lambda r, s: -((r - 1) ** 2).mean() / 2 - ((s + 1) ** 2).mean() / 2,
        lambda s: ((s - 1) ** 2).mean() / 2,
    ),
    "hinge": (lambda r, s: -relu(1 - r).mean() - relu(1 + s).mean(), lambda s: -s.mean()),
    "wasserstein": (lambda r, s: r.mean() - s.mean(), lambda s: -s.mean()),
}


class Quadratic(nn.Module):
    def forward(self, z):
        return torch.stack([*z.T, *(z[:, i] * z[:, j] for i in range(5) for j in range(i, 5))], dim=1)


FEATURES = {"linear": nn.Identity(), "quadratic": Quadratic()}


def by_definition(loss, discriminator, w_d, w_g, real, noise):
    """(the gradient of the value by W_d (F,), of the own loss by W_g (5, 2)) of one GAN."""
    generator = nn.Sequential(nn.Linear(2, 5, bias=False), nn.ReLU()).double()
    last = nn.Linear(len(w_d), 1, bias=False).double()
    generator[0].weight.data, last.weight.data = w_g.clone(), w_d[None].clone()
    critic = nn.Sequential(FEATURES[discriminator], last)
    value, own = DEFINITIONS[loss]
    (by_w_d,) = torch.autograd.grad(value(critic(real), critic(generator(noise))), last.weight)
    (by_w_g,) = torch.autograd.grad(own(critic(generator(noise))), generator[0].weight)
    return by_w_d[0], by_w_g


def closed_form(loss, discriminator, w_d, w_g, real, noise):
    """The same of K GANs: parameters and samples have an axis more, the first."""
    loss, kind = LOSSES[loss], DISCRIMINATORS[discriminator]
    real, noise = real.transpose(1, 2).contiguous(), noise.transpose(1, 2).contiguous()
    by_w_d = gradients.by_discriminator(loss, kind, w_d, real, gradients.generated(w_g, noise))
    return by_w_d, gradients.by_generator(loss, kind, w_d, w_g, noise)


def drawn(discriminator, count, batch, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(count, DISCRIMINATORS[discriminator].size), (count, 5, 2), (count, batch, 5), (count, batch, 2)]
    return [torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes]


def assert_equal(found, truth):
    torch.testing.assert_close(found, truth, rtol=0, atol=TOLERANCE * truth.abs().max().item())


def assert_closed_forms_are_the_definition(loss, discriminator, drawn):
    found = closed_form(loss, discriminator, *drawn)
    for k, one in enumerate(zip(*drawn, strict=True)):
        for gradient, truth in zip(found, by_definition(loss, discriminator, *one), strict=True):
            assert_equal(gradient[k], truth)


@pytest.mark.parametrize(("count", "batch"), [(1, 1), (1, 2), (1, 256), (3, 7), (20, 33)])
@pytest.mark.parametrize("discriminator", DISCRIMINATORS)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_closed_forms_are_the_gradients_of_the_definition(loss, discriminator, count, batch):
    for seed in range(3):
        assert_closed_forms_are_the_definition(loss, discriminator, drawn(discriminator, count, batch, seed))


@pytest.mark.parametrize("discriminator", DISCRIMINATORS)
@pytest.mark.parametrize("loss", LOSSES)
def test_at_the_kink_of_the_relu_the_slope_is_zero_as_in_pytorch(loss, discriminator):
    w_d, w_g, real, noise = drawn(discriminator, 3, 8)
    w_g[0], w_g[1, 2] = 0, 0
    noise[:, ::2] = 0
    w_g[2, 0], noise[2, 1] = torch.tensor([3.0, -2.0]), torch.tensor([2.0, 3.0])
    assert_closed_forms_are_the_definition(loss, discriminator, (w_d, w_g, real, noise))
    by_w_g = closed_form(loss, discriminator, w_d, w_g, real, noise)[1]
    assert not by_w_g[0].any() and not by_w_g[1, 2].any() and by_w_g[2].any()


def test_at_the_kinks_of_the_hinge_the_slope_is_zero_as_in_pytorch():
    """Logits of exactly 1 over the data, of exactly -1 over the samples."""
    w_d = torch.tensor([[1.0, -1, 0, 0, 0]], dtype=torch.float64)
    w_g = torch.tensor([[[0.0, 0], [1, 0], [0, 0], [0, 0], [0, 0]]], dtype=torch.float64)
    real = torch.tensor([[[1.0, 0, 3, 4, 5]]], dtype=torch.float64)
    noise = torch.tensor([[[1.0, 2]]], dtype=torch.float64)
    assert_closed_forms_are_the_definition("hinge", "linear", (w_d, w_g, real, noise))
    assert not closed_form("hinge", "linear", w_d, w_g, real, noise)[0].any()


def test_large_logits_do_not_overflow():
    w_d, w_g, real, noise = drawn("linear", 2, 16)
    for loss in LOSSES:
        assert_closed_forms_are_the_definition(loss, "linear", (1e4 * w_d, w_g, real, noise))


def rows(w_d, w_g, real, noise):
    return {"W_d": w_d[None], "W_g": w_g, "R": real, "X": noise}


def called(function, arguments, names):
    return function(**{name: arguments[name] for name in names})


@pytest.mark.parametrize("loss", LOSSES)
def test_the_module_of_derived_formulas_agrees(loss):
    by_w_d, by_w_g = symbolic.GRADIENTS[loss]
    for batch in (1, 2, 50):
        parts = drawn("linear", 3, batch, seed=batch)
        parts[1][1, 3] = 0
        found = closed_form(loss, "linear", *parts)
        for k, one in enumerate(zip(*parts, strict=True)):
            assert_equal(called(by_w_d, rows(*one), ("R", "W_d", "X", "W_g"))[0], found[0][k])
            assert_equal(called(by_w_g, rows(*one), ("X", "W_g", "W_d")), found[1][k])


@pytest.mark.parametrize("loss", LOSSES)
def test_what_the_engine_derives_here_and_now_agrees(loss):
    value = "value" if loss.endswith("saturating") else f"{loss} value"
    by_w_d = topic.batch_gradient("W_d", value).to_function("torch")
    by_w_g = topic.batch_gradient("W_g", loss).to_function("torch")
    one = [part[0] for part in drawn("linear", 1, 20)]
    one[1][3] = 0
    truth = by_definition(loss, "linear", *one)
    assert_equal(called(by_w_d, rows(*one), ("R", "W_d", "X", "W_g"))[0], truth[0])
    assert_equal(called(by_w_g, rows(*one), ("X", "W_g", "W_d")), truth[1])


def test_samples_and_logits_are_those_of_the_layers():
    w_d, w_g, _, noise = drawn("quadratic", 2, 6)
    fake = gradients.generated(w_g, noise.transpose(1, 2))
    for k in range(2):
        plain = relu(noise[k] @ w_g[k].T)
        torch.testing.assert_close(fake[k], plain.T)
        found = gradients.logits(DISCRIMINATORS["quadratic"], w_d, fake)[k]
        torch.testing.assert_close(found, FEATURES["quadratic"](plain) @ w_d[k])
