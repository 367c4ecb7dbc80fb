"""A trained net, read from the folder of its run."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from classifier import batches, evaluation, models
from classifier.config import Config, make
from runner import runs, workers
from runner.errors import DataError, RunError

SIDE = 32


@dataclass(frozen=True)
class Model:
    net: nn.Module
    config: Config
    scale: batches.Scale
    classes: tuple[str, ...]
    device: torch.device


def load(folder, device="auto", test_flip=False):
    """The Model of a finished run. Raises RunError for a folder that holds none."""
    run = runs.read(folder)
    if run.metrics is None:
        raise RunError(f"{folder} is not finished; `python -m classifier train --out {folder} --resume` goes on")
    config = make(run.config)
    config = replace(config, test_flip=config.test_flip or test_flip)
    net = models.MODELS[config.model](config.width)
    path = Path(folder) / runs.MODEL
    try:
        net.load_state_dict(load_file(path))
        scale = batches.Scale(*(torch.tensor(run.metrics[key]).view(1, 3, 1, 1) for key in ("mean", "std")))
        classes = tuple(run.metrics["classes"])
    except (OSError, SafetensorError, RuntimeError, KeyError, TypeError) as error:
        raise RunError(f"{path} and {runs.METRICS} are not those of a {config.model}: {error}") from None
    found = workers.device(device)
    return Model(net.to(found, batches.dtype(config)), config, scale, classes, found)


def logits(model, images):
    """uint8 images (N, 3, 32, 32) -> (N, 10) on the CPU."""
    return evaluation.logits(model.net, images.to(model.device), model.scale, model.config)


def classify(model, path):
    """Class -> probability, most probable first, of the middle square of a picture, made as small as the net wants."""
    try:
        with PIL.Image.open(path) as file:
            picture = PIL.ImageOps.fit(PIL.ImageOps.exif_transpose(file).convert("RGB"), (SIDE, SIDE))
    except (OSError, PIL.UnidentifiedImageError) as error:
        raise DataError(f"{path} cannot be read as a picture: {error}") from None
    image = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]  # (1, 3, 32, 32)
    probabilities = logits(model, image).softmax(1)[0].tolist()
    return dict(sorted(zip(model.classes, probabilities), key=lambda pair: -pair[1]))
