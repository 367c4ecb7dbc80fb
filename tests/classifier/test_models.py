"""The nets: their sizes, counted by hand, and the parts that a wrong net would lack without a failing shape."""

import math

import pytest
import torch

from classifier import models
from classifier.config import RECIPES, Config
from runner import configs

N_PARAMETERS = {"lenet": 62_006, "lenet-bn": 62_458, "mlp": 62_090, "resnet-mini": 75_466, "resnet-9": 6_573_120}


@pytest.mark.parametrize("name", models.MODELS)
def test_each_net_has_the_parameters_that_the_documentation_says(name):
    assert models.n_parameters(models.MODELS[name]()) == N_PARAMETERS[name]


@pytest.mark.parametrize("name", models.MODELS)
def test_images_become_logits(name):
    net = models.MODELS[name](1.0)
    assert net(torch.zeros(2, 3, 32, 32)).shape == (2, models.N_CLASSES)


def test_lenet_is_the_net_of_the_homework():
    """62,006 parameters and 651,720 multiply-adds, both counted by hand from the layers' sizes."""
    by_hand = 6 * (3 * 25 + 1) + 16 * (6 * 25 + 1) + 120 * (400 + 1) + 84 * (120 + 1) + 10 * (84 + 1)
    assert models.n_parameters(models.lenet()) == by_hand == 62_006
    shapes, x = [], torch.zeros(1, 3, 32, 32)
    for layer in models.lenet():
        x = layer(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes[:7] == [(6, 28, 28)] * 2 + [(6, 14, 14)] + [(16, 10, 10)] * 2 + [(16, 5, 5), (400,)]
    # Each number that a layer gives takes as many multiply-adds as one row of its weight has numbers.
    weighted = [(layer, shape) for layer, shape in zip(models.lenet(), shapes) if hasattr(layer, "weight")]
    n_multiply_adds = sum(math.prod(shape) * layer.weight[0].numel() for layer, shape in weighted)
    dense = 120 * 400 + 84 * 120 + 10 * 84
    assert n_multiply_adds == 28 * 28 * 6 * 75 + 10 * 10 * 16 * 150 + dense == 651_720


def test_resnet_9_adds_what_came_in_to_both_its_residuals():
    """With branches that give zero, the net is the same without its residual blocks."""
    torch.manual_seed(0)
    net, images = models.ResNet9(0.1).eval(), torch.randn(2, 3, 32, 32)
    residuals = [layer for layer in net.features if hasattr(layer, "branch")]
    for layer in residuals:
        for parameter in layer.branch.parameters():
            torch.nn.init.zeros_(parameter)
    x = images
    for layer in net.features:
        x = x if layer in residuals else layer(x)
    assert len(residuals) == 2 and x.abs().max() > 0
    assert torch.equal(net(images), net.head(x) / 8)


def test_the_logits_of_resnet_9_are_an_eighth_of_what_its_head_gives():
    torch.manual_seed(0)
    net, images = models.ResNet9(0.1).eval(), torch.randn(2, 3, 32, 32)
    assert torch.equal(net(images), net.head(net.features(images)) / 8)


def test_the_fully_connected_net_is_of_equal_size():
    assert abs(models.n_parameters(models.mlp()) / models.n_parameters(models.lenet()) - 1) < 0.01


def test_width_scales_every_hidden_size():
    sizes = [p.shape[0] for p in models.lenet(2.0).parameters() if p.ndim > 1]
    assert sizes == [12, 32, 240, 168, 10]


def test_every_model_has_a_recipe_and_is_a_choice():
    assert set(models.MODELS) == set(RECIPES) == set(configs.options(Config)["model"].metadata["choices"])
