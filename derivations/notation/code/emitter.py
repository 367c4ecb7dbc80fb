"""Operations as the lines of a function: what each library calls them, and which of them get a line."""

import re
from collections import Counter
from itertools import count, pairwise

from derivations.errors import UnsupportedError
from derivations.expressions import is_matrix, shape_of
from derivations.notation.code import helpers
from derivations.notation.code.costs import FREE
from derivations.notation.code.libraries import (
    LIBRARIES,
    NEED_SCIPY,
    SCIPY,
    gradient_name,
    identifier,
    loss_gradients,
    unique,
)
from derivations.notation.code.pieces import POWER, SUM, TERM, Piece, number

# Longer parts get a line of their own; the first of these that keeps the lines short.
LONGEST_PARTS = (60, 40, 20)
# With the indentation that makes 120 characters.
LONGEST_LINE = 116
VIEWS = {"transpose", "reshape", "swap", "diagonal", "take"}


def function(result, library, identifiers, expression, name, summary):
    """Source of a function, with its imports; identifiers: variable -> name."""
    for longest in LONGEST_PARTS:
        emitter = Emitter(library, identifiers, expression, longest)
        body = emitter.body(result)
        if max(map(len, body)) <= LONGEST_LINE:
            break
    return emitter.layout(name, summary, body)


class Emitter:
    """The lines of one function."""

    def __init__(self, library, identifiers, expression, longest_part):
        self.library, self.identifiers, self.expression = library, identifiers, expression
        self.longest_part = longest_part
        self.forms = LIBRARIES[library]
        gradients = [gradient_name(g) for g in loss_gradients(expression)]
        self.parameters = (*identifiers.values(), *gradients)
        self.taken = {*self.parameters, *helpers.HELPERS[library]}
        self.sizes, self.pieces, self.lines = {}, {}, []

    def body(self, result):
        operations = sorted(result.reach, key=lambda a: a.index)
        if self.library == "numpy" and NEED_SCIPY & {name for a in operations for name in (a.name, a.detail)}:
            self.forms = {**self.forms, **SCIPY}
        self.uses = uses(result, operations)
        value = self.inside(result)
        if result.is_static:
            value = self.fill("constant", value)
        elif shows_an_argument(result):
            # Who writes on the result does not mean to write on the argument; a scalar may be a plain number.
            value = self.fill("copy", value) if result.shape else Piece(f"1 * {value}", TERM)
        rows, columns = shape_of(self.expression)
        if rows == 1 and columns != 1:
            value = f"{value:a}[None, :]"
        return [part for line in (*self.prologue(), *self.lines, f"return {value}") for part in wrap(line)]

    def layout(self, name, summary, body):
        """Imports, helpers, and the function."""
        needed = helpers.needed(self.library, "\n".join(body))
        for helper in needed.keys() & set(self.parameters):
            own = unique(helper, self.taken)
            needed = {n: re.sub(rf"(?<![\w.]){helper}\b", own, source) for n, source in needed.items()}
            body = [re.sub(rf"(?<![\w.]){helper}(?=\()", own, line) for line in body]
        head = f"def {name}({'*, ' if self.parameters else ''}{', '.join(self.parameters)}):"
        lines = [f"    {line}" if line else "" for line in (*self.docstring(summary), *body)]
        whole = "\n\n\n".join([*needed.values(), "\n".join([head, *lines])])
        imports = [f"import {m}" for m in ("math", "scipy.linalg", "scipy.special") if f"{m}." in whole]
        imports = sorted([*imports, self.forms["import"]], key=lambda line: line.split()[1])
        return "\n".join(imports) + f"\n\n\n{whole}\n"

    def docstring(self, summary):
        """The formula, and the shapes of what comes in and goes out."""
        shapes = [f"{name} {self.shape(v)}" for v, name in self.identifiers.items() if is_matrix(v)]
        into = f"{', '.join(shapes)} -> " if shapes else ""
        return [f'"""{summary}', "", f"Shapes: {into}{self.shape(self.expression)}.", '"""']

    def shape(self, e):
        rows, columns = shape_of(e)
        sizes = () if rows == columns == 1 else (rows,) if columns == 1 else (rows, columns)
        return f"({', '.join(map(str, sizes))}{',' if len(sizes) == 1 else ''})"

    def prologue(self):
        """The sizes that the lines need are read off the arguments, and rows become 1-D."""
        matrices = [v for v in self.identifiers if is_matrix(v)]
        for size, name in sorted(self.sizes.items(), key=lambda item: item[1]):
            places = ((v, axis) for v in matrices for axis in (0, 1) if v.shape[axis] == size)
            holder, axis = next(places, (None, 0))
            if holder is None:
                raise UnsupportedError(f"the result needs the size {size}, which no variable has")
            yield f"{name} = {self.identifiers[holder]}.shape[{axis}]"
        for v in matrices:
            if v.shape[0] == 1:
                yield f"{self.identifiers[v]} = {self.identifiers[v]}[0]"

    # -------------------------------------------------------------------------------- operations

    def piece(self, op):
        """The text of an operation: its form, or the name of the line that computes it."""
        if op not in self.pieces:
            piece = self.inside(op)
            if self.deserves_a_line(op, piece):
                name = self.take_name(f"t{i}" for i in count(1))
                self.lines.append(f"{name} = {piece}")
                piece = Piece(name)
            self.pieces[op] = piece
        return self.pieces[op]

    def take_name(self, names):
        """The first of the names that is not taken, which it is from now on."""
        name = next(n for n in names if n not in self.taken)
        self.taken.add(name)
        return name

    def deserves_a_line(self, op, piece):
        if (op.name in FREE and not op.is_static) or (op.is_static and "(" not in piece):
            return op.name == "take" and len(piece) > self.longest_part
        return self.uses[op] > 1 or len(piece) > self.longest_part

    def inside(self, op):
        if op.name in FORMS:
            return FORMS[op.name](self, op)
        return self.fill(op.name, *map(self.piece, op.args))

    def fill(self, name, *pieces):
        """The library's form of an operation."""
        return Piece(self.forms[name].format(*pieces, dtype=self.dtype(), inexact=self.inexact()))

    def like(self):
        """An argument that has the dtype and the device; best an array, for scalars may be numbers."""
        held = sorted(self.identifiers, key=lambda v: not is_matrix(v))
        return next((self.identifiers[v] for v in held), next(iter(self.parameters), None))

    def dtype(self):
        if not any(map(is_matrix, self.identifiers)):
            return self.inexact()
        device = f", device={self.like()}.device" if self.library == "torch" else ""
        return f"dtype={self.like()}.dtype{device}"

    def inexact(self):
        """The dtype that is not one of integers, where the arguments are."""
        like = self.like()
        if self.library == "torch":
            return f"dtype=torch.result_type({like}, 0.0), device={like}.device" if like else "dtype=torch.float64"
        return f"dtype=np.result_type({like}, 0.0)" if like else "dtype=float"

    def static(self, op):
        return self.number(op.detail)

    def number(self, e):
        return number(e, self.size)

    def size(self, size):
        """The name of a size in the code."""
        if size not in self.sizes:
            name = identifier(str(size))
            self.sizes[size] = self.take_name((name, unique(f"size_{name}", self.taken)))
        return self.sizes[size]

    def input(self, op):
        return Piece(op.detail)

    def add(self, op):
        pieces = [self.piece(a) for a in op.args]
        text = f"-{self.unsigned(op.args[0])}" if op.detail[0] else f"{pieces[0]}"
        for piece, negative in zip(pieces[1:], op.detail[1:]):
            text += f"{' - ' if negative else ' + '}{piece:t}"
        return Piece(text, SUM)

    def negative(self, op):
        (inside,) = op.args
        if inside.name in ("outer", "diag") and self.uses[inside] == 1:
            # A vector is negated sooner than a matrix.
            first, *others = inside.args
            return self.fill(inside.name, Piece(f"-{self.unsigned(first)}", SUM), *map(self.piece, others))
        return Piece(f"-{self.unsigned(inside)}", SUM)

    def unsigned(self, op):
        """What follows a minus sign, which would bind to the first factor of a matrix product."""
        return f"{self.piece(op):p}" if op.name == "matmul" else f"{self.piece(op):t}"

    def times(self, op):
        first, *others = op.args
        return Piece(" * ".join([self.leading(first), *(f"{self.piece(a):p}" for a in others)]), TERM)

    def divide(self, op):
        return Piece(f"{self.leading(op.args[0])} / {self.piece(op.args[1]):p}", TERM)

    def leading(self, op, *kinds):
        """The first of several factors: products of its own kind need no parentheses."""
        piece = self.piece(op)
        alike = op.name in (kinds or ("times", "divide", "static")) and piece.level == TERM
        return f"{piece:t}" if alike else f"{piece:p}"

    def power(self, op):
        base, exponent = map(self.piece, op.args)
        return Piece(f"{base:a} ** {exponent:a}", POWER)

    def function(self, op):
        pieces = [self.piece(a) for a in op.args]
        if op.detail in ("max", "min") and any(a.is_static for a in op.args):
            first, second = pieces if op.args[1].is_static else pieces[::-1]
            return self.fill(f"{op.detail}_number", first, second)
        return self.fill(op.detail, *pieces)

    def matmul(self, op):
        return Piece(f"{self.leading(op.args[0], 'matmul')} @ {self.piece(op.args[1]):p}", TERM)

    def sum(self, op):
        names = {(): "sum", 0: "sum_columns", 1: "sum_rows"}
        return self.fill(names[op.detail], self.piece(op.args[0]))

    def reshape(self, op):
        sizes = ", ".join(map(self.number, op.shape)) if len(op.shape) > 1 else "-1"
        return Piece(f"{self.piece(op.args[0]):a}.reshape({sizes})")

    def kron_eye(self, op):
        return self.fill(op.name, self.piece(op.args[0]), self.number(op.detail))

    def swap(self, op):
        return self.fill("swap", self.piece(op.args[0]), *op.detail)

    def eye(self, op):
        return self.fill("eye", self.number(op.shape[0]))

    def filled(self, op, name=None):
        sizes = [self.number(s) for s in op.shape]
        return self.fill(name or op.name, sizes[0] if len(sizes) == 1 else Piece(f"({', '.join(sizes)})"))

    def full(self, op):
        return Piece(f"{self.leading(op.args[0])} * {self.filled(op, 'ones')}", TERM)

    def repeated(self, op):
        return self.fill(op.name, self.piece(op.args[0]), self.number(op.shape[0 if op.name == "repeat_row" else 1]))

    def by_detail(self, op):
        return self.fill(op.detail, *map(self.piece, op.args))

    def frechet(self, op):
        return self.fill(f"{op.detail}_frechet", *map(self.piece, op.args))

    def solve(self, op):
        matrix, right = map(self.piece, op.args)
        return self.fill("solve", Piece(f"{matrix:a}.T") if op.detail else matrix, right)

    def lu_factor(self, op):
        return Piece(f"torch.linalg.lu_factor({self.piece(op.args[0])})")

    def lu_solve(self, op):
        factors, right = map(self.piece, op.args)
        return Piece(f"torch.linalg.lu_solve(*{factors}, {right}{', adjoint=True' if op.detail else ''})")

    def stack(self, op):
        return self.fill("stack", ", ".join(map(self.piece, op.args)))

    def take(self, op):
        places = ":".join("" if i == 0 and len(op.detail) == 2 else self.number(i) for i in op.detail)
        return Piece(f"{self.piece(op.args[0]):a}[:, {places}]")

    def compare(self, op):
        return Piece(f"({self.piece(op.args[0])}) {op.detail} ({self.piece(op.args[1])})", SUM)

    def all(self, op):
        return Piece(" & ".join(f"({self.piece(a)})" for a in op.args), SUM)

    def member(self, op):
        value, *others = map(self.piece, op.args)
        return Piece(" | ".join(f"({value:a} == {v})" for v in others), SUM)


FORMS = {
    "static": Emitter.static,
    "input": Emitter.input,
    "add": Emitter.add,
    "negative": Emitter.negative,
    "times": Emitter.times,
    "divide": Emitter.divide,
    "power": Emitter.power,
    "function": Emitter.function,
    "matmul": Emitter.matmul,
    "sum": Emitter.sum,
    "reshape": Emitter.reshape,
    "swap": Emitter.swap,
    "kron_from_eye": Emitter.kron_eye,
    "kron_with_eye": Emitter.kron_eye,
    "eye": Emitter.eye,
    "ones": Emitter.filled,
    "zeros": Emitter.filled,
    "full": Emitter.full,
    "repeat_row": Emitter.repeated,
    "repeat_column": Emitter.repeated,
    "matrix_function": Emitter.by_detail,
    "frechet": Emitter.frechet,
    "solve": Emitter.solve,
    "lu_factor": Emitter.lu_factor,
    "lu_solve": Emitter.lu_solve,
    "stack": Emitter.stack,
    "take": Emitter.take,
    "compare": Emitter.compare,
    "all": Emitter.all,
    "member": Emitter.member,
}


def uses(result, operations):
    """How often the text of each operation would be written; what is free is written at each use."""
    found = Counter({result: 1})
    for op in reversed(operations):
        for a in op.args:
            found[a] += found[op] if op.name in FREE else 1
    return found


def shows_an_argument(op):
    """Whether an operation gives an argument, or a view of one."""
    while op.name in VIEWS:
        (op,) = op.args
    return op.name == "input"


def wrap(line):
    """A line, or where it is too long the terms of its sum on lines of their own."""
    head, value = re.match(r"(\w+ = |return )(.*)", line).groups()
    depth, cuts = 0, [0]
    for i, c in enumerate(value):
        depth += (c in "([") - (c in ")]")
        if depth == 0 and value[i : i + 3] in (" + ", " - "):
            cuts.append(i + 1)
    if len(line) <= LONGEST_LINE or len(cuts) == 1:
        return [line]
    terms = [value[a:b].strip() for a, b in pairwise([*cuts, len(value)])]
    return [f"{head}(", *(f"    {term}" for term in terms), ")"]
