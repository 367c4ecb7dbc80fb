"""The command line, as a person uses it."""

import json
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from classifier import config
from classifier.__main__ import COMMANDS, main
from classifier.config import Config
from runner import configs, runs

QUICK = ["--data", "synthetic", "--train-size", "100", "--epochs", "1", "--batch-size", "20", "--threads", "1"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    assert main(["train", "--out", str(folder), "--quiet", *QUICK]) == 0
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = capsys.readouterr().out
    assert f"python -m classifier {command}" in text and "  python -m classifier" in text
    if command in ("train", "sweep"):
        for name in configs.options(Config):
            assert f"--{name.replace('_', '-')}" in text


def test_help_and_plot_need_no_torch(trained):
    program = (
        "import sys; from classifier.__main__ import main; "
        f"main(['plot', {str(trained)!r}, '--quiet']); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
    assert list((trained / "plots").glob("loss.png"))


@pytest.mark.parametrize(("command", "library"), [("train", "torch"), ("plot", "matplotlib"), ("data", "pooch")])
def test_a_library_that_is_missing_is_named(command, library):
    program = (
        f"import sys; sys.modules[{library!r}] = None; "
        f"from classifier.__main__ import main; sys.exit(main([{command!r}, 'x']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert f"{command} needs {library}" in done.stderr and "pip install" in done.stderr


def test_json_is_the_history_and_the_metrics(tmp_path, capsys):
    assert main(["train", "--out", str(tmp_path), "--json", *QUICK]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[:-1] == runs.history(tmp_path)
    assert lines[-1] == json.loads((tmp_path / runs.METRICS).read_text())


def test_quiet_says_nothing(tmp_path, capsys):
    assert main(["train", "--out", str(tmp_path), "--quiet", *QUICK]) == 0
    assert capsys.readouterr() == ("", "")


def test_the_summary_says_that_the_images_are_generated(tmp_path, capsys):
    assert main(["train", "--out", str(tmp_path), *QUICK]) == 0
    output = capsys.readouterr()
    assert "generated images, not CIFAR-10" in output.out and "test accuracy" in output.out
    assert "epoch 1/1" in output.err and "images/s" in output.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "holds a run; --resume goes on, --overwrite throws it away, --out names another"),
        (["--resume", "--learning-rate", "0.5"], "has learning_rate = 0.001, not 0.5; leave the option out"),
    ],
)
def test_a_run_is_not_overwritten_by_accident(trained, capsys, arguments, message):
    assert main(["train", "--out", str(trained), *QUICK, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_resume_needs_no_option_and_keeps_the_result(trained, capsys):
    before = (trained / runs.MODEL).read_bytes()
    assert main(["train", "--out", str(trained), "--resume"]) == 0
    assert (trained / runs.MODEL).read_bytes() == before


def test_overwrite_starts_anew(tmp_path, capsys):
    main(["train", "--out", str(tmp_path), "--quiet", *QUICK])
    assert main(["train", "--out", str(tmp_path), "--quiet", *QUICK, "--seed", "3", "--overwrite"]) == 0
    assert runs.read(tmp_path).metrics["seed"] == 3


def test_options_come_from_a_file_and_give_way_to_the_command_line(tmp_path):
    (tmp_path / "a.toml").write_text('data = "synthetic"\ntrain_size = 100\nbatch_size = 50\nepochs = 2\n')
    out = tmp_path / "run"
    assert main(["train", "--config", str(tmp_path / "a.toml"), "--epochs", "1", "--out", str(out), "--quiet"]) == 0
    metrics = runs.read(out).metrics
    assert (metrics["batch_size"], metrics["epochs"], metrics["n_train"]) == (50, 1, 100)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--batch-size", "0"], "batch_size: 0 is not at least 1"),
        (["train", "--data", "nowhere", "--out", "x"], "nowhere"),
        (["train", "--config", "nowhere.json"], "nowhere.json cannot be read"),
        (["evaluate", "nowhere"], "nowhere is not the folder of a run"),
        (["plot", "nowhere"], "nowhere"),
        (["train", "--engine", "fused", "--model", "mlp", "--data", "synthetic", "--out", "x"], "fused needs model"),
    ],
)
def test_what_a_person_mistypes_is_said_in_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("classifier: ") and message in said and len(said.splitlines()) == 1
    assert not (tmp_path / "x").exists()


def test_evaluation_gives_the_accuracy_of_the_run(trained, capsys):
    for split in ("test", "validation", "train"):
        assert main(["evaluate", str(trained), "--split", split, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["accuracy"] == runs.read(trained).metrics[f"{split}_accuracy"]
        assert np.trace(found["confusion"]) == pytest.approx(found["accuracy"] * found["n"])


def test_evaluation_is_a_text_for_people(trained, capsys):
    assert main(["evaluate", str(trained)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("test: 1,000 images, accuracy ") and "taken for" in text


def test_a_picture_of_any_size_gets_its_probabilities(trained, tmp_path, capsys):
    pixels = np.random.default_rng(0).integers(0, 256, (50, 80, 3), dtype=np.uint8)
    PIL.Image.fromarray(pixels).save(tmp_path / "picture.png")
    assert main(["evaluate", str(trained), "--image", str(tmp_path / "picture.png"), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert sum(found["classes"].values()) == pytest.approx(1) and len(found["classes"]) == 10
    assert list(found["classes"].values()) == sorted(found["classes"].values(), reverse=True)
    (tmp_path / "text.png").write_text("no picture")
    assert main(["evaluate", str(trained), "--image", str(tmp_path / "text.png")]) == 2
    assert "cannot be read as a picture" in capsys.readouterr().err


def test_an_unfinished_run_is_not_evaluated(tmp_path, capsys):
    runs.write(tmp_path / runs.CONFIG, configs.as_dict(config.make({})))
    assert main(["evaluate", str(tmp_path)]) == 2
    assert "is not finished; `python -m classifier train --out" in capsys.readouterr().err
