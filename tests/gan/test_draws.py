import pytest
import torch

from gan import draws

SHAPE = (7, 300)


def drawn(seed=0, stream=draws.NOISE, place=0):
    return draws.normals([seed], stream, place, SHAPE)


def test_equal_places_give_equal_numbers_whatever_was_drawn_before():
    first = drawn()
    torch.manual_seed(1)
    drawn(seed=5)
    assert torch.equal(drawn(), first)


@pytest.mark.parametrize("other", [{"seed": 1}, {"stream": draws.LAW}, {"place": 1}])
def test_neighbours_share_nothing(other):
    both = torch.stack([drawn().flatten(), drawn(**other).flatten()])
    assert abs(torch.corrcoef(both)[0, 1]) < 4 / both.shape[1] ** 0.5


def test_a_seed_draws_alike_alone_and_among_others():
    together = draws.normals([3, 1, 2], draws.WEIGHTS, 4, SHAPE)
    for row, seed in enumerate((3, 1, 2)):
        assert torch.equal(together[row : row + 1], draws.normals([seed], draws.WEIGHTS, 4, SHAPE))


def test_the_generator_of_pytorch_is_left_alone():
    before = torch.get_rng_state()
    drawn()
    assert torch.equal(torch.get_rng_state(), before)


def test_they_are_standard_normal():
    x = torch.cat([drawn(seed=s, place=p).flatten() for s in range(10) for p in range(10)]).double()
    error = len(x) ** -0.5
    for power, moment, deviation in ((1, 0, 1), (2, 1, 2**0.5), (3, 0, 15**0.5), (4, 3, 96**0.5)):
        assert abs((x**power).mean() - moment) < 4 * deviation * error
    assert x.abs().max() > 4
