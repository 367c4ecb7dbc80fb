"""How long functions take: medians of repetitions, with cold caches or in turns."""

import math
import random
import statistics
import sys
import time

from sympy.core.cache import clear_cache

from benchmarks.tables import described

# Seconds: a timing covers at least this long, or one call.
SHORTEST = 0.002


def caches(packages):
    """What clears the caches of functions of these packages, as far as they are loaded."""
    modules = [m for n, m in sys.modules.items() if n.split(".")[0] in packages]
    found = [getattr(v, "cache_clear", None) for m in modules for v in vars(m).values()]
    return [clear for clear in found if callable(clear)]


def cold(run, repeat, packages):
    """(result, median seconds) of a function that starts with empty caches, of the packages and SymPy's, each time."""
    clearing, seconds = [clear_cache, *caches(packages)], []
    for _ in range(repeat):
        for clear in clearing:
            clear()
        start = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - start)
    return result, statistics.median(seconds)


def in_turns(contestants, seconds):
    """(times, values, failures) by name: median seconds after a warm-up, and why there is none; `seconds` for each."""
    times, values, failures, calls = {}, {}, {}, {}
    for name, run in contestants.items():
        try:
            run()  # what is done once only: compilation, first allocations
            start = time.perf_counter()
            values[name] = run()
            times[name] = [time.perf_counter() - start]
        except Exception as error:
            failures[name] = described(error)
            continue
        calls[name] = max(1, math.ceil(SHORTEST / max(*times[name], 1e-9)))
    # In a fixed order, who follows a particular other would gain or lose a few per cent by it.
    order, generator = list(calls), random.Random(0)
    end = time.perf_counter() + seconds * len(calls)
    while calls and time.perf_counter() < end:
        generator.shuffle(order)
        for name in order:
            run, count = contestants[name], calls[name]
            run()  # the caches of the processor hold what the one before has used
            start = time.perf_counter()
            for _ in range(count):
                run()
            times[name].append((time.perf_counter() - start) / count)
    return {name: statistics.median(t) for name, t in times.items()}, values, failures
