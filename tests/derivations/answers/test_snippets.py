"""The code of the answers runs, one file after the other, and does what the answers say."""

import contextlib
import io
import sys
from importlib.resources import files
from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from derivations.answers.document import source

FILES = (
    *("setup.py", "counts.py", "network.py", "training.py", "first_run.py", "gpu_run.py", "accuracy.py"),
    "four_runs.py",
)

plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib draws the curves")


@pytest.fixture
def scope(tmp_path, monkeypatch):
    """The names that a notebook has before the first snippet: small stand-ins for CIFAR-10."""
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("Agg")
    torch.manual_seed(0)
    labels = torch.arange(40) % 10
    # A bright stripe says which class an image has.
    images = 0.1 * torch.randn(40, 3, 32, 32)
    for image, label in zip(images, labels):
        image[:, 3 * label : 3 * label + 3] += 2
    train_data, test_data = TensorDataset(images, labels), TensorDataset(images[:20], labels[:20])
    return {
        "torch": torch,
        "plt": plt,
        "DataLoader": DataLoader,
        "train_data": train_data,
        "test_data": test_data,
        "train_loader": DataLoader(train_data, batch_size=4, shuffle=True),
        "test_loader": DataLoader(test_data, batch_size=4),
    }


def run(scope, *files):
    """Execute snippets in order; give what they print."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for file in files:
            exec(compile(source(file), file, "exec"), scope)
    return printed.getvalue()


def test_counts(scope):
    assert run(scope, "counts.py").splitlines() == [
        "training images: 40",
        "test images: 20",
        "batches per epoch: 10, images: 40",
    ]


def test_network_has_the_shapes_and_parameters_of_the_table(scope):
    run(scope, "network.py")
    net = scope["Net"]()
    assert net(torch.randn(5, 3, 32, 32)).shape == (5, 10)
    assert sum(p.numel() for p in net.parameters()) == 62006


def test_first_run_averages_the_loss_and_plots_it_against_epochs(scope, tmp_path):
    run(scope, "network.py", "training.py", "first_run.py")
    curve = scope["curve"]
    assert [x for x, _ in curve] == [1, 2, 3]
    assert all(0 < loss < 5 for _, loss in curve)
    assert (tmp_path / "loss.png").stat().st_size > 1000


def test_the_curve_has_a_point_for_each_block_and_its_mean(scope):
    run(scope, "network.py", "training.py")
    frozen = scope["Net"]()
    curve = scope["train"](frozen, scope["train_loader"], epochs=1, lr=0.0, every=4)
    assert [x for x, _ in curve] == pytest.approx([0.4, 0.8, 1.0])
    # Nothing is learnt at a learning rate of zero, so the blocks' means add up to the mean over all images.
    images, labels = scope["train_data"].tensors
    whole = torch.nn.functional.cross_entropy(frozen(images), labels).item()
    assert sum(n * loss for n, (_, loss) in zip((4, 4, 2), curve)) / 10 == pytest.approx(whole, rel=1e-5)


def test_training_learns(scope):
    run(scope, "network.py", "training.py")
    net = scope["Net"]()
    curve = scope["train"](net, scope["train_loader"], epochs=30, lr=0.02)
    assert curve[-1][1] < 0.5 * curve[0][1]


def test_gpu_run_falls_back_to_the_cpu(scope):
    scope["train_loader"] = DataLoader(scope["train_data"], batch_size=20)
    run(scope, "network.py", "training.py", "gpu_run.py")
    assert len(scope["curve"]) == 20


def test_accuracy_counts_what_a_hand_would(scope):
    scope.update(net=lambda: None, device="cpu")
    run(scope, "network.py")
    scope["net"] = scope["Net"]()
    printed = run(scope, "accuracy.py")
    images, labels = scope["test_data"].tensors
    by_hand = (scope["net"](images).argmax(1) == labels).double().mean().item()
    assert scope["accuracy"](scope["net"], scope["test_loader"]) == pytest.approx(by_hand)
    assert printed == f"test accuracy: {by_hand:.2%}\n"


def test_four_runs_have_four_curves_and_four_checkpoints(scope, tmp_path):
    run(scope, "network.py", "training.py")
    scope.update(net=scope["Net"](), device="cpu")
    run(scope, "accuracy.py")
    printed = run(scope, "four_runs.py")
    assert printed.count("epochs: ") == 4
    assert len({tuple(c) for c in map(tuple, scope["curves"].values())}) == 4
    assert len(list(tmp_path.glob("net-*.pt"))) == 4
    assert (tmp_path / "curves.png").exists()


def test_the_listings_run_in_the_order_of_the_document_with_nothing_else(scope, monkeypatch):
    """As a reader would run them; only the download of CIFAR-10 is replaced."""
    loaded = {True: scope["train_data"], False: scope["test_data"]}
    fake = SimpleNamespace(
        datasets=SimpleNamespace(CIFAR10=lambda folder, train, **_: loaded[train]),
        transforms=SimpleNamespace(Compose=list, ToTensor=object, Normalize=lambda mean, std: (mean, std)),
    )
    monkeypatch.setitem(sys.modules, "torchvision", fake)
    printed = run({}, *FILES)
    assert printed.startswith("training images: 40") and printed.count("mean loss") == 3 + 20 + 50
    assert len(FILES) == len(list(files("derivations.answers").joinpath("snippets").glob("*.py")))
