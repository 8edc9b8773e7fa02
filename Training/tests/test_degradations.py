import numpy as np
import pytest

from tdm_training import degradations
from tdm_training.chroma import from_planes, to_planes
from tdm_training.degradations import TASKS, degrade, resolution, sensor_noise
from tdm_training.degradations.common import quantize
from tdm_training.degradations.compression import ENCODERS, STEADY, encoded
from tdm_training.degradations.haze import haze
from tdm_training.degradations.noise import video_grain
from tdm_training.degradations.rain import Manner, manners, rain
from tdm_training.degradations.recorded import recorded
from tdm_training.degradations.resolution import low_resolution, reduced
from tdm_training.examples import CONTEXT_FRAMES, Examples
from tdm_training.pictures import CropSource


def moving(frames=3, side=64) -> np.ndarray:
    """A ramp with an edge that moves two pixels a frame."""
    x = np.linspace(0.1, 0.9, side, dtype=np.float32)
    clip = np.repeat((x[:, None] * x)[None, ..., None], frames, 0).repeat(3, 3).copy()
    for t in range(frames):
        clip[t, :, 20 + 2 * t : 30 + 2 * t] = 0.8
    return clip


def grey(frames=4, side=64, level=0.5):
    return np.full((frames, side, side, 3), level, np.float32)


def has_8_bits(clip: np.ndarray) -> bool:
    """Of RGB, or of 4:2:0, of which RGB cannot hold all."""
    return np.array_equal(quantize(clip), clip) or np.abs(from_planes(*to_planes(clip)) - clip).mean() < 1e-4


@pytest.mark.parametrize("task", TASKS)
def test_a_degraded_clip_has_8_bits_and_its_size_and_is_not_the_clean_one(task):
    clip = moving()
    before = clip.copy()
    for seed in range(6):
        out = degrade(task, clip, np.random.default_rng(seed), untouched_share=0)
        assert out.shape == clip.shape and out.dtype == np.float32
        assert has_8_bits(out)
        assert np.abs(out - clip).mean() > 1e-3
    assert np.array_equal(clip, before), "the clean clip was written to"


@pytest.mark.parametrize("task", TASKS)
def test_the_same_seed_degrades_the_same_way_and_another_does_not(task):
    first, again, other = (degrade(task, moving(), np.random.default_rng(s), untouched_share=0) for s in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_noise_has_the_deviation_that_is_asked_for():
    found = [float((sensor_noise(grey(2, 96), np.random.default_rng(s), 25, 25.001) - 0.5).std() * 255) for s in range(30)]
    assert 23 < np.median(found) < 27  # gains, a blur or a mosaic change some of the draws


def test_noise_and_rain_are_new_in_every_frame_and_haze_is_not():
    rng = np.random.default_rng
    noisy, rainy, hazy = sensor_noise(grey(), rng(1)), rain(grey(), rng(1)), haze(grey(), rng(1))
    assert not np.array_equal(noisy[0], noisy[1]) and not np.array_equal(rainy[0], rainy[1])
    assert np.array_equal(hazy[0], hazy[1])


def falling(edge: str, alike: bool, fall: float | None, softened: float = 0) -> list[np.ndarray]:
    manner = Manner(0.004, 10, 0.0, 1.0, 0.6, edge, alike, softened, fall)
    return list(manner.covers(np.random.default_rng(5), (64, 48), 3))


@pytest.mark.parametrize("edge", ["soft", "smooth", "hard"])
@pytest.mark.parametrize("alike", [True, False])
def test_streaks_are_new_in_every_frame_or_fall_as_they_lie(edge, alike):
    new, moved = falling(edge, alike, None), falling(edge, alike, 0.5)
    for covers in (new, moved):
        assert all(c.shape == (64, 48) and -1e-4 < c.min() and 0.3 < c.max() < 0.601 for c in covers)
    assert not np.allclose(new[1], new[2])
    # Half of a length is five rows; far from the bottom, where drops leave to enter at the top.
    assert np.allclose(moved[2][20:50], moved[1][15:45], atol=1e-4) and not np.allclose(moved[2], moved[1])


def test_hard_streaks_are_a_pixel_wide_and_soft_ones_are_not():
    of = lambda edge: falling(edge, True, None)[0]
    hard, soft = of("hard"), of("soft")
    widths = lambda cover: np.diff(np.flatnonzero(np.diff(np.pad(cover[32] > 0.01, 1))))[::2]
    assert len(widths(hard)) > 1 and np.median(widths(hard)) == 1 and widths(soft).min() > 1


def test_rain_comes_with_every_edge_falling_or_not():
    drawn = [manners(np.random.default_rng(seed))[0] for seed in range(300)]
    shares = {edge: np.mean([m.edge == edge for m in drawn]) for edge in ("soft", "smooth", "hard")}
    assert all(0.2 < share < 0.5 for share in shares.values()) and sum(shares.values()) == 1
    assert 0.1 < np.mean([m.fall is not None for m in drawn]) < 0.3
    assert {m.alike for m in drawn} == {True, False} and any(m.softened for m in drawn)


@pytest.mark.parametrize("task", TASKS)
def test_a_second_degradation_and_video_s_colours_come_as_often_as_is_said(task, monkeypatch):
    seen = []
    same = lambda name: lambda clip, rng=None: seen.append(name) or clip
    monkeypatch.setitem(degradations.TASKS, task, same("first"))
    monkeypatch.setitem(degradations.SECOND, task, same("second"))
    monkeypatch.setattr(degradations, "subsampled", same("subsampled"))
    for seed in range(600):
        degrade(task, grey(1, 4), np.random.default_rng(seed))
    of = lambda name: seen.count(name) / 600
    assert abs(of("first") - (1 - degradations.UNTOUCHED_SHARES[task])) < 0.06
    assert abs(of("second") - degradations.SECOND_SHARES[task]) < 0.06
    assert abs(of("subsampled") - degradations.SUBSAMPLED_SHARES.get(task, 0) * of("first")) < 0.06


def test_noise_of_video_is_one_light_and_coarser_colours():
    noise = video_grain(np.random.default_rng(3), (2, 201, 200, 3), 0.5, 0.0)
    light = noise @ np.float32([0.299, 0.587, 0.114])
    assert noise.shape == (2, 201, 200, 3) and abs(light.std() - 1) < 0.02
    blue = (noise[..., 2] - light) / 1.772
    beside = lambda x: float(np.corrcoef(x[:, :, 1:].ravel(), x[:, :, :-1].ravel())[0, 1])
    assert 0.3 < blue.std() < 0.5 and beside(blue) > 0.5 and abs(beside(light)) < 0.03
    alone = video_grain(np.random.default_rng(3), (1, 8, 8, 3), 0.0, 0.7)
    assert np.allclose(alone[..., 0], alone[..., 2])


def test_nothing_is_changed_where_nothing_is_to_be_repaired():
    clip = np.round(moving() * 255).astype(np.float32) / np.float32(255)
    assert np.array_equal(degrade("denoise", clip, np.random.default_rng(0), untouched_share=1.0), clip)


def test_haze_lifts_the_dark_and_keeps_within_range():
    out = haze(grey(level=0.05), np.random.default_rng(0))
    assert out.mean() > 0.1 and out.max() <= 1


def test_most_small_pictures_have_colours_at_half_their_size(monkeypatch):
    halved = []
    monkeypatch.setattr(resolution, "subsampled", lambda small: halved.append(small.shape) or small)
    for seed in range(200):
        low_resolution(moving(1, 64), np.random.default_rng(seed))
    assert set(halved) == {(1, 16, 16, 3)} and 100 < len(halved) < 140


@pytest.fixture
def fine() -> np.ndarray:
    """What a quarter of the sides cannot show: stripes two pixels wide."""
    return np.tile(np.float32([0.2, 0.8, 0.8, 0.2]), (64, 16))[None, ..., None].repeat(3, 3)


def test_low_resolution_loses_fine_detail_and_mostly_keeps_the_coarse(fine):
    out = [low_resolution(fine, np.random.default_rng(seed)) for seed in range(20)]
    assert np.median([o.std() for o in out]) < 0.1 * fine.std()
    assert np.median([abs(o.mean() - 0.5) for o in out]) < 0.02


def test_some_small_pictures_show_what_they_cannot_hold(fine):
    # The pixels that one of these is made of are all bright or all dark.
    aliased = [abs(reduced(fine, np.random.default_rng(seed)).mean() - 0.5) > 0.2 for seed in range(400)]
    assert 40 < sum(aliased) < 75


def test_some_small_pictures_were_encoded_as_moving_ones(monkeypatch):
    coded = []
    monkeypatch.setattr(resolution, "compress", lambda small, rng, strongest: coded.append((small.shape, strongest)) or small)
    source = Examples(CropSource([(moving(1, 192)[0] * 255).astype(np.uint8)], [], 0), 1)
    for seed in range(100):
        clean, seen, _ = source.one(np.random.default_rng(seed), "superres", 64, 1)
        assert clean.shape == seen.shape == (1, 64, 64, 3)
    assert set(coded) == {((CONTEXT_FRAMES["superres"], 16, 16, 3), 0.6)} and 10 < len(coded) < 27


@pytest.mark.parametrize("codec", [c for c in ENCODERS if c != "jpeg"])
@pytest.mark.parametrize("side", [32, 64])
def test_every_encoder_gives_as_many_frames_of_the_same_size_even_very_small_ones(codec, side):
    clip = moving(4, side)
    mild, harsh = (encoded(clip, codec, ENCODERS[codec][1](s), 4) for s in (0, 1))
    assert mild.shape == harsh.shape == clip.shape
    error = lambda out: np.square(out - clip).mean()
    assert error(mild) < error(harsh) < 0.05


def test_an_encoder_that_loses_little_makes_nothing_brighter_or_darker():
    # Bright and dark, grey and coloured: a clip that comes back darker in training comes back too bright from the networks.
    clip = 0.1 + 0.8 * np.random.default_rng(0).random((1, 8, 8, 3), dtype=np.float32).repeat(8, 1).repeat(8, 2).repeat(3, 0)
    for options in ({"crf": "1", "preset": "veryfast", "x264-params": STEADY}, {"crf": "12", "preset": "veryfast", "x264-params": STEADY}):
        shift = (encoded(clip, "libx264", options, 12) - clip).mean((0, 1, 2)) * 255
        assert np.abs(shift).max() < 0.25


def test_a_recording_has_grain_of_its_own_that_is_new_in_every_frame():
    differences, losses = [], []
    for seed in range(40):
        clip = grey(4, 64)
        out = recorded(clip, np.random.default_rng(seed))
        assert out.shape == clip.shape and out.dtype == np.float32 and has_8_bits(out)
        differences.append(float((out[1] - out[0]).std() * 255))
        losses.append(float((out - clip).std() * 255))
    # Grain of 0.3...4 levels, as 8 bits hold it; an encoder may take all of the faintest.
    assert 0.3 < np.median(losses) < 2 and max(losses) < 6
    assert np.median(differences) > 0.3
