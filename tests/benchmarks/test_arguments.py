"""What a command cannot do is said in one line, with status 2."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
BAD = [
    ("derive.py", ["--repeat", "0"], "argument --repeat: expected a whole number from 1, not '0'"),
    ("derive.py", ["nosuch.json"], "argument corpus: no problems can be read from nosuch.json: "),
    ("coverage.py", ["nosuch.json"], "argument corpus: no problems can be read from nosuch.json: "),
    ("coverage.py", [__file__], f"argument corpus: no problems can be read from {__file__}: "),
    ("render.py", ["--runs", "0"], "argument --runs: expected a whole number from 1, not '0'"),
    ("evaluate.py", ["--sizes", "abc"], "argument --sizes: expected a whole number from 1, not 'abc'"),
    ("evaluate.py", ["--sizes", "10,"], "argument --sizes: expected a whole number from 1, not ''"),
    ("evaluate.py", ["--problems", "nosuch"], "no such problem; they are quadratic form, least squares, "),
    ("fuzz.py", ["--count", "0"], "argument --count: expected a whole number from 1, not '0'"),
]


@pytest.mark.parametrize(("command", "options", "message"), BAD, ids=lambda a: a if isinstance(a, str) else "")
def test_bad_arguments_end_with_2_and_a_message(tmp_path, command, options, message):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, str(FOLDER / command), *options], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "") and f"{command}: error: {message}" in done.stderr
