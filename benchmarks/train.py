"""How long a step of the homework's training takes: our engines against the usual loop, in the same run.

    python benchmarks/train.py [--batch-sizes 4 16] [--steps 500] [--rounds 3] [--data cifar10]

The usual loop is that of the tutorials: a DataLoader with two workers that turns one PIL image after the other into a
normalised tensor, autograd, torch.optim.SGD, and loss.item() in each step. All start from the same weights and see the
same images in the same order, so that their losses must agree; they take turns, and the medians count. The DataLoader's
start, and Numba's compilation, are not timed.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    # In place of this folder, whose names would hide those of installed packages.
    sys.path[0] = str(Path(__file__).parents[1])

import numpy as np
import PIL.Image
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from benchmarks.arguments import positive
from classifier import batches, config, datasets, fused, models, plain
from runner import workers

WARM_UP = 30  # steps before the clock starts
CPU = torch.device("cpu")


class Pictures(Dataset):
    """What torchvision's CIFAR10 with ToTensor and Normalize gives, sample by sample."""

    def __init__(self, images, labels):
        self.images, self.labels = images.permute(0, 2, 3, 1).contiguous().numpy(), labels.tolist()

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, place):
        picture = PIL.Image.fromarray(self.images[place])
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous().float().div(255)
        half = torch.tensor([0.5, 0.5, 0.5]).view(3, 1, 1)
        return pixels.sub(half).div(half), self.labels[place]


def usual(net, split, settings, n_steps):
    """(seconds per step, losses) of the loop of the tutorials."""
    places = batches.order(settings.seed, 0, len(split))[: (WARM_UP + n_steps) * settings.batch_size]
    pictures = Pictures(split.images[places], split.labels[places])
    optimizer = torch.optim.SGD(net.parameters(), settings.learning_rate, settings.momentum)
    losses, start = [], 0.0
    for step, (images, labels) in enumerate(DataLoader(pictures, settings.batch_size, num_workers=2)):
        if step == WARM_UP:
            start = time.perf_counter()
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return (time.perf_counter() - start) / n_steps, losses


def ours(engine):
    def run(net, split, settings, n_steps):
        scale, trainer, losses, start = batches.scale("half", split.images), engine(net, settings), [], 0.0
        size = batches.BLOCK // settings.batch_size
        blocks = [(first, min(size, WARM_UP + n_steps - first)) for first in range(WARM_UP, WARM_UP + n_steps, size)]
        for first, count in [(0, WARM_UP), *blocks]:
            if first == WARM_UP:
                start = time.perf_counter()
            block = batches.block(split, settings, scale, 0, first, count)
            losses += trainer.train(block, [settings.learning_rate] * count)[0].tolist()
        return (time.perf_counter() - start) / n_steps, losses

    return run


USUAL = "DataLoader, autograd"
CONTESTANTS = {
    USUAL: usual,
    "engine plain (default)": ours(lambda net, settings: plain.Engine(net, settings, CPU)),
    "engine fused": ours(lambda net, settings: fused.Engine(net, settings, CPU, workers.ALONE)),
}


def compared(split, batch_size, n_steps, n_rounds):
    """name -> (seconds per step of each round, losses)."""
    settings = config.make({"batch_size": batch_size})
    times, losses = {name: [] for name in CONTESTANTS}, {}
    for _ in range(n_rounds):
        for name, run in CONTESTANTS.items():
            torch.manual_seed(0)
            seconds, losses[name] = run(models.lenet(), split, settings, n_steps)
            times[name].append(seconds)
    return times, losses


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch-sizes", type=positive, nargs="+", default=[4, 16], metavar="B", help="(default: 4 16)")
    parser.add_argument("--steps", type=positive, default=500, help="timed steps in each round (default: %(default)s)")
    parser.add_argument("--rounds", type=positive, default=3, help="(default: %(default)s)")
    parser.add_argument("--data", default="synthetic", help="synthetic, cifar10 or a path (default: %(default)s)")
    options = parser.parse_args()
    split = datasets.load(options.data).train
    needed = (WARM_UP + options.steps) * max(options.batch_sizes)
    split = datasets.Split(
        *(t.repeat(-(-needed // len(split)), *[1] * (t.ndim - 1)) for t in (split.images, split.labels))
    )
    print(f"{'':24s} {'batch':>5s} {'ms/step':>8s} {'min':>7s} {'max':>7s} {'ratio':>6s} {'loss off by':>12s}")
    for batch_size in options.batch_sizes:
        times, losses = compared(split, batch_size, options.steps, options.rounds)
        for name, seconds in times.items():
            off = max(abs(a - b) for a, b in zip(losses[name], losses[USUAL]))
            numbers = " ".join(f"{1e3 * f(seconds):7.3f}" for f in (statistics.median, min, max))
            ratio = statistics.median(times[USUAL]) / statistics.median(seconds)
            print(f"{name:24s} {batch_size:5d}  {numbers} {ratio:6.1f} {off:12.1e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
