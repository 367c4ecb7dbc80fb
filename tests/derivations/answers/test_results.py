"""Results files: read when they are whole, refused by name when they are not."""

import json

import pytest

from derivations.answers.contents import ANSWERS, Settings
from derivations.answers.parts import Figure, Table, Text
from derivations.answers.results import ResultsError, runs

RUN = {
    "name": "batch 4, 5 epochs",
    "batch_size": 4,
    "epochs": 5,
    "device": "cpu",
    "test_accuracy": 0.6125,
    "loss": [[0.5, 2.1], [1.0, 1.8]],
}


def write(folder, content):
    (folder / "2.4.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return str(folder)


def test_no_file_is_no_result(tmp_path):
    assert runs(str(tmp_path), "2.4") is None
    assert runs(None, "2.4") is None


def test_without_results_the_answer_says_so():
    texts = [p.latex for p in ANSWERS["2.4"](Settings()).parts if isinstance(p, Text)]
    assert any("was not run" in t and "docs/answers.md" in t for t in texts)


def test_results_become_a_table_and_curves(tmp_path):
    parts = ANSWERS["2.4"](Settings(results=write(tmp_path, {"runs": [RUN]}))).parts
    (table,) = (p for p in parts if isinstance(p, Table))
    assert table.rows == ((RUN["name"], "4", "5", "cpu", r"61.25\,\%"),)
    assert any(isinstance(p, Figure) and "tikzpicture" in p.latex for p in parts)
    assert not any(isinstance(p, Text) and "was not run" in p.latex for p in parts)


BROKEN = {
    "not json": ("{", "not readable as JSON"),
    "no runs": ({}, 'a list "runs"'),
    "empty": ({"runs": []}, 'a list "runs"'),
    "not an object": ({"runs": [3]}, "run 1: expected an object"),
    "missing": ({"runs": [{k: v for k, v in RUN.items() if k != "device"}]}, "run 1: 'device' is missing"),
    "wrong kind": ({"runs": [RUN, RUN | {"epochs": "five"}]}, "run 2: 'epochs' is missing or of the wrong kind"),
    "percent": ({"runs": [RUN | {"test_accuracy": 61.25}]}, "between 0 and 1"),
    "pairs": ({"runs": [RUN | {"loss": [[1, 2, 3]]}]}, "pairs of finite numbers"),
    "nan": (
        '{"runs": [' + json.dumps(RUN)[:-1].replace("[[0.5, 2.1]", "[[0.5, NaN]") + "}]}",
        "pairs of finite numbers",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named(tmp_path, name):
    content, message = BROKEN[name]
    with pytest.raises(ResultsError) as caught:
        runs(write(tmp_path, content), "2.4")
    assert message in str(caught.value) and "2.4.json" in str(caught.value)
