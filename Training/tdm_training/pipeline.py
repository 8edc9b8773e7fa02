"""Restoration as tdm-filter does it, for pictures one by one: inversion, sampling under the ControlNet, decoding."""

import torch

from .networks import Model
from .schedule import Schedule



def contexts(model: Model, names: list[str]) -> dict[str, torch.Tensor]:
    """Text features of the named tasks' prompts ("" is the empty one), each [1, 77, C]."""
    tokens = model.tokens()
    features = model.text(torch.stack([tokens[n] for n in names])).last_hidden_state
    return {n: features[i : i + 1] for i, n in enumerate(names)}


def invert(model: Model, schedule: Schedule, z, empty, steps: int, strength: float = 1) -> torch.Tensor:
    """From clean latents z up to the noisiest level, the UNet alone with the empty prompt."""
    rungs, x = schedule.ascent(steps, strength), z
    for start, end in zip(rungs, rungs[1:]):
        x = schedule.move(x, model.predict(x, end, empty), start, end)
    return x


def sample(model: Model, schedule: Schedule, x, context, condition, steps: int, strength: float = 1) -> torch.Tensor:
    """From the noisiest level down to a clean latent, guided by the degraded picture."""
    rungs = schedule.descent(steps, strength)
    for start, end in zip(rungs, rungs[1:]):
        x = schedule.move(x, model.predict(x, start, context, condition), start, end)
    return x


@torch.no_grad()
def restore(
    model: Model,
    degraded: torch.Tensor,
    task: str,
    strength: float,
    inversion_steps: int,
    steps: int,
    noise: torch.Tensor | None = None,
) -> torch.Tensor:
    """Pictures [N, 3, H, W] in [0, 1], sides multiples of 16; `noise` replaces the inverted latents."""
    schedule = Schedule(model.scheduler)
    text = contexts(model, ["", task])
    many = lambda c: c.expand(len(degraded), -1, -1)
    if noise is None:
        x = invert(model, schedule, model.encode(degraded), many(text[""]), inversion_steps, strength)
    else:
        x = noise
    return model.decode(sample(model, schedule, x, many(text[task]), degraded, steps, strength)).clamp(0, 1)


