import pytest
import torch
from diffusers import DDIMScheduler

from tdm_training.schedule import CLEAN, Schedule, levels


def schedule(kind="v_prediction"):
    return Schedule(DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type=kind, set_alpha_to_one=True,
    ))


def test_levels_trail_so_that_every_count_ends_on_the_noisiest():
    assert levels(1, 1, 1000) == [999]
    assert levels(4, 1, 1000) == [249, 499, 749, 999]
    assert all(levels(n, 1, 1000)[-1] == 999 for n in range(1, 60))


def test_a_lower_strength_climbs_a_part_of_the_schedule():
    assert levels(1, 0.1, 1000) == [99]
    assert levels(2, 0.6, 1000) == [299, 599]


@pytest.mark.parametrize("kind", ["v_prediction", "epsilon"])
@pytest.mark.parametrize("strength", [1, 0.1])
def test_inverting_then_sampling_with_the_true_output_returns_the_latent(strength, kind):
    s, g = schedule(kind), torch.Generator().manual_seed(0)
    z, noise = torch.randn(2, 8, 8, 8, generator=g).double(), torch.randn(2, 8, 8, 8, generator=g).double()

    def true(t):
        a, b = s.at(t)
        return noise if kind == "epsilon" else a * noise - b * z

    x, rungs = z, s.ascent(3, strength)
    for start, end in zip(rungs, rungs[1:]):
        x = s.move(x, true(start), start, end)
    a, b = s.at(rungs[-1])
    assert torch.allclose(x, a * z + b * noise)
    rungs = s.descent(3, strength)
    for start, end in zip(rungs, rungs[1:]):
        x = s.move(x, true(start), start, end)
    assert torch.allclose(x, z)


def test_the_clean_level_has_no_noise():
    assert schedule().at(CLEAN) == (1.0, 0.0)


def test_a_schedule_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="v_prediction"):
        Schedule(DDIMScheduler(prediction_type="sample"))
