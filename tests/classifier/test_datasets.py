"""Splits that never overlap, the same for every run; and the generated set."""

import hashlib

import numpy as np
import pytest
import torch

from classifier import cifar10, datasets, sources, synthetic
from runner.errors import ConfigError, DataError

# Of the official arrays: train images and labels, test images and labels.
PUBLISHED = (
    "9d5c2eddadb0deff02c14c350c0385aab7b1d5ff1edfeb4997c8dc8644960111",
    "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
    "177777c33ba79825320efa646ad04a94bdc3c80e4ebe3bd21724f8cdfd4b9d56",
    "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
)


SUMS = ["ca4b38bd", "681f2614", "7eea02e3", "4b628c55"]


def test_the_generated_set_is_always_the_same():
    sums = [hashlib.sha256(a.tobytes()).hexdigest()[:8] for a in synthetic.arrays()]
    assert sums == SUMS, "another random generator; give the new sums if that is meant"


def test_its_classes_are_as_frequent_as_one_another():
    _, labels, _, test_labels = synthetic.arrays()
    assert (np.bincount(labels) == synthetic.N_TRAIN / 10).all() and len(synthetic.CLASSES) == 10
    assert (np.bincount(test_labels) == synthetic.N_TEST / 10).all()


def test_no_pixel_tells_a_class_by_itself():
    """A linear classifier of the pixels is far from what a net learns."""
    images, labels, test_images, test_labels = synthetic.arrays()
    x, y = (a.reshape(len(a), -1) / 127.5 - 1.0 for a in (images, test_images))
    weights = np.linalg.solve(x.T @ x + 100 * np.eye(x.shape[1]), x.T @ np.eye(10)[labels])
    assert ((y @ weights).argmax(1) == test_labels).mean() < 0.35


def test_splits_are_disjoint_and_the_same_each_time():
    one, other = (datasets.load("synthetic", validation=0.125) for _ in range(2))
    assert (len(one.train), len(one.validation), len(one.test)) == (3500, 500, 1000)
    assert torch.equal(one.validation.images, other.validation.images)
    seen = {bytes(i.numpy().tobytes()) for i in one.train.images}
    assert not seen & {bytes(i.numpy().tobytes()) for i in one.validation.images}
    assert one.train.images.dtype == torch.uint8 and one.train.labels.dtype == torch.int64


def test_fewer_images_are_the_first_of_the_same_choice():
    few, all_of_them = (datasets.load("synthetic", validation=0.125, n_train=n) for n in (100, None))
    assert len(few.train) == 100
    assert torch.equal(few.validation.labels, all_of_them.validation.labels)
    assert {bytes(i.numpy()) for i in few.train.images} <= {bytes(i.numpy()) for i in all_of_them.train.images}


def test_without_validation_all_images_train():
    assert len(datasets.load("synthetic").train) == synthetic.N_TRAIN


@pytest.mark.parametrize(("validation", "n_train"), [(1.0, None), (0.75, 2000), (0.0, 0)])
def test_more_images_than_there_are_is_an_error(validation, n_train):
    with pytest.raises(ConfigError, match="there are 4,000"):
        datasets.load("synthetic", validation, n_train)


def test_a_missing_data_set_comes_with_the_way_out(tmp_path):
    with pytest.raises(DataError, match="`python -m classifier data` obtains it, --data synthetic does without"):
        datasets.load("cifar10", folder=tmp_path / "nothing")
    with pytest.raises(DataError, match="there is no file"):
        datasets.load(str(tmp_path / "nothing.tar.gz"))


@pytest.mark.slow
def test_the_real_arrays_are_the_published_ones():
    folder = sources.default_folder()
    sources.obtain(folder, quiet=True)
    arrays = cifar10.arrays(cifar10.from_folder(folder))
    assert tuple(hashlib.sha256(a.tobytes()).hexdigest() for a in arrays) == PUBLISHED
    assert len(datasets.load("cifar10", validation=0.1).train) == 45_000
