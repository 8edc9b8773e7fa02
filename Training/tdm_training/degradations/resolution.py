"""Low resolution: what is left of a clip at a quarter of its sides, and enlarged again as the filter enlarges it."""

import cv2
import numpy as np
import torch

from ..chroma import subsampled
from .common import as_bytes, blur, quantize
from .compression import jpeg

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
    if kind < 0.8:
        return np.stack([cv2.resize(f, (width, height), interpolation=cv2.INTER_AREA) for f in clip])
    soft = rng.uniform(1.0, 2.2)
    filter = cv2.INTER_LANCZOS4 if rng.random() < 0.5 else cv2.INTER_LINEAR
    return np.stack([cv2.resize(blur(f, soft), (width, height), interpolation=filter) for f in clip])


def low_resolution(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sides multiples of 4.

    filter   bicubic in 70% of the draws, area in 10%, else a Gaussian of 1.0...2.2 pixels before Lanczos or bilinear
    on top   at the small size: noise of up to 5 levels in 15%, colours at half the size, as video has them, in 60%, JPEG of quality 40...90 in 10%
    """
    height, width = clip.shape[1:3]
    small = reduced(clip, rng)
    if rng.random() < 0.15:
        small = small + rng.standard_normal(small.shape, dtype=np.float32) * np.float32(rng.uniform(0, 5 / 255))
    if rng.random() < 0.6:
        small = subsampled(np.clip(small, 0, 1))
    if rng.random() < 0.1:
        small = jpeg(as_bytes(small), int(rng.uniform(40, 90))).astype(np.float32) / np.float32(255)
    return quantize(resized(quantize(small), height, width))
