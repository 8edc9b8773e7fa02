"""What training sees: clean and degraded clips with their tasks, as a function of seed, process and step alone."""

import numpy as np
import torch

from .degradations import degrade
from .pictures import CropSource

# An encoder needs something that moves before it: how many frames are made where only one is wanted.
CONTEXT_FRAMES = {"deartifact": 3}


class Examples:
    def __init__(self, source: CropSource, seed: int, process: int = 0):
        self.source, self.seed, self.process = source, seed, process

    def one(self, rng: np.random.Generator, task: str, side: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
        """(clean, degraded), each [frames, side, side, 3]."""
        made = max(frames, CONTEXT_FRAMES.get(task, 1))
        clean = self.source.clip(rng, side, made)
        degraded = degrade(task, clean, rng)
        first = int(rng.integers(made - frames + 1))
        return clean[first : first + frames], degraded[first : first + frames]

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
