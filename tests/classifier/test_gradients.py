"""What autograd gives for LeNet's ten parameters is what the formulas give, and what the loss does.

The fully connected layers: closed forms that `derivations` derives, of one sample and of the batch in one expression.
The convolutions: sums over patches, and central differences of every entry.
"""

from types import SimpleNamespace

import pytest
import torch
from torch.func import functional_call, vmap
from torch.nn import MaxPool2d, ReLU
from torch.nn.functional import cross_entropy, max_pool2d, one_hot, unfold

import derivations as dv
from classifier.models import N_CLASSES, lenet

CONVOLUTIONS = {"conv1": 0, "conv2": 3}
FLATTEN, LOGITS = 6, 11

# The name of a formula's matrix or vector, and the parameter of the net that it stands for.
HEAD = {"W1": "7.weight", "b1": "7.bias", "W2": "9.weight", "b2": "9.bias", "W3": "11.weight", "b3": "11.bias"}
SHAPES = {"W1": "m,n", "b1": "m", "W2": "k,m", "b2": "k", "W3": "c,k", "b3": "c"}

# The loss of one sample with the features h and the one-hot label y; of a batch with one of each in a row of H and Y.
SAMPLE = {
    "expression": "logsumexp(z) - y'*z",
    "variables": SHAPES | {"h": "n", "y": "c"},
    "definitions": {"p": "relu(W1*h + b1)", "q": "relu(W2*p + b2)", "z": "W3*q + b3"},
}
BATCH = {
    "expression": "-sum(Y .* logsoftmax_rows(Z))/N",
    "variables": SHAPES | {"H": "N,n", "Y": "N,c"},
    "definitions": {
        "P": "relu(H*W1' + ones(N)*b1')",
        "Q": "relu(P*W2' + ones(N)*b2')",
        "Z": "Q*W3' + ones(N)*b3'",
    },
}

# Between kinks the error of central differences falls as the step squared, and that of rounding grows as one over it:
# at 1e-5 about eight digits are left. At this seed no ReLU and no maximum changes within a step, which the test checks.
SEED, STEP = 3, 1e-5


@pytest.fixture(scope="module")
def at():
    """The net, five random images, what each layer makes of them, and the gradients: all in float64."""
    torch.manual_seed(SEED)
    net = lenet().double()
    images, labels = torch.randn(5, 3, 32, 32, dtype=torch.float64), torch.randint(N_CLASSES, (5,))
    values = outputs(net, images)
    for value in values:
        value.retain_grad()
    cross_entropy(values[-1], labels).backward()
    parameters = {name: parameter.detach() for name, parameter in net.named_parameters()}
    gradients = {name: parameter.grad for name, parameter in net.named_parameters()}
    return SimpleNamespace(
        net=net, images=images, labels=labels, values=values, parameters=parameters, gradients=gradients
    )


def outputs(net, x, layer=None, **changed):
    """What each layer makes of x, with other parameters in one of them: `layer=3, bias=...`."""
    values = []
    for k, module in enumerate(net):
        x = functional_call(module, changed if k == layer else {}, x)
        values.append(x)
    return values


def relative_error(a, b):
    """The worst entry's; an entry below a hundredth of the largest counts as that large."""
    sizes = torch.maximum(a.abs(), b.abs())
    return ((a - b).abs() / sizes.clamp(min=sizes.max() / 100)).max()


def weights(at):
    return {name: at.parameters[of] for name, of in HEAD.items()}


def features_and_labels(at):
    return at.values[FLATTEN].detach(), one_hot(at.labels, N_CLASSES).double()  # (5, 400), (5, 10)


def test_every_parameter_is_checked(at):
    convolutions = {f"{layer}.{kind}" for layer in CONVOLUTIONS.values() for kind in ("weight", "bias")}
    assert set(at.gradients) == convolutions | set(HEAD.values()) and len(at.gradients) == 10


# ------------------------------------------------------------- the fully connected layers


@pytest.mark.parametrize("name", ["h", *HEAD])
def test_a_sample_derived_and_averaged_is_autograd(at, name):
    d = dv.derive(wrt=name, **SAMPLE)
    assert dv.verify(d).passed
    gradient = d.to_function("torch")
    samples = vmap(lambda h, y: gradient(h=h, y=y, **weights(at)))(*features_and_labels(at))
    if name == "h":
        assert relative_error(samples / len(samples), at.values[FLATTEN].grad) < 1e-10
    else:
        assert relative_error(samples.mean(0), at.gradients[HEAD[name]]) < 1e-10


@pytest.mark.parametrize("name", ["H", *HEAD])
def test_the_batch_derived_in_one_expression_is_autograd(at, name):
    d = dv.derive(wrt=name, **BATCH)
    assert dv.verify(d).passed
    H, Y = features_and_labels(at)
    derived = d.to_function("numpy")(**{of: a.numpy() for of, a in {"H": H, "Y": Y, **weights(at)}.items()})
    expected = at.values[FLATTEN].grad if name == "H" else at.gradients[HEAD[name]]
    assert relative_error(torch.from_numpy(derived), expected) < 1e-10


def test_cross_entropy_by_the_logits(at):
    d = dv.derive("logsumexp(z) - y'*z", wrt="z")
    assert dv.verify(d).passed
    gradient, logits, (_, labels) = d.to_function("torch"), at.values[LOGITS], features_and_labels(at)
    samples = vmap(lambda z, y: gradient(z=z, y=y))(logits.detach(), labels)
    assert relative_error(samples / len(samples), logits.grad) < 1e-10


# ------------------------------------------------------------- the convolutions


@pytest.mark.parametrize("layer", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_a_convolution_is_a_sum_over_patches(at, layer):
    """dL/dW is the sum of delta times patch over images and positions, dL/db that of delta alone."""
    delta = at.values[layer].grad.flatten(2)  # (B, channels, positions)
    patches = unfold(at.values[layer - 1].detach() if layer else at.images, 5)  # (B, entries of a filter, positions)
    weight, bias = at.gradients[f"{layer}.weight"], at.gradients[f"{layer}.bias"]
    assert relative_error(torch.einsum("bcp,bep->ce", delta, patches).view_as(weight), weight) < 1e-10
    assert relative_error(torch.einsum("bcp->c", delta), bias) < 1e-10


@pytest.mark.parametrize("kind", ["weight", "bias"])
@pytest.mark.parametrize("layer", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_every_entry_of_a_convolution_by_central_differences(at, layer, kind):
    parameter, gradient = at.parameters[f"{layer}.{kind}"], at.gradients[f"{layer}.{kind}"]
    there = pattern(at, at.values)

    def loss_and_changes(step):
        """The loss beside the point, and how many ReLUs and maxima are not what they are at the point."""
        values = outputs(at.net, at.images, layer, **{kind: parameter + step})
        changes = sum((a != b).sum() for a, b in zip(pattern(at, values), there))
        return cross_entropy(values[-1], at.labels), changes

    steps = STEP * torch.eye(parameter.numel(), dtype=torch.float64).view(-1, *parameter.shape)
    with torch.no_grad():
        above, changes_above = vmap(loss_and_changes, chunk_size=32)(steps)
        below, changes_below = vmap(loss_and_changes, chunk_size=32)(-steps)
    assert not (changes_above + changes_below).any(), "a kink lies within a step; take another seed, or a smaller step"
    assert relative_error(((above - below) / (2 * STEP)).view_as(gradient), gradient) < 1e-6


def pattern(at, values):
    """Which inputs of each ReLU are positive, and which entry of each window is the largest."""
    inputs = list(zip(at.net, [at.images, *values]))
    positive = [x > 0 for module, x in inputs if isinstance(module, ReLU)]
    windows = [max_pool2d(x, m.kernel_size, return_indices=True)[1] for m, x in inputs if isinstance(m, MaxPool2d)]
    return positive + windows
