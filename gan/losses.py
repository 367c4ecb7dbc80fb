"""What the players play for, as functions of the logit s = W_d z of a sample.

The discriminator ascends E real(s) over the data + E fake(s) over generated samples; the generator descends E own(s)
over generated samples. Everything here is elementwise: s of any shape in, the same shape out.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import logsigmoid


@dataclass(frozen=True)
class Loss:
    """The three functions and their derivatives.

    optimum: the value of the best D where both laws agree; lipschitz: the weights of D are kept in the unit ball.
    """

    real: Callable
    fake: Callable
    own: Callable
    d_real: Callable
    d_fake: Callable
    d_own: Callable
    optimum: float
    lipschitz: bool = False


# Goodfellow et al. (2014), Generative Adversarial Nets. Log-sigmoids of logits: log(1 - sigmoid(s)) is -inf at s = 40.
SATURATING = Loss(
    real=logsigmoid,
    fake=lambda s: logsigmoid(-s),
    own=lambda s: logsigmoid(-s),
    d_real=lambda s: torch.sigmoid(-s),
    d_fake=lambda s: -torch.sigmoid(s),
    d_own=lambda s: -torch.sigmoid(s),
    optimum=-math.log(4),
)
NON_SATURATING = Loss(
    real=logsigmoid,
    fake=lambda s: logsigmoid(-s),
    own=lambda s: -logsigmoid(s),
    d_real=lambda s: torch.sigmoid(-s),
    d_fake=lambda s: -torch.sigmoid(s),
    d_own=lambda s: -torch.sigmoid(-s),
    optimum=-math.log(4),
)
# Mao et al. (2017), Least squares generative adversarial networks, with the codes a = -1, b = 1, c = 1. With c = 0, the
# other choice of theirs, the slope of G's loss is zero at D = 0, where this D, which has no bias, must end.
LEAST_SQUARES = Loss(
    real=lambda s: -((s - 1) ** 2) / 2,
    fake=lambda s: -((s + 1) ** 2) / 2,
    own=lambda s: (s - 1) ** 2 / 2,
    d_real=lambda s: 1 - s,
    d_fake=lambda s: -1 - s,
    d_own=lambda s: s - 1,
    optimum=-1.0,
)
# Lim & Ye (2017), Geometric GAN. At the kink the slope is 0, as torch.relu's.
HINGE = Loss(
    real=lambda s: -torch.relu(1 - s),
    fake=lambda s: -torch.relu(1 + s),
    own=lambda s: -s,
    d_real=lambda s: (s < 1).to(s.dtype),
    d_fake=lambda s: -(s > -1).to(s.dtype),
    d_own=lambda s: -torch.ones_like(s),
    optimum=-2.0,
)
# Arjovsky, Chintala & Bottou (2017), Wasserstein GAN.
WASSERSTEIN = Loss(
    real=lambda s: s,
    fake=lambda s: -s,
    own=lambda s: -s,
    d_real=torch.ones_like,
    d_fake=lambda s: -torch.ones_like(s),
    d_own=lambda s: -torch.ones_like(s),
    optimum=0.0,
    lipschitz=True,
)

LOSSES = {
    "saturating": SATURATING,
    "non-saturating": NON_SATURATING,
    "least-squares": LEAST_SQUARES,
    "hinge": HINGE,
    "wasserstein": WASSERSTEIN,
}
