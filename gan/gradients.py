"""The gradients of both players in closed form, for K GANs at once.

`derivations.topics.gan` derives them; the tests compare both with each other, and with autograd.
W_d (K, F), W_g (K, 5, 2); samples are columns: real (K, 5, B), noise (K, 2, B). Means over the batch.
"""

import torch


def generated(w_g, noise):
    """ReLU(W_g x): (K, 5, B)."""
    return torch.bmm(w_g, noise).relu_()


def logits(kind, w_d, samples):
    """(K, B)."""
    return torch.bmm(w_d[:, None], kind.features(samples))[:, 0]


def by_discriminator(loss, kind, w_d, real, fake):
    """Of the value E real(s) + E fake(s) by W_d: (K, F); it ascends."""
    return _mean(loss.d_real, kind, w_d, real) + _mean(loss.d_fake, kind, w_d, fake)


def _mean(slope, kind, w_d, samples):
    features = kind.features(samples)
    slopes = slope(torch.bmm(w_d[:, None], features))  # (K, 1, B)
    return torch.bmm(features, slopes.transpose(1, 2))[..., 0] / samples.shape[-1]


def by_generator(loss, kind, w_d, w_g, noise):
    """Of the generator's own loss E own(s) by W_g: (K, 5, 2); it descends. The slope of ReLU at 0 is 0, as torch's."""
    fake = generated(w_g, noise)
    slopes = loss.d_own(torch.bmm(w_d[:, None], kind.features(fake)))  # (K, 1, B)
    # The sign of a ReLU is 1 where it lets pass, 0 elsewhere.
    arriving = slopes * kind.slope(w_d, fake) * fake.sign()  # (K, 5, B)
    return torch.bmm(arriving, noise.transpose(1, 2)) / noise.shape[-1]
