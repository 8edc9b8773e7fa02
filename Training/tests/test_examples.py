import numpy as np
import pytest

from tdm_training import examples
from tdm_training.examples import Examples


class Still:
    """A source of clips that are one grey."""

    def clip(self, rng, side, frames=1):
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
