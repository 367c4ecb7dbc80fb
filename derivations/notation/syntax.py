"""The surface syntax tree: what a reader of any notation understood, before shapes are known."""

from dataclasses import dataclass, replace

from derivations.errors import ShapeError

# The functions whose arguments are sizes.
SIZED = ("eye", "ones", "zeros", "comm")


@dataclass(frozen=True)
class Node:
    """An operation of the source text between the positions start and end.

    `op` is "number", "name", "call", "neg", "'", or one of + - * / .* ./ ^ .^;
    `value` holds the number, the name, or the name of the function that is called.
    """

    op: str
    args: tuple = ()
    value: object = None
    start: int = 0
    end: int = 0

    def depth(self):
        """How many levels the tree has, without recursion."""
        level, levels = [self], 0
        while level:
            level, levels = [a for node in level for a in node.args], levels + 1
        return levels

    def names(self):
        """The names of variables in the order in which they appear; sizes, as in ones(n), are none."""
        if self.op == "call" and self.value in SIZED:
            return []
        found = [self.value] if self.op == "name" else []
        for a in self.args:
            found += [n for n in a.names() if n not in found]
        return found

    def transposed(self):
        """The names that stand before a transpose sign."""
        found = set().union(*(a.transposed() for a in self.args))
        return found | {self.args[0].value} if self.op == "'" and self.args[0].op == "name" else found


def expand(tree, definitions):
    """The tree with the trees of defined names put in their places; errors point at the name."""
    if tree.op == "name" and tree.value in definitions:
        return _relocate(definitions[tree.value], tree.start, tree.end)
    return replace(tree, args=tuple(expand(a, definitions) for a in tree.args))


def _relocate(tree, start, end):
    return replace(tree, args=tuple(_relocate(a, start, end) for a in tree.args), start=start, end=end)


def shape_error(message, source, node):
    """A ShapeError that points at the node."""
    return ShapeError(f"{message}\n    {source}\n    {' ' * node.start}{'^' * max(1, node.end - node.start)}")
