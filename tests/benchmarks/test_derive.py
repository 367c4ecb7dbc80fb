"""What a system gives counts when it is right, and the best of its ways counts."""

import numpy as np
import pytest

from benchmarks import derive
from benchmarks.problems import load
from benchmarks.systems import NotExpressible

PROBLEMS = {p["id"]: p for p in load()}


def test_sympy_gives_arrays_in_the_vec_form():
    assert derive.measured("sympy", 1, PROBLEMS["mn_axb"])["verdict"] == "right"


def test_a_trace_is_right_and_a_wrong_zero_is_not():
    problem = PROBLEMS["mc101"]
    assert derive.measured("sympy", 1, problem)["verdict"] == "right"
    assert not derive.is_right(lambda point, sizes: np.zeros_like(point["X"]), problem)


@pytest.mark.parametrize("name", ["mc101", "HV_mf_mixed", "sym_frob"])
def test_ours_is_right(name):
    assert derive.measured("ours", 1, PROBLEMS[name])["verdict"] == "right"


def test_tensorgrad_is_right_where_it_is_installed():
    if derive.tensorgrad_grad is None:
        pytest.skip("tensorgrad is not installed")
    for name in ("mc101", "mc061", "mc098", "mn_axb"):
        assert derive.measured("tensorgrad", 1, PROBLEMS[name])["verdict"] == "right"


def unable(problem):
    raise NotExpressible("vec")


def test_the_best_of_the_ways_counts(monkeypatch):
    ways = {
        "not expressible": unable,
        "failed": lambda problem: 1 / 0,
        "wrong": lambda problem: (lambda: 0, lambda *_: np.zeros(())),
        "right": derive.SYSTEMS["ours"][0],
    }
    for number, best in enumerate(ways, 1):
        monkeypatch.setitem(derive.SYSTEMS, "sympy", list(ways.values())[:number])
        assert derive.measured("sympy", 1, PROBLEMS["mc101"])["verdict"] == best
