"""Generative adversarial networks: the value function, its optimum, and the gradients of the 2-5-1 GAN.

Laws live on a finite set of points here, as probability vectors: p for the data, q for the generator.
Source: Goodfellow et al. (2014), Generative Adversarial Nets.
"""

import re

from sympy import Abs, Add, factor, log

from derivations.abbreviations import abbreviate
from derivations.api import derive, read
from derivations.derivation import Rule
from derivations.errors import UnsupportedError
from derivations.expressions import Inner, Product, Sum, Transpose, split_scale
from derivations.rewriting import equalities, rewrite
from derivations.simplification import simplify
from derivations.topics import logarithms
from derivations.topics.extrema import stationary_point

POSITIVE = {"kind": "scalar", "props": ["positive"]}
PROBABILITY = {"kind": "scalar", "props": ["unit_interval"]}
LAW = {"kind": "vector", "shape": ["n"], "props": ["prob"]}

# ----------------------------------------------------------------------- the optimum


def optimal_discriminator():
    """The D that maximises p log D + q log(1 - D) at one point: p / (p + q)."""
    reading, _ = read("p*log(D) + q*log(1 - D)", {"p": POSITIVE, "q": POSITIVE, "D": PROBABILITY})
    p, q, d = (reading.variables[n] for n in ("p", "q", "D"))
    return stationary_point(reading.expression, d, (p, q, d))


def _expand_inner(e):
    """u'(A + B) = u'A + u'B, constants multiplied out of the inner product."""
    row, *rest = e.args
    scalar, last = split_scale(rest[-1])
    if not isinstance(last, Sum):
        return None
    return Add(*(scalar * Product(row, *rest[:-1], t) for t in last.args))


EXPAND = Rule(Inner, "multiply out", r"p^\top(u + v) = p^\top u + p^\top v", _expand_inner, source="Matrix algebra")
ONE = Rule(None, "probabilities sum to one", r"\mathbf1^\top p = 1", source="Matrix algebra")
MIDPOINT = Rule(None, "with the midpoint law", r"p + q = 2m", source="Goodfellow et al. (2014), theorem 1")


def value_at_best_discriminator():
    """V(D*, G) = p' log(p/m) + q' log(q/m) - 2 log 2 = 2 JSD(p, q) - log 4, m the midpoint of p and q."""
    reading, (midpoint,) = read(
        "p'*log(p ./ (p + q)) + q'*log(q ./ (p + q))", {"p": LAW, "q": LAW}, {"m": ("(p + q)/2", "positive")}
    )
    halves = abbreviate(reading.expression, (midpoint,))
    split, _ = rewrite(halves, (logarithms.MULTIPLE,))
    expanded, _ = rewrite(split, (EXPAND,))
    result, _ = simplify(expanded)
    return equalities(
        reading.expression,
        reading.variables.values(),
        (MIDPOINT, halves),
        (logarithms.MULTIPLE, split),
        (EXPAND, expanded),
        (ONE, result),
        definitions=(midpoint,),
    )


EQUAL_LAWS = Rule(None, "substitute q = p", r"q = p", source="Matrix algebra")
ONE_LOGARITHM = Rule(None, "log of a power", r"2\log 2 = \log 2^2", source="Laws of logarithms")


def value_at_equilibrium():
    """V at q = p with the best discriminator, which is 1/2 everywhere: -log 4."""
    reading, _ = read("p'*log(p ./ (p + q)) + q'*log(q ./ (p + q))", {"p": LAW, "q": LAW})
    p, q = reading.variables.values()
    equal = reading.expression.xreplace({q: p})
    result, _ = simplify(equal)
    return equalities(
        reading.expression,
        (p, q),
        (EQUAL_LAWS, equal),
        (ONE, result),
        (ONE_LOGARITHM, -log(4)),
        definitions=((q, p),),
    )


# -------------------------------------------------------------------- other losses, other divergences

SCORE = {"kind": "scalar"}
PUT_IN = Rule(None, "with the best score", r"s = s^{\star}", source="Calculus of one variable")
DIVERGENCE = Rule(
    None,
    "split off the sum of the laws",
    r"-\frac{2pq}{p + q} = \frac{(p - q)^2}{2(p + q)} - \frac{p + q}{2}",
    source="Mao et al. (2017), section 3.2",
)
LARGER = Rule(None, "cases", r"|p - q| = \max(p, q) - \min(p, q)", source="Lim & Ye (2017), section 2")
UNIT = Rule(None, "the steepest unit vector", r"w = d / \|d\|", source="Cauchy-Schwarz inequality")


def best_least_squares_score():
    """The score s that maximises -p (s - 1)^2/2 - q (s + 1)^2/2 at one point: (p - q) / (p + q)."""
    reading, _ = read(_AT_A_POINT["least-squares"], {"p": POSITIVE, "q": POSITIVE, "s": SCORE})
    p, q, s = (reading.variables[n] for n in ("p", "q", "s"))
    return stationary_point(reading.expression, s, (p, q, s))


# What a discriminator gains at one point where the data have p and the generator q, by its score s there.
_AT_A_POINT = {
    "least-squares": "-p*(s - 1)^2/2 - q*(s + 1)^2/2",
    "hinge": "-p*relu(1 - s) - q*relu(1 + s)",
}


def least_squares_value():
    """The same with the best score: (p - q)^2 / (2 (p + q)) - (p + q)/2, which sums to half a chi-squared - 1.

    The divergence, sum (p - q)^2/(p + q), is that of Vincze and Le Cam.
    """
    best = best_least_squares_score()
    reading, _ = read(_AT_A_POINT["least-squares"], {"p": POSITIVE, "q": POSITIVE, "s": SCORE})
    p, q, s = (reading.variables[n] for n in ("p", "q", "s"))
    value = factor(reading.expression.subs(s, best.point))
    return equalities(
        reading.expression,
        (p, q, s),
        (PUT_IN, value),
        (DIVERGENCE, (p - q) ** 2 / (2 * (p + q)) - (p + q) / 2),
        definitions=((s, best.point),),
    )


def hinge_value():
    """The hinge at one point with the score sign(p - q): |p - q| - (p + q), summed twice the total variation - 2.

    Between -1 and 1 the gain is (p - q) s - (p + q), a straight line; beyond them it falls.
    """
    reading, (score,) = read(_AT_A_POINT["hinge"], {"p": POSITIVE, "q": POSITIVE}, {"s": "sign(p - q)"})
    p, q = (reading.variables[n] for n in ("p", "q"))
    return equalities(reading.expression, (p, q), (LARGER, Abs(p - q) - p - q), definitions=(score,))


def wasserstein_value():
    """The gain w'd of a linear critic, d = E r - E y, at the best w in the unit ball: the length of d."""
    reading, (critic,) = read("w'*d", {"d": "n"}, {"w": "d/norm2(d)"})
    d = reading.variables["d"]
    return equalities(
        reading.expression, (d,), (UNIT, read("norm2(d)", {"d": "n"})[0].expression), definitions=(critic,)
    )


# ------------------------------------------------------------------------- the 2-5-1 GAN

SHAPES = {"W_d": "1,5", "W_g": "5,2", "r": "5", "x": "2"}
NETWORK = {
    "y": "relu(W_g*x)",
    "b_r": "sigmoid(W_d*r)",
    "b": "sigmoid(W_d*y)",
    "s_r": "W_d*r",
    "s": "W_d*y",
}
BATCH_SHAPES = {"W_d": "1,5", "W_g": "5,2", "R": "B,5", "X": "B,2"}
BATCH_NETWORK = {
    "Y": "relu(X*W_g')",
    "b_r": "sigmoid(R*W_d')",
    "b": "sigmoid(Y*W_d')",
    "s_r": "R*W_d'",
    "s": "Y*W_d'",
}
# What each player's loss is; the discriminator ascends the value, the generator descends the other one.
# Goodfellow et al. (2014); Mao et al. (2017), with the codes -1, 1 and 1; Lim & Ye (2017); Arjovsky et al. (2017).
LOSSES = {
    "value": "log(b_r) + log(1 - b)",
    "saturating": "log(1 - b)",
    "non-saturating": "-log(b)",
    "least-squares value": "-(s_r - 1)^2/2 - (s + 1)^2/2",
    "least-squares": "(s - 1)^2/2",
    "hinge value": "-relu(1 - s_r) - relu(1 + s)",
    "hinge": "-s",
    "wasserstein value": "s_r - s",
    "wasserstein": "-s",
}
BATCH_LOSSES = {
    "value": "mean(log(b_r)) + mean(log(vector(1) - b))",
    "saturating": "mean(log(vector(1) - b))",
    "non-saturating": "-mean(log(b))",
    "least-squares value": "-mean((s_r - vector(1)).^2)/2 - mean((s + vector(1)).^2)/2",
    "least-squares": "mean((s - vector(1)).^2)/2",
    "hinge value": "-mean(relu(vector(1) - s_r)) - mean(relu(vector(1) + s))",
    "hinge": "-mean(s)",
    "wasserstein value": "mean(s_r) - mean(s)",
    "wasserstein": "-mean(s)",
}


def gradient(wrt, loss="value"):
    """The gradient of a loss of LOSSES by "W_d" (1, 5) or "W_g" (5, 2) at one real r (5,) and one noise x (2,)."""
    return _derived(LOSSES, SHAPES, NETWORK, wrt, loss)


def batch_gradient(wrt, loss="value"):
    """The same for a batch: real data R (B, 5), noise X (B, 2), means over the batch."""
    return _derived(BATCH_LOSSES, BATCH_SHAPES, BATCH_NETWORK, wrt, loss)


def _derived(losses, shapes, network, wrt, loss):
    """Of the variables and the abbreviations those that the loss has."""
    if loss not in losses:
        raise UnsupportedError(f"no loss {loss!r}; known are {', '.join(losses)}")
    used = set(re.findall(r"\w+", losses[loss])) | {"y", "Y"}
    real = used & {"b_r", "s_r"}
    return derive(
        losses[loss],
        wrt,
        variables={n: s for n, s in shapes.items() if real or n not in ("r", "R")},
        definitions={n: text for n, text in network.items() if n in used},
    )


# ------------------------------------------------------------------ a new latent law each time

LATENT = {
    "w": {"kind": "vector", "shape": ["K"], "props": ["prob"]},
    "P": "K,S",
    "f": "S",
}
MIXTURE = Rule(None, "the mixture law", r"\bar p = P^\top w", source="Law of total probability")


def expectation_over_laws():
    """E_t E_{z ~ p_t} f(z) = E_{z ~ pbar} f(z) for laws p_k, the rows of P (K, S), drawn with probabilities w (K,).

    f (S,) holds the values of any function of G(z), such as log(1 - D(G(z))), at the points z.
    """
    reading, (mixture,) = read("w'*(P*f)", LATENT, {"pbar": "P'*w"})
    mixed = Product(Transpose(mixture[0]), reading.variables["f"])
    return equalities(reading.expression, reading.variables.values(), (MIXTURE, mixed), definitions=(mixture,))


WITHIN = Rule(
    None,
    "multiply out",
    r"\operatorname{Var}\bar g = \operatorname{E}v/B + \operatorname{Var}\mu",
    source="Law of total variance",
)


def variance_over_laws():
    """The variance of a batch mean of gradients, with mu_k and v_k (K,) their mean and variance under law k.

    Only the first term shrinks with the batch size B.
    """
    variables = {
        "w": LATENT["w"],
        "mu": "K",
        "v": {"kind": "vector", "shape": ["K"], "props": ["positive"]},
        "B": POSITIVE,
    }
    reading, _ = read("w'*(v/B + mu.^2) - (w'*mu)^2", variables)
    split, _ = rewrite(reading.expression, (EXPAND,))
    return equalities(reading.expression, reading.variables.values(), (WITHIN, split))
