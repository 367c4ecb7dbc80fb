"""The text notation, read and written."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Integer, Symbol

from derivations import derive
from derivations.api import read
from derivations.errors import DomainError, NoRuleError, ParseError, UnsupportedError
from derivations.expressions import Scale, Variable, shape_of
from derivations.kronecker import Unvec
from derivations.notation import text
from derivations.notation.text import Writer, is_negative, negated, parse, size_text, tokens
from derivations.verification import autograd, interpreter

m, n = (Symbol(name, integer=True, positive=True) for name in "mn")

# ------------------------------------------------------------------------------------- reading


def shown(node):
    """A syntax tree with all its parentheses."""
    if node.op in ("number", "name"):
        return node.value
    if node.op == "call":
        return f"{node.value}({', '.join(map(shown, node.args))})"
    parts = [shown(a) for a in node.args]
    if node.op == "neg":
        return f"(-{parts[0]})"
    return f"({parts[0]}')" if node.op == "'" else f"({parts[0]} {node.op} {parts[1]})"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("-x^2", "(-(x ^ 2))"),
        ("-x'", "(-(x'))"),
        ("x'^2", "((x') ^ 2)"),
        ("x^2'", "((x ^ 2)')"),
        ("x^2^3", "((x ^ 2) ^ 3)"),
        ("x^-1", "(x ^ (-1))"),
        ("x^(-1)", "(x ^ (-1))"),
        ("x^-1'", "((x ^ (-1))')"),
        ("x.^-2", "(x .^ (-2))"),
        ("2.*x", "(2 .* x)"),
        ("2./x", "(2 ./ x)"),
        ("2.^x", "(2 .^ x)"),
        ("2.5.*x", "(2.5 .* x)"),
        ("2.*x.*3.", "((2 .* x) .* 3.)"),
        ("a - b - c", "((a - b) - c)"),
        ("a/b/c", "((a / b) / c)"),
        ("a*b/c.*d./e", "((((a * b) / c) .* d) ./ e)"),
        ("a + b*c", "(a + (b * c))"),
        ("-a*b", "((-a) * b)"),
        ("a*-b", "(a * (-b))"),
        ("a - -b", "(a - (-b))"),
        ("--a", "(-(-a))"),
        ("+a", "a"),
        ("a^b'", "((a ^ b)')"),
        ("(a + b)'*c", "(((a + b)') * c)"),
        ("a''", "((a')')"),
        ("f(a, b + c)'", "(f(a, (b + c))')"),
        ("f()", "f()"),
        ("1e-3*x", "(1e-3 * x)"),
        ("1e3*x", "(1e3 * x)"),
        ("1.5E+2 + .5", "(1.5E+2 + .5)"),
        ("_a1*B_2", "(_a1 * B_2)"),
        ("  a\n + b ", "(a + b)"),
        ("-vec(A)'", "(-(vec(A)'))"),
        ("kron(A, B)'^2*vec(C)", "(((kron(A, B)') ^ 2) * vec(C))"),
        ("kron(A, -B)^-1'", "((kron(A, (-B)) ^ (-1))')"),
        ("2*kron(A, B).*C", "((2 * kron(A, B)) .* C)"),
        ("max(a, b) - min(a, -b)'", "(max(a, b) - (min(a, (-b))'))"),
        ("clip(x, -1, 1).^2", "(clip(x, (-1), 1) .^ 2)"),
        ("expm(A*t)'*x", "((expm((A * t))') * x)"),
        ("eye(m*n)*x", "(eye((m * n)) * x)"),
        ("eye(n^2)", "eye((n ^ 2))"),
    ],
)
def test_precedence(source, expected):
    assert shown(parse(source)) == expected


def test_nodes_know_their_places():
    tree = parse("a + sin(b*c)")
    call = tree.args[1]
    assert (tree.start, tree.end) == (0, 12) and (call.start, call.end) == (4, 12)
    assert tokens("ab")[-1] == ("end", "", 2, 2)


@pytest.mark.parametrize(
    ("source", "line", "column", "message"),
    [
        ("", 1, 1, "expected a number, a name or '('"),
        ("x +", 1, 4, "expected a number, a name or '('"),
        ("tr(A * X", 1, 9, "expected ')'"),
        ("x y", 1, 3, "expected an operator or the end, found 'y'"),
        ("2x", 1, 2, "expected an operator or the end, found 'x'"),
        ("(x))", 1, 4, "found ')'"),
        ("x * / y", 1, 5, "found '/'"),
        ("x @ y", 1, 3, "unexpected '@' (the matrix product is *)"),
        ("y = x", 1, 3, "unexpected '=' (give only the right-hand side)"),
        ("|x|", 1, 1, "(use abs(x) or norm2(x))"),
        ("[x]", 1, 1, "(use ( ))"),
        ("x\n + ?", 2, 4, "unexpected '?'"),
        ("f(a,", 1, 5, "expected a number"),
        ("x^", 1, 3, "expected a number"),
        ("x$", 1, 2, "unexpected '$'"),
        ("a,b", 1, 2, "found ','"),
        ("kron(A, )", 1, 9, "expected a number, a name or '(', found ')'"),
        ("kron(A B)", 1, 8, "expected ')', found 'B'"),
        ("vec(X", 1, 6, "expected ')'"),
        ("A ⊗ B", 1, 3, "unexpected '⊗'"),
    ],
)
def test_errors_point_at_their_place(source, line, column, message):
    with pytest.raises(ParseError) as error:
        parse(source)
    assert (error.value.line, error.value.column) == (line, column) and message in str(error.value)
    if source:
        _, shown_line, caret = str(error.value).split("\n")
        assert shown_line == "    " + source.split("\n")[line - 1] and caret == " " * (3 + column) + "^"


@pytest.mark.parametrize("source", ["(" * 3000 + "x" + ")" * 3000, "x" + " + x" * 3000, "-" * 5000 + "x"])
def test_a_text_that_is_too_deep_is_a_parse_error_if_any(source):
    with suppress(ParseError):
        read(source, {"x": "n"})


# ------------------------------------------------------------------------------------- writing

SHAPES = {
    **dict.fromkeys(["x", "y", "w"], "n"),
    **dict.fromkeys(["A", "B"], "n,n"),
    "X": "m,n",
    "C": "n*n,n*n",
    "h": "m*n",
    **dict.fromkeys(["s", "t"], ""),
}


@pytest.mark.parametrize(
    "source",
    [
        "x'*A*y",
        "2*x",
        "-x",
        "y - 2*x",
        "x/2",
        "3*x/2",
        "(A + B)*x",
        "A*(x .* y)",
        "A*(x + y)",
        "(x'*y)*A",
        "(x'*y)*(x'*A*x)",
        "x ./ y",
        "1 ./ x",
        "x .* y",
        "x.^2",
        "sqrt(x)",
        "(x + y).^3",
        "A^2",
        "A^3*x",
        "inv(A)",
        "inv(A)'*x*y'*inv(A)'",
        "(A + B)'",
        "norm2(x)^2",
        "x/norm2(x)",
        "1/(x'*x)",
        "s/(s + t)",
        "(s + t)^2",
        "exp(-s)",
        "sum(X)*ones(n)",
        "ones(m,n)",
        "zeros(m,n)",
        "eye(n)",
        "diag(x)",
        "diag(A)",
        "softmax(x)",
        "log(softmax(x))",
        "det(A)*inv(A)'",
        "tr(A*B)",
        "sin(s)*x",
        "tanh(X*w)",
        "s*rows(X)",
        "s*cols(X)",
        "2*pi*s",
        "sqrt(s)",
        "s^t",
        "1/sqrt(s)",
        "erf(t) + normcdf(s)",
        "kron(A,B)",
        "kron(kron(A,B),X)",
        "kron(A + B,x*y')",
        "kron(A,B)*C",
        "2*kron(A,B)/s",
        "kron(A,B) .* C",
        "inv(kron(A,B) + eye(n*n))",
        "vec(X)",
        "vec(X)'*h",
        "vec(A + B)",
        "comm(m,n)*h",
        "comm(n,n)",
        "kron(ones(1,n),eye(n))*diag(vec(A))",
        "eye(m*n)",
        "zeros(m*n,n)",
        "adj(A)*B",
        "pinv(X)'",
        "pinv(X)*X",
        "expm(s*A)*x",
        "expm(A)'",
        "expm(A)^2",
        "logm(A)",
        "sqrtm(A)",
        "sinm(A) - cosm(A)",
        "expm_frechet(A, x*y')",
        "sqrtm_frechet(A', B)*x",
        "power_frechet(A, B, 3)",
        "lambda_max(A)*vmax(A)",
        "norm_nuc(X)^2",
        "softmax_rows(X)*x",
        "log(softmax_rows(X))",
        "max(x, y)",
        "max(X, 2) .* X",
        "min(X, 2)",
        "max(s, t)*x",
        "clip(x, -1, 1)",
        "clip(s, -t, t)",
        "huber(X*w, s)",
    ],
)
def test_usual_formulas_are_written_as_they_were_read(source):
    reading, _ = read(source, SHAPES)
    assert text.write(reading.expression, [reading.variables[k] for k in ("X", "A", "x")]) == source


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("-(1 - s)*x", "-(1 - s)*x"),
        ("(s - 1)*x", "-(1 - s)*x"),
        ("x - y", "x - y"),
        ("-y + x", "x - y"),
        ("0.5*x", "x/2"),
        ("x*s/t", "s*x/t"),
        ("x.*(1 ./ y)", "x ./ y"),
        ("x.^-2", "x.^(-2)"),
        ("exp(1)*s", "exp(1)*s"),
        ("1e-3*s", "s/1000"),
    ],
)
def test_other_formulas_take_the_usual_form(source, expected):
    reading, _ = read(source, SHAPES)
    assert text.write(reading.expression, reading.variables.values()) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("kron(A, kron(B, X))", "kron(kron(A,B),X)"),
        ("kron(s*A, 2*B)", "2*s*kron(A,B)"),
        ("kron(A, B)'", "kron(A',B')"),
        ("kron(A, B)*kron(B, A)", "kron(A*B,B*A)"),
        ("kron(B', A)*vec(A)", "vec(A^2*B)"),
        ("kron(x, y')", "x*y'"),
        ("vec(x*y')", "kron(y,x)"),
        ("comm(m, n)*vec(X)", "vec(X')"),
        ("eye(n^2)", "eye(n*n)"),
        ("expm(0*A)", "eye(n)"),
        ("pinv(X')", "pinv(X)'"),
        ("norm_nuc(-2*X')", "2*norm_nuc(X)"),
        ("lambda_max(2*A)", "2*lambda_max(A)"),
        ("softmax_rows(X) .* X", "softmax_rows(X) .* X"),
        ("logsoftmax_rows(X)", "log(softmax_rows(X))"),
        ("huber(-x, s)", "huber(-x, s)"),
        ("power_frechet(A, 2*B, 3)", "2*power_frechet(A, B, 3)"),
        ("sqrtm_frechet(A, -B)", "-sqrtm_frechet(A, B)"),
    ],
)
def test_the_vec_form_takes_its_usual_form(source, expected):
    assert text.write(read(source, SHAPES)[0].expression) == expected


def test_unvec_has_no_name_but_a_text(relative_error):
    """(vec(I)' kron I)(I kron v) is the matrix with the columns of v, of any shape."""
    h, s = Variable("h", m * n, 1), Symbol("s", real=True)
    for node in (
        Unvec(h, m, n),
        Unvec(h, n, m),
        Unvec(h, m, n).T,
        Scale(s, Unvec(h, m, n)),
        Unvec(h, m, n) * Unvec(h, n, m),
    ):
        again, _ = read(text.write(node), SHAPES)
        values, numbers = values_of((h, s), {m: Integer(4), n: Integer(3)}), {m: Integer(4), n: Integer(3)}
        expected = interpreter.value(node, {h: values["h"], s: values["s"]}, numbers)
        named = {v: values[k] for k, v in again.variables.items() if k in values}
        assert relative_error(interpreter.value(again.expression, named, numbers), expected) < 1e-12


def test_minus_signs():
    e = read("-2*s", SHAPES)[0].expression
    assert is_negative(e) and text.write(negated(e)) == "2*s"
    assert not is_negative(read("s - 1", SHAPES)[0].expression)


def test_sizes_as_arguments_and_as_numbers():
    assert size_text(2 * m * n) == "2*m*n" and size_text(Integer(3)) == "3"
    assert Writer([Variable("X", m, n)]).write(m * n) == "rows(X)*cols(X)"


def carried():
    problems = json.loads((Path(__file__).parents[2] / "data" / "derivatives.json").read_text())["problems"]
    for p in problems:
        wrt = (p["wrt"], p["wrt2"]) if p.get("wrt2", p["wrt"]) != p["wrt"] else p["wrt"]
        try:
            d = derive(p["expr"], wrt, variables=p["vars"], order=p["order"], structure=p.get("structure"))
        except (UnsupportedError, NoRuleError):
            continue
        yield p, d


def values_of(variables, sizes):
    sampler = autograd.FloatSampler("text")
    values = {}
    for v in variables:
        drawn = sampler.matrix(v, sizes) if isinstance(v, Variable) else [[sampler.scalar(autograd.properties_of(v))]]
        values[v.name] = autograd.torch.tensor(drawn, dtype=autograd.torch.float64)
    return values


def test_what_is_written_of_the_corpus_reads_back_with_the_same_value(relative_error):
    count = 0
    for problem, d in carried():
        numbers = {
            s: Integer(3) for v in d.variables if isinstance(v, Variable) for k in v.shape for s in k.free_symbols
        }
        values = values_of(d.variables, numbers)
        again, _ = read(d.to_text(), problem["vars"])
        assert shape_of(again.expression) == shape_of(d.result), problem["id"]
        try:
            expected = interpreter.value(d.result, {v: values[v.name] for v in d.variables}, numbers)
            got = interpreter.value(
                again.expression, {v: values[k] for k, v in again.variables.items() if k in values}, numbers
            )
        except DomainError:
            continue
        if expected.isfinite().all():
            count += 1
            assert relative_error(got, expected) < 1e-9, (problem["id"], d.to_text())
    assert count > 260


@settings(max_examples=250, deadline=None, derandomize=True)
@given(data=st.data())
def test_random_texts_read_write_and_read_again_with_the_same_value(data, random_texts, relative_error):
    read_write_and_read_again(data, random_texts, 3, relative_error)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(data=st.data())
def test_so_do_texts_with_the_vec_form_and_functions_of_matrices(data, wide_texts, relative_error):
    read_write_and_read_again(data, wide_texts, 2, relative_error)


def read_write_and_read_again(data, texts, depth, relative_error):
    sizes, numbers = {"m": 4, "n": 3}, {m: Integer(4), n: Integer(3)}
    source = texts.draw(data, data.draw(st.sampled_from(texts.shapes)), depth)
    values = texts.point(data.draw(st.integers(0, 5)), sizes)
    if texts.value(source, values, sizes) is None:
        return
    first, _ = read(source, texts.variables)
    written = text.write(first.expression, [v for k, v in first.variables.items() if k in values])
    second, _ = read(written, texts.variables)

    def value(reading):
        named = {v: values[name] for name, v in reading.variables.items() if name in values}
        return interpreter.value(reading.expression, named, numbers)

    try:
        expected = value(first)
        assert relative_error(value(second), expected) < 1e-6, written
    except DomainError:
        return


def test_a_variable_may_be_called_pi():
    variables = {"pi": "n"}
    d = derive("sum(erf(pi))", "pi", variables=variables)
    assert d.to_text() == "2*exp(-pi.^2)/sqrt(arccos(-1))"
    assert read(d.to_text(), variables)[0].expression == d.result
