import pytest
import torch

from classifier import models
from classifier.config import RECIPES, Config
from runner import configs


@pytest.mark.parametrize("name", models.MODELS)
def test_images_become_logits(name):
    net = models.MODELS[name](1.0)
    assert net(torch.zeros(2, 3, 32, 32)).shape == (2, models.N_CLASSES)


def test_lenet_is_the_net_of_the_homework():
    """652 thousand multiply-adds and 62,006 parameters, both counted by hand from the layers' sizes."""
    by_hand = 6 * (3 * 25 + 1) + 16 * (6 * 25 + 1) + 120 * (400 + 1) + 84 * (120 + 1) + 10 * (84 + 1)
    assert models.n_parameters(models.lenet()) == by_hand == 62_006
    shapes, x = [], torch.zeros(1, 3, 32, 32)
    for layer in models.lenet():
        x = layer(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes[:7] == [(6, 28, 28)] * 2 + [(6, 14, 14)] + [(16, 10, 10)] * 2 + [(16, 5, 5), (400,)]


def test_the_fully_connected_net_is_of_equal_size():
    assert abs(models.n_parameters(models.mlp()) / models.n_parameters(models.lenet()) - 1) < 0.01


def test_width_scales_every_hidden_size():
    sizes = [p.shape[0] for p in models.lenet(2.0).parameters() if p.ndim > 1]
    assert sizes == [12, 32, 240, 168, 10]


def test_every_model_has_a_recipe_and_is_a_choice():
    assert set(models.MODELS) == set(RECIPES) == set(configs.options(Config)["model"].metadata["choices"])
