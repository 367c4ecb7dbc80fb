"""How names are typeset."""

import pytest

from derivations.notation.names import typeset


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x", "x"),
        ("loss", r"\mathit{loss}"),
        ("alpha", r"\alpha"),
        ("Gamma", r"\Gamma"),
        ("lam", r"\lambda"),
        ("eps", r"\varepsilon"),
        ("phi", r"\varphi"),
        ("yhat", r"\hat{y}"),
        ("y_hat", r"\hat{y}"),
        ("xbar", r"\bar{x}"),
        ("thetatilde", r"\tilde{\theta}"),
        ("x_dot", r"\dot{x}"),
        ("Lprime", r"L^{\prime}"),
        ("w_star", r"w^{\star}"),
        ("x1", "x_{1}"),
        ("x12", "x_{12}"),
        ("W_g", "W_{g}"),
        ("x_i_j", r"x_{\mathrm{i,j}}"),
        ("w_new", r"w_{\mathrm{new}}"),
        ("p_theta", r"p_{\theta}"),
        ("sigma_B", r"\sigma_{B}"),
        ("beta1", r"\beta_{1}"),
    ],
)
def test_scalars(name, expected):
    assert typeset(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x", r"\mathbf{x}"),
        ("W_g", r"\mathbf{W}_{g}"),
        ("yhat", r"\hat{\mathbf{y}}"),
        ("Sigma", r"\boldsymbol{\Sigma}"),
        ("mu1", r"\boldsymbol{\mu}_{1}"),
        ("w_new", r"\mathbf{w}_{\mathrm{new}}"),
        ("Wprime", r"\mathbf{W}^{\prime}"),
    ],
)
def test_vectors_and_matrices_are_bold(name, expected):
    assert typeset(name, bold=True) == expected


@pytest.mark.parametrize("name", ["_x", "__", "_1", "x_", "A__b", "hat", "_hat"])
@pytest.mark.parametrize("bold", [False, True])
def test_every_name_of_the_grammar_is_valid_latex(name, bold):
    """An underscore in LaTeX text or doubled is an error of the compiler."""
    latex = typeset(name, bold)
    plain = latex.replace(r"\_", "")
    assert latex.count("{") == latex.count("}")
    assert "__" not in plain and "{_" not in plain and not plain.startswith("_") and not plain.endswith("_")


def test_different_names_look_different():
    names = ["x", "x1", "x_1x", "xhat", "xbar", "xprime", "x_hat1", "X", "x_n", "x_new"]
    assert len({typeset(n) for n in names}) == len(names)
