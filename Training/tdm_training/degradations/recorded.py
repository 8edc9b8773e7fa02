"""A scene as a camera recorded it: what restoring a compressed clip must leave as it is."""

import numpy as np

from .common import log_uniform, quantize
from .compression import STEADY, encoded
from .noise import video_grain


def recorded(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The scene with grain that is new in every frame, and, for half of the draws, what the camera's own encoder left of it.

    grain     0.3...4 of 255 levels, log-uniform, in the light, half to none of that in the colours; in 70% of the draws blurred by 0.4...1.2 pixels
    encoder   x264 by CRF 8 to 20, a key frame every 1 to 12 frames
    """
    deviation = log_uniform(rng, 0.3, 4)
    colour, smooth = rng.uniform(0, 0.5), rng.uniform(0.4, 1.2) if rng.random() < 0.7 else 0.0
    grainy = clip + np.float32(deviation / 255) * video_grain(rng, clip.shape, colour, smooth)
    if rng.random() < 0.5:
        return quantize(grainy)
    options = {"crf": f"{rng.uniform(8, 20):.0f}", "preset": "veryfast", "x264-params": STEADY}
    return encoded(np.clip(grainy, 0, 1), "libx264", options, int(rng.integers(1, 13)))
