"""The calculus as tables: differentials, moves that free dX, and simplifications. One rule, one row.

A differential row is `apply(e, d)`, with `d` the differential of a part (zero for constants).
"""

from dataclasses import replace

from sympy import Add, Derivative, Dummy, Expr, Mul, Pow, Symbol, log

from derivations.derivation import Rule
from derivations.elementwise import SLOTS, Apply, Diag, DiagonalOf, Hadamard, Softmax, SoftmaxRows, has_slot
from derivations.errors import UnsupportedError
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
from derivations.kronecker import Commutation, Kronecker, Unvec, Vec
from derivations.scalars import Det, LogDet, LogSumExp, Loss, MatrixScalar, Norm, Trace
from derivations.spectral import FUNCTION_NAMES as MATRIX_FUNCTION_NAMES
from derivations.spectral import (
    MATRIX_FUNCTIONS,
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

# ------------------------------------------------------------------------------- differentials


def pairing(gradient, matrix):
    """tr(G' M), the inner product of matrices of one shape, as a reader would write it."""
    return Product(Transpose(gradient), matrix) if matrix.shape[1] == 1 else Trace(Product(Transpose(gradient), matrix))


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
                change = function_of(function.diff(SLOTS[0]), matrix)
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
    change = function_of(slope(e.args[0], SLOTS[0]), e.args[1])
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
    NuclearNorm: "the matrix under the nuclear norm has full column rank",
    PseudoInverse: "the rank under the pseudo-inverse does not change",
    Adjugate: "the matrix under the adjugate is invertible",
    Det: "the matrix under the determinant is invertible",
    huber: "the threshold of huber is positive",
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

# --------------------------------------------------------------------------- moves that free dX

TRACE = Rule(
    None,
    "trace: cyclic, transpose",
    r"\operatorname{tr}(AB) = \operatorname{tr}(BA),\ \operatorname{tr}(A^\top) = \operatorname{tr}A",
)
SCALAR_TRANSPOSE = Rule(None, "a scalar equals its transpose", r"a^\top b = b^\top a")


def _free_product(gradient, product, moves):
    at = next(i for i, f in enumerate(product.args) if moves(f))
    left, right = product.args[:at], product.args[at + 1 :]
    return Product(
        *(Transpose(f) for f in reversed(left)), gradient, *(Transpose(f) for f in reversed(right))
    ), product.args[at]


def _free_hadamard(gradient, product, moves):
    fixed = [f for f in product.args if not moves(f)]
    return Hadamard(*fixed, gradient), next(f for f in product.args if moves(f))


def _peel(product, moves):
    """A Kronecker product as (moving part, fixed factor, whether that stands at the left), one factor taken off."""
    last = product.args[-1]
    if moves(last):
        return Kronecker(*product.args[1:]), product.args[0], True
    return Kronecker(*product.args[:-1]), last, False


def _vec_of_kronecker(product, moves):
    """J with vec(A kron U) = J vec(U), and U."""
    moving, fixed, at_left = _peel(product, moves)
    (m, n), (p, q) = (fixed.shape, moving.shape) if at_left else (moving.shape, fixed.shape)
    turn = Kronecker(Identity(n), Commutation(q, m), Identity(p))
    size = Identity(moving.shape[0] * moving.shape[1])
    return Product(turn, Kronecker(Vec(fixed), size) if at_left else Kronecker(size, Vec(fixed))), moving


def _free_kronecker(gradient, product, moves):
    moving, fixed, at_left = _peel(product, moves)
    parts = gradient.args if isinstance(gradient, Kronecker) else ()
    for i in range(1, len(parts)):
        left, right = Kronecker(*parts[:i]), Kronecker(*parts[i:])
        other, own = (left, right) if at_left else (right, left)
        if other.shape == fixed.shape and own.shape == moving.shape:
            return Scale(pairing(other, fixed), own), moving
    jacobian, moving = _vec_of_kronecker(product, moves)
    return Unvec(Product(Transpose(jacobian), Vec(gradient)), *moving.shape), moving


# apply(G, U, moves) -> (G', V) with tr(G'U) = tr(G''V) and V one layer inside U.
TRACE_MOVES = (
    Rule(
        Product,
        TRACE.name,
        r"\operatorname{tr}(G^\top A\,dU\,B) = \operatorname{tr}((A^\top G B^\top)^\top dU)",
        _free_product,
    ),
    Rule(
        Transpose,
        TRACE.name,
        r"\operatorname{tr}(G^\top dU^\top) = \operatorname{tr}(G\,dU)",
        lambda g, u, _: (Transpose(g), u.args[0]),
    ),
    Rule(
        Hadamard,
        "Hadamard factor moves across",
        r"\operatorname{tr}(G^\top(A\odot dU)) = \operatorname{tr}((G\odot A)^\top dU)",
        _free_hadamard,
    ),
    Rule(
        Diag,
        "diagonal moves across",
        r"\operatorname{tr}(G^\top\operatorname{diag}du) = \operatorname{diag}(G)^\top du",
        lambda g, u, _: (DiagonalOf(g), u.args[0]),
    ),
    Rule(
        DiagonalOf,
        "diagonal moves across",
        r"g^\top\operatorname{diag}(dU) = \operatorname{tr}(\operatorname{diag}(g)\,dU)",
        lambda g, u, _: (Diag(g), u.args[0]),
    ),
    Rule(
        Vec,
        "vec moves across",
        r"g^\top\operatorname{vec}dU = \operatorname{tr}(\operatorname{unvec}(g)^\top dU)",
        lambda g, u, _: (Unvec(g, *u.args[0].shape), u.args[0]),
    ),
    Rule(
        Unvec,
        "vec moves across",
        r"\operatorname{tr}(G^\top\operatorname{unvec}du) = \operatorname{vec}(G)^\top du",
        lambda g, u, _: (Vec(g), u.args[0]),
    ),
    Rule(
        Kronecker,
        "Kronecker factor moves across",
        r"\operatorname{tr}((G\otimes H)^\top(A\otimes dU)) = \operatorname{tr}(G^\top A)\operatorname{tr}(H^\top dU)",
        _free_kronecker,
    ),
    Rule(
        Frechet,
        "adjoint of the Fréchet derivative",
        r"\operatorname{tr}(G^\top L_f(U, dU)) = \operatorname{tr}(L_f(U^\top, G)^\top dU)",
        lambda g, u, _: (Frechet(u.args[0], Transpose(u.args[1]), g), u.args[2]),
        source=HIGHAM,
    ),
)

# The same moves where dX is a vector.
INNER_MOVES = tuple(
    replace(rule, name=SCALAR_TRANSPOSE.name, statement=SCALAR_TRANSPOSE.statement) if rule.name == TRACE.name else rule
    for rule in TRACE_MOVES
)


def _vec_product(left, product, moves):
    at = next(i for i, f in enumerate(product.args) if moves(f))
    before, moving, after = product.args[:at], product.args[at], product.args[at + 1 :]
    outer, right = Product(*before) if before else Identity(moving.shape[0]), Product(*after) if after else None
    if not isinstance(moving, Diag):
        turned = Identity(moving.shape[1]) if right is None else Transpose(right)
        return Product(left, Kronecker(turned, outer)), moving
    vector, size = moving.args[0], moving.shape[0]
    if right is None:  # A diag(u) = A o (1 u')
        return Product(left, Diag(Vec(outer)), Kronecker(Identity(size), Ones(outer.shape[0]))), vector
    # diag(u) B = (u 1') o B
    columns = right.shape[1]
    spread = Kronecker(Ones(columns), Identity(size))
    return Product(left, Kronecker(Identity(columns), outer), Diag(Vec(right)), spread), vector


def _vec_hadamard(left, product, moves):
    fixed = Hadamard(*(f for f in product.args if not moves(f)))
    return Product(left, Diag(Vec(fixed))), next(f for f in product.args if moves(f))


def _vec_kronecker(left, product, moves):
    jacobian, moving = _vec_of_kronecker(product, moves)
    return Product(left, jacobian), moving


def _vec_frechet(left, node, _):
    function, matrix, direction = node.args
    if function != MATRIX_FUNCTIONS["sqrtm"]:
        name = MATRIX_FUNCTION_NAMES.get(function)
        what, example = (name, f"{name}(X)") if name else ("a power with a symbolic or long exponent", "X^k")
        raise UnsupportedError(
            f"the Jacobian of {what} has no closed form in Kronecker products; "
            f"contract it with a constant matrix G, as in tr(G'*{example}), to have its gradient"
        )
    root, size = MatrixFunction(function, matrix), Identity(matrix.shape[0])
    return Product(left, Inverse(Kronecker(Transpose(root), size) + Kronecker(size, root))), direction


def _vec_diagonal(size):
    """The matrix D with vec(diag(u)) = D u and diag(U) = D' vec(U)."""
    return Product(Diag(Vec(Identity(size))), Kronecker(Ones(size), Identity(size)))


# apply(L, U, moves) -> (L', V) with L vec(U) = L' vec(V) and V one layer inside U.
VEC_MOVES = (
    Rule(
        Product,
        "vec of a product",
        r"\operatorname{vec}(A\,dU\,B) = (B^\top\otimes A)\operatorname{vec}dU",
        _vec_product,
    ),
    Rule(
        Transpose,
        "commutation matrix",
        r"\operatorname{vec}(dU^\top) = K\operatorname{vec}dU",
        lambda left, u, _: (Product(left, Commutation(*u.args[0].shape)), u.args[0]),
    ),
    Rule(
        Hadamard,
        "Hadamard product as a diagonal matrix",
        r"\operatorname{vec}(A\odot dU) = \operatorname{diag}(\operatorname{vec}A)\operatorname{vec}dU",
        _vec_hadamard,
    ),
    Rule(
        Diag,
        "vec of a diagonal matrix",
        r"\operatorname{vec}\operatorname{diag}du = \operatorname{diag}(\operatorname{vec}I)(\mathbf1\otimes I)\,du",
        lambda left, u, _: (Product(left, _vec_diagonal(u.shape[0])), u.args[0]),
    ),
    Rule(
        DiagonalOf,
        "diagonal by vec",
        r"\operatorname{diag}dU = (\mathbf1^\top\otimes I)\operatorname{diag}(\operatorname{vec}I)\operatorname{vec}dU",
        lambda left, u, _: (Product(left, Transpose(_vec_diagonal(u.shape[0]))), u.args[0]),
    ),
    Rule(
        (Vec, Unvec),
        "vec",
        r"\operatorname{vec}\operatorname{unvec}du = du",
        lambda left, u, _: (left, u.args[0]),
    ),
    Rule(
        Kronecker,
        "vec of a Kronecker product",
        r"\operatorname{vec}(A\otimes dU) = (I\otimes K\otimes I)(\operatorname{vec}A\otimes I)\operatorname{vec}dU",
        _vec_kronecker,
    ),
    Rule(
        Frechet,
        "derivative of the square root",
        r"S^2 = U \Rightarrow \operatorname{vec}dS = (S^\top\otimes I + I\otimes S)^{-1}\operatorname{vec}dU",
        _vec_frechet,
        source=HIGHAM,
    ),
)

# The same moves where the expression and dX are vectors.
VECTOR_NAMES = {
    "vec of a product": ("associativity", r"A(B\,du) = (AB)\,du"),
    "Hadamard product as a diagonal matrix": (
        "Hadamard product as a diagonal matrix",
        r"a\odot du = \operatorname{diag}(a)\,du",
    ),
}
VECTOR_MOVES = tuple(
    replace(rule, name=VECTOR_NAMES[rule.name][0], statement=VECTOR_NAMES[rule.name][1])
    if rule.name in VECTOR_NAMES
    else rule
    for rule in VEC_MOVES
)

OUTER = Rule(None, "scalar times vector", r"(g^\top dx)\,v = v g^\top dx")

# ------------------------------------------------------------------------------- bookkeeping

COLLECT = Rule(
    None,
    "collect terms",
    r"\operatorname{tr}(A^\top dX) + \operatorname{tr}(B^\top dX) = \operatorname{tr}((A + B)^\top dX)",
)
LINEARITY = Rule(None, "linearity", r"d(A U B + C) = A\,dU\,B")
GRADIENT = Rule(
    None,
    "read off the gradient",
    r"df = \operatorname{tr}(G^\top dX) \Rightarrow \partial f/\partial X = G",
    role="gradient",
)
VECTORISE = Rule(
    None, "stack the columns", r"dY \mapsto \operatorname{vec}dY", role="vec", source="Magnus & Neudecker (2019), ch. 9"
)
JACOBIAN = Rule(
    None,
    "read off the Jacobian",
    r"d\operatorname{vec}Y = J\operatorname{vec}dX \Rightarrow"
    r" \partial\operatorname{vec}Y/\partial\operatorname{vec}(X)^\top = J",
    role="jacobian",
)
COOKBOOK = "Petersen & Pedersen (2012), The Matrix Cookbook, 2.8"
STRUCTURES = {
    "symmetric": Rule(
        None,
        "free entries of a symmetric matrix",
        r"\partial f/\partial X = G + G^\top - G\odot I",
        lambda g: Sum(g, Transpose(g), -Hadamard(g, Identity(g.shape[0]))),
        source=COOKBOOK,
        role="structure",
    ),
    "diagonal": Rule(
        None,
        "free entries of a diagonal matrix",
        r"\partial f/\partial X = G\odot I",
        lambda g: Hadamard(g, Identity(g.shape[0])),
        source=COOKBOOK,
        role="structure",
    ),
}
DENOMINATOR = Rule(
    None,
    "denominator layout: transpose",
    r"(\partial y/\partial x)_{ij} = \partial y_j/\partial x_i",
    role="denominator",
)
DERIVATIVE = Rule(
    None, "read off the derivative", r"dY = Y'\,ds \Rightarrow \partial Y/\partial s = Y'", role="derivative"
)
NUMERATOR = Rule(
    None, "numerator layout: transpose", r"(\partial f/\partial x)_{1j} = \partial f/\partial x_j", role="numerator"
)
ANOTHER_NAME = Rule(None, "another name", r"y = x \Rightarrow dy = dx", minor=True)
# A derivation may end with it: then it names the derivative that vanishes.
CONSTANT = Rule(None, "constant", r"dC = 0", role="constant")
