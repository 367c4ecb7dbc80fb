"""Scalar functions of machine learning that SymPy lacks, as SymPy functions with their derivatives.

At a kink the derivative is a convention; CONVENTIONS states it in words.
"""

from sympy import Abs, Add, DiracDelta, Function, Heaviside, Mul, Pow, S, erf, exp, log, pi, sign, sqrt


class RealFunction(Function):
    """A real function of a real argument."""

    is_real = True

    @classmethod
    def eval(cls, argument):
        return None

    def fdiff(self, argindex=1):
        return self.slope(self.args[0])

    def _eval_evalf(self, precision):
        defined = DEFINITIONS.get(type(self))
        if defined:
            return defined(self.args[0])._eval_evalf(precision)
        value = self.func(*(a._evalf(precision) for a in self.args))
        return None if value == self else value


class step(RealFunction):
    """1 for positive arguments and 0 elsewhere."""

    @classmethod
    def eval(cls, argument):
        if argument.is_number:
            return S.One if argument.is_positive else S.Zero
        return None

    def slope(self, _):
        return S.Zero


class relu(RealFunction):
    """max(0, u)."""

    @classmethod
    def eval(cls, argument):
        if argument.is_number:
            return argument if argument.is_positive else S.Zero
        return None

    def slope(self, u):
        return step(u)


class sigmoid(RealFunction):
    """1 / (1 + exp(-u))."""

    is_positive = True

    @classmethod
    def eval(cls, argument):
        return S.Half if argument == 0 else None

    def slope(self, u):
        return sigmoid(u) * (1 - sigmoid(u))


class softplus(RealFunction):
    """log(1 + exp(u))."""

    is_positive = True

    @classmethod
    def eval(cls, argument):
        return log(2) if argument == 0 else None

    def slope(self, u):
        return sigmoid(u)


class normpdf(RealFunction):
    """The density of the standard normal distribution."""

    is_positive = True

    def slope(self, u):
        return -u * normpdf(u)


class normcdf(RealFunction):
    """The distribution function of the standard normal distribution."""

    is_positive = True

    def slope(self, u):
        return normpdf(u)


class maximum(RealFunction):
    """max(u, v)."""

    @classmethod
    def eval(cls, u, v):
        if u == v:
            return u
        if u.is_number and not v.is_number:
            return cls(v, u)
        return max(u, v) if u.is_Number and v.is_Number else None

    def fdiff(self, argindex=1):
        # The slopes add up to one, so that the derivative is right where both arguments are the same function.
        u, v = self.args
        return step(u - v) if argindex == 1 else 1 - step(u - v)


class minimum(RealFunction):
    """min(u, v)."""

    @classmethod
    def eval(cls, u, v):
        if u == v:
            return u
        if u.is_number and not v.is_number:
            return cls(v, u)
        return min(u, v) if u.is_Number and v.is_Number else None

    def fdiff(self, argindex=1):
        u, v = self.args
        return step(v - u) if argindex == 1 else 1 - step(v - u)


class clip(RealFunction):
    """u, but at least lo and at most hi: min(max(u, lo), hi)."""

    @classmethod
    def eval(cls, u, lo, hi):
        if u in (lo, hi):
            return minimum(u, hi) if u == lo else u
        return min(max(u, lo), hi) if u.is_Number and lo.is_Number and hi.is_Number else None

    def fdiff(self, argindex=1):
        u, lo, hi = self.args
        if argindex == 1:
            return step(u - lo) * step(hi - u)
        return (1 - step(u - lo)) * step(hi - lo) if argindex == 2 else 1 - step(hi - maximum(u, lo))


class huber(RealFunction):
    """u^2/2 where |u| <= c, and c (|u| - c/2) elsewhere; c > 0."""

    @classmethod
    def eval(cls, u, c):
        if u == 0:
            return S.Zero
        if not (u.is_Number and c.is_Number):
            return None
        return u**2 / 2 if abs(u) <= c else c * (abs(u) - c / 2)

    def fdiff(self, argindex=1):
        u, c = self.args
        return clip(u, -c, c) if argindex == 1 else relu(Abs(u) - c)


class modulus(RealFunction):
    """|u| of a real number, while it is differentiated."""

    def slope(self, u):
        return direction(u)


class direction(RealFunction):
    """sign(u) of a real number, while it is differentiated."""

    def slope(self, _):
        return S.Zero


# What SymPy can do with plain functions in place of ours.
DEFINITIONS = {
    sigmoid: lambda u: 1 / (1 + exp(-u)),
    softplus: lambda u: log(1 + exp(u)),
    normpdf: lambda u: exp(-(u**2) / 2) / sqrt(2 * pi),
    normcdf: lambda u: (1 + erf(u / sqrt(2))) / 2,
}

CONVENTIONS = {
    relu: "ReLU'(0) = 0",
    step: "the step has slope 0",
    Abs: "the slope of the absolute value at 0 is 0",
    sign: "the sign has slope 0",
    maximum: "where the arguments of max are equal, a number counts, and else the last one",
    minimum: "where the arguments of min are equal, a number counts, and else the last one",
    clip: "at its bounds the slope of clip is 0, and 1 by the bound",
}


def slope(function, symbol):
    """The derivative of a scalar expression by a symbol, almost everywhere.

    SymPy's, except that the Dirac deltas where step and sign jump are taken as zero, and that
    |u| is differentiated to sign(u) whatever stands around it.
    """
    # SymPy takes |u| for that of a complex number wherever it cannot see that u is real.
    derivative = function.replace(Abs, modulus).replace(sign, direction).diff(symbol)
    if derivative.has(DiracDelta, Heaviside):
        derivative = derivative.replace(DiracDelta, lambda *_: S.Zero).replace(Heaviside, lambda u, *_: step(u))
    if derivative.has(direction):
        derivative = derivative.replace(modulus, lambda u: u * direction(u))
        derivative = derivative.replace(
            lambda e: isinstance(e, Pow) and isinstance(e.base, direction) and e.exp.is_even, lambda e: S.One
        )
        derivative = derivative.replace(lambda e: isinstance(e, Mul), _with_magnitudes)
    return joined_powers(derivative.replace(modulus, Abs).replace(direction, sign))


def _with_magnitudes(product):
    """u direction(u) as |u|."""
    for f in product.args:
        if isinstance(f, direction):
            u = Mul.make_args(f.args[0])
            others = [g for g in product.args if g != f and g not in u]
            if len(others) + len(u) + 1 == len(product.args):
                return Mul(modulus(f.args[0]), *others)
    return product


def joined_powers(e):
    """u^p / u as u^(p - 1), which SymPy leaves apart where the exponent is a symbol."""

    def joined(product):
        exponents = {}
        for factor in product.args:
            base, exponent = factor.as_base_exp()
            exponents.setdefault(base, []).append(exponent)
        return Mul(*(Pow(base, Add(*powers)) for base, powers in exponents.items()))

    def is_split(product):
        bases = [f.as_base_exp()[0] for f in product.args] if isinstance(product, Mul) else []
        return len(set(bases)) < len(bases)

    return e.replace(is_split, joined)
