"""`python -m gan plot`."""

from pathlib import Path

from gan import plots
from runner.figures import FORMATS

DESCRIPTION = """Draw what runs and sweeps have written.

  python -m gan plot runs/gan-a                    the training and the samples, as PNG files in runs/gan-a/plots
  python -m gan plot runs/gan-sweep/gan.json       a sweep: each run a dot, each configuration a row
  python -m gan plot runs/gan-a --format pdf       vector graphics for LaTeX

It reads the files alone and needs no torch."""


def add_options(parser):
    parser.add_argument("sources", nargs="+", metavar="PATH", help="folders of runs, or files of results")
    parser.add_argument("--out", metavar="DIR", help="where to put the plots (default: plots beside the first)")
    parser.add_argument("--format", nargs="+", choices=FORMATS, default=["png"], help="(default: png)")
    parser.add_argument("--quiet", action="store_true", help="say nothing but what went wrong")


def run(options):
    first = Path(options.sources[0])
    out = options.out or (first.parent if first.suffix == ".json" else first) / "plots"
    written = plots.draw(options.sources, out, options.format)
    if not options.quiet:
        print("\n".join(map(str, written)))
