"""Planted faults: each witness alone catches them, and what did not run never passes."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sympy import Symbol, factorial, zeta

from derivations import derive
from derivations.derivation import Rule
from derivations.errors import DerivationError
from derivations.expressions import Ones, Product, Scale, Sum, Transpose, Variable, Zero, add, is_matrix, multiply
from derivations.rewriting import equalities
from derivations.verification import WITNESSES, verify

SHAPES = {
    "A": "m,n",
    "B": "n,n",
    "X": {"kind": "matrix", "shape": ["n", "n"], "props": ["positive_definite"]},
    "Z": "m,n",
    "W": "m,m",
    "x": "n",
    "y": "m",
    "s": {"kind": "scalar", "shape": [], "props": ["positive"]},
}
# The field in which the exact witness checks it: text, variable, order, layout.
CASES = {
    "prime field": [
        ("y'*A*x", "A", 1, "denominator"),
        ("x'*B*x", "x", 1, "denominator"),
        ("tr(Z'*W*Z*B)", "Z", 1, "denominator"),
        ("norm2(A*x - y)^2", "x", 1, "denominator"),
        ("tr(inv(X)*B)", "X", 1, "denominator"),
        ("(x'*B*x)/(x'*x)", "x", 1, "denominator"),
        ("A*x", "x", 1, "denominator"),
        ("A*x", "x", 1, "numerator"),
        ("y'*A*x", "x", 1, "numerator"),
        ("s^3*A*x", "s", 1, "denominator"),
        ("s^3*(x'*x)", "s", 1, "denominator"),
        ("(x'*B*x)^2", "x", 2, "denominator"),
    ],
    "rational numbers": [
        ("sum(relu(A*x))", "x", 1, "denominator"),
        ("norm1(A*x - y)", "x", 1, "denominator"),
    ],
    "50 digits": [
        ("log(1 + exp(-x'*B*x))", "x", 1, "denominator"),
        ("logsumexp(A*x)", "x", 1, "denominator"),
        ("sum(tanh(A*x))", "A", 1, "denominator"),
        ("tanh(A*x)", "x", 1, "denominator"),
        ("softmax(A*x)", "x", 1, "numerator"),
        ("logdet(X)*tr(B*X)", "X", 1, "denominator"),
        ("norm2(A*x)", "x", 1, "denominator"),
        ("exp(s)*A*x", "s", 1, "denominator"),
        ("exp(x'*x)", "x", 2, "denominator"),
    ],
}
DERIVATIONS = {
    f"{text} by {wrt}, order {order}, {layout}": (
        field,
        derive(text, wrt, order=order, layout=layout, variables=SHAPES),
    )
    for field, cases in CASES.items()
    for text, wrt, order, layout in cases
}


def over(select=lambda d: True):
    return pytest.mark.parametrize("name", [name for name, (_, d) in DERIVATIONS.items() if select(d)])


def says(derivation, witness):
    """True, False or None: the word of one witness."""
    (found,) = verify(derivation, (witness,)).witnesses
    return found.passed


@over()
def test_both_witnesses_pass_what_is_right(name):
    field, d = DERIVATIONS[name]
    verification = verify(d)
    assert verification, str(verification)
    assert verification.witnesses[0].name == f"exact ({field})"


# ------------------------------------------------------------------------------- false results


def like(result):
    """Something else of the same shape."""
    return Ones(*result.shape) if is_matrix(result) else Symbol("s", positive=True)


def lost_term(result):
    scalar, core = (result.args[0], result.args[1]) if isinstance(result, Scale) else (1, result)
    return multiply(scalar, Sum(*core.args[1:])) if isinstance(core, Sum) else None


def lost_transpose(result):
    """One transpose inside left out, where the shapes still fit (B is square)."""
    B = next((v for v in result.atoms(Variable) if v.name == "B"), None)
    changed = result.xreplace({Transpose(B): B}) if B is not None else result
    return changed if changed != result else None


FAULTS = {
    "a factor 2": lambda r: multiply(2, r),
    "a lost factor 2": lambda r: multiply(Symbol("s", positive=True) ** 0 / 2, r),
    "a wrong sign": lambda r: multiply(-1, r),
    "a wrong zero": lambda r: Zero(*r.shape) if is_matrix(r) else 0 * r,
    "a term too many": lambda r: add(r, like(r)),
    "a lost term": lost_term,
    "a lost transpose": lost_transpose,
}


@pytest.mark.parametrize("witness", WITNESSES)
@pytest.mark.parametrize("fault", FAULTS)
@over()
def test_a_false_result_is_caught_by_each_witness(name, fault, witness):
    _, d = DERIVATIONS[name]
    false = FAULTS[fault](d.result)
    if false is None:
        return
    assert false != d.result
    assert says(replace(d, result=false), witness) is False


def test_every_fault_was_planted_somewhere():
    for fault in FAULTS.values():
        assert sum(fault(d.result) is not None for _, d in DERIVATIONS.values()) >= 3


# ------------------------------------------------------------------------------- false layouts


def square(*names):
    return dict.fromkeys(names, "n,n") | {"x": "n", "y": "n"}


@pytest.mark.parametrize("witness", WITNESSES)
@pytest.mark.parametrize("expression", ["A*x", "B*tanh(A*x)", "A*(x .* y)"])
@pytest.mark.parametrize(("layout", "other"), [("denominator", "numerator"), ("numerator", "denominator")])
def test_a_jacobian_in_the_other_layout_is_caught(expression, layout, other, witness):
    """Square ones, where the shape gives nothing away."""
    d = derive(expression, "x", layout=layout, variables=square("A", "B"))
    assert says(d, witness)
    assert says(replace(d, layout=other), witness) is False
    assert says(replace(d, result=Transpose(d.result)), witness) is False


@pytest.mark.parametrize("witness", WITNESSES)
@pytest.mark.parametrize("expression", ["y'*A*x", "norm2(A*x - y)^2", "logsumexp(A*x)"])
@pytest.mark.parametrize("layout", ["denominator", "numerator"])
def test_a_row_in_place_of_a_column_is_caught(expression, layout, witness):
    d = derive(expression, "x", layout=layout, variables=SHAPES)
    assert says(replace(d, result=Transpose(d.result)), witness) is False
    other = {"gradient": "numerator", "numerator": "gradient"}[d.layout]
    assert says(replace(d, layout=other), witness) is False


@pytest.mark.parametrize("witness", WITNESSES)
@pytest.mark.parametrize(
    ("expression", "order", "shape"),
    [
        ("y'*y", 1, (1, "n")),
        ("y'*y", 1, ("m", 1)),
        ("y'*A*x", 2, ("n", 1)),
        ("y'*A*x", 2, (1, "n")),
        ("W*y", 1, ("m", "n")),
    ],
)
def test_a_zero_of_another_shape_is_caught(expression, order, shape, witness):
    d = derive(expression, "x", order=order, variables=SHAPES)
    sizes = [Symbol(size, integer=True, positive=True) if isinstance(size, str) else size for size in shape]
    assert says(d, witness)
    assert says(replace(d, result=Zero(*sizes)), witness) is False


# --------------------------------------------------------------------------------- false lines


def with_step(d, i, **changed):
    return replace(d, steps=(*d.steps[:i], replace(d.steps[i], **changed), *d.steps[i + 1 :]))


@over()
def test_a_false_line_is_caught_by_the_exact_witness_though_the_result_is_right(name):
    _, d = DERIVATIONS[name]
    for i, step in enumerate(d.steps):
        for fault in ("a factor 2", "a wrong sign", "a wrong zero"):
            false = FAULTS[fault](step.after)
            faulty = with_step(d, i, after=false)
            if i + 1 < len(d.steps) and d.steps[i + 1].before == step.after:
                faulty = with_step(faulty, i + 1, before=false)
            assert says(faulty, "exact") is False, (i, step.rule, fault)
    assert says(with_step(d, 0, after=FAULTS["a factor 2"](d.steps[0].after)), "autograd") is True


SOME = pytest.mark.parametrize(
    "name",
    [
        "x'*B*x by x, order 1, denominator",
        "tr(Z'*W*Z*B) by Z, order 1, denominator",
        "norm1(A*x - y) by x, order 1, denominator",
        "logdet(X)*tr(B*X) by X, order 1, denominator",
        "(x'*B*x)^2 by x, order 2, denominator",
    ],
)


@SOME
def test_a_line_that_starts_from_something_false_is_caught(name):
    """One line says 2a = 2b after one that ended in a: what a reader sees is a = 2b."""
    _, d = DERIVATIONS[name]
    step = d.steps[1]
    doubled = with_step(d, 1, before=multiply(2, step.before), after=multiply(2, step.after))
    assert says(doubled, "exact") is False


@SOME
def test_lines_of_another_function_are_caught(name):
    _, d = DERIVATIONS[name]
    other = derive("2*x'*x" if d.wrt.name == "x" else f"2*tr({d.wrt}'*{d.wrt})", d.wrt.name, variables=SHAPES)
    assert says(replace(d, steps=other.steps), "exact") is False


@SOME
def test_lines_that_do_not_lead_to_the_result_are_caught(name):
    _, d = DERIVATIONS[name]
    assert says(replace(d, steps=d.steps[:-1]), "exact") is False


# ----------------------------------------------------------------------------------- values


def test_equalities_are_checked_too():
    a, b = Symbol("a", real=True), Symbol("b", real=True)
    rule = Rule(None, "algebra", "")
    right = equalities((a + b) ** 2, (a, b), (rule, a**2 + 2 * a * b + b**2))
    wrong = equalities((a + b) ** 2, (a, b), (rule, a**2 + a * b + b**2))
    middle = equalities((a + b) ** 2, (a, b), (rule, a**2 + b**2), (rule, a**2 + 2 * a * b + b**2))
    assert verify(right)
    for witness in WITNESSES:
        assert says(wrong, witness) is False
    assert says(middle, "exact") is False and says(middle, "autograd") is True


# -------------------------------------------------------------------------------- did not run

RIGHT = DERIVATIONS["A*x by x, order 1, denominator"][1]


def test_without_torch_the_autograd_witness_did_not_run(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, WITNESSES["autograd"])
    monkeypatch.delattr("derivations.verification.autograd", raising=False)
    verification = verify(RIGHT)
    exact, autograd = verification.witnesses
    assert exact.passed is True and autograd.passed is None
    assert not verification and not verification.passed and "torch is not installed" in str(verification)
    assert verify(RIGHT, ("exact",))


def test_verify_asks_only_those_who_were_named():
    assert [w.name for w in verify(RIGHT, ("exact",)).witnesses] == ["exact (prime field)"]
    assert not verify(RIGHT, ())


def test_an_unknown_witness_is_an_error():
    with pytest.raises(DerivationError, match=r"no witness 'oracle'; known are exact, autograd"):
        verify(RIGHT, ("oracle",))


@pytest.mark.parametrize("witness", WITNESSES)
def test_what_cannot_be_evaluated_did_not_run(witness):
    s = Symbol("s", positive=True)
    d = derive("s^2", "s", variables={"s": SHAPES["s"]})
    unknown = replace(with_step(d, len(d.steps) - 1, after=zeta(s)), result=zeta(s))
    (found,) = verify(unknown, (witness,)).witnesses
    assert found.passed is None and "zeta" in found.note


@pytest.mark.parametrize("witness", WITNESSES)
def test_without_a_point_in_the_domain_nothing_ran(witness):
    d = derive("log(-x'*x - 1)", "x")
    (found,) = verify(d, (witness,)).witnesses
    assert found.passed is None and "no point inside the domain in 40 attempts" in found.note


def test_code_that_needs_a_size_that_no_variable_has_did_not_run():
    d = derive("ones(k)'*ones(k)*s", "s", variables={"s": "", "x": "n"})
    exact, autograd = verify(d).witnesses
    assert exact.passed is True and autograd.passed is None and "size k" in autograd.note
    assert says(replace(d, result=2 * d.result), "exact") is False


@pytest.mark.parametrize("witness", WITNESSES)
@pytest.mark.parametrize(
    ("expression", "wrt"),
    [
        ("sum(sqrt(relu(x)))", "x"),
        ("s/relu(-s)", "s"),
        ("normcdf(2)*s", "s"),
        ("logdet(sqrt(X))", "X"),
        ("softplus(2)*sum(x)", "x"),
        ("relu(rows(x))*sum(x)", "x"),
        ("x + 2*y", "x"),
        ("s + t", "s"),
        ("x .* (1 ./ (x - x .* ones(n)))", "x"),
    ],
)
def test_a_witness_never_raises(expression, wrt, witness):
    """It passes, fails, or did not run."""
    try:
        d = derive(expression, wrt, variables={"x": "n", "y": "n", "s": "", "t": ""})
    except DerivationError:
        return
    assert says(d, witness) in (True, False, None)


def test_a_slope_that_is_not_known_did_not_run():
    s = Symbol("s", positive=True)
    d = derive("s^2", "s", variables={"s": SHAPES["s"]})
    found = verify(replace(d, expression=factorial(s)), ("exact",)).witnesses[0]
    assert found.passed is not True


# ------------------------------------------------------------------------------------ its price


def test_verify_imports_torch_only_for_the_witness_that_needs_it():
    program = (
        "import sys\nimport derivations as dv\nfrom derivations.verification import verify\n"
        "d = dv.derive(\"x'*x\", 'x')\nassert verify(d, ('exact',))\nprint('torch' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    found = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_the_same_seed_gives_the_same_words():
    d = DERIVATIONS["logsumexp(A*x) by x, order 1, denominator"][1]
    assert verify(d) == verify(d)


def test_products_are_what_they_were():
    """The faults above change the copies only."""
    _, d = DERIVATIONS["y'*A*x by A, order 1, denominator"]
    assert isinstance(d.result, Product) and verify(d)
