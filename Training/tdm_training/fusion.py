"""The program's fusion of frames along the motion and with what stood still, by its own kernels: those of Sources/CKernels, compiled here."""

import ctypes
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

KERNELS = Path(__file__).resolve().parents[2] / "Sources" / "CKernels"
SOURCES = ["motion.c", "motion_refinement.c", "noise_level.c", "noise_along_motion.c", "fusion.c", "rank_fusion.c", "history.c", "parallel.c", "isa.c"]
MOST = 32  # frames that a history counts as: recipes/presets.json


class Noise(ctypes.Structure):
    _fields_ = [("coarse", 3 * ctypes.c_float), ("fine", 3 * ctypes.c_float)]


@cache
def library() -> ctypes.CDLL:
    """Raises RuntimeError where clang, which comes with Swift, cannot compile it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fusion.so"
        command = ["clang", "-O2", "-shared", "-fPIC", "-I", KERNELS / "include", *(KERNELS / s for s in SOURCES), "-o", path, "-l:libgomp.so.1"]
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode:
            raise RuntimeError(f"the kernels of {KERNELS} do not compile: {made.stderr.strip()}; clang comes with Swift")
        loaded = ctypes.CDLL(str(path))
    for name in ("tdm_motion_pyramid_count", "tdm_motion_scratch_count", "tdm_fusion_scratch_count", "tdm_rank_fusion_scratch_count",
                 "tdm_history_scratch_count"):
        getattr(loaded, name).restype = ctypes.c_size_t
    loaded.tdm_noise_of.restype = Noise
    return loaded


def at(array: np.ndarray) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


def room(count: int) -> np.ndarray:
    return np.empty(max(count, 1), np.float32)


class Clip:
    """Frames [T, H, W, 3] float32 in [0, 1] as the kernels take them, and their motion."""

    def __init__(self, clip: np.ndarray):
        self.frames = [np.ascontiguousarray(f, np.float32) * np.float32(255) for f in clip]
        self.height, self.width = self.frames[0].shape[:2]
        self.kernels, self.size = library(), (ctypes.c_size_t(self.width), ctypes.c_size_t(self.height))
        self.steps = room(self.kernels.tdm_motion_scratch_count(*self.size))
        self.pyramids = {}

    def pyramid(self, i: int) -> np.ndarray:
        if i not in self.pyramids:
            self.pyramids[i] = room(self.kernels.tdm_motion_pyramid_count(*self.size))
            soft = room((self.width // 2) * (self.height // 2))
            self.kernels.tdm_motion_pyramid(at(self.pyramids[i]), at(self.frames[i]), *self.size, at(soft), 1)
        return self.pyramids[i]

    def near(self, i: int, distances: list[int]) -> list[int]:
        """The frames at those distances on either side of frame i, as far as the clip has them."""
        around = [i - d for d in reversed(distances)] + [i + d for d in distances]
        return [j for j in around if 0 <= j < len(self.frames)]

    def flows(self, i: int, near: list[int]) -> list[np.ndarray]:
        """Where what frame i shows is in each of those."""
        flows = [room(2 * (self.height // 2) * (self.width // 2)) for _ in near]
        for j, flow in zip(near, flows):
            self.kernels.tdm_motion(at(flow), at(self.pyramid(i)), at(self.pyramid(j)), *self.size, at(self.steps), 1)
        return flows


def pointers(arrays: list[np.ndarray]) -> ctypes.Array:
    return (ctypes.c_void_p * max(len(arrays), 1))(*(a.ctypes.data for a in arrays))


def distances(radius: int) -> list[int]:
    """How far from a frame those are that it is averaged with on either side: `radius` of them, each twice as far as the one before."""
    return [1 << n for n in range(radius)]


def reach(radius: int) -> int:
    """How far away the farthest of them is."""
    return max(distances(radius), default=0)


def fused(clip: np.ndarray, radius: int, places: range, least_noise: float = 0, history: bool = False) -> np.ndarray:
    """Frames `places` of [T, H, W, 3] float32 in [0, 1], each averaged with `radius` frames on either side (`distances`), as far as the clip has them.
    `least_noise`, of 255 levels, is what is taken for noise where less is found, in a frame and along the motion. With `history` the frames before those are averaged, too, where
    they show the same at the same place: as in the program, but that each is judged by itself before it is taken, not by what it is fused to."""
    if radius == 0 or len(clip) == 1:
        return clip[places.start : places.stop]
    taken = Clip(clip)
    kernels, size, frames = taken.kernels, taken.size, taken.frames
    height, width = taken.height, taken.width
    bands = room(kernels.tdm_fusion_scratch_count(size[0], 1))
    weights, judged = room(height * width), room(kernels.tdm_history_scratch_count(size[0], 1))
    out = np.empty((len(places), height, width, 3), np.float32)
    for i in places:
        own, near = frames[i], taken.near(i, distances(radius))
        flows = taken.flows(i, near)
        others, count = pointers([frames[j] for j in near]), ctypes.c_size_t(len(near))
        levels, along = room(3), room(3)
        kernels.tdm_noise_levels(at(levels), at(own), *size)
        kernels.tdm_noise_along_motion(
            at(along), at(own), at(taken.pyramid(i)), others, pointers([taken.pyramid(j) for j in near]), pointers(flows), count, *size)
        noise = kernels.tdm_noise_of(at(levels), at(along), ctypes.c_float(least_noise))
        kernels.tdm_fusion(
            at(out[i - places.start]), at(own), others, pointers(flows), count, *size, ctypes.byref(noise),
            at(weights), at(bands), 1)
        if history and i > reach(radius):
            mean, counts, alone = frames[0].copy(), np.ones((height, width), np.float32), np.empty((height, width), np.float32)
            blend = lambda frame, weights: kernels.tdm_history_blend(
                at(frame), at(weights), at(mean), at(counts), *size, ctypes.byref(noise), at(judged), 1)
            for earlier in frames[1 : i - reach(radius)]:
                alone.fill(1)
                blend(earlier.copy(), alone)
                kernels.tdm_history_take(at(mean), at(counts), at(earlier), ctypes.c_size_t(height * width), ctypes.c_float(MOST), 1)
            blend(out[i - places.start], weights)
    return out / np.float32(255)


def rank_fused(clip: np.ndarray, place: int, radius: int) -> np.ndarray:
    """Frame `place` of [T, H, W, 3] float32 in [0, 1] without most of what is brighter in it than in the `radius` frames on either side."""
    taken = Clip(clip)
    near = taken.near(place, list(range(1, radius + 1)))
    flows = taken.flows(place, near)
    out = np.empty_like(taken.frames[place])
    scratch = room(taken.kernels.tdm_rank_fusion_scratch_count(taken.size[0], 1))
    taken.kernels.tdm_rank_fusion(
        at(out), at(taken.frames[place]), pointers([taken.frames[j] for j in near]), pointers(flows), ctypes.c_size_t(len(near)), *taken.size,
        at(scratch), 1)
    return out / np.float32(255)
