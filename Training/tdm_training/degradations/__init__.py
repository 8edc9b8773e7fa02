"""What the camera, the weather and the encoder do to a short clip, as seeded functions.

A clip is [T, H, W, 3] float32 in [0, 1], RGB as it is shown (not linear light). Every degradation takes a clip and a
numpy Generator, draws its parameters once for the clip, and returns a clip of the same shape, clipped and rounded to
8 bits of RGB or of 4:2:0 video, because that is what a filter gets to read. What moves or flickers in the world differs from frame to frame (grain, rain);
what does not (haze, a lens) stays. The ranges are each function's defaults, documented there.
"""

import numpy as np

from ..chroma import subsampled
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

def filmed(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What a camera adds to bad weather: its noise, or what its encoder loses."""
    if rng.random() < 0.5:
        return sensor_noise(clip, rng, low=1, high=8)
    return compress(clip, rng, strongest=0.5)


# A second, weaker degradation that footage of the first often has as well: noise that was encoded, rain in a noisy night.
# The task's own target stays the clean clip.
SECOND = {
    "denoise": lambda clip, rng: compress(clip, rng, strongest=0.5),
    "deartifact": lambda clip, rng: sensor_noise(clip, rng, low=1, high=8),
    "derain": filmed,
    "dehaze": filmed,
}
# Draws in which it has; low_resolution draws its own noise and compression, at the small size.
SECOND_SHARES = {"denoise": 0.15, "deartifact": 0.12, "superres": 0, "derain": 0.25, "dehaze": 0.25}

# Draws in which what is degraded comes as video, colours at half their size: the others' degradations have such draws of their own.
SUBSAMPLED_SHARES = {"derain": 0.6, "dehaze": 0.6}


# Draws in which nothing is degraded. Haze, and the veil behind rain, are believed where there are none unless they are often missing. Whatever
# superres is given was small.
UNTOUCHED_SHARES = {"denoise": 0.2, "deartifact": 0.08, "superres": 0, "derain": 0.2, "dehaze": 0.25}


def degrade(
    task: str, clip: np.ndarray, rng: np.random.Generator, untouched_share: float | None = None, kind: float | None = None
) -> np.ndarray:
    """`task`'s degradation of a clip; none at all for `untouched_share` of the draws, the task's own of `UNTOUCHED_SHARES` where
    it is None; a second one for its `SECOND_SHARES`, and its colours at half their size for its `SUBSAMPLED_SHARES`. `kind`: what tells the draws apart,
    in [0, 1), from none at all upwards; where it is None it is drawn."""
    kind = rng.random() if kind is None else kind
    untouched_share = UNTOUCHED_SHARES[task] if untouched_share is None else untouched_share
    if kind < untouched_share:
        return quantize(clip)
    steps = [TASKS[task]]
    if kind < untouched_share + SECOND_SHARES[task]:
        steps.insert(0 if task == "deartifact" else 1, SECOND[task])
    for step in steps:
        clip = step(clip, rng)
    if task in SUBSAMPLED_SHARES and rng.random() < SUBSAMPLED_SHARES[task]:
        clip = quantize(subsampled(clip))
    return clip
