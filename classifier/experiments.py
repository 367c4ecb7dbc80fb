"""The experiments that answer the homework's questions: each a table of configurations, run with several seeds."""

from runner.experiments import Experiment

# The homework trains on all 50,000 images.
ALL = {"validation": 0.0, "engine": "fused"}
# Few images, so that the net fits them all: the position of question 1.3, train 100 %, test far below.
FEW = ALL | {"train_size": 2000, "batch_size": 16, "learning_rate": 0.004, "epochs": 100}

EXPERIMENTS = {
    "first-run": Experiment("2.3: batches of 4, for 3 epochs", ALL, {"batch 4, 3 epochs": {"epochs": 3}}),
    "homework": Experiment(
        "2.4: batches of 4 and 16, for 5 and 20 epochs",
        ALL,
        {f"batch {b}, {e} epochs": {"batch_size": b, "epochs": e} for b in (4, 16) for e in (5, 20)},
    ),
    "control": Experiment(
        "2.4: is it the size of the batch, the learning rate per image, or the number of updates?",
        ALL,
        {
            "batch 4, 10 epochs": {"batch_size": 4, "epochs": 10},
            "batch 16, 5 epochs, 4 times the rate": {"batch_size": 16, "epochs": 5, "learning_rate": 0.004},
            "batch 16, 10 epochs, 4 times the rate": {"batch_size": 16, "epochs": 10, "learning_rate": 0.004},
            "batch 16, 20 epochs, 4 times the rate": {"batch_size": 16, "epochs": 20, "learning_rate": 0.004},
            "batch 4, 20 epochs, a quarter of the rate": {"batch_size": 4, "epochs": 20, "learning_rate": 0.00025},
        },
    ),
    # Equal numbers of updates, so that the amount of data alone differs.
    "more-data": Experiment(
        "1.3: does more data help a net that has learned its training images by heart?",
        FEW,
        {f"{n:,} images": {"train_size": n, "epochs": 200_000 // n} for n in (500, 2000, 8000, 40_000)},
    ),
    "weight-decay": Experiment(
        "1.3: does L2 regularisation help it?",
        FEW,
        {f"weight decay {d:g}": {"weight_decay": d} for d in (0.0, 0.003, 0.01, 0.03, 0.1)},
    ),
    "width": Experiment(
        "1.3: does a larger net help it?",
        FEW | {"engine": "plain", "epochs": 50},
        {f"width {w:g}": {"width": w} for w in (0.25, 0.5, 1.0, 2.0, 4.0)},
    ),
    "selection": Experiment(
        "1.3: does it help to stop where the validation images say so?",
        FEW | {"validation": 0.1},
        {"last epoch": {}, "best epoch on validation": {"patience": 100}},
    ),
    "batch-norm": Experiment(
        "3.1: does batch normalisation regularise, and less so with larger batches?",
        {"train_size": 8000, "epochs": 15, "learning_rate": 0.01},
        {
            f"{model}, batch {b}": {"model": model, "batch_size": b, "learning_rate": 0.00025 * b}
            for model in ("lenet", "lenet-bn")
            for b in (8, 32, 128)
        },
    ),
    "architecture": Experiment(
        "3.4: does a convolutional net do better than a fully connected one of equal size?",
        {"batch_size": 16, "epochs": 10, "learning_rate": 0.004},
        {"LeNet": {"model": "lenet"}, "fully connected": {"model": "mlp"}},
    ),
}
