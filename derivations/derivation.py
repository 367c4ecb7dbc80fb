"""Rule, Step and Derivation: what happened, as frozen data."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module

from sympy import Basic

from derivations.notation import latex, lines, sympy_out, text
from derivations.notation.code import generator


@dataclass(frozen=True)
class Rule:
    """A row of a table.

    `name` stands beside a line of a derivation, `statement` is the mathematics in LaTeX.
    A minor rule is never worth a line of its own: it is merged into its neighbour's line. The role
    of a rule that reads a derivative off says which derivative: see `rules.py`, "read-off".
    """

    head: type | tuple | None
    name: str
    statement: str
    apply: Callable | None = None
    when: Callable | None = None
    source: str = "Magnus & Neudecker (2019), Matrix Differential Calculus, 3rd ed., ch. 8"
    minor: bool = False
    role: str = ""

    def __repr__(self):
        return f"Rule({self.name!r})"


@dataclass(frozen=True)
class Step:
    """One line: `before` equals `after`, by the rule."""

    rule: Rule
    before: Basic
    after: Basic


@dataclass(frozen=True)
class Derivation:
    """An expression, what was asked of it, and the lines that lead to the result.

    `wrt_all` is the tuple of the variables of differentiation, one for each order; it is empty where
    the lines transform a value and nothing is differentiated (`layout` is then "value").
    `definitions` are (symbol, expression) pairs that the lines may use as abbreviations, and
    `conditions` are the conventions and assumptions under which the result holds, in words;
    `structure` is "symmetric" or "diagonal" where the derivative is by the free entries of such a variable.
    `symbols` are those of SymPy that the variables and sizes stand for, where the expression came from there.
    """

    expression: Basic
    variables: tuple
    steps: tuple[Step, ...]
    result: Basic
    layout: str
    wrt_all: tuple = ()
    definitions: tuple = ()
    conditions: tuple[str, ...] = ()
    structure: str = ""
    symbols: tuple = ()

    def __repr__(self):
        by = f" by {', '.join(map(str, self.wrt_all))}" if self.wrt_all else ""
        return f"<Derivation of {self.expression}{by} in {len(self.steps)} steps: {self.result}>"

    @property
    def wrt(self):
        """The variable of differentiation; a pair for a mixed second derivative."""
        distinct = tuple(dict.fromkeys(self.wrt_all))
        return distinct[0] if len(distinct) == 1 else distinct

    @property
    def independent_variables(self):
        """The variables that are not abbreviations: the arguments of the generated code."""
        defined = {symbol for symbol, _ in self.definitions}
        return tuple(v for v in self.variables if v not in defined)

    @property
    def order(self):
        return len(self.wrt_all)

    def to_text(self):
        """The result in the text notation."""
        return text.write(self.result, self.variables)

    def to_sympy(self):
        """The result in SymPy's own matrix nodes, with the symbols of the expression that was given."""
        return sympy_out.to_sympy(self.result, self.symbols)

    def to_latex(self, name="f", steps=True, where=True, box=True):
        """The whole derivation in LaTeX, or with steps=False the result alone.

        where: whether to list the definitions that the lines use; box: whether the result stands in a box.
        """
        return lines.derivation(self, name, where, box) if steps else latex.write(self.result)

    def _repr_latex_(self):
        return lines.derivation(self)

    def to_code(self, library="numpy"):
        """Source of a function of the variables that computes the result."""
        return generator.write(self, library)

    def to_function(self, library="numpy"):
        """The same, callable with keyword arrays."""
        return generator.function(self, library)

    def to_operator(self, library="numpy"):
        """The derivative as an action: a function of the variables and of a direction `d_x`, by keywords.

        It gives the directional derivative of what was differentiated last by the variable x; of a Hessian,
        that of the gradient. Where the structure allows, nothing of the size of the derivative is formed.
        """
        return generator.operator(self, library)

    def to_torch_module(self, *others, **held):
        """A torch.nn.Module: forward computes the expression, backward uses the result.

        others: derivations of the same expression by further variables that are to have gradients.
        held: values of variables that the module keeps, parameters or constants; the rest are its inputs.
        """
        # Loaded by name: who does not ask for it does not pay for torch.
        return import_module("derivations.notation.code.modules").module(self, *others, **held)

    def with_conditions(self, *conditions):
        return replace(self, conditions=self.conditions + conditions)
