"""`derive` from end to end: what a person writes, and what comes back."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sympy import Integer, Symbol

import derivations as dv
from derivations import derive
from derivations.api import read, tree_variables
from derivations.derivation import Derivation
from derivations.errors import (
    DerivationError,
    DomainError,
    NoRuleError,
    ParseError,
    ShapeError,
    UnsupportedError,
)
from derivations.expressions import Inner, Product, Transpose, Variable, is_matrix, shape_of
from derivations.notation.text import size_text
from derivations.verification import autograd, interpreter, verify
from derivations.verification.sampling import properties_of, sizes_for

# ------------------------------------------------------------------------------- the homework


@pytest.mark.parametrize(
    ("expression", "wrt", "expected"),
    [("x'*A*y", "y", "A'*x"), ("x'*x", "x", "2*x"), ("tr(A'*A)", "A", "2*A"), ("A*y", "y", "A'")],
)
def test_the_gradients_of_the_homework(expression, wrt, expected):
    d = derive(expression, wrt)
    assert d.to_text() == expected
    assert 2 <= len(d.steps) <= 7
    assert verify(d)


def test_least_squares_takes_a_few_lines():
    d = derive("norm2(A*x - b)^2", "x")
    assert d.to_text() == "2*A'*(A*x - b)"
    assert 2 <= len(d.steps) <= 6


# --------------------------------------------------------------------------------- the corpus

CORPUS = json.loads((Path(__file__).parents[1] / "data" / "derivatives.json").read_text())["problems"]


def ask(problem):
    pair = (problem["wrt"], problem.get("wrt2", problem["wrt"]))
    return derive(
        problem["expr"],
        pair if pair[0] != pair[1] else pair[0],
        variables=problem["vars"],
        order=problem["order"],
        structure=problem.get("structure"),
    )


def over(problems):
    return pytest.mark.parametrize("problem", problems, ids=lambda p: p["id"])


def test_the_corpus_is_whole():
    """And all of it is carried: `ask` raises nothing, whatever is parametrised over the corpus below."""
    assert len(CORPUS) == len({p["id"] for p in CORPUS}) == 269


@over(CORPUS)
def test_both_witnesses_sign(problem):
    found = verify(ask(problem))
    assert found, str(found)


def points(derivation, count):
    """(values of the variables, sizes) inside the domain, as the autograd witness draws them."""
    found = []
    for seed in range(100):
        sampler = autograd.FloatSampler(f"corpus/{seed}")
        sizes = {s: Integer(n) for s, n in sizes_for(derivation.variables, sampler.generator).items()}
        values = {}
        for v in derivation.variables:
            drawn = sampler.matrix(v, sizes) if is_matrix(v) else [[sampler.scalar(properties_of(v))]]
            values[v] = torch.tensor(drawn, dtype=torch.float64)
        try:
            inside = interpreter.value(derivation.expression, values, sizes).isfinite().all()
        except DomainError:
            continue
        if inside:
            found.append((values, sizes))
        if len(found) == count:
            return found
    raise AssertionError("no points inside the domain")


@over([p for p in CORPUS if p["expected"]])
def test_the_answer_equals_the_expected_closed_form(problem, relative_error):
    d = ask(problem)
    assert d.layout == problem["layout"]
    # The zeros give the closed form its shape where nothing else does, as in 2*eye.
    rows, columns = shape_of(d.result)
    closed = problem["expected"] + (f" + zeros({size_text(rows)},{size_text(columns)})" if is_matrix(d.result) else "")
    expected, _ = read(closed, problem["vars"])
    checked = 0
    for values, sizes in points(d, 12):
        by_name = {v.name: x for v, x in values.items()}
        theirs = {variable: by_name[name] for name, variable in expected.variables.items() if name in by_name}
        try:
            want = interpreter.value(expected.expression, theirs, sizes)
        except DomainError:
            continue  # the derivative need not exist wherever the function does
        assert relative_error(interpreter.value(d.result, values, sizes), want) < 1e-8
        checked += 1
        if checked == 3:
            return
    raise AssertionError("too few points where the closed form has a value")


# The other constants take their sizes from their surroundings.
PLAIN = [p for p in CORPUS if not re.search(r"vector\(|matrix\(|eye(?!\()", p["expr"])]


@over(PLAIN)
def test_the_numpy_function_agrees_with_autograd_of_the_text_itself(problem, derivative_of_text, relative_error):
    """No tree of ours takes part in the expectation."""
    d = ask(problem)
    [(values, sizes)] = points(d, 1)
    values = {v.name: x for v, x in values.items() if v.name in problem["vars"]}
    sizes = {str(s): int(size) for s, size in sizes.items()}

    wrt = tuple(problem[k] for k in ("wrt", "wrt2") if k in problem)
    expected = derivative_of_text(
        problem["expr"],
        wrt,
        values,
        sizes,
        problem["layout"],
        order=problem["order"],
        structure=problem.get("structure"),
    )
    natural = {
        name: {"scalar": x[0, 0], "vector": x[:, 0], "matrix": x}[problem["vars"][name]["kind"]].numpy()
        for name, x in values.items()
    }
    got = torch.tensor(np.array(d.to_function("numpy")(**natural)), dtype=torch.float64)
    assert got.shape == tuple(n for n in expected.shape if n != 1) or got.shape == expected.shape
    assert relative_error(got.reshape(expected.shape), expected) < 1e-8


# --------------------------------------------------------------------------------- what is asked


def test_a_derivation_holds_what_was_asked_and_what_came():
    d = derive("x'*A*y", wrt="y", variables={"x": "m", "A": "m,n", "y": "n"})
    m, n = (Symbol(name, integer=True, positive=True) for name in "mn")
    x, A, y = Variable("x", m, 1), Variable("A", m, n), Variable("y", n, 1)
    assert isinstance(d, Derivation)
    assert d.expression == Inner(Transpose(x), A, y) and d.wrt == y and d.result == Product(Transpose(A), x)
    assert d.variables == (x, A, y) and d.order == 1 and d.layout == "gradient"
    assert d.steps[-1].after == d.result and all(step.rule.statement for step in d.steps)


@pytest.mark.parametrize("shape", ["m,n", ("m", "n"), ["m", "n"], {"kind": "matrix", "shape": ["m", "n"]}])
def test_shapes_may_be_written_in_several_ways(shape):
    assert derive("tr(A'*A)", "A", variables={"A": shape}).to_text() == "2*A"


@pytest.mark.parametrize("shape", [(3, 2), "3,2"])
def test_sizes_may_be_numbers(shape):
    d = derive("tr(A'*A)", "A", variables={"A": shape})
    assert d.result.shape == (3, 2) and verify(d)


def test_trees_are_taken_too():
    n = Symbol("n", integer=True, positive=True)
    x, s = Variable("x", n, 1), Symbol("s", real=True)
    d = derive(s * Inner(Transpose(x), x), wrt=x)
    assert d.to_text() == "2*s*x" and set(d.variables) == {x, s}
    assert derive(s * Inner(Transpose(x), x), wrt="s").to_text() == "x'*x"
    assert set(tree_variables(s * Inner(Transpose(x), x))) == {s, x}


@pytest.mark.parametrize(
    ("expression", "wrt", "arguments", "error", "message"),
    [
        ("x'*A*y", "z", {}, DerivationError, r"cannot differentiate by 'z': the expression has x, A, y"),
        ("2 + 3", "x", {}, DerivationError, r"the expression has no variables"),
        ("x'*", "x", {}, ParseError, r"line 1, column 4"),
        ("A*x + y", "x", {"variables": {"A": "m,n", "x": "n", "y": "n"}}, ShapeError, r"cannot add"),
        ("x'*x", "x", {"order": 3}, UnsupportedError, r"order 3 is not carried; expected 1 or 2"),
        ("x'*x", ("x", "x", "x"), {}, DerivationError, r"wrt has 3 variables, but the order is 1"),
        ("x'*x", "x", {"layout": "mixed"}, UnsupportedError, r"layout 'mixed' is not known; expected one of denom"),
        ("x'*x", "x", {"structure": "symmetric"}, ShapeError, r"needs a square matrix .*variables=\{'x': 'n,n'\}"),
        ("X*x", "X", {"structure": "diagonal"}, UnsupportedError, r"structure='diagonal' is for the gradient of a sc"),
        ("tr(X)", "X", {"structure": "banded"}, UnsupportedError, r"'banded' is not known; expected one of symmetric"),
        ("tr(X)", "X", {"structure": "symmetric", "order": 2}, UnsupportedError, r"structure goes with order 1"),
        ("expm(X)", "X", {}, UnsupportedError, r"the Jacobian of expm has no closed form .*contract it with a const"),
        ("A*logm(X)*B", "X", {}, UnsupportedError, r"the Jacobian of logm has no closed form in Kronecker products"),
        ("tr(expm(X))", "X", {"order": 2}, UnsupportedError, r"the Jacobian of expm has no closed form"),
        ("x'*expm(X)*y", "X", {"order": 2}, NoRuleError, r"no differential rule for Frechet"),
        ("A*X", "X", {"order": 2}, UnsupportedError, r"order 2 is the Hessian of a scalar"),
        ("x", "x", {"order": 2}, UnsupportedError, r"order 2 is the Hessian of a scalar"),
        ("foo(x)", "x", {}, ParseError, r"unknown function 'foo'; known are abs"),
        (f"sum(x)*rows(ones({'9' * 5000}))", "x", {}, ShapeError, "a size has more than 1000 digits"),
        ("t*arcsin(2)", "t", {}, DomainError, r"is not real where it is defined: it holds asin\(2\)"),
        ("t*cos(3)^(1/2)", "t", {}, DomainError, r"is not real where it is defined: it holds sqrt\(cos\(3\)\)"),
        ("t*exp(exp(exp(99999)))*arccos(3)", "t", {}, DomainError, r"it holds acos\(3\)"),
        ("sum(x.^(9^9^9))", "x", {}, ParseError, r"the exponent is above 10000"),
        ("x'*x", "x", {"variables": {"x": {"props": ["integer"]}}}, UnsupportedError, r"x is an integer"),
        (
            "x'*inv(X)^k*y",
            "X",
            {"variables": {"k": ""}},
            NoRuleError,
            r"no differential rule for Power in .*exponent is a whole number",
        ),
        (3.5, "x", {}, DerivationError, r"expected text or a SymPy expression, got float"),
        (
            "x'*x",
            "x",
            {"variables": {"h": "n"}, "definitions": {"h": "x"}},
            DerivationError,
            r"both declared .* and def",
        ),
        ("sum(x)*sum(vector(1))", "x", {}, ShapeError, r"a size that nothing determines"),
    ],
)
def test_what_cannot_be_answered_says_why(expression, wrt, arguments, error, message):
    with pytest.raises(error, match=message):
        derive(expression, wrt, **arguments)


def test_an_open_size_that_the_result_does_not_need_is_no_error():
    assert derive("s + sum(vector(1))", "s", variables={"s": ""}).to_text() == "1"


def test_an_unknown_keyword_is_an_error():
    with pytest.raises(TypeError):
        derive("x'*x", "x", wtr2="x")


def test_variables_and_trees_do_not_go_together():
    x = Variable("x", Integer(3), 1)
    with pytest.raises(DerivationError, match="variables and definitions go with text"):
        derive(Inner(Transpose(x), x), x, variables={"x": "n"})


# --------------------------------------------------------------------------------- layouts, orders


@pytest.mark.parametrize(
    ("expression", "wrt", "layout", "expected", "name"),
    [
        ("x'*A*y", "y", "denominator", "A'*x", "gradient"),
        ("x'*A*y", "y", "numerator", "x'*A", "numerator"),
        ("tr(A'*B)", "B", "numerator", "A'", "numerator"),
        ("A*y", "y", "denominator", "A'", "denominator"),
        ("A*y", "y", "numerator", "A", "numerator"),
        ("s*A*y", "s", "denominator", "A*y", "shape_of_output"),
        ("s*A*y", "s", "numerator", "A*y", "shape_of_output"),
        ("s*A", "s", "denominator", "A", "shape_of_output"),
        ("exp(s)*t", "s", "denominator", "t*exp(s)", "gradient"),
    ],
)
def test_both_layouts(expression, wrt, layout, expected, name):
    d = derive(expression, wrt, layout=layout, variables={"A": "m,n", "B": "m,n", "y": "n", "s": "", "t": ""})
    assert (d.to_text(), d.layout) == (expected, name)
    assert verify(d)


@pytest.mark.parametrize(
    ("expression", "wrt", "expected"),
    [
        ("x'*A*x", "x", "A + A'"),
        ("x'*A*y", ("x", "y"), "A"),
        ("x'*A*y", ("y", "x"), "A'"),
        ("s*sum(x)", ("s", "x"), "ones(1,m)"),
        ("s*sum(x)", ("x", "s"), "ones(m)"),
        ("s^3*t", "s", "6*s*t"),
        ("s^3*t", ("s", "t"), "3*s^2"),
        ("y'*x", "x", "zeros(m,m)"),
        ("y'*y", "x", "zeros(m,m)"),
        ("y'*y", ("x", "y"), "zeros(m,n)"),
        ("t", "s", "0"),
        ("t", ("s", "x"), "zeros(1,m)"),
    ],
)
def test_second_derivatives(expression, wrt, expected):
    shapes = {"x": "m", "y": "n", "A": "m,n", "s": "", "t": ""}
    if expression == "x'*A*x":
        shapes["A"] = "m,m"
    if expression == "y'*x":
        shapes["y"] = "m"
    d = derive(expression, wrt, order=2, variables=shapes)
    assert (d.to_text(), d.layout, d.order) == (expected, "hessian", 2)
    assert verify(d), str(verify(d))


def test_a_pair_of_variables_asks_for_the_second_order():
    assert derive("x'*A*y", ("x", "y")) == derive("x'*A*y", ("x", "y"), order=2)


# ------------------------------------------------------------------------------------ definitions


def test_definitions_are_used_and_shown():
    d = derive("sum(h .* h)", "x", variables={"A": "m,n", "x": "n"}, definitions={"h": "tanh(A*x)"})
    assert d.to_text() == "2*A'*(h .* (ones(m) - h.^2))"
    assert [str(symbol) for symbol, _ in d.definitions] == ["h"]
    assert verify(d)
    assert r"\text{where}\quad \mathbf{h} &= \tanh(\mathbf{A}\mathbf{x})" in d.to_latex()


def test_definitions_build_on_each_other():
    d = derive(
        "y'*q",
        "x",
        variables={"x": "n", "y": "m", "A": "m,n"},
        definitions={"a": "A*x", "q": "softmax(a)"},
    )
    assert verify(d) and "softmax" not in d.to_text() and "q" in d.to_text()
    assert [str(defined) for _, defined in d.definitions] == ["Product(A, x)", "Softmax(a)"]


@pytest.mark.parametrize(
    ("expression", "definitions"),
    [
        ("h'*h", {"h": "g", "g": "A*x"}),
        ("sum(x)/r", {"r": "sqrt(v)", "v": "x'*x"}),
        ("h'*h", {"h": "A*x + h"}),
    ],
)
def test_a_definition_that_uses_a_later_one_is_an_error(expression, definitions):
    """Taken for a variable of its own, the later one would be a constant, and the derivative a wrong zero."""
    with pytest.raises(DerivationError):
        derive(expression, "x", variables={"A": "m,n", "x": "n"}, definitions=definitions)


@pytest.mark.parametrize("definitions", [{"h": "x"}, {"g": "x", "h": "g"}, {"h": "-x"}])
def test_a_definition_may_be_another_name(definitions):
    d = derive("sum(h .* h)", "x", variables={"x": "n"}, definitions=definitions)
    assert verify(d), str(verify(d))


def test_the_value_does_not_depend_on_the_definitions():
    plain = derive("log(1 + exp(-y*(w'*x)))", "w", variables={"y": "", "w": "n", "x": "n"})
    shown = derive("log(1 + exp(-y*z))", "w", variables={"y": "", "w": "n", "x": "n"}, definitions={"z": "w'*x"})
    arguments = {"y": -1.0, "w": np.array([0.3, -0.2]), "x": np.array([0.5, 0.7])}
    got = shown.to_function()(**arguments)
    assert abs(got - plain.to_function()(**arguments)).max() < 1e-12


# -------------------------------------------------------------------------------------- the data


def test_derivations_and_steps_are_frozen():
    d = derive("x'*x", "x")
    for frozen, name in ((d, "result"), (d.steps[0], "after"), (d.steps[0].rule, "name")):
        with pytest.raises(AttributeError):
            setattr(frozen, name, None)
    assert replace(d, result=d.expression) != d == derive("x'*x", "x")
    assert d.with_conditions("x is real").conditions == (*d.conditions, "x is real")


def test_what_kinks_assume_is_said():
    assert derive("sum(relu(A*x))", "x").conditions == ("ReLU'(0) = 0",)
    assert derive("norm1(x)", "x").conditions == ("the slope of the absolute value at 0 is 0",)
    assert derive("norm2(x)", "x").conditions == ("the argument of the norm is not zero",)
    assert derive("norm2(x)^2", "x").conditions == ()


def test_the_package_shows_what_the_contract_names():
    for name in ("derive", "Derivation", "Rule", "Step", "DerivationError", "ParseError", "ShapeError"):
        assert hasattr(dv, name)
    assert set(dv.__all__) <= set(dir(dv))


@pytest.mark.parametrize(
    "expression, options, message",
    [
        ("c*sum(x)", {"definitions": {"c": "1"}}, "which has no variable in it"),
        ("sum(x)/k", {"definitions": {"k": "rows(x)"}}, "which has no variable in it"),
        ("a*b", {"definitions": {"a": "b + 1", "b": "x'*x"}}, "a is defined by b, which is not defined before it"),
        ("a*sum(x)", {"definitions": {"a": "a + x"}}, "a is defined by a"),
        ("a*sum(x)", {"definitions": {"a": None}}, "the definition of a is text"),
        ("sum(x)", {"variables": "x"}, "variables is a dictionary by name"),
        ("sum(x)", {"variables": {"x": None}}, "cannot read the shape of x"),
        ("sum(x)", {"variables": {"x": "n m"}}, "is no size"),
        ("sum(x)", {"variables": {"x": "0"}}, "is no size"),
        ("sum(x)", {"order": 1.0}, "order 1.0"),
        ("w'*x²", {}, "unexpected '²'"),
        ("diag(s)*x", {"variables": {"s": "", "x": "n"}}, "diag needs a vector"),
        ("+".join(f"{a}*{b}" for a, b in zip("abcdefgh", "ijklmnop")) + "+x'*x", {}, "too many undeclared names"),
    ],
)
def test_what_cannot_be_meant_is_refused(expression, options, message):
    with pytest.raises(DerivationError, match=re.escape(message)):
        derive(expression, "x", **options)


def test_a_definition_may_bring_variables_of_its_own():
    d = derive("sum(x)*r", "x", definitions={"r": "tr(B*C)"})
    assert {v.name for v in d.variables} == {"x", "r", "B", "C"} and verify(d)
