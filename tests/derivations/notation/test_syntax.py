"""The surface syntax tree."""

import pytest

from derivations.errors import ShapeError
from derivations.notation.syntax import Node, expand, shape_error
from derivations.notation.text import parse


def test_names_come_in_order_and_once():
    assert parse("b*a + b'*sin(c)").names() == ["b", "a", "c"]


@pytest.mark.parametrize("source", ["x'*ones(n)", "tr(eye(n)*X)*x", "x + zeros(n, 1)*sum(ones(m*n,k))"])
def test_sizes_are_no_variables(source):
    assert not set(parse(source).names()) & {"n", "m", "k"}


def test_definitions_are_put_in_place_and_errors_point_at_the_name():
    tree = expand(parse("a + h"), {"h": parse("A*x")})
    assert tree.names() == ["a", "A", "x"]
    product = tree.args[1]
    assert (product.op, product.start, product.end) == ("*", 4, 5)
    assert {(part.start, part.end) for part in product.args} == {(4, 5)}


def test_trees_are_frozen():
    with pytest.raises(AttributeError):
        Node("name", value="x").value = "y"


def test_a_shape_error_underlines_its_place():
    source = "a + A*b"
    error = shape_error("no", source, parse(source).args[1])
    assert isinstance(error, ShapeError)
    assert str(error) == "no\n    a + A*b\n        ^^^"
