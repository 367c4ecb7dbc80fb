"""What is right in one layout is wrong in another: the vec form, Hessians by matrices, and structures."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from sympy import Symbol

from derivations import derive
from derivations.elementwise import Hadamard
from derivations.errors import DomainError, ShapeError, UnsupportedError
from derivations.expressions import Identity, Ones, Scale, Sum, Transpose, Variable, Zero, is_matrix, multiply, shape_of
from derivations.kronecker import Commutation, Kronecker
from derivations.scalars import UNWORKED
from derivations.verification import WITNESSES, autograd, exact, interpreter, verify
from derivations.verification.layouts import ORDERS, expected_shape, misfit
from derivations.verification.sampling import whole

n = Symbol("n", integer=True, positive=True)


def declared(*properties):
    return {"kind": "matrix", "shape": ["n", "n"], "props": list(properties)}


SHAPES = {
    **dict.fromkeys("AZ", "m,n"),
    **dict.fromkeys("BC", "n,n"),
    **dict.fromkeys("xu", "n"),
    **dict.fromkeys("st", ""),
    "W": "m,m",
    "y": "m",
    "X": declared("positive_definite"),
    "S": declared("symmetric"),
    "D": declared("diagonal"),
}
VEC = [
    ("W*Z*B", "Z"),
    ("Z'", "Z"),
    ("Z'*W*Z", "Z"),
    ("inv(B)", "B"),
    ("B'*C*B", "B"),
    ("tanh(A .* Z)", "Z"),
    ("kron(A, Z)", "Z"),
    ("A*x", "A"),
    ("x'*A'", "A"),
    ("x*y'", "x"),
    ("(x'*B*x)*A", "x"),
    ("diag(B)", "B"),
    ("pinv(Z)", "Z"),
]
HESSIANS = [
    ("tr(Z'*W*Z*B)", ("Z", "Z")),
    ("logdet(X)", ("X", "X")),
    ("tr(B^3)", ("B", "B")),
    ("tr(A'*Z*B)", ("A", "Z")),
    ("tr(A'*W*Z)", ("Z", "A")),
    ("y'*A*x", ("A", "x")),
    ("y'*A*x", ("x", "A")),
    ("s^2*tr(A'*Z)", ("s", "Z")),
    ("s^2*tr(A'*Z)", ("Z", "s")),
]
OTHERS = [
    ("s^2*A*B", "s"),
    ("s^2*x'", "s"),
    ("s^2*t", "s"),
    ("tr(W*Z*B*A')", "Z"),
    ("B*tanh(C*x)", "x"),
    ("x'*B*u", ("x", "u")),
    ("s^2*(x'*x)", ("s", "x")),
    ("s^2*(x'*x)", ("x", "s")),
    ("s^2*t", ("s", "t")),
    ("exp(x'*B*x)", ("x", "x")),
]
SYMMETRIC = [("tr(S*B)", "S"), ("x'*S*u", "S"), ("logdet(X)", "X"), ("tr(S*B*S*C)", "S"), ("sum(exp(S))", "S")]
DIAGONAL = [("tr(D*B)", "D"), ("x'*D*u", "D"), ("det(D)", "D"), ("tr(D*B*D*C)", "D")]

CASES = {
    **{f"{text} by {wrt}": (text, wrt, {}) for text, wrt in VEC + HESSIANS + OTHERS},
    "B*x by x, numerator": ("B*x", "x", {"layout": "numerator"}),
    "tr(B*C) by B, numerator": ("tr(B*C)", "B", {"layout": "numerator"}),
    **{f"{text} by symmetric {wrt}": (text, wrt, {"structure": "symmetric"}) for text, wrt in SYMMETRIC},
    **{f"{text} by diagonal {wrt}": (text, wrt, {"structure": "diagonal"}) for text, wrt in DIAGONAL},
}
DERIVATIONS = {name: derive(text, wrt, variables=SHAPES, **given) for name, (text, wrt, given) in CASES.items()}
EACH_WITNESS = pytest.mark.parametrize("witness", WITNESSES)


def over(select=lambda d: True):
    return pytest.mark.parametrize("name", [name for name, d in DERIVATIONS.items() if select(d)])


def says(derivation, witness, seed=0):
    """True, False or None: the word of one witness."""
    found = {"exact": exact, "autograd": autograd}[witness].check(derivation, seed=seed)
    if found.passed is None and "no code for" in found.note:
        pytest.skip(found.note)
    return found.passed


# --------------------------------------------------------------------------------------- what is right


@over()
def test_both_witnesses_pass_what_is_right(name):
    found = verify(DERIVATIONS[name])
    assert found, str(found)


def test_every_layout_has_its_cases():
    assert {d.layout for d in DERIVATIONS.values()} == set(ORDERS)
    kinds = {(is_matrix(d.expression), *map(is_matrix, d.wrt_all)) for d in DERIVATIONS.values()}
    assert len(kinds) == 8  # a scalar or not, by a scalar or not; and scalars by all pairs
    assert {d.structure for d in DERIVATIONS.values()} == {"", "symmetric", "diagonal"}


@over()
def test_the_shape_of_the_result_is_that_of_its_layout(name):
    d = DERIVATIONS[name]
    assert expected_shape(d) == shape_of(d.result) and misfit(d) == ""
    wrong = replace(d, result=Zero(7, 9))
    assert "the result is 7x9" in misfit(wrong) and d.layout in misfit(wrong)


@over()
@pytest.mark.parametrize("seed", range(2))
def test_the_value_of_the_result_is_what_autograd_expects(name, seed):
    """Without the generated code: both sides by the interpreter of the autograd witness."""
    d = DERIVATIONS[name]
    expected, found = values_at(d, seed, partial(autograd._expected, d), partial(interpreter.value, d.result))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max()))


# --------------------------------------------------------------------------------------- what is wrong


def changed(result, *pairs):
    """The result with nodes replaced, or None where nothing changes or the shapes do not fit."""
    try:
        new = result.xreplace(dict(pairs))
    except ShapeError:
        return None
    return new if new != result and shape_of(new) == shape_of(result) else None


def by_rows(d):
    """The Jacobian of rows stacked, in place of columns: entries in other places."""
    if d.layout not in ("vec", "hessian_vec"):
        return None
    of_output = shape_of(d.expression) if d.layout == "vec" else shape_of(d.wrt_all[0])
    left, right = Commutation(*of_output), Commutation(*shape_of(d.wrt_all[-1]))
    return multiply(multiply(left, d.result), Transpose(right))


def with_other_off_diagonal(d):
    if d.structure != "symmetric":
        return None
    diagonal = Hadamard(d.result, Identity(n))
    return Sum(diagonal, Scale(Symbol("s", real=True) ** 0 / 2, Sum(d.result, -diagonal)))


FAULTS = {
    "transposed": lambda d: Transpose(d.result),
    "K forgotten": lambda d: changed(d.result, *((k, Identity(k.shape[0])) for k in d.result.atoms(Commutation))),
    "K of the transpose": lambda d: changed(d.result, *((k, Transpose(k)) for k in d.result.atoms(Commutation))),
    "K too many": lambda d: by_rows(d),
    "Kronecker factors swapped": lambda d: changed(
        d.result, *((k, Kronecker(*reversed(k.args))) for k in d.result.atoms(Kronecker))
    ),
    "a factor 2": lambda d: multiply(2, d.result),
    "a wrong sign": lambda d: multiply(-1, d.result),
    "a wrong zero": lambda d: Zero(*d.result.shape) if is_matrix(d.result) else 0 * d.result,
    "off the diagonal halved": with_other_off_diagonal,
    "entries where there are none": lambda d: (
        Sum(d.result, Ones(n, n), -Identity(n)) if d.structure == "diagonal" else None
    ),
    "not symmetric": lambda d: (
        Sum(d.result, Variable("B", n, n))
        if d.structure == "symmetric" and d.expression.has(Variable("B", n, n))
        else None
    ),
}


def wrong(d, fault):
    """A false result, or None where this fault makes none."""
    false = FAULTS[fault](d)
    return None if false is None or false == d.result else false


def is_the_same(d, false):
    """Whether another form of the same matrix, as a symmetric one transposed."""
    return shape_of(false) == shape_of(d.result) and all(equal_at(d, false, seed) for seed in range(2))


def values_at(d, seed, *functions):
    """The values of functions of (point, sizes) at a point where all are defined."""
    for attempt in range(autograd.ATTEMPTS):
        try:
            point, sizes = autograd._sample(d, f"{seed}/{attempt}", whole(d, seed))
            return [f(point, sizes) for f in functions]
        except DomainError:
            continue
    raise AssertionError("no point")


def equal_at(d, other, seed):
    left, right = values_at(d, seed, *(partial(interpreter.value, e) for e in (d.result, other)))
    return torch.allclose(left, right)


FALSE = {
    (name, fault): false
    for name, d in DERIVATIONS.items()
    for fault in FAULTS
    if (false := wrong(d, fault)) is not None and not is_the_same(d, false)
}
EACH_FAULT = pytest.mark.parametrize(("name", "fault"), FALSE, ids=[f"{name}: {fault}" for name, fault in FALSE])


def test_every_fault_is_planted_somewhere():
    planted = [fault for _, fault in FALSE]
    assert all(planted.count(fault) >= 2 for fault in FAULTS), {f: planted.count(f) for f in FAULTS}


@EACH_WITNESS
@EACH_FAULT
def test_a_false_result_is_caught_by_each_witness(name, fault, witness):
    """Even where no lines stand before it."""
    d = replace(DERIVATIONS[name], steps=())
    assert says(replace(d, result=FALSE[name, fault]), witness) is False


@EACH_FAULT
def test_a_false_result_is_caught_wherever_the_lines_lead(name, fault):
    d, false = DERIVATIONS[name], FALSE[name, fault]
    assert says(replace(d, result=false), "exact") is False
    last = replace(d.steps[-1], after=false)
    assert says(replace(d, result=false, steps=(*d.steps[:-1], last)), "exact") is False


# ---------------------------------------------------------------------------------------- false lines


def with_line(d, i, false):
    """The derivation with another line after step i, from which the next step goes on."""
    steps = list(d.steps)
    steps[i] = replace(steps[i], after=false)
    if i + 1 < len(steps):
        steps[i + 1] = replace(steps[i + 1], before=false)
    return replace(d, steps=tuple(steps))


@over()
def test_a_false_line_before_a_right_result_is_caught(name):
    d = DERIVATIONS[name]
    for i, step in enumerate(d.steps):
        found = exact.check(with_line(d, i, multiply(2, step.after)))
        assert found.passed is False and found.note == f"step {i + 1} ({step.rule.name})"
        alone = replace(d, steps=(*d.steps[:i], replace(step, after=multiply(2, step.after)), *d.steps[i + 1 :]))
        assert says(alone, "exact") is False, (i, step.rule)


@over(lambda d: any(step.after.has(Commutation) for step in d.steps))
def test_a_line_that_forgets_a_commutation_matrix_is_caught(name):
    d = DERIVATIONS[name]
    for i, step in enumerate(d.steps):
        false = changed(step.after, *((k, Identity(k.shape[0])) for k in step.after.atoms(Commutation)))
        if false is not None:
            assert says(with_line(d, i, false), "exact") is False, (i, step.rule)


def needless(d, step):
    """Whether it changes nothing: of a column, of a matrix that is its own transpose or diagonal already."""
    if shape_of(step.before) != shape_of(step.after):
        return False
    return step.rule.role == "vec" or (
        not step.before.has(*UNWORKED) and is_the_same(replace(d, result=step.before), step.after)
    )


# The lines that are no equalities; without one, its neighbours do not fit.
@over(lambda d: any(step.rule.role for step in d.steps))
def test_a_line_that_reads_off_or_lays_out_cannot_be_left_out(name):
    d = DERIVATIONS[name]
    for i, step in enumerate(d.steps):
        left = replace(d, steps=(*d.steps[:i], *d.steps[i + 1 :]))
        if step.rule.role and not needless(d, step):
            assert says(left, "exact") is False, (i, step.rule)


# ------------------------------------------------------------------------------------- false labels


@EACH_WITNESS
@over(lambda d: d.structure)
def test_without_its_structure_a_derivative_is_another_one(name, witness):
    d = DERIVATIONS[name]
    (plain,) = (step.before for step in d.steps if step.rule.role == "structure")
    for other in {"", "symmetric", "diagonal"} - {d.structure}:
        if is_the_same(d, plain):  # det D has no slope off the diagonal anyway
            continue
        relabelled = replace(d, structure=other)
        assert says(relabelled, witness) is False
        assert says(replace(relabelled, steps=()), witness) is False


@EACH_WITNESS
@pytest.mark.parametrize("structure", ["symmetric", "diagonal"])
@pytest.mark.parametrize("expression", ["tr(S*B)", "tr(S*B*S*C)"])
def test_a_gradient_by_independent_entries_is_none_by_free_ones(expression, structure, witness):
    d = derive(expression, "S", variables=SHAPES)
    assert says(d, witness)
    assert says(replace(d, structure=structure), witness) is False


@EACH_WITNESS
@over()
def test_the_name_of_another_layout_never_passes(name, witness):
    """Unless it means the same: the Jacobian of a vector in numerator layout is its vec form."""
    d = DERIVATIONS[name]
    for other in ORDERS.keys() - {d.layout}:
        relabelled = replace(d, layout=other, steps=())
        if ORDERS[other] != ORDERS[d.layout]:
            assert says(relabelled, witness) is None
            continue
        is_turned = turned(d, other) != turned(d, d.layout) and not is_the_same(d, Transpose(d.result))
        if is_turned or expected_shape(relabelled) != expected_shape(d):
            assert says(relabelled, witness) is False, other


def turned(d, layout):
    """Whether it is the transpose of what the layouts of the same shape have, where everything is square."""
    return is_matrix(d.result) and layout == ("denominator" if is_matrix(d.expression) else "numerator")


@EACH_WITNESS
def test_a_layout_that_is_not_known_did_not_run(witness):
    d = replace(DERIVATIONS["s^2*t by s"], layout="broadcast")
    (found,) = verify(d, (witness,)).witnesses
    assert found.passed is None and "layout 'broadcast' is not known" in found.note
    with pytest.raises(UnsupportedError, match="layout 'broadcast'"):
        expected_shape(d)


# ------------------------------------------------------------------- what one claim alone would miss


def test_the_skew_part_of_a_hessian_is_seen():
    """u'Hu does not see it, u'Hw does."""
    d = replace(derive("x'*B*x", "x", order=2, variables=SHAPES), steps=())
    C = Variable("C", n, n)
    skewed = replace(d, variables=(*d.variables, C), result=Sum(d.result, C, -Transpose(C)))
    assert exact.check(d).passed and not misfit(skewed)
    assert exact.check(skewed).passed is False


@pytest.mark.parametrize("seed", range(30))
def test_one_entry_below_the_diagonal_is_seen(seed):
    """The sum over i <= j of S_ij dX_ij does not see it."""
    d = replace(DERIVATIONS["tr(S*B) by symmetric S"], steps=())
    E = Variable("E", n, n, "onehot")
    assert exact.check(replace(d, variables=(*d.variables, E), result=Sum(d.result, E)), seed=seed).passed is False
