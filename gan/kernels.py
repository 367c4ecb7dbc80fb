"""The whole training of the plain 2-5-1 GAN as one compiled function, on one core: draws, both updates, nothing kept.

What it computes is what `game` computes with a linear discriminator, a cross-entropy loss, SGD and a teacher, in
float32. The loops over a batch are written so that the compiler turns them into vectors, without branches or calls.
"""

import numpy as np
from numpy import float32 as real
from numpy import int32, uint64

from gan import draws
from runner.compiled import entry, inline, kernel

GOLDEN, FIRST, SECOND = (np.uint64(c % 2**64) for c in (draws.GOLDEN, draws.FIRST, draws.SECOND))
HALF_TURN, ULP = 2 ** (draws.BITS - 1), 2.0**-draws.BITS
MASK = np.uint64(2**draws.BITS - 1)
UP = np.uint64(64 - draws.BITS)
# Taylor, in turns: sin(2 pi x) = x P(x^2) to 2e-7 for |x| <= 1/4; atanh(t) = t P(t^2), for the logarithm; 2^x.
SINE = tuple(
    np.float32((-1) ** k * (2 * np.pi) ** (2 * k + 1) / c) for k, c in enumerate((1, 6, 120, 5040, 362880, 39916800))
)
LOG2, INVERSE_LOG2 = np.float32(np.log(2)), np.float32(1 / np.log(2))
SQRT2 = np.float32(np.sqrt(2))
POWER = tuple(np.float32(np.log(2) ** k / c) for k, c in enumerate((1, 1, 2, 6, 24, 120, 720)))


@inline
def mixed(state):
    """`draws._mixed`."""
    state = (state ^ (state >> uint64(30))) * FIRST
    state = (state ^ (state >> uint64(27))) * SECOND
    return state ^ (state >> uint64(31))


@inline
def sine(turns):
    """sin(2 pi x) for |x| <= 1/4."""
    q = turns * turns
    return turns * (SINE[0] + q * (SINE[1] + q * (SINE[2] + q * (SINE[3] + q * (SINE[4] + q * SINE[5])))))


@inline
def logarithm(x):
    """Of a normal positive number: its exponent, and the mantissa between 1/sqrt(2) and sqrt(2) by atanh."""
    bits = np.float32(x).view(np.int32)
    exponent = (bits >> int32(23)) - int32(127)
    mantissa = int32((bits & int32(0x7FFFFF)) | int32(0x3F800000)).view(np.float32)
    high = mantissa > SQRT2
    mantissa = mantissa * real(0.5) if high else mantissa
    exponent = exponent + int32(1) if high else exponent
    t = (mantissa - real(1)) / (mantissa + real(1))
    q = t * t
    series = real(1) + q * (real(1 / 3) + q * (real(1 / 5) + q * (real(1 / 7) + q * real(1 / 9))))
    return real(2) * t * series + real(exponent) * LOG2


@inline
def relu(x):
    # Not max: that looks for NaN first.
    return x if x > real(0) else real(0)


@inline
def sigmoid(x):
    """1 / (1 + 2^(-x / log 2)), the power by its whole part and a polynomial."""
    y = -x * INVERSE_LOG2
    y = y if y > real(-120) else real(-120)
    y = y if y < real(120) else real(120)
    whole = np.floor(y + real(0.5))
    f = y - whole
    series = POWER[3] + f * (POWER[4] + f * (POWER[5] + f * POWER[6]))
    series = POWER[0] + f * (POWER[1] + f * (POWER[2] + f * series))
    power = int32((int32(whole) + int32(127)) << int32(23)).view(np.float32)
    return real(1) / (real(1) + series * power)


@kernel
def draw(key, half, out):
    """`Stream.normals` of one key into out (2 half,)."""
    for i in range(half):
        bits = mixed(key + GOLDEN * uint64(i + 1))
        uniform = (real(int32(bits >> UP)) + real(0.5)) * real(ULP)
        radius = np.sqrt(real(-2) * logarithm(uniform))
        angle = real(int32(bits & MASK) - int32(HALF_TURN)) * real(ULP)  # in turns, from -1/2 to 1/2
        distance = abs(angle)
        rest = real(0.5) - distance
        folded = distance if distance < rest else rest
        out[i] = radius * sine(real(0.25) - distance)
        out[half + i] = radius * (sine(folded) if angle >= real(0) else -sine(folded))


@kernel
def by_discriminator(w_g, w_d, noise, size, sign, gradient):
    """Add to gradient (5,) minus the sum of sign sigmoid(sign s) y over y = ReLU(W_g x), s = W_d y; noise (2 size,)."""
    a0, a1, a2, a3, a4 = w_g[0, 0], w_g[1, 0], w_g[2, 0], w_g[3, 0], w_g[4, 0]
    b0, b1, b2, b3, b4 = w_g[0, 1], w_g[1, 1], w_g[2, 1], w_g[3, 1], w_g[4, 1]
    w0, w1, w2, w3, w4 = w_d[0], w_d[1], w_d[2], w_d[3], w_d[4]
    zero = real(0)
    g0, g1, g2, g3, g4 = zero, zero, zero, zero, zero
    for i in range(size):
        u, v = noise[i], noise[size + i]
        y0, y1, y2 = relu(a0 * u + b0 * v), relu(a1 * u + b1 * v), relu(a2 * u + b2 * v)
        y3, y4 = relu(a3 * u + b3 * v), relu(a4 * u + b4 * v)
        p = sigmoid(sign * (w0 * y0 + w1 * y1 + w2 * y2 + w3 * y3 + w4 * y4))
        g0 += p * y0
        g1 += p * y1
        g2 += p * y2
        g3 += p * y3
        g4 += p * y4
    gradient[0] -= sign * g0
    gradient[1] -= sign * g1
    gradient[2] -= sign * g2
    gradient[3] -= sign * g3
    gradient[4] -= sign * g4


@kernel
def by_generator(w_g, w_d, noise, size, sign, gradient):
    """Set gradient (5, 2) to that of the mean of the generator's loss, whose slope is -sigmoid(sign s)."""
    a0, a1, a2, a3, a4 = w_g[0, 0], w_g[1, 0], w_g[2, 0], w_g[3, 0], w_g[4, 0]
    b0, b1, b2, b3, b4 = w_g[0, 1], w_g[1, 1], w_g[2, 1], w_g[3, 1], w_g[4, 1]
    w0, w1, w2, w3, w4 = w_d[0], w_d[1], w_d[2], w_d[3], w_d[4]
    zero, one = real(0), real(1)
    c0, c1, c2, c3, c4 = zero, zero, zero, zero, zero
    d0, d1, d2, d3, d4 = zero, zero, zero, zero, zero
    for i in range(size):
        u, v = noise[i], noise[size + i]
        y0, y1, y2 = relu(a0 * u + b0 * v), relu(a1 * u + b1 * v), relu(a2 * u + b2 * v)
        y3, y4 = relu(a3 * u + b3 * v), relu(a4 * u + b4 * v)
        p = sigmoid(sign * (w0 * y0 + w1 * y1 + w2 * y2 + w3 * y3 + w4 * y4))
        pu, pv = p * u, p * v
        m0 = one if y0 > zero else zero
        c0 += pu * m0
        d0 += pv * m0
        m1 = one if y1 > zero else zero
        c1 += pu * m1
        d1 += pv * m1
        m2 = one if y2 > zero else zero
        c2 += pu * m2
        d2 += pv * m2
        m3 = one if y3 > zero else zero
        c3 += pu * m3
        d3 += pv * m3
        m4 = one if y4 > zero else zero
        c4 += pu * m4
        d4 += pv * m4
    n = real(size)
    gradient[0, 0], gradient[0, 1] = -w0 * c0 / n, -w0 * d0 / n
    gradient[1, 0], gradient[1, 1] = -w1 * c1 / n, -w1 * d1 / n
    gradient[2, 0], gradient[2, 1] = -w2 * c2 / n, -w2 * d2 / n
    gradient[3, 0], gradient[3, 1] = -w3 * c3 / n, -w3 * d3 / n
    gradient[4, 0], gradient[4, 1] = -w4 * c4 / n, -w4 * d4 / n


@entry
def play(
    keys, first, factors, w_g, w_d, teacher, learning_rate, gamma, size, sign, alternating, sums_from, sum_g, sum_d
):
    """Train K GANs in place for len(factors) steps, from the step `first` on.

    All arrays are C-contiguous and float32, but for keys (K,) uint64, sum_g (K, 5, 2) and sum_d (K, 5) float64.
    factors (n,): of the learning rates (K,), step by step; sign: 1 for the saturating loss, -1 for the other;
    sums_from: the step from which the weights are added to the sums.
    """
    noise, ascent, descent = np.empty(6 * size, real), np.empty(5, real), np.empty((5, 2), real)
    before = np.empty(5, real)
    for k in range(len(keys)):
        for step in range(len(factors)):
            draw(mixed(keys[k] + uint64(first + step) * FIRST), 3 * size, noise)
            rate = learning_rate[k] * factors[step]
            ascent[:] = real(0)
            by_discriminator(teacher[k], w_d[k], noise[4 * size :], size, real(-1), ascent)
            by_discriminator(w_g[k], w_d[k], noise, size, real(1), ascent)
            before[:] = w_d[k]
            for i in range(5):
                w_d[k, i] += rate * (ascent[i] / real(size) - gamma[k] * w_d[k, i])
            by_generator(w_g[k], w_d[k] if alternating else before, noise[2 * size :], size, real(sign), descent)
            for i in range(5):
                for j in range(2):
                    w_g[k, i, j] -= rate * descent[i, j]
            if first + step >= sums_from:
                for i in range(5):
                    sum_d[k, i] += w_d[k, i]
                    for j in range(2):
                        sum_g[k, i, j] += w_g[k, i, j]
