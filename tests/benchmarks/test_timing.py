"""Repetitions are timed with cold caches, and contestants in turns."""

from itertools import chain, repeat
from types import SimpleNamespace

import numpy as np
import pytest
import sympy

import derivations
from benchmarks import timing
from benchmarks.timing import SHORTEST, caches, cold, in_turns


def test_caches_are_cleared_before_each_repetition():
    x, runs = sympy.Symbol("x"), []

    def run():
        runs.append(sympy.sin(x).diff(x))
        return runs[-1]

    result, seconds = cold(run, 3, ())
    assert result == sympy.cos(x) and seconds > 0 and len(runs) == 3
    assert len({id(r) for r in runs}) == 3
    assert caches((derivations.__name__,))


def test_contestants_that_fail_are_named():
    times, values, failures = in_turns({"good": lambda: np.ones(2), "bad": lambda: 1 / 0}, seconds=0.01)
    assert failures["bad"].startswith("ZeroDivisionError")
    assert times["good"] > 0 and values["good"].shape == (2,) and "bad" not in times


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves only while contestants run; contestant(name, *seconds) takes the last of them from then on."""
    log, state = [], SimpleNamespace(now=0.0)
    monkeypatch.setattr(timing.time, "perf_counter", lambda: state.now)

    def contestant(name, *seconds):
        left = chain(seconds, repeat(seconds[-1]))

        def run():
            log.append(name)
            state.now += next(left)
            return len(log)

        return run

    return SimpleNamespace(contestant=contestant, log=log)


def test_the_first_call_is_not_timed_and_the_median_counts(clock):
    # Warm-up, the first timing, then one call that is not timed before each that is.
    run = clock.contestant("a", 50, 2, *(70, 3), *(70, 100), *(70, 1), *(70, 3), 0)
    times, values, _ = in_turns({"a": run}, seconds=380)
    assert times == {"a": 3} and values == {"a": 2} and len(clock.log) == 10


def test_quick_calls_are_timed_together(clock):
    each = SHORTEST / 4
    times, _, _ = in_turns({"a": clock.contestant("a", each)}, seconds=5 * each)
    assert times["a"] == pytest.approx(each) and clock.log == ["a"] * (2 + 1 + 4)


def rounds(clock):
    """The contestants of each round, one after another."""
    run = {name: clock.contestant(name, 1) for name in "abc"}
    in_turns(run, seconds=40)
    warm, *timed = (clock.log[i : i + 6] for i in range(0, len(clock.log), 6))
    clock.log.clear()
    assert warm == list("aabbcc") and all(first[::2] == first[1::2] for first in timed)
    return ["".join(names[::2]) for names in timed]


def test_each_round_has_an_order_of_its_own_the_same_in_every_run(clock):
    first, again = rounds(clock), rounds(clock)
    assert len(first) == 20 and {"".join(sorted(names)) for names in first} == {"abc"}
    assert len(set(first)) == 6 and first == again
