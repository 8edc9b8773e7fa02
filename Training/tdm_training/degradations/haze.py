"""Haze: I = J t + A (1 - t), Koschmieder's law, with transmission t = exp(-beta depth)."""

import numpy as np

from .common import blur, quantize, smooth_field


def depth_of(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A plausible depth map in [0, 1], [H, W]: hills, a ground that recedes upwards, and what the picture itself says.

    There is no true depth in a photograph; that objects are nearer than the light ground behind them is right often
    enough, and gives haze that follows outlines.
    """
    height, width = frame.shape[:2]
    depth = rng.uniform(0, 1) * smooth_field(rng, height, width, int(rng.integers(1, 5)))
    if rng.random() < 0.6:
        rise = np.linspace(1, 0, height, dtype=np.float32)[:, None] ** rng.uniform(0.5, 2)
        depth = depth + rng.uniform(0.2, 1) * rise
    if rng.random() < 0.5:
        guide = blur(frame.mean(2), rng.uniform(1, 6))
        depth = depth + rng.uniform(0.1, 0.7) * guide
    low, high = depth.min(), depth.max()
    return (depth - low) / (high - low + 1e-6)


def haze(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The air stands still for the length of a clip: one depth map, one airlight.

    airlight   0.6...1.0, channels within 0.05 of each other
    beta       the thickest place has t of 0.08...0.75, the thinnest 0.35...0.98; even fog in a fifth of the draws
    """
    middle = clip[len(clip) // 2]
    thick = rng.uniform(0.08, 0.75)
    thin = rng.uniform(max(thick, 0.35), 0.98)
    depth = depth_of(middle, rng) if rng.random() < 0.8 else np.full(middle.shape[:2], rng.uniform(0, 1), np.float32)
    near, far = -np.log(thin), -np.log(thick)
    t = np.exp(-(near + (far - near) * depth)).astype(np.float32)[None, ..., None]
    airlight = (rng.uniform(0.6, 1.0) + rng.uniform(-0.05, 0.05, 3)).astype(np.float32)
    return quantize(clip * t + airlight * (1 - t))
