import numpy as np
import pytest

from tdm_training import examples
from tdm_training.examples import Examples


class Still:
    """A source of clips that are one grey."""

    def clip(self, rng, side, frames=1, pale=True):
        return np.full((frames, side, side, 3), 0.5, np.float32)


@pytest.mark.parametrize("task,share,expected", [("deartifact", 1, 20), ("deartifact", 0, 0), ("denoise", 1, 0)])
def test_what_gets_compressed_is_a_recording_as_often_as_is_said(monkeypatch, task, share, expected):
    made = []
    monkeypatch.setattr(examples, "recorded", lambda clip, rng: made.append(1) or clip + np.float32(1 / 255))
    source = Examples(Still(), seed=1, process=0, recorded_share=share)
    for seed in range(20):
        clean, _, _ = source.one(np.random.default_rng(seed), task, 32, 1)
        # What is to be restored is the recording, not the scene.
        assert np.allclose(clean, 0.5 + (1 / 255 if expected else 0))
    assert len(made) == expected


class Noise:
    """A source of clips of nothing but fine detail."""

    def clip(self, rng, side, frames=1, pale=True):
        return rng.random((frames, side, side, 3), dtype=np.float32)


@pytest.mark.parametrize("task,share,expected", [("deartifact", 1, 20), ("denoise", 1, 20), ("denoise", 0, 0), ("superres", 1, 0)])
def test_what_is_enlarged_was_degraded_small_and_is_soft_when_restored(monkeypatch, task, share, expected):
    sides = []
    monkeypatch.setattr(examples, "degrade", lambda task, clip, rng, kind: sides.append(clip.shape[1:3]) or 1 - clip)
    source = Examples(Noise(), seed=1, enlarged_share=share)
    for seed in range(20):
        clean, seen, second = source.one(np.random.default_rng(seed), task, 64, 1)
        assert clean.shape == seen.shape == second.shape == (1, 64, 64, 3)
        # Detail as fine as a pixel is gone from both, and they still belong together: enlarged in one way.
        fine = np.abs(np.diff(clean, axis=2)).mean()
        assert (fine < 0.2) == bool(expected) and np.allclose(1 - clean, second, atol=1.01 / 255)
    small = [size for size in sides if size != (64, 64)]
    assert len(small) == expected
    assert all(height == width and height % 2 == 0 and 64 / 2.5 - 2 < height <= 64 / 1.25 for height, width in small)


@pytest.mark.parametrize("task,share,expected", [("deartifact", 1, 20), ("denoise", 1, 20), ("denoise", 0, 0), ("dehaze", 1, 0)])
def test_what_is_soft_was_soft_before_it_was_degraded(monkeypatch, task, share, expected):
    monkeypatch.setattr(examples, "degrade", lambda task, clip, rng, kind: 1 - clip)
    source = Examples(Noise(), seed=1, soft_share=share)
    fine = []
    for seed in range(20):
        clean, _, second = source.one(np.random.default_rng(seed), task, 64, 1)
        assert np.allclose(1 - clean, second, atol=1.01 / 255)
        fine.append(np.abs(np.diff(clean, axis=2)).mean())
    assert sum(value < 0.25 for value in fine) == expected
    # By how much differs from clip to clip.
    assert not expected or max(fine) > 5 * min(fine)
