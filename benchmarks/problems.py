"""The problems of a corpus, as plain data."""

import json
from pathlib import Path

CORPUS = Path(__file__).parents[1] / "tests" / "data" / "derivatives.json"


def load(path=CORPUS):
    """A list of problems, or a list under "problems"."""
    data = json.loads(Path(path).read_text())
    return data["problems"] if isinstance(data, dict) else data


def names_by(problem):
    """What to differentiate by, one variable after another."""
    return [problem["wrt"], problem.get("wrt2", problem["wrt"])][: problem["order"]]
