"""The engine: it applies what tables say, innermost first, and knows no rule."""

import ast
import inspect

import pytest
from sympy import Add, Mul, S, Symbol

from derivations import rewriting
from derivations.derivation import Rule
from derivations.expressions import Product, Scale, Sum, Transpose, Variable
from derivations.rewriting import chain, equalities, find_rule, rewrite

n = Symbol("n", integer=True, positive=True)
a, b, c = (Symbol(name, real=True) for name in "abc")
A, B = Variable("A", n, n), Variable("B", n, n)

TWICE = Rule(Transpose, "drop", "drop transposes", lambda e: e.args[0])
NOTHING = Rule(Transpose, "nothing", "does not fit", lambda e: None)
SAME = Rule(Transpose, "same", "changes nothing", lambda e: e)
SWAP = Rule(Product, "swap", "AB = BA", lambda e: Product(*sorted(e.args, key=str)))


def test_rewrite_goes_everywhere_and_names_each_rule_once():
    new, used = rewrite(Sum(Transpose(A), Scale(a, Transpose(B))), (TWICE,))
    assert new == Sum(A, Scale(a, B)) and used == (TWICE,)


def test_rewrite_repeats_until_nothing_changes():
    new, used = rewrite(Product(B, A, Transpose(B)), (TWICE, SWAP))
    assert new == Product(A, B, B) and used == (TWICE, SWAP)
    assert rewrite(new, (TWICE, SWAP)) == (new, ())


@pytest.mark.parametrize("rule", [NOTHING, SAME], ids=lambda r: r.name)
def test_a_rule_that_changes_nothing_is_not_used(rule):
    assert rewrite(Transpose(A), (rule,)) == (Transpose(A), ())


def test_the_first_row_that_fits_counts():
    only_a = Rule(Mul, "a", "", when=lambda e, moves: moves(a) and e.has(a))
    any_product = Rule((Mul, Add), "any", "")
    table = (only_a, any_product)
    assert find_rule(table, a * b, lambda _: True).name == "a"
    assert find_rule(table, a * b, lambda _: False).name == "any"
    assert find_rule(table, b + c, lambda _: True).name == "any"
    assert find_rule(table, S.One, lambda _: True) is None
    assert find_rule((Rule(None, "all", ""),), S.One).name == "all"


def test_a_chain_leaves_out_what_changes_nothing():
    steps = chain(a, (TWICE, a), (SWAP, b), (TWICE, b), (TWICE, c))
    assert [(s.rule, s.before, s.after) for s in steps] == [(SWAP, a, b), (TWICE, b, c)]
    assert chain(a) == ()


def test_equalities_are_a_derivation_of_a_value():
    d = equalities(a + a, (a,), (SWAP, 2 * a), definitions=((b, a**2),), conditions=("a is small",))
    assert (d.layout, d.wrt_all, d.order, d.result) == ("value", (), 0, 2 * a)
    assert d.variables == (a, b) and d.conditions == ("a is small",)
    assert equalities(a, (a,)).result == a


def test_the_engine_knows_no_rule_and_no_node():
    imported = {
        alias.name
        for node in ast.walk(ast.parse(inspect.getsource(rewriting)))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == {"Derivation", "Step"}


def test_rows_that_go_on_from_form_to_form_are_stopped():
    grow = Rule(Scale, "grow", "sA = 2sA", lambda e: Scale(2 * e.args[0], e.args[1]))
    new, used = rewrite(Scale(a, A), (grow,))
    assert used == (grow,) and new in {Scale(2**i * a, A) for i in range(rewriting.MOST_FORMS)}
