"""One example for every row of every table of the calculus, checked by both witnesses."""

from dataclasses import replace

import pytest
from sympy import Symbol

from derivations import derive, differentiation, rules
from derivations.derivation import Rule
from derivations.differentiation import differentiate
from derivations.expressions import Product, Transpose, Variable
from derivations.scalars import Loss, Trace
from derivations.verification import verify

n = Symbol("n", integer=True, positive=True)
W = Variable("W", n, n)

SHAPES = {
    "s": "",
    "r": {"kind": "scalar", "shape": [], "props": ["positive"]},
    "x": "n",
    "y": "n",
    "A": "n,n",
    "B": "n,n",
    "X": {"kind": "matrix", "shape": ["n", "n"], "props": ["posdet"]},
    "p": {"kind": "vector", "shape": ["n"], "props": ["positive"]},
}

# (head, name): text and variable. The rule must take part in deriving the example.
DIFFERENTIALS = {
    ("Sum", "linearity"): ("norm2(A*x + y)", "x"),
    ("Scale", "constant factor"): ("norm2(s*A*x + y)", "x"),
    ("Scale", "product rule"): ("(x'*A*x)*x", "x"),
    ("Product", "constant factors"): ("A*B*x", "x"),
    ("Product", "product rule"): ("tr(A*X*B*X)", "X"),
    ("Transpose", "transpose"): ("tr(A*X'*B)", "X"),
    ("Trace", "trace of a power"): ("tr(X^3)", "X"),
    ("Trace", "trace"): ("tr(A*X)", "X"),
    ("EntrySum", "sum of entries"): ("sum(A*X)", "X"),
    ("Det", "determinant"): ("det(X)", "X"),
    ("LogDet", "log-determinant"): ("logdet(X)", "X"),
    ("Inverse", "inverse"): ("x'*inv(X)*y", "X"),
    ("Power", "matrix power"): ("x'*X^3*y", "X"),
    ("Hadamard", "constant factors"): ("A*(x .* y)", "x"),
    ("Hadamard", "product rule"): ("sum(A .* (X*B) .* (B*X))", "X"),
    ("Apply", "log-softmax"): ("y'*logsoftmax(A*x)", "x"),
    ("Apply", "elementwise chain rule"): ("sum(tanh(A*x))", "x"),
    ("Pow", "squared norm"): ("norm2(A*x - y)^2", "x"),
    ("Norm", "norm"): ("norm2(A*x - y)", "x"),
    ("LogSumExp", "log-sum-exp"): ("logsumexp(A*x)", "x"),
    ("Softmax", "softmax"): ("softmax(A*x)", "x"),
    ("Diag", "diagonal matrix"): ("x'*A*diag(x)*y", "x"),
    ("DiagonalOf", "diagonal"): ("x'*diag(A*X)", "X"),
    ("Loss", "gradient of the loss"): (Loss("L", Product(W, W)), W),
}
SCALAR_DIFFERENTIALS = {
    ("Add", "linearity"): ("x'*A*x + y'*x", "x"),
    ("Mul", "constant factor"): ("3*s*(x'*y)", "x"),
    ("Mul", "quotient rule"): ("(x'*A*x)/(x'*x)", "x"),
    ("Mul", "product rule"): ("(x'*A*x)*(y'*x)", "x"),
    ("Expr", "chain rule"): ("exp(x'*A*x)", "x"),
}
TRACE_MOVES = {
    ("Product", "trace: cyclic, transpose"): ("tr(A*X*B)", "X"),
    ("Transpose", "trace: cyclic, transpose"): ("tr(A*X'*X)", "X"),
    ("Hadamard", "Hadamard factor moves across"): ("tr(A*(B .* X))", "X"),
    ("Diag", "diagonal moves across"): ("tr(A*diag(diag(X))*X)", "X"),
    ("DiagonalOf", "diagonal moves across"): ("x'*diag(X*A)", "X"),
}
INNER_MOVES = {
    ("Product", "a scalar equals its transpose"): ("norm2(A*x + B*tanh(x))", "x"),
    ("Transpose", "a scalar equals its transpose"): ("x'*A*B*x", "x"),
    ("Hadamard", "Hadamard factor moves across"): ("y'*(x .* p)", "x"),
    ("Diag", "diagonal moves across"): ("tr(A*diag(x)*B)", "x"),
    ("DiagonalOf", "diagonal moves across"): ("y'*diag(A*diag(x)*B)", "x"),
}
VECTOR_MOVES = {
    ("Product", "associativity"): ("A*diag(x)*B*y", "x"),
    ("Hadamard", "Hadamard product as a diagonal matrix"): ("y .* sin(x)", "x"),
}
TABLES = {
    "DIFFERENTIALS": DIFFERENTIALS,
    "SCALAR_DIFFERENTIALS": SCALAR_DIFFERENTIALS,
    "TRACE_MOVES": TRACE_MOVES,
    "INNER_MOVES": INNER_MOVES,
    "VECTOR_MOVES": VECTOR_MOVES,
}


def key(rule):
    head = rule.head[0] if isinstance(rule.head, tuple) else rule.head
    return head.__name__, rule.name


ROWS = [
    pytest.param(table, rule, id=f"{table}: {' '.join(key(rule))}")
    for table in TABLES
    for rule in getattr(rules, table)
]


@pytest.mark.parametrize("table", TABLES)
def test_every_row_has_an_example_and_every_example_a_row(table):
    assert set(map(key, getattr(rules, table))) == set(TABLES[table])


@pytest.mark.parametrize(("table", "rule"), ROWS)
def test_a_rule_takes_part_in_its_example_and_both_witnesses_agree(table, rule, monkeypatch):
    calls = []

    def watched(*arguments):
        result = rule.apply(*arguments)
        calls.append(result)
        return result

    rows = tuple(replace(r, apply=watched) if r is rule else r for r in getattr(rules, table))
    monkeypatch.setattr(rules, table, rows)
    expression, wrt = TABLES[table][key(rule)]
    if isinstance(expression, str):
        derivation = derive(expression, wrt, variables=SHAPES)
    else:
        derivation = differentiate(expression, (wrt,), (wrt,))
    assert calls and None not in calls
    if not rule.minor:
        assert rule.name in [step.rule.name for step in derivation.steps]
    found = verify(derivation)
    assert found, str(found)


# The rules of the lines themselves: text, variable and layout of an example.
LINES = {
    "OUTER": ("(x'*x)*x", "x", "numerator"),
    "COLLECT": ("x'*A*x", "x", "denominator"),
    "LINEARITY": ("y'*x", "x", "denominator"),
    "GRADIENT": ("y'*x", "x", "denominator"),
    "JACOBIAN": ("A*x", "x", "denominator"),
    "DENOMINATOR": ("A*x", "x", "denominator"),
    "DERIVATIVE": ("s^2*x", "s", "denominator"),
    "NUMERATOR": ("y'*x", "x", "numerator"),
    "CONSTANT": ("y'*y", "x", "denominator"),
}
# Those that the moves take their names from.
# Names of rows of tables, and a rule too minor for a line: test_api has it in "another name".
NAMES = {"TRACE", "SCALAR_TRANSPOSE", "ANOTHER_NAME"}


def test_every_rule_of_a_line_has_an_example():
    assert {name for name, value in vars(rules).items() if isinstance(value, Rule)} == {*LINES, *NAMES}


@pytest.mark.parametrize("name", LINES)
def test_a_rule_of_a_line_occurs_in_its_example(name):
    expression, wrt, layout = LINES[name]
    derivation = derive(expression, wrt, layout=layout, variables=SHAPES)
    assert getattr(rules, name) in [step.rule for step in derivation.steps]
    assert verify(derivation)


@pytest.mark.parametrize("table", TABLES)
def test_every_row_states_itself_and_names_its_source(table):
    for rule in getattr(rules, table):
        assert rule.name and rule.statement and rule.source
        assert rule.statement.count("{") == rule.statement.count("}")


def test_the_moves_for_vectors_differ_from_those_of_a_trace_in_name_only():
    assert [r.apply for r in rules.INNER_MOVES] == [r.apply for r in rules.TRACE_MOVES]
    assert all("trace" not in r.name for r in rules.INNER_MOVES)


def test_pairing_is_the_inner_product_of_matrices():
    x, y = Variable("x", n, 1), Variable("y", n, 1)
    assert rules.pairing(x, y) == Product(Transpose(x), y)
    assert rules.pairing(W, W) == Trace(Product(Transpose(W), W))


def test_the_squares_of_norms_are_units_of_scalar_calculus():
    moves = lambda e: True  # noqa: E731
    from_text = derive("exp(norm2(x)^2)*norm2(x)^2", "x", variables=SHAPES).expression
    assert len(rules.units(from_text, moves)) == 1 and rules.is_squared_norm(rules.units(from_text, moves)[0])


def test_no_row_of_a_table_is_hidden_by_one_before_it():
    """Rows of one head are told apart by a condition, except the last."""
    for table in TABLES:
        open_heads = set()
        for rule in getattr(rules, table):
            heads = rule.head if isinstance(rule.head, tuple) else (rule.head,)
            assert not open_heads & set(heads), rule
            if rule.when is None:
                open_heads |= set(heads)
    assert differentiation.rules is rules
