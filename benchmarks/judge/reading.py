"""The text notation as the judge reads it: a tree with the shapes of all parts."""

import re
from dataclasses import dataclass

from sympy import Dummy

from benchmarks.judge.functions import FILLED, FUNCTIONS, SIZED
from benchmarks.judge.shapes import ONE, SCALAR, Unification, Unreadable, declared_shape, size


@dataclass
class Node:
    """`op` is "number", "name", an operator, or the name of a function; the shape is (rows, columns) in SymPy sizes.

    A product with a number is "scale", the number first, and a power of a matrix is "power".
    """

    op: str
    args: list
    shape: tuple
    value: object = None


TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?=\.[*/^])|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<op>\.[*/^]|[-+*/^()',]))"
)
LEVELS = (("+", "-"), ("*", "/", ".*", "./"))


def negated(node):
    return Node("neg", [node], node.shape)


class Reader:
    """Recursive descent over the tokens; shapes are unified on the way."""

    def __init__(self, source, variables):
        self.variables, self.sizes, self.at = variables, Unification(), 0
        self.tokens, at = [], 0
        while at < len(source.rstrip()):
            match = TOKEN.match(source, at)
            if not match:
                raise Unreadable(f"{source[at:]!r}")
            self.tokens.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()
        self.tokens.append(("end", ""))

    def read(self):
        tree = self.binary(0)
        if self.tokens[self.at][0] != "end":
            raise Unreadable(f"unexpected {self.tokens[self.at][1]!r}")
        return self.settled(tree)

    def take(self, *texts):
        """The next token if it is one of these operators, else None."""
        kind, text = self.tokens[self.at]
        if kind != "op" or text not in texts:
            return None
        self.at += 1
        return text

    def expect(self, text):
        if not self.take(text):
            raise Unreadable(f"expected {text!r}, found {self.tokens[self.at][1]!r}")

    def binary(self, level):
        if level == len(LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while op := self.take(*LEVELS[level]):
            left = self.node(op, left, self.binary(level + 1))
        return left

    def unary(self):
        if self.take("+"):
            return self.unary()
        if self.take("-"):
            return negated(self.unary())
        base = self.atom()
        while op := self.take("'", "^", ".^"):
            base = Node("'", [base], base.shape[::-1]) if op == "'" else self.node(op, base, self.exponent())
        return base

    def exponent(self):
        return negated(self.atom()) if self.take("-") else self.atom()

    def atom(self):
        if self.take("("):
            inside = self.binary(0)
            self.expect(")")
            return inside
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return Node("number", [], SCALAR, text)
        if kind != "name":
            raise Unreadable(f"unexpected {text!r}")
        if self.take("("):
            return self.call(text)
        if text in self.variables:
            return Node("name", [], declared_shape(self.variables[text]), text)
        if text == "eye":
            return Node("eye", [], (Dummy(),) * 2)
        if text == "pi":
            return Node("pi", [], SCALAR)
        raise Unreadable(f"unknown name {text!r}")

    def call(self, name):
        if name in SIZED:
            sizes = self.arguments(self.size_product)
            return Node(name, [], SIZED[name](*sizes), sizes)
        args = self.arguments(lambda: self.binary(0))
        if name in FILLED:
            return Node("filled", args, FILLED[name]())
        if name not in FUNCTIONS:
            raise Unreadable(f"unknown function {name!r}")
        return Node(name, args, FUNCTIONS[name][0](self.sizes, *(self.sizes.settle(a.shape) for a in args)))

    def arguments(self, part):
        args = [part()]
        while self.take(","):
            args.append(part())
        self.expect(")")
        return args

    def size_product(self):
        found = ONE
        while True:
            found *= size(self.tokens[self.at][1])
            self.at += 1
            if not self.take("*"):
                return found

    def node(self, op, a, b):
        left, right = self.sizes.settle(a.shape), self.sizes.settle(b.shape)
        if op in "+-":
            self.sizes.unify_shapes(left, right)
            return Node(op, [a, b], left)
        if op == "*" and SCALAR in (left, right):
            first, second = (a, b) if left == SCALAR else (b, a)
            return Node("scale", [first, second], second.shape)
        if op == "*":
            self.sizes.unify(left[1], right[0])
            return Node(op, [a, b], (left[0], right[1]))
        if op in (".*", "./", ".^"):
            if SCALAR not in (left, right):
                self.sizes.unify_shapes(left, right)
            return Node(op, [a, b], right if left == SCALAR else left)
        if right != SCALAR:
            raise Unreadable(f"the right side of {op} is no number")
        if op == "^" and left != SCALAR:
            self.sizes.unify(*left)
            return Node("power", [a, b], left)
        return Node(op, [a, b], left)

    def settled(self, node):
        shape = self.sizes.settle(node.shape)
        if any(s.has(Dummy) for s in shape):
            raise Unreadable(f"nothing determines the size of {node.op}")
        return Node(node.op, [self.settled(a) for a in node.args], shape, node.value)


def parse(source, variables):
    """The tree of a text with the shapes of all parts; variables as the corpus declares them."""
    return Reader(source, variables).read()
