"""A derivation as aligned lines: one a step, its rule at the side, the result boxed."""

import re

from sympy.logic.boolalg import Boolean

from derivations.abbreviations import abbreviate
from derivations.expressions import depends, is_matrix, is_vector
from derivations.notation.latex import BREAK, at, write
from derivations.notation.names import typeset

# What fits on a line of 16 cm at 11 pt, in widths of an average character.
LINE_WIDTH = 78
# A rule's name is set smaller; a character of it takes this part of an average one.
SIDE_WIDTH = 0.62


def derivation(d, name="f"):
    """The whole derivation as an align* environment."""
    rows = list(_rows(d, name))
    last = len(rows) - 1
    # The columns of an alignment are as wide as their widest entries.
    room = LINE_WIDTH - max(width(left) for left, _, _ in rows) - SIDE_WIDTH * max(len(rule) for _, _, rule in rows)
    lines = []
    for i, (left, text, rule) in enumerate(rows):
        lines += _broken(left, text, rule, room, boxed=i == last)
    lines += _where(_used(d), room)
    if d.conditions:
        lines.append(f"& {_side('with ' + ', '.join(d.conditions))}")
    return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}"


def _where(definitions, room):
    """Definitions, one a line, those of numbers all on one."""
    where = r"\text{where}\quad "
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
    if isinstance(d.expression, Boolean):
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
    order, left = 0, ""
    for s in d.steps:
        if opens(s):
            order += 1
            left = differential_name(d, function, order)
        # A symmetric Jacobian needs no transposing, but it is named by the layout all the same.
        role = d.layout if s is d.steps[-1] and d.layout == "denominator" else s.rule.role
        left = derivative_name(d, function, order, role) if role else left
        yield f"{left} &=", at(s.after), s.rule.name
        left = ""


def typeset_name(expression, name):
    """The name of the function: one of ours (f, w_new) is typeset, anything else is LaTeX already."""
    return typeset(name, bold=is_matrix(expression)) if name.isidentifier() else name


def opens(step):
    """Whether a step starts a new differentiation: its left side is d(expression) as a whole."""
    return type(step.before).__name__.endswith("Differential")


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
    below = rf"\partial {x}\,\partial {write(z)}" + (r"^{\top}" if is_vector(z) else "")
    if x == write(z) and not is_vector(z):
        below = rf"\partial {x}^{{2}}"
    return rf"\frac{{\partial^{{2}} {function}}}{{{below}}}"


def _side(text):
    text = re.sub(r"([_&%#])", r"\\\1", text)
    return rf"{{\scriptstyle\text{{{text}}}}}"


def width(text):
    """The width of a formula in average characters, roughly."""
    text = text.replace(BREAK, "")
    text = re.sub(r"\\(mathbf|mathrm|boldsymbol|operatorname|mathit|text|left|right|bigl|bigr|Bigl|Bigr)\b", "", text)
    while r"\frac" in text or r"\tfrac" in text:
        new = re.sub(r"\\t?frac\{([^{}]*)\}\{([^{}]*)\}", lambda m: max(m[1], m[2], key=len), text)
        if new == text:
            new = re.sub(r"\{([^{}]*)\}", r"\1", text, count=1) if "{" in text else text.replace(r"\frac", "")
        text = new
    text = re.sub(r"\^\{?\\top\}?", "'", text)
    text = re.sub(r"\\(log|exp|det|sin|cos|tanh)\b", "fun", text)
    text = re.sub(r"\\[a-zA-Z]+", "x", text)
    plain = re.sub(r"[\\{}^_ ]|,", "", text)
    signs = len(re.findall(r"[-+=<>]", plain))
    return len(plain) + signs


def _broken(left, text, rule, room, boxed):
    """The lines of one step; a long right side is broken before a + or -."""
    side = f" && {_side(rule)}" if rule else ""
    pieces = text.split(BREAK)
    lines, current = [], pieces[0]
    for piece in pieces[1:]:
        if width(current + piece) > room and width(current) > 20:
            lines.append(current)
            current = piece
        else:
            current += piece
    lines.append(current)
    if len(lines) == 1:
        shown = rf"\boxed{{{lines[0]}}}" if boxed else lines[0]
        return [f"{left} {shown}{side}"]
    first = [f"{left} {lines[0]}"] + [rf"&\qquad{{}}{line}" for line in lines[1:]]
    first[-1] += side
    if boxed:
        first = [rf"{left} \boxed{{\begin{{aligned}}&{lines[0]}"]
        first[0] += "".join(rf" \\ &\quad{{}}{line}" for line in lines[1:]) + rf"\end{{aligned}}}}{side}"
    return first
