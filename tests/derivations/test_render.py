"""The command: the whole document, its options, its errors, and that it compiles."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from derivations import render
from derivations.answers import contents
from derivations.answers.parts import Work

COMMAND = [sys.executable, "-m", "derivations.render"]


def run(*arguments, **options):
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=120, **options)


@pytest.fixture(scope="module")
def whole():
    return run()


def test_the_document_goes_to_standard_output_and_progress_to_standard_error(whole):
    assert whole.returncode == 0
    assert whole.stdout.startswith(r"\documentclass") and whole.stdout.endswith("\\end{document}\n")
    assert "4.2  Understanding GANs: gradients: 5 derivations proven" in whole.stderr


def test_rendering_twice_gives_the_same_bytes(whole):
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    assert run("--quiet", env=environment).stdout == whole.stdout


def test_every_derivation_says_how_it_was_proven(whole):
    assert whole.stdout.count(r"\begin{align*}") == whole.stdout.count(r"\proven{Equ")


def test_one_file_is_all_that_is_needed(whole):
    assert not re.search(r"\\(input|include|includegraphics)\b", whole.stdout)


def test_rendering_does_not_import_torch():
    code = (
        "import sys; from derivations import render; "
        "render.main(['--quiet', '--only', '1.1']); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60).returncode == 0


def test_only_and_quiet():
    done = run("--only", "4.2, 1.1", "--quiet")
    assert done.stderr == ""
    assert re.findall(r"\\subsection\{(.*)\}", done.stdout) == [
        "Calculating gradients",
        "Understanding GANs: gradients",
    ]


def test_layout_changes_the_fourth_gradient():
    assert r"\boxed{\mathbf{A}^{\top}}" in run("--only", "1.1").stdout
    assert r"\boxed{\mathbf{A}}" in run("--only", "1.1", "--layout", "numerator").stdout


def test_fragments(tmp_path):
    done = run("--fragments", str(tmp_path / "parts"), "--only", "1.1,3.2")
    assert done.returncode == 0 and done.stdout == ""
    names = sorted(p.name for p in (tmp_path / "parts").iterdir())
    assert names == ["answer-1.1.tex", "answer-3.2.tex", "answers.sty"]


def test_without_proof_the_document_says_so():
    done = run("--only", "1.1", "--verify", "none")
    assert done.stdout.count("Not proven in this run") == 4 and "proven" not in done.stderr


def test_all_witnesses():
    done = run("--only", "1.1", "--verify", "all")
    assert done.stdout.count("Result checked by autograd") == 4


# --------------------------------------------------------------------------------------- errors


def test_an_unknown_question_is_named():
    done = run("--only", "1.1,9.9")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("render: no question '9.9'; the questions are 1.1, 1.2")
    assert done.stderr.count("\n") == 1


def test_a_missing_results_folder_is_named(tmp_path):
    done = run("--results", str(tmp_path / "nowhere"))
    assert done.returncode == 2 and "no folder" in done.stderr and "Traceback" not in done.stderr


def test_a_broken_results_file_is_named(tmp_path):
    (tmp_path / "classifier.json").write_text("{}")
    done = run("--only", "2.3", "--results", str(tmp_path))
    assert done.returncode == 2
    assert re.fullmatch(r"render: .*classifier\.json: expected an object with a list \"runs\"\n", done.stderr)


EXPERIMENTS = {
    "homework": [f"batch {b}, {e} epochs" for b in (4, 16) for e in (5, 20)],
    "control": ["batch 4, 10 epochs", "batch 4, 20 epochs, a quarter of the rate"]
    + [f"batch 16, {e} epochs, 4 times the rate" for e in (5, 20)],
    "more-data": ["500 images", "40,000 images"],
    "weight-decay": ["weight decay 0.1"],
    "width": ["width 4"],
    "selection": ["best epoch on validation"],
    "batch-norm": ["lenet-bn, batch 128"],
    "architecture": ["fully connected"],
    "first-run": ["batch 4, 3 epochs"],
}


def measured(experiment, name, seed):
    run = {"experiment": experiment, "name": name, "seed": seed, "batch_size": 4, "epochs": 5, "learning_rate": 0.001}
    run |= {"steps": 100, "device": "cpu", "torch": "2.13.0", "seconds": 60.0, "test_accuracy": 0.6 + 0.01 * seed}
    return run | {"train_accuracy": 0.7, "test_loss": 1.1, "loss": [[i / 40, 2.3 * 0.98**i] for i in range(1, 200)]}


def test_results_are_found_in_the_working_folder(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "classifier.json").write_text(json.dumps({"runs": [measured("first-run", "a", 0)]}))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    assert "a & 100 & 60.0 & 70.0 & 1.10" in run("--only", "2.3", cwd=tmp_path, env=environment).stdout


def test_a_closed_pipe_gets_one_line():
    process = subprocess.Popen([*COMMAND, "--quiet"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    message = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 2
    assert message == "render: standard output was closed before the document was written\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_gets_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COMMAND, "--quiet"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr == "render: cannot write the document: No space left on device\n"


def test_help_teaches_by_example():
    assert "python -m derivations.render > answers.tex" in run("--help").stdout


def test_a_false_derivation_stops_the_render_and_names_the_answer(monkeypatch, capsys):
    def false_gradients(settings):
        answer = contents.basics.gradients(settings)
        place = next(i for i, p in enumerate(answer.parts) if isinstance(p, Work))
        work = answer.parts[place]
        wrong = replace(work, derivation=replace(work.derivation, result=work.derivation.result * 2))
        return replace(answer, parts=(*answer.parts[:place], wrong, *answer.parts[place + 1 :]))

    monkeypatch.setitem(contents.ANSWERS, "1.1", false_gradients)
    assert render.main(["--only", "1.1"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and "answer 1.1: a derivation is not proven" in printed.err


# -------------------------------------------------------------------------------------- pdflatex


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("results", [False, True], ids=["without results", "with results"])
def test_the_document_compiles_without_errors_and_without_wide_boxes(whole, results, tmp_path):
    text = whole.stdout
    if results:
        found = [measured(e, n, seed) for e, names in EXPERIMENTS.items() for n in names for seed in (0, 1)]
        (tmp_path / "classifier.json").write_text(json.dumps({"runs": found}))
        text = run("--quiet", "--results", str(tmp_path)).stdout
    log = compiled(tmp_path, "answers", text)
    assert "undefined" not in log.lower().replace("undefined tokens", "")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_fragments_compile_in_a_document_of_ones_own(tmp_path):
    run("--fragments", str(tmp_path), "--only", "1.1,3.3")
    text = (
        "\\documentclass[11pt,a4paper]{article}\\usepackage[margin=2.5cm]{geometry}\\usepackage{answers}"
        "\\begin{document}\\input{answer-1.1}\\input{answer-3.3}\\end{document}"
    )
    compiled(tmp_path, "mine", text)


def compiled(folder, name, text):
    """Run pdflatex twice; the log of the second run."""
    (folder / f"{name}.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"]
    for _ in range(2):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=180)
        assert done.returncode == 0, done.stdout[-3000:]
    log = (folder / f"{name}.log").read_text(encoding="latin-1")
    wide = [float(w) for w in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide", log)]
    assert max(wide, default=0.0) <= 10.0
    return log
