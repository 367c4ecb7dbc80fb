"""How long a cold render takes, as a ratio to a bare `import sympy` of the same run.

    python benchmarks/render.py [--runs 5]

Every run is a fresh process, the commands take turns, and the medians are compared. The limits are
those of the project: with the exact proof at most 8 times the import, without proof at most 4 times.
Exit status 1 if a limit is passed.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    # In place of this folder, whose names would hide those of installed packages.
    sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.arguments import positive

BASELINE = "import sympy"
RENDER = [sys.executable, "-m", "derivations.render", "--quiet"]
COMMANDS = {
    BASELINE: ([sys.executable, "-c", "import sympy"], None),
    "render, exact proof": ([*RENDER, "--verify", "exact"], 8.0),
    "render, no proof": ([*RENDER, "--verify", "none"], 4.0),
}


def seconds(command):
    """Wall time of one fresh process."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=positive, default=5, help="processes for each command (default: %(default)s)")
    runs = parser.parse_args().runs
    for command, _ in COMMANDS.values():
        seconds(command)  # once for the file cache
    times = {name: [] for name in COMMANDS}
    for _ in range(runs):
        for name, (command, _) in COMMANDS.items():
            times[name].append(seconds(command))
    baseline = statistics.median(times[BASELINE])
    print(f"{'command':22s} {'min':>7s} {'median':>7s} {'max':>7s} {'ratio':>6s} {'limit':>6s}")
    passed = True
    for name, (_, limit) in COMMANDS.items():
        ratio = statistics.median(times[name]) / baseline
        passed &= limit is None or ratio <= limit
        numbers = f"{min(times[name]):7.2f} {statistics.median(times[name]):7.2f} {max(times[name]):7.2f} {ratio:6.1f}"
        print(f"{name:22s} {numbers} {'' if limit is None else f'{limit:6.1f}'}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
