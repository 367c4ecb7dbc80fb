"""The normal form of results: identities that make an expression shorter, each named.

Two tables. COLLECTING only regroups terms and is never worth a line; IDENTITIES holds facts that a
reader wants to see named.
"""

from functools import lru_cache

from sympy import (
    Add,
    Dummy,
    Integer,
    Mul,
    PolynomialError,
    Pow,
    Rational,
    S,
    apart,
    cancel,
    count_ops,
    expand,
    factor,
    fraction,
    gcd,
    together,
)

from derivations.derivation import Rule
from derivations.elementwise import Diag, Hadamard, Softmax
from derivations.expressions import (
    EntrySum,
    Identity,
    Inner,
    Product,
    Scale,
    Sum,
    Transpose,
    Variable,
    is_declared,
    is_matrix,
    is_vector,
    split_scale,
)
from derivations.rewriting import rewrite
from derivations.rules import SCALAR_TRANSPOSE
from derivations.scalars import MatrixScalar, Trace

ALGEBRA = "Matrix algebra"


def size(expression):
    """How long a reader finds an expression: its leaves and functions, numbers free of charge."""
    if not expression.args or isinstance(expression, Variable):
        return 0 if expression.is_Integer else 1
    own = 0 if isinstance(expression, (Sum, Scale, Product, Inner, Add, Mul, Hadamard)) else 1
    return own + sum(size(a) for a in expression.args)


@lru_cache(maxsize=2**14)
def canonical(expression):
    """A text that is the same for equal expressions, whatever the order in which their terms were written."""
    if not expression.args:
        return str(expression)
    parts = [canonical(a) for a in expression.args]
    if isinstance(expression, (Sum, Hadamard, Add, Mul)):
        parts.sort()
    return f"{type(expression).__name__}({','.join(parts)})"


def _shorter(new, old):
    return new if new is not None and size(new) < size(old) else None


# ------------------------------------------------------------------------------ matrix sums


def factors_of(core):
    return core.args if isinstance(core, Product) else (core,)


def _take_out(terms, side):
    """Take the factor that most terms share at one side (0 left, -1 right) out of them."""
    groups = {}
    for scalar, core in terms:
        groups.setdefault(factors_of(core)[side], []).append((scalar, core))
    most = max(len(group) for group in groups.values())
    shared, group = min((item for item in groups.items() if len(item[1]) == most), key=lambda item: canonical(item[0]))
    if len(group) < 2 or isinstance(shared, Identity):
        return None
    rests = []
    for scalar, core in group:
        rest = list(factors_of(core))
        del rest[side]
        size_left = shared.shape[1] if side == 0 else shared.shape[0]
        rests.append(Scale(scalar, Product(*rest)) if rest else Scale(scalar, Identity(size_left)))
    inner = Sum(*rests) if is_matrix(rests[0]) else Add(*rests)
    collected = Product(shared, inner) if side == 0 else Product(inner, shared)
    others = [Scale(s, c) for s, c in terms if (s, c) not in group]
    return Sum(collected, *others)


def collect_factors(e):
    """A x + B x = (A + B) x, on either side."""
    terms = [split_scale(t) for t in e.args]
    candidates = [c for c in (_take_out(terms, 0), _take_out(terms, -1)) if c is not None]
    return _shorter(min(candidates, key=lambda c: (size(c), canonical(c))), e) if candidates else None


def _powers(scalar):
    return {base: power for base, power in (f.as_base_exp() for f in Mul.make_args(scalar)) if not base.is_number}


def collect_scalars(e):
    """2 s A + 2 t B = 2 (s A + t B)."""
    scalars = [split_scale(t)[0] for t in e.args]
    numbers = [s.as_coeff_Mul()[0] for s in scalars]
    if not all(n.is_Rational for n in numbers):
        return None
    content = abs(numbers[0])
    for n in numbers[1:]:
        content = gcd(content, abs(n))
    if all(n < 0 for n in numbers):
        content = -content
    powers = [_powers(s) for s in scalars]
    for base, _power in powers[0].items():
        exponents = [p.get(base, S.Zero) for p in powers]
        if not all(x.is_Rational for x in exponents):
            continue
        if all(x > 0 for x in exponents) or all(x < 0 for x in exponents):
            content *= Pow(base, min(exponents, key=abs))
    if content == 1:
        return None
    return Scale(content, Sum(*(Scale(split_scale(t)[0] / content, split_scale(t)[1]) for t in e.args)))


def _distribute(term):
    """A term of a sum with its products multiplied out over the first sum inside."""
    scalar, core = split_scale(term)
    if isinstance(core, Sum):
        return [Scale(scalar, t) for t in core.args]
    if not isinstance(core, (Product, Hadamard)):
        return [term]
    for i, f in enumerate(core.args):
        if isinstance(f, Sum):
            build = type(core)
            expanded = [build(*core.args[:i], t, *core.args[i + 1 :]) for t in f.args]
            return [p for t in expanded for p in _distribute(Scale(scalar, t))]
    return [term]


def cancel_terms(e):
    """Multiply out where terms then cancel."""
    expanded = [t for term in e.args for t in _distribute(term)]
    if len(expanded) == len(e.args):
        return None
    total = Sum(*expanded)
    collected = collect_factors(total) if isinstance(total, Sum) else None
    return _shorter(collected or total, e)


# ---------------------------------------------------------------------------------- scalars


def _hide_units(e):
    """The scalar expression with symbols in place of matrix scalars and of roots, and the way back."""
    back, seen = {}, {}

    def symbol_for(node):
        symbol = Dummy("u", real=True, positive=node.is_positive or None)
        back[symbol] = node
        return symbol

    # The root of a base: every power of the base, the first one too, is a power of one symbol.
    powers = sorted((p for p in e.atoms(Pow) if p.exp.is_Rational and not p.exp.is_Integer), key=canonical)
    roots = {p.base: p.exp.q for p in powers}
    roots = {base: (symbol_for(Pow(base, Rational(1, q))), q) for base, q in roots.items()}

    def hide(node):
        if node in seen:
            return seen[node]
        if isinstance(node, (MatrixScalar, Inner, EntrySum)):
            seen[node] = symbol_for(node)
        elif node in roots:
            seen[node] = roots[node][0] ** roots[node][1]
        elif isinstance(node, Pow) and node.base in roots and node.exp.is_Rational:
            root, q = roots[node.base]
            seen[node] = root ** (node.exp * q)
        else:
            seen[node] = node.func(*(hide(a) for a in node.args)) if node.args else node
        return seen[node]

    return hide(e), back


def tidy(e):
    """The shortest of a scalar's usual forms: as it stands, multiplied out, or as one fraction."""
    if not any(isinstance(a, (Add, Mul, Pow)) for a in e.args):
        return None
    hidden, back = _hide_units(e)
    candidates = [hidden]
    if any(f.has(Add) for t in Add.make_args(hidden) for f in Mul.make_args(t)):
        candidates.append(expand(hidden))
    if hidden.is_Add and any(p.exp.is_negative for p in hidden.atoms(Pow)):
        candidates += _fractions(hidden)
    best = min(candidates, key=lambda c: (count_ops(c), candidates.index(c)))
    return best.xreplace(back) if best != hidden else None


def _fractions(e):
    """A sum as one fraction, factored and not, and in parts; nothing where SymPy sees no fraction."""
    try:
        quotient = cancel(together(e))
        return [usual_signs(factor(quotient)), quotient, *_partial_fractions(quotient)]
    except PolynomialError:
        return []


# Beyond this many operations a fraction may be easier to read in parts.
LONG_FRACTION = 8


def _partial_fractions(quotient):
    """A long fraction in parts, where its denominator has one symbol only."""
    symbols = fraction(quotient)[1].free_symbols
    if len(symbols) != 1 or count_ops(quotient) <= LONG_FRACTION:
        return []
    return [Add(*(usual_signs(factor(t)) for t in Add.make_args(apart(quotient, symbols.pop()))))]


def usual_signs(quotient):
    """(y - x) / (x (x - 1)) as (x - y) / (x (1 - x)): no sum starts with a negative number."""
    if not isinstance(quotient, Mul):
        return quotient
    sign, factors = S.One, []
    for f in quotient.args:
        base, exponent = f.as_base_exp()
        if isinstance(base, Add) and exponent.is_Integer and base.as_coeff_Add()[0].is_negative:
            base, sign = -base, sign * S.NegativeOne**exponent
        factors.append(Pow(base, exponent))
    if sign == -1:
        sums = [i for i, f in enumerate(factors) if isinstance(f, Add) and f.as_coeff_Add()[0] == 0]
        if sums:
            factors[sums[0]], sign = -factors[sums[0]], S.One
    return Mul(sign, *factors)


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


# ------------------------------------------------------------------------------ matrix facts


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


def sum_of_probabilities(e):
    """The entries of a probability vector add up to one."""
    core = e.args[0]
    if (isinstance(core, Variable) and is_declared(core, {"prob"})) or isinstance(core, Softmax):
        return Integer(1)
    return None


def distribute_sum(e):
    """1'(A + B) = 1'A + 1'B, where that is shorter."""
    scalars_and_cores = [split_scale(t) for t in e.args[0].args] if isinstance(e.args[0], Sum) else []
    if not scalars_and_cores:
        return None
    return _shorter(Add(*(s * EntrySum(core) for s, core in scalars_and_cores)), e)


def sum_of_centred(e):
    """The entries of a centred vector add up to zero."""
    core = e.args[0]
    return S.Zero if isinstance(core, Variable) and "centred" in core.properties else None


COLLECTING = (
    Rule(Sum, "cancel terms", r"AU + BU - BU = AU", cancel_terms, source=ALGEBRA),
    Rule(Sum, "collect factors", r"AU + BU = (A + B)U", collect_factors, source=ALGEBRA),
    Rule(Sum, "collect scalars", r"sA + sB = s(A + B)", collect_scalars, source=ALGEBRA),
    Rule(Add, SCALAR_TRANSPOSE.name, SCALAR_TRANSPOSE.statement, merge_transposed, source=ALGEBRA),
    Rule(Inner, SCALAR_TRANSPOSE.name, SCALAR_TRANSPOSE.statement, fewer_transposes, source=ALGEBRA),
    Rule(
        EntrySum,
        "sum of entries",
        r"\mathbf1^\top(A + B) = \mathbf1^\top A + \mathbf1^\top B",
        distribute_sum,
        source=ALGEBRA,
    ),
    Rule(EntrySum, "centred: the entries sum to zero", r"\mathbf1^\top\hat x = 0", sum_of_centred, source=ALGEBRA),
    Rule((Add, Mul), "scalar algebra", r"a(b + c) = ab + ac", tidy, source=ALGEBRA),
)

IDENTITIES = (
    *COLLECTING,
    Rule(
        Product,
        "diagonal matrix times vector",
        r"\operatorname{diag}(v)\,x = v\odot x",
        diagonal_times_vector,
        source=ALGEBRA,
    ),
    Rule(EntrySum, "probabilities sum to one", r"\mathbf1^\top p = 1", sum_of_probabilities, source=ALGEBRA),
)


def collect(expression):
    """The expression with its terms collected."""
    return rewrite(expression, COLLECTING, _preference)[0]


def simplify(expression):
    """The simplest usual form and the rules of IDENTITIES that led there."""
    return rewrite(expression, IDENTITIES, _preference)


def _preference(expression):
    return size(expression), canonical(expression)
