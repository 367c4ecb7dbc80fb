"""A checkpoint is whole, brings the random numbers back, and runs no code."""

import os
import random

import pytest
import torch

from runner import checkpoints, runs
from runner.errors import RunError

CPU = torch.device("cpu")
STATE = {"game": {"w": torch.arange(3.0), "step": 7, "sums": [torch.ones(2).double(), torch.zeros(2)]}, "seconds": 1.5}


def test_what_is_saved_is_loaded(tmp_path):
    checkpoints.save(tmp_path, STATE)
    found = checkpoints.load(tmp_path, CPU, ())
    assert found["seconds"] == 1.5 and found["game"]["step"] == 7
    assert torch.equal(found["game"]["w"], STATE["game"]["w"])
    assert found["game"]["sums"][0].dtype == torch.float64


def test_where_none_was_saved_there_is_none(tmp_path):
    assert checkpoints.load(tmp_path / "nowhere", CPU, ()) is None


def test_random_numbers_go_on_where_they_were(tmp_path):
    torch.manual_seed(3)
    checkpoints.save(tmp_path, {})
    truth = torch.rand(5)
    torch.manual_seed(9)
    checkpoints.load(tmp_path, CPU, ())
    assert torch.equal(torch.rand(5), truth)


def test_the_last_one_counts_and_no_part_stays(tmp_path):
    for step in range(3):
        checkpoints.save(tmp_path, {"step": step})
    assert checkpoints.load(tmp_path, CPU, ())["step"] == 2
    assert [p.name for p in tmp_path.iterdir()] == [runs.CHECKPOINT]


def test_another_format_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "FORMAT", 99)
    checkpoints.save(tmp_path, STATE)
    monkeypatch.undo()
    with pytest.raises(RunError, match=r"checkpoint.pt is of format 99, this version reads 1; start the run anew"):
        checkpoints.load(tmp_path, CPU, ())


def damaged(whole, kind, moment):
    place = moment.randrange(len(whole) - 100)
    if kind == "cut":
        return whole[:place]
    if kind == "zeros to the end":
        return whole[:place] + bytes(len(whole) - place)
    return whole[:place] + moment.randbytes(40) + whole[place + 40 :]


@pytest.mark.parametrize("kind", ["cut", "zeros to the end"])
def test_a_damaged_checkpoint_is_named(tmp_path, kind):
    checkpoints.save(tmp_path, STATE)
    path, moment = tmp_path / runs.CHECKPOINT, random.Random(0)
    whole = path.read_bytes()
    for _ in range(60):
        path.write_bytes(damaged(whole, kind, moment))
        with pytest.raises(RunError, match=r"checkpoint.pt cannot be read as a checkpoint; --overwrite"):
            checkpoints.load(tmp_path, CPU, ())


def test_noise_in_a_checkpoint_is_an_error_of_ours_or_harmless(tmp_path):
    checkpoints.save(tmp_path, STATE)
    path, moment, refused = tmp_path / runs.CHECKPOINT, random.Random(0), 0
    whole = path.read_bytes()
    for _ in range(60):
        path.write_bytes(damaged(whole, "noise", moment))
        try:
            checkpoints.load(tmp_path, CPU, ())
        except RunError:
            refused += 1
    assert refused > 5


def test_a_checkpoint_of_something_else_is_named_by_what_it_lacks(tmp_path):
    checkpoints.save(tmp_path, STATE)
    assert checkpoints.load(tmp_path, CPU, ("seconds", "game"))["seconds"] == 1.5
    with pytest.raises(RunError, match=r"checkpoint.pt is the checkpoint of something else: it has no engine"):
        checkpoints.load(tmp_path, CPU, ("game", "engine"))


@pytest.mark.parametrize("content", [[1, 2], {"format": 1}, {"random": {}}, 3], ids=str)
def test_another_file_of_pytorch_is_named(tmp_path, content):
    torch.save(content, tmp_path / runs.CHECKPOINT)
    with pytest.raises(RunError, match=r"checkpoint.pt"):
        checkpoints.load(tmp_path, CPU, ())


def test_a_checkpoint_runs_no_code(tmp_path):
    torch.save({"format": 1, "random": Evil(str(tmp_path / "evil"))}, tmp_path / runs.CHECKPOINT)
    with pytest.raises(RunError, match="cannot be read"):
        checkpoints.load(tmp_path, CPU, ())
    assert not (tmp_path / "evil").exists()


class Evil:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return (os.mkdir, (self.folder,))
