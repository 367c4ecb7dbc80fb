"""Problems from lines of JSON, with the keys of collections of problems."""

import json

from derivations.commandline.problems import InputError, Problem, checked, names

# key -> (what it means, its types in JSON)
TEXT, TABLE = (str,), (dict,)
KEYS = {
    "expr": ("expression", TEXT),
    "expression": ("expression", TEXT),
    "wrt": ("wrt", (str, list)),
    "wrt2": ("wrt2", TEXT),
    "order": ("order", (int,)),
    "vars": ("variables", TABLE),
    "variables": ("variables", TABLE),
    "definitions": ("definitions", TABLE),
    "layout": ("layout", TEXT),
    "structure": ("structure", TEXT),
    "claim": ("claim", TEXT),
}
# What collections of problems carry for people and for judges.
INFORMATION = {"id", "category", "source", "torch", "expected", "expected_origin", "domain"}
# How a result is arranged where there is no choice: what the layout must then be, if a line says it.
ARRANGEMENTS = {"gradient", "shape_of_output", "vec", "hessian", "hessian_vec"}
JSON_NAMES = {str: "text", list: "a list", dict: "an object", int: "a whole number"}


def parsed(line):
    """The object on a line of JSON, given as bytes."""
    try:
        given = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the line is not JSON: {error}") from None
    if not isinstance(given, dict):
        shown = json.dumps(given)[:40]
        raise InputError(f'expected an object such as {{"expr": "x\'*x", "wrt": "x"}}, not {shown}')
    return given


def from_object(given, layout=None, may_claim=False):
    """The Problem of an object of JSON; layout: of objects that do not say."""
    values = {"layout": layout or "denominator"} | _meanings(given)
    for needed in ("expression", "wrt"):
        if needed not in values:
            raise InputError(f"there is no {needed!r}")
    if "claim" in values and not may_claim:
        raise InputError("'claim' is for verify")
    wrt = [values["wrt"]] if isinstance(values["wrt"], str) else values["wrt"]
    if not all(isinstance(name, str) for name in wrt):
        raise InputError(f"'wrt' is a name or a list of names, not {json.dumps(wrt)}")
    second = [values.pop("wrt2")] if "wrt2" in values else []
    return checked(Problem(**values | {"wrt": names(wrt + second)}))


def _meanings(given):
    """What the keys say, by what they mean."""
    values, said = {}, {}
    for key, value in given.items():
        if key in INFORMATION:
            continue
        if key not in KEYS:
            raise InputError(f"unknown key {key!r}; known are {', '.join(['id', *KEYS])}")
        meaning, types = KEYS[key]
        if value is None:
            continue
        if type(value) not in types:
            raise InputError(f"{key!r} is {' or '.join(JSON_NAMES[t] for t in types)}, not {json.dumps(value)}")
        if meaning == "layout" and value in ARRANGEMENTS:
            meaning = "arrangement"
        if meaning in said:
            raise InputError(f"{said[meaning]!r} and {key!r} mean the same; give one")
        said[meaning], values[meaning] = key, value
    return values
