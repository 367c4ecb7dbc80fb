"""Networks against torch.nn on the CPU: shapes, refusals, parameters, multiply-adds and receptive fields."""

import inspect
import random
from dataclasses import asdict, replace

import pytest
import torch
from sympy import Integer, false, symbols, true
from torch.utils.flop_counter import FlopCounterMode

from derivations.errors import ShapeError, UnsupportedError
from derivations.topics import networks
from derivations.topics.networks import (
    AdaptiveAvgPool2d,
    Conv2d,
    Flatten,
    Linear,
    MaxPool2d,
    ReceptiveField,
    ReLU,
    Window,
    convolution_multiply_adds,
    convolution_parameters,
    first_linear_inputs,
    lenet,
    linear_multiply_adds,
    linear_parameters,
    propagate,
    receptive_field,
)

IMAGE = (3, 32, 32)
H = symbols("H", integer=True, positive=True)


def torch_layer(layer):
    arguments = asdict(layer)
    del arguments["name"]
    return getattr(torch.nn, type(layer).__name__)(**arguments)


def torch_network(layers):
    return torch.nn.Sequential(*map(torch_layer, layers))


def total(rows, column):
    return sum(getattr(row, column) for row in rows)


# ---------------------------------------------------------------------------- the homework


def test_lenet_row_by_row():
    rows = propagate(lenet(), IMAGE)
    named = {row.name: (row.output_shape, row.parameters, row.multiply_adds) for row in rows if row.layer.name}
    assert named == {
        "conv1": ((6, 28, 28), 456, 352_800),
        "pool1": ((6, 14, 14), 0, 0),
        "conv2": ((16, 10, 10), 2_416, 240_000),
        "pool2": ((16, 5, 5), 0, 0),
        "fc1": ((120,), 48_120, 48_000),
        "fc2": ((84,), 10_164, 10_080),
        "fc3": ((10,), 850, 840),
    }
    assert total(rows, "parameters") == 62_006
    assert total(rows, "multiply_adds") == 651_720
    assert rows[5].receptive_field == (ReceptiveField(size=16, jump=4, start=0),) * 2
    assert rows[6].receptive_field is None
    assert all(row.condition == true for row in rows)


def test_kernel_three_meets_fc1_with_576_inputs():
    with pytest.raises(
        ShapeError, match=r"^fc1: 576 features of \(576,\) meet in_features=400\. Did you mean .*=576\?"
    ):
        propagate(lenet(kernel_size=3), IMAGE)
    sides = [row.output_shape[1] for row in propagate(lenet(kernel_size=3)[:6], IMAGE) if row.layer.name]
    assert sides == [30, 15, 13, 6]
    assert first_linear_inputs(lenet(kernel_size=3), IMAGE) == 16 * 6 * 6 == 576


def test_three_ways_to_repair_kernel_three():
    smaller = lenet(kernel_size=3)
    for repaired in (
        lenet(kernel_size=3, in_features=576),
        lenet(kernel_size=3, dilation=2),
        (*smaller[:6], AdaptiveAvgPool2d(5), *smaller[6:]),
    ):
        assert propagate(repaired, IMAGE)[-1].output_shape == (10,)
        assert torch_network(repaired)(torch.zeros(1, *IMAGE)).shape == (1, 10)


def test_no_padding_of_zero_to_three_repairs_kernel_three():
    for first in range(4):
        for second in range(4):
            network = list(lenet(kernel_size=3))
            network[0], network[3] = replace(network[0], padding=first), replace(network[3], padding=second)
            assert propagate(network[:6], IMAGE)[-1].output_shape != (16, 5, 5)
    assert first_linear_inputs(lenet(kernel_size=3, padding=1), IMAGE) == 16 * 8 * 8


def test_the_convolution_of_3_2():
    (row,) = propagate([Conv2d(32, 64, 3)], (32, 64, 64))
    assert (row.output_shape, row.parameters, row.multiply_adds) == ((64, 62, 62), 18_496, 70_852_608)


def test_which_images_fit_lenet():
    rows = propagate(lenet(), (3, H, H))
    assert str(rows[5].output_shape[1]) == "floor(floor(H/2)/2) - 3"
    condition = next(row.condition for row in rows if row.name == "fc1")
    assert [h for h in range(14, 80) if condition.subs(H, h) == true] == [32, 33, 34, 35]


# ---------------------------------------------------------------------------- against torch


def draw_network(generator):
    """A few layers whose settings often, but not always, fit the channels and features before them."""
    channels, layers = generator.randint(1, 3) * 2, []
    shape = (channels, generator.randint(4, 14), generator.randint(4, 14))
    for _ in range(generator.randint(1, 4)):
        out = generator.randint(1, 3) * 2
        pair = [generator.choice([1, 1, 2, (1, 2)]) for _ in range(2)]
        kernel = generator.choice([1, 2, 3, 4, (2, 3)])
        convolution = Conv2d(channels, out, kernel, pair[0], generator.choice([0, 1, (2, 0), "valid"]), pair[1])
        layers.append(
            generator.choice(
                [
                    replace(convolution, groups=generator.choice([1, 1, 2, 3]), bias=generator.random() < 0.5),
                    Conv2d(channels, out, kernel, 1, "same", pair[1]),
                    MaxPool2d(kernel, generator.choice([None, 1, 2, 3]), generator.choice([0, 0, 1]), pair[1]),
                    MaxPool2d(2, ceil_mode=True),
                    ReLU(),
                    AdaptiveAvgPool2d(generator.choice([2, 3, (1, 4)])),
                ]
            )
        )
        if isinstance(layers[-1], Conv2d) and generator.random() < 0.95:
            channels = out
    tail = (Flatten(), Linear(1, 5, bias=generator.random() < 0.5), ReLU(), Linear(generator.choice([5, 5, 5, 4]), 3))
    layers += tail[: generator.randint(0, 4)]
    try:
        features = first_linear_inputs(layers, shape)
    except ShapeError:
        return layers, shape
    return [replace(layer, in_features=features) if layer is tail[1] else layer for layer in layers], shape


@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_shapes_refusals_parameters_and_multiply_adds_are_those_of_torch():
    generator, accepted = random.Random(0), 0
    for _ in range(1500):
        layers, shape = draw_network(generator)
        try:
            network = torch_network(layers)
            with FlopCounterMode(display=False) as flops, torch.no_grad():
                output = network(torch.zeros(1, *shape))
        except (RuntimeError, ValueError):
            with pytest.raises(ShapeError):
                propagate(layers, shape)
            continue
        rows = propagate(layers, shape)
        assert rows[-1].output_shape == output.shape[1:]
        assert total(rows, "parameters") == sum(p.numel() for p in network.parameters())
        assert 2 * total(rows, "multiply_adds") == flops.get_total_flops()
        accepted += 1
    assert 400 < accepted < 1200


def test_every_shape_on_the_way_is_that_of_torch():
    x = torch.zeros(1, *IMAGE)
    for row in propagate(lenet(), IMAGE):
        x = torch_layer(row.layer)(x)
        assert x.shape[1:] == row.output_shape


def test_a_linear_layer_reads_the_last_axis_as_in_torch():
    (row,) = propagate([Linear(5, 7)], (16, 4, 5))
    with FlopCounterMode(display=False) as flops:
        output = torch.nn.Linear(5, 7)(torch.zeros(16, 4, 5))
    assert row.output_shape == output.shape and 2 * row.multiply_adds == flops.get_total_flops()


@pytest.mark.parametrize("kind", networks.LAYERS, ids=lambda kind: kind.__name__)
def test_a_layer_takes_the_arguments_of_torch(kind):
    ours = list(inspect.signature(kind).parameters.values())
    theirs = inspect.signature(getattr(torch.nn, kind.__name__)).parameters
    assert [p.name for p in ours if p.name not in theirs] == ["name"]
    for p in ours[:-1]:
        assert p.default == theirs[p.name].default


def test_symbolic_rows_have_the_values_of_numeric_ones():
    h, w, f, n = symbols("h w f n", integer=True, positive=True)

    def network(channels, features):
        convolution = Conv2d(4, channels, (3, 2), 2, 1, groups=2)
        return convolution, MaxPool2d(3, 2, 1, ceil_mode=True), Flatten(), Linear(features, 5)

    symbolic = propagate(network(f, n), (4, h, w))
    for height, width in ((19, 14), (8, 8), (9, 30)):
        needed = first_linear_inputs(network(6, 1), (4, height, width))
        values = {h: height, w: width, f: 6, n: needed}
        for row, expected in zip(symbolic, propagate(network(6, needed), (4, height, width)), strict=True):
            ours = [Integer(1) * value for value in (*row.output_shape, row.parameters, row.multiply_adds)]
            theirs = [*expected.output_shape, expected.parameters, expected.multiply_adds]
            assert [value.subs(values) for value in ours] == theirs
            assert row.condition.subs(values) == true
        assert symbolic[-1].condition.subs(values | {n: needed + 1}) == false


def test_one_sided_padding_is_zero_pad_and_convolution():
    (row,) = propagate([Conv2d(2, 3, 3, stride=2, padding=((0, 1), (2, 0)))], (2, 64, 63))
    pad, convolve = torch.nn.ZeroPad2d((2, 0, 0, 1)), torch.nn.Conv2d(2, 3, 3, stride=2)
    assert row.output_shape == convolve(pad(torch.zeros(2, 64, 63))).shape == (3, 32, 32)
    assert [field.start for field in row.receptive_field] == [0, -2]


# ------------------------------------------------------------------------------- by itself


def test_counting_a_convolution_and_a_linear_layer():
    assert convolution_parameters(3, 6, 5) == 456
    assert convolution_parameters(4, 6, (3, 2), groups=2, bias=False) == 6 * 2 * 3 * 2
    assert convolution_multiply_adds(3, 6, 5, 28) == 352_800
    assert convolution_multiply_adds(4, 6, (3, 2), (7, 5), groups=2) == 7 * 5 * 6 * 2 * 3 * 2
    assert linear_parameters(3072, 4704) == 14_455_392
    assert linear_parameters(400, 120, bias=False) == linear_multiply_adds(400, 120) == 48_000


def seen(windows, size, pixel):
    """The input pixels with a gradient from one output pixel, the layers as convolutions with weights of one."""
    x = torch.ones(1, 1, size, requires_grad=True)
    y = x
    for w in windows:
        y = torch.nn.functional.conv1d(y, torch.ones(1, 1, w.kernel), None, w.stride, w.padding, w.dilation)
    y[0, 0, pixel].backward()
    return x.grad[0, 0].nonzero().flatten().tolist(), y.shape[2]


def test_the_receptive_field_is_where_autograd_finds_a_gradient():
    generator, checked, size = random.Random(1), 0, 120
    while checked < 300:
        windows = [
            Window(generator.randint(1, 5), generator.randint(1, 3), generator.randint(0, 3), generator.randint(1, 3))
            for _ in range(generator.randint(1, 4))
        ]
        field = receptive_field(windows)
        inside = [i for i in range(size) if 0 <= field.start + i * field.jump <= size - field.size]
        if not inside:
            continue
        pixel = generator.choice(inside)
        pixels, n_outputs = seen(windows, size, pixel)
        assert inside[-1] < n_outputs
        first = field.start + pixel * field.jump
        assert (pixels[0], pixels[-1]) == (first, first + field.size - 1)
        checked += 1


def test_receptive_fields_through_a_network_are_those_of_autograd():
    network = (Conv2d(1, 1, (3, 5), 2, 1), MaxPool2d(2), ReLU(), Conv2d(1, 1, 3, (1, 2), "valid", (2, 1)))
    fields = propagate(network, (1, 60, 60))[-1].receptive_field
    model = torch_network([replace(layer, bias=False) if isinstance(layer, Conv2d) else layer for layer in network])
    model[1] = torch.nn.AvgPool2d(2)  # the same windows, and a gradient to every pixel of them
    for weight in model.parameters():
        torch.nn.init.ones_(weight)
    x = torch.ones(1, 1, 60, 60, requires_grad=True)
    model(x)[0, 0, 3, 2].backward()
    for axis, (field, pixel) in enumerate(zip(fields, (3, 2), strict=True)):
        pixels = x.grad[0, 0].sum(1 - axis).nonzero().flatten()
        first = field.start + pixel * field.jump
        assert (int(pixels[0]), int(pixels[-1])) == (first, first + field.size - 1)


REFUSALS = [
    ((Conv2d(3, 6, 5),), (1, 28, 28), r"layer 1 \(Conv2d\): 1 channels of \(1, 28, 28\) meet in_channels=3"),
    ((Linear(400, 10),), (16, 5, 5), r"5 features .* Did you mean in_features=5\? Flatten\(\) before it gives 400"),
    (
        (Flatten(), MaxPool2d(2)),
        (16, 5, 5),
        r"layer 2 \(MaxPool2d\): expected \(channels, height, width\) .*got \(400,\)",
    ),
    ((Conv2d(3, 6, 5),), (4, 3, 32, 32), r"without the batch .*got \(4, 3, 32, 32\)"),
    ((Conv2d(3, 6, 5, groups=2, name="grouped"),), IMAGE, "grouped: groups must divide in_channels, got 2 groups of 3"),
    ((Conv2d(3, 6, (3, 3, 3)),), IMAGE, r"expected a number or a pair \(height, width\), got \(3, 3, 3\)"),
    (lenet(), (3, 8, 8), "^conv2: a kernel of 5 .* spans 5 pixels, but the padded input has .* = 2"),
    ((MaxPool2d(2, padding=2, name="pool"),), IMAGE, "pool: pooling takes a padding of at most half the kernel 2"),
    ((AdaptiveAvgPool2d(0),), IMAGE, "output_size must be at least 1"),
    ((Linear(3, 0),), (3,), "out_features must be at least 1"),
    ((), (3, 0, 32), "an entry of the input shape must be at least 1, got 0"),
    ((), (), "the input shape is empty"),
]


@pytest.mark.parametrize("network, shape, message", REFUSALS, ids=[message[:30] for *_, message in REFUSALS])
def test_a_refusal_names_the_layer_and_what_came(network, shape, message):
    with pytest.raises(ShapeError, match=message):
        propagate(network, shape)


def test_an_unknown_layer_is_not_passed_over():
    with pytest.raises(
        UnsupportedError, match=r"layer 2 \(str\): no shapes are known for str; the layers known are Conv2d"
    ):
        propagate((ReLU(), "Dropout"), IMAGE)


def test_a_network_without_a_linear_layer_needs_no_features():
    with pytest.raises(ShapeError, match="has no Linear layer"):
        first_linear_inputs(lenet()[:6], IMAGE)
