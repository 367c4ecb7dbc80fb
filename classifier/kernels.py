"""LeNet's training step at width 1, compiled for one core: forward, backward and SGD, with no tensor in between.

What is saved beside the calls of PyTorch's layers: ReLU and max-pooling send the gradient of a convolution back to at
most one of four places, so backward visits only those; and the gradient of a fully connected layer is added up one row
at a time, while the row is updated.
"""

import math
import numbers
from typing import NamedTuple

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from classifier.config import N_CLASSES
from runner.compiled import entry, kernel  # before llvmlite: where Numba is missing, the error names it
from runner.errors import ConfigError

PARAMETERS = ((6, 3, 5, 5), (6,), (16, 6, 5, 5), (16,), (120, 400), (120,), (84, 120), (84,), (10, 84), (10,))
LAYERS = (400, 120, 84, N_CLASSES)  # the fully connected ones, from the flattened maps to the logits
# The widest register: 16 numbers of float32 with AVX-512, 8 elsewhere.
LANES = 16 if binding.get_host_cpu_features().get("avx512f") else 8
ROW = 20  # 16 pixels of one parity, two that the last patch reads beyond them, and two for alignment


class Lanes(types.Type):
    """LANES numbers in a register, because the vectoriser sees only the simplest of the loops below."""

    def __init__(self, dtype):
        self.dtype = dtype
        super().__init__(f"Lanes({dtype})")


@register_model(Lanes)
class LanesModel(models.PrimitiveModel):
    def __init__(self, manager, lanes):
        number = manager.lookup(lanes.dtype).get_value_type()
        super().__init__(manager, lanes, ir.VectorType(number, LANES))


def _pointer(context, builder, signature, args):
    """Where array[at] lies, for a signature that begins with (array, at)."""
    data = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0]).data
    return builder.gep(data, [args[1]], inbounds=True)


@intrinsic
def load(context, array, at):
    """The LANES numbers of a flat array from `at` on."""

    def generate(context, builder, signature, args):
        lanes = context.get_value_type(signature.return_type)
        pointer = builder.bitcast(_pointer(context, builder, signature, args), lanes.as_pointer())
        return builder.load(pointer, align=4)

    return Lanes(array.dtype)(array, types.intp), generate


@intrinsic
def store(context, array, at, lanes):
    """Write LANES numbers into a flat array from `at` on."""

    def generate(context, builder, signature, args):
        pointer = _pointer(context, builder, signature, args)
        builder.store(args[2], builder.bitcast(pointer, args[2].type.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


@intrinsic
def spread(context, array, at):
    """LANES times array[at]."""

    def generate(context, builder, signature, args):
        number = builder.load(_pointer(context, builder, signature, args))
        undefined = ir.Constant(context.get_value_type(signature.return_type), ir.Undefined)
        first = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(first, undefined, everywhere)

    return Lanes(array.dtype)(array, types.intp), generate


@intrinsic
def add_product(context, total, a, b):
    """total + a * b, rounded once where the processor can."""

    def generate(context, builder, signature, args):
        total, a, b = args
        return builder.fadd(total, builder.fmul(a, b, flags=("contract",)), flags=("contract",))

    return total(total, a, b), generate


@intrinsic
def where_larger(context, new, old, if_larger, otherwise):
    """In each lane `if_larger` where new > old or new is NaN, as max-pooling and ReLU compare in PyTorch."""

    def generate(context, builder, signature, args):
        new, old, if_larger, otherwise = args
        larger = builder.or_(builder.fcmp_ordered(">", new, old), builder.fcmp_unordered("uno", new, new))
        return builder.select(larger, if_larger, otherwise)

    return if_larger(new, old, if_larger, otherwise), generate


class Workspace(NamedTuple):
    """Flat arrays, and rows (B, size) for the fully connected layers.

    Images lie twice. In `columns` (3, 32, 2, ROW) a row's even pixels come before its odd ones, so that the four places
    of a pooling window are four registers; in `pixels` (32, 32, 3) a patch is five rows of 15 numbers. So do the first
    pooled maps, in `pooled1` (6, 14, 16) and `maps` (14, 14, 6), where a patch is five rows of 30.
    """

    columns: np.ndarray
    pixels: np.ndarray
    pooled1: np.ndarray
    corner1: np.ndarray  # like pooled1: where in its window the maximum was, as an offset into pixels
    maps: np.ndarray
    maps_gradient: np.ndarray
    pooled2: np.ndarray  # (25, 16)
    corner2: np.ndarray  # (25, 16): an offset into maps
    taps: np.ndarray  # (5, 30, 16): the second convolution's weight with its output channels last
    patches: np.ndarray  # (16, 5, 32): the same as patches of maps, each row of 30 with two zeros behind it
    gradient1: np.ndarray  # (6, 5, 16): of the first weight, as patches of pixels with one number to ignore
    gradient2: np.ndarray  # (16, 5, 32): of the second, as patches of maps with two numbers to ignore
    bias_gradient1: np.ndarray
    bias_gradient2: np.ndarray
    gradient: np.ndarray  # room for a convolution's in PyTorch's order, or for one row of a layer's
    values: np.ndarray  # what is not zero in a gradient
    places: np.ndarray  # where that is, as integers
    zero: np.ndarray
    corners1: np.ndarray  # the offsets in corner1, in the order in which the first of equal maxima wins
    corners2: np.ndarray
    layers: tuple[np.ndarray, ...]
    layer_gradients: tuple[np.ndarray, ...]


def _workspace(batch_size, dtype):
    sizes = dict(columns=3 * 32 * 2 * ROW, pixels=3072, pooled1=1344, corner1=1344, maps=1176, maps_gradient=1176)
    sizes |= dict(pooled2=400, corner2=400, taps=2400, patches=2560, gradient1=480, gradient2=2560)
    sizes |= dict(bias_gradient1=6, bias_gradient2=16, gradient=2400, values=400, zero=1)
    return Workspace(
        **{name: _aligned(size, dtype) for name, size in sizes.items()},
        places=np.zeros(400, np.int64),
        corners1=np.array([0, 3, 96, 99], dtype),
        corners2=np.array([0, 6, 84, 90], dtype),
        layers=_rows(batch_size, dtype),
        layer_gradients=_rows(batch_size, dtype),
    )


def _rows(batch_size, dtype):
    return tuple(_aligned(batch_size * size, dtype).reshape(batch_size, size) for size in LAYERS)


def _aligned(size, dtype):
    """Zeros from a multiple of 64 bytes on, with room behind them for a register that begins at the last one."""
    zeros = np.zeros(size + 64 // dtype.itemsize + LANES, dtype)
    start = -zeros.ctypes.data % 64 // dtype.itemsize
    return zeros[start : start + size]


@kernel
def _lay_out_image(image, columns, pixels):
    for row in range(96):
        for i in range(16):
            columns[row * 2 * ROW + i] = image[row * 32 + 2 * i]
            columns[row * 2 * ROW + ROW + i] = image[row * 32 + 2 * i + 1]
    for i in range(1024):
        pixels[3 * i] = image[i]
        pixels[3 * i + 1] = image[1024 + i]
        pixels[3 * i + 2] = image[2048 + i]


@kernel
def _lay_out_maps(pooled1, maps):
    for y in range(14):
        for x in range(14):
            for c in range(6):
                maps[(y * 14 + x) * 6 + c] = pooled1[(c * 14 + y) * 16 + x]


@kernel
def _lay_out_weight(weight, taps, patches):
    """weight: the second convolution's (16, 6, 5, 5)."""
    for o in range(16):
        for c in range(6):
            for ky in range(5):
                for kx in range(5):
                    value = weight[((o * 6 + c) * 5 + ky) * 5 + kx]
                    taps[((ky * 5 + kx) * 6 + c) * 16 + o] = value
                    patches[(o * 5 + ky) * 32 + kx * 6 + c] = value


@kernel
def _add(sums, factor, window):
    """Add factor * window to the sums, each for the four places of a pooling window."""
    a, b, c, d = window
    return (
        add_product(sums[0], factor, a),
        add_product(sums[1], factor, b),
        add_product(sums[2], factor, c),
        add_product(sums[3], factor, d),
    )


@kernel
def _pool(window, corners, zero, pooled, corner_of, at):
    """Write the ReLU of the largest of four registers, and which corner it came from: the first of equals."""
    most, corner = window[0], spread(corners, 0)
    for i in range(1, 4):
        corner = where_larger(window[i], most, spread(corners, i), corner)
        most = where_larger(window[i], most, window[i], most)
    store(pooled, at, where_larger(most, zero, most, zero))
    store(corner_of, at, corner)


@kernel
def _convolve_and_pool_1(weight, bias, space):
    """Three channels of LANES pooling windows at a time: 12 sums stay in registers."""
    columns, zero = space.columns, spread(space.zero, 0)
    for y in range(14):
        for x in range(0, 16, LANES):
            for o in range(0, 6, 3):
                b0, b1, b2 = spread(bias, o), spread(bias, o + 1), spread(bias, o + 2)
                sums0, sums1, sums2 = (b0, b0, b0, b0), (b1, b1, b1, b1), (b2, b2, b2, b2)
                for c in range(3):
                    for ky in range(5):
                        row = (c * 32 + 2 * y + ky) * 2 * ROW + x
                        for kx in range(5):
                            left = row + kx % 2 * ROW + kx // 2
                            right = row + (kx + 1) % 2 * ROW + (kx + 1) // 2
                            window = (
                                load(columns, left),
                                load(columns, right),
                                load(columns, left + 2 * ROW),
                                load(columns, right + 2 * ROW),
                            )
                            tap = o * 75 + c * 25 + ky * 5 + kx
                            sums0 = _add(sums0, spread(weight, tap), window)
                            sums1 = _add(sums1, spread(weight, tap + 75), window)
                            sums2 = _add(sums2, spread(weight, tap + 150), window)
                at = (o * 14 + y) * 16 + x
                for sums in (sums0, sums1, sums2):
                    _pool(sums, space.corners1, zero, space.pooled1, space.corner1, at)
                    at += 14 * 16


@kernel
def _window(maps, at):
    return spread(maps, at), spread(maps, at + 6), spread(maps, at + 84), spread(maps, at + 90)


@kernel
def _convolve_and_pool_2(bias, space):
    """LANES channels of a row of five pooling windows at a time: 20 sums."""
    maps, zero = space.maps, spread(space.zero, 0)
    for y in range(5):
        for o in range(0, 16, LANES):
            b = load(bias, o)
            sums0 = sums1 = sums2 = sums3 = sums4 = (b, b, b, b)
            for ky in range(5):
                for i in range(30):
                    w = load(space.taps, (ky * 30 + i) * 16 + o)
                    at = (2 * y + ky) * 84 + i
                    sums0 = _add(sums0, w, _window(maps, at))
                    sums1 = _add(sums1, w, _window(maps, at + 12))
                    sums2 = _add(sums2, w, _window(maps, at + 24))
                    sums3 = _add(sums3, w, _window(maps, at + 36))
                    sums4 = _add(sums4, w, _window(maps, at + 48))
            at = y * 80 + o
            for sums in (sums0, sums1, sums2, sums3, sums4):
                _pool(sums, space.corners2, zero, space.pooled2, space.corner2, at)
                at += 16


@kernel
def _flatten(pooled2, features):
    """features (400,): the channels one after the other."""
    for o in range(16):
        for cell in range(25):
            features[o * 25 + cell] = pooled2[cell * 16 + o]


@kernel
def _dense(weight, bias, x, y):
    """y = weight x + bias; the weight is flat."""
    n = len(x)
    for i in range(len(y)):
        total, row = bias[i], weight[i * n : i * n + n]
        for j in range(n):
            total += row[j] * x[j]
        y[i] = total


@kernel
def _relu(x):
    for i in range(len(x)):
        if x[i] <= 0:
            x[i] = 0


@kernel
def _forward(parameters, image, sample, space):
    """image (3072,); the logits are written into row `sample` of the last layer."""
    _lay_out_image(image, space.columns, space.pixels)
    _convolve_and_pool_1(parameters[0], parameters[1], space)
    _lay_out_maps(space.pooled1, space.maps)
    _convolve_and_pool_2(parameters[3], space)
    _flatten(space.pooled2, space.layers[0][sample])
    for i in range(3):
        y = space.layers[i + 1][sample]
        _dense(parameters[4 + 2 * i], parameters[5 + 2 * i], space.layers[i][sample], y)
        if i < 2:
            _relu(y)


@kernel
def _is_correct(logits, label):
    best = 0
    for i in range(N_CLASSES):
        if logits[i] > logits[best]:
            best = i
    return best == label


@kernel
def _cross_entropy(logits, label, share, gradient):
    """Loss of one sample; gradient becomes `share` times that of the loss."""
    most = logits[0]
    for i in range(N_CLASSES):
        most = max(most, logits[i])
    total = share * 0
    for i in range(N_CLASSES):
        gradient[i] = math.exp(logits[i] - most)
        total += gradient[i]
    for i in range(N_CLASSES):
        gradient[i] *= share / total
    gradient[label] -= share
    return math.log(total) + most - logits[label]


@kernel
def _dense_backward(weight, y_gradient, x, x_gradient):
    """The gradient before the ReLU whose result is x, from that of y = weight x + bias."""
    n = len(x)
    x_gradient[:] = 0
    for i in range(len(y_gradient)):
        g, row = y_gradient[i], weight[i * n : i * n + n]
        if g != 0:
            for j in range(n):
                x_gradient[j] += g * row[j]
    for j in range(n):
        if x[j] <= 0:
            x_gradient[j] = 0


@kernel
def _backward_2(features_gradient, space):
    """Add to the gradient of the second convolution, and set that of its input."""
    maps, maps_gradient, places = space.maps, space.maps_gradient, space.places
    maps_gradient[:] = 0
    # Places are listed first, and without a branch: the processor could not foresee it.
    n = 0
    for i in range(400):
        places[n] = i
        n += features_gradient[i] != 0
    for k in range(n):
        i = places[k]
        channel, cell = i // 25, i % 25
        g = spread(features_gradient, i)
        space.bias_gradient2[channel] += features_gradient[i]
        corner = (cell // 5 * 28 + cell % 5 * 2) * 6 + int(space.corner2[cell * 16 + channel])
        for ky in range(5):
            for j in range(0, 32, LANES):
                at, tap = corner + ky * 84 + j, (channel * 5 + ky) * 32 + j
                store(space.gradient2, tap, add_product(load(space.gradient2, tap), g, load(maps, at)))
                store(maps_gradient, at, add_product(load(maps_gradient, at), g, load(space.patches, tap)))


@kernel
def _backward_1(space):
    """Add to the gradient of the first convolution."""
    pixels, gradient, values, places = space.pixels, space.gradient1, space.values, space.places
    for c in range(6):
        n = 0
        for y in range(14):
            for x in range(14):
                i = (y * 14 + x) * 6 + c
                values[n] = space.maps_gradient[i]
                places[n] = (y * 64 + x * 2) * 3 + int(space.corner1[(c * 14 + y) * 16 + x])
                n += (space.maps_gradient[i] != 0) & (not space.maps[i] <= 0)
        for k in range(n):
            space.bias_gradient1[c] += values[k]
        for j in range(0, 16, LANES):
            tap = c * 80 + j
            row0, row1, row2 = load(gradient, tap), load(gradient, tap + 16), load(gradient, tap + 32)
            row3, row4 = load(gradient, tap + 48), load(gradient, tap + 64)
            for k in range(n):
                g, at = spread(values, k), places[k] + j
                row0 = add_product(row0, g, load(pixels, at))
                row1 = add_product(row1, g, load(pixels, at + 96))
                row2 = add_product(row2, g, load(pixels, at + 192))
                row3 = add_product(row3, g, load(pixels, at + 288))
                row4 = add_product(row4, g, load(pixels, at + 384))
            store(gradient, tap, row0)
            store(gradient, tap + 16, row1)
            store(gradient, tap + 32, row2)
            store(gradient, tap + 48, row3)
            store(gradient, tap + 64, row4)


@kernel
def _backward(parameters, sample, space):
    for i in range(2, -1, -1):
        y_gradient, x_gradient = space.layer_gradients[i + 1][sample], space.layer_gradients[i][sample]
        _dense_backward(parameters[4 + 2 * i], y_gradient, space.layers[i][sample], x_gradient)
    _backward_2(space.layer_gradients[0][sample], space)
    _backward_1(space)


@kernel
def _descend(weight, velocity, gradient, rate, momentum, decay):
    for i in range(len(weight)):
        velocity[i] = momentum * velocity[i] + gradient[i] + decay * weight[i]
        weight[i] -= rate * velocity[i]


@kernel
def _reorder(patches, n_channels, gradient):
    """From patches (n, 5, 16 or 32) to PyTorch's order (n, n_channels, 5, 5)."""
    n = len(gradient) // (n_channels * 25)
    width = len(patches) // (n * 5)
    for o in range(n):
        for c in range(n_channels):
            for ky in range(5):
                for kx in range(5):
                    value = patches[(o * 5 + ky) * width + kx * n_channels + c]
                    gradient[((o * n_channels + c) * 5 + ky) * 5 + kx] = value


@kernel
def _sum_of_products(y_gradient, i, x, gradient):
    """Row i of a layer's gradient, of y_gradient (B, m) and x (B, n), into gradient (n,); returns that of bias i."""
    gradient[:] = 0
    total = y_gradient[0, i] * 0
    for sample in range(len(x)):
        g, row = y_gradient[sample, i], x[sample]
        if g != 0:
            total += g
            for j in range(len(row)):
                gradient[j] += g * row[j]
    return total


@kernel
def _update(p, v, space, size, rate, momentum, decay):
    """SGD with the gradients of `size` samples; biases do not decay."""
    no_decay = decay * 0
    _reorder(space.gradient1, 3, space.gradient[:450])
    _descend(p[0], v[0], space.gradient, rate, momentum, decay)
    _descend(p[1], v[1], space.bias_gradient1, rate, momentum, no_decay)
    _reorder(space.gradient2, 6, space.gradient)
    _descend(p[2], v[2], space.gradient, rate, momentum, decay)
    _descend(p[3], v[3], space.bias_gradient2, rate, momentum, no_decay)
    for layer in range(3):
        x, y_gradient = space.layers[layer][:size], space.layer_gradients[layer + 1][:size]
        weight, bias, v_weight, v_bias = p[4 + 2 * layer], p[5 + 2 * layer], v[4 + 2 * layer], v[5 + 2 * layer]
        n = x.shape[1]
        for i in range(len(bias)):
            row = slice(i * n, i * n + n)
            total = _sum_of_products(y_gradient, i, x, space.gradient[:n])
            _descend(weight[row], v_weight[row], space.gradient, rate, momentum, decay)
            v_bias[i] = momentum * v_bias[i] + total
            bias[i] -= rate * v_bias[i]


@entry
def _train(parameters, velocities, images, labels, batch_size, rates, momentum, decay, space, losses):
    """images (n, 3072); parameters and velocities flat. Writes the losses and returns the number correct."""
    n_correct = 0
    for batch in range(len(rates)):
        start = batch * batch_size
        size = min(batch_size, len(images) - start)
        _lay_out_weight(parameters[2], space.taps, space.patches)
        for gradient in (space.gradient1, space.gradient2, space.bias_gradient1, space.bias_gradient2):
            gradient[:] = 0
        loss, share = 0.0, images.dtype.type(1 / size)
        for sample in range(size):
            _forward(parameters, images[start + sample], sample, space)
            logits, label = space.layers[3][sample], labels[start + sample]
            n_correct += _is_correct(logits, label)
            loss += _cross_entropy(logits, label, share, space.layer_gradients[3][sample])
            _backward(parameters, sample, space)
        losses[batch] = loss / size
        _update(parameters, velocities, space, size, rates[batch], momentum, decay)
    return n_correct


def train_batches(parameters, velocities, images, labels, batch_size, learning_rates, momentum, weight_decay):
    """One step of SGD for each mini-batch of batch_size images in their order; the last may be smaller.

    parameters, velocities: ten arrays each, shaped and ordered as lenet().parameters() are, changed in place; images:
    normalised (n, 3, 32, 32), of the same dtype; labels: int64 (n,); learning_rates (n_batches,). As torch.optim.SGD,
    with weight decay for the weights and none for the biases.
    Returns the mean losses (n_batches,), each before its step, and how many images were classified correctly then.
    Raises ConfigError for anything of another kind or shape, since compiled code looks at no bounds.
    """
    if not isinstance(batch_size, numbers.Integral) or isinstance(batch_size, bool) or batch_size < 1:
        raise ConfigError(f"batch_size: expected a whole number from 1 on, got {batch_size!r}")
    flat, n = _checked(parameters, images)
    velocities = _flat("velocities", velocities, images.dtype)
    _check("labels", labels, (n,), np.dtype(np.int64))
    if n and not 0 <= labels.min() <= labels.max() < N_CLASSES:
        raise ConfigError(f"labels: expected 0 to {N_CLASSES - 1}, got {labels.min()} to {labels.max()}")
    rates = np.asarray(learning_rates, images.dtype)
    n_batches = -(-n // batch_size)
    if rates.shape != (n_batches,):
        raise ConfigError(
            f"learning_rates: expected one for each of {n_batches} mini-batches, got an array {rates.shape}"
        )
    losses = np.empty(n_batches)
    momentum, decay = images.dtype.type(momentum), images.dtype.type(weight_decay)
    space = _workspace(min(batch_size, n), images.dtype)
    rows = images.reshape(n, 3072)
    n_correct = _train(flat, velocities, rows, labels, batch_size, rates, momentum, decay, space, losses)
    return losses, n_correct


def _checked(parameters, images):
    """The parameters as flat views, and the number of images."""
    dtype = getattr(images, "dtype", None)
    if dtype not in (np.float32, np.float64):
        raise ConfigError(f"images: expected float32 or float64, got {dtype or type(images).__name__}")
    n = len(images) if images.ndim else 0
    _check("images", images, (n, 3, 32, 32), dtype)
    return _flat("parameters", parameters, dtype), n


def _flat(name, arrays, dtype):
    if len(arrays) != len(PARAMETERS):
        raise ConfigError(f"{name}: expected the {len(PARAMETERS)} of LeNet at width 1, got {len(arrays)}")
    for i, (array, shape) in enumerate(zip(arrays, PARAMETERS)):
        _check(f"{name}[{i}]", array, shape, dtype)
        if not array.flags.writeable:
            raise ConfigError(f"{name}[{i}]: expected an array that can be written")
    return tuple(array.reshape(-1) for array in arrays)


def _check(name, array, shape, dtype):
    if not isinstance(array, np.ndarray):
        raise ConfigError(f"{name}: expected a NumPy array, got {type(array).__name__}")
    if array.shape != shape or array.dtype != dtype:
        raise ConfigError(f"{name}: expected {shape} of {dtype}, got {array.shape} of {array.dtype}")
    if not (array.flags.c_contiguous and array.flags.aligned):
        raise ConfigError(
            f"{name}: expected a C-contiguous array that is aligned; numpy.require(array, requirements='CA') makes one"
        )
