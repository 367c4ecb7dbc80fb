import json
import re

import pytest

from gan import config as configs
from gan import discriminators, laws, losses
from gan.config import RECIPES, Config
from runner import configs as options
from runner import schedules
from runner.errors import ConfigError


def test_the_defaults_are_the_recipe_that_reaches_the_optimum():
    c = configs.make({})
    assert (c.data, c.latent, c.loss, c.discriminator) == ("teacher", "normal", "saturating", "linear")
    assert (c.updates, c.fresh_noise, c.optimizer, c.momentum) == ("alternating", True, "sgd", 0.0)
    assert (c.learning_rate, c.schedule, c.gamma) == (0.5, "linear", 0.1)
    assert (c.batch_size, c.steps, c.average, c.precision) == (256, 3000, 0.3, "float32")


@pytest.mark.parametrize(("option", "chosen"), RECIPES)
def test_a_recipe_gives_way_to_what_is_given(option, chosen):
    recipe = configs.make({option: chosen})
    for name, value in RECIPES[option, chosen].items():
        assert getattr(recipe, name) == value
    own = {"loss": "hinge", option: chosen, "learning_rate": 0.25, "steps": 7}
    assert {name: getattr(configs.make(own), name) for name in own} == own


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"step": 5}, "unknown option 'step'; the options are name, data"),
        ({"steps": 5.0}, "steps: expected a whole number, got 5.0"),
        ({"steps": True}, "steps: expected a whole number, got True"),
        ({"steps": "5"}, "steps: expected a whole number, got '5'"),
        ({"fresh_noise": 1}, "fresh_noise: expected true or false, got 1"),
        ({"data": 5}, "data: expected text, got 5"),
        ({"gamma": None}, "gamma: expected a number, got None"),
        ({"loss": "jensen"}, "loss: 'jensen' is none of saturating, non-saturating"),
        ({"latent": "gamma"}, "latent: 'gamma' is none of normal, scales"),
        ({"discriminator": "deep"}, "discriminator: 'deep' is none of linear, quadratic"),
        ({"updates": "both"}, "updates: 'both' is none of alternating, simultaneous"),
        ({"optimizer": "lion"}, "optimizer: 'lion' is none of sgd, adam"),
        ({"schedule": "one-cycle"}, "schedule: 'one-cycle' is none of constant, linear, cosine"),
        ({"precision": "float16"}, "precision: 'float16' is none of float32, float64"),
        ({"steps": 0}, "steps: 0 is not at least 1"),
        ({"gamma": -0.1}, "gamma: -0.1 is not at least 0"),
        ({"learning_rate": float("nan")}, "learning_rate: nan is not a finite number"),
        ({"learning_rate": float("inf")}, "learning_rate: inf is not a finite number"),
        ({"momentum": 1}, "momentum: 1.0 is not at least 0.0 and less than 1.0"),
        ({"average": 1.0}, "average: 1.0 is not at least 0.0 and less than 1.0"),
        ({"hold": 10}, "hold needs a law that changes: --latent scales"),
        ({"loss": "wasserstein", "discriminator": "quadratic"}, "loss wasserstein needs --discriminator linear"),
    ],
)
def test_nonsense_is_named(given, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        configs.make(given)


def test_a_config_in_a_file_is_the_config(tmp_path):
    config = configs.make({"discriminator": "quadratic", "latent": "families", "hold": 10, "seed": 3})
    (tmp_path / "a.json").write_text(json.dumps(options.as_dict(config)))
    assert configs.make(options.from_file(tmp_path / "a.json")) == config


def test_every_option_has_a_meaning_and_a_limit_where_it_is_a_number():
    for name, option in options.options(Config).items():
        assert option.metadata["help"]
        if type(option.default) in (int, float):
            assert option.metadata["least"] is not None, f"any {name} goes"
    assert isinstance(hash(Config()), int)


def test_the_names_are_those_of_the_tables():
    assert set(configs.LOSSES) == set(losses.LOSSES)
    assert set(configs.LATENTS) == set(laws.NOISE)
    assert set(configs.DATA) == {"teacher", *laws.TOYS}
    known = options.options(Config)
    assert set(known["discriminator"].metadata["choices"]) == set(discriminators.DISCRIMINATORS)
    assert set(known["schedule"].metadata["choices"]) <= set(schedules.SCHEDULES)
