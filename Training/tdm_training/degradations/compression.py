"""Compression: real encoders on the moving clip, and JPEG frame by frame."""

import io
import logging

import av
import cv2
import numpy as np

from ..chroma import from_planes, to_planes
from .common import as_bytes

logging.getLogger("libav").setLevel(logging.ERROR)

# x264's macroblock tree codes the last columns of small pictures now and then differently from one run to the next.
STEADY = "mbtree=0"
# Encoder, its share of the draws, and what it is told for a strength of 0 (mild) to 1 (ruinous).
ENCODERS = {
    "libx264": (0.45, lambda s: {"crf": f"{14 + 28 * s:.0f}", "x264-params": STEADY}),
    "libx265": (0.10, lambda s: {"crf": f"{16 + 26 * s:.0f}", "preset": "ultrafast", "x265-params": "log-level=none:pools=none:frame-threads=1"}),
    "mpeg4": (0.25, lambda s: {"qmin": f"{2 + 23 * s:.0f}", "qmax": f"{2 + 23 * s:.0f}"}),
    "jpeg": (0.20, lambda s: {"quality": f"{90 * (1 - s) + 6:.0f}"}),
}
X264_PRESETS = ["medium", "veryfast"]
X265_SMALLEST = 64  # its largest coding unit; libx265 corrupts the heap on sides shorter than that
X265_FEWEST = 3  # frames: of two, libx265 now and then gives packets that are out of order
SHARES = np.array([share for share, _ in ENCODERS.values()])


def encoded(clip: np.ndarray, codec: str, options: dict[str, str], group: int) -> np.ndarray:
    """A clip [T, H, W, 3] in [0, 1], sides even, through an encoder (4:2:0, BT.601) and its decoder. On the way to bytes of 4:2:0
    and back nothing is lost but what they cannot hold: what a conversion shifts, networks learn to shift back, and do it to video that was never shifted."""
    file = io.BytesIO()
    count, rows, columns = clip.shape[:3]
    if codec == "libx265":
        least = (X265_FEWEST, X265_SMALLEST, X265_SMALLEST)
        clip = np.pad(clip, (*((0, max(0, n - has)) for n, has in zip(least, clip.shape)), (0, 0)), "edge")
    frames, height, width, _ = clip.shape
    with av.open(file, "w", format="matroska") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.gop_size = group
        stream.options = options
        for light, colours in zip(*to_planes(clip)):
            planes = [light.ravel(), colours[..., 0].ravel(), colours[..., 1].ravel()]
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.concatenate(planes).reshape(-1, width), format="yuv420p")))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as source:
        source.streams.video[0].codec_context.thread_count = 1
        decoded = [f.to_ndarray(format="yuv420p").ravel() for f in source.decode(video=0)]
    if len(decoded) != frames:
        raise RuntimeError(f"{codec} {options}: {frames} frames in, {len(decoded)} out")
    light, colours = np.split(np.stack(decoded), [height * width], 1)
    light = light.reshape(frames, height, width, 1)
    colours = np.moveaxis(colours.reshape(frames, 2, height // 2, width // 2), 1, -1)
    return from_planes(light, colours)[:count, :rows, :columns]


def jpeg(clip: np.ndarray, quality: int) -> np.ndarray:
    coded = [cv2.imencode(".jpg", f[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for f in as_bytes(clip)]
    return np.stack([cv2.imdecode(c, cv2.IMREAD_COLOR)[..., ::-1] for c in coded]).astype(np.float32) / np.float32(255)


def compress(clip: np.ndarray, rng: np.random.Generator, strongest: float = 1.0) -> np.ndarray:
    """One encoder over the whole clip, a key frame every 1 to 12 frames, or, in 40% of the draws, at its beginning alone; x264's preset is its default, or
    veryfast, which leaves out what is done for the eye.

    strength   0...`strongest`: x264 by CRF 14 to 42, x265 by 16 to 42, MPEG-4 part 2 by quantizer 2 to 25, JPEG by quality 96 to 6
    """
    codec = list(ENCODERS)[rng.choice(len(ENCODERS), p=SHARES / SHARES.sum())]
    strength = strongest * rng.random()
    options = ENCODERS[codec][1](strength)
    if codec == "jpeg":
        return jpeg(clip, int(options["quality"]))
    if codec == "libx264":
        options["preset"] = X264_PRESETS[rng.integers(len(X264_PRESETS))]
    return encoded(clip, codec, options, len(clip) if rng.random() < 0.4 else int(rng.integers(1, 13)))
