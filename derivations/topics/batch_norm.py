"""Batch normalisation of one feature over a batch of N examples, x of shape (N,).

    m = mean(x),  s = sqrt(var(x) + eps) with the biased variance,  xhat = (x - m) / s,  y = gamma xhat + beta

Source: Ioffe & Szegedy (2015), Batch Normalization.
"""

from sympy import Integer, Symbol, expand
from sympy import collect as collect_powers

from derivations.abbreviations import abbreviate
from derivations.api import derive, read
from derivations.derivation import Rule
from derivations.rewriting import equalities

POSITIVE = {"kind": "scalar", "props": ["positive"]}
SCALAR = {"kind": "scalar"}
VARIABLES = {"g": "N", "x": "N", "gamma": SCALAR, "beta": SCALAR, "eps": POSITIVE}
DEFINITIONS = {
    "m": "mean(x)",
    "s": "sqrt(norm2(x - m*vector(1))^2/rows(x) + eps)",
    "xhat": ("(x - m*vector(1))/s", "centred"),
}


NORMALISE = Rule(None, "normalise", r"\hat x = (x - m)/s", source="Ioffe & Szegedy (2015), Batch Normalization")


def backward(wrt):
    """The gradient of g'y by "x", "gamma" or "beta", where g = dL/dy is the upstream gradient, (N,)."""
    return derive("g'*(gamma*xhat + beta*vector(1))", wrt, variables=VARIABLES, definitions=DEFINITIONS)


AFFINE = Rule(None, "multiply out", r"\gamma\frac{x - \mu}{s} + \beta = ax + b", source="Algebra")


def forward():
    """The layer in training, with the batch's own mean and biased deviation: gamma xhat + beta, (N,)."""
    reading, definitions = read("gamma*xhat + beta*vector(1)", VARIABLES, DEFINITIONS)
    short = abbreviate(reading.expression, definitions)
    return equalities(reading.expression, reading.variables.values(), (NORMALISE, short), definitions=definitions)


def inference():
    """The layer at inference, for one value x, with the running mean mu and deviation s: a fixed affine map."""
    reading, _ = read(
        "gamma*(x - mu)/s + beta", {"gamma": SCALAR, "x": SCALAR, "mu": SCALAR, "s": POSITIVE, "beta": SCALAR}
    )
    affine = collect_powers(expand(reading.expression), reading.variables["x"])
    return equalities(reading.expression, reading.variables.values(), (AFFINE, affine))


def running_estimate(running, batch, momentum=0.1):
    """The running mean or variance after a batch; PyTorch's momentum is the weight of the batch."""
    return (1 - momentum) * running + momentum * batch


def unbiased(variance, n):
    """The variance of n values divided by n - 1, from that divided by n: what the running variance is fed with."""
    return variance * n / (n - 1)


FOLD = Rule(
    None, "fold into the layer before", r"\gamma\odot(Wx + b - \mu)\oslash s + \beta = W'x + b'", source="Algebra"
)


def folded():
    """Inference after a linear layer as one linear layer: W' = diag(gamma/s) W, b' = gamma (b - mu)/s + beta.

    W (k, n), x (n,), and b, mu, s, gamma, beta (k,), with s = sqrt(running variance + eps) > 0.
    """
    vectors = {name: "k" for name in ("b", "mu", "gamma", "beta")}
    variables = {"W": "k,n", "x": "n", "s": {"kind": "vector", "shape": ["k"], "props": ["positive"]}, **vectors}
    layer, _ = read("gamma .* (W*x + b - mu) ./ s + beta", variables)
    linear, _ = read("diag(gamma ./ s)*W*x + (gamma .* (b - mu) ./ s + beta)", variables)
    return equalities(layer.expression, layer.variables.values(), (FOLD, linear.expression))


# The delta method: Var f(m, s) is about f_m^2 Var m + f_s^2 Var s (Casella & Berger 2002, 5.5.4).
STANDARD = Rule(
    None,
    "m = 0, s = 1",
    r"m = 0,\ s = 1,\ \operatorname{Var}m = 1/B,\ \operatorname{Var}s = 1/(2B)",
    source="Moments of the mean and deviation of a normal sample",
)


def noise_slopes():
    """The derivatives of the normalised activation (x - m)/s by the batch's mean m and deviation s."""
    variables = {"x": SCALAR, "m": SCALAR, "s": POSITIVE}
    return tuple(derive("(x - m)/s", name, variables=variables) for name in ("m", "s"))


def noise_variance():
    """The variance that B random companions N(0, 1) give to the normalised value of x: (1 + x^2/2)/B."""
    by_mean, by_deviation = noise_slopes()
    x, m, s = by_mean.variables
    batch = Symbol("B", positive=True)
    variance = by_mean.result**2 / batch + by_deviation.result**2 / (2 * batch)
    return equalities(
        variance,
        (x, m, s, batch),
        (STANDARD, variance.subs({m: 0, s: 1})),
        definitions=((m, Integer(0)), (s, Integer(1))),
        conditions=("m and s vary a little, so first order is enough",),
    )
