"""Every error is a DerivationError; a ParseError points at its place."""

import pytest

from derivations import errors
from derivations.errors import DerivationError, ParseError


@pytest.mark.parametrize("name", ["ParseError", "ShapeError", "NoRuleError", "UnsupportedError", "DomainError"])
def test_errors_are_of_one_kind(name):
    assert issubclass(getattr(errors, name), DerivationError)


@pytest.mark.parametrize(
    ("source", "position", "line", "column", "shown", "caret"),
    [
        ("x + ?", 4, 1, 5, "    x + ?", "        ^"),
        ("x +\n  y !", 8, 2, 5, "      y !", "        ^"),
        ("a\nb\nc", 4, 3, 1, "    c", "    ^"),
        ("abc", 3, 1, 4, "    abc", "       ^"),
    ],
)
def test_a_parse_error_has_line_column_and_caret(source, position, line, column, shown, caret):
    error = ParseError("no", source, position)
    assert (error.line, error.column) == (line, column)
    assert str(error).split("\n") == [f"no at line {line}, column {column}", shown, caret]
