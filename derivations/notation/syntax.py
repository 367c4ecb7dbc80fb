"""The surface syntax tree: what a reader of any notation understood, before shapes are known."""

from dataclasses import dataclass

from derivations.errors import ShapeError


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

    def names(self):
        """The names in the order in which they appear."""
        found = [self.value] if self.op == "name" else []
        for a in self.args:
            found += [n for n in a.names() if n not in found]
        return found


def shape_error(message, source, node):
    """A ShapeError that points at the node."""
    return ShapeError(f"{message}\n    {source}\n    {' ' * node.start}{'^' * max(1, node.end - node.start)}")
