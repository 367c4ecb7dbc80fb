"""Traces, diagonals and sums of entries, in all ways that do not form what is not needed.

tr(AB) and diag(AB) need the entries of A and of B' only, and 1'AB1 only sums of columns and of rows.
"""

from derivations.elementwise import Apply, Diag, DiagonalOf, Hadamard
from derivations.expressions import EntrySum, Inverse, Ones, Power, Product, Scale, Sum, Transpose, split_scale
from derivations.kronecker import Kronecker
from derivations.notation.code.products import SHORT_POWER, segments
from derivations.scalars import Trace


def _factors(matrix):
    if isinstance(matrix, Power) and matrix.args[1].is_Integer and 1 < matrix.args[1] <= SHORT_POWER:
        return (matrix.args[0],) * int(matrix.args[1])
    return matrix.args if isinstance(matrix, Product) else (matrix,)


def traces(planner, matrix):
    graph, factors = planner.graph, planner.products.prepared(_factors(matrix))
    cut = next((i for i, f in enumerate(factors) if f.shape[0] == 1), None)
    scaling = next((i for i, f in enumerate(factors) if isinstance(f, Diag)), None)
    if cut is not None:
        yield planner.products.chain(factors[cut:] + factors[:cut])
        return
    if scaling is not None and len(factors) > 1:
        # tr(diag(v) M) = v'diag(M)
        others = Product(*factors[scaling + 1 :], *factors[:scaling])
        yield graph.matmul(planner.natural(factors[scaling].args[0]), planner.natural(DiagonalOf(others)))
        return
    for i in range(len(factors)):
        turned = factors[i:] + factors[:i]
        for j in range(1, len(turned) - i):
            yield _entries_of_product(planner, turned[:j], turned[j:], None)
        yield graph.make("trace", (planner.products.interval(turned),))
    if isinstance(matrix, Sum):
        yield graph.add(*(planner.loose(Trace(t)) for t in matrix.args))
    if isinstance(matrix, Hadamard):
        yield graph.sum(planner.natural(DiagonalOf(matrix)))


def _entries_of_product(planner, left, right, axis):
    """The sums over k of a_ik b_ki."""
    graph = planner.graph
    left, right = planner.products.interval(left), graph.transpose(planner.products.interval(right))
    entries = graph.power(left, graph.number(2)) if left is right else graph.times(left, right)
    return graph.sum(entries, axis)


def diagonals(planner, matrix):
    graph, factors = planner.graph, planner.products.prepared(_factors(matrix))
    cuts = segments(factors)
    if len(cuts) == 2:
        yield graph.times(*(planner.products.chain(part) for part in cuts))
        return
    if len(factors) > 1 and isinstance(factors[0], Diag):
        yield graph.times(planner.natural(factors[0].args[0]), planner.natural(DiagonalOf(Product(*factors[1:]))))
        return
    if len(factors) > 1 and isinstance(factors[-1], Diag):
        yield graph.times(planner.natural(DiagonalOf(Product(*factors[:-1]))), planner.natural(factors[-1].args[0]))
        return
    for k in range(1, len(factors)):
        yield _entries_of_product(planner, factors[:k], factors[k:], 1)
    yield graph.make("diagonal", (planner.natural(matrix),), matrix.shape[:1])
    if isinstance(matrix, (Sum, Hadamard)):
        parts = [planner.loose(Scale(s, DiagonalOf(core))) for s, core in map(split_scale, matrix.args)]
        yield (graph.add if isinstance(matrix, Sum) else graph.times)(*parts)
    if isinstance(matrix, Apply):
        yield planner.loose(Apply(matrix.args[0], *(DiagonalOf(m) for m in matrix.args[1:])))
    if isinstance(matrix, Kronecker) and all(f.shape[0] == f.shape[1] for f in matrix.args):
        yield graph.kron(*(planner.natural(DiagonalOf(f)) for f in matrix.args))


def entry_sums(planner, matrix):
    graph, chain = planner.graph, planner.products.chain
    if isinstance(matrix, (Product, Inverse, Diag)):
        rows, columns = matrix.shape
        yield chain((*_ones(1, rows), *_factors(matrix), *_ones(columns, 1)))
        return
    entries = planner.natural(matrix)
    yield graph.sum(entries)
    if isinstance(matrix, Hadamard):
        # 1'(ab' o M)1 = a'Mb
        for i, f in enumerate(matrix.args):
            cuts = segments(f.args) if isinstance(f, Product) else ()
            if len(cuts) == 2:
                others = Hadamard(*matrix.args[:i], *matrix.args[i + 1 :])
                yield chain((*_turned(cuts[0]), *_factors(others), *_turned(cuts[1])))
    if isinstance(matrix, Sum):
        yield graph.add(*(planner.loose(EntrySum(t)) for t in matrix.args))


def _ones(rows, columns):
    ones = Ones(rows, columns)
    return (ones,) if isinstance(ones, Ones) else ()


def _turned(factors):
    return tuple(Transpose(f) for f in reversed(factors))
