import numpy as np
import pytest

from tdm_training import procedural
from tdm_training.pictures import CropSource, hold_out, read_folder


def test_a_clip_depends_on_the_seed_alone(photographs):
    source = CropSource(read_folder(photographs), [], 0.25)
    one, same, other = (source.clip(np.random.default_rng(s), 32, 3) for s in (1, 1, 2))
    assert one.shape == (3, 32, 32, 3) and one.dtype == np.float32
    assert one.min() >= 0 and one.max() <= 1
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_pictures_smaller_than_the_crop_are_enlarged(photographs):
    source = CropSource(read_folder(photographs), [], 0)
    assert source.clip(np.random.default_rng(0), 160).shape == (1, 160, 160, 3)


def test_pictures_kept_aside_are_not_trained_on(photographs):
    training, kept = hold_out(read_folder(photographs), 2)
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
