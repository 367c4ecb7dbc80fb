"""The translation into SymPy says what the corpus says; so a wrong derivative is SymPy's."""

import pytest

from benchmarks.judge.truth import points, relative_error, text_value
from benchmarks.problems import load
from benchmarks.systems import NotExpressible, tree_of
from benchmarks.systems.sympy_diff import array, in_sympy


@pytest.fixture(scope="module")
def at_points():
    """(problem, point, sizes, the expression's value) for all of the corpus."""
    firsts = ((problem, next(points(problem))) for problem in load())
    return [(p, point, sizes, text_value(p["expr"], p, point, sizes).numpy()) for p, (point, sizes, _) in firsts]


@pytest.mark.parametrize("traces", [False, True])
def test_the_expressions_have_the_values_of_the_corpus(at_points, traces):
    said = 0
    for problem, point, sizes, expected in at_points:
        try:
            found = array(problem, in_sympy(tree_of(problem), problem, traces), point, sizes)
        except (NotExpressible, TypeError, AttributeError):
            continue  # SymPy may refuse to build it
        assert relative_error(found.reshape(expected.shape), expected) < 1e-9, problem["id"]
        said += 1
    assert said > 200
