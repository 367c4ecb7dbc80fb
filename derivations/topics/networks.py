"""Whole networks layer by layer: shapes, parameters, multiply-adds and receptive fields.

A network is a tuple of layers with the names and arguments of torch.nn; shapes leave out the batch.
Sizes are integers or SymPy symbols, as in topics/convolution.py.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import prod

from sympy import Basic, Eq, false, true

from derivations.errors import ShapeError, UnsupportedError
from derivations.topics.convolution import Padding, Size, margins, output_size, pooled_size, whole

Pair = Size | tuple[Size, Size]  # one number for both axes, or (height, width)
Shape = tuple[Size, ...]


@dataclass(frozen=True)
class Conv2d:
    """padding: an entry for one axis may itself be a pair, padding=((0, 1), (0, 1)); "valid" and "same" are known."""

    in_channels: Size
    out_channels: Size
    kernel_size: Pair
    stride: Pair = 1
    padding: Padding | tuple[Padding, Padding] = 0
    dilation: Pair = 1
    groups: Size = 1
    bias: bool = True
    name: str = ""


@dataclass(frozen=True)
class MaxPool2d:
    kernel_size: Pair
    stride: Pair | None = None
    padding: Pair = 0
    dilation: Pair = 1
    ceil_mode: bool = False
    name: str = ""


@dataclass(frozen=True)
class AdaptiveAvgPool2d:
    output_size: Pair
    name: str = ""


@dataclass(frozen=True)
class ReLU:
    name: str = ""


@dataclass(frozen=True)
class Flatten:
    name: str = ""


@dataclass(frozen=True)
class Linear:
    in_features: Size
    out_features: Size
    bias: bool = True
    name: str = ""


def convolution_parameters(
    in_channels: Size, out_channels: Size, kernel_size: Pair, groups: Size = 1, bias: bool = True
) -> Size:
    """Weights, and one bias for each output channel."""
    return out_channels * (_taps(in_channels, out_channels, kernel_size, groups) + int(bias))


def convolution_multiply_adds(
    in_channels: Size, out_channels: Size, kernel_size: Pair, output_size: Pair, groups: Size = 1
) -> Size:
    """Multiply-adds for one image with output_size pixels; adding the bias is not counted."""
    return prod(_axes(output_size)) * out_channels * _taps(in_channels, out_channels, kernel_size, groups)


def linear_parameters(in_features: Size, out_features: Size, bias: bool = True) -> Size:
    return out_features * (in_features + int(bias))


def linear_multiply_adds(in_features: Size, out_features: Size) -> Size:
    """Multiply-adds for one row of inputs; adding the bias is not counted."""
    return in_features * out_features


def _taps(in_channels, out_channels, kernel_size, groups):
    """The weights that one output value is a sum over."""
    groups = whole("groups", groups, 1)
    in_channels, out_channels = whole("in_channels", in_channels, 1), whole("out_channels", out_channels, 1)
    for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
        if isinstance(channels, int) and isinstance(groups, int) and channels % groups:
            raise ShapeError(f"groups must divide {name}, got {groups} groups of {channels} channels")
    return in_channels // groups * prod(_axes(kernel_size))


def _axes(value):
    """(height, width) of a setting that is one for both or a pair."""
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2:
        raise ShapeError(f"expected a number or a pair (height, width), got {value!r}")
    return pair


@dataclass(frozen=True)
class Window:
    """What one output pixel of a layer sees along an axis; `padding` is that before the first pixel."""

    kernel: Size
    stride: Size = 1
    padding: Size = 0
    dilation: Size = 1


@dataclass(frozen=True)
class ReceptiveField:
    """Output pixel i sees the input pixels start + i jump, ..., start + i jump + size - 1, all along one axis.

    Where these lie outside the input they are padding. With gaps between the taps not all of them count.
    """

    size: Size = 1
    jump: Size = 1
    start: Size = 0


PIXEL = ReceptiveField()


def receptive_field(windows: Iterable[Window], field: ReceptiveField = PIXEL) -> ReceptiveField:
    """The receptive field after a stack of layers, in pixels of the input of the first."""
    for w in windows:
        field = ReceptiveField(
            size=field.size + w.dilation * (w.kernel - 1) * field.jump,
            jump=field.jump * w.stride,
            start=field.start - w.padding * field.jump,
        )
    return field


# ------------------------------------------------------------------------------ propagation


@dataclass(frozen=True)
class Row:
    """One layer of a network: what it makes of the shape before it, and what it costs for one image.

    receptive_field: that of the height and of the width; None from the layer on that has no windows of
    equal size (Flatten, Linear, an adaptive pool).
    condition: true, or an equation that symbolic sizes must satisfy for the layer to fit.
    """

    name: str
    layer: object
    output_shape: Shape
    parameters: Size
    multiply_adds: Size
    receptive_field: tuple[ReceptiveField, ReceptiveField] | None
    condition: Basic = true


def propagate(network: Sequence, shape: Shape) -> tuple[Row, ...]:
    """A row for each layer of the network, for one input of the shape (C, H, W) or (features,).

    A layer that stands twice is counted twice. Raises ShapeError, which names the layer where shapes do not meet.
    """
    if len(shape) == 0:
        raise ShapeError("the input shape is empty; expected (channels, height, width) or (features,)")
    shape = tuple(whole("an entry of the input shape", size, 1) for size in shape)
    fields = (PIXEL, PIXEL) if len(shape) == 3 else None
    rows = []
    for number, layer in enumerate(network, start=1):
        name = getattr(layer, "name", "") or f"layer {number} ({type(layer).__name__})"
        try:
            rows.append(_row(name, layer, shape, fields))
        except ShapeError as error:
            raise ShapeError(f"{name}: {error}") from None
        shape, fields = rows[-1].output_shape, rows[-1].receptive_field
    return tuple(rows)


def first_linear_inputs(network: Sequence, shape: Shape) -> Size:
    """The in_features that the first Linear layer of the network needs for an input of the shape."""
    before = tuple(takewhile(lambda layer: not isinstance(layer, Linear), network))
    if len(before) == len(network):
        raise ShapeError("the network has no Linear layer, so nothing needs in_features")
    rows = propagate(before, shape)
    return (rows[-1].output_shape if rows else shape)[-1]


def _row(name, layer, shape, fields):
    if type(layer) not in LAYERS:
        known = ", ".join(kind.__name__ for kind in LAYERS)
        raise UnsupportedError(f"{name}: no shapes are known for {type(layer).__name__}; the layers known are {known}")
    kind = LAYERS[type(layer)]
    condition = _meet(shape, kind.inputs(layer, shape))
    output = kind.output_shape(layer, shape)
    windows = kind.windows(layer, shape) if fields else None
    fields = tuple(receptive_field([w], field) for w, field in zip(windows, fields, strict=True)) if windows else None
    return Row(name, layer, output, kind.parameters(layer), kind.multiply_adds(layer, output), fields, condition)


def _meet(shape, inputs):
    """The condition under which what comes in is what the layer expects; ShapeError if it cannot be."""
    if inputs is None:
        return true
    what, expected, came = inputs
    condition = Eq(came, expected)
    if condition == false:
        flat = f" Flatten() before it gives {_count(shape)}." if what == "features" and len(shape) > 1 else ""
        raise ShapeError(f"{came} {what} of {shape} meet in_{what}={expected}. Did you mean in_{what}={came}?{flat}")
    return condition


def _count(shape):
    return prod(reversed(shape))  # from the right, or SymPy distributes the number of channels over the height


def _image(shape):
    if len(shape) != 3:
        raise ShapeError(f"expected (channels, height, width) without the batch and before Flatten(), got {shape}")
    return shape


def _sides(layer, shape):
    """(size, kernel, stride, padding, dilation) of the height and of the width."""
    stride = layer.kernel_size if layer.stride is None else layer.stride
    settings = (layer.kernel_size, stride, layer.padding, layer.dilation)
    return tuple(zip(_image(shape)[1:], *map(_axes, settings), strict=True))


def _layer_windows(layer, shape):
    return tuple(Window(k, s, margins(p, k, s, d)[0], d) for _, k, s, p, d in _sides(layer, shape))


def _adaptive_shape(layer, shape):
    return (_image(shape)[0], *(whole("output_size", out, 1) for out in _axes(layer.output_size)))


@dataclass(frozen=True)
class Kind:
    """What a kind of layer does: each entry is a function of the layer and, where it is asked, of a shape.

    inputs: (layer, shape) -> (what is counted, how many are expected, how many came), or None if any will do.
    output_shape and windows take the shape before the layer, multiply_adds that after it.
    """

    inputs: Callable
    output_shape: Callable
    parameters: Callable
    multiply_adds: Callable
    windows: Callable


def _anything(layer, shape):
    return None


def _free(layer, shape=None):
    return 0


LAYERS = {
    Conv2d: Kind(
        inputs=lambda c, shape: ("channels", c.in_channels, _image(shape)[0]),
        output_shape=lambda c, shape: (c.out_channels, *(output_size(*side) for side in _sides(c, shape))),
        parameters=lambda c: convolution_parameters(c.in_channels, c.out_channels, c.kernel_size, c.groups, c.bias),
        multiply_adds=lambda c, out: convolution_multiply_adds(
            c.in_channels, c.out_channels, c.kernel_size, out[1:], c.groups
        ),
        windows=_layer_windows,
    ),
    MaxPool2d: Kind(
        inputs=_anything,
        output_shape=lambda p, shape: (shape[0], *(pooled_size(*side, p.ceil_mode) for side in _sides(p, shape))),
        parameters=_free,
        multiply_adds=_free,
        windows=_layer_windows,
    ),
    AdaptiveAvgPool2d: Kind(_anything, _adaptive_shape, _free, _free, _anything),
    ReLU: Kind(_anything, lambda r, shape: shape, _free, _free, lambda r, shape: (Window(1), Window(1))),
    Flatten: Kind(_anything, lambda f, shape: (_count(shape),), _free, _free, _anything),
    Linear: Kind(
        inputs=lambda f, shape: ("features", f.in_features, shape[-1]),
        output_shape=lambda f, shape: (*shape[:-1], whole("out_features", f.out_features, 1)),
        parameters=lambda f: linear_parameters(f.in_features, f.out_features, f.bias),
        multiply_adds=lambda f, out: prod(out[:-1]) * linear_multiply_adds(f.in_features, f.out_features),
        windows=_anything,
    ),
}


def lenet(kernel_size: int = 5, padding: Padding = 0, dilation: int = 1, in_features: int = 400) -> tuple:
    """The classifier of PyTorch's CIFAR-10 tutorial, after LeNet-5, for images (3, 32, 32) and ten classes.

    The settings are those of both convolutions; in_features, those of the first Linear layer, do not follow them.
    Source: LeCun et al. (1998), Gradient-based learning applied to document recognition.
    """
    return (
        Conv2d(3, 6, kernel_size, padding=padding, dilation=dilation, name="conv1"),  # (6, 28, 28)
        ReLU(),
        MaxPool2d(2, name="pool1"),  # (6, 14, 14)
        Conv2d(6, 16, kernel_size, padding=padding, dilation=dilation, name="conv2"),  # (16, 10, 10)
        ReLU(),
        MaxPool2d(2, name="pool2"),  # (16, 5, 5)
        Flatten(),  # (400,)
        Linear(in_features, 120, name="fc1"),
        ReLU(),
        Linear(120, 84, name="fc2"),
        ReLU(),
        Linear(84, 10, name="fc3"),
    )
