"""The degraded clips that are measured on: one fixed, seeded degradation each, so that figures compare.

Training draws its degradations widely (degradations/); these are single points within what it draws, except where an
input says otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ..degradations.common import blur, quantize, smooth_field
from ..degradations.compression import STEADY, encoded
from ..degradations.noise import video_grain
from ..degradations.rain import fallen, stamped, streak
from ..degradations.resolution import FACTOR, resized

NOISE_DEVIATION = 25 / 255
X264 = {"crf": "38", "preset": "medium", "x264-params": STEADY}
SMALL_X264 = X264 | {"crf": "23"}
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
        return encoded(clip, codec, options, KEY_FRAMES)

    return code


NOISE_BEFORE, X264_BEHIND = 10 / 255, X264 | {"crf": "25"}


def noisy_coded(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise of 10/255 in the light and in both colour differences of 4:2:0, and then what x264 leaves of it, as most noisy video comes."""
    noise = np.float32(NOISE_BEFORE) * video_grain(rng, clip.shape, 1.0, 0.0)
    return coded("libx264", X264_BEHIND)(np.clip(clip + noise, 0, 1), rng)


def small(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A quarter of the sides, bicubic with a = -0.5 and antialiasing: [F, H / 4, W / 4, 3]."""
    return quantize(resized(clip, clip.shape[1] // FACTOR, clip.shape[2] // FACTOR))


def small_aliased(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A quarter of the sides as OpenCV makes it by default: the mean of the four pixels about each place, no filter against aliasing."""
    size = (clip.shape[2] // FACTOR, clip.shape[1] // FACTOR)
    return quantize(np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR) for frame in clip]))


def small_coded(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A quarter of the sides, bicubic, and then as x264 leaves it."""
    return coded("libx264", SMALL_X264)(small(clip, rng), rng)


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
            drops = fallen(rng, (height, width), density)
            cover = stamped((height, width), drops, streak(length, RAIN_ANGLE, thickness))[..., None] * np.float32(opacity)
            frame[:] = frame * (1 - cover) + np.float32(0.92) * cover
    return quantize(out)


# drops a pixel, half of a streak's length in pixels, opacity
LINES = (0.0020, 10, 0.55)


def rainy_lines(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """White lines one pixel wide, not smoothed, 0.1 to 0.3 radians from the vertical and 12 to 28 pixels long, new in every frame."""
    density, half, opacity = LINES
    out = clip.copy()
    for frame in out:
        lines = np.zeros(frame.shape[:2], np.float32)
        for y, x, _ in fallen(rng, lines.shape, density):
            reach, angle = half * rng.uniform(0.6, 1.4), rng.uniform(0.1, 0.3)
            dy, dx = reach * np.cos(angle), reach * np.sin(angle)
            cv2.line(lines, (round(x - dx), round(y - dy)), (round(x + dx), round(y + dy)), opacity)
        frame += (1 - frame) * lines[..., None]
    return quantize(out)


# share of the pixels that drops begin as, pixels that they are drawn out over, how bright
SMEARED = (0.003, 21, 0.4)


def rainy_added(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What image editors make rain of: bright points, blurred a little, drawn out along a slant, added to the picture; new in every frame."""
    share, length, light = SMEARED
    kernel = np.zeros((length, length), np.float32)
    cv2.line(kernel, (length // 2 + 3, 0), (length // 2 - 3, length - 1), 1.0)
    out = clip.copy()
    for frame in out:
        points = (rng.random(frame.shape[:2]) < share).astype(np.float32)
        rain = cv2.filter2D(blur(points, 0.8), -1, kernel, borderType=cv2.BORDER_REFLECT)
        frame += np.float32(light) * np.minimum(rain / 0.4, 1)[..., None]
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


def veiled(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same all over the picture: t of 0.45, A of 0.84."""
    return quantize(np.float32(0.45) * clip + np.float32(118 / 255))


@dataclass(frozen=True)
class Input:
    task: str
    name: str
    words: str
    degrade: Callable[[np.ndarray, np.random.Generator], np.ndarray]


INPUTS = [
    Input("denoise", "denoise", "Poisson-Gaussian noise, deviation 25/255", noisy),
    Input("denoise", "denoise-video", "noise of 15/255 in the light and the colours of 4:2:0", noisy_video),
    Input("denoise", "denoise-x264", "noise of 10/255 as above, then x264 at CRF 25", noisy_coded),
    Input("deartifact", "deartifact-x264", "x264 at CRF 38, preset medium without mbtree, a key frame every 12", coded("libx264", X264)),
    Input("deartifact", "deartifact-mpeg4", "MPEG-4 part 2 at quantizer 16, a key frame every 12", coded("mpeg4", MPEG4)),
    Input("superres", "superres", "a quarter of the sides, bicubic", small),
    Input("superres", "superres-aliased", "a quarter of the sides, bilinear without a filter against aliasing", small_aliased),
    Input("superres", "superres-x264", "a quarter of the sides, bicubic, then x264 at CRF 23", small_coded),
    Input("derain", "derain", "three depths of rain and a veil of 8%", rainy),
    Input("derain", "derain-lines", "rain drawn as hard lines a pixel wide", rainy_lines),
    Input("derain", "derain-added", "rain of blurred points, drawn out and added", rainy_added),
    Input("dehaze", "dehaze", "haze, t 0.35 to 0.8", hazy),
    Input("dehaze", "dehaze-even", "an even veil, t 0.45", veiled),
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
