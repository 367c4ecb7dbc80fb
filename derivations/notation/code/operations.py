"""Array operations as a graph: what generated code computes, before any library has a name for it.

Equal operations are one object, so what is shared is computed once. Shapes are those of the arrays: ()
of scalars, (n,) of columns and of rows, (m, n) of matrices; an axis of length 1 broadcasts.
"""

from sympy import Add, Integer, Mul, S

ELEMENTWISE = {"add", "times", "divide", "negative", "power", "function"}


class Operation:
    """One array operation. `detail` holds what is no array: sizes, signs, the name of a function."""

    __slots__ = ("args", "detail", "index", "name", "reach", "shape")

    def __init__(self, index, name, args, shape, detail):
        self.index, self.name, self.args, self.shape, self.detail = index, name, args, shape, detail
        self.reach = frozenset((self,)).union(*(a.reach for a in args))

    def __repr__(self):
        inside = ", ".join([*map(repr, self.args), *([str(self.detail)] if self.detail != () else [])])
        return f"{self.name}({inside})"

    @property
    def is_static(self):
        """Whether this is a number that does not depend on the values of the arrays."""
        return self.name == "static" or (self.name == "negative" and self.args[0].is_static)


def broadcast(*shapes):
    """The shape of an elementwise operation."""
    rank = max(map(len, shapes))
    padded = [(*[S.One] * (rank - len(s)), *s) for s in shapes]
    return tuple(next((size for size in sizes if size != 1), S.One) for sizes in zip(*padded))


class Graph:
    """Operations by what they are; the builders normalise what is always right."""

    def __init__(self):
        self.table = {}
        self.symmetric = set()
        self.one = self.static(S.One)

    def make(self, name, args=(), shape=(), detail=()):
        key = (name, tuple(args), tuple(shape), detail)
        if key not in self.table:
            self.table[key] = Operation(len(self.table), *key)
        return self.table[key]

    # ------------------------------------------------------------------------------- elementwise

    def static(self, number):
        """A number made of numbers and sizes."""
        if number.as_coeff_Mul()[0].is_negative:
            return self.negative(self.static(-number))
        return self.make("static", detail=number)

    def number(self, number):
        return self.static(Integer(number))

    def value_of(self, a):
        """The SymPy number of a static operation."""
        return -self.value_of(a.args[0]) if a.name == "negative" else a.detail

    def negative(self, a):
        if a.name == "negative":
            return a.args[0]
        return a if a.name == "static" and a.detail == 0 else self.make("negative", (a,), a.shape)

    def add(self, *terms):
        statics = [self.value_of(t) for t in terms if t.is_static]
        kept = [t for t in terms if not t.is_static]
        if Add(*statics) != 0:
            kept.insert(0, self.static(Add(*statics)))
        if len(kept) < 2:
            return kept[0] if kept else self.static(S.Zero)
        signed = sorted(((t.args[0], True) if t.name == "negative" else (t, False) for t in kept), key=lambda p: p[1])
        args, signs = zip(*signed)
        return self.make("add", args, broadcast(*(a.shape for a in args)), signs)

    def times(self, *factors):
        sign = sum(f.name == "negative" for f in factors) % 2
        factors = [f.args[0] if f.name == "negative" else f for f in factors]
        number = Mul(*(f.detail for f in factors if f.is_static))
        kept = [f for f in factors if not f.is_static]
        if number == 0:
            return self.static(S.Zero)
        below = [f.args[1] for f in kept if self._is_reciprocal(f)]
        kept = [f for f in kept if not self._is_reciprocal(f) and not self._is_idle(f, kept)]
        above, divisor = number.as_numer_denom()
        if above == 1 and divisor != 1 and (kept or below):
            below.insert(0, self.static(divisor))
        elif number != 1:
            kept.insert(0, self.static(number))
        # Scalars meet first, then vectors: Python multiplies from left to right.
        kept.sort(key=lambda f: sum(size != 1 for size in f.shape))
        whole = self.one
        if len(kept) == 1:
            whole = kept[0]
        elif kept:
            whole = self.make("times", kept, broadcast(*(f.shape for f in kept)))
        if below:
            whole = self.divide(whole, self.times(*below))
        return self.negative(whole) if sign else whole

    def _is_reciprocal(self, a):
        return a.name == "divide" and a.args[0] is self.one and a.args[1].shape == ()

    def _is_idle(self, a, factors):
        """Whether ones meet another factor of their shape."""
        return a.name == "ones" and any(f.shape == a.shape and f.name != "ones" for f in factors)

    def divide(self, a, b):
        if b.name == "negative":
            return self.negative(self.divide(a, b.args[0]))
        if a.name == "negative":
            return self.negative(self.divide(a.args[0], b))
        if b is self.one:
            return a
        if a.is_static and b.is_static:
            return self.static(a.detail / b.detail)
        if a.name == "divide" and a.args[1].shape == b.shape == ():
            return self.divide(a.args[0], self.times(a.args[1], b))
        return self.make("divide", (a, b), broadcast(a.shape, b.shape))

    def power(self, base, exponent):
        """A power; small whole powers of arrays as products, which both libraries do faster."""
        if not exponent.is_static:
            return self.make("power", (base, exponent), broadcast(base.shape, exponent.shape))
        number = self.value_of(exponent)
        if base.is_static:
            return self.static(self.value_of(base) ** number)
        if number.could_extract_minus_sign():
            return self.divide(self.one, self.power(base, self.static(-number)))
        if number == 0 or number == 1:
            return base if number == 1 else self.one
        if number == S.Half:
            return self.function("sqrt", base)
        if base.shape and number in (3, 4):
            square = self.power(base, self.number(2))
            return self.times(base, square) if number == 3 else self.power(square, self.number(2))
        return self.make("power", (base, exponent), base.shape)

    def function(self, name, *args):
        return self.make("function", args, broadcast(*(a.shape for a in args)), name)

    # ------------------------------------------------------------------------------- arrangement

    def column(self, vector):
        """(n,) as (n, 1), which meets a matrix row by row."""
        if vector.name == "negative":
            return self.negative(self.column(vector.args[0]))
        return self.make("column", (vector,), (*vector.shape, S.One))

    def row(self, vector):
        return self.make("row", (vector,), (S.One, *vector.shape))

    def transpose(self, a):
        if len(a.shape) < 2 or a.name in ("eye", "diag") or a in self.symmetric:
            return a
        if a.name == "transpose":
            return a.args[0]
        if a.name == "negative":
            return self.negative(self.transpose(a.args[0]))
        if a.name in ELEMENTWISE and a.shape == broadcast(*(x.shape for x in a.args if len(x.shape) == 2)):
            turned = self.make(a.name, [self.turned(x) for x in a.args], a.shape[::-1], a.detail)
            return turned if _transposes(turned) <= _transposes(a) else self._transposed(a)
        if a.name == "matmul" and len(a.args[1].shape) == 2:
            return self.matmul(self.transpose(a.args[1]), self.transpose(a.args[0]))
        if a.name == "outer":
            return self.make("outer", a.args[::-1], a.shape[::-1])
        if a.name == "kron":
            turned = self.kron(*(self.transpose(x) for x in a.args))
            return turned if _transposes(turned) <= _transposes(a) else self._transposed(a)
        if a.name in ("kron_from_eye", "kron_with_eye"):
            return self.make(a.name, (self.transpose(a.args[0]),), a.shape[::-1], a.detail)
        if a.name == "inverse":
            (matrix,) = a.args[0].args if a.args[0].name == "factor" else a.args
            return a if self.transpose(matrix) is matrix else self._transposed(a)
        return self._transposed(a)

    def _transposed(self, a):
        return self.make("transpose", (a,), a.shape[::-1])

    def turned(self, a):
        """The transpose of an argument that broadcasts to a matrix."""
        if len(a.shape) == 1:
            return self.column(a)
        return a.args[0] if a.name == "column" else self.transpose(a)

    def reshape(self, a, shape):
        if a.name == "negative":
            return self.negative(self.reshape(a.args[0], shape))
        if a.name in ("reshape", "column"):
            a = a.args[0]
        return a if a.shape == tuple(shape) else self.make("reshape", (a,), shape)

    def swap(self, a, first, second):
        """Two axes exchanged, of arrays of three or four."""
        shape = list(a.shape)
        shape[first], shape[second] = shape[second], shape[first]
        return self.make("swap", (a,), shape, (first, second))

    def spread(self, a, shape):
        """An array that broadcasts to a shape, as one of that shape."""
        if a.shape == tuple(shape):
            return a
        if a.shape == ():
            if a.name == "static" and a.detail == 0:
                return self.make("zeros", (), shape)
            return self.make("ones", (), shape) if a is self.one else self.make("full", (a,), shape)
        if len(a.shape) == 2:
            return self.make("repeat_column", (self.reshape(a, a.shape[:1]),), shape)
        return self.make("repeat_row", (a,), shape)

    # ---------------------------------------------------------------------------- linear algebra

    def eye(self, size):
        return self.make("eye", (), (size, size))

    def diag(self, vector):
        if vector.name == "negative":
            return self.negative(self.diag(vector.args[0]))
        return self.make("diag", (vector,), vector.shape * 2)

    def sum(self, a, axis=None):
        """The sum over one axis or over all; of products of two vectors, their inner product."""
        if a.name == "negative":
            return self.negative(self.sum(a.args[0], axis))
        if axis is None and len(a.shape) == 2 and _transposes(turned := self.transpose(a)) < _transposes(a):
            a = turned
        if a.name == "times" and [len(x.shape) for x in a.args] == [1, 1]:
            return self.matmul(*a.args)
        if a.name == "power" and len(a.shape) == 1 and a.args[1] is self.number(2):
            return self.matmul(a.args[0], a.args[0])
        shape = () if axis is None else a.shape[:axis] + a.shape[axis + 1 :]
        return self.make("sum", (a,), shape, () if len(a.shape) == 1 or axis is None else axis)

    def outer(self, a, b):
        if a.name == "negative":
            return self.negative(self.outer(a.args[0], b))
        return self.make("outer", (a, b), a.shape + b.shape)

    def matmul(self, a, b):
        """The product of matrices and vectors, of a matrix and a stack of them; of vectors, the inner product."""
        if "negative" in (a.name, b.name):
            inside = [x.args[0] if x.name == "negative" else x for x in (a, b)]
            return self.matmul(*inside) if a.name == b.name else self.negative(self.matmul(*inside))
        if len(a.shape) == 1:
            if len(b.shape) == 2:
                return self.matmul(self.transpose(b), a)
            return self.make("matmul", sorted((a, b), key=lambda v: v.index), ())
        if len(b.shape) == 1:
            return self.make("matmul", (a, b), a.shape[:1])
        if len(b.shape) == 3:
            return self.make("matmul", (a, b), (b.shape[0], a.shape[0], b.shape[2]))
        # A product and its transpose are one operation: the one with fewer transposes, or the one that was first.
        twin = (self.transpose(b), self.transpose(a))
        shape = (a.shape[0], b.shape[1])
        own, other = (sum(f.name == "transpose" for f in pair) for pair in ((a, b), twin))
        known, twin_known = (("matmul", *key, ()) in self.table for key in (((a, b), shape), (twin, shape[::-1])))
        if other < own or (other == own and twin_known and not known):
            return self._transposed(self.make("matmul", twin, shape[::-1]))
        return self.make("matmul", (a, b), shape)

    def kron(self, *factors):
        whole = factors[0]
        for f in factors[1:]:
            shape = tuple(x * y for x, y in zip(whole.shape, f.shape))
            if len(shape) == 1:
                whole = self.reshape(self.outer(whole, f), shape)
            elif whole.name == "eye":
                whole = self.make("kron_from_eye", (f,), shape, whole.shape[0])
            elif f.name == "eye":
                whole = self.make("kron_with_eye", (whole,), shape, f.shape[0])
            else:
                whole = self.make("kron", (whole, f), shape)
        return whole

    def inverse(self, a):
        matrix, turned = self.untransposed(a)
        whole = self.make("inverse", (self.factor(matrix),), matrix.shape)
        return self.transpose(whole) if turned else whole

    def solve(self, a, right, transposed=False):
        """a^-1 right, or with transposed a'^-1 right."""
        if right.name == "negative":
            return self.negative(self.solve(a, right.args[0], transposed))
        matrix, turned = self.untransposed(a)
        turned = turned != transposed and self.transpose(matrix) is not matrix
        return self.make("solve", (self.factor(matrix), right), right.shape, turned)

    def factor(self, a):
        """The factorisation that the inverse and all solutions with a matrix rest on."""
        return self.make("factor", (a,), a.shape)

    def untransposed(self, a):
        return (a.args[0], True) if a.name == "transpose" else (a, False)


def _transposes(a):
    return sum(x.name == "transpose" for x in a.args)
