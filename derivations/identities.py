"""Facts of matrix algebra that make an expression shorter: each gives the new form of a node, or None."""

import itertools

from derivations.collecting import canonical, factors_of, shorter, shortest, size
from derivations.elementwise import Diag, DiagonalOf, Hadamard
from derivations.expressions import (
    Identity,
    Inner,
    Inverse,
    Ones,
    Power,
    Product,
    Scale,
    Sum,
    Transpose,
    Variable,
    is_declared,
    is_vector,
    split_scale,
)
from derivations.kronecker import Kronecker, Unvec, Vec
from derivations.scalars import Trace
from derivations.spectral import MatrixFunction, PseudoInverse, function_of, scalar_function


def _transpose_cost(e):
    return sum(isinstance(f, Transpose) for f in e.args)


def merge_transposed(e):
    """x'A'y + y'A x: write equal scalars one way."""
    inners = sorted(e.atoms(Inner), key=lambda i: (_transpose_cost(i), canonical(i)))
    for kept in inners:
        other = kept.transposed
        if other != kept and other in inners:
            return e.xreplace({other: kept})
    traces = sorted((t for t in e.atoms(Trace) if isinstance(t.args[0], Product)), key=canonical)
    for kept in traces:
        for other in traces:
            if other != kept and other in _same_traces(kept):
                return e.xreplace({other: kept})
    return None


def _same_traces(trace):
    """The trace of every rotation of a product, and of their transposes."""
    factors = trace.args[0].args
    for i in range(len(factors)):
        rotated = Product(*factors[i:], *factors[:i])
        yield Trace(rotated)
        yield Trace(Transpose(rotated))


def fewer_transposes(e):
    """y'A'x = x'A y."""
    other = e.transposed
    return other if isinstance(other, Inner) and _transpose_cost(other) < _transpose_cost(e) else None


def diagonal_times_vector(e):
    """diag(v) x = v o x, and diag(v) diag(w) = diag(v o w)."""
    args = list(e.args)
    for i in range(len(args) - 1):
        if isinstance(args[i], Diag) and isinstance(args[i + 1], Diag):
            return Product(*args[:i], Diag(Hadamard(args[i].args[0], args[i + 1].args[0])), *args[i + 2 :])
    if isinstance(args[-2], Diag) and is_vector(args[-1]):
        return Product(*args[:-2], Hadamard(args[-2].args[0], args[-1]))
    if isinstance(args[1], Diag) and is_vector(Transpose(args[0])):
        return Product(Transpose(Hadamard(Transpose(args[0]), args[1].args[0])), *args[2:])
    return None


def hadamard_of_blocks(e):
    """The diagonal of A diag(x) B is (A o B')x: what Kronecker products with a vector at both ends pick out."""
    args = e.args
    ends = [(_ends(f, row=True), _ends(f, row=False)) for f in args]
    for i, j in itertools.combinations(range(len(args)), 2):
        pairs = list(itertools.product(ends[i][0], ends[j][1])) if j > i + 1 else []
        picked = [_picked(left, args[i + 1 : j], right) for left, right in pairs]
        if picked and None not in picked:
            return shorter(Product(*args[:i], Sum(*picked), *args[j + 1 :]), e)
    return None


def _ends(factor, row):
    """The terms of a factor, if each is a Kronecker product with a row, or a column, at one end; else none."""
    whole = factor.args[0] if isinstance(factor, Transpose) else factor
    terms = [Transpose(t) if whole is not factor else t for t in whole.args] if isinstance(whole, Sum) else [factor]
    axis = 0 if row else 1
    is_end = all(isinstance(t, Kronecker) and 1 in (t.args[0].shape[axis], t.args[-1].shape[axis]) for t in terms)
    return terms if is_end else []


def _vector_and_rest(end, row):
    """An end as (vector, the other factor, whether the vector stands first)."""
    axis = 0 if row else 1
    first = end.args[0].shape[axis] == 1
    vector, rest = (end.args[0], end.args[1:]) if first else (end.args[-1], end.args[:-1])
    return (Transpose(vector) if row else vector), Kronecker(*rest), first


def _picked(left, between, right):
    """(p' kron L) diag(vec Y) (M kron Q) diag(vec Z) (w kron R) without Kronecker products, or None.

    With V = R diag(x) the right end makes vec(V w'), the diagonal matrices are Hadamard products with Y and Z, the
    Kronecker product makes Q V M', and the left end L V p. Where a vector stands last, all is transposed.
    """
    at = next((k for k, f in enumerate(between) if isinstance(f, Sum)), None)
    if at is not None:
        terms = [_picked(left, (*between[:at], t, *between[at + 1 :]), right) for t in between[at].args]
        return None if any(t is None for t in terms) else Sum(*terms)
    scalar, chain = split_scale(Product(*between))
    p, outer, first = _vector_and_rest(left, row=True)
    w, inner, same = _vector_and_rest(right, row=False)
    rows, columns = (outer.shape[1], p.shape[0]) if first else (p.shape[0], outer.shape[1])
    kinds = {True: [], False: []}
    middle = None
    for f in factors_of(chain):
        if isinstance(f, Diag):
            kinds[middle is None].append(f.args[0])
        elif middle is None and isinstance(f, Kronecker) and len(f.args) == 2:
            middle = f.args
        else:
            return None
    m, q = middle or (Identity(columns), Identity(rows))
    if (q.shape[0], m.shape[0]) != (rows, columns):
        return None
    below = (inner.shape[0], w.shape[0]) if same else (w.shape[0], inner.shape[0])
    if below != (q.shape[1], m.shape[1]):
        return None
    y = Hadamard(Ones(rows, columns), *(Unvec(v, rows, columns) for v in kinds[True]))
    z = Hadamard(Ones(*below), *(Unvec(v, *below) for v in kinds[False]))
    if not first:
        y, z, m, q, same = Transpose(y), Transpose(z), q, m, not same
    p, w = Diag(p), Diag(w)
    if middle is None:
        weights = Diag(Product(y, p, w, Ones(y.shape[1]))) if same else Product(w, y, p)
        return Scale(scalar, Product(outer, weights, inner))
    weights = Hadamard(q, Product(y, p, m, w, Transpose(z))) if same else Hadamard(Product(q, w, z), Product(y, p, m))
    return Scale(scalar, Product(outer, weights, inner))


def trace_of_vec(e):
    """vec(A)'vec(B) = tr(A'B)."""
    if len(e.args) == 2 and isinstance(e.args[0], Transpose):
        left, right = e.args[0].args[0], e.args[1]
        if isinstance(left, Vec) and isinstance(right, Vec) and left.args[0].shape == right.args[0].shape:
            return Trace(Product(Transpose(left.args[0]), right.args[0]))
    return None


def diagonal_of_product(e):
    """diag(diag(u) M) = u o diag(M), diag(a b') = a o b, and diag(M') = diag(M)."""
    (matrix,) = e.args
    if not isinstance(matrix, Product):
        return shorter(DiagonalOf(Transpose(matrix)), e)
    if len(matrix.args) == 2 and matrix.args[0].shape[1] == 1:
        return Hadamard(matrix.args[0], Transpose(matrix.args[1]))
    if isinstance(matrix.args[0], Diag):
        return Hadamard(matrix.args[0].args[0], DiagonalOf(Product(*matrix.args[1:])))
    if isinstance(matrix.args[-1], Diag):
        return Hadamard(DiagonalOf(Product(*matrix.args[:-1])), matrix.args[-1].args[0])
    return shorter(DiagonalOf(Transpose(matrix)), e)


def masked_by_identity(e):
    """I o (a b') = diag(a o b), and I o D = D for a diagonal matrix."""
    if not any(isinstance(f, Identity) for f in e.args):
        return None
    matrix = Hadamard(*(f for f in e.args if not isinstance(f, Identity)))
    if isinstance(matrix, Product) and len(matrix.args) == 2 and matrix.args[0].shape[1] == 1:
        return Diag(Hadamard(matrix.args[0], Transpose(matrix.args[1])))
    return matrix if is_diagonal(matrix) else None


def is_diagonal(matrix):
    """Whether the form of a square matrix shows that it is diagonal."""
    if isinstance(matrix, (Diag, Identity)) or (isinstance(matrix, Variable) and is_declared(matrix, {"diagonal"})):
        return True
    if isinstance(matrix, (Inverse, Transpose, Power)):
        return is_diagonal(matrix.args[0])
    if isinstance(matrix, (Scale, MatrixFunction)):
        return is_diagonal(matrix.args[1])
    if isinstance(matrix, (Sum, Product)):
        return all(is_diagonal(a) for a in matrix.args)
    return isinstance(matrix, Hadamard) and any(is_diagonal(a) for a in matrix.args)


def penrose(e):
    """A A^+ A = A, A^+ A A^+ = A^+, and the products A A^+ and A^+ A are symmetric."""
    args = e.args
    for i, (a, b) in enumerate(itertools.pairwise(args)):
        if b != PseudoInverse(a) or isinstance(b, Inverse):
            continue
        if args[i + 2 : i + 3] == (a,):
            return Product(*args[: i + 1], *args[i + 3 :])
        new = shorter(Product(*args[:i], Transpose(b), Transpose(a), *args[i + 2 :]), e)
        if new is not None:
            return new
    return None


def inverses_of_products(e):
    """A (B A)^-1 = B^-1, where all are square."""
    for i, f in enumerate(e.args):
        inner = f.args[0] if isinstance(f, Inverse) else None
        transposed = isinstance(f, Transpose) and isinstance(f.args[0], Inverse)
        if transposed:
            inner = Transpose(f.args[0].args[0])
        if isinstance(inner, Product) and all(g.shape[0] == g.shape[1] for g in inner.args):
            expanded = Product(*e.args[:i], *(Inverse(g) for g in reversed(inner.args)), *e.args[i + 1 :])
            if (new := shorter(expanded, e)) is not None:
                return new
    return None


def join_inverses(e):
    """A^-1 B^-1 = (B A)^-1."""
    for i, (left, right) in enumerate(itertools.pairwise(e.args)):
        if isinstance(left, Inverse) and isinstance(right, Inverse):
            joined = Inverse(Product(right.args[0], left.args[0]))
            return shorter(Product(*e.args[:i], joined, *e.args[i + 2 :]), e)
    return None


def functions_of_one_matrix(e):
    """A log(A) and log(A) A, A^-1 A^(1/2) and the like: one order and the fewest factors."""
    inside = [f.args[1] for f in e.args if isinstance(f, MatrixFunction)]
    for matrix in sorted(set(inside), key=canonical):
        for start in range(len(e.args)):
            for stop in range(len(e.args), start + 1, -1):
                function = scalar_function(e.args[start:stop], matrix)
                new = None if function is None else function_of(function, matrix)
                if new is not None:
                    whole = Product(*e.args[:start], new, *e.args[stop:])
                    return whole if whole != e and size(whole) <= size(e) else None
    return None


def _both_ways(e):
    """A sum or a product as it is and transposed, each with the way back: what holds at one side holds at the other."""
    yield e, lambda m: m
    yield Transpose(e) if not isinstance(e, Sum) else Sum(*(Transpose(t) for t in e.args)), Transpose


def _inverted(factor):
    """What a factor is the inverse of, or None."""
    if isinstance(factor, Transpose) and isinstance(factor.args[0], Inverse):
        below = factor.args[0].args[0]
        return Sum(*(Transpose(t) for t in below.args)) if isinstance(below, Sum) else Transpose(below)
    return factor.args[0] if isinstance(factor, Inverse) else None


def complement(e):
    """C - B (A + B)^-1 C = A (A + B)^-1 C, and the same from the right."""
    if len(e.args) != 2:
        return None
    candidates = []
    for total, back in _both_ways(e):
        if not isinstance(total, Sum) or len(total.args) != 2:
            continue
        for first, second in (total.args, total.args[::-1]):
            (scale, start), (other, core) = split_scale(first), split_scale(second)
            for at, factor in enumerate(factors_of(core)):
                below = _inverted(factor)
                rest = core.args[at + 1 :] if at else ()
                if not at or scale != -other or not isinstance(below, Sum):
                    continue
                if (Product(*rest) if rest else Identity(below.shape[0])) == start:
                    left = below - Product(*core.args[:at])
                    candidates.append(back(Scale(scale, Product(left, factor, *rest))))
    return shorter(shortest(candidates), e)


def push_through(e):
    """A^-1 U (C + V A^-1 U)^-1 = (A + U C^-1 V)^-1 U C^-1, and the same from the right."""
    candidates = []
    for product, back in _both_ways(e):
        args = factors_of(product)
        for i, j in itertools.combinations(range(len(args)), 2):
            matrix, inner = _inverted(args[i]), _inverted(args[j])
            if matrix is not None and inner is not None and j > i + 1:
                whole = _pushed_through(matrix, args[i + 1 : j], inner)
                if whole is not None:
                    candidates.append(back(Product(*args[:i], whole, *args[j + 1 :])))
    return shorter(shortest(candidates), e)


def _pushed_through(matrix, between, inner):
    """(A + U C^-1 V)^-1 U C^-1 for A, the factors of U, and C + V A^-1 U, or None."""
    tail = (Inverse(matrix), *between)
    for term in inner.args if isinstance(inner, Sum) else ():
        scalar, core = split_scale(term)
        factors = factors_of(core)
        if factors[-len(tail) :] == tail and len(factors) > len(tail):
            below = Inverse(inner - term)
            right = Scale(scalar, Product(*factors[: -len(tail)]))
            return Inverse(matrix + Product(*between, below, right)) * Product(*between, below)
    return None
