"""Experiments: a table of configurations, run with several seeds; and the file that keeps what they gave."""

import json
import re
import statistics
from dataclasses import dataclass
from pathlib import Path

from runner import configs, runs
from runner.errors import ConfigError, RunError


@dataclass(frozen=True)
class Experiment:
    """shared: options of all configurations; configurations: name -> the options in which they differ."""

    question: str
    shared: dict
    configurations: dict[str, dict]


def named(text, known):
    """(name, Experiment) of a name in known, or of a file that a person wrote."""
    if text in known:
        return text, known[text]
    if Path(text).suffix not in (".toml", ".json"):
        raise ConfigError(f"no experiment {text!r}; there are {', '.join(known)}, or name a .toml or .json file")
    return Path(text).stem, from_values(configs.from_file(text), text)


def from_values(values, where):
    """The Experiment that a person wrote down in a file."""
    keys = {"question", "shared", "configurations"}
    wrong = sorted(set(values) - keys)
    if wrong or not isinstance(values.get("configurations"), dict) or not values["configurations"]:
        raise ConfigError(
            f"{where}: expected a table 'configurations' of names and their options, and if you like 'shared' and "
            f"'question'; " + (f"unknown is {wrong[0]!r}" if wrong else "the configurations are missing")
        )
    found = Experiment(values.get("question", ""), values.get("shared", {}), values["configurations"])
    tables = {"shared": found.shared} | found.configurations
    for name, options in tables.items():
        if not isinstance(options, dict):
            raise ConfigError(f"{where}: {name!r} is {options!r}; expected a table of options")
    return found


def write_results(path, experiments, results):
    """Put the results into a file, {"runs": […]}, in the place of earlier ones of the same experiments."""
    path = Path(path)
    before = []
    if path.exists():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))["runs"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f'{path} is not a file of results, {{"runs": […]}} ({error}); name another') from None
    kept = [run for run in before if run.get("experiment") not in experiments]
    # A run to a line: a change of one is a change of one line.
    lines = ",\n".join(json.dumps(run, ensure_ascii=False) for run in kept + results)
    runs.write(path, f'{{"runs": [\n{lines}\n]}}\n'.encode())


def by_name(results):
    """name of a configuration -> its results."""
    groups = {}
    for found in results:
        groups.setdefault(found["name"], []).append(found)
    return groups


def spread(values, digits):
    """Mean and standard deviation as text; of those that are None nothing."""
    values = [v for v in values if v is not None]
    if not values:
        return "-"
    deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{deviation}"


def slug(name):
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")
