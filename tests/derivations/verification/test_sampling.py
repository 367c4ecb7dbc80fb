"""Random points stay inside the declared domains, whatever the numbers are."""

import random
from fractions import Fraction

import numpy as np
import pytest
from mpmath import mp
from sympy import Symbol

from derivations import derive
from derivations.expressions import Variable
from derivations.notation.shapes import declaration, make_variable
from derivations.verification.arithmetic import Residue
from derivations.verification.autograd import FloatSampler
from derivations.verification.exact import DecimalSampler, FieldSampler, RationalSampler
from derivations.verification.sampling import STRUCTURES, counted, properties_of, shape_in, sizes_for

m, n = (Symbol(name, integer=True, positive=True) for name in "mn")
ORDERED = [FloatSampler, DecimalSampler, RationalSampler]
SAMPLERS = [*ORDERED, FieldSampler]


def drawn(sampler, prop, seed, columns=n):
    variable = Variable("Q", n, columns, prop)
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
    "invertible": lambda q: np.linalg.cond(q) < 1e6,
    "posdet": lambda q: np.linalg.det(q) > 0,
    "positive": lambda q: q.min() > 0,
    "unit_interval": lambda q: q.min() > 0 and q.max() < 1,
    "prob": lambda q: q.min() > 0 and np.isclose(q.sum(), 1),
    "pm1": lambda q: set(q.flat) <= {-1, 1},
    "binary": lambda q: set(q.flat) <= {0, 1},
    "onehot_rows": lambda q: set(q.flat) <= {0, 1} and (q.sum(axis=1) == 1).all(),
}


@pytest.mark.parametrize("sampler", ORDERED, ids=lambda s: s.__name__)
@pytest.mark.parametrize("prop", DOMAINS)
def test_matrices_lie_in_their_domain(prop, sampler):
    for seed in range(25):
        assert DOMAINS[prop](floats(drawn(sampler, prop, seed)))


@pytest.mark.parametrize("sampler", ORDERED, ids=lambda s: s.__name__)
@pytest.mark.parametrize("prop", ["positive", "unit_interval", "prob", "pm1", "binary", "onehot"])
def test_vectors_lie_in_their_domain(prop, sampler):
    for seed in range(25):
        q = floats(drawn(sampler, prop, seed, columns=1))
        assert q.shape == (4, 1)
        assert (set(q.flat) <= {0, 1} and q.sum() == 1) if prop == "onehot" else DOMAINS[prop](q)


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


def test_every_structure_is_among_the_properties_that_are_tried():
    assert set(STRUCTURES) <= {*DOMAINS, "onehot"}


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
