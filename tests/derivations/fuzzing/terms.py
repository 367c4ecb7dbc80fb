"""An expression as the parser has it, with the shapes of all parts; and a problem, what `derive` is asked of it.

A dimension is a tuple of size symbols: () is one, ("m",) is m and ("m", "n") is their product; a shape is a pair of
dimensions.
"""

from dataclasses import dataclass, replace

ONE = ()
SCALAR = (ONE, ONE)
SIZES = ("m", "n", "p", "q")


@dataclass(frozen=True)
class Term:
    """An operation as the parser has it, with its shape; a leaf may carry the text of what it means exactly."""

    op: str
    args: tuple = ()
    value: str | None = None
    shape: tuple = SCALAR

    def count(self):
        return 1 + sum(a.count() for a in self.args)


@dataclass
class Problem:
    """What `derive` is asked. `careless` where no care was taken that functions stay inside their domains."""

    term: Term
    variables: dict
    wrt: tuple
    order: int = 1
    layout: str = "denominator"
    structure: str | None = None
    careless: bool = False

    @property
    def text(self):
        return render(self.term)

    def arguments(self):
        """The keyword arguments of derive."""
        wrt = self.wrt if len(set(self.wrt)) > 1 else self.wrt[0]
        return {
            "wrt": wrt,
            "variables": {n: declaration(*v) for n, v in self.variables.items()},
            "order": self.order,
            "layout": self.layout,
            "structure": self.structure,
        }


def declaration(shape, properties):
    """A shape as the corpus writes it."""
    kind = "scalar" if shape == SCALAR else "vector" if shape[1] == ONE else "matrix"
    sizes = {"scalar": (), "vector": shape[:1], "matrix": shape}[kind]
    return {"kind": kind, "shape": [size_text(s) for s in sizes], "props": list(properties)}


def size_text(dimension):
    return "*".join(dimension) or "1"


# ----------------------------------------------------------------------------------------- writing

SUM, TERM, UNARY, POWER, ATOM = range(5)
OPERATORS = {"+": SUM, "-": SUM, "*": TERM, "/": TERM, ".*": TERM, "./": TERM}


def render(term, level=SUM):
    """The text with no more parentheses than the grammar needs."""
    own, text = _form(term)
    return f"({text})" if own < level else text


def _form(t):
    if t.op in OPERATORS:
        own = OPERATORS[t.op]
        left, right = render(t.args[0], own), render(t.args[1], own + 1)
        space = " " if t.op in ("+", "-", ".*", "./") else ""
        return own, f"{left}{space}{t.op}{space}{right}"
    if t.op == "neg":
        return UNARY, f"-{render(t.args[0], UNARY)}"
    if t.op == "'":
        return POWER, f"{render(t.args[0], POWER)}'"
    if t.op in ("^", ".^"):
        base, exponent = t.args
        negative = exponent.op == "neg" and _form(exponent.args[0])[0] == ATOM
        return POWER, f"{render(base, POWER)}{t.op}{render(exponent, SUM if negative else ATOM)}"
    if t.op == "call":
        return ATOM, f"{t.value}({', '.join(render(a) for a in t.args)})"
    return ATOM, t.value


# ------------------------------------------------------------------------------------------ making


def kind_of(shape):
    return "scalar" if shape == SCALAR else "column" if shape[1] == ONE else "matrix"


def number(text):
    if text.startswith("-"):
        return Term("neg", (number(text[1:]),))
    return Term("name" if text == "pi" else "number", (), text)


def size_of(dimension):
    """A size as an argument of eye, ones, zeros and comm."""
    found = None
    for s in dimension or ("1",):
        leaf = Term("number" if s == "1" else "name", (), s)
        found = leaf if found is None else Term("*", (found, leaf))
    return found


def transposed(term):
    return term.args[0] if term.op == "'" else Term("'", (term,), None, term.shape[::-1])


def explicit(term):
    """The term with all sizes written."""
    if term.op == "name" and term.value == "eye":
        return Term("call", (size_of(term.shape[0]),), "eye", term.shape)
    args = tuple(map(explicit, term.args))
    if term.op == "call" and term.value in ("vector", "matrix"):
        ones = Term("call", tuple(map(size_of, term.shape)), "ones", term.shape)
        return Term("*", (*args, ones), None, term.shape)
    if term.op == "call" and term.value in SIZED:
        return term
    return replace(term, args=args)


# Functions whose arguments are sizes.
SIZED = ("eye", "ones", "zeros", "comm")


def names_of_variables(term):
    """The names that stand for variables, not for sizes."""
    if term.op == "call" and term.value in SIZED:
        return []
    found = [term.value] if term.op == "name" and term.value not in ("eye", "pi") else []
    for a in term.args:
        found += [n for n in names_of_variables(a) if n not in found]
    return found
