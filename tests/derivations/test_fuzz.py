"""A quick slice of random problems over the whole grammar; benchmarks/fuzz.py is the long run."""

import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from mpmath import mp, mpf

import derivations as dv
from derivations.expressions import Scale
from derivations.notation import text
from tests.derivations.fuzzing import differences, grammar, judging, mutations, reducing, values
from tests.derivations.fuzzing.strategies import accidents, problems
from tests.derivations.fuzzing.terms import Problem, Term

# The same examples every time: another seed is the long run's work.
QUICK = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
FINE = ("right", "refused", "no point")
VECTOR, SQUARE = (("n",), ()), (("n",), ("n",))
X, A = Term("name", (), "x", VECTOR), Term("name", (), "A", SQUARE)


@QUICK
@given(problems())
def test_random_problems_are_derived_rightly_or_refused_by_name(problem):
    result = judging.judged(problem)
    assert result["verdict"] in FINE, (problem.text, problem.arguments(), result["reason"])


@QUICK
@given(accidents, problems(depth=3))
def test_broken_texts_are_refused_by_name_or_mean_what_they_say(generator, problem):
    result = mutations.judged(generator, problem)
    assert result["verdict"] in FINE, (result["text"], result["variables"], result["wrt"], result["reason"])


@QUICK
@given(problems())
def test_what_is_rendered_is_parsed_as_the_same_tree(problem):
    assert judging.same_tree(text.parse(problem.text), problem.term)


# ------------------------------------------------------------------------------ the judge is right itself


def squares(name, shape, operation):
    part = Term("name", (), name, shape)
    return Problem(Term("call", (Term(operation, (part, part), None, shape),), "sum"), {name: (shape, ())}, (name,))


def test_a_right_derivative_is_right():
    assert judging.judged(squares("x", VECTOR, ".*"))["verdict"] == "right"


def test_a_false_derivative_is_wrong(monkeypatch):
    derive = dv.derive

    def doubled(*arguments, **keywords):
        derivation = derive(*arguments, **keywords)
        return replace(derivation, result=Scale(2, derivation.result))

    monkeypatch.setattr(judging.dv, "derive", doubled)
    assert judging.judged(squares("x", VECTOR, ".*"))["verdict"] == "wrong"


def test_a_false_tree_is_wrong_although_its_derivative_is_proven(monkeypatch):
    """Only the second reading of the text can see this."""
    derive = dv.derive
    monkeypatch.setattr(judging.dv, "derive", lambda source, **k: derive("sum(A.*A)", **k))
    assert judging.judged(squares("A", SQUARE, "*"))["verdict"] == "wrong"


@pytest.mark.parametrize("order, layout, structure", [(1, "denominator", "symmetric"), (2, "denominator", None)])
def test_central_differences_know_the_layouts(order, layout, structure):
    problem = replace(squares("A", SQUARE, "*"), order=order, wrt=("A",) * order, layout=layout, structure=structure)
    derivation = dv.derive(problem.text, **problem.arguments())
    with mp.workdps(50):
        assert differences.agree(problem.term, derivation)
        with pytest.raises(judging.Found):
            differences.agree(problem.term, replace(derivation, result=Scale(2, derivation.result)))


@pytest.mark.parametrize("layout", ["denominator", "numerator"])
@pytest.mark.parametrize("part", [X, A], ids=["vector", "matrix"])
def test_central_differences_know_jacobians(part, layout):
    term = Term("*", (A, part), None, part.shape)
    problem = Problem(term, {"A": (SQUARE, ()), "x": (VECTOR, ())}, (part.value,), layout=layout)
    derivation = dv.derive(problem.text, **problem.arguments())
    with mp.workdps(50):
        assert differences.agree(term, derivation)


def test_an_exception_is_one(monkeypatch):
    monkeypatch.setattr(judging.dv, "derive", lambda *a, **k: {}["x"])
    assert judging.judged(squares("x", VECTOR, ".*"))["verdict"] == "exception"


def numbered(index):
    return grammar.problem(random.Random(str(index)).choice, 6)


def test_a_failure_is_made_smaller():
    """To nothing but what makes it fail."""
    problem = next(p for p in map(numbered, range(1000)) if "tanh" in p.text and p.order == 1 and len(p.text) > 60)
    small = reducing.reduced(problem, lambda p: "tanh" in p.text)
    assert len(small.text) < 20, small.text


@pytest.mark.parametrize("source", ["", "x +", "2x", "x y", "f(,)", "(x", "x)", "x''.T", "x = 2", "٣*x", "1..2", "x.x"])
def test_what_is_no_expression(source):
    assert not mutations.is_expression(source)
    with pytest.raises(dv.DerivationError):
        dv.derive(source, wrt="x", variables={"x": "n"})


@pytest.mark.parametrize("source", ["x", "-x'*x^2", "2.*x", "1e-3*x", "A'.^2", "f(x, 2)", "(x)", "x./-y", "--x"])
def test_what_is_an_expression(source):
    assert mutations.is_expression(source)


def test_the_values_are_those_of_the_definitions():
    point = {"A": [[mpf(2), mpf(1)], [mpf(0), mpf(3)]], "x": [[mpf(1)], [mpf(-2)]], "s": mpf(2)}

    def value(source):
        found = values.value(text.parse(source), point, {"n": 2})
        return [[float(x) for x in r] for r in values.rows_of(found)]

    assert value("A*x") == [[0.0], [-6.0]]
    assert value("x'*A*x") == [[12.0]]
    assert value("det(A) + tr(A) - s^3") == [[3.0]]
    assert value("kron(x', A)") == [[2.0, 1.0, -4.0, -2.0], [0.0, 3.0, 0.0, -6.0]]
    assert value("comm(n, n)*vec(A) - vec(A')") == [[0.0]] * 4
    assert value("adj(A)*A") == [[6.0, 0.0], [0.0, 6.0]]
    assert value("diag(diag(A)) ./ s") == [[1.0, 0.0], [0.0, 1.5]]
    assert value("clip(x, -1, 0.5)") == [[0.5], [-1.0]]
    assert value("max(x, 0) + eye(n)*ones(n)") == [[2.0], [1.0]]
