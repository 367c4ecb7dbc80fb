"""The engine: tables and an expression give an expression and steps. It knows no rule."""

from derivations.derivation import Derivation, Step


def find_rule(table, node, *context):
    """The first row of the table that fits the node, or None."""
    for rule in table:
        if (rule.head is None or isinstance(node, rule.head)) and (rule.when is None or rule.when(node, *context)):
            return rule
    return None


def rewrite(expression, table):
    """Apply the table everywhere, innermost first, until nothing changes; give (expression, rules used)."""
    used = []
    seen = {}

    def visit(node):
        if not node.args or node in seen:
            return seen.get(node, node)
        start = node
        args = tuple(visit(a) for a in node.args)
        if args != node.args:
            node = node.func(*args)
        changed = _apply_first(table, node)
        if changed is not None:
            rule, new = changed
            used.append(rule)
            node = visit(new)
        seen[start] = node
        return node

    return visit(expression), tuple(dict.fromkeys(used))


def _apply_first(table, node):
    for rule in table:
        if isinstance(node, rule.head):
            new = rule.apply(node)
            if new is not None and new != node:
                return rule, new
    return None


def chain(start, *links):
    """Steps from (rule, expression) links, leaving out those that change nothing."""
    steps = []
    for rule, expression in links:
        if expression != start:
            steps.append(Step(rule, start, expression))
            start = expression
    return tuple(steps)


def equalities(expression, variables, *links, definitions=(), conditions=()):
    """The derivation of a value: each (rule, expression) link equals the one before."""
    steps = chain(expression, *links)
    result = steps[-1].after if steps else expression
    variables = tuple(dict.fromkeys((*variables, *(symbol for symbol, _ in definitions))))
    return Derivation(expression, variables, steps, result, "value", definitions=definitions, conditions=conditions)
