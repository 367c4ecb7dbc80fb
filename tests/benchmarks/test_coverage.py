"""The coverage table knows what is true, sees what is not, and counts it."""

import os
import subprocess
import sys
from pathlib import Path

import torch
from sympy import Integer

import derivations as dv
from benchmarks import coverage
from benchmarks.judge.shapes import declared_shape
from benchmarks.judge.truth import text_value
from benchmarks.problems import load

GRADIENT = next(p for p in load() if p["id"] == "frob_axb")


class Answered:
    """A derivation whose function and text may be false."""

    steps = ("one",)

    def __init__(self, problem, factor="1", text=None):
        self.problem, self.factor = problem, float(factor)
        self.text = text or f"{factor}*({problem['expected']})"

    def to_text(self):
        return self.text

    def to_function(self, library):
        def function(**values):
            point = {n: torch.as_tensor(x) for n, x in values.items()}
            shapes = {n: declared_shape(self.problem["vars"][n]) for n in point}
            sizes = {s: Integer(d) for n, x in point.items() for s, d in zip(shapes[n], x.shape)}
            return self.factor * text_value(self.problem["expected"], self.problem, point, sizes).numpy()

        return function


def test_a_true_answer_is_right():
    assert coverage.compared(Answered(GRADIENT), GRADIENT) == ("right", "")


def test_a_false_function_is_silently_wrong():
    verdict, reason = coverage.compared(Answered(GRADIENT, "1.000001", GRADIENT["expected"]), GRADIENT)
    assert verdict == "wrong" and "numpy function" in reason


def test_a_false_text_is_silently_wrong():
    verdict, reason = coverage.compared(Answered(GRADIENT, text="A'*(A*X*B - C)*B'"), GRADIENT)
    assert verdict == "wrong" and "text form" in reason


def test_a_text_that_cannot_be_read_is_an_error():
    verdict, reason = coverage.compared(Answered(GRADIENT, text="2*A'*(A*X*B - C)*B' +"), GRADIENT)
    assert verdict == "error" and "read back by this reader" in reason


def test_a_derivation_without_steps_is_an_error(monkeypatch):
    monkeypatch.setattr(Answered, "steps", ())
    assert coverage.compared(Answered(GRADIENT), GRADIENT) == ("error", "no steps")


def test_what_the_engine_says_no_to_is_refused_by_name(monkeypatch):
    def refuse(problem):
        raise dv.UnsupportedError("no kron here")

    monkeypatch.setattr(coverage.ours, "derived", refuse)
    assert coverage.judged(GRADIENT) == {"verdict": "refused", "reason": "UnsupportedError: no kron here"}


def test_any_other_exception_is_an_error(monkeypatch):
    monkeypatch.setattr(coverage.ours, "derived", lambda problem: 1 / 0)
    assert coverage.judged(GRADIENT)["verdict"] == "error"


def test_a_problem_of_the_engine_is_right():
    assert coverage.judged(GRADIENT)["verdict"] == "right"


def test_lengths_are_compared_without_spaces():
    result = {"text": "2*A' * x", "verdict": "right", "steps": ["a"], "seconds": 0.001}
    problem = {"expected": "2 * A'*x", "category": "c", "id": "i"}
    assert coverage.length_ratio(problem, result) == 1
    assert coverage.percentile([1, 2, 3, 10], 0.9) == 10
    assert coverage.summary([(problem, result)]).startswith("right 1/1 (100.0 %), refused 0, silently wrong 0")


def test_the_command_finds_its_modules_from_anywhere(tmp_path):
    """And asks its worker process, whose imports are the same."""
    command = [sys.executable, str(Path(coverage.__file__)), "--only", "frob_axb"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("right 1/1 (100.0 %)")
