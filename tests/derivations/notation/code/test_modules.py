"""Torch modules with closed-form derivatives: gradcheck, refusals, and use in training."""

import copy
import re
from dataclasses import replace

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import derivations as dv
from derivations.differentiation import differentiate
from derivations.expressions import Product, Variable, multiply
from derivations.notation.code import modules
from derivations.rewriting import equalities
from derivations.scalars import Loss

SIZES = {"m": 4, "n": 3, "k": 2, "1": 1}
# Not declared symmetric: the entries are moved one by one here.
PD = {"shape": ["n", "n"], "props": ["posdet"]}
POSITIVE = {"kind": "vector", "shape": ["n"], "props": ["positive"]}
SHAPES = {
    **{"A": "m,n", "X": "m,n", "B": "n,n", "V": "k,n", "P": PD, "r": "1,n"},
    **{"x": "n", "w": "n", "b": "n", "c": "k", "u": "k", "p": POSITIVE, "y": "m", "z": "m", "s": "", "t": ""},
}


def tensor(name, dtype=torch.float64):
    """A value for a variable of SHAPES, inside its domain."""
    shape = SHAPES[name]["shape"] if isinstance(SHAPES[name], dict) else [s for s in SHAPES[name].split(",") if s]
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    x = torch.randn([SIZES[s] for s in shape], generator=generator, dtype=torch.float64)
    if SHAPES[name] is PD:
        x = x @ x.T + torch.eye(len(x))
    return (x.abs() + 0.3 if SHAPES[name] is POSITIVE else x).to(dtype)


def derivations_of(expression, names, **options):
    used = {n: s for n, s in SHAPES.items() if n in names or re.search(rf"\b{n}\b", expression)}
    return [dv.derive(expression, name, variables=used, **options) for name in names]


def arguments(derivation, needing=(), dtype=torch.float64):
    given = {v.name: tensor(v.name, dtype) for v in derivation.independent_variables}
    return {name: x.requires_grad_(name in needing) for name, x in given.items()}


def in_order(module, names, others):
    return lambda *inputs: module(**others, **dict(zip(names, inputs)))


# Expressions, and the variables that each is derived by.
CASES = [
    # of a scalar
    ("x'*B*x", "x B"),
    ("norm2(X*w - y)^2 + s*norm2(w)^2", "w X y s"),
    ("sum(softplus(X*w)) - y'*(X*w)", "w X y"),
    ("logsumexp(X*w)", "w X"),
    ("sum(log(p)) - p'*x", "p x"),
    ("norm2(x)", "x"),
    ("mean(tanh(A))", "A"),
    ("tr(A*B*A')", "A B"),
    ("logdet(P) - tr(B*P)", "P B"),
    ("x'*inv(P)*x", "x"),
    ("exp(-s*t)*sin(t)", "s t"),
    ("s*(r*x)", "s r x"),
    ("c'*tanh(V*relu(B*x + b) + u)", "V B b u c x"),
    ("log(1 + exp(-t*(w'*x)))", "w x t"),
    ("-y'*logsoftmax(A*x)", "A x"),
    ("y'*y", "x y"),
    ("pi", "x"),
    # of a vector
    ("A*x", "x"),
    ("tanh(A*x + y)", "x y"),
    ("softmax(x)", "x"),
    ("softmax(A*x).*z", "x z"),
    ("x", "x"),
    ("inv(P)*x", "x"),
    ("(x'*x)*w", "x w"),
    # of anything by a scalar
    ("s*A", "s"),
    ("s^2*x'", "s"),
    ("tanh(s*x)", "s"),
    ("inv(P + s*eye)", "s"),
    ("s*r", "s"),
]


@pytest.mark.parametrize(("expression", "names"), CASES, ids=[f"{e} by {n}" for e, n in CASES])
def test_gradients_of_first_and_second_order_are_those_of_the_value(expression, names):
    names = names.split()
    first, *others = derivations_of(expression, names)
    module = first.to_torch_module(*others)
    given = arguments(first, needing=names)
    function = in_order(module, names, {n: x for n, x in given.items() if n not in names})
    inputs = tuple(given[n] for n in names)
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


@pytest.mark.parametrize(
    ("expression", "name"), [("A*x", "x"), ("softmax(x)", "x"), ("x'*B*x", "x"), ("tr(A*B*A')", "A"), ("s*(r*x)", "r")]
)
def test_the_numerator_layout_gives_the_same_gradients(expression, name):
    (d,) = derivations_of(expression, [name], layout="numerator")
    given = arguments(d, needing=[name])
    x = given.pop(name)
    assert gradcheck(in_order(d.to_torch_module(), [name], given), (x,))


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x: torch.tanh(torch.ones(2, 4, dtype=x.dtype).cumsum(1) @ x), (4, 3)),
        (lambda x: torch.outer(x, torch.arange(1.0, 3, dtype=x.dtype)), (3,)),
        (lambda x: x[:, 0] * x[:, 1], (3, 2)),
        (lambda x: x[None, :] ** 2, (3,)),
    ],
    ids=["matrix by matrix", "matrix by vector", "vector by matrix", "row by vector"],
)
def test_the_vec_form_is_column_major(function, shape):
    x = torch.randn(shape, dtype=torch.float64)
    found = function(x)

    def stacked(a):
        return a.T.reshape(-1) if a.ndim == 2 else a

    def of_stacked(v):
        return stacked(function(v.reshape(shape[::-1]).T if len(shape) == 2 else v))

    vec = torch.autograd.functional.jacobian(of_stacked, stacked(x))
    assert vec.shape == (found.numel(), x.numel())
    (d,) = derivations_of("A*x", ["x"])
    arranged = modules.jacobian(replace(d, layout="vec"), vec, found.shape, shape)
    torch.testing.assert_close(arranged, torch.autograd.functional.jacobian(function, x))


@pytest.mark.parametrize(
    ("expression", "names"), [("x'*A", "x"), ("A*B", "A B"), ("tanh(A*B)", "B"), ("x*c'", "x c"), ("A*x", "A")]
)
def test_the_vec_form_of_the_engine(expression, names):
    names = names.split()
    shapes = {**SHAPES, "A": "n,k" if expression == "x'*A" else "m,n"}
    first, *others = (dv.derive(expression, name, variables=shapes) for name in names)
    module = first.to_torch_module(*others)
    given = {n: tensor(n).requires_grad_() for n in ("A", "B", "x", "c")}
    if expression == "x'*A":
        given["A"] = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    others = {n: x.detach() for n, x in tensors_of(first, given).items() if n not in names}
    assert gradcheck(in_order(module, names, others), tuple(given[n] for n in names))


def tensors_of(derivation, given):
    return {v.name: given[v.name] if v.name in given else tensor(v.name) for v in derivation.variables}


def test_backward_is_the_result_of_the_derivation():
    (d,) = derivations_of("x'*B*x", ["x"])
    wrong = replace(d, result=multiply(2, d.result)).to_torch_module()
    x, B = tensor("x").requires_grad_(), tensor("B")
    rest = {n: t for n, t in arguments(d).items() if n not in ("x", "B")}
    wrong(x=x, B=B, **rest).backward()
    torch.testing.assert_close(x.grad, 2 * (B + B.T) @ x.detach())
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        gradcheck(lambda x: wrong(x=x, B=B, **rest), (x,))


def test_abbreviations_and_reserved_names():
    d = dv.derive(
        "sum(log(b)) - lambda*sum(y)",
        "W",
        variables={"W": "m,n", "x": "n", "lambda": ""},
        definitions={"y": "W*x", "b": "sigmoid(y)"},
    )
    module = d.to_torch_module()
    W = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda W: module(W=W, x=tensor("x"), lambda_=0.5), (W,))


# -------------------------------------------------------------------------- dtype, device, batches


def squares():
    return dv.derive("norm2(X*w - y)^2 + s*norm2(w)^2", "w")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_dtype_follows_the_inputs(dtype):
    given = {n: tensor(n, dtype) for n in "Xwy"}
    given["w"].requires_grad_()
    value = squares().to_torch_module()(**given, s=0.25)
    value.backward()
    assert value.dtype == given["w"].grad.dtype == dtype
    exact = squares().to_function("torch")(**{n: tensor(n) for n in "Xwy"}, s=torch.tensor(0.25))
    error = (given["w"].grad - exact).abs().max() / exact.abs().max()
    assert error < 5 * torch.finfo(dtype).eps


def test_the_device_follows_the_inputs():
    given = {n: tensor(n).to("meta") for n in "Xwy"}
    given["w"].requires_grad_()
    value = squares().to_torch_module(s=0.25).to("meta")(**given)
    value.backward()
    assert value.device.type == given["w"].grad.device.type == "meta"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_module_runs_on_the_gpu():
    given = {n: tensor(n).cuda() for n in "Xwy"}
    given["w"].requires_grad_()
    module = squares().to_torch_module(s=0.25)
    assert gradcheck(lambda w: module(X=given["X"], w=w, y=given["y"]), (given["w"],))
    assert module(**given).is_cuda


def test_under_autocast_the_gradient_keeps_the_dtype_of_the_input():
    (d,) = derivations_of("tanh(A*x)", ["x"])
    x = tensor("x", torch.float32).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = d.to_torch_module()(A=tensor("A", torch.float32), x=x)
    assert value.dtype == torch.bfloat16
    value.sum().backward()
    assert x.grad.dtype == torch.float32


def test_scalars_follow_the_dtype_of_vectors_and_numbers_that_of_tensors():
    module = dv.derive("exp(-s*t)", "t", variables={"s": "", "t": ""}).to_torch_module()
    t = torch.tensor(0.5, requires_grad=True)
    assert module(s=2, t=t).dtype == torch.float32
    assert module(s=2.0, t=0.5).dtype == torch.get_default_dtype()
    assert module(s=torch.tensor(2), t=t).dtype == torch.float32
    w = tensor("w", torch.float32)
    s = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    scaled = dv.derive("s*norm2(w)^2", "s", variables={"s": ""}).to_torch_module()(s=s, w=w)
    scaled.backward()
    assert (scaled.dtype, s.grad.dtype) == (torch.float32, torch.float64)
    # A held number has all its digits beside float64.
    held = dv.derive("s*norm2(w)^2", "w", variables={"s": ""}).to_torch_module(s=0.1)(w=tensor("w"))
    assert held == 0.1 * (tensor("w") ** 2).sum()


def test_a_batch_by_vmap():
    (d,) = derivations_of("softmax(A*x)", ["x"])
    module, A = d.to_torch_module(A=tensor("A")), tensor("A")
    batch = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    found = torch.func.vmap(module)(batch)
    torch.testing.assert_close(found, torch.softmax(batch @ A.T, 1))
    assert gradcheck(torch.func.vmap(module), (batch,))
    slopes = torch.func.vmap(torch.func.jacrev(module))(batch.detach())
    torch.testing.assert_close(slopes, torch.func.vmap(lambda x: d.to_function("torch")(A=A, x=x).T)(batch))


# ------------------------------------------------------------------------------------- refusals


def test_a_gradient_that_no_derivation_gives_is_refused():
    module = squares().to_torch_module()
    given = {**{n: tensor(n) for n in "Xwy"}, "s": 0.5}
    X = tensor("X").requires_grad_()
    with pytest.raises(dv.UnsupportedError, match=r"X requires grad.*by w only.*Derive by X too.*X\.detach\(\)"):
        module(**{**given, "X": X})
    assert module(**{**given, "X": X.detach()}) == module(**given)
    with torch.no_grad():
        assert module(**{**given, "X": X}) == module(**given)
    with pytest.raises(dv.UnsupportedError, match="X requires grad"):
        squares().to_torch_module(X=torch.nn.Parameter(X))
    both = squares().to_torch_module(dv.derive("norm2(X*w - y)^2 + s*norm2(w)^2", "X"))
    both(**{**given, "X": X}).backward()
    assert X.grad.shape == X.shape


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"w": torch.ones(4)}, r"w has the shape \(4,\); expected \(n,\), where n = 3 in X \(4, 3\)"),
        ({"w": torch.ones(3, 1)}, r"w has the shape \(3, 1\); expected a vector, of shape \(n,\)"),
        ({"X": torch.ones(4)}, r"X has the shape \(4,\); expected a matrix, of shape \(m, n\)"),
        ({"s": torch.ones(1)}, r"s has the shape \(1,\); expected a scalar, of shape \(\)"),
    ],
)
def test_a_shape_that_does_not_fit_is_named(change, message):
    given = {"X": torch.ones(4, 3), "w": torch.ones(3), "y": torch.ones(4), "s": 1.0, **change}
    with pytest.raises(dv.ShapeError, match=message):
        squares().to_torch_module()(**given)


def test_a_scalar_of_a_module_of_scalars_has_no_axis():
    with pytest.raises(dv.ShapeError, match=r"s has the shape \(2,\); expected a scalar"):
        dv.derive("s*exp(-s)", "s", variables={"s": ""}).to_torch_module()(s=torch.ones(2))


def test_a_size_that_is_declared_is_checked():
    module = dv.derive("norm2(A*x)^2", "x", variables={"A": "2,k", "x": "k"}).to_torch_module()
    with pytest.raises(dv.ShapeError, match=r"A has the shape \(4, 3\); expected \(2, k\)"):
        module(A=torch.ones(4, 3), x=torch.ones(3))
    product = dv.derive("norm2(x)^2 + norm2(A)^2", "x", variables={"A": "m,n", "x": "m*n"}).to_torch_module()
    with pytest.raises(dv.ShapeError, match=r"x has the shape \(5,\); expected \(m\*n,\), where m = 4 in A \(4, 3\)"):
        product(A=torch.ones(4, 3), x=torch.ones(5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"w": None}, "missing w; the inputs are X, w, y, s"),
        ({"v": torch.ones(3)}, "the expression has no v; it has X, w, y, s"),
        ({"w": [1.0, 2.0, 3.0]}, "w is list; expected a torch.Tensor, or a number"),
        (
            {"y": torch.ones(4, dtype=torch.int64)},
            "y is torch.int64 on cpu, and X torch.float32 on cpu; expected float",
        ),
        ({"X": torch.ones(4, 3, dtype=torch.int64)}, "X is torch.int64 on cpu; expected floating-point"),
        ({"w": torch.ones(3, dtype=torch.float64)}, "w is torch.float64 on cpu, and X torch.float32"),
        ({"w": torch.ones(3, device="meta")}, "w is torch.float32 on meta, and X torch.float32 on cpu"),
    ],
)
def test_inputs_that_do_not_fit_are_named(change, message):
    given = {"X": torch.ones(4, 3), "w": torch.ones(3), "y": torch.ones(4), "s": 1.0, **change}
    with pytest.raises(dv.DerivationError, match=message):
        squares().to_torch_module()(**{n: x for n, x in given.items() if x is not None})


def test_names_and_positions():
    module = squares().to_torch_module(X=tensor("X"), y=tensor("y"), s=0.5)
    w = tensor("w")
    assert module(w) == module(w=w)
    with pytest.raises(dv.DerivationError, match="pass w by name"):
        module(w, w)
    with pytest.raises(dv.DerivationError, match="pass w, y by name"):
        squares().to_torch_module(X=tensor("X"), s=0.5)(w)
    with pytest.raises(dv.DerivationError, match="y is held by the module; the inputs are w"):
        module(w=w, y=tensor("y"))
    with pytest.raises(dv.DerivationError, match="the expression has no z"):
        squares().to_torch_module(z=1.0)
    with pytest.raises(dv.DerivationError, match="y is list"):
        squares().to_torch_module(y=[1.0])
    with pytest.raises(dv.DerivationError, match=r"training is taken in torch\.nn\.Module.*rename it"):
        dv.derive("training'*x", "x").to_torch_module(training=tensor("x"))


X, w = Variable("X", 4, 3), Variable("w", 3, 1)


@pytest.mark.parametrize(
    ("derivations", "error", "message"),
    [
        (lambda: [squares(), squares()], dv.DerivationError, "two derivations by w"),
        (lambda: [squares(), dv.derive("norm2(X*w - y)^2", "X")], dv.DerivationError, "different expressions"),
        (lambda: [squares(), "X"], dv.DerivationError, "expected a Derivation.* not str"),
        (lambda: [dv.derive("x'*B*x", "x", order=2)], dv.UnsupportedError, "first derivative.* not 'hessian'"),
        (lambda: [equalities(Product(X, w), (X, w))], dv.UnsupportedError, "first derivative.* not 'value'"),
        (lambda: [replace(squares(), structure="symmetric")], dv.UnsupportedError, "free entries of a symmetric"),
        (
            lambda: [differentiate(Loss("L", Product(X, w)), (X, w), (w,))],
            dv.UnsupportedError,
            "L is a loss that is not specified",
        ),
    ],
)
def test_derivations_that_make_no_module_are_refused(derivations, error, message):
    first, *others = derivations()
    with pytest.raises(error, match=message):
        first.to_torch_module(*others)


# ----------------------------------------------------------------------------------- in training


def test_least_squares_after_a_linear_layer():
    torch.manual_seed(0)
    inputs, targets = torch.randn(20, 3), torch.randn(20)
    loss = dv.derive("norm2(p - y)^2/rows(p)", "p").to_torch_module(y=targets)
    model = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Flatten(0), loss)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(500):
        optimizer.zero_grad()
        value = model(inputs)
        value.backward()
        optimizer.step()
    best = torch.linalg.lstsq(torch.cat([inputs, torch.ones(20, 1)], 1), targets[:, None]).solution[:, 0]
    torch.testing.assert_close(torch.cat([model[0].weight[0], model[0].bias]), best, rtol=1e-3, atol=1e-4)


def test_a_network_whose_parameters_the_module_holds():
    """Logistic regression on a hidden layer; autograd of the same network is the witness."""
    torch.manual_seed(0)
    expression = "sum(softplus(v'*tanh(W*x + b)) - t*(v'*tanh(W*x + b)))"
    shapes = {"W": "k,n", "b": "k", "v": "k", "x": "n", "t": ""}
    first, *others = (dv.derive(expression, name, variables=shapes) for name in "Wbv")
    start = {"W": torch.randn(5, 2), "b": torch.randn(5), "v": torch.randn(5)}
    module = first.to_torch_module(*others, **{n: torch.nn.Parameter(p.clone()) for n, p in start.items()})
    plain = {n: p.clone().requires_grad_() for n, p in start.items()}
    ours = torch.optim.SGD(module.parameters(), lr=0.2)
    theirs = torch.optim.SGD(plain.values(), lr=0.2)
    data = torch.randn(30, 2)
    labels = (data[:, 0] * data[:, 1] > 0).float()
    history = []
    for _ in range(40):
        ours.zero_grad()
        value = torch.stack([module(x=x, t=t) for x, t in zip(data, labels)]).mean()
        value.backward()
        ours.step()
        theirs.zero_grad()
        logits = torch.tanh(data @ plain["W"].T + plain["b"]) @ plain["v"]
        torch.nn.functional.binary_cross_entropy_with_logits(logits, labels).backward()
        theirs.step()
        history.append(value.item())
    assert history[-1] < history[0]
    for name, parameter in module.named_parameters():
        torch.testing.assert_close(parameter, plain[name], rtol=1e-3, atol=1e-4)


def test_a_module_is_saved_copied_moved_and_shown():
    module = squares().to_torch_module(w=torch.nn.Parameter(tensor("w")), y=tensor("y"), s=0.5)
    assert [n for n, _ in module.named_parameters()] == ["w"]
    assert [n for n, _ in module.named_buffers()] == ["y", "s"]
    twin = copy.deepcopy(module)
    assert twin(tensor("X")) == module(tensor("X"))
    with torch.no_grad():
        twin.w.mul_(2)
    assert twin(tensor("X")) != module(tensor("X"))
    module.load_state_dict(twin.state_dict())
    assert twin(tensor("X")) == module(tensor("X"))
    assert module.float()(tensor("X", torch.float32)).dtype == torch.float32
    assert str(module) == "DerivedModule(norm2(X*w - y)^2 + s*norm2(w)^2, derived by w)"


def test_a_gradient_penalty_reaches_the_parameters():
    """Second derivatives where upstream is constant, which once_differentiable would drop in silence."""
    first, second = derivations_of("c'*tanh(V*x)", "xV")
    module = first.to_torch_module(second, c=tensor("c"))
    x, V = tensor("x").requires_grad_(), tensor("V").requires_grad_()

    def penalty(f):
        (slope,) = torch.autograd.grad(f(x, V), x, create_graph=True)
        return torch.autograd.grad((slope.norm() - 1) ** 2 + V.sum(), V)[0]

    plain = penalty(lambda x, V: tensor("c") @ torch.tanh(V @ x))
    torch.testing.assert_close(penalty(lambda x, V: module(x=x, V=V)), plain)
