"""Each law of logarithms: what it makes of a scalar and of a matrix entry by entry, and where it keeps out."""

import pytest
import torch
from sympy import log

from derivations.api import read
from derivations.notation import text
from derivations.rewriting import rewrite
from derivations.topics.logarithms import EXPAND, MULTIPLE, POWER, PRODUCT, apply_law
from derivations.verification.interpreter import value

REAL = {"kind": "scalar"}
POSITIVE = {"kind": "scalar", "props": ["positive"]}
DECLARED = {"a": POSITIVE, "b": POSITIVE, "t": REAL, "x": "n", "y": "n", "A": "m,n", "B": "n,m"}

APPLIES = [
    (PRODUCT, "log(a*b)", "log(a) + log(b)"),
    (PRODUCT, "log(2*a*b)", "log(2) + log(a) + log(b)"),
    (PRODUCT, "log(sum(x)*norm2(y))", "log(sum(x)) + log(norm2(y))"),
    (PRODUCT, "log(a*exp(t))", "t + log(a)"),
    (PRODUCT, "log(x .* y)", "log(x) + log(y)"),
    (PRODUCT, "log(x ./ y)", "log(x) + log(1 ./ y)"),
    (PRODUCT, "log(A .* B')", "log(A) + log(B)'"),
    (POWER, "log(a^t)", "t*log(a)"),
    (POWER, "log(1/a)", "-log(a)"),
    (POWER, "log(sqrt(a))", "log(a)/2"),
    (POWER, "log(x.^3)", "3*log(x)"),
    (POWER, "log(1 ./ x)", "-log(x)"),
    (POWER, "log(x.^y)", "y .* log(x)"),
    (POWER, "log(x.^t)", "t*log(x)"),
    (EXPAND, "log(a*b^t)", "t*log(b) + log(a)"),
    (EXPAND, "log(exp(t)/a)", "t - log(a)"),
    (MULTIPLE, "log(2*x)", "log(2)*ones(n) + log(x)"),
    (MULTIPLE, "log(a*x .* y)", "log(a)*ones(n) + log(x .* y)"),
    (MULTIPLE, "log(x/2)", "log(x) - log(2)*ones(n)"),
]

KEEPS_OUT = [
    (PRODUCT, "log(a)"),
    (PRODUCT, "log(a + b)"),
    (PRODUCT, "log(a^t)"),
    (PRODUCT, "exp(a*b)"),
    (PRODUCT, "log(x'*y)"),
    (PRODUCT, "log(x)"),
    (PRODUCT, "log(x + y)"),
    (PRODUCT, "exp(x .* y)"),
    (POWER, "log(a)"),
    (POWER, "log(a*b)"),
    (POWER, "log(x .* y)"),
    (POWER, "log(2*x.^3)"),
    (POWER, "exp(x.^3)"),
    (EXPAND, "log(a + b)"),
    (EXPAND, "exp(a*b)"),
    (EXPAND, "log(x .* y)"),
    (MULTIPLE, "log(2*a)"),
    (MULTIPLE, "log(x)"),
    (MULTIPLE, "log(x + y)"),
    (MULTIPLE, "exp(2*x)"),
]


def parsed(source):
    """The expression, its variables, and a point at which every variable is positive."""
    reading, _ = read(source, {name: shape for name, shape in DECLARED.items() if name in source})
    generator = torch.Generator().manual_seed(0)
    rows = {"x": 3, "y": 3, "A": 2, "B": 3}
    point = {
        v: torch.rand(
            rows.get(v.name, 1), rows["A"] if v.name == "B" else 3 if v.name == "A" else 1, generator=generator
        )
        .double()
        .add(0.5)
        for v in reading.variables.values()
    }
    return reading.expression, tuple(reading.variables.values()), point


def sizes_of(expression):
    return {s: {"n": 3, "m": 2}[s.name] for v in expression.free_symbols if (s := v).name in ("n", "m")}


@pytest.mark.parametrize("law, before, after", APPLIES, ids=[f"{law.name}: {b}" for law, b, _ in APPLIES])
def test_a_law_of_logarithms(law, before, after):
    expression, variables, point = parsed(before)
    rewritten, used = rewrite(expression, (law,))
    assert text.write(rewritten, variables) == after
    assert used == (law,)
    sizes = sizes_of(expression) | sizes_of(rewritten)
    torch.testing.assert_close(value(rewritten, point, sizes), value(expression, point, sizes), rtol=1e-13, atol=0)


@pytest.mark.parametrize("law, source", KEEPS_OUT, ids=[f"{law.name}: {s}" for law, s in KEEPS_OUT])
def test_a_law_leaves_alone_what_it_does_not_speak_of(law, source):
    expression, _, _ = parsed(source)
    assert rewrite(expression, (law,)) == (expression, ())
    if isinstance(expression, law.head):
        assert law.apply(expression) in (None, expression)


@pytest.mark.parametrize(
    "law, source",
    [(PRODUCT, "log(-t)"), (EXPAND, "log(-t)"), (MULTIPLE, "log(-x)")],
    ids=lambda v: getattr(v, "name", v),
)
def test_no_law_leaves_the_real_numbers(law, source):
    """log(-t) is real for t < 0, but log(-1) + log(t) is not."""
    expression, _, _ = parsed(source)
    assert rewrite(expression, (law,))[0] == expression


def test_laws_are_applied_everywhere_one_after_the_other():
    expression, variables, _ = parsed("a*log(a^t*b) + log(x.^2 .* y)'*x")
    links = apply_law(expression, PRODUCT, POWER)
    assert [rule for rule, _ in links] == [PRODUCT, POWER]
    assert [text.write(after, variables) for _, after in links] == [
        "a*(log(b) + log(a^t)) + (log(x.^2) + log(y))'*x",
        "a*(t*log(a) + log(b)) + (2*log(x) + log(y))'*x",
    ]
    assert apply_law(expression) == []


def test_a_logarithm_of_a_single_positive_symbol_has_no_law():
    (a,) = parsed("log(a)")[1]
    for law in (PRODUCT, POWER, EXPAND):
        assert law.apply(log(a)) is None
