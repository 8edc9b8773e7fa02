"""Clips as arrays, [F, H, W, 3] uint8 RGB: decoded by ffmpeg, or a photograph that a camera moves over."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

SIDE_MULTIPLE = 8  # what 4:2:0 encoders and scaling by 4 both take


@dataclass(frozen=True)
class Clip:
    name: str
    frames: np.ndarray  # [F, H, W, 3] uint8 RGB


def ffmpeg(arguments: list[str], data: bytes | None = None) -> bytes:
    """What ffmpeg writes to stdout."""
    command = ["ffmpeg", "-nostdin" if data is None else "-hide_banner", "-v", "error", *arguments]
    done = subprocess.run(command, input=data, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def size_of(path: Path) -> tuple[int, int]:
    """(width, height) of a clip's pictures."""
    probe = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height"]
    done = subprocess.run([*probe, "-of", "csv=p=0", str(path)], capture_output=True, text=True)
    if done.returncode or not done.stdout.strip():
        raise RuntimeError(f"{path}: expected a clip that ffmpeg reads: {done.stderr.strip() or 'no video in it'}")
    width, height = done.stdout.strip().split(",")[:2]
    return int(width), int(height)


def read(path: Path, frames: int, widest: int) -> Clip:
    """The first frames, scaled down to at most `widest` columns and cut to sides that are multiples of 8."""
    width, height = size_of(path)
    if width > widest:
        width, height = widest, round(height * widest / width / 2) * 2
    scale = f"scale={width}:{height}:flags=area"
    raw = ffmpeg(["-i", str(path), "-frames:v", str(frames), "-vf", scale, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"])
    return Clip(path.stem, trimmed(np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)))


def trimmed(clip: np.ndarray) -> np.ndarray:
    """The middle whose sides are multiples of 8."""
    height, width = (n // SIDE_MULTIPLE * SIDE_MULTIPLE for n in clip.shape[1:3])
    y, x = (clip.shape[1] - height) // 2, (clip.shape[2] - width) // 2
    return np.ascontiguousarray(clip[:, y : y + height, x : x + width])


def panned(name: str, picture: np.ndarray, frames: int, step: tuple[float, float] = (2.3, 0.7)) -> Clip:
    """A camera moves over a photograph by `step` = (x, y) pixels a frame, Lanczos between the pixels.

    Here the true motion is the same everywhere and nothing is hidden: what flickers is the filter's own doing.
    """
    lost = [int(np.ceil(abs(s) * (frames - 1))) for s in step]
    width, height = picture.shape[1] - lost[0] - 8, picture.shape[0] - lost[1] - 8
    if min(width, height) < 64:
        raise ValueError(f"{name}: {picture.shape[1]}x{picture.shape[0]} is too small for {frames} frames of {step} pixels")
    out = []
    for i in range(frames):
        at = [4 + (i if s > 0 else i - frames + 1) * s for s in step]
        way = np.float32([[1, 0, at[0]], [0, 1, at[1]]])
        flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LANCZOS4
        out.append(cv2.warpAffine(picture, way, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT))
    return Clip(name, trimmed(np.stack(out)))
