"""L2 regularisation and weight decay: L'(w) = L(w) + lambda w'w under the usual optimisers.

w (n,), learning rate alpha > 0, regularisation lambda > 0; L is any smooth loss. PyTorch's `weight_decay`
is 2 lambda for this L'. Sources: Krogh & Hertz (1992), A Simple Weight Decay Can Improve Generalization;
Loshchilov & Hutter (2019), Decoupled Weight Decay Regularization.
"""

from sympy import Abs, Symbol, sqrt, sympify

from derivations.derivation import Rule
from derivations.differentiation import differentiate
from derivations.elementwise import SLOTS, Apply, Hadamard
from derivations.expressions import LossGradient, Ones, Scale, Sum, Variable, Zero, split_scale
from derivations.rewriting import equalities
from derivations.scalars import Loss

N = Symbol("n", integer=True, positive=True)
W = Variable("w", N, 1)
V = Variable("v", N, 1)
ALPHA = Symbol("alpha", positive=True)
LAMBDA = Symbol("lambda", positive=True)
MU = Symbol("mu", positive=True)
BETA1, BETA2, EPSILON = (Symbol(n, positive=True) for n in ("beta_1", "beta_2", "epsilon"))
DECAY = Symbol("delta", positive=True)
GRADIENT = LossGradient("L", W)

REGROUP = Rule(None, "collect w", r"w - 2\alpha\lambda w = (1 - 2\alpha\lambda)w", source="Algebra")


def pytorch_weight_decay(lam):
    """The `weight_decay` of torch.optim that adds lam * w'w to the loss."""
    return 2 * lam


def penalised_gradient():
    """The gradient of L(w) + lambda w'w: dL/dw + 2 lambda w."""
    return differentiate(Loss("L", W) + LAMBDA * (W.T * W), (W, LAMBDA), (W,))


def regrouped(update):
    """An update with its multiples of w collected."""
    multiple, rest = 0, []
    for term in update.args:
        scalar, core = split_scale(term)
        parts = [split_scale(t) for t in (core.args if isinstance(core, Sum) else (core,))]
        multiple += scalar * sum(c for c, inner in parts if inner == W)
        rest.append(Scale(scalar, Sum(*(Scale(c, inner) for c, inner in parts if inner != W))))
    return Sum(Scale(multiple, W), *(t for t in rest if t != 0))


def gradient_descent():
    """One step on the regularised loss, regrouped: (1 - 2 alpha lambda) w - alpha dL/dw."""
    update = sgd_step(W, penalised_gradient().result)
    return equalities(update, (W, ALPHA, LAMBDA), (REGROUP, regrouped(update)))


def momentum():
    """The same with momentum mu and velocity v: (1 - 2 alpha lambda) w - alpha (mu v + dL/dw)."""
    _, update = momentum_step(W, V, penalised_gradient().result)
    return equalities(update, (W, V, ALPHA, LAMBDA, MU), (REGROUP, regrouped(update)))


ROOT_OF_SQUARE = Rule(None, "the root of a square", r"\sqrt{g\odot g} = \lvert g\rvert", source="Algebra")


def adam_first_step():
    """Adam's first step from rest moves every coordinate by nearly alpha, whatever the size of its gradient g.

    g stands for all that Adam is given: with L2 regularisation that is dL/dw + 2 lambda w, whose size cancels.
    """
    return _first_step(W)


def adamw_first_step(decay=DECAY):
    """The first step of AdamW, which shrinks w by 1 - alpha decay before it does the same."""
    return _first_step(decoupled(W, decay), decay)


def _first_step(start, decay=0):
    g = Variable("g", N, 1)
    nothing = Zero(N, 1)
    update = adam_step(start, nothing, nothing, g, 1)[-1]
    root, magnitude = Apply(sqrt(SLOTS[0]), Apply(SLOTS[0] ** 2, g)), Apply(Abs(SLOTS[0]), g)
    symbols = sorted(update.free_symbols & {ALPHA, EPSILON} | sympify(decay).free_symbols, key=str)
    return equalities(update, (W, g, *symbols), (ROOT_OF_SQUARE, update.xreplace({root: magnitude})))


# ------------------------------------------------------------- one step of each optimiser, as trees


def sgd_step(w, gradient, alpha=ALPHA):
    return Sum(w, Scale(-alpha, gradient))


def momentum_step(w, velocity, gradient, alpha=ALPHA, mu=MU):
    """(velocity, w) after one step of SGD with momentum, as torch.optim.SGD has it."""
    velocity = Sum(Scale(mu, velocity), gradient)
    return velocity, sgd_step(w, velocity, alpha)


def adam_step(w, moment, square, gradient, step, alpha=ALPHA, beta_1=BETA1, beta_2=BETA2, epsilon=EPSILON):
    """(first moment, second moment, w) after the step-th step of Adam, counted from 1."""
    moment = Sum(Scale(beta_1, moment), Scale(1 - beta_1, gradient))
    square = Sum(Scale(beta_2, square), Scale(1 - beta_2, Apply(SLOTS[0] ** 2, gradient)))
    corrected = Scale(1 / (1 - beta_1**step), moment)
    root = Apply(sqrt(SLOTS[0]), Scale(1 / (1 - beta_2**step), square))
    direction = Hadamard(corrected, Apply(1 / SLOTS[0], Sum(root, Scale(epsilon, Ones(*w.shape)))))
    return moment, square, sgd_step(w, direction, alpha)


def decoupled(w, decay, alpha=ALPHA):
    """The shrinking of AdamW, before its step: (1 - alpha decay) w."""
    return Scale(1 - alpha * decay, w)


# --------------------------------------------------------------------------- what decay does


def factor_of_shrinkage(alpha, lam):
    """What one step multiplies the weights by where the loss is flat: 1 - 2 alpha lambda."""
    return 1 - 2 * alpha * lam


REGIMES = (
    (lambda f: f == 1, "no decay"),
    (lambda f: f > 1, "grows"),
    (lambda f: f > 0, "shrinks"),
    (lambda f: f == 0, "vanishes at once"),
    (lambda f: f > -1, "flips its sign and shrinks"),
    (lambda f: f == -1, "flips its sign for ever"),
    (lambda f: f < -1, "diverges"),
)


def regime(alpha, lam):
    """What repeated steps do to a weight where the loss is flat, in words."""
    factor = factor_of_shrinkage(alpha, lam)
    return next(words for holds, words in REGIMES if holds(factor))
