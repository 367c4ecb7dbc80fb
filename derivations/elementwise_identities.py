"""Facts of functions and of probabilities that make an expression shorter: each gives the new form, or None."""

import itertools

from sympy import Abs, Add, Function, Mul, Pow, S, cos, cosh, exp, sign, sin, sinh, tan, tanh

from derivations.collecting import shorter
from derivations.elementwise import SLOTS, Apply, Diag, Hadamard, Softmax, SoftmaxRows, split_elementwise_power
from derivations.expressions import (
    EntrySum,
    Ones,
    Product,
    Scale,
    Sum,
    Transpose,
    Variable,
    is_declared,
    is_vector,
    split_scale,
)
from derivations.functions import relu, sigmoid, step
from derivations.scalars import LogSumExp


def sum_of_probabilities(e):
    """The entries of a probability vector add up to one."""
    core = e.args[0]
    is_distribution = isinstance(core, Softmax) or (is_vector(core) and _declared(core, {"prob", "onehot"}))
    return S.One if is_distribution else None


def distribute_sum(e):
    """1'(A + B) = 1'A + 1'B, where that is shorter."""
    scalars_and_cores = [split_scale(t) for t in e.args[0].args] if isinstance(e.args[0], Sum) else []
    if not scalars_and_cores:
        return None
    return shorter(Add(*(s * EntrySum(core) for s, core in scalars_and_cores)), e)


def sum_of_centred(e):
    """The entries of a centred vector add up to zero."""
    core = e.args[0]
    return S.Zero if isinstance(core, Variable) and is_declared(core, {"centred"}) else None


def rows_of_probabilities(e):
    """P 1 = 1, where each row of P adds up to one; and 1'p = 1."""
    for i, (left, right) in enumerate(itertools.pairwise(e.args)):
        if isinstance(right, Ones) and _sums_to_one(left):
            return Product(*e.args[:i], Ones(left.shape[0], right.shape[1]), *e.args[i + 2 :])
        if isinstance(left, Ones) and _sums_to_one(Transpose(right)):
            return Product(*e.args[:i], Ones(left.shape[0], right.shape[1]), *e.args[i + 2 :])
    return None


def _sums_to_one(matrix):
    """Whether every row adds up to one."""
    if isinstance(matrix, Transpose):
        core = matrix.args[0]
        return is_vector(core) and (isinstance(core, Softmax) or _declared(core, {"prob", "onehot"}))
    return isinstance(matrix, SoftmaxRows) or _declared(matrix, {"onehot_rows"})


def _declared(matrix, properties):
    return isinstance(matrix, Variable) and is_declared(matrix, properties)


def powers_of_signs(e):
    """b^k = b where the entries are 0 or 1; b^2 = 1 where they are 1 or -1."""
    function, *matrices = e.args
    if len(matrices) != 1 or not isinstance(function, Pow) or function.base != SLOTS[0]:
        return None
    (matrix,), exponent = matrices, function.exp
    if exponent.is_positive and (_declared(matrix, {"binary", "onehot", "onehot_rows"}) or _is_applied(matrix, step)):
        return matrix
    if exponent.is_integer and _declared(matrix, {"pm1"}):
        return Ones(*e.shape) if exponent.is_even else matrix if exponent.is_odd else None
    return None


def _is_applied(matrix, function):
    return isinstance(matrix, Apply) and matrix.args[0] == function(SLOTS[0])


# f(u) g(u) or f(u) / g(u) as one function of u; for |u| at its kink, by the conventions of the slopes.
PRODUCTS = {
    (relu, step): lambda u: relu(u),
    (Abs, sign): lambda u: u,
}
QUOTIENTS = {
    (sinh, cosh): tanh,
    (sin, cos): tan,
    (sign, Abs): lambda u: 1 / u,
}


def merged(left, right):
    """The product of two powers f(u)^a g(u)^b of functions of one argument, as a function of u, or None.

    left and right: (function class, exponent).
    """
    for (f, a), (g, b) in ((left, right), (right, left)):
        # |u|^(1/2) sign u is 0 at 0, where u |u|^(-1/2) is nothing.
        if (f, g) in PRODUCTS and b == 1 and (a - 1).is_nonnegative:
            simple = PRODUCTS[f, g]
            return lambda u: simple(u) * f(u) ** (a - 1)
        if (f, g) in QUOTIENTS and a == -b:
            return lambda u: QUOTIENTS[f, g](u) ** a
    return None


def elementwise_functions(e):
    """sinh(U) / cosh(U) = tanh(U), relu(U) o step(U) = relu(U), and the like."""
    parts = [_as_function(f) for f in e.args]
    for i, left in enumerate(parts):
        for k in range(i + 1, len(parts)):
            right = parts[k]
            if left and right and left[0] == right[0] and (new := merged(left[1:], right[1:])):
                others = (f for n, f in enumerate(e.args) if n not in (i, k))
                return Hadamard(Apply(new(SLOTS[0]), left[0]), *others)
    return None


def magnitude(e):
    """u sign(u) = |u|, of scalars."""
    for f in e.args:
        if isinstance(f, sign) and f.args[0] in e.args:
            return Mul(Abs(f.args[0]), *(h for h in e.args if h not in (f, f.args[0])))
    return None


def elementwise_magnitude(e):
    """U o sign(U) = |U|."""
    for f in e.args:
        if _is_applied(f, sign) and f.args[1] in e.args:
            return Hadamard(Apply(Abs(SLOTS[0]), f.args[1]), *(h for h in e.args if h not in (f, f.args[1])))
    return None


def _as_function(factor):
    """A factor f(U)^k of a Hadamard product as (U, f, k), or None."""
    base, exponent = split_elementwise_power(factor)
    if isinstance(base, Apply) and len(base.args) == 2 and base.args[0].args == SLOTS[:1]:
        return base.args[1], type(base.args[0]), exponent
    return None


def scalar_functions(e):
    """sinh(u) / cosh(u) = tanh(u), exp(u) / (1 + exp(u)) = sigmoid(u), and the like."""
    factors = [(f, *f.as_base_exp()) for f in e.args]
    named = [(f, b.args[0], type(b), x) for f, b, x in factors if len(b.args) == 1 and isinstance(b, Function)]
    for i, (f, u, *left) in enumerate(named):
        for g, v, *right in named[i + 1 :]:
            if u == v and (new := merged(left, right)):
                return Mul(new(u), *(h for h in e.args if h not in (f, g)))
    return None


def sigmoid_of_exponential(e):
    """exp(-j u) sigmoid(u)^k = sigmoid(-u)^j sigmoid(u)^(k - j)."""
    powers = [f for f in e.args if isinstance(f, exp)]
    for f in e.args:
        base, k = f.as_base_exp()
        if not (isinstance(base, sigmoid) and k.is_Integer and k > 0):
            continue
        for power in powers:
            u, j = base.args[0], -power.args[0] / base.args[0]
            if j.is_Integer and 0 < j <= k:
                others = (h for h in e.args if h not in (f, power))
                return Mul(sigmoid(-u) ** j, sigmoid(u) ** (k - j), *others)
    return None


def scalar_sigmoid(e):
    """1 / (1 + exp(-u)) = sigmoid(u)."""
    base, exponent = e.args
    negative = exponent.is_Integer and exponent < 0
    if negative and isinstance(base, Add) and len(base.args) == 2 and S.One in base.args:
        (other,) = (a for a in base.args if a != 1)
        if isinstance(other, exp):
            return sigmoid(-other.args[0]) ** -exponent
    return None


def elementwise_sigmoid(e):
    """1 / (1 + exp(-U)) = sigmoid(U)."""
    base, exponent = split_elementwise_power(e)
    negative = exponent.is_Integer and exponent < 0
    if not negative or not isinstance(base, Sum) or len(base.args) != 2:
        return None
    ones = [t for t in base.args if isinstance(t, Ones)]
    powers = [t for t in base.args if _is_applied(t, exp)]
    return Apply(sigmoid(SLOTS[0]) ** -exponent, -powers[0].args[1]) if ones and powers else None


def elementwise_sigmoid_of_exponential(e):
    """exp(-U) o sigmoid(U) = sigmoid(-U), and powers of them."""
    parts = {f: split_elementwise_power(f) for f in e.args}
    powers = [(f, base.args[1], k) for f, (base, k) in parts.items() if _is_applied(base, exp)]
    sigmoids = [(f, base.args[1], k) for f, (base, k) in parts.items() if _is_applied(base, sigmoid)]
    for (power, v, j), (other, u, k) in itertools.product(powers, sigmoids):
        if u == -v and all(x.is_Integer for x in (j, k)) and 0 < j <= k:
            others = (f for f in e.args if f not in (power, other))
            turned = Apply(sigmoid(SLOTS[0]) ** j, v), Apply(sigmoid(SLOTS[0]) ** (k - j), u)
            return Hadamard(*turned, *others)
    return None


def opposite_sigmoids(e):
    """sigmoid(-u) sigmoid(u) = (1 - sigmoid(u)) sigmoid(u)."""
    inside = [b.args[0] for b, _ in (f.as_base_exp() for f in e.args) if isinstance(b, sigmoid)]
    for u in inside:
        if -u in inside and not u.could_extract_minus_sign():
            return e.subs(sigmoid(-u), 1 - sigmoid(u))
    return None


def elementwise_opposite_sigmoids(e):
    """sigmoid(-U) o sigmoid(U) = (1 - sigmoid(U)) o sigmoid(U)."""
    parts = [split_elementwise_power(f) for f in e.args]
    inside = [base.args[1] for base, _ in parts if _is_applied(base, sigmoid)]
    for i, (base, exponent) in enumerate(parts):
        if _is_applied(base, sigmoid) and split_scale(base.args[1])[0].is_negative and -base.args[1] in inside:
            other = Ones(*e.shape) - Apply(sigmoid(SLOTS[0]), -base.args[1])
            return Hadamard(*e.args[:i], Apply(SLOTS[0] ** exponent, other), *e.args[i + 1 :])
    return None


def softmax_of_rows(e):
    """exp(Z) over the sums of its rows is the softmax of rows."""
    for power in (f for f in e.args if _is_applied(f, exp)):
        for other in e.args:
            if _row_sums_below(other, power):
                return Hadamard(SoftmaxRows(power.args[1]), *(f for f in e.args if f not in (power, other)))
    return None


def _row_sums_below(factor, power):
    """Whether a factor is one over the sums of the rows of a matrix, spread over the rows again."""
    columns = power.shape[1]
    if 1 in power.shape:
        return False
    sums, spread = Product(power, Ones(columns)), Ones(1, columns)
    below = Product(power, Ones(columns, columns))
    return factor in (Product(Apply(1 / SLOTS[0], sums), spread), Apply(1 / SLOTS[0], below))


def softmax_of_exponentials(e):
    """exp(z) / sum(exp(z)) = softmax(z)."""
    scalar, matrix = e.args
    for f in Mul.make_args(scalar):
        base, exponent = f.as_base_exp()
        if exponent.is_Integer and exponent < 0 and isinstance(base, EntrySum) and _is_applied(base.args[0], exp):
            new = _with_factor(matrix, base.args[0], Softmax(base.args[0].args[1]))
            if new is not None:
                return Scale(scalar * base, new)
    return None


def _with_factor(matrix, old, new):
    """A product with one factor replaced, wherever it stands as a factor, or None."""
    if matrix == old:
        return new
    if isinstance(matrix, Sum):
        terms = [(scalar, _with_factor(core, old, new)) for scalar, core in map(split_scale, matrix.args)]
        return None if any(core is None for _, core in terms) else Sum(*(Scale(s, core) for s, core in terms))
    if isinstance(matrix, (Product, Hadamard, Transpose, Diag)):
        for i, a in enumerate(matrix.args):
            changed = _with_factor(a, old, new)
            if changed is not None:
                return matrix.func(*matrix.args[:i], changed, *matrix.args[i + 1 :])
    return None


def log_sum_exp(e):
    """log(sum(exp(z))) = logsumexp(z)."""
    inside = e.args[0]
    return (
        LogSumExp(inside.args[0].args[1]) if isinstance(inside, EntrySum) and _is_applied(inside.args[0], exp) else None
    )
