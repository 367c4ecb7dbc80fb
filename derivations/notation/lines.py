"""A derivation as aligned lines: one a step, its rule at the side, the result boxed."""

import re
import textwrap
from bisect import bisect_right
from itertools import accumulate

from derivations.abbreviations import abbreviate
from derivations.expressions import depends, is_matrix, is_proposition, is_vector
from derivations.notation.latex import BREAK, at, write
from derivations.notation.names import typeset

# What fits on a line of 16 cm at 11 pt, in widths of an average character.
LINE_WIDTH = 80
# A rule's name is set smaller; a character of it takes this part of an average one.
SIDE_WIDTH = 0.68
# A longer name is set on several lines.
SIDE_LENGTH = 30
# Between a formula and its rule.
GAP = 3
# By how much a continued line is moved in, and a frame widens what it holds.
INDENT, FRAME = 4, 3.5


def derivation(d, name="f", where=True, box=True):
    """The whole derivation as an align* environment."""
    rows = list(_rows(d, name))
    last = len(rows) - 1
    # The columns of an alignment are as wide as their widest entries.
    sides = SIDE_WIDTH * max(len(part) for _, _, rule in rows for part in _wrapped(rule)) + GAP
    room = LINE_WIDTH - max(width(left) for left, _, _ in rows) - sides
    lines = []
    for i, (left, text, rule) in enumerate(rows):
        lines += _broken(left, text, rule, room, boxed=box and i == last)
    if where:
        # A symbol that the expression has itself is not defined but given a value.
        given = not d.wrt_all and any(depends(d.expression, symbol) for symbol, _ in d.definitions)
        lines += _where(_used(d), room, r"\text{at}\quad " if given else r"\text{where}\quad ")
    if d.conditions:
        lines.append(rf"& \rlap{{\text{{assumed: {'; '.join(map(_condition, d.conditions))}}}}}")
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
    order, left, current, after = 0, "", "", None
    for s in d.steps:
        if s.before != after:
            order += 1
            left = current = differential_name(d, function, order)
        # A symmetric Jacobian needs no transposing, but it is named by the layout all the same.
        last = s is d.steps[-1]
        role = d.layout if last and d.layout == "denominator" else s.rule.role
        role = role if role != "constant" or last else ""
        if role:
            left = current = stacked(current) if role == "vec" else derivative_name(d, function, order, role)
        yield f"{left} &=", at(s.after), s.rule.name
        left, after = "", s.after


def typeset_name(expression, name):
    """The name of the function: one of ours (f, w_new) is typeset, anything else is LaTeX already."""
    if name == "f" and is_matrix(expression) and not is_vector(expression):
        name = "F"
    return typeset(name, bold=is_matrix(expression)) if name.isidentifier() else name


def differential_name(d, function, order):
    if order == 1:
        return rf"\mathrm{{d}}{function}"
    return rf"\mathrm{{d}}\Bigl({derivative_name(d, function, 1, 'gradient')}\Bigr)"


def stacked(name):
    return rf"\operatorname{{vec}} {name}"


def _below(variable, row, in_vec_form):
    """A variable below the fraction bar: x, or vec(X), as a column or as a row."""
    name = write(variable)
    if in_vec_form and is_matrix(variable) and not is_vector(variable):
        name = rf"\operatorname{{vec}}({name})"
    return rf"\partial {name}" + (r"^{\top}" if row and is_matrix(variable) else "")


def derivative_name(d, function, order, role):
    """The left side of a line that reads a derivative off."""
    in_vec_form = order == d.order and d.layout in ("vec", "hessian_vec")
    if order == 1:
        above = stacked(function) if in_vec_form and not is_vector(d.expression) else function
        name = rf"\frac{{\partial {above}}}{{{_below(d.wrt_all[0], role in ('jacobian', 'numerator'), in_vec_form)}}}"
        if role == "structure":  # by the free entries
            name += rf"\Big|_{{{write(d.wrt)}\ \text{{{d.structure}}}}}"
        return name
    x, z = d.wrt_all
    if x == z and not is_matrix(z):
        return rf"\frac{{\partial^{{2}} {function}}}{{\partial {write(x)}^{{2}}}}"
    row = role != "gradient" and (in_vec_form or is_vector(z))
    below = rf"{_below(x, False, in_vec_form)}\,{_below(z, row, in_vec_form)}"
    return rf"\frac{{\partial^{{2}} {function}}}{{{below}}}"


def _wrapped(rule):
    return textwrap.wrap(rule, SIDE_LENGTH) or [""]


def _side(rule):
    first, *others = [rf"\text{{{_escape(part)}}}" for part in _wrapped(rule)]
    if not others:
        return rf"{{\scriptstyle{first}}}"
    whole = r" \\ ".join([first, *others])
    return rf"\begin{{subarray}}{{l}}{whole}\end{{subarray}}"


def _condition(text):
    """A condition in words; an equation such as ReLU'(0) = 0 is set as one."""
    equation = re.fullmatch(r"(\w+)('\(0\) = 0)", text)
    return rf"$\operatorname{{{equation[1]}}}{equation[2]}$" if equation else _escape(text)


def _escape(text):
    return re.sub(r"([_&%#])", r"\\\1", text)


TOKEN = re.compile(r"\\[a-zA-Z]+\*?|\\.|.")
# Widths in average characters; a command that is not here is one character wide.
WIDTHS = {
    **{c: 0 for c in [r"\left", r"\right", "&", "}"]},
    **{c: 0.1 for c in [r"\bigl", r"\bigr"]},
    **{c: 0.4 for c in [r"\Bigl", r"\Bigr"]},
    **{f"\\{name}": 0.9 * len(name) + 0.3 for name in "log exp det sin cos tan sinh cosh tanh max min".split()},
    **{f"\\{name}": 5.6 for name in ("arcsin", "arccos", "arctan")},
    **{c: 1.4 for c in "ABCDEFGHJKLNOPQRSTUVXYZ"},
    **{"M": 1.9, "W": 1.9, "m": 1.6, "w": 1.35, r"\top": 1.4},
    **{
        c: 2.4
        for c in [r"+", r"-", r"=", r"<", r">", r"\le", r"\ge", r"\odot", r"\oslash", r"\otimes", r"\iff", r"\in"]
    },
    **{r"\,": 0.4, r"\;": 0.6, r"\quad": 2, r"\qquad": 4, " ": 0, "(": 0.8, ")": 0.8, ",": 0.8},
}
# Commands whose argument is what is seen, and how wide it becomes.
NAMED = {
    **{c: 1.0 for c in [r"\mathrm", r"\mathit", r"\operatorname", r"\text", r"\hat", r"\bar", r"\sqrt"]},
    **{c: 1.15 for c in [r"\mathbf", r"\boldsymbol"]},
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


def split(text, room, indent=0):
    """A formula in pieces of at most the room, less the indent after the first.

    It is broken where the fewest parentheses are open, and rather between terms than between factors.
    """
    pieces = text.split(BREAK)
    widths, depths = [width(p) for p in pieces], [_depth(p) for p in pieces]
    products = [not p.lstrip().startswith(("+", "-")) for p in pieces]
    lines, start = [], 0
    while sum(widths[start:]) > room and len(pieces) - start > 1:
        end = start + _line_length(widths[start:-1], depths[start:-1], products[start + 1 :], room)
        lines.append("".join(pieces[start:end]))
        start, room = end, room - (indent if len(lines) == 1 else 0)
    return [*lines, "".join(pieces[start:])]


def _line_length(widths, depths, products, room):
    """How many pieces make the best line: their widths, the parentheses they leave open, what comes after each."""
    totals = list(accumulate(widths))
    fitting = range(max(1, bisect_right(totals, room)))
    # A line of less than a fifth of the room would look lost.
    full = [i for i in fitting if totals[i] > room / 5] or fitting
    opened = list(accumulate(depths))
    return min(full, key=lambda i: (opened[i], products[i], -i)) + 1


def _depth(text):
    """How many parentheses and brackets are open at the end."""
    return sum(text.count(c) for c in "([") - sum(text.count(c) for c in ")]")


def _broken(left, text, rule, room, boxed):
    """The lines of one step."""
    side = f" && {_side(rule)}" if rule else ""
    first, *others = split(text, room - FRAME if boxed else room, INDENT)
    if not others:
        return [f"{left} " + (rf"\boxed{{{first}}}" if boxed else first) + side]
    if boxed:
        aligned = r" \\ &\quad{}".join([f"&{first}", *others])
        return [rf"{left} \boxed{{\begin{{aligned}}{aligned}\end{{aligned}}}}{side}"]
    lines = [f"{left} {first}", *(rf"&\qquad{{}}{line}" for line in others)]
    lines[-1] += side
    return lines
