"""Losses against torch: values, gradients and curvatures, and where the formulas stop being computable."""

import inspect
import math

import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Laplace, Normal, Poisson

from derivations.derivation import Derivation
from derivations.errors import DerivationError
from derivations.topics import likelihoods
from derivations.verification import verify
from derivations.verification.interpreter import value

# function of the module (with its argument, if any) -> the result
RESULTS = {
    ("bernoulli_case", 1): "yhat",
    ("bernoulli_case", 0): "1 - yhat",
    ("bernoulli_log_likelihood",): "y*log(yhat) + (1 - y)*log(1 - yhat)",
    ("bernoulli_loss",): "-y*log(yhat) - (1 - y)*log(1 - yhat)",
    ("bernoulli_mean_loss",): "-((ones(n) - y)'*log(ones(n) - yhat) + y'*log(yhat))/rows(yhat)",
    ("bernoulli_gradient",): "(yhat - y)/(yhat*(1 - yhat))",
    ("logistic_regression_gradient",): "X'*(sigmoid(X*w) - y)/rows(X)",
    ("bernoulli_curvature",): "y/yhat^2 + (1 - y)/(1 - yhat)^2",
    ("logistic_gradient",): "yhat - y",
    ("logistic_curvature",): "(1 - sigmoid(eta))*sigmoid(eta)",
    ("stable_loss",): "log(1 + exp(-abs(eta))) + relu(eta) - eta*y",
    ("categorical_loss",): "-t'*log(p)",
    ("softmax_gradient",): "p - t",
    ("softmax_hessian",): "diag(softmax(z)) - softmax(z)*softmax(z)'",
    ("gaussian_loss",): "log(2)/2 + log(pi)/2 + (y - mu)^2/(2*s^2) + log(s)",
    ("gaussian_gradient",): "X'*(X*w - y)/s^2",
    ("laplace_loss",): "abs(mu - y)/b + log(2) + log(b)",
    ("laplace_gradient",): "X'*sign(X*w - y)/b",
    ("poisson_loss",): "lam + log(factorial(y)) - y*log(lam)",
    ("poisson_gradient",): "exp(eta) - y",
}
EXTREMA = {"expected_loss_minimum"}


@pytest.mark.parametrize("call", RESULTS, ids=lambda call: " ".join(map(str, call)))
def test_a_derivation_is_proven_and_short(call):
    name, *arguments = call
    derivation = getattr(likelihoods, name)(*arguments)
    assert isinstance(derivation, Derivation)
    assert derivation.to_text() == RESULTS[call]
    assert verify(derivation), str(verify(derivation))
    assert 1 <= len(derivation.steps) < 9


def test_no_function_of_the_module_is_forgotten():
    public = {n for n, f in vars(likelihoods).items() if inspect.isfunction(f) and f.__module__ == likelihoods.__name__}
    assert {n for n in public if not n.startswith("_")} == {name for name, *_ in RESULTS} | EXTREMA


def evaluated(derivation, library="torch", **known):
    """The result by its own code, which takes what it asks for of all that is known.

    The code of a scalar formula broadcasts, so a whole grid goes through at once.
    """
    code = derivation.to_function(library)
    return code(**{name: known[name] for name in inspect.signature(code).parameters})


def naive(derivation, **arguments):
    """The same for the expression that the derivation started from, by the interpreter of trees."""
    return value(derivation.expression, {v: arguments[v.name] for v in derivation.variables}, {})


def assert_close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-12)


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def uniform(*shape, seed=0):
    return 0.02 + 0.96 * torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def slopes(f, at):
    """First and second derivative of f at each entry of a tensor, by autograd."""
    at = at.clone().requires_grad_(True)
    (first,) = torch.autograd.grad(f(at).sum(), at, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), at)
    return first.detach(), second


# ------------------------------------------------------------------------------- Bernoulli


@pytest.mark.parametrize("labels", ["hard", "soft"])
def test_the_bernoulli_loss_is_the_binary_cross_entropy_of_torch(labels):
    yhat, y = uniform(200), uniform(200, seed=1)
    y = y.round() if labels == "hard" else y
    loss = F.binary_cross_entropy(yhat, y, reduction="none")
    assert_close(evaluated(likelihoods.bernoulli_loss(), y=y, yhat=yhat), loss)
    assert_close(evaluated(likelihoods.bernoulli_log_likelihood(), y=y, yhat=yhat), -loss)
    assert_close(evaluated(likelihoods.bernoulli_mean_loss(), y=y, yhat=yhat), F.binary_cross_entropy(yhat, y))


def test_the_cases_of_a_label_sum_to_one():
    yhat = uniform(10)
    cases = [evaluated(likelihoods.bernoulli_case(label), y=label, yhat=yhat) for label in (0, 1)]
    assert_close(cases[0] + cases[1], torch.ones_like(yhat))
    for label, case in enumerate(cases):
        assert_close(case.log(), -F.binary_cross_entropy(yhat, torch.full_like(yhat, label), reduction="none"))


@pytest.mark.parametrize("label", [2, -1, 0.5])
def test_a_label_is_zero_or_one(label):
    with pytest.raises(DerivationError, match=str(label)):
        likelihoods.bernoulli_case(label)


def test_gradient_and_curvature_by_the_prediction_are_those_of_autograd():
    yhat, y = uniform(200), uniform(200, seed=1)
    first, _ = slopes(lambda p: F.binary_cross_entropy(p, y, reduction="none"), yhat)
    assert_close(evaluated(likelihoods.bernoulli_gradient(), y=y, yhat=yhat), first)
    # Differentiating the loss of torch twice meets the 1e-12 that it adds to yhat (1 - yhat).
    _, second = slopes(lambda p: -y * p.log() - (1 - y) * (1 - p).log(), yhat)
    assert_close(evaluated(likelihoods.bernoulli_curvature(), y=y, yhat=yhat), second)


def test_gradient_and_curvature_by_the_logit_are_those_of_autograd():
    eta, y = 6 * random(200), uniform(200).round()
    first, second = slopes(lambda e: F.binary_cross_entropy_with_logits(e, y, reduction="none"), eta)
    assert_close(evaluated(likelihoods.logistic_gradient(), y=y, eta=eta, yhat=torch.sigmoid(eta)), first)
    assert_close(evaluated(likelihoods.logistic_curvature(), y=y, eta=eta), second)


EXTREME = torch.tensor([-800.0, -745, -100, -40, -1e-9, 0, 1e-9, 37, 40, 100, 745, 800], dtype=torch.float64)


@pytest.mark.parametrize("label", [0.0, 1.0, 0.3])
@pytest.mark.parametrize("library", ["torch", "numpy"])
def test_the_stable_loss_is_that_of_torch_at_every_logit(label, library):
    eta = torch.cat([EXTREME, torch.linspace(-800, 800, 1601, dtype=torch.float64)])
    y = torch.full_like(eta, label)
    arguments = {"eta": eta, "y": y} if library == "torch" else {"eta": eta.numpy(), "y": label}
    loss = torch.as_tensor(evaluated(likelihoods.stable_loss(), library, **arguments))
    assert_close(loss, F.binary_cross_entropy_with_logits(eta, y, reduction="none"))


@pytest.mark.parametrize("eta, label", [(40.0, 0.0), (800.0, 0.0), (-800.0, 1.0)])
def test_the_naive_loss_overflows_where_the_stable_one_is_the_logit(eta, label):
    stable = likelihoods.stable_loss()
    eta, label = (torch.tensor([[number]], dtype=torch.float64) for number in (eta, label))
    assert not naive(stable, eta=eta, y=label).isfinite()
    assert_close(evaluated(stable, eta=eta, y=label), eta.abs())


def test_the_naive_and_the_stable_loss_agree_in_between():
    eta, y = 10 * uniform(1, 200) - 5, uniform(1, 200, seed=1)
    stable = likelihoods.stable_loss()
    torch.testing.assert_close(evaluated(stable, eta=eta, y=y), naive(stable, eta=eta, y=y), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("library", ["torch", "numpy"])
def test_the_curvature_by_an_extreme_logit_is_between_zero_and_a_quarter(library):
    eta = EXTREME if library == "torch" else EXTREME.numpy()
    curvature = torch.as_tensor(evaluated(likelihoods.logistic_curvature(), library, eta=eta, y=0.0))
    assert ((curvature >= 0) & (curvature <= 0.25)).all()


@pytest.mark.parametrize("q", [0.01, 0.2, 0.5, 0.77, 0.99])
def test_the_expected_loss_is_smallest_at_the_probability_of_the_label(q):
    grid = torch.linspace(0.0005, 0.9995, 1999, dtype=torch.float64)
    expected = -q * grid.log() - (1 - q) * (1 - grid).log()
    extremum = likelihoods.expected_loss_minimum()
    assert str(extremum.point) == "q"
    assert float(grid[expected.argmin()]) == pytest.approx(q, abs=0.0005)
    curvature = evaluated(extremum.curvature_at_point, "numpy", q=q, yhat=q)
    assert curvature == pytest.approx(1 / (q * (1 - q)))


def test_the_minimum_of_the_expected_loss_is_proven():
    extremum = likelihoods.expected_loss_minimum()
    assert extremum.kind == "minimum"
    texts = {
        "slope": "(yhat - q)/(yhat*(1 - yhat))",
        "slope_at_point": "0",
        "curvature": "q/yhat^2 + (1 - q)/(1 - yhat)^2",
        "curvature_at_point": "1/(q*(1 - q))",
    }
    for stage, text in texts.items():
        derivation = getattr(extremum, stage)
        assert derivation.to_text() == text
        assert verify(derivation), str(verify(derivation))
        assert 1 <= len(derivation.steps) < 9


# ----------------------------------------------------------------------------- categorical


@pytest.mark.parametrize("scale", [1, 300])
@pytest.mark.parametrize("targets", ["one-hot", "soft"])
def test_softmax_cross_entropy_is_that_of_torch(targets, scale):
    for seed in range(5):
        z = scale * random(7, seed=seed)
        t = torch.softmax(random(7, seed=seed + 50), 0) if targets == "soft" else F.one_hot(torch.tensor(3), 7).double()

        def loss(z, t=t):
            return F.cross_entropy(z[None], t[None])

        gradient = torch.autograd.functional.jacobian(loss, z)
        hessian = torch.autograd.functional.hessian(loss, z)
        p = torch.softmax(z, 0)
        torch.testing.assert_close(
            evaluated(likelihoods.softmax_gradient(), t=t, z=z, p=p), gradient, rtol=1e-11, atol=1e-14
        )
        torch.testing.assert_close(evaluated(likelihoods.softmax_hessian(), t=t, z=z), hessian, rtol=1e-9, atol=1e-14)
        if scale == 1:
            assert_close(evaluated(likelihoods.categorical_loss(), p=p, t=t), loss(z))


def test_the_hessian_of_the_softmax_loss_is_convex_and_blind_to_a_common_shift():
    hessian = evaluated(likelihoods.softmax_hessian(), t=torch.zeros(6), z=random(6))
    assert torch.linalg.eigvalsh(hessian).min() > -1e-15
    assert_close(hessian.sum(0), torch.zeros(6, dtype=torch.float64))


# --------------------------------------------------------------- Gaussian, Laplace, Poisson


def test_gaussian_laplace_and_poisson_losses_are_minus_log_prob():
    y, mu, scale = random(100), random(100, seed=1), 0.1 + 3 * uniform(100)
    assert_close(evaluated(likelihoods.gaussian_loss(), y=y, mu=mu, s=scale), -Normal(mu, scale).log_prob(y))
    assert_close(evaluated(likelihoods.laplace_loss(), y=y, mu=mu, b=scale), -Laplace(mu, scale).log_prob(y))
    counts = torch.arange(100, dtype=torch.float64)
    rates = 0.1 + 40 * uniform(100)
    loss = evaluated(likelihoods.poisson_loss(), y=counts, lam=rates)
    assert_close(loss, -Poisson(rates).log_prob(counts))


def test_the_same_losses_of_torch_leave_out_constants():
    y, mu, s = random(100), random(100, seed=1), 0.1 + 3 * uniform(100)
    ours = evaluated(likelihoods.gaussian_loss(), y=y, mu=mu, s=s)
    assert_close(ours - math.log(2 * math.pi) / 2, F.gaussian_nll_loss(mu, y, s**2, reduction="none"))
    counts, rates = torch.arange(50, dtype=torch.float64), 0.1 + 40 * uniform(50)
    ours = evaluated(likelihoods.poisson_loss(), y=counts, lam=rates)
    theirs = torch.nn.PoissonNLLLoss(log_input=False, eps=0.0, reduction="none")(rates, counts)
    assert_close(ours - torch.lgamma(counts + 1), theirs)


@pytest.mark.parametrize("library", ["torch", "numpy"])
@pytest.mark.parametrize("count", [150.0, 170.0, 171.0, 400.0])
def test_the_poisson_loss_of_a_large_count_is_finite(count, library):
    number = torch.tensor(count, dtype=torch.float64)
    y = number if library == "torch" else count
    loss = float(evaluated(likelihoods.poisson_loss(), library, y=y, lam=y))
    assert loss == pytest.approx(-float(Poisson(number).log_prob(number)), rel=1e-9)


def test_gradients_of_linear_models_are_those_of_autograd():
    X, w, y = random(9, 4), random(4, seed=1), random(9, seed=2)
    y[0], y[1] = X[0] @ w, 0  # a residual of exactly zero, where |u| has its kink
    scale = torch.tensor(0.7, dtype=torch.float64)

    def gradient_of(law):
        return torch.autograd.functional.jacobian(lambda w: -law(X @ w, scale).log_prob(y).sum(), w)

    assert float(abs(X @ w - y).min()) == 0
    assert_close(evaluated(likelihoods.gaussian_gradient(), X=X, w=w, y=y, s=scale), gradient_of(Normal))
    assert_close(evaluated(likelihoods.laplace_gradient(), X=X, w=w, y=y, b=scale), gradient_of(Laplace))
    assert likelihoods.laplace_gradient().conditions == ("the slope of the absolute value at 0 is 0",)


def test_the_poisson_gradient_is_that_of_the_loss_of_torch():
    eta, y = random(100), torch.arange(100, dtype=torch.float64)
    first, _ = slopes(lambda e: torch.nn.PoissonNLLLoss(reduction="none")(e, y), eta)
    assert_close(evaluated(likelihoods.poisson_gradient(), eta=eta, y=y), first)
