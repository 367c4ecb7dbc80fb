"""A small generated set of the shape of CIFAR-10, for a first try and for tests: not photographs.

Ten classes of stripes: five directions, each wide or narrow. Phase, colours, contrast and noise are random, so that no
pixel tells the class by itself: a net has to learn oriented edges, which takes it seconds.
"""

import numpy as np

DIRECTIONS = ("0", "36", "72", "108", "144")
WIDTHS = {"wide": 9.0, "narrow": 4.5}  # pixels of a period
CLASSES = tuple(f"{width} {direction}°" for width in WIDTHS for direction in DIRECTIONS)
N_TRAIN, N_TEST = 4000, 1000
SIDE = 32
NOISE = 0.18
SEED = 1729


def arrays():
    """(train images, train labels, test images, test labels): uint8 (N, 3, 32, 32) and (N,); always the same."""
    generator = np.random.default_rng(SEED)
    return *_drawn(generator, N_TRAIN), *_drawn(generator, N_TEST)


def _drawn(generator, count):
    labels = generator.permutation(np.arange(count) % len(CLASSES))
    angles = np.deg2rad([float(d) for d in DIRECTIONS])[labels % len(DIRECTIONS)]
    angles = angles + np.deg2rad(generator.uniform(-10, 10, count))
    periods = np.array(list(WIDTHS.values()))[labels // len(DIRECTIONS)] * generator.uniform(0.85, 1.15, count)
    phases = generator.uniform(0, 2 * np.pi, count)
    dark, light = generator.uniform(0, 0.6, (count, 3)), generator.uniform(0.4, 1, (count, 3))
    y, x = np.mgrid[:SIDE, :SIDE]
    along = x * np.cos(angles)[:, None, None] + y * np.sin(angles)[:, None, None]  # (N, 32, 32)
    # The sine in float64: its last bit, which is not the same on every processor, is then lost in float32.
    waves = np.sin(2 * np.pi * along / periods[:, None, None] + phases[:, None, None]).astype(np.float32)
    # colour = dark + (light - dark) (1 + wave) / 2, all of it times 255 and noisy
    middle, swing = ((255 * c / 2).astype(np.float32)[:, :, None, None] for c in (light + dark, light - dark))
    pixels = generator.standard_normal((count, 3, SIDE, SIDE), dtype=np.float32)
    pixels *= 255 * NOISE
    pixels += middle
    pixels += swing * waves[:, None]
    return pixels.round(out=pixels).clip(0, 255, out=pixels).astype(np.uint8), labels.astype(np.uint8)
