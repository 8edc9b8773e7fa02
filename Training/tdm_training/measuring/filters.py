"""What makes a restored clip of a degraded one: ffmpeg's filters at several strengths, and tdm-filter."""

import subprocess

import numpy as np

from ..degradations.resolution import FACTOR
from .clips import ffmpeg

# By task. Strengths reach from too weak to too strong on the inputs measured, so that the best lies between. The denoisers
# work in the format that serves them best: brightness apart from colours, and these at half the size. In RGB, which ffmpeg
# would choose for RGB frames, all of them are 1 to 4 dB worse.
YUV444, YUV420 = "format=yuv444p,", "format=yuv420p,"
FFMPEG = {
    "denoise": [
        *(f"{f}nlmeans=s={s}:p=5:r=9" for f in (YUV444, YUV420) for s in (6, 9, 12)),
        *(f"{YUV420}bm3d=sigma={s}" for s in (25, 40, 60, 90)),
        *(f"{YUV420}atadenoise=0a={a}:1a={a}:2a={a}:0b={b}:1b={b}:2b={b}:s=9" for a, b in ((0.1, 0.4), (0.2, 1), (0.3, 2))),
        *(f"{YUV420}hqdn3d={s}" for s in (12, 24, 36)),
        *(f"{YUV420}fftdnoiz=sigma={s}:block=16:prev=1:next=1" for s in (30, 50, 70, 100)),
        *(f"{YUV420}vaguedenoiser=threshold={s}" for s in (16, 24, 36)),
    ],
    "deartifact": [
        "deblock=filter=weak", "deblock=filter=strong", "deblock=filter=strong:alpha=0.2:beta=0.1:gamma=0.1:delta=0.1",
        "pp7=qp=4", "pp7=qp=10", "pp7=qp=20", "spp=4:4", "spp=4:10", "spp=4:20", "hqdn3d=2", "hqdn3d=4", "hqdn3d=8",
    ],
    "superres": ["bicubic", "lanczos", "spline"],
    "derain": [
        "median=radius=1", "median=radius=2", "median=radius=3", "median=radius=1:percentile=0.25",
        "median=radius=2:percentile=0.35", "hqdn3d=4", "hqdn3d=8", "hqdn3d=16",
        "nlmeans=s=6:p=5:r=9", "nlmeans=s=12:p=5:r=9", "nlmeans=s=20:p=5:r=9",
    ],
    "dehaze": [
        "histeq=strength=0.1", "histeq=strength=0.2", "histeq=strength=0.3",
        "normalize=strength=0.5:independence=0", "normalize=independence=0", "normalize=strength=0.5", "normalize",
    ],
}


def by_ffmpeg(filter: str, clip: np.ndarray, task: str) -> np.ndarray:
    """What an ffmpeg filter (for superres: a scaler's name) makes of a clip.

    It is handed rgb24 and converts as ffmpeg does on a command line, to the nearest format that the filter takes.
    """
    height, width = clip.shape[1:3]
    form = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "25"]
    if task == "superres":
        height, width = height * FACTOR, width * FACTOR
        filter = f"scale={width}:{height}:flags={filter}+accurate_rnd+full_chroma_int+full_chroma_inp"
    raw = ffmpeg([*form, "-i", "-", "-vf", filter, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"], clip.tobytes())
    return shaped(raw, (len(clip), height, width, 3), f"ffmpeg -vf {filter}")


def by_program(program: str, options: list[str], clip: np.ndarray, task: str) -> np.ndarray:
    """tdm-filter itself, on raw rgb24."""
    height, width = clip.shape[1:3]
    form = ["--input-format", "raw", "--size", f"{width}x{height}", "--pixel-format", "rgb24", "--quiet"]
    command = [program, "--task", task, *form, *options]
    done = subprocess.run(command, input=clip.tobytes(), capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    factor = FACTOR if task == "superres" else 1
    return shaped(done.stdout, (len(clip), height * factor, width * factor, 3), " ".join(command))


def shaped(raw: bytes, shape: tuple[int, ...], source: str) -> np.ndarray:
    if len(raw) != int(np.prod(shape)):
        raise RuntimeError(f"{source}: expected {int(np.prod(shape))} bytes, {'x'.join(map(str, shape))}, found {len(raw)}")
    return np.frombuffer(raw, np.uint8).reshape(shape)
