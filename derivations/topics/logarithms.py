"""The laws of logarithms as rewriting rules, for scalars and entry by entry."""

from sympy import Add, I, Mul, Pow, expand_log, log

from derivations.derivation import Rule
from derivations.elementwise import SLOTS, Apply, Hadamard, split_elementwise_power
from derivations.expressions import Ones, Scale, Sum, split_scale
from derivations.rewriting import rewrite

LAWS = "Laws of logarithms, for positive arguments"


def _log_of_product(e):
    if isinstance(e, log):
        factors = Mul.make_args(e.args[0])
        if len(factors) < 2 or any(f.is_negative for f in factors):
            return None
        return Add(*(log(f) for f in factors))
    if e.args[0] == log(SLOTS[0]) and isinstance(e.args[1], Hadamard):
        return Sum(*(Apply(e.args[0], f) for f in e.args[1].args))
    return None


def _log_of_power(e):
    if isinstance(e, log):
        base, exponent = e.args[0].as_base_exp()
        return exponent * log(base) if exponent != 1 else None
    if e.args[0] != log(SLOTS[0]):
        return None
    scalar, core = split_scale(e.args[1])
    if scalar != 1:
        return None
    base, exponent = split_elementwise_power(core)
    if exponent != 1:
        return Scale(exponent, Apply(e.args[0], base))
    if isinstance(core, Apply) and isinstance(core.args[0], Pow) and core.args[0].args == SLOTS[:2]:
        return Hadamard(core.args[2], Apply(e.args[0], core.args[1]))
    return None


def _expand(e):
    """All laws at once, log(exp(u)) = u among them."""
    expanded = expand_log(e, force=True)
    return expanded if expanded != e and not expanded.has(I) else None


def _log_of_multiple(e):
    """log(c U) = log(c) 1 + log(U) for a number c."""
    scalar, core = split_scale(e.args[1])
    if e.args[0] != log(SLOTS[0]) or not scalar.is_positive:
        return None
    return Sum(Scale(log(scalar), Ones(*core.shape)), Apply(e.args[0], core))


PRODUCT = Rule((log, Apply), "log of a product", r"\log(ab) = \log a + \log b", _log_of_product, source=LAWS)
POWER = Rule((log, Apply), "log of a power", r"\log(a^b) = b\log a", _log_of_power, source=LAWS)
EXPAND = Rule(log, "laws of logarithms", r"\log(ab) = \log a + \log b,\ \log e^u = u", _expand, source=LAWS)
MULTIPLE = Rule(Apply, "log of a multiple", r"\log(cu) = \log c + \log u", _log_of_multiple, source=LAWS)


def apply_law(expression, *laws):
    """(rule, expression) for each law applied everywhere, one after the other."""
    links = []
    for law in laws:
        expression, _ = rewrite(expression, (law,))
        links.append((law, expression))
    return links
