"""The charts, matrices and bars of `panels` for LaTeX: each a tikzpicture that holds its data and needs pgfplots alone.

What comes in are lists of the Chart, Matrix or Bars of `panels`, which stand side by side. Pictures are as wide as the
text; widths below are parts of it.
"""

import numpy as np

from classifier import panels as numbers

NEEDS = r"\usepackage{pgfplots} \pgfplotsset{compat=1.16}"
# TeX is slow with thousands of points, and in the end out of memory.
MOST_POINTS = 200
FEW_POINTS = 30  # each of them gets a marker
SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\ensuremath{<}", ">": r"\ensuremath{>}", "|": r"\ensuremath{|}", "→": r"\ensuremath{\to}"}
    | {"°": r"\ensuremath{^\circ}", "×": r"\ensuremath{\times}", "±": r"\ensuremath{\pm}", "µ": r"\ensuremath{\mu}"}
    | {"–": "--", "—": "---", "\N{NO-BREAK SPACE}": "~"}
)
# The letters and signs beyond ASCII that pdflatex shows without a package.
SHOWN = (
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿ¡¿§©‘’“”…"
    "ĀāĂăĆćĈĉĊċČčĎďĒēĔĕĖėĚěĜĝĞğĠġĢģĤĥĨĩĪīĬĭİıĴĵĶķĹĺĻļĽľŁłŃńŅņŇňŌōŎŏŐőŒœŔŕŖŗŘřŚśŜŝŞşŠšŢţŤťŨũŪūŬŭŮůŰűŴŵŶŷŸŹźŻżŽž"
)
KNOWN = {"\n", *map(chr, range(32, 127)), *map(chr, SPECIAL), *SHOWN}
BREAK = r"\\{}"  # between lines; without the braces, a bracket that follows would be an argument
MARK = "mark size=1.7pt"
MARKS = {"o": "*", "s": "square*", "^": "triangle*"}
AXIS = (
    r"scale only axis, axis lines=left, axis line style={-}, title style={align=center, font=\small}, "
    r"label style={align=center, font=\small}, tick label style={font=\footnotesize}, grid style={black!10}, "
    r"legend style={draw=none, fill=none, font=\footnotesize, cells={anchor=west, align=left}, anchor=north west, "
    r"at={(0,-0.22)}}"
)


def charts(panels):
    """Curves with bands; the legend stands below the first of the axes."""
    width = 0.85 if len(panels) == 1 else 0.39
    first, *others = panels
    colours = {curve.style.colour for panel in panels for curve in (*panel.curves, *panel.marks)}
    parts = [_colour(colour) for colour in sorted(colours)]
    parts += [_axis(first, 0, width), *_contents(first), *_legend(first), r"\end{axis}"]
    for i, panel in enumerate(others, 1):
        parts += [_axis(panel, i * (width + 0.08), width), *_contents(panel), r"\end{axis}"]
    return _picture(parts)


def matrices(panels):
    """One matrix: cells with the percent of the row above the count; the true classes go down."""
    (matrix,) = panels
    return _picture(_matrix(matrix))


def bars(panels):
    """Horizontal bars with whiskers, at most three in a row; classes that repeat those at their left are not named."""
    columns = numbers.columns(panels)
    pitch = 0.83 / columns
    titles = [_lines(panel.panel, round(76 * pitch)) for panel in panels]
    height = 4.5 if columns < 3 else 3.6  # cm
    down = height + 1.8 + 0.4 * (1 + max(title.count(BREAK) for title in titles))
    parts = [_colour(colour) for colour in sorted({panel.style.colour for panel in panels})]
    for i, (panel, title) in enumerate(zip(panels, titles)):
        named = i % columns == 0 or panel.classes != panels[i - 1].classes
        parts.append(
            f"\\begin{{axis}}[{AXIS}, xbar, bar width={height / 16:.2g}cm, y dir=reverse,\n"
            f"  tick align=outside, clip=false,\n"
            f"  at={{({i % columns * pitch:.3g}\\linewidth,{-(i // columns) * down:.2f}cm)}},\n"
            f"  width={pitch - 0.06:.3g}\\linewidth, height={height:.2f}cm, xmin=0, xmax=105, xtick={{0,50,100}},\n"
            f"  title={{{title}}}, title style={{font=\\footnotesize}},\n"
            f"  xlabel={{accuracy (\\%)\\\\dashed: mean, dotted: chance}}, label style={{font=\\footnotesize}},\n"
            f"  ymin=-0.7, ymax={len(panel.classes) - 0.3}, {_ticks('y', panel.classes if named else [])}]"
        )
        parts += [*_bars(panel), r"\end{axis}"]
    return _picture(parts)


def _axis(panel, left, width):
    bottom, top = panel.limits
    title, y_label = _text(panel.panel), "" if left else _lines(panel.y_label, 60)
    return (
        f"\\begin{{axis}}[{AXIS}, grid=major,\n"
        f"  at={{({left:.3g}\\linewidth,0cm)}}, width={width}\\linewidth, height=6.5cm,\n"
        f"  title={{{title}}}, xlabel={{epochs}}, ylabel={{{y_label}}},\n"
        f"  xmin=0, xmax={panel.right:.5g}, ymin={bottom:.5g}, ymax={top:.5g}]"
    )


def _contents(panel):
    """Bands below lines below markers. TeX cannot count far beyond the axis, so values are cut above it."""
    bottom, top = panel.limits
    curves, marks = ([_cut(curve, 2 * top - bottom) for curve in those] for those in (panel.curves, panel.marks))
    lines = [(curve, points) for curve, points in zip(panel.curves, curves) if len(curve.x) > 1]
    dots = [(curve, points) for curve, points in zip(panel.curves, curves) if len(curve.x) == 1]
    for curve, (x, _, low, high) in lines:
        if curve.n_runs > 1:
            edge = _points(zip([*x, *x[::-1]], [*high, *low[::-1]]))
            yield f"\\addplot[draw=none, fill={_name(curve)}, fill opacity=0.2, forget plot] {edge} -- cycle;"
    for curve, (x, mean, _, _) in lines:
        yield f"\\addplot[{_look(curve)}, forget plot] {_points(zip(x, mean))};"
    filled = [(curve, points, _name(curve)) for curve, points in dots]
    hollow = [(curve, points, "white") for curve, points in zip(panel.marks, marks)]
    for curve, points, inside in filled + hollow:
        look = f"{_name(curve)}, only marks, {MARK}, mark={MARKS[curve.style.mark]}, mark options={{fill={inside}}}"
        ends = " ".join(f"({x:.5g},{m:.5g}) += (0,{b - m:.5g}) -= (0,{m - a:.5g})" for x, m, a, b in zip(*points))
        yield f"\\addplot[{look}, forget plot, error bars/.cd, y dir=both, y explicit] coordinates {{{ends}}};"
    value = panel.chance[0]
    yield f"\\addplot[gray, densely dotted, thick, forget plot] {_points([(0, value), (panel.right, value)])};"


def _legend(panel):
    entries = [(_look(curve), curve.label) for curve in panel.curves]
    entries += (
        [(f"gray, only marks, {MARK}, mark=*, mark options={{fill=white}}", panel.marks_label)] if panel.marks else []
    )
    entries += [("gray, densely dotted, thick", panel.chance[1])]
    return [f"\\addlegendimage{{{look}}}\\addlegendentry{{{_lines(label, 60)}}}" for look, label in entries]


def _look(curve):
    width = "thick" if curve.n_runs > 1 else "thin"
    mark = f", mark={MARKS[curve.style.mark]}, mark size=1.3pt, mark options=solid"
    return f"{_name(curve)}, {curve.style.dash}, {width}{mark if len(curve.x) <= FEW_POINTS else ''}"


def _cut(curve, top):
    """x, mean, low, high at no more than MOST_POINTS points, the first and the last among them."""
    n = len(curve.x)
    kept = np.unique(np.linspace(0, n - 1, min(n, MOST_POINTS)).round().astype(int))
    return curve.x[kept], *(np.minimum(values[kept], top) for values in (curve.mean, curve.low, curve.high))


def _matrix(panel):
    n = len(panel.classes)
    yield (
        f"\\begin{{axis}}[{AXIS}, axis lines=box, axis on top, tick style={{draw=none}},\n"
        f"  enlargelimits=false, y dir=reverse, width=0.8\\linewidth, height=0.74\\linewidth,\n"
        f"  title={{{_lines(panel.title, 60)}}}, ylabel={{true class}},\n"
        f"  xlabel={{predicted class (in a cell: percent of its row, number)}},\n"
        f"  {_ticks('x', panel.classes)}, x tick label style={{rotate=40, anchor=north east}},\n"
        f"  {_ticks('y', panel.classes)},\n"
        f"  colormap={{cells}}{{color=(white) rgb255=(8,69,148)}}, point meta min=0, point meta max={panel.top:.5g}]"
    )
    cells = [f"({column},{row}) [{percent:.5g}]" for (row, column), percent in np.ndenumerate(panel.percent)]
    yield f"\\addplot[matrix plot*, mesh/cols={n}, point meta=explicit] coordinates {{\n{' '.join(cells)}}};"
    for (row, column), percent in np.ndenumerate(panel.percent):
        colour = "white" if panel.dark[row, column] else "black"
        text = f"\\footnotesize {percent:.1f}\\\\[-3pt]\\tiny {panel.counts[row, column]}"
        yield f"\\node[text={colour}, align=center, inner sep=0pt] at (axis cs:{column},{row}) {{{text}}};"
    yield r"\end{axis}"


def _bars(panel):
    n, mean = len(panel.classes), panel.mean.mean()
    ends = list(zip(range(n), panel.mean, panel.low, panel.high))
    points = " ".join(f"({m:.5g},{k}) += ({b - m:.5g},0) -= ({m - a:.5g},0)" for k, m, a, b in ends)
    look = f"draw=none, fill=c{panel.style.colour}, fill opacity=0.75"
    whiskers = ", error bars/.cd, x dir=both, x explicit" if (panel.high > panel.low).any() else ""
    yield f"\\addplot[{look}{whiskers}] coordinates {{{points}}};"
    for look, x in (("dashed", mean), ("gray, densely dotted, thick", panel.chance)):
        yield f"\\draw[{look}] (axis cs:{x:.5g},-0.7) -- (axis cs:{x:.5g},{n - 0.3});"
    look = "anchor=west, font=\\tiny, fill=white, inner sep=1pt, xshift=2pt"
    for k, m, _, b in ends:
        yield f"\\node[{look}] at (axis cs:{b:.5g},{k}) {{{m:.1f}}};"


def _picture(parts):
    return "\n".join([f"% needs {NEEDS}", r"\begin{tikzpicture}", *parts, r"\end{tikzpicture}", ""])


def _colour(colour):
    return f"\\definecolor{{c{colour}}}{{HTML}}{{{colour}}}"


def _name(curve):
    return f"c{curve.style.colour}"


def _points(pairs):
    return f"coordinates {{{' '.join(f'({x:.5g},{y:.5g})' for x, y in pairs)}}}"


def _ticks(axis, names):
    labels = ",".join(f"{{{_text(name)}}}" for name in names)
    places = ",".join(map(str, range(len(names))))
    return f"{axis}tick={{{places}}}, {axis}ticklabels={{{labels}}}"


def _text(text):
    """As one line."""
    return _plain(text).replace("\n", " ").translate(SPECIAL)


def _lines(text, width):
    return BREAK.join(map(_text, numbers.wrapped(_plain(text), width).split("\n")))


def _plain(text):
    """The text with a space for other whitespace, and its code point for what pdflatex does not show."""
    return "".join(c if c in KNOWN else " " if c.isspace() else f"U+{ord(c):04X}" for c in text)
