"""The degraded clips that are measured on: one fixed, seeded degradation each, so that figures compare.

Training draws its degradations widely (degradations/); these are single points within what it draws, except where an
input says otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..degradations.common import blur, quantize, smooth_field
from ..degradations.compression import STEADY, encoded
from ..degradations.noise import video_grain
from ..degradations.rain import layer
from ..degradations.resolution import FACTOR, resized

NOISE_DEVIATION = 25 / 255
X264 = {"crf": "38", "preset": "medium", "x264-params": STEADY}
MPEG4 = {"qmin": "16", "qmax": "16"}
KEY_FRAMES = 12


def noisy(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Poisson-Gaussian noise with a deviation of 25/255 over the whole clip, half of its variance in proportion to the
    light; every pixel, channel and frame for itself."""
    variance = np.float32(NOISE_DEVIATION**2) * (0.5 + 0.5 * clip / clip.mean())
    return quantize(clip + np.sqrt(variance) * rng.standard_normal(clip.shape, dtype=np.float32))


VIDEO_NOISE_DEVIATION = 15 / 255


def noisy_video(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """White noise of 15/255 in the light and in both colour differences of 4:2:0, as ffmpeg's `noise` adds it to video."""
    return quantize(clip + np.float32(VIDEO_NOISE_DEVIATION) * video_grain(rng, clip.shape, 1.0, 0.0))


def coded(codec: str, options: dict[str, str]) -> Callable:
    def code(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return encoded(np.round(clip * 255).astype(np.uint8), codec, options, KEY_FRAMES).astype(np.float32) / 255

    return code


def small(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A quarter of the sides, bicubic with a = -0.5 and antialiasing: [F, H / 4, W / 4, 3]."""
    return quantize(resized(clip, clip.shape[1] // FACTOR, clip.shape[2] // FACTOR))


def enlarged(clip: np.ndarray) -> np.ndarray:
    """Four times the sides by the same bicubic kernel, as tdm-filter enlarges before it restores."""
    return quantize(resized(clip, clip.shape[1] * FACTOR, clip.shape[2] * FACTOR))


# density (drops a pixel), length and thickness in pixels, opacity; farthest first
RAIN_LAYERS = ((0.0040, 10, 0.5, 0.30), (0.0018, 18, 0.8, 0.45), (0.0008, 30, 1.1, 0.60))
RAIN_ANGLE, RAIN_VEIL, RAIN_GREY = 0.2, 0.08, 0.75


def rainy(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Three depths of near-white streaks 0.2 radians from the vertical, new drops in every frame, and a veil of 8%."""
    height, width = clip.shape[1:3]
    out = clip * np.float32(1 - RAIN_VEIL) + np.float32(RAIN_VEIL * RAIN_GREY)
    for frame in out:
        for density, length, thickness, opacity in RAIN_LAYERS:
            cover = layer(rng, height, width, density, length, RAIN_ANGLE, thickness)[..., None] * np.float32(opacity)
            frame[:] = frame * (1 - cover) + np.float32(0.92) * cover
    return quantize(out)


HAZE_NEAR, HAZE_FAR, AIRLIGHT = 0.8, 0.35, (0.86, 0.87, 0.90)


def hazy(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """I = J t + A (1 - t), A bluish white (0.86, 0.87, 0.90), t from 0.8 (nearest) to 0.35 (farthest).

    log t follows a depth that stands still: the upper rows farther, smooth hills, and a little the picture's own light.
    """
    height, width = clip.shape[1:3]
    rise = np.linspace(1, 0, height, dtype=np.float32)[:, None]
    light = blur(clip.mean((0, 3)), 4)
    depth = 0.5 * rise + 0.35 * smooth_field(rng, height, width, 3) + 0.15 * light
    depth = (depth - depth.min()) / np.ptp(depth)
    near, far = -np.log(HAZE_NEAR), -np.log(HAZE_FAR)
    t = np.exp(-(near + (far - near) * depth)).astype(np.float32)[None, ..., None]
    return quantize(clip * t + np.float32(AIRLIGHT) * (1 - t))


@dataclass(frozen=True)
class Input:
    task: str
    name: str
    words: str
    degrade: Callable[[np.ndarray, np.random.Generator], np.ndarray]


INPUTS = [
    Input("denoise", "denoise", "Poisson-Gaussian noise, deviation 25/255", noisy),
    Input("denoise", "denoise-video", "noise of 15/255 in the light and the colours of 4:2:0", noisy_video),
    Input("deartifact", "deartifact-x264", "x264 at CRF 38, preset medium without mbtree, a key frame every 12", coded("libx264", X264)),
    Input("deartifact", "deartifact-mpeg4", "MPEG-4 part 2 at quantizer 16, a key frame every 12", coded("mpeg4", MPEG4)),
    Input("superres", "superres", "a quarter of the sides, bicubic", small),
    Input("derain", "derain", "three depths of rain and a veil of 8%", rainy),
    Input("dehaze", "dehaze", "haze, t 0.35 to 0.8", hazy),
]


def degraded(input: Input, clip: np.ndarray, seed: int) -> np.ndarray:
    """[F, H, W, 3] uint8 to the degraded clip in uint8; for superres at a quarter of the sides."""
    out = input.degrade(clip.astype(np.float32) / np.float32(255), np.random.default_rng(seed))
    return np.round(out * 255).astype(np.uint8)


def at_full_size(input: Input, clip: np.ndarray) -> np.ndarray:
    """The degraded clip as it is compared with the clean one: enlarged where it is small."""
    if input.task != "superres":
        return clip
    return np.round(enlarged(clip.astype(np.float32) / np.float32(255)) * 255).astype(np.uint8)
