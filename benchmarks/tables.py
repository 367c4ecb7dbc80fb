"""What the commands print: tables, notes below them, and how far they have come."""

import sys
import textwrap

# Columns of a note below a table.
WIDTH = 160


def row(columns, cells):
    """A line of a table, or its head where the cells are the titles; columns: title -> width, the first to the left."""
    (first, *widths), (name, *numbers) = columns.values(), cells
    return " ".join([f"{name:{first}s}", *(f"{n!s:>{w}s}" for n, w in zip(numbers, widths))]).rstrip()


def described(error):
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def note(text):
    return textwrap.shorten(text, WIDTH, placeholder=" …")


def followed(problems):
    """The problems one after another; their place is on standard error, where it is a terminal."""
    for number, problem in enumerate(problems, 1):
        if sys.stderr.isatty():
            end = "\n" if number == len(problems) else ""
            print(f"\r\033[K{number}/{len(problems)} {problem['id']}", end=end, file=sys.stderr, flush=True)
        yield problem
