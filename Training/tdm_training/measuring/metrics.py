"""Figures about a clip beside the clean one. Clips are [F, H, W, 3] uint8 RGB."""

import cv2
import numpy as np
from skimage.metrics import structural_similarity


def psnr(out: np.ndarray, clean: np.ndarray) -> float:
    """Of the mean square over the whole clip, dB."""
    square = np.square(out.astype(np.float32) - clean).mean(dtype=np.float64)
    return float(10 * np.log10(255**2 / square)) if square else float("inf")


def ssim(out: np.ndarray, clean: np.ndarray) -> float:
    """Mean over frames and channels, as Wang et al. 2004 define it: Gaussian window, deviation 1.5."""
    settings = dict(channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)
    return float(np.mean([structural_similarity(x, y, **settings) for x, y in zip(out, clean)]))


def flow(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Where each pixel of `start` went in `end`, [H, W, 2] in pixels: OpenCV's DIS, preset medium, on grey."""
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return dis.calc(cv2.cvtColor(start, cv2.COLOR_RGB2GRAY), cv2.cvtColor(end, cv2.COLOR_RGB2GRAY), None)


def places(along: np.ndarray) -> np.ndarray:
    """[H, W, 2]: where a flow leads to."""
    height, width = along.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([x, y], -1) + along


def fetched(picture: np.ndarray, to: np.ndarray) -> np.ndarray:
    """The picture at the places `to`, between pixels linearly."""
    return cv2.remap(picture, to, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def seen_in_both(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """[H, W] bool: pixels that the flow there leads into the picture and the flow back returns.

    The forward-backward check of Sundaram, Brox and Keutzer 2010: |f + b|^2 < 0.01 (|f|^2 + |b|^2) + 0.5.
    """
    height, width = there.shape[:2]
    to = places(there)
    inside = (to[..., 0] >= 0) & (to[..., 0] <= width - 1) & (to[..., 1] >= 0) & (to[..., 1] <= height - 1)
    returned = fetched(back, to)
    gap = np.square(there + returned).sum(-1)
    return inside & (gap < 0.01 * (np.square(there).sum(-1) + np.square(returned).sum(-1)) + 0.5)


class Motion:
    """The clean clip's motion, found once: for each frame but the first, where its pixels were one frame before."""

    def __init__(self, clean: np.ndarray):
        self.pairs = []
        for before, now in zip(clean, clean[1:]):
            back = flow(now, before)
            self.pairs.append((places(back), seen_in_both(back, flow(before, now))))

    def warping_error(self, out: np.ndarray) -> float:
        """Mean square between each frame and the one before it moved along, over what is not occluded; values in
        [0, 1], times 1000. Nothing (not a number) for a single frame."""
        errors = []
        for i, (to, seen) in enumerate(self.pairs):
            if seen.any():
                moved = fetched(out[i].astype(np.float32) / 255, to)
                errors.append(np.square(out[i + 1].astype(np.float32) / 255 - moved)[seen].mean(dtype=np.float64))
        return float(np.mean(errors)) * 1000 if errors else float("nan")
