import cv2
import numpy as np
import pytest

from tdm_training import pictures, procedural
from tdm_training.chroma import from_planes, subsampled, to_planes
from tdm_training.pictures import CropSource, CropStyle, kept_aside, moved, overcast, read_folder, swaying


def test_a_clip_depends_on_the_seed_alone(photographs):
    source = CropSource(read_folder(photographs), [], 0.25)
    one, same, other = (source.clip(np.random.default_rng(s), 32, 3) for s in (1, 1, 2))
    assert one.shape == (3, 32, 32, 3) and one.dtype == np.float32
    assert one.min() >= 0 and one.max() <= 1
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_pictures_much_smaller_than_the_crop_are_enlarged(photographs):
    source = CropSource(read_folder(photographs), [], 0)
    assert source.clip(np.random.default_rng(0), 160).shape == (1, 160, 160, 3)


def test_a_picture_is_mirrored_where_it_is_too_small_to_be_scaled_down(photographs):
    picture = read_folder(photographs)[0]
    side = min(picture.shape[:2])
    style = CropStyle(native_share=0, enlarged_share=0, smallest_scale=0.4)
    crops = [CropSource([picture], [], 0, style).region(np.random.default_rng(s), side) for s in range(20)]
    assert all(c.shape == (side, side, 3) for c in crops)
    # What is scaled down is sharper: at most as soft as the picture itself, and often not as soft.
    sharpness = lambda x: np.abs(np.diff(x.astype(float), axis=0)).mean() / x.std()
    assert np.median([sharpness(c) for c in crops]) > 1.2 * sharpness(picture)


def test_an_overcast_scene_has_less_contrast_and_colour_and_stays_within_bounds():
    clip = np.random.default_rng(0).random((2, 16, 16, 3), np.float32)
    for seed in range(50):
        dull = overcast(np.random.default_rng(seed), clip)
        assert dull.dtype == np.float32 and 0 <= dull.min() and dull.max() <= 1
        assert np.ptp(dull) < 0.81 * np.ptp(clip)
        assert np.ptp(dull, axis=-1).mean() < 0.81 * np.ptp(clip, axis=-1).mean()


def test_subsampled_pictures_keep_their_light_and_lose_fine_colours():
    clip = np.random.default_rng(0).random((2, 18, 22, 3), np.float32)
    grey = np.repeat(clip[..., :1], 3, -1)
    assert np.abs(subsampled(grey) - grey).max() < 1 / 219
    stripes = np.zeros((1, 16, 16, 3), np.float32)
    stripes[:, :, ::2], stripes[:, :, 1::2] = (0.5, 0.3, 0.5), (0.3, 0.4407, 0.3)  # of the same light
    assert np.ptp(subsampled(stripes)[0, :, 4:-4], axis=(0, 1)).max() < 0.01
    # What has been through it once loses little more.
    once = subsampled(0.25 + 0.5 * clip)
    assert np.abs(subsampled(once) - once).mean() < 0.25 * np.abs(once - 0.25 - 0.5 * clip).mean()


def test_what_4_2_0_showed_goes_back_to_its_bytes_at_every_size():
    rng = np.random.default_rng(1)
    for height, width in ((64, 48), (33, 47), (1, 2)):
        half = ((height + 1) // 2, (width + 1) // 2)
        light = rng.integers(100, 150, (2, height, width, 1), dtype=np.uint8)
        colours = rng.integers(118, 138, (2, *half, 2), dtype=np.uint8)
        for part, again in zip((light, colours), to_planes(from_planes(light, colours))):
            assert np.array_equal(part, again)


def test_clips_are_subsampled_as_often_as_the_style_says(photographs):
    pictures = read_folder(photographs)
    plain, video = (CropSource(pictures, [], 0, CropStyle(subsampled_share=share)) for share in (0, 1))
    for seed in range(4):
        clip = plain.clip(np.random.default_rng(seed), 32, 2)
        assert np.array_equal(video.clip(np.random.default_rng(seed), 32, 2), subsampled(clip))


def test_clips_are_toned_as_often_as_the_style_says(photographs):
    pictures = read_folder(photographs)
    of = lambda seed, **style: CropSource(pictures, [], 0, CropStyle(colour_share=0, overcast_share=0, **style)).clip(np.random.default_rng(seed), 32)
    powers = []
    for seed in range(8):
        plain, toned = of(seed), of(seed, toned_share=1)
        inner = (plain > 0.1) & (plain < 0.9)
        powers.append(np.median(np.log(toned[inner]) / np.log(plain[inner])))
    assert 0.49 < min(powers) < 0.9 and 1.1 < max(powers) < 1.61


def test_pictures_kept_aside_are_not_trained_on(photographs):
    training, kept = kept_aside(read_folder(photographs), 2)
    assert len(training) == 6 and len(kept) == 2
    assert not any(np.array_equal(t, k) for t in training for k in kept)


def test_a_folder_without_pictures_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        read_folder(tmp_path)


def test_procedural_pictures_repeat_with_their_seed_and_have_contrast():
    one = [procedural.make(np.random.default_rng((5, i)), 64, []) for i in range(12)]
    two = [procedural.make(np.random.default_rng((5, i)), 64, []) for i in range(12)]
    assert all(np.array_equal(a, b) for a, b in zip(one, two))
    assert all(p.shape == (64, 64, 3) and p.dtype == np.uint8 for p in one)
    assert np.mean([p.std() for p in one]) > 10


def test_black_stays_black_where_scenes_may_not_be_pale():
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, 32:] = 200
    source = CropSource([picture], [], 0)
    darkest = lambda pale: [source.clip(np.random.default_rng(seed), 64, 1, pale).min() for seed in range(60)]
    assert max(darkest(False)) < 0.03
    assert sum(x > 0.06 for x in darkest(True)) > 10


def test_what_sways_is_where_a_rigid_motion_has_it_but_for_that(monkeypatch):
    picture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (160, 160, 3), np.uint8), (0, 0), 3)
    region = lambda side: cv2.copyMakeBorder(picture, 40, 40, 40, 40, cv2.BORDER_REFLECT)[:side, :side]
    clip = lambda sway: (monkeypatch.setattr(pictures, "swaying", lambda *_: sway), moved(np.random.default_rng(3), region, 64, 5))[1].astype(int)
    rigid, still = clip(None), clip(np.zeros((5, 2, 64, 64), np.float32))
    assert np.abs(rigid - still).max() <= 3
    # Two pixels to the right along the first axis: columns.
    right = clip(np.stack([np.stack([np.full((64, 64), 2, np.float32), np.zeros((64, 64), np.float32)])] * 5))
    assert np.abs(right[:, :, :-2] - rigid[:, :, 2:])[2].mean() < 0.2 * np.abs(right - rigid)[2].mean()


def test_some_scenes_sway():
    fields = [swaying(np.random.default_rng(seed), 32, 5) for seed in range(100)]
    some = [field for field in fields if field is not None]
    assert 15 < len(some) < 45 and all(field.shape == (5, 2, 32, 32) for field in some)
    assert 5 < sum(not field[2].any() for field in some) < len(some)  # on and on from the middle frame, or to and fro
