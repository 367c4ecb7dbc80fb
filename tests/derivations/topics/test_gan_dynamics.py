"""The linearised GAN against autograd, quadrature, eigenvalues by numpy, and steps that are simply iterated."""

import inspect
import math

import numpy
import pytest
import torch

from derivations.errors import UnsupportedError
from derivations.topics import gan_dynamics as dynamics
from derivations.verification import verify

RESULTS = {
    "slope_at_zero": "(r - y)/2",
    "discriminator_curvature": "(sigmoid(w'*r)^2 - sigmoid(w'*r))*r*r' + (sigmoid(w'*y)^2 - sigmoid(w'*y))*y*y'",
    "curvature_at_zero": "-(r*r' + y*y')/4",
    "mean_of_relu": "u*sqrt(2)*exp(-u^2/(2*tau^2))/(2*sqrt(pi)*tau)",
    "characteristic_polynomial continuous": "lambda^2 + c^2 + lambda*k",
    "characteristic_polynomial simultaneous": "1 + lambda^2 + c^2*h^2 - lambda*(2 - h*k) - h*k",
    "characteristic_polynomial alternating": "1 + lambda^2 - lambda*(2 - h*k - c^2*h^2) - h*k",
}
UPDATES = ("simultaneous", "alternating")


@pytest.mark.parametrize("name", RESULTS)
def test_a_derivation_is_proven(name):
    function, *arguments = name.split()
    derivation = getattr(dynamics, function)(*arguments)
    assert derivation.to_text() == RESULTS[name]
    assert verify(derivation), str(verify(derivation))


def test_no_function_of_the_module_is_forgotten():
    defined = {n for n, f in vars(dynamics).items() if inspect.isfunction(f) and f.__module__ == dynamics.__name__}
    public = {name for name in defined if not name.startswith("_")}
    assert public - {"flow", "stability"} == {name.split()[0] for name in RESULTS}


def test_the_curvature_at_zero_is_that_of_autograd():
    generator = torch.Generator().manual_seed(0)
    r, y = torch.randn(2, 5, dtype=torch.float64, generator=generator)

    def value(w):
        return torch.log(torch.sigmoid(w @ r)) + torch.log(1 - torch.sigmoid(w @ y))

    hessian = torch.autograd.functional.hessian(value, torch.zeros(5, dtype=torch.float64))
    ours = dynamics.curvature_at_zero().to_function("torch")(r=r, y=y)
    torch.testing.assert_close(ours, hessian, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("tau", [0.3, 1.0, 2.5])
def test_the_mean_of_a_relu_is_the_rise_of_the_antiderivative(tau):
    density = dynamics.mean_of_relu().to_function("numpy")
    u = numpy.linspace(0, 12 * tau, 200_001)
    integral = numpy.trapezoid([float(density(u=x, tau=tau)) for x in u[::100]], u[::100])
    assert integral == pytest.approx(tau / math.sqrt(2 * math.pi), rel=1e-5)
    samples = numpy.random.default_rng(0).standard_normal(400_000) * tau
    assert numpy.maximum(samples, 0).mean() == pytest.approx(tau / math.sqrt(2 * math.pi), rel=0.01)


def numbers(updates, **values):
    matrix = dynamics.flow(updates)
    known = {symbol: values[symbol.name] for symbol in matrix.free_symbols}
    return numpy.array(matrix.subs(known).tolist(), dtype=float)


@pytest.mark.parametrize("updates", ["continuous", *UPDATES])
def test_the_roots_of_the_polynomial_are_the_eigenvalues_of_the_matrix(updates):
    generator = numpy.random.default_rng(1)
    function = dynamics.characteristic_polynomial(updates).to_function("numpy")
    for _ in range(20):
        s, gamma, c, h = generator.uniform(0.05, 2, 4)
        known = {"s": s, "gamma": gamma, "k": s + gamma, "c": c, "h": h}
        parameters = inspect.signature(function).parameters
        for root in numpy.linalg.eigvals(numbers(updates, **known)):
            if abs(root.imag) < 1e-12:
                values = known | {"lambda": root.real, "lambda_": root.real}
                assert float(function(**{n: values[n] for n in parameters})) == pytest.approx(0, abs=1e-10)
        at = [float(function(**{n: (known | {"lambda": x, "lambda_": x})[n] for n in parameters})) for x in (0, 1, -1)]
        characteristic = numpy.poly(numbers(updates, **known))
        assert at == pytest.approx([numpy.polyval(characteristic, x) for x in (0, 1, -1)], abs=1e-10)


@pytest.mark.parametrize("updates", UPDATES)
def test_the_conditions_hold_where_iterated_steps_shrink_and_nowhere_else(updates):
    generator = numpy.random.default_rng(3)
    conditions = dynamics.stability(updates)
    seen = set()
    for _ in range(400):
        values = {"k": generator.uniform(0.01, 3), "c": generator.uniform(0.05, 1), "h": generator.uniform(0.05, 4)}
        radius = abs(numpy.linalg.eigvals(numbers(updates, **values))).max()
        if abs(radius - 1) < 2e-3 or radius > 1.05:
            continue
        said = all(float(c.subs({s: values[s.name] for s in c.free_symbols})) > 0 for c in conditions)
        state = numpy.linalg.matrix_power(numbers(updates, **values), 8000)
        assert said == (radius < 1) == bool(abs(state).max() < 1), values
        seen.add(said)
    assert seen == {True, False}


def test_unknown_updates_are_refused_by_name():
    with pytest.raises(UnsupportedError, match="alternating"):
        dynamics.flow("random")
    with pytest.raises(UnsupportedError, match="no step size"):
        dynamics.stability("continuous")
