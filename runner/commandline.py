"""A command line of several commands, each a module of its own: `main`, and the options that commands share."""

import argparse
import importlib
import os
import sys
from pathlib import Path

from runner import configs, runs
from runner.configs import options as options_of
from runner.errors import RunError, RunnerError, StoppedError


def main(package, description, commands, arguments=None):
    """Run one command of a package; commands: name -> what it does. Returns the exit status.

    The module package.commands.name has DESCRIPTION, add_options(parser) and run(options). It is loaded by name: a plot
    needs no torch, and a list of the commands needs nothing.
    """
    try:
        return _main(package, description, commands, sys.argv[1:] if arguments is None else arguments)
    except StoppedError as error:
        print(f"{package}: {error}", file=sys.stderr)
        return 130
    except RunnerError as error:
        print(f"{package}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{package}: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Who read the output, such as head, has gone; Python would complain again when it closes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _main(package, description, commands, arguments):
    whole = argparse.ArgumentParser(prog=f"python -m {package}", description=description)
    parsers = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, meaning in commands.items():
        try:
            module = importlib.import_module(f"{package}.commands.{name}") if arguments[:1] == [name] else None
        except ModuleNotFoundError as error:
            needed = "pip install 'matrix-derivations[train,plots]'"
            print(f"{package}: {name} needs {error.name}, which is not installed: {needed}", file=sys.stderr)
            return 2
        parser = parsers.add_parser(
            name,
            help=meaning,
            description=module and module.DESCRIPTION,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if module:
            module.add_options(parser)
            parser.set_defaults(run=module.run)
    options = whole.parse_args(arguments)
    return options.run(options) or 0


def add_config(parser, kind):
    """Every field of a class of configurations; what is not given is not in the result."""
    group = parser.add_argument_group("configuration")
    for name, option in options_of(kind).items():
        flag, value = "--" + name.replace("_", "-"), type(option.default)
        default = option.default if option.default != "" else "none"
        texts = {"dest": name, "default": argparse.SUPPRESS, "help": f"{option.metadata['help']} (default: {default})"}
        if value is bool:
            group.add_argument(flag, action=argparse.BooleanOptionalAction, **texts)
        elif option.metadata["choices"]:
            group.add_argument(flag, choices=option.metadata["choices"], **texts)
        else:
            group.add_argument(flag, type=value, metavar={str: "TEXT", int: "N", float: "X"}[value], **texts)


def given_config(options, kind):
    return {name: value for name, value in vars(options).items() if name in options_of(kind)}


def add_output(parser):
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--quiet", action="store_true", help="say nothing but what went wrong")
    group.add_argument("--json", action="store_true", help="history and metrics as JSON lines on standard output")


def add_run(parser):
    """Where a training writes, and whether it starts or goes on."""
    parser.add_argument("--out", metavar="DIR", help="the folder of the run (default: runs/ and what the run is)")
    parser.add_argument("--config", metavar="FILE", help="options from a JSON or TOML file, or a run's config.json")
    there = parser.add_mutually_exclusive_group()
    there.add_argument("--resume", action="store_true", help="go on with the run in --out; start it if there is none")
    there.add_argument("--overwrite", action="store_true", help="throw away the run that is in --out")


def run_config(options, make, default_folder):
    """(folder, configuration) of a training, once the folder is known to be free, or to hold the same run.

    options: those of add_run and add_config; make: from given values to a configuration; default_folder: from a
    configuration to a name. What --overwrite throws away goes when the training begins, not before.
    """
    given = configs.from_file(options.config) if options.config else {}
    given |= given_config(options, type(make({})))
    folder = Path(options.out or default_folder(make(given)))
    if options.overwrite or not (folder / runs.CONFIG).exists():
        return folder, make(given)
    if not options.resume:
        raise RunError(f"{folder} holds a run; --resume goes on, --overwrite throws it away, --out names another")
    there = configs.from_file(folder / runs.CONFIG)
    config = make(there | given)
    configs.check_same(make(there), config, folder)
    return folder, config
