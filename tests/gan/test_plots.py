"""Plots from files alone: they come out, without torch, and broken files are named."""

import json
import subprocess
import sys

import pytest
from PIL import Image

from gan import dynamics_plots, plots, studies, training
from gan.__main__ import main
from gan.config import SAMPLES, make
from runner import runs
from runner.errors import RunError


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    training.train(make({"steps": 60, "log_every": 20, "batch_size": 16}), folder)
    return folder


def test_a_run_becomes_two_pictures(run, tmp_path):
    written = plots.draw([run], tmp_path, ("png", "pdf"))
    assert [p.name for p in written] == ["training.png", "training.pdf", "samples.png", "samples.pdf"]
    for path in written:
        assert path.read_bytes().startswith(b"%PDF" if path.suffix == ".pdf" else b"\x89PNG")
    with Image.open(written[0]) as image:
        assert image.width > 1000 and len(image.convert("RGB").getcolors(maxcolors=2**24)) > 50


def test_the_same_run_gives_the_same_files(run, tmp_path):
    one, other = ([p.read_bytes() for p in plots.draw([run], tmp_path / n, ("png", "pdf"))] for n in "ab")
    assert one == other


def test_several_runs_have_names_of_their_own(run, tmp_path):
    other = tmp_path / "other"
    training.train(make({"steps": 20, "log_every": 20, "batch_size": 16, "data": "uniform"}), other)
    names = {p.name for p in plots.draw([run, other], tmp_path / "plots")}
    assert names == {f"{f.name}-{kind}.png" for f in (run, other) for kind in ("training", "samples")}


def test_an_unfinished_run_shows_its_training(run, tmp_path):
    for name in (runs.CONFIG, runs.HISTORY):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    assert [p.name for p in plots.draw([tmp_path], tmp_path / "plots")] == ["training.png"]


def test_results_become_a_picture_for_each_experiment(tmp_path):
    run = {"best_response_gap": 1e-4, "mean_distance": 0.01, "sliced_wasserstein": 0.2, "gram_error": None}
    content = [run | {"experiment": e, "name": n} for e in ("x", "y") for n in ("a", "b")]
    content.append({key: None for key in run} | {"experiment": "x", "name": "diverged"})
    (tmp_path / "gan.json").write_text(json.dumps({"runs": content}))
    assert main(["plot", str(tmp_path / "gan.json"), "--quiet"]) == 0
    assert {p.name for p in (tmp_path / "plots").iterdir()} == {"x.png", "y.png"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (runs.HISTORY, b"", "has no history yet"),
        (runs.HISTORY, b"{\n{}\n", "line 1: not JSON"),
        (runs.CONFIG, b"[]", "expected an object"),
        (SAMPLES, b"PK", "cannot be read"),
    ],
)
def test_a_broken_file_is_named(run, tmp_path, name, content, message):
    for kept in (runs.CONFIG, runs.HISTORY, runs.METRICS, SAMPLES):
        (tmp_path / kept).write_bytes((run / kept).read_bytes())
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RunError, match=message):
        plots.draw([tmp_path], tmp_path / "plots")


def test_what_is_no_run_is_named(tmp_path, capsys):
    assert main(["plot", str(tmp_path)]) == 2
    assert "is not the folder of a run" in capsys.readouterr().err
    (tmp_path / "a.json").write_text("{}")
    assert main(["plot", str(tmp_path / "a.json")]) == 2
    assert "holds no results" in capsys.readouterr().err


def test_plots_need_no_torch(run, tmp_path):
    program = (
        "import sys\nfrom gan.__main__ import main\n"
        f"assert main(['plot', {str(run)!r}, '--out', {str(tmp_path)!r}]) == 0\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_dynamics_become_four_pictures(tmp_path):
    found = {
        "time_constants": studies.time_constants(20),
        "eigenvalues": studies.eigenvalues(),
        "portraits": studies.portraits(n_steps=20),
        "simultaneous": studies.stability_map("simultaneous", side=3),
        "alternating": studies.stability_map("alternating", side=3),
    }
    written = dynamics_plots.draw(found, tmp_path, ("png",))
    assert [p.name for p in written] == ["time-constants.png", "eigenvalues.png", "stability.png", "portraits.png"]
    assert all(p.stat().st_size > 10_000 for p in written)


def test_dynamics_says_what_it_found(tmp_path, capsys):
    results = tmp_path / "small.json"
    arguments = ["--teachers", "20", "--side", "3", "--out", str(tmp_path), "--results", str(results)]
    assert main(["dynamics", *arguments]) == 0
    text = capsys.readouterr().out
    assert "median time constant" in text and "agree on stability" in text and "stability.png" in text
    assert set(json.loads(results.read_text())) == {"time_constants", "spectral_radii", "largest_error", "agree"}
    assert main(["dynamics", "--teachers", "0"]) == 2
