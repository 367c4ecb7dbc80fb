"""What does not fit or is wrong is named, and does not count; ratios compare what can be compared."""

import warnings
from types import SimpleNamespace

import numpy as np

from benchmarks import evaluate
from benchmarks.libraries import NUMPY
from benchmarks.workloads import PROBLEMS, RANK, case

BY_NAME = {problem.name: problem for problem in PROBLEMS}


def test_hessians_that_do_not_fit_are_foreseen():
    large = case(BY_NAME["factorisation by U"], 100)
    assert evaluate.needed("gradient", large) == {}
    assert evaluate.needed("hessian", large)["fwd(rev)"] == 8 * 100 * RANK * 100**2


def test_an_alternative_that_is_wrong_is_named_and_does_not_count(monkeypatch):
    at = case(BY_NAME["quadratic form"], 6)
    true = evaluate.alternatives("gradient", at, False)
    monkeypatch.setattr(evaluate, "alternatives", lambda *_: {**true, "jax": lambda: np.zeros(6)})
    cells, error, notes = evaluate.line("gradient", at, SimpleNamespace(memory=1, jax=False, seconds=0.01))
    assert error < evaluate.TOLERANCE and "jax is wrong, and does not count" in notes[0]
    assert cells[3] == ""


def test_ratios_stay_within_one_library(monkeypatch):
    times = {"autograd": 6.0, "jax": 0.1, "ours numpy": 1.0, "ours torch": 2.0, "hand numpy": 0.5, "hand torch": 3.0}
    monkeypatch.setattr(evaluate, "in_turns", lambda contestants, _: (times, dict.fromkeys(times, np.ones(6)), {}))
    options = SimpleNamespace(memory=1, jax=False, seconds=0.01)
    cells, *_ = evaluate.line("gradient", case(BY_NAME["quadratic form"], 6), options)
    assert dict(zip(evaluate.RATIOS, cells[-4:-1])) == {"auto/ours": "3.00", "hand np": "0.50", "hand torch": "1.50"}


def test_sigmoid_by_hand_does_not_warn_of_what_overflows():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert NUMPY.sigmoid(np.array([-1000.0, 0.0])).tolist() == [0, 0.5]
