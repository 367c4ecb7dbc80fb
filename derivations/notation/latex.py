"""LaTeX out: expressions, and whole derivations as aligned lines with their rules at the side."""

import sympy
from sympy import Add, And, Contains, Dummy, Mul, Pow, S, Symbol
from sympy.core.relational import Relational

from derivations.elementwise import (
    SLOTS,
    Apply,
    Diag,
    DiagonalOf,
    Hadamard,
    Softmax,
    SoftmaxRows,
    split_elementwise_power,
)
from derivations.errors import UnsupportedError
from derivations.expressions import (
    EntrySum,
    Identity,
    Inner,
    Inverse,
    LossGradient,
    MatrixDifferential,
    MatrixNode,
    Ones,
    Power,
    Product,
    Scale,
    Sum,
    Transpose,
    Variable,
    Zero,
    is_vector,
    split_power,
)
from derivations.functions import clip, huber, maximum, minimum, normcdf, normpdf, relu, sigmoid, softplus, step
from derivations.kronecker import Commutation, Kronecker, Unvec, Vec
from derivations.notation.names import typeset
from derivations.notation.text import (
    in_order,
    is_denominator,
    is_negative,
    is_reciprocal,
    negated,
    reciprocal,
    split_fraction,
)
from derivations.scalars import Det, LogDet, LogSumExp, Loss, Norm, ScalarDifferential, Trace
from derivations.spectral import FUNCTION_NAMES as MATRIX_FUNCTION_NAMES
from derivations.spectral import (
    Adjugate,
    Frechet,
    LargestEigenvalue,
    LargestEigenvector,
    MatrixFunction,
    NuclearNorm,
    PseudoInverse,
)

SUM, TERM, POWER, ATOM = range(4)

# Where a long line may be broken: before a sign of a sum or of a product that stands outside braces.
BREAK = "\0"

FUNCTIONS = {
    sympy.exp: r"\exp",
    sympy.log: r"\log",
    sympy.sin: r"\sin",
    sympy.cos: r"\cos",
    sympy.tan: r"\tan",
    sympy.asin: r"\arcsin",
    sympy.acos: r"\arccos",
    sympy.atan: r"\arctan",
    sympy.sinh: r"\sinh",
    sympy.cosh: r"\cosh",
    sympy.tanh: r"\tanh",
    sympy.sign: r"\operatorname{sign}",
    sympy.erf: r"\operatorname{erf}",
    relu: r"\operatorname{ReLU}",
    sigmoid: r"\sigma",
    softplus: r"\operatorname{softplus}",
    normcdf: r"\Phi",
    normpdf: r"\varphi",
    maximum: r"\max",
    minimum: r"\min",
    clip: r"\operatorname{clip}",
    huber: r"\operatorname{huber}",
}
OPERATORS = {
    Trace: r"\operatorname{tr}",
    Diag: r"\operatorname{diag}",
    DiagonalOf: r"\operatorname{diag}",
    LogSumExp: r"\operatorname{logsumexp}",
    Softmax: r"\operatorname{softmax}",
    SoftmaxRows: r"\operatorname{softmax}_{\mathrm{rows}}",
    Vec: r"\operatorname{vec}",
    Adjugate: r"\operatorname{adj}",
    LargestEigenvalue: r"\lambda_{\max}",
    LargestEigenvector: r"\mathbf{v}_{\max}",
}


def write(expression):
    """The LaTeX of an expression."""
    return form(expression)[1].replace(BREAK, "")


def form(e, level=None):
    """(precedence, LaTeX) of any node."""
    kind = type(e)
    if kind in OPERATORS:
        return ATOM, OPERATORS[kind] + parens(sized(e.args[0]) if kind is Vec else at(e.args[0]))
    if kind in FUNCTIONS:
        if len(e.args) > 1:
            return ATOM, FUNCTIONS[kind] + parens(", ".join(at(a) for a in e.args))
        return TERM if _is_short(e.args[0]) else ATOM, _call(FUNCTIONS[kind], e.args[0])
    if kind in FORMS:
        return FORMS[kind](e)
    if isinstance(e, Relational):
        return SUM, rf"{at(e.lhs)} {RELATIONS[e.rel_op]} {at(e.rhs)}"
    if e.is_Number:
        return _number(e)
    if e in CONSTANTS:
        return ATOM, CONSTANTS[e]
    raise UnsupportedError(f"no LaTeX for {kind.__name__}")


CONSTANTS = {S.Pi: r"\pi", S.Exp1: "e", S.Infinity: r"\infty", S.NegativeInfinity: r"-\infty"}


def at(e, level=SUM):
    """The LaTeX of a part, in parentheses where its place needs them."""
    own, text = form(e)
    return text if own >= level else parens(text)


def parens(text):
    tall = any(t in text for t in (r"\frac", r"\sum", r"\dfrac", r"\Bigl"))
    return (
        rf"\Bigl({text}\Bigr)" if tall else rf"\bigl({text}\bigr)" if r"\bigl" in text or "(" in text else f"({text})"
    )


def group(text):
    """A part between braces: no line is broken inside."""
    return "{" + text.replace(BREAK, "") + "}"


def _number(e):
    if e.is_Integer:
        return (ATOM if e >= 0 else SUM), str(e)
    if e.is_Rational:
        return (TERM if e > 0 else SUM), ("-" if e < 0 else "") + rf"\tfrac{{{abs(e.p)}}}{{{e.q}}}"
    return (ATOM if e >= 0 else SUM), f"{float(e):g}"


def _is_short(e):
    """Whether a function may be applied to it without parentheses: log x, log 2."""
    return isinstance(e, (Symbol, Variable)) or bool(e.is_Integer and e >= 0)


BARE = (r"\log", r"\sin", r"\cos", r"\exp", r"\tanh")


def _call(function, argument):
    if _is_short(argument) and function in BARE:
        return f"{function} {at(argument)}"
    return function + parens(at(argument))


# ------------------------------------------------------------------------------------- scalars


def _symbol(e):
    return ATOM, typeset(e.name)


def _sum(e):
    if isinstance(e, Sum):
        terms = in_order(e.args)  # as they were built
    else:
        terms = e.args if _is_held(e) else sorted(e.args, key=lambda t: (is_negative(t), len(at(t)), at(t)))
    text = at(terms[0]) if is_negative(terms[0]) else at(terms[0], TERM)
    for t in terms[1:]:
        text += f"{BREAK} - {at(negated(t), TERM)}" if is_negative(t) else f"{BREAK} + {at(t, TERM)}"
    return SUM, text


def _is_held(e):
    """Whether a sum or product was built unevaluated, to be shown as it stands."""
    return e.func(*e.args).args != e.args


def _mul(e):
    if _is_held(e) and not any(is_denominator(f) for f in e.args):
        if e.args[0] == -1:
            return SUM, "-" + _held_product(e.args[1:])
        return TERM, _held_product(e.args)
    if is_negative(e):
        return SUM, f"-{at(negated(e), TERM)}"
    above, below = split_fraction(e)
    if not below:
        return TERM, _juxtapose(above)
    if any(f.is_Add and f.is_number for f in above):
        return TERM, r"\frac" + group(_alone(above)) + group(_alone(below))
    if len(below) == 1 and below[0].is_Integer and len(above) > (1 if above[0].is_Integer else 0):
        number = above.pop(0) if above[0].is_Integer else S.One
        return TERM, rf"\tfrac{{{number}}}{{{below[0]}}}" + _juxtapose(above)
    vast = [f for f in above if isinstance(f, (Inner, EntrySum)) and len(at(f)) > LONG]
    if vast and not any(f.has(MatrixNode) for f in below):
        short = [f for f in above if f not in vast]
        return TERM, r"\frac" + group(_alone(short)) + group(_alone(below)) + _juxtapose(vast)
    if len(_alone(above)) > 3 * LONG:
        numbers, others = [f for f in above if f.is_number], [f for f in above if not f.is_number]
        return TERM, r"\frac" + group(_alone(numbers)) + group(_alone(below)) + _juxtapose(others)
    return TERM, r"\frac" + group(_alone(above)) + group(_alone(below))


# Beyond this many characters of LaTeX an inner product stands beside its fraction, where a line may be broken.
LONG = 36


def _held_product(factors):
    texts = [at(f, TERM) for f in factors]
    return _join(texts) if not all(f.is_number for f in factors) else r"\cdot ".join(texts)


def _rank(f):
    """The order of factors in a product: numbers, symbols, functions, matrix scalars, differentials."""
    if f.is_number:
        return 0
    if isinstance(f, ScalarDifferential) or f.has(MatrixDifferential, ScalarDifferential):
        return 5
    if isinstance(f, Symbol) or (isinstance(f, Pow) and isinstance(f.base, Symbol)):
        return 1
    return 2 if isinstance(f, Add) else 4 if isinstance(f, (Inner, EntrySum)) else 3


def _alone(factors):
    """Factors between braces of their own: a single sum needs no parentheses there."""
    if not factors:
        return "1"
    return at(factors[0]) if len(factors) == 1 else _juxtapose(factors)


def _juxtapose(factors):
    factors = sorted(factors, key=_rank)
    if not factors:
        return "1"
    if len(factors) == 1:
        return at(factors[0], TERM)
    texts = []
    for i, f in enumerate(factors):
        last = i == len(factors) - 1
        # A last inner product after mere symbols needs no parentheses: 2x'y.
        loose = isinstance(f, (Inner, EntrySum)) and any(_rank(g) >= 2 for g in factors[:-1])
        texts.append(at(f, TERM) if last and not loose else followed(f))
    return _join(texts)


def followed(f):
    """A scalar factor as it stands before another: log(x)y, for log x y would be misread."""
    if isinstance(f, (Inner, EntrySum, LogDet)):
        return parens(at(f))
    if isinstance(f, Det):
        return r"\det" + parens(at(f.args[0]))
    if FUNCTIONS.get(type(f)) in BARE:
        return FUNCTIONS[type(f)] + parens(at(f.args[0]))
    return at(f, TERM)


def _join(texts):
    """Juxtaposition, with a thin space before a differential and a dot between numbers."""
    joined = texts[0]
    for t in texts[1:]:
        if t[0].isdigit():
            joined += r"\cdot "
        elif t.startswith(r"\mathrm{d}"):
            joined += r"\,"
        elif joined[-1].isalpha() and t[0].isalpha():
            joined += " "
        joined += t
    return joined


def _pow(e):
    base, exponent = e.args
    if exponent == S.Half:
        return ATOM, r"\sqrt" + group(at(base))
    if is_denominator(e):
        return TERM, r"\frac{1}" + group(at(1 / e))
    if type(base) in FUNCTIONS and not _is_short(base.args[0]):
        return POWER, at(base) + "^" + group(at(exponent))
    if isinstance(base, Norm):
        return POWER, at(base) + "^" + group(at(exponent))
    if isinstance(base, Det):
        return POWER, followed(base) + "^" + group(at(exponent))
    return POWER, at(base, ATOM) + "^" + group(at(exponent))


def _step(e):
    return ATOM, rf"\mathbf{{1}}[{at(e.args[0])} > 0]"


def _absolute(e):
    return ATOM, rf"\lvert {at(e.args[0])}\rvert"


def _floor(e):
    return ATOM, rf"\left\lfloor {at(e.args[0])}\right\rfloor".replace(BREAK, "")


def _ceiling(e):
    return ATOM, rf"\left\lceil {at(e.args[0])}\right\rceil".replace(BREAK, "")


def _norm(e):
    text = rf"\lVert {at(e.args[0])}\rVert"
    return ATOM, text if is_vector(e.args[0]) else text + "_{F}"


def _det(e):
    inside = e.args[0]
    return TERM if isinstance(inside, Variable) else ATOM, r"\det" + (
        at(inside) if isinstance(inside, Variable) else parens(at(inside))
    )


def _log_det(e):
    inside = e.args[0]
    return TERM, r"\log\det" + (at(inside) if isinstance(inside, Variable) else parens(at(inside)))


def _entry_sum(e):
    inside = e.args[0]
    left, right = _ones_of(inside.shape)
    text = left + r"^{\top}" + at(inside, TERM if isinstance(inside, Product) else POWER)
    return TERM, text if is_vector(inside) else text + right


def _loss(e):
    return ATOM, f"{typeset(str(e.args[0]))}({at(e.args[1])})"


RELATIONS = {"==": "=", "!=": r"\ne", "<": "<", "<=": r"\le", ">": ">", ">=": r"\ge"}


def _conjunction(e):
    """a <= b and b < c as a <= b < c."""
    first, second = (e.args if e.args[0].rhs == e.args[1].lhs else e.args[::-1]) if len(e.args) == 2 else e.args
    if first.rhs == second.lhs:
        return SUM, f"{at(first)} {RELATIONS[second.rel_op]} {at(second.rhs)}"
    return SUM, r"\text{ and }".join(at(a) for a in e.args)


def _membership(e):
    element, values = e.args
    return SUM, rf"{at(element)} \in \{{{', '.join(at(v) for v in sorted(values.args))}\}}"


# ------------------------------------------------------------------------------------ matrices


def _variable(e):
    return ATOM, typeset(e.name, bold=True)


def _usual(size):
    """No subscript where the size is a single letter or number: the surroundings tell which."""
    return "" if size.is_Symbol or size.is_Integer else _of_size(size)


def _of_size(size):
    return "_" + group(at(size))


def _identity(e, subscript=_usual):
    return ATOM, r"\mathbf{I}" + subscript(e.shape[0])


def _ones_of(sizes, subscript=_usual):
    return [r"\mathbf{1}" + subscript(size) for size in sizes]


def _ones(e, subscript=_usual):
    left, right = _ones_of(e.shape, subscript)
    if e.shape[1] == 1:
        return ATOM, left
    return (POWER, right + r"^{\top}") if e.shape[0] == 1 else (TERM, left + right + r"^{\top}")


def sized(e, level=SUM):
    """A part of what is stacked or repeated: nothing else tells the size of an identity or of ones there."""
    if not isinstance(e, (Identity, Ones)):
        return at(e, level)
    own, text = (_identity if isinstance(e, Identity) else _ones)(e, _of_size)
    return text if own >= level else parens(text)


def _scale(e):
    scalar, matrix = e.args
    if is_negative(e):
        return SUM, f"-{at(negated(e), TERM)}"
    above, below = split_fraction(scalar)
    if not below:
        differential = any(isinstance(f, ScalarDifferential) for f in above)
        return TERM, _coefficient(above) + (r"\," if differential else _thin(matrix)) + at(matrix, TERM)
    small = all(f.is_Integer for f in above + below)
    if small and len(above) <= 1 and len(below) == 1:
        return TERM, r"\tfrac" + group(_alone(above)) + group(_alone(below)) + at(matrix, TERM)
    if any(f.has(MatrixNode) for f in below) and not (matrix.has(Sum) and len(write(matrix)) > 60):
        top = at(Scale(Mul(*above), matrix))
        return TERM, r"\frac" + group(top) + group(_alone(below))
    return TERM, r"\frac" + group(_alone(above)) + group(_alone(below)) + at(matrix, TERM)


def _coefficient(factors):
    texts = [followed(f) for f in sorted(factors, key=_rank)]
    return _join(texts) if texts else ""


def _thin(matrix):
    return r"\," if isinstance(matrix, MatrixDifferential) else ""


def _product(e):
    return TERM, _spaced(e.args)


def _spaced(factors):
    """Factors side by side, with thin spaces around differentials and before functions."""
    text, previous = "", None
    for f in factors:
        thin = previous is not None and (isinstance(f, MatrixDifferential) or isinstance(previous, MatrixDifferential))
        text += (r"\," if thin else "") + at(f, TERM if isinstance(f, Ones) else POWER)
        previous = f
    return text


def _transpose(e):
    inside = e.args[0]
    if isinstance(inside, Inverse):
        return POWER, at(inside.args[0], ATOM) + r"^{-\top}"
    if isinstance(inside, PseudoInverse):
        return POWER, at(inside.args[0], ATOM) + r"^{+\top}"
    if isinstance(inside, MatrixDifferential):
        return POWER, rf"({at(inside)})^{{\top}}"
    return POWER, at(inside, ATOM) + r"^{\top}"


def _inverse(e):
    return POWER, at(e.args[0], ATOM) + "^{-1}"


def _power(e):
    base, exponent = split_power(e)
    return POWER, at(base, ATOM) + "^" + group(at(exponent))


def _apply(e):
    function, matrices = e.args[0], e.args[1:]
    base, exponent = split_elementwise_power(e)
    if base != e:
        if exponent == S.Half:
            return ATOM, r"\sqrt" + group(at(base))
        return (
            (TERM, rf"\mathbf{{1}}\oslash {at(reciprocal(e), POWER)}")
            if is_reciprocal(e)
            else (POWER, at(base, ATOM) + r"^{\odot " + write(exponent) + "}")
        )
    inside = {s: m for s, m in zip(SLOTS, matrices, strict=False)}
    arguments = [inside.get(a, a) for a in function.args]
    if isinstance(function, Pow):
        return POWER, at(arguments[0], ATOM) + r"^{\odot " + write(arguments[1]) + "}"
    if isinstance(function, step):
        return ATOM, rf"\mathbf{{1}}[{at(arguments[0])} > 0]"
    if isinstance(function, sympy.Abs):
        return ATOM, rf"\lvert {at(arguments[0])}\rvert"
    if type(function) not in FUNCTIONS:
        raise UnsupportedError(f"no LaTeX for the elementwise function {function}")
    return ATOM, FUNCTIONS[type(function)] + parens(", ".join(at(a) for a in arguments))


def _hadamard(e):
    above = [f for f in e.args if not is_reciprocal(f)]
    below = [reciprocal(f) for f in e.args if is_reciprocal(f)]
    texts = [at(f, POWER if isinstance(f, (Kronecker, Frechet)) else TERM) for f in above] or [r"\mathbf{1}"]
    return TERM, rf"{BREAK} \odot ".join(texts) + "".join(rf"{BREAK} \oslash {at(f, POWER)}" for f in below)


def _kronecker(e):
    return TERM, rf"{BREAK} \otimes ".join(sized(f, POWER) for f in e.args)


def _unvec(e):
    return ATOM, rf"\operatorname{{unvec}}_{{{_sizes(e.shape)}}}" + parens(at(e.args[0]))


def _sizes(sizes):
    return ", ".join(at(s) for s in sizes)


def _commutation(e):
    return ATOM, rf"\mathbf{{K}}_{{{_sizes(e.args)}}}"


def _pseudo_inverse(e):
    return POWER, at(e.args[0], ATOM) + "^{+}"


def _matrix_function(e):
    name, inside = MATRIX_FUNCTION_NAMES[e.args[0]], e.args[1]
    if name == "expm":
        return POWER, "e^" + group(at(inside))
    if name == "sqrtm":
        return POWER, at(inside, ATOM) + "^{1/2}"
    # With its m, for log(X) is the logarithm of every entry.
    return ATOM, rf"\operatorname{{{name}}}" + parens(at(inside))


def _frechet(e):
    function, matrix, direction = e.args
    if function not in MATRIX_FUNCTION_NAMES:
        k, power = function.exp, at(matrix, ATOM)
        thin = _thin(direction)
        before, after = f"{power}^{{i}}{thin}", f"{thin}{power}^{{{at(k - 1)} - i}}"
        return TERM, rf"\textstyle\sum_{{i<{at(k)}}} {before}{at(direction, POWER)}{after}"
    name = MATRIX_FUNCTION_NAMES[function]
    name = "1/2" if name == "sqrtm" else "\\" + name[:-1]
    return ATOM, rf"L_{{{name}}}" + parens(f"{at(matrix)}, {at(direction)}")


def _nuclear_norm(e):
    return ATOM, rf"\lVert {at(e.args[0])}\rVert_{{*}}"


def _differential(e):
    inside = e.args[0]
    atom = isinstance(inside, (Variable, Symbol))
    return POWER, r"\mathrm{d}" + (at(inside) if atom else parens(at(inside)))


def _loss_gradient(e):
    name, argument = typeset(str(e.args[0])), e.args[1]
    if isinstance(argument, (Variable, Symbol)):
        return POWER, rf"\frac{{\partial {name}}}{{\partial {at(argument)}}}"
    return POWER, rf"\nabla {name}" + parens(at(argument))


FORMS = {
    And: _conjunction,
    Contains: _membership,
    Symbol: _symbol,
    Dummy: _symbol,  # a size that nothing determines, and that the result does not need
    Add: _sum,
    Mul: _mul,
    Pow: _pow,
    step: _step,
    sympy.Abs: _absolute,
    sympy.floor: _floor,
    sympy.ceiling: _ceiling,
    sympy.factorial: lambda e: (POWER, at(e.args[0], ATOM) + "!"),
    Norm: _norm,
    Det: _det,
    LogDet: _log_det,
    EntrySum: _entry_sum,
    Loss: _loss,
    Kronecker: _kronecker,
    Unvec: _unvec,
    Commutation: _commutation,
    PseudoInverse: _pseudo_inverse,
    MatrixFunction: _matrix_function,
    Frechet: _frechet,
    NuclearNorm: _nuclear_norm,
    Inner: _product,
    Variable: _variable,
    Identity: _identity,
    Zero: lambda e: (ATOM, r"\mathbf{0}"),
    Ones: _ones,
    Scale: _scale,
    Sum: _sum,
    Product: _product,
    Transpose: _transpose,
    Inverse: _inverse,
    Power: _power,
    Apply: _apply,
    Hadamard: _hadamard,
    MatrixDifferential: _differential,
    ScalarDifferential: _differential,
    LossGradient: _loss_gradient,
}
