"""How the 2-5-1 GAN moves near its equilibrium: its linearisation, the modes, and when a step size is stable.

At w = W_d' = 0 with E y = E r the angles of the generator's rows are free and their lengths rho_i count. One mode moves
as w' = -k w - c rho, rho' = c w, with k = s + gamma, s an eigenvalue of S = (E rr' + E yy')/4 and c = 1/(2 sqrt(2 pi)).
Sources: Mescheder, Geiger & Nowozin (2018), Which training methods for GANs do actually converge?; Nagarajan & Kolter
(2017), Gradient descent GAN optimization is locally stable.
"""

from sympy import Matrix, Poly, Symbol, collect, expand, eye

from derivations.api import derive
from derivations.derivation import Rule
from derivations.errors import UnsupportedError
from derivations.expressions import Variable, Zero
from derivations.rewriting import equalities
from derivations.simplification import simplify

EIGENVALUE = Symbol("lambda", real=True)
S, C, H, K = (Symbol(name, positive=True) for name in ("s", "c", "h", "k"))
GAMMA = Symbol("gamma", positive=True)

POLYNOMIAL = Rule(
    None,
    "characteristic polynomial",
    r"\det(\lambda I - M) = \lambda^2 - \operatorname{tr}(M)\lambda + \det M",
    source="Linear algebra",
)
AT_ZERO = Rule(None, "at w = 0", r"\sigma(0) = \tfrac12", source="Calculus")


VECTOR = {"kind": "vector", "shape": ["n"], "props": []}
PAIR = "log(sigmoid(w'*r)) + log(1 - sigmoid(w'*y))"


def slope_at_zero():
    """The gradient of V by w at one real r and one generated y, where w = 0: (r - y)/2. It sees the means alone."""
    return _at_zero(derive(PAIR, "w", variables=dict.fromkeys(("w", "r", "y"), VECTOR)).result)


def discriminator_curvature():
    """The Hessian of V by w at one real r and one generated y, as a derivation: n x n."""
    return derive(PAIR, "w", order=2, variables=dict.fromkeys(("w", "r", "y"), VECTOR))


def curvature_at_zero():
    """The same where the discriminator is w = 0: -(rr' + yy')/4, whose mean is -S."""
    return _at_zero(discriminator_curvature().result)


def _at_zero(derivative):
    w = next(v for v in derivative.atoms(Variable) if v.name == "w")
    others = sorted(derivative.atoms(Variable) - {w}, key=lambda v: v.name)
    at_zero, _ = simplify(derivative.xreplace({w: Zero(*w.shape)}))
    return equalities(derivative, (w, *others), (AT_ZERO, at_zero), definitions=((w, Zero(*w.shape)),))


def mean_of_relu():
    """An antiderivative of u times the density of N(0, tau^2), differentiated by u.

    From 0 to infinity it rises by tau/sqrt(2 pi): that is E ReLU(g'x) for x standard normal and tau the length of g.
    """
    positive = {"kind": "scalar", "props": ["positive"]}
    return derive("-tau*exp(-u^2/(2*tau^2))/sqrt(2*pi)", "u", variables={"tau": positive, "u": {"kind": "scalar"}})


def flow(updates):
    """The matrix of one mode in (w, rho): of the flow, or of one step of size h, simultaneous or alternating."""
    descent = Matrix([[1 - H * K, -H * C], [0, 1]])
    answer = Matrix([[1, 0], [H * C, 1]])
    matrices = {
        "continuous": Matrix([[-K, -C], [C, 0]]),
        "simultaneous": descent + answer - eye(2),
        # The generator answers the discriminator that has just moved.
        "alternating": answer * descent,
    }
    if updates not in matrices:
        raise UnsupportedError(f"no updates {updates!r}; known are {', '.join(matrices)}")
    return matrices[updates]


def characteristic_polynomial(updates):
    """det(lambda I - M) of the matrix of a mode, as a polynomial in lambda: its roots say how the mode grows."""
    (a, b), (c, d) = flow(updates).tolist()
    product = (EIGENVALUE - a) * (EIGENVALUE - d) - b * c
    one, linear, constant = Poly(product, EIGENVALUE).all_coeffs()
    assert one == 1
    result = EIGENVALUE**2 + collect(linear, K) * EIGENVALUE + constant
    return equalities(product, (EIGENVALUE, H, C, S, GAMMA), (POLYNOMIAL, result), definitions=((K, S + GAMMA),))


def stability(updates):
    """What must be positive for both roots of a step's polynomial p to lie inside the unit circle: three expressions.

    p(1), p(-1) and 1 - p(0). Source: Jury (1964), Theory and Application of the z-Transform Method.
    """
    if updates == "continuous":
        raise UnsupportedError("a flow has no step size; the roots lie at its left wherever s + gamma > 0")
    polynomial = characteristic_polynomial(updates).result
    at = [expand(polynomial.subs(EIGENVALUE, value)) for value in (1, -1, 0)]
    return at[0], at[1], expand(1 - at[2])
