"""The text notation: `x'*A*y`, read and written. The grammar stands in docs/text-notation.md."""

import re

from sympy import Add, Mul, Pow, S, Symbol

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
from derivations.errors import ParseError, ShapeError, UnsupportedError
from derivations.expressions import (
    EntrySum,
    Identity,
    Inner,
    Inverse,
    LossGradient,
    MatrixDifferential,
    Ones,
    Power,
    Product,
    Scale,
    Sum,
    Transpose,
    Variable,
    Zero,
    is_matrix,
    split_scale,
)
from derivations.kronecker import Commutation, Kronecker, Unvec, Vec
from derivations.notation.inference import FUNCTION_NAMES
from derivations.notation.syntax import Node
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

# ------------------------------------------------------------------------------------- reading

TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]+(?=\.[*/^])|(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<op>\.\*|\./|\.\^|[-+*/^()',]))"
)


def tokens(source):
    """(kind, text, start, end) of every token; the last one is ("end", "", n, n)."""
    found, at = [], 0
    stop = len(source.rstrip())
    while at < stop:
        match = TOKEN.match(source, at)
        if not match:
            at += len(source[at:]) - len(source[at:].lstrip())
            raise ParseError(f"unexpected {source[at]!r}{_hint(source[at])}", source, at)
        found.append((match.lastgroup, match[match.lastgroup], match.start(match.lastgroup), match.end()))
        at = match.end()
    return [*found, ("end", "", stop, stop)]


HINTS = {
    "=": "give only the right-hand side",
    "@": "the matrix product is *",
    "[": "use ( )",
    "{": "use ( )",
    "|": "use abs(x) or norm2(x)",
}


def _hint(character):
    return f" ({HINTS[character]})" if character in HINTS else ""


class Parser:
    """Recursive descent over the tokens; one method for each level of precedence."""

    def __init__(self, source):
        self.source, self.tokens, self.at = source, tokens(source), 0

    def peek(self, *texts):
        kind, text, _, _ = self.tokens[self.at]
        return kind == "op" and text in texts

    def take(self):
        self.at += 1
        return self.tokens[self.at - 1]

    def fail(self, expected):
        _kind, text, start, _ = self.tokens[self.at]
        raise ParseError(f"expected {expected}" + (f", found {text!r}" if text else ""), self.source, start)

    def expect(self, text):
        if not self.peek(text):
            self.fail(repr(text))
        return self.take()

    def binary(self, part, *operators):
        left = part()
        while self.peek(*operators):
            op = self.take()[1]
            right = part()
            left = Node(op, (left, right), None, left.start, right.end)
        return left

    def sum(self):
        return self.binary(self.term, "+", "-")

    def term(self):
        return self.binary(self.unary, "*", "/", ".*", "./")

    def unary(self):
        if self.peek("-", "+"):
            _, sign, start, _ = self.take()
            inside = self.unary()
            return Node("neg", (inside,), None, start, inside.end) if sign == "-" else inside
        return self.power()

    def power(self):
        base = self.atom()
        while self.peek("'", "^", ".^"):
            _, op, _, end = self.take()
            if op == "'":
                base = Node("'", (base,), None, base.start, end)
                continue
            exponent = self.exponent()
            base = Node(op, (base, exponent), None, base.start, exponent.end)
        return base

    def exponent(self):
        if self.peek("-"):
            start = self.take()[2]
            inside = self.atom()
            return Node("neg", (inside,), None, start, inside.end)
        return self.atom()

    def atom(self):
        kind, text, start, end = self.tokens[self.at]
        if kind == "number":
            self.take()
            return Node("number", (), text, start, end)
        if kind == "name":
            self.take()
            if not self.peek("("):
                return Node("name", (), text, start, end)
            self.take()
            args = []
            if not self.peek(")"):
                args.append(self.sum())
                while self.peek(","):
                    self.take()
                    args.append(self.sum())
            end = self.expect(")")[3]
            return Node("call", tuple(args), text, start, end)
        if self.peek("("):
            self.take()
            inside = self.sum()
            end = self.expect(")")[3]
            return Node(inside.op, inside.args, inside.value, start, end)
        self.fail("a number, a name or '('")


def parse(source):
    """The surface syntax tree of an expression."""
    parser = Parser(source)
    try:
        tree = parser.sum()
    except RecursionError:
        raise ParseError("nested too deeply; name parts of it with definitions", source, 0) from None
    if parser.tokens[parser.at][0] != "end":
        parser.fail("an operator or the end")
    if tree.depth() > MAX_DEPTH:
        raise ParseError(f"nested more than {MAX_DEPTH} levels deep; name parts of it with definitions", source, 0)
    return tree


# Deeper trees would exhaust Python's stack on their way through SymPy.
MAX_DEPTH = 100


# ------------------------------------------------------------------------------------- writing

SUM, TERM, UNARY, ATOM = range(4)
CALLS = {
    Trace: "tr",
    Det: "det",
    LogDet: "logdet",
    Norm: "norm2",
    LogSumExp: "logsumexp",
    EntrySum: "sum",
    Inverse: "inv",
    Softmax: "softmax",
    Diag: "diag",
    DiagonalOf: "diag",
    SoftmaxRows: "softmax_rows",
    Vec: "vec",
    Adjugate: "adj",
    PseudoInverse: "pinv",
    LargestEigenvalue: "lambda_max",
    LargestEigenvector: "vmax",
    NuclearNorm: "norm_nuc",
    MatrixDifferential: "d",
    ScalarDifferential: "d",
}


def write(expression, variables=()):
    """The expression in the text notation; sizes that stand as numbers are written as rows(X)."""
    return Writer(variables).write(expression)


class Writer:
    def __init__(self, variables):
        self.sizes, self.variables = {}, set(variables)
        for v in variables:
            if is_matrix(v):
                self.sizes.setdefault(v.shape[0], f"rows({v.name})")
                self.sizes.setdefault(v.shape[1], f"cols({v.name})")

    def write(self, e, level=SUM):
        own, text = self.form(e)
        return f"({text})" if own < level else text

    def form(self, e):
        """(precedence, text) of any node."""
        kind = type(e)
        if kind in CALLS:
            return ATOM, f"{CALLS[kind]}({self.write(e.args[0])})"
        if kind in FORMS:
            return FORMS[kind](self, e)
        if e.is_Number or kind in FUNCTION_NAMES or e in (S.Pi, S.Exp1):
            return self.number_or_function(e)
        raise UnsupportedError(f"the text notation has no form for {kind.__name__}")

    def number_or_function(self, e):
        if type(e) in FUNCTION_NAMES:
            return ATOM, f"{FUNCTION_NAMES[type(e)]}({', '.join(self.write(a) for a in e.args)})"
        if e == S.Exp1:
            return ATOM, "exp(1)"
        if e == S.Pi:
            is_taken = any(v.name == "pi" for v in self.variables)
            return ATOM, "arccos(-1)" if is_taken else "pi"
        if e.is_Rational and not e.is_Integer:
            return (TERM if e > 0 else SUM), f"{e.p}/{e.q}"
        return (ATOM if e.is_nonnegative else SUM), str(e).lower()

    def symbol(self, e):
        if e in self.sizes:
            return ATOM, self.sizes[e]
        # A size that no variable has would read as the name of a variable.
        is_size = e.is_integer and e.is_positive and e not in self.variables
        return ATOM, f"rows(ones({e}))" if is_size else str(e)

    def add(self, e):
        terms = in_order(e.args)
        text = self.write(terms[0], TERM) if not is_negative(terms[0]) else self.write(terms[0])
        for t in terms[1:]:
            text += f" - {self.write(negated(t), TERM)}" if is_negative(t) else f" + {self.write(t, TERM)}"
        return SUM, text

    def mul(self, e):
        if is_negative(e):
            return SUM, f"-{self.write(negated(e), TERM)}"
        above, below = split_fraction(e)
        # A single inner product stands last and needs no parentheses: 2*x'*y.
        above.sort(key=lambda f: isinstance(f, Inner))
        single = sum(isinstance(f, Inner) for f in above) == 1
        texts = [self.write(f, TERM if single and isinstance(f, Inner) else UNARY) for f in above]
        return TERM, ("*".join(texts) or "1") + self.over(below)

    def over(self, below):
        """What is divided by, with its slash."""
        if not below:
            return ""
        texts = [self.write(f, UNARY) for f in below]
        return "/" + (texts[0] if len(texts) == 1 else f"({'*'.join(texts)})")

    def pow(self, e):
        if e.exp == S.Half:
            return ATOM, f"sqrt({self.write(e.base)})"
        if e.exp.is_number and e.exp.is_negative:
            return TERM, f"1/{self.write(1 / e, UNARY)}"
        if e.base == S.Exp1:
            return ATOM, f"exp({self.write(e.exp)})"
        return UNARY, f"{self.write(e.base, ATOM)}^{self.write(e.exp, ATOM)}"

    def variable(self, e):
        return ATOM, e.name

    def identity(self, e):
        return ATOM, f"eye({size_text(e.shape[0])})"

    def ones(self, e):
        rows, columns = e.shape
        return ATOM, f"ones({size_text(rows)})" if columns == 1 else f"ones({size_text(rows)},{size_text(columns)})"

    def zero(self, e):
        return ATOM, f"zeros({size_text(e.shape[0])},{size_text(e.shape[1])})"

    def scale(self, e):
        scalar, matrix = e.args
        if is_negative(e):
            return SUM, f"-{self.write(negated(e), TERM)}"
        above, below = split_fraction(scalar)
        texts = [self.write(f, UNARY) for f in above]
        texts.append(self.write(matrix, UNARY if isinstance(matrix, Hadamard) else TERM))
        return TERM, "*".join(texts) + self.over(below)

    def product(self, e):
        return TERM, "*".join(self.write(f, UNARY) for f in e.args)

    def inner(self, e):
        # One level below a product's, so that a scalar product is kept together by parentheses.
        return TERM, "*".join(self.write(f, UNARY) for f in e.args)

    def transpose(self, e):
        return UNARY, f"{self.write(e.args[0], ATOM)}'"

    def power(self, e):
        return UNARY, f"{self.write(e.args[0], ATOM)}^{self.write(e.args[1], ATOM)}"

    def apply(self, e):
        function, matrices = e.args[0], e.args[1:]
        base, exponent = split_elementwise_power(e)
        if base != e and exponent == S.Half:
            return ATOM, f"sqrt({self.write(base)})"
        if base != e and exponent == -1:
            return TERM, f"1 ./ {self.write(base, UNARY)}"
        if base != e:
            return UNARY, f"{self.write(base, ATOM)}.^{self.write(exponent, ATOM)}"
        names = dict(zip(SLOTS, matrices))
        if isinstance(function, Pow):
            base, exponent = (names.get(a, a) for a in function.args)
            return UNARY, f"{self.write(base, ATOM)}.^{self.write(exponent, ATOM)}"
        args = [self.write(names.get(a, a)) for a in function.args]
        if type(function) not in FUNCTION_NAMES:
            raise UnsupportedError(f"the text notation has no elementwise {function}")
        return ATOM, f"{FUNCTION_NAMES[type(function)]}({', '.join(args)})"

    def hadamard(self, e):
        above = [f for f in e.args if not is_reciprocal(f)]
        below = [reciprocal(f) for f in e.args if is_reciprocal(f)]
        text = " .* ".join(self.write(f, UNARY) for f in above) or "1"
        return TERM, text + "".join(f" ./ {self.write(f, UNARY)}" for f in below)

    def kronecker(self, e):
        text = self.write(e.args[0])
        for f in e.args[1:]:
            text = f"kron({text},{self.write(f)})"
        return ATOM, text

    def unvec(self, e):
        """(vec(I)' kron I)(I kron a), for the grammar has no unvec."""
        vector, rows, columns = e.args
        eyes = f"kron(vec(eye({size_text(columns)}))',eye({size_text(rows)}))"
        return TERM, f"{eyes}*kron(eye({size_text(columns)}),{self.write(vector)})"

    def commutation(self, e):
        return ATOM, f"comm({size_text(e.args[0])},{size_text(e.args[1])})"

    def matrix_function(self, e):
        return ATOM, f"{MATRIX_FUNCTION_NAMES[e.args[0]]}({self.write(e.args[1])})"

    def frechet(self, e):
        function, matrix, direction = e.args
        name = MATRIX_FUNCTION_NAMES.get(function, "power")
        arguments = [matrix, direction] + ([function.exp] if name == "power" else [])
        return ATOM, f"{name}_frechet({', '.join(map(self.write, arguments))})"

    def loss(self, e):
        return ATOM, f"{e.args[0]}({self.write(e.args[1])})"

    def loss_gradient(self, e):
        return ATOM, f"grad_{e.args[0]}({self.write(e.args[1])})"


FORMS = {
    Symbol: Writer.symbol,
    Add: Writer.add,
    Mul: Writer.mul,
    Pow: Writer.pow,
    Variable: Writer.variable,
    Identity: Writer.identity,
    Ones: Writer.ones,
    Zero: Writer.zero,
    Scale: Writer.scale,
    Sum: Writer.add,
    Product: Writer.product,
    Inner: Writer.inner,
    Transpose: Writer.transpose,
    Power: Writer.power,
    Apply: Writer.apply,
    Hadamard: Writer.hadamard,
    Kronecker: Writer.kronecker,
    Unvec: Writer.unvec,
    Commutation: Writer.commutation,
    MatrixFunction: Writer.matrix_function,
    Frechet: Writer.frechet,
    Loss: Writer.loss,
    LossGradient: Writer.loss_gradient,
}


def in_order(terms):
    """Terms as they are written: a - b and not -b + a, and a - b + (a - b)'."""
    ordered = sorted(terms, key=lambda t: (_is_turned_sum(t), is_negative(t)))
    return sorted(terms, key=is_negative) if is_negative(ordered[0]) else ordered


def _is_turned_sum(term):
    core = split_scale(term)[1]
    return isinstance(core, Transpose) and isinstance(core.args[0], Sum)


def is_negative(e):
    """Whether a reader would write the term with a minus sign: -2x, and -(1 - b)x rather than (b - 1)x."""
    scalar = e.args[0] if isinstance(e, Scale) else e
    if is_matrix(scalar) or (scalar.is_Add and not isinstance(e, Scale)):
        return False
    factors = Mul.make_args(scalar)
    minus = scalar.as_coeff_Mul()[0].is_negative if not scalar.is_Add else False
    return bool(minus) != (sum(map(_starts_negative, factors)) % 2 == 1)


def _starts_negative(factor):
    """Whether a sum in a product is a negative number and other terms, such as b - 1."""
    return isinstance(factor, Add) and bool(factor.as_coeff_Add()[0].is_negative)


def negated(e):
    """-e, for a term that is_negative."""
    if isinstance(e, Scale):
        return Scale(negated(e.args[0]), e.args[1])
    if isinstance(e, Mul) and e.args[0] == -1:
        return Mul(*e.args[1:], evaluate=False) if len(e.args) > 2 else e.args[1]
    turned = next((f for f in Mul.make_args(e) if _starts_negative(f)), None)
    return -e if turned is None else Mul(-turned, *(f for f in Mul.make_args(e) if f is not turned))


def is_denominator(f):
    return isinstance(f, Pow) and f.exp.is_number and bool(f.exp.is_negative)


def is_reciprocal(f):
    """Whether a factor of a Hadamard product belongs below a fraction bar."""
    exponent = split_elementwise_power(f)[1]
    return exponent.is_number and bool(exponent.is_negative)


def reciprocal(f):
    base, exponent = split_elementwise_power(f)
    return Apply(SLOTS[0] ** -exponent, base)


def split_fraction(e):
    """The factors of a scalar above and below its fraction bar; a number comes first."""
    factors = [part for f in Mul.make_args(e) for part in _without_content(f)]
    above = [f for f in factors if not is_denominator(f) and not f.is_Rational]
    below = [1 / f for f in factors if is_denominator(f)]
    number = Mul(*(f for f in factors if f.is_Rational))
    above = ([S(number.p)] if number.p != 1 else []) + above
    below = ([S(number.q)] if number.q != 1 else []) + below
    return above, below


def _without_content(factor):
    """4 + 4 u as 4 and 1 + u, which SymPy would multiply out."""
    content, rest = factor.primitive() if factor.is_Add else (S.One, factor)
    return (content, rest) if content.is_Integer and content != 1 else (factor,)


def is_power(f):
    return isinstance(f, Pow) and f.exp.is_Integer and f.exp.is_positive


def size_text(size):
    """A size as an argument of eye, ones and zeros."""
    factors = [f for f in Mul.make_args(size) for f in ([f.base] * int(f.exp) if is_power(f) else [f])]
    if all(f.is_Symbol or f.is_Integer for f in factors):
        return "*".join(map(str, factors))
    raise ShapeError(f"the text notation cannot write the size {size}")
