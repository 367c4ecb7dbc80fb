"""check_gradient: right functions pass, wrong ones are shown with a hint, bad requests are refused."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

import derivations as dv
from derivations.differentiation import differentiate
from derivations.expressions import PROPERTIES, Product, Variable
from derivations.scalars import Loss
from derivations.verification.callables import DOMAINS

SQUARES = "norm2(X*w - y)^2"
PD = {"P": {"shape": ["n", "n"], "props": ["positive_definite"]}}
SQUARE = {"A": "n,n", "X": "n,n", "x": "n"}


def squares(X, w, y):
    return ((X @ w - y) ** 2).sum()


# -------------------------------------------------------------------------------- right functions


@pytest.mark.parametrize(
    ("function", "expression", "wrt", "variables"),
    [
        (squares, SQUARES, "w", None),
        (squares, SQUARES, "X", None),
        (lambda P: torch.logdet(P), "logdet(P)", "P", PD),
        (lambda P: 2 * torch.linalg.cholesky(P).diagonal().log().sum(), "logdet(P)", "P", PD),
        (lambda x: torch.softmax(x, 0), "softmax(x)", "x", None),
        (lambda A, x: torch.tanh(A @ x), "tanh(A*x)", "x", None),
        (lambda A, s: s * A, "s*A", "s", {"A": "m,n", "s": ""}),
        (lambda x: x.log().sum(), "sum(log(x))", "x", None),
        (lambda s, t: torch.exp(-s * t), "exp(-s*t)", "t", {"s": "", "t": ""}),
        (lambda r: (r**2).sum(), "r*r'", "r", {"r": "1,n"}),
        (
            lambda z, t: torch.nn.functional.binary_cross_entropy_with_logits(z, t, reduction="sum"),
            "sum(softplus(z)) - t'*z",
            "z",
            None,
        ),
        (lambda x: torch.tensor(3.0, dtype=torch.float64), "3", "x", {"x": "n"}),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_a_right_function_passes(function, expression, wrt, variables, seed):
    found = dv.check_gradient(function, expression, wrt=wrt, variables=variables, seed=seed)
    assert found.passed is True and found.points == 3 and found.worst_error < 1e-8


@pytest.mark.parametrize("layout", ["denominator", "numerator"])
def test_a_derivation_is_checked_in_its_layout(layout):
    d = dv.derive("A*x", "x", layout=layout)
    assert dv.check_gradient(lambda A, x: A @ x, d).passed
    assert dv.check_gradient(d.to_torch_module(), d).passed
    with pytest.raises(AssertionError, match=rf"the formula \({layout}\): {d.to_text()}\n"):
        dv.check_gradient(lambda A, x: 3 * A @ x, d)


def test_the_formula_itself_is_not_taken_on_trust():
    d = dv.derive("x'*B*x", "x")
    assert dv.check_gradient(lambda x, B: x @ B @ x, d).passed
    with pytest.raises(AssertionError, match="it is backward that is wrong"):
        dv.check_gradient(lambda x, B: x @ B @ x, replace(d, result=Product(d.variables[1], d.wrt)))


def test_a_function_may_be_a_module_and_write_on_its_arguments():
    layer = torch.nn.Linear(3, 2)
    fixed = {"W": layer.weight, "b": layer.bias}

    def through(x, W, b):
        x.mul_(1)
        return layer(x)

    found = dv.check_gradient(through, "W*x + b", wrt="x", **fixed)
    assert found.passed and found.name == "autograd of the function"

    def careless(X, w, y):
        found = ((X.numpy() @ w.numpy() - y.numpy()) ** 2).sum()
        y.zero_()
        return found

    assert dv.check_gradient(careless, SQUARES, wrt="w").name == "central differences of the function"


def test_gradients_are_taken_also_where_they_are_switched_off():
    with torch.no_grad():
        assert dv.check_gradient(squares, SQUARES, wrt="w").name == "autograd of the function"


# ----------------------------------------------------------------------------- own tensors, dtypes


def test_own_tensors_are_used_and_the_rest_fits_them():
    X = torch.randn(7, 2)
    seen = []

    def function(X, w, y):
        seen.append((X, w.shape, y.shape, w.dtype))
        return squares(X, w, y)

    assert dv.check_gradient(function, SQUARES, wrt="w", X=X).points == 3
    assert all(torch.equal(x, X) and (w, y, t) == ((2,), (7,), torch.float32) for x, w, y, t in seen)
    every = {"X": X, "w": torch.randn(2), "y": torch.randn(7)}
    assert dv.check_gradient(squares, SQUARES, wrt="w", **every).points == 1
    assert dv.check_gradient(squares, SQUARES, wrt="w", at=every, points=9).points == 1
    assert not X.requires_grad


def test_a_name_that_is_an_option_goes_in_at():
    found = dv.check_gradient(lambda points: points @ points, "points'*points", wrt="points", at={"points": [1, 2.0]})
    assert found.points == 1


def test_numbers_lists_and_arrays_are_read():
    given = {"X": np.ones((3, 2)), "w": [0.5, -1], "y": (1, 2, 3)}
    assert dv.check_gradient(squares, SQUARES, wrt="w", **given).worst_error < 1e-12
    assert dv.check_gradient(lambda s, x: s * x, "s*x", wrt="s", variables={"s": "", "x": "n"}, s=2).passed


def test_integers_stay_integers_for_the_function():
    def loss(z, t):
        assert t.dtype == torch.int64
        return torch.nn.functional.cross_entropy(z, t.argmax(), reduction="sum")

    t = torch.tensor([0, 1, 0])
    assert dv.check_gradient(loss, "-t'*logsoftmax(z)", wrt="z", t=t).passed


def test_the_tolerance_follows_the_dtype_and_can_be_said():
    w = torch.randn(3)
    assert dv.check_gradient(lambda w: (w * w).sum() * (1 + 1e-5), "w'*w", wrt="w", w=w).passed
    with pytest.raises(AssertionError, match=r"tolerance 1\.0e-06"):
        dv.check_gradient(lambda w: (w * w).sum() * (1 + 1e-5), "w'*w", wrt="w", w=w, tolerance=1e-6)
    with pytest.raises(AssertionError, match=r"tolerance 1\.5e-08"):
        dv.check_gradient(lambda w: (w * w).sum() * (1 + 1e-5), "w'*w", wrt="w")


# --------------------------------------------------------------------------------- wrong functions


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda X, w, y: ((X @ w - y) ** 2).mean(), "every entry is 1/m times the expected one: a mean for a sum?"),
        (lambda X, w, y: 2 * squares(X, w, y), "every entry is 2 times the expected one"),
        (lambda X, w, y: squares(X, w, y) / 2, "every entry is 1/2 times the expected one"),
        (lambda X, w, y: squares(X, w, y) * len(w), "every entry is n times the expected one: a sum for a mean?"),
        (lambda X, w, y: squares(X, w, y) / X.numel(), "every entry is 1/(m*n) times the expected one"),
        (lambda X, w, y: -squares(X, w, y) / len(y), "every entry is -1/m times the expected one"),
        (lambda X, w, y: squares(X, w, y) * 0.3, "every entry is 0.3 times the expected one"),
        (lambda X, w, y: -squares(X, w, y), "the sign is reversed"),
        (lambda X, w, y: squares(X, w, y) + 1, "the derivatives agree: a term that does not depend on w"),
        (lambda X, w, y: squares(X, w.detach(), y) + 0 * w.sum(), "autograd gives zero: is it detached?"),
        (
            lambda X, w, y: squares(X, w.detach(), y) + 0 * torch.ones((), requires_grad=True),
            "autograd finds no path from the value to w: is it detached?",
        ),
    ],
)
def test_a_wrong_function_is_shown_with_a_hint(function, message):
    with pytest.raises(AssertionError, match=rf"hint: {re.escape(message)}"):
        dv.check_gradient(function, SQUARES, wrt="w")


@pytest.mark.parametrize(
    ("function", "expression", "wrt"),
    [
        (lambda A, X: torch.trace(A.T @ X), "tr(A*X)", "X"),
        (lambda A, x: A.T @ x, "A*x", "x"),
    ],
)
def test_a_transpose_is_recognised(function, expression, wrt):
    with pytest.raises(AssertionError, match="hint: the derivative is transposed"):
        dv.check_gradient(function, expression, wrt=wrt, variables={k: v for k, v in SQUARE.items() if k in expression})


class HalfGradient(torch.autograd.Function):
    """A backward that somebody got wrong."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x * x).sum()

    @staticmethod
    def backward(ctx, upstream):
        (x,) = ctx.saved_tensors
        return upstream * x


def test_a_wrong_backward_is_told_from_a_wrong_value():
    with pytest.raises(AssertionError) as caught:
        dv.check_gradient(lambda x: HalfGradient.apply(x), "x'*x", wrt="x")
    assert "hint: the values agree, so it is backward that is wrong" in str(caught.value)
    assert "hint: every entry is 1/2 times the expected one" in str(caught.value)
    assert "the value:" not in str(caught.value)


ON_A_KINK = "the values agree, and the point lies on a kink: one subgradient may be as good as another"


@pytest.mark.parametrize(
    ("function", "text", "x"),
    [
        (lambda x: torch.clamp(x, -1, 1).sum(), "sum(clip(x, -1, 1))", [1.0, 0.5, -1.0]),
        (lambda x: torch.where(x >= 0, x, 0).sum(), "sum(relu(x))", [0.0, 0.0]),
        (lambda x: np.maximum(x.numpy(), 0).sum(), "sum(relu(x))", [0.0, -1.0]),
        (lambda x: torch.where(x >= 0, x, 0), "relu(x)", [0.0, 2.0]),
    ],
)
def test_on_a_kink_backward_is_not_blamed(function, text, x):
    with pytest.raises(AssertionError) as caught:
        dv.check_gradient(function, text, wrt="x", x=x)
    assert re.findall("hint: (.*)", str(caught.value)) == [ON_A_KINK]


def test_beside_a_kink_backward_is_blamed():
    with pytest.raises(AssertionError, match="it is backward that is wrong"):
        dv.check_gradient(lambda x: HalfGradient.apply(x) + x.abs().sum(), "x'*x + norm1(x)", wrt="x", x=[0.0, 1.0])


def test_the_message_shows_the_worst_entry():
    x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)

    def wrong(x):
        return (x * x)[:2].sum() + x[2] ** 3

    with pytest.raises(AssertionError) as caught:
        dv.check_gradient(wrong, "x'*x", wrt="x", x=x)
    assert str(caught.value).splitlines() == [
        "the derivative by x (autograd of the function) is not that of x'*x",
        "    df/dx[2] is 27, expected 6: relative error 7.8e-01, tolerance 1.5e-08",
        "    the formula (gradient): 2*x",
        "    the value: f is 32, expected 14",
        "    point 1 of 1: x (3,) float64",
    ]


def test_the_worst_entry_of_a_jacobian_and_the_conventions():
    x = torch.tensor([1.0, -2.0], dtype=torch.float64)
    A = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
    with pytest.raises(
        AssertionError, match=r"df\[2\]/dx\[0\] is 0\.01, expected 0.*\n.*\n.*\n.*\n.*assumed: ReLU'\(0\) = 0"
    ):
        dv.check_gradient(
            lambda A, x: torch.cat([torch.relu(A[:2] @ x), torch.nn.functional.leaky_relu(A[2:] @ x) * 1]),
            "relu(A*x)",
            wrt="x",
            A=A,
            x=x,
        )


def test_the_point_with_the_largest_error_is_shown():
    shown = set()
    for seed in range(5):
        with pytest.raises(AssertionError) as caught:
            dv.check_gradient(lambda x: x @ x + 1e-3 * (x**4).sum(), "x'*x", wrt="x", seed=seed)
        shown |= set(re.findall(r"point (\d) of 3", str(caught.value)))
    assert len(shown) > 1


def test_at_one_point_the_simplest_factors_are_named():
    """With n = 2 a half may be 1/n, and 1/m is also 2/(m*n)."""
    X, w, y = torch.ones(3, 2), torch.ones(2), torch.ones(3)
    with pytest.raises(AssertionError, match=r"every entry is 1/m times"):
        dv.check_gradient(lambda X, w, y: squares(X, w, y) / 3, SQUARES, wrt="w", X=X, w=w, y=y)
    with pytest.raises(AssertionError, match=r"every entry is 1/2 or 1/n times"):
        dv.check_gradient(lambda X, w, y: squares(X, w, y) / 2, SQUARES, wrt="w", X=X, w=w, y=y)


def test_an_error_that_only_some_points_show_gets_no_hint_of_all():
    with pytest.raises(AssertionError) as caught:
        dv.check_gradient(lambda x: x.abs().sum(), "sum(x)", wrt="x", at={"x": [1.0, -1.0]})
    assert "hint" not in str(caught.value)


def test_a_value_that_is_not_finite_disagrees():
    with pytest.raises(AssertionError, match=r"is nan, expected .* relative error inf"):
        dv.check_gradient(lambda x: (x - x).log() * x, "x.*x", wrt="x")


def test_a_shape_that_differs_is_shown():
    with pytest.raises(AssertionError, match=r"returns the shape \(2,\), and .* has the shape \(\) at X \(2, 3\)"):
        dv.check_gradient(lambda X, w, y: X @ w - y, SQUARES, wrt="w", X=torch.ones(2, 3))


# ------------------------------------------------------------------------------------ black boxes


@pytest.mark.parametrize(
    "function",
    [
        lambda X, w, y: ((X.numpy() @ w.numpy() - y.numpy()) ** 2).sum(),
        lambda X, w, y: float(squares(X, w, y)),
        lambda X, w, y: squares(X, w, y).detach(),
        lambda X, w, y: sum((math.fsum(a * b for a, b in zip(r, w.tolist())) - t) ** 2 for r, t in zip(X.tolist(), y)),
    ],
    ids=["numpy", "a number", "detached", "lists"],
)
@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad=True to a scalar")
def test_a_black_box_is_differentiated_by_differences(function):
    found = dv.check_gradient(function, SQUARES, wrt="w")
    assert found.passed and found.name == "central differences of the function"
    assert "no grad_fn" in found.note and found.worst_error < 1e-7
    with pytest.raises(AssertionError, match="hint: every entry is 2 times"):
        dv.check_gradient(lambda **given: 2 * function(**given), SQUARES, wrt="w")


def test_differences_of_vectors_matrices_and_in_float32():
    assert dv.check_gradient(lambda A, x: np.tanh(A.numpy() @ x.numpy()), "tanh(A*x)", wrt="x").passed
    assert dv.check_gradient(lambda A, x: np.tanh(A.numpy() @ x.numpy()).sum(), "sum(tanh(A*x))", wrt="A").passed
    found = dv.check_gradient(lambda x: (x.numpy() ** 2).sum(), "x'*x", wrt="x", x=torch.randn(4))
    assert 1e-7 < found.worst_error < 2e-3
    assert dv.check_gradient(lambda P: np.linalg.slogdet(P.numpy())[1], "logdet(P)", wrt="P", variables=PD).passed
    assert dv.check_gradient(lambda s: math.sin(s), "sin(s)", wrt="s", variables={"s": ""}, s=100).passed


def test_of_a_black_box_autograd_is_not_mentioned():
    with pytest.raises(AssertionError) as caught:
        dv.check_gradient(lambda x: 1.0, "x'*x", wrt="x")
    assert "autograd" not in str(caught.value) and "central differences" in str(caught.value)


def test_a_rough_black_box_is_told_so():
    with pytest.raises(AssertionError, match="hint: the values agree: if the function is rough"):
        dv.check_gradient(lambda x: np.round((x.numpy() ** 2).sum(), 7), "x'*x", wrt="x", tolerance=1e-6)
    assert dv.check_gradient(lambda x: np.round((x.numpy() ** 2).sum(), 7), "x'*x", wrt="x", tolerance=1e-1).passed


# ------------------------------------------------------------------------------------- bad requests


X, w = Variable("X", 4, 3), Variable("w", 3, 1)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((3, SQUARES), {"wrt": "w"}, dv.DerivationError, "expected a function of keyword tensors, not int"),
        ((squares, 3), {"wrt": "w"}, dv.DerivationError, "expected a Derivation or the text .* not int"),
        ((squares, SQUARES), {}, dv.DerivationError, "wrt is the name of the variable .* not None"),
        ((squares, SQUARES), {"wrt": ("w", "X")}, dv.DerivationError, "wrt is the name of the variable"),
        ((squares, dv.derive(SQUARES, "w")), {"wrt": "w"}, dv.DerivationError, "wrt and variables go with the text"),
        ((squares, "norm2(X*w"), {"wrt": "w"}, dv.ParseError, "expected"),
        ((squares, SQUARES), {"wrt": "v"}, dv.DerivationError, "cannot differentiate by 'v'"),
        ((squares, SQUARES), {"wrt": "w", "points": 0}, dv.DerivationError, "points is a positive integer, not 0"),
        ((squares, SQUARES), {"wrt": "w", "tolerance": 0}, dv.DerivationError, "tolerance is a positive number"),
        ((squares, SQUARES), {"wrt": "w", "at": 3}, dv.DerivationError, "at is a dictionary of tensors by name"),
        ((squares, SQUARES), {"wrt": "w", "point": 3}, dv.DerivationError, "the expression has no point; it has X, w"),
        ((squares, SQUARES), {"wrt": "w", "y": "a"}, dv.DerivationError, "y cannot be read as a tensor"),
        (
            (squares, SQUARES),
            {"wrt": "w", "w": torch.ones(2, 1)},
            dv.ShapeError,
            r"w has the shape \(2, 1\); expected a",
        ),
        (
            (squares, SQUARES),
            {"wrt": "w", "X": torch.ones(4, 3), "w": torch.ones(2)},
            dv.ShapeError,
            r"w has the shape \(2,\); expected \(n,\), where n = 3 in X \(4, 3\)",
        ),
        (
            (lambda X, w: w.sum(), SQUARES),
            {"wrt": "w"},
            dv.DerivationError,
            r"called with the keywords X, w, y, and its signature is \(X, w\)",
        ),
        ((lambda X, w, y: None, SQUARES), {"wrt": "w"}, dv.DerivationError, "the function returned NoneType"),
        ((squares, dv.derive("x'*B*x", "x", order=2)), {}, dv.UnsupportedError, "first derivative"),
        (
            (squares, differentiate(Loss("L", Product(X, w)), (X, w), (w,))),
            {},
            dv.UnsupportedError,
            "L is a loss that is not specified",
        ),
        ((lambda x: x, "log(-x'*x)"), {"wrt": "x"}, dv.DomainError, "no point inside the domain in 40 attempts"),
    ],
)
def test_bad_requests_are_refused_with_the_way_out(arguments, options, error, message):
    with pytest.raises(error, match=message):
        dv.check_gradient(*arguments, **options)


@pytest.mark.parametrize(
    ("props", "rows"),
    [
        ("symmetric", [[1, 2], [0, 1]]),
        ("positive_definite", [[1, 2], [2, 1]]),
        ("diagonal", [[1, 2], [0, 1]]),
        ("posdet", [[0, 1], [1, 0]]),
        ("positive", [[1, 2], [0, 1]]),
        ("unit_interval", [[0.5, 0.5], [0.5, 1.5]]),
        ("binary", [[0, 1], [2, 1]]),
        ("pm1", [[-1, 1], [0, 1]]),
        ("integer", [[0, 0.5], [1, 2]]),
        ("prob", [[0.5], [0.6]]),
        ("onehot", [[1], [1]]),
        ("onehot_rows", [[1, 1], [0, 1]]),
        ("orthogonal", [[2, 0], [0, 2]]),
        ("invertible", [[1, 2], [2, 4]]),
        ("centred", [[1], [2]]),
        ("small", [[0.5, 0.5], [0.5, -1.5]]),
    ],
)
def test_a_tensor_outside_of_the_declared_domain_is_refused(props, rows):
    rows = np.array(rows, float)
    shape = ["n"] if rows.shape[1] == 1 else ["n", "n"]
    declared = {"t": "", "S": {"shape": shape, "props": [props]}}
    given = rows[:, 0] if len(shape) == 1 else rows
    with pytest.raises(dv.DomainError, match=f"S is declared {props.replace('_', ' ')}, and the given tensor is not"):
        dv.check_gradient(lambda S, t: t * S.sum(), "t*sum(S)", wrt="t", variables=declared, S=given)
    assert dv.check_gradient(lambda S, t: t * S.sum(), "t*sum(S)", wrt="t", variables=declared).passed


def test_every_property_is_checked():
    assert DOMAINS.keys() == PROPERTIES


def test_tensors_that_have_what_is_declared_pass():
    Q, _ = torch.linalg.qr(torch.randn(5, 5, generator=torch.manual_seed(0)))
    declared = {"Q": {"shape": ["n", "n"], "props": ["orthogonal"]}}
    assert dv.check_gradient(lambda Q, x: ((Q @ x) ** 2).sum(), "norm2(Q*x)^2", wrt="x", variables=declared, Q=Q).passed
    x = 100 * torch.randn(1000)
    declared = {"x": {"shape": ["n"], "props": ["centred"]}}
    assert dv.check_gradient(lambda x: x @ x, "x'*x", wrt="x", variables=declared, x=x - x.mean()).passed


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": [0.0, 0.0], "s": 1.0}, "^the given point is outside of the domain: the formula is not finite$"),
        ({"x": [0.0, 0.0]}, "in 40 attempts with the given x .* or give other tensors in at="),
    ],
)
def test_a_point_outside_of_the_domain_is_told_from_one_that_was_not_found(given, message):
    with pytest.raises(dv.DomainError, match=message):
        dv.check_gradient(lambda s, x: s * x.norm(), "s*norm2(x)", wrt="x", variables={"s": "", "x": "n"}, at=given)


def test_own_tensors_outside_of_the_domain_of_the_formula():
    with pytest.raises(dv.DomainError, match="the formula is not finite"):
        dv.check_gradient(lambda x: x.log().sum(), "sum(log(x))", wrt="x", x=[-1.0, 2.0])
    with pytest.raises(dv.DomainError, match="nearly singular"):
        dv.check_gradient(torch.logdet, "logdet(input)", wrt="input", variables={"input": "n,n"}, input=np.ones((2, 2)))


def test_an_error_of_the_function_passes_through_with_the_point():
    def broken(X, w, y):
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine") as caught:
        dv.check_gradient(broken, SQUARES, wrt="w", X=torch.ones(2, 3))
    assert caught.value.__notes__ == [
        "raised by the function that is checked, at X (2, 3) float32, w (3,) float32, y (2,) float32"
    ]
