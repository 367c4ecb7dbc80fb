"""Train and compare image classifiers on CIFAR-10: `python -m classifier COMMAND`, `COMMAND --help` says more."""

import argparse
import importlib
import sys

from classifier.errors import ClassifierError, StoppedError

# Loaded by name: a plot needs no torch, and help needs nothing.
COMMANDS = {
    "data": "obtain CIFAR-10 and check it",
    "train": "train a net",
    "evaluate": "test a trained net, or classify an image of yours",
    "sweep": "train many configurations with several seeds, and compare them",
    "plot": "draw what runs have written",
}


def main(arguments=None):
    arguments = sys.argv[1:] if arguments is None else arguments
    whole = argparse.ArgumentParser(prog="python -m classifier", description=__doc__)
    parsers = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, meaning in COMMANDS.items():
        try:
            module = importlib.import_module(f"classifier.commands.{name}") if arguments[:1] == [name] else None
        except ModuleNotFoundError as error:
            needed = "pip install 'matrix-derivations[train,plots]'"
            print(f"classifier: {name} needs {error.name}, which is not installed: {needed}", file=sys.stderr)
            return 2
        parser = parsers.add_parser(
            name,
            help=meaning,
            description=module and module.DESCRIPTION,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if module:
            module.add_options(parser)
            parser.set_defaults(run=module.run)
    options = whole.parse_args(arguments)
    try:
        return options.run(options) or 0
    except StoppedError as error:
        print(f"classifier: {error}", file=sys.stderr)
        return 130
    except ClassifierError as error:
        print(f"classifier: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("classifier: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
