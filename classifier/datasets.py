"""Images and labels as tensors, in three splits: training, validation (held out of training), and test."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from classifier import cifar10, sources, synthetic
from runner.errors import ConfigError, DataError

# The permutation that takes the validation images out of the training ones; the same for every run.
SPLIT_SEED = 10


@dataclass(frozen=True)
class Split:
    """images: uint8 (N, 3, 32, 32); labels: int64 (N,)."""

    images: Tensor
    labels: Tensor

    def __len__(self):
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """The test split is read once, at the end of a run; choices look at validation, which may be empty."""

    name: str
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split


def load(name, validation=0.0, n_train=None, folder=None):
    """The Dataset "cifar10", "synthetic", or CIFAR-10 in a folder or archive of that path.

    The part `validation` of the training images is held out; n_train, if given, is how many of the rest are kept.
    Raises DataError where the data is missing or broken, ConfigError where more images are asked for than there are.
    """
    if name == "synthetic":
        arrays, classes = synthetic.arrays(), synthetic.CLASSES
    else:
        arrays, classes = cifar10.arrays(_files(name, folder)), cifar10.CLASSES
    images, labels, test_images, test_labels = arrays
    n_validation = round(validation * len(labels))
    n_kept = len(labels) - n_validation if n_train is None else n_train
    if not 0 <= validation < 1 or n_kept < 1 or n_kept + n_validation > len(labels):
        raise ConfigError(
            f"{n_kept:,} training and {n_validation:,} validation images are asked for; there are {len(labels):,}"
        )
    order = np.random.default_rng(SPLIT_SEED).permutation(len(labels))
    kept, held = np.sort(order[n_validation : n_validation + n_kept]), np.sort(order[:n_validation])
    return Dataset(
        name if name == "synthetic" else "cifar10",
        classes,
        _split(images[kept], labels[kept]),
        _split(images[held], labels[held]),
        _split(test_images, test_labels),
    )


def _files(name, folder):
    if name == "cifar10":
        folder = Path(folder or sources.default_folder())
        if not folder.exists():
            raise DataError(
                f"CIFAR-10 is not in {folder}; `python -m classifier data` obtains it, --data synthetic does without"
            )
        return cifar10.from_folder(folder)
    return cifar10.from_folder(name) if Path(name).is_dir() else cifar10.from_archive(name)


def _split(images, labels):
    return Split(torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64)))
