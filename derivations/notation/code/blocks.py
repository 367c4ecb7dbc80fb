"""Products of matrices whose blocks are diagonal, framed by Kronecker products with an identity.

kron(I, L) S kron(I, R) and kron(L, I) S kron(R, I) are what Hessians by a matrix look like: L and R have two axes, and
S, a sum of diagonal matrices and of kron(M, I) or kron(I, M), has three that matter. Nothing of four axes is formed
but what is multiplied last.
"""

from sympy import S

from derivations.elementwise import Diag
from derivations.expressions import Identity, Product, Sum, split_scale
from derivations.kronecker import Kronecker


def framed(products, factors):
    """The arrays of the product, where it has this form."""
    for place in (0, 1):
        left, right = (_frame(f, place) for f in (factors[0], factors[-1]))
        if len(factors) < 3 or left is None or right is None:
            continue
        shape = (factors[0].args[place].shape[0], factors[-1].args[place].shape[0])
        weights = Weights(products, shape, left.shape[1], first=place == 0).of_product(factors[1:-1])
        if weights is not None:
            yield _multiplied(products, left, right, weights, shape, first=place == 0)


def _frame(factor, place):
    """The other factor of a Kronecker product of two, of which one is an identity."""
    if isinstance(factor, Kronecker) and len(factor.args) == 2 and isinstance(factor.args[place], Identity):
        return factor.args[1 - place]
    return None


def _multiplied(products, left, right, weights, shape, first):
    graph, (inner, columns), (size, across) = products.graph, right.shape, shape
    left, right = products.matrix(left), products.matrix(right)
    if first:
        weights = graph.reshape(weights, (*weights.shape, S.One))
        terms = graph.times(weights, graph.reshape(right, (inner, S.One, columns)))
        terms = graph.reshape(terms, (size, inner, across * columns))
    else:
        weights = graph.reshape(weights, (*weights.shape[:-1], S.One, across))
        terms = graph.times(weights, graph.reshape(right, (inner, S.One, columns, S.One)))
        terms = graph.reshape(terms, (inner, size * columns * across))
    return graph.reshape(graph.matmul(left, terms), (size * left.shape[0], across * columns))


class Weights:
    """What stands in the diagonals of all blocks.

    Axes (rows, inner, columns), or (inner, rows, columns) for kron(L, I), where shape is (rows, columns).
    """

    def __init__(self, products, shape, inner, first):
        self.products, self.graph = products, products.graph
        self.shape, self.inner, self.first = shape, inner, first

    def of_product(self, factors):
        """None where a factor is of another kind, or two of them are not diagonal."""
        scaling = [[], []]
        dense = None
        for f in factors:
            if isinstance(f, Diag):
                scaling[dense is not None].append(f.args[0])
            elif dense is not None or (dense := self._of(f)) is None:
                return None
        if dense is None:
            dense = self._between(self.graph.eye(self.shape[0]))
        return self.graph.times(*map(self._rows, scaling[0]), dense, *map(self._columns, scaling[1]))

    def _of(self, e):
        if isinstance(e, Sum):
            terms = [(scalar, self._of(core)) for scalar, core in map(split_scale, e.args)]
            if any(array is None for _, array in terms):
                return None
            return self.graph.add(*(self.graph.times(self.products.loose(s), array) for s, array in terms))
        if isinstance(e, (Product, Diag)):
            return self.of_product(e.args if isinstance(e, Product) else (e,))
        place = 1 if self.first else 0
        matrix = _frame(e, place)
        if matrix is not None and e.args[place].shape[0] == self.inner and matrix.shape == self.shape:
            return self._between(self.products.matrix(matrix))
        return None

    def _between(self, matrix):
        """A matrix of the blocks, the same for all places in their diagonals."""
        rows, columns = self.shape
        return self.graph.reshape(matrix, (rows, S.One, columns)) if self.first else matrix

    def _rows(self, vector):
        rows = self.shape[0]
        shape = (rows, self.inner, S.One) if self.first else (self.inner, rows, S.One)
        return self.graph.reshape(self.products.natural(vector), shape)

    def _columns(self, vector):
        array, columns = self.products.natural(vector), self.shape[1]
        if self.first:
            return self.graph.transpose(self.graph.reshape(array, (columns, self.inner)))
        return self.graph.reshape(array, (self.inner, S.One, columns))
