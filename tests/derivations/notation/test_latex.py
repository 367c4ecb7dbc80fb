"""LaTeX out: the forms that a reader expects, and no pair of parentheses lost.

A small reader of our own takes the LaTeX as a mathematician would: juxtaposition binds tighter than the
Hadamard product, a factor of a Kronecker product is one letter or stands in parentheses, and a function
without parentheses takes in all that stands beside it.
"""

import json
import math
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Integer, Symbol, exp, log, sin, sqrt, zeta

from derivations import derive
from derivations.api import read
from derivations.elementwise import Apply, Hadamard
from derivations.errors import DomainError, NoRuleError, UnsupportedError
from derivations.expressions import (
    EntrySum,
    Inner,
    Inverse,
    LossGradient,
    MatrixDifferential,
    Power,
    Product,
    Scale,
    Sum,
    Transpose,
    Variable,
    is_matrix,
)
from derivations.kronecker import Unvec
from derivations.notation import latex
from derivations.notation.names import typeset
from derivations.scalars import Det, LogDet, Loss, Norm, ScalarDifferential, Trace
from derivations.spectral import Frechet
from derivations.verification import autograd, interpreter

m, n = (Symbol(name, integer=True, positive=True) for name in "mn")
SHAPES = {
    **dict.fromkeys(["x", "y", "w", "x_F"], "n"),
    **dict.fromkeys(["A", "B", "X", "W_g", "X_F"], "n,n"),
    **dict.fromkeys(["s", "t", "yhat"], ""),
    "h": "n*n",
}


def written(source):
    return latex.write(read(source, SHAPES)[0].expression)


# ------------------------------------------------------------------------------------------ forms


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x'*A*y", r"\mathbf{x}^{\top}\mathbf{A}\mathbf{y}"),
        ("inv(X)'", r"\mathbf{X}^{-\top}"),
        ("inv(X')", r"\mathbf{X}^{-\top}"),
        ("inv(X)*inv(X)", r"\mathbf{X}^{-2}"),
        ("(X^2)'", r"(\mathbf{X}^{2})^{\top}"),
        ("(A + B)'", r"(\mathbf{A} + \mathbf{B})^{\top}"),
        ("inv(A + B)", r"(\mathbf{A} + \mathbf{B})^{-1}"),
        ("inv(A*B)", r"(\mathbf{A}\mathbf{B})^{-1}"),
        ("(s + t)*x/2", r"(\tfrac{1}{2}s + \tfrac{1}{2}t)\mathbf{x}|\tfrac{1}{2}(s + t)\mathbf{x}"),
        ("s/2", r"\frac{s}{2}|\tfrac{1}{2}s"),
        ("(A + B)/2", r"\tfrac{1}{2}(\mathbf{A} + \mathbf{B})"),
        ("2*(A + B)", r"2(\mathbf{A} + \mathbf{B})"),
        ("-(A + B)", r"-\mathbf{A} - \mathbf{B}|-(\mathbf{A} + \mathbf{B})"),
        ("A*(x .* y)", r"\mathbf{A}(\mathbf{x} \odot \mathbf{y})"),
        ("(A*x) .* y", r"\mathbf{A}\mathbf{x} \odot \mathbf{y}"),
        ("(x + y) .* x", r"(\mathbf{x} + \mathbf{y}) \odot \mathbf{x}"),
        ("x ./ y", r"\mathbf{x} \oslash \mathbf{y}"),
        ("x.^2", r"\mathbf{x}^{\odot 2}"),
        ("(x + y).^2", r"(\mathbf{x} + \mathbf{y})^{\odot 2}"),
        ("(x'*y)*(x'*A*x)", r"(\mathbf{x}^{\top}\mathbf{y})(\mathbf{x}^{\top}\mathbf{A}\mathbf{x})"),
        ("(x'*y)^2", r"(\mathbf{x}^{\top}\mathbf{y})^{2}"),
        ("(x'*y)*x", r"(\mathbf{x}^{\top}\mathbf{y})\mathbf{x}"),
        ("norm2(x)^2", r"\lVert \mathbf{x}\rVert^{2}"),
        ("norm2(X)^2", r"\lVert \mathbf{X}\rVert_{F}^{2}"),
        ("tr(A*B)", r"\operatorname{tr}(\mathbf{A}\mathbf{B})"),
        ("log(s)", r"\log s"),
        ("log(s)*t", r"t\log s"),
        ("log(s + t)", r"\log(s + t)"),
        ("log(s)*log(t)", r"\log(s)\log t|\log(t)\log s"),
        ("exp(-x'*x)", r"\exp(-\mathbf{x}^{\top}\mathbf{x})"),
        ("sigmoid(s)^2", r"\sigma(s)^{2}|\bigl(\sigma(s)\bigr)^{2}"),
        ("sum(x)", r"\mathbf{1}^{\top}\mathbf{x}"),
        ("sum(A)", r"\mathbf{1}^{\top}\mathbf{A}\mathbf{1}"),
        ("sum(x + y)", r"\mathbf{1}^{\top}(\mathbf{x} + \mathbf{y})"),
        ("sum(x .* y)", r"\mathbf{1}^{\top}(\mathbf{x} \odot \mathbf{y})"),
        ("diag(x)*A", r"\operatorname{diag}(\mathbf{x})\mathbf{A}"),
        ("step(x)", r"\mathbf{1}[\mathbf{x} > 0]"),
        ("abs(s)", r"\lvert s\rvert"),
        ("sqrt(s)", r"\sqrt{s}"),
        ("1/s", r"\frac{1}{s}"),
        ("s/(s + t)", r"\frac{s}{s + t}"),
        ("x/norm2(x)", r"\frac{\mathbf{x}}{\lVert \mathbf{x}\rVert}"),
        ("yhat*x", r"\hat{y}\mathbf{x}"),
        ("W_g*x", r"\mathbf{W}_{g}\mathbf{x}"),
        ("3*s*4", "12s"),
        ("(1 - s)*t", "t(1 - s)"),
        ("kron(A, B)", r"\mathbf{A} \otimes \mathbf{B}"),
        ("kron(A*B, A + B)", r"(\mathbf{A}\mathbf{B}) \otimes (\mathbf{A} + \mathbf{B})"),
        ("kron(B', eye(n))", r"\mathbf{B}^{\top} \otimes \mathbf{I}_{n}"),
        ("kron(ones(n), eye(n))", r"\mathbf{1}_{n} \otimes \mathbf{I}_{n}"),
        ("2*kron(A, B)*h", r"2(\mathbf{A} \otimes \mathbf{B})\mathbf{h}"),
        ("kron(A, B) + eye(n^2)", r"\mathbf{A} \otimes \mathbf{B} + \mathbf{I}_{n^{2}}"),
        ("kron(A, B) .* kron(B, A)", r"(\mathbf{A} \otimes \mathbf{B}) \odot (\mathbf{B} \otimes \mathbf{A})"),
        ("vec(A)", r"\operatorname{vec}(\mathbf{A})"),
        ("vec(eye(n))", r"\operatorname{vec}(\mathbf{I}_{n})"),
        ("vec(A)'*vec(B)", r"\operatorname{vec}(\mathbf{A})^{\top}\operatorname{vec}(\mathbf{B})"),
        ("comm(n, n)*h", r"\mathbf{K}_{n, n}\mathbf{h}"),
        ("sum(h)", r"\mathbf{1}_{n^{2}}^{\top}\mathbf{h}"),
        ("x*ones(1, n)*A", r"\mathbf{x}\mathbf{1}^{\top}\mathbf{A}"),
        ("A*ones(n, n)*B", r"\mathbf{A}\mathbf{1}\mathbf{1}^{\top}\mathbf{B}"),
        ("expm(A)", r"e^{\mathbf{A}}"),
        ("exp(A)", r"\exp(\mathbf{A})"),
        ("expm(A + B)'", r"(e^{\mathbf{A} + \mathbf{B}})^{\top}"),
        ("logm(A)", r"\operatorname{logm}(\mathbf{A})"),
        ("log(A)", r"\log(\mathbf{A})"),
        ("sinm(A)*cosm(B)", r"\operatorname{sinm}(\mathbf{A})\operatorname{cosm}(\mathbf{B})"),
        ("sqrtm(A)", r"\mathbf{A}^{1/2}"),
        ("sqrtm(A'*A)", r"(\mathbf{A}^{\top}\mathbf{A})^{1/2}"),
        ("sqrt(A)", r"\sqrt{\mathbf{A}}"),
        ("expm_frechet(A, B)", r"L_{\exp}(\mathbf{A}, \mathbf{B})"),
        ("sqrtm_frechet(A, B)", r"L_{1/2}(\mathbf{A}, \mathbf{B})"),
        ("adj(A)", r"\operatorname{adj}(\mathbf{A})"),
        ("pinv(A)", r"\mathbf{A}^{+}"),
        ("pinv(A)'", r"\mathbf{A}^{+\top}"),
        ("pinv(A + B)", r"(\mathbf{A} + \mathbf{B})^{+}"),
        ("lambda_max(A)", r"\lambda_{\max}(\mathbf{A})"),
        ("vmax(A)", r"\mathbf{v}_{\max}(\mathbf{A})"),
        ("norm_nuc(A)", r"\lVert \mathbf{A}\rVert_{*}"),
        ("softmax_rows(A)", r"\operatorname{softmax}_{\mathrm{rows}}(\mathbf{A})"),
        ("max(x, y)", r"\max(\mathbf{x}, \mathbf{y})"),
        ("clip(x, -1, s)", r"\operatorname{clip}(\mathbf{x}, -1, s)"),
        ("huber(s, t)", r"\operatorname{huber}(s, t)"),
    ],
)
def test_usual_forms(source, expected):
    assert written(source) in expected.split("|")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (MatrixDifferential(Variable("X", n, n)), r"\mathrm{d}\mathbf{X}"),
        (Transpose(MatrixDifferential(Variable("X", n, n))), r"(\mathrm{d}\mathbf{X})^{\top}"),
        (
            Product(Variable("A", n, n), MatrixDifferential(Variable("X", n, n)), Variable("B", n, n)),
            r"\mathbf{A}\,\mathrm{d}\mathbf{X}\,\mathbf{B}",
        ),
        (MatrixDifferential(Inverse(Variable("X", n, n))), r"\mathrm{d}(\mathbf{X}^{-1})"),
        (LossGradient("L", Variable("w", n, 1)), r"\frac{\partial L}{\partial \mathbf{w}}"),
        (Loss("L", Variable("w", n, 1)), r"L(\mathbf{w})"),
        (Unvec(Variable("h", m * n, 1), m, n), r"\operatorname{unvec}_{m, n}(\mathbf{h})"),
        (Scale(ScalarDifferential(Symbol("s", real=True)), Variable("B", n, n)), r"\mathrm{d}s\,\mathbf{B}"),
        (
            Frechet(latex.SLOTS[0] ** Symbol("k", integer=True), Variable("X", n, n), Variable("B", n, n)),
            r"\textstyle\sum_{i<k} \mathbf{X}^{i}\mathbf{B}\mathbf{X}^{k - 1 - i}",
        ),
    ],
    ids=str,
)
def test_differentials_and_losses(expression, expected):
    assert latex.write(expression) == expected


@pytest.mark.parametrize("source", ["norm2(X_F)^2", "norm2(x_F)^2", "norm2(X_F)^2*norm2(X)", "1/norm2(x_F)^3"])
def test_a_square_keeps_the_name_of_what_it_squares(source):
    """The F of the norm is not the F of the name."""
    name = r"\mathbf{X}_{F}" if "X_F" in source else r"\mathbf{x}_{F}"
    assert name in written(source)


def test_a_node_without_a_form_is_an_error():
    with pytest.raises(UnsupportedError, match="no LaTeX for zeta"):
        latex.write(zeta(Symbol("s", real=True)))


# ------------------------------------------------------------------------------- a reader of LaTeX

# All sizes are three here, so that 1 and I need no context.
SIZE = 3


class Unreadable(AssertionError):
    """The LaTeX does not say what is meant."""


def scalar(a):
    return torch.as_tensor(a, dtype=torch.float64).reshape(1, 1)


def by_spectrum(function):
    def apply(a):
        values, vectors = torch.linalg.eig(a)
        return ((vectors * function(values)) @ torch.linalg.inv(vectors)).real

    return apply


def frechet(function):
    """By differences of the fourth order."""

    def derivative(a, e):
        h = 1e-5
        return (8 * (function(a + h * e) - function(a - h * e)) - function(a + 2 * h * e) + function(a - 2 * h * e)) / (
            12 * h
        )

    return derivative


def largest_eigenvector(a):
    vector = torch.linalg.eigh((a + a.T) / 2)[1][:, -1:]
    return vector * torch.sign(vector[vector.abs().argmax()])


MATRIX_EXPONENTIAL, MATRIX_ROOT = by_spectrum(torch.exp), by_spectrum(torch.sqrt)

CALLS = {
    r"\operatorname{tr}": lambda a: scalar(torch.trace(a)),
    r"\operatorname{softmax}": lambda a: torch.exp(a) / torch.exp(a).sum(),
    r"\operatorname{logsumexp}": lambda a: scalar(torch.log(torch.exp(a).sum())),
    r"\operatorname{diag}": lambda a: torch.diag(a[:, 0]) if a.shape[1] == 1 else torch.diagonal(a)[:, None],
    r"\log\det": lambda a: scalar(torch.logdet(a)),
    r"\det": lambda a: scalar(torch.linalg.det(a)),
    r"\exp": torch.exp,
    r"\log": torch.log,
    r"\sin": torch.sin,
    r"\cos": torch.cos,
    r"\tan": torch.tan,
    r"\arcsin": torch.asin,
    r"\arccos": torch.acos,
    r"\arctan": torch.atan,
    r"\sinh": torch.sinh,
    r"\cosh": torch.cosh,
    r"\tanh": torch.tanh,
    r"\operatorname{sign}": torch.sign,
    r"\operatorname{erf}": torch.erf,
    r"\operatorname{ReLU}": torch.relu,
    r"\operatorname{softplus}": lambda a: torch.logaddexp(a, a * 0),
    r"\sigma": torch.sigmoid,
    r"\Phi": torch.special.ndtr,
    r"\varphi": lambda a: torch.exp(-a * a / 2) / math.sqrt(2 * math.pi),
    r"\max": torch.maximum,
    r"\min": torch.minimum,
    r"\operatorname{clip}": lambda a, low, high: torch.minimum(torch.maximum(a, low), high),
    r"\operatorname{huber}": lambda a, c: torch.where(a.abs() < c, a * a / 2, c * (a.abs() - c / 2)),
    r"\operatorname{softmax}_{\mathrm{rows}}": lambda a: torch.softmax(a, 1),
    r"\operatorname{vec}": lambda a: torch.cat([a[:, j : j + 1] for j in range(a.shape[1])]),
    r"\operatorname{adj}": lambda a: torch.linalg.det(a) * torch.linalg.inv(a),
    r"\operatorname{logm}": by_spectrum(torch.log),
    r"\operatorname{sinm}": by_spectrum(torch.sin),
    r"\operatorname{cosm}": by_spectrum(torch.cos),
    r"L_{\exp}": frechet(MATRIX_EXPONENTIAL),
    r"L_{\log}": frechet(by_spectrum(torch.log)),
    r"L_{1/2}": frechet(MATRIX_ROOT),
    r"L_{\sin}": frechet(by_spectrum(torch.sin)),
    r"L_{\cos}": frechet(by_spectrum(torch.cos)),
    r"\lambda_{\max}": lambda a: scalar(torch.linalg.eigvalsh((a + a.T) / 2)[-1]),
    r"\mathbf{v}_{\max}": largest_eigenvector,
}
# Functions whose subscript says of which size.
UNVEC, COMMUTATION = r"\operatorname{unvec}_{", r"\mathbf{K}_{"
OPEN = {"(": ")", r"\bigl(": r"\bigr)", r"\Bigl(": r"\Bigr)"}
CLOSE = (*OPEN.values(), "}", r"\rVert", r"\rvert", "]", ">", ",", "+", "-", r"\odot", r"\oslash", r"\otimes")
NUMBER = re.compile(r"\d+(\.\d+)?(e[-+]?\d+)?")
ONES = r"\mathbf{1}"
CONSTANTS = {
    ONES: torch.ones(SIZE, 1, dtype=torch.float64),
    r"\mathbf{I}": torch.eye(SIZE, dtype=torch.float64),
    r"\mathbf{0}": scalar(0),
    r"\pi": scalar(math.pi),
    "e": scalar(math.e),
    "m": scalar(SIZE),
    "n": scalar(SIZE),
}


class Reader:
    """The value of LaTeX, by recursive descent; `names` are the values of what variables look like."""

    def __init__(self, text, names):
        self.text, self.at, self.names, self.variables = text, 0, {**CONSTANTS, **names}, names

    def fail(self, what):
        raise Unreadable(f"{what} at {self.text[self.at :][:40]!r} in {self.text}")

    def see(self, *options):
        while self.text.startswith((r"\,", " "), self.at):
            self.at += 2 if self.text[self.at] == "\\" else 1
        return max((o for o in options if self.text.startswith(o, self.at)), key=len, default=None)

    def take(self, *options):
        found = self.see(*options)
        self.at += len(found or "")
        return found

    def expect(self, *options):
        return self.take(*options) or self.fail(f"expected {' or '.join(options)}")

    def whole(self):
        value = self.sum()
        return value if self.see("") == "" and self.at == len(self.text) else self.fail("left over")

    def sum(self):
        total = -self.term() if self.take("-") else self.term()
        while sign := self.take("+", "-"):
            term = self.term()
            if term.shape != total.shape and not (
                (term.numel() == 1 and term == 0) or (total.numel() == 1 and total == 0)
            ):
                self.fail(f"a sum of {tuple(total.shape)} and {tuple(term.shape)}")
            total = total + term if sign == "+" else total - term
        return total

    def term(self):
        value, matrices = self.chain()
        if self.see(r"\otimes"):
            return self.kronecker(value, matrices)
        while operator := self.take(r"\odot", r"\oslash"):
            right, _ = self.chain()
            if value.shape != right.shape and 1 not in (value.numel(), right.numel()):
                self.fail(f"a Hadamard product of {tuple(value.shape)} and {tuple(right.shape)}")
            value = value * right if operator == r"\odot" else value / right
        return value if not self.see(r"\otimes") else self.fail("mixed with a Hadamard product")

    def kronecker(self, value, matrices):
        """Whether AB ⊗ C is (AB) ⊗ C or A(B ⊗ C) nobody can tell, so nobody writes it."""
        while True:
            if matrices > 1:
                self.fail("a factor of a Kronecker product that is a product itself")
            if not self.take(r"\otimes"):
                break
            right, matrices = self.chain()
            value = torch.kron(value.contiguous(), right.contiguous())
        return value if not self.see(r"\odot", r"\oslash") else self.fail("mixed with a Kronecker product")

    def chain(self):
        """(value, how many matrices) of factors side by side; ones right before a division are of any shape."""
        value, matrices = None, 0
        while True:
            ones, (bare, factor) = self.see(ONES) and not self.see(ONES + "["), self.factor()
            if ones and self.see(r"\oslash"):
                factor = scalar(1)
            matrices += factor.numel() > 1
            if value is None or 1 in (value.numel(), factor.numel()):
                value = factor if value is None else value * factor
            elif value.shape[1] != factor.shape[0]:
                self.fail(f"a product of {tuple(value.shape)} and {tuple(factor.shape)}")
            else:
                value = value @ factor
            self.take(r"\cdot")
            if self.see(*CLOSE) or self.at == len(self.text):
                return value, matrices
            if bare:
                self.fail(f"{bare} takes in what follows")

    def factor(self):
        bare, value = self.atom()
        while self.take("^"):
            self.expect("{")
            if self.take(r"\top"):
                value = value.T
            elif self.take(r"-\top"):
                value = torch.linalg.inv(value).T
            elif self.take(r"+\top"):
                value = torch.linalg.pinv(value, rtol=1e-10).T
            elif self.take("+"):
                value = torch.linalg.pinv(value, rtol=1e-10)
            elif self.take("1/2"):
                value = MATRIX_ROOT(value)
            elif self.take(r"\odot"):
                value = value ** self.sum()
            else:
                exponent = self.sum()
                if value.numel() == 1:
                    value = value**exponent
                else:
                    value = torch.linalg.matrix_power(value, round(float(exponent)))
            self.expect("}")
        return bare, value

    def between(self, opening, closing):
        self.expect(opening)
        value = self.sum()
        self.expect(closing)
        return value

    def arguments(self):
        """What stands in parentheses, one value or several."""
        closing = OPEN[self.expect(*OPEN)]
        found = [self.sum()]
        while self.take(","):
            found.append(self.sum())
        self.expect(closing)
        return found

    def sizes(self, opening):
        """The sizes in a subscript, separated by commas."""
        self.expect(opening)
        found = [round(float(self.sum()))]
        while self.take(","):
            found.append(round(float(self.sum())))
        self.expect("}")
        return found

    def sized(self):
        """What has its size in its subscript: I, 1, K and unvec."""
        if self.see(r"\mathbf{I}_{"):
            return torch.eye(*self.sizes(r"\mathbf{I}_{"), dtype=torch.float64)
        if self.see(ONES + "_{"):
            return torch.ones(*self.sizes(ONES + "_{"), 1, dtype=torch.float64)
        if self.see(UNVEC):
            rows, columns = self.sizes(UNVEC)
            (vector,) = self.arguments()
            return torch.stack([vector[j * rows : (j + 1) * rows, 0] for j in range(columns)], 1)
        rows, columns = self.sizes(COMMUTATION)
        matrix = torch.zeros(rows * columns, rows * columns, dtype=torch.float64)
        for i in range(rows):
            for j in range(columns):
                matrix[i * columns + j, j * rows + i] = 1
        return matrix

    def sum_of_powers(self):
        """What stands right of a sum over i is summed as far as the product goes."""
        count, start, before = round(float(self.sum())), self.expect("}") and self.at, self.names.get("i")
        terms = []
        for i in range(count):
            self.at, self.names["i"] = start, scalar(i)
            terms.append(self.chain()[0])
        self.names["i"] = before
        return sum(terms)

    def atom(self):
        """(the function that stands without parentheses, if any; the value)"""
        self.see()
        if number := NUMBER.match(self.text, self.at):
            self.at = number.end()
            return None, scalar(float(number[0]))
        if self.see(ONES + "["):
            inside = self.between(ONES + "[", ">")
            self.expect("0]")
            return None, (inside > 0).to(inside.dtype)
        if self.take(r"\frac", r"\tfrac"):
            return None, self.between("{", "}") / self.between("{", "}")
        if self.take(r"\sqrt"):
            return None, torch.sqrt(self.between("{", "}"))
        if self.see(r"\lVert"):
            inside = self.between(r"\lVert", r"\rVert")
            if self.take("_{*}"):
                return None, scalar(torch.linalg.svdvals(inside).sum())
            if not self.take("_{F}") and inside.shape[1] > 1:
                self.fail("which norm of a matrix?")
            return None, scalar(torch.sqrt((inside * inside).sum()))
        if self.see(r"\lvert"):
            return None, self.between(r"\lvert", r"\rvert").abs()
        if opening := self.see(*OPEN):
            return None, self.between(opening, OPEN[opening])
        name, function = self.see(*self.names), self.see(*CALLS)
        subscripted = self.see(r"\mathbf{I}_{", ONES + "_{", UNVEC, COMMUTATION)
        if self.take(r"\textstyle\sum_{i<"):
            return None, self.sum_of_powers()
        if subscripted and len(subscripted) > len(name or ""):
            return None, self.sized()
        if name == "e" and "e" not in self.variables and self.take("e^"):
            exponent = self.between("{", "}")
            return None, exponent.exp() if exponent.numel() == 1 else MATRIX_EXPONENTIAL(exponent)
        if name and len(name) > len(function or ""):
            return None, self.names[self.take(name)]
        if function:
            self.take(function)
            if self.see(*OPEN):
                return None, CALLS[function](*self.arguments())
            return function, CALLS[function](self.atom()[1])
        return self.fail("cannot read")


def value_of_latex(text, values):
    """values: variable -> tensor."""
    return Reader(text, {typeset(v.name, bold=is_matrix(v)): x for v, x in values.items()}).whole()


def agree(got, expected, relative_error):
    if got.numel() == 1 != expected.numel():
        got = got.expand(expected.shape)  # the zero matrix
    return relative_error(got, expected) < 1e-6


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"2s + \tfrac{1}{2}t", 5.5),
        (r"s^{2}t", 12),
        (r"-s - t", -5),
        (r"\log s", math.log(2)),
        (r"t\log(s + t)^{2}", 3 * math.log(5) ** 2),
        (r"\frac{s}{s + t}", 0.4),
        (r"\lVert \mathbf{1}\rVert^{2}", 3),
        (r"\mathbf{1}^{\top}\mathbf{1}\,s", 6),
        (r"3\cdot 4", 12),
        (r"\operatorname{tr}(\mathbf{I} \otimes \mathbf{I}_{2})", 6),
        (r"\operatorname{tr}(2\mathbf{I}_{m n})", 18),
        (r"\operatorname{vec}(\mathbf{I})^{\top}\mathbf{1}_{3^{2}}", 3),
        (r"\operatorname{tr}(\mathbf{K}_{2, 3})", 2),
        (r"\operatorname{tr}(\operatorname{unvec}_{3, 3}(\operatorname{vec}(\mathbf{I})))", 3),
        (r"\operatorname{tr}(e^{s\mathbf{I}})", 3 * math.exp(2)),
        (r"e^{s}", math.exp(2)),
        (r"\operatorname{tr}\bigl((4\mathbf{I})^{1/2}\bigr)", 6),
        (r"\operatorname{tr}\bigl((2\mathbf{I})^{+}\bigr)", 1.5),
        (r"\operatorname{tr}\bigl(L_{\exp}(\mathbf{I}, t\mathbf{I})\bigr)", 9 * math.e),
        (r"\lVert 2\mathbf{I}\rVert_{*}\lVert \mathbf{I}\rVert_{F}", 6 * math.sqrt(3)),
        (r"\max(s, t) + \operatorname{clip}(5, s, t)", 6),
        (r"\textstyle\sum_{i<3} s^{i}", 7),
    ],
)
def test_the_reader_reads(text, expected):
    values = {Symbol("s"): scalar(2), Symbol("t"): scalar(3)}
    assert math.isclose(float(value_of_latex(text, values)), expected)


@pytest.mark.parametrize(
    "text",
    [
        *(r"\log s t", r"\det\mathbf{I}\mathbf{I}", "s +", "(s", r"\mathbf{1}\mathbf{1}", "?"),
        # What stands first?
        r"\mathbf{I}\mathbf{I} \otimes \mathbf{I}",
        r"\mathbf{I} \otimes \mathbf{I}\mathbf{I}",
        r"\mathbf{I} \otimes \mathbf{I} \odot \mathbf{I}_{9}",
        r"\mathbf{I}_{9} \odot \mathbf{I} \otimes \mathbf{I}",
        r"\lVert \mathbf{I}\rVert",
        r"\mathbf{I} + \mathbf{I}_{m n}",
        r"\operatorname{unvec}(\mathbf{1}_{9})",
    ],
)
def test_the_reader_refuses(text):
    with pytest.raises(Unreadable):
        value_of_latex(text, {Symbol("s"): scalar(2), Symbol("t"): scalar(3)})


# --------------------------------------------------------------------- nothing is lost in writing


@settings(max_examples=250, deadline=None, derandomize=True)
@given(data=st.data())
def test_the_latex_of_random_expressions_means_what_they_mean(data, random_texts, relative_error):
    write_and_understand(data, random_texts, relative_error)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(data=st.data())
def test_so_does_that_of_the_vec_form_and_of_functions_of_matrices(data, wide_texts, relative_error):
    write_and_understand(data, wide_texts, relative_error)


def write_and_understand(data, texts, relative_error):
    sizes, numbers = {"m": SIZE, "n": SIZE}, {m: Integer(SIZE), n: Integer(SIZE)}
    source = texts.draw(data, data.draw(st.sampled_from(texts.shapes)), 2)
    values = texts.point(data.draw(st.integers(0, 5)), sizes)
    if texts.value(source, values, sizes) is None:
        return
    reading, _ = read(source, texts.variables)
    named = {v: values[name] for name, v in reading.variables.items() if name in values}
    try:
        expected = interpreter.value(reading.expression, named, numbers)
    except DomainError:
        return
    text = latex.write(reading.expression)
    if r"(\mathbf{0})" in text:
        return  # a function of zeros: of how many, nothing says
    assert agree(value_of_latex(text, named), expected, relative_error), (source, text)


@pytest.mark.parametrize(
    "expression",
    [
        "det(X)*inv(X)'",
        "det(X)*tr(A)",
        "det(X)*(x'*y)",
        "det(X)^2*s",
        "logdet(X)*tr(A)",
        "logdet(X)*A",
        "s*logdet(X)*norm2(x)",
        "det(X)*logdet(X)",
        "sin(s)*A",
        "exp(s)*A*x",
        "tanh(s)*cos(t)*x",
        "log(s)*x",
        "(log(s) + 1)*x",
        "sum(1 ./ x)",
        "sum(1 ./ x)*s",
        "sum(1 ./ A)",
        "s*sum(x)/sum(1 ./ y)",
        "A*(1 ./ x)",
        "(1 ./ x) .* (A*y)",
        "x .* (1 ./ (x + y))",
        "1 ./ (x .* y)",
        "cos(1)*x",
        "(s - t)*(t - s)*x",
        "s*(t - (s - t))",
        "(s + t)^2*(s - t)",
        "((s + t)*x + y)'*(x - y)",
        "A*(B + A)*(x - y)",
        "(A*B)^2*x",
        "(A + B)^2*x",
        "(x + y).^2 .* x",
        "norm2(A*x - y)^3*x",
        "sqrt(s + t)*x",
        "exp(x'*y)^2",
        "s^(t + 1)",
        "(-s)^2*t",
        "2^s*x",
        "x'*A*y*(s + t)",
        "(x'*A*y + s)*x",
        "sum(A)*sum(x)*s",
        "sum(A)^2",
        "tr(A)^2*det(X)",
        "abs(s*t)*abs(x)",
        "softmax(x)*softmax(y)'*x",
        "diag(x)^2*y",
        "inv(A + B)'*x",
        "normpdf(s)*normcdf(t)",
        "kron(A, B)*h + 2*vec(A*B)",
        "(kron(A, B) + kron(B, A))*h",
        "kron(A, B)'*kron(A + B, x*y')*h",
        "kron(A*B, 2*x)*y",
        "s*kron(A, x)'*h/t",
        "kron(A .* B, A)*h",
        "kron(kron(x, A), y')*kron(x, y)",
        "(kron(A, B) .* kron(B, A))*h",
        "kron(A, B)^2*h",
        "inv(kron(A, B) + eye(n*n))*h",
        "vec(A)*vec(B)'*h",
        "diag(vec(A))*kron(ones(n), eye(n))*x",
        "vec(eye(n))'*kron(eye(n), A)*h",
        "comm(n, n)*kron(A, B)*h",
        "ones(n, n)*A*ones(n, n)*x",
        "sum(kron(A, x))*sum(h)",
        "expm(A)*expm(B)*x",
        "expm(A + B)^2*x",
        "expm(-A)'*x",
        "inv(expm(A))*x",
        "sqrtm(X)*A*x",
        "inv(sqrtm(X))'*x",
        "sqrtm(X)^3*logm(X)",
        "sinm(A)*cosm(B)*x - s*expm(s*A)*x",
        "expm_frechet(A, x*y')*x",
        "2*sqrtm_frechet(X, A) .* B",
        "power_frechet(A, B, 3)*x",
        "s*power_frechet(A, x*y', 2)'*x - A*x",
        "power_frechet(A, B, 3) .* A",
        "pinv(A)'*pinv(A + B)*x",
        "pinv(A*B)^2*x",
        "adj(A)'*adj(A + B)*s",
        "norm_nuc(A)*norm2(A)^2*norm2(x)",
        "norm_nuc(A + B)^2/s",
        "lambda_max(A)*(s + t)*x",
        "lambda_max(A)^2*(vmax(B)*vmax(B)')*x",
        "softmax_rows(A)*softmax_rows(B)'*x",
        "max(x, s) .* min(x, y)",
        "clip(A, -s, s + 1)*x",
        "(huber(s, 2) + max(s, t))*x",
    ],
)
def test_parentheses_stand_where_they_are_needed(expression, random_texts, relative_error):
    reading, _ = read(expression, SHAPES)
    drawn = random_texts.point(2, {"m": SIZE, "n": SIZE})
    drawn["h"] = torch.linspace(-1, 2, SIZE**2, dtype=torch.float64)[:, None]
    pick = {"X": "P", "A": "S", "B": "A", "w": "p", "yhat": "t", "W_g": "C", "X_F": "A", "x_F": "x"}
    values = {v: drawn[pick.get(name, name)] for name, v in reading.variables.items()}
    text = latex.write(reading.expression)
    expected = interpreter.value(reading.expression, values, {m: Integer(SIZE), n: Integer(SIZE)})
    assert agree(value_of_latex(text, values), expected, relative_error), text


def carried():
    problems = json.loads((Path(__file__).parents[2] / "data" / "derivatives.json").read_text())["problems"]
    for p in problems:
        wrt = (p["wrt"], p["wrt2"]) if p.get("wrt2", p["wrt"]) != p["wrt"] else p["wrt"]
        try:
            yield p["id"], derive(p["expr"], wrt, variables=p["vars"], order=p["order"], structure=p.get("structure"))
        except (UnsupportedError, NoRuleError):
            continue


CARRIED = dict(carried())


def test_the_whole_corpus_has_latex():
    assert len(CARRIED) == 269


@pytest.mark.parametrize("name", CARRIED)
def test_the_latex_of_the_corpus_means_what_it_means(name, relative_error):
    d = CARRIED[name]
    numbers = {s: Integer(SIZE) for v in d.variables if is_matrix(v) for k in v.shape for s in k.free_symbols}
    sizes = {typeset(str(s)): scalar(SIZE) for s in numbers}
    for seed in range(20):
        sampler = autograd.FloatSampler(f"latex/{seed}")
        values = {}
        for v in d.variables:
            drawn = sampler.matrix(v, numbers) if is_matrix(v) else [[sampler.scalar(autograd.properties_of(v))]]
            values[v] = torch.tensor(drawn, dtype=torch.float64)
        try:
            expected = [interpreter.value(e, values, numbers) for e in (d.expression, d.result)]
        except DomainError:
            continue
        if all(e.isfinite().all() for e in expected):
            break
    for e, value in zip((d.expression, d.result), expected, strict=True):
        text = latex.write(e)
        names = {typeset(v.name, bold=is_matrix(v)): x for v, x in values.items()}
        assert agree(Reader(text, {**sizes, **names}).whole(), value, relative_error), text


@pytest.mark.parametrize("name", CARRIED)
def test_braces_and_parentheses_are_balanced(name):
    text = CARRIED[name].to_latex()
    plain = text.replace(r"\{", "").replace(r"\}", "")
    depth = 0
    for character in plain:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0
    for opening, closing in [(r"\left", r"\right"), (r"\bigl", r"\bigr"), (r"\Bigl", r"\Bigr"), (r"\lVert", r"\rVert")]:
        counts = [len(re.findall(re.escape(word) + r"(?![A-Za-z])", text)) for word in (opening, closing)]
        assert counts[0] == counts[1]
    assert text.count("(") == text.count(")")
    assert latex.BREAK not in text
    # Never (X^T)^{-1} nor (X^{-1})^T of a name.
    name = r"\(\\(mathbf|boldsymbol)\{\\?\w+\}(_\{[^{}]*\})?"
    assert not re.search(name + r"\^\{(\\top\}\)\^\{-1|-1\}\)\^\{\\top)\}", text)


def test_every_form_of_a_scalar_is_read_back():
    s, x, A = Symbol("s", positive=True), Variable("x", n, 1), Variable("A", n, n)
    values = {s: scalar(1.7), x: torch.tensor([[0.5], [1.0], [2.0]], dtype=torch.float64)}
    values[A] = torch.eye(3, dtype=torch.float64) * 2 + 0.3
    numbers = {n: Integer(3)}
    parts = [
        s,
        -s,
        s + 1,
        1 - s,
        1 / s,
        sqrt(s),
        s**2,
        log(s),
        log(s + 1),
        exp(s),
        sin(s) ** 2,
        Inner(Transpose(x), x),
        EntrySum(x),
        EntrySum(Apply(1 / latex.SLOTS[0], x)),
        Trace(Product(A, A)),
        Det(A),
        LogDet(A),
        Norm(A),
        Norm(x) ** 2,
        n,
    ]
    for f in parts:
        for g in parts:
            for e in (f * g, f + g, f - g, f / g, f**2 * g, exp(f) * g):
                expected = interpreter.value(e, values, numbers)
                got = value_of_latex(latex.write(e), values)
                assert abs(float(got) - float(expected)) <= 1e-9 * abs(float(expected)) + 1e-12, latex.write(e)


def test_every_form_of_a_matrix_is_read_back():
    s, x = Symbol("s", positive=True), Variable("x", n, 1)
    A, B = Variable("A", n, n), Variable("B", n, n)
    values = {s: scalar(1.7), x: torch.tensor([[0.5], [1.0], [2.0]], dtype=torch.float64)}
    values |= {A: torch.rand(3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + torch.eye(3)}
    values |= {B: torch.rand(3, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64) + torch.eye(3)}
    numbers = {n: Integer(3)}
    parts = [
        A,
        Transpose(B),
        Inverse(A),
        Transpose(Inverse(B)),
        Power(A, 2),
        Sum(A, B),
        Sum(A, Scale(-1, B)),
        Scale(2, A),
        Scale(-s, B),
        Product(A, B),
        Hadamard(A, B),
        Hadamard(A, Apply(1 / latex.SLOTS[0], B)),
        Apply(1 / latex.SLOTS[0], A),
        Apply(latex.SLOTS[0] ** 2, A),
        Apply(exp(latex.SLOTS[0]), A),
        Product(x, Transpose(x)),
    ]
    for f in parts:
        for g in parts:
            for e in (Product(f, g), Sum(f, g), Hadamard(f, g), Scale(s + 1, f), Transpose(Sum(f, g)), Scale(s, g)):
                expected = interpreter.value(e, values, numbers)
                got = value_of_latex(latex.write(e), values)
                if got.numel() == 1:
                    got = got.expand(expected.shape)
                torch.testing.assert_close(got, expected, msg=lambda _, e=e: latex.write(e))
