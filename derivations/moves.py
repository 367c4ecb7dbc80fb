"""Moves that free dX: the differential as tr(G' dX), or as J vec(dX). One rule, one row."""

from dataclasses import replace

from derivations.derivation import Rule
from derivations.differentials import HIGHAM
from derivations.elementwise import Diag, DiagonalOf, Hadamard
from derivations.errors import UnsupportedError
from derivations.expressions import (
    Identity,
    Inverse,
    MatrixDifferential,
    Ones,
    Product,
    Scale,
    Transpose,
)
from derivations.kronecker import Commutation, Kronecker, Unvec, Vec
from derivations.scalars import pairing
from derivations.spectral import FUNCTION_NAMES as MATRIX_FUNCTION_NAMES
from derivations.spectral import (
    MATRIX_FUNCTIONS,
    Frechet,
    MatrixFunction,
)

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


HORN = "Horn & Johnson (1991), Topics in Matrix Analysis, ch. 5"


def _has_moving_diagonal(e):
    inside = e.args[0]
    return isinstance(inside, Product) and any(isinstance(f, Diag) and f.has(MatrixDifferential) for f in inside.args)


def _vec_diagonal_of_product(left, node, moves):
    product = node.args[0]
    at = next(i for i, f in enumerate(product.args) if moves(f))
    size = product.args[at].shape[0]
    before, after = (*product.args[:at], Identity(size)), (Identity(size), *product.args[at + 1 :])
    return Product(left, Hadamard(Product(*before), Transpose(Product(*after)))), product.args[at].args[0]


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
        "diagonal of a product",
        r"\operatorname{diag}(A\operatorname{diag}(du)B) = (A\odot B^\top)du",
        _vec_diagonal_of_product,
        when=_has_moving_diagonal,
        source=HORN,
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
