"""From a likelihood to a loss: minus its logarithm, its gradient and its curvature.

Every function returns a Derivation, or an Extremum. Sources: Bishop (2006), Pattern Recognition and
Machine Learning, ch. 4; Goodfellow, Bengio & Courville (2016), Deep Learning, ch. 5 and 6.
"""

from sympy import Abs, Add, Integer, exp, expand, log

from derivations.api import derive, read
from derivations.derivation import Rule
from derivations.elementwise import Hadamard
from derivations.errors import DerivationError
from derivations.expressions import EntrySum, Product, Sum, Transpose, split_scale
from derivations.functions import relu, sigmoid, softplus
from derivations.rewriting import equalities, rewrite
from derivations.topics import logarithms
from derivations.topics.extrema import stationary_point

SCALAR = {"kind": "scalar"}
POSITIVE = {"kind": "scalar", "props": ["positive"]}
PROBABILITY = {"kind": "scalar", "props": ["unit_interval"]}

BERNOULLI = "yhat^y*(1 - yhat)^(1 - y)"
BERNOULLI_LOSS = "-y*log(yhat) - (1 - y)*log(1 - yhat)"
BERNOULLI_VARIABLES = {"y": SCALAR, "yhat": PROBABILITY}


def _value(text, variables, *laws, negate_log=False):
    """The derivation of log(text), or of -log(text), by laws of logarithms."""
    reading, _ = read(text, variables)
    start = -log(reading.expression) if negate_log else log(reading.expression)
    return equalities(start, reading.variables.values(), *logarithms.apply_law(start, *laws))


# ------------------------------------------------------------------------------- Bernoulli


LABEL = Rule(None, "substitute the label", r"u^0 = 1,\ u^1 = u", source="Algebra")


def bernoulli_case(label):
    """p(y | x) at y = label: yhat for 1, 1 - yhat for 0. Raises DerivationError for other labels."""
    if label not in (0, 1):
        raise DerivationError(f"the label {label!r} of a Bernoulli variable is neither 0 nor 1")
    reading, _ = read(BERNOULLI, BERNOULLI_VARIABLES)
    y = reading.variables["y"]
    return equalities(
        reading.expression,
        reading.variables.values(),
        (LABEL, reading.expression.subs(y, Integer(int(label)))),
        definitions=((y, Integer(int(label))),),
    )


def bernoulli_log_likelihood():
    """log p(y | x) = y log yhat + (1 - y) log(1 - yhat)."""
    return _value(BERNOULLI, BERNOULLI_VARIABLES, logarithms.PRODUCT, logarithms.POWER)


def bernoulli_loss():
    """-log p(y | x): the binary cross-entropy of one example."""
    return _value(BERNOULLI, BERNOULLI_VARIABLES, logarithms.PRODUCT, logarithms.POWER, negate_log=True)


INNER_PRODUCT = Rule(
    None, "a sum of products is an inner product", r"\mathbf1^\top(a\odot b) = a^\top b", source="Matrix algebra"
)


def _sums_of_products(e):
    """1'(a o b) = a'b, for every term."""

    def inner(node):
        if not isinstance(node, EntrySum):
            return None
        terms = node.args[0].args if isinstance(node.args[0], Sum) else (node.args[0],)
        total = []
        for term in terms:
            scalar, core = split_scale(term)
            if not isinstance(core, Hadamard):
                return None
            first, *rest = core.args
            total.append(scalar * Product(Transpose(first), Hadamard(*rest)))
        return Add(*total)

    return rewrite(e, (Rule(EntrySum, "", "", inner),))[0]


def bernoulli_mean_loss():
    """The mean over i.i.d. examples, y and yhat of shape (n,)."""
    reading, _ = read(
        "-mean(log(yhat.^y .* (vector(1) - yhat).^(vector(1) - y)))",
        {"y": "n", "yhat": {"kind": "vector", "shape": ["n"], "props": ["unit_interval"]}},
    )
    links = logarithms.apply_law(reading.expression, logarithms.PRODUCT, logarithms.POWER)
    links.append((INNER_PRODUCT, _sums_of_products(links[-1][1])))
    return equalities(reading.expression, reading.variables.values(), *links)


def bernoulli_gradient():
    """dL/dyhat of the binary cross-entropy."""
    return derive(BERNOULLI_LOSS, "yhat", variables=BERNOULLI_VARIABLES)


def bernoulli_curvature():
    """d2L/dyhat2 of the binary cross-entropy."""
    return derive(BERNOULLI_LOSS, "yhat", variables=BERNOULLI_VARIABLES, order=2)


def logistic_regression_gradient():
    """The gradient of the mean loss of logistic regression by its weights: X'(sigma(Xw) - y)/N, X of shape (N, n)."""
    return derive("(sum(softplus(X*w)) - y'*X*w)/rows(X)", "w", variables={"X": "N,n", "w": "n", "y": "N"})


def logistic_gradient():
    """dL/deta for yhat = sigma(eta): sigma(eta) - y."""
    return derive(BERNOULLI_LOSS, "eta", variables={"y": SCALAR, "eta": SCALAR}, definitions={"yhat": "sigmoid(eta)"})


def logistic_curvature():
    """d2L/deta2 = sigma (1 - sigma) > 0: the loss is convex in the logit."""
    return derive("softplus(eta) - y*eta", "eta", variables={"y": SCALAR, "eta": SCALAR}, order=2)


LOG_SIGMOID = Rule(
    log,
    "log-sigmoid",
    r"\log\sigma(u) = u - \operatorname{softplus}(u),\ \log(1 - \sigma(u)) = -\operatorname{softplus}(u)",
    lambda e: _log_sigmoid(e.args[0]),
    source="Definition of the logistic function",
)
MULTIPLY_OUT = Rule(None, "multiply out", r"(1 - y)u = u - yu", source="Algebra")
STABLE_SOFTPLUS = Rule(
    softplus,
    "softplus without overflow",
    r"\operatorname{softplus}(\eta) = \max(\eta, 0) + \log(1 + e^{-\lvert\eta\rvert})",
    lambda e: relu(e.args[0]) + log(1 + exp(-Abs(e.args[0]))),
    source="Goodfellow, Bengio & Courville (2016), Deep Learning, 3.10",
)


def _log_sigmoid(argument):
    if isinstance(argument, sigmoid):
        return argument.args[0] - softplus(argument.args[0])
    other = 1 - argument
    return -softplus(other.args[0]) if isinstance(other, sigmoid) else None


def stable_loss():
    """The loss of a logit in a form that never overflows: max(eta, 0) - eta y + log(1 + exp(-|eta|))."""
    reading, _ = read("-y*log(sigmoid(eta)) - (1 - y)*log(1 - sigmoid(eta))", {"y": SCALAR, "eta": SCALAR})
    logs, _ = rewrite(reading.expression, (LOG_SIGMOID,))
    short = expand(logs)
    stable, _ = rewrite(short, (STABLE_SOFTPLUS,))
    return equalities(
        reading.expression,
        reading.variables.values(),
        (LOG_SIGMOID, logs),
        (MULTIPLY_OUT, short),
        (STABLE_SOFTPLUS, stable),
    )


def expected_loss_minimum():
    """The prediction that minimises the expected loss when y = 1 with probability q: yhat = q."""
    reading, _ = read("-q*log(yhat) - (1 - q)*log(1 - yhat)", {"q": PROBABILITY, "yhat": PROBABILITY})
    q, yhat = reading.variables["q"], reading.variables["yhat"]
    return stationary_point(reading.expression, yhat, (q, yhat), probabilities=(q,))


# --------------------------------------------------------------------------------- categorical

ONE_HOT = {"kind": "vector", "shape": ["K"], "props": ["prob"]}


def categorical_loss():
    """-log of the product of p_k^(t_k): the cross-entropy of t (one-hot or soft) and p, both (K,)."""
    reading, _ = read("-sum(log(p.^t))", {"p": ONE_HOT, "t": ONE_HOT})
    links = logarithms.apply_law(reading.expression, logarithms.POWER)
    links.append((INNER_PRODUCT, _sums_of_products(links[-1][1])))
    return equalities(reading.expression, reading.variables.values(), *links)


def softmax_gradient():
    """The gradient of the cross-entropy by the logits: p - t."""
    return derive("-t'*log(p)", "z", variables={"t": ONE_HOT, "z": "K"}, definitions={"p": ("softmax(z)", "prob")})


def softmax_hessian():
    """The Hessian of the cross-entropy by the logits: diag(p) - p p'."""
    return derive("logsumexp(z) - t'*z", "z", variables={"t": ONE_HOT, "z": "K"}, order=2)


# ------------------------------------------------------------- Gaussian, Laplace, Poisson


def gaussian_loss():
    """-log of the normal density: the squared error over 2 s^2, and terms free of the mean."""
    return _value(
        "exp(-(y - mu)^2/(2*s^2))/(sqrt(2*pi)*s)",
        {"y": SCALAR, "mu": SCALAR, "s": POSITIVE},
        logarithms.EXPAND,
        negate_log=True,
    )


def gaussian_gradient():
    """The gradient of the squared error of a linear model, X of shape (N, n), over 2 s^2."""
    return derive("norm2(X*w - y)^2/(2*s^2)", "w", variables={"X": "N,n", "w": "n", "y": "N", "s": POSITIVE})


def laplace_loss():
    """-log of the Laplace density: the absolute error."""
    return _value(
        "exp(-abs(y - mu)/b)/(2*b)",
        {"y": SCALAR, "mu": SCALAR, "b": POSITIVE},
        logarithms.EXPAND,
        negate_log=True,
    )


def laplace_gradient():
    return derive("sum(abs(X*w - y))/b", "w", variables={"X": "N,n", "w": "n", "y": "N", "b": POSITIVE})


def poisson_loss():
    """-log of the Poisson probability of the count y at the rate lam."""
    return _value("lam^y*exp(-lam)/factorial(y)", {"y": POSITIVE, "lam": POSITIVE}, logarithms.EXPAND, negate_log=True)


def poisson_gradient():
    """By the logarithm eta of the rate: exp(eta) - y."""
    return derive("exp(eta) - y*eta", "eta", variables={"y": POSITIVE, "eta": SCALAR})
