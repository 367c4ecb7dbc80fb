"""The judge's reader refuses what is no text; what it reads rightly, `test_truth` says."""

import pytest

from benchmarks.judge.reading import parse
from benchmarks.judge.shapes import Unreadable

VARIABLES = {
    "A": {"kind": "matrix", "shape": ["m", "n"]},
    "B": {"kind": "matrix", "shape": ["n", "p"]},
    "x": {"kind": "vector", "shape": ["n"]},
}


@pytest.mark.parametrize("source", ["A*", "A + x", "foo(A)", "q", "A*B*)", "x'*eye*", "vector(1)"])
def test_what_is_no_text_is_unreadable(source):
    with pytest.raises(Unreadable):
        parse(source, VARIABLES)
