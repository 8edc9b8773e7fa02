"""What a trained model knows of some tasks already, kept while it is trained on for others (Li, Hoiem 2016: Learning without Forgetting)."""

from dataclasses import replace
from pathlib import Path

import torch

from . import networks, pipeline
from .objective import Batch
from .schedule import Schedule


# The mean squared error, 60 dB, up to which nothing is wrong with a picture: what is left of it is that picture, whatever the teacher makes of it.
UNTOUCHED = 1e-6


class Teacher:
    """Restores `tasks` by the model in `folder`, as `preset` says; what comes out is what another model is to learn there, where
    there was something to restore."""

    def __init__(self, folder: Path, tasks: list[str], preset: dict):
        self.model, self.tasks, self.preset = networks.load(folder), tasks, preset
        self.schedule = Schedule(self.model.scheduler)
        with torch.no_grad():
            self.text = pipeline.contexts(self.model, ["", *tasks])

    @torch.no_grad()
    def taught(self, batch: Batch) -> Batch:
        """The batch, with the teacher's pictures in the place of the clean ones of its tasks."""
        theirs = [i for i, task in enumerate(batch.tasks) if task in self.tasks]
        if not theirs:
            return batch
        of = lambda x: x.unflatten(0, (-1, batch.frames))[theirs].flatten(0, 1)
        context = torch.cat([self.text[batch.tasks[i]] for i in theirs])
        empty = self.text[""].expand(len(theirs), -1, -1)
        pictures = pipeline.restore_one(
            self.model, self.schedule, of(batch.seen), of(batch.second), batch.frames, batch.here, empty, context, self.preset)
        clean = batch.clean.clone()
        pictures, truth = pictures.float().clamp(0, 1), batch.target[theirs]
        is_degraded = (batch.own[theirs] - truth).square().mean((1, 2, 3), keepdim=True) > UNTOUCHED
        clean.unflatten(0, (-1, batch.frames))[theirs, batch.here] = torch.where(is_degraded, pictures, truth)
        return replace(batch, clean=clean)
