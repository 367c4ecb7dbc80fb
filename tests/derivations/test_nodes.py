"""Every node has its rows in the rules, the notations and the witnesses; where it has none, it is refused."""

import pkgutil
from importlib import import_module

import pytest
from sympy import Symbol

import derivations
from derivations import functions, rules, spectral
from derivations.api import read, tree_variables
from derivations.errors import DerivationError, NoRuleError, UnsupportedError
from derivations.expressions import PROPERTIES, LossGradient, MatrixNode, Plain, Variable
from derivations.kronecker import Unvec
from derivations.notation import inference, latex, sympy_out, text
from derivations.rewriting import equalities, find_rule
from derivations.scalars import Loss, MatrixScalar, differential_of
from derivations.verification import sampling, verify

m, n = (Symbol(name, integer=True, positive=True) for name in "mn")
u, W, Z = Variable("u", n * n, 1), Variable("W", n, n), Variable("Z", m, n)
SHAPES = {
    "s": "",
    **dict.fromkeys("xy", "n"),
    "u": "n*n",
    **dict.fromkeys("ABW", "n,n"),
    "Z": "m,n",
    **{name: {"kind": "vector", "shape": ["n"], "props": ["unit_interval"]} for name in "pq"},
    "P": {"kind": "matrix", "shape": ["n", "n"], "props": ["positive_definite"]},
}

# name of a node: a text or a tree that has it at its root
SAMPLES = {
    "Variable": "A",
    "Identity": "eye(n)",
    "Zero": "zeros(m,n)",
    "Ones": "ones(m,n)",
    "Commutation": "comm(m,n)",
    "Scale": "s*A",
    "Sum": "A + B",
    "Product": "A*B",
    "Inner": "x'*y",
    "Transpose": "A'",
    "Inverse": "inv(A)",
    "Power": "A^3",
    "Hadamard": "A .* B",
    "Apply": "tanh(A)",
    "Softmax": "softmax(x)",
    "SoftmaxRows": "softmax_rows(Z)",
    "Diag": "diag(x)",
    "DiagonalOf": "diag(A)",
    "EntrySum": "sum(A)",
    "Trace": "tr(A)",
    "Det": "det(A)",
    "LogDet": "logdet(P)",
    "Norm": "norm2(x)",
    "LogSumExp": "logsumexp(x)",
    "Kronecker": "kron(A,Z)",
    "Vec": "vec(Z)",
    "Unvec": Unvec(u, n, n),
    "MatrixFunction": "expm(A)",
    "Frechet": "expm_frechet(A, B)",
    "Adjugate": "adj(A)",
    "PseudoInverse": "pinv(Z)",
    "LargestEigenvalue": "lambda_max(P)",
    "LargestEigenvector": "vmax(P)",
    "NuclearNorm": "norm_nuc(Z)",
    "Loss": Loss("L", W),
    "LossGradient": LossGradient("L", W),
    "MatrixDifferential": differential_of(W),
    "ScalarDifferential": differential_of(Symbol("s", real=True)),
}


# name of a function of entries or of matrices: a text that has it
FUNCTIONS = {
    **{name: f"{name}(p)" for name in inference.ELEMENTWISE},
    **{name: f"{name}({', '.join('pqs'[:count])})" for name, (_, count) in inference.BROADCAST.items()},
    **{name: f"{name}(P)" for name in spectral.MATRIX_FUNCTIONS},
    **{name: f"{name}(P, A{', 3' if name.startswith('power') else ''})" for name in inference.FRECHET},
}


def sample(name):
    tree = SAMPLES.get(name) or FUNCTIONS[name]
    return read(tree, SHAPES)[0].expression if isinstance(tree, str) else tree


def nodes():
    """The names of the classes of nodes that have instances."""
    for found in pkgutil.iter_modules(derivations.__path__, "derivations."):
        if not found.name.endswith("__main__"):
            import_module(found.name)
    waiting, names = [Plain], set()
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind not in (Plain, MatrixNode, MatrixScalar) and kind.__module__.startswith("derivations."):
            names.add(kind.__name__)
    return names


def test_every_node_has_a_sample():
    assert nodes() == set(SAMPLES)
    assert {name: type(sample(name)).__name__ for name in SAMPLES} == {name: name for name in SAMPLES}


def test_every_function_of_ours_can_be_written():
    ours = {f for f in vars(functions).values() if isinstance(f, type) and f.__module__ == functions.__name__}
    # The last two stand in for |u| and sign(u) while they are differentiated.
    inner = {functions.RealFunction, functions.modulus, functions.direction}
    assert ours - inner == set(inference.FUNCTION_NAMES) & ours


def value(name):
    """A derivation of the sample, for its value; with variables that have the sizes m and n."""
    tree = sample(name)
    return equalities(tree, (*tree_variables(tree), W, Z))


def rule(name):
    if find_rule(rules.DIFFERENTIALS, sample(name), lambda part: True) is None:
        raise NoRuleError(name)


def read_back(name):
    written = text.write(sample(name))
    if read(written, SHAPES)[0].expression != sample(name):
        raise UnsupportedError(f"{written} is read as something else")


def proven(name, witness):
    (found,) = verify(value(name), witness).witnesses
    if found.passed is None:
        raise UnsupportedError(found.note)
    assert found.passed, str(found)


# what a row is for: what uses it
PLACES = {
    "a differential": rule,
    "LaTeX": lambda name: latex.write(sample(name)),
    "the text notation, out": lambda name: text.write(sample(name)),
    "the text notation, in": read_back,
    "numpy": lambda name: value(name).to_code("numpy"),
    "torch": lambda name: value(name).to_code("torch"),
    "SymPy": lambda name: sympy_out.to_sympy(sample(name)),
    "the exact witness": lambda name: proven(name, "exact"),
    "the autograd witness": lambda name: proven(name, "autograd"),
}
CONSTANTS = {"Variable", "Identity", "Zero", "Ones", "Commutation"}
D = {"MatrixDifferential", "ScalarDifferential"}
LOSS = {"Loss", "LossGradient"}
VECS = {"Vec", "Unvec", "Commutation"}
SPECTRAL = {"LargestEigenvalue", "LargestEigenvector", "NuclearNorm"}
UNKNOWN = {"Frechet", "Adjugate", "PseudoInverse", "logm", "sinm", "cosm"}
SEVERAL, FRECHET = set(inference.BROADCAST), set(inference.FRECHET)
# Where a node has no row, and needs none.
WITHOUT = {
    # Constants have none; the second derivative of a function of a matrix is not carried.
    "a differential": CONSTANTS | D | FRECHET | {"Frechet", "LossGradient"},
    # They stand for what is not known, or in lines only.
    "the text notation, in": D | LOSS | {"Unvec"},
    "numpy": D | {"Loss"},
    "torch": D | {"Loss"},
    "the autograd witness": D | {"Loss"},
    # SymPy has no node to say them with.
    "SymPy": D | LOSS | VECS | SPECTRAL | SEVERAL | FRECHET | UNKNOWN,
    "LaTeX": {"factorial"},
}


@pytest.mark.parametrize(
    ("name", "place"),
    [
        pytest.param(name, place, id=f"{name}: {place}")
        for name in (*SAMPLES, *FUNCTIONS)
        for place in PLACES
        if name not in WITHOUT.get(place, ())
    ],
)
def test_every_node_has_its_rows(name, place):
    PLACES[place](name)


@pytest.mark.parametrize(
    ("name", "place"),
    [pytest.param(name, place, id=f"{name}: {place}") for place, names in WITHOUT.items() for name in sorted(names)],
)
def test_what_has_no_row_is_refused(name, place):
    with pytest.raises(DerivationError):
        PLACES[place](name)


def heads(table):
    return {head.__name__ for rule in table for head in (rule.head if isinstance(rule.head, tuple) else (rule.head,))}


def test_what_moves_across_a_trace_moves_out_of_vec():
    assert heads(rules.TRACE_MOVES) == heads(rules.VEC_MOVES)


def test_every_property_has_random_values():
    assert sampling.HOLDS.keys() == PROPERTIES
