"""The compiled step of LeNet: autograd and torch.optim.SGD sign for it, with either width of its registers."""

import importlib.util

import numpy as np
import pytest
import torch

from classifier.models import N_CLASSES, lenet
from runner.errors import ConfigError

numba = pytest.importorskip("numba")
binding = pytest.importorskip("llvmlite.binding")
kernels = pytest.importorskip("classifier.kernels")

MOMENTUM, DECAY = 0.9, 0.01
OTHER = 24 - kernels.LANES  # 8 and 16 are the widths there are


@pytest.fixture(scope="module")
def engines():
    """The module for each width of a register: the one for this processor, and a copy for the other kind."""
    with pytest.MonkeyPatch.context() as patch:
        compiler = numba.njit
        # Numba would keep the copy's code for the original's.
        patch.setattr(numba, "njit", lambda **options: compiler(**options | {"cache": False}))
        patch.setattr(binding, "get_host_cpu_features", lambda: {"avx512f": OTHER == 16})
        spec = importlib.util.spec_from_file_location("kernels_of_another_width", kernels.__file__)
        copy = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(copy)
    assert (kernels.LANES, copy.LANES) == (24 - OTHER, OTHER)
    return {kernels.LANES: kernels, OTHER: copy}


def net_of(seed, dtype=torch.float64):
    torch.manual_seed(seed)
    return lenet().to(dtype)


def arrays_of(net):
    return tuple(p.detach().numpy() for p in net.parameters())


def zeros_like(arrays):
    return tuple(np.zeros_like(a) for a in arrays)


def data(seed, n, dtype=np.float64):
    generator = np.random.default_rng(seed)
    return generator.standard_normal((n, 3, 32, 32)).astype(dtype), generator.integers(0, N_CLASSES, n)


def steps_of_torch(net, images, labels, batch_size, learning_rates):
    """Losses, number of right answers and velocities of the usual loop, which trains the net."""
    parameters = list(net.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": DECAY},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=1.0, momentum=MOMENTUM)
    losses, n_correct = [], 0
    batches = zip(torch.from_numpy(images).split(batch_size), torch.from_numpy(labels).split(batch_size))
    for (x, y), rate in zip(batches, learning_rates, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = float(rate)
        optimizer.zero_grad()
        logits = net(x)
        loss = torch.nn.functional.cross_entropy(logits, y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        n_correct += int((logits.argmax(1) == y).sum())
    return np.array(losses), n_correct, tuple(optimizer.state[p]["momentum_buffer"].numpy() for p in parameters)


def relative_error(found, expected):
    """Of an array as a whole: its largest difference by its largest number."""
    return np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-300)


def assert_same_steps(engine, net, images, labels, batch_size, learning_rates, tolerance):
    parameters = tuple(a.copy() for a in arrays_of(net))
    velocities = zeros_like(parameters)
    found = engine.train_batches(parameters, velocities, images, labels, batch_size, learning_rates, MOMENTUM, DECAY)
    losses, n_correct, expected_velocities = steps_of_torch(net, images, labels, batch_size, learning_rates)
    assert relative_error(found[0], losses) < tolerance
    assert found[1] == n_correct
    for ours, theirs in zip(parameters, arrays_of(net)):
        assert relative_error(ours, theirs) < tolerance
    for ours, theirs in zip(velocities, expected_velocities):
        assert relative_error(ours, theirs) < tolerance


@pytest.mark.parametrize("lanes", [8, 16])
@pytest.mark.parametrize("seed, n, batch_size", [(0, 160, 4), (1, 150, 4), (2, 333, 16), (3, 31, 1), (4, 5, 8)])
def test_steps_are_those_of_autograd_and_sgd(engines, lanes, seed, n, batch_size):
    images, labels = data(seed, n)
    learning_rates = np.linspace(0.02, 0.002, -(-n // batch_size))
    assert_same_steps(engines[lanes], net_of(seed), images, labels, batch_size, learning_rates, 1e-13)


@pytest.mark.parametrize("seed", range(3))
def test_float32_is_as_near_as_its_digits_allow(seed):
    images, labels = data(seed, 62, np.float32)
    net = net_of(seed, torch.float32)
    assert_same_steps(kernels, net, images, labels, 4, np.full(16, 0.01), 1e-5)


@pytest.mark.parametrize("lanes", [8, 16])
@pytest.mark.parametrize("seed", range(4))
def test_of_equal_maxima_the_first_wins(engines, lanes, seed):
    """Images and weights are multiples of 1/64, so that sums are exact and equal ones are equal for both."""
    net, generator = net_of(seed), np.random.default_rng(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.round(p * 64) / 64)
    blocks = generator.integers(-2, 3, (12, 3, 4, 4)) / 4.0
    images = np.ascontiguousarray(np.kron(blocks, np.ones((8, 8))))
    labels = generator.integers(0, N_CLASSES, 12)
    assert_same_steps(engines[lanes], net, images, labels, 12, [0.1], 1e-13)


def test_relu_passes_no_gradient_at_zero():
    net = net_of(0)
    with torch.no_grad():
        for i in range(0, 8, 2):  # half of each hidden layer is exactly zero for any image
            weight, bias = list(net.parameters())[i : i + 2]
            weight[::2], bias[::2] = 0, 0
    images, labels = data(0, 6)
    assert_same_steps(kernels, net, images, labels, 6, [0.1], 1e-13)


def trained(net, images, labels, batch_size, learning_rates):
    parameters = arrays_of(net)
    velocities = zeros_like(parameters)
    return kernels.train_batches(parameters, velocities, images, labels, batch_size, learning_rates, MOMENTUM, DECAY)


PIXELS = {"first": (0, 0, 0), "last": (2, 31, 31), "inside": (1, 14, 17)}


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("pixel", PIXELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_pixel_that_is_no_number_shows_in_its_loss(pixel, value, dtype):
    net = net_of(0, dtype)
    images, labels = data(0, 12, arrays_of(net)[0].dtype)
    images[5][PIXELS[pixel]] = value
    losses, _ = trained(net, images, labels, 4, np.zeros(3))
    assert np.isfinite(losses[0]) and not np.isfinite(losses[1])


@pytest.mark.parametrize("i", range(10))
def test_a_parameter_that_is_no_number_shows_in_the_loss(i):
    net = net_of(0, torch.float32)
    arrays_of(net)[i][..., -1] = np.nan
    losses, _ = trained(net, *data(0, 4, np.float32), 4, np.zeros(1))
    assert not np.isfinite(losses[0])


def test_a_diverging_training_shows_in_the_losses():
    losses, _ = trained(net_of(0, torch.float32), *data(0, 80, np.float32), 4, np.full(20, 1e6))
    assert np.isfinite(losses[0]) and not np.isfinite(losses[-1])


def test_each_step_has_its_learning_rate():
    net, (images, labels) = net_of(0), data(0, 12)
    before = [a.copy() for a in arrays_of(net)]
    trained(net, images, labels, 4, [0.0, 0.0, 0.0])
    assert all((a == b).all() for a, b in zip(before, arrays_of(net)))
    trained(net, images, labels, 4, [0.0, 0.0, 0.1])
    assert not any((a == b).all() for a, b in zip(before, arrays_of(net)))


def test_calls_go_on_where_the_last_one_ended():
    images, labels = data(0, 40, np.float32)
    rates = np.linspace(0.02, 0.01, 10)
    once, twice = net_of(0, torch.float32), net_of(0, torch.float32)
    losses, n_correct = trained(once, images, labels, 4, rates)
    velocities, found = zeros_like(arrays_of(twice)), []
    for part in (slice(0, 3), slice(3, 10)):
        rows = slice(4 * part.start, 4 * part.stop)
        found.append(
            kernels.train_batches(
                arrays_of(twice), velocities, images[rows], labels[rows], 4, rates[part], MOMENTUM, DECAY
            )
        )
    assert [*found[0][0], *found[1][0]] == losses.tolist()
    assert found[0][1] + found[1][1] == n_correct
    assert all((a == b).all() for a, b in zip(arrays_of(once), arrays_of(twice)))


def test_no_images_are_no_steps():
    losses, n_correct = trained(net_of(0), *data(0, 0), 4, [])
    assert losses.shape == (0,) and n_correct == 0


def test_a_size_of_batches_may_be_an_integer_of_numpy():
    losses, _ = trained(net_of(0), *data(0, 8), np.int64(4), [0.1, 0.1])
    assert losses.tolist() == trained(net_of(0), *data(0, 8), 4, [0.1, 0.1])[0].tolist()


def with_row(arrays, i, array):
    return (*arrays[:i], array, *arrays[i + 1 :])


def unaligned(array):
    """The same numbers, one byte beyond where they should lie."""
    room = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    room[...] = array
    return room


def read_only(array):
    array.flags.writeable = False
    return array


ARRAYS = arrays_of(net_of(0, torch.float32))
IMAGES, LABELS = data(0, 8, np.float32)
WRONG = {
    "nine parameters": (dict(parameters=ARRAYS[:9]), "parameters: expected the 10 of LeNet at width 1, got 9"),
    "wider net": (
        dict(parameters=tuple(p.detach().numpy() for p in lenet(2.0).parameters())),
        r"parameters\[0\]: expected \(6, 3, 5, 5\) of float32, got \(12, 3, 5, 5\)",
    ),
    "double velocity": (
        dict(velocities=with_row(ARRAYS, 4, ARRAYS[4].astype(np.float64))),
        r"velocities\[4\]: expected \(120, 400\) of float32, got \(120, 400\) of float64",
    ),
    "transposed": (
        dict(parameters=with_row(ARRAYS, 4, np.asfortranarray(ARRAYS[4]))),
        r"parameters\[4\]: expected a C-contiguous array",
    ),
    "unaligned": (
        dict(parameters=with_row(ARRAYS, 4, unaligned(ARRAYS[4]))),
        r"parameters\[4\]: expected .*numpy\.require\(array, requirements='CA'\) makes one",
    ),
    "read-only": (
        dict(velocities=with_row(ARRAYS, 1, read_only(np.zeros(6, np.float32)))),
        r"velocities\[1\]: expected an array that can be written",
    ),
    "a tensor": (dict(parameters=with_row(ARRAYS, 1, torch.zeros(6))), r"parameters\[1\]: expected a NumPy array"),
    "bytes": (dict(images=IMAGES.astype(np.uint8)), "images: expected float32 or float64, got uint8"),
    "a list": (dict(images=[1.0]), "images: expected float32 or float64, got list"),
    "small images": (
        dict(images=IMAGES[:, :, :28].copy()),
        r"images: expected \(8, 3, 32, 32\) of float32, got \(8, 3, 28, 32\)",
    ),
    "channels last": (dict(images=np.asfortranarray(IMAGES)), "images: expected a C-contiguous array"),
    "fewer labels": (dict(labels=LABELS[:7]), r"labels: expected \(8,\) of int64, got \(7,\)"),
    "short labels": (dict(labels=LABELS.astype(np.int32)), "labels: .* got .8,. of int32"),
    "label ten": (dict(labels=np.full(8, 10)), "labels: expected 0 to 9, got 10 to 10"),
    "label below": (dict(labels=np.arange(-1, 7)), "labels: expected 0 to 9, got -1 to 6"),
    "no batch": (dict(batch_size=0), "batch_size: expected a whole number from 1 on, got 0"),
    "half an image": (dict(batch_size=2.5), "batch_size: .* got 2.5"),
    "a truth": (dict(batch_size=True), "batch_size: .* got True"),
    "one rate": (dict(learning_rates=[0.1]), "learning_rates: expected one for each of 2 mini-batches"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_compiled_code_would_not_notice_is_refused(case):
    given, message = WRONG[case]
    right = dict(
        parameters=ARRAYS,
        velocities=zeros_like(ARRAYS),
        images=IMAGES,
        labels=LABELS,
        batch_size=4,
        learning_rates=[0.1, 0.1],
        momentum=MOMENTUM,
        weight_decay=DECAY,
    )
    with pytest.raises(ConfigError, match=message):
        kernels.train_batches(**right | given)


def test_what_is_refused_as_unaligned_is_taken_as_advised():
    moved = with_row(ARRAYS, 4, np.require(unaligned(ARRAYS[4]), requirements="CA"))
    kernels.train_batches(moved, zeros_like(ARRAYS), IMAGES, LABELS, 8, [0.0], MOMENTUM, DECAY)
