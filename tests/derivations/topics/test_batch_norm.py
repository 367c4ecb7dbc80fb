"""Batch normalisation against torch: forward, backward, running statistics, folding and the noise of the batch."""

import inspect
import math

import numpy
import pytest
import torch
import torch.nn.functional as F

from derivations.derivation import Derivation
from derivations.topics import batch_norm
from derivations.verification import verify
from derivations.verification.interpreter import value

RESULTS = {
    "backward x": "gamma*(g - (g'*xhat)*xhat/rows(g) - sum(g)*ones(N)/rows(g))/s",
    "backward gamma": "g'*xhat",
    "backward beta": "sum(g)",
    "forward": "gamma*xhat + beta*ones(N)",
    "inference": "beta + gamma*x/s - gamma*mu/s",
    "folded": "diag(gamma ./ s)*W*x + gamma .* (b - mu) ./ s + beta",
    "noise_slopes 0": "-1/s",
    "noise_slopes 1": "-(x - m)/s^2",
    "noise_variance": "1/B + x^2/(2*B)",
}
NUMBERS = {"running_estimate", "unbiased"}


def derivation_of(name):
    function, *argument = name.split()
    if function == "noise_slopes":
        return batch_norm.noise_slopes()[int(*argument)]
    return getattr(batch_norm, function)(*argument)


@pytest.mark.parametrize("name", RESULTS)
def test_a_derivation_is_proven_and_short(name):
    derivation = derivation_of(name)
    assert isinstance(derivation, Derivation)
    assert derivation.to_text() == RESULTS[name]
    assert verify(derivation), str(verify(derivation))
    assert 1 <= len(derivation.steps) < 9


def test_no_function_of_the_module_is_forgotten():
    public = {n for n, f in vars(batch_norm).items() if inspect.isfunction(f) and f.__module__ == batch_norm.__name__}
    assert {n for n in public if not n.startswith("_")} == {name.split()[0] for name in RESULTS} | NUMBERS


def computed(derivation, library="numpy", **known):
    """The result by its own code, which takes what it asks for of all that is known."""
    code = derivation.to_function(library)
    return code(**{name: known[name] for name in inspect.signature(code).parameters})


# ---------------------------------------------------------------------------- against torch

POINTS = [(2, 1e-5), (3, 1e-5), (8, 0.1), (50, 1e-5)]


def batch(n, eps, seed=0):
    """One feature of n examples with everything else that the formulas need."""
    generator = torch.Generator().manual_seed(seed)
    x, g = torch.randn(2, n, dtype=torch.float64, generator=generator)
    gamma, beta = torch.randn(2, dtype=torch.float64, generator=generator)
    return {"x": 3 * x + 1, "g": g, "gamma": gamma, "beta": beta, "eps": torch.tensor(eps, dtype=torch.float64)}


def statistics(given):
    """m, s and xhat of the batch, from the definitions of the derivation."""
    derivation = batch_norm.backward("x")
    values = {v: given[v.name].reshape(-1, 1) for v in derivation.variables if v.name in given}
    x = next(v for v in values if v.name == "x")
    sizes = {x.shape[0]: len(given["x"])}
    found = {}
    for symbol, definition in derivation.definitions:
        values[symbol] = value(definition, values, sizes)
        found[symbol.name] = values[symbol].squeeze()
    return found, values, sizes


def torch_output(given):
    return F.batch_norm(
        given["x"][:, None], None, None, given["gamma"][None], given["beta"][None], True, 0.0, given["eps"]
    )


@pytest.mark.parametrize("n, eps", POINTS)
def test_the_forward_pass_is_that_of_torch(n, eps):
    """Both as it stands, in terms of x, and abbreviated, in terms of xhat."""
    given = batch(n, eps)
    _, values, sizes = statistics(given)
    for form in (batch_norm.forward().expression, batch_norm.forward().result):
        torch.testing.assert_close(value(form, values, sizes), torch_output(given), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("wrt", ["x", "gamma", "beta"])
@pytest.mark.parametrize("n, eps", [*POINTS, (4, "constant batch")])
def test_the_backward_pass_is_that_of_autograd(n, eps, wrt):
    given = batch(n, 0.01 if eps == "constant batch" else eps)
    if eps == "constant batch":
        given["x"] = torch.full_like(given["x"], 1.5)
    at = given[wrt].clone().requires_grad_(True)
    (given["g"] @ torch_output(given | {wrt: at})[:, 0]).backward()
    found, *_ = statistics(given)
    ours = computed(batch_norm.backward(wrt), "torch", **given, **found)
    torch.testing.assert_close(ours, at.grad, rtol=1e-9, atol=1e-11)


def test_the_gradient_by_the_input_has_no_component_along_ones():
    """y does not change when all of the batch is shifted; when it is stretched, only as far as eps counts."""
    given = batch(8, 1e-9)
    found, *_ = statistics(given)
    dx = computed(batch_norm.backward("x"), "torch", **given, **found)
    assert abs(dx.sum()) < 1e-13
    assert abs(dx @ found["xhat"]) < 1e-8 < 1e-2 < dx.abs().max()


def test_the_scale_of_the_weights_before_does_not_count():
    """So their gradient is orthogonal to them, and falls as one over their scale."""
    generator = torch.Generator().manual_seed(0)
    data, w = torch.randn(20, 4, generator=generator).double(), torch.randn(4, generator=generator).double()
    slope = torch.sin(torch.arange(20)).double()

    def loss_of(w):
        return slope @ torch.tanh(F.batch_norm((data @ w)[:, None], None, None, training=True, eps=1e-30)[:, 0])

    gradient, larger = (torch.autograd.functional.jacobian(loss_of, scale * w) for scale in (1.0, 7.0))
    torch.testing.assert_close(loss_of(7 * w), loss_of(w), rtol=1e-12, atol=0)
    torch.testing.assert_close(larger, gradient / 7, rtol=1e-11, atol=1e-14)
    assert abs(w @ gradient) < 1e-13 < 1e-2 < gradient.abs().max()


def test_running_statistics_take_a_tenth_of_the_mean_and_of_the_unbiased_variance():
    layer = torch.nn.BatchNorm1d(1, dtype=torch.float64)
    mean, variance = 0.0, 1.0
    for seed in range(3):
        given = batch(5, layer.eps, seed)
        found, *_ = statistics(given)
        variance_of_batch = batch_norm.unbiased(found["s"] ** 2 - layer.eps, 5)
        torch.testing.assert_close(variance_of_batch, given["x"].var())
        output = layer(given["x"][:, None])
        mean = batch_norm.running_estimate(mean, found["m"])
        variance = batch_norm.running_estimate(variance, variance_of_batch)
        torch.testing.assert_close(layer.running_mean[0], mean, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(layer.running_var[0], variance, rtol=1e-12, atol=1e-12)
        # With gamma = 1 and beta = 0 the batch itself is normalised by the biased variance.
        torch.testing.assert_close(output[:, 0].detach(), found["xhat"], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("momentum", [0.1, 0.3])
def test_the_momentum_of_a_running_estimate_is_that_of_torch(momentum):
    layer = torch.nn.BatchNorm1d(1, momentum=momentum, dtype=torch.float64)
    x = batch(9, layer.eps)["x"]
    layer(x[:, None])
    torch.testing.assert_close(layer.running_mean[0], batch_norm.running_estimate(0.0, x.mean(), momentum))
    torch.testing.assert_close(layer.running_var[0], batch_norm.running_estimate(1.0, x.var(), momentum))


def test_training_needs_more_than_one_value_and_inference_does_not():
    layer = torch.nn.BatchNorm1d(1)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        layer(torch.zeros(1, 1))
    assert layer.eval()(torch.zeros(1, 1)).shape == (1, 1)


# ------------------------------------------------------------------------------ at inference


@pytest.fixture
def layers():
    """A linear layer and a batch normalisation with statistics and parameters that are not those at the start."""
    torch.manual_seed(0)
    linear, norm = torch.nn.Linear(4, 3, dtype=torch.float64), torch.nn.BatchNorm1d(3, dtype=torch.float64)
    for _ in range(5):
        norm(linear(3 * torch.randn(10, 4).double() + 1))
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    return linear, norm.eval()


@torch.no_grad()
def test_the_layer_at_inference_is_that_of_torch(layers):
    """An affine map of each value, whatever the other values of the batch are."""
    _, norm = layers
    x = torch.randn(10, 3).double()
    ours = computed(
        batch_norm.inference(),
        "torch",
        gamma=norm.weight,
        x=x,
        mu=norm.running_mean,
        s=torch.sqrt(norm.running_var + norm.eps),
        beta=norm.bias,
    )
    torch.testing.assert_close(ours, norm(x), rtol=1e-12, atol=1e-12)


def folded_at(x, linear, norm):
    return computed(
        batch_norm.folded(),
        "torch",
        W=linear.weight,
        b=linear.bias,
        mu=norm.running_mean,
        s=torch.sqrt(norm.running_var + norm.eps),
        gamma=norm.weight,
        beta=norm.bias,
        x=x,
    )


@torch.no_grad()
def test_the_folded_layer_is_the_linear_layer_and_the_normalisation(layers):
    linear, norm = layers
    for x in torch.randn(10, 4).double():
        torch.testing.assert_close(folded_at(x, linear, norm), norm(linear(x[None]))[0], rtol=1e-12, atol=1e-13)


@torch.no_grad()
def test_the_folded_weights_make_one_linear_layer(layers):
    """b' is the output at 0, and the columns of W' are what the unit vectors add to it."""
    linear, norm = layers
    one = torch.nn.Linear(4, 3, dtype=torch.float64)
    one.bias.copy_(folded_at(torch.zeros(4).double(), linear, norm))
    one.weight.copy_(torch.stack([folded_at(unit, linear, norm) - one.bias for unit in torch.eye(4).double()], 1))
    x = torch.randn(10, 4).double()
    torch.testing.assert_close(one(x), norm(linear(x)), rtol=1e-12, atol=1e-12)
    s = torch.sqrt(norm.running_var + norm.eps)
    torch.testing.assert_close(one.weight, (norm.weight / s)[:, None] * linear.weight, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(one.bias, norm.weight * (linear.bias - norm.running_mean) / s + norm.bias)


# ------------------------------------------------------------------------- noise of the batch


@pytest.mark.parametrize("x", [0.0, 2.0])
def test_the_noise_of_a_normalised_activation_is_that_of_a_simulation(x):
    """A fixed activation x among 255 standard normal companions; 20 000 batches know a deviation to 0.5 %."""
    n_batches, size = 20_000, 256
    values = numpy.random.default_rng(0).standard_normal((n_batches, size))
    values[:, 0] = x
    xhat = (x - values.mean(1)) / values.std(1)
    predicted = math.sqrt(computed(batch_norm.noise_variance(), x=x, m=0.0, s=1.0, B=size))
    assert predicted == pytest.approx(math.sqrt((1 + x**2 / 2) / size), rel=1e-12)
    assert xhat.std() == pytest.approx(predicted, rel=0.03)


def test_the_noise_vanishes_with_the_size_of_the_batch():
    large, small = (computed(batch_norm.noise_variance(), x=1.0, m=0.0, s=1.0, B=size) for size in (1000, 10))
    assert large == pytest.approx(small / 100)
