"""Clean pictures for training: a folder of photographs decoded once, and crops of them drawn at random."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .chroma import subsampled

# A picture may be this many times as large as it is, mirrored at its borders, before it is enlarged for a crop: so that it can be scaled
# down enough to be as sharp as video that was filmed larger.
MIRRORED = 1.5
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


def picture_paths(folder: str | Path) -> list[Path]:
    """Every picture under a folder, sorted by name."""
    paths = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise FileNotFoundError(f"{folder}: no pictures found; expected {', '.join(sorted(SUFFIXES))}")
    return paths


def read_picture(path: Path) -> np.ndarray:
    """[H, W, 3] uint8 RGB."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"{path}: not a readable picture; remove it from the folder")
    return np.ascontiguousarray(picture[..., ::-1])


def read_folder(folder: str | Path) -> list[np.ndarray]:
    """Every picture under a folder, sorted by name, each [H, W, 3] uint8 RGB."""
    return [read_picture(path) for path in picture_paths(folder)]


def kept_aside(items: list, count: int) -> tuple[list, list]:
    """(for training, for choosing): `count` of them, spread evenly over the list, are kept aside."""
    chosen = set(np.linspace(0, len(items) - 1, count).round().astype(int).tolist()) if count else set()
    return [x for i, x in enumerate(items) if i not in chosen], [x for i, x in enumerate(items) if i in chosen]


@dataclass(frozen=True)
class CropStyle:
    """How a crop is taken from a picture.

    Photographs that come as JPEG carry its block artifacts; a crop that is scaled down before use is cleaner than its
    source, and the same picture gives different textures at different scales.
    """

    native_share: float = 0.25  # taken as they are, as far as they are large enough
    smallest_scale: float = 0.35  # the others are scaled by a factor between this and 1 ...
    enlarged_share: float = 0.1  # ... or, this share of all, enlarged by up to 1.6: soft pictures exist too
    colour_share: float = 0.3  # with brightness, contrast and the channels' gains changed
    overcast_share: float = 0.3  # as under a grey sky: little contrast and pale, which is neither haze nor rain's veil
    toned_share: float = 0.0  # of the clips: mid-tones lighter or darker, so that scenes are pale or deep without haze
    subsampled_share: float = 0.0  # of the clips: colours at half the size, as video has them


class CropSource:
    """Draws square crops from photographs and, for a share of them, from a pool of procedural pictures."""

    def __init__(
        self,
        photographs: list[np.ndarray],
        procedural: list[np.ndarray],
        procedural_share: float,
        style: CropStyle = CropStyle(),
    ):
        self.photographs, self.procedural = photographs, procedural
        self.procedural_share = procedural_share if procedural else 0.0
        self.style = style

    def region(self, rng: np.random.Generator, side: int) -> np.ndarray:
        """One crop, [side, side, 3] uint8, before turning and colour changes."""
        if rng.random() < self.procedural_share:
            picture, scale = self.procedural[rng.integers(len(self.procedural))], 1.0
        else:
            picture = self.photographs[rng.integers(len(self.photographs))]
            kind = rng.random()
            if kind < self.style.native_share:
                scale = 1.0
            elif kind < self.style.native_share + self.style.enlarged_share:
                scale = rng.uniform(1.0, 1.6)
            else:
                scale = rng.uniform(self.style.smallest_scale, 1.0)
        shortest = min(picture.shape[:2])
        taken = max(1, round(side / max(scale, side / (MIRRORED * shortest))))
        if taken > shortest:
            beyond = [(max(0, taken - length) + 1) // 2 for length in picture.shape[:2]]
            picture = cv2.copyMakeBorder(picture, *(b for b in beyond for _ in range(2)), cv2.BORDER_REFLECT)
        height, width = picture.shape[:2]
        y, x = rng.integers(height - taken + 1), rng.integers(width - taken + 1)
        crop = picture[y : y + taken, x : x + taken]
        if taken != side:
            filter = cv2.INTER_AREA if taken > side else cv2.INTER_CUBIC
            crop = cv2.resize(crop, (side, side), interpolation=filter)
        return crop

    def clip(self, rng: np.random.Generator, side: int, frames: int = 1, pale: bool = True) -> np.ndarray:
        """A short moving clip, [frames, side, side, 3] float32 in [0, 1], turned and recoloured at random. `pale`: whether that may make black grey."""
        clip = moved(rng, lambda s: self.region(rng, s), side, frames) if frames > 1 else self.region(rng, side)[None]
        if rng.random() < 0.5:
            clip = clip[:, :, ::-1]
        if rng.random() < 0.2:
            clip = clip[:, ::-1]
        if rng.random() < 0.2:
            clip = clip.transpose(0, 2, 1, 3)
        clip = clip.astype(np.float32) / 255
        if self.style.toned_share and rng.random() < self.style.toned_share:
            clip = clip ** np.float32(rng.uniform(0.5, 1.6))
        kind = rng.random()
        if kind < self.style.colour_share:
            gain = rng.uniform(0.6, 1.15) * rng.uniform(0.85, 1.15, 3)
            lift = rng.uniform(-0.05, 0.1 if pale else 0.02)
            clip = np.clip(clip * gain.astype(np.float32) + np.float32(lift), 0, 1)
        elif pale and kind < self.style.colour_share + self.style.overcast_share:
            clip = overcast(rng, clip)
        if self.style.subsampled_share and rng.random() < self.style.subsampled_share:
            clip = subsampled(clip)
        return clip


def overcast(rng: np.random.Generator, clip: np.ndarray) -> np.ndarray:
    """A scene of little contrast: black at 0...0.28, white 0.35...0.8 above it, a fifth to all of the colour."""
    black, contrast = rng.uniform(0, 0.28), rng.uniform(0.35, 0.8)
    contrast = min(contrast, 1 - black)
    grey = clip.mean(-1, keepdims=True)
    return np.float32(black) + np.float32(contrast) * (grey + np.float32(rng.uniform(0.2, 1)) * (clip - grey))


def course(rng: np.random.Generator, frames: int, fastest: float) -> np.ndarray:
    """Where something is in each frame, [frames, 2] pixels from where it is in the middle one.

    Most of what is filmed stands still or moves slowly, and there a window gives most: no pan in 40% of the draws, one of up to 1.5 pixels a frame
    along each axis in 30%, of up to `fastest` in the others. On top of it a hand's shake, of a deviation of up to a pixel a frame, in 20%; jerks of up
    to 14 between about every other two frames in 20%: what is nowhere near must not be taken for the same.
    """
    way = np.zeros((frames, 2))
    kind = rng.random()
    if kind >= 0.4:
        way += rng.uniform(-1, 1, 2) * (1.5 if kind < 0.7 else fastest * rng.random()) * np.arange(frames)[:, None]
    kind = rng.random()
    if kind < 0.2:
        way += rng.normal(0, rng.uniform(0.1, 1), (frames, 2))
    elif kind < 0.4:
        jerks = rng.normal(0, rng.uniform(1, 14), (frames, 2)) * (rng.random((frames, 1)) < 0.5)
        way += np.cumsum(jerks, 0)
    return way - way[frames // 2]


def swaying(rng: np.random.Generator, side: int, frames: int) -> np.ndarray | None:
    """How far each pixel is from where a rigid motion would have it, [frames, 2, side, side] float32, as of leaves, water and faces; in 70% of the
    draws None. Neighbouring pixels go nearly the same way, of a deviation of up to 0.8 pixels a frame, on and on or to and fro."""
    if rng.random() >= 0.3:
        return None
    size = int(rng.integers(3, 13))
    pace = np.arange(frames) - frames // 2 if rng.random() < 0.5 else rng.normal(0, 1, frames)
    grid = (rng.normal(0, 1, (2, size, size)) * rng.uniform(0.05, 0.8)).astype(np.float32)
    field = np.stack([cv2.resize(axis, (side, side), interpolation=cv2.INTER_CUBIC) for axis in grid])
    return field * pace.astype(np.float32)[:, None, None, None]


def moved(rng: np.random.Generator, region, side: int, frames: int, fastest: float = 7.0) -> np.ndarray:
    """Crops of a picture along a camera's way, [frames, side, side, 3] uint8; often something passes before it.

    Each goes along its `course`; a quarter turn by up to 0.3 degrees a frame, a quarter are zoomed by up to 0.5%. In half of the draws an ellipse of
    another picture is in front, with a motion of its own; in 8% a cut leads to another picture. What is behind may be `swaying`.
    """
    def motion():
        turn = np.radians(rng.uniform(-0.3, 0.3)) * (rng.random() < 0.25)
        return course(rng, frames, fastest), turn, 1 + rng.uniform(-0.005, 0.005) * (rng.random() < 0.25)

    rows, columns = np.mgrid[:side, :side].astype(np.float32)

    def along(picture, motion, frame, margin, sway=None):
        way, turn, zoom = motion
        t = frame - frames // 2
        angle, scale, middle = turn * t, zoom**t, side / 2
        c, s = np.cos(angle) / scale, np.sin(angle) / scale
        dx, dy = middle + margin + way[frame]
        way = np.float32([[c, -s, dx - c * middle + s * middle], [s, c, dy - s * middle - c * middle]])
        if sway is not None:
            x, y = (a * columns + b * rows + first + off for (a, b, first), off in zip(way, sway[frame]))
            return cv2.remap(picture, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT)
        flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LANCZOS4
        return cv2.warpAffine(picture, way, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT)

    margin = int(np.ceil(fastest * frames / 2)) + 4
    ground, camera, sway = region(side + 2 * margin), motion(), swaying(rng, side, frames)
    clip = [along(ground, camera, i, margin, sway) for i in range(frames)]
    if rng.random() < 0.5:
        object_, own = region(side + 2 * margin), motion()
        mask = np.zeros(object_.shape[:2], np.uint8)
        centre = (rng.integers(margin, side + margin, 2)).tolist()
        axes = (rng.uniform(0.1, 0.35, 2) * side).astype(int).tolist()
        cv2.ellipse(mask, centre, axes, rng.uniform(0, 180), 0, 360, 255, -1, cv2.LINE_AA)
        for i in range(frames):
            cover = along(mask, own, i, margin)[..., None].astype(np.float32) / 255
            clip[i] = (clip[i] * (1 - cover) + along(object_, own, i, margin) * cover + 0.5).astype(np.uint8)
    if rng.random() < 0.08:
        other, own = region(side + 2 * margin), motion()
        for i in range(int(rng.integers(1, frames)), frames):
            clip[i] = along(other, own, i, margin)
    return np.stack(clip)
