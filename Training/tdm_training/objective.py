"""What the embedded model's training minimizes: a loss for each of its ways of training."""

from dataclasses import dataclass

import torch

from . import condition, pipeline, window
from .networks import Model
from .schedule import Schedule

# Squared error, 40 dB, about which an error counts most. Without it nearly clean pictures, whose errors are tiny, have
# by far the largest gradients, and AdamW takes its step from them; with more of it nothing better than it is learned.
GOOD_ENOUGH = 1e-4


@dataclass(frozen=True)
class Batch:
    """Clips of `frames` frames, of which one is to be restored: frame `here`."""

    clean: torch.Tensor  # [N * frames, 3, H, W] in [0, 1]
    seen: torch.Tensor  # degraded, as the networks see them: noisy ones fused
    second: torch.Tensor  # the second picture of each: condition.py
    tasks: list[str]
    frames: int
    here: int
    task_weights: dict[str, float]

    def at_here(self, x: torch.Tensor) -> torch.Tensor:
        """[N * frames, ...] to [N, ...]"""
        return x.unflatten(0, (-1, self.frames))[:, self.here]

    @property
    def target(self) -> torch.Tensor:
        return self.at_here(self.clean)

    @property
    def own(self) -> torch.Tensor:
        return self.at_here(self.seen)


class Objective:
    """The ways of training, each a loss of one batch.

    alone     the UNet with the empty prompt on noisy latents of clean and of degraded pictures: what inversion needs
    noise     UNet and ControlNet from Gaussian noise of any level: diffusion as it is defined; most often from the top
    path      what the program's preset runs, from the degraded picture's latent to the clean picture
    inverted  the same after one step of inversion
    """

    def __init__(self, model: Model, preset: dict, settings: dict):
        self.model, self.schedule, self.preset = model, Schedule(model.scheduler), preset
        self.latent_weight, self.good_enough = settings["latent_weight"], settings["good_enough"]
        tokens = model.tokens()
        self.names, self.tokens = list(tokens), torch.stack(list(tokens.values()))

    def texts(self, tasks: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.model.text(self.tokens).last_hidden_state
        empty = features[[self.names.index("")] * len(tasks)]
        return empty, features[[self.names.index(t) for t in tasks]]

    def noisy(self, z: torch.Tensor, timesteps: torch.Tensor, generator: torch.Generator):
        noise = torch.randn(z.shape, generator=generator)
        a, b = self.schedule.of(timesteps)
        return a * z + b * noise, a * noise - b * z

    def draw(self, count: int, top_share: float, generator: torch.Generator) -> torch.Tensor:
        """Timesteps: the noisiest for `top_share`, the others anywhere."""
        top = torch.rand(count, generator=generator) < top_share
        last = self.schedule.train_steps - 1
        anywhere = torch.randint(0, last + 1, (count,), generator=generator)
        return torch.where(top, last, anywhere)

    def distance(self, picture: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The logarithm of each picture's squared error: its PSNR but for sign and scale.

        What is wrong in fog is wrong in the same way everywhere in the picture, and moves the weights ten times as much as noise
        does, that is wrong in a new way in every pixel: the tasks' weights bring them to the same size.
        """
        square = (picture.float() - batch.target).square().mean((1, 2, 3))
        weights = torch.tensor([batch.task_weights[t] for t in batch.tasks])
        return (weights * torch.log(square + self.good_enough)).mean()

    def alone(self, batch: Batch, generator) -> torch.Tensor:
        empty, _ = self.texts(batch.tasks)
        pictures = torch.cat([batch.target[::2], batch.own[1::2]])
        z = self.model.encode(pictures)
        timesteps = self.draw(len(z), 0.2, generator)
        # Inversion of the preset's strength happens near the clean level.
        near = torch.rand(len(z), generator=generator) < 0.5
        timesteps = torch.where(near, (timesteps * self.preset["strength"]).long(), timesteps)
        x, v = self.noisy(z, timesteps, generator)
        return self.latent_weight * (self.model.predict(x, timesteps, empty, beside=self.model.beside(pictures)).float() - v).square().mean()

    def noise(self, batch: Batch, generator) -> torch.Tensor:
        _, context = self.texts(batch.tasks)
        timesteps = self.draw(len(batch.tasks), 0.3, generator)
        x, v = self.noisy(self.model.encode(batch.clean), timesteps.repeat_interleave(batch.frames), generator)
        windows = window.stacked(x, batch.frames, window.radius_of(self.model.unet), batch.here)
        second = batch.at_here(batch.second)
        seen = condition.of(self.model.controlnet, batch.own, second)
        output = self.model.predict(batch.at_here(x), timesteps, context, seen, windows, self.model.beside(second)).float()
        return self.latent_weight * (output - batch.at_here(v)).square().mean()

    def path(self, batch: Batch, generator) -> torch.Tensor:
        return self.followed(batch, self.preset)

    def inverted(self, batch: Batch, generator) -> torch.Tensor:
        return self.followed(batch, self.preset | {"inversion_steps": 1})

    def followed(self, batch: Batch, preset: dict) -> torch.Tensor:
        empty, context = self.texts(batch.tasks)
        picture = pipeline.restore_one(
            self.model, self.schedule, batch.seen, batch.second, batch.frames, batch.here, empty, context, preset)
        return self.distance(picture, batch)
