"""Random problems over the whole grammar: an expression, declared variables, and what is asked of it.

Every choice is made by a function `choose` that takes a list, so that hypothesis or a seeded generator can make it;
the first members of the lists are the simplest.
"""

from dataclasses import dataclass, field, replace

from tests.derivations.fuzzing.terms import (
    ONE,
    SCALAR,
    SIZES,
    Problem,
    Term,
    kind_of,
    names_of_variables,
    number,
    size_of,
    transposed,
)

# --------------------------------------------------------------------------------------- the grammar

# Kinds of parts: "" any, "+" positive entries, "!" invertible, "^" positive definite, "~" entries in (-1, 1),
# "%" of full rank. A part is a kind and a shape in letters: r and c are the sizes of the whole, k and l are chosen,
# 1 is one. After a slash stand numbers to choose from.
ELEMENTWISE = {
    "": "sin cos tanh abs sign relu step sigmoid softplus erf normcdf normpdf arctan exp sinh cosh tan",
    "+": "log sqrt",
    "~": "arcsin arccos",
}
ANYWHERE = [
    ("+", None, "rc rc"),
    ("-", None, "rc rc"),
    ("*", None, "11 rc"),
    ("neg", None, "rc"),
    (".*", None, "rc rc"),
    ("*", None, "rk kc"),
    ("*", None, "rk kc"),
    ("*", None, "rk kc"),
    ("./", None, "rc +rc"),
    ("/", None, "rc +11"),
    ("'", None, "cr"),
    (".^", None, "rc /2/3"),
    (".^", None, "+rc /-1/-2/0.5/1.5/-0.5"),
    (".*", None, "11 rc"),
    (".*", None, "rc 11"),
    ("./", None, "11 +rc"),
    ("./", None, "rc +11"),
    (".^", None, "+rc 11"),
    (".^", None, "+rc rc"),
    (".^", None, "+11 rc"),
    ("call", "max", "rc rc"),
    ("call", "min", "rc rc"),
    ("call", "max", "rc 11"),
    ("call", "min", "rc /0/1"),
    ("call", "huber", "rc /1/0.5"),
    ("call", "clip", "rc /-1/-0.5 /1/0.5"),
    ("call", "huber", "rc +11"),
    ("call", "softmax", "rc"),
    ("call", "logsoftmax", "rc"),
    ("call", "softmax_rows", "rc"),
    ("call", "logsoftmax_rows", "rc"),
    ("call", "pinv", "%cr"),
    *(("call", name, f"{kind}rc") for kind, names in ELEMENTWISE.items() for name in names.split()),
]
TO_SCALAR = [
    ("call", "sum", "kl"),
    ("*", None, "1k k1"),
    ("call", "tr", "kk"),
    ("^", None, "11 /2/3"),
    ("call", "norm2", "kl"),
    ("call", "logdet", "^kk"),
    ("call", "det", "kk"),
    ("call", "mean", "kl"),
    ("call", "norm1", "kl"),
    ("call", "logsumexp", "k1"),
    ("call", "logsumexp", "kl"),
    ("call", "norm_nuc", "%kl"),
    ("call", "lambda_max", "kk"),
    ("call", "rows", "kl"),
    ("call", "cols", "kl"),
    ("^", None, "+11 /-1/-2/0.5/1.5/-0.5"),
    ("^", None, "+11 11"),
]
SQUARE = [
    ("call", "inv", "!rr"),
    ("^", None, "rr /2/3"),
    ("call", "diag", "r1"),
    ("^", None, "!rr /-1/-2"),
    ("call", "adj", "!rr"),
    ("call", "expm", "rr"),
    ("call", "logm", "^rr"),
    ("call", "sqrtm", "^rr"),
    ("call", "sinm", "rr"),
    ("call", "cosm", "rr"),
]
COLUMN = [("call", "diag", "rr"), ("call", "vmax", "rr")]
GROWING = {"exp", "sinh", "cosh", "expm", ".^", "tan"}
POSITIVE = ("exp softplus sigmoid normcdf normpdf cosh", "positive unit_interval prob".split())
# Properties of new variables; the empty one stands several times.
PROPERTIES = {
    "scalar": [(), (), (), (), ("positive",), ("unit_interval",), ("small",), ("integer",)],
    "column": [(), (), (), (), (), ("positive",), ("prob",), ("unit_interval",), ("small",), ("binary",), ("pm1",)],
    "matrix": [*((),) * 6, ("positive",), ("unit_interval",), ("small",), ("binary",), ("pm1",), ("onehot_rows",)],
    "square": [
        *((),) * 4,
        *((p,) for p in "symmetric positive_definite diagonal invertible orthogonal posdet".split()),
    ],
}
NAMES = {
    "scalar": [*"stcbgh", *(f"s{i}" for i in range(1, 99))],
    "column": [*"xyzuvwad", *(f"v{i}" for i in range(1, 99))],
    "matrix": [*"XABCYZUVWMS", *(f"A{i}" for i in range(1, 99))],
}


@dataclass
class Generator:
    """Grows one problem; `favourite` is the variable of differentiation, taken wherever it fits."""

    choose: object
    variables: dict = field(default_factory=dict)
    favourite: str | None = None
    budget: int = 30
    careless: bool = False

    def chance(self, percent):
        """True as often as that; the simplest choice is False."""
        return self.choose(range(100)) >= 100 - percent

    # --------------------------------------------------------------------------------- leaves

    def new_variable(self, shape, properties=None):
        kind = kind_of(shape)
        name = next(n for n in NAMES[kind] if n not in self.variables)
        if properties is None:
            square = kind == "matrix" and shape[0] == shape[1] and self.choose((0, 1))
            properties = self.choose(PROPERTIES["square" if square else kind])
        self.variables[name] = (shape, tuple(properties))
        return self.variable(name)

    def variable(self, name):
        return Term("name", (), name, self.variables[name][0])

    def leaf(self, shape):
        if self.favourite and self.choose((0, 0, 0, 1)) == 0:
            own = self.variables[self.favourite][0]
            if own == shape:
                return self.variable(self.favourite)
            if own[::-1] == shape:
                return transposed(self.variable(self.favourite))
        known = [n for n, (s, _) in self.variables.items() if s == shape]
        turned = [n for n, (s, _) in self.variables.items() if s[::-1] == shape and shape != shape[::-1]]
        what = self.choose(["known", "new", "known", "turned", "known", "new", "turned", "constant"])
        if what == "known" and known:
            return self.variable(self.choose(known))
        if what == "turned" and turned:
            return transposed(self.variable(self.choose(turned)))
        if what == "constant":
            return self.constant(shape)
        if shape[0] == ONE != shape[1]:
            return transposed(self.new_variable(shape[::-1]))
        return self.new_variable(shape)

    def constant(self, shape):
        if shape == SCALAR:
            chosen = self.choose(["2", "1", "3", "0.5", "pi", "1e-1"])
            # Not pi alone: tan(pi) is a kink of many functions.
            return Term("/", (number("pi"), number("3"))) if chosen == "pi" else number(chosen)
        rows, columns = shape
        forms = ["ones", "ones", "vector" if columns == ONE else "matrix"] + ["zeros"] * self.chance(30)
        if rows == ONE:
            # Nothing says that matrix(1) is a row.
            forms = ["ones"]
        if rows == columns:
            forms = ["eye", "eye", "eyen", *forms] + (["comm"] if len(rows) == 2 else [])
        form = self.choose(forms)
        if form == "eye":
            return Term("name", (), "eye", shape)
        if form == "eyen":
            return Term("call", (size_of(rows),), "eye", shape)
        if form == "comm":
            return Term("call", tuple(size_of((s,)) for s in rows), "comm", shape)
        if form in ("vector", "matrix"):
            return Term("call", (number(self.choose(["1", "2", "0.5"])),), form, shape)
        sizes = (size_of(rows),) if columns == ONE and self.choose((0, 1)) else tuple(map(size_of, shape))
        return Term("call", sizes, form, shape)

    # ------------------------------------------------------------------------------ branches

    def grow(self, shape, depth, kind="", damped=False, root=False):
        """A random term of a shape. damped: inside an exponential, so that no other comes."""
        self.budget -= 1
        if kind and not self.careless:
            return getattr(self, KINDS[kind])(shape, depth, damped)
        if depth <= 0 or self.budget <= 0 or (not root and self.chance(12)):
            return self.leaf(shape)
        rows, columns = shape
        forms = list(ANYWHERE)
        if shape == SCALAR:
            forms = forms[:1] + TO_SCALAR * 3 + forms[1:]
        elif rows == columns:
            forms += SQUARE * 2
        elif columns == ONE:
            forms += COLUMN * 2 + [("vec", None, "")] * (4 * (len(rows) == 2))
        if len(rows) + len(columns) > 1 and 2 in (len(rows), len(columns)):
            forms += [("kron", None, "")] * 12
        form = self.choose(forms)
        if damped and GROWING & {form[0], form[1]}:
            return self.leaf(shape)
        return self.branch(form, shape, depth - 1, damped)

    def branch(self, form, shape, depth, damped):
        op, value, pattern = form
        rows, columns = shape
        if op == "kron":
            halves = [self.halves(d) for d in shape]
            parts = [(halves[0][i], halves[1][i]) for i in (0, 1)]
            return Term("call", tuple(self.grow(p, depth, "", damped) for p in parts), "kron", shape)
        if op == "vec":
            matrix = self.choose([((rows[0],), (rows[1],)), ((rows[1],), (rows[0],))])
            return Term("call", (self.grow(matrix, depth, "", damped),), "vec", shape)
        damped = damped or value in GROWING or op == ".^"
        inner = {"r": rows, "c": columns, "1": ONE}
        args = []
        for part in pattern.split():
            if part.startswith("/"):
                args.append(number(self.choose(part[1:].split("/"))))
                continue
            kind, letters = part[:-2], part[-2:]
            for letter in letters:
                if letter not in inner:
                    inner[letter] = self.dimension(op, value, letters)
            args.append(self.grow(tuple(inner[x] for x in letters), depth, kind, damped))
        return Term(op, tuple(args), value, shape)

    def dimension(self, op, value, letters):
        """A size for a letter that the whole does not determine."""
        products = value in ("sum", "tr", "norm2", "norm1", "mean") and self.chance(12)
        if products:
            return self.choose([("m", "n"), ("n", "p"), ("m", "p")])
        one = () if letters == "kk" or (op == "*" and letters == "1k") else (ONE,)
        # The sizes of the variable of differentiation, so that it fits.
        own = [d for d in self.variables[self.favourite][0] if len(d) == 1] if self.favourite else []
        return self.choose([*own, *((s,) for s in SIZES[:3]), *one])

    def halves(self, dimension):
        """A dimension as the product of two."""
        if len(dimension) == 2:
            return self.choose([((dimension[0],), (dimension[1],)), ((dimension[1],), (dimension[0],))])
        return self.choose([(dimension, ONE), (ONE, dimension)])

    # ------------------------------------------------------------------------- with properties

    def positive(self, shape, depth, damped):
        if depth <= 0 or self.choose((0, 1, 2)) == 0:
            if shape == SCALAR and self.choose((0, 1)):
                return number(self.choose(["2", "3", "0.5"]))
            known = [n for n, (s, p) in self.variables.items() if s == shape and p and p[0] in POSITIVE[1]]
            if known and self.choose((0, 1)):
                return self.variable(self.choose(known))
            turn = shape[0] == ONE != shape[1]
            kinds = [p for p in POSITIVE[1] if p != "prob" or kind_of(shape) == "column"]
            new = self.new_variable(shape[::-1] if turn else shape, (self.choose(kinds),))
            return transposed(new) if turn else new
        name = self.choose(["square", "square", "softmax", *POSITIVE[0].split(), "product"])
        if name == "product":
            return Term(
                self.choose([".*", "+"]), tuple(self.positive(shape, depth - 1, damped) for _ in "ab"), None, shape
            )
        if damped and name in GROWING:
            name = "softplus"
        inside = self.grow(shape, depth - 1, "", damped or name in GROWING)
        if name != "square":
            return Term("call", (inside,), name, shape)
        one = number("1") if shape == SCALAR else Term("call", tuple(map(size_of, shape)), "ones", shape)
        return Term("+", (Term(".^", (inside, number("2")), None, shape), one), None, shape)

    def bounded(self, shape, depth, damped):
        """Entries in (-1, 1)."""
        if shape == SCALAR and self.chance(20):
            return number(self.choose(["0.5", "0.25"]))
        if depth <= 0:
            turn = shape[0] == ONE != shape[1]
            new = self.new_variable(shape[::-1] if turn else shape, ("unit_interval",))
            return transposed(new) if turn else new
        inside = self.grow(shape, depth - 1, "", damped)
        name = self.choose(["tanh", "sigmoid", "erf", "sin"])
        call = Term("call", (inside,), name, shape)
        return Term("*", (number("0.5"), call), None, shape) if name == "sin" else call

    def definite(self, shape, depth, damped):
        if shape == SCALAR:
            return self.positive(shape, depth, damped)
        n = shape[0]
        if depth <= 0 or self.choose((0, 1, 2)) == 0:
            known = [v for v, (s, p) in self.variables.items() if s == shape and p == ("positive_definite",)]
            if known and self.choose((0, 1)):
                return self.variable(self.choose(known))
            return self.new_variable(shape, ("positive_definite",))
        name = self.choose(["gram", "gram", "gram", "diag", "sum", "inv"])
        if name == "diag":
            return Term("call", (self.positive((n, ONE), depth - 1, damped),), "diag", shape)
        if name == "sum":
            parts = (self.definite(shape, depth - 1, damped), self.definite(shape, depth - 1, damped))
            return Term("+", parts, None, shape)
        if name == "inv":
            return Term("call", (self.definite(shape, depth - 1, damped),), "inv", shape)
        k = self.choose([(s,) for s in SIZES[:3]] + [ONE])
        part = self.grow((k, n), depth - 2, "", damped)
        gram = Term("*", (transposed(part), part), None, shape)
        eye = Term("name", (), "eye", shape)
        if self.choose((0, 1)):
            eye = Term("*", (self.positive(SCALAR, 0, damped), eye), None, shape)
        return Term("+", (gram, eye), None, shape)

    def invertible(self, shape, depth, damped):
        if shape == SCALAR or self.choose((0, 1, 2)) == 0:
            return self.definite(shape, depth, damped)
        if depth <= 0 or self.choose((0, 1)) == 0:
            properties = ("invertible", "posdet", "orthogonal", None)
            chosen = self.choose(properties)
            if chosen is None:
                return self.leaf_of(shape)
            return self.new_variable(shape, (chosen,))
        if self.choose((0, 1)):
            parts = tuple(self.invertible(shape, depth - 1, damped) for _ in "ab")
            return Term("*", parts, None, shape)
        return transposed(self.invertible(shape, depth - 1, damped))

    def leaf_of(self, shape):
        """The favourite variable if it fits and is generic, or a new one without properties."""
        if self.favourite and self.variables[self.favourite] == (shape, ()):
            return self.variable(self.favourite)
        turn = shape[0] == ONE != shape[1]
        new = self.new_variable(shape[::-1] if turn else shape, ())
        return transposed(new) if turn else new

    def full_rank(self, shape, depth, damped):
        if shape == SCALAR:
            return self.positive(shape, depth, damped)
        what = self.choose(["leaf", "leaf", "sum", "product", "any"])
        if depth <= 0 or what == "leaf":
            return self.leaf_of(shape)
        if what == "any":
            return self.grow(shape, depth - 1, "", damped)
        if what == "sum":
            return Term("+", (self.leaf_of(shape), self.grow(shape, depth - 1, "", damped)), None, shape)
        if shape[0] == ONE:
            return self.leaf_of(shape)
        return Term("*", (self.invertible((shape[0],) * 2, depth - 1, damped), self.leaf_of(shape)), None, shape)


KINDS = {"+": "positive", "~": "bounded", "^": "definite", "!": "invertible", "%": "full_rank"}


# ------------------------------------------------------------------------------------------- problems

SHAPES = [
    *[SCALAR] * 8,
    *[(("n",), ONE)] * 3,
    *[(("m",), ("n",)), (("n",), ("n",)), (("n",), ("m",))],
    (ONE, ("n",)),
    (("m", "n"), ONE),
    (("m", "n"), ("n", "p")),
]
VARIABLES = [
    (("n",), ONE),
    (("m",), ("n",)),
    (("n",), ("n",)),
    SCALAR,
    (("n",), ("m",)),
    (("m",), ONE),
    (("m",), ("p",)),
]


def problem(choose, depth=6):
    """A random problem whose expression has at most this depth."""
    generator = Generator(choose)
    generator.careless = generator.chance(6)
    shape = choose(SHAPES)
    own = choose(VARIABLES)
    properties = () if own == SCALAR and choose((0, 0, 1)) else None
    generator.favourite = generator.new_variable(own, properties).value
    if generator.variables[generator.favourite] == (SCALAR, ("integer",)):
        generator.variables[generator.favourite] = (SCALAR, ())
    term = generator.grow(shape, choose(range(1, depth + 1)), root=True)
    used = names_of_variables(term)
    # There is no derivative by an integer.
    smooth = [n for n in used if generator.variables[n] != (SCALAR, ("integer",))]
    if not smooth:
        # Something must occur: a product with a scalar function of it never fits wrongly.
        part = Term("call", (generator.variable(generator.favourite),), "sum")
        term = Term("*", (part, term), None, shape)
        used, smooth = names_of_variables(term), [generator.favourite]
    wrt = generator.favourite if generator.favourite in used and choose((0, 0, 0, 1)) == 0 else choose(smooth)
    variables = {n: generator.variables[n] for n in used}
    found = Problem(term, variables, (wrt,), careless=generator.careless)
    if term.shape == SCALAR and generator.chance(25):
        second = choose(smooth) if generator.chance(35) else wrt
        return replace(found, order=2, wrt=(wrt, second))
    if generator.chance(15):
        found = replace(found, layout="numerator")
    square = variables[wrt][0][0] == variables[wrt][0][1] != ONE
    if term.shape == SCALAR and square and found.layout == "denominator" and generator.chance(25):
        found = replace(found, structure=choose(("symmetric", "diagonal")))
    return found
