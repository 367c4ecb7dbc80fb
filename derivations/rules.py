"""The calculus as tables: differentials, moves that free dX, and simplifications. One rule, one row.

A differential row is `apply(e, d)`, with `d` the differential of a part (zero for constants).
"""

from dataclasses import replace

from sympy import Add, Derivative, Dummy, Expr, Mul, Pow, Symbol, log

from derivations.derivation import Rule
from derivations.elementwise import SLOTS, Apply, Diag, DiagonalOf, Hadamard, Softmax, has_slot
from derivations.expressions import EntrySum, Inner, Inverse, LossGradient, Ones, Power, Product, Scale, Sum, Transpose
from derivations.functions import slope
from derivations.scalars import Det, LogDet, LogSumExp, Loss, MatrixScalar, Norm, Trace

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
    for p in _parameters(function):
        if d(p) != 0:
            symbol = Dummy("p", real=True, positive=p.is_positive or None)
            by_parameter = slope(function.xreplace({p: symbol}), symbol).xreplace({symbol: p})
            terms.append(Scale(d(p), Apply(by_parameter, *matrices)))
    return Sum(*terms)


def _apply_power(e, d):
    base, exponent = e.args
    if d(exponent) != 0 or not (exponent.is_Integer and exponent > 0):
        return None
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
        source="Goodfellow, Bengio & Courville (2016), Deep Learning, 6.2.2",
    ),
    Rule(Apply, "elementwise chain rule", r"d f(U) = f'(U)\odot dU", _apply_elementwise),
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
        source="Goodfellow, Bengio & Courville (2016), Deep Learning, 6.2.2",
    ),
    Rule(
        Softmax,
        "softmax",
        r"d p = (\operatorname{diag}p - pp^\top)\,dz,\ p=\operatorname{softmax}(z)",
        _softmax_differential,
        source="Goodfellow, Bengio & Courville (2016), Deep Learning, 6.2.2",
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
        Loss,
        "gradient of the loss",
        r"dL(W) = \operatorname{tr}\bigl((\partial L/\partial W)^\top dW\bigr)",
        lambda e, d: pairing(LossGradient(*e.args), d(e.args[1])),
    ),
)

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
)

# The same moves where dX is a vector.
INNER_MOVES = tuple(
    replace(rule, name=SCALAR_TRANSPOSE.name, statement=SCALAR_TRANSPOSE.statement) if rule.name == TRACE.name else rule
    for rule in TRACE_MOVES
)


def _jacobian_product(left, product, moves):
    at = next(i for i, f in enumerate(product.args) if moves(f))
    moving, right = product.args[at], product.args[at + 1 :]
    left = Product(left, *product.args[:at])
    if not right:
        return left, moving
    if isinstance(moving, Diag):
        return Product(left, Diag(Product(*right))), moving.args[0]
    return None


def _jacobian_hadamard(left, product, moves):
    fixed = Hadamard(*(f for f in product.args if not moves(f)))
    return Product(left, Diag(fixed)), next(f for f in product.args if moves(f))


# apply(L, U, moves) -> (L', V) with L U = L' V and V one layer inside the vector U.
VECTOR_MOVES = (
    Rule(Product, "associativity", r"A(B\,du) = (AB)\,du", _jacobian_product),
    Rule(
        Hadamard, "Hadamard product as a diagonal matrix", r"a\odot du = \operatorname{diag}(a)\,du", _jacobian_hadamard
    ),
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
JACOBIAN = Rule(
    None, "read off the Jacobian", r"dy = J\,dx \Rightarrow \partial y_i/\partial x_j = J_{ij}", role="jacobian"
)
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
