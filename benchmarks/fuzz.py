"""Random problems over the whole grammar, derived and proven; and broken texts, which must be refused.

    python benchmarks/fuzz.py --count 10000 --depth 6 [--seed S] [--start I] [--only expressions|text]
                              [--report FILE.jsonl]

A problem is a function of its seed and its index, so one can be had again by --start and --count 1; with --report,
those already in the file are not asked again. What is not right is made smaller before it is reported, the first of
each kind. The last line counts

  right       proven exactly at random points, and the text form means the same by two readings
  no point    outside the domain at all points that were tried
  refused     a DerivationError, listed by the kind of its message
  unverified  the witness could not judge
  unstable    the result could be simplified further
  slow        more than 10 s to derive and prove
  wrong       a false derivative, or a text that means something else: the one thing that must not happen
  exception   anything else

Exit status 0 if nothing is wrong and no exception came.
"""

import argparse
import json
import random
import resource
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

if __name__ == "__main__":
    # In place of this folder, whose names would hide those of installed packages.
    sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.arguments import positive
from benchmarks.workers import Worker
from tests.derivations.fuzzing import judging, mutations
from tests.derivations.fuzzing.grammar import problem
from tests.derivations.fuzzing.points import VERDICTS
from tests.derivations.fuzzing.reducing import reduced

# A worker holds caches: it is replaced after so many problems.
LIFE = 400
MEMORY = 6 * 2**30
# Seconds after which a worker that does not answer is ended: what is not right is made smaller too.
PATIENCE = judging.LIMIT + 90
# Verdicts of which the first of every family is made smaller.
REDUCED = ("wrong", "exception", "unverified", "unstable", "refused")


def problem_at(seed, index, depth):
    return problem(random.Random(f"{seed}/{index}").choice, depth)


def described(problem):
    arguments = problem.arguments()
    return {"text": problem.text, **arguments}


def ask_expression(seed, index, depth, seen):
    asked = problem_at(seed, index, depth)
    result = judging.judged(asked)
    result |= {"careless": asked.careless, **described(asked)}
    kind = judging.family(result)
    if result["verdict"] in REDUCED and kind not in seen:
        small = reduced(asked, lambda p: judging.family(judging.judged(p)) == kind)
        result["smallest"] = {**described(small), "reason": judging.judged(small)["reason"]}
    return {**result, "family": kind}


def ask_text(seed, index, depth, seen):
    result = mutations.judged(random.Random(f"{seed}/text/{index}"), problem_at(seed, index, min(depth, 4)))
    return {**result, "family": judging.family(result)}


ASK = {"expressions": ask_expression, "text": ask_text}


def ask(question):
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    kind, *details = question
    return ASK[kind](*details)


def progress(done, count, counts):
    if sys.stderr.isatty() or done % 100 == 0:
        filled = 30 * done // max(1, count)
        line = f"[{'#' * filled}{'.' * (30 - filled)}] {done}/{count} {dict(counts)}"
        print(f"\r\033[K{line}" if sys.stderr.isatty() else line, end="", file=sys.stderr, flush=True)
        if done == count or not sys.stderr.isatty():
            print(file=sys.stderr)


def summary(results):
    counts = Counter(r["verdict"] for r in results)
    total = max(1, len(results))
    line = ", ".join(f"{v} {counts[v]} ({100 * counts[v] / total:.1f} %)" for v in reversed(VERDICTS))
    times = sorted(r["seconds"] for r in results if r.get("seconds") is not None)
    if times:
        line += f"; derive: median {1000 * statistics.median(times):.0f} ms, worst {times[-1]:.1f} s"
    return line


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=positive, default=1000)
    parser.add_argument("--depth", type=positive, default=6)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--start", type=int, default=0, help="the first index")
    parser.add_argument("--only", choices=ASK, default="expressions")
    parser.add_argument("--report", type=Path, help="a file of one JSON line a problem; it is continued")
    arguments = parser.parse_args()
    results = []
    if arguments.report and arguments.report.exists():
        results = [json.loads(line) for line in arguments.report.read_text().splitlines()]
    done = {(r["only"], r["seed"], r["index"]) for r in results}
    seen, worker = {r["family"] for r in results}, Worker(ask, PATIENCE, "exception", LIFE)
    indices = range(arguments.start, arguments.start + arguments.count)
    for number, index in enumerate(indices, 1):
        key = (arguments.only, arguments.seed, index)
        if key not in done:
            began = time.perf_counter()
            result = worker.ask((arguments.only, arguments.seed, index, arguments.depth, seen))
            # Of a process that was lost there is no more than the reason.
            result = {"family": f"{result['verdict']}: {result.get('reason')}", **result}
            result |= {"only": arguments.only, "seed": arguments.seed, "index": index}
            result["all_seconds"] = round(time.perf_counter() - began, 3)
            results.append(result)
            quiet = ("right", "no point") if arguments.only == "expressions" else ("right", "no point", "refused")
            if result["family"] not in seen and result["verdict"] not in quiet:
                print(shown(result), flush=True)
            seen.add(result["family"])
            if arguments.report:
                with arguments.report.open("a") as file:
                    file.write(json.dumps(result) + "\n")
        progress(number, len(indices), Counter(r["verdict"] for r in results))
    worker.stop()
    print("\nfamilies:")
    for kind, count in Counter(r["family"] for r in results if r["verdict"] != "right").most_common():
        print(f"{count:6d}  {kind}")
    print(summary(results))
    return 1 if any(r["verdict"] in ("wrong", "exception") for r in results) else 0


def shown(result):
    found = result.get("smallest") or result
    about = {k: found[k] for k in ("wrt", "order", "layout", "structure") if k in found}
    variables = {
        n: ",".join(v["shape"]) + (f" {' '.join(v['props'])}" if v["props"] else "")
        for n, v in (found.get("variables") or {}).items()
    }
    lines = [f"--- {result['index']}: {result['family']}", f"{found.get('text')!r} {about} {variables}"]
    return "\n    ".join([*lines, str(found.get("reason"))[:600]])


if __name__ == "__main__":
    sys.exit(main())
