"""Rain: streaks at several depths, the veil of the farther ones, now and then drops on the lens."""

import cv2
import numpy as np

from .common import blur, quantize


def streak(length: float, angle: float, width: float) -> np.ndarray:
    """A falling drop drawn out by the exposure: a line of `length` pixels, `angle` from the vertical, soft ends."""
    reach = int(np.ceil(length / 2 + 2 * width + 1))
    side = 2 * reach + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    along, across = y * np.cos(angle) + x * np.sin(angle), x * np.cos(angle) - y * np.sin(angle)
    ends = np.clip((length / 2 - np.abs(along)) / (0.15 * length) + 0.5, 0, 1)
    kernel = ends * np.exp(-0.5 * (across / width) ** 2)
    return kernel.reshape(side, side) / kernel.max()


def layer(rng, height: int, width: int, density: float, length: float, angle: float, thickness: float) -> np.ndarray:
    """One depth of rain in one frame, [H, W] in [0, 1]."""
    seeds = np.zeros((height, width), np.float32)
    count = rng.poisson(density * height * width)
    seeds[rng.integers(0, height, count), rng.integers(0, width, count)] = rng.uniform(0.3, 1, count)
    border = cv2.BORDER_REFLECT
    near = cv2.filter2D(seeds, -1, streak(length, angle, thickness).astype(np.float32), borderType=border)
    return np.minimum(near, 1)


def drops_on_lens(rng: np.random.Generator, clip: np.ndarray) -> np.ndarray:
    """Round patches, the same in all frames, in which the picture is seen blurred, shifted and a little lighter."""
    frames, height, width, _ = clip.shape
    mask = np.zeros((height, width), np.float32)
    for _ in range(rng.integers(1, 6)):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        radius = int(rng.uniform(0.02, 0.07) * min(height, width)) + 1
        cv2.ellipse(mask, centre, (radius, int(radius * rng.uniform(0.8, 1.4))), rng.uniform(0, 180), 0, 360, 1.0, -1)
    mask = blur(mask, 1.2)[..., None]
    seen = np.stack([blur(np.roll(f, rng.integers(-6, 7), 0), 3.0) for f in clip])
    return clip * (1 - mask) + np.clip(seen * np.float32(1.08), 0, 1) * mask


def rain(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rain falls far in a frame's time: the drops of one frame are not those of the next, only their manner is.

    angle      -0.6...0.6 radians from the vertical, each drop's layer within 0.08 of it
    layers     1 to 4 depths, the farther the finer: lengths 40 to 5 pixels, widths 1.3 to 0.4, densities 0.0004 to 0.008
    opacity    0.15...0.85 for the nearest, less for those behind; brightness 0.7...1
    veil       what is too far to be seen as drops lifts the picture by 0...0.25 towards grey
    drops      on the lens in 8% of the draws
    """
    frames, height, width, _ = clip.shape
    angle, depths = rng.uniform(-0.6, 0.6), int(rng.integers(1, 5))
    nearest, light = rng.uniform(0.15, 0.85), rng.uniform(0.7, 1.0)
    heavy = rng.uniform(0.3, 1.6)
    manners = []
    for depth in range(depths):
        near = 1 - depth / 4  # 1 for the nearest
        manners.append(dict(
            density=heavy * rng.uniform(0.0004, 0.0015) / near**2.2, length=rng.uniform(14, 40) * near,
            angle=angle + rng.uniform(-0.08, 0.08), thickness=rng.uniform(0.7, 1.3) * (0.35 + 0.65 * near),
            opacity=nearest * (0.45 + 0.55 * near) * rng.uniform(0.7, 1),
        ))
    veil, grey = rng.uniform(0, 0.25) * (rng.random() < 0.7), rng.uniform(0.6, 0.85)
    out = clip * np.float32(1 - veil) + np.float32(veil * grey)
    tint = (light * rng.uniform(0.96, 1.0, 3)).astype(np.float32)
    for i in range(frames):
        for m in reversed(manners):
            cover = layer(rng, height, width, m["density"], m["length"], m["angle"], m["thickness"])
            cover = (cover * np.float32(m["opacity"]))[..., None]
            out[i] = out[i] * (1 - cover) + tint * cover
    if rng.random() < 0.08:
        out = drops_on_lens(rng, out)
    return quantize(out)
