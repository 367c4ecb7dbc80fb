"""Train and compare image classifiers on CIFAR-10: `python -m classifier COMMAND`, `COMMAND --help` says more."""

import sys

from runner import commandline

COMMANDS = {
    "data": "obtain CIFAR-10 and check it",
    "train": "train a net",
    "evaluate": "test a trained net, or classify an image of yours",
    "sweep": "train many configurations with several seeds, and compare them",
    "plot": "draw what runs have written",
}


def main(arguments=None):
    return commandline.main("classifier", __doc__, COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
