"""The options that several commands share: every field of the Config, and how much to say."""

import argparse

from classifier.config import FIELDS


def add_config(parser):
    """Every field of the Config; what is not given is not in the result."""
    group = parser.add_argument_group("configuration")
    for name, option in FIELDS.items():
        flag, kind = "--" + name.replace("_", "-"), type(option.default)
        default = option.default if option.default != "" else "none"
        texts = {"dest": name, "default": argparse.SUPPRESS, "help": f"{option.metadata['help']} (default: {default})"}
        if kind is bool:
            group.add_argument(flag, action=argparse.BooleanOptionalAction, **texts)
        elif option.metadata["choices"]:
            group.add_argument(flag, choices=option.metadata["choices"], **texts)
        else:
            group.add_argument(flag, type=kind, metavar={str: "TEXT", int: "N", float: "X"}[kind], **texts)


def given_config(options):
    return {name: value for name, value in vars(options).items() if name in FIELDS}


def add_output(parser):
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--quiet", action="store_true", help="say nothing but what went wrong")
    group.add_argument("--json", action="store_true", help="history and metrics as JSON lines on standard output")
