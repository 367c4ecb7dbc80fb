"""The diagrams: what is drawn is what was computed, every error has its message, and pdflatex sets them in the page."""

import itertools
import math
import re
import shutil
import subprocess

import pytest

from derivations.answers import diagrams
from derivations.errors import DerivationError, ShapeError

LENET = (
    ("", (3, 32, 32)),
    ("conv 5x5, ReLU", (6, 28, 28)),
    ("max-pool 2", (6, 14, 14)),
    ("conv 5x5, ReLU", (16, 10, 10)),
    ("max-pool 2", (16, 5, 5)),
    ("flatten", (400,)),
    ("fc, ReLU", (120,)),
    ("fc, ReLU", (84,)),
    ("fc", (10,)),
)
NOISY = [(i, math.sin(i) + 100 / (i + 1)) for i in range(1003)]

# size, kernel, stride, padding -> outputs and unused pixels, counted by hand
WINDOWS = {
    (8, 3, 2, 1): (4, 1),
    (7, 3, 2, 1): (4, 0),
    (6, 3, 1, 0): (4, 0),
    (12, 5, 3, 0): (3, 1),
    (9, 2, 4, 0): (2, 3),
    (20, 5, 2, 2): (10, 1),
    (1, 1, 1, 0): (1, 0),
}

PICTURES = {
    "LeNet": lambda: diagrams.network_shapes(LENET),
    "one block": lambda: diagrams.network_shapes([("image_1 & 50%", (3, 8, 8))]),
    "GAN": diagrams.gan,
    "wide GAN": lambda: diagrams.gan(8, 1),
    **{
        f"windows {arguments}": lambda arguments=arguments: diagrams.convolution_windows(*arguments)
        for arguments in WINDOWS
    },
    "losses": lambda: diagrams.loss_curves(
        {"training_1 #2": NOISY, "validation": [(0, 3), (1000, 1)]}, "x < 3", "100%"
    ),
    "many losses": lambda: diagrams.loss_curves({f"run {i} of ten": [(1, i), (2, 1)] for i in range(10)}, "x", "y"),
    "constant loss": lambda: diagrams.loss_curves({"lazy": [(1, 2.5), (2, 2.5)]}, "epoch", "loss"),
    "one point": lambda: diagrams.loss_curves({"only": [(1, 2.5)]}, "epoch", "loss"),
    "shrinkage": diagrams.update_shrinkage,
}


def coordinates(picture):
    """The numbers of each \\addplot."""
    blocks = re.findall(r"coordinates\s*\{([^}]*)\}", picture)
    return [[(float(x), float(y)) for x, y in re.findall(r"\(([^,]+),([^)]+)\)", block)] for block in blocks]


@pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES.keys())
def test_picture_is_one_environment_of_ascii_and_the_same_each_time(draw):
    picture = draw()
    assert picture == draw()
    assert picture.isascii()
    assert picture.startswith(r"\begin{tikzpicture}") and picture.endswith("\\end{tikzpicture}\n")
    assert picture.count(r"\begin{tikzpicture}") == 1
    assert "figure" not in picture and "-0," not in picture and "-0)" not in picture


def test_every_shape_and_label_of_the_network_appears():
    picture = diagrams.network_shapes(LENET)
    for _, shape in LENET:
        assert "{$" + r"{\times}".join(map(str, shape)) + "$}" in picture
    assert picture.count("diagram arrow") == len(LENET) - 1
    assert picture.count(r"{conv $5{\times}5$\\ReLU}") == 2
    assert picture.count("{flatten}") == 1


def test_sides_of_blocks_grow_as_the_square_root():
    (_, large, *_), (_, small, *_), (_, long, *_), (_, short, *_) = diagrams._block_sizes(
        [(3, 32, 32), (3, 8, 8), (400,), (100,)]
    )
    assert large / small == pytest.approx(2)
    assert long / short == pytest.approx(2)


def test_blocks_leave_room_for_their_labels():
    # Widths in cm that pdflatex measures in 9 pt Computer Modern.
    measured = {"conv 5x5, ReLU": 1.34, "max-pool 2": 1.60, "flatten": 0.92, "fc, ReLU": 0.83, "fc": 0.24}
    blocks = diagrams._block_sizes([shape for _, shape in LENET])
    lefts = diagrams._block_positions(LENET, blocks)
    ends = [left + thickness + run for left, (thickness, _, run, _) in zip(lefts, blocks, strict=True)]
    for (label, _), start, end in zip(LENET[1:], ends, lefts[1:], strict=False):
        assert end - start > measured[label] + 0.1
    assert ends[-1] - lefts[0] < diagrams.TEXT_WIDTH


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([], DerivationError, "no rows"),
        ([("pool", (3, 32))], ShapeError, r"pool has the shape \(3, 32\); blocks are \(C, H, W\) or \(N,\)"),
        ([("", (0,))], ShapeError, r"each size of input \(0,\) must be an integer of at least 1, not 0"),
        ([("", (3, 2.5, 1))], ShapeError, "not 2.5"),
        ([("convolution", (3, 32, 32))] * 12, DerivationError, "12 blocks need .* cm where 16 cm are"),
    ],
)
def test_network_that_cannot_be_drawn(rows, error, message):
    with pytest.raises(error, match=message):
        diagrams.network_shapes(rows)


@pytest.mark.parametrize("sizes", [(2, 5), (3, 4), (6, 2), (1, 1)])
def test_gan_has_every_unit_weight_and_symbol(sizes):
    n_noise, n_data = sizes
    picture = diagrams.gan(*sizes)
    assert len(re.findall(r"\((?:x|y|r|d)\d+\) at", picture)) == n_noise + 3 * n_data
    assert picture.count("diagram weight") == n_noise * n_data + n_data
    assert rf"$\mathbf{{W}}_g$, ${n_data}{{\times}}{n_noise}$" in picture
    assert rf"$\mathbf{{W}}_d$, $1{{\times}}{n_data}$" in picture
    for symbol in (r"\mathbf{x}", r"\mathbf{y}", r"\mathbf{r}", r"$\sigma$", "$b$", "ReLU", "{fake}", "{real}"):
        assert symbol in picture


def test_gan_of_too_many_units():
    with pytest.raises(DerivationError, match="n_data = 9: gan draws at most 8"):
        diagrams.gan(2, 9)
    with pytest.raises(ShapeError, match="n_noise must be an integer of at least 1, not 0"):
        diagrams.gan(0, 5)


@pytest.mark.parametrize(("arguments", "counts"), WINDOWS.items(), ids=str)
def test_windows_pixels_and_the_rest(arguments, counts):
    size, kernel, stride, padding = arguments
    n_outputs, n_unused = counts
    picture = diagrams.convolution_windows(*arguments)
    assert picture.count("[diagram window]") == n_outputs
    assert picture.count("diagram unused") == n_unused
    assert picture.count("diagram padding") == 2 * padding
    assert picture.count("diagram pixel") == size + 2 * padding
    assert (f"{n_unused} unused" in picture) == (n_unused > 0)
    assert f"={n_outputs}$" in picture
    assert f"windows of {kernel}, stride {stride}" in picture


def test_windows_begin_a_stride_apart_and_do_not_overlap_on_a_row():
    picture = diagrams.convolution_windows(8, 3, 1, 1)
    bars = re.findall(r"window\] \(([^,]+),([^)]+)\) -- .* \(([^,]+),[^)]+\);", picture)
    starts = sorted(float(start) for start, _, _ in bars)
    assert [b - a for a, b in itertools.pairwise(starts)] == pytest.approx([0.75] * 7)
    for row in {y for _, y, _ in bars}:
        on_row = sorted((float(start), float(end)) for start, y, end in bars if y == row)
        assert all(end < start for (_, end), (start, _) in itertools.pairwise(on_row))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((4, 7, 1, 1), ShapeError, "the kernel of 7 is larger than the 6 pixels of the padded input"),
        ((8, 3, 0, 0), ShapeError, "stride must be an integer of at least 1, not 0"),
        ((8, 3, 1, -1), ShapeError, "padding must be an integer of at least 0, not -1"),
        ((8, 3, 1, 0.5), ShapeError, "padding must be an integer of at least 0, not 0.5"),
        ((32, 5, 1, 0), DerivationError, "32 pixels with padding: convolution_windows draws at most 24"),
    ],
)
def test_convolution_that_cannot_be_drawn(arguments, error, message):
    with pytest.raises(error, match=message):
        diagrams.convolution_windows(*arguments)


def test_thinning_keeps_the_mean():
    points = NOISY[:1000]  # bins of five
    thinned = diagrams.thin(points)
    assert len(thinned) == diagrams.MAX_POINTS
    for i in (0, 1):
        assert math.fsum(p[i] for p in thinned) / 200 == pytest.approx(math.fsum(p[i] for p in points) / 1000)


def test_thinning_uses_every_point_once_and_leaves_short_curves_alone():
    assert diagrams.thin(NOISY[:200]) == NOISY[:200]
    assert diagrams.thin([(0, 1), (1, 2), (2, 6), (3, 8), (4, 9)], 2) == [(0.5, 1.5), (3, 23 / 3)]


def test_curves_are_thinned_and_written_with_four_digits():
    picture = diagrams.loss_curves({"long": NOISY, "short": [(0, 1 / 3), (62500, -0.0)]}, "iteration", "loss")
    long, short = coordinates(picture)
    assert len(long) == diagrams.MAX_POINTS
    assert short == [(0, 0.3333), (62500, 0)]
    assert r"\addlegendentry{long}" in picture and r"\addlegendentry{short}" in picture
    assert "xlabel={iteration},ylabel={loss}" in picture


def test_names_that_print_alike_stay_two_curves():
    assert len(coordinates(diagrams.loss_curves({"a'": [(0, 1)], "a’": [(0, 2)]}, "x", "y"))) == 2


def test_no_two_curves_look_alike():
    curves = {f"run {i}": [(0, i), (1, i)] for i in range(diagrams.MAX_CURVES)}
    styles = re.findall(r"\\addplot\[(.*?)\]", diagrams.loss_curves(curves, "x", "y"))
    assert len(set(styles)) == len(styles) == diagrams.MAX_CURVES
    first = [style.split(",") for style in styles[: len(diagrams.COLOURS)]]
    assert len({colour for colour, *_ in first}) == len({dash for _, _, dash, *_ in first}) == len(first)


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ({}, "no curves: a plot needs at least one"),
        ({"a": []}, "the curve 'a' has no points"),
        ({"a": [(0, 1), (1, math.nan)]}, r"point 1 of the curve 'a' is \(1, nan\); a plot takes finite numbers only"),
        ({"a": [(math.inf, 1)]}, "point 0 of the curve 'a'"),
        ({"a": [(1, 1), (0, 1)]}, "the curve 'a' goes back from x = 1 to 0"),
        ({str(i): [(0, 1)] for i in range(37)}, "37 curves: a plot tells at most 36 apart"),
        ({"m" * 60: [(0, 1)]}, "a legend of .* cm does not fit"),
        ({"Ω": [(0, 1)]}, "no LaTeX for the character 'Ω'"),
    ],
)
def test_curves_that_cannot_be_drawn(series, message):
    with pytest.raises(DerivationError, match=message):
        diagrams.loss_curves(series, "epoch", "loss")


def test_shrinkage_does_what_its_legend_says():
    picture = diagrams.update_shrinkage()
    curves = coordinates(picture)
    assert len(curves) == len(diagrams.SHRINKAGES)
    for (rate, effect), points in zip(diagrams.SHRINKAGES, curves, strict=True):
        assert [step for step, _ in points] == list(range(9))
        assert rf"$\alpha\lambda={rate}$: {effect}" in picture
        weights = [1.0]
        for _ in range(8):
            weights.append(weights[-1] - 2 * rate * weights[-1])
        assert [w for _, w in points] == pytest.approx(weights, rel=1e-3)
        assert ("flips" in effect) == (weights[1] < 0)
        assert ("shrinks" in effect) == (abs(weights[-1]) < 1)
        assert ("diverges" in effect) == (abs(weights[-1]) > 1)


def test_text_is_escaped():
    assert diagrams.escape(r"50% of a_b & {c} #1 \d") == r"50\% of a\_b \& \{c\} \#1 \textbackslash{}d"
    with pytest.raises(DerivationError, match=r"'\\n' in 'a\\nb'"):
        diagrams.escape("a\nb")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_every_picture_compiles_and_fits_into_the_text(tmp_path):
    pages = "\n\n".join(rf"\noindent {draw()}" for draw in PICTURES.values())
    document = (
        "\\documentclass[11pt,a4paper]{article}\n\\usepackage[margin=2.5cm]{geometry}\n"
        f"{diagrams.PREAMBLE}\\begin{{document}}\n{pages}\n\\end{{document}}\n"
    )
    (tmp_path / "pictures.tex").write_text(document, encoding="ascii")
    run = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "pictures.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
    )
    assert run.returncode == 0, run.stdout[-2000:]
    assert "Overfull" not in run.stdout
    assert "Missing character" not in (tmp_path / "pictures.log").read_text(errors="replace")
