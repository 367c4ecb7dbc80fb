"""Train and understand the 2-5-1 GAN: `python -m gan COMMAND`, `COMMAND --help` says more."""

import sys

from runner import commandline

COMMANDS = {
    "train": "train a GAN to its optimum",
    "sweep": "train many at once, and compare them",
    "dynamics": "why it converges: eigenvalues, stability, trajectories",
    "plot": "draw what runs have written",
}


def main(arguments=None):
    return commandline.main("gan", __doc__, COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
