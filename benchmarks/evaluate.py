"""How fast the generated code runs, against automatic differentiation and against code written by hand.

    python benchmarks/evaluate.py [--sizes 100,300,1000] [--jax] [--only gradient,hessian,operator]

Three tables, in float64, all systems in turns in one process on the same number of threads:

  gradient   to_function() of a derivation, against torch.autograd.grad and JAX (jit)
  hessian    the same of order 2, against torch.func.hessian (jacfwd of jacrev), jacrev of jacfwd, and jax.hessian (jit)
  operator   to_operator(): the Hessian times a direction, against forward over reverse and reverse over reverse

Times are milliseconds, medians after a warm-up (JAX compiles in it). Ratios stay within one library: "auto/ours" is the
best of torch's automatic differentiation over ours in torch (above 1, ours is faster), "hand np" and "hand torch" are a
closed form written by hand over ours: 0.9 says that ours has 90 % of its speed. "error" is the greatest relative
difference of all results from the first alternative. What would not fit is left out, with the reason below the table.

JAX may lie in a folder of PYTHONPATH. Exit status 1 if a value is wrong.
"""

import argparse
import os
import sys
import warnings
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    # In place of this folder, whose names would hide those of installed packages.
    sys.path[0] = str(Path(__file__).parents[1])

import numpy as np
import torch

import derivations as dv
from benchmarks.arguments import positive, positives
from benchmarks.judge.truth import TOLERANCE, relative_error
from benchmarks.libraries import LIBRARIES, in_both
from benchmarks.systems import torch_autodiff
from benchmarks.tables import described, note, row
from benchmarks.timing import in_turns
from benchmarks.workloads import PROBLEMS, case

try:
    from benchmarks.systems import jax_autodiff
except ImportError:
    jax_autodiff = None

# Read by the libraries when they are loaded; the last one is XLA's.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")

# Kind -> title, and the alternatives; a problem's closed form has the name of the kind.
TABLES = {
    "gradient": ("gradients", ("autograd", "jax")),
    "hessian": ("Hessians", ("fwd(rev)", "rev(fwd)", "jax")),
    "operator": ("Hessians times a direction", ("fwd(rev)", "rev(rev)", "jax")),
}

# ---------------------------------------------------------------------------------------- contestants


def ours(kind, case):
    problem = case.problem
    order = 1 if kind == "gradient" else 2
    derivation = dv.derive(problem.text, wrt=problem.wrt, variables=problem.shapes, order=order)
    if kind == "operator":
        return in_both(derivation.to_operator, {**case.arrays, f"d_{problem.wrt}": case.direction})
    return in_both(derivation.to_function, case.arrays)


def by_hand(kind, case):
    function = getattr(case.problem, kind)
    if function is None:
        return {}
    direction = {"d": case.direction} if kind == "operator" else {}
    return in_both(lambda name: partial(function, LIBRARIES[name][0]), {**case.arrays, **direction})


def alternatives(kind, case, with_jax):
    found = torch_autodiff.ALTERNATIVES[kind](case)
    return {**found, **jax_autodiff.ALTERNATIVES[kind](case)} if with_jax else found


def gibibytes(size):
    return f"{size / 2**30:.1f} GiB"


def needed(kind, case):
    """Bytes of the largest array that each alternative has to make, for all directions at once."""
    if kind != "hessian":
        return {}
    size, spread = case.direction.size, case.problem.spread(case.n)
    # Reverse mode keeps every direction of the forward mode inside, for every entry of the gradient.
    return {"fwd(rev)": 8 * size * spread, "jax": 8 * size * spread, "rev(fwd)": 8 * size**2 * spread}


def fitting(kind, case, arguments):
    """(the alternatives that fit into the memory, notes on those that do not)."""
    found, limit = alternatives(kind, case, arguments.jax), arguments.memory * 2**30
    large = {name: memory for name, memory in needed(kind, case).items() if name in found and memory > limit}
    sizes = ", ".join(f"{name} ({gibibytes(memory)})" for name, memory in large.items())
    notes = [f"left out for the arrays that they need: {sizes}"] if large else []
    return {name: run for name, run in found.items() if name not in large}, notes


def vec_form(value, case):
    """A Hessian by a matrix as automatic differentiation gives it, (m, n, m, n), in the vec form; else as it is."""
    value = np.asarray(value)
    if value.ndim == 4:
        value = value.transpose(1, 0, 3, 2).reshape(case.direction.size, case.direction.size)
    return value


# -------------------------------------------------------------------------------------------- tables


OURS = ("ours numpy", "ours torch")
# Title -> the contestants of which the quickest is compared, and with which of ours: both of one library.
RATIOS = {
    "auto/ours": (("autograd", "fwd(rev)", "rev(fwd)", "rev(rev)"), "ours torch"),
    "hand np": (("hand numpy",), "ours numpy"),
    "hand torch": (("hand torch",), "ours torch"),
}


def shown(seconds):
    return f"{1000 * seconds:.3f}" if seconds is not None else ""


def ratio(times, above, below):
    seconds = min((times[name] for name in above if name in times), default=None)
    return f"{seconds / times[below]:.2f}" if seconds is not None and below in times else ""


def line(kind, case, arguments):
    """(cells, greatest error, notes) of a line of a table; no cells where the Hessian would not fit."""
    size = 8 * case.direction.size**2
    if kind == "hessian" and size > arguments.memory * 2**30:
        return None, 0.0, [f"left out, the Hessian has {gibibytes(size)}"]
    others, notes = fitting(kind, case, arguments)
    try:
        own = {f"ours {name}": run for name, run in ours(kind, case).items()}
    except dv.DerivationError as error:
        notes.append(f"ours is missing, {described(error)}")
        own = {}
    hand = {f"hand {name}": run for name, run in by_hand(kind, case).items()}
    times, values, failures = in_turns({**others, **own, **hand}, arguments.seconds)
    notes += [note(f"{name}: {failure}") for name, failure in failures.items()]
    values = {name: vec_form(value, case) for name, value in values.items()}
    reference = next(iter(values.values()))
    errors = {name: relative_error(value, reference) for name, value in values.items()}
    for name in [n for n in others if errors.get(n, 0) > TOLERANCE]:
        del times[name]
        notes.append(f"{name} is wrong, and does not count: relative error {errors.pop(name):.1e}")
    cells = [shown(times.get(name)) for name in (*TABLES[kind][1], *OURS)]
    ratios = [ratio(times, above, below) for above, below in RATIOS.values()]
    error = max(errors.values())
    return [case.problem.name, case.n, *cells, *ratios, f"{error:.1e}"], error, notes


def print_table(kind, problems, arguments):
    """Prints a table; whether all values agree."""
    (title, names), notes, right = TABLES[kind], [], True
    columns = {"": 23, "n": 5, **dict.fromkeys((*names, *OURS, *RATIOS, "error"), 10)}
    print(f"\n{title}, milliseconds")
    print(row(columns, columns))
    for problem in problems:
        for n in arguments.sizes:
            label = f"{problem.name}, n = {n}"
            print(f"{title}: {label}", file=sys.stderr)
            cells, error, found = line(kind, case(problem, n), arguments)
            if cells:
                print(row(columns, cells))
            notes += [f"{label}: {text}" for text in found]
            right &= error < TOLERANCE
    for text in notes:
        print(text)
    return right


def run_with_threads(threads):
    """Starts this command again where the libraries have not been told how many threads they have."""
    if any(os.environ.get(name) != str(threads) for name in THREAD_VARIABLES):
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
        os.execv(sys.executable, [sys.executable, *sys.argv])
    torch.set_num_threads(threads)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=positives, default="100,300,1000", help="values of n (default: %(default)s)")
    parser.add_argument("--only", default=",".join(TABLES), help="tables (default: %(default)s)")
    parser.add_argument("--problems", default="", help="parts of the names of problems (default: all)")
    parser.add_argument("--jax", action="store_true", help="compare with JAX too")
    parser.add_argument("--threads", type=positive, default=1, help="for all systems (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.5, help="spent on each contestant (default: %(default)s)")
    parser.add_argument("--memory", type=float, default=0.5, help="GiB that one array may have (default: %(default)s)")
    arguments = parser.parse_args()
    kinds = arguments.only.split(",")
    problems = [p for p in PROBLEMS if any(part in p.name for part in arguments.problems.split(","))]
    if set(kinds) - set(TABLES):
        parser.error(f"the tables are {', '.join(TABLES)}")
    if not problems:
        parser.error(f"no such problem; they are {', '.join(p.name for p in PROBLEMS)}")
    run_with_threads(arguments.threads)
    warnings.simplefilter("ignore")
    versions = f"numpy {np.__version__}, torch {torch.__version__}"
    if arguments.jax:
        if jax_autodiff is None:
            parser.error("JAX is not installed")
        jax_autodiff.use_float64()
        versions += f", jax {jax_autodiff.VERSION}"
    print(f"{versions}, float64, {arguments.threads} thread{'s' if arguments.threads > 1 else ''}")
    return 0 if all([print_table(kind, problems, arguments) for kind in kinds]) else 1


if __name__ == "__main__":
    sys.exit(main())
