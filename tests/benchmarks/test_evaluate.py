"""What does not fit or is wrong is named, and does not count."""

from types import SimpleNamespace

import numpy as np

from benchmarks import evaluate
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
