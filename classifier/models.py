"""The nets: each takes normalised images (B, 3, 32, 32) to logits (B, 10)."""

import torch
from torch import nn

from classifier.config import N_CLASSES


def lenet(width=1.0):
    """The net of the PyTorch tutorial and of the homework: 62,006 parameters at width 1.

    Source: LeCun et al. (1998), Gradient-based learning applied to document recognition, with ReLU and max-pooling.
    """
    c1, c2, h1, h2 = (_scaled(n, width) for n in (6, 16, 120, 84))
    return nn.Sequential(
        nn.Conv2d(3, c1, 5),  # (B, 6, 28, 28)
        nn.ReLU(),
        nn.MaxPool2d(2),  # (B, 6, 14, 14)
        nn.Conv2d(c1, c2, 5),  # (B, 16, 10, 10)
        nn.ReLU(),
        nn.MaxPool2d(2),  # (B, 16, 5, 5)
        nn.Flatten(),
        nn.Linear(c2 * 25, h1),
        nn.ReLU(),
        nn.Linear(h1, h2),
        nn.ReLU(),
        nn.Linear(h2, N_CLASSES),
    )


def lenet_bn(width=1.0):
    """LeNet with batch normalisation between each hidden linear map and its ReLU."""
    layers = []
    for layer in lenet(width):
        layers.append(layer)
        if isinstance(layer, nn.Conv2d):
            layers.append(nn.BatchNorm2d(layer.out_channels))
        elif isinstance(layer, nn.Linear) and layer.out_features != N_CLASSES:
            layers.append(nn.BatchNorm1d(layer.out_features))
    return nn.Sequential(*layers)


def mlp(width=1.0):
    """A fully connected net of LeNet's size: 62,090 parameters at width 1."""
    hidden = _scaled(20, width)
    return nn.Sequential(
        nn.Flatten(),  # (B, 3072)
        nn.Linear(3 * 32 * 32, hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Linear(hidden, N_CLASSES),
    )


class ResNetMini(nn.Module):
    """Three stages of two convolutions, a shortcut over the second; then the mean and the maximum of each channel.

    75,466 parameters at width 1. Source: He et al. (2016), Deep residual learning for image recognition.
    """

    def __init__(self, width=1.0):
        super().__init__()
        widths = [_scaled(n, width) for n in (32, 40, 48)]
        self.first = nn.ModuleList(_activated(before, after) for before, after in zip([3, *widths], widths))
        self.second = nn.ModuleList(_convolution(n, n) for n in widths)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(2 * widths[-1], N_CLASSES)

    def forward(self, x):
        for first, second in zip(self.first, self.second, strict=True):
            x = first(x)
            x = self.pool((x + second(x)).relu())  # (B, 32, 16, 16), (B, 40, 8, 8), (B, 48, 4, 4)
        features = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)  # (B, 96)
        # Without the factor the maxima make the first steps at a high learning rate wild.
        return self.head(features) / 4


class ResNet9(nn.Module):
    """A net for GPUs: 6.6 million parameters. Page (2018), How to train your ResNet, of the DAWNBench contest."""

    def __init__(self, width=1.0):
        super().__init__()
        c0, c1, c2, c3 = (_scaled(n, width) for n in (64, 128, 256, 512))
        self.features = nn.Sequential(
            _activated(3, c0),
            _activated(c0, c1),
            nn.MaxPool2d(2),  # (B, 128, 16, 16)
            _Residual(c1),
            _activated(c1, c2),
            nn.MaxPool2d(2),  # (B, 256, 8, 8)
            _activated(c2, c3),
            nn.MaxPool2d(2),  # (B, 512, 4, 4)
            _Residual(c3),
            nn.MaxPool2d(4),
            nn.Flatten(),
        )
        self.head = nn.Linear(c3, N_CLASSES, bias=False)

    def forward(self, x):
        return self.head(self.features(x)) / 8


class _Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.branch = nn.Sequential(_activated(channels, channels), _activated(channels, channels))

    def forward(self, x):
        return x + self.branch(x)


def _convolution(n_in, n_out):
    return nn.Sequential(nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out))


def _activated(n_in, n_out):
    return nn.Sequential(_convolution(n_in, n_out), nn.ReLU())


MODELS = {"lenet": lenet, "lenet-bn": lenet_bn, "mlp": mlp, "resnet-mini": ResNetMini, "resnet-9": ResNet9}


def n_parameters(net):
    return sum(parameter.numel() for parameter in net.parameters())


def _scaled(size, width):
    return max(1, round(size * width))
