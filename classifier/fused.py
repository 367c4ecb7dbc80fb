"""The fused engine: LeNet's whole step as one compiled function, on one core of the CPU."""

import torch

from classifier import batches, kernels
from runner.errors import ConfigError

# What the kernels are written for, and nothing else.
NEEDED = {
    "model": "lenet",
    "width": 1.0,
    "optimizer": "sgd",
    "nesterov": False,
    "label_smoothing": 0.0,
    "clip_norm": 0.0,
    "compile": False,
}


class Engine:
    """As the plain engine, with the same weights in the same net; the kernels change them in place."""

    def __init__(self, net, config, device, team):
        self.net, self.config = net, config
        for name, value in NEEDED.items():
            if getattr(config, name) != value:
                raise ConfigError(
                    f"--engine fused needs {name} = {value!r}, not {getattr(config, name)!r}; --engine plain takes both"
                )
        if config.precision == "bfloat16":
            raise ConfigError("--engine fused needs --precision float32 or float64")
        if device.type != "cpu" or team.count > 1:
            raise ConfigError("--engine fused runs on the CPU, in one process; --engine plain runs everywhere")
        net.to(batches.dtype(config))
        self.velocities = [torch.zeros_like(p) for p in net.parameters()]

    def train(self, block, learning_rates):
        """One step per mini-batch. Returns the losses (n_batches,), each before its step, and the number correct."""
        losses, n_correct = kernels.train_batches(
            tuple(p.detach().numpy() for p in self.net.parameters()),
            tuple(v.numpy() for v in self.velocities),
            block.images.contiguous().numpy(),  # augmented ones come with their channels last
            block.labels.numpy(),
            self.config.batch_size,
            learning_rates,
            self.config.momentum,
            self.config.weight_decay,
        )
        return torch.from_numpy(losses), n_correct

    def weights(self):
        return self.net.state_dict()

    def state(self):
        """What load_state needs, with the weights; tensors only."""
        return {"model": self.net.state_dict(), "velocities": self.velocities}

    def load_state(self, state):
        self.net.load_state_dict(state["model"])
        for velocity, saved in zip(self.velocities, state["velocities"], strict=True):
            velocity.copy_(saved)
