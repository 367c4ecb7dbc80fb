"""The operations of scalars: of SymPy's, and of the nodes that make a matrix a scalar."""

from sympy import Add, And, Contains, Integer, Mul, Pow, factorial, log

from derivations.elementwise import Diag
from derivations.expressions import EntrySum, Inner, Inverse
from derivations.notation.code.reductions import entry_sums, traces
from derivations.scalars import Det, LogDet, LogSumExp, Norm, Trace
from derivations.spectral import LargestEigenvalue, NuclearNorm, symmetric_part


def add(planner, e):
    return planner.graph.add(*map(planner.loose, e.args))


def multiply(planner, e):
    static = Mul(*(f for f in e.args if planner.is_static(f)))
    above, below = [], []
    for f in e.args:
        if not planner.is_static(f):
            divides = isinstance(f, Pow) and f.exp.is_number and f.exp.is_negative
            (below if divides else above).append(planner.loose(1 / f if divides else f))
    top, bottom = static.as_numer_denom() if below else (static, Integer(1))
    above, below = [planner.graph.static(top), *above], [planner.graph.static(bottom), *below]
    return planner.graph.divide(planner.graph.times(*above), planner.graph.times(*below))


def power(planner, e):
    if is_even_power(e) and e.base not in planner.rooted:
        entries = planner.natural(e.base.args[0])
        square = planner.graph.sum(planner.graph.power(entries, planner.graph.number(2)))
        return planner.graph.power(square, planner.graph.static(e.exp / 2))
    return planner.graph.power(planner.loose(e.base), planner.loose(e.exp))


def logarithm(planner, e):
    if isinstance(e.args[0], factorial):
        return planner.named("lgamma", planner.loose(e.args[0].args[0]))
    return planner.function(log, planner.loose(e.args[0]))


def conjunction(planner, e):
    return planner.graph.make("all", map(planner.loose, e.args))


def membership(planner, e):
    return planner.graph.make("member", map(planner.loose, (e.args[0], *sorted(e.args[1].args))))


def inner(planner, e):
    return planner.products.chain(e.args)


def trace(planner, e):
    return planner.cheapest(traces(planner, e.args[0]))


def entry_sum(planner, e):
    return planner.cheapest(entry_sums(planner, e.args[0]))


def norm(planner, e):
    return planner.graph.make("norm", (planner.natural(e.args[0]),))


def determinant(planner, e):
    if isinstance(e, LogDet) and isinstance(e.args[0], Inverse):
        return planner.graph.negative(planner.loose(LogDet(e.args[0].args[0])))
    if isinstance(e.args[0], Diag):
        vector = planner.natural(e.args[0].args[0])
        return planner.graph.make({Det: "prod", LogDet: "logdet_of_diagonal"}[type(e)], (vector,))
    return planner.graph.make({Det: "det", LogDet: "logdet"}[type(e)], (planner.natural(e.args[0]),))


def log_sum_exp(planner, e):
    return planner.graph.make("logsumexp", (planner.flat(e.args[0]),))


def largest_eigenvalue(planner, e):
    if e.args[0] in planner.with_vectors:
        return planner.graph.make("last_value", (planner.eigh(e.args[0]),))
    return planner.graph.make("largest_eigenvalue", (planner.natural(symmetric_part(e.args[0])),))


def nuclear_norm(planner, e):
    return planner.graph.make("nuclear_norm", (planner.natural(e.args[0]),))


def is_even_power(e):
    """Whether a norm stands in a power that needs no root."""
    return isinstance(e, Pow) and isinstance(e.base, Norm) and bool(e.exp.is_even)


FORMS = {
    Add: add,
    Mul: multiply,
    Pow: power,
    log: logarithm,
    And: conjunction,
    Contains: membership,
    Inner: inner,
    Trace: trace,
    EntrySum: entry_sum,
    Norm: norm,
    Det: determinant,
    LogDet: determinant,
    LogSumExp: log_sum_exp,
    LargestEigenvalue: largest_eigenvalue,
    NuclearNorm: nuclear_norm,
}
