"""Sums over indices, as SymPy writes the entry of a product: sum_ij x_i A_ij y_j is read as x'*A*y."""

from dataclasses import dataclass

import sympy
from sympy.matrices.expressions.matexpr import MatrixElement

from derivations.elementwise import SLOTS, Apply, Diag, DiagonalOf, Hadamard
from derivations.errors import ShapeError, UnsupportedError
from derivations.expressions import EntrySum, Ones, Product, Scale, Transpose, add, multiply, shape_of
from derivations.notation import sympy_functions
from derivations.scalars import Trace


@dataclass(frozen=True)
class Indexed:
    """What an expression with indices is: a scalar, a column over one index, or a matrix over two."""

    indices: tuple
    tree: object


def contract(e, read):
    """A Sum whose indices run over whole axes of matrices, as a scalar of ours.

    read: what reads the parts without indices. Raises UnsupportedError for any other sum.
    """
    found = Sums(read, {}).indexed(e)
    return found.tree


class Sums:
    """Reads expressions with indices; `ranges` gives the size of the axis that each index runs over."""

    def __init__(self, read, ranges):
        self.read, self.ranges = read, ranges

    def refuse(self, e, why):
        raise UnsupportedError(
            f"{e} in a sum over indices is not read: {why}. Write it with matrices, as in Trace(x.T*A*x)"
        )

    def indexed(self, e):
        """Any expression, by its kind."""
        if type(e) is sympy.Sum:
            return self.sum(e)
        if not e.free_symbols & set(self.ranges):
            return Indexed((), self.read(e))
        if type(e) is MatrixElement:
            return self.element(e)
        if isinstance(e, sympy.Add):
            return self.add([self.indexed(a) for a in e.args], e)
        if isinstance(e, sympy.Mul):
            return self.product([self.indexed(a) for a in e.args], e)
        if isinstance(e, (sympy.Pow, sympy.Function, sympy.Max, sympy.Min)):
            return self.function(e)
        self.refuse(e, f"{type(e).__name__} holds an index")

    def element(self, e):
        """M[i, j] with indices of the sum, or 0 along an axis of size 1."""
        if e.parent.free_symbols & set(self.ranges):
            self.refuse(e, "an index stands in the matrix")
        matrix = self.read(e.parent)
        for at, size in zip((e.i, e.j), shape_of(matrix)):
            if at in self.ranges and self.ranges[at] != size:
                self.refuse(e, f"{at} runs over {self.ranges[at]} of {size} entries")
            if at not in self.ranges and (at, size) != (0, 1):
                self.refuse(e, "it takes single entries")
        if e.i == e.j:
            return Indexed((e.i,), DiagonalOf(matrix))
        indices = tuple(at for at in (e.i, e.j) if at in self.ranges)
        return Indexed(indices, Transpose(matrix) if indices == (e.j,) else matrix)

    def function(self, e):
        """A function, entry by entry, of one indexed argument or of several over the same indices."""
        parts = [self.indexed(a) for a in e.args]
        moving = [p for p in parts if p.indices]
        indices = moving[0].indices
        if len(moving) > len(SLOTS) or any(set(p.indices) != set(indices) for p in moving):
            self.refuse(e, "its arguments have different indices")
        places = iter(SLOTS)
        args = [next(places) if p.indices else p.tree for p in parts]
        body = args[0] ** args[1] if isinstance(e, sympy.Pow) else sympy_functions.build(e, args)
        return Indexed(indices, Apply(body, *(self.over(p, indices) for p in moving)))

    def over(self, part, indices):
        """The column or the matrix over exactly these indices; where one is missing, all its entries are equal."""
        sizes = [self.ranges[i] for i in indices]
        if not part.indices:
            return Scale(part.tree, Ones(*sizes))
        if part.indices == indices:
            return part.tree
        if len(part.indices) == len(indices):
            return Transpose(part.tree)
        if part.indices == indices[:1]:
            return Product(part.tree, Ones(1, sizes[1]))
        return Product(Ones(sizes[0]), Transpose(part.tree))

    def union(self, parts, e):
        indices = tuple(dict.fromkeys(i for p in parts for i in p.indices))
        if len(indices) > 2:
            self.refuse(e, f"it has {len(indices)} indices at once")
        return indices

    def add(self, parts, e):
        indices = self.union(parts, e)
        if not indices:
            return Indexed((), add(*(p.tree for p in parts)))
        return Indexed(indices, add(*(self.over(p, indices) for p in parts)))

    def product(self, parts, e):
        indices = self.union(parts, e)
        scalar = sympy.Mul(*(p.tree for p in parts if not p.indices))
        columns = [[p.tree for p in parts if p.indices == (i,)] for i in indices]
        moving = [self.over(p, indices) for p in parts if len(p.indices) == len(indices) > 0]
        if len(indices) == 2 and all(columns):
            left, right = (Hadamard(*c) for c in columns)
            moving.append(Product(left, Transpose(right)))
        elif len(indices) == 2:
            moving += [self.over(p, indices) for p in parts if len(p.indices) == 1]
        return Indexed(indices, Scale(scalar, Hadamard(*moving)) if moving else scalar)

    # ------------------------------------------------------------------------------ the sum itself

    def sum(self, e):
        ranges = dict(self.ranges)
        for limits in e.limits:
            if len(limits) != 3 or limits[0] in ranges or limits[1] != 0:
                self.refuse(e, f"the limits {limits} are not those of an axis")
            try:
                ranges[limits[0]] = self.read.size(limits[2] + 1)
            except ShapeError as error:
                self.refuse(e, f"the limits {limits} are not those of an axis: {error}")
            if ranges[limits[0]] == 1:
                self.refuse(e, f"{limits[0]} has one value only")
        inner = Sums(self.read, ranges)
        return inner.total(e.function, [limits[0] for limits in e.limits])

    def total(self, e, summed):
        """The sum of an expression over some of the indices."""
        if isinstance(e, sympy.Add):
            return self.add([self.total(a, summed) for a in e.args], e)
        factors = []
        for factor in sympy.Mul.make_args(e):
            base, exponent = factor.as_base_exp()
            squared = exponent.is_Integer and exponent > 0
            factors += [self.indexed(base)] * int(exponent) if squared else [self.indexed(factor)]
        waiting = list(summed)
        while waiting:
            # What touches the fewest matrices first: vectors stay vectors.
            index = min(waiting, key=lambda i: sum(len(p.indices) == 2 for p in factors if i in p.indices))
            waiting.remove(index)
            factors = self.eliminate(factors, index, waiting, e)
        return self.product(factors, e)

    def eliminate(self, factors, index, waiting, e):
        """The factors after the sum over one index."""
        vectors = [p.tree for p in factors if p.indices == (index,)]
        touching = [p for p in factors if index in p.indices and len(p.indices) == 2]
        rest = [p for p in factors if index not in p.indices]
        others = list(dict.fromkeys(i for p in touching for i in p.indices if i != index))
        if not others:
            return [*rest, Indexed((), self.dot(vectors, self.ranges[index]))]
        if len(others) > 2:
            self.refuse(e, f"{index} stands in {len(touching)} matrices")
        sides = [[self.over(p, (index, i)) for p in touching if i in p.indices] for i in others]
        if len(others) == 2:
            left, right = (Hadamard(*side) for side in sides)
            middle = [Diag(Hadamard(*vectors))] if vectors else []
            return [*rest, Indexed(tuple(others), Product(Transpose(left), *middle, right))]
        (side,), (other,) = sides, others
        if len(side) == 2 and not vectors and other in waiting and not any(other in p.indices for p in rest):
            waiting.remove(other)
            return [*rest, Indexed((), Trace(Product(Transpose(side[0]), side[1])))]
        column = Hadamard(*vectors) if vectors else Ones(self.ranges[index])
        return [*rest, Indexed((other,), Product(Transpose(Hadamard(*side)), column))]

    def dot(self, vectors, size):
        if not vectors:
            return size
        if len(vectors) == 1:
            (vector,) = vectors
            return Trace(vector.args[0]) if isinstance(vector, DiagonalOf) else EntrySum(vector)
        # What has met a matrix stands first: (A'x)'y is x'*A*y.
        first, *rest = sorted(vectors, key=lambda v: not isinstance(v, Product))
        return multiply(Transpose(first), Hadamard(*rest))
