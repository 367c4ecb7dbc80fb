"""Generated numpy and torch functions: their values against the exact evaluator, their shapes, their source."""

import ast
import inspect
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp
from sympy import Integer, Symbol

from derivations import derive
from derivations.api import read
from derivations.derivation import Derivation
from derivations.errors import DomainError, NoRuleError, ShapeError, UnsupportedError
from derivations.expressions import is_matrix
from derivations.notation.code.libraries import LIBRARIES as LIBRARY_FORMS
from derivations.notation.code.libraries import identifier
from derivations.notation.inference import FUNCTION_NAMES
from derivations.verification import interpreter
from derivations.verification.arithmetic import Decimals
from derivations.verification.evaluation import Evaluator
from derivations.verification.exact import DecimalSampler
from derivations.verification.sampling import properties_of, sizes_for

LIBRARIES = ["numpy", "torch"]
m, n = (Symbol(name, integer=True, positive=True) for name in "mn")

# ------------------------------------------------------------------------------------------ values


def carried():
    problems = json.loads((Path(__file__).parents[3] / "data" / "derivatives.json").read_text())["problems"]
    for p in problems:
        wrt = (p["wrt"], p["wrt2"]) if p.get("wrt2", p["wrt"]) != p["wrt"] else p["wrt"]
        try:
            yield p["id"], derive(p["expr"], wrt, variables=p["vars"], order=p["order"], structure=p.get("structure"))
        except (UnsupportedError, NoRuleError):
            continue


# Their blocks between kron(eye(n),R) and kron(eye(r),L) are not square.
NETWORKS = {
    "two layers": "L*tanh(tanh(R*X)*M)",
    "two layers from the right": "tanh(M*tanh(X*R))*L",
    "a square over a layer": "(M*tanh(X*R)).^2*L",
}
CARRIED = dict(carried()) | {name: derive(text, "X") for name, text in NETWORKS.items()}


def exact_point(derivation, seed):
    """50-digit values inside the declared domains, and sizes."""
    sampler = DecimalSampler(seed)
    sizes = sizes_for(derivation.variables, sampler.generator)
    point = {}
    for v in derivation.variables:
        if is_matrix(v):
            rows = sampler.matrix(v, sizes)
            point[v] = [[Decimals.number(x) if isinstance(x, int) else x for x in row] for row in rows]
        else:
            drawn = sampler.scalar(properties_of(v))
            point[v] = Decimals.number(drawn) if isinstance(drawn, int) else drawn
    integers = {**sizes, **{v: Integer(3) for v in derivation.variables if not is_matrix(v) and v.is_integer}}
    return point, integers


def nearly_singular(expression, point, integers):
    tensors = {
        v: torch.tensor(np.array(x, dtype=float).reshape(len(x) if is_matrix(v) else 1, -1)) for v, x in point.items()
    }
    try:
        interpreter.value(expression, tensors, {s: Integer(k) for s, k in integers.items()})
    except DomainError:
        return True
    return False


def as_array(value, variable):
    """The floats that a user would pass, or expects: 0-D, 1-D or 2-D."""
    array = np.array(value, dtype=float)
    return array[:, 0] if is_matrix(variable) and variable.shape[1] == 1 else array


def call(derivation, library, point):
    arguments = {identifier(v.name): as_array(x, v) for v, x in point.items()}
    if library == "torch":
        arguments = {name: torch.tensor(x) for name, x in arguments.items()}
    return np.array(derivation.to_function(library)(**arguments))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", CARRIED)
def test_the_functions_of_the_corpus_agree_with_the_exact_evaluator(name, library):
    d = CARRIED[name]
    with mp.workdps(50):
        for seed in range(40):
            point, integers = exact_point(d, f"code/{seed}")
            try:
                expected = as_array(Evaluator(Decimals, point, integers)(d.result), d.result)
                Evaluator(Decimals, point, integers)(d.expression)
            except DomainError:
                continue
            if not nearly_singular(d.result, point, integers):
                break
    got = call(d, library, point)
    assert got.shape == expected.shape
    scale = max(np.abs(expected).max(), 1e-6)
    assert np.abs(got - expected).max() / scale < 1e-7


@settings(max_examples=120, deadline=None, derandomize=True)
@given(data=st.data())
def test_the_functions_of_random_expressions_have_their_values(data, random_texts, relative_error):
    """A derivation of a value needs no steps: its result is turned into code all the same."""
    sizes = {"m": 4, "n": 3}
    source = random_texts.draw(data, data.draw(st.sampled_from(random_texts.shapes)), 3)
    values = random_texts.point(data.draw(st.integers(0, 5)), sizes)
    expected = random_texts.value(source, values, sizes)
    if expected is None:
        return
    reading, _ = read(source, random_texts.variables)
    variables = tuple(reading.variables[name] for name in random_texts.variables)
    for library in LIBRARIES:
        got = evaluate(reading.expression, variables, values, library)
        assert got.shape == natural_shape(expected), source
        assert relative_error(torch.as_tensor(got).reshape(expected.shape), expected) < 1e-6, source


def evaluate(expression, variables, values, library):
    function = Derivation(expression, variables, (), expression, "value").to_function(library)
    flat = {(1, 1): lambda a: a[0, 0], (3, 1): lambda a: a[:, 0], (4, 1): lambda a: a[:, 0]}
    arguments = {v.name: flat.get(tuple(values[v.name].shape), lambda a: a)(values[v.name]) for v in variables}
    if library == "numpy":
        arguments = {name: a.numpy() for name, a in arguments.items()}
    return np.array(function(**arguments))


def value_of(source, shapes):
    """The derivation of a value, of the variables that are given."""
    reading, _ = read(source, shapes)
    variables = tuple(reading.variables[name] for name in shapes if name in reading.variables)
    return Derivation(reading.expression, variables, (), reading.expression, "value")


def computed(source, shapes, values, library):
    """The value of a text by generated code, at 2-D tensors by name."""
    reading, _ = read(source, shapes)
    function = Derivation(reading.expression, tuple(reading.variables.values()), (), reading.expression, "value")
    arguments = {name: as_array(x.numpy(), reading.variables[name]) for name, x in values.items()}
    if library == "torch":
        arguments = {name: torch.tensor(x) for name, x in arguments.items()}
    return np.array(function.to_function(library)(**{n: x for n, x in arguments.items() if n in reading.variables}))


def natural_shape(tensor):
    if tuple(tensor.shape) == (1, 1):
        return ()
    return tensor.shape[:1] if tensor.shape[1] == 1 else tuple(tensor.shape)


# ------------------------------------------------------------------------------------------ shapes


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("expression", "wrt", "shapes", "expected"),
    [
        ("x'*x", "x", {"x": "n"}, (3,)),
        ("tr(A'*A)", "A", {"A": "m,n"}, (4, 3)),
        ("s^2*(x'*x)", "s", {"s": "", "x": "n"}, ()),
        ("A*x", "x", {"A": "m,n", "x": "n"}, (3, 4)),
        ("s*A*x", "s", {"A": "m,n", "x": "n", "s": ""}, (4,)),
        ("s*A", "s", {"A": "m,n", "s": ""}, (4, 3)),
        ("s*x'", "s", {"x": "n", "s": ""}, (1, 3)),
        ("r*r'", "r", {"r": "1,n"}, (1, 3)),
        ("2*s", "s", {"s": ""}, ()),
        ("t", "s", {"s": "", "t": ""}, ()),
        ("sum(x)", "x", {"x": "n"}, (3,)),
        ("y'*y", "x", {"x": "n", "y": "n"}, (3,)),
        ("tr(A)", "A", {"A": "n,n"}, (3, 3)),
        ("x'*A*x", ("x", "x"), {"A": "n,n", "x": "n"}, (3, 3)),
    ],
)
def test_shapes_in_and_out(expression, wrt, shapes, expected, library):
    d = derive(expression, wrt, variables=shapes)
    drawn = {"": (), "n": (3,), "m,n": (4, 3), "n,n": (3, 3), "1,n": (1, 3)}
    generator = np.random.default_rng(0)
    arguments = {name: generator.normal(size=drawn[shape]) for name, shape in shapes.items()}
    if library == "torch":
        arguments = {name: torch.tensor(a) for name, a in arguments.items()}
    result = d.to_function(library)(**arguments)
    assert np.shape(result) == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("expression", ["2*s", "t", "s*normcdf(2)", "s*pi/2"])
def test_a_constant_result_is_a_tensor_too(expression, dtype):
    """Scalars are 0-D in and out: 2 is no tensor, has no dtype, and stays behind on another device."""
    d = derive(expression, "s", variables={"s": "", "t": ""})
    argument = torch.tensor(1.5, dtype=dtype)
    result = d.to_function("torch")(s=argument, t=argument)
    assert torch.is_tensor(result) and result.ndim == 0 and result.dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("expression", "wrt"),
    [
        ("tr(A)", "A"),
        ("sum(x)", "x"),
        ("y'*y", "x"),
        ("sum(relu(A*x))", "A"),
        ("x'*x", ("x", "x")),
        ("logdet(A + eye)", "A"),
        ("sum(normpdf(x)) + sum(softplus(x)) + sum(sigmoid(x))", "x"),
        ("norm2(x)/rows(x)", "x"),
    ],
)
def test_torch_results_follow_the_dtype_of_the_arguments(expression, wrt, dtype):
    d = derive(expression, wrt, variables={"A": "n,n", "x": "n", "y": "n"})
    arguments = {"A": torch.eye(3, dtype=dtype), "x": torch.ones(3, dtype=dtype), "y": torch.ones(3, dtype=dtype)}
    result = d.to_function("torch")(**arguments)
    assert result.dtype == dtype and result.device.type == "cpu"


def test_torch_results_follow_the_device_of_the_arguments():
    """On the meta device nothing is computed, but a tensor made on another device is an error."""
    d = derive("tr(A) + sum(relu(A*x)) + y'*y", "A", variables={"A": "n,n", "x": "n", "y": "n"})
    arguments = {"A": torch.empty(3, 3, device="meta")} | {v: torch.empty(3, device="meta") for v in "xy"}
    assert d.to_function("torch")(**arguments).device.type == "meta"


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    "expression",
    [
        "norm2(x)/sqrt(rows(x))",
        "log(rows(x))*norm2(x)",
        "exp(-rows(x))*sum(x)",
        "sum(x)/rows(x)^2",
        "relu(rows(x))*sum(x)",
    ],
)
def test_functions_of_a_size(expression, library, text_value):
    d = derive(expression, "x", variables={"x": "n"})
    x = torch.tensor([[0.3], [-0.7], [1.1]], dtype=torch.float64)
    expected = torch.autograd.functional.jacobian(lambda v: text_value(expression, {"x": v}, {"n": 3}), x)[0, 0, :, 0]
    argument = x[:, 0] if library == "torch" else x[:, 0].numpy()
    np.testing.assert_allclose(np.asarray(d.to_function(library)(x=argument)), expected.numpy(), rtol=1e-9)


# ------------------------------------------------------------------------------------------ source


def test_shared_subexpressions_are_computed_once():
    source = derive("log(1 + exp(-y'*x))*(y'*x)", "x").to_code()
    assert source.count("y @ x") == 1


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", sorted(CARRIED)[::10])
def test_no_line_is_computed_twice_and_none_for_nothing(name, library):
    source = CARRIED[name].to_code(library)
    (function,) = (node for node in ast.parse(source).body if getattr(node, "name", "") == "derivative")
    assigned = [s for s in function.body if isinstance(s, ast.Assign)]
    names = [s.targets[0].id for s in assigned]
    assert len(set(names)) == len(names)
    values = [ast.dump(s.value) for s in assigned]
    assert len(set(values)) == len(values)
    for name in names:
        assert sum(isinstance(node, ast.Name) and node.id == name for node in ast.walk(function)) > 1, source


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("variable", ["t1", "t2", "n", "np", "torch", "math", "lambda", "x_1", "size_n", "derivative"])
def test_no_name_of_a_variable_is_lost_among_names_of_the_code(variable, library):
    d = derive(
        f"exp({variable}'*{variable})*({variable}'*{variable}) + sum(1 ./ {variable})",
        variable,
        variables={variable: {"kind": "vector", "shape": ["n"], "props": ["positive"]}},
    )
    twin = derive("exp(x'*x)*(x'*x) + sum(1 ./ x)", "x", variables={"x": "n"})
    x = np.array([0.4, 0.9, 0.2])
    x = torch.tensor(x) if library == "torch" else x
    got = d.to_function(library)(**{identifier(variable): x})
    np.testing.assert_allclose(np.asarray(got), np.asarray(twin.to_function(library)(x=x)), rtol=1e-12)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("expression", ["mean(tanh(x))", "sum(relu(x))/rows(x)", "sum(softplus(x))/rows(x)"])
@pytest.mark.parametrize("size", ["in", "step", "sigmoid", "softplus", "np", "torch", "math", "int", "t1", "x"])
def test_a_size_may_have_any_name(size, expression, library):
    got, expected = (
        derive(expression, "x", variables={"x": s}).to_function(library)(x=arrays(library)["x"]) for s in (size, "n")
    )
    np.testing.assert_allclose(np.asarray(got), np.asarray(expected), rtol=1e-15)


def arrays(library, **others):
    found = {"x": np.array([0.4, -0.9, 0.2]), "A": np.array([[2, 0.5], [-1, 3]]), "B": np.array([[1.0, 2], [3, 4]])}
    found |= others
    return found if library == "numpy" else {name: torch.tensor(a) for name, a in found.items()}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("expression", "own", "shapes"),
    [
        ("x'*x*lambda/lambda_", {"lambda_": 3.0, "lambda__": 2.0}, {"x": "n", "lambda": "", "lambda_": ""}),
        ("x'*x/lambda_*lambda", {"lambda_": 3.0, "lambda__": 2.0}, {"x": "n", "lambda_": "", "lambda": ""}),
        ("size_n*mean(n)", {"size_n": np.array(2 / 3), "n": np.ones(3)}, {"n": "n", "size_n": ""}),
    ],
)
def test_names_that_meet_are_kept_apart(expression, own, shapes, library):
    d = value_of(expression, shapes)
    given = {n: a for n, a in arrays(library, **own).items() if n in own or n in shapes}
    expected = 2 / 3 if "mean" in expression else 1.01 * 2 / 3
    np.testing.assert_allclose(float(d.to_function(library)(**given)), expected, rtol=1e-12)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", ["int", "abs", "float", "max", "len"])
def test_a_variable_may_have_the_name_of_a_function_of_python(name, library):
    """The code says int(k) of an exponent, and max is a helper's own."""
    shapes = {"A": "n,n", name: {"kind": "scalar", "shape": [], "props": ["integer"]}}
    given = arrays(library, **{identifier(name): np.array(3)})
    got = value_of(f"tr(A^{name}) + tr(pinv(A))", shapes).to_function(library)(
        A=given["A"], **{identifier(name): given[identifier(name)]}
    )
    A = arrays("numpy")["A"]
    np.testing.assert_allclose(float(got), np.trace(A @ A @ A) + np.trace(np.linalg.inv(A)), rtol=1e-12)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", ["logm", "frechet", "logm_", "real"])
def test_a_helper_that_others_are_given_may_have_its_name_taken(name, library):
    shapes = {name: "n,n", "B": "n,n"}
    given = arrays(library)
    got = value_of(f"logm_frechet({name},B)", shapes).to_function(library)(**{name: given["A"], "B": given["B"]})
    expected = value_of("logm_frechet(A,B)", {"A": "n,n", "B": "n,n"}).to_function(library)(A=given["A"], B=given["B"])
    np.testing.assert_allclose(np.asarray(got), np.asarray(expected), rtol=1e-12)


def test_a_docstring_keeps_the_formula_where_a_helper_gives_way():
    source = derive("sum(softplus(sigmoid.*x))", "x", variables={"sigmoid": "n", "x": "n"}).to_code()
    assert "sigmoid(sigmoid .* x)" in source and "sigmoid_(sigmoid * x)" in source


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("number", ["1e20", "10^20", "-10^20", "2^53 + 1", "2^1100"])
def test_large_integers_are_floats(number, library):
    values = {"1e20": 1e20, "10^20": 1e20, "-10^20": -1e20, "2^53 + 1": 2.0**53, "2^1100": np.inf}
    got = value_of(f"({number})*sum(x.^2)", {"x": "n"}).to_function(library)(x=arrays(library)["x"])
    np.testing.assert_allclose(float(got), 1.01 * values[number], rtol=1e-12)


# ------------------------------------------------------------------------------------ what comes in and out


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.ones((3, 1))}, r"y has the shape \(3, 1\); expected a vector, of shape \(m,\)"),
        ({"X": np.ones(2)}, r"X has the shape \(2,\); expected a matrix, of shape \(m, n\)"),
        ({"w": np.ones(3)}, r"w has the shape \(3,\); expected \(n,\), where n = 2 in X \(3, 2\)"),
        ({"w": 1.0}, r"w has the shape \(\); expected a vector"),
        ({"s": np.ones(1)}, r"s has the shape \(1,\); expected a scalar"),
    ],
)
def test_a_function_names_an_argument_whose_shape_does_not_fit(change, message, library):
    given = {"X": np.ones((3, 2)), "w": np.ones(2), "y": np.ones(3), "s": 0.5}
    change = {name: torch.as_tensor(a) if library == "torch" else a for name, a in change.items()}
    if library == "torch":
        given = {name: torch.as_tensor(a) for name, a in given.items()}
    d = derive("norm2(X*w - y)^2 + s*norm2(w)^2", "w")
    d.to_function(library)(**given)
    with pytest.raises(ShapeError, match=message):
        d.to_function(library)(**{**given, **change})
    with pytest.raises(ShapeError, match=message):
        d.to_operator(library)(**{**given, "d_w": given["w"], **change})


def test_names_of_the_check_are_free_for_variables():
    shapes = {"function": "m", "refuse": "m,n", "getattr": "n", "s": ""}
    f = derive("s*function'*refuse*getattr", "function", variables=shapes).to_function()
    found = f(function=np.ones(2), refuse=np.ones((2, 3)), getattr=np.ones(3), s=2.0)
    assert found.tolist() == [6, 6]


def test_declared_sizes_and_sizes_that_are_formulas_are_checked():
    f = value_of("x'*vec(A)*b", {"x": "m*n", "A": "m,n", "b": "2"}).to_function()
    given = {"x": np.ones(6), "A": np.ones((2, 3)), "b": np.ones(2)}
    np.testing.assert_array_equal(f(**given), [6, 6])
    with pytest.raises(ShapeError, match=r"x has the shape \(5,\); expected \(m\*n,\), where m = 2 in A \(2, 3\)"):
        f(**{**given, "x": np.ones(5)})
    f = value_of("2*b", {"b": "2"}).to_function()
    with pytest.raises(ShapeError, match=r"b has the shape \(3,\); expected \(2,\)"):
        f(b=np.ones(3))


def test_a_row_comes_as_a_matrix_and_a_list_is_no_array():
    f = value_of("2*r", {"r": "1,n"}).to_function()
    np.testing.assert_array_equal(f(r=np.ones((1, 3))), [[2, 2, 2]])
    with pytest.raises(ShapeError, match=r"r has the shape \(3,\); expected a matrix, of shape \(1, n\)"):
        f(r=np.ones(3))
    with pytest.raises(ShapeError, match="r is a list; expected an array"):
        f(r=[[1.0]])
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'r'"):
        f()


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_function_of_scalars_works_entry_by_entry(library):
    f = derive("s*exp(-s*t)", "s", variables={"s": "", "t": ""}).to_function(library)
    s = arrays(library)["A"]
    expected = np.exp(-2 * arrays("numpy")["A"]) * (1 - 2 * arrays("numpy")["A"])
    np.testing.assert_allclose(np.asarray(f(s=s, t=2.0)), expected, rtol=1e-12)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("expression", "shapes"),
    [
        ("A", {"A": "n,n"}),
        ("A'", {"A": "n,n"}),
        ("diag(A)", {"A": "n,n"}),
        ("vec(A)", {"A": "n,1"}),
        ("vec(A)'", {"A": "1,n"}),
        ("x", {"x": "n"}),
        ("x'", {"x": "n"}),
        ("r'", {"r": "1,n"}),
        ("r", {"r": "1,n"}),
        ("s", {"s": ""}),
    ],
)
def test_a_result_is_an_array_of_its_own(expression, shapes, library):
    (name, shape), drawn = *shapes.items(), {"n,n": (3, 3), "n,1": (3,), "1,n": (1, 3), "n": (3,), "": ()}
    argument = np.ones(drawn[shape])
    if library == "torch":
        argument = torch.tensor(argument)
    result = value_of(expression, shapes).to_function(library)(**{name: argument})
    result *= 2
    assert float(argument.sum()) == argument.reshape(-1).shape[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("expression", ["2*s + sum(x)", "s/3 + sum(x)", "s*pi/2 + sum(x)", "s*rows(x)"])
def test_a_constant_of_numpy_has_the_dtype_of_the_arguments(expression, dtype):
    f = derive(expression, "s", variables={"s": "", "x": "n"}).to_function()
    result = f(s=dtype(1.5), x=np.ones(3, dtype))
    assert result.dtype == dtype and result.shape == ()


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_constant_is_no_integer_where_the_arguments_are(library):
    f = derive("0.5*s", "s", variables={"s": ""}).to_function(library)
    assert float(f(s=np.array(2) if library == "numpy" else torch.tensor(2))) == 0.5


def test_the_shapes_are_checked_under_torch_compile_too():
    f = derive("norm2(X*w)^2", "w").to_function("torch")
    given = {"X": torch.ones(3, 2), "w": torch.ones(2)}
    torch.testing.assert_close(torch.compile(f, backend="eager", fullgraph=True)(**given), f(**given))


def test_the_source_is_a_function_of_keywords_and_can_be_inspected():
    d = derive("x'*A*y", "y")
    function = d.to_function()
    assert list(inspect.signature(function).parameters) == ["x", "A", "y"]
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in inspect.signature(function).parameters.values())
    assert "A.T @ x" in inspect.getsource(function)
    assert d.to_code("torch").startswith("import torch\n")
    with pytest.raises(TypeError):
        function(np.ones(2), np.ones((2, 3)), np.ones(3))


def test_the_arguments_are_the_variables_and_nothing_else():
    d = derive("x'*ones(n) + sum(eye(n)*x)", "x", variables={"x": "n"})
    assert list(inspect.signature(d.to_function()).parameters) == ["x"]


def test_a_definition_is_no_argument():
    d = derive("h'*h", "x", variables={"A": "m,n", "x": "n"}, definitions={"h": "tanh(A*x)"})
    assert list(inspect.signature(d.to_function()).parameters) == ["A", "x"]
    A, x = np.arange(6).reshape(2, 3) / 7, np.array([0.2, -0.1, 0.5])
    h = np.tanh(A @ x)
    np.testing.assert_allclose(d.to_function()(A=A, x=x), 2 * A.T @ (h * (1 - h**2)), rtol=1e-12)


@pytest.mark.parametrize("library", ["jax", "", "Numpy"])
def test_an_unknown_library_is_an_error(library):
    with pytest.raises(UnsupportedError, match=rf"no code for '{library}'; expected one of numpy, torch"):
        derive("x'*x", "x").to_code(library)


def test_a_size_that_no_argument_has_is_an_error():
    with pytest.raises(UnsupportedError, match="needs the size n, which no variable has"):
        derive("ones(n)'*ones(n)*s", "s", variables={"s": ""}).to_code()


def test_identifiers():
    assert [identifier(name) for name in ("x", "lambda", "np", "x'1")] == ["x", "lambda_", "np_", "x_1"]


def test_every_operation_has_a_form_in_every_library():
    assert set(LIBRARY_FORMS["torch"]) == set(LIBRARY_FORMS["numpy"])
    assert set(FUNCTION_NAMES.values()) - {"huber", "clip"} <= set(LIBRARY_FORMS["numpy"])


@pytest.mark.parametrize("name", sorted(FUNCTION_NAMES.values()))
def test_both_libraries_mean_the_same_function(name, text_value):
    arguments = {"huber": "x, 0.5", "clip": "x, 0.2, 0.6", "max": "x, y", "min": "x, y"}.get(name, "x")
    values = {"x": torch.tensor([[0.15], [0.5], [0.85]]).double(), "y": torch.tensor([[0.2], [0.4], [0.6]]).double()}
    want = text_value(f"{name}({arguments})", values, {"n": 3})[:, 0].numpy()
    for library in LIBRARIES:
        got = computed(f"{name}({arguments})", {"x": "n", "y": "n"}, values, library)
        np.testing.assert_allclose(got, want, rtol=1e-12)


@pytest.mark.parametrize("at", [-800.0, -40.0, 40.0, 800.0])
@pytest.mark.parametrize("library", LIBRARIES)
def test_large_arguments_do_not_overflow(at, library):
    for expression, expected in [("sum(sigmoid(x))", None), ("sum(softplus(x))", at > 0), ("logsumexp(x)", None)]:
        d = derive(expression, "x", variables={"x": "n"})
        x = np.array([at, at - 1])
        result = np.asarray(d.to_function(library)(x=torch.tensor(x) if library == "torch" else x))
        assert np.isfinite(result).all()
        if expected is not None:
            np.testing.assert_allclose(result, float(expected), atol=1e-15)
