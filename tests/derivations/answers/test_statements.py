"""The statements of the answers that stand without a derivation, checked one by one."""

import math
import re

import pytest
import torch
from torch import nn

from derivations.answers.contents import ANSWERS, Settings
from derivations.answers.parts import Table
from derivations.topics.model_selection import expected_best_score
from derivations.topics.networks import lenet, propagate


def conv_net(kernel=5, dilation=1, fc1=400, flatten=lambda x: torch.flatten(x, 1), pool=None):
    """The network of 2.2 with the changes of question 4."""
    conv1, conv2 = nn.Conv2d(3, 6, kernel, dilation=dilation), nn.Conv2d(6, 16, kernel, dilation=dilation)
    head = nn.Sequential(nn.Linear(fc1, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
    halve = nn.MaxPool2d(2, 2)

    def forward(x):
        x = halve(torch.relu(conv1(x)))
        x = halve(torch.relu(conv2(x)))
        return head(flatten(pool(x) if pool else x))

    return forward


# --------------------------------------------------------------------------------- 1.1 and 1.2


def test_tools_differ_by_a_transpose():
    import sympy

    a = torch.randn(3, 2)
    assert torch.equal(torch.autograd.functional.jacobian(lambda y: a @ y, torch.randn(2)), a)
    m, n = sympy.symbols("m n", integer=True, positive=True)
    matrix, y = sympy.MatrixSymbol("A", m, n), sympy.MatrixSymbol("y", n, 1)
    assert (matrix * y).diff(y) == matrix.T


def test_linearity_is_not_what_makes_a_layer_free_of_parameter_gradients():
    assert not list(nn.AvgPool2d(2).parameters()) and list(nn.PReLU().parameters())


def test_the_naive_loss_is_not_a_number_at_the_other_label():
    eta = torch.tensor(40.0, dtype=torch.float64)
    sigma = torch.sigmoid(eta)
    assert torch.isnan(-1 * torch.log(sigma) - 0 * torch.log(1 - sigma))


def test_bce_loss_cuts_its_logarithms_off():
    loss = nn.BCELoss()(torch.tensor([0.0]), torch.tensor([1.0]))
    assert loss.item() == 100.0


def test_the_expected_loss_is_entropy_plus_divergence():
    q, y = 0.3, 0.8
    expected = -q * math.log(y) - (1 - q) * math.log(1 - y)
    entropy = -q * math.log(q) - (1 - q) * math.log(1 - q)
    divergence = q * math.log(q / y) + (1 - q) * math.log((1 - q) / (1 - y))
    assert expected == pytest.approx(entropy + divergence)


def test_the_naive_loss_is_infinite_at_a_logit_of_forty_and_the_stable_one_is_not():
    eta = torch.tensor(40.0, dtype=torch.float64)
    assert torch.isinf(-torch.log(1 - torch.sigmoid(eta)))
    stable = torch.relu(eta) + torch.log1p(torch.exp(-eta.abs()))
    assert torch.isclose(stable, nn.functional.binary_cross_entropy_with_logits(eta, torch.zeros_like(eta)))


# ---------------------------------------------------------------------------------------- 1.3


@pytest.mark.parametrize("examples", [100, 1000])
def test_the_best_of_many_models_looks_better_than_it_is(examples):
    generator = torch.Generator().manual_seed(0)
    trials = torch.full((4000, 100), float(examples), dtype=torch.float64)
    scores = torch.binomial(trials, torch.full_like(trials, 0.2), generator=generator) / examples
    simulated = scores.max(dim=1).values.mean().item()
    assert expected_best_score(100, 0.2, examples) == pytest.approx(simulated, abs=1.5e-3)


def test_one_model_is_not_biased():
    assert expected_best_score(1, 0.2, 50) == pytest.approx(0.2, abs=1e-9)


# -------------------------------------------------------------------------------- 2.1 and 2.2


def normalize(image, mean, std):
    """What transforms.Normalize computes, from its documentation."""
    mean, std = torch.tensor(mean)[:, None, None], torch.tensor(std)[:, None, None]
    return (image - mean) / std


def test_normalize_with_one_half_maps_the_unit_interval_to_minus_one_and_one():
    image = torch.tensor([0.0, 0.5, 1.0]).reshape(1, 1, 3).expand(3, 1, 3)
    assert normalize(image, (0.5,) * 3, (0.5,) * 3)[0, 0].tolist() == [-1.0, 0.0, 1.0]
    assert torch.equal(normalize(image, (0.5,), (0.5,)), normalize(image, (0.5,) * 3, (0.5,) * 3))


def test_the_table_of_the_network_is_that_of_torch():
    text = repr(ANSWERS["2.2"](Settings()))
    rows = propagate(lenet(), (3, 32, 32))
    assert sum(r.parameters for r in rows) == 62006 and r"62\,006" in text.replace("\\\\", "\\")
    assert sum(r.multiply_adds for r in rows) == 651720


def test_kernels_of_three_do_not_fit_and_the_repairs_do():
    images = torch.randn(4, 3, 32, 32)
    with pytest.raises(RuntimeError, match="4x576 and 400x120"):
        conv_net(kernel=3)(images)
    assert conv_net(kernel=3, fc1=576)(images).shape == (4, 10)
    assert conv_net(kernel=3, dilation=2)(images).shape == (4, 10)
    assert conv_net(kernel=3, pool=nn.AdaptiveAvgPool2d(5))(images).shape == (4, 10)


@pytest.mark.parametrize("batch", [1, 4, 16])
def test_the_view_raises_unless_25_divides_the_batch(batch):
    with pytest.raises(RuntimeError, match="shape '\\[-1, 400\\]' is invalid"):
        conv_net(kernel=3, flatten=lambda x: x.view(-1, 400))(torch.randn(batch, 3, 32, 32))


def test_the_view_silently_makes_36_rows_of_25_images():
    logits = conv_net(kernel=3, flatten=lambda x: x.view(-1, 400))(torch.randn(25, 3, 32, 32))
    assert logits.shape == (36, 10)
    with pytest.raises(ValueError, match="batch_size"):
        nn.functional.cross_entropy(logits, torch.zeros(25, dtype=torch.long))


@pytest.mark.parametrize("padding", range(4))
def test_no_padding_makes_five_by_five_with_kernels_of_three(padding):
    conv1, conv2 = nn.Conv2d(3, 6, 3, padding=padding), nn.Conv2d(6, 16, 3, padding=padding)
    halve = nn.MaxPool2d(2, 2)
    assert halve(conv2(halve(conv1(torch.randn(1, 3, 32, 32))))).shape[-1] >= 6


def test_the_network_has_the_shapes_and_parameters_of_the_table_layer_by_layer():
    (table,) = (p for p in ANSWERS["2.2"](Settings()).parts if isinstance(p, Table))
    modules = [nn.Conv2d(3, 6, 5), nn.MaxPool2d(2, 2), nn.Conv2d(6, 16, 5), nn.MaxPool2d(2, 2), nn.Flatten()]
    modules += [nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)]
    x = torch.randn(1, 3, 32, 32)
    for module, row in zip(modules, table.rows, strict=True):
        x = module(x)
        assert row[3] == "$" + r"\times ".join(map(str, x.shape[1:])) + "$"
        assert int(row[4].replace(r"\,", "")) == sum(p.numel() for p in module.parameters())


def test_max_pooling_sends_the_gradient_to_the_maximum():
    x = torch.tensor([[[[1.0, 4.0], [3.0, 2.0]]]], requires_grad=True)
    nn.functional.max_pool2d(x, 2).sum().backward()
    assert x.grad.flatten().tolist() == [0.0, 1.0, 0.0, 0.0]


# ---------------------------------------------------------------------------------------- 2.3


def test_without_a_reset_the_step_is_momentum_one():
    def run(momentum, reset):
        torch.manual_seed(0)
        layer, data = nn.Linear(3, 1), torch.randn(5, 8, 3)
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.01, momentum=momentum)
        for batch in data:
            if reset:
                optimizer.zero_grad()
            layer(batch).square().mean().backward()
            optimizer.step()
        return layer.weight.detach()

    assert torch.allclose(run(0.0, reset=False), run(1.0, reset=True), rtol=0, atol=1e-7)


def test_four_micro_batches_make_one_batch():
    layer, data = nn.Linear(3, 1).double(), torch.randn(8, 3, dtype=torch.float64)
    layer(data).square().mean().backward()
    whole, layer.weight.grad = layer.weight.grad, None
    for part in data.chunk(4):
        (layer(part).square().mean() / 4).backward()
    assert torch.allclose(layer.weight.grad, whole, rtol=1e-12)


def test_zero_grad_sets_the_gradients_to_none():
    layer = nn.Linear(2, 1)
    layer(torch.ones(2)).backward()
    torch.optim.SGD(layer.parameters(), lr=0.1).zero_grad()
    assert layer.weight.grad is None


# ---------------------------------------------------------------------------------------- 3.1


def test_batch_norm_makes_the_loss_blind_to_the_scale_of_the_weights():
    torch.manual_seed(0)
    x, w = torch.randn(32, 4, dtype=torch.float64), torch.randn(4, dtype=torch.float64, requires_grad=True)

    def loss(weights):
        z = x @ weights
        return torch.sin((z - z.mean()) / z.std(correction=0)).mul(torch.arange(32)).sum()

    (g,) = torch.autograd.grad(loss(w), w)
    w = w.detach()
    scaled = (3 * w).requires_grad_(True)
    (g_scaled,) = torch.autograd.grad(loss(scaled), scaled)
    assert torch.isclose(loss(scaled.detach()), loss(w))
    assert abs(float(g @ w)) < 1e-10 * float(g.norm() * w.norm())
    assert torch.allclose(g_scaled, g / 3, rtol=1e-9)


# ---------------------------------------------------------------------------------------- 3.3


def test_a_small_weight_with_a_large_gradient_grows_in_spite_of_decay():
    weight, alpha, decay = 0.1, 0.1, 0.5
    assert (1 - 2 * alpha * decay) * weight - alpha * (-1.0) == pytest.approx(0.19)
    assert weight - alpha * (-1.0) == pytest.approx(0.20)


# ---------------------------------------------------------------------------------------- 3.4


def test_a_convolution_follows_shifts_and_neither_rotation_nor_scale():
    torch.manual_seed(0)
    image, kernel = torch.randn(1, 1, 16, 16, dtype=torch.float64), torch.randn(1, 1, 3, 3, dtype=torch.float64)

    def conv(x):
        return nn.functional.conv2d(nn.functional.pad(x, (1, 1, 1, 1), mode="circular"), kernel)

    shifted = conv(image.roll(3, -1)) - conv(image).roll(3, -1)
    rotated = conv(image.rot90(1, (-2, -1))) - conv(image).rot90(1, (-2, -1))
    larger = conv(image.repeat_interleave(2, -1).repeat_interleave(2, -2))
    scaled = larger - conv(image).repeat_interleave(2, -1).repeat_interleave(2, -2)
    assert shifted.abs().max() < 1e-12
    assert rotated.abs().max() > 0.1 and scaled.abs().max() > 0.1


def test_pooling_follows_shifts_by_a_multiple_of_its_stride_only():
    torch.manual_seed(0)
    image = torch.randn(1, 1, 16, 16)

    def off_by(shift):
        pooled = nn.functional.max_pool2d(image, 2)
        return (nn.functional.max_pool2d(image.roll(shift, -1), 2) - pooled.roll(shift // 2, -1)).abs().max()

    assert off_by(2) == 0 and off_by(1) > 0.1


def test_the_counts_of_the_first_layer():
    assert sum(p.numel() for p in nn.Conv2d(3, 6, 5).parameters()) == 456
    dense = sum(p.numel() for p in nn.Linear(3 * 32 * 32, 6 * 28 * 28, device="meta").parameters())
    assert dense == 14455392 and round(dense / 456, -2) == 31700
    text = repr(ANSWERS["3.4"](Settings())).replace("\\\\", "\\")
    assert r"14\,455\,392" in text and r"31\,700" in text and "16$" in text


# ---------------------------------------------------------------------------------------- 4.2


def test_the_wrong_slope_lies_where_the_answer_says():
    outputs = torch.linspace(1e-6, 1 - 1e-6, 1001, dtype=torch.float64)
    slopes = torch.sigmoid(outputs) * (1 - torch.sigmoid(outputs))
    assert 0.1965 < slopes.min() < 0.197 and slopes.max() <= 0.25
    assert "between 0.196 and 0.25" in repr(ANSWERS["4.2"](Settings()))


def test_minus_log_four_as_a_number():
    assert f"{-math.log(4):.3f}" == "-1.386"
    assert re.search(r"-1\.386", repr(ANSWERS["4.1"](Settings())))
