"""Systems of equations with one matrix, which need one factorisation: a last pass over the operations."""

from collections import defaultdict

from sympy import S


def stacked(graph, result):
    """Systems with one matrix as one system with all right sides that do not wait for one another."""
    while group := next((g for g in map(_independent, _groups(result, _matrix_and_side)) if len(g) > 1), None):
        result = _rebuilt(graph, result, lambda op, new, group=group: _part_of_stack(graph, group, op, new))
    return _plain(graph, result)


def factored(graph, result):
    """Several systems with one matrix, or with its transpose, by one LU factorisation."""
    shared = {solve for group in _groups(result, lambda s: s.args[0]) if len(group) > 1 for solve in group}

    def change(op, new):
        if op not in shared:
            return None
        matrix, right = new(op.args[0].args[0]), new(op.args[1])
        factors = graph.make("lu_factor", (matrix,), matrix.shape)
        if len(right.shape) == 2:
            return graph.make("lu_solve", (factors, right), right.shape, op.detail)
        whole = graph.make("lu_solve", (factors, graph.column(right)), (*right.shape, S.One), op.detail)
        return graph.make("take", (whole,), right.shape, (S.Zero,))

    return _plain(graph, _rebuilt(graph, result, change))


def _matrix_and_side(solve):
    return solve.args[0], solve.detail


def _groups(result, key):
    """Systems by what they share, in the order in which they were found."""
    groups = defaultdict(list)
    for solve in sorted((a for a in result.reach if a.name == "solve"), key=lambda a: a.index):
        groups[key(solve)].append(solve)
    return groups.values()


def _independent(group):
    chosen = []
    for solve in group:
        if not any(other in solve.reach or solve in other.reach for other in chosen):
            chosen.append(solve)
    return chosen


def _part_of_stack(graph, group, op, new):
    """The columns of a stacked system that an operation of the group stands for; vectors come last."""
    if op not in group:
        return None
    rights = sorted((new(s.args[1]) for s in group), key=lambda right: -len(right.shape))
    widths = [right.shape[1] if len(right.shape) == 2 else S.One for right in rights]
    whole = graph.make("stack", rights, (op.shape[0], sum(widths)))
    solved = graph.make("solve", (new(op.args[0]), whole), whole.shape, op.detail)
    at = rights.index(new(op.args[1]))
    start = sum(widths[:at], S.Zero)
    places = (start, start + widths[at]) if len(op.shape) == 2 else (start,)
    return graph.make("take", (solved,), op.shape, places)


def _plain(graph, result):
    """Without the factorisations, which no library shows."""

    def change(op, new):
        if op.name in ("solve", "inverse") and op.args[0].name == "factor":
            return graph.make(op.name, (new(op.args[0].args[0]), *map(new, op.args[1:])), op.shape, op.detail)
        return None

    return _rebuilt(graph, result, change)


def _rebuilt(graph, result, change):
    """The operations anew; change(operation, new) gives what stands for one, or None."""
    known = {}

    def new(op):
        if op not in known:
            known[op] = change(op, new) or graph.make(op.name, map(new, op.args), op.shape, op.detail)
        return known[op]

    return new(result)
