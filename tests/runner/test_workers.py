"""Devices and threads; what several processes do together is tested with the classifier, which is made for it."""

import pytest
import torch

from runner import workers
from runner.errors import ConfigError


@pytest.mark.parametrize("name", ["cpu", "auto"])
def test_a_device_that_is_there_is_given(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert workers.device(name) == torch.device("cpu")


@pytest.mark.parametrize("name", ["tpu", "cuda:99", "", "cpu:x", "a b"])
def test_a_device_that_is_not_there_is_named_in_one_line(name):
    with pytest.raises(ConfigError, match=f"device '{name}' is not to be had here .*; --device auto") as found:
        workers.device(name)
    assert len(str(found.value).splitlines()) == 1


def test_a_device_without_numbers_is_named():
    with pytest.raises(ConfigError, match="meta"):
        workers.device("meta")


def test_of_a_long_complaint_the_first_line_is_said(monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("no driver\nCompile with this and that")

    monkeypatch.setattr(torch, "zeros", fails)
    with pytest.raises(ConfigError, match=r"device 'cuda:0' is not to be had here \(no driver\); --device auto$"):
        workers.device("cuda:0")


def test_threads_are_set_for_as_long_as_asked():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), workers.threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise ZeroDivisionError
    with workers.threads(0):
        assert torch.get_num_threads() == before
    assert torch.get_num_threads() == before


def test_alone_there_is_nothing_to_add_up(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with workers.joined(torch.device("cpu")) as alone:
        assert alone == workers.ALONE
        tensor = torch.ones(3)
        workers.add_up(alone, tensor)
        assert tensor.tolist() == [1, 1, 1]
        assert workers.any_of(alone, True) and not workers.any_of(alone, False)
