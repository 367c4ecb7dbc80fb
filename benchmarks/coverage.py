"""How much of a corpus of matrix calculus is derived rightly, judged from outside: a table by family.

    python benchmarks/coverage.py [CORPUS.json] [--show] [--steps]

A problem is right when the generated numpy function and the text form of the result, both of them, agree with
torch.autograd at three random points of three sizes inside the declared domain, relative error below 1e-8. The text
form is read twice: by the small reader of the judge, which shares nothing with the package, and by the package itself.
The function to differentiate is the problem's `torch` field, or its `expr` read by the judge where there is none.

  right     the function and the text form are right
  refused   a DerivationError, which names what is missing
  wrong     an answer came, and it is false: the one thing that must not happen
  errors    anything else: another exception, a text form that cannot be read back, no steps, out of time
  ms        the time of one derivation, from the text to the last step: median
  length    the result's text against the closed form of the source, without spaces: median and 90th percentile
  steps     lines of the derivation: median and greatest

Every problem that is not right is named below the table. Exit status 0 if at least 99 % are right and none is wrong.
"""

import argparse
import math
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

if __name__ == "__main__":
    # In place of this folder, whose names would hide those of installed packages.
    sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.arguments import corpus
from benchmarks.judge import truth
from benchmarks.judge.truth import TOLERANCE, points, relative_error
from benchmarks.problems import CORPUS
from benchmarks.systems import ours
from benchmarks.tables import described, followed, note, row
from benchmarks.workers import Worker
from derivations import DerivationError

NEEDED = 0.99
# Seconds for a problem.
LIMIT = 20
READERS = {"this reader": truth.text_value, "the package": ours.text_value}


def compared(derivation, problem):
    """(verdict, reason): what is wrong first, or ("right", "")."""
    text = derivation.to_text()
    for point, sizes, expected in points(problem):
        error = relative_error(ours.function_value(derivation, problem, point), expected)
        if not error < TOLERANCE:
            return "wrong", f"the numpy function: relative error {error:.1e}"
        for name, reader in READERS.items():
            try:
                error = relative_error(reader(text, problem, point, sizes), expected)
            except Exception as failure:
                return "error", f"the text form cannot be read back by {name}: {described(failure)}"
            if not error < TOLERANCE:
                return "wrong", f"the text form by {name}: relative error {error:.1e}"
    return ("right", "") if derivation.steps else ("error", "no steps")


def judged(problem):
    """What came of one problem, as plain data."""
    start = time.perf_counter()
    try:
        derivation = ours.derived(problem)
        seconds = time.perf_counter() - start
        found = {"seconds": seconds, "text": derivation.to_text(), "steps": [s.rule.name for s in derivation.steps]}
        found["verdict"], found["reason"] = compared(derivation, problem)
        return found
    except DerivationError as error:
        return {"verdict": "refused", "reason": described(error)}
    except Exception as error:
        return {"verdict": "error", "reason": described(error)}


# --------------------------------------------------------------------------------------- the table

VERDICTS = ("right", "refused", "wrong", "error")
COLUMNS = {"family": 18, "of": 4, "right": 6, "refused": 8, "wrong": 6, "errors": 7}
COLUMNS |= {"ms": 7, "length": 7, "90 %": 6, "steps": 6, "most": 5}


def percentile(values, fraction):
    """The smallest value that this fraction of them does not pass."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)]


def length_ratio(problem, result):
    """Letters of the result against those of the source's closed form."""
    return len(result["text"].replace(" ", "")) / len(problem["expected"].replace(" ", ""))


def counted(pairs):
    counts = Counter(result["verdict"] for _, result in pairs)
    return [counts[v] for v in VERDICTS]


def numbers(pairs):
    """(milliseconds, lengths, steps) of those (problem, result) pairs that are right."""
    right = [(problem, result) for problem, result in pairs if result["verdict"] == "right"]
    return (
        [1000 * result["seconds"] for _, result in right],
        [length_ratio(problem, result) for problem, result in right if problem.get("expected")],
        [len(result["steps"]) for _, result in right],
    )


def cells(name, pairs):
    """A line of the table."""
    times, lengths, steps = numbers(pairs)
    shown = [name, len(pairs), *counted(pairs)]
    if times:
        shown.append(f"{statistics.median(times):.1f}")
        shown += [f"{statistics.median(lengths):.2f}", f"{percentile(lengths, 0.9):.2f}"] if lengths else ["", ""]
        shown += [f"{statistics.median(steps):.1f}", max(steps)]
    return shown


def summary(pairs):
    """The last line."""
    (right, refused, wrong, errors), (times, lengths, steps) = counted(pairs), numbers(pairs)
    line = f"right {right}/{len(pairs)} ({100 * right / len(pairs):.1f} %), "
    line += f"refused {refused}, silently wrong {wrong}, errors {errors}"
    if times:
        line += f"; median {statistics.median(times):.1f} ms, {statistics.median(steps):g} steps"
    if lengths:
        line += f", length {statistics.median(lengths):.2f} (90 %: {percentile(lengths, 0.9):.2f})"
    return line


def shown(problem, result, steps):
    """A problem with its result, and on request its lines."""
    by = problem["wrt"] + (f", {problem['wrt2']}" if problem.get("wrt2") else "")
    lines = [f"{problem['id']}: {result['verdict']}", f"    of {problem['expr']}  by {by}"]
    lines += [f"    = {result['text']}"] if "text" in result else [f"    {result['reason']}"]
    lines += [f"    source: {problem['expected']}"] if problem.get("expected") else []
    lines += [f"      {i}. {name}" for i, name in enumerate(result.get("steps", ()), 1)] if steps else []
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "corpus", nargs="?", type=corpus, default=str(CORPUS), help="problems (default: those of the tests)"
    )
    parser.add_argument("--only", help="ids or families, separated by commas")
    parser.add_argument("--show", action="store_true", help="print every problem with its result")
    parser.add_argument("--steps", action="store_true", help="print the rules of every derivation too")
    arguments = parser.parse_args()
    problems = arguments.corpus
    if arguments.only:
        wanted = set(arguments.only.split(","))
        problems = [p for p in problems if {p["id"], p["category"]} & wanted]
    if not problems:
        parser.error("no such problem")
    worker = Worker(judged, LIMIT, "error")
    pairs = []
    for problem in followed(problems):
        pairs.append((problem, worker.ask(problem)))
        if arguments.show or arguments.steps:
            print(shown(*pairs[-1], arguments.steps))
    worker.stop()
    print(row(COLUMNS, COLUMNS))
    for family in sorted({problem["category"] for problem in problems}):
        print(row(COLUMNS, cells(family, [pair for pair in pairs if pair[0]["category"] == family])))
    print(row(COLUMNS, cells("all", pairs)))
    for problem, result in pairs:
        if result["verdict"] != "right":
            print(note(f"{problem['id']}: {result['verdict']}: {result['reason']}"))
    print(summary(pairs))
    right, _, wrong, _ = counted(pairs)
    return 0 if right >= NEEDED * len(pairs) and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
