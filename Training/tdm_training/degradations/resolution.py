"""Low resolution: what is left of a clip at a quarter of its sides, and enlarged again as the filter enlarges it."""

import cv2
import numpy as np
import torch

from ..chroma import subsampled
from .common import blur, log_uniform, quantize
from .compression import compress

FACTOR = 4


def resized(clip: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bicubic with a = -0.5 and, downwards, a kernel as wide as the step: as Pillow's, and as tdm-filter enlarges."""
    x = torch.from_numpy(np.ascontiguousarray(clip.transpose(0, 3, 1, 2)))
    y = torch.nn.functional.interpolate(x, (height, width), mode="bicubic", antialias=True)
    return np.ascontiguousarray(y.numpy().transpose(0, 2, 3, 1))


def reduced(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = clip.shape[1] // FACTOR, clip.shape[2] // FACTOR
    kind = rng.random()
    if kind < 0.7:
        return resized(clip, height, width)
    if kind < 0.72:
        first = int(rng.integers(FACTOR))
        return clip[:, first::FACTOR, first::FACTOR]
    if kind < 0.8:
        filter = cv2.INTER_AREA
    elif kind < 0.92:
        filter = cv2.INTER_LINEAR if rng.random() < 0.6 else cv2.INTER_CUBIC
    else:
        filter, soft = cv2.INTER_LANCZOS4 if rng.random() < 0.5 else cv2.INTER_LINEAR, rng.uniform(1.0, 2.2)
        clip = [blur(f, soft) for f in clip]
    return np.stack([cv2.resize(f, (width, height), interpolation=filter) for f in clip])


def low_resolution(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sides multiples of 4.

    filter   bicubic in 70% of the draws, area in 8%, a Gaussian of 1.0...2.2 pixels before Lanczos or bilinear in 8%; in the others aliased:
             bilinear or bicubic over the nearest pixels alone in 12%, one pixel of every 4x4 in 2%
    on top   at the small size: noise of 0.5...12 levels, log-uniform, in 10%, colours at half the size, as video has them, in 60%, and in 18% an
             encoder of a strength of up to 0.6: compression.py
    """
    height, width = clip.shape[1:3]
    small = reduced(clip, rng)
    if rng.random() < 0.1:
        small = small + rng.standard_normal(small.shape, dtype=np.float32) * np.float32(log_uniform(rng, 0.5, 12) / 255)
    if rng.random() < 0.6:
        small = subsampled(np.clip(small, 0, 1))
    if rng.random() < 0.18:
        small = compress(np.clip(small, 0, 1), rng, strongest=0.6)
    return quantize(resized(quantize(small), height, width))
