"""What each reporter says, and where."""

import json

import pytest

from runner.progress import Bar, Json, Silent


def told(reporter):
    reporter.start(total=100, done=20)
    reporter.advance(0, "step 20", "V -1.2")
    reporter.record({"kind": "steps", "step": 20})
    reporter.advance(80, "step 100", "V -1.386")
    reporter.stop()


@pytest.mark.parametrize("make", [Silent, Json, lambda: Bar("steps")], ids=["silent", "json", "bar"])
def test_a_reporter_may_be_stopped_before_it_starts(make):
    make().stop()


def test_silence_says_nothing(capsys):
    told(Silent())
    assert capsys.readouterr() == ("", "")


def test_json_is_a_line_for_each_record_on_standard_output(capsys):
    told(Json())
    output = capsys.readouterr()
    assert json.loads(output.out) == {"kind": "steps", "step": 20} and output.err == ""


def test_the_bar_shows_place_figures_and_unit_on_standard_error(capsys):
    told(Bar("steps"))
    output = capsys.readouterr()
    last = output.err.splitlines()[-1]
    assert output.out == "" and "step 100" in last and "V -1.386" in last and "100/100" in last and "steps/s" in last


def test_the_bar_tells_what_is_worth_a_line(capsys):
    told(Bar("steps", told=lambda record: f"reached {record['step']}"))
    assert "reached 20" in capsys.readouterr().err.splitlines()
    told(Bar("steps", told=lambda record: None))
    assert "reached" not in capsys.readouterr().err
