"""Where a function of one variable is smallest or largest: slope zero, and the sign of the curvature."""

from dataclasses import dataclass

from sympy import Dummy, Expr, Poly, PolynomialError, Symbol, cancel, factor, fraction, roots, together

from derivations.derivation import Derivation, Rule
from derivations.differentiation import differentiate
from derivations.errors import UnsupportedError
from derivations.fractions import usual_signs
from derivations.rewriting import equalities

CALCULUS = "Calculus of one variable: the second-derivative test"
PUT_IN = Rule(None, "substitute the point", r"u = u^{\star}", source=CALCULUS)
SIMPLIFY = Rule(None, "simplify", r"a/b + c/d = (ad + bc)/bd", source=CALCULUS)


@dataclass(frozen=True)
class Extremum:
    """A stationary point: the slope, the point, and the curvature there, each with its derivation.

    `slope_at_point` shows that the slope vanishes; `curvature_at_point` ends in the value of the second
    derivative, negative at a maximum and positive at a minimum.
    """

    variable: Symbol
    point: Expr
    slope: Derivation
    slope_at_point: Derivation
    curvature: Derivation
    curvature_at_point: Derivation
    probabilities: tuple = ()

    @property
    def kind(self):
        """ "minimum", "maximum" or "undecided", by the sign of the curvature at the point."""
        value = self.curvature_at_point.result
        # A probability q is r / (1 + r) for some r > 0, which SymPy can decide signs with.
        for q in self.probabilities:
            r = Dummy("r", positive=True)
            value = factor(value.subs(q, r / (1 + r)))
        return "minimum" if value.is_positive else "maximum" if value.is_negative else "undecided"


def stationary_point(expression, variable, variables, probabilities=()):
    """The only stationary point of a scalar expression with a rational slope, as an Extremum.

    probabilities: the variables that are known to lie strictly between 0 and 1.
    Raises UnsupportedError if there is none or more than one, and if the slope is not rational.
    """
    slope = differentiate(expression, variables, (variable,))
    points = _roots(slope.result, variable)
    if len(points) != 1:
        raise UnsupportedError(f"expected one stationary point in {variable}, found {len(points)}: {points}")
    point = usual_signs(factor(points[0]))
    curvature = differentiate(expression, variables, (variable, variable))
    others = tuple(v for v in variables if v != variable)
    return Extremum(
        variable,
        point,
        slope,
        _at(slope, variable, point, others),
        curvature,
        _at(curvature, variable, point, others),
        probabilities,
    )


def _roots(slope, variable):
    """The real roots of a rational slope inside the variable's domain."""
    try:
        numerator = Poly(fraction(together(slope))[0], variable)
    except PolynomialError:
        raise UnsupportedError(f"the slope {slope} is not a rational function of {variable}") from None
    if numerator.degree() < 1:
        return []
    found = roots(numerator)
    if sum(found.values()) != numerator.degree():
        raise UnsupportedError(f"not all roots of the slope {slope} in {variable} have a formula")
    outside = (lambda r: r.is_nonpositive) if variable.is_positive else (lambda r: False)
    return [r for r in found if r.is_real is not False and not outside(r)]


def _at(derivation, variable, point, others):
    """A derivative with the point put in, simplified."""
    value = derivation.result.subs(variable, point)
    return equalities(
        derivation.result,
        (*others, variable),
        (PUT_IN, value),
        (SIMPLIFY, usual_signs(factor(cancel(value)))),
        definitions=((variable, point),),
    )
