"""How long a derivation takes, against SymPy's matrix `.diff` and tensorgrad, in one run.

    python benchmarks/derive.py [CORPUS.json] [--only ours,sympy,tensorgrad] [--repeat 5]

A system's time counts only on the problems that it gets right: its result is evaluated at three random points and
compared with torch.autograd, relative error below 1e-8. What is timed:

  ours         derive(text, …): from the text to the result and its steps, shapes inferred on the way
  sympy        `.diff` of an expression of MatrixSymbols that has been built already, in two ways: products that are
               numbers stay 1 x 1 matrices, or become traces at once. The quicker right one counts
  tensorgrad   `.grad` and `full_simplify` of a tensor that has been built already

Each system works in a process of its own, the systems take turns, and before each repetition every cache is cleared:
SymPy's, and those of functions of the systems. The median of the repetitions counts. A system that is not installed
is left out; tensorgrad may lie in a folder of PYTHONPATH.
"""

import argparse
import statistics
import sys
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    # In place of this folder, whose names would hide those of installed packages.
    sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.arguments import corpus, positive
from benchmarks.judge.truth import TOLERANCE, points, relative_error
from benchmarks.problems import CORPUS
from benchmarks.systems import NotExpressible, ours, sympy_diff
from benchmarks.tables import described, followed, note, row
from benchmarks.timing import cold
from benchmarks.workers import Worker

try:
    from benchmarks.systems import tensorgrad_grad
except ImportError:
    tensorgrad_grad = None

# Seconds for a problem in a system.
LIMIT = 60
# The ways in which a system is asked.
SYSTEMS = {
    "ours": (ours.asked,),
    "sympy": (partial(sympy_diff.asked, traces=False), partial(sympy_diff.asked, traces=True)),
    "tensorgrad": (tensorgrad_grad.asked,) if tensorgrad_grad else (),
}
# The best first.
VERDICTS = ("right", "wrong", "failed", "not expressible")


def is_right(value, problem):
    """Whether a function of (point, sizes) gives the derivative at all points."""
    return all(relative_error(value(point, sizes), expected) < TOLERANCE for point, sizes, expected in points(problem))


def attempt(asked, problem, repeat):
    """What came of one way to ask, as plain data."""
    try:
        run, value = asked(problem)
        result, seconds = cold(run, repeat, ("derivations", "tensorgrad"))
        right = is_right(partial(value, result), problem)
    except NotExpressible as error:
        return {"verdict": "not expressible", "reason": described(error)}
    except Exception as error:
        return {"verdict": "failed", "reason": described(error)}
    return {"verdict": "right" if right else "wrong", "seconds": seconds}


def measured(system, repeat, problem):
    """The best that came of a problem in a system, the quickest of those that are right."""
    found = [attempt(asked, problem, repeat) for asked in SYSTEMS[system]]
    return min(found, key=lambda f: (VERDICTS.index(f["verdict"]), f["verdict"] == "right" and f["seconds"]))


def milliseconds(results, system):
    """Of the problems that the system gets right."""
    return [1000 * r[system]["seconds"] for r in results if r[system]["verdict"] == "right"]


def compared(results, others):
    """A line on the problems that ours and these systems get right."""
    systems = ["ours", *others]
    common = [r for r in results.values() if all(r[s]["verdict"] == "right" for s in systems)]
    name = ", ".join(systems)
    if not common:
        return f"{name}: no problem in common"
    times = {s: milliseconds(common, s) for s in systems}
    medians = {s: statistics.median(times[s]) for s in systems}
    line = f"{name}: {len(common)} problems; " + ", ".join(f"{s} {medians[s]:.1f} ms" for s in systems)
    for s in others:
        each = statistics.median(t / o for t, o in zip(times[s], times["ours"]))
        line += f"; {s}/ours {medians[s] / medians['ours']:.1f} (median of the ratios {each:.1f})"
    return line


COLUMNS = {"system": 12, "right": 6, "wrong": 6, "not expressible": 16, "failed": 7, "median ms": 10}


def report(results, systems, show):
    print(row(COLUMNS, COLUMNS))
    for s in systems:
        verdicts = [r[s]["verdict"] for r in results.values()]
        times = milliseconds(results.values(), s)
        counts = [verdicts.count(v) for v in list(COLUMNS)[1:-1]]
        print(row(COLUMNS, [s, *counts, f"{statistics.median(times):.1f}" if times else ""]))
    if show:
        for name, r in results.items():
            for s in systems:
                if r[s]["verdict"] != "right":
                    print(note(f"{name}: {s}: {r[s]['verdict']} {r[s].get('reason', '')}"))
    if "ours" in systems:
        print("on the problems that all of them get right:")
        others = [s for s in systems if s != "ours"]
        for group in [[s] for s in others] + ([others] if len(others) > 1 else []):
            print(f"  {compared(results, group)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "corpus", nargs="?", type=corpus, default=str(CORPUS), help="problems (default: those of the tests)"
    )
    parser.add_argument("--only", default=",".join(SYSTEMS), help="systems (default: %(default)s)")
    parser.add_argument("--repeat", type=positive, default=5, help="repetitions of each (default: %(default)s)")
    parser.add_argument("--show", action="store_true", help="name every problem that a system does not get right")
    arguments = parser.parse_args()
    systems = arguments.only.split(",")
    if set(systems) - set(SYSTEMS):
        parser.error(f"the systems are {', '.join(SYSTEMS)}")
    for missing in [s for s in systems if not SYSTEMS[s]]:
        systems.remove(missing)
        print(f"{missing} is not installed, and left out", file=sys.stderr)
    workers = {s: Worker(partial(measured, s, arguments.repeat), LIMIT, "failed") for s in systems}
    results = {
        problem["id"]: {s: worker.ask(problem) for s, worker in workers.items()}
        for problem in followed(arguments.corpus)
    }
    for worker in workers.values():
        worker.stop()
    report(results, systems, arguments.show)


if __name__ == "__main__":
    main()
