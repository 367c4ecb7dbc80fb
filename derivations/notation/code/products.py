"""The order of matrix products: by dynamic programming, and by what a factor does where it need not be formed.

A diagonal matrix scales rows, an inverse solves a system, a Kronecker product is applied factor by factor, a
sum may be applied term by term.
"""

import math
from collections import Counter
from itertools import pairwise
from typing import NamedTuple

from sympy import Mul, S

from derivations.elementwise import Diag, DiagonalOf, Hadamard
from derivations.expressions import (
    Identity,
    Inner,
    Inverse,
    Ones,
    Power,
    Product,
    Sum,
    Transpose,
    split_scale,
)
from derivations.kronecker import Commutation, Kronecker
from derivations.notation.code.blocks import framed
from derivations.notation.code.costs import is_likely_less, least
from derivations.notation.code.operations import Operation
from derivations.spectral import MATRIX_FUNCTIONS, MatrixFunction, PseudoInverse

# Powers up to this one are products, whose parts may be shared; a longer one is applied to vectors only.
SHORT_POWER, LONG_POWER = 3, 16
# The number of nodes in all factors of a product that is also looked for transposed.
SHORT_FACTORS = 60
# A sum inside of a longer product is not multiplied out.
MOST_FACTORS = 5
# What is never formed where it meets another factor.
APPLIED = (Diag, Kronecker, Commutation, Ones)


class Leaf(NamedTuple):
    """A factor that is computed already; the shape is that of the matrix, not of the array."""

    operation: Operation
    shape: tuple


def factors_of(core):
    if isinstance(core, Identity):
        return ()
    return core.args if isinstance(core, Product) else (core,)


def expanded(factors):
    """Short powers as products, matrices of ones as outer products, entries on the diagonal as diagonals."""
    found = []
    for f in factors:
        inside, turn = (f.args[0], Transpose) if isinstance(f, Transpose) else (f, lambda g: g)
        if isinstance(f, Ones) and S.One not in f.shape:
            found += [Ones(f.shape[0], 1), Ones(1, f.shape[1])]
        elif isinstance(inside, Power) and inside.args[1].is_Integer and inside.args[1] <= SHORT_POWER:
            found += [turn(inside.args[0])] * int(inside.args[1])
        elif isinstance(f, Hadamard) and any(isinstance(g, (Identity, Diag)) for g in f.args):
            found.append(Diag(Hadamard(*map(DiagonalOf, f.args))))
        else:
            found.append(f)
    return tuple(found)


def segments(factors):
    """The factors, cut where one column meets one row."""
    cuts = [0, *(i for i in range(1, len(factors)) if factors[i].shape[0] == 1), len(factors)]
    return [factors[a:b] for a, b in pairwise(cuts)]


def distinct_parts(expression, most=math.inf):
    """The nodes of an expression, each once; not many more than `most`."""
    found, waiting = {expression}, [expression]
    while waiting and len(found) < most:
        new = [a for a in dict.fromkeys(waiting.pop().args) if a not in found]
        found.update(new)
        waiting += new
    return found


def shared_parts(expression):
    """How many products of an expression hold a part of at least two factors, as it stands or transposed."""
    chains = {expanded(node.args) for node in distinct_parts(expression) if isinstance(node, (Product, Inner))}
    counts = Counter()
    for chain in chains:
        parts = {chain[i:j] for i in range(len(chain)) for j in range(i + 2, len(chain) + 1)}
        counts.update({_either_way(part) for part in parts})
    return counts


def _either_way(part):
    """The part and its transpose: what both have in common. Of long factors a transpose takes long to find."""
    if sum(len(distinct_parts(f, SHORT_FACTORS)) for f in part) >= SHORT_FACTORS:
        return part
    return frozenset((part, tuple(Transpose(f) for f in reversed(part))))


class Products:
    """Products as operations. `natural` gives the array of any expression; `inverted` are matrices whose
    inverse is formed, so that it serves for their systems too; `multiplies` says whether a product with a sum
    like X - UV' is multiplied out where U and V are likely to be small.
    """

    def __init__(self, graph, costs, natural, loose, counts, inverted, multiplies):
        self.graph, self.costs, self.natural, self.loose = graph, costs, natural, loose
        self.counts, self.inverted, self.multiplies = counts, inverted, multiplies
        self.known = {}

    def chain(self, factors, coefficient=None):
        """coefficient * the product, as an array that broadcasts to its shape."""
        coefficient, vectors = coefficient or self.graph.one, []
        for part in segments(self.prepared(factors)):
            if (part[0].shape[0], part[-1].shape[1]) == (1, 1):
                coefficient = self.graph.times(coefficient, self.interval(part))
            else:
                vectors.append(part)
        if len(vectors) < 2:
            whole = self._loose(vectors[0]) if vectors else self.graph.one
            return self.graph.times(coefficient, whole)
        left, right = map(self._loose, vectors)
        if left.shape == ():
            return self.graph.times(coefficient, left, right)
        scaled = self.graph.times(coefficient, left)
        if right.shape == ():
            return self.graph.times(self.graph.column(scaled), right)
        return self.graph.outer(scaled, right)

    def prepared(self, factors):
        return self._polar(expanded(factors))

    def _loose(self, factors):
        if len(factors) > 1 or isinstance(factors[0], Leaf):
            return self.interval(factors)
        return self.loose(factors[0])

    def _polar(self, factors):
        """A^+' (A'A)^(1/2) is the orthogonal factor of A, which one decomposition gives."""
        found = list(factors)
        for i in range(len(found) - 1):
            pseudo = Transpose(found[i]) if not isinstance(found[i], Leaf) else None
            if isinstance(pseudo, PseudoInverse):
                matrix = pseudo.args[0]
                if found[i + 1] == MatrixFunction(MATRIX_FUNCTIONS["sqrtm"], Transpose(matrix) * matrix):
                    whole = self.graph.make("polar", (self.natural(matrix),), matrix.shape)
                    found[i : i + 2] = [Leaf(whole, matrix.shape)]
                    return self._polar(tuple(found))
        return tuple(found)

    def interval(self, factors):
        """The array of a product without an outer product inside."""
        if len(factors) == 1:
            return self._array(factors[0])
        if factors not in self.known:
            best = least(self.candidates(factors), self.costs.total)
            for other in self._multiplied_out(factors):
                if is_likely_less(self.costs.total(other), self.costs.total(best)):
                    best = other
            if not any(isinstance(f, Leaf) for f in factors):
                uses = self.counts.get(_either_way(factors), 1)
                if uses > 1:
                    self.costs.shares[best] = uses
            self.known[factors] = best
        return self.known[factors]

    def _array(self, factor):
        return factor.operation if isinstance(factor, Leaf) else self.natural(factor)

    def leaf(self, factors):
        return Leaf(self.interval(factors), (factors[0].shape[0], factors[-1].shape[1]))

    def candidates(self, factors):
        first, last, graph = factors[0], factors[-1], self.graph
        for k in range(len(factors) - 1, 0, -1):
            left, right = factors[:k], factors[k:]
            if not self._is_applied(left) and not self._is_applied(right):
                yield graph.matmul(self.interval(left), self.interval(right))
        if _only_ones((first,)):
            yield graph.sum(self.interval(factors[1:]), 0)
        elif _only_ones((last,)):
            rows = self.interval(factors[:-1])
            yield graph.sum(rows, len(rows.shape) - 1)
        if not isinstance(first, Leaf):
            yield from self.applied(first, self.leaf(factors[1:]))
        if not isinstance(last, Leaf):
            yield from self.applied_from_right(self.leaf(factors[:-1]), last)
        for k, f in enumerate(factors[1:-1], 1):
            inside, turn = _untransposed(f)
            if isinstance(inside, Sum) and len(factors) <= MOST_FACTORS and _has_light_term(inside):
                yield self._by_terms(inside, turn, factors[:k], factors[k + 1 :])
        yield from framed(self, factors)

    def _multiplied_out(self, factors):
        if self.multiplies and len(factors) <= MOST_FACTORS:
            for k, f in enumerate(factors):
                inside, turn = _untransposed(f)
                if has_narrow_term(inside):
                    yield self._by_terms(inside, turn, factors[:k], factors[k + 1 :])

    def _is_applied(self, factors):
        """Whether a single factor is of a kind that is never formed beside another."""
        if len(factors) > 1 or isinstance(factors[0], Leaf):
            return False
        inside, _ = _untransposed(factors[0])
        return isinstance(inside, APPLIED) or (isinstance(inside, Inverse) and inside.args[0] not in self.inverted)

    # -------------------------------------------------------------- a factor applied, not formed

    def applied(self, factor, right):
        """The arrays of factor * right, for all ways that do not form the factor."""
        yield from self._applied(*_untransposed(factor), right)

    def _applied(self, inside, turn, right):
        graph, operation = self.graph, right.operation
        if isinstance(inside, Diag):
            vector = self.natural(inside.args[0])
            yield graph.times(graph.column(vector) if len(operation.shape) == 2 else vector, operation)
        elif isinstance(inside, Inverse) and inside.args[0] not in self.inverted:
            yield graph.solve(self.natural(inside.args[0]), operation, turn)
        elif isinstance(inside, Sum) and (right.shape[1] == 1 or _has_light_term(inside)):
            yield self._by_terms(inside, turn, (), (right,))
        elif isinstance(inside, Power) and _is_repeated(inside) and right.shape[1] == 1:
            step = Transpose(inside.args[0]) if turn else inside.args[0]
            yield self.interval((*[step] * int(inside.args[1]), right))
        elif isinstance(inside, (Kronecker, Commutation)):
            yield self._applied_parts(_parts(Transpose(inside) if turn else inside), right)

    def applied_from_right(self, left, factor):
        """The same of left * factor."""
        graph, operation = self.graph, left.operation
        inside, turn = _untransposed(factor)
        if len(operation.shape) == 1:
            yield from self._applied(inside, not turn, Leaf(operation, left.shape[::-1]))
            return
        if isinstance(inside, Diag):
            yield graph.times(operation, self.natural(inside.args[0]))
        elif isinstance(inside, Inverse) and inside.args[0] not in self.inverted:
            solved = graph.solve(self.natural(inside.args[0]), graph.transpose(operation), not turn)
            yield graph.transpose(solved)
        elif isinstance(inside, Sum) and _has_light_term(inside):
            yield self._by_terms(inside, turn, (left,), ())
        elif isinstance(inside, (Kronecker, Commutation)):
            right = Leaf(graph.transpose(operation), left.shape[::-1])
            yield graph.transpose(self._applied_parts(_parts(Transpose(factor)), right))

    def _by_terms(self, whole, turn, before, after):
        """The sum of all terms, each multiplied by what stands beside the sum."""
        terms = [(s, Transpose(core) if turn else core) for s, core in map(split_scale, whole.args)]
        parts = [self.chain((*before, *factors_of(core), *after), self.loose(scalar)) for scalar, core in terms]
        shape = whole.shape[::-1] if turn else whole.shape
        rows, columns = before[0].shape[0] if before else shape[0], after[-1].shape[1] if after else shape[1]
        return self.graph.spread(self.graph.add(*parts), array_shape((rows, columns)))

    def _applied_parts(self, parts, right):
        """A Kronecker product of parts applied: each to its own axis, the last ones first."""
        graph, array = self.graph, right.operation
        columns = right.shape[1]
        sizes = [p.shape[1] for p in parts]
        for i in reversed(range(len(parts))):
            part, before, after = parts[i], Mul(*sizes[:i]), Mul(*sizes[i + 1 :], columns)
            sizes[i] = part.shape[0]
            if isinstance(part, Identity):
                continue
            if isinstance(part, Commutation):
                # vec(A) holds A' row by row.
                rows, other = part.args
                array = self._commuted(array, before, other, rows, after)
            elif before == 1 or after == 1:
                array = self._along_an_end(part, array, before, after)
            else:
                axes = graph.reshape(array, (before, part.shape[1], after))
                array = graph.matmul(self.matrix(part), axes)
        return graph.reshape(array, array_shape((Mul(*sizes), columns)))

    def _commuted(self, array, before, first, second, after):
        """The two middle ones of four axes exchanged; outer ones of length 1 are left out."""
        graph, outer = self.graph, (before != 1, after != 1)
        axes = [*[before] * outer[0], first, second, *[after] * outer[1]]
        array = graph.reshape(array, axes)
        if len(axes) == 2:
            return graph.reshape(graph.transpose(array), (first * second,))
        swapped = graph.swap(array, outer[0] + 0, outer[0] + 1)
        return graph.reshape(swapped, [*[before] * outer[0], first * second, *[after] * outer[1]])

    def _along_an_end(self, part, array, before, after):
        """The part on the first axis, or on the last one."""
        shape = (part.shape[1], after) if before == 1 else (before, part.shape[1])
        inner = Leaf(self.graph.reshape(array, array_shape(shape)), shape)
        factors = (part, inner) if before == 1 else (inner, Transpose(part))
        whole = (factors[0].shape[0], factors[1].shape[1])
        return self.graph.spread(self.chain(factors), array_shape(whole))

    def matrix(self, expression):
        """An array of two axes, of vectors too."""
        array = self.natural(expression)
        if len(array.shape) == 2:
            return array
        return self.graph.column(array) if expression.shape[1] == 1 else self.graph.row(array)


def _parts(factor):
    return factor.args if isinstance(factor, Kronecker) else (factor,)


def _untransposed(factor):
    return (factor.args[0], True) if isinstance(factor, Transpose) else (factor, False)


def _only_ones(factors):
    return len(factors) == 1 and isinstance(factors[0], Ones)


def _has_light_term(whole):
    """Whether a term of a sum is cheaper to apply than to form: a diagonal, an outer product, and the like."""
    cores = [split_scale(t)[1] for t in whole.args]
    return any(
        isinstance(core, (Identity, Ones, Diag, Kronecker, Commutation)) or len(segments(factors_of(core))) > 1
        for core in cores
    )


def has_narrow_term(whole):
    """Whether a term of a sum is a product through a size that the sum does not have: U V' in X - U V'."""
    if not isinstance(whole, Sum):
        return False
    chains = [factors_of(split_scale(t)[1]) for t in whole.args]
    return any(f.shape[1] not in (S.One, *whole.shape) for chain in chains for f in chain[:-1])


def _is_repeated(power):
    return power.args[1].is_Integer and SHORT_POWER < power.args[1] <= LONG_POWER


def array_shape(shape):
    """The shape of an array inside a function, where rows are 1-D as columns are."""
    return tuple(size for size in shape if size != 1)
