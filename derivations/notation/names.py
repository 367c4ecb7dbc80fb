"""How the name of a variable is typeset: `yhat` is \\hat{y}, `W_g` is \\mathbf{W}_{g}."""

import re

GREEK = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "rho",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "chi",
    "psi",
    "omega",
    "Gamma",
    "Delta",
    "Theta",
    "Lambda",
    "Xi",
    "Pi",
    "Sigma",
    "Upsilon",
    "Phi",
    "Psi",
    "Omega",
]
ALIASES = {"lam": "lambda", "eps": "varepsilon", "epsilon": "varepsilon", "phi": "varphi", "ell": "ell"}
ACCENTS = {"hat": r"\hat", "bar": r"\bar", "tilde": r"\tilde", "dot": r"\dot"}
MARKS = {"prime": r"^{\prime}", "star": r"^{\star}"}


def typeset(name, bold=False):
    """The LaTeX of a variable's name; bold for vectors and matrices."""
    for ending, accent in ACCENTS.items():
        if name.endswith(ending) and len(name) > len(ending):
            return f"{accent}{{{typeset(name[: -len(ending)], bold)}}}"
    for ending, mark in MARKS.items():
        if name.endswith(ending) and len(name) > len(ending):
            return typeset(name[: -len(ending)], bold) + mark
    if name.startswith("_"):
        return (r"\mathbf{" if bold else r"\mathit{") + name.replace("_", r"\_") + "}"
    stem, subscript = re.fullmatch(r"([A-Za-z]+)_?(.*)", name).groups()
    symbol = _symbol(stem, bold)
    if not subscript:
        return symbol
    subscript = subscript.replace("_", ",")
    shown = subscript if len(subscript) == 1 or subscript.isdigit() else _subscript(subscript)
    return f"{symbol}_{{{shown}}}"


def _subscript(text):
    return f"\\{text}" if text in GREEK else rf"\mathrm{{{text}}}"


def _symbol(stem, bold):
    if stem in ALIASES or stem in GREEK:
        greek = f"\\{ALIASES.get(stem, stem)}"
        return rf"\boldsymbol{{{greek}}}" if bold else greek
    if bold:
        return rf"\mathbf{{{stem}}}"
    return stem if len(stem) == 1 else rf"\mathit{{{stem}}}"
