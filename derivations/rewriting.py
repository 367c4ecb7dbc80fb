"""The engine: tables and an expression give an expression and steps. It knows no rule."""

from derivations.derivation import Derivation, Step


def find_rule(table, node, *context):
    """The first row of the table that fits the node, or None."""
    for rule in table:
        if (rule.head is None or isinstance(node, rule.head)) and (rule.when is None or rule.when(node, *context)):
            return rule
    return None


# Of one node: rows that would go on from form to form are stopped here.
MOST_FORMS = 60


def rewrite(expression, table, order=str):
    """Apply the table everywhere, innermost first, until nothing changes; give (expression, rules used).

    Rows that undo one another would go on for ever: of the forms on such a round, the first in order stays.
    """
    used = []
    seen = {}

    def inside(node):
        met = set()
        # A node that is built of new parts may have another form, whose parts were not visited yet.
        while node not in met:
            met.add(node)
            args = tuple(visit(a) for a in node.args)
            if args != node.args:
                node = node.func(*args)
        return node

    def visit(node):
        if not node.args:
            return node
        if node not in seen:
            seen[node] = settle(inside(node))
        return seen[node]

    def settle(node):
        met = {node}
        while node.args and (changed := _apply_first(table, node)):
            rule, new = changed
            new = inside(new)
            if new in met or len(met) == MOST_FORMS:
                return min(met, key=order)
            met.add(new)
            used.append(rule)
            node = new
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
