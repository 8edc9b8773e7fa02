import pytest
import torch

from tdm_training import degradations
from tdm_training.degradations import TASKS, degrade, sensor_noise


def grey(count=4, side=64, level=0.5):
    return torch.full((count, 3, side, side), level)


def picture(side=64):
    x = torch.linspace(0.1, 0.9, side)
    return (x[:, None] * x)[None, None].repeat(3, 3, 1, 1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("task", TASKS)
def test_a_degraded_picture_has_8_bits_and_its_size_and_is_not_the_clean_one(task):
    x = picture()
    y = degrade(task, x, generator(), untouched_share=0)
    assert y.shape == x.shape and y.dtype == torch.float32
    assert torch.equal((y * 255).round() / 255, y)
    assert float((y - x).abs().mean()) > 2e-3


@pytest.mark.parametrize("task", TASKS)
def test_the_same_seed_degrades_the_same_way_and_another_does_not(task):
    x = picture()
    first = degrade(task, x, generator(3))
    assert torch.equal(first, degrade(task, x, generator(3)))
    assert not torch.equal(first, degrade(task, x, generator(4)))


def test_noise_of_25_levels_has_that_deviation():
    y = sensor_noise(grey(16, 128), generator(), 25, 25.001)
    # Half the draws take the fixed range, half the usual one of 15 to 35 levels; their middle is 25.
    assert 20 / 255 < float((y - 0.5).std()) < 30 / 255


def test_nothing_is_changed_where_nothing_is_to_be_repaired():
    x = degradations.quantize(picture())
    assert torch.equal(degrade("denoise", x, generator(), untouched_share=1.0), x)


def test_haze_lifts_the_dark_and_keeps_within_range():
    y = degradations.haze(grey(level=0.05), generator())
    assert float(y.mean()) > 0.1 and float(y.max()) <= 1
