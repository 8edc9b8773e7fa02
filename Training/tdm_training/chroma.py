"""Video's light and colours: BT.601, with the colours at half the size (4:2:0), as nearly all video comes."""

from functools import cache

import cv2
import numpy as np

# Limited range, 8 bits: black's code or no colour's, and how many codes there are from 0 to 1.
LIGHT, COLOUR = (16, 219), (128, 224)


def to_rgb(light: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Light [..., 1] in [0, 1] and colour differences [..., 2] (blue, red) in [-0.5, 0.5], to [..., 3]. Noise is converted as well."""
    blue, red = colours[..., :1], colours[..., 1:]
    return np.concatenate([light + 1.402 * red, light - 0.344136 * blue - 0.714136 * red, light + 1.772 * blue], -1)


def from_rgb(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The light and the colour differences of [..., 3]."""
    light = rgb @ np.float32([[0.299], [0.587], [0.114]])
    return light, np.concatenate([(rgb[..., 2:] - light) / 1.772, (rgb[..., :1] - light) / 1.402], -1)


@cache
def doubling(length: int) -> np.ndarray:
    """[length, ceil(length / 2)]: one side's cubic interpolation, a = -0.5, as the program's, each sample in the middle of its two pixels."""
    half = (length + 1) // 2
    near = np.float32([-0.0234375, 0.2265625, 0.8671875, -0.0703125])  # samples about a pixel a quarter before one of them, the third
    out = np.zeros((length, half), np.float32)
    for i in range(length):
        taps = near if i % 2 == 0 else near[::-1]
        for place, weight in zip(range(i // 2 - 2 + i % 2, i // 2 + 2 + i % 2), taps):
            out[i, min(max(place, 0), half - 1)] += weight
    return out


@cache
def halving(length: int) -> np.ndarray:
    """[ceil(length / 2), length]: undoes `doubling`; of anything else it is the best half size, by least squares."""
    return np.linalg.pinv(doubling(length).astype(np.float64)).astype(np.float32)


def both_ways(rows: np.ndarray, clip: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return np.einsum("yh,thwc,xw->tyxc", rows, clip, columns, optimize=True)


def enlarged(colours: np.ndarray, height: int, width: int) -> np.ndarray:
    """[T, H, W, 2] to the picture's size."""
    return both_ways(doubling(height), colours, doubling(width))


def codes(part: np.ndarray, scale: tuple[int, int]) -> np.ndarray:
    """Numbers as bytes."""
    zero, steps = scale
    return np.clip(np.round(part * steps) + zero, 0, 255).astype(np.uint8)


def values(part: np.ndarray, scale: tuple[int, int]) -> np.ndarray:
    """Bytes as numbers."""
    zero, steps = scale
    return (part.astype(np.float32) - zero) / np.float32(steps)


def to_planes(clip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A clip [T, H, W, 3] in [0, 1] as 4:2:0's bytes: light [T, H, W, 1] and colours [T, ceil(H / 2), ceil(W / 2), 2]. What came from such bytes goes
    back to them, where no pixel was cut off at 0 or 1."""
    light, colours = from_rgb(clip)
    height, width = clip.shape[1:3]
    colours = both_ways(halving(height), colours, halving(width))
    return codes(light, LIGHT), codes(colours, COLOUR)


def from_planes(light: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """The clip in [0, 1] that bytes of 4:2:0 show."""
    return np.clip(to_rgb(values(light, LIGHT), enlarged(values(colours, COLOUR), *light.shape[1:3])), 0, 1)


def subsampled(clip: np.ndarray) -> np.ndarray:
    """What is left of a clip [T, H, W, 3] in [0, 1] in 4:2:0 of 8 bits: colours at half the size, the mean of four pixels, all of it rounded."""
    height, width = clip.shape[1:3]
    light, colours = from_rgb(clip)
    half = ((width + 1) // 2, (height + 1) // 2)
    colours = np.stack([cv2.resize(f, half, interpolation=cv2.INTER_AREA) for f in colours])
    return from_planes(codes(light, LIGHT), codes(colours, COLOUR))
