import json

import pytest

from classifier import config as configs
from classifier.config import RECIPES, Config
from runner import configs as options
from runner.errors import ConfigError


def test_the_defaults_are_the_homework():
    c = configs.make({})
    assert (c.model, c.batch_size, c.epochs, c.learning_rate, c.momentum) == ("lenet", 4, 5, 0.001, 0.9)
    assert (c.normalization, c.log_every, c.weight_decay, c.schedule) == ("half", 250, 0.0, "constant")


@pytest.mark.parametrize("model", RECIPES)
def test_a_recipe_gives_way_to_what_is_given(model):
    recipe = configs.make({"model": model})
    for name, value in RECIPES[model].items():
        assert getattr(recipe, name) == value
    assert configs.make({"model": model, "epochs": 3, "learning_rate": 0.5}).learning_rate == 0.5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epoch": 5}, "unknown option 'epoch'; the options are name, data"),
        ({"epochs": 5.0}, "epochs: expected a whole number, got 5.0"),
        ({"epochs": True}, "epochs: expected a whole number, got True"),
        ({"flip": 1}, "flip: expected true or false, got 1"),
        ({"model": "vgg"}, "model: 'vgg' is none of lenet"),
        ({"batch_size": 0}, "batch_size: 0 is not at least 1"),
        ({"learning_rate": -0.1}, "learning_rate: -0.1 is not at least 0"),
        ({"learning_rate": float("nan")}, "learning_rate: nan is not a finite number"),
        ({"momentum": 1}, "momentum: 1.0 is not at least 0 and less than 1"),
        ({"patience": 3, "validation": 0}, "patience needs validation images"),
        ({"nesterov": True, "momentum": 0}, "nesterov needs"),
    ],
)
def test_nonsense_is_named(given, message):
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        configs.make(given)


def test_whole_numbers_do_for_numbers():
    assert configs.make({"learning_rate": 1}).learning_rate == 1.0


def test_files_are_json_or_toml(tmp_path):
    config = configs.make({"epochs": 7, "flip": True})
    (tmp_path / "a.json").write_text(json.dumps(options.as_dict(config)))
    (tmp_path / "a.toml").write_text("epochs = 7\nflip = true\n")
    assert configs.make(options.from_file(tmp_path / "a.json")) == config
    assert configs.make(options.from_file(tmp_path / "a.toml")) == config


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "{", "is not readable as JSON"),
        ("a.toml", "epochs 5", "is not readable as TOML"),
        ("a.json", "[1]", "expected an object"),
        ("none.json", None, "cannot be read: No such file"),
    ],
)
def test_broken_files_are_named(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=message):
        options.from_file(tmp_path / name)


def test_every_option_has_a_meaning_and_a_limit_where_it_is_a_number():
    for name, option in options.options(Config).items():
        assert option.metadata["help"]
        if type(option.default) in (int, float):
            assert option.metadata["least"] is not None, f"any {name} goes"
    assert isinstance(hash(Config()), int)
