"""Repetitions are timed with cold caches, and contestants in turns."""

import numpy as np
import sympy

from benchmarks.timing import caches, cold, in_turns


def test_caches_are_cleared_before_each_repetition():
    x, runs = sympy.Symbol("x"), []

    def run():
        runs.append(sympy.sin(x).diff(x))
        return runs[-1]

    result, seconds = cold(run, 3, ())
    assert result == sympy.cos(x) and seconds > 0 and len(runs) == 3
    assert len({id(r) for r in runs}) == 3
    assert caches(("derivations",))


def test_contestants_that_fail_are_named():
    times, values, failures = in_turns({"good": lambda: np.ones(2), "bad": lambda: 1 / 0}, seconds=0.01)
    assert failures["bad"].startswith("ZeroDivisionError")
    assert times["good"] > 0 and values["good"].shape == (2,) and "bad" not in times
