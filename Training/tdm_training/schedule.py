"""Noise levels and the deterministic moves between them (DDIM, Song et al. 2021, eq. 12), for epsilon and v-prediction.

A network that predicts v = a eps - b x0 (a, b = sqrt(alphaBar), sqrt(1 - alphaBar)) is well behaved at both ends:
near the clean level inversion only needs eps = a v + b x, near the noisy one the sample is x0 = a x - b v.
"""

import math

import torch
from diffusers import DDIMScheduler

CLEAN = -1  # the level before the first timestep


def levels(steps: int, strength: float, train_steps: int) -> list[int]:
    """Timesteps of the levels 1...steps in "trailing" spacing: the last is the noisiest for any number of steps.

    `strength` is the part of the schedule that is climbed, 0 to 1.
    """
    return [math.floor(k * strength * train_steps / steps + 0.5) - 1 for k in range(1, steps + 1)]


class Schedule:
    def __init__(self, scheduler: DDIMScheduler):
        kind = scheduler.config.prediction_type
        if kind not in ("epsilon", "v_prediction"):
            raise ValueError(f"scheduler: prediction_type {kind!r}; expected 'epsilon' or 'v_prediction'")
        self.kind = kind
        self.alpha_bar = scheduler.alphas_cumprod.double()
        self.clean = 1.0 if scheduler.config.set_alpha_to_one else float(self.alpha_bar[0])
        self.train_steps = scheduler.config.num_train_timesteps

    def at(self, timestep: int) -> tuple[float, float]:
        """(a, b): how much of the sample and how much of the noise there is at a level."""
        bar = self.clean if timestep == CLEAN else float(self.alpha_bar[timestep])
        return math.sqrt(bar), math.sqrt(1 - bar)

    def of(self, timesteps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(a, b) of a batch of timesteps, each [N, 1, 1, 1]."""
        bar = self.alpha_bar[timesteps].float()[:, None, None, None]
        return bar.sqrt(), (1 - bar).sqrt()

    def move(self, x: torch.Tensor, output: torch.Tensor, start: int, end: int) -> torch.Tensor:
        """x at level `end`, from x at level `start` and the network's output there."""
        (a, b), (c, d) = self.at(start), self.at(end)
        if self.kind == "epsilon":
            return c * (x - b * output) / a + d * output
        return c * (a * x - b * output) + d * (a * output + b * x)

    def ascent(self, steps: int, strength: float = 1) -> list[int]:
        return [CLEAN, *levels(steps, strength, self.train_steps)]

    def descent(self, steps: int, strength: float = 1) -> list[int]:
        return self.ascent(steps, strength)[::-1]
