"""A derivation as aligned lines: one a step, the result boxed once, no line too long."""

import json
import re
import textwrap
import time
from pathlib import Path

import pytest
from sympy import And, Eq, Symbol

from derivations import derive
from derivations.derivation import Rule
from derivations.errors import NoRuleError, UnsupportedError
from derivations.notation import latex, lines
from derivations.notation.latex import BREAK
from derivations.notation.lines import GAP, INDENT, LINE_WIDTH, SIDE_LENGTH, SIDE_WIDTH, width
from derivations.rewriting import equalities

BEGIN, END = "\\begin{align*}\n", "\n\\end{align*}"


def carried():
    problems = json.loads((Path(__file__).parents[2] / "data" / "derivatives.json").read_text())["problems"]
    for p in problems:
        wrt = (p["wrt"], p["wrt2"]) if p.get("wrt2", p["wrt"]) != p["wrt"] else p["wrt"]
        try:
            yield p["id"], derive(p["expr"], wrt, variables=p["vars"], order=p["order"], structure=p.get("structure"))
        except (UnsupportedError, NoRuleError):
            continue


CARRIED = dict(carried())
LONG = derive(
    "log(1 + exp(-y'*A*x))*norm2(A*x - y)^2 + sum(tanh(A*x) .* sigmoid(A*x + y))/(1 + x'*x)"
    " + logsumexp(A*x)*(x'*B*x) - exp(-x'*B*x)*(y'*A*x)",
    "x",
    variables={"x": "n", "y": "m", "A": "m,n", "B": "n,n"},
)


def body(text):
    """The lines between \\begin and \\end, without those that hold conditions and definitions."""
    assert text.startswith(BEGIN) and text.endswith(END)
    found = text[len(BEGIN) : -len(END)].split(" \\\\\n")
    return [line for line in found if not line.startswith(r"& \rlap")]


def columns(line):
    """(left, right, rule) of a line; the parts of a broken result are those of its right side."""
    left, right, rule = re.fullmatch(r"(.*?)&(?!&)(.*?)(?: && (.*))?", line, re.DOTALL).groups()
    right = re.sub(r"\\boxed\{|\\begin\{aligned\}|\\end\{aligned\}", "", right)
    name = " ".join(re.findall(r"\\text\{((?:[^{}]|\\.)*)\}", rule or ""))
    return left, re.split(r" \\\\ &", right), name


@pytest.mark.parametrize("name", CARRIED)
def test_a_line_a_step_and_one_for_the_function(name):
    d = CARRIED[name]
    found = body(d.to_latex())
    broken = sum(line.startswith(r"&\qquad") for line in found)
    assert len(found) - broken == len(d.steps) + 1
    assert d.to_latex().count(r"\boxed") == 1 and r"\boxed" in found[-1]
    rules = [columns(line)[2] for line in found]
    assert [r for r in rules if r] == [lines._escape(step.rule.name) for step in d.steps]


CONSTANTS = {
    f"{text} by {wrt}, order {order}": derive(text, wrt, order=order, variables={"x": "n", "y": "n", "s": "", "t": ""})
    for text, wrt, order in [("y'*y", "x", 1), ("t", "s", 1), ("y", "x", 1), ("y'*x", "x", 2), ("s*t", "s", 2)]
}


@pytest.mark.parametrize("name", [*CARRIED, *CONSTANTS])
def test_the_box_holds_the_result_and_its_left_side_the_derivative(name):
    """Where the derivative is zero, too: d f = 0 is no derivative."""
    d = CARRIED.get(name) or CONSTANTS[name]
    found = body(d.to_latex())
    lefts = [line[: line.index("&=")].strip() for line in found if "&=" in line]
    assert r"\partial" in [left for left in lefts if left][-1]
    right = found[-1].split(" && ")[0].split("&=")[-1]
    shown = re.sub(r"\\begin\{aligned\}|\\end\{aligned\}|\\quad\{\}|\\\\ &|[& ]", "", right)
    assert shown == rf"\boxed{{{latex.write(d.result)}}}".replace(" ", "")


@pytest.mark.parametrize("name", [*CARRIED, "long"])
def test_no_line_is_wider_than_the_page(name):
    d = CARRIED.get(name, LONG)
    parts = [columns(line) for line in body(d.to_latex())]
    left = max(width(left) for left, _, _ in parts)
    right = max(width(piece) for _, pieces, _ in parts for piece in pieces)
    rule = max(len(part) for step in d.steps for part in textwrap.wrap(step.rule.name, SIDE_LENGTH))
    assert left + right + SIDE_WIDTH * rule + GAP <= LINE_WIDTH


def test_a_long_derivation_is_broken():
    found = body(LONG.to_latex())
    assert len(found) > len(LONG.steps) + 1
    assert r"\boxed{\begin{aligned}&" in found[-1] and LONG.to_latex().count(r"\boxed") == 1
    continued = [line for line in found if line.startswith(r"&\qquad{}")]
    assert continued and all(re.match(r"&\\qquad\{\} ([+-]|\\odot|\\oslash|\\otimes) ", line) for line in continued)


@pytest.mark.parametrize("room", [10, 25, 60])
def test_broken_pieces_make_the_whole(room):
    text = f"a + b{BREAK} + c(d{BREAK} - e){BREAK} + f{BREAK} - g{BREAK} + hhhhhhhhhhhhhhh"
    pieces = lines.split(text, room)
    assert "".join(pieces) == text.replace(BREAK, "")
    assert all(width(piece) <= room or BREAK not in piece for piece in pieces)
    first, *others = lines.split(text, room, INDENT)
    assert "".join([first, *others]) == text.replace(BREAK, "")
    assert all(width(piece) <= room - INDENT or len(piece.split(" ")) <= 3 for piece in others)


def test_a_line_is_broken_outside_brackets_where_it_can_be():
    text = rf"\mathbf{{1}}[a{BREAK} - b > 0]{BREAK} \odot (c{BREAK} + d){BREAK} \odot e"
    assert lines.split(text, 14) == [r"\mathbf{1}[a - b > 0]", r" \odot (c + d) \odot e"]


def test_a_long_name_of_a_rule_is_set_on_several_lines():
    s = Symbol("s", real=True)
    name = "eigenvector of a simple eigenvalue, trace: cyclic, transpose"
    text = equalities(s, (s,), (Rule(None, name, ""), s + 1)).to_latex()
    [part] = re.findall(r"\\begin\{subarray\}\{l\}(.*)\\end\{subarray\}", text)
    shown = re.findall(r"\\text\{(.*?)\}", part)
    assert " ".join(shown) == name and len(shown) > 1 and max(map(len, shown)) <= SIDE_LENGTH


def test_a_very_long_derivation_is_broken_in_no_time():
    """Each line once looked at every break of all that was left: half a minute for this one."""
    d = derive("norm2(vmax(S)*vmax(S)')", ("S", "S"))
    start = time.perf_counter()
    text = d.to_latex()
    assert len(text) > 20_000 and time.perf_counter() - start < 10


@pytest.mark.parametrize(
    ("expression", "wrt", "order", "layout", "expected"),
    [
        (
            "x'*x",
            "x",
            1,
            "denominator",
            [r"f &=", r"\mathrm{d}f &=", r" &=", r"\frac{\partial f}{\partial \mathbf{x}} &="],
        ),
        (
            "A*x",
            "x",
            1,
            "denominator",
            [
                r"\mathbf{f} &=",
                r"\mathrm{d}\mathbf{f} &=",
                r"\frac{\partial \mathbf{f}}{\partial \mathbf{x}^{\top}} &=",
                r"\frac{\partial \mathbf{f}}{\partial \mathbf{x}} &=",
            ],
        ),
        (
            "x + y",
            "x",
            1,
            "denominator",
            [r"\mathbf{f} &=", r"\mathrm{d}\mathbf{f} &=", r"\frac{\partial \mathbf{f}}{\partial \mathbf{x}} &="],
        ),
        ("s + 3", "s", 1, "denominator", [r"f &=", r"\mathrm{d}f &=", r"\frac{\partial f}{\partial s} &="]),
        (
            "s^3",
            "s",
            2,
            "denominator",
            [
                r"f &=",
                r"\mathrm{d}f &=",
                r"\frac{\partial f}{\partial s} &=",
                r"\mathrm{d}\Bigl(\frac{\partial f}{\partial s}\Bigr) &=",
                r"\frac{\partial^{2} f}{\partial s^{2}} &=",
            ],
        ),
        (
            "exp(x'*y)",
            ("x", "y"),
            2,
            "denominator",
            [r"\frac{\partial^{2} f}{\partial \mathbf{x}\,\partial \mathbf{y}^{\top}} &="],
        ),
        ("x'*y", "x", 1, "numerator", [r"\frac{\partial f}{\partial \mathbf{x}^{\top}} &="]),
    ],
)
def test_left_sides_name_what_stands_on_the_right(expression, wrt, order, layout, expected):
    d = derive(expression, wrt, order=order, layout=layout, variables={"x": "n", "y": "n", "A": "m,n", "s": ""})
    lefts = [line[: line.index("&=") + 2] for line in body(d.to_latex())]
    assert lefts[-len(expected) :] == expected


def test_the_function_may_have_a_name_of_its_own():
    d = derive("x'*x", "x")
    assert d.to_latex("loss").startswith(BEGIN + r"\mathit{loss} &= ")
    assert d.to_latex(r"\mathcal{L}").startswith(BEGIN + r"\mathcal{L} &= ")
    assert r"\frac{\partial \mathcal{L}}{\partial \mathbf{x}}" in d.to_latex(r"\mathcal{L}")


def test_the_result_alone_has_no_lines():
    d = derive("x'*x", "x")
    assert d.to_latex(steps=False) == r"2\mathbf{x}"
    assert d._repr_latex_() == d.to_latex()


def test_definitions_and_conditions_stand_below():
    d = derive("norm1(h)", "x", variables={"A": "m,n", "x": "n"}, definitions={"h": "A*x"})
    text = d.to_latex()
    assert r"\text{where}\quad \mathbf{h} &= \mathbf{A}\mathbf{x}" in text
    assert text.index("where") < text.index("assumed: the slope of")


def test_conditions_are_clauses_of_one_line():
    text = derive("norm2(x) + sum(relu(x))", "x", variables={"x": "n"}).to_latex()
    assert r"\text{assumed: $\operatorname{ReLU}'(0) = 0$; the argument of the norm is not zero}" in text


def test_a_definition_that_nobody_meets_is_not_shown():
    d = derive("x'*x", "x", variables={"x": "n"}, definitions={"h": "sin(x)"})
    assert "where" not in d.to_latex()


def test_names_of_rules_are_escaped():
    s = Symbol("s", real=True)
    d = equalities(s, (s,), (Rule(None, "50 % of a_b & more #1", ""), s + 1))
    assert r"50 \% of a\_b \& more \#1" in d.to_latex()


@pytest.mark.parametrize(("expression", "wrt"), [("s", "s"), ("t", "s"), ("s", "t")])
def test_a_bare_symbol_is_no_proposition(expression, wrt):
    """SymPy's Symbol is a Boolean too."""
    text = derive(expression, wrt, variables={"s": "", "t": ""}).to_latex()
    assert r"\iff" not in text and text.startswith(BEGIN + f"f &= {expression}")


def test_values_and_propositions_have_lines_too():
    a, b = Symbol("a", real=True), Symbol("b", real=True)
    rule = Rule(None, "algebra", "")
    value = equalities((a + b) ** 2, (a, b), (rule, a**2 + 2 * a * b + b**2))
    assert [line.split("&=")[0] for line in body(value.to_latex())] == ["f ", ""]
    proposition = equalities(And(Eq(a, b)), (a, b), (rule, Eq(b, a)))
    assert proposition.to_latex().count(r"\iff") == len(proposition.steps)


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("x", "xy"),
        (r"\mathbf{x}", r"\mathbf{x}\mathbf{y}"),
        (r"\frac{a}{b}", r"\frac{a + c}{b}"),
        (r"\frac{a}{b}", r"\frac{a}{b + c}"),
        ("x^{2}", "x^{2 + n}"),
        ("x^{222}", "x222"),
        (r"\tfrac{a}{b}", r"\frac{a}{b}"),
        ("a", "a + b"),
    ],
)
def test_widths_grow(narrow, wide):
    assert 0 < width(narrow) < width(wide)


@pytest.mark.parametrize("structure", ["symmetric", "diagonal"])
def test_a_derivative_by_free_entries_says_so(structure):
    derivation = derive("tr(A*X)", "X", structure=structure, variables={"X": "n,n"})
    *_, entries, free, _ = derivation.to_latex("f").splitlines()
    by = r"\frac{\partial f}{\partial \mathbf{X}}"
    assert entries.startswith(rf"{by} &= ")
    assert free.startswith(rf"{by}\Big|_{{\mathbf{{X}}\ \text{{{structure}}}}} &= ")
