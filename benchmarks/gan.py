"""How long a step of a GAN's training takes, of one GAN among many: the usual loop, vmap, and our closed form.

    python benchmarks/gan.py [--gans 1 10 100 1000] [--steps 50] [--rounds 3] [--batch-size 256] [--device cpu]

A step is the same everywhere: fresh noise and data, an ascent of the discriminator, fresh noise, a descent of the
generator's non-saturating loss, in float32, on one thread. The tutorial's loop is that of PyTorch's DCGAN tutorial:
binary cross-entropy with labels, two backward passes for the discriminator, and the numbers that it prints. The lean
loop has torch.nn, autograd and two torch.optim.SGD, and nothing else. Both train one GAN after the other. vmap is
torch.func.grad of the losses over all at once; ours are the engines of gan.game, in games as large as a sweep has
them: closed forms in PyTorch, and compiled by Numba. All see the same numbers, so that the weights after the last step
must agree; the loops have theirs before the clock starts, the others draw them. They take turns, and the medians
count.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    # In place of this folder, whose names would hide those of installed packages.
    sys.path[0] = str(Path(__file__).parents[1])

import torch
from torch import nn
from torch.func import grad, vmap
from torch.nn.functional import logsigmoid

from benchmarks.arguments import positive
from gan.config import make
from gan.game import Game
from gan.sweeps import N_TOGETHER
from runner.schedules import factor

MOST_PLAIN = 4  # GANs that the loops train one after the other: each takes as long as the others
WARM_UP = 5  # steps before the clock starts


def game(seeds, options, engine="plain"):
    given = {
        "engine": engine,
        "loss": "non-saturating",
        "batch_size": options.batch_size,
        "steps": options.steps + WARM_UP,
    }
    return Game([make(given | {"seed": seed}) for seed in seeds], torch.device(options.device))


def timed(advance, options):
    """Seconds of a step, of what goes on by as many steps as it is told."""
    advance(WARM_UP)
    start = time.perf_counter()
    advance(options.steps)
    if options.device != "cpu":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / options.steps


def repeated(step):
    def advance(n_steps):
        for _ in range(n_steps):
            step()

    return advance


def one_after_the_other(loop):
    """A contestant: (seconds per GAN and step, W_g of the first GANs) of a loop that trains one."""

    def run(n_gans, options):
        found = [_trained(loop, seed, options) for seed in range(min(n_gans, MOST_PLAIN))]
        return statistics.median(seconds for seconds, _ in found), torch.stack([w_g for _, w_g in found])

    return run


def _trained(loop, seed, options):
    source = game([seed], options)
    config = source.config
    generator = nn.Sequential(nn.Linear(2, 5, bias=False), nn.ReLU()).to(options.device)
    discriminator = nn.Linear(5, 1, bias=False).to(options.device)
    with torch.no_grad():
        generator[0].weight.copy_(source.weights["W_g"][0])
        discriminator.weight.copy_(source.weights["W_d"])
    ascent = torch.optim.SGD(discriminator.parameters(), config.learning_rate, weight_decay=config.gamma)
    descent = torch.optim.SGD(generator.parameters(), config.learning_rate)
    update = loop(generator, discriminator, ascent, descent)
    batches = []
    for source.step in range(config.steps):
        batches.append([part[0].T.contiguous() for part in source.batch()])
    source.step = 0

    def step():
        real, noise, own = batches[source.step]
        rate = config.learning_rate * factor(config.schedule, source.step, config.steps)
        ascent.param_groups[0]["lr"] = descent.param_groups[0]["lr"] = rate
        update(real, noise, own)
        source.step += 1

    return timed(repeated(step), options), generator[0].weight.detach()


def tutorial(generator, discriminator, ascent, descent):
    criterion = nn.BCEWithLogitsLoss()

    def update(real, noise, own):
        discriminator.zero_grad()
        label = torch.full((len(real),), 1.0, device=real.device)
        output = discriminator(real).view(-1)
        loss_real = criterion(output, label)
        loss_real.backward()
        seen = [output.mean().item()]
        fake = generator(noise)
        label.fill_(0.0)
        output = discriminator(fake.detach()).view(-1)
        loss_fake = criterion(output, label)
        loss_fake.backward()
        seen.append(output.mean().item())
        loss = loss_real + loss_fake
        ascent.step()
        generator.zero_grad()
        label.fill_(1.0)
        output = discriminator(generator(own)).view(-1)
        own_loss = criterion(output, label)
        own_loss.backward()
        seen += [output.mean().item(), loss.item(), own_loss.item()]
        descent.step()

    return update


def lean(generator, discriminator, ascent, descent):
    def update(real, noise, own):
        ascent.zero_grad()
        on_fake = logsigmoid(-discriminator(generator(noise).detach())).mean()
        (-logsigmoid(discriminator(real)).mean() - on_fake).backward()
        ascent.step()
        descent.zero_grad()
        (-logsigmoid(discriminator(generator(own))).mean()).backward()
        descent.step()

    return update


def by_vmap(n_gans, options):
    source = game(range(n_gans), options)
    w_d, w_g = source.weights["W_d"], source.weights["W_g"]
    config = source.config

    def value(w_d, w_g, real, noise):
        return logsigmoid(w_d @ real).mean() + logsigmoid(-(w_d @ torch.relu(w_g @ noise))).mean()

    def own_loss(w_g, w_d, noise):
        return -logsigmoid(w_d @ torch.relu(w_g @ noise)).mean()

    ascent, descent = vmap(grad(value)), vmap(grad(own_loss))

    def step():
        nonlocal w_d, w_g
        real, noise, own = source.batch()
        rate = config.learning_rate * factor(config.schedule, source.step, config.steps)
        w_d = w_d + rate * (ascent(w_d, w_g, real, noise) - config.gamma * w_d)
        w_g = w_g - rate * descent(w_g, w_d, own)
        source.step += 1

    return timed(repeated(step), options) / n_gans, w_g


def ours(engine):
    def run(n_gans, options):
        starts = range(0, n_gans, N_TOGETHER)
        games = [game(range(n_gans)[start : start + N_TOGETHER], options, engine) for start in starts]
        seconds = sum(timed(g.advance, options) for g in games)
        return seconds / n_gans, torch.cat([g.weights["W_g"] for g in games])

    return run


def drawing(n_gans, options):
    """What no contestant can do without."""
    games = [game(range(n_gans)[start : start + N_TOGETHER], options) for start in range(0, n_gans, N_TOGETHER)]
    return sum(timed(repeated(g.batch), options) for g in games) / n_gans, None


USUAL = "DCGAN tutorial's loop"
CONTESTANTS = {
    USUAL: one_after_the_other(tutorial),
    "lean torch.nn loop": one_after_the_other(lean),
    "vmap(grad)": by_vmap,
    "closed form, plain": ours("plain"),
    "closed form, fused": ours("fused"),
    "plain: drawing the batch": drawing,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gans", type=positive, nargs="+", default=[1, 10, 100, 1000], metavar="K")
    parser.add_argument("--steps", type=positive, default=50, help="timed steps in each round (default: %(default)s)")
    parser.add_argument("--rounds", type=positive, default=3, help="(default: %(default)s)")
    parser.add_argument("--batch-size", type=positive, default=256, help="(default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'':26s} {'GANs':>6s} {'us/GAN/step':>12s} {'min':>9s} {'max':>9s} {'ratio':>7s} {'weights off by':>15s}")
    for n_gans in options.gans:
        times, weights = {name: [] for name in CONTESTANTS}, {}
        for _ in range(options.rounds):
            for name, run in CONTESTANTS.items():
                seconds, weights[name] = run(n_gans, options)
                times[name].append(seconds)
        for name, seconds in times.items():
            off = "-"
            if weights[name] is not None:
                first = weights[USUAL]
                off = f"{(weights[name][: len(first)] - first).abs().max().item():.1e}"
            numbers = " ".join(f"{1e6 * f(seconds):9.2f}" for f in (statistics.median, min, max))
            ratio = statistics.median(times[USUAL]) / statistics.median(seconds)
            print(f"{name:26s} {n_gans:6d}    {numbers} {ratio:7.1f} {off:>15s}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
