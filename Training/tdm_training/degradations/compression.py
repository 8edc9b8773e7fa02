"""Compression: real encoders on the moving clip, and JPEG frame by frame."""

import io
import logging

import av
import cv2
import numpy as np

from .common import as_bytes

logging.getLogger("libav").setLevel(logging.ERROR)

# x264's macroblock tree codes the last columns of small pictures now and then differently from one run to the next.
STEADY = "mbtree=0"
# Encoder, its share of the draws, and what it is told for a strength of 0 (mild) to 1 (ruinous).
ENCODERS = {
    "libx264": (0.45, lambda s: {"crf": f"{14 + 28 * s:.0f}", "preset": "veryfast", "x264-params": STEADY}),
    "libx265": (0.10, lambda s: {"crf": f"{16 + 26 * s:.0f}", "preset": "ultrafast", "x265-params": "log-level=none:pools=none:frame-threads=1"}),
    "mpeg4": (0.25, lambda s: {"qmin": f"{2 + 23 * s:.0f}", "qmax": f"{2 + 23 * s:.0f}"}),
    "jpeg": (0.20, lambda s: {"quality": f"{90 * (1 - s) + 6:.0f}"}),
}
X265_SMALLEST = 64  # its largest coding unit; libx265 corrupts the heap on sides shorter than that
X265_FEWEST = 3  # frames: of two, libx265 now and then gives packets that are out of order
SHARES = np.array([share for share, _ in ENCODERS.values()])


def encoded(clip: np.ndarray, codec: str, options: dict[str, str], group: int) -> np.ndarray:
    """A clip of bytes [T, H, W, 3], sides even, through an encoder (4:2:0, BT.601) and its decoder."""
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
        for picture in clip:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as source:
        source.streams.video[0].codec_context.thread_count = 1
        decoded = [f.to_ndarray(format="rgb24") for f in source.decode(video=0)]
    if len(decoded) != frames:
        raise RuntimeError(f"{codec} {options}: {frames} frames in, {len(decoded)} out")
    return np.stack(decoded)[:count, :rows, :columns]


def jpeg(clip: np.ndarray, quality: int) -> np.ndarray:
    coded = [cv2.imencode(".jpg", f[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for f in clip]
    return np.stack([cv2.imdecode(c, cv2.IMREAD_COLOR)[..., ::-1] for c in coded])


def compress(clip: np.ndarray, rng: np.random.Generator, strongest: float = 1.0) -> np.ndarray:
    """One encoder over the whole clip, a key frame every 1 to 12 frames.

    strength   0...`strongest`: x264 by CRF 14 to 42, x265 by 16 to 42, MPEG-4 part 2 by quantizer 2 to 25, JPEG by quality 96 to 6
    """
    codec = list(ENCODERS)[rng.choice(len(ENCODERS), p=SHARES / SHARES.sum())]
    strength = strongest * rng.random()
    options, data = ENCODERS[codec][1](strength), as_bytes(clip)
    if codec == "jpeg":
        out = jpeg(data, int(options["quality"]))
    else:
        out = encoded(data, codec, options, int(rng.integers(1, 13)))
    return out.astype(np.float32) / np.float32(255)
