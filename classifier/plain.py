"""The default engine: PyTorch's autograd and optimisers, on any device.

All parameters are views of two vectors, one with weight decay and one without, and so are their gradients. A step of
the optimiser, a reset of the gradients, a norm or an exchange between processes is then one operation instead of one
per parameter, which at small batches is what the time is spent on.
"""

import torch
import torch.nn.functional as F
from torch import nn

from classifier import batches
from runner import workers
from runner.errors import ConfigError

OPTIMIZERS = {
    "sgd": lambda groups, c: torch.optim.SGD(groups, c.learning_rate, momentum=c.momentum, nesterov=c.nesterov),
    "adamw": lambda groups, c: torch.optim.AdamW(groups, c.learning_rate, betas=(c.momentum, 0.999)),
}


class Engine:
    """Trains a net block by block. `net` is the user's own; its parameters change in place."""

    def __init__(self, net, config, device, team=workers.ALONE):
        self.net, self.config, self.device, self.team = net.to(device, batches.dtype(config)), config, device, team
        decayed = _flattened([p for p in net.parameters() if p.ndim >= 2])
        spared = _flattened([p for p in net.parameters() if p.ndim < 2])  # biases, and the parameters of norms
        self.vectors = [decayed, spared]
        groups = [
            {"params": [decayed], "weight_decay": config.weight_decay},
            {"params": [spared], "weight_decay": 0.0},
        ]
        self.optimizer = OPTIMIZERS[config.optimizer](groups, config)
        self.forward = torch.compile(net) if config.compile else net

    def train(self, block, learning_rates):
        """One step per mini-batch. Returns the losses (n_batches,), each before its step, and the number correct."""
        self.net.train()
        losses, logits, start = [], [], 0
        for end, size, learning_rate in zip(block.ends, block.sizes, learning_rates, strict=True):
            for vector in self.vectors:
                vector.grad.zero_()
            if end > start:
                output, loss = self._loss(block.images[start:end], block.labels[start:end], size)
                loss.backward()
                logits.append(output.detach())
                losses.append(loss.detach())
            else:  # more processes than images: this one has none of this mini-batch
                losses.append(torch.zeros((), device=self.device))
            self._step(learning_rate)
            start = end
        n_correct = (torch.cat(logits).argmax(1) == block.labels).sum() if logits else 0
        found = torch.cat([torch.stack(losses).cpu().double(), torch.tensor([n_correct], dtype=torch.float64)])
        workers.add_up(self.team, found)
        self._agree_on_buffers()
        return found[:-1], int(found[-1])

    def _loss(self, images, labels, size):
        """Logits and the share of the mini-batch's mean loss; size counts the images of all processes."""
        with batches.mixed_precision(self.config, self.device):
            logits = self.forward(images) if not self.config.compile else self._compiled(images)
        loss = F.cross_entropy(
            logits.to(images.dtype), labels, reduction="sum", label_smoothing=self.config.label_smoothing
        )
        return logits, loss / size

    def _compiled(self, images):
        try:
            return self.forward(images)
        except Exception as error:
            if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
                raise
            reason = str(error).splitlines()[0]
            raise ConfigError(
                f"--compile fails here ({reason}); it needs a C++ compiler, --no-compile does not"
            ) from error

    def _step(self, learning_rate):
        workers.add_up(self.team, *(vector.grad for vector in self.vectors))
        if self.config.clip_norm:
            nn.utils.clip_grad_norm_(self.vectors, self.config.clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()

    def _agree_on_buffers(self):
        """Each process has normalised with its own share's statistics; the running ones become their mean."""
        if self.team.count > 1:
            for buffer in self.net.buffers():
                workers.add_up(self.team, buffer)
                buffer.copy_(buffer / self.team.count)

    def weights(self):
        return self.net.state_dict()

    def state(self):
        """What load_state needs, with the weights; tensors and plain numbers only."""
        return {"model": self.net.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state(self, state):
        self.net.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])


def _flattened(parameters):
    """A vector whose parts the parameters become views of; its gradient's parts become their gradients."""
    vector = nn.Parameter(torch.cat([p.detach().flatten() for p in parameters]))
    vector.grad = torch.zeros_like(vector)
    start = 0
    for p in parameters:
        part = slice(start, start + p.numel())
        p.data, p.grad = vector.data[part].view_as(p), vector.grad[part].view_as(p)
        start += p.numel()
    return vector
