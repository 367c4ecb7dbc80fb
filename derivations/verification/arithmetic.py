"""Numbers for the exact witness: a prime field, 50 digits, and dual numbers over either.

A dual number a + b e, with e^2 = 0, carries a derivative through any calculation; dual numbers over
dual numbers carry a second one. Nothing here knows a rule of `derivations.rules`.
Source: Griewank & Walther (2008), Evaluating Derivatives, ch. 3 and 13.
"""

import math
from fractions import Fraction

import sympy
from mpmath import mp, mpc, mpf
from sympy import Rational

from derivations.errors import DomainError, UnsupportedError
from derivations.functions import clip, huber, maximum, minimum, normcdf, normpdf, relu, sigmoid, softplus, step

PRIME = 2**61 - 1
DIGITS = 50
# Beyond it the exponential has more digits before the point than anyone reads.
LARGEST_EXPONENT = 10**6


class NotRationalError(Exception):
    """The expression leaves the field: it needs real numbers."""


def _residue_operation(operation):
    """An operation on residues and integers; anything else is left to the other operand."""

    def method(self, other):
        if isinstance(other, Residue):
            return operation(self.number, other.number)
        return operation(self.number, other) if isinstance(other, int) else NotImplemented

    return method


def _divide(a, b):
    if b % PRIME == 0:
        raise DomainError("division by zero in the prime field")
    return Residue(a * pow(b, -1, PRIME))


class Residue:
    """An integer modulo PRIME."""

    __slots__ = ("number",)

    def __init__(self, number):
        self.number = number % PRIME

    __add__ = __radd__ = _residue_operation(lambda a, b: Residue(a + b))
    __mul__ = __rmul__ = _residue_operation(lambda a, b: Residue(a * b))
    __sub__ = _residue_operation(lambda a, b: Residue(a - b))
    __rsub__ = _residue_operation(lambda a, b: Residue(b - a))
    __truediv__ = _residue_operation(_divide)
    __rtruediv__ = _residue_operation(lambda a, b: _divide(b, a))
    __eq__ = _residue_operation(lambda a, b: (a - b) % PRIME == 0)
    __hash__ = None

    def __neg__(self):
        return Residue(-self.number)

    def __repr__(self):
        return f"{self.number} (mod 2^61 - 1)"


class Dual:
    """value + slope * e, over any numbers."""

    __slots__ = ("slope", "value")

    def __init__(self, value, slope=0):
        self.value, self.slope = value, slope

    def __add__(self, other):
        other = _dual(other)
        return Dual(self.value + other.value, self.slope + other.slope)

    __radd__ = __add__

    def __neg__(self):
        return Dual(-self.value, -self.slope)

    def __sub__(self, other):
        return self + (-_dual(other))

    def __rsub__(self, other):
        return _dual(other) - self

    def __mul__(self, other):
        other = _dual(other)
        return Dual(self.value * other.value, self.slope * other.value + self.value * other.slope)

    __rmul__ = __mul__

    def __truediv__(self, other):
        other = _dual(other)
        quotient = self.value / other.value
        return Dual(quotient, (self.slope - quotient * other.slope) / other.value)

    def __rtruediv__(self, other):
        return _dual(other) / self

    def __repr__(self):
        return f"Dual({self.value}, {self.slope})"


def _dual(number):
    return number if isinstance(number, Dual) else Dual(number, number * 0)


def plain(number):
    """The number without its infinitesimal parts."""
    while isinstance(number, Dual):
        number = number.value
    return number


def layers(number):
    """The plain number and all its infinitesimal parts."""
    if not isinstance(number, Dual):
        return [number]
    return layers(number.value) + layers(number.slope)


def seeded(rows, direction):
    """A matrix as dual numbers with a direction as their slopes."""
    return [[Dual(x, e) for x, e in zip(r, s)] for r, s in zip(rows, direction)]


def slopes(value):
    """The slopes of a matrix of dual numbers, or of one."""
    if isinstance(value, list):
        return [[slopes(x) for x in row] for row in value]
    return value.slope if isinstance(value, Dual) else value * 0


# ------------------------------------------------------------------------------- the two fields


class PrimeField:
    """Rational operations only."""

    name = "prime field"

    @staticmethod
    def number(value):
        if not isinstance(value, (int, sympy.Rational)):
            raise NotRationalError(value)
        value = Rational(value)
        return Residue(int(value.p)) / Residue(int(value.q))

    @staticmethod
    def base_function(name, x):
        raise NotRationalError(name)

    @staticmethod
    def is_positive(x):
        raise NotRationalError("order")

    @staticmethod
    def is_negligible(x, scale):
        """Whether a pivot counts as zero beside entries of the given size."""
        return plain(x) == 0

    size_of = staticmethod(lambda x: 0 if plain(x) == 0 else 1)


class Rationals:
    """Rational numbers, for what needs an order or a floor."""

    name = "rational numbers"

    @staticmethod
    def number(value):
        if not isinstance(value, (int, sympy.Rational)):
            raise NotRationalError(value)
        value = Rational(value)
        return Fraction(int(value.p), int(value.q))

    @staticmethod
    def base_function(name, x):
        if name not in ("floor", "ceil"):
            raise NotRationalError(name)
        return Fraction(getattr(math, name)(x))

    @staticmethod
    def is_positive(x):
        return plain(x) > 0

    @staticmethod
    def is_negligible(x, scale):
        """Whether a pivot counts as zero beside entries of the given size."""
        return plain(x) == 0

    size_of = staticmethod(lambda x: abs(plain(x)))


class Decimals:
    """Real numbers of as many digits as mpmath works with."""

    name = "{} digits"

    @staticmethod
    def number(value):
        if value == sympy.pi:
            return +mp.pi
        if value == sympy.E:
            return +mp.e
        value = sympy.nsimplify(value) if isinstance(value, sympy.Float) else Rational(value)
        return mpf(int(value.p)) / int(value.q)

    @staticmethod
    def base_function(name, x):
        if name in ("exp", "sinh", "cosh") and abs(x) > LARGEST_EXPONENT:
            raise DomainError(f"{name}({mp.nstr(x, 5)}) is too large")
        try:
            result = getattr(mp, name)(x)
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            raise DomainError(f"{name} is not defined at {mp.nstr(x, 5)}") from error
        if isinstance(result, mpc) or not mp.isfinite(result):
            raise DomainError(f"{name} is not real at {mp.nstr(x, 5)}")
        return result

    @staticmethod
    def is_positive(x):
        return plain(x) > 0

    @staticmethod
    def is_negligible(x, scale):
        """Whether a pivot counts as zero beside entries of the given size."""
        return abs(plain(x)) <= scale * mpf(10) ** (-mp.dps // 2)

    size_of = staticmethod(lambda x: abs(plain(x)))


# --------------------------------------------------------------------------- elementary functions

# name -> derivative, in terms of `f(name, x)` so that it works on dual numbers too.
SLOPES = {
    "exp": lambda f, x: f("exp", x),
    "log": lambda f, x: 1 / x,
    "sin": lambda f, x: f("cos", x),
    "cos": lambda f, x: -f("sin", x),
    "tan": lambda f, x: 1 + f("tan", x) * f("tan", x),
    "asin": lambda f, x: 1 / f("sqrt", 1 - x * x),
    "acos": lambda f, x: -1 / f("sqrt", 1 - x * x),
    "atan": lambda f, x: 1 / (1 + x * x),
    "sinh": lambda f, x: f("cosh", x),
    "cosh": lambda f, x: f("sinh", x),
    "tanh": lambda f, x: 1 - f("tanh", x) * f("tanh", x),
    "sqrt": lambda f, x: 1 / (2 * f("sqrt", x)),
    "erf": lambda f, x: 2 * f("exp", -(x * x)) / f("sqrt", Decimals.number(sympy.pi)),
    "erfc": lambda f, x: -2 * f("exp", -(x * x)) / f("sqrt", Decimals.number(sympy.pi)),
    "floor": lambda f, x: x * 0,
    "ceil": lambda f, x: x * 0,
    "factorial": lambda f, x: f("factorial", x) * f("digamma", 1 + x),
}


class Functions:
    """The scalar functions of the tree over the numbers of a field."""

    def __init__(self, field):
        self.field = field

    def elementary(self, name, x):
        if isinstance(x, Dual) and name not in SLOPES:
            raise UnsupportedError(f"the exact witness does not know the slope of {name}")
        if isinstance(x, Dual):
            return Dual(self.elementary(name, x.value), SLOPES[name](self.elementary, x.value) * x.slope)
        return self.field.base_function(name, x)

    def sigmoid(self, x):
        return 1 / (1 + self.elementary("exp", -x))

    def softplus(self, x):
        return self.elementary("log", 1 + self.elementary("exp", x))

    def step(self, x):
        return x * 0 + (1 if self.field.is_positive(x) else 0)

    def relu(self, x):
        return x * self.step(x)

    def sign(self, x):
        return x * 0 + (1 if self.field.is_positive(x) else -1 if self.field.is_positive(-x) else 0)

    def absolute(self, x):
        return x * self.sign(x)

    def maximum(self, x, y):
        return x if self.field.is_positive(x - y) else y

    def minimum(self, x, y):
        return x if self.field.is_positive(y - x) else y

    def clip(self, x, low, high):
        return self.minimum(self.maximum(x, low), high)

    def huber(self, x, bound):
        if not self.field.is_positive(bound):
            raise DomainError("the bound of huber is not positive")
        near = self.clip(x, -bound, bound)
        return near * (x - near * self.half(1))

    def normpdf(self, x):
        return self.elementary("exp", x * x * self.half(-1)) / self.elementary("sqrt", 2 * self.field.number(sympy.pi))

    def normcdf(self, x):
        # By erfc, as 1 + erf(x) cancels far below zero.
        return self.elementary("erfc", x / -self.elementary("sqrt", self.field.number(2))) * self.half(1)

    def half(self, sign):
        return self.field.number(Rational(sign, 2))

    def power(self, base, exponent):
        """base ** exponent for a real exponent, which may carry a derivative."""
        result = self.elementary("exp", _log_of_positive(self, base) * exponent)
        return result

    def integer_power(self, base, exponent):
        result, square, left = base * 0 + 1, base, abs(exponent)
        while left:
            if left % 2:
                result = result * square
            left //= 2
            square = square * square if left else square
        return result if exponent >= 0 else 1 / result


def _log_of_positive(functions, base):
    if not functions.field.is_positive(base):
        raise DomainError("a real power of a number that is not positive")
    return functions.elementary("log", base)


ELEMENTARY = {
    getattr(sympy, name): name
    for name in [
        "exp",
        "log",
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "erf",
        "floor",
        "factorial",
    ]
} | {sympy.ceiling: "ceil"}
COMPOSED = {
    sigmoid: Functions.sigmoid,
    softplus: Functions.softplus,
    step: Functions.step,
    relu: Functions.relu,
    normpdf: Functions.normpdf,
    normcdf: Functions.normcdf,
    sympy.sign: Functions.sign,
    sympy.Abs: Functions.absolute,
    maximum: Functions.maximum,
    minimum: Functions.minimum,
    clip: Functions.clip,
    huber: Functions.huber,
}
