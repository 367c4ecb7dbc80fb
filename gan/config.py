"""All that decides what a run learns: one frozen record, of defaults, a file and the command line."""

from dataclasses import dataclass

from runner import configs
from runner.configs import option
from runner.errors import ConfigError

SAMPLES = "samples.npz"  # in the folder of a run: of the data and of the generator
LOSSES = ("saturating", "non-saturating", "least-squares", "hinge", "wasserstein")
DATA = ("teacher", "normal", "uniform", "exponential", "clusters", "unreachable")
LATENTS = ("normal", "scales", "scales-and-means", "families")


@dataclass(frozen=True)
class Config:
    """The defaults reach the optimum. Every field is an option of the command line and a key of a file."""

    name: str = option("", "what tables and plots call this configuration")
    data: str = option("teacher", f"{', '.join(DATA)}, or a file: an n x 5 array as .npy or .csv")
    latent: str = option("normal", "law of the noise; all but normal are drawn anew, again and again", LATENTS)
    hold: int = option(1, "steps for which a drawn law of the noise is held", least=1)
    loss: str = option("saturating", "what the players play for", LOSSES)
    discriminator: str = option("linear", "linear: W_d z; quadratic: with z z' too", ("linear", "quadratic"))
    updates: str = option("alternating", "who moves when", ("alternating", "simultaneous"))
    fresh_noise: bool = option(True, "the generator's update draws a latent batch of its own")
    batch_size: int = option(256, "samples of each kind in a step", least=1)
    steps: int = option(3000, "updates of each player", least=1)
    optimizer: str = option("sgd", "the optimiser", ("sgd", "adam"))
    learning_rate: float = option(0.5, "step size; the highest one of a schedule", least=0.0)
    momentum: float = option(0.0, "momentum of SGD, beta1 of Adam", least=0.0, below=1.0)
    schedule: str = option("linear", "of the learning rate", ("constant", "linear", "cosine"))
    gamma: float = option(0.1, "weight decay of D; of the linear D it is the R1 penalty on the logit", least=0.0)
    average: float = option(
        0.3, "last part of the steps over which the result is averaged; 0: none", least=0.0, below=1.0
    )
    generator_start: float = option(1.0, "standard deviation of the first W_g", least=0.0)
    discriminator_start: float = option(0.5, "standard deviation of the first W_d", least=0.0)
    seed: int = option(0, "seed of the teacher, the weights and the noise", least=0)
    device: str = option("auto", "auto, cpu, cuda, or a numbered one as cuda:1", place=True)
    engine: str = option(
        "auto",
        "plain: PyTorch; fused: all of it compiled by Numba, on one core; auto: fused for many GANs, where it can",
        ("auto", "plain", "fused"),
    )
    precision: str = option("float32", "of the arithmetic", ("float32", "float64"))
    threads: int = option(1, "threads of PyTorch on the CPU; 0: its own choice", least=0, below=1025, place=True)
    check_gradients: bool = option(False, "compare the gradients with autograd's at every log", place=True)
    log_every: int = option(100, "steps between two lines of the history", least=1)
    checkpoint_seconds: float = option(30.0, "least seconds between two checkpoints", least=0.0, place=True)


# (option, value) -> what it changes of the defaults above.
RECIPES = {
    # It takes longer, and smaller steps; it still moves while the average of the last part would be taken.
    ("discriminator", "quadratic"): {
        "loss": "non-saturating",
        "learning_rate": 0.2,
        "steps": 10_000,
        "average": 0.0,
    },
    # Its curvature is four times, its coupling twice as large: the step that is stable is shorter.
    ("loss", "least-squares"): {"learning_rate": 0.125},
}


def make(given):
    """The Config of the given values over the recipes they ask for. Raises ConfigError, which names the option."""
    recipes = [changes for (name, value), changes in RECIPES.items() if given.get(name) == value]
    config = configs.make(Config, {key: v for changes in recipes for key, v in changes.items()} | given)
    if config.loss == "wasserstein" and config.discriminator != "linear":
        raise ConfigError(
            "loss wasserstein needs --discriminator linear: a quadratic function is not Lipschitz, so no bound on its "
            "weights makes it a critic"
        )
    if config.hold > 1 and config.latent == "normal":
        raise ConfigError("hold needs a law that changes: --latent scales, scales-and-means or families")
    return config
