"""`derive`: from what a person writes to a Derivation."""

import contextlib
from collections.abc import Mapping
from dataclasses import replace

from sympy import Basic, Dummy, Function, I, MatrixExpr, Pow, Symbol, nan, oo, preorder_traversal, zoo

from derivations.abbreviations import abbreviate
from derivations.derivation import Rule
from derivations.differentiation import differentiate, structured
from derivations.errors import DerivationError, DomainError, ShapeError, UnsupportedError
from derivations.expressions import SYMMETRIC, Variable, depends, freed, is_matrix, settled
from derivations.notation import inference, shapes, sympy_in, syntax, text
from derivations.rewriting import chain
from derivations.rules import STRUCTURES
from derivations.simplification import simplify


def read(expression, variables=None, definitions=None):
    """Text as a Reading, and the definitions as (symbol, expression) pairs.

    definitions: name -> text, or (text, property, …); a definition may use the names before it, and the
    expression may use them all.
    """
    trees, properties = {}, {}
    later = list(definitions or {})
    for name, defined in (definitions or {}).items():
        if name in (variables or {}):
            raise DerivationError(f"{name} is both declared as a variable and defined")
        parts = (defined,) if isinstance(defined, str) else tuple(defined) if isinstance(defined, (tuple, list)) else ()
        if not parts or not all(isinstance(p, str) for p in parts):
            raise DerivationError(f"the definition of {name} is text, or (text, property, ...), not {defined!r}")
        source, *properties[name] = parts
        shapes.check_properties(name, properties[name])
        tree = text.parse(source)
        unknown = [n for n in tree.names() if n in later]
        if unknown:
            raise DerivationError(f"{name} is defined by {unknown[0]}, which is not defined before it")
        later.remove(name)
        trees[name] = syntax.expand(tree, trees)
    reading = inference.infer(expression, syntax.expand(text.parse(expression), trees), variables)
    declared = {n: shapes.known(v) for n, v in reading.variables.items()}
    pairs = []
    for name, tree in trees.items():
        found = inference.infer(name, tree, {**(variables or {}), **declared})
        meant = found.expression
        if not is_matrix(meant) and not tree_variables(meant):
            raise DerivationError(f"{name} is defined as {meant}, which has no variable in it: write that itself")
        for other in found.variables.items() - reading.variables.items():
            if depends(meant, other[1]):
                reading.variables[other[0]] = other[1]
        pairs.append((shapes.symbol_for(name, meant, properties[name]), abbreviate(meant, pairs)))
    return reading, tuple(pairs)


def derive(expression, wrt, *, variables=None, order=1, layout="denominator", structure=None, definitions=None):
    """Derive the gradient, Jacobian or Hessian of an expression, step by step.

    expression: text such as "x'*A*y", an expression of SymPy (MatrixExpr or scalar), or a tree of ours.
    wrt: the variable's name or symbol; a pair for a mixed second derivative.
    variables: name -> shape: "m,n", a tuple, or {"kind": …, "shape": […], "props": […]}; shapes
        that are not declared are inferred, single capitals as matrices and lower-case letters as vectors.
    order: 1, or 2 for the Hessian of a scalar.
    layout: "denominator" (a gradient has the shape of the variable; of a vector y by a vector x,
        [i, j] = dy_j/dx_i; pairs with a matrix in vec form) or "numerator" (its transpose).
    structure: "symmetric" or "diagonal": the derivative of a scalar by the free entries of such a matrix;
        without it, the entries of the variable are independent.
    definitions: name -> text, or (text, property, …): abbreviations that the expression may use and the lines will.

    Raises ParseError, ShapeError, NoRuleError, DomainError or UnsupportedError, all of them DerivationError.
    """
    for what, given in (("variables", variables), ("definitions", definitions)):
        if given is not None and not isinstance(given, Mapping):
            raise DerivationError(f"{what} is a dictionary by name, not {given!r}")
    if structure is not None and structure not in STRUCTURES:
        raise UnsupportedError(f"structure {structure!r} is not known; expected one of {', '.join(STRUCTURES)}")
    if order not in (1, 2) or not isinstance(order, int):
        raise UnsupportedError(f"order {order!r} is not carried; expected 1 or 2")
    pair = tuple(wrt) if isinstance(wrt, (tuple, list)) else (wrt,) * order
    if len(pair) == 2:
        order = 2
    if len(pair) != order:
        raise DerivationError(f"wrt has {len(pair)} variables, but the order is {order}")
    if structure is not None and order == 2:
        raise UnsupportedError("structure goes with order 1; the Hessian by free entries is not carried")
    if isinstance(expression, str):
        reading, defined = read(expression, _freed(variables, pair), definitions)
        tree, by_name, symbols = reading.expression, reading.variables, ()
    elif isinstance(expression, Basic) and sympy_in.is_foreign(expression):
        if definitions:
            raise DerivationError("definitions go with text; write SymPy's expression out")
        reading = sympy_in.read(expression, pair, variables, TIED)
        tree, by_name, defined, symbols = reading.expression, reading.variables, (), reading.symbols
    elif isinstance(expression, Basic):
        if expression.has(MatrixExpr):
            raise UnsupportedError("the tree mixes SymPy's matrix nodes with ours; give one or the other")
        if variables or definitions:
            raise DerivationError("variables and definitions go with text; a tree holds its own")
        names = {getattr(v, "name", str(v)) for v in pair}
        for v in tree_variables(expression):
            if is_matrix(v) and v.properties & TIED and v.name in names:
                raise UnsupportedError(
                    f"the entries of {v.name} are independent when it is the variable of differentiation, "
                    "but the tree was built with its properties; give the expression as text"
                )
        tree, by_name, defined, symbols = expression, {v.name: v for v in tree_variables(expression)}, (), ()
    else:
        raise DerivationError(f"expected text or a SymPy expression, got {type(expression).__name__}")
    chosen = tuple(_find(v, by_name) for v in pair)
    if structure is not None:
        declared = _with_structure(structure, tree, chosen[0])
        tree = tree.xreplace({chosen[0]: declared})
        defined = tuple((symbol, meant.xreplace({chosen[0]: declared})) for symbol, meant in defined)
        by_name[declared.name], chosen = declared, (declared,)
    for v in chosen:
        if "integer" in v.properties if is_matrix(v) else v.is_integer:
            raise UnsupportedError(f"{v.name} is an integer: there is no derivative by it; declare it without integer")
    derivation = _settled(differentiate(tree, by_name.values(), chosen, layout, defined))
    if structure is not None:
        derivation = structured(derivation, structure)
    if number := _unreal_number(tree) or _unreal_number(derivation.result):
        raise DomainError(f"{expression!r} is not real where it is defined: it holds {number}")
    if tree.has(oo, zoo, nan):
        raise DomainError(f"{expression!r} is not defined: it divides by zero or takes the logarithm of zero")
    if derivation.result.has(oo, zoo, nan):
        raise DerivationError(f"the derivative of {expression!r} is not finite: {derivation.result}")
    if any(isinstance(s, Dummy) for s in derivation.result.free_symbols):
        raise ShapeError(
            f"the result of {expression!r} depends on a size that nothing determines; "
            "write eye(n), ones(n) or ones(m,n) in place of eye, vector(1) or matrix(1)"
        )
    return replace(derivation, symbols=symbols)


# Properties that tie the entries of a variable together.
TIED = SYMMETRIC | {"orthogonal", "prob", "onehot", "onehot_rows", "centred", "binary", "pm1"}


def _unreal_number(tree):
    """A number in a tree that is not real, such as arcsin(2), the innermost one; or None."""
    found = None
    for node in preorder_traversal(tree):
        if isinstance(node, (Pow, Function)) and node.is_number and not node.is_extended_real:
            with contextlib.suppress(OverflowError):  # too large to tell
                value = node.evalf()
                found = node if not value.is_real and value not in (oo, -oo, zoo, nan) else found
        elif node == I:
            found = node
    return found


def _with_structure(structure, tree, variable):
    """The variable, declared to have the structure."""
    if is_matrix(tree):
        raise UnsupportedError(f"structure={structure!r} is for the gradient of a scalar; the expression is not one")
    if not is_matrix(variable) or variable.shape[0] != variable.shape[1]:
        raise ShapeError(
            f"structure={structure!r} needs a square matrix to differentiate by; {variable} is not: "
            f"declare it, as in variables={{{variable.name!r}: 'n,n'}}"
        )
    return freed(Variable(variable.name, *variable.shape, *(variable.properties - {"independent"}), structure))


def _freed(variables, pair):
    """The declarations, with the entries of the variables of differentiation independent."""
    freed = dict(variables or {})
    for name in {v if isinstance(v, str) else getattr(v, "name", None) for v in pair} & set(freed):
        declared = shapes.declaration(name, freed[name])
        if TIED & set(declared.properties):
            freed[name] = replace(declared, properties=(*declared.properties, "independent"))
    return freed


def _settled(derivation):
    """The derivation with its result in the declared variables: what they have may be used again."""
    twins = {v: settled(v) for v in derivation.wrt_all if settled(v) != v}
    if not twins:
        return derivation
    result, _ = simplify(derivation.result.xreplace(twins))
    tied = ", ".join(f"{v.name} is {' and '.join(sorted(v.properties & TIED))}".replace("_", " ") for v in twins)
    steps = derivation.steps + chain(derivation.result, (Rule(None, tied, "", source="Declaration"), result))
    return replace(derivation, steps=steps, result=result)


def tree_variables(expression):
    """The variables of a tree in the order in which they appear."""
    found = {}

    def visit(e):
        if isinstance(e, Variable):
            found[e] = None
        elif isinstance(e, Symbol):
            if not (e.is_integer and e.is_positive):
                found[e] = None
        else:
            for a in e.args:
                visit(a)

    visit(expression)
    return list(found)


def _find(variable, by_name):
    name = variable if isinstance(variable, str) else getattr(variable, "name", str(variable))
    if name not in by_name:
        raise DerivationError(
            f"cannot differentiate by {name!r}: the expression has {', '.join(by_name) or 'no variables'}. "
            "A variable that does not occur must be declared in variables="
        )
    return by_name[name]
