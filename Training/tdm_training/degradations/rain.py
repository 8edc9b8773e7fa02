"""Rain: streaks at several depths, the veil of the farther ones, now and then drops on the lens."""

from collections.abc import Iterator
from dataclasses import dataclass

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


def stamped(shape: tuple[int, int], drops: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The same streak at every drop (row, column, strength), [H, W] in [0, 1]; where streaks cross they add up."""
    seeds = np.zeros(shape, np.float32)
    seeds[drops[:, 0].astype(int), drops[:, 1].astype(int)] = drops[:, 2]
    return np.minimum(cv2.filter2D(seeds, -1, kernel.astype(np.float32), borderType=cv2.BORDER_REFLECT), 1)


def drawn(shape: tuple[int, int], drops: np.ndarray, lengths: np.ndarray, angles: np.ndarray, thickness: int, kind: int) -> np.ndarray:
    """Every drop a line of its own length and angle, `thickness` pixels wide; hard ends, and hard edges with cv2.LINE_8. Where they cross the
    stronger is seen."""
    mask = np.zeros(shape, np.uint8)
    order = np.argsort(drops[:, 2])
    for (y, x, strength), length, angle in zip(drops[order], lengths[order], angles[order]):
        dy, dx = length / 2 * np.cos(angle), length / 2 * np.sin(angle)
        ends = (round(x - dx), round(y - dy)), (round(x + dx), round(y + dy))
        cv2.line(mask, *ends, int(round(255 * strength)), thickness, kind)
    return mask.astype(np.float32) / 255


def fallen(rng: np.random.Generator, shape: tuple[int, int], density: float) -> np.ndarray:
    """Drops (row, column, strength 0.3...1), `density` of them a pixel."""
    count = rng.poisson(density * shape[0] * shape[1])
    strengths = rng.uniform(0.3, 1, count)
    return np.stack([rng.integers(0, shape[0], count), rng.integers(0, shape[1], count), strengths], 1)


@dataclass(frozen=True)
class Manner:
    """One depth's rain.

    edge   "soft", or "smooth" and "hard" lines of whole pixels: what a lens out of focus, a sharp one and one that was sharpened show, and
           what rain that was drawn into a picture looks like
    alike  all of its streaks of one length and angle
    fall   in streaks' lengths a frame; None: a frame's drops are not those of the next
    """

    density: float  # drops a pixel
    length: float  # pixels
    angle: float  # radians from the vertical
    thickness: float  # pixels
    opacity: float
    edge: str
    alike: bool
    softened: float  # a blur's deviation, pixels; 0: none
    fall: float | None

    def covers(self, rng: np.random.Generator, shape: tuple[int, int], frames: int) -> Iterator[np.ndarray]:
        """How much of each pixel is hidden in each frame, [H, W] in [0, 1]."""
        if self.edge == "soft":
            kernel = streak(self.length, self.angle, self.thickness)
        else:
            reach, whole = int(np.ceil(self.length / 2)) + 2, max(1, round(self.thickness))
            kind = cv2.LINE_AA if self.edge == "smooth" else cv2.LINE_8
            lines = lambda shape, drops, differences: drawn(
                shape, drops, self.length * (1 + 0.6 * differences[:, 0]), self.angle + 0.06 * differences[:, 1], whole, kind
            )
            kernel = lines((2 * reach + 1,) * 2, np.array([[reach, reach, 1.0]]), np.zeros((1, 2)))
        way = (self.fall or 0) * self.length * np.array([np.cos(self.angle), np.sin(self.angle)])
        for frame in range(frames):
            if frame == 0 or self.fall is None:
                drops = fallen(rng, shape, self.density)
                differences = rng.uniform(-1, 1, (len(drops), 2))
            else:
                drops[:, :2] = (drops[:, :2] + way) % shape
            cover = stamped(shape, drops, kernel) if self.edge == "soft" or self.alike else lines(shape, drops, differences)
            yield np.float32(self.opacity) * (blur(cover, self.softened) if self.softened else cover)


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


def manners(rng: np.random.Generator) -> list[Manner]:
    """The rain of one clip, nearest first; its depths have their edges, and how they fall, in common."""
    angle, depths = rng.uniform(-0.6, 0.6), int(rng.integers(1, 5))
    nearest, heavy = rng.uniform(0.15, 0.9), rng.uniform(0.3, 1.6)
    edge = rng.choice(["soft", "smooth", "hard"], p=[0.4, 0.3, 0.3])
    alike, softened = rng.random() < 0.5, rng.uniform(0.3, 0.9) * (edge != "soft" and rng.random() < 0.4)
    fall = rng.uniform(0.2, 2) if rng.random() < 0.2 else None
    out = []
    for depth in range(depths):
        near = 1 - depth / 4  # 1 for the nearest
        out.append(Manner(
            density=heavy * rng.uniform(0.0004, 0.0015) / near**2.2, length=rng.uniform(8, 40) * near,
            angle=angle + rng.uniform(-0.08, 0.08),
            thickness=rng.uniform(0.7, 1.3) * (0.35 + 0.65 * near) * (1 if edge == "soft" else rng.choice([1, 1, 2])),
            opacity=nearest * (0.45 + 0.55 * near) * rng.uniform(0.7, 1), edge=edge, alike=alike, softened=softened, fall=fall,
        ))
    return out


def rain(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rain mostly falls far in a frame's time: the drops of one frame are not those of the next, only their manner is.

    angle      -0.6...0.6 radians from the vertical, each depth's within 0.08 of it, and a drawn streak's within 0.06 of that
    layers     1 to 4 depths, the farther the finer: lengths 64 to 1 pixels, widths 2.6 to 0.4, densities 0.0001 to 0.05
    edges      soft, lines of whole pixels that are smoothed, or ones that are not; some of the latter two blurred a little
    opacity    0.1...0.9 for the nearest, less for those behind; brightness 0.7...1
    light      of a streak takes the place of what is behind it, or, in 30%, is added to it
    veil       what is too far to be seen as drops lifts the picture towards grey, by 0.02...0.08 for each depth behind the nearest: rain that is
               not seen at several depths has none. In 90% of the draws of rain that is not added, as editors add it
    drops      on the lens in 8% of the draws
    """
    frames, height, width, _ = clip.shape
    depths = manners(rng)
    light, added = rng.uniform(0.7, 1.0), rng.random() < 0.3
    veil, grey = rng.uniform(0.02, 0.08) * (len(depths) - 1) * (not added and rng.random() < 0.9), rng.uniform(0.6, 0.85)
    out = clip * np.float32(1 - veil) + np.float32(veil * grey)
    tint = (light * rng.uniform(0.96, 1.0, 3)).astype(np.float32)
    for manner in reversed(depths):
        for frame, cover in zip(out, manner.covers(rng, (height, width), frames)):
            behind = frame if added else frame * (1 - cover[..., None])
            frame[:] = behind + tint * cover[..., None]
    if rng.random() < 0.08:
        out = drops_on_lens(rng, out)
    return quantize(out)
