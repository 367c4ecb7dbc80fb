"""`python -m gan dynamics`."""

import json
import os
from pathlib import Path

from tqdm import tqdm

from gan import dynamics_plots, studies
from runner import runs, workers
from runner.errors import ConfigError
from runner.figures import FORMATS

DESCRIPTION = """Why the game converges, where it turns in circles, and which steps are stable.

  python -m gan dynamics                     all of it, in about a minute: numbers, and four plots
  python -m gan dynamics --teachers 10000    more random teachers behind the time constants
  python -m gan dynamics --out theory --format pdf

Near the equilibrium a mode of the game has the two roots of z^2 + (s + gamma) z + c^2. This compares the formula with
the Jacobian by autograd, and with the simulated games, over learning rates and gamma."""


def add_options(parser):
    parser.add_argument("--out", default="runs/gan-dynamics", metavar="DIR", help="(default: runs/gan-dynamics)")
    parser.add_argument("--teachers", type=int, default=1000, metavar="N", help="random teachers (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the first teacher (default: 0)")
    parser.add_argument("--side", type=int, default=32, metavar="N", help="of the stability map (default: 32)")
    parser.add_argument("--results", metavar="FILE", help="where to put what the answers show, without the pictures")
    parser.add_argument("--format", nargs="+", choices=FORMATS, default=["png"], help="(default: png)")
    parser.add_argument("--quiet", action="store_true", help="say nothing but what went wrong")


def run(options):
    if min(options.teachers, options.side) < 1 or options.seed < 0:
        raise ConfigError("--teachers and --side are at least 1, --seed at least 0")
    typical = studies.typical_seed(options.teachers, options.seed)
    tasks = {
        "time_constants": lambda: studies.time_constants(options.teachers, options.seed),
        "spectral_radii": lambda: studies.spectral_radii(options.teachers, options.seed),
        "eigenvalues": lambda: studies.eigenvalues(options.seed),
        "portraits": studies.portraits,
        "alternating": lambda: studies.stability_map("alternating", typical, options.side),
        "simultaneous": lambda: studies.stability_map("simultaneous", typical, options.side),
    }
    found = {}
    with workers.threads(os.cpu_count()), tqdm(tasks.items(), disable=options.quiet) as bar:
        for name, task in bar:
            bar.set_description(name.replace("_", " "))
            found[name] = task()
    out = Path(options.out)
    runs.write(out / "dynamics.json", json.dumps(found).encode())
    if options.results:
        runs.write(options.results, _small(found))
    written = dynamics_plots.draw(found, out, options.format)
    if not options.quiet:
        print(summary(found))
        print("\n".join(map(str, [out / "dynamics.json", *written])))


def _small(found):
    """Without the eigenvalues, trajectories and maps themselves."""
    return {
        **{name: found[name] for name in ("time_constants", "spectral_radii")},
        "largest_error": max(case["error"] for case in found["eigenvalues"]),
        "agree": {updates: found[updates]["agree"] for updates in ("alternating", "simultaneous")},
    }


def summary(found):
    times = found["time_constants"]
    rows = [
        f"{'gamma':>8}  {'at the teacher':>16}  {'at random angles':>16}    median time constant of the slowest mode,",
        *(
            f"{gamma:8g}  {a[1]:16.1f}  {b[1]:16.1f}" + ("    in steps times the learning rate" if i == 0 else "")
            for i, (gamma, a, b) in enumerate(
                zip(times["gamma"], times["at the teacher"], times["at random angles"], strict=True)
            )
        ),
    ]
    radii = found["spectral_radii"]
    for name, values in radii.items():
        if isinstance(values, dict):
            rows.append(
                f"h = {radii['h']}, gamma 0, {name}: spectral radius {values['median']:.4f} in the median, "
                f"{100 * values['stable']:.0f} % stable"
            )
    error = max(case["error"] for case in found["eigenvalues"])
    rows.append(f"the formula against the Jacobian by autograd, {len(found['eigenvalues'])} cases: {error:.1e} at most")
    for updates in ("alternating", "simultaneous"):
        share = found[updates]["agree"]
        rows.append(f"{updates}: simulation and formula agree on stability at {100 * share:.1f} % of the map")
    return "\n".join(rows)
