"""The calculus as tables: the differential of every node. One rule, one row.

A row is `apply(e, d)`, with `d` the differential of a part (zero for constants).
"""

from sympy import Add, Derivative, Dummy, Expr, Mul, Pow, Symbol, log

from derivations.derivation import Rule
from derivations.elementwise import SLOTS, Apply, Diag, DiagonalOf, Hadamard, Softmax, SoftmaxRows, has_slot
from derivations.expressions import (
    EntrySum,
    Identity,
    Inner,
    Inverse,
    LossGradient,
    Ones,
    Power,
    Product,
    Scale,
    Sum,
    Transpose,
)
from derivations.functions import huber, slope
from derivations.kronecker import Kronecker, Unvec, Vec
from derivations.scalars import Det, LogDet, LogSumExp, Loss, MatrixScalar, Norm, Trace, pairing
from derivations.spectral import (
    EIGENVALUE,
    Adjugate,
    Frechet,
    LargestEigenvalue,
    LargestEigenvector,
    MatrixFunction,
    NuclearNorm,
    PseudoInverse,
    function_of,
    polar_factor,
    scalar_function,
    symmetric_part,
)


def _each_factor(build):
    """The product rule for any associative product."""

    def apply(e, d):
        terms = []
        for i, factor in enumerate(e.args):
            change = d(factor)
            if change != 0:
                terms.append(build(*e.args[:i], change, *e.args[i + 1 :]))
        return Add(*terms) if isinstance(e, Expr) else Sum(*terms)

    return apply


def _varying(e, moves):
    return sum(1 for a in e.args if moves(a))


def _one_varies(e, moves):
    return _varying(e, moves) == 1


def units(e, moves):
    """The maximal moving parts of a scalar that scalar calculus takes as its variables."""
    if not moves(e):
        return ()
    if isinstance(e, (MatrixScalar, Inner, EntrySum, Loss, Symbol)) or is_squared_norm(e):
        return (e,)
    return tuple(dict.fromkeys(u for a in e.args for u in units(a, moves)))


def is_squared_norm(e, *_):
    return isinstance(e, Pow) and isinstance(e.base, Norm) and e.exp == 2


def chain_rule(e, d, moves):
    """d f(u, v) = f_u du + f_v dv, with the slopes from SymPy."""
    if units(e, moves) == (e,):
        return None  # a scalar node of which no rule is known
    symbols = {u: Dummy("u", real=True, positive=u.is_positive or None) for u in units(e, moves)}
    back = {symbol: u for u, symbol in symbols.items()}
    # All at once and outermost first: a unit may be part of another, as s is of det(X + s A).
    e = e.xreplace(symbols)
    slopes = {symbol: slope(e, symbol) for symbol in back}
    if any(s.has(Derivative) for s in slopes.values()):
        return None
    return Add(*(s.xreplace(back) * d(back[symbol]) for symbol, s in slopes.items()))


def _parameters(function):
    """The maximal parts of an elementwise function that hold no slot."""
    if function in SLOTS:
        return ()
    if not any(has_slot(function, slot) for slot in SLOTS):
        return (function,)
    return tuple(p for a in function.args for p in _parameters(a))


def _apply_elementwise(e, d):
    function, matrices = e.args[0], e.args[1:]
    terms = [Hadamard(Apply(slope(function, slot), *matrices), d(m)) for slot, m in zip(SLOTS, matrices) if d(m) != 0]
    # All at once and outermost first: one parameter may be part of another, as s is of -s in clip(u, -s, s).
    symbols = {p: Dummy("p", real=True, positive=p.is_positive or None) for p in _parameters(function) if d(p) != 0}
    back = {symbol: p for p, symbol in symbols.items()}
    for p, symbol in symbols.items():
        by_parameter = slope(function.xreplace(symbols), symbol).xreplace(back)
        terms.append(Scale(d(p), Apply(by_parameter, *matrices)))
    return Sum(*terms)


# A power with more factors than these has its differential as one sum with an index.
LONGEST_SUM = 20


def _apply_power(e, d):
    base, exponent = e.args
    if d(exponent) != 0:
        return None
    if not exponent.is_Integer or exponent > LONGEST_SUM:
        return Frechet(SLOTS[0] ** exponent, base, d(base)) if exponent.is_integer else None
    n = int(exponent)
    return Sum(*(Product(Power(base, i), d(base), Power(base, n - 1 - i)) for i in range(n)))


def _softmax_differential(e, d):
    p, change = e, d(e.args[0])
    if e.shape[1] == 1:
        return Product(Sum(Diag(p), -Product(p, Transpose(p))), change)
    return Sum(Hadamard(p, change), -Scale(pairing(p, change), p))


def _is_log_softmax(e, *_):
    return e.args[0] == log(SLOTS[0]) and isinstance(e.args[1], Softmax)


def _log_softmax_differential(e, d):
    p = e.args[1]
    change = d(p.args[0])
    return Sum(change, -Scale(pairing(p, change), Ones(*e.shape)))


def _is_trace_of_power(e, moves):
    return isinstance(e.args[0], Power) and not moves(e.args[0].args[1])


def _slope_under_trace(e):
    """For the trace of commuting functions of one matrix U: (the derivative of their product at U, U), or None."""
    factors = e.args[0].args if isinstance(e.args[0], Product) else (e.args[0],)
    candidates = [f.args[1] for f in e.args[0].atoms(MatrixFunction)]
    for matrix in sorted(candidates, key=lambda m: (len(m.atoms(MatrixFunction)), str(m))):
        for i in range(len(factors)):
            function = scalar_function(factors[i:] + factors[:i], matrix)
            if function is not None:
                change = function_of(function.diff(EIGENVALUE), matrix)
                return None if change is None else (change, matrix)
    return None


def _trace_of_function(e, d):
    change, matrix = _slope_under_trace(e)
    return Trace(change * d(matrix))


def _is_trace_of_function(e, moves):
    found = _slope_under_trace(e)
    # A parameter of the function that moves would be left out.
    return found is not None and not any(
        moves(p) for f in e.args[0].atoms(MatrixFunction) for p in f.args[0].free_symbols - set(SLOTS)
    )


def _commutes(e, moves):
    """Whether the argument of a function of a matrix moves by a scalar factor only."""
    return isinstance(e.args[1], Scale) and not moves(e.args[1].args[1])


def _commuting_function(e, d):
    change = function_of(slope(e.args[0].xreplace({SLOTS[0]: EIGENVALUE}), EIGENVALUE), e.args[1])
    return None if change is None else Product(change, d(e.args[1]))


def _pseudo_inverse_differential(e, d):
    # Golub & Pereyra (1973), for a rank that is locally constant.
    matrix, change = e.args[0], d(e.args[0])
    rows, columns = matrix.shape
    outside, kernel = Identity(rows) - matrix * e, Identity(columns) - e * matrix
    return Sum(
        -(e * change * e),
        e * Transpose(e) * Transpose(change) * outside,
        kernel * Transpose(change) * Transpose(e) * e,
    )


def _eigenvector_differential(e, d):
    part = symmetric_part(e.args[0])
    change = symmetric_part(d(e.args[0]))
    gap = Scale(LargestEigenvalue(e.args[0]), Identity(e.shape[0])) - part
    return PseudoInverse(gap) * change * e


def _softmax_rows_differential(e, d):
    change = d(e.args[0])
    return Hadamard(e, change - Product(Hadamard(e, change), Ones(e.shape[1], e.shape[1])))


def _is_log_softmax_rows(e, *_):
    return e.args[0] == log(SLOTS[0]) and isinstance(e.args[1], SoftmaxRows)


def _log_softmax_rows_differential(e, d):
    p = e.args[1]
    change = d(p.args[0])
    return change - Product(Hadamard(p, change), Ones(e.shape[1], e.shape[1]))


GOODFELLOW = "Goodfellow, Bengio & Courville (2016), Deep Learning, 6.2.2"
HIGHAM = "Higham (2008), Functions of Matrices, ch. 3"
MINKA = "Minka (2000), Old and New Matrix Algebra Useful for Statistics"
CALCULUS = "Calculus of one variable"

DIFFERENTIALS = (
    Rule(Sum, "linearity", r"d(U + V) = dU + dV", lambda e, d: Sum(*(d(t) for t in e.args)), minor=True),
    Rule(
        Scale,
        "constant factor",
        r"d(cU) = c\,dU",
        lambda e, d: d(e.args[0]) * e.args[1] + e.args[0] * d(e.args[1]),
        when=_one_varies,
        minor=True,
    ),
    Rule(
        Scale,
        "product rule",
        r"d(sU) = ds\,U + s\,dU",
        lambda e, d: d(e.args[0]) * e.args[1] + e.args[0] * d(e.args[1]),
    ),
    Rule(
        (Product, Inner),
        "constant factors",
        r"d(AUB) = A\,dU\,B",
        _each_factor(Product),
        when=_one_varies,
        minor=True,
    ),
    Rule((Product, Inner), "product rule", r"d(UV) = dU\,V + U\,dV", _each_factor(Product)),
    Rule(Transpose, "transpose", r"d(U^\top) = (dU)^\top", lambda e, d: Transpose(d(e.args[0])), minor=True),
    Rule(
        Trace,
        "trace of a power",
        r"d\operatorname{tr}(U^k) = k\operatorname{tr}(U^{k-1}\,dU)",
        lambda e, d: (
            e.args[0].args[1] * Trace(Product(Power(e.args[0].args[0], e.args[0].args[1] - 1), d(e.args[0].args[0])))
        ),
        when=_is_trace_of_power,
        source=MINKA,
    ),
    Rule(
        Trace,
        "trace of a function",
        r"d\operatorname{tr}f(U) = \operatorname{tr}(f'(U)\,dU)",
        _trace_of_function,
        when=_is_trace_of_function,
        source=HIGHAM,
    ),
    Rule(Trace, "trace", r"d\operatorname{tr}U = \operatorname{tr}dU", lambda e, d: Trace(d(e.args[0])), minor=True),
    Rule(
        EntrySum,
        "sum of entries",
        r"d(\mathbf1^\top U\mathbf1) = \mathbf1^\top dU\,\mathbf1",
        lambda e, d: EntrySum(d(e.args[0])),
        minor=True,
    ),
    Rule(
        Det,
        "determinant",
        r"d\det U = \det(U)\operatorname{tr}(U^{-1}dU)",
        lambda e, d: e * Trace(Inverse(e.args[0]) * d(e.args[0])),
    ),
    Rule(
        LogDet,
        "log-determinant of a power",
        r"d\log\det U^k = k\operatorname{tr}(U^{-1}dU)",
        lambda e, d: e.args[0].args[1] * Trace(Inverse(e.args[0].args[0]) * d(e.args[0].args[0])),
        when=_is_trace_of_power,
    ),
    Rule(
        LogDet,
        "log-determinant",
        r"d\log\det U = \operatorname{tr}(U^{-1}dU)",
        lambda e, d: Trace(Inverse(e.args[0]) * d(e.args[0])),
    ),
    Rule(Inverse, "inverse", r"d(U^{-1}) = -U^{-1}\,dU\,U^{-1}", lambda e, d: -(e * d(e.args[0]) * e)),
    Rule(Power, "matrix power", r"d(U^k) = \textstyle\sum_{i<k} U^i\,dU\,U^{k-1-i}", _apply_power),
    Rule(
        Hadamard,
        "constant factors",
        r"d(A\odot U) = A\odot dU",
        _each_factor(Hadamard),
        when=_one_varies,
        minor=True,
    ),
    Rule(Hadamard, "product rule", r"d(U\odot V) = dU\odot V + U\odot dV", _each_factor(Hadamard)),
    Rule(
        Apply,
        "log-softmax",
        r"d\log\operatorname{softmax}(z) = dz - \mathbf1\,p^\top dz,\ p=\operatorname{softmax}(z)",
        _log_softmax_differential,
        when=_is_log_softmax,
        source=GOODFELLOW,
    ),
    Rule(
        Pow,
        "squared norm",
        r"d\lVert U\rVert^2 = 2\operatorname{tr}(U^\top dU)",
        lambda e, d: 2 * pairing(e.base.args[0], d(e.base.args[0])),
        when=is_squared_norm,
    ),
    Rule(
        Norm,
        "norm",
        r"d\lVert U\rVert = \operatorname{tr}(U^\top dU)/\lVert U\rVert",
        lambda e, d: pairing(e.args[0], d(e.args[0])) / e,
    ),
    Rule(
        LogSumExp,
        "log-sum-exp",
        r"d\log\mathbf1^\top e^z = \operatorname{softmax}(z)^\top dz",
        lambda e, d: pairing(Softmax(e.args[0]), d(e.args[0])),
        source=GOODFELLOW,
    ),
    Rule(
        Softmax,
        "softmax",
        r"d p = (\operatorname{diag}p - pp^\top)\,dz,\ p=\operatorname{softmax}(z)",
        _softmax_differential,
        source=GOODFELLOW,
    ),
    Rule(
        Diag,
        "diagonal matrix",
        r"d\operatorname{diag}u = \operatorname{diag}du",
        lambda e, d: Diag(d(e.args[0])),
        minor=True,
    ),
    Rule(
        DiagonalOf,
        "diagonal",
        r"d\operatorname{diag}U = \operatorname{diag}dU",
        lambda e, d: DiagonalOf(d(e.args[0])),
        minor=True,
    ),
    Rule(
        Apply,
        "log-softmax of rows",
        r"d\log P = dZ - (P\odot dZ)\mathbf1\mathbf1^\top,\ P=\operatorname{softmax}_{\text{rows}}(Z)",
        _log_softmax_rows_differential,
        when=_is_log_softmax_rows,
        source=GOODFELLOW,
    ),
    Rule(Apply, "elementwise chain rule", r"d f(U) = f'(U)\odot dU", _apply_elementwise),
    Rule(
        SoftmaxRows,
        "softmax of rows",
        r"dP = P\odot(dZ - (P\odot dZ)\mathbf1\mathbf1^\top),\ P=\operatorname{softmax}_{\text{rows}}(Z)",
        _softmax_rows_differential,
        source=GOODFELLOW,
    ),
    Rule(Vec, "vec", r"d\operatorname{vec}U = \operatorname{vec}dU", lambda e, d: Vec(d(e.args[0])), minor=True),
    Rule(
        Unvec,
        "vec",
        r"d\operatorname{unvec}u = \operatorname{unvec}du",
        lambda e, d: Unvec(d(e.args[0]), *e.shape),
        minor=True,
    ),
    Rule(
        Kronecker,
        "constant factors",
        r"d(A\otimes U) = A\otimes dU",
        _each_factor(Kronecker),
        when=_one_varies,
        minor=True,
    ),
    Rule(Kronecker, "product rule", r"d(U\otimes V) = dU\otimes V + U\otimes dV", _each_factor(Kronecker)),
    Rule(
        MatrixFunction,
        "function of a multiple of a matrix",
        r"d f(sA) = f'(sA)\,A\,ds",
        _commuting_function,
        when=_commutes,
        source=HIGHAM,
    ),
    Rule(
        MatrixFunction,
        "function of a matrix",
        r"d f(U) = L_f(U, dU)",
        lambda e, d: Frechet(e.args[0], e.args[1], d(e.args[1])),
        source=HIGHAM,
    ),
    Rule(
        Adjugate,
        "adjugate",
        r"d\operatorname{adj}U = \operatorname{tr}(U^{-1}dU)\operatorname{adj}U - U^{-1}\,dU\operatorname{adj}U",
        lambda e, d: Trace(Inverse(e.args[0]) * d(e.args[0])) * e - Inverse(e.args[0]) * d(e.args[0]) * e,
    ),
    Rule(
        PseudoInverse,
        "pseudo-inverse",
        r"dU^+ = -U^+dU\,U^+ + U^+U^{+\top}dU^\top(I - UU^+) + (I - U^+U)dU^\top U^{+\top}U^+",
        _pseudo_inverse_differential,
        source="Golub & Pereyra (1973), SIAM J. Numer. Anal. 10, 413-432",
    ),
    Rule(
        LargestEigenvalue,
        "simple eigenvalue",
        r"d\lambda = v^\top dS\,v",
        lambda e, d: Product(Transpose(LargestEigenvector(e.args[0])), d(e.args[0]), LargestEigenvector(e.args[0])),
    ),
    Rule(
        LargestEigenvector,
        "eigenvector of a simple eigenvalue",
        r"dv = (\lambda I - S)^+\,dS\,v",
        _eigenvector_differential,
    ),
    Rule(
        NuclearNorm,
        "nuclear norm",
        r"d\lVert U\rVert_* = \operatorname{tr}(U^+(U U^\top)^{1/2}dU)",
        lambda e, d: pairing(polar_factor(e.args[0]), d(e.args[0])),
        source="Watson (1992), Linear Algebra Appl. 170, 33-45",
    ),
    Rule(
        Loss,
        "gradient of the loss",
        r"dL(W) = \operatorname{tr}\bigl((\partial L/\partial W)^\top dW\bigr)",
        lambda e, d: pairing(LossGradient(*e.args), d(e.args[1])),
    ),
)

# Where a differential does not exist everywhere: what must hold where it is taken.
CONDITIONS = {
    Norm: "the argument of the norm is not zero",
    LargestEigenvalue: "the largest eigenvalue is simple",
    LargestEigenvector: "the largest eigenvalue is simple",
    NuclearNorm: "the matrix under the nuclear norm has full rank",
    PseudoInverse: "the rank under the pseudo-inverse does not change",
    Adjugate: "the matrix under the adjugate is invertible",
    Det: "the matrix under the determinant is invertible",
    huber: "the threshold of huber is positive",
}

# The same of second derivatives, where more is needed.
SECOND_CONDITIONS = {
    NuclearNorm: "the matrix under the nuclear norm has full column rank",
    huber: "the threshold of huber is positive, and the second derivative at it is 0",
}

# What to do where a node has no rule for what moves in it.
WAYS_OUT = {
    Power: (
        "a matrix power has a differential where its exponent is a whole number that does not move; "
        "declare it, as in variables={'k': {'kind': 'scalar', 'props': ['integer']}}"
    ),
    Frechet: (
        "the derivative of a function of a matrix has no derivative in closed form; "
        "a second derivative exists here where the matrix moves along itself, as in expm(s*A) by s"
    ),
}

# Scalars are SymPy's: these rows only choose the name that a reader expects.
SCALAR_DIFFERENTIALS = (
    Rule(
        Add,
        "linearity",
        r"d(u + v) = du + dv",
        lambda e, d, _: Add(*(d(t) for t in e.args)),
        minor=True,
        source=CALCULUS,
    ),
    Rule(
        Mul,
        "constant factor",
        r"d(cu) = c\,du",
        lambda e, d, moves: Mul(*(d(f) if moves(f) else f for f in e.args)),
        when=_one_varies,
        minor=True,
        source=CALCULUS,
    ),
    Rule(
        Mul,
        "quotient rule",
        r"d(u/v) = du/v - u\,dv/v^2",
        chain_rule,
        when=lambda e, moves: any(isinstance(f, Pow) and f.exp.is_negative and moves(f) for f in e.args),
        source=CALCULUS,
    ),
    Rule(Mul, "product rule", r"d(uv) = v\,du + u\,dv", chain_rule, source=CALCULUS),
    Rule(Expr, "chain rule", r"d f(u) = f'(u)\,du", chain_rule, source=CALCULUS),
)
