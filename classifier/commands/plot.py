"""`python -m classifier plot`."""

import sys
from pathlib import Path

from classifier import plots

DESCRIPTION = """Draw what runs have written: loss and accuracy, confusion, classes, mistakes, filters.

  python -m classifier plot runs/a                         PNG files in runs/a/plots
  python -m classifier plot runs/sweep/homework            a sweep: the mean over seeds, with a band
  python -m classifier plot runs/a runs/b --out both       two runs in one plot
  python -m classifier plot runs/a --format pdf pgfplots   for LaTeX: vector graphics, and TikZ with the data in it

It reads the folders alone and needs no torch."""


def add_options(parser):
    parser.add_argument("folders", nargs="+", metavar="DIR", help="folders of runs or of sweeps")
    parser.add_argument("--out", metavar="DIR", help="where to put the plots (default: plots in the first folder)")
    parser.add_argument("--format", nargs="+", choices=tuple(plots.FORMATS), default=["png"], help="(default: png)")
    parser.add_argument("--quiet", action="store_true", help="say nothing but what went wrong")


def run(options):
    written, notes = plots.draw(options.folders, options.out or Path(options.folders[0]) / "plots", options.format)
    if not options.quiet:
        print("\n".join(map(str, written)))
    for note in notes:
        print(f"classifier: {note}", file=sys.stderr)
