"""Diagrams and plots of the answers: each function returns one tikzpicture as a LaTeX string, which needs PREAMBLE.

Lengths are centimetres. Nothing is wider than TEXT_WIDTH, and the same arguments give the same string.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from derivations.errors import DerivationError, ShapeError

PREAMBLE = r"""\usepackage{tikz}
\usepackage{pgfplots}
\usetikzlibrary{arrows.meta,positioning,calc,decorations.pathreplacing,fit}
\pgfplotsset{compat=1.16}
\definecolor{diagramblue}{RGB}{31,78,140}
\definecolor{diagramred}{RGB}{213,94,0}
\definecolor{diagramgreen}{RGB}{0,158,115}
\definecolor{diagrampurple}{RGB}{204,121,167}
\definecolor{diagramsky}{RGB}{86,180,233}
\tikzset{
  diagram/.style={x=1cm,y=1cm,line width=0.4pt,line cap=round,line join=round,font=\footnotesize},
  diagram arrow/.style={-{Stealth[length=1.7mm,width=1.3mm]},draw=black!65},
  diagram unit/.style={circle,draw=black!65,fill=white,minimum size=0.36cm,inner sep=0pt},
  diagram block/.style={draw=diagramblue,fill=diagramblue!10,rounded corners=1.5pt,inner sep=4pt},
  diagram frame/.style={draw=black!40,densely dashed,rounded corners=3pt,inner sep=0.25cm}}
\pgfplotsset{
  diagram axis/.style={width=14cm,height=6cm,line width=0.4pt,font=\footnotesize,
    axis lines=left,axis line style={black!65,-},tick style={black!65},tick align=outside,
    ymajorgrids,grid style={black!12},enlarge y limits=0.06,
    scaled x ticks=false,xticklabel style={/pgf/number format/.cd,fixed relative,precision=4,1000 sep={\,}},
    legend style={at={(0.5,-0.24)},anchor=north,draw=none,fill=none,/tikz/every even column/.append style={column sep=0.5cm}},
    legend cell align=left}}
"""

TEXT_WIDTH = 16.0  # A4 with margins of 2.5 cm
MAX_POINTS = 200

# Colours of Okabe & Ito (2008), told apart with every common colour blindness; our accent stands for their blue.
COLOURS = ("diagramblue", "diagramred", "diagramgreen", "black!60", "diagrampurple", "diagramsky")
DASHES = ("solid", "dashed", "dash dot", "densely dotted", "dash dot dot", "loosely dashed")

# (alpha lambda, what w <- (1 - 2 alpha lambda) w does)
SHRINKAGES = ((0.1, "shrinks"), (0.75, "flips its sign and shrinks"), (1.1, "diverges"))


# ---- text and numbers

ESCAPES = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    '"': "''",
    **{c: f"\\{c}" for c in "{}$&#_%"},
    # OT1 has other glyphs in the places of these three.
    **{c: f"${c}$" for c in "<>|"},
    "×": r"$\times$",
    "–": "--",
    "’": "'",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "λ": r"$\lambda$",
    "σ": r"$\sigma$",
}


def escape(text: str) -> str:
    """The text as LaTeX that shows just these characters; raises DerivationError for one that pdflatex cannot show."""
    for character in text:
        if character not in ESCAPES and not (character.isascii() and character.isprintable()):
            raise DerivationError(f"no LaTeX for the character {character!r} in {text!r}; use ASCII or one of ×–’αβλσ")
    return "".join(ESCAPES.get(character, character) for character in text)


def _label(text):
    """Escaped text, with a product of sizes such as 5x5 set as a formula."""
    pieces = re.split(r"(\d+(?:[x×]\d+)+)", text)
    return "".join(_sizes(re.split("[x×]", p)) if i % 2 else escape(p) for i, p in enumerate(pieces))


def _sizes(sizes):
    return "$" + r"{\times}".join(str(size) for size in sizes) + "$"


def _text_width(text):
    """Width in footnotesize of an 11 pt document, from above: 0.3 to 0.85 em a character, 1 em = 9 pt = 0.318 cm."""
    ems = {**dict.fromkeys("ijltf.,:;'()| ", 0.35), **dict.fromkeys("mwMWx×", 0.85)}
    return 0.318 * sum(ems.get(c, 0.72 if c.isupper() else 0.53) for c in text)


def _point(x, y):
    return f"({x + 0.0:.2f},{y + 0.0:.2f})"


def _number(value):
    return f"{value + 0.0:.4g}"  # + 0.0: no "-0"


def _picture(lines, style="diagram"):
    return "\n".join([rf"\begin{{tikzpicture}}[{style}]", *(f"  {line}" for line in lines), r"\end{tikzpicture}"]) + "\n"


def _check_count(name, value, least=1):
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ShapeError(f"{name} must be an integer of at least {least}, not {value!r}")


# ---- the feature maps of a network

BLOCK_HEIGHT = 2.1
RECESSION = (0.30, 0.24)  # how far a unit of depth goes right and up


def network_shapes(rows: Sequence[tuple[str, tuple[int, ...]]]) -> str:
    """Feature maps as blocks from left to right: rows of (what leads to it, its shape (C, H, W) or (N,)).

    The first row is the input, and its label stands over its block; a comma in a label ends a line.
    Height and depth grow as the square root of H and W, thickness as the logarithm of C, and a
    vector's height as the square root of N; maps and vectors have a scale each.
    Raises ShapeError for other shapes, DerivationError for no rows or more than fit on a line.
    """
    if not rows:
        raise DerivationError("no rows: network_shapes needs at least the shape of the input")
    for label, shape in rows:
        if len(shape) not in (1, 3):
            raise ShapeError(f"{label or 'the input'} has the shape {tuple(shape)}; blocks are (C, H, W) or (N,)")
        for size in shape:
            _check_count(f"a size of {label or 'the input'} {tuple(shape)}", size)
    blocks = _block_sizes([shape for _, shape in rows])
    lefts = _block_positions(rows, blocks)
    floor = -max(height + rise for _, height, _, rise in blocks) / 2

    lines = []
    for i, ((label, shape), (thickness, height, run, rise), left) in enumerate(zip(rows, blocks, lefts, strict=True)):
        lines += _draw_block(left, thickness, height, run, rise)
        middle = left + (thickness + run) / 2
        words = r"\\".join(_label(line) for line in label.split(", "))
        if i > 0:
            start = lefts[i - 1] + blocks[i - 1][0] + blocks[i - 1][2] + 0.08
            end = left - 0.08
            lines.append(rf"\draw[diagram arrow] {_point(start, 0)} -- {_point(end, 0)};")
            lines.append(rf"\node[above,align=center,inner ysep=2pt] at {_point((start + end) / 2, 0)} {{{words}}};")
        elif label:
            lines.append(rf"\node[above,align=center] at {_point(middle, -floor)} {{{words}}};")
        lines.append(rf"\node[below,inner xsep=0pt] at {_point(middle, floor)} {{{_sizes(shape)}}};")
    return _picture(lines)


def _block_sizes(shapes):
    """For each shape (thickness, height, run, rise); run and rise are those of the edges that recede."""
    largest_map = max((max(shape[1:]) for shape in shapes if len(shape) == 3), default=1)
    largest_vector = max((shape[0] for shape in shapes if len(shape) == 1), default=1)
    sizes = []
    for shape in shapes:
        if len(shape) == 1:
            sizes.append((0.16, BLOCK_HEIGHT * math.sqrt(shape[0] / largest_vector), 0.0, 0.0))
        else:
            channels, height, width = shape
            depth = BLOCK_HEIGHT * math.sqrt(width / largest_map)
            height = BLOCK_HEIGHT * math.sqrt(height / largest_map)
            sizes.append((0.08 * math.log2(1 + channels), height, depth * RECESSION[0], depth * RECESSION[1]))
    return sizes


def _block_positions(rows, blocks):
    """The left edge of each block: gaps as wide as their labels, and no shape touching the next."""
    shape_widths = [_text_width("x".join(map(str, shape))) for _, shape in rows]
    label_widths = [max(map(_text_width, label.split(", "))) for label, _ in rows]
    widths = [thickness + run for thickness, _, run, _ in blocks]
    lefts = [0.0]
    for i in range(1, len(rows)):
        gap = max(label_widths[i] + 0.1, 0.8)
        centres = (shape_widths[i - 1] + shape_widths[i]) / 2 + 0.2
        lefts.append(lefts[-1] + max(widths[i - 1] + gap, centres + (widths[i - 1] - widths[i]) / 2))
    sides = [max(0.0, (shape - width) / 2) for shape, width in zip(shape_widths, widths, strict=True)]
    sides[0] = max(sides[0], (label_widths[0] - widths[0]) / 2)
    total = max(left + width + side for left, width, side in zip(lefts, widths, sides, strict=True)) + sides[0]
    if total > TEXT_WIDTH:
        raise DerivationError(
            f"{len(rows)} blocks need {total:.1f} cm of {TEXT_WIDTH:.0f} cm: shorten the labels, break them at a comma "
            "or draw fewer rows"
        )
    return lefts


def _draw_block(left, thickness, height, run, rise):
    bottom = -(height + rise) / 2
    front = rf"{_point(left, bottom)} rectangle {_point(left + thickness, bottom + height)}"
    if run == 0:
        return [rf"\draw[draw=diagramblue,fill=diagramblue!20] {front};"]
    right, top = left + thickness, bottom + height
    back = f"++{_point(run, rise)}"
    return [
        rf"\draw[draw=diagramblue,fill=diagramblue!12] {front};",
        rf"\draw[draw=diagramblue,fill=diagramblue!4] {_point(left, top)} -- {back} -- ++{_point(thickness, 0)}"
        rf" -- {_point(right, top)} -- cycle;",
        rf"\draw[draw=diagramblue,fill=diagramblue!28] {_point(right, bottom)} -- {back} -- ++{_point(0, height)}"
        rf" -- {_point(right, top)} -- cycle;",
    ]


# ---- the GAN of problem 4.2


def gan(n_noise: int = 2, n_data: int = 5) -> str:
    """The GAN of 4.2: noise x -> W_g -> ReLU -> y, a switch between y (fake) and r (real), then W_d -> sigma -> b."""
    for name, value in (("n_noise", n_noise), ("n_data", n_data)):
        _check_count(name, value)
        if value > 8:
            raise DerivationError(f"{name} = {value}: gan draws at most 8 units in a column")
    half = 0.25 * (n_data - 1)  # units stand 0.5 apart
    fake, real = half + 0.5, -half - 0.5
    lines = []

    def column(name, x, y, n):
        lines.extend(
            rf"\node[diagram unit] ({name}{i}) at {_point(x, y + 0.25 * (n - 1) - 0.5 * i)} {{}};" for i in range(n)
        )

    def switch(y):
        return f"({6.95},{y:.2f})"

    column("x", 0, fake, n_noise)
    column("y", 4.4, fake, n_data)
    column("r", 4.4, real, n_data)
    for i in range(n_data):
        lines += [rf"\draw[draw=black!35] (x{j}) -- (2.2,{fake + half - 0.5 * i:.2f});" for j in range(n_noise)]
    return _picture(lines)
