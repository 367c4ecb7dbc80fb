"""The GAN against torch.autograd, grids and simulations, and the wrong formulas that must not pass for right ones."""

import inspect
import math

import numpy
import pytest
import torch

from derivations.derivation import Derivation
from derivations.errors import DerivationError
from derivations.topics import gan
from derivations.verification import verify

RESULTS = {
    "value_at_best_discriminator": "p'*log(p ./ m) + q'*log(q ./ m) - 2*log(2)",
    "value_at_equilibrium": "-log(4)",
    "least_squares_value": "(p - q)^2/(2*p + 2*q) - p/2 - q/2",
    "hinge_value": "abs(p - q) - p - q",
    "wasserstein_value": "norm2(d)",
    "gradient W_d value": "(1 - b_r)*r' - b*y'",
    "gradient W_d saturating": "-b*y'",
    "gradient W_d non-saturating": "-(1 - b)*y'",
    "gradient W_g value": "-b*(step(W_g*x) .* W_d')*x'",
    "gradient W_g saturating": "-b*(step(W_g*x) .* W_d')*x'",
    "gradient W_g non-saturating": "-(1 - b)*(step(W_g*x) .* W_d')*x'",
    "gradient W_d least-squares value": "(1 - s_r)*r' - (1 + s)*y'",
    "gradient W_d least-squares": "-(1 - s)*y'",
    "gradient W_d hinge value": "step(1 - s_r)*r' - step(1 + s)*y'",
    "gradient W_d hinge": "-y'",
    "gradient W_d wasserstein value": "r' - y'",
    "gradient W_d wasserstein": "-y'",
    "gradient W_g least-squares value": "-(1 + s)*(step(W_g*x) .* W_d')*x'",
    "gradient W_g least-squares": "-(1 - s)*(step(W_g*x) .* W_d')*x'",
    "gradient W_g hinge value": "-step(1 + s)*(step(W_g*x) .* W_d')*x'",
    "gradient W_g hinge": "-(step(W_g*x) .* W_d')*x'",
    "gradient W_g wasserstein value": "-(step(W_g*x) .* W_d')*x'",
    "gradient W_g wasserstein": "-(step(W_g*x) .* W_d')*x'",
    "batch_gradient W_d value": "((ones(B) - b_r)'*R - b'*Y)/rows(R)",
    "batch_gradient W_d saturating": "-b'*Y/rows(X)",
    "batch_gradient W_d non-saturating": "-(ones(B) - b)'*Y/rows(X)",
    "batch_gradient W_g value": "-(step(X*W_g') .* (b*W_d))'*X/rows(R)",
    "batch_gradient W_g saturating": "-(step(X*W_g') .* (b*W_d))'*X/rows(X)",
    "batch_gradient W_g non-saturating": "-(step(X*W_g') .* ((ones(B) - b)*W_d))'*X/rows(X)",
    "batch_gradient W_d least-squares value": "-((s_r - ones(B))'*R + (s + ones(B))'*Y)/rows(R)",
    "batch_gradient W_d least-squares": "(s - ones(B))'*Y/rows(X)",
    "batch_gradient W_d hinge value": "(step(ones(B) - s_r)'*R - step(ones(B) + s)'*Y)/rows(R)",
    "batch_gradient W_d hinge": "-ones(1,B)*Y/rows(X)",
    "batch_gradient W_d wasserstein value": "ones(1,B)*(R - Y)/rows(R)",
    "batch_gradient W_d wasserstein": "-ones(1,B)*Y/rows(X)",
    "batch_gradient W_g least-squares value": "-(step(X*W_g') .* ((s + ones(B))*W_d))'*X/rows(R)",
    "batch_gradient W_g least-squares": "(step(X*W_g') .* ((s - ones(B))*W_d))'*X/rows(X)",
    "batch_gradient W_g hinge value": "-(step(X*W_g') .* (step(ones(B) + s)*W_d))'*X/rows(R)",
    "batch_gradient W_g hinge": "-(step(X*W_g') .* (ones(B)*W_d))'*X/rows(X)",
    "batch_gradient W_g wasserstein value": "-(step(X*W_g') .* (ones(B)*W_d))'*X/rows(R)",
    "batch_gradient W_g wasserstein": "-(step(X*W_g') .* (ones(B)*W_d))'*X/rows(X)",
    "expectation_over_laws": "pbar'*f",
    "variance_over_laws": "w'*v/B + w'*mu.^2 - (w'*mu)^2",
}
EXTREMA = {"optimal_discriminator", "best_least_squares_score"}


@pytest.mark.parametrize("name", RESULTS)
def test_a_derivation_is_proven_and_short(name):
    function, *arguments = name.split(" ", 2)
    derivation = getattr(gan, function)(*arguments)
    assert isinstance(derivation, Derivation)
    assert derivation.to_text() == RESULTS[name]
    assert verify(derivation), str(verify(derivation))
    assert 1 <= len(derivation.steps) < 9


def test_no_function_of_the_module_is_forgotten():
    public = {n for n, f in vars(gan).items() if inspect.isfunction(f) and f.__module__ == gan.__name__}
    assert {n for n in public if not n.startswith("_")} == {name.split()[0] for name in RESULTS} | EXTREMA


def computed(derivation, library="numpy", **known):
    """The result by its own code, which takes what it asks for of all that is known."""
    code = derivation.to_function(library)
    return code(**{name: known[name] for name in inspect.signature(code).parameters})


# ------------------------------------------------------------------------------- the optimum


def test_the_best_discriminator_is_proven():
    best = gan.optimal_discriminator()
    assert best.kind == "maximum"
    assert str(best.point) == "p/(p + q)"
    texts = {
        "slope": "p/D - q/(1 - D)",
        "slope_at_point": "0",
        "curvature": "-p/D^2 - q/(1 - D)^2",
        "curvature_at_point": "-(p + q)^3/(p*q)",
    }
    for stage, text in texts.items():
        derivation = getattr(best, stage)
        assert derivation.to_text() == text
        assert verify(derivation), str(verify(derivation))
        assert 1 <= len(derivation.steps) < 9


@pytest.mark.parametrize("p, q", [(1.0, 1.0), (0.3, 0.1), (0.02, 0.9), (5.0, 0.1), (1e-3, 2e-3)])
def test_the_best_discriminator_is_the_best_of_a_grid(p, q):
    grid = numpy.linspace(0.0005, 0.9995, 1999)
    at_best = grid[numpy.argmax(p * numpy.log(grid) + q * numpy.log(1 - grid))]
    point = gan.optimal_discriminator().point
    assert float(point.subs({s: {"p": p, "q": q}[s.name] for s in point.free_symbols})) == pytest.approx(
        at_best, abs=0.0005
    )


def laws(n=7, seed=0):
    return numpy.random.default_rng(seed).dirichlet(numpy.ones(n), 2)


def value_of(p, q, d):
    return p @ numpy.log(d) + q @ numpy.log(1 - d)


def value_at_best(p, q):
    return computed(gan.value_at_best_discriminator(), p=p, q=q, m=(p + q) / 2)


def entropy(p):
    return -p @ numpy.log(p)


@pytest.mark.parametrize("seed", range(5))
def test_the_value_at_the_best_discriminator_is_twice_the_divergence_less_log_four(seed):
    p, q = laws(seed=seed)
    divergence = entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2
    assert 0 < divergence < math.log(2)
    assert value_at_best(p, q) == pytest.approx(2 * divergence - math.log(4), rel=1e-12)
    assert value_at_best(p, q) == pytest.approx(value_of(p, q, p / (p + q)), rel=1e-12)


def test_no_other_discriminator_has_a_higher_value():
    p, q = laws()
    best, generator = value_at_best(p, q), numpy.random.default_rng(1)
    for scale in (1e-3, 0.1, 1.0):
        for _ in range(50):
            d = 1 / (1 + q / p * numpy.exp(scale * generator.standard_normal(7)))
            assert value_of(p, q, d) < best


def test_the_value_is_minus_log_four_at_equal_laws_and_only_there():
    p, q = laws()
    assert computed(gan.value_at_equilibrium(), p=p, q=p) == pytest.approx(-math.log(4), rel=1e-15)
    assert value_at_best(p, p) == pytest.approx(-math.log(4), rel=1e-14)
    assert value_of(p, p, numpy.full(7, 0.5)) == pytest.approx(-math.log(4), rel=1e-14)
    assert value_at_best(p, q) > -math.log(4) + 0.01


def test_the_value_is_nearly_zero_where_the_laws_hardly_meet():
    """D = 1 on data and 0 on samples is the best answer to disjoint laws; the value is then 0, not -log 4."""
    p = numpy.array([0.5, 0.5, 1e-15, 1e-15])
    assert abs(value_at_best(p, p[::-1])) < 1e-12


# What a discriminator with the score s gains at a point, and the divergence that the sum over points comes to.
GAINS = {
    "least_squares_value": (
        lambda p, q, s: -p * (s - 1) ** 2 / 2 - q * (s + 1) ** 2 / 2,
        lambda p, q: ((p - q) ** 2 / (p + q)).sum() / 2 - 1,
    ),
    "hinge_value": (
        lambda p, q, s: -p * numpy.maximum(0, 1 - s) - q * numpy.maximum(0, 1 + s),
        lambda p, q: abs(p - q).sum() - 2,
    ),
}


@pytest.mark.parametrize("name", GAINS)
@pytest.mark.parametrize("seed", range(3))
def test_no_score_of_a_grid_gains_more_than_the_best_one(name, seed):
    gain, divergence = GAINS[name]
    grid = numpy.linspace(-2, 2, 4001)
    p, q = laws(seed=seed)
    best = numpy.array([computed(getattr(gan, name)(), p=a, q=b) for a, b in zip(p, q)])
    on_grid = numpy.array([gain(a, b, grid).max() for a, b in zip(p, q)])
    assert (best >= on_grid - 1e-15).all() and best == pytest.approx(on_grid, abs=1e-6)
    assert best.sum() == pytest.approx(divergence(p, q), rel=1e-12)


def test_the_best_least_squares_score_is_proven():
    best = gan.best_least_squares_score()
    assert (best.kind, str(best.point)) == ("maximum", "(p - q)/(p + q)")
    for stage in ("slope", "slope_at_point", "curvature", "curvature_at_point"):
        assert verify(getattr(best, stage)), stage


def test_no_unit_vector_gains_more_than_the_best_critic():
    generator = numpy.random.default_rng(2)
    d = generator.standard_normal(5)
    critics = generator.standard_normal((1000, 5))
    gains = critics @ d / numpy.linalg.norm(critics, axis=1)
    assert gains.max() <= computed(gan.wasserstein_value(), d=d) == pytest.approx(numpy.linalg.norm(d))


# ---------------------------------------------------------------- the 2-5-1 GAN, by autograd

# Of logits (B,), of real and of fake samples.
LOSSES = {
    "value": lambda real, fake: real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean(),
    "saturating": lambda real, fake: (1 - fake.sigmoid()).log().mean(),
    "non-saturating": lambda real, fake: -fake.sigmoid().log().mean(),
    "least-squares value": lambda real, fake: -((real - 1) ** 2).mean() / 2 - ((fake + 1) ** 2).mean() / 2,
    "least-squares": lambda real, fake: ((fake - 1) ** 2).mean() / 2,
    "hinge value": lambda real, fake: -torch.relu(1 - real).mean() - torch.relu(1 + fake).mean(),
    "hinge": lambda real, fake: -fake.mean(),
    "wasserstein value": lambda real, fake: real.mean() - fake.mean(),
    "wasserstein": lambda real, fake: -fake.mean(),
}


def drawn(batch_size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = {"W_d": (1, 5), "W_g": (5, 2), "R": (batch_size, 5), "X": (batch_size, 2)}
    return {name: torch.randn(*shape, dtype=torch.float64, generator=generator) for name, shape in shapes.items()}


def logits(W_d, W_g, R, X):
    Y = torch.relu(X @ W_g.T)  # (B, 5)
    return Y, (R @ W_d.T)[:, 0], (Y @ W_d.T)[:, 0]


def forward(W_d, W_g, R, X):
    Y, s_r, s = logits(W_d, W_g, R, X)
    return Y, torch.sigmoid(s_r), torch.sigmoid(s)


def autograd(given, wrt, loss):
    given = given | {wrt: given[wrt].clone().requires_grad_(True)}
    _, real, fake = logits(**given)
    (gradient,) = torch.autograd.grad(LOSSES[loss](real, fake), given[wrt])
    return gradient


def single(given, wrt, loss):
    row = {"r": given["R"][0], "x": given["X"][0]}
    return computed(gan.gradient(wrt, loss), "torch", W_d=given["W_d"], W_g=given["W_g"], **row)


def batched(given, wrt, loss):
    return computed(gan.batch_gradient(wrt, loss), "torch", **given)


def assert_close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("wrt", ["W_d", "W_g"])
def test_the_gradient_at_one_example_is_that_of_autograd(wrt, loss):
    for seed in range(10):
        given = drawn(1, seed)
        assert single(given, wrt, loss).shape == given[wrt].shape
        assert_close(single(given, wrt, loss), autograd(given, wrt, loss))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("wrt", ["W_d", "W_g"])
@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
def test_the_gradient_of_a_batch_is_that_of_autograd(batch_size, wrt, loss):
    for seed in range(3):
        given = drawn(batch_size, seed)
        assert_close(batched(given, wrt, loss), autograd(given, wrt, loss))


def test_the_gradient_of_a_batch_is_the_mean_of_those_of_its_examples():
    given = drawn(7)
    rows = [given | {"R": given["R"][i : i + 1], "X": given["X"][i : i + 1]} for i in range(7)]
    for wrt in ("W_d", "W_g"):
        mean = torch.stack([single(row, wrt, "value") for row in rows]).mean(0)
        assert_close(batched(given, wrt, "value"), mean)


def test_the_losses_are_those_of_the_module():
    assert set(LOSSES) == set(gan.LOSSES) == set(gan.BATCH_LOSSES)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_slope_of_relu_at_zero_is_that_of_torch(loss):
    """Pre-activations of exactly zero: a dead unit, one whose terms cancel, and in the batch no noise at all."""
    given = drawn(3)
    given["W_d"] /= 10  # 1 + s > 0: on the slope of the hinge
    given["W_g"] = given["W_g"].abs()
    given["W_g"][0], given["W_g"][1] = 0, torch.tensor([2.0, -1.0])
    given["X"][0], given["X"][1] = torch.tensor([1.0, 2.0]), 0
    for wrt in ("W_d", "W_g"):
        assert_close(batched(given, wrt, loss), autograd(given, wrt, loss))
    first = given | {"R": given["R"][:1], "X": given["X"][:1]}
    assert ((first["X"] @ first["W_g"].T)[0, :2] == 0).all()
    gradient = single(first, "W_g", loss)
    assert_close(gradient, autograd(first, "W_g", loss))
    assert (gradient[:2] == 0).all() and (gradient[2:] != 0).all()


def test_a_generator_of_zeros_never_leaves_zero():
    given = drawn(16)
    given["W_g"] = torch.zeros_like(given["W_g"])
    for loss in LOSSES:
        assert (batched(given, "W_g", loss) == 0).all()


@pytest.mark.parametrize("function", [gan.gradient, gan.batch_gradient], ids=lambda f: f.__name__)
@pytest.mark.parametrize("wrt", ["W_d", "W_g"])
def test_the_convention_at_the_kink_is_stated_where_the_result_rests_on_it(function, wrt):
    assert function(wrt, "hinge value").conditions == ("ReLU'(0) = 0",)
    assert function(wrt).conditions == (("ReLU'(0) = 0",) if wrt == "W_g" else ())


def test_an_unknown_loss_is_an_error_that_names_the_known_ones():
    with pytest.raises(DerivationError, match="non-saturating"):
        gan.gradient("W_d", "chi-squared")


def test_the_code_of_a_gradient_needs_the_weights_and_the_data_only():
    given = drawn(1)
    code = gan.gradient("W_g").to_function("torch")
    row = {"r": given["R"][0], "x": given["X"][0]}
    assert_close(code(W_d=given["W_d"], W_g=given["W_g"], **row), autograd(given, "W_g", "value"))


# ------------------------------------------------------------ the formulas that are wrong


def sigmoid_slope(u):
    return torch.sigmoid(u) * (1 - torch.sigmoid(u))


def parts(given):
    """W_d, r, x, y, b_r, b and the mask 1[W_g x > 0], all as 2-D columns or rows."""
    Y, b_r, b = forward(**given)
    return given["W_d"], given["R"].T, given["X"].T, Y.T, b_r, b, (given["W_g"] @ given["X"].T > 0).double()


def slope_at_the_output_for_w_d(given):
    """sigma'(b) in place of sigma'(W_d y) = b (1 - b), in both terms."""
    _, r, _, y, b_r, b, _ = parts(given)
    return sigmoid_slope(b_r) / b_r * r.T - sigmoid_slope(b) / (1 - b) * y.T


def slope_at_the_output_for_w_g(given):
    w_d, _, x, _, _, b, mask = parts(given)
    return -sigmoid_slope(b) / (1 - b) * (w_d.T * mask) @ x.T


def without_the_real_data(given):
    *_, y, _, b, _ = parts(given)
    return -b * y.T


def without_the_mask(given):
    w_d, _, x, _, _, b, _ = parts(given)
    return -b * w_d.T @ x.T


def mask_in_place_of_the_hadamard_product(given):
    """ReLU'(W_g x) x' alone: W_d is not there."""
    _, _, x, _, _, b, mask = parts(given)
    return -b * mask @ x.T


def row_times_diagonal(given):
    """W_d (ReLU'(W_g x) x'), the product as the attempt writes it: a row of two, spread over five by broadcasting."""
    w_d, _, x, _, _, b, mask = parts(given)
    product = -b * w_d @ (mask @ x.T)
    assert product.shape == (1, 2)
    return product.expand(5, 2)


WRONG = {
    slope_at_the_output_for_w_d: "W_d",
    without_the_real_data: "W_d",
    slope_at_the_output_for_w_g: "W_g",
    without_the_mask: "W_g",
    mask_in_place_of_the_hadamard_product: "W_g",
    row_times_diagonal: "W_g",
}


def relative_error(a, b):
    return float((a - b).abs().max() / max(a.abs().max(), b.abs().max()))


@pytest.mark.parametrize("formula", WRONG, ids=lambda f: f.__name__)
def test_a_wrong_formula_is_far_from_autograd_and_ours_is_not(formula):
    wrt, errors = WRONG[formula], []
    for seed in range(40):
        given = drawn(1, seed)
        truth = autograd(given, wrt, "value")
        if truth.abs().max() > 1e-3:  # else the generator is dead at this noise
            errors.append(relative_error(formula(given), truth))
            assert relative_error(single(given, wrt, "value"), truth) < 1e-12
    assert len(errors) > 25
    assert sum(error > 0.03 for error in errors) > 0.8 * len(errors)
    assert sum(errors) / len(errors) > 0.1


def test_the_wrong_slope_never_vanishes():
    """sigma'(b) lies in (0.196, 0.25]; the right slope b (1 - b) goes to zero as the discriminator saturates."""
    b = torch.linspace(0, 1, 1001, dtype=torch.float64)
    slopes = sigmoid_slope(b)
    assert float(slopes.min()) > 0.196 and float(slopes.max()) == 0.25
    given = drawn(1)
    given["W_d"], given["X"] = -20 * given["W_d"].abs(), given["X"].abs()
    given["W_g"] = given["W_g"].abs()
    assert single(given, "W_g", "value").abs().max() < 1e-6
    assert slope_at_the_output_for_w_g(given).abs().max() > 1


def test_a_saturated_discriminator_leaves_the_non_saturating_loss_its_gradient():
    given = drawn(8)
    given["W_d"], given["X"], given["W_g"] = -20 * given["W_d"].abs(), given["X"].abs(), given["W_g"].abs()
    assert batched(given, "W_g", "saturating").abs().max() < 1e-3
    assert batched(given, "W_g", "non-saturating").abs().max() > 1


# --------------------------------------------------------------- a new latent law each time


def mixture(n_laws=4, n_points=6):
    generator = numpy.random.default_rng(0)
    return generator.dirichlet(numpy.ones(n_laws)), generator.dirichlet(numpy.ones(n_points), n_laws)


def test_the_expectation_over_laws_is_that_of_the_mixture():
    w, laws_ = mixture()
    f = numpy.random.default_rng(1).standard_normal(6)
    ours = computed(gan.expectation_over_laws(), w=w, P=laws_, f=f, pbar=laws_.T @ w)
    assert ours == pytest.approx(sum(w[k] * sum(laws_[k, j] * f[j] for j in range(6)) for k in range(4)), rel=1e-12)


def test_the_expectation_over_laws_is_that_of_a_simulation():
    w, laws_ = mixture()
    f = numpy.random.default_rng(1).standard_normal(6)
    generator, n_draws = numpy.random.default_rng(2), 200_000
    law = generator.choice(4, n_draws, p=w)
    point = (generator.random(n_draws)[:, None] > laws_.cumsum(1)[law]).sum(1)
    ours = computed(gan.expectation_over_laws(), w=w, P=laws_, f=f, pbar=laws_.T @ w)
    assert f[point].mean() == pytest.approx(ours, abs=5 * f[point].std() / math.sqrt(n_draws))


@pytest.mark.parametrize("batch_size", [1, 16, 400])
def test_the_variance_over_laws_is_that_of_a_simulation(batch_size):
    """A law for each batch, then the mean of the batch; 200 000 batches know a variance to about 0.5 %."""
    generator, n_batches = numpy.random.default_rng(0), 200_000
    w, mu, v = numpy.array([0.5, 0.2, 0.3]), numpy.array([0.3, 0.7, 1.0]), numpy.array([1.0, 4.0, 0.5])
    law = generator.choice(3, n_batches, p=w)
    means = mu[law] + numpy.sqrt(v[law] / batch_size) * generator.standard_normal(n_batches)
    ours = computed(gan.variance_over_laws(), w=w, mu=mu, v=v, B=batch_size)
    assert means.var() == pytest.approx(ours, rel=0.03)


def test_a_law_for_each_sample_leaves_no_variance_between_laws():
    """Then the batch is plain sampling from the mixture, whose variance is that of a batch of one."""
    generator, size = numpy.random.default_rng(0), 16
    w, mu, v = numpy.array([0.5, 0.2, 0.3]), numpy.array([0.3, 0.7, 1.0]), numpy.array([1.0, 4.0, 0.5])
    law = generator.choice(3, (100_000, size), p=w)
    means = (mu[law] + numpy.sqrt(v[law]) * generator.standard_normal(law.shape)).mean(1)
    single = computed(gan.variance_over_laws(), w=w, mu=mu, v=v, B=1)
    assert means.var() == pytest.approx(single / size, rel=0.03)


def test_a_large_batch_leaves_the_variance_between_the_laws():
    w, mu, v = numpy.array([0.5, 0.5]), numpy.array([1.0, 3.0]), numpy.array([3.0, 5.0])
    assert computed(gan.variance_over_laws(), w=w, mu=mu, v=v, B=1e12) == pytest.approx(1)
    assert computed(gan.variance_over_laws(), w=w, mu=0 * mu, v=v, B=8) == pytest.approx(4 / 8)
