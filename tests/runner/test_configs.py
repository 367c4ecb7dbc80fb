"""Records of options: from values, from files, and what two of them differ in."""

import json
from dataclasses import FrozenInstanceError, dataclass

import pytest

from runner import configs
from runner.configs import option
from runner.errors import ConfigError


@dataclass(frozen=True)
class Oven:
    name: str = option("", "what it is called")
    shape: str = option("round", "of the cake", ("round", "square"))
    minutes: int = option(40, "in the oven", least=1)
    degrees: float = option(180.0, "Celsius", least=0.0, below=300.0)
    fan: bool = option(False, "with hot air")
    shelf: int = option(2, "where it stands", least=0, place=True)


def test_what_is_not_given_is_the_default():
    assert configs.make(Oven, {}) == Oven() == Oven("", "round", 40, 180.0, False, 2)
    with pytest.raises(FrozenInstanceError):
        configs.make(Oven, {}).minutes = 3


@pytest.mark.parametrize("value", [0, 299.99, 20, 1e-300])
def test_numbers_between_the_limits_pass(value):
    assert configs.make(Oven, {"degrees": value}).degrees == value


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"minuts": 5}, "unknown option 'minuts'; the options are name, shape, minutes, degrees, fan, shelf"),
        ({"minutes": 0}, "minutes: 0 is not at least 1"),
        ({"minutes": 5.0}, "minutes: expected a whole number, got 5.0"),
        ({"minutes": "5"}, "minutes: expected a whole number, got '5'"),
        ({"minutes": None}, "minutes: expected a whole number, got None"),
        ({"degrees": True}, "degrees: expected a number, got True"),
        ({"degrees": 300}, "degrees: 300.0 is not at least 0.0 and less than 300.0"),
        ({"degrees": float("nan")}, "degrees: nan is not a finite number"),
        ({"fan": "yes"}, "fan: expected true or false, got 'yes'"),
        ({"shape": "oval"}, "shape: 'oval' is none of round, square"),
        ({"name": 3}, "name: expected text, got 3"),
        ({"name": ["a"]}, r"name: expected text, got \['a'\]"),
    ],
)
def test_nonsense_is_named(given, message):
    with pytest.raises(ConfigError, match=message):
        configs.make(Oven, given)


def test_a_number_too_large_for_a_float_is_named():
    with pytest.raises(ConfigError, match="degrees"):
        configs.make(Oven, {"degrees": 10**400})


def test_a_record_goes_through_json_and_back(tmp_path):
    oven = configs.make(Oven, {"degrees": 0.1 + 0.2, "fan": True, "name": "Öfchen"})
    (tmp_path / "a.json").write_text(json.dumps(configs.as_dict(oven)))
    assert configs.make(Oven, configs.from_file(tmp_path / "a.json")) == oven


@pytest.mark.parametrize("suffix", ["toml", "json"])
@pytest.mark.parametrize("content", [b"\xff\xfe", b"minutes", b"{", b"minutes = ", b"\xef\xbb\xbf{"])
def test_broken_files_are_named_in_one_line(tmp_path, suffix, content):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"a\.{suffix} is not readable as {suffix.upper()}") as found:
        configs.from_file(path)
    assert len(str(found.value).splitlines()) == 1


@pytest.mark.parametrize("content", ["[1]", "3", "null", '"minutes"'])
def test_a_file_of_something_else_is_named(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ConfigError, match=r"a\.json: expected an object such as"):
        configs.from_file(tmp_path / "a.json")


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    for path, reason in ((tmp_path / "none.json", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError, match=f"cannot be read: {reason}"):
            configs.from_file(path)


def test_a_place_is_no_difference():
    assert configs.difference(Oven(), Oven(shelf=3)) is None
    assert configs.difference(Oven(), Oven(shelf=3, minutes=5, fan=True)) == "minutes"
