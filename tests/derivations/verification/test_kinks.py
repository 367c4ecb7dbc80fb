"""Both sides of a kink are met, wherever it lies."""

from dataclasses import replace

import pytest
from sympy import S, Symbol

from derivations import derive
from derivations.expressions import Variable
from derivations.verification import comparison, exact, kinks

s = Symbol("s", real=True)
SCALAR = {"s": ""}
ONE_SIDED = [
    ("relu(s - 2)", "0"),
    ("relu(s)", "0"),
    ("relu(s - 12)", "0"),
    ("abs(s)", "-1"),
    ("clip(s,-2,2)", "1"),
    ("huber(s,2)", "s"),
    ("max(s,1)", "1"),
    ("exp(max(s,1))", "0"),
    ("exp(huber(s,2))", "s*exp(s^2/2)"),
    ("sum(huber(x,2))", "x"),
    ("sum(relu(x - 5*ones(n)))", "zeros(n)"),
]


@pytest.mark.parametrize(("expression", "claim"), ONE_SIDED)
def test_what_is_right_on_one_side_only_is_false(expression, claim):
    derivation = derive(expression, "x" if "sum" in expression else "s", variables=SCALAR)
    wrong = comparison.read_claim(claim, derivation)
    found = comparison.compare(wrong, derivation)
    assert found.witness.passed is False and found.counterexample
    assert exact.check(replace(derivation, result=wrong, steps=())).passed is False
    assert exact.check(derivation).passed
    assert comparison.compare(derivation.result, derivation).witness.passed


def test_a_side_that_does_not_exist_is_not_waited_for():
    found = exact.check(derive("relu(x'*x)", "x"))
    assert found.passed and found.points == 2


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("relu(s - 2)", ["s - 2"]),
        ("clip(s,-1,2)", ["s + 1", "s - 2"]),
        ("huber(s,2)", ["s - 2", "s + 2"]),
        ("exp(s)", []),
    ],
)
def test_what_changes_its_sign_at_a_kink(expression, expected):
    assert list(map(str, kinks.arguments(derive(expression, "s", variables=SCALAR).expression))) == expected


def test_the_sides_of_entries_count():
    x = Variable("x", 2, 1)
    assert kinks.sides([x], {x: [[1], [-1]]}.get) == {(0, True), (0, False)}
    assert kinks.sides([x, s], {x: [[0], [2]], s: S(-3)}.get) == {(0, True), (1, False)}


def test_a_claim_for_one_exponent_is_false_for_others():
    k = {"X": "n,n", "k": {"kind": "scalar", "props": ["integer"]}}
    derivation = derive("tr(X^k)", "X", variables=k)
    for claim, passes in (("3*(X*X)'", False), ("k*(X*X)'", False), ("k*(X^(k-1))'", True)):
        assert comparison.compare(comparison.read_claim(claim, derivation), derivation).witness.passed is passes
