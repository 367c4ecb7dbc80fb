"""Random numbers that follow from a seed and a place: nothing here remembers anything.

So a run goes on from any step, and a GAN draws the same whether it is trained alone or among thousands.
"""

import hashlib

import torch

# What the numbers are for: each has its own stream.
TEACHER, WEIGHTS, NOISE, LAW, EVALUATION = range(5)


_GENERATOR = torch.Generator()


def normals(seeds, stream, place, shape):
    """Standard normals for each seed: (len(seeds), *shape), float32, on the CPU."""
    found = torch.empty(len(seeds), *shape)
    for seed, part in zip(seeds, found, strict=True):
        # PyTorch's generator reads 32 bits of its seed; hashed, neighbours share nothing.
        text = f"{seed} {stream} {place}".encode()
        _GENERATOR.manual_seed(int.from_bytes(hashlib.blake2b(text, digest_size=4).digest()))
        part.normal_(generator=_GENERATOR)
    return found
