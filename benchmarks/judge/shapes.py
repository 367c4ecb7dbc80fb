"""Shapes, (rows, columns) in SymPy sizes: declared, found by unification, and as plain numbers."""

from sympy import Dummy, Integer, Symbol

ONE = Integer(1)
SCALAR = (ONE, ONE)


class Unreadable(Exception):
    """Not the text notation, or shapes that do not fit."""


def size(text):
    """A declared size: a number or a symbol."""
    return Integer(int(text)) if str(text).isdigit() else Symbol(str(text), integer=True, positive=True)


def declared_shape(variable):
    sizes = [size(s) for s in variable["shape"]] if variable["kind"] != "scalar" else []
    return (*sizes, ONE, ONE)[:2]


def counted(shape, sizes):
    """A shape with a number for each size; sizes: symbol -> Integer."""
    return [int(s.xreplace(sizes)) for s in shape]


class Unification:
    """What has been found out about the sizes that nobody declared, the Dummy ones."""

    def __init__(self):
        self.known = {}

    def unify_shapes(self, left, right):
        for a, b in zip(left, right):
            self.unify(a, b)

    def unify(self, a, b):
        (a, b) = self.settle((a, b))
        if a == b:
            return
        if not isinstance(a, Dummy):
            a, b = b, a
        if not isinstance(a, Dummy):
            raise Unreadable(f"the sizes {a} and {b} differ")
        self.known[a] = b

    def settle(self, shape):
        while any(s.has(*self.known) for s in shape if self.known):
            shape = tuple(s.xreplace(self.known) for s in shape)
        return shape


# The shape of a function, of the unification and the shapes of its arguments.


def like(sizes, a, *_):
    return a


def square(sizes, a):
    sizes.unify(*a)
    return a


def scalar(sizes, *_):
    return SCALAR


def scalar_of_square(sizes, a):
    square(sizes, a)
    return SCALAR


def column_of_square(sizes, a):
    return (square(sizes, a)[0], ONE)


def diagonal(sizes, a):
    return (a[0], a[0]) if a[1] == 1 else column_of_square(sizes, a)
