"""The command line, as a person uses it."""

import json
import math
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from gan import plots, reports
from gan.__main__ import COMMANDS, main
from gan.config import Config
from gan.training import FILES
from runner import configs, runs

QUICK = ["--steps", "40", "--log-every", "20", "--batch-size", "16"]


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    """What a run ends with, measures and plots, takes longer than its few steps here."""
    monkeypatch.setattr(reports, "N_DIRECTIONS", 4)
    monkeypatch.setattr(plots, "draw", lambda *_: [])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    assert main(["train", "--out", str(folder), "--quiet", *QUICK]) == 0
    return folder


def program(text):
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0 and text.count("  python -m gan train") >= 5
    for name, option in configs.options(Config).items():
        assert f"--{name.replace('_', '-')}" in text, name
        assert " ".join(option.metadata["help"].split()[:3]) in " ".join(text.split()), name
    for file in (runs.CONFIG, runs.HISTORY, runs.METRICS, runs.MODEL):
        assert file in text


def test_the_commands_are_listed_without_torch():
    done = program(
        "import sys\nfrom gan.__main__ import main\n"
        "try: main(['--help'])\nexcept SystemExit: print('torch' in sys.modules)"
    )
    assert done.stdout.endswith("False\n"), done.stderr
    for name, meaning in COMMANDS.items():
        assert name in done.stdout and meaning in " ".join(done.stdout.split())


def test_a_library_that_is_missing_is_named():
    done = program("import sys; sys.modules['torch'] = None; from gan.__main__ import main; sys.exit(main(['train']))")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "gan: train needs torch" in done.stderr and "pip install" in done.stderr


def test_the_summary_says_how_far_it_is_from_the_optimum(tmp_path, capsys):
    assert main(["train", "--out", str(tmp_path / "run")]) == 0
    output = capsys.readouterr()
    v, best = map(float, re.search(r"V = (-[\d.]+) \(-log 4 = (-[\d.]+)\)", output.out).groups())
    assert v == pytest.approx(-math.log(4), abs=2e-4) and best == -1.3863
    assert (
        "D = 0.500 on data, 0.500 on samples" in output.out
        and "the best D could add" in output.out
        and str(tmp_path / "run") in output.out
    )
    assert "step 3,000" in output.err and "gap" in output.err


def test_a_trap_is_a_line_on_standard_error(tmp_path, capsys):
    assert main(["train", "--out", str(tmp_path), "--generator-start", "0", *QUICK]) == 0
    assert "\ngan: W_g starts at zero" in capsys.readouterr().err


def test_json_is_the_history_and_the_metrics(tmp_path, capsys):
    assert main(["train", "--out", str(tmp_path), "--json", *QUICK]) == 0
    output = capsys.readouterr()
    lines = [json.loads(line) for line in output.out.splitlines()]
    assert lines[:-1] == runs.history(tmp_path) and [r["step"] for r in lines[:-1]] == [0, 20, 40]
    assert lines[-1] == json.loads((tmp_path / runs.METRICS).read_text())
    assert output.err == ""


def test_quiet_says_nothing(tmp_path, capsys):
    assert main(["train", "--out", str(tmp_path), "--quiet", "--generator-start", "0", *QUICK]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_run_has_all_its_files_and_plots(trained):
    for name in FILES:
        assert (trained / name).exists() == (name != runs.CHECKPOINT), name
    assert any((trained / "plots").iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch-size", "0"], "batch_size: 0 is not at least 1"),
        (["--gamma", "nan"], "gamma: nan is not a finite number"),
        (["--average", "1"], "average: 1.0 is not at least 0.0 and less than 1.0"),
        (["--hold", "5"], "hold needs a law that changes"),
        (["--loss", "wasserstein", "--discriminator", "quadratic"], "loss wasserstein needs --discriminator linear"),
        (["--data", "nowhere"], "data 'nowhere' is none of teacher, normal"),
        (["--data", "nowhere.csv"], "nowhere.csv cannot be read: No such file"),
        (["--data", "five.csv"], "five.csv has nan in row 1, column 5"),
        (["--device", "tpu"], "device 'tpu' is not to be had here"),
        (["--config", "nowhere.json"], "nowhere.json cannot be read"),
        (["--loss", "least-squares", "--learning-rate", "1e6"], "the weights are no longer finite numbers by step"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_a_person_mistypes_is_said_in_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "five.csv").write_text("1,2,3,4,nan\n")
    assert main(["train", "--out", "x", "--quiet", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith("gan: ") and message in said and len(said.splitlines()) == 1
    assert not (tmp_path / "x" / runs.METRICS).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--loss", "jensen"], "argument --loss: invalid choice: 'jensen'"),
        (["--steps", "many"], "argument --steps: invalid int value: 'many'"),
        (["--epochs", "5"], "unrecognized arguments: --epochs 5"),
        (["--json", "--quiet"], "not allowed with argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_no_option_can_be_ends_with_two(capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        main(["train", *arguments])
    assert stop.value.code == 2 and message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "holds a run; --resume goes on, --overwrite throws it away, --out names another"),
        (["--resume", "--gamma", "0.5"], "has gamma = 0.1, not 0.5; leave the option out"),
        (["--resume", "--discriminator", "quadratic"], "has discriminator = 'linear', not 'quadratic'"),
    ],
    ids=["again", "another gamma", "another discriminator"],
)
def test_a_run_is_not_overwritten_by_accident(trained, capsys, arguments, message):
    before = (trained / runs.METRICS).read_bytes()
    assert main(["train", "--out", str(trained), *QUICK, *arguments]) == 2
    assert message in capsys.readouterr().err
    assert (trained / runs.METRICS).read_bytes() == before


def test_resume_needs_no_option_and_keeps_the_result(trained):
    before = (trained / runs.MODEL).read_bytes()
    assert main(["train", "--out", str(trained), "--resume", "--quiet"]) == 0
    assert (trained / runs.MODEL).read_bytes() == before


def test_overwrite_starts_anew(tmp_path):
    for seed in ("0", "3"):
        assert main(["train", "--out", str(tmp_path), "--quiet", *QUICK, "--seed", seed, "--overwrite"]) == 0
    run = runs.read(tmp_path)
    assert run.metrics["seed"] == run.config["seed"] == 3 and len(run.history) == 3


def test_options_come_from_a_file_and_give_way_to_the_command_line(tmp_path):
    (tmp_path / "a.toml").write_text('data = "normal"\nsteps = 20\nbatch_size = 8\ngamma = 1\n')
    out = tmp_path / "run"
    assert main(["train", "--config", str(tmp_path / "a.toml"), "--steps", "5", "--out", str(out), "--quiet"]) == 0
    metrics = runs.read(out).metrics
    assert (metrics["data"], metrics["steps"], metrics["batch_size"], metrics["gamma"]) == ("normal", 5, 8, 1.0)


def test_a_folder_is_named_after_what_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("mine.npy", np.ones((3, 5)))
    assert main(["train", "--quiet", *QUICK]) == 0
    assert main(["train", "--quiet", *QUICK, "--data", "mine.npy", "--loss", "hinge", "--seed", "2"]) == 0
    folders = {p.name for p in (tmp_path / "runs").iterdir()}
    assert folders == {"gan-saturating-linear-seed0", "gan-hinge-linear-mine-seed2"}


def started(folder, *arguments):
    command = [sys.executable, "-m", "gan", "train", "--out", str(folder), "--steps", "1000000", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (folder / runs.CHECKPOINT).exists():
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.01)
    return process


def test_ctrl_c_saves_says_how_to_go_on_and_ends_with_130(tmp_path):
    process = started(tmp_path, "--quiet", "--checkpoint-seconds", "0")
    process.send_signal(signal.SIGINT)
    output, said = process.communicate(timeout=60)
    assert process.returncode == 130 and output == ""
    assert re.fullmatch(r"gan: stopped after [\d,]+ steps, which are saved; `.* --resume` goes on\n", said)
    assert f"`python -m gan train --out {tmp_path} --resume`" in said
    assert not runs.is_finished(tmp_path) and (tmp_path / runs.CHECKPOINT).exists()


def test_a_reader_that_goes_away_gets_no_traceback(tmp_path):
    process = started(tmp_path, "--json", "--checkpoint-seconds", "0")
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)
    assert "Traceback" not in said


@pytest.mark.parametrize("arguments", [["--steps", "0"], ["--data", "nowhere.csv"], ["--device", "tpu"]], ids=str)
def test_a_mistake_beside_overwrite_throws_nothing_away(tmp_path, arguments):
    out = str(tmp_path)
    assert main(["train", "--out", out, "--quiet", *QUICK]) == 0
    assert main(["train", "--out", out, "--quiet", "--overwrite", *arguments]) == 2
    assert runs.is_finished(tmp_path) and (tmp_path / runs.MODEL).exists()


def test_overwrite_does_not_touch_a_run_that_is_training(tmp_path, capsys):
    with runs.claimed(tmp_path):
        runs.write(tmp_path / runs.CONFIG, configs.as_dict(Config()))
        assert main(["train", "--out", str(tmp_path), "--overwrite", *QUICK]) == 2
    assert "another process is training" in capsys.readouterr().err
    assert (tmp_path / runs.CONFIG).exists()


def test_resume_and_overwrite_at_once_are_refused(trained, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "--out", str(trained), "--quiet", "--resume", "--overwrite"])
    assert stop.value.code == 2 and "not allowed with argument --resume" in capsys.readouterr().err
