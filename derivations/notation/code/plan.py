"""From an expression to array operations: what is formed, what is only applied, and in which order.

What each kind of node becomes stands in `scalars.py` and `matrices.py`.
"""

from sympy import Add, Mul, Pow, Symbol, polygamma
from sympy.core.relational import Relational

from derivations.errors import UnsupportedError
from derivations.expressions import Inverse, Product, Transpose, is_matrix, shape_of
from derivations.functions import clip, huber
from derivations.notation.code import matrices, scalars
from derivations.notation.code.costs import Costs, is_likely_less, least
from derivations.notation.code.libraries import FUNCTIONS, STATIC_FUNCTIONS
from derivations.notation.code.matrices import below_gap
from derivations.notation.code.operations import Graph
from derivations.notation.code.products import Products, array_shape, distinct_parts, has_narrow_term, shared_parts
from derivations.notation.code.scalars import is_even_power
from derivations.scalars import Norm
from derivations.spectral import LargestEigenvector, PseudoInverse, symmetric_part

# More than float64 has.
DIGITS = 20


def plan(expressions, inputs):
    """(graph, operation) of the cheapest program for one of several equal expressions; inputs: variable -> name.

    One program prefers parts that several products have, another takes each product by itself; where sums like
    X - UV' meet a factor, there are programs that multiply them out.
    """
    program = _least(expressions, inputs, multiplies=False)
    if any(map(_meets_a_narrow_sum, expressions)):
        other = _least(expressions, inputs, multiplies=True)
        program = other if is_likely_less(other[0], program[0]) else program
    return program[1:]


def _least(expressions, inputs, multiplies):
    programs = [
        least([_planned(e, inputs, parts, multiplies) for parts in (shared_parts(e), {})], lambda program: program[0])
        for e in expressions
    ]
    # The first expression is the most readable one: another has to be better by more than a few entries.
    return least(programs, lambda program: program[0]._replace(rest=()))


def _meets_a_narrow_sum(expression):
    factors = [a for node in distinct_parts(expression) if isinstance(node, Product) for a in node.args]
    return any(has_narrow_term(f.args[0] if isinstance(f, Transpose) else f) for f in factors)


def _planned(expression, inputs, parts, multiplies):
    """A program in which an inverse that is needed itself serves for the systems of its matrix too."""
    inverted = frozenset()
    while True:
        planner = Planner(expression, inputs, parts, inverted, multiplies)
        result = planner.natural(expression)
        formed = {matrix for matrix, operation in planner.inverses.items() if operation in result.reach}
        formed |= {matrix for matrix in planner.invertible if planner.square_systems(matrix, result) > 1}
        if formed <= inverted:
            return Costs(planner.costs.shapes).total(result), planner.graph, result
        inverted |= formed


def _is_symmetric(e):
    if e.shape[0] != e.shape[1] or (isinstance(e, Product) and Transpose(e.args[0]) != e.args[-1]):
        return False
    return Transpose(e) == e


class Planner:
    """The operations of one expression and of its parts, by the kinds of their nodes."""

    def __init__(self, expression, inputs, parts, inverted, multiplies):
        self.graph = Graph()
        self.costs = Costs(sorted({v.shape for v in inputs if is_matrix(v)}, key=str))
        self.products = Products(self.graph, self.costs, self.natural, self.loose, parts, inverted, multiplies)
        self.inputs = {v: self.graph.make("input", (), array_shape(shape_of(v)), name) for v, name in inputs.items()}
        self.known, self.inverses = {}, {}
        nodes = distinct_parts(expression)
        self.invertible = {n.args[0] for n in nodes if isinstance(n, Inverse)}
        self.with_vectors = {n.args[0] for n in nodes if isinstance(n, LargestEigenvector)}
        self.with_vectors |= {below_gap(n.args[0]) for n in nodes if isinstance(n, PseudoInverse)}
        self.rooted = {a for n in nodes if not is_even_power(n) for a in n.args if isinstance(a, Norm)}

    def natural(self, e):
        """The array of an expression: of no axis for a scalar, one for a vector, two for a matrix."""
        return self.graph.spread(self.loose(e), array_shape(shape_of(e)))

    def loose(self, e):
        """An array that broadcasts to that of the expression."""
        if e not in self.known:
            operation = self._operation(e)
            if len(operation.shape) == 2 and _is_symmetric(e):
                operation = operation.args[0] if operation.name == "transpose" else operation
                self.graph.symmetric.add(operation)
            self.known[e] = operation
        return self.known[e]

    def _operation(self, e):
        if e in self.inputs:
            return self.inputs[e]
        if self.is_static(e):
            return self.graph.static(e)
        if type(e) in FORMS:
            return FORMS[type(e)](self, e)
        if isinstance(e, Relational):
            return self.graph.make("compare", map(self.loose, (e.lhs, e.rhs)), (), e.rel_op)
        if type(e) in FUNCTIONS and not all(a.is_number and a.is_Atom for a in e.args):
            return self.function(type(e), *map(self.loose, e.args))
        if not is_matrix(e) and e.is_number and (number := e.evalf(DIGITS)).is_Float:
            return self.graph.static(number)
        if type(e) in FUNCTIONS:
            return self.function(type(e), *map(self.loose, e.args))
        raise UnsupportedError(f"no code for {type(e).__name__}")

    def is_static(self, e):
        """Whether Python's own arithmetic does: numbers, sizes, and functions of them that its math module has."""
        if is_matrix(e) or e in self.inputs:
            return False
        known = e.is_Number or e.is_NumberSymbol or isinstance(e, (Symbol, Add, Mul, Pow))
        return (known or type(e) in STATIC_FUNCTIONS) and all(map(self.is_static, e.args))

    def cheapest(self, operations):
        return least(operations, self.costs.total)

    def function(self, kind, *args):
        """An elementwise function of arrays."""
        graph = self.graph
        if kind is huber:
            # With a = min(|u|, c): a (|u| - a/2) is u^2/2 inside and c (|u| - c/2) outside.
            size = self.named("abs", args[0])
            inner = self.named("min", size, args[1])
            return graph.times(inner, graph.add(size, graph.negative(graph.divide(inner, graph.number(2)))))
        if kind is clip:
            return self.named("min", self.named("max", *args[:2]), args[2])
        if kind is polygamma and args[0] is graph.number(0):
            return self.named("digamma", args[1])
        return self.named(FUNCTIONS[kind], *args)

    def named(self, name, *args):
        """A function that the libraries have; they want an array where there are only numbers."""
        if all(a.is_static for a in args):
            args = (self.graph.make("number", args[:1]), *args[1:])
        return self.graph.function(name, *args)

    def square_systems(self, matrix, result):
        """How many systems with a matrix have as many right sides as unknowns: two cost more than its inverse."""
        factor = self.graph.factor(self.graph.untransposed(self.natural(matrix))[0])
        return sum(op.name == "solve" and op.args[0] is factor and op.shape == factor.shape for op in result.reach)

    def flat(self, matrix):
        """All entries of a matrix as a vector, row by row."""
        return self.graph.reshape(self.natural(matrix), (Mul(*matrix.shape),))

    def eigh(self, matrix):
        """The eigenvalues and eigenvectors of the symmetric part of a matrix."""
        part = self.natural(symmetric_part(matrix))
        return self.graph.make("eigh", (part,), part.shape)


FORMS = {**scalars.FORMS, **matrices.FORMS}
