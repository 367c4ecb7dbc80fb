"""Every rule with its statement and its source, from the tables: a page of all, and what who looks one up reads."""

import json
from dataclasses import dataclass
from itertools import groupby

from derivations import examples, rules
from derivations.derivation import Rule
from derivations.errors import DerivationError
from derivations.functions import CONVENTIONS
from derivations.notation import inference, shapes, text
from derivations.simplification import COLLECTING, IDENTITIES
from derivations.topics import (
    batch_norm,
    convolution,
    extrema,
    gan,
    gan_dynamics,
    likelihoods,
    logarithms,
    model_selection,
    networks,
    weight_decay,
)


@dataclass(frozen=True)
class Entry:
    """A rule, where it stands, and an example.

    example: (expression, variable), with what else is asked for as a third; (before, after) of an identity.
    """

    section: str
    rule: Rule
    example: tuple = ()


def _constants(module):
    """The rules that are names of a module, in its order, by their names."""
    return {name: value for name, value in vars(module).items() if isinstance(value, Rule)}


DIFFERENTIALS = "Differentials"
SCALARS = "Differentials of scalars"
TRACE = "Moves under a trace"
INNER = "Moves among vectors"
VEC = "Moves of vec"
VECTOR = "Moves of vec among vectors"
LINES = "Lines of a derivation"
FREE = "Free entries"
COLLECT = "Collecting terms"
SIMPLIFY = "Identities"
TOPICS = (
    likelihoods,
    logarithms,
    extrema,
    weight_decay,
    convolution,
    networks,
    batch_norm,
    gan,
    gan_dynamics,
    model_selection,
)

ABOUT = {
    DIFFERENTIALS: "They push `d` inward until only `dX` is left; parts that do not depend on `X` are constants.",
    SCALARS: "Scalar calculus is SymPy's: the derivatives of `log`, `tanh` and all others need no rule of ours.",
    TRACE: "They free `dX` from what stands around it, until the differential is `tr(G'*dX)`.",
    INNER: "The same where `dX` is a vector, as far as they read differently.",
    VEC: "They free `vec(dX)`, until the differential is `J*vec(dX)`.",
    VECTOR: "The same where the expression and `dX` are vectors, as far as they read differently.",
    LINES: "They tell what happens between the moves, and read the derivative off.",
    FREE: "With `structure`, they turn the gradient `G` by independent entries into that by the free ones.",
    COLLECT: "They regroup terms, on the way and in the result.",
    SIMPLIFY: "They make a result shorter. Each is named beside the line that uses it.",
}
# (section, rules by the keys of their examples, examples)
TABLES = (
    (DIFFERENTIALS, rules.DIFFERENTIALS, examples.DIFFERENTIALS),
    (SCALARS, rules.SCALAR_DIFFERENTIALS, examples.SCALAR_DIFFERENTIALS),
    (TRACE, rules.TRACE_MOVES, examples.TRACE_MOVES),
    (INNER, rules.INNER_MOVES, examples.INNER_MOVES),
    (VEC, rules.VEC_MOVES, examples.VEC_MOVES),
    (VECTOR, rules.VECTOR_MOVES, examples.VECTOR_MOVES),
    (LINES, _constants(rules), examples.LINES),
    (FREE, rules.STRUCTURES, examples.STRUCTURES),
    (COLLECT, COLLECTING, examples.IDENTITIES),
    (SIMPLIFY, IDENTITIES, examples.IDENTITIES),
    *((f"Topic: {module.__name__.rsplit('.', 1)[1]}", _constants(module), {}) for module in TOPICS),
)


def heads(rule):
    """The nodes that a rule is for."""
    return rule.head if isinstance(rule.head, tuple) else () if rule.head is None else (rule.head,)


def key(rule):
    """The key of a row's example: its first node and its name."""
    return heads(rule)[0].__name__, rule.name


def entries():
    """Every rule once, table by table."""
    found = {}
    for section, table, shown in TABLES:
        keyed = table.items() if isinstance(table, dict) else ((key(rule), rule) for rule in table)
        for name, rule in keyed:
            found.setdefault(rule, Entry(section, rule, shown.get(name, ())))
    return tuple(found.values())


def conditions():
    """(function in the text notation, what its derivative rests on) for all that rest on something."""
    names = {**inference.FUNCTION_NAMES, **text.CALLS}
    return tuple((names[kind], words) for kind, words in {**CONVENTIONS, **rules.CONDITIONS}.items())


def find(word):
    """The entries whose name or node has the word in it.

    Raises DerivationError if there are none.
    """
    found = tuple(e for e in entries() if any(word.lower() in name.lower() for name in _names(e)))
    if not found:
        nodes = sorted({h.__name__ for e in entries() for h in heads(e.rule)})
        raise DerivationError(f"no rule has {word!r} in its name or its node; the nodes are {', '.join(nodes)}")
    return found


def _names(entry):
    """What a rule is looked up by: its name, and those of its nodes, in the text notation too."""
    return entry.rule.name, *(n for h in heads(entry.rule) for n in (h.__name__, text.CALLS.get(h, "")))


# ----------------------------------------------------------------------------------------- people


def to_text(found):
    """The entries as people read them in a terminal."""
    return "\n\n".join("\n".join([section, *map(_lines, group)]) for section, group in _by_section(found))


def _by_section(found):
    return groupby(found, key=lambda e: e.section)


def _lines(entry):
    rule = entry.rule
    nodes = ", ".join(h.__name__ for h in heads(entry.rule))
    example = f"for example {_shown(entry)}" if entry.example else ""
    lines = [f"  {rule.name}" + (f" ({nodes})" if nodes else ""), rule.statement, example, rule.source]
    return "\n      ".join(line for line in lines if line)


def _shown(entry, quote=""):
    """The example, each formula between quotes."""
    first, second, *more = entry.example
    link = "=" if entry.section in (COLLECT, SIMPLIFY) else "by"
    options = "".join(f", {name} {value}" for asked in more for name, value in asked.items())
    return f"{quote}{first}{quote} {link} {quote}{second}{quote}{options}"


# ------------------------------------------------------------------------------------------- page

PAGE = """\
# The rules

<!-- Written by python -m derivations rules > docs/rules.md -->

All that the engine knows, row by row: a derivation names the rule of each of its lines, and
`step.rule.statement` and `step.rule.source` are what stands here. Rules in *italics* are too small for a line of
their own. `python -m derivations rules trace` looks rules up by their names and nodes;
[adding-a-rule.md](adding-a-rule.md) shows how to add one.

The names in the examples:"""


def to_markdown(found):
    """The page of the entries: a table for each section, what derivatives rest on, and the sources."""
    sources = {source: i for i, source in enumerate(dict.fromkeys(e.rule.source for e in found), 1)}
    parts = [PAGE, _names_of_examples()]
    for section, group in _by_section(found):
        parts += [f"## {section}", *([ABOUT[section]] if section in ABOUT else []), _table(list(group), sources)]
    rows = [[f"`{name}`", words] for name, words in conditions()]
    parts += ["## Conditions and conventions", RESTS, _grid(["of", "what the derivative rests on"], rows)]
    parts += ["## Sources", "\n".join(f"{i}. {source}" for source, i in sources.items())]
    return "\n\n".join(parts)


RESTS = """\
Where a function is not differentiable everywhere, `d.conditions` says what is assumed of the point, or which value
stands for a slope at a kink."""


def _table(group, sources):
    rows = [[_nodes(e), _name(e), _formula(e), _shown(e, "`") if e.example else "", _link(e, sources)] for e in group]
    return _grid(["node", "rule", "statement", "example", "source"], rows)


def _names_of_examples():
    kinds = {}
    for name, shape in examples.SHAPES.items():
        declared = shapes.declaration(name, shape)
        sizes = f"`{','.join(map(text.size_text, declared.shape))}`"
        kinds.setdefault((sizes, ", ".join(declared.properties)), []).append(f"`{name}`")
    return _grid(["names", "shape", "property"], [[", ".join(names), *kind] for kind, names in kinds.items()])


def _nodes(entry):
    return ", ".join(f"`{h.__name__}`" for h in heads(entry.rule))


def _name(entry):
    return f"*{entry.rule.name}*" if entry.rule.minor else entry.rule.name


def _formula(entry):
    # Backticks keep Markdown from taking \, and \{ for escapes of its own.
    return f"$`{entry.rule.statement}`$" if entry.rule.statement else ""


def _link(entry, sources):
    return f"[{sources[entry.rule.source]}](#sources)"


def _grid(titles, rows):
    """A table of Markdown without the columns that are empty."""
    used = [i for i in range(len(titles)) if any(row[i] for row in rows)]
    cells = [[row[i].replace("|", r"\|") for i in used] for row in [titles, *rows]]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], f"|{' --- |' * len(used)}", *lines[1:]])


# -------------------------------------------------------------------------------------- programs


def to_json(found):
    return json.dumps([_data(entry) for entry in found], ensure_ascii=False, indent=1)


def _data(entry):
    rule = entry.rule
    return {
        "section": entry.section,
        "nodes": [h.__name__ for h in heads(entry.rule)],
        "rule": rule.name,
        "statement": rule.statement,
        "source": rule.source,
        "minor": rule.minor,
        "example": _shown(entry) if entry.example else None,
    }


FORMATS = {"markdown": to_markdown, "text": to_text, "json": to_json}
