"""Sensor noise: Poisson-Gaussian, as it comes out of a camera rather than as it enters the sensor."""

import cv2
import numpy as np

from ..chroma import enlarged, to_rgb
from .common import blur, log_uniform, quantize


def grain(rng: np.random.Generator, shape: tuple, common: float, smooth: float, down: float | None = None) -> np.ndarray:
    """Unit noise; `common` is the share of its variance that the channels have together, `smooth` the
    deviation in pixels of the blur that a camera's processing gives it, `down` that along the columns where it is another."""
    out = rng.standard_normal(shape, dtype=np.float32)
    if common > 0:
        grey = rng.standard_normal((*shape[:-1], 1), dtype=np.float32)
        out = np.float32((1 - common) ** 0.5) * out + np.float32(common**0.5) * grey
    if smooth > 0:
        out = np.stack([blur(f, smooth, down) for f in out]).reshape(shape)
        out /= out.std() + 1e-6
    return out


def video_grain(
    rng: np.random.Generator, shape: tuple, colour: float, smooth: float, light: float = 1, blotches: tuple[float, float] = (0, 0)
) -> np.ndarray:
    """Noise as video has it: of deviation `light` in the light, of `colour` in its two colour differences (BT.601), which are kept at half the
    size, blurred there by `blotches` pixels along rows and columns. ffmpeg's `noise` makes such of any 4:2:0 stream, and so does all that works on one."""
    frames, height, width, _ = shape
    luma = np.float32(light) * grain(rng, (*shape[:-1], 1), 0, smooth)
    halved = np.float32(colour) * grain(rng, (frames, (height + 1) // 2, (width + 1) // 2, 2), 0, *blotches)
    return to_rgb(luma, enlarged(halved, height, width))


def through_mosaic(clip: np.ndarray) -> np.ndarray:
    """Each frame seen through a Bayer filter and interpolated: neighbours and channels then share their noise."""
    out = np.empty_like(clip)
    for i, frame in enumerate(clip):
        raw = np.empty(frame.shape[:2], np.float32)
        raw[0::2, 0::2] = frame[0::2, 0::2, 0]
        raw[0::2, 1::2] = frame[0::2, 1::2, 1]
        raw[1::2, 0::2] = frame[1::2, 0::2, 1]
        raw[1::2, 1::2] = frame[1::2, 1::2, 2]
        # Noise around black is negative: shifted up, so that 16 bits hold it.
        held = np.clip((raw + 0.5) * 32768, 0, 65535).astype(np.uint16)
        out[i] = cv2.cvtColor(held, cv2.COLOR_BayerBG2RGB_EA).astype(np.float32) / 32768 - 0.5
    return out


def sensor_noise(clip: np.ndarray, rng: np.random.Generator, low: float = 1, high: float = 55) -> np.ndarray:
    """Variance a x + b, new grain in every frame.

    deviation  `low`...`high` of 255 levels, log-uniform, because footage that is nearly clean must come back no worse; half of the draws
               10...35, where most footage that people want cleaned lies (only where the range reaches that far)
    shot       0...1 of the variance follows the light; none at all in a fifth of the draws
    channels   gains 0.7...1.3 in a quarter of the draws; up to 0.8 of the variance in common in a fifth
    neighbours a blur of 0.4...1.8 pixels, log-uniform, in 18%: a camera's own, film's coarse grain; a Bayer mosaic in 12%
    video      in 45%, but for mosaics, the light's noise is all colours', and they have 0.2...1.4 of it at half the size
    blotches   in 35% of those, as of phones and tape: the colours' noise is blurred by 0.5...4 of their pixels, log-uniform, in half of
               them along rows and columns by the same; and 0...1 of the light's noise is there, in half of them all of it
    """
    deviation = log_uniform(rng, low, high)
    if high > 35 and rng.random() < 0.5:
        deviation = rng.uniform(max(low, 10), 35)
    shot = rng.uniform(0, 1) if rng.random() < 0.8 else 0.0
    gains = rng.uniform(0.7, 1.3, 3) if rng.random() < 0.25 else np.ones(3)
    common = rng.uniform(0, 0.8) if rng.random() < 0.2 else 0.0
    kind = rng.random()
    smooth = log_uniform(rng, 0.4, 1.8) if kind < 0.18 else 0.0
    level = max(float(clip.mean()), 0.15)
    variance = np.float32((deviation / 255) ** 2) * (np.float32(1 - shot) + np.float32(shot / level) * clip)
    mosaic = 0.18 <= kind < 0.3
    if not mosaic and rng.random() < 0.45:
        deviation = np.sqrt(variance.mean(-1, keepdims=True))
        colour, light, blotches = rng.uniform(0.2, 1.4), 1.0, (0.0, 0.0)
        if rng.random() < 0.35:
            right = log_uniform(rng, 0.5, 4)
            blotches = (right, right if rng.random() < 0.5 else log_uniform(rng, 0.5, 4))
            light = 1.0 if rng.random() < 0.5 else rng.uniform(0, 1)
        return quantize(clip + deviation * video_grain(rng, clip.shape, colour, smooth, light, blotches))
    noisy = clip + np.sqrt(variance) * gains.astype(np.float32) * grain(rng, clip.shape, common, smooth)
    if mosaic:
        noisy = through_mosaic(noisy)
    return quantize(noisy)
