"""Arguments that several commands take; what they cannot be ends the command with a line that says so."""

from argparse import ArgumentTypeError

from benchmarks.problems import load


def positive(text):
    if not text.strip().isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"expected a whole number from 1, not {text!r}")
    return int(text)


def positives(text):
    return [positive(part) for part in text.split(",")]


def corpus(path):
    """The problems of a file."""
    try:
        return load(path)
    except (OSError, ValueError, KeyError) as error:
        raise ArgumentTypeError(f"no problems can be read from {path}: {error}") from None
