"""The map of the source: imports point one way, torch is paid for by who asks, packages know none but the runner."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("derivations", "classifier", "gan", "runner")
# Package -> those of ours that it may import.
KNOWN = {"classifier": {"runner"}, "gan": {"runner"}}

# A module may import those before it. A name that ends with a dot stands for all modules below it.
LAYERS = (
    "derivations.errors",
    "derivations.functions",
    "derivations.expressions",
    "derivations.elementwise",
    "derivations.kronecker",
    "derivations.scalars",
    "derivations.spectral",
    "derivations.abbreviations",
    "derivations.notation",
    "derivations.notation.names",
    "derivations.notation.syntax",
    "derivations.notation.shapes",
    "derivations.notation.inference",
    "derivations.notation.sympy_functions",
    "derivations.notation.sympy_symbols",
    "derivations.notation.sympy_sums",
    "derivations.notation.sympy_in",
    "derivations.notation.sympy_out",
    "derivations.notation.text",
    "derivations.notation.latex",
    "derivations.notation.lines",
    "derivations.notation.code",
    "derivations.notation.code.libraries",
    "derivations.notation.code.arguments",
    "derivations.notation.code.helpers",
    "derivations.notation.code.operations",
    "derivations.notation.code.costs",
    "derivations.notation.code.blocks",
    "derivations.notation.code.products",
    "derivations.notation.code.reductions",
    "derivations.notation.code.scalars",
    "derivations.notation.code.matrices",
    "derivations.notation.code.plan",
    "derivations.notation.code.systems",
    "derivations.notation.code.actions",
    "derivations.notation.code.pieces",
    "derivations.notation.code.emitter",
    "derivations.notation.code.generator",
    "derivations.derivation",
    "derivations.rewriting",
    "derivations.notation.code.modules",
    "derivations.differentials",
    "derivations.moves",
    "derivations.rules",
    "derivations.collecting",
    "derivations.fractions",
    "derivations.identities",
    "derivations.elementwise_identities",
    "derivations.simplification",
    "derivations.differentiation",
    "derivations.api",
    "derivations.verification.report",
    "derivations.verification.layouts",
    "derivations.verification",
    "derivations.verification.layouts",
    "derivations.verification.sampling",
    "derivations.verification.arithmetic",
    "derivations.verification.degrees",
    "derivations.verification.linear",
    "derivations.verification.spectra",
    "derivations.verification.evaluation",
    "derivations.verification.kinks",
    "derivations.verification.exact",
    "derivations.verification.comparison",
    "derivations.verification.interpreter",
    "derivations.verification.autograd",
    "derivations.verification.disagreement",
    "derivations.verification.callables",
    "derivations.verification.gradients",
    "derivations",
    "derivations.topics",
    "derivations.topics.",
    "derivations.examples",
    "derivations.catalogue",
    "derivations.proofreading",
    "derivations.proofreading.",
    "derivations.answers",
    "derivations.answers.",
    "derivations.render",
    "derivations.commandline",
    "derivations.commandline.",
    "derivations.__main__",
    # Without torch: options, folders, tables, plots.
    "runner",
    "runner.errors",
    "runner.configs",
    "runner.runs",
    "runner.experiments",
    "runner.schedules",
    "runner.progress",
    "runner.stopping",
    "runner.commandline",
    "runner.figures",
    # With torch.
    "runner.workers",
    "runner.checkpoints",
    # With Numba.
    "runner.compiled",
    "classifier",
    # Without torch.
    "classifier.config",
    "classifier.experiments",
    "classifier.sweeps",
    "classifier.run_folders",
    "classifier.panels",
    "classifier.pgfplots",
    "classifier.plots",
    "classifier.cifar10",
    "classifier.sources",
    "classifier.synthetic",
    # With torch.
    "classifier.datasets",
    "classifier.models",
    "classifier.kernels",
    "classifier.batches",
    "classifier.plain",
    "classifier.fused",
    "classifier.evaluation",
    "classifier.training",
    "classifier.inference",
    "classifier.commands",
    "classifier.commands.",
    "classifier.__main__",
    "gan",
    # Without torch.
    "gan.config",
    "gan.experiments",
    "gan.plots",
    "gan.dynamics_plots",
    # With torch.
    "gan.draws",
    "gan.laws",
    "gan.files",
    "gan.losses",
    "gan.discriminators",
    "gan.gradients",
    "gan.points",
    "gan.measures",
    "gan.kernels",
    "gan.game",
    "gan.symbolic",
    "gan.checks",
    "gan.reports",
    "gan.training",
    "gan.sweeps",
    "gan.dynamics",
    "gan.studies",
    "gan.commands",
    "gan.commands.",
    "gan.__main__",
)


def sources(*folders):
    """Python files; those that the answers show as text are no modules of ours."""
    found = [p for folder in folders for p in sorted((ROOT / folder).rglob("*.py"))]
    return [p for p in found if "snippets" not in p.parts]


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


TREES = {name_of(p): ast.parse(p.read_text(), str(p)) for p in sources(*PACKAGES)}


def imported(tree):
    """Full names of what a module imports: `from a import b` may mean the module a.b or a name in a."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the map"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in TREES else node.module


GRAPH = {name: {i for i in imported(tree) if i in TREES} for name, tree in TREES.items()}


def layer(name):
    """The place of a module in the map; its own name counts more than that of its folder."""
    if name in LAYERS:
        return LAYERS.index(name)
    folders = [LAYERS.index(entry) for entry in LAYERS if entry.endswith(".") and name.startswith(entry)]
    return max(folders) if folders else None


OURS = [name for name in TREES if name.split(".")[0] == "derivations"]


@pytest.mark.parametrize("name", TREES)
def test_every_module_is_on_the_map(name):
    assert layer(name) is not None, f"{name} has no layer: say in LAYERS which modules may import it"


@pytest.mark.parametrize("name", TREES)
def test_imports_point_to_earlier_layers(name):
    for other in GRAPH[name]:
        same_folder = LAYERS[layer(name)].endswith(".") and layer(other) == layer(name)
        assert layer(other) < layer(name) or same_folder, f"{name} imports {other}, which comes later"


def test_there_is_no_cycle():
    assert list(TopologicalSorter(GRAPH).static_order())


def test_the_packages_do_not_know_one_another():
    for name, tree in TREES.items():
        own = name.split(".")[0]
        others = {i.split(".")[0] for i in imported(tree)} & set(PACKAGES)
        assert others <= {own} | KNOWN.get(own, set()), f"{name} imports another package"


# What plots and sweeps are made of, from the first to the last.
LIGHT = (("runner", "runner.figures"), ("classifier", "classifier.synthetic"), ("gan", "gan.dynamics_plots"))


@pytest.mark.parametrize(
    "name", [n for first, last in LIGHT for n in LAYERS[LAYERS.index(first) : LAYERS.index(last) + 1]]
)
def test_plots_and_sweeps_do_not_pay_for_torch(name):
    assert not {i.split(".")[0] for i in imported(TREES[name])} & {"torch", "numba"}


# Each is loaded by name, where it is asked for.
TORCH = {
    "derivations.notation.code.modules",
    "derivations.verification.autograd",
    "derivations.verification.callables",
    "derivations.verification.disagreement",
    "derivations.verification.interpreter",
}


@pytest.mark.parametrize("name", OURS)
def test_torch_is_imported_by_few_files_and_those_by_none_but_themselves(name):
    heavy = {i.split(".")[0] for i in imported(TREES[name])} & {"torch", "numpy", "matplotlib", "torchvision", "scipy"}
    assert heavy <= ({"torch"} if name in TORCH else set())
    assert name in TORCH or not GRAPH[name] & TORCH


@pytest.mark.parametrize("name", TREES)
def test_no_import_hides_inside_a_function(name):
    for function in ast.walk(TREES[name]):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            hidden = [n for n in ast.walk(function) if isinstance(n, (ast.Import, ast.ImportFrom))]
            assert not hidden, f"line {hidden[0].lineno} of {name}"


@pytest.mark.parametrize("name", OURS)
def test_modules_are_loaded_by_name_for_torch_only(name):
    """The witness of autograd is, the torch module, and the check of a user's gradient."""
    calls = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Call)
    }
    if name not in ("derivations.verification", "derivations.derivation", "derivations.verification.gradients"):
        assert not calls & {"import_module", "__import__"}


@pytest.mark.parametrize("name", [n for n in TREES if (ROOT / n.replace(".", "/")).is_dir()])
def test_no_function_of_a_package_hides_a_module(name):
    """`from derivations import rules` must always mean the module."""
    modules = {n.rsplit(".", 1)[1] for n in TREES if "." in n and n.rsplit(".", 1)[0] == name}
    taken = {
        alias.asname or alias.name
        for node in TREES[name].body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if f"{node.module}.{alias.name}" not in TREES
    }
    assert not taken & modules


def test_the_package_does_not_import_render():
    assert not {n for n in GRAPH["derivations"] if n.endswith(("render", "__main__"))}


def fresh(program):
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize("module", ["derivations", "derivations.render"])
def test_an_import_does_not_pay_for_torch_or_numpy(module):
    program = f"import sys, {module}; print(sorted({{'torch', 'numpy', 'matplotlib'}} & set(sys.modules)))"
    assert fresh(program) == "[]"


def test_deriving_and_typesetting_do_not_either():
    program = (
        "import sys, derivations as dv; d = dv.derive(\"x'*A*y\", 'y'); d.to_latex(); d.to_text(); d.to_code('torch');"
        "dv.check_gradient, d.to_torch_module;"
        "print(sorted({'torch', 'numpy'} & set(sys.modules)))"
    )
    assert fresh(program) == "[]"


# Spelled so that this file does not hold them.
PLACES = ("/" + "work/", "share" + "d/", "/" + "tmp/", "/" + "home/")


@pytest.mark.parametrize("path", sources(*PACKAGES, "benchmarks", "tests"), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_source_knows_where_it_was_written(path):
    text = path.read_text()
    for place in PLACES:
        assert not re.search(rf"(?<![\w.]){re.escape(place)}", text), place


def test_tests_have_no_init():
    assert not list((ROOT / "tests").rglob("__init__.py"))
