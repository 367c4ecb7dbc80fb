"""One example for every row of every table of the calculus, checked by both witnesses.

And by a third: texts are differentiated by torch and results evaluated by numpy, with no code of ours but the parser.
"""

from dataclasses import replace

import pytest
import torch
from sympy import Integer, Symbol

from derivations import derive, differentiation, examples, rules
from derivations.api import tree_variables
from derivations.derivation import Rule
from derivations.differentiation import differentiate
from derivations.elementwise import Hadamard
from derivations.expressions import Product, Transpose, Variable, is_matrix
from derivations.kronecker import Kronecker, Unvec
from derivations.scalars import Loss, Trace, pairing
from derivations.verification import autograd, verify

n = Symbol("n", integer=True, positive=True)
W, V = Variable("W", n, n), Variable("V", n, n)
g, x, y = (Variable(name, size, 1) for name, size in (("g", n * n), ("x", n), ("y", n)))
# The text notation has no unvec.
UNVEC = Trace(Product(V, Unvec(Hadamard(g, Kronecker(W, x) * y), n, n)))
UNVEC_OF_VECTORS = Trace(Product(V, Unvec(Hadamard(g, Kronecker(x, y)), n, n)))

SHAPES = {
    "s": "",
    "r": {"kind": "scalar", "shape": [], "props": ["positive"]},
    "x": "n",
    "y": "n",
    "A": "n,n",
    "B": "n,n",
    "X": {"kind": "matrix", "shape": ["n", "n"], "props": ["posdet"]},
    "P": {"kind": "matrix", "shape": ["n", "n"], "props": ["positive_definite"]},
    "S": {"kind": "matrix", "shape": ["n", "n"], "props": ["symmetric"]},
    "Y": "m,n",
    "C": "m,n",
    "H": "n*n,n*n",
    "h": "n*n",
    "p": {"kind": "vector", "shape": ["n"], "props": ["positive"]},
}

# (head, name): text and variable. The rule must take part in deriving the example; a harder one than the catalogue's
# stands here where there is one.
DIFFERENTIALS = {
    **examples.DIFFERENTIALS,
    ("Loss", "gradient of the loss"): (Loss("L", Product(W, W)), W),
    ("Trace", "trace of a function"): ("tr(expm(A*X))", "X"),
    ("Apply", "log-softmax of rows"): ("sum(C .* logsoftmax_rows(Y*A))", "Y"),
    ("SoftmaxRows", "softmax of rows"): ("sum(C .* softmax_rows(Y*A))", "Y"),
    ("Vec", "vec"): ("norm2(vec(A*X*B) - h)^2", "X"),
    ("Unvec", "vec"): (UNVEC, W),
    ("Kronecker", "constant factors"): ("tr(H*kron(A, X))", "X"),
    ("Kronecker", "product rule"): ("tr(H*kron(X, X))", "X"),
    ("MatrixFunction", "function of a multiple of a matrix"): ("x'*expm(s*A)*y", "s"),
    ("MatrixFunction", "function of a matrix"): ("x'*expm(A*X)*y", "X"),
    ("PseudoInverse", "pseudo-inverse"): ("tr(A*pinv(Y)*C)", "Y"),
    ("LargestEigenvalue", "simple eigenvalue"): ("lambda_max(A + s*S)", "s"),
    ("LargestEigenvector", "eigenvector of a simple eigenvalue"): ("(y'*vmax(A*X))^2", "X"),
    ("NuclearNorm", "nuclear norm"): ("norm_nuc(Y - C)", "Y"),
}
SCALAR_DIFFERENTIALS = examples.SCALAR_DIFFERENTIALS
TRACE_MOVES = {
    **examples.TRACE_MOVES,
    ("Vec", "vec moves across"): ("h'*vec(A*X*B)", "X"),
    ("Unvec", "vec moves across"): (UNVEC, W),
    ("Kronecker", "Kronecker factor moves across"): ("tr(H*kron(kron(A, X), 1))", "X"),
    ("Frechet", "adjoint of the Fréchet derivative"): ("x'*cosm(A*X)*y", "X"),
}
INNER_MOVES = {
    **examples.INNER_MOVES,
    ("Vec", "vec moves across"): ("h'*vec(A*diag(x)*B)", "x"),
    ("Unvec", "vec moves across"): (UNVEC_OF_VECTORS, x),
    ("Kronecker", "Kronecker factor moves across"): ("h'*kron(x, y)", "x"),
    ("Frechet", "adjoint of the Fréchet derivative"): ("y'*logm(P + diag(p))*y", "p"),
}
VEC_MOVES = {
    **examples.VEC_MOVES,
    ("Transpose", "commutation matrix"): ("Y'*C + A*Y'*C", "Y"),
    ("Hadamard", "Hadamard product as a diagonal matrix"): ("C .* (Y*A)", "Y"),
    ("Diag", "vec of a diagonal matrix"): ("diag(Y*x)", "Y"),
    ("DiagonalOf", "diagonal by vec"): ("diag(A*X*B)", "X"),
    ("Vec", "vec"): ("vec(C*A)*x' + vec(Y*A)*x'", "Y"),
    ("Kronecker", "vec of a Kronecker product"): ("kron(C, Y)", "Y"),
}
VECTOR_MOVES = {
    **examples.VECTOR_MOVES,
    ("Transpose", "commutation matrix"): ("(C .* (C*x*y'))'*C*y", "x"),
    ("Diag", "vec of a diagonal matrix"): ("(A .* diag(x))*y", "x"),
    ("Vec", "vec"): ("vec(Y*diag(x))", "x"),
    ("Kronecker", "vec of a Kronecker product"): ("kron(x, C*y)", "x"),
    ("Frechet", "derivative of the square root"): ("sqrtm(P + diag(p))*y", "p"),
}
TABLES = {
    "DIFFERENTIALS": DIFFERENTIALS,
    "SCALAR_DIFFERENTIALS": SCALAR_DIFFERENTIALS,
    "TRACE_MOVES": TRACE_MOVES,
    "INNER_MOVES": INNER_MOVES,
    "VEC_MOVES": VEC_MOVES,
    "VECTOR_MOVES": VECTOR_MOVES,
}


def key(rule):
    head = rule.head[0] if isinstance(rule.head, tuple) else rule.head
    return head.__name__, rule.name


ROWS = [
    pytest.param(table, rule, id=f"{table}: {' '.join(key(rule))}")
    for table in TABLES
    for rule in getattr(rules, table)
]


@pytest.mark.parametrize("table", TABLES)
def test_every_row_has_an_example_and_every_example_a_row(table):
    assert set(map(key, getattr(rules, table))) == set(TABLES[table])


# vec(unvec(u)) is u the moment it is built, so this move changes no line.
SILENT = {"vec"}


def named(rule, step):
    """Whether a line is by the rule; a line of many moves states each of them."""
    return step.rule.name == rule.name or rule.statement in step.rule.statement.split(r";\ ")


@pytest.mark.parametrize(("table", "rule"), ROWS)
def test_a_rule_takes_part_in_its_example_and_both_witnesses_agree(table, rule, monkeypatch):
    calls = []

    def watched(*arguments):
        result = rule.apply(*arguments)
        calls.append(result)
        return result

    rows = tuple(replace(r, apply=watched) if r is rule else r for r in getattr(rules, table))
    monkeypatch.setattr(rules, table, rows)
    expression, wrt = TABLES[table][key(rule)]
    if isinstance(expression, str):
        derivation = derive(expression, wrt, variables=SHAPES)
    else:
        derivation = differentiate(expression, tree_variables(expression), (wrt,))
    assert calls and None not in calls
    if not rule.minor and rule.name not in SILENT:
        assert any(named(rule, step) for step in derivation.steps)
    found = verify(derivation)
    assert found, str(found)


EXAMPLES = [
    pytest.param(*example, id=" ".join((table, *map(str, name))))
    for table, examples in TABLES.items()
    for name, example in examples.items()
    if isinstance(example[0], str)
]


@pytest.mark.parametrize(("expression", "wrt"), EXAMPLES)
def test_the_example_agrees_with_torch_and_numpy(expression, wrt, derivative_of_text, tree_value):
    d = derive(expression, wrt, variables=SHAPES)
    sizes = {"m": 4, "n": 3}
    for seed in range(20):
        sampler = autograd.FloatSampler(f"rules/{seed}")
        numbers = {Symbol(k, integer=True, positive=True): Integer(size) for k, size in sizes.items()}
        values = {
            v.name: torch.tensor(
                sampler.matrix(v, numbers) if is_matrix(v) else [[sampler.scalar(autograd.properties_of(v))]],
                dtype=torch.float64,
            )
            for v in d.variables
        }
        expected = derivative_of_text(expression, (wrt,), values, sizes, d.layout)
        if expected.isfinite().all():
            break
    by_numpy = {k: x.numpy() if is_matrix(v) else float(x) for v in d.variables for k, x in [(v.name, values[v.name])]}
    got = torch.as_tensor(tree_value(d.result, {**by_numpy, **sizes}), dtype=torch.float64).reshape(expected.shape)
    torch.testing.assert_close(got, expected, rtol=1e-7, atol=1e-7 * float(expected.abs().max()))


# The rules of the lines themselves: text, variable and layout of an example.
LINES = {
    "OUTER": ("(x'*x)*x", "x", "numerator"),
    "VECTORISE": ("A*X*B", "X", "denominator"),
    "COLLECT": ("x'*A*x", "x", "denominator"),
    "LINEARITY": ("y'*x", "x", "denominator"),
    "GRADIENT": ("y'*x", "x", "denominator"),
    "JACOBIAN": ("A*x", "x", "denominator"),
    "DENOMINATOR": ("A*x", "x", "denominator"),
    "DERIVATIVE": ("s^2*x", "s", "denominator"),
    "NUMERATOR": ("y'*x", "x", "numerator"),
    "CONSTANT": ("y'*y", "x", "denominator"),
}
# Those that the moves take their names from.
# Names of rows of tables, and a rule too minor for a line: test_api has it in "another name".
NAMES = {"TRACE", "SCALAR_TRANSPOSE", "ANOTHER_NAME"}


@pytest.mark.parametrize(
    ("structure", "expression", "wrt"),
    [("symmetric", "tr(A*S*B*S)", "S"), ("symmetric", "logdet(P)", "P"), ("diagonal", "x'*inv(X)*y", "X")],
)
def test_a_rule_of_a_structure_occurs_in_its_example(structure, expression, wrt):
    derivation = derive(expression, wrt, variables=SHAPES, structure=structure)
    assert rules.STRUCTURES[structure] in [step.rule for step in derivation.steps]
    assert verify(derivation), str(verify(derivation))


def test_every_structure_has_an_example():
    assert set(rules.STRUCTURES) == {"symmetric", "diagonal"}


def test_every_rule_of_a_line_has_an_example():
    assert {name for name, value in vars(rules).items() if isinstance(value, Rule)} == {*LINES, *NAMES}


@pytest.mark.parametrize("name", LINES)
def test_a_rule_of_a_line_occurs_in_its_example(name):
    expression, wrt, layout = LINES[name]
    derivation = derive(expression, wrt, layout=layout, variables=SHAPES)
    assert getattr(rules, name) in [step.rule for step in derivation.steps]
    assert verify(derivation)


@pytest.mark.parametrize("table", TABLES)
def test_every_row_states_itself_and_names_its_source(table):
    for rule in getattr(rules, table):
        assert rule.name and rule.statement and rule.source
        assert rule.statement.count("{") == rule.statement.count("}")


def test_the_moves_for_vectors_differ_from_those_of_a_trace_in_name_only():
    assert [r.apply for r in rules.INNER_MOVES] == [r.apply for r in rules.TRACE_MOVES]
    assert all("trace" not in r.name for r in rules.INNER_MOVES)


def test_pairing_is_the_inner_product_of_matrices():
    x, y = Variable("x", n, 1), Variable("y", n, 1)
    assert pairing(x, y) == Product(Transpose(x), y)
    assert pairing(W, W) == Trace(Product(Transpose(W), W))


def test_the_squares_of_norms_are_units_of_scalar_calculus():
    moves = lambda e: True  # noqa: E731
    from_text = derive("exp(norm2(x)^2)*norm2(x)^2", "x", variables=SHAPES).expression
    assert len(rules.units(from_text, moves)) == 1 and rules.is_squared_norm(rules.units(from_text, moves)[0])


def test_no_row_of_a_table_is_hidden_by_one_before_it():
    """Rows of one head are told apart by a condition, except the last."""
    for table in TABLES:
        open_heads = set()
        for rule in getattr(rules, table):
            heads = rule.head if isinstance(rule.head, tuple) else (rule.head,)
            assert not open_heads & set(heads), rule
            if rule.when is None:
                open_heads |= set(heads)
    assert differentiation.rules is rules
