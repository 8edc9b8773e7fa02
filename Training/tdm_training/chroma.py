"""Video's light and colours: BT.601, with the colours at half the size (4:2:0), as nearly all video comes."""

import cv2
import numpy as np


def to_rgb(light: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Light [..., 1] in [0, 1] and colour differences [..., 2] (blue, red) in [-0.5, 0.5], to [..., 3]. Noise is converted as well."""
    blue, red = colours[..., :1], colours[..., 1:]
    return np.concatenate([light + 1.402 * red, light - 0.344136 * blue - 0.714136 * red, light + 1.772 * blue], -1)


def from_rgb(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The light and the colour differences of [..., 3]."""
    light = rgb @ np.float32([[0.299], [0.587], [0.114]])
    return light, np.concatenate([(rgb[..., 2:] - light) / 1.772, (rgb[..., :1] - light) / 1.402], -1)


def enlarged(colours: np.ndarray, height: int, width: int) -> np.ndarray:
    """[T, H, W, 2] to the picture's size."""
    return np.stack([cv2.resize(f, (width, height), interpolation=cv2.INTER_CUBIC) for f in colours])


def subsampled(clip: np.ndarray) -> np.ndarray:
    """What is left of a clip [T, H, W, 3] in [0, 1] in 4:2:0 of 8 bits, limited range: colours at half the size, all of it rounded."""
    height, width = clip.shape[1:3]
    light, colours = from_rgb(clip)
    half = ((width + 1) // 2, (height + 1) // 2)
    colours = np.stack([cv2.resize(f, half, interpolation=cv2.INTER_AREA) for f in colours])
    light, colours = (np.round(part * steps) / np.float32(steps) for part, steps in ((light, 219), (colours, 224)))
    return np.clip(to_rgb(light, enlarged(colours, height, width)), 0, 1)
