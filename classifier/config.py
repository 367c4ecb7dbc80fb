"""All that decides what a run learns: one frozen record, of defaults, a model's recipe, a file and the command line."""

from dataclasses import dataclass

from runner import configs
from runner.configs import option
from runner.errors import ConfigError

N_CLASSES = 10  # of every data set of this package


@dataclass(frozen=True)
class Config:
    """The defaults are the homework's experiment. Every field is an option of the command line and a key of a file."""

    name: str = option("", "what tables and plots call this configuration")
    data: str = option("cifar10", "cifar10, synthetic (small, generated), or a folder or archive of CIFAR-10")
    train_size: int = option(0, "how many training images to keep; 0: all", least=0)
    validation: float = option(0.1, "part of the training images held out for validation", least=0, below=1)
    model: str = option("lenet", "the net", ("lenet", "lenet-bn", "mlp", "resnet-mini", "resnet-9"))
    width: float = option(1.0, "factor on the number of channels and hidden units", least=0.01)
    batch_size: int = option(4, "images per mini-batch, over all processes", least=1)
    epochs: int = option(5, "passes over the training images", least=1)
    optimizer: str = option("sgd", "the optimiser", ("sgd", "adamw"))
    learning_rate: float = option(0.001, "step size; the highest one of a schedule", least=0.0)
    momentum: float = option(0.9, "momentum of SGD, beta1 of AdamW", least=0, below=1)
    nesterov: bool = option(False, "Nesterov's momentum")
    weight_decay: float = option(0.0, "decay of the weights; norms and biases are left alone", least=0.0)
    schedule: str = option("constant", "of the learning rate", ("constant", "cosine", "one-cycle"))
    warmup: float = option(0.2, "part of the training in which one-cycle rises", least=0, below=1)
    label_smoothing: float = option(0.0, "probability spread over all classes", least=0, below=1)
    clip_norm: float = option(0.0, "largest norm of the gradient; 0: no clipping", least=0.0)
    normalization: str = option("half", "half: mean = std = 0.5; data: those of the training images", ("half", "data"))
    flip: bool = option(False, "mirror training images at random")
    shift: int = option(0, "shift training images at random by up to so many pixels", least=0)
    test_flip: bool = option(False, "average the logits of an image and its mirror image")
    patience: int = option(
        0, "stop after so many epochs without a better validation accuracy, and keep the best; 0: never", least=0
    )
    seed: int = option(0, "seed of the weights, the order of the images and their augmentation", least=0)
    device: str = option("auto", "auto, cpu, cuda, mps, or a numbered one as cuda:1", place=True)
    precision: str = option(
        "float32", "of the arithmetic; bfloat16: automatic mixed precision", ("float32", "float64", "bfloat16")
    )
    engine: str = option(
        "plain", "plain: PyTorch's autograd; fused: LeNet's step compiled by Numba, on one core", ("plain", "fused")
    )
    compile: bool = option(False, "compile the net with torch.compile", place=True)
    deterministic: bool = option(True, "only operations that give the same bits each time", place=True)
    threads: int = option(0, "threads of PyTorch on the CPU; 0: its own choice", least=0, below=1025, place=True)
    log_every: int = option(250, "mini-batches over which the logged loss is averaged", least=1)
    checkpoint_seconds: float = option(30.0, "least seconds between two checkpoints", least=0.0, place=True)


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


def make(given):
    """The Config of the given values over their model's recipe. Raises ConfigError, which names the option."""
    config = configs.make(Config, RECIPES.get(str(given.get("model", Config.model)), {}) | given)
    if config.patience and not config.validation:
        raise ConfigError("patience needs validation images to look at; give --validation 0.1, or --patience 0")
    if config.nesterov and (config.optimizer != "sgd" or not config.momentum):
        raise ConfigError("nesterov needs --optimizer sgd and a momentum above 0")
    return config
