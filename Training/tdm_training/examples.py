"""What training sees: clean and degraded clips with their tasks, as a function of seed, process and step alone."""

import numpy as np
import torch

from .degradations import degrade
from .fusion import fused
from .pictures import CropSource

# An encoder needs something that moves before it: how many frames are made where only one is wanted.
CONTEXT_FRAMES = {"deartifact": 3}


# What the program fuses along the motion before its networks see it, and how.
FUSED = {"denoise": {}, "deartifact": {"least_noise": 10, "keeps_detail": True}}


def as_seen(task: str, clip: np.ndarray, radius: int, places: range) -> np.ndarray:
    """Frames `places` of a degraded clip as the program's networks see them."""
    return fused(clip, radius if task in FUSED else 0, places, **FUSED.get(task, {}))


class Examples:
    def __init__(self, source: CropSource, seed: int, process: int = 0, fusion_radius: int = 0):
        self.source, self.seed, self.process, self.fusion_radius = source, seed, process, fusion_radius

    def one(self, rng: np.random.Generator, task: str, side: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
        """(clean, degraded), each [frames, side, side, 3]."""
        radius = self.fusion_radius if task in FUSED else 0
        # A full window lies somewhere in a clip that goes on; a shorter one is all that there is.
        beyond = radius if frames > 2 * radius else 0
        made = max(frames + 2 * beyond, CONTEXT_FRAMES.get(task, 1))
        clean = self.source.clip(rng, side, made)
        degraded = degrade(task, clean, rng)
        first = 0 if beyond else int(rng.integers(made - frames + 1))
        clean, degraded = (clip[first : first + frames + 2 * beyond] for clip in (clean, degraded))
        places = range(beyond, beyond + frames)
        return clean[beyond : places.stop], as_seen(task, degraded, radius, places)

    def at(
        self, step: int, count: int, side: int, task_shares: dict[str, float], frames: int = 1
    ) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
        """Clean and degraded, each [count * frames, 3, side, side] in [0, 1], a clip's frames side by side; and the
        task of each clip."""
        rng = np.random.default_rng((self.seed, step, self.process))
        shares = np.array(list(task_shares.values()))
        tasks = rng.choice(list(task_shares), size=count, p=shares / shares.sum()).tolist()
        pairs = [self.one(rng, task, side, frames) for task in tasks]
        return (*(tensor(np.concatenate(clips)) for clips in zip(*pairs)), tasks)


def tensor(frames: np.ndarray) -> torch.Tensor:
    """[N, H, W, 3] to [N, 3, H, W], laid out as convolutions like it."""
    x = torch.from_numpy(np.ascontiguousarray(frames, np.float32))
    return x.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
