"""Plots of run folders: the numbers that are shown, what is left out, and files that open and compile."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from safetensors.numpy import load_file, save_file

from classifier import pgfplots, plots
from runner.errors import ConfigError, RunError

ROOT = Path(__file__).parents[2]
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
RECORDS = 20  # of an epoch
EASE = np.array([0.3, 0.7, -0.5, -0.9, -0.3, -0.4, 0.4, 0.3, 0.6, 0.2])


def history(generator, epochs, best, validation, n_records=RECORDS):
    """Lines as a training writes them: a loss that falls from ln 10 towards best, with noise."""
    lines = []
    for epoch in range(1, epochs + 1):
        for i in range(1, n_records + 1):
            at = epoch - 1 + i / n_records
            loss = best + (np.log(10) - best) * np.exp(-at) + 0.05 * generator.standard_normal()
            step = round(250 * n_records * at)
            lines.append({"kind": "batches", "epoch": at, "step": step, "batches": 250, "loss": loss})
            lines[-1] |= {"accuracy": 1 - loss / 2.6, "learning_rate": 0.001, "seconds": at}
        lines.append({"kind": "epoch", "epoch": epoch, "step": 250 * n_records * epoch, "train_loss": loss})
        checked = {"validation_loss": loss + 0.03 * epoch, "validation_accuracy": 0.97 - loss / 2.6}
        checked = checked if validation else dict.fromkeys(checked)
        lines[-1] |= {"train_accuracy": 0.95 - loss / 2.6, **checked, "learning_rate": 0.001, "seconds": at}
    return lines


def predicted(generator, n=1000):
    """Labels, and predictions that are right more often for easy classes."""
    labels = np.arange(n) % 10
    logits = 1.6 * np.eye(10)[labels] * (1 + EASE[labels, None]) + generator.gumbel(0, 0.5, (n, 10))
    logits += np.eye(10)[[1, 9, 4, 5, 7, 3, 3, 4, 0, 1]][labels]
    odds = np.exp(2 * logits)
    confidence = (odds / odds.sum(1, keepdims=True)).max(1).astype(np.float32)
    predictions = logits.argmax(1)
    wrong = np.flatnonzero(predictions != labels)
    mistakes = wrong[np.argsort(-confidence[wrong])][:30]
    return labels.astype(np.uint8), predictions.astype(np.uint8), confidence, mistakes.astype(np.int64)


def photographs(generator, n):
    """Blurred noise, bright enough to be seen."""
    coarse = generator.integers(0, 256, (n, 3, 4, 4), np.uint8)
    return coarse.repeat(8, axis=2).repeat(8, axis=3)


@pytest.fixture
def run(tmp_path):
    """Writes a run folder of made-up but likely numbers."""

    def written(folder="run", seed=0, batch_size=4, epochs=3, name="", validation=True, done=True, **more):
        folder = tmp_path / folder
        folder.mkdir(parents=True)
        generator = np.random.default_rng([seed, batch_size, epochs])
        config = {"name": name, "model": more.pop("model", "lenet"), "batch_size": batch_size, "epochs": epochs}
        config |= {"seed": seed, "learning_rate": 0.001, "label_smoothing": more.pop("label_smoothing", 0.0)}
        classes = more.pop("classes", CLASSES)
        lines = history(generator, more.pop("so_far", epochs), 0.8 + 0.02 * batch_size, validation, **more)
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        if done:
            labels, predictions, confidence, mistakes = predicted(generator)
            right = [float((predictions == labels)[labels == i].mean()) for i in range(10)]
            metrics = config | {"test_accuracy": float(np.mean(right)), "classes": classes, "class_accuracy": right}
            (folder / "metrics.json").write_text(json.dumps(metrics))
            np.savez_compressed(
                folder / "predictions.npz",
                labels=labels,
                predictions=predictions,
                confidence=confidence,
                mistakes=mistakes,
                images=photographs(generator, len(mistakes)),
            )
            weights = {"0.weight": (6, 3, 5, 5), "3.weight": (16, 6, 5, 5), "7.weight": (120, 400), "0.bias": (6,)}
            if config["model"] == "mlp":
                weights = {"1.weight": (20, 3072)}
            save_file(
                {name: generator.standard_normal(shape).astype(np.float32) for name, shape in weights.items()},
                folder / "model.safetensors",
            )
        return folder

    return written


@pytest.fixture
def bare(tmp_path):
    """Writes a run folder of given lines and nothing else."""

    def written(lines, folder="run", **config):
        folder = tmp_path / folder
        folder.mkdir(parents=True)
        config = {"name": "", "model": "lenet", "batch_size": 4, "epochs": 2, "seed": 0} | config
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return folder

    return written


def batches(*losses, step=250, per_epoch=2):
    return [
        {"kind": "batches", "epoch": i / per_epoch, "step": step * i, "batches": 250, "loss": loss}
        for i, loss in enumerate(losses, 1)
    ]


def epochs(*accuracies):
    return [
        {"kind": "epoch", "epoch": i, "step": 500 * i, "train_accuracy": train}
        | {"validation_accuracy": validation, "validation_loss": None}
        for i, (train, validation) in enumerate(accuracies, 1)
    ]


def latex(folders, out):
    """{name: text} of the LaTeX files, and the notes."""
    written, notes = plots.draw(folders, out, ["pgfplots"])
    return {path.stem: path.read_text() for path in written}, notes


def coordinates(text):
    """The points of each \\addplot, without the parts in brackets and after +=."""
    return [
        [tuple(map(float, point)) for point in re.findall(r"(?<!= )\(([-+\d.e]+),([-+\d.e]+)\)", body)]
        for body in re.findall(r"coordinates \{(.*?)\}", text, re.DOTALL)
    ]


@pytest.fixture
def panels_of(tmp_path, monkeypatch):
    """What is to be drawn as pictures: (folders, kind) -> list of lists of panels."""
    seen = []
    for kind in plots.FIGURES:
        monkeypatch.setitem(plots.FIGURES, kind, lambda panels: seen.append(panels) or Figure())

    def drawn(folders, kind):
        plots.draw(folders, tmp_path / "out")
        return [panels for panels in seen if isinstance(panels[0], kind)]

    return drawn


@pytest.fixture
def figures_of(tmp_path, monkeypatch):
    """The figures that are drawn as pictures of run folders: {name of the file: figure}."""
    seen = []
    for kind, figure in plots.FIGURES.items():
        monkeypatch.setitem(plots.FIGURES, kind, lambda panels, draw=figure: seen.append(draw(panels)) or seen[-1])

    def drawn(folders):
        written, _ = plots.draw(folders, tmp_path / "out")
        return dict(zip((path.stem for path in written), seen, strict=True))

    return drawn


STARTS = {".png": b"\x89PNG", ".pdf": b"%PDF", ".tex": b"% needs"}
SIX = {"loss", "accuracy", "class-accuracy", "confusion", "mistakes", "filters"}


def test_a_finished_run_has_six_plots_in_each_format(run, tmp_path):
    written, notes = plots.draw([run()], tmp_path / "deep" / "out", ["png", "pdf", "pgfplots"])
    assert {path.stem for path in written if path.suffix == ".png"} == SIX
    assert {path.stem for path in written if path.suffix == ".pdf"} == SIX
    assert {path.stem for path in written if path.suffix == ".tex"} == SIX - {"mistakes", "filters"}
    assert all(path.read_bytes().startswith(STARTS[path.suffix]) for path in written)
    assert sorted((tmp_path / "deep" / "out").iterdir()) == sorted(written)
    assert notes == ["pgfplots holds no images, so there is none of mistakes, filters; png and pdf hold them"]


def test_drawing_needs_neither_torch_nor_the_state_of_pyplot(run, tmp_path):
    program = (
        "import sys; from classifier import plots; _, done, begun, out = sys.argv;"
        "plots.draw([done], out, ['pgfplots']); plots.draw([begun], out, ['png', 'pdf']);"
        "print({'torch', 'matplotlib.pyplot'} & set(sys.modules))"
    )
    folders = (run("done", epochs=1), run("begun", epochs=1, done=False), tmp_path / "out")
    command = [sys.executable, "-c", program, *folders]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()" and answer.stderr == ""


def test_the_same_run_gives_the_same_files(run, tmp_path):
    folder = run(done=False)
    first, second = (
        [path.read_bytes() for path in plots.draw([folder], tmp_path / out, ["pdf", "png"])[0]] for out in "ab"
    )
    assert first == second
    # Both may have been drawn in one second.
    assert b"CreationDate" not in first[0]


def test_the_look_of_other_figures_stays(run, tmp_path, monkeypatch):
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 7)
    before = dict(matplotlib.rcParams)
    plots.draw([run(done=False)], tmp_path / "out")
    assert dict(matplotlib.rcParams) == before


def test_a_group_is_a_mean_and_a_band_from_the_least_to_the_largest(bare, tmp_path):
    bare(batches(2, 1.5, 1), "sweep/a", seed=0)
    bare(batches(1, 0.5, 0.75), "sweep/b", seed=1)
    text, _ = latex([tmp_path / "sweep"], tmp_path / "out")
    band, mean, chance = coordinates(text["loss"])
    assert mean == [(0.5, 1.5), (1, 1), (1.5, 0.875)]
    assert band == [(0.5, 2), (1, 1.5), (1.5, 1), (1.5, 0.75), (1, 0.5), (0.5, 1)]
    assert chance[0] == (0, 2.3026)
    assert "lenet, batch 4, 2 epochs: mean of 2 seeds, band:~min~to~max" in text["loss"]


def test_one_seed_is_a_line_without_a_band(bare, tmp_path):
    text, _ = latex([bare(batches(2, 1.5, 1), seed=7)], tmp_path / "out")
    assert coordinates(text["loss"])[0] == [(0.5, 2), (1, 1.5), (1.5, 1)]
    assert "seed 7" in text["loss"] and "band" not in text["loss"] and "fill opacity" not in text["loss"]


def test_equal_losses_of_several_seeds_are_drawn_though_their_mean_is_rounded(bare, tmp_path):
    for i in range(3):  # (0.1 + 0.1 + 0.1) / 3 is above 0.1, and (0.7 + 0.7 + 0.7) / 3 below 0.7
        ends = [line | {"validation_loss": loss} for line, loss in zip(epochs((0.1, 0.1), (0.7, 0.7)), (0.1, 0.7))]
        bare(batches(0.1, 0.7) + ends, f"sweep/{i}", seed=i)
    written, _ = plots.draw([tmp_path / "sweep"], tmp_path / "out")
    assert {path.stem for path in written} == {"loss", "accuracy"}


def test_equal_accuracies_of_several_seeds_are_drawn_though_their_mean_is_rounded(run, tmp_path):
    for i in range(3):
        # In per cent, the mean of the second class comes out above all three, and that of the third below.
        with_class_accuracy(run(f"sweep/{i}", seed=i, epochs=1), [i / 10, 0.276, 0.278, 0, 0, 0, 0, 0, 0, 1])
    assert "class-accuracy" in {path.stem for path in plots.draw([tmp_path / "sweep"], tmp_path / "out")[0]}


def test_runs_of_one_seed_that_end_equally_early_are_both_drawn(bare, tmp_path):
    folders = [bare(batches(*losses), f"{i}") for i, losses in enumerate(((2, 1.5, 1), (9, 9), (8, 8)))]
    text, _ = latex(folders, tmp_path / "out")
    assert coordinates(text["loss"])[1:-1] == [[(0.5, 9), (1, 9)], [(0.5, 8), (1, 8)]]
    assert text["loss"].count("seed 0, up to epoch 1}") == 2


def test_a_run_that_ends_earlier_is_not_in_the_mean(bare, tmp_path):
    bare(batches(2, 1.5, 1), "sweep/a", seed=0)
    bare(batches(9, 9), "sweep/b", seed=1)
    bare(batches(1, 0.5, 0.5), "sweep/c", seed=2)
    text, _ = latex([tmp_path / "sweep"], tmp_path / "out")
    _, mean, early, _ = coordinates(text["loss"])
    assert mean == [(0.5, 1.5), (1, 1), (1.5, 0.75)] and early == [(0.5, 9), (1, 9)]
    assert "mean of 2 seeds" in text["loss"] and "seed 1, up to epoch 1" in text["loss"]


def test_accuracy_is_in_percent_with_validation_beside_training(bare, tmp_path):
    text, _ = latex([bare(epochs((0.25, 0.5), (0.5, 0.625)))], tmp_path / "out")
    training, _, validation, _ = coordinates(text["accuracy"])
    assert training == [(1, 25), (2, 50)] and validation == [(1, 50), (2, 62.5)]
    assert text["accuracy"].count(r"\begin{axis}") == 2


def test_without_validation_there_is_one_panel(bare, tmp_path):
    text, _ = latex([bare(batches(2, 1) + epochs((0.25, None)))], tmp_path / "out")
    assert text["accuracy"].count(r"\begin{axis}") == 1 and "validation" not in text["loss"]


def test_validation_losses_are_markers_with_bars(run, tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        run(f"sweep/{name}", seed=seed)
    text, _ = latex([tmp_path / "sweep"], tmp_path / "out")
    losses = [
        [json.loads(line).get("validation_loss") for line in (tmp_path / f"sweep/{name}/history.jsonl").open()]
        for name in "ab"
    ]
    a, b = ([loss for loss in those if loss is not None] for those in losses)
    x, means = zip(*coordinates(text["loss"])[2])
    assert x == (1, 2, 3) and means == pytest.approx([(x + y) / 2 for x, y in zip(a, b)], rel=1e-4)
    assert f"+= (0,{abs(a[0] - b[0]) / 2:.5g})" in text["loss"] and "bars: min to max" in text["loss"]


def test_of_a_step_written_again_after_a_restart_the_last_counts(bare, tmp_path):
    text, _ = latex([bare(batches(2, 1.5, 9) + batches(2, 1.5, 1)[1:])], tmp_path / "out")
    assert coordinates(text["loss"])[0] == [(0.5, 2), (1, 1.5), (1.5, 1)]


def test_many_points_are_smoothed_and_said_to_be(bare, tmp_path):
    zigzag = [2 - i / 1000 + 0.5 * (-1) ** i for i in range(1000)]
    text, _ = latex([bare(batches(*zigzag, per_epoch=50))], tmp_path / "out")
    points = coordinates(text["loss"])[0]
    assert "centred moving average over 0.2 epochs" in text["loss"]
    assert len(points) == 200 and points[0] == (0.02, 2.5) and points[-1] == (20, 0.501)
    # A window that stays centred keeps a straight line straight; the zigzag sinks from 0.5 to 0.5 / 11.
    assert max(abs(y - (2 - (50 * x - 1) / 1000)) for x, y in points[2:-2]) == pytest.approx(0.5 / 11, rel=0.01)


def test_few_points_are_shown_as_they_are(bare, tmp_path):
    zigzag = [2 + 0.5 * (-1) ** i for i in range(200)]
    text, _ = latex([bare(batches(*zigzag, per_epoch=50))], tmp_path / "out")
    assert {y for _, y in coordinates(text["loss"])[0]} == {1.5, 2.5} and "average" not in text["loss"]


@pytest.mark.parametrize("n", [5, 300], ids=["as they are", "smoothed"])
def test_what_follows_a_huge_loss_keeps_its_digits(bare, tmp_path, n):
    losses = [2.0] * n
    losses[1] = 1e26
    text, _ = latex([bare(batches(*losses, per_epoch=n))], tmp_path / "out")
    assert {y for _, y in coordinates(text["loss"])[0][4:]} == {2}


@pytest.mark.parametrize("smoothing, said", [((0.1, 0.1), "0.1"), ((0.0, 0.2), "0.0 to 0.2")])
def test_a_training_loss_of_smoothed_labels_is_said_to_be_one(bare, panels_of, smoothing, said):
    folders = [bare(batches(2, 1), f"{i}", label_smoothing=each) for i, each in enumerate(smoothing)]
    ((chart,),) = panels_of(folders, plots.Chart)
    assert chart.y_label == (
        f"cross-entropy (training: mean of 250 mini-batches,\nwith label smoothing {said}; validation: without)"
    )


def test_a_loss_without_label_smoothing_is_cross_entropy(bare, panels_of):
    ((chart,),) = panels_of([bare(batches(2, 1), label_smoothing=0.0)], plots.Chart)
    assert chart.y_label == "cross-entropy (training: mean of 250 mini-batches)"


def test_of_many_validation_losses_some_are_marked_and_that_is_said(bare, tmp_path):
    ends = [line | {"validation_loss": 2 - i / 100} for i, line in enumerate(epochs(*[(0.5, 0.5)] * 90), 1)]
    text, _ = latex([bare(batches(2, 1) + ends)], tmp_path / "out")
    assert coordinates(text["loss"])[1] == [(i, pytest.approx(2 - i / 100)) for i in range(3, 91, 3)]
    assert "validation, after an epoch, at most 40 shown" in text["loss"]


def test_losses_that_are_not_finite_are_left_out_and_those_off_the_axis_told(bare, tmp_path):
    text, notes = latex([bare(batches(2, 1, math.nan, 1e30, math.inf))], tmp_path / "out")
    assert coordinates(text["loss"])[0][:2] == [(0.5, 2), (1, 1)]
    assert "ymin=0.55, ymax=10]" in text["loss"] and max(y for _, y in coordinates(text["loss"])[0]) < 100
    assert any("2 of the losses are not finite" in note for note in notes)
    assert "loss: the axis ends at 10, and some curves go beyond" in notes


def confused(folder, pairs):
    """Replaces the predictions of a run by (true, predicted) pairs without mistakes to show."""
    labels, predictions = np.array(pairs, np.uint8).T
    nothing = {"mistakes": np.zeros(0, np.int64), "images": np.zeros((0, 3, 32, 32), np.uint8)}
    arrays = {"labels": labels, "predictions": predictions, "confidence": np.ones(len(pairs), np.float32)}
    np.savez(folder / "predictions.npz", **arrays, **nothing)
    return folder


def test_the_confusion_matrix_sums_the_seeds_with_true_classes_as_rows(run, tmp_path):
    confused(run("sweep/a", seed=3), [(0, 0), (0, 1), (2, 2)])
    confused(run("sweep/b", seed=1), [(0, 1), (0, 1), (9, 2)])
    text, notes = latex([tmp_path / "sweep"], tmp_path / "out")
    cells = dict(re.findall(r"at \(axis cs:(\d,\d)\) \{\\footnotesize (.*?)\};", text["confusion"]))
    assert cells["1,0"] == r"75.0\\[-3pt]\tiny 3" and cells["0,0"] == r"25.0\\[-3pt]\tiny 1"
    assert cells["2,9"] == r"100.0\\[-3pt]\tiny 1" and cells["9,2"] == r"0.0\\[-3pt]\tiny 0" and len(cells) == 100
    assert "sum of 2 runs, seeds 1, 3: 6 test images, 33.33" in text["confusion"]
    assert any(note.startswith("mistakes: not drawn, since there are none") for note in notes)


def with_class_accuracy(folder, values):
    metrics = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(metrics | {"class_accuracy": values}))


def test_bars_are_sorted_and_have_whiskers_over_the_seeds(run, tmp_path):
    with_class_accuracy(run("sweep/a", seed=0), [0.1, 0.9, 0.5, 0, 0, 0, 0, 0, 0, 0])
    with_class_accuracy(run("sweep/b", seed=1), [0.3, 0.7, 0.5, 0, 0, 0, 0, 0, 0, 0])
    text, _ = latex([tmp_path / "sweep"], tmp_path / "out")
    assert "yticklabels={{automobile},{bird},{airplane},{cat}" in text["class-accuracy"]
    assert "(80,0) += (10,0) -= (10,0) (50,1) += (0,0) -= (0,0) (20,2) += (10,0)" in text["class-accuracy"]
    assert "axis cs:15,-0.7" in text["class-accuracy"]  # the mean of the classes
    assert "axis cs:10,-0.7" in text["class-accuracy"] and "dotted: chance" in text["class-accuracy"]


def test_all_groups_with_the_same_classes_have_them_in_the_same_order(run, tmp_path):
    with_class_accuracy(run("sweep/a", name="a"), [0.9, 0.1, 0, 0, 0, 0, 0, 0, 0, 0])
    with_class_accuracy(run("sweep/b", name="b"), [0.3, 0.4, 0, 0, 0, 0, 0, 0, 0, 0])
    run("sweep/c", name="c", classes=[f"stripe {i}" for i in range(10)])
    with_class_accuracy(tmp_path / "sweep/c", [0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    text, _ = latex([tmp_path / "sweep"], tmp_path / "out")
    assert text["class-accuracy"].count("{{airplane},{automobile}") == 1  # one panel says it for its neighbour
    assert re.findall(r"coordinates \{\((\S+),0\).*?\((\S+),1\)", text["class-accuracy"])[:2] == [
        ("90", "10"),
        ("30", "40"),
    ]


def test_mistakes_and_filters_are_those_of_the_smallest_seed(run, tmp_path, panels_of):
    run("sweep/a", seed=5)
    folder = run("sweep/b", seed=2)
    ((mistakes,), (filters,)) = panels_of([tmp_path / "sweep"], plots.Images)
    arrays = np.load(folder / "predictions.npz")
    i = arrays["mistakes"][3]
    true, predicted = CLASSES[arrays["labels"][i]], CLASSES[arrays["predictions"][i]]
    assert mistakes.captions[3] == f"{true}\n→ {predicted}\n{100 * arrays['confidence'][i]:.1f}%"
    assert (mistakes.images[3] * 255 == arrays["images"][3].transpose(1, 2, 0)).all() and len(mistakes.images) == 30
    assert mistakes.title.endswith("seed 2") and filters.title.endswith("seed 2")
    weight = load_file(folder / "model.safetensors")["0.weight"][4].transpose(1, 2, 0)
    assert filters.images.shape == (6, 5, 5, 3) and "6 filters of the first layer, 5 × 5 pixels" in filters.title
    assert filters.images[4] == pytest.approx((weight - weight.min()) / np.ptp(weight), abs=1e-6)


def test_a_constant_filter_is_drawn_and_the_first_of_many_are_told(run, panels_of):
    folder = run(epochs=1)
    save_file({"10.weight": np.ones((8, 3, 3, 3)), "2.weight": np.ones((70, 3, 3, 3))}, folder / "model.safetensors")
    *_, (filters,) = panels_of([folder], plots.Images)
    assert filters.images.shape == (64, 3, 3, 3) and (filters.images == 0).all()
    assert filters.title.startswith("The first 64 of 70 filters")


def test_a_fully_connected_net_has_no_filters(run, tmp_path):
    written, notes = plots.draw([run(model="mlp", epochs=1)], tmp_path / "out")
    assert {path.stem for path in written} == SIX - {"filters"}
    assert notes == ["filters: not drawn, since there are none, for mlp, batch 4, 1 epoch"]


def test_an_unfinished_run_shows_what_there_is_and_names_the_rest(run, tmp_path):
    folder = run(done=False, so_far=1, n_records=1, validation=False)
    written, notes = plots.draw([folder], tmp_path / "out")
    assert {path.stem for path in written} == {"loss", "accuracy"}
    assert notes[0] == (
        f"{folder}: unfinished, without metrics.json, predictions.npz, model.safetensors: "
        "left out of class-accuracy, confusion, mistakes, filters"
    )
    assert {note.split(":")[0] for note in notes[1:]} == SIX - {"loss", "accuracy"}


def test_a_last_line_cut_short_is_skipped_with_a_note(bare, tmp_path):
    folder = bare(batches(2, 1.5))
    with (folder / "history.jsonl").open("a") as file:
        file.write('{"kind": "batches", "epo')
    text, notes = latex([folder], tmp_path / "out")
    assert coordinates(text["loss"])[0] == [(0.5, 2), (1, 1.5)]
    assert f"{folder / 'history.jsonl'}: line 3, the last, was cut short and is skipped" in notes


def test_a_last_line_of_damaged_bytes_is_skipped_with_a_note(bare, tmp_path):
    folder = bare(batches(2, 1.5))
    with (folder / "history.jsonl").open("ab") as file:
        file.write(b'{"kind": "bat\xff\xfe')
    text, notes = latex([folder], tmp_path / "out")
    assert coordinates(text["loss"])[0] == [(0.5, 2), (1, 1.5)]
    assert f"{folder / 'history.jsonl'}: line 3, the last, was cut short and is skipped" in notes


def test_runs_are_found_once_and_in_the_order_of_their_numbers(run, tmp_path, panels_of):
    for size in (16, 4, 128):
        run(f"sweep/batch{size}", batch_size=size, epochs=1, done=False)
    (tmp_path / "sweep" / "plots").mkdir()
    folders = [tmp_path / "sweep", str(tmp_path / "sweep" / "batch4")]
    ((chart,),) = panels_of(folders, plots.Chart)[:1]
    assert [curve.label for curve in chart.curves] == [f"lenet, batch {n}, 1 epoch: seed 0" for n in (4, 16, 128)]


def test_groups_of_one_name_are_told_apart(bare, panels_of):
    folders = [bare(batches(2, 1), rate, name="first try", learning_rate=float(rate)) for rate in ("0.1", "0.01")]
    folders.append(bare(batches(2, 1), "other", name="other", data="synthetic"))
    ((chart,),) = panels_of(folders, plots.Chart)
    assert [curve.label for curve in chart.curves] == [
        "first try, learning rate 0.1: seed 0",
        "first try, learning rate 0.01: seed 0",
        "other, generated images: seed 0",
    ]


def test_a_seed_that_is_there_twice_is_noted(bare, tmp_path):
    _, notes = latex([bare(batches(2), "a"), bare(batches(1), "b")], tmp_path / "out")
    assert any("runs of one seed count as several" in note for note in notes)


def test_files_of_several_groups_are_named_by_them(run, tmp_path):
    folders = [run(f"{i}", name=name, epochs=1 + i) for i, name in enumerate(("Batch 4, 5%", "batch-4 5", "°"))]
    text, _ = latex(folders, tmp_path / "out")
    assert {name for name in text if name.startswith("confusion")} == {
        "confusion-batch-4-5",
        "confusion-batch-4-5-again",
        "confusion-",
    }


def test_a_dozen_groups_look_different(run, tmp_path, panels_of):
    for i in range(12):
        run(f"sweep/{i}", name=f"run {i}", epochs=1, done=False)
    ((chart,), _) = panels_of([tmp_path / "sweep"], plots.Chart)
    assert len({curve.style for curve in chart.curves}) == 12


def test_a_plot_takes_its_place_only_when_it_is_whole(bare, tmp_path, monkeypatch):
    (path,), _ = plots.draw([bare(batches(2, 1))], tmp_path / "out", ["pgfplots"])
    before = path.read_bytes()

    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(RunError, match=r"loss\.tex cannot be written: No space left on device"):
        plots.draw([bare(batches(1, 1), "other")], tmp_path / "out", ["pgfplots"])
    assert path.read_bytes() == before


LONG = "a small net of the homework, trained with one-cycle and label smoothing, on flipped and shifted images, "
SIZES = {"of one group": 1, "of several groups": 3}


@pytest.mark.parametrize("n", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("name", ["short", 2 * LONG, "x" * 21, 200 * "x"], ids=["short", "long", "58", "one word"])
def test_no_name_is_cut_off_at_the_edge_of_a_picture(run, tmp_path, figures_of, n, name):
    for group in range(n):
        for seed in range(2):
            run(f"sweep/{group}-{seed}", seed=seed, name=f"{name} {group}", epochs=2)
    for name, figure in figures_of([tmp_path / "sweep"]).items():
        figure.draw_without_rendering()
        drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert drawn.x0 >= 0 and drawn.x1 <= width and drawn.y0 >= 0 and drawn.y1 <= height, (name, drawn)


HARD = [r"R&D", "50%", "snake_case", "#1", "36°", "$x$", "{a}", r"\nowhere", "a~b^c", "<1, 2>"]


def compiled(written, out):
    """What pdflatex says of a document of these pictures."""
    inputs = "\n\n".join(rf"\noindent\input{{{path.name}}}" for path in written)
    document = rf"\documentclass{{article}}{pgfplots.NEEDS}\begin{{document}}{inputs}\end{{document}}"
    (out / "all.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    answer = subprocess.run(command, cwd=out, capture_output=True, text=True, errors="replace")
    if "`pgfplots.sty' not found" in answer.stdout:
        pytest.skip("pgfplots is not installed")
    assert answer.returncode == 0, answer.stdout[-2000:]
    return answer.stdout


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
def test_latex_compiles_with_hard_names(run, tmp_path):
    for i in range(2):
        run(f"sweep/a{i}", seed=i, name="R&D_50% #1", classes=HARD)
        run(f"sweep/b{i}", seed=i, epochs=1, so_far=1, n_records=1, classes=HARD)
    run("sweep/c", seed=2, name="R&D_50% #1", done=False, so_far=1)
    written, _ = plots.draw([tmp_path / "sweep"], tmp_path / "out", ["pgfplots"])
    assert {path.stem for path in written} > {"loss", "accuracy", "class-accuracy", "confusion-r-d-50-1"}
    assert r"{36\ensuremath{^\circ}}" in (tmp_path / "out" / "class-accuracy.tex").read_text()
    assert "Overfull" not in compiled(written, tmp_path / "out")


# What pdflatex cannot show; whitespace of all kinds; a bracket that begins a line; every character that is shown.
STRANGE = ["η = 0.1", "学習率", "🙂 ok", "two\nlines", "a\tb\rc\x0bd\u2028e", "\x00\x07", LONG + "\n[a]"]


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
@pytest.mark.parametrize("name", [*STRANGE, " ".join(pgfplots.SHOWN)], ids=range(len(STRANGE) + 1))
def test_latex_compiles_with_names_that_it_cannot_show(run, tmp_path, name):
    classes = [name[:1], *CLASSES[1:]]
    for i in range(2):
        run(f"sweep/{i}", seed=i, name=name, classes=classes, epochs=1)
    written, _ = plots.draw([tmp_path / "sweep"], tmp_path / "out", ["pgfplots"])
    assert "Overfull" not in compiled(written, tmp_path / "out")


def test_in_latex_a_code_point_stands_for_a_character_that_pdflatex_does_not_show(bare, tmp_path):
    text, _ = latex([bare(batches(2, 1), name="η\nGröße 学")], tmp_path / "out")
    assert "U+03B7 Größe U+5B66: seed 0" in text["loss"].replace("\\\\{}", " ")


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
@pytest.mark.parametrize("n", SIZES.values(), ids=SIZES)
def test_in_latex_long_names_stay_within_the_page(run, tmp_path, n):
    for group in range(n):
        for seed in range(2):
            more = {"validation": True, "label_smoothing": 0.1}
            run(f"sweep/{group}-{seed}", seed=seed, name=f"{2 * LONG} {group}", epochs=2, **more)
    written, _ = plots.draw([tmp_path / "sweep"], tmp_path / "out", ["pgfplots"])
    assert "Overfull" not in compiled(written, tmp_path / "out")


def test_a_format_that_is_not_known_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="written as png, pdf, pgfplots, not as svg, gif"):
        plots.draw([tmp_path], tmp_path / "out", ["svg", "png", "gif"])
    with pytest.raises(ConfigError, match="not as nothing"):
        plots.draw([tmp_path], tmp_path / "out", [])


def test_folders_that_are_no_runs_are_refused(tmp_path):
    with pytest.raises(RunError, match=r"holds no config\.json, nor does a folder in it; give a folder that"):
        plots.draw([tmp_path], tmp_path / "out")
    with pytest.raises(RunError, match="missing is no folder"):
        plots.draw([tmp_path / "missing"], tmp_path / "out")
    with pytest.raises(RunError, match="nothing to plot in no folder"):
        plots.draw([], tmp_path / "out")


def test_nothing_to_plot_is_an_error_that_says_why(bare, tmp_path):
    folder = bare([])
    with pytest.raises(RunError, match=r"nothing to plot in .*run; .*without metrics\.json.*; loss: not drawn"):
        plots.draw([folder], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file_is_refused(bare, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(RunError, match=r"loss\.png cannot be written"):
        plots.draw([bare(batches(2, 1))], tmp_path / "out")


LINE = json.dumps(batches(2)[0])
# File, what it is replaced by, and what is said.
BROKEN = {
    "no JSON": ("config.json", "{", r"config\.json is not readable as JSON.*line 1 column 2"),
    "a list": ("config.json", "[]", r"config\.json: expected an object"),
    "no seed": ("config.json", '{"model": "lenet", "batch_size": 4}', r"config\.json has no epochs, seed"),
    "a strange seed": (
        "config.json",
        '{"model": "lenet", "batch_size": 4, "epochs": 1, "seed": null}',
        "seed None, which is no integer",
    ),
    "a broken line": ("history.jsonl", f"{LINE}\n{{oops\n{LINE}\n", r"history\.jsonl, line 2: not JSON"),
    "a kind": ("history.jsonl", '{"kind": "step"}\n', "line 1, is of kind 'step', not one of batches, epoch"),
    "a number": ("history.jsonl", "17\n", "line 1, is of kind None"),
    "no loss": ("history.jsonl", LINE.replace("loss", "lost"), "line 1, has 'nothing' for loss, not a number"),
    "a null loss": ("history.jsonl", LINE.replace("2}", "null}"), "line 1, has None for loss, not a number"),
    "epoch zero": ("history.jsonl", LINE.replace("0.5", "0"), "line 1, has 0 for epoch, not a finite number above 0"),
    "no epoch": ("history.jsonl", LINE.replace("0.5", "NaN"), "line 1, has nan for epoch, not a finite number above"),
    "no step": ("history.jsonl", LINE.replace("250,", "Infinity,", 1), "line 1, has inf for step, not a finite number"),
    "no metrics": ("metrics.json", "{}", r"metrics\.json has no classes that are 10 names"),
    "nine classes": ("metrics.json", json.dumps({"classes": CLASSES[:9]}), "no classes that are 10 names"),
    "no numbers": (
        "metrics.json",
        json.dumps({"classes": CLASSES, "class_accuracy": [None] * 10}),
        "no class_accuracy that are 10 numbers",
    ),
    "a NaN": (
        "metrics.json",
        json.dumps({"classes": CLASSES, "class_accuracy": [math.nan] * 10}),
        "no class_accuracy that are 10 numbers from 0 to 1",
    ),
    "no archive": ("predictions.npz", "oops", r"predictions\.npz cannot be read"),
    "no weights": ("model.safetensors", "oops", r"model\.safetensors cannot be read"),
}


@pytest.mark.parametrize("name, content, message", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_named_with_the_way_out(run, tmp_path, name, content, message):
    folder = run(epochs=1)
    (folder / name).write_text(content)
    with pytest.raises(RunError, match=f"{message}.*; restore the file from a copy, or leave this run out"):
        plots.draw([folder], tmp_path / "out")


WRONG_ARRAYS = {
    "too few confidences": ({"confidence": np.ones(3)}, r"confidence of shape \(3,\), where \(1000,\) is due"),
    "images of another size": (
        {"images": np.zeros((30, 3, 8, 8))},
        r"images of shape .* where \(30, 3, 32, 32\) is due",
    ),
    "labels that are no integers": ({"labels": np.arange(1000) % 10.0}, "labels of float64, where integers are due"),
    "mistakes that are no integers": ({"mistakes": np.arange(30.0)}, "mistakes of float64, where integers are due"),
    "words": ({"confidence": np.full(1000, "sure")}, "confidence of <U4, where numbers are due"),
    "an eleventh class": ({"predictions": np.full(1000, 10)}, "predictions that are not below 10"),
    "mistakes beyond the images": ({"mistakes": np.full(30, 1000)}, "mistakes that are not below 1000"),
}


@pytest.mark.parametrize("arrays, message", WRONG_ARRAYS.values(), ids=WRONG_ARRAYS)
def test_predictions_that_do_not_fit_together_are_refused(run, tmp_path, arrays, message):
    folder = run(epochs=1)
    np.savez(folder / "predictions.npz", **(dict(np.load(folder / "predictions.npz")) | arrays))
    with pytest.raises(RunError, match=message):
        plots.draw([folder], tmp_path / "out")


def test_predictions_that_lack_an_array_are_refused(run, tmp_path):
    folder = run(epochs=1)
    np.savez(folder / "predictions.npz", labels=np.zeros(3, np.uint8))
    with pytest.raises(RunError, match=r"predictions\.npz cannot be read"):
        plots.draw([folder], tmp_path / "out")


@pytest.mark.parametrize("broken", ["cut", "overwritten"])
def test_an_archive_that_lost_bytes_is_refused(run, tmp_path, broken):
    folder = run(epochs=1)
    content = (folder / "predictions.npz").read_bytes()
    inside = content.index(b"images.npy") + 30  # within its compressed bytes, or just before them
    left = content[:inside] if broken == "cut" else content[:inside] + b"\xff" * 40 + content[inside + 40 :]
    (folder / "predictions.npz").write_bytes(left)
    with pytest.raises(RunError, match=r"predictions\.npz cannot be read"):
        plots.draw([folder], tmp_path / "out")
