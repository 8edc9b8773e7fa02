"""Restoration as tdm-filter does it, for pictures one by one: inversion, sampling under the ControlNet, decoding."""

import torch

from . import condition, window
from .networks import Model
from .schedule import Schedule


def contexts(model: Model, names: list[str]) -> dict[str, torch.Tensor]:
    """Text features of the named tasks' prompts ("" is the empty one), each [1, 77, C]."""
    tokens = model.tokens()
    features = model.text(torch.stack([tokens[n] for n in names])).last_hidden_state
    return {n: features[i : i + 1] for i, n in enumerate(names)}


def invert(model: Model, schedule: Schedule, z, empty, steps: int, strength: float = 1, beside=None) -> torch.Tensor:
    """From clean latents z up to the noisiest level, the UNet alone with the empty prompt."""
    rungs, x = schedule.ascent(steps, strength), z
    for start, end in zip(rungs, rungs[1:]):
        x = schedule.move(x, model.predict(x, end, empty, beside=beside), start, end)
    return x


def sample(model: Model, schedule: Schedule, x, context, condition, steps: int, strength: float = 1, frames: int = 1, beside=None):
    """From the noisiest level down to a clean latent, guided by the degraded pictures. `frames` of them in a row are a clip
    and go in lockstep, each with its window."""
    rungs, radius = schedule.descent(steps, strength), window.radius_of(model.unet)
    for start, end in zip(rungs, rungs[1:]):
        windows = window.stacked(x, frames, radius)
        x = schedule.move(x, model.predict(x, start, context, condition, windows, beside), start, end)
    return x


def restore_one(
    model: Model, schedule: Schedule, seen: torch.Tensor, second: torch.Tensor, frames: int, here: int, empty, context, preset: dict
) -> torch.Tensor:
    """Frame `here` of each of N clips, [N, 3, H, W] in [0, 1] but not clipped, by one step of sampling: what is left of `restore` where nothing else
    is wanted. `seen`, as the U-Net sees them, and `second`, their second pictures (condition.py), are [N * frames, 3, H, W]; `empty` and `context` are [N, 77, C]."""
    if preset["steps"] != 1:
        raise ValueError(f"preset: steps {preset['steps']}; expected 1: with more, every frame of a clip takes part in each")
    beside = model.beside(second)
    with torch.no_grad():
        z = model.encode(seen)
        z = invert(model, schedule, z, empty.repeat_interleave(frames, 0), preset["inversion_steps"], preset["strength"], beside)
        windows = window.stacked(z, frames, window.radius_of(model.unet), here)
    own = lambda x: x.unflatten(0, (-1, frames))[:, here]
    start, end = schedule.descent(1, preset["strength"])
    read = condition.of(model.controlnet, own(seen), own(second))
    output = model.predict(own(z), start, context, read, windows, None if beside is None else own(beside))
    return model.decode(schedule.move(own(z), output, start, end))


@torch.no_grad()
def restore(
    model: Model,
    degraded: torch.Tensor,
    task: str,
    strength: float,
    inversion_steps: int,
    steps: int,
    frames: int = 1,
) -> torch.Tensor:
    """Pictures [N, 3, H, W] in [0, 1], sides multiples of 16, `frames` in a row being a clip."""
    schedule = Schedule(model.scheduler)
    text = contexts(model, ["", task])
    many, beside = lambda c: c.expand(len(degraded), -1, -1), model.beside(degraded)
    x = invert(model, schedule, model.encode(degraded), many(text[""]), inversion_steps, strength, beside)
    seen = condition.of(model.controlnet, degraded, degraded)
    return model.decode(sample(model, schedule, x, many(text[task]), seen, steps, strength, frames, beside)).clamp(0, 1)
