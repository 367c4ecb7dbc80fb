"""What the generated code forms, and in which order: read off its last lines, for both libraries."""

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from sympy import Integer, Symbol

from derivations import derive
from derivations.api import read
from derivations.derivation import Derivation
from derivations.errors import NoRuleError, UnsupportedError
from derivations.notation.code.costs import Costs, polynomial
from derivations.notation.code.operations import Graph

LIBRARIES = ["numpy", "torch"]
m, n, p = (Symbol(name, integer=True, positive=True) for name in "mnp")


def lines(source):
    """The lines of the function without its docstring, and without the name of the library."""
    body = source.split('"""')[-1]
    return [line.strip().replace("np.", "").replace("torch.", "") for line in body.strip().splitlines()]


def of_value(text, shapes=None, library="numpy"):
    reading, _ = read(text, shapes)
    derivation = Derivation(reading.expression, tuple(reading.variables.values()), (), reading.expression, "value")
    return lines(derivation.to_code(library))


def of_gradient(text, wrt, shapes=None, library="numpy", **options):
    return lines(derive(text, wrt, variables=shapes, **options).to_code(library))


def square(*properties):
    return {"kind": "matrix", "shape": ["n", "n"], "props": list(properties)}


ALL = {name: "n,n" for name in "ABDEFG"} | {"C": "m,n", "X": "m,n", "x": "n", "y": "n", "w": "n", "z": "m", "s": ""}
ALL |= {"P": square("positive_definite"), "M": "m,m", "U": "m,k", "V": "n,k"}


# ------------------------------------------------------------------------------------------ association


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A*B*x", "A @ (B @ x)"),
        ("A*B*D*x", "A @ (B @ (D @ x))"),
        ("x'*A*B", "(B.T @ (A.T @ x))[None, :]"),
        ("A*B*D", "A @ B @ D"),
        ("A*x*y'*B", "outer(A @ x, B.T @ y)"),
        ("s*A*x*y'", "outer(s * (A @ x), y)"),
        ("-3*x*y'", "outer(-3 * x, y)"),
        ("(s*A*B)*x", "s * (A @ (B @ x))"),
        ("x'*A*y", "x @ (A @ y)"),
        ("(A + B)*x", "A @ x + B @ x"),
        ("(A + B)*D", "(A + B) @ D"),
        ("(eye(n) - x*x')*y", "y - (x @ y) * x"),
        ("(A + x*y')*B*w", None),
        ("C*ones(n)", "C.sum(axis=1)"),
        ("ones(1,m)*C", "C.sum(axis=0)[None, :]"),
        ("X*w*ones(1,n)*x", "x.sum() * (X @ w)"),
        ("(eye(n) - ones(n,n)/rows(A))*x", None),
    ],
)
def test_products_are_taken_in_the_cheapest_order(text, expected, library):
    (*_, last) = of_value(text, ALL, library)
    if expected is None:
        assert not re.search(r"outer|eye|ones\(", last)
    else:
        assert last.replace("dim=", "axis=") == f"return {expected}"


def test_of_equal_powers_the_order_for_tall_matrices_is_taken():
    """U is m x k and V is n x k: with k small, a k x k matrix is the cheapest one between."""
    assert of_value("V*V'*V", ALL) == ["return V @ (V.T @ V)"]
    assert of_value("X'*X*V", ALL) == ["return X.T @ (X @ V)"]


def test_a_scalar_meets_the_smallest_factor():
    assert of_value("s*x*y'", ALL) == ["return outer(s * x, y)"]
    assert of_value("kron(A,eye(n))*2", ALL)[-1].startswith("return kron_with_eye(2 * A, n")


# ---------------------------------------------------------------------------------------------- systems


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("inv(A)*x", "linalg.solve(A, x)"),
        ("inv(A)*B", "linalg.solve(A, B)"),
        ("x'*inv(A)*y", "x @ linalg.solve(A, y)"),
        ("B*inv(A)", "linalg.solve(A.T, B.T).T"),
        ("B*inv(P)", "linalg.solve(P, B.T).T"),
        ("inv(A)'*x", "linalg.solve(A.T, x)"),
        ("tr(inv(A)*B)", "trace(linalg.solve(A, B))"),
        ("inv(X'*X)*X'*z", "linalg.solve(X.T @ X, X.T @ z)"),
        ("inv(A)*B*inv(D)*x", "linalg.solve(A, B @ linalg.solve(D, x))"),
        ("inv(A)", "linalg.inv(A)"),
        ("inv(A)^2*x", "linalg.solve(A, linalg.solve(A, x))"),
    ],
)
def test_an_inverse_in_a_product_is_a_system(text, expected, library):
    got = of_value(text, ALL, library)
    if text == "inv(A)^2*x" and library == "torch":
        assert got[0] == "t1 = linalg.lu_factor(A)" and "inv(" not in "".join(got)
    else:
        assert got == [f"return {expected}"]


def test_right_sides_that_are_known_together_are_one_system_in_numpy():
    got = of_value("(x'*inv(A)*x)*inv(A)*B*y + inv(A)*y", ALL)
    assert sum(line.count("solve(") for line in got) == 1
    assert "t1 = linalg.solve(A, column_stack((" in got[0]


def test_a_matrix_and_its_transpose_are_factored_once_in_torch():
    got = of_gradient("x'*inv(A)*y", "A", ALL, "torch")
    assert sum("lu_factor(" in line for line in got) == 1
    assert sum(line.count("lu_solve(") for line in got) == 2 and "adjoint=True" in "".join(got)


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_inverse_that_is_needed_itself_serves_for_the_systems_too(library):
    got = of_gradient("-0.5*logdet(P) - 0.5*x'*inv(P)*x", "P", ALL, library)
    assert got == ["t1 = linalg.inv(P)", "t2 = t1 @ x", "return (outer(t2, t2) - t1) / 2"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_two_systems_with_as_many_right_sides_as_unknowns_are_one_inverse(library):
    got = of_value("inv(P)*A*inv(P)", ALL, library)
    assert got == ["t1 = linalg.inv(P)", "return t1 @ (A @ t1)"] or got == ["t1 = linalg.inv(P)", "return t1 @ A @ t1"]
    assert "inv(" not in "".join(of_value("inv(P)*V*V'*inv(P)*x + inv(P)*y", ALL, library))


# --------------------------------------------------------------------- sums of which a term has a narrow middle


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("text", "wrt", "expected"),
    [
        ("norm2(X - U*V')^2", "U", "-2 * (X @ V - U @ (V.T @ V))"),
        ("norm2(X - U*V')^2", "V", "-2 * (X.T @ U - V @ (U.T @ U))"),
        ("norm2(X*W - Y)^2", "W", "2 * (X.T @ (X @ W - Y))"),
        ("norm2(A - B*D)^2", "B", "-2 * ((A - B @ D) @ D.T)"),
        ("norm2(M .* (X - U*V'))^2", "U", "-2 * ((M ** 2 * (X - U @ V.T)) @ V)"),
    ],
)
def test_a_sum_with_a_narrow_product_is_multiplied_out_where_that_saves_work(text, wrt, expected, library):
    shapes = {"X": "m,n", "U": "m,k", "V": "n,k", "W": "n,k", "Y": "m,k", "M": "m,n"} | {s: "n,n" for s in "ABD"}
    shapes = {name: shape for name, shape in shapes.items() if name in text}
    assert of_gradient(text, wrt, shapes, library) == [f"return {expected}"]


def test_a_sum_that_is_formed_anyway_is_not_multiplied_out():
    got = "\n".join(of_gradient("norm2(X - U*V')^4", "U", ALL))
    assert got.count("U @ V.T") == 1 and "V.T @ V" not in got


# ------------------------------------------------------------------------------------------ what is shared


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("text", "wrt", "product"),
    [
        ("norm2(X*w - z)^4", "w", "X @ w"),
        ("sum(tanh(X*w)) + norm2(X*w - z)^2", "w", "X @ w"),
        ("log(1 + exp(-x'*y))*(x'*y)", "x", "x @ y"),
        ("(x'*P*x)/(x'*x)", "x", "P @ x"),
        ("norm2(sin(U*V'))^2 + sum(exp(U*V'))", "U", "U @ V.T"),
    ],
)
def test_a_product_that_is_used_twice_is_computed_once(text, wrt, product, library):
    assert "\n".join(of_gradient(text, wrt, ALL, library)).count(product) == 1


def test_one_chain_takes_the_order_that_another_one_can_use():
    """x'Ay may be taken from either side; beside Ay only one of them is free."""
    assert of_value("(x'*A*y)*(A*y)", ALL) == ["t1 = A @ y", "return (x @ t1) * t1"]
    assert of_value("(x'*A*y)*(A'*x)", ALL) == ["t1 = A.T @ x", "return (y @ t1) * t1"]


def test_a_product_and_its_transpose_are_one():
    assert of_value("A'*B + B'*A", ALL) == ["t1 = A.T @ B", "return t1 + t1.T"]


@pytest.mark.parametrize(
    ("text", "wrt", "expected"),
    [
        ("norm2(X - U*V')^2", "V", "-2 * (X.T @ U - V @ (U.T @ U))"),
        ("sum(W*H) - sum(X .* log(W*H))", "W", "(1 - X / (W @ H)) @ H.T"),
        ("tr(B'*X'*C*X*B)", "X", "(C + C.T) @ (X @ B) @ B.T"),
    ],
)
def test_transposes_stand_where_the_formula_has_them(text, wrt, expected):
    assert of_gradient(text, wrt) == [f"return {expected}"]


# --------------------------------------------------------------------------------------- what is not formed


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("diag(x)*A", "x[:, None] * A"),
        ("A*diag(x)", "x * A"),
        ("diag(x)*y", "x * y"),
        ("tr(A*B)", "(A * B.T).sum()"),
        ("tr(A'*B)", "(A * B).sum()"),
        ("tr(A'*A)", "(A ** 2).sum()"),
        ("tr(diag(x)*A)", "x @ diagonal(A)"),
        ("tr(A*x*y')", "y @ (A @ x)"),
        ("diag(A*B)", "(A * B.T).sum(axis=1)"),
        ("diag(x*y')", "x * y"),
        ("A .* eye(n)", "diag(diagonal(A))"),
        ("sum(A*x)", "x @ A.sum(axis=0)"),
        ("sum(A .* (x*y'))", "x @ (A @ y)"),
        ("norm2(x - y)^2", None),
        ("1 - x'*x", "1 - x @ x"),
        ("ones(n) - x", "1 - x"),
        ("A + ones(n)*x'", "A + x"),
        ("A + x*ones(1,n)", "A + x[:, None]"),
    ],
)
def test_what_its_action_replaces_is_not_formed(text, expected, library):
    got = of_value(text, ALL, library)
    if expected is None:
        assert got == ["t1 = x - y", "return t1 @ t1"]
    else:
        assert got[-1].replace("dim=", "axis=") == f"return {expected}"


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("kron(A,C)*v", {"A": "n,n", "C": "m,n", "v": {"kind": "vector", "shape": ["n*n"], "props": []}}),
        ("kron(A,B)*vec(X)", {"A": "p,n", "B": "q,m", "X": "m,n"}),
        ("kron(eye(n),C)*v", {"C": "m,n", "v": {"kind": "vector", "shape": ["n*n"], "props": []}}),
        ("comm(m,n)*v", {"C": "m,n", "v": {"kind": "vector", "shape": ["m*n"], "props": []}}),
        ("v'*kron(C,A)*v", {"A": "n,n", "C": "n,n", "v": {"kind": "vector", "shape": ["n*n"], "props": []}}),
    ],
)
def test_kronecker_products_and_permutations_act_without_being_formed(text, shapes, library):
    got = "\n".join(of_value(text, shapes, library))
    assert "kron" not in got and "eye(" not in got


def value_and_library(text, shapes, library, arrays):
    reading, _ = read(text, shapes)
    derivation = Derivation(reading.expression, tuple(reading.variables.values()), (), reading.expression, "value")
    convert = torch.from_numpy if library == "torch" else np.asarray
    return np.asarray(derivation.to_function(library)(**{name: convert(a) for name, a in arrays.items()}))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("kron(eye(m),A)", "kron_from_eye(m, A)"),
        ("kron(A,eye(m))", "kron_with_eye(A, m)"),
        ("kron(eye(m),A')", "kron_from_eye(m, A.T)"),
        ("kron(A,eye(m))'", "kron_with_eye(A.T, m)"),
    ],
)
def test_kronecker_products_with_an_identity_write_the_blocks_only(text, form, library):
    shapes, A, C = {"A": "p,q", "C": "m,n"}, np.arange(6.0).reshape(2, 3), np.ones((4, 5))
    text = f"{text} + 0*sum(C)*{text}"
    assert of_value(text, shapes, library)[-1] == f"return {form}"
    eye = np.eye(4)
    truth = np.kron(eye, A) if "(eye" in text else np.kron(A, eye)
    got = value_and_library(text, shapes, library, {"A": A, "C": C})
    np.testing.assert_array_equal(got, truth.T if "'" in text else truth)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("text", "wrt"),
    [
        ("0.5*norm2(tanh(X*P)*Q - Y)^2", "P"),
        ("norm2(Q*tanh(P*X) - Y)^2", "P"),
        ("sum(exp(X*P)*Q)", "P"),
        ("norm2(tanh(X*P)*Q - Y)^2 + sum(exp(X*P)) + norm2(P)^2", "P"),
    ],
)
def test_hessians_by_a_matrix_act_on_blocks(text, wrt, library):
    """No Kronecker product of the size of the Hessian by the data; the values are those of the operator."""
    m, n, h, k = 5, 4, 3, 2
    rng = np.random.default_rng(0)
    sizes = {"X": (m, n), "P": (n, h), "Q": (h, k), "Y": (m, k)}
    if text.startswith("norm2(Q"):
        sizes = {name: shape[::-1] for name, shape in sizes.items()}
    names = {m: "m", n: "n", h: "h", k: "k"}
    sizes = {name: shape for name, shape in sizes.items() if name in text}
    shapes = {name: ",".join(names[size] for size in shape) for name, shape in sizes.items()}
    convert = torch.from_numpy if library == "torch" else np.asarray
    arrays = {name: convert(rng.normal(size=shape)) for name, shape in sizes.items()}
    derivation = derive(text, wrt, variables=shapes, order=2)
    direction = rng.normal(size=sizes[wrt])
    moved = np.asarray(derivation.to_operator(library)(**arrays, d_P=convert(direction)))
    dense = np.asarray(derivation.to_function(library)(**arrays))
    np.testing.assert_allclose(dense @ direction.reshape(-1, order="F"), moved.reshape(-1, order="F"), rtol=1e-10)
    code = "\n".join(lines(derivation.to_code(library)))
    if "Q" in text and "norm2(P)" not in text and "exp" not in text:
        assert "kron" not in code, code


@pytest.mark.parametrize("library", LIBRARIES)
def test_determinants_of_diagonal_matrices_are_products(library):
    shapes = {"v": "n"}
    assert of_value("logdet(diag(v))", shapes, library) == ["return logdet_of_diagonal(v)"]
    assert of_value("det(diag(v))", shapes, library) == ["return v.prod()"]
    for v in ([2.0, 3.0], [-2.0, -3.0], [-2.0, 3.0], [0.0, 1.0], [1e-200, 1e-200]):
        got = value_and_library("logdet(diag(v))", shapes, library, {"v": np.array(v)})
        sign, truth = np.linalg.slogdet(np.diag(v))
        np.testing.assert_allclose(got, truth if sign >= 0 else np.nan)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(A.*eye(n))*x", "diagonal(A) * x"),
        ("C*(A.*eye(n))", "diagonal(A) * C"),
        ("(A .* diag(x))*B", "(diagonal(A) * x)[:, None] * B"),
        ("tr((A.*eye(n))*B)", "diagonal(A) @ diagonal(B)"),
        ("sum(diag(x))", "x.sum()"),
        ("sum(inv(A))", "linalg.solve(A, ones(n, dtype=A.dtype)).sum()"),
        ("logdet(inv(A))", "-logdet(A)"),
    ],
)
def test_neither_diagonals_nor_inverses_are_formed_inside(text, expected, library):
    *_, before, last = ["", *of_value(text, ALL, library)]
    last = last.replace("t1", before.removeprefix("t1 = ")).replace(", device=A.device", "")
    assert last == f"return {expected}"
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=(3, 3)) for name in "AB"} | {"C": rng.normal(size=(2, 3)), "x": rng.normal(size=3)}
    A, C, x = arrays["A"], arrays["C"], arrays["x"]
    values = {
        "(A.*eye(n))*x": A.diagonal() * x,
        "C*(A.*eye(n))": C * A.diagonal(),
        "(A .* diag(x))*B": np.diag(A.diagonal() * x) @ arrays["B"],
        "tr((A.*eye(n))*B)": A.diagonal() @ arrays["B"].diagonal(),
        "sum(diag(x))": x.sum(),
        "sum(inv(A))": np.linalg.inv(A).sum(),
        "logdet(inv(A))": -np.log(np.linalg.det(A)) if np.linalg.det(A) > 0 else np.nan,
    }
    shapes = {name: ALL[name] for name in "ABCx"}
    got = value_and_library(text, shapes, library, arrays)
    np.testing.assert_allclose(got, values[text], rtol=1e-12)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("text", ["eye(n)", "s*ones(n)", "s*eye(n)"])
def test_a_size_that_no_variable_has_is_named(text, library):
    with pytest.raises(UnsupportedError, match="needs the size n, which no variable has"):
        of_value(text, {"s": ""} if "s" in text else None, library)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_power_that_may_not_be_whole_is_not_cut_off(library):
    with pytest.raises(UnsupportedError, match="power s, which is not declared an integer"):
        of_value("tr(A^s)", {"A": "n,n", "s": ""}, library)
    declared = {"A": "n,n", "s": {"kind": "scalar", "shape": [], "props": ["integer"]}}
    assert "matrix_power(A, int(s))" in of_value("tr(A^s)", declared, library)[-1]


def corpus():
    for problem in json.loads((Path(__file__).parents[3] / "data" / "derivatives.json").read_text())["problems"]:
        pair = (problem["wrt"], problem.get("wrt2", problem["wrt"]))
        try:
            yield derive(
                problem["expr"],
                pair if pair[0] != pair[1] else pair[0],
                variables=problem["vars"],
                order=problem["order"],
                structure=problem.get("structure"),
            )
        except (UnsupportedError, NoRuleError):
            continue


CORPUS = list(corpus())


@pytest.mark.parametrize("library", LIBRARIES)
def test_no_gradient_of_the_corpus_forms_a_kronecker_product(library):
    gradients = [d for d in CORPUS if d.layout == "gradient"]
    assert len(gradients) > 150
    for d in gradients:
        code = "\n".join(lines(d.to_code(library)))
        assert "kron" not in code, d.expression


@pytest.mark.parametrize("library", LIBRARIES)
def test_no_inverse_of_the_corpus_meets_another_factor(library):
    """An inverse stands alone: never next to @, but where it is a line of its own that is needed itself."""
    for d in CORPUS:
        for line in lines(d.to_code(library)):
            assert not re.search(r"inv\([^()]*\)(\.T)? @|@ linalg\.inv", line), line


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_sources_are_tidy(library):
    for d in CORPUS:
        source = d.to_code(library)
        assert all(len(line) <= 120 or '"""' in line for line in source.splitlines()), source
        (function,) = (f for f in ast.parse(source).body if getattr(f, "name", "") == "derivative")
        assert ast.get_docstring(function).splitlines()[0] == d.to_text()
        assert "Shapes: " in ast.get_docstring(function)
        modules = re.findall(r"^import (math|scipy.*)$", source, re.MULTILINE)
        assert all(f"{module}." in source for module in modules), source


def test_scipy_is_imported_where_it_is_needed_only():
    assert "scipy" not in "".join(d.to_code("torch") for d in CORPUS)
    assert {d.to_code().count("import scipy.linalg") for d in CORPUS if "expm" in str(d.to_text())} == {1}
    assert not any("scipy" in d.to_code() for d in CORPUS if "expm" not in str(d.to_text()))


# ------------------------------------------------------------------------------------------------ costs


def test_sizes_are_powers_of_one_large_number():
    assert polynomial(m * n + 3 * p) == (0, 3, 1)
    assert polynomial(n**2) == (0, 0, 1)
    assert polynomial(Integer(5)) == (5,)


def test_the_higher_power_costs_more_whatever_the_coefficients():
    graph = Graph()
    matrix, vector = graph.make("input", (), (n, n), "A"), graph.make("input", (), (n,), "x")
    costs = Costs([(n, n), (n, Integer(1))])
    many = vector
    for _ in range(50):
        many = graph.matmul(matrix, many)
    once = graph.matmul(matrix, matrix)
    assert costs.total(many).leading < costs.total(once).leading


def test_equal_operations_are_one_object():
    graph = Graph()
    a, b = (graph.make("input", (), (n, n), name) for name in "AB")
    assert graph.matmul(a, b) is graph.matmul(a, b)
    assert graph.transpose(graph.transpose(a)) is a
    assert graph.transpose(graph.matmul(graph.transpose(b), graph.transpose(a))) is graph.matmul(a, b)
    gram = graph.matmul(graph.transpose(a), a)
    assert graph.transpose(gram) is gram
    assert graph.negative(graph.negative(a)) is a
    assert graph.matmul(graph.negative(a), graph.negative(b)) is graph.matmul(a, b)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_long_product_of_sums_is_planned_at_once(library):
    """Multiplying out every sum would take time that grows with the power of the number of factors."""
    text = "(A + B + D)*(A + D - B)*(B + D + E)*(A - B + E)*(A - D + F)*(A + G)*(A - G)"
    assert of_value(text, ALL, library)[-1].startswith("return t1 @ (A + G)")
