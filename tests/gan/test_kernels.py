"""The fused engine: the same numbers as the plain one, and refused by name where it is not written for the run."""

import math
import sys

import numpy as np
import pytest
import torch

from gan import draws, game, kernels
from gan.config import make
from gan.game import Game
from runner.errors import ConfigError

CPU = torch.device("cpu")
OPTIONS = {
    "saturating": {},
    "non-saturating": {"loss": "non-saturating", "gamma": 0.3},
    "simultaneous": {"updates": "simultaneous", "schedule": "cosine"},
    "averaged": {"average": 0.9, "schedule": "constant", "learning_rate": 0.1},
    "odd batch": {"batch_size": 17},
    "batch of one": {"batch_size": 1, "learning_rate": 0.05},
}


def games(n_gans=3, **given):
    configs = [make({"steps": 40, "batch_size": 64, "seed": s} | given) for s in range(n_gans)]
    return [Game([make(vars(c) | {"engine": engine}) for c in configs], CPU) for engine in ("plain", "fused")]


@pytest.mark.parametrize("name", OPTIONS)
def test_both_engines_give_the_same_weights(name):
    plain, fused = games(**OPTIONS[name])
    assert fused.kernels and not plain.kernels
    for n_steps in (1, 12, 27):
        plain.advance(n_steps)
        fused.advance(n_steps)
        assert plain.step == fused.step
        for key in plain.weights:
            torch.testing.assert_close(fused.weights[key], plain.weights[key], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(fused.result()[key], plain.result()[key], rtol=1e-4, atol=1e-5)


def test_steps_at_once_are_steps_one_by_one_to_the_bit():
    (_, one), (_, other) = games(), games()
    one.advance(20)
    for _ in range(20):
        other.advance(1)
    assert all(torch.equal(one.weights[key], other.weights[key]) for key in one.weights)


def test_a_gan_is_the_same_in_any_company_to_the_bit():
    (_, many), (_, few) = games(5), games(2)
    many.advance(20)
    few.advance(20)
    assert torch.equal(many.weights["W_g"][:2], few.weights["W_g"])


@pytest.mark.parametrize("half", [1, 7, 768])
def test_the_draws_are_those_of_the_stream(half):
    stream = draws.Stream([3], draws.NOISE)
    key = draws._mixed(stream.keys + draws.signed(11 * draws.FIRST))
    found = np.empty(2 * half, np.float32)
    kernels.draw(key.numpy().view(np.uint64)[0], half, found)
    np.testing.assert_allclose(found, stream.normals(11, (2 * half,))[0].numpy(), atol=2e-6)


def test_the_functions_by_polynomials_are_right_to_float32():
    x = np.linspace(-60, 60, 4001, dtype=np.float32)
    sigmoid = each(kernels.sigmoid, x)
    np.testing.assert_allclose(sigmoid, 1 / (1 + np.exp(-x.astype(float))), rtol=1e-5, atol=1e-30)
    u = np.concatenate([2.0 ** -np.arange(0, 25.0), np.linspace(0.001, 1, 999)]).astype(np.float32)
    logarithm = each(kernels.logarithm, u)
    np.testing.assert_allclose(logarithm, np.log(u.astype(float)), rtol=2e-6, atol=1e-6)
    turns = np.linspace(-0.25, 0.25, 1001, dtype=np.float32)
    sine = each(kernels.sine, turns)
    np.testing.assert_allclose(sine, np.sin(2 * math.pi * turns.astype(float)), atol=5e-7)


def each(function, values):
    with np.errstate(over="ignore"):
        return np.array([function.py_func(np.float32(v)) for v in values])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"discriminator": "quadratic"}, "needs discriminator = 'linear', not 'quadratic'"),
        ({"loss": "hinge"}, "needs loss = 'saturating', not 'hinge'"),
        ({"momentum": 0.5}, "needs momentum = 0.0, not 0.5"),
        ({"precision": "float64"}, "needs precision = 'float32', not 'float64'"),
        ({"latent": "scales"}, "needs latent = 'normal', not 'scales'"),
        ({"fresh_noise": False}, "needs fresh_noise = True, not False"),
    ],
)
def test_what_it_is_not_written_for_is_refused_by_name_and_left_to_plain(given, message):
    with pytest.raises(ConfigError, match=f"--engine fused {message}"):
        Game([make(given | {"engine": "fused"})], CPU)
    assert Game([make(given | {"seed": s}) for s in range(game.WORTH)], CPU).kernels is None


def test_many_gans_get_it_where_it_is_there_and_few_do_not(monkeypatch):
    many = [make({"seed": s}) for s in range(game.WORTH)]
    assert Game(many, CPU).kernels and Game(many[1:], CPU).kernels is None
    monkeypatch.delitem(sys.modules, "gan.kernels")
    monkeypatch.delitem(sys.modules, "runner.compiled")
    monkeypatch.setitem(sys.modules, "numba", None)
    assert Game(many, CPU).kernels is None
    with pytest.raises(ConfigError, match=r"needs numba: pip install 'matrix-derivations\[fused\]'; --engine plain"):
        Game([make({"engine": "fused"})], CPU)


def test_weights_that_are_no_numbers_are_seen():
    _, fused = games(learning_rate=1e30)
    fused.advance(40)
    assert not fused.finite().any()
