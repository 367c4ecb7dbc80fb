"""Source code out: a numpy or torch function that computes the result of a derivation.

Scalars are 0-D, vectors (and rows) 1-D, matrices 2-D inside the function; a variable declared as a
1 x n matrix comes in, and such a result goes out, as 2-D. Shared subexpressions are computed once.
"""

import keyword
import linecache
import re
from collections import Counter
from itertools import count

from sympy import Add, And, Contains, Mul, Pow, S, Symbol, factorial, log
from sympy.core.relational import Relational

from derivations.elementwise import SLOTS, Apply, Diag, DiagonalOf, Hadamard, Softmax
from derivations.errors import UnsupportedError
from derivations.expressions import (
    EntrySum,
    Identity,
    Inner,
    Inverse,
    LossGradient,
    Ones,
    Power,
    Product,
    Scale,
    Sum,
    Transpose,
    Variable,
    Zero,
    is_matrix,
    settled,
    shape_of,
)
from derivations.notation.inference import FUNCTION_NAMES
from derivations.notation.text import is_negative, negated
from derivations.scalars import Det, LogDet, LogSumExp, Norm, Trace

SUM, TERM, POWER, ATOM = range(4)

# What each library calls things; {0} and {1} are arguments, {like} a variable that carries dtype and device.
SAME_NAME = [
    "exp",
    "log",
    "sin",
    "cos",
    "tan",
    "arcsin",
    "arccos",
    "arctan",
    "sinh",
    "cosh",
    "tanh",
    "abs",
    "sign",
    "sqrt",
]
LIBRARIES = {
    "numpy": {
        "import": "import numpy as np",
        **{name: f"np.{name}({{0}})" for name in SAME_NAME},
        "erf": "np.vectorize(math.erf)({0})",
        "factorial": "np.vectorize(math.gamma)(({0}) + 1.0)",
        "lgamma": "np.vectorize(math.lgamma)(({0}) + 1.0)",
        "normcdf": "0.5 * (1 + np.vectorize(math.erf)(np.sqrt(0.5) * ({0})))",
        "normpdf": "np.exp(-0.5 * ({0}) ** 2) / np.sqrt(2 * np.pi)",
        "sigmoid": "np.exp(-np.logaddexp(0, -({0})))",
        "softplus": "np.logaddexp(0, {0})",
        "relu": "np.maximum({0}, 0)",
        "step": "np.heaviside({0}, 0.0)",
        "eye": "np.eye({0})",
        "ones": "np.ones({0})",
        "zeros": "np.zeros({0})",
        "outer": "np.outer({0}, {1})",
        "trace": "np.trace({0})",
        "det": "np.linalg.det({0})",
        "logdet": "np.log(np.linalg.det({0}))",
        "inv": "np.linalg.inv({0})",
        "matrix_power": "np.linalg.matrix_power({0}, int({1}))",
        "norm": "np.linalg.norm({0})",
        "diag": "np.diag({0})",
        "diagonal": "np.diagonal({0})",
        "logsumexp": "np.logaddexp.reduce({0}, axis=None)",
        "softmax": "np.exp({0} - np.logaddexp.reduce({0}, axis=None))",
        "number": "{0}",
        "pi": "np.pi",
    },
    "torch": {
        "import": "import torch",
        **{name: f"torch.{name}({{0}})" for name in SAME_NAME},
        "erf": "torch.erf({0})",
        "factorial": "torch.exp(torch.lgamma(({0}) + 1))",
        "lgamma": "torch.lgamma(({0}) + 1)",
        "normcdf": "torch.special.ndtr({0})",
        "normpdf": "torch.exp(-0.5 * ({0}) ** 2) / math.sqrt(2 * math.pi)",
        "sigmoid": "torch.sigmoid({0})",
        "softplus": "torch.logaddexp({0}, torch.zeros_like({0}))",
        "relu": "torch.relu({0})",
        "step": "(({0}) > 0).to({like}.dtype)",
        "eye": "torch.eye({0}, dtype={like}.dtype, device={like}.device)",
        "ones": "torch.ones({0}, dtype={like}.dtype, device={like}.device)",
        "zeros": "torch.zeros({0}, dtype={like}.dtype, device={like}.device)",
        "outer": "torch.outer({0}, {1})",
        "trace": "torch.trace({0})",
        "det": "torch.linalg.det({0})",
        "logdet": "torch.logdet({0})",
        "inv": "torch.linalg.inv({0})",
        "matrix_power": "torch.linalg.matrix_power({0}, int({1}))",
        "norm": "torch.linalg.norm({0})",
        "diag": "torch.diag({0})",
        "diagonal": "torch.diagonal({0})",
        "logsumexp": "torch.logsumexp(({0}).reshape(-1), 0)",
        "softmax": "torch.softmax(({0}).reshape(-1), 0).reshape(({0}).shape)",
        "number": "torch.as_tensor({0}, dtype={like}.dtype, device={like}.device)",
        "pi": "math.pi",
    },
}
UNARY = {
    Trace: "trace",
    Det: "det",
    LogDet: "logdet",
    Norm: "norm",
    Inverse: "inv",
    Diag: "diag",
    DiagonalOf: "diagonal",
    LogSumExp: "logsumexp",
    Softmax: "softmax",
}


def write(derivation, library="numpy", name="derivative"):
    """Source of `def derivative(*, A, x): …` with its imports."""
    if library not in LIBRARIES:
        raise UnsupportedError(f"no code for {library!r}; expected one of {', '.join(LIBRARIES)}")
    result = derivation.result
    for symbol, defined in reversed(derivation.definitions):
        result = result.xreplace({symbol: defined})
    defined = {symbol for symbol, _ in derivation.definitions}
    variables = tuple(v for v in derivation.variables if v not in defined)
    return Emitter(result, variables, LIBRARIES[library]).source(name)


def function(derivation, library="numpy"):
    """The callable; its source is visible to inspect and to tracebacks."""
    source = write(derivation, library)
    filename = f"<derivation {hash(source):x}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    scope = {}
    exec(compile(source, filename, "exec"), scope)
    return scope["derivative"]


class Emitter:
    def __init__(self, result, variables, names):
        self.result, self.names = result, names
        self.variables = variables
        self.identifiers = {v: identifier(v.name) for v in variables}
        self.parameters = tuple(self.identifiers.values())
        self.identifiers.update({settled(v): identifier(v.name) for v in variables})
        self.uses = Counter()
        self.temporaries, self.lines = {}, []
        sizes = {str(s) for s in _sizes(result)}
        self.taken = {*self.identifiers.values(), *sizes, *(f"size_{s}" for s in sizes)}
        self.count(result)

    def count(self, e):
        self.uses[e] += 1
        if self.uses[e] == 1:
            for a in e.args:
                self.count(a)

    def source(self, name):
        result = self.emit(self.result)
        if not is_matrix(self.result) and not self.depends(self.result):
            result = self.call("number", result)[1]
        rows, columns = shape_of(self.result)
        if rows == 1 and columns != 1:
            result = f"({result})[None, :]"
        body = [*self.prologue(), *self.lines, f"return {result}"]
        text = "\n".join(f"    {line}" for line in body)
        imports = [self.names["import"]] + (["import math"] if "math." in text else [])
        gradients = [gradient_name(g) for g in loss_gradients(self.result)]
        signature = ", ".join([*self.parameters, *gradients])
        return "\n".join(sorted(imports)) + f"\n\n\ndef {name}({'*, ' if signature else ''}{signature}):\n{text}\n"

    def prologue(self):
        """Rows become 1-D; the sizes that the result needs are read off the arguments."""
        sizes = sorted((s for s in _sizes(self.result) if s not in self.variables), key=str)
        for size in sizes:
            holder, axis = next(
                ((v, i) for v in self.variables if is_matrix(v) for i in (0, 1) if v.shape[i] == size), (None, 0)
            )
            if holder is None:
                raise UnsupportedError(f"the result needs the size {size}, which no variable has")
            yield f"{self.size(size)} = {self.identifiers[holder]}.shape[{axis}]"
        for v in self.variables:
            if is_matrix(v) and v.shape[0] == 1:
                yield f"{self.identifiers[v]} = {self.identifiers[v]}[0]"

    def size(self, size):
        taken = set(self.identifiers.values())
        return str(size) if str(size) not in taken else f"size_{size}"

    def call(self, name, *args):
        """The library's form of a function, and its precedence."""
        template = self.names[name]
        like = next(iter(self.identifiers.values()), "torch.zeros((), dtype=torch.float64)")
        # A template with an operator outside of its arguments is a sum for all that stands around it.
        level = SUM if re.search(r"\) [-+*/]|[\d.] [-+*/]", template) else ATOM
        return level, template.format(*args, like=like)

    def emit(self, e, level=SUM):
        if e in self.temporaries:
            return self.temporaries[e]
        own, text = self.form(e)
        if self.uses[e] > 1 and e.args and not isinstance(e, (Variable, Transpose)) and not e.is_number:
            name = next(n for n in (f"t{i}" for i in count(1)) if n not in self.taken)
            self.taken.add(name)
            self.temporaries[e] = name
            self.lines.append(f"{name} = {text}")
            return name
        return f"({text})" if own < level else text

    def form(self, e):
        kind = type(e)
        if kind is log and isinstance(e.args[0], factorial):
            return self.call("lgamma", self.emit(e.args[0].args[0]))
        if e.is_number and not is_matrix(e) and not e.is_Rational and e != S.Pi:
            return ATOM, repr(float(e))
        if kind in UNARY:
            return self.call(UNARY[kind], self.emit(e.args[0]))
        if kind in FORMS:
            return FORMS[kind](self, e)
        if isinstance(e, Relational):
            return SUM, f"({self.emit(e.lhs)}) {e.rel_op} ({self.emit(e.rhs)})"
        if e == S.Pi:
            return ATOM, self.names["pi"]
        if e.is_Number:
            return (ATOM, str(e)) if e.is_Integer and e >= 0 else (SUM, str(e) if e.is_Integer else f"{e.p} / {e.q}")
        if kind in FUNCTION_NAMES:
            args = [self.emit(a) for a in e.args]
            return self.call(FUNCTION_NAMES[kind], *(a if self.depends(e) else self.call("number", a)[1] for a in args))
        raise UnsupportedError(f"no code for {kind.__name__}")

    def depends(self, e):
        """Whether an expression has variables in it, and not sizes and numbers only."""
        return e in self.identifiers or isinstance(e, LossGradient) or any(self.depends(a) for a in e.args)

    def symbol(self, e):
        return ATOM, self.identifiers[e] if e in self.identifiers else self.size(e)

    def add(self, e):
        first, *others = sorted(e.args, key=is_negative)
        text = self.emit(first) if is_negative(first) else self.emit(first, TERM)
        for t in others:
            text += f" - {self.emit(negated(t), TERM)}" if is_negative(t) else f" + {self.emit(t, TERM)}"
        return SUM, text

    def mul(self, e):
        if is_negative(e):
            return SUM, f"-{self.emit(negated(e), TERM)}"
        return TERM, " * ".join(self.emit(f, POWER) for f in e.args)

    def pow(self, e):
        if e.exp == S.Half:
            return self.call("sqrt", self.emit(e.base))
        if e.exp == -1:
            return TERM, f"1 / {self.emit(e.base, POWER)}"
        return POWER, f"{self.emit(e.base, ATOM)} ** {self.emit(e.exp, ATOM)}"

    def identity(self, e):
        return self.call("eye", self.emit(e.shape[0]))

    def filled(self, e):
        shape = [self.emit(s) for s in e.shape if s != 1]
        return self.call("ones" if isinstance(e, Ones) else "zeros", f"({', '.join(shape)},)")

    def scale(self, e):
        scalar, matrix = e.args
        if is_negative(e):
            return SUM, f"-{self.emit(negated(e), TERM)}"
        return TERM, f"{self.emit(scalar, POWER)} * {self.emit(matrix, POWER)}"

    def product(self, e):
        factors = list(e.args)
        border = next((i + 1 for i in range(len(factors) - 1) if factors[i].shape[1] == 1), None)
        if border is None:
            return self.chain(factors)
        return self.call("outer", self.chain(factors[:border])[1], self.chain(factors[border:])[1])

    def chain(self, factors):
        """A product of matrices without an outer product, in the order that keeps vectors vectors."""
        texts = [self.emit(f, ATOM) for f in factors]
        if len(texts) == 1:
            return ATOM, texts[0]
        if factors[-1].shape[1] == 1 and factors[0].shape[0] != 1:
            text = f"{texts[-2]} @ {texts[-1]}"
            for t in reversed(texts[:-2]):
                text = f"{t} @ ({text})"
            return TERM, text
        return TERM, " @ ".join(texts)

    def transpose(self, e):
        text = self.emit(e.args[0], ATOM)
        return ATOM, text if 1 in e.shape else f"{text}.T"

    def power(self, e):
        return self.call("matrix_power", self.emit(e.args[0]), self.emit(e.args[1]))

    def apply(self, e):
        function, matrices = e.args[0], e.args[1:]
        slots = dict(zip(SLOTS, matrices))
        if isinstance(function, Pow):
            base, exponent = (slots.get(a, a) for a in function.args)
            if exponent == S.Half:
                return self.call("sqrt", self.emit(base))
            return POWER, f"{self.emit(base, ATOM)} ** {self.emit(exponent, ATOM)}"
        if type(function) not in FUNCTION_NAMES:
            raise UnsupportedError(f"no code for the elementwise function {function}")
        return self.call(FUNCTION_NAMES[type(function)], *(self.emit(slots.get(a, a)) for a in function.args))

    def hadamard(self, e):
        return TERM, " * ".join(self.emit(f, POWER) for f in e.args)

    def loss_gradient(self, e):
        return ATOM, gradient_name(e)

    def conjunction(self, e):
        return SUM, " & ".join(f"({self.emit(a)})" for a in e.args)

    def membership(self, e):
        return SUM, " | ".join(f"({self.emit(e.args[0], ATOM)} == {self.emit(v)})" for v in sorted(e.args[1].args))

    def entry_sum(self, e):
        return ATOM, f"{self.emit(e.args[0], ATOM)}.sum()"


FORMS = {
    Symbol: Emitter.symbol,
    Variable: Emitter.symbol,
    Add: Emitter.add,
    Sum: Emitter.add,
    Mul: Emitter.mul,
    Pow: Emitter.pow,
    Identity: Emitter.identity,
    Ones: Emitter.filled,
    Zero: Emitter.filled,
    Scale: Emitter.scale,
    Product: Emitter.product,
    Inner: Emitter.product,
    Transpose: Emitter.transpose,
    Power: Emitter.power,
    Apply: Emitter.apply,
    Hadamard: Emitter.hadamard,
    EntrySum: Emitter.entry_sum,
    LossGradient: Emitter.loss_gradient,
    And: Emitter.conjunction,
    Contains: Emitter.membership,
}


def loss_gradients(result):
    """The gradients of unspecified losses that the code takes as arguments, such as grad_L."""
    return sorted(result.atoms(LossGradient), key=str)


def gradient_name(gradient):
    return f"grad_{identifier(str(gradient.args[0]))}"


def _sizes(e):
    """The symbols that stand as sizes or numbers in an expression, not those inside variables."""
    if isinstance(e, Variable):
        return set()
    if isinstance(e, Symbol):
        return {e} if e not in SLOTS else set()
    return {s for a in e.args for s in _sizes(a)}


def identifier(name):
    """A Python identifier for a variable's name."""
    name = re.sub(r"\W", "_", name)
    return f"{name}_" if keyword.iskeyword(name) or name in ("np", "torch", "math") else name
