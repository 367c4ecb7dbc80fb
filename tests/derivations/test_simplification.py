"""The normal form of results: shape and value kept, the same when run again or when terms are shuffled."""

import contextlib
import itertools
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Integer, Mul, Rational, S, Symbol, count_ops, sqrt, symbols

from derivations import examples
from derivations.api import read, tree_variables
from derivations.collecting import size
from derivations.elementwise import Hadamard
from derivations.errors import DomainError
from derivations.expressions import Inner, Inverse, Product, Scale, Sum, Transpose, Variable, is_matrix, shape_of
from derivations.fractions import tidy, usual_signs
from derivations.notation import text
from derivations.rewriting import rewrite
from derivations.simplification import COLLECTING, IDENTITIES, collect, simplify
from derivations.verification import interpreter
from derivations.verification.autograd import FloatSampler
from derivations.verification.sampling import properties_of, sizes_for

m, n = (Symbol(name, integer=True, positive=True) for name in "mn")
s, t = Symbol("s", real=True), Symbol("t", positive=True)
A, B, C = (Variable(name, n, n) for name in "ABC")
P = Variable("P", n, n, "symmetric")
x, y = Variable("x", n, 1), Variable("y", n, 1)

SHAPES = {
    **dict.fromkeys("ABCUV", "n,n"),
    **dict.fromkeys("XZ", "m,n"),
    **dict.fromkeys("uvxy", "n"),
    **dict.fromkeys("stw", ""),
    "p": {"kind": "vector", "shape": ["n"], "props": ["prob"]},
    "c": {"kind": "vector", "shape": ["n"], "props": ["centred"]},
    "b": {"kind": "vector", "shape": ["n"], "props": ["binary"]},
    "q": {"kind": "vector", "shape": ["n"], "props": ["pm1"]},
    "D": {"kind": "matrix", "shape": ["n", "n"], "props": ["diagonal"]},
    "Y": {"kind": "matrix", "shape": ["m", "n"], "props": ["onehot_rows"]},
}

EXAMPLES = examples.IDENTITIES
MORE = [
    ("x'*A*y + y'*A'*x", "2*(x'*A*y)"),
    ("diag(u)*diag(v)*x", "u .* v .* x"),
    ("x'*diag(u)*A", "(u .* x)'*A"),
    ("A*diag(u)*x", "A*(u .* x)"),
    ("sum(softmax(x))", "1"),
    ("tr(A*B*C) + tr(C*A*B)", "2*tr(A*B*C)"),
    ("tr(A*B) - tr(B'*A')", "0"),
    ("-2*X - 4*X.*X", "-2*(X + 2*X.*X)"),
    ("s*X + s*w*X.*X", "s*(X + w*X.*X)"),
    ("s/(s + 1) + 1/(s + 1)", "1"),
    ("x'*x + s - x'*x", "s"),
    ("A .* B - A", "A .* B - A"),
    ("inv(A)*(B - U*inv(eye(n) + V*inv(A)*U)*V*inv(A)*B)", "inv(A + U*V)*B"),
    ("B - B*inv(A + U)*A", "B*inv(A + U)*U"),
    ("B*inv(eye(n) + V*inv(A)*U)*V*inv(A)", "B*V*inv(A + U*V)"),
    ("(B - B*inv(A)*U*inv(eye(n) + V*inv(A)*U)*V)*inv(A)", "B*inv(A + U*V)"),
    ("kron(B,A) - kron(C,A)", "kron(B - C,A)"),
    ("A*X'*pinv(X)'", "A*pinv(X)*X"),
    ("X'*X*inv(X'*X)*A", "A"),
    ("inv(D) .* eye(n)", "inv(D)"),
    ("q.^3", "q"),
    ("q.^2", "ones(n)"),
    ("Y*ones(n)", "ones(m)"),
    ("ones(n,n)*p", "ones(n)"),
    ("diag(x*y')", "x .* y"),
    ("diag(A*diag(u))", "diag(A) .* u"),
    ("exp(x) ./ (ones(n) + exp(x))", "sigmoid(x)"),
    ("exp(s)/(1 + exp(s))", "sigmoid(s)"),
    ("diag(exp(x))/sum(exp(x)) - softmax(x)*exp(x)'/sum(exp(x))", "diag(softmax(x)) - softmax(x)*softmax(x)'"),
    ("sin(x) ./ cos(x) .* y", "tan(x) .* y"),
    ("relu(x) .* step(x) .* y", "relu(x) .* y"),
    ("logm(A)*A", "A*logm(A)"),
    ("comm(m,n)*vec(X)", "vec(X')"),
]


def build(source):
    return read(source, SHAPES)[0].expression


def heads(rule):
    return rule.head if isinstance(rule.head, tuple) else (rule.head,)


def test_every_row_has_an_example_and_every_example_a_row():
    assert {(head.__name__, rule.name) for rule in IDENTITIES for head in heads(rule)} == set(EXAMPLES)
    assert IDENTITIES[: len(COLLECTING)] == COLLECTING


@pytest.mark.parametrize(
    ("rule", "head"),
    [pytest.param(r, h, id=f"{h.__name__}: {r.name}") for r in IDENTITIES for h in heads(r)],
)
def test_a_row_alone_does_its_work(rule, head):
    before, after = (build(source) for source in EXAMPLES[head.__name__, rule.name])
    assert simplify(before)[0] == simplify(after)[0]
    new, used = rewrite(before, (rule,))
    # One form of two, neither shorter.
    turned = (head, rule.name) in {(Product, "commutation matrix"), *((h, "opposite sigmoid") for h in (Mul, Hadamard))}
    assert (used == (rule,) and (size(new) < size(before) or turned)) or count_ops(new) < count_ops(before)


@pytest.mark.parametrize(("before", "after"), [*EXAMPLES.values(), *MORE])
def test_examples(before, after):
    assert simplify(build(before))[0] == build(after)


def test_the_used_rules_are_named_once_each():
    _, used = simplify(build("diag(u)*x + diag(v)*x + s*sum(p)*x"))
    assert [r.name for r in used if r not in COLLECTING] == [
        "diagonal matrix times vector",
        "probabilities sum to one",
    ]


def test_collecting_uses_no_fact_of_the_identities():
    for source in ("diag(u)*x", "s*sum(p)", "sum(softmax(x))"):
        assert collect(build(source)) == build(source)


@pytest.mark.parametrize(
    ("scalar", "expected"),
    [
        ("s*(1 - s) + s^2", "s"),
        ("-(y'*y)/(1 - s)", "-(y'*y)/(1 - s)"),
        ("1/s - 1/(s + 1)", "1/(s*(s + 1))"),
    ],
)
def test_scalars_take_their_shortest_usual_form(scalar, expected):
    e = build(scalar)
    assert (tidy(e) or e) == build(expected)


def test_no_sum_below_a_fraction_starts_with_a_negative_number():
    a, b = symbols("a b", real=True)
    assert usual_signs((b - a) / (a * (a - 1))).args == ((a - b) / (a * (1 - a))).args


def test_numbers_are_free_and_leaves_are_not():
    assert size(S(3)) == 0 and size(x) == 1 and size(Scale(2, Product(A, x))) == 2
    assert size(build("tanh(A*x)")) > size(build("A*x"))


def test_a_power_of_zero_is_not_divided_by():
    tree = build("0^s*A + 0^s*B")
    assert simplify(tree)[0] in (tree, build("0^s*(A + B)"))


def test_a_shorter_form_that_is_not_shorter_is_not_taken():
    assert simplify(build("A*x + B*y"))[0] == build("A*x + B*y")
    assert simplify(build("(A + B)*x"))[0] == build("(A + B)*x")


# ------------------------------------------------------------------------------------ guarantees


def at_a_point(tree, seed):
    """The values of the variables of a tree, with their declared properties, and sizes."""
    sampler, variables = FloatSampler(f"identity/{seed}"), tree_variables(tree)
    sizes = {s: Integer(k) for s, k in sizes_for(variables, sampler.generator, (tree,)).items()}
    rows = {v: sampler.matrix(v, sizes) if is_matrix(v) else [[sampler.scalar(properties_of(v))]] for v in variables}
    return {v: torch.tensor(r, dtype=torch.float64) for v, r in rows.items()}, sizes


@pytest.mark.parametrize("source", [before for before, _ in [*EXAMPLES.values(), *MORE]])
def test_an_identity_keeps_the_value(source, relative_error):
    before = build(source)
    after, _ = simplify(before)
    met = 0
    for seed in range(40):
        point, sizes = at_a_point(before, seed)
        with contextlib.suppress(DomainError):
            expected = interpreter.value(before, point, sizes)
            if expected.isfinite().all():
                assert relative_error(interpreter.value(after, point, sizes), expected) < 1e-8
                met += 1
        if met == 3:
            return
    raise AssertionError("no point inside the domain")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.data())
def test_value_and_shape_are_kept_and_a_second_run_changes_nothing(data, random_texts, relative_error):
    sizes, numbers = {"m": 4, "n": 3}, {m: Integer(4), n: Integer(3)}
    shape = data.draw(st.sampled_from(random_texts.shapes))
    terms = data.draw(st.integers(1, 3))
    source = " + ".join(random_texts.draw(data, shape, 2) for _ in range(terms))
    values = random_texts.point(data.draw(st.integers(0, 5)), sizes)
    if random_texts.value(source, values, sizes) is None:
        return
    reading, _ = read(source, random_texts.variables)
    before = reading.expression
    named = {reading.variables[k]: v for k, v in values.items() if k in reading.variables}
    after, _ = simplify(before)
    assert shape_of(after) == shape_of(before)
    assert simplify(after)[0] == after
    try:
        expected, got = interpreter.value(before, named, numbers), interpreter.value(after, named, numbers)
    except DomainError:
        return
    if expected.isfinite().all() and expected.abs().max() < 1e6:
        assert relative_error(got, expected) < 1e-6, (text.write(before), text.write(after))


COEFFICIENTS = [S.One, S(2), S.NegativeOne, Rational(1, 2), s, s * t, 1 / t, Inner(Transpose(x), y)]
MATRICES = [A, B, C, Transpose(A), P, Inverse(A), Product(A, B), Product(B, Transpose(A))]


@st.composite
def terms(draw):
    factors = [draw(st.sampled_from(MATRICES)), draw(st.sampled_from([x, y]))]
    return Scale(draw(st.sampled_from(COEFFICIENTS)), Product(*factors))


def forms_of_all_orders(terms):
    return {simplify(Sum(*order))[0] for order in itertools.permutations(terms)}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(terms(), min_size=2, max_size=4))
def test_the_order_of_the_terms_does_not_matter(terms):
    assert len(forms_of_all_orders(terms)) == 1


POOLS = {
    "Hadamard": ["A .* B", "A .* C", "B .* C", "A", "A'", "A .* exp(B)", "A .* eye(n)", "2*B", "B'*A'", "C'*B"],
    "Kronecker": [
        "kron(A,B)",
        "kron(A,C)",
        "kron(C,B)",
        "kron(A,B)*comm(n,n)",
        "comm(n,n)*kron(B,A)",
        "comm(n,n)",
        "eye(n*n)",
        "diag(vec(A))",
    ],
}


@pytest.mark.parametrize("pool", POOLS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_nor_does_that_of_hadamard_and_kronecker_products(pool, data):
    chosen = [build(t) for t in POOLS[pool]]
    terms = data.draw(st.lists(st.sampled_from(chosen), min_size=2, max_size=4, unique=True))
    forms = forms_of_all_orders(terms)
    assert len(forms) == 1
    (form,) = forms
    assert simplify(form)[0] == form


@pytest.mark.parametrize(
    "source",
    [
        "s*A*B*y + P*x + A'*x + y",
        "s*P*B'*y + x + s*A*x + s*t*B'*y",
        "(x'*A*x)*B'*A' + (x'*A*x)*A' + C*B'/t - P*B'",
        "A*x + A*y + B*x",
    ],
)
def test_ties_are_broken_the_same_way_in_every_order(source):
    terms = read(source, {**SHAPES, "P": {"kind": "matrix", "shape": ["n", "n"], "props": ["symmetric"]}})[0]
    assert len(forms_of_all_orders(terms.expression.args)) == 1


@pytest.mark.parametrize(
    "terms",
    [
        (Scale(sqrt(t), Product(B, x)), Scale(1 / t, Product(P, y)), Scale(s * t, Product(Inverse(A), x))),
        (Scale(sqrt(t), Product(A, y)), Scale(s * t, Product(B, y)), Scale(sqrt(t), Product(C, x))),
        (
            Scale(sqrt(t), Product(B, y)),
            Scale(s * t, Product(A, B, y)),
            Scale(Inner(Transpose(x), A, x), Product(Inverse(A), x)),
            Scale(Inner(Transpose(x), y), Product(C, x)),
        ),
    ],
    ids=lambda terms: text.write(Sum(*terms)),
)
def test_roots_among_the_coefficients_come_to_an_end(terms):
    form, _ = simplify(Sum(*terms))
    assert simplify(form)[0] == form


def test_hadamard_factors_may_stand_in_any_order():
    factors = [Product(A, x), y, x]
    assert {simplify(Hadamard(*order))[0] for order in itertools.permutations(factors)} == {Hadamard(*factors)}


def test_the_form_does_not_depend_on_the_hash_seed():
    """Sets of nodes have no order that two processes share."""
    program = (
        "import derivations as dv\n"
        "for f in ('s*(tr(A*B*C) + tr(C*A*B))', \"s*(tr(A*B) + tr(B'*A'))\", \"s*(x'*A*y + y'*A'*x)\"):\n"
        "    print(dv.derive(f, 's', variables={'s': '', **dict.fromkeys('ABC', 'n,n')}).to_text())\n"
        "from derivations.topics import gan\n"
        "print(gan.batch_gradient('W_d', 'least-squares value').to_text())"
    )
    root = Path(__file__).parents[2]
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(1, 5)
    }
    assert len(answers) == 1, answers
