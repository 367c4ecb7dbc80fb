"""All that decides what a run learns: one frozen record, of defaults, a model's recipe, a file and the command line."""

import json
import math
import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from classifier.errors import ConfigError


def _option(default, meaning, choices=None):
    return field(default=default, metadata={"help": meaning, "choices": choices})


@dataclass(frozen=True)
class Config:
    """The defaults are the homework's experiment. Every field is an option of the command line and a key of a file."""

    name: str = _option("", "what tables and plots call this configuration")
    data: str = _option("cifar10", "cifar10, synthetic (small, generated), or a folder or archive of CIFAR-10")
    train_size: int = _option(0, "how many training images to keep; 0: all")
    validation: float = _option(0.1, "part of the training images held out for validation")
    model: str = _option("lenet", "the net", ("lenet", "lenet-bn", "mlp", "resnet-mini", "resnet-9"))
    width: float = _option(1.0, "factor on the number of channels and hidden units")
    batch_size: int = _option(4, "images per mini-batch, over all processes")
    epochs: int = _option(5, "passes over the training images")
    optimizer: str = _option("sgd", "the optimiser", ("sgd", "adamw"))
    learning_rate: float = _option(0.001, "step size; the highest one of a schedule")
    momentum: float = _option(0.9, "momentum of SGD, beta1 of AdamW")
    nesterov: bool = _option(False, "Nesterov's momentum")
    weight_decay: float = _option(0.0, "decay of the weights; norms and biases are left alone")
    schedule: str = _option("constant", "of the learning rate", ("constant", "cosine", "one-cycle"))
    warmup: float = _option(0.2, "part of the training in which one-cycle rises")
    label_smoothing: float = _option(0.0, "probability spread over all classes")
    clip_norm: float = _option(0.0, "largest norm of the gradient; 0: no clipping")
    normalization: str = _option("half", "half: mean = std = 0.5; data: those of the training images", ("half", "data"))
    flip: bool = _option(False, "mirror training images at random")
    shift: int = _option(0, "shift training images at random by up to so many pixels")
    test_flip: bool = _option(False, "average the logits of an image and its mirror image")
    patience: int = _option(
        0, "stop after so many epochs without a better validation accuracy, and keep the best; 0: never"
    )
    seed: int = _option(0, "seed of the weights, the order of the images and their augmentation")
    device: str = _option("auto", "auto, cpu, cuda, mps, or a numbered one as cuda:1")
    precision: str = _option(
        "float32", "of the arithmetic; bfloat16: automatic mixed precision", ("float32", "float64", "bfloat16")
    )
    engine: str = _option(
        "plain", "plain: PyTorch's autograd; fused: LeNet's step compiled by Numba, on one core", ("plain", "fused")
    )
    compile: bool = _option(False, "compile the net with torch.compile")
    deterministic: bool = _option(True, "only operations that give the same bits each time")
    threads: int = _option(0, "threads of PyTorch on the CPU; 0: its own choice")
    log_every: int = _option(250, "mini-batches over which the logged loss is averaged")
    checkpoint_seconds: float = _option(30.0, "least seconds between two checkpoints")


# One-cycle and augmentation, as fast training on CIFAR-10 does it since Page (2018), How to train your ResNet.
MODERN = {
    "learning_rate": 0.4,
    "nesterov": True,
    "weight_decay": 0.0005,
    "schedule": "one-cycle",
    "normalization": "data",
    "flip": True,
    "test_flip": True,
    "precision": "bfloat16",
}
# What a model changes of the defaults above.
RECIPES: dict[str, dict] = {
    "lenet": {},
    "lenet-bn": {},
    "mlp": {},
    "resnet-mini": MODERN | {"batch_size": 128, "epochs": 16, "shift": 2, "label_smoothing": 0.1},
    "resnet-9": MODERN | {"batch_size": 512, "epochs": 24, "shift": 4, "label_smoothing": 0.2},
}

# What says where a run is computed, not what it learns: it may change when the run goes on.
PLACE = ("device", "threads", "checkpoint_seconds", "deterministic", "compile")

FIELDS = {f.name: f for f in fields(Config)}
LEAST = {
    "train_size": 0,
    "width": 0.01,
    "batch_size": 1,
    "epochs": 1,
    "learning_rate": 0.0,
    "weight_decay": 0.0,
    "clip_norm": 0.0,
    "shift": 0,
    "patience": 0,
    "seed": 0,
    "threads": 0,
    "log_every": 1,
    "checkpoint_seconds": 0.0,
}
BELOW_ONE = ("validation", "momentum", "warmup", "label_smoothing")


def make(given):
    """The Config of the given values over their model's recipe. Raises ConfigError, which names the option."""
    unknown = sorted(set(given) - set(FIELDS))
    if unknown:
        raise ConfigError(f"unknown option {unknown[0]!r}; the options are {', '.join(FIELDS)}")
    recipe = RECIPES.get(given.get("model", Config.model), {})
    config = Config(**{name: _typed(name, value) for name, value in (recipe | given).items()})
    return _checked(config)


def from_file(path):
    """The values in a JSON or TOML file, as a dictionary; config.json of a run is one."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"{path} is not readable as {'TOML' if path.suffix == '.toml' else 'JSON'}: {error}"
        ) from None
    if not isinstance(values, dict):
        raise ConfigError(f'{path}: expected an object such as {{"epochs": 5}}')
    return values


def difference(before, after):
    """The name of an option in which two Configs learn something else, or None."""
    names = (n for n in FIELDS if n not in PLACE and getattr(before, n) != getattr(after, n))
    return next(names, None)


def as_dict(config):
    return asdict(config)


def _typed(name, value):
    kind = type(FIELDS[name].default)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if kind is float and whole:
        return float(value)
    if type(value) is not kind:
        raise ConfigError(f"{name}: expected {_KINDS[kind]}, got {value!r}")
    return value


_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _checked(config):
    for name, option in FIELDS.items():
        value, choices = getattr(config, name), option.metadata["choices"]
        if choices and value not in choices:
            raise ConfigError(f"{name}: {value!r} is none of {', '.join(choices)}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{name}: {value} is not a finite number")
        if name in LEAST and value < LEAST[name]:
            raise ConfigError(f"{name}: {value} is less than {LEAST[name]}")
        if name in BELOW_ONE and not 0 <= value < 1:
            raise ConfigError(f"{name}: {value} is not at least 0 and less than 1")
    if config.patience and not config.validation:
        raise ConfigError("patience needs validation images to look at; give --validation 0.1, or --patience 0")
    if config.nesterov and (config.optimizer != "sgd" or not config.momentum):
        raise ConfigError("nesterov needs --optimizer sgd and a momentum above 0")
    return config
