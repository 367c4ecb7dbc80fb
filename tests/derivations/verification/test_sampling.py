"""Random points stay inside the declared domains, whatever the numbers are."""

import itertools
import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from mpmath import mp
from sympy import Integer, Symbol

from derivations import derive
from derivations.errors import UnsupportedError
from derivations.expressions import PROPERTIES, Variable
from derivations.notation.shapes import declaration, make_variable
from derivations.verification import verify
from derivations.verification.arithmetic import Residue
from derivations.verification.autograd import FloatSampler
from derivations.verification.exact import DecimalSampler, FieldSampler, RationalSampler
from derivations.verification.sampling import (
    EXPONENTS,
    HOLDS,
    STRUCTURES,
    Sampler,
    counted,
    properties_of,
    shape_in,
    sizes_for,
    whole,
)

m, n = (Symbol(name, integer=True, positive=True) for name in "mn")
ORDERED = [FloatSampler, DecimalSampler, RationalSampler]
SAMPLERS = [*ORDERED, FieldSampler]


def drawn(sampler, prop, seed, columns=n):
    variable = Variable("Q", n, columns, *prop.split())
    with mp.workdps(50):
        return sampler(seed).matrix(variable, {n: 4, m: 3})


def floats(rows):
    return np.array([[float(x) for x in row] for row in rows])


def equal(a, b):
    return all(x == y for r, s in zip(a, b, strict=True) for x, y in zip(r, s, strict=True))


DOMAINS = {
    "symmetric": lambda q: np.allclose(q, q.T),
    "positive_definite": lambda q: np.allclose(q, q.T) and np.linalg.eigvalsh(q).min() > 0,
    "diagonal": lambda q: np.count_nonzero(q) == np.count_nonzero(np.diag(q)),
    "invertible": lambda q: np.linalg.cond(q) < 1e9,
    "posdet": lambda q: np.linalg.det(q) > 0,
    "positive": lambda q: q.min() > 0,
    "unit_interval": lambda q: q.min() > 0 and q.max() < 1,
    "prob": lambda q: q.min() > 0 and np.isclose(q.sum(), 1),
    "pm1": lambda q: set(q.flat) <= {-1, 1},
    "binary": lambda q: set(q.flat) <= {0, 1},
    "onehot_rows": lambda q: set(q.flat) <= {0, 1} and (q.sum(axis=1) == 1).all(),
    "onehot": lambda q: set(q.flat) <= {0, 1} and q.sum() == 1,
    "orthogonal": lambda q: np.allclose(q @ q.T, np.eye(len(q))),
    "centred": lambda q: np.isclose(q.sum(), 0),
    "small": lambda q: np.abs(q).max() < 1,
    "integer": lambda q: (q == q.round()).all(),
}


@pytest.mark.parametrize("sampler", ORDERED, ids=lambda s: s.__name__)
@pytest.mark.parametrize("prop", DOMAINS)
def test_matrices_lie_in_their_domain(prop, sampler):
    for seed in range(25):
        assert DOMAINS[prop](floats(drawn(sampler, prop, seed)))


@pytest.mark.parametrize("sampler", ORDERED, ids=lambda s: s.__name__)
@pytest.mark.parametrize("prop", ["positive", "unit_interval", "prob", "pm1", "binary", "onehot", "centred", "small"])
def test_vectors_lie_in_their_domain(prop, sampler):
    for seed in range(25):
        q = floats(drawn(sampler, prop, seed, columns=1))
        assert q.shape == (4, 1)
        assert DOMAINS[prop](q)


def test_structures_hold_in_the_prime_field_too():
    for seed in range(5):
        symmetric = drawn(FieldSampler, "symmetric", seed)
        assert equal(symmetric, list(zip(*symmetric, strict=True)))
        definite = drawn(FieldSampler, "positive_definite", seed)
        assert equal(definite, list(zip(*definite, strict=True)))
        diagonal = drawn(FieldSampler, "diagonal", seed)
        assert all(diagonal[i][j] == 0 for i in range(4) for j in range(4) if i != j)
        total = Residue(0)
        for row in drawn(FieldSampler, "prob", seed):
            for x in row:
                total = total + x
        assert total == 1


SCALARS = {
    "positive": lambda x: x > 0,
    "unit_interval": lambda x: 0 < x < 1,
    "integer": lambda x: x == 3,
    "binary": lambda x: x in (0, 1),
    "pm1": lambda x: x in (-1, 1),
}


# A SymPy symbol keeps what SymPy can assume; points outside of a domain are drawn again.
@pytest.mark.parametrize("prop", ["positive", "integer"])
def test_declared_scalars_lie_in_their_domain(prop):
    variable = make_variable("q", declaration("q", {"kind": "scalar", "shape": [], "props": [prop]}))
    for seed in range(25):
        assert SCALARS[prop](FloatSampler(seed).scalar(properties_of(variable)))


def test_every_property_is_tried_and_can_be_told():
    """A property that may be declared must be drawn, or be one that any entries have."""
    assert set(DOMAINS) == PROPERTIES == set(HOLDS)
    entries = {"positive", "unit_interval", "binary", "pm1", "integer", "small"}
    assert set(STRUCTURES) == set(DOMAINS) - entries


# ------------------------------------------------------------------------- orthogonal, in every field


@pytest.mark.parametrize("sampler", [RationalSampler, FieldSampler], ids=lambda s: s.__name__)
@pytest.mark.parametrize("seed", range(8))
def test_orthogonal_matrices_are_orthogonal_without_rounding(sampler, seed):
    q = drawn(sampler, "orthogonal", seed)
    for a in (q, list(zip(*q, strict=True))):
        gram = [[sum(x * y for x, y in zip(r, s, strict=True)) for s in a] for r in a]
        assert equal(gram, [[int(i == j) for j in range(4)] for i in range(4)])
    assert not equal(q, list(zip(*q, strict=True))) and all(x != 0 for row in q for x in row)


def test_orthogonal_matrices_are_orthogonal_to_fifty_digits():
    with mp.workdps(50):
        q = mp.matrix(drawn(DecimalSampler, "orthogonal", 0))
        assert mp.norm(q * q.T - mp.eye(4)) < mp.mpf(10) ** -47


def test_orthogonal_matrices_differ():
    assert not equal(drawn(FieldSampler, "orthogonal", 0), drawn(FieldSampler, "orthogonal", 1))


@pytest.mark.parametrize(
    ("expression", "wrt"),
    [("tr(Q*A*Q')", "A"), ("norm2(Q*x)^2", "x"), ("det(Q*A*Q')", "A"), ("x'*inv(Q)*y", "x"), ("tr(A*inv(Q*A))", "A")],
)
def test_derivations_may_rely_on_an_orthogonal_matrix(expression, wrt):
    shapes = {"Q": {"kind": "matrix", "shape": ["n", "n"], "props": ["orthogonal"]}, "A": "n,n", "x": "n", "y": "n"}
    found = verify(derive(expression, wrt, variables=shapes), ("exact",))
    assert found, str(found)


# ------------------------------------------------------------------------------ several properties

PAIRS = list(itertools.combinations(sorted(DOMAINS), 2))
# What both say must be found at least for these.
KNOWN = [
    "diagonal invertible",
    "diagonal orthogonal",
    "diagonal posdet",
    "diagonal positive",
    "diagonal positive_definite",
    "integer symmetric",
    "invertible orthogonal",
    "invertible positive",
    "invertible symmetric",
    "orthogonal posdet",
    "orthogonal positive_definite",
    "orthogonal symmetric",
    "pm1 symmetric",
    "binary symmetric",
    "posdet positive",
    "posdet positive_definite",
    "posdet symmetric",
    "positive positive_definite",
    "positive prob",
    "positive symmetric",
    "positive_definite symmetric",
    "symmetric unit_interval",
    "centred symmetric",
    "binary onehot",
    "binary invertible",
]


def has_both(q, pair):
    # Of a diagonal matrix, what is said of entries is meant of the diagonal.
    of_entries = {"positive", "unit_interval", "pm1", "binary", "integer", "small"}
    free = np.diag(q) if "diagonal" in pair else q
    return all(DOMAINS[prop](free if prop in of_entries else q) for prop in pair)


@pytest.mark.parametrize("sampler", ORDERED, ids=lambda s: s.__name__)
@pytest.mark.parametrize("pair", PAIRS, ids=" ".join)
def test_two_properties_give_what_both_say_or_are_refused(pair, sampler):
    for seed in range(3):
        try:
            q = floats(drawn(sampler, " ".join(pair), seed))
        except UnsupportedError as error:
            both = " and ".join(pair).replace("_", " ")
            assert str(error) == f"no values are found for Q that are {both}" and " ".join(pair) not in KNOWN
        else:
            assert has_both(q, pair), q


@pytest.mark.parametrize("pair", KNOWN)
def test_two_properties_that_go_together_are_found(pair):
    assert tuple(sorted(pair.split())) in PAIRS
    for sampler in SAMPLERS:
        drawn(sampler, pair, 0)


ALGEBRAIC = {"symmetric", "diagonal", "orthogonal", "prob", "centred", "onehot", "onehot_rows", "binary", "pm1"}


@pytest.mark.parametrize("pair", PAIRS, ids=" ".join)
def test_two_properties_hold_in_the_prime_field_as_far_as_it_can_tell(pair):
    try:
        q = drawn(FieldSampler, " ".join(pair), 1)
    except UnsupportedError:
        return
    assert all(isinstance(x, (int, Residue)) for row in q for x in row)
    free = [[q[i][i] for i in range(4)]] if "diagonal" in pair else q
    for prop in ALGEBRAIC & set(pair):
        assert HOLDS[prop](free if prop in ("binary", "pm1") else q, False), prop


@pytest.mark.parametrize("pair", ["orthogonal symmetric", "diagonal orthogonal"])
def test_orthogonal_matrices_with_a_structure_are_not_the_identity_only(pair):
    eye = [[int(i == j) for j in range(4)] for i in range(4)]
    drawings = [drawn(RationalSampler, pair, seed) for seed in range(10)]
    assert sum(equal(q, eye) for q in drawings) < 4 and not all(equal(q, drawings[0]) for q in drawings)
    if pair.endswith("symmetric"):
        assert any(q[0][1] != 0 for q in drawings)


def test_what_contradicts_itself_did_not_run():
    shapes = {"A": {"kind": "matrix", "shape": ["n", "n"], "props": ["prob", "orthogonal"]}, "x": "n"}
    found = verify(derive("x'*A*x", "x", variables=shapes))
    assert [w.passed for w in found.witnesses] == [None, None]
    assert all("no values are found for A that are orthogonal and prob" in w.note for w in found.witnesses)


def test_every_single_property_is_drawn_without_a_second_thought(monkeypatch):
    """The makers give what they say; only several of them can get in each other's way."""
    monkeypatch.setattr(Sampler, "holds", None)
    for prop in DOMAINS:
        drawn(RationalSampler, prop, 0)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s.__name__)
def test_the_seed_says_it_all(sampler):
    with mp.workdps(50):
        first, again, other = (sampler(seed) for seed in ("a", "a", "b"))
        a, b, c = ([s.generic() for _ in range(5)] for s in (first, again, other))
    assert equal([a], [b]) and not equal([a], [c])


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: s.__name__)
def test_a_generic_number_is_not_zero(sampler):
    with mp.workdps(50):
        draw = sampler(0)
        assert not any(draw.generic() == 0 for _ in range(200))


def test_rational_numbers_are_fractions():
    assert isinstance(RationalSampler(0).generic(), Fraction) and isinstance(RationalSampler(0).between(0, 1), Fraction)


def test_sizes_differ_as_far_as_they_go():
    variables = [Variable("A", m, n), Variable("x", n, 1)]
    for seed in range(20):
        sizes = sizes_for(variables, random.Random(seed))
        assert set(sizes) == {m, n} and sizes[m] != sizes[n] and min(sizes.values()) >= 2
    assert shape_in(variables[0], {m: 3, n: 2}) == (3, 2)
    assert shape_in(Variable("B", 2 * m, 1), {m: 3}) == (6, 1)


def test_both_shapes_of_a_matrix_are_tried():
    ratios = {sizes[m] > sizes[n] for sizes in (sizes_for([Variable("A", m, n)], random.Random(i)) for i in range(20))}
    assert ratios == {True, False}


def test_only_propositions_are_counted_through():
    assert counted(derive("x'*x", "x"), 3) == {}


# -------------------------------------------------------------------------------- whole exponents


def test_whole_unknowns_differ_from_point_to_point():
    k = {"kind": "scalar", "shape": [], "props": ["integer"]}
    d = derive("s^k*t^j", "s", variables={"k": k, "j": k, "s": "", "t": ""})
    found = [list(whole(d, point).values()) for point in range(8)]
    assert all(len(values) == 2 and values[0] != values[1] for values in found)
    assert len(set(map(tuple, found[:4]))) == 4 and {v for values in found for v in values} == set(EXPONENTS)


def test_what_holds_for_one_exponent_only_is_caught():
    d = derive("tr(A^k)", "A", variables={"A": "n,n", "k": {"kind": "scalar", "shape": [], "props": ["integer"]}})
    (k,) = (v for v in d.variables if v.is_Symbol)
    assert verify(d), str(verify(d))
    for value in EXPONENTS:
        false = replace(d, result=d.result.xreplace({k: Integer(value)}), steps=())
        assert [w.passed for w in verify(false).witnesses] == [False, False]
