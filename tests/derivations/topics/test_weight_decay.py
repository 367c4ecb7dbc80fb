"""Weight decay against torch.optim, step by step, and what decay alone makes of a weight."""

import inspect
from fractions import Fraction
from itertools import pairwise

import pytest
import torch
from sympy import Rational, Symbol

from derivations.derivation import Derivation
from derivations.expressions import Variable
from derivations.topics import weight_decay
from derivations.topics.weight_decay import (
    ALPHA,
    BETA1,
    BETA2,
    DECAY,
    EPSILON,
    GRADIENT,
    LAMBDA,
    MU,
    REGIMES,
    V,
    W,
    adam_first_step,
    adam_step,
    adamw_first_step,
    decoupled,
    factor_of_shrinkage,
    gradient_descent,
    momentum,
    momentum_step,
    penalised_gradient,
    pytorch_weight_decay,
    regime,
    regrouped,
    sgd_step,
)
from derivations.verification import verify
from derivations.verification.interpreter import value

RESULTS = {
    "penalised_gradient": "2*lambda*w + grad_L(w)",
    "gradient_descent": "(1 - 2*alpha*lambda)*w - alpha*grad_L(w)",
    "momentum": "(1 - 2*alpha*lambda)*w - alpha*(mu*v + grad_L(w))",
    "adam_first_step": "w - alpha*(g ./ (abs(g) + epsilon*ones(n)))",
    "adamw_first_step": "(1 - alpha*delta)*w - alpha*(g ./ (abs(g) + epsilon*ones(n)))",
}
HELPERS = {
    "pytorch_weight_decay",
    "regrouped",
    "sgd_step",
    "momentum_step",
    "adam_step",
    "decoupled",
    "factor_of_shrinkage",
    "regime",
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_derivation_is_proven_and_short(name):
    derivation = getattr(weight_decay, name)()
    assert isinstance(derivation, Derivation)
    assert derivation.to_text() == RESULTS[name]
    assert verify(derivation), str(verify(derivation))
    assert 1 <= len(derivation.steps) < 9


def test_no_function_of_the_module_is_forgotten():
    functions = {
        n for n, f in vars(weight_decay).items() if inspect.isfunction(f) and f.__module__ == weight_decay.__name__
    }
    public = {n for n in functions if not n.startswith("_")}
    assert public == {name.split(" of ")[0] for name in RESULTS} | HELPERS


# ------------------------------------------------------------------------ against torch.optim

RATE, LAM, MOMENTUM, BETAS, EPS, DELTA = 0.03, 0.2, 0.9, (0.8, 0.95), 1e-8, 0.3
N_STEPS, N_WEIGHTS = 200, 6
M, S, T = Variable("m", W.shape[0], 1), Variable("s", W.shape[0], 1), Symbol("t", positive=True)
PENALISED = penalised_gradient().result


def trees(state, updates):
    return dict(zip(state, updates, strict=True))


# name -> (the optimiser of torch, with weight decay where ours has a penalty; our step: symbol -> its next value)
OPTIMISERS = {
    "SGD": (
        lambda w: torch.optim.SGD([w], RATE, weight_decay=pytorch_weight_decay(LAM)),
        trees((W,), (gradient_descent().result,)),
    ),
    "SGD, not regrouped": (
        lambda w: torch.optim.SGD([w], RATE, weight_decay=pytorch_weight_decay(LAM)),
        trees((W,), (sgd_step(W, PENALISED),)),
    ),
    "SGD with momentum": (
        lambda w: torch.optim.SGD([w], RATE, momentum=MOMENTUM, weight_decay=pytorch_weight_decay(LAM)),
        trees((V, W), momentum_step(W, V, PENALISED)),
    ),
    "SGD with momentum, regrouped": (
        lambda w: torch.optim.SGD([w], RATE, momentum=MOMENTUM, weight_decay=pytorch_weight_decay(LAM)),
        trees((V, W), (momentum_step(W, V, PENALISED)[0], momentum().result)),
    ),
    "Adam": (
        lambda w: torch.optim.Adam([w], RATE, BETAS, EPS, weight_decay=pytorch_weight_decay(LAM)),
        trees((M, S, W), adam_step(W, M, S, PENALISED, T)),
    ),
    "AdamW": (
        lambda w: torch.optim.AdamW([w], RATE, BETAS, EPS, weight_decay=DELTA),
        trees((M, S, W), adam_step(decoupled(W, DECAY), M, S, GRADIENT, T)),
    ),
}
NUMBERS = {ALPHA: RATE, LAMBDA: LAM, MU: MOMENTUM, BETA1: BETAS[0], BETA2: BETAS[1], EPSILON: EPS, DECAY: DELTA}


def loss(w, t):
    """Logistic regression on the t-th batch.

    A new batch each time keeps the gradient away from zero, where Adam would divide rounding errors by each other.
    """
    x = torch.randn(20, N_WEIGHTS, dtype=torch.float64, generator=torch.Generator().manual_seed(t))
    return torch.nn.functional.softplus(x @ w).mean() - x[:9].sum(0) @ w / 20


def start():
    return torch.linspace(-1.5, 1.0, N_WEIGHTS, dtype=torch.float64)


def scalar(number):
    return torch.tensor([[number]], dtype=torch.float64)


def our_path(step, n_steps=N_STEPS):
    """The weights after each step of trees, from rest."""
    values = {symbol: scalar(number) for symbol, number in NUMBERS.items()}
    values |= {state: torch.zeros(N_WEIGHTS, 1, dtype=torch.float64) for state in step} | {W: start()[:, None]}
    sizes = {W.shape[0]: N_WEIGHTS}
    path = []
    for t in range(1, n_steps + 1):
        gradient = torch.autograd.functional.jacobian(lambda w, t=t: loss(w, t), values[W][:, 0])
        values |= {GRADIENT: gradient[:, None], T: scalar(t)}
        values |= {state: value(update, values, sizes) for state, update in step.items()}
        path.append(values[W][:, 0])
    return torch.stack(path)


def torch_path(make_optimiser, objective=loss, n_steps=N_STEPS):
    w = start().requires_grad_(True)
    optimiser, path = make_optimiser(w), []
    for t in range(1, n_steps + 1):
        optimiser.zero_grad()
        objective(w, t).backward()
        optimiser.step()
        path.append(w.detach().clone())
    return torch.stack(path)


def worst_relative_error(a, b):
    return float((a - b).abs().max(1).values.div(b.abs().max(1).values).max())


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_step_is_that_of_torch(name):
    make_optimiser, step = OPTIMISERS[name]
    assert worst_relative_error(our_path(step), torch_path(make_optimiser)) < 1e-12


PLAIN = {
    "SGD": lambda w: torch.optim.SGD([w], RATE),
    "SGD with momentum": lambda w: torch.optim.SGD([w], RATE, momentum=MOMENTUM),
    "Adam": lambda w: torch.optim.Adam([w], RATE, BETAS, EPS),
}


@pytest.mark.parametrize("name", PLAIN)
def test_the_weight_decay_of_torch_is_two_lambda(name):
    """Adding lambda w'w to the loss, and passing weight_decay to the optimiser, give the same path."""
    penalised = torch_path(PLAIN[name], lambda w, t: loss(w, t) + LAM * w @ w)
    assert worst_relative_error(our_path(OPTIMISERS[name][1]), penalised) < 1e-12


def test_regularisation_is_decoupled_decay_for_plain_descent_only():
    """With the decay 2 lambda; otherwise the past penalties or their scale stay in the state."""
    decayed = decoupled(W, 2 * LAMBDA)
    differences = {
        name: worst_relative_error(our_path(step), our_path(OPTIMISERS[name][1]))
        for name, step in {
            "SGD": {W: sgd_step(decayed, GRADIENT)},
            "SGD with momentum": trees((V, W), momentum_step(decayed, V, GRADIENT)),
            "Adam": trees((M, S, W), adam_step(decayed, M, S, GRADIENT, T)),
        }.items()
    }
    assert differences["SGD"] < 1e-12
    assert differences["SGD with momentum"] > 0.1
    assert differences["Adam"] > 0.1


def test_regrouping_collects_every_multiple_of_w():
    g = Variable("g", W.shape[0], 1)
    assert regrouped(sgd_step(decoupled(W, DECAY), g)) == sgd_step(decoupled(W, DECAY), g)
    twice = regrouped(sgd_step(sgd_step(W, 2 * LAMBDA * W), g))
    assert twice == (1 - 2 * ALPHA * LAMBDA) * W - ALPHA * g
    assert regrouped(sgd_step(W, g)) == sgd_step(W, g)


def test_weights_need_not_shrink():
    """w = 0.1 with the gradient -1 grows, but less than without the penalty."""
    numbers = {ALPHA: scalar(0.1), LAMBDA: scalar(0.5), W: scalar(0.1), GRADIENT: scalar(-1.0)}
    moved = float(value(gradient_descent().result, numbers, {}))
    assert 0.1 < moved < float(value(sgd_step(W, GRADIENT), numbers, {}))


# ------------------------------------------------------------------------- Adam's first step


def first_torch_step(kind, gradient, w, decay):
    w = w.clone().requires_grad_(True)
    optimiser = kind([w], RATE, BETAS, EPS, weight_decay=decay)
    (w @ gradient).backward()
    optimiser.step()
    return w.detach()


@pytest.mark.parametrize("lam", [0.0, 0.01, 1.0, 100.0])
def test_adams_first_step_moves_every_weight_by_the_learning_rate_whatever_lambda_is(lam):
    w = start()
    flat, along = torch.zeros_like(w), 3 * w  # no slope, and one with the signs of w
    for gradient in (along, flat) if lam else (along,):
        after = first_torch_step(torch.optim.Adam, gradient, w, pytorch_weight_decay(lam))
        ours = adam_first_step().to_function("torch")(w=w, g=gradient + 2 * lam * w, alpha=RATE, epsilon=EPS)
        torch.testing.assert_close(ours, after, rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(after, w - RATE * w.sign(), rtol=1e-5, atol=0)


def test_lambda_can_turn_adams_first_step_but_not_change_its_length():
    """Where loss and penalty pull in opposite directions, the larger one decides the sign."""
    w = start()
    for lam, direction in ((0.4, 1), (0.6, -1)):
        after = first_torch_step(torch.optim.Adam, -w, w, pytorch_weight_decay(lam))
        torch.testing.assert_close(after, w + direction * RATE * w.sign(), rtol=1e-5, atol=0)


def test_the_first_step_of_adamw_depends_on_the_decay():
    w, gradient = start(), 3 * start()
    for decay in (0.0, 0.1, 5.0):
        after = first_torch_step(torch.optim.AdamW, gradient, w, decay)
        code = adamw_first_step(DECAY).to_function("torch")
        ours = code(w=w, g=gradient, alpha=RATE, epsilon=EPS, delta=decay)
        torch.testing.assert_close(ours, after, rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(after, w - RATE * decay * w - RATE * w.sign(), rtol=1e-5, atol=0)


def test_the_first_step_of_adamw_takes_a_number():
    derivation = adamw_first_step(Rational(1, 10))
    assert verify(derivation), str(verify(derivation))


# ------------------------------------------------------------------------- what decay alone does

NEAR = Fraction(1, 10**6)
# alpha lambda -> what becomes of a weight, on both sides of every boundary
BOUNDARIES = [
    (-NEAR, "grows"),
    (Fraction(0), "no decay"),
    (NEAR, "shrinks"),
    (Fraction(1, 2) - NEAR, "shrinks"),
    (Fraction(1, 2), "vanishes at once"),
    (Fraction(1, 2) + NEAR, "flips its sign and shrinks"),
    (1 - NEAR, "flips its sign and shrinks"),
    (Fraction(1), "flips its sign for ever"),
    (1 + NEAR, "diverges"),
    (Fraction(100), "diverges"),
]


def after_steps(alpha, lam, n_steps):
    """The weights 1, w_1, w_2, ... of descent on lambda w^2 alone."""
    weights = [Fraction(1)]
    for _ in range(n_steps):
        weights.append(weights[-1] - alpha * 2 * lam * weights[-1])
    return weights


# What each regime says of two successive weights.
CLAIMS = {
    "grows": lambda w, after: after > w > 0,
    "no decay": lambda w, after: after == w,
    "shrinks": lambda w, after: 0 < after < w,
    "vanishes at once": lambda w, after: after == 0,
    "flips its sign and shrinks": lambda w, after: after * w < 0 and abs(after) < abs(w),
    "flips its sign for ever": lambda w, after: after == -w,
    "diverges": lambda w, after: after * w < 0 and abs(after) > abs(w),
}


@pytest.mark.parametrize("product, words", BOUNDARIES, ids=lambda v: str(v))
@pytest.mark.parametrize("alpha", [Fraction(1, 10), Fraction(1), Fraction(7, 3)], ids=str)
def test_the_regimes_of_decay_at_their_boundaries(product, words, alpha):
    assert regime(alpha, product / alpha) == words
    weights = after_steps(alpha, product / alpha, 12)
    assert weights[1] == factor_of_shrinkage(alpha, product / alpha)
    assert all(CLAIMS[words](w, after) for w, after in pairwise(weights))


def test_every_regime_has_a_boundary_and_a_claim():
    assert {words for _, words in REGIMES} == {words for _, words in BOUNDARIES} == set(CLAIMS)


@pytest.mark.parametrize("alpha, lam, words", [(0.1, 5.0, "vanishes at once"), (0.1, 10.0, "flips its sign for ever")])
def test_boundaries_in_floats(alpha, lam, words):
    assert regime(alpha, lam) == words


def test_weights_die_out_inside_the_stable_range_and_explode_beyond():
    sizes = {product: abs(after_steps(Fraction(1), Fraction(product), 200)[-1]) for product in ("1/10", "3/4", "11/10")}
    assert sizes["1/10"] < 1e-15 and sizes["3/4"] < 1e-15 and sizes["11/10"] > 1e15
