"""Clips as arrays: decoded by ffmpeg, made noisy by a seed, filtered by ffmpeg."""

import subprocess
from pathlib import Path

import numpy as np
import torch

from .degradations import quantize


def ffmpeg(arguments: list[str], data: bytes | None = None) -> bytes:
    command = ["ffmpeg", "-nostdin" if data is None else "-hide_banner", "-v", "error", *arguments]
    done = subprocess.run(command, input=data, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def size_of(path: Path) -> tuple[int, int]:
    """(width, height) of a clip's pictures."""
    probe = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height"]
    done = subprocess.run([*probe, "-of", "csv=p=0", str(path)], capture_output=True, text=True, check=True)
    width, height = done.stdout.strip().split(",")[:2]
    return int(width), int(height)


def read(path: Path, frames: int, widest: int) -> np.ndarray:
    """The first frames as [F, H, W, 3] uint8 RGB, scaled down to at most `widest` columns."""
    width, height = size_of(path)
    if width > widest:
        width, height = widest, round(height * widest / width / 2) * 2
    scale = f"scale={width}:{height}:flags=area"
    raw = ffmpeg(["-i", str(path), "-frames:v", str(frames), "-vf", scale, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"])
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def tensor(clip: np.ndarray) -> torch.Tensor:
    """[F, 3, H, W] float32 in [0, 1]."""
    return torch.from_numpy(clip).permute(0, 3, 1, 2).float() / 255


def array(pictures: torch.Tensor) -> np.ndarray:
    """[F, H, W, 3] uint8."""
    return (pictures.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()


def add_noise(clip: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    """Poisson-Gaussian noise of a deviation of `sigma` levels over the whole clip, half of its variance from light."""
    x = tensor(clip)
    variance = (sigma / 255) ** 2 * (0.5 + 0.5 * x / x.mean())
    grain = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
    return array(quantize(x + variance.sqrt() * grain))


def filtered(clip: np.ndarray, filter: str) -> np.ndarray:
    """What an ffmpeg filter makes of a clip. It works in the filter's own pixel format, as on a user's command line."""
    height, width = clip.shape[1:3]
    form = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "25"]
    raw = ffmpeg([*form, "-i", "-", "-vf", filter, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"], clip.tobytes())
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)
