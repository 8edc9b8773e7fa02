"""Clean pictures for training: a folder of photographs decoded once, and crops of them drawn at random."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


def read_folder(folder: str | Path) -> list[np.ndarray]:
    """Every picture under `folder`, sorted by name, as [H, W, 3] uint8 RGB."""
    paths = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise FileNotFoundError(f"{folder}: no pictures found; expected {', '.join(sorted(SUFFIXES))}")
    pictures = []
    for path in paths:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise ValueError(f"{path}: not a readable picture; remove it from the folder")
        pictures.append(np.ascontiguousarray(picture[..., ::-1]))
    return pictures


def hold_out(pictures: list[np.ndarray], count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(for training, for choosing): `count` pictures spread evenly over the list are kept aside."""
    chosen = set(np.linspace(0, len(pictures) - 1, count).round().astype(int)) if count else set()
    return (
        [p for i, p in enumerate(pictures) if i not in chosen],
        [p for i, p in enumerate(pictures) if i in chosen],
    )


@dataclass(frozen=True)
class CropStyle:
    """How a crop is taken from a picture.

    Photographs that come as JPEG carry its block artifacts; a crop that is scaled down before use is cleaner than its
    source, and the same picture gives different textures at different scales.
    """

    native_share: float = 0.25  # taken as they are
    smallest_scale: float = 0.5  # the others are scaled by a factor between this and 1 ...
    enlarged_share: float = 0.1  # ... or, this share of all, enlarged by up to 1.6: soft pictures exist too
    colour_share: float = 0.3  # with brightness, contrast and the channels' gains changed


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
        height, width = picture.shape[:2]
        taken = max(1, round(side / max(scale, side / min(height, width))))
        taken = min(taken, height, width)
        y, x = rng.integers(height - taken + 1), rng.integers(width - taken + 1)
        crop = picture[y : y + taken, x : x + taken]
        if taken != side:
            filter = cv2.INTER_AREA if taken > side else cv2.INTER_CUBIC
            crop = cv2.resize(crop, (side, side), interpolation=filter)
        return crop

    def crop(self, rng: np.random.Generator, side: int) -> np.ndarray:
        """One crop, [side, side, 3] float32 in [0, 1], turned and recoloured at random."""
        crop = self.region(rng, side)
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        if rng.random() < 0.2:
            crop = crop[::-1]
        if rng.random() < 0.2:
            crop = crop.transpose(1, 0, 2)
        crop = crop.astype(np.float32) / 255
        if rng.random() < self.style.colour_share:
            gain = rng.uniform(0.6, 1.15) * rng.uniform(0.85, 1.15, 3).astype(np.float32)
            lift = rng.uniform(-0.05, 0.1)
            crop = np.clip(crop * gain.astype(np.float32) + np.float32(lift), 0, 1)
        return crop

    def batch(self, rng: np.random.Generator, count: int, side: int) -> np.ndarray:
        """[count, 3, side, side] float32 in [0, 1]."""
        crops = np.stack([self.crop(rng, side) for _ in range(count)])
        return np.ascontiguousarray(crops.transpose(0, 3, 1, 2))
