"""How our plots look, and how they get into files. Nothing here is drawn on a screen."""

import io

import matplotlib

from runner import runs

FORMATS = ("png", "pdf")
# Told apart by those who see few colours. Wong (2011), Points of view: Color blindness.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
LOOK = {
    "text.parse_math": True,
    "text.usetex": False,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10,
    "figure.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.prop_cycle": matplotlib.cycler(color=COLOURS),
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "savefig.dpi": 160,
}


def content(draw, form, look=None):
    """The bytes of what draw() returns, a matplotlib Figure, in one of FORMATS; look: what differs from LOOK."""
    found = io.BytesIO()
    # Without a date the same numbers give the same file.
    metadata = {"CreationDate": None} if form == "pdf" else None
    with matplotlib.rc_context(LOOK | (look or {})):
        draw().savefig(found, format=form, metadata=metadata)
    return found.getvalue()


def write(draw, path):
    """Put what draw() returns into a file whose end names the format."""
    runs.write(path, content(draw, path.suffix[1:]))
