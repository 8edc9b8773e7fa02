"""What the embedded model's training is judged by."""

import numpy as np
import torch

from . import pipeline
from .degradations import TASKS
from .examples import as_seen, reach_of, second_of, tensor
from .networks import Model
from .pictures import CropSource, CropStyle
from .schedule import Schedule


class HeldOut:
    """Clips made of pictures kept aside, each degraded for each task by a seed of its own: what training is judged by.

    `tasks`: those that are trained. `windowed`: tasks that read their window, of `FRAMES` frames; for others a frame is alone, fused as the program
    fuses it. `radii`: frames on either side that one, or its second picture, is fused with, by task; of later ones those at most `ahead` away.
    """

    FRAMES = 5

    def __init__(self, pictures: list[np.ndarray], tasks: list[str], radii: dict[str, int], ahead: int, windowed: list[str], side: int = 192,
                 style: CropStyle = CropStyle()):
        reaches = {task: reach_of(task, radii.get(task, 0)) for task in tasks}
        farthest = max(reaches.values())
        # A full window lies in a clip that goes on: what is fused reads as far again on either side.
        middle = self.FRAMES // 2 + farthest
        window = range(farthest, farthest + self.FRAMES)
        clips = [
            CropSource([p], [], 0, style).clip(np.random.default_rng((i, 54321)), side, self.FRAMES + 2 * farthest)
            for i, p in enumerate(pictures)
        ]
        self.clean = tensor(np.stack([c[middle] for c in clips]))
        degraded = {
            task: [TASKS[task](c, np.random.default_rng((i, 12345))) for i, c in enumerate(clips)] for task in tasks
        }
        # Frames alone are fused with what is around them and nothing else.
        places = lambda task: window if task in windowed else range(reaches[task], reaches[task] + 1)
        clip = lambda task, c: c if task in windowed else c[middle - reaches[task] : middle + 1 + min(ahead, reaches[task])]
        self.came = {task: [tensor(clip(task, c)[places(task).start : places(task).stop]) for c in d] for task, d in degraded.items()}
        self.seen = {task: [tensor(as_seen(task, clip(task, c), radii.get(task, 0), places(task))) for c in d] for task, d in degraded.items()}
        second = lambda task, c: second_of(task, clip(task, c), radii.get(task, 0), places(task), len(places(task)) // 2)
        self.second = {task: [tensor(second(task, c)) for c in d] for task, d in degraded.items()}

    def untouched(self) -> dict[str, float]:
        """By task."""
        return {t: self.mean(torch.stack([c[len(c) // 2] for c in clips])) for t, clips in self.came.items()}

    def mean(self, pictures: torch.Tensor) -> float:
        """PSNR in dB, the mean over the pictures."""
        return float((-10 * torch.log10((pictures - self.clean).square().mean((1, 2, 3)))).mean())

    @torch.no_grad()
    def psnr(self, model: Model, preset: dict, bf16: bool) -> dict[str, float]:
        """By task."""
        schedule, figures = Schedule(model.scheduler), {}
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            text = pipeline.contexts(model, ["", *self.seen])
            for task, clips in self.seen.items():
                out = [
                    pipeline.restore_one(model, schedule, c, second, len(c), len(c) // 2, text[""], text[task], preset)
                    for c, second in zip(clips, self.second[task])
                ]
                figures[task] = self.mean(torch.cat(out).float().clamp(0, 1))
        return figures
