"""A derivation as aligned lines: one a step, its rule at the side, the result boxed."""

import re

from derivations.abbreviations import abbreviate
from derivations.expressions import depends, is_matrix, is_proposition, is_vector
from derivations.notation.latex import BREAK, at, write
from derivations.notation.names import typeset

# What fits on a line of 16 cm at 11 pt, in widths of an average character.
LINE_WIDTH = 80
# A rule's name is set smaller; a character of it takes this part of an average one.
SIDE_WIDTH = 0.62
# Between a formula and its rule.
GAP = 4


def derivation(d, name="f", where=True, box=True):
    """The whole derivation as an align* environment."""
    rows = list(_rows(d, name))
    last = len(rows) - 1
    # The columns of an alignment are as wide as their widest entries.
    sides = SIDE_WIDTH * max(len(rule) for _, _, rule in rows) + GAP
    room = LINE_WIDTH - max(width(left) for left, _, _ in rows) - sides
    lines = []
    for i, (left, text, rule) in enumerate(rows):
        lines += _broken(left, text, rule, room, boxed=box and i == last)
    if where:
        # A symbol that the expression has itself is not defined but given a value.
        given = not d.wrt_all and any(depends(d.expression, symbol) for symbol, _ in d.definitions)
        lines += _where(_used(d), room, r"\text{at}\quad " if given else r"\text{where}\quad ")
    if d.conditions:
        lines.append(rf"& \rlap{{\text{{with {', '.join(map(_condition, d.conditions))}}}}}")
    return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}"


def _where(definitions, room, where):
    """Definitions, one a line, those of numbers all on one, and points that were put in."""
    numbers = [f"{write(s)} &= {write(value)}" for s, value in definitions if value.is_number]
    if numbers:
        first, *others = numbers
        yield where + r",\;".join([first, *(n.replace("&", "") for n in others)])
        where = ""
    for symbol, defined in definitions:
        if not defined.is_number:
            yield from _broken(f"{where}{write(symbol)} &=", at(defined), "", room, boxed=False)
            where = ""


def _used(d):
    """The definitions whose symbols a reader meets."""
    shown = [abbreviate(d.expression, d.definitions), *(s.after for s in d.steps)]
    used = []
    for symbol, defined in reversed(d.definitions):
        if any(depends(e, symbol) for e in shown):
            used.insert(0, (symbol, defined))
            shown.append(defined)
    return used


def _rows(d, name):
    """(left side with its sign, right side, name of the rule) of every line."""
    if is_proposition(d.expression):
        yield "&", at(d.expression), ""
        for s in d.steps:
            yield r"\iff\quad &", at(s.after), s.rule.name
        return
    function = typeset_name(d.expression, name)
    if not d.wrt_all:
        yield f"{function} &=", at(d.expression), ""
        for s in d.steps:
            yield "&=", at(s.after), s.rule.name
        return
    yield f"{function} &=", at(abbreviate(d.expression, d.definitions)), ""
    order, left, after = 0, "", None
    for s in d.steps:
        if s.before != after:
            order += 1
            left = differential_name(d, function, order)
        # A symmetric Jacobian needs no transposing, but it is named by the layout all the same.
        last = s is d.steps[-1]
        role = d.layout if last and d.layout == "denominator" else s.rule.role
        role = role if role != "constant" or last else ""
        left = derivative_name(d, function, order, role) if role else left
        yield f"{left} &=", at(s.after), s.rule.name
        left, after = "", s.after


def typeset_name(expression, name):
    """The name of the function: one of ours (f, w_new) is typeset, anything else is LaTeX already."""
    return typeset(name, bold=is_matrix(expression)) if name.isidentifier() else name


def differential_name(d, function, order):
    if order == 1:
        return rf"\mathrm{{d}}{function}"
    return rf"\mathrm{{d}}\Bigl({derivative_name(d, function, 1, 'gradient')}\Bigr)"


def derivative_name(d, function, order, role):
    """The left side of a line that reads a derivative off."""
    x = write(d.wrt_all[0])
    if order == 1:
        row = r"^{\top}" if role in ("jacobian", "numerator") else ""
        return rf"\frac{{\partial {function}}}{{\partial {x}{row}}}"
    z = d.wrt_all[1]
    row = is_vector(z) and role != "gradient"
    below = rf"\partial {x}\,\partial {write(z)}" + (r"^{\top}" if row else "")
    if x == write(z) and not is_vector(z):
        below = rf"\partial {x}^{{2}}"
    return rf"\frac{{\partial^{{2}} {function}}}{{{below}}}"


def _side(text):
    return rf"{{\scriptstyle\text{{{_escape(text)}}}}}"


def _condition(text):
    """A condition in words; an equation such as ReLU'(0) = 0 is set as one."""
    equation = re.fullmatch(r"(\w+)('\(0\) = 0)", text)
    return rf"$\operatorname{{{equation[1]}}}{equation[2]}$" if equation else _escape(text)


def _escape(text):
    return re.sub(r"([_&%#])", r"\\\1", text)


TOKEN = re.compile(r"\\[a-zA-Z]+\*?|\\.|.")
# Widths in average characters; a command that is not here is one character wide.
WIDTHS = {
    **{c: 0 for c in [r"\bigl", r"\bigr", r"\Bigl", r"\Bigr", r"\left", r"\right", "&", "}"]},
    **{c: 3 for c in [r"\log", r"\exp", r"\det", r"\sin", r"\cos", r"\tan", r"\tanh"]},
    **{c: 2.4 for c in [r"+", r"-", r"=", r"<", r">", r"\le", r"\ge", r"\odot", r"\oslash", r"\iff", r"\in"]},
    **{r"\,": 0.4, r"\;": 0.6, r"\quad": 2, r"\qquad": 4, " ": 0, "(": 0.8, ")": 0.8, ",": 0.8},
}
# Commands whose argument is what is seen, and how wide it becomes.
NAMED = {
    **{c: 1.0 for c in [r"\mathrm", r"\mathit", r"\operatorname", r"\text", r"\hat", r"\bar", r"\sqrt"]},
    **{c: 1.5 for c in [r"\mathbf", r"\boldsymbol"]},
}
FRACTIONS = {r"\frac": 1.0, r"\tfrac": 0.7}
SCRIPT = 0.7


def width(text):
    """The width of a formula in average characters, roughly."""
    return _width(iter(TOKEN.findall(text.replace(BREAK, ""))), closing=None)


def _width(tokens, closing):
    """The width up to the closing brace, or to the end."""
    total = 0.0
    for token in tokens:
        if token == closing:
            break
        total += _one(token, tokens)
    return total


def _argument(tokens):
    token = next(tokens, "")
    while token == " ":
        token = next(tokens, "")
    return _one(token, tokens)


def _one(token, tokens):
    """The width of a token with its arguments."""
    if token == "{":
        return _width(tokens, "}")
    if token in FRACTIONS:
        return FRACTIONS[token] * max(_argument(tokens), _argument(tokens)) + 0.5
    if token in NAMED:
        return NAMED[token] * _argument(tokens)
    if token in "^_" and token:
        return SCRIPT * _argument(tokens)
    return WIDTHS.get(token, 1.0)


def split(text, room):
    """A formula in pieces of at most the room, broken where the fewest parentheses are open."""
    pieces = text.split(BREAK)
    lines = []
    while width("".join(pieces)) > room and len(pieces) > 1:
        starts = range(1, len(pieces))
        fitting = [i for i in starts if width("".join(pieces[:i])) <= room] or [1]
        # A first line of less than a fifth of the room would look lost.
        full = [i for i in fitting if width("".join(pieces[:i])) > room / 5] or fitting
        at_best = min(full, key=lambda i: (_depth("".join(pieces[:i])), -i))
        lines.append("".join(pieces[:at_best]))
        pieces = pieces[at_best:]
    return [*lines, "".join(pieces)]


def _depth(text):
    """How many parentheses are open at the end."""
    return text.count("(") - text.count(")")


def _broken(left, text, rule, room, boxed):
    """The lines of one step."""
    side = f" && {_side(rule)}" if rule else ""
    first, *others = split(text, room)
    if not others:
        return [f"{left} " + (rf"\boxed{{{first}}}" if boxed else first) + side]
    if boxed:
        aligned = r" \\ &\quad{}".join([f"&{first}", *others])
        return [rf"{left} \boxed{{\begin{{aligned}}{aligned}\end{{aligned}}}}{side}"]
    lines = [f"{left} {first}", *(rf"&\qquad{{}}{line}" for line in others)]
    lines[-1] += side
    return lines
