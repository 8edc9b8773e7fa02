"""What the degradations share."""

import cv2
import numpy as np


def quantize(clip: np.ndarray) -> np.ndarray:
    """Clipped to [0, 1] and rounded to 8 bits."""
    return np.round(np.clip(clip, 0, 1) * 255).astype(np.float32) / np.float32(255)


def as_bytes(clip: np.ndarray) -> np.ndarray:
    return (np.clip(clip, 0, 1) * 255 + 0.5).astype(np.uint8)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def smooth_field(rng: np.random.Generator, height: int, width: int, cells: int) -> np.ndarray:
    """Random hills of about `cells` a side, in [0, 1], [H, W] float32."""
    coarse = rng.random((cells + 1, cells + 1), dtype=np.float32)
    return np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)


def blur(frame: np.ndarray, sigma: float, down: float | None = None) -> np.ndarray:
    """By `sigma` pixels; downwards by `down`, where it is given."""
    return cv2.GaussianBlur(frame, (0, 0), sigmaX=sigma, sigmaY=sigma if down is None else down, borderType=cv2.BORDER_REFLECT)
