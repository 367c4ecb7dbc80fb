"""From uint8 images to normalised mini-batches, many mini-batches at a time.

Nothing here remembers anything: the order of an epoch and its augmentation follow from the seed, the epoch and the
position in it. So a run can go on from any position, with any number of processes.
"""

import functools
import itertools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# Images prepared at once: enough to make the cost per image small, few enough to stop and to report within a second.
BLOCK = 1024
ORDER, AUGMENTATION = 0, 1


@dataclass(frozen=True)
class Block:
    """Consecutive mini-batches of an epoch, or this process's share of them.

    images: normalised (n, 3, 32, 32); labels: (n,); ends: where each mini-batch ends in them; sizes: the number of
    images of each mini-batch in all processes together.
    """

    images: Tensor
    labels: Tensor
    ends: list[int]
    sizes: list[int]


@dataclass(frozen=True)
class Scale:
    """mean and std of the pixels, (1, 3, 1, 1), between 0 and 1: what is subtracted, and what is divided by."""

    mean: Tensor
    std: Tensor


def scale(kind, images):
    """ "half": 0.5 and 0.5; "data": those of the given images, channel by channel."""
    if kind == "half":
        half = torch.full((1, 3, 1, 1), 0.5, dtype=torch.float64)
        return Scale(half, half)
    channels = images.permute(1, 0, 2, 3).reshape(3, -1).numpy() / 255
    return Scale(*(torch.tensor(f(channels, axis=1)).view(1, 3, 1, 1) for f in (np.mean, np.std)))


def normalised(images, scale, dtype):
    """(images / 255 - mean) / std, in one multiplication and one addition; uint8 in, dtype out."""
    factor, offset = 1 / (255 * scale.std), -scale.mean / scale.std
    where = {"device": images.device, "dtype": dtype}
    return torch.addcmul(offset.to(**where), images.to(dtype), factor.to(**where))


@functools.lru_cache(maxsize=1)
def order(seed, epoch, count):
    """The permutation of the training images in an epoch; all blocks of the epoch read the same one."""
    return np.random.default_rng([seed, epoch, ORDER]).permutation(count)


def n_batches(n_images, batch_size):
    return -(-n_images // batch_size)


def shares(size, n_processes):
    """Which images of a mini-batch each process gets: (first, one beyond the last)."""
    ends = [size * rank // n_processes for rank in range(n_processes + 1)]
    return list(itertools.pairwise(ends))


def block(split, config, scale, epoch, first, count, share=(0, 1)):
    """Mini-batches `first` to `first + count - 1` of an epoch; share is (rank, number of processes).

    The augmentation of an image does not depend on the number of processes.
    """
    places = order(config.seed, epoch, len(split))[first * config.batch_size : (first + count) * config.batch_size]
    moves = _moves(config, epoch, first, len(places))
    mine, ends, sizes = [], [], []
    rank, n_processes = share
    for start in range(0, len(places), config.batch_size):
        size = min(config.batch_size, len(places) - start)
        low, high = shares(size, n_processes)[rank]
        mine.append(np.arange(start + low, start + high))
        ends.append((ends[-1] if ends else 0) + high - low)
        sizes.append(size)
    mine = np.concatenate(mine)
    index = torch.from_numpy(places[mine]).to(split.images.device)
    if moves is None:
        images = split.images[index]
    else:
        images = _moved(split.images, index, *(torch.from_numpy(m[mine]).to(index.device) for m in moves), config.shift)
    return Block(normalised(images, scale, dtype(config)), split.labels[index], ends, sizes)


def dtype(config):
    return torch.float64 if config.precision == "float64" else torch.float32


def mixed_precision(config, device):
    """A context in which the net computes as the config's precision says."""
    return torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bfloat16")


def _moves(config, epoch, first, count):
    """(down, right, mirrored) of each image, or None."""
    if not (config.flip or config.shift):
        return None
    generator = np.random.default_rng([config.seed, epoch, AUGMENTATION, first])
    down, right = generator.integers(-config.shift, config.shift + 1, (2, count))
    mirrored = generator.random(count) < 0.5
    return down, right, mirrored & config.flip


def _moved(images, index, down, right, mirrored, shift):
    """The images at index, shifted, with black where nothing was, and mirrored: (n, 3, 32, 32)."""
    side = images.shape[-1]
    along = torch.arange(side, device=images.device)
    rows = down[:, None] + along  # (n, 32)
    columns = right[:, None] + torch.where(mirrored[:, None], side - 1 - along, along)
    inside = ((rows >= 0) & (rows < side))[:, :, None] & ((columns >= 0) & (columns < side))[:, None, :]
    rows, columns = rows.clamp(0, side - 1), columns.clamp(0, side - 1)
    found = images[index[:, None, None], :, rows[:, :, None], columns[:, None, :]]  # (n, 32, 32, 3)
    return (found * inside[..., None]).permute(0, 3, 1, 2)
