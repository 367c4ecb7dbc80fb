"""What a net says of images, and how good that is."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from classifier import batches

AT_ONCE = 250  # what fits the caches of a CPU also in the widest net
N_MISTAKES = 36


@dataclass(frozen=True)
class Score:
    """loss: mean cross-entropy; accuracy: part of the images whose most probable class is right."""

    loss: float
    accuracy: float


@torch.inference_mode()
def logits(net, images, scale, config):
    """uint8 images (N, 3, 32, 32) on the net's device -> (N, 10) on the CPU."""
    net.eval()
    found = []
    for part in images.split(AT_ONCE):
        inputs = batches.normalised(part, scale, batches.dtype(config))
        with batches.mixed_precision(config, images.device):
            outputs = net(inputs).to(inputs.dtype)
            if config.test_flip:
                outputs = (outputs + net(inputs.flip(3))) / 2
        found.append(outputs.cpu())
    return torch.cat(found)


def score(logits, labels):
    return Score(float(F.cross_entropy(logits, labels)), float((logits.argmax(1) == labels).double().mean()))


def confusion(labels, predictions, n_classes):
    """Count of (true class, predicted class): labels and predictions (N,) -> (C, C) integers."""
    return np.bincount(labels * n_classes + predictions, minlength=n_classes**2).reshape(n_classes, n_classes)


def predictions(logits, split):
    """What plots need of a test: arrays by name, small enough to lie in every run folder."""
    labels = split.labels.cpu().numpy()
    confidence, predicted = (a.numpy() for a in logits.softmax(1).max(1))
    wrong = np.flatnonzero(predicted != labels)
    mistakes = wrong[np.argsort(-confidence[wrong], kind="stable")][:N_MISTAKES]
    return {
        "labels": labels.astype(np.uint8),
        "predictions": predicted.astype(np.uint8),
        "confidence": confidence.astype(np.float32),
        "mistakes": mistakes.astype(np.int64),
        "images": split.images[torch.from_numpy(mistakes)].cpu().numpy(),
    }
