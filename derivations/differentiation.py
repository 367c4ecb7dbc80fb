"""Gradient, Jacobian and Hessian: take the differential, free dX, read the derivative off.

scalar f:   df = tr(G' dX)   =>  gradient G, the shape of X
vector y:   dy = J dx        =>  Jacobian J
by scalar:  dY = Y' ds       =>  Y', the shape of Y
"""

from dataclasses import replace
from functools import partial

from sympy import Add, Mul, S, preorder_traversal

from derivations import rules
from derivations.abbreviations import abbreviate
from derivations.derivation import Derivation, Rule, Step
from derivations.elementwise import Apply
from derivations.errors import NoRuleError, UnsupportedError
from derivations.expressions import (
    EntrySum,
    Identity,
    Inner,
    Ones,
    Product,
    Scale,
    Sum,
    Transpose,
    Zero,
    add,
    depends,
    is_matrix,
    is_vector,
    multiply,
    shape_of,
)
from derivations.functions import CONVENTIONS
from derivations.kronecker import Vec
from derivations.rewriting import chain, find_rule
from derivations.scalars import UNWORKED, Norm, Trace, differential_of, pairing
from derivations.simplification import collect, simplify


def _zero_like(expression):
    return Zero(*expression.shape) if is_matrix(expression) else S.Zero


# ------------------------------------------------------------------------- the differential


def differential(expression, variable, definitions=()):
    """Push d inward until only dX is left; give the steps from d(expression), one per line.

    Defined symbols stand for their definitions; the differential of one is that of what it stands for.
    """
    meanings = dict(definitions)
    moving = {variable}
    for symbol, defined in definitions:
        if any(depends(defined, v) for v in moving):
            moving.add(symbol)

    def moves(part):
        return any(depends(part, v) for v in moving)

    def d(part):
        return differential_of(part) if moves(part) else _zero_like(part)

    def rule_for(node):
        inside = node.args[0]
        while inside in meanings:
            inside = meanings[inside]
        if inside == variable:
            return rules.ANOTHER_NAME, differential_of(variable)
        rule = find_rule(rules.DIFFERENTIALS, inside, moves)
        # A rule for a combination, such as log-softmax, sees through the definitions of its parts.
        whole = inside.xreplace(meanings)
        combined = find_rule(rules.DIFFERENTIALS, whole, moves)
        if combined is not rule:
            rule, inside = combined, whole
        change = rule and rule.apply(inside, d)
        if rule is None:
            rule = find_rule(rules.SCALAR_DIFFERENTIALS, inside, moves)
            change = rule and rule.apply(inside, d, moves)
        if change is None:
            if type(inside) in rules.WAYS_OUT:
                raise NoRuleError(
                    f"no differential rule for {type(inside).__name__} in {inside}: {rules.WAYS_OUT[type(inside)]}"
                )
            known = ", ".join(sorted({h.__name__ for r in rules.DIFFERENTIALS for h in _heads(r)}))
            raise NoRuleError(
                f"no differential rule for {type(inside).__name__} in {inside}; the rules know {known} "
                "and scalar functions that SymPy can differentiate"
            )
        return rule, change

    known_changes = {}

    def waiting(e):
        nodes = (n for n in preorder_traversal(e) if isinstance(n, UNWORKED) and n.args[0] != variable)
        found = {}
        for node in nodes:
            if node not in known_changes:
                known_changes[node] = rule_for(node)
            found[node] = known_changes[node]
        return found

    def push_minor(e):
        while changes := {n: change for n, (rule, change) in waiting(e).items() if rule.minor}:
            e = e.xreplace(changes)
        return abbreviate(e, definitions)

    start = d(abbreviate(expression, definitions))
    steps, current = [], push_minor(start)
    before = start
    while pending := waiting(current):
        name = next(iter(pending.values()))[0].name
        chosen = {n: change for n, (rule, change) in pending.items() if rule.name == name}
        after = push_minor(current.xreplace(chosen))
        steps.append(Step(next(iter(pending.values()))[0], before, after))
        current = before = after
    return tuple(steps) or chain(start, (rules.LINEARITY, current)), current


def _heads(rule):
    return rule.head if isinstance(rule.head, tuple) else (rule.head,)


# --------------------------------------------------------------------------------- free dX


def linear_terms(scalar, moves):
    """A scalar linear in dX as (coefficient, trace or inner product) pairs."""
    if isinstance(scalar, Add):
        return [t for a in scalar.args for t in linear_terms(a, moves)]
    if isinstance(scalar, Mul):
        fixed = Mul(*(a for a in scalar.args if not moves(a)))
        (moving,) = (a for a in scalar.args if moves(a))
        return [(fixed * c, node) for c, node in linear_terms(moving, moves)]
    return [(S.One, scalar)]


def _open_node(coefficient, node, moves):
    """tr(M), 1'M1 or x'My as (coefficient, G, M)."""
    if isinstance(node, Trace):
        return coefficient, Identity(node.args[0].shape[0]), node.args[0]
    if isinstance(node, EntrySum):
        return coefficient, Ones(*node.args[0].shape), node.args[0]
    if isinstance(node, Inner):
        at = next(i for i, f in enumerate(node.args) if moves(f))
        left = Product(*(Transpose(f) for f in reversed(node.args[:at])))
        right = Product(*(Transpose(f) for f in reversed(node.args[at + 1 :])))
        return coefficient, multiply(left, right), node.args[at]
    raise UnsupportedError(f"cannot read a gradient off {node}")


def _open_scale(coefficient, factor, matrix, pair, moves):
    """coefficient * pair(s(dX) M) for a Scale whose scalar or whose matrix moves."""
    if not moves(factor):
        return [(coefficient * factor, None, matrix)]
    value = pair(matrix)
    return [_open_node(coefficient * c * value, node, moves) for c, node in linear_terms(factor, moves)]


def free_scalar(df, target):
    """Steps that bring a scalar differential into the form tr(G' dX), and G before collecting."""
    moves = partial(depends, variable=target)
    # Among vectors there is no trace to turn: a scalar equals its transpose.
    table = rules.TRACE_MOVES if not is_vector(target) else rules.INNER_MOVES

    def settle(state):
        coefficient, gradient, inside = state
        if isinstance(inside, Sum):
            return [s for t in inside.args if moves(t) for s in settle((coefficient, gradient, t))]
        if isinstance(inside, Scale):
            opened = _open_scale(coefficient, *inside.args, partial(pairing, gradient), moves)
            return [s for c, g, m in opened for s in settle((c, gradient if g is None else g, m))]
        return [state]

    def shown(states):
        return Add(*(c * pairing(g, m) for c, g, m in states))

    states = [s for c, node in linear_terms(df, moves) for s in settle(_open_node(c, node, moves))]
    links = []
    while open_states := [s for s in states if s[2] != target]:
        name = _move(table, open_states[0][2]).name
        rule, states = _advance(states, target, name, table, moves, settle)
        links.append((rule, shown(states)))
    return chain(df, *_gathered(links)), add(*(multiply(c, g) for c, g, _ in states))


# More lines than these that only move factors tire a reader: they become one.
MOST_MOVES = 3


def _gathered(links):
    """Many moves in a row as one."""
    if len(links) <= MOST_MOVES:
        return links
    return [(joined("factors move across", [rule for rule, _ in links]), links[-1][1])]


def joined(name, used):
    """Several rules as one line: their statements and their sources, each once."""
    statements, sources = (dict.fromkeys(getattr(r, field) for r in used) for field in ("statement", "source"))
    return Rule(None, name, r";\ ".join(statements), source="; ".join(sources))


def _move(table, inside):
    rule = find_rule(table, inside)
    if rule is None:
        raise UnsupportedError(
            f"cannot free the differential inside {type(inside).__name__} in {inside}; "
            f"the moves know {', '.join(r.head.__name__ for r in table)}"
        )
    return rule


def _advance(states, target, name, table, moves, settle):
    """Apply the moves of one name as long as any state waits for them."""
    used = None
    while any(s[2] != target and _move(table, s[2]).name == name for s in states):
        moved = []
        for state in states:
            coefficient, outer, inside = state
            if inside == target or _move(table, inside).name != name:
                moved.append(state)
                continue
            used = used or _move(table, inside)
            result = _move(table, inside).apply(outer, inside, moves)
            if result is None:
                raise UnsupportedError(f"cannot write {inside} as a matrix times {target}")
            moved += settle((coefficient, *result))
        states = moved
    return used, states


def _spread(product, moves):
    """A (dU + dV) b as A dU b + A dV b, so that each dx comes to stand last; None if no sum moves."""
    at = next(i for i, f in enumerate(product.args) if moves(f))
    factor, right = product.args[at], product.args[at + 1 :]
    terms = factor.args[0] if isinstance(factor, Transpose) else factor
    if not right or not isinstance(terms, Sum):
        return None
    turn = Transpose if isinstance(factor, Transpose) else lambda t: t
    return Sum(*(Product(*product.args[:at], turn(t), *right) for t in terms.args))


def free_vec(dy, target):
    """Steps that bring vec(dY) into the form J vec(dX), and J before collecting; of vectors, dy into J dx."""
    moves = partial(depends, variable=target)
    table = rules.VECTOR_MOVES if is_vector(dy) and is_vector(target) else rules.VEC_MOVES

    def settle(state):
        coefficient, left, inside = state
        if isinstance(inside, Sum):
            return [s for t in inside.args if moves(t) for s in settle((coefficient, left, t))]
        if isinstance(inside, Scale):
            factor, matrix = inside.args
            if not moves(factor):
                return settle((coefficient * factor, left, matrix))
            _, gradient = free_scalar(factor, target)
            return [(coefficient, Product(left, Vec(matrix), Transpose(Vec(gradient))), target)]
        spread = _spread(inside, moves) if isinstance(inside, Product) else None
        return [state] if spread is None else settle((coefficient, left, spread))

    def shown(states):
        return Sum(*(Scale(c, Product(left, Vec(m))) for c, left, m in states))

    states = settle((S.One, Identity(dy.shape[0] * dy.shape[1]), dy))
    links = []
    while open_states := [s for s in states if s[2] != target]:
        name = _move(table, open_states[0][2]).name
        rule, states = _advance(states, target, name, table, moves, settle)
        links.append((rule, shown(states)))
    links.append((rules.OUTER, shown(states)))
    return chain(Vec(dy), *_gathered(links[:-1]), links[-1]), Sum(*(Scale(c, left) for c, left, _ in states))


# ------------------------------------------------------------------------------- read it off


def _finish(read_off, before, result, *transposes):
    """Read the result off, lay it out, and simplify it."""
    links = [(read_off, result)]
    for rule in transposes:
        result = Transpose(result)
        links.append((rule, result))
    simple, used = simplify(result)
    links.append((joined(", ".join(r.name for r in used) or "simplify", used), simple))
    return chain(before, *links), simple


def by_scalar(expression, variable, definitions):
    steps, change = differential(expression, variable, definitions)
    ds = differential_of(variable)
    derivative = collect(change.xreplace({ds: S.One}))
    collected = multiply(ds, derivative)
    steps += chain(change, (rules.COLLECT, collected))
    last, result = _finish(rules.DERIVATIVE, collected, derivative)
    return steps + last, result


def gradient(expression, variable, definitions, *transposes):
    steps, change = differential(expression, variable, definitions)
    if change == 0:
        return _nothing(steps, change, rules.GRADIENT, variable.shape, transposes)
    moved, raw = free_scalar(change, differential_of(variable))
    collected = collect(raw)
    shown = pairing(collected, differential_of(variable))
    steps += moved
    steps += chain(steps[-1].after if steps else change, (rules.COLLECT, shown))
    last, result = _finish(rules.GRADIENT, shown, collected, *transposes)
    return steps + last, result


def jacobian(expression, variable, definitions, *transposes):
    """The Jacobian of vec(Y) by vec(X); that of y by x where both are vectors."""
    steps, change = differential(expression, variable, definitions)
    steps += chain(change, (rules.VECTORISE, Vec(change)))
    if isinstance(change, Zero):
        return _nothing(steps, Vec(change), rules.JACOBIAN, _jacobian_shape(expression, variable), transposes)
    moved, raw = free_vec(change, differential_of(variable))
    collected = collect(raw)
    shown = Product(collected, Vec(differential_of(variable)))
    steps += moved
    steps += chain(steps[-1].after if steps else change, (rules.COLLECT, shown))
    last, result = _finish(rules.JACOBIAN, shown, collected, *transposes)
    return steps + last, result


def _jacobian_shape(expression, variable):
    return tuple(rows * columns for rows, columns in map(shape_of, (expression, variable)))


def _nothing(steps, change, read_off, shape, transposes):
    """The derivative read off a differential that is zero."""
    zero = Zero(*shape)
    links = [(read_off, zero)]
    for rule in transposes:
        zero = Transpose(zero)
        links.append((rule, zero))
    return steps + chain(change, *links), zero


def _constant(expression, variable, *transposes):
    """The derivative of what does not depend on the variable: a zero of the right shape."""
    nothing = _zero_like(expression)
    steps = chain(differential_of(expression), (rules.CONSTANT, nothing))
    if not is_matrix(variable):
        return steps, nothing
    if not is_matrix(expression):
        return _nothing(steps, nothing, rules.GRADIENT, variable.shape, transposes)
    steps += chain(nothing, (rules.VECTORISE, Vec(nothing)))
    return _nothing(steps, Vec(nothing), rules.JACOBIAN, _jacobian_shape(expression, variable), transposes)


def _first_order(expression, variable, layout, definitions):
    """(steps, result, name of the layout)."""
    constant = not depends(expression, variable)
    if not is_matrix(variable):
        found = _constant(expression, variable) if constant else by_scalar(expression, variable, definitions)
        return *found, "shape_of_output" if is_matrix(expression) else "gradient"
    if not is_matrix(expression):
        transposes = [rules.NUMERATOR] if layout == "numerator" else []
        work, name = gradient, "numerator" if transposes else "gradient"
    elif is_vector(expression) and is_vector(variable):
        transposes = [] if layout == "numerator" else [rules.DENOMINATOR]
        work, name = jacobian, layout
    else:
        work, transposes, name = jacobian, [], "vec"
    if constant:
        return *_constant(expression, variable, *transposes), name
    return *work(expression, variable, definitions, *transposes), name


def conventions(expression, variables):
    """The conventions at kinks that a derivative of the expression by the variables rests on."""
    second = rules.SECOND_CONDITIONS if len(variables) == 2 else {}
    words = {**CONVENTIONS, **rules.CONDITIONS, **second}
    # An elementwise function stands in its node with a slot for its argument.
    of_interest = [
        n
        for n in preorder_traversal(expression)
        if type(n.args[0] if isinstance(n, Apply) else n) in words or rules.is_squared_norm(n)
    ]
    moving = [n for n in of_interest if any(depends(n, v) for v in variables)]
    kinds = {type(f) for n in moving for f in (n, *(n.args[:1] if isinstance(n, Apply) else ()))}
    if sum(isinstance(n, Norm) for n in moving) == sum(rules.is_squared_norm(n) for n in moving):
        kinds.discard(Norm)  # the square of a norm is smooth
    return tuple(said for kind, said in words.items() if kind in kinds)


LAYOUTS = ("denominator", "numerator")


def differentiate(expression, variables, wrt, layout="denominator", definitions=()):
    """The Derivation of an expression tree by the variables in the tuple `wrt`, one or two of them.

    definitions: (symbol, expression) pairs; the lines write the symbols once every d is worked out.
    """
    if layout not in LAYOUTS:
        raise UnsupportedError(f"layout {layout!r} is not known; expected one of {', '.join(LAYOUTS)}")
    steps, result, name = _first_order(expression, wrt[0], layout if len(wrt) == 1 else "denominator", definitions)
    variables = (*variables, *(symbol for symbol, _ in definitions))
    found = Derivation(expression, variables, steps, result, name, tuple(wrt), tuple(definitions))
    found = found.with_conditions(*conventions(expression, wrt))
    return found if len(wrt) == 1 else _second_order(found)


def structured(derivation, structure):
    """By the free entries of the variable, from the gradient by independent ones."""
    rule = rules.STRUCTURES[structure]
    last, result = _finish(rule, derivation.result, rule.apply(derivation.result))
    return replace(derivation, steps=derivation.steps + last, result=result, structure=structure)


def _second_order(first):
    f, (x, z) = first.expression, first.wrt_all
    if is_matrix(f):
        raise UnsupportedError("order 2 is the Hessian of a scalar; the expression is not a scalar")
    if first.definitions:
        raise UnsupportedError("order 2 takes no definitions: a defined symbol would hide its variable")
    if any(is_matrix(v) and not is_vector(v) for v in (x, z)):
        return _second_order_by_matrices(first)
    steps, result, _ = _first_order(first.result, z, "numerator" if is_matrix(x) or is_matrix(z) else "denominator", ())
    return replace(first, steps=first.steps + steps, result=result, layout="hessian")


def _second_order_by_matrices(first):
    """In vec form: [i, j] is the derivative by entry i of vec(X) and entry j of vec(Z)."""
    x, z = first.wrt_all
    steps, result, name = _first_order(first.result, z, "denominator", ())
    if name != "vec":  # one of the two is a scalar
        stacked = Vec(result)
        steps += chain(result, (rules.VECTORISE, stacked))
        result = stacked if is_matrix(x) else Transpose(stacked)
        steps += chain(stacked, (rules.NUMERATOR, result))
    return replace(first, steps=first.steps + steps, result=result, layout="hessian_vec")
