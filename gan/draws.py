"""Random numbers that follow from a seed and a place: nothing here remembers anything.

So a run goes on from any step, and a GAN draws the same alone and among thousands, on every device. The bits are those
of SplitMix64, the normals those of Box and Muller. `kernels` computes the same numbers.
Sources: Steele, Lea & Flood (2014), Fast splittable pseudorandom number generators; Box & Muller (1958), A note on the
generation of random normal deviates.
"""

import functools
import hashlib
import math

import torch

# What the numbers are for: each has its own stream.
TEACHER, WEIGHTS, NOISE, LAW, EVALUATION = range(5)


def signed(number):
    """The 64 bits of a whole number as PyTorch has them."""
    return (number + 2**63) % 2**64 - 2**63


GOLDEN, FIRST, SECOND = (signed(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
BITS = 24  # of the 64, for the radius, and as many for the angle


def normals(seeds, stream, place, shape):
    """Standard normals for each seed: (len(seeds), *shape), float32, on the CPU."""
    return Stream(seeds, stream).normals(place, shape)


class Stream:
    """The random numbers of one purpose, for many seeds. `keys` (K,) holds a key of 64 bits for each."""

    def __init__(self, seeds, stream, device="cpu"):
        digests = (hashlib.blake2b(f"{seed} {stream}".encode(), digest_size=8).digest() for seed in seeds)
        self.keys = torch.tensor([int.from_bytes(d, "little", signed=True) for d in digests], device=device)

    def normals(self, place, shape):
        """Standard normals of a place, such as a step: (K, *shape), float32."""
        count = math.prod(shape)
        key = _mixed(self.keys + signed(place * FIRST))
        bits = _mixed(key[:, None] + _places(-(-count // 2), str(key.device)))
        uniform = ((bits >> (64 - BITS)) & (2**BITS - 1)).float().add_(0.5).mul_(2.0**-BITS)
        angle = (bits & (2**BITS - 1)).sub_(2 ** (BITS - 1)).float().mul_(2 * math.pi * 2.0**-BITS)
        radius = uniform.log_().mul_(-2).sqrt_()
        found = torch.cat([radius * angle.cos(), radius * angle.sin()], dim=1)
        return found[:, :count].view(len(key), *shape)


@functools.lru_cache(maxsize=8)
def _places(count, device):
    return torch.arange(1, count + 1, device=device) * GOLDEN


def _mixed(state):
    """SplitMix64's output of a state. A shift to the right brings in the sign, which the masks take away."""
    state = (state ^ ((state >> 30) & (2**34 - 1))) * FIRST
    state = (state ^ ((state >> 27) & (2**37 - 1))) * SECOND
    return state ^ ((state >> 31) & (2**33 - 1))
