"""Commands as modules, options as records, and a folder that is not lost by accident."""

import argparse
import os
import sys
from dataclasses import dataclass

import pytest

from runner import commandline, configs, runs
from runner.configs import option
from runner.errors import ConfigError, RunError


@dataclass(frozen=True)
class Oven:
    name: str = option("", "what it is called")
    shape: str = option("round", "of the cake", ("round", "square"))
    baking_minutes: int = option(40, "in the oven", least=1)
    degrees: float = option(180.0, "Celsius", least=0.0)
    fan: bool = option(True, "with hot air")
    shelf: int = option(2, "where it stands", least=0, place=True)


def make(given):
    return configs.make(Oven, given)


# ------------------------------------------------------------------------ main

COMMAND = '''
from runner.errors import *
DESCRIPTION = """Bake.

  python -m bakery bake    one cake"""
def add_options(parser):
    parser.add_argument("--raises")
    parser.add_argument("--says")
def run(options):
    if options.raises:
        raise {"stopped": StoppedError, "data": DataError, "key": KeyboardInterrupt, "bug": ZeroDivisionError}[
            options.raises]("what happened")
    print("baked", options.says)
    return 1 if options.says == "burnt" else None
'''
COMMANDS = {"bake": "bake a cake", "eat": "eat it", "wash": "clean the kitchen"}


@pytest.fixture
def bakery(tmp_path, monkeypatch):
    """A package of its own, with the commands bake and, for want of a library, wash."""
    folder = tmp_path / "bakery" / "commands"
    folder.mkdir(parents=True)
    for package in (folder, folder.parent):
        (package / "__init__.py").write_text("")
    (folder / "bake.py").write_text(COMMAND)
    (folder / "wash.py").write_text("import dishwasher")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield lambda *arguments: commandline.main("bakery", "Cakes.", COMMANDS, list(arguments))
    for name in [n for n in sys.modules if n.split(".")[0] == "bakery"]:
        del sys.modules[name]


def test_a_command_runs_and_its_status_is_the_status(bakery, capsys):
    assert bakery("bake", "--says", "it") == 0
    assert bakery("bake", "--says", "burnt") == 1
    assert capsys.readouterr().out == "baked it\nbaked burnt\n"


@pytest.mark.parametrize(
    ("raises", "status", "said"),
    [("stopped", 130, "what happened"), ("data", 2, "what happened"), ("key", 130, "stopped")],
)
def test_what_goes_wrong_is_one_line_and_a_status(bakery, capsys, raises, status, said):
    assert bakery("bake", "--raises", raises) == status
    assert capsys.readouterr() == ("", f"bakery: {said}\n")


def test_a_bug_is_not_hidden(bakery):
    with pytest.raises(ZeroDivisionError):
        bakery("bake", "--raises", "bug")


def test_a_library_that_is_missing_is_named(bakery, capsys):
    assert bakery("wash") == 2
    assert capsys.readouterr().err.startswith("bakery: wash needs dishwasher, which is not installed: pip install")


def test_help_loads_no_command_and_lists_all(bakery, capsys):
    with pytest.raises(SystemExit) as stop:
        bakery("--help")
    text = capsys.readouterr().out
    assert stop.value.code == 0 and not [n for n in sys.modules if n.startswith("bakery.commands.")]
    assert all(name in text and meaning in text for name, meaning in COMMANDS.items())


def test_help_of_a_command_keeps_its_lines(bakery, capsys):
    with pytest.raises(SystemExit):
        bakery("bake", "--help")
    assert "Bake.\n\n  python -m bakery bake    one cake\n" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [(), ("bread",), ("bake", "--unknown")], ids=str)
def test_what_is_no_command_and_no_option_ends_with_two(bakery, arguments):
    with pytest.raises(SystemExit) as stop:
        bakery(*arguments)
    assert stop.value.code == 2


# --------------------------------------------------------------------- options


def parsed(*arguments):
    parser = argparse.ArgumentParser()
    commandline.add_run(parser)
    commandline.add_config(parser, Oven)
    return parser.parse_args(arguments)


def test_only_what_is_given_is_given():
    assert commandline.given_config(parsed("--out", "x"), Oven) == {}
    found = commandline.given_config(
        parsed("--baking-minutes", "5", "--degrees", "1e2", "--no-fan", "--shape", "square", "--name", ""), Oven
    )
    assert found == {"baking_minutes": 5, "degrees": 100.0, "fan": False, "shape": "square", "name": ""}


@pytest.mark.parametrize("arguments", [("--baking-minutes", "5.5"), ("--shape", "oval"), ("--degrees", "hot")], ids=str)
def test_what_is_of_another_kind_ends_with_two(arguments):
    with pytest.raises(SystemExit) as stop:
        parsed(*arguments)
    assert stop.value.code == 2


def test_help_says_meaning_and_default(capsys):
    with pytest.raises(SystemExit):
        parsed("--help")
    text = " ".join(capsys.readouterr().out.split())
    for said in ("in the oven (default: 40)", "with hot air (default: True)", "what it is called (default: none)"):
        assert said in text
    assert "--baking-minutes N" in text and "--fan, --no-fan" in text and "{round,square}" in text


# ------------------------------------------------------------------ the folder of a run


def chosen(*arguments):
    return commandline.run_config(parsed(*arguments), make, lambda config: f"runs/{config.shape}")


@pytest.fixture
def there(tmp_path):
    """A finished run of another shape, and a file that is none of its own."""
    runs.write(tmp_path / runs.CONFIG, configs.as_dict(Oven(shape="square")))
    runs.write(tmp_path / runs.METRICS, {})
    (tmp_path / "notes.txt").write_text("mine")
    return tmp_path


def test_a_new_folder_gets_the_options_given(tmp_path):
    folder, config = chosen("--out", str(tmp_path / "new"), "--degrees", "90")
    assert folder == tmp_path / "new" and config == Oven(degrees=90.0)


def test_without_a_name_the_folder_is_named_after_the_configuration():
    folder, config = chosen("--shape", "square")
    assert (str(folder), config) == (os.path.join("runs", "square"), Oven(shape="square"))


def test_the_command_line_goes_before_the_file(tmp_path):
    (tmp_path / "a.toml").write_text("degrees = 90\nbaking_minutes = 7\n")
    _, config = chosen("--out", str(tmp_path / "new"), "--config", str(tmp_path / "a.toml"), "--degrees", "50")
    assert config == Oven(degrees=50.0, baking_minutes=7)


def test_a_folder_with_a_run_is_refused(there):
    with pytest.raises(RunError, match=r"holds a run; --resume goes on, --overwrite throws it away, --out names"):
        chosen("--out", str(there))


def test_overwrite_takes_a_new_configuration_and_throws_nothing_away_yet(there):
    assert chosen("--out", str(there), "--overwrite") == (there, Oven())
    assert runs.is_finished(there)


def test_resume_takes_the_options_of_the_run_and_lets_its_place_change(there):
    assert chosen("--out", str(there), "--resume")[1] == Oven(shape="square")
    assert chosen("--out", str(there), "--resume", "--shelf", "5")[1] == Oven(shape="square", shelf=5)
    assert chosen("--out", str(there), "--resume", "--shape", "square")[1] == Oven(shape="square")


def test_resume_refuses_another_configuration(there):
    with pytest.raises(ConfigError, match="has shape = 'square', not 'round'; leave the option out"):
        chosen("--out", str(there), "--resume", "--shape", "round")


def test_resume_refuses_an_option_that_an_older_run_did_not_have(there):
    runs.write(there / runs.CONFIG, {"shape": "square"})
    with pytest.raises(ConfigError, match="degrees"):
        chosen("--out", str(there), "--resume", "--degrees", "90")


def test_resume_where_nothing_is_starts(tmp_path):
    assert chosen("--out", str(tmp_path / "new"), "--resume", "--fan")[1] == Oven()


def test_overwrite_with_options_that_make_no_sense_throws_nothing_away(there):
    with pytest.raises(ConfigError):
        chosen("--out", str(there), "--overwrite", "--baking-minutes", "0")
    assert runs.is_finished(there)
