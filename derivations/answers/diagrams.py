"""Diagrams and plots of the answers: each function returns one tikzpicture as LaTeX, which needs PREAMBLE.

Lengths are centimetres, nothing is wider than TEXT_WIDTH, and the same arguments give the same string.
"""

import itertools
import math
import re
from collections.abc import Mapping, Sequence

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
  diagram unit/.style={circle,draw=black!65,fill=white,minimum size=0.3cm,inner sep=0pt},
  diagram weight/.style={draw=black!40},
  diagram block/.style={draw=diagramblue,fill=diagramblue!10,rounded corners=1.5pt,inner sep=0pt},
  diagram frame/.style={draw=black!45,dash pattern=on 2pt off 2pt,rounded corners=3pt,inner sep=0.2cm},
  diagram brace/.style={draw=black!65,decorate,decoration={brace,amplitude=3pt,raise=2pt}},
  diagram pixel/.style={draw=black!65,rectangle,inner sep=0pt},
  diagram padding/.style={dash pattern=on 1.5pt off 1.5pt,text=black!55},
  diagram unused/.style={fill=black!18,text=black!55},
  diagram output/.style={draw=diagramblue,fill=diagramblue!12},
  diagram window/.style={draw=diagramblue,line width=0.8pt,{Bar[width=1.8mm]}-{Bar[width=1.8mm]}},
  diagram name/.style={fill=white,inner xsep=1.5pt,inner ysep=0pt}}
\pgfplotsset{
  diagram axis/.style={
    width=14cm,height=6cm,axis lines=left,axis line style={black!65,-},tick style={black!65},tick align=outside,
    ymajorgrids,grid style={black!12},enlarge x limits=0.02,enlarge y limits=0.06,font=\footnotesize,
    max space between ticks=60,scaled x ticks=false,
    extra y ticks={0},extra y tick labels={},extra y tick style={grid style={black!40},tick style={draw=none}},
    xticklabel style={/pgf/number format/.cd,fixed relative,precision=4,1000 sep={\,}},
    legend cell align=left,
    legend style={at={(0.5,-0.26)},anchor=north,draw=none,fill=none,
      /tikz/every odd column/.append style={column sep=0.1cm},
      /tikz/every even column/.append style={column sep=0.5cm}}}}
"""

TEXT_WIDTH = 16.0  # A4 with margins of 2.5 cm


# ---- text and numbers

ESCAPES = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    '"': "''",
    **{character: f"\\{character}" for character in "{}$&#_%"},
    # In OT1 these three print as other characters.
    **{character: f"${character}$" for character in "<>|"},
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


def thousands(number):
    """12345 as 12\\,345."""
    return f"{int(number):,}".replace(",", r"\,")


def _label(text):
    """Escaped text, with a product of sizes such as 5x5 set as a formula; a comma ends a line."""
    pieces = re.split(r"(\d+(?:[x×]\d+)+)", text)
    label = "".join(_sizes(re.split("[x×]", piece)) if i % 2 else escape(piece) for i, piece in enumerate(pieces))
    return label.replace(", ", r"\\")


def _sizes(sizes):
    return "$" + r"{\times}".join(str(size) for size in sizes) + "$"


# Computer Modern in em, rounded up; what is not here is 0.54 wide or a capital.
CHARACTER_WIDTHS = {
    **dict.fromkeys("ijl.,:;'|", 0.3),
    **dict.fromkeys("frst-() ", 0.4),
    **dict.fromkeys("mwMW×=+", 0.83),
}


def _text_width(text):
    """Width of plain text in footnotesize of an 11 pt document, where one em is 9.25 pt or 0.325 cm."""
    text = re.sub(r"(?<=\d)x(?=\d)", "×", text)
    return 0.325 * sum(CHARACTER_WIDTHS.get(c, 0.75 if c.isupper() else 0.54) for c in text)


def _point(x, y):
    return f"({round(x, 3) + 0.0:g},{round(y, 3) + 0.0:g})"  # + 0.0: no "-0"


def _number(value):
    return f"{value + 0.0:.4g}"


def _picture(lines):
    return "\n".join([r"\begin{tikzpicture}[diagram]", *(f"  {line}" for line in lines), r"\end{tikzpicture}"]) + "\n"


def _check_count(name, value, least=1):
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ShapeError(f"{name} must be an integer of at least {least}, not {value!r}")


# ---- the feature maps of a network

BLOCK_HEIGHT = 2.1
RECESSION = (0.30, 0.24)  # how far a unit of depth goes to the right and up


def network_shapes(rows: Sequence[tuple[str, tuple[int, ...]]]) -> str:
    """Feature maps as blocks from left to right: rows of (what leads to it, its shape (C, H, W) or (N,)).

    The first row is the input, and its label stands over its block; a comma in a label ends a line.
    Height and depth grow as the square root of H and W, thickness as the logarithm of C, and a
    vector's height as the square root of N; maps and vectors have a scale each.
    Raises ShapeError for other shapes, DerivationError for no rows or for more than fit on a line.
    """
    if not rows:
        raise DerivationError("no rows: network_shapes needs at least the shape of the input")
    for label, shape in rows:
        if len(shape) not in (1, 3):
            raise ShapeError(f"{label or 'input'} has the shape {tuple(shape)}; blocks are (C, H, W) or (N,)")
        for size in shape:
            _check_count(f"each size of {label or 'input'} {tuple(shape)}", size)
    blocks = _block_sizes([shape for _, shape in rows])
    lefts = _block_positions(rows, blocks)
    floor = -max(height + rise for _, height, _, rise in blocks) / 2

    lines = []
    for i, ((label, shape), (thickness, height, run, rise), left) in enumerate(zip(rows, blocks, lefts, strict=True)):
        middle = left + (thickness + run) / 2
        lines += _draw_block(left, thickness, height, run, rise)
        if i > 0:
            start, end = lefts[i - 1] + blocks[i - 1][0] + blocks[i - 1][2] + 0.08, left - 0.08
            centre = _point((start + end) / 2, 0)
            lines.append(rf"\draw[diagram arrow] {_point(start, 0)} -- {_point(end, 0)};")
            lines.append(rf"\node[above,align=center,inner ysep=2pt] at {centre} {{{_label(label)}}};")
        elif label:
            lines.append(rf"\node[above,align=center] at {_point(middle, -floor)} {{{_label(label)}}};")
        lines.append(rf"\node[below,inner xsep=0pt] at {_point(middle, floor)} {{{_sizes(shape)}}};")
    return _picture(lines)


def _block_sizes(shapes):
    """For each shape (thickness, height, run, rise); run and rise are those of the receding edges."""
    largest_map = max((max(shape[1:]) for shape in shapes if len(shape) == 3), default=1)
    largest_vector = max((shape[0] for shape in shapes if len(shape) == 1), default=1)
    sizes = []
    for shape in shapes:
        if len(shape) == 1:
            sizes.append((0.16, BLOCK_HEIGHT * math.sqrt(shape[0] / largest_vector), 0.0, 0.0))
        else:
            height, depth = (BLOCK_HEIGHT * math.sqrt(size / largest_map) for size in shape[1:])
            sizes.append((0.08 * math.log2(1 + shape[0]), height, depth * RECESSION[0], depth * RECESSION[1]))
    return sizes


def _block_positions(rows, blocks):
    """The left edge of each block: gaps wider than their labels, no shape touches the next, and air while it fits."""
    label_widths = [max(map(_text_width, label.split(", "))) for label, _ in rows]
    shape_widths = [_text_width("x".join(map(str, shape))) for _, shape in rows]
    widths = [thickness + run for thickness, _, run, _ in blocks]
    lefts = [0.0]
    for i in range(1, len(rows)):
        gap = max(label_widths[i] + 0.08, 0.7)
        between_centres = (shape_widths[i - 1] + shape_widths[i]) / 2 + 0.15
        lefts.append(lefts[-1] + max(widths[i - 1] + gap, between_centres + (widths[i - 1] - widths[i]) / 2))
    overhangs = [max(0.0, (shape - width) / 2) for shape, width in zip(shape_widths, widths, strict=True)]
    overhangs[0] = max(overhangs[0], (label_widths[0] - widths[0]) / 2)
    total = overhangs[0] + max(map(sum, zip(lefts, widths, overhangs, strict=True)))
    if total > TEXT_WIDTH:
        raise DerivationError(
            f"{len(rows)} blocks need {total:.1f} cm where {TEXT_WIDTH:.0f} cm are: shorten the labels, "
            "end their lines with commas or draw fewer rows"
        )
    air = min(0.25, (TEXT_WIDTH - total) / len(rows))
    return [left + i * air for i, left in enumerate(lefts)]


def _draw_block(left, thickness, height, run, rise):
    bottom = -(height + rise) / 2
    right, top = left + thickness, bottom + height
    front = f"{_point(left, bottom)} rectangle {_point(right, top)}"
    if run == 0:
        return [rf"\draw[draw=diagramblue,fill=diagramblue!20] {front};"]
    behind = [_point(x + run, y + rise) for x, y in ((left, top), (right, top), (right, bottom))]
    return [
        rf"\draw[draw=diagramblue,fill=diagramblue!12] {front};",
        rf"\draw[draw=diagramblue,fill=diagramblue!4] "
        f"{_point(left, top)} -- {behind[0]} -- {behind[1]} -- {_point(right, top)} -- cycle;",
        rf"\draw[draw=diagramblue,fill=diagramblue!28] "
        f"{_point(right, top)} -- {behind[1]} -- {behind[2]} -- {_point(right, bottom)} -- cycle;",
    ]


# ---- the GAN of problem 4.2

UNIT_PITCH = 0.42


def gan(n_noise: int = 2, n_data: int = 5) -> str:
    """The GAN of 4.2: noise x -> W_g -> ReLU -> y, a switch between y (fake) and r (real), then W_d -> sigma -> b."""
    for name, value in (("n_noise", n_noise), ("n_data", n_data)):
        _check_count(name, value)
        if value > 8:
            raise DerivationError(f"{name} = {value}: gan draws at most 8 units in a column")
    heights = _unit_heights(n_data)
    top, noise_top = heights[0], _unit_heights(n_noise)[0]
    reach = max(top, noise_top)
    fake, real = reach + 0.6, -reach - 0.6  # heights of the two branches; the switch is at 0

    lines = [
        rf"\node[diagram block,minimum width=0.5cm,minimum height={max(2 * top + 0.4, 1):.2f}cm] "
        rf"at {_point(2.6, fake)} {{\rotatebox{{90}}{{ReLU}}}};",
        *_units("x", 0, fake, n_noise),
        *_units("y", 4.1, fake, n_data),
        *_units("r", 4.1, real, n_data),
        *_units("d", 8.1, 0, n_data),
        r"\node[diagram block,circle,minimum size=0.6cm] (sigma) at (10.4,0) {$\sigma$};",
        r"\node[diagram unit,minimum size=0.6cm] (b) at (12.1,0) {$b$};",
        r"\draw[diagram arrow] (sigma) -- (b);",
    ]
    for i, height in enumerate(heights):
        lines += [rf"\draw[diagram weight] (x{j}) -- {_point(2.35, fake + height)};" for j in range(n_noise)]
        lines.append(rf"\draw[diagram arrow] {_point(2.85, fake + height)} -- (y{i});")
        lines.append(rf"\draw[diagram weight] (d{i}) -- (sigma);")
    for height, contact in ((fake, 0.42), (real, -0.42)):
        lines.append(rf"\draw[diagram brace] {_point(4.27, height + top + 0.1)} -- {_point(4.27, height - top - 0.1)};")
        path = ((4.5, height), (5.35, height), (5.35, contact), (5.9, contact))
        lines.append(rf"\draw[draw=black!65] {' -- '.join(_point(*corner) for corner in path)};")
    lines += [
        # The switch stands on "fake".
        r"\draw[draw=black!50,dash pattern=on 1.5pt off 1.5pt] (6.8,0) -- (5.9,-0.42);",
        r"\draw[draw=diagramblue,line width=0.9pt] (6.8,0) -- (5.9,0.42);",
        *(rf"\draw[fill=white] {place} circle[radius=0.05];" for place in ("(5.9,0.42)", "(5.9,-0.42)", "(6.8,0)")),
        r"\node[above=2pt] at (5.95,0.42) {fake};",
        r"\node[below=2pt] at (5.95,-0.42) {real};",
        r"\draw[diagram arrow] (6.85,0) -- (7.7,0);",
        rf"\draw[diagram brace] {_point(7.93, -top - 0.1)} -- {_point(7.93, top + 0.1)};",
        rf"\node[left] at {_point(-0.15, fake)} {{noise $\mathbf{{x}}$}};",
        rf"\node[above] at {_point(4.1, fake + top + 0.12)} {{generated $\mathbf{{y}}$}};",
        rf"\node[above] at {_point(4.1, real + top + 0.12)} {{real data $\mathbf{{r}}$}};",
        rf"\node[above] at {_point(8.1, top + 0.12)} {{$\mathbf{{y}}$ or $\mathbf{{r}}$}};",
        rf"\node[above] (wg) at {_point(1.5, fake + reach + 0.05)} {{$\mathbf{{W}}_g$, {_sizes((n_data, n_noise))}}};",
        rf"\node[above] (wd) at {_point(9.8, top + 0.05)} {{$\mathbf{{W}}_d$, {_sizes((1, n_data))}}};",
        r"\node[below=1mm of b,align=center] {probability\\that it is real};",
        rf"\node[diagram frame,fit={{(wg){_point(0.7, fake - reach - 0.2)}{_point(2.85, fake)}}},"
        r"label=above:generator] {};",
        rf"\node[diagram frame,fit={{(wd){_point(9, -top - 0.2)}(sigma)}},label=above:discriminator] {{}};",
    ]
    return _picture(lines)


def _unit_heights(n):
    """Heights of a column's units around 0, from the top."""
    return [UNIT_PITCH * ((n - 1) / 2 - i) for i in range(n)]


def _units(name, x, y, n):
    return [
        rf"\node[diagram unit] ({name}{i}) at {_point(x, y + height)} {{}};"
        for i, height in enumerate(_unit_heights(n))
    ]


# ---- the windows of a convolution

MAX_PIXELS = 24  # more, and no label fits into a pixel
ROW_PITCH = 0.42


def convolution_windows(size: int, kernel: int, stride: int = 1, padding: int = 0) -> str:
    """One axis of a convolution: its pixels, the kernel's windows under them, and the pixels that the floor drops.

    Raises ShapeError where there is no output, DerivationError for more than MAX_PIXELS padded pixels.
    """
    for name, value, least in (
        ("size", size, 1),
        ("kernel", kernel, 1),
        ("stride", stride, 1),
        ("padding", padding, 0),
    ):
        _check_count(name, value, least)
    n_pixels = size + 2 * padding
    if kernel > n_pixels:
        raise ShapeError(f"the kernel of {kernel} is larger than the {n_pixels} pixels of the padded input")
    if n_pixels > MAX_PIXELS:
        raise DerivationError(f"{n_pixels} pixels with padding: convolution_windows draws at most {MAX_PIXELS}")
    n_steps, n_unused = divmod(n_pixels - kernel, stride)
    n_outputs = n_steps + 1
    unit = min(0.75, 11.3 / n_pixels)
    n_rows = min(n_outputs, -(-kernel // stride))  # windows on the same row do not overlap
    bottom = -unit - max(n_rows * ROW_PITCH, 0.75 if n_unused else 0)
    size_command = r"\scriptsize" if unit < 0.65 else ""

    lines = []
    for i in range(n_pixels):
        is_padding = not padding <= i < padding + size
        styles = ["diagram pixel"] + ["diagram padding"] * is_padding + ["diagram unused"] * (i >= n_pixels - n_unused)
        text = "0" if is_padding else f"x_{{{i - padding + 1}}}"
        centre = _point((i + 0.5) * unit, -unit / 2)
        lines.append(rf"\node[{','.join(styles)},minimum size={unit:.3f}cm] at {centre} {{{size_command}${text}$}};")
    for i in range(n_outputs):
        left, right = i * stride * unit + 0.06, (i * stride + kernel) * unit - 0.06
        y = -unit - ROW_PITCH * (i % n_rows + 0.65)
        lines.append(
            rf"\draw[diagram window] {_point(left, y)} -- node[diagram name] {{$y_{{{i + 1}}}$}} {_point(right, y)};"
        )
    if n_unused:
        start, end = (_point(i * unit, -unit - 0.04) for i in (n_pixels, n_pixels - n_unused))
        lines.append(rf"\draw[diagram brace] {start} -- {end};")
        place = _point((n_pixels - n_unused) * unit, -unit - 0.42)
        lines.append(rf"\node[right,inner xsep=2pt] at {place} {{{n_unused} unused}};")
    added = rf"+2\cdot{padding}" if padding else ""
    numerator = f"{size}{added}-{kernel}"
    pixels = _plural(size, "pixel") + (f", padding {padding}" if padding else "")
    count = rf"\lfloor({numerator})/{stride}\rfloor+1=\lfloor{n_pixels - kernel}/{stride}\rfloor+1={n_outputs}"
    lines += [
        rf"\node[left] at {_point(-0.15, -unit / 2)} {{{pixels}}};",
        rf"\node[left] at {_point(-0.15, -unit - n_rows * ROW_PITCH / 2 - 0.06)} "
        rf"{{windows of {kernel}, stride {stride}}};",
        rf"\node[left] at {_point(-0.15, bottom - 0.4)} {{{_plural(n_outputs, 'output')}}};",
        rf"\node[right,inner xsep=0pt] at {_point(0, bottom - 0.4)} {{${count}$}};",
    ]
    return _picture(lines)


def _plural(n, noun):
    return f"{n} {noun}" + "s" * (n != 1)


# ---- plots

# Colours of Okabe & Ito (2008), told apart with the common colour blindnesses; our accent stands for their blue.
COLOURS = ("diagramblue", "diagramred", "diagramgreen", "black!60", "diagrampurple", "diagramsky")
DASHES = ("solid", "dashed", "dash dot", "densely dotted", "dash dot dot", "loosely dashed")
MAX_POINTS = 200
MAX_MARKED = 25  # points of a curve that gets a mark at each
MAX_CURVES = len(COLOURS) * len(DASHES)

# (alpha lambda, what becomes of w)
SHRINKAGES = ((0.1, "shrinks"), (0.75, "flips, shrinks"), (1.1, "flips, diverges"))


def loss_curves(series: Mapping[str, Sequence[tuple[float, float]]], xlabel: str, ylabel: str) -> str:
    """An axis with a curve for each name and a legend under it; names and labels are text, not LaTeX.

    Curves of more than MAX_POINTS points show the means of MAX_POINTS bins.
    Raises DerivationError for no curves or points, numbers that are not finite, or x that goes back.
    """
    for name, points in series.items():
        _check_curve(name, points)
    curves = [(escape(name), points) for name, points in series.items()]
    return _axis(curves, escape(xlabel), escape(ylabel))


def update_shrinkage() -> str:
    """What w <- (1 - 2 alpha lambda) w makes of w = 1 in eight steps without a gradient, for each of SHRINKAGES."""
    curves = [
        (rf"$\alpha\lambda={rate:g}$: {effect}", [(step, (1 - 2 * rate) ** step) for step in range(9)])
        for rate, effect in SHRINKAGES
    ]
    return _axis(curves, "step $t$", "$w_t$")


def thin(points: Sequence[tuple[float, float]], n_bins: int = MAX_POINTS) -> list[tuple[float, float]]:
    """At most n_bins points: the means of x and y over runs of neighbours whose lengths differ by one at most."""
    if len(points) <= n_bins:
        return list(points)
    ends = [len(points) * i // n_bins for i in range(n_bins + 1)]
    return [_mean(points[start:end]) for start, end in itertools.pairwise(ends)]


def _mean(points):
    xs, ys = zip(*points, strict=True)
    return math.fsum(xs) / len(xs), math.fsum(ys) / len(ys)


def _check_curve(name, points):
    if len(points) == 0:
        raise DerivationError(f"the curve {name!r} has no points")
    for i, (x, y) in enumerate(points):
        if not (math.isfinite(x) and math.isfinite(y)):
            raise DerivationError(f"point {i} of the curve {name!r} is ({x}, {y}); a plot takes finite numbers only")
        if i and x < points[i - 1][0]:
            raise DerivationError(f"the curve {name!r} goes back from x = {points[i - 1][0]} to {x}; sort it by x")


def _axis(curves, xlabel, ylabel):
    """The pgfplots axis of curves, pairs of (legend, points); all text is LaTeX already."""
    if not curves:
        raise DerivationError("no curves: a plot needs at least one")
    if len(curves) > MAX_CURVES:
        raise DerivationError(f"{len(curves)} curves: a plot tells at most {MAX_CURVES} apart")
    layout = f"legend columns={_legend_columns([legend for legend, _ in curves])}{_tick_option(curves)}"
    lines = [rf"\begin{{axis}}[diagram axis,xlabel={{{xlabel}}},ylabel={{{ylabel}}},{layout}]"]
    for i, (legend, points) in enumerate(curves):
        dash = DASHES[(i + i // len(COLOURS)) % len(DASHES)]
        marks = "mark=*,mark size=1pt,mark options={solid}" if len(points) <= MAX_MARKED else "no markers"
        # Lines of ten points: TeX reads long lines, people do not.
        coordinates = [f"({_number(x)},{_number(y)})" for x, y in thin(points)]
        rows = [" ".join(coordinates[start : start + 10]) for start in range(0, len(coordinates), 10)]
        lines.append(rf"\addplot[{COLOURS[i % len(COLOURS)]},line width=0.7pt,{dash},{marks}] coordinates {{")
        lines += [*rows, "};", rf"\addlegendentry{{{legend}}}"]
    return _picture([*lines, r"\end{axis}"])


def _legend_columns(legends):
    """As many columns as the axis is wide for, the rows about equally long."""
    # A command is about as wide as a letter; 1.4 cm are the sample of the line and the space between columns.
    widths = [1.4 + _text_width(re.sub(r"[${}\\]", "", re.sub(r"\\[a-z]+", "x", legend))) for legend in legends]
    for n_rows in range(1, len(widths) + 1):
        columns = -(-len(widths) // n_rows)
        if sum(max(widths[column::columns]) for column in range(columns)) < 14.5:
            return columns
    raise DerivationError(f"a legend of {max(widths) - 1.4:.1f} cm does not fit under the plot; shorten the name")


def _tick_option(curves):
    """A tick at each epoch or step where they are few, so that no half epoch is named."""
    xs = [x for _, points in curves for x, _ in points]
    is_few = all(x == int(x) for x in xs) and 1 <= max(xs) - min(xs) <= 15
    return ",xtick distance=1" if is_few else ""
