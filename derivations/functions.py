"""Scalar functions of machine learning that SymPy lacks, as SymPy functions with their derivatives.

At a kink the derivative is a convention; each class that has one states it in `convention`.
"""

from sympy import Abs, DiracDelta, Function, Heaviside, Max, Min, Pow, S, erf, exp, log, pi, sign, sqrt


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
        return defined(self.args[0])._eval_evalf(precision) if defined else None


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
    Abs: "the slope of |u| at 0 is 0",
    sign: "the sign has slope 0",
    Max: "where the arguments of max are equal, the first one counts",
    Min: "where the arguments of min are equal, the first one counts",
}


def slope(function, symbol):
    """The derivative of a scalar expression by a symbol, almost everywhere.

    SymPy's, except that the Dirac deltas where step and sign jump are taken as zero, and that
    |u| is differentiated to sign(u) whatever stands around it.
    """
    derivative = function.diff(symbol)
    if derivative.has(DiracDelta, Heaviside):
        derivative = derivative.replace(DiracDelta, lambda *_: S.Zero).replace(Heaviside, lambda u, *_: step(u))
    if derivative.has(sign) and derivative.has(Abs):
        derivative = derivative.replace(Abs, lambda u: u * sign(u))
    if derivative.has(sign):
        derivative = derivative.replace(
            lambda e: isinstance(e, Pow) and isinstance(e.base, sign) and e.exp.is_even, lambda e: S.One
        )
    return derivative
