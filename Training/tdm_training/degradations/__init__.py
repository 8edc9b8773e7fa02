"""What the camera, the weather and the encoder do to a short clip, as seeded functions.

A clip is [T, H, W, 3] float32 in [0, 1], RGB as it is shown (not linear light). Every degradation takes a clip and a
numpy Generator, draws its parameters once for the clip, and returns a clip of the same shape, clipped and rounded to
8 bits, because that is what a filter gets to read. What moves or flickers in the world differs from frame to frame (grain, rain);
what does not (haze, a lens) stays. The ranges are each function's defaults, documented there.
"""

import numpy as np

from .common import quantize
from .compression import compress
from .haze import haze
from .noise import sensor_noise
from .rain import rain
from .resolution import low_resolution

TASKS = {
    "denoise": sensor_noise,
    "deartifact": compress,
    "superres": low_resolution,
    "derain": rain,
    "dehaze": haze,
}

# A second, weaker degradation that footage of the first often has as well: noise that was encoded, rain in a noisy night.
# The task's own target stays the clean clip.
SECOND = {
    "denoise": lambda clip, rng: compress(clip, rng, strongest=0.35),
    "deartifact": lambda clip, rng: sensor_noise(clip, rng, low=1, high=8),
    "superres": lambda clip, rng: clip,  # low_resolution draws its own noise and compression, at the small size
    "derain": lambda clip, rng: sensor_noise(clip, rng, low=1, high=8),
    "dehaze": lambda clip, rng: sensor_noise(clip, rng, low=1, high=8),
}

# Draws in which nothing is degraded. Haze, and the veil behind rain, are believed where there are none unless they are often missing.
UNTOUCHED_SHARES = {"denoise": 0.2, "deartifact": 0.08, "superres": 0.08, "derain": 0.2, "dehaze": 0.18}


def degrade(
    task: str, clip: np.ndarray, rng: np.random.Generator, untouched_share: float | None = None, mixed_share: float = 0.12
) -> np.ndarray:
    """`task`'s degradation of a clip; none at all for `untouched_share` of the draws (the task's own of `UNTOUCHED_SHARES` where
    it is None), a second one for `mixed_share`."""
    kind = rng.random()
    untouched_share = UNTOUCHED_SHARES[task] if untouched_share is None else untouched_share
    if kind < untouched_share:
        return quantize(clip)
    if kind < untouched_share + mixed_share:
        first, second = (SECOND[task], TASKS[task]) if task == "deartifact" else (TASKS[task], SECOND[task])
        return second(first(clip, rng), rng)
    return TASKS[task](clip, rng)
