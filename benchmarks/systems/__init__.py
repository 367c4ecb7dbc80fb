"""The systems that are compared.

Each has `asked(problem)`, which gives two functions: one without arguments, which is timed, for the system's result,
and one of (result, point, sizes) for the result's value. What has been built before is not timed.
"""

from benchmarks.judge.reading import parse


class NotExpressible(Exception):
    """The system has no words for this part of a problem."""


def tree_of(problem):
    """What to differentiate, for a system that knows variables without structure only."""
    if problem.get("structure"):
        raise NotExpressible(f"structure {problem['structure']}")
    return parse(problem["expr"], problem["vars"])
