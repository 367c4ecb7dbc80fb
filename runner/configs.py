"""Configurations: frozen records whose fields are made by `option`, from defaults, a file and the command line."""

import json
import math
import tomllib
from dataclasses import asdict, field, fields
from pathlib import Path

from runner.errors import ConfigError


def option(default, meaning, choices=None, least=None, below=None, place=False):
    """A field. least: the smallest value; below: the first that is too large.

    place: it says where a run is computed, not what it learns, and may change when the run goes on.
    """
    limits = {"choices": choices, "least": least, "below": below, "place": place}
    return field(default=default, metadata={"help": meaning} | limits)


def options(kind):
    """name -> dataclass field, of a class of configurations."""
    return {f.name: f for f in fields(kind)}


def make(kind, given):
    """A configuration of the given values; the rest are defaults. Raises ConfigError, which names the option."""
    known = options(kind)
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ConfigError(f"unknown option {unknown[0]!r}; the options are {', '.join(known)}")
    config = kind(**{name: _typed(known[name], value) for name, value in given.items()})
    for name, entry in known.items():
        _check(name, getattr(config, name), entry.metadata)
    return config


def from_file(path):
    """The values in a JSON or TOML file, as a dictionary; config.json of a run is one."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"{path} is not readable as {'TOML' if path.suffix == '.toml' else 'JSON'}: {error}"
        ) from None
    if not isinstance(values, dict):
        raise ConfigError(f'{path}: expected an object such as {{"epochs": 5}}')
    return values


def difference(before, after):
    """The name of an option in which two configurations learn something else, or None."""
    names = (
        name
        for name, entry in options(type(after)).items()
        if not entry.metadata["place"] and getattr(before, name) != getattr(after, name)
    )
    return next(names, None)


def check_same(before, after, folder):
    """Raises ConfigError where the run in a folder would go on as another one."""
    name = difference(before, after)
    if name:
        raise ConfigError(
            f"the run in {folder} has {name} = {getattr(before, name)!r}, not {getattr(after, name)!r}; "
            f"leave the option out"
        )


def as_dict(config):
    return asdict(config)


def _typed(entry, value):
    kind = type(entry.default)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if kind is float and whole and abs(value) < LARGEST:
        return float(value)
    if type(value) is not kind:
        raise ConfigError(f"{entry.name}: expected {_KINDS[kind]}, got {value!r}")
    return value


LARGEST = 2**53  # of the whole numbers that a float holds
_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _check(name, value, limits):
    choices, least, below = (limits[key] for key in ("choices", "least", "below"))
    if choices and value not in choices:
        raise ConfigError(f"{name}: {value!r} is none of {', '.join(choices)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{name}: {value} is not a finite number")
    if (least is not None and value < least) or (below is not None and value >= below):
        limit = f"at least {least}" if below is None else f"at least {least} and less than {below}"
        raise ConfigError(f"{name}: {value} is not {limit}")
