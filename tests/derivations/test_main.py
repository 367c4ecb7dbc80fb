"""The command line: its answers, its errors, batches, and the examples of its help."""

import doctest
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from shutil import which
from threading import Timer
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import derivations as dv
from derivations import api, verification
from derivations.__main__ import main
from derivations.commandline import arguments, reports
from derivations.expressions import multiply
from derivations.verification import comparison

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "derivations"]
# Where nothing is buffered, nothing need be flushed, and a test would not see that it is not.
PLACE = {"cwd": ROOT, "env": {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}, "text": True}


@pytest.fixture
def run(capsys, monkeypatch):
    """run(*argv, stdin=text): (status, standard output, standard error), in this process."""

    def running(*argv, stdin=""):
        stream = SimpleNamespace(buffer=io.BytesIO(stdin if isinstance(stdin, bytes) else stdin.encode()))
        monkeypatch.setattr(sys, "stdin", stream)
        try:
            status = main(argv)
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return running


@pytest.fixture
def answer(run):
    """answer(*argv): the object of JSON of a problem that has an answer."""

    def answering(*argv):
        status, out, err = run(*argv, "--format", "json")
        assert err == "" and out.count("\n") == 1
        return json.loads(out) | {"status": status}

    return answering


@pytest.fixture
def batch(run):
    """batch(command, *problems, more options): (status, objects of JSON, standard error)."""

    def answering(command, *problems, options=()):
        lines = [p if isinstance(p, (str, bytes)) else json.dumps(p) for p in problems]
        stdin = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
        status, out, err = run(command, "--input", "-", *options, stdin=stdin)
        return status, [json.loads(line) for line in out.splitlines()], err

    return answering


# ------------------------------------------------------------------------------------- the formats


def test_text_has_the_result_first_and_every_step_with_its_rule(run):
    status, out, err = run("derive", "norm2(A*x - b)^2", "--wrt", "x")
    d = dv.derive("norm2(A*x - b)^2", "x")
    assert (status, err) == (0, "")
    first, blank, *lines = out.splitlines()
    assert (first, blank) == (f"gradient: {d.to_text()}", "")
    assert len(lines) == len(d.steps) + 1
    for line, step in zip(lines[1:], d.steps):
        assert line.endswith(f"   {step.rule.name}")
    assert lines[-1].startswith(f"=> {d.to_text()} ")


def test_text_says_definitions_and_conditions(run):
    _, out, _ = run("derive", "sum(y)", "--define", "y=relu(A*x)", "--wrt", "x")
    assert out.startswith("gradient: A'*step(A*x)\n  where y = relu(A*x)\n  assumed: ReLU'(0) = 0\n\n   d(sum(y))\n")


def test_what_has_no_text_is_written_in_latex(monkeypatch, answer, run):
    def refuse(expression, variables=()):
        raise dv.UnsupportedError("no form")

    monkeypatch.setattr(reports.text, "write", refuse)
    assert run("derive", "x'*x", "--wrt", "x")[1].startswith("gradient: 2\\mathbf{x}\n")
    found = answer("derive", "x'*x", "--wrt", "x")
    assert found["result"] is None and found["latex"] == "2\\mathbf{x}"
    assert found["steps"][0]["before"] is None and found["steps"][0]["rule"]


def test_json(answer):
    d = dv.derive("sum(relu(A*x))", "x")
    found = answer("derive", "sum(relu(A*x))", "--wrt", "x")
    assert list(found)[:-1] == [
        *("expression", "wrt", "order", "layout", "result", "latex", "steps", "conditions", "seconds")
    ]
    assert found["expression"] == "sum(relu(A*x))" and found["wrt"] == "x" and found["order"] == 1
    assert found["layout"] == "gradient" and found["conditions"] == ["ReLU'(0) = 0"] and 0 < found["seconds"] < 60
    assert found["result"] == d.to_text() and found["latex"] == d.to_latex(steps=False)
    assert [s["rule"] for s in found["steps"]] == [s.rule.name for s in d.steps]
    assert all(s.keys() == {"rule", "statement", "source", "before", "after"} for s in found["steps"])
    assert all(a["after"] == b["before"] for a, b in zip(found["steps"], found["steps"][1:]))
    assert found["steps"][-1]["after"] == found["result"]


def test_latex_numpy_and_torch_are_those_of_the_derivation(run):
    d = dv.derive("x'*A*x", "x")
    expected = {"latex": d.to_latex(), "numpy": d.to_code("numpy"), "torch": d.to_code("torch")}
    for name, source in expected.items():
        assert run("derive", "x'*A*x", "--wrt", "x", "--format", name) == (0, source.rstrip("\n") + "\n", "")


def test_the_proof_does_not_mix_with_latex_and_code(run):
    status, out, err = run("derive", "x'*A*x", "--wrt", "x", "--format", "numpy", "--verify")
    assert status == 0
    functions = {}
    exec(out, functions)
    assert functions["derivative"](A=np.array([[1.0, 3], [0, 1]]), x=np.array([1.0, 2])).tolist() == [8, 7]
    assert [line.split(":")[0] for line in err.splitlines()] == ["exact (prime field)", "autograd (float64)"]


# ------------------------------------------------------------------------------------- the options

S = {"kind": "matrix", "shape": ["n", "n"], "props": ["symmetric"]}
ASKED = [
    (["x'*A*y", "--wrt", "y", "--shape", "x=m", "--shape", "A=m,n", "--shape", "y=n"], ("x'*A*y", "y"), {}),
    (["x'*A*x", "--wrt", "x", "--order", "2"], ("x'*A*x", "x"), {"order": 2}),
    (["x'*A*z", "--wrt", "x,z"], ("x'*A*z", ("x", "z")), {}),
    (["x'*A*z", "--wrt", "z", "--wrt", "x", "--order", "2"], ("x'*A*z", ("z", "x")), {}),
    (["A*x", "--wrt", "x", "--layout", "numerator"], ("A*x", "x"), {"layout": "numerator"}),
    (["s*x", "--wrt", "s", "--shape", "s="], ("s*x", "s"), {"variables": {"s": ""}}),
    (["x'*A*x", "--wrt", "x", "--shape", "A=n,n", "--property", "A=symmetric,invertible"], *2 * [None]),
    (["x'*A*x", "--wrt", "x", "--property", "A=symmetric"], *2 * [None]),
    (["x'*A*x", "--wrt", "x", "--shape", "x=5", "--property", "A=symmetric"], *2 * [None]),
    (["-x'*x", "--wrt", "x"], ("-x'*x", "x"), {}),
    (["log(1 - b)", "--wrt", "x", "--define", "b=sigmoid(w'*x)"], *2 * [None]),
]


@pytest.mark.parametrize(("argv", "asked", "more"), ASKED, ids=lambda a: " ".join(a) if isinstance(a, list) else "")
def test_options_are_those_of_derive(answer, argv, asked, more):
    found = answer("derive", *argv)
    assert found["status"] == 0
    if asked is None:
        expected = {"x'*A*x": "2*A*x", "log(1 - b)": "-b*w"}[argv[0]]
    else:
        d = dv.derive(*asked, **more)
        expected = d.to_text()
        assert (found["order"], found["layout"]) == (d.order, d.layout)
        assert found["wrt"] == (asked[1] if isinstance(asked[1], str) else list(asked[1]))
    assert found["result"] == expected


def test_an_expression_may_start_with_a_minus(run):
    for argv in (["-x'*x", "--wrt", "x"], ["--wrt", "x", "--", "-x'*x"]):
        assert run("derive", *argv)[1].startswith("gradient: -2*x\n")
    assert run("verify", "-x'*x", "--wrt", "x", "--claim", "-2*x")[0] == 0


def test_a_matrix_with_a_property_of_square_ones_is_square(answer):
    found = answer("derive", "tr(A*B)", "--wrt", "B", "--property", "A=symmetric")
    assert found["result"] == "A"


def test_properties_go_with_definitions(monkeypatch, run):
    asked = {}

    def remember(*args, **keywords):
        asked.update(keywords)
        raise dv.UnsupportedError("enough")

    monkeypatch.setattr(api, "derive", remember)
    argv = ["--wrt", "x", "--define", "p=softmax(x)", "--property", "p=prob", "--structure", "symmetric"]
    assert run("derive", "sum(p)", *argv)[0] == 2
    assert asked["definitions"] == {"p": ("softmax(x)", "prob")} and asked["structure"] == "symmetric"


# -------------------------------------------------------------------------------------- bad input

BAD = [
    (["tr(X", "--wrt", "X"], r"expected '\)' at line 1, column 5\n    tr\(X\n        \^"),
    (["", "--wrt", "X"], "the text is empty"),
    (["A*x", "--wrt", "x", "--shape", "A=m,n", "--shape", "x=m"], r"cannot multiply A \(m, n\) by x \(m, 1\)"),
    (["x'*x", "--wrt", "y"], "cannot differentiate by 'y'"),
    (["x'*x", "--wrt", "x", "--shape", "x=m,n,k"], "expected at most two sizes"),
    (["x'*x", "--wrt", "x", "--shape", "x=-1"], "is no size"),
    (["x'*x", "--wrt", "x", "--shape", "y=n"], "--shape y: there is no y in the expression"),
    (["x'*x", "--wrt", "x", "--shape", "x=n", "--shape", "x=m"], "--shape x is given twice"),
    (["y", "--wrt", "x", "--define", "y=x'*x", "--define", "y=x"], "--define y is given twice"),
    (["y", "--wrt", "x", "--define", "y=x'*", "--shape", "x=n"], "expected a number, a name"),
    (["y'*y", "--wrt", "x", "--define", "y=A*x", "--shape", "y=n"], "both declared as a variable and defined"),
    (["x'*x", "--wrt", "x", "--property", "y=prob"], "--property y: there is no y in the expression"),
    (["x'*x", "--wrt", "y", "--property", "y=prob"], "the shape of y, which it does not have; declare it with --shape"),
    (["x'*x", "--wrt", "x", "--property", "x=green"], "'green' is not known; known are binary, "),
    (["x'*x", "--wrt", "x", "--property", "x=independent"], "'independent' is not known"),
    (["x'*x", "--wrt", ""], "wrt names no variable"),
    (["x'*x", "--wrt", "x,"], "wrt names no variable"),
    (["x'*x", "--wrt", "x,y,z"], "wrt has 3 variables"),
    (["x'*x", "--wrt", "x,x", "--order", "1"], "the order is 1, but there are two variables, x and x"),
]


@pytest.mark.parametrize(("argv", "message"), BAD, ids=lambda a: " ".join(a) if isinstance(a, list) else "")
def test_bad_input_ends_with_2_and_a_message(run, argv, message):
    status, out, err = run("derive", *argv)
    assert (status, out) == (2, "")
    assert err.startswith("derivations: ") and re.search(message, err) and "Traceback" not in err
    status, out, again = run("derive", *argv, "--format", "json")
    error = json.loads(out)["error"]
    assert status == 2 and again == err == f"derivations: {error['message']}\n"


# The way out is said in the words of the command line.
ADVICE = [
    (["x'*x", "--wrt", "x,y"], "A variable that does not occur must be declared with --shape"),
    (["a*b*c", "--wrt", "b"], "declare one, as in --shape a=n; a scalar is declared as in --shape s="),
    (["kron(A,B)*kron(C,D)", "--wrt", "A"], "declare them, as in --shape A=m,n\n"),
    (["x'*x", "--wrt", "x", "--structure", "symmetric"], "--structure symmetric needs .* as in --shape x=n,n"),
]


@pytest.mark.parametrize(("argv", "message"), ADVICE, ids=lambda a: " ".join(a) if isinstance(a, list) else "")
def test_advice_names_the_options(run, argv, message):
    status, out, err = run("derive", *argv, "--format", "json")
    assert status == 2 and re.search(message, err) and f"derivations: {json.loads(out)['error']['message']}\n" == err


def test_advice_on_a_line_names_the_keys(batch):
    _, (found,), _ = batch("derive", {"expr": "a*b*c", "wrt": "b"})
    assert "as in variables={'a': 'n'}" in found["error"]["message"]


def test_a_parse_error_has_its_place_in_json(run):
    _, out, _ = run("derive", "tr(A*X", "--wrt", "X", "--format", "json")
    error = json.loads(out)["error"]
    assert (error["kind"], error["line"], error["column"]) == ("ParseError", 1, 7)


USAGE = [
    ([], "the following arguments are required"),
    (["differentiate"], "invalid choice: 'differentiate'"),
    (["derive"], "an expression is missing"),
    (["derive", "x'*x"], "--wrt is missing"),
    (["derive", "x'*x", "--wrt", "x", "--colour"], "unrecognized arguments: --colour"),
    (["derive", "x'*x", "--wrt", "x", "-q"], "unrecognized arguments:  -q"),
    (["derive", "x'*x", "--wrt", "x", "--form", "json"], "unrecognized arguments: --form"),
    (["derive", "x'*x", "--wrt", "x", "--format", "pdf"], "invalid choice: 'pdf'"),
    (["verify", "x'*x", "--wrt", "x", "--format", "numpy"], "invalid choice: 'numpy'"),
    (["derive", "x'*x", "--wrt", "x", "--claim", "x"], "unrecognized arguments"),
    (["derive", "x'*x", "--wrt", "x", "--order", "3"], "invalid choice: 3"),
    (["derive", "x'*x", "--wrt", "x", "--shape", "x"], "'x' is not of the form NAME="),
    (["derive", "x'*x", "--wrt", "x", "--define", "=x"], "'=x' is not of the form NAME="),
    (["derive", "x'*x", "--input", "-"], "each line says its own expression"),
    (["derive", "--wrt", "x", "--input", "-"], "each line says its own wrt"),
    (["verify", "--claim", "x", "--input", "-"], "each line says its own claim"),
    (["derive", "--format", "latex", "--input", "-"], "the answers are lines of JSON"),
    (["rules", "trace", "--format", "markdown"], "the page in markdown has all rules; leave WORD out"),
    (["rules", "trace", "norm"], "unrecognized arguments: norm"),
    (["rules", "--format", "latex"], "invalid choice: 'latex'"),
]


@pytest.mark.parametrize(("argv", "message"), USAGE, ids=lambda a: " ".join(a) if isinstance(a, list) else "")
def test_bad_usage_ends_with_2_and_a_message(run, argv, message):
    status, out, err = run(*argv)
    assert (status, out) == (2, "") and message in err and err.startswith("usage: python -m derivations")


def test_a_mistake_of_the_engine_is_no_traceback(run, batch, monkeypatch):
    def stumble(*args, **keywords):
        raise RecursionError("maximum depth")

    monkeypatch.setattr(api, "derive", stumble)
    status, out, err = run("derive", "x'*x", "--wrt", "x")
    assert (status, out) == (2, "")
    assert err == "derivations: the engine fails here: RecursionError: maximum depth. Please report it\n"
    status, (first, second), _ = batch("derive", *2 * [{"expr": "x'*x", "wrt": "x"}])
    assert status == 2 and first["error"]["kind"] == second["error"]["kind"] == "EngineError"


# ----------------------------------------------------------------------------------------- proofs


def test_verify_asks_both_witnesses(run, answer):
    status, out, err = run("verify", "x'*A*x", "--wrt", "x")
    assert (status, err) == (0, "")
    result, exact, autograd = out.splitlines()
    assert result == "gradient: (A + A')*x"
    assert exact.startswith("exact (prime field): passed (2 points, ")
    assert autograd.startswith("autograd (float64): passed (3 points, ")
    for found in (answer("verify", "x'*A*x", "--wrt", "x"), answer("derive", "x'*A*x", "--wrt", "x", "--verify")):
        exact, autograd = found["verification"]
        assert exact.keys() == {"witness", "passed", "points", "worst_error", "error_bound", "note"}
        assert exact["witness"] == "exact (prime field)" and exact["passed"] and 0 < exact["error_bound"] < 1e-30
        assert autograd["passed"] and autograd["error_bound"] is None and autograd["worst_error"] < 1e-9


def test_derive_can_verify_for_people_too(run):
    status, out, _ = run("derive", "x'*x", "--wrt", "x", "--verify")
    assert status == 0 and out.startswith("gradient: 2*x\n\n   d(x'*x)\n") and "\n\nexact (prime field): passed" in out


@pytest.fixture
def false_engine(monkeypatch):
    """Every derivation is false by a factor of 2."""
    right = api.derive

    def false(*args, **keywords):
        d = right(*args, **keywords)
        return replace(d, result=multiply(2, d.result))

    monkeypatch.setattr(api, "derive", false)


def test_a_false_derivation_ends_with_1(run, answer, false_engine):
    status, out, err = run("verify", "x'*x", "--wrt", "x")
    assert (status, err) == (1, "") and out.count("FAILED") == 2
    assert run("derive", "x'*x", "--wrt", "x", "--verify")[0] == 1
    found = answer("verify", "x'*x", "--wrt", "x")
    assert found["status"] == 1 and [w["passed"] for w in found["verification"]] == [False, False]


def test_a_claim_is_not_judged_by_a_false_derivation(run, answer, false_engine):
    status, out, _ = run("verify", "x'*x", "--wrt", "x", "--claim", "2*x")
    assert status == 1 and out.startswith("not judged: the derivative itself is not proven\ngradient: 4*x\nexact")
    found = answer("verify", "x'*x", "--wrt", "x", "--claim", "4*x")
    assert found["status"] == 1 and found["claim"]["passed"] is None


def test_a_witness_that_cannot_run_is_no_proof(run, monkeypatch):
    monkeypatch.setitem(verification.WITNESSES, "autograd", "no_such_module")
    status, out, _ = run("verify", "x'*x", "--wrt", "x")
    assert status == 1 and out.endswith("autograd: did not run: no_such_module is not installed\n")


def test_an_infinite_error_is_json(answer, monkeypatch):
    word = verification.Verification((verification.Witness("exact", False, 2, float("inf")),))
    monkeypatch.setattr("derivations.commandline.problems.verify", lambda *_: word)
    assert answer("verify", "x'*x", "--wrt", "x")["verification"][0]["worst_error"] is None


# ----------------------------------------------------------------------------------------- claims

# expression, wrt, options, claims that are true, claims that are false
JUDGED = [
    ("x'*A*x", "x", [], ["(A + A')*x", "A*x + A'*x", "(x'*(A + A'))'"], ["2*A*x", "(A - A')*x", "A*x", "zeros(n,1)"]),
    ("x'*A*x", "x", ["--property", "A=symmetric"], ["2*A*x", "2*A'*x"], ["A*x"]),
    ("norm2(A*x - b)^2", "x", [], ["2*A'*A*x - 2*A'*b"], ["2*A'*(A*x + b)", "A'*(A*x - b)"]),
    ("logdet(X)", "X", [], ["inv(X)'", "inv(X')"], ["inv(X)", "X'"]),
    ("logdet(X'*X)", "X", ["--shape", "X=m,n"], ["2*X*inv(X'*X)"], ["X*inv(X'*X)", "2*X*X'*X"]),
    ("A*X", "X", ["--shape", "A=n,n", "--shape", "X=n,n"], ["kron(eye(n), A)"], ["kron(A, eye(n))"]),
    ("tr(X*X)", "X", ["--structure", "symmetric", "--shape", "X=n,n"], ["4*X - 2*diag(diag(X))"], ["2*X"]),
    ("sum(x)", "x", [], ["vector(1)", "ones(n)", "x ./ x"], ["vector(2)"]),
    ("A*x", "x", ["--shape", "A=n,n"], ["A'"], ["A"]),
    ("A*x", "x", ["--layout", "numerator"], ["A"], ["2*A"]),
    ("tr(X)", "X", [], ["eye", "eye'"], ["2*eye"]),
    ("x'*x/rows(x)", "x", [], ["2*x/n"], ["2*x"]),
    ("log(1 - b)", "x", ["--define", "b=sigmoid(w'*x)"], ["-b*w", "-w/(1 + exp(-w'*x))"], ["b*w", "(1 - b)*w"]),
    ("norm1(x)", "x", [], ["sign(x)", "2*step(x) - vector(1)"], ["step(x)"]),
    ("sum(arcsin(x))", "x", ["--shape", "x=n"], ["(vector(1) - x.^2).^(-0.5)"], ["(vector(1) + x.^2).^(-0.5)"]),
    ("s^k", "s", ["--shape", "s=", "--shape", "k=", "--property", "k=integer"], ["k*s^(k-1)"], ["k*s^k", "s^(k-1)"]),
    ("logsumexp(z)", "z", ["--order", "2"], ["diag(softmax(z)) - softmax(z)*softmax(z)'"], ["diag(softmax(z))"]),
    ("x'*A*z", "x,z", [], ["A"], ["2*A"]),
    ("sum(pi*x)", "x", [], ["pi*vector(1)"], ["3.14159265358979*vector(1)"]),
    ("s^2", "s", ["--shape", "s="], ["2*s", "s + s"], ["s^2"]),
    ("s*log(s)", "s", ["--shape", "s=", "--property", "s=positive"], ["log(s) + 1", "log(s^2)/2 + 1"], ["log(s)"]),
]


def over(kind):
    return pytest.mark.parametrize(
        ("expression", "wrt", "options", "claim"),
        [(e, w, o, c) for e, w, o, *claims in JUDGED for c in claims[kind]],
        ids=lambda p: p if isinstance(p, str) else "-",
    )


@over(0)
def test_true_claims(run, answer, expression, wrt, options, claim):
    argv = ["verify", expression, "--wrt", wrt, *options, "--claim", claim]
    status, out, err = run(*argv)
    assert (status, err) == (0, "")
    assert out.startswith(f"true: {claim}\n") and "compared at 3 random points" in out
    found = answer(*argv)
    assert found["claim"]["text"] == claim and found["claim"]["passed"] is True
    assert found["claim"]["counterexample"] is None and [w["passed"] for w in found["verification"]] == [True]


@over(1)
def test_false_claims_have_a_counterexample(run, answer, text_value, expression, wrt, options, claim):
    argv = ["verify", expression, "--wrt", wrt, *options, "--claim", claim]
    status, out, err = run(*argv)
    assert (status, err) == (1, "")
    assert out.startswith(f"false: {claim}\n") and "\n  at " in out and "\n  entry (" in out
    found = answer(*argv)
    assert found["status"] == 1 and found["claim"]["passed"] is False
    counterexample = found["claim"]["counterexample"]
    assert counterexample["claimed"] != counterexample["derived"]
    if "--define" not in options and not {"vector", "eye", "zeros", "kron"} & set(
        re.findall(r"\w+", f"{claim} {found['result']}")
    ):
        row, column = counterexample["entry"]
        point = {name: column_of(value) for name, value in counterexample["point"].items()}
        sizes = {"n": max(v.shape[0] for v in point.values())}
        for source, said in ((claim, "claimed"), (found["result"], "derived")):
            value = text_value(source, point, sizes)[row - 1, column - 1]
            assert float(value) == pytest.approx(counterexample[said], rel=1e-9)


def column_of(value):
    """A number, a vector or a matrix as a 2-D tensor."""
    value = torch.tensor(value, dtype=torch.float64)
    return value if value.ndim == 2 else value.reshape(-1, 1)


def test_counterexamples_have_small_numbers(answer):
    for expression, wrt, claim in [("x'*A*x", "x", "2*A*x"), ("tr(A*A*X)", "X", "A*A"), ("log(x'*x)", "x", "x/(x'*x)")]:
        point = answer("verify", expression, "--wrt", wrt, "--claim", claim)["claim"]["counterexample"]["point"]
        numbers = np.concatenate([np.ravel(v) for v in point.values()])
        assert max(abs(numbers)) <= 3 and all(float(x).is_integer() for x in numbers) and numbers.size <= 15


def test_enough_digits_to_see_the_difference(run):
    _, out, _ = run("verify", "sum(pi*x)", "--wrt", "x", "--claim", "3.14159265*vector(1)")
    assert "of the claim is 3.14159265, of the derivative 3.141592654\n" in out


def test_a_claim_of_another_shape_is_false(run):
    status, out, _ = run("verify", "x'*x", "--wrt", "x", "--claim", "2*x'")
    assert status == 1 and "the claim is 1 x n, the derivative n x 1; its transpose is right" in out
    status, out, _ = run("verify", "x'*x", "--wrt", "x", "--claim", "2")
    assert status == 1 and out.endswith("the claim is 1 x 1, the derivative n x 1\n")


def test_a_lost_transpose_is_named(run):
    for claim, hint in (("A", True), ("2*A", False)):
        _, out, _ = run("verify", "A*x", "--wrt", "x", "--shape", "A=n,n", "--claim", claim)
        assert ("its transpose is right" in out) is hint


BAD_CLAIMS = [
    ("2*y", "the claim has y, which the expression does not have"),
    ("2*x + 1", "A scalar is not broadcast"),
    ("2*", "expected a number, a name"),
    ("", "the text is empty"),
    ("sum(vector(1))*x", "depends on a size that nothing determines"),
    ("x*log(0)", "is not finite"),
    ("log(-x'*x)*x", "no point inside the domain of the claim and the derivative"),
]


@pytest.mark.parametrize(("claim", "message"), BAD_CLAIMS)
def test_a_claim_that_cannot_be_judged_is_bad_input(run, claim, message):
    status, out, err = run("verify", "x'*x", "--wrt", "x", "--claim", claim)
    assert (status, out) == (2, "") and re.search(message, err)


def test_the_comparison_does_not_need_the_same_form():
    d = dv.derive("tr(inv(X)*B)", "X")
    for claim, right in (("-inv(X)'*B'*inv(X)'", True), ("-(inv(X)*B*inv(X))'", True), ("-inv(X)*B*inv(X)", False)):
        found = comparison.compare(comparison.read_claim(claim, d), d)
        assert found.witness.passed is right and (found.counterexample is None) is right


TOO_LARGE = [("sum(exp(1000*x))", "x", [], "exp(1000*x)"), ("s^3000/3000", "s", ["--shape", "s="], "s^3001")]


@pytest.mark.parametrize(("expression", "wrt", "options", "claim"), TOO_LARGE, ids=lambda p: str(p))
def test_a_counterexample_has_numbers_that_can_be_told_apart(answer, expression, wrt, options, claim):
    found = answer("verify", expression, "--wrt", wrt, *options, "--claim", claim)["claim"]
    claimed, derived = found["counterexample"]["claimed"], found["counterexample"]["derived"]
    assert found["passed"] is False and claimed != derived and np.isfinite([claimed, derived]).all()


def test_where_no_numbers_show_the_difference_there_is_no_counterexample(answer):
    found = answer("verify", "x'*x", "--wrt", "x", "--claim", "2*x + 1e-30*x")["claim"]
    assert found["passed"] is False and found["counterexample"] is None


# ---------------------------------------------------------------------------------------- batches

GOOD = {"id": "q", "expr": "x'*A*x", "wrt": "x"}
CORPUS = {
    **{"id": "mixed", "category": "c", "source": "s", "torch": "t", "expected": "A", "expected_origin": "e"},
    **{"domain": "", "expr": "u'*A*v", "wrt": "u", "wrt2": "v", "order": 2, "layout": "hessian", "structure": None},
    "vars": {"A": {"kind": "matrix", "shape": ["m", "n"], "props": []}},
}


def test_a_batch_answers_line_by_line(batch):
    status, found, err = batch("derive", GOOD, "", {"expression": "A*x", "wrt": "x"}, CORPUS)
    assert (status, err) == (0, "")
    assert [(f["line"], f.get("id"), f["result"], f["wrt"]) for f in found] == [
        (1, "q", "(A + A')*x", "x"),
        (3, None, "A'", "x"),
        (4, "mixed", "A", ["u", "v"]),
    ]
    assert "verification" not in found[0]


KEYED = [
    ({"expr": "x'*A*x", "wrt": "x", "order": 2}, "A + A'"),
    ({"expression": "A*x", "wrt": "x", "layout": "numerator"}, "A"),
    ({"expr": "A*x", "wrt": "x", "layout": "denominator"}, "A'"),
    ({"expr": "x'*A*z", "wrt": ["x", "z"]}, "A"),
    ({"expr": "x'*S*x", "wrt": "x", "variables": {"S": S}}, "2*S*x"),
    ({"expr": "s*x", "wrt": "s", "vars": {"s": "", "x": "n"}}, "x"),
    ({"expr": "log(1 - b)", "wrt": "x", "definitions": {"b": "sigmoid(w'*x)"}}, "-b*w"),
    ({"expr": "sum(p)", "wrt": "x", "definitions": {"p": ["exp(x)", "positive"]}}, "p"),
]


@pytest.mark.parametrize(
    ("problem", "result"), KEYED, ids=lambda p: p["expr"] if isinstance(p, dict) and "expr" in p else ""
)
def test_the_keys_of_a_line(batch, problem, result):
    status, (found,), _ = batch("derive", problem)
    assert status == 0 and found["result"] == result


def test_the_layout_option_is_for_lines_that_do_not_say(batch):
    lines = [{"expr": "A*x", "wrt": "x"} | more for more in ({}, {"layout": None}, {"layout": "denominator"})]
    _, found, _ = batch("derive", *lines, options=["--layout", "numerator"])
    assert [f["result"] for f in found] == ["A", "A", "A'"]


def test_a_layout_that_a_result_has_anyway_may_be_said(batch):
    lines = [
        {"expr": "x'*x", "wrt": "x", "layout": "gradient"},
        {"expr": "A*X", "wrt": "X", "layout": "vec"},
        {"expr": "s*X", "wrt": "s", "vars": {"s": ""}, "layout": "shape_of_output"},
    ]
    status, found, _ = batch("derive", *lines)
    assert status == 0 and [f["layout"] for f in found] == [line["layout"] for line in lines]


@pytest.mark.parametrize("layout", ["vec", "gradient", "hessian"])
def test_a_layout_that_a_result_has_not_is_an_error(batch, layout):
    status, (found,), _ = batch("verify", {"expr": "A*x", "wrt": "x", "layout": layout, "claim": "A"})
    message = f"the layout of this result is denominator, not {layout}; to choose there are denominator, numerator"
    assert status == 2 and found["error"] == {"kind": "InputError", "message": message}


BAD_LINES = [
    ("nonsense", "InputError", "the line is not JSON: Expecting value"),
    ('{"expr": "x"', "InputError", "the line is not JSON"),
    (b'{"expr": "\xff", "wrt": "x"}', "InputError", "the line is not JSON"),
    ("[" * 100_000, "InputError", "the line is not JSON"),
    ("[1, 2]", "InputError", r"expected an object such as .*, not \[1, 2\]"),
    ("null", "InputError", "expected an object such as .*, not null"),
    ({"wrt": "x"}, "InputError", "there is no 'expression'"),
    ({"expr": "x'*x"}, "InputError", "there is no 'wrt'"),
    (GOOD | {"colour": 1}, "InputError", "unknown key 'colour'; known are id, expr, expression, wrt, "),
    (GOOD | {"Order": 1}, "InputError", "unknown key 'Order'"),
    (GOOD | {"expression": "x"}, "InputError", "'expr' and 'expression' mean the same; give one"),
    (GOOD | {"expr": 7}, "InputError", "'expr' is text, not 7"),
    (GOOD | {"wrt": []}, "InputError", "wrt names no variable"),
    (GOOD | {"wrt": ["x", 2]}, "InputError", r"'wrt' is a name or a list of names, not \[\"x\", 2\]"),
    (GOOD | {"wrt": {"x": 1}}, "InputError", "'wrt' is text or a list, not "),
    (GOOD | {"wrt2": "x", "order": 1}, "InputError", "the order is 1, but there are two variables"),
    (GOOD | {"order": True}, "InputError", "'order' is a whole number, not true"),
    (GOOD | {"order": 2.0}, "InputError", "'order' is a whole number, not 2.0"),
    (GOOD | {"order": 3}, "UnsupportedError", "order 3 is not carried"),
    (GOOD | {"layout": "sideways"}, "UnsupportedError", "layout 'sideways' is not known"),
    (GOOD | {"layout": ["vec"]}, "InputError", "'layout' is text"),
    (GOOD | {"structure": "round"}, "UnsupportedError", "round"),
    (GOOD | {"vars": "x"}, "InputError", "'vars' is an object"),
    (GOOD | {"vars": {"x": {"form": "n"}}}, "ShapeError", r"unknown keys \['form'\]"),
    (GOOD | {"expr": "tr(A*X", "wrt": "X"}, "ParseError", "expected '\\)'"),
    (GOOD | {"claim": "x"}, "InputError", "'claim' is for verify"),
]


@pytest.mark.parametrize(("line", "kind", "message"), BAD_LINES, ids=lambda a: str(a)[:40])
def test_a_bad_line_is_a_result_and_no_stop(batch, line, kind, message):
    status, (bad, good), err = batch("derive", line, GOOD)
    assert status == 2 and err == "derivations: of 2 problems 1 were bad input, and 0 checks failed\n"
    assert bad["line"] == 1 and bad["error"]["kind"] == kind and re.search(message, bad["error"]["message"])
    assert bad.get("id") == (line.get("id") if isinstance(line, dict) else None)
    assert (good["line"], good["result"]) == (2, "(A + A')*x")


def test_a_parse_error_of_a_line_has_its_place(batch):
    _, (found,), _ = batch("derive", {"expr": "x' *\n (x", "wrt": "x"})
    assert found["line"] == 1 and (found["error"]["line"], found["error"]["column"]) == (2, 4)


DEEP = "[" * 600 + "]" * 600


def test_what_is_no_number_of_json_is_null(run):
    lines = [
        f'{{"id": {number}, "expr": "x", "wrt": "x"}}' for number in ("1e999", "NaN", '{"a": [-Infinity, 2]}', DEEP)
    ]
    _, out, _ = run("derive", "--input", "-", stdin="\n".join(lines))
    found = [json.loads(line, parse_constant=pytest.fail) for line in out.splitlines()]
    assert [f["id"] for f in found] == [None, None, {"a": [None, 2]}, json.loads(DEEP)]


def test_verify_judges_lines(batch):
    problems = [GOOD, GOOD | {"claim": "(A + A')*x"}, GOOD | {"claim": "2*A*x"}]
    status, (proven, true, false), err = batch("verify", *problems)
    assert status == 1 and err == "derivations: of 3 problems 0 were bad input, and 1 checks failed\n"
    assert [w["passed"] for w in proven["verification"]] == [True, True] and "claim" not in proven
    assert true["claim"]["passed"] is True and false["claim"]["passed"] is False
    assert false["claim"]["counterexample"]["entry"]
    assert batch("verify", *problems, "nonsense")[0] == 2
    assert batch("derive", GOOD, options=["--verify"])[1][0]["verification"][1]["passed"]


def test_a_file_of_problems(run, tmp_path):
    corpus = json.loads((ROOT / "tests" / "data" / "derivatives.json").read_text())["problems"]
    chosen = [p for p in corpus if p["category"] == "rules"][:8]
    path = tmp_path / "problems.jsonl"
    path.write_text("\ufeff" + "\n".join(map(json.dumps, chosen)), encoding="utf-8")
    status, out, err = run("derive", "--input", str(path))
    assert (status, err) == (0, "")
    found = [json.loads(line) for line in out.splitlines()]
    assert [f["id"] for f in found] == [p["id"] for p in chosen]
    assert [f["result"] for f in found] == [
        dv.derive(p["expr"], p["wrt"], variables=p["vars"]).to_text() for p in chosen
    ]


def test_files_that_cannot_be_read(run, tmp_path):
    assert run("derive", "--input", str(tmp_path / "none")) == (
        *(2, ""),
        f"derivations: cannot read {tmp_path / 'none'}: No such file or directory\n",
    )
    status, out, err = run("derive", "--input", str(tmp_path))
    assert (status, out) == (2, "") and err.endswith(": Is a directory\n")


def test_no_problems_are_fine(run):
    assert run("derive", "--input", "-", stdin="\n\n") == (0, "", "")


def test_closed_streams_get_one_line(run, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["derive", "--input", "-"]) == 2
    assert capsys.readouterr().err == "derivations: cannot read -: it is closed\n"
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["derive", "x", "--wrt", "x"]) == 2
    assert capsys.readouterr().err == "derivations: cannot write to standard output: it is closed\n"


# ------------------------------------------------------------------------------------------ rules


def test_rules_are_a_page_text_or_data(run):
    status, page, err = run("rules")
    assert (status, err) == (0, "") and page.startswith("# The rules\n")
    assert run("rules", "--format", "text")[1].startswith("Differentials\n  linearity (Sum)\n")
    assert json.loads(run("rules", "--format", "json")[1])[0]["nodes"] == ["Sum"]
    assert run("rules", "norm_nuc")[1].splitlines()[:2] == ["Differentials", "  nuclear norm (NuclearNorm)"]


def test_a_rule_that_there_is_not_ends_with_2(run):
    status, out, err = run("rules", "gradience")
    assert (status, out) == (2, "") and err.startswith("derivations: no rule has 'gradience' in its name or its node")


# --------------------------------------------------------------------------------------- processes


@pytest.fixture
def process():
    """A batch that reads standard input and stays open."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*COMMAND, "derive", "--input", "-"], **pipes, **PLACE) as started:
        # Who waits for a line that does not come gets an empty one.
        patience = Timer(30, started.kill)
        patience.start()
        yield started
        patience.cancel()
        started.kill()


def ask(process, problem):
    process.stdin.write(json.dumps(problem) + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def test_a_line_is_answered_before_the_next_is_sent(process):
    assert ask(process, GOOD)["result"] == "(A + A')*x"
    assert ask(process, {"expr": "tr(", "wrt": "X"})["error"]["kind"] == "ParseError"
    assert ask(process, GOOD | {"expr": "x'*x"})["result"] == "2*x"
    process.stdin.close()
    assert process.wait(timeout=60) == 2


def test_an_interrupt_is_quiet(process):
    ask(process, GOOD)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130 and process.stderr.read() == ""


def test_a_closed_pipe_is_quiet(process):
    ask(process, GOOD)
    process.stdout.close()
    process.stdin.write(json.dumps(GOOD) + "\n")
    process.stdin.flush()
    assert process.wait(timeout=60) == 141 and process.stderr.read() == ""


FULL = "derivations: cannot write to standard output: No space left on device\n"
ASCII = r"derivations: cannot write to standard output: ascii has no '.+'; say PYTHONIOENCODING=utf-8\n"
# A command of the shell, its exit status, and what is on standard error where it can be written.
BROKEN = [
    ("{} --help > /dev/full", 2, FULL),
    ("{} --version > /dev/full", 2, FULL),
    ("{} derive x --wrt x > /dev/full", 2, FULL),
    ("{} derive 2> /dev/full", 2, ""),
    ("{} derive 'x*' --wrt x 2> /dev/full", 2, ""),
    ("{} derive 'x' --wrt x --verify --format numpy > /dev/null 2> /dev/full", 2, ""),
    ("echo x | {} derive --input - 2> /dev/full > /dev/null", 2, ""),
    ("{} derive 'x*' --wrt x > /dev/full 2>&1", 2, ""),
    ("{} derive 'x*' --wrt x 2>&-", 2, ""),
    ("echo x | {} derive --input - 2>&- > /dev/null", 2, ""),
    ("PYTHONIOENCODING=ascii {} rules", 2, ASCII),
    ("{} --help | true; exit ${PIPESTATUS[0]}", 141, ""),
    ("{} rules | true; exit ${PIPESTATUS[0]}", 141, ""),
    ("{} derive 2>&1 | true; exit ${PIPESTATUS[0]}", 141, ""),
]


@pytest.mark.skipif(not (Path("/dev/full").exists() and which("bash")), reason="needs /dev/full and bash")
@pytest.mark.parametrize(("command", "status", "message"), BROKEN, ids=lambda a: a if isinstance(a, str) else "")
def test_what_cannot_be_written_ends_with_a_status_and_a_line(command, status, message):
    line = command.replace("{}", shlex.join(COMMAND))
    done = subprocess.run(["bash", "-c", line], capture_output=True, **PLACE)
    assert (done.returncode, done.stdout) == (status, "") and re.fullmatch(message, done.stderr)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_a_terminal_sees_how_far_a_file_is(tmp_path):
    path = tmp_path / "problems.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n" * 3)
    ours, theirs = os.openpty()
    done = subprocess.run([*COMMAND, "derive", "--input", str(path)], stdout=subprocess.PIPE, stderr=theirs, **PLACE)
    os.close(theirs)
    shown = os.read(ours, 1000).decode()
    os.close(ours)
    assert done.returncode == 0 and done.stdout.count("\n") == 3
    assert shown == "\r1 answered\r2 answered\r3 answered\r\n"


def test_deriving_and_judging_do_not_pay_for_torch():
    code = (
        "import sys; from derivations.__main__ import main; "
        "main(['derive', 'x', '--wrt', 'x']); main(['verify', 'x', '--wrt', 'x', '--claim', 'eye']); "
        "sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, **PLACE)
    assert done.returncode == 0 and "true: eye" in done.stdout


# ------------------------------------------------------------------------------------------- help


def test_the_version_is_that_of_the_package(run):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert run("--version") == (0, f"derivations {version}\n", "")
    assert version == arguments.VERSION


def examples(help_text):
    """(command, its output as shown) of every example: a line that starts with $, up to the next or a comment."""
    shown = help_text.split("examples:\n")[1]
    return re.findall(r"^  \$ (.+)\n((?:(?:  (?![$#]).*)?\n)*)", shown, re.MULTILINE)


HELP = [(["--help"], 2), (["derive", "--help"], 6), (["verify", "--help"], 4), (["rules", "--help"], 3)]


@pytest.mark.parametrize(("argv", "count"), HELP, ids=lambda a: " ".join(a) if isinstance(a, list) else "")
def test_the_examples_of_the_help_run_and_print_what_they_show(run, argv, count):
    status, out, _ = run(*argv)
    found = examples(out)
    assert status == 0 and len(found) == count
    for command, shown in found:
        *piped, program = command.split(" | ") if command.startswith("echo") else [command]
        stdin = shlex.split(piped[0])[1] if piped else ""
        assert program.startswith("python -m derivations ")
        status, out, _ = run(*shlex.split(program)[3:], stdin=stdin)
        wanted = re.sub("^  ", "", shown, flags=re.MULTILINE).strip("\n") + "\n"
        assert status == (1 if "false" in shown or '"claim": "A"' in command else 0), command
        if wanted.strip():
            assert doctest.OutputChecker().check_output(
                wanted.replace("\n\n", "\n<BLANKLINE>\n"), out, doctest.ELLIPSIS
            )
