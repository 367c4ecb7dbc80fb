from dataclasses import replace

import numpy as np
import pytest
import torch

from classifier import batches, config
from classifier.datasets import Split

N = 50
IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (N, 3, 32, 32), dtype=np.uint8))
SPLIT = Split(IMAGES, torch.arange(N))
SCALE = batches.scale("half", IMAGES)
PLAIN = config.make({"batch_size": 8})
MOVING = replace(PLAIN, flip=True, shift=3)


def pixels(block):
    """What the normalised images were: uint8 again."""
    return ((block.images / 2 + 0.5) * 255).round().to(torch.uint8)


def test_an_epoch_holds_each_image_once_in_an_order_of_its_own():
    epochs = [batches.block(SPLIT, PLAIN, SCALE, epoch, 0, 7) for epoch in (0, 1)]
    for block in epochs:
        assert sorted(block.labels.tolist()) == list(range(N))
        assert torch.equal(pixels(block), IMAGES[block.labels])
        assert block.ends == [8, 16, 24, 32, 40, 48, 50] and block.sizes == [8] * 6 + [2]
    assert not torch.equal(epochs[0].labels, epochs[1].labels)
    other = batches.block(SPLIT, replace(PLAIN, seed=1), SCALE, 0, 0, 7)
    assert not torch.equal(epochs[0].labels, other.labels)


def test_a_block_in_the_middle_is_the_middle_of_the_epoch():
    whole, middle = (batches.block(SPLIT, PLAIN, SCALE, 3, first, count) for first, count in ((0, 7), (2, 3)))
    assert torch.equal(middle.images, whole.images[16:40])


@pytest.mark.parametrize("settings", [PLAIN, MOVING], ids=["plain", "augmented"])
@pytest.mark.parametrize("n_processes", [2, 3, 11])
def test_shares_make_up_the_whole(settings, n_processes):
    whole = batches.block(SPLIT, settings, SCALE, 0, 0, 7)
    shares = [batches.block(SPLIT, settings, SCALE, 0, 0, 7, (rank, n_processes)) for rank in range(n_processes)]
    parts = [
        torch.cat([s.images[([0, *s.ends])[k] : s.ends[k]] for s in shares])  # mini-batch k
        for k in range(7)
    ]
    assert torch.equal(torch.cat(parts), whole.images)
    assert all(s.sizes == whole.sizes for s in shares)


def test_normalisation_is_of_the_pixels_between_0_and_1():
    x = IMAGES.double() / 255
    assert torch.allclose(batches.normalised(IMAGES, SCALE, torch.float64), (x - 0.5) / 0.5, atol=1e-14)
    data = batches.scale("data", IMAGES)
    normal = batches.normalised(IMAGES, data, torch.float64)
    assert normal.mean((0, 2, 3)).abs().max() < 1e-12
    assert (normal.std((0, 2, 3), correction=0) - 1).abs().max() < 1e-12


def test_augmentation_mirrors_and_shifts_and_does_nothing_else():
    block = batches.block(SPLIT, MOVING, SCALE, 0, 0, 7)
    mirrored, moves = 0, set()
    for image, label in zip(pixels(block), block.labels):
        found = [
            (flip, down, right)
            for flip in (False, True)
            for down in range(-3, 4)
            for right in range(-3, 4)
            if torch.equal(image, shifted(IMAGES[label], flip, down, right))
        ]
        assert len(found) == 1
        mirrored += found[0][0]
        moves.add(found[0][1:])
    assert 0.25 * N < mirrored < 0.75 * N and len(moves) > 0.4 * N
    again = batches.block(SPLIT, MOVING, SCALE, 0, 0, 7)
    later = batches.block(SPLIT, MOVING, SCALE, 1, 0, 7)
    assert torch.equal(block.images, again.images)
    assert not torch.equal(block.images.sum((1, 2, 3)).sort().values, later.images.sum((1, 2, 3)).sort().values)


def shifted(image, mirrored, down, right):
    """By padding with black and cutting out, pixel [i, j] = image[i + down, j + right]; an independent way."""
    image = image.flip(2) if mirrored else image
    right = -right if mirrored else right
    padded = torch.nn.functional.pad(image, (3, 3, 3, 3))
    return padded[:, 3 + down : 35 + down, 3 + right : 35 + right]
