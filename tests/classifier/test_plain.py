"""The engine against PyTorch's own loop: a parameter list, zero_grad, backward, step."""

import copy
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from classifier import batches, config, models
from classifier.datasets import Split
from classifier.plain import Engine

generator = torch.Generator().manual_seed(0)
SPLIT = Split(
    torch.randint(0, 256, (60, 3, 32, 32), dtype=torch.uint8, generator=generator),
    torch.randint(0, 10, (60,), generator=generator),
)
CPU = torch.device("cpu")
SETTINGS = {
    "homework": {},
    "decay": {"weight_decay": 0.1, "learning_rate": 0.05},
    "nesterov": {"nesterov": True, "weight_decay": 0.01, "model": "lenet-bn"},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.1, "model": "lenet-bn"},
    "smoothing": {"label_smoothing": 0.2},
    "clipping": {"clip_norm": 0.01, "learning_rate": 1.0, "momentum": 0.0},
    "fully connected": {"model": "mlp", "momentum": 0.0},
}


def usual_loop(net, settings, block, rates):
    net.train()
    groups = [
        {"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in net.parameters() if p.ndim == 1], "weight_decay": 0},
    ]
    if settings.optimizer == "sgd":
        optimizer = torch.optim.SGD(groups, lr=1, momentum=settings.momentum, nesterov=settings.nesterov)
    else:
        optimizer = torch.optim.AdamW(groups, lr=1, betas=(settings.momentum, 0.999))
    losses, correct = [], 0
    for start, end, rate in zip([0, *block.ends], block.ends, rates):
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        logits = net(block.images[start:end])
        loss = F.cross_entropy(logits, block.labels[start:end], label_smoothing=settings.label_smoothing)
        loss.backward()
        if settings.clip_norm:
            torch.nn.utils.clip_grad_norm_(net.parameters(), settings.clip_norm)
        optimizer.step()
        losses.append(loss.item())
        correct += int((logits.argmax(1) == block.labels[start:end]).sum())
    return losses, correct


@pytest.mark.parametrize("name", SETTINGS)
def test_a_block_is_the_usual_loop(name):
    settings = config.make({"batch_size": 7, "precision": "float64"} | SETTINGS[name])
    torch.manual_seed(0)
    net = models.MODELS[settings.model](1.0).double()
    usual = copy.deepcopy(net)
    block = batches.block(SPLIT, settings, batches.scale("half", SPLIT.images), 0, 0, 9)
    rates = [settings.learning_rate * (1 + k / 9) for k in range(9)]
    losses, correct = Engine(net, settings, CPU).train(block, rates)
    expected, expected_correct = usual_loop(usual, settings, block, rates)
    assert losses.tolist() == pytest.approx(expected, rel=1e-12)
    assert correct == expected_correct
    for ours, theirs in zip(net.state_dict().values(), usual.state_dict().values()):
        assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_bfloat16_is_near_float32():
    torch.manual_seed(0)
    net = models.lenet()
    block = batches.block(SPLIT, config.make({"batch_size": 10}), batches.scale("half", SPLIT.images), 0, 0, 6)
    losses = []
    for precision in ("float32", "bfloat16"):
        settings = config.make({"batch_size": 10, "precision": precision})
        losses.append(Engine(copy.deepcopy(net), settings, CPU).train(block, [0.001] * 6)[0])
    assert not torch.equal(*losses) and torch.allclose(*losses, rtol=0.01)
    assert next(net.parameters()).dtype == torch.float32


def test_a_loaded_state_goes_on_as_the_saved_one():
    settings = config.make({"batch_size": 10, "model": "lenet-bn"})
    block = batches.block(SPLIT, settings, batches.scale("half", SPLIT.images), 0, 0, 6)
    torch.manual_seed(0)
    one, other = Engine(models.lenet_bn(), settings, CPU), Engine(models.lenet_bn(), settings, CPU)
    one.train(block, [0.01] * 6)
    other.load_state(copy.deepcopy(one.state()))
    losses = [engine.train(block, [0.01] * 6)[0] for engine in (one, other)]
    assert torch.equal(*losses)
    assert all(torch.equal(a, b) for a, b in zip(one.weights().values(), other.weights().values()))


def test_without_a_compiler_compile_is_refused_in_one_line(tmp_path, monkeypatch):
    for name in ("CC", "CXX"):
        monkeypatch.setenv(name, str(tmp_path / "no compiler"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    program = (
        "import sys; from classifier.__main__ import main; sys.exit(main(['train', '--compile', '--data', 'synthetic', "
        f"'--train-size', '40', '--epochs', '1', '--quiet', '--out', {str(tmp_path / 'run')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2
    assert "classifier: --compile fails here" in done.stderr.splitlines()[-1] and "--no-compile" in done.stderr
